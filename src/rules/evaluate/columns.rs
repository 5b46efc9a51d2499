//! Walks over long lists, one part of a condition after the other instead of one item after the other.
//!
//! What several rules ask of the same items is then known of all of them by some bits, and only what is
//! left is asked for. Knows nothing of evidence: a walk that would have to tell why goes item by item.

use super::remembered::Column;
use super::{Run, Truth};
use crate::rules::bits::Bits;
use crate::rules::compile::node::Node;
use crate::rules::value::Value;

/// Shorter lists are walked item by item.
const ITEMS_MIN: usize = 8;

impl<'e> Run<'_, 'e, '_> {
    /// Whether a condition holds of some item; `None` where the items must be asked one by one.
    pub(super) fn any_by_columns(&mut self, items: &[Value<'e>], condition: &'e Node) -> Option<Truth> {
        if items.len() < ITEMS_MIN || self.shows || !self.variables.is_empty() {
            return None;
        }
        let condition = match condition {
            Node::Shared { condition, .. } => condition,
            condition => condition,
        };
        let (links, order) = match condition {
            Node::And(links, order) => (links.as_slice(), order.as_slice()),
            single => (std::slice::from_ref(single), &[0][..]),
        };
        let before = std::mem::take(&mut self.unknown);
        let mut standing = Standing::all(items.len());
        let mut is_found = false;
        for (number, link) in order.iter().filter_map(|place| links.get(*place)).enumerate() {
            let is_last = number + 1 == order.len();
            is_found = self.ask_of_all(link, items, &mut standing, is_last);
            if is_found || standing.open.is_empty() || self.steps_left.is_none() {
                break;
            }
        }
        let reasons = std::mem::replace(&mut self.unknown, before);
        self.steps_left?;
        match (is_found, standing.open.is_empty(), reasons.is_empty()) {
            (true, _, _) => Some(Truth::True),
            (false, true, _) => Some(Truth::False),
            // What items merely lack needs no telling; of reasons only those count that nothing made false.
            (false, false, true) => Some(Truth::Unknown),
            (false, false, false) => None,
        }
    }

    /// Asks one link of the items that are still open; those of which it is false no longer are. Stops at the
    /// first item of which the last link is true, and all before it were.
    fn ask_of_all(&mut self, link: &'e Node, items: &[Value<'e>], standing: &mut Standing, is_last: bool) -> bool {
        let remembered = match link {
            Node::Shared {
                shared, of_item: true, ..
            } => self.scope.scanner.shared().of(*shared),
            _ => None,
        };
        let column = remembered.and_then(|place| self.scope.remembered.column(place));
        let asked = match column {
            Some(column) => standing.take(column),
            None => standing.open.clone(),
        };
        if is_last && standing.sure.iter().any(|place| !asked.holds(place)) {
            return true;
        }
        for place in asked.iter() {
            let Some(item) = items.get(place) else { continue };
            match self.with((place, item), |run| run.truth(link)) {
                Truth::True if is_last && standing.sure.holds(place) => return true,
                Truth::True => {}
                Truth::Unknown => standing.sure.drop_one(place),
                Truth::False => {
                    standing.open.drop_one(place);
                    standing.sure.drop_one(place);
                }
            }
            if self.steps_left.is_none() {
                return false;
            }
        }
        false
    }
}

/// How a condition stands with each item.
struct Standing {
    /// Of these nothing asked so far is false.
    open: Bits,
    /// Of these all asked so far is true.
    sure: Bits,
}

impl Standing {
    fn all(items: usize) -> Self {
        let open = Bits::first(items);
        let sure = open.clone();
        Self { open, sure }
    }

    /// Takes what is known of one link, and gives the items that it must still be asked of.
    fn take(&mut self, column: &Column) -> Bits {
        let asked = column.not_asked(&self.open);
        let mut untrue = self.open.clone();
        untrue.remove(&asked);
        untrue.remove(&column.trues);
        self.sure.remove(&untrue);
        self.open.remove(&column.falses);
        asked
    }
}
