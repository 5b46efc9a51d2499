//! Whom somebody may pose as: our own organisation, its people, partners and brands.
//!
//! Enters: domains, names and people as lists hold them, once a generation. Leaves: what stands behind a name or
//! a domain, at a moment. Everything is indexed beforehand. Knows nothing of messages, lists or rules.

use super::names::{People, Phrases, Roles};
use super::resemblance::{Likeness, Resemblance};
use super::{Expiry, Group};
use crate::mail::{Domain, Mailbox};
use jiff::Timestamp;
use std::sync::LazyLock;

/// An organisation and the names that it goes by.
#[derive(Debug, Clone)]
pub struct Organisation {
    /// As listed.
    pub name: String,
    /// Whose it is.
    pub group: Group,
    /// Where it writes from; empty for all domains of its group.
    pub sites: Vec<Domain>,
    /// When it is no longer listed.
    pub expires: Expiry,
}

/// A person of ours whom somebody may pose as.
#[derive(Debug, Clone, Default)]
pub struct Person {
    /// As listed.
    pub name: String,
    /// What the person is, such as `Chief Executive`; empty when nobody said.
    pub role: String,
    /// Addresses of the person's own, beside those at our own domains.
    pub addresses: Vec<String>,
    /// When the person is no longer listed.
    pub expires: Expiry,
}

/// Everybody whom a message may pose as.
#[derive(Debug, Default)]
pub struct Protected {
    domains: Resemblance,
    organisations: Vec<Organisation>,
    phrases: Phrases,
    people: Vec<Person>,
    names: People,
    roles: Roles,
}

static NOBODY: LazyLock<Protected> = LazyLock::new(Protected::default);

impl Protected {
    /// Domains by group, organisations and people. A brand's sites belong to the domains without being said.
    pub fn new(
        domains: impl IntoIterator<Item = (Group, Domain, Expiry)>,
        organisations: Vec<Organisation>,
        people: Vec<Person>,
    ) -> Self {
        let sites = organisations.iter().flat_map(|organisation| {
            let group = organisation.group;
            let each = organisation.sites.iter().cloned();
            each.map(move |site| (group, site, organisation.expires))
        });
        let domains = Resemblance::new(domains.into_iter().chain(sites));
        let (mut phrases, mut names, mut roles) = (Phrases::default(), People::default(), Roles::default());
        for (place, organisation) in (0..).zip(&organisations) {
            phrases.add(&organisation.name, place);
        }
        for (place, person) in (0..).zip(&people) {
            names.add(&person.name, place);
            roles.add(&person.role, place);
        }
        Self {
            domains,
            organisations,
            phrases,
            people,
            names,
            roles,
        }
    }

    /// Nobody at all, for those who look at a message without any rules.
    pub fn nobody() -> &'static Self {
        &NOBODY
    }

    /// What it takes in memory beside itself, in bytes.
    pub fn heap_bytes(&self) -> usize {
        let organisation = |one: &Organisation| size_of::<Organisation>() + one.name.len() + 48 * one.sites.len();
        let person = |one: &Person| {
            let addresses = one.addresses.iter().map(|address| size_of::<String>() + address.len());
            size_of::<Person>() + one.name.len() + one.role.len() + addresses.sum::<usize>()
        };
        self.domains.heap_bytes()
            + self.phrases.heap_bytes()
            + self.names.heap_bytes()
            + self.roles.heap_bytes()
            + self.organisations.iter().map(organisation).sum::<usize>()
            + self.people.iter().map(person).sum::<usize>()
    }

    /// The domain that another one resembles, and how; `None` of ours and of a partner's.
    pub fn likeness<'p>(&'p self, domain: &Domain, now: Timestamp) -> Option<(&'p Domain, Likeness)> {
        self.domains.of(domain, now)
    }

    /// Whether a domain is our own.
    pub(super) fn is_own(&self, domain: &Domain, now: Timestamp) -> bool {
        self.domains.is_listed(domain, Group::Organisation, now)
    }

    /// The organisation whose name some words hold, where their author writes from elsewhere.
    pub(super) fn claimed_organisation(&self, words: &[String], author: &Mailbox, now: Timestamp) -> Option<&str> {
        let found = self
            .phrases
            .within(words)
            .filter_map(|place| at(&self.organisations, place));
        let claimed = found.filter(|found| is_alive(found.expires, now) && !self.writes_for(author, found, now));
        claimed.min_by_key(|found| found.group).map(|found| found.name.as_str())
    }

    /// Our own people write for whom they like; so does a partner about another.
    fn writes_for(&self, author: &Mailbox, organisation: &Organisation, now: Timestamp) -> bool {
        let Some(domain) = &author.domain else { return false };
        let mut sites = organisation.sites.iter();
        sites.any(|site| domain.is_within(site.as_str()))
            || self.is_own(domain, now)
            || (organisation.sites.is_empty() && self.domains.is_listed(domain, organisation.group, now))
    }

    /// The person whose name some words hold, where their author writes from another address.
    pub(super) fn claimed_person(&self, words: &[String], author: &Mailbox, now: Timestamp) -> Option<&str> {
        let mut claimed = self.claimed(self.names.within(words), author, now);
        claimed.next().map(|person| person.name.as_str())
    }

    /// The role that some words are, likewise.
    pub(super) fn claimed_role(&self, words: &[String], author: &Mailbox, now: Timestamp) -> Option<&str> {
        let mut claimed = self.claimed(self.roles.of(words).iter().copied(), author, now);
        claimed.next().map(|person| person.role.as_str())
    }

    /// Of two people of one name the message may be the other's: then nobody is posed as.
    fn claimed<'p>(
        &'p self,
        places: impl Iterator<Item = u32>,
        author: &Mailbox,
        now: Timestamp,
    ) -> impl Iterator<Item = &'p Person> {
        let named = places.filter_map(|place| at(&self.people, place));
        let named: Vec<&Person> = named.filter(|person| is_alive(person.expires, now)).collect();
        let is_of = |person: &&Person| {
            let mut addresses = person.addresses.iter();
            addresses.any(|address| address.eq_ignore_ascii_case(&author.address))
        };
        let is_genuine =
            author.domain.as_ref().is_some_and(|domain| self.is_own(domain, now)) || named.iter().any(is_of);
        named.into_iter().filter(move |_| !is_genuine)
    }
}

fn at<T>(items: &[T], place: u32) -> Option<&T> {
    usize::try_from(place).ok().and_then(|place| items.get(place))
}

fn is_alive(expires: Expiry, now: Timestamp) -> bool {
    expires.is_none_or(|end| now < end)
}
