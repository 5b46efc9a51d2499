//! The way into the journal for mail that isn't quarantined: records gather into group commits, so
//! that no message waits for a disk.
//!
//! [`Journal::record`] never blocks and never fails. What doesn't fit, or outlasts a failing store,
//! is dropped and counted; mail goes on. A SIGKILL may lose the last group, never mail.

use super::Store;
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
            records_max: 500,
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
    Flush(oneshot::Sender<()>),
}

#[derive(Debug)]
struct Shared {
    telemetry: Telemetry,
    dropped: AtomicU64,
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

struct Task {
    store: Arc<dyn Store>,
    grouping: Grouping,
    shared: Arc<Shared>,
}

impl Task {
    async fn run(self, mut waiting: mpsc::Receiver<Entry>) {
        while let Some(first) = waiting.recv().await {
            let (group, flush) = self.gather(first, &mut waiting).await;
            self.commit(group).await;
            if let Some(answer) = flush {
                answer.send(()).ok();
            }
        }
    }

    /// Gathers a group: until it is full, the wait is over, or somebody wants it written.
    async fn gather(
        &self,
        first: Entry,
        waiting: &mut mpsc::Receiver<Entry>,
    ) -> (Vec<MessageEvent>, Option<oneshot::Sender<()>>) {
        let end = Instant::now() + self.grouping.wait_max;
        let mut group = Vec::new();
        let mut next = Some(first);
        loop {
            match next {
                Some(Entry::Record(event)) => group.push(*event),
                Some(Entry::Flush(answer)) => return (group, Some(answer)),
                None => return (group, None),
            }
            if group.len() >= self.grouping.records_max {
                return (group, None);
            }
            next = match tokio::time::timeout_at(end, waiting.recv()).await {
                Ok(entry) => entry,
                Err(_) => return (group, None),
            };
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
            if self.store.append_journal(group.clone()).await.is_ok() {
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
