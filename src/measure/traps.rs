//! What gives the label of archived mail away, taken out before it is judged.
//!
//! Bytes in, bytes out: header fields that filters wrote go, addresses of traps are written over. Knows nothing of
//! labels, nor of what rules ask.

use memchr::memmem;
use std::str::FromStr;

/// What stands in place of a masked address.
const MASK: &str = "somebody@example.org";

/// How the header fields begin, in lower case, that filters write, ours among them, and the mailboxes behind them: what
/// they hold is a verdict, or says whose mailbox it was, and a rule that reads it measures the other filter.
pub const VERDICT_FIELDS: &[&str] = &[
    "arc-",
    "authentication-results",
    "dkim-filter",
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
    "x-incomingheadercount",
    "x-incomingtopheadermarker",
    "x-ironport",
    "x-kaspersky",
    "x-mailscanner",
    "x-message-delivery",
    "x-message-info",
    "x-microsoft-antispam",
    "x-mimecast-spam",
    "x-ms-exchange-",
    "x-ms-office365-filtering",
    "x-ms-publictraffictype",
    "x-ms-traffictypediagnostic",
    "x-ms-userlastlogontime",
    "x-mxscan",
    "x-original-auth",
    "x-ovh-spam",
    "x-pmx",
    "x-portreeve-",
    "x-proofpoint",
    "x-rspamd",
    "x-scanned",
    "x-scl",
    "x-sender-ip",
    "x-sid-",
    "x-sophos",
    "x-spam",
    "x-tm-as-",
    "x-vade",
    "x-virus",
];

/// What is taken out.
#[derive(Debug, Clone, Default)]
pub struct Traps {
    /// Whether that is what [`VERDICT_FIELDS`] names.
    pub verdicts: bool,
    /// Further header fields.
    pub fields: Vec<FieldNames>,
    /// Addresses that give the label away, such as that of a trap.
    pub addresses: Vec<String>,
}

/// The name of a header field, or how names begin (`X-Filter-*`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldNames {
    /// In lower case.
    name: String,
    is_beginning: bool,
}

impl FromStr for FieldNames {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, is_beginning) = match text.strip_suffix('*') {
            Some(name) => (name, true),
            None => (text, false),
        };
        // RFC 5322 §3.6.8: printable, and no colon. Nothing but a star would take the whole header.
        let is_name = !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !b":*".contains(&byte));
        match is_name {
            true => Ok(Self {
                name: name.to_ascii_lowercase(),
                is_beginning,
            }),
            false => Err("no name of a header field, such as X-Verdict or X-Filter-*"),
        }
    }
}

impl FieldNames {
    fn has(&self, line: &[u8]) -> bool {
        let rest = after(line, &self.name);
        rest.is_some_and(|rest| self.is_beginning || rest.trim_ascii_start().starts_with(b":"))
    }
}

impl Traps {
    /// The message without them.
    pub fn taken_out(&self, bytes: Vec<u8>) -> Vec<u8> {
        let mut bytes = match self.verdicts || !self.fields.is_empty() {
            true => self.without_fields(&bytes),
            false => bytes,
        };
        for address in self.addresses.iter().filter(|address| !address.is_empty()) {
            bytes = masked(&bytes, address);
        }
        bytes
    }

    fn without_fields(&self, bytes: &[u8]) -> Vec<u8> {
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
                dropping = self.names(line);
            }
            if !dropping {
                out.extend_from_slice(line);
            }
            rest = next;
        }
        out.extend_from_slice(rest);
        out
    }

    fn names(&self, line: &[u8]) -> bool {
        let is_verdict = self.verdicts && VERDICT_FIELDS.iter().any(|prefix| after(line, prefix).is_some());
        is_verdict || self.fields.iter().any(|names| names.has(line))
    }
}

/// What comes after a beginning, in whatever case it is written.
fn after<'l>(line: &'l [u8], beginning: &str) -> Option<&'l [u8]> {
    let (start, rest) = line.split_at_checked(beginning.len())?;
    start.eq_ignore_ascii_case(beginning.as_bytes()).then_some(rest)
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

    const MAIL: &str = "Return-Path: <bounce@sender.example>\r\n\
        X-MS-Exchange-Organization-SCL: 9\r\n\
        Authentication-Results: spf=fail\r\n\tdkim=none\r\n\
        x-spam-flag: YES\r\n\
        From: a@sender.example\r\n\
        X-Filter : a\r\n\
        X-Filter-Level: 1\r\n continued\r\n\
        Subject: x\r\n folded\r\n\
        \r\n\
        X-Spam-Flag: in the body, trap@pot said\r\n";

    fn without(traps: &Traps) -> String {
        String::from_utf8(traps.taken_out(MAIL.into())).unwrap()
    }

    fn lines_but(cut: &[&str]) -> String {
        let kept = |line: &&str| !cut.iter().any(|cut| line.starts_with(cut));
        MAIL.split_inclusive("\r\n").filter(kept).collect()
    }

    fn verdicts() -> Traps {
        Traps {
            verdicts: true,
            ..Traps::default()
        }
    }

    #[test]
    fn what_filters_wrote_goes_and_nothing_else() {
        assert_eq!(without(&verdicts()), lines_but(&["X-MS-", "Authe", "\tdkim", "x-spam"]));
        assert!(without(&verdicts()).contains("\r\n\r\nX-Spam-Flag: in the body"));
        for odd in [
            "",
            "\r\n",
            "X-Spam: y",
            "no header at all",
            "X-Spam: y\r\n\r\n",
            "X-Spam: y\n z\nA: b\n\nc",
        ] {
            let kept = verdicts().taken_out(odd.into());
            assert!(!kept.to_ascii_lowercase().starts_with(b"x-spam"), "{odd:?} {kept:?}");
        }
    }

    #[test]
    fn further_fields_go_by_their_name_or_by_how_it_begins() {
        for (asked, cut) in [
            ("x-filter", &["X-Filter "][..]),
            ("X-Filter-*", &["X-Filter-", " continued"]),
            ("X-FILTER*", &["X-Filter", " continued"]),
            ("X-Filt", &[]),
            ("subject", &["Subject", " folded"]),
        ] {
            let traps = Traps {
                fields: vec![asked.parse().unwrap()],
                ..Traps::default()
            };
            assert_eq!(without(&traps), lines_but(cut), "{asked}");
        }
        for bad in ["", "*", "X-Filter:", "X Filter", "X-*-Y", "X-Fïlter"] {
            assert!(bad.parse::<FieldNames>().is_err(), "{bad}");
        }
    }

    #[test]
    fn every_beginning_is_lower_case_in_order_and_stands_once() {
        assert!(VERDICT_FIELDS.is_sorted());
        for prefix in VERDICT_FIELDS {
            assert_eq!(*prefix, prefix.to_ascii_lowercase());
            let alike = VERDICT_FIELDS.iter().filter(|other| prefix.starts_with(*other));
            assert_eq!(alike.count(), 1, "{prefix}");
        }
    }

    #[test]
    fn a_masked_address_is_gone_wherever_it_stood() {
        let traps = Traps {
            addresses: vec!["trap@pot".to_owned(), String::new()],
            ..Traps::default()
        };
        assert_eq!(without(&traps), MAIL.replace("trap@pot", MASK));
        assert_eq!(without(&Traps::default()), MAIL);
    }
}
