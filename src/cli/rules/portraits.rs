//! How values look on a terminal: a name and what it is, long ones cut, lists and records below.
//!
//! Portraits in, lines out. Knows nothing of where they come from.

use super::tree::{self, Line, WIDTH};
use crate::cli::terminal;
use crate::mail::Domain;
use crate::rules::diagnostic;
use crate::rules::schema::{self, FIELDS};
use crate::rules::workbench::portrait::{Portrait, reason};
use std::borrow::Cow;

/// Where values begin.
const COLUMN: usize = 24;
/// Items of a list that are shown.
const ITEMS_SHOWN: usize = 3;

/// Whether long values are shown whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whole {
    /// All of them.
    Yes,
    /// Cut to a line, and lists to their first items.
    No,
}

/// A name and its value.
pub fn lines(name: &str, value: &Portrait, whole: Whole) -> Vec<Line> {
    let mut lines = Vec::new();
    at(name, value, whole, 0, &mut lines);
    lines
}

/// Whether there is a field or a group of this name.
pub fn is_field(name: &str) -> bool {
    schema::field(name).is_some() || schema::is_group(name)
}

/// Whether fields of this first word stand in a group.
pub fn was_group(word: &str) -> bool {
    schema::is_group(word)
}

/// The nearest field to a name that is none, as a question.
pub fn nearest(name: &str) -> String {
    let near = diagnostic::nearest(name, FIELDS.iter().map(|field| field.name));
    near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
}

fn at(name: &str, value: &Portrait, whole: Whole, indent: usize, lines: &mut Vec<Line>) {
    let start = format!("{:indent$}{name}", "");
    // A name that reaches into the values' column keeps one blank after it.
    let start = format!("{start:<column$} ", column = COLUMN - 1);
    let room = WIDTH.saturating_sub(start.chars().count()).max(20);
    let text = match value {
        Portrait::Absent => "absent".to_owned(),
        Portrait::Unknown(why) if whole == Whole::Yes => format!("unknown: {}", reason(*why)),
        Portrait::Unknown(why) => format!("unknown ({})", why.cause),
        Portrait::Bool(truth) => truth.to_string(),
        Portrait::Int(number) => number.to_string(),
        Portrait::Float(number) => number.to_string(),
        Portrait::Word(word) => tree::cut(&both_spellings(word), room),
        Portrait::Text { text, characters } => quoted(text, *characters, room, whole),
        Portrait::Record { name, .. } => tree::cut(name, room),
        Portrait::Row(_) => String::new(),
        Portrait::Duration(millis) => duration(*millis),
        Portrait::List { items, more, cut } => list(items, items.len() + more, cut.is_some(), (whole, room)),
    };
    lines.push(Line::plain(format!("{start}{text}").trim_end().to_owned()));
    below(value, whole, indent + 2, lines);
}

fn below(value: &Portrait, whole: Whole, indent: usize, lines: &mut Vec<Line>) {
    match value {
        Portrait::Record { members, .. } => {
            // What this version doesn't gather would hide the rest; JSON has it.
            let known = members
                .iter()
                .filter(|(_, member)| whole == Whole::Yes || !is_not_gathered(member));
            known.for_each(|(key, member)| at(&format!(".{key}"), member, whole, indent, lines));
        }
        Portrait::Row(cells) => {
            let cells = cells.iter();
            cells.for_each(|(key, cell)| at(&format!(".{key}"), cell, whole, indent, lines));
        }
        Portrait::List { items, more, .. } => {
            if whole == Whole::No && items.iter().all(|item| item.scalar().is_some()) {
                return;
            }
            let shown = if whole == Whole::Yes { items.len() } else { ITEMS_SHOWN };
            for (place, item) in items.iter().take(shown).enumerate() {
                at(&(place + 1).to_string(), item, whole, indent, lines);
            }
            let rest = items.len().saturating_sub(shown) + more;
            if rest > 0 {
                lines.push(Line::remark(format!("{:indent$}and {rest} more", "")));
            }
        }
        _ => {}
    }
}

/// A domain in A-labels with what people see of it beside.
fn both_spellings(word: &str) -> Cow<'_, str> {
    let domain = word.rsplit('@').next().filter(|domain| domain.contains("xn--"));
    match domain.and_then(Domain::parse).map(|domain| domain.unicode()) {
        Some(shown) if !shown.is_ascii() => Cow::Owned(format!("{word} ({})", terminal::plain(&shown))),
        _ => Cow::Borrowed(word),
    }
}

/// How many items, and which, where they are short.
fn list(items: &[Portrait], count: usize, is_open: bool, (whole, room): (Whole, usize)) -> String {
    let mut text = match count {
        0 => "none".to_owned(),
        1 => "1 item".to_owned(),
        count => format!("{count} items"),
    };
    if is_open {
        text.push_str(", perhaps more");
    }
    let scalars: Option<Vec<String>> = items.iter().map(Portrait::scalar).collect();
    match scalars.filter(|scalars| whole == Whole::No && !scalars.is_empty()) {
        Some(scalars) => tree::cut(&format!("{text}: {}", scalars.join(", ")), room),
        None => text,
    }
}

/// As the language writes it, and long ones in days too.
fn duration(millis: i64) -> String {
    const DAY: u64 = 86_400_000;
    let exact = Portrait::Duration(millis).scalar().unwrap_or_default();
    match millis.unsigned_abs() / DAY {
        0 => exact,
        days => format!("{exact} (about {}{days}d)", if millis < 0 { "-" } else { "" }),
    }
}

fn is_not_gathered(value: &Portrait) -> bool {
    matches!(value, Portrait::Unknown(why) if why.cause == schema::NOT_GATHERED)
}

/// In quotes, so that blanks show; with its length when it is cut.
fn quoted(text: &str, characters: usize, room: usize, whole: Whole) -> String {
    let shown = text.chars().count();
    if whole == Whole::Yes && shown == characters {
        return format!("{text:?}");
    }
    let length = format!(" ({characters} characters)");
    let whole_text = format!("{text:?}");
    if whole_text.chars().count() <= room && shown == characters {
        return whole_text;
    }
    let kept: String = text.chars().take(room.saturating_sub(length.len() + 8)).collect();
    tree::cut(&format!("{kept:?}…"), room.saturating_sub(length.len())) + &length
}
