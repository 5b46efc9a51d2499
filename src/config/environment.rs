//! Settings from environment variables and from flags.
//!
//! `PORTREEVE__SECTION__KEY` in, one layer of untyped words out. Knows nothing of which settings
//! exist: a name that nothing has is found when the layer is decoded.

use super::problem::{Place, Problem};
use super::tree::{Node, Value};
use std::ffi::OsString;

/// What a variable of ours starts with.
const PREFIX: &str = "PORTREEVE__";
/// Names in one path.
const DEPTH_MAX: usize = 6;

/// A setting given on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// As the administrator typed it, such as `--log-level`.
    pub flag: String,
    /// Where it goes: `log.level`.
    pub setting: String,
    /// Its value.
    pub value: String,
}

/// The layer of all variables that start with the prefix, in any case.
pub(super) fn from_variables(variables: &[(OsString, OsString)], problems: &mut Vec<Problem>) -> Node {
    let mut tree = Node::table(Place::Default);
    let mut sorted: Vec<_> = variables.iter().collect();
    sorted.sort();
    for (name, value) in sorted {
        let name = name.to_string_lossy();
        let Some((prefix, path)) = name.split_at_checked(PREFIX.len()) else {
            continue;
        };
        if !prefix.eq_ignore_ascii_case(PREFIX) {
            continue;
        }
        let place = Place::Variable(name.as_ref().into());
        match value.to_str() {
            Some(value) => insert(&mut tree, &path.to_lowercase(), "__", value, &place, problems),
            None => problems.push(Problem::new(&place, "not UTF-8", "set it to UTF-8 text")),
        }
    }
    tree
}

/// The layer of all flags; a later one wins.
pub(super) fn from_flags(flags: &[Flag], problems: &mut Vec<Problem>) -> Vec<Node> {
    let layer = |flag: &Flag| {
        let mut tree = Node::table(Place::Default);
        let place = Place::Flag(flag.flag.as_str().into());
        insert(&mut tree, &flag.setting, ".", &flag.value, &place, problems);
        tree
    };
    flags.iter().map(layer).collect()
}

fn insert(tree: &mut Node, path: &str, separator: &str, value: &str, place: &Place, problems: &mut Vec<Problem>) {
    let names: Vec<&str> = path.split(separator).collect();
    let Some((last, sections)) = names.split_last() else {
        return;
    };
    if names.iter().any(|name| name.is_empty()) || names.len() > DEPTH_MAX {
        problems.push(Problem::new(
            place,
            "names no setting",
            "write PORTREEVE__SECTION__KEY, such as PORTREEVE__LIMITS__MESSAGE_SIZE",
        ));
        return;
    }
    let mut here = tree;
    for section in sections {
        let Some(table) = here.as_table_mut() else {
            return clash(place, problems);
        };
        let entry = table.entry((*section).to_owned());
        here = &mut entry.or_insert_with(|| (place.clone(), Node::table(place.clone()))).1;
    }
    let word = Node {
        value: Value::Word(value.to_owned()),
        place: place.clone(),
    };
    match here.as_table_mut() {
        Some(table) if !table.contains_key(*last) => _ = table.insert((*last).to_owned(), (place.clone(), word)),
        _ => clash(place, problems),
    }
}

fn clash(place: &Place, problems: &mut Vec<Problem>) {
    problems.push(Problem::new(
        place,
        "set twice, or as a section and as a value",
        "keep one of the variables",
    ));
}
