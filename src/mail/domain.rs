//! A host or domain name in its comparable form: lower-case A-labels, no trailing dot.
//!
//! Registrable domains ("sites") follow the public suffix list with private suffixes counted as
//! public, so that `a.github.io` and `b.github.io` are two sites. Does no lookups.

use std::fmt;

/// A domain name, lower case, A-labels (RFC 5890), without a trailing dot; or an IP address
/// standing where a domain stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Domain(Box<str>);

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
        let fine = !lower.is_empty()
            && !lower.split('.').any(|label| label.is_empty() || label.len() > 63)
            && lower
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b':'));
        fine.then(|| Self(lower.into()))
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is `other` or stands below it.
    pub fn is_within(&self, other: &str) -> bool {
        self.0
            .strip_suffix(other)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
