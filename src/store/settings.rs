//! `[store]`: where what lasts is kept, and for how long; and the opening of what it names.
//!
//! A URL enters, a [`Store`] leaves, or the reason why not in words for an operator. Knows nothing
//! of who asks for expiry, or when.

use super::{HistorySettings, MemoryStore, SqliteStore, Store};
use crate::telemetry::Telemetry;
use crate::units::Span;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// `[store]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// `sqlite:PATH`, relative to the working directory, or `memory:`, which keeps nothing.
    pub url: String,
    /// How long each kind of record is kept.
    pub retention: Retention,
    /// What is remembered of correspondents.
    pub history: HistorySettings,
}

/// `[store.retention]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// From a message's receipt to the removal of its quarantine record, body and all.
    pub quarantine: Span,
    /// From a message's receipt to the removal of its journal record.
    pub journal: Span,
    /// From an act to the removal of its entry in the audit log.
    pub audit: Span,
    /// From the last that was heard of a correspondent to forgetting them.
    pub history: Span,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            url: "sqlite:var/portreeve.db".to_owned(),
            retention: Retention::default(),
            history: HistorySettings::default(),
        }
    }
}

impl Default for Retention {
    fn default() -> Self {
        const DAY: Duration = Duration::from_hours(24);
        Self {
            quarantine: Span(DAY * 30),
            journal: Span(DAY * 90),
            // Seven years, two leap days among them.
            audit: Span(DAY * (7 * 365 + 2)),
            // A year and a month, so that yearly bills meet the one before.
            history: Span(DAY * 400),
        }
    }
}

impl Settings {
    /// The file that the store is, or will be, in; `None` for one without, or a URL that names none.
    pub fn file(&self) -> Option<PathBuf> {
        match target(&self.url) {
            Ok(Target::Sqlite(path)) => Some(path),
            Ok(Target::Memory) | Err(_) => None,
        }
    }
}

/// Opens the store that `settings` names, creating it where there is none.
///
/// # Errors
/// [`OpenError`], in words for an operator.
pub async fn open(settings: &Settings, telemetry: Telemetry) -> Result<Arc<dyn Store>, OpenError> {
    match target(&settings.url)? {
        Target::Memory => Ok(Arc::new(MemoryStore::default())),
        Target::Sqlite(path) => Ok(Arc::new(SqliteStore::open(path, telemetry).await?)),
    }
}

/// Why the store could not be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpenError {
    /// `url` isn't one that this version knows; what is wrong with it.
    Url(String),
    /// A newer version wrote the database: its schema, and the newest one known here.
    Newer {
        /// The database.
        path: PathBuf,
        /// `PRAGMA user_version` of the file.
        found: i64,
        /// The newest that this version knows.
        known: i64,
    },
    /// The file is a database, but of another program's.
    Foreign(PathBuf),
    /// The file can't be used: missing permission, damage, no database at all, a full disk.
    Unusable {
        /// The database.
        path: PathBuf,
        /// What the machine or SQLite says.
        why: String,
    },
}

impl OpenError {
    /// The file can't be used, for this reason.
    pub(super) fn unusable(path: &Path, why: impl fmt::Display) -> Self {
        Self::Unusable {
            path: path.to_owned(),
            why: why.to_string(),
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(why) => write!(formatter, "[store] url: {why}"),
            Self::Newer { path, found, known } => write!(
                formatter,
                "{}: this database was written by a newer portreeve (schema {found}; this one knows {known})",
                path.display()
            ),
            Self::Foreign(path) => write!(formatter, "{}: this is another program's database", path.display()),
            Self::Unusable { path, why } => write!(formatter, "{}: cannot be used as a store: {why}", path.display()),
        }
    }
}

impl std::error::Error for OpenError {}

/// What a URL names.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    Memory,
    Sqlite(PathBuf),
}

fn target(url: &str) -> Result<Target, OpenError> {
    let (scheme, rest) = url.split_once(':').unwrap_or((url, ""));
    match scheme {
        "memory" if rest.is_empty() && url.ends_with(':') => Ok(Target::Memory),
        "sqlite" => {
            let path = rest.strip_prefix("//").unwrap_or(rest);
            if path.is_empty() || path.starts_with(':') || path.contains(['?', '#', '\0']) || path.ends_with('/') {
                return Err(OpenError::Url(format!(
                    "{url:?} names no plain file; write \"sqlite:PATH\", such as \"sqlite:var/portreeve.db\""
                )));
            }
            Ok(Target::Sqlite(PathBuf::from(path)))
        }
        // The rest may hold a password, so it isn't repeated.
        "postgres" | "postgresql" => Err(OpenError::Url(
            "PostgreSQL comes in a later version; this one knows \"sqlite:PATH\"".to_owned(),
        )),
        _ => Err(OpenError::Url(
            "this is no store; write \"sqlite:PATH\", such as \"sqlite:var/portreeve.db\"".to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_stores() {
        for (url, path) in [
            ("sqlite:var/portreeve.db", "var/portreeve.db"),
            ("sqlite:///srv/portreeve.db", "/srv/portreeve.db"),
            ("sqlite:/srv/portreeve.db", "/srv/portreeve.db"),
        ] {
            assert_eq!(target(url), Ok(Target::Sqlite(PathBuf::from(path))), "{url}");
        }
        assert_eq!(target("memory:"), Ok(Target::Memory));
        for url in [
            "",
            "memory",
            "memory:x",
            "sqlite",
            "sqlite:",
            "sqlite://",
            "sqlite::memory:",
            "sqlite:a?mode=ro",
            "sqlite:var/",
            "var/portreeve.db",
        ] {
            assert!(target(url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_later_store_is_refused_without_its_password() {
        let refused = target("postgres://portreeve:secret@db/portreeve").expect_err("not in this version");
        let text = refused.to_string();
        assert!(text.contains("later version"), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }

    #[test]
    fn settings_are_read_as_documented() {
        let read: Settings = toml::from_str("[retention]\njournal = \"7d\"").expect("known keys");
        let expected = Settings {
            retention: Retention {
                journal: Span(Duration::from_hours(7 * 24)),
                ..Retention::default()
            },
            ..Settings::default()
        };
        assert_eq!(read, expected);
        assert_eq!(Retention::default().quarantine.to_string(), "30d");
        assert_eq!(Retention::default().journal.to_string(), "90d");
        assert_eq!(Retention::default().audit.to_string(), "2557d");
        assert!(toml::from_str::<Settings>("path = \"x\"").is_err());
    }

    #[tokio::test]
    async fn a_store_is_opened_by_its_url() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("var/store.db");
        let url = |url: String| Settings {
            url,
            ..Settings::default()
        };
        let on_disk = url(format!("sqlite:{}", path.display()));
        let store = open(&on_disk, Telemetry::default()).await.expect("opens");
        assert!(path.is_file());
        store.close().await;
        open(&url("memory:".to_owned()), Telemetry::default())
            .await
            .expect("opens");
        std::fs::write(&path, "garbage").expect("written");
        let refused = open(&on_disk, Telemetry::default()).await.err().expect("is refused");
        assert!(
            refused.to_string().starts_with(&path.display().to_string()),
            "{refused}"
        );
    }
}
