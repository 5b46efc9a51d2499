//! What a set tells those who look at its conditions one by one.
//!
//! A condition's place goes in; out come the condition, its exceptions, and what conditions are told of each
//! other on one message. Knows nothing of how that is shown.

use super::{NOTHING, RuleSet, Told};
use crate::rules::RuleInfo;
use crate::rules::compile::{Condition, RuleRef, Scanner};
use crate::rules::evaluate::{Outcome, Scope, evaluate};
use crate::rules::held::Held;
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

/// Beside the gate every rule stands as it is written.
static NONE_HELD: LazyLock<Held> = LazyLock::new(Held::default);

impl RuleSet {
    /// What conditions of the set are evaluated with.
    pub(in crate::rules) fn scanner(&self) -> &Scanner {
        &self.scanner
    }

    /// Decides what a message wakes, for those who look on by way of the scope.
    pub(in crate::rules) fn decide<'s>(&'s self, scope: &mut Scope<'s, '_>, now: Timestamp) {
        self.told(scope, now, &NONE_HELD, None);
    }

    /// The condition of a define or rule: defines first, as [`RuleRef`] counts.
    pub(in crate::rules) fn condition(&self, at: RuleRef) -> Option<&Condition> {
        self.nodes.get(at.0).map(|node| &node.linked.condition)
    }

    /// The exceptions of a rule: condition, name and end of each.
    pub(in crate::rules) fn exceptions(&self, at: RuleRef) -> impl Iterator<Item = (&Condition, &str, Timestamp)> {
        let node = self.nodes.get(at.0).into_iter();
        let each = node.flat_map(|node| node.linked.own.iter().zip(&node.exceptions));
        each.map(|(condition, (name, end))| (condition, name.as_str(), *end))
    }

    /// A rule's place among conditions.
    pub(in crate::rules) fn place_of(&self, id: &str) -> Option<RuleRef> {
        self.by_id.get(id).map(|at| RuleRef(at + self.defines))
    }

    /// A rule as it counts at a moment, by its place among conditions; `None` for a define.
    pub(in crate::rules) fn rule_of(&self, at: RuleRef, now: Timestamp) -> Option<&Arc<RuleInfo>> {
        at.0.checked_sub(self.defines)
            .and_then(|rule| self.rule_at(rule, now, &NONE_HELD))
    }

    /// What conditions are told of each other on one message.
    pub(in crate::rules) fn hearsay<'s>(&'s self, scope: &mut Scope<'s, '_>, now: Timestamp) -> Told<'s> {
        self.told(scope, now, &NONE_HELD, None).0
    }

    /// What some defines and rules came to, whether they act or not, exceptions applied.
    pub(in crate::rules) fn answers<'s>(
        &'s self,
        scope: &mut Scope<'s, '_>,
        now: Timestamp,
        wanted: &[RuleRef],
    ) -> HashMap<RuleRef, Outcome> {
        let (mut told, evaluated) = self.told(scope, now, &NONE_HELD, None);
        told.face(false);
        let mut answers = HashMap::new();
        for at in wanted {
            let answer = match at.0.checked_sub(self.defines) {
                Some(rule) => {
                    let own = evaluated.outcomes.iter().find(|(place, _)| *place == rule);
                    own.map(|(_, outcome)| outcome.clone())
                }
                None => self.condition(*at).map(|condition| evaluate(condition, scope, &told)),
            };
            answers.insert(*at, answer.unwrap_or(NOTHING));
        }
        answers
    }
}

impl Told<'_> {
    /// Says from now on what an acting rule may hear, or one that doesn't act.
    pub(in crate::rules) fn face(&mut self, acting: bool) {
        self.to_acting = acting;
    }
}
