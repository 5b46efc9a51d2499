//! Settings before they have types: values, each with the place that it came from.
//!
//! Layers in, one merged tree out. Tables merge, arrays replace, arrays of named tables merge by
//! name. Knows nothing of which settings exist.

use super::problem::{Place, Problem, nearest};
use std::collections::BTreeMap;

/// A value and where it was set.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) place: Place,
}

/// A value of TOML's, or an untyped word.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    String(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    /// From the environment or the command line: takes the type of its setting.
    Word(String),
    Array(Vec<Node>),
    Table(Table),
}

/// Names with the place of the name and the value.
pub(super) type Table = BTreeMap<String, (Place, Node)>;

/// What an array of named tables does to the one in the layer below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrays {
    /// Takes its place: the main file is complete in itself.
    Replace,
    /// Merges into it by name.
    ByName,
}

impl Node {
    /// An empty table.
    pub(super) fn table(place: Place) -> Self {
        Self {
            value: Value::Table(Table::new()),
            place,
        }
    }

    pub(super) fn as_table(&self) -> Option<&Table> {
        match &self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    pub(super) fn as_table_mut(&mut self) -> Option<&mut Table> {
        match &mut self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// What a table has under this name.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        self.as_table()?.get(name).map(|(_, node)| node)
    }

    /// The items of an array.
    pub(super) fn items(&self) -> &[Self] {
        match &self.value {
            Value::Array(items) => items,
            _ => &[],
        }
    }

    /// The table's `name`.
    pub(super) fn name(&self) -> Option<&str> {
        match &self.get("name")?.value {
            Value::String(name) | Value::Word(name) => Some(name),
            _ => None,
        }
    }

    /// Puts `layer` over this.
    pub(super) fn merge(&mut self, layer: Self, arrays: Arrays, problems: &mut Vec<Problem>) {
        match (&mut self.value, layer.value) {
            (Value::Table(below), Value::Table(above)) => {
                for (name, (place, node)) in above {
                    match below.get_mut(&name) {
                        Some((_, known)) => known.merge(node, arrays, problems),
                        None => _ = below.insert(name, (place, node)),
                    }
                }
            }
            (Value::Array(below), Value::Array(above))
                if arrays == Arrays::ByName && are_named(below) && are_named(&above) =>
            {
                merge_by_name(below, above, problems);
            }
            // A variable names one of the tables in its path.
            (Value::Array(below), Value::Table(above)) if !below.is_empty() && are_named(below) => {
                merge_by_variable(below, above, problems);
            }
            (value, above) => {
                *value = above;
                self.place = layer.place;
            }
        }
    }
}

fn are_named(items: &[Node]) -> bool {
    items.iter().all(|item| item.name().is_some())
}

fn merge_by_name(below: &mut Vec<Node>, above: Vec<Node>, problems: &mut Vec<Problem>) {
    let known = below.len();
    for item in above {
        let same = below.iter_mut().take(known).find(|other| other.name() == item.name());
        match same {
            Some(other) => other.merge(item, Arrays::ByName, problems),
            None => below.push(item),
        }
    }
}

/// `PORTREEVE__LISTENER__INBOUND__ADDRESS`: names are compared as a variable can spell them.
fn merge_by_variable(below: &mut [Node], above: Table, problems: &mut Vec<Problem>) {
    for (name, (place, node)) in above {
        let names: Vec<String> = below
            .iter()
            .map(|item| variable_form(item.name().unwrap_or_default()))
            .collect();
        let known = names
            .iter()
            .position(|known| *known == name)
            .and_then(|index| below.get_mut(index));
        match known {
            Some(item) if matches!(node.value, Value::Table(_)) => item.merge(node, Arrays::ByName, problems),
            Some(_) => problems.push(Problem::new(
                &place,
                format!("{name:?} is a table, not a value"),
                "go on with \"__\" and the name of a setting",
            )),
            None => {
                let remedy = nearest(&name, names.iter().map(String::as_str)).map_or_else(
                    || "variables can change a named table but not make one: use a file".to_owned(),
                    |near| format!("did you mean {near:?}?"),
                );
                problems.push(Problem::new(&place, format!("no table here is named {name:?}"), remedy));
            }
        }
    }
}

/// Lower case, everything but letters and digits an underscore.
fn variable_form(name: &str) -> String {
    let plain = |character: char| if character.is_alphanumeric() { character } else { '_' };
    name.to_lowercase().chars().map(plain).collect()
}
