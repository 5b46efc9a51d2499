//! What a token in the wrong place probably means, and what to write instead.
//!
//! Knows tokens and the expression before, and the habits of SpamAssassin, rspamd, Sigma, YARA, MQL, SQL
//! and Python; decides nothing.

use super::Problem;
use super::habits::{self, STATEMENTS, method};
use super::token::Token;
use super::tree::{Expr, ExprKind};
use crate::units::{parse_size, parse_span};
use std::ops::Range;

/// A token stands where something else should.
pub(super) fn unexpected(tokens: &[(Token, Range<usize>)], span: Range<usize>, wanted: &str) -> Problem {
    match token(tokens, 0) {
        Token::End => {
            let message = format!("the expression ends where {wanted} should stand");
            Problem::error("unexpected-end", span, message)
        }
        found => {
            let problem = Problem::error(
                "unexpected-token",
                span,
                format!("{} stands where {wanted} should", describe(found)),
            );
            match found {
                Token::Sign(".") => problem.help("name each item and ask it: links.any(l, l.target.domain == '…')"),
                Token::Sign("*") => problem.help("several rules are @LURE_*, after `any of`, `2 of` and the like"),
                Token::And | Token::Or => problem.help("a condition is missing before it, or the word stands twice"),
                _ => problem,
            }
        }
    }
}

/// `selection_*`, which other languages write for several conditions.
pub(super) fn star_of_names(span: Range<usize>) -> Problem {
    Problem::error("unexpected-token", span, "nothing follows that could be multiplied")
        .help("several rules are @LURE_* or @tag:lure; conditions are written out: any of (…, …)")
}

/// Tokens follow a finished expression.
pub(super) fn left_over(tokens: &[(Token, Range<usize>)], span: Range<usize>, before: &Expr) -> Problem {
    let before = last_operand(before);
    let (found, next) = (token(tokens, 0), token(tokens, 1));
    if let (ExprKind::Member { base, name, .. }, Token::Text(_) | Token::Regex { .. } | Token::List(_)) =
        (&before.kind, found)
        && method(name).is_some()
    {
        let message = "what a method looks for stands in parentheses";
        let argument = argument(found);
        return Problem::error("unexpected-token", span, message)
            .help(format!("write {}.{name}({argument})", written(base)));
    }
    if let ExprKind::Name(word) = &before.kind
        && let Some(problem) = after_name(word, before.span.clone(), found, next)
    {
        return problem;
    }
    match found {
        Token::Name(name) => after_operand(name, next, span, before),
        Token::Not => match next {
            Token::Name(name) if method(name).is_some() || is_like(name) => {
                negated(after_operand(name, token(tokens, 2), span, before))
            }
            _ => unexplained(found, span),
        },
        Token::Sign("=~" | "~") => infix_method("matches", &signed(found), next, span, before),
        Token::Sign("!~") => negated(infix_method("matches", &signed(found), next, span, before)),
        Token::Regex { pattern, flags } => Problem::error("infix-method", span, "a regex is looked for by a method")
            .help(format!("write {}.matches(/{pattern}/{flags})", written(before))),
        Token::Sign("[") => subscript(next, span, &written(before)),
        Token::Sign(")" | "]") => Problem::error("unopened", span, format!("{} closes nothing", describe(found))),
        _ => unexplained(found, span),
    }
}

/// `links[0]`, `headers['X-Mailer']`.
fn subscript(index: &Token, span: Range<usize>, of: &str) -> Problem {
    match index {
        Token::Text(name) if of.starts_with("header") => {
            let field = quoted(name);
            Problem::error("unexpected-token", span, "a header field isn't picked in brackets").help(format!(
                "header({field}) has every instance of it, a list: header({field}).any(h, …)"
            ))
        }
        _ => Problem::error("unexpected-token", span, "nothing is picked by its number").help(format!(
            "of a list the first is {of}.first, and any of them {of}.any(x, …); a text begins with {of}.starts_with('…')"
        )),
    }
}

fn unexplained(found: &Token, span: Range<usize>) -> Problem {
    let problem = Problem::error(
        "unexpected-token",
        span,
        format!("{} can't follow here", describe(found)),
    );
    match found {
        Token::Sign(",") => problem.help("join conditions with `and` or `or`; commas stand only within parentheses"),
        _ => problem.help("join conditions with `and` or `or`"),
    }
}

/// A word that isn't of the language, with what it was followed by.
fn after_name(word: &str, span: Range<usize>, found: &Token, next: &Token) -> Option<Problem> {
    let lower = word.to_lowercase();
    let foreign = |help: String| {
        let message = format!("`{word}` isn't a word of the language");
        Some(Problem::error("foreign-word", span.clone(), message).help(help))
    };
    match (lower.as_str(), found) {
        ("header", Token::Name(name)) => {
            let pattern = match next {
                Token::Sign("=~") => "h.matches(/…/)",
                _ => "…",
            };
            foreign(format!("write header('{name}').any(h, {pattern})"))
        }
        ("uri", Token::Regex { pattern, flags }) => {
            foreign(format!("write links.any(l, l.target.matches(/{pattern}/{flags}))"))
        }
        ("body" | "rawbody" | "full", Token::Regex { pattern, flags }) => {
            let field = if lower == "body" { "body.text" } else { "body.html" };
            foreign(format!("write {field}.matches(/{pattern}/{flags})"))
        }
        ("r" | "b" | "f" | "u" | "rb", Token::Text(text)) => {
            foreign(format!("strings are raw as they are: write {}", quoted(text)))
        }
        (_, Token::Name(of)) if of.eq_ignore_ascii_case("of") => {
            foreign("`any of`, `all of`, `none of` and `2 of` are written small".to_owned())
        }
        ("exists" | "defined", _) => foreign("write present(x)".to_owned()),
        (statement, _) if STATEMENTS.contains(&statement) => {
            foreign("a condition has no statements: the whole of it is what must be true".to_owned())
        }
        _ => None,
    }
}

/// A word that stands where an operator should.
fn after_operand(word: &str, next: &Token, span: Range<usize>, before: &Expr) -> Problem {
    let lower = word.to_lowercase();
    let subject = written(before);
    let foreign = |help: String| {
        let message = format!("`{word}` isn't a word of the language");
        Problem::error("foreign-word", span.clone(), message).help(help)
    };
    if is_like(word) {
        return like(word, next, span, before);
    }
    if let Some(method) = method(word) {
        return infix_method(method, word, next, span, before);
    }
    if let Some(sign) = habits::sign(&lower) {
        return foreign(format!("write {subject} {sign} …"));
    }
    if let ExprKind::Int(number) = before.kind {
        let together = format!("{number}{word}");
        let is_unit = parse_size(&together).is_some() || parse_span(&together).is_some();
        let unit = habits::unit(word).map(|unit| format!("{number}{unit}"));
        if let Some(together) = is_unit.then_some(together).or(unit) {
            return Problem::error(
                "unexpected-token",
                span.clone(),
                format!("`{word}` stands apart from its number"),
            )
            .help(format!("write {together}"));
        }
    }
    match (lower.as_str(), next) {
        ("is", Token::Not) => foreign(format!("write present({subject}), or {subject} != …")),
        ("is", Token::Name(_)) => foreign(format!("write not present({subject})")),
        ("is", _) => foreign(format!("write {subject} == …")),
        ("exists", _) => foreign(format!("write present({subject})")),
        ("xor", _) => foreign("write (a or b) and not (a and b)".to_owned()),
        ("nocase", _) => foreign("write icontains or iequals, or `i` after a regex".to_owned()),
        ("between", _) => foreign(format!("write {subject} >= … and {subject} <= …")),
        ("for", _) => foreign("the items of a list are asked by links.any(l, …), all, count or distinct".to_owned()),
        ("if" | "then" | "else", _) => {
            foreign("a condition has no statements: write (a and b) or (not a and c)".to_owned())
        }
        ("of", _) if matches!(before.kind, ExprKind::Int(_)) => {
            foreign("write `2 of (…)` with a whole number".to_owned())
        }
        ("of", _) => foreign("a number, `any`, `all` or `none` stands before `of`".to_owned()),
        _ => unexplained(&Token::Name(word.to_owned()), span.clone()),
    }
}

/// What is looked for, as a method takes it.
fn argument(token: &Token) -> String {
    match token {
        Token::Regex { pattern, flags } => format!("/{pattern}/{flags}"),
        Token::Text(text) => quoted(text),
        Token::List(name) => format!("${name}"),
        _ => "'…'".to_owned(),
    }
}

/// `subject contains 'x'`: the method with what was looked for.
fn infix_method(method: &str, word: &str, next: &Token, span: Range<usize>, before: &Expr) -> Problem {
    let argument = match (method, next) {
        ("matches", Token::Text(text)) => format!("/{}/", text.replace('/', "\\/")),
        ("matches", Token::Regex { .. }) => argument(next),
        ("matches", _) => "/…/".to_owned(),
        _ => argument(next),
    };
    let method = match next {
        Token::Regex { .. } => "matches",
        _ => method,
    };
    let argument = if method == "similar_to" {
        format!("{argument}, 1")
    } else {
        argument
    };
    // `'x' in subject` by another name: what is looked for came first.
    let help = match (&before.kind, next) {
        (ExprKind::Text(text), Token::Name(field)) => format!("write {field}.{method}({})", quoted(text)),
        _ => format!("write {}.{method}({argument})", written(before)),
    };
    Problem::error("infix-method", span, format!("`{word}` is a method here")).help(help)
}

/// SQL's LIKE, its percent signs understood, and the asterisks of globs.
fn like(word: &str, next: &Token, span: Range<usize>, before: &Expr) -> Problem {
    let i = if word.eq_ignore_ascii_case("like") { "" } else { "i" };
    let Token::Text(text) = next else {
        return infix_method(&format!("{i}contains"), word, next, span, before);
    };
    let bare = text.trim_matches(['%', '*']);
    let method = match (text.starts_with(['%', '*']), text.ends_with(['%', '*'])) {
        (false, false) => "iequals".to_owned(),
        (false, true) => format!("{i}starts_with"),
        (true, false) => format!("{i}ends_with"),
        (true, true) => format!("{i}contains"),
    };
    let needle = Token::Text(bare.to_owned());
    infix_method(&method, word, &needle, span, before)
}

fn is_like(word: &str) -> bool {
    word.eq_ignore_ascii_case("like") || word.eq_ignore_ascii_case("ilike")
}

fn negated(problem: Problem) -> Problem {
    let help = problem
        .help
        .clone()
        .unwrap_or_default()
        .replacen("write ", "write not ", 1);
    problem.help(help)
}

/// Of `a and b == c` the `c`: what stands right before the next token.
fn last_operand(expr: &Expr) -> &Expr {
    let last = match &expr.kind {
        ExprKind::And(links) | ExprKind::Or(links) => links.last(),
        ExprKind::Not(inner) => Some(&**inner),
        ExprKind::Compare { right, .. } | ExprKind::Arithmetic { right, .. } => Some(&**right),
        ExprKind::Default { fallback, .. } => Some(&**fallback),
        ExprKind::In { set, .. } => Some(&**set),
        _ => None,
    };
    // Of an expression in parentheses the whole was meant, and its place is longer.
    match last {
        Some(last) if last.span.end == expr.span.end => last_operand(last),
        _ => expr,
    }
}

/// An operand as text, small where a header's name was written with a capital.
fn written(expr: &Expr) -> String {
    match &expr.kind {
        ExprKind::Name(name) => name.to_lowercase(),
        ExprKind::Member { .. } | ExprKind::Method { .. } | ExprKind::Call { .. } => expr.written(),
        _ => "subject".to_owned(),
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn signed(token: &Token) -> String {
    describe(token).trim_matches('`').to_owned()
}

fn token(tokens: &[(Token, Range<usize>)], ahead: usize) -> &Token {
    tokens.get(ahead).map_or(&Token::End, |(token, _)| token)
}

fn describe(token: &Token) -> String {
    match token {
        Token::Name(name) => format!("`{name}`"),
        Token::Sign(sign) => format!("`{sign}`"),
        Token::And => "`and`".to_owned(),
        Token::Or => "`or`".to_owned(),
        Token::Not => "`not`".to_owned(),
        Token::In => "`in`".to_owned(),
        Token::True | Token::False => "a truth value".to_owned(),
        Token::Int(_) | Token::Float(_) => "a number".to_owned(),
        Token::Size(_) => "a size".to_owned(),
        Token::Duration(_) => "a duration".to_owned(),
        Token::Date(_) => "a date".to_owned(),
        Token::Text(_) => "a string".to_owned(),
        Token::Regex { .. } => "a regex".to_owned(),
        Token::List(name) => format!("`${name}`"),
        Token::Rule(name) => format!("`@{name}`"),
        Token::RulesStarting(prefix) => format!("`@{prefix}*`"),
        Token::RulesTagged(tag) => format!("`@tag:{tag}`"),
        Token::End => "the end".to_owned(),
    }
}
