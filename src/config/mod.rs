//! Composes each module's `Settings`: layers, origins, cross-field checks.
//!
//! Files, variables and flags in; one [`Config`] out, or everything that is wrong with its place.
//! Nothing below this layer knows that settings come from anywhere.

mod check;
mod decode;
mod environment;
mod layers;
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

use crate::{admin, evidence, listener, pipeline, resolver, rules, smtp, store, telemetry, upstream, verdict};
use sections::{ControlSettings, Deadlines};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Every setting, at its effective value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What we call ourselves to both sides and in headers; the machine's own name when empty.
    pub hostname: String,
    /// `[[listener]]`: where mail comes in.
    pub listener: Vec<listener::Settings>,
    /// `[relay]`: what inbound listeners accept.
    pub relay: pipeline::RelaySettings,
    /// `[[route]]`: where mail goes on; `[upstream]` is short for the one named `default`.
    pub route: Vec<upstream::Settings>,
    /// `[resolver]`: which DNS servers are asked.
    pub resolver: resolver::Settings,
    /// `[authentication]`: what is checked of senders.
    pub authentication: evidence::Settings,
    /// `[[dns_list]]`: block lists in DNS.
    pub dns_list: Vec<evidence::ListSettings>,
    /// `[http]`: health and metrics.
    pub http: admin::Settings,
    /// `[control]`: the command line's way in.
    pub control: ControlSettings,
    /// `[store]`: what lasts.
    pub store: store::Settings,
    /// `[rules]`: what mail is judged by.
    pub rules: rules::Settings,
    /// `[policy]`: what is done.
    pub policy: verdict::Settings,
    /// `[limits]`: how much of what.
    pub limits: smtp::Limits,
    /// `[deadlines]`: how long for what.
    pub deadlines: Deadlines,
    /// `[disclosure]`: what a refused sender is told.
    pub disclosure: pipeline::DisclosureSettings,
    /// `[log]`: how events are written down.
    pub log: telemetry::Settings,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            hostname: String::new(),
            listener: vec![listener::Settings::default()],
            relay: pipeline::RelaySettings::default(),
            route: vec![upstream::Settings::default()],
            resolver: resolver::Settings::default(),
            authentication: evidence::Settings::default(),
            dns_list: Vec::new(),
            http: admin::Settings::default(),
            control: ControlSettings::default(),
            store: store::Settings::default(),
            rules: rules::Settings::default(),
            policy: verdict::Settings::default(),
            limits: smtp::Limits::default(),
            deadlines: Deadlines::default(),
            disclosure: pipeline::DisclosureSettings::default(),
            log: telemetry::Settings::default(),
        }
    }
}

impl Config {
    /// Files and folders whose change is taken up by itself: rules, certificates of listeners
    /// and routes, the key that seals.
    pub fn watched(&self) -> Vec<PathBuf> {
        let listeners = self.listener.iter();
        let listeners = listeners.flat_map(|listener| listener.certificate.iter().chain(&listener.key));
        let routes = self.route.iter();
        let routes = routes.flat_map(|route| route.tls_certificate.iter().chain(&route.tls_key));
        let rules = self.rules.paths.iter();
        let seal = Some(&self.authentication.seal).filter(|seal| seal.is_on());
        let seal = seal.map(|seal| &seal.key);
        rules.chain(listeners).chain(routes).chain(seal).cloned().collect()
    }

    /// What we call ourselves to both sides and in headers.
    pub fn our_name(&self) -> String {
        if !self.hostname.is_empty() {
            return self.hostname.clone();
        }
        let machine = gethostname::gethostname().to_string_lossy().to_lowercase();
        if machine.is_empty() {
            "localhost".to_owned()
        } else {
            machine
        }
    }
}

#[cfg(test)]
mod tests;
