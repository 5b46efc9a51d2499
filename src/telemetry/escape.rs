//! Makes text that a stranger wrote fit for one line of a log.
//!
//! Any string in; out comes text without control characters, line ends, or characters that change
//! how a terminal or a reader shows what stands around them, cut to a bound. Knows nothing of JSON
//! or logfmt beyond what both need quoted.

use std::fmt::Write;

/// What ends a text that was cut.
const CUT: char = '…';

/// Appends `text` to `out`, escaped, at most `max` characters of output with the mark of a cut.
///
/// `"` and `\` get a backslash, and what must not stand raw becomes `\n`, `\r`, `\t` or `\u` with
/// four hex digits for each UTF-16 unit: that is JSON's own escaping, and logfmt readers take it too.
pub(super) fn escape(out: &mut String, text: &str, max: usize) {
    let mut room = max;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let width = width(character);
        // The last place is kept for the mark, unless this is the last character and fits.
        let needed = if characters.as_str().is_empty() {
            width
        } else {
            width + 1
        };
        if needed > room {
            out.push(CUT);
            return;
        }
        room -= width;
        push(out, character);
    }
}

/// Whether the character must not stand raw in a log line.
pub(super) const fn is_hostile(character: char) -> bool {
    matches!(character,
        // C0, DEL and C1: line ends, NUL, ESC, CSI.
        '\0'..='\x1f' | '\x7f'..='\u{9f}'
        // The soft hyphen, and marks that change the direction of what follows.
        | '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        // Tags and private planes: invisible wherever they are not nonsense.
        | '\u{e0000}'..='\u{10ffff}')
}

const fn width(character: char) -> usize {
    match character {
        '"' | '\\' | '\n' | '\r' | '\t' => 2,
        _ if is_hostile(character) => 6 * character.len_utf16(),
        _ => 1,
    }
}

fn push(out: &mut String, character: char) {
    match character {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        _ if is_hostile(character) => {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
        _ => out.push(character),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &str, max: usize) -> String {
        let mut out = String::new();
        escape(&mut out, text, max);
        out
    }

    #[test]
    fn hostile_characters_are_escaped() {
        for (text, expected) in [
            ("plain, ünïcode ✓", "plain, ünïcode ✓"),
            ("a\r\nb", "a\\r\\nb"),
            ("\u{1b}[31mred", "\\u001b[31mred"),
            ("nul\0", "nul\\u0000"),
            ("tab\tdel\u{7f}", "tab\\tdel\\u007f"),
            ("\u{9b}31m", "\\u009b31m"),
            ("\u{85}", "\\u0085"),
            ("evil\u{202e}fdp.exe", "evil\\u202efdp.exe"),
            ("\u{2066}x\u{2069}", "\\u2066x\\u2069"),
            ("\u{200f}\u{61c}", "\\u200f\\u061c"),
            ("\u{2028}\u{2029}", "\\u2028\\u2029"),
            ("\u{feff}bom", "\\ufeffbom"),
            ("\u{e0041}", "\\udb40\\udc41"),
            ("quote\" back\\", "quote\\\" back\\\\"),
            ("not UTF-8: \u{fffd}", "not UTF-8: \u{fffd}"),
        ] {
            assert_eq!(escaped(text, 256), expected, "{text:?}");
        }
    }

    #[test]
    fn the_bound_holds_one_below_at_and_above() {
        assert_eq!(escaped("abc", 4), "abc");
        assert_eq!(escaped("abcd", 4), "abcd");
        assert_eq!(escaped("abcde", 4), "abc…");
        assert_eq!(escaped("ab\ncd", 4), "ab…", "an escape is never cut in two");
        assert_eq!(escaped("ab\n", 4), "ab\\n");
        assert_eq!(escaped("\u{1b}", 5), "…");
        assert_eq!(escaped("\u{1b}", 6), "\\u001b");
    }

    #[test]
    fn ten_megabytes_cost_the_bound() {
        let subject = "\u{1b}Ж".repeat(10_000_000 / 3);
        assert!(escaped(&subject, 256).chars().count() <= 256);
    }
}
