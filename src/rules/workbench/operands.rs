//! What a clause looks at: the parts of the author's text beside the compiled nodes that give their values.
//!
//! A tree and the node that it became go in; out come pairs whose values say why the clause is what it
//! is. Where the two differ in shape, fewer pairs come out. Knows nothing of messages.

use crate::rules::compile::node::{Needle, Node};
use crate::rules::syntax::{Expr, ExprKind};

/// A part of a clause and the node that gives its value.
pub(super) type Operand<'x, 'e> = (&'x Expr, &'e Node);

/// The condition itself, behind what only remembers its truth.
pub(super) fn unshared(node: &Node) -> &Node {
    match node {
        Node::Shared { condition, .. } => unshared(condition),
        other => other,
    }
}

/// The values that decide a clause, those written out in it left away.
pub(super) fn operands<'x, 'e>(expr: &'x Expr, node: &'e Node) -> Vec<Operand<'x, 'e>> {
    let found = match (&expr.kind, unshared(node)) {
        (ExprKind::Compare { left, right, .. }, Node::Compare { left: l, right: r, .. }) => {
            vec![(&**left, &**l), (&**right, &**r)]
        }
        (ExprKind::Name(_) | ExprKind::Member { .. }, Node::Compare { left, .. }) => vec![(expr, &**left)],
        (ExprKind::In { item, .. }, Node::InList { item: node, .. }) => vec![(&**item, &**node)],
        (ExprKind::In { item, set, .. }, Node::InValues { item: i, values, .. }) => {
            let mut both = vec![(&**item, &**i)];
            both.extend(among(set, values));
            both
        }
        (ExprKind::Of { conditions, .. }, node) => match conditions.as_slice() {
            [only] => operands(only, node),
            _ => Vec::new(),
        },
        (ExprKind::Call { arguments, .. }, Node::Present(inner) | Node::Known(inner)) => {
            arguments.iter().zip([&**inner]).collect()
        }
        (ExprKind::Method { base, arguments, .. }, Node::Text(test)) => {
            of_text(base, &test.subject.node, arguments, &test.needles)
        }
        (ExprKind::Method { base, .. }, Node::Matches { subject, .. }) => vec![(&**base, &*subject.node)],
        (ExprKind::Method { base, arguments, .. }, Node::Similar { subject, others, .. }) => {
            of_text(base, &subject.node, arguments, others)
        }
        (_, node @ (Node::Field(_) | Node::Member { .. } | Node::Derived { .. } | Node::Column { .. })) => {
            vec![(expr, node)]
        }
        _ => Vec::new(),
    };
    found.into_iter().filter(|(_, node)| !is_written_out(node)).collect()
}

/// What of the values after `in` has to be looked up.
fn among<'x, 'e>(set: &'x Expr, values: &'e Node) -> Vec<Operand<'x, 'e>> {
    match (&set.kind, values) {
        (ExprKind::Values(written) | ExprKind::Conditions(written), Node::Values(nodes)) => {
            written.iter().zip(nodes).collect()
        }
        _ => vec![(set, values)],
    }
}

fn of_text<'x, 'e>(
    base: &'x Expr,
    subject: &'e Node,
    written: &'x [Expr],
    needles: &'e [Needle],
) -> Vec<Operand<'x, 'e>> {
    let looked_up = written.iter().zip(needles).filter_map(|(expr, needle)| match needle {
        Needle::Dynamic(node) => Some((expr, node)),
        Needle::Literal { .. } | Needle::List { .. } => None,
    });
    std::iter::once((base, subject)).chain(looked_up).collect()
}

fn is_written_out(node: &Node) -> bool {
    match node {
        Node::Constant(_) | Node::Entries(_) => true,
        Node::Values(values) => values.iter().all(is_written_out),
        Node::Negate(inner) => is_written_out(inner),
        _ => false,
    }
}

/// What a value was taken from, where both the text and the node say so.
pub(super) fn base<'x, 'e>((expr, node): Operand<'x, 'e>) -> Option<Operand<'x, 'e>> {
    match (&expr.kind, node) {
        (
            ExprKind::Member { base, .. } | ExprKind::Method { base, .. },
            Node::Member { base: node, .. } | Node::Derived { base: node, .. } | Node::Column { base: node, .. },
        ) => Some((base, node)),
        _ => None,
    }
}
