//! Messages in chunks (CHUNKING, RFC 3030) against the running gate, octet by octet and from a real Exim.

use crate::support::exim::Exim;
use crate::support::{Client, Gate, Sink, eventually, mail, programs};
use std::process::Command;

const FROM: &str = "allotments@parish.example";
const TO: &str = "clerk@council.example";
const OFFERED: &str = "[[listener]]\nchunking = true\n";

/// Sends the message in chunks of at most `size` octets, each answered; the last one's reply.
fn in_chunks(client: &mut Client, message: &[u8], size: usize) -> u16 {
    let mut pieces = message.chunks(size).peekable();
    while let Some(piece) = pieces.next() {
        let last = if pieces.peek().is_none() { " LAST" } else { "" };
        client.send(&[format!("BDAT {}{last}\r\n", piece.len()).as_bytes(), piece].concat());
        let reply = client.reply();
        if !last.is_empty() || reply.code != 250 {
            return reply.code;
        }
    }
    0
}

#[test]
fn what_came_in_chunks_goes_on_as_it_came() {
    let sink = Sink::start();
    let gate = Gate::before(&sink, OFFERED);
    let mut message = mail::plain("In chunks");
    message.extend_from_slice(b".\r\n..\r\n.\r\nMAIL FROM:<smuggled@parish.example>\r\n. \r\n.x\r\n");
    for size in [1, 7, 1000, 1 << 20] {
        let mut client = Client::greeted_with(gate.smtp, "CHUNKING");
        client.envelope(FROM, &[TO]);
        assert_eq!(in_chunks(&mut client, &message, size), 250, "{size}");
        // What DATA does is as before.
        assert_eq!(client.deliver(FROM, &[TO], &message).code, 250);
    }
    let received = sink.received();
    assert_eq!(received.len(), 8);
    for one in received {
        assert_eq!(mail::difference(&message, &one.bytes), None);
    }
}

#[test]
fn a_phish_in_chunks_is_judged_like_any() {
    let sink = Sink::start();
    let gate = Gate::before(&sink, OFFERED);
    let mut client = Client::greeted_with(gate.smtp, "CHUNKING");
    client.envelope(FROM, &[TO]);
    let phish = include_bytes!("../samples/phish.eml");
    // Cut where a word is that its rules look for.
    assert_eq!(in_chunks(&mut client, phish, 50), 550);
    assert_eq!(client.deliver(FROM, &[TO], &mail::plain("And the next")).code, 250);
    assert_eq!(sink.received().len(), 1);
}

#[test]
fn nothing_of_an_unfinished_message_goes_on() {
    let sink = Sink::start();
    let gate = Gate::before(&sink, OFFERED);
    for end in [
        &b""[..],
        b"RSET\r\n",
        b"QUIT\r\n",
        b"BDAT 1000 LAST\r\nSubject: cut\r\n",
    ] {
        let mut client = Client::greeted_with(gate.smtp, "CHUNKING");
        client.envelope(FROM, &[TO]);
        client.send(b"BDAT 14\r\nSubject: x\r\n\r\n");
        assert_eq!(client.reply().code, 250);
        client.send(end);
        client.finish_sending();
        client.replies_to_the_end();
    }
    assert!(sink.received().is_empty());
}

#[test]
fn a_listener_offers_chunking_only_when_told_to() {
    let sink = Sink::start();
    let gate = Gate::before(&sink, "");
    let mut client = Client::connect(gate.smtp);
    client.reply();
    assert!(!client.say("EHLO client.example").offers("CHUNKING"));
    client.envelope(FROM, &[TO]);
    assert_eq!(client.say("BDAT 10 LAST").code, 502);
}

#[test]
fn exim_in_front_sends_in_chunks_and_every_octet_arrives() {
    let test = "exim_in_front_sends_in_chunks_and_every_octet_arrives";
    let Some([exim, swaks]) = programs::needed(test, ["exim4", "swaks"]) else {
        return;
    };
    if !programs::needs_root(test) {
        return;
    }
    assert!(Exim::has_owner(), "Exim without its user: see .ci/run");
    let gate = Gate::with_maildir(&format!("{OFFERED}peer = \"relay\"\n"));
    let front = Exim::in_front_of(&exim, gate.smtp);
    let lines: String = (0..2000).map(|line| format!("{line} of them\n.\n..x\n")).collect();
    let file = gate.folder().join("body");
    std::fs::write(&file, &lines).expect("a writable folder");
    let output = Command::new(swaks)
        .args(["--server", &front.address.to_string(), "--from", FROM, "--to", TO])
        .args(["--header", "Subject: In chunks", "--body"])
        .arg(format!("@{}", file.display()))
        .output()
        .expect("swaks runs");
    assert!(output.status.success(), "{output:?}");
    let delivered = eventually("the message", || gate.delivered().pop());
    // `K` is how its log says that chunks were used.
    let log = eventually("its log", || Some(front.log()).filter(|log| log.contains("=> clerk")));
    assert!(log.contains(" K C=\"250"), "{log}");
    let text = String::from_utf8(delivered).expect("plain text");
    let body = text.split_once("\r\n\r\n").expect("a header and a body").1;
    assert_eq!(body.trim_end(), lines.replace('\n', "\r\n").trim_end());
}

#[test]
fn exim_behind_answers_for_its_recipients_and_takes_the_mail() {
    let test = "exim_behind_answers_for_its_recipients_and_takes_the_mail";
    let Some([exim]) = programs::needed(test, ["exim4"]) else {
        return;
    };
    if !programs::needs_root(test) {
        return;
    }
    let behind = Exim::keeping_mail(&exim);
    let gate = Gate::delivering_to(&format!("smtp://{}", behind.address), "");
    let message = mail::plain("To Exim\r\nX-Dots: .");
    let mut client = Client::greeted(gate.smtp);
    client.say(&format!("MAIL FROM:<{FROM}>"));
    let refused = client.say("RCPT TO:<nobody@council.example>");
    assert_eq!((refused.code, refused.text().contains("no such user")), (550, true));
    assert_eq!(client.say(&format!("RCPT TO:<{TO}>")).code, 250);
    assert_eq!(client.data(&message).code, 250);
    let delivered = eventually("the message", || behind.delivered().pop());
    let body = |message: &[u8]| {
        let text = String::from_utf8_lossy(message).replace("\r\n", "\n");
        text.split_once("\n\n").map(|(_, body)| body.to_owned())
    };
    assert_eq!(body(&delivered), body(&message));
    assert!(mail::field(&delivered, "X-Portreeve-Id").is_some());
}
