//! What was seen of a correspondent before: facts for rules, and the keyed hashes that it is remembered by.
//!
//! Enters: addresses and domains. Leaves: [`Key`]s, from which nobody without the store's secret tells whom they
//! stand for, and the records that rules read. Knows nothing of where anything is remembered, or for how long.

use super::{BankDetails, BankMemory, Fact};
use crate::mail::{Domain, Message};
use jiff::Timestamp;
use ring::hmac;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Bytes of a hash that are kept: enough that no two correspondents ever share one by chance.
const HASH_BYTES: usize = 16;

/// What something is remembered by. One that has another beneath it stands before it in order.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Vec<u8>);

impl Key {
    /// The bytes that a store keeps.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Bytes that a store kept.
    pub const fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Whether this is what another is remembered beneath.
    pub fn is_above(&self, other: &Self) -> bool {
        other.0.len() > self.0.len() && other.0.starts_with(&self.0)
    }

    /// Whether it stands beneath anything, and ends in this.
    pub fn ends_in(&self, end: &Self) -> bool {
        self.0.len() > end.0.len() && self.0.ends_with(&end.0)
    }

    /// The first that no longer stands beneath this one; `None` when all after it do.
    pub fn beyond(&self) -> Option<Self> {
        let last = self.0.iter().rposition(|byte| *byte < u8::MAX)?;
        let mut beyond = self.0.get(..=last)?.to_vec();
        let byte = beyond.last_mut()?;
        *byte = byte.saturating_add(1);
        Some(Self(beyond))
    }
}

/// Not even a hash is for logs.
impl std::fmt::Debug for Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Key({} bytes)", self.0.len())
    }
}

/// Makes keys. What it is made from never leaves the store.
#[derive(Debug, Clone)]
pub struct Secret(hmac::Key);

impl Secret {
    /// Bytes of what it is made from.
    pub const BYTES: usize = 32;

    /// From the store's own bytes.
    pub fn new(bytes: &[u8; Self::BYTES]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// An address, in whatever case it is written.
    pub fn address(&self, address: &str) -> Key {
        Key(self.hash("address", &folded(address)))
    }

    /// A registrable domain; a host that has none stands for itself.
    pub fn domain(&self, domain: &Domain) -> Key {
        Key(self.hash("domain", domain.site().unwrap_or(domain.as_str())))
    }

    /// An author as one recipient knows them: beneath the author's own.
    pub fn pair(&self, author: &Key, recipient: &str) -> Key {
        self.beneath(author, "recipient", &folded(recipient))
    }

    /// A recipient, as they stand in each pair.
    pub fn recipient(&self, address: &str) -> Key {
        Key(self.hash("recipient", &folded(address)))
    }

    /// Bank details in their one form, as one domain shows them: beneath the domain's own.
    pub fn bank_details(&self, domain: &Key, details: &str) -> Key {
        self.beneath(domain, "bank details", details)
    }

    fn beneath(&self, above: &Key, kind: &str, text: &str) -> Key {
        Key([above.as_bytes(), &self.hash(kind, text)].concat())
    }

    /// The kind stands before the text, so that no address is ever taken for a domain.
    fn hash(&self, kind: &str, text: &str) -> Vec<u8> {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(kind.as_bytes());
        context.update(&[0]);
        context.update(text.as_bytes());
        let tag = context.sign();
        tag.as_ref().iter().take(HASH_BYTES).copied().collect()
    }
}

/// RFC 5321 §2.4 lets local parts differ by case; no sender that people know does.
fn folded(address: &str) -> String {
    address.trim().to_lowercase()
}

/// What is remembered of a correspondent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// Messages from them before this one, delivered or quarantined.
    pub messages_before: u64,
    /// When the first of them came.
    pub first_seen: Option<Timestamp>,
    /// When the last of them came.
    pub last_seen: Option<Timestamp>,
    /// How many of them were quarantined.
    pub quarantined_before: u64,
    /// How many of these were released.
    pub released_before: u64,
    /// Messages that we sent them; not known where outbound mail doesn't come this way.
    pub sent_before: Fact<u64>,
    /// Whether we wrote before they ever did.
    pub sent_first: Fact<bool>,
}

/// What is remembered of everybody whom a message is between.
#[derive(Debug, Clone)]
pub struct Histories {
    /// The author's address.
    pub from: Fact<History>,
    /// The author's registrable domain.
    pub domain: Fact<History>,
    /// The author as the recipient knows them who knows them best.
    pub pair: Fact<History>,
    /// The bank details that the author's domain has shown.
    pub bank_details: BankMemory,
    /// Whether somebody wanted what nobody has looked up yet.
    pub wanted: Wanted,
}

/// Tells whether a memory that wasn't asked yet is worth asking: set when something is wanted of it.
#[derive(Debug, Clone, Default)]
pub struct Wanted(Option<Arc<AtomicBool>>);

impl Wanted {
    /// Whether it was.
    pub fn is_set(&self) -> bool {
        self.0.as_ref().is_some_and(|wanted| wanted.load(Ordering::Relaxed))
    }

    fn set(&self) {
        if let Some(wanted) = &self.0 {
            wanted.store(true, Ordering::Relaxed);
        }
    }
}

impl Histories {
    /// None of it could be found out, for this reason.
    pub const fn unknown(cause: &'static str) -> Self {
        Self {
            from: Fact::Unknown(cause),
            domain: Fact::Unknown(cause),
            pair: Fact::Unknown(cause),
            bank_details: BankMemory::Unanswered(cause),
            wanted: Wanted(None),
        }
    }

    /// Nobody has been asked yet: all of it is unknown, and the note tells whether that made a difference to anyone.
    pub fn unasked() -> Self {
        Self {
            wanted: Wanted(Some(Arc::default())),
            ..Self::unknown("not-asked")
        }
    }

    /// One of its facts, for somebody who wants it.
    pub fn want<'h>(&'h self, fact: impl FnOnce(&'h Self) -> &'h Fact<History>) -> &'h Fact<History> {
        self.wanted.set();
        fact(self)
    }

    /// The message's bank details against those remembered. Without any in the message nothing is wanted.
    pub fn want_bank_details(&self, message: &Message<'_>) -> Fact<BankDetails> {
        let compared = self.bank_details.compare(message);
        if matches!(compared, Fact::Unknown(_)) {
            self.wanted.set();
        }
        compared
    }

    /// Nobody was to remember anything, or there is nobody to be remembered.
    pub const fn absent() -> Self {
        Self {
            from: Fact::Absent,
            domain: Fact::Absent,
            pair: Fact::Absent,
            bank_details: BankMemory::Stated(Fact::Absent),
            wanted: Wanted(None),
        }
    }

    /// The same for address, domain and pair, and no bank details.
    pub fn alike(history: History) -> Self {
        Self {
            from: Fact::Known(history.clone()),
            domain: Fact::Known(history.clone()),
            pair: Fact::Known(history),
            bank_details: BankMemory::Stated(Fact::Absent),
            wanted: Wanted(None),
        }
    }

    /// Never seen, and never written to.
    pub fn stranger() -> Self {
        Self::alike(History {
            sent_before: Fact::Known(0),
            sent_first: Fact::Known(false),
            ..History::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain(text: &str) -> Domain {
        Domain::parse(text).unwrap()
    }

    #[test]
    fn a_correspondent_has_one_key_however_it_is_written() {
        let secret = Secret::new(&[1; Secret::BYTES]);
        assert_eq!(
            secret.address("Ann@Supplier.example"),
            secret.address(" ann@supplier.example")
        );
        assert_ne!(
            secret.address("ann@supplier.example"),
            secret.address("ann@supplier.test")
        );
        assert_eq!(
            secret.domain(&domain("mail.supplier.co.uk")),
            secret.domain(&domain("SUPPLIER.co.uk"))
        );
        assert_ne!(
            secret.domain(&domain("one.co.uk")),
            secret.domain(&domain("other.co.uk"))
        );
    }

    #[test]
    fn keys_of_different_kinds_and_secrets_differ() {
        let (one, other) = (Secret::new(&[1; Secret::BYTES]), Secret::new(&[2; Secret::BYTES]));
        let text = "supplier.example";
        assert_ne!(one.address(text), one.domain(&domain(text)));
        assert_ne!(one.address(text), other.address(text));
        assert_eq!(one.address(text).as_bytes().len(), HASH_BYTES);
    }

    #[test]
    fn a_pair_stands_beneath_its_author() {
        let secret = Secret::new(&[1; Secret::BYTES]);
        let (author, other) = (secret.address("a@b.example"), secret.address("c@d.example"));
        let pair = secret.pair(&author, "us@council.example");
        assert!(author.is_above(&pair) && author < pair);
        assert!(!pair.is_above(&author) && !author.is_above(&author) && !other.is_above(&pair));
        assert_ne!(pair, secret.pair(&author, "them@council.example"));
        let recipient = secret.recipient("Us@council.example");
        assert!(pair.ends_in(&recipient) && !recipient.ends_in(&recipient) && !author.ends_in(&recipient));
    }

    #[test]
    fn what_stands_beneath_a_key_ends_before_what_is_beyond() {
        let beyond = |bytes: &[u8]| Key::from_bytes(bytes.to_vec()).beyond();
        assert_eq!(beyond(&[1, 2]), Some(Key::from_bytes(vec![1, 3])));
        assert_eq!(beyond(&[1, 255]), Some(Key::from_bytes(vec![2])));
        assert_eq!(beyond(&[255, 255]), None);
    }

    #[test]
    fn nothing_of_a_key_is_shown() {
        let shown = format!("{:?}", Secret::new(&[1; 32]).address("a@b.example"));
        assert_eq!(shown, "Key(16 bytes)");
    }
}
