//! Blocking work on a bounded pool: one permit a core, so that heavy mail waits its turn and the
//! event loop never does.
//!
//! Knows nothing of what is computed. Nothing here can cancel a thread: long work checks its own
//! deadline.

use std::sync::Arc;
use tokio::sync::Semaphore;

/// Where work that takes more than a moment is done.
#[derive(Debug, Clone)]
pub enum Compute {
    /// On the caller's own thread: the simulator and tests.
    Inline,
    /// On blocking threads, as many at once as there are permits.
    Pool(Arc<Semaphore>),
}

/// The work was not done: its thread ended in a panic, or the runtime is stopping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost;

impl Compute {
    /// A pool with one permit for each core.
    pub fn pool() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self::Pool(Arc::new(Semaphore::new(cores)))
    }

    /// Runs `work`, waiting for a free slot first.
    ///
    /// # Errors
    /// [`Lost`] when the work panicked or the runtime is stopping.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Lost> {
        match self {
            Self::Inline => Ok(work()),
            Self::Pool(slots) => {
                let permit = Arc::clone(slots).acquire_owned().await.map_err(|_| Lost)?;
                // The permit moves into the thread: an abandoned wait must not let more work in.
                tokio::task::spawn_blocking(move || {
                    let _permit = permit;
                    work()
                })
                .await
                .map_err(|_| Lost)
            }
        }
    }
}
