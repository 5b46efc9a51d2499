//! `portreeve rules test add`: a real mail as a small test that names nobody.
//!
//! Reads the mail and writes the rule's file; knows nothing of how the test is made.

use super::{Looking, load, look_at_one, tell, tree, write_whole};
use crate::cli::exit::Exit;
use crate::cli::{Shared, terminal};
use crate::rules::workbench::specimen::{Refusal, Specimen, specimen};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Arguments of `rules test add`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The rule's id.
    rule: String,
    /// One message: a file, or - for standard input.
    mail: PathBuf,
    /// What the test shows.
    #[arg(long, default_value = "as it came in")]
    name: String,
    /// Show the test and write nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    looking: Looking,
}

/// Does it.
pub fn run(arguments: &Arguments, shared: &Shared) -> Exit {
    let loaded = match load(&arguments.looking.paths, shared) {
        Ok(loaded) => loaded,
        Err(exit) => return exit,
    };
    let made = look_at_one(
        &arguments.mail,
        arguments.looking.now,
        loaded.set.protected(),
        |evidence| specimen(&loaded.set, &arguments.rule, evidence, &arguments.name),
    );
    let made = match made {
        Ok(made) => made,
        Err(exit) => return exit,
    };
    match made {
        Ok(made) => write(&made, arguments.dry_run, shared),
        Err(Refusal::NoRule) => super::no_rule(&arguments.rule, &loaded.set),
        Err(Refusal::Rules(problems)) => {
            tell(&problems, shared);
            Exit::BadData
        }
        Err(why) => {
            terminal::complain(&format!("{}: {why}", arguments.rule));
            Exit::Findings
        }
    }
}

fn write(made: &Specimen, dry_run: bool, shared: &Shared) -> Exit {
    let file = &made.before.name;
    // Somebody may have saved the file since it was read.
    let as_read = |text: String| text.trim_start_matches('\u{feff}') == made.before.text;
    if !dry_run && !std::fs::read_to_string(file).is_ok_and(as_read) {
        terminal::complain(&format!("{file}: it has changed meanwhile; nothing is written"));
        return Exit::TryAgain;
    }
    if !dry_run && let Err(error) = write_whole(Path::new(file), &made.after) {
        terminal::complain(&format!("{file}: {error}"));
        return Exit::Unavailable;
    }
    if shared.json {
        terminal::print_json(&json!({
            "file": file,
            "written": !dry_run,
            "expect": made.expect.as_str(),
            "test": made.test,
            "kept": made.kept,
        }));
        return Exit::Fine;
    }
    terminal::print(&made.test);
    if !made.kept.is_empty() {
        shared.say("\nLook at what was kept before anybody else does:");
        made.kept
            .iter()
            .for_each(|kept| shared.say(&tree::cut(&format!("  {kept}"), 2 * tree::WIDTH)));
    }
    shared.say(&match dry_run {
        true => format!("\nIt passes; {file} is as it was"),
        false => format!("\nIt passes, and stands in {file}"),
    });
    Exit::Fine
}
