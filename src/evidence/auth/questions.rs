//! What DNS has to be asked about who vouches for a message, and what it said.
//!
//! Envelope and header section in, questions out, then answers. Bounded in number here, and in time by whom it asks.
//! Knows nothing of what an answer means for the message.

use super::dmarc::{self, Records};
use super::signature::{self, Keys};
use super::spf::{self, Spf};
use super::{arc, dkim};
use crate::evidence::Needs;
use crate::mail::{Domain, Mail, Message, message};
use crate::resolver::{Dns, Kind};
use futures_util::future::join_all;
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

/// Domains of authors that are judged; an honest message has one.
const AUTHORS_MAX: usize = 5;
/// Keys asked for: those of ten signatures and of a long chain.
const KEYS_MAX: usize = 30;

/// What DNS has to be asked about a message.
#[derive(Debug, Default)]
pub(in crate::evidence) struct Questions {
    spf: Option<SpfQuestion>,
    authors: Authors,
    keys: BTreeSet<String>,
    /// Domains whose DMARC records are needed.
    policies: BTreeSet<String>,
}

/// What SPF is to be asked about.
#[derive(Debug)]
struct SpfQuestion {
    client: Option<IpAddr>,
    identity: Identity,
    helo: String,
}

/// In whose name a message was sent.
#[derive(Debug)]
pub(super) struct Identity {
    local: String,
    /// As DNS has it, or as it came; empty when there is none.
    pub(super) domain: String,
    pub(super) is_helo: bool,
}

#[derive(Debug, Default, Clone)]
pub(super) struct Authors {
    pub(super) domains: Vec<Domain>,
    /// Some author's domain can't be one, or there are too many.
    pub(super) is_partial: bool,
}

/// What DNS said.
#[derive(Debug, Default)]
pub(in crate::evidence) struct Said {
    pub(super) spf: Option<Result<Spf, &'static str>>,
    pub(super) authors: Authors,
    pub(super) keys: Keys,
    pub(super) records: Records,
    /// Whether an author's domain is there, where its policy depends on that.
    pub(super) exist: HashMap<String, bool>,
}

impl Questions {
    /// What to ask, from the envelope and the header section.
    pub(in crate::evidence) fn of(mail: &Mail, needs: &Needs, limits: &message::Limits) -> Self {
        let mut questions = Self::default();
        if needs.spf() {
            questions.spf = Some(SpfQuestion {
                client: mail.client.address.map(|address| address.ip().to_canonical()),
                identity: Identity::of(mail),
                helo: mail.client.helo.clone(),
            });
        }
        let header = signature::header_section(&mail.bytes);
        let Some(header) = header.filter(|_| needs.dkim() || needs.dmarc || needs.arc) else {
            return questions;
        };
        questions.authors = Authors::of(&Message::parse(header, limits));
        let Some(read) = signature::read(header) else {
            return questions;
        };
        let authors = &questions.authors.domains;
        let signers = dkim::keys(&read, authors);
        let mut keys: Vec<String> = Vec::new();
        if needs.dkim() {
            keys.extend(signers.iter().map(|(key, _)| key.clone()));
        }
        if needs.arc {
            keys.extend(arc::keys(&read));
        }
        let mut distinct = BTreeSet::new();
        keys.retain(|key| distinct.insert(key.clone()));
        questions.keys = keys.into_iter().take(KEYS_MAX).collect();
        if needs.dmarc {
            let signers = signers.iter().filter_map(|(_, signer)| Domain::parse(signer));
            let vouchers = signers.chain(Identity::of(mail).parsed());
            questions.policies = policies(authors, vouchers);
        }
        questions
    }

    /// Asks everything at once. How long that may take is for `dns` to bound.
    pub(in crate::evidence) async fn ask(self, dns: &dyn Dns) -> Said {
        let spf = async {
            match &self.spf {
                Some(question) => Some(question.ask(dns).await),
                None => None,
            }
        };
        let keys = join_all(self.keys.into_iter().map(|name| async move {
            let texts = dns.texts(&name).await.map(|answer| answer.records);
            (name, texts)
        }));
        let policies = async {
            let records: Records = join_all(self.policies.into_iter().map(|domain| async move {
                let texts = dns.texts(&format!("_dmarc.{domain}")).await;
                (domain, texts.map(|answer| dmarc::Record::among(&answer.records)))
            }))
            .await
            .into_iter()
            .collect();
            let doubtful = self.authors.domains.iter();
            let doubtful = doubtful.filter(|author| dmarc::asks_existence(author, &records));
            let exist = join_all(doubtful.map(|author| async move {
                let there = dns.addresses(author.as_str(), Kind::A).await;
                there.ok().map(|answer| (author.as_str().to_owned(), answer.exists))
            }))
            .await;
            (records, exist.into_iter().flatten().collect())
        };
        let (spf, keys, (records, exist)) = tokio::join!(spf, keys, policies);
        Said {
            spf,
            authors: self.authors,
            keys: keys.into_iter().collect(),
            records,
            exist,
        }
    }
}

impl SpfQuestion {
    async fn ask(&self, dns: &dyn Dns) -> Result<Spf, &'static str> {
        let sender = spf::Sender {
            client: self.client.ok_or("no-client")?,
            helo: &self.helo,
            local: &self.identity.local,
            domain: &self.identity.domain,
        };
        match spf::check(dns, &sender).await {
            Spf::TempError(fault) => Err(fault.as_str()),
            result => Ok(result),
        }
    }
}

impl Identity {
    /// The reverse-path, or what the client calls itself where that is null (RFC 7208 §2.4).
    pub(super) fn of(mail: &Mail) -> Self {
        match &mail.envelope.reverse_path {
            Some(address) => Self {
                local: address.local_part().to_owned(),
                domain: ascii(address.domain_text().unwrap_or_default()),
                is_helo: false,
            },
            None => Self {
                local: String::new(),
                domain: ascii(&mail.client.helo),
                is_helo: true,
            },
        }
    }

    pub(super) fn parsed(&self) -> Option<Domain> {
        Domain::parse(&self.domain)
    }
}

/// As DNS has it, where it can be.
fn ascii(domain: &str) -> String {
    Domain::parse(domain).map_or_else(|| domain.to_owned(), |domain| domain.as_str().to_owned())
}

impl Authors {
    fn of(message: &Message<'_>) -> Self {
        let mut authors = Self::default();
        for author in message.authors() {
            match &author.domain {
                Some(domain) if authors.domains.contains(domain) => {}
                Some(domain) if authors.domains.len() < AUTHORS_MAX => authors.domains.push(domain.clone()),
                _ => authors.is_partial = true,
            }
        }
        authors
    }
}

/// The domains whose records may matter: those on the way up from each author, and from each who may vouch for one.
fn policies(authors: &[Domain], vouchers: impl Iterator<Item = Domain>) -> BTreeSet<String> {
    let mut domains: BTreeSet<String> = BTreeSet::new();
    for author in authors {
        domains.extend(dmarc::walk(author).into_iter().map(str::to_owned));
    }
    let may_vouch = |voucher: &Domain| {
        authors
            .iter()
            .any(|author| author != voucher && dmarc::share(author, voucher))
    };
    for voucher in vouchers.filter(may_vouch) {
        domains.extend(dmarc::walk(&voucher).into_iter().map(str::to_owned));
    }
    domains
}
