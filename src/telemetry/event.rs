//! What is reported of one message: the journal record, and what its log line says.
//!
//! Plain fields, filled in by the pipeline, kept by the store, written by the log. Knows nothing of
//! how any of them does it.

use serde::{Deserialize, Serialize};

/// One rule that matched, as logged and journalled.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
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
#[serde(default)]
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
#[serde(default)]
pub struct UnscannedEvent {
    /// The fact's schema name or the check's.
    pub check: String,
    /// Why.
    pub cause: String,
}

/// What became of one recipient.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RecipientEvent {
    /// The address as it came.
    pub address: String,
    /// The verdict's word for this recipient, after policy.
    pub verdict: String,
}

/// One message: the journal record, and what its log line says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
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
    /// `observe`, `tag` or `enforce`; `bypass` while an administrator has that pulled.
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
    pub sole_causes: Vec<String>,
    /// Rules that could not be decided.
    pub undecided: Vec<String>,
    /// Why the action is what it is, in words, strongest first.
    pub reasons: Vec<String>,
    /// Levers of an administrator that bear on it: `block 203.0.113.7`, `bypass`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub levers: Vec<String>,
    /// What a strict reader would object to.
    pub defects: Vec<String>,
    /// Checks that could not run.
    pub unscanned: Vec<UnscannedEvent>,
    /// What was found of who vouches for it: `spf=pass a.example`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub authentication: Vec<String>,
    /// Milliseconds by stage: read, judge, act.
    pub stages: Vec<(String, f64)>,
    /// The route taken; empty when none was.
    pub route: String,
    /// Upstream's reply to the dot; empty when none came.
    pub upstream_reply: String,
    /// What the client was told.
    pub reply: String,
}
