//! What an error means for the store: whether it is the caller's, passing, or says that the file
//! can't be trusted, which closes the store until it was reopened and verified.
//!
//! Readers and the writer share one [`Latch`]. Knows nothing of what was being stored.

use super::StoreError;
use crate::telemetry::Telemetry;
use sqlx::pool::PoolConnection;
use sqlx::{Sqlite, SqlitePool};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Why a piece of work was not done.
#[derive(Debug)]
pub(super) enum Failure {
    /// The message's state or the caller's names don't allow it.
    Refused(StoreError),
    /// SQLite, or the connection to it, failed.
    Database(sqlx::Error),
    /// A row doesn't read as this version wrote it.
    Damaged(String),
    /// The file itself can't be used.
    Unusable(String),
    /// Latched earlier, and not yet open again.
    Latched(String),
    /// Nobody writes any more.
    Closed,
}

impl From<StoreError> for Failure {
    fn from(refused: StoreError) -> Self {
        Self::Refused(refused)
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refused) => refused,
            Failure::Database(error) => Self::Failed(error.to_string()),
            Failure::Damaged(why) | Failure::Unusable(why) | Failure::Latched(why) => Self::Failed(why),
            Failure::Closed => Self::Failed("the store is closed".to_owned()),
        }
    }
}

impl Failure {
    /// Whether nothing may be written until the file was reopened and verified.
    ///
    /// After a failed fsync the kernel may have dropped the very pages it failed on, and says so
    /// only once; so whatever isn't known to be harmless counts.
    fn latches(&self) -> bool {
        match self {
            Self::Refused(_) | Self::Damaged(_) | Self::Latched(_) | Self::Closed => false,
            Self::Unusable(_) => true,
            Self::Database(sqlx::Error::Database(error)) => {
                let code = error.code().and_then(|code| code.parse::<u32>().ok());
                !code.is_some_and(|code| HARMLESS.contains(&(code & 0xff)))
            }
            Self::Database(
                sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::RowNotFound
                | sqlx::Error::ColumnNotFound(_)
                | sqlx::Error::ColumnIndexOutOfBounds { .. }
                | sqlx::Error::ColumnDecode { .. }
                | sqlx::Error::Decode(_)
                | sqlx::Error::Encode(_),
            ) => false,
            Self::Database(_) => true,
        }
    }
}

/// Primary result codes (<https://www.sqlite.org/rescode.html>) that say nothing of the file:
/// ERROR, BUSY, LOCKED, INTERRUPT, TOOBIG, CONSTRAINT, MISMATCH.
const HARMLESS: [u32; 7] = [1, 5, 6, 9, 18, 19, 20];

/// How long reads that have begun may go on when everything is to be closed.
const READS_END: Duration = Duration::from_secs(5);

/// Shut by the first error that puts the file in doubt; opened by the writer, once it has reopened
/// and verified it.
#[derive(Debug)]
pub(super) struct Latch {
    /// The database.
    pub(super) path: PathBuf,
    telemetry: Telemetry,
    reopen_pause: Duration,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    readers: SqlitePool,
    shut: Option<Shut>,
}

#[derive(Debug)]
struct Shut {
    why: String,
    retry_at: Instant,
}

/// What the writer may do.
#[derive(Debug)]
pub(super) enum Gate {
    /// Write.
    Open,
    /// Reopen, then write.
    TryAgain,
    /// Nothing yet.
    Shut(Failure),
}

impl Latch {
    /// An open one.
    pub(super) fn new(path: PathBuf, readers: SqlitePool, telemetry: Telemetry, reopen_pause: Duration) -> Self {
        Self {
            path,
            telemetry,
            reopen_pause,
            inner: Mutex::new(Inner { readers, shut: None }),
        }
    }

    /// A connection that only reads.
    pub(super) async fn reader(&self) -> Result<PoolConnection<Sqlite>, Failure> {
        let readers = self.inner().readers.clone();
        Ok(readers.acquire().await?)
    }

    /// What the writer may do now.
    pub(super) fn gate(&self) -> Gate {
        match &self.inner().shut {
            None => Gate::Open,
            Some(shut) if Instant::now() >= shut.retry_at => Gate::TryAgain,
            Some(shut) => Gate::Shut(Failure::Latched(shut.why.clone())),
        }
    }

    /// Why it is shut, if it is.
    pub(super) fn trouble(&self) -> Option<String> {
        self.inner().shut.as_ref().map(|shut| shut.why.clone())
    }

    /// Shuts the store if this failure says so.
    pub(super) fn close_on(&self, failure: &Failure) {
        if !failure.latches() {
            return;
        }
        let why = match failure {
            Failure::Database(error) => error.to_string(),
            Failure::Unusable(why) => why.clone(),
            other => format!("{other:?}"),
        };
        self.telemetry.warning(
            "store-latched",
            &format!("nothing is stored until the database was reopened and verified: {why}"),
        );
        self.inner().shut = Some(Shut {
            why: format!("shut after an error: {why}"),
            retry_at: Instant::now() + self.reopen_pause,
        });
    }

    /// Opens the store again, on readers of the file as it was just verified.
    pub(super) fn reopen(&self, readers: SqlitePool) {
        let mut inner = self.inner();
        inner.readers = readers;
        inner.shut = None;
        drop(inner);
        self.telemetry
            .notice("store-reopened", "the database was reopened and verified");
    }

    /// Ends all reading; what has begun is waited for, within reason.
    pub(super) async fn close_readers(&self) {
        let readers = self.inner().readers.clone();
        tokio::time::timeout(READS_END, readers.close()).await.ok();
    }

    /// Counts a failure of the store's; a refusal is none.
    pub(super) fn counted<T>(&self, operation: &'static str, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(StoreError::Failed(why)) = &result {
            self.telemetry.store_error(operation, why);
        }
        result
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
