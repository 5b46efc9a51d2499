//! `portreeve rules fmt`: rule files in their one layout.
//!
//! Reads and writes files; knows nothing of how they are laid out.

use super::{read_sources, tell, write_whole};
use crate::cli::exit::Exit;
use crate::cli::{Shared, terminal};
use crate::rules::format::formatted;
use crate::rules::source::Source;
use serde_json::json;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The most that is read from standard input.
const BYTES_MAX: u64 = crate::rules::source::RULE_FILE_BYTES_MAX;

/// Arguments of `rules fmt`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Change nothing: name the files that aren't in their layout, and end with 1 if there are any.
    #[arg(long)]
    check: bool,
    /// Rule files or folders, or - for standard input; those of the settings when none are given.
    paths: Vec<PathBuf>,
}

/// Does it. Each file is written whole or not at all.
pub fn run(arguments: &Arguments, shared: &Shared) -> Exit {
    if arguments.paths == [Path::new("-")] {
        return standard_input(arguments.check, shared);
    }
    let sources = match read_sources(&arguments.paths, shared) {
        Ok(sources) => sources,
        Err(exit) => return exit,
    };
    let mut exit = Exit::Fine;
    let mut changed = 0_usize;
    for source in &sources {
        match formatted(source) {
            Err(problems) => {
                tell(&problems, shared);
                exit = exit.worse(Exit::BadData);
            }
            Ok(text) if text == source.text => {}
            Ok(text) => {
                changed += 1;
                exit = exit.worse(one(source, &text, arguments.check, shared));
            }
        }
    }
    let files = if sources.len() == 1 { "file" } else { "files" };
    let verb = if arguments.check { "would change" } else { "changed" };
    shared.say_unless_json(&format!("{} {files}, {changed} {verb}", sources.len()));
    exit
}

fn one(source: &Source, text: &str, check: bool, shared: &Shared) -> Exit {
    if !check && let Err(error) = write_whole(Path::new(&source.name), text) {
        terminal::complain(&format!("{}: {error}", source.name));
        return Exit::Unavailable;
    }
    match shared.json {
        true => terminal::print_json(&json!({ "file": source.name, "written": !check })),
        false => terminal::print(&source.name),
    }
    if check { Exit::Findings } else { Exit::Fine }
}

fn standard_input(check: bool, shared: &Shared) -> Exit {
    let mut text = String::new();
    let read = std::io::stdin().lock().take(BYTES_MAX + 1).read_to_string(&mut text);
    if let Err(error) = read {
        terminal::complain(&format!("standard input: {error}"));
        return Exit::BadData;
    }
    if text.len() as u64 > BYTES_MAX {
        terminal::complain(&format!(
            "standard input: larger than {}",
            crate::units::Size(BYTES_MAX)
        ));
        return Exit::BadData;
    }
    let source = Arc::new(Source::new("-", text));
    match formatted(&source) {
        Err(problems) => {
            tell(&problems, shared);
            Exit::BadData
        }
        Ok(text) if check => one_if(&source, text != source.text, shared),
        Ok(text) => {
            terminal::print_raw(text.as_bytes());
            Exit::Fine
        }
    }
}

fn one_if(source: &Source, differs: bool, shared: &Shared) -> Exit {
    match differs {
        true => one(source, "", true, shared),
        false => Exit::Fine,
    }
}
