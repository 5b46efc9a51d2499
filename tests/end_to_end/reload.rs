//! Rules that change under a running gate: a good set takes over, a bad one never does.

use crate::support::{Certificates, Client, Gate, Sink, eventually, mail};
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

const FROM: &str = "allotments@parish.example";
const TO: &str = "clerk@council.example";

/// The test rules with another word to refuse.
fn rules_refusing(word: &str) -> String {
    mail::RULES.replace(mail::REJECT, word)
}

const BROKEN: &str = "\n[[rule]]\nid = \"TEST_BROKEN\"\nsummary = \"x\"\ncategory = \"spam\"\nseverity = \"low\"\nscore = 1.0\nwhen = 'subjekt.contains(\"x\")'\n";

#[test]
fn a_changed_file_takes_effect_by_itself() {
    let sink = Sink::start();
    let gate = Gate::before(&sink, "");
    assert_eq!(code(&gate, "NEW-LURE"), 250);
    replace(&gate, &rules_refusing("NEW-LURE"));
    eventually("the new rules at work", || {
        (code(&gate, "NEW-LURE") == 550).then_some(())
    });
    assert_eq!(code(&gate, mail::REJECT), 250, "the old rule is gone");
}

#[test]
fn a_signal_or_a_command_reloads_too() {
    let sink = Sink::start();
    let gate = Gate::before(&sink, "");
    fs::write(gate.folder().join("rules/test.toml"), rules_refusing("BY-SIGNAL")).unwrap();
    gate.signal("HUP");
    eventually("the new rules at work", || {
        (code(&gate, "BY-SIGNAL") == 550).then_some(())
    });
    fs::write(gate.folder().join("rules/test.toml"), rules_refusing("BY-COMMAND")).unwrap();
    let output = gate.command(&["reload"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        code(&gate, "BY-COMMAND"),
        550,
        "the command answers once the rules are in place"
    );
}

#[test]
fn broken_rules_never_replace_good_ones() {
    let sink = Sink::start();
    let gate = Gate::before(&sink, "");
    assert_eq!(gate.metric("portreeve_ruleset_last_reload_successful"), 1.0);
    for (name, text) in [
        ("an unknown field", format!("{}{BROKEN}", rules_refusing("NEVER"))),
        ("half a file", rules_refusing("NEVER").split_at(200).0.to_owned()),
        ("an empty file", String::new()),
        ("no text at all", "\u{feff}\0\u{1}".to_owned()),
        (
            "the same rule twice",
            format!("{}{}", rules_refusing("NEVER"), rules_refusing("NEVER")),
        ),
    ] {
        let before = gate.metric_sum("portreeve_ruleset_reloads_total");
        replace(&gate, &text);
        let output = gate.command(&["reload"]);
        assert_eq!(code(&gate, "NEVER"), 250, "{name}");
        assert_eq!(code(&gate, mail::REJECT), 550, "{name}: the good rules still stand");
        assert!(!output.status.success(), "{name}: {output:?}");
        assert!(gate.metric_sum("portreeve_ruleset_reloads_total") > before, "{name}");
        assert_eq!(gate.metric("portreeve_ruleset_last_reload_successful"), 0.0, "{name}");
    }
    replace(&gate, &rules_refusing("MENDED"));
    eventually("the mended rules at work", || {
        (code(&gate, "MENDED") == 550).then_some(())
    });
    eventually("the gauge", || {
        (gate.metric("portreeve_ruleset_last_reload_successful") == 1.0).then_some(())
    });
}

#[test]
fn the_refusal_of_a_reload_says_where() {
    let sink = Sink::start();
    let gate = Gate::before(&sink, "");
    let text = format!("{}{BROKEN}", mail::RULES);
    let line = text.lines().position(|line| line.contains("subjekt")).unwrap() + 1;
    replace(&gate, &text);
    let output = gate.command(&["reload"]);
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(said.contains(&format!("test.toml:{line}")), "{said}");
}

#[test]
fn a_start_with_broken_rules_stands_on_the_last_good_ones() {
    let sink = Sink::start();
    let mut gate = Gate::before(&sink, "");
    assert_eq!(code(&gate, mail::REJECT), 550);
    gate.signal("TERM");
    gate.wait();
    fs::write(gate.folder().join("rules/test.toml"), BROKEN).unwrap();
    gate.start_again();
    assert_eq!(code(&gate, mail::REJECT), 550, "degraded, but guarding");
    assert_eq!(gate.metric("portreeve_ruleset_last_reload_successful"), 0.0);
}

#[test]
fn a_renewed_certificate_towards_upstream_is_taken_up_and_a_broken_one_is_not() {
    let certificates = Certificates::new();
    let folder = tempfile::tempdir().unwrap();
    let [certificate, key] = certificates.write_client_to(folder.path(), "gate.council.example", 2100);
    let settings = format!("[upstream]\ntls_certificate = {certificate:?}\ntls_key = {key:?}\n");
    let gate = Gate::with_maildir(&settings);
    let expiry = || gate.metric("portreeve_certificate_expiry_timestamp_seconds{name=\"route default\"}");
    let (year_2100, year_2101) = (4_102_444_800.0, 4_133_980_800.0);
    assert_eq!(expiry(), year_2100);
    certificates.write_client_to(folder.path(), "gate.council.example", 2101);
    eventually("the new certificate's expiry", || (expiry() == year_2101).then_some(()));
    // First the key, so that no moment shows a whole new pair.
    fs::write(&key, "half a fi").unwrap();
    let aside = tempfile::tempdir().unwrap();
    let [next, _] = certificates.write_client_to(aside.path(), "gate.council.example", 2102);
    fs::copy(next, &certificate).unwrap();
    let output = gate.command(&["reload"]);
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(said.contains("client.key"), "{said}");
    assert_eq!(expiry(), year_2101, "what can't be used is not in use");
}

/// Two sets of rules that take turns under load: every message is judged by one or the other.
#[test]
fn no_message_is_judged_by_two_generations() {
    let sink = Sink::start();
    let gate = Gate::before(&sink, "");
    let rule = |set: &str, number: usize| {
        format!(
            "[[rule]]\nid = \"TEST_{set}_{number}\"\nsummary = \"Of set {set}\"\ncategory = \"spam\"\n\
             severity = \"low\"\nscore = 2.0\nwhen = 'subject.contains(\"Both\")'\n"
        )
    };
    let sets = ["RED", "BLUE"].map(|set| (1..=3).map(|number| rule(set, number)).collect::<String>());
    replace(&gate, &sets[0]);
    assert!(gate.command(&["reload"]).status.success());
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut client = Client::greeted(gate.smtp);
                while !over.load(Ordering::SeqCst) {
                    assert_eq!(client.deliver(FROM, &[TO], &mail::plain("Both")).code, 250);
                }
            });
        }
        let reloaded = (1..=30).all(|round| {
            replace(&gate, &sets[round % 2]);
            gate.command(&["reload"]).status.success()
        });
        // Before anything is judged, so that a failure doesn't leave the senders running.
        over.store(true, Ordering::SeqCst);
        assert!(reloaded);
    });
    let mut seen = [0, 0];
    for message in sink.received() {
        let verdict = mail::field(&message.bytes, "X-Portreeve-Verdict").unwrap_or_default();
        let counts = ["RED", "BLUE"].map(|set| verdict.matches(set).count());
        assert!(counts == [3, 0] || counts == [0, 3], "{verdict}");
        seen[usize::from(counts[1] == 3)] += 1;
    }
    assert!(seen[0] > 0 && seen[1] > 0, "{seen:?}");
}

#[test]
fn what_the_rules_take_in_memory_is_told_and_grows_with_them() {
    let sink = Sink::start();
    let gate = Gate::before(&sink, "");
    let lists = || gate.metric("portreeve_ruleset_bytes{part=\"lists\"}");
    assert_eq!(lists(), 0.0);
    let entries: String = (0..1_000)
        .map(|number| format!("'host{number:04}.example', "))
        .collect();
    let uses = BROKEN.replace("subjekt.contains(\"x\")", "from.domain in $known");
    let list = format!("[lists.known]\nkind = 'domain'\nvalues = [{entries}]\n");
    replace(&gate, &format!("{}{uses}{list}", mail::RULES));
    assert!(gate.command(&["reload"]).status.success());
    assert!(lists() > 2.0 * 16.0 * 1_000.0, "{}", lists());
    let told = gate.json(&["status", "--json"])[0]["rules_bytes"].as_f64().unwrap();
    assert_eq!(told, gate.metric_sum("portreeve_ruleset_bytes"));
    let status = gate.command(&["status"]);
    assert!(
        String::from_utf8_lossy(&status.stdout).contains(" KB of memory"),
        "{status:?}"
    );
}

fn code(gate: &Gate, subject: &str) -> u16 {
    Client::greeted(gate.smtp)
        .deliver(FROM, &[TO], &mail::plain(subject))
        .code
}

/// Replaces the rules the way editors do: a new file renamed over the old one.
fn replace(gate: &Gate, text: &str) {
    let folder = gate.folder().join("rules");
    fs::write(gate.folder().join("next.toml"), text).unwrap();
    fs::rename(gate.folder().join("next.toml"), folder.join("test.toml")).unwrap();
}
