//! One message's lookups: what has to be asked, asked at once, and made facts of.
//!
//! [`Inquiry::of`] reads what to ask from envelope and header, [`Inquiry::ask`] waits for DNS within one budget, and
//! [`Answers::outside`] makes of it what rules see. Only the middle one waits. The store's memory of a sender is to
//! be asked beside DNS, in [`Inquiry::ask`]. Knows nothing of rules and policy.

use super::auth::{Questions, Said};
use super::lists::{Listing, Lists, Names, Origin};
use super::needs::Needs;
use super::settings::Settings;
use super::{Fact, Gathered, Outside, client};
use crate::mail::{Direction, Domain, Mail, Message, message};
use crate::resolver::{Bounded, Dns};
use jiff::Timestamp;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Who is asked, and within which bounds: part of a generation.
#[derive(Clone)]
pub struct Probes {
    /// DNS.
    pub dns: Arc<dyn Dns>,
    /// How long all lookups for one message may take.
    pub total: Duration,
    /// The block lists.
    pub lists: Arc<Lists>,
    /// What is checked, and whom to believe.
    pub settings: Arc<Settings>,
    /// What some rule or policy asks for.
    pub needs: Needs,
}

impl std::fmt::Debug for Probes {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Probes")
            .field("needs", &self.needs)
            .finish_non_exhaustive()
    }
}

/// What is to be asked about one message.
#[derive(Debug)]
pub struct Inquiry {
    needs: Needs,
    client: Option<IpAddr>,
    helo: String,
    names: Names,
    auth: Questions,
}

/// What came back.
#[derive(Debug)]
pub struct Answers {
    needs: Needs,
    called: Option<client::Called>,
    helo: Option<Fact<bool>>,
    client_listed: Option<Fact<Gathered<String>>>,
    listings: Option<Gathered<Listing>>,
    auth: Said,
}

impl Inquiry {
    /// What to ask about a message. Of outbound mail nothing: its client is our own.
    pub fn of(mail: &Mail, probes: &Probes, limits: &message::Limits) -> Self {
        let needs = match mail.direction {
            Direction::Inbound => probes.needs,
            Direction::Outbound => Needs::default(),
        };
        Self {
            needs,
            client: mail.client.address.map(|address| address.ip().to_canonical()),
            helo: mail.client.helo.clone(),
            names: match needs.listings {
                true => names(mail, &probes.lists, limits),
                false => Names::default(),
            },
            auth: Questions::of(mail, &needs, limits),
        }
    }

    /// Asks everything at once. When the budget is over, what is still open has timed out.
    pub async fn ask(self, probes: &Probes) -> Answers {
        let over = CancellationToken::new();
        let dns = Bounded::new(Arc::clone(&probes.dns), over.clone());
        let (needs, client) = (self.needs, self.client);
        let lookups = async {
            let called = async {
                match client.filter(|_| needs.client_name) {
                    Some(client) => Some(client::called(&dns, client).await),
                    None => None,
                }
            };
            let helo = async {
                match client.filter(|_| needs.helo) {
                    Some(client) => Some(client::helo_leads_to(&dns, &self.helo, client).await),
                    None => None,
                }
            };
            let client_listed = async {
                match client {
                    _ if !needs.client_listed => None,
                    Some(client) => Some(Fact::Known(probes.lists.client(&dns, client).await)),
                    None => Some(Fact::Unknown("no-client")),
                }
            };
            let listings = async {
                match needs.listings {
                    true => Some(probes.lists.domains(&dns, &self.names).await),
                    false => None,
                }
            };
            let (auth, called, helo, client_listed, listings) =
                tokio::join!(self.auth.ask(&dns), called, helo, client_listed, listings);
            Answers {
                needs,
                called,
                helo,
                client_listed,
                listings,
                auth,
            }
        };
        let mut lookups = std::pin::pin!(lookups);
        match tokio::time::timeout(probes.total, lookups.as_mut()).await {
            Ok(answers) => answers,
            Err(_) => {
                over.cancel();
                lookups.await
            }
        }
    }
}

/// The domains of a message that lists are asked about. Only where some list is about links is its text read.
fn names(mail: &Mail, lists: &Lists, limits: &message::Limits) -> Names {
    let mut names = Names::default();
    let mut add = |origin, domain: Option<&Domain>| {
        if let Some(domain) = domain.filter(|_| lists.asks(origin)) {
            names.add(origin, domain);
        }
    };
    let message = match lists.asks(Origin::Author) || lists.asks(Origin::Link) {
        true => Some(Message::parse(&mail.bytes, limits)),
        false => None,
    };
    for author in message.iter().flat_map(|message| message.authors()) {
        add(Origin::Author, author.domain.as_ref());
    }
    let sender = mail.envelope.reverse_path.as_ref();
    add(Origin::Envelope, sender.and_then(|sender| sender.domain()).as_ref());
    add(Origin::Helo, Domain::parse(&mail.client.helo).as_ref());
    if lists.asks(Origin::Link) {
        for link in message.iter().flat_map(|message| message.links()) {
            add(Origin::Link, link.target.domain.as_ref());
        }
    }
    names
}

impl Answers {
    /// What rules see of it. Checks signatures, which takes a while for a large message.
    pub fn outside(&self, mail: &Mail, probes: &Probes, now: Timestamp) -> Outside {
        let mut outside = match probes.settings.checks {
            super::settings::Checks::Off => Outside::absent(),
            _ if mail.direction == Direction::Outbound => Outside::absent(),
            _ => Outside::not_gathered(),
        };
        if let Some(called) = &self.called {
            outside.client_name = called.name.clone();
            outside.client_name_confirmed = called.is_confirmed.clone();
        }
        if let Some(helo) = &self.helo {
            outside.helo_confirmed = helo.clone();
        }
        if let Some(listed) = &self.client_listed {
            outside.client_listed = listed.clone();
        }
        if let Some(listings) = &self.listings {
            outside.listings = Fact::Known(listings.clone());
        }
        if self.needs.any() {
            let conclusion = self.auth.conclude(mail, &self.needs, &probes.settings, now);
            outside.auth = conclusion.auth;
            outside.results = conclusion.results;
            outside.dmarc_failure = conclusion.failure;
        }
        outside
    }
}
