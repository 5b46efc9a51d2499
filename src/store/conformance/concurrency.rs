//! Many callers at once.

use super::{conform, event, id, message};
use crate::store::{JournalQuery, QuarantineQuery, ReleaseOutcome, State, Store, StoreError};
use std::sync::Arc;

conform! {
    six_hundred_and_forty_parallel_operations
    parallel_retries_merge_into_one
}

async fn six_hundred_and_forty_parallel_operations(store: Arc<dyn Store>) {
    let mut callers = tokio::task::JoinSet::new();
    for number in 1..=80_u128 {
        let store = Arc::clone(&store);
        callers.spawn(async move {
            let kept = store
                .quarantine(message(number, State::Pending, &["a@town.example"]))
                .await?;
            store.append_journal(&[event(1_000 + number, 1)]).await?;
            store.settle(kept, State::Held, None).await?;
            store.list(QuarantineQuery::default()).await?;
            store.claim(kept, &[]).await?;
            store.search_journal(JournalQuery::default()).await?;
            store.settle_release(kept, &[], ReleaseOutcome::Delivered).await?;
            store.totals().await?;
            Ok::<_, StoreError>(())
        });
    }
    for ended in callers.join_all().await {
        assert_eq!(ended, Ok(()));
    }
    let query = QuarantineQuery {
        state: Some(State::Released),
        ..QuarantineQuery::default()
    };
    assert_eq!(store.list(query).await.map(|found| found.len()), Ok(80));
    let query = JournalQuery {
        limit: 1_000,
        ..JournalQuery::default()
    };
    assert_eq!(store.search_journal(query).await.map(|found| found.len()), Ok(160));
}

async fn parallel_retries_merge_into_one(store: Arc<dyn Store>) {
    let mut callers = tokio::task::JoinSet::new();
    for number in 1..=40_u128 {
        let store = Arc::clone(&store);
        let mut retry = message(number, State::Held, &["a@town.example"]);
        retry.fingerprint = "same".to_owned();
        callers.spawn(async move { store.quarantine(retry).await });
    }
    let kept = callers.join_all().await;
    let first = kept.first().expect("forty").clone();
    assert!(kept.iter().all(|id| *id == first && id.is_ok()), "{kept:?}");
    assert_eq!(
        store.list(QuarantineQuery::default()).await.map(|found| found.len()),
        Ok(1)
    );
    assert_ne!(first, Ok(id(0)));
}
