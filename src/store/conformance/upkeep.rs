//! The audit log, totals, expiry and closing.

use super::{at, conform, event, id, message, state_of};
use crate::store::custody::STATES;
use crate::store::{AuditEntry, Due, JournalQuery, QuarantineQuery, ReleaseOutcome, State, Store, StoreError, Totals};
use jiff::Timestamp;
use std::sync::Arc;

conform! {
    the_audit_log_comes_newest_first
    totals_count_what_is_held
    expiry_takes_what_is_settled_and_old
    expiry_goes_through_many
    a_closed_store_fails
}

async fn the_audit_log_comes_newest_first(store: Arc<dyn Store>) {
    let entry = |number: i64| AuditEntry {
        // Time runs backwards: the order is that of appending.
        time: at(-number),
        actor: "mary".to_owned(),
        act: "release".to_owned(),
        message: (number % 2 == 0).then(|| id(7)),
        reason: format!("because {number}\n; it's ours"),
        outcome: "delivered".to_owned(),
    };
    assert_eq!(store.audit(None).await, Ok(Vec::new()));
    for number in 0..210 {
        store.append_audit(entry(number)).await.expect("appended");
    }
    let expected: Vec<AuditEntry> = (110..210).rev().map(entry).collect();
    assert_eq!(store.audit(None).await, Ok(expected));
    let expected: Vec<AuditEntry> = (0..210).rev().step_by(2).map(|number| entry(number - 1)).collect();
    assert_eq!(store.audit(Some(id(7))).await, Ok(expected));
    assert_eq!(store.audit(Some(id(8))).await, Ok(Vec::new()));
}

async fn totals_count_what_is_held(store: Arc<dyn Store>) {
    assert_eq!(store.totals().await, Ok(Totals::default()));
    for (number, category) in [(3, "scam"), (2, "malware"), (4, "scam"), (1, "spam")] {
        let mut kept = message(number, State::Held, &["a@town.example", "b@town.example"]);
        kept.category = category.to_owned();
        store.quarantine(kept).await.expect("kept");
    }
    store
        .quarantine(message(5, State::Pending, &["a@town.example"]))
        .await
        .expect("kept");
    store
        .quarantine(message(6, State::Undelivered, &["a@town.example"]))
        .await
        .expect("kept");
    store.delete(id(1)).await.expect("deleted");
    let size = message(1, State::Held, &[]).body.len() as u64;
    let expected = Totals {
        held_by_category: vec![
            ("malware".to_owned(), 1),
            ("phishing".to_owned(), 1),
            ("scam".to_owned(), 2),
        ],
        undelivered: 1,
        on_hold: 0,
        bytes: 4 * size,
        oldest: Some(at(2)),
        history_entries: 0,
    };
    assert_eq!(store.totals().await, Ok(expected));
}

/// Journal records and messages before these moments are due; audit entries never.
fn due(journal: Timestamp, quarantine: Timestamp) -> Due {
    Due {
        journal,
        quarantine,
        audit: Timestamp::MIN,
        history: Timestamp::MIN,
    }
}

async fn expiry_takes_what_is_settled_and_old(store: Arc<dyn Store>) {
    for (number, state) in (1..).zip(STATES) {
        let begins = match state {
            State::Pending | State::Voided => State::Pending,
            State::Undelivered => State::Undelivered,
            _ => State::Held,
        };
        let kept = store
            .quarantine(message(number, begins, &["a@town.example"]))
            .await
            .expect("kept");
        match state {
            State::Voided => store.settle(kept, state, None).await.expect("voided"),
            State::Deleted => store.delete(kept).await.expect("deleted"),
            State::ReleaseUnknown => drop(store.claim(kept, &[]).await.expect("claimed")),
            State::Released => {
                store.claim(kept, &[]).await.expect("claimed");
                store
                    .settle_release(kept, &[], ReleaseOutcome::Delivered)
                    .await
                    .expect("released");
            }
            State::Pending | State::Held | State::Undelivered => {}
        }
    }
    assert_eq!(
        store.expire(due(at(1), at(1))).await,
        Ok(0),
        "received at that time is not before it"
    );
    assert_eq!(
        store.expire(due(at(3), at(1))).await,
        Ok(2),
        "journal records of 1 and 2"
    );
    assert_eq!(
        store
            .search_journal(JournalQuery::default())
            .await
            .map(|found| found.len()),
        Ok(5)
    );
    assert_eq!(store.expire(due(at(0), at(100))).await, Ok(4));
    assert_eq!(state_of(&*store, 1).await, State::Pending);
    assert_eq!(state_of(&*store, 3).await, State::Undelivered);
    assert_eq!(state_of(&*store, 5).await, State::ReleaseUnknown);
    assert_eq!(
        store.list(QuarantineQuery::default()).await.map(|found| found.len()),
        Ok(3)
    );
    assert_eq!(store.get(id(2)).await.map(|_| ()), Err(StoreError::NotFound));
    store
        .settle(id(1), State::Held, None)
        .await
        .expect("what stayed still works");
    store
        .append_journal(&[event(1, 1)])
        .await
        .expect("an expired record's id is free again");
}

async fn expiry_goes_through_many(store: Arc<dyn Store>) {
    store
        .append_journal(&(0..2_001).map(|number| event(number, 1)).collect::<Vec<_>>())
        .await
        .expect("appended");
    for number in 1..=201 {
        store
            .quarantine(message(10_000 + number, State::Held, &["a@town.example"]))
            .await
            .expect("kept");
    }
    assert_eq!(store.expire(due(at(5), at(10_201))).await, Ok(2_001 + 200));
    assert_eq!(
        store
            .search_journal(JournalQuery {
                limit: 1_000,
                ..JournalQuery::default()
            })
            .await
            .map(|found| found.len()),
        Ok(201)
    );
}

async fn a_closed_store_fails(store: Arc<dyn Store>) {
    store
        .quarantine(message(1, State::Held, &["a@town.example"]))
        .await
        .expect("kept");
    store.close().await;
    store.close().await;
    assert!(matches!(store.delete(id(1)).await, Err(StoreError::Failed(_))));
    assert!(matches!(store.get(id(1)).await, Err(StoreError::Failed(_))));
}
