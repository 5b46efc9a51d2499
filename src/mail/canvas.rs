//! Where rendered text is written: white space in one form, nothing invisible, never too long.
//!
//! Enters: pieces of text and line breaks. Leaves: lines parted by one LF, words by one space, without
//! the characters that nobody sees, and which stretches quote older text. Knows nothing of HTML.

use std::ops::Range;

/// Text under construction.
#[derive(Debug, Default)]
pub(super) struct Canvas {
    text: String,
    limit: usize,
    pending: Gap,
    is_cut: bool,
    quoted: Vec<Range<usize>>,
    quoted_from: Option<usize>,
}

/// White space that is written only when something follows it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    #[default]
    None,
    Space,
    Line,
}

/// What a character does to rendered text.
enum Class {
    Shown,
    Space,
    Invisible,
}

impl Canvas {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            ..Self::default()
        }
    }

    /// Bytes written so far.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// Bytes that may be written.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Makes room for so many more bytes at once, as far as they may be written.
    pub(super) fn reserve(&mut self, bytes: usize) {
        self.text.reserve(bytes.min(self.limit.saturating_sub(self.text.len())));
    }

    /// Whether something was left out for its length.
    pub(super) fn is_cut(&self) -> bool {
        self.is_cut
    }

    pub(super) fn space(&mut self) {
        self.pending = self.pending.max(Gap::Space);
    }

    pub(super) fn line_break(&mut self) {
        self.pending = Gap::Line;
    }

    /// Writes text; every run of white space in it is one space.
    pub(super) fn push(&mut self, text: &str) {
        let mut rest = text;
        while !rest.is_empty() && !self.is_cut {
            let plain = plain_run(rest.as_bytes());
            if plain > 0 {
                self.write(rest.get(..plain).unwrap_or(""));
                rest = rest.get(plain..).unwrap_or("");
                continue;
            }
            let blank = rest.len() - rest.trim_ascii_start().len();
            if blank > 0 {
                self.space();
                rest = rest.get(blank..).unwrap_or("");
                continue;
            }
            let Some(c) = rest.chars().next() else { return };
            let length = c.len_utf8();
            match class(c) {
                Class::Space => self.space(),
                Class::Invisible => {}
                Class::Shown => self.write(rest.get(..length).unwrap_or("")),
            }
            rest = rest.get(length..).unwrap_or("");
        }
    }

    /// Writes text line by line, as plain text and `<pre>` are shown.
    pub(super) fn push_lines(&mut self, text: &str) {
        for (number, line) in lines(text).enumerate() {
            if self.is_cut {
                return;
            }
            if number > 0 {
                self.line_break();
            }
            self.push(line);
        }
    }

    /// From here on, or until here, text is quoted history.
    pub(super) fn set_quoted(&mut self, quoted: bool) {
        match (self.quoted_from, quoted) {
            (None, true) => self.quoted_from = Some(self.text.len()),
            (Some(from), false) => {
                self.quoted_from = None;
                if from < self.text.len() {
                    self.quoted.push(from..self.text.len());
                }
            }
            _ => {}
        }
    }

    /// What was written from `start` on, without the white space around it.
    pub(super) fn since(&self, start: usize) -> &str {
        self.text.get(start..).unwrap_or("").trim()
    }

    /// The text, and which stretches of it are quoted, in order.
    pub(super) fn finish(mut self) -> (String, Vec<Range<usize>>) {
        self.set_quoted(false);
        (self.text, self.quoted)
    }

    fn write(&mut self, run: &str) {
        let gap = match self.pending {
            _ if self.text.is_empty() => "",
            Gap::None => "",
            Gap::Space => " ",
            Gap::Line => "\n",
        };
        self.pending = Gap::None;
        let room = self.limit.saturating_sub(self.text.len() + gap.len());
        let fitting = run.get(..run.floor_char_boundary(room)).unwrap_or("");
        self.is_cut |= fitting.len() < run.len();
        let fitting = fitting.trim_end_matches(' ');
        if !fitting.is_empty() {
            self.text.push_str(gap);
            self.text.push_str(fitting);
        }
    }
}

/// What stands between line feeds; an empty text is one empty line.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut ends = memchr::memchr_iter(b'\n', text.as_bytes());
    let mut next = Some(0);
    std::iter::from_fn(move || {
        let from = next?;
        let end = ends.next();
        next = end.map(|end| end + 1);
        text.get(from..end.unwrap_or(text.len()))
    })
}

/// How many bytes are words parted by single spaces, and so are written as they stand: nearly all of
/// any text. A space at the end isn't among them, for it may not be the only one.
fn plain_run(bytes: &[u8]) -> usize {
    if bytes.first().is_none_or(|first| !first.is_ascii_graphic()) {
        return 0;
    }
    // Whole blocks are looked at without a branch, so that the compiler can take their bytes at once.
    let mut run = 1;
    while let Some(block) = bytes.get(run - 1..).and_then(<[u8]>::first_chunk::<{ BLOCK + 1 }>)
        && is_plain(block)
    {
        run += BLOCK;
    }
    let after = |byte: &[u8; 2]| !is_shown(byte[1]) || *byte == *b"  ";
    let rest = bytes.get(run - 1..).unwrap_or_default();
    run += rest.array_windows().position(after).unwrap_or(rest.len() - 1);
    match run.checked_sub(1).and_then(|last| bytes.get(last)) {
        Some(b' ') => run - 1,
        _ => run,
    }
}

/// Bytes that are looked at together.
const BLOCK: usize = 16;

/// Whether the bytes after the first are shown as they are, and no two neighbours are spaces.
fn is_plain(block: &[u8; BLOCK + 1]) -> bool {
    let mut ends = [false; BLOCK];
    for (ends, pair) in ends.iter_mut().zip(block.array_windows::<2>()) {
        *ends = !is_shown(pair[1]) | (((pair[0] ^ b' ') | (pair[1] ^ b' ')) == 0);
    }
    !ends.into_iter().fold(false, |any, ends| any | ends)
}

fn is_shown(byte: u8) -> bool {
    byte.wrapping_sub(b' ') < 0x5f
}

fn class(c: char) -> Class {
    match c {
        // Hangul fillers and the Braille blank are letters to Unicode and blanks to the eye.
        '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' | '\u{2800}' => Class::Space,
        // Soft hyphen, joiners, bidirectional controls, variation selectors, tags, byte order mark.
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' => Class::Invisible,
        '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' => Class::Invisible,
        '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}' => Class::Invisible,
        _ if c.is_whitespace() => Class::Space,
        _ if c.is_control() => Class::Invisible,
        _ => Class::Shown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(write: impl FnOnce(&mut Canvas)) -> String {
        let mut canvas = Canvas::new(1_000);
        write(&mut canvas);
        canvas.finish().0
    }

    #[test]
    fn white_space_has_one_form() {
        assert_eq!(render(|canvas| canvas.push("  a \u{a0}\u{3000} b\t\n c  ")), "a b c");
        assert_eq!(render(|canvas| canvas.push_lines("a\r\n\r\n\n b \nc\n")), "a\nb\nc");
        assert_eq!(
            render(|canvas| canvas.push("p\u{200b}ay\u{ad}pal\u{feff} \u{202e}x")),
            "paypal x"
        );
    }

    /// A run byte by byte.
    fn slow_run(bytes: &[u8]) -> usize {
        let mut run = 0;
        while let Some(byte) = bytes.get(run) {
            let is_spaced = run == 0 || bytes[run - 1] == b' ';
            if !byte.is_ascii_graphic() && (*byte != b' ' || is_spaced) {
                break;
            }
            run += 1;
        }
        if run > 0 && bytes[run - 1] == b' ' {
            run - 1
        } else {
            run
        }
    }

    #[test]
    fn runs_are_the_same_block_by_block_and_byte_by_byte() {
        for length in 0..=3 * BLOCK + 2 {
            let words: Vec<u8> = b"ab c".iter().cycle().take(length).copied().collect();
            assert_eq!(plain_run(&words), slow_run(&words), "{length}");
            for at in 0..length {
                for other in [b' ', b'\t', b'\r', 0x1f, b'!', b'~', 0x7f, 0x80, 0xff] {
                    let mut bytes = words.clone();
                    bytes[at] = other;
                    assert_eq!(plain_run(&bytes), slow_run(&bytes), "{other:#x} at {at} of {length}");
                }
            }
        }
    }

    #[test]
    fn lines_are_split_at_each_end() {
        for text in ["", "a", "a\nb", "\n", "a\n\n\u{e9}\n"] {
            assert!(lines(text).eq(text.split('\n')), "{text:?}");
        }
    }

    #[test]
    fn length_is_limited() {
        for (length, cut) in [(9, false), (10, false), (11, true)] {
            let mut canvas = Canvas::new(10);
            canvas.push(&"x".repeat(length));
            assert_eq!((canvas.is_cut(), canvas.len()), (cut, length.min(10)));
        }
        let mut canvas = Canvas::new(4);
        canvas.push("abc\u{e9}");
        assert_eq!(canvas.finish().0, "abc", "no half character");
        let mut canvas = Canvas::new(4);
        canvas.push("abc def");
        assert_eq!(canvas.finish().0, "abc", "no space at the end");
    }

    #[test]
    fn quoted_stretches_are_remembered() {
        let mut canvas = Canvas::new(100);
        canvas.push("new ");
        canvas.set_quoted(true);
        canvas.push("old");
        canvas.set_quoted(false);
        canvas.push(" newer");
        let (text, quoted) = canvas.finish();
        assert_eq!((text.as_str(), quoted.first()), ("new old newer", Some(&(3..7))));
    }
}
