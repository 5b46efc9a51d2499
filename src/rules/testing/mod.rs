//! Runs the tests that stand in rule files.
//!
//! A rule set goes in, and someone who can turn findings into an action; out comes a [`Report`] a
//! test. Tests are hermetic: a pack's run on that pack and those before it, with the test's own
//! lists in place of the pack's, without the house's rules, lists, overrides or exceptions. What has
//! passed isn't run again until something changes that it hangs on.

mod hermetic;
mod passed;

pub use passed::Passed;

use super::diagnostic::{self, Diagnostic};
use super::evaluate::{Outcome, Truth};
use super::set::RuleSet;
use super::source::Root;
use super::test_entry::{Expectation, Scene, TestEntry, VerdictTest, place};
use super::{Action, Findings, compose};
use crate::evidence::identity::{Identity, Protected};
use crate::evidence::{Evidence, Kept};
use crate::mail::message::Limits;
use crate::mail::{Mail, Message};
use hermetic::{Sets, Stated, reach, stated};
use jiff::Timestamp;
use passed::Proofs;
use std::collections::HashMap;

/// When a test's mail is judged unless it says so: Monday 5 January 2026, 09:00 UTC.
pub const NOW: &str = "2026-01-05T09:00:00Z";

/// Turns findings into what would be done under the default policy.
pub type Verdict<'v> = dyn Fn(&Findings, &Mail) -> Action + 'v;

/// How one test went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The rule; `None` for a verdict test.
    pub rule: Option<String>,
    /// The test's name.
    pub name: String,
    /// `file:line` of the test.
    pub place: String,
    /// Why it failed, a line each; empty when it passed.
    pub failures: Vec<String>,
}

impl Report {
    /// Whether the test passed.
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }
}

/// What came of running tests.
#[derive(Debug, Default)]
pub struct Run {
    /// Of each test that was run.
    pub reports: Vec<Report>,
    /// The tests that have passed, now or before.
    pub passed: Passed,
}

/// Runs every test of the set, in the order of packs, files and lines.
///
/// # Errors
/// When a pack doesn't load without the house's files: it leans on them.
pub fn run(set: &RuleSet, verdict: &Verdict<'_>) -> Result<Vec<Report>, Vec<Diagnostic>> {
    run_some(set, verdict, &|_| true)
}

/// Runs the tests that haven't passed before, or that hang on something that has changed since.
///
/// # Errors
/// As [`run`].
pub fn run_changed(set: &RuleSet, verdict: &Verdict<'_>, before: &Passed) -> Result<Run, Vec<Diagnostic>> {
    run_those(set, verdict, &|_| true, before)
}

/// Runs the tests of the rules whose id is asked for; verdict tests only when all are.
///
/// # Errors
/// As [`run`].
pub fn run_some(
    set: &RuleSet,
    verdict: &Verdict<'_>,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<Vec<Report>, Vec<Diagnostic>> {
    Ok(run_those(set, verdict, wanted, &Passed::default())?.reports)
}

fn run_those(
    set: &RuleSet,
    verdict: &Verdict<'_>,
    wanted: &dyn Fn(&str) -> bool,
    before: &Passed,
) -> Result<Run, Vec<Diagnostic>> {
    let mut bench = Bench {
        sets: Sets::of(set),
        proofs: HashMap::new(),
        verdict,
    };
    let mut run = Run::default();
    for ((rule, tests), root) in set.rules().iter().zip(&set.tests).zip(&set.roots_of_rules) {
        for test in tests.iter().filter(|_| wanted(&rule.id)) {
            let proof = bench.proofs(*root)?.of_test(&rule.id, test, set.roots.get(*root));
            run.note(before, proof, || bench.rule_test(*root, &rule.id, test))?;
        }
    }
    let all = set.rules().iter().all(|rule| wanted(&rule.id));
    for (root, test) in set.verdict_tests.iter().filter(|_| all) {
        let proof = bench.proofs(*root)?.of_verdict(test, set.roots.get(*root));
        run.note(before, proof, || bench.verdict_test(*root, test))?;
    }
    Ok(run)
}

impl Run {
    /// Runs a test, unless it has passed as it is.
    fn note(
        &mut self,
        before: &Passed,
        proof: passed::Proof,
        test: impl FnOnce() -> Result<Report, Vec<Diagnostic>>,
    ) -> Result<(), Vec<Diagnostic>> {
        if before.holds(&proof) {
            self.passed.add(proof);
            return Ok(());
        }
        let report = test()?;
        if report.passed() {
            self.passed.add(proof);
        }
        self.reports.push(report);
        Ok(())
    }
}

/// How many tests of each expectation a rule has: (match, no-match).
pub fn coverage(set: &RuleSet) -> Vec<(&str, usize, usize)> {
    let count = |tests: &[TestEntry], expect| tests.iter().filter(|test| test.expect == expect).count();
    set.rules()
        .iter()
        .zip(&set.tests)
        .map(|(rule, tests)| {
            let id = rule.id.as_str();
            (id, count(tests, Expectation::Match), count(tests, Expectation::NoMatch))
        })
        .collect()
}

/// A test with its rule's id and its root.
pub(super) type Own<'s> = (&'s str, &'s TestEntry, &'s Root);

/// Calls `visit` with the tests of all rules, those together that run on the same rules, and with these.
///
/// # Errors
/// As [`run`].
pub(super) fn visit<'s>(
    set: &'s RuleSet,
    visit: &mut dyn FnMut(&RuleSet, Vec<Own<'s>>),
) -> Result<(), Vec<Diagnostic>> {
    let mut groups: HashMap<(usize, Stated), Vec<Own<'s>>> = HashMap::new();
    for ((rule, tests), root) in set.rules().iter().zip(&set.tests).zip(&set.roots_of_rules) {
        for test in tests.iter() {
            let key = (reach(&set.roots, *root), stated(&test.scene));
            let of_root = set.roots.get(*root).map(|root| (rule.id.as_str(), test, root));
            groups.entry(key).or_default().extend(of_root);
        }
    }
    for ((upto, stated), tests) in groups {
        visit(&hermetic::whole(set, upto, &stated)?, tests);
    }
    Ok(())
}

/// The rules that tests of a root run on, with their own lists.
///
/// # Errors
/// As [`run`].
pub(super) fn alone(set: &RuleSet, root: usize) -> Result<RuleSet, Vec<Diagnostic>> {
    hermetic::whole(set, reach(&set.roots, root), &Stated::new())
}

/// What a rule of a set sees in a test.
pub(super) fn stage<T>(
    scene: &Scene,
    root: &Root,
    set: &RuleSet,
    look: impl FnOnce(&Evidence<'_, '_>, &[String]) -> T,
) -> Result<T, String> {
    let withheld: Vec<String> = scene.unknown.iter().map(|fact| fact.value.clone()).collect();
    let staged = Staged::of(scene, Some(root))?;
    Ok(staged.see(scene, set.protected(), |evidence| look(evidence, &withheld)))
}

struct Bench<'b> {
    sets: Sets<'b>,
    /// By how many roots they are of.
    proofs: HashMap<usize, Proofs>,
    verdict: &'b Verdict<'b>,
}

impl Bench<'_> {
    /// What tests of a root hang on.
    fn proofs(&mut self, root: usize) -> Result<&Proofs, Vec<Diagnostic>> {
        let upto = reach(self.sets.roots(), root);
        if !self.proofs.contains_key(&upto) {
            let proofs = Proofs::of(self.sets.whole(upto)?);
            self.proofs.insert(upto, proofs);
        }
        Ok(self.proofs.entry(upto).or_default())
    }

    fn rule_test(&mut self, root: usize, id: &str, test: &TestEntry) -> Result<Report, Vec<Diagnostic>> {
        let staged = Staged::of(&test.scene, self.sets.roots().get(root));
        let upto = reach(self.sets.roots(), root);
        let unknown = unknown_lists(self.sets.whole(upto)?, &test.scene);
        let set = self.sets.for_rule(upto, id, &test.scene)?;
        let failures = match staged {
            Err(why) => vec![why],
            Ok(staged) => {
                let withheld = withheld(&test.scene);
                let outcome = staged.see(&test.scene, set.protected(), |evidence| {
                    set.outcome_of(id, evidence, &withheld)
                });
                outcome.map_or_else(
                    || vec![format!("there is no rule {id}")],
                    |outcome| rule_failures(test, &outcome),
                )
            }
        };
        Ok(Report {
            rule: Some(id.to_owned()),
            name: test.name.clone(),
            place: place(&test.source, test.start),
            failures: unknown.into_iter().chain(failures).collect(),
        })
    }

    fn verdict_test(&mut self, root: usize, test: &VerdictTest) -> Result<Report, Vec<Diagnostic>> {
        let staged = Staged::of(&test.scene, self.sets.roots().get(root));
        let (verdict, upto) = (self.verdict, reach(self.sets.roots(), root));
        let set = self.sets.for_all(upto, &test.scene)?;
        let failures = match staged {
            Err(why) => vec![why],
            Ok(staged) => {
                let withheld = withheld(&test.scene);
                let findings = staged.see(&test.scene, set.protected(), |evidence| {
                    set.evaluate_without(evidence, &withheld)
                });
                let action = verdict(&findings, &staged.mail);
                let mut failures = unknown_rules(set, test);
                failures.extend(verdict_failures(test, &findings, action));
                failures
            }
        };
        Ok(Report {
            rule: None,
            name: test.name.clone(),
            place: place(&test.source, test.start),
            failures: unknown_lists(set, &test.scene).into_iter().chain(failures).collect(),
        })
    }
}

/// A scene made real.
struct Staged {
    mail: Mail,
    now: Timestamp,
}

impl Staged {
    fn of(scene: &Scene, root: Option<&Root>) -> Result<Self, String> {
        let now = match scene.now {
            Some(now) => now,
            None => NOW.parse().map_err(|error: jiff::Error| error.to_string())?,
        };
        let mail = compose::mail(scene, root, now)?;
        Ok(Self { mail, now })
    }

    fn see<T>(&self, scene: &Scene, protected: &Protected, look: impl FnOnce(&Evidence<'_, '_>) -> T) -> T {
        let message = Message::parse(&self.mail.bytes, &Limits::default());
        look(&Evidence {
            now: self.now,
            mail: &self.mail,
            message: &message,
            outside: compose::outside(scene),
            kept: Kept::ALL,
            identity: Identity::against(protected),
        })
    }
}

/// Facts that a scene says could not be found out.
fn withheld(scene: &Scene) -> Vec<String> {
    scene.unknown.iter().map(|fact| fact.value.clone()).collect()
}

/// A rule that isn't there doesn't match, which would make a misspelt `must_not` hold for ever.
fn unknown_rules(set: &RuleSet, test: &VerdictTest) -> Vec<String> {
    let named = test.must.iter().chain(&test.must_not);
    let missing = named.filter(|id| set.rule(&id.value).is_none());
    missing
        .map(|id| {
            let near = diagnostic::nearest(&id.value, set.rules().iter().map(|rule| rule.id.as_str()));
            let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            format!("it names a rule `{}` that isn't there{near}", id.value)
        })
        .collect()
}

fn unknown_lists(set: &RuleSet, scene: &Scene) -> Vec<String> {
    let missing = scene
        .lists
        .iter()
        .filter(|(name, _)| !set.lists().iter().any(|list| list.name == name.value));
    missing
        .map(|(name, _)| {
            let near = diagnostic::nearest(&name.value, set.lists().iter().map(|list| list.name.as_str()));
            let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            format!("it states a list `{}` that the pack doesn't have{near}", name.value)
        })
        .collect()
}

fn rule_failures(test: &TestEntry, outcome: &Outcome) -> Vec<String> {
    let came = match outcome.truth {
        Truth::True => Expectation::Match,
        // What the message lacks was looked for and not found; only what could not be found out is unknown.
        Truth::Unknown if !outcome.unknown.is_empty() => Expectation::Unknown,
        Truth::Unknown | Truth::False => Expectation::NoMatch,
    };
    let mut failures = Vec::new();
    if came != test.expect {
        failures.push(format!("expected {}, got {}", test.expect.as_str(), came.as_str()));
        for snippet in &outcome.snippets {
            failures.push(format!("because {} holds {:?}", snippet.field, snippet.text));
        }
        for why in &outcome.unknown {
            failures.push(format!("because {} is unknown ({})", why.check, why.cause));
        }
        return failures;
    }
    for wanted in &test.evidence {
        if !outcome
            .snippets
            .iter()
            .any(|snippet| snippet.text.contains(wanted.as_str()))
        {
            let found: Vec<&str> = outcome.snippets.iter().map(|snippet| snippet.text.as_str()).collect();
            failures.push(format!("no evidence holds {wanted:?}; there is {found:?}"));
        }
    }
    failures
}

fn verdict_failures(test: &VerdictTest, findings: &Findings, action: Action) -> Vec<String> {
    let matched: Vec<&str> = findings
        .matched
        .iter()
        .map(|finding| finding.rule.id.as_str())
        .collect();
    let mut failures = Vec::new();
    if let Some(expected) = test.action.filter(|expected| *expected != action) {
        failures.push(format!(
            "expected {}, got {}; matched: {}",
            expected.as_str(),
            action.as_str(),
            if matched.is_empty() {
                "nothing".to_owned()
            } else {
                matched.join(", ")
            }
        ));
    }
    for rule in &test.must {
        if !matched.contains(&rule.value.as_str()) {
            failures.push(format!("{} should have matched and didn't", rule.value));
        }
    }
    for rule in &test.must_not {
        if matched.contains(&rule.value.as_str()) {
            failures.push(format!("{} matched and shouldn't have", rule.value));
        }
    }
    failures
}
