//! Explanations hold together: each part's truth follows from its parts', on every shipped rule and test.

use super::Workbench;
use super::explain::{Branch, Extent, Joint};
use crate::rules::RuleSet;
use crate::rules::evaluate::{Outcome, Truth};
use crate::rules::testing;

/// Kleene's `and`.
fn all(truths: impl IntoIterator<Item = Truth>) -> Truth {
    truths.into_iter().fold(Truth::True, |one, other| match (one, other) {
        (Truth::False, _) | (_, Truth::False) => Truth::False,
        (Truth::Unknown, _) | (_, Truth::Unknown) => Truth::Unknown,
        (Truth::True, Truth::True) => Truth::True,
    })
}

fn check(branch: &Branch, rule: &str, parts: &mut usize) {
    *parts += 1;
    let truths = || branch.parts.iter().map(|part| part.truth);
    let follows = match (branch.joint, &branch.walk) {
        (Joint::And, _) => all(truths()) == branch.truth,
        (Joint::Or, _) => !all(truths().map(|truth| !truth)) == branch.truth,
        (Joint::Not, _) => truths().map(|truth| !truth).eq([branch.truth]),
        (Joint::Each, Some(walk)) if walk.cut.is_none() => {
            let (trues, falses, unknowns) = walk.truths;
            let has = |truth, count: usize| branch.truth == truth && count > 0;
            let open = branch.truth == Truth::Unknown && unknowns > 0;
            match branch.text.contains(".all(") {
                true => has(Truth::False, falses) || open || (branch.truth == Truth::True && falses + unknowns == 0),
                false => has(Truth::True, trues) || open || (branch.truth == Truth::False && trues + unknowns == 0),
            }
        }
        (Joint::Of | Joint::Each | Joint::Leaf, _) => true,
    };
    assert!(follows, "{rule}: {branch:#?}");
    branch.parts.iter().for_each(|part| check(part, rule, parts));
    let items = branch.walk.iter().flat_map(|walk| &walk.shown);
    items.for_each(|item| check(&item.condition, rule, parts));
}

#[test]
fn each_part_follows_from_its_parts_and_the_whole_is_the_gates() {
    let now = testing::NOW.parse().unwrap();
    let set = RuleSet::load_embedded(now).unwrap().set;
    let (mut parts, mut tests) = (0, 0);
    testing::visit(&set, &mut |hermetic, own| {
        let bench = Workbench::new(hermetic);
        for (rule, test, root) in own {
            tests += 1;
            let staged = testing::stage(&test.scene, root, hermetic, |evidence, withheld| {
                let explained = bench.explain_without(rule, evidence, withheld, Extent::ALL).unwrap();
                let Outcome { truth, snippets, .. } = hermetic.outcome_of(rule, evidence, withheld).unwrap();
                assert_eq!(explained.condition.truth, truth, "{rule}");
                assert_eq!(explained.condition.evidence, snippets, "{rule}");
                let conditions = explained.references.iter().map(|reference| &reference.condition);
                for condition in conditions.chain([&explained.condition]) {
                    check(condition, rule, &mut parts);
                }
            });
            staged.unwrap();
        }
    })
    .unwrap();
    assert!(tests > 200 && parts > 3_000, "{tests} tests, {parts} parts");
}
