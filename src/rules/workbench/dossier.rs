//! All that is known of one rule: its tests, what it refers to and what refers to it, the house's changes.
//!
//! A set and a rule's id go in, a [`Dossier`] comes out. Knows nothing of messages.

use super::Workbench;
use crate::rules::compile::{Cost, RuleRef};
use crate::rules::lists::ListKind;
use crate::rules::overlay::{OverrideEntry, Target};
use crate::rules::{Action, RuleInfo, Severity, Status};
use jiff::civil::Date;

/// What stands around a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dossier {
    /// Its tests.
    pub tests: Vec<Test>,
    /// Lists that its condition reads, and how many entries each has.
    pub lists: Vec<(String, ListKind, usize)>,
    /// Rules and defines that its condition refers to.
    pub refers_to: Vec<String>,
    /// Rules and defines whose conditions refer to it.
    pub referred_by: Vec<String>,
    /// Rules that take its score away.
    pub replaced_by: Vec<String>,
    /// Older names of it.
    pub renamed_from: Vec<String>,
    /// The house's overrides that meet it, in the order in which they are applied.
    pub overrides: Vec<Override>,
    /// Its exceptions.
    pub exceptions: Vec<Exempt>,
    /// Fields that its condition asks for, without what it refers to.
    pub needs: Vec<(&'static str, Cost)>,
    /// Regexes of it that run on every message.
    pub slow_patterns: Vec<String>,
}

/// A test of the rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Test {
    /// Its name.
    pub name: String,
    /// `match`, `no-match` or `unknown`.
    pub expect: &'static str,
    /// `file:line`.
    pub place: String,
}

/// An override that meets the rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// What it names: `rule X`, `tag x`…
    pub target: String,
    /// What it changes, such as `score 2.5`.
    pub changes: Vec<String>,
    /// `file:line`.
    pub place: String,
}

/// An exception of the rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exempt {
    /// Its name.
    pub name: String,
    /// Its condition as written.
    pub condition: String,
    /// The last day on which it counts, UTC.
    pub expires: Date,
    /// `file:line`.
    pub place: String,
}

impl Workbench<'_> {
    /// What stands around a rule; `None` without one of that id.
    pub fn dossier(&self, id: &str) -> Option<Dossier> {
        let at = self.set.place_of(id)?;
        let rule = self.set.rule(id)?;
        let condition = self.set.condition(at)?;
        let entries = self.files.iter().flat_map(|file| &file.content.rules);
        let entry = entries.clone().find(|entry| entry.id.value == id)?;
        let is_this = |name: &str| self.rule_of_name(name) == Some(at);
        let name_of = |at: &RuleRef| self.written(*at).map(|written| self.name_at(*at, written.name));
        let lists = condition.lists().iter();
        Some(Dossier {
            tests: entry.tests.iter().map(test).collect(),
            lists: lists
                .map(|list| (list.name().to_owned(), list.kind(), list.len()))
                .collect(),
            refers_to: condition.references().iter().filter_map(name_of).collect(),
            referred_by: (0..self.places.len())
                .map(RuleRef)
                .filter(|other| self.refers(*other, at))
                .filter_map(|other| name_of(&other))
                .collect(),
            replaced_by: entries
                .filter(|other| other.replaces.iter().any(|replaced| is_this(&replaced.value)))
                .map(|other| other.id.value.clone())
                .collect(),
            renamed_from: entry.renamed_from.iter().map(|name| name.value.clone()).collect(),
            overrides: self.overrides_of(rule, at),
            exceptions: self.exempt(at),
            needs: condition.needs().to_vec(),
            slow_patterns: condition.slow_patterns().to_vec(),
        })
    }

    /// A rule by its id, a define with its `@`.
    fn name_at(&self, at: RuleRef, name: &str) -> String {
        let is_rule = self.set.place_of(name) == Some(at);
        format!("{}{name}", if is_rule { "" } else { "@" })
    }

    fn refers(&self, other: RuleRef, at: RuleRef) -> bool {
        let condition = self.set.condition(other);
        condition.is_some_and(|condition| condition.references().contains(&at))
    }

    fn overrides_of(&self, rule: &RuleInfo, at: RuleRef) -> Vec<Override> {
        let meets = |entry: &OverrideEntry| match &entry.target {
            Target::Rule(name) => self.rule_of_name(name) == Some(at),
            Target::Tag(tag) => rule.tags.contains(tag),
            Target::Category(category) => rule.category == *category,
            Target::Pack(pack) => rule.pack == *pack,
        };
        let mut met = Vec::new();
        for file in &self.files {
            for entry in file.content.overrides.iter().filter(|entry| meets(entry)) {
                let place = format!("{}:{}", file.source.name, file.line(entry.target_span.start));
                met.push((matches!(entry.target, Target::Rule(_)), applied(entry, place)));
            }
        }
        // The narrower are applied last, and win.
        met.sort_by_key(|(is_narrow, _)| *is_narrow);
        met.into_iter().map(|(_, applied)| applied).collect()
    }

    fn exempt(&self, at: RuleRef) -> Vec<Exempt> {
        let mut found = Vec::new();
        for file in &self.files {
            let exceptions = file.content.exceptions.iter();
            for exception in exceptions.filter(|exception| self.rule_of_name(&exception.rule.value) == Some(at)) {
                found.push(Exempt {
                    name: exception.name.clone(),
                    condition: exception.when.text.trim().to_owned(),
                    expires: exception.expires,
                    place: format!("{}:{}", file.source.name, file.line(exception.rule.span.start)),
                });
            }
        }
        found
    }
}

fn test(entry: &crate::rules::test_entry::TestEntry) -> Test {
    Test {
        name: entry.name.clone(),
        expect: entry.expect.as_str(),
        place: crate::rules::test_entry::place(&entry.source, entry.start),
    }
}

fn applied(entry: &OverrideEntry, place: String) -> Override {
    let target = match &entry.target {
        Target::Rule(name) => format!("rule {name}"),
        Target::Tag(tag) => format!("tag {tag}"),
        Target::Category(category) => format!("category {}", category.as_str()),
        Target::Pack(pack) => format!("pack {pack}"),
    };
    let changes = [
        entry.score.map(|score| format!("score {score}")),
        entry
            .severity
            .map(Severity::as_str)
            .map(|word| format!("severity {word}")),
        entry.status.map(Status::as_str).map(|word| format!("status {word}")),
        entry.action.map(Action::as_str).map(|word| format!("action {word}")),
        entry.cap.map(Action::as_str).map(|word| format!("cap {word}")),
        entry.group.as_ref().map(|group| format!("group {group}")),
    ];
    Override {
        target,
        changes: changes.into_iter().flatten().collect(),
        place,
    }
}
