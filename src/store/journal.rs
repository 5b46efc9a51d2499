//! The way into the journal for mail that isn't quarantined, and into the store's memory of correspondents: records
//! and lessons gather into group commits, so that no message waits for a disk.
//!
//! [`Journal::record`] and [`Journal::learn`] never block and never fail. What doesn't fit, or outlasts a failing store,
//! is dropped and counted; mail goes on. A SIGKILL may lose the last group, never mail.

use super::{Lesson, Store};
use crate::telemetry::{MessageEvent, Telemetry};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;

/// How records are gathered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grouping {
    /// Records that may wait; while the store fails, this is the backlog.
    pub waiting_max: usize,
    /// Records in one commit.
    pub records_max: usize,
    /// How long the first record of a group waits for others.
    pub wait_max: Duration,
    /// How often a group that the store doesn't take is tried before it is dropped.
    pub tries_max: u32,
    /// How long after a failure the group is tried again.
    pub retry_pause: Duration,
}

impl Default for Grouping {
    fn default() -> Self {
        Self {
            waiting_max: 10_000,
            records_max: 200,
            wait_max: Duration::from_millis(200),
            tries_max: 120,
            retry_pause: Duration::from_secs(5),
        }
    }
}

/// The way into the journal. Dropping the last clone commits what waits.
#[derive(Debug, Clone)]
pub struct Journal {
    entries: mpsc::Sender<Entry>,
    shared: Arc<Shared>,
}

impl Journal {
    /// Starts the task that commits, with the default [`Grouping`].
    pub fn start(store: Arc<dyn Store>, telemetry: Telemetry) -> Self {
        Self::start_with(store, telemetry, Grouping::default())
    }

    /// Starts the task that commits.
    pub fn start_with(store: Arc<dyn Store>, telemetry: Telemetry, grouping: Grouping) -> Self {
        let (entries, waiting) = mpsc::channel(grouping.waiting_max.max(1));
        let shared = Arc::new(Shared {
            telemetry,
            dropped: AtomicU64::new(0),
            entries_max: AtomicU64::new(u64::MAX),
            flushes: AtomicUsize::new(0),
            hurry: Notify::new(),
        });
        let task = Task {
            store,
            grouping,
            shared: Arc::clone(&shared),
        };
        tokio::spawn(task.run(waiting));
        Self { entries, shared }
    }

    /// Has a message recorded, soon. Never blocks; a record that finds no room is dropped and counted.
    pub fn record(&self, event: MessageEvent) {
        if self.entries.try_send(Entry::Record(Box::new(event))).is_err() {
            self.shared.drop_records(1);
        }
    }

    /// Has the store learn from a message, soon, after its record, and remember at most so many entries. Never blocks; a
    /// lesson that finds no room is dropped and counted.
    pub fn learn(&self, lesson: Lesson, entries_max: u64) {
        self.shared.entries_max.store(entries_max, Ordering::Relaxed);
        if self.entries.try_send(Entry::Learn(Box::new(lesson))).is_err() {
            self.shared.telemetry.history_dropped(1);
        }
    }

    /// Commits everything recorded before this call. While anyone waits here a failing store is
    /// asked once more for each group and then no longer: a drain must end.
    pub async fn flush(&self) {
        let (answer, answered) = oneshot::channel();
        let _hurry = Hurry::begin(&self.shared);
        if self.entries.send(Entry::Flush(answer)).await.is_ok() {
            // An error says that the task has ended, and all that waited with it.
            answered.await.ok();
        }
    }

    /// How many records were dropped since the start.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
enum Entry {
    Record(Box<MessageEvent>),
    Learn(Box<Lesson>),
    Flush(oneshot::Sender<()>),
}

#[derive(Debug)]
struct Shared {
    telemetry: Telemetry,
    dropped: AtomicU64,
    /// Entries that the store may remember, as last said.
    entries_max: AtomicU64,
    /// Callers waiting in [`Journal::flush`].
    flushes: AtomicUsize,
    /// Ends a pause between tries when a caller begins to wait.
    hurry: Notify,
}

impl Shared {
    fn drop_records(&self, count: usize) {
        self.dropped.fetch_add(count as u64, Ordering::Relaxed);
        self.telemetry.journal_dropped(count as u64);
    }

    fn is_hurried(&self) -> bool {
        self.flushes.load(Ordering::SeqCst) > 0
    }
}

/// Held by a caller of [`Journal::flush`], who may stop waiting at any time.
struct Hurry<'s>(&'s Shared);

impl<'s> Hurry<'s> {
    fn begin(shared: &'s Shared) -> Self {
        shared.flushes.fetch_add(1, Ordering::SeqCst);
        shared.hurry.notify_one();
        Self(shared)
    }
}

impl Drop for Hurry<'_> {
    fn drop(&mut self) {
        self.0.flushes.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What is committed together.
#[derive(Debug, Default)]
struct Group {
    records: Vec<MessageEvent>,
    lessons: Vec<Lesson>,
}

struct Task {
    store: Arc<dyn Store>,
    grouping: Grouping,
    shared: Arc<Shared>,
}

impl Task {
    async fn run(self, mut waiting: mpsc::Receiver<Entry>) {
        while let Some(first) = waiting.recv().await {
            let (group, flush) = self.gather(first, &mut waiting).await;
            self.commit(group.records).await;
            // Only what is recorded is learned, so that it is learned once.
            self.learn(group.lessons).await;
            if let Some(answer) = flush {
                answer.send(()).ok();
            }
        }
    }

    /// Gathers a group: until it is full, the wait is over, or somebody wants it written.
    async fn gather(&self, first: Entry, waiting: &mut mpsc::Receiver<Entry>) -> (Group, Option<oneshot::Sender<()>>) {
        let end = Instant::now() + self.grouping.wait_max;
        let mut group = Group::default();
        let mut next = Some(first);
        loop {
            match next {
                Some(Entry::Record(event)) => group.records.push(*event),
                Some(Entry::Learn(lesson)) => group.lessons.push(*lesson),
                Some(Entry::Flush(answer)) => return (group, Some(answer)),
                None => return (group, None),
            }
            if group.records.len().max(group.lessons.len()) >= self.grouping.records_max {
                return (group, None);
            }
            next = match tokio::time::timeout_at(end, waiting.recv()).await {
                Ok(entry) => entry,
                Err(_) => return (group, None),
            };
        }
    }

    /// Once: correspondents write again, and records wait behind.
    async fn learn(&self, lessons: Vec<Lesson>) {
        if lessons.is_empty() {
            return;
        }
        let count = lessons.len() as u64;
        let entries_max = self.shared.entries_max.load(Ordering::Relaxed);
        match self.store.learn(lessons, entries_max).await {
            Ok(learned) => self.shared.telemetry.history_evicted(learned.dropped),
            Err(_) => self.shared.telemetry.history_dropped(count),
        }
    }

    async fn commit(&self, group: Vec<MessageEvent>) {
        if group.is_empty() {
            return;
        }
        let mut tries = 0;
        loop {
            tries += 1;
            let hurried = self.shared.is_hurried();
            // Appending is idempotent by id: a group whose failed commit was durable after all
            // stays single.
            if self.store.append_journal(&group).await.is_ok() {
                return;
            }
            if hurried || tries >= self.grouping.tries_max {
                self.shared.drop_records(group.len());
                return;
            }
            let pause = tokio::time::sleep(self.grouping.retry_pause);
            tokio::select! {
                biased;
                () = self.shared.hurry.notified() => {}
                () = pause => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::event;
    use crate::store::memory::Operation;
    use crate::store::{JournalQuery, MemoryStore, SqliteStore};

    const FAST: Grouping = Grouping {
        waiting_max: 8,
        records_max: 4,
        wait_max: Duration::from_millis(200),
        tries_max: 3,
        retry_pause: Duration::from_secs(5),
    };

    async fn numbers(store: &dyn Store) -> Vec<u128> {
        let query = JournalQuery {
            limit: 1_000,
            ..JournalQuery::default()
        };
        let found = store.search_journal(query).await.expect("searched");
        let ids = found.iter().rev().map(|record| record.id.parse::<uuid::Uuid>());
        ids.map(|id| id.expect("an id").as_u128()).collect()
    }

    fn record(journal: &Journal, numbers: std::ops::Range<u128>) {
        for number in numbers {
            journal.record(event(number, i64::try_from(number).expect("small")));
        }
    }

    /// Lets the task do what it can without time passing.
    async fn settle() {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_group_is_committed_at_once_and_others_when_their_time_is_up() {
        let store = Arc::new(MemoryStore::default());
        let journal = Journal::start_with(store.clone(), Telemetry::default(), FAST);
        record(&journal, 0..3);
        settle().await;
        assert_eq!(numbers(&*store).await, [0_u128; 0], "three of four wait");
        record(&journal, 3..5);
        settle().await;
        assert_eq!(numbers(&*store).await, [0, 1, 2, 3], "the fifth waits");
        tokio::time::sleep(FAST.wait_max - Duration::from_millis(1)).await;
        assert_eq!(numbers(&*store).await.len(), 4);
        tokio::time::sleep(Duration::from_millis(2)).await;
        assert_eq!(numbers(&*store).await.len(), 5);
        assert_eq!(journal.dropped(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_flush_commits_all_that_came_before() {
        let store = Arc::new(MemoryStore::default());
        let journal = Journal::start_with(store.clone(), Telemetry::default(), FAST);
        record(&journal, 0..7);
        journal.flush().await;
        assert_eq!(numbers(&*store).await, (0..7).collect::<Vec<_>>());
        journal.flush().await;
        drop(journal);
    }

    #[tokio::test(start_paused = true)]
    async fn what_finds_no_room_is_dropped_and_counted() {
        for (recorded, dropped) in [(7, 0), (8, 0), (9, 1), (20, 12)] {
            let store = Arc::new(MemoryStore::default());
            let journal = Journal::start_with(store.clone(), Telemetry::default(), FAST);
            // The task hasn't run yet, so all of these wait.
            record(&journal, 0..recorded);
            assert_eq!(journal.dropped(), dropped, "{recorded} recorded");
            journal.flush().await;
            assert_eq!(numbers(&*store).await, (0..recorded.min(8)).collect::<Vec<_>>());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_failing_store_is_asked_again_and_nothing_is_lost() {
        let store = Arc::new(MemoryStore::default());
        let journal = Journal::start_with(store.clone(), Telemetry::default(), FAST);
        store.fail_next(Operation::AppendJournal, 2);
        record(&journal, 0..6);
        tokio::time::sleep(FAST.retry_pause * 3).await;
        assert_eq!(numbers(&*store).await, (0..6).collect::<Vec<_>>());
        assert_eq!(journal.dropped(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_group_that_was_tried_enough_is_dropped_and_the_next_goes_on() {
        for (failures, dropped) in [(2, 0), (3, 4), (4, 4)] {
            let store = Arc::new(MemoryStore::default());
            let journal = Journal::start_with(store.clone(), Telemetry::default(), FAST);
            store.fail_next(Operation::AppendJournal, failures);
            record(&journal, 0..6);
            tokio::time::sleep(FAST.retry_pause * 10).await;
            assert_eq!(journal.dropped(), dropped, "{failures} failures");
            assert_eq!(
                numbers(&*store).await.len(),
                6 - usize::try_from(dropped).expect("small")
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_flush_ends_though_the_store_keeps_failing() {
        let store = Arc::new(MemoryStore::default());
        let journal = Journal::start_with(store.clone(), Telemetry::default(), FAST);
        store.fail_next(Operation::AppendJournal, usize::MAX);
        record(&journal, 0..6);
        settle().await;
        let begun = Instant::now();
        journal.flush().await;
        assert!(begun.elapsed() < FAST.retry_pause, "it doesn't sit out the pause");
        assert_eq!(journal.dropped(), 6);
        store.fail_next(Operation::AppendJournal, 0);
        record(&journal, 6..8);
        journal.flush().await;
        assert_eq!(numbers(&*store).await, [6, 7]);
    }

    #[tokio::test]
    async fn what_waits_when_the_last_handle_goes_is_committed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let opened = SqliteStore::open(folder.path().join("store.db"), Telemetry::default()).await;
        let store = Arc::new(opened.expect("opens"));
        let journal = Journal::start(store.clone(), Telemetry::default());
        let other = journal.clone();
        record(&journal, 0..600);
        drop(journal);
        record(&other, 600..601);
        drop(other);
        while numbers(&*store).await.len() < 601 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
