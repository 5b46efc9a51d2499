//! Claims and how they end.

use super::{conform, id, message, recipient, state_of};
use crate::store::{QuarantineQuery, ReleaseOutcome, State, Store, StoreError};
use std::sync::Arc;

conform! {
    one_of_fifty_parallel_claims_wins
    a_claim_holds_what_is_to_be_delivered
    a_release_goes_recipient_by_recipient
    a_release_that_failed_is_held_again
    what_was_undelivered_is_so_until_everyone_has_it
    a_release_nobody_knows_the_end_of_stays_so
    a_wrong_name_claims_nothing
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

async fn one_of_fifty_parallel_claims_wins(store: Arc<dyn Store>) {
    store
        .quarantine(message(1, State::Held, &["a@town.example"]))
        .await
        .expect("kept");
    let mut claims = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let store = Arc::clone(&store);
        claims.spawn(async move { store.claim(id(1), &[]).await.map(|claim| claim.message.id) });
    }
    let ended = claims.join_all().await;
    assert_eq!(ended.iter().filter(|claim| **claim == Ok(id(1))).count(), 1);
    let refused = Err(StoreError::WrongState(State::ReleaseUnknown));
    assert_eq!(ended.iter().filter(|claim| **claim == refused).count(), 49);
}

async fn a_claim_holds_what_is_to_be_delivered(store: Arc<dyn Store>) {
    let mut kept = message(1, State::Held, &[]);
    kept.envelope.recipients = vec![
        recipient("Bob@Town.example", &[("ORCPT", Some("rfc822;Bob+2B@Town.Example"))]),
        recipient("eve@town.example", &[]),
    ];
    store.quarantine(kept.clone()).await.expect("kept");
    let claim = store
        .claim(id(1), &names(&["bob@TOWN.example"]))
        .await
        .expect("claimed");
    assert_eq!(claim.remaining, 1);
    assert_eq!(claim.message.state, State::ReleaseUnknown);
    assert_eq!(claim.message.envelope.recipients, kept.envelope.recipients[..1]);
    assert_eq!(claim.message.envelope.reverse_path, kept.envelope.reverse_path);
    assert_eq!((claim.message.body, claim.message.added), (kept.body, kept.added));
}

async fn a_release_goes_recipient_by_recipient(store: Arc<dyn Store>) {
    let all = ["a@town.example", "b@town.example", "c@town.example"];
    store.quarantine(message(1, State::Held, &all)).await.expect("kept");
    let listed = async || {
        let found = store.list(QuarantineQuery::default()).await.expect("listed");
        found.first().expect("one").recipients.clone()
    };
    store.claim(id(1), &names(&["b@town.example"])).await.expect("claimed");
    assert_eq!(listed().await, all, "not delivered yet");
    store
        .settle_release(id(1), &names(&["b@town.example"]), ReleaseOutcome::Delivered)
        .await
        .expect("settled");
    assert_eq!(state_of(&*store, 1).await, State::Held);
    assert_eq!(listed().await, ["a@town.example", "c@town.example"]);
    let again = store.claim(id(1), &names(&["b@town.example"])).await.map(|_| ());
    assert_eq!(again, Err(StoreError::NoSuchRecipient), "never a second copy");

    let claim = store.claim(id(1), &[]).await.expect("claimed");
    assert_eq!((claim.message.envelope.recipients.len(), claim.remaining), (2, 0));
    store
        .settle_release(id(1), &names(&["c@town.example"]), ReleaseOutcome::Delivered)
        .await
        .expect("settled");
    assert_eq!(listed().await, ["a@town.example"], "claimed and not named: held again");
    store.claim(id(1), &[]).await.expect("claimed");
    store
        .settle_release(id(1), &[], ReleaseOutcome::Delivered)
        .await
        .expect("settled");
    assert_eq!(state_of(&*store, 1).await, State::Released);
    assert_eq!(listed().await, all, "all that it was held for");
}

async fn a_release_that_failed_is_held_again(store: Arc<dyn Store>) {
    store
        .quarantine(message(1, State::Held, &["a@town.example", "b@town.example"]))
        .await
        .expect("kept");
    for _ in 0..3 {
        store.claim(id(1), &names(&["a@town.example"])).await.expect("claimed");
        store
            .settle_release(id(1), &names(&["a@town.example"]), ReleaseOutcome::NotDelivered)
            .await
            .expect("settled");
        assert_eq!(state_of(&*store, 1).await, State::Held);
    }
    assert_eq!(
        store
            .claim(id(1), &[])
            .await
            .expect("claimed")
            .message
            .envelope
            .recipients
            .len(),
        2
    );
}

async fn what_was_undelivered_is_so_until_everyone_has_it(store: Arc<dyn Store>) {
    let both = ["a@town.example", "b@town.example"];
    store
        .quarantine(message(1, State::Undelivered, &both))
        .await
        .expect("kept");
    for (outcome, names, left) in [
        (ReleaseOutcome::NotDelivered, names(&[]), 2),
        // One of the two has it: upstream left the other out once more.
        (ReleaseOutcome::Delivered, names(&["b@town.example"]), 1),
        (ReleaseOutcome::NotDelivered, names(&[]), 1),
    ] {
        store.claim(id(1), &[]).await.expect("claimed");
        store.settle_release(id(1), &names, outcome).await.expect("settled");
        let kept = store.get(id(1)).await.expect("is kept");
        assert_eq!(
            (kept.state, kept.envelope.recipients.len()),
            (State::Undelivered, left),
            "{outcome:?}"
        );
    }
    store.claim(id(1), &[]).await.expect("claimed");
    store
        .settle_release(id(1), &[], ReleaseOutcome::Delivered)
        .await
        .expect("settled");
    assert_eq!(state_of(&*store, 1).await, State::Released);
}

async fn a_release_nobody_knows_the_end_of_stays_so(store: Arc<dyn Store>) {
    store
        .quarantine(message(1, State::Held, &["a@town.example", "b@town.example"]))
        .await
        .expect("kept");
    store.claim(id(1), &names(&["a@town.example"])).await.expect("claimed");
    store
        .settle_release(id(1), &names(&["a@town.example"]), ReleaseOutcome::Unknown)
        .await
        .expect("settled");
    assert_eq!(
        store.claim(id(1), &[]).await.map(|_| ()),
        Err(StoreError::WrongState(State::ReleaseUnknown))
    );
    assert!(!store.get(id(1)).await.expect("is kept").body.is_empty());
    let wrong = store
        .settle_release(id(1), &names(&["b@town.example"]), ReleaseOutcome::Delivered)
        .await;
    assert_eq!(wrong, Err(StoreError::NoSuchRecipient), "b was never claimed");
    store
        .settle_release(id(1), &[], ReleaseOutcome::Delivered)
        .await
        .expect("a person found out");
    assert_eq!(
        store.get(id(1)).await.expect("is kept").envelope.recipients,
        [recipient("b@town.example", &[])]
    );
}

async fn a_wrong_name_claims_nothing(store: Arc<dyn Store>) {
    store
        .quarantine(message(1, State::Held, &["a@town.example", "b@town.example"]))
        .await
        .expect("kept");
    let claim = store
        .claim(id(1), &names(&["a@town.example", "x@town.example"]))
        .await
        .map(|_| ());
    assert_eq!(claim, Err(StoreError::NoSuchRecipient));
    assert_eq!(state_of(&*store, 1).await, State::Held);
}
