//! Looking on while conditions are decided: what a profile hangs on.
//!
//! Nobody looks on in a gate. Knows nothing of clocks.

use super::Scope;
use crate::rules::compile::RuleRef;

/// Somebody who looks on.
pub trait Watch {
    /// A rule or define is about to be decided, perhaps while another is, which took so many steps since
    /// it was last told of.
    fn begins(&self, condition: RuleRef, steps: u64);
    /// The one begun last has been, in so many steps since.
    fn ends(&self, steps: u64);
    /// A regex is about to run.
    fn pattern_begins(&self);
    /// It has, over so many bytes.
    fn pattern_ends(&self, written: &str, bytes: usize);
}

impl<'e> Scope<'e, '_> {
    /// Has somebody look on.
    #[must_use]
    pub fn watched(mut self, watch: &'e dyn Watch) -> Self {
        self.watch = Some(watch);
        self
    }

    /// Says that a condition is about to be decided.
    pub(in crate::rules) fn begins(&mut self, condition: RuleRef) {
        if let Some(watch) = self.watch {
            watch.begins(condition, std::mem::take(&mut self.steps));
        }
    }

    /// Says that it has been.
    pub(in crate::rules) fn ends(&mut self) {
        if let Some(watch) = self.watch {
            watch.ends(std::mem::take(&mut self.steps));
        }
    }

    /// Runs a regex over so many bytes.
    pub(super) fn run_pattern<T>(&self, written: &str, bytes: usize, run: impl FnOnce() -> T) -> T {
        let Some(watch) = self.watch else {
            return run();
        };
        watch.pattern_begins();
        let found = run();
        watch.pattern_ends(written, bytes);
        found
    }
}
