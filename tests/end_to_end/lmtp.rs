//! Upstream in LMTP: over TCP and a Unix socket, from all well to some recipients left out, whose mail
//! is kept, told of and released. Last, a real Dovecot.

use crate::support::dovecot::Dovecot;
use crate::support::sink::Behaviour;
use crate::support::{Answer, Client, Gate, Sink, Stage, eventually, mail, programs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const FROM: &str = "allotments@parish.example";
const CLERK: &str = "clerk@council.example";
const FULL: &str = "full@council.example";

/// One that answers so for every recipient that starts with `full`, until told that there is room.
fn with_a_full_box(answer: Answer) -> (Behaviour, Arc<AtomicBool>) {
    let has_room = Arc::new(AtomicBool::new(false));
    let there_is_room = Arc::clone(&has_room);
    let behaviour = Behaviour::default().lmtp().script(move |stage, argument| {
        if stage == Stage::Dot && argument.starts_with("<full") && !there_is_room.load(Ordering::SeqCst) {
            answer.clone()
        } else {
            Answer::Accept
        }
    });
    (behaviour, has_room)
}

fn recipients(sink: &Sink) -> Vec<String> {
    let received = sink.received();
    received.into_iter().flat_map(|message| message.to).collect()
}

/// The ids of what is kept as undelivered, once it is.
fn undelivered(gate: &Gate) -> Vec<serde_json::Value> {
    gate.json(&["quarantine", "list", "--json", "--state", "undelivered"])
}

#[test]
fn mail_arrives_over_tcp_and_over_a_unix_socket() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for sink in [
        Behaviour::default().lmtp().start(),
        Behaviour::default().lmtp().start_on(&folder.path().join("lmtp")),
    ] {
        let gate = Gate::before(&sink, "");
        let message = mail::plain("Water butts");
        let mut client = Client::greeted(gate.smtp);
        for _ in 0..2 {
            let reply = client.deliver(FROM, &[CLERK, "mayor@council.example"], &message);
            assert_eq!(reply.code, 250, "{reply:?}");
        }
        assert_eq!(recipients(&sink).len(), 4, "a copy for each");
        assert_eq!(mail::difference(&message, &sink.received()[0].bytes), None);
        assert!(sink.commands_starting("EHLO").is_empty());
        assert!(!sink.commands_starting("LHLO").is_empty());
        assert!(undelivered(&gate).is_empty());
    }
}

#[test]
fn whoever_is_left_out_is_kept_for_told_of_and_released_to() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (behaviour, has_room) = with_a_full_box(Answer::say("552 5.2.2 mailbox full"));
    let sink = behaviour.start_on(&folder.path().join("lmtp"));
    let mut gate = Gate::before(&sink, "");
    let mut client = Client::greeted_with(gate.smtp, "DSN");
    client.say(&format!("MAIL FROM:<{FROM}> ENVID=77"));
    client.say(&format!("RCPT TO:<{FULL}> NOTIFY=FAILURE ORCPT=rfc822;{FULL}"));
    client.say(&format!("RCPT TO:<{CLERK}>"));
    let message = mail::plain("Water butts");
    let reply = client.data(&message);
    assert_eq!(reply.code, 250, "{reply:?}");
    assert_eq!(recipients(&sink), [format!("<{CLERK}>")]);

    // Durable before the 250: a gate that is killed has it still.
    gate.signal("KILL");
    gate.wait();
    gate.start_again();
    let kept = undelivered(&gate);
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0]["recipients"], serde_json::json!([FULL]));
    let id = kept[0]["id"].as_str().expect("an id").to_owned();
    let shown = gate.json(&["quarantine", "show", &id, "--json", "--reason", "the alert"]);
    assert!(shown[0].to_string().contains("552 5.2.2 mailbox full"), "{shown:?}");
    eventually("the gauge", || {
        (gate.metric("portreeve_quarantine_undelivered") > 0.0).then_some(())
    });
    assert!(gate.log().contains("\"event\":\"undelivered\""), "{}", gate.log());

    let release = ["quarantine", "release", &id, "--reason", "it has room"];
    assert!(!gate.command(&release).status.success(), "still full");
    assert_eq!(undelivered(&gate).len(), 1);
    has_room.store(true, Ordering::SeqCst);
    let released = gate.command(&release);
    assert!(released.status.success(), "{released:?}");
    let to = recipients(&sink);
    assert_eq!(to.len(), 2, "nobody has two: {to:?}");
    assert_eq!(to[1], format!("<{FULL}> NOTIFY=FAILURE ORCPT=rfc822;{FULL}"));
    assert!(sink.received()[1].from.contains("ENVID=77"));
    assert_eq!(mail::difference(&message, &sink.received()[1].bytes), None);
    assert!(undelivered(&gate).is_empty());
}

#[test]
fn refused_for_all_or_gone_the_sender_is_told() {
    for (answer, code) in [
        (Answer::say("550 5.1.1 no such user"), 550),
        (Answer::say("452 4.2.2 mailbox full"), 452),
        (Answer::say("421 4.3.2 closing"), 451),
        (Answer::Raw(b"what\r\n".to_vec()), 451),
        (Answer::Close, 451),
        (Answer::KeepAndClose, 451),
    ] {
        let shown = format!("{answer:?}");
        let (behaviour, _) = with_a_full_box(answer);
        let sink = behaviour.start();
        let gate = Gate::before(&sink, "");
        let reply =
            Client::greeted(gate.smtp).deliver(FROM, &[FULL, "full-too@council.example"], &mail::plain("Water butts"));
        assert_eq!(reply.code, code, "{shown}: {reply:?}");
        assert!(undelivered(&gate).is_empty(), "{shown}");
    }
}

#[test]
fn a_dovecot_behind_the_gate_takes_mail_for_each_recipient_or_leaves_it_out() {
    const NAME: &str = "a_dovecot_behind_the_gate_takes_mail_for_each_recipient_or_leaves_it_out";
    let Some([program, _]) = programs::needed(NAME, ["dovecot", "lmtp"]) else {
        return;
    };
    if !programs::needs_root(NAME) {
        return;
    }
    let dovecot = Dovecot::start(&program);
    for target in [dovecot.socket_target(), dovecot.tcp_target()] {
        let gate = Gate::delivering_to(&target, "");
        let message = mail::plain("Dots\r\n");
        let before = dovecot.delivered("clerk").len();
        let reply = Client::greeted(gate.smtp).deliver(FROM, &[CLERK, "mayor@council.example"], &message);
        assert_eq!(reply.code, 250, "{reply:?}\n{}", dovecot.log());
        assert_eq!(dovecot.delivered("clerk").len(), before + 1);

        // Its quota is found out only after the dot, one recipient at a time.
        let large = [mail::plain("Large"), b"a line to fill the box with\r\n".repeat(2_000)].concat();
        let reply = Client::greeted(gate.smtp).deliver(FROM, &[FULL, CLERK], &large);
        assert_eq!(reply.code, 250, "{reply:?}\n{}", dovecot.log());
        assert_eq!(dovecot.delivered("clerk").len(), before + 2);
        assert!(dovecot.delivered("full").is_empty());
        let kept = undelivered(&gate);
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0]["recipients"], serde_json::json!([FULL]));

        let reply = Client::greeted(gate.smtp).deliver(FROM, &[FULL], &large);
        assert_eq!(reply.class(), 5, "alone, the sender is told: {reply:?}");
    }
}
