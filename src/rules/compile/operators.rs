//! Operators: which types they take, and the help for those that they don't.
//!
//! Strings written beside a domain, an address or an IP address are read as one while compiling.

use super::idle::Beside;
use super::node::{Needle, Node};
use super::{Compiler, Typed, foreign, shown, source};
use crate::mail::Domain;
use crate::rules::lists::{List, ListKind};
use crate::rules::syntax::tree::{Arithmetic, Comparison, Quantity, RulePattern};
use crate::rules::syntax::{Expr, ExprKind, Problem};
use crate::rules::value::{Base, Kind, Type, Value};
use crate::units::{parse_size, parse_span};
use std::borrow::Cow;
use std::sync::Arc;

impl Compiler<'_> {
    pub(super) fn compare(&mut self, expr: &Expr, operator: Comparison, left: &Expr, right: &Expr) -> Option<Typed> {
        for (side, other) in [(left, right), (right, left)] {
            if let ExprKind::Name(name) = &side.kind
                && foreign::is_nothing(name)
                && !self.variables.iter().any(|variable| variable.name == *name)
            {
                let not = if operator == Comparison::Equal { "not " } else { "" };
                let problem = Problem::error("foreign-word", side.span.clone(), format!("there is no `{name}` here"));
                return self.refuse(problem.help(format!("write {not}present({})", source(other))));
            }
        }
        let (lower_left, lower_right) = (self.lower(left), self.lower(right));
        let (mut one, mut other) = (lower_left?, lower_right?);
        one = self.read_literal(left, one, other.ty)?;
        other = self.read_literal(right, other, one.ty)?;
        let problem = |message: String| Problem::error("wrong-type", expr.span.clone(), message);
        for (typed, side, beside) in [(&one, left, right), (&other, right, left)] {
            let is_whole = matches!(typed.ty.base(), Base::Record(kind) if kind != Kind::Url);
            if typed.ty.is_list() || is_whole || matches!(typed.ty.base(), Base::Row(_)) {
                let help = whole_help(side, typed.ty, operator, beside);
                return self.refuse(problem(format!("{} is {}", shown(side), typed.ty.indefinite())).help(help));
            }
        }
        if !is_comparable(one.ty.base(), other.ty.base()) {
            let (left_ty, right_ty) = (one.ty, other.ty);
            let message = format!(
                "{} is {}; {} is {}",
                shown(left),
                left_ty.indefinite(),
                shown(right),
                right_ty.indefinite()
            );
            let help = mismatch_help(left, left_ty, right).or_else(|| mismatch_help(right, right_ty, left));
            let help = help.unwrap_or_else(|| "compare things of one kind".to_owned());
            return self.refuse(problem(message).help(help));
        }
        if operator.is_order() && !has_order(one.ty.base()) {
            let message = format!(
                "{} is {}, which is neither more nor less",
                shown(left),
                one.ty.indefinite()
            );
            return self.refuse(problem(message).help("write == or !="));
        }
        for (side, beside, node) in [(left, right, &other.node), (right, left, &one.node)] {
            let of = source(beside);
            let regex = |regex: &str| format!("write {of}.matches(/{regex}/)");
            self.warn_wildcard(side, |bare| format!("write {of}.contains('{bare}')"), regex);
            self.warn_impossible((node, beside), side, Beside::Equal);
        }
        let label = if one.label.is_empty() { other.label } else { one.label };
        Some(Typed::condition(Node::Compare {
            operator,
            left: Box::new(one.node),
            right: Box::new(other.node),
            label: label.into(),
        }))
    }

    /// A string literal beside a domain is that domain, and so on.
    fn read_literal(&mut self, expr: &Expr, typed: Typed, beside: Type) -> Option<Typed> {
        let ExprKind::Text(text) = &expr.kind else {
            return Some(typed);
        };
        let base = beside.base();
        let read = match base {
            Base::Domain => Domain::parse(text).map(|domain| Value::Domain(Cow::Owned(domain))),
            Base::Address => is_address(text).then(|| Value::Address(Cow::Owned(text.clone()))),
            Base::Ip => text.parse().ok().map(Value::Ip),
            _ => return Some(typed),
        };
        match read {
            Some(value) => Some(Typed::new(Node::Constant(value), Type::One(base))),
            None => {
                let problem = Problem::error(
                    "bad-literal",
                    expr.span.clone(),
                    format!("{} is no {base}", shown(expr)),
                );
                let below = text.strip_prefix("*.").or_else(|| text.strip_prefix('.'));
                self.refuse(match base {
                    _ if text.is_empty() => problem.help("whether there is one at all is present(…)"),
                    Base::Ip if text.contains('/') => problem.help("a network belongs in a list of kind cidr"),
                    Base::Domain if text.contains('@') => {
                        problem.help("an address compares with an address, such as from.address")
                    }
                    Base::Domain if below.is_some() => problem.help(
                        "what stands below a domain is asked by … .site == 'example.org' or by a list of kind domain, what \
                         it ends with by … .ends_with('.example')",
                    ),
                    Base::Address => problem.help("an address is name@example.org; the part after `@` is … .domain"),
                    _ => problem,
                })
            }
        }
    }

    pub(super) fn values(&mut self, values: &[Expr]) -> Option<Typed> {
        let typed: Vec<Option<Typed>> = values.iter().map(|value| self.lower(value)).collect();
        let typed = typed.into_iter().collect::<Option<Vec<_>>>()?;
        let Some(first) = typed.first().map(|typed| typed.ty) else {
            return Some(Typed::new(Node::Values(Vec::new()), Type::Many(Base::Text)));
        };
        for (value, typed) in values.iter().zip(&typed) {
            if typed.ty.is_list() || !is_comparable(typed.ty.base(), first.base()) {
                let message = format!("{} is {} among {first} values", shown(value), typed.ty.indefinite());
                return self.refuse(Problem::error("wrong-type", value.span.clone(), message));
            }
        }
        Some(Typed::new(gathered(typed), Type::Many(first.base())))
    }

    pub(super) fn membership(&mut self, negated: bool, item: &Expr, set: &Expr) -> Option<Typed> {
        let typed = self.lower(item)?;
        if typed.ty.is_list() {
            let word = if negated { "not in" } else { "in" };
            let message = format!("{} is {}", shown(item), typed.ty.indefinite());
            let help = format!("write {}.any(x, x {word} {})", source(item), source(set));
            return self.refuse(Problem::error("wrong-type", item.span.clone(), message).help(help));
        }
        match &set.kind {
            ExprKind::List(name) => {
                let (_, list) = self.list(&set.span, name)?;
                self.in_list(negated, item, typed, list)
            }
            ExprKind::Values(values) | ExprKind::Conditions(values) => self.in_values(negated, (typed, item), values),
            _ => self.in_field(negated, item, typed, set),
        }
    }

    fn in_list(&mut self, negated: bool, item: &Expr, typed: Typed, list: Arc<List>) -> Option<Typed> {
        let wanted = match list.kind() {
            ListKind::Domain => Base::Domain,
            ListKind::Address => Base::Address,
            ListKind::Url => Base::Record(Kind::Url),
            ListKind::Cidr => Base::Ip,
            ListKind::Sha256 | ListKind::Text | ListKind::Name => Base::Text,
            ListKind::Table => {
                let message = format!("`${}` is a table", list.name());
                let help = format!("write ${}.any(row, … == row.…)", list.name());
                return self.refuse(Problem::error("wrong-type", item.span.clone(), message).help(help));
            }
        };
        let typed = match &item.kind {
            ExprKind::Text(_) => self.read_literal(item, typed, Type::One(wanted))?,
            _ => typed,
        };
        if typed.ty.base() != wanted {
            let message = format!(
                "{} is {}; `${}` is a list of kind {}",
                shown(item),
                typed.ty.indefinite(),
                list.name(),
                list.kind().as_str()
            );
            let problem = Problem::error("wrong-type", item.span.clone(), message);
            return self.refuse(match part_of_kind(item, typed.ty.base(), wanted) {
                Some(help) => problem.help(help),
                None => problem,
            });
        }
        Some(Typed::condition(Node::InList {
            negated,
            item: Box::new(typed.node),
            list,
            label: typed.label.into(),
        }))
    }

    fn in_values(&mut self, negated: bool, (item, written): (Typed, &Expr), values: &[Expr]) -> Option<Typed> {
        let mut nodes = Vec::with_capacity(values.len());
        let mut is_whole = true;
        for value in values {
            self.warn_impossible((&item.node, written), value, Beside::Equal);
            let read = self
                .lower(value)
                .and_then(|typed| self.read_literal(value, typed, item.ty));
            let Some(typed) = read else {
                is_whole = false;
                continue;
            };
            if typed.ty.is_list() || !is_comparable(typed.ty.base(), item.ty.base()) {
                let message = format!("{} is {} among {} values", shown(value), typed.ty.indefinite(), item.ty);
                let problem = Problem::error("wrong-type", value.span.clone(), message);
                let help = mismatch_help(value, item.ty, value);
                self.problems.push(match help {
                    Some(help) => problem.help(help),
                    None => problem,
                });
                is_whole = false;
            }
            nodes.push(typed);
        }
        is_whole.then(|| {
            Typed::condition(Node::InValues {
                negated,
                item: Box::new(item.node),
                values: Box::new(gathered(nodes)),
                label: item.label.into(),
            })
        })
    }

    fn in_field(&mut self, negated: bool, item: &Expr, typed: Typed, set: &Expr) -> Option<Typed> {
        let within = self.lower(set)?;
        let typed = self.read_literal(item, typed, within.ty)?;
        let problem = |message: String| Problem::error("wrong-type", set.span.clone(), message);
        if let ExprKind::Text(_) = &set.kind
            && !matches!(item.kind, ExprKind::Text(_))
        {
            let message = format!("{} is a string; `in` wants a list", shown(set));
            let help = match typed.ty {
                Type::One(Base::Ip) => format!(
                    "networks stand in a list of kind cidr: {} in $our_networks",
                    source(item)
                ),
                _ => format!("write {0} == {1}, or {0} in [{1}, '…']", source(item), source(set)),
            };
            return self.refuse(problem(message).help(help));
        }
        if let Type::One(Base::Text) = within.ty {
            let message = format!("{} is a string; `in` wants a list", shown(set));
            let help = format!("write {}.contains({})", source(set), source(item));
            return self.refuse(problem(message).help(help));
        }
        if !within.ty.is_list() {
            let problem = problem(format!(
                "{} is {}; `in` wants a list",
                shown(set),
                within.ty.indefinite()
            ));
            return self.refuse(match part_for(item, within.ty) {
                Some(part) => problem.help(format!("write {}.{part} == {}", source(set), source(item))),
                None => problem.help("several values stand in brackets: x in ['a', 'b']"),
            });
        }
        if !is_comparable(typed.ty.base(), within.ty.base()) {
            let message = format!(
                "{} is {}; {} is {}",
                shown(item),
                typed.ty.indefinite(),
                shown(set),
                within.ty.indefinite()
            );
            let help = match part_for(item, Type::One(within.ty.base())) {
                Some(part) => format!("write {0}.any(x, x.{part} == {1})", source(set), source(item)),
                None => format!("write {}.any(x, …)", source(set)),
            };
            return self.refuse(problem(message).help(help));
        }
        let label = if typed.label.is_empty() {
            within.label
        } else {
            typed.label
        };
        Some(Typed::condition(Node::InValues {
            negated,
            item: Box::new(typed.node),
            values: Box::new(within.node),
            label: label.into(),
        }))
    }

    pub(super) fn negate(&mut self, expr: &Expr, inner: &Expr) -> Option<Typed> {
        let typed = self.lower(inner)?;
        match typed.ty {
            Type::One(Base::Int | Base::Float | Base::Size | Base::Duration) => Some(Typed {
                node: Node::Negate(Box::new(typed.node)),
                ..typed
            }),
            ty => self.refuse(
                Problem::error(
                    "wrong-type",
                    expr.span.clone(),
                    format!("{} is {}", shown(inner), ty.indefinite()),
                )
                .help("`-` wants a number; a condition is negated with `not`"),
            ),
        }
    }

    pub(super) fn arithmetic(&mut self, expr: &Expr, operator: Arithmetic, left: &Expr, right: &Expr) -> Option<Typed> {
        use Arithmetic::{Add, Multiply, Subtract};
        use Base::{Duration, Float, Int, Size, Text, Time};
        let (one, other) = (self.lower(left), self.lower(right));
        let (one, other) = (one?, other?);
        let bases = match (one.ty, other.ty) {
            (Type::One(one), Type::One(other)) => Some((one, other)),
            _ => None,
        };
        let result = bases.and_then(|bases| match (operator, bases) {
            (_, (Int, Int)) => Some(Int),
            (_, (Float, Int | Float) | (Int, Float)) => Some(Float),
            (Add | Subtract, (Size, Size | Int) | (Int, Size)) => Some(Size),
            (Multiply, (Size, Int) | (Int, Size)) => Some(Size),
            (Add | Subtract, (Duration, Duration)) | (Multiply, (Duration, Int) | (Int, Duration)) => Some(Duration),
            (Subtract, (Time, Time)) => Some(Duration),
            (Add | Subtract, (Time, Duration)) | (Add, (Duration, Time)) => Some(Time),
            (Add, (Text, Text)) => Some(Text),
            _ => None,
        });
        let Some(result) = result else {
            let sign = operator.as_str();
            let message = format!(
                "`{sign}` can't take {} and {}",
                one.ty.indefinite(),
                other.ty.indefinite()
            );
            return self.refuse(Problem::error("wrong-type", expr.span.clone(), message));
        };
        let label = if one.label.is_empty() { other.label } else { one.label };
        let node = Node::Arithmetic {
            operator,
            left: Box::new(one.node),
            right: Box::new(other.node),
        };
        Some(Typed::new(node, Type::One(result)).called(label))
    }

    pub(super) fn default(&mut self, value: &Expr, fallback: &Expr) -> Option<Typed> {
        let one = self.lower(value);
        let other = self.lower(fallback);
        let (one, other) = (one?, other?);
        let other = self.read_literal(fallback, other, one.ty)?;
        let fits = one.ty == other.ty
            || matches!((one.ty, other.ty), (Type::One(one), Type::One(other)) if is_comparable(one, other));
        if !fits {
            let message = format!(
                "{} is {}; its default {} is {}",
                shown(value),
                one.ty.indefinite(),
                shown(fallback),
                other.ty.indefinite()
            );
            return self.refuse(Problem::error("wrong-type", fallback.span.clone(), message));
        }
        Some(Typed {
            node: Node::Default {
                value: Box::new(one.node),
                fallback: Box::new(other.node),
            },
            ..one
        })
    }

    pub(super) fn of(&mut self, expr: &Expr, quantity: Quantity, conditions: &[Expr]) -> Option<Typed> {
        if let [only] = conditions
            && let ExprKind::Method { .. } = only.kind
        {
            return self.of_needles(expr, quantity, only);
        }
        let mut nodes = Vec::with_capacity(conditions.len());
        let mut is_whole = true;
        for condition in conditions {
            match &condition.kind {
                ExprKind::Rules(pattern) => match self.rules(condition, pattern) {
                    Some(rules) => nodes.extend(rules),
                    None => is_whole = false,
                },
                _ => match self.condition(condition) {
                    Some(node) => nodes.push(node),
                    None => is_whole = false,
                },
            }
        }
        if !is_whole {
            return None;
        }
        self.check_quantity(expr, quantity, nodes.len())?;
        Some(Typed::condition(Node::Of {
            quantity,
            conditions: nodes,
        }))
    }

    fn rules(&mut self, expr: &Expr, pattern: &RulePattern) -> Option<Vec<Node>> {
        let found = match pattern {
            RulePattern::Prefix(prefix) => self.names.rules_starting(prefix),
            RulePattern::Tag(tag) => self.names.rules_tagged(tag),
        };
        if found.is_empty() {
            let message = format!("no rule is one of `{pattern}`");
            let problem = Problem::error("unknown-rule", expr.span.clone(), message);
            return self.refuse(match pattern {
                RulePattern::Prefix(_) => problem.help("ids are written in capitals; the rule itself isn't counted"),
                RulePattern::Tag(tag) => problem.help(format!(
                    "a rule has it by tags = [\"{tag}\"]; the rule itself isn't counted"
                )),
            });
        }
        let fits = self.atoms.extent.references(found.len());
        self.room(&expr.span, fits)?;
        found.iter().for_each(|rule| self.refer(*rule));
        Some(found.into_iter().map(Node::Rule).collect())
    }

    /// `2 of body.icontains('a', 'b')`: how many needles, of a test with several.
    fn of_needles(&mut self, expr: &Expr, quantity: Quantity, only: &Expr) -> Option<Typed> {
        let mut typed = self.lower(only)?;
        let length = match &mut typed.node {
            Node::Text(test) => {
                test.quantity = quantity;
                // How long a list is depends on the house, not on the author.
                let has_list = test.needles.iter().any(|needle| matches!(needle, Needle::List { .. }));
                if has_list { usize::MAX } else { test.needles.len() }
            }
            Node::Matches {
                quantity: wanted,
                patterns,
                ..
            } => {
                *wanted = quantity;
                patterns.len()
            }
            _ if typed.ty == Type::One(Base::Bool) => {
                typed.node = Node::Of {
                    quantity,
                    conditions: vec![typed.node],
                };
                1
            }
            _ => {
                let message = format!(
                    "{} is {}, not something true or false",
                    shown(only),
                    typed.ty.indefinite()
                );
                return self.refuse(Problem::error("not-a-condition", only.span.clone(), message));
            }
        };
        self.check_quantity(expr, quantity, length)?;
        Some(typed)
    }

    fn check_quantity(&mut self, expr: &Expr, quantity: Quantity, length: usize) -> Option<()> {
        match quantity {
            Quantity::AtLeast(wanted) if wanted > length => {
                let message = format!("{wanted} of {length} can never hold");
                self.refuse(Problem::error("bad-quantity", expr.span.clone(), message))
            }
            _ => Some(()),
        }
    }
}

/// Constants become one constant list, so that nothing is built for each message.
fn gathered(values: Vec<Typed>) -> Node {
    let constant = |typed: &Typed| match &typed.node {
        Node::Constant(value) => Some(value.clone()),
        _ => None,
    };
    match values.iter().map(constant).collect::<Option<Vec<_>>>() {
        Some(constants) => Node::Constant(Value::list(constants)),
        None => Node::Values(values.into_iter().map(|typed| typed.node).collect()),
    }
}

fn is_comparable(one: Base, other: Base) -> bool {
    use Base::{Float, Int, Record, Size, Text};
    let alike = matches!((one, other), (Int, Float | Size) | (Float | Size, Int));
    // A URL compares as it was written.
    let url = matches!((one, other), (Record(Kind::Url), Text) | (Text, Record(Kind::Url)));
    one == other || alike || url
}

fn has_order(base: Base) -> bool {
    matches!(base, Base::Int | Base::Float | Base::Size | Base::Duration | Base::Time)
}

fn is_address(text: &str) -> bool {
    let parts = text.rsplit_once('@');
    parts.is_some_and(|(local, domain)| {
        !local.is_empty() && (domain.starts_with('[') || Domain::parse(domain).is_some())
    })
}

/// What to write where a list or a record stands beside something.
fn whole_help(side: &Expr, ty: Type, operator: Comparison, beside: &Expr) -> String {
    let (side, sign) = (source(side), operator.as_str());
    let value = match &beside.kind {
        ExprKind::Text(text) if text.is_empty() => {
            let not = if operator == Comparison::NotEqual { "" } else { "not " };
            return format!("write {not}present({side})");
        }
        ExprKind::Text(_) => source(beside),
        _ => "…".to_owned(),
    };
    match (ty, part_for(beside, Type::One(ty.base()))) {
        // What stands in brackets is a list only to choose from.
        (Type::Many(_), _) if side.starts_with('[') => format!("write {} in {side}", source(beside)),
        (Type::Many(_), Some(part)) => format!("write {side}.any(x, x.{part} {sign} {value})"),
        (Type::Many(_), None) => format!("write {side}.any(x, x {sign} …), {side}.length or … in {side}"),
        (_, Some(part)) => format!("compare one of its parts: {side}.{part} {sign} {value}"),
        (_, None) => format!("compare one of its parts: {side}.…"),
    }
}

/// The part of a record that a literal looks like.
fn part_for(literal: &Expr, ty: Type) -> Option<&'static str> {
    let ExprKind::Text(text) = &literal.kind else {
        return None;
    };
    match ty {
        Type::One(Base::Record(Kind::Mailbox)) if text.contains('@') => Some("address"),
        Type::One(Base::Record(Kind::Mailbox)) if text.contains('.') && Domain::parse(text).is_some() => Some("domain"),
        Type::One(Base::Record(Kind::Mailbox)) => Some("name"),
        Type::One(Base::Record(Kind::Link)) if text.contains('/') => Some("target"),
        Type::One(Base::Record(Kind::Link)) => Some("target.domain"),
        Type::One(Base::Record(Kind::Attachment)) => Some("name"),
        _ => None,
    }
}

/// What to write where `literal` stands beside a thing of this type.
fn mismatch_help(beside: &Expr, ty: Type, literal: &Expr) -> Option<String> {
    if let ExprKind::Text(text) = &literal.kind {
        let bare = text.trim();
        let reads = match ty.base() {
            Base::Size => parse_size(bare).is_some(),
            Base::Duration => parse_span(bare).is_some(),
            Base::Int => bare.parse::<i64>().is_ok(),
            Base::Float => bare.parse::<f64>().is_ok(),
            Base::Bool => matches!(bare, "true" | "false"),
            Base::Time => bare.parse::<jiff::civil::Date>().is_ok(),
            _ => false,
        };
        return reads.then(|| format!("write {bare} without quotes"));
    }
    match ty.base() {
        Base::Domain => Some(format!("as a string it is {}.host", source(beside))),
        Base::Address => Some(format!("as a string it is {}.text", source(beside))),
        Base::Duration => Some("a duration has a unit: 30s, 15m, 2h, 2d".to_owned()),
        Base::Time => Some("a time compares with a date such as 2027-01-31, or with now".to_owned()),
        _ => None,
    }
}

/// The part of a thing that a list of another kind can hold.
fn part_of_kind(item: &Expr, found: Base, wanted: Base) -> Option<String> {
    let text = source(item);
    match (found, wanted) {
        (Base::Address | Base::Record(Kind::Url | Kind::Mailbox), Base::Domain) => Some(format!("write {text}.domain")),
        (Base::Record(Kind::Link), Base::Domain) => Some(format!("write {text}.target.domain")),
        (Base::Record(Kind::Link), Base::Record(Kind::Url)) => Some(format!("write {text}.target")),
        (Base::Record(Kind::Mailbox), Base::Address) => Some(format!("write {text}.address")),
        (Base::Text, Base::Domain) => match text.strip_suffix(".host") {
            Some(domain) => Some(format!("write {domain}")),
            None => Some("only a domain can be in it: from.domain, l.target.domain, text.domains()".to_owned()),
        },
        (Base::Domain, Base::Text) => Some(format!("write {text}.host, or make it a list of kind domain")),
        (Base::Address, Base::Text) => Some(format!("write {text}.text, or make it a list of kind address")),
        _ => None,
    }
}
