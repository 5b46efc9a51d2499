//! `portreeve rules facts`: every field that rules may ask for, and what it is of a message.
//!
//! The rules are only asked whom a message may pose as.

use super::{Looking, load, look, portraits, tree};
use crate::cli::exit::Exit;
use crate::cli::{Shared, terminal};
use crate::rules::workbench::facts::{Fact, facts};
use crate::rules::workbench::portrait::{Portrait, reason};
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// Arguments of `rules facts`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Messages: files, folders, mboxes, or - for standard input.
    #[arg(required = true)]
    mail: Vec<PathBuf>,
    /// Only these fields, or groups of them such as body.
    #[arg(long, value_name = "NAME")]
    field: Vec<String>,
    /// Whole texts, and every item of lists.
    #[arg(long)]
    whole: bool,
    #[command(flatten)]
    looking: Looking,
}

/// Does it.
pub fn run(arguments: &Arguments, shared: &Shared) -> Exit {
    let wanted = |fact: &Fact| {
        let is_in = |name: &String| {
            let rest = fact.field.name.strip_prefix(name.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        arguments.field.is_empty() || arguments.field.iter().any(is_in)
    };
    if let Some(unknown) = arguments.field.iter().find(|name| !portraits::is_field(name)) {
        terminal::complain(&format!("there is no field `{unknown}`{}", portraits::nearest(unknown)));
        return Exit::Usage;
    }
    let loaded = match load(&arguments.looking.paths, shared) {
        Ok(loaded) => loaded,
        Err(exit) => return exit,
    };
    let mut first = true;
    look(
        &arguments.mail,
        arguments.looking.now,
        loaded.set.protected(),
        |path, evidence| {
            let facts: Vec<Fact> = facts(evidence).into_iter().filter(wanted).collect();
            if shared.json {
                terminal::print_json(&json!({ "path": path, "facts": object(&facts) }));
                return;
            }
            if !first {
                terminal::print("");
            }
            first = false;
            print(path, &facts, arguments.whole);
        },
    )
}

fn object(facts: &[Fact]) -> Map<String, Value> {
    let entry = |fact: &Fact| {
        let (state, cause) = match &fact.value {
            Portrait::Absent => ("absent", None),
            Portrait::Unknown(why) => ("unknown", Some(why.cause)),
            _ => ("known", None),
        };
        let mut entry = json!({
            "type": fact.field.ty.to_string(),
            "cost": fact.field.cost.as_str(),
            "state": state,
        });
        if let Some(object) = entry.as_object_mut() {
            if let Some(cause) = cause {
                object.insert("cause".to_owned(), cause.into());
            }
            if fact.value.is_known() {
                object.insert("value".to_owned(), json!(fact.value));
            }
        }
        (fact.field.name.to_owned(), entry)
    };
    facts.iter().map(entry).collect()
}

/// Grouped by the first word of their names; at the end why what is unknown is so.
fn print(path: &str, facts: &[Fact], whole: bool) {
    let whole = if whole {
        portraits::Whole::Yes
    } else {
        portraits::Whole::No
    };
    let mut lines = vec![tree::Line::plain(terminal::plain(path))];
    let mut group = "";
    let mut causes: Vec<(&str, String)> = Vec::new();
    for fact in facts {
        let own = fact.field.name.split('.').next().unwrap_or_default();
        let is_group = fact.field.name.contains('.');
        if own != group && (is_group || lines.len() == 1 || portraits::was_group(group)) {
            lines.push(tree::Line::plain(String::new()));
        }
        group = own;
        lines.extend(portraits::lines(fact.field.name, &fact.value, whole));
        if let Portrait::Unknown(why) = &fact.value
            && !causes.iter().any(|(cause, _)| *cause == why.cause)
        {
            causes.push((why.cause, reason(*why).replacen(why.check, "the fact", 1)));
        }
    }
    if !causes.is_empty() {
        lines.push(tree::Line::plain(String::new()));
    }
    for (cause, sentence) in causes {
        lines.push(tree::Line::remark(format!("{cause}: {sentence}")));
    }
    tree::print(&lines);
}
