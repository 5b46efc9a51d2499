//! DNS block lists: which of them list a client or a domain (RFC 5782).
//!
//! Addresses and domains in, listings out, with a note when some list could not say. An answer outside a list's map is an
//! error, never a listing; a list that errs again and again is dropped for a while, and tried again. Knows nothing of
//! what a listing weighs.

mod answers;
mod settings;

pub use settings::{ListSettings, Origin, Subject};

use super::Gathered;
use crate::mail::Domain;
use crate::resolver::{Dns, DnsFault, Kind, reversed};
use crate::telemetry::Telemetry;
use answers::Answers;
use futures_util::future::join_all;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Errors without an answer between them, after which a list is dropped.
const FAULTS_MAX: u32 = 10;
/// How long a list is then left alone.
const REST: Duration = Duration::from_secs(30 * 60);
/// Domains of one message that are asked about.
pub(super) const DOMAINS_MAX: usize = 20;

/// A domain that a list has.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Listing {
    /// The list's name.
    pub list: String,
    /// What its answer means.
    pub meaning: String,
    /// The domain.
    pub domain: Domain,
    /// Where it stands.
    pub origin: Origin,
}

/// Every list of the settings.
#[derive(Debug, Default)]
pub struct Lists(Vec<List>);

#[derive(Debug)]
struct List {
    name: String,
    zone: String,
    of: Subject,
    origins: Vec<Origin>,
    answers: Answers,
    telemetry: Telemetry,
    standing: Mutex<Standing>,
}

/// How a list has done lately.
#[derive(Debug, Default)]
struct Standing {
    faults: u32,
    dropped: Option<Dropped>,
}

#[derive(Debug)]
struct Dropped {
    until: Instant,
    why: String,
}

/// What a list says of a name: the meanings of its answers, or why it says nothing.
type Said = Result<BTreeSet<String>, &'static str>;

/// What a list's answers say: a new one of its own must not undo those that are known.
#[derive(Debug, Default)]
struct Words {
    meanings: BTreeSet<String>,
    /// What is wrong with some answer.
    error: Option<String>,
}

impl Words {
    /// The meanings; where there is nothing but an error, that.
    fn taken(self) -> Result<BTreeSet<String>, String> {
        match self.error {
            Some(why) if self.meanings.is_empty() => Err(why),
            _ => Ok(self.meanings),
        }
    }
}

impl Lists {
    /// Checks settings.
    ///
    /// # Errors
    /// Of the first list that can't be used: its place, the setting, and why.
    pub fn new(settings: &[ListSettings], telemetry: &Telemetry) -> Result<Self, (usize, &'static str, String)> {
        let mut lists = Vec::new();
        for (place, settings) in settings.iter().enumerate() {
            let zone = Domain::parse(settings.zone.trim_matches('.'));
            let zone = zone.filter(|zone| zone.as_str().contains('.') && !zone.is_ip());
            let zone = zone.ok_or_else(|| (place, "zone", format!("{:?} is no zone of DNS", settings.zone)))?;
            let answers = Answers::parse(&settings.answers).map_err(|why| (place, "answers", why))?;
            lists.push(List {
                name: settings.name.clone(),
                zone: zone.as_str().to_owned(),
                of: settings.of,
                origins: settings.origins.clone(),
                answers,
                telemetry: telemetry.clone(),
                standing: Mutex::default(),
            });
        }
        Ok(Self(lists))
    }

    /// Whether some list is asked about domains that stand there.
    pub fn asks(&self, origin: Origin) -> bool {
        self.of(Subject::Domains).any(|list| list.origins.contains(&origin))
    }

    /// Lists that are left alone for now, each with why.
    pub fn dropped(&self) -> Vec<String> {
        let dropped = self.0.iter().filter_map(|list| {
            let standing = list.standing();
            standing
                .dropped
                .as_ref()
                .map(|dropped| format!("{}: {}", list.name, dropped.why))
        });
        dropped.collect()
    }

    /// Asks each list for the two entries that tell whether it works (RFC 5782 §5): one that every list has, and one that
    /// none has.
    pub async fn try_out(&self, dns: &dyn Dns) -> Vec<(String, Result<(), String>)> {
        let tried = self.0.iter().map(|list| async move {
            let [present, missing] = match list.of {
                Subject::Addresses => ["127.0.0.2", "127.0.0.1"],
                Subject::Domains => ["test", "invalid"],
            };
            let entry = |name: &str| name.parse().map_or_else(|_| name.to_owned(), reversed);
            let ask = async |name: &str| match list.said(dns, &entry(name)).await {
                Ok(said) => said.taken(),
                Err(fault) => Err(fault.to_string()),
            };
            let said = match (ask(present).await, ask(missing).await) {
                (Err(why), _) | (_, Err(why)) => Err(why),
                (Ok(said), _) if said.is_empty() => Err(format!("it does not list {present}, as every list should")),
                (_, Ok(said)) if !said.is_empty() => Err(format!("it lists {missing}, and so everybody")),
                _ => Ok(()),
            };
            (list.name.clone(), said)
        });
        join_all(tried).await
    }

    fn of(&self, subject: Subject) -> impl Iterator<Item = &List> {
        self.0.iter().filter(move |list| list.of == subject)
    }

    /// The lists that have a client, each by its name and by its name and meaning: `sink`, `sink/spam`.
    pub(super) async fn client(&self, dns: &dyn Dns, client: IpAddr) -> Gathered<String> {
        let mut gathered = Gathered::default();
        // Nobody else knows a private address.
        if !is_public(client) {
            return gathered;
        }
        let name = reversed(client);
        let lists: Vec<&List> = self.of(Subject::Addresses).collect();
        let said = join_all(lists.iter().map(|list| list.ask(dns, &name))).await;
        for (list, said) in lists.into_iter().zip(said) {
            match said {
                Ok(meanings) if meanings.is_empty() => {}
                Ok(meanings) => {
                    gathered.found.push(list.name.clone());
                    gathered
                        .found
                        .extend(meanings.iter().map(|meaning| format!("{}/{meaning}", list.name)));
                }
                Err(cause) => gathered.cut = Some(cause),
            }
        }
        gathered
    }

    /// The listings of domains. Asked about are their registrable domains, each once.
    pub(super) async fn domains(&self, dns: &dyn Dns, names: &Names) -> Gathered<Listing> {
        let mut gathered = Gathered {
            found: Vec::new(),
            cut: names.is_cut.then_some("limit"),
        };
        let mut asked: BTreeSet<(usize, &str)> = BTreeSet::new();
        let lists: Vec<&List> = self.of(Subject::Domains).collect();
        for (origin, domain) in &names.domains {
            let asking = lists
                .iter()
                .enumerate()
                .filter(|(_, list)| list.origins.contains(origin));
            asked.extend(asking.map(|(place, _)| (place, domain.as_str())));
        }
        let said = join_all(asked.iter().map(|&(place, domain)| {
            let list = lists.get(place).copied();
            async move {
                let said = match list {
                    Some(list) => list.ask(dns, domain).await,
                    None => Ok(BTreeSet::new()),
                };
                (list, domain, said)
            }
        }))
        .await;
        for (list, domain, said) in said {
            let (list, meanings) = match (list, said) {
                (Some(list), Ok(meanings)) => (list, meanings),
                (_, Err(cause)) => {
                    gathered.cut = Some(cause);
                    continue;
                }
                (None, _) => continue,
            };
            let Some(listed) = Domain::parse(domain) else { continue };
            let places = names.domains.iter().filter(|(_, other)| other == domain);
            for (origin, _) in places.filter(|(origin, _)| list.origins.contains(origin)) {
                gathered.found.extend(meanings.iter().map(|meaning| Listing {
                    list: list.name.clone(),
                    meaning: meaning.clone(),
                    domain: listed.clone(),
                    origin: *origin,
                }));
            }
        }
        gathered
    }
}

/// The domains of a message, by where they stand.
#[derive(Debug, Default)]
pub(super) struct Names {
    domains: BTreeSet<(Origin, String)>,
    is_cut: bool,
}

impl Names {
    /// Adds one, as far as it is one that somebody owns and there is room.
    pub(super) fn add(&mut self, origin: Origin, domain: &Domain) {
        let Some(site) = domain.site().map(str::to_owned) else {
            return;
        };
        let is_new = !self.domains.iter().any(|(_, other)| *other == site);
        let distinct: BTreeSet<&str> = self.domains.iter().map(|(_, domain)| domain.as_str()).collect();
        if is_new && distinct.len() >= DOMAINS_MAX {
            self.is_cut = true;
        } else {
            self.domains.insert((origin, site));
        }
    }
}

impl List {
    fn standing(&self) -> std::sync::MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(&self, dns: &dyn Dns, name: &str) -> Said {
        let now = Instant::now();
        if self
            .standing()
            .dropped
            .as_ref()
            .is_some_and(|dropped| dropped.until > now)
        {
            return Err("dropped");
        }
        match self.said(dns, name).await {
            Ok(said) => {
                match &said.error {
                    Some(why) => self.erred(why),
                    None => self.answered(),
                }
                said.taken().map_err(|_| "failed")
            }
            // No fault of this list's.
            Err(DnsFault::Down) => Err(DnsFault::Down.as_str()),
            Err(fault) => {
                self.erred(&fault.to_string());
                Err(fault.as_str())
            }
        }
    }

    async fn said(&self, dns: &dyn Dns, name: &str) -> Result<Words, DnsFault> {
        let answer = dns.addresses(&format!("{name}.{}", self.zone), Kind::A).await;
        let answers = match answer {
            Ok(answer) => answer.records,
            // A name too long to be listed.
            Err(DnsFault::NotAName) => Vec::new(),
            Err(fault) => return Err(fault),
        };
        let mut said = Words::default();
        for answer in answers {
            let IpAddr::V4(answer) = answer else { continue };
            let meanings = self.answers.meanings(answer);
            if meanings.is_empty() {
                said.error = Some(meaning_of(answer));
            }
            said.meanings.extend(meanings.into_iter().map(str::to_owned));
        }
        Ok(said)
    }

    fn erred(&self, why: &str) {
        self.telemetry.dns_list_error(&self.name);
        let now = Instant::now();
        let mut standing = self.standing();
        standing.faults += 1;
        // One that was dropped is on trial.
        if standing.faults < FAULTS_MAX && standing.dropped.is_none() {
            return;
        }
        let is_news = standing.dropped.is_none();
        standing.faults = 0;
        standing.dropped = Some(Dropped {
            until: now + REST,
            why: why.to_owned(),
        });
        drop(standing);
        if is_news {
            self.telemetry.dns_list_dropped(&self.name, Some(why));
        }
    }

    fn answered(&self) {
        let was_dropped = {
            let mut standing = self.standing();
            standing.faults = 0;
            standing.dropped.take().is_some()
        };
        if was_dropped {
            self.telemetry.dns_list_dropped(&self.name, None);
        }
    }
}

/// What an answer outside the map tells, as far as lists agree on it.
fn meaning_of(answer: Ipv4Addr) -> String {
    match answer.octets() {
        [127, 255, 255, last] => format!(
            "it answers 127.255.255.{last}: it refuses our questions (asked too often, through a public resolver, or \
             without leave)"
        ),
        [127, ..] => format!("it answers {answer}, which [[dns_list]] answers gives no meaning"),
        _ => format!("it answers {answer}, which is no answer of a block list: the zone may be gone"),
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let is_shared = matches!(v4.octets(), [100, second, ..] if second & 0xc0 == 64);
            !(v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified() || is_shared)
        }
        IpAddr::V6(v6) => {
            !(v6.is_loopback() || v6.is_unspecified() || v6.is_unique_local() || v6.is_unicast_link_local())
        }
    }
}

#[cfg(test)]
mod tests;
