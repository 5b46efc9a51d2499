//! What came of labelled sets of mail: how much of the unwanted was caught, how much of the wanted touched.
//!
//! One [`Judged`] message after the other goes in, each with its set; counts by action and by category come out, for
//! messages and for distinct texts. A text counts as the worst that came of it: of what is unwanted the mildest action,
//! of what is wanted the strictest. Knows nothing of files, and of rules only what decided.

use super::{Count, Judged, Label, TextDigest};
use crate::rules::{Action, Category};
use std::collections::{BTreeMap, HashMap};

/// The action, and what decided.
type Outcome = (Action, Option<Category>);

/// What came of some mail of one label.
#[derive(Debug, Clone, Default)]
pub struct Outcomes {
    label: Label,
    messages: BTreeMap<Outcome, u64>,
    texts: HashMap<TextDigest, Outcome>,
}

/// A folder of mail, or what lies in one below it.
#[derive(Debug, Clone)]
pub struct Set {
    /// The place of the given folder.
    pub folder: usize,
    /// The path below that; empty for the folder itself, with all that lies below.
    pub below: String,
    /// What came of it.
    pub outcomes: Outcomes,
}

/// Everything counted so far. It grows with the distinct texts, not with messages.
#[derive(Debug, Clone, Default)]
pub struct Sets {
    folders: Vec<Set>,
    /// By folder and path.
    below: BTreeMap<(usize, String), Set>,
    totals: HashMap<Label, Outcomes>,
}

impl Sets {
    /// Of folders with these labels.
    pub fn new(labels: impl IntoIterator<Item = Label>) -> Self {
        let folders = labels.into_iter().enumerate();
        Self {
            folders: folders
                .map(|(place, label)| Set::new(place, String::new(), label))
                .collect(),
            ..Self::default()
        }
    }

    /// Counts one more message of a folder, which lies at this path below it.
    pub fn add(&mut self, folder: usize, below: &str, text: TextDigest, judged: &Judged) {
        let Some(set) = self.folders.get_mut(folder) else {
            return;
        };
        let label = set.outcomes.label;
        set.outcomes.add(text, judged);
        self.totals
            .entry(label)
            .or_insert_with(|| Outcomes::new(label))
            .add(text, judged);
        if !below.is_empty() {
            self.below
                .entry((folder, below.to_owned()))
                .or_insert_with(|| Set::new(folder, below.to_owned(), label))
                .outcomes
                .add(text, judged);
        }
    }

    /// All mail of a label; `None` where there is none.
    pub fn total(&self, label: Label) -> Option<&Outcomes> {
        self.totals.get(&label)
    }

    /// The given folders, in their order.
    pub fn folders(&self) -> &[Set] {
        &self.folders
    }

    /// The sets below one of them, by their paths.
    pub fn below(&self, folder: usize) -> impl Iterator<Item = &Set> {
        self.below.values().filter(move |set| set.folder == folder)
    }
}

impl Set {
    fn new(folder: usize, below: String, label: Label) -> Self {
        Self {
            folder,
            below,
            outcomes: Outcomes::new(label),
        }
    }
}

impl Outcomes {
    fn new(label: Label) -> Self {
        Self {
            label,
            ..Self::default()
        }
    }

    fn add(&mut self, text: TextDigest, judged: &Judged) {
        let outcome = (judged.action, judged.category);
        *self.messages.entry(outcome).or_default() += 1;
        let kept = self.texts.entry(text).or_insert(outcome);
        let is_worse = match self.label {
            Label::Ham => outcome.0 > kept.0,
            Label::Spam | Label::None => outcome.0 < kept.0,
        };
        if is_worse {
            *kept = outcome;
        }
    }

    /// What somebody says that it is.
    pub fn label(&self) -> Label {
        self.label
    }

    /// All of it.
    pub fn all(&self) -> Count {
        self.count(|_| true)
    }

    /// What got this action or a stronger one.
    pub fn at_least(&self, action: Action) -> Count {
        self.count(|outcome| outcome.0 >= action)
    }

    /// The same of what a rule of this category decided; of none, what no rule did.
    pub fn decided_by(&self, category: Option<Category>, action: Action) -> Count {
        self.count(|outcome| outcome.0 >= action && outcome.1 == category)
    }

    fn count(&self, is_counted: impl Fn(&Outcome) -> bool) -> Count {
        let messages = self.messages.iter().filter(|(outcome, _)| is_counted(outcome));
        let texts = self.texts.values().filter(|outcome| is_counted(outcome)).count();
        Count {
            messages: messages.map(|(_, messages)| messages).sum(),
            texts: u64::try_from(texts).unwrap_or(u64::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::census::tests::judged;
    use super::*;

    fn came(action: Action, category: Category) -> Judged {
        Judged {
            category: Some(category),
            ..judged(&[], action, &[], &[])
        }
    }

    const fn count(messages: u64, texts: u64) -> Count {
        Count { messages, texts }
    }

    /// Two folders of spam and one of ham; the second has one set below it, and nothing in itself.
    fn sets() -> Sets {
        use Action::{Deliver, Quarantine, Reject, Tag};
        let mut sets = Sets::new([Label::Spam, Label::Spam, Label::Ham]);
        for (folder, below, text, action, category) in [
            (0, "", 1, Quarantine, Category::Spam),
            (0, "a", 1, Tag, Category::PaymentFraud),
            (0, "a", 2, Reject, Category::Extortion),
            (0, "b/c", 3, Deliver, Category::Spam),
            (1, "a", 1, Reject, Category::Spam),
            (2, "", 1, Tag, Category::Policy),
            (2, "", 1, Deliver, Category::Spam),
            (2, "", 4, Deliver, Category::Spam),
        ] {
            sets.add(folder, below, text, &came(action, category));
        }
        sets
    }

    #[test]
    fn a_folder_counts_what_lies_below_it_and_each_set_its_own() {
        let sets = sets();
        let of = |set: &Set| (set.folder, set.below.clone(), set.outcomes.all());
        let folders: Vec<_> = sets.folders().iter().map(of).collect();
        let named = |folder, below: &str, count| (folder, below.to_owned(), count);
        assert_eq!(
            folders,
            [
                named(0, "", count(4, 3)),
                named(1, "", count(1, 1)),
                named(2, "", count(3, 2))
            ]
        );
        let below: Vec<_> = sets.below(0).map(of).collect();
        assert_eq!(below, [named(0, "a", count(2, 2)), named(0, "b/c", count(1, 1))]);
        assert_eq!(sets.below(1).count(), 1);
        assert_eq!(sets.below(2).count(), 0);
        // A text that lies in two folders counts once in all.
        assert_eq!(sets.total(Label::Spam).unwrap().all(), count(5, 3));
        assert_eq!(sets.total(Label::Ham).unwrap().all(), count(3, 2));
        assert!(sets.total(Label::None).is_none());
    }

    #[test]
    fn a_text_counts_as_the_worst_that_came_of_it() {
        let sets = sets();
        let spam = sets.total(Label::Spam).unwrap();
        assert_eq!(spam.at_least(Action::Deliver), count(5, 3));
        assert_eq!(spam.at_least(Action::Tag), count(4, 2));
        // One copy of the first text was only tagged.
        assert_eq!(spam.at_least(Action::Quarantine), count(3, 1));
        assert_eq!(spam.at_least(Action::Reject), count(2, 1));
        // Of ham one touched copy is enough.
        let ham = sets.total(Label::Ham).unwrap();
        assert_eq!(ham.at_least(Action::Tag), count(1, 1));
        assert_eq!(ham.at_least(Action::Defer), count(0, 0));
    }

    #[test]
    fn what_decided_adds_up_to_what_was_done() {
        let sets = sets();
        for label in [Label::Spam, Label::Ham] {
            let outcomes = sets.total(label).unwrap();
            for action in Action::ALL {
                let mut sum = outcomes.decided_by(None, action);
                for category in Category::ALL {
                    sum.add(outcomes.decided_by(Some(category), action));
                }
                assert_eq!(sum, outcomes.at_least(action), "{label:?} {action:?}");
            }
        }
        let spam = sets.total(Label::Spam).unwrap();
        assert_eq!(
            spam.decided_by(Some(Category::PaymentFraud), Action::Tag),
            count(1, 1),
            "the mildest copy stands for the text"
        );
        assert_eq!(spam.decided_by(Some(Category::Spam), Action::Tag), count(2, 0));
    }
}
