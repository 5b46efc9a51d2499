//! What the tests with real sockets share: a gate of its own for each test, a client that speaks
//! raw SMTP, an upstream that can be told to misbehave, certificates, and mail written for us.
//!
//! Threads and blocking sockets throughout, so that nothing here depends on the code under test.
//! Nothing asserts how long a thing takes; deadlines are only there so that a hang fails.

pub mod certificates;
pub mod client;
pub mod dns;
pub mod dovecot;
pub mod exim;
pub mod gate;
pub mod haproxy;
pub mod mail;
pub mod postfix;
pub mod programs;
pub mod recipe;
pub mod sink;
pub mod unbound;

pub use certificates::Certificates;
pub use client::{Client, Reply};
pub use gate::{Gate, eventually};
pub use sink::{Answer, Sink, Stage};

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

/// How long anything may take before the test calls it hung.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A loopback address on which nothing listens. Below the range from which the kernel takes the
/// ports of outgoing connections, so that none of those can sit on it when it is needed.
pub fn free_address() -> SocketAddr {
    free_address_of(Ipv4Addr::LOCALHOST.into())
}

/// The same, of this IP address.
pub fn free_address_of(ip: IpAddr) -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let spread = u16::try_from(std::process::id() % 97).unwrap_or(0) * 100;
    loop {
        let offset = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_add(spread) % 10_000;
        let address = SocketAddr::new(ip, 20_000 + offset);
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}
