//! What the text of a regex means here, and what of other dialects is refused.
//!
//! Enters: what stands between the slashes, and the flags after them. Leaves: the regex as a tree, read once. Perl
//! classes and word boundaries are ASCII unless the flag `u` stands; everything else is Unicode. Knows nothing of
//! what regexes are for, nor how they are compiled.

use crate::rules::syntax::Problem;
use regex_syntax::ast::{self, Ast, ClassPerlKind, ClassSetItem, Span};
use regex_syntax::hir::Hir;
use regex_syntax::hir::translate::TranslatorBuilder;
use std::ops::Range;

/// Groups and classes nested in a regex.
const NEST_MAX: u32 = 50;

/// Reads a regex literal whose first slash stands at `span.start`.
pub(super) fn read(text: &str, flags: &str, span: &Range<usize>) -> Result<Hir, Problem> {
    let place = |at: &Span| span.start + 1 + at.start.offset..span.start + 1 + at.end.offset;
    let has = |flag| flags.contains(flag);
    let mut tree = ast::parse::ParserBuilder::new()
        .nest_limit(NEST_MAX)
        .ignore_whitespace(has('x'))
        .build()
        .parse(text)
        .map_err(|error| refused(&error, place(error.span())))?;
    if !has('u') {
        let mut spelling = Spelling::default();
        spelling.visit(&mut tree);
        if let Some((at, message, help)) = spelling.error {
            return Err(Problem::error("bad-regex", place(&at), message).help(help));
        }
    }
    let mut translator = TranslatorBuilder::new();
    translator
        .case_insensitive(has('i'))
        .multi_line(has('m'))
        .dot_matches_new_line(has('s'));
    translator.build().translate(text, &tree).map_err(|error| {
        let message = format!("this regex can't be used: {}", error.kind());
        Problem::error("bad-regex", place(error.span()), message)
    })
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

/// Spells Perl classes and boundaries out as ASCII.
#[derive(Default)]
struct Spelling {
    error: Option<(Span, &'static str, &'static str)>,
}

impl Spelling {
    // The parser's nest limit bounds the recursion.
    fn visit(&mut self, tree: &mut Ast) {
        match tree {
            Ast::ClassPerl(class) => *tree = Ast::class_bracketed(perl_class(class)),
            Ast::ClassBracketed(class) => visit_set(&mut class.kind),
            Ast::Assertion(assertion) if is_word_boundary(&assertion.kind) => *tree = ascii_only(assertion),
            Ast::Repetition(repetition) => self.visit(&mut repetition.ast),
            Ast::Group(group) => {
                self.check_flags(group.flags());
                self.visit(&mut group.ast);
            }
            Ast::Flags(set) => self.check_flags(Some(&set.flags)),
            Ast::Alternation(alternation) => alternation.asts.iter_mut().for_each(|branch| self.visit(branch)),
            Ast::Concat(concat) => {
                concat.asts.windows(2).for_each(|pair| self.check_boundary(pair));
                concat.asts.iter_mut().for_each(|part| self.visit(part));
            }
            Ast::Empty(_) | Ast::Literal(_) | Ast::Dot(_) | Ast::Assertion(_) | Ast::ClassUnicode(_) => {}
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
}

fn visit_set(set: &mut ast::ClassSet) {
    match set {
        ast::ClassSet::Item(item) => visit_item(item),
        ast::ClassSet::BinaryOp(operation) => {
            visit_set(&mut operation.lhs);
            visit_set(&mut operation.rhs);
        }
    }
}

fn visit_item(item: &mut ClassSetItem) {
    match item {
        ClassSetItem::Perl(class) => *item = ClassSetItem::Bracketed(Box::new(perl_class(class))),
        ClassSetItem::Bracketed(class) => visit_set(&mut class.kind),
        ClassSetItem::Union(union) => union.items.iter_mut().for_each(visit_item),
        _ => {}
    }
}

/// As `[…]`: `(?-u:\W)` could match half a character.
fn perl_class(class: &ast::ClassPerl) -> ast::ClassBracketed {
    let span = class.span;
    let character = |c| ast::Literal {
        span,
        kind: ast::LiteralKind::Verbatim,
        c,
    };
    let ranges: &[(char, char)] = match class.kind {
        ClassPerlKind::Digit => &[('0', '9')],
        ClassPerlKind::Space => &[('\t', '\r'), (' ', ' ')],
        ClassPerlKind::Word => &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')],
    };
    let items = ranges.iter().map(|(start, end)| {
        ClassSetItem::Range(ast::ClassSetRange {
            span,
            start: character(*start),
            end: character(*end),
        })
    });
    let union = ast::ClassSetUnion {
        span,
        items: items.collect(),
    };
    ast::ClassBracketed {
        span,
        negated: class.negated,
        kind: ast::ClassSet::Item(ClassSetItem::Union(union)),
    }
}

/// As `(?-u:…)`.
fn ascii_only(assertion: &ast::Assertion) -> Ast {
    let span = assertion.span;
    let kinds = [
        ast::FlagsItemKind::Negation,
        ast::FlagsItemKind::Flag(ast::Flag::Unicode),
    ];
    let items = kinds.map(|kind| ast::FlagsItem { span, kind }).into();
    Ast::group(ast::Group {
        span,
        kind: ast::GroupKind::NonCapturing(ast::Flags { span, items }),
        ast: Box::new(Ast::assertion(assertion.clone())),
    })
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

    /// The same by the parser alone, of a text in which all is spelled out.
    fn spelled(text: &str, flags: &str) -> Hir {
        let has = |flag| flags.contains(flag);
        regex_syntax::ParserBuilder::new()
            .case_insensitive(has('i'))
            .ignore_whitespace(has('x'))
            .build()
            .parse(text)
            .unwrap()
    }

    #[test]
    fn what_is_ascii_is_as_if_it_were_spelled_out() {
        for (text, flags, expected) in [
            (r"\d+", "", "[0-9]+"),
            (r"\D", "", "[^0-9]"),
            (r"\s\S", "", r"[\t\n\x0B\x0C\r\x20][^\t\n\x0B\x0C\r\x20]"),
            (r"\w\W", "i", "[0-9A-Za-z_][^0-9A-Za-z_]"),
            (r"[\w-]", "", "[[0-9A-Za-z_]-]"),
            (r"[^\W\d]", "", "[^[^0-9A-Za-z_][0-9]]"),
            (r"[\w&&[^\d]]", "i", "[[0-9A-Za-z_]&&[^[0-9]]]"),
            (r"\bpay\B", "i", r"(?-u:\b)pay(?-u:\B)"),
            (r"(?:\b{start}a|\d)*", "", r"(?:(?-u:\b{start})a|[0-9])*"),
            (r"\w \d # all", "x", "[0-9A-Za-z_][0-9]"),
            (r"\w\b\d", "u", r"\w\b\d"),
        ] {
            assert_eq!(
                read(text, flags, &(0..9)).unwrap(),
                spelled(expected, flags),
                "/{text}/{flags}"
            );
        }
    }
}
