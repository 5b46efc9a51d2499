//! `portreeve rules`: the workbench of rule authors. One file a subcommand.
//!
//! Offline: reads rule files, or the shipped rules inside the binary, and never touches a gate.

mod check;
mod columns;
mod diff;
mod hunt;
mod kept_mail;
mod profile;
mod list;
mod show;
mod test;

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
    /// Which mail a rule, an expression or every rule matches, and how well.
    ///
    /// Over labelled mail (--spam, --ham): shares of each, precision, the rules that match with it, and
    /// the mails on which it alone changes the action. Figures are for messages and for distinct texts,
    /// since campaigns repeat themselves. What kept mail lacks (client, envelope, authentication, history)
    /// is unknown, and rules that ask for it are counted as undecided.
    Hunt(hunt::Arguments),
    /// What rules cost on kept mail: time and steps of each, the dearest first.
    Profile(profile::Arguments),
    /// What a change to rules adds, removes and alters, and what it would have done to kept mail.
    Diff(diff::Arguments),
}

/// Which rules.
#[derive(Debug, clap::Args)]
pub struct Paths {
    /// Rule files or folders; those of the settings when none are given.
    paths: Vec<PathBuf>,
}

/// The same where other paths stand on the line too.
#[derive(Debug, clap::Args)]
pub struct RulesOption {
    /// Rule files or folders; those of the settings when none are given.
    #[arg(long = "rules", value_name = "PATH")]
    paths: Vec<PathBuf>,
}

/// Does it.
pub fn run(arguments: Arguments, shared: &Shared) -> Exit {
    match arguments {
        Arguments::Check(paths) => with_rules(&paths, shared, |loaded| check::run(loaded, shared)),
        Arguments::Test(paths) => with_rules(&paths, shared, |loaded| test::run(&loaded.set, shared)),
        Arguments::List(paths) => with_rules(&paths, shared, |loaded| list::run(&loaded.set, shared)),
        Arguments::Show { id, paths } => with_rules(&paths, shared, |loaded| show::run(&loaded.set, &id, shared)),
        Arguments::Hunt(arguments) => hunt::run(&arguments, shared),
        Arguments::Profile(arguments) => profile::run(&arguments, shared),
        Arguments::Diff(arguments) => diff::run(&arguments, shared),
    }
}

fn with_rules(paths: &Paths, shared: &Shared, then: impl FnOnce(&Loaded) -> Exit) -> Exit {
    match load(&paths.paths, shared) {
        Ok(loaded) => {
            tell(&loaded.warnings, shared);
            then(&loaded)
        }
        Err(exit) => exit,
    }
}

/// The rules of these paths, or of the settings; what is wrong with them is told.
fn load(paths: &[PathBuf], shared: &Shared) -> Result<Loaded, Exit> {
    let now = SystemClock.now();
    if paths.is_empty() {
        let config = shared.settings()?;
        return match daemon::load_rules(&config, now) {
            Ok((loaded, _)) => Ok(loaded),
            Err(daemon::Unusable::Rules(diagnostics)) => Err(refuse(&diagnostics, shared)),
            Err(other) => {
                terminal::complain(&other.to_string());
                Err(Exit::Configuration)
            }
        };
    }
    if let Some(missing) = paths.iter().find(|path| !path.exists()) {
        terminal::complain(&format!("{}: there is no such file or folder", missing.display()));
        return Err(Exit::NoInput);
    }
    RuleSet::load(paths, now).map_err(|diagnostics| refuse(&diagnostics, shared))
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

/// A rule as one object, the same in `list` and `show`.
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
