//! `rules hunt` and `rules profile` through the program, where a transcript can't say it: standard input,
//! empty folders, hostile names and figures that differ from run to run.
//!
//! The rest is in `tests/workbench/*.transcript`.

#![expect(clippy::unwrap_used, reason = "a test program: what goes wrong fails it")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const RULES: [&str; 2] = ["--rules", "rules"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/workbench/archive")
}

fn run(words: &[&str], input: Stdio) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portreeve"));
    command.arg("rules").args(words).current_dir(folder()).stdin(input);
    command.output().unwrap()
}

fn hunt(words: &[&str], input: Stdio) -> (Option<i32>, String) {
    let output = run(&[&["hunt"], &RULES[..], words].concat(), input);
    let told = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(told).unwrap())
}

#[test]
fn mail_is_read_from_standard_input() {
    let mail = File::open(folder().join("ham/lunch.eml")).unwrap();
    let (code, told) = hunt(&["--when", "subject == 'Lunch?'", "--score", "6", "-"], mail.into());
    assert_eq!(code, Some(1), "{told}");
    assert!(told.starts_with("-: subject: \"Lunch?\"\n"), "{told}");
    assert!(told.contains("it would alone change the action of 1 message"), "{told}");
}

#[test]
fn an_empty_folder_is_no_input() {
    let empty = tempfile::tempdir().unwrap();
    let (code, told) = hunt(&[empty.path().to_str().unwrap()], Stdio::null());
    assert_eq!(code, Some(66));
    assert_eq!(told, "portreeve: there is no message in what was named\n");
}

#[test]
fn a_mail_that_cannot_be_read_is_named_and_the_rest_is_counted() {
    let mail = tempfile::tempdir().unwrap();
    let broken = mail.path().join("broken.mbox");
    fs::write(&broken, "From x Mon Jan  5 09:00:00 2026\nSubject: a\n\nb\n").unwrap();
    fs::create_dir(mail.path().join("dangling")).unwrap();
    let missing = mail.path().join("missing.eml");
    let words = [missing.to_str().unwrap(), mail.path().to_str().unwrap()];
    let (code, told) = hunt(&[&["--when", "subject == 'a'"], &words[..]].concat(), Stdio::null());
    assert_eq!(code, Some(66), "{told}");
    assert!(told.contains("the expression matches 1 of 1 message"), "{told}");
    assert!(told.contains("missing.eml: No such file"), "{told}");
}

#[test]
fn nothing_that_mail_holds_reaches_the_terminal_raw() {
    let mail = tempfile::tempdir().unwrap();
    let path = mail.path().join("\u{1b}[2J.eml");
    fs::write(
        &path,
        "From: a@b.example\r\nSubject: \u{1b}[31m\u{202e}refund\r\n\r\nx\r\n",
    )
    .unwrap();
    for more in ["--quiet", "--json"] {
        let words = [
            "--when",
            "subject.matches(/.+refund/)",
            mail.path().to_str().unwrap(),
            more,
        ];
        let (code, told) = hunt(&words, Stdio::null());
        assert_eq!(code, Some(1), "{told}");
        assert!(
            told.contains("refund") && !told.contains(['\u{1b}', '\u{202e}']),
            "{told:?}"
        );
    }
}

#[test]
fn what_is_told_is_the_same_however_often_it_is_asked() {
    let mail = tempfile::tempdir().unwrap();
    for number in 0..500 {
        let text =
            format!("From: a@b.example\r\nSubject: {number}\r\n\r\nThis is our final notice, number {number}.\r\n");
        fs::write(mail.path().join(format!("{number}.eml")), text).unwrap();
    }
    let words = ["--rule", "HURRY", mail.path().to_str().unwrap()];
    let first = hunt(&words, Stdio::null());
    assert!(
        first
            .1
            .contains("HURRY matches 500 of 500 messages, 500 of 500 distinct texts")
    );
    assert!(first == hunt(&words, Stdio::null()), "{}", first.1);
}

/// Its times differ from run to run; what it tells of doesn't.
#[test]
fn a_profile_tells_stages_rules_and_regexes() {
    let words = [
        "profile", "--rules", "rules", "--top", "2", "--spam", "spam", "--ham", "ham",
    ];
    let output = run(&words, Stdio::null());
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{told}");
    for part in [
        "parsing",
        "reading",
        "scanning",
        "deciding",
        "8 messages of",
        "and 4 more",
        "/[0-9]+ hours/",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }

    let output = run(&["profile", "--json", "--rules", "rules", "spam", "ham"], Stdio::null());
    let lines: Vec<serde_json::Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let conditions = lines.iter().filter(|line| line.get("steps").is_some());
    let mut rules: Vec<&str> = conditions.filter_map(|line| line["rule"].as_str()).collect();
    rules.sort_unstable();
    let expected = [
        "@hurries",
        "DEPOSIT",
        "HURRY",
        "NEWSLETTER",
        "OTHER_FILTER",
        "STRANGE_CLIENT",
    ];
    assert_eq!(rules, expected);
    let regex = lines.iter().find(|line| line["pattern"] == "/[0-9]+ hours/").unwrap();
    assert_eq!(
        (regex["rule"].as_str(), regex["slow"].as_bool()),
        (Some("@hurries"), Some(false))
    );
    let total = &lines.last().unwrap()["total"];
    assert_eq!(total["messages"], 8);
    assert!(total["bytes"].as_u64().unwrap() > 1_000);
}

#[test]
fn a_profile_of_nothing_is_refused() {
    for (words, code) in [
        (&["--rules", "rules"][..], 64),
        (&["--rules", "rules", "nowhere"], 66),
        (&["--rules", "nowhere", "ham"], 66),
        (&["--rules", "spam/chance.eml", "ham"], 65),
    ] {
        let output = run(&[&["profile"], words].concat(), Stdio::null());
        assert_eq!(output.status.code(), Some(code), "{words:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{words:?}");
    }
}
