//! The sets of rules that tests run on.
//!
//! A set and a test's scene go in; out comes what the test may see of the set. Where a test states lists of
//! its own, only its rule and what that refers to are compiled with them. Knows nothing of how tests are judged.

use crate::rules::assemble::{self, Only, Options};
use crate::rules::diagnostic::Diagnostic;
use crate::rules::list_entry;
use crate::rules::set::RuleSet;
use crate::rules::source::Root;
use crate::rules::test_entry::Scene;
use jiff::Timestamp;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// The lists that a test states, in a form to compare by.
pub(super) type Stated = Vec<(String, list_entry::Stated)>;

pub(super) fn stated(scene: &Scene) -> Stated {
    let lists = scene.lists.iter();
    lists
        .map(|(name, entries)| (name.value.clone(), entries.stated()))
        .collect()
}

/// How many of the roots a test of this one runs on.
pub(super) fn reach(roots: &[Root], root: usize) -> usize {
    let house = roots.get(root).is_some_and(|root| root.manifest.is_none());
    // The house's files are one whole, whichever folder they came from.
    if house { roots.len() } else { root + 1 }
}

/// All rules of so many roots, with the lists that a test states.
pub(super) fn whole(set: &RuleSet, upto: usize, stated: &Stated) -> Result<RuleSet, Vec<Diagnostic>> {
    build(&set.roots, set, upto, stated, None)
}

/// `near` holds what can be taken over.
fn build(
    roots: &[Root],
    near: &RuleSet,
    upto: usize,
    stated: &Stated,
    only: Option<Only>,
) -> Result<RuleSet, Vec<Diagnostic>> {
    let roots = roots.iter().take(upto).cloned();
    let roots = roots.map(|root| Root { folder: None, ..root }).collect();
    let options = Options {
        overlays: false,
        lists: stated.clone(),
        only,
        ..Options::all(Timestamp::MIN, near.stock.clone())
    };
    Ok(assemble::assemble(roots, &options)?.set)
}

/// The sets that the tests of one set run on, each made when it is first asked for.
pub(super) struct Sets<'s> {
    set: &'s RuleSet,
    whole: HashMap<usize, RuleSet>,
    /// With lists that a test states: all rules for a verdict test, for another its own.
    stated: HashMap<(usize, Option<String>, Stated), RuleSet>,
}

impl<'s> Sets<'s> {
    pub(super) fn of(set: &'s RuleSet) -> Self {
        Self {
            set,
            whole: HashMap::new(),
            stated: HashMap::new(),
        }
    }

    pub(super) fn roots(&self) -> &'s [Root] {
        &self.set.roots
    }

    /// All rules of so many roots.
    pub(super) fn whole(&mut self, upto: usize) -> Result<&RuleSet, Vec<Diagnostic>> {
        match self.whole.entry(upto) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(place) => Ok(place.insert(whole(self.set, upto, &Stated::new())?)),
        }
    }

    /// What a rule's test sees.
    pub(super) fn for_rule(&mut self, upto: usize, id: &str, scene: &Scene) -> Result<&RuleSet, Vec<Diagnostic>> {
        self.with(upto, Some(id), stated(scene))
    }

    /// What a whole-verdict test sees.
    pub(super) fn for_all(&mut self, upto: usize, scene: &Scene) -> Result<&RuleSet, Vec<Diagnostic>> {
        self.with(upto, None, stated(scene))
    }

    fn with(&mut self, upto: usize, id: Option<&str>, stated: Stated) -> Result<&RuleSet, Vec<Diagnostic>> {
        if stated.is_empty() {
            return self.whole(upto);
        }
        let roots = self.roots();
        // It also tells whether the rules load as they are.
        self.whole(upto)?;
        let key = (upto, id.map(ToOwned::to_owned), stated);
        match self.stated.entry(key) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(place) => {
                let near = self.whole.get(&upto).unwrap_or(self.set);
                let only = id.map(|id| near.only(id));
                let set = build(roots, near, upto, &place.key().2, only)?;
                Ok(place.insert(set))
            }
        }
    }
}
