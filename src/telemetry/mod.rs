//! Events become log lines and metrics: the one place that names them.
//!
//! Takes plain fields only and imports nothing of ours. A stuck log or metrics reader never stops
//! mail: what can't be written is counted and dropped.

pub mod catalogue;
mod diagnostics;
mod escape;
mod event;
mod families;
mod line;
mod log;
mod metrics;
mod register;
mod settings;
mod writer;

pub use event::{EvidenceEvent, FindingEvent, MessageEvent, RecipientEvent, UnscannedEvent};
pub use settings::{Format, Level, Settings};

use jiff::Timestamp;
use log::Log;
use metrics::Metrics;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

/// Tells the time of day to what is logged and scraped.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A list of the rule set in use.
#[derive(Debug, Clone, Copy)]
pub struct ListEvent<'a> {
    /// Its name.
    pub name: &'a str,
    /// How many entries it has.
    pub entries: usize,
    /// When its file was last written; `None` for a list written among the rules.
    pub written: Option<Timestamp>,
}

/// The handle through which every module reports what happened. Cheap to clone.
///
/// The default one counts and logs nowhere; [`Telemetry::new`] logs.
#[derive(Debug, Clone)]
pub struct Telemetry {
    metrics: Arc<Metrics>,
    log: Option<Arc<Log>>,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            metrics: Arc::new(Metrics::new()),
            log: None,
        }
    }
}

impl Telemetry {
    /// Counts, and logs to `output` (stderr, for the daemon) from a thread of its own.
    pub fn new(settings: Settings, output: Box<dyn Write + Send>, now: Now) -> Self {
        let metrics = Arc::new(Metrics::new());
        let log = Log::start(settings, output, now, metrics.events_dropped.clone());
        Self {
            metrics,
            log: Some(Arc::new(log)),
        }
    }

    /// Sends what we and our libraries say through `tracing` to the same log. Whether that worked:
    /// only the first call in a process does.
    pub fn install_diagnostics(&self) -> bool {
        self.log.as_ref().is_some_and(diagnostics::install)
    }

    /// Changes format and level from now on.
    pub fn configure_log(&self, settings: Settings) {
        if let Some(log) = &self.log {
            log.configure(settings);
            diagnostics::level_changed();
        }
    }

    /// Waits until all log lines so far are written, or `patience` is over; whether they are.
    pub fn flush(&self, patience: Duration) -> bool {
        self.log.as_ref().is_none_or(|log| log.flush(patience))
    }

    /// The metrics in Prometheus' text format.
    pub fn scrape(&self) -> String {
        let now = self.log.as_ref().map_or(Timestamp::UNIX_EPOCH, |log| log.now());
        self.metrics.scrape(now)
    }

    /// The listeners and routes of the settings: others count as `other`. Replaces those before.
    pub fn names(&self, listeners: &[&str], routes: &[&str]) {
        self.metrics.set_names(listeners, routes);
    }

    /// A connection was accepted.
    pub fn connection_opened(&self, _listener: &str) {
        self.metrics.connections_open.inc();
    }

    /// It ended.
    pub fn connection_closed(&self, _listener: &str) {
        self.metrics.connections_open.dec();
    }

    /// TLS was agreed on a connection (`implicit` or `starttls`), or it greeted in the clear (`none`).
    pub fn connection_secured(&self, listener: &str, tls: &'static str) {
        self.metrics.connection(listener, tls);
    }

    /// A 4xx or 5xx of our own: a word for why, and the stage (`connect`, `hello`, `mail`, `rcpt`, `data`, `message`).
    pub fn rejected(&self, reason: &'static str, stage: &'static str) {
        self.metrics.reject(reason, stage);
    }

    /// A message got its verdict and its reply: one log line, and its counts. Its stages and what
    /// went unscanned are logged here but counted by [`Self::stage`] and [`Self::unscanned`].
    pub fn message(&self, event: &MessageEvent) {
        self.count_message(event);
        if let Some(log) = &self.log {
            log.message(event);
        }
    }

    /// A rule could not be decided for a message.
    pub fn rule_unknown(&self, rule: &str) {
        self.metrics.rule(rule, |series| series.unknown.inc());
    }

    /// The steps of work that rules took for a message.
    pub fn rules_spent<'r>(&self, spent: impl Iterator<Item = (&'r str, u64)>) {
        self.metrics.rules_spent(spent);
    }

    /// A rule was taken out of service: why (`budget`, `share`), and what that means for it.
    pub fn rule_held(&self, rule: &str, cause: &'static str, meaning: &str) {
        self.metrics.rule_held(rule, cause);
        let text = format!("{rule} is {meaning}");
        let fields = [("rule", rule), ("cause", cause), ("message", text.as_str())];
        self.log_fields(Level::Warning, "rule_held", &fields);
    }

    /// All rules that are out of service, and why; series of others go.
    pub fn rules_held(&self, held: &[(String, &'static str)]) {
        self.metrics.set_rules_held(held);
    }

    /// Seconds spent in a stage (`read`, `judge`, `act`).
    pub fn stage(&self, stage: &'static str, seconds: f64) {
        self.metrics.stage(stage, seconds);
    }

    /// Upstream answered: the stage (`connect`, `hello`, `mail`, `rcpt`, `data`, `dot`) and class (`2xx`…, `none`).
    pub fn upstream_reply(&self, route: &str, stage: &'static str, class: &'static str) {
        self.metrics.upstream_reply(route, stage, class);
    }

    /// Upstream connections of a route in a state (`idle`, `busy`).
    pub fn upstream_connections(&self, route: &str, state: &'static str, count: i64) {
        self.metrics.upstream_connections(route, state, count);
    }

    /// A 5xx of upstream's was softened to 451: worth waking somebody for.
    pub fn upstream_softened(&self, route: &str, stage: &'static str, reply: &str) {
        self.metrics.upstream_softened(route, stage);
        self.log_fields(
            Level::Warning,
            "upstream_softened",
            &[("route", route), ("stage", stage), ("upstream_reply", reply)],
        );
    }

    /// Upstream wasn't told who the client of a transaction is.
    pub fn upstream_unstated(&self, route: &str) {
        self.metrics.upstream_unstated(route);
    }

    /// A check could not run.
    pub fn unscanned(&self, check: &str, cause: &str) {
        self.metrics.unscanned(check, cause);
    }

    /// Who vouches for a message was checked by a method (`spf`, `dkim`, `dmarc`, `arc`), with an RFC 8601 word.
    pub fn authenticated(&self, method: &str, result: &str) {
        self.metrics.authentication(method, result);
    }

    /// Something was looked up about a sender: how that ended.
    pub fn dns_lookup(&self, result: &str) {
        self.metrics.dns_lookup(result);
    }

    /// DNS servers stopped answering, or answer again.
    pub fn dns_down(&self, is_down: bool) {
        self.metrics.dns_down.set(i64::from(is_down));
        match is_down {
            true => self.warning(
                "dns-down",
                "no DNS server answers: what is to be found out about senders is unknown, and nobody waits for it",
            ),
            false => self.notice("dns-up", "DNS servers answer again"),
        }
    }

    /// The DNS block lists of the settings. Replaces those before.
    pub fn dns_lists(&self, names: &[&str]) {
        self.metrics.set_dns_lists(names);
    }

    /// A DNS block list erred.
    pub fn dns_list_error(&self, list: &str) {
        self.metrics.dns_list_error(list);
    }

    /// A DNS block list is left alone for a while, and why; or it answers again.
    pub fn dns_list_dropped(&self, list: &str, why: Option<&str>) {
        self.metrics.dns_list_dropped(list, why.is_some());
        match why {
            Some(why) => {
                let text = format!("{list} is left alone for half an hour: {why}");
                self.log_fields(
                    Level::Warning,
                    "dns_list_dropped",
                    &[("list", list), ("message", &text)],
                );
            }
            None => {
                let text = format!("{list} answers again");
                self.log_fields(Level::Info, "dns_list_restored", &[("list", list), ("message", &text)]);
            }
        }
    }

    /// The rule set in use: its hash, its rules with their status, its lists. Series of rules and
    /// lists that are no longer there go.
    pub fn rules_loaded(&self, sha256: &str, rules: &[(&str, &str)], lists: &[ListEvent<'_>]) {
        self.metrics.set_rules(rules);
        self.metrics.set_sha256(sha256);
        self.metrics.set_lists(lists);
    }

    /// What the rule set in use takes in memory: `needles`, `regexes`, `lists`, `rules`, `texts`, each in bytes.
    pub fn ruleset_memory(&self, parts: &[(&str, usize)]) {
        self.metrics.set_ruleset_memory(parts);
    }

    /// An attempt to load the rules ended: `loaded`, `unchanged`, `refused` (a list shrank, say) or
    /// `failed`, and a sentence with the place.
    pub fn ruleset_reloaded(&self, result: &'static str, text: &str) {
        let fine = matches!(result, "loaded" | "unchanged");
        self.metrics.reload(result);
        self.metrics.reload_successful.set(i64::from(fine));
        if fine && let Some(log) = &self.log {
            self.metrics.reload_success_time.set(log.now().as_second());
        }
        let level = if fine { Level::Info } else { Level::Warning };
        self.log_fields(level, "ruleset_reload", &[("result", result), ("message", text)]);
    }

    /// What the quarantine holds: messages by category, how many of them upstream left out and how many
    /// of all are on hold, bytes, when the oldest was received.
    pub fn quarantine_totals(&self, held: &[(String, u64)], counts: [u64; 2], bytes: u64, oldest: Option<Timestamp>) {
        self.metrics.set_quarantine(held, counts, bytes, oldest);
    }

    /// Entries of an administrator in force, by kind (`allow`, `block`), and until when the gate is bypassed.
    pub fn levers(&self, entries: &[(&str, usize)], bypass_until: Option<Timestamp>) {
        self.metrics.set_levers(entries, bypass_until);
    }

    /// The store failed at an operation.
    pub fn store_error(&self, operation: &'static str, why: &str) {
        self.metrics.store_error(operation);
        self.log_fields(
            Level::Warning,
            "store_error",
            &[("operation", operation), ("message", why)],
        );
    }

    /// Journal records were dropped.
    pub fn journal_dropped(&self, count: u64) {
        self.metrics.journal_dropped.inc_by(count);
    }

    /// Entries of what is remembered of correspondents.
    pub fn history_entries(&self, count: u64) {
        self.metrics.history_entries(count);
    }

    /// The store could not say what it remembers: `failed` or `timeout`.
    pub fn history_unanswered(&self, cause: &'static str) {
        self.metrics.history_unanswered(cause);
    }

    /// What was remembered of so many was dropped for want of room.
    pub fn history_evicted(&self, count: u64) {
        self.metrics.history_evicted.inc_by(count);
    }

    /// So many messages were not learned from.
    pub fn history_dropped(&self, count: u64) {
        self.metrics.history_dropped.inc_by(count);
    }

    /// A release was asked for and how it ended; `delivered` counts.
    pub fn release(&self, by: &'static str, category: &str, outcome: &str) {
        if outcome == "delivered" {
            self.metrics.release(by, category);
        }
        self.log_fields(
            Level::Info,
            "release",
            &[("by", by), ("category", category), ("outcome", outcome)],
        );
    }

    /// Bytes of the budget for message bodies in a state (`used`, `limit`).
    pub fn memory_budget(&self, state: &'static str, bytes: u64) {
        self.metrics.memory_budget(state, bytes);
    }

    /// When a certificate expires, seconds since 1970.
    pub fn certificate_expiry(&self, name: &str, unix_seconds: i64) {
        self.metrics.set_certificate_expiry(name, unix_seconds);
    }

    /// Something worth a line in the log that is no message: a word for what, and a sentence.
    pub fn notice(&self, what: &'static str, text: &str) {
        self.log_fields(Level::Info, what, &[("message", text)]);
    }

    /// Something that needs a person.
    pub fn warning(&self, what: &'static str, text: &str) {
        self.log_fields(Level::Warning, what, &[("message", text)]);
    }

    fn log_fields(&self, level: Level, event: &str, fields: &[(&str, &str)]) {
        if let Some(log) = &self.log {
            log.fields(level, event, fields);
        }
    }

    fn count_message(&self, event: &MessageEvent) {
        let metrics = &self.metrics;
        metrics.message(&event.verdict, &event.direction, &event.mode);
        #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2⁵²")]
        metrics.message_size.observe(event.size as f64);
        for recipient in &event.recipients {
            metrics.recipient(&recipient.verdict);
        }
        for finding in &event.findings {
            let is_shadow = finding.status == catalogue::SHADOW;
            if !is_shadow {
                metrics.finding(&finding.category, &finding.severity);
            }
            metrics.rule(&finding.rule, |series| series.hits(is_shadow).inc());
        }
        for rule in &event.sole_causes {
            metrics.rule(rule, |series| series.only_hits.inc());
        }
        for rule in &event.undecided {
            metrics.rule(rule, |series| series.unknown.inc());
        }
    }
}

#[cfg(test)]
mod tests;
