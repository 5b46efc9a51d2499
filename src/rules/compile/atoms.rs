//! Atoms: the literal needles of all rules, gathered so that each text is scanned once.
//!
//! Compiling registers the texts of the message that are looked at, and the needles; building makes
//! one automaton of all needles, over case-folded text. Whether a hit counts where case matters is
//! checked by the reader. The conditions that rules share are gathered along with them. Knows nothing of
//! what conditions say.

use super::node::Node;
use super::shared::{Places, SharedConditions};
use crate::rules::schema::Field;
use crate::rules::text::{Folded, folded};
use crate::rules::value::Value;
use aho_corasick::automaton::Automaton as Machine;
use aho_corasick::automaton::StateID;
use aho_corasick::dfa::DFA;
use aho_corasick::nfa::contiguous::NFA;
use aho_corasick::{Anchored, MatchKind};
use memchr::memmem::Finder;
use std::borrow::Cow;
use std::collections::HashMap;

/// Below this many bytes of needles an automaton is a DFA, which is twice as fast and far larger.
const DFA_NEEDLE_BYTES_MAX: usize = 48 << 10;

/// At most so many needles are looked for one by one: HTML sources, which are long, have few.
const FEW_MAX: usize = 16;

/// Stretches of a text that are scanned in turns.
const STRETCHES: usize = 4;

/// Shorter stretches aren't worth their own beginnings.
const STRETCH_BYTES_MIN: usize = 1 << 8;

/// Gathers the literal needles of a whole set of conditions, so that each text of a message is
/// scanned once for all of them.
#[derive(Debug, Default)]
pub struct Atoms {
    /// Each with the atoms that are looked for in it.
    sources: Vec<(Source, Vec<usize>)>,
    needles: Needles,
    pub(super) shared: SharedConditions,
}

/// A text of the message: a field, or a member of one.
#[derive(Debug, Clone, Copy)]
struct Source {
    field: usize,
    member: Option<&'static Field>,
}

/// Needles that are looked for together.
#[derive(Debug, Default)]
pub(super) struct Needles {
    atoms: Vec<Atom>,
    known: HashMap<(String, bool), usize>,
}

#[derive(Debug)]
struct Atom {
    folded: String,
    /// As written, where case matters.
    exact: Option<String>,
}

/// Needles, ready to be looked for in any text.
#[derive(Debug)]
pub(crate) struct Automaton {
    atoms: Vec<Atom>,
    /// Those in ASCII, which need few classes of bytes, so that the tables stay in the cache.
    plain: Half,
    /// The others, which no ASCII text can hold.
    other: Half,
}

#[derive(Debug)]
struct Half {
    tables: Tables,
    /// The atom that each needle of the tables stands for.
    atoms: Vec<usize>,
}

#[derive(Debug)]
enum Tables {
    /// There are no needles.
    None,
    Fast(DFA),
    Small(NFA),
}

/// The texts that conditions look at, and the one automaton for them all. Texts that are alike share
/// one scan. `Send + Sync`.
#[derive(Debug)]
pub struct Scanner {
    /// Each with its needles, where they are so few that looking for one after the other is faster.
    sources: Vec<(Source, Option<Few>)>,
    automaton: Automaton,
    shared: Places,
}

/// A few atoms, to be looked for one by one.
type Few = Vec<(usize, Finder<'static>)>;

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
    /// The atoms seen, ascending, and where each stands first, as a byte offset in the text.
    places: Vec<(usize, usize)>,
}

/// Several atoms of which it is asked at once whether any was seen.
#[derive(Debug, Default)]
pub(crate) struct AtomSet {
    /// Words of [`Hits::seen`] and the bits in them.
    words: Vec<(usize, u64)>,
}

impl Atoms {
    /// The place of a text among those scanned, if it is a text of the message itself.
    pub(super) fn source(&mut self, node: &Node) -> Option<usize> {
        let source = match node {
            Node::Field(field) => Source {
                field: *field,
                member: None,
            },
            Node::Member { base, field } => match **base {
                Node::Field(root) => Source {
                    field: root,
                    member: Some(field),
                },
                _ => return None,
            },
            _ => return None,
        };
        let key = |source: &Source| (source.field, source.member.map(|member| member.name));
        let found = self.sources.iter().position(|(known, _)| key(known) == key(&source));
        found.or_else(|| {
            self.sources.push((source, Vec::new()));
            Some(self.sources.len() - 1)
        })
    }

    /// The place of a needle that is looked for in a text among the atoms; `None` for an empty needle.
    pub(super) fn atom(&mut self, source: usize, needle: &str, ignores_case: bool) -> Option<usize> {
        let atom = self.needles.add(needle, ignores_case)?;
        self.sources.get_mut(source)?.1.push(atom);
        Some(atom)
    }

    /// Builds the automaton. Conditions compiled with these atoms are evaluated with this scanner.
    /// Fails only when the needles are more than an automaton can hold.
    pub fn build(self) -> Result<Scanner, String> {
        let automaton = self.needles.build()?;
        let few = |mut atoms: Vec<usize>| {
            atoms.sort_unstable();
            atoms.dedup();
            let finder = |atom: usize| {
                let text = automaton.atoms.get(atom)?.folded.as_bytes();
                Some((atom, Finder::new(text).into_owned()))
            };
            (atoms.len() <= FEW_MAX).then(|| atoms.into_iter().filter_map(finder).collect())
        };
        let sources = self.sources.into_iter().map(|(source, atoms)| (source, few(atoms)));
        Ok(Scanner {
            sources: sources.collect(),
            automaton,
            shared: self.shared.places(),
        })
    }
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
        });
        self.known.insert(key, self.atoms.len() - 1);
        Some(self.atoms.len() - 1)
    }

    pub(super) fn build(self) -> Result<Automaton, String> {
        Ok(Automaton {
            plain: Half::build(&self.atoms, true)?,
            other: Half::build(&self.atoms, false)?,
            atoms: self.atoms,
        })
    }
}

impl Half {
    fn build(all: &[Atom], is_ascii: bool) -> Result<Self, String> {
        let of_half = all
            .iter()
            .enumerate()
            .filter(|(_, atom)| atom.folded.is_ascii() == is_ascii);
        let (atoms, texts): (Vec<usize>, Vec<&str>) =
            of_half.map(|(place, atom)| (place, atom.folded.as_str())).unzip();
        let bytes: usize = texts.iter().map(|text| text.len()).sum();
        let tables = if texts.is_empty() {
            Ok(Tables::None)
        } else if bytes <= DFA_NEEDLE_BYTES_MAX {
            let mut builder = DFA::builder();
            builder
                .match_kind(MatchKind::Standard)
                .prefilter(false)
                .ascii_case_insensitive(true);
            builder.build(texts).map(Tables::Fast)
        } else {
            let mut builder = NFA::builder();
            builder
                .match_kind(MatchKind::Standard)
                .prefilter(false)
                .ascii_case_insensitive(true);
            builder.build(texts).map(Tables::Small)
        };
        let tables = tables.map_err(|error| format!("the needles don't fit an automaton: {error}"))?;
        Ok(Self { tables, atoms })
    }
}

impl Scanner {
    /// How many texts it scans.
    pub(crate) fn len(&self) -> usize {
        self.sources.len()
    }

    /// Where the truths of shared conditions are remembered.
    pub(crate) fn shared(&self) -> &Places {
        &self.shared
    }

    /// Scans one of them. `None` for what has no text.
    pub(crate) fn scan<'e>(&self, source: usize, value: Value<'e>) -> Option<Scanned<'e>> {
        match self.sources.get(source)? {
            (_, Some(few)) => self.automaton.find_few(few, value),
            (_, None) => self.automaton.scan(value),
        }
    }

    /// Whether a scan of this text looks for every needle, so that it says all of any text like it.
    pub(crate) fn looks_for_all(&self, source: usize) -> bool {
        matches!(self.sources.get(source), Some((_, None)))
    }

    /// Where one of the texts stands: a row of the fields' table, and a member of it.
    pub(crate) fn place(&self, source: usize) -> Option<(usize, Option<&'static Field>)> {
        let (source, _) = self.sources.get(source)?;
        Some((source.field, source.member))
    }
}

impl Automaton {
    /// Scans a text. `None` for what has none.
    pub(crate) fn scan<'e>(&self, value: Value<'e>) -> Option<Scanned<'e>> {
        let text = value.into_text()?;
        let mut hits = self.no_hits();
        // The tables take ASCII in any case, and most text is that; a copy is made only of other text.
        if text.is_ascii() {
            self.look(&self.plain, &text, None, &mut hits);
        } else {
            let copy = Folded::new(&text);
            self.look(&self.plain, &text, Some(&copy), &mut hits);
            self.look(&self.other, &text, Some(&copy), &mut hits);
        }
        hits.places.sort_unstable();
        Some(Scanned { text, hits })
    }

    /// Looks for a few atoms only.
    fn find_few<'e>(&self, few: &Few, value: Value<'e>) -> Option<Scanned<'e>> {
        let text = value.into_text()?;
        let mut hits = self.no_hits();
        let copy = Folded::new(&text);
        for (atom, finder) in few {
            let mut from = 0;
            while let Some(rest) = copy.as_str().as_bytes().get(from..)
                && let Some(found) = finder.find(rest)
                && !self.note(*atom, &text, || copy.original(from + found), &mut hits)
            {
                from += found + 1;
            }
        }
        hits.places.sort_unstable();
        Some(Scanned { text, hits })
    }

    fn no_hits(&self) -> Hits {
        Hits {
            seen: vec![0; self.atoms.len().div_ceil(64)],
            places: Vec::new(),
        }
    }

    fn look(&self, half: &Half, text: &str, copy: Option<&Folded>, hits: &mut Hits) {
        match &half.tables {
            Tables::Fast(machine) => self.run(machine, &half.atoms, text, copy, hits),
            Tables::Small(machine) => self.run(machine, &half.atoms, text, copy, hits),
            Tables::None => {}
        }
    }

    /// Runs an automaton over a text. Each step waits for the one before, so that a long text is cut into
    /// stretches whose steps take turns and don't wait for each other.
    fn run(&self, machine: &impl Machine, atoms: &[usize], text: &str, copy: Option<&Folded>, hits: &mut Hits) {
        let bytes = copy.map_or(text, Folded::as_str).as_bytes();
        let note = |at: usize, state: StateID, hits: &mut Hits| {
            for number in 0..machine.match_len(state) {
                let pattern = machine.match_pattern(state, number);
                let from = at + 1 - machine.pattern_len(pattern);
                if let Some(atom) = atoms.get(pattern.as_usize()) {
                    self.note(*atom, text, || copy.map_or(from, |copy| copy.original(from)), hits);
                }
            }
        };
        if bytes.len() < STRETCHES * STRETCH_BYTES_MIN {
            return walk(machine, [bytes], |_, at, state| note(at, state, hits));
        }
        // A needle over a cut is found by the stretch that it ends in.
        let overlap = machine.max_pattern_len().saturating_sub(1);
        let cut = |number: usize| bytes.len() * number / STRETCHES;
        let begins: [usize; STRETCHES] = std::array::from_fn(|number| cut(number).saturating_sub(overlap));
        let stretches: [&[u8]; STRETCHES] = std::array::from_fn(|number| {
            let begin = begins.get(number).copied().unwrap_or(0);
            bytes.get(begin..cut(number + 1)).unwrap_or_default()
        });
        let mut found: [Hits; STRETCHES] = std::array::from_fn(|_| self.no_hits());
        walk(machine, stretches, |number, at, state| {
            if let (Some(hits), Some(begin)) = (found.get_mut(number), begins.get(number)) {
                note(begin + at, state, hits);
            }
        });
        found.into_iter().for_each(|later| hits.add_later(later));
    }

    /// Notes where an atom stands, unless it was seen before or differs in case where that matters;
    /// says whether it was.
    fn note(&self, atom: usize, text: &str, from: impl Fn() -> usize, hits: &mut Hits) -> bool {
        let (word, bit) = place(atom);
        let Some(seen) = hits.seen.get_mut(word).filter(|seen| **seen & bit == 0) else {
            return true;
        };
        let at = from();
        let exact = self.atoms.get(atom).and_then(|atom| atom.exact.as_deref());
        let counts = exact.is_none_or(|exact| text.get(at..).is_some_and(|rest| rest.starts_with(exact)));
        if counts {
            *seen |= bit;
            hits.places.push((atom, at));
        }
        counts
    }
}

/// Takes an automaton over several texts in turns, and tells of each matching state: in which text, at
/// which byte.
fn walk<const TEXTS: usize>(
    machine: &impl Machine,
    texts: [&[u8]; TEXTS],
    mut found: impl FnMut(usize, usize, StateID),
) {
    let Ok(start) = machine.start_state(Anchored::No) else {
        return;
    };
    let mut states = [start; TEXTS];
    let shared = texts.iter().map(|text| text.len()).min().unwrap_or(0);
    let mut step = |number: usize, at: usize, state: &mut StateID, byte: u8| {
        *state = machine.next_state(Anchored::No, *state, byte);
        if machine.is_special(*state) && machine.is_match(*state) {
            found(number, at, *state);
        }
    };
    for at in 0..shared {
        for (number, (state, text)) in states.iter_mut().zip(texts).enumerate() {
            if let Some(byte) = text.get(at) {
                step(number, at, state, *byte);
            }
        }
    }
    for (number, (state, text)) in states.iter_mut().zip(texts).enumerate() {
        for (at, byte) in text.iter().enumerate().skip(shared) {
            step(number, at, state, *byte);
        }
    }
}

impl Hits {
    /// Adds what a later stretch of the text holds.
    fn add_later(&mut self, later: Self) {
        for (atom, at) in later.places {
            let (word, bit) = place(atom);
            if let Some(seen) = self.seen.get_mut(word).filter(|seen| **seen & bit == 0) {
                *seen |= bit;
                self.places.push((atom, at));
            }
        }
    }
}

impl Scanned<'_> {
    /// Where an atom was first seen.
    pub fn hit(&self, atom: usize) -> Option<usize> {
        let (word, bit) = place(atom);
        self.hits.seen.get(word).filter(|seen| **seen & bit != 0)?;
        let found = self.hits.places.binary_search_by_key(&atom, |(atom, _)| *atom).ok()?;
        self.hits.places.get(found).map(|(_, at)| *at)
    }

    /// Whether any of several atoms was seen.
    pub fn holds_any(&self, atoms: &AtomSet) -> bool {
        let seen = |word: usize| self.hits.seen.get(word).copied().unwrap_or(0);
        atoms.words.iter().any(|(word, bits)| seen(*word) & bits != 0)
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

    const TEXTS: [&str; 6] = [
        "",
        "Pay NOW, payment due",
        "aAa aaA",
        "Zahlung f\u{e4}llig: F\u{c4}LLIG",
        "\u{212a}ey \u{1e9e} key",
        "nothing here",
    ];
    const NEEDLES: [(&str, bool); 8] = [
        ("pay", true),
        ("NOW", false),
        ("aA", false),
        ("aaa", true),
        ("f\u{e4}llig", true),
        ("F\u{c4}LLIG", false),
        ("key", true),
        ("due", false),
    ];

    /// A scanner of one text, with so many needles beside those of interest.
    fn scanner(others: usize) -> Scanner {
        let mut atoms = Atoms::default();
        let source = atoms.source(&Node::Field(0)).unwrap();
        for (needle, ignores_case) in NEEDLES {
            atoms.atom(source, needle, ignores_case).unwrap();
        }
        for number in 0..others {
            atoms.atom(source, &format!("other {number}"), true).unwrap();
        }
        atoms.build().unwrap()
    }

    /// Where a needle stands first, found the slow way.
    fn expected(text: &str, needle: &str, ignores_case: bool) -> Option<usize> {
        let wanted = folded(needle);
        let mut places = text.char_indices().map(|(at, _)| at);
        places.find(|at| match ignores_case {
            true => folded(&text[*at..]).starts_with(&*wanted),
            false => text[*at..].starts_with(needle),
        })
    }

    #[test]
    fn few_needles_and_many_are_found_alike() {
        for others in [0, FEW_MAX - NEEDLES.len(), FEW_MAX - NEEDLES.len() + 1, 100] {
            let scanner = scanner(others);
            assert_eq!(scanner.looks_for_all(0), NEEDLES.len() + others > FEW_MAX);
            for text in TEXTS {
                let scanned = scanner.scan(0, Value::text(text)).unwrap();
                for (atom, (needle, ignores_case)) in NEEDLES.into_iter().enumerate() {
                    assert_eq!(
                        scanned.hit(atom),
                        expected(text, needle, ignores_case),
                        "{needle} in {text} beside {others}"
                    );
                }
            }
        }
    }

    #[test]
    fn needles_are_found_wherever_a_long_text_is_cut() {
        let scanner = scanner(100);
        for filler in ["x", "\u{e9}"] {
            let length = STRETCHES * STRETCH_BYTES_MIN / filler.len();
            for length in [length - 20, length, length + 20] {
                for at in (0..length).step_by(3) {
                    let mut text = filler.repeat(at);
                    text.push_str("Pay NOW, F\u{c4}LLIG");
                    text.push_str(&filler.repeat(length - at));
                    text.push_str(" pay now");
                    let scanned = scanner.scan(0, Value::text(&text)).unwrap();
                    for (atom, (needle, ignores_case)) in NEEDLES.into_iter().enumerate() {
                        let written = if (needle, ignores_case) == ("pay", true) {
                            "Pay"
                        } else {
                            needle
                        };
                        let written = if needle == "f\u{e4}llig" {
                            "F\u{c4}LLIG"
                        } else {
                            written
                        };
                        assert_eq!(scanned.hit(atom), text.find(written), "{needle} at {at} of {length}");
                    }
                }
            }
        }
    }

    #[test]
    fn large_sets_of_needles_are_found_alike() {
        let scanner = scanner(DFA_NEEDLE_BYTES_MAX / 8);
        assert!(matches!(scanner.automaton.plain.tables, Tables::Small(_)));
        let scanned = scanner.scan(0, Value::text("Other 9 and NOW")).unwrap();
        assert_eq!((scanned.hit(1), scanned.hit(NEEDLES.len() + 9)), (Some(12), Some(0)));
    }

    #[test]
    fn a_set_of_atoms_is_asked_at_once() {
        let scanned = scanner(200).scan(0, Value::text("other 130")).unwrap();
        for (atoms, seen) in [
            (vec![0, 1, 70], false),
            (vec![0, NEEDLES.len() + 130], true),
            (vec![], false),
        ] {
            assert_eq!(scanned.holds_any(&atoms.iter().copied().collect()), seen, "{atoms:?}");
        }
    }
}
