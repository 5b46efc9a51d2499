//! The composition root: builds the parts from the settings, binds, serves, reloads and drains.
//!
//! Everything below is handed what it needs; only here is it known what fits together.

mod breaker;
mod control;
mod generation;
mod levers;
pub mod protocol;
mod start;
mod state;
mod turns;
mod watch;

pub use generation::{Provenance, Unusable, criteria, criteria_with, describe, load_rules, policy, sealer, test_rules};
pub use start::{StartError, run, upstreams};
