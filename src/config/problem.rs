//! What is wrong with the settings: where, what, and what to do about it.
//!
//! Plain data with its rendering. Knows nothing of how it was found.

use std::fmt;
use std::sync::Arc;

/// Where a value was set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In a file: line and column from 1, columns in characters. Line 0 is the file as a whole.
    File {
        /// As the administrator would name it.
        path: Arc<str>,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// In an environment variable of this name.
    Variable(Arc<str>),
    /// By this flag on the command line.
    Flag(Arc<str>),
    /// Nowhere: the built-in default.
    Default,
}

impl Place {
    /// A file as a whole.
    pub(super) fn file(path: &Arc<str>) -> Self {
        Self::File {
            path: Arc::clone(path),
            line: 0,
            column: 0,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line: 0, .. } => formatter.write_str(path),
            Self::File { path, line, column } => write!(formatter, "{path}:{line}:{column}"),
            Self::Variable(name) => write!(formatter, "environment {name}"),
            Self::Flag(flag) => write!(formatter, "flag {flag}"),
            Self::Default => formatter.write_str("built-in default"),
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What, in words.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl Problem {
    pub(super) fn new(place: &Place, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            place: place.clone(),
            what: what.into(),
            remedy: remedy.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}; {}", self.place, self.what, self.remedy)
    }
}

/// Everything that is wrong, in the order of its places: exit code 78.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                formatter.write_str("\n")?;
            }
            problem.fmt(formatter)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// The known name nearest to what was written, when it is near enough to be meant.
pub(super) fn nearest<'n>(written: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let near = known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(written, name), name));
    let (distance, name) = near.min_by_key(|(distance, _)| *distance)?;
    (distance <= 1 + name.len().min(written.len()) / 4).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_near() {
        let known = ["message_size", "connections", "memory"];
        assert_eq!(nearest("mesage_size", known), Some("message_size"));
        assert_eq!(nearest("conections", known), Some("connections"));
        assert_eq!(nearest("memroy", known), Some("memory"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest("x", []), None);
    }
}
