//! Answers that were given before, for as long as they may be held true.
//!
//! Two generations of entries bound its memory: what is new or asked for again lies in the young one, and when
//! that is half of all there may be, the old one goes. Whoever asks what another is asking already waits for
//! the same answer. Knows nothing of servers, and of what is asked only how large the answer is.

use super::dns::{Answer, Dns, DnsFault, Kind, Record};
use crate::units::Size;
use async_trait::async_trait;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::OnceCell;
use tokio::time::Instant;

/// However long a domain allows: its owner may regret it.
const LIFETIME_MOST: Duration = Duration::from_secs(24 * 3600);
/// How long nobody asks again for what could not be found out, so that a campaign from a broken domain costs
/// one wait and not one a message.
const FAULT_LIFETIME: Duration = Duration::from_secs(5);
/// What an entry takes beside its records.
const ENTRY_BYTES: usize = 200;

type Outcome = Result<Answer<Record>, DnsFault>;
type Slot = Arc<OnceCell<(Outcome, Instant)>>;

/// A resolver that keeps what another said.
pub struct Cached {
    dns: Arc<dyn Dns>,
    generation_bytes: usize,
    kept: Mutex<Generations>,
}

#[derive(Default)]
struct Generations {
    young: HashMap<(Box<str>, Kind), Slot>,
    young_bytes: usize,
    old: HashMap<(Box<str>, Kind), Slot>,
}

impl Cached {
    /// Keeps answers of `dns`, in about so much memory.
    pub fn new(dns: Arc<dyn Dns>, size: Size) -> Self {
        Self {
            dns,
            generation_bytes: usize::try_from(size.0 / 2).unwrap_or(usize::MAX),
            kept: Mutex::default(),
        }
    }

    /// Where the answer stands or will stand.
    fn slot(&self, name: &str, kind: Kind, now: Instant) -> Slot {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (Box::from(name), kind);
        let found = kept.young.get(&key).cloned().or_else(|| kept.old.remove(&key));
        let found = found.filter(|slot| slot.get().is_none_or(|(_, until)| *until > now));
        let slot = found.unwrap_or_default();
        if kept.young.insert(key, Arc::clone(&slot)).is_none() {
            kept.grow(weight(name, &slot), self.generation_bytes);
        }
        slot
    }

    async fn ask_anew(&self, name: &str, kind: Kind) -> (Outcome, Instant) {
        let outcome = self.dns.ask(name, kind).await;
        let lifetime = match &outcome {
            Ok(answer) => answer.lifetime.min(LIFETIME_MOST),
            Err(DnsFault::Down) => Duration::ZERO,
            Err(_) => FAULT_LIFETIME,
        };
        (outcome, Instant::now() + lifetime)
    }
}

impl Generations {
    fn grow(&mut self, bytes: usize, most: usize) {
        self.young_bytes = self.young_bytes.saturating_add(bytes);
        if self.young_bytes > most {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
    }
}

/// About the memory of an entry: of an answer that isn't there yet, its place.
fn weight(name: &str, slot: &Slot) -> usize {
    let records = match slot.get() {
        Some((Ok(answer), _)) => answer.records.iter().map(record_weight).sum(),
        _ => 0,
    };
    ENTRY_BYTES + name.len() + records
}

fn record_weight(record: &Record) -> usize {
    let beyond = match record {
        Record::Address(_) => 0,
        Record::Exchanger(exchanger) => exchanger.host.len(),
        Record::Name(name) => name.len(),
        Record::Tlsa(tlsa) => tlsa.data.len(),
        Record::Text(text) => text.len(),
    };
    size_of::<Record>() + beyond
}

#[async_trait]
impl Dns for Cached {
    fn is_trusted(&self) -> bool {
        self.dns.is_trusted()
    }

    fn wake(&self) {
        self.dns.wake();
    }

    async fn ask(&self, name: &str, kind: Kind) -> Outcome {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let slot = self.slot(&name, kind, Instant::now());
        let mut asked = false;
        let ask = || {
            asked = true;
            self.ask_anew(&name, kind)
        };
        let (outcome, _) = slot.get_or_init(ask).await.clone();
        if asked {
            let grown = weight(&name, &slot).saturating_sub(ENTRY_BYTES + name.len());
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.grow(grown, self.generation_bytes);
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Says the same to everybody, and counts how often it was asked.
    struct Oracle {
        outcome: Outcome,
        asked: AtomicUsize,
    }

    #[async_trait]
    impl Dns for Oracle {
        fn is_trusted(&self) -> bool {
            false
        }

        async fn ask(&self, _: &str, _: Kind) -> Outcome {
            self.asked.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(10)).await;
            self.outcome.clone()
        }
    }

    fn text(bytes: usize, lifetime: u64) -> Outcome {
        Ok(Answer {
            lifetime: Duration::from_secs(lifetime),
            ..Answer::of(vec![Record::Text(vec![b'x'; bytes])])
        })
    }

    fn cached(outcome: Outcome, bytes: u64) -> (Arc<Oracle>, Cached) {
        let oracle = Arc::new(Oracle {
            outcome,
            asked: AtomicUsize::new(0),
        });
        (Arc::clone(&oracle), Cached::new(oracle, Size(bytes)))
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_kept_for_its_lifetime_and_a_fault_for_a_moment() {
        let refused = || Err(DnsFault::Refused);
        for (outcome, after, asked) in [
            (text(1, 60), 59, 1),
            (text(1, 60), 61, 2),
            (text(1, 0), 1, 2),
            (text(1, u64::from(u32::MAX)), 24 * 3600 - 1, 1),
            (text(1, u64::from(u32::MAX)), 24 * 3600 + 1, 2),
            (refused(), 4, 1),
            (refused(), 6, 2),
            (Err(DnsFault::Down), 0, 2),
        ] {
            let (oracle, dns) = cached(outcome.clone(), 10_000);
            assert_eq!(dns.ask("a.example", Kind::Txt).await, outcome);
            tokio::time::sleep(Duration::from_secs(after)).await;
            // Names differ in neither case nor final dot.
            assert_eq!(dns.ask("A.example.", Kind::Txt).await, outcome);
            assert_eq!(oracle.asked.load(Ordering::Relaxed), asked, "{outcome:?} {after}");
            let _ = dns.ask("a.example", Kind::A).await;
            assert_eq!(oracle.asked.load(Ordering::Relaxed), asked + 1, "another kind");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn many_who_ask_at_once_ask_once() {
        let (oracle, dns) = cached(text(1, 60), 10_000);
        let asking = (0..50).map(|_| dns.ask("a.example", Kind::Txt));
        for outcome in futures_util::future::join_all(asking).await {
            assert_eq!(outcome, text(1, 60));
        }
        assert_eq!(oracle.asked.load(Ordering::Relaxed), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_leaves_the_question_to_the_next() {
        let (oracle, dns) = cached(text(1, 60), 10_000);
        let hasty = tokio::time::timeout(Duration::from_millis(1), dns.ask("a.example", Kind::Txt)).await;
        assert!(hasty.is_err());
        assert_eq!(dns.ask("a.example", Kind::Txt).await, text(1, 60));
        assert_eq!(oracle.asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_bounded_and_what_is_asked_for_again_stays() {
        let size = 100_000;
        let (oracle, dns) = cached(text(1000, 3600), size);
        let name = |number: usize| format!("n{number}.example");
        for number in 0..1000 {
            let _ = dns.ask(&name(number), Kind::Txt).await;
            let _ = dns.ask("often.example", Kind::Txt).await;
            let kept = dns.kept.lock().unwrap();
            let all = kept.young.iter().chain(&kept.old);
            let bytes: usize = all.map(|((name, _), slot)| weight(name, slot)).sum();
            assert!(bytes <= usize::try_from(size).unwrap() + 2000, "{bytes}");
        }
        assert_eq!(oracle.asked.load(Ordering::Relaxed), 1001);
        let _ = dns.ask(&name(0), Kind::Txt).await;
        assert_eq!(oracle.asked.load(Ordering::Relaxed), 1002, "the first is forgotten");
    }
}
