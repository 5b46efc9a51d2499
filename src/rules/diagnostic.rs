//! What is wrong with a rule file, said so that its author can mend it.
//!
//! A finding about a span of a [`Source`] goes in; out comes file:line:column, the source line, a
//! caret and a suggestion, as text or as JSON. Knows nothing of what the file means.

use super::codes::is_code;
use super::source::Source;
pub use super::syntax::Level;
use super::table::plain;
use annotate_snippets::{AnnotationKind, Level as Title, Renderer, Snippet};
use serde::Serialize;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// How many diagnostics are shown in full; of the rest only their number is told.
pub const SHOWN_MAX: usize = 100;

/// The code of patterns that run on every message: a warning, and in a pack an error.
pub(super) const SLOW_PATTERN: &str = "slow-pattern";

/// A source line longer than this many bytes is shown without its text, by place alone.
const LINE_BYTES_MAX: usize = 2_000;

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub level: Level,
    /// A stable kebab-case word, such as `unknown-key`.
    pub code: &'static str,
    /// One sentence without a full stop.
    pub message: String,
    /// The file.
    pub source: Arc<Source>,
    /// Bytes within the file's text; empty at 0 when the file as a whole is meant.
    pub span: Range<usize>,
    /// What to write instead.
    pub help: Option<String>,
    /// More that is worth knowing.
    pub notes: Vec<String>,
}

/// Line and column of a place, both from 1; the column counts characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

/// The JSON form of a [`Diagnostic`].
#[derive(Debug, Clone, Serialize)]
pub struct Record<'d> {
    /// Stable, for silencing and looking up.
    pub code: &'static str,
    /// `error` or `warning`.
    pub level: &'static str,
    /// As the author would name it.
    pub file: &'d str,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// Line of its end.
    pub end_line: usize,
    /// Column of its end.
    pub end_column: usize,
    /// What is wrong.
    pub message: &'d str,
    /// What to do, where one knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<&'d str>,
    /// What else bears on it.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub notes: &'d [String],
}

impl Diagnostic {
    /// An error at a span of a file.
    pub fn error(code: &'static str, source: &Arc<Source>, span: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            level: Level::Error,
            code,
            message: message.into(),
            source: Arc::clone(source),
            span,
            help: None,
            notes: Vec::new(),
        }
    }

    /// A warning at a span of a file.
    pub fn warning(code: &'static str, source: &Arc<Source>, span: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            level: Level::Warning,
            ..Self::error(code, source, span, message)
        }
    }

    /// An error about a file as a whole, such as one that can't be read.
    pub fn file_error(code: &'static str, name: impl Into<String>, message: impl Into<String>) -> Self {
        Self::error(code, &Arc::new(Source::new(name, "")), 0..0, message)
    }

    /// The same with a suggestion.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same with a suggestion, if there is one.
    #[must_use]
    pub fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }

    /// The same with one more remark.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Whether it is something that its line allows, with a reason: `# allow: slow-pattern, few mails reach it`.
    pub(super) fn is_silenced(&self) -> bool {
        let reason = self
            .allowance()
            .and_then(|rest| rest.strip_prefix(self.code))
            .and_then(|rest| rest.strip_prefix(','));
        self.can_be_allowed() && reason.is_some_and(|reason| !reason.trim().is_empty())
    }

    /// The same, with a remark where its line means to allow it and doesn't.
    #[must_use]
    pub(super) fn with_unheeded_allowance(self) -> Self {
        let word = |rest: &str| rest.split([',', ' ']).next().unwrap_or_default().trim().to_owned();
        let Some(named) = self.allowance().map(word).filter(|_| self.can_be_allowed()) else {
            return self;
        };
        let why = match named == self.code {
            true => format!("the comment gives no reason: `# allow: {named}, why`"),
            false if is_code(&named) => format!("the comment allows `{}`, which isn't this", plain(&named)),
            false => format!("`{}` in the comment is no code", plain(&named)),
        };
        self.note(why)
    }

    /// What follows `# allow:` on its line.
    fn allowance(&self) -> Option<&str> {
        let lines = self.source.lines_around(&(self.span.start..self.span.start));
        let line = self.source.text.get(lines).unwrap_or("");
        line.rsplit_once("# allow:").map(|(_, rest)| rest.trim_start())
    }

    /// Warnings can be, and what is one outside packs.
    fn can_be_allowed(&self) -> bool {
        self.level == Level::Warning || self.code == SLOW_PATTERN
    }

    /// Where it begins.
    pub fn start(&self) -> Position {
        self.source.position(self.span.start)
    }

    /// Where it ends.
    pub fn end(&self) -> Position {
        self.source.position(self.span.end)
    }

    /// The JSON form.
    pub fn record(&self) -> Record<'_> {
        let (start, end) = (self.start(), self.end());
        Record {
            code: self.code,
            level: word(self.level),
            file: &self.source.name,
            line: start.line,
            column: start.column,
            end_line: end.line,
            end_column: end.column,
            message: &self.message,
            help: self.help.as_deref(),
            notes: &self.notes,
        }
    }

    /// With the source line, a caret and the suggestion; `coloured` adds terminal escapes.
    pub fn render(&self, coloured: bool) -> String {
        let level = match self.level {
            Level::Error => Title::ERROR,
            Level::Warning => Title::WARNING,
        };
        let lines = self.source.lines_around(&self.span);
        let fits = !self.source.text.is_empty() && lines.len() <= LINE_BYTES_MAX;
        let title = level.primary_title(self.message.as_str()).id(self.code);
        let mut group = if fits {
            let text = self.source.text.get(lines.clone()).unwrap_or("");
            let place = |offset: usize| self.source.boundary(offset).clamp(lines.start, lines.end) - lines.start;
            let within = place(self.span.start)..place(self.span.end.max(self.span.start));
            title.element(
                Snippet::source(text)
                    .line_start(self.start().line)
                    .path(self.source.name.as_str())
                    .annotation(AnnotationKind::Primary.span(within)),
            )
        } else {
            let (name, start) = (self.source.name.as_str(), self.start());
            let origin = annotate_snippets::Origin::path(name);
            title.element(if self.source.text.is_empty() {
                origin
            } else {
                origin.line(start.line).char_column(start.column)
            })
        };
        for note in &self.notes {
            group = group.element(Title::NOTE.message(note.as_str()));
        }
        if let Some(help) = &self.help {
            group = group.element(Title::HELP.message(help.as_str()));
        }
        let renderer = if coloured {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        renderer.render(&[group])
    }
}

/// One line: `file:line:column: error[code]: message`, for logs.
impl fmt::Display for Diagnostic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { line, column } = self.start();
        let (name, level) = (&self.source.name, word(self.level));
        if self.source.text.is_empty() {
            write!(formatter, "{name}: {level}[{}]: {}", self.code, self.message)
        } else {
            write!(
                formatter,
                "{name}:{line}:{column}: {level}[{}]: {}",
                self.code, self.message
            )
        }
    }
}

/// The level's word in listings and JSON.
const fn word(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
    }
}

/// Puts diagnostics in the order of files and places, errors before warnings at one place, each once.
pub fn sort(diagnostics: &mut Vec<Diagnostic>) {
    debug_assert!(
        diagnostics.iter().all(|found| is_code(found.code)),
        "a code that isn't in the table: {diagnostics:?}"
    );
    diagnostics.sort_by(|a, b| {
        let key = |d: &Diagnostic| (d.span.start, std::cmp::Reverse(d.level), d.code, d.span.end);
        (&a.source.name, key(a), &a.message).cmp(&(&b.source.name, key(b), &b.message))
    });
    diagnostics.dedup();
}

/// Renders the first [`SHOWN_MAX`] and tells how many more there are. Ends with a line end.
pub fn render_all(diagnostics: &[Diagnostic], coloured: bool) -> String {
    let mut out = String::new();
    for diagnostic in diagnostics.iter().take(SHOWN_MAX) {
        out.push_str(&diagnostic.render(coloured));
        out.push_str("\n\n");
    }
    if let Some(more) = diagnostics.len().checked_sub(SHOWN_MAX).filter(|more| *more > 0) {
        out.push_str(&format!("and {more} more\n"));
    }
    out
}

/// The name of `known` nearest to `word`, if it is near enough to be what was meant.
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let lower = word.to_lowercase();
    let most = (word.chars().count() / 3).clamp(1, 4);
    known
        .into_iter()
        .map(|name| (strsim::osa_distance(&lower, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(span: Range<usize>) -> Diagnostic {
        let source = Arc::new(Source::new("a.toml", "x = 1\nsévere = 'high'\n"));
        Diagnostic::error("unknown-key", &source, span, "unknown key `sévere`").help("did you mean `severity`?")
    }

    #[test]
    fn shows_place_line_caret_and_suggestion() {
        let shown = at(6..13).render(false);
        assert!(shown.contains("error[unknown-key]: unknown key `sévere`"), "{shown}");
        assert!(shown.contains("a.toml:2:1"), "{shown}");
        assert!(shown.contains("2 | sévere = 'high'"), "{shown}");
        assert!(shown.contains("| ^^^^^^\n"), "{shown}");
        assert!(shown.contains("help: did you mean `severity`?"), "{shown}");
        assert!(at(6..13).render(true).contains('\x1b'));
    }

    #[test]
    fn positions_count_characters() {
        let record = serde_json::to_value(at(16..22).record()).unwrap();
        assert_eq!(record["line"], 2);
        assert_eq!(record["column"], 10);
        assert_eq!(record["end_column"], 16);
        assert_eq!(record["level"], "error");
        assert_eq!(
            at(16..22).to_string(),
            "a.toml:2:10: error[unknown-key]: unknown key `sévere`"
        );
    }

    #[test]
    fn sorted_once_each_and_bounded() {
        let mut many = vec![at(6..13), at(0..1), at(6..13)];
        sort(&mut many);
        assert_eq!(many.iter().map(|d| d.span.start).collect::<Vec<_>>(), [0, 6]);
        for (count, tail) in [
            (SHOWN_MAX - 1, None),
            (SHOWN_MAX, None),
            (SHOWN_MAX + 1, Some("and 1 more\n")),
        ] {
            let all = vec![at(0..1); count];
            let text = render_all(&all, false);
            assert_eq!(text.contains(" more\n"), tail.is_some(), "{count}");
            assert!(tail.is_none_or(|tail| text.ends_with(tail)));
        }
    }

    #[test]
    fn any_span_of_any_text_renders() {
        let source = Arc::new(Source::new("a.toml", "é\r\n\u{202e}\t\0x\n\n"));
        for start in 0..=source.text.len() + 2 {
            for end in start..=source.text.len() + 3 {
                let _ = Diagnostic::error("x", &source, start..end, "m").render(false);
            }
        }
        let long = Arc::new(Source::new("a.toml", "x".repeat(LINE_BYTES_MAX + 1)));
        let shown = Diagnostic::error("x", &long, 5..6, "m").render(false);
        assert!(shown.contains("a.toml:1:6") && shown.len() < 200, "{shown}");
        assert!(
            Diagnostic::file_error("not-a-file", "b", "m")
                .render(false)
                .contains("--> b")
        );
    }

    #[test]
    fn suggests_only_what_is_near() {
        assert_eq!(nearest("sevrity", ["severity", "score"]), Some("severity"));
        assert_eq!(nearest("HIGH", ["high", "low"]), Some("high"));
        assert_eq!(nearest("banana", ["severity", "score"]), None);
    }
}
