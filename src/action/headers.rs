//! The headers that we add and those that we take away; everything else stays byte for byte.
//!
//! Knows nothing of why: it is told the verdict in words.

use crate::evidence::MethodResult;
use crate::mail::{Direction, Mail};
use bytes::Bytes;
use jiff::tz::TimeZone;

/// Who we are in headers.
#[derive(Debug, Clone)]
pub struct Stamp {
    /// Our host name: the `by` of Received and our id in Authentication-Results.
    pub hostname: String,
}

/// What the headers tell of the verdict.
#[derive(Debug, Clone)]
pub struct Marking {
    /// The verdict's word.
    pub verdict: &'static str,
    /// Points.
    pub score: f64,
    /// Points from which mail is tagged.
    pub required: f64,
    /// Rules that count.
    pub rules: Vec<String>,
    /// Whether mail clients are to see it as spam.
    pub tagged: bool,
    /// False in observe mode: the message goes on unmarked.
    pub shown: bool,
}

/// What was found of who vouches for the message.
#[derive(Debug, Clone, Copy, Default)]
pub struct Findings<'f> {
    /// For Authentication-Results.
    pub results: &'f [MethodResult],
    /// Whole fields of ours that seal them, CRLF-ended; empty where nobody seals.
    pub seal: &'f str,
}

/// Beyond so many names the header says how many more there are.
const RULES_SHOWN_MOST: usize = 20;

/// The fields to stand before the message, CRLF-ended (`operations.md`, "Headers").
pub fn added(mail: &Mail, stamp: &Stamp, findings: Findings<'_>, marking: &Marking) -> Bytes {
    let mut out = format!("{}{}", findings.seal, received(mail, stamp));
    if mail.direction == Direction::Inbound {
        let results = authentication(stamp, findings.results);
        out.push_str(&format!("Authentication-Results: {results}\r\n"));
    }
    out.push_str(&format!("X-Portreeve-Id: {}\r\n", mail.id));
    if mail.direction == Direction::Inbound && marking.shown {
        let rules = rule_names(&marking.rules);
        let (verdict, score) = (marking.verdict, marking.score);
        out.push_str(&format!(
            "X-Portreeve-Verdict: {verdict}; score={score:.1};\r\n rules={rules}\r\n"
        ));
        if marking.tagged {
            out.push_str("X-Spam-Flag: YES\r\n");
            out.push_str(&format!(
                "X-Spam-Status: Yes, score={score:.1} required={:.1}\r\n tests={rules}\r\n",
                marking.required
            ));
            out.push_str(&format!("X-Spam-Level: {}\r\n", "*".repeat(stars(score))));
        }
    }
    // A message that begins with a fold would continue our last field: let it be one that says nothing.
    if matches!(mail.bytes.first(), Some(b' ' | b'\t')) {
        out.push_str("X-Portreeve-Defect: blank-before-header\r\n");
    }
    Bytes::from(out)
}

/// One star a point, as mail clients' filters count them, at most 50.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped first")]
fn stars(score: f64) -> usize {
    score.clamp(0.0, 50.0) as usize
}

/// RFC 5321 §4.4. The HELO name is the client's own claim: kept to what can't break the field.
fn received(mail: &Mail, stamp: &Stamp) -> String {
    let helo: String = mail
        .client
        .helo
        .chars()
        .map(|c| if is_plain(c) { c } else { '?' })
        .take(255)
        .collect();
    let helo = if helo.is_empty() { "unknown".to_owned() } else { helo };
    let address = match mail.client.address.map(|address| address.ip().to_canonical()) {
        Some(std::net::IpAddr::V6(v6)) => format!("[IPv6:{v6}]"),
        Some(v4) => format!("[{v4}]"),
        None => "unknown".to_owned(),
    };
    // A front states the name, so it is no claim of the client's; kept to what can't break the field.
    let name: String = mail
        .client
        .name
        .iter()
        .flat_map(|name| name.chars())
        .take(255)
        .collect();
    let address = if name.is_empty() {
        address
    } else {
        format!("{} {address}", name.replace(|c| !is_plain(c), "?"))
    };
    let date = jiff::fmt::rfc2822::to_string(&mail.received.to_zoned(TimeZone::UTC)).unwrap_or_default();
    format!(
        "Received: from {helo} ({address})\r\n by {} with {} id {};\r\n {date}\r\n",
        stamp.hostname,
        protocol(mail),
        mail.id
    )
}

/// What was found of who vouches for a message, after our name (RFC 8601 §2.2), a line each.
pub fn authentication(stamp: &Stamp, results: &[MethodResult]) -> String {
    let mut out = stamp.hostname.clone();
    for result in results {
        out.push_str(&format!(";\r\n {}={}", result.method, result.result));
        if !result.reason.is_empty() {
            out.push_str(&format!(" reason=\"{}\"", result.reason));
        }
        for (property, text) in &result.properties {
            out.push_str(&format!("\r\n  {property}={}", value(text)));
        }
    }
    if results.is_empty() {
        out.push_str("; none");
    }
    out
}

/// Text that a sender may have made up, so that it stays one value: a token, or else quoted (RFC 2045 §5.1).
fn value(text: &str) -> String {
    const VALUE_MAX: usize = 255;
    // An apostrophe may stand in a token, but some readers take it for a quote.
    let is_token = |c: char| c.is_ascii_graphic() && !"()<>@,;:\\\"/[]?='".contains(c);
    if (1..=VALUE_MAX).contains(&text.len()) && text.chars().all(is_token) {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in text.chars().take(VALUE_MAX) {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' '..='~' => quoted.push(c),
            _ => quoted.push('?'),
        }
    }
    quoted.push('"');
    quoted
}

/// RFC 3848 and RFC 6531 §4.3.
fn protocol(mail: &Mail) -> &'static str {
    let utf8 = mail.envelope.parameter("SMTPUTF8").is_some();
    match (mail.client.extended, mail.client.tls.is_some(), utf8) {
        (false, ..) => "SMTP",
        (true, false, false) => "ESMTP",
        (true, true, false) => "ESMTPS",
        (true, false, true) => "UTF8SMTP",
        (true, true, true) => "UTF8SMTPS",
    }
}

const fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | ':' | '[' | ']')
}

fn rule_names(rules: &[String]) -> String {
    let mut names = rules
        .iter()
        .take(RULES_SHOWN_MOST)
        .cloned()
        .collect::<Vec<_>>()
        .join(",\r\n  ");
    if rules.len() > RULES_SHOWN_MOST {
        names.push_str(&format!(" (and {} more)", rules.len() - RULES_SHOWN_MOST));
    }
    if names.is_empty() { "none".to_owned() } else { names }
}

/// The message as it goes on: the added fields, then what was received, without the fields that
/// only we may write. Inbound alone; slices share the message's memory.
pub fn pieces(added: &Bytes, body: &Bytes, direction: Direction, stamp: &Stamp) -> Vec<Bytes> {
    let mut pieces = vec![added.clone()];
    let forged = if direction == Direction::Inbound {
        forged_fields(body, &stamp.hostname)
    } else {
        Vec::new()
    };
    let mut from = 0;
    for field in forged {
        pieces.push(body.slice(from..field.start));
        from = field.end;
    }
    pieces.push(body.slice(from..));
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// Byte ranges of whole fields (folds and line end included) that claim to be ours.
fn forged_fields(message: &[u8], hostname: &str) -> Vec<std::ops::Range<usize>> {
    let mut forged: Vec<std::ops::Range<usize>> = Vec::new();
    let (mut start, mut within_forged) = (0, false);
    while let Some(line) = message.get(start..).filter(|rest| !rest.is_empty()) {
        let length = memchr::memchr(b'\n', line).map_or(line.len(), |end| end + 1);
        let line = line.get(..length).unwrap_or(line);
        if line == b"\r\n" || line == b"\n" {
            break;
        }
        let is_fold = matches!(line.first(), Some(b' ' | b'\t'));
        within_forged = if is_fold {
            within_forged
        } else {
            is_ours(line, message.get(start..).unwrap_or(line), hostname)
        };
        if within_forged {
            match forged.last_mut() {
                Some(last) if last.end == start => last.end = start + length,
                _ => forged.push(start..start + length),
            }
        }
        start += length;
    }
    forged
}

fn is_ours(line: &[u8], from_line: &[u8], hostname: &str) -> bool {
    let Some(colon) = memchr::memchr(b':', line) else {
        return false;
    };
    // Some readers allow space before the colon (RFC 5322 §4.5), so a forger may use it.
    let name = line.get(..colon).unwrap_or_default().trim_ascii_end();
    let starts = |prefix: &[u8]| {
        name.get(..prefix.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(prefix))
    };
    let is = |whole: &[u8]| name.eq_ignore_ascii_case(whole);
    starts(b"X-Portreeve-")
        || is(b"X-Spam-Flag")
        || is(b"X-Spam-Status")
        || is(b"X-Spam-Level")
        || (is(b"Authentication-Results") && claims_id(from_line.get(colon + 1..).unwrap_or_default(), hostname))
}

/// Whether an Authentication-Results body names us as its author (RFC 8601 §5), comments and folds
/// before the id skipped. Looks at a bounded stretch: an id that lies beyond it isn't taken for ours
/// by any reader we know.
fn claims_id(body: &[u8], hostname: &str) -> bool {
    const LOOKED_AT_MOST: usize = 4096;
    let mut depth = 0_usize;
    let mut id = Vec::new();
    let mut previous = 0_u8;
    let mut is_escaped = false;
    for byte in body.iter().take(LOOKED_AT_MOST) {
        // A line end without a fold after it ends the field.
        if previous == b'\n' && !matches!(byte, b' ' | b'\t') {
            break;
        }
        previous = *byte;
        let escapes = !is_escaped && *byte == b'\\';
        let is_literal = std::mem::replace(&mut is_escaped, escapes);
        match byte {
            _ if escapes => {}
            byte if is_literal && depth == 0 => id.push(*byte),
            _ if is_literal => {}
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            b' ' | b'\t' | b'\r' | b'\n' | b'"' if id.is_empty() => {}
            b' ' | b'\t' | b'\r' | b'\n' | b';' | b'"' | b'/' => break,
            byte => id.push(*byte),
        }
    }
    let id = id.strip_suffix(b".").unwrap_or(&id);
    id.eq_ignore_ascii_case(hostname.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::{Client, Envelope};

    fn mail(direction: Direction) -> Mail {
        Mail {
            id: uuid::Uuid::nil(),
            received: "2026-11-23T09:00:00Z".parse().unwrap(),
            listener: "inbound".into(),
            direction,
            client: Client {
                address: Some("192.0.2.1:25".parse().unwrap()),
                name: Some("mx\r\nX: y".into()),
                helo: "a b\r\nX: y(".into(),
                extended: true,
                tls: Some("TLSv1.3".into()),
            },
            envelope: Envelope::default(),
            bytes: Bytes::new(),
        }
    }

    fn stamp() -> Stamp {
        Stamp {
            hostname: "mx.example.gov.uk".into(),
        }
    }

    fn marking(rules: &[&str], tagged: bool) -> Marking {
        let rules = rules.iter().map(|&rule| rule.to_owned()).collect();
        Marking {
            verdict: "tag",
            score: 6.24,
            required: 5.0,
            rules,
            tagged,
            shown: true,
        }
    }

    fn text_of(bytes: &Bytes) -> String {
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn inbound_mail_is_stamped_and_marked() {
        let rules = ["A", "B"];
        assert_eq!(
            text_of(&added(
                &mail(Direction::Inbound),
                &stamp(),
                Findings::default(),
                &marking(&rules, true)
            )),
            "Received: from a?b??X:?y? (mx??X:?y [192.0.2.1])\r\n by mx.example.gov.uk with ESMTPS id \
             00000000-0000-0000-0000-000000000000;\r\n Mon, 23 Nov 2026 09:00:00 +0000\r\n\
             Authentication-Results: mx.example.gov.uk; none\r\n\
             X-Portreeve-Id: 00000000-0000-0000-0000-000000000000\r\n\
             X-Portreeve-Verdict: tag; score=6.2;\r\n rules=A,\r\n  B\r\n\
             X-Spam-Flag: YES\r\nX-Spam-Status: Yes, score=6.2 required=5.0\r\n tests=A,\r\n  B\r\nX-Spam-Level: ******\r\n"
        );
    }

    #[test]
    fn results_stand_a_line_each_and_what_senders_make_up_is_quoted() {
        let result = |result, reason, properties: &[(&'static str, &str)]| MethodResult {
            method: "spf",
            result,
            reason,
            properties: properties
                .iter()
                .map(|(name, text)| (*name, (*text).to_owned()))
                .collect(),
        };
        let results = [
            result("pass", "", &[("smtp.mailfrom", "a.example")]),
            result(
                "permerror",
                "two records",
                &[("smtp.helo", "a; dkim=pass (\"x\\\r\n\u{e9}"), ("x.y", "")],
            ),
        ];
        assert_eq!(
            authentication(&stamp(), &results),
            "mx.example.gov.uk;\r\n spf=pass\r\n  smtp.mailfrom=a.example;\r\n spf=permerror reason=\"two records\"\r\n  \
             smtp.helo=\"a; dkim=pass (\\\"x\\\\???\"\r\n  x.y=\"\""
        );
        assert_eq!(authentication(&stamp(), &[]), "mx.example.gov.uk; none");
        let long = authentication(&stamp(), &[result("none", "", &[("smtp.helo", &"x".repeat(10_000))])]);
        assert!(long.len() < 400, "{}", long.len());
    }

    #[test]
    fn a_message_that_begins_with_a_fold_continues_no_field_that_matters() {
        for (bytes, guarded) in [
            (" score=0\r\n", true),
            ("\tx\r\n", true),
            ("Subject: x\r\n", false),
            ("", false),
        ] {
            let mail = Mail {
                bytes: Bytes::copy_from_slice(bytes.as_bytes()),
                ..mail(Direction::Inbound)
            };
            let added = text_of(&added(&mail, &stamp(), Findings::default(), &marking(&["A"], true)));
            assert_eq!(
                added.ends_with("X-Portreeve-Defect: blank-before-header\r\n"),
                guarded,
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn outbound_and_observed_mail_is_not_marked() {
        let outbound = text_of(&added(
            &mail(Direction::Outbound),
            &stamp(),
            Findings::default(),
            &marking(&[], true),
        ));
        assert!(outbound.contains("X-Portreeve-Id") && !outbound.contains("Verdict") && !outbound.contains("Auth"));
        let observed = Marking {
            shown: false,
            ..marking(&[], true)
        };
        assert!(
            !text_of(&added(
                &mail(Direction::Inbound),
                &stamp(),
                Findings::default(),
                &observed
            ))
            .contains("Verdict")
        );
    }

    fn stripped(message: &str, direction: Direction) -> String {
        let body = Bytes::copy_from_slice(message.as_bytes());
        text_of(&pieces(&Bytes::new(), &body, direction, &stamp()).concat().into())
    }

    #[test]
    fn only_what_claims_to_be_ours_is_taken_away() {
        let message = "X-Portreeve-Verdict: deliver;\r\n folded\r\nx-spam-flag : NO\r\nSubject: X-Spam-Flag: YES\r\n\
                       Authentication-Results: (c (n)) \"MX.example.gov.uk\"; spf=pass\r\n\
                       Authentication-Results: other.example; spf=pass\r\n\
                       Authentication-Results:\r\n mx.example.gov.uk 1;\r\n spf=pass\r\n\
                       X-Spam-Report: kept\r\n\r\nX-Portreeve-Id: body\r\n";
        let kept = "Subject: X-Spam-Flag: YES\r\nAuthentication-Results: other.example; spf=pass\r\n\
                    X-Spam-Report: kept\r\n\r\nX-Portreeve-Id: body\r\n";
        assert_eq!(stripped(message, Direction::Inbound), kept);
        assert_eq!(stripped(message, Direction::Outbound), message);
    }

    /// However our id is written, a reader who takes the field for ours must not get it (RFC 8601 §5).
    #[test]
    fn results_forged_in_our_name_are_taken_away_however_it_is_written() {
        for id in [
            "mx.example.gov.uk",
            "MX.Example.GOV.UK",
            "mx.example.gov.uk.",
            "\"mx.example.gov.uk\"",
            "\"mx\\.example.gov.uk\"",
            "(c) mx.example.gov.uk",
            "(a\\)b) mx.example.gov.uk",
            "(a\\(b) mx.example.gov.uk",
            "(a\\\\) mx.example.gov.uk",
            "(c)\r\n\t(d)\r\n mx.example.gov.uk",
            "mx.example.gov.uk/1",
            "mx.example.gov.uk(c)",
            "mx.example.gov.uk 1",
        ] {
            for name in [
                "Authentication-Results:",
                "authentication-RESULTS :",
                "Authentication-Results\t:\r\n",
            ] {
                let message = format!("{name} {id}; spf=pass\r\nSubject: x\r\n\r\n");
                assert_eq!(
                    stripped(&message, Direction::Inbound),
                    "Subject: x\r\n\r\n",
                    "{message:?}"
                );
            }
        }
        for id in [
            "(mx.example.gov.uk) other.example",
            "mx.example.gov.uk.other.example",
            "\\(mx.example.gov.uk",
        ] {
            let message = format!("Authentication-Results: {id}; spf=pass\r\n\r\n");
            assert_eq!(stripped(&message, Direction::Inbound), message);
        }
    }

    /// What a sender puts into HELO, the path or a signature's domain so that it ends the value for some reader.
    #[test]
    fn what_ends_a_value_for_some_reader_is_quoted() {
        for (text, expected) in [
            ("a.example(.evil.test", "\"a.example(.evil.test\""),
            ("a.example'.evil.test", "\"a.example'.evil.test\""),
            ("a.example\".evil.test", "\"a.example\\\".evil.test\""),
            ("a.example;dkim=pass", "\"a.example;dkim=pass\""),
            ("a.example\0.evil.test", "\"a.example?.evil.test\""),
            ("a.example", "a.example"),
        ] {
            assert_eq!(value(text), expected);
        }
    }

    #[test]
    fn odd_messages_pass_as_they_are() {
        for message in ["", "\r\n", "no colon\r\n", "a: b", " fold first\r\n\r\n", ":\r\n"] {
            assert_eq!(stripped(message, Direction::Inbound), message);
        }
    }
}
