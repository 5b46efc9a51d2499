//! `portreeve rules`: the workbench of rule authors. One file a subcommand.
//!
//! Offline: reads rule files, or the shipped rules inside the binary, and never touches a gate.

mod archived;
mod check;
mod columns;
mod diff;
mod explain;
mod facts;
mod fmt;
mod hunt;
mod list;
mod measure;
mod per_rule;
mod portraits;
mod profile;
mod show;
mod test;
mod test_add;
mod tree;
mod try_out;

use super::exit::Exit;
use super::{Shared, mails, terminal};
use crate::chance::{SystemChance, message_id};
use crate::clock::{Clock, SystemClock};
use crate::daemon;
use crate::evidence::identity::{Identity, Protected};
use crate::evidence::{Evidence, Kept, Outside};
use crate::mail::message::Limits;
use crate::mail::{Client, Direction, Envelope, Mail, Message};
use crate::rules::diagnostic::{self, Diagnostic};
use crate::rules::source::{self, Source};
use crate::rules::{Loaded, RuleInfo, RuleSet};
use jiff::Timestamp;
use serde_json::json;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Arguments of `rules`.
#[derive(Debug, clap::Subcommand)]
pub enum Arguments {
    /// Whether rules load, and what their authors should look at.
    Check(Paths),
    /// Run the tests that stand beside the rules.
    Test(test::Arguments),
    /// Every rule, a line each.
    List(list::Arguments),
    /// One rule, whole, and what stands around it.
    Show(show::Arguments),
    /// Write rule files in their one layout, comments and meaning kept.
    Fmt(fmt::Arguments),
    /// Every field that rules may ask for, and what it is of a message.
    Facts(facts::Arguments),
    /// What an expression is of messages, with the rules' lists and defines in scope.
    Try(try_out::Arguments),
    /// Why a rule matches a message or doesn't, condition by condition.
    Explain(explain::Arguments),
    /// Which mail a rule, an expression or every rule matches, and how well.
    ///
    /// Over labelled mail (--spam, --ham): shares of each, precision, the rules that match with it, and
    /// the mails on which it alone changes the action. Figures are for messages and for distinct texts,
    /// since campaigns repeat themselves. What archived mail lacks (client, envelope, authentication, history)
    /// is unknown, and rules that ask for it are counted as undecided.
    Hunt(hunt::Arguments),
    /// How much spam the rules catch and how much ham they touch, folder by folder.
    ///
    /// Over labelled folders: what is tagged, quarantined and rejected by the thresholds of the settings, per
    /// distinct text and per message, and the category that decided. A text counts as the worst that came of it.
    /// What archived mail lacks is unknown, as for `hunt`; what other filters wrote into it is taken out first.
    Measure(measure::Arguments),
    /// What rules cost on archived mail: time and steps of each, the dearest first.
    Profile(profile::Arguments),
    /// What a change to rules adds, removes and alters, and what it would have done to archived mail.
    Diff(diff::Arguments),
}

/// What the commands that look at messages take.
#[derive(Debug, clap::Args)]
pub struct Looking {
    /// Rule files or folders; those of the settings when none are given.
    #[arg(long = "rules", value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Look as if it were this time, such as 2026-11-05T09:00:00Z.
    #[arg(long, value_name = "TIME")]
    now: Option<Timestamp>,
}

/// Which rules.
#[derive(Debug, clap::Args)]
pub struct Paths {
    /// Rule files or folders; those of the settings when none are given.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The same, as commands take it that have other paths.
    #[arg(long = "rules", value_name = "PATH", hide = true)]
    named: Vec<PathBuf>,
}

impl Paths {
    fn all(&self) -> Vec<PathBuf> {
        [self.paths.as_slice(), &self.named].concat()
    }
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
        Arguments::Test(arguments) => test::run(&arguments, shared),
        Arguments::List(arguments) => list::run(&arguments, shared),
        Arguments::Show(arguments) => show::run(&arguments, shared),
        Arguments::Fmt(arguments) => fmt::run(&arguments, shared),
        Arguments::Facts(arguments) => facts::run(&arguments, shared),
        Arguments::Try(arguments) => try_out::run(&arguments, shared),
        Arguments::Explain(arguments) => explain::run(&arguments, shared),
        Arguments::Hunt(arguments) => hunt::run(&arguments, shared),
        Arguments::Measure(arguments) => measure::run(&arguments, shared),
        Arguments::Profile(arguments) => profile::run(&arguments, shared),
        Arguments::Diff(arguments) => diff::run(&arguments, shared),
    }
}

fn with_rules(paths: &Paths, shared: &Shared, then: impl FnOnce(&Loaded) -> Exit) -> Exit {
    match load(&paths.all(), shared) {
        Ok(loaded) => then(&loaded),
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

/// The rule files of these paths, or of the settings, whatever is in them.
fn read_sources(paths: &[PathBuf], shared: &Shared) -> Result<Vec<Arc<Source>>, Exit> {
    let paths = match paths.is_empty() {
        true => shared.settings()?.rules.paths,
        false => paths.to_vec(),
    };
    if let Some(missing) = paths.iter().find(|path| !path.exists()) {
        terminal::complain(&format!("{}: there is no such file or folder", missing.display()));
        return Err(Exit::NoInput);
    }
    let roots = source::read(&paths).map_err(|diagnostics| refuse(&diagnostics, shared))?;
    Ok(roots.into_iter().flat_map(|root| root.files).collect())
}

/// Puts a text in the place of a file: whole, or not at all. A link stays one.
fn write_whole(path: &Path, text: &str) -> std::io::Result<()> {
    let path = std::fs::canonicalize(path)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // Hidden, and not named like a rule file: a gate that watches the folder must not take it up.
    let beside = path.with_file_name(format!(".{name}.{}.new", std::process::id()));
    let written = std::fs::metadata(&path).and_then(|metadata| {
        let mut file = std::fs::File::create_new(&beside)?;
        file.write_all(text.as_bytes())?;
        file.set_permissions(metadata.permissions())?;
        file.sync_all()?;
        std::fs::rename(&beside, &path)
    });
    if written.is_err() {
        // What went wrong is told; that a leftover couldn't be removed either adds nothing.
        let _ = std::fs::remove_file(&beside);
    }
    written
}

/// Calls `each` with what rules that protect somebody see of every message at the paths: as in `scan`, envelope, client and all
/// that isn't in the message are unknown.
fn look(
    mail: &[PathBuf],
    now: Option<Timestamp>,
    protected: &Protected,
    mut each: impl FnMut(&str, &Evidence<'_, '_>),
) -> Exit {
    let now = now.unwrap_or_else(|| SystemClock.now());
    let unread = mails::for_each(mail, |source| {
        let mail = Mail {
            id: message_id(now, &SystemChance),
            received: now,
            listener: "rules".into(),
            direction: Direction::Inbound,
            client: Client::default(),
            envelope: Envelope::default(),
            bytes: source.bytes.into(),
        };
        let message = Message::parse(&mail.bytes, &Limits::default());
        let evidence = Evidence {
            now,
            mail: &mail,
            message: &message,
            outside: Outside::not_gathered(),
            kept: Kept::NOTHING,
            identity: Identity::against(protected),
        };
        each(&source.path, &evidence);
    });
    mails::told(&unread)
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

/// The same of a single message; of several none is looked at.
fn look_at_one<T>(
    mail: &Path,
    now: Option<Timestamp>,
    protected: &Protected,
    one: impl Fn(&Evidence<'_, '_>) -> T,
) -> Result<T, Exit> {
    let mut count = 0;
    let mut found = None;
    let exit = look(&[mail.to_owned()], now, protected, |_, evidence| {
        count += 1;
        if count == 1 {
            found = Some(one(evidence));
        }
    });
    match found.filter(|_| count == 1) {
        Some(found) if exit == Exit::Fine => Ok(found),
        _ if exit != Exit::Fine => Err(exit),
        _ => {
            terminal::complain(&format!("{}: {count} messages where one is wanted", mail.display()));
            Err(Exit::Usage)
        }
    }
}

/// A rule that isn't there, with the nearest that is.
fn no_rule(id: &str, set: &RuleSet) -> Exit {
    let near = diagnostic::nearest(id, set.rules().iter().map(|rule| rule.id.as_str()));
    let hint = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
    terminal::complain(&format!("there is no rule {id}{hint}"));
    Exit::Findings
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
