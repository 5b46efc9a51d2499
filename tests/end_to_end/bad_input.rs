//! Settings, rules, lists and certificates broken in each way: the designed exit code, and where.

use crate::support::{Gate, free_address, gate};
use std::fs;
use std::process::Output;

/// A line to add or change, and what the message must name.
const BROKEN_SETTINGS: &[(&str, &str, &str)] = &[
    ("an unknown section", "[lisener]\nname = \"x\"\n", "lisener"),
    ("an unknown key", "[limits]\nmessage_sise = \"1MB\"\n", "message_sise"),
    ("a wrong type", "[limits]\nconnections = \"many\"\n", "connections"),
    (
        "a bad size",
        "[limits]\nmessage_size = \"50 parsecs\"\n",
        "message_size",
    ),
    ("a bad duration", "[deadlines]\njudging = \"soon\"\n", "judging"),
    ("a bad mode", "[policy]\nmode = \"strict\"\n", "mode"),
    ("a bad target", "[upstream]\ntarget = \"pigeon://loft\"\n", "target"),
    ("a bad address", "[http]\naddress = \"nowhere\"\n", "address"),
    ("half a table", "[limits\n", "portreeve.toml"),
    (
        "a key twice",
        "[deadlines]\njudging = \"1s\"\njudging = \"2s\"\n",
        "duplicate",
    ),
    (
        "a number too large",
        "[limits]\nconnections = 99999999999999999999\n",
        "portreeve.toml",
    ),
];

#[test]
fn broken_settings_end_the_start_with_78_and_their_place() {
    for (name, text, named) in BROKEN_SETTINGS {
        let base = gate::base(free_address(), free_address());
        let section = text.split(['[', ']', '\n']).nth(1).unwrap_or_default();
        let mut base = base;
        base.remove(section);
        let config = format!("{base}\n{text}");
        // The line of the last key, since what is wrong stands there; a broken header has its own.
        let lines: Vec<&str> = config.lines().collect();
        let places: Vec<String> = (lines.len() - text.lines().count()..lines.len())
            .map(|line| format!("portreeve.toml:{}", line + 1))
            .collect();
        for command in ["run", "check"] {
            let output = with_config(&config, command);
            let said = said(&output);
            assert_eq!(output.status.code(), Some(78), "{name}, {command}: {said}");
            assert!(said.contains(named), "{name}, {command}: {said}");
            assert!(
                places.iter().any(|place| said.contains(place)),
                "{name}, {command}: {places:?} in {said}"
            );
            assert!(!said.contains("panicked"), "{name}, {command}: {said}");
        }
    }
}

#[test]
fn a_file_that_cant_be_read_is_said_so() {
    let folder = tempfile::tempdir().unwrap();
    let missing = gate::command(folder.path(), &["run"]);
    assert!(matches!(missing.status.code(), Some(66 | 78)), "{missing:?}");
    assert!(said(&missing).contains("portreeve.toml"), "{missing:?}");
    fs::create_dir(folder.path().join("portreeve.toml")).unwrap();
    let not_a_file = gate::command(folder.path(), &["run"]);
    assert!(matches!(not_a_file.status.code(), Some(66 | 78)), "{not_a_file:?}");
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("portreeve.toml"), b"\xff\xfe[\0h\0t\0t\0p\0]\0").unwrap();
    let not_text = gate::command(folder.path(), &["run"]);
    assert_eq!(not_text.status.code(), Some(78), "{not_text:?}");
}

#[test]
fn a_port_in_use_is_unavailable_and_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let output = with_config(&gate::base(address, free_address()).to_string(), "run");
    assert!(matches!(output.status.code(), Some(69 | 71 | 75)), "{}", said(&output));
    assert!(said(&output).contains(&address.port().to_string()), "{}", said(&output));
}

#[test]
fn certificates_that_arent_are_refused_with_their_file() {
    for (name, certificate, key) in [
        ("missing files", None, None),
        ("empty files", Some(""), Some("")),
        ("no PEM", Some("hello"), Some("hello")),
        (
            "a PEM of nothing",
            Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
            Some("x"),
        ),
    ] {
        let folder = Gate::prepare();
        for (file, text) in [("certificate.pem", certificate), ("key.pem", key)] {
            if let Some(text) = text {
                fs::write(folder.path().join(file), text).unwrap();
            }
        }
        let mut config = gate::base(free_address(), free_address());
        let listener = config
            .get_mut("listener")
            .and_then(|value| value.get_mut(0)?.as_table_mut())
            .unwrap();
        listener.insert("tls".to_owned(), "starttls".into());
        listener.insert("certificate".to_owned(), "certificate.pem".into());
        listener.insert("key".to_owned(), "key.pem".into());
        fs::write(folder.path().join("portreeve.toml"), config.to_string()).unwrap();
        let output = gate::command(folder.path(), &["run"]);
        assert_eq!(output.status.code(), Some(78), "{name}: {}", said(&output));
        assert!(said(&output).contains(".pem"), "{name}: {}", said(&output));
    }
}

#[test]
fn broken_rules_without_a_last_good_set_end_the_start_with_78_and_their_place() {
    let when = |condition: &str| {
        format!(
            "[[rule]]\nid = \"TEST_A\"\nsummary = \"x\"\ncategory = \"spam\"\nseverity = \"low\"\nscore = 1.0\nwhen = '{condition}'\n"
        )
    };
    for (name, text, line) in [
        ("an unknown field", when("subjekt.contains(\"x\")"), 7),
        ("a wrong type", when("subject > 5"), 7),
        ("an open bracket", when("(subject.contains(\"x\")"), 7),
        ("a list that isn't there", when("from.domain in $nowhere"), 7),
        ("a bad regex", when("subject.matches(/(/)"), 7),
        ("an unknown category", when("true").replace("spam", "spamm"), 4),
        ("a key that isn't one", when("true").replace("summary", "sumary"), 3),
        ("no TOML", "[[rule]\n".to_owned(), 1),
    ] {
        let folder = Gate::prepare();
        fs::write(folder.path().join("rules/test.toml"), text).unwrap();
        let config = gate::base(free_address(), free_address());
        fs::write(folder.path().join("portreeve.toml"), config.to_string()).unwrap();
        let output = gate::command(folder.path(), &["run"]);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(78), "{name}: {said}");
        assert!(said.contains(&format!("test.toml:{line}")), "{name}: {said}");
        let check = gate::command(folder.path(), &["rules", "check", "rules"]);
        assert!(matches!(check.status.code(), Some(1 | 65)), "{name}: {check:?}");
    }
}

#[test]
fn wrong_usage_is_64_and_missing_input_66() {
    let folder = tempfile::tempdir().unwrap();
    let config = gate::base(free_address(), free_address());
    fs::create_dir(folder.path().join("rules")).unwrap();
    fs::write(folder.path().join("portreeve.toml"), config.to_string()).unwrap();
    for (arguments, code) in [
        (vec!["fly"], 64),
        (vec!["run", "--fast"], 64),
        (vec!["quarantine", "release"], 64),
        (vec!["scan", "no-such-file.eml"], 66),
        (vec!["status"], 69),
    ] {
        let output = gate::command(folder.path(), &arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", said(&output));
    }
}

fn with_config(config: &str, command: &str) -> Output {
    let folder = Gate::prepare();
    fs::write(folder.path().join("portreeve.toml"), config).unwrap();
    gate::command(folder.path(), &[command])
}

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stderr),
        String::from_utf8_lossy(&output.stdout)
    )
}
