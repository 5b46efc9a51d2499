//! One message on its way to one route, from MAIL to the reply to its dot.
//!
//! Recipients are asked as they come; the message goes to all or some of those accepted. Every way
//! that it can end is one of [`Delivery`]. Knows nothing of why the recipients became fewer.

use super::Delivery;
use super::answers::together;
use super::connection::Sent;
use super::failure::{Failure, Stage};
use super::maildir::{Maildir, Unwritten};
use super::pool::Lease;
use super::route::{Route, Way};
use crate::mail::{Client, Envelope, Recipient};
use crate::smtp::client::Fault;
use crate::smtp::{Hold, Reply};
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// How long RSET may take while the client's body comes in: nobody reads that meanwhile.
const PARK_PATIENCE: Duration = Duration::from_secs(5);

/// One message on its way to one route: opened by MAIL, ended by [`Transaction::deliver`] or by
/// being dropped (the connection is then reset before anyone else has it).
pub struct Transaction {
    route: Arc<Route>,
    /// Whose message it is, as upstream hears it.
    client: Client,
    /// What upstream accepted so far.
    accepted: Envelope,
    /// `None` while parked, and once the connection is lost: the next step says everything again.
    way: Option<Way>,
    /// Given back by ourselves, so that there is no reason to think the server gone.
    is_parked: bool,
    late: Option<Late>,
}

/// Hears upstream's reply to a dot that we had given up on.
type Late = Box<dyn FnOnce(Reply) + Send + Sync>;

impl Transaction {
    pub(super) fn new(route: Arc<Route>, client: Client, accepted: Envelope, way: Way) -> Self {
        Self {
            route,
            client,
            accepted,
            way: Some(way),
            is_parked: false,
            late: None,
        }
    }

    /// Has `heard` called with upstream's reply to the dot, should it come only after `deliver` had to say
    /// `Unsure`: a late 250 means that a retry is a second copy. Called at most once, maybe never.
    pub fn on_late_reply(&mut self, heard: impl FnOnce(Reply) + Send + Sync + 'static) {
        self.late = Some(Box::new(heard));
    }

    /// The route that it is on.
    pub fn route(&self) -> &Arc<Route> {
        &self.route
    }

    /// Whether it holds a connection, and whether others wait for one.
    pub fn hold(&self) -> Hold {
        match &self.way {
            Some(Way::Smtp { lease, .. }) if lease.is_waited_for() => Hold::Wanted,
            Some(Way::Smtp { .. }) => Hold::Spare,
            Some(Way::Maildir(_)) | None => Hold::Nothing,
        }
    }

    /// Asks upstream RCPT, after MAIL and the recipients before where it was parked. Its reply, softened where it
    /// must be.
    pub async fn rcpt(&mut self, recipient: &Recipient) -> Reply {
        if self.is_parked && self.way.is_none() {
            match self.reopen(&self.accepted).await {
                Ok(way) => self.way = Some(way),
                Err(reply) => return reply,
            }
        }
        let reply = match &mut self.way {
            Some(Way::Maildir(_)) => Reply::new(250, "2.1.5", "Recipient accepted"),
            Some(Way::Smtp { lease, target }) => match lease.connection.rcpt(recipient).await {
                Ok(reply) => reply,
                Err(failure) => {
                    let reply = self.route.events.failed(target, &failure);
                    if failure.is_of_connection() {
                        self.is_parked = false;
                        self.give_back();
                    }
                    reply
                }
            },
            None => Reply::new(
                451,
                "4.4.2",
                "The mail server behind us closed the connection; try again later",
            ),
        };
        if reply.is_success() {
            self.accepted.recipients.push(recipient.clone());
        }
        reply
    }

    /// Gives the connection back while the client dawdles; `rcpt` and `deliver` say MAIL and RCPT again.
    pub async fn park(&mut self) {
        if let Some(Way::Smtp { lease, .. }) = &mut self.way {
            self.is_parked = true;
            // Without a prompt 250 the connection is out of step, and giving it back closes it.
            let _ = timeout(PARK_PATIENCE, lease.connection.reset()).await;
            self.give_back();
        }
    }

    /// Sends the message to the recipients of `envelope`, which are all or some of those accepted.
    /// When they are fewer, or the transaction was parked, MAIL and RCPT are said again, pipelined,
    /// and any changed answer is `NotSent` with a 4xx.
    pub async fn deliver(mut self, envelope: &Envelope, pieces: &[Bytes]) -> Delivery {
        match self.way.take() {
            Some(Way::Maildir(maildir)) => self.deliver_to_maildir(&maildir, envelope, pieces).await,
            Some(Way::Smtp { lease, target }) if self.stands_open_for(envelope) => {
                self.send(lease, &target, pieces).await
            }
            Some(Way::Smtp { lease, target }) => match self.replay(lease, &target, envelope).await {
                Ok(lease) => self.send(lease, &target, pieces).await,
                Err(reply) => Delivery::NotSent(reply),
            },
            None => match self.reopen(envelope).await {
                Ok(Way::Smtp { lease, target }) => self.send(lease, &target, pieces).await,
                Ok(Way::Maildir(maildir)) => self.deliver_to_maildir(&maildir, envelope, pieces).await,
                Err(reply) => Delivery::NotSent(reply),
            },
        }
    }

    /// Whether what upstream accepted is what is to be sent.
    fn stands_open_for(&self, envelope: &Envelope) -> bool {
        envelope.reverse_path == self.accepted.reverse_path && envelope.recipients == self.accepted.recipients
    }

    /// Says MAIL and RCPT again on the connection that we have.
    async fn replay(&self, mut lease: Lease, target: &str, envelope: &Envelope) -> Result<Lease, Reply> {
        let said = lease.connection.begin(&self.client, envelope);
        let patience = self.route.deadlines.upstream_replay.0;
        let failure = match timeout(patience, said).await {
            Ok(Ok(_)) => return Ok(lease),
            Ok(Err(failure)) => failure,
            Err(_) => Failure::Fault(Stage::Mail, Fault::TimedOut),
        };
        lease.give_back();
        let reply = self.route.events.failed(target, &failure);
        Err(changed(reply, &failure))
    }

    /// Says MAIL and RCPT again on whatever connection is to be had.
    async fn reopen(&self, envelope: &Envelope) -> Result<Way, Reply> {
        let patience = self.route.deadlines.upstream_replay.0;
        match self.route.open_way(&self.client, envelope, patience).await {
            Ok((_, way)) => Ok(way),
            Err((reply, failure)) => Err(changed(reply, &failure)),
        }
    }

    async fn send(&mut self, mut lease: Lease, target: &str, pieces: &[Bytes]) -> Delivery {
        let sent = lease.connection.message(pieces).await;
        match self.late.take() {
            Some(heard) if sent.is_too_late() => {
                // It keeps its slot meanwhile: a server that slow needs no further connection.
                tokio::spawn(async move {
                    if let Some(reply) = lease.connection.late_reply().await {
                        heard(reply);
                    }
                });
            }
            _ => lease.give_back(),
        }
        let events = &self.route.events;
        match sent {
            Sent::Answered(answers) => together(answers, |failure| events.failed(target, failure)),
            Sent::NotWhole(failure @ Failure::Answer(..)) => Delivery::Refused(events.failed(target, &failure)),
            Sent::NotWhole(failure) => Delivery::NotSent(events.failed(target, &failure)),
            Sent::Silence(failure) => Delivery::Unsure(events.failed(target, &failure)),
        }
    }

    async fn deliver_to_maildir(&self, maildir: &Maildir, envelope: &Envelope, pieces: &[Bytes]) -> Delivery {
        let unwritten = match maildir.deliver(envelope, pieces).await {
            Ok(()) => return Delivery::Accepted(Reply::new(250, "2.0.0", "Delivered")),
            Err(unwritten) => unwritten,
        };
        self.route.events.warn(&maildir.to_string(), &unwritten);
        match unwritten {
            Unwritten::Full(_) => Delivery::NotSent(Reply::new(
                452,
                "4.3.1",
                "No room for this message now; try again later",
            )),
            Unwritten::Failed(_) => Delivery::NotSent(Reply::new(
                451,
                "4.3.0",
                "This message can't be stored now; try again later",
            )),
            Unwritten::Unsure(_) => Delivery::Unsure(Reply::new(
                451,
                "4.3.0",
                "This message may not be stored safely; try again later",
            )),
        }
    }

    fn give_back(&mut self) {
        if let Some(Way::Smtp { lease, .. }) = self.way.take() {
            lease.give_back();
        }
    }
}

/// Nothing of a transaction is left behind: the connection is reset before its next, or closed when it
/// is out of step.
impl Drop for Transaction {
    fn drop(&mut self) {
        self.give_back();
    }
}

impl fmt::Debug for Transaction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Transaction")
            .field("route", &self.route.name())
            .field("recipients", &self.accepted.recipients.len())
            .finish_non_exhaustive()
    }
}

/// What was accepted once and is refused now can't be passed back: the client was told otherwise, and other
/// recipients with it.
fn changed(reply: Reply, failure: &Failure) -> Reply {
    match failure {
        Failure::Answer(..) | Failure::NeedsSmtpUtf8 | Failure::Unsendable => Reply::new(
            451,
            "4.3.0",
            "The mail server behind us no longer takes what it took before; try again later",
        ),
        Failure::Fault(..) | Failure::NoXclient | Failure::Busy => reply,
    }
}
