//! The metrics themselves: registered from the catalogue, their children made once and kept.
//!
//! Known label sets start at 0. Names that settings and rule sets bring (listeners, routes, rules,
//! lists) are swapped in as wholes; a message in flight finds its child without a lock. Knows
//! nothing of events.

use super::ListEvent;
use super::catalogue::{
    AUTHENTICATION, BUDGET_STATES, CATEGORIES, CLASSES, CONNECTION_STATES, DIRECTIONS, DISABLED, ENTRIES,
    HISTORY_CAUSES, LOOKUPS, MODES, OTHER, OUTCOMES, REJECTS, RELEASERS, RELOADS, RULESET_PARTS, SEVERITIES, SHADOW,
    STATUSES, STORE_OPERATIONS, TLS, UNSCANNED, UPSTREAM_STAGES, VERDICTS,
};
use super::families::{Pairs, Table};
use super::register::Register;
use arc_swap::ArcSwap;
use jiff::Timestamp;
use prometheus::{Counter, CounterVec, Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Names of one kind that may stand in a label; more count as `other`.
pub(super) const NAMES_MAX: usize = 64;
/// Rules that may have series of their own.
pub(super) const RULES_MAX: usize = 10_000;

/// What a step of a rule's work is taken to last.
const SECONDS_PER_STEP: f64 = 1e-7;

type Rules = HashMap<String, RuleSeries, foldhash::fast::RandomState>;

/// Everything that is counted.
#[derive(Debug)]
pub(super) struct Metrics {
    registry: Registry,
    connections: IntCounterVec,
    pub(super) connections_open: IntGauge,
    listeners: ArcSwap<Vec<ListenerSeries>>,
    messages: Table<IntCounter, 3>,
    recipients: Table<IntCounter, 1>,
    rejects: Pairs<IntCounter>,
    findings: Table<IntCounter, 2>,
    rule_hits: IntCounterVec,
    rule_only_hits: IntCounterVec,
    rule_unknown: IntCounterVec,
    rule_eval: CounterVec,
    rule_disabled: IntGaugeVec,
    rules: ArcSwap<Rules>,
    stages: Table<Histogram, 1>,
    pub(super) message_size: Histogram,
    upstream_replies: IntCounterVec,
    upstream_softened: IntCounterVec,
    upstream_unstated: IntCounterVec,
    upstream_connections: IntGaugeVec,
    routes: ArcSwap<Vec<RouteSeries>>,
    unscanned: Pairs<IntCounter>,
    authentication: Pairs<IntCounter>,
    dns_lookups: Table<IntCounter, 1>,
    pub(super) dns_down: IntGauge,
    dns_list_errors: IntCounterVec,
    dns_list_dropped: IntGaugeVec,
    reloads: Table<IntCounter, 1>,
    pub(super) reload_successful: IntGauge,
    pub(super) reload_success_time: IntGauge,
    ruleset_info: IntGaugeVec,
    ruleset_rules: Table<IntGauge, 1>,
    ruleset_bytes: Table<IntGauge, 1>,
    list_entries: IntGaugeVec,
    list_age: IntGaugeVec,
    quarantine_messages: Table<IntGauge, 1>,
    quarantine_undelivered: IntGauge,
    quarantine_on_hold: IntGauge,
    pub(super) quarantine_bytes: IntGauge,
    quarantine_oldest: IntGauge,
    bypass_active: IntGauge,
    lever_entries: IntGaugeVec,
    releases: Table<IntCounter, 2>,
    store_errors: Table<IntCounter, 1>,
    pub(super) journal_dropped: IntCounter,
    history_entries: IntGauge,
    history_unanswered: Table<IntCounter, 1>,
    pub(super) history_evicted: IntCounter,
    pub(super) history_dropped: IntCounter,
    pub(super) events_dropped: IntCounter,
    memory_budget: Table<IntGauge, 1>,
    certificate_expiry: IntGaugeVec,
    slow: Mutex<Slow>,
}

/// What changes seldom and is read at a scrape; never locked on a message's way.
#[derive(Debug, Default)]
struct Slow {
    sha256: String,
    lists: Vec<(String, Option<Timestamp>)>,
    oldest: Option<Timestamp>,
    bypass_until: Option<Timestamp>,
    certificates: Vec<String>,
    dns_lists: Vec<String>,
}

#[derive(Debug)]
struct ListenerSeries {
    name: String,
    connections: Table<IntCounter, 1>,
}

#[derive(Debug)]
struct RouteSeries {
    name: String,
    replies: Table<IntCounter, 2>,
    softened: Table<IntCounter, 1>,
    unstated: IntCounter,
    connections: Table<IntGauge, 1>,
}

/// The series of one rule.
#[derive(Debug, Clone)]
pub(super) struct RuleSeries {
    hits: IntCounter,
    shadow_hits: IntCounter,
    /// Messages of which the rule was the sole cause.
    pub(super) only_hits: IntCounter,
    /// Messages for which it could not be decided.
    pub(super) unknown: IntCounter,
    eval: Counter,
}

impl RuleSeries {
    /// The counter for a rule's status.
    pub(super) fn hits(&self, is_shadow: bool) -> &IntCounter {
        if is_shadow { &self.shadow_hits } else { &self.hits }
    }
}

impl Metrics {
    /// Registers everything, known label sets at 0.
    pub(super) fn new() -> Self {
        let registry = Registry::new();
        let register = Register(&registry);
        let metrics = Self {
            connections: register.counters("connections_total"),
            connections_open: register.gauge("connections_open"),
            listeners: ArcSwap::default(),
            messages: register.counter_table("messages_total", [VERDICTS, DIRECTIONS, MODES]),
            recipients: register.counter_table("recipients_total", [OUTCOMES]),
            rejects: register.counter_pairs("rejects_total", REJECTS),
            findings: register.counter_table("findings_total", [CATEGORIES, SEVERITIES]),
            rule_hits: register.counters("rule_hits_total"),
            rule_only_hits: register.counters("rule_only_hits_total"),
            rule_unknown: register.counters("rule_unknown_total"),
            rule_eval: register.fractions("rule_eval_seconds_total"),
            rule_disabled: register.gauges("rule_disabled"),
            rules: ArcSwap::default(),
            stages: register.stages(),
            message_size: register.message_size(),
            upstream_replies: register.counters("upstream_replies_total"),
            upstream_softened: register.counters("upstream_softened_total"),
            upstream_unstated: register.counters("upstream_unstated_total"),
            upstream_connections: register.gauges("upstream_connections"),
            routes: ArcSwap::default(),
            unscanned: register.counter_pairs("unscanned_total", UNSCANNED),
            authentication: register.counter_pairs("authentication_total", AUTHENTICATION),
            dns_lookups: register.counter_table("dns_lookups_total", [LOOKUPS]),
            dns_down: register.gauge("dns_down"),
            dns_list_errors: register.counters("dns_list_errors_total"),
            dns_list_dropped: register.gauges("dns_list_dropped"),
            reloads: register.counter_table("ruleset_reloads_total", [RELOADS]),
            reload_successful: register.gauge("ruleset_last_reload_successful"),
            reload_success_time: register.gauge("ruleset_last_reload_success_timestamp_seconds"),
            ruleset_info: register.gauges("ruleset_info"),
            ruleset_rules: register.gauge_table("ruleset_rules", STATUSES),
            ruleset_bytes: register.gauge_table("ruleset_bytes", RULESET_PARTS),
            list_entries: register.gauges("list_entries"),
            list_age: register.gauges("list_age_seconds"),
            quarantine_messages: register.gauge_table("quarantine_messages", CATEGORIES),
            quarantine_undelivered: register.gauge("quarantine_undelivered"),
            quarantine_on_hold: register.gauge("quarantine_on_hold"),
            quarantine_bytes: register.gauge("quarantine_bytes"),
            quarantine_oldest: register.gauge("quarantine_oldest_seconds"),
            bypass_active: register.gauge("bypass_active"),
            lever_entries: register.gauges("lever_entries"),
            releases: register.counter_table("quarantine_releases_total", [RELEASERS, CATEGORIES]),
            store_errors: register.counter_table("store_errors_total", [STORE_OPERATIONS]),
            journal_dropped: register.counter("journal_dropped_total"),
            history_entries: register.gauge("history_entries"),
            history_unanswered: register.counter_table("history_unanswered_total", [HISTORY_CAUSES]),
            history_evicted: register.counter("history_evicted_total"),
            history_dropped: register.counter("history_dropped_total"),
            events_dropped: register.counter("events_dropped_total"),
            memory_budget: register.gauge_table("memory_budget_bytes", BUDGET_STATES),
            certificate_expiry: register.gauges("certificate_expiry_timestamp_seconds"),
            slow: Mutex::default(),
            registry: registry.clone(),
        };
        register.build_info();
        register.process();
        metrics.set_names(&[], &[]);
        metrics.set_levers(&[], None);
        metrics
    }

    /// Listeners and routes that may stand in a label; series of those no longer named go.
    pub(super) fn set_names(&self, listeners: &[&str], routes: &[&str]) {
        let _alone = self.slow.lock().unwrap_or_else(PoisonError::into_inner);
        let listeners: Vec<_> = with_other(listeners).map(|name| self.listener_series(name)).collect();
        let gone = self.listeners.swap(Arc::new(listeners));
        for old in gone
            .iter()
            .filter(|old| !self.listeners.load().iter().any(|new| new.name == old.name))
        {
            for ([tls], _) in old.connections.iter() {
                // A series that is already gone is what we want.
                let _ = self.connections.remove_label_values(&[&old.name, tls]);
            }
        }
        let routes: Vec<_> = with_other(routes).map(|name| self.route_series(name)).collect();
        let gone = self.routes.swap(Arc::new(routes));
        for old in gone
            .iter()
            .filter(|old| !self.routes.load().iter().any(|new| new.name == old.name))
        {
            for ([stage, class], _) in old.replies.iter() {
                let _ = self.upstream_replies.remove_label_values(&[&old.name, stage, class]);
            }
            for ([stage], _) in old.softened.iter() {
                let _ = self.upstream_softened.remove_label_values(&[&old.name, stage]);
            }
            let _ = self.upstream_unstated.remove_label_values(&[&old.name]);
            for ([state], _) in old.connections.iter() {
                let _ = self.upstream_connections.remove_label_values(&[&old.name, state]);
            }
        }
    }

    /// The rules in use, each with its status; series of those gone go with them.
    pub(super) fn set_rules(&self, rules: &[(&str, &str)]) {
        let _alone = self.slow.lock().unwrap_or_else(PoisonError::into_inner);
        let series: Rules = rules
            .iter()
            .take(RULES_MAX)
            .map(|(id, _)| ((*id).to_owned(), self.rule_series(id)))
            .collect();
        let gone = self.rules.swap(Arc::new(series));
        let kept = self.rules.load();
        for id in gone.keys().filter(|id| !kept.contains_key(*id)) {
            for mode in STATUSES {
                let _ = self.rule_hits.remove_label_values(&[id.as_str(), *mode]);
            }
            let _ = self.rule_only_hits.remove_label_values(&[id]);
            let _ = self.rule_unknown.remove_label_values(&[id]);
            let _ = self.rule_eval.remove_label_values(&[id]);
            for cause in DISABLED {
                let _ = self.rule_disabled.remove_label_values(&[id.as_str(), *cause]);
            }
        }
        for ([status], gauge) in self.ruleset_rules.iter() {
            gauge.set(as_gauge(rules.iter().filter(|(_, its)| *its == status).count()));
        }
    }

    /// The hash of the rule set in use.
    pub(super) fn set_sha256(&self, sha256: &str) {
        let mut slow = self.slow.lock().unwrap_or_else(PoisonError::into_inner);
        if slow.sha256 != sha256 {
            let _ = self.ruleset_info.remove_label_values(&[&slow.sha256]);
            sha256.clone_into(&mut slow.sha256);
        }
        self.ruleset_info.with_label_values(&[sha256]).set(1);
    }

    /// What the rule set in use takes.
    pub(super) fn set_ruleset_memory(&self, parts: &[(&str, usize)]) {
        for (part, bytes) in parts {
            self.ruleset_bytes.get([part]).set(as_gauge(*bytes));
        }
    }

    /// The lists in use.
    pub(super) fn set_lists(&self, lists: &[ListEvent<'_>]) {
        let mut slow = self.slow.lock().unwrap_or_else(PoisonError::into_inner);
        self.list_entries.reset();
        self.list_age.reset();
        slow.lists.clear();
        for list in lists.iter().take(NAMES_MAX) {
            self.list_entries
                .with_label_values(&[list.name])
                .set(as_gauge(list.entries));
            slow.lists.push((list.name.to_owned(), list.written));
        }
    }

    /// What is held.
    pub(super) fn set_quarantine(
        &self,
        held: &[(String, u64)],
        [undelivered, on_hold]: [u64; 2],
        bytes: u64,
        oldest: Option<Timestamp>,
    ) {
        for ([category], gauge) in self.quarantine_messages.iter() {
            let count = held.iter().filter(|(name, _)| name == category).map(|(_, count)| count);
            gauge.set(as_gauge(count.sum::<u64>()));
        }
        let others = held.iter().filter(|(name, _)| !CATEGORIES.contains(&name.as_str()));
        let others: u64 = others.map(|(_, count)| count).sum();
        self.quarantine_messages.get([OTHER]).set(as_gauge(others));
        self.quarantine_undelivered.set(as_gauge(undelivered));
        self.quarantine_on_hold.set(as_gauge(on_hold));
        self.quarantine_bytes.set(as_gauge(bytes));
        self.slow.lock().unwrap_or_else(PoisonError::into_inner).oldest = oldest;
    }

    /// Entries in force by kind, and until when the gate is bypassed.
    pub(super) fn set_levers(&self, entries: &[(&str, usize)], bypass_until: Option<Timestamp>) {
        for kind in ENTRIES {
            let counts = entries.iter().filter(|(its, _)| its == kind).map(|(_, count)| count);
            self.lever_entries
                .with_label_values(&[kind])
                .set(as_gauge(counts.sum::<usize>()));
        }
        self.slow.lock().unwrap_or_else(PoisonError::into_inner).bypass_until = bypass_until;
    }

    /// The block lists that there are; series of others go.
    pub(super) fn set_dns_lists(&self, names: &[&str]) {
        let mut slow = self.slow.lock().unwrap_or_else(PoisonError::into_inner);
        let names: Vec<String> = names.iter().take(NAMES_MAX).map(|&name| name.to_owned()).collect();
        for gone in slow.dns_lists.iter().filter(|name| !names.contains(name)) {
            // A series that is already gone is what we want.
            let _ = self.dns_list_errors.remove_label_values(&[gone]);
            let _ = self.dns_list_dropped.remove_label_values(&[gone]);
        }
        for name in &names {
            self.dns_list_errors.with_label_values(&[name]);
            self.dns_list_dropped.with_label_values(&[name]);
        }
        slow.dns_lists = names;
    }

    /// Where a list has series of its own.
    fn known_dns_list<'n>(&self, name: &'n str) -> Option<&'n str> {
        let slow = self.slow.lock().unwrap_or_else(PoisonError::into_inner);
        slow.dns_lists.iter().any(|known| known == name).then_some(name)
    }

    pub(super) fn dns_list_error(&self, name: &str) {
        if let Some(name) = self.known_dns_list(name) {
            self.dns_list_errors.with_label_values(&[name]).inc();
        }
    }

    pub(super) fn dns_list_dropped(&self, name: &str, is_dropped: bool) {
        if let Some(name) = self.known_dns_list(name) {
            self.dns_list_dropped
                .with_label_values(&[name])
                .set(i64::from(is_dropped));
        }
    }

    /// When a certificate expires.
    pub(super) fn set_certificate_expiry(&self, name: &str, unix_seconds: i64) {
        let mut slow = self.slow.lock().unwrap_or_else(PoisonError::into_inner);
        if !slow.certificates.iter().any(|known| known == name) {
            if slow.certificates.len() >= NAMES_MAX {
                return;
            }
            slow.certificates.push(name.to_owned());
        }
        self.certificate_expiry.with_label_values(&[name]).set(unix_seconds);
    }

    /// The text format, ages as of `now`.
    pub(super) fn scrape(&self, now: Timestamp) -> String {
        {
            let slow = self.slow.lock().unwrap_or_else(PoisonError::into_inner);
            let age = |since: Timestamp| now.as_second().saturating_sub(since.as_second()).max(0);
            for (name, written) in &slow.lists {
                if let Some(written) = written {
                    self.list_age.with_label_values(&[name]).set(age(*written));
                }
            }
            self.quarantine_oldest.set(slow.oldest.map_or(0, age));
            let bypassed = slow.bypass_until.is_some_and(|until| now < until);
            self.bypass_active.set(i64::from(bypassed));
        }
        let mut text = String::new();
        // Writing to a string cannot fail, and a family without series is left out by `gather`.
        let _ = prometheus::TextEncoder::new().encode_utf8(&self.registry.gather(), &mut text);
        text
    }

    pub(super) fn connection(&self, listener: &str, tls: &str) {
        let listeners = self.listeners.load();
        // The last one is `other`.
        let series = listeners
            .iter()
            .find(|series| series.name == listener)
            .or(listeners.last());
        if let Some(series) = series {
            series.connections.get([tls]).inc();
        }
    }

    pub(super) fn message(&self, verdict: &str, direction: &str, mode: &str) {
        self.messages.get([verdict, direction, mode]).inc();
    }

    pub(super) fn recipient(&self, verdict: &str) {
        self.recipients.get([verdict]).inc();
    }

    pub(super) fn reject(&self, reason: &str, stage: &str) {
        self.rejects.get(reason, stage).inc();
    }

    pub(super) fn finding(&self, category: &str, severity: &str) {
        self.findings.get([category, severity]).inc();
    }

    /// Does something with a rule's series; a rule that has just left has none.
    pub(super) fn rule(&self, id: &str, count: impl FnOnce(&RuleSeries)) {
        if let Some(series) = self.rules.load().get(id) {
            count(series);
        }
    }

    /// Steps are counted, not clocked: a clock for each rule would cost more than most rules do.
    #[expect(clippy::cast_precision_loss, reason = "budgets of steps are far below 2⁵²")]
    pub(super) fn rules_spent<'r>(&self, spent: impl Iterator<Item = (&'r str, u64)>) {
        let rules = self.rules.load();
        for (id, steps) in spent {
            if let Some(series) = rules.get(id) {
                series.eval.inc_by(steps as f64 * SECONDS_PER_STEP);
            }
        }
    }

    /// A rule without series of its own has none here either.
    pub(super) fn rule_held(&self, id: &str, cause: &str) {
        if self.rules.load().contains_key(id) {
            self.rule_disabled.with_label_values(&[id, cause]).set(1);
        }
    }

    pub(super) fn set_rules_held(&self, held: &[(String, &'static str)]) {
        let _alone = self.slow.lock().unwrap_or_else(PoisonError::into_inner);
        self.rule_disabled.reset();
        held.iter().for_each(|(id, cause)| self.rule_held(id, cause));
    }

    pub(super) fn stage(&self, stage: &str, seconds: f64) {
        self.stages.get([stage]).observe(seconds);
    }

    pub(super) fn upstream_reply(&self, route: &str, stage: &str, class: &str) {
        self.route(route, |series| series.replies.get([stage, class]).inc());
    }

    pub(super) fn upstream_softened(&self, route: &str, stage: &str) {
        self.route(route, |series| series.softened.get([stage]).inc());
    }

    pub(super) fn upstream_unstated(&self, route: &str) {
        self.route(route, |series| series.unstated.inc());
    }

    pub(super) fn upstream_connections(&self, route: &str, state: &str, count: i64) {
        self.route(route, |series| series.connections.get([state]).set(count));
    }

    pub(super) fn authentication(&self, method: &str, result: &str) {
        self.authentication.get(method, result).inc();
    }

    pub(super) fn dns_lookup(&self, result: &str) {
        self.dns_lookups.get([result]).inc();
    }

    /// A fact of the schema counts under the longest check that it is or stands below.
    pub(super) fn unscanned(&self, check: &str, cause: &str) {
        let known = UNSCANNED.iter().map(|(known, _)| known).filter(|known| {
            check
                .strip_prefix(**known)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '_']))
        });
        let check = known.max_by_key(|known| known.len()).copied().unwrap_or(OTHER);
        self.unscanned.get(check, cause).inc();
    }

    pub(super) fn reload(&self, result: &str) {
        self.reloads.get([result]).inc();
    }

    pub(super) fn release(&self, by: &str, category: &str) {
        self.releases.get([by, category]).inc();
    }

    pub(super) fn store_error(&self, operation: &str) {
        self.store_errors.get([operation]).inc();
    }

    pub(super) fn history_entries(&self, count: u64) {
        self.history_entries.set(as_gauge(count));
    }

    pub(super) fn history_unanswered(&self, cause: &str) {
        self.history_unanswered.get([cause]).inc();
    }

    pub(super) fn memory_budget(&self, state: &str, bytes: u64) {
        self.memory_budget.get([state]).set(as_gauge(bytes));
    }

    fn route(&self, name: &str, count: impl FnOnce(&RouteSeries)) {
        let routes = self.routes.load();
        if let Some(series) = routes.iter().find(|series| series.name == name).or(routes.last()) {
            count(series);
        }
    }

    fn listener_series(&self, name: &str) -> ListenerSeries {
        let words: &[&str] = if name == OTHER { &[] } else { TLS };
        let other = self.connections.with_label_values(&[OTHER, OTHER]);
        ListenerSeries {
            name: name.to_owned(),
            connections: Table::new([words], other, |[tls]| self.connections.with_label_values(&[name, tls])),
        }
    }

    fn route_series(&self, name: &str) -> RouteSeries {
        let known = name != OTHER;
        let words = |words: &'static [&'static str]| if known { words } else { &[] };
        RouteSeries {
            name: name.to_owned(),
            replies: Table::new(
                [words(UPSTREAM_STAGES), words(CLASSES)],
                self.upstream_replies.with_label_values(&[OTHER, OTHER, OTHER]),
                |[stage, class]| self.upstream_replies.with_label_values(&[name, stage, class]),
            ),
            softened: Table::new(
                [words(UPSTREAM_STAGES)],
                self.upstream_softened.with_label_values(&[OTHER, OTHER]),
                |[stage]| self.upstream_softened.with_label_values(&[name, stage]),
            ),
            unstated: self.upstream_unstated.with_label_values(&[name]),
            connections: Table::new(
                [words(CONNECTION_STATES)],
                self.upstream_connections.with_label_values(&[OTHER, OTHER]),
                |[state]| self.upstream_connections.with_label_values(&[name, state]),
            ),
        }
    }

    fn rule_series(&self, id: &str) -> RuleSeries {
        RuleSeries {
            hits: self.rule_hits.with_label_values(&[id, "active"]),
            shadow_hits: self.rule_hits.with_label_values(&[id, SHADOW]),
            only_hits: self.rule_only_hits.with_label_values(&[id]),
            unknown: self.rule_unknown.with_label_values(&[id]),
            eval: self.rule_eval.with_label_values(&[id]),
        }
    }
}

/// The names, at most [`NAMES_MAX`], and `other` last.
fn with_other<'n>(names: &'n [&'n str]) -> impl Iterator<Item = &'n str> {
    let named = names.iter().copied().filter(|name| *name != OTHER).take(NAMES_MAX);
    named.chain(std::iter::once(OTHER))
}

/// Gauges are signed; what doesn't fit is as good as the most that does.
fn as_gauge(count: impl TryInto<i64>) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}
