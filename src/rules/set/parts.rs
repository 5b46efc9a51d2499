//! What a set tells of its parts: their texts, their order, and what refers to what.
//!
//! Enters: a rule. Leaves: what it takes to evaluate that alone, or to tell whether it is still the same.
//! Knows nothing of messages.

use super::{Details, Node, RuleSet};
use crate::rules::assemble::Only;
use crate::rules::compile::{Condition, RuleRef};
use crate::rules::{Memory, RuleInfo, Status, memory};
use jiff::Timestamp;
use std::mem::size_of;

impl RuleSet {
    /// What it takes in memory, told from its structures.
    pub fn memory(&self) -> Memory {
        Memory {
            regexes: memory::regexes(self),
            ..*self.memory.get_or_init(|| memory::fixed(self))
        }
    }

    /// Every condition, those of exceptions among them.
    pub(in crate::rules) fn conditions(&self) -> impl Iterator<Item = &Condition> {
        let nodes = self.nodes.iter();
        nodes.flat_map(|node| std::iter::once(&node.linked.condition).chain(&node.linked.own))
    }

    /// What it takes beside conditions, lists, needles and texts.
    pub(in crate::rules) fn own_bytes(&self) -> usize {
        let rules = self.rules.iter().map(|rule| {
            let words = rule.replaces.iter().chain(&rule.tags).map(String::capacity);
            let texts = [&rule.id, &rule.summary, &rule.file, &rule.pack];
            // Its id stands a second time as what it is found by.
            size_of::<RuleInfo>()
                + rule.id.len()
                + texts.map(String::capacity).iter().sum::<usize>()
                + words.sum::<usize>()
        });
        let details = self.details.iter().map(|details| {
            let many = details.references.iter().chain(&details.false_positives);
            size_of::<Details>() + details.condition.capacity() + many.map(String::capacity).sum::<usize>()
        });
        let nodes = self.nodes.len() * (size_of::<Node>() + size_of::<(String, usize)>());
        rules.sum::<usize>() + details.sum::<usize>() + nodes + self.wakers.heap_bytes()
    }

    /// Every condition as its author wrote it: defines first, as [`RuleRef`] counts.
    pub(in crate::rules) fn written(&self) -> impl Iterator<Item = &str> {
        self.named().map(|(_, condition)| condition)
    }

    /// Names and conditions, without the conditions of exceptions.
    fn named(&self) -> impl Iterator<Item = (&str, &str)> {
        let files = &self.stock.files;
        let defines = files.iter().flat_map(|file| &file.content.defines);
        let rules = files.iter().flat_map(|file| &file.content.rules);
        let defines = defines.map(|define| (define.name.value.as_str(), define.when.text.as_str()));
        defines.chain(rules.map(|rule| (rule.id.value.as_str(), rule.when.text.as_str())))
    }

    /// When each rule's file was last changed, in the order of the rules.
    pub(super) fn modified(&self) -> impl Iterator<Item = Option<Timestamp>> {
        let files = self.stock.files.iter();
        files.flat_map(|file| file.content.rules.iter().map(|_| file.source.modified))
    }

    /// The places of conditions, each after those that it refers to.
    pub(in crate::rules) fn order(&self) -> &[usize] {
        &self.order
    }

    /// Whether a rule acts, and until when; `None` for a define.
    pub(in crate::rules) fn acting(&self, at: RuleRef) -> Option<(Status, Option<Timestamp>)> {
        let place = at.0.checked_sub(self.defines)?;
        Some((self.rules.get(place)?.status, self.details.get(place)?.expires))
    }

    /// A rule and all that it refers to.
    pub(in crate::rules) fn only(&self, id: &str) -> Only {
        let names: Vec<&str> = self.named().map(|(name, _)| name).collect();
        let mut only = Only::default();
        let mut open: Vec<RuleRef> = self.place_of(id).into_iter().collect();
        while let Some(at) = open.pop() {
            let Some((name, condition)) = names.get(at.0).copied().zip(self.condition(at)) else {
                continue;
            };
            let known = match at.0 < self.defines {
                true => &mut only.defines,
                false => &mut only.rules,
            };
            if known.insert(name.to_owned()) {
                let lists = condition.lists().iter().map(|list| list.name().to_owned());
                only.lists.extend(lists);
                open.extend(condition.references());
            }
        }
        only
    }
}
