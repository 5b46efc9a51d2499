//! The header of a message or part: a block of lines becomes fields.
//!
//! Enters: bytes. Leaves: fields one by one, where the body starts, and what was odd. Lines end in
//! LF with or without CR. A line that is no field is skipped where a field follows it, and else
//! starts the body. Knows nothing of what any field means.

use super::defects::{Defect, Defects};
use super::{charset, encoded_word};
use std::borrow::Cow;

/// One header field as it stands in the message.
#[derive(Debug, Clone)]
pub struct Field<'m> {
    /// The name, in the sender's case.
    pub name: Cow<'m, str>,
    /// The body as it came, folds and all, without the white space around it; broken UTF-8 is replaced.
    pub raw: Cow<'m, str>,
    /// Unfolded, encoded words decoded.
    pub decoded: Cow<'m, str>,
}

impl<'m> Field<'m> {
    pub(super) fn new(lines: FieldLines<'m>, defects: &mut Defects) -> Self {
        let raw = charset::utf8_lossy(lines.body.trim_ascii());
        defects.add_if(matches!(raw, Cow::Owned(_)), Defect::HEADER_8BIT);
        Self {
            name: charset::utf8_lossy(lines.name),
            raw,
            decoded: encoded_word::decode(lines.body),
        }
    }
}

/// A field still in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FieldLines<'m> {
    pub(super) name: &'m [u8],
    /// From behind the colon up to the last line end, that one left out.
    pub(super) body: &'m [u8],
}

/// Reads fields from the start of `bytes` on.
#[derive(Debug)]
pub(super) struct HeaderReader<'m> {
    bytes: &'m [u8],
    position: usize,
}

/// One line: its content, and where the next one starts.
#[derive(Clone, Copy)]
struct Line<'m> {
    content: &'m [u8],
    next: usize,
}

impl<'m> HeaderReader<'m> {
    pub(super) fn new(bytes: &'m [u8], position: usize) -> Self {
        Self { bytes, position }
    }

    /// Where the body starts, once [`Self::next_field`] has given `None`.
    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// Steps over empty lines and an mbox envelope line before a message's first field.
    pub(super) fn skip_preface(&mut self, defects: &mut Defects) {
        let start = self.position;
        while let Some(line) = self.line(self.position)
            && line.content.is_empty()
        {
            self.position = line.next;
        }
        let is_field = self
            .line(self.position)
            .is_some_and(|line| starts_message(line.content));
        if self.position > start && is_field {
            defects.add(Defect::BLANK_BEFORE_HEADER);
        } else {
            self.position = start;
        }
        if let Some(line) = self.line(self.position)
            && is_mbox_line(line.content)
        {
            defects.add(Defect::MBOX_FROM_LINE);
            self.position = line.next;
        }
    }

    /// Steps over an empty line that stands before a part's Content fields: strict readers take them
    /// for text then, lenient ones don't.
    pub(super) fn skip_blank_before_content(&mut self, defects: &mut Defects) {
        if let Some(blank) = self.line(self.position)
            && blank.content.is_empty()
            && let Some(first) = self.line(blank.next)
            && let Some(start) = first.content.get(..8)
            && start.eq_ignore_ascii_case(b"content-")
            && name_of(first.content).is_some()
        {
            defects.add(Defect::BLANK_BEFORE_HEADER);
            self.position = blank.next;
        }
    }

    /// The next field; `None` at the empty line, which is consumed, or at whatever else ends the
    /// header. `is_delimiter` recognises the boundary lines of the multiparts around.
    pub(super) fn next_field(
        &mut self,
        defects: &mut Defects,
        is_delimiter: impl Fn(&[u8]) -> bool,
    ) -> Option<FieldLines<'m>> {
        loop {
            let line = self.line(self.position)?;
            if line.content.is_empty() {
                self.position = line.next;
                return None;
            }
            if line.content.starts_with(b"--") && is_delimiter(line.content) {
                return None;
            }
            if let Some(name) = name_of(line.content) {
                return Some(self.field(line, name, defects));
            }
            defects.add(Defect::HEADER_LINE_BROKEN);
            let follows = self.line(line.next).map(|next| next.content);
            if !follows.is_some_and(|next| next.is_empty() || is_folded(next) || name_of(next).is_some()) {
                return None;
            }
            self.position = line.next;
        }
    }

    fn field(&mut self, first: Line<'m>, name: &'m [u8], defects: &mut Defects) -> FieldLines<'m> {
        let trimmed = name.trim_ascii_end();
        defects.add_if(trimmed.len() < name.len(), Defect::HEADER_SPACE_BEFORE_COLON);
        defects.add_if(!trimmed.is_ascii(), Defect::HEADER_8BIT);
        let start = self.position + name.len() + 1;
        let mut end = self.position + first.content.len();
        let mut next = first.next;
        while let Some(line) = self.line(next)
            && is_folded(line.content)
        {
            defects.add_if(line.content.trim_ascii().is_empty(), Defect::BLANK_FOLD);
            end = next + line.content.len();
            next = line.next;
        }
        self.position = next;
        FieldLines {
            name: trimmed,
            body: self.bytes.get(start..end).unwrap_or_default(),
        }
    }

    fn line(&self, start: usize) -> Option<Line<'m>> {
        let rest = self.bytes.get(start..).filter(|rest| !rest.is_empty())?;
        let (content, next) = match memchr::memchr(b'\n', rest) {
            Some(at) => (rest.get(..at).unwrap_or(rest), start + at + 1),
            None => (rest, self.bytes.len()),
        };
        Some(Line {
            content: content.strip_suffix(b"\r").unwrap_or(content),
            next,
        })
    }
}

fn is_folded(line: &[u8]) -> bool {
    matches!(line.first(), Some(b' ' | b'\t'))
}

/// `From ` and an address, which mboxes put before each message; a field's name is followed by a colon.
fn is_mbox_line(line: &[u8]) -> bool {
    let line = line.strip_prefix(b">").unwrap_or(line);
    line.strip_prefix(b"From ")
        .is_some_and(|rest| !rest.trim_ascii_start().starts_with(b":"))
}

/// Whether a line is a field that messages start with. A name alone won't do: `http:` is one too.
fn starts_message(line: &[u8]) -> bool {
    const NAMES: &[&str] = &[
        "received",
        "return-path",
        "delivered-to",
        "from",
        "to",
        "subject",
        "date",
        "message-id",
        "mime-version",
        "content-type",
        "dkim-signature",
        "reply-to",
        "sender",
    ];
    name_of(line).is_some_and(|name| {
        let name = name.trim_ascii_end();
        NAMES.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
    })
}

/// What stands before the colon, white space at its end included; `None` when that can't be a
/// field's name (RFC 5322 §2.2, with 8-bit bytes allowed).
fn name_of(line: &[u8]) -> Option<&[u8]> {
    let name = line.get(..memchr::memchr(b':', line)?)?;
    let trimmed = name.trim_ascii_end();
    let fine = !trimmed.is_empty() && trimmed.iter().all(|byte| *byte > b' ' && *byte != 0x7f);
    fine.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> (Vec<(String, String)>, usize, Vec<&'static str>) {
        let mut defects = Defects::default();
        let mut reader = HeaderReader::new(bytes, 0);
        reader.skip_preface(&mut defects);
        let mut fields = Vec::new();
        while let Some(lines) = reader.next_field(&mut defects, |line| line == b"--b") {
            let field = Field::new(lines, &mut defects);
            fields.push((field.name.into_owned(), field.decoded.into_owned()));
        }
        let words = defects.sorted().into_iter().map(|defect| defect.0).collect();
        (fields, reader.position(), words)
    }

    fn one(name: &str, body: &str) -> (String, String) {
        (name.to_owned(), body.to_owned())
    }

    #[test]
    fn reads_fields_up_to_the_empty_line() {
        let (fields, body, defects) = read(b"A: 1\r\nB: two\r\n three\r\n\r\nbody");
        assert_eq!(fields, [one("A", "1"), one("B", "two three")]);
        assert_eq!((body, defects.len()), (24, 0));
    }

    #[test]
    fn odd_headers_are_read_and_named() {
        for (bytes, fields, defect) in [
            (&b"A : 1\n\n"[..], vec![one("A", "1")], "header-space-before-colon"),
            (b"\r\n\r\nTo: 1\r\n\r\n", vec![one("To", "1")], "blank-before-header"),
            (
                b"From x@example.org Mon\nA: 1\n\n",
                vec![one("A", "1")],
                "mbox-from-line",
            ),
            // The author, however it is spaced: a message can't hide it as the envelope line of an mbox.
            (b"From : a@b\n\n", vec![one("From", "a@b")], "header-space-before-colon"),
            (
                b"From \t : a@b\n\n",
                vec![one("From", "a@b")],
                "header-space-before-colon",
            ),
            (
                b"A: 1\nnonsense\nB: 2\n\n",
                vec![one("A", "1"), one("B", "2")],
                "header-line-broken",
            ),
            (
                b"A: 1\njust text\nmore text\n",
                vec![one("A", "1")],
                "header-line-broken",
            ),
            (b"A: 1\n \n 2\n\n", vec![one("A", "1 2")], "blank-fold"),
            (b"A: \xff\n\n", vec![one("A", "\u{ff}")], "header-8bit"),
        ] {
            let (found, _, defects) = read(bytes);
            assert_eq!((found, defects), (fields, vec![defect]), "{bytes:?}");
        }
    }

    #[test]
    fn a_delimiter_ends_the_header() {
        let (fields, position, defects) = read(b"A: 1\n--b\nB: 2\n");
        assert_eq!((fields.len(), position, defects.len()), (1, 5, 0));
    }

    #[test]
    fn text_without_a_header_is_body() {
        assert_eq!(read(b"just text\nand more\n").1, 0);
        assert_eq!(read(b"").1, 0);
    }
}
