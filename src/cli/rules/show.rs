//! `portreeve rules show`: one rule, whole.
//!
//! Knows nothing of mail.

use super::{describe, no_rule};
use crate::cli::exit::Exit;
use crate::cli::{Shared, terminal};
use crate::rules::RuleSet;

/// Does it.
pub fn run(set: &RuleSet, id: &str, shared: &Shared) -> Exit {
    let Some(rule) = set.rule(id) else {
        return no_rule(id, set);
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
