//! How the strings of some fields are always written, so that a comparison with anything else is told to be idle.
//!
//! One row a field, by its name in the schema. Fields that may hold any string have none. Knows nothing of
//! expressions.

use super::Field;

/// How a field's strings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wording {
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// In small letters.
    Small,
    /// In small letters, without the dot before it.
    SmallAndBare,
}

/// RFC 8601 §2.7, of all methods together.
const RESULTS: &[&str] = &[
    "none",
    "neutral",
    "pass",
    "fail",
    "softfail",
    "policy",
    "temperror",
    "permerror",
];

const ROWS: &[(&str, Wording)] = &[
    ("direction", Wording::OneOf(&["inbound", "outbound"])),
    ("auth.spf", Wording::OneOf(RESULTS)),
    ("auth.dkim", Wording::OneOf(RESULTS)),
    ("auth.dmarc", Wording::OneOf(RESULTS)),
    ("auth.arc", Wording::OneOf(RESULTS)),
    ("auth.dmarc_policy", Wording::OneOf(&["none", "quarantine", "reject"])),
    ("link.origin", Wording::OneOf(&["body", "header"])),
    ("attachment.kind", Wording::Small),
    ("attachment.extension", Wording::SmallAndBare),
    ("attachment.sha256", Wording::Small),
    ("part.charset", Wording::Small),
    ("domain.tld", Wording::SmallAndBare),
];

/// How the strings of a field are written; `None` where they may be any.
pub fn wording(field: &Field) -> Option<Wording> {
    let row = ROWS.iter().find(|(name, _)| *name == field.name);
    row.map(|(_, wording)| *wording)
}

impl Wording {
    /// Whether a string may be the field's.
    pub fn admits(self, text: &str) -> bool {
        let is_small = !text.contains(char::is_uppercase);
        match self {
            Self::OneOf(words) => text.is_empty() || words.contains(&text),
            Self::Small => is_small,
            Self::SmallAndBare => is_small && !text.starts_with('.'),
        }
    }

    /// Of a string that can't be the field's: what it may be written as, if that is plain.
    pub fn mended(self, text: &str) -> Option<String> {
        let small = text.to_lowercase();
        let mended = match self {
            Self::OneOf(_) | Self::Small => small,
            Self::SmallAndBare => small.trim_start_matches('.').to_owned(),
        };
        (!mended.is_empty() && self.admits(&mended)).then_some(mended)
    }

    /// What to say of it.
    pub fn said(self) -> String {
        match self {
            Self::OneOf(words) => format!("it is one of {}", words.join(", ")),
            Self::Small => "it is written in small letters".to_owned(),
            Self::SmallAndBare => "it is written in small letters, without a dot before it".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::schema::{ADDRESS, DOMAIN, FIELDS, RECORDS};

    #[test]
    fn every_row_is_of_a_field() {
        let records = RECORDS.iter().flat_map(|(_, fields)| fields.iter());
        let fields = FIELDS.iter().chain(records).chain(DOMAIN).chain(ADDRESS);
        let names: Vec<&str> = fields.map(|field| field.name).collect();
        for (name, _) in ROWS {
            assert!(names.contains(name), "{name}");
        }
    }

    #[test]
    fn what_is_written_otherwise_is_mended_where_that_is_plain() {
        for (wording, text, mended) in [
            (Wording::OneOf(RESULTS), "Pass", Some("pass")),
            (Wording::OneOf(RESULTS), "valid", None),
            (Wording::Small, "PDF", Some("pdf")),
            (Wording::SmallAndBare, ".RU", Some("ru")),
            (Wording::SmallAndBare, ".", None),
        ] {
            assert!(!wording.admits(text), "{text}");
            assert_eq!(wording.mended(text).as_deref(), mended, "{text}");
        }
        for (wording, text) in [
            (Wording::OneOf(RESULTS), "softfail"),
            (Wording::OneOf(RESULTS), ""),
            (Wording::Small, ".x"),
            (Wording::SmallAndBare, "tar.gz"),
        ] {
            assert!(wording.admits(text), "{text}");
        }
    }
}
