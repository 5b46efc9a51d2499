//! XCLIENT and XFORWARD as a front says them: which attributes a server takes, and a client put into
//! these words.
//!
//! What EHLO offers and a [`Client`] go in, command lines come out. Postfix's XCLIENT_README and
//! XFORWARD_README; `smtp::front` reads what this writes. Knows nothing of when to say it, nor of
//! how a server answers.

use super::command::Command;
use crate::mail::Client;
use std::net::IpAddr;

/// Octets of a command line with its CRLF (RFC 5321 §4.5.3.1.4); XFORWARD goes on in a further one.
const LINE_MAX: usize = 512;
/// Octets of a value as it is sent. A server holds no more either.
const VALUE_MAX: usize = 255;
/// Stands for a value that nobody knows.
const UNAVAILABLE: &str = "[UNAVAILABLE]";

type Row = (&'static str, fn(&Client) -> Option<String>);

/// What we say of a client, in this order, and how. LOGIN, which would confer a right, is not among
/// it; nor is IDENT, since our id comes to be only after MAIL.
const ROWS: [Row; 6] = [
    ("NAME", name),
    ("ADDR", address),
    ("PORT", port),
    ("PROTO", protocol),
    ("HELO", helo),
    ("SOURCE", source),
];
/// ADDR's place there.
const ADDRESS: u8 = 1 << 1;

/// Which of these attributes a server takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attributes(u8);

impl Attributes {
    /// Those among the words after the keyword; `None` when ADDR, without which the others tell of nobody,
    /// is not.
    pub(super) fn offered<'w>(words: impl Iterator<Item = &'w str>) -> Option<Self> {
        let bit = |word: &str| {
            let place = ROWS.iter().position(|(name, _)| name.eq_ignore_ascii_case(word));
            place.map_or(0, |place| 1 << place)
        };
        let all: u8 = words.map(bit).fold(0, |all, bit| all | bit);
        (all & ADDRESS != 0).then_some(Self(all))
    }

    fn words(self, client: &Client) -> impl Iterator<Item = String> {
        let offered = ROWS
            .iter()
            .enumerate()
            .filter(move |(place, _)| self.0 >> place & 1 == 1);
        offered.map(|(_, (name, value))| {
            let value = value(client).map_or_else(|| UNAVAILABLE.to_owned(), |value| xtext(&value));
            format!("{name}={value}")
        })
    }
}

/// XCLIENT: one command with all that the server takes. PROTO is SMTP or ESMTP there, and has no word for
/// neither: it is left out, and what the server begins anew with counts.
pub fn xclient(client: &Client, offered: Attributes) -> Command {
    let unknown_protocol = format!("PROTO={UNAVAILABLE}");
    let words = offered.words(client).filter(|word| *word != unknown_protocol);
    let words: Vec<String> = words.collect();
    Command::of_words("XCLIENT", &words)
}

/// XFORWARD: every attribute that the server takes, known or not, so that nothing is left standing from
/// a transaction before. In several commands when one would get too long.
pub fn xforward(client: &Client, offered: Attributes) -> Vec<Command> {
    const VERB: &str = "XFORWARD";
    let bare = VERB.len() + "\r\n".len();
    let mut lines: Vec<Vec<String>> = Vec::new();
    let mut length = LINE_MAX;
    for word in offered.words(client) {
        if length + 1 + word.len() > LINE_MAX {
            lines.push(Vec::new());
            length = bare;
        }
        length += 1 + word.len();
        if let Some(line) = lines.last_mut() {
            line.push(word);
        }
    }
    lines.iter().map(|words| Command::of_words(VERB, words)).collect()
}

/// A name that is none would have the whole command refused, and its client kept out for good.
fn name(client: &Client) -> Option<String> {
    client.name.clone().filter(|name| is_host_name(name))
}

/// Whether servers take this for a host name (RFC 1123 §2.1, and underscores): no address, nor what looks
/// like the beginning of one.
fn is_host_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_numeric = name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    name.len() <= VALUE_MAX && name.split('.').all(is_label) && !is_numeric
}

fn address(client: &Client) -> Option<String> {
    client.address.map(|address| match address.ip().to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("IPV6:{address}"),
    })
}

/// 0 stands for a port that a front did not tell.
fn port(client: &Client) -> Option<String> {
    let port = client.address.map(|address| address.port());
    port.filter(|port| *port != 0).map(|port| port.to_string())
}

/// Nobody knows how somebody speaks who is not known to have said anything.
fn protocol(client: &Client) -> Option<String> {
    let word = if client.extended { "ESMTP" } else { "SMTP" };
    (!client.helo.is_empty()).then(|| word.to_owned())
}

fn helo(client: &Client) -> Option<String> {
    (!client.helo.is_empty()).then(|| client.helo.clone())
}

/// Said of every client, our own too: at LOCAL a server may rewrite headers, and bytes are to stay intact.
fn source(_: &Client) -> Option<String> {
    Some("REMOTE".to_owned())
}

/// RFC 1891 §5, cut before what would make it too long.
fn xtext(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        let is_plain = byte.is_ascii_graphic() && byte != b'+' && byte != b'=';
        if text.len() + if is_plain { 1 } else { 3 } > VALUE_MAX {
            break;
        }
        if is_plain {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("+{byte:02X}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::super::front::{self, Verb, XCLIENT_OFFER, XFORWARD_OFFER};
    use super::*;

    fn offered(offer: &str) -> Attributes {
        Attributes::offered(offer.split(' ').skip(1)).unwrap()
    }

    fn client() -> Client {
        Client {
            address: "203.0.113.9:4711".parse().ok(),
            name: Some("mx.sender.example".to_owned()),
            helo: "client.example".to_owned(),
            extended: true,
            tls: None,
        }
    }

    fn said(commands: &[Command]) -> Vec<String> {
        let lines = commands.iter().map(|command| command.as_bytes());
        lines.map(|line| String::from_utf8(line.to_vec()).unwrap()).collect()
    }

    #[test]
    fn a_client_is_put_into_words() {
        assert_eq!(
            said(&[xclient(&client(), offered(XCLIENT_OFFER))]),
            ["XCLIENT NAME=mx.sender.example ADDR=203.0.113.9 PORT=4711 PROTO=ESMTP HELO=client.example\r\n"]
        );
        assert_eq!(
            said(&xforward(&client(), offered(XFORWARD_OFFER))),
            [
                "XFORWARD NAME=mx.sender.example ADDR=203.0.113.9 PORT=4711 PROTO=ESMTP HELO=client.example SOURCE=REMOTE\r\n"
            ]
        );
        let plain = Client {
            address: "[2001:db8::7]:0".parse().ok(),
            name: None,
            extended: false,
            ..client()
        };
        assert_eq!(
            said(&[xclient(&plain, offered(XCLIENT_OFFER))]),
            ["XCLIENT NAME=[UNAVAILABLE] ADDR=IPV6:2001:db8::7 PORT=[UNAVAILABLE] PROTO=SMTP HELO=client.example\r\n"]
        );
    }

    #[test]
    fn an_unknown_client_is_said_to_be_unknown() {
        assert_eq!(
            said(&xforward(&Client::default(), offered(XFORWARD_OFFER))),
            [
                "XFORWARD NAME=[UNAVAILABLE] ADDR=[UNAVAILABLE] PORT=[UNAVAILABLE] PROTO=[UNAVAILABLE] \
                 HELO=[UNAVAILABLE] SOURCE=REMOTE\r\n"
            ]
        );
    }

    #[test]
    fn xclient_has_no_word_for_an_unknown_protocol() {
        assert_eq!(
            said(&[xclient(&Client::default(), offered(XCLIENT_OFFER))]),
            ["XCLIENT NAME=[UNAVAILABLE] ADDR=[UNAVAILABLE] PORT=[UNAVAILABLE] HELO=[UNAVAILABLE]\r\n"]
        );
    }

    #[test]
    fn only_what_is_offered_is_said() {
        assert_eq!(
            said(&xforward(&client(), offered("XFORWARD helo addr IDENT COLOUR"))),
            ["XFORWARD ADDR=203.0.113.9 HELO=client.example\r\n"]
        );
        assert_eq!(Attributes::offered("NAME HELO PROTO".split(' ')), None);
        assert_eq!(Attributes::offered("".split(' ')), None);
    }

    #[test]
    fn values_are_encoded_and_names_that_are_none_left_out() {
        for (helo, name, words) in [
            ("[192.0.2.7]", "a_b.example", "NAME=a_b.example HELO=[192.0.2.7]"),
            ("a+b=c", "MX.Sender.Example", "NAME=MX.Sender.Example HELO=a+2Bb+3Dc"),
            ("a b\r\nQUIT", "x y", "NAME=[UNAVAILABLE] HELO=a+20b+0D+0AQUIT"),
            ("caf\u{e9}", "192.0.2.7", "NAME=[UNAVAILABLE] HELO=caf+C3+A9"),
        ] {
            let client = Client {
                helo: helo.to_owned(),
                name: Some(name.to_owned()),
                ..client()
            };
            let expected = words.replace(" HELO", " ADDR=203.0.113.9 HELO");
            assert_eq!(
                said(&xforward(&client, offered("XFORWARD NAME ADDR HELO"))),
                [format!("XFORWARD {expected}\r\n")]
            );
        }
    }

    #[test]
    fn a_host_name_is_what_servers_take_for_one() {
        let longest = [&"n".repeat(63)[..]; 4].join(".");
        for name in ["a", "localhost", "a-b.c_d.example", "1a.2", "_.example", &longest] {
            assert!(is_host_name(name), "{name}");
        }
        let too_long = format!("{longest}n");
        for name in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "-a.example",
            "a-.example",
            "a:b",
            "a b",
            "caf\u{e9}.example",
            "12345",
            "192.0.2.7",
            "1.2.3.4.5",
            &"n".repeat(64),
            &too_long,
        ] {
            assert!(!is_host_name(name), "{name}");
        }
    }

    #[test]
    fn long_values_are_cut_and_long_lines_go_on_in_another() {
        // "XFORWARD ADDR=203.0.113.9 HELO=" and the line's end take 33 octets.
        for (length, cut) in [(254, 254), (255, 255), (256, 255)] {
            let client = Client {
                helo: "h".repeat(length),
                ..client()
            };
            let lines = said(&xforward(&client, offered("XFORWARD ADDR HELO")));
            assert_eq!(lines[0].len(), 33 + cut);
        }
        // An escape is never cut in two.
        assert_eq!(xtext(&format!("{}+", "h".repeat(252))).len(), 255);
        assert_eq!(xtext(&format!("{}+", "h".repeat(253))).len(), 253);
        // Labels of 63, so that the name is as long as a name may be; together they would be too long.
        let name = |last: usize| format!("{0}.{0}.{0}.{1}", "n".repeat(63), "n".repeat(last));
        let rest = "XFORWARD NAME= ADDR=203.0.113.9 HELO=\r\n".len();
        for (last, lines) in [(29, 1), (30, 1), (31, 2)] {
            let client = Client {
                name: Some(name(last)),
                helo: "h".repeat(LINE_MAX - rest - name(30).len()),
                ..client()
            };
            let said = said(&xforward(&client, offered("XFORWARD NAME ADDR HELO")));
            assert_eq!(said.len(), lines, "{last}");
            assert!(
                said.iter()
                    .all(|line| line.len() <= LINE_MAX && line.starts_with("XFORWARD "))
            );
        }
    }

    #[test]
    fn what_is_said_is_read_as_it_was() {
        for client in [
            client(),
            Client {
                address: "[2001:db8::7]:65535".parse().ok(),
                helo: "a+b=c".to_owned(),
                extended: false,
                ..client()
            },
            Client::default(),
        ] {
            let mut read = front::Attributes::unknown();
            for line in said(&xforward(&client, offered(XFORWARD_OFFER))) {
                let argument = line.trim_end().strip_prefix("XFORWARD ").unwrap();
                read.update(front::Attributes::parse(Verb::XForward, argument).unwrap());
            }
            assert_eq!(read.over(Client::default()), client);
        }
    }
}
