//! Who a message is between, as the store remembers them: asked before it is judged, and taught what became of it.
//!
//! Enters: a message, and later its judgement and record. Leaves: facts for rules, and a lesson for the store. Nothing
//! that anybody could read goes to the store: only keyed hashes. Knows nothing of how they are kept.

use super::{Gate, Judgement, Live};
use crate::evidence::{Fact, Histories, History, Key, Secret};
use crate::mail::{Direction, Domain, Mail, Message, Recipient, message};
use crate::rules::{Action, RuleSet};
use crate::store::history::{Acquaintance, Adds, Change, HistorySettings, Lesson, Recalled};
use crate::telemetry::MessageEvent;
use jiff::Timestamp;

/// Recipients of one message that are remembered. Mail to more of them tells nothing of any one.
const RECIPIENTS_MAX: usize = 50;

/// How far into a message its author is looked for, in bytes.
const HEADER_MOST: usize = 256 << 10;

/// Whom a message is from, and how each recipient is remembered with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Correspondents {
    from: Key,
    domain: Option<Key>,
    /// None when there are too many.
    pairs: Vec<Key>,
}

impl Correspondents {
    fn of(secret: &Secret, address: &str, domain: Option<&Domain>, recipients: &[Recipient]) -> Option<Self> {
        if address.is_empty() {
            return None;
        }
        let from = secret.address(address);
        let remembered = match recipients.len() <= RECIPIENTS_MAX {
            true => recipients,
            false => &[],
        };
        let pairs = remembered.iter().map(|to| secret.pair(&from, to.address.as_str()));
        Some(Self {
            pairs: pairs.collect(),
            domain: domain.map(|domain| secret.domain(domain)),
            from,
        })
    }

    fn keys(&self) -> Vec<Key> {
        let both = std::iter::once(&self.from).chain(&self.domain);
        both.chain(&self.pairs).cloned().collect()
    }
}

/// Whether any rule asks for what the store remembers.
fn is_asked(rules: &RuleSet) -> bool {
    rules.needs().iter().any(|(field, _)| field.starts_with("history."))
}

/// Whom the store is to be asked about.
#[derive(Debug)]
pub(super) enum Inquiry {
    /// Nobody, and what is remembered is this.
    Nobody(Histories),
    /// These.
    About(Correspondents),
}

impl Inquiry {
    /// What to ask about a message. Mail of our own has no stranger for an author.
    pub(super) fn of(mail: &Mail, secret: &Secret, live: &Live) -> Self {
        if !live.history.enabled || mail.direction == Direction::Outbound {
            return Self::Nobody(Histories::absent());
        }
        if !is_asked(&live.criteria.rules) {
            return Self::Nobody(Histories::unknown("not-gathered"));
        }
        match correspondents(secret, mail, &live.criteria.parsing) {
            Some(who) => Self::About(who),
            None => Self::Nobody(Histories::absent()),
        }
    }

    /// Asks the store.
    pub(super) async fn ask(self, gate: &Gate, live: &Live, now: Timestamp) -> Histories {
        let who = match self {
            Self::Nobody(histories) => return histories,
            Self::About(who) => who,
        };
        let settings = &live.history;
        let recalled = tokio::time::timeout(settings.deadline.0, gate.store.recall(who.keys())).await;
        match recalled {
            Ok(Ok(recalled)) => histories(&who, &recalled, settings, now),
            // The store has told why.
            Ok(Err(_)) => unanswered(gate, "failed"),
            Err(_) => unanswered(gate, "timeout"),
        }
    }
}

fn unanswered(gate: &Gate, cause: &'static str) -> Histories {
    gate.telemetry.history_unanswered(cause);
    Histories::unknown(cause)
}

/// The author as the header names them. Only that is parsed here.
fn correspondents(secret: &Secret, mail: &Mail, limits: &message::Limits) -> Option<Correspondents> {
    let beginning = mail.bytes.get(..HEADER_MOST).unwrap_or(&mail.bytes);
    let end = memchr::memmem::find(beginning, b"\r\n\r\n").map_or(beginning.len(), |end| end + 2);
    let header = Message::parse(beginning.get(..end).unwrap_or(beginning), limits);
    let author = header.from()?;
    Correspondents::of(
        secret,
        &author.address,
        author.domain.as_ref(),
        &mail.envelope.recipients,
    )
}

/// What rules see of it. Until enough was seen, that somebody wasn't says nothing.
fn histories(who: &Correspondents, recalled: &Recalled, settings: &HistorySettings, now: Timestamp) -> Histories {
    if !recalled.experience.is_settled(settings, now) {
        return Histories::unknown(UNSETTLED);
    }
    let ours = recalled.experience.is_outbound_settled(settings, now);
    let known = |key: &Key| recalled.known.get(key).copied().unwrap_or_default();
    let best_known = who
        .pairs
        .iter()
        .map(known)
        .max_by_key(|known| (known.messages, known.sent));
    Histories {
        from: Fact::Known(history(&known(&who.from), ours)),
        domain: match &who.domain {
            Some(domain) => Fact::Known(history(&known(domain), ours)),
            None => Fact::Absent,
        },
        pair: match best_known {
            Some(pair) => Fact::Known(history(&pair, ours)),
            None => Fact::Unknown("limit"),
        },
    }
}

const UNSETTLED: &str = "unsettled";

fn history(known: &Acquaintance, ours: Option<bool>) -> History {
    fn of_ours<T>(value: T, ours: Option<bool>) -> Fact<T> {
        match ours {
            Some(true) => Fact::Known(value),
            Some(false) => Fact::Unknown(UNSETTLED),
            None => Fact::Absent,
        }
    }
    History {
        messages_before: known.messages,
        first_seen: known.first_seen,
        last_seen: known.last_seen,
        quarantined_before: known.quarantined,
        released_before: known.released,
        sent_before: of_ours(known.sent, ours),
        sent_first: of_ours(known.sent_first, ours),
    }
}

/// What a message teaches once it has been dealt with. One that its sender still has, or that was refused, teaches
/// nothing: nobody here has seen it.
pub(super) fn lesson(
    mail: &Mail,
    judgement: &Judgement,
    event: &MessageEvent,
    gate: &Gate,
    live: &Live,
) -> Option<Lesson> {
    let is_kept = event.action == Action::Quarantine.as_str();
    let is_seen = is_kept || matches!(event.action.as_str(), "deliver" | "tag");
    if !live.history.enabled || !is_seen {
        return None;
    }
    let changes = match mail.direction {
        Direction::Inbound => received(mail, judgement, event, &gate.secret),
        Direction::Outbound => sent(mail, judgement, &gate.secret),
    };
    Some(Lesson {
        message: Some(mail.id),
        time: mail.received,
        is_outbound: mail.direction == Direction::Outbound,
        changes,
    })
}

fn received(mail: &Mail, judgement: &Judgement, event: &MessageEvent, secret: &Secret) -> Vec<Change> {
    let domain = domain_of(&judgement.author);
    let Some(who) = Correspondents::of(secret, &judgement.author, domain.as_ref(), &mail.envelope.recipients) else {
        return Vec::new();
    };
    let quarantine = Action::Quarantine.as_str();
    let adds = |is_kept: bool| match is_kept {
        true => Adds::Quarantined,
        false => Adds::Message,
    };
    // A message counts by the strongest that was done with it, with each recipient by what they got.
    let strongest = adds(event.recipients.iter().any(|one| one.verdict == quarantine));
    let whole = std::iter::once(who.from).chain(who.domain);
    let whole = whole.map(|key| Change { key, adds: strongest });
    let pairs = who.pairs.into_iter().zip(&event.recipients);
    let pairs = pairs.map(|(key, one)| Change {
        key,
        adds: adds(one.verdict == quarantine),
    });
    let mut changes: Vec<Change> = whole.chain(pairs).collect();
    // Somebody may be named twice.
    changes.sort_by(|one, other| one.key.cmp(&other.key));
    changes.dedup_by(|one, other| one.key == other.key);
    changes
}

/// Our own mail teaches who of us writes to whom: once for an address, once for a domain, whoever else is there.
fn sent(mail: &Mail, judgement: &Judgement, secret: &Secret) -> Vec<Change> {
    let recipients = &mail.envelope.recipients;
    if judgement.author.is_empty() || recipients.len() > RECIPIENTS_MAX {
        return Vec::new();
    }
    let mut keys: Vec<Key> = Vec::new();
    for recipient in recipients {
        let from = secret.address(recipient.address.as_str());
        keys.push(secret.pair(&from, &judgement.author));
        keys.push(from);
        keys.extend(recipient.address.domain().map(|domain| secret.domain(&domain)));
    }
    keys.sort_unstable();
    keys.dedup();
    let adds = Adds::Sent;
    keys.into_iter().map(|key| Change { key, adds }).collect()
}

fn domain_of(address: &str) -> Option<Domain> {
    Domain::parse(address.rsplit_once('@')?.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::Address;
    use crate::store::history::Experience;
    use crate::units::Span;
    use std::time::Duration;

    fn secret() -> Secret {
        Secret::new(&[3; Secret::BYTES])
    }

    fn recipients(addresses: &[&str]) -> Vec<Recipient> {
        let recipients = addresses.iter().map(|address| Recipient {
            address: Address::from_checked(*address),
            parameters: Vec::new(),
        });
        recipients.collect()
    }

    fn who(to: &[&str]) -> Correspondents {
        let domain = Domain::parse("supplier.example");
        Correspondents::of(&secret(), "ann@supplier.example", domain.as_ref(), &recipients(to)).unwrap()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn settings() -> HistorySettings {
        HistorySettings {
            settled_after: Span(Duration::from_secs(100)),
            settled_messages: 1,
            ..HistorySettings::default()
        }
    }

    fn recalled(outbound_began: Option<Timestamp>, known: &[(Key, u64)]) -> Recalled {
        let known = known.iter().map(|(key, messages)| {
            let known = Acquaintance {
                messages: *messages,
                ..Acquaintance::default()
            };
            (key.clone(), known)
        });
        Recalled {
            experience: Experience {
                began: Some(at(0)),
                outbound_began,
                messages: 1,
            },
            known: known.collect(),
        }
    }

    fn messages(history: &Fact<History>) -> u64 {
        match history {
            Fact::Known(history) => history.messages_before,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn nobody_is_a_stranger_until_enough_was_seen() {
        let who = who(&["us@council.example"]);
        let early = histories(&who, &recalled(None, &[(who.from.clone(), 3)]), &settings(), at(99));
        for fact in [&early.from, &early.domain, &early.pair] {
            assert_eq!(*fact, Fact::Unknown(UNSETTLED));
        }
        let late = histories(&who, &recalled(None, &[(who.from.clone(), 3)]), &settings(), at(100));
        assert_eq!((messages(&late.from), messages(&late.domain)), (3, 0));
    }

    #[test]
    fn what_we_sent_is_known_only_where_it_comes_this_way() {
        let who = who(&["us@council.example"]);
        for (began, sent) in [
            (None, Fact::Absent),
            (Some(at(1)), Fact::Unknown(UNSETTLED)),
            (Some(at(0)), Fact::Known(0)),
        ] {
            let Fact::Known(from) = histories(&who, &recalled(began, &[]), &settings(), at(100)).from else {
                panic!("it is settled");
            };
            assert_eq!(from.sent_before, sent);
        }
    }

    #[test]
    fn of_several_recipients_the_one_who_knows_the_author_best_counts() {
        let who = who(&["a@council.example", "b@council.example"]);
        let known = [(who.pairs[1].clone(), 2)];
        let found = histories(&who, &recalled(None, &known), &settings(), at(100));
        assert_eq!(messages(&found.pair), 2);
    }

    #[test]
    fn a_crowd_of_recipients_is_not_remembered_one_by_one() {
        for (count, fact) in [
            (RECIPIENTS_MAX, Fact::Known(())),
            (RECIPIENTS_MAX + 1, Fact::Unknown("limit")),
        ] {
            let who = who(&vec!["us@council.example"; count]);
            let found = histories(&who, &recalled(None, &[]), &settings(), at(100));
            let found = match found.pair {
                Fact::Known(_) => Fact::Known(()),
                Fact::Absent => Fact::Absent,
                Fact::Unknown(cause) => Fact::Unknown(cause),
            };
            assert_eq!(found, fact, "{count}");
        }
    }
}
