//! Content-Transfer-Encoding undone (RFC 2045 §6), leniently; and percent-encoding, which is like it.
//!
//! Enters: the encoded body of a part. Leaves: bytes, always, and whether a strict decoder would have
//! stopped. Foreign characters are skipped, padding may stand in the middle, joined streams are
//! read on. Knows nothing of character sets.

use std::borrow::Cow;

/// How a body is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Transfer {
    /// 7bit, 8bit, binary, or something unknown that is taken as it stands.
    #[default]
    Identity,
    Base64,
    QuotedPrintable,
}

impl Transfer {
    /// From the field's first word, in lower case; `None` when it isn't known.
    pub(super) fn from_word(word: &str) -> Option<Self> {
        match word {
            "" | "7bit" | "8bit" | "binary" | "7-bit" | "8-bit" => Some(Self::Identity),
            "base64" => Some(Self::Base64),
            "quoted-printable" => Some(Self::QuotedPrintable),
            _ => None,
        }
    }

    /// Undoes the encoding; the flag says that it was broken.
    pub(super) fn decode(self, body: &[u8]) -> (Cow<'_, [u8]>, bool) {
        match self {
            Self::Identity => (Cow::Borrowed(body), false),
            Self::Base64 => {
                let (bytes, broken) = base64(body);
                (Cow::Owned(bytes), broken)
            }
            Self::QuotedPrintable => {
                let (bytes, broken) = quoted_printable(body);
                (Cow::Owned(bytes), broken)
            }
        }
    }
}

const INVALID: u8 = 0xff;
const SPACE: u8 = 0xfe;
const PADDING: u8 = 0xfd;
/// `-` and `_` of the URL-safe alphabet carry this bit beside their value.
const FOREIGN_ALPHABET: u8 = 0x40;

static BASE64: [u8; 256] = {
    let mut table = [INVALID; 256];
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut value = 0;
    while value < 64 {
        table[alphabet[value] as usize] = value as u8;
        value += 1;
    }
    table[b'-' as usize] = 62 | FOREIGN_ALPHABET;
    table[b'_' as usize] = 63 | FOREIGN_ALPHABET;
    table[b'=' as usize] = PADDING;
    table[b' ' as usize] = SPACE;
    table[b'\t' as usize] = SPACE;
    table[b'\r' as usize] = SPACE;
    table[b'\n' as usize] = SPACE;
    table
};

fn base64_value(byte: u8) -> u8 {
    BASE64.get(usize::from(byte)).copied().unwrap_or(INVALID)
}

/// Decodes base64 and says whether it was broken.
pub(super) fn base64(input: &[u8]) -> (Vec<u8>, bool) {
    let mut output = Vec::with_capacity(input.len() / 4 * 3 + 3);
    let (mut group, mut held, mut broken, mut padded) = (0_u32, 0_u8, false, false);
    let mut rest = input;
    while let Some((&first, tail)) = rest.split_first() {
        // Whole groups of four, which is nearly all of any real body.
        if held == 0
            && let [a, b, c, d, after @ ..] = rest
        {
            let [a, b, c, d] = [a, b, c, d].map(|byte| base64_value(*byte));
            if a | b | c | d < 64 {
                broken |= padded;
                let word = u32::from(a) << 18 | u32::from(b) << 12 | u32::from(c) << 6 | u32::from(d);
                let [_, x, y, z] = word.to_be_bytes();
                output.extend_from_slice(&[x, y, z]);
                rest = after;
                continue;
            }
        }
        rest = tail;
        match base64_value(first) {
            SPACE => {}
            PADDING => {
                broken |= held == 1 || (held == 0 && !padded);
                flush(&mut output, group, held);
                (group, held, padded) = (0, 0, true);
            }
            INVALID => broken = true,
            value => {
                broken |= padded || value & FOREIGN_ALPHABET != 0;
                group = group << 6 | u32::from(value & 63);
                held += 1;
                if held == 4 {
                    let [_, x, y, z] = group.to_be_bytes();
                    output.extend_from_slice(&[x, y, z]);
                    (group, held) = (0, 0);
                }
            }
        }
    }
    broken |= held != 0;
    flush(&mut output, group, held);
    (output, broken)
}

/// The bytes that an incomplete group still holds.
fn flush(output: &mut Vec<u8>, group: u32, held: u8) {
    match held {
        2 => output.push((group >> 4) as u8),
        3 => output.extend_from_slice(&[(group >> 10) as u8, (group >> 2) as u8]),
        _ => {}
    }
}

/// How many bytes [`base64`] would give, without making them.
pub(super) fn base64_length(input: &[u8]) -> usize {
    let digits = input.iter().filter(|byte| base64_value(**byte) < 128).count();
    digits / 4 * 3 + (digits % 4).saturating_sub(1)
}

/// Decodes quoted-printable and says whether it was broken.
pub(super) fn quoted_printable(input: &[u8]) -> (Vec<u8>, bool) {
    let mut output = Vec::with_capacity(input.len());
    let mut broken = false;
    let mut rest = input;
    while let Some(at) = memchr::memchr(b'=', rest) {
        let (plain, tail) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        output.extend_from_slice(plain);
        let tail = tail.get(1..).unwrap_or_default();
        if let [high, low, after @ ..] = tail
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            output.push(high << 4 | low);
            rest = after;
        } else if let Some(after) = soft_break(tail) {
            rest = after;
        } else {
            // What most readers show: the equals sign itself.
            broken = true;
            output.push(b'=');
            rest = tail;
        }
    }
    output.extend_from_slice(rest);
    (output, broken)
}

/// After a `=`: white space and a line end, or the end of the body.
fn soft_break(tail: &[u8]) -> Option<&[u8]> {
    let space = tail.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let line_end = tail.get(space..)?;
    match line_end {
        [] | [b'\r'] => Some(&[]),
        [b'\n', after @ ..] | [b'\r', b'\n', after @ ..] => Some(after),
        _ => None,
    }
}

/// Undoes percent-encoding (RFC 3986 §2.1); a stray `%` stays.
pub(super) fn percent(input: &[u8]) -> Vec<u8> {
    let mut output = Vec::with_capacity(input.len());
    let mut rest = input;
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'%'
            && let [high, low, after @ ..] = tail
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            output.push(high << 4 | low);
            rest = after;
        } else {
            output.push(first);
            rest = tail;
        }
    }
    output
}

/// The value of a hex digit in either case.
fn hex(byte: u8) -> Option<u8> {
    (byte as char).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_lenient_and_says_so() {
        for (input, expected, broken) in [
            (&b"aGVsbG8="[..], &b"hello"[..], false),
            (b"aGVs\r\nbG8=\r\n", b"hello", false),
            (b"aGVsbG8", b"hello", true),
            (b"aGV*sbG8=", b"hello", true),
            (b"aGk=aGk=", b"hihi", true),
            (b"_-8=", b"\xff\xef", true),
            (b"", b"", false),
            (b"YQ==", b"a", false),
        ] {
            let (bytes, was_broken) = base64(input);
            assert_eq!((bytes.as_slice(), was_broken), (expected, broken), "{input:?}");
        }
        assert_eq!(percent(b"a%41%4g%"), b"aA%4g%");
        assert_eq!(base64_length(b"aGVs\r\nbG8=\r\n"), 5);
    }

    #[test]
    fn quoted_printable_is_lenient_and_says_so() {
        for (input, expected, broken) in [
            (&b"a=20b=\r\nc"[..], &b"a bc"[..], false),
            (b"a= \t\nb", b"ab", false),
            (b"=c3=a9", b"\xc3\xa9", false),
            (b"1=1", b"1=1", true),
            (b"end=", b"end", false),
        ] {
            let (bytes, was_broken) = quoted_printable(input);
            assert_eq!((bytes.as_slice(), was_broken), (expected, broken), "{input:?}");
        }
    }
}
