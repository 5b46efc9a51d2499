//! Names in SPF records, with the macros in them (RFC 7208 §7).
//!
//! Text in, and with what is known of a message a name to look up out. Knows nothing of DNS.

use crate::resolver::{reversed, zone_of};
use std::net::IpAddr;

/// Beyond this a name loses labels at its left (§7.3).
const NAME_MAX: usize = 253;

/// A name with macros, well formed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DomainSpec(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Macro(Macro),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Macro {
    letter: char,
    escaped: bool,
    /// How many of the rightmost parts; 0 is all.
    parts: usize,
    reversed: bool,
    delimiters: String,
}

/// What macros stand for.
#[derive(Debug, Clone)]
pub(super) struct Variables<'v> {
    pub(super) client: IpAddr,
    pub(super) helo: &'v str,
    pub(super) local: &'v str,
    /// Of the sender.
    pub(super) domain: &'v str,
    /// Whose record is being read.
    pub(super) current: &'v str,
    /// The name that leads back to the client; needed where [`DomainSpec::names_client`].
    pub(super) confirmed: &'v str,
}

impl DomainSpec {
    /// Reads a domain-spec (§7.1): it ends in a macro, or in a label that can be a top level's.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let pieces = pieces(text)?;
        let ends_well = match pieces.last()? {
            Piece::Macro(_) => true,
            Piece::Literal(literal) => {
                let literal = literal.strip_suffix('.').unwrap_or(literal);
                let (_, top) = literal.rsplit_once('.')?;
                is_top_label(top)
            }
        };
        ends_well.then_some(Self(pieces))
    }

    /// Whether the client's confirmed name stands in it (`%{p}`).
    pub(super) fn names_client(&self) -> bool {
        let mut macros = self.0.iter();
        macros.any(|piece| matches!(piece, Piece::Macro(Macro { letter: 'p', .. })))
    }

    /// The name, without its final dot and short enough.
    pub(super) fn expand(&self, variables: &Variables<'_>) -> String {
        let mut name = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Literal(literal) => name.push_str(literal),
                Piece::Macro(one) => name.push_str(&one.expand(variables)),
            }
        }
        let mut name = name.strip_suffix('.').unwrap_or(&name);
        while name.len() > NAME_MAX {
            let Some((_, rest)) = name.split_once('.') else { break };
            name = rest;
        }
        name.to_owned()
    }
}

/// Whether this is a macro-string, as the value of a modifier that nobody knows has to be.
pub(super) fn is_macro_string(text: &str) -> bool {
    pieces(text).is_some()
}

/// Neighbouring literals are one piece.
fn pieces(mut text: &str) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    while let Some(percent) = text.find('%') {
        let (before, rest) = text.split_at_checked(percent)?;
        literal.push_str(before);
        match rest.as_bytes().get(1)? {
            b'%' => literal.push('%'),
            b'_' => literal.push(' '),
            b'-' => literal.push_str("%20"),
            b'{' => {
                let (inside, after) = rest.get(2..)?.split_once('}')?;
                if !literal.is_empty() {
                    pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                }
                pieces.push(Piece::Macro(Macro::parse(inside)?));
                text = after;
                continue;
            }
            _ => return None,
        }
        text = rest.get(2..)?;
    }
    literal.push_str(text);
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    let is_visible = |piece: &Piece| match piece {
        Piece::Literal(literal) => literal.bytes().all(|byte| (0x20..0x7f).contains(&byte)),
        Piece::Macro(_) => true,
    };
    pieces.iter().all(is_visible).then_some(pieces)
}

impl Macro {
    /// `d2r-+`: a letter, how many parts, whether turned round, and what parts them. `c`, `r` and `t` may stand in
    /// explanations alone, which nobody reads here.
    fn parse(inside: &str) -> Option<Self> {
        let letter = inside.chars().next()?;
        let rest = inside.get(letter.len_utf8()..)?;
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (digits, rest) = rest.split_at_checked(end)?;
        let parts = match digits {
            "" => 0,
            // More than any name has, if it doesn't fit.
            digits => digits.parse().unwrap_or(usize::MAX),
        };
        let (reversed, delimiters) = match rest.strip_prefix(['r', 'R']) {
            Some(delimiters) => (true, delimiters),
            None => (false, rest),
        };
        let is_sound = "slodipvh".contains(letter.to_ascii_lowercase())
            && (digits.is_empty() || parts > 0)
            && delimiters.chars().all(|c| ".-+,/_=".contains(c));
        is_sound.then(|| Self {
            letter: letter.to_ascii_lowercase(),
            escaped: letter.is_ascii_uppercase(),
            parts,
            reversed,
            delimiters: if delimiters.is_empty() { "." } else { delimiters }.to_owned(),
        })
    }

    fn expand(&self, variables: &Variables<'_>) -> String {
        let value = match self.letter {
            's' => format!("{}@{}", variables.local, variables.domain),
            'l' => variables.local.to_owned(),
            'o' => variables.domain.to_owned(),
            'd' => variables.current.to_owned(),
            'i' => forwards(variables.client),
            'p' => variables.confirmed.to_owned(),
            'v' => zone_of(variables.client).to_owned(),
            _ => variables.helo.to_owned(),
        };
        let mut parts: Vec<&str> = value.split(|c| self.delimiters.contains(c)).collect();
        if self.reversed {
            parts.reverse();
        }
        let from = match self.parts {
            0 => 0,
            count => parts.len().saturating_sub(count),
        };
        let value = parts.get(from..).unwrap_or_default().join(".");
        match self.escaped {
            true => escape(&value),
            false => value,
        }
    }
}

/// An IPv4 address as ever, an IPv6 address by digits with dots between.
fn forwards(client: IpAddr) -> String {
    let backwards = reversed(client);
    let parts: Vec<&str> = backwards.rsplit('.').collect();
    parts.join(".")
}

/// As in URLs: what RFC 3986 doesn't leave alone goes by its number.
fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

/// A label with a letter or an inner hyphen: no number.
fn is_top_label(label: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '-';
    !label.is_empty()
        && label.chars().all(inner)
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.chars().any(|c| c.is_ascii_alphabetic() || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(spec: &str, client: &str) -> String {
        let variables = Variables {
            client: client.parse().unwrap(),
            helo: "helo.example",
            local: "strong-bad",
            domain: "email.example.com",
            current: "email.example.com",
            confirmed: "mx.example.org",
        };
        DomainSpec::parse(spec).unwrap().expand(&variables)
    }

    /// The expansions that RFC 7208 §7.4 tells.
    #[test]
    fn the_standards_own_examples() {
        for (spec, client, expected) in [
            ("%{s}", "192.0.2.3", "strong-bad@email.example.com"),
            ("%{o}", "192.0.2.3", "email.example.com"),
            ("%{d}", "192.0.2.3", "email.example.com"),
            ("%{d4}", "192.0.2.3", "email.example.com"),
            ("%{d3}", "192.0.2.3", "email.example.com"),
            ("%{d2}", "192.0.2.3", "example.com"),
            ("%{d1}", "192.0.2.3", "com"),
            ("%{dr}", "192.0.2.3", "com.example.email"),
            ("%{d2r}", "192.0.2.3", "example.email"),
            ("%{l}", "192.0.2.3", "strong-bad"),
            ("%{l-}", "192.0.2.3", "strong.bad"),
            ("%{lr}", "192.0.2.3", "strong-bad"),
            ("%{lr-}", "192.0.2.3", "bad.strong"),
            ("%{l1r-}", "192.0.2.3", "strong"),
            (
                "%{ir}.%{v}._spf.%{d2}",
                "192.0.2.3",
                "3.2.0.192.in-addr._spf.example.com",
            ),
            ("%{lr-}.lp._spf.%{d2}", "192.0.2.3", "bad.strong.lp._spf.example.com"),
            (
                "%{lr-}.lp.%{ir}.%{v}._spf.%{d2}",
                "192.0.2.3",
                "bad.strong.lp.3.2.0.192.in-addr._spf.example.com",
            ),
            (
                "%{d2}.trusted-domains.example.net",
                "192.0.2.3",
                "example.com.trusted-domains.example.net",
            ),
            (
                "%{ir}.%{v}._spf.%{d2}",
                "2001:db8::cb01",
                "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com",
            ),
        ] {
            assert_eq!(expand(spec, client), expected, "{spec}");
        }
    }

    #[test]
    fn letters_escapes_and_odd_literals() {
        for (spec, expected) in [
            ("%{p}.a.example", "mx.example.org.a.example"),
            ("%{h}", "helo.example"),
            ("%{H}", "helo.example"),
            ("%{S}.a.example", "strong-bad%40email.example.com.a.example"),
            ("%{i}.a.example", "192.0.2.3.a.example"),
            ("%%%_%-.a.example.", "% %20.a.example"),
            ("%{d99999999999999999999999}", "email.example.com"),
            ("%{l1-}.a.example", "bad.a.example"),
            ("%{l1r+-,/_=}.a.example", "strong.a.example"),
        ] {
            assert_eq!(expand(spec, "192.0.2.3"), expected, "{spec}");
        }
    }

    #[test]
    fn a_name_too_long_loses_labels_at_its_left() {
        let label = "x".repeat(60);
        let spec = format!("{label}.{label}.{label}.{label}.ab.example");
        let short = expand(&spec, "192.0.2.3");
        assert_eq!(short, format!("{label}.{label}.{label}.ab.example"));
        let just = format!("{}.{label}.{label}.{label}.ab.example", "y".repeat(59));
        assert_eq!(just.len(), NAME_MAX);
        assert_eq!(expand(&just, "192.0.2.3"), just);
    }
}
