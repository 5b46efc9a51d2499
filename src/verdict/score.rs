//! Findings become a sum and an action: the arithmetic of the verdict, pure.
//!
//! Groups, replacements, caps and the bound on trust are applied here, and nowhere else. Knows
//! nothing of recipients or modes.

use crate::rules::{Action, Finding, Score, Severity, Status};

/// Points from which each action follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// Tag.
    pub tag: Score,
    /// Quarantine.
    pub quarantine: Score,
    /// Reject.
    pub reject: Score,
}

/// All negative scores together take away no more than this.
const TRUST_MOST: i64 = 300;

/// What a finding adds, once its neighbours are considered.
#[derive(Debug, Clone, Copy)]
pub struct Share<'f> {
    /// The finding.
    pub finding: &'f Finding,
    /// Its points; 0 when a stronger one of its group stands, or another rule replaces it.
    pub score: Score,
}

/// The active findings with the points that each adds.
pub fn shares(findings: &[Finding]) -> Vec<Share<'_>> {
    let active: Vec<&Finding> = findings
        .iter()
        .filter(|finding| finding.rule.status == Status::Active)
        .collect();
    active
        .iter()
        .enumerate()
        .map(|(place, finding)| {
            let silenced = replaced(finding, &active) || outdone(place, finding, &active);
            let score = if silenced { Score(0) } else { finding.rule.score };
            Share { finding, score }
        })
        .collect()
}

fn replaced(finding: &Finding, active: &[&Finding]) -> bool {
    active
        .iter()
        .any(|other| other.rule.replaces.contains(&finding.rule.id))
}

/// Of a group only the strongest positive score counts; the first of equals.
fn outdone(place: usize, finding: &Finding, active: &[&Finding]) -> bool {
    let (Some(group), score) = (&finding.rule.group, finding.rule.score) else {
        return false;
    };
    score > Score(0)
        && active.iter().enumerate().any(|(other_place, other)| {
            other.rule.group.as_ref() == Some(group)
                && !replaced(other, active)
                && (other.rule.score > score || (other.rule.score == score && other_place < place))
        })
}

/// The sum that people see: everything counted.
pub fn total(shares: &[Share<'_>]) -> Score {
    sum(shares.iter())
}

fn sum<'s, 'f: 's>(shares: impl Iterator<Item = &'s Share<'f>>) -> Score {
    let (mut positive, mut negative) = (0_i64, 0_i64);
    for share in shares {
        if share.score.0 >= 0 {
            positive = positive.saturating_add(share.score.0);
        } else {
            negative = negative.saturating_add(share.score.0);
        }
    }
    Score(positive.saturating_add(negative.max(-TRUST_MOST)))
}

/// The action that shares and thresholds call for, and in whose name.
pub fn action(shares: &[Share<'_>], thresholds: &Thresholds) -> Action {
    let by_floor = shares
        .iter()
        .filter_map(|share| floor(share))
        .max()
        .unwrap_or(Action::Deliver);
    by_floor.max(by_score(shares, thresholds))
}

/// A rule's floor, held under its own cap.
fn floor(share: &Share<'_>) -> Option<Action> {
    let rule = &share.finding.rule;
    rule.floor.map(|floor| rule.cap.map_or(floor, |cap| floor.min(cap)))
}

/// A capped rule's points count only towards actions up to its cap, so that a rule being rolled
/// out can't tip a message further than it is trusted to.
fn by_score(shares: &[Share<'_>], thresholds: &Thresholds) -> Action {
    let reaches = |action: Action, threshold: Score| {
        let counted = || {
            shares
                .iter()
                .filter(move |share| share.finding.rule.cap.is_none_or(|cap| cap >= action))
        };
        let grave = counted().any(|share| share.score.0 > 0 && share.finding.rule.severity >= Severity::High);
        counted().any(|share| share.score.0 > 0) && sum(counted()) >= threshold && (action != Action::Reject || grave)
    };
    if reaches(Action::Reject, thresholds.reject) {
        Action::Reject
    } else if reaches(Action::Quarantine, thresholds.quarantine) {
        Action::Quarantine
    } else if reaches(Action::Tag, thresholds.tag) {
        Action::Tag
    } else {
        Action::Deliver
    }
}

/// Rules without any one of which the action would be milder.
pub fn sole_causes(findings: &[Finding], thresholds: &Thresholds) -> Vec<String> {
    /// Beyond so many matches no single one is the cause, and the work would grow with the square.
    const MATCHES_MOST: usize = 64;
    let whole = action(&shares(findings), thresholds);
    if whole == Action::Deliver || findings.len() > MATCHES_MOST {
        return Vec::new();
    }
    let without = |place: usize| -> Vec<Finding> {
        findings
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != place)
            .map(|(_, finding)| finding.clone())
            .collect()
    };
    let causes = findings.iter().enumerate().filter(|(place, finding)| {
        finding.rule.status == Status::Active && action(&shares(&without(*place)), thresholds) < whole
    });
    causes.map(|(_, finding)| finding.rule.id.clone()).collect()
}
