//! Where mail goes on: routes by recipient domain, each with its targets and their pools.
//!
//! A [`Transaction`] carries one message to one route. Replies that leave here are already fit for
//! the client: faults of upstream's have become 4xx, softening applied. Knows nothing of rules,
//! verdicts or storage.

mod answers;
mod any_certificate;
mod connect;
mod connection;
mod dane;
mod events;
mod failure;
mod maildir;
mod parameters;
mod pool;
mod proxy_header;
mod route;
mod settings;
mod smtp_target;
mod target_url;
mod tls;
mod transaction;

#[cfg(test)]
pub(crate) mod test_sink;
#[cfg(test)]
mod tests;

pub use connect::{Connect, Place, Stream, SystemConnect};
pub use route::{Parts, Probe, Route};
pub use settings::{Deadlines, Settings, StateClient, Targets, TlsMode};
pub use target_url::TargetUrl;
pub use transaction::Transaction;

use crate::clock::Clock;
use crate::mail::{Address, Domain};
use crate::smtp::Reply;
use std::collections::HashMap;
use std::sync::Arc;

/// How a delivery ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// Upstream said 2xx to the dot, for every recipient: it is theirs.
    Accepted(Reply),
    /// Upstream took it for some recipients and not for others, as LMTP's answers allow.
    Partly {
        /// Its first 2xx: what the client is told once somebody else vouches for the rest.
        accepted: Reply,
        /// Who was left out; never empty.
        missed: Vec<Missed>,
        /// A 4xx of ours, for when nobody does: a second copy for some rather than none for others.
        retry: Reply,
    },
    /// Upstream answered the dot, or DATA, with this: it is not theirs.
    Refused(Reply),
    /// It was never sent whole: a 4xx of ours.
    NotSent(Reply),
    /// Upstream went away, or stayed silent, after our dot: it may be theirs. A 4xx of ours.
    Unsure(Reply),
}

/// A recipient that upstream didn't take a message for, when it did for another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missed {
    /// Its place among the recipients sent to.
    pub place: usize,
    /// Upstream's answer for it, or what came in place of one.
    pub answer: String,
}

impl Delivery {
    /// What the client is told, while nobody has vouched for recipients left out.
    pub const fn reply(&self) -> &Reply {
        match self {
            Self::Accepted(reply) | Self::Refused(reply) | Self::NotSent(reply) | Self::Unsure(reply) => reply,
            Self::Partly { retry, .. } => retry,
        }
    }
}

/// What every target of the routes takes, as last probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// The smallest SIZE limit; `None` when none is stated.
    pub size: Option<u64>,
    /// SMTPUTF8 everywhere.
    pub smtputf8: bool,
    /// DSN everywhere.
    pub dsn: bool,
}

/// All routes.
#[derive(Debug)]
pub struct Upstreams {
    /// In the order of the settings.
    routes: Vec<Arc<Route>>,
    /// By exact domain, by `*.suffix` without its star and dot, and by `*`.
    exact: HashMap<Box<str>, usize>,
    below: HashMap<Box<str>, usize>,
    any: Option<usize>,
}

impl Upstreams {
    /// Builds every route; connects to nothing yet.
    ///
    /// # Errors
    /// In words, naming the route and the setting: a target or file that can't be used, a domain that is
    /// none, a name or domain that two routes claim.
    pub fn new(settings: &[Settings], parts: &Parts) -> Result<Self, String> {
        let mut upstreams = Self {
            routes: Vec::with_capacity(settings.len()),
            exact: HashMap::new(),
            below: HashMap::new(),
            any: None,
        };
        for route in settings {
            let place = |error| format!("route {:?}: {error}", route.name);
            if upstreams.route_named(&route.name).is_some() {
                return Err(place("another route has this name".into()));
            }
            upstreams.routes.push(Route::new(route, parts).map_err(place)?);
            for domain in &route.domains {
                upstreams.claim(domain).map_err(place)?;
            }
        }
        Ok(upstreams)
    }

    /// The route of a recipient: its exact domain, else the longest `*.suffix`, else `*`, which also has
    /// address literals. `postmaster` without a domain has the `*` route, else the first.
    pub fn route_of(&self, recipient: &Address) -> Option<Arc<Route>> {
        let index = match (recipient.domain(), recipient.domain_text()) {
            (Some(domain), _) => self.index_of(domain.as_str())?,
            (None, Some(_)) => self.any?,
            (None, None) => self.any.unwrap_or(0),
        };
        self.routes.get(index).map(Arc::clone)
    }

    /// Every route, in the order of the settings.
    pub fn routes(&self) -> &[Arc<Route>] {
        &self.routes
    }

    /// The route of this name.
    pub fn route_named(&self, name: &str) -> Option<Arc<Route>> {
        self.routes.iter().find(|route| route.name() == name).map(Arc::clone)
    }

    /// The one route, when there is just one: MAIL can then be asked upstream at once.
    pub fn only_route(&self) -> Option<Arc<Route>> {
        match self.routes.as_slice() {
            [route] => Some(Arc::clone(route)),
            _ => None,
        }
    }

    /// What EHLO may offer, from the last probe; before one, nothing beyond the basics.
    pub fn capabilities(&self) -> Capabilities {
        let mut all = Capabilities {
            size: None,
            smtputf8: true,
            dsn: true,
        };
        for offer in self.routes.iter().flat_map(|route| route.offers()) {
            let offer = offer.unwrap_or_default();
            all.smtputf8 &= offer.smtputf8;
            all.dsn &= offer.dsn;
            all.size = match (all.size, offer.size_limit) {
                (Some(smallest), Some(limit)) => Some(smallest.min(limit)),
                (one, other) => one.or(other),
            };
        }
        all
    }

    /// Greets every server to learn what it offers, makes every Maildir, and closes connections that
    /// have been idle for too long. To be run at start and every minute or so.
    pub async fn probe(&self) -> Vec<Probe> {
        let probe = |route: &Arc<Route>| {
            let route = Arc::clone(route);
            tokio::spawn(async move { route.probe().await })
        };
        // All at once: one that is down must not keep the others waiting for its deadline.
        let under_way: Vec<_> = self.routes.iter().map(probe).collect();
        let mut probes = Vec::new();
        for route in under_way {
            probes.extend(route.await.unwrap_or_default());
        }
        probes
    }

    /// Reads the certificates shown to upstream again: what is wrong with those that can't be used. What they
    /// were meant to replace stays.
    pub fn reload_certificates(&self, clock: &dyn Clock) -> Vec<String> {
        let faults = self
            .routes
            .iter()
            .filter_map(|route| Some((route, route.reload_certificate(clock).err()?)));
        faults
            .map(|(route, fault)| format!("route {:?}: {fault}", route.name()))
            .collect()
    }

    /// Says goodbye on every idle connection, when the daemon stops.
    pub async fn close(&self) {
        for route in &self.routes {
            route.close().await;
        }
    }

    /// Gives `domain` to the route added last.
    fn claim(&mut self, domain: &str) -> Result<(), String> {
        let index = self.routes.len().saturating_sub(1);
        if domain == "*" {
            return match self.any.replace(index) {
                None => Ok(()),
                Some(_) => Err("domains: another route has \"*\"".into()),
            };
        }
        let (name, map) = match domain.strip_prefix("*.") {
            Some(suffix) => (suffix, &mut self.below),
            None => (domain, &mut self.exact),
        };
        let name = Domain::parse(name).ok_or_else(|| format!("domains: {domain:?} is not a domain"))?;
        match map.insert(name.as_str().into(), index) {
            None => Ok(()),
            Some(_) => Err(format!("domains: {domain:?} is named twice")),
        }
    }

    fn index_of(&self, domain: &str) -> Option<usize> {
        if let Some(index) = self.exact.get(domain) {
            return Some(*index);
        }
        // A domain has at most 127 dots; the longest suffix comes first.
        domain
            .match_indices('.')
            .filter_map(|(dot, _)| domain.get(dot + 1..))
            .find_map(|suffix| self.below.get(suffix).copied())
            .or(self.any)
    }
}
