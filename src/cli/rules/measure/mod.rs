//! `portreeve rules measure`: how much unwanted mail the rules catch, and how much wanted mail they touch, set by set.
//!
//! Judges by the code that judges live mail. Knows how to ask and to list; `measure` counts.

mod folders;
mod report;

use super::archived::{self, HowRead};
use super::{RulesOption, load};
use crate::cli::exit::Exit;
use crate::cli::mails::Source;
use crate::cli::{Shared, terminal};
use crate::measure::{Bench, Census, Judged, Label, Sets, TextDigest, VERDICT_FIELDS, text_digest};
use crate::pipeline::finding_event;
use crate::rules::{Action, RuleSet, Status};
use folders::{Folder, labelled};
use serde_json::json;
use std::collections::HashSet;
use std::path::PathBuf;

/// Arguments of `rules measure`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = taken_out())]
pub struct Arguments {
    /// Folders of messages that are unwanted. Each is a set, and so is each folder below that holds
    /// messages.
    #[arg(long, value_name = "FOLDER", num_args = 1..)]
    spam: Vec<PathBuf>,
    /// Folders of messages that are wanted.
    #[arg(long, value_name = "FOLDER", num_args = 1..)]
    ham: Vec<PathBuf>,
    /// Name the spam that gets less than ACTION (by itself: less than quarantine), with the rules that
    /// matched.
    #[arg(long, value_name = "ACTION", num_args = 0..=1, default_missing_value = "quarantine")]
    missed: Option<Least>,
    /// Name the ham that gets ACTION or more (by itself: tag), with the rules that matched.
    #[arg(long, value_name = "ACTION", num_args = 0..=1, default_missing_value = "tag")]
    touched: Option<Least>,
    /// Tell of each rule too: what it matches and how well, and the mails on which it alone changes the
    /// action.
    #[arg(long)]
    by_rule: bool,
    /// Judge with what other filters wrote into the header; it is taken out otherwise.
    #[arg(long)]
    keep_verdicts: bool,
    #[command(flatten)]
    reading: HowRead,
    #[command(flatten)]
    rules: RulesOption,
}

/// The least that counts as caught, or as touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Least {
    /// Marked.
    Tag,
    /// Kept.
    Quarantine,
    /// Refused.
    Reject,
}

/// What one message showed.
struct Seen {
    text: TextDigest,
    judged: Judged,
}

/// What of all this is said once.
struct Results<'r> {
    folders: &'r [Folder],
    set: &'r RuleSet,
    sets: Sets,
    census: Census,
}

/// Does it.
pub fn run(arguments: &Arguments, shared: &Shared) -> Exit {
    let measured = labelled(&arguments.spam, &arguments.ham).and_then(|folders| {
        let set = load(&arguments.rules.paths, shared)?.set;
        let bench = arguments.reading.bench(!arguments.keep_verdicts, shared)?;
        Ok(measure(arguments, &folders, &set, &bench, shared))
    });
    measured.unwrap_or_else(|exit| exit)
}

fn measure(arguments: &Arguments, folders: &[Folder], set: &RuleSet, bench: &Bench, shared: &Shared) -> Exit {
    let mut results = Results {
        folders,
        set,
        sets: Sets::new(folders.iter().map(|folder| folder.label)),
        census: Census::new(set.rules().iter().map(|rule| rule.id.as_str())),
    };
    let look = |source: Source| {
        bench.see(source.bytes, |evidence| Seen {
            text: text_digest(evidence.message),
            judged: bench.judge(set, evidence),
        })
    };
    let paths: Vec<(usize, PathBuf)> = folders.iter().map(|folder| folder.path.clone()).enumerate().collect();
    let lists = arguments.missed.is_some() || arguments.touched.is_some();
    let mut listed = HashSet::new();
    let exit = archived::each(&paths, shared, lists, look, |place, path, seen| {
        let Some(folder) = folders.get(place) else { return };
        let Seen { text, judged } = seen;
        results.sets.add(place, &folder.below(path), text, &judged);
        results.census.add(folder.label, text, &judged);
        // Of a campaign one mail is enough to work on.
        if let Some(word) = wrong(arguments, folder.label, judged.action)
            && listed.insert((folder.label, text))
        {
            list(word, (folder, path), &judged, shared);
        }
    });
    let is_empty = |place: &usize| {
        results
            .sets
            .folders()
            .get(*place)
            .is_none_or(|set| set.outcomes.all().messages == 0)
    };
    let empty: Vec<usize> = (0..folders.len()).filter(is_empty).collect();
    if empty.len() == folders.len() {
        return exit;
    }
    report::print(&results, &bench.policy.thresholds(), arguments.by_rule, shared);
    empty
        .iter()
        .filter_map(|place| folders.get(*place))
        .fold(exit, |exit, folder| {
            terminal::complain(&format!("{}: there is no message in it", folder.path.display()));
            exit.worse(Exit::NoInput)
        })
}

/// What is wrong with an action against mail of this label, where it was asked for.
fn wrong(arguments: &Arguments, label: Label, action: Action) -> Option<&'static str> {
    match label {
        Label::Spam => arguments
            .missed
            .filter(|least| action < least.action())
            .map(|_| "missed"),
        Label::Ham => arguments
            .touched
            .filter(|least| action >= least.action())
            .map(|_| "touched"),
        Label::None => None,
    }
}

impl Least {
    const fn action(self) -> Action {
        match self {
            Self::Tag => Action::Tag,
            Self::Quarantine => Action::Quarantine,
            Self::Reject => Action::Reject,
        }
    }
}

fn list(word: &str, (folder, path): (&Folder, &str), judged: &Judged, shared: &Shared) {
    if shared.json {
        let events: Vec<_> = judged.findings.iter().map(finding_event).collect();
        terminal::print_json(&json!({
            "wrong": word,
            "path": path,
            "set": folder.set_of(path),
            "label": folder.label.as_str(),
            "verdict": judged.action,
            "score": judged.score.points(),
            "category": judged.category,
            "findings": events,
        }));
        return;
    }
    let rules = judged.findings.iter().map(|finding| {
        let mark = if finding.rule.status == Status::Shadow { "*" } else { "" };
        format!(" {}{mark} {}", finding.rule.id, finding.rule.score)
    });
    let rules: String = rules.collect();
    terminal::print(&format!(
        "{word} {}: {} {}{rules}",
        terminal::plain(path),
        judged.action.as_str(),
        judged.score
    ));
}

/// What is taken out before anything is judged.
fn taken_out() -> String {
    let mut out =
        "Header fields that are taken out first, unless --keep-verdicts stands; these, and what begins so:\n "
            .to_owned();
    let mut column = 1;
    for name in VERDICT_FIELDS {
        if column + name.len() > 78 {
            out += "\n ";
            column = 1;
        }
        out += &format!(" {name}");
        column += name.len() + 1;
    }
    out
}
