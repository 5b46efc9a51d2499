//! Keeping, merging, settling, deleting and listing.

use super::{at, conform, event, id, message, parameters_of, recipient, state_of};
use crate::mail::{Address, Envelope};
use crate::store::custody::STATES;
use crate::store::{JournalQuery, QuarantineQuery, ReleaseOutcome, State, Store, StoreError};
use bytes::Bytes;
use std::sync::Arc;

conform! {
    what_is_kept_comes_back_to_the_byte
    a_body_of_any_size_comes_back
    every_change_from_every_state
    what_is_unknown_is_not_found
    only_pending_held_and_undelivered_are_taken
    an_id_is_kept_once
    identical_messages_merge
    attempts_that_share_a_record_void_it_together
    a_body_is_gone_once_voided_or_deleted
    listings_filter_and_come_newest_first
    metacharacters_are_plain_text
}

async fn what_is_kept_comes_back_to_the_byte(store: Arc<dyn Store>) {
    let mut kept = message(1, State::Held, &[]);
    kept.received = "2026-03-01T12:34:56.789012345Z".parse().expect("a time");
    kept.envelope = Envelope {
        reverse_path: Some(Address::from_checked("\"A @ \\\"b\"@Sender.Example")),
        parameters: parameters_of(&[
            ("SIZE", Some("12345")),
            ("body", Some("8BITMIME")),
            ("SMTPUTF8", None),
            ("RET", Some("HDRS")),
            ("ENVID", Some("QQ314+2B159")),
        ]),
        recipients: vec![
            recipient(
                "\"two words\"@[192.0.2.1]",
                &[
                    ("ORCPT", Some("rfc822;Bob+40Town.Example")),
                    ("NOTIFY", Some("SUCCESS,DELAY")),
                ],
            ),
            recipient("Postmaster", &[]),
            recipient("ünï@dömain.example", &[("X", Some("")), ("Y", None)]),
        ],
    };
    kept.body = Bytes::from((0..=255).collect::<Vec<u8>>().repeat(3));
    kept.subject = "Zahlung \u{0}fällig\n'; DROP TABLE message; --".to_owned();
    kept.event.subject.clone_from(&kept.subject);
    store.quarantine(kept.clone()).await.expect("kept");
    let back = store.get(kept.id).await.expect("is there");
    assert_eq!(format!("{back:?}"), format!("{kept:?}"));

    let mut bounce = message(2, State::Pending, &["a@town.example"]);
    bounce.envelope.reverse_path = None;
    store.quarantine(bounce.clone()).await.expect("kept");
    let back = store.get(bounce.id).await.expect("is there");
    assert_eq!(format!("{back:?}"), format!("{bounce:?}"));
    let found = store
        .search_journal(JournalQuery {
            id: Some(bounce.id),
            ..JournalQuery::default()
        })
        .await;
    assert_eq!(found, Ok(vec![bounce.event]), "its record came with it");
}

async fn a_body_of_any_size_comes_back(store: Arc<dyn Store>) {
    // Around the size from which bodies are packed elsewhere, none at all, and the largest mail.
    for (number, size) in (1..).zip([0, 1, 65_535, 65_536, 65_537, 50_000_000]) {
        let mut kept = message(number, State::Held, &["a@town.example"]);
        let mut word = 0_u32;
        let body: Vec<u8> = std::iter::repeat_with(|| {
            word = word.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            word.to_le_bytes()[3]
        })
        .take(size)
        .collect();
        kept.body = Bytes::from(body);
        store.quarantine(kept.clone()).await.expect("kept");
        let back = store.get(kept.id).await.expect("is there");
        assert!(back.body == kept.body, "{size} bytes");
    }
}

/// Brings message `number` into a state, by the trait's own means.
pub(super) async fn bring(store: &dyn Store, number: u128, state: State) {
    let begins = match state {
        State::Pending | State::Voided => State::Pending,
        State::Undelivered => State::Undelivered,
        _ => State::Held,
    };
    let id = store
        .quarantine(message(number, begins, &["a@town.example"]))
        .await
        .expect("kept");
    match state {
        State::Pending | State::Held | State::Undelivered => {}
        State::Voided => store.settle(id, State::Voided, None).await.expect("voided"),
        State::Deleted => store.delete(id).await.expect("deleted"),
        State::ReleaseUnknown | State::Released => {
            store.claim(id, &[]).await.expect("claimed");
            if state == State::Released {
                store
                    .settle_release(id, &[], ReleaseOutcome::Delivered)
                    .await
                    .expect("released");
            }
        }
    }
    assert_eq!(state_of(store, number).await, state);
}

async fn every_change_from_every_state(store: Arc<dyn Store>) {
    use State::{Deleted, Held, Pending, ReleaseUnknown, Released, Undelivered, Voided};
    // What each change leads to from Pending, Held, Undelivered, Voided, ReleaseUnknown, Released, Deleted.
    type Row = (&'static str, [Option<State>; 7]);
    let claimed = Some(ReleaseUnknown);
    let gone = Some(Deleted);
    let table: [Row; 13] = [
        ("settle pending", [None; 7]),
        (
            "settle held",
            [Some(Held), Some(Held), Some(Undelivered), None, None, None, None],
        ),
        ("settle undelivered", [None; 7]),
        (
            "settle voided",
            [Some(Voided), None, None, Some(Voided), None, None, None],
        ),
        ("settle release_unknown", [None; 7]),
        ("settle released", [None; 7]),
        ("settle deleted", [None; 7]),
        ("claim", [None, claimed, claimed, None, None, None, None]),
        ("delivered", [None, None, None, None, Some(Released), None, None]),
        ("not delivered", [None, None, None, None, Some(Held), None, None]),
        ("unknown", [None, None, None, None, claimed, None, None]),
        ("delete", [gone, gone, gone, None, gone, None, None]),
        (
            "get",
            [
                Some(Pending),
                Some(Held),
                Some(Undelivered),
                Some(Voided),
                Some(ReleaseUnknown),
                Some(Released),
                Some(Deleted),
            ],
        ),
    ];
    let mut number = 0;
    for (change, leads_to) in table {
        for (from, expected) in STATES.into_iter().zip(leads_to) {
            number += 1;
            bring(&*store, number, from).await;
            let id = id(number);
            let done = match change {
                "claim" => store.claim(id, &[]).await.map(|_| ()),
                "delivered" => store.settle_release(id, &[], ReleaseOutcome::Delivered).await,
                "not delivered" => store.settle_release(id, &[], ReleaseOutcome::NotDelivered).await,
                "unknown" => store.settle_release(id, &[], ReleaseOutcome::Unknown).await,
                "delete" => store.delete(id).await,
                "get" => store.get(id).await.map(|_| ()),
                settle => {
                    let word = settle.strip_prefix("settle ").expect("a row of the table");
                    let to = STATES
                        .into_iter()
                        .find(|state| state.as_str() == word)
                        .expect("a state");
                    store.settle(id, to, None).await
                }
            };
            let refused = if expected.is_some() {
                Ok(())
            } else {
                Err(StoreError::WrongState(from))
            };
            assert_eq!(done, refused, "{change} from {from:?}");
            assert_eq!(
                state_of(&*store, number).await,
                expected.unwrap_or(from),
                "{change} from {from:?}"
            );
        }
    }
}

async fn what_is_unknown_is_not_found(store: Arc<dyn Store>) {
    let id = id(1);
    assert_eq!(store.get(id).await.map(|_| ()), Err(StoreError::NotFound));
    assert_eq!(store.settle(id, State::Held, None).await, Err(StoreError::NotFound));
    assert_eq!(store.claim(id, &[]).await.map(|_| ()), Err(StoreError::NotFound));
    assert_eq!(
        store.settle_release(id, &[], ReleaseOutcome::Unknown).await,
        Err(StoreError::NotFound)
    );
    assert_eq!(store.delete(id).await, Err(StoreError::NotFound));
    assert_eq!(store.list(QuarantineQuery::default()).await, Ok(Vec::new()));
    assert_eq!(store.search_journal(JournalQuery::default()).await, Ok(Vec::new()));
}

async fn only_pending_held_and_undelivered_are_taken(store: Arc<dyn Store>) {
    for (number, state) in (1..).zip(STATES) {
        let taken = store.quarantine(message(number, state, &["a@town.example"])).await;
        let expected = match state {
            State::Pending | State::Held | State::Undelivered => Ok(id(number)),
            refused => Err(StoreError::WrongState(refused)),
        };
        assert_eq!(taken, expected, "{state:?}");
    }
}

async fn an_id_is_kept_once(store: Arc<dyn Store>) {
    let kept = message(1, State::Held, &["a@town.example"]);
    for _ in 0..2 {
        assert_eq!(
            store.quarantine(kept.clone()).await,
            Ok(kept.id),
            "asked again after a lost answer"
        );
    }
    store.delete(kept.id).await.expect("deleted");
    assert_eq!(
        store.quarantine(kept.clone()).await,
        Err(StoreError::WrongState(State::Deleted))
    );
    assert_eq!(
        store.list(QuarantineQuery::default()).await.map(|found| found.len()),
        Ok(1)
    );
}

async fn identical_messages_merge(store: Arc<dyn Store>) {
    let mut number = 0;
    for (first, second, merged) in [
        (State::Pending, State::Pending, Some(State::Pending)),
        (State::Pending, State::Held, Some(State::Held)),
        (State::Held, State::Pending, Some(State::Held)),
        (State::Held, State::Held, Some(State::Held)),
        (State::Held, State::Undelivered, Some(State::Undelivered)),
        (State::Undelivered, State::Held, Some(State::Undelivered)),
        (State::Undelivered, State::Pending, Some(State::Undelivered)),
        (State::Voided, State::Held, None),
        (State::ReleaseUnknown, State::Held, None),
        (State::Released, State::Held, None),
        (State::Deleted, State::Held, None),
    ] {
        number += 2;
        bring(&*store, number, first).await;
        let mut retry = message(number + 1, second, &["a@town.example"]);
        retry.fingerprint = message(number, second, &[]).fingerprint;
        let kept = store.quarantine(retry.clone()).await.expect("kept");
        assert_eq!(
            kept,
            id(if merged.is_some() { number } else { number + 1 }),
            "{first:?} then {second:?}"
        );
        assert_eq!(
            state_of(&*store, number).await,
            merged.unwrap_or(first),
            "{first:?} then {second:?}"
        );
        let query = JournalQuery {
            id: Some(retry.id),
            ..JournalQuery::default()
        };
        assert_eq!(
            store.search_journal(query).await,
            Ok(vec![retry.event]),
            "its own record all the same"
        );
    }
}

async fn attempts_that_share_a_record_void_it_together(store: Arc<dyn Store>) {
    for number in [1, 2] {
        let mut attempt = message(number, State::Pending, &["a@town.example"]);
        attempt.fingerprint = "same".to_owned();
        assert_eq!(store.quarantine(attempt).await, Ok(id(1)));
    }
    store
        .settle(id(1), State::Voided, None)
        .await
        .expect("one attempt failed");
    assert_eq!(state_of(&*store, 1).await, State::Pending, "the other is under way");
    store
        .settle(id(1), State::Held, None)
        .await
        .expect("the other was accepted");
    assert_eq!(
        store.settle(id(1), State::Voided, None).await,
        Err(StoreError::WrongState(State::Held))
    );
    assert!(!store.get(id(1)).await.expect("is kept").body.is_empty());
}

async fn a_body_is_gone_once_voided_or_deleted(store: Arc<dyn Store>) {
    for (number, state) in (1..).zip(STATES) {
        bring(&*store, number, state).await;
        let kept = store.get(id(number)).await.expect("is kept");
        let gone = matches!(state, State::Voided | State::Deleted);
        assert_eq!((kept.body.is_empty(), kept.added.is_empty()), (gone, gone), "{state:?}");
        let listed = store
            .list(QuarantineQuery {
                state: Some(state),
                ..QuarantineQuery::default()
            })
            .await;
        let sizes: Vec<u64> = listed.expect("listed").iter().map(|summary| summary.size).collect();
        assert_eq!(
            sizes,
            [message(1, state, &[]).body.len() as u64],
            "the size is still known"
        );
    }
}

async fn listings_filter_and_come_newest_first(store: Arc<dyn Store>) {
    let mut kept = message(1, State::Held, &["Bob@town.example", "ÉVA@town.example"]);
    kept.envelope.reverse_path = None;
    store.quarantine(kept).await.expect("kept");
    let mut kept = message(2, State::Pending, &["carol@town.example"]);
    kept.from = "Straße@other.example".to_owned();
    kept.received = at(3);
    store.quarantine(kept).await.expect("kept");
    store
        .quarantine(message(3, State::Held, &["bob@village.example"]))
        .await
        .expect("kept");

    let list = async |state: Option<State>, recipient: &str, sender: &str, limit: u32| {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let query = QuarantineQuery {
            on_hold: false,
            state,
            recipient: text(recipient),
            sender: text(sender),
            limit,
        };
        let found = store.list(query).await.expect("listed");
        found.iter().map(|summary| summary.id.as_u128()).collect::<Vec<_>>()
    };
    assert_eq!(
        list(None, "", "", 0).await,
        [3, 2, 1],
        "of equally new ones the last come first"
    );
    assert_eq!(list(None, "", "", 2).await, [3, 2]);
    assert_eq!(list(Some(State::Held), "", "", 0).await, [3, 1]);
    assert_eq!(list(Some(State::Released), "", "", 0).await, [0_u128; 0]);
    assert_eq!(list(None, "BOB@", "", 0).await, [3, 1]);
    assert_eq!(list(None, "éva", "", 0).await, [1], "any case, beyond ASCII too");
    assert_eq!(list(None, "", "STRASSE", 0).await, [0_u128; 0]);
    assert_eq!(
        list(None, "", "straße@OTHER", 0).await,
        [2],
        "the author counts as sender"
    );
    assert_eq!(
        list(None, "", "bounce@sender", 0).await,
        [3, 2],
        "and so does the reverse-path"
    );
    assert_eq!(
        list(Some(State::Held), "town", "ann", 1).await,
        [1],
        "all conditions hold"
    );
    assert_eq!(
        list(None, "example\néva", "", 0).await,
        [0_u128; 0],
        "nothing straddles two recipients"
    );

    let found = store
        .list(QuarantineQuery {
            limit: 1,
            ..QuarantineQuery::default()
        })
        .await
        .expect("listed");
    let summary = found.first().expect("one");
    assert_eq!(summary.recipients, ["bob@village.example"]);
    assert_eq!(
        (summary.from.as_str(), summary.reverse_path.as_str()),
        ("Ann@Sender.example", "bounce@sender.example")
    );
    assert_eq!((summary.received, summary.category.as_str()), (at(3), "phishing"));
}

async fn metacharacters_are_plain_text(store: Arc<dyn Store>) {
    let odd = "100%_\\*?[a]'\"@town.example";
    store.quarantine(message(1, State::Held, &[odd])).await.expect("kept");
    store
        .quarantine(message(2, State::Held, &["1000@town.example"]))
        .await
        .expect("kept");
    let mut record = event(3, 3);
    record.from = odd.to_owned();
    store.append_journal(&[record]).await.expect("appended");
    for needle in ["%", "_", "100%", "\\", "*", "?", "[a]", "'", "\"", odd] {
        let query = QuarantineQuery {
            recipient: Some(needle.to_owned()),
            ..QuarantineQuery::default()
        };
        let found = store.list(query).await.expect("listed");
        assert_eq!(
            found.iter().map(|summary| summary.id).collect::<Vec<_>>(),
            [id(1)],
            "{needle}"
        );
        let query = JournalQuery {
            sender: Some(needle.to_owned()),
            ..JournalQuery::default()
        };
        let found = store.search_journal(query).await.expect("searched");
        assert_eq!(found.len(), 1, "{needle}");
    }
}
