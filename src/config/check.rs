//! Settings that are fine by themselves and wrong together, each with its place.
//!
//! The decoded settings and their tree in; problems that stop a start and warnings that don't, out.
//! Opens nothing: whether files and hosts exist is for those who use them.

use super::Config;
use super::layers::named_arrays;
use super::problem::{Place, Problem, nearest};
use super::tree::Node;
use crate::evidence::{Checks, Lists};
use crate::listener::{self, Tls};
use crate::mail::{Direction, Domain};
use crate::resolver::UNTRUSTED;
use crate::rules::Action;
use crate::telemetry::Telemetry;
use crate::verdict::DmarcMode;
use crate::{telemetry, upstream};
use std::net::SocketAddr;

/// Characters of the name of a listener, route or policy.
const NAME_MAX: usize = 64;
/// Metrics count what they have no name for under this one.
const RESERVED: &str = telemetry::catalogue::OTHER;
/// Characters of the address of the help page.
const HELP_MAX: usize = 200;

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
    problems.extend(checker.deadlines());
    problems.extend(checker.names());
    problems.extend(checker.domains());
    problems.extend(checker.authentication());
    problems.extend(checker.dns_lists());
    problems.extend(checker.help());
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
                "dns_list" => &["zone", "of", "answers"],
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
        let mut taken: Vec<(SocketAddr, String)> = vec![(self.config.http.address, "[http]".to_owned())];
        for (index, listener) in self.config.listener.iter().enumerate() {
            let address = listener.address;
            let same = taken.iter().find(|(other, _)| clash(*other, address));
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
            problems.extend(route.faults().into_iter().map(|(field, fault)| {
                let what = format!("route {:?}: {fault}", route.name);
                let place = self.item_place("route", index, field);
                Problem::new(
                    &place,
                    what,
                    "leave state_client out, or name an smtp:// or lmtp target",
                )
            }));
            problems.extend(self.certificate_of_route(index, route));
            problems.extend(self.tls_of_route(index, route));
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

    /// One of certificate and key without the other.
    fn certificate_of_route(&self, index: usize, route: &upstream::Settings) -> Option<Problem> {
        let (set, missing) = match (&route.tls_certificate, &route.tls_key) {
            (Some(_), None) => ("tls_certificate", "tls_key"),
            (None, Some(_)) => ("tls_key", "tls_certificate"),
            _ => return None,
        };
        Some(Problem::new(
            &self.item_place("route", index, set),
            format!("route {:?} has {set} without {missing}", route.name),
            "set both or neither",
        ))
    }

    /// What `tls` can't do with the other settings. Whether the system's own DNS servers are believed is only known once
    /// they are read.
    fn tls_of_route(&self, index: usize, route: &upstream::Settings) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let Some((setting, why)) = route.contradiction() {
            let remedy = match setting {
                "target" => "write the host's name, or tls = \"verified\" with a tls_name".to_owned(),
                idle => format!("leave {idle} out, or write tls = \"verified\""),
            };
            let what = format!("route {:?}: {why}", route.name);
            problems.push(Problem::new(&self.item_place("route", index, setting), what, remedy));
        }
        let resolver = &self.config.resolver;
        let servers: Vec<SocketAddr> = resolver.servers.iter().map(|server| server.0).collect();
        let is_known = !servers.is_empty() || resolver.trusted.is_some();
        if route.tls == upstream::TlsMode::Dane && is_known && !resolver.trusts(&servers) {
            let what = format!(
                "route {:?}: tls = \"dane\": the DNS servers are not believed",
                route.name
            );
            problems.push(Problem::new(&self.item_place("route", index, "tls"), what, UNTRUSTED));
        }
        problems
    }

    fn thresholds(&self) -> Vec<Problem> {
        let policy = &self.config.policy;
        let general = [policy.tag, policy.quarantine, policy.reject];
        let mut problems = Vec::new();
        problems.extend(disorder("[policy]", general, None, |field| {
            self.place(&["policy", field])
        }));
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
                problems.extend(disorder(&owner, own, Some(general), |field| {
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

    /// Deadlines that would be over before anything could happen; those left out may be 0.
    fn deadlines(&self) -> Vec<Problem> {
        let session = &self.config.deadlines.session;
        let upstream = &self.config.deadlines.upstream;
        let needed = [
            ("command", session.command),
            ("command_overload", session.command_overload),
            ("data_block", session.data_block),
            ("data", session.data),
            ("write", session.write),
            ("handshake", session.handshake),
            ("judging", self.config.deadlines.pipeline.judging),
            ("upstream_connect", upstream.upstream_connect),
            ("upstream_hello", upstream.upstream_hello),
            ("upstream_command", upstream.upstream_command),
            ("upstream_open", upstream.upstream_open),
            ("upstream_replay", upstream.upstream_replay),
            ("upstream_data", upstream.upstream_data),
            ("upstream_block", upstream.upstream_block),
            ("upstream_body", upstream.upstream_body),
            ("upstream_dot", upstream.upstream_dot),
        ];
        let none = needed.iter().filter(|(_, span)| span.0.is_zero());
        let none = none.map(|(field, _)| {
            let place = self.place(&["deadlines", field]);
            Problem::new(&place, format!("{field} is 0: no mail could pass"), "raise it")
        });
        let resolver = &self.config.resolver;
        let lookups = [("lookup", resolver.lookup), ("total", resolver.total)];
        let unasked = lookups.iter().filter(|(_, span)| span.0.is_zero());
        let unasked = unasked.map(|(field, _)| {
            let place = self.place(&["resolver", field]);
            Problem::new(
                &place,
                format!("{field} is 0: no DNS server could answer in time"),
                "raise it",
            )
        });
        none.chain(unasked).collect()
    }

    /// Names stand in logs, metrics and replies.
    fn names(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (setting, array) in named_arrays(self.tree) {
            for item in array.items() {
                let name = item.name().unwrap_or_default();
                let place = item.get("name").map_or(&item.place, |node| &node.place);
                let fine = (1..=NAME_MAX).contains(&name.chars().count()) && !name.chars().any(char::is_control);
                if !fine {
                    let what = format!("[[{setting}]] cannot be named {name:?}");
                    problems.push(Problem::new(
                        place,
                        what,
                        format!("use 1 to {NAME_MAX} printable characters"),
                    ));
                }
                if name == RESERVED && setting != "policy.recipients" {
                    let what = format!("[[{setting}]] cannot be named {RESERVED:?}: metrics need that word");
                    problems.push(Problem::new(place, what, "choose another"));
                }
            }
        }
        problems
    }

    fn domains(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (index, domain) in self.config.relay.domains.iter().enumerate() {
            if Domain::parse(domain).is_none() {
                problems.push(Problem::new(
                    &self.place(&["relay", "domains", &index.to_string()]),
                    format!("{domain:?} is no domain"),
                    "write each domain in full, such as \"council.gov.uk\"",
                ));
            }
        }
        for (index, route) in self.config.route.iter().enumerate() {
            for domain in &route.domains {
                let base = domain.strip_prefix("*.").unwrap_or(domain);
                if domain != "*" && Domain::parse(base).is_none() {
                    problems.push(Problem::new(
                        &self.item_place("route", index, "domains"),
                        format!("{domain:?} is no domain"),
                        "write \"council.gov.uk\", \"*.council.gov.uk\" or \"*\"",
                    ));
                }
            }
        }
        problems
    }

    /// It stands in SMTP replies: one word of plain ASCII.
    /// Lists that can't be asked, or by a name that rules could take for a name and a meaning.
    fn dns_lists(&self) -> Vec<Problem> {
        let refused = Lists::new(&self.config.dns_list, &Telemetry::default()).err();
        let refused = refused.map(|(index, field, why)| {
            Problem::new(
                &self.item_place("dns_list", index, field),
                why,
                "docs/authentication.md has recipes",
            )
        });
        let lists = self.config.dns_list.iter().enumerate();
        let slashed = lists.filter(|(_, list)| list.name.contains('/')).map(|(index, list)| {
            let what = format!(
                "[[dns_list]] cannot be named {:?}: what follows a slash is a meaning",
                list.name
            );
            Problem::new(&self.item_place("dns_list", index, "name"), what, "leave the slash out")
        });
        refused.into_iter().chain(slashed).collect()
    }

    fn authentication(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let sealers = &self.config.authentication.trusted_sealers;
        for (index, sealer) in sealers.iter().enumerate() {
            if Domain::parse(sealer).is_none_or(|domain| domain.site().is_none()) {
                problems.push(Problem::new(
                    &self.place(&["authentication", "trusted_sealers", &index.to_string()]),
                    format!("{sealer:?} is no domain that somebody could own"),
                    "name the domain that stands as d= in the forwarder's ARC-Seal fields",
                ));
            }
        }
        let seal = &self.config.authentication.seal;
        let is_name = |name: &str| Domain::parse(name).is_some();
        let is_whole = is_name(&seal.domain) && is_name(&seal.selector) && !seal.key.as_os_str().is_empty();
        if seal.is_on() && !is_whole {
            problems.push(Problem::new(
                &self.place(&["authentication", "seal"]),
                "a seal needs domain, selector and key",
                "set all three, or none",
            ));
        }
        let asks = self.config.policy.dmarc != DmarcMode::Off || seal.is_on();
        if asks && self.config.authentication.checks == Checks::Off {
            problems.push(Problem::new(
                &self.place(&["policy", "dmarc"]),
                "policy.dmarc and a seal need to know who vouches for mail, and [authentication] checks is \"off\"",
                "set checks = \"needed\", or dmarc = \"off\" and no seal",
            ));
        }
        problems
    }

    fn help(&self) -> Option<Problem> {
        let help = &self.config.disclosure.help;
        let fine = help.len() <= HELP_MAX && help.bytes().all(|byte| byte.is_ascii_graphic());
        (!fine).then(|| {
            Problem::new(
                &self.place(&["disclosure", "help"]),
                format!("{help:?} cannot stand in a reply"),
                format!("write an address of at most {HELP_MAX} plain characters, without spaces"),
            )
        })
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
        for (index, route) in self.config.route.iter().enumerate() {
            if route.tls == upstream::TlsMode::Off && route.tls_certificate.is_some() {
                warnings.push(Problem::new(
                    &self.item_place("route", index, "tls_certificate"),
                    format!("route {:?} has a certificate to show and tls = \"off\"", route.name),
                    "set tls = \"verified\"",
                ));
            }
        }
        warnings
    }
}

/// Whether one of them makes binding the other fail. Port 0 asks for any free one.
fn clash(one: SocketAddr, other: SocketAddr) -> bool {
    let any = one.ip().is_unspecified() || other.ip().is_unspecified();
    let overlap = one.ip() == other.ip() || (any && one.is_ipv4() == other.is_ipv4());
    overlap && one.port() == other.port() && one.port() != 0
}

/// Thresholds out of order, or that no score could have; `general` ones have been looked at already.
fn disorder(owner: &str, own: [f64; 3], general: Option<[f64; 3]>, place: impl Fn(&str) -> Place) -> Vec<Problem> {
    const FIELDS: [&str; 3] = ["tag", "quarantine", "reject"];
    let mut problems = Vec::new();
    let fields: Vec<(&str, f64, bool)> = FIELDS
        .iter()
        .zip(own)
        .zip(general.map_or([None; 3], |general| general.map(Some)))
        .map(|((field, value), general)| (*field, value, general != Some(value)))
        .collect();
    for (field, value, _) in fields
        .iter()
        .filter(|(_, value, is_own)| *is_own && !(value.is_finite() && *value > 0.0))
    {
        problems.push(Problem::new(
            &place(field),
            format!("{owner} {field} = {value}: mail without a finding scores 0"),
            "write a number above 0",
        ));
    }
    for pair in fields.windows(2) {
        let [(lower, low, own_low), (upper, high, own_high)] = pair else {
            continue;
        };
        if low > high && (*own_low || *own_high) {
            let at = Some(place(lower)).filter(|place| *place != Place::Default);
            problems.push(Problem::new(
                &at.unwrap_or_else(|| place(upper)),
                format!("{owner} {lower} = {low} is above {upper} = {high}"),
                "keep tag <= quarantine <= reject",
            ));
        }
    }
    problems
}
