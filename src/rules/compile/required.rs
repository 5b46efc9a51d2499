//! What a regex cannot match without: literal texts of which one must stand in the message, and how far
//! around it a match can reach.
//!
//! Enters: a regex, parsed. Leaves: the texts, case-folded, so that most messages need no run at all, and
//! the reach, so that a run looks at little. Knows nothing of fields or of how texts are found.

use super::surroundings::{ByteTest, tests};
use super::words;
use crate::rules::text::fold;
use regex_syntax::hir::{Class, Hir, HirKind};
use std::ops::Range;

/// Shorter literals occur in nearly every text.
const REQUIRED_BYTES_MIN: usize = 3;
/// More alternatives aren't worth looking for.
const REQUIRED_TEXTS_MAX: usize = 32;
/// Looking further around a literal isn't less than looking everywhere.
const WITHIN_BYTES_MAX: usize = 1 << 10;

/// Nobody writes more blanks in a row for any other reason than to be clever.
pub(crate) const BLANKS_COUNTED: usize = 16;

/// Where a match lies, seen from a place where one of its required texts begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// It begins and ends at most so many bytes from there.
    Within(usize),
    /// The same, where of each run of blanks only the first [`BLANKS_COUNTED`] count.
    Spaced(usize),
    /// It stands in the same line.
    Line,
    /// It begins there.
    From,
    /// Anywhere.
    Everywhere,
}

/// A text that must stand in whatever matches, unless another does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Literal {
    /// Case-folded.
    pub text: String,
    /// What stands around it in a match.
    pub tests: Vec<ByteTest>,
}

/// The texts of which one occurs in whatever matches, and how far around it a match reaches.
pub(super) fn required_and_reach(hir: &Hir) -> (Option<Vec<Literal>>, Reach) {
    let inner = match required(hir) {
        Required::Exact(texts) => whole(hir, texts),
        Required::Within(literals) => literals,
    };
    let is_near = |most: &usize| *most <= WITHIN_BYTES_MAX;
    if let Some(most) = hir.properties().maximum_len().filter(is_near) {
        return (inner, Reach::Within(most));
    }
    if let Some(most) = spaced_len(hir).filter(is_near) {
        return (inner, Reach::Spaced(most));
    }
    if !crosses_lines(hir) {
        return (inner, Reach::Line);
    }
    // Where the beginning is known, a run from there mostly ends at once.
    match beginning(hir) {
        Some(literals) => (Some(literals), Reach::From),
        None => (inner, Reach::Everywhere),
    }
}

/// The greatest length of a match in bytes, where of a run of blanks only the first [`BLANKS_COUNTED`] count.
// The parser's nest limit bounds the recursion.
fn spaced_len(hir: &Hir) -> Option<usize> {
    match hir.kind() {
        HirKind::Capture(capture) => spaced_len(&capture.sub),
        HirKind::Concat(parts) => parts
            .iter()
            .try_fold(0_usize, |sum, part| Some(sum.saturating_add(spaced_len(part)?))),
        HirKind::Alternation(branches) => {
            let lengths = branches.iter().map(spaced_len).collect::<Option<Vec<_>>>()?;
            lengths.into_iter().max()
        }
        HirKind::Repetition(repetition) => match (repetition.max, repetition.sub.kind()) {
            (None, sub) if is_of_blanks(sub) => Some(BLANKS_COUNTED),
            (max, _) => Some(spaced_len(&repetition.sub)?.saturating_mul(max? as usize)),
        },
        _ => hir.properties().maximum_len(),
    }
}

/// Whether it matches one blank and nothing else.
fn is_of_blanks(part: &HirKind) -> bool {
    match part {
        HirKind::Literal(literal) => matches!(*literal.0, [byte] if is_blank(byte)),
        HirKind::Class(Class::Unicode(class)) => {
            let mut characters = class.ranges().iter().flat_map(|range| range.start()..=range.end());
            characters.all(|c| u8::try_from(c).is_ok_and(is_blank))
        }
        _ => false,
    }
}

/// Whether a byte is one of those that `\s` stands for.
pub(crate) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
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
fn beginning(hir: &Hir) -> Option<Vec<Literal>> {
    match hir.kind() {
        HirKind::Capture(capture) => beginning(&capture.sub),
        HirKind::Concat(parts) => {
            let (texts, end) = beginning_of_concat(parts);
            literals(texts, looks(parts), parts.get(end..).unwrap_or_default())
        }
        _ => literals(beginning_texts(hir), &[], &[]),
    }
}

/// The same of a part, without what stands around them; nothing may be one of them.
fn beginning_texts(hir: &Hir) -> Vec<String> {
    let nothing = || vec![String::new()];
    match hir.kind() {
        HirKind::Capture(capture) => beginning_texts(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => beginning_texts(&repetition.sub),
        HirKind::Concat(parts) => beginning_of_concat(parts).0,
        HirKind::Alternation(branches) => {
            let texts: Vec<String> = branches.iter().flat_map(beginning_texts).collect();
            if texts.len() > REQUIRED_TEXTS_MAX {
                nothing()
            } else {
                texts
            }
        }
        _ => match required(hir) {
            Required::Exact(texts) => texts,
            Required::Within(_) => nothing(),
        },
    }
}

/// With the part that follows them, and all those after it.
fn beginning_of_concat(parts: &[Hir]) -> (Vec<String>, usize) {
    let mut run = vec![String::new()];
    for (place, part) in parts.iter().enumerate() {
        match required(part) {
            Required::Exact(texts) if texts.len() * run.len() <= REQUIRED_TEXTS_MAX => run = joined(&run, &texts),
            _ => {
                // What a part that goes on begins with still belongs to the beginning, where that is short.
                let texts = beginning_texts(part);
                if shortest(&run) < REQUIRED_BYTES_MIN && texts.len() * run.len() <= REQUIRED_TEXTS_MAX {
                    let told = texts.iter().any(|text| !text.is_empty());
                    // The rest of that part follows, and nothing is known of it.
                    return (joined(&run, &texts), if told { parts.len() } else { place });
                }
                return (run, place);
            }
        }
    }
    (run, parts.len())
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
    Within(Option<Vec<Literal>>),
}

impl Required {
    fn nothing() -> Self {
        Self::Within(None)
    }

    fn empty() -> Self {
        Self::Exact(vec![String::new()])
    }

    /// What to look for, when nothing is known of what stands around it.
    fn literals(self) -> Option<Vec<Literal>> {
        match self {
            Self::Exact(texts) => literals(texts, &[], &[]),
            Self::Within(literals) => literals,
        }
    }
}

/// Texts to be looked for between these parts, if they are worth it.
fn literals(texts: Vec<String>, before: &[Hir], after: &[Hir]) -> Option<Vec<Literal>> {
    if !are_worth_it(&texts) {
        return None;
    }
    let tests = tests(before, after, &texts);
    let literal = |text| Literal {
        text,
        tests: tests.clone(),
    };
    Some(texts.into_iter().map(literal).collect())
}

/// Texts that are all that a regex matches, but for borders of words at its ends.
fn whole(hir: &Hir, texts: Vec<String>) -> Option<Vec<Literal>> {
    let parts = match hir.kind() {
        HirKind::Concat(parts) => parts.as_slice(),
        _ => &[],
    };
    let at_end = parts.iter().rev().take_while(|part| is_look(part)).count();
    literals(
        texts,
        looks(parts),
        parts.get(parts.len() - at_end..).unwrap_or_default(),
    )
}

fn is_look(part: &Hir) -> bool {
    matches!(part.kind(), HirKind::Look(_))
}

/// The parts at the beginning that match nothing but a place.
fn looks(parts: &[Hir]) -> &[Hir] {
    let count = parts.iter().take_while(|part| is_look(part)).count();
    parts.get(..count).unwrap_or_default()
}

fn are_worth_it(texts: &[String]) -> bool {
    shortest(texts) >= REQUIRED_BYTES_MIN && texts.len() <= REQUIRED_TEXTS_MAX
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
            (_, _, inner) => Required::Within(inner.literals()),
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
    // The first part of the run.
    let mut from = 0;
    let mut best = (0, Candidate::Inner(None));
    let mut offer = |candidate: Candidate| {
        let rarity = candidate.rarity();
        if rarity > best.0 {
            best = (rarity, candidate);
        }
    };
    let mut is_exact = true;
    for (place, part) in parts.iter().enumerate() {
        match required(part) {
            Required::Exact(texts) if texts.len() * run.len() <= REQUIRED_TEXTS_MAX => {
                run = joined(&run, &texts);
            }
            other => {
                is_exact = false;
                offer(Candidate::Run(
                    std::mem::replace(&mut run, vec![String::new()]),
                    from..place,
                ));
                offer(match other {
                    Required::Exact(texts) => Candidate::Run(texts, place..place + 1),
                    Required::Within(literals) => Candidate::Inner(literals),
                });
                from = place + 1;
            }
        }
    }
    if is_exact {
        return Required::Exact(run);
    }
    offer(Candidate::Run(run, from..parts.len()));
    Required::Within(best.1.literals(parts))
}

/// What might be looked for of several parts that follow each other.
enum Candidate {
    /// The texts that some of the parts match.
    Run(Vec<String>, Range<usize>),
    /// What one of the parts requires.
    Inner(Option<Vec<Literal>>),
}

impl Candidate {
    /// How rare the most usual of its texts is; 0 where they aren't worth looking for.
    fn rarity(&self) -> i32 {
        let rarest = match self {
            Self::Run(texts, _) if !are_worth_it(texts) => None,
            Self::Run(texts, _) => texts.iter().map(|text| words::rarity(text)).min(),
            Self::Inner(literals) => {
                let literals = literals.as_deref().unwrap_or_default().iter();
                literals.map(|literal| words::rarity(&literal.text)).min()
            }
        };
        rarest.unwrap_or(0)
    }

    fn literals(self, parts: &[Hir]) -> Option<Vec<Literal>> {
        match self {
            Self::Run(texts, Range { start, end }) => {
                let before = parts.get(..start).unwrap_or_default();
                literals(texts, before, parts.get(end..).unwrap_or_default())
            }
            Self::Inner(literals) => literals,
        }
    }
}

fn required_of_alternation(branches: &[Hir]) -> Required {
    let found: Vec<Required> = branches.iter().map(required).collect();
    let exact = found.iter().map(|branch| match branch {
        Required::Exact(texts) => Some(texts.as_slice()),
        Required::Within(_) => None,
    });
    if let Some(texts) = exact.collect::<Option<Vec<_>>>() {
        let texts = texts.concat();
        return if texts.len() > REQUIRED_TEXTS_MAX {
            Required::nothing()
        } else {
            Required::Exact(texts)
        };
    }
    let literals = found.into_iter().map(Required::literals).collect::<Option<Vec<_>>>();
    let literals = literals.map(|literals| literals.concat());
    Required::Within(literals.filter(|literals| literals.len() <= REQUIRED_TEXTS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str, flags: &str) -> (Option<Vec<Literal>>, Reach) {
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
                .map(|found| found.iter().map(|literal| literal.text.as_str()).collect::<Vec<_>>());
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
            (r"\bpay[\t-\r ]+now", "", Reach::Spaced(22)),
            (r"(pay|give)\s+now", "", Reach::From),
            (r"([\t ]*pay|give[\n]*){2}", "", Reach::Spaced(40)),
            (r"(?:pay\s*)+now", "", Reach::From),
            (r"\s*pay\s+now", "", Reach::Everywhere),
            (r"[\t-\r ]*pay\S+now", "s", Reach::Everywhere),
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
