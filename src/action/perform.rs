//! Carries a plan out, in the order that loses nothing.
//!
//! For mixed recipients: the kept part is committed as `pending` first, upstream gets the rest, and
//! upstream's answer settles what was kept. Knows nothing of sessions: a reply comes out.

use super::late::{LateAnswers, fingerprint};
use super::plan::Plan;
use crate::mail::{Envelope, Mail};
use crate::smtp::Reply;
use crate::store::{Quarantined, State, Store, StoreError};
use crate::telemetry::{MessageEvent, Telemetry};
use crate::upstream::{Delivery, Transaction};
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
            assignment.relayed(tagged, &delivery, means.telemetry)
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
    let id = match commit(means.store, kept, assignment.store_deadline).await {
        Ok(id) => id,
        Err(why) => return assignment.store_failed(&why, means.telemetry),
    };
    let delivery = assignment.deliver(to, leg, means).await;
    assignment.event.reasons.push(format!(
        "kept for {} of {} recipients",
        keep.len(),
        to.len() + keep.len()
    ));
    let mut outcome = assignment.relayed(tagged, &delivery, means.telemetry);
    // Whatever but a clear yes is a 4xx or 5xx to the client, who then still has the message: what
    // was kept is void.
    let state = if matches!(delivery, Delivery::Accepted(_)) {
        State::Held
    } else {
        State::Voided
    };
    match settle(means.store, id, state, &outcome.event).await {
        Ok(()) => outcome.journalled = true,
        // A record that can't be settled stays `pending`, for a person to look at.
        Err(why) => {
            let text = format!("{id} stays pending, it should be {}: {why}", state.as_str());
            means.telemetry.warning("quarantine-unsettled", &text);
        }
    }
    outcome
}

/// Moves what was kept on, with the record of how it ended.
async fn settle(store: &dyn Store, id: Uuid, state: State, event: &MessageEvent) -> Result<(), StoreError> {
    match store.settle(id, state, Some(event.clone())).await {
        // An identical message, merged into the same one, is held in its own right. Only the record is ours.
        Err(StoreError::WrongState(State::Held)) => store.settle(id, State::Held, Some(event.clone())).await,
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

    fn relayed(mut self, tagged: bool, delivery: &Delivery, telemetry: &Telemetry) -> Outcome {
        if matches!(delivery, Delivery::NotSent(_) | Delivery::Unsure(_)) {
            telemetry.rejected("upstream", "message");
        }
        let reply = delivery.reply().clone();
        self.event.action = match delivery {
            Delivery::Accepted(_) if tagged => "tag",
            Delivery::Accepted(_) => "deliver",
            // Nobody keeps it yet for those left out, so the sender has to: a second copy for some, and
            // nothing lost.
            Delivery::Partly { .. } | Delivery::Refused(_) | Delivery::NotSent(_) | Delivery::Unsure(_) => "failed",
        }
        .into();
        self.event.upstream_reply = match delivery {
            Delivery::Accepted(reply) | Delivery::Refused(reply) => reply.to_string(),
            Delivery::Partly { .. } | Delivery::NotSent(_) | Delivery::Unsure(_) => String::new(),
        };
        self.event.route.clone_from(&self.route);
        self.event.reply = reply.to_string();
        Outcome {
            reply,
            event: self.event,
            journalled: false,
        }
    }

    fn store_failed(self, why: &StoreError, telemetry: &Telemetry) -> Outcome {
        telemetry.rejected("store", "message");
        telemetry.warning("quarantine-failed", &format!("{}: {why}", self.mail.id));
        let id = self.mail.id;
        self.answered("failed", |_| {
            Reply::new(
                452,
                "4.3.1",
                format!("Cannot keep the message now, try again later. id {id}"),
            )
        })
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
        }
    }
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
