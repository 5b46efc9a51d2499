//! Conditions that several rules have in common, so that each is told once a message, or once an item.
//!
//! Compiling registers each condition by its text; what was registered but once isn't remembered at
//! evaluation. Knows nothing of what conditions say.

use std::collections::HashMap;

/// A condition's place among those registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Common(usize);

/// Conditions registered while compiling.
#[derive(Debug, Default)]
pub(super) struct Commons {
    known: HashMap<String, Common>,
    uses: Vec<usize>,
}

/// Where the truths of common conditions are remembered.
#[derive(Debug)]
pub(crate) struct Places {
    of: Vec<Option<usize>>,
    count: usize,
}

impl Commons {
    /// The place of a condition. Equal texts must mean the same.
    pub(super) fn register(&mut self, text: String) -> Common {
        let next = Common(self.uses.len());
        let common = *self.known.entry(text).or_insert(next);
        if common == next {
            self.uses.push(0);
        }
        if let Some(uses) = self.uses.get_mut(common.0) {
            *uses += 1;
        }
        common
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
    pub(crate) fn of(&self, common: Common) -> Option<usize> {
        self.of.get(common.0).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_asked_twice_is_remembered() {
        let mut commons = Commons::default();
        let [a, b, again, c, third] = ["a", "b", "a", "c", "a"].map(|text| commons.register(text.to_owned()));
        assert_eq!((a, a), (again, third));
        let d = commons.register("c".to_owned());
        let places = commons.places();
        assert_eq!(places.count(), 2);
        assert_eq!(
            [a, b, c, d].map(|common| places.of(common)),
            [Some(0), None, Some(1), Some(1)]
        );
    }
}
