//! The limits and deadlines of an SMTP session, under the names that settings give them.
//!
//! Plain values with their defaults; what happens at each is decided where it is reached.

use crate::units::{Size, Span};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How much a session, a client and all clients together may have: part of `[limits]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Largest message, dot-stuffing undone; upstream's SIZE may lower it.
    pub message_size: Size,
    /// Connections at once, all listeners together.
    pub connections: usize,
    /// Connections at once from one client: an IPv4 address or an IPv6 /64.
    pub connections_per_client: usize,
    /// Bytes of message bodies in memory, all sessions together, beyond each session's first 64 KiB.
    pub memory: Size,
    /// Accepted recipients of one transaction; RFC 5321 §4.5.3.1.8 asks for 100 at least.
    pub recipients: usize,
    /// Commands of one session answered 5xx, since its last accepted message.
    pub errors: usize,
    /// Commands of one session that carry no mail (NOOP, RSET, VRFY, HELP, HELO), since its last
    /// accepted message.
    pub junk_commands: usize,
    /// Bytes a second below which a body, after `data_grace`, is given up; an average.
    pub data_rate: Size,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_size: Size(50_000_000),
            connections: 1000,
            connections_per_client: 50,
            memory: Size(512_000_000),
            recipients: 1000,
            errors: 20,
            junk_commands: 100,
            data_rate: Size(500),
        }
    }
}

/// How long a session waits for what: part of `[deadlines]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Deadlines {
    /// Wait before the greeting, in which a client that speaks gives itself away.
    pub greet_delay: Span,
    /// For each whole command (RFC 5321 §4.5.3.2.7).
    pub command: Span,
    /// The same while nearly all connections are taken.
    pub command_overload: Span,
    /// For each block of a body (RFC 5321 §4.5.3.2.5).
    pub data_block: Span,
    /// How long a body may stay below `data_rate`.
    pub data_grace: Span,
    /// For a whole body.
    pub data: Span,
    /// After this, an incomplete body no longer holds an upstream connection.
    pub slow_data: Span,
    /// For the client to take what is written to it.
    pub write: Span,
    /// For a TLS handshake.
    pub handshake: Span,
    /// How long a body waits for memory.
    pub memory: Span,
    /// How long sessions may go on with a message after the daemon was told to stop.
    pub drain: Span,
}

impl Default for Deadlines {
    fn default() -> Self {
        let seconds = |seconds| Span(Duration::from_secs(seconds));
        Self {
            greet_delay: seconds(0),
            command: seconds(300),
            command_overload: seconds(10),
            data_block: seconds(180),
            data_grace: seconds(60),
            data: seconds(3600),
            slow_data: seconds(5),
            write: seconds(60),
            handshake: seconds(30),
            memory: seconds(2),
            drain: seconds(30),
        }
    }
}
