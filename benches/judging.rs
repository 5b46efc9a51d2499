//! Time of judging alone: what a message costs to parse, to render, and to have the shipped rules
//! evaluated, without any wire.
//!
//! Enters: made-up mail, or small real mail below `--corpora FOLDER`; `--only WORDS` picks one kind, `--rounds NUMBER`
//! repeats it as often. Leaves:
//! microseconds a message for each stage, the least of several rounds. Knows nothing of SMTP or of what
//! a verdict is worth.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a measurement stops at the first surprise"
)]

#[path = "corpus/folder.rs"]
mod folder;

use bytes::Bytes;
use folder::files_below;
use jiff::Timestamp;
use portreeve::evidence::identity::Identity;
use portreeve::evidence::{Evidence, Kept, Outside};
use portreeve::mail::{Address, Client, Direction, Envelope, Limits, Mail, Message, Recipient};
use portreeve::rules::RuleSet;
use std::fmt::Write;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rounds over all mail, unless told otherwise; the least of each message's stages counts, since noise only ever adds.
const ROUNDS: usize = 9;
/// What is timed.
const STAGES: [&str; 5] = ["parse", "render", "other defects", "evaluate", "drop"];
/// Real messages that are taken, evenly over the folder.
const MESSAGES: usize = 400;
/// Larger real messages aren't small mail.
const BYTES_MAX: usize = 20_000;

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let rules = RuleSet::load_embedded(Timestamp::UNIX_EPOCH)
        .expect("shipped rules that load")
        .set;
    let (mut folder, mut only, mut rounds) = (None, None, ROUNDS);
    for option in arguments.chunks(2) {
        match option {
            [flag, value] if flag == "--corpora" => folder = Some(value),
            [flag, value] if flag == "--only" => only = Some(value),
            [flag, value] if flag == "--rounds" => rounds = value.parse().expect("a number of rounds"),
            _ => panic!("{option:?}? There are --corpora FOLDER, --only WORDS and --rounds NUMBER"),
        }
    }
    let wanted = |name: &str| only.is_none_or(|only| name.contains(only));
    if wanted("small mail") {
        let small = match folder {
            None => (0..50).map(|number| letter(number, 2_500 + number * 100)).collect(),
            Some(folder) => real(Path::new(folder)),
        };
        report("small mail", small, (&rules, rounds));
    }
    if wanted("1 MB of text and links") {
        report("1 MB of text and links", vec![letter(5, 1_000_000)], (&rules, rounds));
    }
}

fn report(what: &str, mails: Vec<Vec<u8>>, (rules, rounds): (&RuleSet, usize)) {
    let mails: Vec<Mail> = mails.into_iter().map(mail).collect();
    let bytes: usize = mails.iter().map(|mail| mail.bytes.len()).sum();
    let mut least = vec![[Duration::MAX; STAGES.len()]; mails.len()];
    for _ in 0..rounds {
        for (mail, least) in mails.iter().zip(&mut least) {
            let taken = judge(mail, rules);
            *least = std::array::from_fn(|stage| least[stage].min(taken[stage]));
        }
    }
    println!("{what}: {} messages, mean {} bytes", mails.len(), bytes / mails.len());
    let count = f64::from(u32::try_from(mails.len()).expect("a count"));
    let micros = |duration: Duration| duration.as_secs_f64() * 1e6 / count;
    for (stage, name) in STAGES.into_iter().enumerate() {
        println!(
            "  {name:14} {:9.1} µs",
            micros(least.iter().map(|taken| taken[stage]).sum())
        );
    }
    println!("  {:14} {:9.1} µs", "in all", micros(least.iter().flatten().sum()));
}

/// What each stage of one message takes. In the order of the gate, so that caches are as warm as there.
fn judge(mail: &Mail, rules: &RuleSet) -> [Duration; STAGES.len()] {
    let start = Instant::now();
    let message = Message::parse(&mail.bytes, &Limits::default());
    let parsed = Instant::now();
    black_box((message.text().len(), message.links().len()));
    let rendered = Instant::now();
    black_box(message.defects().len());
    let inspected = Instant::now();
    let evidence = Evidence {
        now: mail.received,
        mail,
        message: &message,
        outside: Outside::not_gathered(),
        kept: Kept::ALL,
        identity: Identity::against(rules.protected()),
    };
    black_box(rules.evaluate(&evidence).matched.len());
    let evaluated = Instant::now();
    drop(message);
    [
        parsed - start,
        rendered - parsed,
        inspected - rendered,
        evaluated - inspected,
        evaluated.elapsed(),
    ]
}

fn mail(bytes: Vec<u8>) -> Mail {
    let address = |text: &str| Address::from_checked(text);
    Mail {
        id: uuid::Uuid::nil(),
        received: Timestamp::from_second(1_750_000_000).expect("a time"),
        listener: Arc::from("inbound"),
        direction: Direction::Inbound,
        client: Client {
            address: Some("192.0.2.7:25".parse().expect("an address")),
            name: None,
            helo: "mail.parish.example".to_owned(),
            extended: true,
            tls: None,
        },
        envelope: Envelope {
            reverse_path: Some(address("office@parish.example")),
            parameters: Vec::new(),
            recipients: vec![Recipient {
                address: address("clerk@council.example"),
                parameters: Vec::new(),
            }],
        },
        bytes: Bytes::from(bytes),
    }
}

/// Small messages below a folder, evenly over it, with the line ends of the wire.
fn real(folder: &Path) -> Vec<Vec<u8>> {
    let is_small = |path: &PathBuf| path.metadata().is_ok_and(|metadata| metadata.len() <= BYTES_MAX as u64);
    let mut files = files_below(folder);
    files.retain(is_small);
    let step = (files.len() / MESSAGES).max(1);
    let read = files.iter().step_by(step).filter_map(|path| std::fs::read(path).ok());
    read.map(|bytes| {
        let lines = bytes.split(|byte| *byte == b'\n');
        let lines: Vec<&[u8]> = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line)).collect();
        lines.join(&b"\r\n"[..])
    })
    .collect()
}

/// A letter of about `size` bytes as text and as HTML with many links.
fn letter(number: usize, size: usize) -> Vec<u8> {
    let mut mail = format!(
        "Received: from office.parish.example ([192.0.2.7]) by mx.parish.example with ESMTPS id 4Z1;\r\n\
         \tTue, 4 Mar 2025 09:30:00 +0000\r\n\
         From: Parish Office <office@parish.example>\r\nTo: Clerk <clerk@council.example>\r\n\
         Subject: Notes of meeting {number}\r\nDate: Tue, 4 Mar 2025 09:30:00 +0000\r\n\
         Message-ID: <notes.{number}@parish.example>\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/alternative; boundary=\"inner\"\r\n\r\n\
         --inner\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    );
    mail.push_str(&sentences(number, size / 2));
    mail.push_str("\r\n--inner\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html><body>\r\n");
    let mut page = number;
    while mail.len() < size {
        page = (page * 31 + 7) % 1_000;
        let _ = write!(
            mail,
            "<p style=\"margin:0 0 1em\">{}</p>\r\n\
             <p><a href=\"https://www.parish.example/notes/{page}?from=mail\">Item {page}</a></p>\r\n",
            sentences(number + page, 300)
        );
    }
    mail.push_str("</body></html>\r\n--inner--\r\n");
    mail.into_bytes()
}

/// Prose of about `size` bytes in lines of mail's usual length.
fn sentences(seed: usize, size: usize) -> String {
    const WORDS: [&str; 16] = [
        "the", "council", "bench", "and", "meeting", "of", "Thursday", "was", "agreed", "to", "repair", "clerk",
        "minutes", "for", "hall", "account",
    ];
    let (mut text, mut line, mut pick) = (String::with_capacity(size + 80), 0, seed);
    while text.len() < size {
        pick = (pick * 1_103_515_245 + 12_345) % 2_147_483_648;
        let word = WORDS[(pick >> 16) % WORDS.len()];
        text.push_str(word);
        line += word.len() + 1;
        text.push_str(if line > 70 { "\r\n" } else { " " });
        line = if line > 70 { 0 } else { line };
    }
    text
}
