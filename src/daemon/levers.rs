//! The administrator's levers on the running gate: pulled, pushed back, and ended when their time is over.
//!
//! The store has a change before mail sees it: what the store doesn't take is not in force, and
//! what was in force stays so. Knows nothing of what a lever does to a verdict.

use super::control::{audit_entry, audited};
use super::protocol::{Failure, Response};
use super::state::Daemon;
use crate::pipeline::Live;
use crate::store::{AuditEntry, StoreError};
use crate::units::Span;
use crate::verdict::lever::{Kind, LeverError, What, shown};
use crate::verdict::{Lever, Levers, Mode};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Who ends a lever whose time is over.
const OURSELVES: &str = "portreeve";

/// Who asks, and why.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The user of the control socket's peer.
    pub by: &'a str,
    /// In their words.
    pub reason: &'a str,
}

impl Daemon {
    /// The levers in force.
    pub fn levers(&self) -> Arc<Levers> {
        Arc::clone(&self.gate.live.load().criteria.levers)
    }

    /// Those of a kind that are in force.
    pub fn levers_of(&self, kind: Kind) -> Response {
        let (levers, now) = (self.levers(), self.gate.clock.now());
        let of_kind = levers
            .all()
            .iter()
            .filter(|lever| lever.what.kind() == kind && lever.holds(now));
        Response::Levers {
            levers: of_kind.cloned().collect(),
        }
    }

    /// Puts an entry to allow or block in force.
    pub async fn set_entry(&self, kind: Kind, entry: &str, until: &str, asked: Asked<'_>) -> Response {
        let lever = Lever::entry(kind, entry, until, asked.by, asked.reason, self.gate.clock.now());
        let act = format!("{} {}", kind.as_str(), shown(entry));
        self.pull(lever, &act, asked).await
    }

    /// Bypasses the gate for a while; of two bypasses the newest says how long.
    pub async fn start_bypass(&self, span: Span, asked: Asked<'_>) -> Response {
        let lever = Lever::bypass(span, asked.by, asked.reason, self.gate.clock.now());
        self.pull(lever, Kind::Bypass.as_str(), asked).await
    }

    async fn pull(&self, lever: Result<Lever, LeverError>, act: &str, asked: Asked<'_>) -> Response {
        let _turn = self.lever_turn.lock().await;
        let levers = self.levers();
        let fitted = lever.and_then(|lever| levers.with(lever.clone()).map(|next| (lever, next)));
        let (lever, next) = match fitted {
            Ok(fitted) => fitted,
            Err(why) => {
                audited(self, asked.by, act, None, asked.reason, &why.0).await;
                return failed(Failure::Usage, why.0);
            }
        };
        let message = self.told(&lever, levers.find(&lever.what));
        let audit = self.entry(act, asked, format!("in force until {}", lever.until));
        if let Err(error) = self.gate.store.keep_lever(lever.clone(), audit).await {
            return self.unkept(&error, act, asked).await;
        }
        self.put_in_force(next);
        let text = lever.sentence();
        match lever.what {
            // Everything that comes now is delivered: somebody should know.
            What::Bypass => self.gate.telemetry.warning("bypass-started", &text),
            What::Allow(_) | What::Block(_) => self.gate.telemetry.notice("lever-set", &text),
        }
        Response::Lever { message, lever }
    }

    /// Ends a lever before its time.
    pub async fn remove_lever(&self, kind: Kind, entry: &str, asked: Asked<'_>) -> Response {
        let _turn = self.lever_turn.lock().await;
        let entry = shown(entry);
        let act = format!("{} {entry}", kind.as_str()).trim_end().to_owned() + " remove";
        let (levers, now) = (self.levers(), self.gate.clock.now());
        let found = What::read(kind, &entry).map(|what| levers.find(&what).filter(|lever| lever.holds(now)).cloned());
        let lever = match found {
            Ok(Some(lever)) => lever,
            other => {
                let (failure, why) = match other {
                    Err(why) => (Failure::Usage, why.0),
                    Ok(_) if kind == Kind::Bypass => (Failure::NotFound, "the gate is not bypassed".to_owned()),
                    Ok(_) => (
                        Failure::NotFound,
                        format!("there is no entry to {} {entry}", kind.as_str()),
                    ),
                };
                audited(self, asked.by, &act, None, asked.reason, &why).await;
                return failed(failure, why);
            }
        };
        let audit = self.entry(&act, asked, "no longer in force".to_owned());
        if let Err(error) = self.gate.store.remove_lever(lever.what.clone(), audit).await {
            return self.unkept(&error, &act, asked).await;
        }
        self.put_in_force(levers.without(&lever.what));
        let text = format!("{} ended by {}: {}", lever.what, asked.by, asked.reason);
        let event = match kind {
            Kind::Bypass => "bypass-ended",
            Kind::Allow | Kind::Block => "lever-removed",
        };
        self.gate.telemetry.notice(event, &text);
        let message = format!("{} is no longer in force", lever.what);
        Response::Lever { message, lever }
    }

    /// Ends levers whose time is over, and finds out what the store holds where that is in doubt.
    pub async fn tend_levers(&self) {
        let doubtful = self.levers_doubtful.load(Ordering::Relaxed);
        let is_due = doubtful || self.levers().ended(self.gate.clock.now()).next().is_some();
        if !is_due || self.gate.store.trouble().is_some() {
            return;
        }
        let _turn = self.lever_turn.lock().await;
        if doubtful && let Ok(kept) = self.gate.store.levers().await {
            self.levers_doubtful.store(false, Ordering::Relaxed);
            let kept = Levers::new(kept);
            if kept != *self.levers() {
                let text = "the store kept a change that it had said to have failed at: it is in force now";
                self.gate.telemetry.warning("levers", text);
                self.put_in_force(kept);
            }
        }
        let levers = self.levers();
        for lever in levers.ended(self.gate.clock.now()) {
            let asked = Asked {
                by: OURSELVES,
                reason: "its time is over",
            };
            let audit = self.entry(
                &format!("{} end", lever.what),
                asked,
                format!("ended at {}", lever.until),
            );
            // The store has told why not; it bears on nothing any more, and is tried again.
            if self.gate.store.remove_lever(lever.what.clone(), audit).await.is_err() {
                break;
            }
            self.put_in_force(self.levers().without(&lever.what));
            let event = match lever.what {
                What::Bypass => "bypass-expired",
                What::Allow(_) | What::Block(_) => "lever-expired",
            };
            self.gate.telemetry.notice(event, &lever.sentence());
        }
    }

    /// Swaps the levers in: the next message sees them, one under way those that it began with.
    fn put_in_force(&self, levers: Levers) {
        let levers = Arc::new(levers);
        self.gate.live.rcu(|live| {
            let mut next = Live::clone(live);
            next.criteria.levers = Arc::clone(&levers);
            Arc::new(next)
        });
        self.count_levers();
    }

    /// Tells the metrics what is in force.
    pub fn count_levers(&self) {
        let (levers, now) = (self.levers(), self.gate.clock.now());
        let entries = [Kind::Allow, Kind::Block].map(|kind| (kind.as_str(), levers.count(kind, now)));
        let bypass = levers.bypass(now).map(|lever| lever.until);
        self.gate.telemetry.levers(&entries, bypass);
    }

    /// The answer to whoever pulled it: what holds now, and what they may not have thought of.
    fn told(&self, lever: &Lever, before: Option<&Lever>) -> String {
        let mut told = format!("{} ({}) until {}", lever.what, lever.what.kind().effect(), lever.until);
        if let Some(before) = before.filter(|before| before.holds(lever.since)) {
            told.push_str(&format!("; it was until {}", before.until));
        }
        let live = self.gate.live.load();
        let mode = live.criteria.policy.mode();
        if lever.what.kind() == Kind::Block && mode != Mode::Enforce {
            let mode = mode.as_str();
            told.push_str(&format!(
                "\nthe mode is {mode}: nothing is refused until [policy] mode is \"enforce\""
            ));
        }
        if let What::Allow(subject) = &lever.what
            && let Some(domain) = subject.domain()
        {
            told.push_str(
                "\nanyone can write this sender's address, and SPF and DKIM are not checked yet: whoever writes it as \
                 reverse-path and author is let through; a client's address or network is safer",
            );
            if live.relay.concerns(domain) {
                told.push_str("\nand it is a domain of your own: so is whoever poses as one of you");
            }
        }
        told
    }

    /// A change that the store didn't take: what was in force stays.
    async fn unkept(&self, error: &StoreError, act: &str, asked: Asked<'_>) -> Response {
        // It may hold all the same, and would then be found at the next start only.
        self.levers_doubtful.store(true, Ordering::Relaxed);
        audited(self, asked.by, act, None, asked.reason, &error.to_string()).await;
        failed(
            Failure::TryAgain,
            format!("{error}\nnothing has changed: what was in force before still is"),
        )
    }

    fn entry(&self, act: &str, asked: Asked<'_>, outcome: String) -> AuditEntry {
        audit_entry(self, asked.by, act, None, asked.reason, &outcome)
    }
}

fn failed(kind: Failure, message: String) -> Response {
    Response::Failed { kind, message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::SeededChance;
    use crate::clock::FixedClock;
    use crate::compute::Compute;
    use crate::config::Config;
    use crate::daemon::generation::{self, Provenance};
    use crate::daemon::start;
    use crate::daemon::state::Standing;
    use crate::listener::Premises;
    use crate::pipeline::Gate;
    use crate::rules::RuleSet;
    use crate::store::memory::Operation;
    use crate::store::{Journal, MemoryStore, Store};
    use crate::telemetry::Telemetry;
    use std::sync::Mutex;

    const ASKED: Asked<'_> = Asked {
        by: "uid 7",
        reason: "asked for",
    };

    /// A gate on the default settings, and its store, at noon of a day.
    fn daemon() -> (Daemon, Arc<MemoryStore>) {
        daemon_at("2026-11-25T12:00:00Z", Arc::new(MemoryStore::default()))
    }

    fn daemon_at(now: &str, store: Arc<MemoryStore>) -> (Daemon, Arc<MemoryStore>) {
        daemon_with(Config::default(), now, store)
    }

    fn daemon_with(config: Config, now: &str, store: Arc<MemoryStore>) -> (Daemon, Arc<MemoryStore>) {
        let now = now.parse().unwrap();
        let (config, telemetry) = (Arc::new(config), Telemetry::default());
        let upstreams = start::upstreams(&config, &telemetry).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("none.toml"), "# No rules.\n").unwrap();
        let rules = RuleSet::load(&[folder.path().to_owned()], now).unwrap().set;
        let live = generation::live(
            &config,
            Arc::new(rules),
            upstreams,
            (Arc::new(crate::resolver::Nobody), Arc::default()),
        )
        .unwrap();
        let gate = Gate {
            live: arc_swap::ArcSwap::from_pointee(live),
            journal: Journal::start(Arc::clone(&store) as Arc<dyn Store>, telemetry.clone()),
            secret: crate::evidence::Secret::new(&[1; crate::evidence::Secret::BYTES]),
            store: Arc::clone(&store) as Arc<dyn Store>,
            late: Arc::default(),
            breaker: Mutex::default(),
            telemetry: telemetry.clone(),
            clock: Arc::new(FixedClock(now)),
            chance: Arc::new(SeededChance::new(1)),
            compute: Compute::Inline,
        };
        let (limits, deadlines) = (config.limits.clone(), config.deadlines.session.clone());
        let daemon = Daemon {
            gate: Arc::new(gate),
            sources: crate::config::Sources::default(),
            begun_with: Arc::clone(&config),
            premises: Arc::new(Premises::new(&config.our_name(), limits, deadlines, telemetry)),
            certificates: Vec::new(),
            bound: Vec::new(),
            http: config.http.address,
            started: now,
            store_trouble: Mutex::default(),
            turn: tokio::sync::Mutex::new(()),
            lever_turn: tokio::sync::Mutex::new(()),
            breaker_turn: tokio::sync::Mutex::new(()),
            levers_doubtful: std::sync::atomic::AtomicBool::new(false),
            turns: super::super::turns::Turns::default(),
            paths_changed: tokio::sync::Notify::new(),
            standing: Mutex::new(Standing {
                config,
                provenance: Provenance::Files,
                passed: Arc::default(),
                last_reload: String::new(),
            }),
        };
        (daemon, store)
    }

    async fn block(daemon: &Daemon, entry: &str) -> Response {
        daemon.set_entry(Kind::Block, entry, "2026-12-01", ASKED).await
    }

    fn in_force(daemon: &Daemon) -> Vec<String> {
        daemon
            .levers()
            .all()
            .iter()
            .map(|lever| lever.what.to_string())
            .collect()
    }

    async fn acts(store: &MemoryStore) -> Vec<(String, String)> {
        let entries = store.audit(None).await.unwrap();
        entries.into_iter().map(|entry| (entry.act, entry.outcome)).collect()
    }

    #[tokio::test]
    async fn the_store_has_a_lever_before_mail_sees_it() {
        let (daemon, store) = daemon();
        let Response::Lever { message, .. } = block(&daemon, "192.0.2.1").await else {
            panic!("refused");
        };
        assert_eq!(message, "block 192.0.2.1 (at least reject) until 2026-12-02T00:00:00Z");
        assert_eq!(store.levers().await.unwrap(), daemon.levers().all());
        let Response::Lever { message, .. } = block(&daemon, "192.0.2.1").await else {
            panic!("refused");
        };
        assert!(message.ends_with("; it was until 2026-12-02T00:00:00Z"), "{message}");
        let removed = daemon.remove_lever(Kind::Block, "192.0.2.1", ASKED).await;
        assert!(matches!(removed, Response::Lever { .. }), "{removed:?}");
        assert_eq!((store.levers().await.unwrap().len(), in_force(&daemon).len()), (0, 0));
        let done = "in force until 2026-12-02T00:00:00Z";
        assert_eq!(
            acts(&store).await,
            [
                ("block 192.0.2.1 remove".into(), "no longer in force".into()),
                ("block 192.0.2.1".into(), done.into()),
                ("block 192.0.2.1".into(), done.into())
            ]
        );
    }

    #[tokio::test]
    async fn what_the_store_does_not_take_is_not_in_force_and_what_was_stays() {
        let (daemon, store) = daemon();
        block(&daemon, "192.0.2.1").await;
        store.fail_next(Operation::Levers, 2);
        for refused in [
            block(&daemon, "192.0.2.2").await,
            daemon.remove_lever(Kind::Block, "192.0.2.1", ASKED).await,
        ] {
            let Response::Failed { kind, message } = refused else {
                panic!("done");
            };
            assert_eq!(kind, Failure::TryAgain);
            assert!(message.contains("nothing has changed"), "{message}");
        }
        assert_eq!(in_force(&daemon), ["block 192.0.2.1"]);
        daemon.tend_levers().await;
        assert_eq!(in_force(&daemon), ["block 192.0.2.1"], "the store holds the same");
        assert!(acts(&store).await[0].1.contains("the store failed"));
    }

    /// A commit that the store called failed may hold all the same.
    #[tokio::test]
    async fn a_change_that_held_although_it_failed_is_found_out() {
        let (daemon, store) = daemon();
        store.fail_next(Operation::Levers, 1);
        block(&daemon, "192.0.2.1").await;
        let lever = Lever::entry(
            Kind::Block,
            "192.0.2.1",
            "2026-12-01",
            "uid 7",
            "x",
            daemon.gate.clock.now(),
        )
        .unwrap();
        let audit = daemon.entry("block", ASKED, String::new());
        store.keep_lever(lever, audit).await.unwrap();
        store.fail_next(Operation::Read, 1);
        daemon.tend_levers().await;
        assert_eq!(
            in_force(&daemon),
            Vec::<String>::new(),
            "the store could not be asked: the last known serve"
        );
        daemon.tend_levers().await;
        assert_eq!(in_force(&daemon), ["block 192.0.2.1"]);
    }

    #[tokio::test]
    async fn levers_end_by_themselves_also_while_nobody_ran() {
        let (daemon, store) = daemon();
        daemon
            .set_entry(Kind::Block, "192.0.2.1", "2026-11-25T13:00:00Z", ASKED)
            .await;
        block(&daemon, "192.0.2.2").await;
        daemon
            .start_bypass(Span(std::time::Duration::from_hours(1)), ASKED)
            .await;
        daemon.tend_levers().await;
        assert_eq!(in_force(&daemon).len(), 3);

        let (later, store) = daemon_at("2026-11-25T13:00:00Z", store);
        later.put_in_force(Levers::new(store.levers().await.unwrap()));
        assert!(
            later.levers().bypass(later.gate.clock.now()).is_none(),
            "its time is over at once"
        );
        store.fail_next(Operation::Levers, 1);
        later.tend_levers().await;
        assert_eq!(store.levers().await.unwrap().len(), 3, "tried again the next time");
        later.tend_levers().await;
        assert_eq!(in_force(&later), ["block 192.0.2.2"]);
        assert_eq!(store.levers().await.unwrap(), later.levers().all());
        let ended = "ended at 2026-11-25T13:00:00Z".to_owned();
        assert_eq!(
            acts(&store).await[..2],
            [
                ("bypass end".into(), ended.clone()),
                ("block 192.0.2.1 end".into(), ended)
            ]
        );
    }

    #[tokio::test]
    async fn what_makes_no_sense_is_told_and_audited() {
        let (daemon, store) = daemon();
        for (response, kind, told) in [
            (block(&daemon, "0.0.0.0/0").await, Failure::Usage, "too broad"),
            (block(&daemon, "example.org").await, Failure::Usage, "is no entry"),
            (
                daemon.set_entry(Kind::Bypass, "", "2026-12-01", ASKED).await,
                Failure::Usage,
                "for hours at most",
            ),
            (
                daemon.remove_lever(Kind::Block, "192.0.2.9", ASKED).await,
                Failure::NotFound,
                "there is no entry to block 192.0.2.9",
            ),
            (
                daemon.remove_lever(Kind::Bypass, "", ASKED).await,
                Failure::NotFound,
                "not bypassed",
            ),
        ] {
            let Response::Failed { kind: failure, message } = response else {
                panic!("done: {told}");
            };
            assert_eq!(failure, kind, "{message}");
            assert!(message.contains(told), "{message}");
            assert!(
                acts(&store).await.iter().any(|(_, outcome)| outcome.contains(told)),
                "{told}"
            );
        }
        assert_eq!(in_force(&daemon), Vec::<String>::new());
    }

    #[tokio::test]
    async fn the_answer_says_what_a_sender_is_worth_and_what_a_mode_holds_back() {
        let mut config = Config::default();
        config.relay.domains = vec!["example.gov.uk".into()];
        config.policy.mode = Mode::Observe;
        let (daemon, _) = daemon_with(config, "2026-11-25T12:00:00Z", Arc::default());
        let (forged, own, held) = ("anyone can write this", "a domain of your own", "the mode is observe");
        for (kind, entry, told) in [
            (Kind::Allow, "ann@example.org", [true, false, false]),
            (Kind::Allow, "@example.org", [true, false, false]),
            (Kind::Allow, "ann@example.gov.uk", [true, true, false]),
            (Kind::Allow, "192.0.2.1", [false; 3]),
            (Kind::Block, "@example.org", [false, false, true]),
        ] {
            let Response::Lever { message, .. } = daemon.set_entry(kind, entry, "2026-12-01", ASKED).await else {
                panic!("refused: {entry}");
            };
            assert_eq!(
                [forged, own, held].map(|text| message.contains(text)),
                told,
                "{message}"
            );
        }
    }

    #[tokio::test]
    async fn bypass_and_entries_are_in_status_and_metrics() {
        let (daemon, _) = daemon();
        block(&daemon, "192.0.2.1").await;
        daemon.set_entry(Kind::Allow, "192.0.2.2", "2026-12-01", ASKED).await;
        daemon
            .start_bypass(Span(std::time::Duration::from_mins(1)), ASKED)
            .await;
        let status = daemon.status().await;
        assert_eq!((status.allowed, status.blocked), (1, 1));
        assert_eq!(status.bypass.map(|lever| lever.reason), Some("asked for".into()));
        let scrape = daemon.gate.telemetry.scrape();
        for series in ["lever_entries{kind=\"allow\"} 1", "lever_entries{kind=\"block\"} 1"] {
            assert!(scrape.contains(&format!("portreeve_{series}\n")), "{series}");
        }
    }
}
