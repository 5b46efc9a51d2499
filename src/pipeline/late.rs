//! Upstream's late yes: remembered, so that the sender's retry makes no second copy.
//!
//! When we had to answer 4xx because upstream was silent after our dot, and its 250 came after all,
//! the message is theirs. The same message said again gets that 250 and goes nowhere. Bounded and
//! short-lived: what is forgotten costs a duplicate, never a loss.

use crate::smtp::Reply;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long a late yes is remembered: senders retry within hours, rarely within days.
const KEPT: Duration = Duration::from_secs(4 * 3600);
/// More than these, and the oldest is forgotten.
const KEPT_MOST: usize = 1000;

/// Late replies by the fingerprint of their message.
#[derive(Debug, Default)]
pub struct LateReplies {
    heard: Mutex<VecDeque<Late>>,
}

#[derive(Debug)]
struct Late {
    fingerprint: String,
    reply: Reply,
    since: Instant,
}

impl LateReplies {
    /// Remembers upstream's yes; any other late answer changes nothing, the retry asks anew.
    pub fn heard(&self, fingerprint: String, reply: Reply) {
        if reply.is_success() {
            let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
            if heard.len() >= KEPT_MOST {
                heard.pop_front();
            }
            heard.push_back(Late {
                fingerprint,
                reply,
                since: Instant::now(),
            });
        }
    }

    /// The yes that this message got too late, once. The fingerprint is only computed when
    /// something is remembered at all.
    pub fn take(&self, fingerprint: impl FnOnce() -> String) -> Option<Reply> {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.retain(|late| late.since.elapsed() < KEPT);
        if heard.is_empty() {
            return None;
        }
        let wanted = fingerprint();
        let at = heard.iter().position(|late| late.fingerprint == wanted)?;
        heard.remove(at).map(|late| late.reply)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yes() -> Reply {
        Reply::new(250, "2.0.0", "taken")
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_yes_is_told_once_and_forgotten_in_time() {
        let late = LateReplies::default();
        late.heard("a".into(), yes());
        late.heard("b".into(), Reply::new(451, "4.0.0", "no"));
        assert_eq!(late.take(|| "b".into()), None);
        assert_eq!(late.take(|| "a".into()), Some(yes()));
        assert_eq!(late.take(|| "a".into()), None);
        late.heard("a".into(), yes());
        tokio::time::advance(KEPT).await;
        assert_eq!(late.take(|| "a".into()), None);
    }

    #[tokio::test(start_paused = true)]
    async fn only_so_many_are_remembered() {
        let late = LateReplies::default();
        for number in 0..=KEPT_MOST {
            late.heard(number.to_string(), yes());
        }
        assert_eq!(late.take(|| "0".into()), None);
        assert_eq!(late.take(|| "1".into()), Some(yes()));
        assert_eq!(late.take(|| KEPT_MOST.to_string()), Some(yes()));
    }
}
