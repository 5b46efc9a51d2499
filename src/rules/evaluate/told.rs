//! Truths of conditions that several rules have in common, remembered for one message.

use super::Truth;

/// What common conditions came to, by their places and, of those asked of items, by item.
#[derive(Debug)]
pub(super) struct Told {
    truths: Vec<Vec<Option<Truth>>>,
}

impl Told {
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
        if let Some(told) = truths.get_mut(item) {
            *told = Some(truth);
        }
    }
}
