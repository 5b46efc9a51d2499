//! What every store must do: one set of tests over `Arc<dyn Store>`, run against each of them.
//!
//! A new store joins by one line in [`conform`]. Faults that only one kind of store has are tested
//! beside it.

mod concurrency;
mod history;
mod holds;
mod journal;
mod levers;
mod quarantine;
mod releases;
mod retention;
mod upkeep;

use super::{AuditEntry, MemoryStore, Quarantined, SqliteStore, State, Store};
use crate::mail::{Address, Envelope, Parameter, Recipient};
use crate::telemetry::{MessageEvent, RecipientEvent, Telemetry};
use bytes::Bytes;
use jiff::Timestamp;
use std::sync::Arc;
use uuid::Uuid;

/// Runs each function named against each store, as a test of its own.
macro_rules! conform {
    ($($name:ident)*) => {
        mod memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::store::conformance::memory_store()).await;
            })*
        }
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let (store, _folder) = crate::store::conformance::sqlite_store().await;
                super::$name(store).await;
            })*
        }
    };
}
use conform;

fn memory_store() -> Arc<dyn Store> {
    Arc::new(MemoryStore::default())
}

async fn sqlite_store() -> (Arc<dyn Store>, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let opened = SqliteStore::open(folder.path().join("store.db"), Telemetry::default()).await;
    (Arc::new(opened.expect("a new database opens")), folder)
}

/// The moment `seconds` after a fixed one.
pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).expect("in range")
}

pub(super) fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// An entry of the audit log, written so many seconds after the fixed moment.
pub(super) fn audit_entry(seconds: i64, act: &str, message: Option<Uuid>) -> AuditEntry {
    AuditEntry {
        time: at(seconds),
        actor: "uid 7".to_owned(),
        act: act.to_owned(),
        message,
        reason: "asked for".to_owned(),
        outcome: "done".to_owned(),
    }
}

pub(super) fn recipient(address: &str, parameters: &[(&str, Option<&str>)]) -> Recipient {
    Recipient {
        address: Address::from_checked(address),
        parameters: parameters_of(parameters),
    }
}

pub(super) fn parameters_of(parameters: &[(&str, Option<&str>)]) -> Vec<Parameter> {
    parameters
        .iter()
        .map(|(keyword, value)| Parameter {
            keyword: (*keyword).to_owned(),
            value: value.map(str::to_owned),
        })
        .collect()
}

/// A journal record of message `number`, received so many seconds after the fixed moment.
pub(super) fn event(number: u128, seconds: i64) -> MessageEvent {
    MessageEvent {
        id: id(number).to_string(),
        time: at(seconds).to_string(),
        from: "bounce@sender.example".to_owned(),
        author: "Ann@Sender.example".to_owned(),
        recipients: vec![RecipientEvent {
            address: "Bob@town.example".to_owned(),
            verdict: "quarantine".to_owned(),
        }],
        verdict: "quarantine".to_owned(),
        score: 7.3,
        ..MessageEvent::default()
    }
}

/// A message of its own fingerprint, received so many seconds after the fixed moment.
pub(crate) fn message(number: u128, state: State, addresses: &[&str]) -> Quarantined {
    let seconds = i64::try_from(number).expect("small");
    Quarantined {
        id: id(number),
        state,
        received: at(seconds),
        envelope: Envelope {
            reverse_path: Some(Address::from_checked("bounce@sender.example")),
            parameters: Vec::new(),
            recipients: addresses.iter().map(|address| recipient(address, &[])).collect(),
        },
        route: "default".to_owned(),
        category: "phishing".to_owned(),
        from: "Ann@Sender.example".to_owned(),
        subject: "Your parcel".to_owned(),
        body: Bytes::from_static(b"Subject: Your parcel\r\n\r\nPay now.\r\n"),
        added: Bytes::from_static(b"X-Portreeve: held\r\n"),
        fingerprint: format!("{number:064x}"),
        event: event(number, seconds),
        hold: None,
    }
}

pub(super) async fn state_of(store: &dyn Store, number: u128) -> State {
    store.get(id(number)).await.expect("is kept").state
}
