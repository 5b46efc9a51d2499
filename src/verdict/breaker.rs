//! Which rules are taken out of service, since they cost too much or catch too much.
//!
//! Enters: the rules of each generation, and of each message which rules were over their budget and which
//! alone had it kept or refused. Leaves: rules that trip to shadow or are held at quarantine, until they are
//! changed or somebody arms them again. Pure: the time is told. Knows nothing of how rules are evaluated,
//! nor where this is kept.

use crate::rules::held::{Held, Standing};
use crate::rules::{Action, RuleSet, RuleText};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A rule trips once it was over its budget on so many different messages.
pub const OVER_MESSAGES_MAX: usize = 20;
/// A rule whose text has stood for so long isn't held for what strangers send.
pub const PROVEN_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// Messages over which shares are told, then counted anew.
pub const STRETCH_MESSAGES: u64 = 1_000;
/// A young rule that alone has so many of a stretch kept or refused is looked at.
pub const CAUGHT_MIN: u64 = 100;
/// Its catch is outlying when it is so many times that of all other causes.
const OUTLYING_TIMES: u64 = 3;
/// How long a rule that left is remembered, so that a file that is gone for a while brings back no young rules.
const REMEMBERED_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);
/// So many of them at most, those that left last.
const REMEMBERED_MAX: usize = 1_000;

/// Why a rule is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// It was over its budget on many messages: it is in shadow.
    Budget,
    /// It alone had an outlying share of mail kept or refused: it causes quarantine at most.
    Share,
}

impl Cause {
    /// The word in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Budget => "budget",
            Self::Share => "share",
        }
    }

    /// What it means for the rule, for people.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Budget => "in shadow: it was over its budget on 20 messages",
            Self::Share => "held at quarantine: it alone had an outlying share of mail kept or refused",
        }
    }

    const fn standing(self) -> Standing {
        match self {
            Self::Budget => Standing::Shadow,
            Self::Share => Standing::AtMost(Action::Quarantine),
        }
    }
}

/// What one message has to say.
#[derive(Debug, Clone, Default)]
pub struct Sign<'m> {
    /// Tells it from other messages.
    pub fingerprint: u64,
    /// Rules that were over their budget.
    pub over: Vec<&'m str>,
    /// Whether it is kept or refused.
    pub is_caught: bool,
    /// Rules that alone are the cause of that.
    pub sole_causes: Vec<&'m str>,
}

/// What a message changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A rule is held from now on.
    Held(String, Cause),
    /// A rule that has stood for long is over its budget; it goes on. Told once for each generation.
    Spared(String),
}

/// All rules and what is held against them. Serialised, it is what lasts over a restart.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Breaker {
    rules: BTreeMap<String, Record>,
    #[serde(skip)]
    stretch: Stretch,
    #[serde(skip)]
    is_changed: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Record {
    /// A digest of its text.
    text: String,
    /// When that text was first in force.
    since: Timestamp,
    /// When it was written, where that was long before: at a start of which nothing is known from before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    written: Option<Timestamp>,
    /// When it was last taken up.
    seen: Timestamp,
    /// Messages on which it was over its budget.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    over: BTreeSet<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    held: Option<Cause>,
    #[serde(skip)]
    is_spared: bool,
}

/// What was caught of the messages counted so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Stretch {
    messages: u64,
    caught: u64,
    by_rule: BTreeMap<String, u64>,
}

impl Breaker {
    /// Takes up a generation: what is unchanged stays as it is, what is new or changed begins anew. Where
    /// nothing is known from before, a rule was written when its file was.
    pub fn take_up<'r>(&mut self, rules: impl IntoIterator<Item = RuleText<'r>>, now: Timestamp) {
        let is_first = self.rules.is_empty();
        for RuleText { id, digest, modified } in rules {
            let known = self.rules.get_mut(id).filter(|record| record.text == digest);
            match known {
                Some(record) => {
                    record.seen = now;
                    record.is_spared = false;
                }
                None => {
                    self.stretch.by_rule.remove(id);
                    let written = is_first.then(|| modified.unwrap_or(Timestamp::UNIX_EPOCH));
                    let record = Record {
                        written: written.filter(|written| *written < now),
                        ..Record::new(digest, now)
                    };
                    self.rules.insert(id.to_owned(), record);
                }
            }
        }
        self.rules
            .retain(|_, record| now.duration_since(record.seen) <= REMEMBERED_FOR);
        self.forget(now);
        self.is_changed = true;
    }

    /// Forgets rules that left, the oldest first, where they are many.
    fn forget(&mut self, now: Timestamp) {
        let gone = self.rules.iter().filter(|(_, record)| record.seen < now);
        let mut gone: Vec<(Timestamp, String)> = gone.map(|(id, record)| (record.seen, id.clone())).collect();
        gone.sort_unstable();
        let many = gone.len().saturating_sub(REMEMBERED_MAX);
        for (_, id) in gone.iter().take(many) {
            self.rules.remove(id);
        }
    }

    /// Takes note of a message.
    pub fn note(&mut self, sign: &Sign<'_>, now: Timestamp) -> Vec<Change> {
        let over = sign.over.iter().filter_map(|id| self.over(id, sign.fingerprint, now));
        let mut changes: Vec<Change> = over.collect();
        changes.extend(self.share(sign, now));
        self.is_changed |= !changes.is_empty() || !sign.over.is_empty();
        changes
    }

    fn over(&mut self, id: &str, message: u64, now: Timestamp) -> Option<Change> {
        let record = self
            .rules
            .get_mut(id)
            .filter(|record| record.held != Some(Cause::Budget))?;
        if record.is_old(now) {
            let is_told = std::mem::replace(&mut record.is_spared, true);
            return (!is_told).then(|| Change::Spared(id.to_owned()));
        }
        record.over.insert(message);
        (record.over.len() >= OVER_MESSAGES_MAX).then(|| {
            record.held = Some(Cause::Budget);
            Change::Held(id.to_owned(), Cause::Budget)
        })
    }

    /// A campaign that an old rule catches is the rule's job, not its fault: only young ones are counted.
    fn share(&mut self, sign: &Sign<'_>, now: Timestamp) -> Vec<Change> {
        let stretch = &mut self.stretch;
        if stretch.messages == STRETCH_MESSAGES {
            *stretch = Stretch::default();
        }
        stretch.messages += 1;
        stretch.caught += u64::from(sign.is_caught);
        let mut changes = Vec::new();
        for id in sign.sole_causes.iter().filter(|_| sign.is_caught) {
            let young = self
                .rules
                .get_mut(*id)
                .filter(|record| !record.is_proven(now) && record.held.is_none());
            let Some(record) = young else { continue };
            let caught = stretch.by_rule.entry((*id).to_owned()).or_default();
            *caught += 1;
            let others = stretch.caught.saturating_sub(*caught);
            if *caught >= CAUGHT_MIN && *caught >= others.saturating_mul(OUTLYING_TIMES) {
                record.held = Some(Cause::Share);
                changes.push(Change::Held((*id).to_owned(), Cause::Share));
            }
        }
        changes
    }

    /// Arms one rule again, or all; the ids of those that were held. What was held against the others is
    /// forgotten too.
    pub fn rearm(&mut self, id: Option<&str>, now: Timestamp) -> Vec<String> {
        let chosen = self
            .rules
            .iter_mut()
            .filter(|(known, _)| id.is_none_or(|id| id == known.as_str()));
        let mut armed = Vec::new();
        for (known, record) in chosen {
            self.stretch.by_rule.remove(known);
            if record.held.is_some() {
                armed.push(known.clone());
            }
            let (since, written) = (record.since, record.written);
            *record = Record {
                since,
                written,
                ..Record::new(std::mem::take(&mut record.text), now)
            };
        }
        self.is_changed = true;
        armed
    }

    /// Rules that are held, and why.
    pub fn held(&self) -> impl Iterator<Item = (&str, Cause)> {
        self.rules
            .iter()
            .filter_map(|(id, record)| Some((id.as_str(), record.held?)))
    }

    /// The same, as a set of rules takes it.
    pub fn held_of(&self, set: &RuleSet) -> Held {
        Held::of(set, self.held().map(|(id, cause)| (id, cause.standing())))
    }

    /// Whether something is to be kept since this was last asked.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.is_changed)
    }
}

impl Record {
    fn new(text: String, now: Timestamp) -> Self {
        Self {
            text,
            since: now,
            written: None,
            seen: now,
            over: BTreeSet::new(),
            held: None,
            is_spared: false,
        }
    }

    /// Whether it has met a day of this house's mail.
    fn is_proven(&self, now: Timestamp) -> bool {
        now.duration_since(self.since) > PROVEN_AFTER
    }

    /// Whether it was there for a day, here or elsewhere.
    fn is_old(&self, now: Timestamp) -> bool {
        now.duration_since(self.written.unwrap_or(self.since)) > PROVEN_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Timestamp {
        let start: Timestamp = "2027-01-04T12:00:00Z".parse().unwrap();
        start.checked_add(SignedDuration::from_hours(hours)).unwrap()
    }

    /// One with these rules, each with a text.
    fn breaker(rules: &[(&str, &str)]) -> Breaker {
        let mut breaker = Breaker::default();
        take_up(&mut breaker, rules, 0);
        breaker
    }

    fn take_up(breaker: &mut Breaker, rules: &[(&str, &str)], hours: i64) {
        take_up_modified(breaker, rules, Some(at(0)), hours);
    }

    fn take_up_modified(breaker: &mut Breaker, rules: &[(&str, &str)], modified: Option<Timestamp>, hours: i64) {
        let rules = rules.iter().map(|(id, text)| RuleText {
            id,
            digest: (*text).to_owned(),
            modified,
        });
        breaker.take_up(rules, at(hours));
    }

    fn over(breaker: &mut Breaker, id: &str, message: u64, hours: i64) -> Vec<Change> {
        let sign = Sign {
            fingerprint: message,
            over: vec![id],
            ..Sign::default()
        };
        breaker.note(&sign, at(hours))
    }

    fn caught(breaker: &mut Breaker, by: &[&str], hours: i64) -> Vec<Change> {
        let sign = Sign {
            is_caught: true,
            sole_causes: by.to_vec(),
            ..Sign::default()
        };
        breaker.note(&sign, at(hours))
    }

    fn held(breaker: &Breaker) -> Vec<(&str, Cause)> {
        breaker.held().collect()
    }

    #[test]
    fn a_young_rule_trips_on_the_twentieth_message() {
        let mut breaker = breaker(&[("A", "1"), ("B", "1")]);
        for message in 0..19 {
            // The same message again is no other.
            assert_eq!(over(&mut breaker, "A", message, 1), []);
            assert_eq!(over(&mut breaker, "A", message, 1), []);
        }
        assert_eq!(held(&breaker), []);
        assert_eq!(
            over(&mut breaker, "A", 19, 24),
            [Change::Held("A".into(), Cause::Budget)]
        );
        assert_eq!(held(&breaker), [("A", Cause::Budget)]);
        assert_eq!(over(&mut breaker, "A", 20, 24), [], "told once");
    }

    #[test]
    fn an_old_rule_is_spared_whatever_is_sent() {
        let mut breaker = breaker(&[("A", "1")]);
        assert_eq!(over(&mut breaker, "A", 0, 25), [Change::Spared("A".into())]);
        for message in 1..100 {
            assert_eq!(over(&mut breaker, "A", message, 25), []);
        }
        take_up(&mut breaker, &[("A", "1")], 26);
        assert_eq!(over(&mut breaker, "A", 0, 26), [Change::Spared("A".into())]);
        assert_eq!(held(&breaker), []);
    }

    #[test]
    fn at_a_first_start_a_rule_is_as_old_as_its_file_for_its_budget_and_young_for_its_share() {
        for (modified, is_old) in [
            (None, true),
            (Some(at(-25)), true),
            (Some(at(-23)), false),
            (Some(at(0)), false),
            (Some(at(99)), false),
        ] {
            let mut breaker = Breaker::default();
            take_up_modified(&mut breaker, &[("A", "1")], modified, 0);
            let kept = serde_json::to_string(&breaker).unwrap();
            let mut breaker: Breaker = serde_json::from_str(&kept).unwrap();
            take_up_modified(&mut breaker, &[("A", "1")], modified, 0);
            (0..30).for_each(|message| drop(over(&mut breaker, "A", message, 0)));
            assert_eq!(held(&breaker).is_empty(), is_old, "{modified:?}");
            breaker.rearm(None, at(0));
            (0..30).for_each(|message| drop(over(&mut breaker, "A", message, 0)));
            assert_eq!(held(&breaker).is_empty(), is_old, "{modified:?}");
            breaker.rearm(None, at(0));
            (0..CAUGHT_MIN).for_each(|_| drop(caught(&mut breaker, &["A"], 0)));
            assert_eq!(held(&breaker), [("A", Cause::Share)], "{modified:?}");
        }
    }

    #[test]
    fn once_something_is_known_an_old_file_makes_no_old_rule() {
        let mut breaker = breaker(&[("A", "1")]);
        for rules in [&[("A", "1"), ("B", "1")], &[("A", "2"), ("B", "1")]] {
            take_up_modified(&mut breaker, rules, Some(at(-99)), 0);
        }
        for id in ["A", "B"] {
            (0..20).for_each(|message| drop(over(&mut breaker, id, message, 1)));
        }
        assert_eq!(held(&breaker), [("A", Cause::Budget), ("B", Cause::Budget)]);
    }

    #[test]
    fn what_was_kept_by_an_earlier_version_is_read() {
        let kept = r#"{"rules":{"A":{"text":"1","since":"2027-01-04T12:00:00Z","seen":"2027-01-04T12:00:00Z"}}}"#;
        let mut breaker: Breaker = serde_json::from_str(kept).unwrap();
        take_up(&mut breaker, &[("A", "1")], 25);
        assert_eq!(over(&mut breaker, "A", 0, 25), [Change::Spared("A".into())]);
    }

    #[test]
    fn what_is_held_ends_with_a_change_or_when_armed_and_not_with_a_reload() {
        let rules = [("A", "1"), ("B", "1")];
        let mut breaker = breaker(&rules);
        for id in ["A", "B"] {
            (0..20).for_each(|message| drop(over(&mut breaker, id, message, 1)));
        }
        take_up(&mut breaker, &rules, 2);
        // Gone for a while, and back.
        take_up(&mut breaker, &[("A", "1")], 3);
        take_up(&mut breaker, &rules, 4);
        let kept = serde_json::to_string(&breaker).unwrap();
        let mut breaker: Breaker = serde_json::from_str(&kept).unwrap();
        take_up(&mut breaker, &rules, 50);
        assert_eq!(held(&breaker), [("A", Cause::Budget), ("B", Cause::Budget)]);
        take_up(&mut breaker, &[("A", "2"), ("B", "1")], 51);
        assert_eq!(held(&breaker), [("B", Cause::Budget)]);
        assert_eq!(over(&mut breaker, "A", 0, 52), [], "it is young again");
        assert_eq!(breaker.rearm(Some("A"), at(53)), Vec::<String>::new());
        assert_eq!(breaker.rearm(None, at(53)), ["B"]);
        assert_eq!(held(&breaker), []);
        assert_eq!(
            over(&mut breaker, "B", 0, 53),
            [Change::Spared("B".into())],
            "and B is as old as ever"
        );
    }

    #[test]
    fn an_outlying_share_holds_young_rules_alone() {
        for (hours, others, expected) in [(1, 0, true), (1, 33, true), (1, 34, false), (25, 0, false)] {
            let mut breaker = breaker(&[("A", "1"), ("OLD", "1")]);
            for _ in 0..others {
                assert_eq!(caught(&mut breaker, &["OLD"], 25), []);
            }
            for number in 1..=CAUGHT_MIN {
                let changes = caught(&mut breaker, &["A"], hours);
                let is_held = number == CAUGHT_MIN && expected;
                assert_eq!(
                    changes.len(),
                    usize::from(is_held),
                    "{number} at {hours} beside {others}"
                );
            }
            let share: &[_] = if expected { &[("A", Cause::Share)] } else { &[] };
            assert_eq!(held(&breaker), share);
        }
    }

    #[test]
    fn shares_are_counted_anew_after_each_stretch() {
        for (first, expected) in [
            (STRETCH_MESSAGES - 1, 1),
            (STRETCH_MESSAGES, 0),
            (STRETCH_MESSAGES + 1, 0),
        ] {
            let mut breaker = breaker(&[("A", "1")]);
            (1..CAUGHT_MIN).for_each(|_| drop(caught(&mut breaker, &["A"], 1)));
            (CAUGHT_MIN - 1..first).for_each(|_| drop(breaker.note(&Sign::default(), at(1))));
            assert_eq!(caught(&mut breaker, &["A"], 1).len(), expected, "{first}");
        }
    }

    #[test]
    fn what_left_long_ago_is_forgotten() {
        let mut breaker = breaker(&[("A", "1")]);
        for (hours, known) in [(30 * 24, true), (30 * 24 + 1, false)] {
            take_up(&mut breaker, &[], hours);
            assert_eq!(breaker.rules.contains_key("A"), known, "{hours}");
        }
    }

    #[test]
    fn of_those_that_left_only_the_last_are_remembered() {
        for (many, first_known) in [
            (REMEMBERED_MAX - 1, true),
            (REMEMBERED_MAX, true),
            (REMEMBERED_MAX + 1, false),
        ] {
            let mut breaker = breaker(&[("FIRST", "1")]);
            let ids: Vec<String> = (1..many).map(|number| format!("R{number}")).collect();
            let rules: Vec<(&str, &str)> = ids.iter().map(|id| (id.as_str(), "1")).collect();
            take_up(&mut breaker, &rules, 1);
            take_up(&mut breaker, &[("NOW", "1")], 2);
            assert_eq!(breaker.rules.contains_key("FIRST"), first_known, "{many}");
            assert!(breaker.rules.contains_key("R1") && breaker.rules.contains_key("NOW"));
        }
    }
}
