//! Settings and rule files become one generation: everything that a message is judged by and where
//! it goes, whole or not at all.
//!
//! Reads files; swaps nothing in. Knows nothing of sockets and sessions.

use crate::action::{Sealer, Stamp};
use crate::clock;
use crate::config::Config;
use crate::evidence::{Checks, Lists, Needs, Probes};
use crate::mail::{Mail, message};
use crate::pipeline::{Criteria, Live, RelayGuard};
use crate::resolver::Dns;
use crate::rules::diagnostic::{self, Diagnostic};
use crate::rules::testing::{self, Passed, Report, Run};
use crate::rules::{Findings, Loaded, RuleSet, guard};
use crate::upstream::Upstreams;
use crate::verdict::{self, Checked, Policy, PolicyError, Pulled};
use jiff::Timestamp;
use std::fmt;
use std::sync::Arc;

/// Why a generation can't be built.
#[derive(Debug)]
pub enum Unusable {
    /// Rules that don't load.
    Rules(Vec<Diagnostic>),
    /// Rules that load, and with which a list would shrink or be gone.
    Shrunk(Vec<Diagnostic>),
    /// Rules whose own tests fail.
    Tests(Vec<Report>),
    /// A policy that can't stand.
    Policy(Vec<PolicyError>),
    /// A route that can't be built.
    Route(String),
    /// A key that can't seal.
    Seal(String),
}

impl fmt::Display for Unusable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rules(diagnostics) | Self::Shrunk(diagnostics) => {
                formatter.write_str(diagnostic::render_all(diagnostics, false).trim_end())
            }
            Self::Tests(failed) => {
                let lines: Vec<String> = failed.iter().map(describe).collect();
                formatter.write_str(&lines.join("\n"))
            }
            Self::Policy(errors) => {
                let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
                formatter.write_str(&lines.join("\n"))
            }
            Self::Route(why) | Self::Seal(why) => formatter.write_str(why),
        }
    }
}

impl Unusable {
    /// The word that counts it among reloads: `refused` is what somebody may insist on.
    pub const fn result(&self) -> &'static str {
        match self {
            Self::Shrunk(_) => "refused",
            Self::Rules(_) | Self::Tests(_) | Self::Policy(_) | Self::Route(_) | Self::Seal(_) => "failed",
        }
    }

    /// The first problem, on one line: for the log.
    pub fn first_line(&self) -> String {
        match self {
            Self::Rules(diagnostics) | Self::Shrunk(diagnostics) => {
                diagnostics.first().map_or_else(String::new, |first| {
                    let record = first.record();
                    format!("{}:{}:{}: {}", record.file, record.line, record.column, record.message)
                })
            }
            other => other.to_string().lines().next().unwrap_or_default().to_owned(),
        }
    }
}

/// A failed test as people read it.
pub fn describe(report: &Report) -> String {
    let rule = report.rule.as_deref().unwrap_or("verdict");
    format!(
        "{}: test {:?} of {rule} fails: {}",
        report.place,
        report.name,
        report.failures.join("; ")
    )
}

/// Where the rules came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provenance {
    /// The paths in the settings.
    Files,
    /// The shipped rules inside the binary: the default path isn't there.
    Embedded,
    /// The last good ones, since the present files don't load.
    LastGood,
}

/// Reads the rules that the settings name. Where they name nothing but the default folder, and that
/// isn't there, the shipped rules inside the binary serve.
///
/// # Errors
/// Every problem found.
pub fn load_rules(config: &Config, now: Timestamp) -> Result<(Loaded, Provenance), Unusable> {
    if names_nothing(config) {
        return load_embedded(now);
    }
    RuleSet::load(&config.rules.paths, now)
        .map(|loaded| (loaded, Provenance::Files))
        .map_err(Unusable::Rules)
}

/// Whether the settings name but the default folder, and that isn't there.
fn names_nothing(config: &Config) -> bool {
    let default_only = config.rules.paths == crate::rules::Settings::default().paths;
    default_only && !config.rules.paths.iter().any(|path| path.exists())
}

fn load_embedded(now: Timestamp) -> Result<(Loaded, Provenance), Unusable> {
    RuleSet::load_embedded(now)
        .map(|loaded| (loaded, Provenance::Embedded))
        .map_err(Unusable::Rules)
}

/// The rules to start with: the present ones, or the last good ones when those don't load.
///
/// # Errors
/// What is wrong with the present rules, when there are no last good ones either.
pub fn rules_at_start(config: &Config, now: Timestamp) -> Result<(Loaded, Provenance, Option<Unusable>), Unusable> {
    match load_rules(config, now) {
        Ok((loaded, provenance)) => Ok((loaded, provenance, None)),
        Err(why) => match RuleSet::load_snapshot(&config.rules.last_good, now) {
            Ok(loaded) => Ok((loaded, Provenance::LastGood, Some(why))),
            Err(_) => Err(why),
        },
    }
}

/// What serves while rules are read anew.
#[derive(Debug)]
pub struct Serving<'s> {
    /// The rules.
    pub rules: &'s RuleSet,
    /// Where they came from.
    pub provenance: Provenance,
    /// Tests that passed when they were loaded.
    pub passed: &'s Passed,
}

/// Rules that may follow those that serve.
#[derive(Debug)]
pub struct Fresh {
    /// The rules and their warnings.
    pub loaded: Loaded,
    /// Where they came from.
    pub provenance: Provenance,
    /// Tests that have passed.
    pub passed: Passed,
}

/// Reads rules anew for a gate that serves others: they must load, pass the tests that something has changed
/// for and, unless forced, shrink no list. What is unchanged is taken over and not compiled again. A gate whose rules came from files never falls back on those inside the
/// binary: a folder that is gone for a moment would take the house's own rules with it.
///
/// # Errors
/// Every problem found; nothing has changed.
pub fn rules_anew(config: &Config, serving: &Serving<'_>, force: bool, now: Timestamp) -> Result<Fresh, Unusable> {
    let (loaded, provenance) = if serving.provenance == Provenance::Embedded && names_nothing(config) {
        load_embedded(now)?
    } else {
        let loaded = RuleSet::load_after(&config.rules.paths, now, serving.rules).map_err(Unusable::Rules)?;
        (loaded, Provenance::Files)
    };
    let Run { mut reports, passed } = test_changed(&loaded.set, serving.passed)?;
    reports.retain(|report| !report.passed());
    if !reports.is_empty() {
        return Err(Unusable::Tests(reports));
    }
    if !force {
        guard::guard(serving.rules, &loaded.set).map_err(Unusable::Shrunk)?;
    }
    Ok(Fresh {
        loaded,
        provenance,
        passed,
    })
}

/// Runs the tests that stand beside the rules; whole-verdict tests under the default policy.
///
/// # Errors
/// When a pack doesn't load without the house's files.
pub fn test_rules(rules: &RuleSet) -> Result<Vec<Report>, Unusable> {
    Ok(test_changed(rules, &Passed::default())?.reports)
}

/// The same without those that have passed and hang on nothing that has changed.
fn test_changed(rules: &RuleSet, passed: &Passed) -> Result<Run, Unusable> {
    let policy = Policy::new(&crate::verdict::Settings::default()).map_err(Unusable::Policy)?;
    let verdict = |findings: &Findings, mail: &Mail| {
        verdict::decide(
            findings,
            Checked::default(),
            &policy,
            &mail.envelope,
            &Pulled::default(),
        )
        .action
    };
    testing::run_changed(rules, &verdict, passed).map_err(Unusable::Rules)
}

/// What decides verdicts: for `scan` and `explain`, and for the daemon at start.
///
/// # Errors
/// Every problem found.
pub fn criteria(config: &Config, now: Timestamp) -> Result<Criteria, Unusable> {
    let (loaded, _) = load_rules(config, now)?;
    criteria_with(config, Arc::new(loaded.set))
}

/// The same with rules that are loaded already. No lever is pulled beside a gate.
///
/// # Errors
/// A policy that can't stand.
pub fn criteria_with(config: &Config, rules: Arc<RuleSet>) -> Result<Criteria, Unusable> {
    Ok(Criteria {
        rules,
        policy: policy(config)?,
        levers: Arc::default(),
        held: Arc::default(),
        cpu_time: None,
        parsing: message::Limits::default(),
    })
}

/// Thresholds and recipients' policies.
///
/// # Errors
/// A policy that can't stand.
pub fn policy(config: &Config) -> Result<Arc<Policy>, Unusable> {
    Policy::new(&config.policy).map(Arc::new).map_err(Unusable::Policy)
}

/// A whole generation.
///
/// # Errors
/// A policy that can't stand.
pub fn live(
    config: &Config,
    rules: Arc<RuleSet>,
    upstreams: Arc<Upstreams>,
    outside: (Arc<dyn Dns>, Arc<Lists>),
) -> Result<Live, Unusable> {
    let criteria = Criteria {
        cpu_time: Some(clock::thread_cpu_time),
        ..criteria_with(config, rules)?
    };
    let probes = probes(config, &criteria, outside);
    let sealer = sealer(config)?;
    Ok(Live {
        criteria,
        relay: Arc::new(RelayGuard::new(&config.relay)),
        upstreams,
        probes,
        sealer,
        disclosure: Arc::new(config.disclosure.clone()),
        stamp: Arc::new(Stamp {
            hostname: config.our_name(),
        }),
        history: config.store.history,
        message_size: config.limits.message_size.0,
        deadlines: config.deadlines.pipeline,
    })
}

/// What is found out about senders: what somebody asks for, and no more. Lookups leave half of the time for judging.
fn probes(config: &Config, criteria: &Criteria, (dns, lists): (Arc<dyn Dns>, Arc<Lists>)) -> Probes {
    let needs = Needs::of(criteria.rules.needs().iter().map(|(field, _)| *field));
    let needs = match criteria.policy.asks_dmarc() {
        true => needs.with_dmarc(!config.authentication.trusted_sealers.is_empty()),
        false => needs,
    };
    let needs = match config.authentication.checks {
        Checks::Off => Needs::default(),
        // A seal is on all that there is to say.
        Checks::Needed if config.authentication.seal.is_on() => needs.with_authentication(),
        Checks::Needed => needs,
        Checks::All => needs.with_authentication(),
    };
    // So that servers that are away cost no message a wait, not even the first.
    if needs.any() {
        dns.wake();
    }
    let judging = config.deadlines.pipeline.judging.0;
    Probes {
        dns,
        total: config.resolver.total.0.min(judging / 2),
        lists,
        settings: Arc::new(config.authentication.clone()),
        needs,
    }
}

/// Who seals, with the key read now.
///
/// # Errors
/// A key that can't seal.
pub fn sealer(config: &Config) -> Result<Option<Arc<Sealer>>, Unusable> {
    let settings = &config.authentication.seal;
    if !settings.is_on() {
        return Ok(None);
    }
    let unusable = |why: String| Unusable::Seal(format!("authentication.seal.key {}: {why}", settings.key.display()));
    let pem = std::fs::read(&settings.key).map_err(|error| unusable(error.to_string()))?;
    let sealer = Sealer::new(&settings.domain, &settings.selector, &pem).map_err(unusable)?;
    Ok(Some(Arc::new(sealer)))
}
