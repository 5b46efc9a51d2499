//! Who vouches for a message: SPF, DKIM, DMARC and ARC.
//!
//! [`Questions`] tells from envelope and header what DNS has to be asked, [`Said`] holds the answers, and
//! [`Said::conclude`] makes facts of both: only asking waits, the rest is pure. What could not be checked is unknown
//! with its cause; a broken record is a result like any other. Knows nothing of rules and policy.

mod arc;
mod conclusion;
mod dkim;
mod dmarc;
mod forwarded;
mod questions;
mod signature;
mod spf;

pub use dmarc::Wish;
pub(super) use questions::{Questions, Said};

use super::Fact;

/// Authentication results, each an RFC 8601 word. `temperror` is none of them: what could not be checked is unknown.
#[derive(Debug, Clone)]
pub struct Auth {
    /// `pass`, `fail`, `softfail`, `neutral`, `none`, `permerror`.
    pub spf: Fact<String>,
    /// The best result of any signature.
    pub dkim: Fact<String>,
    /// Domains of passing signatures.
    pub dkim_domains: Fact<Vec<String>>,
    /// The DMARC result: of several authors the worst.
    pub dmarc: Fact<String>,
    /// The policy that the author's domain publishes.
    pub dmarc_policy: Fact<String>,
    /// Whether the domain only tries its policy out.
    pub dmarc_testing: Fact<bool>,
    /// Whether SPF or DKIM aligns with the author's domain.
    pub aligned: Fact<bool>,
    /// The ARC chain.
    pub arc: Fact<String>,
    /// Who sealed it, the newest first.
    pub arc_sealers: Fact<Vec<String>>,
    /// Whether a trusted sealer says that the message passed DMARC when it got there.
    pub arc_vouched: Fact<bool>,
}

impl Auth {
    /// Nothing of it is known, for this reason.
    pub fn unknown(cause: &'static str) -> Self {
        Self::each(Fact::Unknown(cause), Fact::Unknown(cause), Fact::Unknown(cause))
    }

    /// Nobody was to look.
    pub fn absent() -> Self {
        Self::each(Fact::Absent, Fact::Absent, Fact::Absent)
    }

    /// A stranger's: nobody vouches and nobody says that anybody should.
    pub fn stranger() -> Self {
        Self::each(
            Fact::Known("none".to_owned()),
            Fact::Known(Vec::new()),
            Fact::Known(false),
        )
    }

    fn each(word: Fact<String>, names: Fact<Vec<String>>, truth: Fact<bool>) -> Self {
        Self {
            spf: word.clone(),
            dkim: word.clone(),
            dkim_domains: names.clone(),
            dmarc: word.clone(),
            dmarc_policy: word.clone(),
            dmarc_testing: truth.clone(),
            aligned: truth.clone(),
            arc: word,
            arc_sealers: names,
            arc_vouched: truth,
        }
    }
}

/// One result as Authentication-Results tells it (RFC 8601 §2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MethodResult {
    /// `spf`, `dkim`, `dmarc`, `arc`, `iprev`.
    pub method: &'static str,
    /// The word.
    pub result: &'static str,
    /// Why, in words; empty when there is nothing to add.
    pub reason: &'static str,
    /// What it is about: property and value, which may be an attacker's.
    pub properties: Vec<(&'static str, String)>,
}

/// A message that fails the policy of its author's domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DmarcFailure {
    /// The author's domain.
    pub domain: String,
    /// What it wants done, after what it says of tests.
    pub wish: Wish,
}

#[cfg(test)]
pub(crate) mod tests;
