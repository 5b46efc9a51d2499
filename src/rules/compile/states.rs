//! Needles looked for by a table of states, a step for each byte of a text.
//!
//! Enters: needles, case-folded. Leaves: every place where one stands. Of a long needle only the head is in
//! the table, and where that stands the rest is compared: the table is a fraction as large, and what isn't
//! in the caches costs most. Knows nothing of what needles are for, nor of case beyond ASCII: texts come
//! folded.

use super::grams::Sink;
use aho_corasick::automaton::{Automaton as Machine, StateID};
use aho_corasick::dfa::DFA;
use aho_corasick::{Anchored, MatchKind, PatternID};
use std::collections::HashMap;

/// Bytes of a head, from the shortest: a longer one is taken where many needles have the same.
const HEADS: [usize; 3] = [10, 18, 34];
/// So many needles may have the same head.
const ALIKE_MAX: usize = 4;

/// Stretches of a text that a table is taken over in turns.
pub(super) const STRETCHES: usize = 4;

/// Shorter texts aren't worth cutting.
pub(super) const LONG_BYTES_MIN: usize = 1 << 10;

/// Takes what is found of a text in several stretches.
pub(super) trait Stretched: Sink + Sized {
    /// One that has taken nothing yet.
    fn fresh(&self) -> Self;
    /// Adds what a later stretch holds.
    fn add_later(&mut self, later: Self);
}

/// Needles, ready to be looked for. `Send + Sync`.
#[derive(Debug)]
pub(super) struct States {
    machine: DFA,
    /// The needles of each head.
    needles: Vec<Box<[Needle]>>,
}

#[derive(Debug)]
struct Needle {
    /// What it is told by.
    number: usize,
    /// What follows its head.
    rest: Box<[u8]>,
}

impl States {
    /// Prepares needles, each with the number that it is told by; `None` when there are none.
    pub(super) fn build(needles: Vec<(usize, &str)>) -> Result<Option<Self>, String> {
        if needles.is_empty() {
            return Ok(None);
        }
        let heads = by_heads(needles);
        let machine = DFA::builder()
            .match_kind(MatchKind::Standard)
            .prefilter(false)
            .ascii_case_insensitive(true)
            .build(heads.iter().map(|(head, _)| head));
        let machine = machine.map_err(|error| format!("the needles don't fit an automaton: {error}"))?;
        Ok(Some(Self {
            machine,
            needles: heads.into_iter().map(|(_, needles)| needles.into()).collect(),
        }))
    }

    /// What it takes beside itself.
    pub(super) fn heap_bytes(&self) -> usize {
        let needles = self.needles.iter().map(|needles| {
            let rests = needles.iter().map(|needle| needle.rest.len());
            size_of_val(needles) + size_of_val(&**needles) + rests.sum::<usize>()
        });
        self.machine.memory_usage() + needles.sum::<usize>()
    }

    /// Tells of every place where a needle stands. ASCII letters may be in any case. Each step waits for the
    /// one before, so that a long text is cut into stretches whose steps take turns and don't wait for each
    /// other.
    pub(super) fn scan(&self, text: &[u8], sink: &mut impl Stretched) {
        let Ok(start) = self.machine.start_state(Anchored::No) else {
            return;
        };
        if text.len() < LONG_BYTES_MIN {
            return self.walk_on(start, text, &mut |at, state| self.note(at, state, text, sink));
        }
        // A head over a cut is found by the stretch that it ends in.
        let overlap = self.machine.max_pattern_len().saturating_sub(1);
        let cut = |number: usize| text.len() * number / STRETCHES;
        let begins: [usize; STRETCHES] = std::array::from_fn(|number| cut(number).saturating_sub(overlap));
        let stretches: [&[u8]; STRETCHES] = std::array::from_fn(|number| {
            let begin = begins.get(number).copied().unwrap_or(0);
            text.get(begin..cut(number + 1)).unwrap_or_default()
        });
        let mut found: [_; STRETCHES] = std::array::from_fn(|_| sink.fresh());
        self.walk(start, stretches, &mut |number, at, state| {
            let at = begins.get(number).copied().unwrap_or(0) + at;
            // What ends before the cut was found by the stretch before.
            if let Some(sink) = found.get_mut(number).filter(|_| at >= cut(number)) {
                self.note(at, state, text, sink);
            }
        });
        found.into_iter().for_each(|later| sink.add_later(later));
    }

    /// Takes the states over several texts in turns, and tells of each matching one: in which text, at
    /// which byte.
    fn walk(&self, start: StateID, texts: [&[u8]; STRETCHES], found: &mut dyn FnMut(usize, usize, StateID)) {
        let machine = &self.machine;
        let shared = texts.iter().map(|text| text.len()).min().unwrap_or(0);
        let parts = texts.map(|text| text.split_at_checked(shared).unwrap_or_default());
        let [one, two, three, four] = parts.map(|(turns, _)| turns.iter());
        // Each state in a variable of its own stays in a register; in an array it would not.
        let (mut first, mut second, mut third, mut fourth) = (start, start, start, start);
        for (at, (((one, two), three), four)) in one.zip(two).zip(three).zip(four).enumerate() {
            first = machine.next_state(Anchored::No, first, *one);
            second = machine.next_state(Anchored::No, second, *two);
            third = machine.next_state(Anchored::No, third, *three);
            fourth = machine.next_state(Anchored::No, fourth, *four);
            for (number, state) in [first, second, third, fourth].into_iter().enumerate() {
                if self.is_match(state) {
                    found(number, at, state);
                }
            }
        }
        let states = [first, second, third, fourth];
        for (number, (state, (_, rest))) in states.into_iter().zip(parts).enumerate() {
            self.walk_on(state, rest, &mut |at, state| found(number, shared + at, state));
        }
    }

    /// Goes on from a state.
    fn walk_on(&self, mut state: StateID, text: &[u8], found: &mut dyn FnMut(usize, StateID)) {
        for (at, byte) in text.iter().enumerate() {
            state = self.machine.next_state(Anchored::No, state, *byte);
            if self.is_match(state) {
                found(at, state);
            }
        }
    }

    fn is_match(&self, state: StateID) -> bool {
        self.machine.is_special(state) && self.machine.is_match(state)
    }

    /// Heads end at this byte of the text.
    fn note(&self, at: usize, state: StateID, text: &[u8], sink: &mut impl Sink) {
        for number in 0..self.machine.match_len(state) {
            let head = self.machine.match_pattern(state, number);
            let rest = text.get(at + 1..).unwrap_or_default();
            for needle in self.of(head) {
                let there = rest.get(..needle.rest.len());
                let stands = |there: &[u8]| there.eq_ignore_ascii_case(&needle.rest);
                if sink.wants(needle.number) && there.is_some_and(stands) {
                    sink.found(needle.number, at + 1 - self.machine.pattern_len(head));
                }
            }
        }
    }

    fn of(&self, head: PatternID) -> &[Needle] {
        self.needles.get(head.as_usize()).map_or(&[], AsRef::as_ref)
    }
}

/// The most bytes of heads in the table of a large set: each may be a state.
const HEAD_BYTES_MAX: usize = 96 << 10;

/// Whether so little of each needle, and of all, would stand in a table that it stays small.
pub(super) fn have_short_heads(needles: &[String]) -> bool {
    let heads = by_heads(needles.iter().map(String::as_str).enumerate().collect());
    let lengths = heads.iter().map(|(head, _)| head.len());
    let [.., longest] = HEADS;
    lengths.clone().all(|length| length <= longest) && lengths.sum::<usize>() <= HEAD_BYTES_MAX
}

/// Needles by the heads that they have in common, in an order that is the same in every run.
fn by_heads<'n>(needles: Vec<(usize, &'n str)>) -> Vec<(&'n [u8], Vec<Needle>)> {
    let mut heads: Vec<(&[u8], Vec<Needle>)> = Vec::new();
    let mut left: Vec<(usize, &[u8])> = needles
        .into_iter()
        .map(|(number, text)| (number, text.as_bytes()))
        .collect();
    for bytes in HEADS.into_iter().chain([usize::MAX]) {
        let cut = |text: &'n [u8]| text.split_at(head_bytes(text, bytes));
        let mut counts: HashMap<&[u8], usize> = HashMap::new();
        for (_, text) in &left {
            *counts.entry(cut(text).0).or_default() += 1;
        }
        let mut places: HashMap<&[u8], usize> = HashMap::new();
        left.retain(|(number, text)| {
            let (head, rest) = cut(text);
            if bytes < usize::MAX && counts.get(head).is_some_and(|count| *count > ALIKE_MAX) {
                return true;
            }
            let place = *places.entry(head).or_insert_with(|| {
                heads.push((head, Vec::new()));
                heads.len() - 1
            });
            if let Some((_, needles)) = heads.get_mut(place) {
                needles.push(Needle {
                    number: *number,
                    rest: rest.into(),
                });
            }
            false
        });
    }
    heads
}

/// How much of a needle its head is. One that holds its head again stands in the table whole: where no needle
/// does, stretches of a text that begin like one don't overlap, so that comparing them takes no longer than
/// the text is.
fn head_bytes(needle: &[u8], bytes: usize) -> usize {
    match needle.get(..bytes) {
        Some(head) if memchr::memmem::rfind(needle, head) == Some(0) => bytes,
        _ => needle.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::grams::tests::All;
    use super::*;

    impl Stretched for All {
        fn fresh(&self) -> Self {
            Self::default()
        }

        fn add_later(&mut self, later: Self) {
            self.0.extend(later.0);
        }
    }

    /// Every place of every needle, found the slow way.
    fn expected(needles: &[String], text: &str) -> Vec<(usize, usize)> {
        let text = text.to_ascii_lowercase();
        let places = (0..needles.len()).flat_map(|number| (0..text.len()).map(move |at| (number, at)));
        places
            .filter(|(number, at)| text.as_bytes()[*at..].starts_with(needles[*number].as_bytes()))
            .collect()
    }

    fn check(needles: &[String], text: &str) {
        let numbered = needles.iter().map(String::as_str).enumerate().collect();
        let states = States::build(numbered).unwrap().unwrap();
        let mut found = All::default();
        states.scan(text.as_bytes(), &mut found);
        found.0.sort_unstable();
        assert_eq!(found.0, expected(needles, text), "{needles:?}");
    }

    #[test]
    fn needles_are_found_whatever_their_heads() {
        let said = "Your account number 12345 is suspended until you verify it at once, dear customer";
        let mut needles: Vec<String> = Vec::new();
        for length in [1, 2, 9, 10, 11, 17, 18, 19, 33, 34, 35, 60] {
            for begin in [0, 5, 20, said.len() - length] {
                needles.extend(said.get(begin..begin + length).map(str::to_ascii_lowercase));
            }
        }
        needles.sort_unstable();
        needles.dedup();
        let text = format!("{said}{}{said} YOUR ACCOUNT", &said[..40]);
        check(&needles, &text);
        check(&needles, &text.repeat(9));
        assert!(States::build(Vec::new()).unwrap().is_none());
    }

    #[test]
    fn heads_that_many_needles_have_grow() {
        for count in [ALIKE_MAX, ALIKE_MAX + 1, 40] {
            for stem in [
                "account ",
                "account number 1",
                "account number 12345 at the bank",
                "aaaaaaaa",
                "abababababab",
            ] {
                let needles: Vec<String> = (0..count).map(|number| format!("{stem}{number}!")).collect();
                let text: String = (0..count + 9)
                    .map(|number| format!("{stem}{stem}{number}! {stem}"))
                    .collect();
                check(&needles, &text);
                let heads = by_heads(needles.iter().map(String::as_str).enumerate().collect());
                for (head, needles) in heads {
                    let is_whole = needles.iter().all(|needle| needle.rest.is_empty());
                    assert!(
                        is_whole || needles.len() <= ALIKE_MAX && HEADS.contains(&head.len()),
                        "{stem}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_needle_that_holds_its_head_again_stands_whole() {
        for (needle, head) in [
            ("account number", 10),
            ("account number, account number", 30),
            ("aaaaaaaaaaab", 12),
            ("aaaaaaaaaabb", 10),
            ("abcdefabcdefabcdefx", 19),
            ("account", 7),
            ("account nu", 10),
        ] {
            assert_eq!(head_bytes(needle.as_bytes(), 10), head, "{needle}");
        }
    }
}
