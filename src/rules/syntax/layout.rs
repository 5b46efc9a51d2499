//! The one layout of conditions: the same words, spaced and indented the same wherever they stand.
//!
//! A condition's text goes in; out comes the same condition with its comments, `&& || !` as words, the
//! author's line breaks kept and each line indented by the bracket that it stands in. Knows nothing of
//! what a condition means, or of the file around it.

use super::token::{Token, tokens};
use std::ops::Range;

/// What a line begins with, and what a bracket left open at a line's end adds.
pub const INDENT: usize = 2;

/// The canonical text, its lines indented by [`INDENT`] and each ending in a line feed but the last. `None`
/// when it can't be read as tokens.
pub fn laid_out(text: &str) -> Option<String> {
    Layout::new(text)?.write(true)
}

/// The same on one line, without comments: for messages and traces.
pub fn one_line(text: &str) -> String {
    let line = Layout::new(text).and_then(|layout| layout.write(false));
    // A regex with the flag `x` may hold line ends of its own.
    let line = line.unwrap_or_else(|| text.to_owned());
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a comment stands in a condition.
pub fn has_comment(text: &str) -> bool {
    let Some(tokens) = tokens(text, &mut Vec::new()) else {
        return false;
    };
    let mut end = 0;
    let mut gaps = tokens
        .iter()
        .filter_map(|(_, span)| text.get(std::mem::replace(&mut end, span.end)..span.start));
    gaps.any(|gap| gap.contains('#'))
}

struct Layout<'t> {
    text: &'t str,
    tokens: Vec<(Token, Range<usize>)>,
    out: String,
    brackets: Vec<Bracket>,
    /// The column of the line being written.
    column: usize,
    /// Where that line begins.
    indent: usize,
}

/// An open bracket.
struct Bracket {
    /// Where its items begin.
    items: usize,
    /// Where the present item begins.
    item: usize,
    /// Where it closes, on a line of its own.
    close: usize,
}

/// What stands between two tokens.
struct Gap<'t> {
    /// A comment on the line of the token before.
    trailing: Option<&'t str>,
    /// How many blanks stand before that.
    blanks: usize,
    /// Lines between, comments or blank.
    own: Vec<&'t str>,
    breaks: bool,
}

impl<'t> Layout<'t> {
    fn new(text: &'t str) -> Option<Self> {
        Some(Self {
            text,
            tokens: tokens(text, &mut Vec::new())?,
            out: String::new(),
            brackets: Vec::new(),
            column: INDENT,
            indent: INDENT,
        })
    }

    fn write(mut self, lines: bool) -> Option<String> {
        let tokens = std::mem::take(&mut self.tokens);
        let mut end = 0;
        for (place, (token, span)) in tokens.iter().enumerate() {
            let before = place.checked_sub(1).and_then(|place| tokens.get(place));
            let gap = gap(self.text.get(end..span.start)?);
            if lines && (gap.breaks || gap.trailing.is_some() || before.is_none()) {
                self.new_line(&gap, before.map(|(token, _)| token), token);
            } else if before.is_some() && *token != Token::End && is_spaced(&tokens, place) {
                self.push(" ");
            }
            if matches!(before, None | Some((Token::Sign("(" | "[" | ","), _)))
                && let Some(bracket) = self.brackets.last_mut()
            {
                bracket.item = self.column;
                if matches!(before, Some((Token::Sign("(" | "["), _))) {
                    bracket.items = self.column;
                }
            }
            self.token(&tokens, place, self.text.get(span.clone())?);
            end = span.end;
        }
        Some(self.out.trim_end().to_owned())
    }

    /// Ends the line, writes the comments between, and begins the next.
    fn new_line(&mut self, gap: &Gap<'_>, before: Option<&Token>, token: &Token) {
        if let Some(comment) = gap.trailing.filter(|_| before.is_some()) {
            // Comments that stand under each other stay so.
            self.push(&" ".repeat(gap.blanks.max(2)));
            self.push(comment);
        }
        let opens = matches!(before, Some(Token::Sign("(" | "[")));
        if opens && let Some(bracket) = self.brackets.last_mut() {
            bracket.items = self.indent + INDENT;
            bracket.item = bracket.items;
            bracket.close = self.indent;
        }
        let indent = match (self.brackets.last(), before, token) {
            (None, ..) => INDENT,
            (Some(bracket), _, Token::Sign(")" | "]")) => bracket.close,
            (Some(bracket), Some(Token::Sign("(" | "[" | ",")), _) => bracket.items,
            (Some(bracket), ..) => bracket.item,
        };
        let first = gap.trailing.filter(|_| before.is_none());
        for line in first.into_iter().chain(gap.own.iter().copied()) {
            self.begin(if line.is_empty() { 0 } else { indent });
            self.out.push_str(line);
        }
        if *token != Token::End {
            self.begin(indent);
        }
    }

    fn begin(&mut self, indent: usize) {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        self.out.extend(std::iter::repeat_n(' ', indent));
        (self.column, self.indent) = (indent, indent);
    }

    fn token(&mut self, tokens: &[(Token, Range<usize>)], place: usize, written: &str) {
        match tokens.get(place).map(|(token, _)| token) {
            Some(Token::Sign(sign @ ("(" | "["))) => {
                let close = self.column;
                self.push(sign);
                self.brackets.push(Bracket {
                    items: self.column,
                    item: self.column,
                    close,
                });
            }
            Some(Token::Sign(sign @ (")" | "]"))) => {
                self.brackets.pop();
                self.push(sign);
            }
            _ if is_member(tokens, place) => self.push(written),
            // What another language writes `===` or `<>`, too.
            Some(Token::Sign(sign)) => self.push(sign),
            Some(Token::And) => self.push("and"),
            Some(Token::Or) => self.push("or"),
            Some(Token::Not) => self.push("not"),
            Some(Token::In) => self.push("in"),
            Some(Token::True) => self.push("true"),
            Some(Token::False) => self.push("false"),
            Some(Token::Text(value)) if written.contains("'''") => self.push(&requoted(value, written)),
            _ => self.push(written),
        }
    }

    fn push(&mut self, text: &str) {
        self.out.push_str(text);
        self.column = match text.rsplit_once('\n') {
            Some((_, last)) => last.chars().count(),
            None => self.column + text.chars().count(),
        };
    }
}

/// A TOML literal string can't hold three quotes in a row, where a string of this language may.
fn requoted(value: &str, written: &str) -> String {
    match value.contains("'''") {
        true => written.to_owned(),
        false => format!("\"{}\"", value.replace('"', "\"\"")),
    }
}

fn gap(text: &str) -> Gap<'_> {
    let blanks = text.len() - text.trim_start_matches(' ').len();
    let mut lines = text.split('\n').map(str::trim);
    let trailing = lines.next().filter(|line| !line.is_empty());
    let mut own: Vec<&str> = lines.collect();
    let breaks = !own.is_empty();
    // The last is the beginning of the next token's line, or a comment that ends the text.
    if own.last().is_some_and(|line| line.is_empty()) {
        own.pop();
    }
    own.dedup_by(|line, before| line.is_empty() && before.is_empty());
    if own.iter().all(|line| line.is_empty()) {
        own.clear();
    }
    Gap {
        trailing,
        blanks,
        own,
        breaks,
    }
}

/// After a dot every word is a name.
fn is_member(tokens: &[(Token, Range<usize>)], place: usize) -> bool {
    let before = place.checked_sub(1).and_then(|place| tokens.get(place));
    matches!(before, Some((Token::Sign("."), _)))
}

/// Whether the word `of` stands where it is a keyword: after a number, `any`, `all` or `none`.
fn is_of(tokens: &[(Token, Range<usize>)], place: usize) -> bool {
    let is = |place: usize, wanted: &[&str]| matches!(tokens.get(place), Some((Token::Name(name), _)) if wanted.contains(&name.as_str()));
    let Some(before) = place.checked_sub(1) else {
        return false;
    };
    let counts = matches!(tokens.get(before), Some((Token::Int(_), _)))
        || (is(before, &["any", "all", "none"]) && !is_member(tokens, before));
    is(place, &["of"]) && counts
}

/// Whether a sign at this place has nothing before it to work on.
fn is_prefix(tokens: &[(Token, Range<usize>)], place: usize) -> bool {
    let Some(before) = place.checked_sub(1) else {
        return true;
    };
    match tokens.get(before).map(|(token, _)| token) {
        Some(Token::Sign(sign)) => !matches!(*sign, ")" | "]"),
        Some(Token::And | Token::Or | Token::Not | Token::In) => !is_member(tokens, before),
        Some(Token::Name(_)) => is_of(tokens, before),
        _ => false,
    }
}

/// Whether a blank stands before the token at this place.
fn is_spaced(tokens: &[(Token, Range<usize>)], place: usize) -> bool {
    let token = |place: usize| tokens.get(place).map(|(token, _)| token);
    let Some(before) = place.checked_sub(1) else {
        return false;
    };
    let is_word = |place: usize| {
        !is_member(tokens, place)
            && (matches!(token(place), Some(Token::And | Token::Or | Token::Not | Token::In)) || is_of(tokens, place))
    };
    match (token(before), token(place)) {
        (Some(Token::Sign("(" | "[" | ".")), _) | (_, Some(Token::Sign(")" | "]" | "," | "."))) => false,
        (Some(Token::Sign("-")), _) if is_prefix(tokens, before) => false,
        _ if is_word(before) || is_word(place) => true,
        // A bracket right after a name opens its arguments.
        (Some(Token::Name(_) | Token::Not | Token::In), Some(Token::Sign("("))) => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::syntax::parse;
    use proptest::prelude::*;

    fn tree(text: &str) -> Option<String> {
        parse(text).0.map(|expr| expr.to_string())
    }

    #[test]
    fn spaces_and_words_are_the_same_everywhere() {
        for (written, expected) in [
            ("a&&!b||c", "a and not b or c"),
            ("NOT a AND True", "not a and true"),
            ("a==1", "a == 1"),
            ("a===1 and b<>2", "a == 1 and b != 2"),
            ("a . b ( 'x' ,\"y\", )", "a.b('x', \"y\",)"),
            ("x in['a','b']", "x in ['a', 'b']"),
            ("x not  in('a')", "x not in ('a')"),
            ("2 of(a,b)", "2 of (a, b)"),
            ("any  of @L_*", "any of @L_*"),
            ("links.any (l,not l.x)", "links.any(l, not l.x)"),
            ("x.in ('a')", "x.in('a')"),
            ("a- -1*-b??c", "a - -1 * -b ?? c"),
            ("now-message.date>2d", "now - message.date > 2d"),
            ("header ('X-A').first=='b'", "header('X-A').first == 'b'"),
            ("(a)", "(a)"),
            ("x == ''''", "x == \"'\""),
            ("a # why\n and b", "a and b"),
        ] {
            assert_eq!(one_line(written), expected);
            assert_eq!(tree(written), tree(expected), "{written}");
        }
    }

    #[test]
    fn lines_are_indented_by_their_bracket() {
        for (written, expected) in [
            ("\n a\n  and b\n", "  a\n  and b"),
            (
                "links.any(l, l.a\nand (l.b\nor l.c))",
                "  links.any(l, l.a\n               and (l.b\n                    or l.c))",
            ),
            ("x.icontains('a',\n'b')", "  x.icontains('a',\n              'b')"),
            (
                "any of (\na,\nb\n and c\n)\nor d",
                "  any of (\n    a,\n    b\n    and c\n  )\n  or d",
            ),
            ("(a\nor b\n)", "  (a\n   or b\n  )"),
            (
                "# top\n\n\n# again\na # why\n\n # more\nand b # end",
                "  # top\n\n  # again\n  a  # why\n\n  # more\n  and b  # end",
            ),
            ("a # only", "  a  # only"),
            ("x.matches(/a\n  b/x) and\nc", "  x.matches(/a\n  b/x) and\n  c"),
        ] {
            let laid = laid_out(written).unwrap();
            assert_eq!(laid, expected);
            assert_eq!(laid_out(&laid).unwrap(), laid);
            assert_eq!(tree(written), tree(&laid), "{written}");
        }
    }

    proptest! {
        #[test]
        fn laying_out_keeps_tree_and_comments_and_is_done_once(words in proptest::collection::vec(
            proptest::sample::select(vec!["a", "b.c", "and", "or", "not", "&&", "!", "in", "(", ")", "[", "]", ",", ".", "==",
                "+", "-", "??", "2", "of", "any", "'é'", "'it''s'", "''''", "/r y/i", "$l", "@R", "5MB", "\n", "# c\n", "\n\n"]), 0..30)) {
            let text = words.join(" ");
            if let Some(expected) = tree(&text) {
                let laid = laid_out(&text).unwrap();
                prop_assert_eq!(tree(&laid), Some(expected.clone()), "{}", laid);
                prop_assert_eq!(tree(&one_line(&text)), Some(expected));
                prop_assert_eq!(laid.matches('#').count(), text.matches('#').count());
                prop_assert_eq!(laid_out(&laid), Some(laid.clone()));
                prop_assert!(!laid.contains("'''"));
            }
        }
    }
}
