//! `[authentication]`: what is checked of senders, and whom to believe about mail that went through others.
//!
//! Plain data with the shipped defaults. Knows nothing of how anything is checked.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// How much is checked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Checks {
    /// Nothing is looked up about any sender.
    Off,
    /// What some rule or policy asks for.
    #[default]
    Needed,
    /// SPF, DKIM, DMARC and ARC of every message, so that Authentication-Results tells all of them.
    All,
}

/// `[authentication]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How much is checked.
    pub checks: Checks,
    /// Domains (and those below) whose ARC seals are believed about what they found.
    pub trusted_sealers: Vec<String>,
    /// Our own seal.
    pub seal: SealSettings,
}

/// `[authentication.seal]`: nothing is sealed while it is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SealSettings {
    /// Who we are.
    pub domain: String,
    /// Under which the public key stands in DNS.
    pub selector: String,
    /// The private key's PEM file.
    pub key: PathBuf,
}

impl SealSettings {
    /// Whether mail is to be sealed.
    pub fn is_on(&self) -> bool {
        *self != Self::default()
    }
}
