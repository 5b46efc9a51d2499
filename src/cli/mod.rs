//! The command line: one file a subcommand, each from arguments to an exit code.
//!
//! Knows how to ask and to print; what is asked for is done below.

mod check;
mod config;
mod exit;
mod explain;
mod gate;
mod history;
mod journal;
mod judging;
mod levers;
mod mails;
mod quarantine;
mod rules;
mod run;
mod scan;
mod send;
mod status;
mod terminal;

use crate::clock::{Clock, SystemClock};
use crate::config::{Config, Loaded, Sources};
use crate::daemon;
use crate::pipeline::Criteria;
use crate::verdict::lever::Kind;
use clap::{CommandFactory, Parser, Subcommand};
use exit::Exit;
use std::path::PathBuf;
use std::process::ExitCode;

/// Portreeve keeps port 25: an SMTP proxy that judges each message while its sender is connected.
#[derive(Debug, Parser)]
#[command(name = "portreeve", version, about, disable_help_subcommand = true)]
struct Arguments {
    #[command(flatten)]
    shared: Shared,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What every subcommand takes.
#[derive(Debug, clap::Args)]
pub struct Shared {
    /// The settings file.
    #[arg(long, global = true, value_name = "PATH")]
    config: Option<PathBuf>,
    /// One JSON object a line.
    #[arg(long, global = true)]
    json: bool,
    /// Say nothing but results and errors.
    #[arg(short, long, global = true)]
    quiet: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Keep the gate (the default).
    Run,
    /// Look for everything that could hurt: settings, rules, certificates, store, upstream.
    Check,
    /// What the settings are and where each comes from.
    #[command(subcommand)]
    Config(config::Arguments),
    /// The verdict on messages: files, folders, mboxes, or - for standard input.
    Scan(scan::Arguments),
    /// Why a message gets its verdict: a file, - for standard input, or the id of one that was judged.
    Explain(explain::Arguments),
    /// Check, test and show rules.
    #[command(subcommand)]
    Rules(rules::Arguments),
    /// What is kept, and letting it go.
    #[command(subcommand)]
    Quarantine(quarantine::Arguments),
    /// What happened to mail.
    #[command(subcommand)]
    Journal(journal::Arguments),
    /// What is remembered of correspondents.
    #[command(subcommand)]
    History(history::Arguments),
    /// Let a client or sender through the running gate for a while.
    ///
    /// What rules say has it tagged at most; malware, and what could not be checked, may still be
    /// quarantined. A sender must stand both in the reverse-path and as every From author, which anyone
    /// can write: SPF and DKIM are not checked yet. A client's address or network is safer.
    Allow(levers::EntryArguments),
    /// Refuse a client or sender at the running gate for a while.
    ///
    /// A sender is met in the reverse-path or as a From author. A block wins over an allow, and works within
    /// the mode and the recipients' ceilings.
    Block(levers::EntryArguments),
    /// Deliver everything untouched for a while, judged and counted as ever.
    ///
    /// The relay guard and the limits of the protocol stay.
    Bypass(levers::BypassArguments),
    /// Have the running gate read settings, rules and certificates again.
    Reload(status::ReloadArguments),
    /// How the running gate is.
    Status,
    /// Send sample messages.
    Send(send::Arguments),
}

/// Runs the command line to its exit code.
pub fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            // Help and version are answers; anything else is a wrong use.
            return if error.use_stderr() {
                Exit::Usage.into()
            } else {
                Exit::Fine.into()
            };
        }
    };
    let shared = &arguments.shared;
    let exit = match arguments.command.unwrap_or(Command::Run) {
        Command::Run => run::run(shared),
        Command::Check => check::run(shared),
        Command::Config(arguments) => config::run(arguments, shared),
        Command::Scan(arguments) => scan::run(arguments, shared),
        Command::Explain(arguments) => explain::run(&arguments, shared),
        Command::Rules(arguments) => rules::run(arguments, shared),
        Command::Quarantine(arguments) => quarantine::run(arguments, shared),
        Command::Journal(arguments) => journal::run(arguments, shared),
        Command::History(arguments) => history::run(arguments, shared),
        Command::Allow(arguments) => levers::entry(Kind::Allow, arguments, shared),
        Command::Block(arguments) => levers::entry(Kind::Block, arguments, shared),
        Command::Bypass(arguments) => levers::bypass(arguments, shared),
        Command::Reload(arguments) => status::reload(&arguments, shared),
        Command::Status => status::run(shared),
        Command::Send(arguments) => send::run(arguments, shared),
    };
    exit.into()
}

/// The names of all subcommands, for the test that holds the documents against them.
pub fn command_names() -> Vec<String> {
    Arguments::command()
        .get_subcommands()
        .map(|command| command.get_name().to_owned())
        .collect()
}

impl Shared {
    /// Where settings are read from.
    fn sources(&self) -> Sources {
        Sources {
            file: self.config.clone(),
            variables: std::env::vars_os().collect(),
            flags: Vec::new(),
        }
    }

    /// The effective settings; errors are told on standard error.
    fn load(&self) -> Result<Loaded, Exit> {
        crate::config::load(&self.sources()).map_err(|problems| {
            terminal::complain(&problems.to_string());
            Exit::Configuration
        })
    }

    /// The settings alone.
    fn settings(&self) -> Result<Config, Exit> {
        self.load().map(|loaded| loaded.config)
    }

    /// Where the running gate listens for commands.
    fn socket(&self) -> Result<PathBuf, Exit> {
        self.settings().map(|config| config.control.socket)
    }

    /// A sentence for people, unless they asked for quiet.
    fn say(&self, sentence: &str) {
        if !self.quiet {
            terminal::print(sentence);
        }
    }

    /// What was done: a sentence, or that sentence as an object.
    fn done(&self, message: &str) {
        if self.json {
            terminal::print_json(&serde_json::json!({ "message": message }));
        } else {
            self.say(message);
        }
    }

    /// A sentence, where results are not for a program.
    fn say_unless_json(&self, sentence: &str) {
        if !self.json {
            self.say(sentence);
        }
    }

    /// What decides verdicts, for commands that judge by themselves.
    fn criteria(&self) -> Result<Criteria, Exit> {
        let config = self.settings()?;
        daemon::criteria(&config, SystemClock.now()).map_err(|why| {
            terminal::complain(&why.to_string());
            Exit::Configuration
        })
    }
}
