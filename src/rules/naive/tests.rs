//! The engine against the plain reading of the same rules, on made-up sets and messages.
//!
//! `PORTREEVE_CASES` says how many sets; a failing one is shrunk and shown whole.

use super::generate::{Choices, rule_set};
use super::mails::Scene;
use super::vocabulary::LIST_FILE;
use super::{Book, Told, real};
use crate::evidence::Evidence;
use crate::rules::assemble::{Options, assemble};
use crate::rules::diagnostic::Level;
use crate::rules::evaluate::{Outcome, SNIPPETS_MAX, Truth};
use crate::rules::held::{Held, Standing};
use crate::rules::set::RuleSet;
use crate::rules::source::{Root, Source};
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestError, TestRunner};
use std::sync::Arc;

/// Sets of an ordinary run; each meets several messages.
const CASES: u32 = 192;
const MESSAGES: usize = 4;
/// Reasons that an outcome names.
const WHYS_MAX: usize = 16;

fn cases() -> u32 {
    let asked = std::env::var("PORTREEVE_CASES").ok();
    asked.map_or(CASES, |asked| asked.parse().unwrap())
}

/// Files that are numbered, so that what one of them says is known by its number.
fn root(files: &[String]) -> Root {
    let sources = files.iter().enumerate();
    let sources = sources.map(|(at, text)| Arc::new(Source::new(at.to_string(), text.as_str())));
    Root {
        files: sources.collect(),
        ..Root::default()
    }
}

/// A set of these files, those left out that the compiler refuses and those that refer to them. Some of it is
/// taken over from another, as at a reload.
fn loaded(mut files: Vec<String>) -> RuleSet {
    let now: Timestamp = "2027-01-04T12:00:00Z".parse().unwrap();
    loop {
        let some = files.get(..files.len() / 2).unwrap_or_default();
        let before = RuleSet::from_roots(vec![root(some)], now).map(|before| before.set.stock);
        let options = Options::all(now, before.unwrap_or_default());
        let problems = match assemble(vec![root(&files)], &options) {
            Ok(loaded) => return loaded.set,
            Err(problems) => problems,
        };
        let errors = problems.iter().filter(|problem| problem.level == Level::Error);
        let mut refused: Vec<usize> = errors.map(|problem| problem.source.name.parse().unwrap()).collect();
        refused.sort_unstable();
        refused.dedup();
        assert!(!refused.is_empty() && refused[0] != 0, "{problems:#?}");
        refused.into_iter().rev().for_each(|at| drop(files.remove(at)));
    }
}

/// How the engine and the plain reading differ on a rule.
fn difference(engine: &Outcome, plain: &Told, evidence: &Evidence<'_, '_>) -> Option<String> {
    let told = format!("the engine says {engine:?}, read plainly it is {plain:?}");
    if engine.truth != plain.truth {
        return Some(told);
    }
    let is_short = plain.whys.len() < WHYS_MAX;
    let known = engine.unknown.iter().all(|why| plain.whys.contains(why));
    if !known || (is_short && engine.unknown.len() != plain.whys.len()) {
        return Some(told);
    }
    if engine.truth != Truth::True && !engine.snippets.is_empty() || engine.snippets.len() > SNIPPETS_MAX {
        return Some(told);
    }
    let mut complaints = engine.snippets.iter();
    complaints.find_map(|snippet| real::complaint(snippet, evidence))
}

/// The first difference of a set on a message, told with the rule and the message.
pub(super) fn differing(
    set: &RuleSet,
    book: &Book,
    evidence: &Evidence<'_, '_>,
    withheld: &[String],
) -> Option<String> {
    let held = Held::of(set, book.held.iter().map(|id| (id.as_str(), Standing::Shadow)));
    let engine = set.rule_outcomes(evidence, withheld, &held);
    let plain = book.judge(evidence, withheld);
    plain.into_iter().find_map(|(id, told)| {
        let (_, outcome) = engine.iter().find(|(engine_id, _)| engine_id == id).unwrap();
        let said = difference(outcome, &told, evidence)?;
        let condition = &set.details(id).unwrap().condition;
        Some(format!("{id}: {condition}\n{said}"))
    })
}

fn row(most: usize) -> impl Strategy<Value = Vec<u16>> {
    prop::collection::vec(any::<u16>(), 0..most)
}

#[test]
fn the_engine_says_what_the_rules_say() {
    let mut runner = TestRunner::new(Config {
        cases: cases(),
        max_shrink_iters: 20_000,
        failure_persistence: None,
        ..Config::default()
    });
    let made_up = (row(400), prop::collection::vec(row(80), MESSAGES));
    let outcome = runner.run(&made_up, |(rules, mails)| {
        let set = loaded(rule_set(&mut Choices::new(&rules)));
        let mut book = Book::of(&set);
        // Some rules don't act for now, told by what the messages begin with.
        let marks = mails.iter().filter_map(|mail| mail.first());
        let marked = marks.filter_map(|mark| set.rules().get(usize::from(*mark) % 16));
        book.held = marked.map(|rule| rule.id.clone()).collect();
        let mut scenes = mails.iter().map(|mail| Scene::new(&mut Choices::new(mail)));
        scenes.try_for_each(|scene| agree(&set, &book, &scene))
    });
    match outcome {
        Err(TestError::Fail(reason, _)) => panic!("{reason}"),
        other => other.unwrap(),
    }
}

fn agree(set: &RuleSet, book: &Book, scene: &Scene) -> Result<(), TestCaseError> {
    let Some(found) = scene.see(|evidence| differing(set, book, evidence, &scene.withheld)) else {
        return Ok(());
    };
    let files = set.roots.iter().flat_map(|root| root.files.iter().skip(1));
    let files: String = files.map(|file| format!("{}\n", file.text)).collect();
    let (message, outside, withheld) = (&scene.message, &scene.outside, &scene.withheld);
    Err(TestCaseError::fail(format!(
        "{found}\n\n{files}\n{message}\n{outside:?} {withheld:?}"
    )))
}

/// Such a rule once slept through every message, for no needle was there to wake it.
#[test]
fn a_rule_without_a_needle_is_unknown_where_its_text_is() {
    for condition in [
        "subject.icontains('')",
        "body.text.contains($nothing)",
        "subject.icontains('') or body.text.icontains('pay')",
        "2 of (subject.contains($nothing), body.text.icontains('pay'), body.new.icontains('nowhere'))",
    ] {
        let rule = format!(
            "[[rule]]\nid = \"LURE\"\nwhen = '''{condition}'''\n\
             summary = \"x\"\ncategory = \"spam\"\nseverity = \"low\"\nscore = 1\n"
        );
        let set = loaded(vec![LIST_FILE.to_owned(), rule]);
        let mut scene = Scene::new(&mut Choices::new(&[]));
        scene.withheld = vec!["subject".to_owned(), "body.text".to_owned()];
        agree(&set, &Book::of(&set), &scene).unwrap();
        let outcomes = scene.see(|evidence| set.rule_outcomes(evidence, &scene.withheld, &Held::default()));
        assert_eq!(outcomes[0].1.truth, Truth::Unknown, "{condition}");
    }
}

/// Were everything refused or false, agreement would say little.
#[test]
fn made_up_rules_load_and_come_out_every_way() {
    let mut runner = TestRunner::deterministic();
    let mut draw = |most: usize| {
        let tree = row(most).new_tree(&mut runner).unwrap();
        tree.current()
    };
    let (mut written, mut kept, mut truths) = (0, 0, [0_usize; 3]);
    for _ in 0..60 {
        let files = rule_set(&mut Choices::new(&draw(400)));
        written += files.iter().filter(|file| file.starts_with("[[rule]]")).count();
        let set = loaded(files);
        kept += set.rules().len();
        let row = draw(80);
        let scene = Scene::new(&mut Choices::new(&row));
        let outcomes = scene.see(|evidence| set.rule_outcomes(evidence, &scene.withheld, &Held::default()));
        for (_, outcome) in outcomes {
            let place = [Truth::True, Truth::False, Truth::Unknown];
            truths[place.iter().position(|truth| *truth == outcome.truth).unwrap()] += 1;
        }
    }
    assert!(kept * 10 > written * 6, "{kept} of {written} rules load");
    assert!(truths.iter().all(|count| count * 12 > kept), "{truths:?} of {kept}");
}
