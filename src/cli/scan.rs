//! `portreeve scan`: the daemon's verdict on messages that lie about.
//!
//! The same path as live mail from [`inspect`] on; envelope and client are unknown, since files
//! don't keep them.

use super::exit::Exit;
use super::{Shared, mails, terminal};
use crate::chance::{SystemChance, message_id};
use crate::clock::{Clock, SystemClock};
use crate::evidence::Outside;
use crate::mail::{Client, Direction, Envelope, Mail};
use crate::pipeline::{Criteria, inspect, judged};
use crate::telemetry::{FindingEvent, MessageEvent, UnscannedEvent};
use serde::Serialize;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;

/// Arguments of `scan`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Messages: files, folders, mboxes, or - for standard input.
    #[arg(required = true)]
    mail: Vec<PathBuf>,
}

/// One line of `scan --json`.
#[derive(Debug, Serialize)]
pub struct Line<'e> {
    path: &'e str,
    id: &'e str,
    verdict: &'e str,
    score: f64,
    severity: &'e str,
    category: &'e str,
    findings: &'e [FindingEvent],
    defects: &'e [String],
    unscanned: &'e [UnscannedEvent],
}

/// Judges each message and prints its verdict.
pub fn run(arguments: Arguments, shared: &Shared) -> Exit {
    let criteria = match shared.criteria() {
        Ok(criteria) => criteria,
        Err(exit) => return exit,
    };
    let mut exit = Exit::Fine;
    let mut count = 0_usize;
    let told = std::io::stderr().is_terminal() && !std::io::stdout().is_terminal() && !shared.quiet;
    let unread = mails::for_each(&arguments.mail, |source| {
        let path = source.path.clone();
        let event = judge(source, &criteria);
        if event.verdict != "deliver" {
            exit = exit.worse(Exit::Findings);
        }
        print(&Line::of(&path, &event), shared.json);
        count += 1;
        if told && count.is_multiple_of(500) {
            let _ = write!(std::io::stderr(), "\r{count} messages");
        }
    });
    if told {
        let _ = writeln!(std::io::stderr(), "\r{count} messages");
    }
    exit.worse(mails::told(&unread))
}

/// The judgement on one message of which only the bytes are known.
pub fn judge(source: mails::Source, criteria: &Criteria) -> MessageEvent {
    let now = SystemClock.now();
    let mail = Mail {
        id: message_id(now, &SystemChance),
        received: now,
        listener: "scan".into(),
        direction: Direction::Inbound,
        client: Client::default(),
        envelope: Envelope::default(),
        bytes: source.bytes.into(),
    };
    let judgement = inspect(&mail, criteria, Outside::not_gathered(), now);
    MessageEvent {
        id: mail.id.to_string(),
        size: mail.bytes.len() as u64,
        ..judged(&judgement)
    }
}

impl<'e> Line<'e> {
    /// The line of a judged message.
    pub fn of(path: &'e str, event: &'e MessageEvent) -> Self {
        Self {
            path,
            id: &event.id,
            verdict: &event.verdict,
            score: event.score,
            severity: &event.severity,
            category: &event.category,
            findings: &event.findings,
            defects: &event.defects,
            unscanned: &event.unscanned,
        }
    }
}

fn print(line: &Line<'_>, json: bool) {
    if json {
        terminal::print_json(line);
        return;
    }
    let kind = if line.category.is_empty() {
        String::new()
    } else {
        format!(" {} ({})", line.category, line.severity)
    };
    let rules = line
        .findings
        .iter()
        .map(|finding| format!(" {}({}:{})", finding.rule, finding.file, finding.line));
    terminal::print(&format!(
        "{}: {} {:.1}{kind}{}",
        terminal::plain(line.path),
        line.verdict,
        line.score,
        rules.collect::<String>()
    ));
}
