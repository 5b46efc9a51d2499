//! Dates, and the trace that relays leave: Received fields (RFC 5321 §4.4).
//!
//! Enters: a field's body. Leaves: a [`Hop`] or a time. The grammar is mail-parser's, which knows the
//! habits of many relays. Knows nothing of which hop to trust.

use super::limits;
use jiff::Timestamp;
use mail_parser::parsers::MessageStream;
use mail_parser::{DateTime, HeaderValue, Host, Protocol};

/// One Received field, read as far as it follows RFC 5321 §4.4.
#[derive(Debug, Clone, Default)]
pub struct Hop {
    /// The `from` name.
    pub from: String,
    /// The `by` name.
    pub by: String,
    /// The address in the comment after `from`.
    pub ip: Option<std::net::IpAddr>,
    /// The HELO name where the comment tells it apart.
    pub helo: String,
    /// The reverse name in the comment.
    pub rdns: String,
    /// The `with` word.
    pub protocol: String,
    /// The date after the semicolon.
    pub time: Option<Timestamp>,
}

impl Hop {
    /// Reads a field's body; what isn't understood stays empty.
    pub(super) fn read(body: &str) -> Self {
        let cut = body.floor_char_boundary(limits::RECEIVED_BYTES);
        // The grammar ends at a line end that no white space follows.
        let line = format!("{}\r\n", body.get(..cut).unwrap_or(""));
        let HeaderValue::Received(received) = MessageStream::new(line.as_bytes()).parse_received() else {
            return Self::default();
        };
        Self {
            from: host(received.from.as_ref()),
            by: host(received.by.as_ref()),
            ip: received.from_ip,
            helo: host(received.helo.as_ref()),
            rdns: received.from_iprev.as_deref().unwrap_or("").to_owned(),
            protocol: received
                .with
                .map_or_else(String::new, |protocol| word(protocol).to_owned()),
            time: received.date.and_then(timestamp),
        }
    }
}

/// Reads a Date field's decoded body (RFC 5322 §3.3, obsolete forms included).
pub(super) fn date(body: &str) -> Option<Timestamp> {
    DateTime::parse_rfc822(body).and_then(timestamp)
}

fn timestamp(date: DateTime) -> Option<Timestamp> {
    date.is_valid()
        .then(|| Timestamp::from_second(date.to_timestamp()).ok())?
}

fn host(host: Option<&Host<'_>>) -> String {
    match host {
        Some(Host::Name(name)) => name.to_string(),
        Some(Host::IpAddr(address)) => address.to_string(),
        None => String::new(),
    }
}

/// The registered word (IANA mail transmission types).
fn word(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::SMTP => "SMTP",
        Protocol::ESMTP => "ESMTP",
        Protocol::ESMTPA => "ESMTPA",
        Protocol::ESMTPS => "ESMTPS",
        Protocol::ESMTPSA => "ESMTPSA",
        Protocol::LMTP => "LMTP",
        Protocol::LMTPA => "LMTPA",
        Protocol::LMTPS => "LMTPS",
        Protocol::LMTPSA => "LMTPSA",
        Protocol::MMS => "MMS",
        Protocol::UTF8SMTP => "UTF8SMTP",
        Protocol::UTF8SMTPA => "UTF8SMTPA",
        Protocol::UTF8SMTPS => "UTF8SMTPS",
        Protocol::UTF8SMTPSA => "UTF8SMTPSA",
        Protocol::UTF8LMTP => "UTF8LMTP",
        Protocol::UTF8LMTPA => "UTF8LMTPA",
        Protocol::UTF8LMTPS => "UTF8LMTPS",
        Protocol::UTF8LMTPSA => "UTF8LMTPSA",
        Protocol::HTTP => "HTTP",
        Protocol::HTTPS => "HTTPS",
        Protocol::IMAP => "IMAP",
        Protocol::POP3 => "POP3",
        Protocol::Local => "local",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_hop() {
        let hop = Hop::read(
            "from mx.example.org (host.example.net [192.0.2.7])\r\n by gate.example.com with ESMTPS id x;\r\n \
             Mon, 6 Jan 2025 10:00:00 +0100",
        );
        assert_eq!(
            (hop.from.as_str(), hop.by.as_str()),
            ("mx.example.org", "gate.example.com")
        );
        assert_eq!(
            (hop.ip, hop.rdns.as_str()),
            ("192.0.2.7".parse().ok(), "host.example.net")
        );
        assert_eq!(
            (hop.protocol.as_str(), hop.time),
            ("ESMTPS", "2025-01-06T09:00:00Z".parse().ok())
        );
        assert_eq!(Hop::read("nonsense").from, "");
    }

    #[test]
    fn reads_dates() {
        for (text, expected) in [
            ("Mon, 6 Jan 2025 10:00:00 +0000", Some("2025-01-06T10:00:00Z")),
            ("6 Jan 2025 10:00:00 GMT", Some("2025-01-06T10:00:00Z")),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(date(text), expected.and_then(|time| time.parse().ok()), "{text}");
        }
    }
}
