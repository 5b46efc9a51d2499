//! What is remembered of correspondents: counted once, kept within bounds, and forgotten in time.

use super::{at, audit_entry, conform, event, id, message};
use crate::evidence::{Key, Secret};
use crate::store::history::{Acquaintance, Adds, BENEATH_MAX, Change, Experience, Lesson};
use crate::store::{Due, State, Store};
use jiff::Timestamp;
use std::sync::Arc;

conform! {
    the_secret_is_made_once
    what_is_learned_is_recalled
    a_message_counts_once_and_only_if_it_is_recorded
    a_message_that_is_kept_counts_too
    what_a_person_does_later_is_added
    a_group_of_many_is_learned_whole
    too_many_drop_what_is_worth_least
    what_nobody_touched_is_forgotten
    what_stands_beneath_is_recalled_up_to_a_limit
    whom_somebody_names_is_forgotten_with_all_pairs
}

const ALL: u64 = u64::MAX;

fn key(number: u32) -> Key {
    Secret::new(&[7; Secret::BYTES]).address(&format!("{number}@sender.example"))
}

fn lesson(number: u128, seconds: i64, changes: &[(u32, Adds)]) -> Lesson {
    let changes = changes.iter().map(|(who, adds)| Change {
        key: key(*who),
        adds: *adds,
    });
    Lesson {
        message: Some(id(number)),
        time: at(seconds),
        is_outbound: changes.clone().any(|change| change.adds == Adds::Sent),
        changes: changes.collect(),
    }
}

/// Records the messages and has them learned; how many entries went for that.
async fn learn(store: &dyn Store, lessons: Vec<Lesson>, most: u64) -> u64 {
    let recorded = lessons.iter().filter_map(|lesson| lesson.message);
    let events: Vec<_> = recorded.map(|id| event(id.as_u128(), 1)).collect();
    store.append_journal(&events).await.expect("recorded");
    store.learn(lessons, most).await.expect("learned").dropped
}

async fn known(store: &dyn Store, who: u32) -> Option<Acquaintance> {
    let recalled = store.recall(vec![key(who)], None).await.expect("recalled");
    recalled.known.get(&key(who)).copied()
}

async fn entries(store: &dyn Store) -> u64 {
    store.totals().await.expect("counted").history_entries
}

async fn the_secret_is_made_once(store: Arc<dyn Store>) {
    let (first, second) = ([1; Secret::BYTES], [2; Secret::BYTES]);
    assert_eq!(store.history_secret(first).await, Ok(first));
    assert_eq!(store.history_secret(second).await, Ok(first));
}

async fn what_is_learned_is_recalled(store: Arc<dyn Store>) {
    let nothing = store.recall(vec![key(1)], None).await.expect("recalled");
    assert!(nothing.known.is_empty() && nothing.experience == Experience::default());
    let lessons = vec![
        lesson(1, 10, &[(1, Adds::Sent)]),
        lesson(2, 20, &[(1, Adds::Message), (2, Adds::Message)]),
        lesson(3, 15, &[(1, Adds::Quarantined)]),
    ];
    assert_eq!(learn(&*store, lessons, ALL).await, 0);
    let recalled = store
        .recall(vec![key(1), key(3), key(2)], None)
        .await
        .expect("recalled");
    assert_eq!(recalled.known.len(), 2);
    let one = Acquaintance {
        messages: 2,
        quarantined: 1,
        released: 0,
        sent: 1,
        first_seen: Some(at(15)),
        last_seen: Some(at(20)),
        touched: at(20),
        sent_first: true,
    };
    assert_eq!(recalled.known.get(&key(1)), Some(&one));
    let experience = Experience {
        began: Some(at(15)),
        outbound_began: Some(at(10)),
        messages: 2,
    };
    assert_eq!(recalled.experience, experience);
    assert_eq!(entries(&*store).await, 2);
}

async fn a_message_counts_once_and_only_if_it_is_recorded(store: Arc<dyn Store>) {
    let one = || lesson(1, 10, &[(1, Adds::Message)]);
    store.learn(vec![one()], ALL).await.expect("learned");
    assert_eq!(known(&*store, 1).await, None, "nobody recorded it");
    learn(&*store, vec![one(), one()], ALL).await;
    learn(&*store, vec![one()], ALL).await;
    assert_eq!(known(&*store, 1).await.map(|known| known.messages), Some(1));
    let recalled = store.recall(Vec::new(), None).await.expect("recalled");
    assert_eq!(recalled.experience.messages, 1);
}

async fn a_message_that_is_kept_counts_too(store: Arc<dyn Store>) {
    let kept = message(1, State::Held, &["a@town.example"]);
    store.quarantine(kept).await.expect("kept");
    let lessons = || vec![lesson(1, 10, &[(1, Adds::Quarantined)])];
    for _ in 0..2 {
        store.learn(lessons(), ALL).await.expect("learned");
        assert_eq!(known(&*store, 1).await.map(|known| known.quarantined), Some(1));
    }
}

async fn what_a_person_does_later_is_added(store: Arc<dyn Store>) {
    learn(&*store, vec![lesson(1, 10, &[(1, Adds::Quarantined)])], ALL).await;
    let released = Lesson {
        message: None,
        ..lesson(1, 10, &[(1, Adds::Released)])
    };
    store.learn(vec![released], ALL).await.expect("learned");
    let known = known(&*store, 1).await.expect("is known");
    assert_eq!((known.messages, known.quarantined, known.released), (1, 1, 1));
    let recalled = store.recall(Vec::new(), None).await.expect("recalled");
    assert_eq!(recalled.experience.messages, 1, "it is no message of its own");
}

async fn a_group_of_many_is_learned_whole(store: Arc<dyn Store>) {
    let lessons = (0..250).map(|number| {
        let who = u32::try_from(number).expect("small");
        lesson(number, 10, &[(who, Adds::Message), (1_000, Adds::Message)])
    });
    learn(&*store, lessons.collect(), ALL).await;
    assert_eq!(entries(&*store).await, 251);
    assert_eq!(known(&*store, 249).await.map(|known| known.messages), Some(1));
    assert_eq!(known(&*store, 1_000).await.map(|known| known.messages), Some(250));
}

async fn too_many_drop_what_is_worth_least(store: Arc<dyn Store>) {
    let lessons = vec![
        lesson(1, 1, &[(1, Adds::Sent)]),
        lesson(2, 2, &[(2, Adds::Message)]),
        lesson(3, 3, &[(2, Adds::Message)]),
        lesson(4, 9, &[(3, Adds::Message)]),
        lesson(5, 4, &[(4, Adds::Message)]),
    ];
    assert_eq!(learn(&*store, lessons, 4).await, 0, "as many as there is room for");
    assert_eq!(learn(&*store, vec![lesson(6, 10, &[(5, Adds::Message)])], 4).await, 1);
    assert_eq!(known(&*store, 4).await, None, "seen once, and longest ago");
    assert_eq!(learn(&*store, vec![lesson(7, 11, &[(6, Adds::Message)])], 2).await, 3);
    for who in [1, 2] {
        assert!(known(&*store, who).await.is_some(), "{who} is a correspondent");
    }
    assert_eq!(known(&*store, 6).await, None, "what is new finds no room itself");
    assert_eq!(entries(&*store).await, 2);
}

async fn what_nobody_touched_is_forgotten(store: Arc<dyn Store>) {
    let lessons = vec![
        lesson(1, 1, &[(1, Adds::Message)]),
        lesson(2, 1, &[(2, Adds::Message)]),
        lesson(3, 2, &[(2, Adds::Sent)]),
        lesson(4, 3, &[(3, Adds::Message)]),
    ];
    learn(&*store, lessons, ALL).await;
    let before = |history: Timestamp| Due {
        journal: Timestamp::MIN,
        quarantine: Timestamp::MIN,
        audit: Timestamp::MIN,
        history,
    };
    assert_eq!(store.expire(before(at(1))).await, Ok(0));
    assert_eq!(store.expire(before(at(2))).await, Ok(1));
    assert_eq!(known(&*store, 1).await, None);
    assert_eq!(entries(&*store).await, 2);
    assert_eq!(store.expire(before(at(4))).await, Ok(2));
    assert_eq!(entries(&*store).await, 0);
}

fn secret() -> Secret {
    Secret::new(&[7; Secret::BYTES])
}

fn one_of(number: u128, key: Key) -> Lesson {
    Lesson {
        changes: vec![Change {
            key,
            adds: Adds::Message,
        }],
        ..lesson(number, 10, &[])
    }
}

async fn what_stands_beneath_is_recalled_up_to_a_limit(store: Arc<dyn Store>) {
    let beneath = |number: u128| secret().bank_details(&key(1), &number.to_string());
    let mut next = 0;
    for (count, recalled) in [(BENEATH_MAX, BENEATH_MAX), (1, BENEATH_MAX + 1), (1, BENEATH_MAX + 1)] {
        let numbers = next..next + count as u128;
        next = numbers.end;
        let lessons = numbers.map(|number| one_of(number, beneath(number)));
        learn(&*store, lessons.collect(), ALL).await;
        learn(&*store, vec![one_of(1_000, key(1)), one_of(1_001, key(2))], ALL).await;
        let found = store.recall(vec![key(2)], Some(key(1))).await.expect("recalled");
        let below = found.known.keys().filter(|below| key(1).is_above(below));
        assert_eq!((below.count(), found.known.len()), (recalled, recalled + 1));
    }
}

async fn whom_somebody_names_is_forgotten_with_all_pairs(store: Arc<dyn Store>) {
    let (ours, theirs) = ("us@council.example", "them@council.example");
    let secret = secret();
    let keys = [
        key(1),
        secret.pair(&key(1), ours),
        secret.pair(&key(1), theirs),
        key(2),
        secret.pair(&key(2), ours),
        secret.pair(&key(2), theirs),
    ];
    let lessons = (0..).zip(keys.clone()).map(|(number, key)| one_of(number, key));
    learn(&*store, lessons.collect(), ALL).await;
    let left = async || {
        let known = store.recall(keys.to_vec(), None).await.expect("recalled").known;
        keys.each_ref().map(|key| known.contains_key(key))
    };
    let audit = || audit_entry(1, "history forget", None);
    assert_eq!(store.forget(key(1), None, audit()).await, Ok(3));
    assert_eq!(left().await, [false, false, false, true, true, true]);
    let recipient = Some(secret.recipient(ours));
    assert_eq!(store.forget(secret.address(ours), recipient, audit()).await, Ok(1));
    assert_eq!(left().await, [false, false, false, true, false, true]);
    assert_eq!(store.forget(key(1), None, audit()).await, Ok(0));
    assert_eq!(entries(&*store).await, 2);
    assert_eq!(store.audit(None).await.expect("read").len(), 3);
}
