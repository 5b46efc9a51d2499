//! Lists as written in rule files and beside them, and what their lines mean.
//!
//! `[lists.NAME]` tables and list files go in; out come the [`List`]s that conditions look things
//! up in, or a diagnostic for every bad entry at its place. Knows nothing of rules.

use super::diagnostic::Diagnostic;
use super::keys;
use super::list_rows::{self, Row, Rows, rows};
use super::lists::{Cell, Entry, List, ListKind, TableProblem};
use super::overlay::ListOverrideEntry;
use super::pack::{check_word, words};
use super::source::{Root, Source};
use super::table::{Located, Reader, Section, plain};
use jiff::civil::Date;
use std::ops::Range;
use std::sync::Arc;

/// Entries of one list.
pub const ENTRIES_MAX: usize = 1_000_000;
/// Bad entries of one list that are told one by one.
const PROBLEMS_MAX: usize = 100;

/// A list with what else is known of it.
#[derive(Debug)]
pub(super) struct BuiltList {
    pub list: Arc<List>,
    /// The file that its entries come from.
    pub source: Arc<Source>,
}

/// What the house changes about a list.
#[derive(Debug)]
pub(super) struct Change<'f> {
    pub entry: &'f ListOverrideEntry,
    /// Where that stands.
    pub source: &'f Arc<Source>,
    /// The list file whose entries it adds.
    pub text: Option<Arc<Source>>,
}

/// The entries of a list as a test states them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Stated {
    Values(Vec<String>),
    Rows(Vec<Vec<(String, Cell)>>),
}

/// The entries of a list, each with its place.
#[derive(Default)]
struct Gathered {
    entries: Vec<Entry>,
    places: Vec<(Arc<Source>, Range<usize>)>,
}

/// Entries of a list: typed values or, for a table, rows.
#[derive(Debug)]
pub(super) struct ListEntry {
    pub name: Located<String>,
    pub kind: ListKind,
    pub values: Vec<Located<String>>,
    pub file: Option<Located<String>>,
    pub columns: Vec<(Located<String>, Located<String>)>,
    pub rows: Vec<Row>,
}

/// What an override adds to a list: values, or rows of a table.
#[derive(Debug, Clone, Default, Hash)]
pub(super) struct Entries {
    pub values: Vec<Located<String>>,
    pub rows: Vec<Row>,
}

impl Entries {
    /// Those that a test states under a list's name: one entry, several, or rows.
    pub(super) fn of_test(reader: &mut Reader, lists: Section<'_, '_>, name: &str) -> Self {
        let is_one = lists.table.get(name).is_some_and(|value| value.get_ref().is_str());
        let read = match is_one {
            true => reader.strings(lists, name, true).map(|values| Self {
                values,
                rows: Vec::new(),
            }),
            false => Self::read(reader, lists, name),
        };
        read.unwrap_or_default()
    }

    /// Those under a key.
    pub(super) fn read(reader: &mut Reader, section: Section<'_, '_>, key: &str) -> Option<Self> {
        let items = section.table.get(key).and_then(|value| value.get_ref().as_array());
        let has_rows = items.is_some_and(|items| items.iter().any(|item| item.get_ref().is_table()));
        if has_rows {
            let rows = rows(reader, section, key);
            return Some(Self {
                values: Vec::new(),
                rows,
            });
        }
        let values = reader.strings(section, key, false)?;
        Some(Self {
            values,
            rows: Vec::new(),
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty() && self.rows.is_empty()
    }

    /// As a test states them.
    pub(super) fn stated(&self) -> Stated {
        match self.rows.is_empty() {
            true => Stated::Values(self.values.iter().map(|value| value.value.clone()).collect()),
            false => Stated::Rows(self.rows.iter().map(Row::named).collect()),
        }
    }
}

impl ListEntry {
    /// Whether another says the same, wherever it stands.
    pub(super) fn says_same(&self, other: &Self) -> bool {
        let texts = |located: &[Located<String>], others: &[Located<String>]| {
            let pairs = located.iter().zip(others);
            located.len() == others.len() && pairs.into_iter().all(|(one, other)| one.value == other.value)
        };
        let file = |entry: &Self| entry.file.as_ref().map(|file| file.value.clone());
        let rows = self.rows.iter().zip(&other.rows);
        self.kind == other.kind
            && file(self) == file(other)
            && texts(&self.values, &other.values)
            && self.typed_columns() == other.typed_columns()
            && self.rows.len() == other.rows.len()
            && rows.into_iter().all(|(one, other)| one.says_same(other))
    }

    /// Reads the entries, from the file if it names one, applies the changes and builds the list.
    pub(super) fn build(
        &self,
        source: &Arc<Source>,
        root: &mut Root,
        changes: &[&Change<'_>],
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<BuiltList> {
        let text = match &self.file {
            Some(file) => Some(read_file(root, file, source, diagnostics)?),
            None => None,
        };
        if self.kind == ListKind::Table {
            return self.build_table(source, text, changes, diagnostics);
        }
        let mut gathered = Gathered::default();
        if let Some(text) = &text {
            gathered.lines(text, diagnostics);
        }
        gathered.values(source, &self.values, diagnostics);
        for change in changes {
            gathered.change(&self.name.value, change, diagnostics);
        }
        let from = newest(source, text, changes);
        if gathered.entries.len() > ENTRIES_MAX {
            let message = format!(
                "a list has at most {ENTRIES_MAX} entries, this one {}",
                gathered.entries.len()
            );
            diagnostics.push(Diagnostic::error("too-large", source, self.name.span.clone(), message));
            return None;
        }
        match List::new(&self.name.value, self.kind, &gathered.entries) {
            Ok(list) => Some(BuiltList {
                list: Arc::new(list),
                source: from,
            }),
            Err(problems) => {
                gathered.complain(&self.name, source, problems, diagnostics);
                None
            }
        }
    }

    /// The list with other entries, as a test states them.
    pub(super) fn restated(
        &self,
        stated: &Stated,
        source: &Arc<Source>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<BuiltList> {
        let entry = |value: &String| Entry {
            value: value.clone(),
            expires: None,
        };
        let built = match (stated, self.kind) {
            (Stated::Rows(rows), ListKind::Table) => List::table(&self.name.value, &self.typed_columns(), rows)
                .map_err(|problem| vec![(0, problem.to_string())]),
            (Stated::Rows(_), _) => Err(vec![(0, "it is no table, and takes no rows".to_owned())]),
            (Stated::Values(values), ListKind::Table) if values.is_empty() => {
                List::table(&self.name.value, &self.typed_columns(), &[])
                    .map_err(|problem| vec![(0, problem.to_string())])
            }
            (Stated::Values(values), kind) => {
                List::new(&self.name.value, kind, &values.iter().map(entry).collect::<Vec<_>>())
            }
        };
        match built {
            Ok(list) => Some(BuiltList {
                list: Arc::new(list),
                source: Arc::clone(source),
            }),
            Err(problems) => {
                Gathered::default().complain(&self.name, source, problems, diagnostics);
                None
            }
        }
    }

    fn typed_columns(&self) -> Vec<(String, String)> {
        let columns = self.columns.iter();
        columns
            .map(|(name, kind)| (name.value.clone(), kind.value.clone()))
            .collect()
    }

    fn build_table(
        &self,
        source: &Arc<Source>,
        text: Option<Arc<Source>>,
        changes: &[&Change<'_>],
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<BuiltList> {
        let columns = self.typed_columns();
        let mut rows = Rows::new(&self.name.value, &columns);
        if let Some(text) = &text {
            rows.add_lines(text, diagnostics);
        }
        rows.add(&self.rows, source);
        for change in changes {
            rows.change(change, diagnostics);
        }
        match List::table(&self.name.value, &columns, &rows.cells()) {
            Ok(list) => Some(BuiltList {
                list: Arc::new(list),
                source: newest(source, text, changes),
            }),
            Err(problem) => {
                let (place, message) = match problem {
                    TableProblem::Column(at, why) => {
                        let column = self.columns.get(at);
                        (column.map(|(_, kind)| (kind.span.clone(), Arc::clone(source))), why)
                    }
                    TableProblem::Row(at, why) => (rows.place(at), why),
                };
                let (span, file) = place.unwrap_or_else(|| (self.name.span.clone(), Arc::clone(source)));
                diagnostics.push(Diagnostic::error("bad-list-entry", &file, span, message));
                None
            }
        }
    }

    /// Every `[lists.NAME]` of a file.
    pub(super) fn read_all(reader: &mut Reader, top: Section<'_, '_>) -> Vec<Self> {
        let Some(all) = reader.table(top, "lists", "lists") else {
            return Vec::new();
        };
        let mut lists = Vec::new();
        for (name, value) in all.table {
            let name = Located {
                value: name.get_ref().to_string(),
                span: name.span(),
            };
            check_word(reader, &name);
            let Some(table) = value.get_ref().as_table() else {
                let help = format!("write [lists.{}] with a kind and values", plain(&name.value));
                reader.wrong_type(&name.value, "a table", value, Some(&help));
                continue;
            };
            let section = Section {
                what: "list",
                table,
                start: name.span.start,
            };
            lists.extend(list(reader, section, name));
        }
        lists
    }
}

/// A list file's text; a file that can't be read is told.
pub(super) fn read_file(
    root: &mut Root,
    file: &Located<String>,
    source: &Arc<Source>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Arc<Source>> {
    let read = root.list(&file.value);
    read.map_err(|why| {
        let message = format!("the list file `{}` can't be read: {why}", plain(&file.value));
        diagnostics.push(Diagnostic::error("list-file", source, file.span.clone(), message));
    })
    .ok()
}

/// The file by which a list's age is told: the house's own where it has one.
fn newest(source: &Arc<Source>, text: Option<Arc<Source>>, changes: &[&Change<'_>]) -> Arc<Source> {
    let added = changes.iter().rev().find_map(|change| change.text.clone());
    added.or(text).unwrap_or_else(|| Arc::clone(source))
}

fn list(reader: &mut Reader, section: Section<'_, '_>, name: Located<String>) -> Option<ListEntry> {
    reader.check(section, &keys::LIST);
    let _ = (reader.string(section, "summary"), reader.string(section, "owner"));
    let kind = reader.word(section, "kind", &words(&ListKind::ALL, ListKind::as_str))?;
    let is_table = kind == ListKind::Table;
    let values = reader.strings(section, "values", false);
    let file = reader.string(section, "file");
    let columns = columns(reader, section);
    let rows = rows(reader, section, "rows");
    let misplaced: &[&str] = if is_table { &["values"] } else { &["columns", "rows"] };
    for key in misplaced {
        if let Some(value) = section.table.get(*key) {
            let message = format!("a list of kind {} has no `{key}`", kind.as_str());
            reader.error("unknown-key", value.span(), message);
        }
    }
    match (is_table, &values, &file) {
        (true, ..) if columns.is_empty() => reader.missing(section, "columns"),
        (false, None, None) => reader.missing(section, "values"),
        (false, Some(_), Some(file)) => {
            reader.error(
                "values-and-file",
                file.span.clone(),
                "a list has `values` or a `file`, not both",
            );
        }
        _ => {}
    }
    Some(ListEntry {
        name,
        kind,
        values: values.unwrap_or_default(),
        file,
        columns,
        rows,
    })
}

fn columns(reader: &mut Reader, section: Section<'_, '_>) -> Vec<(Located<String>, Located<String>)> {
    let Some(columns) = reader.table(section, "columns", "columns") else {
        return Vec::new();
    };
    let names: Vec<Located<String>> = columns
        .table
        .keys()
        .map(|name| Located {
            value: name.get_ref().to_string(),
            span: name.span(),
        })
        .collect();
    names
        .into_iter()
        .filter_map(|name| {
            check_word(reader, &name);
            let kind = reader.string(columns, &name.value)?;
            Some((name, kind))
        })
        .collect()
}

impl Gathered {
    /// The lines of a list file: an entry each, `#` begins a comment at a line's start or after a space.
    fn lines(&mut self, source: &Arc<Source>, diagnostics: &mut Vec<Diagnostic>) {
        let mut offset = 0;
        let mut bad = 0;
        for line in source.text.split_inclusive('\n') {
            let start = offset;
            offset += line.len();
            let line = without_comment(line);
            let entry = line.trim();
            if entry.is_empty() {
                continue;
            }
            let at = start + (line.len() - line.trim_start().len());
            let span = at..at + entry.len();
            match read_entry(entry) {
                Ok(entry) => {
                    self.entries.push(entry);
                    self.places.push((Arc::clone(source), span));
                }
                Err(why) => {
                    bad += 1;
                    if bad <= PROBLEMS_MAX {
                        diagnostics.push(Diagnostic::error("bad-list-entry", source, span, why));
                    }
                }
            }
            if self.entries.len() > ENTRIES_MAX {
                break;
            }
        }
    }

    fn values(&mut self, source: &Arc<Source>, values: &[Located<String>], diagnostics: &mut Vec<Diagnostic>) {
        for value in values {
            match read_entry(value.value.trim()) {
                Ok(entry) => {
                    self.entries.push(entry);
                    self.places.push((Arc::clone(source), value.span.clone()));
                }
                Err(why) => diagnostics.push(Diagnostic::error("bad-list-entry", source, value.span.clone(), why)),
            }
        }
    }

    fn change(&mut self, name: &str, change: &Change<'_>, diagnostics: &mut Vec<Diagnostic>) {
        let (text, source) = (&change.text, change.source);
        let change = change.entry;
        for row in change
            .replace
            .iter()
            .chain([&change.add])
            .flat_map(|entries| &entries.rows)
        {
            let message = format!("${name} is no table, and takes no rows");
            diagnostics.push(Diagnostic::error("list-override", source, row.span.clone(), message));
        }
        if let Some(replace) = &change.replace {
            *self = Self::default();
            self.values(source, &replace.values, diagnostics);
        }
        for value in &change.remove {
            let before = self.entries.len();
            let keep: Vec<bool> = self
                .entries
                .iter()
                .map(|entry| !entry.value.eq_ignore_ascii_case(value.value.trim()))
                .collect();
            let mut kept = keep.iter().copied();
            self.entries.retain(|_| kept.next().unwrap_or(true));
            let mut kept = keep.iter().copied();
            self.places.retain(|_| kept.next().unwrap_or(true));
            if self.entries.len() == before {
                diagnostics.push(list_rows::nothing_to_remove(name, value, source));
            }
        }
        if let Some(text) = text {
            self.lines(text, diagnostics);
        }
        self.values(source, &change.add.values, diagnostics);
    }

    fn complain(
        &self,
        name: &Located<String>,
        source: &Arc<Source>,
        problems: Vec<(usize, String)>,
        diagnostics: &mut Vec<Diagnostic>,
    ) {
        let more = problems.len().saturating_sub(PROBLEMS_MAX);
        for (at, why) in problems.into_iter().take(PROBLEMS_MAX) {
            let (file, span) = self
                .places
                .get(at)
                .map_or_else(|| (source, name.span.clone()), |(file, span)| (file, span.clone()));
            diagnostics.push(Diagnostic::error("bad-list-entry", file, span, why));
        }
        if more > 0 {
            let message = format!("{more} more entries of ${} are bad", name.value);
            diagnostics.push(Diagnostic::error("bad-list-entry", source, name.span.clone(), message));
        }
    }
}

/// The line up to a `#` that begins it or follows white space: URLs hold others.
pub(super) fn without_comment(line: &str) -> &str {
    let mut before = ' ';
    for (at, c) in line.char_indices() {
        if c == '#' && before.is_whitespace() {
            return line.get(..at).unwrap_or(line);
        }
        before = c;
    }
    line
}

/// An entry with its end, if it has one: `mail.example; expires=2027-01-31`.
fn read_entry(text: &str) -> Result<Entry, String> {
    let attribute = text
        .rfind("; ")
        .or_else(|| text.rfind(" ;"))
        .or_else(|| text.rfind(";expires"))
        .map(|at| text.split_at(at));
    let Some((value, attribute)) = attribute else {
        return Ok(Entry {
            value: text.to_owned(),
            expires: None,
        });
    };
    let attribute = attribute.trim_matches([';', ' ', '\t']);
    let date = attribute
        .strip_prefix("expires")
        .map(str::trim_start)
        .and_then(|rest| rest.strip_prefix('='))
        .and_then(|date| date.trim().parse::<Date>().ok());
    match date {
        Some(date) => Ok(Entry {
            value: value.trim_end().to_owned(),
            expires: Some(date),
        }),
        None => Err(format!(
            "`{}` after the entry: write `; expires=2027-01-31`",
            plain(attribute)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_hold_entries_comments_and_ends() {
        let source = Arc::new(Source::new(
            "l.txt",
            "# top\r\na.example\r\n\n  b.example # why\nc.example; expires=2027-01-31\nd.example/#x\n",
        ));
        let (mut gathered, mut diagnostics) = (Gathered::default(), Vec::new());
        gathered.lines(&source, &mut diagnostics);
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        let values: Vec<&str> = gathered.entries.iter().map(|entry| entry.value.as_str()).collect();
        assert_eq!(values, ["a.example", "b.example", "c.example", "d.example/#x"]);
        assert_eq!(gathered.entries[2].expires, Some(Date::constant(2027, 1, 31)));
        for ((file, span), value) in gathered.places.iter().zip(values) {
            assert!(file.text[span.clone()].starts_with(value));
        }
    }

    #[test]
    fn a_misspelt_end_is_told() {
        for text in [
            "a.example; expire=2027-01-31",
            "a.example; expires=2027-02-30",
            "a.example;expires 2027",
        ] {
            assert!(read_entry(text).is_err(), "{text}");
        }
        assert_eq!(
            read_entry("https://a.example/?a;b").unwrap().value,
            "https://a.example/?a;b"
        );
    }
}
