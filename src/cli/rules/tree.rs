//! Conditions as a tree on a terminal: the truth of each part in the first column, what decided below it.
//!
//! Explanations and outcomes in, lines out, at most [`WIDTH`] wide. Knows nothing of how truths are found.

use crate::cli::terminal::{self, Colour};
use crate::rules::Snippet;
use crate::rules::evaluate::Truth;
use crate::rules::value::Why;
use crate::rules::workbench::explain::{Branch, Joint, Seen, Sight, Walked};
use crate::rules::workbench::portrait::reason;
use serde_json::{Value, json};

/// Columns of a line.
pub const WIDTH: usize = 80;
/// Where the tree begins, right of the truths.
const TREE: usize = 9;
/// Lines that one part's text may take.
const TEXT_LINES_MAX: usize = 4;
/// The deepest indentation; what lies deeper stands there too.
const INDENT_MAX: usize = 40;

/// A line to print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// A word in colour at its beginning.
    pub mark: Option<(Colour, &'static str)>,
    /// The rest.
    pub text: String,
    /// Whether the rest only remarks on what stands above.
    pub is_remark: bool,
}

impl Line {
    /// Without a mark.
    pub fn plain(text: impl Into<String>) -> Self {
        Self {
            mark: None,
            text: text.into(),
            is_remark: false,
        }
    }

    /// Of less weight.
    pub fn remark(text: impl Into<String>) -> Self {
        Self {
            is_remark: true,
            ..Self::plain(text)
        }
    }
}

/// Prints lines, coloured where somebody looks.
pub fn print(lines: &[Line]) {
    for line in lines {
        terminal::print_marked(line.mark, &line.text, line.is_remark);
    }
}

/// The word for a truth.
pub const fn word(truth: Truth) -> &'static str {
    match truth {
        Truth::True => "true",
        Truth::False => "false",
        Truth::Unknown => "unknown",
    }
}

/// Its colour.
pub const fn colour(truth: Truth) -> Colour {
    match truth {
        Truth::True => Colour::Green,
        Truth::False => Colour::Red,
        Truth::Unknown => Colour::Yellow,
    }
}

/// A condition and all below it.
pub fn lines(branch: &Branch) -> Vec<Line> {
    let mut lines = Vec::new();
    branch_lines(branch, 0, &mut lines);
    lines
}

fn branch_lines(branch: &Branch, depth: usize, lines: &mut Vec<Line>) {
    let indent = indentation(depth);
    let text = heading(branch);
    for (place, text) in wrapped(&text, WIDTH - TREE - indent, 4).into_iter().enumerate() {
        let is_first = place == 0;
        let room = if is_first {
            TREE - word(branch.truth).len()
        } else {
            TREE
        };
        lines.push(Line {
            mark: is_first.then(|| (colour(branch.truth), word(branch.truth))),
            text: format!("{:width$}{text}", "", width = room + indent),
            is_remark: false,
        });
    }
    remarks(branch, TREE + indent + 2, lines);
    for part in &branch.parts {
        branch_lines(part, depth + 1, lines);
    }
    if let Some(walk) = &branch.walk {
        walk_lines(walk, depth + 1, lines);
    }
}

fn indentation(depth: usize) -> usize {
    (2 * depth).min(INDENT_MAX)
}

/// What a part is called: a joint by its word, since its parts follow.
fn heading(branch: &Branch) -> String {
    match branch.joint {
        Joint::Leaf => branch.text.clone(),
        Joint::And => "and".to_owned(),
        Joint::Or => "or".to_owned(),
        Joint::Not => "not".to_owned(),
        Joint::Of => format!("{} of", branch.text.split(" of").next().unwrap_or_default()),
        Joint::Each => match (&branch.walk, branch.text.split_once(", ")) {
            (Some(walk), Some((head, _))) => format!("{head}, …)  {}", tally(walk)),
            _ => branch.text.clone(),
        },
    }
}

fn tally(walk: &Walked) -> String {
    let (trues, _, unknowns) = walk.truths;
    let items = match walk.items {
        0 => "no items".to_owned(),
        1 => "1 item".to_owned(),
        many => format!("{many} items"),
    };
    let mut told = items;
    if walk.items > 0 {
        told.push_str(&format!(", true of {trues}"));
    }
    if unknowns > 0 {
        told.push_str(&format!(", unknown of {unknowns}"));
    }
    if walk.cut.is_some() {
        told.push_str(", and there may be more");
    }
    told
}

fn walk_lines(walk: &Walked, depth: usize, lines: &mut Vec<Line>) {
    let indent = TREE + indentation(depth);
    for item in &walk.shown {
        let name = cut(&format!("{}: {}", item.place, item.name), WIDTH - indent);
        lines.push(Line::remark(format!("{:indent$}{name}", "")));
        branch_lines(&item.condition, depth + 1, lines);
    }
    let rest = walk.items.saturating_sub(walk.shown.len());
    if rest > 0 && !walk.shown.is_empty() {
        lines.push(Line::remark(format!("{:indent$}and {rest} more", "")));
    }
}

/// What decided: the bytes of what is true, the values of what isn't.
fn remarks(branch: &Branch, indent: usize, lines: &mut Vec<Line>) {
    if branch.joint != Joint::Leaf && branch.walk.is_some() || !branch.parts.is_empty() {
        return;
    }
    let found = branch.truth == Truth::True && (branch.searches || branch.seen.is_empty());
    if found {
        lines.extend(evidence_lines(&branch.evidence, indent));
    }
    let skip = usize::from(branch.searches && branch.truth == Truth::True);
    for seen in branch.seen.iter().skip(skip) {
        lines.extend(remark(&seen_text(seen, WIDTH - indent), indent));
    }
    match branch.near.len() {
        0 => {}
        1 => lines.extend(remark("one of them stands there:", indent)),
        many => lines.extend(remark(&format!("{many} of them stand there:"), indent)),
    }
    lines.extend(evidence_lines(&branch.near, indent + 2));
    let is_shown = |why: &Why| branch.seen.iter().any(|seen| seen.value == Sight::Unknown(*why));
    let rest: Vec<Why> = branch.unknown.iter().copied().filter(|why| !is_shown(why)).collect();
    lines.extend(unknown_lines(&rest, indent));
}

fn seen_text(seen: &Seen, room: usize) -> String {
    match &seen.value {
        Sight::Absent => format!("{} is absent: the message has none", seen.what),
        Sight::Unknown(why) => format!("{} is unknown: {}", seen.what, reason(*why)),
        Sight::Shadow => format!("{} is in shadow: to a rule that acts it is unknown", seen.what),
        Sight::Other(value) => cut(&format!("{} is {value}", seen.what), room),
        Sight::Text(text, characters) => {
            let whole = format!("{} is {text:?}", seen.what);
            if whole.chars().count() <= room && text.chars().count() == *characters {
                return whole;
            }
            let start = format!("{} has {characters} characters: ", seen.what);
            let room = room.saturating_sub(start.chars().count()).max(20);
            format!("{start}{}", cut(&format!("{text:?}"), room))
        }
    }
}

/// The texts that made something true, and where they stand.
pub fn evidence_lines(evidence: &[Snippet], indent: usize) -> Vec<Line> {
    let line = |snippet: &Snippet| {
        let offset = snippet
            .offset
            .map(|offset| format!(" at byte {offset}"))
            .unwrap_or_default();
        let start = format!("{:indent$}{}{offset}: ", "", snippet.field);
        let room = WIDTH.saturating_sub(start.chars().count()).max(20);
        Line::remark(format!("{start}{}", cut(&format!("{:?}", snippet.text), room)))
    };
    evidence.iter().map(line).collect()
}

/// Why something is unknown.
pub fn unknown_lines(unknown: &[Why], indent: usize) -> Vec<Line> {
    let told = unknown.iter().flat_map(|why| remark(&reason(*why), indent));
    told.collect()
}

/// The same for programs.
pub fn reasons(unknown: &[Why]) -> Vec<Value> {
    let told = unknown.iter();
    told.map(|why| json!({ "check": why.check, "cause": why.cause }))
        .collect()
}

/// Text of as many lines as it takes.
pub fn paragraph(text: &str, indent: usize) -> Vec<Line> {
    let lines = wrapped(text, WIDTH.saturating_sub(indent).max(20), 0).into_iter();
    lines.map(|text| Line::plain(format!("{:indent$}{text}", ""))).collect()
}

fn remark(text: &str, indent: usize) -> Vec<Line> {
    let lines = wrapped(text, WIDTH.saturating_sub(indent).max(20), 2).into_iter();
    lines
        .map(|text| Line::remark(format!("{:indent$}{text}", "")))
        .collect()
}

/// A condition for programs.
pub fn record(branch: &Branch) -> Value {
    let mut whole = json!({
        "text": branch.text,
        "line": branch.line,
        "truth": word(branch.truth),
    });
    let Some(object) = whole.as_object_mut() else {
        return whole;
    };
    let mut put = |key: &str, value: Value| {
        if value.as_array().is_none_or(|items| !items.is_empty()) {
            object.insert(key.to_owned(), value);
        }
    };
    put("evidence", json!(branch.evidence));
    put("near", json!(branch.near));
    put("seen", branch.seen.iter().map(seen_record).collect());
    put("unknown", reasons(&branch.unknown).into());
    put("parts", branch.parts.iter().map(record).collect());
    if let Some(walk) = &branch.walk {
        let items = walk.shown.iter();
        let items =
            items.map(|item| json!({ "item": item.place, "name": item.name, "condition": record(&item.condition) }));
        let (trues, falses, unknowns) = walk.truths;
        put(
            "walk",
            json!({
                "items": walk.items,
                "true": trues,
                "false": falses,
                "unknown": unknowns,
                "cut": walk.cut.map(|why| why.cause),
                "shown": items.collect::<Vec<_>>(),
            }),
        );
    }
    whole
}

fn seen_record(seen: &Seen) -> Value {
    match &seen.value {
        Sight::Absent => json!({ "what": seen.what, "state": "absent" }),
        Sight::Unknown(why) => {
            json!({ "what": seen.what, "state": "unknown", "check": why.check, "cause": why.cause })
        }
        Sight::Text(text, characters) => {
            json!({ "what": seen.what, "state": "known", "value": text, "characters": characters })
        }
        Sight::Shadow => json!({ "what": seen.what, "state": "unknown", "cause": "shadow" }),
        Sight::Other(value) => json!({ "what": seen.what, "state": "known", "value": value }),
    }
}

/// Text cut to a number of columns.
pub fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let kept: String = text.chars().take(room.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// Text broken at blanks into lines of a width, those after the first indented; cut after a few lines.
fn wrapped(text: &str, width: usize, hanging: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let is_full = line.chars().count() + 1 + word.chars().count() > width;
        if is_full && !line.trim().is_empty() {
            lines.push(std::mem::replace(&mut line, " ".repeat(hanging)));
        } else if !line.is_empty() && !line.ends_with(' ') {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    let is_long = lines.len() > TEXT_LINES_MAX;
    lines.truncate(TEXT_LINES_MAX);
    let mut lines: Vec<String> = lines.iter().map(|line| cut(line, width)).collect();
    if let Some(last) = lines.last_mut().filter(|last| is_long && !last.ends_with('…')) {
        *last = format!("{} …", cut(last, width.saturating_sub(2)));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_at_blanks_and_cut() {
        assert_eq!(wrapped("aa bb cc", 5, 2), ["aa bb", "  cc"]);
        assert_eq!(wrapped("aaaaaaaaa b", 5, 2), ["aaaa…", "  b"]);
        assert_eq!(
            wrapped("aaa bbb ccc ddd eee fff", 7, 2),
            ["aaa bbb", "  ccc", "  ddd", "  eee …"]
        );
        assert_eq!(wrapped("", 5, 2), [""]);
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
    }
}
