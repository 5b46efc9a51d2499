//! What a set holds that another may take over: files as read, lists as built, regexes as compiled.
//!
//! Enters: what a set was made of. Leaves: those parts of it that another set, made of the same texts, would
//! make alike. Each set has a stock of its own, with what it uses and nothing else, so that a part goes with
//! the last set that holds it. Knows nothing of how parts are made.

use super::compile::Patterns;
use super::diagnostic::Diagnostic;
use super::files::File;
use super::lists::List;
use super::source::Source;
use std::collections::HashMap;
use std::sync::{Arc, Weak};

/// The parts of a set.
#[derive(Debug, Default)]
pub(super) struct Stock {
    /// In the set's order.
    pub files: Vec<Arc<File>>,
    /// By their names.
    pub lists: HashMap<String, KnownList>,
    pub patterns: Arc<Patterns>,
}

/// A list, and all that it was made of.
#[derive(Debug)]
pub(super) struct KnownList {
    /// One that no condition uses is not kept.
    list: Weak<List>,
    origin: Origin,
    warnings: Vec<Diagnostic>,
}

/// What a list is made of.
#[derive(Debug)]
pub(super) struct Origin {
    /// The file that defines it, and its place among that file's lists.
    pub file: Arc<File>,
    pub at: usize,
    /// The file of its entries, where it has one.
    pub entries: Option<Arc<Source>>,
    /// The files whose changes were made to it, in order.
    pub changes: Vec<Arc<File>>,
    /// The files whose entries these add, in order.
    pub added: Vec<Arc<Source>>,
}

impl KnownList {
    pub(super) fn new(list: &Arc<List>, origin: Origin, warnings: Vec<Diagnostic>) -> Self {
        Self {
            list: Arc::downgrade(list),
            origin,
            warnings,
        }
    }
}

impl Origin {
    /// Whether a list of each would be the same. Files that are alike are one.
    fn is_same(&self, other: &Self) -> bool {
        let changes = self.changes.iter().zip(&other.changes);
        let is_text = |one: &Arc<Source>, other: &Arc<Source>| Arc::ptr_eq(one, other) || one.text == other.text;
        let entries = match (&self.entries, &other.entries) {
            (Some(one), Some(other)) => is_text(one, other),
            (None, None) => true,
            _ => false,
        };
        let added = self.added.iter().zip(&other.added);
        entries
            && self.added.len() == other.added.len()
            && added.into_iter().all(|(one, other)| is_text(one, other))
            && self.says_same(other)
            && self.changes.len() == other.changes.len()
            && changes.into_iter().all(|(one, other)| Arc::ptr_eq(one, other))
    }
}

impl Origin {
    /// Whether both are defined alike: the file around a definition may have changed.
    fn says_same(&self, other: &Self) -> bool {
        let (one, two) = (
            self.file.content.lists.get(self.at),
            other.file.content.lists.get(other.at),
        );
        one.zip(two).is_some_and(|(one, two)| one.says_same(two))
    }
}

impl Stock {
    /// The list of a name, if it was made of the same, and what is to be said of it.
    pub(super) fn list(&self, name: &str, origin: &Origin) -> Option<(Arc<List>, &[Diagnostic])> {
        let known = self.lists.get(name).filter(|known| known.origin.is_same(origin))?;
        Some((known.list.upgrade()?, &known.warnings))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::assemble::{Options, assemble};
    use crate::rules::compile::Pattern;
    use crate::rules::set::{Loaded, RuleSet};
    use crate::rules::source::Root;
    use jiff::Timestamp;

    const LIST: &str = "[lists.bad]\nkind = 'domain'\nfile = 'bad.txt'\n";
    const UNUSED: &str = "[lists.unused]\nkind = 'text'\nvalues = ['x']\n";

    fn rule(id: &str, when: &str) -> String {
        format!("[[rule]]\nid = '{id}'\nsummary = 'x'\ncategory = 'spam'\nseverity = 'low'\nwhen = '''{when}'''\n")
    }

    /// Loads files, by name and text; what is no rule file is one of a list's.
    fn load(files: &[(&str, &str)], before: Option<&RuleSet>) -> Result<Loaded, Vec<Diagnostic>> {
        let (rules, lists): (Vec<_>, Vec<_>) = files.iter().partition(|(name, _)| name.ends_with(".toml"));
        let source = |(name, text): &(&str, &str)| Arc::new(Source::new(*name, *text));
        let root = Root {
            files: rules.iter().map(source).collect(),
            lists: lists.iter().map(|list| (list.0.to_owned(), source(list))).collect(),
            ..Root::default()
        };
        let stock = before.map(|before| Arc::clone(&before.stock)).unwrap_or_default();
        assemble(vec![root], &Options::all(Timestamp::UNIX_EPOCH, stock))
    }

    fn set(files: &[(&str, &str)], before: Option<&RuleSet>) -> RuleSet {
        load(files, before)
            .unwrap_or_else(|problems| panic!("{problems:#?}"))
            .set
    }

    fn regex(set: &RuleSet, source: &str) -> Arc<Pattern> {
        let patterns = &set.stock.patterns;
        let found = patterns.iter().find(|pattern| pattern.source == source);
        Arc::clone(found.unwrap())
    }

    fn list(set: &RuleSet, name: &str) -> Arc<List> {
        set.stock.lists[name].list.upgrade().unwrap()
    }

    #[test]
    fn a_reload_takes_over_what_is_unchanged_and_nothing_else() {
        let one = rule("ONE", "subject.matches(/pay/i)");
        let two = LIST.to_owned() + &rule("TWO", "subject.matches(/due/i) and from.domain in $bad");
        let old = set(&[("1.toml", &one), ("2.toml", &two), ("bad.txt", "a.example")], None);

        let same = set(
            &[("1.toml", &one), ("2.toml", &two), ("bad.txt", "a.example")],
            Some(&old),
        );
        for (file, earlier) in same.stock.files.iter().zip(&old.stock.files) {
            assert!(Arc::ptr_eq(file, earlier), "{:?}", file.source);
        }
        assert_eq!((same.sha256(), same.rules()), (old.sha256(), old.rules()));

        let changed = two.replace("/due/i", "/due/");
        let new = set(
            &[("1.toml", &one), ("2.toml", &changed), ("bad.txt", "a.example")],
            Some(&same),
        );
        assert!(Arc::ptr_eq(&regex(&new, "/pay/i"), &regex(&old, "/pay/i")));
        assert!(!Arc::ptr_eq(&regex(&new, "/due/"), &regex(&old, "/due/i")));
        assert_eq!(new.stock.patterns.iter().count(), 2);
        assert!(!Arc::ptr_eq(&new.stock.files[1], &old.stock.files[1]));
        // The file around its definition changed, and the list did not.
        assert!(Arc::ptr_eq(&list(&new, "bad"), &list(&old, "bad")));
        let read_anew = set(
            &[("1.toml", &one), ("2.toml", &changed), ("bad.txt", "a.example")],
            None,
        );
        assert_eq!((new.sha256(), new.rules()), (read_anew.sha256(), read_anew.rules()));
    }

    #[test]
    fn a_list_is_built_anew_whatever_of_it_changes() {
        let uses = rule("ONE", "from.domain in $bad");
        let base = LIST.to_owned() + &uses;
        let old = set(&[("1.toml", &base), ("bad.txt", "a.example")], None);
        let inline = base.replace("file = 'bad.txt'", "values = ['a.example']");
        let added = "[[list_override]]\nlist = 'bad'\nadd = ['b.example']\n";
        let changes: [&[(&str, &str)]; 4] = [
            &[("1.toml", &base), ("bad.txt", "a.example\nb.example")],
            &[("1.toml", &inline)],
            &[
                (
                    "1.toml",
                    &base.replace("'domain'", "'text'").replace("from.domain", "subject"),
                ),
                ("bad.txt", "a.example"),
            ],
            &[("1.toml", &base), ("2.toml", added), ("bad.txt", "a.example")],
        ];
        for files in changes {
            let new = set(files, Some(&old));
            assert!(!Arc::ptr_eq(&list(&new, "bad"), &list(&old, "bad")), "{files:?}");
            let again = set(files, Some(&new));
            assert!(Arc::ptr_eq(&list(&new, "bad"), &list(&again, "bad")), "{files:?}");
        }
    }

    #[test]
    fn what_is_taken_over_is_warned_of_again() {
        let text = "[[list_override]]\nlist = 'bad'\nremove = ['z.example']\n".to_owned()
            + LIST
            + &rule("ONE", "subject.matches(/pay/) and from.domain in $bad");
        let files = [("1.toml", text.as_str()), ("bad.txt", "a.example")];
        let old = load(&files, None).unwrap();
        let codes = |loaded: &Loaded| loaded.warnings.iter().map(|warning| warning.code).collect::<Vec<_>>();
        assert!(codes(&old).contains(&"nothing-to-remove") && codes(&old).contains(&"case-sensitive"));
        assert_eq!(codes(&load(&files, Some(&old.set)).unwrap()), codes(&old));
    }

    #[test]
    fn what_the_last_set_leaves_behind_is_freed() {
        let one = rule("ONE", "subject.matches(/pay/i) and subject in $unused") + UNUSED;
        let old = set(&[("1.toml", &one)], None);
        let (regex, list) = (
            Arc::downgrade(&regex(&old, "/pay/i")),
            Arc::downgrade(&list(&old, "unused")),
        );
        let new = set(&[("1.toml", &rule("ONE", "subject.matches(/due/i)"))], Some(&old));
        assert!(regex.strong_count() > 0 && list.strong_count() > 0);
        drop(old);
        assert_eq!((regex.strong_count(), list.strong_count()), (0, 0));
        drop(new);
    }

    #[test]
    fn a_list_that_no_condition_uses_is_not_kept() {
        let set = set(&[("1.toml", UNUSED)], None);
        assert!(set.stock.lists["unused"].list.upgrade().is_none());
        assert_eq!(set.lists().len(), 1);
    }

    #[test]
    fn a_refused_set_leaves_the_serving_one_as_it_was() {
        let one = rule("ONE", "subject.matches(/pay/i)");
        let serving = set(&[("1.toml", &one)], None);
        let (stock, regex) = (Arc::clone(&serving.stock), regex(&serving, "/pay/i"));
        let holders = Arc::strong_count(&regex);
        for text in [
            rule("ONE", "subject.matches(/pay/i) and subjct == 'x'"),
            "[[rule]".to_owned(),
        ] {
            load(&[("1.toml", &one), ("2.toml", &text)], Some(&serving)).unwrap_err();
        }
        assert_eq!((Arc::strong_count(&regex), stock.patterns.iter().count()), (holders, 1));
        assert!(Arc::ptr_eq(&stock, &serving.stock));
    }
}
