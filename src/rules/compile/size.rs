//! What compiled conditions take in memory.
//!
//! A condition goes in; bytes come out, without the regexes and lists that it shares with others. Knows
//! nothing of what conditions say.

use super::Condition;
use super::node::{Gate, Needle, Node, Subject};
use std::mem::size_of;

impl Condition {
    /// What it takes, itself included.
    pub(crate) fn heap_bytes(&self) -> usize {
        size_of::<Self>() + below(&self.root)
    }
}

/// A node with all that it holds.
fn whole(node: &Node) -> usize {
    size_of::<Node>() + below(node)
}

fn many(nodes: &[Node]) -> usize {
    nodes.iter().map(whole).sum()
}

/// What a node holds. The author's tree bounds the recursion.
fn below(node: &Node) -> usize {
    match node {
        Node::Constant(value) => value.text_bytes(),
        Node::Field(_) | Node::Variable(_) | Node::Entries(_) | Node::Rule(_) => 0,
        Node::Header { name, .. } => name.capacity(),
        Node::Member { base: one, .. }
        | Node::Column { base: one, .. }
        | Node::Derived { base: one, .. }
        | Node::CountMatches { subject: one, .. }
        | Node::InList { item: one, .. }
        | Node::Shared { condition: one, .. }
        | Node::Negate(one)
        | Node::Not(one)
        | Node::Present(one)
        | Node::Known(one) => whole(one),
        Node::Arithmetic { left, right, .. } | Node::Compare { left, right, .. } => whole(left) + whole(right),
        Node::Default { value, fallback } => whole(value) + whole(fallback),
        Node::InValues { item, values, .. } => whole(item) + whole(values),
        Node::CountWhere { list, condition } | Node::Any { list, condition, .. } | Node::All { list, condition } => {
            whole(list) + whole(condition)
        }
        Node::Distinct { list, value } => whole(list) + whole(value),
        Node::Values(nodes) | Node::Of { conditions: nodes, .. } => many(nodes),
        Node::And(nodes, order) | Node::Or(nodes, order) => many(nodes) + size_of_val(order.as_slice()),
        Node::Text(test) => {
            size_of_val(&**test) + subject(&test.subject) + needles(&test.needles) + gate(test.gate.as_ref())
        }
        Node::Matches {
            subject: of, patterns, ..
        } => {
            let gates = patterns.iter().map(|pattern| gate(pattern.gate.as_ref()));
            subject(of) + size_of_val(patterns.as_slice()) + gates.sum::<usize>()
        }
        Node::Similar {
            subject: of, others, ..
        } => subject(of) + needles(others),
    }
}

fn subject(subject: &Subject) -> usize {
    subject.label.len() + whole(&subject.node)
}

fn needles(needles: &[Needle]) -> usize {
    let each = needles.iter().map(|needle| match needle {
        Needle::Literal { text, .. } => text.capacity(),
        Needle::List { texts, atoms, .. } => {
            let texts = texts.iter().map(|text| size_of::<String>() + text.capacity());
            texts.sum::<usize>() + size_of_val(atoms.as_slice())
        }
        Needle::Dynamic(node) => below(node),
    });
    size_of_val(needles) + each.sum::<usize>()
}

/// Its atoms stand there twice: one by one, and as a set.
fn gate(gate: Option<&Gate>) -> usize {
    gate.map_or(0, |gate| 3 * size_of_val(gate.atoms.as_slice()))
}
