//! The rule language once more, as plainly as it can be written: what the engine is held against.
//!
//! The trees that authors wrote and a message go in; out comes what each rule says of it, and why where it
//! can't be told. Every node is evaluated, needles are looked for one by one in a folded copy of the text,
//! regexes run over the whole of it. Stands in tests only; knows nothing of atoms, gates, automata, shared
//! or lazy conditions, windows, steps or snippets.

mod corpus;
mod generate;
mod mails;
mod real;
mod tests;
mod text;
mod truth;
mod value;
mod vocabulary;

pub(super) use vocabulary::PIECES;

use super::Status;
use super::evaluate::Truth;
use super::lists::List;
use super::set::RuleSet;
use super::syntax::{Expr, parse};
use super::value::{Value, Why};
use crate::evidence::Evidence;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// What a condition comes to, and every fact for want of which it can't be told.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Told {
    truth: Truth,
    whys: BTreeSet<Why>,
}

impl Told {
    /// Reasons are kept of what is unknown alone.
    fn new(truth: Truth, whys: BTreeSet<Why>) -> Self {
        match truth {
            Truth::Unknown => Self { truth, whys },
            Truth::True | Truth::False => truth.into(),
        }
    }
}

impl From<Truth> for Told {
    fn from(truth: Truth) -> Self {
        Self {
            truth,
            whys: BTreeSet::new(),
        }
    }
}

impl From<bool> for Told {
    fn from(truth: bool) -> Self {
        Truth::from(truth).into()
    }
}

/// A set of rules as written.
struct Book {
    rules: Vec<Written>,
    defines: BTreeMap<String, Expr>,
    lists: HashMap<String, Arc<List>>,
    /// Rules that for now don't act.
    held: Vec<String>,
}

struct Written {
    id: String,
    tags: Vec<String>,
    condition: Expr,
    /// Each with the moment from which it no longer counts.
    exceptions: Vec<(Expr, Timestamp)>,
    status: Status,
    expires: Option<Timestamp>,
}

impl Book {
    /// Reads the texts of a set once more, with nothing but a TOML reader and the parser of conditions.
    fn of(set: &RuleSet) -> Self {
        let files = set.roots.iter().flat_map(|root| &root.files);
        let tables: Vec<toml::Table> = files.map(|file| file.text.parse().unwrap()).collect();
        let entries = |key: &'static str| {
            let all = tables.iter().filter_map(move |table| table.get(key)?.as_array());
            all.flatten().map(|entry| entry.as_table().unwrap())
        };
        let word = |entry: &toml::Table, key: &str| entry.get(key).unwrap().as_str().unwrap().to_owned();
        let condition = |entry: &toml::Table| parse(&word(entry, "when")).0.unwrap();
        let exceptions = |id: &str| {
            let own = entries("exception").filter(|entry| word(entry, "rule") == id);
            own.map(|entry| (condition(entry), end_of(&entry.get("expires").unwrap().to_string())))
                .collect()
        };
        let rules = entries("rule").map(|entry| {
            let id = word(entry, "id");
            let info = set.rule(&id).unwrap();
            Written {
                tags: info.tags.clone(),
                condition: condition(entry),
                exceptions: exceptions(&id),
                status: info.status,
                expires: set.details(&id).unwrap().expires,
                id,
            }
        });
        let defines = entries("define").map(|entry| (word(entry, "name"), condition(entry)));
        let lists = set.lists_in_use().into_iter();
        Self {
            rules: rules.collect(),
            defines: defines.collect(),
            lists: lists.map(|list| (list.name().to_owned(), list)).collect(),
            held: Vec::new(),
        }
    }

    /// What each rule says of a message, by its id.
    fn judge<'e>(&'e self, evidence: &'e Evidence<'e, '_>, withheld: &'e [String]) -> Vec<(&'e str, Told)> {
        let told = |rule: &'e Written| (rule.id.as_str(), self.outcome(rule, evidence, withheld));
        self.rules.iter().map(told).collect()
    }

    fn acts(&self, rule: &Written, now: Timestamp) -> bool {
        let is_current = rule.expires.is_none_or(|end| now < end);
        rule.status == Status::Active && is_current && !self.held.contains(&rule.id)
    }

    /// A rule's own outcome: what it says, unless an exception is true.
    fn outcome<'e>(&'e self, rule: &'e Written, evidence: &'e Evidence<'e, '_>, withheld: &'e [String]) -> Told {
        let mut look = Look {
            book: self,
            evidence,
            withheld,
            acting: self.acts(rule, evidence.now),
            current: &rule.id,
            variables: Vec::new(),
        };
        let told = look.truth(&rule.condition);
        let mut current = rule.exceptions.iter().filter(|(_, end)| evidence.now < *end);
        match told.truth {
            Truth::True if current.any(|(exception, _)| look.truth(exception).truth == Truth::True) => false.into(),
            _ => told,
        }
    }
}

fn end_of(day: &str) -> Timestamp {
    let day: Date = day.parse().unwrap();
    day.tomorrow().unwrap().to_zoned(TimeZone::UTC).unwrap().timestamp()
}

/// One condition on one message.
struct Look<'e, 'm> {
    book: &'e Book,
    evidence: &'e Evidence<'e, 'm>,
    withheld: &'e [String],
    /// Whether the rule that asks acts: then rules that don't are unknown to it.
    acting: bool,
    /// The rule or define that asks: sets of rules leave it out.
    current: &'e str,
    variables: Vec<Variable<'e>>,
}

/// What a lambda's name stands for, and the table that it is a row of.
struct Variable<'e> {
    name: String,
    value: Value<'e>,
    table: Option<&'e List>,
}

impl<'e> Look<'e, '_> {
    /// What `@name` says to the one who asks.
    fn referred(&mut self, name: &str) -> Told {
        let book = self.book;
        if let Some((name, condition)) = book.defines.get_key_value(name) {
            return Look {
                current: name,
                variables: Vec::new(),
                ..*self
            }
            .truth(condition);
        }
        let rule = book.rules.iter().find(|rule| rule.id == name).unwrap();
        match self.acting && !book.acts(rule, self.evidence.now) {
            true => Truth::Unknown.into(),
            false => book.outcome(rule, self.evidence, self.withheld),
        }
    }

    /// Names of rules and defines that begin so, or of rules with a tag, without the one that asks.
    fn named(&self, belongs: impl Fn(&str, &[String]) -> bool) -> Vec<String> {
        let rules = self.book.rules.iter().map(|rule| (&rule.id, rule.tags.as_slice()));
        let defines = self.book.defines.keys().map(|name| (name, &[][..]));
        let all = rules.chain(defines).filter(|(name, tags)| belongs(name, tags));
        all.map(|(name, _)| name.clone())
            .filter(|name| name != self.current)
            .collect()
    }

    fn list(&self, name: &str) -> &'e List {
        self.book.lists.get(name).unwrap()
    }
}
