//! A condition that stands in no file, judged among the rules of a set.
//!
//! A set and a text go in; out comes the set with one more rule, in shadow, so that whatever is counted of
//! rules is counted of it too. Knows nothing of messages.

use super::trial::NAME;
use crate::rules::assemble::{self, Asked, Options};
use crate::rules::diagnostic::Diagnostic;
use crate::rules::{Loaded, RuleSet, Score};
use jiff::Timestamp;
use std::sync::Arc;

/// The set with the condition, what is to be said of it, and the id of its rule. `score` is what it would
/// add if it acted.
///
/// # Errors
/// What is wrong with the condition.
pub fn asking(
    set: &RuleSet,
    condition: &str,
    score: Score,
    now: Timestamp,
) -> Result<(Loaded, String), Vec<Diagnostic>> {
    let mut id = "EXPRESSION".to_owned();
    while set.rule(&id).is_some() {
        id.push('_');
    }
    let options = Options {
        asked: Some(Asked {
            name: NAME.to_owned(),
            id: id.clone(),
            when: condition.to_owned(),
            score,
        }),
        ..Options::all(now, Arc::clone(&set.stock))
    };
    // Of the files it has been told when they were loaded.
    let of_it = |mut problems: Vec<Diagnostic>| {
        problems.retain(|problem| problem.source.name == NAME);
        problems
    };
    match assemble::assemble(set.roots.clone(), &options) {
        Ok(Loaded { set, warnings }) => Ok((
            Loaded {
                set,
                warnings: of_it(warnings),
            },
            id,
        )),
        Err(problems) => Err(of_it(problems)),
    }
}
