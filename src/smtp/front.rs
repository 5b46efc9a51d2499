//! XCLIENT and XFORWARD: what a front says of its client, read and laid over what the wire shows.
//!
//! A command's arguments enter, [`Attributes`] leave; [`Attributes::over`] makes the client that
//! evidence, log and headers see. Postfix's XCLIENT_README and XFORWARD_README. LOGIN, IDENT, SOURCE
//! and the destination are read and left alone: nothing here confers a right. Knows nothing of whom
//! to believe.

use super::command::HELLO_NAME_MAX;
use super::refusal::Refusal;
use crate::mail::Client;
use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What EHLO offers to a front: XCLIENT with its attributes.
pub const XCLIENT_OFFER: &str = "XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT";
/// The same for XFORWARD.
pub const XFORWARD_OFFER: &str = "XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE";

/// One attribute.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Word<T> {
    /// It was not said.
    #[default]
    Unsaid,
    /// The front says that it does not know.
    Unknown,
    /// It is this.
    Is(T),
}

/// What one command, or several in turn, said of the client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes {
    name: Word<String>,
    address: Word<IpAddr>,
    port: Word<u16>,
    helo: Word<String>,
    extended: Word<bool>,
}

/// Which command the attributes belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// The client takes the front's place.
    XClient,
    /// The client is told of.
    XForward,
}

impl Attributes {
    /// Reads what follows the verb.
    ///
    /// # Errors
    /// [`Refusal::Attribute`]: there is none, one was not offered, or its value is none of its own.
    pub fn parse(verb: Verb, argument: &str) -> Result<Self, Refusal> {
        let mut attributes = Self::default();
        let mut words = argument.split(' ').filter(|word| !word.is_empty()).peekable();
        if words.peek().is_none() {
            return Err(Refusal::Attribute);
        }
        for word in words {
            let (name, value) = word.split_once('=').ok_or(Refusal::Attribute)?;
            attributes.read(verb, &name.to_ascii_uppercase(), value)?;
        }
        Ok(attributes)
    }

    fn read(&mut self, verb: Verb, name: &str, value: &str) -> Result<(), Refusal> {
        let value = decoded(value)?;
        match (name, verb) {
            ("NAME", _) => self.name = value.map(|text| Some(plain(text)))?,
            ("ADDR", _) => self.address = value.map(address)?,
            ("PORT", _) => self.port = value.map(port)?,
            ("HELO", _) => self.helo = value.map(|text| Some(plain(text)))?,
            ("PROTO", _) => self.extended = value.map(is_extended)?,
            ("DESTADDR", Verb::XClient) => _ = value.map(address)?,
            ("DESTPORT", Verb::XClient) => _ = value.map(port)?,
            ("LOGIN", Verb::XClient) | ("IDENT", Verb::XForward) => {}
            ("SOURCE", Verb::XForward) => {
                _ = value.map(|text| ["LOCAL", "REMOTE"].iter().find(|word| text.eq_ignore_ascii_case(word)))?;
            }
            _ => return Err(Refusal::Attribute),
        }
        Ok(())
    }

    /// Everything unknown: where XFORWARD starts from, so that nothing of the front's own is taken
    /// for its client's.
    pub const fn unknown() -> Self {
        Self {
            name: Word::Unknown,
            address: Word::Unknown,
            port: Word::Unknown,
            helo: Word::Unknown,
            // How the front itself speaks is all that is known.
            extended: Word::Unsaid,
        }
    }

    /// Takes over what a later command said.
    pub fn update(&mut self, later: Self) {
        self.name.update(later.name);
        self.address.update(later.address);
        self.port.update(later.port);
        self.helo.update(later.helo);
        self.extended.update(later.extended);
    }

    /// The client as stated: `client` is what is known without these.
    pub fn over(&self, mut client: Client) -> Client {
        let port = match self.port {
            Word::Is(port) => Some(port),
            Word::Unknown | Word::Unsaid => None,
        };
        match self.address {
            Word::Is(address) => {
                client.address = Some(SocketAddr::new(address, port.unwrap_or(0)));
                client.name = None;
            }
            Word::Unknown => {
                client.address = None;
                client.name = None;
            }
            Word::Unsaid => {
                if let (Some(address), Some(port)) = (client.address.as_mut(), port) {
                    address.set_port(port);
                }
            }
        }
        match &self.name {
            Word::Is(name) => client.name = Some(name.clone()),
            Word::Unknown => client.name = None,
            Word::Unsaid => {}
        }
        match &self.helo {
            Word::Is(helo) => client.helo.clone_from(helo),
            Word::Unknown => client.helo.clear(),
            Word::Unsaid => {}
        }
        if let Word::Is(extended) = self.extended {
            client.extended = extended;
        }
        client
    }
}

impl<T> Word<T> {
    fn map<U>(self, read: impl FnOnce(T) -> Option<U>) -> Result<Word<U>, Refusal> {
        match self {
            Self::Unsaid => Ok(Word::Unsaid),
            Self::Unknown => Ok(Word::Unknown),
            Self::Is(value) => read(value).map(Word::Is).ok_or(Refusal::Attribute),
        }
    }

    fn update(&mut self, later: Self) {
        if !matches!(later, Self::Unsaid) {
            *self = later;
        }
    }
}

/// A value, its xtext undone (RFC 1891 §5: `+` and two upper-case hexadecimal digits).
fn decoded(value: &str) -> Result<Word<String>, Refusal> {
    if value.eq_ignore_ascii_case("[UNAVAILABLE]") || value.eq_ignore_ascii_case("[TEMPUNAVAIL]") {
        return Ok(Word::Unknown);
    }
    let mut octets = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'+' => rest
                .next()
                .zip(rest.next())
                .and_then(|(high, low)| Some(digit(high)? << 4 | digit(low)?))
                .ok_or(Refusal::Attribute)?,
            b'=' => return Err(Refusal::Attribute),
            octet => octet,
        });
    }
    if octets.is_empty() {
        return Err(Refusal::Attribute);
    }
    Ok(Word::Is(match String::from_utf8_lossy(&octets) {
        Cow::Borrowed(text) => text.to_owned(),
        Cow::Owned(text) => text,
    }))
}

const fn digit(octet: u8) -> Option<u8> {
    match octet {
        b'0'..=b'9' => Some(octet - b'0'),
        b'A'..=b'F' => Some(octet - b'A' + 10),
        _ => None,
    }
}

/// A name as a session's own HELO would have been taken. What a stranger said to the front must not
/// make us refuse the front, so it is cut and mended.
fn plain(text: String) -> String {
    let mended = text.chars().map(|c| if c.is_ascii_graphic() { c } else { '?' });
    mended.take(HELLO_NAME_MAX).collect()
}

/// `192.0.2.1`, or `IPV6:2001:db8::1`.
fn address(text: String) -> Option<IpAddr> {
    const MARK: &str = "IPV6:";
    let marked = text
        .split_at_checked(MARK.len())
        .filter(|(mark, _)| mark.eq_ignore_ascii_case(MARK));
    match marked {
        Some((_, address)) => address.parse::<Ipv6Addr>().ok().map(|v6| IpAddr::V6(v6).to_canonical()),
        None => text.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    }
}

fn port(text: String) -> Option<u16> {
    text.parse()
        .ok()
        .filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

fn is_extended(text: String) -> Option<bool> {
    match text.to_ascii_uppercase().as_str() {
        "SMTP" => Some(false),
        "ESMTP" => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn front() -> Client {
        Client {
            address: "127.0.0.1:4000".parse().ok(),
            helo: "front.example".to_owned(),
            extended: true,
            ..Client::default()
        }
    }

    fn stated(argument: &str) -> Client {
        Attributes::parse(Verb::XClient, argument).unwrap().over(front())
    }

    #[test]
    fn addresses_and_ports_are_read() {
        for (argument, address) in [
            ("ADDR=192.0.2.7 PORT=4711", Some("192.0.2.7:4711")),
            ("port=4711 addr=192.0.2.7", Some("192.0.2.7:4711")),
            ("ADDR=IPV6:2001:db8::7 PORT=65535", Some("[2001:db8::7]:65535")),
            ("ADDR=IPv6:2001:db8::7", Some("[2001:db8::7]:0")),
            ("ADDR=IPV6:::ffff:192.0.2.7", Some("192.0.2.7:0")),
            ("ADDR=192.0.2.7 PORT=[UNAVAILABLE]", Some("192.0.2.7:0")),
            ("ADDR=[UNAVAILABLE] PORT=4711", None),
            ("ADDR=[TEMPUNAVAIL]", None),
            ("NAME=mx.example", Some("127.0.0.1:4000")),
            ("PORT=5", Some("127.0.0.1:5")),
        ] {
            assert_eq!(
                stated(argument).address,
                address.map(|text| text.parse().unwrap()),
                "{argument}"
            );
        }
    }

    #[test]
    fn names_are_decoded_and_mended() {
        for (argument, name, helo) in [
            ("NAME=mx.example HELO=mx", Some("mx.example"), "mx"),
            ("NAME=[UNAVAILABLE] HELO=[UNAVAILABLE]", None, ""),
            ("NAME=[TEMPUNAVAIL]", None, "front.example"),
            ("NAME=a+2Bb HELO=+5B192.0.2.7+5D", Some("a+b"), "[192.0.2.7]"),
            ("NAME=a+0D+0Ab HELO=a+20b+FF", Some("a??b"), "a?b?"),
        ] {
            let client = stated(argument);
            assert_eq!(
                (client.name.as_deref(), client.helo.as_str()),
                (name, helo),
                "{argument}"
            );
        }
        for length in [254, 255, 256] {
            let helo = stated(&format!("HELO={}", "x".repeat(length))).helo;
            assert_eq!(helo.len(), length.min(255));
        }
    }

    #[test]
    fn the_protocol_is_the_clients() {
        assert!(!stated("PROTO=SMTP").extended);
        assert!(stated("PROTO=esmtp").extended);
        assert!(stated("PROTO=[UNAVAILABLE]").extended);
    }

    #[test]
    fn bad_syntax_is_refused() {
        for argument in [
            "",
            " ",
            "ADDR",
            "ADDR=",
            "=192.0.2.7",
            "ADDR=mx.example",
            "ADDR=2001:db8::7",
            "ADDR=IPV6:192.0.2.7",
            "ADDR=192.0.2.256",
            "ADDR=[192.0.2.7]",
            "PORT=65536",
            "PORT=-1",
            "PORT=+1",
            "PORT=x",
            "PROTO=LMTP",
            "NAME=a+2",
            "NAME=a+",
            "NAME=a+2b",
            "NAME=a=b",
            "DESTADDR=x",
            "DESTPORT=x",
            "IDENT=x",
            "SOURCE=REMOTE",
            "COLOUR=red",
            "ADDR=192.0.2.7 junk",
        ] {
            assert_eq!(
                Attributes::parse(Verb::XClient, argument),
                Err(Refusal::Attribute),
                "{argument}"
            );
        }
        for argument in ["LOGIN=x", "DESTADDR=192.0.2.7", "SOURCE=elsewhere"] {
            assert_eq!(
                Attributes::parse(Verb::XForward, argument),
                Err(Refusal::Attribute),
                "{argument}"
            );
        }
    }

    #[test]
    fn what_is_of_no_use_is_taken_and_changes_nothing() {
        assert_eq!(stated("LOGIN=admin DESTADDR=192.0.2.1 DESTPORT=25"), front());
        let nothing = Attributes::parse(Verb::XForward, "IDENT=4F2 SOURCE=LOCAL").unwrap();
        assert_eq!(nothing, Attributes::default());
    }

    #[test]
    fn later_words_win_and_others_stay() {
        let mut all = Attributes::parse(Verb::XForward, "NAME=a.example ADDR=192.0.2.7").unwrap();
        all.update(Attributes::parse(Verb::XForward, "PORT=7 NAME=[UNAVAILABLE]").unwrap());
        let client = all.over(front());
        assert_eq!((client.address, client.name), ("192.0.2.7:7".parse().ok(), None));
    }

    #[test]
    fn what_xforward_leaves_out_is_unknown_and_never_the_fronts_own() {
        let mut all = Attributes::unknown();
        all.update(Attributes::parse(Verb::XForward, "NAME=a.example").unwrap());
        let client = all.over(front());
        assert_eq!((client.address, client.helo.as_str()), (None, ""));
        assert_eq!((client.name.as_deref(), client.extended), (Some("a.example"), true));
    }
}
