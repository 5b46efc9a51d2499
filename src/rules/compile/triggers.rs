//! What must stand in a message for a condition to be anything but false.
//!
//! Enters: a compiled condition. Leaves: needles and the texts that they are looked for in, of which one must
//! be found; most rules of a large set aren't evaluated at all, since none of theirs is. A condition
//! without such needles is always evaluated. Knows nothing of how texts are scanned.

use super::atoms::Scanner;
use super::node::{Gate, Node, Subject};
use crate::rules::syntax::tree::Quantity;

/// More needles than this wake nobody often enough to be worth listing.
const TRIGGERS_MAX: usize = 100_000;

/// An atom, and the place of the text that it must stand in among the scanner's.
pub(crate) type Trigger = (usize, usize);

/// The triggers of a condition; `None` where it must be evaluated whatever the message holds.
pub(crate) fn triggers(root: &Node, scanner: &Scanner) -> Option<Vec<Trigger>> {
    let mut found = of_node(root, scanner)?;
    found.sort_unstable();
    found.dedup();
    (found.len() <= TRIGGERS_MAX).then_some(found)
}

// The author's tree bounds the recursion.
fn of_node(node: &Node, scanner: &Scanner) -> Option<Vec<Trigger>> {
    match node {
        Node::And(links, _) => {
            let known = links.iter().filter_map(|link| of_node(link, scanner));
            known.min_by_key(|triggers| weight(triggers, scanner))
        }
        Node::Or(links, _) => union(links.iter().map(|link| of_node(link, scanner))),
        Node::Of {
            quantity: Quantity::AtLeast(wanted @ 1..),
            conditions,
        } => {
            // So many can't be told; should all the others be false, the whole is.
            let mut known: Vec<_> = conditions
                .iter()
                .filter_map(|condition| of_node(condition, scanner))
                .collect();
            known.sort_by_cached_key(|triggers| weight(triggers, scanner));
            let needed = (conditions.len() + 1).checked_sub(*wanted)?;
            (known.len() >= needed).then(|| known.into_iter().take(needed).flatten().collect())
        }
        Node::Shared { condition, .. } => of_node(condition, scanner),
        Node::Any { list, condition, .. } => of_items(list, of_node(condition, scanner)?, scanner),
        Node::Text(test) if matches!(test.quantity, Quantity::AtLeast(1..)) => {
            of_gate(&test.subject, test.gate.as_ref())
        }
        Node::Matches {
            subject,
            patterns,
            quantity: Quantity::AtLeast(1..),
        } => union(patterns.iter().map(|pattern| of_gate(subject, pattern.gate.as_ref()))),
        _ => None,
    }
}

/// A list that may be unknown, or cut short, must itself be what the needles are looked for in.
fn of_items(list: &Node, found: Vec<Trigger>, scanner: &Scanner) -> Option<Vec<Trigger>> {
    let is_certain = match list {
        Node::Entries(_) | Node::Header { .. } => true,
        Node::Field(field) => found.iter().all(|(source, _)| {
            let source = scanner.source(*source);
            source.is_some_and(|source| source.is_of_items && source.field == *field)
        }),
        _ => false,
    };
    is_certain.then_some(found)
}

/// Without a needle nothing would say that the text itself is unknown.
fn of_gate(subject: &Subject, gate: Option<&Gate>) -> Option<Vec<Trigger>> {
    let source = subject.place()?;
    let found: Vec<Trigger> = gate?.atoms.iter().map(|atom| (source, *atom)).collect();
    (!found.is_empty()).then_some(found)
}

fn union(all: impl Iterator<Item = Option<Vec<Trigger>>>) -> Option<Vec<Trigger>> {
    let all = all.collect::<Option<Vec<_>>>()?;
    Some(all.into_iter().flatten().collect())
}

/// How often triggers may be expected to be found: less for few, for long needles and for short texts.
fn weight(triggers: &[Trigger], scanner: &Scanner) -> usize {
    let of_one = |(source, atom): &Trigger| {
        let length = scanner.atom_bytes(*atom).clamp(1, 16);
        let text = if scanner.is_long(*source) { 4 } else { 1 };
        text * 4_096 / (length * length)
    };
    triggers.iter().map(of_one).fold(0, usize::saturating_add)
}
