//! The running gate as a whole: how it is, and taking up new settings, rules and certificates.
//!
//! A reload is all or nothing: what doesn't load is told, and what served goes on serving. Knows
//! nothing of who asks.

use super::generation::{self, Provenance, Serving, Unusable};
use super::protocol::{Failure, Response, Status};
use super::turns::Turns;
use crate::admin;
use crate::certificate::Certificate;
use crate::config::{Config, Sources};
use crate::evidence::Lists;
use crate::listener::Premises;
use crate::pipeline::{Gate, Live};
use crate::resolver::Dns;
use crate::rules::RuleSet;
use crate::rules::testing::Passed;
use crate::store::{Due, QuarantineQuery, State};
use crate::telemetry::{ListEvent, Telemetry};
use crate::units::Span;
use crate::upstream::Upstreams;
use crate::verdict::lever::Kind;
use jiff::Timestamp;
use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

/// What the control socket, signals and the file watcher act on.
pub struct Daemon {
    /// The parts that handle mail.
    pub gate: Arc<Gate>,
    /// Where the settings were read from, to read them again.
    pub sources: Sources,
    /// The settings at the start: what a reload can't change is still as they say.
    pub begun_with: Arc<Config>,
    /// What the listeners share.
    pub premises: Arc<Premises>,
    /// Certificates of listeners.
    pub certificates: Vec<Arc<Certificate>>,
    /// Where it listens: name, direction, address.
    pub bound: Vec<(String, &'static str, SocketAddr)>,
    /// Where HTTP is served.
    pub http: SocketAddr,
    /// When it started.
    pub started: Timestamp,
    /// Why the store was of no use when it was last asked.
    pub store_trouble: Mutex<Option<String>>,
    /// One reload at a time.
    pub turn: tokio::sync::Mutex<()>,
    /// One change of levers at a time.
    pub lever_turn: tokio::sync::Mutex<()>,
    /// One write of what the breaker knows at a time.
    pub breaker_turn: tokio::sync::Mutex<()>,
    /// Whether the store may hold other levers than those in force, since it failed at a change.
    pub levers_doubtful: AtomicBool,
    /// One act on a kept message at a time.
    pub turns: Turns,
    /// Told when the settings name other files to watch.
    pub paths_changed: tokio::sync::Notify,
    /// What the last reload left.
    pub standing: Mutex<Standing>,
}

/// What is in force beside the generation itself.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The settings.
    pub config: Arc<Config>,
    /// Where the rules came from.
    pub provenance: Provenance,
    /// The rules' tests that have passed; at a start none has been run.
    pub passed: Arc<Passed>,
    /// How the last reload ended, in words.
    pub last_reload: String,
}

/// What a reload prepared before it swaps anything in.
struct Prepared {
    config: Arc<Config>,
    rules: Arc<RuleSet>,
    provenance: Provenance,
    passed: Arc<Passed>,
    warnings: usize,
}

impl Daemon {
    /// What is in force.
    pub fn standing(&self) -> Standing {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How the gate is.
    pub async fn status(&self) -> Status {
        let live = self.gate.live.load_full();
        let standing = self.standing();
        let counts = live.criteria.rules.counts();
        let held = self.gate.store.totals().await;
        let (levers, now) = (&live.criteria.levers, self.gate.clock.now());
        Status {
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
            started: self.started.to_string(),
            mode: live.criteria.policy.mode().as_str().into(),
            listeners: self
                .bound
                .iter()
                .map(|(name, direction, address)| format!("{name} {direction} {address}"))
                .collect(),
            generation: live.criteria.rules.sha256().to_owned(),
            rules_active: counts.active,
            rules_shadow: counts.shadow,
            rules_bytes: live.criteria.rules.memory().total(),
            degraded: standing.provenance == Provenance::LastGood,
            last_reload: standing.last_reload,
            quarantined: held
                .as_ref()
                .map_or(0, |totals| totals.held_by_category.iter().map(|(_, count)| count).sum()),
            on_hold: held.as_ref().map_or(0, |totals| totals.on_hold),
            bypass: levers.bypass(now).cloned(),
            allowed: levers.count(Kind::Allow, now),
            blocked: levers.count(Kind::Block, now),
            held: self
                .gate
                .breaker()
                .held()
                .filter(|(id, _)| live.criteria.rules.rule(id).is_some())
                .map(|(id, cause)| format!("{id} {}", cause.meaning()))
                .collect(),
            dns_lists_dropped: live.probes.lists.dropped(),
            store: match (held, self.gate.store.trouble()) {
                (Err(error), _) => error.to_string(),
                (Ok(_), Some(trouble)) => trouble,
                (Ok(_), None) => "ready".into(),
            },
            routes: live
                .upstreams
                .routes()
                .iter()
                .map(|route| route.describe().to_owned())
                .collect(),
            http: self.http.to_string(),
        }
    }

    /// Takes up settings, rules and certificates anew.
    pub async fn reload(&self, by: &str, force: bool) -> Response {
        let _turn = self.turn.lock().await;
        let sources = self.sources.clone();
        let config = match tokio::task::spawn_blocking(move || crate::config::load(&sources)).await {
            Ok(Ok(loaded)) => loaded.config,
            Ok(Err(problems)) => {
                let first = problems.0.first().map(ToString::to_string).unwrap_or_default();
                return self.refused(by, "failed", &first, &problems.to_string());
            }
            Err(_) => return self.refused(by, "failed", "reading settings failed", "reading settings failed"),
        };
        let restart = needs_restart(&self.begun_with, &config);
        self.take_up(by, Arc::new(config), force, restart).await
    }

    /// Takes up rules anew, the settings as they are: a rule file changed.
    pub async fn reload_rules(&self) -> Response {
        let _turn = self.turn.lock().await;
        let config = self.standing().config;
        self.take_up("file change", config, false, Vec::new()).await
    }

    async fn take_up(&self, by: &str, config: Arc<Config>, force: bool, restart: Vec<String>) -> Response {
        let live = self.gate.live.load_full();
        let (old, now) = (Arc::clone(&live.criteria.rules), self.gate.clock.now());
        let standing = self.standing();
        let prepared = tokio::task::spawn_blocking(move || prepare(config, &old, &standing, force, now)).await;
        let prepared = match prepared {
            Ok(Ok(prepared)) => prepared,
            Ok(Err(why)) => return self.unusable(by, &why),
            Err(_) => return self.refused(by, "failed", "loading failed", "loading failed"),
        };
        let upstreams = match self.upstreams_for(&prepared.config, &live.upstreams) {
            Ok(upstreams) => upstreams,
            Err(why) => return self.unusable(by, &why),
        };
        let outside = self.outside_for(&prepared.config, &live);
        let next = match generation::live(&prepared.config, Arc::clone(&prepared.rules), upstreams, outside) {
            Ok(next) => next,
            Err(why) => return self.unusable(by, &why),
        };
        let unchanged = prepared.rules.sha256() == live.criteria.rules.sha256();
        self.watch_rules(&prepared.rules);
        let held = Arc::new(self.gate.breaker().held_of(&prepared.rules));
        // Levers are no part of what was read anew: those in force at this moment stay.
        self.gate.live.rcu(|live| {
            let mut next = Live::clone(&next);
            next.criteria.levers = Arc::clone(&live.criteria.levers);
            next.criteria.held = Arc::clone(&held);
            Arc::new(next)
        });
        // One that was held at this very moment is held in the new generation too.
        self.gate.hold_rules();
        self.premises.reload(
            &prepared.config.our_name(),
            prepared.config.limits.clone(),
            prepared.config.deadlines.session.clone(),
        );
        self.gate.telemetry.configure_log(prepared.config.log);
        let notes = [restart, self.reload_certificates()].concat();
        let response = self.taken_up(by, prepared, unchanged, &notes);
        self.keep_breaker().await;
        response
    }

    /// The same routes keep their connections.
    fn upstreams_for(&self, config: &Config, old: &Arc<Upstreams>) -> Result<Arc<Upstreams>, Unusable> {
        let before = self.standing().config;
        if config.route == before.route
            && config.resolver == before.resolver
            && config.deadlines.upstream == before.deadlines.upstream
            && config.our_name() == before.our_name()
        {
            return Ok(Arc::clone(old));
        }
        super::start::upstreams(config, &self.gate.telemetry)
    }

    /// The same servers keep what they said, and the same lists how they have done.
    fn outside_for(&self, config: &Config, live: &Live) -> (Arc<dyn Dns>, Arc<Lists>) {
        let (before, telemetry) = (self.standing().config, &self.gate.telemetry);
        let dns = match config.resolver == before.resolver {
            true => Arc::clone(&live.probes.dns),
            false => super::start::dns(config, telemetry),
        };
        let lists = match config.dns_list == before.dns_list {
            true => Arc::clone(&live.probes.lists),
            false => super::start::lists(config, telemetry),
        };
        (dns, lists)
    }

    /// Those of listeners, and those of the routes in force.
    fn reload_certificates(&self) -> Vec<String> {
        let clock = self.gate.clock.as_ref();
        let listeners = self
            .certificates
            .iter()
            .filter_map(|certificate| certificate.reload(clock).err())
            .map(|fault| fault.to_string());
        let routes = self.gate.live.load().upstreams.reload_certificates(clock);
        listeners.chain(routes).collect()
    }

    fn taken_up(&self, by: &str, prepared: Prepared, unchanged: bool, notes: &[String]) -> Response {
        let Prepared {
            config,
            rules,
            provenance,
            passed,
            warnings,
        } = prepared;
        if let Err(error) = rules.snapshot(&config.rules.last_good) {
            let folder = config.rules.last_good.display();
            self.gate.telemetry.warning(
                "last-good-rules",
                &format!("{folder}: {error}: a restart with broken rules would not start"),
            );
        }
        announce(&self.gate.telemetry, &rules, &self.begun_with, &config);
        let message = summary(&rules, warnings, notes);
        let result = if unchanged { "unchanged" } else { "loaded" };
        self.gate
            .telemetry
            .ruleset_reloaded(result, &format!("{by}: {message}"));
        let last_reload = format!("{} by {by}: {message}", self.gate.clock.now());
        if config.watched() != self.standing().config.watched() {
            self.paths_changed.notify_one();
        }
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner) = Standing {
            config,
            provenance,
            passed,
            last_reload,
        };
        Response::Done { message }
    }

    fn unusable(&self, by: &str, why: &Unusable) -> Response {
        self.refused(by, why.result(), &why.first_line(), &why.to_string())
    }

    fn refused(&self, by: &str, result: &'static str, first_line: &str, whole: &str) -> Response {
        self.gate
            .telemetry
            .ruleset_reloaded(result, &format!("{by}: {first_line}"));
        let last_reload = format!(
            "{} by {by} FAILED, the old generation serves on: {first_line}",
            self.gate.clock.now()
        );
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).last_reload = last_reload;
        Response::Failed {
            kind: Failure::Configuration,
            message: format!("{whole}\nnothing has changed, the old generation serves on"),
        }
    }

    /// The gauges that are asked for rather than counted: of the store, and of the rules.
    pub async fn refresh_gauges(&self) {
        // Regexes are compiled when they are first run.
        let memory = self.gate.live.load().criteria.rules.memory();
        self.gate.telemetry.ruleset_memory(&memory.parts());
        if self.gate.store.trouble().is_some() {
            // Nobody sends mail to a gate that isn't ready, so that no mail would ever open it again.
            let _ = self.gate.store.append_journal(&[]).await;
        }
        let trouble = match self.gate.store.totals().await {
            Ok(totals) => {
                self.gate.telemetry.quarantine_totals(
                    &totals.held_by_category,
                    [totals.undelivered, totals.on_hold],
                    totals.bytes,
                    totals.oldest,
                );
                self.gate.telemetry.history_entries(totals.history_entries);
                None
            }
            Err(error) => Some(error.to_string()),
        };
        *self.store_trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    /// Asks upstream what it offers; an upstream that is away is told by its connections' metrics.
    pub async fn probe(&self) {
        let live = self.gate.live.load_full();
        for probe in live.upstreams.probe().await {
            if let Err(why) = probe.outcome {
                self.gate
                    .telemetry
                    .warning("upstream-probe", &format!("{} {}: {why}", probe.route, probe.target));
            }
        }
    }

    /// Removes what is past its retention.
    pub async fn expire(&self) {
        let retention = self.standing().config.store.retention;
        let now = self.gate.clock.now();
        let before = |span: Span| now.checked_sub(span.0).unwrap_or(Timestamp::MIN);
        let due = Due {
            journal: before(retention.journal),
            quarantine: before(retention.quarantine),
            audit: before(retention.audit),
            history: before(retention.history),
        };
        match self.gate.store.expire(due).await {
            Ok(0) => {}
            Ok(count) => self
                .gate
                .telemetry
                .notice("expiry", &format!("{count} records are past their retention")),
            // The store has counted and told it; the next hour tries again.
            Err(_) => {}
        }
    }

    /// Messages that a crash left undecided, to be told at start.
    pub async fn left_undecided(&self) -> usize {
        let mut count = 0;
        for state in [State::Pending, State::ReleaseUnknown] {
            let query = QuarantineQuery {
                state: Some(state),
                limit: 100,
                ..QuarantineQuery::default()
            };
            count += self.gate.store.list(query).await.map_or(0, |messages| messages.len());
        }
        count
    }
}

impl admin::Health for Daemon {
    /// Found out when the gauges were; rules are always there, or the gate would not run.
    fn not_ready(&self) -> Vec<admin::NotReady> {
        let store = self
            .store_trouble
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        store
            .or_else(|| self.gate.store.trouble())
            .into_iter()
            .map(|why| admin::NotReady { part: "store", why })
            .collect()
    }
}

/// What was taken up, in a line, and a line for each thing to know about it.
fn summary(rules: &RuleSet, warnings: usize, notes: &[String]) -> String {
    let counts = rules.counts();
    let warned = if warnings > 0 {
        format!(", {warnings} warnings (see rules check)")
    } else {
        String::new()
    };
    format!(
        "{} rules active, {} shadow, generation {}{warned}{}",
        counts.active,
        counts.shadow,
        rules.sha256().get(..12).unwrap_or_default(),
        notes.iter().map(|note| format!("\n{note}")).collect::<String>()
    )
}

/// Settings that changed and are only read at start.
fn needs_restart(old: &Config, new: &Config) -> Vec<String> {
    let changed = [
        ("[[listener]]", old.listener != new.listener),
        ("[store] url", old.store.url != new.store.url),
        ("[http]", old.http != new.http),
        ("[control]", old.control != new.control),
    ];
    changed
        .iter()
        .filter(|(_, changed)| *changed)
        .map(|(section, _)| format!("{section} changed: it is taken up at the next restart"))
        .collect()
}

fn prepare(
    config: Arc<Config>,
    old: &RuleSet,
    standing: &Standing,
    force: bool,
    now: Timestamp,
) -> Result<Prepared, Unusable> {
    let serving = Serving {
        rules: old,
        provenance: standing.provenance,
        passed: &standing.passed,
    };
    let fresh = generation::rules_anew(&config, &serving, force, now)?;
    Ok(Prepared {
        config,
        rules: Arc::new(fresh.loaded.set),
        provenance: fresh.provenance,
        passed: Arc::new(fresh.passed),
        warnings: fresh.loaded.warnings.len(),
    })
}

/// Tells the metrics which rules, lists, listeners and routes there are.
pub fn announce(telemetry: &Telemetry, rules: &RuleSet, begun_with: &Config, config: &Config) {
    let series: Vec<(&str, &str)> = rules
        .rules()
        .iter()
        .map(|rule| (rule.id.as_str(), rule.status.as_str()))
        .collect();
    let lists: Vec<ListEvent<'_>> = rules
        .lists()
        .iter()
        .map(|list| ListEvent {
            name: &list.name,
            entries: list.entries,
            written: list.modified,
        })
        .collect();
    telemetry.rules_loaded(rules.sha256(), &series, &lists);
    telemetry.ruleset_memory(&rules.memory().parts());
    let listeners: Vec<&str> = begun_with
        .listener
        .iter()
        .map(|listener| listener.name.as_str())
        .collect();
    let routes: Vec<&str> = config.route.iter().map(|route| route.name.as_str()).collect();
    telemetry.names(&listeners, &routes);
}
