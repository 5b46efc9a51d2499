//! `[http]`.
//!
//! Plain data. Knows nothing of what is served there.

use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, SocketAddr};

/// `[http]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where health and metrics are served, in the clear and to anyone who can reach it.
    pub address: SocketAddr,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            address: (Ipv4Addr::LOCALHOST, 8025).into(),
        }
    }
}
