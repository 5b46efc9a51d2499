//! What a token in the wrong place probably means, and what to write instead.
//!
//! Knows tokens and the expression before; decides nothing.

use super::Problem;
use super::token::Token;
use super::tree::Expr;
use std::ops::Range;

/// Words that people put between two operands, though they are methods.
const METHOD_HABITS: [&str; 8] = [
    "contains",
    "icontains",
    "starts_with",
    "ends_with",
    "iequals",
    "matches",
    "startswith",
    "endswith",
];

/// A token stands where something else should.
pub(super) fn unexpected(token: &Token, span: Range<usize>, wanted: &str) -> Problem {
    match token {
        Token::End => {
            let message = format!("the expression ends where {wanted} should stand");
            Problem::error("unexpected-end", span, message)
        }
        token => {
            let message = format!("{} stands where {wanted} should", describe(token));
            Problem::error("unexpected-token", span, message)
        }
    }
}

/// A token follows a finished expression.
pub(super) fn left_over(token: &Token, span: Range<usize>, before: &Expr) -> Problem {
    match token {
        Token::Name(name) if METHOD_HABITS.contains(&name.to_lowercase().as_str()) => infix_method(name, span, before),
        Token::Sign(")" | "]") => Problem::error("unopened", span, format!("{} closes nothing", describe(token))),
        _ => Problem::error(
            "unexpected-token",
            span,
            format!("{} can't follow here", describe(token)),
        )
        .help("join conditions with `and` or `or`"),
    }
}

fn infix_method(name: &str, span: Range<usize>, before: &Expr) -> Problem {
    let method = match name.to_lowercase().as_str() {
        "startswith" => "starts_with".to_owned(),
        "endswith" => "ends_with".to_owned(),
        method => method.to_owned(),
    };
    let argument = if method == "matches" { "/…/" } else { "'…'" };
    let subject = before.dotted().unwrap_or_else(|| "subject".to_owned());
    Problem::error("infix-method", span, format!("`{name}` is a method"))
        .help(format!("write {subject}.{method}({argument})"))
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
