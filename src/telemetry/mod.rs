//! Events become log lines and metrics: the one place that names them.
//!
//! Takes plain fields only and imports nothing of ours. A stuck log or metrics reader never stops
//! mail: what can't be written is counted and dropped.

use serde::{Deserialize, Serialize};

/// One rule that matched, as logged and journalled.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FindingEvent {
    /// The rule's id.
    pub rule: String,
    /// Points.
    pub score: f64,
    /// The severity's word.
    pub severity: String,
    /// The category's word.
    pub category: String,
    /// `active` or `shadow`.
    pub status: String,
    /// The rule's file.
    pub file: String,
    /// The rule's line.
    pub line: usize,
    /// What matched.
    pub evidence: Vec<EvidenceEvent>,
}

/// Text that made a rule true.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EvidenceEvent {
    /// The field's schema name.
    pub field: String,
    /// The text, cut.
    pub text: String,
    /// Byte offset in the field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<usize>,
}

/// A check that could not run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnscannedEvent {
    /// The fact's schema name or the check's.
    pub check: String,
    /// Why.
    pub cause: String,
}

/// What became of one recipient.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecipientEvent {
    /// The address as it came.
    pub address: String,
    /// The verdict's word for this recipient, after policy.
    pub verdict: String,
}

/// One message: the journal record, and what its log line says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MessageEvent {
    /// UUIDv7.
    pub id: String,
    /// When it was received, RFC 3339 UTC.
    pub time: String,
    /// The first 12 hex digits of the rule set's hash.
    pub generation: String,
    /// The listener's name.
    pub listener: String,
    /// `inbound` or `outbound`.
    pub direction: String,
    /// `observe`, `tag` or `enforce`.
    pub mode: String,
    /// The client's address; empty when unknown.
    pub client: String,
    /// As it came.
    pub helo: String,
    /// TLS version and suite; empty in the clear.
    pub tls: String,
    /// The reverse-path; empty when null.
    pub from: String,
    /// The author's address, from the header.
    pub author: String,
    /// The subject, decoded and cut.
    pub subject: String,
    /// Accepted recipients and what became of each.
    pub recipients: Vec<RecipientEvent>,
    /// Bytes as received.
    pub size: u64,
    /// What the rules and thresholds say: deliver, tag, defer, quarantine, reject.
    pub verdict: String,
    /// What was done, after mode, policy and failures: the same words, or `failed` when upstream or
    /// the store didn't take it.
    pub action: String,
    /// Points.
    pub score: f64,
    /// Of the strongest finding; empty without one.
    pub severity: String,
    /// Of the strongest finding; empty without one.
    pub category: String,
    /// Rules that matched.
    pub findings: Vec<FindingEvent>,
    /// Rules without any one of which the verdict would be milder.
    #[serde(default)]
    pub sole_causes: Vec<String>,
    /// Rules that could not be decided.
    #[serde(default)]
    pub undecided: Vec<String>,
    /// Why the action is what it is, in words, strongest first.
    pub reasons: Vec<String>,
    /// What a strict reader would object to.
    pub defects: Vec<String>,
    /// Checks that could not run.
    pub unscanned: Vec<UnscannedEvent>,
    /// Milliseconds by stage: read, judge, act.
    pub stages: Vec<(String, f64)>,
    /// The route taken; empty when none was.
    pub route: String,
    /// Upstream's reply to the dot; empty when none came.
    pub upstream_reply: String,
    /// What the client was told.
    pub reply: String,
}

/// The handle through which every module reports what happened. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Telemetry {}

impl Telemetry {
    /// A connection was accepted.
    pub fn connection_opened(&self, _listener: &str) {}
    /// It ended.
    pub fn connection_closed(&self, _listener: &str) {}
    /// TLS was agreed on a connection (`implicit` or `starttls`), or it greeted in the clear (`none`).
    pub fn connection_secured(&self, _listener: &str, _tls: &'static str) {}
    /// A 4xx or 5xx of our own: a word for why, and the stage (`connect`, `hello`, `mail`, `rcpt`, `data`, `message`).
    pub fn rejected(&self, _reason: &'static str, _stage: &'static str) {}
    /// A message got its verdict and its reply: one log line, and its counts.
    pub fn message(&self, _event: &MessageEvent) {}
    /// Seconds spent in a stage (`read`, `parse`, `judge`, `upstream`, `store`, `total`).
    pub fn stage(&self, _stage: &'static str, _seconds: f64) {}
    /// Upstream answered: the stage (`connect`, `hello`, `mail`, `rcpt`, `data`, `dot`) and class (`2xx`…, `none`).
    pub fn upstream_reply(&self, _route: &str, _stage: &'static str, _class: &'static str) {}
    /// Upstream connections of a route in a state (`idle`, `busy`).
    pub fn upstream_connections(&self, _route: &str, _state: &'static str, _count: i64) {}
    /// A 5xx of upstream's was softened to 451: worth waking somebody for.
    pub fn upstream_softened(&self, _route: &str, _stage: &'static str, _reply: &str) {}
    /// A check could not run.
    pub fn unscanned(&self, _check: &str, _cause: &str) {}
    /// The store failed at an operation.
    pub fn store_error(&self, _operation: &'static str, _why: &str) {}
    /// Journal records were dropped.
    pub fn journal_dropped(&self, _count: u64) {}
    /// A release was asked for and how it ended.
    pub fn release(&self, _by: &'static str, _category: &str, _outcome: &str) {}
    /// Bytes of the budget for message bodies in a state (`used`, `limit`).
    pub fn memory_budget(&self, _state: &'static str, _bytes: u64) {}
    /// When a certificate expires, seconds since 1970.
    pub fn certificate_expiry(&self, _name: &str, _unix_seconds: i64) {}
    /// Something worth a line in the log that is no message: a word for what, and a sentence.
    pub fn notice(&self, _what: &'static str, _text: &str) {}
    /// Something that needs a person.
    pub fn warning(&self, _what: &'static str, _text: &str) {}
}
