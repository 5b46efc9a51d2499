//! Paths and mailboxes of MAIL and RCPT (RFC 5321 §4.1.2), checked and kept byte for byte.
//!
//! Takes text free of control characters. Lenient in two places where real addresses are: dots may
//! stand anywhere in an unquoted local part, and a local part may fill the path (§4.5.3.1.1 says 64
//! octets, which some bounce addresses exceed). Knows nothing of which domains are ours.

use super::refusal::{Refusal, Side};
use crate::mail::Address;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Longest path in octets, angle brackets included (RFC 5321 §4.5.3.1.3).
pub const PATH_MAX: usize = 256;

/// A path as written, without its brackets, and what follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split<'a> {
    /// Between the angle brackets.
    pub inside: &'a str,
    /// After the closing bracket: empty, or parameters with the space before them.
    pub after: &'a str,
}

/// Cuts `text`, which begins with a path, after the bracket that closes it: one in quotes does not.
///
/// # Errors
/// [`Refusal::PathSyntax`] without brackets, [`Refusal::PathTooLong`].
pub fn split(text: &str, side: Side) -> Result<Split<'_>, Refusal> {
    let syntax = Refusal::PathSyntax(side);
    let opened = text.strip_prefix('<').ok_or(syntax)?;
    let end = closing(opened).ok_or(syntax)?;
    if end + "<>".len() > PATH_MAX {
        return Err(Refusal::PathTooLong(side));
    }
    let (inside, rest) = opened.split_at_checked(end).ok_or(syntax)?;
    let after = rest.strip_prefix('>').ok_or(syntax)?;
    if !after.is_empty() && !after.starts_with(' ') {
        return Err(syntax);
    }
    Ok(Split { inside, after })
}

/// Reads MAIL's reverse-path: `None` for `<>`.
///
/// # Errors
/// What is wrong with it.
pub fn reverse_path(inside: &str, utf8: bool) -> Result<Option<Address>, Refusal> {
    if inside.is_empty() {
        return Ok(None);
    }
    mailbox(inside, Side::Sender, utf8).map(Some)
}

/// Reads RCPT's forward-path. `postmaster`, in any case, needs no domain (RFC 5321 §4.1.1.3).
///
/// # Errors
/// What is wrong with it; an empty path among that.
pub fn forward_path(inside: &str, utf8: bool) -> Result<Address, Refusal> {
    if inside.eq_ignore_ascii_case("postmaster") {
        return Ok(Address::from_checked(inside));
    }
    mailbox(inside, Side::Recipient, utf8)
}

/// Where the bracket that closes the path stands.
fn closing(text: &str) -> Option<usize> {
    let mut quoted = false;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'>' if !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

fn mailbox(text: &str, side: Side, utf8: bool) -> Result<Address, Refusal> {
    let syntax = Refusal::PathSyntax(side);
    if text.starts_with('@') {
        return Err(Refusal::SourceRoute(side));
    }
    if !utf8 && !text.is_ascii() {
        return Err(Refusal::NotAscii(side));
    }
    let local_end = local_part(text).ok_or(syntax)?;
    let (_, rest) = text.split_at_checked(local_end).ok_or(syntax)?;
    if rest.is_empty() {
        return Err(Refusal::DomainMissing(side));
    }
    let domain = rest.strip_prefix('@').ok_or(syntax)?;
    let literal = domain.strip_prefix('[').and_then(|inside| inside.strip_suffix(']'));
    if !literal.map_or_else(|| is_domain(domain), is_address_literal) {
        return Err(syntax);
    }
    Ok(Address::from_checked(text))
}

/// The length of the local part that `text` begins with: a quoted string, or atoms and dots.
fn local_part(text: &str) -> Option<usize> {
    if let Some(inside) = text.strip_prefix('"') {
        return quoted_string(inside).map(|length| length + 1);
    }
    let length = text.find(|c: char| !is_atom_text(c) && c != '.').unwrap_or(text.len());
    (length > 0).then_some(length)
}

/// The length of what stands up to and with the closing quote.
fn quoted_string(inside: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in inside.bytes().enumerate() {
        match byte {
            _ if escaped => {
                // quoted-pairSMTP escapes printable ASCII only (RFC 5321 §4.1.2).
                if !(b' '..=b'~').contains(&byte) {
                    return None;
                }
                escaped = false;
            }
            b'\\' => escaped = true,
            b'"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// RFC 5322 §3.2.3 atext, with RFC 6531 §3.3's UTF8-non-ascii; controls were refused before.
fn is_atom_text(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || (!c.is_ascii() && !c.is_whitespace())
}

/// Labels of letters, digits and inner hyphens. An underscore passes: real hosts have them.
fn is_domain(text: &str) -> bool {
    text.split('.').all(|label| {
        label.len() <= 63
            && !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_') || (!c.is_ascii() && !c.is_whitespace()))
    })
}

/// RFC 5321 §4.1.3, without the general form, of which no tag was ever registered.
fn is_address_literal(inside: &str) -> bool {
    let version6 = inside
        .split_at_checked("IPv6:".len())
        .filter(|(tag, _)| tag.eq_ignore_ascii_case("IPv6:"));
    match version6 {
        Some((_, address)) => address.parse::<Ipv6Addr>().is_ok(),
        None => inside.parse::<Ipv4Addr>().is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mailboxes_are_kept_as_they_came() {
        for text in [
            "a@example.org",
            "MiXed@Example.ORG",
            "\"a b\"@example.org",
            "\"a@b>c\"@example.org",
            "\"a\\\"b\\\\\"@example.org",
            "\"\"@example.org",
            "user%other@example.org",
            "host!user@example.org",
            "a..b.@example.org",
            "bounce+a=b.example@lists.example.org",
            "a@[192.0.2.1]",
            "a@[IPv6:2001:db8::1]",
            "a@[ipv6:::1]",
            "a@under_score.example",
            "a@localhost",
        ] {
            assert_eq!(forward_path(text, false).unwrap().as_str(), text);
            assert_eq!(reverse_path(text, false).unwrap().unwrap().as_str(), text);
        }
    }

    #[test]
    fn what_is_no_mailbox_is_refused() {
        let syntax = Refusal::PathSyntax(Side::Recipient);
        for (text, refusal) in [
            ("", syntax),
            ("@example.org", Refusal::SourceRoute(Side::Recipient)),
            ("@a,@b:c@example.org", Refusal::SourceRoute(Side::Recipient)),
            ("user", Refusal::DomainMissing(Side::Recipient)),
            ("user@", syntax),
            ("a b@example.org", syntax),
            ("a@b@example.org", syntax),
            ("a@example.org.", syntax),
            ("a@.example.org", syntax),
            ("a@-example.org", syntax),
            ("a@example.org-", syntax),
            ("a@exam ple.org", syntax),
            ("\"a\"b@example.org", syntax),
            ("\"a@example.org", syntax),
            ("a@[192.0.2]", syntax),
            ("a@[192.0.2.1", syntax),
            ("a@[IPv6:g::1]", syntax),
            ("a@[x-tag:1]", syntax),
            ("a(comment)@example.org", syntax),
            ("a<b@example.org", syntax),
            ("é@example.org", Refusal::NotAscii(Side::Recipient)),
            ("a@é.example", Refusal::NotAscii(Side::Recipient)),
        ] {
            assert_eq!(forward_path(text, false), Err(refusal), "{text}");
        }
        assert_eq!(
            forward_path(&format!("a@{}.example", "x".repeat(64)), false),
            Err(syntax)
        );
        assert!(forward_path(&format!("a@{}.example", "x".repeat(63)), false).is_ok());
    }

    #[test]
    fn only_the_recipient_may_be_a_bare_postmaster() {
        assert_eq!(forward_path("PostMaster", false).unwrap().as_str(), "PostMaster");
        assert_eq!(
            reverse_path("postmaster", false),
            Err(Refusal::DomainMissing(Side::Sender))
        );
        assert_eq!(reverse_path("", false), Ok(None));
    }

    #[test]
    fn utf8_passes_where_it_was_asked_for() {
        for text in ["用户@例え.example", "\"é à\"@example.org"] {
            assert_eq!(forward_path(text, true).unwrap().as_str(), text);
        }
        assert!(forward_path("a\u{3000}b@example.org", true).is_err());
        assert!(forward_path("\"\\é\"@example.org", true).is_err());
    }

    #[test]
    fn a_path_ends_at_the_bracket_outside_quotes() {
        let found = split("<\"a>\\\"b\"@example.org> SIZE=1", Side::Sender).unwrap();
        assert_eq!((found.inside, found.after), ("\"a>\\\"b\"@example.org", " SIZE=1"));
        for text in ["a@example.org", "<a@example.org", "<a>b", "<\"a>", "", "<a>\u{e9}"] {
            assert_eq!(
                split(text, Side::Sender),
                Err(Refusal::PathSyntax(Side::Sender)),
                "{text}"
            );
        }
    }

    #[test]
    fn a_path_has_256_octets_at_most() {
        let path = |length: usize| format!("<{}@example.org>", "x".repeat(length - "<@example.org>".len()));
        for length in [255, 256] {
            assert!(split(&path(length), Side::Sender).is_ok());
        }
        assert_eq!(split(&path(257), Side::Sender), Err(Refusal::PathTooLong(Side::Sender)));
    }
}
