//! One line of the log, JSON or logfmt, built field by field within a bound.
//!
//! Fields go in by importance: one that no longer fits is left out, and the line says `cut`. Every
//! text passes through [`super::escape`]. Knows nothing of what the fields mean.

use super::escape::{escape, is_hostile};
use super::settings::Format;
use std::fmt::Write;

/// Bytes of a whole line, its line end included.
pub(super) const LINE_MAX: usize = 8 * 1024;
/// Characters of one text after escaping.
pub(super) const FIELD_MAX: usize = 256;
/// Characters of a sentence of our own, which may quote a place and a source line.
pub(super) const SENTENCE_MAX: usize = 1024;
/// Items of one list.
pub(super) const ITEMS_MAX: usize = 32;
/// Room kept for the mark of a cut, closing brace and line end.
const TAIL: usize = 16;

/// A line under construction.
pub(super) struct Line {
    buffer: String,
    format: Format,
    is_cut: bool,
}

impl Line {
    /// A line that starts with when, how bad and what.
    pub(super) fn new(format: Format, time: &str, level: &str, event: &str) -> Self {
        let mut line = Self {
            buffer: String::with_capacity(1024),
            format,
            is_cut: false,
        };
        line.text("time", time);
        line.text("level", level);
        line.text("event", event);
        line
    }

    /// A text that anyone may have written; left out when it is empty.
    pub(super) fn text(&mut self, key: &str, value: &str) {
        self.bounded_text(key, value, FIELD_MAX);
    }

    /// A sentence of our own.
    pub(super) fn sentence(&mut self, key: &str, value: &str) {
        self.bounded_text(key, value, SENTENCE_MAX);
    }

    /// A whole number.
    pub(super) fn integer(&mut self, key: &str, value: u64) {
        self.field(key, |line| {
            // Writing to a string cannot fail.
            let _ = write!(line.buffer, "{value}");
        });
    }

    /// A number with up to three decimals.
    pub(super) fn number(&mut self, key: &str, value: f64) {
        self.field(key, |line| line.push_number(value));
    }

    /// Texts, at most [`ITEMS_MAX`]; left out when there are none.
    pub(super) fn list<'t>(&mut self, key: &str, items: impl Iterator<Item = &'t str>) {
        self.sequence(key, ["[", "]"], items, |line, item| {
            line.push_item(item);
        });
    }

    /// Names with a number each, at most [`ITEMS_MAX`]; left out when there are none.
    pub(super) fn map<'t>(&mut self, key: &str, items: impl Iterator<Item = (&'t str, f64)>) {
        self.sequence(key, ["{", "}"], items, |line, (name, value)| {
            line.push_item(name);
            line.buffer.push(':');
            line.push_number(value);
        });
    }

    /// The whole line with its line end: never longer than [`LINE_MAX`].
    pub(super) fn finish(mut self) -> String {
        self.buffer.push_str(match (self.format, self.is_cut) {
            (Format::Json, false) => "}\n",
            (Format::Json, true) => ",\"cut\":true}\n",
            (Format::Logfmt, false) => "\n",
            (Format::Logfmt, true) => " cut=true\n",
        });
        self.buffer
    }

    fn bounded_text(&mut self, key: &str, value: &str, max: usize) {
        if value.is_empty() {
            return;
        }
        self.field(key, |line| {
            if line.format == Format::Json || needs_quotes(value) || value.len() > max {
                line.buffer.push('"');
                escape(&mut line.buffer, value, max);
                line.buffer.push('"');
            } else {
                line.buffer.push_str(value);
            }
        });
    }

    fn sequence<T>(
        &mut self,
        key: &str,
        [open, close]: [&str; 2],
        items: impl Iterator<Item = T>,
        push: impl Fn(&mut Self, T),
    ) {
        let mut items = items.peekable();
        if items.peek().is_none() {
            return;
        }
        self.field(key, |line| {
            let json = line.format == Format::Json;
            line.buffer.push_str(if json { open } else { "\"" });
            for (index, item) in items.enumerate() {
                let before = line.buffer.len();
                if index > 0 {
                    line.buffer.push(',');
                }
                push(line, item);
                if index >= ITEMS_MAX || line.buffer.len() > LINE_MAX - 2 * TAIL {
                    line.buffer.truncate(before);
                    line.is_cut = true;
                    break;
                }
            }
            line.buffer.push_str(if json { close } else { "\"" });
        });
    }

    /// Writes key and value, or neither when they don't fit.
    fn field(&mut self, key: &str, value: impl FnOnce(&mut Self)) {
        let before = self.buffer.len();
        match self.format {
            Format::Json => {
                self.buffer.push_str(if before == 0 { "{\"" } else { ",\"" });
                self.buffer.push_str(key);
                self.buffer.push_str("\":");
            }
            Format::Logfmt => {
                self.buffer.push_str(if before == 0 { "" } else { " " });
                self.buffer.push_str(key);
                self.buffer.push('=');
            }
        }
        value(self);
        if self.buffer.len() > LINE_MAX - TAIL {
            self.buffer.truncate(before);
            self.is_cut = true;
        }
    }

    fn push_item(&mut self, item: &str) {
        let quote = if self.format == Format::Json { "\"" } else { "" };
        self.buffer.push_str(quote);
        escape(&mut self.buffer, item, FIELD_MAX);
        self.buffer.push_str(quote);
    }

    fn push_number(&mut self, value: f64) {
        if !value.is_finite() {
            self.buffer.push('0');
            return;
        }
        let _ = write!(self.buffer, "{value:.3}");
        // 3.000 is 3.0, and 3.250 is 3.25.
        while self.buffer.ends_with('0') && !self.buffer.ends_with(".0") {
            self.buffer.pop();
        }
    }
}

fn needs_quotes(value: &str) -> bool {
    value.chars().any(|character| {
        matches!(character, ' ' | '=' | '"' | '\\' | ',') || !character.is_ascii() || is_hostile(character)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(build: impl Fn(&mut Line)) -> [String; 2] {
        [Format::Json, Format::Logfmt].map(|format| {
            let mut line = Line::new(format, "2026-01-01T00:00:00Z", "info", "test");
            build(&mut line);
            line.finish()
        })
    }

    #[test]
    fn fields_read_back() {
        let [json, logfmt] = both(|line| {
            line.text("helo", "a \"b\"\r\n=c");
            line.text("plain", "a.example");
            line.text("empty", "");
            line.integer("size", 7);
            line.number("score", 3.25);
            line.list("to", ["a@b", "c,\u{202e}d"].into_iter());
            line.list("none", std::iter::empty());
            line.map("findings", [("A", 1.0), ("B", -2.5)].into_iter());
        });
        assert_eq!(
            json,
            "{\"time\":\"2026-01-01T00:00:00Z\",\"level\":\"info\",\"event\":\"test\",\
             \"helo\":\"a \\\"b\\\"\\r\\n=c\",\"plain\":\"a.example\",\"size\":7,\"score\":3.25,\
             \"to\":[\"a@b\",\"c,\\u202ed\"],\"findings\":{\"A\":1.0,\"B\":-2.5}}\n"
        );
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["helo"], "a \"b\"\r\n=c");
        assert_eq!(
            logfmt,
            "time=2026-01-01T00:00:00Z level=info event=test helo=\"a \\\"b\\\"\\r\\n=c\" plain=a.example size=7 \
             score=3.25 to=\"a@b,c,\\u202ed\" findings=\"A:1.0,B:-2.5\"\n"
        );
    }

    #[test]
    fn a_line_never_outgrows_its_bound_and_stays_whole() {
        let emoji = "😀".repeat(300);
        let addresses: Vec<String> = (0..10_000).map(|number| format!("{number}\u{1b}@b")).collect();
        for fields in 0..12 {
            let lines = both(|line| {
                for _ in 0..fields {
                    line.text("helo", &emoji);
                }
                line.list("to", addresses.iter().map(String::as_str));
                line.list("reasons", std::iter::repeat_n(emoji.as_str(), 20));
            });
            for line in &lines {
                assert!(line.len() <= LINE_MAX, "{fields}: {}", line.len());
                assert_eq!(line.matches('\n').count(), 1);
            }
            let value: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
            assert_eq!(value["cut"], true);
            assert!(lines[1].ends_with(" cut=true\n"));
        }
    }

    #[test]
    fn a_list_keeps_its_first_items() {
        for (count, kept) in [
            (ITEMS_MAX - 1, ITEMS_MAX - 1),
            (ITEMS_MAX, ITEMS_MAX),
            (ITEMS_MAX + 1, ITEMS_MAX),
        ] {
            let [json, _] = both(|line| line.list("to", std::iter::repeat_n("a", count)));
            let value: serde_json::Value = serde_json::from_str(&json).unwrap();
            assert_eq!(value["to"].as_array().unwrap().len(), kept);
            assert_eq!(value["cut"] == true, count > ITEMS_MAX);
        }
    }
}
