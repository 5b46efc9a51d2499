//! Messages as the gate would have received them, from one client and for one recipient, of which measurements
//! know nothing.

use bytes::Bytes;
use jiff::Timestamp;
use portreeve::mail::{Address, Client, Direction, Envelope, Mail, Recipient};
use std::sync::Arc;

/// With the line ends of the wire.
pub fn with_wire_ends(bytes: &[u8]) -> Vec<u8> {
    let lines = bytes.split(|byte| *byte == b'\n');
    let lines: Vec<&[u8]> = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line)).collect();
    lines.join(&b"\r\n"[..])
}

/// A message that somebody of a parish sent to a council.
pub fn mail(bytes: Vec<u8>) -> Mail {
    let address = |text: &str| Address::from_checked(text);
    Mail {
        id: uuid::Uuid::nil(),
        received: Timestamp::from_second(1_750_000_000).expect("a time"),
        listener: Arc::from("inbound"),
        direction: Direction::Inbound,
        client: Client {
            address: Some("192.0.2.7:25".parse().expect("an address")),
            name: None,
            helo: "mail.parish.example".to_owned(),
            extended: true,
            tls: None,
        },
        envelope: Envelope {
            reverse_path: Some(address("office@parish.example")),
            parameters: Vec::new(),
            recipients: vec![Recipient {
                address: address("clerk@council.example"),
                parameters: Vec::new(),
            }],
        },
        bytes: Bytes::from(bytes),
    }
}
