//! Findings and policy become an action for each recipient, with reasons.
//!
//! Pure: the same findings, policy, levers and envelope give the same verdict. Knows nothing of how
//! findings came about, nor of how an action is carried out.

pub mod breaker;
pub mod lever;
pub mod levers;
mod policy;
mod score;
mod settings;

pub use lever::Lever;
pub use levers::{Levers, Origin, Pulled};
pub use policy::{Policy, PolicyError};
pub use score::Thresholds;
pub use settings::{DmarcMode, Mode, RecipientSettings, Settings};

use crate::evidence::DmarcFailure;
use crate::mail::Envelope;
use crate::rules::{Action, Category, Finding, Findings, Score, Severity};
use crate::telemetry::UnscannedEvent;
use policy::Terms;
use score::Share;

/// What the gate makes of one message.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// What findings, the general thresholds and an allow or block entry say, before bypass, mode and
    /// recipients' policies.
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
    /// Levers that bear on the message, each by its kind and entry.
    pub levers: Vec<String>,
    /// The block entry without which rules would not have refused it.
    pub blocked_by: Option<String>,
    /// The author's domain without whose DMARC policy it would not have been refused.
    pub failed_dmarc: Option<String>,
    /// Whether a bypass has everybody's copy delivered untouched.
    pub bypassed: bool,
}

/// What there is to say of a message beside its findings.
#[derive(Debug, Clone, Copy, Default)]
pub struct Checked<'c> {
    /// Checks that could not run.
    pub unscanned: &'c [UnscannedEvent],
    /// It fails the policy of its author's domain.
    pub dmarc: Option<&'c DmarcFailure>,
}

/// Decides. `pulled` are the levers that bear on the message.
pub fn decide(
    findings: &Findings,
    checked: Checked<'_>,
    policy: &Policy,
    envelope: &Envelope,
    pulled: &Pulled<'_>,
) -> Verdict {
    let shares = score::shares(&findings.matched);
    let general = policy.general();
    let by_check = policy.floor_of(checked.unscanned);
    let unchecked = by_check.map_or(Action::Deliver, |(action, _)| action);
    let by_dmarc = checked.dmarc.and_then(|failure| policy.after(failure));
    let wished = by_dmarc.as_ref().map_or(Action::Deliver, |(action, _)| *action);
    let by_rules = |terms: &Terms| score::action(&shares, &terms.thresholds);
    let strongest = strongest(&shares);
    let malware = strongest.is_some_and(|finding| finding.rule.category == Category::Malware);
    let for_recipient = |terms: &Terms| match pulled.bypass {
        Some(_) => Action::Deliver,
        None => terms.held_to(
            with_entries(by_rules(terms).max(wished), pulled, malware).max(unchecked),
            malware,
        ),
    };

    let unaided = by_rules(general);
    let action = with_entries(unaided.max(wished), pulled, malware);
    let blocked_by = pulled.block.filter(|_| unaided.max(wished) < Action::Reject);
    let is_dmarcs = action > unaided && wished > unaided && blocked_by.is_none();
    let is_set = blocked_by.is_some() || is_dmarcs;
    Verdict {
        action: action.max(unchecked),
        score: score::total(&shares),
        severity: match is_set {
            true => Some(Severity::High),
            false => strongest.map(|finding| finding.rule.severity),
        },
        category: match is_set {
            true => Some(Category::Policy),
            false => strongest.map(|finding| finding.rule.category),
        },
        reasons: reasons(&shares, by_dmarc.map(|(_, why)| why), by_check, findings, pulled),
        // What an entry or the author's domain has decided no rule has.
        sole_causes: if action == unaided && wished < action && pulled.block.is_none() {
            score::sole_causes(&findings.matched, &general.thresholds)
        } else {
            Vec::new()
        },
        recipients: envelope
            .recipients
            .iter()
            .map(|recipient| for_recipient(&policy.terms_for(&recipient.address)))
            .collect(),
        levers: pulled.each().map(|lever| lever.what.to_string()).collect(),
        blocked_by: blocked_by.map(|lever| lever.what.entry()),
        failed_dmarc: checked
            .dmarc
            .filter(|_| is_dmarcs && action == Action::Reject)
            .map(|failure| failure.domain.clone()),
        bypassed: pulled.bypass.is_some(),
    }
}

/// What becomes of the rules' action by an allow or block entry. What could not be checked is not
/// theirs to let through.
fn with_entries(action: Action, pulled: &Pulled<'_>, malware: bool) -> Action {
    match (pulled.block, pulled.allow) {
        (Some(_), _) => Action::Reject,
        (None, Some(_)) => policy::under(Action::Tag, action, malware),
        (None, None) => action,
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

fn reasons(
    shares: &[Share<'_>],
    by_dmarc: Option<String>,
    by_check: Option<(Action, &str)>,
    findings: &Findings,
    pulled: &Pulled<'_>,
) -> Vec<String> {
    let mut ordered: Vec<&Share<'_>> = shares.iter().collect();
    ordered.sort_by_key(|share| std::cmp::Reverse((share.finding.rule.floor, share.score)));
    let mut reasons: Vec<String> = pulled.each().map(Lever::sentence).collect();
    reasons.extend(ordered.iter().map(|share| {
        let rule = &share.finding.rule;
        let floor = rule
            .floor
            .map_or(String::new(), |floor| format!(", at least {}", floor.as_str()));
        format!("{} ({:+.1}{floor}): {}", rule.id, share.score.points(), rule.summary)
    }));
    reasons.extend(by_dmarc);
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
