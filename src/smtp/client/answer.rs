//! Reads a server's reply, line by line (RFC 5321 §4.2).
//!
//! Lines go in without their CRLF, one whole [`Reply`] comes out. Pure; how bytes become lines, and
//! what a reply means, is for others.

use super::Fault;
use crate::smtp::Reply;

/// The longest reply line that is borne, CRLF included. RFC 5321 §4.5.3.1.5 says 512; real servers exceed it.
pub(super) const LINE_OCTETS_MAX: usize = 2048;
/// The most lines of one reply.
pub(super) const LINES_MAX: usize = 128;
/// The most octets of one reply, over all its lines.
pub(super) const OCTETS_MAX: usize = 64 * 1024;

/// A reply in the making.
#[derive(Debug, Default)]
pub(super) struct Answer {
    code: Option<u16>,
    lines: Vec<String>,
    octets: usize,
}

impl Answer {
    /// Takes one line without its CRLF. The reply, when this line was its last.
    pub(super) fn line(&mut self, line: &[u8]) -> Result<Option<Reply>, Fault> {
        let (code, is_last, text) = split(line)?;
        if self.code.is_some_and(|first| first != code) {
            return Err(Fault::Garbled("the lines of a reply carry different codes"));
        }
        self.code = Some(code);
        self.octets += line.len() + 2;
        if self.octets > OCTETS_MAX || self.lines.len() == LINES_MAX {
            return Err(Fault::Garbled("a reply goes on and on"));
        }
        self.lines.push(String::from_utf8_lossy(text).into_owned());
        if !is_last {
            return Ok(None);
        }
        let lines = std::mem::take(&mut self.lines);
        *self = Self::default();
        Reply::from_lines(code, lines)
            .map(Some)
            .ok_or(Fault::Garbled("a reply code is out of range"))
    }
}

/// Code, whether this is the last line, text.
fn split(line: &[u8]) -> Result<(u16, bool, &[u8]), Fault> {
    const NO_CODE: Fault = Fault::Garbled("a reply line starts with no reply code");
    let (digits, rest) = line.split_at_checked(3).ok_or(NO_CODE)?;
    let &[first @ b'2'..=b'5', second @ b'0'..=b'9', third @ b'0'..=b'9'] = digits else {
        return Err(NO_CODE);
    };
    let code = [first, second, third]
        .iter()
        .fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
    match rest.split_first() {
        // Some servers leave the space out when there is no text.
        None => Ok((code, true, rest)),
        Some((b' ', text)) => Ok((code, true, text)),
        Some((b'-', text)) => Ok((code, false, text)),
        Some(_) => Err(Fault::Garbled("a reply code is followed by neither space nor hyphen")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Result<Option<Reply>, Fault> {
        let mut answer = Answer::default();
        let mut last = Ok(None);
        for line in lines {
            last = answer.line(line.as_bytes());
            if last.is_err() {
                break;
            }
        }
        last
    }

    #[test]
    fn whole_replies_are_read() {
        let reply = read(&["250-first", "250-", "250 last"]).unwrap().unwrap();
        assert_eq!((reply.code(), reply.lines().join("|")), (250, "first||last".into()));
        assert_eq!(read(&["354"]).unwrap().unwrap().code(), 354);
        assert_eq!(read(&["599 x"]).unwrap().unwrap().code(), 599);
        assert_eq!(read(&["250-more"]).unwrap(), None);
    }

    #[test]
    fn text_that_is_not_utf8_is_replaced() {
        let reply = Answer::default().line(b"550 caf\xe9").unwrap().unwrap();
        assert_eq!(reply.lines(), ["caf\u{fffd}"]);
    }

    #[test]
    fn what_is_no_reply_is_a_fault() {
        for lines in [
            &[""][..],
            &["25"],
            &["199 x"],
            &["600 x"],
            &["2x0 x"],
            &["250x"],
            &["250\tx"],
            &["+OK"],
            &["250-a", "251 b"],
            &["250-a", ""],
        ] {
            assert!(matches!(read(lines), Err(Fault::Garbled(_))), "{lines:?}");
        }
    }

    #[test]
    fn the_number_of_lines_is_bounded() {
        for (count, fine) in [(LINES_MAX - 1, true), (LINES_MAX, true), (LINES_MAX + 1, false)] {
            let mut lines = vec!["250-x"; count - 1];
            lines.push("250 x");
            assert_eq!(read(&lines).is_ok(), fine, "{count}");
        }
    }

    #[test]
    fn the_octets_of_a_reply_are_bounded() {
        // 32 lines of 2,048 octets are exactly the limit.
        for (text, fine) in [(2041, true), (2042, true), (2043, false)] {
            let lines: Vec<String> = (0..32)
                .map(|line| {
                    format!(
                        "250{}{}",
                        if line == 31 { ' ' } else { '-' },
                        "x".repeat(if line == 0 { text } else { 2042 })
                    )
                })
                .collect();
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            assert_eq!(read(&lines).is_ok(), fine, "{text}");
        }
    }
}
