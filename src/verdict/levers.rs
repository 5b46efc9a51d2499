//! All levers that are pulled, as one set that a message sees whole, and which of them bear on it.
//!
//! What is known of a message's client and senders enters, the levers that count leave. A block
//! wins over an allow. Pure. Knows nothing of what the levers do to a verdict.

use super::lever::{Kind, Lever, LeverError, Subject, What};
use crate::mail::{Address, Domain, Mailbox};
use jiff::Timestamp;
use std::borrow::Cow;
use std::net::IpAddr;

/// Entries of one kind in force at once. Longer lists are rule lists.
pub const ENTRIES_MAX: usize = 1_000;

/// Every lever that is pulled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Levers {
    /// By kind and entry.
    all: Vec<Lever>,
}

/// Whom a message comes from, as far as it is known.
#[derive(Debug, Clone, Copy, Default)]
pub struct Origin<'m> {
    /// The sending host.
    pub client: Option<IpAddr>,
    /// From the envelope.
    pub reverse_path: Option<&'m Address>,
    /// Every candidate author; none when the message wasn't read.
    pub authors: &'m [Mailbox],
}

/// The levers that bear on one message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pulled<'l> {
    /// Everything is delivered.
    pub bypass: Option<&'l Lever>,
    /// At least reject.
    pub block: Option<&'l Lever>,
    /// At most tag, but for malware; never beside a block.
    pub allow: Option<&'l Lever>,
}

impl Levers {
    /// The set of these.
    pub fn new(mut all: Vec<Lever>) -> Self {
        all.sort_by(|one, other| one.what.cmp(&other.what));
        Self { all }
    }

    /// All of them, by kind and entry, those that have ended and weren't removed yet among them.
    pub fn all(&self) -> &[Lever] {
        &self.all
    }

    /// The lever that does this, if it is pulled.
    pub fn find(&self, what: &What) -> Option<&Lever> {
        self.all.iter().find(|lever| lever.what == *what)
    }

    /// How many of a kind are in force.
    pub fn count(&self, kind: Kind, now: Timestamp) -> usize {
        self.of(kind, now).count()
    }

    /// The set with this lever in it, in place of one that does the same.
    ///
    /// # Errors
    /// When there are [`ENTRIES_MAX`] others of its kind.
    pub fn with(&self, lever: Lever) -> Result<Self, LeverError> {
        let others = self.of(lever.what.kind(), lever.since);
        if others.filter(|other| other.what != lever.what).count() >= ENTRIES_MAX {
            let kind = lever.what.kind().as_str();
            return Err(LeverError(format!(
                "there are {ENTRIES_MAX} entries to {kind} already: remove some, or keep a list in a rule file"
            )));
        }
        let mut all = self.without(&lever.what).all;
        all.push(lever);
        Ok(Self::new(all))
    }

    /// The set without the lever that does this.
    pub fn without(&self, what: &What) -> Self {
        let kept = self.all.iter().filter(|lever| lever.what != *what);
        Self {
            all: kept.cloned().collect(),
        }
    }

    /// Those that have ended.
    pub fn ended(&self, now: Timestamp) -> impl Iterator<Item = &Lever> {
        self.all.iter().filter(move |lever| !lever.holds(now))
    }

    /// The bypass in force.
    pub fn bypass(&self, now: Timestamp) -> Option<&Lever> {
        self.of(Kind::Bypass, now).next()
    }

    /// Those that bear on a message from there.
    pub fn pulled(&self, origin: &Origin<'_>, now: Timestamp) -> Pulled<'_> {
        let bypass = self.bypass(now);
        if self.all.len() == usize::from(bypass.is_some()) {
            return Pulled {
                bypass,
                ..Pulled::default()
            };
        }
        let senders = Senders::of(origin);
        let hit = |kind: Kind| {
            self.of(kind, now).find(|lever| match lever.what.subject() {
                Some(Subject::Network(network)) => origin
                    .client
                    .is_some_and(|client| network.contains(&client.to_canonical())),
                // Whoever forges either is caught, and whoever forges both is let in: see `docs/operations.md`.
                Some(subject) if kind == Kind::Block => senders.any(subject),
                Some(subject) => senders.all(subject),
                None => false,
            })
        };
        let block = hit(Kind::Block);
        let allow = if block.is_some() { None } else { hit(Kind::Allow) };
        Pulled { bypass, block, allow }
    }

    fn of(&self, kind: Kind, now: Timestamp) -> impl Iterator<Item = &Lever> {
        self.all
            .iter()
            .filter(move |lever| lever.what.kind() == kind && lever.holds(now))
    }
}

impl<'l> Pulled<'l> {
    /// Each of them.
    pub fn each(&self) -> impl Iterator<Item = &'l Lever> {
        [self.bypass, self.block, self.allow].into_iter().flatten()
    }
}

/// A sender's local part and domain in comparable form; `None` where it has none.
type Sender<'m> = Option<(String, Cow<'m, Domain>)>;

/// Everybody whom a message names as its sender.
struct Senders<'m> {
    reverse_path: Sender<'m>,
    authors: Vec<Sender<'m>>,
}

impl<'m> Senders<'m> {
    fn of(origin: &Origin<'m>) -> Self {
        let reverse_path = origin
            .reverse_path
            .and_then(|address| Some((comparable(address.local_part()), Cow::Owned(address.domain()?))));
        let author = |author: &'m Mailbox| Some((comparable(&author.local), Cow::Borrowed(author.domain.as_ref()?)));
        Self {
            reverse_path,
            authors: origin.authors.iter().map(author).collect(),
        }
    }

    /// Whether the reverse-path or an author is meant.
    fn any(&self, subject: &Subject) -> bool {
        let each = std::iter::once(&self.reverse_path).chain(&self.authors);
        each.flatten().any(|sender| is_meant(subject, sender))
    }

    /// Whether the reverse-path and every author are meant, and there is an author.
    fn all(&self, subject: &Subject) -> bool {
        let meant = |sender: &Sender<'_>| sender.as_ref().is_some_and(|sender| is_meant(subject, sender));
        !self.authors.is_empty() && meant(&self.reverse_path) && self.authors.iter().all(meant)
    }
}

fn is_meant(subject: &Subject, (local, domain): &(String, Cow<'_, Domain>)) -> bool {
    match subject {
        Subject::Network(_) => false,
        Subject::Domain(wanted) => domain.is_within(wanted.as_str()),
        Subject::Mailbox(wanted, at) => local == wanted && domain.as_ref() == at,
    }
}

/// A local part in lower case, without the quotes that change nothing (RFC 5321 §4.1.2).
fn comparable(local: &str) -> String {
    let inside = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inside
        .map_or_else(|| Cow::Borrowed(local), |inside| Cow::Owned(inside.replace('\\', "")))
        .to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    fn now() -> Timestamp {
        "2026-11-25T12:00:00Z".parse().unwrap()
    }

    fn lever(kind: Kind, entry: &str) -> Lever {
        Lever::entry(kind, entry, "2026-12-01", "uid 0", "asked for", now()).unwrap()
    }

    fn levers(entries: &[(Kind, &str)]) -> Levers {
        Levers::new(entries.iter().map(|(kind, entry)| lever(*kind, entry)).collect())
    }

    fn author(address: &str) -> Mailbox {
        let (local, domain) = address.rsplit_once('@').unwrap_or((address, ""));
        Mailbox {
            name: String::new(),
            address: address.to_owned(),
            local: local.to_owned(),
            domain: Domain::parse(domain),
        }
    }

    /// The entries that a message from there meets: block, allow.
    fn met(levers: &Levers, client: &str, reverse_path: &str, authors: &[&str]) -> [Option<String>; 2] {
        let reverse_path = (!reverse_path.is_empty()).then(|| Address::from_checked(reverse_path));
        let authors: Vec<Mailbox> = authors.iter().map(|address| author(address)).collect();
        let origin = Origin {
            client: client.parse().ok(),
            reverse_path: reverse_path.as_ref(),
            authors: &authors,
        };
        let pulled = levers.pulled(&origin, now());
        [pulled.block, pulled.allow].map(|lever| lever.map(|lever| lever.what.entry()))
    }

    #[test]
    fn networks_hold_their_clients() {
        let levers = levers(&[
            (Kind::Block, "203.0.113.0/24"),
            (Kind::Block, "2001:db8::/32"),
            (Kind::Allow, "192.0.2.7"),
        ]);
        for (client, block, allow) in [
            ("203.0.113.0", Some("203.0.113.0/24"), None),
            ("203.0.113.255", Some("203.0.113.0/24"), None),
            ("203.0.114.0", None, None),
            ("::ffff:203.0.113.9", Some("203.0.113.0/24"), None),
            ("2001:db8:ffff::1", Some("2001:db8::/32"), None),
            ("2001:db9::1", None, None),
            ("192.0.2.7", None, Some("192.0.2.7")),
            ("192.0.2.8", None, None),
            ("unknown", None, None),
        ] {
            let told = met(&levers, client, "a@x.example", &["a@x.example"]);
            assert_eq!(told, [block, allow].map(|entry| entry.map(str::to_owned)), "{client}");
        }
    }

    #[test]
    fn one_of_its_senders_blocks_a_message_and_all_of_them_allow_it() {
        let (mine, other) = ("Ann@Sub.Example.org", "x@other.example");
        for entry in ["@example.org", "ann@sub.example.org"] {
            for (reverse_path, authors, blocked, allowed) in [
                (mine, &[mine][..], true, true),
                ("\"ann\"@sub.example.org", &[mine], true, true),
                (other, &[mine], true, false),
                (mine, &[other], true, false),
                (mine, &[mine, other], true, false),
                (mine, &[], true, false),
                ("", &[mine], true, false),
                (mine, &["ann"], true, false),
                (other, &[other], false, false),
                ("ann@anexample.org", &["ann@example.org.evil.example"], false, false),
                ("", &[], false, false),
            ] {
                let by = |kind| met(&levers(&[(kind, entry)]), "192.0.2.1", reverse_path, authors);
                assert_eq!(
                    by(Kind::Block)[0].is_some(),
                    blocked,
                    "block {entry}: {reverse_path} {authors:?}"
                );
                assert_eq!(
                    by(Kind::Allow)[1].is_some(),
                    allowed,
                    "allow {entry}: {reverse_path} {authors:?}"
                );
            }
        }
        let mailbox = levers(&[(Kind::Block, "ann@example.org")]);
        for address in ["ann@sub.example.org", "bob@example.org"] {
            assert_eq!(met(&mailbox, "", address, &[address])[0], None, "{address}");
        }
    }

    #[test]
    fn a_block_wins() {
        let both = levers(&[(Kind::Allow, "ann@example.org"), (Kind::Block, "192.0.2.1")]);
        let told = met(&both, "192.0.2.1", "ann@example.org", &["ann@example.org"]);
        assert_eq!(told, [Some("192.0.2.1".to_owned()), None]);
    }

    #[test]
    fn what_has_ended_bears_on_nothing() {
        let set = levers(&[(Kind::Block, "192.0.2.1")]);
        let origin = Origin {
            client: "192.0.2.1".parse().ok(),
            ..Origin::default()
        };
        let end = set.all()[0].until;
        let before = end - SignedDuration::from_nanos(1);
        assert!(set.pulled(&origin, before).block.is_some());
        assert_eq!(set.pulled(&origin, end).block, None);
        assert_eq!((set.count(Kind::Block, before), set.count(Kind::Block, end)), (1, 0));
        assert_eq!((set.ended(before).count(), set.ended(end).count()), (0, 1));
    }

    #[test]
    fn the_newest_says_and_each_kind_has_its_limit() {
        let mut set = Levers::default();
        let address = |number: usize| format!("10.0.{}.{}", number / 256, number % 256);
        for number in 0..ENTRIES_MAX {
            set = set.with(lever(Kind::Block, &address(number))).unwrap();
        }
        let refused = set.with(lever(Kind::Block, "192.0.2.1")).unwrap_err();
        assert!(refused.0.contains("1000 entries"), "{refused}");
        let again = Lever {
            reason: "still".into(),
            ..lever(Kind::Block, &address(0))
        };
        let set = set.with(again.clone()).expect("it takes its own place");
        assert_eq!(set.find(&again.what), Some(&again));
        assert_eq!(set.all().len(), ENTRIES_MAX);
        let set = set.with(lever(Kind::Allow, "192.0.2.1")).expect("another kind");
        let later = Lever {
            since: again.until,
            until: again.until + SignedDuration::from_hours(1),
            ..lever(Kind::Block, "192.0.2.1")
        };
        set.with(later).expect("those that have ended make room");
        let set = set.without(&again.what);
        set.with(lever(Kind::Block, "192.0.2.1")).expect("there is room again");
        assert_eq!(set.find(&again.what), None);
    }
}
