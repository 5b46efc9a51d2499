//! `[rules]`: where rules are. Plain data with the shipped defaults.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `[rules]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Files and folders of rules, packs first, the house's own last. When this is the default and
    /// the folder isn't there, the shipped rules inside the binary serve.
    pub paths: Vec<PathBuf>,
    /// Folder where the last good rules are kept, for a start with broken ones.
    pub last_good: PathBuf,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            paths: vec!["rules".into()],
            last_good: "var/last-good-rules".into(),
        }
    }
}
