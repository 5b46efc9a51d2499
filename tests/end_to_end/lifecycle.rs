//! Stopping, dying and starting again: what was answered 250 is still there.

use crate::support::{Answer, Client, Gate, Sink, Stage, eventually, free_address, mail, programs};
use jiff::SignedDuration;
use portreeve::clock::{Clock, SystemClock};
use std::collections::BTreeSet;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const FROM: &str = "allotments@parish.example";
const TO: &str = "clerk@council.example";

#[test]
fn a_stop_in_the_middle_of_data_lets_it_finish_or_says_421() {
    let sink = Sink::start();
    let mut gate = Gate::before(&sink, "");
    let mut idle = Client::greeted(gate.smtp);
    let mut client = Client::greeted(gate.smtp);
    client.envelope(FROM, &[TO]);
    assert_eq!(client.say("DATA").code, 354);
    let message = mail::plain("Nearly there");
    let wire = crate::support::client::stuffed(&message);
    let (first, rest) = wire.split_at(100);
    client.send(first);
    gate.signal("TERM");
    std::thread::sleep(Duration::from_millis(500));
    client.send(rest);
    let reply = client.try_reply();
    let accepted = reply.as_ref().is_some_and(|reply| reply.code == 250);
    assert!(
        accepted || reply.as_ref().is_none_or(|reply| reply.code == 421),
        "{reply:?}"
    );
    assert_eq!(
        sink.received().len(),
        usize::from(accepted),
        "a 250 and a delivery go together"
    );
    assert!(accepted, "a message under way is let finish: {reply:?}");
    let farewell = idle.try_reply();
    assert!(farewell.is_none_or(|reply| reply.code == 421));
    drop((idle, client));
    let status = gate.wait();
    assert_eq!(status.code(), Some(0), "{}", gate.log());
}

#[test]
fn a_stop_while_upstream_thinks_loses_nothing() {
    let is_at_the_dot = Arc::new(AtomicBool::new(false));
    let reached = Arc::clone(&is_at_the_dot);
    let sink = Sink::scripted(move |stage, _| {
        if stage == Stage::Dot {
            reached.store(true, Ordering::SeqCst);
            std::thread::sleep(Duration::from_secs(2));
        }
        Answer::Accept
    });
    let mut gate = Gate::before(&sink, "");
    let mut client = Client::greeted(gate.smtp);
    client.envelope(FROM, &[TO]);
    assert_eq!(client.say("DATA").code, 354);
    client.send(&crate::support::client::stuffed(&mail::plain("At the dot")));
    eventually("the dot", || is_at_the_dot.load(Ordering::SeqCst).then_some(()));
    gate.signal("TERM");
    assert_eq!(client.reply().code, 250, "what upstream takes is answered so");
    drop(client);
    assert_eq!(gate.wait().code(), Some(0), "{}", gate.log());
    assert_eq!(sink.received().len(), 1);
}

#[test]
fn a_kept_message_survives_the_power_switch() {
    let sink = Sink::start();
    let mut gate = Gate::before(&sink, "");
    let message = mail::plain(mail::QUARANTINE);
    assert_eq!(Client::greeted(gate.smtp).deliver(FROM, &[TO], &message).code, 250);
    gate.signal("KILL");
    gate.wait();
    gate.start_again();
    let kept = gate.json(&["quarantine", "list", "--json"]);
    assert_eq!(kept.len(), 1, "{kept:?}");
    let id = kept[0]["id"].as_str().expect("an id");
    assert!(
        gate.command(&["quarantine", "release", id, "--reason", "wanted"])
            .status
            .success()
    );
    assert_eq!(mail::difference(&message, &sink.received()[0].bytes), None);
}

/// Several senders, a kill at a moment of its own choosing, again and again: every 250 is either
/// with upstream or in the quarantine.
#[test]
fn nothing_answered_250_is_lost_over_many_kills() {
    let sink = Sink::start();
    let mut gate = Gate::before(&sink, "");
    let (kept, passed) = (Mutex::new(BTreeSet::new()), Mutex::new(BTreeSet::new()));
    for round in 0..5_u64 {
        let over = AtomicBool::new(false);
        let address = gate.smtp;
        std::thread::scope(|scope| {
            for sender in 0..4 {
                let (kept, passed, over) = (&kept, &passed, &over);
                scope.spawn(move || {
                    for number in 0.. {
                        if over.load(Ordering::SeqCst) {
                            return;
                        }
                        let name = format!("{round}-{sender}-{number}");
                        let (word, set) = if number % 2 == 0 {
                            (mail::QUARANTINE, kept)
                        } else {
                            ("hello", passed)
                        };
                        if sent(address, &format!("{word} {name}")) {
                            set.lock().unwrap().insert(name);
                        }
                    }
                });
            }
            std::thread::sleep(Duration::from_millis(300 + round * 137));
            gate.signal("KILL");
            gate.wait();
            over.store(true, Ordering::SeqCst);
        });
        gate.start_again();
    }
    let (kept, passed) = (kept.into_inner().unwrap(), passed.into_inner().unwrap());
    assert!(
        kept.len() > 5 && passed.len() > 5,
        "the test did something: {} {}",
        kept.len(),
        passed.len()
    );
    let listed = gate.json(&["quarantine", "list", "--json", "--limit", "100000"]);
    let listed: BTreeSet<String> = listed
        .iter()
        .filter_map(|entry| last_word(entry["subject"].as_str()?))
        .collect();
    assert_eq!(
        kept.difference(&listed).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "kept and lost"
    );
    let received: BTreeSet<String> = sink
        .received()
        .iter()
        .filter_map(|message| last_word(&mail::field(&message.bytes, "Subject")?))
        .collect();
    assert_eq!(
        passed.difference(&received).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "passed and lost"
    );
}

/// The quarantine's disk fills up: what was answered 250 is there, the rest is told to come again,
/// and room made is room used.
#[test]
fn a_full_disk_keeps_its_promises_and_recovers() {
    if !programs::needs_root("a_full_disk_keeps_its_promises_and_recovers") {
        return;
    }
    let sink = Sink::start();
    let disk = SmallDisk::mount("3m");
    let gate = Gate::before(
        &sink,
        &format!(
            "[store]\nurl = \"sqlite:{}/portreeve.db\"\n",
            disk.folder.path().display()
        ),
    );
    let attempt = |number: usize| {
        let message = [
            mail::plain(&format!("{} {number}", mail::QUARANTINE)),
            incompressible(number, 200_000),
        ]
        .concat();
        Client::greeted(gate.smtp).deliver(FROM, &[TO], &message)
    };
    let replies: Vec<_> = (0..40).map(attempt).collect();
    let kept = replies.iter().filter(|reply| reply.code == 250).count();
    assert!(kept > 0 && kept < 40, "{kept} fitted");
    assert!(
        replies.iter().all(|reply| reply.code == 250 || reply.class() == 4),
        "{replies:?}"
    );
    assert_eq!(
        Client::greeted(gate.smtp)
            .deliver(FROM, &[TO], &mail::plain("Clean"))
            .code,
        250,
        "mail goes on"
    );
    disk.grow("60m");
    eventually("room again", || (attempt(1_000).code == 250).then_some(()));
    let listed = gate.json(&["quarantine", "list", "--json", "--limit", "1000"]);
    assert_eq!(listed.len(), kept + 1, "every 250 and no other");
}

/// What the store has no room for is not in force, and what was goes on.
#[test]
fn the_levers_known_last_serve_while_the_disk_is_full() {
    if !programs::needs_root("the_levers_known_last_serve_while_the_disk_is_full") {
        return;
    }
    let sink = Sink::start();
    let disk = SmallDisk::mount("3m");
    let mut gate = Gate::before(
        &sink,
        &format!(
            "[store]\nurl = \"sqlite:{}/portreeve.db\"\n",
            disk.folder.path().display()
        ),
    );
    let pull = |gate: &Gate, arguments: &[&str]| {
        let output = gate.command(&[arguments, &["--reason", "a full disk"]].concat());
        output.status.code()
    };
    let until = (SystemClock.now() + SignedDuration::from_hours(48)).to_string();
    let until = until.as_str();
    assert_eq!(pull(&gate, &["block", "@blocked.example", "--until", until]), Some(0));
    let refused = |gate: &Gate, from: &str| {
        let reply = Client::greeted(gate.smtp).deliver(from, &[TO], &mail::plain("Hello"));
        reply.code == 550
    };
    for number in 0.. {
        let large = [
            mail::plain(&format!("{} {number}", mail::QUARANTINE)),
            incompressible(number, 200_000),
        ]
        .concat();
        if Client::greeted(gate.smtp).deliver(FROM, &[TO], &large).class() == 4 {
            break;
        }
    }
    // Few bytes may still find room where a message doesn't: what matters is that answer and effect agree.
    let domains: Vec<String> = (0..40).map(|number| format!("@a{number}.example")).collect();
    let mut unkept = Vec::new();
    for domain in &domains {
        let kept = pull(&gate, &["block", domain, "--until", until]) == Some(0);
        assert_eq!(refused(&gate, &format!("x{domain}")), kept, "{domain}");
        if !kept {
            unkept.push(domain);
        }
    }
    assert!(!unkept.is_empty(), "the disk was full");
    let ended = pull(&gate, &["block", "--remove", "@blocked.example"]) == Some(0);
    assert_eq!(refused(&gate, "x@blocked.example"), !ended);
    disk.grow("60m");
    let domain = unkept[0];
    eventually("room again", || {
        (pull(&gate, &["block", domain, "--until", until]) == Some(0)).then_some(())
    });
    let listed = gate.json(&["block", "--list", "--json"]);
    gate.signal("KILL");
    gate.wait();
    gate.start_again();
    assert_eq!(
        gate.json(&["block", "--list", "--json"]),
        listed,
        "none lost, none invented"
    );
    assert!(refused(&gate, &format!("x{domain}")));
}

#[test]
fn a_store_that_cant_be_opened_stops_the_start() {
    let folder = Gate::prepare();
    let mut config = crate::support::gate::base(free_address(), free_address());
    config.insert(
        "store".to_owned(),
        toml::toml! { url = "sqlite:/proc/nowhere/portreeve.db" }.into(),
    );
    std::fs::write(folder.path().join("portreeve.toml"), config.to_string()).unwrap();
    let output = crate::support::gate::command(folder.path(), &["run"]);
    assert!(matches!(output.status.code(), Some(69 | 74 | 75 | 78)), "{output:?}");
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("portreeve.db"),
        "{output:?}"
    );
}

/// A file system of limited size, unmounted when dropped.
struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    fn mount(size: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = format!("size={size},mode=0700");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(folder.path())
            .output()
            .unwrap();
        assert!(mount.status.success(), "{mount:?}");
        Self { folder }
    }

    fn grow(&self, size: &str) {
        let options = format!("remount,size={size}");
        let mount = Command::new("mount")
            .args(["-o", &options])
            .arg(self.folder.path())
            .output()
            .unwrap();
        assert!(mount.status.success(), "{mount:?}");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the gate may hold its file a moment longer.
        let _ = Command::new("umount").arg("--lazy").arg(self.folder.path()).output();
    }
}

/// Lines that no compression makes much smaller.
fn incompressible(seed: usize, size: usize) -> Vec<u8> {
    let mut text = String::with_capacity(size + 70);
    let mut last = seed.to_string();
    while text.len() < size {
        last = mail::fingerprint(last.as_bytes());
        text.push_str(&last);
        text.push_str("\r\n");
    }
    text.into_bytes()
}

/// Sends one message; whether 250 was heard. Anything may break: the gate is being killed.
fn sent(address: std::net::SocketAddr, subject: &str) -> bool {
    let Ok(stream) = std::net::TcpStream::connect(address) else {
        std::thread::sleep(Duration::from_millis(5));
        return false;
    };
    let mut client = Client::over(stream);
    let mut step = |bytes: &[u8], code: u16| {
        client.send(bytes);
        client.try_reply().is_some_and(|reply| reply.code == code)
    };
    step(b"", 220)
        && step(b"EHLO client.example\r\n", 250)
        && step(format!("MAIL FROM:<{FROM}>\r\n").as_bytes(), 250)
        && step(format!("RCPT TO:<{TO}>\r\n").as_bytes(), 250)
        && step(b"DATA\r\n", 354)
        && step(&crate::support::client::stuffed(&mail::plain(subject)), 250)
}

fn last_word(subject: &str) -> Option<String> {
    subject.rsplit(' ').next().map(str::to_owned)
}
