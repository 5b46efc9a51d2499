//! What a server's EHLO reply offers (RFC 5321 §4.1.1.1).
//!
//! A reply goes in, flags come out. Knows nothing of how they are used; unknown keywords are skipped.

use super::Attributes;
use crate::smtp::Reply;

/// The extensions that matter to us; the default is a server that knows only HELO.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extensions {
    /// PIPELINING (RFC 2920).
    pub pipelining: bool,
    /// SIZE (RFC 1870) is offered.
    pub size: bool,
    /// SIZE's limit in bytes; `None` when it states none.
    pub size_limit: Option<u64>,
    /// 8BITMIME (RFC 6152).
    pub eight_bit_mime: bool,
    /// SMTPUTF8 (RFC 6531).
    pub smtputf8: bool,
    /// DSN (RFC 3461).
    pub dsn: bool,
    /// STARTTLS (RFC 3207).
    pub starttls: bool,
    /// ENHANCEDSTATUSCODES (RFC 2034).
    pub enhanced_status_codes: bool,
    /// CHUNKING (RFC 3030).
    pub chunking: bool,
    /// What XCLIENT takes, when we may say it.
    pub xclient: Option<Attributes>,
    /// The same of XFORWARD.
    pub xforward: Option<Attributes>,
}

impl Extensions {
    /// Reads an EHLO reply; its first line is the server's name and offers nothing.
    pub fn of(reply: &Reply) -> Self {
        let mut extensions = Self::default();
        for line in reply.lines().iter().skip(1) {
            extensions.offer(line);
        }
        extensions
    }

    fn offer(&mut self, line: &str) {
        let mut words = line.split_ascii_whitespace();
        match words.next().unwrap_or("").to_ascii_uppercase().as_str() {
            "PIPELINING" => self.pipelining = true,
            "SIZE" => {
                self.size = true;
                // RFC 1870 §4: zero, or no number, states no limit.
                self.size_limit = words
                    .next()
                    .and_then(|limit| limit.parse().ok())
                    .filter(|limit| *limit > 0);
            }
            "8BITMIME" => self.eight_bit_mime = true,
            "SMTPUTF8" => self.smtputf8 = true,
            "DSN" => self.dsn = true,
            "STARTTLS" => self.starttls = true,
            "XCLIENT" => self.xclient = Attributes::offered(words),
            "XFORWARD" => self.xforward = Attributes::offered(words),
            "ENHANCEDSTATUSCODES" => self.enhanced_status_codes = true,
            "CHUNKING" => self.chunking = true,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[&str]) -> Extensions {
        Extensions::of(&Reply::from_lines(250, lines.iter().map(|line| (*line).to_owned()).collect()).unwrap())
    }

    #[test]
    fn keywords_are_known_in_any_case() {
        let all = of(&[
            "host",
            "pipelining",
            "Size 1000",
            "8BITMIME",
            "SMTPUTF8",
            "DSN",
            "STARTTLS",
            "ENHANCEDSTATUSCODES",
            "CHUNKING",
            "AUTH PLAIN",
            "XCLIENT addr helo",
            "xforward NAME ADDR",
            "",
        ]);
        assert!(all.pipelining && all.size && all.eight_bit_mime && all.smtputf8 && all.dsn && all.starttls);
        assert!(all.enhanced_status_codes && all.chunking);
        assert_eq!(all.size_limit, Some(1000));
        assert!(all.xclient.is_some() && all.xforward.is_some() && all.xclient != all.xforward);
    }

    #[test]
    fn the_first_line_offers_nothing() {
        assert_eq!(of(&["SMTPUTF8 PIPELINING"]), Extensions::default());
    }

    #[test]
    fn a_size_of_zero_or_nonsense_is_no_limit() {
        for line in ["SIZE", "SIZE 0", "SIZE x", "SIZE 99999999999999999999999"] {
            let extensions = of(&["host", line]);
            assert_eq!((extensions.size, extensions.size_limit), (true, None), "{line}");
        }
    }
}
