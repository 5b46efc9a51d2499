//! The faults of an upstream, each over real loopback TCP against a scripted server.

use super::settings::{Settings, Targets, TlsMode};
use super::test_sink::{Act, Sink, parts, upstreams};
use super::*;
use crate::mail::{Envelope, Parameter, Recipient};
use crate::units::Span;
use bytes::Bytes;
use std::time::Duration;

const BODY: &[u8] = b"Subject: x\r\n\r\n.\r\n..dots\r\n";

fn address(text: &str) -> Address {
    Address::from_checked(text)
}

fn recipient(text: &str) -> Recipient {
    Recipient {
        address: address(text),
        parameters: Vec::new(),
    }
}

fn envelope(recipients: &[&str]) -> Envelope {
    Envelope {
        reverse_path: Some(address("sender@example.org")),
        parameters: Vec::new(),
        recipients: recipients.iter().map(|text| recipient(text)).collect(),
    }
}

fn route(sink: &Sink) -> Arc<Route> {
    upstreams(&[sink.settings()]).only_route().unwrap()
}

/// MAIL, every RCPT and the message, as a session would have it.
async fn converse(route: &Arc<Route>, recipients: &[&str]) -> Result<Delivery, Reply> {
    let envelope = envelope(recipients);
    let (reply, transaction) = route.open(envelope.reverse_path.as_ref(), &[]).await;
    let Some(mut transaction) = transaction else {
        return Err(reply);
    };
    assert!(reply.is_success());
    for recipient in &envelope.recipients {
        let reply = transaction.rcpt(recipient).await;
        if !reply.is_success() {
            return Err(reply);
        }
    }
    Ok(transaction.deliver(&envelope, &[Bytes::from_static(BODY)]).await)
}

#[tokio::test]
async fn a_message_arrives_whole_with_its_envelope() {
    let sink = Sink::start().await;
    let delivery = converse(&route(&sink), &["a@example.net", "postmaster"]).await.unwrap();
    assert!(matches!(delivery, Delivery::Accepted(reply) if reply.to_string() == "250 2.0.0 taken"));
    let taken = sink.taken();
    assert_eq!(taken.len(), 1);
    assert_eq!(
        taken[0].commands,
        [
            "MAIL FROM:<sender@example.org>",
            "RCPT TO:<a@example.net>",
            "RCPT TO:<postmaster>"
        ]
    );
    assert_eq!(taken[0].body, BODY);
}

#[tokio::test]
async fn a_clean_connection_serves_the_next_message_without_rset() {
    let sink = Sink::start().await;
    let route = route(&sink);
    for _ in 0..3 {
        assert!(matches!(converse(&route, &["a@b"]).await, Ok(Delivery::Accepted(_))));
    }
    assert_eq!((sink.connections(), sink.taken().len()), (1, 3));
    assert!(!sink.heard().contains(&"RSET".to_owned()));
}
