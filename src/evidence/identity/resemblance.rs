//! Which domain of ours another one resembles, and how: by letters, a typing error, its suffix, added words, or
//! by standing within the name.
//!
//! Enters: the domains to protect, once; then a domain at a time. Leaves: the one that it resembles. Everything
//! is found by its hash, so that a list of 100,000 costs a message no more than one of ten. Knows nothing of
//! names of people or of where a domain stood.

use super::added_words::is_added;
use super::fold;
use super::names::{Places, table_bytes};
use super::typos::Typos;
use super::{Expiry, Group};
use crate::mail::Domain;
use foldhash::{HashMap, HashSet};
use jiff::Timestamp;

/// How a domain resembles another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Likeness {
    /// The whole name stands within it: `council.gov.uk.evil.test`, `council-gov-uk.test`.
    Subdomain,
    /// Letters that look alike: `counci1.test`.
    Letters,
    /// A letter more, less, other or swapped, or a hyphen.
    Typo,
    /// The same label under another suffix: `council.test`.
    Suffix,
    /// Words that lend weight were added: `council-payments.test`.
    Words,
}

impl Likeness {
    /// Every way, with its meaning.
    pub const ALL: [(Self, &str); 5] = [
        (Self::Subdomain, "the whole name stands within another's"),
        (Self::Letters, "letters that look alike"),
        (Self::Typo, "a letter more, less, other or swapped, or a hyphen"),
        (Self::Suffix, "the same label under another suffix"),
        (Self::Words, "words such as `payments` or `gov` added to the label"),
    ];

    /// The word that rules see.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Subdomain => "subdomain",
            Self::Letters => "letters",
            Self::Typo => "typo",
            Self::Suffix => "suffix",
            Self::Words => "words",
        }
    }
}

/// Suffixes below which names are only given to those who can show that they are theirs. There a near name is a
/// neighbour, not somebody who poses.
const CHECKED_SUFFIXES: &[&str] = &[
    "gov.uk",
    "nhs.uk",
    "police.uk",
    "ac.uk",
    "sch.uk",
    "mod.uk",
    "parliament.uk",
    "judiciary.uk",
    "gov.scot",
    "gov.wales",
    "llyw.cymru",
    "gov",
    "mil",
    "edu",
    "int",
];

/// Shorter labels resemble too many others: for look-alike letters and suffixes, for typing errors, and for
/// added words without a hyphen between.
const LETTERS_LABEL: usize = 3;
const GLUED_LABEL: usize = 5;

/// Words of a domain that are looked at, and words of a name that are looked for in it.
const HOST_WORDS: usize = 32;
const NAME_WORDS: usize = 8;

/// A domain to protect.
#[derive(Debug)]
struct Target {
    domain: Domain,
    group: Group,
    expires: Expiry,
}

/// The domains to protect, ready for look-ups.
#[derive(Debug, Default)]
pub(super) struct Resemblance {
    targets: Vec<Target>,
    /// By the name as listed.
    listed: HashMap<Box<str>, Places>,
    /// By the label as written, and by its key without hyphens.
    labels: HashMap<Box<str>, Places>,
    keys: HashMap<Box<str>, Places>,
    /// By the keys of the whole name's words, joined with dots and without.
    names: HashMap<Box<str>, Places>,
    /// The first words of these, by which nearly every domain is told to hold none.
    beginnings: HashSet<Box<str>>,
    typos: Typos,
}

impl Resemblance {
    pub(super) fn new(domains: impl IntoIterator<Item = (Group, Domain, Expiry)>) -> Self {
        let mut all = Self::default();
        for (group, domain, expires) in domains {
            all.add(group, domain, expires);
        }
        all.typos.finish();
        all
    }

    fn add(&mut self, group: Group, domain: Domain, expires: Expiry) {
        let Ok(place) = u32::try_from(self.targets.len()) else {
            return;
        };
        note(&mut self.listed, domain.as_str().into(), place);
        let key = fold::key(&domain.unicode());
        let words: Vec<&str> = words(&key).collect();
        if let ([first, .., _], 2..=NAME_WORDS) = (words.as_slice(), words.len()) {
            let glued = words.concat();
            self.beginnings.extend([(*first).into(), glued.as_str().into()]);
            note(&mut self.names, words.join(".").into(), place);
            note(&mut self.names, glued.into(), place);
            // `council.gov.com` reads as `council.gov.uk` to most.
            if let Some((_, most @ [_, _, ..])) = words.split_last() {
                note(&mut self.names, most.join(".").into(), place);
            }
        }
        if let Some(label) = label(&domain) {
            let bare = label.replace('-', "");
            note(&mut self.keys, fold::key(&bare).into(), place);
            self.typos.add(&label, group == Group::Organisation, place);
            note(&mut self.labels, label.into(), place);
        }
        self.targets.push(Target { domain, group, expires });
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let tables = [&self.listed, &self.labels, &self.keys, &self.names];
        let names: usize = self.targets.iter().map(|target| target.domain.as_str().len()).sum();
        let beginnings = self
            .beginnings
            .iter()
            .map(|word| size_of::<Box<str>>() + 1 + word.len());
        tables.into_iter().map(table_bytes).sum::<usize>()
            + beginnings.sum::<usize>()
            + self.targets.capacity() * size_of::<Target>()
            + names
            + self.typos.heap_bytes()
    }

    /// Whether a domain is one of a group's or lies below one.
    pub(super) fn is_listed(&self, domain: &Domain, group: Group, now: Timestamp) -> bool {
        self.groups(domain, now).any(|found| found == group)
    }

    /// Whose a domain is, or one that it lies below.
    fn groups(&self, domain: &Domain, now: Timestamp) -> impl Iterator<Item = Group> {
        let names = std::iter::successors(Some(domain.as_str()), |name| {
            name.split_once('.').map(|(_, above)| above)
        });
        let places = names.filter_map(|name| self.listed.get(name)).flatten();
        places
            .filter_map(move |place| self.alive(*place, now))
            .map(|target| target.group)
    }

    /// The domain that another one resembles, and how; `None` of one that is itself listed.
    pub(super) fn of<'r>(&'r self, domain: &Domain, now: Timestamp) -> Option<(&'r Domain, Likeness)> {
        if self.targets.is_empty() || domain.is_ip() {
            return None;
        }
        let nearest = self.groups(domain, now).min();
        if nearest.is_some_and(|group| group < Group::Brand) {
            return None;
        }
        let host = Host {
            all: self,
            domain,
            now,
            is_brands: nearest.is_some(),
        };
        host.within()
            .map(|found| (found, Likeness::Subdomain))
            .or_else(|| host.by_label())
    }

    fn alive(&self, place: u32, now: Timestamp) -> Option<&Target> {
        let target = self.targets.get(usize::try_from(place).ok()?)?;
        target.expires.is_none_or(|end| now < end).then_some(target)
    }
}

fn note(index: &mut HashMap<Box<str>, Places>, key: Box<str>, place: u32) {
    index.entry(key).or_default().push(place);
}

/// What stands between dots and hyphens.
fn words(host: &str) -> impl Iterator<Item = &str> {
    host.split(['.', '-']).filter(|word| !word.is_empty())
}

/// The label that its owner chose, as people see it.
fn label(domain: &Domain) -> Option<String> {
    let label = domain.label()?;
    match label.starts_with("xn--") {
        true => Domain::parse(label).map(|label| label.unicode()),
        false => Some(label.to_owned()),
    }
}

/// A domain that is looked at.
struct Host<'r, 'd> {
    all: &'r Resemblance,
    domain: &'d Domain,
    now: Timestamp,
    /// A brand's own domain may resemble ours, and not another brand's.
    is_brands: bool,
}

impl<'r> Host<'r, '_> {
    /// The best of some places: ours before a partner's before a brand's.
    fn best(&self, places: &[u32], fits: impl Fn(&Target) -> bool) -> Option<&'r Domain> {
        let targets = places.iter().filter_map(|place| self.all.alive(*place, self.now));
        let others = targets.filter(|target| !(self.is_brands && target.group == Group::Brand));
        let fitting = others.filter(|target| fits(target));
        fitting.min_by_key(|target| target.group).map(|target| &target.domain)
    }

    /// Whether its suffix is one below which nobody can pose. Letters from elsewhere are looked at all the same.
    fn is_checked(&self) -> bool {
        self.domain.tld().is_some_and(|tld| CHECKED_SUFFIXES.contains(&tld))
    }

    /// A name that stands whole within it, and not at its end, where it would be the owner's own.
    fn within(&self) -> Option<&'r Domain> {
        let key = match self.domain.is_punycode() {
            true => fold::key(&self.domain.unicode()),
            false => fold::key(self.domain.as_str()),
        };
        let words: Vec<&str> = words(&key).take(HOST_WORDS).collect();
        let suffix = self.domain.tld().map_or(1, |tld| tld.split('.').count());
        // Where registrars sell names below one such as `uk.com`, a name may reach into the suffix.
        let chosen = words.len().saturating_sub(suffix);
        let mut starts = words.iter().take(chosen).enumerate();
        starts.find_map(|(from, word)| {
            let is_beginning = self.all.beginnings.contains(*word);
            is_beginning.then(|| self.name_from(&words, from, chosen)).flatten()
        })
    }

    /// A whole name that begins at a word; what begins at `chosen` is suffix.
    fn name_from(&self, words: &[&str], from: usize, chosen: usize) -> Option<&'r Domain> {
        let mut run = String::new();
        let ends = words.iter().enumerate().skip(from).take(NAME_WORDS);
        ends.take_while(|(at, _)| at + 1 < words.len()).find_map(|(at, word)| {
            if at > from {
                run.push('.');
            }
            run.push_str(word);
            let places = self.all.names.get(run.as_str())?;
            let (reaches, is_glued) = (at >= chosen, at == from);
            self.best(places, |target| {
                let is_deep = || target.domain.as_str().matches('.').count() > 1;
                (!reaches || is_deep()) && (!is_glued || word.len() >= GLUED_LABEL)
            })
        })
    }

    fn by_label(&self) -> Option<(&'r Domain, Likeness)> {
        let label = label(self.domain)?;
        let bare = label.replace('-', "");
        if bare.len() < LETTERS_LABEL {
            return None;
        }
        let key = fold::key(&bare);
        let is_elsewhere = |target: &Target| target.domain.tld() != self.domain.tld();
        let same = |places: &Places| self.best(places, is_elsewhere);
        if let Some(places) = self.all.labels.get(label.as_str()) {
            let found = same(places).filter(|_| !self.is_checked());
            return found.map(|found| (found, Likeness::Suffix));
        }
        if let Some(found) = self
            .all
            .keys
            .get(key.as_str())
            .and_then(|places| self.best(places, |_| true))
        {
            let is_hyphen = label.is_ascii() && self.all.is_label(&bare, found);
            let how = if is_hyphen { Likeness::Typo } else { Likeness::Letters };
            return (how == Likeness::Letters || !self.is_checked()).then_some((found, how));
        }
        if self.is_checked() {
            return None;
        }
        let typo = || self.best(&self.all.typos.of(&label), |_| true);
        let added = || self.by_words(&label, &key);
        typo()
            .map(|found| (found, Likeness::Typo))
            .or_else(|| added().map(|found| (found, Likeness::Words)))
    }

    /// A label with words before or behind that lend it weight, with hyphens between or without.
    fn by_words(&self, label: &str, key: &str) -> Option<&'r Domain> {
        let whole = |inner: &str| self.all.keys.get(inner).and_then(|places| self.best(places, |_| true));
        let pieces: Vec<String> = words(label).map(fold::key).collect();
        for from in 0..pieces.len() {
            for to in from + 1..=pieces.len().min(from + NAME_WORDS) {
                let (before, rest) = pieces.split_at_checked(from)?;
                let (inner, after) = rest.split_at_checked(to - from)?;
                let is_part = || before.iter().chain(after).all(|word| is_added(word));
                let inner = inner.concat();
                if inner.len() >= LETTERS_LABEL
                    && to - from < pieces.len()
                    && let Some(found) = whole(&inner).filter(|_| is_part())
                {
                    return Some(found);
                }
            }
        }
        let splits = key.char_indices().map(|(at, _)| key.split_at_checked(at));
        splits.flatten().find_map(|(before, after)| {
            let of = |name: &str, rest: &str| whole(name).filter(|_| name.len() >= GLUED_LABEL && is_added(rest));
            of(before, after).or_else(|| of(after, before))
        })
    }
}

impl Resemblance {
    /// Whether a label without its hyphens is that of a domain without them.
    fn is_label(&self, bare: &str, target: &Domain) -> bool {
        label(target).is_some_and(|label| label.replace('-', "") == bare)
    }
}
