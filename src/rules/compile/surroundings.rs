//! What may stand beside a literal of a regex in a match: sets of bytes for the places before it and after it.
//!
//! Enters: the parts of a regex on either side of the literal. Leaves: tests of single bytes that every match
//! passes and few other places do, so that a regex whose literal is a common word rarely needs to be run. What
//! isn't clear passes. Texts are folded, as needles are. Knows nothing of how texts are scanned.

use super::letters::percent;
use crate::rules::text::fold;
use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// Places looked at on each side.
const REACH: usize = 8;
/// The most tests of one literal, the most telling first.
const TESTS_MAX: usize = 6;
/// A set that so many of a hundred bytes of mail are in tells nothing.
const TELLING_PERCENT_MAX: u32 = 60;
/// Right beside a word a blank tells less than its share of all bytes: there it usually stands.
const BESIDE_PERCENT: u32 = 30;
/// The most steps: what takes more passes everything.
const STEPS_MAX: usize = 2_000;

/// Letters that other characters fold to though they are ASCII: the Kelvin sign and the long s.
const FOLDED_FROM_BEYOND: [(char, u8); 2] = [('\u{212a}', b'k'), ('\u{17f}', b's')];

/// Bytes of a folded text; of ASCII letters the small ones stand for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct ByteSet([u64; 4]);

/// A byte near a literal that every match has.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ByteTest {
    /// Which: from 0 on the bytes that follow the literal's end, from -1 down those before its beginning.
    pub offset: i8,
    /// What it may be.
    pub set: ByteSet,
    /// Whether a match holds this byte, so that the text can't end before it.
    pub must_exist: bool,
}

impl ByteSet {
    const ALL: Self = Self([u64::MAX; 4]);
    /// Every byte of a character beyond ASCII.
    const BEYOND: Self = Self([0, 0, u64::MAX, u64::MAX]);

    fn add(&mut self, byte: u8) {
        let byte = byte.to_ascii_lowercase();
        if let Some(word) = self.0.get_mut(usize::from(byte / 64)) {
            *word |= 1 << (byte % 64);
        }
    }

    fn join(&mut self, other: Self) {
        for (word, other) in self.0.iter_mut().zip(other.0) {
            *word |= other;
        }
    }

    /// Whether a byte of a text, of any case, is in it.
    #[inline]
    pub(crate) fn holds(&self, byte: u8) -> bool {
        let byte = byte.to_ascii_lowercase();
        self.0
            .get(usize::from(byte / 64))
            .is_some_and(|word| word >> (byte % 64) & 1 == 1)
    }
}

/// The tests for any of these literals between these parts of a regex, empty where nothing is told.
pub(super) fn tests(before: &[Hir], after: &[Hir], texts: &[String]) -> Vec<ByteTest> {
    let all = |edge: fn(&[u8]) -> Option<&u8>| texts.iter().all(|text| edge(text.as_bytes()).is_some_and(is_letter));
    let [begins, ends] = [all(<[u8]>::first), all(<[u8]>::last)];
    let mut found = side(after, false, ends);
    found.extend(side(before, true, begins));
    found.retain(|(percent, _)| *percent <= TELLING_PERCENT_MAX);
    found.sort_by_key(|(percent, test)| {
        let is_beside_a_word = (ends && test.offset == 0) || (begins && test.offset == -1);
        let usual = if is_beside_a_word && test.set.holds(b' ') {
            BESIDE_PERCENT
        } else {
            0
        };
        ((*percent).max(usual), test.offset)
    });
    found.truncate(TESTS_MAX);
    found.into_iter().map(|(_, test)| test).collect()
}

/// The sets of one side, each with how many of a hundred bytes are in it.
fn side(parts: &[Hir], is_before: bool, ends_in_word: bool) -> Vec<(u32, ByteTest)> {
    let mut walk = Walk {
        is_before,
        sets: [ByteSet::default(); REACH],
        steps_left: STEPS_MAX,
    };
    let ends = walk.concat(parts, START);
    if walk.steps_left == 0 {
        return Vec::new();
    }
    // Beyond the match's end anything may stand, but that a word ends there.
    let least = ends.trailing_zeros() as usize;
    let borders = ends_in_word && ends == START && parts.iter().any(is_border);
    for set in walk.sets.iter_mut().skip(least) {
        *set = ByteSet::ALL;
    }
    if let Some(first) = walk.sets.first_mut().filter(|_| borders) {
        *first = no_word();
    }
    let numbered = walk.sets.iter().zip(0_i8..);
    let told = numbered.filter(|(set, _)| **set != ByteSet::ALL).map(|(set, place)| {
        let test = ByteTest {
            offset: if is_before { -1 - place } else { place },
            set: *set,
            must_exist: usize::try_from(place).is_ok_and(|place| place < least),
        };
        (percent(&set.0), test)
    });
    told.collect()
}

/// Places at which something may begin, a bit each, counted from the literal.
type Places = u32;
const START: Places = 1;
const WITHIN: Places = (1 << REACH) - 1;

/// A walk over the parts of a regex, away from the literal.
struct Walk {
    is_before: bool,
    /// What may stand at each place.
    sets: [ByteSet; REACH],
    steps_left: usize,
}

impl Walk {
    /// Where what follows a part may begin, when it begins at these places itself.
    // The parser's nest limit bounds the recursion, and the steps bound what repetitions make of it.
    fn part(&mut self, hir: &Hir, at: Places) -> Places {
        self.steps_left = self.steps_left.saturating_sub(1);
        if at == 0 || self.steps_left == 0 {
            return at;
        }
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => at,
            HirKind::Literal(literal) => self.literal(&literal.0, at),
            HirKind::Class(class) => self.class(class, at),
            HirKind::Capture(capture) => self.part(&capture.sub, at),
            HirKind::Concat(parts) => self.concat(parts, at),
            HirKind::Alternation(branches) => branches.iter().fold(0, |ends, branch| ends | self.part(branch, at)),
            HirKind::Repetition(repetition) => {
                let (mut ends, mut here) = (if repetition.min == 0 { at } else { 0 }, at);
                for times in 1..=repetition.max.unwrap_or(u32::MAX) {
                    let next = self.part(&repetition.sub, here);
                    let known = ends;
                    ends |= if times >= repetition.min || next == here {
                        next
                    } else {
                        0
                    };
                    if next == 0 || next == here || (times > repetition.min && ends == known) || self.steps_left == 0 {
                        break;
                    }
                    here = next;
                }
                ends
            }
        }
    }

    fn concat(&mut self, parts: &[Hir], at: Places) -> Places {
        match self.is_before {
            true => parts.iter().rev().fold(at, |at, part| self.part(part, at)),
            false => parts.iter().fold(at, |at, part| self.part(part, at)),
        }
    }

    fn literal(&mut self, bytes: &[u8], at: Places) -> Places {
        let Ok(text) = str::from_utf8(bytes) else {
            return self.anything(at);
        };
        let mut folded: Vec<u8> = text.chars().map(fold).collect::<String>().into_bytes();
        if self.is_before {
            folded.reverse();
        }
        folded.into_iter().take(REACH).fold(at, |at, byte| {
            let mut set = ByteSet::default();
            set.add(byte);
            self.step(set, at)
        })
    }

    fn class(&mut self, class: &Class, at: Places) -> Places {
        let Class::Unicode(class) = class else {
            return self.anything(at);
        };
        let mut plain = ByteSet::default();
        let mut is_beyond = false;
        for range in class.ranges() {
            let (from, to) = (range.start(), range.end());
            (0..=0x7f_u8)
                .filter(|byte| (from..=to).contains(&char::from(*byte)))
                .for_each(|byte| plain.add(byte));
            let odd = FOLDED_FROM_BEYOND.iter().filter(|(c, _)| (from..=to).contains(c));
            odd.for_each(|(_, byte)| plain.add(*byte));
            is_beyond |= !to.is_ascii();
        }
        let mut ends = self.step(plain, at);
        // Folded, a character takes as many bytes as another; all of them are marked as beyond ASCII.
        let mut here = if is_beyond { at } else { 0 };
        for _ in 0..4 {
            here = self.step(ByteSet::BEYOND, here);
            ends |= here;
        }
        ends
    }

    /// One byte of a set.
    fn step(&mut self, set: ByteSet, at: Places) -> Places {
        if set == ByteSet::default() {
            return 0;
        }
        let places = self.sets.iter_mut().enumerate();
        places
            .filter(|(place, _)| at >> place & 1 == 1)
            .for_each(|(_, known)| known.join(set));
        at << 1 & WITHIN
    }

    /// What can't be told: from the first place on it may be anything, and may end anywhere.
    fn anything(&mut self, at: Places) -> Places {
        let first = at.trailing_zeros() as usize;
        self.sets.iter_mut().skip(first).for_each(|set| *set = ByteSet::ALL);
        WITHIN & !(at.wrapping_sub(1) & !at)
    }
}

fn is_border(hir: &Hir) -> bool {
    matches!(hir.kind(), HirKind::Look(Look::WordAscii))
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Whether a byte of a folded text surely stands for a character of a word.
fn is_letter(byte: &u8) -> bool {
    is_word(*byte) && FOLDED_FROM_BEYOND.iter().all(|(_, odd)| odd != byte)
}

/// What may stand beside a word; characters beyond ASCII belong to none, whatever they fold to.
fn no_word() -> ByteSet {
    let mut set = ByteSet::default();
    (0..=u8::MAX)
        .filter(|byte| !is_word(*byte))
        .for_each(|byte| set.add(byte));
    FOLDED_FROM_BEYOND.iter().for_each(|(_, byte)| set.add(*byte));
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Hir {
        let mut builder = regex_syntax::ParserBuilder::new();
        builder.case_insensitive(true).utf8(false).build().parse(text).unwrap()
    }

    /// The tests beside the literal `@` of a regex in the order of their places: `!` where the byte must be there,
    /// and the bytes, those beyond ASCII as one `+`.
    fn told(text: &str) -> String {
        let hir = parsed(text);
        let HirKind::Concat(parts) = hir.kind() else {
            panic!("{text} has parts")
        };
        let at = parts.iter().position(|part| *part == Hir::literal(*b"@")).unwrap();
        let mut tests = tests(&parts[..at], &parts[at + 1..], &["word".to_owned()]);
        tests.sort_by_key(|test| test.offset);
        let shown = tests.iter().map(|test| {
            let plain = (0..0x80_u8).filter(|byte| test.set.holds(*byte) && !byte.is_ascii_uppercase());
            let beyond = if test.set.holds(0x80) { "+" } else { "" };
            let must = if test.must_exist { "!" } else { "" };
            format!(
                "{}{must}{}{beyond}",
                test.offset,
                plain.map(char::from).collect::<String>()
            )
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_may_stand_beside_a_literal_is_told() {
        for (text, expected) in [
            ("@ab", "0!a 1!b"),
            ("xy@", "-2!x -1!y"),
            ("@a?b", "0!ab"),
            ("@[ab]{2}c", "0!ab 1!ab 2!c"),
            ("@(?:ab|c)d", "0!ac 1!bd"),
            ("@a*b", "0!ab"),
            ("@(?:ab)+", "0!a 1!b"),
            ("@[0-9]{2,}-x", "0!0123456789 1!0123456789 2!-0123456789 3!-0123456789x"),
            ("@\u{e9}", "0!+"),
            ("@[k\u{e9}]", "0!k+"),
            ("@(?-i:[a\u{212a}])", "0!ak+"),
            ("@.*", ""),
            ("@a?", ""),
            ("@(?-u:[a-b])c", ""),
        ] {
            assert_eq!(told(text), expected, "{text}");
        }
        // Beyond ASCII, and what folds to it, no word goes on.
        let border = told(r"(?-u:\b)@");
        assert!(
            border.starts_with("-1\0") && border.ends_with("`ks{|}~\u{7f}+"),
            "{border:?}"
        );
    }

    #[test]
    fn what_takes_too_many_steps_tells_nothing() {
        // Digits have no case, so that each branch is a single literal.
        let branches = |count: usize| {
            (0..count)
                .map(|number| format!("{number:04}."))
                .collect::<Vec<_>>()
                .join("|")
        };
        for (count, told_of) in [(STEPS_MAX / 3 - 2, true), (STEPS_MAX / 3 + 2, false)] {
            assert_eq!(!told(&format!("@({})", branches(count))).is_empty(), told_of, "{count}");
        }
    }

    #[test]
    fn no_other_character_folds_to_ascii() {
        let odd = ('\u{80}'..=char::MAX).filter(|c| fold(*c).is_ascii());
        let mut odd: Vec<(char, u8)> = odd.map(|c| (c, u8::try_from(fold(c)).unwrap())).collect();
        odd.reverse();
        assert_eq!(odd, FOLDED_FROM_BEYOND);
    }
}
