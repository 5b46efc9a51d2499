//! What people decide about kept mail on a running gate: legal holds against retention, and what
//! became of a message that a crash left undecided.

use crate::support::{Answer, Client, Gate, Sink, Stage, eventually, mail};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const FROM: &str = "allotments@parish.example";
const TO: &str = "clerk@council.example";

#[test]
fn retention_removes_what_is_due_and_a_hold_keeps_its_message_whole() {
    let sink = Sink::start();
    let mut gate = Gate::before(&sink, "");
    for subject in ["due", "wanted"] {
        let message = mail::plain(&format!("{} {subject}", mail::QUARANTINE));
        assert_eq!(Client::greeted(gate.smtp).deliver(FROM, &[TO], &message).code, 250);
    }
    let wanted = id_of(&gate, "wanted");
    done(&gate, &["quarantine", "hold", &wanted, "--reason", "case 12"]);
    let again = gate.command(&["quarantine", "hold", &wanted, "--reason", "case 13"]);
    assert_eq!(again.status.code(), Some(1), "{again:?}");
    let delete = gate.command(&["quarantine", "delete", &wanted, "--reason", "tidy"]);
    assert_eq!(delete.status.code(), Some(1), "{delete:?}");
    assert!(
        String::from_utf8_lossy(&delete.stderr).contains("on legal hold"),
        "{delete:?}"
    );
    let shown = done(&gate, &["quarantine", "show", &wanted, "--reason", "look"]);
    assert!(
        shown.contains("on hold    by uid ") && shown.contains("\"case 12\""),
        "{shown}"
    );

    restart(
        &mut gate,
        Some("[store.retention]\nquarantine = \"1ms\"\njournal = \"1ms\"\naudit = \"1ms\"\n"),
    );
    let kept = eventually("the other one is gone", || {
        let kept = gate.json(&["quarantine", "list", "--on-hold", "--json"]);
        let all = gate.json(&["quarantine", "list", "--json"]).len();
        assert!(all >= kept.len() && !kept.is_empty(), "{all}");
        if all > 1 {
            return None;
        }
        (kept.len() == 1).then(|| kept[0].clone())
    });
    assert_eq!(
        (kept["id"].as_str(), &kept["hold"]["reason"]),
        (Some(wanted.as_str()), &Value::from("case 12"))
    );
    let records = eventually("the other record is gone", || {
        let records = gate.json(&["journal", "search", "--json"]);
        (records.len() == 1).then_some(records)
    });
    assert_eq!(records[0]["id"].as_str(), Some(wanted.as_str()));
    let raw = gate.command(&["quarantine", "show", &wanted, "--raw", "--reason", "look"]);
    assert!(!raw.stdout.is_empty(), "the message itself: {raw:?}");
    assert!(!gate.json(&["quarantine", "audit", &wanted, "--json"]).is_empty());
    eventually("the gauge", || {
        (gate.metric("portreeve_quarantine_on_hold") == 1.0).then_some(())
    });

    done(&gate, &["quarantine", "release", &wanted, "--reason", "also asked for"]);
    restart(&mut gate, None);
    assert_eq!(
        gate.json(&["quarantine", "list", "--json"])[0]["state"],
        "released",
        "still on hold"
    );
    done(
        &gate,
        &["quarantine", "hold", &wanted, "--lift", "--reason", "case closed"],
    );
    restart(&mut gate, None);
    eventually("nothing holds it", || {
        gate.json(&["quarantine", "list", "--json"]).is_empty().then_some(())
    });
}

#[test]
fn a_release_that_a_crash_cut_off_is_settled_by_hand() {
    let (sink, quiet) = falling_silent();
    let mut gate = Gate::before(&sink, "");
    for (word, stands, arrives) in [("held", "held", true), ("released", "released", false)] {
        let message = mail::plain(&format!("{} {word}", mail::QUARANTINE));
        assert_eq!(Client::greeted(gate.smtp).deliver(FROM, &[TO], &message).code, 250);
        let id = id_of(&gate, word);
        quiet.store(true, Ordering::SeqCst);
        std::thread::scope(|scope| {
            let release = scope.spawn(|| gate.command(&["quarantine", "release", &id, "--reason", "wanted"]));
            eventually("the release is under way", || {
                (state(&gate, &id) == "release_unknown").then_some(())
            });
            let settle = gate.command(&["quarantine", "settle", &id, "--as", "held", "--reason", "impatient"]);
            assert_eq!(settle.status.code(), Some(75), "it is being delivered: {settle:?}");
            gate.signal("KILL");
            assert!(!release.join().expect("it ends").status.success());
        });
        gate.wait();
        quiet.store(false, Ordering::SeqCst);
        gate.start_again();
        assert_eq!(state(&gate, &id), "release_unknown", "never acted on by itself");
        let wrong = gate.command(&["quarantine", "settle", &id, "--as", "voided", "--reason", "x"]);
        assert_eq!(wrong.status.code(), Some(1), "{wrong:?}");
        let told = done(
            &gate,
            &[
                "quarantine",
                "settle",
                &id,
                "--as",
                word,
                "--reason",
                "the server's log says so",
            ],
        );
        assert_eq!(told, format!("{id} is {stands} now\n"));
        assert_eq!(state(&gate, &id), stands);
        let release = gate.command(&["quarantine", "release", &id, "--reason", "wanted"]);
        assert_eq!(release.status.success(), arrives, "{release:?}");
        let audit = gate.json(&["quarantine", "audit", &id, "--json"]);
        assert_eq!(audit[1]["act"], format!("settle as {word}"), "{audit:?}");
        assert_eq!(audit[1]["reason"], "the server's log says so");
    }
    assert_eq!(sink.received().len(), 1);
}

#[test]
fn what_a_crash_left_pending_is_settled_by_hand() {
    let (sink, quiet) = falling_silent();
    let policies = "[[policy.recipients]]\nname = \"open\"\nmatch = [\"postmaster@\"]\nmost = \"tag\"\n";
    let mut gate = Gate::before(&sink, policies);
    for (word, has_body) in [("held", true), ("voided", false)] {
        quiet.store(true, Ordering::SeqCst);
        let mut client = Client::greeted(gate.smtp);
        client.envelope(FROM, &[TO, "postmaster@council.example"]);
        assert_eq!(client.say("DATA").code, 354);
        let message = mail::plain(&format!("{} {word}", mail::QUARANTINE));
        client.send(&crate::support::client::stuffed(&message));
        let id = eventually("it is kept for one of the two", || {
            let pending = gate.json(&["quarantine", "list", "--state", "pending", "--json"]);
            Some(pending.first()?["id"].as_str()?.to_owned())
        });
        gate.signal("KILL");
        gate.wait();
        quiet.store(false, Ordering::SeqCst);
        gate.start_again();
        let told = done(
            &gate,
            &[
                "quarantine",
                "settle",
                &id,
                "--as",
                word,
                "--reason",
                "it never came again",
                "--json",
            ],
        );
        let told: Value = serde_json::from_str(&told).expect("one object");
        assert_eq!(told["message"], format!("{id} is {word} now"));
        let raw = gate.command(&["quarantine", "show", &id, "--raw", "--reason", "look"]);
        assert_eq!(raw.stdout == message, has_body, "{word}");
        let again = gate.command(&["quarantine", "settle", &id, "--as", word, "--reason", "x"]);
        assert_eq!(again.status.code(), Some(1), "only what is undecided: {again:?}");
    }
    assert!(sink.received().is_empty(), "nothing is sent by settling");
    let odd = gate.command(&[
        "quarantine",
        "settle",
        &FROM.replace('@', "-"),
        "--as",
        "deleted",
        "--reason",
        "x",
    ]);
    assert_eq!(odd.status.code(), Some(64), "{odd:?}");
}

/// An upstream that says nothing at the dot while told so.
fn falling_silent() -> (Sink, Arc<AtomicBool>) {
    let quiet = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&quiet);
    let sink = Sink::scripted(move |stage, _| match stage {
        Stage::Dot if switch.load(Ordering::SeqCst) => Answer::Silence,
        _ => Answer::Accept,
    });
    (sink, quiet)
}

/// Starts the gate again, these settings added to its own.
fn restart(gate: &mut Gate, settings: Option<&str>) {
    gate.signal("TERM");
    gate.wait();
    if let Some(settings) = settings {
        let folder = gate.folder().join("conf.d");
        std::fs::create_dir(&folder).expect("a writable folder");
        std::fs::write(folder.join("more.toml"), settings).expect("a writable folder");
    }
    gate.start_again();
}

fn id_of(gate: &Gate, word: &str) -> String {
    let kept = gate.json(&["quarantine", "list", "--json"]);
    let one = kept
        .iter()
        .find(|one| one["subject"].as_str().is_some_and(|subject| subject.ends_with(word)));
    one.and_then(|one| one["id"].as_str()).expect("it is kept").to_owned()
}

fn state(gate: &Gate, id: &str) -> String {
    let kept = gate.json(&["quarantine", "list", "--json"]);
    let one = kept.iter().find(|one| one["id"].as_str() == Some(id));
    one.and_then(|one| one["state"].as_str())
        .expect("it is kept")
        .to_owned()
}

/// Runs a command that must succeed; what it said.
fn done(gate: &Gate, arguments: &[&str]) -> String {
    let output = gate.command(arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}
