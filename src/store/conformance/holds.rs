//! Legal holds, and a person's word on what a crash left undecided.

use super::quarantine::bring;
use super::{at, audit_entry, conform, id, message, recipient, state_of};
use crate::store::custody::STATES;
use crate::store::{Hold, QuarantineQuery, State, Store, StoreError};
use std::sync::Arc;

conform! {
    a_hold_is_told_and_audited
    a_hold_stops_delete_in_every_state
    a_body_that_was_to_go_goes_when_the_hold_is_lifted
    a_message_on_hold_is_released_and_stays
    a_persons_word_from_every_state
    a_release_is_decided_for_those_who_were_claimed
}

fn by(name: &str) -> Hold {
    Hold {
        by: name.to_owned(),
        reason: "case 12; \"quoted\"".to_owned(),
        since: at(9),
    }
}

async fn hold(store: &dyn Store, number: u128, hold: Option<Hold>) -> Result<(), StoreError> {
    store
        .hold(id(number), hold, audit_entry(9, "hold", Some(id(number))))
        .await
}

async fn a_hold_is_told_and_audited(store: Arc<dyn Store>) {
    assert_eq!(hold(&*store, 1, Some(by("uid 7"))).await, Err(StoreError::NotFound));
    let all = ["a@town.example"];
    store.quarantine(message(1, State::Held, &all)).await.expect("kept");
    store.quarantine(message(2, State::Held, &all)).await.expect("kept");
    assert_eq!(hold(&*store, 1, None).await, Err(StoreError::NotOnHold));
    assert_eq!(hold(&*store, 1, Some(by("uid 7"))).await, Ok(()));
    assert_eq!(hold(&*store, 1, Some(by("uid 8"))).await, Err(StoreError::OnHold));
    assert_eq!(store.get(id(1)).await.expect("is kept").hold, Some(by("uid 7")));
    let listed = store.list(QuarantineQuery::default()).await.expect("listed");
    let holds: Vec<Option<Hold>> = listed.into_iter().map(|one| one.hold).collect();
    assert_eq!(holds, [None, Some(by("uid 7"))]);
    let query = QuarantineQuery {
        on_hold: true,
        ..QuarantineQuery::default()
    };
    let listed = store.list(query).await.expect("listed");
    assert_eq!(listed.iter().map(|one| one.id).collect::<Vec<_>>(), [id(1)]);
    assert_eq!(store.totals().await.expect("counted").on_hold, 1);
    assert_eq!(hold(&*store, 1, None).await, Ok(()));
    assert_eq!(store.get(id(1)).await.expect("is kept").hold, None);
    assert_eq!(store.totals().await.expect("counted").on_hold, 0);
    let audit = store.audit(Some(id(1))).await.expect("read");
    assert_eq!(audit.len(), 2, "what was refused is for the caller to tell: {audit:?}");
}

async fn a_hold_stops_delete_in_every_state(store: Arc<dyn Store>) {
    for (number, state) in (1..).zip(STATES) {
        bring(&*store, number, state).await;
        assert_eq!(hold(&*store, number, Some(by("uid 7"))).await, Ok(()), "{state:?}");
        assert_eq!(store.delete(id(number)).await, Err(StoreError::OnHold), "{state:?}");
        assert_eq!(state_of(&*store, number).await, state);
    }
    assert_eq!(store.totals().await.expect("counted").on_hold, STATES.len() as u64);
}

async fn a_body_that_was_to_go_goes_when_the_hold_is_lifted(store: Arc<dyn Store>) {
    store
        .quarantine(message(1, State::Pending, &["a@town.example"]))
        .await
        .expect("kept");
    hold(&*store, 1, Some(by("uid 7"))).await.expect("on hold");
    store.settle(id(1), State::Voided, None).await.expect("voided");
    let kept = store.get(id(1)).await.expect("is kept");
    assert_eq!(
        (kept.state, kept.body.is_empty(), kept.added.is_empty()),
        (State::Voided, false, false)
    );
    hold(&*store, 1, None).await.expect("lifted");
    let kept = store.get(id(1)).await.expect("is kept");
    assert_eq!(
        (kept.state, kept.body.is_empty(), kept.added.is_empty()),
        (State::Voided, true, true)
    );
}

async fn a_message_on_hold_is_released_and_stays(store: Arc<dyn Store>) {
    store
        .quarantine(message(1, State::Held, &["a@town.example"]))
        .await
        .expect("kept");
    hold(&*store, 1, Some(by("uid 7"))).await.expect("on hold");
    let claim = store.claim(id(1), &[]).await.expect("claimed");
    assert!(!claim.message.body.is_empty());
    store
        .settle_release(id(1), &[], crate::store::ReleaseOutcome::Delivered)
        .await
        .expect("settled");
    let kept = store.get(id(1)).await.expect("is kept");
    assert_eq!(
        (kept.state, kept.body.is_empty(), kept.hold),
        (State::Released, false, Some(by("uid 7")))
    );
}

async fn a_persons_word_from_every_state(store: Arc<dyn Store>) {
    let mut number = 0;
    for to in STATES {
        for from in STATES {
            number += 1;
            bring(&*store, number, from).await;
            let allowed = matches!(
                (from, to),
                (State::Pending, State::Held | State::Voided) | (State::ReleaseUnknown, State::Held | State::Released)
            );
            let told = store
                .decide(id(number), to, audit_entry(1, "settle", Some(id(number))))
                .await;
            let expected = if allowed {
                Ok(to)
            } else {
                Err(StoreError::WrongState(from))
            };
            assert_eq!(told, expected, "{from:?} as {to:?}");
            let (state, audit) = if allowed { (to, 1) } else { (from, 0) };
            assert_eq!(state_of(&*store, number).await, state, "{from:?} as {to:?}");
            assert_eq!(
                store.audit(Some(id(number))).await.expect("read").len(),
                audit,
                "{from:?} as {to:?}"
            );
            let has_body = !store.get(id(number)).await.expect("is kept").body.is_empty();
            assert_eq!(
                has_body,
                !matches!(state, State::Voided | State::Deleted),
                "{from:?} as {to:?}"
            );
        }
    }
}

async fn a_release_is_decided_for_those_who_were_claimed(store: Arc<dyn Store>) {
    for (number, begins, to, stands, left) in [
        (1, State::Held, State::Released, State::Held, vec!["b@town.example"]),
        (
            2,
            State::Held,
            State::Held,
            State::Held,
            vec!["a@town.example", "b@town.example"],
        ),
        (
            3,
            State::Undelivered,
            State::Released,
            State::Undelivered,
            vec!["b@town.example"],
        ),
        (
            4,
            State::Undelivered,
            State::Held,
            State::Undelivered,
            vec!["a@town.example", "b@town.example"],
        ),
    ] {
        store
            .quarantine(message(number, begins, &["a@town.example", "b@town.example"]))
            .await
            .expect("kept");
        store
            .claim(id(number), &["a@town.example".to_owned()])
            .await
            .expect("claimed");
        let told = store
            .decide(id(number), to, audit_entry(1, "settle", Some(id(number))))
            .await;
        assert_eq!(told, Ok(stands), "{number}");
        let recipients = store.get(id(number)).await.expect("is kept").envelope.recipients;
        let expected: Vec<_> = left.iter().map(|address| recipient(address, &[])).collect();
        assert_eq!(recipients, expected, "{number}");
    }
}
