//! The client half of SMTP and of LMTP: what is said to a server, and how its answers are read.
//!
//! A [`Dialogue`] runs over any stream; in go [`Command`]s and body pieces, out come [`Reply`]s or
//! a [`Fault`]. It reads strictly and within bounds, since an upstream may be broken or hostile too.
//! Knows nothing of routes, pools, names or TLS settings, and decides nothing about a reply.
//!
//! [`Reply`]: super::Reply

mod answer;
mod attributes;
mod body;
mod command;
mod dialogue;
mod extensions;

pub use attributes::{Attributes, xclient, xforward};
pub use command::{Command, Unsendable};
pub use dialogue::{BodyFault, BodyPatience, Dialogue};
pub use extensions::Extensions;

use std::fmt;

/// Which of the two a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// RFC 5321: EHLO, and one answer to a message.
    Smtp,
    /// RFC 2033: LHLO, and one answer to a message for each recipient that was accepted.
    Lmtp,
}

/// What went wrong at the other end of the wire, or on the way there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// No connection: refused, no route, no such name, with the system's words.
    Unreachable(String),
    /// Nothing complete came, or nothing was taken, within the deadline.
    TimedOut,
    /// The connection ended where it should not.
    Dropped,
    /// What came is no SMTP reply, or is none where one was due.
    Garbled(&'static str),
    /// Encryption is wanted and can't be had, and why.
    Insecure(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) => write!(formatter, "can't be reached: {why}"),
            Self::TimedOut => formatter.write_str("did not answer in time"),
            Self::Dropped => formatter.write_str("closed the connection"),
            Self::Garbled(what) => write!(formatter, "does not speak its protocol properly: {what}"),
            Self::Insecure(why) => write!(formatter, "gives no secure connection: {why}"),
        }
    }
}
