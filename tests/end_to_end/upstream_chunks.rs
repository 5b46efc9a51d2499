//! Messages that go on by BDAT: to another gate, a real Postfix and a real Dovecot, byte for byte.

use crate::support::dovecot::Dovecot;
use crate::support::postfix::Postfix;
use crate::support::{Client, Gate, eventually, mail, programs};

const FROM: &str = "allotments@parish.example";
const TO: &str = "clerk@council.example";
const CHUNKING: &str = "[upstream]\nchunking = true\n";

/// Messages that a careless hand would change.
fn messages() -> [Vec<u8>; 4] {
    let lines = |text: &[u8]| [&mail::plain("Lines"), text].concat();
    [
        lines(b".\r\n..\r\n.QUIT\r\n\r\n.\r\n"),
        lines(&[&b"a line of five thousand octets".repeat(200)[..], b"\r\n.\r\n"].concat()),
        lines(&b".two octets of UTF-8: \xc3\xa9\r\n".repeat(80_000)),
        b"Subject: A header alone\r\nFrom: <a@parish.example>\r\nDate: Tue, 4 Mar 2025 09:30:00 +0000\r\n\
          Message-ID: <1@parish.example>\r\nTo: <clerk@council.example>\r\n\r\n"
            .to_vec(),
    ]
}

/// A mailbox ends lines in LF alone.
fn with_bare_ends(message: &[u8]) -> Vec<u8> {
    let lines = message.split_inclusive(|byte| *byte == b'\n');
    lines
        .flat_map(|line| [line.strip_suffix(b"\r\n").unwrap_or(line), b"\n"].concat())
        .collect()
}

/// Sends each over the gate; each is to be among `delivered`, under what servers put on top.
fn pass(gate: &Gate, line_ends: fn(&[u8]) -> Vec<u8>, delivered: impl Fn() -> Vec<Vec<u8>>) {
    let mut client = Client::greeted(gate.smtp);
    for message in messages() {
        let reply = client.deliver(FROM, &[TO], &message);
        assert_eq!(reply.code, 250, "{reply:?}");
        let expected = line_ends(&message);
        let fingerprint = mail::fingerprint(&expected);
        eventually("the message, byte for byte", || {
            delivered().iter().find_map(|whole| {
                let tail = whole.get(whole.len().checked_sub(expected.len())?..)?;
                (mail::fingerprint(tail) == fingerprint).then_some(())
            })
        });
    }
    assert_eq!(delivered().len(), messages().len(), "none twice");
}

#[test]
fn a_gate_behind_a_gate_takes_chunks() {
    let behind = Gate::with_maildir("[[listener]]\nchunking = true\n");
    let gate = Gate::delivering_to(&format!("smtp://{}", behind.smtp), CHUNKING);
    pass(&gate, <[u8]>::to_vec, || behind.delivered());
    let replies = |stage: &str, class: &str| {
        let series = format!("{{class=\"{class}\",route=\"default\",stage=\"{stage}\"}}");
        gate.metric(&format!("portreeve_upstream_replies_total{series}")) as usize
    };
    assert_eq!((replies("data", "3xx"), replies("dot", "2xx")), (0, messages().len()));
}

#[test]
fn postfix_takes_chunks_and_keeps_every_octet() {
    let test = "postfix_takes_chunks_and_keeps_every_octet";
    let Some([program]) = programs::needed(test, ["postfix"]) else {
        return;
    };
    if !programs::needs_root(test) {
        return;
    }
    let behind = Postfix::keeping_mail_with(&program, None, "message_size_limit = 3000000\n");
    let mut gate = Gate::delivering_to(&format!("smtp://{}", behind.address), CHUNKING);
    pass(&gate, with_bare_ends, || behind.delivered());

    // What it says to a chunk is said to the message.
    behind.add(
        "smtpd_data_restrictions = check_sender_access inline:{{allotments@parish.example = 550 5.7.1 not this one}}\n",
    );
    gate.signal("TERM");
    gate.wait();
    gate.start_again();
    let mut client = Client::greeted(gate.smtp);
    client.envelope(FROM, &[TO]);
    let reply = client.data(&mail::plain("Refused"));
    assert_eq!(reply.code, 550, "{reply:?}\n{}", behind.log());
    assert!(reply.text().contains("not this one"), "{reply:?}");
    assert_eq!(
        client
            .deliver("other@parish.example", &[TO], &mail::plain("After"))
            .code,
        250
    );

    gate.signal("TERM");
    gate.wait();
    let sessions = eventually("the ends of its sessions", || {
        let log = behind.log();
        let ends: Vec<String> = log
            .lines()
            .filter(|line| line.contains(" bdat="))
            .map(str::to_owned)
            .collect();
        (ends.len() == 2).then_some(ends)
    });
    assert!(sessions[0].contains(" bdat=4 "), "{sessions:?}");
    assert!(sessions[1].contains(" bdat=1/2 "), "{sessions:?}");
    assert!(!behind.log().contains(" data="), "{}", behind.log());
}

#[test]
fn dovecot_takes_chunks_and_answers_for_each_recipient() {
    let test = "dovecot_takes_chunks_and_answers_for_each_recipient";
    let Some([program, _]) = programs::needed(test, ["dovecot", "lmtp"]) else {
        return;
    };
    if !programs::needs_root(test) {
        return;
    }
    let dovecot = Dovecot::start(&program);
    let gate = Gate::delivering_to(&dovecot.tcp_target(), CHUNKING);
    pass(&gate, with_bare_ends, || dovecot.delivered("clerk"));

    let before = dovecot.delivered("clerk").len();
    let large = [mail::plain("Large"), b"a line to fill the box with\r\n".repeat(2_000)].concat();
    let reply = Client::greeted(gate.smtp).deliver(FROM, &["full@council.example", TO], &large);
    assert_eq!(reply.code, 250, "{reply:?}\n{}", dovecot.log());
    assert_eq!(dovecot.delivered("clerk").len(), before + 1);
    let kept = gate.json(&["quarantine", "list", "--json", "--state", "undelivered"]);
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0]["recipients"], serde_json::json!(["full@council.example"]));
}
