//! Needles that are looked for together, and what a scan of a text found of them.
//!
//! Enters: literal needles, each with whether case matters. Leaves: which of them a text holds, and
//! where. Those of a small set, and the shortest, are found by an automaton, others by their grams. Case
//! is folded as Unicode says; whether a hit counts where case matters is checked here. Knows nothing of
//! conditions, nor of which text is scanned.

use super::grams::{Grams, NEEDLE_BYTES_MIN, Sink};
use super::states::{States, Stretched};
use crate::rules::text::{Folded, folded};
use memchr::memmem::Finder;
use std::borrow::Cow;
use std::collections::HashMap;

/// Needles of so many bytes together are found sooner by a table of states than by their grams.
const TABLE_BYTES_MAX: usize = 48 << 10;

/// A needle of which all places are wanted is noted at most so often in one text; beyond it stands
/// everywhere.
pub(crate) const PLACES_MAX: u8 = 32;

/// Needles, gathered.
#[derive(Debug, Default)]
pub(super) struct Needles {
    atoms: Vec<Atom>,
    known: HashMap<(String, bool), usize>,
    /// How many have a counter.
    counted: usize,
}

#[derive(Debug)]
struct Atom {
    folded: String,
    /// As written, where case matters.
    exact: Option<String>,
    /// Its place among the counters, where it matters where else it stands.
    counter: Option<usize>,
}

/// Needles, ready to be looked for in any text. `Send + Sync`.
#[derive(Debug)]
pub(crate) struct Automaton {
    atoms: Vec<Atom>,
    grams: Grams,
    /// All needles of a small set, as its tables stay in the caches; of a large one those too short for grams.
    table: Option<States>,
    /// Those of them beyond ASCII, which no ASCII text can hold: alone the others need few classes of bytes, so
    /// that their table is half as large.
    foreign: Option<States>,
    /// Whether a scan for the shortest needles is a pass of its own.
    has_both: bool,
    counted: usize,
}

/// A few atoms, to be looked for one by one.
pub(super) type Few = Vec<(usize, Finder<'static>)>;

/// A text of one message, scanned.
#[derive(Debug)]
pub(crate) struct Scanned<'e> {
    /// As it came.
    pub text: Cow<'e, str>,
    hits: Hits,
}

/// The atoms that a text holds.
#[derive(Debug)]
struct Hits {
    /// A bit for each atom.
    seen: Vec<u64>,
    /// The atoms seen, ascending, and where each stands, as a byte offset in the text: first, or everywhere
    /// where that is wanted.
    places: Vec<(usize, usize)>,
    /// How often atoms with a counter were seen, up to one more than is noted.
    counts: Vec<u8>,
}

/// Several atoms of which it is asked at once whether any was seen.
#[derive(Debug, Default)]
pub(crate) struct AtomSet {
    /// Words of [`Hits::seen`] and the bits in them.
    words: Vec<(usize, u64)>,
}

impl Needles {
    /// The place of a needle; `None` for an empty one.
    pub(super) fn add(&mut self, needle: &str, ignores_case: bool) -> Option<usize> {
        if needle.is_empty() {
            return None;
        }
        let key = match ignores_case {
            true => (folded(needle).into_owned(), true),
            false => (needle.to_owned(), false),
        };
        if let Some(known) = self.known.get(&key) {
            return Some(*known);
        }
        self.atoms.push(Atom {
            folded: folded(needle).into_owned(),
            exact: (!ignores_case).then(|| needle.to_owned()),
            counter: None,
        });
        self.known.insert(key, self.atoms.len() - 1);
        Some(self.atoms.len() - 1)
    }

    /// Has every place of a needle noted, not only the first.
    pub(super) fn want_all_places(&mut self, atom: usize) {
        if let Some(atom) = self.atoms.get_mut(atom).filter(|atom| atom.counter.is_none()) {
            atom.counter = Some(self.counted);
            self.counted += 1;
        }
    }

    /// Fails only when there are more short needles than an automaton can hold.
    pub(super) fn build(self) -> Result<Automaton, String> {
        let numbered = self.atoms.iter().enumerate();
        let numbered = numbered.map(|(number, atom)| (number, atom.folded.as_str()));
        let is_small = numbered.clone().map(|(_, text)| text.len()).sum::<usize>() <= TABLE_BYTES_MAX;
        let (tabled, long): (Vec<_>, Vec<_>) =
            numbered.partition(|(_, text)| is_small || text.len() < NEEDLE_BYTES_MIN);
        let (plain, foreign) = tabled.into_iter().partition(|(_, text)| text.is_ascii());
        Ok(Automaton {
            has_both: !is_small,
            grams: Grams::build(long.into_iter()),
            table: States::build(plain)?,
            foreign: States::build(foreign)?,
            atoms: self.atoms,
            counted: self.counted,
        })
    }
}

impl Automaton {
    /// Scans a text, for the shortest needles too if asked.
    pub(super) fn scan<'e>(&self, text: Cow<'e, str>, for_short: bool) -> Scanned<'e> {
        // Needles are found in ASCII of any case, and most text is that; a copy is made only of other text.
        let copy = (!text.is_ascii()).then(|| Folded::new(&text));
        let bytes = copy.as_ref().map_or(&*text, Folded::as_str).as_bytes();
        let mut notes = Notes {
            automaton: self,
            text: &text,
            copy: copy.as_ref(),
            hits: self.no_hits(),
        };
        self.grams.scan(bytes, &mut notes);
        if for_short || !self.has_both {
            let foreign = self.foreign.as_ref().filter(|_| copy.is_some());
            let tables = self.table.as_ref().into_iter().chain(foreign);
            tables.for_each(|table| table.scan(bytes, &mut notes));
        }
        let hits = notes.finish();
        Scanned { text, hits }
    }

    /// Looks for a few atoms only.
    pub(super) fn find_few<'e>(&self, few: &Few, text: Cow<'e, str>) -> Scanned<'e> {
        let copy = Folded::new(&text);
        let mut notes = Notes {
            automaton: self,
            text: &text,
            copy: Some(&copy),
            hits: self.no_hits(),
        };
        for (atom, finder) in few {
            let mut from = 0;
            while notes.wants(*atom)
                && let Some(rest) = copy.as_str().as_bytes().get(from..)
                && let Some(found) = finder.find(rest)
            {
                notes.found(*atom, from + found);
                from += found + 1;
            }
        }
        let hits = notes.finish();
        Scanned { text, hits }
    }

    /// Whether an atom takes a pass of its own, with others as short.
    pub(super) fn is_short(&self, atom: usize) -> bool {
        self.has_both && self.atom_bytes(atom) < NEEDLE_BYTES_MIN
    }

    /// How many atoms there are.
    pub(super) fn atoms(&self) -> usize {
        self.atoms.len()
    }

    /// How many bytes an atom has, folded.
    pub(super) fn atom_bytes(&self, atom: usize) -> usize {
        self.atoms.get(atom).map_or(0, |atom| atom.folded.len())
    }

    /// What it takes beside itself.
    pub(super) fn heap_bytes(&self) -> usize {
        let texts = self.atoms.iter().map(|atom| {
            let exact = atom.exact.as_ref().map_or(0, String::capacity);
            size_of::<Atom>() + atom.folded.capacity() + exact
        });
        let tables = self.table.iter().chain(&self.foreign);
        texts.sum::<usize>() + self.grams.heap_bytes() + tables.map(States::heap_bytes).sum::<usize>()
    }

    /// Some atoms, to be looked for one by one.
    pub(super) fn few(&self, atoms: &[usize]) -> Few {
        let finder = |atom: &usize| {
            let text = self.atoms.get(*atom)?.folded.as_bytes();
            Some((*atom, Finder::new(text).into_owned()))
        };
        atoms.iter().filter_map(finder).collect()
    }

    fn no_hits(&self) -> Hits {
        Hits {
            seen: vec![0; self.atoms.len().div_ceil(64)],
            places: Vec::new(),
            counts: vec![0; self.counted],
        }
    }
}

/// Notes what is found in one text.
struct Notes<'s> {
    automaton: &'s Automaton,
    text: &'s str,
    /// What is scanned in its place.
    copy: Option<&'s Folded>,
    hits: Hits,
}

impl Notes<'_> {
    fn add(&mut self, atom: usize, at: usize) {
        let (word, bit) = place(atom);
        if let Some(seen) = self.hits.seen.get_mut(word) {
            *seen |= bit;
        }
        let counter = self.automaton.atoms.get(atom).and_then(|atom| atom.counter);
        if let Some(count) = counter.and_then(|counter| self.hits.counts.get_mut(counter)) {
            *count += 1;
        }
        self.hits.places.push((atom, at));
    }

    fn finish(self) -> Hits {
        let mut hits = self.hits;
        hits.places.sort_unstable();
        hits
    }

    fn count(&self, counter: usize) -> u8 {
        self.hits.counts.get(counter).copied().unwrap_or(0)
    }
}

impl Sink for Notes<'_> {
    fn wants(&self, atom: usize) -> bool {
        let (word, bit) = place(atom);
        if self.hits.seen.get(word).is_none_or(|seen| seen & bit == 0) {
            return true;
        }
        let counter = self.automaton.atoms.get(atom).and_then(|atom| atom.counter);
        counter.is_some_and(|counter| self.count(counter) <= PLACES_MAX)
    }

    /// Notes where an atom stands, unless that is known or it differs in case where that matters.
    fn found(&mut self, atom: usize, at: usize) {
        if !self.wants(atom) {
            return;
        }
        let at = self.copy.map_or(at, |copy| copy.original(at));
        let known = self.automaton.atoms.get(atom);
        let exact = known.and_then(|atom| atom.exact.as_deref());
        if exact.is_some_and(|exact| self.text.get(at..).is_none_or(|rest| !rest.starts_with(exact))) {
            return;
        }
        self.add(atom, at);
    }
}

impl Stretched for Notes<'_> {
    fn fresh(&self) -> Self {
        Self {
            hits: self.automaton.no_hits(),
            ..*self
        }
    }

    fn add_later(&mut self, later: Self) {
        for (atom, at) in later.finish().places {
            if self.wants(atom) {
                self.add(atom, at);
            }
        }
    }
}

impl Scanned<'_> {
    /// Where an atom was first seen.
    pub(crate) fn hit(&self, atom: usize) -> Option<usize> {
        let (word, bit) = place(atom);
        self.hits.seen.get(word).filter(|seen| **seen & bit != 0)?;
        let first = self.hits.places.partition_point(|(known, _)| *known < atom);
        let found = self.hits.places.get(first).filter(|(known, _)| *known == atom);
        found.map(|(_, at)| *at)
    }

    /// Where an atom stands, in order; at most [`PLACES_MAX`] places, and one more stands for too many.
    pub(crate) fn places(&self, atom: usize) -> impl Iterator<Item = usize> {
        let first = self.hits.places.partition_point(|(known, _)| *known < atom);
        let rest = self.hits.places.iter().skip(first);
        rest.take_while(move |(known, _)| *known == atom).map(|(_, at)| *at)
    }

    /// Whether any of several atoms was seen.
    pub(crate) fn holds_any(&self, atoms: &AtomSet) -> bool {
        let seen = |word: usize| self.hits.seen.get(word).copied().unwrap_or(0);
        atoms.words.iter().any(|(word, bits)| seen(*word) & bits != 0)
    }

    /// The atoms that were seen, ascending; one with several places comes so often.
    pub(crate) fn atoms(&self) -> impl Iterator<Item = usize> {
        self.hits.places.iter().map(|(atom, _)| *atom)
    }
}

impl FromIterator<usize> for AtomSet {
    fn from_iter<I: IntoIterator<Item = usize>>(atoms: I) -> Self {
        let mut words: Vec<(usize, u64)> = atoms.into_iter().map(place).collect();
        words.sort_unstable();
        words.dedup_by(|(word, bits), (kept, union)| {
            *union |= if word == kept { *bits } else { 0 };
            word == kept
        });
        Self { words }
    }
}

/// The word and the bit in it that stand for an atom.
fn place(atom: usize) -> (usize, u64) {
    (atom / 64, 1 << (atom % 64))
}
