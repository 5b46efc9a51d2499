//! The yardstick: a TCP forwarder that copies bytes both ways and knows nothing of mail.
//!
//! It runs on the same runtime as the gate, as a process of its own: this program started again.

use crate::support::free_address;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

/// The running forwarder; ended when dropped.
pub struct Forwarder {
    address: SocketAddr,
    child: Child,
}

impl Forwarder {
    /// Starts one before `target`.
    pub fn start(target: SocketAddr) -> Self {
        let program = std::env::current_exe().expect("this program's path");
        let mut command = Command::new(program);
        let mut child = command
            .args(["--forward-to", &target.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .expect("a second process");
        let mut line = String::new();
        let output = child.stdout.take().expect("its output");
        BufReader::new(output).read_line(&mut line).expect("its address");
        Self {
            address: line.trim().parse().expect("an address"),
            child,
        }
    }

    /// Where to send, and whose CPU time to read.
    pub fn candidate(&self) -> (SocketAddr, u32) {
        (self.address, self.child.id())
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Forwards until killed; prints the address that it listens on.
pub fn run(target: SocketAddr) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let listener = TcpListener::bind(free_address()).await.expect("a free port");
        println!("{}", listener.local_addr().expect("bound"));
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(forward(client, target));
        }
    });
}

async fn forward(mut client: TcpStream, target: SocketAddr) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    let mut server = TcpStream::connect(target).await?;
    server.set_nodelay(true)?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}
