//! How the log is written: `[log]`.
//!
//! Plain fields. Knows nothing of what is logged.

use serde::{Deserialize, Serialize};

/// `[log]`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How a line is written.
    pub format: Format,
    /// The least that is written.
    pub level: Level,
}

/// How a line is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One JSON object a line.
    #[default]
    Json,
    /// `key=value` pairs.
    Logfmt,
}

/// How much is written; each includes those before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Only what stopped us.
    Error,
    /// What needs a person.
    Warning,
    /// One line a message, and what else is worth knowing.
    #[default]
    Info,
    /// Our own steps, for finding a fault.
    Debug,
    /// Everything, libraries included.
    Trace,
}

impl Level {
    /// The word in settings and log lines.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}
