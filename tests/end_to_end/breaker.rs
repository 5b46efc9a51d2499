//! A rule that costs or catches too much is held by the running gate, stays so over reloads and restarts, and
//! comes back when it is changed or armed again. What has stood for a day is held for nothing that anybody sends.

use crate::support::{Client, Gate, Sink, eventually, mail};
use std::fs;
use std::time::{Duration, SystemTime};

/// What the gate keeps of the breaker, in its folder.
const KEPT: &str = "var/last-good-rules/breaker.json";
const FROM: &str = "allotments@parish.example";
const TO: &str = "clerk@council.example";
const SERIES: &str = "portreeve_rule_disabled{cause=\"budget\",rule=\"TEST_COSTLY\"}";
const SHARE: &str = "portreeve_rule_disabled{cause=\"share\",rule=\"TEST_REJECT\"}";

/// Goes through the text for each word of a list, which is cheap on a small message only.
fn costly(summary: &str) -> String {
    let words: Vec<String> = (0..600).map(|number| format!("'word{number}'")).collect();
    format!(
        "{}[lists.words]\nkind = 'text'\nvalues = [{}]\n[[rule]]\nid = 'TEST_COSTLY'\nsummary = '{summary}'\n\
         category = 'spam'\nseverity = 'low'\nscore = 6.0\nwhen = '''$words.any(w, body.text.contains(w + subject))'''\n",
        mail::RULES,
        words.join(", ")
    )
}

fn write(gate: &Gate, rules: &str) {
    fs::write(gate.folder().join("next.toml"), rules).unwrap();
    fs::rename(gate.folder().join("next.toml"), gate.folder().join("rules/test.toml")).unwrap();
    assert!(gate.command(&["reload"]).status.success());
}

fn send(gate: &Gate, subject: &str, lines: usize) {
    let mut message = mail::plain(subject);
    message.extend(
        "The water butts have come, plots 3 to 9 first.\r\n"
            .repeat(lines)
            .into_bytes(),
    );
    let reply = Client::greeted(gate.smtp).deliver(FROM, &[TO], &message);
    assert_eq!(reply.code, 250, "{reply:?}");
}

fn held(gate: &Gate) -> Vec<String> {
    let status = gate.json(&["status", "--json"]);
    let held = status[0]["held"].as_array().unwrap().iter();
    held.map(|held| held.as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_rule_over_its_budget_is_held_until_it_is_changed_or_armed_again() {
    let sink = Sink::start();
    let mut gate = Gate::before(&sink, "");
    write(&gate, &costly("First"));
    send(&gate, "small", 1);
    for number in 0..19 {
        send(&gate, &format!("long {number}"), 1_000);
    }
    // The same once more is no other.
    send(&gate, "long 18", 1_000);
    assert_eq!((held(&gate).len(), gate.metric(SERIES)), (0, 0.0));
    let undecided = gate.metric("portreeve_rule_unknown_total{rule=\"TEST_COSTLY\"}");
    assert_eq!(undecided, 20.0, "each such message is unscanned by it");
    send(&gate, "long 19", 1_000);
    assert!(held(&gate)[0].starts_with("TEST_COSTLY in shadow"), "{:?}", held(&gate));
    assert_eq!(gate.metric(SERIES), 1.0);
    assert!(gate.log().contains("rule_held"));
    assert!(gate.metric("portreeve_rule_eval_seconds_total{rule=\"TEST_COSTLY\"}") > 0.0);

    assert!(gate.command(&["reload"]).status.success());
    gate.signal("TERM");
    gate.wait();
    gate.start_again();
    assert_eq!((held(&gate).len(), gate.metric(SERIES)), (1, 1.0), "it lasts");

    let armed = gate.command(&["reload", "--rearm", "TEST_COSTLY", "--reason", "it was one sender"]);
    assert!(armed.status.success(), "{armed:?}");
    assert_eq!((held(&gate).len(), gate.metric(SERIES)), (0, 0.0));
    let again = gate.command(&["reload", "--rearm", "all", "--reason", "to be sure"]);
    assert_eq!(again.status.code(), Some(1), "{again:?}");
    let audit = String::from_utf8_lossy(&gate.command(&["quarantine", "audit"]).stdout).into_owned();
    assert!(audit.contains("it was one sender"), "{audit}");

    (0..20).for_each(|number| send(&gate, &format!("longer {number}"), 1_000));
    eventually("it is held again", || (held(&gate).len() == 1).then_some(()));
    write(&gate, &costly("Second"));
    assert_eq!(held(&gate).len(), 1, "its summary is no change of what it does");
    write(
        &gate,
        &costly("Second").replace("score = 6.0\nwhen = '''$words", "score = 5.0\nwhen = '''$words"),
    );
    assert_eq!(held(&gate).len(), 0);
}

/// So many messages that a rule refuses, each on a connection of its own: the replies' codes.
fn refused(gate: &Gate, numbers: std::ops::Range<usize>) -> Vec<u16> {
    let mut codes: Vec<u16> = numbers
        .map(|number| {
            let message = mail::plain(&format!("{} {number}", mail::REJECT));
            Client::greeted(gate.smtp).deliver(FROM, &[TO], &message).code
        })
        .collect();
    codes.dedup();
    codes
}

fn restart(gate: &mut Gate, meanwhile: impl FnOnce(&Gate)) {
    gate.signal("TERM");
    gate.wait();
    meanwhile(gate);
    gate.start_again();
}

/// Makes what is kept say that every rule has stood for years.
fn age(gate: &Gate) {
    let path = gate.folder().join(KEPT);
    let mut kept: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let rules = kept["rules"].as_object_mut().unwrap();
    assert!(!rules.is_empty());
    for record in rules.values_mut() {
        record["since"] = "2020-01-01T00:00:00Z".into();
    }
    fs::write(&path, kept.to_string()).unwrap();
}

#[test]
fn a_young_rule_that_alone_refuses_too_much_only_keeps_from_then_on() {
    let sink = Sink::start();
    let mut gate = Gate::before(&sink, "");
    assert_eq!(refused(&gate, 0..99), [550]);
    assert_eq!((held(&gate).len(), gate.metric(SHARE)), (0, 0.0));
    assert_eq!(
        refused(&gate, 99..100),
        [550],
        "the hundredth is judged as those before it"
    );
    assert!(
        held(&gate)[0].starts_with("TEST_REJECT held at quarantine"),
        "{:?}",
        held(&gate)
    );
    assert_eq!((held(&gate).len(), gate.metric(SHARE)), (1, 1.0));
    eventually("it is told", || gate.log().contains("\"rule_held\"").then_some(()));
    let status = gate.command(&["status"]);
    assert_eq!(status.status.code(), Some(1), "somebody is to look at it");
    let told = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(told.contains("HELD       TEST_REJECT held at quarantine"), "{told}");

    assert_eq!(refused(&gate, 100..110), [250]);
    let kept = gate.json(&["quarantine", "list", "--json"]);
    assert_eq!(kept.len(), 10, "what it would have refused is kept");
    assert!(sink.received().is_empty(), "and goes no further");

    restart(&mut gate, |_| {});
    assert_eq!((held(&gate).len(), gate.metric(SHARE)), (1, 1.0), "it lasts");
    assert_eq!(refused(&gate, 110..111), [250]);
    assert!(gate.command(&["reload"]).status.success());
    assert_eq!(refused(&gate, 111..112), [250]);

    let armed = gate.command(&["reload", "--rearm", "TEST_REJECT", "--reason", "a real campaign"]);
    assert!(armed.status.success(), "{armed:?}");
    assert_eq!((held(&gate).len(), gate.metric(SHARE)), (0, 0.0));
    assert_eq!(refused(&gate, 112..113), [550]);
}

#[test]
fn whatever_a_stranger_sends_a_rule_older_than_a_day_stays_armed() {
    let sink = Sink::start();
    let mut gate = Gate::before(&sink, "");
    write(&gate, &costly("First"));
    restart(&mut gate, age);

    for number in 0..25 {
        send(&gate, &format!("long {number}"), 1_000);
    }
    assert_eq!((held(&gate).len(), gate.metric(SERIES)), (0, 0.0));
    let undecided = gate.metric("portreeve_rule_unknown_total{rule=\"TEST_COSTLY\"}");
    assert_eq!(undecided, 25.0, "each such message is unscanned by it, and no other");
    let told = |gate: &Gate| gate.log().matches("rule-over-budget").count();
    eventually("somebody is told", || (told(&gate) > 0).then_some(()));
    let mut lure = mail::plain("y");
    lure.extend(b"word7y\r\n");
    assert_eq!(Client::greeted(gate.smtp).deliver(FROM, &[TO], &lure).code, 250);
    let hits = gate.metric("portreeve_rule_hits_total{mode=\"active\",rule=\"TEST_COSTLY\"}");
    assert_eq!(hits, 1.0, "it goes on acting");

    assert_eq!(refused(&gate, 0..130), [550]);
    assert_eq!((held(&gate).len(), gate.metric(SHARE)), (0, 0.0));
    assert_eq!(told(&gate), 1, "once a generation");
}

#[test]
fn at_a_first_start_a_rule_is_as_old_as_its_file() {
    let sink = Sink::start();
    let mut gate = Gate::before(&sink, "");
    let rewritten = |gate: &Gate| {
        fs::remove_file(gate.folder().join(KEPT)).unwrap();
        let path = gate.folder().join("rules/test.toml");
        fs::write(&path, costly("First")).unwrap();
        fs::File::options().write(true).open(path).unwrap()
    };
    let years_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    restart(&mut gate, |gate| rewritten(gate).set_modified(years_ago).unwrap());
    (0..20).for_each(|number| send(&gate, &format!("once {number}"), 1_000));
    assert!(held(&gate).is_empty(), "{:?}", held(&gate));
    restart(&mut gate, |gate| drop(rewritten(gate)));
    (0..20).for_each(|number| send(&gate, &format!("again {number}"), 1_000));
    assert_eq!(held(&gate).len(), 1);
}
