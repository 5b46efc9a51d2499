//! Who vouches for a message: SPF, DKIM, DMARC and ARC.
//!
//! [`Questions`] tells from envelope and header what DNS has to be asked, [`Said`] holds the answers, and
//! [`Said::conclude`] makes facts of both: only asking waits, the rest is pure. What could not be checked is unknown
//! with its cause; a broken record is a result like any other. Knows nothing of rules and policy.

mod arc;
mod dkim;
mod dmarc;
mod forwarded;
mod signature;
mod spf;

pub use dmarc::Wish;
use spf::Spf;

use super::needs::Needs;
use super::{Fact, settings};
use crate::mail::{Domain, Mail, Message, message};
use crate::resolver::{Dns, Kind};
use dmarc::{Finding, Records, Standing, Vouch, Vouchers};
use futures_util::future::join_all;
use jiff::Timestamp;
use mail_auth::AuthenticatedMessage;
use signature::{Keys, Verdict};
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

/// Domains of authors that are judged; an honest message has one.
const AUTHORS_MAX: usize = 5;
/// Keys asked for: those of ten signatures and of a long chain.
const KEYS_MAX: usize = 30;

/// Authentication results, each an RFC 8601 word. `temperror` is none of them: what could not be checked is unknown.
#[derive(Debug, Clone)]
pub struct Auth {
    /// `pass`, `fail`, `softfail`, `neutral`, `none`, `permerror`.
    pub spf: Fact<String>,
    /// The best result of any signature.
    pub dkim: Fact<String>,
    /// Domains of passing signatures.
    pub dkim_domains: Fact<Vec<String>>,
    /// The DMARC result: of several authors the worst.
    pub dmarc: Fact<String>,
    /// The policy that the author's domain publishes.
    pub dmarc_policy: Fact<String>,
    /// Whether the domain only tries its policy out.
    pub dmarc_testing: Fact<bool>,
    /// Whether SPF or DKIM aligns with the author's domain.
    pub aligned: Fact<bool>,
    /// The ARC chain.
    pub arc: Fact<String>,
    /// Who sealed it, the newest first.
    pub arc_sealers: Fact<Vec<String>>,
    /// Whether a trusted sealer says that the message passed DMARC when it got there.
    pub arc_vouched: Fact<bool>,
}

impl Auth {
    /// Nothing of it is known, for this reason.
    pub fn unknown(cause: &'static str) -> Self {
        Self::each(Fact::Unknown(cause), Fact::Unknown(cause), Fact::Unknown(cause))
    }

    /// Nobody was to look.
    pub fn absent() -> Self {
        Self::each(Fact::Absent, Fact::Absent, Fact::Absent)
    }

    /// A stranger's: nobody vouches and nobody says that anybody should.
    pub fn stranger() -> Self {
        Self::each(
            Fact::Known("none".to_owned()),
            Fact::Known(Vec::new()),
            Fact::Known(false),
        )
    }

    fn each(word: Fact<String>, names: Fact<Vec<String>>, truth: Fact<bool>) -> Self {
        Self {
            spf: word.clone(),
            dkim: word.clone(),
            dkim_domains: names.clone(),
            dmarc: word.clone(),
            dmarc_policy: word.clone(),
            dmarc_testing: truth.clone(),
            aligned: truth.clone(),
            arc: word,
            arc_sealers: names,
            arc_vouched: truth,
        }
    }
}

/// One result as Authentication-Results tells it (RFC 8601 §2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MethodResult {
    /// `spf`, `dkim`, `dmarc`, `arc`, `iprev`.
    pub method: &'static str,
    /// The word.
    pub result: &'static str,
    /// Why, in words; empty when there is nothing to add.
    pub reason: &'static str,
    /// What it is about: property and value, which may be an attacker's.
    pub properties: Vec<(&'static str, String)>,
}

/// A message that fails the policy of its author's domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DmarcFailure {
    /// The author's domain.
    pub domain: String,
    /// What it wants done, after what it says of tests.
    pub wish: Wish,
}

/// What is found of all this.
#[derive(Debug, Clone)]
pub(super) struct Conclusion {
    /// For rules.
    pub(super) auth: Auth,
    /// For the header.
    pub(super) results: Vec<MethodResult>,
    /// For policy; none where a trusted sealer vouches.
    pub(super) failure: Option<DmarcFailure>,
}

/// What DNS has to be asked about a message.
#[derive(Debug, Default)]
pub(super) struct Questions {
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
struct Identity {
    local: String,
    /// As it came; empty when there is none.
    domain: String,
    is_helo: bool,
}

#[derive(Debug, Default, Clone)]
struct Authors {
    domains: Vec<Domain>,
    /// Some author's domain can't be one, or there are too many.
    is_partial: bool,
}

/// What DNS said.
#[derive(Debug, Default)]
pub(super) struct Said {
    spf: Option<Result<Spf, &'static str>>,
    authors: Authors,
    keys: Keys,
    records: Records,
    /// Whether an author's domain is there, where its policy depends on that.
    exist: HashMap<String, bool>,
}

impl Questions {
    /// What to ask, from the envelope and the header section.
    pub(super) fn of(mail: &Mail, needs: &Needs, limits: &message::Limits) -> Self {
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
    pub(super) async fn ask(self, dns: &dyn Dns) -> Said {
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
    fn of(mail: &Mail) -> Self {
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

    fn parsed(&self) -> Option<Domain> {
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

impl Said {
    /// Makes facts of what was said. Checks signatures, which takes a while for a large message.
    pub(super) fn conclude(
        &self,
        mail: &Mail,
        needs: &Needs,
        settings: &settings::Settings,
        now: Timestamp,
    ) -> Conclusion {
        let mut conclusion = Conclusion {
            auth: Auth::unknown(super::NOT_GATHERED),
            results: Vec::new(),
            failure: None,
        };
        let identity = Identity::of(mail);
        if let Some(spf) = &self.spf {
            conclusion.spf(spf, &identity);
        }
        let unix = u64::try_from(now.as_second()).unwrap_or_default();
        let read = signature::header_section(&mail.bytes).and_then(|_| signature::read(&mail.bytes));
        let signers = match &read {
            _ if !needs.dkim() => Signers::default(),
            Some(read) => Signers::of(read, self, unix),
            None => Signers {
                unknown: Some("limit"),
                ..Signers::default()
            },
        };
        if needs.dkim() {
            conclusion.dkim(&signers);
        }
        let findings = match needs.dmarc {
            true => self.findings(&identity, &signers),
            false => Vec::new(),
        };
        if needs.dmarc {
            conclusion.dmarc(&findings, self.authors.is_partial, read.is_none());
        }
        if needs.arc {
            conclusion.arc(read.as_ref(), self, settings, unix);
        }
        if conclusion.auth.arc_vouched == Fact::Known(true) {
            conclusion.failure = None;
        }
        conclusion
    }

    /// How the message stands with each of its authors' domains.
    fn findings(&self, identity: &Identity, signers: &Signers) -> Vec<(Domain, Finding)> {
        let spf = match &self.spf {
            Some(Ok(Spf::Pass)) => Some(Vouch::Pass),
            Some(Err(cause)) => Some(Vouch::Unknown(cause)),
            _ => None,
        };
        let vouchers = Vouchers {
            spf: identity.parsed().zip(spf),
            dkim: signers.vouchers.clone(),
        };
        let authors = self.authors.domains.iter();
        let found = authors.map(|author| {
            let exists = self.exist.get(author.as_str()).copied();
            (author.clone(), dmarc::check(author, &vouchers, &self.records, exists))
        });
        found.collect()
    }
}

/// What the signatures of a message say together.
#[derive(Debug, Default)]
struct Signers {
    signed: Vec<dkim::Signed>,
    vouchers: Vec<(Domain, Vouch)>,
    /// Why some signature could not be checked.
    unknown: Option<&'static str>,
}

impl Signers {
    fn of(message: &AuthenticatedMessage<'_>, said: &Said, now: u64) -> Self {
        let (signed, is_cut) = dkim::check(message, &said.authors.domains, &said.keys, now);
        let mut signers = Self {
            unknown: is_cut.then_some("limit"),
            ..Self::default()
        };
        for one in &signed {
            let vouch = match &one.verdict {
                Verdict::Pass => Vouch::Pass,
                Verdict::TempError(cause) => {
                    signers.unknown = Some(cause);
                    Vouch::Unknown(cause)
                }
                _ => continue,
            };
            signers
                .vouchers
                .extend(Domain::parse(&one.domain).map(|domain| (domain, vouch)));
        }
        signers.signed = signed;
        signers
    }

    /// The best of them; a pass counts whatever else could not be checked.
    fn best(&self) -> Fact<String> {
        let rank = |verdict: &Verdict| match verdict {
            Verdict::Pass => 5,
            Verdict::Fail(_) => 4,
            Verdict::Policy(_) => 3,
            Verdict::PermError(_) => 2,
            Verdict::Neutral(_) => 1,
            Verdict::TempError(_) => 0,
        };
        let best = self
            .signed
            .iter()
            .map(|one| &one.verdict)
            .max_by_key(|verdict| rank(verdict));
        match (best, self.unknown) {
            (Some(Verdict::Pass), _) => Fact::Known("pass".to_owned()),
            (_, Some(cause)) => Fact::Unknown(cause),
            (Some(verdict), None) => Fact::Known(verdict.as_str().to_owned()),
            (None, None) => Fact::Known("none".to_owned()),
        }
    }
}

impl Conclusion {
    fn spf(&mut self, spf: &Result<Spf, &'static str>, identity: &Identity) {
        self.auth.spf = match spf {
            Ok(result) => Fact::Known(result.as_str().to_owned()),
            Err(cause) => Fact::Unknown(cause),
        };
        let property = match identity.is_helo {
            true => "smtp.helo",
            false => "smtp.mailfrom",
        };
        self.results.push(MethodResult {
            method: "spf",
            result: spf.as_ref().map_or("temperror", Spf::as_str),
            reason: match spf {
                Ok(Spf::PermError(why)) => why,
                Ok(_) => "",
                Err(cause) => cause,
            },
            properties: vec![(property, identity.domain.clone())],
        });
    }

    fn dkim(&mut self, signers: &Signers) {
        self.auth.dkim = signers.best();
        let passed = signers.vouchers.iter().filter(|(_, vouch)| *vouch == Vouch::Pass);
        let domains: Vec<String> = passed.map(|(domain, _)| domain.as_str().to_owned()).collect();
        // One that is not there yet may be there once DNS answers.
        self.auth.dkim_domains = match signers.unknown {
            Some(cause) if domains.is_empty() => Fact::Unknown(cause),
            _ => Fact::Known(domains),
        };
        let told = signers.signed.iter().map(|one| MethodResult {
            method: "dkim",
            result: one.verdict.as_str(),
            reason: one.verdict.reason(),
            properties: match one.domain.is_empty() {
                true => Vec::new(),
                false => vec![
                    ("header.d", one.domain.clone()),
                    ("header.s", one.selector.clone()),
                    ("header.b", one.begins.clone()),
                ],
            },
        });
        self.results.extend(told);
        if signers.signed.is_empty() {
            self.results.push(MethodResult {
                method: "dkim",
                result: if signers.unknown.is_some() { "temperror" } else { "none" },
                reason: signers.unknown.unwrap_or_default(),
                properties: Vec::new(),
            });
        }
    }

    /// Of several authors the worst counts: a reader may be shown any of them.
    fn dmarc(&mut self, findings: &[(Domain, Finding)], is_partial: bool, is_unread: bool) {
        let rank = |standing: Standing| match standing {
            Standing::Fail => 3,
            Standing::Unknown(_) => 2,
            Standing::None => 1,
            Standing::Pass => 0,
        };
        let worst = findings
            .iter()
            .max_by_key(|(_, finding)| (rank(finding.standing), finding.wish));
        let outcome = match worst.map(|(_, finding)| finding.standing) {
            _ if is_unread => Err("limit"),
            Some(Standing::Unknown(cause)) => Err(cause),
            Some(Standing::Fail) => Ok("fail"),
            // Somebody is named besides whose policy can't hold: nobody knows what a reader is shown.
            _ if is_partial => Ok("permerror"),
            Some(Standing::Pass) => Ok("pass"),
            Some(Standing::None) => Ok("none"),
            None => Ok("permerror"),
        };
        let finding = worst.map(|(_, finding)| *finding);
        let wish = finding.map_or(Wish::None, |finding| finding.wish);
        match outcome {
            Err(cause) => {
                self.auth.dmarc = Fact::Unknown(cause);
                self.auth.aligned = Fact::Unknown(cause);
                self.auth.dmarc_policy = Fact::Unknown(cause);
                self.auth.dmarc_testing = Fact::Unknown(cause);
            }
            Ok(word) => {
                let is_aligned = !is_partial && !findings.is_empty();
                let is_aligned = is_aligned && findings.iter().all(|(_, finding)| finding.is_aligned);
                self.auth.dmarc = Fact::Known(word.to_owned());
                self.auth.aligned = Fact::Known(is_aligned);
                self.auth.dmarc_policy = Fact::Known(wish.as_str().to_owned());
                self.auth.dmarc_testing = Fact::Known(finding.is_some_and(|finding| finding.is_test));
            }
        }
        let domain = worst.map(|(domain, _)| domain.as_str().to_owned());
        self.results.push(MethodResult {
            method: "dmarc",
            result: outcome.unwrap_or("temperror"),
            reason: outcome.err().unwrap_or_default(),
            properties: domain.iter().map(|domain| ("header.from", domain.clone())).collect(),
        });
        self.failure = domain
            .zip(finding)
            .filter(|_| outcome == Ok("fail"))
            .map(|(domain, finding)| DmarcFailure {
                domain,
                wish: finding.effective(),
            });
    }

    fn arc(
        &mut self,
        message: Option<&AuthenticatedMessage<'_>>,
        said: &Said,
        settings: &settings::Settings,
        now: u64,
    ) {
        let Some(message) = message else {
            self.auth.arc = Fact::Unknown("limit");
            self.auth.arc_sealers = Fact::Unknown("limit");
            self.auth.arc_vouched = Fact::Unknown("limit");
            return;
        };
        let chain = arc::check(message, &said.keys, now);
        let verdict = chain.as_ref().map(|chain| &chain.verdict);
        let sealers = chain.iter().flat_map(|chain| &chain.links).rev();
        let sealers: Vec<String> = sealers.map(|link| link.sealer.clone()).collect();
        let result = match verdict {
            Some(Verdict::Pass) => "pass",
            Some(Verdict::TempError(_)) => "temperror",
            Some(_) => "fail",
            None => "none",
        };
        (self.auth.arc, self.auth.arc_sealers, self.auth.arc_vouched) = match verdict {
            Some(Verdict::TempError(cause)) => (Fact::Unknown(cause), Fact::Unknown(cause), Fact::Unknown(cause)),
            _ => {
                let vouched = chain.as_ref().is_some_and(|chain| {
                    forwarded::vouched(
                        chain,
                        &settings.trusted_sealers,
                        &said.authors.domains,
                        said.authors.is_partial,
                    )
                });
                // Who is named in a chain that doesn't hold is anybody's guess.
                let sealers = if result == "pass" { sealers } else { Vec::new() };
                (
                    Fact::Known(result.to_owned()),
                    Fact::Known(sealers),
                    Fact::Known(vouched),
                )
            }
        };
        self.results.push(MethodResult {
            method: "arc",
            result,
            reason: verdict.map_or("", Verdict::reason),
            properties: Vec::new(),
        });
    }
}

#[cfg(test)]
pub(crate) mod tests;
