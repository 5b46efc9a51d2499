//! A message: its envelope and bytes, and a parsed, bounded view of them.
//!
//! [`Mail`] is what the wire gave us and is never changed; [`Message`] is how it reads. Within:
//! `header` gives fields and `part` the MIME tree at once; on demand `mailbox`, `received` and `thread`
//! read fields, `body` renders parts through `text` and `html` onto a `page`, `link` finds links and `unwrap` what
//! they wrap, `language`, `phone`, `bank` and `crypto` look at the text that came of it, `attachment` names files
//! and `kind` what is in them; `defects` is what a strict reader would object to. `alone` has some of these by themselves,
//! to be measured and fuzzed. Knows nothing of sessions, rules, policy or storage, and does no I/O.

pub mod address;
pub mod alone;
mod attachment;
mod attribute;
mod bank;
mod body;
mod canvas;
mod charset;
mod colour;
mod crypto;
mod defects;
mod digits;
pub mod domain;
mod element;
mod encoded_word;
pub mod envelope;
mod header;
mod html;
mod kind;
mod language;
mod limits;
mod link;
mod link_hosts;
mod mailbox;
pub mod message;
mod page;
mod parameter;
mod part;
mod pausing_reader;
mod phone;
#[cfg(test)]
mod properties;
mod quiet_emitter;
mod received;
mod sheet;
mod style;
mod text;
mod thread;
mod transfer;
mod unwrap;
mod url;
mod wording;

pub use address::Address;
pub use domain::Domain;
pub use envelope::{Envelope, Parameter, Recipient};
pub use message::{
    Attachment, Defect, Field, Form, Hop, Image, Limits, Link, Mailbox, Message, Mismatch, Origin, Part, Thread, Url,
    Via, Wrapping,
};

use bytes::Bytes;
use jiff::Timestamp;
use std::net::SocketAddr;
use std::sync::Arc;

/// Which way mail travels, seen from the organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From the world to us.
    Inbound,
    /// From us to the world.
    Outbound,
}

impl Direction {
    /// The word used in settings, rules, logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }
}

/// Who sent the message, as far as the wire tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Client {
    /// The first untrusted hop; `None` when it could not be found out.
    pub address: Option<SocketAddr>,
    /// Its reverse name, where a front of ours states one.
    pub name: Option<String>,
    /// The argument of HELO or EHLO, as it came; empty when there was none.
    pub helo: String,
    /// Whether the client said EHLO.
    pub extended: bool,
    /// The TLS version and cipher suite, such as `TLSv1.3 TLS13_AES_256_GCM_SHA384`; `None` in the clear.
    pub tls: Option<String>,
}

/// One message as the wire gave it: immutable once received.
#[derive(Debug, Clone)]
pub struct Mail {
    /// UUIDv7, the same in log, reply, header and store.
    pub id: uuid::Uuid,
    /// When DATA was complete.
    pub received: Timestamp,
    /// The listener's name.
    pub listener: Arc<str>,
    /// From the listener.
    pub direction: Direction,
    /// The sending host.
    pub client: Client,
    /// Reverse-path and accepted recipients with their parameters.
    pub envelope: Envelope,
    /// The message, CRLF line ends, dot-stuffing undone, without the final dot.
    pub bytes: Bytes,
}
