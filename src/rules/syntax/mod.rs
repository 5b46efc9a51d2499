//! The front of the rule language: text in, a tree with spans out.
//!
//! What is wrong is said as [`Problem`]s whose spans are byte offsets in the expression's own text.
//! Knows nothing of fields, lists, types or files.

mod characters;
mod habits;
pub mod layout;
mod mistakes;
mod parser;
mod token;
pub mod tree;

pub use tree::{Expr, ExprKind};

use std::ops::Range;

/// The longest expression, in bytes.
pub const TEXT_BYTES_MAX: usize = 64 << 10;
/// The most nodes in an expression's tree.
pub const NODES_MAX: usize = 10_000;
/// The deepest nesting of an expression's tree.
pub const DEPTH_MAX: usize = 100;

/// Whether a problem keeps a rule from loading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It loads, but its author should look.
    Warning,
    /// It doesn't load.
    Error,
}

/// Something to tell the author of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// A stable word to search for and to silence by, such as `unknown-field`.
    pub code: &'static str,
    /// One sentence without a full stop.
    pub message: String,
    /// Bytes in the expression's text.
    pub span: Range<usize>,
    /// What to write instead, where we can tell.
    pub help: Option<String>,
    /// Whether the rule can be used all the same.
    pub level: Level,
}

impl Problem {
    /// A problem that keeps the rule from loading.
    pub fn error(code: &'static str, span: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            span,
            help: None,
            level: Level::Error,
        }
    }

    /// A problem that doesn't.
    pub fn warning(code: &'static str, span: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            level: Level::Warning,
            ..Self::error(code, span, message)
        }
    }

    /// Adds what to write instead.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Reads an expression. The tree is there unless a problem is an error; warnings may come with it.
pub fn parse(text: &str) -> (Option<Expr>, Vec<Problem>) {
    let mut problems = Vec::new();
    if text.len() > TEXT_BYTES_MAX {
        problems.push(Problem::error(
            "too-large",
            0..0,
            format!("the expression is longer than {} KiB", TEXT_BYTES_MAX >> 10),
        ));
        return (None, problems);
    }
    let Some(tokens) = token::tokens(text, &mut problems) else {
        return (None, problems);
    };
    match parser::expression(&tokens) {
        Ok(expr) => (Some(expr), problems),
        Err(problem) => {
            problems.push(problem);
            (None, problems)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tree(text: &str) -> String {
        let (expr, problems) = parse(text);
        expr.unwrap_or_else(|| panic!("{text}: {problems:?}")).to_string()
    }

    fn error(text: &str) -> Problem {
        let (expr, mut problems) = parse(text);
        assert_eq!(expr, None, "{text}");
        problems.pop().unwrap()
    }

    #[test]
    fn operators_bind_as_the_grammar_says() {
        for (text, expected) in [
            ("a or b and c", "(or a (and b c))"),
            ("a and b and c or d", "(or (and a b c) d)"),
            ("not a == b", "(not (== a b))"),
            ("not not a", "(not (not a))"),
            ("not a and b", "(and (not a) b)"),
            ("a == b and not c in d", "(and (== a b) (not (in c d)))"),
            ("a not in $b", "(not-in a $b)"),
            ("1 + 2 * 3 - 4", "(- (+ 1 (* 2 3)) 4)"),
            ("1 - 2 - 3", "(- (- 1 2) 3)"),
            ("a ?? b ?? c * 2 > 1", "(> (* (?? a (?? b c)) 2) 1)"),
            ("-a.b + -1", "(+ (- a.b) (- 1))"),
            ("- -1", "(- (- 1))"),
            ("now - message.date > 2d", "(> (- now message.date) 172800000ms)"),
            ("(a or b) and c", "(and (or a b) c)"),
            ("a == (not b)", "(== a (not b))"),
            ("links.any(l, l.x != 'y')", "links.any(l, (!= l.x 'y'))"),
            ("subject.matches(/a b/i,)", "subject.matches(/a b/i)"),
            ("header('X-A').any(h, h == 'b')", "header('X-A').any(h, (== h 'b'))"),
            ("x in ['a', \"b\",]", "(in x ['a', 'b'])"),
            ("x in ('a', 'b')", "(in x ('a', 'b'))"),
            ("2 of (a, b == c, @D,)", "(2 of: a, (== b c), @D)"),
            ("any of (a, b) and c", "(and (1 of: a, b) c)"),
            ("all of @LURE_*", "(all of: @LURE_*)"),
            ("none of @tag:bec", "(none of: @tag:bec)"),
            (
                "2 of body.new.icontains('a', 'b')",
                "(2 of: body.new.icontains('a', 'b'))",
            ),
            ("not 2 of (a, b)", "(not (2 of: a, b))"),
            ("any and all or none", "(or (and any all) none)"),
            ("any == 1", "(== any 1)"),
            ("x.length > 3 # why\n and y", "(and (> x.length 3) y)"),
        ] {
            assert_eq!(tree(text), expected, "{text}");
        }
    }

    /// An expression, the code of its error, the place, and words of the help.
    type Row = (&'static str, &'static str, Range<usize>, &'static str);

    const ERRORS: &[Row] = &[
        ("a < b < c", "chained-comparison", 0..7, "join two comparisons"),
        ("a == b in c", "chained-comparison", 0..9, "join two comparisons"),
        ("a = b", "single-equals", 2..3, "`==`"),
        ("subject contains 'x'", "infix-method", 8..16, "subject.contains('x')"),
        (
            "body.text MATCHES /x/",
            "infix-method",
            10..17,
            "body.text.matches(/x/)",
        ),
        (
            "(subject startswith 'x')",
            "infix-method",
            9..19,
            "subject.starts_with('x')",
        ),
        ("a b", "unexpected-token", 2..3, "`and` or `or`"),
        ("(a, b)", "several-conditions", 0..6, "any of"),
        ("a == not b", "misplaced-not", 5..8, "(not b)"),
        ("0 of (a)", "bad-quantity", 0..1, "none of"),
        ("a and", "unexpected-end", 5..5, ""),
        ("", "unexpected-end", 0..0, ""),
        ("(a", "unclosed", 0..1, ""),
        ("f(a, ", "unclosed", 1..2, ""),
        ("[a b]", "unexpected-token", 3..4, ""),
        ("a)", "unopened", 1..2, ""),
        ("()", "empty-parentheses", 0..2, ""),
        ("2 of ()", "empty-parentheses", 5..7, ""),
        ("a.", "unexpected-end", 2..2, ""),
        ("a.'b'", "unexpected-token", 2..5, ""),
        ("a and or b", "unexpected-token", 6..8, ""),
    ];

    const HABITS: &[Row] = &[
        ("a == b, c", "unexpected-token", 6..7, "commas"),
        (
            "a and Subject =~ /x/i",
            "infix-method",
            14..16,
            "write subject.matches(/x/i)",
        ),
        ("a !~ /x/", "infix-method", 2..4, "write not a.matches(/x/)"),
        (
            "body.text ~ 'a/b'",
            "infix-method",
            10..11,
            "body.text.matches(/a\\/b/)",
        ),
        (
            "a.b not contains 'x'",
            "infix-method",
            4..7,
            "write not a.b.contains('x')",
        ),
        (
            "'x' contains subject",
            "infix-method",
            4..12,
            "write subject.contains('x')",
        ),
        ("a LIKE '%it''s%'", "infix-method", 2..6, "write a.contains('it''s')"),
        ("a ilike 'x%'", "infix-method", 2..7, "write a.istarts_with('x')"),
        ("a like '%x'", "infix-method", 2..6, "write a.ends_with('x')"),
        ("a like 'x'", "infix-method", 2..6, "write a.iequals('x')"),
        ("a similar_to 'x'", "infix-method", 2..12, "write a.similar_to('x', 1)"),
        ("a.b /x/i", "infix-method", 4..8, "write a.b.matches(/x/i)"),
        ("body /x/", "foreign-word", 0..4, "write body.text.matches(/x/)"),
        ("uri /x/", "foreign-word", 0..3, "l.target.matches(/x/)"),
        (
            "header Subject =~ /x/",
            "foreign-word",
            0..6,
            "header('Subject').any(h, h.matches(/…/))",
        ),
        ("a == 'b' and c is not null", "foreign-word", 15..17, "present(c)"),
        ("c is null", "foreign-word", 2..4, "not present(c)"),
        ("c between 1 and 2", "foreign-word", 2..9, "c >= … and c <= …"),
        ("c eq 'x'", "foreign-word", 2..4, "c == …"),
        ("if a == b then c", "foreign-word", 0..2, "no statements"),
        ("a == b then c", "foreign-word", 7..11, "no statements"),
        ("r'x' == a", "foreign-word", 0..1, "raw as they are: write 'x'"),
        ("ANY OF (a, b)", "foreign-word", 0..3, "written small"),
        ("any(l for l in links)", "foreign-word", 6..9, "links.any(l, …)"),
        ("exists a", "foreign-word", 0..6, "present(x)"),
        ("links[0].a", "unexpected-token", 5..6, "links.first"),
        ("any(links, .a == 'b')", "unexpected-token", 11..12, "links.any(l, l."),
        ("message.size > 5 MB", "unexpected-token", 17..19, "write 5MB"),
        ("message.age > 2 d", "unexpected-token", 16..17, "write 2d"),
        ("links.any(l => l.x)", "single-equals", 12..13, "links.any(l, …)"),
        ("1 of selection_*", "unexpected-token", 15..16, "any of"),
        ("2 of ($a*)", "unexpected-token", 8..9, "any of"),
    ];

    #[test]
    fn errors_have_a_code_a_place_and_help() {
        for (text, code, span, help) in [ERRORS, HABITS].concat() {
            let problem = error(text);
            assert_eq!(
                (problem.code, problem.span.clone()),
                (code, span),
                "{text}: {problem:?}"
            );
            assert!(problem.help.unwrap_or_default().contains(help), "{text}");
            assert_eq!(problem.level, Level::Error);
        }
    }

    #[test]
    fn foreign_operators_are_read_with_warnings() {
        let (expr, problems) = parse("a && !b || c");
        assert_eq!(expr.unwrap().to_string(), "(or (and a (not b)) c)");
        assert_eq!(problems.len(), 3);
        assert!(problems.iter().all(|problem| problem.level == Level::Warning));
        let (expr, problems) = parse("a <> b or c === d");
        assert_eq!(expr.unwrap().to_string(), "(or (!= a b) (== c d))");
        assert_eq!(problems.len(), 2);
    }

    #[test]
    fn nesting_is_limited() {
        let nested = |levels: usize| format!("{}a", "not ".repeat(levels));
        assert!(parse(&nested(DEPTH_MAX - 2)).0.is_some());
        assert!(parse(&nested(DEPTH_MAX - 1)).0.is_some());
        assert_eq!(error(&nested(DEPTH_MAX)).code, "too-deep");
        let dots = |levels: usize| format!("a{}", ".b".repeat(levels));
        assert!(parse(&dots(DEPTH_MAX - 1)).0.is_some());
        assert_eq!(error(&dots(DEPTH_MAX)).code, "too-deep");
        for deep in ["(", "-", "not ", "[", "f(", "1 of (", "a ?? "] {
            assert_eq!(error(&deep.repeat(5_000)).code, "too-deep", "{deep}");
        }
    }

    #[test]
    fn nodes_and_bytes_are_limited() {
        let chain = |nodes: usize| format!("a{}", " or a".repeat(nodes - 2));
        assert!(parse(&chain(NODES_MAX - 1)).0.is_some());
        assert!(parse(&chain(NODES_MAX)).0.is_some());
        assert_eq!(error(&chain(NODES_MAX + 1)).code, "too-large");
        let padded = |bytes: usize| format!("a{}", " ".repeat(bytes - 1));
        assert!(parse(&padded(TEXT_BYTES_MAX - 1)).0.is_some());
        assert!(parse(&padded(TEXT_BYTES_MAX)).0.is_some());
        assert_eq!(error(&padded(TEXT_BYTES_MAX + 1)).code, "too-large");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,60}") {
            let _ = parse(&text);
        }

        #[test]
        fn any_tokens_are_read_or_refused_and_spans_fit(words in proptest::collection::vec(
            proptest::sample::select(vec!["a", "and", "or", "not", "in", "(", ")", "[", "]", ",", ".", "==", "<", "+", "-",
                "*", "??", "2", "of", "any", "'é'", "/r/i", "$l", "@R", "@R*", "5MB", "1h", "2027-01-01", "=", "!"]), 0..30)) {
            let text = words.join(" ");
            let (expr, problems) = parse(&text);
            prop_assert!(expr.is_some() || problems.iter().any(|problem| problem.level == Level::Error));
            for problem in problems {
                prop_assert!(text.get(problem.span).is_some());
            }
        }
    }
}
