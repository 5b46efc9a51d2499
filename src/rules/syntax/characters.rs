//! What a character that has no meaning here is in other languages, by what stands around it.
//!
//! A character with the text before and after it goes in; what to write comes out. Decides nothing.

/// What to say of a character; `after` begins with it.
pub(super) fn help(character: char, before: &str, after: &str) -> Option<String> {
    let help = match character {
        ':' => return Some(colon(before.trim_end(), after.get(1..).unwrap_or_default())),
        '|' => "write `or`; Sigma's field|contains: 'x' is field.contains('x')",
        '&' => "write `and`",
        '?' => "write (a and b) or (not a and c); `x ?? y` gives y where there is no x",
        ';' => "a condition is one expression, and nothing ends it",
        '{' | '}' => "values to choose from stand in brackets: x in ['a', 'b']",
        '%' => "there is no remainder; any text around a needle is subject.contains('…')",
        '`' => "strings stand between straight quotes: 'text' or \"text\"",
        '\\' => "a condition goes on over lines by itself; a backslash stands only in strings and regexes",
        '^' => "the beginning of a text is subject.starts_with('…') or matches(/^…/)",
        '\u{2013}' | '\u{2014}' | '\u{2212}' => "a minus is the plain `-`",
        '\u{a0}' => "this is a no-break space: write a plain one",
        _ => return None,
    };
    Some(help.to_owned())
}

/// Python's lambda, slice and `for`, YARA's `for`, SpamAssassin's `From:addr`, Sigma's `field: value`.
fn colon(before: &str, after: &str) -> String {
    let words: Vec<&str> = before.rsplit(|c: char| c.is_whitespace() || c == '(').take(6).collect();
    match words.as_slice() {
        [list, "in", item, "any" | "all" | "for", ..] => walk(list, item, words.contains(&"all")),
        [item, "lambda", ..] => format!("a comma follows the name of an item: links.any({item}, …)"),
        [item, call, ..] if call.ends_with(".any") || call.ends_with(".all") || call.ends_with(".count") => {
            format!("a comma follows the name of an item: {call}({item}, …)")
        }
        [name, ..] if name.contains('[') => {
            "a text's beginning is x.starts_with('…'), its end x.ends_with('…')".to_owned()
        }
        ["header" | "headers" | "exists", ..] => {
            let name = after.trim_start();
            let end = name.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'));
            let name = name.get(..end.unwrap_or(name.len())).unwrap_or_default();
            let name = if name.is_empty() { "X-Mailer" } else { name };
            format!(
                "a header field has every instance in header('{name}'), a list; whether there is one is present(header('{name}'))"
            )
        }
        _ => "SpamAssassin's From:addr is from.address, and Sigma's field: value is field == 'value'".to_owned(),
    }
}

/// `for any l in links : (…)`, `any l in links: …`.
fn walk(list: &str, item: &str, all: bool) -> String {
    let method = if all { "all" } else { "any" };
    format!("write {list}.{method}({item}, …)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colon_is_told_by_what_stands_around_it() {
        for (text, expected) in [
            ("any(links, lambda l: l.shown", "links.any(l, …)"),
            ("links.all(x: x.shown", "links.all(x, …)"),
            ("for any link in links : (", "write links.any(link, …)"),
            ("for all of them in links: (", "SpamAssassin"),
            ("for l in links: l", "write links.any(l, …)"),
            ("all l in links: l", "write links.all(l, …)"),
            ("subject[0:3]", "starts_with"),
            ("header:X-Foo == 1", "header('X-Foo')"),
            ("exists:", "header('X-Mailer')"),
            ("From:addr =~", "From:addr"),
            (":", "Sigma"),
        ] {
            let (before, after) = text.split_at(text.find(':').unwrap());
            let help = help(':', before, after).unwrap();
            assert!(help.contains(expected), "{text}: {help}");
        }
    }
}
