//! `[policy]`: from which score on what is done, and for whom less.
//!
//! Plain data with the shipped defaults. Knows nothing of findings.

use crate::rules::Action;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `[policy]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PolicySettings {
    /// How much of the verdict is acted on.
    pub mode: Mode,
    /// The score from which a message is tagged.
    pub tag: f64,
    /// The score from which it is quarantined.
    pub quarantine: f64,
    /// The score from which it is rejected.
    pub reject: f64,
    /// Least action by check that could not run.
    pub unscanned: BTreeMap<String, Action>,
    /// Policies for some recipients; the first that matches decides.
    pub recipients: Vec<RecipientPolicySettings>,
}

/// How much of the verdict is acted on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Judged and counted, delivered untouched.
    Observe,
    /// At most tagged.
    Tag,
    /// As judged.
    #[default]
    Enforce,
}

impl Mode {
    /// The word in settings, logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Tag => "tag",
            Self::Enforce => "enforce",
        }
    }
}

/// `[[policy.recipients]]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecipientPolicySettings {
    /// The name in reasons and listings.
    pub name: String,
    /// `local@`, `local@domain`, `@domain` or `*`.
    pub r#match: Vec<String>,
    /// Instead of the general mode.
    pub mode: Option<Mode>,
    /// Instead of the general threshold.
    pub tag: Option<f64>,
    /// Instead of the general threshold.
    pub quarantine: Option<f64>,
    /// Instead of the general threshold.
    pub reject: Option<f64>,
    /// The most that is done; malware may still be quarantined.
    pub most: Option<Action>,
}

impl Default for PolicySettings {
    fn default() -> Self {
        let never_rejected = [
            "postmaster@",
            "abuse@",
            "foi@",
            "complaints@",
            "planning@",
            "safeguarding@",
            "elections@",
        ];
        Self {
            mode: Mode::Enforce,
            tag: 5.0,
            quarantine: 8.0,
            reject: 15.0,
            unscanned: BTreeMap::new(),
            recipients: vec![RecipientPolicySettings {
                name: "never rejected on content".to_owned(),
                r#match: never_rejected.map(str::to_owned).to_vec(),
                most: Some(Action::Tag),
                ..RecipientPolicySettings::default()
            }],
        }
    }
}
