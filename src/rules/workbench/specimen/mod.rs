//! A rule test from a real mail: as little of it as the rule needs, and nobody's names.
//!
//! A set, a rule and evidence go in; out comes the text of a `[[rule.test]]`, what in it a person should look
//! at, and the rule's file with it. Every step is kept only if the rule still says the same, clause by
//! clause. Knows nothing of files on a disk.

mod anonymise;
mod reduce;
mod sketch;
mod written;

use super::Workbench;
use super::explain::{Branch, Extent};
use crate::evidence::Evidence;
use crate::rules::diagnostic::Diagnostic;
use crate::rules::evaluate::Truth;
use crate::rules::set::RuleSet;
use crate::rules::source::{Root, Source};
use crate::rules::test_entry::{Expectation, Scene};
use crate::rules::testing;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// How often the rule is asked while a test is made.
const TRIALS_MAX: usize = 3_000;
/// Bytes of a test's own text.
pub const TEST_BYTES_MAX: usize = 64 << 10;

/// A test made from a mail.
#[derive(Debug)]
pub struct Specimen {
    /// The `[[rule.test]]` as it stands in the file.
    pub test: String,
    /// What the rule says in it.
    pub expect: Expectation,
    /// What a person should look at before anybody else sees it, a line each.
    pub kept: Vec<String>,
    /// The rule's file as it was read.
    pub before: Arc<Source>,
    /// The same with the test.
    pub after: String,
}

/// Why no test could be made.
#[derive(Debug)]
pub enum Refusal {
    /// There is no such rule.
    NoRule,
    /// The rule is inside the binary: there is no file to add to.
    NoFile,
    /// The pack doesn't load without the house's files.
    Rules(Vec<Diagnostic>),
    /// In words.
    Cannot(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRule => formatter.write_str("there is no such rule"),
            Self::NoFile => {
                formatter.write_str("the rule is inside the program: name the files that are to be changed")
            }
            Self::Rules(problems) => problems.iter().try_for_each(|problem| writeln!(formatter, "{problem}")),
            Self::Cannot(why) => formatter.write_str(why),
        }
    }
}

/// Makes a test of a rule from the mail in evidence.
///
/// # Errors
/// When there is no such rule, its pack doesn't load alone, or no test of the mail is small enough.
pub fn specimen(set: &RuleSet, id: &str, evidence: &Evidence<'_, '_>, name: &str) -> Result<Specimen, Refusal> {
    let place = set
        .rules()
        .iter()
        .position(|rule| rule.id == id)
        .ok_or(Refusal::NoRule)?;
    let root = set.roots_of_rules.get(place).copied().unwrap_or_default();
    let home = set.roots.get(root).ok_or(Refusal::NoFile)?;
    if home.folder.is_none() {
        return Err(Refusal::NoFile);
    }
    let hermetic = testing::alone(set, root).map_err(Refusal::Rules)?;
    let mut judge = Judge::new(&hermetic, id, home);
    let (mut scene, is_whole) = judge.first(evidence).ok_or_else(|| {
        Refusal::Cannot(
            "the mail can't be told in a rule test: the rule says something else of what is left".to_owned(),
        )
    })?;
    reduce::reduce(&mut judge, &mut scene);
    if texts(&mut scene).is_empty() && scene.mail.attachments.is_empty() && scene.mail.date.is_none() {
        let message = "nothing of this mail matters to the rule: a test of it would show nothing";
        return Err(Refusal::Cannot(message.to_owned()));
    }
    let mut kept = anonymise::anonymise(&mut judge, &mut scene);
    if is_whole {
        kept.insert(
            0,
            "the mail as a whole: in fewer words the rule says something else of it".to_owned(),
        );
    }
    let expect = match judge.truth {
        Truth::True => Expectation::Match,
        Truth::False => Expectation::NoMatch,
        Truth::Unknown => Expectation::Unknown,
    };
    let test = written::test(&scene, expect, name);
    if test.len() > TEST_BYTES_MAX {
        let message = format!(
            "the smallest test that was found has {} bytes, too many for a rule file",
            test.len()
        );
        return Err(Refusal::Cannot(message));
    }
    let before = home.files.iter().find(|file| {
        let info = set.rules().get(place);
        info.is_some_and(|info| info.file == file.name)
    });
    let before = Arc::clone(before.ok_or(Refusal::NoFile)?);
    let after = written::insert(&before.text, id, &test)
        .ok_or_else(|| Refusal::Cannot("the rule's place in its file wasn't found".to_owned()))?;
    passes(set, id, &before, &after)?;
    Ok(Specimen {
        test,
        expect,
        kept,
        before,
        after,
    })
}

/// Runs the rule's tests with the new file in the old one's place.
fn passes(set: &RuleSet, id: &str, before: &Arc<Source>, after: &str) -> Result<(), Refusal> {
    let changed = Arc::new(Source {
        text: after.to_owned(),
        ..Source::clone(before)
    });
    let mut roots = set.roots.clone();
    let files = roots.iter_mut().flat_map(|root| &mut root.files);
    files
        .filter(|file| Arc::ptr_eq(file, before))
        .for_each(|file| *file = Arc::clone(&changed));
    let loaded = RuleSet::from_roots(roots, jiff::Timestamp::MIN).map_err(Refusal::Rules)?;
    let unjudged = |_: &crate::rules::Findings, _: &crate::mail::Mail| crate::rules::Action::Deliver;
    let reports = testing::run_some(&loaded.set, &unjudged, &|rule| rule == id).map_err(Refusal::Rules)?;
    let own = reports.iter().rfind(|report| report.rule.as_deref() == Some(id));
    match own {
        Some(report) if report.passed() => Ok(()),
        Some(report) => Err(Refusal::Cannot(format!(
            "the new test fails: {}",
            report.failures.join("; ")
        ))),
        None => Err(Refusal::Cannot(
            "the new test isn't found where it was written".to_owned(),
        )),
    }
}

/// A clause: whose it is, and its place in the condition.
type Clause = (String, usize, usize);

/// Says whether a changed mail still shows the same.
struct Judge<'s> {
    bench: Workbench<'s>,
    id: &'s str,
    root: &'s Root,
    /// What the rule must say.
    truth: Truth,
    /// The clauses that must be true.
    wanted: BTreeSet<Clause>,
    left: usize,
}

impl<'s> Judge<'s> {
    fn new(set: &'s RuleSet, id: &'s str, root: &'s Root) -> Self {
        Self {
            bench: Workbench::new(set),
            id,
            root,
            truth: Truth::Unknown,
            wanted: BTreeSet::new(),
            left: TRIALS_MAX,
        }
    }

    /// The mail told in few words, or as a whole where these don't do.
    fn first(&mut self, evidence: &Evidence<'_, '_>) -> Option<(Scene, bool)> {
        let whole = sketch::whole(evidence);
        (self.truth, self.wanted) = self.look(&whole)?;
        let told = sketch::sketches(evidence).into_iter().find(|scene| self.holds(scene));
        match told {
            Some(scene) => Some((scene, false)),
            None => Some((whole, true)),
        }
    }

    fn look(&self, scene: &Scene) -> Option<(Truth, BTreeSet<Clause>)> {
        let explained = testing::stage(scene, self.root, self.bench.set, |evidence, withheld| {
            self.bench.explain_without(self.id, evidence, withheld, Extent::ALL)
        });
        let explanation = explained.ok()??;
        let own = (self.id, &explanation.condition);
        let others = explanation.references.iter();
        let others = others.map(|reference| (reference.name.as_str(), &reference.condition));
        let mut trues = BTreeSet::new();
        for (owner, condition) in std::iter::once(own).chain(others) {
            let mut leaves: Vec<&Branch> = Vec::new();
            condition.leaves(&mut leaves);
            let leaves = leaves.into_iter().filter(|leaf| leaf.truth == Truth::True);
            trues.extend(leaves.map(|leaf| (owner.to_owned(), leaf.span.start, leaf.span.end)));
        }
        let truth = match explanation.condition.truth {
            // As in tests: what the mail merely lacks was looked for and not found.
            Truth::Unknown if explanation.condition.unknown.is_empty() => Truth::False,
            truth => truth,
        };
        Some((truth, trues))
    }

    fn holds(&mut self, scene: &Scene) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        let seen = self.look(scene);
        seen.is_some_and(|(truth, trues)| truth == self.truth && self.wanted.is_subset(&trues))
    }

    /// Changes a scene if it still shows the same then, and says whether it did.
    fn change(&mut self, scene: &mut Scene, change: impl FnOnce(&mut Scene)) -> bool {
        let mut changed = scene.clone();
        change(&mut changed);
        let holds = self.holds(&changed);
        if holds {
            *scene = changed;
        }
        holds
    }
}

/// Every text of a scene's mail that a person wrote or is named in.
fn texts(scene: &mut Scene) -> Vec<&mut String> {
    let mail = &mut scene.mail;
    let one = [
        &mut mail.from,
        &mut mail.subject,
        &mut mail.text,
        &mut mail.html,
        &mut mail.raw,
    ];
    let one = one.into_iter().flatten();
    let many = mail.to.iter_mut().chain(&mut mail.cc).chain(&mut mail.reply_to);
    let headers = mail.headers.iter_mut().map(|(_, value)| value);
    let names = mail.attachments.iter_mut().map(|attachment| &mut attachment.name);
    one.chain(many).chain(headers).chain(names).collect()
}
