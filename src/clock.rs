//! The time of day, behind a trait so that tests and the simulator can fix it.
//!
//! Only wall time and processor time are asked here; deadlines use the runtime's own monotonic timer.
//! Knows nothing of mail.

use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// Tells the time of day.
pub trait Clock: Send + Sync {
    /// The present moment, UTC.
    fn now(&self) -> Timestamp;
}

/// The machine's own clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that asks the machine for the time"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// The processor time that this thread has spent: what other programs take doesn't count.
pub fn thread_time() -> Duration {
    let spent = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(spent.tv_sec).unwrap_or(0);
    let nanoseconds = u32::try_from(spent.tv_nsec).unwrap_or(0);
    Duration::new(seconds, nanoseconds)
}

/// A clock that stands still, for tests, `scan` and rule tests.
#[derive(Debug, Clone, Copy)]
pub struct FixedClock(pub Timestamp);

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threads_time_goes_on_while_it_works() {
        let begun = thread_time();
        let mut number = 1_u64;
        while thread_time() == begun {
            number = std::hint::black_box(number.wrapping_mul(3));
        }
        assert!(thread_time() > begun);
    }
}
