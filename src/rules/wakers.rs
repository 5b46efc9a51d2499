//! Which rules of a set are evaluated for a message: those of which a needle was found, and those that need
//! none.
//!
//! Enters: the conditions of a set and what a scan of a message found. Leaves: places in the order of
//! evaluation. What isn't among them is false. Knows nothing of what conditions say.

use super::compile::{Condition, Scanner};
use super::compile::triggers::triggers;
use super::evaluate::Scope;
use foldhash::fast::FixedState;
use std::collections::{BTreeMap, HashMap};

/// The wakers of a whole set.
#[derive(Debug)]
pub(super) struct Wakers {
    always: Places,
    sources: Vec<Listening>,
}

/// Those that listen to one text of the message.
#[derive(Debug)]
struct Listening {
    source: usize,
    all: Vec<usize>,
    by_atom: HashMap<usize, Vec<usize>, FixedState>,
}

/// Places in the order of evaluation, a bit each.
#[derive(Debug, Clone)]
pub(super) struct Places(Vec<u64>);

impl Wakers {
    /// For conditions in the order of their evaluation; a place without one is always woken.
    pub(super) fn new<'c>(conditions: impl Iterator<Item = Option<&'c Condition>>, scanner: &Scanner) -> Self {
        let conditions: Vec<Option<&Condition>> = conditions.collect();
        let mut always = Places(vec![0; conditions.len().div_ceil(64)]);
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

    /// Which places a message wakes.
    pub(super) fn woken(&self, scope: &mut Scope<'_, '_>) -> Places {
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

    /// How many are evaluated for every message.
    pub(super) fn always(&self) -> usize {
        self.always.iter().count()
    }
}

impl Places {
    fn add(&mut self, place: usize) {
        if let Some(word) = self.0.get_mut(place / 64) {
            *word |= 1 << (place % 64);
        }
    }

    /// In order.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> {
        self.0.iter().enumerate().flat_map(|(number, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let bit = (rest != 0).then(|| rest.trailing_zeros() as usize)?;
                rest &= rest - 1;
                Some(number * 64 + bit)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_come_back_in_order() {
        let mut places = Places(vec![0; 3]);
        for place in [130, 0, 63, 64, 0, 191, 192] {
            places.add(place);
        }
        assert_eq!(places.iter().collect::<Vec<_>>(), [0, 63, 64, 130, 191], "what is beyond isn't kept");
    }
}
