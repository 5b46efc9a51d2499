//! What the world is told of a domain's mail: MX, addresses, TLSA and MTA-STS.
//!
//! Domains in, facts or why they are unknown out. Judges nothing.

use super::mta_sts::{self, Policy};
use super::web::Web;
use crate::resolver::{Answer, Dns, DnsFault, Exchanger, Tlsa};
use std::net::IpAddr;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Domains looked at side by side.
const DOMAINS_AT_ONCE: usize = 8;
/// MX hosts of one domain that are looked at, the preferred first.
pub(super) const HOSTS_MAX: usize = 16;

/// What is known of a domain.
pub(super) struct Facts {
    pub(super) domain: String,
    /// Its MX records, the preferred first.
    pub(super) exchangers: Result<Vec<Exchanger>, DnsFault>,
    /// The hosts that senders go to, at most [`HOSTS_MAX`].
    pub(super) hosts: Vec<Host>,
    pub(super) mta_sts: MtaSts,
}

/// A host that senders go to.
pub(super) struct Host {
    pub(super) name: String,
    pub(super) addresses: Result<Vec<IpAddr>, DnsFault>,
    /// TLSA records for its port 25.
    pub(super) tlsa: Result<Answer<Tlsa>, DnsFault>,
}

/// What is known of a domain's MTA-STS.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum MtaSts {
    /// There is none.
    None,
    /// Its record could not be asked, or its policy not fetched.
    Unknown(String),
    /// There is something that senders can't use.
    Faulty(String),
    Policy(Policy),
}

/// Looks everything up, in the order of the domains.
pub(super) async fn gather(dns: &Arc<dyn Dns>, web: &Arc<Web>, domains: &[String]) -> Vec<Facts> {
    let turns = Arc::new(Semaphore::new(DOMAINS_AT_ONCE));
    let mut under_way = JoinSet::new();
    for (place, domain) in domains.iter().cloned().enumerate() {
        let (dns, web, turns) = (Arc::clone(dns), Arc::clone(web), Arc::clone(&turns));
        under_way.spawn(async move {
            let _turn = turns.acquire().await;
            (place, facts(dns.as_ref(), &web, domain).await)
        });
    }
    let mut gathered = under_way.join_all().await;
    gathered.sort_by_key(|(place, _)| *place);
    gathered.into_iter().map(|(_, facts)| facts).collect()
}

async fn facts(dns: &dyn Dns, web: &Web, domain: String) -> Facts {
    let (exchangers, mta_sts) = tokio::join!(dns.exchangers(&domain), mta_sts(dns, web, &domain));
    let exchangers = exchangers.map(|answer| answer.records);
    let mut hosts = Vec::new();
    for name in host_names(&domain, exchangers.as_deref()) {
        let service = format!("_25._tcp.{name}");
        let (addresses, tlsa) = tokio::join!(dns.hosts(&name), dns.tlsa(&service));
        hosts.push(Host {
            name,
            addresses: addresses.map(|answer| answer.records),
            tlsa,
        });
    }
    Facts {
        domain,
        exchangers,
        hosts,
        mta_sts,
    }
}

/// Where senders go: without MX to the domain itself (RFC 5321 §5.1), with a null MX nowhere (RFC 7505).
fn host_names(domain: &str, exchangers: Result<&[Exchanger], &DnsFault>) -> Vec<String> {
    match exchangers {
        Err(_) => Vec::new(),
        Ok([]) => vec![domain.to_owned()],
        Ok(exchangers) => {
            let mut names: Vec<String> = Vec::new();
            for exchanger in exchangers.iter().filter(|exchanger| !exchanger.host.is_empty()) {
                if !names.contains(&exchanger.host) && names.len() < HOSTS_MAX {
                    names.push(exchanger.host.clone());
                }
            }
            names
        }
    }
}

async fn mta_sts(dns: &dyn Dns, web: &Web, domain: &str) -> MtaSts {
    let texts = match dns.texts(&format!("_mta-sts.{domain}")).await {
        Ok(answer) => answer.records,
        Err(fault) => return MtaSts::Unknown(fault.to_string()),
    };
    match mta_sts::record(&texts) {
        Ok(None) => MtaSts::None,
        Err(why) => MtaSts::Faulty(why),
        Ok(Some(_)) => match web.policy(domain).await {
            Err(why) => MtaSts::Unknown(why),
            Ok(octets) => mta_sts::parse(&octets).map_or_else(
                |why| MtaSts::Faulty(format!("its policy can't be used: {why}")),
                MtaSts::Policy,
            ),
        },
    }
}
