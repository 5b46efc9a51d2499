//! Whether the world's mail will find the certificate that it was told to expect, once it comes here.
//!
//! What DNS and the web say of each domain, and what the listeners show, in; lines for people out. Pure. Knows
//! nothing of how the facts were got.

use super::facts::{Facts, HOSTS_MAX, Host, MtaSts};
use super::mta_sts::{Mode, Policy};
use super::{Line, Outcome, line};
use crate::certificate::tlsa::{self, Association};
use crate::resolver::Exchanger;
use rustls::RootCertStore;
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use std::net::IpAddr;
use std::sync::Arc;

/// A policy that lives shorter gives nobody the time to remember it.
const MAX_AGE_SHORT: u32 = 86_400;

/// What this gate shows to the world, and by what it is measured.
pub(super) struct Gate {
    /// What it calls itself.
    pub(super) name: String,
    /// Where it listens, and where its name leads.
    pub(super) addresses: Vec<IpAddr>,
    /// Inbound listeners with TLS.
    pub(super) listeners: Vec<Shown>,
    /// What senders go by; why there are none.
    pub(super) authorities: Result<Arc<RootCertStore>, String>,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
    pub(super) now: UnixTime,
    /// Whether the resolver's word on DNSSEC counts.
    pub(super) trusts_dns: bool,
}

/// A listener's certificate.
pub(super) struct Shown {
    pub(super) listener: String,
    pub(super) chain: Vec<CertificateDer<'static>>,
}

/// The MX hosts that lead here, or, when that can't be told, all of them.
struct Concerned<'f> {
    hosts: Vec<&'f Host>,
    /// They are known to lead here.
    here: bool,
}

impl Concerned<'_> {
    /// What a mismatch comes to: what is certain fails, what only may concern us warns.
    const fn grave(&self) -> Outcome {
        if self.here { Outcome::Failed } else { Outcome::Warning }
    }
}

/// Says of each domain what is fine and what isn't.
pub(super) fn judge(facts: &[Facts], gate: &Gate) -> Vec<Line> {
    let mut lines = Vec::new();
    for domain in facts {
        let Some(concerned) = exchangers(domain, gate, &mut lines) else {
            mta_sts(domain, None, gate, &mut lines);
            continue;
        };
        names(domain, &concerned, gate, &mut lines);
        mta_sts(domain, Some(&concerned), gate, &mut lines);
        for host in &concerned.hosts {
            associations(domain, host, &concerned, gate, &mut lines);
        }
    }
    lines
}

/// Which hosts take the domain's mail; `None` when there are none to look at.
fn exchangers<'f>(facts: &'f Facts, gate: &Gate, lines: &mut Vec<Line>) -> Option<Concerned<'f>> {
    let domain = &facts.domain;
    let mut say = |outcome, text: String| lines.push(line("mx", outcome, format!("{domain}: {text}")));
    let found: &[Exchanger] = match &facts.exchangers {
        Ok(found) => found,
        Err(fault) => {
            say(Outcome::Warning, format!("its MX are unknown: {fault}"));
            return None;
        }
    };
    if facts.hosts.is_empty() {
        say(
            Outcome::Warning,
            "its null MX tells the world that it takes no mail".into(),
        );
        return None;
    }
    let described: Vec<String> = facts.hosts.iter().map(|host| describe(host, gate)).collect();
    let described = described.join(", ");
    if found.is_empty() {
        let text = format!("it has no MX, so that senders go to its own address: {described}");
        say(Outcome::Warning, text);
    } else {
        say(Outcome::Fine, format!("MX {described}"));
    }
    if found.len() > HOSTS_MAX {
        let text = format!("it has {} MX, of which {HOSTS_MAX} were looked at", found.len());
        say(Outcome::Warning, text);
    }
    for host in &facts.hosts {
        match &host.addresses {
            Err(fault) => say(
                Outcome::Warning,
                format!("the addresses of {} are unknown: {fault}", host.name),
            ),
            Ok(addresses) if addresses.is_empty() => {
                say(Outcome::Warning, format!("{} has no address", host.name));
            }
            Ok(_) => {}
        }
    }
    let ours: Vec<&Host> = facts.hosts.iter().filter(|host| leads_here(host, gate)).collect();
    Some(if ours.is_empty() {
        Concerned {
            hosts: facts.hosts.iter().collect(),
            here: false,
        }
    } else {
        Concerned {
            hosts: ours,
            here: true,
        }
    })
}

fn describe(host: &Host, gate: &Gate) -> String {
    let place = if leads_here(host, gate) { " (here)" } else { "" };
    format!("{}{place}", host.name)
}

/// Whether it bears our name, or one of its addresses is ours. A gate behind a translated address can only be
/// told by its name.
fn leads_here(host: &Host, gate: &Gate) -> bool {
    let is_ours = |address: &IpAddr| gate.addresses.contains(address);
    host.name.eq_ignore_ascii_case(&gate.name) || host.addresses.as_ref().is_ok_and(|found| found.iter().any(is_ours))
}

/// Which hosts each listener's certificate names.
fn names(facts: &Facts, concerned: &Concerned<'_>, gate: &Gate, lines: &mut Vec<Line>) {
    for shown in &gate.listeners {
        let covered = |host: &&&Host| {
            let own = shown.chain.first();
            own.is_some_and(|own| tlsa::covers(own, &host.name))
        };
        let (covered, missed): (Vec<&Host>, Vec<&Host>) = concerned.hosts.iter().partition(|host| covered(host));
        let place = format!("{}: listener {}'s certificate", facts.domain, shown.listener);
        lines.push(match (missed.is_empty(), concerned.here) {
            (true, _) => line(
                "certificate",
                Outcome::Fine,
                format!("{place} names {}", list(&covered)),
            ),
            (false, true) => line(
                "certificate",
                Outcome::Warning,
                format!("{place} does not name {}, which leads here", list(&missed)),
            ),
            (false, false) => line(
                "certificate",
                Outcome::Warning,
                format!(
                    "{place} names {} and does not name {}; none of them leads here yet, or is known to",
                    list(&covered),
                    list(&missed)
                ),
            ),
        });
    }
}

fn list(hosts: &[&Host]) -> String {
    if hosts.is_empty() {
        return "none of its MX".into();
    }
    let names: Vec<&str> = hosts.iter().map(|host| host.name.as_str()).collect();
    names.join(", ")
}

/// Whether senders that follow the domain's MTA-STS policy will come.
fn mta_sts(facts: &Facts, concerned: Option<&Concerned<'_>>, gate: &Gate, lines: &mut Vec<Line>) {
    let domain = &facts.domain;
    let mut say = |outcome, text: String| lines.push(line("mta-sts", outcome, format!("{domain}: {text}")));
    let policy = match &facts.mta_sts {
        MtaSts::None => return say(Outcome::Fine, "it has no policy".into()),
        MtaSts::Unknown(why) => return say(Outcome::Warning, format!("unknown: {why}")),
        MtaSts::Faulty(why) => return say(Outcome::Warning, why.clone()),
        MtaSts::Policy(policy) => policy,
    };
    let about = format!("mode {}, max_age {} s", policy.mode.as_str(), policy.max_age);
    if policy.mode == Mode::None {
        return say(Outcome::Fine, format!("{about}: senders are asked for nothing"));
    }
    let Some(concerned) = concerned else {
        return say(
            Outcome::Warning,
            format!("{about}: whether it is met is unknown without MX"),
        );
    };
    let grave = if policy.mode == Mode::Enforce {
        concerned.grave()
    } else {
        Outcome::Warning
    };
    let faults = policy_faults(policy, concerned, gate);
    for (is_certain, fault) in &faults {
        let outcome = if *is_certain { grave } else { Outcome::Warning };
        say(outcome, format!("{about}: {fault}"));
    }
    if policy.max_age < MAX_AGE_SHORT {
        let text = format!("{about}: that is less than a day, so that few senders will remember it");
        say(Outcome::Warning, text);
    }
    if faults.is_empty() {
        let text = format!("{about}: it covers {} and is met", list(&concerned.hosts));
        say(Outcome::Fine, text);
    }
}

/// What would keep a sender that follows the policy from sending, and whether that is certain.
fn policy_faults(policy: &Policy, concerned: &Concerned<'_>, gate: &Gate) -> Vec<(bool, String)> {
    let mut faults = Vec::new();
    let missed: Vec<&Host> = concerned
        .hosts
        .iter()
        .copied()
        .filter(|host| !policy.allows(&host.name))
        .collect();
    if !missed.is_empty() {
        faults.push((true, format!("its mx lines do not allow {}", list(&missed))));
    }
    if gate.listeners.is_empty() {
        // A front may do TLS in our place.
        faults.push((false, "no inbound listener has TLS, which it demands".into()));
        return faults;
    }
    let authorities = match &gate.authorities {
        Ok(authorities) => authorities,
        Err(why) => {
            faults.push((false, format!("whether our certificate would pass is unknown: {why}")));
            return faults;
        }
    };
    for shown in &gate.listeners {
        for host in &concerned.hosts {
            if let Err(why) = passes(shown, &host.name, authorities, gate) {
                let text = format!(
                    "listener {}'s certificate would not pass for {}: {why}",
                    shown.listener, host.name
                );
                faults.push((true, text));
            }
        }
    }
    faults
}

/// Name, chain and time, as a sender checks them (RFC 8461 §4.2).
fn passes(shown: &Shown, host: &str, authorities: &RootCertStore, gate: &Gate) -> Result<(), String> {
    let (own, others) = shown.chain.split_first().ok_or("it is empty")?;
    let own = ParsedCertificate::try_from(own).map_err(|error| error.to_string())?;
    let name = ServerName::try_from(host).map_err(|error| error.to_string())?;
    verify_server_cert_signed_by_trust_anchor(&own, authorities, others, gate.now, gate.algorithms.all)
        .map_err(|error| plain(&error))?;
    verify_server_name(&own, &name).map_err(|error| plain(&error))
}

fn plain(error: &rustls::Error) -> String {
    use rustls::CertificateError as Fault;
    let rustls::Error::InvalidCertificate(fault) = error else {
        return error.to_string();
    };
    match fault {
        Fault::Expired | Fault::ExpiredContext { .. } => "it has expired".into(),
        Fault::NotValidYet | Fault::NotValidYetContext { .. } => "it is not valid yet".into(),
        Fault::UnknownIssuer => "it comes from no authority that the world knows, or an intermediate is missing".into(),
        Fault::BadSignature => "a signature in its chain does not hold".into(),
        Fault::NotValidForName | Fault::NotValidForNameContext { .. } => "it does not carry that name".into(),
        other => other.to_string(),
    }
}

/// Whether senders that follow a host's TLSA records will come.
fn associations(facts: &Facts, host: &Host, concerned: &Concerned<'_>, gate: &Gate, lines: &mut Vec<Line>) {
    let place = format!("{}: _25._tcp.{}", facts.domain, host.name);
    let mut say = |outcome, text: String| lines.push(line("tlsa", outcome, format!("{place} {text}")));
    let answer = match &host.tlsa {
        Err(fault) => return say(Outcome::Warning, format!("is unknown: {fault}")),
        Ok(answer) if answer.records.is_empty() => return say(Outcome::Fine, "has no records".into()),
        Ok(answer) => answer,
    };
    if !answer.authenticated {
        let why = if gate.trusts_dns {
            "the resolver does not vouch for them, and senders pass over what is not signed"
        } else {
            "whether they are signed is unknown, since no trusted resolver was asked ([resolver] trusted)"
        };
        say(Outcome::Warning, format!("has records: {why}"));
    }
    // Unsigned records bind nobody, and so keep nobody away.
    let grave = if answer.authenticated {
        concerned.grave()
    } else {
        Outcome::Warning
    };
    if gate.listeners.is_empty() {
        return say(
            Outcome::Warning,
            "has records, and no inbound listener has TLS, which they demand".into(),
        );
    }
    let Ok(name) = ServerName::try_from(host.name.as_str()) else {
        return say(Outcome::Warning, "belongs to no host name that TLS knows".into());
    };
    for shown in &gate.listeners {
        let association = tlsa::associate(&answer.records, &shown.chain, &name, gate.now, gate.algorithms.all);
        let listener = &shown.listener;
        match association {
            Association::Matched => say(Outcome::Fine, format!("speaks of listener {listener}'s certificate")),
            Association::Mismatched(why) => say(
                grave,
                format!("does not match listener {listener}'s certificate: {why}"),
            ),
            Association::Unusable => {
                let text = "has no record that mail can use: 3 1 1 is the usual one";
                say(Outcome::Warning, text.into());
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
