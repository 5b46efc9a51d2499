//! Where in a text a regex is run: around the places where its required texts stand, and nowhere else.
//!
//! Enters: a scanned text, the atoms of which a match holds one, and how far a match reaches from there.
//! Leaves: the first match, as a run over the whole text would find one. Knows nothing of conditions.

use crate::rules::compile::needles::{PLACES_MAX, Scanned};
use crate::rules::compile::node::Gate;
use crate::rules::compile::pattern::{Pattern, Unusable};
use crate::rules::compile::required::{BLANKS_COUNTED, Reach, is_blank};
use std::ops::Range;

/// More beginnings than this aren't tried one by one: each may go on to the text's end.
const BEGINNINGS_MAX: usize = 16;

/// Where a match may lie.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stretches {
    /// Within one of these, in order and apart from each other.
    Within(Vec<Range<usize>>),
    /// From one of these places on, in order.
    From(Vec<usize>),
    /// Anywhere.
    Everywhere,
}

impl Stretches {
    /// Where a pattern may match a text that was scanned for what it requires.
    pub(super) fn of(scanned: &Scanned<'_>, gate: &Gate, reach: Reach) -> Self {
        if !scanned.holds_any(&gate.set) {
            return Self::Within(Vec::new());
        }
        if reach == Reach::Everywhere {
            return Self::Everywhere;
        }
        let mut places = Vec::new();
        for atom in &gate.atoms {
            let known = places.len();
            places.extend(scanned.places(*atom));
            if places.len() - known > usize::from(PLACES_MAX) {
                return Self::Everywhere;
            }
        }
        places.sort_unstable();
        places.dedup();
        let text = &*scanned.text;
        let around = |place: usize| match reach {
            Reach::Within(most) => {
                let (from, to) = (place.saturating_sub(most), text.len().min(place + most));
                text.floor_char_boundary(from)..text.ceil_char_boundary(to)
            }
            Reach::Spaced(most) => spaced(text, place, most),
            _ => line(text, place),
        };
        match reach {
            Reach::From if places.len() > BEGINNINGS_MAX => Self::Everywhere,
            Reach::From => Self::From(places),
            _ => Self::Within(joined(places.into_iter().map(around))),
        }
    }

    /// Whether there is nothing to run over.
    pub(super) fn is_nowhere(&self) -> bool {
        matches!(self, Self::Within(stretches) if stretches.is_empty())
    }

    /// How many bytes of a text of this length are looked at, at most or nearly.
    pub(super) fn bytes(&self, text: usize) -> usize {
        match self {
            Self::Within(stretches) => stretches.iter().map(Range::len).sum(),
            Self::From(places) => places.first().map_or(0, |first| text.saturating_sub(*first)),
            Self::Everywhere => text,
        }
    }

    /// The first match.
    pub(super) fn find(self, pattern: &Pattern, text: &str) -> Result<Option<Range<usize>>, Unusable> {
        let (stretches, anchored) = match self {
            Self::Within(stretches) => (stretches, false),
            Self::From(places) => (places.into_iter().map(|place| place..text.len()).collect(), true),
            Self::Everywhere => return pattern.find(text, 0..text.len(), false),
        };
        for stretch in stretches {
            if let Some(found) = pattern.find(text, stretch, anchored)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

/// So many bytes on either side, of each run of blanks only the first few counted.
fn spaced(text: &str, place: usize, most: usize) -> Range<usize> {
    let (before, after) = text.as_bytes().split_at_checked(place).unwrap_or_default();
    let from = place.saturating_sub(counted(before.iter().rev(), most));
    let to = place + counted(after.iter(), most);
    text.floor_char_boundary(from)..text.ceil_char_boundary(to)
}

/// How many bytes there are until so many are counted.
fn counted<'t>(bytes: impl Iterator<Item = &'t u8>, most: usize) -> usize {
    let (mut left, mut blanks) = (most, 0);
    let counts = |byte: &&u8| {
        blanks = if is_blank(**byte) { blanks + 1 } else { 0 };
        if blanks > BLANKS_COUNTED {
            return true;
        }
        let more = left.checked_sub(1);
        left = more.unwrap_or(0);
        more.is_some()
    };
    bytes.take_while(counts).count()
}

fn line(text: &str, place: usize) -> Range<usize> {
    let (before, after) = text.split_at_checked(place).unwrap_or((text, ""));
    let from = before.rfind('\n').map_or(0, |end| end + 1);
    let to = after.find('\n').map_or(text.len(), |end| place + end);
    from..to
}

/// Stretches that touch become one; they come in order of their beginnings.
fn joined(stretches: impl Iterator<Item = Range<usize>>) -> Vec<Range<usize>> {
    let mut joined: Vec<Range<usize>> = Vec::new();
    for stretch in stretches {
        match joined.last_mut().filter(|last| stretch.start <= last.end) {
            Some(last) => last.end = last.end.max(stretch.end),
            None => joined.push(stretch),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_that_touch_are_one() {
        let one = |stretches: &[Range<usize>]| joined(stretches.iter().cloned());
        assert_eq!(one(&[0..3, 3..5, 4..4, 7..9]), [0..5, 7..9]);
        assert!(one(&[]).is_empty());
    }

    #[test]
    fn of_a_run_of_blanks_only_the_first_count() {
        for (gap, most, expected) in [
            (16, 17, 23..57),
            (16, 18, 22..58),
            (40, 17, 23..81),
            (40, 18, 22..82),
            (2, 3, 37..43),
            (0, 50, 0..43),
        ] {
            let text = format!("{}{}xyz", "a".repeat(40), " \n".repeat(gap / 2));
            assert_eq!(spaced(&text, 40, most), expected, "{gap} {most}");
        }
        assert_eq!(spaced("\u{e9}  a", 4, 3), 0..5, "whole characters");
    }

    #[test]
    fn a_line_has_its_ends() {
        for (text, place, expected) in [
            ("ab\ncd\ne", 3, 3..5),
            ("ab", 0, 0..2),
            ("ab\n", 1, 0..2),
            ("\nab", 1, 1..3),
        ] {
            assert_eq!(line(text, place), expected, "{text:?} {place}");
        }
    }
}
