//! The house's changes to rules that came in packs: overrides, list overrides, exceptions.
//!
//! Their TOML tables go in; out come changed [`RuleInfo`]s, or a diagnostic where a change names
//! nothing that exists. Knows nothing of conditions.

use super::diagnostic::{Diagnostic, nearest};
use super::keys;
use super::list_entry::Entries;
use super::pack::{Condition, check_word, rule_id, score, words};
use super::source::Source;
use super::table::{Located, Reader, Section, plain};
use super::{Action, Category, RuleInfo, Score, Severity, Status};
use jiff::civil::Date;
use std::ops::Range;
use std::sync::Arc;

/// Which rules an override changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    Rule(String),
    Tag(String),
    Category(Category),
    Pack(String),
}

#[derive(Debug)]
pub(super) struct OverrideEntry {
    pub target: Target,
    pub target_span: Range<usize>,
    pub score: Option<Score>,
    pub severity: Option<Severity>,
    pub status: Option<Status>,
    pub action: Option<Action>,
    pub cap: Option<Action>,
    pub group: Option<String>,
}

#[derive(Debug)]
pub(super) struct ListOverrideEntry {
    pub list: Located<String>,
    pub add: Entries,
    pub remove: Vec<Located<String>>,
    pub replace: Option<Entries>,
    /// A list file of entries to add.
    pub file: Option<Located<String>>,
}

#[derive(Debug)]
pub(super) struct ExceptionEntry {
    pub rule: Located<String>,
    pub name: String,
    pub when: Condition,
    pub expires: Date,
}

impl OverrideEntry {
    /// Reads one.
    pub(super) fn read(reader: &mut Reader, section: Section<'_, '_>) -> Option<Self> {
        reader.check(section, &keys::OVERRIDE);
        let _ = (reader.string(section, "reason"), reader.string(section, "owner"));
        let entry_score = score(reader, section);
        let severity = reader.word(section, "severity", &words(&Severity::ALL, Severity::as_str));
        let status = reader.word(section, "status", &words(&Status::ALL, Status::as_str));
        let action = reader.word(section, "action", &words(&Action::ALL, Action::as_str));
        let cap = reader.word(section, "cap", &words(&Action::ALL, Action::as_str));
        let group = reader.string(section, "group");
        if let Some(group) = &group {
            check_word(reader, group);
        }
        let named: Vec<&str> = ["rule", "tag", "category", "pack"]
            .into_iter()
            .filter(|key| section.table.contains_key(*key))
            .collect();
        let [key] = named.as_slice() else {
            let message = "an override names one of rule, tag, category or pack";
            let heading = reader.heading(section);
            reader.error("override-target", heading, message);
            return None;
        };
        let text = reader.string(section, key)?;
        let target = match *key {
            "rule" => Target::Rule(text.value),
            "tag" => Target::Tag(text.value),
            "pack" => Target::Pack(text.value),
            _ => Target::Category(reader.word(section, key, &words(&Category::ALL, Category::as_str))?),
        };
        Some(OverrideEntry {
            target,
            target_span: text.span,
            score: entry_score,
            severity,
            status,
            action,
            cap,
            group: group.map(|group| group.value),
        })
    }
}

impl ListOverrideEntry {
    /// Reads one.
    pub(super) fn read(reader: &mut Reader, section: Section<'_, '_>) -> Option<Self> {
        reader.check(section, &keys::LIST_OVERRIDE);
        let _ = (reader.string(section, "reason"), reader.string(section, "owner"));
        let entry = ListOverrideEntry {
            add: Entries::read(reader, section, "add").unwrap_or_default(),
            remove: reader.strings(section, "remove", false).unwrap_or_default(),
            replace: Entries::read(reader, section, "replace"),
            file: reader.string(section, "file"),
            list: reader.string(section, "list")?,
        };
        if entry.replace.is_some() && !(entry.add.is_empty() && entry.remove.is_empty()) {
            let message = "`replace` stands alone: leave out `add` and `remove`";
            let heading = reader.heading(section);
            reader.error("list-override", heading, message);
        }
        Some(entry)
    }
}

impl ExceptionEntry {
    /// Reads one.
    pub(super) fn read(reader: &mut Reader, section: Section<'_, '_>) -> Option<Self> {
        reader.check(section, &keys::EXCEPTION);
        let rule = rule_id(reader, section, "rule");
        let name = reader.string(section, "name");
        for key in ["reason", "owner"] {
            if reader
                .string(section, key)
                .is_some_and(|text| text.value.trim().is_empty())
            {
                let span = section.table.get(key).map_or(0..0, toml::Spanned::span);
                reader.error("empty-value", span, format!("`{key}` says nothing"));
            }
        }
        let expires = reader.date(section, "expires");
        let when = Condition::read(reader, section, "when");
        Some(ExceptionEntry {
            rule: rule?,
            name: name?.value,
            when: when?,
            expires: expires?.value,
        })
    }
}

/// Applies every override: by pack, category and tag first, then by rule, each in file order, so that
/// the narrower wins. `find` gives a rule's place by its id or an older one.
pub(super) fn apply(
    overrides: &[(&OverrideEntry, &Arc<Source>)],
    rules: &mut [RuleInfo],
    find: &dyn Fn(&str) -> Option<usize>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let narrow = |entry: &OverrideEntry| matches!(entry.target, Target::Rule(_));
    let broad_first = overrides
        .iter()
        .filter(|(entry, _)| !narrow(entry))
        .chain(overrides.iter().filter(|(entry, _)| narrow(entry)));
    for (entry, source) in broad_first {
        let mut changed = 0;
        if let Target::Rule(id) = &entry.target {
            if let Some(rule) = find(id).and_then(|at| rules.get_mut(at)) {
                entry.change(rule, source, diagnostics);
                changed += 1;
            }
        } else {
            for rule in rules.iter_mut().filter(|rule| entry.target.names(rule)) {
                entry.change(rule, source, diagnostics);
                changed += 1;
            }
        }
        if changed == 0 {
            diagnostics.push(entry.names_nothing(source, rules));
        }
    }
}

impl Target {
    fn names(&self, rule: &RuleInfo) -> bool {
        match self {
            Self::Rule(id) => rule.id == *id,
            Self::Tag(tag) => rule.tags.contains(tag),
            Self::Category(category) => rule.category == *category,
            Self::Pack(pack) => rule.pack == *pack,
        }
    }
}

impl OverrideEntry {
    fn change(&self, rule: &mut RuleInfo, source: &Arc<Source>, diagnostics: &mut Vec<Diagnostic>) {
        rule.score = self.score.unwrap_or(rule.score);
        rule.severity = self.severity.unwrap_or(rule.severity);
        rule.status = self.status.unwrap_or(rule.status);
        rule.floor = self.action.or(rule.floor);
        rule.cap = self.cap.or(rule.cap);
        rule.group = self.group.clone().or(rule.group.take());
        if let (Some(floor), Some(cap)) = (rule.floor, rule.cap)
            && floor > cap
        {
            let message = format!(
                "this leaves {} with the action `{}` above its cap `{}`",
                rule.id,
                floor.as_str(),
                cap.as_str()
            );
            let span = self.target_span.clone();
            diagnostics.push(Diagnostic::error("action-above-cap", source, span, message));
        }
    }

    fn names_nothing(&self, source: &Arc<Source>, rules: &[RuleInfo]) -> Diagnostic {
        let (what, name, near) = match &self.target {
            Target::Rule(id) => (
                "rule",
                id.as_str(),
                nearest(id, rules.iter().map(|rule| rule.id.as_str())),
            ),
            Target::Tag(tag) => {
                let tags = rules.iter().flat_map(|rule| rule.tags.iter().map(String::as_str));
                ("rule with the tag", tag.as_str(), nearest(tag, tags))
            }
            Target::Category(category) => ("rule of the category", category.as_str(), None),
            Target::Pack(pack) => {
                let packs = rules.iter().map(|rule| rule.pack.as_str());
                ("rule of the pack", pack.as_str(), nearest(pack, packs))
            }
        };
        let message = format!("there is no {what} `{}`", plain(name));
        let help = near.map(|near| format!("did you mean `{near}`?"));
        Diagnostic::error("unknown-rule", source, self.target_span.clone(), message).maybe_help(help)
    }
}
