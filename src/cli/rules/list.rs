//! `portreeve rules list`: every rule, a line each.
//!
//! Knows nothing of what rules say.

use super::describe;
use crate::cli::exit::Exit;
use crate::cli::{Shared, terminal};
use crate::rules::RuleSet;

/// Does it.
pub fn run(set: &RuleSet, shared: &Shared) -> Exit {
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
