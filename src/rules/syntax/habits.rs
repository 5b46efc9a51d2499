//! Words of other languages for signs, methods and units of this one.
//!
//! Tables only. Knows nothing of expressions; decides nothing.

/// Words that people put between two operands, and the methods that they are here.
const METHODS: &[(&str, &str)] = &[
    ("contains", "contains"),
    ("icontains", "icontains"),
    ("has", "contains"),
    ("includes", "contains"),
    ("starts_with", "starts_with"),
    ("startswith", "starts_with"),
    ("istarts_with", "istarts_with"),
    ("ends_with", "ends_with"),
    ("endswith", "ends_with"),
    ("iends_with", "iends_with"),
    ("iequals", "iequals"),
    ("matches", "matches"),
    ("match", "matches"),
    ("regex", "matches"),
    ("regexp", "matches"),
    ("rlike", "matches"),
    ("similar_to", "similar_to"),
];

/// Words for operators that are signs here.
const SIGNS: &[(&str, &str)] = &[
    ("eq", "=="),
    ("equals", "=="),
    ("ne", "!="),
    ("lt", "<"),
    ("gt", ">"),
    ("le", "<="),
    ("lte", "<="),
    ("ge", ">="),
    ("gte", ">="),
];

/// Units as other people write them. What is a unit here isn't among them.
const UNITS: &[(&str, &str)] = &[
    ("k", "KB"),
    ("K", "KB"),
    ("kb", "KB"),
    ("Kb", "KB"),
    ("M", "MB"),
    ("mb", "MB"),
    ("Mb", "MB"),
    ("G", "GB"),
    ("g", "GB"),
    ("gb", "GB"),
    ("Gb", "GB"),
    ("bytes", "B"),
    ("sec", "s"),
    ("secs", "s"),
    ("second", "s"),
    ("seconds", "s"),
    ("min", "m"),
    ("mins", "m"),
    ("minute", "m"),
    ("minutes", "m"),
    ("hr", "h"),
    ("hrs", "h"),
    ("hour", "h"),
    ("hours", "h"),
    ("day", "d"),
    ("days", "d"),
    ("week", "w"),
    ("weeks", "w"),
];

/// Words of other languages that begin a statement.
pub(super) const STATEMENTS: [&str; 9] = [
    "case", "if", "when", "where", "return", "let", "select", "rule", "unless",
];

/// The method that a word is.
pub(super) fn method(word: &str) -> Option<&'static str> {
    let word = word.to_lowercase();
    METHODS
        .iter()
        .find(|(habit, _)| *habit == word)
        .map(|(_, method)| *method)
}

/// The sign that a word in small letters is.
pub(super) fn sign(word: &str) -> Option<&'static str> {
    SIGNS.iter().find(|(habit, _)| *habit == word).map(|(_, sign)| *sign)
}

/// The unit that a word is.
pub(super) fn unit(word: &str) -> Option<&'static str> {
    UNITS.iter().find(|(habit, _)| *habit == word).map(|(_, unit)| *unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{parse_size, parse_span};

    #[test]
    fn units_lead_to_units_of_ours_and_are_none() {
        for (foreign, ours) in UNITS {
            let known =
                |unit: &str| parse_size(&format!("5{unit}")).is_some() || parse_span(&format!("5{unit}")).is_some();
            assert!(known(ours) && !known(foreign), "{foreign}");
        }
    }
}
