//! `portreeve rules test`: runs the tests that stand beside the rules, and says what none of them reaches.
//!
//! Knows nothing of how a test is judged.

use super::{tell, test_add, with_rules};
use crate::cli::exit::Exit;
use crate::cli::{Shared, terminal};
use crate::daemon;
use crate::rules::RuleSet;
use crate::rules::workbench::coverage::{Clause, coverage};
use serde_json::json;

/// Arguments of `rules test`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Subcommand>,
    /// Tell the clauses of conditions that were true in no test, too.
    #[arg(long)]
    coverage: bool,
    #[command(flatten)]
    paths: super::Paths,
}

/// What else there is to do with tests.
#[derive(Debug, clap::Subcommand)]
enum Subcommand {
    /// Add a test made from a real mail to a rule's file: small, and without anybody's names.
    Add(test_add::Arguments),
}

/// Does it. What no test reaches is told, and is no finding.
pub fn run(arguments: &Arguments, shared: &Shared) -> Exit {
    if let Some(Subcommand::Add(arguments)) = &arguments.command {
        return test_add::run(arguments, shared);
    }
    with_rules(&arguments.paths, shared, |loaded| {
        tell(&loaded.warnings, shared);
        let exit = tests(&loaded.set, shared);
        match arguments.coverage && exit != Exit::BadData {
            true => exit.worse(untested(&loaded.set, shared)),
            false => exit,
        }
    })
}

fn tests(set: &RuleSet, shared: &Shared) -> Exit {
    let reports = match daemon::test_rules(set) {
        Ok(reports) => reports,
        Err(why) => {
            terminal::complain(&why.to_string());
            return Exit::BadData;
        }
    };
    for report in &reports {
        if shared.json {
            let (rule, name, place) = (&report.rule, &report.name, &report.place);
            terminal::print_json(&json!({
                "rule": rule, "name": name, "place": place, "passed": report.passed(), "failures": report.failures,
            }));
        } else if !report.passed() {
            terminal::print(&daemon::describe(report));
        }
    }
    let failed = reports.iter().filter(|report| !report.passed()).count();
    shared.say_unless_json(&format!(
        "{} passed, {failed} failed",
        terminal::count(reports.len() - failed, "test")
    ));
    if failed == 0 { Exit::Fine } else { Exit::Findings }
}

fn untested(set: &RuleSet, shared: &Shared) -> Exit {
    let clauses = match coverage(set) {
        Ok(clauses) => clauses,
        Err(problems) => {
            tell(&problems, shared);
            return Exit::BadData;
        }
    };
    let never: Vec<&Clause> = clauses.iter().filter(|clause| clause.trues == 0).collect();
    for clause in &never {
        if shared.json {
            terminal::print_json(&json!({
                "owner": clause.owner,
                "clause": clause.text,
                "file": clause.file,
                "line": clause.line,
                "column": clause.column,
                "true": clause.trues,
                "false": clause.falses,
                "unknown": clause.unknowns,
            }));
        } else {
            let reached = if clause.falses + clause.unknowns == 0 {
                "never reached"
            } else {
                "never true"
            };
            let place = format!("{}:{}:{}", clause.file, clause.line, clause.column);
            terminal::print(&format!("{place}: {reached} in {}: {}", clause.owner, clause.text));
        }
    }
    let covered = clauses.len() - never.len();
    if shared.json {
        terminal::print_json(&json!({ "clauses": clauses.len(), "true_in_a_test": covered }));
    }
    shared.say_unless_json(&format!("{covered} of {} clauses are true in some test", clauses.len()));
    Exit::Fine
}
