//! What lasts: the quarantine, the journal, the audit log and what is remembered of correspondents, behind one trait.
//!
//! [`memory`] serves tests and the simulator, [`sqlite`] the machine; `custody` decides, for both,
//! what may become of a kept message. [`journal`] gathers records into group commits. Knows nothing
//! of rules or the wire: it keeps what it is given, durably, and says so only when it is true.

#[cfg(test)]
pub(crate) mod conformance;
mod custody;
pub mod history;
pub mod journal;
pub mod memory;
mod search;
pub mod settings;
pub mod sqlite;

pub use history::{HistorySettings, Learned, Lesson, Recalled};
pub use journal::Journal;
pub use memory::MemoryStore;
pub use settings::{OpenError, Retention, Settings, open};
pub use sqlite::SqliteStore;

use crate::evidence::{Key, Secret};
use crate::mail::Envelope;
use crate::telemetry::MessageEvent;
use crate::verdict::Lever;
use crate::verdict::lever::What;
use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Where a quarantined message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Committed while upstream was still to answer for other recipients. One left by a crash is
    /// shown, never acted on by itself.
    Pending,
    /// Kept for review.
    Held,
    /// Upstream left these recipients out when it took the message for others, and the sender was told
    /// 250: mail that somebody waits for. Released like a held one; never expires.
    Undelivered,
    /// Upstream refused the message for the other recipients, so our reply said so: not ours.
    Voided,
    /// A release is under way; left by a crash, nobody knows whether it arrived.
    ReleaseUnknown,
    /// Delivered to everyone it was held for.
    Released,
    /// Removed by a person; only the record remains.
    Deleted,
}

impl State {
    /// The word in listings, logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Held => "held",
            Self::Undelivered => "undelivered",
            Self::Voided => "voided",
            Self::ReleaseUnknown => "release_unknown",
            Self::Released => "released",
            Self::Deleted => "deleted",
        }
    }
}

/// A message to keep.
#[derive(Debug, Clone)]
pub struct Quarantined {
    /// The message's id.
    pub id: Uuid,
    /// `Pending`, `Held` or `Undelivered` when committed.
    pub state: State,
    /// When it was received.
    pub received: Timestamp,
    /// The envelope, with only the recipients that it is held for, ORCPT, NOTIFY, RET, ENVID kept.
    pub envelope: Envelope,
    /// The route that it would have taken.
    pub route: String,
    /// The verdict's category.
    pub category: String,
    /// The author's address as shown in listings.
    pub from: String,
    /// The subject, cut.
    pub subject: String,
    /// Bytes as received.
    pub body: Bytes,
    /// The headers that we add on delivery, CRLF-ended, ready to stand before `body`.
    pub added: Bytes,
    /// Lower-case hex SHA-256 over reverse-path, recipients and body: identical retries merge.
    pub fingerprint: String,
    /// The journal record, written in the same transaction.
    pub event: MessageEvent,
    /// Who wants it kept, whatever else; nobody when it is committed.
    pub hold: Option<Hold>,
}

/// A legal hold: while it stands, nothing removes the message or what was recorded of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

/// One line of a listing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The message's id.
    pub id: Uuid,
    /// Where it stands.
    pub state: State,
    /// When it was received.
    pub received: Timestamp,
    /// The reverse-path.
    pub reverse_path: String,
    /// Recipients that it is still held for; once `Released`, all that it was held for.
    pub recipients: Vec<String>,
    /// The author's address.
    pub from: String,
    /// The subject.
    pub subject: String,
    /// The verdict's category.
    pub category: String,
    /// Bytes as received.
    pub size: u64,
    /// The legal hold on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
}

/// The most that one listing or search returns.
pub const LIMIT_MAX: u32 = 10_000;

/// Which quarantined messages to list.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct QuarantineQuery {
    /// Only in this state.
    pub state: Option<State>,
    /// Only those with a recipient containing this, any case.
    pub recipient: Option<String>,
    /// Only those whose reverse-path or author contains this, any case.
    pub sender: Option<String>,
    /// Only those on legal hold.
    #[serde(default)]
    pub on_hold: bool,
    /// Newest first, at most so many; 0 is 100, and more than [`LIMIT_MAX`] is that.
    pub limit: u32,
}

/// Which journal records to find; all given conditions hold.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct JournalQuery {
    /// This message.
    pub id: Option<Uuid>,
    /// Reverse-path or author contains this, any case.
    pub sender: Option<String>,
    /// A recipient contains this, any case.
    pub recipient: Option<String>,
    /// At or after.
    pub since: Option<Timestamp>,
    /// At or before.
    pub until: Option<Timestamp>,
    /// This verdict word.
    pub verdict: Option<String>,
    /// Newest first, at most so many; 0 is 100, and more than [`LIMIT_MAX`] is that.
    pub limit: u32,
}

/// The moments before which records are due to go, by class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// Journal records received before it.
    pub journal: Timestamp,
    /// Quarantined messages received before it.
    pub quarantine: Timestamp,
    /// Audit entries written before it.
    pub audit: Timestamp,
    /// What is remembered of those of whom nothing was heard since.
    pub history: Timestamp,
}

/// A person's act on kept mail, or on a lever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When.
    pub time: Timestamp,
    /// Who: the user of the control socket's peer.
    pub actor: String,
    /// `show`, `release`, `delete`, `hold`, `allow`, `bypass`…
    pub act: String,
    /// The message, if one.
    pub message: Option<Uuid>,
    /// Why, in the actor's words.
    pub reason: String,
    /// What came of it.
    pub outcome: String,
}

/// A release that may go ahead: claimed, so that no second one can.
#[derive(Debug, Clone)]
pub struct Claim {
    /// What was kept. Its envelope holds just the recipients to deliver to now.
    pub message: Quarantined,
    /// Recipients that stay held.
    pub remaining: usize,
}

/// How a claimed release ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReleaseOutcome {
    /// Upstream said 250.
    Delivered,
    /// Upstream refused, or was never reached: held, or undelivered, as before.
    NotDelivered,
    /// Upstream went away after the dot: stays `release_unknown`.
    Unknown,
}

/// What is kept, for the gauges.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Held messages by category, undelivered ones among them.
    pub held_by_category: Vec<(String, u64)>,
    /// How many of them are undelivered.
    pub undelivered: u64,
    /// How many of all that are kept are on hold, whatever their state.
    pub on_hold: u64,
    /// Bytes of their bodies as received.
    pub bytes: u64,
    /// When the oldest of them was received.
    pub oldest: Option<Timestamp>,
    /// Entries of what is remembered of correspondents.
    pub history_entries: u64,
}

/// Why the store could not do it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreError {
    /// There is no such message.
    NotFound,
    /// Its state doesn't allow that; which it is in.
    WrongState(State),
    /// It is on hold, so that it can't be removed.
    OnHold,
    /// It is not on hold.
    NotOnHold,
    /// A recipient named is not one that it is held for, so nothing was done for any of them.
    NoSuchRecipient,
    /// The machine failed: disk full, I/O error, store latched. Try again later.
    Failed(String),
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotFound => formatter.write_str("no such message"),
            Self::WrongState(state) => write!(formatter, "the message is {}", state.as_str()),
            Self::OnHold => formatter.write_str("the message is on legal hold"),
            Self::NotOnHold => formatter.write_str("the message is not on legal hold"),
            Self::NoSuchRecipient => formatter.write_str("the message is not held for that recipient"),
            Self::Failed(why) => write!(formatter, "the store failed: {why}"),
        }
    }
}

impl std::error::Error for StoreError {}

/// The store. Every method that changes something returns only when the change is durable; it
/// runs to its end even when the caller stops waiting, since a commit that "timed out" may hold.
#[async_trait]
pub trait Store: Send + Sync {
    /// Keeps a message and its journal record in one transaction. An identical one (same
    /// fingerprint) that is still pending, held or undelivered is merged: the id of the kept one is
    /// returned, and the journal still gets this message's own record.
    ///
    /// A merge never weakens what is kept: with an undelivered message on either side the result is
    /// undelivered, else with a held one held, and a pending one that several attempts share is voided
    /// only when each of them was.
    async fn quarantine(&self, message: Quarantined) -> Result<Uuid, StoreError>;

    /// Moves a `Pending` message on: to `Held`, or to `Voided` (its body is then removed). Doing so
    /// twice is no error. `WrongState` of `Held` or `Undelivered` in answer to `Voided` says that an
    /// identical message merged into this one is kept in its own right: it stays, and rightly so. `event`, the journal record of how it
    /// ended, takes the place of the one that was written when the message was kept.
    async fn settle(&self, id: Uuid, state: State, event: Option<MessageEvent>) -> Result<(), StoreError>;

    /// Messages in the quarantine, newest first.
    async fn list(&self, query: QuarantineQuery) -> Result<Vec<Summary>, StoreError>;

    /// One message, whole.
    async fn get(&self, id: Uuid) -> Result<Quarantined, StoreError>;

    /// Marks a release as under way (`ReleaseUnknown`) for the named recipients, or all when none
    /// is named. Only a `Held` or `Undelivered` message can be claimed. A name matches as `custody` says: its domain
    /// in any ASCII case, its local part exactly or else in any ASCII case.
    async fn claim(&self, id: Uuid, recipients: &[String]) -> Result<Claim, StoreError>;

    /// Records how a claimed release ended: `Released`, or for those that remain as it was before. No names
    /// are all that were claimed. A person who has found out what became of a `ReleaseUnknown`
    /// message says so by this too.
    async fn settle_release(&self, id: Uuid, recipients: &[String], outcome: ReleaseOutcome) -> Result<(), StoreError>;

    /// Removes the body and marks the record `Deleted`; from `Held`, `Undelivered`, `Pending` or
    /// `ReleaseUnknown`. Not while it is on hold.
    async fn delete(&self, id: Uuid) -> Result<(), StoreError>;

    /// Puts a message on hold, in whatever state it is, and appends the audit entry in the same
    /// transaction; `None` lifts the hold, and removes a body that was to go meanwhile. `OnHold` when it
    /// is on hold already: one person's hold is not for another to write over.
    async fn hold(&self, id: Uuid, hold: Option<Hold>, audit: AuditEntry) -> Result<(), StoreError>;

    /// A person says what became of a message that a crash left undecided: `Pending` is `Held` or
    /// `Voided`, `ReleaseUnknown` is `Released` (whoever was claimed has it) or `Held` (nobody of them
    /// has). Appends the audit entry in the same transaction. Returns where the message stands then:
    /// a release may have been for some of its recipients only, and what was `Undelivered` is so again.
    async fn decide(&self, id: Uuid, state: State, audit: AuditEntry) -> Result<State, StoreError>;

    /// Appends journal records, in one transaction. An id has one record: the first one stays, but
    /// that of [`Store::quarantine`] replaces any, since it is bound to what is kept.
    async fn append_journal(&self, events: &[MessageEvent]) -> Result<(), StoreError>;

    /// Finds journal records, newest first.
    async fn search_journal(&self, query: JournalQuery) -> Result<Vec<MessageEvent>, StoreError>;

    /// Appends to the audit log.
    async fn append_audit(&self, entry: AuditEntry) -> Result<(), StoreError>;

    /// The audit log of one message, or the newest 100 of all; newest first.
    async fn audit(&self, message: Option<Uuid>) -> Result<Vec<AuditEntry>, StoreError>;

    /// Counts for the gauges.
    async fn totals(&self) -> Result<Totals, StoreError>;

    /// Removes what is due: journal records, audit entries, and quarantine records that are settled;
    /// returns how many went. Settled are held, voided, released and deleted ones; one that is pending,
    /// undelivered or `ReleaseUnknown` waits for a person, however old. A message on hold stays, and so do the
    /// record of its verdict and the audit entries about it. What is remembered of correspondents goes by the last
    /// that was heard of them.
    async fn expire(&self, due: Due) -> Result<u64, StoreError>;

    /// The levers that are kept, by kind and entry.
    async fn levers(&self) -> Result<Vec<Lever>, StoreError>;

    /// Keeps a lever in place of one that does the same, and appends the audit entry in the same transaction.
    async fn keep_lever(&self, lever: Lever, audit: AuditEntry) -> Result<(), StoreError>;

    /// Removes a lever, if it is there, and appends the audit entry in the same transaction.
    async fn remove_lever(&self, what: What, audit: AuditEntry) -> Result<(), StoreError>;

    /// What the keys of what is remembered are made with. The first call makes `fresh` it; nothing else ever tells.
    async fn history_secret(&self, fresh: [u8; Secret::BYTES]) -> Result<[u8; Secret::BYTES], StoreError>;

    /// What is remembered under these keys, and directly under one of them, at most [`history::BENEATH_MAX`] and one.
    async fn recall(&self, keys: Vec<Key>, beneath: Option<Key>) -> Result<Recalled, StoreError>;

    /// Takes in what messages teach, in one transaction, each message once: only one whose journal record is kept,
    /// and says that it was not learned yet. Beyond so many entries those that are worth least go.
    async fn learn(&self, lessons: Vec<Lesson>, entries_max: u64) -> Result<Learned, StoreError>;

    /// Forgets what is remembered under this key and beneath it, and every pair that ends in that recipient; appends the
    /// audit entry in the same transaction. Returns how many entries went.
    async fn forget(&self, key: Key, recipient: Option<Key>, audit: AuditEntry) -> Result<u64, StoreError>;

    /// Why nothing can be kept now, where that is known without trying: an error has shut the store.
    /// Any attempt to change something also tries to open it again.
    fn trouble(&self) -> Option<String> {
        None
    }

    /// Ends what is under way, then closes; later calls fail. Dropping the store does the same, only
    /// later and unseen.
    async fn close(&self) {}
}
