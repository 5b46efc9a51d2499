//! Sections that belong to no single lower module yet: relay, rules, control, disclosure, deadlines.
//!
//! Plain data with the shipped defaults. Knows nothing of files or layers.

use crate::units::Span;
use crate::{smtp, upstream};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// `[relay]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RelaySettings {
    /// Recipient domains that inbound listeners accept; on loopback alone may be empty: then any.
    pub domains: Vec<String>,
}

/// `[rules]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RulesSettings {
    /// Files and folders of rules; the embedded ones when none of them exists.
    pub paths: Vec<PathBuf>,
}

impl Default for RulesSettings {
    fn default() -> Self {
        Self {
            paths: vec!["rules".into()],
        }
    }
}

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

/// `[disclosure]`: what a refusal tells its sender.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DisclosureSettings {
    /// How much a refusal says of its reason.
    pub reply: Disclosure,
    /// Where a refused sender finds help; none when empty.
    pub help: String,
}

/// How much a refusal says of its reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Disclosure {
    /// The category, in words.
    #[default]
    Category,
    /// The rule's name.
    Rule,
    /// Only the id.
    None,
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
    pub pipeline: PipelineDeadlines,
}

/// The pipeline's share of `[deadlines]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PipelineDeadlines {
    /// From the end of the body to our own dot.
    pub judging: Span,
}

impl Default for PipelineDeadlines {
    fn default() -> Self {
        Self {
            judging: Span(Duration::from_secs(45)),
        }
    }
}
