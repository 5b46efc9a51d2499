//! `portreeve rules`: check, test, list and show rules.
//!
//! Offline: reads rule files, or the shipped rules inside the binary, and never touches a gate.

use super::exit::Exit;
use super::{Shared, terminal};
use crate::clock::{Clock, SystemClock};
use crate::daemon;
use crate::rules::diagnostic::{self, Diagnostic};
use crate::rules::{Loaded, RuleInfo, RuleSet};
use serde_json::json;
use std::io::IsTerminal;
use std::path::PathBuf;

/// Arguments of `rules`.
#[derive(Debug, clap::Subcommand)]
pub enum Arguments {
    /// Whether rules load, and what their authors should look at.
    Check(Paths),
    /// Run the tests that stand beside the rules.
    Test(Paths),
    /// Every rule, a line each.
    List(Paths),
    /// One rule, whole.
    Show {
        /// The rule's id.
        id: String,
        #[command(flatten)]
        paths: Paths,
    },
}

/// Which rules.
#[derive(Debug, clap::Args)]
pub struct Paths {
    /// Rule files or folders; those of the settings when none are given.
    paths: Vec<PathBuf>,
}

/// Does it.
pub fn run(arguments: Arguments, shared: &Shared) -> Exit {
    match arguments {
        Arguments::Check(paths) => with_rules(&paths, shared, |loaded| {
            let counts = loaded.set.counts();
            shared.say_unless_json(&format!(
                "{} rules active, {} shadow, {} warnings",
                counts.active,
                counts.shadow,
                loaded.warnings.len()
            ));
            if loaded.warnings.is_empty() {
                Exit::Fine
            } else {
                Exit::Findings
            }
        }),
        Arguments::Test(paths) => with_rules(&paths, shared, |loaded| test(&loaded.set, shared)),
        Arguments::List(paths) => with_rules(&paths, shared, |loaded| list(&loaded.set, shared)),
        Arguments::Show { id, paths } => with_rules(&paths, shared, |loaded| show(&loaded.set, &id, shared)),
    }
}

fn with_rules(paths: &Paths, shared: &Shared, then: impl FnOnce(&Loaded) -> Exit) -> Exit {
    let now = SystemClock.now();
    let loaded = if paths.paths.is_empty() {
        let config = match shared.settings() {
            Ok(config) => config,
            Err(exit) => return exit,
        };
        match daemon::load_rules(&config, now) {
            Ok((loaded, _)) => loaded,
            Err(daemon::Unusable::Rules(diagnostics)) => return refuse(&diagnostics, shared),
            Err(other) => {
                terminal::complain(&other.to_string());
                return Exit::Configuration;
            }
        }
    } else {
        if let Some(missing) = paths.paths.iter().find(|path| !path.exists()) {
            terminal::complain(&format!("{}: there is no such file or folder", missing.display()));
            return Exit::NoInput;
        }
        match RuleSet::load(&paths.paths, now) {
            Ok(loaded) => loaded,
            Err(diagnostics) => return refuse(&diagnostics, shared),
        }
    };
    tell(&loaded.warnings, shared);
    then(&loaded)
}

fn refuse(diagnostics: &[Diagnostic], shared: &Shared) -> Exit {
    tell(diagnostics, shared);
    Exit::BadData
}

fn tell(diagnostics: &[Diagnostic], shared: &Shared) {
    if shared.json {
        for diagnostic in diagnostics {
            terminal::print_json(&diagnostic.record());
        }
    } else if !diagnostics.is_empty() {
        terminal::complain_whole(&diagnostic::render_all(diagnostics, std::io::stderr().is_terminal()));
    }
}

fn test(set: &RuleSet, shared: &Shared) -> Exit {
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
    shared.say_unless_json(&format!("{} tests passed, {failed} failed", reports.len() - failed));
    if failed == 0 { Exit::Fine } else { Exit::Findings }
}

fn list(set: &RuleSet, shared: &Shared) -> Exit {
    for rule in set.rules() {
        if shared.json {
            terminal::print_json(&describe(rule, set));
        } else {
            terminal::print(&format!(
                "{:<32} {:<6} {:>5} {:<8} {:<20} {}",
                rule.id,
                rule.status.as_str(),
                rule.score.to_string(),
                rule.severity.as_str(),
                rule.category.as_str(),
                rule.summary
            ));
        }
    }
    if set.rules().is_empty() {
        Exit::Findings
    } else {
        Exit::Fine
    }
}

fn show(set: &RuleSet, id: &str, shared: &Shared) -> Exit {
    let Some(rule) = set.rule(id) else {
        let near = diagnostic::nearest(id, set.rules().iter().map(|rule| rule.id.as_str()));
        let hint = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        terminal::complain(&format!("there is no rule {id}{hint}"));
        return Exit::Findings;
    };
    if shared.json {
        terminal::print_json(&describe(rule, set));
        return Exit::Fine;
    }
    terminal::print(&format!(
        "{}: {}\n{}:{} (pack {})\n{} {} {}, score {}",
        rule.id,
        rule.summary,
        rule.file,
        rule.line,
        rule.pack,
        rule.status.as_str(),
        rule.severity.as_str(),
        rule.category.as_str(),
        rule.score
    ));
    for (name, action) in [("at least", rule.floor), ("at most", rule.cap)] {
        if let Some(action) = action {
            terminal::print(&format!("{name} {}", action.as_str()));
        }
    }
    if let Some(details) = set.details(id) {
        for text in &details.false_positives {
            terminal::print(&format!("may also match: {text}"));
        }
        for text in &details.references {
            terminal::print(&format!("see {text}"));
        }
        terminal::print(&format!("\n{}", details.condition.trim()));
    }
    Exit::Fine
}

fn describe(rule: &RuleInfo, set: &RuleSet) -> serde_json::Value {
    let details = set.details(&rule.id);
    json!({
        "rule": rule.id,
        "summary": rule.summary,
        "category": rule.category,
        "severity": rule.severity,
        "score": rule.score.points(),
        "status": rule.status,
        "action": rule.floor,
        "cap": rule.cap,
        "group": rule.group,
        "replaces": rule.replaces,
        "tags": rule.tags,
        "file": rule.file,
        "line": rule.line,
        "pack": rule.pack,
        "owner": details.map(|details| details.owner.as_str()).unwrap_or_default(),
        "when": details.map(|details| details.condition.as_str()).unwrap_or_default(),
    })
}
