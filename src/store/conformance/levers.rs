//! Levers: kept, replaced and removed, each with its audit entry.

use super::{at, audit_entry, conform};
use crate::store::Store;
use crate::verdict::Lever;
use crate::verdict::lever::{Kind, What};
use std::sync::Arc;

conform! {
    levers_come_back_whole_and_in_order
    the_newest_takes_the_place_of_one_that_does_the_same
    a_removed_lever_is_gone_and_removing_twice_is_no_error
}

fn lever(kind: Kind, entry: &str, reason: &str) -> Lever {
    Lever {
        what: What::read(kind, entry).expect("an entry"),
        by: "uid 7".to_owned(),
        reason: reason.to_owned(),
        since: at(1),
        until: at(1_000),
    }
}

async fn keep(store: &dyn Store, lever: &Lever) {
    let audit = audit_entry(1, lever.what.kind().as_str(), None);
    store.keep_lever(lever.clone(), audit).await.expect("kept");
}

async fn levers_come_back_whole_and_in_order(store: Arc<dyn Store>) {
    assert_eq!(store.levers().await, Ok(Vec::new()));
    let all = [
        lever(Kind::Allow, "192.0.2.7", "ours; \"quoted\""),
        lever(Kind::Allow, "ann@example.org", "\u{fc}ber"),
        lever(Kind::Block, "192.0.2.7", "theirs"),
        lever(Kind::Block, "2001:db8::/32", "a network"),
        lever(Kind::Block, "@example.org", "a domain"),
        lever(Kind::Bypass, "", "a jam"),
    ];
    for one in all.iter().rev() {
        keep(&*store, one).await;
    }
    let mut kept = store.levers().await.expect("read");
    assert_eq!(kept.len(), all.len());
    kept.retain(|lever| !all.contains(lever));
    assert_eq!(kept, Vec::new());
    let audit = store.audit(None).await.expect("read");
    assert_eq!(audit.len(), all.len());
    assert_eq!((audit[0].act.as_str(), audit[0].message), ("allow", None));
}

async fn the_newest_takes_the_place_of_one_that_does_the_same(store: Arc<dyn Store>) {
    for reason in ["first", "second"] {
        keep(&*store, &lever(Kind::Bypass, "", reason)).await;
        keep(&*store, &lever(Kind::Block, "@example.org", reason)).await;
    }
    let kept = store.levers().await.expect("read");
    let reasons: Vec<&str> = kept.iter().map(|lever| lever.reason.as_str()).collect();
    assert_eq!(reasons, ["second", "second"]);
}

async fn a_removed_lever_is_gone_and_removing_twice_is_no_error(store: Arc<dyn Store>) {
    let (goes, stays) = (
        lever(Kind::Block, "@example.org", "x"),
        lever(Kind::Allow, "@example.org", "y"),
    );
    keep(&*store, &goes).await;
    keep(&*store, &stays).await;
    for _ in 0..2 {
        let audit = audit_entry(2, "block remove", None);
        store.remove_lever(goes.what.clone(), audit).await.expect("removed");
        assert_eq!(store.levers().await, Ok(vec![stays.clone()]));
    }
}
