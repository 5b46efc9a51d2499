//! Carrying out and releasing against a store that fails when told and an upstream with a script.

mod mixed;
mod undelivered;

use super::*;
use crate::mail::{Address, Client, Direction, Envelope, Mail, Parameter, Recipient};
use crate::smtp::Reply;
use crate::store::memory::Operation;
use crate::store::{AuditEntry, JournalQuery, MemoryStore, QuarantineQuery, State, Store};
use crate::telemetry::{MessageEvent, Telemetry};
use crate::upstream::test_sink::{Act, Sink, parts};
use crate::upstream::{Settings, Transaction, Upstreams};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

const BODY: &[u8] = b"Subject: x\r\n\r\n.\r\nbody\r\n";

/// A store, an upstream, and what came of the messages so far.
struct House {
    sink: Sink,
    upstreams: Upstreams,
    store: MemoryStore,
    late: Arc<LateAnswers>,
    telemetry: Telemetry,
}

impl House {
    async fn new() -> Self {
        Self::before(Sink::settings).await
    }

    /// Before an upstream that answers for each recipient.
    async fn lmtp() -> Self {
        Self::before(Sink::lmtp_settings).await
    }

    async fn before(settings: fn(&Sink) -> Settings) -> Self {
        let sink = Sink::start().await;
        let mut parts = parts();
        parts.connect = sink.in_process();
        Self {
            upstreams: Upstreams::new(&[settings(&sink)], &parts).unwrap(),
            sink,
            store: MemoryStore::default(),
            late: Arc::default(),
            telemetry: Telemetry::default(),
        }
    }

    async fn leg(&self, mail: &Mail) -> Transaction {
        let route = self.upstreams.only_route().unwrap();
        let (_, leg) = route.open(&mail.client, mail.envelope.reverse_path.as_ref(), &[]).await;
        let mut leg = leg.unwrap();
        for recipient in &mail.envelope.recipients {
            assert!(leg.rcpt(recipient).await.is_success());
        }
        leg
    }

    /// Has the plan carried out for message `number`, to a@ and b@.
    async fn perform(&self, number: u128, plan: Plan) -> Outcome {
        self.perform_on(&mail(number), plan).await
    }

    async fn perform_on(&self, mail: &Mail, plan: Plan) -> Outcome {
        let leg = self.leg(mail).await;
        let event = MessageEvent {
            id: mail.id.to_string(),
            time: mail.received.to_string(),
            direction: "inbound".into(),
            category: "spam".into(),
            ..MessageEvent::default()
        };
        let added = Bytes::from_static(b"X-Portreeve-Id: 1\r\n");
        let assignment = Assignment {
            plan,
            pieces: vec![added.clone(), mail.bytes.clone()],
            added,
            route: "default".into(),
            accepted: Reply::new(250, "2.0.0", "kept"),
            deferred: Reply::new(451, "4.7.1", "later"),
            refused: Reply::new(550, "5.7.1", "no"),
            store_deadline: Duration::from_secs(1),
            event,
            mail,
        };
        let means = Means {
            store: &self.store,
            late: &self.late,
            telemetry: &self.telemetry,
        };
        let outcome = perform(assignment, leg, means).await;
        if !outcome.journalled {
            self.store
                .append_journal(std::slice::from_ref(&outcome.event))
                .await
                .unwrap();
        }
        outcome
    }

    async fn states(&self) -> Vec<(State, Vec<String>)> {
        let kept = self.store.list(QuarantineQuery::default()).await.unwrap();
        kept.into_iter().map(|one| (one.state, one.recipients)).collect()
    }

    /// Action and reply of each record, oldest id first: one a message.
    async fn journal(&self) -> Vec<(String, String)> {
        let mut records = self.store.search_journal(JournalQuery::default()).await.unwrap();
        records.sort_by(|a, b| a.id.cmp(&b.id));
        records.into_iter().map(|one| (one.action, one.reply)).collect()
    }

    fn counted(&self, series: &str) -> bool {
        self.telemetry.scrape().contains(&format!("portreeve_{series} 1\n"))
    }

    async fn release(&self, number: u128, recipients: &[&str]) -> Result<Released, ReleaseError> {
        let stamp = Stamp {
            hostname: "gate.example".into(),
        };
        let recipients: Vec<String> = recipients.iter().map(|&one| one.into()).collect();
        release(
            &self.store,
            &self.upstreams,
            &stamp,
            Uuid::from_u128(number),
            &recipients,
        )
        .await
    }
}

fn mail(number: u128) -> Mail {
    let recipient = |text: &str| Recipient {
        address: Address::from_checked(text),
        parameters: vec![Parameter {
            keyword: "NOTIFY".into(),
            value: Some("NEVER".into()),
        }],
    };
    Mail {
        id: Uuid::from_u128(number),
        received: "2026-11-23T09:00:00Z".parse().unwrap(),
        listener: "inbound".into(),
        direction: Direction::Inbound,
        client: Client::default(),
        envelope: Envelope {
            reverse_path: Some(Address::from_checked("s@example.org")),
            parameters: Vec::new(),
            recipients: vec![recipient("a@example.net"), recipient("b@example.net")],
        },
        bytes: Bytes::from_static(BODY),
    }
}

fn relay(to: &[usize], keep: &[usize]) -> Plan {
    Plan::Relay {
        tagged: false,
        to: to.to_vec(),
        keep: keep.to_vec(),
    }
}

fn record(action: &str, reply: &str) -> (String, String) {
    (action.into(), reply.into())
}

fn held(recipients: &[&str]) -> (State, Vec<String>) {
    (State::Held, recipients.iter().map(|&one| one.into()).collect())
}

#[tokio::test]
async fn each_plan_has_its_reply_and_one_record() {
    let house = House::new().await;
    for (number, plan, code, action) in [
        (1, relay(&[0, 1], &[]), 250, "deliver"),
        (2, Plan::Quarantine, 250, "quarantine"),
        (3, Plan::Defer, 451, "defer"),
        (4, Plan::Reject, 550, "reject"),
    ] {
        let outcome = house.perform(number, plan).await;
        assert_eq!((outcome.reply.code(), outcome.event.action.as_str()), (code, action));
    }
    assert_eq!(house.journal().await.len(), 4);
    assert_eq!(house.states().await, [held(&["a@example.net", "b@example.net"])]);
    let taken = house.sink.taken();
    assert_eq!(taken.len(), 1, "only what is delivered reaches upstream");
    assert_eq!(taken[0].body, [b"X-Portreeve-Id: 1\r\n", BODY].concat());
    assert!(house.counted("rejects_total{reason=\"deferred\",stage=\"message\"}"));
    assert!(house.counted("rejects_total{reason=\"policy\",stage=\"message\"}"));
}

#[tokio::test(start_paused = true)]
async fn what_upstream_does_at_the_dot_decides_the_reply() {
    for (step, act, code, action) in [
        ("BODY", Act::Say("550 5.6.0 no\r\n"), 550, "failed"),
        ("BODY", Act::Say("452 4.3.1 full\r\n"), 452, "failed"),
        ("DATA", Act::Say("554 5.3.0 no\r\n"), 554, "failed"),
        ("BODY", Act::Close, 451, "failed"),
        ("BODY", Act::Silence, 451, "failed"),
        ("MIDDLE", Act::Close, 451, "failed"),
        ("DATA", Act::Close, 451, "failed"),
    ] {
        for plan in [relay(&[0, 1], &[]), relay(&[0], &[1])] {
            let house = House::new().await;
            house.sink.at(step, "", act.clone());
            let outcome = house.perform(1, plan).await;
            let told = (outcome.reply.code(), outcome.event.action.as_str());
            assert_eq!(told, (code, action), "{step} {act:?}: {}", outcome.reply);
            // Nobody was told 250, so nothing that was kept is ours to release.
            let states = house.states().await;
            assert!(states.iter().all(|(state, _)| *state == State::Voided), "{states:?}");
            assert_eq!(house.journal().await, [record(action, &outcome.reply.to_string())]);
        }
    }
}

#[tokio::test]
async fn mixed_recipients_are_kept_before_upstream_is_asked_and_held_after_its_yes() {
    let house = House::new().await;
    let outcome = house.perform(1, relay(&[1], &[0])).await;
    assert_eq!(outcome.reply.to_string(), "250 2.0.0 taken");
    assert!(outcome.journalled);
    assert_eq!(house.states().await, [held(&["a@example.net"])]);
    assert_eq!(house.journal().await, [record("deliver", "250 2.0.0 taken")]);
    let taken = house.sink.taken();
    assert_eq!(taken.len(), 1);
    assert_eq!(
        taken[0].commands,
        ["MAIL FROM:<s@example.org>", "RCPT TO:<b@example.net> NOTIFY=NEVER"]
    );
}

#[tokio::test]
async fn a_store_that_fails_means_come_back_and_nothing_half_done() {
    for plan in [Plan::Quarantine, relay(&[0], &[1])] {
        let house = House::new().await;
        house.store.fail_next(Operation::Quarantine, 1);
        let outcome = house.perform(1, plan).await;
        assert_eq!((outcome.reply.code(), outcome.event.action.as_str()), (452, "failed"));
        assert!(house.states().await.is_empty());
        assert!(house.sink.taken().is_empty(), "nobody got a copy");
        assert_eq!(house.journal().await.len(), 1);
        assert!(house.counted("rejects_total{reason=\"store\",stage=\"message\"}"));
    }
}

#[tokio::test]
async fn what_cannot_be_settled_stays_pending_for_a_person() {
    let house = House::new().await;
    house.store.fail_next(Operation::Settle, 1);
    let outcome = house.perform(1, relay(&[0], &[1])).await;
    assert_eq!(
        outcome.reply.code(),
        250,
        "upstream has it: the sender must not come back"
    );
    assert_eq!(house.states().await[0].0, State::Pending);
}

/// A person may void what a crash left while its sender is trying again: that try is not void.
#[tokio::test(start_paused = true)]
async fn what_is_voided_by_hand_under_way_is_kept_all_the_same_or_put_off() {
    for (fails, code, states) in [(0, 250, &[State::Voided, State::Held][..]), (1, 452, &[State::Voided])] {
        let house = House::new().await;
        house.sink.at("BODY", "", Act::Delay(10));
        let voided = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            let audit = AuditEntry {
                time: "2026-11-23T09:00:00Z".parse().unwrap(),
                actor: "uid 7".into(),
                act: "settle as voided".into(),
                message: None,
                reason: "never promised".into(),
                outcome: "settled".into(),
            };
            house
                .store
                .decide(Uuid::from_u128(1), State::Voided, audit)
                .await
                .unwrap();
            house.store.fail_next(Operation::Quarantine, fails);
        };
        let (outcome, ()) = tokio::join!(house.perform(1, relay(&[0], &[1])), voided);
        assert_eq!(outcome.reply.code(), code);
        let mut found: Vec<State> = house.states().await.into_iter().map(|(state, _)| state).collect();
        found.sort_by_key(|state| *state == State::Held);
        assert_eq!(found, states);
        let action = if code == 250 { "deliver" } else { "failed" };
        assert_eq!(house.journal().await[0].0, action);
    }
}

#[tokio::test]
async fn retries_merge_and_each_keeps_its_own_outcome() {
    let house = House::new().await;
    house.sink.at("BODY", "", Act::Say("450 4.2.0 later\r\n"));
    house.perform(1, relay(&[0], &[1])).await;
    house.sink.heal();
    house.perform(2, relay(&[0], &[1])).await;
    house.perform(3, relay(&[0], &[1])).await;
    // The client never heard our 250 and now upstream is away: what is held already stays held.
    house.sink.at("BODY", "", Act::Say("451 4.2.0 away\r\n"));
    house.perform(4, relay(&[0], &[1])).await;
    let states = house.states().await;
    let count = |state| states.iter().filter(|(one, _)| *one == state).count();
    assert_eq!((count(State::Held), count(State::Voided), states.len()), (1, 1, 2));
    assert_eq!(
        house.journal().await,
        [
            record("failed", "450 4.2.0 later"),
            record("deliver", "250 2.0.0 taken"),
            record("deliver", "250 2.0.0 taken"),
            record("failed", "451 4.2.0 away"),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_yes_that_came_too_late_spares_the_next_try_a_second_copy() {
    let house = House::new().await;
    house.sink.at("BODY", "", Act::Delay(400));
    assert_eq!(house.perform(1, relay(&[0], &[1])).await.reply.code(), 451);
    tokio::time::sleep(Duration::from_secs(200)).await;
    house.sink.heal();
    let again = house.perform(2, relay(&[0], &[1])).await;
    assert_eq!(again.reply.to_string(), "250 2.0.0 taken");
    assert_eq!(house.sink.taken().len(), 1);
    assert!(house.states().await.contains(&held(&["b@example.net"])));
    // A third one is the sender's own wish.
    house.perform(3, relay(&[0, 1], &[])).await;
    assert_eq!(house.sink.taken().len(), 2);
}

#[tokio::test]
async fn a_release_goes_once_to_whom_it_was_meant_for() {
    let house = House::new().await;
    house.perform(1, Plan::Quarantine).await;
    let first = house.release(1, &["b@example.net"]).await.unwrap();
    assert_eq!(
        (first.recipients.as_slice(), first.remaining),
        (["b@example.net".to_owned()].as_slice(), 1)
    );
    assert_eq!(house.states().await, [held(&["a@example.net"])]);
    assert_eq!(
        house.release(1, &["b@example.net"]).await.unwrap_err().to_string(),
        "the message is not held for that recipient"
    );
    assert_eq!(house.release(1, &[]).await.unwrap().recipients, ["a@example.net"]);
    assert_eq!(
        house.release(1, &[]).await.unwrap_err().to_string(),
        "the message is released"
    );
    let taken = house.sink.taken();
    assert_eq!(taken.len(), 2);
    for (taken, to) in taken.iter().zip(["b", "a"]) {
        assert_eq!(taken.body, [b"X-Portreeve-Id: 1\r\n", BODY].concat());
        let rcpt = format!("RCPT TO:<{to}@example.net> NOTIFY=NEVER");
        assert_eq!(taken.commands, ["MAIL FROM:<s@example.org>", &rcpt]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_release_that_fails_leaves_the_message_held_or_says_that_nobody_knows() {
    for (step, act, state) in [
        ("BODY", Act::Say("550 5.6.0 no\r\n"), State::Held),
        ("MAIL", Act::Say("450 4.1.0 no\r\n"), State::Held),
        ("RCPT", Act::Say("550 5.1.1 no\r\n"), State::Held),
        ("DATA", Act::Close, State::Held),
        ("BANNER", Act::Close, State::Held),
        ("BODY", Act::Close, State::ReleaseUnknown),
        ("BODY", Act::Silence, State::ReleaseUnknown),
    ] {
        let house = House::new().await;
        house.perform(1, Plan::Quarantine).await;
        house.upstreams.close().await;
        house.sink.at(step, "", act.clone());
        let error = house.release(1, &[]).await.unwrap_err();
        let unknown = matches!(error, ReleaseError::Unknown(_));
        assert_eq!(unknown, state == State::ReleaseUnknown, "{step} {act:?}: {error}");
        assert_eq!(house.states().await[0].0, state, "{step} {act:?}");
        house.sink.heal();
        assert_eq!(house.release(1, &[]).await.is_ok(), !unknown, "{step} {act:?}");
    }
}

#[tokio::test]
async fn a_release_that_cannot_be_recorded_never_runs_twice() {
    let house = House::new().await;
    house.perform(1, Plan::Quarantine).await;
    house.store.fail_next(Operation::Claim, 1);
    assert!(matches!(house.release(1, &[]).await, Err(ReleaseError::Store(_))));
    assert!(house.sink.taken().is_empty());
    house.store.fail_next(Operation::SettleRelease, 1);
    assert!(matches!(house.release(1, &[]).await, Err(ReleaseError::Unknown(_))));
    assert!(matches!(house.release(1, &[]).await, Err(ReleaseError::Store(_))));
    assert_eq!(house.sink.taken().len(), 1);
}
