//! Reads Rust sources just far enough to see what a file refers to: comments, literals and test
//! code are blanked, then paths are picked out of what is left.
//!
//! In goes the text of one file, out come module names and needles with their lines. Knows nothing
//! of which of them are allowed.

/// The file with comments, literals and test code replaced by spaces, line ends kept.
pub fn code_only(text: &str) -> String {
    without_tests(&without_literals(text))
}

/// Names of files that are modules for tests alone: `#[cfg(test)] mod NAME;`.
pub fn test_only_modules(text: &str) -> Vec<String> {
    let code = without_literals(text);
    let mut names = Vec::new();
    for (_, after) in test_items(&code) {
        if let Some(rest) = after.strip_prefix("mod ")
            && let Some((name, _)) = rest.split_once(';')
            && name.trim().chars().all(is_name)
        {
            names.push(name.trim().to_owned());
        }
    }
    names
}

/// Top-level modules of the crate that the code refers to, each with its line, from a file whose
/// own module path is `depth` names long.
pub fn references(code: &str, depth: usize) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for (start, _) in code.match_indices("crate::") {
        if !preceded_by_name(code, start) {
            heads(&code[start + "crate::".len()..], line_of(code, start), &mut found);
        }
    }
    // A chain of `super` that climbs to the root names a top-level module too.
    let mut from = 0;
    while let Some(offset) = code.get(from..).and_then(|rest| rest.find("super::")) {
        let start = from + offset;
        let mut after = start;
        let mut climbed = 0;
        while code[after..].starts_with("super::") {
            after += "super::".len();
            climbed += 1;
        }
        if climbed >= depth && !preceded_by_name(code, start) {
            heads(&code[after..], line_of(code, start), &mut found);
        }
        from = after;
    }
    found
}

/// Lines on which `needle` stands as a path or name of its own, not as the tail of a longer name.
pub fn lines_with(code: &str, needle: &str) -> Vec<usize> {
    code.match_indices(needle)
        .filter(|(start, _)| !preceded_by_name(code, *start) && !followed_by_name(code, start + needle.len()))
        .map(|(start, _)| line_of(code, start))
        .collect()
}

/// The first names of a path or of a `{…}` group of paths.
fn heads(rest: &str, line: usize, found: &mut Vec<(String, usize)>) {
    let Some(group) = rest.strip_prefix('{') else {
        let name: String = rest.chars().take_while(|&letter| is_name(letter)).collect();
        // A capital is an item at the root, a star everything there; neither is a module.
        if name.starts_with(|first: char| first.is_ascii_lowercase()) {
            found.push((name, line));
        }
        return;
    };
    let mut depth = 1_usize;
    let mut at_head = true;
    for (index, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => at_head = true,
            _ if at_head && is_name(letter) => {
                heads(&group[index..], line, found);
                at_head = false;
            }
            _ => {}
        }
        if depth == 0 {
            return;
        }
    }
}

fn without_literals(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(length) = raw_string(rest).filter(|_| !out.ends_with(is_name)) {
            length
        } else if first == '"' {
            quoted(rest, '"')
        } else if first == '\'' {
            character(rest)
        } else {
            0
        };
        if skipped == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            out.push_str(&blank(&rest[..skipped]));
            rest = &rest[skipped..];
        }
    }
    out
}

/// The length of the raw string that `rest` starts with.
fn raw_string(rest: &str) -> Option<usize> {
    let after = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'))?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let body = after[hashes..].strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    let end = body.find(&close).map_or(body.len(), |end| end + close.len());
    Some(rest.len() - body.len() + end)
}

/// The length of the quoted literal that `rest` starts with, escapes minded.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (index, letter) in rest.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if letter == quote => return index + quote.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

/// The length of a character literal, or 0 for a lifetime.
fn character(rest: &str) -> usize {
    let mut letters = rest.chars().skip(1);
    match (letters.next(), letters.next()) {
        (Some('\\'), _) => quoted(rest, '\''),
        (Some(letter), Some('\'')) => 2 + letter.len_utf8(),
        _ => 0,
    }
}

/// Blanks every item under `#[cfg(test)]`.
fn without_tests(code: &str) -> String {
    let mut out = code.to_owned();
    for (start, item) in test_items(code) {
        let length = item_length(item);
        let end = code.len() - item.len() + length;
        out.replace_range(start..end, &blank(&code[start..end]));
    }
    out
}

/// Where each `#[cfg(test)]` stands, with the text from its item on (further attributes skipped).
fn test_items(code: &str) -> Vec<(usize, &str)> {
    code.match_indices("#[cfg(test)]")
        .map(|(start, marker)| {
            let mut item = code[start + marker.len()..].trim_start();
            while item.starts_with("#[") {
                item = item.split_once(']').map_or("", |(_, after)| after).trim_start();
            }
            let item = item
                .strip_prefix("pub ")
                .or_else(|| item.strip_prefix("pub(crate) "))
                .unwrap_or(item);
            (start, item)
        })
        .collect()
}

/// The length of an item: to its semicolon, or to the brace that closes its first one.
fn item_length(item: &str) -> usize {
    let mut depth = 0_usize;
    for (index, letter) in item.char_indices() {
        match letter {
            ';' if depth == 0 => return index + 1,
            '{' => depth += 1,
            '}' if depth <= 1 => return index + 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    item.len()
}

/// As many spaces as bytes, line ends kept, so that every later offset stays true.
fn blank(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte == b'\n' { '\n' } else { ' ' })
        .collect()
}

fn preceded_by_name(code: &str, start: usize) -> bool {
    code[..start].ends_with(|letter| is_name(letter) || letter == '$')
}

fn followed_by_name(code: &str, end: usize) -> bool {
    code[end..].starts_with(is_name)
}

fn is_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

fn line_of(code: &str, offset: usize) -> usize {
    code[..offset].matches('\n').count() + 1
}
