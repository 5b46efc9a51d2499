//! What the shipped rules make of real mail: for each folder the shares that would be tagged,
//! quarantined and rejected, and which rules did it. A measurement, not a test of anything: it is
//! ignored by default and needs `PORTREEVE_CORPORA`, the folder of unpacked mail.
//!
//! `PORTREEVE_EVERY=4` takes every fourth message; `PORTREEVE_LIST=tag` names the files at or above
//! that action, `PORTREEVE_MISSED=1` those below tag; `PORTREEVE_ONLY=phish` takes folders whose path
//! holds that word.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what helps a test may fail it"
)]

#[path = "shipped/mod.rs"]
mod shipped;

use portreeve::evidence::{Evidence, Kept, Outside};
use portreeve::mail::message::Limits;
use portreeve::mail::{Client, Direction, Envelope, Mail, Message};
use portreeve::rules::{Action, Findings, RuleSet};
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::{env, fs};

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

fn judge(set: &RuleSet, bytes: &[u8]) -> (Action, Findings, String) {
    let message = Message::parse(bytes, &Limits::default());
    let now = message.date().unwrap_or_default();
    let mail = Mail {
        id: uuid::Uuid::nil(),
        received: now,
        listener: "measure".into(),
        direction: Direction::Inbound,
        client: Client::default(),
        envelope: Envelope::default(),
        bytes: bytes.to_vec().into(),
    };
    let findings = set.evaluate(&Evidence {
        now,
        mail: &mail,
        message: &message,
        outside: Outside::not_gathered(),
        kept: Kept::NOTHING,
    });
    (shipped::act(&findings), findings, message.text().to_owned())
}

#[derive(Default)]
struct Tally {
    messages: usize,
    at_least: [usize; 3],
    texts: HashSet<String>,
    texts_at_least: [HashSet<String>; 3],
    rules: BTreeMap<String, (usize, usize)>,
}

const STEPS: [Action; 3] = [Action::Tag, Action::Quarantine, Action::Reject];

#[test]
#[ignore = "a measurement on mail that isn't part of the project"]
fn measure() {
    let Some(corpora) = variable("PORTREEVE_CORPORA") else {
        eprintln!("skipped: PORTREEVE_CORPORA names no folder");
        return;
    };
    let every: usize = variable("PORTREEVE_EVERY").map_or(1, |every| every.parse().unwrap());
    let list = variable("PORTREEVE_LIST").map(|word| {
        let action = Action::ALL.into_iter().find(|action| action.as_str() == word);
        action.expect("PORTREEVE_LIST names an action")
    });
    let set = shipped::load().set;
    let mut paths = Vec::new();
    files(Path::new(&corpora), &mut paths);
    paths.sort();
    if let Some(only) = variable("PORTREEVE_ONLY") {
        paths.retain(|path| path.to_string_lossy().contains(&only));
    }
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    for path in paths.iter().step_by(every) {
        let inner = path.strip_prefix(&corpora).unwrap_or(path);
        let folder: PathBuf = inner.components().take(2).collect();
        let tally = tallies.entry(folder.display().to_string()).or_default();
        let (action, findings, text) = judge(&set, &fs::read(path).unwrap());
        let matched: Vec<&str> = findings
            .matched
            .iter()
            .map(|finding| finding.rule.id.as_str())
            .collect();
        let missed = variable("PORTREEVE_MISSED").is_some() && action < Action::Tag;
        if missed || list.is_some_and(|least| action >= least) {
            println!("{}: {}: {}", inner.display(), action.as_str(), matched.join(" "));
        }
        tally.messages += 1;
        for (at, step) in STEPS.iter().enumerate() {
            if action >= *step {
                tally.at_least[at] += 1;
                tally.texts_at_least[at].insert(text.clone());
            }
        }
        tally.texts.insert(text);
        for id in &matched {
            let (hits, alone) = tally.rules.entry((*id).to_owned()).or_default();
            *hits += 1;
            *alone += usize::from(matched.len() == 1);
        }
    }
    report(&tallies);
}

fn report(tallies: &BTreeMap<String, Tally>) {
    println!(
        "{:32} messages  tag%  quar%  rej%   of distinct texts: n  tag%  quar%  rej%",
        "folder"
    );
    let share = |part: usize, whole: usize| 100.0 * part as f64 / whole.max(1) as f64;
    for (folder, tally) in tallies {
        let [tag, quarantine, reject] = tally.at_least.map(|count| share(count, tally.messages));
        let texts = tally.texts.len();
        let distinct: Vec<f64> = tally.texts_at_least.iter().map(|set| share(set.len(), texts)).collect();
        println!(
            "{folder:32} {:8} {tag:5.2} {quarantine:5.2} {reject:5.2} {texts:8} {:5.2} {:5.2} {:5.2}",
            tally.messages, distinct[0], distinct[1], distinct[2]
        );
    }
    if variable("PORTREEVE_RULES").is_some() {
        for (folder, tally) in tallies {
            println!("{folder}");
            for (rule, (hits, alone)) in &tally.rules {
                println!("  {rule:32} {hits:6} hits, {alone:6} alone");
            }
        }
    }
}
