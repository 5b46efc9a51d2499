//! Whether the DNS servers answer at all, so that an outage of theirs costs no message a wait.
//!
//! A lookup that times out may be the fault of the domain's own servers, which a sender can have as slow as he
//! likes; so it only raises a question, and the answer is a probe of the root, which no sender has in his hand.
//! While that is not answered either, lookups fail at once. Knows nothing of what is looked up.

use super::dns::{Answer, Dns, DnsFault, Kind, Record};
use async_trait::async_trait;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How soon servers that did not answer are probed again.
const PROBE_AGAIN_AFTER: Duration = Duration::from_secs(5);
/// Every resolver knows the root; that it has no text is an answer too.
const ROOT: &str = ".";

/// What happens to lookups, for those who count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DnsEvent {
    /// One was made, or not made since nobody would answer: a word for how it ended.
    LookedUp(&'static str),
    /// The servers answer no more.
    WentDown,
    /// They answer again.
    CameBack,
}

/// Who is told.
pub type Told = Arc<dyn Fn(DnsEvent) + Send + Sync>;

/// A resolver that is not asked while it does not answer. Cheap to clone.
#[derive(Clone)]
pub struct Watched {
    dns: Arc<dyn Dns>,
    told: Told,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    is_down: bool,
    is_probing: bool,
    probe_after: Option<Instant>,
}

impl Watched {
    /// Watches over `dns`.
    pub fn new(dns: Arc<dyn Dns>, told: Told) -> Self {
        Self {
            dns,
            told,
            state: Arc::default(),
        }
    }

    /// Whether the servers did not answer when they were last probed.
    pub fn is_down(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).is_down
    }

    /// Finds out, on a task of its own, unless somebody is at it or was a moment ago.
    fn probe(&self) {
        {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if state.is_probing || state.probe_after.is_some_and(|after| after > Instant::now()) {
                return;
            }
            state.is_probing = true;
        }
        let own = self.clone();
        tokio::spawn(async move {
            let is_silent = is_silence(&own.dns.ask(ROOT, Kind::Txt).await);
            own.found(is_silent);
        });
    }

    fn found(&self, is_down: bool) {
        let was_down = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.is_probing = false;
            state.probe_after = Some(Instant::now() + PROBE_AGAIN_AFTER);
            std::mem::replace(&mut state.is_down, is_down)
        };
        match (was_down, is_down) {
            (false, true) => (self.told)(DnsEvent::WentDown),
            (true, false) => (self.told)(DnsEvent::CameBack),
            _ => {}
        }
    }
}

fn is_silence(outcome: &Result<Answer<Record>, DnsFault>) -> bool {
    matches!(outcome, Err(DnsFault::TimedOut))
}

#[async_trait]
impl Dns for Watched {
    fn is_trusted(&self) -> bool {
        self.dns.is_trusted()
    }

    fn wake(&self) {
        self.probe();
    }

    async fn ask(&self, name: &str, kind: Kind) -> Result<Answer<Record>, DnsFault> {
        let outcome = match self.is_down() {
            true => Err(DnsFault::Down),
            false => self.dns.ask(name, kind).await,
        };
        if matches!(outcome, Err(DnsFault::Down)) || is_silence(&outcome) {
            self.probe();
        }
        (self.told)(DnsEvent::LookedUp(match &outcome {
            Ok(answer) if answer.records.is_empty() => "none",
            Ok(_) => "records",
            Err(fault) => fault.as_str(),
        }));
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// Silent for the names of slow domains, or for all.
    struct Server {
        is_silent: AtomicBool,
    }

    #[async_trait]
    impl Dns for Server {
        fn is_trusted(&self) -> bool {
            false
        }

        async fn ask(&self, name: &str, _: Kind) -> Result<Answer<Record>, DnsFault> {
            if self.is_silent.load(Ordering::Relaxed) || name.starts_with("slow") {
                tokio::time::sleep(Duration::from_secs(2)).await;
                return Err(DnsFault::TimedOut);
            }
            Ok(Answer::of(Vec::new()))
        }
    }

    fn watched() -> (Arc<Server>, Watched, Arc<Mutex<Vec<DnsEvent>>>) {
        let server = Arc::new(Server {
            is_silent: AtomicBool::new(false),
        });
        let events: Arc<Mutex<Vec<DnsEvent>>> = Arc::default();
        let told = {
            let events = Arc::clone(&events);
            Arc::new(move |event| events.lock().unwrap().push(event))
        };
        (Arc::clone(&server), Watched::new(server, told), events)
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_domain_does_not_take_dns_down() {
        let (_, dns, events) = watched();
        for _ in 0..20 {
            assert_eq!(dns.ask("slow.example", Kind::A).await, Err(DnsFault::TimedOut));
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert!(dns.ask("fine.example", Kind::A).await.is_ok());
        }
        assert!(!events.lock().unwrap().contains(&DnsEvent::WentDown));
    }

    #[tokio::test(start_paused = true)]
    async fn servers_that_do_not_answer_are_not_waited_for_and_come_back() {
        let (server, dns, events) = watched();
        server.is_silent.store(true, Ordering::Relaxed);
        assert_eq!(dns.ask("a.example", Kind::A).await, Err(DnsFault::TimedOut));
        tokio::time::sleep(Duration::from_secs(3)).await;
        let before = Instant::now();
        for _ in 0..10 {
            assert_eq!(dns.ask("a.example", Kind::A).await, Err(DnsFault::Down));
        }
        assert_eq!(Instant::now(), before, "nobody waited");
        server.is_silent.store(false, Ordering::Relaxed);
        tokio::time::sleep(PROBE_AGAIN_AFTER).await;
        assert_eq!(dns.ask("a.example", Kind::A).await, Err(DnsFault::Down), "it probes");
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert!(dns.ask("a.example", Kind::A).await.is_ok());
        let events: Vec<_> = events.lock().unwrap().clone();
        let count = |event| events.iter().filter(|&&one| one == event).count();
        assert_eq!([count(DnsEvent::WentDown), count(DnsEvent::CameBack)], [1, 1]);
        assert_eq!(count(DnsEvent::LookedUp("down")), 11);
        assert_eq!(count(DnsEvent::LookedUp("none")), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_at_the_start_spares_the_first_message_the_wait() {
        let (server, dns, _) = watched();
        server.is_silent.store(true, Ordering::Relaxed);
        dns.wake();
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(dns.ask("a.example", Kind::A).await, Err(DnsFault::Down));
    }
}
