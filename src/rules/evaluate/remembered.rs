//! Truths of the conditions that rules share, remembered for one message.
//!
//! Enters: what a condition came to, of the message or of an item of a list. Leaves: the same when another
//! rule asks. Knows nothing of why.

use super::Truth;

/// What shared conditions came to, by their places and, of those asked of items, by item.
#[derive(Debug)]
pub(super) struct Remembered {
    truths: Vec<Vec<Option<Truth>>>,
}

impl Remembered {
    pub(super) fn new(conditions: usize) -> Self {
        Self {
            truths: vec![Vec::new(); conditions],
        }
    }

    pub(super) fn get(&self, condition: usize, item: usize) -> Option<Truth> {
        self.truths.get(condition)?.get(item).copied().flatten()
    }

    pub(super) fn set(&mut self, condition: usize, item: usize, truth: Truth) {
        let Some(truths) = self.truths.get_mut(condition) else {
            return;
        };
        if truths.len() <= item {
            truths.resize(item + 1, None);
        }
        if let Some(known) = truths.get_mut(item) {
            *known = Some(truth);
        }
    }
}
