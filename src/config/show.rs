//! `config show`: every effective setting with its value and where it was set.
//!
//! The merged tree in, rows out. Knows nothing of how they are printed.

use super::problem::Place;
use super::tree::{Node, Value};

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// `listener.inbound.address`: named tables stand under their names.
    pub setting: String,
    /// As TOML writes it.
    pub value: String,
    /// Where it was set.
    pub origin: Place,
}

/// Every leaf of the tree, in the order of the names.
pub(super) fn rows(tree: &Node) -> Vec<Row> {
    let mut rows = Vec::new();
    push(&mut rows, "", tree);
    rows
}

fn push(rows: &mut Vec<Row>, setting: &str, node: &Node) {
    let below = |name: &str| {
        if setting.is_empty() {
            name.to_owned()
        } else {
            format!("{setting}.{name}")
        }
    };
    match &node.value {
        Value::Table(table) => {
            for (name, (_, child)) in table {
                push(rows, &below(&quoted_key(name)), child);
            }
        }
        Value::Array(items) if !items.is_empty() && items.iter().all(|item| item.name().is_some()) => {
            for item in items {
                push(rows, &below(&quoted_key(item.name().unwrap_or_default())), item);
            }
        }
        value => rows.push(Row {
            setting: setting.to_owned(),
            value: as_toml(value),
            origin: node.place.clone(),
        }),
    }
}

fn quoted_key(name: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !name.is_empty() && name.bytes().all(bare) {
        name.to_owned()
    } else {
        toml::Value::String(name.to_owned()).to_string()
    }
}

fn as_toml(value: &Value) -> String {
    match value {
        Value::String(text) | Value::Word(text) => toml::Value::String(text.clone()).to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => toml::Value::Float(*number).to_string(),
        Value::Boolean(truth) => truth.to_string(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| as_toml(&item.value)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Table(table) => {
            let entries = table
                .iter()
                .map(|(name, (_, node))| format!("{} = {}", quoted_key(name), as_toml(&node.value)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
    }
}
