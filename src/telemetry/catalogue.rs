//! Every metric there is: name, kind, labels and meaning, in one table.
//!
//! Registration reads it, `docs/metrics.md` is held to it by a test. The words that may stand in a
//! label are here too: closed sets, so that no traffic can add a series. Knows nothing of values.

/// What a metric counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by size.
    Histogram,
}

impl Kind {
    /// The word in the exposition format.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One metric.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// The whole name.
    pub name: &'static str,
    /// See [`Kind`].
    pub kind: Kind,
    /// Names of its labels, in order.
    pub labels: &'static [&'static str],
    /// One line for people.
    pub help: &'static str,
}

const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric {
        name,
        kind: Kind::Counter,
        labels,
        help,
    }
}

const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric {
        name,
        kind: Kind::Gauge,
        labels,
        help,
    }
}

const fn histogram(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric {
        name,
        kind: Kind::Histogram,
        labels,
        help,
    }
}

/// Every metric of ours; those of the process (`process_*`) come from the operating system.
pub const CATALOGUE: [Metric; 49] = [
    counter(
        "portreeve_connections_total",
        &["listener", "tls"],
        "Connections that got as far as a greeting, by how they were secured.",
    ),
    gauge("portreeve_connections_open", &[], "Connections open now."),
    counter(
        "portreeve_messages_total",
        &["verdict", "direction", "mode"],
        "Messages judged, by what rules and thresholds said of them.",
    ),
    counter(
        "portreeve_recipients_total",
        &["verdict"],
        "Recipients of judged messages, by what became of their copy.",
    ),
    counter(
        "portreeve_rejects_total",
        &["reason", "stage"],
        "Replies of our own with a 4xx or 5xx code.",
    ),
    counter(
        "portreeve_findings_total",
        &["category", "severity"],
        "Active rules that matched.",
    ),
    counter(
        "portreeve_rule_hits_total",
        &["rule", "mode"],
        "Messages that the rule matched, while active or in shadow.",
    ),
    counter(
        "portreeve_rule_only_hits_total",
        &["rule"],
        "Messages not simply delivered for which the rule was the sole cause.",
    ),
    counter(
        "portreeve_rule_unknown_total",
        &["rule"],
        "Messages for which the rule could not be decided.",
    ),
    counter(
        "portreeve_rule_eval_seconds_total",
        &["rule"],
        "Work that the rule took, in steps of a tenth of a microsecond.",
    ),
    gauge(
        "portreeve_rule_disabled",
        &["rule", "cause"],
        "1 for a rule that the breaker holds.",
    ),
    histogram("portreeve_stage_duration_seconds", &["stage"], "Time spent in a stage."),
    histogram("portreeve_message_size_bytes", &[], "Size of messages as received."),
    counter(
        "portreeve_upstream_replies_total",
        &["route", "stage", "class"],
        "Upstream's replies by class; none is silence or a lost connection.",
    ),
    counter(
        "portreeve_upstream_softened_total",
        &["route", "stage"],
        "Upstream's 5xx replies that were passed on as 451.",
    ),
    counter(
        "portreeve_upstream_unstated_total",
        &["route"],
        "Transactions whose server took no XFORWARD, and so was not told who the client is.",
    ),
    gauge(
        "portreeve_upstream_connections",
        &["route", "state"],
        "Connections to upstream now.",
    ),
    counter(
        "portreeve_unscanned_total",
        &["check", "cause"],
        "Checks that could not run.",
    ),
    counter(
        "portreeve_authentication_total",
        &["method", "result"],
        "Results of checks on who vouches for a message; of DKIM one a signature.",
    ),
    counter(
        "portreeve_dns_lookups_total",
        &["result"],
        "Lookups about senders, but for those answered from memory.",
    ),
    gauge("portreeve_dns_down", &[], "1 while no DNS server answers, else 0."),
    counter(
        "portreeve_dns_list_errors_total",
        &["list"],
        "Answers of DNS block lists that are errors, and questions that were not answered.",
    ),
    gauge(
        "portreeve_dns_list_dropped",
        &["list"],
        "1 for a DNS block list that erred again and again and is left alone, else 0.",
    ),
    counter(
        "portreeve_ruleset_reloads_total",
        &["result"],
        "Attempts to load the rules.",
    ),
    gauge(
        "portreeve_ruleset_last_reload_successful",
        &[],
        "1 when the last attempt to load the rules succeeded, else 0.",
    ),
    gauge(
        "portreeve_ruleset_last_reload_success_timestamp_seconds",
        &[],
        "When the rules were last loaded.",
    ),
    gauge(
        "portreeve_ruleset_info",
        &["sha256"],
        "1, with the hash of the rule set in use.",
    ),
    gauge("portreeve_ruleset_rules", &["status"], "Rules in use."),
    gauge(
        "portreeve_ruleset_bytes",
        &["part"],
        "Memory that the rules in use take, told from their structures.",
    ),
    gauge("portreeve_list_entries", &["list"], "Entries of a list in use."),
    gauge(
        "portreeve_list_age_seconds",
        &["list"],
        "Time since a list's file was last written.",
    ),
    gauge("portreeve_quarantine_messages", &["category"], "Messages held now."),
    gauge(
        "portreeve_quarantine_undelivered",
        &[],
        "Those of them that upstream took for other recipients only: mail somebody waits for.",
    ),
    gauge(
        "portreeve_quarantine_on_hold",
        &[],
        "Kept messages, whatever their state, that a legal hold keeps from being removed.",
    ),
    gauge(
        "portreeve_quarantine_bytes",
        &[],
        "Bytes of messages held now, as received.",
    ),
    gauge(
        "portreeve_quarantine_oldest_seconds",
        &[],
        "Age of the oldest message held; 0 when none is.",
    ),
    gauge(
        "portreeve_bypass_active",
        &[],
        "1 while mail is delivered untouched because an administrator has bypassed the gate, else 0.",
    ),
    gauge(
        "portreeve_lever_entries",
        &["kind"],
        "Entries to allow and to block in force.",
    ),
    counter(
        "portreeve_quarantine_releases_total",
        &["by", "category"],
        "Quarantined messages delivered after all.",
    ),
    counter(
        "portreeve_store_errors_total",
        &["operation"],
        "Operations that the store failed at.",
    ),
    counter(
        "portreeve_journal_dropped_total",
        &[],
        "Journal records that were dropped.",
    ),
    gauge(
        "portreeve_history_entries",
        &[],
        "Addresses, domains and pairs that are remembered.",
    ),
    counter(
        "portreeve_history_unanswered_total",
        &["cause"],
        "Messages judged without what is remembered of their sender, because the store did not say.",
    ),
    counter(
        "portreeve_history_evicted_total",
        &[],
        "Entries that were dropped for want of room.",
    ),
    counter(
        "portreeve_history_dropped_total",
        &[],
        "Messages that the store did not learn from.",
    ),
    counter(
        "portreeve_events_dropped_total",
        &[],
        "Log lines that could not be written.",
    ),
    gauge(
        "portreeve_memory_budget_bytes",
        &["state"],
        "The byte budget for message bodies.",
    ),
    gauge(
        "portreeve_certificate_expiry_timestamp_seconds",
        &["name"],
        "When a certificate expires.",
    ),
    gauge(
        "portreeve_build_info",
        &["version", "commit"],
        "1, with the version running.",
    ),
];

/// Stands in a label for any word outside its set.
pub const OTHER: &str = "other";
/// How a connection was secured.
pub const TLS: &[&str] = &["none", "starttls", "implicit"];
/// What rules, thresholds and entries say.
pub const VERDICTS: &[&str] = &["deliver", "tag", "defer", "quarantine", "reject"];
/// What became of a recipient's copy.
pub const OUTCOMES: &[&str] = &["deliver", "tag", "defer", "quarantine", "reject", "failed"];
/// Which way mail goes.
pub const DIRECTIONS: &[&str] = &["inbound", "outbound"];
/// The policy's mode, or that an administrator has bypassed the gate.
pub const MODES: &[&str] = &["observe", "tag", "enforce", "bypass"];
/// Kinds of an administrator's entries.
pub const ENTRIES: &[&str] = &["allow", "block"];
/// What rules are about.
pub const CATEGORIES: &[&str] = &[
    "credential-phishing",
    "malware",
    "payment-fraud",
    "impersonation",
    "extortion",
    "advance-fee",
    "spam",
    "policy",
    "reconnaissance",
    TRUST,
];
/// How bad it is.
pub const SEVERITIES: &[&str] = &["info", "low", "medium", "high", "critical"];
/// A rule's status.
pub const STATUSES: &[&str] = &["active", SHADOW];
/// What the memory of a rule set goes into.
pub const RULESET_PARTS: &[&str] = &["needles", "regexes", "lists", "rules", "texts"];
/// The status of a rule that is evaluated and never acts.
pub const SHADOW: &str = "shadow";
/// The category of a rule that speaks for a message.
pub const TRUST: &str = "trust";
/// Stages that are timed.
pub const STAGES: &[&str] = &["read", "judge", "act"];
/// Steps of a session with upstream.
pub const UPSTREAM_STAGES: &[&str] = &["connect", "hello", "reset", "mail", "rcpt", "data", "dot"];
/// Classes of upstream's replies.
pub const CLASSES: &[&str] = &["2xx", "3xx", "4xx", "5xx", "none"];
/// States of a connection to upstream.
pub const CONNECTION_STATES: &[&str] = &["idle", "busy"];
/// Outcomes of an attempt to load the rules: taken; the same as before; refused as suspicious, such
/// as a list that shrank; broken.
pub const RELOADS: &[&str] = &["loaded", "unchanged", "refused", "failed"];
/// Who asked for a release.
pub const RELEASERS: &[&str] = &["cli"];
/// What the store does.
pub const STORE_OPERATIONS: &[&str] = &[
    "quarantine",
    "settle",
    "list",
    "get",
    "claim",
    "settle_release",
    "delete",
    "append_journal",
    "search_journal",
    "append_audit",
    "audit",
    "totals",
    "expire",
    "levers",
    "hold",
    "recall",
    "learn",
    "forget",
];
/// Why the store did not say what it remembers.
pub const HISTORY_CAUSES: &[&str] = &["failed", "timeout"];
/// Parts of the byte budget.
pub const BUDGET_STATES: &[&str] = &["used", "limit"];
/// What can go unscanned, and why: a fact of the schema counts under the longest of these that it is or stands below.
pub const UNSCANNED: &[(&str, &[&str])] = &[
    ("client", SOUGHT),
    ("client.listed", LISTED),
    ("listings", LISTED),
    ("envelope", &["not-gathered"]),
    ("auth", &["not-gathered"]),
    ("auth.spf", SOUGHT),
    ("auth.dkim", SOUGHT),
    ("auth.dmarc", SOUGHT),
    ("auth.arc", SOUGHT),
    ("history", &["unsettled", "timeout", "failed", "limit"]),
    ("headers", CUT),
    ("body", CUT),
    ("links", CUT),
    ("attachments", CUT),
    ("message", CUT),
    ("rule", &["budget", "limit", "deadline"]),
    ("judging", &["panic", "deadline"]),
];
/// Why what is looked up stays unknown: among others no DNS server answers, or nobody knows the client.
const SOUGHT: &[&str] = &["timeout", "failed", "limit", "down", "no-client"];
/// The same of block lists, which may be left alone.
const LISTED: &[&str] = &["timeout", "failed", "limit", "down", "dropped"];
/// Why what is in the message stays unknown.
const CUT: &[&str] = &["not-gathered", "limit", "budget", "deadline"];
/// Ways to vouch for a message, and what they find (RFC 8601 §2.7).
pub const AUTHENTICATION: &[(&str, &[&str])] = &[
    (
        "spf",
        &["pass", "fail", "softfail", "neutral", "none", "temperror", "permerror"],
    ),
    (
        "dkim",
        &["pass", "fail", "policy", "neutral", "none", "temperror", "permerror"],
    ),
    ("dmarc", &["pass", "fail", "none", "temperror", "permerror"]),
    ("arc", &["pass", "fail", "none", "temperror"]),
];
/// How a lookup ends.
pub const LOOKUPS: &[&str] = &["records", "none", "timeout", "failed", "limit", "down"];
/// Why a rule is taken out of service.
pub const DISABLED: &[&str] = &["budget", "share"];
/// Why we refuse, and at which stages: first what the wire refuses, then the desk.
pub const REJECTS: &[(&str, &[&str])] = &[
    ("connections", &["connect"]),
    ("connections_per_client", &["connect", "hello", "mail"]),
    ("client_network", &["connect", "hello", "mail"]),
    ("proxy_header", &["connect"]),
    ("untrusted", &["connect", "hello", "mail", "rcpt"]),
    ("early_talk", &["connect", "hello"]),
    ("tls", &["connect", "hello"]),
    ("draining", &["connect", "hello", "mail", "rcpt", "data", "message"]),
    ("timeout", &["connect", "hello", "mail", "rcpt", "data", "message"]),
    ("fault", &["connect", "hello", "mail", "rcpt", "data", "message"]),
    ("line_end", &["hello", "mail", "rcpt"]),
    ("line_length", &["hello", "mail", "rcpt"]),
    ("syntax", &["hello", "mail", "rcpt"]),
    ("unknown_command", &["hello", "mail", "rcpt"]),
    ("not_implemented", &["hello", "mail", "rcpt"]),
    ("sequence", &["hello", "mail", "rcpt"]),
    ("pipelining", &["hello", "mail", "rcpt", "data"]),
    ("errors", &["hello", "mail", "rcpt"]),
    ("address", &["mail", "rcpt"]),
    ("parameter", &["mail", "rcpt"]),
    ("size", &["mail", "data", "message"]),
    ("memory", &["mail", "rcpt", "data", "message"]),
    ("recipients", &["rcpt"]),
    ("malformed", &["data", "message"]),
    ("relay", &["mail", "rcpt"]),
    ("route", &["mail", "rcpt"]),
    ("upstream", &["mail", "rcpt", "data", "message"]),
    ("loop", &["message"]),
    ("policy", &["message"]),
    ("deferred", &["message"]),
    ("deadline", &["message"]),
    ("store", &["message"]),
];

/// Upper bounds of the stages' buckets, in seconds: from half a millisecond to the judging deadline.
pub const STAGE_BUCKETS: [f64; 15] = [
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 45.0,
];
/// Upper bounds of the message size's buckets, in bytes.
pub const SIZE_BUCKETS: [f64; 9] = [1e3, 4e3, 16e3, 64e3, 256e3, 1e6, 4e6, 16e6, 64e6];
