//! What is remembered of correspondents: counts and moments under keyed hashes, and how a message adds to them.
//!
//! A store loads an [`Acquaintance`], has it learn, and saves what it then is, so that every store remembers the same.
//! Knows nothing of whom a key stands for, nor of what anything is taken to mean.

use crate::evidence::Key;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;
use uuid::Uuid;

use crate::units::Span;

/// The most that is recalled beneath one key; one more says that there are more.
pub const BENEATH_MAX: usize = 200;

/// `[store.history]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HistorySettings {
    /// Whether anything is remembered, and told to rules.
    pub enabled: bool,
    /// How long mail must have been watched before nobody seen is a stranger.
    pub settled_after: Span,
    /// How many messages must have been seen by then.
    pub settled_messages: u64,
    /// The most entries that are kept: an address, a domain or a pair each.
    pub entries: u64,
    /// How long a message waits for what is remembered; then it is unknown.
    pub deadline: Span,
}

impl Default for HistorySettings {
    fn default() -> Self {
        Self {
            enabled: true,
            // Four weeks, so that whoever writes once a month has been seen.
            settled_after: Span(Duration::from_hours(28 * 24)),
            settled_messages: 1_000,
            entries: 1_000_000,
            deadline: Span(Duration::from_millis(500)),
        }
    }
}

/// What one message, or what became of it later, teaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lesson {
    /// The message whose journal record says that it was learned, so that it counts once; `None` for what a person
    /// did later.
    pub message: Option<Uuid>,
    /// When the message was received.
    pub time: Timestamp,
    /// Whether it was ours.
    pub is_outbound: bool,
    /// What it adds.
    pub changes: Vec<Change>,
}

/// What is added to one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Whose.
    pub key: Key,
    /// What.
    pub adds: Adds,
}

/// What a message adds to an entry. One that is released was quarantined earlier and counts no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adds {
    /// A message from them.
    Message,
    /// A message from them that was quarantined.
    Quarantined,
    /// The release of one of those.
    Released,
    /// A message to them.
    Sent,
}

/// What is remembered under one key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Acquaintance {
    /// Messages from them.
    pub messages: u64,
    /// How many of them were quarantined.
    pub quarantined: u64,
    /// How many of these were released.
    pub released: u64,
    /// Messages to them.
    pub sent: u64,
    /// When the first from them came.
    pub first_seen: Option<Timestamp>,
    /// When the last from them came.
    pub last_seen: Option<Timestamp>,
    /// When anything was last added.
    pub touched: Timestamp,
    /// Whether we wrote before they ever did.
    pub sent_first: bool,
}

impl Acquaintance {
    /// Takes in what a message of this time adds.
    pub fn learn(&mut self, adds: Adds, time: Timestamp) {
        self.touched = self.touched.max(time);
        match adds {
            Adds::Message | Adds::Quarantined => {
                self.messages = self.messages.saturating_add(1);
                self.first_seen = Some(self.first_seen.map_or(time, |first| first.min(time)));
                self.last_seen = Some(self.last_seen.map_or(time, |last| last.max(time)));
                if adds == Adds::Quarantined {
                    self.quarantined = self.quarantined.saturating_add(1);
                }
            }
            // Released to one recipient after the other it is still one message.
            Adds::Released => self.released = self.released.saturating_add(1).min(self.quarantined),
            Adds::Sent => {
                self.sent_first |= self.messages == 0;
                self.sent = self.sent.saturating_add(1);
            }
        }
    }

    /// What it is worth when room is short: whom we write to before who has written twice, before who has written
    /// once. So a flood of names that nobody ever saw drives out only its like.
    pub const fn worth(&self) -> u8 {
        let withheld = self.quarantined.saturating_sub(self.released);
        match (self.sent, self.messages.saturating_sub(withheld)) {
            (1.., _) => 2,
            (0, 2..) => 1,
            (0, _) => 0,
        }
    }
}

/// What a store remembers of those asked about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recalled {
    /// How much it has seen at all.
    pub experience: Experience,
    /// What it remembers. Who isn't here was never seen, or is forgotten.
    pub known: BTreeMap<Key, Acquaintance>,
}

/// How much a store has seen at all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Experience {
    /// When the first message from others came.
    pub began: Option<Timestamp>,
    /// When the first of ours went out this way.
    pub outbound_began: Option<Timestamp>,
    /// Messages from others.
    pub messages: u64,
}

impl Experience {
    /// Takes in that a message of this time was seen.
    pub fn take(&mut self, is_outbound: bool, time: Timestamp) {
        let began = match is_outbound {
            true => &mut self.outbound_began,
            false => &mut self.began,
        };
        *began = Some(began.map_or(time, |known| known.min(time)));
        if !is_outbound {
            self.messages = self.messages.saturating_add(1);
        }
    }

    /// Whether enough was seen for somebody unknown to be a stranger.
    pub fn is_settled(&self, settings: &HistorySettings, now: Timestamp) -> bool {
        self.messages >= settings.settled_messages && has_lasted(self.began, settings, now)
    }

    /// Whether enough of our own mail was seen; `None` when it doesn't come this way.
    pub fn is_outbound_settled(&self, settings: &HistorySettings, now: Timestamp) -> Option<bool> {
        self.outbound_began.map(|began| has_lasted(Some(began), settings, now))
    }
}

fn has_lasted(began: Option<Timestamp>, settings: &HistorySettings, now: Timestamp) -> bool {
    let settled = now.checked_sub(settings.settled_after.0).unwrap_or(Timestamp::MIN);
    began.is_some_and(|began| began <= settled)
}

/// What came of learning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Learned {
    /// Entries that were dropped to make room.
    pub dropped: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::at;

    fn learned(steps: &[(Adds, i64)]) -> Acquaintance {
        let mut known = Acquaintance::default();
        for (adds, seconds) in steps {
            known.learn(*adds, at(*seconds));
        }
        known
    }

    #[test]
    fn messages_are_counted_and_dated() {
        let known = learned(&[(Adds::Message, 5), (Adds::Quarantined, 9), (Adds::Message, 2)]);
        assert_eq!((known.messages, known.quarantined), (3, 1));
        assert_eq!((known.first_seen, known.last_seen), (Some(at(2)), Some(at(9))));
        assert_eq!(known.touched, at(9));
    }

    #[test]
    fn no_more_are_released_than_were_quarantined() {
        let known = learned(&[(Adds::Quarantined, 1), (Adds::Released, 1), (Adds::Released, 1)]);
        assert_eq!((known.messages, known.released), (1, 1));
        assert_eq!(learned(&[(Adds::Released, 1)]).released, 0);
    }

    #[test]
    fn who_wrote_first_stays_so() {
        let ours = learned(&[(Adds::Sent, 1), (Adds::Message, 2), (Adds::Sent, 3)]);
        assert!(ours.sent_first && ours.sent == 2);
        let theirs = learned(&[(Adds::Message, 1), (Adds::Sent, 2)]);
        assert!(!theirs.sent_first && theirs.first_seen == Some(at(1)));
    }

    #[test]
    fn correspondents_are_worth_more_than_strangers() {
        let worth = |steps: &[Adds]| {
            let steps: Vec<(Adds, i64)> = steps.iter().map(|adds| (*adds, 1)).collect();
            learned(&steps).worth()
        };
        assert_eq!(worth(&[Adds::Message]), 0);
        assert_eq!(worth(&[Adds::Message, Adds::Quarantined, Adds::Quarantined]), 0);
        assert_eq!(worth(&[Adds::Message, Adds::Quarantined, Adds::Released]), 1);
        assert_eq!(worth(&[Adds::Message, Adds::Message]), 1);
        assert_eq!(worth(&[Adds::Sent]), 2);
    }

    #[test]
    fn it_is_settled_by_time_and_messages_both() {
        let settings = HistorySettings {
            settled_after: Span(Duration::from_secs(100)),
            settled_messages: 2,
            ..HistorySettings::default()
        };
        let mut seen = Experience::default();
        assert!(!seen.is_settled(&settings, at(1_000)), "nothing was seen");
        seen.take(false, at(10));
        assert!(!seen.is_settled(&settings, at(1_000)), "one message of two");
        seen.take(false, at(20));
        assert!(!seen.is_settled(&settings, at(109)), "a second too early");
        assert!(seen.is_settled(&settings, at(110)));
        assert_eq!(seen.is_outbound_settled(&settings, at(110)), None);
        seen.take(true, at(50));
        assert_eq!(seen.messages, 2);
        assert_eq!(seen.is_outbound_settled(&settings, at(149)), Some(false));
        assert_eq!(seen.is_outbound_settled(&settings, at(150)), Some(true));
    }
}
