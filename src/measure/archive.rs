//! Archived mail as evidence: what its header tells of how it came.
//!
//! Enters: the bytes of a message as somebody kept it. Leaves: a [`Mail`], when it came in, and which
//! facts of its session are known. Knows nothing of files, rules or labels.

use super::Traps;
use crate::evidence::Kept;
use crate::mail::{Address, Direction, Envelope, Mail, Message};
use crate::pipeline::client_behind;
use bytes::Bytes;
use ipnet::IpNet;
use jiff::Timestamp;

/// How archived mail is read.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// Relays of ours that the mail came through, where client and reverse-path are to be read from
    /// the header; `None` leaves them unknown.
    pub relays: Option<Vec<IpNet>>,
    /// What is taken out first.
    pub traps: Traps,
}

impl Reading {
    /// The bytes to be judged.
    pub fn prepared(&self, bytes: Vec<u8>) -> Bytes {
        self.traps.taken_out(bytes).into()
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
