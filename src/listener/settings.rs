//! One `[[listener]]` as settings write it, and what is wrong with it on its own.
//!
//! Knows nothing of other sections; checks across them are `config`'s.

use crate::mail::Direction;
use crate::smtp::Peer;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// A `[[listener]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The name in logs, metrics and the journal.
    pub name: String,
    /// Address and port; port 0 takes a free one.
    pub address: SocketAddr,
    /// Which way its mail travels.
    pub direction: Direction,
    /// Who connects.
    pub peer: Peer,
    /// Networks that it serves; outbound needs them, empty inbound means all.
    pub client_networks: Vec<IpNet>,
    /// Peers that may say who their client is (PROXY, XCLIENT, XFORWARD); they are exempt from the
    /// limits for one client.
    pub trusted: Vec<IpNet>,
    /// Whether every connection begins with a PROXY header; peers that aren't trusted are turned away.
    pub proxy_protocol: bool,
    /// Relays that say nothing of their client: the message's Received fields tell rules and log who
    /// spoke to the first of them.
    pub trusted_relays: Vec<IpNet>,
    /// Networks whose bare line ends are made CRLF instead of refused.
    pub repair_line_ends: Vec<IpNet>,
    /// Whether messages may come in chunks: BDAT beside DATA (CHUNKING, RFC 3030).
    pub chunking: bool,
    /// The route that takes all its mail, instead of routing by recipient domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// When TLS begins.
    pub tls: Tls,
    /// PEM file with the certificate and its chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// PEM file with its private key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
}

/// When TLS begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    /// Never.
    #[default]
    Off,
    /// When the client says STARTTLS.
    StartTls,
    /// Before the greeting.
    Implicit,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: "inbound".to_owned(),
            address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 2525),
            direction: Direction::Inbound,
            peer: Peer::Internet,
            client_networks: Vec::new(),
            trusted: Vec::new(),
            proxy_protocol: false,
            trusted_relays: Vec::new(),
            repair_line_ends: Vec::new(),
            chunking: false,
            upstream: None,
            tls: Tls::Off,
            certificate: None,
            key: None,
        }
    }
}

impl Settings {
    /// What is wrong with it: the key, and a sentence for each fault.
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        if self.name.is_empty() {
            faults.push(("name", "a listener needs a name".to_owned()));
        }
        if self.direction == Direction::Outbound && self.client_networks.is_empty() {
            faults.push((
                "client_networks",
                "an outbound listener must say whose mail it takes, or it is an open relay".to_owned(),
            ));
        }
        if self.proxy_protocol && self.trusted.is_empty() {
            faults.push((
                "trusted",
                "PROXY headers are taken from trusted peers alone, so nobody could connect".to_owned(),
            ));
        }
        if self.tls != Tls::Off {
            for (key, path) in [("certificate", &self.certificate), ("key", &self.key)] {
                if path.is_none() {
                    faults.push((key, format!("TLS needs a {key} file")));
                }
            }
        }
        faults
    }

    /// Whether it serves this client.
    pub fn serves(&self, client: IpAddr) -> bool {
        self.serves_anyone() || contains(&self.client_networks, client)
    }

    /// Whether it serves every client, those whose address is unknown too.
    pub fn serves_anyone(&self) -> bool {
        self.client_networks.is_empty() && self.direction == Direction::Inbound
    }

    /// Whether this client may say who its client is.
    pub fn trusts(&self, client: IpAddr) -> bool {
        contains(&self.trusted, client)
    }

    /// Whether this client's bare line ends are made CRLF.
    pub fn repairs(&self, client: IpAddr) -> bool {
        contains(&self.repair_line_ends, client)
    }
}

fn contains(networks: &[IpNet], client: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(&client))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_read_as_documented() {
        let settings: Settings = toml::from_str(
            r#"
            name = "smarthost"
            address = "[::1]:2526"
            direction = "outbound"
            peer = "relay"
            client_networks = ["10.0.0.0/8", "2001:db8::/32"]
            trusted = ["192.0.2.1/32"]
            proxy_protocol = true
            trusted_relays = ["198.51.100.0/24"]
            upstream = "internet"
            tls = "starttls"
            certificate = "tls/chain.pem"
            key = "tls/key.pem"
            "#,
        )
        .unwrap();
        assert_eq!((settings.peer, settings.tls), (Peer::Relay, Tls::StartTls));
        assert!(settings.faults().is_empty());
        assert!(settings.serves("10.1.2.3".parse().unwrap()));
        assert!(settings.serves("2001:db8::1".parse().unwrap()));
        assert!(!settings.serves("192.0.2.1".parse().unwrap()));
        assert!(settings.trusts("192.0.2.1".parse().unwrap()));
        assert!(toml::from_str::<Settings>("adress = \"[::1]:2526\"").is_err());
    }

    #[test]
    fn the_default_is_whole_and_what_is_missing_is_named() {
        assert!(Settings::default().faults().is_empty());
        assert!(Settings::default().serves("192.0.2.1".parse().unwrap()));
        let broken = Settings {
            direction: Direction::Outbound,
            tls: Tls::Implicit,
            proxy_protocol: true,
            ..Settings::default()
        };
        let keys: Vec<&str> = broken.faults().iter().map(|(key, _)| *key).collect();
        assert_eq!(keys, ["client_networks", "trusted", "certificate", "key"]);
        assert!(!broken.serves("127.0.0.1".parse().unwrap()));
    }
}
