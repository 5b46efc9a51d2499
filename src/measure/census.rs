//! Counts over many messages: how often each rule matched, on what, with which others, and alone.
//!
//! One [`Judged`] message after the other goes in; shares and precision come out, for messages and for
//! distinct texts: a text counts where any message with it does. Knows nothing of thresholds or evidence.

use super::{Judged, TextDigest, Turn};
use crate::rules::Action;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

/// What somebody says that a message is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Label {
    /// Nobody said.
    #[default]
    None,
    /// Unwanted.
    Spam,
    /// Wanted.
    Ham,
}

impl Label {
    /// Every label.
    pub const ALL: [Self; 3] = [Self::None, Self::Spam, Self::Ham];

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "unlabelled",
            Self::Spam => "spam",
            Self::Ham => "ham",
        }
    }
}

/// Counted both ways: a campaign repeats itself, and its thousandth copy proves nothing new.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Count {
    /// Messages.
    pub messages: u64,
    /// Distinct texts among them.
    pub texts: u64,
}

/// A count for each label.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Share([Count; 3]);

/// What was counted of one rule.
#[derive(Debug, Clone, Default)]
pub struct RuleCounts {
    /// It matched.
    pub matched: Share,
    /// It stayed undecided.
    pub undecided: Share,
    /// It alone changed the action, or would if it acted.
    pub sole_cause: Share,
    /// For want of which fact it stayed undecided, and why that is unknown; in messages.
    pub lacked: BTreeMap<(&'static str, &'static str), u64>,
    /// On how many messages other rules matched too, by their places.
    with: BTreeMap<usize, u64>,
}

/// Another rule that matched some of the same mails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partner<'c> {
    /// Its id.
    pub rule: &'c str,
    /// On how many messages.
    pub both: u64,
}

/// What distinct texts are counted of.
#[derive(Debug, Clone, Copy, Hash)]
pub(super) enum Of {
    /// All messages.
    Messages,
    /// Messages that some rule matched.
    Any,
    /// Messages with this action or a stronger one.
    AtLeast(Action),
    /// A rule's matches.
    Matched(usize),
    /// Messages on which a rule stayed undecided.
    Undecided(usize),
    /// Messages of which a rule alone changed the action.
    SoleCause(usize),
    /// Messages whose verdict went some way.
    Turned(Turn),
}

/// Texts seen so far, for each thing counted: 8 bytes each.
#[derive(Debug, Default)]
pub(super) struct Texts(HashSet<u64>);

impl Texts {
    /// One message, and its text if it is the first with it of that kind.
    pub(super) fn count(&mut self, of: Of, label: Label, text: TextDigest) -> Count {
        // Hashes in place of what they stand for: two among ten million are alike once in 370,000 runs.
        let mut hasher = DefaultHasher::new();
        (of, label, text).hash(&mut hasher);
        Count {
            messages: 1,
            texts: u64::from(self.0.insert(hasher.finish())),
        }
    }
}

/// Everything counted so far. It grows with the distinct texts and with the pairs of rules, not with
/// messages.
#[derive(Debug, Default)]
pub struct Census {
    ids: Vec<String>,
    places: HashMap<String, usize>,
    rules: Vec<RuleCounts>,
    messages: Share,
    at_least: BTreeMap<Action, Share>,
    any: Share,
    texts: Texts,
}

impl Census {
    /// Of these rules.
    pub fn new<'r>(ids: impl IntoIterator<Item = &'r str>) -> Self {
        let ids: Vec<String> = ids.into_iter().map(str::to_owned).collect();
        Self {
            places: ids.iter().cloned().enumerate().map(|(place, id)| (id, place)).collect(),
            rules: vec![RuleCounts::default(); ids.len()],
            ids,
            ..Self::default()
        }
    }

    /// Counts one more message.
    pub fn add(&mut self, label: Label, text: TextDigest, judged: &Judged) {
        let texts = &mut self.texts;
        let mut one = |of: Of| texts.count(of, label, text);
        self.messages.add(label, one(Of::Messages));
        for action in Action::ALL.into_iter().filter(|action| *action <= judged.action) {
            self.at_least
                .entry(action)
                .or_default()
                .add(label, one(Of::AtLeast(action)));
        }
        let matched: Vec<usize> = judged
            .findings
            .iter()
            .filter_map(|finding| self.places.get(&finding.rule.id).copied())
            .collect();
        if !matched.is_empty() {
            self.any.add(label, one(Of::Any));
        }
        for place in &matched {
            let Some(counts) = self.rules.get_mut(*place) else {
                continue;
            };
            counts.matched.add(label, one(Of::Matched(*place)));
            for other in matched.iter().filter(|other| *other != place) {
                *counts.with.entry(*other).or_default() += 1;
            }
        }
        for id in &judged.sole_causes {
            if let Some(place) = self.places.get(id)
                && let Some(counts) = self.rules.get_mut(*place)
            {
                counts.sole_cause.add(label, one(Of::SoleCause(*place)));
            }
        }
        let mut undecided = HashSet::new();
        for lack in &judged.undecided {
            let is_first = undecided.insert(lack.rule.as_str());
            if let Some(place) = self.places.get(&lack.rule)
                && let Some(counts) = self.rules.get_mut(*place)
            {
                *counts.lacked.entry((lack.check, lack.cause)).or_default() += 1;
                if is_first {
                    counts.undecided.add(label, one(Of::Undecided(*place)));
                }
            }
        }
    }

    /// All messages.
    pub fn messages(&self) -> &Share {
        &self.messages
    }

    /// Messages that some rule matched.
    pub fn any(&self) -> &Share {
        &self.any
    }

    /// Messages whose action was this or a stronger one.
    pub fn at_least(&self, action: Action) -> Share {
        self.at_least.get(&action).copied().unwrap_or_default()
    }

    /// What was counted of each rule, in the order in which they were given.
    pub fn rules(&self) -> impl Iterator<Item = (&str, &RuleCounts)> {
        self.ids.iter().map(String::as_str).zip(&self.rules)
    }

    /// What was counted of one rule.
    pub fn rule(&self, id: &str) -> Option<&RuleCounts> {
        self.places.get(id).and_then(|place| self.rules.get(*place))
    }

    /// The rules that matched most often on the same mails, the most frequent first.
    pub fn partners<'c>(&'c self, counts: &RuleCounts) -> Vec<Partner<'c>> {
        let mut partners: Vec<Partner<'c>> = counts
            .with
            .iter()
            .filter_map(|(place, both)| {
                let rule = self.ids.get(*place)?;
                Some(Partner { rule, both: *both })
            })
            .collect();
        partners.sort_by(|a, b| (b.both, a.rule).cmp(&(a.both, b.rule)));
        partners
    }
}

impl Share {
    /// Of one label.
    pub fn of(&self, label: Label) -> Count {
        let [none, spam, ham] = self.0;
        match label {
            Label::None => none,
            Label::Spam => spam,
            Label::Ham => ham,
        }
    }

    /// Of all of them.
    pub fn all(&self) -> Count {
        let mut sum = Count::default();
        self.0.iter().for_each(|count| sum.add(*count));
        sum
    }

    pub(super) fn add(&mut self, label: Label, count: Count) {
        let [none, spam, ham] = &mut self.0;
        match label {
            Label::None => none.add(count),
            Label::Spam => spam.add(count),
            Label::Ham => ham.add(count),
        }
    }
}

impl Count {
    pub(super) fn add(&mut self, other: Self) {
        self.messages += other.messages;
        self.texts += other.texts;
    }

    /// Its shares of a whole in percent, of messages and of texts; `None` of nothing.
    pub fn percent(self, whole: Self) -> (Option<f64>, Option<f64>) {
        (percent(self.messages, whole.messages), percent(self.texts, whole.texts))
    }
}

/// How many in a hundred of the labelled mails that matched are spam, of messages and of texts; `None`
/// where none matched. It depends on how much of each there was.
pub fn precision(matched: &Share) -> (Option<f64>, Option<f64>) {
    let (spam, mut labelled) = (matched.of(Label::Spam), matched.of(Label::Ham));
    labelled.add(spam);
    spam.percent(labelled)
}

#[expect(clippy::cast_precision_loss, reason = "counts of mails are far below 2⁵²")]
fn percent(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| 100.0 * part as f64 / whole as f64)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::rules::{Category, Finding, RuleInfo, Score, Severity, Status, Undecided};
    use std::sync::Arc;

    pub(in crate::measure) fn finding(id: &str) -> Finding {
        Finding {
            rule: Arc::new(RuleInfo {
                id: id.to_owned(),
                summary: String::new(),
                category: Category::Spam,
                severity: Severity::Low,
                score: Score(100),
                status: Status::Active,
                floor: None,
                cap: None,
                group: None,
                replaces: Vec::new(),
                tags: Vec::new(),
                file: String::new(),
                line: 1,
                pack: String::new(),
            }),
            evidence: Vec::new(),
        }
    }

    pub(in crate::measure) fn judged(
        matched: &[&str],
        action: Action,
        sole: &[&str],
        undecided: &[(&str, &'static str)],
    ) -> Judged {
        Judged {
            action,
            score: Score(0),
            category: None,
            findings: matched.iter().map(|id| finding(id)).collect(),
            undecided: undecided
                .iter()
                .map(|(rule, check)| Undecided {
                    rule: (*rule).to_owned(),
                    check,
                    cause: "not-kept",
                })
                .collect(),
            sole_causes: sole.iter().map(|id| (*id).to_owned()).collect(),
        }
    }

    /// Three spams of which two say the same, and three hams of which two do.
    fn census() -> Census {
        let mut census = Census::new(["ONE", "TWO", "NEVER", "LATE"]);
        let both = judged(&["ONE", "TWO"], Action::Quarantine, &["ONE"], &[]);
        census.add(Label::Spam, 1, &both);
        census.add(Label::Spam, 1, &both);
        census.add(
            Label::Spam,
            2,
            &judged(&["TWO", "FOREIGN"], Action::Deliver, &["FOREIGN"], &[]),
        );
        let lacking = [("ONE", "client.ip"), ("ONE", "helo"), ("FOREIGN", "helo")];
        census.add(Label::Ham, 3, &judged(&["TWO"], Action::Tag, &["TWO"], &lacking));
        census.add(Label::Ham, 1, &judged(&[], Action::Deliver, &[], &lacking[..1]));
        // Its text was seen before; that this rule matches it wasn't.
        census.add(Label::Ham, 1, &judged(&["LATE"], Action::Deliver, &[], &[]));
        census
    }

    const fn count(messages: u64, texts: u64) -> Count {
        Count { messages, texts }
    }

    #[test]
    fn messages_and_texts_are_counted_by_label() {
        let census = census();
        assert_eq!(census.messages().of(Label::Spam), count(3, 2));
        // A text that is both somebody's spam and somebody's ham counts for each.
        assert_eq!(census.messages().of(Label::Ham), count(3, 2));
        assert_eq!(
            (census.messages().of(Label::None), census.messages().all()),
            (count(0, 0), count(6, 4))
        );
        let one = census.rule("ONE").unwrap();
        assert_eq!(
            (one.matched.of(Label::Spam), one.matched.of(Label::Ham)),
            (count(2, 1), count(0, 0))
        );
        let two = census.rule("TWO").unwrap();
        assert_eq!(
            (two.matched.of(Label::Spam), two.matched.of(Label::Ham)),
            (count(3, 2), count(1, 1))
        );
        assert_eq!(census.any().of(Label::Ham), count(2, 2));
        assert_eq!(census.rule("LATE").unwrap().matched.of(Label::Ham), count(1, 1));
        assert!(census.rule("FOREIGN").is_none());
        assert_eq!(census.rule("NEVER").unwrap().matched.all(), count(0, 0));
    }

    #[test]
    fn precision_and_shares_of_nothing_are_not_told() {
        let census = census();
        let shares = |id: &str| precision(&census.rule(id).unwrap().matched);
        assert_eq!(shares("ONE"), (Some(100.0), Some(100.0)));
        assert_eq!(shares("TWO"), (Some(75.0), Some(200.0 / 3.0)));
        assert_eq!(shares("NEVER"), (None, None));
        assert_eq!(count(0, 0).percent(count(0, 0)), (None, None));
        assert_eq!(count(1, 0).percent(count(4, 2)), (Some(25.0), Some(0.0)));
    }

    #[test]
    fn partners_are_those_on_the_same_mails() {
        let census = census();
        let of = |id: &str| census.partners(census.rule(id).unwrap());
        assert_eq!(of("ONE"), [Partner { rule: "TWO", both: 2 }]);
        assert_eq!(of("TWO"), [Partner { rule: "ONE", both: 2 }]);
        assert_eq!(of("NEVER"), []);
    }

    #[test]
    fn sole_causes_and_lacks_are_counted_once_a_mail() {
        let census = census();
        let (one, two) = (census.rule("ONE").unwrap(), census.rule("TWO").unwrap());
        assert_eq!(
            (one.sole_cause.of(Label::Spam), one.sole_cause.of(Label::Ham)),
            (count(2, 1), count(0, 0))
        );
        assert_eq!(two.sole_cause.of(Label::Ham), count(1, 1));
        assert_eq!(one.undecided.of(Label::Ham), count(2, 2));
        assert_eq!(
            one.lacked.iter().collect::<Vec<_>>(),
            [(&("client.ip", "not-kept"), &2), (&("helo", "not-kept"), &1)]
        );
        assert!(two.lacked.is_empty());
    }

    #[test]
    fn actions_add_up_from_the_strongest() {
        let census = census();
        for (action, spam, ham) in [
            (Action::Deliver, count(3, 2), count(3, 2)),
            (Action::Tag, count(2, 1), count(1, 1)),
            (Action::Quarantine, count(2, 1), count(0, 0)),
            (Action::Reject, count(0, 0), count(0, 0)),
        ] {
            let share = census.at_least(action);
            assert_eq!((share.of(Label::Spam), share.of(Label::Ham)), (spam, ham), "{action:?}");
        }
    }
}
