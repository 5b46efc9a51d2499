//! `portreeve rules show`: one rule, whole, and what stands around it.
//!
//! Knows nothing of mail.

use super::{Paths, describe, no_rule, with_rules};
use crate::cli::exit::Exit;
use crate::cli::{Shared, terminal};
use crate::rules::set::Details;
use crate::rules::workbench::Workbench;
use crate::rules::workbench::dossier::Dossier;
use crate::rules::{RuleInfo, RuleSet};
use serde_json::{Value, json};
use std::fmt::Write;

/// Where what is told of a key begins.
const COLUMN: usize = 14;

/// Arguments of `rules show`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The rule's id.
    id: String,
    #[command(flatten)]
    paths: Paths,
}

/// Does it.
pub fn run(arguments: &Arguments, shared: &Shared) -> Exit {
    with_rules(&arguments.paths, shared, |loaded| {
        show(&loaded.set, &arguments.id, shared)
    })
}

fn show(set: &RuleSet, id: &str, shared: &Shared) -> Exit {
    let bench = Workbench::new(set);
    let (Some(rule), Some(details), Some(dossier)) = (set.rule(id), set.details(id), bench.dossier(id)) else {
        return no_rule(id, set);
    };
    if shared.json {
        let mut whole = describe(rule, set);
        if let (Some(whole), Value::Object(more)) = (whole.as_object_mut(), record(details, &dossier)) {
            whole.extend(more);
        }
        terminal::print_json(&whole);
        return Exit::Fine;
    }
    let mut out = String::new();
    head(rule, details, &mut out);
    let _ = write!(out, "\n{}\n\n", details.condition.trim_matches('\n').trim_end());
    around(&dossier, &mut out);
    terminal::print(out.trim_end());
    Exit::Fine
}

fn line(out: &mut String, key: &str, text: &str) {
    if !text.is_empty() {
        let _ = writeln!(out, "{key:<COLUMN$}{text}");
    }
}

fn head(rule: &RuleInfo, details: &Details, out: &mut String) {
    let _ = writeln!(out, "{}: {}", rule.id, rule.summary);
    line(
        out,
        "stands in",
        &format!("{}:{} (pack {})", rule.file, rule.line, rule.pack),
    );
    let (status, severity, category) = (rule.status.as_str(), rule.severity.as_str(), rule.category.as_str());
    line(
        out,
        "counts as",
        &format!("{status}, {severity} {category}, score {}", rule.score),
    );
    let action = |action: Option<crate::rules::Action>| action.map_or("", crate::rules::Action::as_str);
    line(out, "at least", action(rule.floor));
    line(out, "at most", action(rule.cap));
    line(out, "group", rule.group.as_deref().unwrap_or_default());
    line(out, "replaces", &rule.replaces.join(", "));
    line(out, "tags", &rule.tags.join(", "));
    line(out, "owner", &details.owner);
    line(
        out,
        "ends",
        &details.expires.map(|end| end.to_string()).unwrap_or_default(),
    );
    details
        .false_positives
        .iter()
        .for_each(|text| line(out, "may match", text));
    details.references.iter().for_each(|text| line(out, "see", text));
}

fn around(dossier: &Dossier, out: &mut String) {
    for (name, kind, entries) in &dossier.lists {
        let noun = if *entries == 1 { "entry" } else { "entries" };
        let text = format!("${name} ({}, {entries} {noun})", kind.as_str());
        line(out, "reads list", &text);
    }
    line(out, "refers to", &dossier.refers_to.join(", "));
    line(out, "referred by", &dossier.referred_by.join(", "));
    line(out, "replaced by", &dossier.replaced_by.join(", "));
    line(out, "was called", &dossier.renamed_from.join(", "));
    let needs: Vec<&str> = dossier.needs.iter().map(|(name, _)| *name).collect();
    line(out, "asks for", &needs.join(", "));
    dossier
        .slow_patterns
        .iter()
        .for_each(|text| line(out, "slow pattern", text));
    for entry in &dossier.overrides {
        let changes = entry.changes.join(", ");
        line(
            out,
            "overridden",
            &format!("{changes} ({}, {})", entry.target, entry.place),
        );
    }
    for exception in &dossier.exceptions {
        let (name, end, place) = (&exception.name, exception.expires, &exception.place);
        line(out, "exception", &format!("{name:?} until the end of {end} ({place})"));
        let _ = writeln!(out, "{:COLUMN$}{}", "", exception.condition);
    }
    for test in &dossier.tests {
        line(
            out,
            "test",
            &format!("{:<8} {:?} ({})", test.expect, test.name, test.place),
        );
    }
    if dossier.tests.is_empty() {
        line(out, "test", "none");
    }
}

fn record(details: &Details, dossier: &Dossier) -> Value {
    let tests = dossier.tests.iter();
    let lists = dossier.lists.iter();
    let overrides = dossier.overrides.iter();
    let exceptions = dossier.exceptions.iter();
    json!({
        "false_positives": details.false_positives,
        "references": details.references,
        "expires": details.expires,
        "tests": tests
            .map(|test| json!({ "name": test.name, "expect": test.expect, "place": test.place }))
            .collect::<Vec<_>>(),
        "lists": lists
            .map(|(name, kind, entries)| json!({ "list": name, "kind": kind.as_str(), "entries": entries }))
            .collect::<Vec<_>>(),
        "refers_to": dossier.refers_to,
        "referred_by": dossier.referred_by,
        "replaced_by": dossier.replaced_by,
        "renamed_from": dossier.renamed_from,
        "needs": dossier.needs.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
        "slow_patterns": dossier.slow_patterns,
        "overrides": overrides
            .map(|entry| json!({ "target": entry.target, "changes": entry.changes, "place": entry.place }))
            .collect::<Vec<_>>(),
        "exceptions": exceptions
            .map(|exception| json!({
                "name": exception.name,
                "when": exception.condition,
                "expires": exception.expires,
                "place": exception.place,
            }))
            .collect::<Vec<_>>(),
    })
}
