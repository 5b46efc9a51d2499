//! Which words a text says, to tell whether two alternatives of one part say the same.
//!
//! Enters: rendered text. Leaves: its distinct words, hashed without regard to case. Knows nothing of
//! MIME.

use std::collections::HashSet;

/// Fewer words than this make no difference between alternatives.
const DIFFERENCE_WORDS: usize = 8;

/// Words that are compared at most.
const COMPARED_WORDS: usize = 2_000;

/// The distinct words of a text, as far as they are compared.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wording {
    words: HashSet<u64, foldhash::fast::FixedState>,
    /// Whether the text has more words than are compared.
    is_full: bool,
}

impl Wording {
    /// The words of a rendered text, without URLs, which only one alternative shows.
    pub(super) fn of(text: &str) -> Self {
        let (mut words, mut counted) = (HashSet::default(), 0);
        for token in text.as_bytes().split(|byte| matches!(byte, b' ' | b'\n')) {
            if is_address(token) {
                continue;
            }
            for word in words_of(token) {
                if counted == COMPARED_WORDS {
                    return Self { words, is_full: true };
                }
                counted += 1;
                words.insert(word);
            }
        }
        Self { words, is_full: false }
    }

    /// Whether more of the text would change nothing.
    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    /// Whether most of it is nowhere in what was said before.
    pub(super) fn is_news_to(&self, said: &Self) -> bool {
        let new = self.words.difference(&said.words).count();
        self.words.len() >= DIFFERENCE_WORDS && new * 2 > self.words.len()
    }

    /// Takes the words of another text in.
    pub(super) fn add(&mut self, other: Self) {
        self.words.extend(other.words);
    }
}

fn is_address(token: &[u8]) -> bool {
    token.iter().any(|byte| matches!(byte, b':' | b'@'))
        && (token.contains(&b'@') || token.windows(3).any(|mark| mark == b"://"))
}

/// The words in a token, hashed; those of one or two bytes say little.
fn words_of(token: &[u8]) -> impl Iterator<Item = u64> {
    let pieces = token.split(|byte| byte.is_ascii() && !byte.is_ascii_alphanumeric());
    let (plain, other) = match token.is_ascii() {
        true => (Some(pieces), None),
        false => (None, std::str::from_utf8(token).ok()),
    };
    let plain = plain.into_iter().flatten().filter(|word| word.len() > 2);
    let other = other
        .into_iter()
        .flat_map(|text| text.split(|c: char| !c.is_alphanumeric()));
    let other = other.filter(|word| word.len() > 2).map(str::to_lowercase);
    plain.map(hashed).chain(other.map(|word| hashed(word.as_bytes())))
}

/// A word's hash (FNV-1a), the same in either case of ASCII.
fn hashed(word: &[u8]) -> u64 {
    word.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> usize {
        Wording::of(text).words.len()
    }

    #[test]
    fn words_are_told_apart_without_case_or_addresses() {
        assert_eq!(
            Wording::of("Pay NOW, \u{c4}rger"),
            Wording::of("pay\nnow \u{e4}rger https://a.example/b x@a.example at")
        );
        assert_eq!(
            Wording::of("incomprehensibilities-and-more"),
            Wording::of("INCOMPREHENSIBILITIES AND MORE")
        );
        assert_eq!((words("one two"), words("one:two \u{e4}rger-one")), (2, 3));
    }

    #[test]
    fn compared_words_are_limited() {
        let many = |count: usize| (0..count).map(|number| format!("word{number} ")).collect::<String>();
        for (count, kept, is_full) in [
            (COMPARED_WORDS - 1, COMPARED_WORDS - 1, false),
            (COMPARED_WORDS, COMPARED_WORDS, false),
            (COMPARED_WORDS + 1, COMPARED_WORDS, true),
        ] {
            let wording = Wording::of(&many(count));
            assert_eq!((wording.words.len(), wording.is_full()), (kept, is_full));
        }
    }

    #[test]
    fn news_is_mostly_new() {
        let said = Wording::of("one two three four five six seven eight");
        for (text, is_news) in [
            ("alpha beta gamma delta epsilon zeta eta theta", true),
            ("alpha beta gamma delta epsilon zeta eta", false),
            ("alpha beta gamma delta five six seven eight", false),
            ("alpha beta gamma delta epsilon six seven eight", true),
        ] {
            assert_eq!(Wording::of(text).is_news_to(&said), is_news, "{text}");
        }
    }
}
