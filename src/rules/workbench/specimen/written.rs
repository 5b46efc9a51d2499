//! A test as text, and its place in the rule's file.
//!
//! A scene and what is expected go in; out come TOML and the file with it, every other byte as it was. Knows
//! nothing of whether the test passes.

use crate::rules::test_entry::{AttachmentSketch, Expectation, Scene};
use std::fmt::Write;
use toml_edit::{Document, Item, Table};

/// The `[[rule.test]]`, each line ended by a line feed.
pub(super) fn test(scene: &Scene, expect: Expectation, name: &str) -> String {
    let mail = &scene.mail;
    let mut keys: Vec<String> = Vec::new();
    let mut put =
        |key: &str, text: &Option<String>| keys.extend(text.as_ref().map(|text| format!("{key} = {}", quoted(text))));
    put("from", &mail.from);
    put("subject", &mail.subject);
    put("date", &mail.date);
    put("text", &mail.text);
    put("html", &mail.html);
    put("raw", &mail.raw);
    for (key, people) in [("to", &mail.to), ("cc", &mail.cc), ("reply_to", &mail.reply_to)] {
        if !people.is_empty() {
            keys.push(format!("{key} = {}", list(people)));
        }
    }
    if !mail.headers.is_empty() {
        keys.push(format!("headers = {}", headers(&mail.headers)));
    }
    if !mail.attachments.is_empty() {
        let attachments: Vec<String> = mail.attachments.iter().map(attachment).collect();
        keys.push(format!("attachments = [{}]", attachments.join(", ")));
    }
    let mut out = format!("[[rule.test]]\nname = {}\n", quoted(name));
    let _ = match keys.is_empty() {
        true => writeln!(out, "mail = {{}}"),
        false => writeln!(out, "mail = {{ {} }}", keys.join(", ")),
    };
    let mut envelope: Vec<String> = Vec::new();
    envelope.extend(
        scene
            .envelope_from
            .as_ref()
            .map(|from| format!("from = {}", quoted(from))),
    );
    if !scene.envelope_to.is_empty() {
        envelope.push(format!("to = {}", list(&scene.envelope_to)));
    }
    if !envelope.is_empty() {
        let _ = writeln!(out, "envelope = {{ {} }}", envelope.join(", "));
    }
    if let Some(now) = scene.now {
        let _ = writeln!(out, "now = {now}");
    }
    let _ = writeln!(out, "expect = {}", quoted(expect.as_str()));
    out
}

/// The file with the test after the rule's others; `None` without the rule.
pub(super) fn insert(text: &str, id: &str, test: &str) -> Option<String> {
    let document = Document::parse(text).ok()?;
    let rules = document.get("rule")?.as_array_of_tables()?;
    let rule = rules
        .iter()
        .find(|rule| rule.get("id").and_then(Item::as_str) == Some(id))?;
    let end = end(rule)?;
    let line_end = text.get(end..)?.find('\n');
    let (before, after) = match line_end {
        Some(line_end) => text.split_at(end + line_end + 1),
        None => (text, ""),
    };
    let feed = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let gap = if before.ends_with('\n') { "" } else { feed };
    Some(format!("{before}{gap}{}{after}", test.replace('\n', feed)))
}

/// Where a table's last value ends, those of the tables below it counted.
fn end(table: &Table) -> Option<usize> {
    let ends = table.iter().filter_map(|(_, item)| match item {
        Item::None => None,
        Item::Value(value) => value.span().map(|span| span.end),
        Item::Table(table) => end(table),
        Item::ArrayOfTables(tables) => tables.iter().filter_map(end).max(),
    });
    ends.chain(table.span().map(|span| span.end)).max()
}

/// A basic string: JSON's escapes are TOML's, but for DEL, which TOML wants escaped too.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

fn list(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
    format!("[{}]", texts.join(", "))
}

/// A field that stands several times has a list of values.
fn headers(headers: &[(String, String)]) -> String {
    let mut keys: Vec<(&str, Vec<String>)> = Vec::new();
    for (name, value) in headers {
        match keys.iter_mut().find(|(known, _)| known == name) {
            Some((_, values)) => values.push(value.clone()),
            None => keys.push((name, vec![value.clone()])),
        }
    }
    let written = keys.iter().map(|(name, values)| match values.as_slice() {
        [only] => format!("{} = {}", quoted(name), quoted(only)),
        several => format!("{} = {}", quoted(name), list(several)),
    });
    format!("{{ {} }}", written.collect::<Vec<_>>().join(", "))
}

fn attachment(attachment: &AttachmentSketch) -> String {
    let mut out = format!("{{ name = {}", quoted(&attachment.name));
    if !attachment.content_type.is_empty() {
        let _ = write!(out, ", type = {}", quoted(&attachment.content_type));
    }
    let plain = std::str::from_utf8(&attachment.content).ok();
    let is_plain = |text: &&str| !text.contains(|c: char| c.is_control() && c != '\n');
    match plain.filter(is_plain) {
        Some("") => {}
        Some(text) => _ = write!(out, ", content = {}", quoted(text)),
        None => _ = write!(out, ", base64 = {}", quoted(&base64(&attachment.content))),
    }
    out.push_str(" }");
    out
}

/// RFC 4648 §4.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let held = chunk.iter().fold(0_u32, |held, byte| held << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let letter = usize::try_from(held >> (18 - 6 * place) & 63).unwrap_or_default();
            let letter = LETTERS.get(letter).copied().unwrap_or(b'=');
            out.push(if place > chunk.len() { '=' } else { char::from(letter) });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_encoded_as_the_standard_says() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn a_test_goes_after_the_rules_own_and_nothing_else_moves() {
        let text = "[[rule]]\nid = 'A'\nwhen = '''\nx\n'''\n[[rule.test]]\nname = 'a'  # first\n\n# Of b.\n[[rule]]\nid = 'B'\nwhen='y'";
        let after_a = insert(text, "A", "T\n").unwrap();
        assert_eq!(after_a, text.replace("# first\n", "# first\nT\n"));
        assert_eq!(insert(text, "B", "T\n").unwrap(), format!("{text}\nT\n"));
        assert_eq!(insert(text, "C", "T\n"), None);
        let crlf = text.replace('\n', "\r\n");
        assert_eq!(insert(&crlf, "A", "T\n").unwrap(), after_a.replace('\n', "\r\n"));
    }

    #[test]
    fn strings_are_toml() {
        let odd = "a\"b\\c\nd\u{7f}\u{1}é'";
        let value: toml_edit::Value = quoted(odd).parse().unwrap();
        assert_eq!(value.as_str(), Some(odd));
    }
}
