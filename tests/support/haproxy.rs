//! A HAProxy of one's own, as a TCP balancer that sends PROXY headers: its settings are those of
//! `deploy/haproxy` but for the addresses. Stopped when dropped.

use super::recipe::recipe;
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
    /// One in front of two gates, or twice the same; `header` is `send-proxy` or `send-proxy-v2`.
    pub fn in_front_of(program: &Path, gates: [SocketAddr; 2], header: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let address = free_address();
        let settings = recipe(
            "haproxy/haproxy.cfg",
            &[
                ("bind :25", &format!("bind {address}")),
                ("10.0.0.11:2525", &gates[0].to_string()),
                ("10.0.0.12:2525", &gates[1].to_string()),
                (" send-proxy-v2 ", &format!(" {header} ")),
            ],
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
