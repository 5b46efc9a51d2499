//! How much longer a message takes by way of the gate than straight to the server behind, at half of what
//! the gate can do; and by way of the trivial forwarder.

use super::client::{Client, Sent};
use super::{Machine, small};
use crate::forwarder::Forwarder;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Senders that find out what the gate can do.
const SENDERS: usize = 8;

/// Rounds of each candidate, and how long one is.
const ROUNDS: usize = 45;
const ROUND: Duration = Duration::from_secs(1);

/// Delays of one round, sorted.
struct Delays(Vec<Duration>);

impl Delays {
    fn new(mut delays: Vec<Duration>) -> Self {
        delays.sort();
        Self(delays)
    }

    /// The delay that so many in a thousand stay below, in milliseconds.
    fn per_mille(&self, share: usize) -> f64 {
        let place = (self.0.len() * share / 1000).min(self.0.len() - 1);
        self.0[place].as_secs_f64() * 1000.0
    }
}

/// The middle one of the rounds' figures, which a busy moment of the machine doesn't touch.
fn median(rounds: &[Delays], share: usize) -> f64 {
    let mut figures: Vec<f64> = rounds.iter().map(|round| round.per_mille(share)).collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Messages come at half the rate that the gate serves at most, each on a connection of its own; rounds alternate.
pub fn half_load(machine: &Machine) {
    let gate = machine.gate("[limits]\nconnections_per_client = 1000\n");
    let forwarder = Forwarder::start(machine.sink);
    let capacity = most(machine, gate.smtp);
    let rate = capacity / 2.0;
    let candidates = [machine.sink, forwarder.candidate().0, gate.smtp];
    let mut rounds: [Vec<Delays>; 3] = Default::default();
    for _ in 0..ROUNDS {
        for (address, rounds) in candidates.iter().zip(&mut rounds) {
            rounds.push(Delays::new(at_rate(machine, *address, rate)));
        }
    }
    println!(
        "delay  the gate serves {capacity:.0} messages/s at most; at {rate:.0} messages/s, from connecting to the 250:"
    );
    println!(
        "       {:<12}{:>10}{:>10}{:>20}{:>10}",
        "", "median", "p99", "from - to", "messages"
    );
    for (name, rounds) in ["straight", "forwarder", "gate"].iter().zip(&rounds) {
        let p99s = rounds.iter().map(|round| round.per_mille(990));
        let (least, most) = (p99s.clone().fold(f64::INFINITY, f64::min), p99s.fold(0.0, f64::max));
        println!(
            "       {name:<12}{:>7.2} ms{:>7.2} ms{least:>10.2} - {most:>4.2} ms{:>10}",
            median(rounds, 500),
            median(rounds, 990),
            rounds.iter().map(|round| round.0.len()).sum::<usize>()
        );
    }
    let [straight, forwarder, gate] = [0, 1, 2].map(|which: usize| median(&rounds[which], 990));
    println!(
        "       p99 over the forwarder's: {:.2} times; added to going straight: {:.2} times as much as the forwarder adds",
        gate / forwarder,
        (gate - straight) / (forwarder - straight)
    );
}

/// Messages a second when a few senders never pause.
fn most(machine: &Machine, address: SocketAddr) -> f64 {
    let length = Duration::from_secs(5);
    let end = Instant::now() + length;
    let sent: usize = machine.runtime.block_on(async {
        let mut senders = JoinSet::new();
        for _ in 0..SENDERS {
            senders.spawn(async move {
                let (body, mut sent) = (small(), 0);
                while Instant::now() < end {
                    one(address, &body).await;
                    sent += 1;
                }
                sent
            });
        }
        senders.join_all().await.into_iter().sum()
    });
    sent as f64 / length.as_secs_f64()
}

/// Each message's time, whether or not those before it are done.
fn at_rate(machine: &Machine, address: SocketAddr, rate: f64) -> Vec<Duration> {
    let count = (rate * ROUND.as_secs_f64()) as usize;
    machine.runtime.block_on(async {
        let start = Instant::now();
        let mut senders = JoinSet::new();
        for number in 0..count {
            let due = start + Duration::from_secs_f64(number as f64 / rate);
            tokio::time::sleep_until(due.into()).await;
            senders.spawn(async move {
                let body = small();
                one(address, &body).await;
                // From when it was due: a sender that is held up must not hide that.
                due.elapsed()
            });
        }
        senders.join_all().await
    })
}

async fn one(address: SocketAddr, body: &[u8]) {
    let mut client = Client::greeted(address).await.expect("a candidate that listens");
    assert_eq!(client.deliver(body).await, Sent::Taken);
}
