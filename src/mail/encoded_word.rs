//! Header bodies become the text that a person sees: unfolded, encoded words decoded (RFC 2047).
//!
//! Enters: the body of a field, folds and all. Leaves: text. Linear in its input whatever it holds:
//! each byte is looked at a bounded number of times. Knows nothing of what a field means.

use super::{charset, transfer};
use std::borrow::Cow;

/// Unfolds, trims and decodes a field's body.
pub(super) fn decode(raw: &[u8]) -> Cow<'_, str> {
    match unfold(raw) {
        Cow::Borrowed(text) => decode_words(text),
        Cow::Owned(text) => Cow::Owned(decode_words(&text).into_owned()),
    }
}

/// Removes folds (RFC 5322 §2.2.3) and NULs; the white space at a fold becomes one space.
pub(super) fn unfold(raw: &[u8]) -> Cow<'_, str> {
    let raw = raw.trim_ascii();
    if memchr::memchr3(b'\r', b'\n', 0, raw).is_none() {
        return charset::utf8_or_western(Cow::Borrowed(raw));
    }
    let has_nul = memchr::memchr(0, raw).is_some();
    let mut plain = Vec::with_capacity(raw.len());
    let mut from = 0;
    for end in memchr::memchr2_iter(b'\r', b'\n', raw).chain([raw.len()]) {
        let line = raw.get(from..end).unwrap_or_default().trim_ascii();
        from = end + 1;
        if line.is_empty() {
            continue;
        }
        if !plain.is_empty() {
            plain.push(b' ');
        }
        match has_nul {
            true => plain.extend(line.iter().filter(|byte| **byte != 0)),
            false => plain.extend_from_slice(line),
        }
    }
    Cow::Owned(charset::utf8_or_western(Cow::Owned(plain)).into_owned())
}

/// Decodes the encoded words of an unfolded text.
pub(super) fn decode_words(text: &str) -> Cow<'_, str> {
    if !text.contains("=?") {
        return Cow::Borrowed(text);
    }
    let mut output = Output::default();
    let mut rest = text;
    let mut last_was_word = false;
    // Behind the last `?=` nothing can end a word, so nothing is looked for.
    let after_last_end = text.rfind("?=").map_or(usize::MAX, |at| text.len() - at);
    while let Some(at) = rest.find("=?") {
        let (before, tail) = rest.split_at_checked(at).unwrap_or((rest, ""));
        let Some((word, after)) = Word::read(tail) else {
            if tail.len() < after_last_end {
                break;
            }
            output.push_text(before);
            output.push_text("=?");
            rest = tail.get(2..).unwrap_or("");
            last_was_word = false;
            continue;
        };
        // RFC 2047 §6.2: white space between two encoded words isn't shown.
        if !(last_was_word && before.trim().is_empty()) {
            output.push_text(before);
        }
        output.push_word(&word);
        rest = after;
        last_was_word = true;
    }
    output.push_text(rest);
    Cow::Owned(output.finish())
}

/// One encoded word, still encoded.
struct Word<'t> {
    charset: &'t str,
    is_base64: bool,
    data: &'t str,
}

impl<'t> Word<'t> {
    /// Longest charset name with a language tag that is considered.
    const CHARSET_BYTES: usize = 64;
    /// Longest data that is considered. RFC 2047 §2 allows 75 in all; real senders don't heed it.
    const DATA_BYTES: usize = 4_096;

    /// Reads a word at a `=?`; also gives what follows it.
    fn read(text: &'t str) -> Option<(Self, &'t str)> {
        let inner = text.strip_prefix("=?")?;
        let name_end = inner.bytes().take(Self::CHARSET_BYTES).position(|byte| byte == b'?')?;
        let (name, tail) = inner.split_at_checked(name_end)?;
        let is_base64 = match tail.as_bytes() {
            [b'?', b'b' | b'B', b'?', ..] => true,
            [b'?', b'q' | b'Q', b'?', ..] => false,
            _ => return None,
        };
        let tail = tail.get(3..)?;
        let window = tail.as_bytes().get(..Self::DATA_BYTES).unwrap_or(tail.as_bytes());
        let end = memchr::memmem::find(window, b"?=")?;
        let (data, after) = tail.split_at_checked(end)?;
        let charset = name.split('*').next().unwrap_or(name);
        Some((
            Self {
                charset,
                is_base64,
                data,
            },
            after.get(2..).unwrap_or(""),
        ))
    }

    fn bytes(&self) -> Vec<u8> {
        if self.is_base64 {
            return transfer::base64(self.data.as_bytes()).0;
        }
        let spaced = self.data.replace('_', " ");
        transfer::quoted_printable(spaced.as_bytes()).0
    }
}

/// Collects text; bytes of neighbouring words in one charset are joined before they are decoded,
/// since senders cut characters in two.
#[derive(Default)]
struct Output<'t> {
    text: String,
    pending: Vec<u8>,
    charset: &'t str,
}

impl<'t> Output<'t> {
    fn push_text(&mut self, text: &str) {
        if !text.is_empty() {
            self.flush();
            self.text.push_str(text);
        }
    }

    fn push_word(&mut self, word: &Word<'t>) {
        if !self.charset.eq_ignore_ascii_case(word.charset) {
            self.flush();
            self.charset = word.charset;
        }
        self.pending.extend_from_slice(&word.bytes());
    }

    fn flush(&mut self) {
        if !self.pending.is_empty() {
            let bytes = std::mem::take(&mut self.pending);
            let (text, _) = charset::decode(self.charset, Cow::Owned(bytes));
            // A line end inside a word would make a second line out of one field.
            self.text
                .extend(text.chars().map(|c| if c.is_control() { ' ' } else { c }));
        }
    }

    fn finish(mut self) -> String {
        self.flush();
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_as_a_person_sees() {
        for (raw, expected) in [
            ("plain", "plain"),
            (" folded\r\n  twice\r\n\tover ", "folded twice over"),
            ("=?utf-8?q?caf=C3=A9_au_lait?=", "caf\u{e9} au lait"),
            ("=?UTF-8?B?Y2Fmw6k=?= =?UTF-8?B?IGE=?= b", "caf\u{e9} a b"),
            ("=?utf-8?q?caf=C3?=\r\n =?utf-8?q?=A9?=", "caf\u{e9}"),
            ("=?iso-8859-1*en?q?=E9?= x", "\u{e9} x"),
            ("a =?utf-8?x?y?= b", "a =?utf-8?x?y?= b"),
            ("=?utf-8?q?unfinished", "=?utf-8?q?unfinished"),
            ("=?=?utf-8?q?a?=", "=?a"),
        ] {
            assert_eq!(decode(raw.as_bytes()), expected, "{raw}");
        }
        assert_eq!(decode(b"caf\xe9"), "caf\u{e9}");
    }

    #[test]
    fn bombs_give_text_of_their_own_size() {
        for unit in ["=?", "=?utf-8?q?", "=?utf-8?b?", "=?a?q?=?", "?=", "=?utf-8?q?a?= "] {
            let bomb = unit.repeat(20_000);
            assert!(decode(bomb.as_bytes()).len() <= bomb.len());
        }
    }
}
