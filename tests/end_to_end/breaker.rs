//! A rule that costs too much is taken out of service by the running gate, stays so over reloads and
//! restarts, and comes back when it is changed or armed again.

use crate::support::{Client, Gate, Sink, eventually, mail};
use std::fs;

const FROM: &str = "allotments@parish.example";
const TO: &str = "clerk@council.example";
const SERIES: &str = "portreeve_rule_disabled{cause=\"budget\",rule=\"TEST_COSTLY\"}";

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
