//! Real mail through the real gate: every message is answered, every one delivered has its bytes,
//! and the gate is still there at the end.
//!
//! `PORTREEVE_CORPORA=FOLDER cargo test --release --test corpora -- --nocapture` sends each file
//! below the folder as one message, line ends made CRLF, with the shipped rules, in observe mode so
//! that all of them are delivered. A message with a bare CR or a NUL must be refused instead. Without the folder the
//! test says so and passes. `PORTREEVE_CORPORA_SAMPLE=N` takes every Nth file.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test program: what goes wrong fails it"
)]

#[allow(
    dead_code,
    unused_imports,
    reason = "each test program uses its own part of the tools"
)]
#[path = "support/mod.rs"]
mod support;

use std::collections::{BTreeMap, HashMap};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use support::sink::Behaviour;
use support::{Client, Gate, mail, programs};

/// Connections at once.
const SENDERS: usize = 4;

/// Messages on one connection before a new one is made.
const MESSAGES_PER_CONNECTION: usize = 50;

/// What became of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// 250, and it arrived with its bytes.
    Delivered,
    /// Refused, as its bare CR or NUL demands.
    RefusedRightly,
    /// Refused though nothing demands it.
    Refused(u16),
    /// 250, but it never arrived.
    Lost,
    /// It arrived changed.
    Changed,
    /// It arrived though it has a bare CR or NUL.
    LetThrough,
    /// The gate hung up without an answer.
    Unanswered,
}

#[test]
fn every_real_message_is_answered_and_arrives_whole() {
    let Some(folder) = std::env::var_os("PORTREEVE_CORPORA").map(PathBuf::from) else {
        programs::say_aloud("SKIPPED real mail: PORTREEVE_CORPORA names no folder of messages");
        return;
    };
    let sample = std::env::var("PORTREEVE_CORPORA_SAMPLE")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1);
    let paths: Vec<PathBuf> = files_below(&folder).into_iter().step_by(sample).collect();
    assert!(!paths.is_empty(), "no file below {}", folder.display());

    let arrived: Arc<Mutex<HashMap<usize, Vec<u8>>>> = Arc::default();
    let taker = Arc::clone(&arrived);
    let sink = Behaviour::default().taker(move |message| {
        let number = number_in(&message.from).expect("the envelope tells the message's number");
        taker.lock().unwrap().insert(number, message.bytes);
    });
    let sink = sink.start();
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    let gate = Gate::before(
        &sink,
        &format!("[policy]\nmode = \"observe\"\n[rules]\npaths = [{rules:?}]\n"),
    );
    let outcomes = send_all(gate.smtp, &paths, &arrived);

    print_table(&folder, &paths, &outcomes);
    let bad: Vec<String> = paths
        .iter()
        .zip(&outcomes)
        .filter(|(_, outcome)| !matches!(outcome, Outcome::Delivered | Outcome::RefusedRightly))
        .map(|(path, outcome)| format!("{outcome:?}: {}", path.display()))
        .collect();
    // The first of them are what broke it, when it broke.
    let shown = bad.iter().take(50).cloned().collect::<Vec<_>>().join("\n");
    assert!(bad.is_empty(), "{} of {}:\n{shown}", bad.len(), paths.len());
    assert_eq!(
        gate.get("/healthz").map(|(status, _)| status),
        Some(200),
        "the gate is still there"
    );
    assert_eq!(
        (sink.bare_line_ends(), sink.nuls()),
        (0, 0),
        "upstream saw no lone line end and no NUL"
    );
}

/// Sends every file over a few connections at once; the outcomes in the order of the paths.
fn send_all(gate: SocketAddr, paths: &[PathBuf], arrived: &Mutex<HashMap<usize, Vec<u8>>>) -> Vec<Outcome> {
    let outcomes = Mutex::new(vec![Outcome::Unanswered; paths.len()]);
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..SENDERS {
            scope.spawn(|| {
                let mut client = None;
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    let Some(path) = paths.get(number) else { return };
                    let message = with_crlf(&std::fs::read(path).expect("a readable message"));
                    let outcome = send(gate, &mut client, number, &message, arrived);
                    outcomes.lock().unwrap()[number] = outcome;
                    if number % 1_000 == 999 {
                        programs::say_aloud(&format!("{} of {}", number + 1, paths.len()));
                    }
                }
            });
        }
    });
    outcomes.into_inner().unwrap()
}

/// Sends one message on the connection at hand, or a new one.
fn send(
    gate: SocketAddr,
    client: &mut Option<(Client, usize)>,
    number: usize,
    message: &[u8],
    arrived: &Mutex<HashMap<usize, Vec<u8>>>,
) -> Outcome {
    let Some((mut open, used)) = client.take().or_else(|| Some((connected(gate)?, 0))) else {
        return Outcome::Unanswered;
    };
    let commands = [
        format!("MAIL FROM:<message-{number}@corpus.example>\r\n"),
        "RCPT TO:<clerk@council.example>\r\n".to_owned(),
        "DATA\r\n".to_owned(),
    ];
    for (command, code) in commands.iter().zip([250, 250, 354]) {
        open.send(command.as_bytes());
        match open.try_reply() {
            Some(reply) if reply.code == code => {}
            Some(reply) => return Outcome::Refused(reply.code),
            None => return Outcome::Unanswered,
        }
    }
    open.send(&support::client::stuffed(message));
    let Some(reply) = open.try_reply() else {
        return Outcome::Unanswered;
    };
    // After a 550 5.6.0 the gate hangs up, as it must.
    if reply.code == 250 && used + 1 < MESSAGES_PER_CONNECTION {
        *client = Some((open, used + 1));
    }
    let must_be_refused = has_forbidden_bytes(message);
    match (reply.code, arrived.lock().unwrap().remove(&number)) {
        (250, None) => Outcome::Lost,
        (_, Some(_)) if must_be_refused => Outcome::LetThrough,
        (250, Some(bytes)) if mail::difference(&terminated(message), &bytes).is_none() => Outcome::Delivered,
        (250, Some(_)) => Outcome::Changed,
        (550, _) if must_be_refused => Outcome::RefusedRightly,
        (code, _) => Outcome::Refused(code),
    }
}

/// A connection that has been greeted; none when the gate is gone.
fn connected(gate: SocketAddr) -> Option<Client> {
    let mut client = Client::over(TcpStream::connect(gate).ok()?);
    client.try_reply().filter(|reply| reply.code == 220)?;
    client.send(b"EHLO client.example\r\n");
    client.try_reply().filter(|reply| reply.code == 250)?;
    Some(client)
}

/// LF without CR becomes CRLF; nothing else changes.
fn with_crlf(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 32);
    for &byte in bytes {
        if byte == b'\n' && out.last() != Some(&b'\r') {
            out.push(b'\r');
        }
        out.push(byte);
    }
    out
}

/// A message as it must arrive: DATA can't carry a last line without its line end.
fn terminated(message: &[u8]) -> Vec<u8> {
    let end: &[u8] = if message.is_empty() || message.ends_with(b"\r\n") {
        b""
    } else {
        b"\r\n"
    };
    [message, end].concat()
}

fn has_forbidden_bytes(message: &[u8]) -> bool {
    let bare = message
        .iter()
        .enumerate()
        .any(|(index, &byte)| byte == b'\r' && message.get(index + 1) != Some(&b'\n'));
    bare || message.contains(&0)
}

fn number_in(reverse_path: &str) -> Option<usize> {
    reverse_path.strip_prefix("<message-")?.split('@').next()?.parse().ok()
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            if path.is_dir() {
                folders.push(path)
            } else {
                files.push(path)
            }
        }
    }
    files.sort();
    files
}

/// Counts by outcome for each folder, two levels deep.
fn print_table(root: &Path, paths: &[PathBuf], outcomes: &[Outcome]) {
    let mut table: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for (path, outcome) in paths.iter().zip(outcomes) {
        let inside = path
            .strip_prefix(root)
            .unwrap_or(path)
            .parent()
            .unwrap_or(Path::new(""));
        let folder: PathBuf = inside.components().take(2).collect();
        let kind = format!("{outcome:?}");
        for row in [folder.display().to_string(), "in all".to_owned()] {
            *table.entry(row).or_default().entry(kind.clone()).or_default() += 1;
        }
    }
    for (folder, counts) in &table {
        let counts: Vec<String> = counts.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        programs::say_aloud(&format!("{folder:<34} {}", counts.join("  ")));
    }
}

#[test]
fn the_runner_knows_what_must_be_refused() {
    assert_eq!(with_crlf(b"a\nb\r\nc"), b"a\r\nb\r\nc");
    assert_eq!(with_crlf(b"a\r\n\n"), b"a\r\n\r\n");
    assert!(has_forbidden_bytes(b"a\rb\r\n") && has_forbidden_bytes(b"a\0\r\n") && has_forbidden_bytes(b"a\r"));
    assert!(!has_forbidden_bytes(b"a\r\nb\r\n"));
    assert_eq!(terminated(b"a"), b"a\r\n");
    assert_eq!(number_in("<message-17@corpus.example> SIZE=5"), Some(17));
}
