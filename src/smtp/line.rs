//! Finds command lines in what has been read: bytes enter, the length of a line or a [`Refusal`] leaves.
//!
//! Only CRLF ends a command. A bare LF ends the session instead, as strictly as in a message: what
//! follows it must never be read as a command. Copies nothing; message bodies are `data`'s.

use super::command::LINE_WITH_PARAMETERS_MAX;
use super::refusal::Refusal;
use memchr::{memchr, memmem};

/// How much of one over-long line is read and thrown away before the session ends.
pub const SKIP_MAX: usize = 64 * 1024;

/// What a buffer begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// A line of this many octets, and its CRLF after them.
    Line(usize),
    /// The beginning of a line: read on.
    Incomplete,
    /// Nothing to keep of this many octets; the line they belong to has not ended: read on.
    Skip(usize),
    /// This many octets are, or end, a line that is refused.
    Refused(usize, Refusal),
}

/// Finds one command line after the other, whatever chunks they come in.
#[derive(Debug, Default)]
pub struct LineFinder {
    /// Octets thrown away of a line that is too long.
    skipped: usize,
}

impl LineFinder {
    /// Looks at the unread octets; the caller removes what the answer names before it asks again.
    pub fn find(&mut self, buffer: &[u8]) -> Found {
        if self.skipped > 0 {
            return self.skip(buffer);
        }
        let Some(end) = memchr(b'\n', buffer) else {
            return if buffer.len() < LINE_WITH_PARAMETERS_MAX {
                Found::Incomplete
            } else {
                self.skip(buffer)
            };
        };
        let length = end.wrapping_sub(1);
        if buffer.get(length) != Some(&b'\r') {
            return Found::Refused(end + 1, Refusal::BareLineFeed);
        }
        if end + 1 > LINE_WITH_PARAMETERS_MAX {
            return Found::Refused(end + 1, Refusal::LineTooLong);
        }
        Found::Line(length)
    }

    /// The rest of a line that is too long, up to its CRLF.
    fn skip(&mut self, buffer: &[u8]) -> Found {
        if let Some(at) = memmem::find(buffer, b"\r\n") {
            self.skipped = 0;
            return Found::Refused(at + 2, Refusal::LineTooLong);
        }
        // The last octet stays: it may be the CR of the CRLF.
        let skip = buffer.len().saturating_sub(1);
        self.skipped = self.skipped.saturating_add(skip);
        if self.skipped > SKIP_MAX {
            return Found::Refused(buffer.len(), Refusal::LineEndless);
        }
        if skip == 0 {
            Found::Incomplete
        } else {
            Found::Skip(skip)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything found in `input` when it comes in pieces of `step` octets.
    fn run(input: &[u8], step: usize) -> Vec<Result<Vec<u8>, Refusal>> {
        let mut finder = LineFinder::default();
        let (mut buffer, mut lines) = (Vec::new(), Vec::new());
        for chunk in input.chunks(step) {
            buffer.extend_from_slice(chunk);
            loop {
                match finder.find(&buffer) {
                    Found::Line(length) => {
                        lines.push(Ok(buffer[..length].to_vec()));
                        buffer.drain(..length + 2);
                    }
                    Found::Incomplete => break,
                    Found::Skip(count) => drop(buffer.drain(..count)),
                    Found::Refused(count, refusal) => {
                        lines.push(Err(refusal));
                        buffer.drain(..count);
                        if refusal == Refusal::LineEndless {
                            return lines;
                        }
                    }
                }
                assert!(buffer.len() <= LINE_WITH_PARAMETERS_MAX + step);
            }
        }
        lines
    }

    #[test]
    fn lines_end_in_crlf_alone_at_any_split() {
        let input = b"NOOP\r\nQUIT\r\nA\rB\r\n\r\nX\nY\r\n\nZ\r\n";
        let whole = run(input, input.len());
        assert_eq!(
            whole,
            [
                Ok(b"NOOP".to_vec()),
                Ok(b"QUIT".to_vec()),
                Ok(b"A\rB".to_vec()),
                Ok(Vec::new()),
                Err(Refusal::BareLineFeed),
                Ok(b"Y".to_vec()),
                Err(Refusal::BareLineFeed),
                Ok(b"Z".to_vec()),
            ]
        );
        for step in 1..input.len() {
            assert_eq!(run(input, step), whole, "{step}");
        }
    }

    #[test]
    fn a_line_has_its_longest_at_any_split() {
        let line = |length: usize| [vec![b'x'; length - 2], b"\r\nNOOP\r\n".to_vec()].concat();
        for (length, fits) in [
            (LINE_WITH_PARAMETERS_MAX - 1, true),
            (LINE_WITH_PARAMETERS_MAX, true),
            (LINE_WITH_PARAMETERS_MAX + 1, false),
        ] {
            for step in [1, 7, 2047, 2048, 2049, 4096] {
                let lines = run(&line(length), step);
                assert_eq!(lines.len(), 2, "{length} in steps of {step}");
                assert_eq!(lines[0].is_ok(), fits, "{length} in steps of {step}");
                assert_eq!(lines[1], Ok(b"NOOP".to_vec()));
            }
        }
    }

    #[test]
    fn a_line_that_will_not_end_ends_the_session() {
        let endless = vec![b'x'; SKIP_MAX + LINE_WITH_PARAMETERS_MAX];
        assert_eq!(run(&endless, 1000).first(), Some(&Err(Refusal::LineEndless)));
        let long = [vec![b'x'; SKIP_MAX - 1], b"\r\n".to_vec()].concat();
        assert_eq!(run(&long, 1000), [Err(Refusal::LineTooLong)]);
    }
}
