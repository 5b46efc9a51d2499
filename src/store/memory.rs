//! A store in memory, for tests and the simulator: nothing lasts, and failures come when asked for.
//!
//! It answers at once and in order, so that a seed replays a run. Knows nothing of files.

use super::custody::{self, Custody};
use super::history::{Acquaintance, Experience};
use super::{
    AuditEntry, Claim, Due, Hold, JournalQuery, Learned, Lesson, QuarantineQuery, Quarantined, Recalled,
    ReleaseOutcome, State, Store, StoreError, Summary, Totals, search,
};
use crate::evidence::{Key, Secret};
use crate::mail::Envelope;
use crate::telemetry::MessageEvent;
use crate::verdict::Lever;
use crate::verdict::lever::What;
use async_trait::async_trait;
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use uuid::Uuid;

/// Everything that [`Store`] keeps, in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    kept: Mutex<Kept>,
}

/// What a store is asked to do, to be made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// [`Store::quarantine`]
    Quarantine,
    /// [`Store::settle`]
    Settle,
    /// [`Store::claim`]
    Claim,
    /// [`Store::settle_release`]
    SettleRelease,
    /// [`Store::delete`]
    Delete,
    /// [`Store::append_journal`]
    AppendJournal,
    /// [`Store::append_audit`]
    AppendAudit,
    /// [`Store::hold`]
    Hold,
    /// [`Store::decide`]
    Decide,
    /// [`Store::expire`]
    Expire,
    /// [`Store::keep_lever`] and [`Store::remove_lever`]
    Levers,
    /// [`Store::recall`] and [`Store::history_secret`]
    Recall,
    /// [`Store::learn`]
    Learn,
    /// [`Store::forget`]
    Forget,
    /// Every method that only reads.
    Read,
}

impl MemoryStore {
    /// Makes the next `count` operations of this kind fail and change nothing.
    pub fn fail_next(&self, operation: Operation, count: usize) {
        self.fail_after(operation, 0, count);
    }

    /// The same, once `passes` more operations of this kind have gone well.
    pub fn fail_after(&self, operation: Operation, passes: usize, count: usize) {
        self.locked().failures.insert(operation, Failures { passes, count });
    }

    /// The kept things, unless this operation is to fail.
    fn begin(&self, operation: Operation) -> Result<MutexGuard<'_, Kept>, StoreError> {
        let mut kept = self.locked();
        if kept.closed {
            return Err(StoreError::Failed("the store is closed".to_owned()));
        }
        match kept.failures.get_mut(&operation) {
            Some(failures) if failures.passes > 0 => {
                failures.passes -= 1;
                Ok(kept)
            }
            Some(failures) if failures.count > 0 => {
                failures.count -= 1;
                Err(StoreError::Failed("made to fail".to_owned()))
            }
            _ => Ok(kept),
        }
    }

    fn locked(&self) -> MutexGuard<'_, Kept> {
        // No change panics half way, so what a poisoned lock guards is whole.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
struct Kept {
    /// In the order that they came.
    messages: Vec<Message>,
    journal: Vec<MessageEvent>,
    /// Where in `journal` the record of an id stands.
    recorded: HashMap<String, usize>,
    audit: Vec<AuditEntry>,
    levers: BTreeMap<What, Lever>,
    secret: Option<[u8; Secret::BYTES]>,
    experience: Experience,
    history: BTreeMap<Key, Acquaintance>,
    /// Messages that were learned.
    learned: HashSet<String>,
    failures: HashMap<Operation, Failures>,
    closed: bool,
}

/// Failures that were asked for.
#[derive(Debug, Clone, Copy)]
struct Failures {
    /// Operations that go well first.
    passes: usize,
    /// How many then fail.
    count: usize,
}

#[derive(Debug)]
struct Message {
    /// As given, but for the body of one that is gone.
    message: Quarantined,
    custody: Custody,
    size: u64,
}

impl Kept {
    fn find(&mut self, id: Uuid) -> Result<&mut Message, StoreError> {
        let mut messages = self.messages.iter_mut();
        messages.find(|kept| kept.message.id == id).ok_or(StoreError::NotFound)
    }

    fn record(&mut self, event: MessageEvent, replaces: bool) {
        let known = self
            .recorded
            .get(&event.id)
            .and_then(|place| self.journal.get_mut(*place));
        match known {
            Some(recorded) if replaces => *recorded = event,
            Some(_) => {}
            None => {
                self.recorded.insert(event.id.clone(), self.journal.len());
                self.journal.push(event);
            }
        }
    }
}

impl Message {
    fn change<T>(&mut self, change: impl FnOnce(&mut Custody) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let changed = change(&mut self.custody)?;
        if self.custody.body_is_gone() {
            self.message.body = Bytes::new();
            self.message.added = Bytes::new();
        }
        Ok(changed)
    }

    fn whole(&self) -> Quarantined {
        let envelope = Envelope {
            recipients: self.custody.shown(),
            ..self.message.envelope.clone()
        };
        Quarantined {
            state: self.custody.state,
            envelope,
            ..self.message.clone()
        }
    }

    fn summary(&self) -> Summary {
        Summary {
            id: self.message.id,
            state: self.custody.state,
            received: self.message.received,
            reverse_path: self.message.envelope.reverse_path_text().to_owned(),
            recipients: self
                .custody
                .shown()
                .into_iter()
                .map(|recipient| recipient.address.to_string())
                .collect(),
            from: self.message.from.clone(),
            subject: self.message.subject.clone(),
            category: self.message.category.clone(),
            size: self.size,
            hold: self.message.hold.clone(),
        }
    }

    fn matches(&self, query: &QuarantineQuery) -> bool {
        let envelope = &self.message.envelope;
        let recipients = || search::fold_all(envelope.recipients.iter().map(|recipient| recipient.address.as_str()));
        let senders = || search::fold_all([envelope.reverse_path_text(), &self.message.from]);
        query.state.is_none_or(|state| state == self.custody.state)
            && (self.custody.on_hold || !query.on_hold)
            && wanted(query.recipient.as_ref(), recipients)
            && wanted(query.sender.as_ref(), senders)
    }
}

/// Whether the text holds what is looked for, if anything is.
fn wanted(needle: Option<&String>, text: impl FnOnce() -> String) -> bool {
    needle.is_none_or(|needle| text().contains(&search::fold(needle)))
}

fn matches(event: &MessageEvent, query: &JournalQuery) -> bool {
    let received = search::received(event);
    query.id.is_none_or(|id| event.id == id.to_string())
        && query.since.is_none_or(|since| received >= search::nanoseconds(since))
        && query.until.is_none_or(|until| received <= search::nanoseconds(until))
        && query.verdict.as_ref().is_none_or(|verdict| event.verdict == *verdict)
        && wanted(query.sender.as_ref(), || search::senders(event))
        && wanted(query.recipient.as_ref(), || search::recipients(event))
}

/// The newest first, of equally new ones the last come first, at most `limit`.
fn newest<'k, T, K: Ord>(items: impl Iterator<Item = &'k T>, key: impl Fn(&T) -> K, limit: u32) -> Vec<&'k T> {
    let mut found: Vec<&T> = items.collect();
    found.reverse();
    found.sort_by_key(|item| std::cmp::Reverse(key(item)));
    found.truncate(limit as usize);
    found
}

#[async_trait]
impl Store for MemoryStore {
    async fn quarantine(&self, message: Quarantined) -> Result<Uuid, StoreError> {
        let custody = Custody::begin(message.state, &message.envelope.recipients)?;
        let mut kept = self.begin(Operation::Quarantine)?;
        let twin = kept
            .messages
            .iter_mut()
            .find(|twin| twin.message.fingerprint == message.fingerprint && custody::takes_merges(twin.custody.state));
        let id = if let Some(twin) = twin {
            if twin.message.id != message.id {
                twin.custody.merge(message.state);
            }
            twin.message.id
        } else {
            if let Ok(same) = kept.find(message.id) {
                return Err(StoreError::WrongState(same.custody.state));
            }
            kept.messages.push(Message {
                size: message.body.len() as u64,
                custody,
                message: message.clone(),
            });
            message.id
        };
        kept.record(message.event, true);
        Ok(id)
    }

    async fn settle(&self, id: Uuid, state: State, event: Option<MessageEvent>) -> Result<(), StoreError> {
        let mut kept = self.begin(Operation::Settle)?;
        kept.find(id)?.change(|custody| custody.settle(state))?;
        if let Some(event) = event {
            kept.record(event, true);
        }
        Ok(())
    }

    async fn list(&self, query: QuarantineQuery) -> Result<Vec<Summary>, StoreError> {
        let kept = self.begin(Operation::Read)?;
        let matching = kept.messages.iter().filter(|kept| kept.matches(&query));
        let found = newest(matching, |kept| kept.message.received, search::limit(query.limit));
        Ok(found.into_iter().map(Message::summary).collect())
    }

    async fn get(&self, id: Uuid) -> Result<Quarantined, StoreError> {
        self.begin(Operation::Read)?.find(id).map(|kept| kept.whole())
    }

    async fn claim(&self, id: Uuid, recipients: &[String]) -> Result<Claim, StoreError> {
        let mut kept = self.begin(Operation::Claim)?;
        let kept = kept.find(id)?;
        let claimed = kept.change(|custody| custody.claim(recipients))?;
        let mut message = kept.whole();
        message.envelope.recipients = claimed;
        Ok(Claim {
            message,
            remaining: kept.custody.remaining(),
        })
    }

    async fn settle_release(&self, id: Uuid, recipients: &[String], outcome: ReleaseOutcome) -> Result<(), StoreError> {
        let mut kept = self.begin(Operation::SettleRelease)?;
        kept.find(id)?
            .change(|custody| custody.settle_release(recipients, outcome))
    }

    async fn delete(&self, id: Uuid) -> Result<(), StoreError> {
        self.begin(Operation::Delete)?.find(id)?.change(Custody::delete)
    }

    async fn append_journal(&self, events: &[MessageEvent]) -> Result<(), StoreError> {
        let mut kept = self.begin(Operation::AppendJournal)?;
        for event in events {
            kept.record(event.clone(), false);
        }
        Ok(())
    }

    async fn search_journal(&self, query: JournalQuery) -> Result<Vec<MessageEvent>, StoreError> {
        let kept = self.begin(Operation::Read)?;
        let matching = kept.journal.iter().filter(|event| matches(event, &query));
        let found = newest(matching, search::received, search::limit(query.limit));
        Ok(found.into_iter().cloned().collect())
    }

    async fn append_audit(&self, entry: AuditEntry) -> Result<(), StoreError> {
        self.begin(Operation::AppendAudit)?.audit.push(entry);
        Ok(())
    }

    async fn audit(&self, message: Option<Uuid>) -> Result<Vec<AuditEntry>, StoreError> {
        let kept = self.begin(Operation::Read)?;
        let entries = kept.audit.iter().rev();
        let matching = entries.filter(|entry| message.is_none() || entry.message == message);
        let limit = if message.is_some() {
            super::LIMIT_MAX
        } else {
            search::limit(0)
        };
        Ok(matching.take(limit as usize).cloned().collect())
    }

    async fn totals(&self) -> Result<Totals, StoreError> {
        let kept = self.begin(Operation::Read)?;
        let held = || {
            let states = [State::Held, State::Undelivered];
            kept.messages
                .iter()
                .filter(move |kept| states.contains(&kept.custody.state))
        };
        let mut by_category: BTreeMap<&str, u64> = BTreeMap::new();
        for message in held() {
            *by_category.entry(&message.message.category).or_default() += 1;
        }
        Ok(Totals {
            held_by_category: by_category
                .into_iter()
                .map(|(category, count)| (category.to_owned(), count))
                .collect(),
            on_hold: kept.messages.iter().filter(|kept| kept.custody.on_hold).count() as u64,
            undelivered: held().filter(|kept| kept.custody.state == State::Undelivered).count() as u64,
            bytes: held().map(|kept| kept.size).sum(),
            oldest: held().map(|kept| kept.message.received).min(),
            history_entries: kept.history.len() as u64,
        })
    }

    async fn hold(&self, id: Uuid, hold: Option<Hold>, audit: AuditEntry) -> Result<(), StoreError> {
        let mut kept = self.begin(Operation::Hold)?;
        let message = kept.find(id)?;
        message.change(|custody| custody.hold(hold.is_some()))?;
        message.message.hold = hold;
        kept.audit.push(audit);
        Ok(())
    }

    async fn decide(&self, id: Uuid, state: State, audit: AuditEntry) -> Result<State, StoreError> {
        let mut kept = self.begin(Operation::Decide)?;
        let state = kept.find(id)?.change(|custody| custody.decide(state))?;
        kept.audit.push(audit);
        Ok(state)
    }

    async fn expire(&self, due: Due) -> Result<u64, StoreError> {
        let mut kept = self.begin(Operation::Expire)?;
        let kept = &mut *kept;
        let count = |kept: &Kept| kept.journal.len() + kept.messages.len() + kept.audit.len() + kept.history.len();
        let before = count(kept);
        let on_hold = || kept.messages.iter().filter(|kept| kept.custody.on_hold);
        let records: HashSet<String> = on_hold().map(|kept| kept.message.event.id.clone()).collect();
        let messages: HashSet<Uuid> = on_hold().map(|kept| kept.message.id).collect();
        let journal = search::nanoseconds(due.journal);
        kept.journal
            .retain(|event| search::received(event) >= journal || records.contains(&event.id));
        let places = kept.journal.iter().enumerate();
        kept.recorded = places.map(|(place, event)| (event.id.clone(), place)).collect();
        kept.messages
            .retain(|kept| kept.message.received >= due.quarantine || !kept.custody.expires());
        kept.audit.retain(|entry| {
            entry.time >= due.audit || entry.message.is_some_and(|message| messages.contains(&message))
        });
        kept.history.retain(|_, known| known.touched >= due.history);
        Ok((before - count(kept)) as u64)
    }

    async fn levers(&self) -> Result<Vec<Lever>, StoreError> {
        Ok(self.begin(Operation::Read)?.levers.values().cloned().collect())
    }

    async fn keep_lever(&self, lever: Lever, audit: AuditEntry) -> Result<(), StoreError> {
        let mut kept = self.begin(Operation::Levers)?;
        kept.levers.insert(lever.what.clone(), lever);
        kept.audit.push(audit);
        Ok(())
    }

    async fn remove_lever(&self, what: What, audit: AuditEntry) -> Result<(), StoreError> {
        let mut kept = self.begin(Operation::Levers)?;
        kept.levers.remove(&what);
        kept.audit.push(audit);
        Ok(())
    }

    async fn history_secret(&self, fresh: [u8; Secret::BYTES]) -> Result<[u8; Secret::BYTES], StoreError> {
        Ok(*self.begin(Operation::Recall)?.secret.get_or_insert(fresh))
    }

    async fn forget(&self, key: Key, recipient: Option<Key>, audit: AuditEntry) -> Result<u64, StoreError> {
        let mut kept = self.begin(Operation::Forget)?;
        let before = kept.history.len();
        kept.history.retain(|known, _| {
            let is_theirs = recipient.as_ref().is_some_and(|recipient| known.ends_in(recipient));
            *known != key && !key.is_above(known) && !is_theirs
        });
        kept.audit.push(audit);
        Ok((before - kept.history.len()) as u64)
    }

    async fn recall(&self, keys: Vec<Key>, beneath: Option<Key>) -> Result<Recalled, StoreError> {
        let kept = self.begin(Operation::Recall)?;
        let below = kept.history.keys();
        let below = below.filter(|key| beneath.as_ref().is_some_and(|above| above.is_above(key)));
        let below = below.take(super::history::BENEATH_MAX + 1).cloned();
        let known = keys.into_iter().chain(below).filter_map(|key| {
            let known = *kept.history.get(&key)?;
            Some((key, known))
        });
        Ok(Recalled {
            known: known.collect(),
            experience: kept.experience,
        })
    }

    async fn learn(&self, lessons: Vec<Lesson>, entries_max: u64) -> Result<Learned, StoreError> {
        let mut kept = self.begin(Operation::Learn)?;
        for lesson in lessons {
            if let Some(id) = lesson.message.map(|id| id.to_string()) {
                if !kept.recorded.contains_key(&id) || !kept.learned.insert(id) {
                    continue;
                }
                kept.experience.take(lesson.is_outbound, lesson.time);
            }
            for change in lesson.changes {
                let known = kept.history.entry(change.key).or_default();
                known.learn(change.adds, lesson.time);
            }
        }
        let mut dropped = 0;
        while kept.history.len() as u64 > entries_max {
            let least = kept
                .history
                .iter()
                .min_by_key(|(_, known)| (known.worth(), known.touched));
            let Some(least) = least.map(|(key, _)| key.clone()) else {
                break;
            };
            kept.history.remove(&least);
            dropped += 1;
        }
        Ok(Learned { dropped })
    }

    async fn close(&self) {
        self.locked().closed = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::{id, message};

    #[tokio::test]
    async fn failures_come_as_asked_and_change_nothing() {
        let store = MemoryStore::default();
        store.fail_next(Operation::Quarantine, 2);
        for _ in 0..2 {
            let failed = store.quarantine(message(1, State::Held, &["a@town.example"])).await;
            assert!(matches!(failed, Err(StoreError::Failed(_))));
            assert_eq!(store.get(id(1)).await.map(|_| ()), Err(StoreError::NotFound));
        }
        let kept = store.quarantine(message(1, State::Held, &["a@town.example"])).await;
        assert_eq!(kept, Ok(id(1)));
        store.fail_next(Operation::Read, 1);
        store.delete(id(1)).await.expect("other operations go on");
        assert!(store.get(id(1)).await.is_err());
        store.get(id(1)).await.expect("only the next one failed");
    }
}
