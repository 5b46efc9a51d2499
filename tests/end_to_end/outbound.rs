//! Mail that leaves: a listener for one's own networks beside the one for the world, on one gate.

use super::fronts::from_another_address;
use crate::support::{Client, Gate, Sink, eventually, free_address, mail};
use std::net::SocketAddr;

const CLERK: &str = "clerk@council.example";
const CITIZEN: &str = "someone@elsewhere.example";

/// A gate for both ways, the address of the second listener, the server inside and the one that takes what leaves.
fn gate() -> (Gate, SocketAddr, [Sink; 2]) {
    let (inbound, outbound) = (free_address(), free_address());
    let sinks = [Sink::start(), Sink::start()];
    let [inside, smarthost] = sinks.each_ref().map(Sink::target);
    let settings = format!(
        r#"
        [[listener]]
        name = "inbound"
        address = "{inbound}"
        [[listener]]
        name = "outbound"
        address = "{outbound}"
        direction = "outbound"
        client_networks = ["127.0.0.1/32"]
        upstream = "smarthost"
        [[route]]
        name = "inside"
        domains = ["council.example"]
        target = "{inside}"
        [[route]]
        name = "smarthost"
        domains = []
        target = "{smarthost}"
        "#
    );
    (Gate::as_written(&settings, inbound), outbound, sinks)
}

#[test]
fn what_leaves_goes_to_anywhere_by_its_own_route_with_no_word_of_ours_but_the_trace() {
    let (gate, outbound, [inside, smarthost]) = gate();
    let message = [
        b"X-Spam-Flag: YES\r\nAuthentication-Results: gate.council.example; spf=pass\r\n".as_slice(),
        &mail::plain(mail::TAG),
    ]
    .concat();
    let reply = Client::greeted(outbound).deliver(CLERK, &[CITIZEN, "mayor@council.example"], &message);
    assert_eq!(reply.code, 250, "{reply:?}");
    assert!(inside.received().is_empty());
    let received = smarthost.received().pop().expect("the message");
    assert_eq!(received.to.len(), 2, "the listener's route has all recipients");
    assert!(
        received.bytes.ends_with(&message),
        "nothing of it is taken for a forgery of ours"
    );
    let added = &received.bytes[..received.bytes.len() - message.len()];
    let names: Vec<String> = mail::fields(added)
        .into_iter()
        .filter_map(|field| Some(String::from_utf8_lossy(field).split_once(':')?.0.to_owned()))
        .collect();
    assert_eq!(names, ["Received", "X-Portreeve-Id"]);
    eventually("the count", || {
        let series = "portreeve_messages_total{direction=\"outbound\",mode=\"enforce\",verdict=\"tag\"}";
        (gate.metric(series) > 0.0).then_some(())
    });
}

#[test]
fn what_leaves_is_judged_and_refused_like_what_comes() {
    let (_gate, outbound, [_, smarthost]) = gate();
    let reply = Client::greeted(outbound).deliver(CLERK, &[CITIZEN], &mail::plain(mail::REJECT));
    assert_eq!(reply.code, 550, "{reply:?}");
    assert!(smarthost.received().is_empty());
}

#[test]
fn nobody_but_the_named_networks_may_send_out() {
    let (gate, outbound, [_, smarthost]) = gate();
    let mut stranger = Client::over(from_another_address(outbound));
    assert_eq!(stranger.reply().code, 554);
    // By the door for the world one's own network sends to one's own domains alone, like anyone.
    let mut client = Client::greeted(gate.smtp);
    client.say(&format!("MAIL FROM:<{CLERK}>"));
    assert_eq!(client.say(&format!("RCPT TO:<{CITIZEN}>")).code, 550);
    assert!(smarthost.received().is_empty());
}
