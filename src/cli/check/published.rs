//! What DNS and the web tell the world of our domains, set against what the listeners show.
//!
//! Settings in, lines out, within bounded time whatever answers. Decides nothing.

use super::cutover::{self, Gate, Shown};
use super::facts;
use super::web::Web;
use super::{Line, Outcome, line};
use crate::certificate::authorities;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::resolver::{Bounded, Dns, StubResolver};
use rustls::RootCertStore;
use rustls::pki_types::UnixTime;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// For all MTA-STS policies together.
const WEB_MOST: Duration = Duration::from_secs(10);

/// Compares what the listeners show with what DNS and MTA-STS tell the world.
pub(super) async fn compare(config: &Config, listeners: Vec<Shown>, lines: &mut Vec<Line>) {
    let dns: Arc<dyn Dns> = match StubResolver::new(&config.resolver) {
        _ if config.relay.domains.is_empty() => return,
        Ok(resolver) => Arc::new(resolver),
        Err(why) => return lines.push(line("mx", Outcome::Warning, format!("unknown: {why}"))),
    };
    let authorities = authorities(None).map(Arc::new);
    let whole = Published {
        name: config.our_name(),
        domains: config.relay.domains.clone(),
        own: config.listener.iter().map(|listener| listener.address.ip()).collect(),
        listeners,
        web_authorities: authorities.clone().unwrap_or_else(|_| Arc::new(RootCertStore::empty())),
        authorities,
        web_port: 443,
        total: config.resolver.total.0,
        now: UnixTime::since_unix_epoch(Duration::from_secs(
            u64::try_from(SystemClock.now().as_second()).unwrap_or_default(),
        )),
    };
    lines.extend(whole.lines(dns).await);
}

/// What is compared, and by whom.
struct Published {
    name: String,
    domains: Vec<String>,
    /// Where we listen.
    own: Vec<IpAddr>,
    listeners: Vec<Shown>,
    /// What senders judge our certificates by.
    authorities: Result<Arc<RootCertStore>, String>,
    /// What hosts of policies are judged by.
    web_authorities: Arc<RootCertStore>,
    web_port: u16,
    /// For all lookups together.
    total: Duration,
    now: UnixTime,
}

impl Published {
    async fn lines(self, dns: Arc<dyn Dns>) -> Vec<Line> {
        let dns: Arc<dyn Dns> = Arc::new(Bounded::new(dns, over_after(self.total)));
        let web = Arc::new(Web {
            dns: Arc::clone(&dns),
            authorities: self.web_authorities,
            port: self.web_port,
            over: over_after(WEB_MOST),
        });
        let (facts, named) = tokio::join!(facts::gather(&dns, &web, &self.domains), dns.hosts(&self.name));
        let specific = self.own.into_iter().filter(|address| !address.is_unspecified());
        let gate = Gate {
            name: self.name.clone(),
            addresses: specific
                .chain(named.into_iter().flat_map(|answer| answer.records))
                .collect(),
            listeners: self.listeners,
            authorities: self.authorities,
            algorithms: rustls::crypto::ring::default_provider().signature_verification_algorithms,
            now: self.now,
            trusts_dns: dns.is_trusted(),
        };
        cutover::judge(&facts, &gate)
    }
}

/// Cancelled when so much time has passed.
fn over_after(span: Duration) -> CancellationToken {
    let over = CancellationToken::new();
    let ending = over.clone();
    tokio::spawn(async move {
        tokio::time::sleep(span).await;
        ending.cancel();
    });
    over
}

#[cfg(test)]
mod tests;
