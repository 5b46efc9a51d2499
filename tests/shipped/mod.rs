//! The shipped rules, and what the default thresholds make of their findings.

use jiff::Timestamp;
use portreeve::rules::diagnostic::render_all;
use portreeve::rules::{Action, Findings, Loaded, RuleSet, Score, Severity, Status, testing};
use std::path::PathBuf;

/// Loads them from the project's folder.
pub fn load() -> Loaded {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("rules");
    let now: Timestamp = testing::NOW.parse().unwrap();
    RuleSet::load(&[folder], now).unwrap_or_else(|problems| panic!("\n{}", render_all(&problems, false)))
}

/// The default thresholds over the sum of scores, floors and caps; enough for the shipped verdict tests.
pub fn act(findings: &Findings) -> Action {
    let active = || {
        findings
            .matched
            .iter()
            .map(|finding| &finding.rule)
            .filter(|rule| rule.status == Status::Active)
    };
    let (mut score, mut grave) = (0, false);
    for rule in active() {
        let stronger = active().any(|other| {
            rule.group.is_some() && other.group == rule.group && (other.score, &other.id) > (rule.score, &rule.id)
        });
        let replaced = active().any(|other| other.replaces.contains(&rule.id));
        if !stronger && !replaced {
            score += rule.score.0;
            grave |= rule.score.0 > 0 && rule.severity >= Severity::High;
        }
    }
    let by_score = match Score(score).points() {
        points if points >= 15.0 && grave => Action::Reject,
        points if points >= 8.0 => Action::Quarantine,
        points if points >= 5.0 => Action::Tag,
        _ => Action::Deliver,
    };
    active().filter_map(|rule| rule.floor).fold(by_score, Action::max)
}
