//! Regexes: from what stands between the slashes to an automaton that runs in linear time.
//!
//! Perl classes and word boundaries are ASCII unless the flag `u` stands; everything else is
//! Unicode. A regex is compiled when it is first run; one that may be too large is tried when it is read.
//! Knows nothing of fields.

use super::required::{Literal, Reach, required_and_reach};
use crate::rules::syntax::Problem;
use regex_automata::Input;
use regex_automata::meta::{BuildError, Regex};
use regex_automata::nfa::thompson::WhichCaptures;
use regex_automata::util::syntax;
use regex_syntax::ast::{self, Ast, ClassPerlKind, ClassSetItem};
use regex_syntax::hir::{Class, Hir, HirKind};
use std::ops::Range;
use std::sync::OnceLock;

/// The largest compiled regex, in bytes.
pub const COMPILED_BYTES_MAX: usize = 1 << 20;
/// Groups and classes nested in a regex.
const NEST_MAX: u32 = 50;
/// Fewer small letters in a row are no word.
const SMALL_WORD_MIN: u32 = 3;
/// What surely compiles within the limit isn't tried when it is read: reading a set must be quick.
const SURELY_SMALL_STATES: usize = 2_000;

/// A regex, ready to run.
#[derive(Debug)]
pub(crate) struct Pattern {
    /// As its author wrote it, slashes and flags too.
    pub source: String,
    written: Written,
    regex: OnceLock<Option<Box<Regex>>>,
    /// Whether it can match nothing at all.
    pub can_be_empty: bool,
    /// Texts of which one occurs in whatever matches; `None` when there are none.
    pub required: Option<Vec<Literal>>,
    /// Where around one of them a match lies.
    pub reach: Reach,
    /// At least as many states as it has compiled, roughly.
    pub states: usize,
}

/// A regex as it is compiled.
#[derive(Debug)]
struct Written {
    text: String,
    syntax: syntax::Config,
}

impl Written {
    fn compile(&self) -> Result<Regex, Box<BuildError>> {
        let settings = Regex::config()
            .nfa_size_limit(Some(COMPILED_BYTES_MAX))
            .which_captures(WhichCaptures::Implicit);
        let mut builder = Regex::builder();
        builder.syntax(self.syntax).configure(settings);
        builder.build(&self.text).map_err(Box::new)
    }

    fn hir(&self) -> Result<Hir, Box<regex_syntax::Error>> {
        syntax::parse_with(&self.text, &self.syntax).map_err(Box::new)
    }
}

/// A regex that was let pass as surely small, and turns out not to fit when it is first run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unusable;

impl Pattern {
    /// The first match in a stretch of a text, anchored at its beginning if asked; what stands around the
    /// stretch counts for `^`, `$` and `\b`.
    pub(crate) fn find(
        &self,
        text: &str,
        stretch: Range<usize>,
        anchored: bool,
    ) -> Result<Option<Range<usize>>, Unusable> {
        let anchored = if anchored {
            regex_automata::Anchored::Yes
        } else {
            regex_automata::Anchored::No
        };
        let input = Input::new(text).span(stretch).anchored(anchored);
        Ok(self.regex()?.find(input).map(|found| found.range()))
    }

    /// How many matches follow each other in a text, up to a limit.
    pub(crate) fn count(&self, text: &str, most: usize) -> Result<usize, Unusable> {
        Ok(self.regex()?.find_iter(text).take(most).count())
    }

    /// What it takes beside itself; compiled when it was run.
    pub(crate) fn heap_bytes(&self) -> usize {
        let required = self.required.iter().flatten();
        let required = required.map(|literal| {
            let tests = size_of_val(literal.tests.as_slice());
            size_of_val(literal) + literal.text.capacity() + tests
        });
        let regex = self.regex.get().and_then(Option::as_deref);
        self.source.capacity()
            + self.written.text.capacity()
            + required.sum::<usize>()
            + regex.map_or(0, |regex| size_of::<Regex>() + regex.memory_usage())
    }

    /// Compiled when it is first asked for. What isn't surely small was tried when it was read, so that this fails
    /// only if the estimate was wrong: then nobody knows what it would have matched.
    fn regex(&self) -> Result<&Regex, Unusable> {
        let regex = self.regex.get_or_init(|| self.written.compile().ok().map(Box::new));
        regex.as_deref().ok_or(Unusable)
    }

    /// The same, with a regex that doesn't fit and that nobody has run yet.
    #[cfg(test)]
    pub(crate) fn outgrown(&self) -> Self {
        Self {
            source: self.source.clone(),
            written: Written {
                text: "(a{999}){99}".to_owned(),
                syntax: self.written.syntax,
            },
            regex: OnceLock::new(),
            can_be_empty: self.can_be_empty,
            required: self.required.clone(),
            reach: self.reach,
            states: self.states,
        }
    }
}

/// Compiles a regex literal whose first slash stands at `span.start`.
pub(crate) fn pattern(text: &str, flags: &str, span: &Range<usize>) -> Result<Pattern, Problem> {
    let source = format!("/{text}/{flags}");
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
    let syntax = syntax::Config::new()
        .case_insensitive(has('i'))
        .multi_line(has('m'))
        .dot_matches_new_line(has('s'))
        .ignore_whitespace(has('x'))
        .nest_limit(NEST_MAX);
    let written = Written { text, syntax };
    let hir = written.hir().map_err(|error| invalid(error.to_string()))?;
    let states = states(&hir);
    if states > SURELY_SMALL_STATES {
        // Only to see whether it fits: most of a large set are never run, and the large ones would be most of what
        // the set takes in memory.
        written.compile().map_err(|error| match error.size_limit() {
            Some(limit) => Problem::error(
                "regex-too-large",
                span.clone(),
                format!("this regex takes more than {} KiB compiled", limit >> 10),
            )
            .help("bound its repetitions more tightly"),
            None => invalid(error.to_string()),
        })?;
    }
    let (required, reach) = required_and_reach(&hir);
    Ok(Pattern {
        source,
        written,
        regex: OnceLock::new(),
        can_be_empty: hir.properties().minimum_len().is_none_or(|length| length == 0),
        required,
        reach,
        states,
    })
}

/// A regex that was compiled before, to be run over a whole text.
#[cfg(test)]
pub(crate) fn regex_of(text: &str, flags: &str) -> Regex {
    pattern(text, flags, &(0..0)).unwrap().written.compile().unwrap()
}

/// At least as many states as the regex has compiled, roughly.
// The parser's nest limit bounds the recursion.
fn states(hir: &Hir) -> usize {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(literal) => literal.0.len(),
        // A range of characters beyond ASCII takes several sequences of up to four bytes.
        HirKind::Class(Class::Unicode(class)) if !class.is_ascii() => class.ranges().len().saturating_mul(16),
        HirKind::Class(_) => 2,
        HirKind::Capture(capture) => states(&capture.sub).saturating_add(2),
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or(repetition.min).max(repetition.min).max(1);
            states(&repetition.sub)
                .saturating_add(2)
                .saturating_mul(times as usize + 1)
        }
        HirKind::Concat(parts) => parts.iter().map(states).fold(0, usize::saturating_add),
        HirKind::Alternation(branches) => branches
            .iter()
            .map(|branch| states(branch).saturating_add(1))
            .fold(0, usize::saturating_add),
    }
}

/// Whether it looks for a word of small letters, outside classes and escapes.
pub(crate) fn has_small_word(pattern: &str) -> bool {
    let (mut run, mut escaped, mut in_class) = (0, false, false);
    for c in pattern.chars() {
        match c {
            _ if escaped => (run, escaped) = (0, false),
            '\\' => (run, escaped) = (0, true),
            '[' => (run, in_class) = (0, true),
            ']' => in_class = false,
            _ if in_class => {}
            c if c.is_lowercase() => run += 1,
            _ => run = 0,
        }
        if run == SMALL_WORD_MIN {
            return true;
        }
    }
    false
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
        ErrorKind::EscapeUnrecognized => (
            "a backslash before this letter means nothing".to_owned(),
            r"blanks are \s or [ \t]; what \Q…\E would quote has a `\` before each sign of its own",
        ),
        ErrorKind::FlagUnrecognized => (
            "this isn't a kind of group".to_owned(),
            "groups are (…), (?:…), (?<name>…) and (?i:…); nothing backtracks, so that (?>…) isn't needed",
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
                compiled(text, flags)
                    .find(subject, 0..subject.len(), false)
                    .unwrap()
                    .is_some(),
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
    fn what_is_let_pass_as_surely_small_is() {
        for (unit, flags) in [
            ("a", "i"),
            ("[\u{80}-\u{7ff}\u{900}-\u{fffd}]", ""),
            ("[\u{10000}-\u{10ffff}]", ""),
            ("[\u{e9}\u{df}k]{2,3}", "i"),
            (".", "s"),
            ("(?:ab|c?|[0-9]+){1,9}", ""),
            ("(?:(?:a{3}){2}b*)?", ""),
        ] {
            let states = compiled(unit, flags).states;
            let largest = compiled(&unit.repeat(SURELY_SMALL_STATES / states), flags);
            let range = SURELY_SMALL_STATES - states..=SURELY_SMALL_STATES;
            assert!(range.contains(&largest.states), "{unit}: {}", largest.states);
            assert!(largest.regex().is_ok(), "{unit}");
        }
    }

    #[test]
    fn the_compiled_size_is_limited() {
        assert!(pattern("a{9999}", "", &(0..9)).is_ok());
        let problem = pattern("(a{999}){99}", "", &(0..14)).unwrap_err();
        assert_eq!(problem.code, "regex-too-large");
    }

    #[test]
    fn small_words_are_seen_outside_classes_and_escapes() {
        for (text, seen) in [
            ("invoice", true),
            (r"\bpay\b", true),
            ("Überweisung", true),
            ("IBAN", false),
            ("[abc]+", false),
            (r"\d\w\s", false),
            ("Pay", false),
            ("a.b.c", false),
        ] {
            assert_eq!(has_small_word(text), seen, "{text}");
        }
    }

    #[test]
    fn emptiness_is_seen() {
        assert!(compiled("a*", "").can_be_empty && compiled(r"\b", "").can_be_empty);
        assert!(!compiled("a+", "").can_be_empty);
    }
}
