//! Fronts that say who their client is: PROXY headers as octets and from a real HAProxy, XCLIENT and
//! XFORWARD, against the running gate.

use crate::support::haproxy::HaProxy;
use crate::support::{Client, Gate, eventually, mail, programs};
use std::io::Write;
use std::net::TcpStream;
use std::process::Command;

const FROM: &str = "allotments@parish.example";
const TO: &str = "clerk@council.example";
const BALANCED: &str = "[[listener]]\ntrusted = [\"127.0.0.0/8\"]\nproxy_protocol = true\n";

/// Connects and says this before all else.
fn announced(gate: &Gate, header: &[u8]) -> Client {
    let mut stream = TcpStream::connect(gate.smtp).expect("a gate that listens");
    stream.write_all(header).expect("a fresh connection");
    Client::over(stream)
}

/// The client of the message that the log tells of last, once there are so many; empty when unknown.
fn client_of_message(gate: &Gate, count: usize) -> String {
    let line = eventually("the log line", || {
        let lines = gate.message_lines();
        (lines.len() >= count).then(|| lines.last().cloned()).flatten()
    });
    line["client"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_proxy_header_gives_log_journal_and_received_the_client() {
    let gate = Gate::with_maildir(BALANCED);
    let v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24\
        \x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x12\x67\0\x19";
    let headers: [(&[u8], &str, &str); 3] = [
        (
            b"PROXY TCP4 203.0.113.9 127.0.0.1 4711 25\r\n",
            "203.0.113.9",
            "[203.0.113.9]",
        ),
        (v2, "2001:db8::7", "[IPv6:2001:db8::7]"),
        (b"PROXY UNKNOWN\r\n", "127.0.0.1", "[127.0.0.1]"),
    ];
    for (count, (header, logged, shown)) in headers.into_iter().enumerate() {
        let mut client = announced(&gate, header);
        assert_eq!(client.reply().code, 220);
        client.say("EHLO client.example");
        let sent = client.deliver(FROM, &[TO], &mail::plain("By way of a balancer"));
        assert_eq!(sent.code, 250, "{sent:?}");
        assert_eq!(client_of_message(&gate, count + 1), logged);
        let delivered = gate.delivered();
        let is_shown = |message: &Vec<u8>| mail::field(message, "Received").is_some_and(|value| value.contains(shown));
        assert!(delivered.iter().any(is_shown), "{shown}");
    }
    eventually("the journal", || {
        let records = gate.json(&["journal", "search", "--json"]);
        records
            .iter()
            .any(|record| record["client"] == "203.0.113.9")
            .then_some(())
    });
}

#[test]
fn without_a_proxy_header_nobody_gets_in() {
    let gate = Gate::with_maildir(BALANCED);
    for header in [
        b"EHLO client.example\r\n".as_slice(),
        b"PROXY TCP4 203.0.113.9 127.0.0.1 4711\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0b\xcb\0\x71\x09\x7f\0\0\x01\x12\x67\0",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff",
    ] {
        assert!(
            announced(&gate, header).try_reply().is_none(),
            "{}",
            header.escape_ascii()
        );
    }
    // No more comes of this one: the deadline ends it.
    assert!(announced(&gate, b"PROXY TCP4").try_reply().is_none());
    assert_eq!(
        gate.metric("portreeve_rejects_total{reason=\"proxy_header\",stage=\"connect\"}") as u32,
        5
    );
}

#[test]
fn a_stranger_reaches_no_listener_behind_a_balancer() {
    let gate = Gate::with_maildir("[[listener]]\ntrusted = [\"192.0.2.1/32\"]\nproxy_protocol = true\n");
    let mut client = announced(&gate, b"PROXY TCP4 203.0.113.9 127.0.0.1 4711 25\r\n");
    assert!(client.try_reply().is_none());
    assert!(gate.metric("portreeve_rejects_total{reason=\"untrusted\",stage=\"connect\"}") >= 1.0);
}

#[test]
fn xclient_and_xforward_give_log_and_received_the_client() {
    let gate = Gate::with_maildir("[[listener]]\ntrusted = [\"127.0.0.0/8\"]\n");
    let mut client = Client::greeted(gate.smtp);
    assert_eq!(
        client
            .say("XCLIENT NAME=mx.sender.example ADDR=203.0.113.9 PORT=4711")
            .code,
        220
    );
    assert_eq!(client.say("EHLO client.example").code, 250);
    assert_eq!(client.deliver(FROM, &[TO], &mail::plain("By XCLIENT")).code, 250);
    assert_eq!(client_of_message(&gate, 1), "203.0.113.9");
    let received = gate
        .delivered()
        .pop()
        .and_then(|message| mail::field(&message, "Received"));
    assert!(received.is_some_and(|value| value.contains("client.example (mx.sender.example [203.0.113.9])")));

    let told = "XFORWARD ADDR=IPV6:2001:db8::7 HELO=other.example PROTO=ESMTP";
    assert_eq!(client.say(told).code, 250);
    assert_eq!(client.deliver(FROM, &[TO], &mail::plain("By XFORWARD")).code, 250);
    assert_eq!(client_of_message(&gate, 2), "2001:db8::7");

    assert_eq!(client.say("XFORWARD ADDR=[UNAVAILABLE]").code, 250);
    assert_eq!(client.deliver(FROM, &[TO], &mail::plain("By nobody known")).code, 250);
    assert_eq!(client_of_message(&gate, 3), "");
}

#[test]
fn xclient_confers_no_right_to_relay_and_strangers_no_right_to_say_it() {
    let gate = Gate::with_maildir("[[listener]]\ntrusted = [\"127.0.0.0/8\"]\nproxy_protocol = true\n");
    let mut front = announced(&gate, b"PROXY UNKNOWN\r\n");
    assert_eq!(front.reply().code, 220);
    assert_eq!(front.say("XCLIENT ADDR=127.0.0.1 LOGIN=admin").code, 220);
    front.say("EHLO client.example");
    assert_eq!(front.say(&format!("MAIL FROM:<{FROM}>")).code, 250);
    assert_eq!(front.say("RCPT TO:<someone@victim.example>").code, 550);

    // The balancer is trusted, its client is not.
    let mut stranger = announced(&gate, b"PROXY TCP4 203.0.113.9 127.0.0.1 4711 25\r\n");
    assert_eq!(stranger.reply().code, 220);
    assert!(!stranger.say("EHLO client.example").offers("XCLIENT"));
    for line in ["XCLIENT ADDR=127.0.0.1", "XFORWARD ADDR=127.0.0.1"] {
        assert_eq!(stranger.say(line).code, 550, "{line}");
    }
}

#[test]
fn behind_a_silent_relay_the_trace_tells_of_the_client() {
    let gate = Gate::with_maildir("[[listener]]\ntrusted_relays = [\"127.0.0.0/8\"]\n");
    let trace = b"Received: from mx.sender.example (mx.sender.example [203.0.113.9])\r\n\tby front.example with ESMTP id 1;\r\n\
        \tMon, 6 Jan 2025 10:00:00 +0000\r\n";
    let message = [trace.as_slice(), &mail::plain("By way of a silent relay")].concat();
    let mut client = Client::greeted(gate.smtp);
    assert_eq!(client.deliver(FROM, &[TO], &message).code, 250);
    assert_eq!(client_of_message(&gate, 1), "203.0.113.9");
    let received = gate
        .delivered()
        .pop()
        .and_then(|message| mail::field(&message, "Received"));
    assert!(
        received.is_some_and(|value| value.contains("[127.0.0.1]")),
        "ours tells of the relay"
    );
    assert_eq!(client.deliver(FROM, &[TO], &mail::plain("With no trace")).code, 250);
    assert_eq!(client_of_message(&gate, 2), "");
}

#[test]
fn swaks_speaks_proxy_and_xclient_as_we_do() {
    let Some([swaks]) = programs::needed("swaks_speaks_proxy_and_xclient_as_we_do", ["swaks"]) else {
        return;
    };
    let trusting = "[[listener]]\ntrusted = [\"127.0.0.0/8\"]\n";
    let proxy = "--proxy-source 203.0.113.9 --proxy-source-port 4711 --proxy-dest 127.0.0.1 --proxy-dest-port 25";
    for (settings, words) in [
        (trusting, "--xclient ADDR=203.0.113.9 --xclient HELO=client.example"),
        (BALANCED, &format!("--proxy-version 1 --proxy-family TCP4 {proxy}")),
        (BALANCED, &format!("--proxy-version 2 --proxy-family AF_INET {proxy}")),
    ] {
        let gate = Gate::with_maildir(settings);
        let port = gate.smtp.port().to_string();
        let output = Command::new(&swaks)
            .args(["--server", "127.0.0.1", "--port", &port, "--from", FROM, "--to", TO])
            .args(words.split(' '))
            .output()
            .expect("swaks runs");
        assert!(output.status.success(), "{output:?}");
        assert_eq!(client_of_message(&gate, 1), "203.0.113.9", "{words}");
    }
}

#[test]
fn haproxy_in_front_states_its_client() {
    let test = "haproxy_in_front_states_its_client";
    let Some([haproxy]) = programs::needed(test, ["haproxy"]) else {
        return;
    };
    let gate = Gate::with_maildir(BALANCED);
    for (count, header) in ["send-proxy-v2", "send-proxy"].into_iter().enumerate() {
        let balancer = HaProxy::in_front_of(&haproxy, [gate.smtp, gate.smtp], header);
        // Its own client sits on another loopback address than the balancer, so that one can tell.
        let stream = from_another_address(balancer.address);
        let client_address = stream.local_addr().expect("a connected socket").ip().to_string();
        assert_ne!(client_address, "127.0.0.1");
        let mut client = Client::over(stream);
        assert_eq!(client.reply().code, 220);
        client.say("EHLO client.example");
        let sent = client.deliver(FROM, &[TO], &mail::plain("By way of HAProxy"));
        assert_eq!(sent.code, 250, "{sent:?}");
        assert_eq!(client_of_message(&gate, count + 1), client_address, "{header}");
    }
}

/// A connection that comes from 127.0.0.2.
pub(crate) fn from_another_address(server: std::net::SocketAddr) -> TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let stream = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket
            .bind("127.0.0.2:0".parse().expect("an address"))
            .expect("all of 127.0.0.0/8 is loopback");
        socket.connect(server).await.expect("a balancer that listens")
    });
    let stream = stream.into_std().expect("a connected socket");
    stream.set_nonblocking(false).expect("a connected socket");
    stream
}
