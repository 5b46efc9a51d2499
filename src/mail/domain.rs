//! A host or domain name in its comparable form: lower-case A-labels, no trailing dot.
//!
//! Registrable domains ("sites") follow the public suffix list with private suffixes counted as
//! public, so that `a.github.io` and `b.github.io` are two sites. Does no lookups.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::OnceLock;

/// A domain name, lower case, A-labels (RFC 5890), without a trailing dot; or an IP address
/// standing where a domain stands.
#[derive(Debug, Clone)]
pub struct Domain {
    name: Box<str>,
    /// Where the site begins, once somebody asked: rules ask it of every link, many times.
    site: OnceLock<Option<usize>>,
}

impl Domain {
    /// Reads a name; `None` when it can't be one.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_suffix('.').unwrap_or(text);
        if text.is_empty() || text.len() > 255 || text.starts_with('[') {
            return None;
        }
        let lower = if text.is_ascii() {
            text.to_ascii_lowercase()
        } else {
            idna::domain_to_ascii(text).ok()?
        };
        is_name(lower.as_bytes()).then(|| Self::named(lower.into()))
    }

    /// An IP address in its usual notation, IPv6 without brackets.
    pub fn from_ip(address: IpAddr) -> Self {
        Self::named(address.to_string().into())
    }

    fn named(name: Box<str>) -> Self {
        Self {
            name,
            site: OnceLock::new(),
        }
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// The whole name, under the word that rules use.
    pub fn host(&self) -> &str {
        &self.name
    }

    /// Whether an IP address stands here.
    pub fn is_ip(&self) -> bool {
        self.name.parse::<IpAddr>().is_ok()
    }

    /// The registrable domain: one label below the public suffix, private suffixes counted as
    /// public. `None` for a public suffix itself, a single label and an IP address.
    pub fn site(&self) -> Option<&str> {
        let begins = self.site.get_or_init(|| {
            let site = if self.is_ip() {
                None
            } else {
                psl::domain_str(&self.name)
            };
            site.map(|site| self.name.len() - site.len())
        });
        begins.and_then(|begins| self.name.get(begins..))
    }

    /// The public suffix: `co.uk`, `com`, `github.io`; `None` for an IP address.
    pub fn tld(&self) -> Option<&str> {
        if self.is_ip() {
            None
        } else {
            psl::suffix_str(&self.name)
        }
    }

    /// The label of the site that its owner chose: `example` of `www.example.co.uk`.
    pub fn label(&self) -> Option<&str> {
        self.site()?.split('.').next()
    }

    /// What stands before the site: `www` of `www.example.co.uk`; empty without it.
    pub fn subdomain(&self) -> &str {
        let Some(site) = self.site() else { return "" };
        let before = self.name.strip_suffix(site).unwrap_or("");
        before.strip_suffix('.').unwrap_or(before)
    }

    /// Whether the public suffix list knows its suffix, so that the name can exist on the Internet.
    pub fn has_known_suffix(&self) -> bool {
        !self.is_ip() && psl::suffix(self.name.as_bytes()).is_some_and(|suffix| suffix.is_known())
    }

    /// Whether a label is an A-label, so that people see another spelling.
    pub fn is_punycode(&self) -> bool {
        self.name.split('.').any(|label| label.starts_with("xn--"))
    }

    /// The spelling that people see: U-labels where there are A-labels.
    pub fn unicode(&self) -> String {
        if !self.is_punycode() {
            return self.name.to_string();
        }
        // What can't be decoded is given back as it stands, which is also what browsers show.
        idna::domain_to_unicode(&self.name).0
    }

    /// Whether this is `other` or stands below it.
    pub fn is_within(&self, other: &str) -> bool {
        self.name
            .strip_suffix(other)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }
}

/// Whether labels of 1 to 63 of the bytes that names have are parted by dots. A colon stands in the
/// addresses that stand where a domain stands.
fn is_name(name: &[u8]) -> bool {
    let mut label = 0;
    for byte in name {
        match byte {
            b'.' if label == 0 => return false,
            b'.' => label = 0,
            b'-' | b'_' | b':' | b'0'..=b'9' | b'a'..=b'z' if label < 63 => label += 1,
            _ => return false,
        }
    }
    label > 0
}

impl PartialEq for Domain {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Domain {}

impl Hash for Domain {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl PartialOrd for Domain {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Domain {
    fn cmp(&self, other: &Self) -> Ordering {
        self.name.cmp(&other.name)
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_in_one_form() {
        for (text, expected) in [
            ("Example.ORG.", Some("example.org")),
            ("b\u{fc}cher.example", Some("xn--bcher-kva.example")),
            ("a_b.example", Some("a_b.example")),
            ("", None),
            (".", None),
            ("a..b", None),
            ("a b", None),
            ("[192.0.2.1]", None),
        ] {
            assert_eq!(Domain::parse(text).as_ref().map(Domain::as_str), expected, "{text}");
        }
        assert!(Domain::parse(&"a".repeat(63)).is_some());
        assert!(Domain::parse(&"a".repeat(64)).is_none());
    }

    #[test]
    fn sites_follow_the_public_suffix_list() {
        for (text, site, tld, label, subdomain) in [
            (
                "www.example.co.uk",
                Some("example.co.uk"),
                Some("co.uk"),
                Some("example"),
                "www",
            ),
            (
                "a.b.example.com",
                Some("example.com"),
                Some("com"),
                Some("example"),
                "a.b",
            ),
            (
                "evil.github.io",
                Some("evil.github.io"),
                Some("github.io"),
                Some("evil"),
                "",
            ),
            ("co.uk", None, Some("co.uk"), None, ""),
            ("192.0.2.1", None, None, None, ""),
            ("2001:db8::1", None, None, None, ""),
            ("localhost", None, Some("localhost"), None, ""),
        ] {
            let domain = Domain::parse(text).unwrap();
            let found = (domain.site(), domain.tld(), domain.label(), domain.subdomain());
            assert_eq!(found, (site, tld, label, subdomain), "{text}");
        }
    }

    #[test]
    fn punycode_is_told_and_undone() {
        let domain = Domain::parse("xn--bcher-kva.example").unwrap();
        assert!(domain.is_punycode());
        assert_eq!(domain.unicode(), "b\u{fc}cher.example");
        assert!(!Domain::parse("example.org").unwrap().is_punycode());
        assert!(Domain::parse("a.example.org").unwrap().is_within("example.org"));
        assert!(!Domain::parse("anexample.org").unwrap().is_within("example.org"));
    }
}
