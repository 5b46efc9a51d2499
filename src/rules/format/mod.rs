//! The one layout of rule files: keys in one order, conditions as literal strings, spacing the same.
//!
//! A file's text goes in; out comes the same file as `rules fmt` would write it, comments and meaning kept,
//! or what keeps it from being read. Knows nothing of files on a disk, or of what names refer to.

mod condition;
mod spacing;

use super::diagnostic::{Diagnostic, Level};
use super::source::Source;
use super::syntax;
use std::fmt::Write;
use std::sync::Arc;
use toml_edit::{Document, DocumentMut, Item, Table, Value};

/// How the tables under a key of the file are laid out.
struct Shape {
    /// The key, such as `rule`.
    name: &'static str,
    /// Keys in their order; any other comes after them, as it came.
    keys: &'static [&'static str],
    /// Whether short keys are padded, so that their values stand under each other.
    aligned: bool,
}

const SHAPES: [Shape; 8] = [
    Shape {
        name: "rule",
        keys: &[
            "id",
            "summary",
            "category",
            "severity",
            "score",
            "status",
            "action",
            "cap",
            "group",
            "replaces",
            "owner",
            "tags",
            "references",
            "false_positives",
            "renamed_from",
            "expires",
            "when",
        ],
        aligned: true,
    },
    Shape {
        name: "test",
        keys: &[
            "name",
            "mail",
            "client",
            "helo",
            "envelope",
            "direction",
            "auth",
            "listings",
            "history",
            "lists",
            "unknown",
            "now",
            "expect",
            "evidence",
        ],
        aligned: false,
    },
    Shape {
        name: "verdict_test",
        keys: &[
            "name",
            "action",
            "must",
            "must_not",
            "mail",
            "client",
            "helo",
            "envelope",
            "direction",
            "auth",
            "listings",
            "history",
            "lists",
            "unknown",
            "now",
        ],
        aligned: true,
    },
    Shape {
        name: "lists",
        keys: &["kind", "summary", "owner", "columns", "rows", "values", "file"],
        aligned: false,
    },
    Shape {
        name: "define",
        keys: &["name", "summary", "when"],
        aligned: false,
    },
    Shape {
        name: "override",
        keys: &[
            "rule", "tag", "category", "pack", "score", "severity", "status", "action", "cap", "group", "reason",
            "owner",
        ],
        aligned: true,
    },
    Shape {
        name: "list_override",
        keys: &["list", "add", "remove", "replace", "file", "reason", "owner"],
        aligned: true,
    },
    Shape {
        name: "exception",
        keys: &["rule", "name", "when", "reason", "owner", "expires"],
        aligned: true,
    },
];

/// Tables whose `when` is a condition.
const WITH_CONDITION: [&str; 3] = ["rule", "define", "exception"];

/// The file in its one layout.
///
/// # Errors
/// What keeps it from being read: no TOML, or a condition that is none.
pub fn formatted(source: &Arc<Source>) -> Result<String, Vec<Diagnostic>> {
    let source = match source.text.contains('\r') {
        true => &Arc::new(Source::new(source.name.as_str(), source.text.replace("\r\n", "\n"))),
        false => source,
    };
    let document = Document::parse(source.text.as_str()).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        let message = error.message().trim_end().replace('\n', ", ");
        vec![Diagnostic::error("toml-syntax", source, span, message)]
    })?;
    let problems = problems(document.as_table(), source);
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut document = document.into_mut();
    let before = meaning(document.as_table());
    lay_out(&mut document);
    let text = spacing::ends(&document.to_string());
    // A layout that meant something else would be a fault of ours: better none than that.
    let after: Option<DocumentMut> = text.parse().ok();
    match after.is_some_and(|after| meaning(after.as_table()) == before) {
        true => Ok(text),
        false => Err(vec![left_alone(source)]),
    }
}

/// What is said of a file whose layout isn't changed.
pub fn left_alone(source: &Arc<Source>) -> Diagnostic {
    let message = "laying this file out would change what it means, so it is left alone";
    Diagnostic::error("layout", source, 0..0, message)
}

/// Conditions that can't be read.
fn problems(top: &Table, source: &Arc<Source>) -> Vec<Diagnostic> {
    let mut told = Vec::new();
    for name in WITH_CONDITION {
        let tables = top.get(name).and_then(Item::as_array_of_tables);
        for when in tables.into_iter().flatten().filter_map(|table| table.get("when")) {
            let Some(written) = when.as_value().filter(|value| value.is_str()) else {
                continue;
            };
            let span = written.span().unwrap_or(0..0);
            let literal = source.text.get(span.clone()).unwrap_or("");
            let decoded = written.as_str().unwrap_or_default();
            if condition::meant(literal, decoded).is_some() {
                continue;
            }
            let (_, problems) = syntax::parse(decoded);
            let offset = condition::offset(literal, decoded);
            for problem in problems.into_iter().filter(|problem| problem.level == Level::Error) {
                let place = match offset {
                    Some(offset) => span.start + offset + problem.span.start..span.start + offset + problem.span.end,
                    None => span.clone(),
                };
                told.push(Diagnostic::error(problem.code, source, place, problem.message).maybe_help(problem.help));
            }
        }
    }
    told
}

fn lay_out(document: &mut DocumentMut) {
    let mut trailing = spacing::comments(document.trailing().as_str().unwrap_or(""));
    if !trailing.is_empty() {
        trailing.insert(0, '\n');
    }
    document.set_trailing(trailing);
    let top = document.as_table_mut();
    spacing::pairs(top, false);
    let first = match top.iter().any(|(_, item)| item.is_value()) {
        true => None,
        false => first_heading(top),
    };
    each_below(top, "", first);
}

/// The place of the heading that the file begins with.
fn first_heading(table: &Table) -> Option<isize> {
    let below = table.iter().filter_map(|(_, item)| match item {
        Item::Table(table) => table.position().or_else(|| first_heading(table)),
        Item::ArrayOfTables(tables) => tables.iter().filter_map(Table::position).min(),
        Item::None | Item::Value(_) => None,
    });
    below.min()
}

/// Lays out every table below one, `name` being what that is called.
fn each_below(above: &mut Table, name: &str, first: Option<isize>) {
    for (key, item) in above.iter_mut() {
        // Lists are told apart by their names, all else by its kind.
        let kind = if name == "lists" { "lists" } else { key.get() };
        let is_apart = name.is_empty() || name == "lists";
        match item {
            Item::Table(table) => table_below(table, kind, is_apart, first),
            Item::ArrayOfTables(tables) => {
                let tables = tables.iter_mut();
                tables.for_each(|table| table_below(table, kind, is_apart, first));
            }
            Item::None | Item::Value(_) => {}
        }
    }
}

fn table_below(table: &mut Table, kind: &str, is_apart: bool, first: Option<isize>) {
    let shape = SHAPES.iter().find(|shape| shape.name == kind);
    if WITH_CONDITION.contains(&kind)
        && let Some(when) = table.get_mut("when").and_then(Item::as_value_mut)
    {
        condition::lay_out(when);
    }
    if let Some(shape) = shape {
        let place = |key: &str| shape.keys.iter().position(|known| *known == key).unwrap_or(usize::MAX);
        table.sort_values_by(|one, _, other, _| place(one.get()).cmp(&place(other.get())));
    }
    let is_first = first.is_some() && table.position() == first;
    spacing::heading(table, is_first, is_apart);
    spacing::pairs(table, shape.is_some_and(|shape| shape.aligned));
    each_below(table, kind, first);
}

/// What a file says, whatever its layout: keys sorted, conditions as trees.
fn meaning(top: &Table) -> String {
    let mut out = String::new();
    for (key, item) in sorted(top.iter()) {
        let holds = WITH_CONDITION.contains(&key);
        item_meaning(key, item, holds, &mut out);
    }
    out
}

fn sorted<'i, T>(pairs: impl Iterator<Item = (&'i str, T)>) -> Vec<(&'i str, T)> {
    let mut pairs: Vec<_> = pairs.collect();
    pairs.sort_by_key(|(key, _)| *key);
    pairs
}

fn item_meaning(key: &str, item: &Item, holds: bool, out: &mut String) {
    let _ = write!(out, "{key:?}=");
    match item {
        Item::None => {}
        Item::Value(value) if holds && key == "when" => out.push_str(&tree(value)),
        Item::Value(value) => value_meaning(value, out),
        Item::Table(table) => table_meaning(table, holds, out),
        Item::ArrayOfTables(tables) => {
            out.push('[');
            tables.iter().for_each(|table| table_meaning(table, holds, out));
            out.push(']');
        }
    }
    out.push('\n');
}

fn table_meaning(table: &Table, holds: bool, out: &mut String) {
    out.push('{');
    for (key, item) in sorted(table.iter()) {
        item_meaning(key, item, holds, out);
    }
    out.push('}');
}

fn value_meaning(value: &Value, out: &mut String) {
    match value {
        Value::Array(array) => {
            out.push('[');
            for value in array {
                value_meaning(value, out);
                out.push(',');
            }
            out.push(']');
        }
        Value::InlineTable(table) => {
            out.push('{');
            for (key, value) in sorted(table.iter()) {
                let _ = write!(out, "{key:?}=");
                value_meaning(value, out);
                out.push(',');
            }
            out.push('}');
        }
        Value::String(text) => {
            let _ = write!(out, "{:?}", text.value());
        }
        other => out.push_str(other.to_string().trim()),
    }
}

fn tree(value: &Value) -> String {
    let Value::String(text) = value else {
        return value.to_string();
    };
    let literal = text.display_repr();
    let meant = condition::meant(&literal, text.value());
    let expr = meant.and_then(|meant| syntax::parse(&meant).0);
    expr.map_or_else(|| text.value().clone(), |expr| expr.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::keys;
    use std::fs;
    use std::path::Path;

    fn of(text: &str) -> Result<String, Vec<&'static str>> {
        let source = Arc::new(Source::new("a.toml", text));
        formatted(&source).map_err(|problems| problems.iter().map(|problem| problem.code).collect())
    }

    #[test]
    fn every_key_has_its_place() {
        for (name, table) in [
            ("rule", &keys::RULE),
            ("test", &keys::TEST),
            ("verdict_test", &keys::VERDICT_TEST),
            ("lists", &keys::LIST),
            ("define", &keys::DEFINE),
            ("override", &keys::OVERRIDE),
            ("list_override", &keys::LIST_OVERRIDE),
            ("exception", &keys::EXCEPTION),
        ] {
            let shape = SHAPES.iter().find(|shape| shape.name == name).unwrap();
            let mut known: Vec<&str> = table.names().filter(|key| *key != "test").collect();
            let mut placed = shape.keys.to_vec();
            known.sort_unstable();
            placed.sort_unstable();
            assert_eq!(placed, known, "{name}");
        }
    }

    /// Each shipped rule file, and what a careless editor may make of it.
    #[test]
    fn shipped_rules_are_in_their_layout_and_find_back_to_it() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
        let mut files = 0;
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "toml") || path.ends_with("pack.toml") {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let careless: Vec<String> = text.lines().map(carelessly).collect();
            for written in [text.clone(), text.replace('\n', "\r\n"), careless.join("\n")] {
                let laid = of(&written).unwrap();
                let mut lines = laid.lines().zip(text.lines());
                let differing = lines.find(|(one, other)| one != other);
                assert!(laid == text, "{}: {differing:?}", path.display());
            }
            files += 1;
        }
        assert!(files > 8);
    }

    /// Without the blanks around a key's sign, and with others before a heading and at the end.
    fn carelessly(line: &str) -> String {
        let is_key = |c: char| c.is_ascii_lowercase() || c == '_';
        match line.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() && key.trim().chars().all(is_key) => {
                format!("{}={}", key.trim_end(), value.trim_start())
            }
            _ if line == "[[rule]]" => "\n \n[[rule]] ".to_owned(),
            _ => line.to_owned(),
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_refused() {
        for (text, code) in [
            ("[[rule]", "toml-syntax"),
            ("a = ", "toml-syntax"),
            ("[[rule]]\nwhen = 'a and'", "unexpected-end"),
            ("[[define]]\nwhen = '\na = b'", "toml-syntax"),
            ("[[exception]]\nwhen = \"a\\u0007\"", "unexpected-character"),
        ] {
            assert_eq!(of(text), Err(vec![code]), "{text}");
        }
    }

    #[test]
    fn what_has_no_condition_or_odd_keys_is_laid_out_all_the_same() {
        for (text, expected) in [
            ("", "\n"),
            ("# only\n\n\n", "\n# only\n"),
            ("[other]\nb=1\na  =[1,2]\n", "[other]\nb = 1\na = [1, 2]\n"),
            ("[[rule]]\nwhen = 5\nid='A'", "[[rule]]\nid   = 'A'\nwhen = 5\n"),
            (
                "[[rule]]\nid = 'A'\n[rule.x]\nb=1\n[[rule]]\nid = 'B'",
                "[[rule]]\nid = 'A'\n[rule.x]\nb = 1\n\n[[rule]]\nid = 'B'\n",
            ),
        ] {
            let laid = of(text).unwrap();
            assert_eq!(
                laid.trim_start_matches('\n'),
                expected.trim_start_matches('\n'),
                "{text}"
            );
            assert_eq!(of(&laid), Ok(laid.clone()), "{text}");
        }
    }
}
