//! Regexes by how they are written: one that several conditions hold, or one set after another, is compiled once.
//!
//! Enters: a regex literal, and what an earlier set holds. Leaves: the regex, an earlier one where it is
//! written alike. Each set holds those that it uses and no others, so that what nobody uses any more goes with
//! the last set that did. Knows nothing of conditions.

use super::pattern::{Pattern, pattern};
use crate::rules::syntax::Problem;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// The regexes of a set.
#[derive(Debug, Default)]
pub(crate) struct Patterns {
    known: HashMap<String, Arc<Pattern>>,
    /// What was read before anybody asked for it.
    ahead: HashMap<String, Pattern>,
}

/// A regex, and whether this set meets it for the first time.
pub(super) struct Taken {
    pub pattern: Arc<Pattern>,
    pub is_new: bool,
}

impl Patterns {
    /// The regex of a literal whose first slash stands at `span.start`. All that is known of one hangs on how
    /// it is written, so that nothing is read again.
    pub(super) fn take(
        &mut self,
        before: &Self,
        (text, flags): (&str, &str),
        span: &Range<usize>,
    ) -> Result<Taken, Problem> {
        let source = Pattern::written(text, flags);
        if let Some(known) = self.known.get(&source) {
            let pattern = Arc::clone(known);
            return Ok(Taken { pattern, is_new: false });
        }
        let pattern = match (before.known.get(&source), self.ahead.remove(&source)) {
            (Some(earlier), _) => Arc::clone(earlier),
            (None, Some(ahead)) => Arc::new(ahead),
            (None, None) => Arc::new(pattern(text, flags, span)?),
        };
        self.known.insert(source, Arc::clone(&pattern));
        Ok(Taken { pattern, is_new: true })
    }

    /// Whether one written so was taken.
    pub(super) fn holds(&self, source: &str) -> bool {
        self.known.contains_key(source)
    }

    /// Keeps regexes that will be asked for, and no longer those of which nobody asked for since the last time.
    pub(super) fn expect(&mut self, ahead: impl Iterator<Item = Pattern>) {
        let sourced = ahead.map(|pattern| (pattern.source.clone(), pattern));
        self.ahead = sourced.collect();
    }

    /// Every one.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Pattern>> {
        self.known.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(patterns: &mut Patterns, before: &Patterns, text: &str, flags: &str) -> Arc<Pattern> {
        patterns.take(before, (text, flags), &(0..9)).unwrap().pattern
    }

    #[test]
    fn what_is_written_alike_is_one() {
        let (mut first, nothing) = (Patterns::default(), Patterns::default());
        let one = take(&mut first, &nothing, "pay", "i");
        assert!(Arc::ptr_eq(&one, &take(&mut first, &nothing, "pay", "i")));
        let mut second = Patterns::default();
        assert!(Arc::ptr_eq(&one, &take(&mut second, &first, "pay", "i")));
        for (text, flags) in [("pay", ""), ("pay", "u"), ("pays", "i"), ("pa", "yi")] {
            let Ok(other) = second.take(&first, (text, flags), &(0..9)) else {
                continue;
            };
            assert!(other.is_new && !Arc::ptr_eq(&one, &other.pattern), "{text} {flags}");
        }
    }

    #[test]
    fn what_is_expected_is_read_once() {
        let (mut patterns, nothing) = (Patterns::default(), Patterns::default());
        patterns.expect(
            ["gone", "pay"]
                .map(|text| pattern(text, "i", &(0..9)).unwrap())
                .into_iter(),
        );
        assert!(!patterns.holds("/pay/i"));
        let expected: *const str = patterns.ahead["/pay/i"].source.as_str();
        let taken = take(&mut patterns, &nothing, "pay", "i");
        assert!(std::ptr::eq(expected, taken.source.as_str()) && patterns.holds("/pay/i"));
        patterns.expect(std::iter::empty());
        assert!(patterns.ahead.is_empty());
    }

    #[test]
    fn what_no_set_uses_is_gone() {
        let (mut first, nothing) = (Patterns::default(), Patterns::default());
        let kept = Arc::downgrade(&take(&mut first, &nothing, "kept", ""));
        let left = Arc::downgrade(&take(&mut first, &nothing, "left", ""));
        let mut second = Patterns::default();
        take(&mut second, &first, "kept", "");
        drop(first);
        assert_eq!((kept.strong_count(), left.strong_count()), (1, 0));
        drop(second);
        assert_eq!(kept.strong_count(), 0);
    }

    #[test]
    fn what_is_refused_is_not_kept() {
        let (mut patterns, nothing) = (Patterns::default(), Patterns::default());
        for _ in 0..2 {
            assert!(patterns.take(&nothing, ("(", ""), &(0..3)).is_err());
        }
        assert_eq!(patterns.iter().count(), 0);
    }
}
