//! How rare words are in mail: the most usual ones, measured once over some thousands of messages, and letter by letter
//! what isn't among them.
//!
//! Figures are surprisals in about a seventh of a bit for each byte of text: the higher, the rarer. Knows nothing of regexes.

use super::letters::{after, alone};
use std::collections::HashMap;
use std::sync::LazyLock;

/// How rare a text is, folded: its words one by one, the usual ones as they are measured.
pub(super) fn rarity(text: &str) -> i32 {
    let words = text
        .split(|c: char| !c.is_ascii_alphabetic())
        .filter(|word| !word.is_empty());
    // What letters tell of a usual word is far too much, for letters hang together.
    let excess = words.filter_map(|word| Some(letters(word) - USUAL.get(word)?));
    letters(text) - excess.map(|excess| excess.max(0)).sum::<i32>()
}

fn letters(text: &str) -> i32 {
    let first = text.bytes().next().map_or(0, alone);
    first
        + text
            .as_bytes()
            .array_windows::<2>()
            .map(|[a, b]| after(*a, *b))
            .sum::<i32>()
}

static USUAL: LazyLock<HashMap<&str, i32>> = LazyLock::new(|| {
    let rows = MEASURED.iter();
    rows.flat_map(|(surprisal, words)| words.split(' ').map(|word| (word, *surprisal)))
        .collect()
});

#[rustfmt::skip]
const MEASURED: [(i32, &str); 20] = [
    (62, "the"),
    (68, "and"),
    (70, "you"),
    (72, "for this"),
    (74, "com that"),
    (76, "your with from"),
    (78, "not are"),
    (80, "have http"),
    (82, "net org can users email list"),
    (84, "will mail all but message our was"),
    (86, "https www more get example"),
    (88, "here one out has please there use new wrote"),
    (90, "which any time what only just they click address about free when may some subject now like"),
    (92, "would user how file other also don send type name data system information see been make"),
    (94, "could web need test content size their help these using text then version sent should work set than"),
    (96, "code into want following thanks because return problem received know its first best them after read \
      service does check receive info include way over people who find date contact support"),
    (98, "case below software link account line request group most had host same business home company order \
      internet page off even git online used were very"),
    (100, "well security where report reply change before per end through number site files two day add think \
      remove while part much many good long right start back access those try failed each today such issue run \
      available since"),
    (102, "update full state sure without call own still news network last next view details top via something \
      world within did take said both year based being every really few why let local found different emails \
      trouble copy high original command archive"),
    (104, "years reason again might between never look team visit offer better else current body non must \
      subscription point phone thank open once too form already made another future old receiving days changed \
      however reserved real anyone rights keep further stop"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_words_are_less_rare_than_odd_ones_of_their_length() {
        for (usual, odd) in [
            ("information", "zymological"),
            ("the", "zyx"),
            ("the message", "zyx message"),
            ("click", "click zyx"),
        ] {
            assert!(rarity(usual) < rarity(odd), "{usual} {odd}");
        }
        assert!(rarity("") == 0 && rarity("the the") > rarity("the"));
    }

    #[test]
    fn each_usual_word_stands_once() {
        let words = MEASURED.iter().flat_map(|(_, words)| words.split(' '));
        assert_eq!(words.count(), USUAL.len());
    }
}
