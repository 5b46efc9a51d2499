//! The machine beneath fails: memory, disk, clock, a log that nobody reads. Mail goes on or is put off, and
//! nothing answered 250 is missing.

use crate::support::{Client, Gate, Sink, eventually, mail, programs};
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const FROM: &str = "allotments@parish.example";
const TO: &str = "clerk@council.example";

fn send(gate: &Gate, subject: &str) -> u16 {
    Client::greeted(gate.smtp)
        .deliver(FROM, &[TO], &mail::plain(subject))
        .code
}

fn kept(gate: &Gate) -> Vec<String> {
    let listed = gate.json(&["quarantine", "list", "--json"]);
    listed
        .iter()
        .map(|one| one["id"].as_str().unwrap_or_default().to_owned())
        .collect()
}

/// A number of KiB from `/proc/PID/status`, in bytes.
fn memory(gate: &Gate, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", gate.process())).expect("a running gate");
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.expect("a number of KiB") * 1024
}

#[test]
fn all_who_send_at_once_share_one_budget() {
    const SENDERS: u64 = 60;
    const SIZE: usize = 2_000_000;
    const BUDGET: u64 = 8_000_000;
    let sink = Sink::start();
    let gate = Gate::before(
        &sink,
        "[limits]\nmemory = \"8MB\"\nmessage_size = \"3MB\"\nconnections_per_client = 100\n[upstream]\nconnections = 100\n",
    );
    assert_eq!(send(&gate, "Before"), 250);
    fs::write(format!("/proc/{}/clear_refs", gate.process()), "5").expect("a process of our own");
    let base = memory(&gate, "VmRSS:");
    let at_once = std::sync::Barrier::new(usize::try_from(SENDERS).expect("a small number"));
    let codes: Vec<u16> = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = Client::greeted(gate.smtp);
                    client.envelope(FROM, &[TO]);
                    assert_eq!(client.say("DATA").code, 354);
                    at_once.wait();
                    let line = [b"x".repeat(76).as_slice(), b"\r\n"].concat();
                    client.send(&mail::plain("Large"));
                    client.send(&line.repeat(SIZE / line.len()));
                    client.say(".").code
                })
            })
            .collect();
        senders
            .into_iter()
            .map(|sender| sender.join().expect("a reply"))
            .collect()
    });
    assert!(codes.contains(&250), "{codes:?}");
    assert!(codes.iter().all(|code| [250, 452].contains(code)), "{codes:?}");
    // 120 MB came in. What each session may hold beside the budget, and what judging two messages takes.
    let allowed = BUDGET + SENDERS * 128 * 1024 + 2 * 8 * SIZE as u64;
    let grown = memory(&gate, "VmHWM:").saturating_sub(base);
    assert!(grown < allowed, "{grown} bytes, {allowed} allowed");
    eventually("it is given back", || {
        (gate.metric("portreeve_memory_budget_bytes{state=\"used\"}") == 0.0).then_some(())
    });
    assert_eq!(send(&gate, "After"), 250);
    let taken = codes.iter().filter(|code| **code == 250).count();
    assert_eq!(sink.received().len(), taken + 2, "a 250 and a delivery go together");
}

#[test]
fn a_log_that_nobody_reads_costs_lines_and_no_mail() {
    let sink = Sink::start();
    let gate = Gate::launched(&sink.target(), "", |command| {
        command.stderr(Stdio::piped()).stdout(Stdio::piped());
    });
    let long = "x".repeat(900);
    // More than the pipe and what waits before it hold.
    const MESSAGES: usize = 2_000;
    let mut client = Client::greeted(gate.smtp);
    for number in 0..MESSAGES {
        let reply = client.deliver(FROM, &[TO], &mail::plain(&format!("{number} {long}")));
        assert_eq!(reply.code, 250, "{number}");
    }
    assert_eq!(sink.received().len(), MESSAGES);
    assert!(
        gate.metric_sum("portreeve_events_dropped_total") > 0.0,
        "and it is said so"
    );
}

/// Has the gate's system calls fail or dawdle while it lives.
struct Tampering(Child);

impl Tampering {
    /// As `strace` words it.
    fn with(strace: &Path, gate: &Gate, what: &str) -> Self {
        let mut child = Command::new(strace)
            .args(["-f", "-p", &gate.process().to_string(), "-e", "trace=fsync,fdatasync"])
            .args(["-e", &format!("inject=fsync,fdatasync:{what}")])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("strace runs");
        let mut lines = BufReader::new(child.stderr.take().expect("its output")).lines();
        let attached = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("attached")));
        assert!(attached.is_some(), "strace may look at our own child");
        // Nobody reads on, and it must not stand still for that.
        std::thread::spawn(move || lines.for_each(drop));
        Self(child)
    }
}

impl Drop for Tampering {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-INT", &self.0.id().to_string()]).status();
        let _ = self.0.wait();
    }
}

#[test]
fn a_disk_that_fails_to_sync_is_never_a_250_and_not_trusted_until_it_works_again() {
    let test = "a_disk_that_fails_to_sync_is_never_a_250_and_not_trusted_until_it_works_again";
    let Some([strace]) = programs::needed(test, ["strace"]) else {
        return;
    };
    let sink = Sink::start();
    let gate = Gate::before(&sink, "");
    for errno in ["EIO", "ENOSPC", "EROFS"] {
        let before = kept(&gate);
        let tampering = Tampering::with(&strace, &gate, &format!("error={errno}"));
        for number in 0..3 {
            let code = send(&gate, &format!("{} {errno} {number}", mail::QUARANTINE));
            assert!([451, 452].contains(&code), "{errno}: {code}");
        }
        assert_eq!(send(&gate, "Clean"), 250, "{errno}: what needs no store goes on");
        eventually("not ready", || gate.get("/readyz").filter(|(status, _)| *status == 503));
        drop(tampering);
        let subject = format!("{} after {errno}", mail::QUARANTINE);
        eventually("the store works again", || (send(&gate, &subject) == 250).then_some(()));
        eventually("ready", || gate.get("/readyz").filter(|(status, _)| *status == 200));
        let new = kept(&gate).len() - before.len();
        assert_eq!(new, 1, "{errno}: nothing half, and what was refused isn't there");
    }
}

#[test]
fn a_stop_while_a_message_is_being_kept_keeps_it() {
    let test = "a_stop_while_a_message_is_being_kept_keeps_it";
    let Some([strace]) = programs::needed(test, ["strace"]) else {
        return;
    };
    let sink = Sink::start();
    let mut gate = Gate::before(&sink, "");
    let tampering = Tampering::with(&strace, &gate, "delay_enter=1000000");
    let mut client = Client::greeted(gate.smtp);
    client.envelope(FROM, &[TO]);
    assert_eq!(client.say("DATA").code, 354);
    client.send(&crate::support::client::stuffed(&mail::plain(mail::QUARANTINE)));
    std::thread::sleep(std::time::Duration::from_millis(300));
    gate.signal("TERM");
    let accepted = client.try_reply().is_some_and(|reply| reply.code == 250);
    drop(client);
    assert_eq!(gate.wait().code(), Some(0), "{}", gate.log());
    drop(tampering);
    gate.start_again();
    assert!(accepted, "what is under way is let finish");
    assert_eq!(kept(&gate).len(), 1);
}

/// The library that gives a program another time.
fn other_time(test: &str) -> Option<PathBuf> {
    programs::needed(test, ["faketime"])?;
    let folders = fs::read_dir("/usr/lib")
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()));
    folders
        .flat_map(|folder| {
            [
                folder.join("faketime/libfaketimeMT.so.1"),
                folder.join("faketime/libfaketime.so.1"),
            ]
        })
        .find(|path| path.is_file())
}

#[test]
fn a_clock_that_jumps_by_years_breaks_nothing() {
    let Some(library) = other_time("a_clock_that_jumps_by_years_breaks_nothing") else {
        return;
    };
    let sink = Sink::start();
    let clock = tempfile::NamedTempFile::new().expect("a temporary file");
    let set = |offset: &str| fs::write(clock.path(), offset).expect("our own file");
    set("+0");
    let gate = Gate::launched(&sink.target(), "", |command| {
        command
            .env("LD_PRELOAD", &library)
            .env("FAKETIME_TIMESTAMP_FILE", clock.path())
            .env("FAKETIME_NO_CACHE", "1")
            .env("DONT_FAKE_MONOTONIC", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    });
    let mut patient = Client::greeted(gate.smtp);
    let mut ids = BTreeSet::new();
    let mut count = 0;
    for offset in ["+0", "-365d", "+0", "+365d", "+0", "-1s"] {
        set(offset);
        for number in 0..5 {
            let subject = format!("{} {offset} {number} {count}", mail::QUARANTINE);
            let reply = Client::greeted(gate.smtp).deliver(FROM, &[TO], &mail::plain(&subject));
            assert_eq!(reply.code, 250, "{offset}: {reply:?}");
            ids.insert(reply.id().expect("an id"));
            count += 1;
        }
        assert_eq!(
            patient.deliver(FROM, &[TO], &mail::plain("Clean")).code,
            250,
            "{offset}"
        );
    }
    assert_eq!(ids.len(), count, "each message has an id of its own");
    let years: BTreeSet<String> = gate
        .message_lines()
        .iter()
        .filter_map(|line| Some(line["time"].as_str()?.get(..4)?.to_owned()))
        .collect();
    assert!(years.len() > 1, "the clock did jump: {years:?}");
}
