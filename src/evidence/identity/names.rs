//! Which organisation or person a display name claims to be, by the words that it reads as.
//!
//! Enters: names to protect, once; then the words of a name at a time. Leaves: the places of the names that they
//! hold. Found by hashes of words that stand together, so that a long list costs a message no more than a short
//! one. Knows nothing of addresses.

use super::fold;
use foldhash::{HashMap, HashSet};
use smallvec::SmallVec;
use std::sync::LazyLock;

/// Words of an organisation's name that are looked for together.
const NAME_WORDS: usize = 12;
/// How far apart the first and the last of a person's words may stand.
const PERSON_SPAN: usize = 4;

/// The places of names; mostly there is one.
pub(super) type Places = SmallVec<[u32; 2]>;

/// What a table takes: its rows, a byte for each, and what they point at.
pub(super) fn table_bytes(table: &HashMap<Box<str>, Places>) -> usize {
    let rows = table.capacity() * (size_of::<(Box<str>, Places)>() + 1);
    rows + table.keys().map(|key| key.len()).sum::<usize>()
}

/// Names of organisations by their words, joined with blanks.
#[derive(Debug, Default)]
pub(super) struct Phrases(HashMap<Box<str>, Places>);

impl Phrases {
    pub(super) fn add(&mut self, name: &str, place: u32) {
        let words = fold::words(name);
        if (1..=NAME_WORDS).contains(&words.len()) {
            self.0.entry(words.join(" ").into()).or_default().push(place);
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        table_bytes(&self.0)
    }

    /// The places of every name that stands in some words, in their order.
    pub(super) fn within<'p>(&'p self, words: &'p [String]) -> impl Iterator<Item = u32> + 'p {
        let starts = if self.0.is_empty() { 0 } else { words.len() };
        (0..starts).flat_map(move |from| {
            let mut run = String::new();
            let longer = words.iter().skip(from).take(NAME_WORDS).map(move |word| {
                if !run.is_empty() {
                    run.push(' ');
                }
                run.push_str(word);
                self.0.get(run.as_str())
            });
            longer.flatten().flatten().copied()
        })
    }
}

/// Names of people, by two of their words in either order.
#[derive(Debug, Default)]
pub(super) struct People {
    names: Vec<(Box<[String]>, u32)>,
    by_ends: HashMap<Box<str>, Places>,
}

/// What stands before a name and isn't part of it.
const TITLES: &[&str] = &[
    "mr",
    "mrs",
    "ms",
    "miss",
    "mx",
    "dr",
    "prof",
    "professor",
    "cllr",
    "councillor",
    "cynghorydd",
    "sir",
    "dame",
    "lord",
    "lady",
    "rev",
    "hon",
    "rt",
];

static TITLE_KEYS: LazyLock<HashSet<String>> = LazyLock::new(|| TITLES.iter().map(|title| fold::key(title)).collect());

impl People {
    pub(super) fn add(&mut self, name: &str, place: u32) {
        let mut words = fold::words(name);
        words.retain(|word| !TITLE_KEYS.contains(word));
        let (Some(first), Some(last)) = (words.first(), words.last()) else {
            return;
        };
        let Ok(number) = u32::try_from(self.names.len()) else {
            return;
        };
        self.by_ends.entry(ends(first, last).into()).or_default().push(number);
        self.names.push((words.into(), place));
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let words = self.names.iter().flat_map(|(words, _)| words.iter());
        let words: usize = words.map(|word| size_of::<String>() + word.len()).sum();
        words + self.names.len() * size_of::<(Box<[String]>, u32)>() + table_bytes(&self.by_ends)
    }

    /// The places of everybody whose whole name stands in some words, in whatever order, such as `Doe, Jane` or
    /// `Jane M. Doe (Finance)`. A name of one word must be all there is.
    pub(super) fn within<'p>(&'p self, words: &'p [String]) -> impl Iterator<Item = u32> + 'p {
        let starts = if self.names.is_empty() { 0 } else { words.len() };
        let pairs = (0..starts).flat_map(move |from| {
            let near = words.iter().enumerate().skip(from).take(PERSON_SPAN + 1);
            near.filter(move |(to, _)| *to > from || words.len() == 1)
                .filter_map(move |(_, other)| words.get(from).map(|word| ends(word, other)))
        });
        let numbers = pairs.flat_map(|pair| self.by_ends.get(pair.as_str()).into_iter().flatten());
        numbers.filter_map(move |number| {
            let (name, place) = usize::try_from(*number)
                .ok()
                .and_then(|number| self.names.get(number))?;
            name.iter().all(|word| words.contains(word)).then_some(*place)
        })
    }
}

/// Two words in one order.
fn ends(one: &str, other: &str) -> String {
    match one <= other {
        true => format!("{one} {other}"),
        false => format!("{other} {one}"),
    }
}

/// Words around a role that say nothing of whose it is.
const FILLERS: &[&str] = &[
    "the", "of", "for", "to", "and", "your", "our", "s", "office", "desk", "council", "borough", "county", "city",
    "district", "cyngor", "swyddfa",
];

static FILLER_KEYS: LazyLock<HashSet<String>> =
    LazyLock::new(|| FILLERS.iter().map(|filler| fold::key(filler)).collect());

/// Names of roles: the whole name must be one, so that `Chief Executive, Age Charity` isn't ours.
#[derive(Debug, Default)]
pub(super) struct Roles(HashMap<Box<str>, Places>);

impl Roles {
    pub(super) fn add(&mut self, role: &str, place: u32) {
        if let Some(role) = bare_role(&fold::words(role)) {
            self.0.entry(role.into()).or_default().push(place);
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        table_bytes(&self.0)
    }

    /// The places of those whose role these words are, and nothing else.
    pub(super) fn of(&self, words: &[String]) -> &[u32] {
        let role = if self.0.is_empty() { None } else { bare_role(words) };
        role.and_then(|role| self.0.get(role.as_str()))
            .map_or(&[], |places| places)
    }
}

fn bare_role(words: &[String]) -> Option<String> {
    let own = words.iter().filter(|word| !FILLER_KEYS.contains(*word));
    let own: Vec<&str> = own.map(String::as_str).collect();
    (!own.is_empty()).then(|| own.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_organisation_is_found_by_its_words_together() {
        let mut phrases = Phrases::default();
        phrases.add("Northmere Borough Council", 1);
        phrases.add("DHL", 2);
        for (name, expected) in [
            ("Northmere Borough Council", Some(1)),
            ("Payments - NORTHMERE  Borough C\u{43e}uncil (via x)", Some(1)),
            ("Northmere Council", None),
            ("Council Borough Northmere", None),
            ("DHL Express", Some(2)),
            ("DHLX", None),
            ("", None),
        ] {
            assert_eq!(phrases.within(&fold::words(name)).next(), expected, "{name}");
        }
    }

    #[test]
    fn a_person_is_found_in_any_order() {
        let mut people = People::default();
        people.add("Cllr Jane Doe", 1);
        people.add("Cher", 2);
        people.add("Ann van der Berg", 3);
        for (name, expected) in [
            ("Jane Doe", Some(1)),
            ("DOE, Jane", Some(1)),
            ("Jane M. Doe (Leader)", Some(1)),
            ("J\u{430}ne D\u{43e}e", Some(1)),
            ("jane.doe", Some(1)),
            ("Jane Smith", None),
            ("Jane and her friends met John Doe", None),
            ("Cher", Some(2)),
            ("Cher Smith", None),
            ("van der Berg, Ann", Some(3)),
            ("Ann Berg", None),
            ("Jane", None),
            ("", None),
        ] {
            assert_eq!(people.within(&fold::words(name)).next(), expected, "{name}");
        }
    }

    #[test]
    fn a_role_is_the_whole_name() {
        let mut roles = Roles::default();
        roles.add("Chief Executive", 1);
        roles.add("Leader of the Council", 2);
        for (name, expected) in [
            ("Chief Executive", &[1_u32][..]),
            ("The Chief Executive's Office", &[1]),
            ("Office of the Chief Executive", &[1]),
            ("Leader", &[2]),
            ("Chief Executive, Age Charity", &[]),
            ("The Council", &[]),
        ] {
            assert_eq!(roles.of(&fold::words(name)), expected, "{name}");
        }
    }
}
