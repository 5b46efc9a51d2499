//! What a regex cannot match without: literal texts of which one must stand in the message, and how far
//! around it a match can reach.
//!
//! Enters: a regex, parsed. Leaves: the texts, case-folded, so that most messages need no run at all, and
//! the reach, so that a run looks at little. Knows nothing of fields or of how texts are found.

use crate::rules::text::fold;
use regex_syntax::hir::{Class, Hir, HirKind};

/// Shorter literals occur in nearly every text.
const REQUIRED_BYTES_MIN: usize = 3;
/// More alternatives aren't worth looking for.
const REQUIRED_TEXTS_MAX: usize = 32;
/// Looking further around a literal isn't less than looking everywhere.
const WITHIN_BYTES_MAX: usize = 1 << 10;

/// Where a match lies, seen from a place where one of its required texts begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// It begins and ends at most so many bytes from there.
    Within(usize),
    /// It stands in the same line.
    Line,
    /// It begins there.
    From,
    /// Anywhere.
    Everywhere,
}

/// The texts of which one occurs in whatever matches, and how far around it a match reaches.
pub(super) fn required_and_reach(hir: &Hir) -> (Option<Vec<String>>, Reach) {
    let inner = required(hir).best();
    let most = hir.properties().maximum_len().filter(|most| *most <= WITHIN_BYTES_MAX);
    if let Some(most) = most {
        return (inner, Reach::Within(most));
    }
    if !crosses_lines(hir) {
        return (inner, Reach::Line);
    }
    // Where the beginning is known, a run from there mostly ends at once.
    match beginning(hir).best() {
        Some(texts) => (Some(texts), Reach::From),
        None => (inner, Reach::Everywhere),
    }
}

/// Whether a match may hold the end of a line.
// The parser's nest limit bounds the recursion.
fn crosses_lines(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => false,
        HirKind::Literal(literal) => literal.0.contains(&b'\n'),
        HirKind::Class(Class::Unicode(class)) => {
            let holds = |range: &regex_syntax::hir::ClassUnicodeRange| range.start() <= '\n' && '\n' <= range.end();
            class.ranges().iter().any(holds)
        }
        HirKind::Class(Class::Bytes(class)) => {
            let holds = |range: &regex_syntax::hir::ClassBytesRange| range.start() <= b'\n' && b'\n' <= range.end();
            class.ranges().iter().any(holds)
        }
        HirKind::Capture(capture) => crosses_lines(&capture.sub),
        HirKind::Repetition(repetition) => crosses_lines(&repetition.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().any(crosses_lines),
    }
}

/// The texts that matches begin with.
fn beginning(hir: &Hir) -> Required {
    match hir.kind() {
        HirKind::Capture(capture) => beginning(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => beginning(&repetition.sub),
        HirKind::Concat(parts) => beginning_of_concat(parts),
        HirKind::Alternation(branches) => {
            let mut texts = Vec::new();
            for branch in branches {
                match beginning(branch) {
                    Required::Exact(found) if texts.len() + found.len() <= REQUIRED_TEXTS_MAX => texts.extend(found),
                    _ => return Required::nothing(),
                }
            }
            Required::Exact(texts)
        }
        _ => required(hir),
    }
}

fn beginning_of_concat(parts: &[Hir]) -> Required {
    let mut run = vec![String::new()];
    for part in parts {
        match required(part) {
            Required::Exact(texts) if texts.len() * run.len() <= REQUIRED_TEXTS_MAX => {
                run = joined(&run, &texts);
            }
            _ => {
                // What a part that goes on begins with still belongs to the beginning.
                if let Required::Exact(texts) = beginning(part)
                    && texts.len() * run.len() <= REQUIRED_TEXTS_MAX
                {
                    run = joined(&run, &texts);
                }
                break;
            }
        }
    }
    Required::Exact(run)
}

fn joined(heads: &[String], tails: &[String]) -> Vec<String> {
    heads
        .iter()
        .flat_map(|head| tails.iter().map(move |tail| format!("{head}{tail}")))
        .collect()
}

/// What is known of the texts that a part of a regex matches, all case-folded.
enum Required {
    /// It matches exactly one of these.
    Exact(Vec<String>),
    /// One of these occurs within; `None` says nothing.
    Within(Option<Vec<String>>),
}

impl Required {
    fn nothing() -> Self {
        Self::Within(None)
    }

    fn empty() -> Self {
        Self::Exact(vec![String::new()])
    }

    /// The texts to look for.
    fn best(self) -> Option<Vec<String>> {
        let texts = match self {
            Self::Exact(texts) => Some(texts),
            Self::Within(texts) => texts,
        };
        texts.filter(|texts| shortest(texts) >= REQUIRED_BYTES_MIN && texts.len() <= REQUIRED_TEXTS_MAX)
    }
}

fn shortest(texts: &[String]) -> usize {
    texts.iter().map(String::len).min().unwrap_or(0)
}

// The parser's nest limit bounds the recursion.
fn required(hir: &Hir) -> Required {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Required::empty(),
        HirKind::Literal(literal) => match str::from_utf8(&literal.0) {
            Ok(text) => Required::Exact(vec![text.chars().map(fold).collect()]),
            Err(_) => Required::nothing(),
        },
        HirKind::Class(class) => required_of_class(class),
        HirKind::Capture(capture) => required(&capture.sub),
        HirKind::Repetition(repetition) => match (repetition.min, repetition.max, required(&repetition.sub)) {
            (0, Some(1), Required::Exact(mut texts)) => {
                texts.push(String::new());
                Required::Exact(texts)
            }
            (0, _, _) => Required::nothing(),
            (1, Some(1), inner) => inner,
            (_, _, inner) => Required::Within(inner.best()),
        },
        HirKind::Concat(parts) => required_of_concat(parts),
        HirKind::Alternation(branches) => required_of_alternation(branches),
    }
}

/// A small class is as good as a literal: `[Pp]` folds to one letter.
fn required_of_class(class: &Class) -> Required {
    let Class::Unicode(class) = class else {
        return Required::nothing();
    };
    let is_small = class
        .ranges()
        .iter()
        .map(regex_syntax::hir::ClassUnicodeRange::len)
        .sum::<usize>()
        <= 8;
    if !is_small {
        return Required::nothing();
    }
    let mut texts: Vec<String> = Vec::new();
    for c in class.iter().flat_map(|range| range.start()..=range.end()) {
        let text = fold(c).to_string();
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    Required::Exact(texts)
}

fn required_of_concat(parts: &[Hir]) -> Required {
    let mut run = vec![String::new()];
    let mut best: Option<Vec<String>> = None;
    let mut is_exact = true;
    let offer = |candidate: Option<Vec<String>>, best: &mut Option<Vec<String>>| {
        let length = |texts: &Option<Vec<String>>| texts.as_deref().map_or(0, shortest);
        if length(&candidate) > length(best) {
            *best = candidate;
        }
    };
    for part in parts {
        match required(part) {
            Required::Exact(texts) if texts.len() * run.len() <= REQUIRED_TEXTS_MAX => {
                run = joined(&run, &texts);
            }
            other => {
                is_exact = false;
                offer(
                    Required::Exact(std::mem::replace(&mut run, vec![String::new()])).best(),
                    &mut best,
                );
                offer(other.best(), &mut best);
            }
        }
    }
    if is_exact {
        return Required::Exact(run);
    }
    offer(Required::Exact(run).best(), &mut best);
    Required::Within(best)
}

fn required_of_alternation(branches: &[Hir]) -> Required {
    let mut texts = Vec::new();
    let mut is_exact = true;
    for branch in branches {
        let found = match required(branch) {
            Required::Exact(found) => Some(found),
            Required::Within(found) => {
                is_exact = false;
                found
            }
        };
        match found {
            Some(found) if texts.len() + found.len() <= REQUIRED_TEXTS_MAX => texts.extend(found),
            _ => return Required::nothing(),
        }
    }
    match is_exact {
        true => Required::Exact(texts),
        false => Required::Within(Some(texts)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str, flags: &str) -> (Option<Vec<String>>, Reach) {
        let has = |flag| flags.contains(flag);
        let hir = regex_syntax::ParserBuilder::new()
            .case_insensitive(has('i'))
            .dot_matches_new_line(has('s'))
            .build()
            .parse(text)
            .unwrap();
        required_and_reach(&hir)
    }

    #[test]
    fn required_texts_are_found() {
        for (text, flags, expected) in [
            ("pay now", "i", Some(vec!["pay now"])),
            (r"\bVerify\s+your", "", Some(vec!["verify"])),
            ("(invoice|Rechnung) due", "", Some(vec!["invoice due", "rechnung due"])),
            ("https?://", "", Some(vec!["https://", "http://"])),
            (r"\w+@example", "", Some(vec!["@example"])),
            (r"[0-9]{2}-[0-9]{2}", "", None),
            ("ab|[a-z]+", "", None),
            ("(foo|bar)+", "", Some(vec!["foo", "bar"])),
            ("[ab]cd", "", Some(vec!["acd", "bcd"])),
            (".*", "s", None),
        ] {
            let found = told(text, flags).0;
            let found = found
                .as_deref()
                .map(|texts| texts.iter().map(String::as_str).collect::<Vec<_>>());
            assert_eq!(found, expected, "/{text}/{flags}");
        }
    }

    #[test]
    fn a_match_reaches_no_further_than_told() {
        for (text, flags, expected) in [
            ("pay {1,3}now", "", Reach::Within(9)),
            ("caf\u{e9}", "", Reach::Within(5)),
            (r"^pay\b", "m", Reach::Within(3)),
            ("pay.*now", "", Reach::Line),
            ("[^@\\n]+@example", "", Reach::Line),
            ("pay.*now", "s", Reach::From),
            (r"\bpay\s+now", "", Reach::From),
            (r"(pay|give)\s+now", "", Reach::From),
            (r"(?:pay\s*)+now", "", Reach::From),
            (r"\s*pay\s+now", "", Reach::Everywhere),
            (r"\s+at\s+once", "", Reach::Everywhere),
        ] {
            assert_eq!(told(text, flags).1, expected, "/{text}/{flags}");
        }
        for (most, reach) in [
            (WITHIN_BYTES_MAX - 1, Reach::Within(WITHIN_BYTES_MAX - 1)),
            (WITHIN_BYTES_MAX, Reach::Within(WITHIN_BYTES_MAX)),
            (WITHIN_BYTES_MAX + 1, Reach::Line),
        ] {
            assert_eq!(told(&format!("abc[0-9]{{0,{}}}", most - 3), "").1, reach);
        }
    }

    #[test]
    fn beginnings_stay_within_their_number() {
        let (texts, reach) = told(r"(a|b|c|d|e|f)(g|h|i|j|k|l)(m|n)\s+x", "");
        assert_eq!((texts.is_some(), reach), (false, Reach::Everywhere), "{texts:?}");
    }
}
