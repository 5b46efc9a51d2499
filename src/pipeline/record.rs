//! One message as the journal and the log tell it. Pure.

use super::{Judgement, Live};
use crate::action::Plan;
use crate::evidence::MethodResult;
use crate::mail::Mail;
use crate::rules::{Action, Finding, Findings};
use crate::telemetry::{EvidenceEvent, FindingEvent, MessageEvent, RecipientEvent, UnscannedEvent};
use crate::verdict::lever::Kind;

/// A subject longer than this is cut in the journal, in characters.
const SUBJECT_MOST: usize = 200;

/// What is known before the plan is carried out; [`crate::action`] adds what came of it.
pub fn event(mail: &Mail, judgement: &Judgement, plan: &Plan, live: &Live) -> MessageEvent {
    MessageEvent {
        id: mail.id.to_string(),
        time: mail.received.to_string(),
        generation: live.criteria.rules.sha256().chars().take(12).collect(),
        listener: mail.listener.to_string(),
        direction: mail.direction.as_str().into(),
        mode: match judgement.verdict.bypassed {
            true => Kind::Bypass.as_str().into(),
            false => live.criteria.policy.mode().as_str().into(),
        },
        client: mail
            .client
            .address
            .map(|address| address.ip().to_canonical().to_string())
            .unwrap_or_default(),
        helo: mail.client.helo.clone(),
        tls: mail.client.tls.clone().unwrap_or_default(),
        from: mail.envelope.reverse_path_text().to_owned(),
        recipients: recipients(mail, &judgement.verdict.recipients, plan),
        size: mail.bytes.len() as u64,
        ..judged(judgement)
    }
}

/// The part of the record that the message alone decides: what `scan` and `explain` tell too.
pub fn judged(judgement: &Judgement) -> MessageEvent {
    let verdict = &judgement.verdict;
    let word = |word: Option<&'static str>| word.unwrap_or_default().to_owned();
    MessageEvent {
        author: judgement.author.clone(),
        subject: judgement.subject.chars().take(SUBJECT_MOST).collect(),
        verdict: verdict.action.as_str().into(),
        score: verdict.score.points(),
        severity: word(verdict.severity.map(|severity| severity.as_str())),
        category: word(verdict.category.map(|category| category.as_str())),
        findings: judgement.findings.iter().map(finding).collect(),
        sole_causes: verdict.sole_causes.clone(),
        undecided: judgement.undecided.clone(),
        reasons: verdict.reasons.clone(),
        levers: verdict.levers.clone(),
        defects: judgement.defects.iter().map(|&defect| defect.into()).collect(),
        unscanned: judgement.unscanned.clone(),
        authentication: judgement.results.iter().map(authentication).collect(),
        ..MessageEvent::default()
    }
}

/// What each recipient's own action has become in the plan for all of them.
fn recipients(mail: &Mail, actions: &[Action], plan: &Plan) -> Vec<RecipientEvent> {
    let planned = |place: usize, own: Action| match plan {
        Plan::Reject => Action::Reject,
        Plan::Defer => Action::Defer,
        Plan::Quarantine => Action::Quarantine,
        Plan::Relay { keep, .. } if keep.contains(&place) => Action::Quarantine,
        Plan::Relay { .. } => own,
    };
    let pairs = mail.envelope.recipients.iter().zip(actions).enumerate();
    pairs
        .map(|(place, (recipient, own))| RecipientEvent {
            address: recipient.address.to_string(),
            verdict: planned(place, *own).as_str().into(),
        })
        .collect()
}

/// A result, and whom it is about.
fn authentication(result: &MethodResult) -> String {
    let whom = result.properties.first().map_or("", |(_, whom)| whom.as_str());
    let word = format!("{}={} {whom}", result.method, result.result);
    word.trim_end().to_owned()
}

/// A rule that matched, with what decided.
pub fn finding(finding: &Finding) -> FindingEvent {
    let rule = &finding.rule;
    let evidence = finding.evidence.iter().map(|snippet| EvidenceEvent {
        field: snippet.field.clone(),
        text: snippet.text.clone(),
        offset: snippet.offset,
    });
    FindingEvent {
        rule: rule.id.clone(),
        score: rule.score.points(),
        severity: rule.severity.as_str().into(),
        category: rule.category.as_str().into(),
        status: rule.status.as_str().into(),
        file: rule.file.clone(),
        line: rule.line,
        evidence: evidence.collect(),
    }
}

/// Checks that could not run: facts that rules or policy asked for in vain, each once, and limits that cut
/// the message short.
pub fn unscanned(
    findings: &Findings,
    by_policy: Option<(&'static str, &'static str)>,
    defects: &[&'static str],
) -> Vec<UnscannedEvent> {
    let asked = findings
        .undecided
        .iter()
        .map(|undecided| (undecided.check, undecided.cause));
    // Which limit it was stands among the defects.
    let cut = defects
        .iter()
        .any(|defect| defect.ends_with("-limit"))
        .then_some(("message", "limit"));
    let mut all: Vec<(&str, &str)> = asked.chain(by_policy).chain(cut).collect();
    all.sort_unstable();
    all.dedup();
    all.into_iter()
        .map(|(check, cause)| UnscannedEvent {
            check: check.into(),
            cause: cause.into(),
        })
        .collect()
}
