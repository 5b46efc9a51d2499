//! The rule author's workbench through the program: transcripts of commands and what they print.
//!
//! Each `tests/workbench/*.transcript` holds lines that begin with `$ `, and below each what came of it.
//! `PORTREEVE_REWRITE=1` rewrites what came of it; its diff is the review. Beside commands of the program
//! there are `cat FILE` and `write FILE LINE | LINE`. All run in a copy of the folder.

#![expect(clippy::unwrap_used, reason = "a test program: what goes wrong fails it")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};
use tempfile::TempDir;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/workbench")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// Words of a command line; single quotes keep blanks.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            c => words.last_mut().unwrap().push(c),
        }
    }
    words
}

fn run(folder: &Path, line: &str) -> String {
    let (command, rest) = line.split_once(' ').unwrap();
    match command {
        "cat" => fs::read_to_string(folder.join(rest)).unwrap(),
        "write" => {
            let (path, text) = rest.split_once(' ').unwrap();
            fs::write(folder.join(path), text.replace(" | ", "\n") + "\n").unwrap();
            String::new()
        }
        _ => program(folder, &words(line)),
    }
}

fn program(folder: &Path, arguments: &[String]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_portreeve"))
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let mut told = String::from_utf8(output.stdout).unwrap();
    told.push_str(&String::from_utf8(output.stderr).unwrap());
    if !told.is_empty() && !told.ends_with('\n') {
        told.push('\n');
    }
    format!("{told}[{}]\n", output.status.code().unwrap())
}

fn play(transcript: &Path) -> (String, String) {
    let folder = TempDir::new().unwrap();
    copy(&root(), folder.path());
    let expected = fs::read_to_string(transcript).unwrap();
    let mut told = String::new();
    for line in expected.lines().filter_map(|line| line.strip_prefix("$ ")) {
        told.push_str(&format!("$ {line}\n{}", run(folder.path(), line)));
    }
    (expected, told)
}

#[test]
fn every_transcript_is_what_the_program_prints() {
    let mut transcripts: Vec<PathBuf> = fs::read_dir(root())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "transcript"))
        .collect();
    transcripts.sort();
    assert!(transcripts.len() >= 4);
    let mut differing = Vec::new();
    for transcript in transcripts {
        let (expected, told) = play(&transcript);
        if env::var_os("PORTREEVE_REWRITE").is_some() {
            fs::write(&transcript, &told).unwrap();
        } else if told != expected {
            differing.push(format!("{}:\n{told}", transcript.display()));
        }
    }
    assert!(differing.is_empty(), "\n{}", differing.join("\n"));
}

/// What people read fits their screen; an expression or a rule's own text may not.
#[test]
fn what_is_for_people_fits_eighty_columns() {
    for name in ["explain", "facts", "measure"] {
        let text = fs::read_to_string(root().join(name).with_extension("transcript")).unwrap();
        let mut is_json = false;
        for line in text.lines() {
            if line.starts_with("$ ") {
                is_json = line.contains("--json") || line.contains("--whole");
                continue;
            }
            let is_told = is_json || line.starts_with("portreeve: ");
            assert!(is_told || line.chars().count() <= 80, "{name}: {line}");
        }
    }
}
