//! An envelope mailbox, kept byte for byte as it came between the angle brackets.
//!
//! Quoted local parts stay quoted, case stays as it was, `postmaster` needs no domain
//! (RFC 5321 §4.1.1.3), and source routes are refused rather than dropped. Knows nothing of
//! header addresses, whose syntax differs.

use super::Domain;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A mailbox of MAIL or RCPT.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Address(String);

impl Address {
    /// Takes a mailbox that [`crate::smtp::command`] has checked against the grammar, or one that
    /// the store kept.
    pub fn from_checked(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The mailbox as it came.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the last `@` outside quotes, as it came.
    pub fn local_part(&self) -> &str {
        self.split().0
    }

    /// What stands after it, as it came: a domain or an address literal; `None` for `postmaster`.
    pub fn domain_text(&self) -> Option<&str> {
        self.split().1
    }

    /// The domain in its comparable form; `None` without one, and for an address literal.
    pub fn domain(&self) -> Option<Domain> {
        self.domain_text().and_then(Domain::parse)
    }

    fn split(&self) -> (&str, Option<&str>) {
        // A domain holds neither quote nor `@`, so the last `@` after the last quote divides.
        let from = self.0.rfind('"').unwrap_or(0);
        match self.0.get(from..).and_then(|tail| tail.rfind('@')) {
            Some(at) => (self.0.get(..from + at).unwrap_or(""), self.0.get(from + at + 1..)),
            None => (&self.0, None),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_at_the_last_at_outside_quotes() {
        for (text, local, domain) in [
            ("a@example.org", "a", Some("example.org")),
            ("postmaster", "postmaster", None),
            ("\"a@b\"@example.org", "\"a@b\"", Some("example.org")),
            ("a@[192.0.2.1]", "a", Some("[192.0.2.1]")),
        ] {
            let address = Address::from_checked(text);
            assert_eq!((address.local_part(), address.domain_text()), (local, domain));
        }
    }
}
