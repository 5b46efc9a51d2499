//! Needles that are looked for together, and what a scan of a text found of them.
//!
//! Enters: literal needles, each with whether case matters, or with what must stand around it. Leaves: which of
//! them a text holds, and where. Those of a small set, and the shortest, are found by an automaton, others by
//! their grams. Case is folded as Unicode says; whether a hit counts where case or its surroundings matter is
//! checked here. Knows nothing of conditions, nor of which text is scanned.

use super::grams::{Grams, NEEDLE_BYTES_MIN, Sink, whole};
use super::states::States;
use super::surroundings::{ByteSet, ByteTest};
use crate::rules::text::{Folded, folded};
use foldhash::fast::FixedState;
use memchr::memmem::Finder;
use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

/// Needles of so many bytes together go into a table of states whatever they are.
const TABLED_BYTES_MIN: usize = 48 << 10;
/// So many do where their table isn't larger than this. That grows with the beginnings that tell them apart, those of
/// words being alike, and slows down where it leaves the caches.
const TABLED_BYTES_MAX: usize = 512 << 10;
const TABLE_BYTES_MAX: usize = 16 << 20;

/// A needle of which all places are wanted is noted at most so often in one text; beyond it stands
/// everywhere.
pub(crate) const PLACES_MAX: u8 = 32;

/// Looks at what stands around needles end after so many for each byte of a text, and some: from then on all pass,
/// which costs time but no finding.
const LOOKS_A_BYTE: usize = 8;
const LOOKS_MIN: usize = 10_000;

/// Needles, gathered.
#[derive(Debug, Default)]
pub(super) struct Needles {
    atoms: Vec<Atom>,
    known: HashMap<Key, usize>,
    /// The texts of needles, folded, and their places.
    texts: Vec<String>,
    known_texts: HashMap<String, usize>,
    sets: Vec<ByteSet>,
    known_sets: HashMap<ByteSet, u32>,
    /// How many have a counter.
    counted: usize,
}

/// What makes a needle another one.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Key {
    /// Its text, as written.
    Exact(String),
    /// The place of its text, and what stands around it.
    Folded(usize, Box<[Look]>),
}

#[derive(Debug)]
struct Atom {
    /// The place of its text.
    text: usize,
    /// As written, where case matters.
    exact: Option<Box<str>>,
    /// What must stand around it.
    around: Box<[Look]>,
    /// Its place among the counters, where it matters where else it stands.
    counter: Option<usize>,
}

/// A [`ByteTest`] whose set others have too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Look {
    set: u32,
    offset: i8,
    must_exist: bool,
}

/// One of the atoms that have the same text, with the look that tells most of what stands around it.
#[derive(Debug, Clone, Copy)]
struct Variant {
    atom: u32,
    first: Option<Look>,
}

/// A text that some atoms have.
#[derive(Debug, Clone, Copy)]
struct Text {
    bytes: u32,
    /// Where its atoms begin among all variants; they end where the next text's begin.
    variants: u32,
}

/// An atom, in as little room as may be: of a large set thousands are asked of at places far apart.
#[derive(Debug, Clone, Copy)]
struct Compact {
    text: u32,
    counter: Option<u32>,
    /// Where what must stand around it begins among all looks, and how much it is.
    looks: u32,
    looks_count: u8,
    is_exact: bool,
}

/// Needles, ready to be looked for in any text. `Send + Sync`.
#[derive(Debug)]
pub(crate) struct Automaton {
    atoms: Box<[Compact]>,
    looks: Box<[Look]>,
    /// Atoms as written, where case matters.
    exact: HashMap<usize, Box<str>, FixedState>,
    written: Vec<String>,
    texts: Box<[Text]>,
    /// The atoms of each text, one text's after the other's, those with surroundings last.
    variants: Box<[Variant]>,
    sets: Vec<ByteSet>,
    grams: Grams,
    plain: Tabled,
    /// Those beyond ASCII, which no ASCII text can hold: alone the others need few classes of bytes, so that their
    /// table is half as large.
    foreign: Tabled,
    counted: usize,
}

/// Needles that are looked for by a table.
#[derive(Debug)]
struct Tabled {
    states: Option<States>,
    /// Whether it holds only those too short for grams, which find the others.
    is_of_short: bool,
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
        match ignores_case {
            true => self.add_within(needle, &[]),
            false => {
                let key = Key::Exact(needle.to_owned());
                self.add_atom(key, needle, Some(needle), Box::default())
            }
        }
    }

    /// The place of a needle, in any case, that counts only where these tests pass.
    pub(super) fn add_within(&mut self, needle: &str, tests: &[ByteTest]) -> Option<usize> {
        if needle.is_empty() {
            return None;
        }
        let around: Box<[Look]> = tests.iter().map(|test| self.look(test)).collect();
        let key = Key::Folded(self.text(needle), around.clone());
        self.add_atom(key, needle, None, around)
    }

    fn add_atom(&mut self, key: Key, needle: &str, exact: Option<&str>, around: Box<[Look]>) -> Option<usize> {
        if needle.is_empty() {
            return None;
        }
        if let Some(known) = self.known.get(&key) {
            return Some(*known);
        }
        let text = self.text(needle);
        self.atoms.push(Atom {
            text,
            exact: exact.map(Box::from),
            around,
            counter: None,
        });
        self.known.insert(key, self.atoms.len() - 1);
        Some(self.atoms.len() - 1)
    }

    fn text(&mut self, needle: &str) -> usize {
        let folded = folded(needle);
        if let Some(known) = self.known_texts.get(&*folded) {
            return *known;
        }
        self.texts.push(folded.clone().into_owned());
        self.known_texts.insert(folded.into_owned(), self.texts.len() - 1);
        self.texts.len() - 1
    }

    fn look(&mut self, test: &ByteTest) -> Look {
        let next = u32::try_from(self.sets.len()).unwrap_or(u32::MAX);
        let set = *self.known_sets.entry(test.set).or_insert(next);
        if set == next {
            self.sets.push(test.set);
        }
        Look {
            set,
            offset: test.offset,
            must_exist: test.must_exist,
        }
    }

    /// Has every place of a needle noted, not only the first.
    pub(super) fn want_all_places(&mut self, atom: usize) {
        if let Some(atom) = self.atoms.get_mut(atom).filter(|atom| atom.counter.is_none()) {
            atom.counter = Some(self.counted);
            self.counted += 1;
        }
    }

    /// Ready to be looked for.
    pub(super) fn build(self) -> Automaton {
        let numbered = self.texts.iter().map(String::as_str).enumerate();
        let (plain, foreign): (Vec<_>, Vec<_>) = numbered.partition(|(_, text)| text.is_ascii());
        let [(plain, long), (foreign, long_foreign)] = [plain, foreign].map(Tabled::build);
        let grams = Grams::build(long.into_iter().chain(long_foreign));
        let mut variants: Vec<(usize, Variant)> = Vec::with_capacity(self.atoms.len());
        let (mut looks, mut exact) = (Vec::new(), HashMap::default());
        let compact = |(number, atom): (usize, Atom)| {
            let first = atom.around.first().copied();
            variants.push((
                atom.text,
                Variant {
                    atom: whole(number),
                    first,
                },
            ));
            let from = whole(looks.len());
            looks.extend_from_slice(&atom.around);
            let is_exact = atom.exact.is_some();
            exact.extend(atom.exact.map(|text| (number, text)));
            Compact {
                text: whole(atom.text),
                counter: atom.counter.map(whole),
                looks: from,
                looks_count: u8::try_from(atom.around.len()).unwrap_or(u8::MAX),
                is_exact,
            }
        };
        let atoms = self.atoms.into_iter().enumerate().map(compact).collect();
        variants.sort_by_key(|(text, variant)| (*text, variant.first.is_some()));
        let begin = |text: usize| whole(variants.partition_point(|(known, _)| *known < text));
        let bytes = self.texts.iter().map(String::len).chain([0]).enumerate();
        let texts = bytes.map(|(text, bytes)| Text {
            bytes: whole(bytes),
            variants: begin(text),
        });
        Automaton {
            grams,
            plain,
            foreign,
            texts: texts.collect(),
            variants: variants.iter().map(|(_, variant)| *variant).collect(),
            atoms,
            looks: looks.into(),
            exact,
            written: self.texts,
            sets: self.sets,
            counted: self.counted,
        }
    }
}

impl Tabled {
    /// A table of needles, and those of them that are left to grams.
    fn build(needles: Vec<(usize, &str)>) -> (Self, Vec<(usize, &str)>) {
        let tabled = |needles: &[(usize, &str)], bytes_max, is_of_short| {
            let states = match needles {
                [] => None,
                needles => Some(States::build(needles, bytes_max)?),
            };
            Some(Self { states, is_of_short })
        };
        let bytes: usize = needles.iter().map(|(_, text)| text.len()).sum();
        let bytes_max = if bytes <= TABLED_BYTES_MIN {
            usize::MAX
        } else if bytes <= TABLED_BYTES_MAX {
            TABLE_BYTES_MAX
        } else {
            0
        };
        if let Some(all) = tabled(&needles, bytes_max, false) {
            return (all, Vec::new());
        }
        let (long, short): (Vec<_>, Vec<_>) = needles
            .into_iter()
            .partition(|(_, text)| text.len() >= NEEDLE_BYTES_MIN);
        // There are only so many texts of two bytes.
        let short = tabled(&short, usize::MAX, true).unwrap_or_else(Self::none);
        (short, long)
    }

    fn none() -> Self {
        Self {
            states: None,
            is_of_short: false,
        }
    }
}

impl Automaton {
    /// Scans a text, for the shortest needles too if asked.
    pub(super) fn scan<'e>(&self, text: Cow<'e, str>, for_short: bool) -> Scanned<'e> {
        // Needles are found in ASCII of any case, and most text is that; a copy is made only of other text.
        let copy = (!text.is_ascii()).then(|| Folded::new(&text));
        let bytes = copy.as_ref().map_or(&*text, Folded::as_str).as_bytes();
        let mut notes = Notes::new(self, &text, copy.as_ref());
        self.grams.scan(bytes, &mut notes);
        let foreign = Some(&self.foreign).filter(|_| copy.is_some());
        for tabled in std::iter::once(&self.plain).chain(foreign) {
            if let Some(states) = tabled.states.as_ref().filter(|_| for_short || !tabled.is_of_short) {
                states.scan(bytes, &mut notes);
            }
        }
        let hits = notes.finish();
        Scanned { text, hits }
    }

    /// Looks for a few atoms only.
    pub(super) fn find_few<'e>(&self, few: &Few, text: Cow<'e, str>) -> Scanned<'e> {
        let copy = Folded::new(&text);
        let mut notes = Notes::new(self, &text, Some(&copy));
        for (atom, finder) in few {
            let mut from = 0;
            while notes.wants_atom(*atom)
                && let Some(rest) = copy.as_str().as_bytes().get(from..)
                && let Some(found) = finder.find(rest)
            {
                let at = from + found;
                notes.stands(*atom, &(at..at + self.atom_bytes(*atom)), 0);
                from += found + 1;
            }
        }
        let hits = notes.finish();
        Scanned { text, hits }
    }

    /// Whether an atom takes a pass of its own, with others as short.
    pub(super) fn is_short(&self, atom: usize) -> bool {
        let has_own_pass = self.plain.is_of_short || self.foreign.is_of_short;
        has_own_pass && self.atom_bytes(atom) < NEEDLE_BYTES_MIN
    }

    /// How many atoms there are.
    pub(super) fn atoms(&self) -> usize {
        self.atoms.len()
    }

    /// How many bytes an atom has, folded.
    pub(super) fn atom_bytes(&self, atom: usize) -> usize {
        self.text_of(atom).map_or(0, str::len)
    }

    fn text_of(&self, atom: usize) -> Option<&str> {
        Some(self.written.get(self.atoms.get(atom)?.text as usize)?)
    }

    /// The atoms of a text.
    #[inline]
    fn of_text(&self, text: usize) -> &[Variant] {
        let bounds = match self.texts.get(text..text + 2) {
            Some([text, next]) => text.variants as usize..next.variants as usize,
            _ => 0..0,
        };
        self.variants.get(bounds).unwrap_or_default()
    }

    /// How often an atom was seen is counted here.
    fn counter(&self, atom: usize) -> Option<usize> {
        Some(self.atoms.get(atom)?.counter? as usize)
    }

    /// What it takes beside itself.
    pub(super) fn heap_bytes(&self) -> usize {
        let exact = self
            .exact
            .values()
            .map(|exact| exact.len() + size_of::<(usize, Box<str>)>());
        let written = self.written.iter().map(|text| size_of_val(text) + text.capacity());
        let atoms = size_of_val(&*self.atoms) + size_of_val(&*self.looks) + size_of_val(&*self.sets);
        let texts = size_of_val(&*self.texts) + size_of_val(&*self.variants);
        let tables = self.plain.states.iter().chain(&self.foreign.states);
        atoms
            + exact.sum::<usize>()
            + written.sum::<usize>()
            + texts
            + self.grams.heap_bytes()
            + tables.map(States::heap_bytes).sum::<usize>()
    }

    /// Some atoms, to be looked for one by one.
    pub(super) fn few(&self, atoms: &[usize]) -> Few {
        let finder = |atom: &usize| {
            let text = self.text_of(*atom)?.as_bytes();
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
    /// How often it may still be asked what stands around a needle.
    looks_left: usize,
    /// How often texts were found since then.
    unlooked: HashMap<usize, u8>,
}

impl<'s> Notes<'s> {
    fn new(automaton: &'s Automaton, text: &'s str, copy: Option<&'s Folded>) -> Self {
        Self {
            automaton,
            text,
            copy,
            hits: automaton.no_hits(),
            looks_left: LOOKS_MIN + LOOKS_A_BYTE * text.len(),
            unlooked: HashMap::new(),
        }
    }

    fn add(&mut self, atom: usize, at: usize) {
        let (word, bit) = place(atom);
        if let Some(seen) = self.hits.seen.get_mut(word) {
            *seen |= bit;
        }
        let counter = self.automaton.counter(atom);
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

    fn wants_atom(&self, atom: usize) -> bool {
        let (word, bit) = place(atom);
        if self.hits.seen.get(word).is_none_or(|seen| seen & bit == 0) {
            return true;
        }
        let counter = self.automaton.counter(atom);
        counter.is_some_and(|counter| self.count(counter) <= PLACES_MAX)
    }

    /// Notes where an atom stands, unless that is known, or it differs in case or surroundings where these matter, the
    /// first so many looks having been passed.
    fn stands(&mut self, number: usize, bounds: &Range<usize>, passed: u8) {
        let Some(atom) = self.automaton.atoms.get(number).filter(|_| self.wants_atom(number)) else {
            return;
        };
        if atom.looks_count > passed && self.looks_left > 0 {
            self.looks_left -= 1;
            let from = atom.looks as usize;
            let looks = from + usize::from(passed)..from + usize::from(atom.looks_count);
            let looks = self.automaton.looks.get(looks);
            if !looks.unwrap_or_default().iter().all(|look| self.passes(look, bounds)) {
                return;
            }
        }
        let at = self.copy.map_or(bounds.start, |copy| copy.original(bounds.start));
        if atom.is_exact
            && let Some(exact) = self.automaton.exact.get(&number)
            && self.text.get(at..).is_none_or(|rest| !rest.starts_with(&**exact))
        {
            return;
        }
        self.add(number, at);
    }

    fn bounds(&self, text: usize, at: usize) -> Range<usize> {
        at..at + self.automaton.texts.get(text).map_or(0, |text| text.bytes as usize)
    }

    /// Whether a byte near these bounds may belong to a match.
    #[inline]
    fn passes(&self, look: &Look, bounds: &Range<usize>) -> bool {
        let from = if look.offset < 0 { bounds.start } else { bounds.end };
        let scanned = self.copy.map_or(self.text, Folded::as_str).as_bytes();
        let byte = from
            .checked_add_signed(isize::from(look.offset))
            .and_then(|place| scanned.get(place));
        match (byte, self.automaton.sets.get(look.set as usize)) {
            (Some(byte), Some(set)) => set.holds(*byte),
            _ => !look.must_exist,
        }
    }
}

impl Sink for Notes<'_> {
    fn wants(&self, text: usize) -> bool {
        match self.automaton.of_text(text) {
            [only] => self.wants_atom(only.atom as usize),
            _ => true,
        }
    }

    fn found(&mut self, text: usize, at: usize) {
        let automaton = self.automaton;
        // Once nobody looks any more, so many places are as good as all.
        let is_known = self.looks_left == 0 && {
            let places = self.unlooked.entry(text).or_insert(0);
            *places = places.saturating_add(1);
            *places > PLACES_MAX + 1
        };
        let bounds = self.bounds(text, at);
        for variant in automaton.of_text(text) {
            if let Some(look) = &variant.first {
                if is_known {
                    break;
                }
                // Of the many rules that a usual word belongs to, the first look puts off nearly all.
                self.looks_left = self.looks_left.saturating_sub(1);
                if self.looks_left > 0 && !self.passes(look, &bounds) {
                    continue;
                }
            }
            let passed = u8::from(variant.first.is_some() && self.looks_left > 0);
            self.stands(variant.atom as usize, &bounds, passed);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_stays_within_its_room_and_the_rest_is_left_to_grams() {
        let words =
            |count: usize| (0..count).map(|number| format!("w{:x}rd", number.wrapping_mul(0x9e37_79b1) % (1 << 32)));
        let repeating = "ab".repeat(1_000);
        let all_alike: Vec<String> = (0..3_000).map(|number| format!("{repeating}{number}")).collect();
        let tabled = |needles: &[String]| {
            let (tabled, left) = Tabled::build(needles.iter().map(String::as_str).enumerate().collect());
            let bytes = tabled.states.as_ref().map_or(0, States::heap_bytes);
            (left.len(), tabled.is_of_short, bytes)
        };
        for (needles, expected) in [
            (Vec::new(), (0, false)),
            (words(100).collect::<Vec<_>>(), (0, false)),
            // One that stands whole doesn't send the others away.
            (words(10_000).chain([repeating.clone()]).collect(), (0, false)),
            // Small sets have a table whatever they hold.
            (all_alike[..20].to_vec(), (0, false)),
            (
                words(9).chain(all_alike).chain(["x".to_owned()]).collect(),
                (3_009, true),
            ),
            (
                words(200_000).chain(["ab".to_owned(), "\u{e9}".to_owned()]).collect(),
                (200_000, true),
            ),
        ] {
            let (left, is_of_short, bytes) = tabled(&needles);
            assert_eq!((left, is_of_short), expected, "{} needles", needles.len());
            assert!(
                bytes < 2 * TABLE_BYTES_MAX,
                "{bytes} bytes of {} needles",
                needles.len()
            );
        }
    }
}
