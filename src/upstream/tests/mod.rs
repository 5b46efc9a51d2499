//! The upstream leg against a scripted server: what goes well here, each kind of trouble in a file.

mod chaos;
mod chunking;
mod clients;
mod client_certificate;
mod dane;
mod faults;
mod lmtp;
mod maildir;
mod parameters;
mod pool;
mod replay;
mod routing;
mod tls;

use super::settings::{Settings, Targets};
use super::test_sink::{Act, Sink, parts, upstreams};
use super::*;
use crate::mail::{Client, Envelope, Parameter, Recipient};
use bytes::Bytes;

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
    route_as(&sink.settings())
}

fn route_as(settings: &Settings) -> Arc<Route> {
    upstreams(std::slice::from_ref(settings)).only_route().unwrap()
}

/// Over no socket, so that paused time passes only when all stand still; `parts` as changed.
fn route_in_process(sink: &Sink, change: impl FnOnce(&mut Parts, &mut Settings)) -> Arc<Route> {
    let (mut parts, mut settings) = (parts(), sink.settings());
    parts.connect = sink.in_process();
    change(&mut parts, &mut settings);
    Upstreams::new(&[settings], &parts).unwrap().only_route().unwrap()
}

/// A transaction on which these recipients were accepted.
async fn opened(route: &Arc<Route>, recipients: &[&str]) -> Transaction {
    let (reply, transaction) = route
        .open(&Client::default(), envelope(&[]).reverse_path.as_ref(), &[])
        .await;
    let mut transaction = transaction.unwrap_or_else(|| panic!("{reply}"));
    for text in recipients {
        let reply = transaction.rcpt(&recipient(text)).await;
        assert!(reply.is_success(), "{reply}");
    }
    transaction
}

/// MAIL, one RCPT and the message, as a session would have it: how far it came, and the reply's code.
async fn converse(route: &Arc<Route>, body: &[u8]) -> (&'static str, u16) {
    converse_for(&Client::default(), route, body).await
}

/// The same in a session of this client's.
async fn converse_for(client: &Client, route: &Arc<Route>, body: &[u8]) -> (&'static str, u16) {
    let envelope = envelope(&["a@example.net"]);
    let (reply, transaction) = route.open(client, envelope.reverse_path.as_ref(), &[]).await;
    let Some(mut transaction) = transaction else {
        assert!(!reply.is_success());
        return ("mail", reply.code());
    };
    let reply = transaction.rcpt(&envelope.recipients[0]).await;
    if !reply.is_success() {
        return ("rcpt", reply.code());
    }
    outcome(transaction.deliver(&envelope, &[Bytes::copy_from_slice(body)]).await)
}

fn outcome(delivery: Delivery) -> (&'static str, u16) {
    let code = delivery.reply().code();
    match delivery {
        Delivery::Accepted(_) => ("accepted", code),
        Delivery::Partly { .. } => ("partly", code),
        Delivery::Refused(_) => ("refused", code),
        Delivery::NotSent(_) => ("not sent", code),
        Delivery::Unsure(_) => ("unsure", code),
    }
}

#[tokio::test]
async fn a_message_arrives_whole_with_its_envelope() {
    let sink = Sink::start().await;
    let recipients = ["a@example.net", "postmaster", "\"b c\"@example.net"];
    let transaction = opened(&route(&sink), &recipients).await;
    let delivery = transaction
        .deliver(&envelope(&recipients), &[Bytes::from_static(BODY)])
        .await;
    assert_eq!(delivery, Delivery::Accepted(Reply::new(250, "2.0.0", "taken")));
    let taken = sink.taken();
    assert_eq!(taken.len(), 1);
    assert_eq!(
        taken[0].commands,
        [
            "MAIL FROM:<sender@example.org>",
            "RCPT TO:<a@example.net>",
            "RCPT TO:<postmaster>",
            "RCPT TO:<\"b c\"@example.net>"
        ]
    );
    assert_eq!(taken[0].body, BODY);
}

#[tokio::test]
async fn a_refused_recipient_is_not_among_those_delivered_to() {
    let sink = Sink::start().await;
    sink.at("RCPT", "bad@", Act::Say("550 5.1.1 unknown here\r\n"));
    let mut transaction = opened(&route(&sink), &["a@example.net"]).await;
    let reply = transaction.rcpt(&recipient("bad@example.net")).await;
    assert_eq!(reply.to_string(), "550 5.1.1 unknown here");
    let delivery = transaction
        .deliver(&envelope(&["a@example.net"]), &[Bytes::from_static(BODY)])
        .await;
    assert_eq!(outcome(delivery), ("accepted", 250));
    assert!(
        !sink.heard().contains(&"RSET".to_owned()),
        "the same recipients need no replay"
    );
}

#[tokio::test]
async fn a_release_is_delivered_only_to_all() {
    let sink = Sink::start().await;
    let route = route(&sink);
    let both = envelope(&["a@example.net", "b@example.net"]);
    let pieces = [
        Bytes::from_static(b"Subject: x\r\n"),
        Bytes::from_static(b"\r\nhello\r\n"),
    ];
    assert_eq!(
        outcome(route.deliver(&Client::default(), &both, &pieces).await),
        ("accepted", 250)
    );
    assert_eq!(sink.taken()[0].body, b"Subject: x\r\n\r\nhello\r\n");
    sink.at("RCPT", "b@", Act::Say("550 5.1.1 unknown here\r\n"));
    let delivery = route.deliver(&Client::default(), &both, &pieces).await;
    assert_eq!(delivery, Delivery::Refused(Reply::new(550, "5.1.1", "unknown here")));
    assert_eq!(sink.taken().len(), 1);
}
