//! Archived mail as evidence: what its header tells of how it came, and what gives its label away.
//!
//! Enters: the bytes of a message as somebody kept it. Leaves: a [`Mail`], when it came in, and which
//! facts of its session are known. Knows nothing of files, rules or labels.

use crate::evidence::Kept;
use crate::mail::{Address, Direction, Envelope, Mail, Message};
use crate::pipeline::client_behind;
use bytes::Bytes;
use ipnet::IpNet;
use jiff::Timestamp;
use memchr::memmem;

/// How archived mail is read.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// Relays of ours that the mail came through, where client and reverse-path are to be read from
    /// the header; `None` leaves them unknown.
    pub relays: Option<Vec<IpNet>>,
    /// Whether what other filters said of it is taken out first.
    pub strips_verdicts: bool,
    /// Addresses that give the label away, such as that of a trap.
    pub masked: Vec<String>,
}

/// What stands in place of a masked address.
const MASK: &str = "somebody@example.org";

/// How the header fields of filters begin, ours among them, in lower case: what they hold is a verdict,
/// and a rule that reads it measures the other filter.
const VERDICT_PREFIXES: &[&str] = &[
    "arc-",
    "authentication-results",
    "received-spf",
    "spamdiagnostic",
    "x-amavis",
    "x-antiabuse",
    "x-antispam",
    "x-antivirus",
    "x-auth",
    "x-barracuda",
    "x-bogosity",
    "x-clx-",
    "x-cmae-",
    "x-crm114",
    "x-dspam",
    "x-eop",
    "x-exchange-antispam",
    "x-forefront",
    "x-gm-spam",
    "x-ham-report",
    "x-hmailserver-spam",
    "x-ironport",
    "x-kaspersky",
    "x-mailscanner",
    "x-microsoft-antispam",
    "x-mimecast-spam",
    "x-ms-exchange-",
    "x-ms-office365-filtering",
    "x-mxscan",
    "x-ovh-spam",
    "x-pmx",
    "x-portreeve-",
    "x-proofpoint",
    "x-rspamd",
    "x-scanned",
    "x-scl",
    "x-sid-",
    "x-sophos",
    "x-spam",
    "x-tm-as-",
    "x-virus",
    "x-vade",
];

impl Reading {
    /// The bytes to be judged.
    pub fn prepared(&self, bytes: Vec<u8>) -> Bytes {
        let mut bytes = match self.strips_verdicts {
            true => without_verdicts(&bytes),
            false => bytes,
        };
        for address in self.masked.iter().filter(|address| !address.is_empty()) {
            bytes = masked(&bytes, address);
        }
        bytes.into()
    }

    /// The message that these bytes were, and what is known of its session. It came in when the newest
    /// Received field says so, else at its date; never after `now`.
    pub fn mail(&self, bytes: &Bytes, message: &Message<'_>, now: Timestamp) -> (Mail, Kept) {
        let trace = message.received();
        let client = self.relays.as_ref().map(|relays| client_behind(trace, relays));
        let reverse_path = self.relays.as_ref().and_then(|_| return_path(message));
        let came_in = trace.iter().find_map(|hop| hop.time).or_else(|| message.date());
        let kept = Kept {
            client: client.as_ref().is_some_and(|client| client.address.is_some()),
            reverse_path: reverse_path.is_some(),
            recipients: false,
        };
        let mail = Mail {
            id: uuid::Uuid::nil(),
            received: came_in.unwrap_or(now).min(now),
            listener: "archive".into(),
            direction: Direction::Inbound,
            client: client.unwrap_or_default(),
            envelope: Envelope {
                reverse_path: reverse_path.flatten(),
                ..Envelope::default()
            },
            bytes: bytes.clone(),
        };
        (mail, kept)
    }
}

/// What the last server wrote of the reverse-path (RFC 5321 §4.4): `Some(None)` is the null one.
fn return_path(message: &Message<'_>) -> Option<Option<Address>> {
    let field = message.header("Return-Path").next()?;
    let inner = field.raw.trim().strip_prefix('<')?.strip_suffix('>')?.trim();
    match inner {
        "" => Some(None),
        address => {
            let address = Address::from_checked(address);
            (!address.local_part().is_empty() && address.domain_text().is_some()).then_some(Some(address))
        }
    }
}

/// The message without the fields in its header that filters write.
fn without_verdicts(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let (mut rest, mut dropping) = (bytes, false);
    while !rest.is_empty() {
        let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
        let (line, next) = rest.split_at(end);
        if matches!(line, b"\r\n" | b"\n") {
            break;
        }
        // A folded line belongs to the field above it.
        if !line.starts_with(b" ") && !line.starts_with(b"\t") {
            dropping = is_verdict(line);
        }
        if !dropping {
            out.extend_from_slice(line);
        }
        rest = next;
    }
    out.extend_from_slice(rest);
    out
}

fn is_verdict(line: &[u8]) -> bool {
    let begins = |prefix: &&str| {
        let start = line.get(..prefix.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
    };
    VERDICT_PREFIXES.iter().any(begins)
}

/// As the bytes stand: what is encoded in base64 stays.
fn masked(bytes: &[u8], address: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut from = 0;
    for at in memmem::find_iter(bytes, address.as_bytes()) {
        out.extend_from_slice(bytes.get(from..at).unwrap_or_default());
        out.extend_from_slice(MASK.as_bytes());
        from = at + address.len();
    }
    out.extend_from_slice(bytes.get(from..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::message::Limits;

    const MAIL: &str = "Return-Path: <bounce@sender.example>\r\n\
        Received: from mx.sender.example (host.sender.example [203.0.113.9])\r\n by mx.council.example with ESMTP id a;\r\n Mon, 6 Jan 2025 10:00:00 +0000\r\n\
        X-MS-Exchange-Organization-SCL: 9\r\n\
        Authentication-Results: spf=fail\r\n\tdkim=none\r\n\
        x-spam-flag: YES\r\n\
        From: a@sender.example\r\n\
        Date: Sun, 5 Jan 2025 10:00:00 +0000\r\n\
        Subject: x\r\n folded\r\n\
        \r\n\
        X-Spam-Flag: in the body, trap@pot said\r\n";

    fn read(text: &str, reading: &Reading) -> (Mail, Kept) {
        let bytes = reading.prepared(text.as_bytes().to_vec());
        let message = Message::parse(&bytes, &Limits::default());
        reading.mail(&bytes, &message, "2026-01-01T00:00:00Z".parse().unwrap())
    }

    #[test]
    fn what_filters_wrote_goes_and_nothing_else() {
        let reading = Reading {
            strips_verdicts: true,
            ..Reading::default()
        };
        let text = String::from_utf8(reading.prepared(MAIL.into()).to_vec()).unwrap();
        let expected: String = MAIL
            .split_inclusive("\r\n")
            .filter(|line| {
                !["X-MS-", "Authe", "\tdkim", "x-spam"]
                    .iter()
                    .any(|cut| line.starts_with(cut))
            })
            .collect();
        assert_eq!(text, expected);
        assert!(text.contains("\r\n\r\nX-Spam-Flag: in the body"));
        for odd in [
            "",
            "\r\n",
            "X-Spam: y",
            "no header at all",
            "X-Spam: y\r\n\r\n",
            "X-Spam: y\n z\nA: b\n\nc",
        ] {
            let kept = reading.prepared(odd.into());
            assert!(!kept.to_ascii_lowercase().starts_with(b"x-spam"), "{odd:?} {kept:?}");
        }
    }

    #[test]
    fn every_prefix_is_lower_case_and_stands_once() {
        for prefix in VERDICT_PREFIXES {
            assert_eq!(*prefix, prefix.to_ascii_lowercase());
            assert_eq!(
                VERDICT_PREFIXES
                    .iter()
                    .filter(|other| prefix.starts_with(*other))
                    .count(),
                1
            );
        }
    }

    #[test]
    fn a_masked_address_is_gone_wherever_it_stood() {
        let reading = Reading {
            masked: vec!["trap@pot".to_owned(), String::new()],
            ..Reading::default()
        };
        let text = String::from_utf8(reading.prepared(MAIL.into()).to_vec()).unwrap();
        assert_eq!(text, MAIL.replace("trap@pot", MASK));
    }

    #[test]
    fn nothing_is_known_of_a_session_that_nobody_asked_the_header_for() {
        let (mail, kept) = read(MAIL, &Reading::default());
        assert_eq!(kept, Kept::NOTHING);
        assert_eq!(mail.received, "2025-01-06T10:00:00Z".parse().unwrap());
    }

    #[test]
    fn the_header_tells_client_and_reverse_path_past_given_relays() {
        let inner = "Received: from mx.council.example (mx.council.example [10.0.0.7])\r\n by store with ESMTP;\r\n Mon, 6 Jan 2025 10:00:01 +0000\r\n";
        let reading = Reading {
            relays: Some(vec!["10.0.0.0/8".parse().unwrap()]),
            ..Reading::default()
        };
        for (text, client, reverse_path) in [
            (MAIL.to_owned(), Some("203.0.113.9:0"), Some("bounce@sender.example")),
            (
                format!("{inner}{MAIL}"),
                Some("203.0.113.9:0"),
                Some("bounce@sender.example"),
            ),
            (
                format!("Return-Path: <>\r\n{inner}From: a@b.example\r\n\r\n"),
                None,
                Some(""),
            ),
            ("Return-Path: nonsense\r\n\r\n".to_owned(), None, None),
            ("Subject: x\r\n\r\n".to_owned(), None, None),
        ] {
            let (mail, kept) = read(&text, &reading);
            assert_eq!(mail.client.address, client.map(|text| text.parse().unwrap()), "{text}");
            assert_eq!((kept.client, kept.recipients), (client.is_some(), false), "{text}");
            let told = kept.reverse_path.then(|| mail.envelope.reverse_path_text());
            assert_eq!(told, reverse_path, "{text}");
        }
    }

    #[test]
    fn no_mail_comes_in_after_the_present() {
        let future = MAIL.replace("2025", "2045");
        assert_eq!(
            read(&future, &Reading::default()).0.received.to_string(),
            "2026-01-01T00:00:00Z"
        );
        let dateless = read("Subject: x\r\n\r\n", &Reading::default()).0;
        assert_eq!(dateless.received.to_string(), "2026-01-01T00:00:00Z");
    }
}
