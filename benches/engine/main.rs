//! The rule engine against what else one might have used, over generated sets of rules: time a message, time to
//! build, memory. `benches/README.md` has the commands, and how the sets are made.
//!
//! Enters: nothing, or `--corpora FOLDER` for real texts and `--rules FOLDER` for what rules are made of. Leaves: a table of ratios taken in one run. Knows
//! nothing of the wire.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a measuring program: what goes wrong ends it"
)]

#[path = "../corpus/folder.rs"]
mod folder;
mod sets;

use bytes::Bytes;
use jiff::Timestamp;
use portreeve::evidence::identity::Identity;
use portreeve::evidence::{Evidence, Kept, Outside};
use portreeve::mail::{Client, Direction, Envelope, Limits, Mail, Message};
use portreeve::rules::RuleSet;
use sets::{Words, rule_file};
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The message that is judged.
const TEXT_BYTES: usize = 50_000;
/// Rounds of each unless told otherwise; the least counts, since noise only ever adds.
const ROUNDS: usize = 15;

/// A rule file has a limit of its own.
const RULES_A_FILE: usize = 2_000;

/// What an engine took.
#[derive(Clone, Copy)]
struct Taken {
    build: Duration,
    message: Duration,
    bytes: Option<usize>,
}

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let (mut words, mut rules, mut only, mut rounds) = (None, None, String::new(), ROUNDS);
    for pair in arguments.chunks(2) {
        match pair {
            [flag, folder] if flag == "--corpora" => words = Some(Words::of_folder(Path::new(folder), TEXT_BYTES)),
            [flag, folder] if flag == "--rules" => rules = Some(Words::of_folder(Path::new(folder), TEXT_BYTES)),
            [flag, name] if flag == "--only" => only.clone_from(name),
            [flag, number] if flag == "--rounds" => rounds = number.parse().expect("a number"),
            other => panic!("{other:?}? There are --corpora FOLDER, --rules FOLDER, --only NAME and --rounds NUMBER"),
        }
    }
    let mut words = words.unwrap_or_else(|| Words::made_up(TEXT_BYTES));
    if let Some(rules) = rules {
        words.take_phrases_of(rules);
    }
    let is_wanted = |name: &str| name.contains(&only);
    println!(
        "a text of {} bytes; each the least of {rounds} rounds",
        words.text.len()
    );
    println!(
        "\n{:<34}{:>12}{:>14}{:>12}{:>12}",
        "", "build", "a message", "memory", "of ours"
    );
    let vectorscan = vectorscan();
    for count in [100, 1_000, 5_000, 10_000] {
        let name = format!("{count} regex rules: ours");
        if !is_wanted(&name) {
            continue;
        }
        let regexes = words.regexes(count);
        let conditions: Vec<String> = regexes
            .iter()
            .map(|regex| format!("body.text.matches(/{regex}/i)"))
            .collect();
        let ours = engine(&conditions, &words.text, rounds);
        row(&name, ours, ours);
        if count <= 1_000 {
            row(
                "  a loop over regex, Unicode",
                loop_over(&regexes, true, &words.text, rounds),
                ours,
            );
            row(
                "  a loop over regex, ASCII",
                loop_over(&regexes, false, &words.text, rounds),
                ours,
            );
            row("  RegexSet, ASCII", regex_set(&regexes, &words.text, rounds), ours);
        }
        if let Some(program) = &vectorscan {
            row("  vectorscan", scan_with(program, &regexes, &words.text, rounds), ours);
        }
    }
    for count in [1_000, 10_000, 100_000] {
        let name = format!("{count} literals, ten a rule: ours");
        if !is_wanted(&name) {
            continue;
        }
        let literals = words.literals(count);
        let quoted: Vec<String> = literals.iter().map(|literal| format!("'{literal}'")).collect();
        let conditions: Vec<String> = quoted
            .chunks(10)
            .map(|some| format!("body.text.icontains({})", some.join(", ")))
            .collect();
        let ours = engine(&conditions, &words.text, rounds);
        row(&name, ours, ours);
        if let Some(program) = vectorscan.as_ref().filter(|_| count <= 10_000) {
            row("  vectorscan", scan_with(program, &literals, &words.text, rounds), ours);
        }
    }
    if vectorscan.is_none() {
        println!("\nvectorscan isn't there (a C compiler and its library with headers), so it was left out");
    }
}

fn row(name: &str, taken: Taken, ours: Taken) {
    let millis = taken.build.as_secs_f64() * 1e3;
    let micros = taken.message.as_secs_f64() * 1e6;
    let ratio = taken.message.as_secs_f64() / ours.message.as_secs_f64();
    let build_ratio = taken.build.as_secs_f64() / ours.build.as_secs_f64();
    let memory = taken.bytes.map_or_else(
        || "-".to_owned(),
        |bytes| format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    );
    println!("{name:<34}{millis:>9.1} ms{micros:>11.1} µs{memory:>12}{ratio:>8.2}{build_ratio:>8.2}");
}

/// The least time of some rounds.
fn least(rounds: usize, mut act: impl FnMut()) -> Duration {
    let round = |act: &mut dyn FnMut()| {
        let begun = Instant::now();
        act();
        begun.elapsed()
    };
    (0..rounds).map(|_| round(&mut act)).min().expect("rounds")
}

/// Our engine, from rule files to findings: what is timed of building is all that a reload does.
fn engine(conditions: &[String], text: &str, rounds: usize) -> Taken {
    let folder = tempfile::tempdir().expect("a folder");
    for (number, some) in conditions.chunks(RULES_A_FILE).enumerate() {
        let file = folder.path().join(format!("{number}.toml"));
        std::fs::write(file, rule_file(number * RULES_A_FILE, some)).expect("written");
    }
    let before = resident();
    let begun = Instant::now();
    let loaded = RuleSet::load(&[folder.path().to_owned()], Timestamp::UNIX_EPOCH);
    let set = loaded.unwrap_or_else(|problems| panic!("{:?}", problems.first())).set;
    let build = begun.elapsed();
    let bytes = resident().checked_sub(before);
    let mail = mail(text);
    let message = Message::parse(&mail.bytes, &Limits::default());
    let evidence = Evidence {
        now: mail.received,
        mail: &mail,
        message: &message,
        outside: Outside::not_gathered(),
        kept: Kept::ALL,
        identity: Identity::against(set.protected()),
    };
    black_box(message.text().len());
    let message = least(rounds, || {
        black_box(set.evaluate(&evidence).matched.len());
    });
    Taken { build, message, bytes }
}

/// What people write first: every regex, one after the other.
fn loop_over(regexes: &[String], unicode: bool, text: &str, rounds: usize) -> Taken {
    let begun = Instant::now();
    let build = |regex: &String| {
        let mut builder = regex::bytes::RegexBuilder::new(regex);
        builder.case_insensitive(true).unicode(unicode);
        builder.build().expect("a regex")
    };
    let compiled: Vec<regex::bytes::Regex> = regexes.iter().map(build).collect();
    let build = begun.elapsed();
    let message = least(rounds, || {
        black_box(compiled.iter().filter(|regex| regex.is_match(text.as_bytes())).count());
    });
    Taken {
        build,
        message,
        bytes: None,
    }
}

fn regex_set(regexes: &[String], text: &str, rounds: usize) -> Taken {
    let begun = Instant::now();
    let set = regex::bytes::RegexSetBuilder::new(regexes)
        .case_insensitive(true)
        .unicode(false)
        .size_limit(1 << 30)
        .dfa_size_limit(1 << 28)
        .build()
        .expect("a set");
    let build = begun.elapsed();
    let message = least(rounds, || {
        black_box(set.matches(text.as_bytes()).iter().count());
    });
    Taken {
        build,
        message,
        bytes: None,
    }
}

/// Vectorscan's timer, built if its library is there.
fn vectorscan() -> Option<(tempfile::TempDir, PathBuf)> {
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("vectorscan");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/engine/vectorscan.c");
    let built = Command::new("cc")
        .arg("-O2")
        .arg(source)
        .arg("-o")
        .arg(&program)
        .arg("-lhs")
        .output()
        .ok()?;
    built.status.success().then_some((folder, program))
}

fn scan_with(
    (folder, program): &(tempfile::TempDir, PathBuf),
    patterns: &[String],
    text: &str,
    rounds: usize,
) -> Taken {
    let [patterns_file, text_file] = ["patterns", "text"].map(|name| folder.path().join(name));
    std::fs::write(&patterns_file, patterns.join("\n") + "\n").expect("written");
    std::fs::write(&text_file, text).expect("written");
    let mut command = Command::new(program);
    let said = command
        .arg(patterns_file)
        .arg(text_file)
        .arg(rounds.to_string())
        .output()
        .expect("run");
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let figures: Vec<f64> = said
        .split_whitespace()
        .filter_map(|figure| figure.parse().ok())
        .collect();
    let [build, message, bytes, _] = figures.as_slice() else {
        panic!("vectorscan said {said:?}")
    };
    Taken {
        build: Duration::from_secs_f64(build / 1e3),
        message: Duration::from_secs_f64(message / 1e6),
        bytes: Some(*bytes as usize),
    }
}

/// Bytes resident of this process.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: usize = pages
        .split_whitespace()
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .expect("pages");
    pages * 4_096
}

fn mail(text: &str) -> Mail {
    let head = "From: a@example.org\r\nTo: b@example.org\r\nSubject: many words\r\n\
                Content-Type: text/plain; charset=utf-8\r\n\r\n";
    Mail {
        id: uuid::Uuid::nil(),
        received: Timestamp::UNIX_EPOCH,
        listener: Arc::from("inbound"),
        direction: Direction::Inbound,
        client: Client {
            address: None,
            name: None,
            helo: "mail.example.org".to_owned(),
            extended: true,
            tls: None,
        },
        envelope: Envelope {
            reverse_path: None,
            parameters: Vec::new(),
            recipients: Vec::new(),
        },
        bytes: Bytes::from(format!("{head}{}", text.replace('\n', "\r\n"))),
    }
}
