//! The nodes of a compiled condition: names resolved, types settled, constants ready.
//!
//! The compiler makes them, evaluation walks them. Their depth is that of the author's tree.

use super::RuleRef;
use super::needles::AtomSet;
use super::pattern::Pattern;
use super::shared::Shared;
use crate::rules::lists::List;
use crate::rules::schema::Field;
use crate::rules::syntax::tree::{Arithmetic, Comparison, Quantity};
use crate::rules::value::Value;
use std::sync::Arc;

/// A node that yields a value; a condition yields a truth.
#[derive(Debug)]
pub(crate) enum Node {
    /// A constant.
    Constant(Value<'static>),
    /// A row of the schema's table.
    Field(usize),
    /// Every instance of a header field.
    Header { name: String, raw: bool },
    /// A member of a record, domain or address.
    Member { base: Box<Node>, field: &'static Field },
    /// A column of a table's row.
    Column { base: Box<Node>, column: usize },
    /// The lambda name of this depth.
    Variable(usize),
    /// The entries or rows of a list.
    Entries(Arc<List>),
    /// A list of values.
    Values(Vec<Node>),
    /// Something computed of one value.
    Derived { base: Box<Node>, how: Derivation },
    /// `-a`.
    Negate(Box<Node>),
    /// `a + b` and its kin.
    Arithmetic {
        operator: Arithmetic,
        left: Box<Node>,
        right: Box<Node>,
    },
    /// `a ?? b`.
    Default { value: Box<Node>, fallback: Box<Node> },
    /// `x.count(/re/)`.
    CountMatches { subject: Box<Node>, pattern: Arc<Pattern> },
    /// `x.count(l, cond)`.
    CountWhere { list: Box<Node>, condition: Box<Node> },
    /// `x.distinct(l, expr)`.
    Distinct { list: Box<Node>, value: Box<Node> },
    /// `not a`.
    Not(Box<Node>),
    /// `a and b`, and in which order to ask.
    And(Vec<Node>, Vec<usize>),
    /// `a or b`, and in which order to ask.
    Or(Vec<Node>, Vec<usize>),
    /// `a == b` and its kin.
    Compare {
        operator: Comparison,
        left: Box<Node>,
        right: Box<Node>,
        label: Label,
    },
    /// `a in $list`.
    InList {
        negated: bool,
        item: Box<Node>,
        list: Arc<List>,
        label: Label,
    },
    /// `a in [b, c]`, `a in field`.
    InValues {
        negated: bool,
        item: Box<Node>,
        values: Box<Node>,
        label: Label,
    },
    /// `2 of (a, b, c)`.
    Of { quantity: Quantity, conditions: Vec<Node> },
    /// A condition that other rules may ask too, of the message or of an item of one list.
    Shared {
        shared: Shared,
        of_item: bool,
        condition: Box<Node>,
    },
    /// `@NAME`.
    Rule(RuleRef),
    /// `present(x)`.
    Present(Box<Node>),
    /// `known(x)`.
    Known(Box<Node>),
    /// A test of text against needles.
    Text(Box<TextTest>),
    /// `x.matches(/re/)`.
    Matches {
        subject: Subject,
        patterns: Vec<GatedPattern>,
        quantity: Quantity,
    },
    /// `x.similar_to(y, distance)`.
    Similar {
        subject: Subject,
        others: Vec<Needle>,
        distance: usize,
    },
    /// `x.any(l, cond)`.
    Any {
        list: Box<Node>,
        condition: Box<Node>,
        label: Label,
    },
    /// `x.all(l, cond)`.
    All { list: Box<Node>, condition: Box<Node> },
}

/// How a piece of evidence is called: the schema's words, `links.shown.text`.
pub(crate) type Label = Box<str>;

/// The text that a test looks at.
#[derive(Debug)]
pub(crate) struct Subject {
    /// Where it comes from.
    pub node: Box<Node>,
    /// What evidence calls it.
    pub label: Label,
    /// Its place among the scanner's, when it is one of the message's own texts.
    pub source: Option<usize>,
    /// When it is a text of an item: the place of all items' texts among the scanner's.
    pub of_items: Option<usize>,
    /// Whether offsets in it are offsets in the field.
    pub is_field: bool,
}

impl Subject {
    /// Its place, or that of all items' texts, among the scanner's.
    pub(crate) fn place(&self) -> Option<usize> {
        self.source.or(self.of_items)
    }
}

/// `x.icontains('a', $b)` and its kin.
#[derive(Debug)]
pub(crate) struct TextTest {
    pub test: Test,
    pub ignores_case: bool,
    pub subject: Subject,
    pub needles: Vec<Needle>,
    pub quantity: Quantity,
    /// Whether there are so many needles that any text is worth a scan.
    pub has_many: bool,
    /// All atoms of the needles, so that one look says that none stands in a scanned text; `None`
    /// where a needle has no atom.
    pub gate: Option<Gate>,
    /// Whether a needle counts only until some day.
    pub expires: bool,
}

/// Where a needle must stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Test {
    Contains,
    StartsWith,
    EndsWith,
    Equals,
}

/// What is looked for.
#[derive(Debug)]
pub(crate) enum Needle {
    /// A literal: as it is compared, and its atom where the text is scanned.
    Literal { text: String, atom: Option<usize> },
    /// The entries of a list, as they are compared, and their atoms where the text is scanned.
    List {
        list: Arc<List>,
        texts: Vec<String>,
        atoms: Vec<usize>,
    },
    /// A value of the message.
    Dynamic(Node),
}

/// A regex and the atoms of which one must have been seen.
#[derive(Debug)]
pub(crate) struct GatedPattern {
    pub pattern: Arc<Pattern>,
    pub gate: Option<Gate>,
}

/// Atoms of which one must stand in a text.
#[derive(Debug)]
pub(crate) struct Gate {
    pub atoms: Vec<usize>,
    /// The same, to be asked at once.
    pub set: AtomSet,
}

impl Gate {
    pub(crate) fn new(mut atoms: Vec<usize>) -> Self {
        atoms.sort_unstable();
        atoms.dedup();
        Self {
            set: atoms.iter().copied().collect(),
            atoms,
        }
    }
}

/// What can be computed of a single value.
#[derive(Debug)]
pub(crate) enum Derivation {
    Lower,
    Skeleton,
    Length,
    First,
    Domains,
    Addresses,
    Param(String),
    NamesRecipient,
}
