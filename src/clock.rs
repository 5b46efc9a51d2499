//! The time of day, behind a trait so that tests and the simulator can fix it.
//!
//! Only wall time and the CPU time of a thread are asked here; deadlines use the runtime's own monotonic timer.
//! Knows nothing of mail.

use jiff::Timestamp;
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

/// What the running thread has had of a processor since it began.
pub fn thread_cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    // It is never negative.
    time.try_into().unwrap_or_default()
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
        let begun = thread_cpu_time();
        let mut number = 1_u64;
        while thread_cpu_time() == begun {
            number = std::hint::black_box(number.wrapping_mul(3));
        }
        assert!(thread_cpu_time() > begun);
    }
}
