//! What may become of a kept message: every change of state, decided in one pure place.
//!
//! A store loads a [`Custody`], lets it decide, and saves what it then says, so that every store
//! allows and refuses the same. Knows nothing of how anything is kept.

use super::{ReleaseOutcome, State, StoreError};
use crate::mail::{Address, Recipient};

/// Where a message stands, and each of its recipients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Custody {
    /// Where the message stands.
    pub(super) state: State,
    /// What it goes back to when a release leaves somebody out: `Held` or `Undelivered`.
    pub(super) rest: State,
    /// Whether a legal hold keeps it from being removed.
    pub(super) on_hold: bool,
    /// How many attempts at the same delivery, none yet voided, share this pending record.
    pub(super) attempts: u32,
    /// Those that it was held for at first, in the envelope's order.
    pub(super) recipients: Vec<Charge>,
}

/// A recipient and how far its release has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Charge {
    /// The recipient, as it came.
    pub(super) recipient: Recipient,
    /// How far.
    pub(super) standing: Standing,
}

/// How far a recipient's release has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Not begun.
    Held,
    /// Under way, or nobody knows.
    Claimed,
    /// Done.
    Delivered,
}

impl Standing {
    /// The word that is stored.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Claimed => "claimed",
            Self::Delivered => "delivered",
        }
    }

    /// Reads the word back.
    pub(super) fn from_word(word: &str) -> Option<Self> {
        [Self::Held, Self::Claimed, Self::Delivered]
            .into_iter()
            .find(|standing| standing.as_str() == word)
    }
}

/// Every state, in the order that a message may pass through them.
pub(super) const STATES: [State; 7] = [
    State::Pending,
    State::Held,
    State::Undelivered,
    State::Voided,
    State::ReleaseUnknown,
    State::Released,
    State::Deleted,
];

/// Reads the word of [`State::as_str`] back.
pub(super) fn state_from_word(word: &str) -> Option<State> {
    STATES.into_iter().find(|state| state.as_str() == word)
}

/// Whether an identical message merges into one that stands so.
pub(super) const fn takes_merges(state: State) -> bool {
    matches!(state, State::Pending | State::Held | State::Undelivered)
}

/// Whether a message that stands so goes when its retention ends.
pub(super) const fn expires(state: State) -> bool {
    match state {
        State::Held | State::Voided | State::Released | State::Deleted => true,
        State::Pending | State::Undelivered | State::ReleaseUnknown => false,
    }
}

impl Custody {
    /// Custody of a message just received.
    ///
    /// # Errors
    /// [`StoreError::WrongState`] unless it begins as `Pending`, `Held` or `Undelivered`.
    pub(super) fn begin(state: State, recipients: &[Recipient]) -> Result<Self, StoreError> {
        if !takes_merges(state) {
            return Err(StoreError::WrongState(state));
        }
        let recipients = recipients
            .iter()
            .map(|recipient| Charge {
                recipient: recipient.clone(),
                standing: Standing::Held,
            })
            .collect();
        Ok(Self {
            state,
            rest: rest_of(state),
            on_hold: false,
            attempts: 1,
            recipients,
        })
    }

    /// Takes in an identical message that would have begun in `state`.
    pub(super) fn merge(&mut self, state: State) {
        if self.state == State::Pending && state == State::Pending {
            self.attempts = self.attempts.saturating_add(1);
        } else {
            // Somebody is told, or was told, 250 for it: no other attempt may void it now. And who waits for
            // an undelivered one waits on, whatever else an identical one was kept for.
            self.state = if self.state == State::Undelivered {
                State::Undelivered
            } else {
                rest_of(state)
            };
            self.rest = self.state;
        }
    }

    /// Moves a pending message to `to`.
    pub(super) fn settle(&mut self, to: State) -> Result<(), StoreError> {
        match (self.state, to) {
            (State::Pending, State::Held) => self.state = State::Held,
            (State::Pending, State::Voided) if self.attempts > 1 => self.attempts -= 1,
            (State::Pending, State::Voided) => self.state = State::Voided,
            (State::Held | State::Undelivered, State::Held) | (State::Voided, State::Voided) => {}
            (state, _) => return Err(StoreError::WrongState(state)),
        }
        Ok(())
    }

    /// Marks a release to `names` as under way, or to everyone still held for; returns to whom.
    pub(super) fn claim(&mut self, names: &[String]) -> Result<Vec<Recipient>, StoreError> {
        if !matches!(self.state, State::Held | State::Undelivered) {
            return Err(StoreError::WrongState(self.state));
        }
        let chosen = self.choose(names, Standing::Held)?;
        self.state = State::ReleaseUnknown;
        let mut claimed = Vec::with_capacity(chosen.len());
        for (index, charge) in self.recipients.iter_mut().enumerate() {
            if chosen.contains(&index) {
                charge.standing = Standing::Claimed;
                claimed.push(charge.recipient.clone());
            }
        }
        Ok(claimed)
    }

    /// Ends a claim. Whoever was claimed and not delivered to is held for again.
    pub(super) fn settle_release(&mut self, names: &[String], outcome: ReleaseOutcome) -> Result<(), StoreError> {
        if self.state != State::ReleaseUnknown {
            return Err(StoreError::WrongState(self.state));
        }
        let chosen = self.choose(names, Standing::Claimed)?;
        if outcome == ReleaseOutcome::Unknown {
            return Ok(());
        }
        for (index, charge) in self.recipients.iter_mut().enumerate() {
            if charge.standing == Standing::Claimed {
                let delivered = outcome == ReleaseOutcome::Delivered && chosen.contains(&index);
                charge.standing = if delivered { Standing::Delivered } else { Standing::Held };
            }
        }
        self.state = if self.remaining() == 0 {
            State::Released
        } else {
            self.rest
        };
        Ok(())
    }

    /// Takes a person's word for what became of a message that was left undecided.
    pub(super) fn decide(&mut self, to: State) -> Result<State, StoreError> {
        match (self.state, to) {
            (State::Pending, State::Held | State::Voided) => self.state = to,
            (State::ReleaseUnknown, State::Released) => self.settle_release(&[], ReleaseOutcome::Delivered)?,
            (State::ReleaseUnknown, State::Held) => self.settle_release(&[], ReleaseOutcome::NotDelivered)?,
            (state, _) => return Err(StoreError::WrongState(state)),
        }
        Ok(self.state)
    }

    /// Puts it on hold, or lifts that.
    pub(super) fn hold(&mut self, on: bool) -> Result<(), StoreError> {
        match (self.on_hold, on) {
            (true, true) => return Err(StoreError::OnHold),
            (false, false) => return Err(StoreError::NotOnHold),
            _ => self.on_hold = on,
        }
        Ok(())
    }

    /// Removes the message.
    pub(super) fn delete(&mut self) -> Result<(), StoreError> {
        if self.on_hold {
            return Err(StoreError::OnHold);
        }
        match self.state {
            State::Held | State::Undelivered | State::Pending | State::ReleaseUnknown => {
                self.state = State::Deleted;
                Ok(())
            }
            State::Voided | State::Released | State::Deleted => Err(StoreError::WrongState(self.state)),
        }
    }

    /// Whether the body is no longer kept.
    pub(super) const fn body_is_gone(&self) -> bool {
        matches!(self.state, State::Voided | State::Deleted) && !self.on_hold
    }

    /// Whether it goes once its retention has ended.
    pub(super) const fn expires(&self) -> bool {
        expires(self.state) && !self.on_hold
    }

    /// How many are still held for and not being released.
    pub(super) fn remaining(&self) -> usize {
        self.recipients
            .iter()
            .filter(|charge| charge.standing == Standing::Held)
            .count()
    }

    /// Whom a reader is shown: those not delivered to yet, or everyone once it is released.
    pub(super) fn shown(&self) -> Vec<Recipient> {
        self.recipients
            .iter()
            .filter(|charge| self.state == State::Released || charge.standing != Standing::Delivered)
            .map(|charge| charge.recipient.clone())
            .collect()
    }

    /// The places of those named among the ones of `standing`; all of these without a name.
    fn choose(&self, names: &[String], standing: Standing) -> Result<Vec<usize>, StoreError> {
        let eligible = || {
            let indexed = self.recipients.iter().enumerate();
            indexed.filter(move |(_, charge)| charge.standing == standing)
        };
        if names.is_empty() {
            return Ok(eligible().map(|(index, _)| index).collect());
        }
        let mut chosen = Vec::new();
        for name in names {
            let name = Address::from_checked(name.as_str());
            let before = chosen.len();
            // RFC 5321 §2.4: only the recipient's host knows whether case matters in a local part.
            // The exact one wins; in its absence a person who typed other case means this one.
            for same_local in [str::eq, str::eq_ignore_ascii_case] {
                let matching = eligible().filter(|(_, charge)| names_mailbox(&name, charge, same_local));
                chosen.extend(matching.map(|(index, _)| index));
                if chosen.len() > before {
                    break;
                }
            }
            if chosen.len() == before {
                return Err(StoreError::NoSuchRecipient);
            }
        }
        Ok(chosen)
    }
}

/// What a message that begins so is while nothing is done about it.
const fn rest_of(state: State) -> State {
    match state {
        State::Undelivered => State::Undelivered,
        _ => State::Held,
    }
}

/// Whether `name` means this recipient, local parts compared by `same_local`.
fn names_mailbox(name: &Address, charge: &Charge, same_local: fn(&str, &str) -> bool) -> bool {
    let address = &charge.recipient.address;
    let same_domain = match (name.domain_text(), address.domain_text()) {
        (Some(named), Some(held)) => named.eq_ignore_ascii_case(held),
        (None, None) => true,
        _ => false,
    };
    same_domain && same_local(name.local_part(), address.local_part())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn custody(state: State, addresses: &[&str]) -> Custody {
        let recipients: Vec<Recipient> = addresses
            .iter()
            .map(|address| Recipient {
                address: Address::from_checked(*address),
                parameters: Vec::new(),
            })
            .collect();
        let mut custody = Custody::begin(State::Held, &recipients).expect("held is a beginning");
        custody.state = state;
        custody
    }

    fn names(addresses: &[&str]) -> Vec<String> {
        addresses.iter().map(|address| (*address).to_owned()).collect()
    }

    #[test]
    fn words_read_back() {
        for state in STATES {
            assert_eq!(state_from_word(state.as_str()), Some(state));
        }
        for standing in [Standing::Held, Standing::Claimed, Standing::Delivered] {
            assert_eq!(Standing::from_word(standing.as_str()), Some(standing));
        }
        assert_eq!(state_from_word("Held"), None);
        assert_eq!(Standing::from_word(""), None);
    }

    #[test]
    fn only_pending_held_and_undelivered_begin() {
        for state in STATES {
            let begun = Custody::begin(state, &[]);
            assert_eq!(begun.is_ok(), takes_merges(state), "{state:?}");
        }
    }

    #[test]
    fn settling_over_every_pair_of_states() {
        for from in STATES {
            for to in STATES {
                let mut kept = custody(from, &["a@example.org"]);
                let expected = match (from, to) {
                    (State::Pending | State::Held, State::Held) => Ok(State::Held),
                    (State::Undelivered, State::Held) => Ok(State::Undelivered),
                    (State::Pending | State::Voided, State::Voided) => Ok(State::Voided),
                    _ => Err(StoreError::WrongState(from)),
                };
                let settled = kept.settle(to).map(|()| kept.state);
                assert_eq!(settled, expected, "{from:?} to {to:?}");
            }
        }
    }

    #[test]
    fn a_persons_word_over_every_pair_of_states() {
        for from in STATES {
            for to in STATES {
                let mut kept = custody(from, &["a@example.org"]);
                kept.attempts = 2;
                if from == State::ReleaseUnknown {
                    kept.recipients[0].standing = Standing::Claimed;
                }
                let expected = match (from, to) {
                    (State::Pending, State::Held | State::Voided)
                    | (State::ReleaseUnknown, State::Held | State::Released) => Ok(to),
                    _ => Err(StoreError::WrongState(from)),
                };
                assert_eq!(kept.decide(to), expected, "{from:?} to {to:?}");
                assert_eq!(kept.state, expected.unwrap_or(from), "{from:?} to {to:?}");
            }
        }
    }

    #[test]
    fn a_hold_keeps_what_would_go() {
        for state in STATES {
            let mut kept = custody(state, &["a@example.org"]);
            assert_eq!(kept.hold(false), Err(StoreError::NotOnHold));
            assert_eq!(kept.hold(true), Ok(()), "{state:?}");
            assert_eq!(kept.hold(true), Err(StoreError::OnHold));
            assert!(!kept.expires() && !kept.body_is_gone(), "{state:?}");
            assert_eq!(kept.delete(), Err(StoreError::OnHold), "{state:?}");
            assert_eq!(kept.state, state);
            assert_eq!(kept.hold(false), Ok(()));
            assert_eq!(kept.expires(), expires(state), "{state:?}");
        }
    }

    #[test]
    fn a_merge_never_weakens_what_is_kept() {
        for (kept, new, merged) in [
            (State::Pending, State::Pending, State::Pending),
            (State::Pending, State::Held, State::Held),
            (State::Held, State::Pending, State::Held),
            (State::Held, State::Held, State::Held),
            (State::Pending, State::Undelivered, State::Undelivered),
            (State::Held, State::Undelivered, State::Undelivered),
            (State::Undelivered, State::Pending, State::Undelivered),
            (State::Undelivered, State::Held, State::Undelivered),
            (State::Undelivered, State::Undelivered, State::Undelivered),
        ] {
            let mut both = custody(kept, &["a@example.org"]);
            both.merge(new);
            assert_eq!(both.state, merged, "{kept:?} with {new:?}");
        }
        let mut shared = custody(State::Pending, &["a@example.org"]);
        shared.merge(State::Pending);
        assert_eq!(shared.settle(State::Voided), Ok(()));
        assert_eq!(shared.state, State::Pending, "another attempt is under way");
        assert_eq!(shared.settle(State::Voided), Ok(()));
        assert_eq!(shared.state, State::Voided);
    }

    #[test]
    fn the_exact_local_part_wins_and_any_case_will_do_without_it() {
        let held = [
            "Bob@Example.org",
            "bob@example.org",
            "\"A b\"@example.org",
            "Postmaster",
        ];
        for (name, expected) in [
            ("bob@EXAMPLE.ORG", Ok(vec![1])),
            ("Bob@example.org", Ok(vec![0])),
            ("BOB@example.org", Ok(vec![0, 1])),
            ("\"a b\"@example.org", Ok(vec![2])),
            ("postmaster", Ok(vec![3])),
            ("postmaster@example.org", Err(StoreError::NoSuchRecipient)),
            ("bob", Err(StoreError::NoSuchRecipient)),
            ("", Err(StoreError::NoSuchRecipient)),
        ] {
            let chosen = custody(State::Held, &held).choose(&names(&[name]), Standing::Held);
            assert_eq!(chosen, expected, "{name}");
        }
    }

    #[test]
    fn one_unknown_name_stops_the_whole_release() {
        let mut kept = custody(State::Held, &["a@example.org", "b@example.org"]);
        let refused = kept.claim(&names(&["a@example.org", "c@example.org"]));
        assert_eq!(refused, Err(StoreError::NoSuchRecipient));
        assert_eq!((kept.state, kept.remaining()), (State::Held, 2));
    }

    #[test]
    fn a_partial_release_leaves_the_rest_held() {
        let mut kept = custody(State::Held, &["a@example.org", "b@example.org", "c@example.org"]);
        let claimed = kept.claim(&names(&["b@example.org", "B@example.org", "c@example.org"]));
        assert_eq!(
            claimed.map(|claimed| claimed.len()),
            Ok(2),
            "a name given twice counts once"
        );
        assert_eq!((kept.state, kept.remaining()), (State::ReleaseUnknown, 1));
        kept.settle_release(&names(&["b@example.org"]), ReleaseOutcome::Delivered)
            .expect("was claimed");
        assert_eq!((kept.state, kept.remaining()), (State::Held, 2));
        assert_eq!(kept.claim(&names(&["b@example.org"])), Err(StoreError::NoSuchRecipient));
        kept.claim(&[]).expect("two are left");
        kept.settle_release(&[], ReleaseOutcome::Delivered)
            .expect("was claimed");
        assert_eq!((kept.state, kept.shown().len()), (State::Released, 3));
    }
}
