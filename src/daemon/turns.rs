//! One act at a time on each kept message, so that none is decided while it is being released.
//!
//! Knows nothing of what is done with them.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use uuid::Uuid;

/// Messages that somebody acts on now; never more than the exchanges that the control socket allows.
#[derive(Debug, Default)]
pub struct Turns(Mutex<HashSet<Uuid>>);

/// The right to act on one message, given back when dropped.
#[derive(Debug)]
pub struct Turn<'t> {
    turns: &'t Turns,
    id: Uuid,
}

impl Turns {
    /// The turn, unless somebody else has it.
    pub fn take(&self, id: Uuid) -> Option<Turn<'_>> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Made only where it is had: dropping one gives the turn back.
        taken.insert(id).then(|| Turn { turns: self, id })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut taken = self.turns.0.lock().unwrap_or_else(PoisonError::into_inner);
        taken.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_one_turn_and_gives_it_back() {
        let turns = Turns::default();
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let first = turns.take(one).expect("nobody has it");
        assert!(turns.take(one).is_none());
        assert!(turns.take(other).is_some());
        drop(first);
        assert!(turns.take(one).is_some());
    }
}
