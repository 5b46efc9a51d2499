//! The byte budget for message bodies: what all sessions together may hold, first come first served.
//!
//! A [`Share`] grows step by step, waits a short time at most, and gives everything back when
//! dropped. Knows nothing of what the bytes are.

use super::body_memory::Spare;
use crate::telemetry::Telemetry;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What a session holds without drawing on the budget, in bytes.
pub const FREE: usize = super::body_memory::HEAP_MOST;

/// Bytes are drawn in pages of this size, so that any total fits the semaphore.
const PAGE: usize = 4096;

/// The whole budget.
#[derive(Debug)]
pub struct Budget {
    pages: Arc<Semaphore>,
    total: usize,
    telemetry: Telemetry,
    spare: Arc<Spare>,
}

/// What one body has drawn. Dropped, it is given back.
#[derive(Debug)]
pub struct Share {
    budget: Arc<Budget>,
    held: Option<OwnedSemaphorePermit>,
}

/// The budget could not give what was asked for in time. What had been drawn is given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exhausted;

impl Budget {
    /// A budget of `bytes`, rounded down to whole pages.
    pub fn new(bytes: u64, telemetry: Telemetry) -> Self {
        let total = usize::try_from(bytes).unwrap_or(usize::MAX) / PAGE;
        let total = total.min(Semaphore::MAX_PERMITS);
        let budget = Self {
            pages: Arc::new(Semaphore::new(total)),
            total,
            telemetry,
            spare: Arc::default(),
        };
        budget.telemetry.memory_budget("limit", (total * PAGE) as u64);
        budget.report();
        budget
    }

    /// A share that holds nothing yet.
    pub const fn share(self: Arc<Self>) -> Share {
        Share {
            budget: self,
            held: None,
        }
    }

    /// Pages that bodies leave to each other.
    pub fn spare(&self) -> Arc<Spare> {
        Arc::clone(&self.spare)
    }

    /// Bytes drawn at this moment.
    pub fn used(&self) -> u64 {
        (self.total.saturating_sub(self.pages.available_permits()) * PAGE) as u64
    }

    fn report(&self) {
        self.telemetry.memory_budget("used", self.used());
    }
}

impl Share {
    /// Draws what a body of `capacity` bytes needs beyond the free part and what is held already.
    ///
    /// # Errors
    /// [`Exhausted`] when it can't be had within `wait`: then nothing is held any more, so that
    /// sessions never wait for each other for good.
    pub async fn grow(&mut self, capacity: usize, wait: Duration) -> Result<(), Exhausted> {
        let wanted = capacity.saturating_sub(FREE).div_ceil(PAGE);
        let held = self.held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = wanted.saturating_sub(held);
        if more == 0 {
            return Ok(());
        }
        match self.draw(more, wanted, wait).await {
            Some(permit) => {
                match &mut self.held {
                    Some(held) => held.merge(permit),
                    None => self.held = Some(permit),
                }
                self.budget.report();
                Ok(())
            }
            None => {
                self.give_back();
                Err(Exhausted)
            }
        }
    }

    /// Whether nothing is drawn.
    pub const fn is_empty(&self) -> bool {
        self.held.is_none()
    }

    /// Gives everything back now.
    pub fn give_back(&mut self) {
        if self.held.take().is_some() {
            self.budget.report();
        }
    }

    async fn draw(&self, more: usize, wanted: usize, wait: Duration) -> Option<OwnedSemaphorePermit> {
        // What can never be had is not waited for: it would only block the queue.
        if wanted > self.budget.total {
            return None;
        }
        let more = u32::try_from(more).ok()?;
        let pages = Arc::clone(&self.budget.pages);
        tokio::time::timeout(wait, pages.acquire_many_owned(more))
            .await
            .ok()?
            .ok()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.give_back();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_secs(2);

    fn budget(pages: usize) -> Arc<Budget> {
        Arc::new(Budget::new((pages * PAGE) as u64, Telemetry::default()))
    }

    #[tokio::test]
    async fn the_first_64_kib_are_free() {
        let budget = budget(4);
        let mut share = Arc::clone(&budget).share();
        for (capacity, used) in [(FREE - 1, 0), (FREE, 0), (FREE + 1, PAGE), (FREE + PAGE, PAGE)] {
            share.grow(capacity, WAIT).await.unwrap();
            assert_eq!(budget.used(), used as u64);
        }
    }

    #[tokio::test]
    async fn all_of_it_can_be_had_and_comes_back() {
        let budget = budget(4);
        let mut share = Arc::clone(&budget).share();
        share.grow(FREE + 3 * PAGE, WAIT).await.unwrap();
        share.grow(FREE + 4 * PAGE, WAIT).await.unwrap();
        assert_eq!(budget.used(), 4 * PAGE as u64);
        drop(share);
        assert_eq!(budget.used(), 0);
    }

    #[tokio::test]
    async fn what_can_never_be_had_is_refused_at_once() {
        let budget = budget(4);
        let mut share = Arc::clone(&budget).share();
        share.grow(FREE + PAGE, WAIT).await.unwrap();
        assert_eq!(share.grow(FREE + 4 * PAGE + 1, WAIT).await, Err(Exhausted));
        assert_eq!(budget.used(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn two_that_wait_for_each_other_both_end() {
        let budget = budget(4);
        let (mut one, mut two) = (Arc::clone(&budget).share(), Arc::clone(&budget).share());
        one.grow(FREE + 2 * PAGE, WAIT).await.unwrap();
        two.grow(FREE + 2 * PAGE, WAIT).await.unwrap();
        let (first, second) = tokio::join!(
            one.grow(FREE + 3 * PAGE, WAIT),
            two.grow(FREE + 4 * PAGE, WAIT + Duration::from_secs(1))
        );
        assert_eq!((first, second), (Err(Exhausted), Ok(())));
    }
}
