//! Where mail goes on: routes by recipient domain, each with its targets and their pools.
//!
//! A [`Transaction`] carries one message to one route. Replies that leave here are already fit for
//! the client: faults of upstream's have become 4xx, softening applied. Knows nothing of rules,
//! verdicts or storage.

use crate::mail::{Address, Envelope, Parameter, Recipient};
use crate::smtp::Reply;
use bytes::Bytes;
use std::sync::Arc;

/// How a delivery ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// Upstream said 2xx to the dot: it is theirs.
    Accepted(Reply),
    /// Upstream answered the dot, or DATA, with this: it is not theirs.
    Refused(Reply),
    /// It was never sent whole: a 4xx of ours.
    NotSent(Reply),
    /// Upstream went away, or stayed silent, after our dot: it may be theirs. A 4xx of ours.
    Unsure(Reply),
}

impl Delivery {
    /// What the client is told.
    pub const fn reply(&self) -> &Reply {
        match self {
            Self::Accepted(reply) | Self::Refused(reply) | Self::NotSent(reply) | Self::Unsure(reply) => reply,
        }
    }
}

/// What every target of the routes takes, as last probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// The smallest SIZE limit; `None` when none is stated.
    pub size: Option<u64>,
    /// SMTPUTF8 everywhere.
    pub smtputf8: bool,
    /// DSN everywhere.
    pub dsn: bool,
}

/// All routes.
#[derive(Debug)]
pub struct Upstreams {}

/// One route: recipient domains and where their mail goes.
#[derive(Debug)]
pub struct Route {}

/// One message on its way to one route: opened by MAIL, ended by [`Transaction::deliver`] or by
/// being dropped (the connection is then reset before anyone else has it).
#[derive(Debug)]
pub struct Transaction {}

impl Upstreams {
    /// The route of a recipient: its exact domain, else the longest `*.suffix`, else `*`.
    pub fn route_of(&self, _recipient: &Address) -> Option<Arc<Route>> {
        None
    }

    /// The route of this name.
    pub fn route_named(&self, _name: &str) -> Option<Arc<Route>> {
        None
    }

    /// The one route, when there is just one: MAIL can then be asked upstream at once.
    pub fn only_route(&self) -> Option<Arc<Route>> {
        None
    }

    /// What EHLO may offer, from the last probe; before one, nothing beyond the basics.
    pub fn capabilities(&self) -> Capabilities {
        Capabilities {
            size: None,
            smtputf8: false,
            dsn: false,
        }
    }
}

impl Route {
    /// The name in settings, logs and metrics.
    pub fn name(&self) -> &str {
        ""
    }

    /// Asks upstream MAIL. Upstream's reply, whatever it is; the transaction is there when it is 2xx.
    pub async fn open(
        self: &Arc<Self>,
        _reverse_path: Option<&Address>,
        _parameters: &[Parameter],
    ) -> (Reply, Option<Transaction>) {
        (Reply::new(451, "4.3.0", "not built"), None)
    }

    /// Opens, asks every recipient and delivers: a release. Delivered only if every recipient is taken.
    pub async fn deliver(self: &Arc<Self>, _envelope: &Envelope, _pieces: &[Bytes]) -> Delivery {
        Delivery::NotSent(Reply::new(451, "4.3.0", "not built"))
    }
}

impl Transaction {
    /// Asks upstream RCPT. Its reply, softened where it must be.
    pub async fn rcpt(&mut self, _recipient: &Recipient) -> Reply {
        Reply::new(451, "4.3.0", "not built")
    }

    /// Gives the connection back while the body dawdles; `deliver` says MAIL and RCPT again.
    pub async fn park(&mut self) {}

    /// Sends the message to the recipients of `envelope`, which are all or some of those accepted.
    /// When they are fewer, or the transaction was parked, MAIL and RCPT are said again, pipelined,
    /// and any changed answer is `NotSent` with a 4xx.
    pub async fn deliver(self, _envelope: &Envelope, _pieces: &[Bytes]) -> Delivery {
        Delivery::NotSent(Reply::new(451, "4.3.0", "not built"))
    }
}
