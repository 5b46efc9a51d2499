//! The relay guard: whose mail an inbound listener takes at all.
//!
//! Upstream usually trusts our address, so its own answer to RCPT proves nothing: the guard stands
//! before it. Pure. Knows nothing of whether a mailbox exists.

use crate::mail::{Address, Domain};
use serde::{Deserialize, Serialize};

/// `[relay]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RelaySettings {
    /// Domains that inbound listeners accept: `example.gov.uk`, or `*.example.gov.uk` for all below
    /// it. Empty means any, which is allowed only where every inbound listener is on loopback.
    pub domains: Vec<String>,
}

/// The guard, built from settings.
#[derive(Debug, Clone, Default)]
pub struct RelayGuard {
    exact: Vec<String>,
    below: Vec<String>,
    any: bool,
}

impl RelayGuard {
    /// Builds the guard.
    pub fn new(settings: &RelaySettings) -> Self {
        let lower = |text: &str| text.trim_end_matches('.').to_lowercase();
        let ascii = |text: &str| idna::domain_to_ascii(&lower(text)).unwrap_or_else(|_| lower(text));
        let (below, exact): (Vec<&String>, Vec<&String>) =
            settings.domains.iter().partition(|domain| domain.starts_with("*."));
        Self {
            exact: exact.into_iter().map(|domain| ascii(domain)).collect(),
            below: below
                .into_iter()
                .map(|domain| ascii(domain.trim_start_matches("*.")))
                .collect(),
            any: settings.domains.is_empty(),
        }
    }

    /// Whether a domain that we take mail for is this one, stands below it or above it. Without a list
    /// nothing is known to be ours.
    pub fn concerns(&self, domain: &Domain) -> bool {
        let mut ours = self.exact.iter().chain(&self.below);
        ours.any(|own| domain.is_within(own) || Domain::parse(own).is_some_and(|own| own.is_within(domain.as_str())))
    }

    /// Whether mail for this mailbox is ours to take.
    ///
    /// A local part that carries another address (`a%b@`, `b!a@`, `"a@b"@`) asks upstream to relay
    /// in our name, whatever its domain says: refused. `postmaster` alone is always ours (RFC 5321 §4.5.1).
    pub fn allows(&self, recipient: &Address) -> bool {
        if self.any {
            return true;
        }
        let Some(text) = recipient.domain_text() else {
            return recipient.as_str().eq_ignore_ascii_case("postmaster");
        };
        // Domain literals and what can't be a name are nobody's domain here.
        let Some(domain) = recipient.domain() else { return false };
        let named = self.exact.iter().any(|own| own == domain.as_str());
        let below = self
            .below
            .iter()
            .any(|own| own != domain.as_str() && domain.is_within(own));
        (named || below) && !text.is_empty() && !recipient.local_part().contains(['%', '!', '@', ':'])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(domains: &[&str]) -> RelayGuard {
        RelayGuard::new(&RelaySettings {
            domains: domains.iter().map(|&domain| domain.into()).collect(),
        })
    }

    fn allows(guard: &RelayGuard, text: &str) -> bool {
        guard.allows(&Address::from_checked(text))
    }

    #[test]
    fn takes_its_own_domains_and_no_other() {
        let guard = guard(&["example.gov.uk", "*.schools.example", "bücher.example"]);
        for own in [
            "a@example.gov.uk",
            "A@EXAMPLE.GOV.UK",
            "postmaster",
            "Postmaster",
            "\"o'neill \\\" x\"@example.gov.uk",
            "a@x.schools.example",
            "a@y.x.schools.example",
            "a@xn--bcher-kva.example",
            "a@BÜCHER.example",
        ] {
            assert!(allows(&guard, own), "{own}");
        }
        for foreign in [
            "a@example.org",
            "a@sub.example.gov.uk",
            "a@schools.example",
            "a@notexample.gov.uk",
            "a@example.gov.uk.evil.test",
            "a@[192.0.2.1]",
            "a@[IPv6:2001:db8::1]",
            "a%example.org@example.gov.uk",
            "example.org!a@example.gov.uk",
            "\"a@example.org\"@example.gov.uk",
            "\"a%example.org\"@example.gov.uk",
            "a@example.org@example.gov.uk",
            "root",
            "",
            "@",
            "a@",
        ] {
            assert!(!allows(&guard, foreign), "{foreign}");
        }
    }

    #[test]
    fn what_concerns_us_is_ours_or_above_or_below() {
        let ours = guard(&["example.gov.uk", "*.schools.example"]);
        for (domain, concerns) in [
            ("example.gov.uk", true),
            ("mail.example.gov.uk", true),
            ("gov.uk", true),
            ("x.schools.example", true),
            ("notexample.gov.uk", false),
            ("example.org", false),
        ] {
            let domain = Domain::parse(domain).unwrap();
            assert_eq!(ours.concerns(&domain), concerns, "{domain}");
            assert!(!guard(&[]).concerns(&domain), "{domain}");
        }
    }

    #[test]
    fn an_empty_list_is_for_loopback_alone_and_takes_any() {
        assert!(allows(&guard(&[]), "a@example.org"));
    }
}
