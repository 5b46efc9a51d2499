//! One rule on one message: its condition as a tree of true, false and unknown, each with what decided.
//!
//! Every part is asked on its own, by the evaluator that a gate uses, so that one which a gate never came to
//! has its truth too. A rule's id and evidence go in, an [`Explanation`] comes out. Knows nothing of
//! terminals.

use super::Workbench;
use super::dissect::Dissection;
use crate::evidence::Evidence;
use crate::rules::evaluate::Truth;
use crate::rules::syntax::{Expr, ExprKind};
use crate::rules::value::Why;
use crate::rules::{RuleInfo, Snippet};
use jiff::Timestamp;
use std::ops::Range;
use std::sync::Arc;

pub use super::dissect::BRANCHES_MAX;

/// How much is explained.
#[derive(Debug, Clone, Copy)]
pub struct Extent {
    /// Items of a list that are taken apart.
    pub items: usize,
    /// Whether the defines and rules that a condition refers to are taken apart too.
    pub references: bool,
}

impl Extent {
    /// All that there is to see.
    pub const ALL: Self = Self {
        items: usize::MAX,
        references: true,
    };

    /// Whether nothing is left out.
    pub(super) fn is_all(self) -> bool {
        self.items == usize::MAX
    }
}

/// A rule on a message.
#[derive(Debug)]
pub struct Explanation {
    /// The rule, as it counts now.
    pub rule: Arc<RuleInfo>,
    /// Its condition.
    pub condition: Branch,
    /// Its exceptions, in order.
    pub exceptions: Vec<Exception>,
    /// What the condition and the exceptions refer to, each once.
    pub references: Vec<Reference>,
    /// Whether parts were left out beyond [`BRANCHES_MAX`].
    pub is_cut: bool,
}

/// An exception of the rule.
#[derive(Debug)]
pub struct Exception {
    /// Its name.
    pub name: String,
    /// From when on it no longer counts.
    pub ends: Timestamp,
    /// Whether that has come.
    pub has_ended: bool,
    /// Its condition.
    pub condition: Branch,
}

/// A define or rule that something refers to.
#[derive(Debug)]
pub struct Reference {
    /// Without the `@`.
    pub name: String,
    /// `file:line`.
    pub place: String,
    /// Its condition.
    pub condition: Branch,
}

/// A part of a condition.
#[derive(Debug)]
pub struct Branch {
    /// As written, on one line.
    pub text: String,
    /// What joins the parts below.
    pub joint: Joint,
    /// The line of the file on which it begins.
    pub line: usize,
    /// Bytes of the condition's own text.
    pub span: Range<usize>,
    /// What it came to, asked on its own.
    pub truth: Truth,
    /// When true: the bytes that decided.
    pub evidence: Vec<Snippet>,
    /// The values that it looked at.
    pub seen: Vec<Seen>,
    /// Whether it looks for something in a text, the first of the values.
    pub searches: bool,
    /// When false, of `3 of` several needles: those that stand there, fewer than are wanted.
    pub near: Vec<Snippet>,
    /// When unknown: the facts that could not be found out. Empty when the message merely lacks something.
    pub unknown: Vec<Why>,
    /// Its parts.
    pub parts: Vec<Branch>,
    /// Of a walk over a list: how it went.
    pub walk: Option<Walked>,
}

/// The clauses of a condition: the parts that aren't made of parts, as a [`Branch`] has them.
pub(super) fn clauses<'x>(expr: &'x Expr, found: &mut Vec<&'x Expr>) {
    match &expr.kind {
        ExprKind::And(parts) | ExprKind::Or(parts) => parts.iter().for_each(|part| clauses(part, found)),
        ExprKind::Not(inner) => clauses(inner, found),
        ExprKind::Of { conditions, .. } if !matches!(conditions.as_slice(), [only] if is_one_test(only)) => {
            conditions.iter().for_each(|part| clauses(part, found));
        }
        ExprKind::Method { name, arguments, .. } if matches!(name.as_str(), "any" | "all") => {
            match arguments.as_slice() {
                [_, body] => clauses(body, found),
                _ => found.push(expr),
            }
        }
        _ => found.push(expr),
    }
}

/// `2 of body.text.icontains('a', 'b')` counts needles, not conditions.
fn is_one_test(expr: &Expr) -> bool {
    matches!(&expr.kind, ExprKind::Method { name, .. } if !matches!(name.as_str(), "any" | "all"))
}

/// How the parts of a condition are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joint {
    /// It has none.
    Leaf,
    /// `and`
    And,
    /// `or`
    Or,
    /// `not`
    Not,
    /// `2 of (…)`
    Of,
    /// `any` or `all` over a list.
    Each,
}

/// A value that a clause looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// As written.
    pub what: String,
    /// What it is.
    pub value: Sight,
}

/// What was seen of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// The message has no such thing.
    Absent,
    /// It could not be found out.
    Unknown(Why),
    /// Text, cut, and how many characters it has in all.
    Text(String, usize),
    /// Anything else.
    Other(String),
    /// A rule that doesn't act, of which one that does may not hear.
    Shadow,
}

/// A walk over a list.
#[derive(Debug)]
pub struct Walked {
    /// How many items there are.
    pub items: usize,
    /// For how many the body is true, false, unknown.
    pub truths: (usize, usize, usize),
    /// Why there may be more items than anybody saw.
    pub cut: Option<Why>,
    /// Those that decided, or came nearest.
    pub shown: Vec<Item>,
}

/// An item of a list.
#[derive(Debug)]
pub struct Item {
    /// Its place, from 1.
    pub place: usize,
    /// What a person would know it by.
    pub name: String,
    /// What the body says of it.
    pub condition: Branch,
}

impl Explanation {
    /// Whether its condition or an exception's hangs on other rules or defines.
    pub fn refers(&self) -> bool {
        let mut leaves = Vec::new();
        self.condition.leaves(&mut leaves);
        for exception in &self.exceptions {
            exception.condition.leaves(&mut leaves);
        }
        leaves.iter().any(|leaf| leaf.text.starts_with('@'))
    }
}

impl Branch {
    /// Every part that isn't made of parts, in the author's order.
    pub fn leaves<'b>(&'b self, found: &mut Vec<&'b Branch>) {
        let items = self.walk.iter().flat_map(|walk| &walk.shown);
        let below: Vec<&Branch> = self.parts.iter().chain(items.map(|item| &item.condition)).collect();
        match below.is_empty() {
            true => found.push(self),
            false => below.into_iter().for_each(|part| part.leaves(found)),
        }
    }

    /// How many of the leaves are true.
    pub(super) fn trues(&self) -> usize {
        let mut leaves = Vec::new();
        self.leaves(&mut leaves);
        leaves.iter().filter(|leaf| leaf.truth == Truth::True).count()
    }
}

impl Workbench<'_> {
    /// Explains a rule; `None` without one of that id.
    pub fn explain<'e>(&'e self, id: &str, evidence: &'e Evidence<'e, '_>, extent: Extent) -> Option<Explanation> {
        self.explain_without(id, evidence, &[], extent)
    }

    /// The same with some facts unknown, as a rule test may state.
    pub(in crate::rules) fn explain_without<'e>(
        &'e self,
        id: &str,
        evidence: &'e Evidence<'e, '_>,
        withheld: &[String],
        extent: Extent,
    ) -> Option<Explanation> {
        let at = self.set.place_of(id)?;
        let rule = Arc::clone(self.set.rule_of(at, evidence.now)?);
        let mut dissection = Dissection::new(self, evidence, withheld, extent);
        dissection.face(rule.status);
        let condition = dissection.condition(at)?;
        let exceptions = dissection.exceptions(at);
        let references = dissection.references();
        Some(Explanation {
            rule,
            condition,
            exceptions,
            references,
            is_cut: dissection.is_spent(),
        })
    }
}
