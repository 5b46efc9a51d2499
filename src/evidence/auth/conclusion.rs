//! What is made of the answers about who vouches for a message.
//!
//! The message and what DNS said in, facts for rules, results for the header and a failure for policy out. Pure. Checks
//! signatures, which takes a while for a large message. Knows nothing of how DNS was asked.

use super::dmarc::{self, Finding, Standing, Vouch, Vouchers, Wish};
use super::questions::{Identity, Said};
use super::signature::{self, Verdict};
use super::spf::Spf;
use super::{Auth, DmarcFailure, MethodResult, arc, dkim, forwarded};
use crate::evidence::settings::Settings;
use crate::evidence::{Fact, NOT_GATHERED, Needs};
use crate::mail::{Domain, Mail};
use jiff::Timestamp;
use mail_auth::AuthenticatedMessage;

/// What is found of all this.
#[derive(Debug, Clone)]
pub(in crate::evidence) struct Conclusion {
    /// For rules.
    pub(in crate::evidence) auth: Auth,
    /// For the header.
    pub(in crate::evidence) results: Vec<MethodResult>,
    /// For policy; none where a trusted sealer vouches.
    pub(in crate::evidence) failure: Option<DmarcFailure>,
}

impl Said {
    /// Makes facts of what was said. Checks signatures, which takes a while for a large message.
    pub(in crate::evidence) fn conclude(
        &self,
        mail: &Mail,
        needs: &Needs,
        settings: &Settings,
        now: Timestamp,
    ) -> Conclusion {
        let mut conclusion = Conclusion {
            auth: Auth::unknown(NOT_GATHERED),
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

    fn arc(&mut self, message: Option<&AuthenticatedMessage<'_>>, said: &Said, settings: &Settings, now: u64) {
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
