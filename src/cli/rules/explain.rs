//! `portreeve rules explain`: why a rule matches a message or doesn't, condition by condition.
//!
//! Knows nothing of how conditions are evaluated.

use super::{Looking, load, look, no_rule, tree};
use crate::cli::exit::Exit;
use crate::cli::{Shared, terminal};
use crate::rules::evaluate::Truth;
use crate::rules::workbench::Workbench;
use crate::rules::workbench::explain::{Exception, Explanation, Extent};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::path::PathBuf;

/// Items of a list that are taken apart unless all are asked for.
pub(super) const ITEMS_SHOWN: usize = 2;

/// Arguments of `rules explain`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The rule's id.
    rule: String,
    /// Messages: files, folders, mboxes, or - for standard input.
    #[arg(required = true)]
    mail: Vec<PathBuf>,
    /// Take apart the defines and rules that it refers to, too.
    #[arg(long)]
    expand: bool,
    /// Take apart up to a hundred items of each list, not only those that decide or come nearest.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    looking: Looking,
}

/// Does it. A rule that matches is a finding.
pub fn run(arguments: &Arguments, shared: &Shared) -> Exit {
    let loaded = match load(&arguments.looking.paths, shared) {
        Ok(loaded) => loaded,
        Err(exit) => return exit,
    };
    if loaded.set.rule(&arguments.rule).is_none() {
        return no_rule(&arguments.rule, &loaded.set);
    }
    let bench = Workbench::new(&loaded.set);
    let extent = Extent {
        items: if arguments.all { usize::MAX } else { ITEMS_SHOWN },
        references: arguments.expand,
    };
    let mut exit = Exit::Fine;
    let mut first = true;
    let unread = look(
        &arguments.mail,
        arguments.looking.now,
        loaded.set.protected(),
        |path, evidence| {
            let Some(explanation) = bench.explain(&arguments.rule, evidence, extent) else {
                return;
            };
            if outcome(&explanation) == "match" {
                exit = exit.worse(Exit::Findings);
            }
            if shared.json {
                terminal::print_json(&record(path, &explanation));
                return;
            }
            if !first {
                terminal::print("");
            }
            first = false;
            print(path, &explanation, arguments.expand);
        },
    );
    exit.worse(unread)
}

/// What the rule comes to, as a rule test would call it.
fn outcome(explanation: &Explanation) -> &'static str {
    match explanation.condition.truth {
        Truth::True if exception(explanation).is_some() => "excepted",
        Truth::True => "match",
        Truth::False => "no-match",
        Truth::Unknown => "unknown",
    }
}

/// The exception that keeps it from matching.
fn exception(explanation: &Explanation) -> Option<&Exception> {
    let counts = |exception: &&Exception| !exception.has_ended && exception.condition.truth == Truth::True;
    explanation.exceptions.iter().find(counts)
}

fn headline(path: &str, explanation: &Explanation) -> String {
    let path = terminal::plain(path);
    let told = match (explanation.condition.truth, exception(explanation)) {
        (Truth::True, Some(_)) => format!("would match {path}, but for an exception"),
        (Truth::True, None) => format!("matches {path}"),
        (Truth::False, _) => format!("doesn't match {path}"),
        (Truth::Unknown, _) => format!("can't be decided on {path}"),
    };
    format!("{}: {told}", explanation.rule.id)
}

fn print(path: &str, explanation: &Explanation, expanded: bool) {
    let rule = &explanation.rule;
    let mut lines = vec![tree::Line::plain(headline(path, explanation))];
    lines.extend(tree::paragraph(&rule.summary, 2));
    let standing = format!(
        "{}:{}, {}, {} {}, score {}",
        rule.file,
        rule.line,
        rule.status.as_str(),
        rule.severity.as_str(),
        rule.category.as_str(),
        rule.score
    );
    lines.extend(tree::paragraph(&standing, 2));
    let mut section = |title: String, branch| {
        lines.push(tree::Line::plain(title));
        lines.extend(tree::lines(branch));
    };
    section(String::new(), &explanation.condition);
    for exception in &explanation.exceptions {
        let counts = if exception.has_ended {
            "ended with"
        } else {
            "until the end of"
        };
        let title = format!(
            "\nexception {:?}, {counts} {}",
            exception.name,
            last_day(exception.ends)
        );
        section(title, &exception.condition);
    }
    for reference in &explanation.references {
        section(
            format!("\n@{}  {}", reference.name, reference.place),
            &reference.condition,
        );
    }
    if explanation.refers() && !expanded {
        lines.push(tree::Line::remark("\n--expand takes @names apart"));
    }
    if explanation.is_cut {
        lines.push(tree::Line::remark("the rest is left out: there is too much of it"));
    }
    tree::print(&lines);
}

/// The day with which something ends, as its author wrote it.
fn last_day(ends: Timestamp) -> Date {
    let last = ends.checked_sub(SignedDuration::from_secs(1)).unwrap_or(ends);
    last.to_zoned(TimeZone::UTC).date()
}

fn record(path: &str, explanation: &Explanation) -> serde_json::Value {
    let rule = &explanation.rule;
    let exceptions = explanation.exceptions.iter().map(|exception| {
        json!({
            "name": exception.name,
            "ends": exception.ends,
            "ended": exception.has_ended,
            "condition": tree::record(&exception.condition),
        })
    });
    let references = explanation.references.iter().map(|reference| {
        json!({
            "name": reference.name,
            "place": reference.place,
            "condition": tree::record(&reference.condition),
        })
    });
    json!({
        "path": path,
        "rule": rule.id,
        "outcome": outcome(explanation),
        "status": rule.status,
        "score": rule.score.points(),
        "file": rule.file,
        "line": rule.line,
        "condition": tree::record(&explanation.condition),
        "exceptions": exceptions.collect::<Vec<_>>(),
        "references": references.collect::<Vec<_>>(),
        "cut": explanation.is_cut,
    })
}
