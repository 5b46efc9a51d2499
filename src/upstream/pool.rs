//! The connections to one target: so many at once and no more, and the idle ones kept for a while.
//!
//! Lends connections and takes them back. An idle connection holds no slot, yet there are never
//! more connections than slots: whoever has a slot takes an idle one before making one. Knows
//! nothing of what is said over them, nor how they are made.

use super::connection::Connection;
use super::events::Events;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

/// The connections to one target.
pub(super) struct Pool {
    slots: Arc<Semaphore>,
    /// How many wait for a slot.
    waiting: AtomicUsize,
    /// The one last used stands last.
    idle: Mutex<Vec<Idle>>,
    idle_max: Duration,
    messages_max: usize,
    events: Arc<Events>,
}

struct Idle {
    connection: Box<Connection>,
    since: Instant,
}

/// The right to one connection.
pub(super) struct Slot {
    pool: Arc<Pool>,
    _permit: OwnedSemaphorePermit,
}

/// One who waits for a slot, counted as long as it lives.
struct Waiting<'p>(&'p AtomicUsize);

/// A connection on loan. Dropped, it is closed: only who gives it back vouches for it.
pub(super) struct Lease {
    pub(super) connection: Box<Connection>,
    slot: Slot,
}

impl Pool {
    pub(super) fn new(connections: usize, messages_max: usize, idle_max: Duration, events: Arc<Events>) -> Arc<Self> {
        Arc::new(Self {
            slots: Arc::new(Semaphore::new(connections)),
            waiting: AtomicUsize::new(0),
            idle: Mutex::default(),
            idle_max,
            messages_max,
            events,
        })
    }

    /// Waits for a slot; `None` when none came free in time.
    pub(super) async fn slot(self: &Arc<Self>, patience: Duration) -> Option<Slot> {
        let permit = if let Ok(permit) = Arc::clone(&self.slots).try_acquire_owned() {
            permit
        } else {
            let _waiting = Waiting::new(&self.waiting);
            timeout(patience, Arc::clone(&self.slots).acquire_owned())
                .await
                .ok()?
                .ok()?
        };
        self.events.moved(0, 1);
        Some(Slot {
            pool: Arc::clone(self),
            _permit: permit,
        })
    }

    /// Closes what has been idle for too long, or `all` that is idle.
    pub(super) async fn prune(&self, all: bool) {
        let now = Instant::now();
        let gone: Vec<Idle> = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.extract_if(.., |idle| all || now.duration_since(idle.since) >= self.idle_max)
                .collect()
        };
        self.events.moved(-count(gone.len()), 0);
        for idle in gone {
            idle.connection.quit().await;
        }
    }

    fn pop(&self) -> Option<Idle> {
        let popped = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if popped.is_some() {
            self.events.moved(-1, 0);
        }
        popped
    }

    fn push(&self, connection: Box<Connection>) {
        let since = Instant::now();
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Idle { connection, since });
        self.events.moved(1, 0);
    }
}

impl<'p> Waiting<'p> {
    fn new(count: &'p AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Slot {
    /// An idle connection that is fit for use. Unfit ones that turn up on the way are closed.
    pub(super) async fn idle(&self) -> Option<Box<Connection>> {
        while let Some(mut idle) = self.pool.pop() {
            if idle.since.elapsed() < self.pool.idle_max && idle.connection.is_quiet().await {
                return Some(idle.connection);
            }
        }
        None
    }

    /// Lends `connection` under this slot.
    pub(super) fn lend(self, connection: Box<Connection>) -> Lease {
        Lease { connection, slot: self }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.pool.events.moved(0, -1);
    }
}

impl Lease {
    /// Whether others wait for a connection to this target.
    pub(super) fn is_waited_for(&self) -> bool {
        self.slot.pool.waiting.load(Ordering::Relaxed) > 0
    }

    /// Gives the connection back if it may serve anybody again, and closes it otherwise.
    pub(super) fn give_back(self) {
        let Self { connection, slot } = self;
        if !connection.is_reusable() {
            return;
        }
        if connection.is_anyones() && connection.messages < slot.pool.messages_max {
            slot.pool.push(connection);
            // Only now is the slot free: the next to have it must find this connection.
            drop(slot);
        } else if let Ok(runtime) = Handle::try_current() {
            // Its server gets a goodbye, and only then is the slot free.
            runtime.spawn(async move {
                connection.quit().await;
                drop(slot);
            });
        }
    }
}

fn count(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}
