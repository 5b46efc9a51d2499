//! What a judged message adds to the rules' accounts: the work that they took, and whether any is to be held.
//!
//! Enters: a judgement. Leaves: counts, and a generation in which such rules stand otherwise. Knows nothing
//! of when a rule is held, which the breaker decides.

use super::{Gate, Judgement, Live};
use crate::mail::Mail;
use crate::rules::Action;
use crate::verdict::breaker::{Breaker, Change, Sign};
use jiff::Timestamp;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, MutexGuard, PoisonError};

impl Gate {
    /// The breaker, to change it or to look at it.
    pub fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the rules of the generation in force stand as the breaker says.
    pub fn hold_rules(&self) {
        self.live.rcu(|live| {
            let mut next = Live::clone(live);
            next.criteria.held = Arc::new(self.breaker().held_of(&live.criteria.rules));
            Arc::new(next)
        });
    }

    pub(super) fn account(&self, judgement: &Judgement, mail: &Mail, now: Timestamp) {
        let spent = judgement.spent.iter();
        self.telemetry
            .rules_spent(spent.map(|spent| (spent.rule.id.as_str(), spent.steps)));
        let over = judgement.spent.iter().filter(|spent| spent.is_over);
        let over: Vec<&str> = over.map(|spent| spent.rule.id.as_str()).collect();
        let mut hasher = DefaultHasher::new();
        if !over.is_empty() {
            mail.bytes.hash(&mut hasher);
        }
        let verdict = &judgement.verdict;
        let sign = Sign {
            fingerprint: hasher.finish(),
            over,
            is_caught: verdict.action >= Action::Quarantine,
            sole_causes: verdict.sole_causes.iter().map(String::as_str).collect(),
        };
        let changes = self.breaker().note(&sign, now);
        for change in &changes {
            self.tell(change);
        }
        if changes.iter().any(|change| matches!(change, Change::Held(..))) {
            self.hold_rules();
        }
    }

    fn tell(&self, change: &Change) {
        match change {
            Change::Held(rule, cause) => self.telemetry.rule_held(rule, cause.as_str(), cause.meaning()),
            Change::Spared(rule) => self.telemetry.warning(
                "rule-over-budget",
                &format!("{rule}: over its budget, and unknown for such messages; it has stood for long and goes on"),
            ),
        }
    }
}
