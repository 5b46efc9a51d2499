//! One rule on one message: its condition as a tree of true, false and unknown, each with what decided.
//!
//! Every part is asked on its own, by the evaluator that a gate uses, so that one which a gate never came to
//! has its truth too. A rule's id and evidence go in, an [`Explanation`] comes out. Knows nothing of
//! terminals.

use super::operands::{Operand, base, operands, unshared};
use super::{Workbench, Written};
use crate::evidence::Evidence;
use crate::rules::compile::node::Node;
use crate::rules::compile::{Condition, RuleRef};
use crate::rules::evaluate::{Outcome, Scope, Truth, apart};
use crate::rules::set::Told;
use crate::rules::syntax::layout::one_line;
use crate::rules::syntax::{self, Expr, ExprKind};
use crate::rules::value::{Items, Value, Why};
use crate::rules::{RuleInfo, Snippet, Status};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The most parts of one explanation.
pub const BRANCHES_MAX: usize = 20_000;
/// The most items of a list that are looked at for the nearest ones.
const CANDIDATES_MAX: usize = 100;
/// The longest value that an explanation quotes, in characters.
const VALUE_CHARACTERS_MAX: usize = 1_000;

/// How much is explained.
#[derive(Debug, Clone, Copy)]
pub struct Extent {
    /// Items of a list that are taken apart.
    pub items: usize,
    /// Whether the defines and rules that a condition refers to are taken apart too.
    pub references: bool,
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
    /// What it came to, asked on its own.
    pub truth: Truth,
    /// When true: the bytes that decided.
    pub evidence: Vec<Snippet>,
    /// The values that it looked at.
    pub seen: Vec<Seen>,
    /// Whether it looks for something in a text, the first of the values.
    pub searches: bool,
    /// When unknown: the facts that could not be found out. Empty when the message merely lacks something.
    pub unknown: Vec<Why>,
    /// Its parts.
    pub parts: Vec<Branch>,
    /// Of a walk over a list: how it went.
    pub walk: Option<Walked>,
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

    fn trues(&self) -> usize {
        let mut leaves = Vec::new();
        self.leaves(&mut leaves);
        leaves.iter().filter(|leaf| leaf.truth == Truth::True).count()
    }
}

impl Workbench<'_> {
    /// Explains a rule; `None` without one of that id.
    pub fn explain<'e>(&'e self, id: &str, evidence: &'e Evidence<'e, '_>, extent: Extent) -> Option<Explanation> {
        let set = self.set;
        let at = set.place_of(id)?;
        let mut scope = Scope::new(evidence, set.scanner());
        let (mut told, _) = set.told(&mut scope, evidence.now);
        let rule = Arc::clone(set.rule_of(at, evidence.now)?);
        told.face(rule.status == Status::Active);
        let mut walk = Walk {
            bench: self,
            scope,
            told,
            extent,
            left: BRANCHES_MAX,
            waiting: BTreeSet::new(),
        };
        let condition = walk.whole(self.written(at)?, set.condition(at)?)?;
        let exceptions = walk.exceptions(at, evidence.now);
        let references = walk.references(evidence.now);
        Some(Explanation {
            rule,
            condition,
            exceptions,
            references,
            is_cut: walk.left == 0,
        })
    }
}

/// One message, and how far a walk over conditions has come.
struct Walk<'e, 'm> {
    bench: &'e Workbench<'e>,
    scope: Scope<'e, 'm>,
    told: Told<'e>,
    extent: Extent,
    /// How many more parts may be looked at.
    left: usize,
    /// References met and not yet explained.
    waiting: BTreeSet<RuleRef>,
}

impl<'e> Walk<'e, '_> {
    fn whole(&mut self, written: Written<'e>, condition: &'e Condition) -> Option<Branch> {
        let (expr, _) = syntax::parse(&written.condition.text);
        Some(self.branch(written, (&expr?, &condition.root), &mut Vec::new()))
    }

    fn exceptions(&mut self, at: RuleRef, now: Timestamp) -> Vec<Exception> {
        let bench = self.bench;
        let written = bench.exceptions_of(at);
        let compiled = bench.set.exceptions(at);
        let mut explained = Vec::new();
        for (written, (condition, name, ends)) in written.zip(compiled) {
            explained.extend(self.whole(written, condition).map(|condition| Exception {
                name: name.to_owned(),
                ends,
                has_ended: now >= ends,
                condition,
            }));
        }
        explained
    }

    /// What was referred to, and what that refers to, each once.
    fn references(&mut self, now: Timestamp) -> Vec<Reference> {
        let (mut done, mut explained) = (BTreeSet::new(), Vec::new());
        while let Some(at) = self.waiting.pop_first() {
            let set = self.bench.set;
            let (Some(written), Some(condition)) = (self.bench.written(at), set.condition(at)) else {
                continue;
            };
            if !done.insert(at) || self.left == 0 {
                continue;
            }
            if let Some(rule) = set.rule_of(at, now) {
                self.told.face(rule.status == Status::Active);
            }
            explained.extend(self.whole(written, condition).map(|condition| Reference {
                name: written.name.to_owned(),
                place: format!("{}:{}", written.source.name, written.line),
                condition,
            }));
        }
        explained
    }

    fn branch(&mut self, written: Written<'e>, part: Operand<'_, 'e>, variables: &mut Vec<Value<'e>>) -> Branch {
        let (expr, node) = part;
        self.left = self.left.saturating_sub(1);
        let outcome = apart::outcome(node, variables, &mut self.scope, &self.told);
        let mut branch = Branch::new(written, expr, outcome);
        if self.left == 0 {
            return branch;
        }
        match (&expr.kind, unshared(node)) {
            (ExprKind::And(links), Node::And(nodes, _)) if links.len() == nodes.len() => {
                branch.joint = Joint::And;
                branch.parts = self.parts(written, links, nodes, variables);
            }
            (ExprKind::Or(links), Node::Or(nodes, _)) if links.len() == nodes.len() => {
                branch.joint = Joint::Or;
                branch.parts = self.parts(written, links, nodes, variables);
            }
            (ExprKind::Not(inner), Node::Not(node)) => {
                branch.joint = Joint::Not;
                branch.parts = vec![self.branch(written, (inner, node), variables)];
            }
            (ExprKind::Of { conditions, .. }, Node::Of { conditions: nodes, .. }) => {
                branch.joint = Joint::Of;
                branch.parts = self.several(written, conditions, nodes, variables);
            }
            (ExprKind::Method { base, arguments, .. }, node) if let Some(each) = Each::of(node) => {
                branch.joint = Joint::Each;
                if let [_, body] = arguments.as_slice() {
                    branch.walk = self.walked(written, body, each, variables);
                }
                if branch.walk.is_none() {
                    branch.seen.push(self.seen(written, (base, each.list), variables));
                }
            }
            (_, node) => {
                if let Node::Rule(rule) = node {
                    self.refer(*rule);
                }
                branch.searches = matches!(node, Node::Text(_) | Node::Matches { .. } | Node::Similar { .. });
                branch.seen = self.all_seen(written, part, variables);
            }
        }
        // `x is false because x = false` says nothing.
        let text = branch.text.clone();
        let says = |seen: &Seen| seen.what != text || !matches!(seen.value, Sight::Other(_));
        branch.seen.retain(says);
        branch
    }

    fn refer(&mut self, rule: RuleRef) {
        if self.extent.references {
            self.waiting.insert(rule);
        }
    }

    fn parts(
        &mut self,
        written: Written<'e>,
        links: &[Expr],
        nodes: &'e [Node],
        variables: &mut Vec<Value<'e>>,
    ) -> Vec<Branch> {
        let both = links.iter().zip(nodes);
        both.map(|part| self.branch(written, part, variables)).collect()
    }

    /// Of `N of (…)`; a set of rules such as `@LURE_*` stands for as many nodes as it has rules.
    fn several(
        &mut self,
        written: Written<'e>,
        conditions: &[Expr],
        nodes: &'e [Node],
        variables: &mut Vec<Value<'e>>,
    ) -> Vec<Branch> {
        let mut parts = Vec::with_capacity(nodes.len());
        let mut rest = nodes;
        for (place, condition) in conditions.iter().enumerate() {
            let is_set = matches!(condition.kind, ExprKind::Rules(_));
            let after = conditions.len() - place - 1;
            let taken = if is_set { rest.len().saturating_sub(after) } else { 1 };
            let (own, left) = rest.split_at(taken.min(rest.len()));
            rest = left;
            for node in own {
                let mut part = self.branch(written, (condition, node), variables);
                if let Node::Rule(rule) = node
                    && let Some(named) = self.bench.written(*rule)
                {
                    part.text = format!("@{}", named.name);
                }
                parts.push(part);
            }
        }
        parts
    }

    /// Goes over a list, and takes apart the items that decided or came nearest.
    fn walked(
        &mut self,
        written: Written<'e>,
        body: &Expr,
        each: Each<'e>,
        variables: &mut Vec<Value<'e>>,
    ) -> Option<Walked> {
        let Value::List(Items { items, cut }) = apart::value(each.list, variables, &mut self.scope, &self.told) else {
            return None;
        };
        let mut truths = Vec::with_capacity(items.len());
        for item in items.iter() {
            variables.push(item.clone());
            truths.push(apart::outcome(each.condition, variables, &mut self.scope, &self.told).truth);
            variables.pop();
        }
        let count = |wanted| truths.iter().filter(|truth| **truth == wanted).count();
        let mut shown = Vec::new();
        for (place, item) in each
            .candidates(&truths)
            .into_iter()
            .filter_map(|at| Some((at, items.get(at)?)))
        {
            variables.push(item.clone());
            let condition = self.branch(written, (body, each.condition), variables);
            variables.pop();
            shown.push(Item {
                place: place + 1,
                name: cut_text(&item.as_text().map_or_else(|| item.to_string(), Into::into)),
                condition,
            });
        }
        // What decides comes first; of the rest those of which most is true.
        shown.sort_by_key(|item| {
            (
                each.rank(item.condition.truth),
                std::cmp::Reverse(item.condition.trues()),
            )
        });
        shown.truncate(self.extent.items);
        Some(Walked {
            items: items.len(),
            truths: (count(Truth::True), count(Truth::False), count(Truth::Unknown)),
            cut,
            shown,
        })
    }

    fn all_seen(&mut self, written: Written<'e>, part: Operand<'_, 'e>, variables: &[Value<'e>]) -> Vec<Seen> {
        let mut all: Vec<Seen> = Vec::new();
        for operand in operands(part.0, part.1) {
            let seen = self.seen(written, operand, variables);
            if !all.contains(&seen) {
                all.push(seen);
            }
        }
        all
    }

    /// A value; of one that isn't there, the first that isn't on the way to it.
    fn seen(&mut self, written: Written<'e>, mut operand: Operand<'_, 'e>, variables: &[Value<'e>]) -> Seen {
        let mut value = apart::value(operand.1, variables, &mut self.scope, &self.told);
        while !value.is_known()
            && let Some(before) = base(operand)
        {
            let from = apart::value(before.1, variables, &mut self.scope, &self.told);
            if from.is_known() {
                break;
            }
            (operand, value) = (before, from);
        }
        Seen {
            what: written.text(operand.0),
            value: Sight::of(&value),
        }
    }
}

/// `any` or `all` over a list.
#[derive(Clone, Copy)]
struct Each<'e> {
    list: &'e Node,
    condition: &'e Node,
    /// The truth of an item that decides.
    decides: Truth,
}

impl<'e> Each<'e> {
    fn of(node: &'e Node) -> Option<Self> {
        match node {
            Node::Any { list, condition, .. } => Some(Self {
                list,
                condition,
                decides: Truth::True,
            }),
            Node::All { list, condition } => Some(Self {
                list,
                condition,
                decides: Truth::False,
            }),
            // Behind a look for any cell of a table's rows.
            Node::And(links, _) => links.last().and_then(Self::of),
            Node::Shared { condition, .. } => Self::of(condition),
            _ => None,
        }
    }

    fn rank(&self, truth: Truth) -> u8 {
        match truth {
            truth if truth == self.decides => 0,
            Truth::Unknown => 1,
            Truth::True | Truth::False => 2,
        }
    }

    /// Items worth a look: those that decide, those that can't be told, then the first of the rest.
    fn candidates(&self, truths: &[Truth]) -> Vec<usize> {
        let mut places: Vec<usize> = (0..truths.len()).collect();
        places.sort_by_key(|at| truths.get(*at).map(|truth| self.rank(*truth)));
        places.truncate(CANDIDATES_MAX);
        places
    }
}

impl Branch {
    fn new(written: Written<'_>, expr: &Expr, outcome: Outcome) -> Self {
        let span = written.condition.place(&expr.span);
        Self {
            text: written.text(expr),
            joint: Joint::Leaf,
            line: written.source.position(span.start).line,
            truth: outcome.truth,
            evidence: outcome.snippets,
            seen: Vec::new(),
            searches: false,
            unknown: outcome.unknown,
            parts: Vec::new(),
            walk: None,
        }
    }
}

impl Written<'_> {
    /// A part of the condition as written, on one line.
    fn text(&self, expr: &Expr) -> String {
        one_line(self.condition.text.get(expr.span.clone()).unwrap_or(""))
    }
}

impl Sight {
    fn of(value: &Value<'_>) -> Self {
        match value {
            Value::Absent => Self::Absent,
            Value::Unknown(why) => Self::Unknown(*why),
            Value::Text(text) => Self::Text(cut_text(text), text.chars().count()),
            Value::List(list) => {
                let items: Vec<String> = list
                    .items
                    .iter()
                    .take(CANDIDATES_MAX)
                    .map(ToString::to_string)
                    .collect();
                Self::Other(cut_text(&format!(
                    "{} [{}]",
                    plural(list.items.len()),
                    items.join(", ")
                )))
            }
            other => Self::Other(cut_text(&other.to_string())),
        }
    }
}

fn plural(items: usize) -> String {
    if items == 1 {
        "1 item".to_owned()
    } else {
        format!("{items} items")
    }
}

fn cut_text(text: &str) -> String {
    text.chars().take(VALUE_CHARACTERS_MAX).collect()
}
