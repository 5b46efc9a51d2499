//! Text as rules compare it: case folded, spacing evened out, look-alikes undone, nearness told.
//!
//! Folding is Unicode's simple case folding, one character to one, so that offsets can be mapped
//! back. Knows nothing of messages or rules.

use std::borrow::Cow;

/// Longer texts are never similar: the distance takes quadratic time.
pub const SIMILAR_BYTES_MAX: usize = 256;

/// Folds the case of one character.
pub fn fold(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    // Without a locale these two have no simple folding (CaseFolding.txt, status T and F).
    match c {
        'İ' | 'ı' => return c,
        // Pairs that only CaseFolding.txt joins (status S): neither has a simple upper case.
        '\u{1fd3}' => return '\u{390}',
        '\u{1fe3}' => return '\u{3b0}',
        '\u{fb05}' => return '\u{fb06}',
        _ => {}
    }
    let upper = single(c.to_uppercase()).unwrap_or(c);
    single(upper.to_lowercase()).unwrap_or(upper)
}

fn single(mut mapped: impl Iterator<Item = char>) -> Option<char> {
    let first = mapped.next();
    mapped.next().is_none().then_some(first).flatten()
}

/// Folds the case of a text.
pub fn folded(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return match text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => Cow::Owned(text.to_ascii_lowercase()),
            false => Cow::Borrowed(text),
        };
    }
    match text.chars().any(|c| fold(c) != c) {
        true => Cow::Owned(text.chars().map(fold).collect()),
        false => Cow::Borrowed(text),
    }
}

/// A folded copy of a text that knows where its bytes come from.
#[derive(Debug, Default)]
pub struct Folded {
    text: String,
    /// (offset in the copy, offset in the original) wherever their distance changes, ascending.
    shifts: Vec<(usize, usize)>,
}

/// How many bytes of ASCII a text begins with, most of them told several at once.
fn plain_bytes(text: &[u8]) -> usize {
    const AT_ONCE: usize = 32;
    let chunks = text.chunks_exact(AT_ONCE).take_while(|chunk| chunk.is_ascii());
    let sure = chunks.count() * AT_ONCE;
    let rest = text.get(sure..).unwrap_or_default();
    sure + rest.iter().take_while(|byte| byte.is_ascii()).count()
}

impl Folded {
    /// Folds a text.
    pub fn new(original: &str) -> Self {
        if original.is_ascii() {
            return Self {
                text: original.to_ascii_lowercase(),
                shifts: Vec::new(),
            };
        }
        let mut text = String::with_capacity(original.len());
        let mut shifts = Vec::new();
        let mut rest = original;
        while let Some(c) = rest.chars().next() {
            // Runs of ASCII, which even then is nearly all, go as a whole.
            let plain = plain_bytes(rest.as_bytes());
            if plain > 0 {
                let from = text.len();
                text.push_str(rest.get(..plain).unwrap_or(""));
                if let Some(added) = text.get_mut(from..) {
                    added.make_ascii_lowercase();
                }
                rest = rest.get(plain..).unwrap_or("");
                continue;
            }
            let folded = fold(c);
            text.push(folded);
            rest = rest.get(c.len_utf8()..).unwrap_or("");
            if folded.len_utf8() != c.len_utf8() {
                shifts.push((text.len(), original.len() - rest.len()));
            }
        }
        Self { text, shifts }
    }

    /// The copy.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Where the character at this offset of the copy begins in the original.
    pub fn original(&self, at: usize) -> usize {
        let before = self.shifts.partition_point(|(copy, _)| *copy <= at);
        match before.checked_sub(1).and_then(|last| self.shifts.get(last)) {
            Some((copy, original)) => original + (at - copy),
            None => at,
        }
    }
}

/// Whether a text begins with what folds to `needle`, itself folded; says how many bytes that takes.
pub fn prefix_ignoring_case(text: &str, needle: &str) -> Option<usize> {
    let mut rest = text.char_indices();
    for wanted in needle.chars() {
        if rest.next().is_none_or(|(_, c)| fold(c) != wanted) {
            return None;
        }
    }
    Some(text.len() - rest.as_str().len())
}

/// Whether a text ends with what folds to `needle`, itself folded; says where that begins.
pub fn suffix_ignoring_case(text: &str, needle: &str) -> Option<usize> {
    let mut rest = text.chars();
    for wanted in needle.chars().rev() {
        if rest.next_back().is_none_or(|c| fold(c) != wanted) {
            return None;
        }
    }
    Some(rest.as_str().len())
}

/// A name in its comparable form: case folded, every run of blanks one space, none at the ends.
pub fn comparable_name(name: &str) -> String {
    let words: Vec<Cow<'_, str>> = name.split_whitespace().map(folded).collect();
    words.join(" ")
}

/// Undoes look-alikes (UTS 39) outside ASCII and leaves ASCII as it is: the standard's table maps
/// `m` to `rn`, which would break every needle.
pub fn skeleton(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let mut skeleton = String::with_capacity(text.len());
    let mut buffer = [0; 4];
    for c in text.chars() {
        match c.is_ascii() {
            true => skeleton.push(c),
            false => skeleton.extend(unicode_security::skeleton(c.encode_utf8(&mut buffer))),
        }
    }
    Cow::Owned(skeleton)
}

/// Whether two texts differ, by at most `distance` insertions, deletions, substitutions or swaps of
/// neighbours.
pub fn is_similar(one: &str, other: &str, distance: usize) -> bool {
    if one == other || one.len().max(other.len()) > SIMILAR_BYTES_MAX {
        return false;
    }
    let (one_length, other_length) = (one.chars().count(), other.chars().count());
    one_length.abs_diff(other_length) <= distance && strsim::osa_distance(one, other) <= distance
}

/// The one of several names that a person may have meant.
pub fn nearest<'n>(written: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let written = written.get(..SIMILAR_BYTES_MAX.min(written.len()))?;
    let allowed = (written.chars().count() / 3).max(1);
    names
        .into_iter()
        .map(|name| (strsim::osa_distance(written, name), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

    #[test]
    fn folding_agrees_with_the_regex_engine() {
        for c in (0..=u32::from(char::MAX)).filter_map(char::from_u32) {
            let mut class = ClassUnicode::new([ClassUnicodeRange::new(c, c)]);
            class.try_case_fold_simple().unwrap();
            for other in class.iter().flat_map(|range| range.start()..=range.end()) {
                assert_eq!(fold(c), fold(other), "{c:?} {other:?}");
            }
            // The other way only where the two libraries know the same edition of Unicode.
            let is_same = class
                .iter()
                .any(|range| (range.start()..=range.end()).contains(&fold(c)));
            assert!(is_same || c >= '\u{2c00}', "{c:?} folds to {:?}", fold(c));
        }
    }

    #[test]
    fn runs_of_ascii_end_where_other_text_begins() {
        for bytes in [0, 1, 31, 32, 33, 63, 64, 65, 100] {
            let run = "Ab".repeat(bytes).split_off(bytes);
            let text = format!("{run}\u{c9}{run}\u{c9}");
            assert_eq!(Folded::new(&text).as_str(), text.to_lowercase(), "{bytes}");
        }
    }

    #[test]
    fn offsets_lead_back_to_the_original() {
        let original = "aẞb\u{212a}c é";
        let folded = Folded::new(original);
        assert_eq!(folded.as_str(), "aßbkc é");
        for (needle, begins) in [
            ("a", "a"),
            ("ß", "ẞ"),
            ("b", "b"),
            ("k", "\u{212a}"),
            ("c", "c"),
            ("é", "é"),
        ] {
            let at = folded.as_str().find(needle).unwrap();
            assert_eq!(folded.original(at), original.find(begins).unwrap(), "{needle}");
        }
        assert_eq!(folded.original(folded.as_str().len()), original.len());
    }

    #[test]
    fn prefixes_and_suffixes_ignore_case() {
        assert_eq!(prefix_ignoring_case("ẞéx", "ßÉx".to_lowercase().as_str()), Some(6));
        assert_eq!(prefix_ignoring_case("ab", "abc"), None);
        assert_eq!(prefix_ignoring_case("ab", ""), Some(0));
        assert_eq!(suffix_ignoring_case("xẞ", "ß"), Some(1));
        assert_eq!(suffix_ignoring_case("x", "yx"), None);
    }

    #[test]
    fn skeletons_undo_look_alikes_and_leave_ascii() {
        assert_eq!(skeleton("раураl"), "paypal");
        assert_eq!(skeleton("ｍicrosoft rn m 1l"), "ｍicrosoft rn m 1l".replace('ｍ', "rn"));
        assert_eq!(skeleton("modern I1l0O"), "modern I1l0O");
    }

    #[test]
    fn names_even_out_case_and_spacing() {
        assert_eq!(comparable_name(" Jane\u{a0} DOE\t"), "jane doe");
    }

    #[test]
    fn similarity_is_bounded_and_never_equality() {
        assert!(is_similar("examp1e.org", "example.org", 1));
        assert!(is_similar("exmaple", "example", 1));
        assert!(!is_similar("example", "example", 2));
        assert!(!is_similar("example", "ample", 1));
        let long = |bytes: usize| ("a".repeat(bytes), format!("{}b", "a".repeat(bytes - 1)));
        for (bytes, similar) in [
            (SIMILAR_BYTES_MAX - 1, true),
            (SIMILAR_BYTES_MAX, true),
            (SIMILAR_BYTES_MAX + 1, false),
        ] {
            let (one, other) = long(bytes);
            assert_eq!(is_similar(&one, &other, 1), similar, "{bytes}");
        }
    }

    #[test]
    fn the_nearest_name_is_found_or_none() {
        assert_eq!(nearest("subjct", ["subject", "sender"]), Some("subject"));
        assert_eq!(nearest("xyz", ["subject", "sender"]), None);
    }
}
