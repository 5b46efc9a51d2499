//! `portreeve rules try`: what an expression is of messages, before it stands in any file.
//!
//! Knows nothing of how it is evaluated.

use super::explain::ITEMS_SHOWN;
use super::{Looking, load, look, portraits, tell, tree};
use crate::cli::exit::Exit;
use crate::cli::{Shared, terminal};
use crate::clock::{Clock, SystemClock};
use crate::rules::evaluate::{Outcome, Truth};
use crate::rules::workbench::Workbench;
use crate::rules::workbench::asking::asking;
use crate::rules::workbench::explain::Extent;
use crate::rules::workbench::portrait::Portrait;
use crate::rules::workbench::trial::{Answer, Trial};
use crate::rules::{RuleSet, Score};
use serde_json::json;
use std::path::PathBuf;

/// Arguments of `rules try`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// A condition such as "subject.icontains('refund')", or a value such as links.length.
    expression: String,
    /// Messages: files, folders, mboxes, or - for standard input.
    #[arg(required = true)]
    mail: Vec<PathBuf>,
    /// Take a condition apart, as `explain` does a rule's.
    #[arg(long)]
    explain: bool,
    #[command(flatten)]
    looking: Looking,
}

/// Does it. A condition that is true of a message is a finding.
pub fn run(arguments: &Arguments, shared: &Shared) -> Exit {
    let loaded = match load(&arguments.looking.paths, shared) {
        Ok(loaded) => loaded,
        Err(exit) => return exit,
    };
    if arguments.explain {
        return explained(arguments, &loaded.set, shared);
    }
    let bench = Workbench::new(&loaded.set);
    let trial = match Trial::new(&bench, &arguments.expression) {
        Ok((trial, warnings)) => {
            tell(&warnings, shared);
            trial
        }
        Err(problems) => {
            tell(&problems, shared);
            return Exit::BadData;
        }
    };
    let mut exit = Exit::Fine;
    let unread = look(
        &arguments.mail,
        arguments.looking.now,
        loaded.set.protected(),
        |path, evidence| match trial.ask(evidence) {
            Answer::Truth(outcome) => {
                if outcome.truth == Truth::True {
                    exit = exit.worse(Exit::Findings);
                }
                print_truth(path, &outcome, shared.json);
            }
            Answer::Value(value) => print_value(path, &value, &trial, shared.json),
        },
    );
    exit.worse(unread)
}

/// The same, condition by condition.
fn explained(arguments: &Arguments, set: &RuleSet, shared: &Shared) -> Exit {
    let asked = asking(set, &arguments.expression, Score::default(), SystemClock.now());
    let (asked, id) = match asked {
        Ok(asked) => asked,
        Err(problems) => {
            tell(&problems, shared);
            return Exit::BadData;
        }
    };
    tell(&asked.warnings, shared);
    let bench = Workbench::new(&asked.set);
    let extent = Extent {
        items: ITEMS_SHOWN,
        references: false,
    };
    let mut exit = Exit::Fine;
    let unread = look(
        &arguments.mail,
        arguments.looking.now,
        set.protected(),
        |path, evidence| {
            let Some(explanation) = bench.explain(&id, evidence, extent) else {
                return;
            };
            let condition = &explanation.condition;
            if condition.truth == Truth::True {
                exit = exit.worse(Exit::Findings);
            }
            if shared.json {
                terminal::print_json(
                    &json!({ "path": path, "type": "condition", "condition": tree::record(condition) }),
                );
                return;
            }
            let mut lines = vec![tree::Line::plain(format!("{}:", terminal::plain(path)))];
            lines.extend(tree::lines(condition));
            tree::print(&lines);
        },
    );
    exit.worse(unread)
}

fn print_truth(path: &str, outcome: &Outcome, json: bool) {
    let truth = tree::word(outcome.truth);
    if json {
        terminal::print_json(&json!({
            "path": path,
            "type": "condition",
            "truth": truth,
            "evidence": outcome.snippets,
            "unknown": tree::reasons(&outcome.unknown),
        }));
        return;
    }
    let mut lines = vec![tree::Line::plain(format!("{}: {truth}", terminal::plain(path)))];
    lines.extend(tree::evidence_lines(&outcome.snippets, 2));
    lines.extend(tree::unknown_lines(&outcome.unknown, 2));
    if outcome.truth == Truth::Unknown && outcome.unknown.is_empty() {
        lines.push(tree::Line::remark("  the message lacks what is asked for"));
    }
    tree::print(&lines);
}

fn print_value(path: &str, value: &Portrait, trial: &Trial<'_>, json: bool) {
    if json {
        terminal::print_json(&json!({ "path": path, "type": trial.ty().to_string(), "value": value }));
        return;
    }
    let mut lines = portraits::lines("", value, portraits::Whole::Yes);
    if let Some(first) = lines.first_mut() {
        first.text = format!("{}: {}", terminal::plain(path), first.text.trim_start());
    }
    tree::print(&lines);
}
