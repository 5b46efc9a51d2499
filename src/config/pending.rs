//! Settings of modules that are still to bring their own: same names, same defaults.
//!
//! Plain data. Knows nothing of files or layers.

use crate::units::{Size, Span};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// `[[listener]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ListenerSettings {
    /// The name in logs and metrics.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// Which way its mail goes.
    pub direction: Direction,
    /// Who speaks to it.
    pub peer: Peer,
    /// Networks that may send PROXY, XCLIENT, XFORWARD.
    pub trusted: Vec<IpNet>,
    /// Networks that an outbound listener serves.
    pub client_networks: Vec<IpNet>,
    /// A route's name, instead of routing by recipient domain.
    pub upstream: Option<String>,
    /// PEM file of the certificate chain.
    pub certificate: Option<PathBuf>,
    /// PEM file of its key.
    pub key: Option<PathBuf>,
}

/// Which way mail goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From strangers to us.
    #[default]
    Inbound,
    /// From us to strangers.
    Outbound,
}

/// Who speaks to a listener.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Peer {
    /// Anyone.
    #[default]
    Internet,
    /// A relay that queues and would bounce.
    Relay,
}

impl Default for ListenerSettings {
    fn default() -> Self {
        Self {
            name: "inbound".to_owned(),
            address: (Ipv4Addr::LOCALHOST, 2525).into(),
            direction: Direction::Inbound,
            peer: Peer::Internet,
            trusted: Vec::new(),
            client_networks: Vec::new(),
            upstream: None,
            certificate: None,
            key: None,
        }
    }
}

/// `[[route]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RouteSettings {
    /// The name in logs and metrics.
    pub name: String,
    /// Recipient domains.
    pub domains: Vec<String>,
    /// Where mail goes.
    pub target: String,
}

impl Default for RouteSettings {
    fn default() -> Self {
        Self {
            name: "default".to_owned(),
            domains: vec!["*".to_owned()],
            target: "maildir:var/delivered".to_owned(),
        }
    }
}

/// `[store]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreSettings {
    /// `sqlite:PATH`.
    pub url: String,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            url: "sqlite:var/portreeve.db".to_owned(),
        }
    }
}

/// `[limits]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Largest message.
    pub message_size: Size,
    /// Connections at once.
    pub connections: usize,
    /// Byte budget for message bodies.
    pub memory: Size,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_size: Size(50_000_000),
            connections: 1000,
            memory: Size(512_000_000),
        }
    }
}

/// The session's share of `[deadlines]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionDeadlines {
    /// For each whole command.
    pub command: Span,
}

impl Default for SessionDeadlines {
    fn default() -> Self {
        Self {
            command: Span(Duration::from_secs(300)),
        }
    }
}

/// Upstream's share of `[deadlines]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UpstreamDeadlines {
    /// The reply to our dot.
    pub upstream_dot: Span,
}

impl Default for UpstreamDeadlines {
    fn default() -> Self {
        Self {
            upstream_dot: Span(Duration::from_secs(300)),
        }
    }
}
