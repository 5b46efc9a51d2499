//! The administrator's levers on a running gate: entries, the bypass, and that both outlive it.

use crate::support::{Client, Gate, Reply, Sink, eventually, mail};
use jiff::{SignedDuration, Timestamp};
use portreeve::clock::{Clock, SystemClock};
use serde_json::Value;

const FROM: &str = "allotments@parish.example";
const TO: &str = "clerk@council.example";
/// Where the test's own client comes from.
const CLIENT: &str = "127.0.0.1";

#[test]
fn a_block_refuses_until_it_is_removed_and_outlives_a_kill() {
    let sink = Sink::start();
    let mut gate = Gate::before(&sink, "");
    for entry in [CLIENT, FROM, "@example"] {
        assert_eq!(send(&gate, "Hello").code, 250, "nothing is blocked yet: {entry}");
        let told = done(
            &gate,
            &["block", entry, "--until", &day(2), "--reason", "asked by the clerk"],
        );
        assert!(
            told.starts_with(&format!("block {entry} (at least reject) until ")),
            "{told}"
        );
        let reply = send(&gate, "Hello");
        assert_eq!(reply.code, 550, "{reply:?}");
        assert!(
            reply
                .text()
                .starts_with("5.7.1 Message refused as blocked by our administrator"),
            "{reply:?}"
        );
        done(&gate, &["reload"]);
        assert_eq!(send(&gate, "Hello").code, 550, "a reload takes no lever away");
        gate.signal("KILL");
        gate.wait();
        gate.start_again();
        let reply = send(&gate, "Hello");
        assert_eq!(reply.code, 550, "after a restart: {reply:?}");
        let listed = gate.json(&["block", "--list", "--json"]);
        assert_eq!(
            (listed.len(), listed[0]["entry"].as_str()),
            (1, Some(entry)),
            "{listed:?}"
        );
        explains(&gate, &reply, &format!("block {entry} (at least reject), by uid "));
        done(&gate, &["block", "--remove", entry, "--reason", "it was a mistake"]);
        gate.signal("TERM");
        gate.wait();
        gate.start_again();
        assert_eq!(
            gate.command(&["block", "--list"]).status.code(),
            Some(1),
            "an empty list"
        );
    }
    assert_eq!(send(&gate, "Hello").code, 250);
    let audit = gate.json(&["quarantine", "audit", "--json"]);
    let acts: Vec<&str> = audit.iter().filter_map(|entry| entry["act"].as_str()).collect();
    assert_eq!(acts.len(), 6, "{acts:?}");
    assert_eq!(acts[0..2], ["block @example remove", "block @example"]);
}

/// What a blocked sender is told, every place that explains a verdict has in full.
fn explains(gate: &Gate, reply: &Reply, lever: &str) {
    let id = reply.id().expect("an id");
    let record = eventually("the journal record", || {
        let output = gate.command(&["explain", &id, "--json"]);
        serde_json::from_slice::<Value>(&output.stdout).ok()
    });
    let reason = record["reasons"][0].as_str().unwrap_or_default();
    assert!(
        reason.starts_with(lever) && reason.ends_with("Z: asked by the clerk"),
        "{record}"
    );
    let told = String::from_utf8(gate.command(&["explain", &id]).stdout).expect("text");
    assert!(told.contains(&format!("because    {reason}")), "{told}");
    let lines = gate.message_lines();
    let line = lines.iter().find(|line| line["id"] == id.as_str()).expect("a log line");
    assert_eq!(line["reasons"][0], reason, "{line}");
    let name = lever.split(" (").next().unwrap_or_default();
    assert_eq!(line["levers"][0], name, "{line}");
    assert_eq!(line["category"], "policy", "{line}");
}

#[test]
fn an_allow_lets_content_through_marked_and_a_block_beside_it_wins() {
    let sink = Sink::start();
    let gate = Gate::before(&sink, "");
    let told = done(
        &gate,
        &["allow", FROM, "--until", &day(2), "--reason", "a supplier of ours"],
    );
    assert!(told.contains("anyone can write this sender's address"), "{told}");
    assert_eq!(send(&gate, mail::REJECT).code, 250);
    let received = sink.received().pop().expect("delivered");
    assert_eq!(mail::field(&received.bytes, "X-Spam-Flag").as_deref(), Some("YES"));
    let forged = Client::greeted(gate.smtp).deliver("other@else.example", &[TO], &mail::plain(mail::REJECT));
    assert_eq!(forged.code, 550, "the reverse-path is another's: {forged:?}");
    done(&gate, &["block", CLIENT, "--until", &day(2), "--reason", "abused"]);
    assert_eq!(send(&gate, "Hello").code, 550);
    assert_eq!(gate.metric("portreeve_lever_entries{kind=\"allow\"}"), 1.0);
    assert_eq!(gate.metric("portreeve_lever_entries{kind=\"block\"}"), 1.0);
}

#[test]
fn an_entry_ends_by_itself() {
    let sink = Sink::start();
    let gate = Gate::before(&sink, "");
    let soon = SystemClock.now() + SignedDuration::from_secs(2);
    done(
        &gate,
        &[
            "block",
            CLIENT,
            "--until",
            &soon.to_string(),
            "--reason",
            "for a moment",
        ],
    );
    eventually("mail is taken again", || {
        (send(&gate, "Hello").code == 250).then_some(())
    });
    eventually("the log says so", || {
        gate.log().contains("\"lever-expired\"").then_some(())
    });
    assert_eq!(gate.command(&["block", "--list"]).status.code(), Some(1));
}

#[test]
fn entries_set_while_rules_are_reloaded_are_not_lost() {
    let sink = Sink::start();
    let gate = Gate::before(&sink, "");
    let until = day(2);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..10 {
                done(&gate, &["reload"]);
            }
        });
        for hand in 0..2 {
            let (gate, until) = (&gate, &until);
            scope.spawn(move || {
                for number in 0..10 {
                    let entry = format!("192.0.2.{}", hand * 100 + number);
                    done(gate, &["block", &entry, "--until", until, "--reason", "one of many"]);
                }
            });
        }
    });
    assert_eq!(gate.json(&["block", "--list", "--json"]).len(), 20);
    assert_eq!(gate.metric("portreeve_lever_entries{kind=\"block\"}"), 20.0);
}

#[test]
fn what_makes_no_sense_is_a_clear_error_and_changes_nothing() {
    let sink = Sink::start();
    let gate = Gate::before(&sink, "");
    let (soon, never) = (day(2), "9999-01-01".to_owned());
    for (arguments, code, told) in [
        (
            vec!["allow", "@co.uk", "--until", &soon, "--reason", "x"],
            64,
            "too broad",
        ),
        (vec!["allow", CLIENT, "--until", &never, "--reason", "x"], 64, "too far"),
        (
            vec!["block", CLIENT, "--until", "2020-01-01", "--reason", "x"],
            64,
            "is past",
        ),
        (
            vec!["block", CLIENT, "--until", "soon", "--reason", "x"],
            64,
            "is no date",
        ),
        (
            vec!["block", "council", "--until", &soon, "--reason", "x"],
            64,
            "is no entry",
        ),
        (
            vec!["block", "0.0.0.0/0", "--until", &soon, "--reason", "x"],
            64,
            "too broad",
        ),
        (vec!["block", CLIENT, "--until", &soon], 64, "--reason"),
        (vec!["block", CLIENT, "--reason", "x"], 64, "--until"),
        (
            vec!["block", "--list", "--remove", CLIENT, "--reason", "x"],
            64,
            "cannot be used",
        ),
        (
            vec!["block", "--remove", CLIENT, "--reason", "x"],
            1,
            "there is no entry",
        ),
        (vec!["bypass", "--for", "25h", "--reason", "x"], 64, "lasts from"),
        (vec!["bypass", "--for", "a while", "--reason", "x"], 64, "no time"),
        (vec!["bypass", "--reason", "x"], 64, "--for"),
        (vec!["bypass", "--end", "--reason", "x"], 1, "not bypassed"),
    ] {
        let output = gate.command(&arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        assert!(text.contains(told), "{arguments:?}: {text}");
    }
    assert_eq!(send(&gate, mail::REJECT).code, 550);
    assert_eq!(send(&gate, "Hello").code, 250);
}

#[test]
fn a_bypass_delivers_untouched_outlives_a_kill_and_is_ended() {
    let sink = Sink::start();
    let mut gate = Gate::before(&sink, "");
    let message = mail::plain(mail::REJECT);
    done(&gate, &["bypass", "--for", "1h", "--reason", "the rules misfire"]);
    for _ in 0..2 {
        assert_eq!(send(&gate, mail::REJECT).code, 250);
        let received = sink.received().pop().expect("delivered");
        assert_eq!(mail::difference(&message, &received.bytes), None);
        for mark in ["X-Spam-Flag", "X-Portreeve-Verdict"] {
            assert_eq!(mail::field(&received.bytes, mark), None, "{mark}");
        }
        let status = gate.command(&["status", "--json"]);
        assert_eq!(status.status.code(), Some(1), "{status:?}");
        let status: Value = serde_json::from_slice(&status.stdout).expect("one object");
        assert_eq!(status["bypass"]["reason"], "the rules misfire", "{status}");
        assert_eq!(gate.metric("portreeve_bypass_active"), 1.0);
        let counted = "portreeve_messages_total{direction=\"inbound\",mode=\"bypass\",verdict=\"reject\"}";
        assert_eq!(gate.metric(counted), 1.0);
        let mut client = Client::greeted(gate.smtp);
        client.say(&format!("MAIL FROM:<{FROM}>"));
        assert_eq!(
            client.say("RCPT TO:<a@elsewhere.example>").code,
            550,
            "the relay guard stands"
        );
        gate.signal("KILL");
        gate.wait();
        gate.start_again();
    }
    assert!(gate.log().contains("BYPASSED until"), "the banner");
    done(&gate, &["bypass", "--end", "--reason", "mended"]);
    assert_eq!(send(&gate, mail::REJECT).code, 550);
    assert_eq!(gate.metric("portreeve_bypass_active"), 0.0);
    assert_eq!(gate.command(&["status"]).status.code(), Some(0));
    for event in ["bypass-started", "bypass-active", "bypass-ended"] {
        assert!(gate.log().contains(&format!("\"{event}\"")), "{event}");
    }
}

#[test]
fn a_bypass_ends_in_time_even_while_nobody_runs() {
    let sink = Sink::start();
    let mut gate = Gate::before(&sink, "");
    let bypass = gate.json(&["bypass", "--for", "1s", "--reason", "a moment", "--json"]);
    gate.signal("TERM");
    gate.wait();
    let until: Timestamp = bypass[0]["until"].as_str().expect("a time").parse().expect("a time");
    eventually("its time is over", || (SystemClock.now() > until).then_some(()));
    gate.start_again();
    assert_eq!(send(&gate, mail::REJECT).code, 550);
    eventually("the log says so", || {
        gate.log().contains("\"bypass-expired\"").then_some(())
    });
}

/// Runs a command that must succeed; what it said.
fn done(gate: &Gate, arguments: &[&str]) -> String {
    let output = gate.command(arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// The day so many days from today, UTC.
fn day(ahead: i64) -> String {
    let moment = SystemClock.now() + SignedDuration::from_hours(24 * ahead);
    moment.to_string().chars().take(10).collect()
}

fn send(gate: &Gate, subject: &str) -> Reply {
    Client::greeted(gate.smtp).deliver(FROM, &[TO], &mail::plain(subject))
}
