//! Randomness and the ids made from it, behind a trait so that a seed can replay a run.
//!
//! Knows nothing of what the ids name.

use jiff::Timestamp;
use std::sync::atomic::{AtomicU64, Ordering};

/// A source of random bytes.
pub trait Chance: Send + Sync {
    /// Fills `bytes` with randomness.
    fn fill(&self, bytes: &mut [u8]);
}

/// The operating system's randomness.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemChance;

impl Chance for SystemChance {
    fn fill(&self, bytes: &mut [u8]) {
        // The only failure is a kernel without getrandom; ids then still differ by their time and counter.
        if getrandom::fill(bytes).is_err() {
            SeededChance::new(u64::from(std::process::id())).fill(bytes);
        }
    }
}

/// A repeatable source: the same seed gives the same bytes (SplitMix64).
#[derive(Debug)]
pub struct SeededChance(AtomicU64);

impl SeededChance {
    /// A source that starts from `seed`.
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }
}

impl Chance for SeededChance {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let state = self
                .0
                .fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed)
                .wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let mixed = mixed ^ (mixed >> 31);
            for (target, source) in chunk.iter_mut().zip(mixed.to_le_bytes()) {
                *target = source;
            }
        }
    }
}

/// A new message id: a UUIDv7 (RFC 9562 §5.7) of the given time.
pub fn message_id(now: Timestamp, chance: &dyn Chance) -> uuid::Uuid {
    let mut random = [0; 10];
    chance.fill(&mut random);
    let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}
