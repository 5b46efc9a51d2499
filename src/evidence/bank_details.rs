//! Bank details that a supplier's domain has shown before, told apart from those that it never did.
//!
//! Enters: what the store remembers under the author's domain, and the details in a message. Leaves: how many of them are
//! known and how many new. Knows nothing of how details are found in a text, nor of what a change of them means.

use super::{Fact, Key, Secret};
use crate::mail::Message;
use std::collections::BTreeSet;

/// How a message's bank details compare with those that its author's domain has shown before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BankDetails {
    /// Different ones that the domain has shown before.
    pub known: u64,
    /// Those of the message that are among them.
    pub seen: u64,
    /// Those of the message that aren't.
    pub new: u64,
}

/// The details that a domain is remembered with.
#[derive(Debug, Clone)]
pub struct Ledger {
    /// Makes keys of a message's details.
    pub secret: Secret,
    /// The domain.
    pub domain: Key,
    /// Its details.
    pub known: BTreeSet<Key>,
}

/// Where the comparison comes from.
#[derive(Debug, Clone)]
pub enum BankMemory {
    /// Somebody says what it comes to.
    Stated(Fact<BankDetails>),
    /// The store has not told, for this reason.
    Unanswered(&'static str),
    /// The store has answered; the message is still to be read.
    Recalled(Ledger),
}

impl BankMemory {
    /// What it comes to for this message; absent where it shows no details, whatever is remembered.
    pub fn compare(&self, message: &Message<'_>) -> Fact<BankDetails> {
        match self {
            Self::Stated(fact) => fact.clone(),
            told => told.compare_with(message.bank_details()),
        }
    }

    fn compare_with(&self, shown: &[String]) -> Fact<BankDetails> {
        match self {
            _ if shown.is_empty() => Fact::Absent,
            Self::Stated(fact) => fact.clone(),
            Self::Unanswered(cause) => Fact::Unknown(cause),
            Self::Recalled(ledger) => Fact::Known(ledger.compare(shown)),
        }
    }
}

impl Ledger {
    fn compare(&self, shown: &[String]) -> BankDetails {
        let keys: BTreeSet<Key> = shown
            .iter()
            .map(|details| self.secret.bank_details(&self.domain, details))
            .collect();
        let seen = keys.intersection(&self.known).count() as u64;
        BankDetails {
            known: self.known.len() as u64,
            seen,
            new: (keys.len() as u64).saturating_sub(seen),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::Domain;

    fn ledger(known: &[&str]) -> Ledger {
        let secret = Secret::new(&[1; Secret::BYTES]);
        let domain = secret.domain(&Domain::parse("supplier.example").unwrap());
        Ledger {
            known: known
                .iter()
                .map(|details| secret.bank_details(&domain, details))
                .collect(),
            secret,
            domain,
        }
    }

    #[test]
    fn details_are_known_or_new() {
        let (old, other, new) = ("20-11-43 55779911", "20-11-44 12345678", "GB33BUKB20201555555555");
        for (known, shown, [count, seen, fresh]) in [
            (&[][..], &[new][..], [0, 0, 1]),
            (&[old][..], &[old][..], [1, 1, 0]),
            (&[old, other][..], &[new][..], [2, 0, 1]),
            (&[old][..], &[new, old, new][..], [1, 1, 1]),
        ] {
            let shown: Vec<String> = shown.iter().map(|&details| details.to_owned()).collect();
            let expected = BankDetails {
                known: count,
                seen,
                new: fresh,
            };
            assert_eq!(ledger(known).compare(&shown), expected, "{known:?} {shown:?}");
        }
    }

    #[test]
    fn a_message_without_details_has_none_whatever_is_remembered() {
        let details = ["20-11-43 55779911".to_owned()];
        for (memory, with) in [
            (BankMemory::Unanswered("timeout"), Fact::Unknown("timeout")),
            (
                BankMemory::Recalled(ledger(&[])),
                Fact::Known(BankDetails {
                    new: 1,
                    ..BankDetails::default()
                }),
            ),
        ] {
            assert_eq!(memory.compare_with(&[]), Fact::Absent);
            assert_eq!(memory.compare_with(&details), with);
        }
    }

    #[test]
    fn what_one_domain_has_shown_says_nothing_of_another() {
        let one = ledger(&["20-11-43 55779911"]);
        let other = one.secret.domain(&Domain::parse("other.example").unwrap());
        let compared = Ledger { domain: other, ..one }.compare(&["20-11-43 55779911".to_owned()]);
        assert_eq!((compared.seen, compared.new), (0, 1));
    }
}
