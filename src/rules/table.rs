//! TOML tables read key by key, with every mistake told at its place.
//!
//! A parsed table goes in; out come typed values with their spans, and a diagnostic for every
//! unknown key, wrong type and missing value. Knows nothing of what the keys mean.

use super::diagnostic::{Diagnostic, nearest};
use super::keys::{self, RULE, Shape};
use super::source::Source;
use jiff::civil::Date;
use std::hash::{Hash, Hasher};
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

/// Where it stands doesn't matter to what it is.
impl<T: Hash> Hash for Located<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.value.hash(state);
    }
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

    /// Complains of every key that such a table doesn't have, and of each that is missing.
    pub(super) fn check(&mut self, section: Section<'_, '_>, shape: &Shape) {
        for (key, _) in section.table {
            let name = key.get_ref().as_ref();
            if !shape.has(name) {
                let message = format!("unknown key `{}` in {}", plain(name), section.what);
                self.error_help(
                    "unknown-key",
                    key.span(),
                    message,
                    Some(meant_key(name, section, shape)),
                );
            }
        }
        for key in shape.keys.iter().filter(|key| key.needed) {
            if !section.table.contains_key(key.name) {
                self.missing(section, key.name);
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
                let several = key == "when" && value.get_ref().as_array().is_some();
                let help = several.then_some("one string holds the whole condition: join its parts by `and` or `or`");
                self.wrong_type(key, "a string", value, help);
                None
            }
        }
    }

    /// One of a set of words.
    pub(super) fn word<T: Copy>(
        &mut self,
        section: Section<'_, '_>,
        key: &str,
        words: &[(&'static str, T)],
    ) -> Option<T> {
        let value = section.table.get(key)?;
        let names = words.iter().map(|(word, _)| *word);
        let every = || format!("it is one of {}", names.clone().collect::<Vec<_>>().join(", "));
        let Some(text) = value.get_ref().as_str() else {
            self.wrong_type(key, "a string", value, Some(&every()));
            return None;
        };
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let meant = nearest(text, names.clone()).or_else(|| keys::familiar_word(text, names.clone()));
        let help = meant.map_or_else(every, |meant| format!("did you mean `{meant}`?"));
        let message = format!("`{}` is no value of `{key}`", plain(text));
        self.error_help("bad-word", value.span(), message, Some(help));
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
                let text = value.get_ref().as_str().map(|text| text.trim().replace(',', "."));
                let bare = text.filter(|text| text.parse::<f64>().is_ok());
                let help = bare.map(|bare| format!("write {bare} without quotes"));
                self.wrong_type(key, "a number", value, help.as_deref());
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
            let help = value
                .get_ref()
                .as_str()
                .map(|text| format!("put it in brackets: [\"{}\"]", plain(text)));
            self.wrong_type(key, "a list of strings", value, help.as_deref());
            return None;
        };
        Some(array.iter().filter_map(|item| self.string_of(key, item)).collect())
    }

    /// A true or false.
    pub(super) fn boolean(&mut self, section: Section<'_, '_>, key: &str) -> Option<bool> {
        let value = section.table.get(key)?;
        let boolean = value.get_ref().as_bool();
        if boolean.is_none() {
            let quoted = value
                .get_ref()
                .as_str()
                .is_some_and(|text| matches!(text, "true" | "false"));
            self.wrong_type(key, "true or false", value, quoted.then_some("write it without quotes"));
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
                what: "rule file",
                table: top.get_ref(),
                start: 0,
            };
            Some(read(&mut reader, section))
        }
        Err(error) => {
            let span = error.span().unwrap_or(0..0);
            let message = error.message().trim_end().replace('\n', ", ");
            let help = toml_help(source, span.start, &message);
            reader.error_help("toml-syntax", span, message, help);
            None
        }
    };
    (parsed, reader.diagnostics)
}

/// What to say of a key that such a table doesn't have.
fn meant_key(name: &str, section: Section<'_, '_>, shape: &Shape) -> String {
    if section.what == "test" && RULE.has(name) {
        return format!("what follows [[rule.test]] belongs to the test: put `{name}` above the rule's first test");
    }
    match (section.what, name) {
        ("rule file", "test" | "tests") => return "a rule's tests stand below it: [[rule.test]]".to_owned(),
        ("rule file", "include" | "includes" | "import") => {
            return "nothing is included: every .toml file of a folder is read".to_owned();
        }
        _ => {}
    }
    let meant = nearest(name, shape.names()).or_else(|| keys::familiar(name, shape));
    match meant {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("known keys are {}", shape.names().collect::<Vec<_>>().join(", ")),
    }
}

/// Mistakes at the border between TOML and conditions, told by the line that TOML stopped at.
fn toml_help(source: &Source, at: usize, message: &str) -> Option<String> {
    let line = source.text.get(source.lines_around(&(at..at)))?;
    if let Some(language) = language(&source.text) {
        return Some(format!(
            "this reads like {language}; rules are TOML here, and docs/coming-from.md says how to bring one over"
        ));
    }
    let condition = line.trim_start().strip_prefix("when").map(str::trim_start);
    let value = condition.and_then(|rest| rest.strip_prefix('=')).map(str::trim_start);
    let help = match value {
        Some(_) if message.contains("escape") => {
            "write the condition in single quotes, '…' or '''…''', which leave backslashes alone"
        }
        Some(value) if value.starts_with('\'') => {
            "a string within '…' stands in \"…\", or the whole condition between ''' and '''"
        }
        Some(value) if value.starts_with('"') => "write the condition between ''' and ''', and strings in it in '…'",
        Some(_) => "a condition stands in quotes: when = '…', or between ''' and '''",
        None if message.contains("duplicate key") => {
            "each key stands once in its table; a second [[rule]] begins with its own heading"
        }
        None if line.contains(['‘', '’', '“', '”']) => "use straight quotes: \"…\" or '…'",
        None if line.bytes().collect::<Vec<_>>().windows(3).any(is_decimal_comma) => "numbers have a point: 1.5",
        None if message.contains("string values must be quoted") => "put the value in quotes",
        None => return None,
    };
    Some(help.to_owned())
}

/// The language of a file that isn't TOML, by how its first lines begin.
fn language(text: &str) -> Option<&'static str> {
    const SPAMASSASSIN: [&str; 9] = [
        "body",
        "rawbody",
        "full",
        "header",
        "uri",
        "meta",
        "score",
        "describe",
        "mimeheader",
    ];
    let lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let words = |line: &str| -> Option<(String, String)> {
        let (first, rest) = line.split_once(char::is_whitespace)?;
        Some((first.to_owned(), rest.trim_start().to_owned()))
    };
    for line in lines.take(20) {
        let begins_with = |word: &str| line.strip_prefix(word).is_some_and(|rest| rest.starts_with(':'));
        let is_name = |rest: &str| rest.starts_with(|c: char| c.is_ascii_uppercase() || c == '_');
        match words(line) {
            Some((word, rest)) if SPAMASSASSIN.contains(&word.as_str()) && is_name(&rest) => {
                return Some("SpamAssassin");
            }
            Some((word, rest)) if word == "rule" && (rest.ends_with('{') || rest.contains("{ ")) => {
                return Some("YARA");
            }
            _ if begins_with("logsource") || begins_with("detection") => return Some("Sigma"),
            _ if begins_with("source") || begins_with("attack_types") => return Some("Sublime"),
            _ => {}
        }
    }
    text.trim_start().starts_with('{').then_some("JSON")
}

fn is_decimal_comma(bytes: &[u8]) -> bool {
    matches!(bytes, [before, b',', after] if before.is_ascii_digit() && after.is_ascii_digit())
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
