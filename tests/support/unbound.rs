//! An Unbound of one's own: a real resolver on loopback that knows what a test says, and asks the scripted server
//! about all else. Stopped when dropped.

use super::{eventually, free_address};
use std::fmt::Write;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A running resolver.
pub struct Unbound {
    /// Where it listens.
    pub address: SocketAddr,
    child: Child,
    _folder: TempDir,
}

impl Unbound {
    /// One that knows these records, a line each as in a zone file, and asks `elsewhere` about other names.
    pub fn knowing(program: &Path, records: &str, elsewhere: SocketAddr) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let address = free_address();
        let mut settings = format!(
            "server:\n interface: {ip}@{port}\n port: {port}\n do-daemonize: no\n username: \"\"\n chroot: \"\"\n \
             directory: \"{folder}\"\n pidfile: \"\"\n use-syslog: no\n verbosity: 0\n do-ip6: no\n num-threads: 1\n \
             do-not-query-localhost: no\n module-config: \"iterator\"\n access-control: 127.0.0.0/8 allow\n \
             local-zone: \"test.\" transparent\n local-zone: \"2.0.192.in-addr.arpa.\" transparent\n",
            ip = address.ip(),
            port = address.port(),
            folder = folder.path().display(),
        );
        for record in records.lines().map(str::trim).filter(|record| !record.is_empty()) {
            writeln!(settings, " local-data: '{record}'").expect("a string takes all");
        }
        write!(
            settings,
            "forward-zone:\n name: \".\"\n forward-addr: {}@{}\n",
            elsewhere.ip(),
            elsewhere.port()
        )
        .expect("a string takes all");
        let path = folder.path().join("unbound.conf");
        fs::write(&path, settings).expect("a writable folder");
        let child = Command::new(program)
            .args(["-d", "-p", "-c"])
            .arg(&path)
            .stdin(Stdio::null())
            .spawn()
            .expect("Unbound runs");
        eventually("Unbound listens", || TcpStream::connect(address).ok());
        Self {
            address,
            child,
            _folder: folder,
        }
    }
}

impl Drop for Unbound {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
