//! What many clients at once do to the gate: its memory, and whether one more client is still served.
//!
//! Everything is here but the gate, which is a process of its own, so that the kernel counts its
//! memory. `benches/README.md` has the commands.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a measuring program: what goes wrong ends it"
)]

mod client;
mod delay;
#[path = "../gate/forwarder.rs"]
mod forwarder;
mod memory;
#[path = "../gate/sink.rs"]
mod sink;
#[allow(dead_code, unused_imports, reason = "each program uses its own part of the tools")]
#[path = "../../tests/support/mod.rs"]
mod support;

use client::{Canary, Client, Sent};
use memory::Memory;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::Gate;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

/// What a crowd does, and what is printed of it.
type Crowd = fn(&Machine);

/// Each by the name that the command line has for it.
const CROWDS: [(&str, Crowd); 5] = [
    ("idle", idle),
    ("busy", busy),
    ("slow", slow),
    ("big", big),
    ("delay", delay::half_load),
];

/// What every crowd meets.
struct Machine {
    runtime: tokio::runtime::Runtime,
    sink: SocketAddr,
    /// Percent of the full crowd.
    percent: usize,
}

impl Machine {
    /// The gate with the shipped rules and these settings; everything is judged, everything is delivered.
    fn gate(&self, settings: &str) -> Gate {
        let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
        let settings = format!(
            "[policy]\nmode = \"observe\"\n[rules]\npaths = [{:?}]\n{settings}",
            rules.display().to_string()
        );
        Gate::delivering_to(&format!("smtp://{}", self.sink), &settings)
    }

    fn scaled(&self, count: usize) -> usize {
        (count * self.percent / 100).max(1)
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    if let [first, target] = arguments.as_slice()
        && first == "--forward-to"
    {
        return forwarder::run(target.parse().expect("an address"));
    }
    let mut percent = 100;
    let mut wanted = Vec::new();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        if word == "--percent" {
            percent = words.next().and_then(|word| word.parse().ok()).expect("a number");
        } else {
            wanted.push(word.as_str());
        }
    }
    let machine = Machine {
        runtime: tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .expect("a runtime"),
        sink: sink::start(),
        percent,
    };
    for (name, crowd) in CROWDS {
        if wanted.is_empty() || wanted.contains(&name) {
            crowd(&machine);
        }
    }
}

/// Connections that wait, before and after a message of 40 KB.
fn idle(machine: &Machine) {
    let count = machine.scaled(1_000);
    let gate = machine.gate("[limits]\nconnections = 5000\nconnections_per_client = 5000\n");
    let address = gate.smtp;
    let body = b"x".repeat(40_000);
    warm_up(machine, address, &body, count);
    let memory = Memory::of(gate.process());
    machine.runtime.block_on(async {
        let mut clients = Vec::new();
        for _ in 0..count {
            clients.push(Client::greeted(address).await.expect("a gate that listens"));
        }
        let each = || kib(memory.now().saturating_sub(memory.base)) / count as f64;
        println!("idle   {count} connections after EHLO: {:.1} KiB each", each());
        for client in &mut clients {
            assert_eq!(client.deliver(&body).await, Sent::Taken);
        }
        println!(
            "idle   {count} connections after EHLO and a message of 40 KB: {:.1} KiB each",
            each()
        );
    });
}

/// Connections that send small mail without a pause.
fn busy(machine: &Machine) {
    let count = machine.scaled(200);
    let gate = machine.gate("[limits]\nconnections_per_client = 1000\n");
    let (address, memory) = (gate.smtp, Memory::of(gate.process()));
    let end = Instant::now() + Duration::from_secs(10);
    let sent: usize = machine.runtime.block_on(async {
        let mut senders = JoinSet::new();
        for _ in 0..count {
            senders.spawn(async move {
                let mut client = Client::greeted(address).await.expect("a gate that listens");
                let (body, mut sent) = (small(), 0);
                while Instant::now() < end {
                    assert_eq!(client.deliver(&body).await, Sent::Taken);
                    sent += 1;
                }
                sent
            });
        }
        senders.join_all().await.into_iter().sum()
    });
    println!(
        "busy   {count} connections, {sent} messages of 5 KB: {:.1} MiB at most, {:.1} MiB before, {:.1} MiB after \
         (resident, the whole process)",
        kib(memory.most()) / 1024.0,
        kib(memory.base) / 1024.0,
        kib(memory.now()) / 1024.0
    );
}

/// Clients that dawdle in every way, and one that comes every second with a message. First with room to spare,
/// then with every place taken.
fn slow(machine: &Machine) {
    let count = machine.scaled(5_000);
    for (room, connections) in [("with room", count + 1_000), ("with none", count)] {
        let gate = machine.gate(&format!(
            "[limits]\nconnections = {connections}\nconnections_per_client = {connections}\n"
        ));
        let (address, memory) = (gate.smtp, Memory::of(gate.process()));
        machine.runtime.block_on(async {
            let mut dawdlers = JoinSet::new();
            for number in 0..count {
                let client = Client::greeted(address).await.expect("a gate that listens");
                dawdlers.spawn(client.dawdle(number % 3));
            }
            let canary = Canary::sing(address, small(), Duration::from_secs(machine.scaled(60) as u64)).await;
            println!(
                "slow   {count} clients, {room}: {} messages came through, {} found no place, {} were put off; \
                 the slowest took {:.0} ms; {:.0} MiB at most",
                canary.served,
                canary.turned_away,
                canary.put_off,
                canary.slowest.as_secs_f64() * 1000.0,
                kib(memory.most()) / 1024.0
            );
            dawdlers.abort_all();
        });
    }
}

/// What each of the sessions in [`big`] sends, in octets.
const SIZE: usize = 25_000_000;

/// Sessions that all send 25 MB at once, with room for a few.
fn big(machine: &Machine) {
    let count = machine.scaled(2_000);
    for declared in [true, false] {
        let gate = machine.gate(
            "[limits]\nconnections = 5000\nconnections_per_client = 5000\nmemory = \"512MB\"\n\
             [upstream]\nconnections = 5000\n",
        );
        let address = gate.smtp;
        warm_up(machine, address, &small(), 20);
        let memory = Memory::of(gate.process());
        let start = Instant::now();
        let (taken, put_off) = machine.runtime.block_on(async {
            let at_once = Arc::new(Barrier::new(count));
            let mut senders = JoinSet::new();
            for _ in 0..count {
                // One after the other up to the 354: it is the bodies that come at once.
                let mut client = Client::greeted(address).await.expect("a gate that listens");
                let declared = declared.then_some(SIZE);
                client.begin(declared).await.expect("a go-ahead");
                let at_once = Arc::clone(&at_once);
                senders.spawn(async move { client.finish_together(SIZE, &at_once).await });
            }
            let answers = senders.join_all().await;
            let count = |sent| answers.iter().filter(|one| **one == sent).count();
            (count(Sent::Taken), count(Sent::PutOff))
        });
        println!(
            "big    {count} sessions of 25 MB, size {}: {taken} taken, {put_off} told to come again, {} otherwise, in {:.0} s; \
             {:.0} MiB above the {:.0} MiB before",
            if declared { "declared" } else { "not declared" },
            count - taken - put_off,
            start.elapsed().as_secs_f64(),
            kib(memory.most().saturating_sub(memory.base)) / 1024.0,
            kib(memory.base) / 1024.0
        );
    }
}

/// Some messages, so that pools, caches and the journal are filled before anything is counted.
fn warm_up(machine: &Machine, address: SocketAddr, body: &[u8], count: usize) {
    machine.runtime.block_on(async {
        let mut client = Client::greeted(address).await.expect("a gate that listens");
        for _ in 0..count {
            assert_eq!(client.deliver(body).await, Sent::Taken);
        }
    });
}

/// A message of 5 KB with text, links and an address.
fn small() -> Vec<u8> {
    let mut mail = b"From: Parish Clerk <clerk@parish.example>\r\nTo: clerk@council.example\r\n\
        Subject: Allotments\r\nDate: Wed, 25 Nov 2026 09:00:00 +0000\r\nMessage-ID: <1@parish.example>\r\n\r\n"
        .to_vec();
    while mail.len() < 5_000 {
        mail.extend_from_slice(b"The list of plots is at https://parish.example/plots and was read in March.\r\n");
    }
    mail
}

fn kib(bytes: u64) -> f64 {
    bytes as f64 / 1024.0
}
