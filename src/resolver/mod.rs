//! Names to addresses by the system, and DNS records with whether they were validated, each behind a trait so
//! that tests and the simulator can answer.
//!
//! Knows nothing of mail: what a record means is for those who ask.

mod dns;
mod settings;
mod stub;

pub use dns::{Answer, Bounded, Dns, DnsFault, Exchanger, Tlsa};
pub use settings::{Server, Settings, UNTRUSTED};
pub use stub::StubResolver;
#[cfg(test)]
pub(crate) use stub::name_server;

use async_trait::async_trait;
use std::net::IpAddr;

/// Looks host names up.
#[async_trait]
pub trait Resolver: Send + Sync {
    /// The addresses of `host`, in the order to try them.
    ///
    /// # Errors
    /// The system resolver's own.
    async fn addresses(&self, host: &str) -> std::io::Result<Vec<IpAddr>>;
}

/// The system's resolver (`getaddrinfo`, on a blocking thread).
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn addresses(&self, host: &str) -> std::io::Result<Vec<IpAddr>> {
        if let Ok(address) = host.trim_matches(['[', ']']).parse() {
            return Ok(vec![address]);
        }
        Ok(tokio::net::lookup_host((host, 0))
            .await?
            .map(|address| address.ip())
            .collect())
    }
}
