//! Which tests have passed, so that a reload runs those alone that something has changed for.
//!
//! Enters: a set of rules that tests run on, and tests. Leaves: of each test a digest of all that its outcome
//! hangs on: its mail and the facts around it, its rule, what that refers to, and their lists. Knows nothing
//! of how tests are run.

use crate::rules::compile::RuleRef;
use crate::rules::lists::List;
use crate::rules::set::RuleSet;
use crate::rules::source::Root;
use crate::rules::test_entry::{Scene, TestEntry, VerdictTest};
use ring::digest::{Context, SHA256};
use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Of a test, all that its outcome hangs on.
pub(super) type Proof = [u8; 32];

/// Tests that have passed.
#[derive(Debug, Clone, Default)]
pub struct Passed(HashSet<Proof>);

impl Passed {
    pub(super) fn holds(&self, proof: &Proof) -> bool {
        self.0.contains(proof)
    }

    pub(super) fn add(&mut self, proof: Proof) {
        self.0.insert(proof);
    }
}

/// What the tests of a set hang on.
#[derive(Debug, Default)]
pub(super) struct Proofs {
    rules: HashMap<String, Proof>,
    all: Proof,
}

impl Proofs {
    /// Of the rules as tests see them.
    pub(super) fn of(set: &RuleSet) -> Self {
        let conditions = conditions(set);
        let place = |id: &str| set.place_of(id).and_then(|at| conditions.get(at.0)).copied();
        let rules = set
            .rules()
            .iter()
            .filter_map(|rule| Some((rule.id.clone(), place(&rule.id)?)));
        let mut all = Sum::new();
        set.texts().for_each(|rule| (rule.id, rule.digest).hash(&mut all));
        conditions.hash(&mut all);
        Self {
            rules: rules.collect(),
            all: all.proof(),
        }
    }

    pub(super) fn of_test(&self, id: &str, test: &TestEntry, root: Option<&Root>) -> Proof {
        let mut sum = Sum::new();
        self.rules.get(id).hash(&mut sum);
        (test.expect, &test.evidence).hash(&mut sum);
        sum.scene(&test.scene, root);
        sum.proof()
    }

    pub(super) fn of_verdict(&self, test: &VerdictTest, root: Option<&Root>) -> Proof {
        let mut sum = Sum::new();
        self.all.hash(&mut sum);
        (test.action, &test.must, &test.must_not).hash(&mut sum);
        sum.scene(&test.scene, root);
        sum.proof()
    }
}

/// Of each condition what it comes to hangs on, by its place.
fn conditions(set: &RuleSet) -> Vec<Proof> {
    let written: Vec<&str> = set.written().collect();
    let mut lists: HashMap<*const List, Proof> = HashMap::new();
    let mut proofs = vec![[0; 32]; written.len()];
    // In this order each comes after those that it refers to.
    for at in set.order() {
        let Some(condition) = set.condition(RuleRef(*at)) else {
            continue;
        };
        let mut sum = Sum::new();
        written.get(*at).hash(&mut sum);
        set.acting(RuleRef(*at)).hash(&mut sum);
        for reference in condition.references() {
            proofs.get(reference.0).hash(&mut sum);
        }
        for list in condition.lists() {
            let proof = lists.entry(Arc::as_ptr(list)).or_insert_with(|| of_list(list));
            proof.hash(&mut sum);
        }
        if let Some(proof) = proofs.get_mut(*at) {
            *proof = sum.proof();
        }
    }
    proofs
}

fn of_list(list: &List) -> Proof {
    let mut sum = Sum::new();
    (list.kind().as_str(), list.entries()).hash(&mut sum);
    format!("{:?} {:?}", list.columns(), list.rows()).hash(&mut sum);
    sum.proof()
}

/// A digest of whatever can be hashed.
struct Sum(Context);

impl Sum {
    fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    /// A mail that lies in a file is part of its test.
    fn scene(&mut self, scene: &Scene, root: Option<&Root>) {
        scene.hash(self);
        let file = scene.mail.file.as_ref();
        let text = file.and_then(|file| root?.lists.get(&file.value));
        text.map(|source| &source.text).hash(self);
    }

    fn proof(self) -> Proof {
        let mut proof = [0; 32];
        let digest = self.0.finish();
        proof.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
        proof
    }
}

impl Hasher for Sum {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Nobody asks: the digest is longer than this.
    fn finish(&self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::source::Source;
    use crate::rules::testing::run_changed;
    use crate::rules::{Action, Findings};
    use jiff::Timestamp;

    const RULES: &str = "
[[define]]
name = 'asks'
when = 'subject.icontains(\"pay\")'
[[rule]]
id = 'LURE_ONE'
summary = 'x'
category = 'spam'
severity = 'low'
score = 1.0
when = '@asks'
[[rule.test]]
name = 'one'
mail = { subject = 'Pay' }
expect = 'match'
[[rule]]
id = 'LURE_TWO'
summary = 'x'
category = 'spam'
severity = 'low'
when = 'from.domain in $bad'
[[rule.test]]
name = 'two'
mail = { from = 'a@bad.example' }
expect = 'match'
[[rule.test]]
name = 'stated'
mail = { from = 'a@other.example' }
lists = { bad = ['other.example'] }
expect = 'match'
[[rule]]
id = 'BOTH'
summary = 'x'
category = 'spam'
severity = 'low'
when = 'all of @LURE_*'
[[rule.test]]
name = 'both'
mail = { subject = 'pay', from = 'a@third.example' }
lists = { bad = ['third.example'] }
expect = 'match'
[[rule.test]]
name = 'file'
mail = { file = 'mail.eml' }
expect = 'no-match'
[lists.bad]
kind = 'domain'
values = ['bad.example']
[[verdict_test]]
name = 'whole'
mail = { subject = 'pay' }
must = 'LURE_ONE'
";

    fn root(rules: &str, mail: &str) -> Root {
        let mut root = Root {
            files: vec![Arc::new(Source::new("rules.toml", rules))],
            ..Root::default()
        };
        let mail = Arc::new(Source::new("mail.eml", mail));
        root.lists.insert("mail.eml".to_owned(), mail);
        root
    }

    /// The names of the tests that are run, and which of them fail.
    fn run(rules: &str, mail: &str, before: &Passed) -> (Vec<String>, Vec<String>, Passed) {
        let set = RuleSet::from_roots(vec![root(rules, mail)], Timestamp::UNIX_EPOCH)
            .unwrap()
            .set;
        let verdict = |_: &Findings, _: &crate::mail::Mail| Action::Deliver;
        let run = run_changed(&set, &verdict, before).unwrap();
        let names = |reports: &mut dyn Iterator<Item = &super::super::Report>| -> Vec<String> {
            reports.map(|report| report.name.clone()).collect()
        };
        let failed = names(&mut run.reports.iter().filter(|report| !report.passed()));
        (names(&mut run.reports.iter()), failed, run.passed)
    }

    const MAIL: &str = "Subject: hello\n\nhello\n";

    #[test]
    fn only_what_hangs_on_a_change_is_tested_again() {
        let (all, failed, passed) = run(RULES, MAIL, &Passed::default());
        assert_eq!(all, ["one", "two", "stated", "both", "file", "whole"]);
        assert!(failed.is_empty(), "{failed:?}");
        let moved = format!("# A line.\n{RULES}");
        let edits: [(&str, &str, &[&str]); 9] = [
            ("", "", &[]),
            ("summary = 'x'", "summary = 'y'", &[]),
            (
                "icontains(\"pay\")",
                "icontains(\"pay\", \"due\")",
                &["one", "both", "file", "whole"],
            ),
            (
                "from.domain in $bad",
                "from.domain.site in $bad",
                &["two", "stated", "both", "file", "whole"],
            ),
            (
                "values = ['bad.example']",
                "values = ['bad.example', 'b.example']",
                &["two", "stated", "both", "file", "whole"],
            ),
            ("score = 1.0", "score = 2.0", &["whole"]),
            ("subject = 'Pay'", "subject = 'PAY'", &["one"]),
            ("['third.example']", "['third.example', 'x.example']", &["both"]),
            (
                "must = 'LURE_ONE'",
                "must = ['LURE_ONE']\nmust_not = ['BOTH']",
                &["whole"],
            ),
        ];
        for (old, new, expected) in edits {
            let (ran, failed, _) = run(&RULES.replace(old, new), MAIL, &passed);
            assert_eq!(
                (ran, failed),
                (expected.iter().map(|name| (*name).to_owned()).collect(), Vec::new()),
                "{new}"
            );
        }
        assert_eq!(run(&moved, MAIL, &passed).0, Vec::<String>::new());
        assert_eq!(run(RULES, "Subject: other\n\nhello\n", &passed).0, ["file"]);
    }

    #[test]
    fn what_fails_is_run_until_it_passes() {
        let wrong = RULES.replace("subject = 'Pay'", "subject = 'hello'");
        let (_, failed, passed) = run(&wrong, MAIL, &Passed::default());
        assert_eq!(failed, ["one"]);
        assert_eq!(run(&wrong, MAIL, &passed).1, ["one"]);
        let (ran, failed, passed) = run(RULES, MAIL, &passed);
        assert_eq!((ran, failed), (vec!["one".to_owned()], Vec::new()));
        assert_eq!(run(RULES, MAIL, &passed).0, Vec::<String>::new());
    }

    #[test]
    fn what_passed_for_a_rule_that_acts_is_run_for_one_in_shadow() {
        let (_, _, passed) = run(RULES, MAIL, &Passed::default());
        let shadowed = RULES.replace("id = 'LURE_TWO'", "status = 'shadow'\nid = 'LURE_TWO'");
        let (ran, failed, _) = run(&shadowed, MAIL, &passed);
        assert_eq!(ran, ["two", "stated", "both", "file", "whole"]);
        assert_eq!(failed, ["both"], "to a rule that acts, one in shadow is unknown");
    }
}
