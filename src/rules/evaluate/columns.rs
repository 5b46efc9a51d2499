//! Walks over long lists, one part of a condition after the other instead of one item after the other.
//!
//! What several rules ask of the same items is then known of all of them by some bits, and only what is
//! left is asked for. Knows nothing of evidence: a walk that would have to tell why goes item by item.

use super::{Run, Truth};
use crate::rules::bits::Bits;
use crate::rules::compile::node::Node;
use crate::rules::value::Value;

/// Shorter lists are walked item by item.
const ITEMS_MIN: usize = 8;

impl<'e> Run<'_, 'e, '_> {
    /// Whether a condition holds of some item: true or false where that can be told, `None` where the items
    /// must be asked one by one.
    pub(super) fn any_by_columns(&mut self, items: &[Value<'e>], condition: &'e Node) -> Option<bool> {
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
        let reasons = self.unknown.len();
        let mut open = Bits::first(items.len());
        let mut sure = open.clone();
        for link in order.iter().filter_map(|place| links.get(*place)) {
            self.ask_of_all(link, items, &mut open, &mut sure);
            if open.is_empty() || self.steps_left.is_none() {
                break;
            }
        }
        self.unknown.truncate(reasons);
        self.steps_left?;
        sure.keep(&open);
        match (sure.is_empty(), open.is_empty()) {
            (false, _) => Some(true),
            (true, true) => Some(false),
            (true, false) => None,
        }
    }

    /// Asks one link of the items that are still open; those of which it is false no longer are.
    fn ask_of_all(&mut self, link: &'e Node, items: &[Value<'e>], open: &mut Bits, sure: &mut Bits) {
        let remembered = match link {
            Node::Shared {
                shared, of_item: true, ..
            } => self.scope.scanner.shared().of(*shared),
            _ => None,
        };
        let column = remembered.and_then(|place| self.scope.remembered.column(place));
        let asked = match column {
            Some(column) => {
                let asked = column.not_asked(open);
                let mut known = open.clone();
                known.remove(&asked);
                let mut untrue = known;
                untrue.remove(&column.trues);
                sure.remove(&untrue);
                open.remove(&column.falses);
                asked
            }
            None => open.clone(),
        };
        for place in asked.iter() {
            let Some(item) = items.get(place) else { continue };
            match self.with((place, item), |run| run.truth(link)) {
                Truth::True => {}
                Truth::Unknown => sure.drop_one(place),
                Truth::False => {
                    open.drop_one(place);
                    sure.drop_one(place);
                }
            }
            if self.steps_left.is_none() {
                return;
            }
        }
    }
}
