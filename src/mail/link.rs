//! Links as written: their type, and the scanner that finds them in text.
//!
//! Enters: rendered text. Leaves: where each URL stands in it. Finds `http`, `https` and `ftp` URLs,
//! `www.` names, and `name.tld/path` where the public suffix list knows the suffix. Linear in the
//! text. Knows nothing of redirectors or of what a link is worth.

use super::{Domain, Url};
use std::ops::Range;

/// A link as written.
#[derive(Debug, Clone, Default)]
pub struct Link {
    /// The text a person sees on it; empty for a bare image.
    pub shown: String,
    /// The domain that the shown text names, if it names one.
    pub shown_domain: Option<Domain>,
    /// The target as it came, entities decoded.
    pub target: Url,
    /// Where it stood.
    pub origin: Origin,
}

/// Where a link stood.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Origin {
    /// In the text or HTML that a person reads.
    #[default]
    Body,
    /// In a header field.
    Header,
}

impl Link {
    /// A link that is its own text.
    pub(super) fn bare(target: Url, origin: Origin) -> Self {
        Self {
            shown: target.url.clone(),
            shown_domain: target.domain.clone(),
            target,
            origin,
        }
    }
}

/// A URL in text, and its bytes' place.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) place: Range<usize>,
    pub(super) url: Url,
}

/// Every URL in a text, in order.
pub(super) fn scan(text: &str) -> impl Iterator<Item = Found> {
    words(text).filter_map(|(start, word)| {
        let (offset, written, has_scheme) = candidate(word)?;
        let url = if has_scheme {
            Url::read(written)
        } else {
            Url::read_schemeless(written)
        };
        let start = start + offset;
        url.domain.is_some().then(|| Found {
            place: start..start + written.len(),
            url,
        })
    })
}

/// The domain that a link's shown text claims: of a URL in it, or a bare domain name.
pub(super) fn shown_domain(shown: &str) -> Option<Domain> {
    if !shown.contains('.') && !shown.contains("://") {
        return None;
    }
    if let Some(found) = scan(shown).next() {
        return found.url.domain;
    }
    words(shown).find_map(|(_, word)| bare_domain(word))
}

/// `example.org` alone. Sentences joined without a space and names of files aren't domains.
fn bare_domain(word: &str) -> Option<Domain> {
    let word = trimmed(word.trim_start_matches(OPENING));
    let (_, suffix) = word.rsplit_once('.')?;
    let is_sentence = suffix.starts_with(char::is_uppercase) && suffix.chars().any(char::is_lowercase);
    let is_file = ["zip", "mov", "md", "py", "sh", "rs", "pl"].contains(&suffix);
    if is_sentence || is_file || word.contains('@') {
        return None;
    }
    Domain::parse(word).filter(|domain| domain.has_known_suffix() && domain.site().is_some())
}

const OPENING: &[char] = &[
    '(', '[', '{', '<', '"', '\'', '*', '_', '~', '\u{201c}', '\u{2018}', '\u{ab}', '\u{201e}',
];

/// Runs of characters that may belong to one URL. Every link has a dot or, with a decimal address, at
/// least a colon: only the words around these are looked at.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut position = 0;
    std::iter::from_fn(move || {
        loop {
            let rest = text.get(position..)?;
            let mark = memchr::memchr2(b'.', b':', rest.as_bytes())?;
            let (before, after) = rest.split_at_checked(mark)?;
            let border = before.char_indices().rev().find(|(_, c)| ends_word(*c));
            let start = border.map_or(0, |(at, c)| at + c.len_utf8());
            let end = mark + after.find(ends_word).unwrap_or(after.len());
            let word = rest.get(start..end)?;
            let start = position + start;
            position += end;
            if word.len() > 3 {
                return Some((start, word));
            }
        }
    })
}

fn ends_word(c: char) -> bool {
    match c {
        '\0'..=' ' | '<' | '>' | '"' | '|' | '`' => true,
        '!'..='~' => false,
        // Punctuation of scripts that use no spaces, and typographic quotes.
        '\u{3001}' | '\u{3002}' | '\u{3008}'..='\u{3011}' | '\u{ff0c}' | '\u{ff08}' | '\u{ff09}' | '\u{ff1b}' => true,
        '\u{201c}'..='\u{201e}' | '\u{ab}' | '\u{bb}' => true,
        _ => c.is_whitespace(),
    }
}

/// Where in a word a URL stands, and whether it has a scheme.
fn candidate(word: &str) -> Option<(usize, &str, bool)> {
    if let Some(at) = word.find("://") {
        let before = word.get(..at)?;
        let scheme = ["https", "http", "ftp"].into_iter().find(|scheme| {
            let from = before.len().checked_sub(scheme.len());
            from.and_then(|from| before.get(from..))
                .is_some_and(|tail| tail.eq_ignore_ascii_case(scheme))
        })?;
        let start = at - scheme.len();
        return Some((start, trimmed(word.get(start..)?), true));
    }
    let inner = word.trim_start_matches(OPENING);
    let start = word.len() - inner.len();
    let inner = trimmed(inner);
    let end = inner.find(['/', '?']).unwrap_or(inner.len());
    let host = inner.get(..end)?;
    if host.contains('@') || !host.contains('.') {
        return None;
    }
    if host.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("www.")) {
        return Some((start, inner, false));
    }
    let has_path = inner.get(end..)?.starts_with('/');
    let name = host.split(':').next().unwrap_or(host);
    let known =
        has_path && Domain::parse(name).is_some_and(|domain| domain.has_known_suffix() && domain.site().is_some());
    known.then_some((start, inner, false))
}

/// Without the punctuation of the sentence around it; a closing bracket stays where its opening one
/// is part of the URL.
fn trimmed(mut url: &str) -> &str {
    // Asked once: what is dropped is never an opening bracket.
    let [round, square, curly] = ['(', '[', '{'].map(|opening| url.contains(opening));
    while let Some(last) = url.chars().next_back() {
        let drop = match last {
            '.' | ',' | ';' | ':' | '!' | '?' | '\'' | '*' | '_' | '~' | '\u{2019}' | '\u{2026}' => true,
            ')' => !round,
            ']' => !square,
            '}' => !curly,
            _ => false,
        };
        if !drop {
            break;
        }
        url = url.get(..url.len() - last.len_utf8()).unwrap_or("");
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(text: &str) -> Vec<&str> {
        scan(text).map(|found| &text[found.place]).collect()
    }

    #[test]
    fn finds_links_in_text() {
        for (text, expected) in [
            ("see https://example.org/a.", &["https://example.org/a"][..]),
            ("(http://example.org/a_(b))", &["http://example.org/a_(b))"]),
            ("(http://example.org/a)", &["http://example.org/a"]),
            (
                "<http://example.org>, HTTP://example.com!",
                &["http://example.org", "HTTP://example.com"],
            ),
            (
                "www.example.org and WWW.example.com",
                &["www.example.org", "WWW.example.com"],
            ),
            ("go to example.co.uk/pay now", &["example.co.uk/pay"]),
            (
                "\u{8bf7}https://example.cn/a\u{3002}\u{8c22}",
                &["https://example.cn/a"],
            ),
            (
                "https://b\u{fc}cher.example/\u{e9}",
                &["https://b\u{fc}cher.example/\u{e9}"],
            ),
            ("[x](https://example.org/y)", &["https://example.org/y"]),
            ("http://3221225985/a", &["http://3221225985/a"]),
            (
                "mailto:a@example.org a@example.org/b example.org either/or and/or.no file.pdf/x",
                &[],
            ),
            ("", &[]),
        ] {
            assert_eq!(urls(text), expected, "{text}");
        }
    }

    #[test]
    fn shown_text_may_name_a_domain() {
        for (shown, expected) in [
            ("https://www.bank.example/login", Some("www.bank.example")),
            ("Visit example.org today", Some("example.org")),
            ("example.co.uk", Some("example.co.uk")),
            ("Click here", None),
            ("invoice.pdf", None),
            ("archive.zip", None),
            ("ann@example.org", None),
            ("it.So we go", None),
        ] {
            assert_eq!(shown_domain(shown).as_ref().map(Domain::as_str), expected, "{shown}");
        }
    }

    #[test]
    fn hostile_words_cost_their_length() {
        for unit in [")", "://", "www.", ".", "a.b/", "\u{3002}"] {
            let _ = scan(&unit.repeat(50_000)).count();
        }
        assert_eq!(urls(&")".repeat(50_000)).len(), 0);
    }
}
