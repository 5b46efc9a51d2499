//! The wire protocol, server and client; knows nothing of spam, rules or storage.
//!
//! [`command`], [`mod@line`] and [`data`] read bytes, [`session`] decides (pure), [`connection`] drives it
//! over any stream, and asks a [`Desk`] what to answer. [`client`] is the other side of the wire.

pub mod body_memory;
pub mod budget;
pub mod client;
pub mod command;
pub mod connection;
pub mod data;
mod front;
pub mod limits;
pub mod line;
mod parameters;
mod path;
pub mod refusal;
pub mod reply;
pub mod session;

pub use limits::{Deadlines, Limits};
pub use reply::Reply;

use crate::mail::{Address, Client, Parameter, Recipient};
use bytes::Bytes;
use std::future::Future;

/// MAIL, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailCommand {
    /// `None` is the null reverse-path.
    pub reverse_path: Option<Address>,
    /// As they came.
    pub parameters: Vec<Parameter>,
    /// SIZE's value (RFC 1870), in bytes.
    pub size: Option<u64>,
    /// Whether SMTPUTF8 (RFC 6531) was asked for.
    pub smtputf8: bool,
}

/// What EHLO may offer now, beyond what every session offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// The SIZE limit in bytes: the smaller of ours and upstream's.
    pub size: u64,
    /// Whether upstream takes SMTPUTF8.
    pub smtputf8: bool,
    /// Whether upstream takes DSN parameters (RFC 3461).
    pub dsn: bool,
}

/// Who connects to a listener.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Peer {
    /// Senders that give up, or tell their user, when they are refused.
    #[default]
    Internet,
    /// A relay that queues: refused, it would bounce to a reverse-path that may be forged.
    Relay,
}

/// A complete message and where its bytes are accounted for.
#[derive(Debug)]
pub struct Body {
    /// CRLF line ends, dot-stuffing undone, the final dot removed.
    pub bytes: Bytes,
    /// How long DATA took to arrive.
    pub read: std::time::Duration,
}

/// What a transaction holds while its client is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// Nothing that anybody else could use.
    Nothing,
    /// Something that nobody else wants at this moment.
    Spare,
    /// Something that others wait for.
    Wanted,
}

/// Who answers for the organisation: implemented above, asked by [`connection`] at each step.
///
/// Calls come in protocol order: `hello`, then for each transaction `mail`, `rcpt` once for each
/// recipient, then `message` or `reset`. A desk that is dropped has been reset.
pub trait Desk: Send {
    /// What EHLO offers at this moment.
    fn offer(&self) -> Offer;

    /// HELO or EHLO was accepted, anew after STARTTLS; any transaction is gone. Also when a front says,
    /// between transactions, that it speaks for another client now.
    fn hello(&mut self, client: &Client) -> impl Future<Output = ()> + Send;

    /// MAIL: a 2xx opens a transaction.
    fn mail(&mut self, mail: MailCommand) -> impl Future<Output = Reply> + Send;

    /// RCPT: a 2xx adds a recipient.
    fn rcpt(&mut self, recipient: Recipient) -> impl Future<Output = Reply> + Send;

    /// What the transaction holds.
    fn hold(&self) -> Hold {
        Hold::Nothing
    }

    /// The client keeps us waiting, in a body for a while or anywhere while others wait: let go of what the
    /// transaction holds.
    fn slow(&mut self) -> impl Future<Output = ()> + Send;

    /// The whole message: the reply to end-of-data. The transaction is over whatever it says.
    fn message(&mut self, body: Body) -> impl Future<Output = Reply> + Send;

    /// The transaction is abandoned: RSET, a new HELO, an oversize or malformed body, or the end.
    fn reset(&mut self) -> impl Future<Output = ()> + Send;
}
