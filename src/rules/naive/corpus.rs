//! The engine against the plain reading of the shipped rules, on real mail.
//!
//! `PORTREEVE_CORPORA` names a folder of it, `PORTREEVE_EVERY=10` takes every tenth file,
//! `PORTREEVE_RULES` other rules than the shipped. Without a folder it says so and is done.

use super::Book;
use super::tests::differing;
use crate::evidence::identity::Identity;
use crate::evidence::{Evidence, Kept, Outside};
use crate::mail::message::Limits;
use crate::mail::{Client, Direction, Envelope, Mail, Message};
use crate::rules::set::RuleSet;
use jiff::Timestamp;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => files(&path, found),
            false => found.push(path),
        }
    }
}

#[test]
fn the_engine_says_what_the_rules_say_of_real_mail() {
    let Some(folder) = env::var_os("PORTREEVE_CORPORA") else {
        eprintln!("skipped: PORTREEVE_CORPORA names no folder of mail");
        return;
    };
    let every: usize = env::var("PORTREEVE_EVERY").map_or(1, |every| every.parse().unwrap());
    // No list entry or rule of the project ends on this day, nor need the mail be older.
    let now: Timestamp = "2027-01-04T12:00:00Z".parse().unwrap();
    let loaded = match env::var_os("PORTREEVE_RULES") {
        Some(rules) => RuleSet::load(&[rules.into()], now),
        None => RuleSet::load_embedded(now),
    };
    let set = loaded.unwrap().set;
    let book = Book::of(&set);
    let mut paths = Vec::new();
    files(Path::new(&folder), &mut paths);
    paths.sort();
    let (mut judged, mut differences) = (0, Vec::new());
    for path in paths.iter().step_by(every) {
        let bytes = fs::read(path).unwrap();
        let message = Message::parse(&bytes, &Limits::default());
        let mail = Mail {
            id: uuid::Uuid::nil(),
            received: now,
            listener: "proof".into(),
            direction: Direction::Inbound,
            client: Client::default(),
            envelope: Envelope::default(),
            bytes: bytes.clone().into(),
        };
        // Once with everything known of a stranger, once with nothing known.
        for outside in [Outside::stranger(), Outside::not_gathered()] {
            let evidence = Evidence {
                now: message.date().unwrap_or(now),
                mail: &mail,
                message: &message,
                outside,
                kept: Kept::just(judged % 2 == 0),
                identity: Identity::against(set.protected()),
            };
            judged += 1;
            let found = differing(&set, &book, &evidence, &[]);
            differences.extend(found.map(|found| format!("{}: {found}", path.display())));
        }
    }
    println!(
        "{} rules agree on {judged} views of {} files",
        set.rules().len(),
        paths.len()
    );
    assert!(
        differences.is_empty(),
        "{}\n{} in all",
        differences.join("\n"),
        differences.len()
    );
}
