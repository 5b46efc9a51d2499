//! Bytes in a named character set become text.
//!
//! Enters: a label as the sender wrote it, and bytes. Leaves: text, always; what can't be decoded is
//! replaced. The tables are mail-parser's. Knows nothing of transfer encodings.

use mail_parser::decoders::charsets::map::charset_decoder;
use std::borrow::Cow;

/// Decodes `bytes`; the flag is false when the label isn't known and a guess was made.
pub(super) fn decode<'b>(label: &str, bytes: Cow<'b, [u8]>) -> (Cow<'b, str>, bool) {
    let label = label.trim_matches(|c: char| c.is_ascii_whitespace() || c == '"' || c == '\'');
    // A byte order mark outranks the label (WHATWG Encoding, "decode").
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return (by_table("utf-16", &bytes), true);
    }
    if is_unicode_or_unnamed(label) {
        return (utf8_or_western(bytes), true);
    }
    if bytes.is_ascii() && !uses_ascii_for_other_things(label) {
        return (utf8_or_western(bytes), true);
    }
    match charset_decoder(label.as_bytes()) {
        Some(decoder) => (Cow::Owned(decoder(&bytes)), true),
        None => (utf8_or_western(bytes), false),
    }
}

/// The label in a `<meta>` at the start of HTML, which counts when the header gives none.
pub(super) fn declared_in_html(html: &[u8]) -> Option<String> {
    const LOOKED_AT: usize = 1_024;
    if std::str::from_utf8(html).is_ok() {
        return None;
    }
    let head = html.get(..LOOKED_AT).unwrap_or(html).to_ascii_lowercase();
    let at = memchr::memmem::find(&head, b"charset=")?;
    let label = head.get(at + 8..)?.trim_ascii_start();
    let label = label.strip_prefix(b"\"").or(label.strip_prefix(b"'")).unwrap_or(label);
    let end = label
        .iter()
        .position(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'-' | b'_'))?;
    label
        .get(..end)
        .map(|label| String::from_utf8_lossy(label).into_owned())
}

/// As [`String::from_utf8_lossy`], and faster where nothing is lost.
pub(super) fn utf8_lossy(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

/// UTF-8 where it is valid, else windows-1252, which is what senders of unlabelled 8-bit text mean
/// more often than anything else.
pub(super) fn utf8_or_western(bytes: Cow<'_, [u8]>) -> Cow<'_, str> {
    match bytes {
        Cow::Borrowed(slice) => match std::str::from_utf8(slice) {
            Ok(text) => Cow::Borrowed(text),
            Err(error) => Cow::Owned(repair(slice, error)),
        },
        Cow::Owned(vector) => match String::from_utf8(vector) {
            Ok(text) => Cow::Owned(text),
            Err(error) => {
                let cause = error.utf8_error();
                Cow::Owned(repair(error.as_bytes(), cause))
            }
        },
    }
}

/// Mostly valid UTF-8 keeps its good characters; anything else is read as windows-1252.
fn repair(bytes: &[u8], error: std::str::Utf8Error) -> String {
    let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
    if !valid.is_ascii() {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    by_table("windows-1252", bytes).into_owned()
}

fn by_table(label: &str, bytes: &[u8]) -> Cow<'static, str> {
    Cow::Owned(match charset_decoder(label.as_bytes()) {
        Some(decoder) => decoder(bytes),
        None => String::from_utf8_lossy(bytes).into_owned(),
    })
}

fn is_unicode_or_unnamed(label: &str) -> bool {
    ["", "utf-8", "utf8", "us-ascii", "ascii", "unicode-1-1-utf-8"]
        .iter()
        .any(|name| label.eq_ignore_ascii_case(name))
}

fn uses_ascii_for_other_things(label: &str) -> bool {
    let lower = label.to_ascii_lowercase();
    [
        "utf-16",
        "utf16",
        "utf-7",
        "utf7",
        "iso-2022",
        "hz",
        "csiso2022",
        "ucs",
        "unicode",
    ]
    .iter()
    .any(|prefix| lower.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_what_real_mail_uses() {
        for (label, bytes, expected) in [
            ("utf-8", "caf\u{e9}".as_bytes(), "caf\u{e9}"),
            ("", b"caf\xe9", "caf\u{e9}"),
            ("us-ascii", b"\x80 5", "\u{20ac} 5"),
            ("ISO-8859-2", b"\xb1", "\u{105}"),
            ("windows-1251", b"\xcf\xf0", "\u{41f}\u{440}"),
            ("utf-16", b"\xff\xfeh\0i\0", "hi"),
            ("UTF-16BE", b"\0h\0i", "hi"),
            ("gb2312", b"\xc4\xe3", "\u{4f60}"),
            ("big5", b"\xa7A", "\u{4f60}"),
            ("shift_jis", b"\x83n", "\u{30cf}"),
            ("euc-kr", b"\xbe\xc8", "\u{c548}"),
            ("iso-2022-jp", b"\x1b$B%O\x1b(B", "\u{30cf}"),
            ("utf-7", b"+AGgAaQ-", "hi"),
        ] {
            let (text, known) = decode(label, Cow::Borrowed(bytes));
            assert_eq!((text.as_ref(), known), (expected, true), "{label}");
        }
        let html = b"<meta http-equiv=x content='text/html; charset=\"GB2312\"'>\xc4\xe3";
        assert_eq!(declared_in_html(html).as_deref(), Some("gb2312"));
        assert_eq!(
            declared_in_html(b"<meta charset=gb2312>"),
            None,
            "plain ASCII needs no charset"
        );
        assert!(!decode("x-made-up", Cow::Borrowed(b"\xe9")).1);
        assert!(
            decode("x-made-up", Cow::Borrowed(b"plain")).1,
            "it makes no difference there"
        );
    }
}
