//! Links as written: their type, and the scanner that finds them in text.
//!
//! Enters: rendered text. Leaves: where each URL stands in it. Finds `http`, `https` and `ftp` URLs,
//! `www.` names, and `name.tld/path` where the public suffix list knows the suffix; and the same where somebody
//! took their edge off, as in `hxxp://evil[.]test`. Linear in the text. Knows nothing of what a link is worth.

use super::unwrap::{self, Via};
use super::{Domain, Url, link_hosts};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::OnceLock;

/// A link as written.
#[derive(Debug, Clone, Default)]
pub struct Link {
    /// The text a person sees on it; empty for a bare image.
    pub shown: String,
    /// The domain that the shown text names, if it names one.
    pub shown_domain: Option<Domain>,
    /// Where it leads: within whatever redirectors and gateways say so in their URLs.
    pub target: Url,
    /// These, outermost first.
    pub via: Vec<Via>,
    /// Where it stood.
    pub origin: Origin,
    /// Whether it can't be followed as it is written: `hxxp://evil[.]test`.
    pub is_defanged: bool,
    /// Whether it stands in the newest part of the thread.
    pub in_new: bool,
    within: OnceLock<Option<Box<Url>>>,
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

/// How the domain that a link shows and the one that it leads to differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mismatch {
    /// They don't, or one of them isn't there.
    None,
    /// The same label under another suffix, as of a firm in two countries.
    Suffix,
    /// The target is a mailer's that counts who follows.
    Tracker,
    /// The target is a link shortener.
    Shortener,
    /// Another site altogether.
    Site,
}

impl Mismatch {
    /// Every way, with its meaning.
    pub const ALL: [(Self, &str); 5] = [
        (Self::None, "none, or the text shows no domain"),
        (Self::Suffix, "the same label under another suffix"),
        (Self::Tracker, "the target is a mailer's that counts who follows links"),
        (Self::Shortener, "the target is a link shortener"),
        (Self::Site, "another site, and none of the above"),
    ];

    /// The word that rules see.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Suffix => "suffix",
            Self::Tracker => "tracker",
            Self::Shortener => "shortener",
            Self::Site => "site",
        }
    }
}

impl Link {
    /// A link to a URL, or to what that wraps.
    pub(super) fn to(outer: Url, shown: String, shown_domain: Option<Domain>, origin: Origin) -> Self {
        let mut via = Vec::new();
        Self {
            shown,
            shown_domain,
            target: unwrap::unwrap(outer, &mut via),
            via,
            origin,
            is_defanged: false,
            in_new: true,
            within: OnceLock::new(),
        }
    }

    /// A link that is its own text.
    pub(super) fn bare(found: Found, origin: Origin) -> Self {
        let (shown, domain) = (found.url.url.clone(), found.url.domain.clone());
        Self {
            is_defanged: found.is_defanged,
            ..Self::to(found.url, shown, domain, origin)
        }
    }

    /// Whether the target is a link shortener.
    pub fn is_shortener(&self) -> bool {
        self.target.domain.as_ref().is_some_and(link_hosts::is_shortener)
    }

    /// How what is shown and where it leads differ, by their sites.
    pub fn mismatch(&self) -> Mismatch {
        let (Some(shown), Some(target)) = (&self.shown_domain, &self.target.domain) else {
            return Mismatch::None;
        };
        let is_same = shown == target || (shown.site().is_some() && shown.site() == target.site());
        match () {
            () if is_same => Mismatch::None,
            () if link_hosts::is_tracker(target) => Mismatch::Tracker,
            () if link_hosts::is_shortener(target) => Mismatch::Shortener,
            () if shown.label().is_some() && shown.label() == target.label() => Mismatch::Suffix,
            () => Mismatch::Site,
        }
    }

    /// A URL that stands within the target, where an open redirect would lead.
    pub fn within(&self) -> Option<&Url> {
        let found = || unwrap::within(&self.target).map(Box::new);
        self.within.get_or_init(found).as_deref()
    }
}

/// A URL in text, and its bytes' place.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) place: Range<usize>,
    pub(super) url: Url,
    pub(super) is_defanged: bool,
}

/// Every URL in a text, in order.
pub(super) fn scan(text: &str) -> impl Iterator<Item = Found> {
    words(text).filter_map(|(start, word)| {
        if is_defanged(word)
            && let Some(found) = defanged(start, word)
        {
            return Some(found);
        }
        let (offset, written, has_scheme) = candidate(word)?;
        let url = read(written, has_scheme);
        let start = start + offset;
        url.domain.is_some().then(|| Found {
            place: start..start + written.len(),
            url,
            is_defanged: false,
        })
    })
}

fn read(written: &str, has_scheme: bool) -> Url {
    match has_scheme {
        true => Url::read(written),
        false => Url::read_schemeless(written),
    }
}

/// What people write in place of a dot, and of `://`, so that nobody follows a link by mistake.
const DOTS: &[&str] = &["[.]", "(.)", "{.}", "[dot]", "(dot)"];
const MARKS: &[&str] = &["[://]", "[:]//", "(:)//", "[:]", "[/]"];

/// Whether somebody took the edge off a word. Nearly every word is told by having no bracket, and by how it begins.
fn is_defanged(word: &str) -> bool {
    let has_bracket = memchr::memchr3(b'[', b'(', b'{', word.as_bytes()).is_some();
    if !has_bracket && word.starts_with(|c: char| c.is_ascii_alphanumeric() && !matches!(c, 'h' | 'H')) {
        return false;
    }
    let inner = word.trim_start_matches(OPENING);
    let begins = inner.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("hxxp"));
    if !has_bracket {
        return begins && word.contains(':');
    }
    // A path may hold anything.
    let after = inner.find("://").map_or(0, |at| at + 3);
    let end = inner.get(after..).and_then(|rest| rest.find('/'));
    let host = end
        .filter(|_| after > 0)
        .and_then(|end| inner.get(..after + end))
        .unwrap_or(inner);
    begins || DOTS.iter().chain(MARKS).any(|mark| host.contains(mark))
}

/// A link with its edge put back on; its place is the whole word's.
fn defanged(start: usize, word: &str) -> Option<Found> {
    let inner = word.trim_start_matches(OPENING);
    let mut whole = Cow::Borrowed(inner);
    for (marks, plain) in [(DOTS, "."), (MARKS, "://")] {
        for mark in marks.iter().filter(|mark| inner.contains(**mark)) {
            let plain = if *mark == "[/]" { "/" } else { plain };
            whole = Cow::Owned(whole.replace(mark, plain));
        }
    }
    let scheme = ["hxxps:", "hxxp:"].into_iter().find(|scheme| {
        let head = whole.get(..scheme.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(scheme))
    });
    if let Some(scheme) = scheme {
        let rest = whole.get(scheme.len()..)?.trim_start_matches([':', '/']);
        whole = Cow::Owned(format!("{}://{rest}", scheme.trim_end_matches(':').replace("xx", "tt")));
    }
    let (has_scheme, written) = match candidate(&whole) {
        Some((_, written, has_scheme)) => (has_scheme, written.to_owned()),
        // A name alone is a link to those who take its edge off.
        None => (false, bare_domain(&whole)?.as_str().to_owned()),
    };
    let url = read(&written, has_scheme);
    url.domain.is_some().then(|| Found {
        place: start + (word.len() - inner.len())..start + word.len(),
        url,
        is_defanged: true,
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
            // Behind the mark at the end of a sentence nothing stands that a link would need.
            if word.len() > 3 && end > mark + 1 {
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
    fn links_without_their_edge_are_found() {
        for (text, expected) in [
            ("see hxxp://evil.test/x.", Some("http://evil.test/x")),
            ("HXXPS[:]//evil[.]test/a", Some("https://evil.test/a")),
            ("evil[.]com", Some("evil.com")),
            ("(www.evil[dot]com/pay)", Some("www.evil.com/pay")),
            ("hxxps://login.evil(.)com", Some("https://login.evil.com")),
            ("http://evil[.]test", Some("http://evil.test")),
            ("a[.]b", None),
            ("list[0].name (see 1.2)", None),
            ("hxxp alone", None),
            ("exxon.com", None),
        ] {
            let found = scan(text).find(|found| found.is_defanged);
            assert_eq!(found.map(|found| found.url.url).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_shown_and_where_it_leads_are_compared_by_site() {
        for (shown, target, expected) in [
            ("https://www.bank.co.uk", "https://bank.co.uk/login", Mismatch::None),
            ("www.bank.co.uk", "https://evil.test/", Mismatch::Site),
            ("bank.co.uk", "https://bank.de/", Mismatch::Suffix),
            (
                "bank.co.uk",
                "https://u1.ct.sendgrid.net/ls/click?upn=1",
                Mismatch::Tracker,
            ),
            ("bank.co.uk", "https://bit.ly/1", Mismatch::Shortener),
            (
                "bank.co.uk",
                "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fbank.co.uk%2F",
                Mismatch::None,
            ),
            ("Click here", "https://evil.test/", Mismatch::None),
            ("bank.co.uk", "mailto:a@evil.test", Mismatch::None),
            ("192.0.2.1", "https://192.0.2.1/", Mismatch::None),
            ("http://192.0.2.1/", "https://192.0.2.2/", Mismatch::Site),
        ] {
            let link = Link::to(Url::read(target), shown.to_owned(), shown_domain(shown), Origin::Body);
            assert_eq!(link.mismatch(), expected, "{shown} {target}");
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
        for unit in [")", "://", "www.", ".", "a.b/", "\u{3002}", "[.]", "hxxp:", "(dot)."] {
            let _ = scan(&unit.repeat(50_000)).count();
        }
        assert_eq!(urls(&")".repeat(50_000)).len(), 0);
    }
}
