//! The desk: answers a session's MAIL, RCPT and end-of-data for the organisation.
//!
//! The relay guard first, then upstream's own answer. One transaction is one owned value, dropped
//! when it ends. Knows nothing of the wire below nor of how a message is judged.

use super::{Gate, Live, handle};
use crate::chance::message_id;
use crate::mail::{Client, Direction, Envelope, Mail, Recipient};
use crate::smtp::{Body, Desk, Hold, MailCommand, Offer, Reply};
use crate::upstream::{Route, Transaction};
use ipnet::IpNet;
use std::sync::Arc;

/// What a listener says of its connections.
#[derive(Debug, Clone)]
pub struct Profile {
    /// The listener's name.
    pub listener: Arc<str>,
    /// Which way its mail travels.
    pub direction: Direction,
    /// Whether its peers queue mail and would bounce what is refused.
    pub peer_relays: bool,
    /// The route that all its mail takes, whatever the recipient.
    pub upstream: Option<Arc<str>>,
    /// Relays of our own that say nothing of their client.
    pub trusted_relays: Arc<[IpNet]>,
}

/// One connection's desk.
pub struct GateDesk {
    gate: Arc<Gate>,
    profile: Profile,
    client: Client,
    draft: Option<Draft>,
}

/// A transaction in the making: what RSET drops.
struct Draft {
    /// The generation that the whole transaction is judged by.
    live: Arc<Live>,
    envelope: Envelope,
    bound: Option<Bound>,
}

/// The route that the first accepted recipient, or the only route there is, bound it to.
struct Bound {
    route: Arc<Route>,
    leg: Transaction,
}

impl GateDesk {
    /// A desk for one connection.
    pub fn new(gate: Arc<Gate>, profile: Profile) -> Self {
        Self {
            gate,
            profile,
            client: Client::default(),
            draft: None,
        }
    }
}

impl Desk for GateDesk {
    fn offer(&self) -> Offer {
        let live = self.gate.live.load();
        let upstream = live.upstreams.capabilities();
        Offer {
            size: upstream
                .size
                .map_or(live.message_size, |size| size.min(live.message_size)),
            smtputf8: upstream.smtputf8,
            dsn: upstream.dsn,
        }
    }

    async fn hello(&mut self, client: &Client) {
        self.draft = None;
        self.client = client.clone();
    }

    async fn mail(&mut self, mail: MailCommand) -> Reply {
        let live = self.gate.live.load_full();
        let envelope = Envelope {
            reverse_path: mail.reverse_path,
            parameters: mail.parameters,
            recipients: Vec::new(),
        };
        // With one place to go, upstream may answer MAIL itself; else the first recipient decides.
        let only = match &self.profile.upstream {
            Some(name) => live.upstreams.route_named(name),
            None => live.upstreams.only_route(),
        };
        let mut draft = Draft {
            live,
            envelope,
            bound: None,
        };
        let reply = match only {
            Some(route) => draft.bind(route, &self.client).await,
            None => Reply::new(250, "2.1.0", "Sender ok"),
        };
        self.draft = reply.is_success().then_some(draft);
        reply
    }

    async fn rcpt(&mut self, recipient: Recipient) -> Reply {
        let Some(draft) = &mut self.draft else {
            return out_of_order();
        };
        if self.profile.direction == Direction::Inbound && !draft.live.relay.allows(&recipient.address) {
            self.gate.telemetry.rejected("relay", "rcpt");
            return Reply::new(550, "5.7.1", "We do not take mail for that domain");
        }
        let route = match &self.profile.upstream {
            Some(name) => draft.live.upstreams.route_named(name),
            None => draft.live.upstreams.route_of(&recipient.address),
        };
        let Some(route) = route else {
            self.gate.telemetry.rejected("route", "rcpt");
            return self.no_route();
        };
        let bound_here = draft
            .bound
            .as_ref()
            .is_some_and(|bound| bound.route.name() == route.name());
        if !bound_here {
            if !draft.envelope.recipients.is_empty() {
                return Reply::new(
                    451,
                    "4.5.3",
                    "That recipient is served elsewhere, send again for it alone",
                );
            }
            let reply = draft.bind(route, &self.client).await;
            if !reply.is_success() {
                return reply;
            }
        }
        let Some(bound) = &mut draft.bound else {
            return out_of_order();
        };
        let reply = bound.leg.rcpt(&recipient).await;
        if reply.is_success() {
            draft.envelope.recipients.push(recipient);
        }
        reply
    }

    fn hold(&self) -> Hold {
        let bound = self.draft.as_ref().and_then(|draft| draft.bound.as_ref());
        bound.map_or(Hold::Nothing, |bound| bound.leg.hold())
    }

    async fn slow(&mut self) {
        if let Some(Bound { leg, .. }) = self.draft.as_mut().and_then(|draft| draft.bound.as_mut()) {
            leg.park().await;
        }
    }

    async fn message(&mut self, body: Body) -> Reply {
        let Some(Draft {
            live,
            envelope,
            bound: Some(Bound { leg, .. }),
        }) = self.draft.take()
        else {
            return out_of_order();
        };
        let received = self.gate.clock.now();
        let mail = Mail {
            id: message_id(received, self.gate.chance.as_ref()),
            received,
            listener: Arc::clone(&self.profile.listener),
            direction: self.profile.direction,
            client: self.client.clone(),
            envelope,
            bytes: body.bytes,
        };
        handle(mail, body.read, &self.gate, &live, leg, &self.profile).await
    }

    async fn reset(&mut self) {
        self.draft = None;
    }
}

impl GateDesk {
    fn no_route(&self) -> Reply {
        match &self.profile.upstream {
            // The listener's own route is gone since it started: our mistake, so the sender may come back.
            Some(_) => Reply::new(451, "4.3.5", "Our own set-up is at fault, try again later"),
            None => Reply::new(550, "5.1.2", "No route leads to that domain"),
        }
    }
}

impl Draft {
    /// Opens the transaction upstream for this client. Upstream's answer to MAIL, whatever it is.
    async fn bind(&mut self, route: Arc<Route>, client: &Client) -> Reply {
        let (reply, leg) = route
            .open(client, self.envelope.reverse_path.as_ref(), &self.envelope.parameters)
            .await;
        self.bound = leg.map(|leg| Bound { route, leg });
        reply
    }
}

fn out_of_order() -> Reply {
    Reply::new(503, "5.5.1", "Commands out of order")
}
