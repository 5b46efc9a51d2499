//! Whether a client may send in a domain's name (RFC 7208).
//!
//! Client and names in, a result out; DNS is asked on the way, within the standard's own limits, so that no
//! record can make us ask for long. Written here since the library that does the rest asks its own resolver,
//! counts no void lookups and takes the first of two records. Knows nothing of messages.

mod macros;
mod record;

use crate::resolver::{Answer, Dns, DnsFault, Kind};
use macros::{DomainSpec, Variables};
use record::{Directive, Mechanism, Prefix, Qualifier, Record, is_spf};
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;

/// Terms that may cause lookups (§4.6.4).
const LOOKUPS_MAX: u32 = 10;
/// Such lookups that lead nowhere (§4.6.4).
const VOIDS_MAX: u32 = 2;
/// Hosts of one `mx`, names of one client (§4.6.4).
const HOSTS_MAX: usize = 10;

/// What there is to say of a client (§2.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spf {
    /// It may.
    Pass,
    /// It may not.
    Fail,
    /// It probably may not.
    SoftFail,
    /// The domain says nothing of it.
    Neutral,
    /// The domain has no record, or is none.
    None,
    /// The domain's records can't be read or followed; why.
    PermError(&'static str),
    /// DNS could not be asked.
    TempError(DnsFault),
}

/// Who sent, and in whose name.
#[derive(Debug, Clone)]
pub struct Sender<'s> {
    /// The client.
    pub client: IpAddr,
    /// What it calls itself.
    pub helo: &'s str,
    /// The local part of the mailbox; empty when there is none.
    pub local: &'s str,
    /// The domain whose word counts.
    pub domain: &'s str,
}

impl Spf {
    /// The word of RFC 8601.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::SoftFail => "softfail",
            Self::Neutral => "neutral",
            Self::None => "none",
            Self::PermError(_) => "permerror",
            Self::TempError(_) => "temperror",
        }
    }
}

/// Asks (§4).
pub async fn check(dns: &dyn Dns, sender: &Sender<'_>) -> Spf {
    let domain = sender.domain.trim_end_matches('.');
    if !is_domain(domain) {
        return Spf::None;
    }
    let mut check = Check {
        dns,
        client: sender.client.to_canonical(),
        helo: sender.helo,
        local: if sender.local.is_empty() {
            "postmaster"
        } else {
            sender.local
        },
        sender: domain,
        lookups: 0,
        voids: 0,
        confirmed: None,
    };
    check.host(domain.to_owned()).await.unwrap_or_else(|end| end)
}

/// A multi-label name of labels that DNS can have (§4.3).
fn is_domain(name: &str) -> bool {
    name.len() <= 253
        && name.contains('.')
        && name.split('.').all(|label| (1..=63).contains(&label.len()))
        && !name.starts_with('[')
}

/// One evaluation: the counts are those of all records together.
struct Check<'c> {
    dns: &'c dyn Dns,
    client: IpAddr,
    helo: &'c str,
    local: &'c str,
    sender: &'c str,
    lookups: u32,
    voids: u32,
    confirmed: Option<Vec<String>>,
}

/// An error ends it all, wherever it is met.
type Outcome<T> = Result<T, Spf>;

impl Check<'_> {
    /// What the record of a domain says (`check_host()`, §4). It comes back to itself for `include` and `redirect`,
    /// at most as often as there may be lookups.
    fn host<'f>(&'f mut self, domain: String) -> Pin<Box<dyn Future<Output = Outcome<Spf>> + Send + 'f>> {
        Box::pin(async move {
            let Some(record) = self.record(&domain).await? else {
                return Ok(Spf::None);
            };
            for directive in &record.directives {
                if self.matches(directive, &domain).await? {
                    return Ok(match directive.qualifier {
                        Qualifier::Pass => Spf::Pass,
                        Qualifier::Fail => Spf::Fail,
                        Qualifier::SoftFail => Spf::SoftFail,
                        Qualifier::Neutral => Spf::Neutral,
                    });
                }
            }
            let Some(redirect) = &record.redirect else {
                return Ok(Spf::Neutral);
            };
            self.count()?;
            let target = self.expand(redirect, &domain).await;
            match self.host(target).await? {
                Spf::None => Err(Spf::PermError("redirect leads to no record")),
                other => Ok(other),
            }
        })
    }

    /// The one record of a domain (§4.4, §4.5).
    async fn record(&self, domain: &str) -> Outcome<Option<Record>> {
        let texts = match self.dns.texts(domain).await {
            Ok(answer) => answer.records,
            Err(DnsFault::NotAName) => return Ok(None),
            Err(fault) => return Err(Spf::TempError(fault)),
        };
        let mut records = texts.iter().filter(|text| is_spf(text));
        let Some(record) = records.next() else {
            return Ok(None);
        };
        if records.next().is_some() {
            return Err(Spf::PermError("more than one record"));
        }
        let record = Record::parse(record).ok_or(Spf::PermError("a syntax error in the record"))?;
        Ok(Some(record))
    }

    async fn matches(&mut self, directive: &Directive, domain: &str) -> Outcome<bool> {
        match &directive.mechanism {
            Mechanism::All => Ok(true),
            Mechanism::Network(address, prefix) => Ok(prefix.joins(*address, self.client)),
            Mechanism::Include(target) => {
                self.count()?;
                let target = self.expand(target, domain).await;
                match self.host(target).await? {
                    Spf::Pass => Ok(true),
                    Spf::None => Err(Spf::PermError("include leads to no record")),
                    _ => Ok(false),
                }
            }
            Mechanism::A(target, prefix) => {
                self.count()?;
                let host = self.target(target.as_ref(), domain).await;
                let addresses = self.addresses(&host).await?;
                self.void(addresses.is_empty())?;
                Ok(self.stands_among(&addresses, *prefix))
            }
            Mechanism::Mx(target, prefix) => self.is_exchanger(target.as_ref(), *prefix, domain).await,
            Mechanism::Ptr(target) => {
                self.count()?;
                let target = self.target(target.as_ref(), domain).await.to_ascii_lowercase();
                let names = self.confirmed_names().await;
                Ok(names.iter().any(|name| is_below(name, &target)))
            }
            Mechanism::Exists(target) => {
                self.count()?;
                let host = self.expand(target, domain).await;
                // An A record, whatever kind of address the client has (§5.7).
                let found = found(self.dns.addresses(&host, Kind::A).await)?;
                self.void(found.is_empty())?;
                Ok(!found.is_empty())
            }
        }
    }

    /// `mx` (§5.4).
    async fn is_exchanger(&mut self, target: Option<&DomainSpec>, prefix: Prefix, domain: &str) -> Outcome<bool> {
        self.count()?;
        let target = self.target(target, domain).await;
        let exchangers = found(self.dns.exchangers(&target).await)?;
        self.void(exchangers.is_empty())?;
        for (place, exchanger) in exchangers.iter().enumerate() {
            if place >= HOSTS_MAX {
                return Err(Spf::PermError("mx with more than 10 hosts"));
            }
            let addresses = self.addresses(&exchanger.host).await?;
            if self.stands_among(&addresses, prefix) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Names that the client goes by, and that lead back to it (§5.5). What can't be found out is no name.
    async fn confirmed_names(&mut self) -> Vec<String> {
        if let Some(names) = &self.confirmed {
            return names.clone();
        }
        let names = self
            .dns
            .names(self.client)
            .await
            .map_or_else(|_| Vec::new(), |answer| answer.records);
        let mut confirmed = Vec::new();
        for name in names.into_iter().take(HOSTS_MAX) {
            let addresses = self.dns.addresses(&name, Kind::of(self.client)).await;
            if addresses.is_ok_and(|answer| answer.records.contains(&self.client)) {
                confirmed.push(name);
            }
        }
        self.confirmed = Some(confirmed.clone());
        confirmed
    }

    async fn target(&mut self, target: Option<&DomainSpec>, domain: &str) -> String {
        match target {
            Some(spec) => self.expand(spec, domain).await,
            None => domain.to_owned(),
        }
    }

    async fn expand(&mut self, spec: &DomainSpec, domain: &str) -> String {
        let confirmed = match spec.names_client() {
            true => preferred(self.confirmed_names().await, domain),
            false => String::new(),
        };
        spec.expand(&Variables {
            client: self.client,
            helo: self.helo,
            local: self.local,
            domain: self.sender,
            current: domain,
            confirmed: &confirmed,
        })
    }

    async fn addresses(&self, host: &str) -> Outcome<Vec<IpAddr>> {
        found(self.dns.addresses(host, Kind::of(self.client)).await)
    }

    fn stands_among(&self, addresses: &[IpAddr], prefix: Prefix) -> bool {
        addresses.iter().any(|address| prefix.joins(*address, self.client))
    }

    fn count(&mut self) -> Outcome<()> {
        self.lookups += 1;
        match self.lookups <= LOOKUPS_MAX {
            true => Ok(()),
            false => Err(Spf::PermError("more than 10 terms with lookups")),
        }
    }

    fn void(&mut self, is_void: bool) -> Outcome<()> {
        self.voids += u32::from(is_void);
        match self.voids <= VOIDS_MAX {
            true => Ok(()),
            false => Err(Spf::PermError("more than 2 lookups that lead nowhere")),
        }
    }
}

/// A name that can't be one has no records (§4.8).
fn found<T>(answer: Result<Answer<T>, DnsFault>) -> Outcome<Vec<T>> {
    match answer {
        Ok(answer) => Ok(answer.records),
        Err(DnsFault::NotAName) => Ok(Vec::new()),
        Err(fault) => Err(Spf::TempError(fault)),
    }
}

/// Whether a name is this domain, or stands below it.
fn is_below(name: &str, domain: &str) -> bool {
    let rest = name.strip_suffix(domain);
    rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Of a client's names the domain's own, or one below it, or any (§7.3).
fn preferred(names: Vec<String>, domain: &str) -> String {
    let domain = domain.to_ascii_lowercase();
    let own = names.iter().find(|name| **name == domain);
    let below = own.or_else(|| names.iter().find(|name| is_below(name, &domain)));
    below
        .or(names.first())
        .map_or_else(|| "unknown".to_owned(), Clone::clone)
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod suite;
