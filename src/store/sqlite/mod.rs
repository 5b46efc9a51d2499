//! The store in one SQLite file: WAL, `synchronous=FULL`, one writer, a few readers.
//!
//! Every change goes through `writer`, which alone begins transactions that write; reads have
//! connections of their own and never wait for it. An I/O error latches the store until it
//! was reopened and verified. Knows nothing of what may become of a message: `custody` decides.

mod audit;
mod file;
mod history;
mod latch;
mod levers;
mod messages;
mod records;
mod schema;
#[cfg(test)]
mod tests;
mod writer;

use super::{
    AuditEntry, Claim, Due, Hold, JournalQuery, Learned, Lesson, OpenError, QuarantineQuery, Quarantined, Recalled,
    ReleaseOutcome, State, Store, StoreError, Summary, Totals, search,
};
use crate::compute::Compute;
use crate::evidence::{Key, Secret};
use crate::telemetry::{MessageEvent, Telemetry};
use crate::verdict::Lever;
use crate::verdict::lever::What;
use async_trait::async_trait;
use latch::{Failure, Latch};
use messages::Packed;
use sqlx::SqliteConnection;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;
use writer::{Working, Writer};

/// Bodies up to this size are packed on the caller's own thread: it takes less than a moment.
const PACKED_INLINE_BYTES_MAX: usize = 64 * 1024;

/// How long a latched store refuses everything before it tries to reopen.
const REOPEN_PAUSE: Duration = Duration::from_secs(5);

/// Everything that [`Store`] keeps, in one SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    writer: Writer,
    latch: Arc<Latch>,
    packing: Compute,
}

impl SqliteStore {
    /// Opens the database, creating file (0600) and folders (0700) where there are none, and brings
    /// its schema up to date.
    ///
    /// # Errors
    /// [`OpenError`] when the file can't be used: by permission, damage, or a newer version.
    pub async fn open(path: impl Into<PathBuf>, telemetry: Telemetry) -> Result<Self, OpenError> {
        Self::open_with(path.into(), telemetry, REOPEN_PAUSE).await
    }

    async fn open_with(path: PathBuf, telemetry: Telemetry, reopen_pause: Duration) -> Result<Self, OpenError> {
        file::prepare(&path)?;
        let opened = file::open(&path).await?;
        let latch = Arc::new(Latch::new(path, opened.readers, telemetry, reopen_pause));
        let writer = Writer::start(opened.writer, Arc::clone(&latch));
        Ok(Self {
            writer,
            latch,
            packing: Compute::pool(),
        })
    }

    /// Has the writer make one change; counts it when it failed.
    async fn change<T, F>(&self, operation: &'static str, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> Working<'c, T> + Send + 'static,
    {
        self.latch.counted(operation, self.writer.run(work).await)
    }

    /// Removes in batches, each its own transaction, so that mail never waits long behind them.
    async fn in_batches<F>(&self, at_once: u64, work: F) -> Result<u64, StoreError>
    where
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> Working<'c, u64> + Send + Copy + 'static,
    {
        let mut gone = 0;
        loop {
            let batch = self.change("expire", work).await?;
            gone += batch;
            if batch < at_once {
                return Ok(gone);
            }
        }
    }

    /// Counts a read that failed, and latches the store when the file is to blame.
    fn read<T>(&self, operation: &'static str, result: Result<T, Failure>) -> Result<T, StoreError> {
        if let Err(failure) = &result {
            self.latch.close_on(failure);
        }
        self.latch.counted(operation, result.map_err(StoreError::from))
    }

    async fn fetch(&self, id: Uuid) -> Result<Quarantined, Failure> {
        let mut reader = self.latch.reader().await?;
        let packed = messages::fetch(&mut reader, id).await?;
        drop(reader);
        if packed.size <= PACKED_INLINE_BYTES_MAX as u64 {
            return packed.unpack();
        }
        self.off_the_loop(move || packed.unpack()).await
    }

    /// Packs or unpacks a body that takes more than a moment.
    async fn off_the_loop<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let done = self.packing.run(work).await;
        done.unwrap_or_else(|_| Err(Failure::Damaged("packing a body was interrupted".to_owned())))
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn quarantine(&self, message: Quarantined) -> Result<Uuid, StoreError> {
        let packed = if message.body.len() <= PACKED_INLINE_BYTES_MAX {
            Packed::pack(message)
        } else {
            self.off_the_loop(move || Packed::pack(message)).await
        };
        let packed = self.read("quarantine", packed)?;
        self.change("quarantine", move |connection| {
            Box::pin(messages::insert(connection, packed))
        })
        .await
    }

    async fn settle(&self, id: Uuid, state: State, event: Option<MessageEvent>) -> Result<(), StoreError> {
        let row = event.as_ref().map(records::Row::of).transpose();
        let row = self.read("settle", row)?;
        self.change("settle", move |connection| {
            Box::pin(messages::settle(connection, id, state, row))
        })
        .await
    }

    async fn list(&self, query: QuarantineQuery) -> Result<Vec<Summary>, StoreError> {
        let found = async { messages::list(&mut *self.latch.reader().await?, &query).await };
        self.read("list", found.await)
    }

    async fn get(&self, id: Uuid) -> Result<Quarantined, StoreError> {
        self.read("get", self.fetch(id).await)
    }

    async fn claim(&self, id: Uuid, recipients: &[String]) -> Result<Claim, StoreError> {
        // Read and unpacked first: a body that can't be had must not leave a claim behind. It
        // never changes once kept, and a message deleted meanwhile can't be claimed.
        let mut message = self.get(id).await?;
        let names = recipients.to_vec();
        let (claimed, remaining) = self
            .change("claim", move |connection| {
                Box::pin(messages::change(connection, id, move |custody| {
                    Ok((custody.claim(&names)?, custody.remaining()))
                }))
            })
            .await?;
        message.state = State::ReleaseUnknown;
        message.envelope.recipients = claimed;
        Ok(Claim { message, remaining })
    }

    async fn settle_release(&self, id: Uuid, recipients: &[String], outcome: ReleaseOutcome) -> Result<(), StoreError> {
        let names = recipients.to_vec();
        self.change("settle_release", move |connection| {
            Box::pin(messages::change(connection, id, move |custody| {
                custody.settle_release(&names, outcome)
            }))
        })
        .await
    }

    async fn delete(&self, id: Uuid) -> Result<(), StoreError> {
        self.change("delete", move |connection| {
            Box::pin(messages::change(connection, id, super::custody::Custody::delete))
        })
        .await
    }

    async fn append_journal(&self, events: &[MessageEvent]) -> Result<(), StoreError> {
        let mut rows = Vec::with_capacity(events.len());
        for few in events.chunks(16) {
            let few = few.iter().map(records::Row::of).collect::<Result<Vec<_>, _>>();
            rows.extend(self.read("append_journal", few)?);
            // Mail on the same thread needn't wait for all of them.
            tokio::task::yield_now().await;
        }
        self.change("append_journal", move |connection| {
            Box::pin(records::append(connection, rows))
        })
        .await
    }

    async fn search_journal(&self, query: JournalQuery) -> Result<Vec<MessageEvent>, StoreError> {
        let found = async { records::search(&mut *self.latch.reader().await?, &query).await };
        self.read("search_journal", found.await)
    }

    async fn append_audit(&self, entry: AuditEntry) -> Result<(), StoreError> {
        self.change("append_audit", move |connection| {
            Box::pin(audit::append(connection, entry))
        })
        .await
    }

    async fn audit(&self, message: Option<Uuid>) -> Result<Vec<AuditEntry>, StoreError> {
        let found = async { audit::newest(&mut *self.latch.reader().await?, message).await };
        self.read("audit", found.await)
    }

    async fn totals(&self) -> Result<Totals, StoreError> {
        let counted = async { messages::totals(&mut *self.latch.reader().await?).await };
        self.read("totals", counted.await)
    }

    fn trouble(&self) -> Option<String> {
        self.latch.trouble()
    }

    async fn hold(&self, id: Uuid, hold: Option<Hold>, audit: AuditEntry) -> Result<(), StoreError> {
        self.change("hold", move |connection| {
            Box::pin(async move {
                messages::hold(connection, id, hold).await?;
                audit::append(connection, audit).await
            })
        })
        .await
    }

    async fn decide(&self, id: Uuid, state: State, audit: AuditEntry) -> Result<State, StoreError> {
        self.change("settle", move |connection| {
            Box::pin(async move {
                let state = messages::change(connection, id, move |custody| custody.decide(state)).await?;
                audit::append(connection, audit).await?;
                Ok(state)
            })
        })
        .await
    }

    async fn expire(&self, due: Due) -> Result<u64, StoreError> {
        let due = [due.journal, due.quarantine, due.audit, due.history];
        let [journal, quarantine, audit, history] = due.map(search::nanoseconds);
        let mut gone = 0;
        // Mail goes before what tells of it.
        gone += self
            .in_batches(messages::EXPIRED_AT_ONCE, move |connection| {
                Box::pin(messages::expire(connection, quarantine))
            })
            .await?;
        gone += self
            .in_batches(records::EXPIRED_AT_ONCE, move |connection| {
                Box::pin(records::expire(connection, journal))
            })
            .await?;
        gone += self
            .in_batches(audit::EXPIRED_AT_ONCE, move |connection| {
                Box::pin(audit::expire(connection, audit))
            })
            .await?;
        gone += self
            .in_batches(history::EXPIRED_AT_ONCE, move |connection| {
                Box::pin(history::expire(connection, history))
            })
            .await?;
        Ok(gone)
    }

    async fn levers(&self) -> Result<Vec<Lever>, StoreError> {
        let found = async { levers::all(&mut *self.latch.reader().await?).await };
        self.read("levers", found.await)
    }

    async fn keep_lever(&self, lever: Lever, audit: AuditEntry) -> Result<(), StoreError> {
        self.change("levers", move |connection| {
            Box::pin(async move {
                levers::keep(connection, lever).await?;
                audit::append(connection, audit).await
            })
        })
        .await
    }

    async fn remove_lever(&self, what: What, audit: AuditEntry) -> Result<(), StoreError> {
        self.change("levers", move |connection| {
            Box::pin(async move {
                levers::remove(connection, &what).await?;
                audit::append(connection, audit).await
            })
        })
        .await
    }

    async fn history_secret(&self, fresh: [u8; Secret::BYTES]) -> Result<[u8; Secret::BYTES], StoreError> {
        self.change("recall", move |connection| Box::pin(history::secret(connection, fresh)))
            .await
    }

    async fn forget(&self, key: Key, recipient: Option<Key>, audit: AuditEntry) -> Result<u64, StoreError> {
        self.change("forget", move |connection| {
            Box::pin(async move {
                let gone = history::forget(connection, &key, recipient.as_ref()).await?;
                audit::append(connection, audit).await?;
                Ok(gone)
            })
        })
        .await
    }

    async fn recall(&self, keys: Vec<Key>, beneath: Option<Key>) -> Result<Recalled, StoreError> {
        let found = async { history::recall(&mut *self.latch.reader().await?, &keys, beneath.as_ref()).await };
        self.read("recall", found.await)
    }

    async fn learn(&self, lessons: Vec<Lesson>, entries_max: u64) -> Result<Learned, StoreError> {
        self.change("learn", move |connection| {
            Box::pin(history::learn(connection, lessons, entries_max))
        })
        .await
    }

    async fn close(&self) {
        self.writer.close().await;
    }
}
