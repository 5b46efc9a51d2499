//! The PROXY header, versions 1 and 2: what a balancer says of its client before the client speaks.
//!
//! Octets enter as they arrive; leaves how many more are sure to belong to the header, or whom it
//! states. Never asks for an octet beyond the header, so what follows stays unread. HAProxy's
//! "The PROXY protocol". Knows nothing of sockets, time, or whom to believe.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Longest header of version 1, CRLF included (§2.1).
pub const TEXT_MAX: usize = 107;
/// The fixed part of a header of version 2 (§2.2).
const BINARY_HEAD: usize = 16;
/// The most that may follow it: addresses take 216 octets at most, the rest is for extensions.
pub const BINARY_REST_MAX: usize = 2048;

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const TEXT_BEGIN: &[u8] = b"PROXY ";

/// Octets that the addresses of a Unix socket take (§2.2).
const UNIX_ADDRESSES: usize = 216;

/// How far a header has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// At least so many octets are still to come, never 0.
    Needs(usize),
    /// It is whole, and states this.
    Whole(Stated),
}

/// Whom a header states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stated {
    /// The peer speaks for itself, or of nobody that has an address.
    Peer,
    /// This client.
    Client(SocketAddr),
}

/// Why a header can't be read; its words are for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is no PROXY header at all.
    Missing,
    /// It is longer than it may be.
    TooLong,
    /// It is none that the specification allows.
    Malformed,
}

impl Fault {
    /// Such as `no PROXY header`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "no PROXY header",
            Self::TooLong => "PROXY header too long",
            Self::Malformed => "malformed PROXY header",
        }
    }
}

/// Reads what has come of a header, from its first octet.
///
/// # Errors
/// What is wrong with it, as soon as that is certain.
pub fn read(octets: &[u8]) -> Result<Progress, Fault> {
    if begins(octets, TEXT_BEGIN) {
        return read_text(octets);
    }
    if begins(octets, SIGNATURE) {
        return read_binary(octets);
    }
    Err(Fault::Missing)
}

/// Whether one is the other's beginning.
fn begins(octets: &[u8], expected: &[u8]) -> bool {
    let length = octets.len().min(expected.len());
    octets.get(..length) == expected.get(..length)
}

fn read_text(octets: &[u8]) -> Result<Progress, Fault> {
    let Some(end) = octets.windows(2).position(|pair| pair == b"\r\n") else {
        // The shortest of all, and then one line end at a time: nothing behind it is ever read.
        let shortest = "PROXY UNKNOWN\r\n".len();
        let ending = if octets.last() == Some(&b'\r') { 1 } else { 2 };
        let needs = shortest.saturating_sub(octets.len()).max(ending);
        if octets.len() + needs > TEXT_MAX {
            return Err(Fault::TooLong);
        }
        return Ok(Progress::Needs(needs));
    };
    let line = octets.get(..end).unwrap_or_default();
    let line = std::str::from_utf8(line).map_err(|_| Fault::Malformed)?;
    text_line(line).map(Progress::Whole)
}

fn text_line(line: &str) -> Result<Stated, Fault> {
    let mut words = line.split(' ').skip(1);
    let family = words.next();
    if family == Some("UNKNOWN") {
        // §2.1: whatever else the line holds is to be ignored.
        return Ok(Stated::Peer);
    }
    let [Some(source), Some(destination), Some(port), Some(target), None] = std::array::from_fn(|_| words.next())
    else {
        return Err(Fault::Malformed);
    };
    let address = |text: &str| -> Option<IpAddr> {
        match family {
            Some("TCP4") => text.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
            Some("TCP6") => text.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
            _ => None,
        }
    };
    let stated = address(source).zip(number(port));
    let fine = address(destination).is_some() && number(target).is_some();
    let (source, port) = stated.filter(|_| fine).ok_or(Fault::Malformed)?;
    Ok(client(source, port))
}

/// A port: decimal, no sign, no leading zeros (§2.1).
fn number(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let plain = digits && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain)
}

fn read_binary(octets: &[u8]) -> Result<Progress, Fault> {
    let Some((head, rest)) = octets.split_at_checked(BINARY_HEAD) else {
        return Ok(Progress::Needs(BINARY_HEAD - octets.len()));
    };
    let [version, family, length @ ..] = head.get(SIGNATURE.len()..).unwrap_or_default() else {
        return Err(Fault::Malformed);
    };
    let is_local = match version {
        0x20 => true,
        0x21 => false,
        _ => return Err(Fault::Malformed),
    };
    let length = number_of(length);
    if length > BINARY_REST_MAX {
        return Err(Fault::TooLong);
    }
    match rest.get(..length) {
        None => Ok(Progress::Needs(length - rest.len())),
        // The peer's own health check; §2.2 has the addresses ignored, whatever they are.
        Some(_) if is_local => Ok(Progress::Whole(Stated::Peer)),
        Some(rest) => binary_rest(*family, rest).map(Progress::Whole),
    }
}

fn binary_rest(family: u8, rest: &[u8]) -> Result<Stated, Fault> {
    let (stated, extensions) = match family {
        // Unspecified family or protocol: nothing says how long the addresses are, so all is skipped.
        0x00..=0x02 | 0x10 | 0x20 | 0x30 => return Ok(Stated::Peer),
        0x11 => {
            let (addresses, extensions) = rest.split_first_chunk::<12>().ok_or(Fault::Malformed)?;
            let [a, b, c, d, _, _, _, _, high, low, _, _] = *addresses;
            let source = IpAddr::V4(Ipv4Addr::new(a, b, c, d));
            (client(source, u16::from_be_bytes([high, low])), extensions)
        }
        0x21 => {
            let (source, after) = rest.split_first_chunk::<16>().ok_or(Fault::Malformed)?;
            let (_, after) = after.split_first_chunk::<16>().ok_or(Fault::Malformed)?;
            let ([high, low, _, _], extensions) = after.split_first_chunk::<4>().ok_or(Fault::Malformed)?;
            let source = IpAddr::V6(Ipv6Addr::from(*source));
            (client(source, u16::from_be_bytes([*high, *low])), extensions)
        }
        0x31 | 0x32 => {
            let (_, extensions) = rest.split_at_checked(UNIX_ADDRESSES).ok_or(Fault::Malformed)?;
            (Stated::Peer, extensions)
        }
        // Datagrams carry no SMTP, and other values are to be refused (§2.2).
        _ => return Err(Fault::Malformed),
    };
    skip(extensions)?;
    Ok(stated)
}

/// Walks over the extensions: each a type, a length of two octets and as many octets (§2.2.1).
fn skip(mut extensions: &[u8]) -> Result<(), Fault> {
    while !extensions.is_empty() {
        let ([_, length @ ..], after) = extensions.split_first_chunk::<3>().ok_or(Fault::Malformed)?;
        extensions = after.get(number_of(length)..).ok_or(Fault::Malformed)?;
    }
    Ok(())
}

fn number_of(octets: &[u8]) -> usize {
    octets.iter().fold(0, |number, octet| number << 8 | usize::from(*octet))
}

const fn client(address: IpAddr, port: u16) -> Stated {
    Stated::Client(SocketAddr::new(address.to_canonical(), port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stated(address: &str) -> Result<Progress, Fault> {
        Ok(Progress::Whole(Stated::Client(address.parse().unwrap())))
    }

    fn binary(version: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [SIGNATURE, &[version, family], &length, rest].concat()
    }

    const V4: &[u8] = &[192, 0, 2, 7, 127, 0, 0, 1, 0x30, 0x39, 0, 25];

    fn v6() -> Vec<u8> {
        let source: Ipv6Addr = "2001:db8::7".parse().unwrap();
        [
            &source.octets()[..],
            &Ipv6Addr::LOCALHOST.octets(),
            &[0x30, 0x39, 0, 25],
        ]
        .concat()
    }

    #[test]
    fn text_headers_state_a_client() {
        for (line, expected) in [
            ("PROXY TCP4 192.0.2.7 127.0.0.1 12345 25", "192.0.2.7:12345"),
            ("PROXY TCP4 255.255.255.255 0.0.0.0 65535 0", "255.255.255.255:65535"),
            ("PROXY TCP6 2001:db8::7 ::1 12345 25", "[2001:db8::7]:12345"),
            ("PROXY TCP6 ::ffff:192.0.2.7 ::1 12345 25", "192.0.2.7:12345"),
        ] {
            assert_eq!(read(format!("{line}\r\n").as_bytes()), stated(expected), "{line}");
        }
        for line in ["PROXY UNKNOWN\r\n", "PROXY UNKNOWN ffff::1 what ever\r\n"] {
            assert_eq!(read(line.as_bytes()), Ok(Progress::Whole(Stated::Peer)), "{line}");
        }
    }

    #[test]
    fn text_that_is_no_header_is_refused() {
        for (line, fault) in [
            ("EHLO client.example\r\n", Fault::Missing),
            ("proxy TCP4 192.0.2.7 127.0.0.1 1 2\r\n", Fault::Missing),
            ("PROXY TCP4 192.0.2.7 127.0.0.1 1\r\n", Fault::Malformed),
            ("PROXY TCP4 192.0.2.7 127.0.0.1 1 2 3\r\n", Fault::Malformed),
            ("PROXY TCP4  192.0.2.7 127.0.0.1 1 2\r\n", Fault::Malformed),
            ("PROXY TCP4 192.0.2.7 127.0.0.1 1 2 \r\n", Fault::Malformed),
            ("PROXY TCP4 192.0.2.007 127.0.0.1 1 2\r\n", Fault::Malformed),
            ("PROXY TCP4 2001:db8::7 ::1 1 2\r\n", Fault::Malformed),
            ("PROXY TCP6 192.0.2.7 127.0.0.1 1 2\r\n", Fault::Malformed),
            ("PROXY TCP4 192.0.2.7 nowhere 1 2\r\n", Fault::Malformed),
            ("PROXY TCP4 192.0.2.7 127.0.0.1 65536 2\r\n", Fault::Malformed),
            ("PROXY TCP4 192.0.2.7 127.0.0.1 +1 2\r\n", Fault::Malformed),
            ("PROXY TCP4 192.0.2.7 127.0.0.1 01 2\r\n", Fault::Malformed),
            ("PROXY UDP4 192.0.2.7 127.0.0.1 1 2\r\n", Fault::Malformed),
            ("PROXY TCP4 192.0.2.7 127.0.0.1 1 \u{e9}\r\n", Fault::Malformed),
        ] {
            assert_eq!(read(line.as_bytes()), Err(fault), "{line}");
        }
    }

    #[test]
    fn a_text_header_has_its_longest() {
        for (length, fine) in [(TEXT_MAX - 1, true), (TEXT_MAX, true), (TEXT_MAX + 1, false)] {
            let padding = "x".repeat(length - "PROXY UNKNOWN \r\n".len());
            let line = format!("PROXY UNKNOWN {padding}\r\n");
            assert_eq!(arrive(line.as_bytes()).is_ok(), fine, "{length}");
        }
    }

    #[test]
    fn binary_headers_state_a_client() {
        let extension = [4, 0, 2, 0xff, 0xff, 3, 0, 0];
        for (version, family, rest, expected) in [
            (0x21, 0x11, V4.to_vec(), stated("192.0.2.7:12345")),
            (0x21, 0x11, [V4, &extension].concat(), stated("192.0.2.7:12345")),
            (0x21, 0x21, v6(), stated("[2001:db8::7]:12345")),
            (
                0x21,
                0x21,
                [&v6()[..], &extension].concat(),
                stated("[2001:db8::7]:12345"),
            ),
            (
                0x21,
                0x31,
                vec![b'x'; UNIX_ADDRESSES],
                Ok(Progress::Whole(Stated::Peer)),
            ),
            (0x21, 0x00, Vec::new(), Ok(Progress::Whole(Stated::Peer))),
            (0x21, 0x00, vec![1, 2, 3], Ok(Progress::Whole(Stated::Peer))),
            (0x20, 0x11, V4.to_vec(), Ok(Progress::Whole(Stated::Peer))),
            (0x20, 0xff, vec![9], Ok(Progress::Whole(Stated::Peer))),
        ] {
            let header = binary(version, family, &rest);
            assert_eq!(read(&header), expected, "{header:?}");
        }
    }

    #[test]
    fn binary_headers_that_lie_are_refused() {
        for (version, family, rest) in [
            (0x11, 0x11, V4.to_vec()),
            (0x22, 0x11, V4.to_vec()),
            (0x21, 0x12, V4.to_vec()),
            (0x21, 0x41, V4.to_vec()),
            (0x21, 0x13, V4.to_vec()),
            (0x21, 0x11, V4[..11].to_vec()),
            (0x21, 0x21, v6()[..35].to_vec()),
            (0x21, 0x21, V4.to_vec()),
            (0x21, 0x31, vec![0; UNIX_ADDRESSES - 1]),
            // Extensions that end too early, or say that they are longer than the header.
            (0x21, 0x11, [V4, &[4]].concat()),
            (0x21, 0x11, [V4, &[4, 0]].concat()),
            (0x21, 0x11, [V4, &[4, 0, 2, 0]].concat()),
            (0x21, 0x11, [V4, &[4, 0xff, 0xff, 0, 0]].concat()),
        ] {
            let header = binary(version, family, &rest);
            assert_eq!(read(&header), Err(Fault::Malformed), "{header:?}");
        }
    }

    #[test]
    fn a_binary_header_has_its_longest() {
        for (length, fine) in [
            (BINARY_REST_MAX - 1, true),
            (BINARY_REST_MAX, true),
            (BINARY_REST_MAX + 1, false),
        ] {
            let filling = length - V4.len() - 3;
            let size = u16::try_from(filling).unwrap().to_be_bytes();
            let rest = [V4, &[4], &size, &vec![0; filling]].concat();
            let expected = if fine {
                stated("192.0.2.7:12345")
            } else {
                Err(Fault::TooLong)
            };
            assert_eq!(arrive(&binary(0x21, 0x11, &rest)), expected, "{length}");
        }
    }

    /// Hands over only as many octets as were asked for, as the connection does.
    fn arrive(octets: &[u8]) -> Result<Progress, Fault> {
        let mut have = 0;
        loop {
            match read(&octets[..have])? {
                Progress::Needs(count) if have + count <= octets.len() => have += count,
                Progress::Needs(_) => return Ok(Progress::Needs(octets.len() - have)),
                whole => {
                    assert_eq!(have, octets.len(), "nothing behind it was asked for");
                    return Ok(whole);
                }
            }
        }
    }

    #[test]
    fn every_truncation_asks_for_more_and_never_too_much() {
        for whole in [
            b"PROXY UNKNOWN\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.7 127.0.0.1 12345 25\r\n".to_vec(),
            b"PROXY TCP6 2001:db8::7 ::1 12345 25\r\n".to_vec(),
            binary(0x21, 0x11, V4),
            binary(0x21, 0x21, &v6()),
            binary(0x20, 0x00, &[]),
        ] {
            for length in 0..whole.len() {
                let Ok(Progress::Needs(count)) = read(&whole[..length]) else {
                    panic!("{:?} is not whole", &whole[..length]);
                };
                assert!((1..=whole.len() - length).contains(&count), "{length}: {count}");
            }
            assert!(matches!(arrive(&whole), Ok(Progress::Whole(_))));
        }
    }

    proptest! {
        #[test]
        fn no_octets_make_it_panic_and_all_of_them_end(
            begin in prop_oneof![Just(SIGNATURE.to_vec()), Just(TEXT_BEGIN.to_vec()), Just(Vec::new())],
            rest in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let octets = [begin, rest].concat();
            if let Ok(Progress::Needs(count)) = read(&octets) {
                prop_assert!(count > 0 && octets.len() + count <= BINARY_HEAD + BINARY_REST_MAX);
            }
        }
    }
}
