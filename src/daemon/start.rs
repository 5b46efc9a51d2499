//! From settings to a serving gate, and from SIGTERM to a quiet end.
//!
//! Binds everything before it serves anything, so that a gate either runs whole or says why not.

use super::generation::{self, Unusable};
use super::state::{Daemon, Standing, announce};
use super::turns::Turns;
use super::{control, watch};
use crate::admin;
use crate::chance::{Chance, SystemChance};
use crate::clock::{Clock, SystemClock};
use crate::compute::Compute;
use crate::config::{Config, Loaded, Sources};
use crate::evidence::{Lists, Secret};
use crate::listener::{self, ConnectionInfo, ListenFault, Listener, Premises};
use crate::pipeline::{Gate, GateDesk, Profile};
use crate::resolver::{Cached, Dns, DnsEvent, Nobody, StubResolver, SystemResolver, Watched};
use crate::rules::RuleSet;
use crate::smtp::Peer;
use crate::store::journal::Journal;
use crate::store::{self, OpenError, Store};
use crate::telemetry::Telemetry;
use crate::upstream::{Parts, SystemConnect, Upstreams};
use crate::verdict::Levers;
use arc_swap::ArcSwap;
use jiff::Timestamp;
use std::fmt;
use std::io::Write;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::{TcpListener, UnixListener};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How often the gauges that the store answers are asked.
const GAUGES_EVERY: Duration = Duration::from_secs(15);
/// How often upstream is asked what it offers.
const PROBE_EVERY: Duration = Duration::from_secs(60);
/// How often what is past its retention is removed.
const EXPIRY_EVERY: Duration = Duration::from_secs(3600);
/// How often levers are looked at for some whose time is over.
const LEVERS_EVERY: Duration = Duration::from_secs(1);
/// How soon rule files that can't be watched are tried again.
const WATCH_AGAIN_AFTER: Duration = Duration::from_secs(10);
/// How long the log may take to be written out at the end.
const LOG_FLUSH_MOST: Duration = Duration::from_secs(2);

/// Why the gate doesn't start.
#[derive(Debug)]
pub enum StartError {
    /// Rules, policy or routes that can't serve.
    Unusable(Unusable),
    /// A setting that can't be used as it is: its name, and why.
    Setting(&'static str, String),
    /// Something that the machine doesn't give: its name, and why.
    Unavailable(String, String),
}

impl fmt::Display for StartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unusable(why) => why.fmt(formatter),
            Self::Setting(name, why) => write!(formatter, "{name}: {why}"),
            Self::Unavailable(what, why) => write!(formatter, "{what}: {why}"),
        }
    }
}

/// After so many steps of sessions a thread looks who has sent something meanwhile. A step that judges a message
/// is long, and the runtime's own 61 let new input wait behind as many.
const POLLS_BETWEEN_EVENTS: u32 = 8;

/// Runs a gate to its end.
///
/// # Errors
/// What stands in the way of starting; once it serves, it ends only when told to.
pub fn run(loaded: Loaded, sources: Sources, quiet: bool) -> Result<(), StartError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .event_interval(POLLS_BETWEEN_EVENTS)
        .build()
        .map_err(|error| StartError::Unavailable("the runtime".into(), error.to_string()))?;
    runtime.block_on(async {
        // Before anyone is told that we are here: until they are asked for, signals kill.
        let signals = Signals::new().map_err(|error| StartError::Unavailable("signals".into(), error.to_string()))?;
        let gate = Running::start(loaded, sources).await?;
        if !quiet {
            // Whoever started it may be gone already; mail goes on.
            let _ = std::io::stdout().write_all(banner(&gate.daemon).await.as_bytes());
        }
        gate.serve(signals).await;
        Ok(())
    })
}

/// A gate with everything bound, not serving yet.
struct Running {
    daemon: Arc<Daemon>,
    listeners: Vec<Listener<FrontDesk>>,
    control: UnixListener,
    http: TcpListener,
    watching: Watching,
}

/// Hands each accepted connection a desk of the pipeline's.
struct FrontDesk(Arc<Gate>);

impl listener::Reception for FrontDesk {
    type Desk = GateDesk;

    fn desk(&self, connection: &ConnectionInfo) -> GateDesk {
        let profile = Profile {
            listener: Arc::clone(&connection.listener),
            direction: connection.direction,
            peer_relays: connection.peer == Peer::Relay,
            upstream: connection.upstream.clone(),
            trusted_relays: Arc::clone(&connection.trusted_relays),
        };
        GateDesk::new(Arc::clone(&self.0), profile)
    }
}

impl Running {
    async fn start(loaded: Loaded, sources: Sources) -> Result<Self, StartError> {
        let config = loaded.config;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let telemetry = telemetry(&config, &clock);
        for warning in &loaded.warnings {
            telemetry.warning("settings", &warning.to_string());
        }
        // First of all: whoever has the socket has the store and the last good rules beside it.
        let control = control::bind(&config.control.socket).map_err(|error| {
            StartError::Unavailable(
                format!("control.socket {}", config.control.socket.display()),
                error.to_string(),
            )
        })?;
        // Before anything is read that may change by itself.
        let watching = Watching::start(&config);
        let (rules, standing) = rules(Arc::new(config), clock.now(), &telemetry)?;
        let config = Arc::clone(&standing.config);
        let upstreams = upstreams(&config, &telemetry).map_err(StartError::Unusable)?;
        let outside = (dns(&config, &telemetry), lists(&config, &telemetry));
        let live = generation::live(&config, Arc::clone(&rules), upstreams, outside);
        let mut live = live.map_err(StartError::Unusable)?;
        announce(&telemetry, &rules, &config, &config);

        let store = store::open(&config.store, telemetry.clone())
            .await
            .map_err(|error| match error {
                OpenError::Url(why) => StartError::Setting("store.url", why),
                other => StartError::Unavailable("store".into(), other.to_string()),
            })?;
        live.criteria.levers = Arc::new(levers(store.as_ref(), clock.now(), &telemetry).await?);
        let gate = Arc::new(Gate {
            live: ArcSwap::from_pointee(live),
            journal: Journal::start(Arc::clone(&store), telemetry.clone()),
            secret: secret(store.as_ref()).await?,
            store,
            late: Arc::default(),
            breaker: Mutex::new(super::breaker::restored(&config.rules.last_good, &telemetry)),
            telemetry: telemetry.clone(),
            clock: Arc::clone(&clock),
            chance: Arc::new(SystemChance),
            compute: Compute::pool(),
        });
        let (limits, deadlines) = (config.limits.clone(), config.deadlines.session.clone());
        let premises = Arc::new(Premises::new(&config.our_name(), limits, deadlines, telemetry));
        let listeners = listen(&config, &gate, &premises, clock.as_ref()).await?;
        let http = TcpListener::bind(config.http.address).await.map_err(|error| {
            StartError::Unavailable(format!("http.address {}", config.http.address), error.to_string())
        })?;
        let daemon = Arc::new(Daemon {
            started: clock.now(),
            gate,
            sources,
            begun_with: Arc::clone(&config),
            premises,
            certificates: listeners.iter().filter_map(Listener::certificate).collect(),
            bound: listeners
                .iter()
                .zip(&config.listener)
                .map(|(bound, settings)| (settings.name.clone(), settings.direction.as_str(), bound.address()))
                .collect(),
            http: http.local_addr().unwrap_or(config.http.address),
            store_trouble: Mutex::default(),
            paths_changed: tokio::sync::Notify::new(),
            turn: tokio::sync::Mutex::new(()),
            lever_turn: tokio::sync::Mutex::new(()),
            breaker_turn: tokio::sync::Mutex::new(()),
            levers_doubtful: AtomicBool::new(false),
            turns: Turns::default(),
            standing: Mutex::new(standing),
        });
        daemon.count_levers();
        daemon.watch_rules(&rules);
        daemon.gate.hold_rules();
        daemon.keep_breaker().await;
        Ok(Self {
            daemon,
            listeners,
            control,
            http,
            watching,
        })
    }

    /// Serves until SIGTERM or SIGINT, then drains.
    async fn serve(self, mut signals: Signals) {
        let Self {
            daemon,
            listeners,
            control,
            http,
            watching,
        } = self;
        let (stop, stop_control) = (CancellationToken::new(), CancellationToken::new());
        let background = TaskTracker::new();
        let control = tokio::spawn(control::serve(control, Arc::clone(&daemon), stop_control.clone()));
        background.spawn(serve_http(http, Arc::clone(&daemon), stop.clone()));
        background.spawn(keep_up(Arc::clone(&daemon), stop.clone()));
        background.spawn(keep_rules(Arc::clone(&daemon), stop.clone(), watching));
        let sessions = TaskTracker::new();
        for listener in listeners {
            sessions.spawn(listener.run());
        }
        sessions.close();
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
        daemon.gate.telemetry.notice("start", "serving");

        signals.wait_for_end(&daemon).await;
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
        daemon
            .gate
            .telemetry
            .notice("drain", "no new connections; sessions finish what they have begun");
        daemon.premises.drain();
        sessions.wait().await;
        // A release under way is recorded before the store closes.
        stop_control.cancel();
        let drain = daemon.standing().config.deadlines.session.drain.0;
        let _ = tokio::time::timeout(drain, control).await;
        let _ = std::fs::remove_file(&daemon.begun_with.control.socket);
        daemon.keep_breaker().await;
        daemon.gate.live.load().upstreams.close().await;
        daemon.gate.journal.flush().await;
        daemon.gate.store.close().await;
        stop.cancel();
        background.close();
        background.wait().await;
        daemon.gate.telemetry.notice("stop", "drained");
        daemon.gate.telemetry.flush(LOG_FLUSH_MOST);
    }
}

fn telemetry(config: &Config, clock: &Arc<dyn Clock>) -> Telemetry {
    let clock = Arc::clone(clock);
    let telemetry = Telemetry::new(config.log, Box::new(std::io::stderr()), Arc::new(move || clock.now()));
    telemetry.install_diagnostics();
    telemetry
}

fn rules(config: Arc<Config>, now: Timestamp, telemetry: &Telemetry) -> Result<(Arc<RuleSet>, Standing), StartError> {
    let (loaded, provenance, broken) = generation::rules_at_start(&config, now).map_err(StartError::Unusable)?;
    let last_reload = match &broken {
        Some(why) => {
            let told = format!("{why}\nportreeve: these rules do not load; starting from the last good ones\n");
            let _ = std::io::stderr().write_all(told.as_bytes());
            telemetry.ruleset_reloaded("failed", &format!("start: {}", why.first_line()));
            format!("{now} at start FAILED, the last good rules serve: {}", why.first_line())
        }
        None => {
            telemetry.ruleset_reloaded("loaded", "start");
            if let Err(error) = loaded.set.snapshot(&config.rules.last_good) {
                let folder = config.rules.last_good.display();
                telemetry.warning(
                    "last-good-rules",
                    &format!("{folder}: {error}: a restart with broken rules would not start"),
                );
            }
            format!("{now} at start")
        }
    };
    Ok((
        Arc::new(loaded.set),
        Standing {
            config,
            provenance,
            passed: Arc::default(),
            last_reload,
        },
    ))
}

/// The levers that were in force when the gate last ran. One that doesn't know them doesn't start: it
/// would let in whom somebody has blocked.
async fn levers(store: &dyn Store, now: Timestamp, telemetry: &Telemetry) -> Result<Levers, StartError> {
    let kept = store
        .levers()
        .await
        .map_err(|error| StartError::Unavailable("the levers in the store".into(), error.to_string()))?;
    let levers = Levers::new(kept);
    if let Some(bypass) = levers.bypass(now) {
        telemetry.warning("bypass-active", &bypass.sentence());
    }
    Ok(levers)
}

/// What makes correspondents unreadable: the store's own, or made now.
async fn secret(store: &dyn Store) -> Result<Secret, StartError> {
    let mut fresh = [0; Secret::BYTES];
    SystemChance.fill(&mut fresh);
    let kept = store
        .history_secret(fresh)
        .await
        .map_err(|error| StartError::Unavailable("the secret of the history in the store".into(), error.to_string()))?;
    Ok(Secret::new(&kept))
}

/// Builds the routes.
///
/// # Errors
/// The route and setting that can't be used.
pub fn upstreams(config: &Config, telemetry: &Telemetry) -> Result<Arc<Upstreams>, Unusable> {
    let parts = Parts {
        our_name: config.our_name().into(),
        deadlines: config.deadlines.upstream,
        connect: Arc::new(SystemConnect::new(Arc::new(SystemResolver))),
        dns: StubResolver::new(&config.resolver).map(|dns| Arc::new(dns) as _),
        clock: Arc::new(SystemClock),
        telemetry: telemetry.clone(),
    };
    Upstreams::new(&config.route, &parts)
        .map(Arc::new)
        .map_err(Unusable::Route)
}

/// Whom messages' lookups ask: the servers of the settings, watched over, with a memory. Where no server is known,
/// nobody.
pub fn dns(config: &Config, telemetry: &Telemetry) -> Arc<dyn Dns> {
    let stub = match StubResolver::new(&config.resolver) {
        Ok(stub) => stub,
        Err(why) => {
            telemetry.warning("resolver", &format!("nothing is looked up about senders: {why}"));
            return Arc::new(Nobody);
        }
    };
    let told = {
        let telemetry = telemetry.clone();
        Arc::new(move |event| match event {
            DnsEvent::LookedUp(result) => telemetry.dns_lookup(result),
            DnsEvent::WentDown => telemetry.dns_down(true),
            DnsEvent::CameBack => telemetry.dns_down(false),
        })
    };
    let watched = Watched::new(Arc::new(stub), told);
    Arc::new(Cached::new(Arc::new(watched), config.resolver.cache))
}

/// The block lists of the settings, which were checked.
pub fn lists(config: &Config, telemetry: &Telemetry) -> Arc<Lists> {
    let names: Vec<&str> = config.dns_list.iter().map(|list| list.name.as_str()).collect();
    telemetry.dns_lists(&names);
    Arc::new(Lists::new(&config.dns_list, telemetry).unwrap_or_default())
}

async fn listen(
    config: &Config,
    gate: &Arc<Gate>,
    premises: &Arc<Premises>,
    clock: &dyn Clock,
) -> Result<Vec<Listener<FrontDesk>>, StartError> {
    let front = Arc::new(FrontDesk(Arc::clone(gate)));
    let mut listeners = Vec::new();
    for settings in &config.listener {
        let bound = Listener::bind(settings.clone(), Arc::clone(premises), Arc::clone(&front), clock).await;
        listeners.push(bound.map_err(|fault| match fault {
            ListenFault::Address(address, error) => {
                StartError::Unavailable(format!("listener {:?} at {address}", settings.name), error.to_string())
            }
            other => StartError::Setting("listener", format!("{}: {other}", settings.name)),
        })?);
    }
    Ok(listeners)
}

/// A console that fails is told; mail goes on.
async fn serve_http(http: TcpListener, daemon: Arc<Daemon>, stop: CancellationToken) {
    let telemetry = daemon.gate.telemetry.clone();
    if let Err(error) = admin::serve(http, telemetry.clone(), daemon, stop).await {
        telemetry.warning("http", &format!("metrics and health are no longer served: {error}"));
    }
}

/// The signals that the gate answers to.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// SIGHUP reloads, SIGTERM and SIGINT end.
    async fn wait_for_end(&mut self, daemon: &Daemon) {
        loop {
            tokio::select! {
                biased;
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => {
                    let reloading = sd_notify::NotifyState::monotonic_usec_now();
                    let _ = reloading.map(|now| sd_notify::notify(&[sd_notify::NotifyState::Reloading, now]));
                    daemon.reload("SIGHUP", false).await;
                    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
                }
            }
        }
    }
}

/// Ends levers in time, asks upstream what it offers, the store how full it is, and removes what is
/// past its time.
async fn keep_up(daemon: Arc<Daemon>, stop: CancellationToken) {
    let mut gauges = tokio::time::interval(GAUGES_EVERY);
    let mut probe = tokio::time::interval(PROBE_EVERY);
    let mut expiry = tokio::time::interval(EXPIRY_EVERY);
    let mut levers = tokio::time::interval(LEVERS_EVERY);
    levers.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            _ = levers.tick() => daemon.tend_levers().await,
            _ = probe.tick() => daemon.probe().await,
            _ = gauges.tick() => {
                daemon.refresh_gauges().await;
                daemon.keep_breaker().await;
            }
            _ = expiry.tick() => daemon.expire().await,
        }
    }
}

/// A watch on files, and what it tells.
struct Watching {
    watch: Result<watch::Watch, String>,
    changes: mpsc::Receiver<()>,
}

impl Watching {
    fn start(config: &Config) -> Self {
        let (changed, changes) = mpsc::channel(1);
        Self {
            watch: watch::watch(&config.watched(), changed),
            changes,
        }
    }
}

/// Takes up rules and certificates when their files change; `watching` has stood since before they were first
/// read.
async fn keep_rules(daemon: Arc<Daemon>, stop: CancellationToken, mut watching: Watching) {
    let mut told = false;
    loop {
        let mut due = true;
        match watching.watch {
            Ok(_) => {
                told = false;
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    change = watching.changes.recv() => if change.is_none() { return },
                    // Settings were reloaded, the rules with them, and name other files to watch.
                    () = daemon.paths_changed.notified() => due = false,
                }
            }
            // Out of watches, or a folder that went at this very moment.
            Err(why) => {
                if !told {
                    let text = format!("rule files are not watched now, reload by hand: {why}");
                    daemon.gate.telemetry.warning("watch", &text);
                }
                told = true;
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(WATCH_AGAIN_AFTER) => {}
                }
            }
        }
        // Watched anew before they are read anew, so that no change falls between the two.
        let config = daemon.standing().config;
        watching = match tokio::task::spawn_blocking(move || Watching::start(&config)).await {
            Ok(watching) => watching,
            Err(_) => return,
        };
        if due {
            daemon.reload_rules().await;
        }
    }
}

/// What a person who has just started the gate needs to know, in a few lines.
async fn banner(daemon: &Daemon) -> String {
    let status = daemon.status().await;
    let mut lines = vec![format!(
        "portreeve {} keeps the gate, mode {}",
        status.version, status.mode
    )];
    lines.extend(status.listeners.iter().map(|listener| format!("  SMTP   {listener}")));
    lines.push(format!("  HTTP   http://{}/metrics /healthz /readyz", status.http));
    lines.extend(status.routes.iter().map(|route| format!("  mail   to {route}")));
    lines.push(format!(
        "  rules  {} enforced, {} in shadow",
        status.rules_active, status.rules_shadow
    ));
    if status.degraded {
        lines.push("  DEGRADED: the present rules do not load, the last good ones serve (portreeve status)".into());
    }
    if let Some(bypass) = &status.bypass {
        lines.push(format!(
            "  BYPASSED until {}: mail is delivered untouched (portreeve bypass --end)",
            bypass.until
        ));
    }
    let undecided = daemon.left_undecided().await;
    if undecided > 0 {
        lines.push(format!(
            "  {undecided} messages were left undecided by a crash: portreeve quarantine list --state pending"
        ));
    }
    let to = daemon
        .bound
        .first()
        .map(|(_, _, address)| address.to_string())
        .unwrap_or_default();
    lines.push(format!(
        "Try it: portreeve send tests/samples --to {to}; portreeve journal search"
    ));
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;
    use crate::store::memory::Operation;

    #[tokio::test]
    async fn a_gate_that_cannot_read_its_levers_does_not_start() {
        let store = MemoryStore::default();
        store.fail_next(Operation::Read, 1);
        let refused = levers(&store, Timestamp::UNIX_EPOCH, &Telemetry::default()).await;
        let why = refused.expect_err("nobody knows whom it would let in").to_string();
        assert!(why.starts_with("the levers in the store: "), "{why}");
        let read = levers(&store, Timestamp::UNIX_EPOCH, &Telemetry::default()).await;
        assert_eq!(read.expect("the store can be read").all(), []);
    }
}
