//! What differs between two sets of rules.
//!
//! Two sets go in; out comes each rule, list, define, exception and pack that was added, removed or
//! altered, and how. What is compared is what counts: overrides are applied, tests are left out. Knows
//! nothing of messages.

use super::Workbench;
use crate::rules::lists::List;
use crate::rules::value::Value;
use crate::rules::{Action, RuleInfo, RuleSet};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What a thing of a set is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A folder of rules with its version.
    Pack,
    /// A rule.
    Rule,
    /// A named condition.
    Define,
    /// A list.
    List,
    /// An exception to a rule.
    Exception,
}

impl Kind {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pack => "pack",
            Self::Rule => "rule",
            Self::Define => "define",
            Self::List => "list",
            Self::Exception => "exception",
        }
    }
}

/// What happened to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "change")]
pub enum What {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It is another than before.
    Altered {
        /// In which respects.
        aspects: Vec<Aspect>,
    },
}

/// A respect in which a thing differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Aspect {
    /// The key in rule files.
    pub name: &'static str,
    /// What is gone, a value each; empty for none.
    pub old: Vec<String>,
    /// What has come.
    pub new: Vec<String>,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What it is.
    pub kind: Kind,
    /// How it is called: a rule's id, a list's name with its `$`, an exception's rule and name.
    pub name: String,
    /// In the old set, where it was called otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renamed_from: Option<String>,
    /// `file:line` of a rule, in the new set if it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// What happened to it.
    #[serde(flatten)]
    pub what: What,
}

/// A thing with all that counts of it, by the keys of rule files.
#[derive(Debug, Default)]
struct Item {
    place: Option<String>,
    older_names: Vec<String>,
    aspects: Vec<(&'static str, Values)>,
}

/// One value, or several of which order and number don't matter.
#[derive(Debug, PartialEq, Eq)]
enum Values {
    One(String),
    Many(BTreeSet<String>),
}

type Items = BTreeMap<(Kind, String), Item>;

/// What differs, sorted by kind and name.
pub fn changes(old: &RuleSet, new: &RuleSet) -> Vec<Change> {
    let (mut before, after) = (items(old), items(new));
    let mut changes: Vec<Change> = Vec::new();
    for ((kind, name), item) in after {
        let same = before.remove(&(kind, name.clone()));
        let mut renamed_from = None;
        let earlier = same.or_else(|| {
            let older = item.older_names.iter().find_map(|older| {
                let item = before.remove(&(kind, older.clone()))?;
                Some((older.clone(), item))
            });
            let (older, item) = older?;
            renamed_from = Some(older);
            Some(item)
        });
        let what = match earlier {
            None => What::Added,
            Some(earlier) => What::Altered {
                aspects: aspects(earlier.aspects, item.aspects),
            },
        };
        if renamed_from.is_some() || what != (What::Altered { aspects: Vec::new() }) {
            changes.push(Change {
                kind,
                name,
                renamed_from,
                place: item.place,
                what,
            });
        }
    }
    changes.extend(before.into_iter().map(|((kind, name), item)| Change {
        kind,
        name,
        renamed_from: None,
        place: item.place,
        what: What::Removed,
    }));
    changes.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
    changes
}

/// Both have the same keys in the same order.
fn aspects(old: Vec<(&'static str, Values)>, new: Vec<(&'static str, Values)>) -> Vec<Aspect> {
    let pairs = old.into_iter().zip(new).filter(|(old, new)| old != new);
    pairs
        .map(|((name, old), (_, new))| {
            let (old, new) = (old.into_set(), new.into_set());
            Aspect {
                name,
                old: old.difference(&new).cloned().collect(),
                new: new.difference(&old).cloned().collect(),
            }
        })
        .collect()
}

impl Values {
    fn one(value: impl ToString) -> Self {
        Self::One(value.to_string())
    }

    fn word(action: Option<Action>) -> Self {
        Self::one(action.map_or("", Action::as_str))
    }

    fn many<'v>(values: impl IntoIterator<Item = &'v String>) -> Self {
        Self::Many(values.into_iter().cloned().collect())
    }

    fn into_set(self) -> BTreeSet<String> {
        match self {
            Self::One(value) if value.is_empty() => BTreeSet::new(),
            Self::One(value) => BTreeSet::from([value]),
            Self::Many(values) => values,
        }
    }
}

fn items(set: &RuleSet) -> Items {
    let mut items = Items::new();
    for pack in set.packs() {
        let aspects = vec![
            ("version", Values::one(&pack.version)),
            ("engine", Values::one(&pack.engine)),
        ];
        items.insert((Kind::Pack, pack.name.clone()), item(aspects));
    }
    for rule in set.rules() {
        items.insert((Kind::Rule, rule.id.clone()), of_rule(rule, set));
    }
    let bench = Workbench::new(set);
    for (name, list) in &bench.lists {
        items.insert((Kind::List, format!("${name}")), of_list(list));
    }
    for content in bench.files.iter().map(|file| &file.content) {
        for define in &content.defines {
            let aspects = vec![("when", Values::one(define.when.text.trim()))];
            items.insert((Kind::Define, format!("@{}", define.name.value)), item(aspects));
        }
        for exception in &content.exceptions {
            let aspects = vec![
                ("when", Values::one(exception.when.text.trim())),
                ("expires", Values::one(exception.expires)),
            ];
            let name = format!("{}: {}", exception.rule.value, exception.name);
            items.insert((Kind::Exception, name), item(aspects));
        }
        for rule in &content.rules {
            if let Some(item) = items.get_mut(&(Kind::Rule, rule.id.value.clone())) {
                item.older_names = rule.renamed_from.iter().map(|name| name.value.clone()).collect();
            }
        }
    }
    items
}

fn item(aspects: Vec<(&'static str, Values)>) -> Item {
    Item {
        aspects,
        ..Item::default()
    }
}

fn of_rule(rule: &RuleInfo, set: &RuleSet) -> Item {
    let details = set.details(&rule.id);
    let text = |part: Option<&str>| Values::one(part.unwrap_or_default().trim());
    let aspects = vec![
        ("summary", Values::one(&rule.summary)),
        ("category", Values::one(rule.category.as_str())),
        ("severity", Values::one(rule.severity.as_str())),
        ("score", Values::one(format!("{:.2}", rule.score.points()))),
        ("status", Values::one(rule.status.as_str())),
        ("action", Values::word(rule.floor)),
        ("cap", Values::word(rule.cap)),
        ("group", text(rule.group.as_deref())),
        ("replaces", Values::many(&rule.replaces)),
        ("tags", Values::many(&rule.tags)),
        ("owner", text(details.map(|details| details.owner.as_str()))),
        (
            "references",
            Values::many(details.iter().flat_map(|details| &details.references)),
        ),
        (
            "false_positives",
            Values::many(details.iter().flat_map(|details| &details.false_positives)),
        ),
        (
            "expires",
            Values::one(
                details
                    .and_then(|details| details.expires)
                    .map(last_day)
                    .unwrap_or_default(),
            ),
        ),
        ("when", text(details.map(|details| details.condition.as_str()))),
    ];
    Item {
        place: Some(format!("{}:{}", rule.file, rule.line)),
        ..item(aspects)
    }
}

/// The day that ends at this moment, as rule files write it.
fn last_day(end: Timestamp) -> String {
    let after = end.to_zoned(TimeZone::UTC).date();
    after.yesterday().unwrap_or(after).to_string()
}

fn cell(value: &Value<'_>) -> String {
    match value {
        Value::List(list) => list
            .items
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", "),
        value => value.to_string(),
    }
}

fn of_list(list: &List) -> Item {
    let written = |(value, expiry): &(String, Option<Timestamp>)| match expiry {
        Some(end) => format!("{value} ; expires={}", last_day(*end)),
        None => value.clone(),
    };
    let row = |row: &Vec<Value<'static>>| row.iter().map(cell).collect::<Vec<_>>().join(" | ");
    let entries = list.entries().iter().map(written).chain(list.rows().iter().map(row));
    item(vec![
        ("kind", Values::one(list.kind().as_str())),
        ("entries", Values::Many(entries.collect())),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::source::{Root, Source};
    use std::sync::Arc;

    const RULE: &str = "[[rule]]\nid = 'ONE'\nsummary = 'x'\ncategory = 'spam'\nseverity = 'low'\nscore = 1.0\nwhen = '@often and subject in $words'\n";
    const LIST: &str = "[lists.words]\nkind = 'text'\nvalues = ['a', 'b']\n";
    const DEFINE: &str = "[[define]]\nname = 'often'\nwhen = 'links.length > 3'\n";

    fn set(text: &str) -> RuleSet {
        let root = Root {
            files: vec![Arc::new(Source::new("rules.toml", text))],
            ..Root::default()
        };
        let now = "2026-01-05T09:00:00Z".parse().unwrap();
        RuleSet::from_roots(vec![root], now).unwrap().set
    }

    fn told(old: &str, new: &str) -> Vec<String> {
        let line = |change: Change| {
            let from = change
                .renamed_from
                .map(|from| format!(" from {from}"))
                .unwrap_or_default();
            let what = match change.what {
                What::Added => "added".to_owned(),
                What::Removed => "removed".to_owned(),
                What::Altered { aspects } => {
                    let aspect = |aspect: &Aspect| {
                        let (old, new) = (aspect.old.join(","), aspect.new.join(","));
                        format!("{} [{old}] [{new}]", aspect.name)
                    };
                    aspects.iter().map(aspect).collect::<Vec<_>>().join("; ")
                }
            };
            format!("{} {}{from}: {what}", change.kind.as_str(), change.name)
        };
        changes(&set(old), &set(new)).into_iter().map(line).collect()
    }

    #[test]
    fn what_is_the_same_is_no_change() {
        let whole = [RULE, LIST, DEFINE].concat();
        assert_eq!(told(&whole, &whole), [""; 0]);
        // Nor is another order, or what only people read between the tables.
        assert_eq!(told(&whole, &["# a comment\n", DEFINE, LIST, RULE].concat()), [""; 0]);
    }

    #[test]
    fn each_kind_of_thing_that_comes_or_goes_is_told() {
        let more = format!(
            "{RULE}{LIST}{DEFINE}[lists.more]\nkind = 'domain'\nvalues = ['a.example']\n{}{}[[exception]]\nrule = 'ONE'\nname = 'n'\nwhen = 'true'\nreason = 'r'\nowner = 'o'\nexpires = 2026-03-31\n",
            DEFINE.replace("often", "seldom"),
            RULE.replace("ONE", "TWO"),
        );
        let few = [RULE, LIST, DEFINE].concat();
        let names = ["rule TWO", "define @seldom", "list $more", "exception ONE: n"];
        assert_eq!(told(&few, &more), names.map(|name| format!("{name}: added")));
        assert_eq!(told(&more, &few), names.map(|name| format!("{name}: removed")));
    }

    #[test]
    fn each_way_of_being_another_is_told() {
        let whole = [RULE, LIST, DEFINE].concat();
        for (old, new, expected) in [
            ("score = 1.0", "score = 2.5", "rule ONE: score [1.00] [2.50]"),
            ("'low'", "'high'", "rule ONE: severity [low] [high]"),
            (
                "score = 1.0",
                "score = 1.0\nstatus = 'shadow'",
                "rule ONE: status [active] [shadow]",
            ),
            (
                "score = 1.0",
                "score = 1.0\naction = 'tag'",
                "rule ONE: action [] [tag]",
            ),
            (
                "score = 1.0",
                "score = 1.0\nexpires = 2026-03-31",
                "rule ONE: expires [] [2026-03-31]",
            ),
            (
                "score = 1.0",
                "score = 1.0\ntags = ['x', 'y']",
                "rule ONE: tags [] [x,y]",
            ),
            (
                "@often and subject",
                "subject",
                "rule ONE: when [@often and subject in $words] [subject in $words]",
            ),
            (
                "> 3",
                "> 4",
                "define @often: when [links.length > 3] [links.length > 4]",
            ),
            ("['a', 'b']", "['b', 'c', 'd']", "list $words: entries [a] [c,d]"),
        ] {
            assert_eq!(told(&whole, &whole.replace(old, new)), [expected], "{new}");
        }
    }

    #[test]
    fn what_the_house_changes_is_told_by_what_comes_of_it() {
        let whole = [RULE, LIST, DEFINE].concat();
        let house = format!(
            "{whole}[[override]]\nrule = 'ONE'\nscore = 4.0\nreason = 'r'\nowner = 'o'\n[[list_override]]\nlist = 'words'\nadd = ['c']\nreason = 'r'\nowner = 'o'\n"
        );
        assert_eq!(
            told(&whole, &house),
            ["rule ONE: score [1.00] [4.00]", "list $words: entries [] [c]"]
        );
    }

    #[test]
    fn a_rule_under_a_new_name_is_the_same_rule() {
        let whole = [RULE, LIST, DEFINE].concat();
        let renamed = whole.replace("id = 'ONE'", "id = 'UNO'\nrenamed_from = ['ONE']");
        assert_eq!(told(&whole, &renamed), ["rule UNO from ONE: "]);
    }

    #[test]
    fn cells_of_tables_are_compared() {
        let table = "[lists.vips]\nkind = 'table'\ncolumns = { name = 'name', addresses = 'list<address>' }\nrows = [{ name = 'Ann', addresses = ['a@x.example', 'b@x.example'] }]\n";
        let other = table.replace("b@x", "c@x");
        assert_eq!(
            told(table, &other),
            ["list $vips: entries [a@x.example, b@x.example | Ann] [a@x.example, c@x.example | Ann]"]
        );
    }
}
