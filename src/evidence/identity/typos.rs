//! Labels that are one slip of the fingers away from others, or two where they are long and ours.
//!
//! Enters: labels once; then a label at a time. Leaves: the places of those near it. Two labels one slip apart
//! have a common rest when a letter is left out of each or neither, so that near ones are found by hashes of
//! what is left. Knows nothing of domains.

use smallvec::SmallVec;
use std::hash::{BuildHasher, Hash};

/// Shorter labels are one letter from too many others.
const LABEL_MIN: usize = 6;
/// From here on two slips still leave the label recognisable.
const LONG_LABEL: usize = 10;
/// Longer ones aren't looked at: a host label has no more.
const LABEL_MAX: usize = 63;
/// Of so many of our own labels two slips are forgiven: each is looked at.
const OWN_MAX: usize = 1_000;
/// Labels near one that are looked at.
const NEAR_MAX: usize = 64;

/// A fixed seed: what is near may not hang on chance.
const HASHER: foldhash::fast::FixedState = foldhash::fast::FixedState::with_seed(0x7079_6f73);

/// Labels, ready for look-ups.
#[derive(Debug, Default)]
pub(super) struct Typos {
    labels: Vec<(Box<str>, u32)>,
    /// Hashes of what is left of each when a letter is left out, and of the whole; sorted.
    rests: Vec<(u32, u32)>,
    own: Vec<Own>,
}

/// A long label of ours.
#[derive(Debug)]
struct Own {
    label: u32,
    letters: usize,
    /// Which letters occur in it.
    mask: u32,
}

impl Typos {
    pub(super) fn add(&mut self, label: &str, is_own: bool, place: u32) {
        let letters = label.chars().count();
        let Ok(number) = u32::try_from(self.labels.len()) else {
            return;
        };
        if !(LABEL_MIN..=LABEL_MAX).contains(&letters) {
            return;
        }
        self.rests.extend(rests(label).map(|rest| (rest, number)));
        if is_own && letters >= LONG_LABEL && self.own.len() < OWN_MAX {
            self.own.push(Own {
                label: number,
                letters,
                mask: mask(label),
            });
        }
        self.labels.push((label.into(), place));
    }

    /// To be called when all labels are there.
    pub(super) fn finish(&mut self) {
        self.rests.sort_unstable();
        self.rests.dedup();
        self.rests.shrink_to_fit();
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let labels: usize = self.labels.iter().map(|(label, _)| label.len()).sum();
        labels
            + self.labels.capacity() * size_of::<(Box<str>, u32)>()
            + self.rests.capacity() * size_of::<(u32, u32)>()
            + self.own.capacity() * size_of::<Own>()
    }

    /// The places of the labels near this one, which isn't among them itself.
    pub(super) fn of(&self, label: &str) -> SmallVec<[u32; 2]> {
        let letters = label.chars().count();
        let mut found = SmallVec::new();
        if self.labels.is_empty() || !(LABEL_MIN - 1..=LABEL_MAX).contains(&letters) {
            return found;
        }
        for rest in rests(label) {
            let from = self.rests.partition_point(|(hash, _)| *hash < rest);
            let same = self.rests.iter().skip(from).take_while(|(hash, _)| *hash == rest);
            for (_, number) in same.take(NEAR_MAX) {
                self.take_if_near(*number, label, 1, &mut found);
            }
        }
        let mask = mask(label);
        let may_be_near = |own: &&Own| own.letters.abs_diff(letters) <= 2 && (own.mask ^ mask).count_ones() <= 4;
        for own in self.own.iter().filter(may_be_near) {
            self.take_if_near(own.label, label, 2, &mut found);
        }
        found
    }

    fn take_if_near(&self, number: u32, label: &str, slips: usize, found: &mut SmallVec<[u32; 2]>) {
        let known = usize::try_from(number).ok().and_then(|number| self.labels.get(number));
        if let Some((known, place)) = known
            && found.len() < NEAR_MAX
            && !found.contains(place)
            && begins_alike(known, label)
            && (1..=slips).contains(&strsim::osa_distance(known, label))
        {
            found.push(*place);
        }
    }
}

/// Whether two labels have the first letter in common, or swapped: who begins otherwise is another, to the eye and
/// among all the names that there are.
fn begins_alike(one: &str, other: &str) -> bool {
    let first = |text: &str| (text.chars().next(), text.chars().nth(1));
    let ((one, one_next), (other, other_next)) = (first(one), first(other));
    one == other || (one == other_next && other == one_next)
}

/// Hashes of a label and of what is left of it without one of its letters.
fn rests(label: &str) -> impl Iterator<Item = u32> {
    let whole = std::iter::once(hash(&[label]));
    let shorter = label.char_indices().map(move |(at, c)| {
        let before = label.get(..at).unwrap_or("");
        let after = label.get(at + c.len_utf8()..).unwrap_or("");
        hash(&[before, after])
    });
    whole.chain(shorter)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "32 bits of a hash are enough: what is found is compared"
)]
fn hash(pieces: &[&str]) -> u32 {
    use std::hash::Hasher;
    let mut hasher = HASHER.build_hasher();
    for byte in pieces.iter().flat_map(|piece| piece.bytes()) {
        byte.hash(&mut hasher);
    }
    hasher.finish() as u32
}

fn mask(label: &str) -> u32 {
    label.bytes().fold(0, |mask, byte| mask | 1 << (byte & 31))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(own: bool, known: &str, label: &str) -> bool {
        let mut typos = Typos::default();
        typos.add(known, own, 7);
        typos.finish();
        !typos.of(label).is_empty()
    }

    #[test]
    fn one_slip_is_near_and_none_is_not() {
        for (label, expected) in [
            ("northmere", false),
            ("northmre", true),
            ("northhmere", true),
            ("nortmhere", true),
            ("northmerw", true),
            ("onrthmere", true),
            ("morthmere", false),
            ("orthmere", false),
            ("nprthmerw", false),
            ("southmere", false),
        ] {
            assert_eq!(near(true, "northmere", label), expected, "{label}");
        }
    }

    #[test]
    fn two_slips_are_near_a_long_label_of_ours() {
        for (own, known, label, expected) in [
            (true, "hallettsurfacing", "halletsurfcing", true),
            (false, "hallettsurfacing", "halletsurfcing", false),
            (true, "hallettsurfacing", "haletsurfcing", false),
            (true, "ninechars", "nnechras", false),
        ] {
            assert_eq!(near(own, known, label), expected, "{label}");
        }
    }

    #[test]
    fn lengths_are_limited() {
        for (letters, expected) in [
            (LABEL_MIN - 1, false),
            (LABEL_MIN, true),
            (LABEL_MAX, true),
            (LABEL_MAX + 1, false),
        ] {
            let known = "abcdefghij".repeat(7)[..letters].to_owned();
            let label = format!("{}x", &known[..letters - 1]);
            assert_eq!(near(false, &known, &label), expected, "{letters}");
        }
    }

    /// However many labels there are, few are compared: those that share a rest.
    #[test]
    fn many_labels_cost_no_more_than_few() {
        let mut typos = Typos::default();
        for number in 0..20_000_u32 {
            typos.add(&format!("supplier{number:05}"), false, number);
        }
        typos.finish();
        let widest = rests("supplier12345").map(|rest| {
            let from = typos.rests.partition_point(|(hash, _)| *hash < rest);
            typos
                .rests
                .iter()
                .skip(from)
                .take_while(|(hash, _)| *hash == rest)
                .count()
        });
        assert!(
            widest.max().unwrap() <= 60,
            "a bucket holds what one letter can make of a rest"
        );
    }
}
