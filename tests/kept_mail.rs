//! `rules hunt`, `rules diff` and `rules profile` on a handful of made-up mails, through the program.
//!
//! `tests/hunt/*.transcript` hold commands and what they say: standard output, then standard error, then
//! an exit code other than 0. `PORTREEVE_REWRITE=1` writes them anew; their diff is the review.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what helps a test may fail it"
)]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hunt")
}

/// Words as a shell tells them apart: by blanks, but for what stands in double quotes.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut open) = (vec![String::new()], false);
    for c in line.chars() {
        match c {
            '"' => open = !open,
            ' ' if !open => words.push(String::new()),
            c => words.last_mut().unwrap().push(c),
        }
    }
    words
}

fn run(line: &str) -> Output {
    let (line, input) = line
        .split_once(" < ")
        .map_or((line, None), |(line, path)| (line, Some(path)));
    let words = words(line);
    assert_eq!(words.first().map(String::as_str), Some("portreeve"), "{line}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_portreeve"));
    // The settings are the defaults, whoever runs this.
    let ours = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PORTREEVE"));
    ours.for_each(|(name, _)| {
        command.env_remove(name);
    });
    command.args(&words[1..]).current_dir(folder());
    command.stdin(input.map_or_else(Stdio::null, |path| File::open(folder().join(path)).unwrap().into()));
    command.output().unwrap()
}

fn told(line: &str) -> String {
    let output = run(line);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let exit = match output.status.code().unwrap() {
        0 => String::new(),
        code => format!("exit {code}\n"),
    };
    format!("$ {line}\n{}{}{exit}", text(&output.stdout), text(&output.stderr))
}

#[test]
fn transcripts_are_what_the_program_says() {
    let rewrite = std::env::var_os("PORTREEVE_REWRITE").is_some();
    let (mut count, mut differ) = (0, Vec::new());
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "transcript") {
            continue;
        }
        let expected = fs::read_to_string(&path).unwrap();
        let commands = expected.lines().filter_map(|line| line.strip_prefix("$ "));
        let seen: String = commands.map(told).collect();
        count += 1;
        if rewrite {
            fs::write(&path, &seen).unwrap();
        } else if seen != expected {
            differ.push(format!("{}:\n{seen}", path.display()));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
    assert!(count >= 6, "only {count} transcripts");
}

#[test]
fn an_empty_folder_is_no_input() {
    let empty = tempfile::tempdir().unwrap();
    let output = run(&format!(
        "portreeve rules hunt --rules rules {}",
        empty.path().display()
    ));
    assert_eq!(output.status.code(), Some(66));
    assert!(output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no message"));
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
    let folder = mail.path().display();
    for more in ["", " --json"] {
        let output = run(&format!(
            "portreeve rules hunt --rules rules --when \"subject.matches(/.+refund/)\" {folder}{more}"
        ));
        let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(!told.contains(['\u{1b}', '\u{202e}']), "{told:?}");
    }
}

/// Its times differ from run to run; what it tells of doesn't.
#[test]
fn a_profile_tells_stages_rules_and_regexes() {
    let output = run("portreeve rules profile --rules rules --top 2 --spam spam --ham ham");
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{told}");
    for stage in ["parsing", "reading", "scanning", "deciding", "8 messages of"] {
        assert!(told.contains(stage), "{stage}: {told}");
    }
    assert!(told.contains("and 4 more"), "{told}");

    let output = run("portreeve rules profile --json --rules rules spam ham");
    let lines: Vec<serde_json::Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let mut rules: Vec<&str> = lines.iter().filter_map(|line| line["rule"].as_str()).collect();
    rules.sort_unstable();
    assert_eq!(
        rules,
        ["@hurries", "DEPOSIT", "HURRY", "NEWSLETTER", "OTHER_FILTER", "STRANGE_CLIENT"]
    );
    let total = &lines.last().unwrap()["total"];
    assert_eq!(total["messages"], 8);
    assert!(total["bytes"].as_u64().unwrap() > 1_000);
}

#[test]
fn a_profile_of_nothing_is_refused() {
    for (line, code) in [
        ("portreeve rules profile --rules rules", 64),
        ("portreeve rules profile --rules rules nowhere", 66),
        ("portreeve rules profile --rules nowhere ham", 66),
        ("portreeve rules profile --rules profile.transcript ham", 66),
    ] {
        let output = run(line);
        assert_eq!(output.status.code(), Some(code), "{line}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{line}");
    }
}
