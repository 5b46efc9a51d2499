//! Atoms: the literal needles of all rules, gathered so that each text is scanned once.
//!
//! Compiling registers the texts of the message that are looked at, and the needles; building makes
//! one automaton of all needles, over case-folded text. Whether a hit counts where case matters is
//! checked by the reader. Knows nothing of conditions.

use super::node::Node;
use crate::rules::schema::Field;
use crate::rules::text::{Folded, folded};
use crate::rules::value::Value;
use aho_corasick::automaton::Automaton as Machine;
use aho_corasick::dfa::DFA;
use aho_corasick::nfa::contiguous::NFA;
use aho_corasick::{Anchored, MatchKind};
use std::borrow::Cow;
use std::collections::HashMap;

/// Below this many bytes of needles an automaton is a DFA, which is twice as fast and far larger.
const DFA_NEEDLE_BYTES_MAX: usize = 48 << 10;

/// Gathers the literal needles of a whole set of conditions, so that each text of a message is
/// scanned once for all of them.
#[derive(Debug, Default)]
pub struct Atoms {
    sources: Vec<Source>,
    needles: Needles,
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
    sources: Vec<Source>,
    automaton: Automaton,
}

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
        let found = self.sources.iter().position(|known| key(known) == key(&source));
        found.or_else(|| {
            self.sources.push(source);
            Some(self.sources.len() - 1)
        })
    }

    /// The place of a needle among the atoms; `None` for an empty needle.
    pub(super) fn atom(&mut self, needle: &str, ignores_case: bool) -> Option<usize> {
        self.needles.add(needle, ignores_case)
    }

    /// Builds the automaton. Conditions compiled with these atoms are evaluated with this scanner.
    /// Fails only when the needles are more than an automaton can hold.
    pub fn build(self) -> Result<Scanner, String> {
        Ok(Scanner {
            sources: self.sources,
            automaton: self.needles.build()?,
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
            builder.match_kind(MatchKind::Standard).prefilter(false);
            builder.build(texts).map(Tables::Fast)
        } else {
            let mut builder = NFA::builder();
            builder.match_kind(MatchKind::Standard).prefilter(false);
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

    /// Scans a text. `None` for what has none.
    pub(crate) fn scan<'e>(&self, value: Value<'e>) -> Option<Scanned<'e>> {
        self.automaton.scan(value)
    }

    /// Where one of the texts stands: a row of the fields' table, and a member of it.
    pub(crate) fn place(&self, source: usize) -> Option<(usize, Option<&'static Field>)> {
        let source = self.sources.get(source)?;
        Some((source.field, source.member))
    }
}

impl Automaton {
    /// Scans a text. `None` for what has none.
    pub(crate) fn scan<'e>(&self, value: Value<'e>) -> Option<Scanned<'e>> {
        let text = match value {
            Value::Text(text) | Value::Address(text) => text,
            other => Cow::Owned(other.as_text()?.into_owned()),
        };
        let mut hits = Hits {
            seen: vec![0; self.atoms.len().div_ceil(64)],
            places: Vec::new(),
        };
        // ASCII, which most text is, is folded on the way; a copy is made only of other text.
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

    fn look(&self, half: &Half, text: &str, copy: Option<&Folded>, hits: &mut Hits) {
        match &half.tables {
            Tables::Fast(machine) => self.run(machine, &half.atoms, text, copy, hits),
            Tables::Small(machine) => self.run(machine, &half.atoms, text, copy, hits),
            Tables::None => {}
        }
    }

    fn run(&self, machine: &impl Machine, atoms: &[usize], text: &str, copy: Option<&Folded>, hits: &mut Hits) {
        let Ok(mut state) = machine.start_state(Anchored::No) else {
            return;
        };
        for (at, byte) in copy.map_or(text, Folded::as_str).bytes().enumerate() {
            state = machine.next_state(Anchored::No, state, byte.to_ascii_lowercase());
            if !machine.is_special(state) || !machine.is_match(state) {
                continue;
            }
            for number in 0..machine.match_len(state) {
                let pattern = machine.match_pattern(state, number);
                let from = at + 1 - machine.pattern_len(pattern);
                if let Some(atom) = atoms.get(pattern.as_usize()) {
                    self.note(*atom, text, || copy.map_or(from, |copy| copy.original(from)), hits);
                }
            }
        }
    }

    /// Notes where an atom stands, unless it was seen before or differs in case where that matters.
    fn note(&self, atom: usize, text: &str, from: impl Fn() -> usize, hits: &mut Hits) {
        let (word, bit) = place(atom);
        let Some(seen) = hits.seen.get_mut(word).filter(|seen| **seen & bit == 0) else {
            return;
        };
        let at = from();
        let exact = self.atoms.get(atom).and_then(|atom| atom.exact.as_deref());
        if exact.is_none_or(|exact| text.get(at..).is_some_and(|rest| rest.starts_with(exact))) {
            *seen |= bit;
            hits.places.push((atom, at));
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
