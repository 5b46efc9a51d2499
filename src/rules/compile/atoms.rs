//! Atoms: the literal needles of all rules, gathered so that each text is scanned once.
//!
//! Compiling registers needles against the texts of the message; building makes one automaton a
//! text, over its case-folded copy. Whether a hit counts where case matters is checked by the
//! reader. Knows nothing of conditions.

use super::node::Node;
use crate::rules::schema::Field;
use crate::rules::text::{Folded, folded};
use crate::rules::value::Value;
use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use std::borrow::Cow;
use std::collections::HashMap;

/// Below this many bytes of needles an automaton is a DFA, which is twice as fast and far larger.
const DFA_NEEDLE_BYTES_MAX: usize = 32 << 10;

/// Gathers the literal needles of a whole set of conditions, so that each field of a message is
/// scanned once for all of them.
#[derive(Debug, Default)]
pub struct Atoms {
    sources: Vec<(Source, Needles)>,
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
    automaton: Option<AhoCorasick>,
    atoms: Vec<Atom>,
}

/// One automaton a field, shared by a set of conditions. `Send + Sync`.
#[derive(Debug, Default)]
pub struct Scanner {
    sources: Vec<(Source, Automaton)>,
}

/// A text of one message, scanned.
#[derive(Debug)]
pub(crate) struct Scanned<'e> {
    /// As it came.
    pub text: Cow<'e, str>,
    /// Where each atom was first seen, as a byte offset in the text; [`NOWHERE`] if it wasn't.
    hits: Vec<usize>,
}

const NOWHERE: usize = usize::MAX;

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
            self.sources.push((source, Needles::default()));
            Some(self.sources.len() - 1)
        })
    }

    /// The place of a needle among a text's atoms; `None` for an empty needle.
    pub(super) fn atom(&mut self, source: usize, needle: &str, ignores_case: bool) -> Option<usize> {
        self.sources.get_mut(source)?.1.add(needle, ignores_case)
    }

    /// Builds the automata. Conditions compiled with these atoms are evaluated with this scanner.
    /// Fails only when the needles are more than an automaton can hold.
    pub fn build(self) -> Result<Scanner, String> {
        let sources = self.sources.into_iter();
        let built = sources.map(|(source, needles)| Ok((source, needles.build()?)));
        Ok(Scanner {
            sources: built.collect::<Result<_, String>>()?,
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
        let atoms = self.atoms;
        let bytes: usize = atoms.iter().map(|atom| atom.folded.len()).sum();
        let kind = match bytes <= DFA_NEEDLE_BYTES_MAX {
            true => AhoCorasickKind::DFA,
            false => AhoCorasickKind::ContiguousNFA,
        };
        if atoms.is_empty() {
            return Ok(Automaton { automaton: None, atoms });
        }
        let automaton = AhoCorasick::builder()
            .kind(Some(kind))
            .match_kind(MatchKind::Standard)
            .build(atoms.iter().map(|atom| &atom.folded))
            .map_err(|error| format!("the needles don't fit an automaton: {error}"))?;
        Ok(Automaton {
            automaton: Some(automaton),
            atoms,
        })
    }
}

impl Scanner {
    /// How many texts it scans.
    pub(crate) fn len(&self) -> usize {
        self.sources.len()
    }

    /// Scans one of them. `None` where it is absent or unknown in this message.
    pub(crate) fn scan<'e>(&self, source: usize, value: Value<'e>) -> Option<Scanned<'e>> {
        let (_, automaton) = self.sources.get(source)?;
        automaton.scan(value)
    }

    /// Where one of them stands: a row of the fields' table, and a member of it.
    pub(crate) fn place(&self, source: usize) -> Option<(usize, Option<&'static Field>)> {
        let (source, _) = self.sources.get(source)?;
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
        let hits = self.hits(&text);
        Some(Scanned { text, hits })
    }

    fn hits(&self, text: &str) -> Vec<usize> {
        let mut hits = vec![NOWHERE; self.atoms.len()];
        let Some(automaton) = self.automaton.as_ref().filter(|_| !text.is_empty()) else {
            return hits;
        };
        let copy = Folded::new(text);
        let mut missing = hits.len();
        for found in automaton.find_overlapping_iter(copy.as_str()) {
            let place = found.pattern().as_usize();
            let (Some(hit), Some(atom)) = (hits.get_mut(place), self.atoms.get(place)) else {
                continue;
            };
            if *hit != NOWHERE {
                continue;
            }
            let at = copy.original(found.start());
            let counts = |exact: &String| text.get(at..).is_some_and(|rest| rest.starts_with(exact.as_str()));
            if atom.exact.as_ref().is_none_or(counts) {
                *hit = at;
                missing -= 1;
            }
            if missing == 0 {
                break;
            }
        }
        hits
    }
}

impl Scanned<'_> {
    /// Where an atom was first seen.
    pub fn hit(&self, atom: usize) -> Option<usize> {
        self.hits.get(atom).copied().filter(|hit| *hit != NOWHERE)
    }
}
