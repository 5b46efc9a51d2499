//! From settings to a serving gate, and from SIGTERM to a quiet end.
//!
//! Binds everything before it serves anything, so that a gate either runs whole or says why not.

use super::generation::{self, Provenance, Unusable};
use super::state::{Daemon, Standing, announce};
use super::{control, watch};
use crate::admin;
use crate::chance::SystemChance;
use crate::clock::{Clock, SystemClock};
use crate::compute::Compute;
use crate::config::{Config, Loaded};
use crate::listener::{self, Certificates};
use crate::pipeline::{Gate, Profile, GateDesk};
use crate::resolver::SystemResolver;
use crate::rules::diagnostic;
use crate::store;
use crate::store::journal::Journal;
use crate::telemetry::Telemetry;
use crate::upstream::Upstreams;
use arc_swap::ArcSwap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How often the gauges that the store answers are asked.
const GAUGES_EVERY: Duration = Duration::from_secs(15);
/// How often upstream is asked what it offers.
const PROBE_EVERY: Duration = Duration::from_secs(60);
/// How often what is past its retention is removed.
const EXPIRY_EVERY: Duration = Duration::from_secs(3600);
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
