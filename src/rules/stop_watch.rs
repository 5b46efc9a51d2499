//! The time that rules take of a processor, beside the steps that they are charged.
//!
//! Enters: steps as they are taken, and a clock of the thread's CPU time. Leaves: whether a rule took more
//! of that than any may, so that work which costs more than its steps say doesn't go unseen. The clock is
//! asked once in thousands of steps, which costs nothing to speak of. Knows nothing of what rules do.

use std::time::Duration;

/// Tells the CPU time of the running thread so far.
pub type CpuTime = fn() -> Duration;

/// What one rule may take of a processor for one message: five times what its budget of steps should.
pub const CPU_MAX: Duration = Duration::from_millis(500);
/// The clock is looked at after so many steps.
const STEPS_BETWEEN: u64 = 4_096;

/// Runs while a message is judged.
#[derive(Debug)]
pub(super) struct StopWatch {
    clock: Option<CpuTime>,
    last: Duration,
    /// Steps since then.
    steps: u64,
}

impl StopWatch {
    /// One that starts now; without a clock no rule is ever over.
    pub(super) fn start(clock: Option<CpuTime>) -> Self {
        Self {
            clock,
            last: clock.map_or(Duration::ZERO, |clock| clock()),
            steps: 0,
        }
    }

    /// Whether a rule that took these steps took too long. Time that passed with several rules is held
    /// against one only if most of the steps were its own.
    pub(super) fn is_over(&mut self, steps: u64) -> bool {
        self.steps += steps;
        let Some(clock) = self.clock.filter(|_| self.steps >= STEPS_BETWEEN) else {
            return false;
        };
        let (now, is_its_own) = (clock(), steps * 2 > self.steps);
        let took = now.saturating_sub(self.last);
        (self.last, self.steps) = (now, 0);
        is_its_own && took > CPU_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    thread_local! {
        static NOW: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    }

    fn clock() -> Duration {
        NOW.get()
    }

    fn pass(millis: u64) {
        NOW.set(NOW.get() + Duration::from_millis(millis));
    }

    #[test]
    fn a_rule_is_over_beyond_its_time() {
        for (millis, is_over) in [(499, false), (500, false), (501, true)] {
            let mut watch = StopWatch::start(Some(clock));
            pass(millis);
            assert_eq!(watch.is_over(STEPS_BETWEEN), is_over, "{millis}");
            assert!(!watch.is_over(STEPS_BETWEEN), "what has passed counts once");
        }
    }

    #[test]
    fn time_is_held_against_whoever_took_most_of_the_steps() {
        for (before, own, is_over) in [
            (0, STEPS_BETWEEN - 1, false),
            (1, STEPS_BETWEEN - 1, true),
            (STEPS_BETWEEN / 2, STEPS_BETWEEN / 2, false),
            (STEPS_BETWEEN / 2, STEPS_BETWEEN / 2 + 1, true),
        ] {
            let mut watch = StopWatch::start(Some(clock));
            pass(10_000);
            assert!(!watch.is_over(before));
            assert_eq!(watch.is_over(own), is_over, "{own} after {before}");
        }
        let mut watch = StopWatch::start(None);
        assert!(!watch.is_over(u64::from(u32::MAX)));
    }
}
