//! Everything over IPv6: listeners, targets, clients that fronts tell of, and limits by /64.

use crate::support::sink::Behaviour;
use crate::support::{Client, Gate, eventually, free_address_of, mail, programs};
use std::io::Write;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpStream};

const FROM: &str = "allotments@parish.example";
const TO: &str = "clerk@council.example";
const LOCAL: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

fn addresses() -> [SocketAddr; 2] {
    [free_address_of(LOCAL), free_address_of(LOCAL)]
}

#[test]
fn mail_passes_over_ipv6_on_every_leg() {
    if !programs::has_ipv6("mail_passes_over_ipv6_on_every_leg") {
        return;
    }
    for behaviour in [Behaviour::default(), Behaviour::default().lmtp()] {
        let sink = behaviour.start_at(SocketAddr::new(LOCAL, 0));
        let gate = Gate::at(addresses(), &sink.target(), "");
        let message = mail::plain("By the other protocol");
        assert_eq!(Client::greeted(gate.smtp).deliver(FROM, &[TO], &message).code, 250);
        let received = sink.received().pop().expect("the message");
        assert_eq!(mail::difference(&message, &received.bytes), None);
        let trace = mail::field(&received.bytes, "Received").expect("ours");
        assert!(trace.contains("[IPv6:::1]"), "{trace}");
        let line = eventually("the log line", || gate.message_lines().pop());
        assert_eq!(line["client"], "::1");
        assert_eq!(gate.get("/healthz").map(|(status, _)| status), Some(200));
    }
}

/// A listener for both protocols hears of IPv4 clients as `::ffff:192.0.2.1`: they stay the same clients.
#[test]
fn an_ipv4_client_of_a_dual_listener_is_an_ipv4_client() {
    if !programs::has_ipv6("an_ipv4_client_of_a_dual_listener_is_an_ipv4_client") {
        return;
    }
    let any = free_address_of(Ipv6Addr::UNSPECIFIED.into());
    let settings = "[[listener]]\nclient_networks = [\"127.0.0.0/8\"]\n";
    let gate = Gate::at([any, free_address_of(LOCAL)], "maildir:delivered", settings);
    let v4 = SocketAddr::from(([127, 0, 0, 1], any.port()));
    assert_eq!(Client::greeted(v4).deliver(FROM, &[TO], &mail::plain("Four")).code, 250);
    let line = eventually("the log line", || gate.message_lines().pop());
    assert_eq!(line["client"], "127.0.0.1");
    let mut six = Client::connect(SocketAddr::new(LOCAL, any.port()));
    assert_eq!(six.reply().code, 554, "::1 is in none of the networks");
}

#[test]
fn a_64_shares_one_clients_limit_behind_a_balancer() {
    if !programs::has_ipv6("a_64_shares_one_clients_limit_behind_a_balancer") {
        return;
    }
    let settings =
        "[[listener]]\ntrusted = [\"::1/128\"]\nproxy_protocol = true\n[limits]\nconnections_per_client = 2\n";
    let gate = Gate::at(addresses(), "maildir:delivered", settings);
    let from = |client: &str| {
        let mut stream = TcpStream::connect(gate.smtp).expect("a gate that listens");
        let header = format!("PROXY TCP6 {client} ::1 4711 25\r\n");
        stream.write_all(header.as_bytes()).expect("a fresh connection");
        let mut client = Client::over(stream);
        let code = client.reply().code;
        (client, code)
    };
    let one = from("2001:db8:0:1::1");
    let two = from("2001:db8:0:1:ffff:ffff:ffff:ffff");
    assert_eq!([one.1, two.1], [220, 220]);
    assert_eq!(from("2001:db8:0:1:2::3").1, 421, "a third of the same /64");
    assert_eq!(from("2001:db8:0:2::1").1, 220, "its neighbour is another client");
    drop(one);
    eventually("a place that is free again", || {
        (from("2001:db8:0:1::4").1 == 220).then_some(())
    });
}

#[test]
fn xclient_brings_in_an_ipv6_client_over_ipv6() {
    if !programs::has_ipv6("xclient_brings_in_an_ipv6_client_over_ipv6") {
        return;
    }
    let sink = Behaviour::default().start_at(SocketAddr::new(LOCAL, 0));
    let settings = "[[listener]]\ntrusted = [\"::1/128\"]\ntrusted_relays = [\"2001:db8:ffff::/48\"]\n";
    let gate = Gate::at(addresses(), &sink.target(), settings);
    let mut client = Client::greeted(gate.smtp);
    assert_eq!(client.say("XCLIENT ADDR=IPV6:2001:db8::7 PORT=4711").code, 220);
    assert_eq!(client.say("EHLO client.example").code, 250);
    assert_eq!(client.deliver(FROM, &[TO], &mail::plain("Told")).code, 250);
    let line = eventually("the log line", || gate.message_lines().pop());
    assert_eq!(line["client"], "2001:db8::7");

    // A relay of ours that says nothing: its trace is read for IPv6 addresses too.
    let mut relay = Client::greeted(gate.smtp);
    assert_eq!(relay.say("XCLIENT ADDR=IPV6:2001:db8:ffff::1").code, 220);
    assert_eq!(relay.say("EHLO relay.example").code, 250);
    let trace = b"Received: from mx.sender.example (mx.sender.example [IPv6:2001:db8:1::9])\r\n\tby relay.example;\r\n\
        \tMon, 6 Jan 2025 10:00:00 +0000\r\n";
    let message = [trace.as_slice(), &mail::plain("By way of a silent relay")].concat();
    assert_eq!(relay.deliver(FROM, &[TO], &message).code, 250);
    let line = eventually("its log line", || gate.message_lines().into_iter().nth(1));
    assert_eq!(line["client"], "2001:db8:1::9");
}
