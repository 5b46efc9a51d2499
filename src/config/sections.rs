//! Sections that belong to no single lower module: the control socket, and the deadlines of several.
//!
//! Plain data with the shipped defaults. Knows nothing of files or layers.

use crate::{pipeline, smtp, upstream};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `[control]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ControlSettings {
    /// The socket that the command line speaks to; mode 0600.
    pub socket: PathBuf,
}

impl Default for ControlSettings {
    fn default() -> Self {
        Self {
            socket: "var/portreeve.sock".into(),
        }
    }
}

/// `[deadlines]`: one table for the administrator, a share of it for each module.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Deadlines {
    /// The session with the client.
    pub session: smtp::Deadlines,
    /// The session with upstream.
    pub upstream: upstream::Deadlines,
    /// What happens between the two.
    pub pipeline: pipeline::Deadlines,
}
