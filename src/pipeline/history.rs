//! Who a message is between, as the store remembers them: asked before it is judged, and taught what became of it.
//!
//! Enters: a message, and later its judgement and record. Leaves: facts for rules, and a lesson for the store. Nothing
//! that anybody could read goes to the store: only keyed hashes. Knows nothing of how they are kept.

use super::{Gate, Judgement, Live};
use crate::evidence::{BankMemory, Fact, Histories, History, Key, Ledger, Outside, Secret, Wanted};
use crate::mail::{Direction, Domain, Mail, Message, Recipient, message};
use crate::rules::{Action, RuleSet};
use crate::store::history::{Acquaintance, Adds, BENEATH_MAX, Change, HistorySettings, Lesson, Recalled};
use crate::store::{Quarantined, State};
use crate::telemetry::MessageEvent;
use jiff::{SignedDuration, Timestamp};

/// Recipients of one message that are remembered. Mail to more of them tells nothing of any one.
const RECIPIENTS_MAX: usize = 50;

/// How long bank details must have been known to vouch for themselves, unless a person has released them: whoever sends
/// false ones sends them twice.
const DETAILS_STAND_AFTER: SignedDuration = SignedDuration::from_hours(14 * 24);

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

/// Whether any rule asks for bank details that were shown before.
fn asks_bank_details(rules: &RuleSet) -> bool {
    rules.needs().iter().any(|(field, _)| *field == "history.bank_details")
}

/// Bank details of a message that may be learned: those that somebody would compare, and that no forger has put there.
pub(super) fn bank_details(message: &Message<'_>, outside: &Outside, rules: &RuleSet) -> Vec<String> {
    match outside.auth.aligned {
        Fact::Known(false) => Vec::new(),
        _ if !asks_bank_details(rules) => Vec::new(),
        _ => message.bank_details().to_vec(),
    }
}

/// Whom the store is to be asked about.
#[derive(Debug)]
pub(super) enum Inquiry {
    /// Nobody, and what is remembered is this.
    Nobody(Box<Histories>),
    /// These, and whether about the bank details of the domain too.
    About(Correspondents, bool),
}

impl Inquiry {
    /// What to ask about a message. Mail of our own has no stranger for an author.
    pub(super) fn of(mail: &Mail, secret: &Secret, live: &Live) -> Self {
        if !live.history.enabled || mail.direction == Direction::Outbound {
            return Self::Nobody(Box::new(Histories::absent()));
        }
        if !is_asked(&live.criteria.rules) {
            return Self::Nobody(Box::new(Histories::unknown("not-gathered")));
        }
        match correspondents(secret, mail, &live.criteria.parsing) {
            Some(who) => Self::About(who, asks_bank_details(&live.criteria.rules)),
            None => Self::Nobody(Box::new(Histories::absent())),
        }
    }

    /// What rules see until the store is asked, which it is only if one of them wants what it remembers: most messages
    /// are decided without.
    pub(super) fn meanwhile(&self) -> Histories {
        match self {
            Self::Nobody(histories) => Histories::clone(histories),
            Self::About(..) => Histories::unasked(),
        }
    }

    /// Asks the store.
    pub(super) async fn ask(self, gate: &Gate, live: &Live, now: Timestamp) -> Histories {
        let (who, of_details) = match self {
            Self::Nobody(histories) => return *histories,
            Self::About(who, of_details) => (who, of_details),
        };
        let settings = &live.history;
        let beneath = who.domain.clone().filter(|_| of_details);
        let recalled = tokio::time::timeout(settings.deadline.0, gate.store.recall(who.keys(), beneath)).await;
        match recalled {
            Ok(Ok(recalled)) => {
                let mut histories = histories(&who, &recalled, settings, now);
                if let (true, Some(domain), Fact::Known(_)) = (of_details, who.domain, &histories.domain) {
                    histories.bank_details = bank_memory(gate.secret.clone(), domain, &recalled, now);
                }
                histories
            }
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
        bank_details: BankMemory::Stated(Fact::Absent),
        wanted: Wanted::default(),
    }
}

const UNSETTLED: &str = "unsettled";

/// The details that a domain is known by.
fn bank_memory(secret: Secret, domain: Key, recalled: &Recalled, now: Timestamp) -> BankMemory {
    let shown = || recalled.known.iter().filter(|(key, _)| domain.is_above(key));
    if shown().count() > BENEATH_MAX {
        return BankMemory::Unanswered("limit");
    }
    let by = now.checked_sub(DETAILS_STAND_AFTER).unwrap_or(Timestamp::MIN);
    let stands = |known: &Acquaintance| known.released > 0 || known.first_seen.is_some_and(|first| first <= by);
    let known = shown().filter(|(_, known)| stands(known)).map(|(key, _)| key.clone());
    BankMemory::Recalled(Ledger {
        known: known.collect(),
        secret,
        domain,
    })
}

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
        Direction::Inbound => {
            let mut changes = received(mail, judgement, event, &gate.secret);
            if !is_kept && judgement.verdict.action <= Action::Tag {
                changes.extend(details(
                    &judgement.author,
                    &judgement.bank_details,
                    &gate.secret,
                    &[Adds::Message],
                ));
            }
            changes
        }
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

/// What a person's release of a message teaches: that it was no such thing as it was taken for.
pub fn release_lesson(kept: &Quarantined, recipients: &[String], secret: &Secret, live: &Live) -> Option<Lesson> {
    if !live.history.enabled {
        return None;
    }
    let criteria = &live.criteria;
    let changes = release_changes(kept, recipients, secret, &criteria.rules, &criteria.parsing);
    (!changes.is_empty()).then_some(Lesson {
        message: None,
        time: kept.received,
        is_outbound: false,
        changes,
    })
}

fn release_changes(
    kept: &Quarantined,
    recipients: &[String],
    secret: &Secret,
    rules: &RuleSet,
    limits: &message::Limits,
) -> Vec<Change> {
    let was_quarantined = kept.state == State::Held && kept.event.direction == Direction::Inbound.as_str();
    if !was_quarantined || kept.from.is_empty() {
        return Vec::new();
    }
    let from = secret.address(&kept.from);
    let domain = domain_of(&kept.from).map(|domain| secret.domain(&domain));
    let pairs: Vec<Key> = recipients.iter().map(|to| secret.pair(&from, to)).collect();
    let keys = std::iter::once(from).chain(domain).chain(pairs);
    let adds = Adds::Released;
    let mut changes: Vec<Change> = keys.map(|key| Change { key, adds }).collect();
    if asks_bank_details(rules) {
        let message = Message::parse(&kept.body, limits);
        // They were not learned when it was kept.
        let adds = [Adds::Quarantined, Adds::Released];
        changes.extend(details(&kept.from, message.bank_details(), secret, &adds));
    }
    changes
}

/// What a message adds to the bank details of its author's domain.
fn details(author: &str, shown: &[String], secret: &Secret, adds: &[Adds]) -> Vec<Change> {
    let Some(domain) = domain_of(author).map(|domain| secret.domain(&domain)) else {
        return Vec::new();
    };
    let keys = shown.iter().map(|details| secret.bank_details(&domain, details));
    let changes = keys.flat_map(|key| {
        adds.iter().map(move |adds| Change {
            key: key.clone(),
            adds: *adds,
        })
    });
    changes.collect()
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

    #[test]
    fn bank_details_vouch_for_themselves_in_time_or_by_a_persons_word() {
        let who = who(&["us@council.example"]);
        let domain = who.domain.unwrap();
        let days = |days: i64| at(days * 86_400);
        for (first_seen, released, known) in [(1, 0, 0), (0, 0, 1), (13, 1, 1)] {
            let mut recalled = recalled(None, &[(domain.clone(), 5)]);
            let shown = Acquaintance {
                first_seen: Some(days(first_seen)),
                released,
                ..Acquaintance::default()
            };
            let key = secret().bank_details(&domain, "20-11-43 55779911");
            recalled.known.insert(key, shown);
            let memory = bank_memory(secret(), domain.clone(), &recalled, days(14));
            let BankMemory::Recalled(ledger) = memory else {
                panic!("{memory:?}");
            };
            assert_eq!(ledger.known.len(), known, "{first_seen} {released}");
        }
    }

    #[test]
    fn more_details_than_anybody_has_say_nothing() {
        let domain = who(&["us@council.example"]).domain.unwrap();
        for (count, is_known) in [(BENEATH_MAX, true), (BENEATH_MAX + 1, false)] {
            let details = (0..count).map(|number| (secret().bank_details(&domain, &number.to_string()), 1));
            let recalled = recalled(None, &details.collect::<Vec<_>>());
            let memory = bank_memory(secret(), domain.clone(), &recalled, at(0));
            assert_eq!(matches!(memory, BankMemory::Recalled(_)), is_known, "{count}");
        }
    }

    #[test]
    fn a_release_speaks_for_author_and_recipients_and_no_more() {
        let mut kept = crate::store::conformance::message(1, State::Held, &["bob@town.example"]);
        kept.event.direction = "inbound".into();
        let rules = RuleSet::load_embedded(at(0)).unwrap().set;
        let lesson = |kept: &Quarantined| {
            let limits = message::Limits::default();
            release_changes(kept, &["bob@town.example".into()], &secret(), &rules, &limits)
        };
        let from = secret().address("ann@sender.example");
        let domain = secret().domain(&Domain::parse("sender.example").unwrap());
        let keys: Vec<Key> = lesson(&kept).into_iter().map(|change| change.key).collect();
        assert_eq!(keys, [from.clone(), domain, secret().pair(&from, "bob@town.example")]);
        kept.state = State::Undelivered;
        assert_eq!(lesson(&kept), [], "nobody ever doubted it");
        kept.state = State::Held;
        kept.event.direction = "outbound".into();
        assert_eq!(lesson(&kept), []);
    }
}
