//! `[resolver]`: which DNS servers are asked, whether their word on DNSSEC counts, and for how long.
//!
//! Plain data with the shipped defaults. Knows nothing of what is asked.

use crate::units::{Size, Span};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// What to do where records have to be validated and the servers are not believed.
pub const UNTRUSTED: &str = "it needs a DNS resolver that validates and is believed: run one on this machine and name it in \
                             [resolver] servers, or set trusted = true where nobody can sit between";

/// `[resolver]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The servers; the system's when empty.
    pub servers: Vec<Server>,
    /// Whether their word counts that an answer was validated; without it, when every server is on loopback.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trusted: Option<bool>,
    /// How long one lookup may take, over all servers.
    pub lookup: Span,
    /// How long all lookups for one thing may take together: one message, one `check`.
    pub total: Span,
    /// Memory for answers about senders, kept for as long as they may be held true.
    pub cache: Size,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            trusted: None,
            lookup: Span(Duration::from_secs(2)),
            total: Span(Duration::from_secs(5)),
            cache: Size(16_000_000),
        }
    }
}

impl Settings {
    /// Whether these servers' word counts. The AD bit is one unsigned bit in a packet: anybody on the way
    /// could set it, so that by default only a resolver on this very machine is believed (RFC 4035 §4.9.3).
    pub fn trusts(&self, servers: &[SocketAddr]) -> bool {
        self.trusted
            .unwrap_or_else(|| !servers.is_empty() && servers.iter().all(|server| server.ip().is_loopback()))
    }
}

/// A DNS server: an address, and a port where it isn't 53.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Server(pub SocketAddr);

impl<'de> Deserialize<'de> for Server {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let address = text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 53));
        address.or_else(|_| text.parse()).map(Self).map_err(|_| {
            serde::de::Error::custom(format!(
                "{text:?} is no address such as \"127.0.0.1\" or \"[::1]:5353\""
            ))
        })
    }
}

impl Serialize for Server {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.port() {
            53 => serializer.collect_str(&self.0.ip()),
            _ => serializer.collect_str(&self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_addresses_with_or_without_a_port() {
        for (text, server) in [
            ("127.0.0.1", Some("127.0.0.1:53")),
            ("127.0.0.1:5353", Some("127.0.0.1:5353")),
            ("::1", Some("[::1]:53")),
            ("[::1]:5353", Some("[::1]:5353")),
            ("localhost", None),
            ("127.0.0.1:", None),
            ("", None),
        ] {
            let read = toml::from_str::<Settings>(&format!("servers = [{text:?}]"));
            let read = read.ok().map(|settings| settings.servers[0].0);
            assert_eq!(read, server.map(|server| server.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn only_loopback_is_believed_unless_told() {
        let near: SocketAddr = "127.0.0.53:53".parse().unwrap();
        let far: SocketAddr = "192.0.2.53:53".parse().unwrap();
        for (trusted, servers, believed) in [
            (None, vec![near], true),
            (None, vec!["[::1]:53".parse().unwrap(), near], true),
            (None, vec![near, far], false),
            (None, vec![], false),
            (Some(true), vec![far], true),
            (Some(false), vec![near], false),
        ] {
            let settings = Settings {
                trusted,
                ..Settings::default()
            };
            assert_eq!(settings.trusts(&servers), believed, "{trusted:?} {servers:?}");
        }
    }
}
