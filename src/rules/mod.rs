//! What it means: a compiled language over the evidence.
//!
//! Rule files in, a [`RuleSet`] out, whole or not at all; evidence in, [`Findings`] out. Knows
//! nothing of policy, thresholds, stores or the wire.

mod assemble;
mod bits;
pub mod codes;
pub mod compile;
mod compose;
pub mod diagnostic;
mod embedded;
pub mod evaluate;
mod files;
pub mod format;
pub mod function;
pub mod guard;
pub mod held;
pub mod keys;
mod link;
mod list_entry;
mod list_rows;
pub mod lists;
mod memory;
#[cfg(test)]
mod naive;
mod overlay;
pub mod pack;
pub mod protected;
mod read_ahead;
pub mod schema;
pub mod set;
mod settings;
mod snapshot;
pub mod stop_watch;
pub mod source;
mod stock;
pub mod syntax;
mod table;
pub mod test_entry;
pub mod testing;
pub mod text;
pub mod value;
mod wakers;
pub mod workbench;

pub use assemble::RULES_MAX;
pub use memory::Memory;
pub use set::{Loaded, RuleSet, RuleText};
pub use settings::Settings;

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// What a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Category {
    /// Asks for a password or a code.
    CredentialPhishing,
    /// Carries or fetches hostile code.
    Malware,
    /// Wants money sent elsewhere.
    PaymentFraud,
    /// Poses as a person or an organisation.
    Impersonation,
    /// Threatens.
    Extortion,
    /// Promises.
    AdvanceFee,
    /// Sells.
    Spam,
    /// Against the rules of the house.
    Policy,
    /// Probes.
    Reconnaissance,
    /// Speaks for the message.
    Trust,
}

impl Category {
    /// Every category.
    pub const ALL: [Self; 10] = [
        Self::CredentialPhishing,
        Self::Malware,
        Self::PaymentFraud,
        Self::Impersonation,
        Self::Extortion,
        Self::AdvanceFee,
        Self::Spam,
        Self::Policy,
        Self::Reconnaissance,
        Self::Trust,
    ];

    /// The word in rule files, logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CredentialPhishing => "credential-phishing",
            Self::Malware => "malware",
            Self::PaymentFraud => "payment-fraud",
            Self::Impersonation => "impersonation",
            Self::Extortion => "extortion",
            Self::AdvanceFee => "advance-fee",
            Self::Spam => "spam",
            Self::Policy => "policy",
            Self::Reconnaissance => "reconnaissance",
            Self::Trust => "trust",
        }
    }
}

/// How bad it is if the rule is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// A nuisance.
    Low,
    /// A risk.
    Medium,
    /// An attack; may reject.
    High,
    /// An attack that would do harm at once; may reject.
    Critical,
}

impl Severity {
    /// Every severity, mildest first.
    pub const ALL: [Self; 5] = [Self::Info, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The word in rule files, logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// What is done with a message, mildest first: the order decides between findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Passed on with our headers.
    Deliver,
    /// Passed on, marked.
    Tag,
    /// 4xx: the sender tries again.
    Defer,
    /// 250, kept in the store.
    Quarantine,
    /// 5xx.
    Reject,
}

impl Action {
    /// Every action, mildest first.
    pub const ALL: [Self; 5] = [Self::Deliver, Self::Tag, Self::Defer, Self::Quarantine, Self::Reject];

    /// The word in rule files, settings, logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deliver => "deliver",
            Self::Tag => "tag",
            Self::Defer => "defer",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }
}

/// Whether a rule acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Counted and acted on.
    Active,
    /// Evaluated and counted, never acted on.
    Shadow,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 2] = [Self::Active, Self::Shadow];

    /// The word in rule files, logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Shadow => "shadow",
        }
    }
}

/// Points in hundredths, so that sums are exact.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Score(pub i64);

impl Score {
    /// From points as people write them, rounded to hundredths.
    #[expect(clippy::cast_possible_truncation, reason = "clamped to a range that fits")]
    pub fn from_points(points: f64) -> Self {
        Self((points * 100.0).round().clamp(-1e12, 1e12) as i64)
    }

    /// As points.
    #[expect(clippy::cast_precision_loss, reason = "scores are far below 2⁵²")]
    pub fn points(self) -> f64 {
        self.0 as f64 / 100.0
    }
}

impl fmt::Display for Score {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:.1}", self.points())
    }
}

/// Text that made a rule true, cut to a bounded length.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snippet {
    /// The schema name of where it stood, such as `body.text`.
    pub field: String,
    /// The text that matched, at most 120 characters.
    pub text: String,
    /// Byte offset in that field's value, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<usize>,
}

/// What never changes about a rule while its generation lives; findings share it.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleInfo {
    /// `[A-Z][A-Z0-9_]{2,63}`.
    pub id: String,
    /// One line for people.
    pub summary: String,
    /// See [`Category`].
    pub category: Category,
    /// See [`Severity`].
    pub severity: Severity,
    /// Points added on a match, overrides applied.
    pub score: Score,
    /// After overrides and expiry.
    pub status: Status,
    /// The least that is done when it matches.
    pub floor: Option<Action>,
    /// The most that this rule alone may cause.
    pub cap: Option<Action>,
    /// Of a group only the strongest positive score counts.
    pub group: Option<String>,
    /// Rules whose score, not floor, this one takes away.
    pub replaces: Vec<String>,
    /// Free words.
    pub tags: Vec<String>,
    /// Where its file stands, as the author would name it.
    pub file: String,
    /// Line of its `[[rule]]`, from 1.
    pub line: usize,
    /// The pack's name.
    pub pack: String,
}

/// A rule that matched.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The rule.
    pub rule: Arc<RuleInfo>,
    /// What decided; at most 8.
    pub evidence: Vec<Snippet>,
}

/// A rule that could not be decided because a fact was unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undecided {
    /// The rule's id.
    pub rule: String,
    /// The schema name of the unknown fact.
    pub check: &'static str,
    /// Why it is unknown, a word for metrics.
    pub cause: &'static str,
}

/// What a rule that was evaluated took.
#[derive(Debug, Clone)]
pub struct RuleSpent {
    /// The rule.
    pub rule: Arc<RuleInfo>,
    /// Steps: units of work, about a tenth of a microsecond each.
    pub steps: u64,
    /// Whether it took more than it may, so that it is unknown.
    pub is_over: bool,
}

/// What the rules say of one message.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// Rules that are true, active and shadow, in rule order; excepted ones left out.
    pub matched: Vec<Finding>,
    /// Rules that are unknown.
    pub undecided: Vec<Undecided>,
    /// Names of exceptions that suppressed a rule: (rule, exception).
    pub excepted: Vec<(String, String)>,
    /// What rules took. Those that slept, as most do, are left out.
    pub spent: Vec<RuleSpent>,
}
