//! The front of the rule language: text in, a tree with spans out.
//!
//! What is wrong is said as [`Problem`]s whose spans are byte offsets in the expression's own text.
//! Knows nothing of fields, lists, types or files.

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
    let _ = text;
    (None, Vec::new())
}
