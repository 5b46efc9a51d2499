//! What rule files say, before anything is looked up: rules, lists, defines and the house's changes.
//!
//! A file's text goes in; out comes a `RuleFile` with the place of everything in it. Knows
//! nothing of other files, of the expression language, or of what a list entry means.

use super::diagnostic::Diagnostic;
use super::keys;
use super::list_entry::ListEntry;
use super::overlay::{ExceptionEntry, ListOverrideEntry, OverrideEntry};
use super::source::Source;
use super::table::{Located, Reader, Section, parse, plain};
use super::test_entry::{TestEntry, VerdictTest};
use super::{Action, Category, Score, Severity, Status};
use jiff::civil::Date;
use std::ops::Range;
use std::sync::Arc;

/// Points that one rule may add or take away.
pub const SCORE_MAX: f64 = 100.0;
/// Characters of a summary.
pub const SUMMARY_CHARS_MAX: usize = 200;

/// A file's content.
#[derive(Debug, Default)]
pub(super) struct RuleFile {
    pub rules: Vec<RuleEntry>,
    pub lists: Vec<ListEntry>,
    pub defines: Vec<DefineEntry>,
    pub overrides: Vec<OverrideEntry>,
    pub list_overrides: Vec<ListOverrideEntry>,
    pub exceptions: Vec<ExceptionEntry>,
    pub verdict_tests: Vec<VerdictTest>,
}

impl RuleFile {
    /// What its entries take, without the strings in them.
    pub(super) fn entries_bytes(&self) -> usize {
        let rules = self
            .rules
            .iter()
            .map(|rule| size_of::<RuleEntry>() + size_of_val(&*rule.tests));
        let lists = self
            .lists
            .iter()
            .map(|list| size_of::<ListEntry>() + size_of_val(&*list.values));
        rules.sum::<usize>()
            + lists.sum::<usize>()
            + self.defines.capacity() * size_of::<DefineEntry>()
            + self.verdict_tests.capacity() * size_of::<VerdictTest>()
    }
}

/// `pack.toml`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    /// The pack's name.
    pub name: String,
    /// Its version, free text.
    pub version: String,
    /// Who may use it, an SPDX expression.
    pub license: String,
    /// The least engine version, as `1.2.3`.
    pub engine: String,
}

/// The text of an expression and how its places map into the file.
#[derive(Debug, Clone, Default)]
pub(super) struct Condition {
    /// As the language reads it.
    pub text: String,
    /// The whole TOML string, quotes and all.
    pub literal: Range<usize>,
    /// Where the text's first byte stands; `None` when TOML changed the text.
    pub offset: Option<usize>,
}

#[derive(Debug)]
pub(super) struct RuleEntry {
    pub id: Located<String>,
    pub summary: String,
    pub category: Category,
    pub severity: Severity,
    pub score: Score,
    pub status: Status,
    pub action: Option<Action>,
    pub cap: Option<Action>,
    pub group: Option<String>,
    pub replaces: Vec<Located<String>>,
    pub tags: Vec<String>,
    pub owner: String,
    pub references: Vec<String>,
    pub false_positives: Vec<String>,
    pub renamed_from: Vec<Located<String>>,
    pub expires: Option<Date>,
    pub when: Condition,
    pub tests: Arc<[TestEntry]>,
    pub start: usize,
}

impl RuleEntry {
    /// A rule of nothing but a condition: it never acts.
    pub(super) fn asked(id: &str, when: &str, score: Score) -> Self {
        Self {
            id: Located {
                value: id.to_owned(),
                span: 0..0,
            },
            summary: String::new(),
            category: Category::Spam,
            severity: Severity::Medium,
            score,
            status: Status::Shadow,
            action: None,
            cap: None,
            group: None,
            replaces: Vec::new(),
            tags: Vec::new(),
            owner: String::new(),
            references: Vec::new(),
            false_positives: Vec::new(),
            renamed_from: Vec::new(),
            expires: None,
            when: Condition {
                text: when.to_owned(),
                offset: Some(0),
                literal: 0..when.len(),
            },
            tests: Arc::default(),
            start: 0,
        }
    }
}

#[derive(Debug)]
pub(super) struct DefineEntry {
    pub name: Located<String>,
    pub when: Condition,
}

/// Reads a rule file. The content is what could be read; it counts only when there is no error.
pub(super) fn read(source: &Arc<Source>) -> (RuleFile, Vec<Diagnostic>) {
    let (file, diagnostics) = parse(source, |reader, top| {
        reader.check(top, &keys::RULE_FILE);
        RuleFile {
            rules: each(reader, top, "rule", rule),
            lists: ListEntry::read_all(reader, top),
            defines: each(reader, top, "define", define),
            overrides: each(reader, top, "override", OverrideEntry::read),
            list_overrides: each(reader, top, "list_override", ListOverrideEntry::read),
            exceptions: each(reader, top, "exception", ExceptionEntry::read),
            verdict_tests: each(reader, top, "verdict_test", VerdictTest::read),
        }
    });
    (file.unwrap_or_default(), diagnostics)
}

/// Reads `pack.toml`.
pub(super) fn read_manifest(source: &Arc<Source>) -> (Manifest, Vec<Diagnostic>) {
    let (manifest, diagnostics) = parse(source, |reader, top| {
        let top = Section {
            what: keys::MANIFEST.what,
            ..top
        };
        reader.check(top, &keys::MANIFEST);
        let name = reader.string(top, "name");
        if let Some(name) = &name
            && !is_word(&name.value)
        {
            let message = "a pack's name is lower-case letters, digits, `-` and `_`, at most 64";
            reader.error("bad-name", name.span.clone(), message);
        }
        let engine = reader.string(top, "engine");
        if let Some(engine) = &engine {
            check_engine(reader, engine);
        }
        let _ = (
            reader.string(top, "summary"),
            reader.string(top, "homepage"),
            reader.string(top, "owner"),
        );
        Manifest {
            name: name.map(|name| name.value).unwrap_or_default(),
            version: reader.string(top, "version").map(|text| text.value).unwrap_or_default(),
            license: reader.string(top, "license").map(|text| text.value).unwrap_or_default(),
            engine: engine.map(|text| text.value).unwrap_or_default(),
        }
    });
    (manifest.unwrap_or_default(), diagnostics)
}

/// Whether this is a name for a list, a define, a group, a tag or a pack.
pub(super) fn is_word(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-'))
}

/// Whether this is a rule's id: `[A-Z][A-Z0-9_]{2,63}`.
pub(super) fn is_rule_id(id: &str) -> bool {
    (3..=64).contains(&id.len())
        && id.starts_with(|c: char| c.is_ascii_uppercase())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

impl Condition {
    /// Where a span of the expression stands in the file.
    pub(super) fn place(&self, span: &Range<usize>) -> Range<usize> {
        self.offset
            .map_or_else(|| self.literal.clone(), |offset| offset + span.start..offset + span.end)
    }

    /// The condition under a key that must be there.
    pub(super) fn read(reader: &mut Reader, section: Section<'_, '_>, key: &str) -> Option<Self> {
        let text = reader.string(section, key)?;
        let written = reader.source.text.get(text.span.clone()).unwrap_or("").to_owned();
        if written.starts_with('"') && written.contains('\\') {
            let message = "a backslash in a basic string means something else to TOML than to a condition";
            let help = "write the condition in single quotes, '…' or '''…''', which TOML leaves alone";
            reader.error_help("escaped-condition", text.span.clone(), message, Some(help.to_owned()));
        }
        let quotes = if written.starts_with("'''") || written.starts_with("\"\"\"") {
            3
        } else {
            1
        };
        let after = written.get(quotes..).unwrap_or("");
        let newline = match quotes {
            3 if after.starts_with("\r\n") => 2,
            3 if after.starts_with('\n') => 1,
            _ => 0,
        };
        let unchanged = after.get(newline..).is_some_and(|body| body.starts_with(&text.value));
        Some(Self {
            offset: unchanged.then_some(text.span.start + quotes + newline),
            text: text.value,
            literal: text.span,
        })
    }
}

fn each<T>(
    reader: &mut Reader,
    top: Section<'_, '_>,
    key: &'static str,
    read: impl Fn(&mut Reader, Section<'_, '_>) -> Option<T>,
) -> Vec<T> {
    let sections = reader.tables(top, key, key);
    sections
        .into_iter()
        .filter_map(|section| read(reader, section))
        .collect()
}

fn rule(reader: &mut Reader, section: Section<'_, '_>) -> Option<RuleEntry> {
    reader.check(section, &keys::RULE);
    let id = rule_id(reader, section, "id");
    let summary = summary(reader, section);
    let category = reader.word(section, "category", &words(&Category::ALL, Category::as_str));
    let severity = reader.word(section, "severity", &words(&Severity::ALL, Severity::as_str));
    let group = reader.string(section, "group");
    let tags = reader.strings(section, "tags", false).unwrap_or_default();
    for word in group.iter().chain(&tags) {
        check_word(reader, word);
    }
    let replaces = reader.strings(section, "replaces", false).unwrap_or_default();
    let renamed_from = reader.strings(section, "renamed_from", true).unwrap_or_default();
    let plain_strings = |reader: &mut Reader, key| -> Vec<String> {
        let strings = reader.strings(section, key, true).unwrap_or_default();
        strings.into_iter().map(|text| text.value).collect()
    };
    let action = reader.word(section, "action", &words(&Action::ALL, Action::as_str));
    let cap = reader.word(section, "cap", &words(&Action::ALL, Action::as_str));
    if let (Some(floor), Some(cap)) = (action, cap)
        && floor > cap
    {
        let message = format!("the action `{}` is above the cap `{}`", floor.as_str(), cap.as_str());
        let span = section.table.get("action").map_or(0..0, toml::Spanned::span);
        reader.error("action-above-cap", span, message);
    }
    let tests = reader.tables(section, "test", "test");
    Some(RuleEntry {
        summary,
        score: score(reader, section).unwrap_or_default(),
        status: reader
            .word(section, "status", &words(&Status::ALL, Status::as_str))
            .unwrap_or(Status::Active),
        action,
        cap,
        group: group.map(|group| group.value),
        replaces,
        tags: tags.into_iter().map(|tag| tag.value).collect(),
        owner: reader
            .string(section, "owner")
            .map(|text| text.value)
            .unwrap_or_default(),
        references: plain_strings(reader, "references"),
        false_positives: plain_strings(reader, "false_positives"),
        renamed_from,
        expires: reader.date(section, "expires").map(|date| date.value),
        tests: tests
            .into_iter()
            .filter_map(|test| TestEntry::read(reader, test))
            .collect(),
        start: section.start,
        when: Condition::read(reader, section, "when")?,
        id: id?,
        category: category?,
        severity: severity?,
    })
}

pub(super) fn words<T: Copy, const N: usize>(all: &[T; N], word: impl Fn(T) -> &'static str) -> [(&'static str, T); N] {
    all.map(|value| (word(value), value))
}

pub(super) fn rule_id(reader: &mut Reader, section: Section<'_, '_>, key: &str) -> Option<Located<String>> {
    let id = reader.string(section, key)?;
    if is_rule_id(&id.value) {
        return Some(id);
    }
    let upper: String = id
        .value
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_uppercase()
            } else {
                '_'
            }
        })
        .collect();
    let help = is_rule_id(&upper).then(|| format!("for example {upper}"));
    let message = "a rule's id is 3 to 64 of A-Z, 0-9 and _, beginning with a letter";
    reader.error_help("bad-id", id.span, message, help);
    None
}

fn summary(reader: &mut Reader, section: Section<'_, '_>) -> String {
    let Some(summary) = reader.string(section, "summary") else {
        return String::new();
    };
    let chars = summary.value.chars().count();
    if chars == 0 || chars > SUMMARY_CHARS_MAX || summary.value.chars().any(char::is_control) {
        let message = format!("a summary is one line of 1 to {SUMMARY_CHARS_MAX} characters");
        reader.error("bad-summary", summary.span, message);
    }
    summary.value
}

pub(super) fn score(reader: &mut Reader, section: Section<'_, '_>) -> Option<Score> {
    let score = reader.number(section, "score")?;
    if !(score.value.is_finite() && score.value.abs() <= SCORE_MAX) {
        let message = format!("a score lies between -{SCORE_MAX} and {SCORE_MAX}");
        reader.error("out-of-range", score.span, message);
        return None;
    }
    Some(Score::from_points(score.value))
}

pub(super) fn check_word(reader: &mut Reader, word: &Located<String>) {
    if !is_word(&word.value) {
        let message = format!("`{}` is no name", plain(&word.value));
        let help = "lower-case letters, digits, `-` and `_`, beginning with a letter, at most 64";
        let bare = word
            .value
            .trim_start_matches(['@', '$'])
            .to_lowercase()
            .replace(' ', "-");
        let help = match is_word(&bare) {
            true => format!("{help}: for example {bare}"),
            false => help.to_owned(),
        };
        reader.error_help("bad-name", word.span.clone(), message, Some(help));
    }
}

fn check_engine(reader: &mut Reader, engine: &Located<String>) {
    let numbers = |text: &str| -> Option<Vec<u64>> { text.split('.').map(|part| part.parse().ok()).collect() };
    let ours = numbers(env!("CARGO_PKG_VERSION"));
    match numbers(&engine.value) {
        None => reader.error("bad-version", engine.span.clone(), "write the version as 1.2.3"),
        needed if needed > ours => {
            let message = format!(
                "this pack needs engine {}, this is {}",
                engine.value,
                env!("CARGO_PKG_VERSION")
            );
            reader.error("engine-too-old", engine.span.clone(), message);
        }
        Some(_) => {}
    }
}

fn define(reader: &mut Reader, section: Section<'_, '_>) -> Option<DefineEntry> {
    reader.check(section, &keys::DEFINE);
    let name = reader.string(section, "name");
    if let Some(name) = &name {
        check_word(reader, name);
    }
    let _ = reader.string(section, "summary");
    let when = Condition::read(reader, section, "when");
    Some(DefineEntry {
        name: name?,
        when: when?,
    })
}
