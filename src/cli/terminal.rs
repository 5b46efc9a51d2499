//! How results look: plain words for people, one JSON object a line for programs.
//!
//! What an attacker wrote never reaches the terminal raw.

use crate::telemetry::{FindingEvent, MessageEvent};
use serde::Serialize;
use std::fmt::Write;

/// One object a line.
pub fn print_json(value: &impl Serialize) {
    match serde_json::to_string(value) {
        Ok(line) => println!("{line}"),
        Err(error) => eprintln!("portreeve: {error}"),
    }
}

/// Each item as JSON or as a line.
pub fn print_each<T: Serialize>(items: &[T], json: bool, line: impl Fn(&T) -> String) {
    for item in items {
        if json {
            print_json(item)
        } else {
            println!("{}", line(item))
        }
    }
}

/// Text without control and direction-changing characters.
pub fn plain(text: &str) -> String {
    let harmless = |c: char| {
        !c.is_control() && !matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if harmless(c) { c } else { '\u{fffd}' }).collect()
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
}
