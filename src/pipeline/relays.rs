//! The client behind relays of our own that say nothing of it: the first untrusted hop of the trace.
//!
//! A message as its peer brought it enters, the one that evidence and log see leaves. Each
//! trusted relay has put a Received field on top, which names who spoke to it; the first that names
//! somebody else names the client, and what stands below is that client's own claim. Pure. Knows
//! nothing of limits and headers, which stay the peer's.

use crate::mail::{Client, Hop, Mail, Message, message};
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// How far into a message its trace is looked for, in bytes: a hundred fields of the longest kind
/// that relays write.
const TRACE_MOST: usize = 64 << 10;

/// The message with the client that its trace tells of. Its bytes are shared.
pub fn seen(mail: &Arc<Mail>, trusted: &[IpNet], limits: &message::Limits) -> Arc<Mail> {
    if trusted.is_empty() {
        return Arc::clone(mail);
    }
    Arc::new(Mail {
        client: client(&mail.client, &mail.bytes, trusted, limits),
        ..Mail::clone(mail)
    })
}

/// Who spoke to the first of our relays. The peer itself when it is none of them; a client without
/// an address when the trace does not tell.
fn client(peer: &Client, bytes: &[u8], trusted: &[IpNet], limits: &message::Limits) -> Client {
    let comes_from_relay = peer
        .address
        .is_some_and(|address| trusts(trusted, address.ip().to_canonical()));
    if !comes_from_relay {
        return peer.clone();
    }
    let trace = bytes.get(..TRACE_MOST).unwrap_or(bytes);
    let header_end = memchr::memmem::find(trace, b"\r\n\r\n").map_or(trace.len(), |end| end + 2);
    let message = Message::parse(trace.get(..header_end).unwrap_or(trace), limits);
    behind(message.received(), trusted)
}

/// The client that a trace names: the first address that is no relay of ours. One without an
/// address when the trace does not tell.
pub fn behind(trace: &[Hop], trusted: &[IpNet]) -> Client {
    for hop in trace {
        match hop.ip.map(|address| address.to_canonical()) {
            Some(address) if trusts(trusted, address) => {}
            Some(address) => return of(hop, address),
            // Whoever it was, the fields below may be forged by now.
            None => break,
        }
    }
    Client::default()
}

fn trusts(trusted: &[IpNet], address: IpAddr) -> bool {
    trusted.iter().any(|network| network.contains(&address))
}

/// The client that a relay's field names. Its port and the kind of its TLS are not told.
fn of(hop: &Hop, address: IpAddr) -> Client {
    let helo = if hop.helo.is_empty() { &hop.from } else { &hop.helo };
    let protocol = hop.protocol.to_ascii_uppercase();
    let is_secured = protocol.ends_with("SMTPS") || protocol.ends_with("SMTPSA");
    Client {
        address: Some(SocketAddr::new(address, 0)),
        name: Some(hop.rdns.clone()).filter(|name| !name.is_empty() && name != "unknown"),
        helo: helo.clone(),
        extended: protocol != "SMTP",
        tls: is_secured.then(|| "TLS".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRONT: &str = "Received: from edge (edge.council.example [10.0.0.7])\r\n by front with ESMTP id a;\r\n Mon, 6 Jan 2025 10:00:00 +0000\r\n";
    const EDGE: &str = "Received: from mx.sender.example (host.sender.example [203.0.113.9])\r\n by edge with ESMTPS id b;\r\n Mon, 6 Jan 2025 09:59:00 +0000\r\n";
    const NEXT: &str = "Received: from inner (inner [198.51.100.1])\r\n by mx.sender.example with ESMTP id c;\r\n Mon, 6 Jan 2025 09:58:00 +0000\r\n";
    const NAMELESS: &str = "Received: by front (Postfix, from userid 0)\r\n id d; Mon, 6 Jan 2025 10:00:00 +0000\r\n";

    fn seen(peer: &str, fields: &[&str]) -> Client {
        let peer = Client {
            address: peer.parse().ok(),
            helo: "front".to_owned(),
            ..Client::default()
        };
        let trusted = ["10.0.0.0/8".parse().unwrap(), "2001:db8:1::/48".parse().unwrap()];
        let bytes = format!("{}Subject: x\r\n\r\n{NEXT}", fields.concat());
        client(&peer, bytes.as_bytes(), &trusted, &message::Limits::default())
    }

    #[test]
    fn the_first_untrusted_hop_is_the_client() {
        for (peer, fields, expected) in [
            ("10.0.0.1:9", vec![EDGE, NEXT], Some("203.0.113.9:0")),
            ("10.0.0.1:9", vec![FRONT, EDGE, NEXT], Some("203.0.113.9:0")),
            (
                "10.0.0.1:9",
                vec!["X-Other: 1\r\n", FRONT, "X-Other: 2\r\n", EDGE],
                Some("203.0.113.9:0"),
            ),
            ("[::ffff:10.0.0.1]:9", vec![EDGE], Some("203.0.113.9:0")),
            ("[2001:db8:1::1]:9", vec![EDGE], Some("203.0.113.9:0")),
            // No relay of ours: its own address, whatever the message claims.
            ("203.0.113.77:9", vec![EDGE, NEXT], Some("203.0.113.77:9")),
            // The trace ends among our own, or tells no address.
            ("10.0.0.1:9", vec![], None),
            ("10.0.0.1:9", vec![FRONT], None),
            ("10.0.0.1:9", vec![NAMELESS, EDGE], None),
            ("10.0.0.1:9", vec![FRONT, "Received: nonsense\r\n", EDGE], None),
        ] {
            let address = expected.map(|text| text.parse().unwrap());
            assert_eq!(seen(peer, &fields).address, address, "{peer} {fields:?}");
        }
    }

    #[test]
    fn what_the_relay_wrote_of_it_comes_along() {
        let client = seen("10.0.0.1:9", &[EDGE]);
        assert_eq!((client.helo.as_str(), client.extended), ("mx.sender.example", true));
        assert_eq!(
            (client.name.as_deref(), client.tls.as_deref()),
            (Some("host.sender.example"), Some("TLS"))
        );
        let unknown = seen("10.0.0.1:9", &[FRONT]);
        assert_eq!(unknown, Client::default(), "nothing of the relay's own");
    }

    #[test]
    fn a_trace_has_its_longest() {
        for (padding, found) in [(TRACE_MOST - EDGE.len() - 5, true), (TRACE_MOST, false)] {
            let filler = format!("X: {}\r\n", "x".repeat(padding));
            assert_eq!(
                seen("10.0.0.1:9", &[&filler, EDGE]).address.is_some(),
                found,
                "{padding}"
            );
        }
    }
}
