//! Composes each module's `Settings`: layers, origins, cross-field checks.
//!
//! Files, variables and flags in; one [`Config`] out, or everything that is wrong with its place.
//! Nothing below this layer knows that settings come from anywhere.

mod check;
mod decode;
mod environment;
mod layers;
pub mod policy;
mod problem;
mod read;
mod secret;
pub mod sections;
mod shares;
mod show;
mod tree;

pub use environment::Flag;
pub use layers::{DEFAULT_FILES, Loaded, Sources, load};
pub use problem::{Place, Problem, Problems};
pub use secret::Secret;
pub use show::Row;

use crate::{admin, listener, smtp, store, telemetry, upstream};
use policy::PolicySettings;
use sections::{ControlSettings, Deadlines, DisclosureSettings, RelaySettings, RulesSettings};
use serde::{Deserialize, Serialize};

/// Every setting, at its effective value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `[[listener]]`: where mail comes in.
    pub listener: Vec<listener::Settings>,
    /// `[relay]`: what inbound listeners accept.
    pub relay: RelaySettings,
    /// `[[route]]`: where mail goes on; `[upstream]` is short for the one named `default`.
    pub route: Vec<upstream::Settings>,
    /// `[http]`: health and metrics.
    pub http: admin::Settings,
    /// `[control]`: the command line's way in.
    pub control: ControlSettings,
    /// `[store]`: what lasts.
    pub store: store::Settings,
    /// `[rules]`: what mail is judged by.
    pub rules: RulesSettings,
    /// `[policy]`: what is done.
    pub policy: PolicySettings,
    /// `[limits]`: how much of what.
    pub limits: smtp::Limits,
    /// `[deadlines]`: how long for what.
    pub deadlines: Deadlines,
    /// `[disclosure]`: what a refused sender is told.
    pub disclosure: DisclosureSettings,
    /// `[log]`: how events are written down.
    pub log: telemetry::Settings,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listener: vec![listener::Settings::default()],
            relay: RelaySettings::default(),
            route: vec![upstream::Settings::default()],
            http: admin::Settings::default(),
            control: ControlSettings::default(),
            store: store::Settings::default(),
            rules: RulesSettings::default(),
            policy: PolicySettings::default(),
            limits: smtp::Limits::default(),
            deadlines: Deadlines::default(),
            disclosure: DisclosureSettings::default(),
            log: telemetry::Settings::default(),
        }
    }
}

#[cfg(test)]
mod tests;
