//! Retention, class by class: one moment before its limit, at it, and one after; and what a hold keeps.

use super::{at, audit_entry, conform, event, id, message};
use crate::store::{Due, Hold, JournalQuery, QuarantineQuery, State, Store};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

conform! {
    each_class_goes_by_its_own_limit
    what_is_on_hold_stays_whole_and_goes_once_that_is_lifted
    a_record_beside_the_message_is_kept_with_it
    the_audit_log_goes_through_many
}

const NEVER: Due = Due {
    journal: Timestamp::MIN,
    quarantine: Timestamp::MIN,
    audit: Timestamp::MIN,
    history: Timestamp::MIN,
};

/// How many records of each class there are: journal, quarantine, audit.
async fn counts(store: &dyn Store) -> [usize; 3] {
    let journal = store.search_journal(JournalQuery::default()).await.expect("searched");
    let kept = store.list(QuarantineQuery::default()).await.expect("listed");
    let audit = store.audit(None).await.expect("read");
    [journal.len(), kept.len(), audit.len()]
}

async fn each_class_goes_by_its_own_limit(store: Arc<dyn Store>) {
    let moment = SignedDuration::from_nanos(1);
    let limit = at(1);
    // The message's own record is a journal record too.
    store
        .quarantine(message(1, State::Held, &["a@town.example"]))
        .await
        .expect("kept");
    store
        .append_audit(audit_entry(1, "show", Some(id(1))))
        .await
        .expect("appended");
    for before in [limit - moment, limit] {
        let all = Due {
            journal: before,
            quarantine: before,
            audit: before,
            history: before,
        };
        assert_eq!(
            store.expire(all).await,
            Ok(0),
            "what was received at the limit is not before it"
        );
        assert_eq!(counts(&*store).await, [1, 1, 1]);
    }
    let after = limit + moment;
    for (due, left) in [
        (Due { audit: after, ..NEVER }, [1, 1, 0]),
        (
            Due {
                journal: after,
                ..NEVER
            },
            [0, 1, 0],
        ),
        (
            Due {
                quarantine: after,
                ..NEVER
            },
            [0, 0, 0],
        ),
    ] {
        assert_eq!(store.expire(due).await, Ok(1));
        assert_eq!(counts(&*store).await, left);
    }
}

async fn what_is_on_hold_stays_whole_and_goes_once_that_is_lifted(store: Arc<dyn Store>) {
    for number in [1, 2] {
        store
            .quarantine(message(number, State::Held, &["a@town.example"]))
            .await
            .expect("kept");
        store
            .append_audit(audit_entry(1, "show", Some(id(number))))
            .await
            .expect("appended");
    }
    store
        .append_audit(audit_entry(1, "allow", None))
        .await
        .expect("appended");
    let hold = Hold {
        by: "uid 7".to_owned(),
        reason: "case 12".to_owned(),
        since: at(3),
    };
    let lift = || audit_entry(3, "hold", Some(id(2)));
    store.hold(id(2), Some(hold), lift()).await.expect("on hold");
    let all = Due {
        journal: at(100),
        quarantine: at(100),
        audit: at(100),
        history: at(100),
    };
    assert_eq!(
        store.expire(all).await,
        Ok(4),
        "the other one, its record and entry, and the lever's"
    );
    assert_eq!(counts(&*store).await, [1, 1, 2]);
    assert!(!store.get(id(2)).await.expect("is kept").body.is_empty());
    assert_eq!(store.expire(all).await, Ok(0));
    store.hold(id(2), None, lift()).await.expect("lifted");
    assert_eq!(store.expire(all).await, Ok(5));
    assert_eq!(counts(&*store).await, [0, 0, 0]);
}

/// What upstream left out is kept under an id of its own, and recorded under the message's.
async fn a_record_beside_the_message_is_kept_with_it(store: Arc<dyn Store>) {
    let mut kept = message(3, State::Undelivered, &["a@town.example"]);
    kept.event = event(2, 1);
    store.quarantine(kept).await.expect("kept");
    let hold = Hold {
        by: "uid 7".to_owned(),
        reason: "case 12".to_owned(),
        since: at(3),
    };
    let audit = audit_entry(3, "hold", Some(id(3)));
    store.hold(id(3), Some(hold), audit).await.expect("on hold");
    let due = Due {
        journal: at(100),
        ..NEVER
    };
    assert_eq!(store.expire(due).await, Ok(0));
}

async fn the_audit_log_goes_through_many(store: Arc<dyn Store>) {
    for seconds in 0..1_101 {
        store
            .append_audit(audit_entry(seconds, "show", None))
            .await
            .expect("appended");
    }
    let due = Due {
        audit: at(1_100),
        ..NEVER
    };
    assert_eq!(store.expire(due).await, Ok(1_100));
    assert_eq!(store.audit(None).await.expect("read").len(), 1);
}
