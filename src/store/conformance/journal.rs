//! The journal: appended, found, and single for each id.

use super::{at, conform, event, id, message};
use crate::store::{JournalQuery, State, Store};
use crate::telemetry::{EvidenceEvent, FindingEvent, MessageEvent};
use std::sync::Arc;

conform! {
    a_record_comes_back_whole
    an_id_has_one_record
    filters_hold_together
    groups_of_any_size_are_appended
    records_are_found_newest_first_and_limited
    a_record_without_a_time_stops_nothing
}

async fn found(store: &dyn Store, query: JournalQuery) -> Vec<MessageEvent> {
    store.search_journal(query).await.expect("searched")
}

async fn numbers(store: &dyn Store, query: JournalQuery) -> Vec<u128> {
    let records = found(store, query).await;
    records
        .iter()
        .map(|record| record.id.parse::<uuid::Uuid>().expect("an id").as_u128())
        .collect()
}

async fn a_record_comes_back_whole(store: Arc<dyn Store>) {
    let mut record = event(1, 1);
    record.subject = "null \u{0} and \u{202e}others\n".to_owned();
    record.findings = vec![FindingEvent {
        rule: "council-tax".to_owned(),
        score: 0.1 + 0.2,
        evidence: vec![EvidenceEvent {
            field: "subject".to_owned(),
            text: "ü".to_owned(),
            offset: Some(3),
        }],
        ..FindingEvent::default()
    }];
    record.stages = vec![("judge".to_owned(), 1.25)];
    store.append_journal(&[record.clone()]).await.expect("appended");
    assert_eq!(found(&*store, JournalQuery::default()).await, [record]);
}

async fn an_id_has_one_record(store: Arc<dyn Store>) {
    let verdict = |word: &str| MessageEvent {
        verdict: word.to_owned(),
        ..event(1, 1)
    };
    store
        .append_journal(&[verdict("first"), verdict("second")])
        .await
        .expect("appended");
    store.append_journal(&[verdict("third")]).await.expect("appended");
    assert_eq!(found(&*store, JournalQuery::default()).await, [verdict("first")]);
    let mut kept = message(1, State::Held, &["a@town.example"]);
    kept.event = verdict("kept");
    store.quarantine(kept).await.expect("kept");
    store.append_journal(&[verdict("fourth")]).await.expect("appended");
    assert_eq!(
        found(&*store, JournalQuery::default()).await,
        [verdict("kept")],
        "bound to what is kept"
    );
    let by_verdict = JournalQuery {
        verdict: Some("first".to_owned()),
        ..JournalQuery::default()
    };
    assert_eq!(found(&*store, by_verdict).await, [], "its columns were replaced too");
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

async fn filters_hold_together(store: Arc<dyn Store>) {
    let mut records: Vec<MessageEvent> = (1..=4_u32)
        .map(|number| event(u128::from(number), i64::from(number)))
        .collect();
    records[1].from = String::new();
    records[1].author = "Chief@Other.example".to_owned();
    records[2].recipients.clear();
    records[3].verdict = "deliver".to_owned();
    store.append_journal(&records).await.expect("appended");
    type Ask = fn(&mut JournalQuery);
    let table: [(Ask, &[u128]); 15] = [
        (|_| {}, &[4, 3, 2, 1]),
        (|query| query.id = Some(id(3)), &[3]),
        (|query| query.id = Some(id(9)), &[]),
        (|query| query.sender = text("BOUNCE@sender"), &[4, 3, 1]),
        (|query| query.sender = text("chief@other"), &[2]),
        (|query| query.sender = text(""), &[4, 3, 2, 1]),
        (|query| query.recipient = text("bob@TOWN"), &[4, 2, 1]),
        (|query| query.since = Some(at(3)), &[4, 3]),
        (|query| query.until = Some(at(3)), &[3, 2, 1]),
        (|query| (query.since, query.until) = (Some(at(2)), Some(at(3))), &[3, 2]),
        (|query| (query.since, query.until) = (Some(at(4)), Some(at(3))), &[]),
        (|query| query.verdict = text("deliver"), &[4]),
        (|query| query.verdict = text("Deliver"), &[]),
        (
            |query| (query.sender, query.recipient, query.verdict) = (text("ann"), text("bob"), text("quarantine")),
            &[1],
        ),
        (|query| (query.sender, query.limit) = (text("example"), 3), &[4, 3, 2]),
    ];
    for (ask, expected) in table {
        let mut query = JournalQuery::default();
        ask(&mut query);
        assert_eq!(numbers(&*store, query.clone()).await, expected, "{query:?}");
    }
}

async fn groups_of_any_size_are_appended(store: Arc<dyn Store>) {
    let mut next = 0;
    // Around the number of rows that go in one statement.
    for size in [0, 1, 49, 50, 51, 500] {
        let group = (next..next + size).map(|number| event(number, 0)).collect::<Vec<_>>();
        next += size;
        store.append_journal(&group).await.expect("appended");
        let kept = numbers(
            &*store,
            JournalQuery {
                limit: 10_000,
                ..JournalQuery::default()
            },
        )
        .await;
        assert_eq!(kept, (0..next).rev().collect::<Vec<_>>());
    }
}

async fn records_are_found_newest_first_and_limited(store: Arc<dyn Store>) {
    // Appended out of order, two a second.
    let group = [5, 1, 4, 0, 3, 2].map(|number| event(number, i64::try_from(number / 2).expect("small")));
    store.append_journal(&group).await.expect("appended");
    assert_eq!(numbers(&*store, JournalQuery::default()).await, [4, 5, 2, 3, 0, 1]);
    let more = (6..150).map(|number| event(number, 9)).collect::<Vec<_>>();
    store.append_journal(&more).await.expect("appended");
    for (limit, expected) in [(0, 100), (1, 1), (99, 99), (149, 149), (150, 150), (151, 150)] {
        let query = JournalQuery {
            limit,
            ..JournalQuery::default()
        };
        assert_eq!(found(&*store, query).await.len(), expected, "limit {limit}");
    }
}

async fn a_record_without_a_time_stops_nothing(store: Arc<dyn Store>) {
    let timeless = MessageEvent {
        time: String::new(),
        ..event(1, 0)
    };
    store.append_journal(&[timeless, event(2, -1)]).await.expect("appended");
    assert_eq!(numbers(&*store, JournalQuery::default()).await, [2, 1]);
}
