//! What passes over the control socket: one JSON line asked, one JSON line answered, and for a
//! message its raw bytes after that line.
//!
//! Both sides import this; neither side's work is here.

use crate::store::{AuditEntry, Hold, JournalQuery, QuarantineQuery, State, Summary};
use crate::telemetry::MessageEvent;
use crate::units::Span;
use crate::verdict::Lever;
use crate::verdict::lever::Kind;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The longest request line, in bytes.
pub const REQUEST_MOST: usize = 64 << 10;

/// What the command line asks of a running gate.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum Request {
    /// How it is.
    Status,
    /// Read settings, rules and certificates again.
    Reload {
        /// Take rules even though a list shrank.
        force: bool,
    },
    /// Have rules act again that the breaker holds.
    Rearm {
        /// This one, or all.
        rule: Option<String>,
        /// Why; for the audit log.
        reason: String,
    },
    /// What is kept.
    QuarantineList(QuarantineQuery),
    /// One kept message: envelope, verdict, and its bytes when asked for.
    QuarantineShow {
        /// The message.
        id: Uuid,
        /// Why it is looked at; for the audit log.
        reason: String,
        /// Whether the bytes are wanted too.
        body: bool,
    },
    /// Let it go on.
    QuarantineRelease {
        /// The message.
        id: Uuid,
        /// To these of its recipients; to all when empty.
        recipients: Vec<String>,
        /// Why; for the audit log.
        reason: String,
    },
    /// Remove it.
    QuarantineDelete {
        /// The message.
        id: Uuid,
        /// Why; for the audit log.
        reason: String,
    },
    /// Put it on legal hold, or lift that.
    QuarantineHold {
        /// The message.
        id: Uuid,
        /// Whether the hold ends.
        lift: bool,
        /// Why; for the audit log.
        reason: String,
    },
    /// Say what became of one that a crash left undecided.
    QuarantineSettle {
        /// The message.
        id: Uuid,
        /// `Held`, `Voided` or `Released`.
        state: State,
        /// How that was found out; for the audit log.
        reason: String,
    },
    /// Put an entry to allow or block in force.
    SetEntry {
        /// Which of the two.
        kind: Kind,
        /// An address, a network, `user@domain` or `@domain`, as it was typed.
        entry: String,
        /// A day or a moment, as it was typed.
        until: String,
        /// Why; it is told in every verdict that the entry takes part in.
        reason: String,
    },
    /// End one before its time.
    RemoveEntry {
        /// Which of the two.
        kind: Kind,
        /// The entry.
        entry: String,
        /// Why; for the audit log.
        reason: String,
    },
    /// The entries in force.
    Entries {
        /// Which of the two.
        kind: Kind,
    },
    /// Deliver everything untouched for a while.
    StartBypass {
        /// For so long, from now.
        span: Span,
        /// Why.
        reason: String,
    },
    /// Act on verdicts again.
    EndBypass {
        /// Why; for the audit log.
        reason: String,
    },
    /// Forget what is remembered of somebody.
    HistoryForget {
        /// `user@domain` or `@domain`.
        whom: String,
        /// Why; for the audit log.
        reason: String,
    },
    /// What happened to mail.
    JournalSearch(JournalQuery),
    /// Who did what to kept mail and with levers.
    Audit {
        /// Of this message, or the newest of all.
        id: Option<Uuid>,
    },
}

/// What the gate answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Response {
    /// To `Status`.
    Status(Box<Status>),
    /// To `QuarantineList`.
    Quarantine {
        /// Newest first.
        messages: Vec<Summary>,
    },
    /// To `QuarantineShow`.
    Message(Box<Kept>),
    /// To `JournalSearch`.
    Journal {
        /// Newest first.
        records: Vec<MessageEvent>,
    },
    /// To `Audit`.
    Audit {
        /// Newest first.
        entries: Vec<AuditEntry>,
    },
    /// To `Entries`.
    Levers {
        /// By entry.
        levers: Vec<Lever>,
    },
    /// A lever was pulled, or is no longer.
    Lever {
        /// For people.
        message: String,
        /// The lever.
        lever: Lever,
    },
    /// It is done; a sentence about it.
    Done {
        /// For people.
        message: String,
    },
    /// It is not done.
    Failed {
        /// What kind of failure.
        kind: Failure,
        /// For people: what is wrong and what to do.
        message: String,
    },
}

/// Whose fault a failure is; decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// No such message, or not in a state for that.
    NotFound,
    /// The request makes no sense.
    Usage,
    /// Settings or rules don't load; the old ones serve on.
    Configuration,
    /// Upstream or the store can't now.
    TryAgain,
}

/// How a running gate is.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Status {
    /// The program's version.
    pub version: String,
    /// Process id.
    pub pid: u32,
    /// RFC 3339.
    pub started: String,
    /// The policy's mode.
    pub mode: String,
    /// Name, direction and address of each listener.
    pub listeners: Vec<String>,
    /// SHA-256 of the rule set, hex.
    pub generation: String,
    /// Rules that act.
    pub rules_active: usize,
    /// Rules that only watch.
    pub rules_shadow: usize,
    /// Memory that the rules take, told from their structures.
    #[serde(default)]
    pub rules_bytes: usize,
    /// Whether the gate runs on the last good rules because the present ones don't load.
    pub degraded: bool,
    /// How the last reload ended, in words.
    pub last_reload: String,
    /// Whether the store takes messages.
    pub store: String,
    /// Kept messages.
    pub quarantined: u64,
    /// Kept messages on legal hold, whatever their state.
    #[serde(default)]
    pub on_hold: u64,
    /// The bypass in force: mail is delivered untouched.
    #[serde(default)]
    pub bypass: Option<Lever>,
    /// Entries to allow in force.
    #[serde(default)]
    pub allowed: usize,
    /// Entries to block in force.
    #[serde(default)]
    pub blocked: usize,
    /// Rules that the breaker holds, and why.
    #[serde(default)]
    pub held: Vec<String>,
    /// DNS block lists that are left alone for now, and why.
    #[serde(default)]
    pub dns_lists_dropped: Vec<String>,
    /// Routes and their targets.
    pub routes: Vec<String>,
    /// Where HTTP is served.
    pub http: String,
}

/// One kept message.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Kept {
    /// The message's id.
    pub id: Uuid,
    /// Where it stands.
    pub state: State,
    /// Its envelope.
    pub envelope: crate::mail::Envelope,
    /// The route that it takes when released.
    pub route: String,
    /// The record of its verdict.
    pub event: MessageEvent,
    /// The legal hold on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// Bytes that follow this line; 0 when none were asked for.
    pub body_bytes: u64,
}
