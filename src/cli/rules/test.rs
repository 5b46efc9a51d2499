//! `portreeve rules test`: runs the tests that stand beside the rules.
//!
//! Knows nothing of how a test is judged.

use crate::cli::exit::Exit;
use crate::cli::{Shared, terminal};
use crate::daemon;
use crate::rules::RuleSet;
use serde_json::json;

/// Does it.
pub fn run(set: &RuleSet, shared: &Shared) -> Exit {
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
