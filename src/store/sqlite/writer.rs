//! The one task that writes: takes changes from a bounded queue, each in a transaction that begins
//! IMMEDIATE, and answers once it is durable.
//!
//! A change that was taken runs to its end whether or not its caller still waits: a commit that
//! "timed out" may hold, so nothing may stop it half way. Knows nothing of what is written.

use super::StoreError;
use super::file::{self, Identity, OpenWriter};
use super::latch::{Failure, Gate, Latch};
use async_trait::async_trait;
use sqlx::{Connection, SqliteConnection};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Changes that may wait for the writer; more callers wait for room.
const QUEUE_LENGTH: usize = 64;

/// A change under way on the writer's connection.
pub(super) type Working<'c, T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'c>>;

/// The way to the writer's task. The task ends when this is dropped, after what was queued.
#[derive(Debug)]
pub(super) struct Writer {
    queue: mpsc::Sender<Request>,
}

impl Writer {
    /// Starts the task on a connection that was just verified.
    pub(super) fn start(opened: OpenWriter, latch: Arc<Latch>) -> Self {
        let (queue, requests) = mpsc::channel(QUEUE_LENGTH);
        let task = Task {
            connection: Some(opened.connection),
            identity: opened.identity,
            latch,
        };
        tokio::spawn(task.run(requests));
        Self { queue }
    }

    /// Makes one change; returns when it is durable, or was not made.
    pub(super) async fn run<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> Working<'c, T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let change = Change {
            work: Some(work),
            value: None,
            answer,
        };
        let queued = self.queue.send(Request::Change(Box::new(change))).await;
        queued.map_err(|_| Failure::Closed)?;
        answered.await.map_err(|_| Failure::Closed)?
    }

    /// Lets what is queued finish, then closes every connection.
    pub(super) async fn close(&self) {
        let (answer, answered) = oneshot::channel();
        if self.queue.send(Request::Close(answer)).await.is_ok() {
            // An error says that the task has ended: closed all the same.
            answered.await.ok();
        }
    }

    /// How many changes wait.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        QUEUE_LENGTH - self.queue.capacity()
    }
}

enum Request {
    Change(Box<dyn Job>),
    Close(oneshot::Sender<()>),
}

/// A change of whatever type, as the task sees it.
#[async_trait]
trait Job: Send {
    /// Does the work, inside the transaction.
    async fn apply(&mut self, connection: &mut SqliteConnection) -> Result<(), Failure>;
    /// Tells the caller, after the transaction.
    fn answer(self: Box<Self>, done: Result<(), Failure>);
}

struct Change<T, F> {
    work: Option<F>,
    value: Option<T>,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

#[async_trait]
impl<T, F> Job for Change<T, F>
where
    T: Send + 'static,
    F: for<'c> FnOnce(&'c mut SqliteConnection) -> Working<'c, T> + Send + 'static,
{
    async fn apply(&mut self, connection: &mut SqliteConnection) -> Result<(), Failure> {
        if let Some(work) = self.work.take() {
            self.value = Some(work(connection).await?);
        }
        Ok(())
    }

    fn answer(self: Box<Self>, done: Result<(), Failure>) {
        let Self { value, answer, .. } = *self;
        let result = done.and_then(|()| value.ok_or(Failure::Closed));
        // Nobody may be waiting any more; what was done stays done.
        answer.send(result.map_err(StoreError::from)).ok();
    }
}

struct Task {
    /// `None` after it was put away and no other could be had.
    connection: Option<SqliteConnection>,
    identity: Identity,
    latch: Arc<Latch>,
}

impl Task {
    async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let mut closers = Vec::new();
        while let Some(request) = requests.recv().await {
            match request {
                Request::Change(job) => self.carry_out(job).await,
                Request::Close(closer) => {
                    requests.close();
                    closers.push(closer);
                }
            }
        }
        self.latch.close_readers().await;
        // Where that fails there is nothing left to be done, and nobody to tell.
        self.put_away().await.ok();
        for closer in closers {
            closer.send(()).ok();
        }
    }

    async fn carry_out(&mut self, mut job: Box<dyn Job>) {
        let done = match self.ready().await {
            Ok(connection) => transact(connection, job.as_mut()).await,
            Err(failure) => Err(failure),
        };
        if let Err(failure) = &done {
            self.latch.close_on(failure);
        }
        job.answer(done);
    }

    /// The connection, if it may be written to: reopens and verifies the file when its time has come.
    async fn ready(&mut self) -> Result<&mut SqliteConnection, Failure> {
        match self.latch.gate() {
            Gate::Shut(failure) => return Err(failure),
            Gate::TryAgain => {
                self.put_away().await?;
                let opened = file::open(&self.latch.path).await;
                let opened = opened.map_err(|error| Failure::Unusable(error.to_string()))?;
                self.connection = Some(opened.writer.connection);
                self.identity = opened.writer.identity;
                self.latch.reopen(opened.readers);
            }
            Gate::Open => {
                // A commit into a file that was removed or replaced under us would be durable
                // nowhere that anyone will look.
                if self.was_replaced() {
                    self.put_away().await?;
                    return Err(Failure::Unusable(
                        "the database file was removed or replaced".to_owned(),
                    ));
                }
            }
        }
        self.connection.as_mut().ok_or(Failure::Closed)
    }

    fn was_replaced(&self) -> bool {
        Identity::of(&self.latch.path) != Some(self.identity)
    }

    /// Closes the connection, so that another can be opened.
    async fn put_away(&mut self) -> Result<(), Failure> {
        if self.was_replaced()
            && let Some(connection) = &mut self.connection
        {
            // The log at this path is still the old file's, and SQLite would take it for the new
            // one's: what it holds goes where it belongs, and it is emptied. Readers would keep it.
            self.latch.close_readers().await;
            file::empty_log(connection).await.map_err(|error| {
                Failure::Unusable(format!(
                    "the log of the database that was replaced can't be emptied: {error}"
                ))
            })?;
        }
        // Readers of a file that is still there go on until new ones take their place.
        self.drop_connection().await;
        Ok(())
    }

    async fn drop_connection(&mut self) {
        if let Some(connection) = self.connection.take() {
            // It may well fail on a bad file, which is why it is being dropped.
            connection.close().await.ok();
        }
    }
}

async fn transact(connection: &mut SqliteConnection, job: &mut dyn Job) -> Result<(), Failure> {
    // Dropped before its commit, a transaction rolls back ahead of whatever comes next.
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    job.apply(&mut transaction).await?;
    transaction.commit().await?;
    Ok(())
}
