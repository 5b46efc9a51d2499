//! Truths of the conditions that rules share, remembered for one message.
//!
//! Enters: what a condition came to, of the message or of an item of a list. Leaves: the same when another
//! rule asks, of one item or of all at once. Knows nothing of why.

use super::Truth;
use crate::rules::bits::Bits;

/// What shared conditions came to, by their places and, of those asked of items, by item.
#[derive(Debug)]
pub(super) struct Remembered {
    columns: Vec<Option<Box<Column>>>,
}

/// What one condition came to, of the message or of each item.
#[derive(Debug, Default)]
pub(super) struct Column {
    pub(super) trues: Bits,
    pub(super) falses: Bits,
    unknowns: Bits,
}

impl Remembered {
    pub(super) fn new(conditions: usize) -> Self {
        Self {
            columns: std::iter::repeat_with(|| None).take(conditions).collect(),
        }
    }

    pub(super) fn get(&self, condition: usize, item: usize) -> Option<Truth> {
        let column = self.column(condition)?;
        if column.falses.holds(item) {
            Some(Truth::False)
        } else if column.trues.holds(item) {
            Some(Truth::True)
        } else {
            column.unknowns.holds(item).then_some(Truth::Unknown)
        }
    }

    pub(super) fn set(&mut self, condition: usize, item: usize, truth: Truth) {
        let Some(column) = self.columns.get_mut(condition) else {
            return;
        };
        let column = column.get_or_insert_default();
        match truth {
            Truth::True => column.trues.add(item),
            Truth::False => column.falses.add(item),
            Truth::Unknown => column.unknowns.add(item),
        }
    }

    /// What is known so far of a condition.
    pub(super) fn column(&self, condition: usize) -> Option<&Column> {
        self.columns.get(condition)?.as_deref()
    }
}

impl Column {
    /// Those of some items that nobody has asked of yet.
    pub(super) fn not_asked(&self, of: &Bits) -> Bits {
        let mut open = of.clone();
        for known in [&self.trues, &self.falses, &self.unknowns] {
            open.remove(known);
        }
        open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truths_come_back_by_item() {
        let mut remembered = Remembered::new(2);
        for (item, truth) in [(0, Truth::True), (64, Truth::False), (200, Truth::Unknown)] {
            remembered.set(1, item, truth);
            assert_eq!(remembered.get(1, item), Some(truth));
        }
        assert_eq!(
            (remembered.get(1, 1), remembered.get(0, 0), remembered.get(2, 0)),
            (None, None, None)
        );
        let column = remembered.column(1).unwrap();
        let not_asked = column.not_asked(&Bits::first(201));
        assert_eq!(not_asked.iter().count(), 198);
        assert!(!not_asked.holds(64) && not_asked.holds(65));
    }
}
