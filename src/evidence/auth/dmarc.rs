//! DMARC: what the author's own domain wants done with mail that nobody of it vouches for (RFC 9989).
//!
//! Enters: what DNS said of policy records, and which domains vouch. Leaves: whether one is aligned with the author's,
//! and the policy that holds. Organisational domains are found by the standard's walk up the names, with the
//! public suffix list as a floor: a record at `gov.uk` must not make one organisation of all below it. Knows
//! nothing of what is done about it.

use crate::mail::Domain;
use crate::resolver::DnsFault;
use std::collections::HashMap;

/// Labels from which a walk goes on after the first name (§4.10).
const LABELS_MAX: usize = 8;

/// What a domain wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wish {
    /// Nothing.
    None,
    /// To be suspicious.
    Quarantine,
    /// To refuse it.
    Reject,
}

impl Wish {
    /// The word in records and rules.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::None, Self::Quarantine, Self::Reject]
            .into_iter()
            .find(|wish| text.eq_ignore_ascii_case(wish.as_str()))
    }
}

/// A policy record (§4.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record {
    own: Wish,
    below: Wish,
    below_missing: Wish,
    strict_dkim: bool,
    strict_spf: bool,
    is_test: bool,
    /// What the record says of itself: whether it stands at a public suffix.
    is_public: Option<bool>,
}

/// What DNS said, by the name of the domain.
pub(super) type Records = HashMap<String, Result<Option<Record>, DnsFault>>;

/// Whether there may be another answer once DNS answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Vouch {
    Pass,
    /// It could not be checked; the cause.
    Unknown(&'static str),
}

/// Who vouches for a message.
#[derive(Debug, Default)]
pub(super) struct Vouchers {
    /// The domain that SPF was about.
    pub(super) spf: Option<(Domain, Vouch)>,
    /// Signers.
    pub(super) dkim: Vec<(Domain, Vouch)>,
}

impl Vouchers {
    /// Whether one of the author's own site vouches: what there is to go by without a record.
    fn pass_for_site(&self, author: &Domain) -> bool {
        let mut passed = self
            .spf
            .iter()
            .chain(&self.dkim)
            .filter(|(_, vouch)| *vouch == Vouch::Pass);
        passed.any(|(domain, _)| domain == author || (author.site().is_some() && domain.site() == author.site()))
    }
}

/// How a message stands with its author's domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Pass,
    Fail,
    /// The domain has no record.
    None,
    /// It could not be found out; the cause.
    Unknown(&'static str),
}

/// What there is to say of one author.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) standing: Standing,
    /// What the domain wants.
    pub(super) wish: Wish,
    /// It only tries that out.
    pub(super) is_test: bool,
    /// Whether somebody of the domain vouches, policy or no policy.
    pub(super) is_aligned: bool,
}

impl Finding {
    const fn without_policy(standing: Standing, is_aligned: bool) -> Self {
        Self {
            standing,
            wish: Wish::None,
            is_test: false,
            is_aligned,
        }
    }

    /// What is to be done: a domain that tries its policy out wants a step less (§4.7).
    pub(super) const fn effective(&self) -> Wish {
        match (self.wish, self.is_test) {
            (wish, false) => wish,
            (Wish::Reject, true) => Wish::Quarantine,
            (Wish::Quarantine | Wish::None, true) => Wish::None,
        }
    }
}

impl Record {
    /// Reads a record; `None` for what is none of DMARC's, and for one that says nothing that could be followed.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let mut tags = text.split(';').filter_map(|tag| tag.split_once('='));
        let tags = tags.by_ref().map(|(name, value)| (name.trim(), value.trim()));
        let tags: Vec<(&str, &str)> = tags.collect();
        // The version comes first, and in this spelling.
        tags.first().filter(|first| **first == ("v", "DMARC1"))?;
        let tag = |wanted: &str| {
            tags.iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
                .map(|(_, value)| *value)
        };
        let is = |wanted: &str, value: &str| tag(wanted).is_some_and(|found| found.eq_ignore_ascii_case(value));
        let wish = |wanted: &str| tag(wanted).map(Wish::parse);
        let wants_reports = tag("rua").is_some_and(|uris| uris.to_ascii_lowercase().contains("mailto:"));
        let (own, below, below_missing) = match (wish("p"), wish("sp"), wish("np")) {
            (Some(Some(own)), below, missing) if below != Some(None) && missing != Some(None) => {
                let below = below.flatten().unwrap_or(own);
                (own, below, missing.flatten().unwrap_or(below))
            }
            // A domain that gets its policy wrong, and wants reports of it, wants nothing done.
            _ if wants_reports => (Wish::None, Wish::None, Wish::None),
            _ => return None,
        };
        Some(Self {
            own,
            below,
            below_missing,
            strict_dkim: is("adkim", "s"),
            strict_spf: is("aspf", "s"),
            is_test: is("t", "y"),
            is_public: match tag("psd") {
                Some("y" | "Y") => Some(true),
                Some("n" | "N") => Some(false),
                _ => None,
            },
        })
    }

    /// The one record among the texts of a name; with several there is none (§4.7).
    pub(super) fn among(texts: &[Vec<u8>]) -> Option<Self> {
        let mut records = texts.iter().filter(|text| {
            let first = text.split(|byte| *byte == b';').next().unwrap_or_default();
            let mut parts = first.splitn(2, |byte| *byte == b'=');
            let mut part = || parts.next().unwrap_or_default().trim_ascii();
            part() == b"v" && part() == b"DMARC1"
        });
        let record = records.next()?;
        records.next().is_none().then(|| Self::parse(record)).flatten()
    }
}

/// The domains whose records a walk from here may need, this one first.
pub(super) fn walk(domain: &Domain) -> Vec<&str> {
    let name = domain.as_str();
    let labels = name.split('.').count();
    if labels < 2 || domain.is_ip() {
        return Vec::new();
    }
    let mut names = vec![name];
    let mut rest = name;
    for left in (1..labels).rev() {
        rest = rest.split_once('.').map_or("", |(_, rest)| rest);
        if left < LABELS_MAX {
            names.push(rest);
        }
    }
    names
}

/// Whether two domains may belong to one organisation: they have more in common than a top level.
pub(super) fn share(one: &Domain, other: &Domain) -> bool {
    let (mut one, mut other) = (one.as_str().rsplit('.'), other.as_str().rsplit('.'));
    let mut same = || one.next().is_some_and(|label| other.next() == Some(label));
    same() && same()
}

/// The records on a walk, from the domain upwards.
fn found<'d>(domain: &'d Domain, records: &Records) -> Result<Vec<(&'d str, Record)>, &'static str> {
    let mut found = Vec::new();
    for name in walk(domain) {
        match records.get(name) {
            Some(Ok(Some(record))) => {
                found.push((name, *record));
                if record.is_public.is_some() {
                    break;
                }
            }
            Some(Ok(None) | Err(DnsFault::NotAName)) => {}
            Some(Err(fault)) => return Err(fault.as_str()),
            None => return Err("limit"),
        }
    }
    Ok(found)
}

/// The organisation that a domain belongs to (§4.10.2).
fn organisation<'d>(domain: &'d Domain, found: &[(&'d str, Record)]) -> &'d str {
    let mut highest = domain.as_str();
    for (name, record) in found {
        let is_public = record.is_public.unwrap_or_else(|| is_public_suffix(name));
        match is_public {
            true if *name != domain.as_str() => return one_below(domain, name),
            true => {}
            false if record.is_public == Some(false) => return name,
            false => highest = name,
        }
    }
    highest
}

fn is_public_suffix(name: &str) -> bool {
    Domain::parse(name).is_none_or(|domain| domain.site().is_none())
}

/// The name on the way from a public suffix to a domain that stands right below it.
fn one_below<'d>(domain: &'d Domain, suffix: &str) -> &'d str {
    let labels = suffix.split('.').count() + 1;
    let whole = walk_all(domain);
    let below = whole.into_iter().find(|name| name.split('.').count() == labels);
    below.unwrap_or(domain.as_str())
}

/// The domain and every name above it.
fn walk_all(domain: &Domain) -> Vec<&str> {
    let name = domain.as_str();
    let dots = name.match_indices('.').filter_map(|(dot, _)| name.get(dot + 1..));
    std::iter::once(name).chain(dots).collect()
}

/// The record that holds for an author, and whether it is his domain's own.
fn applicable<'d>(author: &'d Domain, found: &[(&'d str, Record)]) -> Option<(Record, bool)> {
    let own = found.iter().find(|(name, _)| *name == author.as_str());
    let organisation = organisation(author, found);
    let record = own
        .or_else(|| found.iter().find(|(name, _)| *name == organisation))
        .or_else(|| found.last())?;
    Some((record.1, own.is_some()))
}

/// Whether the policy depends on the author's domain being there at all.
pub(super) fn asks_existence(author: &Domain, records: &Records) -> bool {
    let found = found(author, records).unwrap_or_default();
    applicable(author, &found).is_some_and(|(record, is_own)| !is_own && record.below != record.below_missing)
}

/// How a message by this author stands. `exists` is whether his domain is there, where that was asked.
pub(super) fn check(author: &Domain, vouchers: &Vouchers, records: &Records, exists: Option<bool>) -> Finding {
    let own = match found(author, records) {
        Ok(own) => own,
        Err(cause) => return Finding::without_policy(Standing::Unknown(cause), false),
    };
    let Some((record, is_own)) = applicable(author, &own) else {
        return Finding::without_policy(Standing::None, vouchers.pass_for_site(author));
    };
    let wish = match (is_own, exists) {
        (true, _) => record.own,
        (false, Some(false)) => record.below_missing,
        (false, _) => record.below,
    };
    let author = (author, organisation(author, &own));
    let spf = vouchers.spf.iter().map(|voucher| (voucher, record.strict_spf));
    let dkim = vouchers.dkim.iter().map(|voucher| (voucher, record.strict_dkim));
    let mut standing = Standing::Fail;
    for ((domain, vouch), is_strict) in spf.chain(dkim) {
        let vouch = match (is_aligned(domain, author, is_strict, records), vouch) {
            (Ok(false), _) => continue,
            (Ok(true), vouch) => *vouch,
            (Err(cause), _) => Vouch::Unknown(cause),
        };
        match vouch {
            Vouch::Pass => {
                standing = Standing::Pass;
                break;
            }
            Vouch::Unknown(cause) => standing = Standing::Unknown(cause),
        }
    }
    Finding {
        standing,
        wish,
        is_test: record.is_test,
        is_aligned: standing == Standing::Pass,
    }
}

/// Whether a domain speaks for an author of this domain and organisation (§4.10.2).
fn is_aligned(
    domain: &Domain,
    (author, organisation_of_author): (&Domain, &str),
    is_strict: bool,
    records: &Records,
) -> Result<bool, &'static str> {
    if domain == author {
        return Ok(true);
    }
    if is_strict || !domain.is_within(organisation_of_author) {
        return Ok(false);
    }
    Ok(organisation(domain, &found(domain, records)?) == organisation_of_author)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Standing::{Fail, None as NoPolicy, Pass, Unknown};

    fn domain(name: &str) -> Domain {
        Domain::parse(name).unwrap()
    }

    /// A world of these records and no other; `!` is a name that DNS could not tell of.
    fn world(records: &[(&str, &str)], domains: &[&str]) -> Records {
        let mut world = Records::new();
        for name in domains {
            for name in walk(&domain(name)) {
                world.insert(name.to_owned(), Ok(None));
            }
        }
        for (name, text) in records {
            let said = match *text {
                "!" => Err(DnsFault::TimedOut),
                text => Ok(Record::among(&[text.as_bytes().to_vec()])),
            };
            world.insert((*name).to_owned(), said);
        }
        world
    }

    #[test]
    fn records_are_read_as_far_as_they_can_be() {
        use Wish::{None as Nothing, Quarantine, Reject};
        for (text, wishes) in [
            ("v=DMARC1; p=reject", Some([Reject, Reject, Reject])),
            ("v=DMARC1;p=Quarantine;sp=none;", Some([Quarantine, Nothing, Nothing])),
            (" v = DMARC1 ; p = none; np=reject", Some([Nothing, Nothing, Reject])),
            (
                "v=DMARC1; p=reject; adkim=x; ri=often; nonsense",
                Some([Reject, Reject, Reject]),
            ),
            ("v=DMARC1; rua=mailto:d@a.example", Some([Nothing, Nothing, Nothing])),
            (
                "v=DMARC1; p=rejct; rua=mailto:d@a.example",
                Some([Nothing, Nothing, Nothing]),
            ),
            (
                "v=DMARC1; p=reject; sp=all; rua=mailto:d@a.example",
                Some([Nothing, Nothing, Nothing]),
            ),
            ("v=DMARC1; p=rejct", Option::None),
            ("v=DMARC1", Option::None),
            ("p=reject; v=DMARC1", Option::None),
            ("v=DMARC12; p=reject", Option::None),
            ("v=dmarc1; p=reject", Option::None),
            ("", Option::None),
        ] {
            let record = Record::among(&[text.as_bytes().to_vec()]);
            assert_eq!(
                record.map(|one| [one.own, one.below, one.below_missing]),
                wishes,
                "{text}"
            );
        }
        let two = [b"v=DMARC1; p=none".to_vec(), b"v=DMARC1; p=reject".to_vec()];
        assert_eq!(Record::among(&two), Option::None, "two are none");
        let mixed = [b"v=spf1 -all".to_vec(), b"v=DMARC1; p=reject".to_vec()];
        assert!(Record::among(&mixed).is_some());
    }

    #[test]
    fn a_walk_climbs_to_the_top_and_skips_what_is_deep() {
        for (name, names) in [
            ("a.b.example", vec!["a.b.example", "b.example", "example"]),
            (
                "1.2.3.4.5.6.7.8.9.example",
                vec![
                    "1.2.3.4.5.6.7.8.9.example",
                    "4.5.6.7.8.9.example",
                    "5.6.7.8.9.example",
                    "6.7.8.9.example",
                    "7.8.9.example",
                    "8.9.example",
                    "9.example",
                    "example",
                ],
            ),
            ("example", vec![]),
            ("192.0.2.1", vec![]),
        ] {
            assert_eq!(walk(&domain(name)), names);
        }
    }

    #[test]
    fn domains_align_within_an_organisation_and_never_across_a_public_suffix() {
        let strict = "v=DMARC1; p=reject; adkim=s; aspf=s";
        let plain = "v=DMARC1; p=reject";
        #[rustfmt::skip]
        let cases = [
            // author, records, who vouches, how it stands
            ("a.example.org", vec![("example.org", plain)], "a.example.org", Pass),
            ("a.example.org", vec![("example.org", plain)], "example.org", Pass),
            ("a.example.org", vec![("example.org", plain)], "b.example.org", Pass),
            ("example.org", vec![("example.org", plain)], "deep.b.example.org", Pass),
            ("example.org", vec![("example.org", plain)], "notexample.org", Fail),
            ("example.org", vec![("example.org", plain)], "example.org.evil.test", Fail),
            ("example.org", vec![("example.org", strict)], "example.org", Pass),
            ("example.org", vec![("example.org", strict)], "a.example.org", Fail),
            ("a.example.org", vec![("example.org", strict)], "example.org", Fail),
            // Councils don't speak for one another, whatever record their suffix has.
            ("one.gov.uk", vec![("gov.uk", plain), ("one.gov.uk", plain)], "two.gov.uk", Fail),
            ("one.gov.uk", vec![("gov.uk", plain)], "two.gov.uk", Fail),
            ("one.gov.uk", vec![("gov.uk", plain)], "mail.one.gov.uk", Pass),
            ("x.one.gov.uk", vec![("gov.uk", plain), ("one.gov.uk", plain)], "y.one.gov.uk", Pass),
            // Somebody below who is his own organisation.
            ("x.uni.example", vec![("uni.example", plain), ("x.uni.example", "v=DMARC1; p=reject; psd=n")], "uni.example", Fail),
            ("x.uni.example", vec![("uni.example", "v=DMARC1; p=reject; psd=y")], "y.uni.example", Fail),
            ("d.x.uni.example", vec![("uni.example", "v=DMARC1; p=reject; psd=y")], "x.uni.example", Pass),
            ("example.org", vec![], "evil.test", NoPolicy),
            ("example.org", vec![], "example.org", NoPolicy),
            ("example.org", vec![("example.org", "!")], "example.org", Unknown("timeout")),
            ("example.org", vec![("org", "!"), ("example.org", plain)], "evil.test", Unknown("timeout")),
        ];
        for (author, records, voucher, expected) in cases {
            let world = world(&records, &[author, voucher]);
            for by_spf in [true, false] {
                let voucher = (domain(voucher), Vouch::Pass);
                let vouchers = match by_spf {
                    true => Vouchers {
                        spf: Some(voucher),
                        ..Vouchers::default()
                    },
                    false => Vouchers {
                        dkim: vec![voucher],
                        ..Vouchers::default()
                    },
                };
                let finding = check(&domain(author), &vouchers, &world, Some(true));
                assert_eq!(finding.standing, expected, "{author} {records:?} {vouchers:?}");
            }
        }
    }

    #[test]
    fn what_could_not_be_checked_counts_where_it_would_have_spoken_for_the_author() {
        let world = world(&[("example.org", "v=DMARC1; p=reject")], &["example.org", "evil.test"]);
        let unknown = |name: &str| (domain(name), Vouch::Unknown("failed"));
        let pass = |name: &str| (domain(name), Vouch::Pass);
        for (dkim, expected) in [
            (vec![], Fail),
            (vec![unknown("evil.test")], Fail),
            (vec![unknown("evil.test"), unknown("example.org")], Unknown("failed")),
            (vec![unknown("example.org"), pass("example.org")], Pass),
            (vec![pass("evil.test"), unknown("example.org")], Unknown("failed")),
        ] {
            let vouchers = Vouchers { spf: None, dkim };
            let finding = check(&domain("example.org"), &vouchers, &world, None);
            assert_eq!(finding.standing, expected, "{vouchers:?}");
        }
    }

    #[test]
    fn the_policy_is_the_domains_own_or_what_is_said_of_those_below() {
        use Wish::{None as Nothing, Quarantine, Reject};
        let record = "v=DMARC1; p=none; sp=quarantine; np=reject; t=y";
        let world = world(&[("example.org", record)], &["a.example.org"]);
        for (author, exists, wish, asks) in [
            ("example.org", None, Nothing, false),
            ("a.example.org", Some(true), Quarantine, true),
            ("a.example.org", None, Quarantine, true),
            ("a.example.org", Some(false), Reject, true),
        ] {
            let finding = check(&domain(author), &Vouchers::default(), &world, exists);
            assert_eq!((finding.wish, finding.is_test), (wish, true), "{author} {exists:?}");
            assert_eq!(asks_existence(&domain(author), &world), asks, "{author}");
        }
    }
}
