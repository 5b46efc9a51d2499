//! Rows of table lists as written: in rule files, and a line each in list files.
//!
//! TOML tables and lines go in; out come cells by the names of their columns, each row with its place, and a
//! diagnostic for every line that is none. Knows nothing of what a cell must hold.

use super::diagnostic::Diagnostic;
use super::list_entry::{Change, without_comment};
use super::lists::Cell;
use super::source::Source;
use super::table::{Located, Reader, Section, plain};
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;
use toml::de::DeValue;

/// A row of a table list.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub cells: Vec<(Located<String>, Cell)>,
    pub span: Range<usize>,
}

/// Where it stands doesn't matter to what it is.
impl Hash for Row {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.cells.hash(state);
    }
}

/// The rows of one list, each with the file that it stands in.
pub(super) struct Rows<'n> {
    name: &'n str,
    /// Names of columns and words for their types.
    columns: &'n [(String, String)],
    rows: Vec<(Row, Arc<Source>)>,
}

impl<'n> Rows<'n> {
    pub(super) fn new(name: &'n str, columns: &'n [(String, String)]) -> Self {
        Self {
            name,
            columns,
            rows: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, rows: &[Row], source: &Arc<Source>) {
        self.rows
            .extend(rows.iter().map(|row| (row.clone(), Arc::clone(source))));
    }

    /// The lines of a list file: the first names the columns, then a row each, cells parted by `|`, the items of a
    /// list by commas.
    pub(super) fn add_lines(&mut self, source: &Arc<Source>, diagnostics: &mut Vec<Diagnostic>) {
        let mut named: Option<Vec<&str>> = None;
        let mut offset = 0;
        for line in source.text.split_inclusive('\n') {
            let start = offset;
            offset += line.len();
            let line = without_comment(line).trim_end();
            let span = start..start + line.len();
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            if line.trim().is_empty() {
                continue;
            }
            let Some(names) = &named else {
                named = Some(cells);
                continue;
            };
            if cells.len() > names.len() {
                let message = format!(
                    "{} cells, though the first line names {} columns",
                    cells.len(),
                    names.len()
                );
                diagnostics.push(Diagnostic::error("bad-list-entry", source, span, message));
                continue;
            }
            let filled = names.iter().zip(&cells).filter(|(_, cell)| !cell.is_empty());
            let cells = filled.map(|(name, cell)| {
                let located = Located {
                    value: (*name).to_owned(),
                    span: span.clone(),
                };
                (located, self.cell(name, cell))
            });
            let cells = cells.collect();
            self.rows.push((Row { cells, span }, Arc::clone(source)));
        }
    }

    fn cell(&self, column: &str, text: &str) -> Cell {
        let kind = self.columns.iter().find(|(name, _)| name == column);
        match kind.is_some_and(|(_, kind)| kind.starts_with("list<")) {
            true => Cell::Many(text.split(',').map(|item| item.trim().to_owned()).collect()),
            false => Cell::One(text.to_owned()),
        }
    }

    /// The table as the house wants it: rows replaced, taken out by one of their cells, and added.
    pub(super) fn change(&mut self, change: &Change<'_>, diagnostics: &mut Vec<Diagnostic>) {
        let (entry, file, name) = (change.entry, change.source, self.name);
        let both = entry.replace.iter().chain([&entry.add]);
        for value in both.flat_map(|entries| &entries.values) {
            let message = format!("${name} is a table, and `{}` is no row", plain(&value.value));
            let error = Diagnostic::error("list-override", file, value.span.clone(), message);
            diagnostics.push(error.help("write a row with its columns: { name = \"…\" }"));
        }
        if let Some(replace) = &entry.replace {
            self.rows.clear();
            self.add(&replace.rows, file);
        }
        for value in &entry.remove {
            let before = self.rows.len();
            self.rows.retain(|(row, _)| !row.holds(&value.value));
            if self.rows.len() == before {
                diagnostics.push(nothing_to_remove(name, value, file));
            }
        }
        if let Some(text) = &change.text {
            self.add_lines(text, diagnostics);
        }
        self.add(&entry.add.rows, file);
    }

    /// The cells of every row by the names of their columns.
    pub(super) fn cells(&self) -> Vec<Vec<(String, Cell)>> {
        self.rows.iter().map(|(row, _)| row.named()).collect()
    }

    /// Where a row stands.
    pub(super) fn place(&self, at: usize) -> Option<(Range<usize>, Arc<Source>)> {
        let (row, source) = self.rows.get(at)?;
        Some((row.span.clone(), Arc::clone(source)))
    }
}

pub(super) fn nothing_to_remove(name: &str, value: &Located<String>, file: &Arc<Source>) -> Diagnostic {
    let message = format!("`{}` isn't in ${name}", plain(&value.value));
    Diagnostic::warning("nothing-to-remove", file, value.span.clone(), message)
}

impl Row {
    /// Its cells by the names of their columns.
    pub(super) fn named(&self) -> Vec<(String, Cell)> {
        let cells = self.cells.iter();
        cells.map(|(name, cell)| (name.value.clone(), cell.clone())).collect()
    }

    pub(super) fn says_same(&self, other: &Self) -> bool {
        let cells = self.cells.iter().zip(&other.cells);
        self.cells.len() == other.cells.len()
            && cells
                .into_iter()
                .all(|((name, cell), (other, same))| name.value == other.value && cell == same)
    }

    /// Whether one of its cells is this text, in any case.
    fn holds(&self, text: &str) -> bool {
        self.cells
            .iter()
            .any(|(_, cell)| matches!(cell, Cell::One(one) if one.eq_ignore_ascii_case(text.trim())))
    }
}

/// The rows under a key of a rule file.
pub(super) fn rows(reader: &mut Reader, section: Section<'_, '_>, key: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    for row in reader.tables(section, key, "row") {
        let mut cells = Vec::new();
        for (name, value) in row.table {
            let cell = match value.get_ref() {
                DeValue::String(text) => Some(Cell::One(text.to_string())),
                DeValue::Integer(number) => Some(Cell::One(number.to_string())),
                DeValue::Array(items) => items
                    .iter()
                    .map(|item| item.get_ref().as_str().map(ToOwned::to_owned))
                    .collect::<Option<Vec<_>>>()
                    .map(Cell::Many),
                _ => None,
            };
            let name = Located {
                value: name.get_ref().to_string(),
                span: name.span(),
            };
            match cell {
                Some(cell) => cells.push((name, cell)),
                None => reader.wrong_type(&name.value, "a string or a list of strings", value, None),
            }
        }
        rows.push(Row {
            cells,
            span: row.start..row.start + 1,
        });
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_hold_a_row_each() {
        let text = "# who\r\nname | role | addresses\r\n\r\nJane Doe | Chief Executive | a@x.example, b@x.example # new\n\
                    Tomasz Nowak\nAnn | | c@x.example\nToo | many | cells | here\n";
        let source = Arc::new(Source::new("l.txt", text));
        let column = |name: &str, kind: &str| (name.to_owned(), kind.to_owned());
        let columns = [
            column("name", "name"),
            column("role", "string"),
            column("addresses", "list<address>"),
        ];
        let (mut rows, mut diagnostics) = (Rows::new("vips", &columns), Vec::new());
        rows.add_lines(&source, &mut diagnostics);
        let one = |name: &str, text: &str| (name.to_owned(), Cell::One(text.to_owned()));
        let many = |texts: &[&str]| {
            let texts = texts.iter().map(|text| (*text).to_owned()).collect();
            ("addresses".to_owned(), Cell::Many(texts))
        };
        let expected = [
            vec![
                one("name", "Jane Doe"),
                one("role", "Chief Executive"),
                many(&["a@x.example", "b@x.example"]),
            ],
            vec![one("name", "Tomasz Nowak")],
            vec![one("name", "Ann"), many(&["c@x.example"])],
        ];
        assert_eq!(rows.cells(), expected);
        let [wrong] = &diagnostics[..] else {
            panic!("{diagnostics:?}")
        };
        assert!(source.text[wrong.span.clone()].starts_with("Too"), "{wrong:?}");
    }
}
