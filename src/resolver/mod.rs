//! Names to addresses by the system, and DNS records with whether they were validated, each behind a trait so
//! that tests and the simulator can answer.
//!
//! Knows nothing of mail: what a record means is for those who ask.

mod cache;
mod dns;
mod settings;
mod stub;
mod watched;
#[cfg(test)]
pub(crate) mod zone;

pub use cache::Cached;
pub use dns::{Answer, Bounded, Dns, DnsFault, Exchanger, Kind, Record, Tlsa, reversed, zone_of};
pub use settings::{Server, Settings, UNTRUSTED};
pub use stub::StubResolver;
#[cfg(test)]
pub(crate) use stub::name_server;
pub use watched::{DnsEvent, Told, Watched};

use async_trait::async_trait;
use std::net::IpAddr;

/// Nobody to ask: no server is known.
#[derive(Debug, Clone, Copy)]
pub struct Nobody;

#[async_trait]
impl Dns for Nobody {
    fn is_trusted(&self) -> bool {
        false
    }

    async fn ask(&self, _: &str, _: Kind) -> Result<Answer<Record>, DnsFault> {
        Err(DnsFault::Down)
    }
}

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
