//! The tools of these tests, tried on each other without a gate: a test is only worth its sink.

use crate::support::sink::Behaviour;
use crate::support::{Answer, Certificates, Client, Sink, Stage, mail};

#[test]
fn the_sink_keeps_the_bytes_and_the_envelope() {
    let sink = Sink::start();
    let mut client = Client::greeted(sink.address);
    let message = mail::plain("harness");
    assert_eq!(
        client
            .deliver("a@parish.example", &["b@council.example"], &message)
            .code,
        250
    );
    let received = sink.received();
    assert_eq!(received[0].bytes, message);
    assert_eq!(
        (received[0].from.as_str(), received[0].to[0].as_str()),
        ("<a@parish.example>", "<b@council.example>")
    );
    assert_eq!(sink.bare_line_ends() + sink.nuls(), 0);
}

#[test]
fn the_sink_sees_what_a_lax_server_would_have_tripped_over() {
    let sink = Sink::start();
    let mut client = Client::greeted(sink.address);
    client.envelope("a@parish.example", &["b@council.example"]);
    assert_eq!(client.say("DATA").code, 354);
    client.send(b"one\n.\ntwo\r.\r\0\r\n.\r\n");
    assert_eq!(client.reply().code, 250);
    assert_eq!((sink.bare_line_ends(), sink.nuls()), (4, 1), "two LF, two CR, one NUL");
}

#[test]
fn the_sink_speaks_tls_and_follows_its_script() {
    let certificates = Certificates::new();
    let refuse = |stage, _: &str| {
        if stage == Stage::Dot {
            Answer::say("554 5.7.1 no")
        } else {
            Answer::Accept
        }
    };
    let sink = Behaviour::default().tls(certificates.server()).script(refuse).start();
    let mut client = Client::greeted(sink.address);
    let hello = client.start_tls(certificates.client());
    assert!(hello.offers("PIPELINING") && !hello.offers("STARTTLS"));
    assert_eq!(client.deliver("", &["b@council.example"], b"").code, 554);
    assert!(sink.received().is_empty());
}

#[test]
fn the_comparison_of_bytes_can_fail() {
    let sent = b"X-Spam-Flag: NO\r\nSubject: a\r\n\r\nbody\r\n".as_slice();
    let delivered = |text: &str| mail::difference(sent, text.as_bytes());
    assert_eq!(
        delivered("Received: by us\r\n\tfolded\r\nX-Portreeve-Id: 1\r\nSubject: a\r\n\r\nbody\r\n"),
        None
    );
    assert_eq!(
        delivered("X-Spam-Flag: NO\r\nSubject: a\r\n\r\nbody\r\n"),
        None,
        "untouched"
    );
    assert!(delivered("Subject: a\r\n\r\nbody").is_some());
    assert!(delivered("Bcc: x\r\nSubject: a\r\n\r\nbody\r\n").is_some());
    assert!(delivered("Subject: a\r\nX-Portreeve-Id: 1\r\n\r\nbody\r\n").is_some());
}
