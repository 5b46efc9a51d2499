//! What another set of rules would have made of the same message.
//!
//! Two [`Judged`] go in; out comes whether the verdict is another, and the rules that differ. Knows nothing
//! of what changed between the sets.

use super::census::{Of, Texts};
use super::{Judged, Label, Share, TextDigest};
use crate::rules::{Action, RuleInfo, Status};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Which way a verdict went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Turn {
    /// It was to be delivered, and no longer is.
    Gained,
    /// It is to be delivered, and wasn't.
    Lost,
    /// From one action against it to another.
    Moved,
}

impl Turn {
    /// Every turn.
    pub const ALL: [Self; 3] = [Self::Gained, Self::Lost, Self::Moved];

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gained => "gained",
            Self::Lost => "lost",
            Self::Moved => "moved",
        }
    }

    /// Of two actions; `None` when they are the same.
    pub fn of(from: Action, to: Action) -> Option<Self> {
        match (from, to) {
            (from, to) if from == to => None,
            (Action::Deliver, _) => Some(Self::Gained),
            (_, Action::Deliver) => Some(Self::Lost),
            _ => Some(Self::Moved),
        }
    }
}

/// How a rule made a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// It counts only in the new set.
    New,
    /// It counted only in the old one.
    Gone,
    /// It counts in both, and differently.
    Altered,
}

impl How {
    /// The sign that people read.
    pub const fn sign(self) -> char {
        match self {
            Self::New => '+',
            Self::Gone => '-',
            Self::Altered => '~',
        }
    }
}

/// The rules that made a difference to a message, each with how, in the order of their ids.
pub fn differing(old: &Judged, new: &Judged) -> Vec<(String, How)> {
    let (before, after) = (counting(old), counting(new));
    let mut differing = Vec::new();
    for (id, rule) in &after {
        match before.get(id) {
            None => differing.push(((*id).to_owned(), How::New)),
            Some(earlier) if !counts_alike(earlier, rule) => differing.push(((*id).to_owned(), How::Altered)),
            Some(_) => {}
        }
    }
    let gone = before.keys().filter(|id| !after.contains_key(*id));
    differing.extend(gone.map(|id| ((*id).to_owned(), How::Gone)));
    differing.sort();
    differing
}

fn counting(judged: &Judged) -> BTreeMap<&str, &Arc<RuleInfo>> {
    let active = judged
        .findings
        .iter()
        .filter(|finding| finding.rule.status == Status::Active);
    active
        .map(|finding| (finding.rule.id.as_str(), &finding.rule))
        .collect()
}

fn counts_alike(old: &RuleInfo, new: &RuleInfo) -> bool {
    let what_counts = |rule: &RuleInfo| (rule.score, rule.severity, rule.floor, rule.cap);
    what_counts(old) == what_counts(new) && old.group == new.group && old.replaces == new.replaces
}

/// Everything counted so far.
#[derive(Debug, Default)]
pub struct Moves {
    messages: Share,
    turns: BTreeMap<Turn, Share>,
    /// Rules that count on other messages than before: on how many more, and on how many no longer.
    rules: BTreeMap<String, (u64, u64)>,
    texts: Texts,
}

impl Moves {
    /// Counts one more message.
    pub fn add(&mut self, label: Label, text: TextDigest, turn: Option<Turn>, differing: &[(String, How)]) {
        let mut one = |of: Of| self.texts.count(of, label, text);
        self.messages.add(label, one(Of::Messages));
        if let Some(turn) = turn {
            self.turns.entry(turn).or_default().add(label, one(Of::Turned(turn)));
        }
        for (id, how) in differing {
            let (more, fewer) = match how {
                How::New => (1, 0),
                How::Gone => (0, 1),
                How::Altered => continue,
            };
            let counts = self.rules.entry(id.clone()).or_default();
            counts.0 += more;
            counts.1 += fewer;
        }
    }

    /// All messages.
    pub fn messages(&self) -> &Share {
        &self.messages
    }

    /// Messages whose verdict went this way.
    pub fn turned(&self, turn: Turn) -> Share {
        self.turns.get(&turn).copied().unwrap_or_default()
    }

    /// Rules that count on other messages than before: on how many they newly do, and no longer do.
    pub fn rules(&self) -> impl Iterator<Item = (&str, u64, u64)> {
        self.rules
            .iter()
            .map(|(id, (more, fewer))| (id.as_str(), *more, *fewer))
    }
}

#[cfg(test)]
mod tests {
    use super::super::census::tests::{finding, judged};
    use super::*;
    use crate::rules::{Finding, Score};

    #[test]
    fn a_verdict_is_gained_lost_or_moved() {
        use Action::{Deliver, Quarantine, Tag};
        for (from, to, turn) in [
            (Deliver, Deliver, None),
            (Tag, Tag, None),
            (Deliver, Tag, Some(Turn::Gained)),
            (Tag, Deliver, Some(Turn::Lost)),
            (Tag, Quarantine, Some(Turn::Moved)),
            (Quarantine, Tag, Some(Turn::Moved)),
        ] {
            assert_eq!(Turn::of(from, to), turn, "{from:?} {to:?}");
        }
    }

    #[test]
    fn the_rules_that_differ_are_named_and_no_others() {
        let dearer = |id| Finding {
            rule: Arc::new(RuleInfo {
                score: Score(900),
                ..RuleInfo::clone(&finding(id).rule)
            }),
            evidence: Vec::new(),
        };
        let shadow = Finding {
            rule: Arc::new(RuleInfo {
                status: Status::Shadow,
                ..RuleInfo::clone(&finding("SHADOW").rule)
            }),
            evidence: Vec::new(),
        };
        let old = judged(&["BOTH", "GONE", "DEARER", "SHADOWED"], Action::Tag, &[], &[]);
        let mut new = judged(&["BOTH", "NEW"], Action::Tag, &[], &[]);
        new.findings.extend([dearer("DEARER"), shadow]);
        assert_eq!(
            differing(&old, &new),
            [
                ("DEARER", How::Altered),
                ("GONE", How::Gone),
                ("NEW", How::New),
                ("SHADOWED", How::Gone)
            ]
            .map(|(id, how)| (id.to_owned(), how))
        );
        assert_eq!(differing(&old, &old), []);
    }

    #[test]
    fn turns_and_rules_are_counted_per_message_and_text() {
        let mut moves = Moves::default();
        let new = [("A".to_owned(), How::New), ("B".to_owned(), How::Altered)];
        moves.add(Label::Spam, 1, Some(Turn::Gained), &new);
        moves.add(Label::Spam, 1, Some(Turn::Gained), &new);
        moves.add(Label::Ham, 1, Some(Turn::Lost), &[("A".to_owned(), How::Gone)]);
        moves.add(Label::Ham, 2, None, &[]);
        let count = |messages, texts| super::super::Count { messages, texts };
        assert_eq!(moves.messages().all(), count(4, 3));
        assert_eq!(moves.turned(Turn::Gained).of(Label::Spam), count(2, 1));
        assert_eq!(moves.turned(Turn::Lost).of(Label::Ham), count(1, 1));
        assert_eq!(moves.turned(Turn::Moved).all(), count(0, 0));
        assert_eq!(moves.rules().collect::<Vec<_>>(), [("A", 2, 1)]);
    }
}
