//! Needles looked for by a table of states, a step for each byte of a text.
//!
//! Enters: needles, case-folded. Leaves: every place where one stands, in order. Of a long needle only the head is in
//! the table, and where that stands the rest is compared: the table is a fraction as large, and what isn't
//! in the caches costs most. Knows nothing of what needles are for, nor of case beyond ASCII: texts come
//! folded.

use super::grams::{FOLD, Sink, whole};
use super::transitions::{State, Transitions};
use std::collections::HashMap;

/// Bytes of a head, from the shortest: a longer one is taken where many needles have the same.
const HEADS: [usize; 3] = [10, 18, 34];
/// So many needles may have the same head.
const ALIKE_MAX: usize = 4;

/// Stretches of a text that a table is taken over in turns.
const STRETCHES: usize = 8;
/// Their least and greatest length in a long text: what is found in some is kept until those before are through.
const STRETCH_BYTES: (usize, usize) = (8 << 10, 64 << 10);

/// Shorter texts aren't worth cutting.
pub(super) const LONG_BYTES_MIN: usize = 1 << 10;

/// Needles, ready to be looked for. `Send + Sync`.
#[derive(Debug)]
pub(super) struct States {
    table: Transitions,
    /// In the order of the table's texts, which are their heads.
    needles: Box<[Needle]>,
    /// What follows their heads.
    rests: Box<[u8]>,
}

/// All that is asked of most, side by side.
#[derive(Debug)]
struct Needle {
    /// What it is told by.
    number: u32,
    /// How long its head is.
    head: u32,
    /// Where what follows its head begins, and how much it is.
    from: u32,
    bytes: u32,
    /// The first of that, as [`begin`] tells it.
    begin: u32,
}

/// A place at which a head ends.
#[derive(Clone, Copy)]
struct End {
    /// Bytes before it in its stretch.
    at: u32,
    state: State,
}

impl States {
    /// Prepares needles, each with the number that it is told by; `None` when their table would be larger.
    pub(super) fn build(needles: &[(usize, &str)], bytes_max: usize) -> Option<Self> {
        let mut parted: Vec<Parted<'_>> = parted(needles);
        parted.sort_by_key(|needle| needle.head);
        let heads: Vec<&[u8]> = parted.iter().map(|needle| needle.head).collect();
        let table = Transitions::build(&heads, bytes_max)?;
        let mut rests = Vec::new();
        let needles = parted.iter().map(|needle| {
            let from = whole(rests.len());
            rests.extend_from_slice(needle.rest);
            Needle {
                number: whole(needle.number),
                head: whole(needle.head.len()),
                from,
                bytes: whole(needle.rest.len()),
                begin: begin(needle.rest),
            }
        });
        Some(Self {
            table,
            needles: needles.collect(),
            rests: rests.into(),
        })
    }

    /// What it takes beside itself.
    pub(super) fn heap_bytes(&self) -> usize {
        self.table.heap_bytes() + size_of_val(&*self.needles) + self.rests.len()
    }

    /// Tells of every place where a needle stands, in the order of the text. ASCII letters may be in any case.
    pub(super) fn scan(&self, text: &[u8], sink: &mut impl Sink) {
        if text.len() < LONG_BYTES_MIN {
            let mut state = State::START;
            for (at, byte) in text.iter().enumerate() {
                state = self.table.step(state, *byte);
                if state.is_end() {
                    self.note(at, state, text, sink);
                }
            }
            return;
        }
        let (least, most) = STRETCH_BYTES;
        let block = STRETCHES * (STRETCHES * self.table.longest()).clamp(least, most);
        let mut ends = Default::default();
        for from in (0..text.len()).step_by(block) {
            self.scan_block(from, text.len().min(from + block), text, &mut ends, sink);
        }
    }

    /// Each step waits for the one before, so that a block is cut into stretches whose steps take turns and don't
    /// wait for each other.
    fn scan_block(&self, from: usize, to: usize, text: &[u8], ends: &mut [Vec<End>; STRETCHES], sink: &mut impl Sink) {
        // A head over a cut is found by the stretch that it ends in.
        let overlap = self.table.longest().saturating_sub(1);
        let cut = |number: usize| from + (to - from) * number / STRETCHES;
        let begin = |number: usize| cut(number).saturating_sub(overlap);
        let stretches = std::array::from_fn(|number| text.get(begin(number)..cut(number + 1)).unwrap_or_default());
        self.walk(stretches, ends);
        for (number, ends) in ends.iter_mut().enumerate() {
            for end in ends.drain(..) {
                let at = begin(number) + end.at as usize;
                // What ends before the cut was found by the stretch before.
                if at >= cut(number) {
                    self.note(at, end.state, text, sink);
                }
            }
        }
    }

    /// Takes the states over several texts in turns, and keeps where heads end.
    fn walk(&self, texts: [&[u8]; STRETCHES], ends: &mut [Vec<End>; STRETCHES]) {
        let shared = texts.iter().map(|text| text.len()).min().unwrap_or(0);
        let [one, two, three, four, five, six, seven, eight] = texts.map(|text| text.get(..shared).unwrap_or_default());
        // Each state in a variable of its own stays in a register; in an array it would not.
        let (mut a, mut b, mut c, mut d) = (State::START, State::START, State::START, State::START);
        let (mut e, mut f, mut g, mut h) = (a, b, c, d);
        let step = |state, text: &[u8], at: usize| self.table.step(state, text.get(at).copied().unwrap_or(0));
        for at in 0..shared {
            (a, b, c, d) = (
                step(a, one, at),
                step(b, two, at),
                step(c, three, at),
                step(d, four, at),
            );
            (e, f, g, h) = (
                step(e, five, at),
                step(f, six, at),
                step(g, seven, at),
                step(h, eight, at),
            );
            if a.or(b).or(c).or(d).or(e).or(f).or(g).or(h).is_end() {
                keep(at, [a, b, c, d, e, f, g, h], ends);
            }
        }
        for ((mut state, text), ends) in [a, b, c, d, e, f, g, h].into_iter().zip(texts).zip(ends) {
            for (at, byte) in text.iter().enumerate().skip(shared) {
                state = self.table.step(state, *byte);
                if state.is_end() {
                    ends.push(End::new(at, state));
                }
            }
        }
    }

    /// Heads end at this byte of the text.
    fn note(&self, at: usize, state: State, text: &[u8], sink: &mut impl Sink) {
        let after = text.get(at + 1..).unwrap_or_default();
        for needle in self.table.texts(state).filter_map(|place| self.needles.get(place)) {
            let Some(there) = after.get(..needle.bytes as usize) else {
                continue;
            };
            if begin(there) == needle.begin && sink.wants(needle.number as usize) && self.follows(needle, there) {
                sink.found(needle.number as usize, at + 1 - needle.head as usize);
            }
        }
    }

    /// Whether all that follows a needle's head stands there.
    fn follows(&self, needle: &Needle, there: &[u8]) -> bool {
        let from = needle.from as usize;
        let rest = self.rests.get(from..from + there.len());
        rest.is_some_and(|rest| there.eq_ignore_ascii_case(rest))
    }
}

/// Four bytes in any case, or none of a shorter text.
fn begin(text: &[u8]) -> u32 {
    text.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes) | FOLD)
}

#[inline]
fn keep(at: usize, states: [State; STRETCHES], ends: &mut [Vec<End>; STRETCHES]) {
    let ended = states.into_iter().zip(ends).filter(|(state, _)| state.is_end());
    ended.for_each(|(state, ends)| ends.push(End::new(at, state)));
}

impl End {
    fn new(at: usize, state: State) -> Self {
        Self { at: whole(at), state }
    }
}

/// A needle, in two parts.
struct Parted<'n> {
    number: usize,
    head: &'n [u8],
    rest: &'n [u8],
}

/// Needles with heads of which few are alike, in an order that is the same in every run.
fn parted<'n>(needles: &[(usize, &'n str)]) -> Vec<Parted<'n>> {
    let mut parted = Vec::with_capacity(needles.len());
    let mut left: Vec<(usize, &'n [u8])> = needles
        .iter()
        .map(|(number, text)| (*number, text.as_bytes()))
        .collect();
    for bytes in HEADS.into_iter().chain([usize::MAX]) {
        let cut = |text: &'n [u8]| text.split_at(head_bytes(text, bytes));
        let mut counts: HashMap<&[u8], usize> = HashMap::new();
        for (_, text) in &left {
            *counts.entry(cut(text).0).or_default() += 1;
        }
        left.retain(|(number, text)| {
            let (head, rest) = cut(text);
            let is_crowded = bytes < usize::MAX && counts.get(head).is_some_and(|count| *count > ALIKE_MAX);
            if !is_crowded {
                let number = *number;
                parted.push(Parted { number, head, rest });
            }
            is_crowded
        });
    }
    parted
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

    /// Every place of every needle, found the slow way.
    fn expected(needles: &[String], text: &str) -> Vec<(usize, usize)> {
        let text = text.to_ascii_lowercase();
        let places = (0..needles.len()).flat_map(|number| (0..text.len()).map(move |at| (number, at)));
        places
            .filter(|(number, at)| text.as_bytes()[*at..].starts_with(needles[*number].as_bytes()))
            .collect()
    }

    fn check(needles: &[String], text: &str) {
        let numbered: Vec<(usize, &str)> = needles.iter().map(String::as_str).enumerate().collect();
        let states = States::build(&numbered, usize::MAX).unwrap();
        let mut found = All::default();
        states.scan(text.as_bytes(), &mut found);
        let mut last = vec![0; needles.len()];
        for (number, at) in &found.0 {
            assert!(last[*number] <= *at, "{needles:?}: not in order");
            last[*number] = *at;
        }
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
        check(&[], &text);
    }

    #[test]
    fn a_long_text_is_cut_where_needles_stand() {
        let needles = ["abcabcabcabd".to_owned(), "bca".to_owned(), "x".repeat(300)];
        let block = STRETCHES * STRETCH_BYTES.0;
        for length in [block - 1, block, block + 1, 2 * block + 5] {
            let text: String = "abcabcabcabd".chars().cycle().take(length).collect();
            check(&needles[..2], &text);
            check(&needles, &format!("{}{}{text}", &text[..777], "X".repeat(901)));
        }
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
                let numbered: Vec<(usize, &str)> = needles.iter().map(String::as_str).enumerate().collect();
                let parted = parted(&numbered);
                for needle in &parted {
                    let alike = parted.iter().filter(|other| other.head == needle.head).count();
                    assert!(
                        needle.rest.is_empty() || alike <= ALIKE_MAX && HEADS.contains(&needle.head.len()),
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
