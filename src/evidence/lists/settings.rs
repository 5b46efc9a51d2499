//! `[[dns_list]]`: DNS block lists, and what their answers mean.
//!
//! Plain data. Knows nothing of how they are asked.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a list is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    /// Addresses of clients.
    #[default]
    Addresses,
    /// Domains that stand in a message or its envelope.
    Domains,
}

/// Where a domain stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The author's address.
    Author,
    /// The reverse-path.
    Envelope,
    /// What the client calls itself.
    Helo,
    /// Where a link leads.
    Link,
}

impl Origin {
    /// Each, in the order in which names are asked about.
    pub const ALL: [Self; 4] = [Self::Author, Self::Envelope, Self::Helo, Self::Link];

    /// The word in settings and rules.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Author => "author",
            Self::Envelope => "envelope",
            Self::Helo => "helo",
            Self::Link => "link",
        }
    }
}

/// `[[dns_list]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ListSettings {
    /// As rules and metrics call it.
    pub name: String,
    /// Under which its entries stand.
    pub zone: String,
    /// What it is about.
    pub of: Subject,
    /// Of a list of domains: which of a message's are asked about.
    pub origins: Vec<Origin>,
    /// What its answers mean: an address, a first and a last one, or a bit such as `127.0.0.&8`, and a word.
    pub answers: BTreeMap<String, String>,
}

impl Default for ListSettings {
    fn default() -> Self {
        Self {
            name: String::new(),
            zone: String::new(),
            of: Subject::Addresses,
            origins: Origin::ALL.to_vec(),
            answers: BTreeMap::new(),
        }
    }
}
