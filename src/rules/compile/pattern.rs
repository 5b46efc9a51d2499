//! Regexes: from what stands between the slashes to an automaton that runs in linear time.
//!
//! Perl classes and word boundaries are ASCII unless the flag `u` stands; everything else is
//! Unicode. A regex is compiled when it is first run; one that may be too large is tried when it is read.
//! Knows nothing of fields.

use super::dialect;
use super::required::{Literal, Reach, required_and_reach};
use crate::rules::syntax::Problem;
use regex_automata::Input;
use regex_automata::meta::{BuildError, Regex};
use regex_automata::nfa::thompson::WhichCaptures;
use regex_syntax::hir::{Class, Hir, HirKind};
use std::ops::Range;
use std::sync::OnceLock;

/// The largest compiled regex, in bytes.
pub const COMPILED_BYTES_MAX: usize = 1 << 20;
/// Fewer small letters in a row are no word.
const SMALL_WORD_MIN: u32 = 3;
/// What surely compiles within the limit isn't tried when it is read: reading a set must be quick.
const SURELY_SMALL_STATES: usize = 2_000;

/// A regex, ready to run.
#[derive(Debug)]
pub(crate) struct Pattern {
    /// As its author wrote it, slashes and flags too.
    pub source: String,
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

fn compile(hir: &Hir) -> Result<Regex, Box<BuildError>> {
    let settings = Regex::config()
        .nfa_size_limit(Some(COMPILED_BYTES_MAX))
        .which_captures(WhichCaptures::Implicit);
    let mut builder = Regex::builder();
    builder.configure(settings).build_from_hir(hir).map_err(Box::new)
}

/// A regex that was let pass as surely small, and turns out not to fit when it is first run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unusable;

impl Pattern {
    fn new(text: &str, flags: &str, hir: &Hir, states: usize) -> Self {
        let (required, reach) = required_and_reach(hir);
        Self {
            source: Self::written(text, flags),
            regex: OnceLock::new(),
            can_be_empty: hir.properties().minimum_len().is_none_or(|length| length == 0),
            required,
            reach,
            states,
        }
    }

    /// A regex as its author writes it.
    pub(crate) fn written(text: &str, flags: &str) -> String {
        format!("/{text}/{flags}")
    }

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
            + required.sum::<usize>()
            + regex.map_or(0, |regex| size_of::<Regex>() + regex.memory_usage())
    }

    /// Compiled when it is first asked for. What isn't surely small was tried when it was read, so that this fails
    /// only if the estimate was wrong: then nobody knows what it would have matched.
    fn regex(&self) -> Result<&Regex, Unusable> {
        let regex = self.regex.get_or_init(|| {
            let hir = self.hir()?;
            compile(&hir).ok().map(Box::new)
        });
        regex.as_deref().ok_or(Unusable)
    }

    /// Read again as it was read before.
    fn hir(&self) -> Option<Hir> {
        let (text, flags) = self.source.strip_prefix('/')?.rsplit_once('/')?;
        dialect::read(text, flags, &(0..self.source.len())).ok()
    }

    /// The same, with a regex that doesn't fit and that nobody has run yet.
    #[cfg(test)]
    pub(crate) fn outgrown(&self) -> Self {
        Self {
            source: "/(a{999}){99}/".to_owned(),
            regex: OnceLock::new(),
            can_be_empty: self.can_be_empty,
            required: self.required.clone(),
            reach: self.reach,
            states: self.states,
        }
    }
}

/// A regex that is read within moments; `None` for what is wrong, or so large that it has to be tried.
pub(crate) fn quick_pattern(text: &str, flags: &str) -> Option<Pattern> {
    let hir = dialect::read(text, flags, &(0..text.len())).ok()?;
    let states = states(&hir);
    (states <= SURELY_SMALL_STATES).then(|| Pattern::new(text, flags, &hir, states))
}

/// Reads a regex literal whose first slash stands at `span.start`.
pub(crate) fn pattern(text: &str, flags: &str, span: &Range<usize>) -> Result<Pattern, Problem> {
    let hir = dialect::read(text, flags, span)?;
    let states = states(&hir);
    if states > SURELY_SMALL_STATES {
        // Only to see whether it fits: most of a large set are never run, and the large ones would be most of what
        // the set takes in memory.
        compile(&hir).map_err(|error| match error.size_limit() {
            Some(limit) => Problem::error(
                "regex-too-large",
                span.clone(),
                format!("this regex takes more than {} KiB compiled", limit >> 10),
            )
            .help("bound its repetitions more tightly"),
            None => Problem::error("bad-regex", span.clone(), format!("this regex can't be used: {error}")),
        })?;
    }
    Ok(Pattern::new(text, flags, &hir, states))
}

/// A regex that was compiled before, to be run over a whole text.
#[cfg(test)]
pub(crate) fn regex_of(text: &str, flags: &str) -> Regex {
    compile(&pattern(text, flags, &(0..0)).unwrap().hir().unwrap()).unwrap()
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
            (r"\p{Nope}", 1..9, "can't be used"),
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
