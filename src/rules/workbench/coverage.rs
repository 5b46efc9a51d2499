//! Which clauses of conditions no test has ever seen true.
//!
//! A set with its tests goes in; out comes every clause and how often it was true, false and unknown. Knows
//! nothing of whether the tests pass.

use super::Workbench;
use super::explain::{Branch, Explanation, Extent, clauses};
use crate::rules::compile::RuleRef;
use crate::rules::diagnostic::Diagnostic;
use crate::rules::evaluate::Truth;
use crate::rules::set::RuleSet;
use crate::rules::syntax;
use crate::rules::testing;
use std::collections::HashMap;

/// A clause of a rule or define.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clause {
    /// The rule's id, or the define's name with its `@`.
    pub owner: String,
    /// As written, on one line.
    pub text: String,
    /// Where its file stands.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// In how many tests it was true, for any item where it stands in a walk over a list.
    pub trues: usize,
    /// In how many it was false.
    pub falses: usize,
    /// In how many it could not be told.
    pub unknowns: usize,
}

/// A clause, by its owner's name and its place in the condition.
type Key = (String, usize, usize);

/// Every clause of every define and rule, in the set's order, after all tests.
///
/// # Errors
/// When a pack doesn't load without the house's files.
pub fn coverage(set: &RuleSet) -> Result<Vec<Clause>, Vec<Diagnostic>> {
    let mut seen: HashMap<Key, Vec<Truth>> = HashMap::new();
    testing::visit(set, &mut |hermetic, tests| {
        let bench = Workbench::new(hermetic);
        for (rule, test, root) in tests {
            let explained = testing::stage(&test.scene, root, hermetic, |evidence, withheld| {
                bench.explain_without(rule, evidence, withheld, Extent::ALL)
            });
            if let Ok(Some(explanation)) = explained {
                look(&explanation, &mut seen);
            }
        }
    })?;
    Ok(Workbench::new(set).clauses(&seen))
}

/// Each clause counts once a test: as true if it was true of any item.
fn look(explanation: &Explanation, seen: &mut HashMap<Key, Vec<Truth>>) {
    let own = (explanation.rule.id.clone(), &explanation.condition);
    let others = explanation.references.iter();
    let others = others.map(|reference| (reference.name.clone(), &reference.condition));
    let mut here: HashMap<Key, Truth> = HashMap::new();
    for (owner, condition) in std::iter::once(own).chain(others) {
        let mut leaves: Vec<&Branch> = Vec::new();
        condition.leaves(&mut leaves);
        for leaf in leaves {
            let truth = here
                .entry((owner.clone(), leaf.span.start, leaf.span.end))
                .or_insert(leaf.truth);
            if leaf.truth == Truth::True || *truth == Truth::False {
                *truth = leaf.truth;
            }
        }
    }
    for (key, truth) in here {
        seen.entry(key).or_default().push(truth);
    }
}

impl Workbench<'_> {
    fn clauses(&self, seen: &HashMap<Key, Vec<Truth>>) -> Vec<Clause> {
        let mut all = Vec::new();
        for at in 0..self.places.len() {
            let Some(written) = self.written(RuleRef(at)) else {
                continue;
            };
            let (expr, _) = syntax::parse(&written.condition.text);
            let mut found = Vec::new();
            expr.iter().for_each(|expr| clauses(expr, &mut found));
            for clause in found {
                let key = (written.name.to_owned(), clause.span.start, clause.span.end);
                let truths = seen.get(&key).map(Vec::as_slice).unwrap_or_default();
                let count = |wanted| truths.iter().filter(|truth| **truth == wanted).count();
                let place = written.source.position(written.condition.place(&clause.span).start);
                let is_rule = self.set.rule(written.name).is_some();
                all.push(Clause {
                    owner: format!("{}{}", if is_rule { "" } else { "@" }, written.name),
                    text: written.text(clause),
                    file: written.source.name.clone(),
                    line: place.line,
                    column: place.column,
                    trues: count(Truth::True),
                    falses: count(Truth::False),
                    unknowns: count(Truth::Unknown),
                });
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::source::{Root, Source};
    use std::sync::Arc;

    const RULES: &str = r#"
[[rule]]
id = "TEST_ONE"
summary = "x"
category = "spam"
severity = "low"
when = """subject == 'a' and (links.any(l, l.target.is_ip) or 2 of (is_bulk, is_auto, @odd)) and not direction == 'outbound'
  and 2 of body.text.icontains('one', 'two')"""
[[rule.test]]
name = "no link"
mail = { subject = "a", text = "one two", headers = { Precedence = "bulk" } }
expect = "no-match"
[[define]]
name = "odd"
when = "subject == 'b' or message.size > 1"
"#;

    #[test]
    fn clauses_that_no_test_saw_true_are_told() {
        let root = Root {
            files: vec![Arc::new(Source::new("a.toml", RULES))],
            ..Root::default()
        };
        let set = RuleSet::from_roots(vec![root], "2026-01-05T09:00:00Z".parse().unwrap())
            .unwrap()
            .set;
        let told: Vec<(String, String, usize)> = coverage(&set)
            .unwrap()
            .into_iter()
            .map(|clause| (clause.owner, clause.text, clause.trues))
            .collect();
        let expected = [
            ("@odd", "subject == 'b'", 0),
            ("@odd", "message.size > 1", 1),
            ("TEST_ONE", "subject == 'a'", 1),
            ("TEST_ONE", "l.target.is_ip", 0),
            ("TEST_ONE", "is_bulk", 1),
            ("TEST_ONE", "is_auto", 0),
            ("TEST_ONE", "@odd", 1),
            ("TEST_ONE", "direction == 'outbound'", 0),
            ("TEST_ONE", "2 of body.text.icontains('one', 'two')", 1),
        ];
        assert_eq!(
            told,
            expected.map(|(owner, text, trues)| (owner.to_owned(), text.to_owned(), trues))
        );
    }
}
