//! Carries a plan out, in the order that loses nothing.
//!
//! For mixed recipients: the kept part is committed as `pending` first, upstream gets the rest, and
//! upstream's answer settles what was kept. For those whom upstream leaves out the message is kept as
//! `undelivered`. Knows nothing of sessions: a reply comes out.

use super::late::{LateAnswers, fingerprint};
use super::plan::Plan;
use crate::mail::{Envelope, Mail};
use crate::smtp::Reply;
use crate::store::{Quarantined, State, Store, StoreError};
use crate::telemetry::{MessageEvent, Telemetry};
use crate::upstream::{Delivery, Missed, Transaction};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Everything that carrying out takes.
#[derive(Debug)]
pub struct Assignment<'a> {
    /// What to do.
    pub plan: Plan,
    /// The message.
    pub mail: &'a Mail,
    /// The message as it goes on, our headers first.
    pub pieces: Vec<Bytes>,
    /// Our headers, kept beside a quarantined body.
    pub added: Bytes,
    /// Where it would go.
    pub route: String,
    /// Told when it is kept for everyone.
    pub accepted: Reply,
    /// Told when it is put off.
    pub deferred: Reply,
    /// Told when it is refused.
    pub refused: Reply,
    /// How long the store may take before the client is told to come back.
    pub store_deadline: Duration,
    /// The record so far; what is done is added to it.
    pub event: MessageEvent,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// What the client is told.
    pub reply: Reply,
    /// The finished record.
    pub event: MessageEvent,
    /// Whether the store already holds that record, beside the message that it kept.
    pub journalled: bool,
}

/// What carrying out acts on.
#[derive(Clone, Copy)]
pub struct Means<'m> {
    /// Where mail is kept.
    pub store: &'m dyn Store,
    /// What upstream said too late.
    pub late: &'m Arc<LateAnswers>,
    /// Hears of refusals and trouble.
    pub telemetry: &'m Telemetry,
}

/// Does what the plan says. `leg` is the open transaction with upstream; a plan that needs none
/// drops it.
pub async fn perform(assignment: Assignment<'_>, leg: Transaction, means: Means<'_>) -> Outcome {
    match assignment.plan.clone() {
        Plan::Reject => {
            means.telemetry.rejected("policy", "message");
            assignment.answered("reject", |own| own.refused.clone())
        }
        Plan::Defer => {
            means.telemetry.rejected("deferred", "message");
            assignment.answered("defer", |own| own.deferred.clone())
        }
        Plan::Quarantine => {
            drop(leg);
            quarantine(assignment, means).await
        }
        Plan::Relay { tagged, to, keep } if keep.is_empty() => {
            let mut assignment = assignment;
            let delivery = assignment.deliver(&to, leg, means).await;
            let id = assignment.mail.id;
            assignment.ended(tagged, &to, delivery, id, means).await
        }
        Plan::Relay { tagged, to, keep } => divide(assignment, tagged, &to, &keep, leg, means).await,
    }
}

async fn quarantine(mut assignment: Assignment<'_>, means: Means<'_>) -> Outcome {
    assignment.event.action = "quarantine".into();
    assignment.event.reply = assignment.accepted.to_string();
    let kept = assignment.to_keep(State::Held, assignment.mail.envelope.clone());
    match commit(means.store, kept, assignment.store_deadline).await {
        Ok(_) => Outcome {
            reply: assignment.accepted,
            event: assignment.event,
            journalled: true,
        },
        Err(why) => assignment.store_failed(&why, means.telemetry),
    }
}

/// Some recipients get it, for the others it is kept.
async fn divide(
    mut assignment: Assignment<'_>,
    tagged: bool,
    to: &[usize],
    keep: &[usize],
    leg: Transaction,
    means: Means<'_>,
) -> Outcome {
    let mut kept = assignment.to_keep(State::Pending, subset(&assignment.mail.envelope, keep));
    // What the journal says should we die before upstream answers: nobody was told 250.
    kept.event.action = "failed".into();
    let (again, deadline) = (kept.clone(), assignment.store_deadline);
    let id = match commit(means.store, kept, deadline).await {
        Ok(id) => id,
        Err(why) => return assignment.store_failed(&why, means.telemetry),
    };
    let delivery = assignment.deliver(to, leg, means).await;
    assignment.event.reasons.push(format!(
        "kept for {} of {} recipients",
        keep.len(),
        to.len() + keep.len()
    ));
    let undelivered = beside(assignment.mail.id);
    let mut outcome = assignment.ended(tagged, to, delivery, undelivered, means).await;
    // Whatever but a clear yes is a 4xx or 5xx to the client, who then still has the message: what
    // was kept is void.
    let state = if outcome.reply.is_success() {
        State::Held
    } else {
        State::Voided
    };
    match settle(means.store, id, state, &outcome.event).await {
        Ok(()) => outcome.journalled = true,
        // Left by a crash, and a person voided it while this retry was under way: it is ours again.
        Err(StoreError::WrongState(State::Voided)) if state == State::Held => {
            return keep_again(again, outcome, deadline, means).await;
        }
        // A record that can't be settled stays `pending`, for a person to look at.
        Err(why) => {
            let text = format!("{id} stays pending, it should be {}: {why}", state.as_str());
            means.telemetry.warning("quarantine-unsettled", &text);
        }
    }
    outcome
}

/// Keeps a message anew whose record was voided under its hands, before its sender is told yes.
async fn keep_again(mut kept: Quarantined, mut outcome: Outcome, deadline: Duration, means: Means<'_>) -> Outcome {
    let id = kept.id;
    kept.id = anew(id);
    kept.state = State::Held;
    kept.event.clone_from(&outcome.event);
    match commit(means.store, kept, deadline).await {
        Ok(_) => outcome.journalled = true,
        Err(why) => {
            means.telemetry.rejected("store", "message");
            means.telemetry.warning("quarantine-failed", &format!("{id}: {why}"));
            outcome.reply = cannot_keep(id);
            outcome.event.action = "failed".into();
            outcome.event.reply = outcome.reply.to_string();
        }
    }
    outcome
}

/// Moves what was kept on, with the record of how it ended.
async fn settle(store: &dyn Store, id: Uuid, state: State, event: &MessageEvent) -> Result<(), StoreError> {
    match store.settle(id, state, Some(event.clone())).await {
        // An identical message, merged into the same one, is kept in its own right. Only the record is ours.
        Err(StoreError::WrongState(State::Held | State::Undelivered)) => {
            store.settle(id, State::Held, Some(event.clone())).await
        }
        settled => settled,
    }
}

async fn commit(store: &dyn Store, kept: Quarantined, deadline: Duration) -> Result<Uuid, StoreError> {
    // The commit itself runs on to its end: should it hold after all, the client's retry merges with it.
    let committed = tokio::time::timeout(deadline, store.quarantine(kept)).await;
    committed.unwrap_or_else(|_| Err(StoreError::Failed("no answer in time".into())))
}

impl Assignment<'_> {
    fn answered(mut self, action: &str, reply: impl Fn(&Self) -> Reply) -> Outcome {
        let reply = reply(&self);
        self.event.action = action.into();
        self.event.reply = reply.to_string();
        Outcome {
            reply,
            event: self.event,
            journalled: false,
        }
    }

    /// Sends it on to those places of the envelope, unless upstream has it from an earlier try.
    async fn deliver(&mut self, to: &[usize], mut leg: Transaction, means: Means<'_>) -> Delivery {
        let envelope = subset(&self.mail.envelope, to);
        if let Some(reply) = means.late.take(&envelope, &self.mail.bytes, self.mail.received) {
            self.event
                .reasons
                .push("upstream took it at an earlier try, and said so too late".into());
            return Delivery::Accepted(reply);
        }
        let (body, telemetry) = (self.mail.bytes.clone(), means.telemetry.clone());
        let listener = means
            .late
            .listener(envelope.clone(), body, self.mail.received, telemetry);
        leg.on_late_reply(listener);
        leg.deliver(&envelope, &self.pieces).await
    }

    /// What upstream's answer comes to. Those whom it left out are kept for before anybody is told yes:
    /// the sender has only one answer for all, and most of them have the message.
    async fn ended(
        mut self,
        tagged: bool,
        to: &[usize],
        delivery: Delivery,
        undelivered: Uuid,
        means: Means<'_>,
    ) -> Outcome {
        let Delivery::Partly { accepted, missed, .. } = &delivery else {
            return self.relayed(tagged, &delivery, means.telemetry);
        };
        let places: Vec<usize> = missed.iter().filter_map(|one| to.get(one.place).copied()).collect();
        let envelope = subset(&self.mail.envelope, &places);
        self.name_missed(&envelope, missed);
        let accepted = Delivery::Accepted(accepted.clone());
        self.record(tagged, &accepted);
        let kept = Quarantined {
            id: undelivered,
            ..self.to_keep(State::Undelivered, envelope)
        };
        match commit(means.store, kept, self.store_deadline).await {
            Ok(id) => {
                let text = format!(
                    "{id} is kept for {} of {} recipients, whom upstream left out (route {})",
                    missed.len(),
                    to.len(),
                    self.route
                );
                means.telemetry.warning("undelivered", &text);
                Outcome {
                    journalled: true,
                    ..self.relayed(tagged, &accepted, means.telemetry)
                }
            }
            // Neither upstream nor we have it for everyone, so the sender has to come back. Whoever has it gets a
            // second copy then, which is better than none for the others.
            Err(why) => {
                let text = format!("{}, of those left out by upstream: {why}", self.mail.id);
                means.telemetry.warning("quarantine-failed", &text);
                self.event
                    .reasons
                    .push("those left out could not be kept for: put off for all".into());
                self.relayed(tagged, &delivery, means.telemetry)
            }
        }
    }

    /// Writes down whom upstream left out, and what it said.
    fn name_missed(&mut self, envelope: &Envelope, missed: &[Missed]) {
        for (recipient, one) in envelope.recipients.iter().zip(missed) {
            self.event
                .reasons
                .push(format!("undelivered to {}: {}", recipient.address.as_str(), one.answer));
        }
    }

    fn relayed(mut self, tagged: bool, delivery: &Delivery, telemetry: &Telemetry) -> Outcome {
        match delivery {
            Delivery::Accepted(_) | Delivery::Refused(_) => {}
            Delivery::NotSent(_) | Delivery::Unsure(_) => telemetry.rejected("upstream", "message"),
            // It is the store that could not keep it for those left out.
            Delivery::Partly { .. } => telemetry.rejected("store", "message"),
        }
        self.record(tagged, delivery);
        Outcome {
            reply: delivery.reply().clone(),
            event: self.event,
            journalled: false,
        }
    }

    /// Writes down how it ended.
    fn record(&mut self, tagged: bool, delivery: &Delivery) {
        self.event.action = match delivery {
            Delivery::Accepted(_) if tagged => "tag",
            Delivery::Accepted(_) => "deliver",
            Delivery::Partly { .. } | Delivery::Refused(_) | Delivery::NotSent(_) | Delivery::Unsure(_) => "failed",
        }
        .into();
        self.event.upstream_reply = match delivery {
            Delivery::Accepted(reply) | Delivery::Refused(reply) => reply.to_string(),
            Delivery::Partly { accepted, .. } => accepted.to_string(),
            Delivery::NotSent(_) | Delivery::Unsure(_) => String::new(),
        };
        self.event.route.clone_from(&self.route);
        self.event.reply = delivery.reply().to_string();
    }

    fn store_failed(self, why: &StoreError, telemetry: &Telemetry) -> Outcome {
        telemetry.rejected("store", "message");
        telemetry.warning("quarantine-failed", &format!("{}: {why}", self.mail.id));
        let id = self.mail.id;
        self.answered("failed", |_| cannot_keep(id))
    }

    fn to_keep(&self, state: State, envelope: Envelope) -> Quarantined {
        Quarantined {
            id: self.mail.id,
            state,
            received: self.mail.received,
            fingerprint: fingerprint(&envelope, &self.mail.bytes),
            envelope,
            route: self.route.clone(),
            category: self.event.category.clone(),
            from: self.event.author.clone(),
            subject: self.event.subject.clone(),
            body: self.mail.bytes.clone(),
            added: self.added.clone(),
            event: self.event.clone(),
            hold: None,
        }
    }
}

/// The id under which a message is kept for those whom upstream left out, when its own is taken by what
/// was kept for others: the same but for its last, random bit, so that the two stand side by side and
/// a commit that is tried twice has one id.
fn beside(id: Uuid) -> Uuid {
    Uuid::from_u128(id.as_u128() ^ 1)
}

/// The id under which a message is kept once more, beside one that is void: see [`beside`].
fn anew(id: Uuid) -> Uuid {
    Uuid::from_u128(id.as_u128() ^ 2)
}

fn cannot_keep(id: Uuid) -> Reply {
    let text = format!("Cannot keep the message now, try again later. id {id}");
    Reply::new(452, "4.3.1", text)
}

fn subset(envelope: &Envelope, places: &[usize]) -> Envelope {
    Envelope {
        reverse_path: envelope.reverse_path.clone(),
        parameters: envelope.parameters.clone(),
        recipients: places
            .iter()
            .filter_map(|place| envelope.recipients.get(*place).cloned())
            .collect(),
    }
}
