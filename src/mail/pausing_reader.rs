//! Feeds HTML to the tokenizer so that its stack stays flat.
//!
//! html5gum 0.9 runs some states by direct calls. They form one cycle, from a double-quoted attribute
//! value to the next, so that ten thousand attributes in one tag would overflow the stack. This
//! reader breaks the cycle: it refuses the first read within each such value, which unwinds to the
//! tokenizer's loop with nothing consumed and the state already set. It also gives text in one piece over
//! its line ends, as CRLF, where the tokenizer alone would take a step for each. Knows nothing of HTML
//! beyond that.

use html5gum::{Readable, Reader};
use std::fmt;

/// Reads from a string, with a [`Pause`] before each double-quoted attribute value.
pub(super) struct PausingReader<'s> {
    rest: &'s [u8],
    has_paused: bool,
}

/// Bytes of text that are looked at first for where it ends.
const WINDOW_FIRST: usize = 256;

/// Not an error: the tokenizer is to be asked again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pause;

impl<'s> PausingReader<'s> {
    pub(super) fn new(source: &'s str) -> Self {
        Self {
            rest: source.as_bytes(),
            has_paused: false,
        }
    }

    /// Passes over the CR of a CRLF (HTML §13.2.3.5).
    #[inline(always)]
    fn at_line_end(&mut self) {
        if let [b'\r', rest @ ..] = self.rest
            && rest.first() == Some(&b'\n')
        {
            self.rest = rest;
        }
    }

    /// Takes so many of the bytes that are left.
    #[inline(always)]
    fn advance(&mut self, taken: usize) -> &'s [u8] {
        let (taken, rest) = self.rest.split_at_checked(taken).unwrap_or((self.rest, &[]));
        self.rest = rest;
        taken
    }
}

// Inlined into each state of the tokenizer, where the needle is a constant.
impl Reader for PausingReader<'_> {
    type Error = Pause;

    #[inline(always)]
    fn read_byte(&mut self) -> Result<Option<u8>, Pause> {
        self.at_line_end();
        Ok(self.advance(1).first().copied())
    }

    #[inline(always)]
    fn try_read_string(&mut self, text: &[u8], case_sensitive: bool) -> Result<bool, Pause> {
        let Ok(is_next) = self.rest.to_reader().try_read_string(text, case_sensitive);
        self.advance(if is_next { text.len() } else { 0 });
        Ok(is_next)
    }

    #[inline(always)]
    fn read_until<'b>(&'b mut self, needle: &[u8], char_buf: &'b mut [u8; 4]) -> Result<Option<&'b [u8]>, Pause> {
        // Only a double-quoted value looks for these two first.
        if needle.starts_with(b"\"&") {
            self.has_paused = !self.has_paused;
            if self.has_paused {
                return Err(Pause);
            }
        }
        // Only text looks for these three first.
        if needle.starts_with(b"&<\0") {
            return Ok(Some(self.advance(text_length(self.rest))).filter(|text| !text.is_empty()));
        }
        self.at_line_end();
        let mut reader = self.rest.to_reader();
        let Ok(chunk) = reader.read_until(needle, char_buf);
        let length = chunk.map(<[u8]>::len);
        Ok(length.map(|length| self.advance(length)))
    }
}

/// How far text goes: up to the next mark, or a mark alone. Line ends are part of it, but for a lone CR,
/// which the tokenizer makes a line end. Looks little further than it goes, in windows that grow: after a lone
/// CR it is asked again, and text may be nothing else.
#[inline(always)]
fn text_length(text: &[u8]) -> usize {
    let (mut from, mut width) = (0, WINDOW_FIRST);
    let end = loop {
        let window = text.get(from..).unwrap_or_default();
        let window = window.get(..width).unwrap_or(window);
        let mark = memchr::memchr3(b'&', b'<', 0, window);
        let before = window.get(..mark.unwrap_or(window.len())).unwrap_or_default();
        let is_lone = |at: &usize| text.get(from + at + 1) != Some(&b'\n');
        if let Some(end) = memchr::memchr_iter(b'\r', before).find(is_lone).or(mark) {
            break from + end;
        }
        from += window.len();
        width *= 2;
        if from == text.len() {
            break from;
        }
    };
    end.max(text.len().min(1))
}

impl fmt::Display for Pause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("paused")
    }
}

impl std::error::Error for Pause {}

#[cfg(test)]
mod tests {
    use super::*;
    use html5gum::{Token, Tokenizer};

    fn attributes(source: &str) -> Vec<(String, String)> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut found = Vec::new();
        for token in Tokenizer::new(PausingReader::new(source)) {
            if let Ok(Token::StartTag(tag)) = token {
                found.extend(tag.attributes.iter().map(|(name, value)| (text(name), text(value))));
            }
        }
        found
    }

    #[test]
    fn pauses_lose_nothing() {
        for source in [
            "<a x=\"1\" y=\"2&amp;3\"z=\"\">",
            "<a x=\"1&\" y=\"a\r\nb\" z='3' w=4 v>",
            "<a x = \"&#x41;&#x42;\" y=\"\0\">",
            "<a x=\"1",
        ] {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let mut expected = Vec::new();
            for Ok(token) in Tokenizer::new(source) {
                if let Token::StartTag(tag) = token {
                    expected.extend(tag.attributes.iter().map(|(name, value)| (text(name), text(value))));
                }
            }
            assert_eq!(attributes(source), expected, "{source:?}");
        }
    }

    fn texts(tokens: impl Iterator<Item = Token>) -> String {
        let text = |token| match token {
            Token::String(text) => String::from_utf8_lossy(&text.value).into_owned(),
            Token::Error(_) => String::new(),
            other => format!("{other:?}"),
        };
        tokens.map(text).collect()
    }

    #[test]
    fn text_is_the_same_but_for_its_line_ends() {
        for source in [
            "",
            "a",
            "a\r\nb\nc\rd",
            "\r",
            "\r\r\n\r",
            "a\r<b>\r\n&amp;\r\n\0\r\n<",
            "\r\n\r\n&\r&lt;\n",
            "<title>a\r\nb\rc&amp;\r\n</title>\r\nd",
            "<script>a\r\n</script>b\r\n",
        ] {
            let ours = texts(Tokenizer::new(PausingReader::new(source)).filter_map(Result::ok));
            let theirs = texts(Tokenizer::new(source).map(|Ok(token)| token));
            let ours = ours.replace("\r\n", "\n").replace("\\r\\n", "\\n");
            assert_eq!(ours, theirs, "{source:?}");
        }
    }

    #[test]
    fn text_ends_at_the_same_place_however_far_it_is() {
        for length in [
            0,
            1,
            WINDOW_FIRST - 1,
            WINDOW_FIRST,
            WINDOW_FIRST + 1,
            3 * WINDOW_FIRST,
            9 * WINDOW_FIRST,
        ] {
            for (tail, more) in [
                ("", 0),
                ("<b", 0),
                ("&", 0),
                ("\r<", 0),
                ("\ra\n<", 0),
                ("\r\n<", 2),
                ("\r\n\r<", 2),
                ("\r", 0),
            ] {
                let text = format!("{}{tail}", "x".repeat(length));
                let expected = (length + more).max(text.len().min(1));
                assert_eq!(text_length(text.as_bytes()), expected, "{length} {tail:?}");
            }
        }
    }

    #[test]
    fn a_hundred_thousand_attributes_fit_on_a_small_stack() {
        for unit in [
            "a=\"1\" ",
            "a=\"1\"b=\"2\"",
            "a=\"&amp;\" ",
            "a='1' ",
            "a=1 ",
            "a ",
            "/",
            "a=\"\"\t",
        ] {
            let source = format!("<b {}>", unit.repeat(100_000));
            let run = move || attributes(&source).len();
            let found = std::thread::Builder::new()
                .stack_size(256 << 10)
                .spawn(run)
                .unwrap()
                .join()
                .unwrap();
            assert!(found <= 2, "equal names are one");
        }
    }
}
