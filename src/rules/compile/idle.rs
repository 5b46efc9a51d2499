//! Strings that look for what isn't there: habits of globs and regexes in plain strings, and values that a field
//! never has.
//!
//! A literal and what it is compared with go in; warnings come out. Knows nothing of evaluation.

use super::node::{Derivation, Node};
use super::{Compiler, Typed, shown, source};
use crate::rules::schema::FIELDS;
use crate::rules::schema::words::{Wording, wording};
use crate::rules::syntax::{Expr, ExprKind, Problem};

/// How a literal is compared with a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beside {
    /// It must be the whole text.
    Equal,
    /// The same, in any case.
    EqualInAnyCase,
    /// It must stand somewhere in the text.
    Part,
}

/// What a regex has before a letter, and a string too when its author had one in mind.
const ESCAPES: [&str; 8] = [r"\b", r"\B", r"\d", r"\s", r"\w", r"\n", r"\t", r"\."];

impl Compiler<'_> {
    /// Globs are a habit of many languages; here a `*` is an asterisk. So are regexes between quotes. `help` says
    /// what to write with the bare text, `matches` with a regex.
    pub(super) fn warn_wildcard(
        &mut self,
        literal: &Expr,
        help: impl Fn(&str) -> String,
        matches: impl Fn(&str) -> String,
    ) {
        let ExprKind::Text(text) = &literal.kind else {
            return;
        };
        let bare = text.trim_matches('*');
        let is_plain = |c: char| c.is_alphanumeric() || " .-_@/".contains(c);
        let is_glob = bare.len() < text.len() && bare.chars().all(is_plain) && bare.chars().any(char::is_alphanumeric);
        // `C:\new` is a path.
        let has_escapes = !text.contains(":\\");
        let escape = ESCAPES.into_iter().find(|escape| has_escapes && text.contains(escape));
        let repeated = [".*", ".+"].into_iter().find(|sign| text.contains(sign));
        let problem = match (escape, repeated) {
            _ if is_glob && !text.contains(".*") => {
                let message = "`*` stands for itself in a string";
                Problem::warning("wildcard", literal.span.clone(), message).help(help(&bare.replace('\'', "''")))
            }
            (Some(sign), _) | (None, Some(sign)) => {
                let message = format!("`{sign}` stands for itself in a string");
                let regex = text.replace('/', r"\/");
                let regex = regex.trim_start_matches(".*").trim_end_matches(".*");
                Problem::warning("wildcard", literal.span.clone(), message).help(matches(regex))
            }
            (None, None) => return,
        };
        self.problems.push(problem);
    }

    /// A string that a field never is, such as `'Pass'` beside a result.
    pub(super) fn warn_impossible(&mut self, text: (&Node, &Expr), literal: &Expr, beside: Beside) {
        let ExprKind::Text(value) = &literal.kind else {
            return;
        };
        let Some(wording) = wording_of(text.0).filter(|wording| !may_be(*wording, value, beside)) else {
            return;
        };
        let message = match beside {
            Beside::Part => format!("`{}` never holds {}", source(text.1), shown(literal)),
            _ => format!("`{}` is never {}", source(text.1), shown(literal)),
        };
        let problem = Problem::warning("impossible-value", literal.span.clone(), message);
        let mended = wording.mended(value);
        self.problems.push(problem.help(match mended {
            Some(mended) => format!("{}: write '{}'", wording.said(), mended.replace('\'', "''")),
            None => wording.said(),
        }));
    }
}

impl Typed {
    /// How its strings are always written.
    pub(super) fn wording(&self) -> Option<Wording> {
        wording_of(&self.node)
    }
}

fn wording_of(node: &Node) -> Option<Wording> {
    match node {
        Node::Field(field) => wording(FIELDS.get(*field)?),
        Node::Member { field, .. } => wording(field),
        Node::Derived {
            how: Derivation::Lower, ..
        } => Some(Wording::Small),
        _ => None,
    }
}

fn may_be(wording: Wording, value: &str, beside: Beside) -> bool {
    match (beside, wording) {
        (Beside::Equal, _) => wording.admits(value),
        (Beside::EqualInAnyCase, _) => wording.admits(&value.to_lowercase()),
        (Beside::Part, Wording::OneOf(words)) => words.iter().any(|word| word.contains(value)),
        (Beside::Part, _) => Wording::Small.admits(value),
    }
}
