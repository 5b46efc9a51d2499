//! How large a whole set may become, whatever its authors write.
//!
//! Each expression, file and list has limits of its own; these hold their product. A little text can ask for
//! much: a list of a million entries named in a thousand calls, a set of ten thousand rules named by as many
//! defines, thousands of regexes that each just fit. Knows nothing of what is counted.

/// Needles of all calls together, a list's entries counted at each of its uses.
pub const NEEDLES_MAX: usize = 2_000_000;
/// States of all regexes together, as estimated before they are compiled: some 40 bytes each.
pub const REGEX_STATES_MAX: usize = 4_000_000;
/// Rules referred to by sets such as `@LURE_*`, counted at each of its uses.
pub const REFERENCES_MAX: usize = 1_000_000;

/// What was taken so far.
#[derive(Debug, Default)]
pub(super) struct Extent {
    needles: usize,
    states: usize,
    references: usize,
}

impl Extent {
    /// Room for so many needles more.
    pub(super) fn needles(&mut self, more: usize) -> Result<(), String> {
        take(&mut self.needles, more, NEEDLES_MAX)
            .map_err(|most| format!("all rules together look for more than {most} needles"))
    }

    /// Room for so many states of a regex more.
    pub(super) fn states(&mut self, more: usize) -> Result<(), String> {
        take(&mut self.states, more, REGEX_STATES_MAX)
            .map_err(|_| "the regexes of all rules together are too large".to_owned())
    }

    /// Room for so many rules named by a set more.
    pub(super) fn references(&mut self, more: usize) -> Result<(), String> {
        take(&mut self.references, more, REFERENCES_MAX)
            .map_err(|most| format!("sets such as `@LURE_*` name more than {most} rules in all"))
    }
}

/// Once there is no room there is none for anything smaller either, so that what was refused isn't tried on.
fn take(taken: &mut usize, more: usize, most: usize) -> Result<(), usize> {
    *taken = taken.saturating_add(more);
    if *taken > most { Err(most) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Take = fn(&mut Extent, usize) -> Result<(), String>;

    #[test]
    fn room_ends_where_it_says() {
        let kinds: [(Take, usize); 3] = [
            (Extent::needles, NEEDLES_MAX),
            (Extent::states, REGEX_STATES_MAX),
            (Extent::references, REFERENCES_MAX),
        ];
        for (take, most) in kinds {
            for (first, second, fits) in [
                (most - 1, 0, true),
                (most - 1, 1, true),
                (most, 0, true),
                (most, 1, false),
                (most + 1, 0, false),
                (usize::MAX, usize::MAX, false),
            ] {
                let mut extent = Extent::default();
                let first = take(&mut extent, first);
                assert_eq!(first.and(take(&mut extent, second)).is_ok(), fits, "{second} of {most}");
            }
        }
    }
}
