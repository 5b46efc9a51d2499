//! Never an open relay: the classic probes, before an upstream that takes everything.

use crate::support::{Client, Gate, Sink};
use std::process::{Command, Stdio};

/// What is asked for in RCPT. `victim.example` is somebody else's, `council.example` is ours.
const PROBES: &[&str] = &[
    "<user@victim.example>",
    "<USER@VICTIM.EXAMPLE>",
    "<user@victim.example.>",
    "<user%victim.example@council.example.victim.example>",
    "<@council.example:user@victim.example>",
    "<@council.example,@mail.council.example:user@victim.example>",
    "<user@victim.example@victim.example>",
    "<user@council.example@victim.example>",
    "<\"user@council.example\"@victim.example>",
    "<\"user@victim.example\">",
    "<user@victim.example\\@council.example>",
    "<victim.example!user>",
    "<council.example!user@victim.example>",
    "<user@[127.0.0.1]>",
    "<user@[192.0.2.1]>",
    "<user@[IPv6:2001:db8::1]>",
    "<user@127.0.0.1>",
    "<user@192.0.2.1>",
    "<user@localhost>",
    "<user@mail.council.example>",
    "<user@xcouncil.example>",
    "<user@council.example.victim.example>",
    "<user@council.exampl>",
    "<user@council.example..>",
    "<user@.council.example>",
    "<user@council\u{3002}example.victim.example>",
    "<user@victim.example\t@council.example>",
    "<user@victim.example @council.example>",
    "<user@victim.example>,<clerk@council.example>",
    "<user@victim.example> <clerk@council.example>",
    "user@victim.example",
    "<user>",
    "<@council.example>",
    "<user@>",
    "<>",
    "",
    "<user@council.example\0.victim.example>",
    "<user@victim.example;clerk@council.example>",
];

/// What is asked for under our own name. A lax server behind would unfold these: either they are
/// refused here, or they reach upstream exactly as they came and as mail for our own domain.
const OWN_NAME: &[&str] = &[
    "<user%victim.example@council.example>",
    "<victim.example!user@council.example>",
    "<\"user@victim.example\"@council.example>",
    "<\"user%victim.example\"@council.example>",
    "<user@COUNCIL.EXAMPLE>",
];

#[test]
fn no_probe_is_relayed() {
    assert!(PROBES.len() >= 25);
    let sink = Sink::start();
    let gate = Gate::before(&sink, "");
    for probe in PROBES {
        for sender in ["<spammer@elsewhere.example>", "<clerk@council.example>", "<>"] {
            let mut client = Client::greeted(gate.smtp);
            if client.say(&format!("MAIL FROM:{sender}")).code != 250 {
                continue;
            }
            let reply = client.say(&format!("RCPT TO:{probe}"));
            assert_eq!(reply.class(), 5, "{sender} to {probe:?}: {reply:?}");
            assert_ne!(client.say("DATA").code, 354, "{sender} to {probe:?}");
        }
    }
    assert_eq!(
        sink.commands_starting("RCPT"),
        Vec::<String>::new(),
        "refused before upstream is asked"
    );
    assert!(sink.received().is_empty());
}

#[test]
fn addresses_under_our_own_name_are_refused_or_reach_upstream_as_they_came() {
    let sink = Sink::start();
    let gate = Gate::before(&sink, "");
    for probe in OWN_NAME {
        let mut client = Client::greeted(gate.smtp);
        assert_eq!(client.say("MAIL FROM:<spammer@elsewhere.example>").code, 250);
        let reply = client.say(&format!("RCPT TO:{probe}"));
        let asked = sink.commands_starting("RCPT");
        if reply.code == 250 {
            assert_eq!(
                asked.last().map(String::as_str),
                Some(format!("RCPT TO:{probe}").as_str())
            );
        } else {
            assert_eq!(reply.class(), 5, "{probe}: {reply:?}");
        }
    }
}

#[test]
fn the_sender_proves_nothing() {
    let sink = Sink::start();
    let gate = Gate::before(&sink, "");
    let mut client = Client::greeted(gate.smtp);
    assert!(!client.say("EHLO council.example").offers("AUTH"));
    for attempt in [
        "AUTH PLAIN AGEAYg==",
        "AUTH LOGIN",
        "XCLIENT ADDR=127.0.0.1 LOGIN=clerk",
        "XFORWARD ADDR=127.0.0.1",
    ] {
        let reply = client.say(attempt);
        assert_eq!(reply.class(), 5, "{attempt}: {reply:?}");
    }
    let mut client = Client::greeted(gate.smtp);
    let reply = client.say("MAIL FROM:<clerk@council.example> AUTH=clerk@council.example");
    if reply.code == 250 {
        assert_eq!(client.say("RCPT TO:<user@victim.example>").class(), 5);
    }
    assert_eq!(sink.commands_starting("RCPT"), Vec::<String>::new());
    assert!(
        sink.commands()
            .iter()
            .all(|line| !line.to_ascii_uppercase().contains("AUTH="))
    );
}

#[test]
fn a_listener_beyond_loopback_without_relay_domains_doesnt_start() {
    let folder = Gate::prepare();
    let mut config = crate::support::gate::base(crate::support::free_address(), crate::support::free_address());
    config.remove("relay");
    let listeners = config
        .get_mut("listener")
        .and_then(toml::Value::as_array_mut)
        .expect("listeners");
    let listener = listeners
        .first_mut()
        .and_then(toml::Value::as_table_mut)
        .expect("a listener");
    listener.insert(
        "address".to_owned(),
        format!("0.0.0.0:{}", crate::support::free_address().port()).into(),
    );
    std::fs::write(folder.path().join("portreeve.toml"), config.to_string()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_portreeve"));
    command
        .args(["run", "--config", "portreeve.toml"])
        .current_dir(folder.path())
        .stdin(Stdio::null());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{said}");
    assert!(said.contains("relay"), "{said}");
}
