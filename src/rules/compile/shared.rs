//! Conditions that several rules share, so that each is decided once a message, or once an item.
//!
//! Compiling registers each condition by its text; what was registered but once isn't remembered at
//! evaluation. Knows nothing of what conditions say.

use std::collections::HashMap;

/// A condition's place among those registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shared(usize);

/// Conditions registered while compiling.
#[derive(Debug, Default)]
pub(super) struct SharedConditions {
    known: HashMap<String, Shared>,
    uses: Vec<usize>,
}

/// Where the truths of shared conditions are remembered.
#[derive(Debug)]
pub(crate) struct Places {
    of: Vec<Option<usize>>,
    count: usize,
}

impl SharedConditions {
    /// The place of a condition. Equal texts must mean the same.
    pub(super) fn register(&mut self, text: String) -> Shared {
        let next = Shared(self.uses.len());
        let shared = *self.known.entry(text).or_insert(next);
        if shared == next {
            self.uses.push(0);
        }
        if let Some(uses) = self.uses.get_mut(shared.0) {
            *uses += 1;
        }
        shared
    }

    pub(super) fn places(self) -> Places {
        let mut count = 0;
        let place = |uses: usize| {
            (uses > 1).then(|| {
                count += 1;
                count - 1
            })
        };
        let of = self.uses.into_iter().map(place).collect();
        Places { of, count }
    }
}

impl Places {
    /// How many conditions are remembered.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Where one is remembered; `None` for one that stands in the set but once.
    pub(crate) fn of(&self, shared: Shared) -> Option<usize> {
        self.of.get(shared.0).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_asked_twice_is_remembered() {
        let mut conditions = SharedConditions::default();
        let [a, b, again, c, third] = ["a", "b", "a", "c", "a"].map(|text| conditions.register(text.to_owned()));
        assert_eq!((a, a), (again, third));
        let d = conditions.register("c".to_owned());
        let places = conditions.places();
        assert_eq!(places.count(), 2);
        assert_eq!(
            [a, b, c, d].map(|shared| places.of(shared)),
            [Some(0), None, Some(1), Some(1)]
        );
    }
}
