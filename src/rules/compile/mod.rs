//! From a tree to a condition: names resolved, types checked, patterns built, literals hoisted.
//!
//! Knows nothing of files, scores or rules' metadata; other rules are indices.

mod pattern;

use super::lists::List;
pub use super::schema::Cost;
use super::syntax::{Expr, Problem};
use std::sync::Arc;

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

/// Gathers the literal needles of a whole set of conditions, so that each field of a message is
/// scanned once for all of them.
#[derive(Debug, Default)]
pub struct Atoms {}

impl Atoms {
    /// Builds the automata. Conditions compiled with these atoms are evaluated with this scanner.
    pub fn build(self) -> Result<Scanner, String> {
        Ok(Scanner::default())
    }
}

/// One automaton a field, shared by a set of conditions. `Send + Sync`.
#[derive(Debug, Default)]
pub struct Scanner {}

/// A compiled condition. `Send + Sync`.
#[derive(Debug)]
pub struct Condition {}

impl Condition {
    /// The schema names of the fields that it reads, and what they cost, each once.
    pub fn needs(&self) -> &[(&'static str, Cost)] {
        &[]
    }

    /// The rules and defines that it refers to, each once.
    pub fn references(&self) -> &[RuleRef] {
        &[]
    }

    /// The lists that it refers to, each once.
    pub fn lists(&self) -> &[Arc<List>] {
        &[]
    }

    /// Regexes as written in which no literal text is required, so that they run on every message.
    pub fn slow_patterns(&self) -> &[String] {
        &[]
    }
}

/// Compiles a condition. It is there unless a problem is an error; warnings may come with it.
pub fn compile(expr: &Expr, names: &dyn Names, atoms: &mut Atoms) -> (Option<Condition>, Vec<Problem>) {
    let _ = (expr, names, atoms);
    (None, Vec::new())
}
