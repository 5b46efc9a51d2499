//! The rule author's workbench: what a set says of a message, condition by condition, and what may be
//! asked beside its rules.
//!
//! A loaded [`RuleSet`] goes in, with the files that it was made of; conditions are asked by the same
//! evaluator as in a gate. Knows nothing of the command line or of files' places on a disk.

pub mod asking;
pub mod changes;
pub mod coverage;
mod dissect;
pub mod dossier;
pub mod explain;
pub mod facts;
mod operands;
pub mod portrait;
pub mod profile;
pub mod specimen;
pub mod trial;

#[cfg(test)]
mod tests;

use super::assemble::{self, Options};
use super::compile::{Names, RuleRef};
use super::files::File;
use super::lists::List;
use super::pack;
use super::set::RuleSet;
use super::source::Source;
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A set and what its authors wrote.
pub struct Workbench<'s> {
    set: &'s RuleSet,
    files: Vec<Arc<File>>,
    lists: HashMap<String, Arc<List>>,
    /// Each define and rule by its place among conditions: its file, and its place there.
    places: Vec<(usize, Entry)>,
    names: BTreeMap<String, RuleRef>,
    renamed: HashMap<String, RuleRef>,
    tags: HashMap<String, Vec<RuleRef>>,
}

#[derive(Debug, Clone, Copy)]
enum Entry {
    Define(usize),
    Rule(usize),
}

/// A define or rule as it stands in its file.
#[derive(Clone, Copy)]
struct Written<'w> {
    name: &'w str,
    condition: &'w pack::Condition,
    source: &'w Arc<Source>,
    /// The line on which it begins.
    line: usize,
}

impl<'s> Workbench<'s> {
    /// Lays out a set.
    pub fn new(set: &'s RuleSet) -> Self {
        let files = set.stock.files.clone();
        let options = Options::all(Timestamp::MIN, Arc::clone(&set.stock));
        // What is wrong with lists was told when the set was loaded.
        let lists = assemble::lists(&files, &mut set.roots.clone(), &options, &mut Vec::new());
        let mut bench = Self {
            set,
            lists: lists.by_name,
            places: Vec::new(),
            names: BTreeMap::new(),
            renamed: HashMap::new(),
            tags: HashMap::new(),
            files: Vec::new(),
        };
        bench.place(&files);
        bench.files = files;
        bench
    }

    /// Conditions in the order of the set: every file's defines, then every file's rules.
    fn place(&mut self, files: &[Arc<File>]) {
        for (file, content) in files.iter().map(|file| &file.content).enumerate() {
            for (at, define) in content.defines.iter().enumerate() {
                self.names.insert(define.name.value.clone(), RuleRef(self.places.len()));
                self.places.push((file, Entry::Define(at)));
            }
        }
        for (file, content) in files.iter().map(|file| &file.content).enumerate() {
            for (at, rule) in content.rules.iter().enumerate() {
                let place = RuleRef(self.places.len());
                self.names.insert(rule.id.value.clone(), place);
                for older in &rule.renamed_from {
                    self.renamed.entry(older.value.clone()).or_insert(place);
                }
                for tag in &rule.tags {
                    self.tags.entry(tag.clone()).or_default().push(place);
                }
                self.places.push((file, Entry::Rule(at)));
            }
        }
    }

    /// The set.
    pub fn set(&self) -> &'s RuleSet {
        self.set
    }

    fn written(&self, at: RuleRef) -> Option<Written<'_>> {
        let (file, entry) = *self.places.get(at.0)?;
        let file = self.files.get(file)?;
        let (name, condition, start) = match entry {
            Entry::Define(at) => {
                let define = file.content.defines.get(at)?;
                (&define.name, &define.when, define.name.span.start)
            }
            Entry::Rule(at) => {
                let rule = file.content.rules.get(at)?;
                (&rule.id, &rule.when, rule.start)
            }
        };
        Some(Written {
            name: &name.value,
            condition,
            source: &file.source,
            line: file.line(start),
        })
    }

    fn rule_of_name(&self, name: &str) -> Option<RuleRef> {
        self.names.get(name).or_else(|| self.renamed.get(name)).copied()
    }

    /// The exceptions of a rule, in the order in which they are asked.
    fn exceptions_of(&self, at: RuleRef) -> impl Iterator<Item = Written<'_>> {
        let all = self.files.iter().flat_map(|file| {
            let exceptions = file.content.exceptions.iter();
            exceptions.map(move |exception| (file, exception))
        });
        let own = all.filter(move |(_, exception)| self.rule_of_name(&exception.rule.value) == Some(at));
        own.map(|(file, exception)| Written {
            name: &exception.name,
            condition: &exception.when,
            source: &file.source,
            line: file.line(exception.rule.span.start),
        })
    }
}

impl Names for Workbench<'_> {
    fn list(&self, name: &str) -> Option<Arc<List>> {
        self.lists.get(name).map(Arc::clone)
    }

    fn rule(&self, name: &str) -> Option<RuleRef> {
        self.rule_of_name(name)
    }

    fn rules_starting(&self, prefix: &str) -> Vec<RuleRef> {
        let from = self.names.range(prefix.to_owned()..);
        from.take_while(|(name, _)| name.starts_with(prefix))
            .map(|(_, at)| *at)
            .collect()
    }

    fn rules_tagged(&self, tag: &str) -> Vec<RuleRef> {
        self.tags.get(tag).cloned().unwrap_or_default()
    }

    fn list_names(&self) -> Vec<&str> {
        self.lists.keys().map(String::as_str).collect()
    }

    fn rule_names(&self) -> Vec<&str> {
        self.names.keys().map(String::as_str).collect()
    }
}
