//! TOML tables read key by key, with every mistake told at its place.
//!
//! A parsed table goes in; out come typed values with their spans, and a diagnostic for every
//! unknown key, wrong type and missing value. Knows nothing of what the keys mean.

use super::diagnostic::{Diagnostic, nearest};
use super::source::Source;
use jiff::civil::Date;
use std::ops::Range;
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value and where it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Bytes of the file.
    pub span: Range<usize>,
}

/// Reads one file's tables, collecting what is wrong with them.
#[derive(Debug)]
pub(super) struct Reader {
    /// The file.
    pub source: Arc<Source>,
    /// What was wrong so far.
    pub diagnostics: Vec<Diagnostic>,
}

/// A table within a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Section<'s, 'i> {
    /// What it is, in messages: `rule`, `exception`…
    pub what: &'static str,
    /// Its keys and values.
    pub table: &'s DeTable<'i>,
    /// Where a missing key is reported.
    pub start: usize,
}

impl Reader {
    /// For one file.
    pub(super) fn new(source: &Arc<Source>) -> Self {
        Self {
            source: Arc::clone(source),
            diagnostics: Vec::new(),
        }
    }

    /// Records a mistake.
    pub(super) fn error(&mut self, code: &'static str, span: Range<usize>, message: impl Into<String>) {
        self.diagnostics
            .push(Diagnostic::error(code, &self.source, span, message));
    }

    /// Records a mistake with a suggestion.
    pub(super) fn error_help(
        &mut self,
        code: &'static str,
        span: Range<usize>,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        let error = Diagnostic::error(code, &self.source, span, message).maybe_help(help);
        self.diagnostics.push(error);
    }

    /// Complains of every key that isn't one of these.
    pub(super) fn only(&mut self, section: Section<'_, '_>, known: &[&str]) {
        for (key, _) in section.table {
            let name = key.get_ref().as_ref();
            if !known.contains(&name) {
                let help = nearest(name, known.iter().copied()).map_or_else(
                    || format!("known keys are {}", known.join(", ")),
                    |near| format!("did you mean `{near}`?"),
                );
                let message = format!("unknown key `{}` in {}", plain(name), section.what);
                self.error_help("unknown-key", key.span(), message, Some(help));
            }
        }
    }

    /// Complains of a wrong type.
    pub(super) fn wrong_type(&mut self, key: &str, expected: &str, found: &Spanned<DeValue<'_>>, help: Option<&str>) {
        let message = format!("`{key}` must be {expected}, not {}", kind(found.get_ref()));
        self.error_help("wrong-type", found.span(), message, help.map(ToOwned::to_owned));
    }

    /// Complains of a key that isn't there.
    pub(super) fn missing(&mut self, section: Section<'_, '_>, key: &str) {
        let message = format!("`{key}` is missing from this {}", section.what);
        self.error("missing-key", self.heading(section), message);
    }

    /// The rest of the line that a section begins on.
    pub(super) fn heading(&self, section: Section<'_, '_>) -> Range<usize> {
        let at = section.start;
        at..self.source.lines_around(&(at..at)).end
    }

    /// A string.
    pub(super) fn string(&mut self, section: Section<'_, '_>, key: &str) -> Option<Located<String>> {
        let value = section.table.get(key)?;
        self.string_of(key, value)
    }

    fn string_of(&mut self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<Located<String>> {
        match value.get_ref().as_str() {
            Some(text) => Some(Located {
                value: text.to_owned(),
                span: value.span(),
            }),
            None => {
                self.wrong_type(key, "a string", value, None);
                None
            }
        }
    }

    /// A string that must be there.
    pub(super) fn required(&mut self, section: Section<'_, '_>, key: &str) -> Option<Located<String>> {
        if !section.table.contains_key(key) {
            self.missing(section, key);
        }
        self.string(section, key)
    }

    /// One of a set of words.
    pub(super) fn word<T: Copy>(
        &mut self,
        section: Section<'_, '_>,
        key: &str,
        words: &[(&'static str, T)],
    ) -> Option<T> {
        let text = self.string(section, key)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text.value) {
            return Some(*value);
        }
        let names = words.iter().map(|(word, _)| *word);
        let help = nearest(&text.value, names.clone()).map_or_else(
            || format!("it is one of {}", names.collect::<Vec<_>>().join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        let message = format!("`{}` is no value of `{key}`", plain(&text.value));
        self.error_help("bad-word", text.span, message, Some(help));
        None
    }

    /// A number, whole or not.
    pub(super) fn number(&mut self, section: Section<'_, '_>, key: &str) -> Option<Located<f64>> {
        let value = section.table.get(key)?;
        let number = match value.get_ref() {
            DeValue::Float(float) => float.as_str().replace('_', "").parse::<f64>().ok(),
            DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str().replace('_', "").parse::<f64>().ok(),
            _ => None,
        };
        match number {
            Some(number) => Some(Located {
                value: number,
                span: value.span(),
            }),
            None => {
                self.wrong_type(key, "a number", value, None);
                None
            }
        }
    }

    /// A date without a time.
    pub(super) fn date(&mut self, section: Section<'_, '_>, key: &str) -> Option<Located<Date>> {
        let value = section.table.get(key)?;
        let date = value
            .get_ref()
            .as_datetime()
            .filter(|datetime| datetime.time.is_none())
            .and_then(|datetime| datetime.date)
            .and_then(|date| {
                let (year, month, day) = (
                    i16::try_from(date.year).ok()?,
                    i8::try_from(date.month).ok()?,
                    i8::try_from(date.day).ok()?,
                );
                Date::new(year, month, day).ok()
            });
        match date {
            Some(date) => Some(Located {
                value: date,
                span: value.span(),
            }),
            None => {
                let help = "write a date without quotes: 2027-01-31";
                self.wrong_type(key, "a date", value, Some(help));
                None
            }
        }
    }

    /// A list of strings, or a single one where `lone` allows it.
    pub(super) fn strings(&mut self, section: Section<'_, '_>, key: &str, lone: bool) -> Option<Vec<Located<String>>> {
        let value = section.table.get(key)?;
        if let (true, Some(text)) = (lone, value.get_ref().as_str()) {
            let value_text = text.to_owned();
            return Some(vec![Located {
                value: value_text,
                span: value.span(),
            }]);
        }
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_type(key, "a list of strings", value, Some("put it in brackets"));
            return None;
        };
        Some(array.iter().filter_map(|item| self.string_of(key, item)).collect())
    }

    /// A true or false.
    pub(super) fn boolean(&mut self, section: Section<'_, '_>, key: &str) -> Option<bool> {
        let value = section.table.get(key)?;
        let boolean = value.get_ref().as_bool();
        if boolean.is_none() {
            self.wrong_type(key, "true or false", value, None);
        }
        boolean
    }

    /// A table within this one.
    pub(super) fn table<'s, 'i>(
        &mut self,
        section: Section<'s, 'i>,
        key: &str,
        what: &'static str,
    ) -> Option<Section<'s, 'i>> {
        let value = section.table.get(key)?;
        match value.get_ref().as_table() {
            Some(table) => Some(Section {
                what,
                table,
                start: value.span().start,
            }),
            None => {
                self.wrong_type(key, "a table", value, None);
                None
            }
        }
    }

    /// Tables that stand as `[[key]]`.
    pub(super) fn tables<'s, 'i>(
        &mut self,
        section: Section<'s, 'i>,
        key: &str,
        what: &'static str,
    ) -> Vec<Section<'s, 'i>> {
        let Some(value) = section.table.get(key) else {
            return Vec::new();
        };
        let help = format!("write [[{key}]] with two brackets: there can be several");
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_type(key, "a list of tables", value, Some(&help));
            return Vec::new();
        };
        let mut sections = Vec::new();
        for item in array {
            match item.get_ref().as_table() {
                Some(table) => sections.push(Section {
                    what,
                    table,
                    start: item.span().start,
                }),
                None => self.wrong_type(key, "a list of tables", item, Some(&help)),
            }
        }
        sections
    }
}

/// Parses a file as TOML and hands its top table to `read`, unless it isn't TOML at all.
pub(super) fn parse<T>(
    source: &Arc<Source>,
    read: impl FnOnce(&mut Reader, Section<'_, '_>) -> T,
) -> (Option<T>, Vec<Diagnostic>) {
    let mut reader = Reader::new(source);
    let parsed = match DeTable::parse(&source.text) {
        Ok(top) => {
            let section = Section {
                what: "a rule file",
                table: top.get_ref(),
                start: 0,
            };
            Some(read(&mut reader, section))
        }
        Err(error) => {
            let span = error.span().unwrap_or(0..0);
            let message = error.message().trim_end().replace('\n', ", ");
            reader.error("toml-syntax", span, message);
            None
        }
    };
    (parsed, reader.diagnostics)
}

/// Text from a file, fit for a message: short, on one line.
pub(super) fn plain(text: &str) -> String {
    let mut cut: String = text
        .chars()
        .take(60)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
