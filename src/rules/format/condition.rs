//! Conditions within rule files: as TOML literal strings, laid out.
//!
//! The TOML string as written goes in; out comes the condition that its author meant, and a string that
//! TOML leaves alone. Knows nothing of the table around it.

use crate::rules::syntax::{self, layout};
use toml_edit::Value;

/// The longest condition that stands on the line of its key, in characters.
const LINE_MAX: usize = 80;

/// The condition that a TOML string was meant to hold; `None` when it is none. In a basic string TOML turns
/// `\b` into a backspace, which no condition holds: there the author meant what is written.
pub(super) fn meant(literal: &str, decoded: &str) -> Option<String> {
    let is_condition = |text: &str| syntax::parse(text).0.is_some();
    let is_odd = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if !decoded.contains(is_odd) && is_condition(decoded) {
        return Some(decoded.to_owned());
    }
    let inner = match literal.strip_prefix("\"\"\"") {
        Some(rest) => rest.strip_suffix("\"\"\"")?,
        None => literal.strip_prefix('"')?.strip_suffix('"')?,
    };
    Some(as_written(inner)).filter(|text| !text.contains(is_odd) && is_condition(text))
}

/// A basic string's inside with only the escapes undone that TOML makes one write.
fn as_written(inner: &str) -> String {
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match (c, chars.as_str().chars().next()) {
            ('\\', Some(escaped @ ('\\' | '"'))) => {
                chars.next();
                out.push(escaped);
            }
            _ => out.push(c),
        }
    }
    out
}

/// Where the condition begins within its TOML string, if TOML left it alone.
pub(super) fn offset(literal: &str, decoded: &str) -> Option<usize> {
    let quotes = if literal.starts_with("'''") || literal.starts_with("\"\"\"") {
        3
    } else {
        1
    };
    let after = literal.get(quotes..)?;
    let newline = usize::from(quotes == 3 && after.starts_with('\n'));
    after.get(newline..)?.starts_with(decoded).then_some(quotes + newline)
}

/// Writes a condition as a literal string: on its line where it fits there, else as a block.
pub(super) fn lay_out(value: &mut Value) {
    let Value::String(text) = &*value else {
        return;
    };
    let laid = meant(&text.display_repr(), text.value()).and_then(|meant| layout::laid_out(&meant));
    // Three quotes in a row fit into no literal string: what holds them is left as it is.
    let Some(laid) = laid.filter(|laid| !laid.contains("'''")) else {
        return;
    };
    let line = laid.trim_start();
    let fits = !laid.contains(['\n', '\'']) && !layout::has_comment(line) && line.chars().count() <= LINE_MAX;
    let written = match fits {
        true => format!("'{line}'"),
        false => format!("'''\n{laid}\n'''"),
    };
    if let Ok(mut literal) = written.parse::<Value>() {
        *literal.decor_mut() = value.decor().clone();
        *value = literal;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn laid(written: &str) -> String {
        let mut value: Value = written.parse().unwrap();
        lay_out(&mut value);
        let once = value.to_string();
        lay_out(&mut value);
        assert_eq!(value.to_string(), once);
        once
    }

    #[test]
    fn conditions_become_literal_strings() {
        for (written, expected) in [
            (r#""a&&b""#, "'a and b'"),
            ("'a'", "'a'"),
            ("'''\n  a\n'''", "'a'"),
            ("'''a == 'b' '''", "'''\n  a == 'b'\n'''"),
            (r#"'a == "b"'"#, r#"'a == "b"'"#),
            ("'a # why'", "'''\n  a  # why\n'''"),
            ("'''a\nand b'''", "'''\n  a\n  and b\n'''"),
            (r#""subject.matches(/\\bfoo\\b/)""#, r"'subject.matches(/\bfoo\b/)'"),
            (r#""subject.matches(/\bfoo\b/)""#, r"'subject.matches(/\bfoo\b/)'"),
            (r#""subject.matches(/\bfoo\\d/)""#, r"'subject.matches(/\bfoo\d/)'"),
            (r#""subject.matches(/a\nb/)""#, r"'subject.matches(/a\nb/)'"),
            (r#""a\n  and b""#, "'''\n  a\n  and b\n'''"),
            (r#""subject == \"x\"""#, r#"'subject == "x"'"#),
            ("\"x == ''''\"", "'''\n  x == \"'\"\n'''"),
        ] {
            assert_eq!(laid(written), expected, "{written}");
        }
    }

    #[test]
    fn what_is_no_condition_is_left_alone() {
        for written in ["'a and'", "\"a = b\"", "5", r#""a\u0007""#] {
            assert_eq!(laid(written), written);
        }
        assert_eq!(meant("'a b'", "a b"), None);
    }
}
