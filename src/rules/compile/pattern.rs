//! Regexes: from what stands between the slashes to an automaton that runs in linear time.
//!
//! Perl classes and word boundaries are ASCII unless the flag `u` stands; everything else is
//! Unicode. Also says which literal texts a match requires, so that most messages need no run at
//! all. Knows nothing of fields.

use crate::rules::syntax::Problem;
use crate::rules::text::fold;
use regex::{Regex, RegexBuilder};
use regex_syntax::ast::{self, Ast, ClassPerlKind, ClassSetItem};
use regex_syntax::hir::{Class, Hir, HirKind};
use std::ops::Range;

/// The largest compiled regex, in bytes.
pub const COMPILED_BYTES_MAX: usize = 1 << 20;
/// Groups and classes nested in a regex.
const NEST_MAX: u32 = 50;
/// Shorter literals occur in nearly every text.
const REQUIRED_BYTES_MIN: usize = 3;
/// More alternatives aren't worth looking for.
const REQUIRED_TEXTS_MAX: usize = 32;

/// A regex, ready to run.
#[derive(Debug)]
pub(crate) struct Pattern {
    /// As its author wrote it, slashes and flags too.
    pub written: String,
    /// The automaton.
    pub regex: Regex,
    /// Whether it can match nothing at all.
    pub can_be_empty: bool,
    /// Case-folded texts of which one occurs in whatever matches; `None` when there are none.
    pub required: Option<Vec<String>>,
}

/// Compiles a regex literal whose first slash stands at `span.start`.
pub(crate) fn pattern(text: &str, flags: &str, span: &Range<usize>) -> Result<Pattern, Problem> {
    let written = format!("/{text}/{flags}");
    let text = with_ascii_classes(text, flags, span)?;
    let has = |flag| flags.contains(flag);
    let invalid = |error: String| {
        let reason = error
            .lines()
            .last()
            .unwrap_or("invalid")
            .trim_start_matches("error: ")
            .to_owned();
        Problem::error("bad-regex", span.clone(), format!("this regex can't be used: {reason}"))
    };
    let regex = RegexBuilder::new(&text)
        .case_insensitive(has('i'))
        .multi_line(has('m'))
        .dot_matches_new_line(has('s'))
        .ignore_whitespace(has('x'))
        .nest_limit(NEST_MAX)
        .size_limit(COMPILED_BYTES_MAX)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(limit) => Problem::error(
                "regex-too-large",
                span.clone(),
                format!("this regex takes more than {} KiB compiled", limit >> 10),
            )
            .help("bound its repetitions more tightly"),
            other => invalid(other.to_string()),
        })?;
    let hir = regex_syntax::ParserBuilder::new()
        .case_insensitive(has('i'))
        .multi_line(has('m'))
        .dot_matches_new_line(has('s'))
        .ignore_whitespace(has('x'))
        .nest_limit(NEST_MAX)
        .build()
        .parse(&text)
        .map_err(|error| invalid(error.to_string()))?;
    Ok(Pattern {
        written,
        regex,
        can_be_empty: hir.properties().minimum_len().is_none_or(|length| length == 0),
        required: required(&hir).best(),
    })
}

/// The regex with its Perl classes and boundaries spelled out as ASCII, unless `u` stands.
fn with_ascii_classes(text: &str, flags: &str, span: &Range<usize>) -> Result<String, Problem> {
    let place = |at: &ast::Span| span.start + 1 + at.start.offset..span.start + 1 + at.end.offset;
    let tree = ast::parse::ParserBuilder::new()
        .nest_limit(NEST_MAX)
        .ignore_whitespace(flags.contains('x'))
        .build()
        .parse(text)
        .map_err(|error| refused(&error, place(error.span())))?;
    if flags.contains('u') {
        return Ok(text.to_owned());
    }
    let mut edits = Edits::default();
    edits.visit(&tree);
    match edits.error {
        Some((at, message, help)) => Err(Problem::error("bad-regex", place(&at), message).help(help)),
        None => Ok(edits.apply(text)),
    }
}

fn refused(error: &ast::Error, span: Range<usize>) -> Problem {
    use ast::ErrorKind;
    let (message, help) = match error.kind() {
        ErrorKind::UnsupportedLookAround => (
            "regexes have no look-around, so that they always end in linear time".to_owned(),
            "match the surroundings too, or write a second condition with `and not`",
        ),
        ErrorKind::UnsupportedBackreference => (
            "regexes have no back-references, so that they always end in linear time".to_owned(),
            "write the alternatives out",
        ),
        kind => (format!("this regex can't be read: {kind}"), ""),
    };
    let problem = Problem::error("bad-regex", span, message);
    match help {
        "" => problem,
        help => problem.help(help),
    }
}

/// Where a regex's own text must change for Perl classes and boundaries to be ASCII.
#[derive(Default)]
struct Edits {
    replaced: Vec<(Range<usize>, String)>,
    error: Option<(ast::Span, &'static str, &'static str)>,
}

impl Edits {
    // The parser's nest limit bounds the recursion.
    fn visit(&mut self, tree: &Ast) {
        match tree {
            Ast::ClassPerl(class) => self.replaced.push((range(&class.span), perl_class(class))),
            Ast::ClassBracketed(class) => self.visit_set(&class.kind),
            Ast::Assertion(assertion) if is_word_boundary(&assertion.kind) => {
                let at = range(&assertion.span);
                self.replaced.push((at, "(?-u:".to_owned()));
            }
            Ast::Repetition(repetition) => self.visit(&repetition.ast),
            Ast::Group(group) => {
                self.check_flags(group.flags());
                self.visit(&group.ast);
            }
            Ast::Flags(set) => self.check_flags(Some(&set.flags)),
            Ast::Alternation(alternation) => alternation.asts.iter().for_each(|branch| self.visit(branch)),
            Ast::Concat(concat) => {
                concat.asts.windows(2).for_each(|pair| self.check_boundary(pair));
                concat.asts.iter().for_each(|part| self.visit(part));
            }
            Ast::Empty(_) | Ast::Literal(_) | Ast::Dot(_) | Ast::Assertion(_) | Ast::ClassUnicode(_) => {}
        }
    }

    fn visit_set(&mut self, set: &ast::ClassSet) {
        match set {
            ast::ClassSet::Item(item) => self.visit_item(item),
            ast::ClassSet::BinaryOp(operation) => {
                self.visit_set(&operation.lhs);
                self.visit_set(&operation.rhs);
            }
        }
    }

    fn visit_item(&mut self, item: &ClassSetItem) {
        match item {
            ClassSetItem::Perl(class) => self.replaced.push((range(&class.span), perl_class(class))),
            ClassSetItem::Bracketed(class) => self.visit_set(&class.kind),
            ClassSetItem::Union(union) => union.items.iter().for_each(|item| self.visit_item(item)),
            _ => {}
        }
    }

    fn check_flags(&mut self, flags: Option<&ast::Flags>) {
        if let Some(flags) = flags.filter(|flags| flags.flag_state(ast::Flag::Unicode).is_some()) {
            self.error.get_or_insert((
                flags.span,
                "`u` can't be switched inside a regex",
                "write it after the closing slash",
            ));
        }
    }

    /// An ASCII boundary lies between a word character and another; a letter beyond ASCII is none.
    fn check_boundary(&mut self, pair: &[Ast]) {
        let [left, right] = pair else { return };
        let is_boundary = |tree: &Ast| matches!(tree, Ast::Assertion(assertion) if is_word_boundary(&assertion.kind));
        let beside = (is_boundary(left) && edge(right, true)) || (is_boundary(right) && edge(left, false));
        if beside {
            let at = ast::Span::new(left.span().start, right.span().end);
            self.error.get_or_insert((
                at,
                "an ASCII `\\b` beside a letter beyond ASCII doesn't match where one would think",
                "leave the `\\b` out, or write the flag `u` after the closing slash",
            ));
        }
    }

    fn apply(mut self, text: &str) -> String {
        self.replaced.sort_by_key(|(at, _)| at.start);
        let mut edited = String::with_capacity(text.len());
        let mut copied = 0;
        for (at, replacement) in self.replaced {
            edited.push_str(text.get(copied..at.start).unwrap_or(""));
            edited.push_str(&replacement);
            copied = at.end;
            if replacement == "(?-u:" {
                edited.push_str(text.get(at).unwrap_or(""));
                edited.push(')');
            }
        }
        edited.push_str(text.get(copied..).unwrap_or(""));
        edited
    }
}

fn range(span: &ast::Span) -> Range<usize> {
    span.start.offset..span.end.offset
}

/// `(?-u:\W)` could match half a character, so negated classes are spelled out as well.
fn perl_class(class: &ast::ClassPerl) -> String {
    let set = match class.kind {
        ClassPerlKind::Digit => "0-9",
        ClassPerlKind::Space => r"\t\n\x0B\x0C\r\x20",
        ClassPerlKind::Word => "0-9A-Za-z_",
    };
    match class.negated {
        true => format!("[^{set}]"),
        false => format!("[{set}]"),
    }
}

fn is_word_boundary(kind: &ast::AssertionKind) -> bool {
    use ast::AssertionKind;
    !matches!(
        kind,
        AssertionKind::StartLine | AssertionKind::EndLine | AssertionKind::StartText | AssertionKind::EndText
    )
}

/// Whether a part surely begins (or ends) with a letter beyond ASCII in one of its branches.
fn edge(tree: &Ast, begins: bool) -> bool {
    match tree {
        Ast::Literal(literal) => !literal.c.is_ascii() && literal.c.is_alphanumeric(),
        Ast::Group(group) => edge(&group.ast, begins),
        Ast::Repetition(repetition) => edge(&repetition.ast, begins),
        Ast::Alternation(alternation) => alternation.asts.iter().any(|branch| edge(branch, begins)),
        Ast::Concat(concat) => {
            let outer = if begins {
                concat.asts.first()
            } else {
                concat.asts.last()
            };
            outer.is_some_and(|part| edge(part, begins))
        }
        _ => false,
    }
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
                run = run
                    .iter()
                    .flat_map(|head| texts.iter().map(move |tail| format!("{head}{tail}")))
                    .collect();
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

    fn compiled(text: &str, flags: &str) -> Pattern {
        pattern(text, flags, &(0..text.len() + 2)).unwrap_or_else(|problem| panic!("{text}: {problem:?}"))
    }

    #[test]
    fn perl_classes_are_ascii_and_the_rest_is_unicode() {
        for (text, flags, subject, matches) in [
            (r"^\w+$", "", "abc_1", true),
            (r"^\w+$", "", "é", false),
            (r"^\w+$", "u", "é", true),
            (r"^\W$", "", "é", true),
            (r"^[\w-]+$", "", "a-b", true),
            (r"^[\w-]+$", "", "é", false),
            (r"^[^\W\d]$", "", "a", true),
            (r"^\d$", "", "٣", false),
            (r"^\s$", "", "\u{a0}", false),
            (r"^\s$", "u", "\u{a0}", true),
            (r"\bfoo\b", "", "a foo b", true),
            (r"\bfoo\b", "", "xfoo", false),
            (r"o\B", "", "oo", true),
            ("É", "i", "é", true),
            ("^.$", "", "é", true),
            ("^[é-ü]$", "", "ö", true),
            ("a.b", "", "a\nb", false),
            ("a.b", "s", "a\nb", true),
            ("^b$", "", "a\nb", false),
            ("^b$", "m", "a\nb", true),
            ("a b # c", "x", "ab", true),
            (r"a\/b", "", "a/b", true),
            (r"(?i)A\s+B", "", "a  b", true),
            (r"\bé", "u", "é", true),
        ] {
            assert_eq!(
                compiled(text, flags).regex.is_match(subject),
                matches,
                "/{text}/{flags} {subject:?}"
            );
        }
    }

    #[test]
    fn what_is_refused_is_said_with_its_place() {
        for (text, span, words) in [
            ("a(?=b)", 2..5, "look-around"),
            ("a(?<!b)", 2..6, "look-around"),
            (r"(a)\1", 4..6, "back-references"),
            ("a(", 2..3, "unclosed group"),
            ("(?u)a", 3..4, "`u`"),
            (r"\bécole", 1..5, "beyond ASCII"),
            (r"(é|a)\b", 1..9, "beyond ASCII"),
            (r"\p{Nope}", 0..10, "can't be used"),
        ] {
            let problem = pattern(text, "", &(0..text.len() + 2)).unwrap_err();
            assert_eq!(
                (problem.code, problem.span.clone()),
                ("bad-regex", span),
                "{text}: {problem:?}"
            );
            assert!(problem.message.contains(words), "{text}: {problem:?}");
        }
        let nested = format!("{}a{}", "(".repeat(60), ")".repeat(60));
        assert!(pattern(&nested, "", &(0..9)).is_err());
    }

    #[test]
    fn the_compiled_size_is_limited() {
        assert!(pattern("a{9999}", "", &(0..9)).is_ok());
        let problem = pattern("(a{999}){99}", "", &(0..14)).unwrap_err();
        assert_eq!(problem.code, "regex-too-large");
    }

    #[test]
    fn required_texts_are_found() {
        for (text, flags, expected) in [
            ("pay now", "i", Some(vec!["pay now"])),
            (r"\bVerify\s+your", "", Some(vec!["verify"])),
            ("(invoice|Rechnung) due", "", Some(vec!["invoice due", "rechnung due"])),
            ("https?://", "", Some(vec!["https://", "http://"])),
            (r"\w+@example", "", Some(vec!["@example"])),
            (r"\d{2}-\d{2}", "", None),
            ("ab|[a-z]+", "", None),
            ("(foo|bar)+", "", Some(vec!["foo", "bar"])),
            ("[ab]cd", "", Some(vec!["acd", "bcd"])),
            (".*", "s", None),
        ] {
            let found = compiled(text, flags).required;
            let found = found
                .as_deref()
                .map(|texts| texts.iter().map(String::as_str).collect::<Vec<_>>());
            assert_eq!(found, expected, "/{text}/{flags}");
        }
    }

    #[test]
    fn emptiness_is_seen() {
        assert!(compiled("a*", "").can_be_empty && compiled(r"\b", "").can_be_empty);
        assert!(!compiled("a+", "").can_be_empty);
    }
}
