//! Whom a message poses as: facts about its authors' names and domains, never opinions.
//!
//! Enters: a message, and everybody whom it may pose as ([`Protected`]). Leaves: the name or domain that is posed
//! as and how, each found when first asked for. Every author is looked at whom some reader would show
//! (RFC 5322 §3.6.2), and the sender. Knows nothing of lists, authentication or what a fact is worth.

mod added_words;
mod fold;
mod name_fit;
mod names;
mod protected;
mod resemblance;
mod tricks;
mod typos;

pub use fold::plain_name;
pub use name_fit::name_fits;
pub use protected::{Organisation, Person, Protected};
pub use resemblance::Likeness;
pub use tricks::TRICKS;

use super::Evidence;
use crate::mail::{Domain, Link, Mailbox};
use jiff::Timestamp;
use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::OnceLock;

/// The first moment at which something is no longer listed; `None` for ever.
pub type Expiry = Option<Timestamp>;

/// Whose a domain or a name is; ours first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Our own.
    Organisation,
    /// Somebody's with whom we work.
    Partner,
    /// One that is known to everybody.
    Brand,
}

/// Candidates for the author that are looked at. Who hides behind more has an ambiguous From all the same.
const AUTHORS: usize = 100;

/// Domains of links that are looked at.
const LINK_DOMAINS: usize = 1_000;

/// What is found of one message's authors, kept once it was asked for.
#[derive(Debug)]
pub struct Identity<'e> {
    protected: &'e Protected,
    claims: OnceLock<Claims>,
    author: OnceLock<Option<(Domain, Likeness)>>,
    reply: OnceLock<Option<(Domain, Likeness)>>,
    links: OnceLock<Vec<Domain>>,
    tricks: OnceLock<Vec<&'static str>>,
}

/// What the authors' names claim; empty where they claim nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claims {
    /// An organisation's name, where the author writes from elsewhere.
    pub organisation: String,
    /// A person's name, likewise.
    pub person: String,
    /// A person's role, likewise.
    pub role: String,
}

impl<'e> Identity<'e> {
    /// Nothing was asked for yet.
    pub const fn against(protected: &'e Protected) -> Self {
        Self {
            protected,
            claims: OnceLock::new(),
            author: OnceLock::new(),
            reply: OnceLock::new(),
            links: OnceLock::new(),
            tricks: OnceLock::new(),
        }
    }
}

impl Evidence<'_, '_> {
    /// What the authors' names claim. Of several claims the first author's counts.
    pub fn claims(&self) -> &Claims {
        self.identity.claims.get_or_init(|| {
            let mut claims = Claims::default();
            for author in self.candidates() {
                self.add_claims(author, &mut claims);
            }
            claims
        })
    }

    fn add_claims(&self, author: &Mailbox, claims: &mut Claims) {
        // Where there is no name, people see what stands before the `@`.
        let shown = if author.name.is_empty() {
            &author.local
        } else {
            &author.name
        };
        let words = fold::words(shown);
        let note = |claim: &mut String, found: Option<&str>| {
            if let Some(found) = found.filter(|_| claim.is_empty()) {
                found.clone_into(claim);
            }
        };
        let (protected, now) = (self.identity.protected, self.now);
        note(
            &mut claims.organisation,
            protected.claimed_organisation(&words, author, now),
        );
        note(&mut claims.person, protected.claimed_person(&words, author, now));
        note(&mut claims.role, protected.claimed_role(&words, author, now));
    }

    /// The domain of ours, a partner's or a brand's that an author's resembles, and how.
    pub fn lookalike(&self) -> Option<&(Domain, Likeness)> {
        let found = || self.first_like(self.candidates().filter_map(|author| author.domain.as_ref()));
        self.identity.author.get_or_init(found).as_ref()
    }

    /// The same of where answers go.
    pub fn reply_lookalike(&self) -> Option<&(Domain, Likeness)> {
        let to = self.message.reply_to().iter().take(AUTHORS);
        let found = || self.first_like(to.filter_map(|mailbox| mailbox.domain.as_ref()));
        self.identity.reply.get_or_init(found).as_ref()
    }

    fn first_like<'d>(&self, domains: impl Iterator<Item = &'d Domain>) -> Option<(Domain, Likeness)> {
        let mut seen = HashSet::new();
        let mut fresh = domains.filter(|domain| seen.insert(domain.as_str()));
        let like = |domain: &Domain| self.identity.protected.likeness(domain, self.now);
        fresh.find_map(like).map(|(of, how)| (of.clone(), how))
    }

    /// The domains of ours, a partner's or a brand's that targets of links resemble, each once.
    pub fn link_lookalikes(&self) -> &[Domain] {
        self.identity.links.get_or_init(|| {
            let (mut seen, mut last) = (HashSet::new(), "");
            let targets = self
                .message
                .links()
                .iter()
                .filter_map(|link: &Link| link.target.domain.as_ref());
            // Most links lead where the one before them does.
            let others = targets.filter(|domain| std::mem::replace(&mut last, domain.as_str()) != domain.as_str());
            let fresh = others.filter(|domain| seen.insert(domain.as_str())).take(LINK_DOMAINS);
            let like = fresh.filter(|domain| !is_tenants(domain));
            let mut found: Vec<Domain> = Vec::new();
            for (of, _) in like.filter_map(|domain| self.identity.protected.likeness(domain, self.now)) {
                if !found.contains(of) {
                    found.push(of.clone());
                }
            }
            found
        })
    }

    /// The ways in which an author's name is made to be taken for another, in the order of [`TRICKS`].
    pub fn name_tricks(&self) -> &[&'static str] {
        self.identity.tricks.get_or_init(|| {
            let used: HashSet<&str> = self
                .candidates()
                .flat_map(|author| tricks::tricks(&author.name))
                .collect();
            let in_order = TRICKS.iter().map(|(word, _)| *word);
            in_order.filter(|word| used.contains(word)).collect()
        })
    }

    /// An address in an author's name that is no author's own.
    pub fn name_address(&self) -> Option<String> {
        let mut named = self.candidates().filter_map(|author| address_within(&author.name));
        named.find(|address| {
            let is_own = |author: &Mailbox| author.address.eq_ignore_ascii_case(address);
            !self.candidates().any(is_own)
        })
    }

    /// The site of the first Reply-To that is no author's site.
    pub fn reply_elsewhere(&self) -> Option<Domain> {
        let of_authors = self.candidates().filter_map(|author| author.domain.as_ref());
        let authors: HashSet<&str> = of_authors.map(site).collect();
        let mut replies = self
            .message
            .reply_to()
            .iter()
            .filter_map(|mailbox| mailbox.domain.as_ref());
        let elsewhere = replies.find(|domain| !authors.contains(site(domain)));
        elsewhere
            .filter(|_| !authors.is_empty())
            .and_then(|domain| Domain::parse(site(domain)))
    }

    /// Whether readers may take different authors from the header.
    pub fn is_author_ambiguous(&self) -> bool {
        let mut others = self
            .message
            .authors()
            .iter()
            .filter(|author| !author.address.is_empty());
        let first = others.next();
        self.message.is_from_ambiguous()
            || first.is_some_and(|first| others.any(|other| !other.address.eq_ignore_ascii_case(&first.address)))
    }

    /// Everybody whom some reader would show as the author, and the sender, whom some show beside.
    fn candidates(&self) -> impl Iterator<Item = &Mailbox> {
        self.message.authors().iter().take(AUTHORS).chain(self.message.sender())
    }
}

/// The registrable domain, or the whole of what has none.
fn site(domain: &Domain) -> &str {
    domain.site().unwrap_or(domain.as_str())
}

/// Hosts below which every customer has a name of its own choice, mostly its own: these are genuine as often as
/// not, and say so little of a link.
const TENANTS_OF: &[&str] = &[
    "sharepoint.com",
    "onmicrosoft.com",
    "outlook.com",
    "zendesk.com",
    "freshdesk.com",
    "freshservice.com",
    "service-now.com",
    "atlassian.net",
    "salesforce.com",
    "force.com",
    "granicus.com",
    "govdelivery.com",
    "eventbrite.com",
    "zoom.us",
    "webex.com",
    "slack.com",
];

fn is_tenants(domain: &Domain) -> bool {
    TENANTS_OF.iter().any(|host| domain.is_within(host))
}

/// The first address in a name, however its `@` is written.
fn address_within(name: &str) -> Option<String> {
    if !name.contains(['@', '\u{ff20}', '\u{fe6b}']) {
        return None;
    }
    let name: Cow<'_, str> = match name.contains(['\u{ff20}', '\u{fe6b}']) {
        true => Cow::Owned(name.replace(['\u{ff20}', '\u{fe6b}'], "@")),
        false => Cow::Borrowed(name),
    };
    let is_border = |c: char| c.is_whitespace() || c.is_control() || "<>()[]{},;:\"'|\\".contains(c);
    let plain = plain_name(&name);
    let mut words = plain.split(is_border).map(|word| word.trim_matches('.'));
    words.find_map(|word| {
        let (local, domain) = word.rsplit_once('@')?;
        let is_whole = !local.is_empty() && domain.contains('.') && Domain::parse(domain).is_some();
        is_whole.then(|| word.to_owned())
    })
}

#[cfg(test)]
mod tests;
