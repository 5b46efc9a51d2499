//! SPF records: text in, terms out (RFC 7208 §4.6 and §12).
//!
//! An error anywhere in a record makes all of it void, as the standard has it. Knows nothing of DNS and of
//! whether a term matches.

use super::macros::{DomainSpec, is_macro_string};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What a directive that matches makes of the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Qualifier {
    Pass,
    Fail,
    SoftFail,
    Neutral,
}

/// A directive: what is to match, and what follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Directive {
    pub(super) qualifier: Qualifier,
    pub(super) mechanism: Mechanism,
}

/// How many leading bits of an address count, by its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Prefix {
    v4: u8,
    v6: u8,
}

/// What may match. Without a domain of its own a mechanism is about the domain of the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mechanism {
    All,
    Include(DomainSpec),
    A(Option<DomainSpec>, Prefix),
    Mx(Option<DomainSpec>, Prefix),
    Ptr(Option<DomainSpec>),
    Network(IpAddr, Prefix),
    Exists(DomainSpec),
}

/// A whole record. `exp` is read for its errors only: what it leads to is the sender's own text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) directives: Vec<Directive>,
    pub(super) redirect: Option<DomainSpec>,
}

impl Prefix {
    const WHOLE: Self = Self { v4: 32, v6: 128 };

    /// Whether two addresses of one kind agree in the bits that count.
    pub(super) fn joins(self, one: IpAddr, other: IpAddr) -> bool {
        let differ = |bits: u128, width: u8, length: u8| {
            bits.checked_shr(u32::from(width.saturating_sub(length))).unwrap_or(0) != 0
        };
        match (one, other) {
            (IpAddr::V4(one), IpAddr::V4(other)) => !differ(u128::from(one.to_bits() ^ other.to_bits()), 32, self.v4),
            (IpAddr::V6(one), IpAddr::V6(other)) => !differ(one.to_bits() ^ other.to_bits(), 128, self.v6),
            _ => false,
        }
    }
}

/// Whether a text record says that it is one of SPF's (§4.5).
pub(super) fn is_spf(text: &[u8]) -> bool {
    let Some((version, rest)) = text.split_at_checked(6) else {
        return false;
    };
    version.eq_ignore_ascii_case(b"v=spf1") && matches!(rest.first(), None | Some(b' '))
}

impl Record {
    /// Reads a record of which [`is_spf`] holds; `None` when there is an error in it.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok().filter(|text| text.is_ascii())?;
        let mut record = Self {
            directives: Vec::new(),
            redirect: None,
        };
        let mut explains = false;
        for term in text.split(' ').skip(1).filter(|term| !term.is_empty()) {
            let Some((name, value)) = modifier(term) else {
                record.directives.push(directive(term)?);
                continue;
            };
            if name.eq_ignore_ascii_case("redirect") {
                let target = DomainSpec::parse(value)?;
                if record.redirect.replace(target).is_some() {
                    return None;
                }
            } else if name.eq_ignore_ascii_case("exp") {
                DomainSpec::parse(value)?;
                if std::mem::replace(&mut explains, true) {
                    return None;
                }
            } else if !is_macro_string(value) {
                return None;
            }
        }
        Some(record)
    }
}

/// `name=value`. A `:` or `/` before the `=` makes it part of a mechanism's argument.
fn modifier(term: &str) -> Option<(&str, &str)> {
    let (name, value) = term.split_once('=')?;
    let mut letters = name.chars();
    let is_name = letters.next()?.is_ascii_alphabetic()
        && letters.all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    is_name.then_some((name, value))
}

fn directive(term: &str) -> Option<Directive> {
    let (qualifier, rest) = match term.as_bytes().first()? {
        b'+' => (Qualifier::Pass, term.get(1..)?),
        b'-' => (Qualifier::Fail, term.get(1..)?),
        b'~' => (Qualifier::SoftFail, term.get(1..)?),
        b'?' => (Qualifier::Neutral, term.get(1..)?),
        _ => (Qualifier::Pass, term),
    };
    let end = rest.find([':', '/']).unwrap_or(rest.len());
    let (name, argument) = rest.split_at_checked(end)?;
    let name = name.to_ascii_lowercase();
    let mechanism = match name.as_str() {
        "all" if argument.is_empty() => Mechanism::All,
        "include" => Mechanism::Include(DomainSpec::parse(argument.strip_prefix(':')?)?),
        "exists" => Mechanism::Exists(DomainSpec::parse(argument.strip_prefix(':')?)?),
        "ptr" => Mechanism::Ptr(optional_domain(argument)?),
        "a" | "mx" => {
            let (domain, prefix) = dual_prefix(argument)?;
            let domain = optional_domain(domain)?;
            match name.as_str() {
                "a" => Mechanism::A(domain, prefix),
                _ => Mechanism::Mx(domain, prefix),
            }
        }
        "ip4" => network(argument.strip_prefix(':')?, |text| {
            text.parse::<Ipv4Addr>().ok().map(IpAddr::V4)
        })?,
        "ip6" => network(argument.strip_prefix(':')?, |text| {
            text.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
        })?,
        _ => return None,
    };
    Some(Directive { qualifier, mechanism })
}

/// `:domain`, or nothing.
fn optional_domain(argument: &str) -> Option<Option<DomainSpec>> {
    if argument.is_empty() {
        return Some(None);
    }
    DomainSpec::parse(argument.strip_prefix(':')?).map(Some)
}

/// Parts an argument from `/24`, `//64` or `/24//64` at its end. A slash may stand within a name too, so that a length is
/// digits alone.
fn dual_prefix(argument: &str) -> Option<(&str, Prefix)> {
    let is_length = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mut prefix = Prefix::WHOLE;
    let mut rest = argument;
    if let Some((before, length)) = rest.rsplit_once("//").filter(|(_, after)| is_length(after)) {
        prefix.v6 = length_up_to(length, 128)?;
        rest = before;
    }
    if let Some((before, length)) = rest.rsplit_once('/').filter(|(_, after)| is_length(after)) {
        prefix.v4 = length_up_to(length, 32)?;
        rest = before;
    }
    Some((rest, prefix))
}

fn network(argument: &str, address: impl Fn(&str) -> Option<IpAddr>) -> Option<Mechanism> {
    let (text, length) = match argument.split_once('/') {
        Some((text, length)) => (text, Some(length)),
        None => (argument, None),
    };
    let address = address(text)?;
    let mut prefix = Prefix::WHOLE;
    match (address, length) {
        (_, None) => {}
        (IpAddr::V4(_), Some(length)) => prefix.v4 = length_up_to(length, 32)?,
        (IpAddr::V6(_), Some(length)) => prefix.v6 = length_up_to(length, 128)?,
    }
    Some(Mechanism::Network(address, prefix))
}

/// Digits without a leading zero.
fn length_up_to(text: &str, most: u8) -> Option<u8> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|length| is_plain && *length <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_records_of_this_version_are_spfs() {
        for (text, is) in [
            ("v=spf1", true),
            ("v=spf1 -all", true),
            ("V=SPF1 -all", true),
            ("v=spf10 -all", false),
            ("v=spf1\t-all", false),
            (" v=spf1 -all", false),
            ("v=spf", false),
            ("", false),
        ] {
            assert_eq!(is_spf(text.as_bytes()), is, "{text:?}");
        }
    }

    #[test]
    fn well_formed_terms_are_read() {
        for terms in [
            "",
            "-all",
            "  ~ALL   ",
            "a mx ptr",
            "a:b.example/24//64 mx//64 a/0//0",
            "ip4:192.0.2.0/24 ip4:192.0.2.1 ip6:2001:db8::/32 ip6:::1 IP6:::ffff:192.0.2.1/128",
            "include:_spf.b.example exists:%{ir}.%{v}._spf.%{d2}",
            "exists:%{l/}.b.example",
            "a:%{d/}",
            "a:b.example.",
            "a:b-c.example-1",
            "a:b:c/d.example/24",
            "redirect=b.example",
            "redirect=%{d}",
            "exp=why.%{d} moo.cow-far_out=man:dog/cat default=pass",
            "ptr:b.example ?ptr",
            "include:b=c.example",
        ] {
            assert!(Record::parse(format!("v=spf1 {terms}").as_bytes()).is_some(), "{terms}");
        }
    }

    #[test]
    fn one_error_voids_the_whole() {
        for term in [
            "all:",
            "all/8",
            "-all.",
            "foo",
            "foo:b.example",
            "++all",
            "-",
            "a:",
            "mx:",
            "ptr:",
            "include",
            "include:",
            "include:b",
            "exists",
            "exists:b.example/24",
            "ip4",
            "ip4:",
            "ip4:192.0.2",
            "ip4:192.0.2.1/33",
            "ip4:192.0.2.1/08",
            "ip4:192.0.2.1/",
            "ip4:192.0.2.1//32",
            "ip6:2001:db8::1/129",
            "ip6:192.0.2.1",
            "a/33",
            "a//129",
            "a/",
            "a//",
            "a/24/64",
            "a:b.example/-1",
            "a:example",
            "a:b.123",
            "a:b.example:8080",
            "a:%",
            "a:%{",
            "a:%{x}.example",
            "a:%{d0}",
            "a:%{c}.b.example",
            "a:%{d}b",
            "redirect=",
            "redirect=b",
            "redirect=b.example redirect=b.example",
            "exp=b.example exp=b.example",
            "exp=",
            "moo=%",
            "=b",
            "1a=b",
            "a\u{e9}",
        ] {
            let record = format!("v=spf1 {term} -all");
            assert_eq!(Record::parse(record.as_bytes()), None, "{term}");
        }
    }

    #[test]
    fn a_prefix_joins_what_agrees_in_its_bits() {
        for (length, one, other, joins) in [
            ("/24", "192.0.2.1", "192.0.2.255", true),
            ("/25", "192.0.2.1", "192.0.2.255", false),
            ("/0", "192.0.2.1", "203.0.113.1", true),
            ("", "192.0.2.1", "192.0.2.0", false),
            ("//32", "2001:db8::1", "2001:db8:ffff::", true),
            ("//0", "2001:db8::1", "fe80::1", true),
            ("", "2001:db8::1", "2001:db8::1", true),
            ("/0//0", "192.0.2.1", "::ffff:192.0.2.1", false),
        ] {
            let (_, prefix) = dual_prefix(length).unwrap();
            assert_eq!(
                prefix.joins(one.parse().unwrap(), other.parse().unwrap()),
                joins,
                "{length} {one} {other}"
            );
        }
    }
}
