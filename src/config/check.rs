//! Settings that are fine by themselves and wrong together, each with its place.
//!
//! The decoded settings and their tree in; problems that stop a start and warnings that don't, out.
//! Opens nothing: whether files and hosts exist is for those who use them.

use super::Config;
use super::layers::named_arrays;
use super::problem::{Place, Problem, nearest};
use super::tree::Node;
use crate::listener::{self, Tls};
use crate::mail::Direction;
use crate::rules::Action;

/// Checks everything.
pub(super) fn check(config: &Config, tree: &Node, problems: &mut Vec<Problem>, warnings: &mut Vec<Problem>) {
    let checker = Checker { config, tree };
    problems.extend(checker.required());
    for (index, listener) in config.listener.iter().enumerate() {
        problems.extend(checker.listener(index, listener));
    }
    problems.extend(checker.addresses());
    problems.extend(checker.routes());
    problems.extend(checker.thresholds());
    problems.extend(checker.recipients());
    problems.extend(checker.limits());
    warnings.extend(checker.unwise());
}

struct Checker<'c> {
    config: &'c Config,
    tree: &'c Node,
}

impl Checker<'_> {
    /// Where a setting was set, or else the nearest table around it.
    fn place(&self, path: &[&str]) -> Place {
        let mut here = self.tree;
        for name in path {
            let next = match name.parse::<usize>() {
                Ok(index) => here.items().get(index),
                Err(_) => here.get(name),
            };
            let Some(next) = next else { break };
            here = next;
        }
        here.place.clone()
    }

    /// Of a field of the n-th table of an array.
    fn item_place(&self, array: &str, index: usize, field: &str) -> Place {
        self.place(&[array, &index.to_string(), field])
    }

    /// What a default would decide silently and wrongly.
    fn required(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (setting, array) in named_arrays(self.tree) {
            let fields: &[&str] = match setting {
                "listener" => &["address"],
                "route" => &["target"],
                _ => &["match"],
            };
            for item in array.items() {
                let own_domains = setting == "route" && item.name() != Some("default");
                let domains: &[&str] = if own_domains { &["domains"] } else { &[] };
                for field in fields.iter().chain(domains).filter(|field| item.get(field).is_none()) {
                    let what = format!("[[{setting}]] {:?} has no {field}", item.name().unwrap_or_default());
                    problems.push(Problem::new(&item.place, what, format!("add {field} = …")));
                }
            }
        }
        if self.config.listener.is_empty() {
            let place = self.place(&["listener"]);
            problems.push(Problem::new(&place, "no listener", "add a [[listener]]"));
        }
        problems
    }

    fn listener(&self, index: usize, listener: &listener::Settings) -> Vec<Problem> {
        let mut problems = Vec::new();
        let name = &listener.name;
        let at = |field| self.item_place("listener", index, field);
        let inbound = listener.direction == Direction::Inbound;
        if inbound && !listener.address.ip().is_loopback() && self.config.relay.domains.is_empty() {
            problems.push(Problem::new(
                &at("address"),
                format!("listener {name:?} is open to others, and [relay] domains is empty: it would relay for anyone"),
                "list the domains whose mail you take under [relay] domains",
            ));
        }
        for (field, fault) in listener.faults() {
            problems.push(Problem::new(
                &at(field),
                format!("listener {name:?}: {fault}"),
                format!("set {field}"),
            ));
        }
        let half = listener.certificate.is_some() != listener.key.is_some();
        if listener.tls == Tls::Off && half {
            problems.push(Problem::new(
                &at(if listener.key.is_some() { "key" } else { "certificate" }),
                format!("listener {name:?} has one of certificate and key without the other"),
                "set both, and tls = \"starttls\" or \"implicit\"",
            ));
        }
        let routes = || self.config.route.iter().map(|route| route.name.as_str());
        if let Some(route) = &listener.upstream
            && !routes().any(|name| name == route)
        {
            let remedy = nearest(route, routes()).map_or_else(
                || "name a [[route]]".to_owned(),
                |near| format!("did you mean {near:?}?"),
            );
            problems.push(Problem::new(
                &at("upstream"),
                format!("no route is named {route:?}"),
                remedy,
            ));
        }
        problems
    }

    fn addresses(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut taken: Vec<(std::net::SocketAddr, String)> = vec![(self.config.http.address, "[http]".to_owned())];
        for (index, listener) in self.config.listener.iter().enumerate() {
            let address = listener.address;
            // Port 0 asks for any free one.
            let same = taken.iter().find(|(other, _)| *other == address && address.port() != 0);
            if let Some((_, owner)) = same {
                problems.push(Problem::new(
                    &self.item_place("listener", index, "address"),
                    format!("listener {:?} and {owner} share {address}", listener.name),
                    "give each an address of its own",
                ));
            }
            taken.push((address, format!("listener {:?}", listener.name)));
        }
        problems
    }

    fn routes(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut taken: Vec<(String, &str)> = Vec::new();
        for (index, route) in self.config.route.iter().enumerate() {
            for domain in &route.domains {
                let domain = domain.to_ascii_lowercase();
                if let Some((_, owner)) = taken.iter().find(|(other, _)| *other == domain) {
                    problems.push(Problem::new(
                        &self.item_place("route", index, "domains"),
                        format!("routes {owner:?} and {:?} both take {domain:?}", route.name),
                        "leave each domain to one route",
                    ));
                }
                taken.push((domain, &route.name));
            }
        }
        problems
    }

    fn thresholds(&self) -> Vec<Problem> {
        let policy = &self.config.policy;
        let general = [policy.tag, policy.quarantine, policy.reject];
        let mut problems = Vec::new();
        problems.extend(disorder("[policy]", general, |field| self.place(&["policy", field])));
        for (index, recipients) in policy.recipients.iter().enumerate() {
            let [tag, quarantine, reject] = general;
            let own = [
                recipients.tag.unwrap_or(tag),
                recipients.quarantine.unwrap_or(quarantine),
                recipients.reject.unwrap_or(reject),
            ];
            if own != general {
                let owner = format!("[[policy.recipients]] {:?}", recipients.name);
                let index = index.to_string();
                problems.extend(disorder(&owner, own, |field| {
                    self.place(&["policy", "recipients", &index, field])
                }));
            }
        }
        problems
    }

    fn recipients(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (index, recipients) in self.config.policy.recipients.iter().enumerate() {
            for pattern in recipients
                .r#match
                .iter()
                .filter(|pattern| *pattern != "*" && !pattern.contains('@'))
            {
                problems.push(Problem::new(
                    &self.place(&["policy", "recipients", &index.to_string(), "match"]),
                    format!("{pattern:?} matches no address"),
                    format!(
                        "write {:?} for a mailbox, {:?} for a domain, or \"*\"",
                        format!("{pattern}@"),
                        format!("@{pattern}")
                    ),
                ));
            }
        }
        for (check, action) in &self.config.policy.unscanned {
            if *action == Action::Reject {
                problems.push(Problem::new(
                    &self.place(&["policy", "unscanned", check]),
                    format!("{check}: reject would refuse mail that nobody looked at"),
                    "write \"defer\" or \"quarantine\"",
                ));
            }
        }
        problems
    }

    fn limits(&self) -> Vec<Problem> {
        let limits = &self.config.limits;
        let mut problems = Vec::new();
        if limits.message_size > limits.memory {
            problems.push(Problem::new(
                &self.place(&["limits", "message_size"]),
                format!(
                    "message_size {} is more than memory {}: no such message would fit",
                    limits.message_size, limits.memory
                ),
                "lower message_size or raise memory",
            ));
        }
        for (field, is_zero) in [
            ("message_size", limits.message_size.0 == 0),
            ("connections", limits.connections == 0),
        ] {
            if is_zero {
                let place = self.place(&["limits", field]);
                problems.push(Problem::new(
                    &place,
                    format!("{field} is 0: no mail could pass"),
                    "raise it",
                ));
            }
        }
        problems
    }

    fn unwise(&self) -> Vec<Problem> {
        let mut warnings = Vec::new();
        if !self.config.http.address.ip().is_loopback() {
            warnings.push(Problem::new(
                &self.place(&["http", "address"]),
                "[http] can be reached by others: metrics tell them what you refuse",
                "listen on loopback, or let a firewall admit only your monitoring",
            ));
        }
        for (index, listener) in self.config.listener.iter().enumerate() {
            if listener.tls == Tls::Off && listener.certificate.is_some() && listener.key.is_some() {
                warnings.push(Problem::new(
                    &self.item_place("listener", index, "certificate"),
                    format!("listener {:?} has a certificate and tls = \"off\"", listener.name),
                    "set tls = \"starttls\" or \"implicit\"",
                ));
            }
        }
        warnings
    }
}

/// Thresholds out of order, or that no score could have.
fn disorder(owner: &str, [tag, quarantine, reject]: [f64; 3], place: impl Fn(&str) -> Place) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (field, value) in [("tag", tag), ("quarantine", quarantine), ("reject", reject)] {
        if !value.is_finite() || value <= 0.0 {
            problems.push(Problem::new(
                &place(field),
                format!("{owner} {field} = {value}: mail without a finding scores 0"),
                "write a number above 0",
            ));
        }
    }
    for (lower, upper, low, high) in [
        ("tag", "quarantine", tag, quarantine),
        ("quarantine", "reject", quarantine, reject),
    ] {
        if low > high {
            problems.push(Problem::new(
                &place(lower),
                format!("{owner} {lower} = {low} is above {upper} = {high}"),
                "keep tag <= quarantine <= reject",
            ));
        }
    }
    problems
}
