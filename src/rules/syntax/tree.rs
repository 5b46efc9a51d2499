//! The tree of an expression as its author wrote it, every node with its place.
//!
//! `and` and `or` are n-ary, so that long chains stay shallow. Names aren't resolved here.

use jiff::Timestamp;
use std::fmt;
use std::ops::Range;

/// A node and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Bytes in the expression's text.
    pub span: Range<usize>,
    /// Levels of nodes, this one counted; at most [`super::DEPTH_MAX`].
    pub(crate) depth: usize,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a decimal point.
    Float(f64),
    /// A string, its doubled quotes undone.
    Text(String),
    /// A size, in bytes.
    Size(i64),
    /// A duration, in milliseconds.
    Duration(i64),
    /// Midnight UTC of a date.
    Date(Timestamp),
    /// `/pattern/flags`; stands only as an argument.
    Regex {
        /// Between the slashes, as written.
        pattern: String,
        /// After the closing slash.
        flags: String,
    },
    /// A field, or a lambda's name.
    Name(String),
    /// `$name`.
    List(String),
    /// `@NAME`.
    Rule(String),
    /// `@PREFIX*` or `@tag:name`; stands only after `of`.
    Rules(RulePattern),
    /// `[a, b]`.
    Values(Vec<Expr>),
    /// `(a, b)` after `in`.
    Conditions(Vec<Expr>),
    /// `not a`.
    Not(Box<Expr>),
    /// `-a`.
    Negate(Box<Expr>),
    /// `a and b and c`.
    And(Vec<Expr>),
    /// `a or b or c`.
    Or(Vec<Expr>),
    /// `a == b` and its kin.
    Compare {
        /// Which.
        operator: Comparison,
        /// Left of it.
        left: Box<Expr>,
        /// Right of it.
        right: Box<Expr>,
    },
    /// `a + b` and its kin.
    Arithmetic {
        /// Which.
        operator: Arithmetic,
        /// Left of it.
        left: Box<Expr>,
        /// Right of it.
        right: Box<Expr>,
    },
    /// `a ?? b`.
    Default {
        /// What is asked for.
        value: Box<Expr>,
        /// What stands in when that is absent or unknown.
        fallback: Box<Expr>,
    },
    /// `a in b`, `a not in b`.
    In {
        /// Whether `not` stands before `in`.
        negated: bool,
        /// What is looked for.
        item: Box<Expr>,
        /// Where.
        set: Box<Expr>,
    },
    /// `2 of (a, b, c)`.
    Of {
        /// How many.
        quantity: Quantity,
        /// The conditions; a single text test or set of rules may stand without parentheses.
        conditions: Vec<Expr>,
    },
    /// `name(arguments)`.
    Call {
        /// The function, or a field that takes an argument.
        name: String,
        /// Where the name stands.
        name_span: Range<usize>,
        /// Its arguments.
        arguments: Vec<Expr>,
    },
    /// `base.name`.
    Member {
        /// What it is asked of.
        base: Box<Expr>,
        /// The member.
        name: String,
        /// Where the name stands.
        name_span: Range<usize>,
    },
    /// `base.name(arguments)`.
    Method {
        /// What it is asked of.
        base: Box<Expr>,
        /// The method.
        name: String,
        /// Where the name stands.
        name_span: Range<usize>,
        /// Its arguments.
        arguments: Vec<Expr>,
    },
}

/// Several rules at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RulePattern {
    /// Ids that start so: `@LURE_*`.
    Prefix(String),
    /// Rules that carry the tag: `@tag:x`.
    Tag(String),
}

/// How many of several conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// `2 of`; `any of` is 1.
    AtLeast(usize),
    /// `all of`.
    All,
    /// `none of`.
    None,
}

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Comparison {
    /// As written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }

    /// Whether it asks which of two is more.
    pub const fn is_order(self) -> bool {
        !matches!(self, Self::Equal | Self::NotEqual)
    }
}

/// An arithmetic operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    /// `+`, which also joins strings.
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
}

impl Arithmetic {
    /// As written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
        }
    }
}

impl fmt::Display for RulePattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix(prefix) => write!(formatter, "@{prefix}*"),
            Self::Tag(tag) => write!(formatter, "@tag:{tag}"),
        }
    }
}

impl Expr {
    /// A node around its children.
    pub(super) fn new(kind: ExprKind, span: Range<usize>) -> Self {
        let depth = 1 + kind.children().map(|child| child.depth).max().unwrap_or(0);
        Self { kind, span, depth }
    }

    /// As one would write it, on one line: what other forms of it mean the same is lost.
    pub(crate) fn written(&self) -> String {
        let joined = |many: &[Self], by: &str| many.iter().map(Self::written).collect::<Vec<_>>().join(by);
        match &self.kind {
            ExprKind::Values(values) => format!("[{}]", joined(values, ", ")),
            ExprKind::Conditions(conditions) => format!("({})", joined(conditions, ", ")),
            ExprKind::Not(inner) => format!("not {}", inner.operand()),
            ExprKind::Negate(inner) => format!("-{}", inner.operand()),
            ExprKind::And(links) => links.iter().map(Self::operand).collect::<Vec<_>>().join(" and "),
            ExprKind::Or(links) => links.iter().map(Self::operand).collect::<Vec<_>>().join(" or "),
            ExprKind::Compare { operator, left, right } => {
                format!("{} {} {}", left.operand(), operator.as_str(), right.operand())
            }
            ExprKind::Arithmetic { operator, left, right } => {
                format!("{} {} {}", left.operand(), operator.as_str(), right.operand())
            }
            ExprKind::Default { value, fallback } => format!("{} ?? {}", value.operand(), fallback.operand()),
            ExprKind::In { negated, item, set } => {
                format!(
                    "{} {} {}",
                    item.operand(),
                    if *negated { "not in" } else { "in" },
                    set.operand()
                )
            }
            ExprKind::Of { quantity, conditions } => format!("{quantity} of ({})", joined(conditions, ", ")),
            ExprKind::Call { name, arguments, .. } => format!("{name}({})", joined(arguments, ", ")),
            ExprKind::Member { base, name, .. } => format!("{}.{name}", base.operand()),
            ExprKind::Method {
                base, name, arguments, ..
            } => format!("{}.{name}({})", base.operand(), joined(arguments, ", ")),
            _ => self.to_string(),
        }
    }

    /// The same, in parentheses where it is an operation.
    fn operand(&self) -> String {
        let is_operation = matches!(
            self.kind,
            ExprKind::Not(_)
                | ExprKind::And(_)
                | ExprKind::Or(_)
                | ExprKind::Compare { .. }
                | ExprKind::Arithmetic { .. }
                | ExprKind::Default { .. }
                | ExprKind::In { .. }
                | ExprKind::Of { .. }
        );
        match is_operation {
            true => format!("({})", self.written()),
            false => self.written(),
        }
    }

    /// `a.b.c` as text, if that is what it is.
    pub(crate) fn dotted(&self) -> Option<String> {
        match &self.kind {
            ExprKind::Name(name) => Some(name.clone()),
            ExprKind::Member { base, name, .. } => Some(format!("{}.{name}", base.dotted()?)),
            _ => None,
        }
    }
}

impl ExprKind {
    /// The nodes right below.
    pub(crate) fn children(&self) -> impl Iterator<Item = &Expr> {
        let (one, other, many): (Option<&Expr>, Option<&Expr>, &[Expr]) = match self {
            Self::Bool(_)
            | Self::Int(_)
            | Self::Float(_)
            | Self::Text(_)
            | Self::Size(_)
            | Self::Duration(_)
            | Self::Date(_)
            | Self::Regex { .. }
            | Self::Name(_)
            | Self::List(_)
            | Self::Rule(_)
            | Self::Rules(_) => (None, None, &[]),
            Self::Values(many)
            | Self::Conditions(many)
            | Self::And(many)
            | Self::Or(many)
            | Self::Of { conditions: many, .. }
            | Self::Call { arguments: many, .. } => (None, None, many),
            Self::Not(one) | Self::Negate(one) | Self::Member { base: one, .. } => (Some(one), None, &[]),
            Self::Compare { left, right, .. } | Self::Arithmetic { left, right, .. } => (Some(left), Some(right), &[]),
            Self::Default { value, fallback } => (Some(value), Some(fallback), &[]),
            Self::In { item, set, .. } => (Some(item), Some(set), &[]),
            Self::Method { base, arguments, .. } => (Some(base), None, arguments),
        };
        one.into_iter().chain(other).chain(many)
    }
}

/// The tree with every grouping in parentheses, prefix operators first: for tests and traces.
impl fmt::Display for Expr {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let group = |formatter: &mut fmt::Formatter<'_>, word: &str, of: &[&Expr]| {
            write!(formatter, "({word}")?;
            of.iter().try_for_each(|expr| write!(formatter, " {expr}"))?;
            formatter.write_str(")")
        };
        let every = |many: &'_ [Expr]| many.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match &self.kind {
            ExprKind::Bool(truth) => write!(formatter, "{truth}"),
            ExprKind::Int(number) => write!(formatter, "{number}"),
            ExprKind::Float(number) => write!(formatter, "{number:?}"),
            ExprKind::Text(text) => write!(formatter, "'{}'", text.replace('\'', "''")),
            ExprKind::Size(bytes) => write!(formatter, "{bytes}B"),
            ExprKind::Duration(millis) => write!(formatter, "{millis}ms"),
            ExprKind::Date(midnight) => write!(formatter, "{midnight}"),
            ExprKind::Regex { pattern, flags } => write!(formatter, "/{pattern}/{flags}"),
            ExprKind::Name(name) => formatter.write_str(name),
            ExprKind::List(name) => write!(formatter, "${name}"),
            ExprKind::Rule(name) => write!(formatter, "@{name}"),
            ExprKind::Rules(pattern) => write!(formatter, "{pattern}"),
            ExprKind::Values(values) => write!(formatter, "[{}]", every(values)),
            ExprKind::Conditions(conditions) => write!(formatter, "({})", every(conditions)),
            ExprKind::Not(inner) => group(formatter, "not", &[inner]),
            ExprKind::Negate(inner) => group(formatter, "-", &[inner]),
            ExprKind::And(links) => group(formatter, "and", &links.iter().collect::<Vec<_>>()),
            ExprKind::Or(links) => group(formatter, "or", &links.iter().collect::<Vec<_>>()),
            ExprKind::Compare { operator, left, right } => group(formatter, operator.as_str(), &[left, right]),
            ExprKind::Arithmetic { operator, left, right } => group(formatter, operator.as_str(), &[left, right]),
            ExprKind::Default { value, fallback } => group(formatter, "??", &[value, fallback]),
            ExprKind::In { negated, item, set } => {
                group(formatter, if *negated { "not-in" } else { "in" }, &[item, set])
            }
            ExprKind::Of { quantity, conditions } => {
                write!(formatter, "({quantity} of: {})", every(conditions))
            }
            ExprKind::Call { name, arguments, .. } => write!(formatter, "{name}({})", every(arguments)),
            ExprKind::Member { base, name, .. } => write!(formatter, "{base}.{name}"),
            ExprKind::Method {
                base, name, arguments, ..
            } => write!(formatter, "{base}.{name}({})", every(arguments)),
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(number) => write!(formatter, "{number}"),
            Self::All => formatter.write_str("all"),
            Self::None => formatter.write_str("none"),
        }
    }
}
