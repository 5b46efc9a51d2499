//! A table of states: for each the next one on every byte, so that many texts are looked for a step a byte.
//!
//! Enters: texts, case-folded and sorted. Leaves: from one state to the next, and which texts end there. States
//! are numbered by their depth, so that those which every text passes stand together in the caches. Knows nothing
//! of what texts are for, nor of case beyond ASCII.

use std::mem::size_of;

/// Set in a state at which some text ends.
const ENDS: u32 = 1 << 31;

/// A state: where its row begins, and whether some text ends at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct State(u32);

/// A table of states. `Send + Sync`.
#[derive(Debug)]
pub(super) struct Transitions {
    /// A number for each byte that some text holds, one for both cases of a letter; 0 for all others.
    classes: [u8; 256],
    /// A row has so many places, as a power of two.
    shift: u32,
    next: Box<[State]>,
    /// The texts that end at each state, one state's after the other's; and where each begins.
    texts: Box<[u32]>,
    begins: Box<[u32]>,
    longest: usize,
}

impl State {
    /// Before the first byte.
    pub(super) const START: Self = Self(0);

    /// Whether some text ends here.
    #[inline]
    pub(super) fn is_end(self) -> bool {
        self.0 & ENDS != 0
    }

    /// Of several states one that is an end if any of them is.
    #[inline]
    pub(super) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[inline]
    fn row(self) -> usize {
        (self.0 & !ENDS) as usize
    }
}

impl Transitions {
    /// For texts of which none is empty, ascending; `None` when their table would be larger.
    pub(super) fn build(texts: &[&[u8]], bytes_max: usize) -> Option<Self> {
        let (classes, count) = classes(texts);
        let shift = count.next_power_of_two().trailing_zeros();
        let places = states(texts).checked_mul(1 << shift)?;
        if places.checked_mul(size_of::<State>())? > bytes_max || places > ENDS as usize {
            return None;
        }
        let mut building = Building {
            texts,
            classes: &classes,
            shift,
            open: vec![Open::root(texts.len())],
            next: Vec::with_capacity(places),
            ended: Vec::with_capacity(texts.len()),
            begins: vec![0],
        };
        let mut done = 0;
        while let Some(open) = building.open.get(done).copied() {
            building.close(&open, done);
            done += 1;
        }
        let Building {
            next, ended, begins, ..
        } = building;
        Some(Self {
            classes,
            shift,
            next: next.into(),
            texts: ended.into(),
            begins: begins.into(),
            longest: texts.iter().map(|text| text.len()).max().unwrap_or(0),
        })
    }

    /// The state after one more byte.
    #[inline]
    pub(super) fn step(&self, state: State, byte: u8) -> State {
        let class = self.classes.get(usize::from(byte)).copied().unwrap_or(0);
        let next = self.next.get(state.row() + usize::from(class));
        next.copied().unwrap_or_default()
    }

    /// The texts that end at a state, by their places.
    pub(super) fn texts(&self, state: State) -> impl Iterator<Item = usize> {
        let number = state.row() >> self.shift;
        let bounds = self.begins.get(number..number + 2);
        let range = bounds.and_then(|bounds| Some(*bounds.first()? as usize..*bounds.last()? as usize));
        let texts = range.and_then(|range| self.texts.get(range)).unwrap_or_default();
        texts.iter().map(|text| *text as usize)
    }

    /// The longest text, in bytes.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    /// What it takes beside itself.
    pub(super) fn heap_bytes(&self) -> usize {
        size_of_val(&*self.next) + size_of_val(&*self.texts) + size_of_val(&*self.begins)
    }
}

/// A number for each byte that some text holds, and how many numbers there are.
fn classes(texts: &[&[u8]]) -> ([u8; 256], usize) {
    let mut held = [false; 256];
    for byte in texts.iter().copied().flatten() {
        if let Some(held) = held.get_mut(usize::from(byte.to_ascii_lowercase())) {
            *held = true;
        }
    }
    let mut classes = [0; 256];
    let mut count = 1;
    // Capitals have none of their own, so that there are fewer than a byte can tell.
    for byte in (0..=u8::MAX).filter(|byte| held.get(usize::from(*byte)) == Some(&true)) {
        for alike in [byte, byte.to_ascii_uppercase()] {
            if let Some(class) = classes.get_mut(usize::from(alike)) {
                *class = u8::try_from(count).unwrap_or(u8::MAX);
            }
        }
        count += 1;
    }
    (classes, count)
}

/// How many states texts take that stand in order: one for each beginning, and the start.
fn states(texts: &[&[u8]]) -> usize {
    let fresh = texts.array_windows().map(|[before, text]| {
        let common = before.iter().zip(*text).take_while(|(one, other)| one == other);
        text.len() - common.count()
    });
    1 + texts.first().map_or(0, |text| text.len()) + fresh.sum::<usize>()
}

/// A table being built, a state after the other in the order of their depth.
struct Building<'t> {
    texts: &'t [&'t [u8]],
    classes: &'t [u8; 256],
    shift: u32,
    /// All states so far, by their numbers.
    open: Vec<Open>,
    /// The rows of those that are done.
    next: Vec<State>,
    ended: Vec<u32>,
    begins: Vec<u32>,
}

/// A state: the texts that begin with what leads to it.
#[derive(Clone, Copy)]
struct Open {
    from: usize,
    to: usize,
    depth: usize,
    /// The deepest state of all that end as it does; where it has no step of its own, that one's counts.
    falls_to: State,
}

impl Open {
    fn root(texts: usize) -> Self {
        Self {
            from: 0,
            to: texts,
            depth: 0,
            falls_to: State::START,
        }
    }
}

impl Building<'_> {
    /// Fills a state's row. Those that it falls back to are less deep, and done.
    fn close(&mut self, state: &Open, number: usize) {
        let own = self.next.len();
        let stride = 1 << self.shift;
        match number {
            0 => self.next.resize(stride, State::START),
            _ => {
                let row = state.falls_to.row();
                self.next.extend_from_within(row..row + stride);
            }
        }
        let texts = self.texts.get(state.from..state.to).unwrap_or_default();
        let done = texts.iter().take_while(|text| text.len() == state.depth).count();
        let places = (state.from..).take(done).filter_map(|place| u32::try_from(place).ok());
        self.ended.extend(places);
        if number > 0 {
            let row = state.falls_to.row() >> self.shift;
            let bound = |at: usize| self.begins.get(at).map_or(0, |bound| *bound as usize);
            self.ended.extend_from_within(bound(row)..bound(row + 1));
        }
        self.begins.push(u32::try_from(self.ended.len()).unwrap_or(u32::MAX));
        let mut rest = texts.get(done..).unwrap_or_default();
        while let Some(byte) = rest.first().and_then(|text| text.get(state.depth)) {
            let (alike, others) = rest.split_at(rest.partition_point(|text| text.get(state.depth) <= Some(byte)));
            let from = state.to - rest.len();
            self.open_next(own, state.depth + 1, (from, alike), *byte);
            rest = others;
        }
    }

    /// A state after one whose row begins there, for the texts that go on with a byte.
    fn open_next(&mut self, row: usize, depth: usize, (from, texts): (usize, &[&[u8]]), byte: u8) {
        let class = self.classes.get(usize::from(byte)).copied().unwrap_or(0);
        let Some(place) = self.next.get_mut(row + usize::from(class)) else {
            return;
        };
        let falls_to = *place;
        let is_end = falls_to.is_end() || texts.first().is_some_and(|text| text.len() == depth);
        // That it fits was seen before.
        let begin = u32::try_from(self.open.len() << self.shift).unwrap_or(0);
        *place = State(begin | if is_end { ENDS } else { 0 });
        self.open.push(Open {
            from,
            to: from + texts.len(),
            depth,
            falls_to,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What ends where, the slow way.
    fn slowly(texts: &[&[u8]], said: &[u8]) -> Vec<(usize, usize)> {
        let ends = |text: &[u8], at: usize| {
            let there = said.get((at + 1).saturating_sub(text.len())..=at);
            there.is_some_and(|there| there.eq_ignore_ascii_case(text))
        };
        let places = (0..said.len()).flat_map(|at| (0..texts.len()).map(move |text| (at, text)));
        places.filter(|(at, text)| ends(texts[*text], *at)).collect()
    }

    fn walked(texts: &[&[u8]], said: &[u8]) -> Vec<(usize, usize)> {
        let table = Transitions::build(texts, usize::MAX).unwrap();
        let (mut state, mut found) = (State::START, Vec::new());
        for (at, byte) in said.iter().enumerate() {
            state = table.step(state, *byte);
            let mut ended: Vec<(usize, usize)> = table.texts(state).map(|text| (at, text)).collect();
            assert_eq!(state.is_end(), !ended.is_empty());
            ended.sort_unstable();
            found.extend(ended);
        }
        found
    }

    #[test]
    fn a_table_is_as_large_as_told() {
        for (texts, expected) in [
            (&[][..], 1),
            (&["a"], 2),
            (&["ab", "abc", "abd", "b"], 6),
            (&["\u{e9}", "\u{ea}"], 4),
        ] {
            let texts: Vec<&[u8]> = texts.iter().map(|text| text.as_bytes()).collect();
            let table = Transitions::build(&texts, usize::MAX).unwrap();
            assert_eq!(table.next.len() >> table.shift, expected, "{texts:?}");
            assert_eq!(table.begins.len(), expected + 1);
            let bytes = size_of_val(&*table.next);
            assert!(Transitions::build(&texts, bytes).is_some());
            assert!(Transitions::build(&texts, bytes - 1).is_none());
        }
    }

    #[test]
    fn every_byte_may_stand_in_a_text() {
        let all: Vec<[u8; 1]> = (0..=u8::MAX)
            .filter(|byte| !byte.is_ascii_uppercase())
            .map(|byte| [byte])
            .collect();
        let texts: Vec<&[u8]> = all.iter().map(<[u8; 1]>::as_slice).collect();
        let said: Vec<u8> = (0..=u8::MAX).collect();
        assert_eq!(walked(&texts, &said), slowly(&texts, &said));
    }

    proptest! {
        #[test]
        fn texts_end_where_they_do(
            texts in prop::collection::btree_set("[ab]{1,6}|[abc@\u{e9}]{1,4}", 0..14),
            said in "[abcAB@\u{e9} ]{0,60}",
        ) {
            let texts: Vec<&[u8]> = texts.iter().map(|text| text.as_bytes()).collect();
            prop_assert_eq!(walked(&texts, said.as_bytes()), slowly(&texts, said.as_bytes()));
        }
    }
}
