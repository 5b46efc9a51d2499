//! How results look: plain words for people, one JSON object a line for programs.
//!
//! What an attacker wrote never reaches the terminal raw.

use super::exit::Exit;
use crate::telemetry::{FindingEvent, MessageEvent};
use serde::Serialize;
use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};

/// A result for people: a line, or several with line ends between them.
pub fn print(text: &str) {
    write(plain_lines(text.trim_end_matches('\n')).as_bytes());
    write(b"\n");
}

/// A colour of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// For what holds.
    Green,
    /// For what doesn't.
    Red,
    /// For what can't be told.
    Yellow,
}

/// A line with a word of ours in colour before it, where somebody looks; a remark is dimmed.
pub fn print_marked(mark: Option<(Colour, &str)>, text: &str, is_remark: bool) {
    let text = plain_lines(text);
    if !is_coloured() {
        let mark = mark.map_or("", |(_, mark)| mark);
        return print(&format!("{mark}{text}"));
    }
    if let Some((colour, mark)) = mark {
        let code = match colour {
            Colour::Green => 32,
            Colour::Red => 31,
            Colour::Yellow => 33,
        };
        write(format!("\x1b[{code}m{mark}\x1b[0m").as_bytes());
    }
    let line = if is_remark {
        format!("\x1b[2m{text}\x1b[0m\n")
    } else {
        format!("{text}\n")
    };
    write(line.as_bytes());
}

/// Whether results go to a terminal whose owner hasn't asked for plain text.
fn is_coloured() -> bool {
    let unwanted = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    std::io::stdout().is_terminal() && !unwanted("NO_COLOR")
}

/// A message as it was received, byte for byte.
pub fn print_raw(bytes: &[u8]) {
    write(bytes);
    if let Err(error) = std::io::stdout().flush() {
        unwritten(&error);
    }
}

/// One object a line.
pub fn print_json(value: &impl Serialize) {
    match serde_json::to_string(value) {
        Ok(line) => {
            write(harmless_json(&line).as_bytes());
            write(b"\n");
        }
        Err(error) => complain(&error.to_string()),
    }
}

/// What went wrong, on standard error.
pub fn complain(text: &str) {
    complain_whole(&plain_lines(&format!("portreeve: {}", text.trim_end_matches('\n'))));
}

/// The same for text that is laid out and coloured already.
pub fn complain_whole(text: &str) {
    // With standard error gone there is nobody left to tell.
    let _ = writeln!(std::io::stderr(), "{}", text.trim_end_matches('\n'));
}

fn write(bytes: &[u8]) {
    if let Err(error) = std::io::stdout().write_all(bytes) {
        unwritten(&error);
    }
}

/// A reader that has gone (`| head -1`) has seen what it wanted; a full disk has lost the result.
fn unwritten(error: &std::io::Error) -> ! {
    if error.kind() == std::io::ErrorKind::BrokenPipe {
        std::process::exit(Exit::Fine.code().into());
    }
    complain(&format!("the result can't be written: {error}"));
    std::process::exit(Exit::Unavailable.code().into());
}

/// Each item as JSON or as a line.
pub fn print_each<T: Serialize>(items: &[T], json: bool, line: impl Fn(&T) -> String) {
    for item in items {
        if json { print_json(item) } else { print(&line(item)) }
    }
}

/// So many things of a kind, which has an `s` where they are not one.
pub fn count(many: usize, kind: &str) -> String {
    match many {
        1 => format!("1 {kind}"),
        _ => format!("{many} {kind}s"),
    }
}

/// So many bytes, to a tenth of what is fit to say.
#[expect(clippy::cast_precision_loss, reason = "a tenth is all that is shown")]
pub fn bytes(bytes: usize) -> String {
    let units = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "KB")];
    let unit = units.into_iter().find(|(least, _)| bytes >= *least);
    unit.map_or_else(
        || format!("{bytes} bytes"),
        |(least, unit)| format!("{:.1} {unit}", bytes as f64 / least as f64),
    )
}

/// Text without control and direction-changing characters, on one line.
pub fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if is_harmless(c) { c } else { '\u{fffd}' })
        .collect()
}

/// The same, line ends kept.
fn plain_lines(text: &str) -> String {
    let keep = |c: char| c == '\n' || is_harmless(c);
    text.chars().map(|c| if keep(c) { c } else { '\u{fffd}' }).collect()
}

/// Written JSON has such characters within strings alone, where their escapes mean the same.
fn harmless_json(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    for c in line.chars() {
        if is_harmless(c) {
            out.push(c);
        } else {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        }
    }
    out
}

fn is_harmless(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A verdict with its reasons, as `explain` and `quarantine show` print it.
pub fn explanation(event: &MessageEvent) -> String {
    let mut out = String::new();
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(out, "{name:<10} {}", plain(value));
        }
    };
    line("id", &event.id);
    line("received", &event.time);
    line("client", &event.client);
    line("from", &format!("<{}> author {}", event.from, event.author));
    let recipients: Vec<String> = event
        .recipients
        .iter()
        .map(|recipient| format!("{} ({})", recipient.address, recipient.verdict))
        .collect();
    line("to", &recipients.join(", "));
    line("subject", &event.subject);
    let kind = if event.category.is_empty() {
        String::new()
    } else {
        format!(", {} ({})", event.category, event.severity)
    };
    line("verdict", &format!("{}, score {:.1}{kind}", event.verdict, event.score));
    line("action", &event.action);
    line("reply", &event.reply);
    line("defects", &event.defects.join(", "));
    let unscanned: Vec<String> = event
        .unscanned
        .iter()
        .map(|missed| format!("{} ({})", missed.check, missed.cause))
        .collect();
    line("unscanned", &unscanned.join(", "));
    for reason in &event.reasons {
        line("because", reason);
    }
    for finding in &event.findings {
        out.push_str(&finding_lines(finding));
    }
    out
}

fn finding_lines(finding: &FindingEvent) -> String {
    let mut out = String::new();
    let shadow = if finding.status == "shadow" { " (shadow)" } else { "" };
    let _ = writeln!(
        out,
        "\n{} {:+.1}{shadow}\n  {}:{}",
        finding.rule, finding.score, finding.file, finding.line
    );
    for evidence in &finding.evidence {
        let offset = evidence
            .offset
            .map(|offset| format!(" at byte {offset}"))
            .unwrap_or_default();
        let _ = writeln!(out, "  {}{offset}: {:?}", evidence.field, plain(&evidence.text));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_an_attacker_wrote_reaches_the_terminal_raw() {
        let event = MessageEvent {
            subject: "\x1b[2J\r\n\u{202e}x".into(),
            ..MessageEvent::default()
        };
        let told = explanation(&event);
        assert!(
            !told.contains('\x1b') && !told.contains('\r') && !told.contains('\u{202e}'),
            "{told:?}"
        );
    }

    #[test]
    fn lines_stay_lines_and_json_means_the_same() {
        assert_eq!(
            plain_lines("a\n\x1b[2Jb\u{9b}\u{202e}\t"),
            "a\n\u{fffd}[2Jb\u{fffd}\u{fffd}\u{fffd}"
        );
        let text = "\u{7f}\u{9b}31m\u{202e}\u{2028}\"é";
        let line = harmless_json(&serde_json::to_string(text).unwrap());
        assert!(line.chars().all(is_harmless), "{line:?}");
        assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
    }
}
