//! Sections that are one table for the administrator and a share of it for each of several modules.
//!
//! `[deadlines] command` in a file is `deadlines.session.command` in the structs. Which share has a
//! name is read off the defaults. Knows nothing of what the names mean.

use super::decode::unknown_name;
use super::problem::Problem;
use super::tree::{Node, Table, Value};

/// The sections.
pub(super) const SHARED: [&str; 1] = ["deadlines"];

/// From the shape of the structs to the shape of the files.
pub(super) fn join(mut tree: Node) -> Node {
    for section in SHARED {
        let Some((_, node)) = tree.as_table_mut().and_then(|table| table.get_mut(section)) else {
            continue;
        };
        let Some(shares) = node.as_table() else { continue };
        let joined = shares.values().filter_map(|(_, share)| share.as_table()).flatten();
        node.value = Value::Table(joined.map(|(name, entry)| (name.clone(), entry.clone())).collect());
    }
    tree
}

/// From the shape of the files to the shape of the structs, by that of `defaults`; a name that no
/// share has becomes a problem.
pub(super) fn split(mut tree: Node, defaults: &Node, problems: &mut Vec<Problem>) -> Node {
    for section in SHARED {
        let Some(shares) = defaults.get(section).and_then(Node::as_table) else {
            continue;
        };
        let Some((_, node)) = tree.as_table_mut().and_then(|table| table.get_mut(section)) else {
            continue;
        };
        let Some(given) = node.as_table_mut().map(std::mem::take) else {
            continue;
        };
        let mut parts = Table::new();
        for (name, entry) in given {
            let Some((share, (place, _))) = shares.iter().find(|(_, (_, share))| share.get(&name).is_some()) else {
                let known = shares.values().filter_map(|(_, share)| share.as_table()).flatten();
                let known = known.map(|(name, _)| name.as_str());
                problems.push(unknown_name(&entry.0, &format!("{section}.{name}"), &name, known));
                continue;
            };
            let part = parts.entry(share.clone());
            let part = part.or_insert_with(|| (place.clone(), Node::table(node.place.clone())));
            if let Some(table) = part.1.as_table_mut() {
                table.insert(name, entry);
            }
        }
        node.value = Value::Table(parts);
    }
    tree
}
