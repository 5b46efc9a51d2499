//! The whole story of a message: from the end of DATA to the reply.
//!
//! [`inspect`] turns a message into a judgement, [`handle`] has it acted on and recorded; `desk`
//! answers the session before that. Each stage is called once, in the order mail travels. Knows
//! nothing of sockets, and holds no detail of any stage.

mod accounts;
mod desk;
mod disclosure;
mod history;
mod loops;
mod record;
mod relay;
mod relays;
mod settings;

pub use desk::{GateDesk, Profile};
pub use disclosure::{Detail, DisclosureSettings};
pub use history::release_lesson;
pub use record::{finding as finding_event, judged};
pub use relay::{RelayGuard, RelaySettings};
pub use relays::behind as client_behind;
pub use settings::Deadlines;

use crate::action::{self, Assignment, LateAnswers, Marking, Means, Outcome, Plan, Sealer, Stamp, headers};
use crate::chance::Chance;
use crate::clock::Clock;
use crate::compute::Compute;
use crate::evidence::identity::Identity;
use crate::evidence::{Evidence, Fact, Inquiry, Kept, MethodResult, Outside, Probes, Secret};
use crate::mail::{Direction, Mail, Mailbox, Message, message};
use crate::rules::held::Held;
use crate::rules::stop_watch::CpuTime;
use crate::rules::{Action, Finding, Findings, RuleSet, RuleSpent, Status};
use crate::smtp::Reply;
use crate::store::journal::Journal;
use crate::store::{HistorySettings, Lesson, Store};
use crate::telemetry::{Telemetry, UnscannedEvent};
use crate::upstream::{Transaction, Upstreams};
use crate::verdict::breaker::Breaker;
use crate::verdict::{self, Checked, Levers, Mode, Origin, Policy, Verdict};
use arc_swap::ArcSwap;
use jiff::Timestamp;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

/// Mail up to this size is judged on the event loop; more goes to the pool.
const INLINE_MOST: usize = 64 << 10;

/// What a message is judged by: one generation of everything, swapped whole.
#[derive(Debug, Clone)]
pub struct Live {
    /// What decides the verdict.
    pub criteria: Criteria,
    /// Whose mail is taken.
    pub relay: Arc<RelayGuard>,
    /// Where mail goes on.
    pub upstreams: Arc<Upstreams>,
    /// What senders are told.
    pub disclosure: Arc<DisclosureSettings>,
    /// Who is asked about senders.
    pub probes: Probes,
    /// Who seals what goes on to our own servers, if anybody.
    pub sealer: Option<Arc<Sealer>>,
    /// Who we are in headers.
    pub stamp: Arc<Stamp>,
    /// What is remembered of correspondents.
    pub history: HistorySettings,
    /// The most bytes of a message.
    pub message_size: u64,
    /// How long judging and keeping may take.
    pub deadlines: Deadlines,
}

/// What decides a verdict, shared by the daemon and `scan`. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Criteria {
    /// The rules.
    pub rules: Arc<RuleSet>,
    /// Those of them that the breaker holds; none, for those who judge beside the gate.
    pub held: Arc<Held>,
    /// Thresholds and recipients' policies.
    pub policy: Arc<Policy>,
    /// The CPU time that judging takes, for those who must not wait.
    pub cpu_time: Option<CpuTime>,
    /// What an administrator has pulled; nothing, for those who judge beside the gate.
    pub levers: Arc<Levers>,
    /// How much of a message is looked at.
    pub parsing: message::Limits,
}

/// Everything that handling a message needs.
pub struct Gate {
    /// What messages are judged by.
    pub live: ArcSwap<Live>,
    /// The quarantine and the logs that last.
    pub store: Arc<dyn Store>,
    /// Records on their way to the store.
    pub journal: Journal,
    /// What makes the names of correspondents unreadable before they are remembered.
    pub secret: Secret,
    /// Upstream's answers that came too late for their senders.
    pub late: Arc<LateAnswers>,
    /// Which rules cost or catch too much.
    pub breaker: Mutex<Breaker>,
    /// Log lines and metrics.
    pub telemetry: Telemetry,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Randomness for ids.
    pub chance: Arc<dyn Chance>,
    /// Where heavy mail is judged.
    pub compute: Compute,
}

/// What the gate makes of a message, free of the message itself.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// Rules that matched, active and shadow.
    pub findings: Vec<Finding>,
    /// Rules that stayed undecided.
    pub undecided: Vec<String>,
    /// What rules took.
    pub spent: Vec<RuleSpent>,
    /// What a strict reader would object to.
    pub defects: Vec<&'static str>,
    /// Checks that could not run.
    pub unscanned: Vec<UnscannedEvent>,
    /// The author's address.
    pub author: String,
    /// The subject, decoded.
    pub subject: String,
    /// Bank details that may be remembered.
    pub bank_details: Vec<String>,
    /// What was found of who vouches for it.
    pub results: Vec<MethodResult>,
    /// Our seal on that.
    pub seal: String,
}

/// Judges a message: parse, evidence, rules, verdict. Pure.
pub fn inspect(mail: &Mail, criteria: &Criteria, mut outside: Outside, now: Timestamp) -> Judgement {
    outside.take_stated_name(mail);
    let results = std::mem::take(&mut outside.results);
    let dmarc_failure = outside.dmarc_failure.take();
    let by_policy = missed_by_policy(&criteria.policy, &outside);
    let message = Message::parse(&mail.bytes, &criteria.parsing);
    let evidence = Evidence {
        now,
        mail,
        message: &message,
        outside,
        kept: Kept::just(!mail.envelope.recipients.is_empty()),
        identity: Identity::against(criteria.rules.protected()),
    };
    let findings = criteria
        .rules
        .evaluate_live(&evidence, &criteria.held, criteria.cpu_time);
    let defects: Vec<&'static str> = message.defects().iter().map(|defect| defect.0).collect();
    let unscanned = record::unscanned(&findings, by_policy, &defects);
    let origin = origin(mail, message.authors());
    let pulled = criteria.levers.pulled(&origin, now);
    let checked = Checked {
        unscanned: &unscanned,
        dmarc: dmarc_failure.as_ref(),
    };
    let verdict = verdict::decide(&findings, checked, &criteria.policy, &mail.envelope, &pulled);
    Judgement {
        verdict,
        undecided: findings.undecided.into_iter().map(|undecided| undecided.rule).collect(),
        findings: findings.matched,
        spent: findings.spent,
        defects,
        unscanned,
        author: message.from().map(|author| author.address.clone()).unwrap_or_default(),
        subject: message.subject().to_owned(),
        bank_details: history::bank_details(&message, &evidence.outside, &criteria.rules),
        results,
        seal: String::new(),
    }
}

/// Our seal on what was found, where somebody seals.
fn sealed(mut judgement: Judgement, mail: &Mail, live: &Live, now: Timestamp) -> Judgement {
    let sealer = live.sealer.as_ref().filter(|_| mail.direction == Direction::Inbound);
    let chain = judgement.results.iter().find(|result| result.method == "arc");
    if let (Some(sealer), Some(chain)) = (sealer, chain) {
        let results = headers::authentication(&live.stamp, &judgement.results);
        judgement.seal = sealer
            .seal(&mail.bytes, chain.result, &results, now)
            .unwrap_or_default();
    }
    judgement
}

/// What policy asked for in vain: a check and the cause.
fn missed_by_policy(policy: &Policy, outside: &Outside) -> Option<(&'static str, &'static str)> {
    match outside.auth.dmarc {
        Fact::Unknown(cause) if policy.asks_dmarc() => Some(("auth.dmarc", cause)),
        _ => None,
    }
}

/// Whom levers may know it by.
fn origin<'m>(mail: &'m Mail, authors: &'m [Mailbox]) -> Origin<'m> {
    Origin {
        client: mail.client.address.map(|address| address.ip()),
        reverse_path: mail.envelope.reverse_path.as_ref(),
        authors,
    }
}

/// Handles a received message to its end: the reply to its sender.
pub async fn handle(
    mail: Mail,
    read: Duration,
    gate: &Gate,
    live: &Arc<Live>,
    leg: Transaction,
    profile: &Profile,
) -> Reply {
    let begun = Instant::now();
    let now = gate.clock.now();
    let mail = Arc::new(mail);
    // Headers keep the peer, which is who spoke to us; rules and log have the client behind it.
    let seen = relays::seen(&mail, &profile.trusted_relays, &live.criteria.parsing);
    if loops::is_looping(&mail.bytes, &live.stamp.hostname) {
        gate.telemetry.rejected("loop", "message");
        let outcome = turned_away(&seen, live, Turned::Looping, now);
        return conclude(outcome, None, &[("read", read)], gate);
    }
    // A bypass is for the day when judging is what goes wrong: mail then goes on unjudged.
    let bypassed = live.criteria.levers.bypass(now).is_some();
    let judgement = match judge(&seen, gate, live, now).await {
        None if bypassed => Some(unjudged(&seen, live, "deadline", now)),
        judged => judged,
    };
    let Some(judgement) = judgement else {
        gate.telemetry.rejected("deadline", "message");
        let outcome = turned_away(&seen, live, Turned::Late, now);
        return conclude(outcome, None, &[("read", read), ("judge", begun.elapsed())], gate);
    };
    let judged = Instant::now();
    gate.account(&judgement, &seen, now);
    for found in &judgement.results {
        gate.telemetry.authenticated(found.method, found.result);
    }

    let plan = action::plan(&judgement.verdict.recipients, profile.peer_relays);
    let findings = headers::Findings {
        results: &judgement.results,
        seal: &judgement.seal,
    };
    let added = headers::added(&mail, &live.stamp, findings, &marking(&judgement, &plan, live));
    let assignment = Assignment {
        pieces: headers::pieces(&added, &mail.bytes, mail.direction, &live.stamp),
        added,
        route: leg.route().name().to_owned(),
        accepted: live.disclosure.accepted(mail.id),
        deferred: live.disclosure.deferred(mail.id),
        refused: live.disclosure.refused(&judgement.verdict, mail.id),
        store_deadline: live.deadlines.commit.0,
        event: record::event(&seen, &judgement, &plan, live),
        mail: &mail,
        plan,
    };
    let means = Means {
        store: gate.store.as_ref(),
        late: &gate.late,
        telemetry: &gate.telemetry,
    };
    let outcome = action::perform(assignment, leg, means).await;
    let stages = [("read", read), ("judge", judged - begun), ("act", judged.elapsed())];
    let lesson = history::lesson(&mail, &judgement, &outcome.event, gate, live);
    let lesson = lesson.map(|lesson| (lesson, live.history.entries));
    conclude(outcome, lesson, &stages, gate)
}

/// Why a message is answered without having been judged.
#[derive(Debug, Clone, Copy)]
enum Turned {
    /// It goes in circles.
    Looping,
    /// Its turn to be judged did not come in time.
    Late,
}

/// The answer to a message that nobody judged. Its sender is told the id, so the journal has it too.
fn turned_away(mail: &Mail, live: &Live, why: Turned, now: Timestamp) -> Outcome {
    let id = mail.id;
    let (reply, action, plan, reason) = match why {
        Turned::Looping => (
            Reply::new(
                554,
                "5.4.6",
                format!("Too many hops, this message is going in circles. id {id}"),
            ),
            Action::Reject,
            Plan::Reject,
            "too many Received fields: it is going in circles",
        ),
        Turned::Late => (
            Reply::new(
                451,
                "4.3.2",
                format!("Too busy to judge the message now, try again later. id {id}"),
            ),
            Action::Defer,
            Plan::Defer,
            "no turn to be judged came in time",
        ),
    };
    let mut judgement = unjudged(mail, live, "deadline", now);
    judgement.verdict.action = action;
    judgement.verdict.reasons = vec![reason.into()];
    judgement.verdict.levers.clear();
    judgement.verdict.bypassed = false;
    if matches!(why, Turned::Looping) {
        judgement.unscanned.clear();
    }
    let mut event = record::event(mail, &judgement, &plan, live);
    event.action = action.as_str().into();
    event.reply = reply.to_string();
    Outcome {
        reply,
        event,
        journalled: false,
    }
}

/// One journal record, one log line, one count of each kind, one lesson at most.
fn conclude(
    mut outcome: Outcome,
    lesson: Option<(Lesson, u64)>,
    stages: &[(&'static str, Duration)],
    gate: &Gate,
) -> Reply {
    for &(stage, took) in stages {
        gate.telemetry.stage(stage, took.as_secs_f64());
        outcome
            .event
            .stages
            .push((stage.to_owned(), took.as_secs_f64() * 1000.0));
    }
    for missed in &outcome.event.unscanned {
        gate.telemetry.unscanned(&missed.check, &missed.cause);
    }
    gate.telemetry.message(&outcome.event);
    if !outcome.journalled {
        gate.journal.record(outcome.event);
    }
    if let Some((lesson, entries_max)) = lesson {
        gate.journal.learn(lesson, entries_max);
    }
    outcome.reply
}

/// Asks DNS what is to be asked of it, then judges inline or on the pool; once more with what the store remembers, if that
/// could make a difference. `None` when there was no turn in time. A parser that panics leaves a message that nobody judged: unknown, never clean.
async fn judge(mail: &Arc<Mail>, gate: &Gate, live: &Arc<Live>, now: Timestamp) -> Option<Judgement> {
    let until = Instant::now() + live.deadlines.judging.0;
    let panicked = || unjudged(mail, live, "panic", now);
    let read = {
        let (mail, live) = (Arc::clone(mail), Arc::clone(live));
        let secret = gate.secret.clone();
        move || {
            let inquiry = Inquiry::of(&mail, &live.probes, &live.criteria.parsing);
            (inquiry, history::Inquiry::of(&mail, &secret, &live))
        }
    };
    let Some((inquiry, of_store)) = work(mail, gate, until, read).await? else {
        return Some(panicked());
    };
    let answers = Arc::new(inquiry.ask(&live.probes).await);
    let judged = async |history| {
        let (mail_too, live, answers) = (Arc::clone(mail), Arc::clone(live), Arc::clone(&answers));
        let judge = move || {
            let outside = Outside {
                history,
                ..answers.outside(&mail_too, &live.probes, now)
            };
            let judgement = inspect(&mail_too, &live.criteria, outside, now);
            sealed(judgement, &mail_too, &live, now)
        };
        Some(work(mail, gate, until, judge).await?.unwrap_or_else(panicked))
    };
    let meanwhile = of_store.meanwhile();
    let wanted = meanwhile.wanted.clone();
    let without = judged(meanwhile).await?;
    match wanted.is_set() {
        true => judged(of_store.ask(gate, live, now).await).await,
        false => Some(without),
    }
}

/// Does what a message needs, here or on the pool by its size: `None` when there was no turn in time, nothing within
/// when it panicked.
async fn work<T: Send + 'static>(
    mail: &Mail,
    gate: &Gate,
    until: Instant,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<Option<T>> {
    let work = move || catch_unwind(AssertUnwindSafe(work)).ok();
    if mail.bytes.len() <= INLINE_MOST {
        return Some(work());
    }
    Some(
        tokio::time::timeout_at(until, gate.compute.run(work))
            .await
            .ok()?
            .ok()
            .flatten(),
    )
}

/// What is made of a message that nobody read: levers on its client and envelope count all the same.
fn unjudged(mail: &Mail, live: &Live, cause: &str, now: Timestamp) -> Judgement {
    let unscanned = vec![UnscannedEvent {
        check: "judging".into(),
        cause: cause.into(),
    }];
    let pulled = live.criteria.levers.pulled(&origin(mail, &[]), now);
    let (nothing, policy) = (Findings::default(), &live.criteria.policy);
    let checked = Checked {
        unscanned: &unscanned,
        ..Checked::default()
    };
    let verdict = verdict::decide(&nothing, checked, policy, &mail.envelope, &pulled);
    Judgement {
        verdict,
        findings: Vec::new(),
        undecided: Vec::new(),
        spent: Vec::new(),
        defects: Vec::new(),
        unscanned,
        author: String::new(),
        subject: String::new(),
        bank_details: Vec::new(),
        results: Vec::new(),
        seal: String::new(),
    }
}

fn marking(judgement: &Judgement, plan: &Plan, live: &Live) -> Marking {
    let counted = judgement
        .findings
        .iter()
        .filter(|finding| finding.rule.status == Status::Active);
    Marking {
        verdict: judgement.verdict.action.as_str(),
        score: judgement.verdict.score.points(),
        required: live.criteria.policy.thresholds().tag.points(),
        rules: counted.map(|finding| finding.rule.id.clone()).collect(),
        tagged: matches!(plan, Plan::Relay { tagged: true, .. }),
        shown: live.criteria.policy.mode() != Mode::Observe && !judgement.verdict.bypassed,
    }
}

#[cfg(test)]
mod tests;
