//! From a tree to a condition: names resolved, types checked, patterns built, literals hoisted.
//!
//! Knows nothing of files, scores or rules' metadata; other rules are indices.

pub(crate) mod atoms;
mod dialect;
pub mod extent;
mod foreign;
mod grams;
mod idle;
mod letters;
pub(crate) mod needles;
pub(crate) mod shared;
mod methods;
pub(crate) mod node;
mod operators;
pub(crate) mod pattern;
pub(crate) mod patterns;
pub(crate) mod required;
mod resolve;
mod rows;
mod size;
mod states;
pub(crate) mod surroundings;
mod text_tests;
mod transitions;
pub(crate) mod triggers;
mod words;

#[cfg(test)]
mod atoms_proof;
#[cfg(test)]
pub(crate) mod house;
#[cfg(test)]
mod tests;

pub use super::schema::Cost;
pub use atoms::{Atoms, Scanner};
pub use pattern::COMPILED_BYTES_MAX;
#[cfg(test)]
pub(crate) use pattern::regex_of;
pub(crate) use pattern::{Pattern, quick_pattern};
pub(crate) use patterns::Patterns;

use super::lists::List;
use super::schema::FIELDS;
use super::syntax::tree::Comparison;
use super::syntax::{Expr, ExprKind, Level, Problem};
use super::value::{Base, Type, Value};
use node::Node;
use std::ops::Range;
use std::sync::Arc;

/// The code of what is said where a set has no more room.
pub(super) const SET_TOO_LARGE: &str = "set-too-large";

/// A rule or define of the set, by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleRef(pub usize);

/// What a condition may refer to.
pub trait Names {
    /// The list `$name`.
    fn list(&self, name: &str) -> Option<Arc<List>>;
    /// The rule or define `@name`.
    fn rule(&self, name: &str) -> Option<RuleRef>;
    /// Rules and defines whose name starts so, for `@LURE_*`; the rule being compiled left out.
    fn rules_starting(&self, prefix: &str) -> Vec<RuleRef>;
    /// Rules with the tag, for `@tag:x`; the rule being compiled left out.
    fn rules_tagged(&self, tag: &str) -> Vec<RuleRef>;
    /// Every list, for suggestions.
    fn list_names(&self) -> Vec<&str>;
    /// Every rule and define, for suggestions.
    fn rule_names(&self) -> Vec<&str>;
}

/// A compiled condition. `Send + Sync`.
#[derive(Debug)]
pub struct Condition {
    pub(crate) root: Node,
    needs: Vec<(&'static str, Cost)>,
    references: Vec<RuleRef>,
    lists: Vec<Arc<List>>,
    slow_patterns: Vec<String>,
}

impl Condition {
    /// The schema names of the fields that it reads, and what they cost, each once.
    pub fn needs(&self) -> &[(&'static str, Cost)] {
        &self.needs
    }

    /// The rules and defines that it refers to, each once.
    pub fn references(&self) -> &[RuleRef] {
        &self.references
    }

    /// The lists that it refers to, each once.
    pub fn lists(&self) -> &[Arc<List>] {
        &self.lists
    }

    /// Regexes as written in which no literal text is required, so that they run on every message.
    pub fn slow_patterns(&self) -> &[String] {
        &self.slow_patterns
    }
}

/// Compiles a condition. It is there unless a problem is an error; warnings may come with it.
pub fn compile(expr: &Expr, names: &dyn Names, atoms: &mut Atoms) -> (Option<Condition>, Vec<Problem>) {
    compile_root(names, atoms, |compiler| compiler.condition(expr))
}

/// Compiles any expression, a value's too, and says of which type it is.
pub(super) fn compile_any(
    expr: &Expr,
    names: &dyn Names,
    atoms: &mut Atoms,
) -> (Option<(Condition, Type)>, Vec<Problem>) {
    let mut ty = Type::One(Base::Bool);
    let (condition, problems) = compile_root(names, atoms, |compiler| {
        let typed = compiler.lower(expr)?;
        ty = typed.ty;
        Some(match typed.ty {
            Type::One(Base::Bool) => compiler.shown_when_true(typed),
            _ => typed.node,
        })
    });
    (condition.map(|condition| (condition, ty)), problems)
}

fn compile_root(
    names: &dyn Names,
    atoms: &mut Atoms,
    root: impl FnOnce(&mut Compiler<'_>) -> Option<Node>,
) -> (Option<Condition>, Vec<Problem>) {
    let mut compiler = Compiler {
        names,
        atoms,
        problems: Vec::new(),
        variables: Vec::new(),
        needs: Vec::new(),
        references: Vec::new(),
        referred: 0,
        lists: Vec::new(),
        slow_patterns: Vec::new(),
        unguarded: Vec::new(),
    };
    let root = root(&mut compiler);
    compiler.warn_unguarded();
    let refused = compiler.problems.iter().any(|problem| problem.level == Level::Error);
    let condition = root.filter(|_| !refused).map(|root| Condition {
        root,
        needs: compiler.needs,
        references: compiler.references,
        lists: compiler.lists,
        slow_patterns: compiler.slow_patterns,
    });
    (condition, compiler.problems)
}

/// One condition being compiled. A `None` from its methods means that a problem was recorded.
struct Compiler<'a> {
    names: &'a dyn Names,
    atoms: &'a mut Atoms,
    problems: Vec<Problem>,
    /// Lambda names in scope, outermost first.
    variables: Vec<Variable>,
    needs: Vec<(&'static str, Cost)>,
    references: Vec<RuleRef>,
    /// How often a rule or define was referred to so far.
    referred: usize,
    lists: Vec<Arc<List>>,
    slow_patterns: Vec<String>,
    /// Places and lists of `all` that nothing keeps from being true of an empty list.
    unguarded: Vec<(Range<usize>, String)>,
}

struct Variable {
    name: String,
    ty: Type,
    label: String,
    /// The list whose items it stands for, as a text.
    list: String,
    /// Whether these items stand in the message as they are.
    is_of_message: bool,
    /// The field that the list is, if it is one as it stands.
    field: Option<usize>,
}

/// A node with its type and what evidence calls it.
struct Typed {
    node: Node,
    ty: Type,
    label: String,
}

impl Typed {
    fn new(node: Node, ty: Type) -> Self {
        Self {
            node,
            ty,
            label: String::new(),
        }
    }

    fn condition(node: Node) -> Self {
        Self::new(node, Type::One(Base::Bool))
    }

    fn called(self, label: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            ..self
        }
    }
}

impl Compiler<'_> {
    /// An expression that must be true or false.
    fn condition(&mut self, expr: &Expr) -> Option<Node> {
        let referred = self.referred;
        let typed = self.lower(expr)?;
        if typed.ty == Type::One(Base::Bool) {
            let node = self.shown_when_true(typed);
            let refers = self.referred > referred;
            return Some(if refers { node } else { self.shared(expr, node) });
        }
        let problem = Problem::error(
            "not-a-condition",
            expr.span.clone(),
            format!(
                "{} is {}, not something true or false",
                shown(expr),
                typed.ty.indefinite()
            ),
        );
        self.refuse(match typed.ty {
            Type::One(Base::Text) if matches!(expr.kind, ExprKind::Text(_)) => {
                let value = source(expr);
                problem.help(format!(
                    "say of what: subject == {value}, subject.contains({value}), or subject in ['…', {value}]"
                ))
            }
            Type::One(Base::Text) => problem.help(format!("compare it, or ask present({})", source(expr))),
            Type::Many(_) => problem.help(format!("write present({0}) or {0}.any(x, …)", source(expr))),
            _ => problem.help("compare it with something"),
        })
    }

    /// A bare fact such as `thread.is_reply` becomes a comparison, which shows what decided. Of an
    /// item of a list the item says more.
    fn shown_when_true(&self, typed: Typed) -> Node {
        match typed.node {
            fact @ (Node::Field(_) | Node::Member { .. }) if self.variables.is_empty() => Node::Compare {
                operator: Comparison::Equal,
                left: Box::new(fact),
                right: Box::new(Node::Constant(Value::Bool(true))),
                label: typed.label.into(),
            },
            node => node,
        }
    }

    /// A condition that other rules may ask too. What it says mustn't hang on who asks, so that none
    /// that refers to a rule gets here.
    fn shared(&mut self, expr: &Expr, node: Node) -> Node {
        let (text, of_item) = match self.variables.as_slice() {
            [] => (expr.to_string(), false),
            [item] => (format!("{} | {} | {expr}", item.list, item.name), true),
            _ => return node,
        };
        match node {
            Node::Constant(_) | Node::Variable(_) | Node::Not(_) => node,
            node => Node::Shared {
                shared: self.atoms.shared.register(text),
                of_item,
                condition: Box::new(node),
            },
        }
    }

    fn lower(&mut self, expr: &Expr) -> Option<Typed> {
        let constant = |value, base| Some(Typed::new(Node::Constant(value), Type::One(base)));
        match &expr.kind {
            ExprKind::Bool(truth) => constant(Value::Bool(*truth), Base::Bool),
            ExprKind::Int(number) => constant(Value::Int(*number), Base::Int),
            ExprKind::Float(number) => constant(Value::Float(*number), Base::Float),
            ExprKind::Text(text) => constant(Value::Text(text.clone().into()), Base::Text),
            ExprKind::Size(bytes) => constant(Value::Int(*bytes), Base::Size),
            ExprKind::Duration(millis) => constant(Value::Duration(*millis), Base::Duration),
            ExprKind::Date(midnight) => constant(Value::Time(*midnight), Base::Time),
            ExprKind::Regex { .. } => self.refuse(
                Problem::error(
                    "misplaced-regex",
                    expr.span.clone(),
                    "a regex stands only as an argument",
                )
                .help("write subject.matches(/…/)"),
            ),
            ExprKind::Name(name) => self.name(expr, name),
            ExprKind::List(name) => self.entries(expr, name),
            ExprKind::Rule(name) => self.rule(expr, name),
            ExprKind::Rules(pattern) => self.refuse(
                Problem::error(
                    "misplaced-rules",
                    expr.span.clone(),
                    format!("`{pattern}` is several rules"),
                )
                .help(format!("write `any of {pattern}` or `2 of {pattern}`")),
            ),
            ExprKind::Values(values) => self.values(values),
            ExprKind::Conditions(_) => self.refuse(Problem::error(
                "unexpected-token",
                expr.span.clone(),
                "several values in parentheses stand only after `in`",
            )),
            ExprKind::Not(inner) => {
                let unguarded = self.unguarded.len();
                let inner = self.condition(inner)?;
                // What is true of an empty list is false here.
                self.unguarded.truncate(unguarded);
                Some(Typed::condition(Node::Not(Box::new(inner))))
            }
            ExprKind::And(links) => {
                let unguarded = self.unguarded.len();
                let joined = self.chain(links, Node::And);
                self.drop_guarded(unguarded, links);
                joined
            }
            ExprKind::Or(links) => self.chain(links, Node::Or),
            ExprKind::Negate(inner) => self.negate(expr, inner),
            ExprKind::Compare { operator, left, right } => self.compare(expr, *operator, left, right),
            ExprKind::Arithmetic { operator, left, right } => self.arithmetic(expr, *operator, left, right),
            ExprKind::Default { value, fallback } => self.default(value, fallback),
            ExprKind::In { negated, item, set } => self.membership(*negated, item, set),
            ExprKind::Of { quantity, conditions } => self.of(expr, *quantity, conditions),
            ExprKind::Call {
                name,
                name_span,
                arguments,
            } => self.call(expr, name, name_span, arguments),
            ExprKind::Member { base, name, name_span } => self.member(expr, base, name, name_span),
            ExprKind::Method {
                base,
                name,
                name_span,
                arguments,
            } => self.method(expr, base, (name, name_span), arguments),
        }
    }

    /// Every link is compiled, so that each has its problems told.
    fn chain(&mut self, links: &[Expr], join: fn(Vec<Node>, Vec<usize>) -> Node) -> Option<Typed> {
        let nodes: Vec<Option<Node>> = links.iter().map(|link| self.condition(link)).collect();
        let nodes = nodes.into_iter().collect::<Option<Vec<_>>>()?;
        let mut order: Vec<usize> = (0..nodes.len()).collect();
        order.sort_by_cached_key(|place| nodes.get(*place).map(weight));
        Some(Typed::condition(join(nodes, order)))
    }

    /// `present(x) and x.all(…)` isn't true of an empty list.
    fn drop_guarded(&mut self, from: usize, links: &[Expr]) {
        let texts: Vec<String> = links.iter().map(ToString::to_string).collect();
        let is_guarded = |list: &str| {
            let guards = [
                format!("present({list})"),
                format!("{list}.length"),
                format!("{list}.any("),
            ];
            texts.iter().any(|text| guards.iter().any(|guard| text.contains(guard)))
        };
        let fresh = self.unguarded.split_off(from);
        self.unguarded
            .extend(fresh.into_iter().filter(|(_, list)| !is_guarded(list)));
    }

    fn warn_unguarded(&mut self) {
        for (span, list) in std::mem::take(&mut self.unguarded) {
            let message = format!("this is true when `{list}` is empty");
            let problem = Problem::warning("unguarded-all", span, message);
            self.problems
                .push(problem.help(format!("write present({list}) and {list}.all(…)")));
        }
    }

    fn refuse<T>(&mut self, problem: Problem) -> Option<T> {
        self.problems.push(problem);
        None
    }

    /// Goes on where there is room in the set for what was asked.
    fn room(&mut self, span: &Range<usize>, found: Result<(), String>) -> Option<()> {
        match found {
            Ok(()) => Some(()),
            Err(message) => {
                let problem = Problem::error(SET_TOO_LARGE, span.clone(), message);
                self.refuse(problem.help("write less of it, or split the rules over several gates"))
            }
        }
    }

    fn need(&mut self, name: &'static str, cost: Cost) {
        if !self.needs.iter().any(|(known, _)| *known == name) {
            self.needs.push((name, cost));
        }
    }
}

/// Roughly what a node costs, so that of several conditions the cheapest is asked first.
fn weight(node: &Node) -> u32 {
    match node {
        Node::Field(place) => FIELDS.get(*place).map_or(1, |field| field.weight),
        Node::Constant(_) | Node::Variable(_) | Node::Entries(_) => 1,
        Node::Member { base, .. } | Node::Column { base, .. } => weight(base),
        Node::Header { .. } => 5,
        Node::Shared { condition, .. } => weight(condition),
        // A define may first be evaluated here, and mostly looks at every link.
        Node::Rule(_) => 80,
        Node::Values(many) => many.iter().map(weight).sum(),
        Node::And(many, _) | Node::Or(many, _) | Node::Of { conditions: many, .. } => {
            many.iter().map(weight).sum::<u32>().saturating_add(1)
        }
        Node::Not(one) | Node::Negate(one) | Node::Present(one) | Node::Known(one) => 1 + weight(one),
        Node::Derived { base, .. } => 10 + weight(base),
        Node::Arithmetic { left, right, .. } | Node::Compare { left, right, .. } => 1 + weight(left) + weight(right),
        Node::Default { value, fallback } => weight(value) + weight(fallback),
        Node::InList { item, .. } => 3 + weight(item),
        Node::InValues { item, values, .. } => 2 + weight(item) + weight(values),
        Node::Text(test) => 3 + weight(&test.subject.node) + 40 * u32::from(test.subject.source.is_some()),
        Node::Matches { subject, patterns, .. } => {
            let is_gated = subject.source.is_some() && patterns.iter().all(|pattern| pattern.gate.is_some());
            weight(&subject.node) + if is_gated { 60 } else { 300 }
        }
        Node::CountMatches { .. } => 400,
        Node::Similar { .. } => 100,
        Node::CountWhere { list, condition } | Node::Any { list, condition, .. } | Node::All { list, condition } => {
            weight(list) + 10 * weight(condition).min(1_000)
        }
        Node::Distinct { list, value } => weight(list) + 10 * weight(value).min(1_000),
    }
}

/// An expression as a message quotes it.
fn shown(expr: &Expr) -> String {
    format!("`{}`", source(expr))
}

/// An expression as short text: as written where it is simple.
fn source(expr: &Expr) -> String {
    const SHOWN_CHARACTERS_MAX: usize = 60;
    let text = expr.written();
    match text.char_indices().nth(SHOWN_CHARACTERS_MAX) {
        Some((cut, _)) => format!("{}…", text.get(..cut).unwrap_or("")),
        None => text,
    }
}
