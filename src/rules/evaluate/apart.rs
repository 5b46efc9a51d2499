//! One node of a condition on its own, for those who explain a condition or measure it.
//!
//! A node, the items that lambda names around it stand for, and the message go in; out comes what
//! evaluation itself says of the node, however the condition around it went. Knows nothing of texts.

use super::{Outcome, Outcomes, Run, SNIPPETS_MAX, Scope};
use crate::rules::Snippet;
use crate::rules::compile::node::{Node, TextTest};
use crate::rules::value::Value;

/// What a node that is true, false or unknown comes to, and what decides.
pub(in crate::rules) fn outcome<'e>(
    node: &'e Node,
    variables: &[Value<'e>],
    scope: &mut Scope<'e, '_>,
    outcomes: &dyn Outcomes<'e>,
) -> Outcome {
    let mut run = run(variables, scope, outcomes);
    let truth = run.truth(node);
    if run.steps_left.is_none() {
        return Outcome::unknown("rule", "budget");
    }
    run.snippets.truncate(SNIPPETS_MAX);
    Outcome {
        truth,
        snippets: run.snippets,
        unknown: run.unknown,
    }
}

/// The needles of a test that stand in its text, though they are too few for it.
pub(in crate::rules) fn found<'e>(
    test: &'e TextTest,
    variables: &[Value<'e>],
    scope: &mut Scope<'e, '_>,
    outcomes: &dyn Outcomes<'e>,
) -> Vec<Snippet> {
    let mut run = run(variables, scope, outcomes);
    run.text_test(test);
    run.snippets.truncate(SNIPPETS_MAX);
    run.snippets
}

/// What a node comes to as a value.
pub(in crate::rules) fn value<'e>(
    node: &'e Node,
    variables: &[Value<'e>],
    scope: &mut Scope<'e, '_>,
    outcomes: &dyn Outcomes<'e>,
) -> Value<'e> {
    run(variables, scope, outcomes).value(node)
}

fn run<'s, 'e, 'm>(
    variables: &[Value<'e>],
    scope: &'s mut Scope<'e, 'm>,
    outcomes: &'s dyn Outcomes<'e>,
) -> Run<'s, 'e, 'm> {
    Run {
        steps_left: Some(scope.steps_max),
        scope,
        outcomes,
        // Nothing is remembered between looks, so that no node hides behind another's truth.
        shows: true,
        variables: variables.to_vec(),
        item: 0,
        snippets: Vec::new(),
        unknown: Vec::new(),
    }
}
