//! Kleene's counting: how many of several conditions hold, when some can't be told.

use super::Truth;
use crate::rules::syntax::tree::Quantity;

/// Truths counted so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tally {
    quantity: Quantity,
    trues: usize,
    falses: usize,
    unknowns: usize,
}

impl Tally {
    pub(super) fn new(quantity: Quantity) -> Self {
        Self {
            quantity,
            trues: 0,
            falses: 0,
            unknowns: 0,
        }
    }

    /// Counts one more; says whether the rest no longer matters.
    pub(super) fn add(&mut self, truth: Truth) -> bool {
        match truth {
            Truth::True => self.trues += 1,
            Truth::False => self.falses += 1,
            Truth::Unknown => self.unknowns += 1,
        }
        match self.quantity {
            Quantity::AtLeast(wanted) => self.trues >= wanted,
            Quantity::All => self.falses > 0,
            Quantity::None => self.trues > 0,
        }
    }

    /// What the whole comes to. `more` says that there may be items that nobody saw.
    pub(super) fn truth(self, more: bool) -> Truth {
        let open = self.unknowns > 0 || more;
        match self.quantity {
            Quantity::AtLeast(wanted) if self.trues >= wanted => Truth::True,
            Quantity::AtLeast(wanted) if !more && self.trues + self.unknowns < wanted => Truth::False,
            Quantity::AtLeast(_) => Truth::Unknown,
            Quantity::All if self.falses > 0 => Truth::False,
            Quantity::None if self.trues > 0 => Truth::False,
            Quantity::All | Quantity::None if open => Truth::Unknown,
            Quantity::All | Quantity::None => Truth::True,
        }
    }

    /// The least and the most that hold.
    pub(super) fn bounds(self, more: bool) -> (i64, i64) {
        let fits = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        match more {
            true => (fits(self.trues), i64::MAX),
            false => (fits(self.trues), fits(self.trues + self.unknowns)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Truth::{False as F, True as T, Unknown as U};

    fn tally(quantity: Quantity, truths: &[Truth], more: bool) -> Truth {
        let mut tally = Tally::new(quantity);
        truths.iter().for_each(|truth| {
            tally.add(*truth);
        });
        tally.truth(more)
    }

    #[test]
    fn n_of_follows_kleene() {
        for (wanted, truths, expected) in [
            (1, &[F, F][..], F),
            (1, &[F, U], U),
            (1, &[U, T], T),
            (2, &[T, U, F], U),
            (2, &[T, F, F], F),
            (2, &[T, U, U], U),
            (2, &[T, T, U], T),
            (3, &[T, T, F], F),
            (3, &[U, U, F], F),
        ] {
            let quantity = Quantity::AtLeast(wanted);
            assert_eq!(tally(quantity, truths, false), expected, "{wanted} of {truths:?}");
        }
    }

    #[test]
    fn all_and_none_follow_kleene() {
        for (truths, all, none) in [
            (&[][..], T, T),
            (&[T], T, F),
            (&[F], F, T),
            (&[U], U, U),
            (&[T, U], U, F),
            (&[F, U], F, U),
            (&[T, F, U], F, F),
        ] {
            assert_eq!(tally(Quantity::All, truths, false), all, "all of {truths:?}");
            assert_eq!(tally(Quantity::None, truths, false), none, "none of {truths:?}");
        }
    }

    #[test]
    fn what_nobody_saw_keeps_the_rest_open() {
        assert_eq!(tally(Quantity::AtLeast(1), &[F], true), U);
        assert_eq!(tally(Quantity::AtLeast(1), &[T], true), T);
        assert_eq!(tally(Quantity::All, &[T], true), U);
        assert_eq!(tally(Quantity::All, &[F], true), F);
        assert_eq!(tally(Quantity::None, &[F], true), U);
    }
}
