//! Findings and policy become an action for each recipient, with reasons.
//!
//! Pure: the same findings, policy and envelope give the same verdict. Knows nothing of how
//! findings came about, nor of how an action is carried out.

mod policy;
mod score;
mod settings;

pub use policy::{Policy, PolicyError};
pub use score::Thresholds;
pub use settings::{Mode, RecipientSettings, Settings};

use crate::mail::Envelope;
use crate::rules::{Action, Category, Finding, Findings, Score, Severity};
use crate::telemetry::UnscannedEvent;
use policy::Terms;
use score::Share;

/// What the gate makes of one message.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// What findings and the general thresholds say, before mode and recipients' policies.
    pub action: Action,
    /// The sum of points.
    pub score: Score,
    /// Of the strongest finding that speaks against the message.
    pub severity: Option<Severity>,
    /// Of the same.
    pub category: Option<Category>,
    /// Why, in words, strongest first.
    pub reasons: Vec<String>,
    /// Rules without any one of which `action` would be milder.
    pub sole_causes: Vec<String>,
    /// What is to be done for each recipient of the envelope, in its order.
    pub recipients: Vec<Action>,
}

/// Decides. `unscanned` are the checks that could not run.
pub fn decide(findings: &Findings, unscanned: &[UnscannedEvent], policy: &Policy, envelope: &Envelope) -> Verdict {
    let shares = score::shares(&findings.matched);
    let general = policy.general();
    let by_check = policy.floor_of(unscanned);
    let by_rules = |terms: &Terms| score::action(&shares, &terms.thresholds);
    let strongest = strongest(&shares);
    let malware = strongest.is_some_and(|finding| finding.rule.category == Category::Malware);
    let for_recipient = |terms: &Terms| {
        terms.held_to(
            by_rules(terms).max(by_check.map_or(Action::Deliver, |(action, _)| action)),
            malware,
        )
    };

    let action = by_rules(general).max(by_check.map_or(Action::Deliver, |(action, _)| action));
    Verdict {
        action,
        score: score::total(&shares),
        severity: strongest.map(|finding| finding.rule.severity),
        category: strongest.map(|finding| finding.rule.category),
        reasons: reasons(&shares, by_check, findings),
        sole_causes: score::sole_causes(&findings.matched, &general.thresholds),
        recipients: envelope
            .recipients
            .iter()
            .map(|recipient| for_recipient(&policy.terms_for(&recipient.address)))
            .collect(),
    }
}

/// The finding that names the verdict: the gravest, then the one of most points.
fn strongest<'f>(shares: &[Share<'f>]) -> Option<&'f Finding> {
    let against = shares
        .iter()
        .filter(|share| share.score.0 > 0 || share.finding.rule.floor.is_some());
    against
        .max_by_key(|share| (share.finding.rule.severity, share.score))
        .map(|share| share.finding)
}

fn reasons(shares: &[Share<'_>], by_check: Option<(Action, &str)>, findings: &Findings) -> Vec<String> {
    let mut ordered: Vec<&Share<'_>> = shares.iter().collect();
    ordered.sort_by_key(|share| std::cmp::Reverse((share.finding.rule.floor, share.score)));
    let mut reasons: Vec<String> = ordered
        .iter()
        .map(|share| {
            let rule = &share.finding.rule;
            let floor = rule
                .floor
                .map_or(String::new(), |floor| format!(", at least {}", floor.as_str()));
            format!("{} ({:+.1}{floor}): {}", rule.id, share.score.points(), rule.summary)
        })
        .collect();
    reasons
        .extend(by_check.map(|(action, check)| format!("{check} could not be checked: at least {}", action.as_str())));
    reasons.extend(
        findings
            .excepted
            .iter()
            .map(|(rule, exception)| format!("{rule} excepted by {exception:?}")),
    );
    reasons
}

#[cfg(test)]
mod tests;
