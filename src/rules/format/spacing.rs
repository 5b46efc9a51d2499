//! Blanks, line ends and comments around keys, values and headings.
//!
//! Tables go in and are changed in place; what they say stays. Knows nothing of which keys there are.

use toml_edit::{Array, Decor, Item, RawString, Table, Value};

/// Longer keys aren't padded, and don't make others so.
const PADDED_MAX: usize = 8;
/// Items of lists that span lines.
const INDENT: &str = "  ";

/// One line feed at the end, and no blanks before any, but for those within strings.
pub(super) fn ends(text: &str) -> String {
    format!("{}\n", text.trim_start_matches('\n').trim_end())
}

/// Comment lines with at most one blank line between them, none before or after; each ends its line.
pub(super) fn comments(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.dedup_by(|line, before| line.is_empty() && before.is_empty());
    let text = lines.join("\n");
    match text.trim_matches('\n') {
        "" => String::new(),
        text => format!("{text}\n"),
    }
}

/// Blank lines and comments before a table's heading.
pub(super) fn heading(table: &mut Table, is_first: bool, is_apart: bool) {
    if table.is_implicit() || table.is_dotted() {
        return;
    }
    let decor = table.decor_mut();
    let before = text(decor.prefix());
    let mut comments = comments(before);
    // A comment that stands apart from the heading stays apart.
    let after = before.get(before.trim_end().len()..).unwrap_or_default();
    let stands_apart = after.matches('\n').count() > 1 && !comments.is_empty();
    if stands_apart {
        comments.push('\n');
    }
    if is_apart && !is_first {
        comments.insert(0, '\n');
    }
    let after = trailing(text(decor.suffix()));
    *decor = Decor::new(comments, after);
}

/// Keys and values of one table.
pub(super) fn pairs(table: &mut Table, aligned: bool) {
    let padded = |key: &str, item: &Item| {
        aligned && key.len() <= PADDED_MAX && item.as_value().is_some_and(|value| !spans_lines(value))
    };
    let width = table
        .iter()
        .filter(|(key, item)| padded(key, item))
        .map(|(key, _)| key.len())
        .max()
        .unwrap_or(0);
    let mut is_first = true;
    for (mut key, item) in table.iter_mut() {
        let Some(value) = item.as_value_mut() else {
            continue;
        };
        lay_out(value);
        let name = key.display_repr().len();
        let pad = match aligned && key.get().len() <= PADDED_MAX && !spans_lines(value) {
            true => width.saturating_sub(name),
            false => 0,
        };
        let decor = key.leaf_decor_mut();
        let before = text(decor.prefix());
        let mut lines = comments(before);
        let is_apart = !is_first && before.trim_start_matches([' ', '\t']).starts_with('\n') && !lines.is_empty();
        if is_apart {
            lines.insert(0, '\n');
        }
        *decor = Decor::new(lines, format!("{:pad$} ", ""));
        let after = trailing(text(value.decor().suffix()));
        *value.decor_mut() = Decor::new(" ", after);
        is_first = false;
    }
}

/// A comment after a value, on its line.
fn trailing(text: &str) -> String {
    match text.trim() {
        "" => String::new(),
        // Comments that stand under each other stay so.
        _ if text.starts_with([' ', '\t']) => text.trim_end().to_owned(),
        comment => format!(" {comment}"),
    }
}

fn lay_out(value: &mut Value) {
    let spans_lines = spans_lines(value);
    match value {
        Value::Array(array) if spans_lines => block(array),
        Value::Array(array) => {
            array.iter_mut().for_each(lay_out);
            array.fmt();
        }
        Value::InlineTable(table) if !spans_lines => {
            table.iter_mut().for_each(|(_, value)| lay_out(value));
            table.fmt();
        }
        _ => {}
    }
}

/// A list that spans lines: its items begin them where they did, indented, and its end stands alone.
fn block(array: &mut Array) {
    let is_flat = !array.iter().any(spans_lines);
    let breaks = array.iter().any(|value| text(value.decor().prefix()).contains('\n'))
        || array.trailing().as_str().is_some_and(|text| text.contains('\n'));
    if !is_flat || !breaks {
        return;
    }
    for (place, value) in array.iter_mut().enumerate() {
        let before = text(value.decor().prefix()).to_owned();
        let after = text(value.decor().suffix()).trim().to_owned();
        lay_out(value);
        let prefix = match before.contains('\n') || place == 0 {
            true => lines_before(&before),
            false => " ".to_owned(),
        };
        let suffix = if after.is_empty() {
            after
        } else {
            format!(" {after}\n{INDENT}")
        };
        *value.decor_mut() = Decor::new(prefix, suffix);
    }
    let end = lines_before(array.trailing().as_str().unwrap_or(""));
    let end = end.strip_suffix(INDENT).unwrap_or(&end).to_owned();
    array.set_trailing(end);
    array.set_trailing_comma(true);
}

/// What stands before an item that begins a line: a comment on the line before, comment lines, the indent.
fn lines_before(text: &str) -> String {
    let mut lines = text.split('\n').map(str::trim);
    let mut out = String::new();
    if let Some(first) = lines.next().filter(|first| !first.is_empty()) {
        out = format!(" {first}");
    }
    for line in lines.filter(|line| !line.is_empty()) {
        out.push('\n');
        out.push_str(INDENT);
        out.push_str(line);
    }
    out.push('\n');
    out.push_str(INDENT);
    out
}

/// Whether a value itself takes more than a line, whatever stands around it.
fn spans_lines(value: &Value) -> bool {
    let mut alone = value.clone();
    alone.decor_mut().clear();
    alone.to_string().contains('\n')
}

fn text(raw: Option<&RawString>) -> &str {
    raw.and_then(RawString::as_str).unwrap_or("")
}
