//! A HAProxy of one's own, as a TCP balancer that sends PROXY headers: its settings are those of
//! `docs/haproxy.md` but for the addresses. Stopped when dropped.

use super::{eventually, free_address};
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A running balancer.
pub struct HaProxy {
    /// Where it listens.
    pub address: SocketAddr,
    child: Child,
    _folder: TempDir,
}

impl HaProxy {
    /// One in front of `gate`; `header` is `send-proxy` or `send-proxy-v2`.
    pub fn in_front_of(program: &Path, gate: SocketAddr, header: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let address = free_address();
        let settings = format!(
            "defaults\n    mode tcp\n    timeout connect 5s\n    timeout client 6m\n    timeout server 6m\n\n\
             frontend smtp\n    bind {address}\n    default_backend gates\n\n\
             backend gates\n    balance leastconn\n    server gate1 {gate} {header}\n"
        );
        let path = folder.path().join("haproxy.cfg");
        fs::write(&path, settings).expect("a writable folder");
        let child = Command::new(program)
            .arg("-db")
            .arg("-f")
            .arg(&path)
            .stdin(Stdio::null())
            .spawn()
            .expect("HAProxy runs");
        eventually("HAProxy listens", || TcpStream::connect(address).ok());
        Self {
            address,
            child,
            _folder: folder,
        }
    }
}

impl Drop for HaProxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
