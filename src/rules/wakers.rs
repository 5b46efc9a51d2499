//! Which rules of a set are evaluated for a message: those of which a needle was found, and those that need
//! none.
//!
//! Enters: the conditions of a set and what a scan of a message found. Leaves: places in the order of
//! evaluation. What isn't among them is false. Knows nothing of what conditions say.

use super::bits::Bits;
use super::compile::triggers::triggers;
use super::compile::{Condition, Scanner};
use super::evaluate::Scope;
use foldhash::fast::FixedState;
use std::collections::{BTreeMap, HashMap};

/// The wakers of a whole set.
#[derive(Debug)]
pub(super) struct Wakers {
    /// Those that are evaluated for every message.
    always: Bits,
    sources: Vec<Listening>,
}

/// Those that listen to one text of the message.
#[derive(Debug)]
struct Listening {
    source: usize,
    all: Vec<usize>,
    by_atom: HashMap<usize, Vec<usize>, FixedState>,
}

impl Wakers {
    /// For conditions in the order of their evaluation; a place without one is always woken.
    pub(super) fn new<'c>(conditions: impl Iterator<Item = Option<&'c Condition>>, scanner: &Scanner) -> Self {
        let conditions: Vec<Option<&Condition>> = conditions.collect();
        let mut always = Bits::none(conditions.len());
        let mut sources: BTreeMap<usize, Listening> = BTreeMap::new();
        for (place, condition) in conditions.into_iter().enumerate() {
            let Some(found) = condition.and_then(|condition| triggers(&condition.root, scanner)) else {
                always.add(place);
                continue;
            };
            for (source, atom) in found {
                let listening = sources.entry(source).or_insert_with(|| Listening {
                    source,
                    all: Vec::new(),
                    by_atom: HashMap::default(),
                });
                if listening.all.last() != Some(&place) {
                    listening.all.push(place);
                }
                listening.by_atom.entry(atom).or_default().push(place);
            }
        }
        Self {
            always,
            sources: sources.into_values().collect(),
        }
    }

    /// What they take beside themselves.
    pub(super) fn heap_bytes(&self) -> usize {
        let listening = self.sources.iter().map(|listening| {
            let places = listening.by_atom.values().map(Vec::capacity).sum::<usize>() + listening.all.capacity();
            places * size_of::<usize>() + listening.by_atom.capacity() * (size_of::<(usize, Vec<usize>)>() + 1)
        });
        listening.sum()
    }

    /// Which places a message wakes.
    pub(super) fn woken(&self, scope: &mut Scope<'_, '_>) -> Bits {
        let mut woken = self.always.clone();
        for listening in &self.sources {
            match scope.found(listening.source) {
                Some(scanned) => {
                    let places = scanned.atoms().filter_map(|atom| listening.by_atom.get(&atom));
                    places.flatten().for_each(|place| woken.add(*place));
                }
                // What can't be looked at may hold anything.
                None => listening.all.iter().for_each(|place| woken.add(*place)),
            }
        }
        woken
    }
}
