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

impl Limits {
    /// What is wrong with them: the key, and a sentence for each fault.
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        if self.recipients < RECIPIENTS_MIN {
            let text = format!("RFC 5321 asks for {RECIPIENTS_MIN} recipients at least");
            faults.push(("recipients", text));
        }
        if self.message_size.0 < MESSAGE_SIZE_MIN {
            let text = format!("RFC 5321 asks for messages of {MESSAGE_SIZE_MIN} bytes at least");
            faults.push(("message_size", text));
        }
        if self.memory.0 < self.message_size.0 {
            let text = format!("is less than one message of {} may need", self.message_size);
            faults.push(("memory", text));
        }
        for (key, count) in [
            ("connections", self.connections),
            ("connections_per_client", self.connections_per_client),
        ] {
            if count == 0 {
                faults.push((key, "nobody could connect".to_owned()));
            }
        }
        faults
    }
}

/// Fewest recipients to take (RFC 5321 §4.5.3.1.8).
const RECIPIENTS_MIN: usize = 100;
/// Smallest message limit, in bytes (RFC 5321 §4.5.3.1.7).
const MESSAGE_SIZE_MIN: u64 = 64 * 1024;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_below_what_the_standard_asks_for_are_named() {
        assert!(Limits::default().faults().is_empty());
        for (recipients, fine) in [(99, false), (100, true), (101, true)] {
            let limits = Limits {
                recipients,
                ..Limits::default()
            };
            assert_eq!(limits.faults().is_empty(), fine, "{recipients}");
        }
        let small = Limits {
            message_size: Size(65_535),
            memory: Size(65_534),
            connections: 0,
            connections_per_client: 0,
            ..Limits::default()
        };
        let keys: Vec<&str> = small.faults().iter().map(|(key, _)| *key).collect();
        assert_eq!(
            keys,
            ["message_size", "memory", "connections", "connections_per_client"]
        );
    }
}
