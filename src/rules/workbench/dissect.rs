//! Taking conditions apart: each part asked on its own, of the message and of items of its lists.
//!
//! The tree of the author's text and the compiled one are walked side by side. Conditions and evidence go
//! in, branches come out. Knows nothing of how they are shown.

use super::explain::{Branch, Exception, Extent, Item, Joint, Reference, Seen, Sight, Walked};
use super::operands::{Operand, base, operands, unshared};
use super::{Workbench, Written};
use crate::evidence::Evidence;
use crate::rules::Status;
use crate::rules::compile::node::Node;
use crate::rules::compile::{Condition, RuleRef};
use crate::rules::evaluate::{Outcome, Scope, Truth, apart};
use crate::rules::set::Told;
use crate::rules::syntax::layout::one_line;
use crate::rules::syntax::tree::Quantity;
use crate::rules::syntax::{self, Expr, ExprKind};
use crate::rules::value::{Items, Value};
use jiff::Timestamp;
use std::collections::BTreeSet;

/// The most parts of one explanation.
pub const BRANCHES_MAX: usize = 20_000;
/// The most items of a list that are looked at for the nearest ones.
const CANDIDATES_MAX: usize = 100;
/// The longest value that an explanation quotes, in characters.
const VALUE_CHARACTERS_MAX: usize = 1_000;

/// One message, and how far a walk over conditions has come.
pub(super) struct Dissection<'e, 'm> {
    bench: &'e Workbench<'e>,
    scope: Scope<'e, 'm>,
    told: Told<'e>,
    /// Whether it is a rule that acts to which outcomes are told.
    is_acting: bool,
    now: Timestamp,
    extent: Extent,
    /// How many more parts may be looked at.
    left: usize,
    /// References met and not yet explained.
    waiting: BTreeSet<RuleRef>,
}

impl<'e, 'm> Dissection<'e, 'm> {
    /// Of the conditions of a set, on one message with some facts unknown.
    pub(super) fn new(
        bench: &'e Workbench<'e>,
        evidence: &'e Evidence<'e, 'm>,
        withheld: &[String],
        extent: Extent,
    ) -> Self {
        let mut scope = Scope::new(evidence, bench.set.scanner()).withhold(withheld);
        let told = bench.set.hearsay(&mut scope, evidence.now);
        Self {
            bench,
            scope,
            told,
            is_acting: false,
            now: evidence.now,
            extent,
            left: BRANCHES_MAX,
            waiting: BTreeSet::new(),
        }
    }

    /// Whether parts were left out beyond [`BRANCHES_MAX`].
    pub(super) fn is_spent(&self) -> bool {
        self.left == 0
    }

    /// The condition of a define or rule.
    pub(super) fn condition(&mut self, at: RuleRef) -> Option<Branch> {
        let bench = self.bench;
        self.whole(bench.written(at)?, bench.set.condition(at)?)
    }

    fn whole(&mut self, written: Written<'e>, condition: &'e Condition) -> Option<Branch> {
        let (expr, _) = syntax::parse(&written.condition.text);
        Some(self.branch(written, (&expr?, &condition.root), &mut Vec::new()))
    }

    /// The exceptions of a rule, in order.
    pub(super) fn exceptions(&mut self, at: RuleRef) -> Vec<Exception> {
        let bench = self.bench;
        let written = bench.exceptions_of(at);
        let compiled = bench.set.exceptions(at);
        let mut explained = Vec::new();
        for (written, (condition, name, ends)) in written.zip(compiled) {
            explained.extend(self.whole(written, condition).map(|condition| Exception {
                name: name.to_owned(),
                ends,
                has_ended: self.now >= ends,
                condition,
            }));
        }
        explained
    }

    /// What was referred to, and what that refers to, each once.
    pub(super) fn references(&mut self) -> Vec<Reference> {
        let (mut done, mut explained) = (BTreeSet::new(), Vec::new());
        while let Some(at) = self.waiting.pop_first() {
            let Some(written) = self.bench.written(at).filter(|_| self.left > 0 && done.insert(at)) else {
                continue;
            };
            if let Some(rule) = self.bench.set.rule_of(at, self.now) {
                self.face(rule.status);
            }
            explained.extend(self.condition(at).map(|condition| Reference {
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
                    branch.seen.extend(self.hidden(*rule));
                }
                branch.searches = matches!(node, Node::Text(_) | Node::Matches { .. } | Node::Similar { .. });
                branch.seen.extend(self.all_seen(written, part, variables));
                if let Node::Text(test) = node
                    && branch.truth == Truth::False
                    && matches!(test.quantity, Quantity::AtLeast(2..))
                {
                    branch.near = apart::found(test, variables, &mut self.scope, &self.told);
                }
            }
        }
        // `x is false because x = false` says nothing.
        let text = branch.text.clone();
        let says = |seen: &Seen| seen.what != text || !matches!(&seen.value, Sight::Other(_));
        branch.seen.retain(says);
        branch
    }

    /// That a rule is in shadow, where the one that refers to it may act.
    fn hidden(&self, rule: RuleRef) -> Option<Seen> {
        let referred = self.bench.set.rule_of(rule, self.now)?;
        let is_hidden = self.is_acting && referred.status == Status::Shadow;
        is_hidden.then(|| Seen {
            what: format!("@{}", referred.id),
            value: Sight::Shadow,
        })
    }

    /// Explains from now on as a rule of this status would see it.
    pub(super) fn face(&mut self, status: Status) {
        self.is_acting = status == Status::Active;
        self.told.face(self.is_acting);
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
        // What decides comes first, and says enough; else those of which most is true.
        shown.sort_by_key(|item| {
            (
                each.rank(item.condition.truth),
                std::cmp::Reverse(item.condition.trues()),
            )
        });
        shown.truncate(self.extent.items);
        let decides = |item: &Item| item.condition.truth == each.decides;
        if shown.first().is_some_and(decides) && !self.extent.is_all() {
            shown.retain(decides);
        }
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
            span: expr.span.clone(),
            truth: outcome.truth,
            evidence: outcome.snippets,
            seen: Vec::new(),
            searches: false,
            near: Vec::new(),
            unknown: outcome.unknown,
            parts: Vec::new(),
            walk: None,
        }
    }
}

impl Written<'_> {
    /// A part of the condition as written, on one line.
    pub(super) fn text(&self, expr: &Expr) -> String {
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
