//! Rules of a set that for now stand otherwise than their author wrote.
//!
//! Enters: rules by their ids and how they stand. Leaves: that, whenever the set is asked. Knows nothing of
//! why.

use super::{Action, RuleInfo, RuleSet, Status};
use std::collections::HashMap;
use std::sync::Arc;

/// How a rule stands for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is evaluated and counted, and doesn't act.
    Shadow,
    /// It alone causes no more than this.
    AtMost(Action),
}

/// Rules that stand otherwise. Mostly there are none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Held(HashMap<String, Arc<RuleInfo>>);

impl Held {
    /// These rules of a set, by their ids; others are left out.
    pub fn of<'r>(set: &RuleSet, rules: impl IntoIterator<Item = (&'r str, Standing)>) -> Self {
        let stand = |(id, standing): (&str, Standing)| {
            let mut rule = RuleInfo::clone(set.rule(id)?);
            match standing {
                Standing::Shadow => rule.status = Status::Shadow,
                Standing::AtMost(most) => rule.cap = Some(rule.cap.map_or(most, |cap| cap.min(most))),
            }
            Some((id.to_owned(), Arc::new(rule)))
        };
        Self(rules.into_iter().filter_map(stand).collect())
    }

    /// Whether no rule stands otherwise.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A rule as it stands.
    pub(super) fn standing<'s>(&'s self, rule: &'s Arc<RuleInfo>) -> &'s Arc<RuleInfo> {
        // One that has expired doesn't act again because something else holds it.
        match rule.status {
            Status::Active if !self.is_empty() => self.0.get(&rule.id).unwrap_or(rule),
            Status::Active | Status::Shadow => rule,
        }
    }
}
