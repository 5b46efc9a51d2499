//! Mail that the rules have nothing against arrives, with its bytes and its envelope.

use crate::support::{Client, Gate, Sink, eventually, mail};

const FROM: &str = "allotments@parish.example";
const TO: &str = "clerk@council.example";

#[test]
fn a_clean_message_reaches_the_maildir_whole() {
    let gate = Gate::with_maildir("");
    let message = mail::plain("Water butts");
    let reply = Client::greeted(gate.smtp).deliver(FROM, &[TO], &message);
    assert_eq!(reply.code, 250, "{reply:?}");
    let files = gate.delivered();
    assert_eq!(files.len(), 1, "250 means that it is there already");
    assert_eq!(mail::difference(&message, &files[0]), None);
    assert!(mail::field(&files[0], "X-Portreeve-Id").is_some());
}

#[test]
fn a_clean_message_passes_to_upstream_whole() {
    let sink = Sink::start();
    let gate = Gate::before(&sink, "");
    let message = mail::plain("Water butts");
    let reply = Client::greeted(gate.smtp).deliver(FROM, &[TO], &message);
    assert_eq!(reply.code, 250, "{reply:?}");
    let received = sink.received();
    assert_eq!(received.len(), 1);
    assert_eq!(mail::difference(&message, &received[0].bytes), None);
    assert!(mail::field(&received[0].bytes, "Received").is_some_and(|value| value.contains("client.example")));
    let id = mail::field(&received[0].bytes, "X-Portreeve-Id").expect("our id");
    let line = eventually("the log line", || gate.message_lines().pop());
    assert_eq!(line["id"].as_str(), Some(id.as_str()), "one id in header and log");
}

#[test]
fn bytes_that_servers_like_to_change_arrive_as_sent() {
    let sink = Sink::start();
    let gate = Gate::before(&sink, "");
    let mut client = Client::greeted(gate.smtp);
    let header = b"From: a@parish.example\r\nSubject: bytes\r\n\r\n";
    let long = "x".repeat(5_000);
    let bodies: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b".\r\n".to_vec(),
        b"..\r\n".to_vec(),
        b"...\r\n.\r\n..\r\n".to_vec(),
        b"\r\n\r\n.\r\n\r\n".to_vec(),
        b"trailing blanks  \t \r\n \r\n\t\r\n".to_vec(),
        "Größe, naïve, 水\r\n".as_bytes().to_vec(),
        (1..=255_u8)
            .filter(|byte| !matches!(byte, b'\r' | b'\n'))
            .chain(*b"\r\n")
            .collect(),
        format!("{}.\r\n.{}\r\n", &long[..998], &long[..998]).into_bytes(),
        format!("{long}\r\n").into_bytes(),
        "a line of sixty-odd bytes that is repeated until it is large\r\n"
            .repeat(20_000)
            .into_bytes(),
    ];
    for body in &bodies {
        let message = [header.as_slice(), body].concat();
        let reply = client.deliver(FROM, &[TO], &message);
        assert_eq!(
            reply.code,
            250,
            "{reply:?} to {:?}",
            String::from_utf8_lossy(&body[..body.len().min(40)])
        );
        let delivered = sink.received().pop().expect("a message").bytes;
        assert_eq!(mail::difference(&message, &delivered), None);
    }
    assert_eq!(sink.received().len(), bodies.len());
    assert_eq!(sink.bare_line_ends() + sink.nuls(), 0);
}

#[test]
fn messages_without_a_proper_header_arrive_as_sent() {
    let sink = Sink::start();
    let gate = Gate::before(&sink, "");
    let mut client = Client::greeted(gate.smtp);
    for message in [
        "",
        "\r\n",
        "\r\nno header at all\r\n",
        "not a field\r\nSubject: x\r\n\r\nb\r\n",
        " folded first\r\n\r\nb\r\n",
    ] {
        let reply = client.deliver(FROM, &[TO], message.as_bytes());
        assert_eq!(reply.code, 250, "{reply:?} to {message:?}");
        let delivered = sink.received().pop().expect("a message").bytes;
        assert!(
            delivered.ends_with(message.as_bytes()),
            "{message:?} became {:?}",
            String::from_utf8_lossy(&delivered)
        );
    }
}

#[test]
fn addresses_and_parameters_stay_as_they_came() {
    let sink = Sink::start();
    let gate = Gate::before(&sink, "");
    let mut client = Client::greeted_with(gate.smtp, "DSN");
    assert_eq!(
        client
            .say("MAIL FROM:<O'Brien+x=y@Parish.Example> BODY=8BITMIME RET=HDRS ENVID=QQ314159")
            .code,
        250
    );
    let recipients = [
        "<postmaster>",
        "<\"the clerk\"@council.example>",
        "<Clerk@COUNCIL.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;clerk@council.example",
    ];
    for recipient in recipients {
        let reply = client.say(&format!("RCPT TO:{recipient}"));
        assert_eq!(reply.code, 250, "{recipient}: {reply:?}");
    }
    assert_eq!(client.data(&mail::plain("Parameters")).code, 250);
    let received = sink.received().pop().expect("a message");
    assert_eq!(received.to, recipients);
    assert!(
        received.from.starts_with("<O'Brien+x=y@Parish.Example>"),
        "{}",
        received.from
    );
    for parameter in ["BODY=8BITMIME", "RET=HDRS", "ENVID=QQ314159"] {
        assert!(received.from.contains(parameter), "{parameter} in {}", received.from);
    }
}

#[test]
fn one_session_carries_many_transactions() {
    let sink = Sink::start();
    let gate = Gate::before(&sink, "");
    let mut client = Client::greeted(gate.smtp);
    for number in 0..5 {
        client.envelope(FROM, &["forgotten@council.example"]);
        assert_eq!(client.say("RSET").code, 250);
        assert_eq!(
            client
                .deliver("", &[TO], &mail::plain(&format!("Number {number}")))
                .code,
            250
        );
    }
    assert_eq!(client.say("QUIT").code, 221);
    let received = sink.received();
    assert_eq!(received.len(), 5);
    assert!(
        received
            .iter()
            .all(|message| message.from.starts_with("<>") && message.to == ["<clerk@council.example>"])
    );
}

#[test]
fn a_pipelined_transaction_is_answered_in_order() {
    let sink = Sink::start();
    let gate = Gate::before(&sink, "");
    let mut client = Client::greeted(gate.smtp);
    let commands =
        "MAIL FROM:<a@parish.example>\r\nRCPT TO:<a@elsewhere.example>\r\nRCPT TO:<clerk@council.example>\r\nDATA\r\n";
    client.send(commands.as_bytes());
    let codes: Vec<u16> = (0..4).map(|_| client.reply().code).collect();
    assert_eq!(
        (codes[0], codes[1] / 100, codes[2], codes[3]),
        (250, 5, 250, 354),
        "{codes:?}"
    );
    client.send(&crate::support::client::stuffed(&mail::plain("Pipelined")));
    client.send(b"QUIT\r\n");
    assert_eq!(client.reply().code, 250);
    assert_eq!(client.reply().code, 221);
    assert_eq!(sink.received().len(), 1);
}

#[test]
fn a_body_that_dawdles_is_delivered_all_the_same() {
    let sink = Sink::start();
    let gate = Gate::before(&sink, "[deadlines]\nslow_data = \"100ms\"\n");
    let mut client = Client::greeted(gate.smtp);
    client.envelope(FROM, &[TO]);
    assert_eq!(client.say("DATA").code, 354);
    let message = mail::plain("Slowly");
    let stuffed = crate::support::client::stuffed(&message);
    let (first, rest) = stuffed.split_at(100);
    client.send(first);
    // Long enough for upstream's connection to be given back (architecture, step 5).
    std::thread::sleep(std::time::Duration::from_secs(1));
    client.send(rest);
    let reply = client.reply();
    assert_eq!(reply.code, 250, "{reply:?}");
    assert_eq!(mail::difference(&message, &sink.received()[0].bytes), None);
    assert_eq!(sink.received().len(), 1);
}
