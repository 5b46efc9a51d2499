//! `[policy]`: thresholds, mode, and what recipients are owed.
//!
//! Plain fields in, a checked [`Policy`](super::Policy) out elsewhere. Knows nothing of files.

use crate::rules::Action;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How far the gate acts on its verdicts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Judge and count, deliver unmarked.
    Observe,
    /// At most tag.
    Tag,
    /// Do what the verdict says.
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

/// How far the policies that authors' domains publish (DMARC) are carried out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DmarcMode {
    /// Not at all: rules may still ask about them.
    #[default]
    Off,
    /// What they would do is told and not done.
    Shadow,
    /// Where one wants mail refused, it is kept.
    Quarantine,
    /// As they want it.
    Reject,
}

/// `[policy]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How far verdicts are acted on.
    pub mode: Mode,
    /// Points from which a message is tagged.
    pub tag: f64,
    /// Points from which it is quarantined.
    pub quarantine: f64,
    /// Points from which it is refused, given a finding of severity high or critical.
    pub reject: f64,
    /// How far policies of authors' domains are carried out.
    pub dmarc: DmarcMode,
    /// What some recipients are owed; every entry that matches applies, later ones over earlier.
    pub recipients: Vec<RecipientSettings>,
    /// The least that is done when a check could not run, by check.
    pub unscanned: BTreeMap<String, Action>,
}

/// `[[policy.recipients]]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecipientSettings {
    /// Named in reasons and in the settings' own merge.
    pub name: String,
    /// `local@`, `local@domain`, `@domain` (and below), or `*`.
    pub r#match: Vec<String>,
    /// Instead of the policy's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Instead of the policy's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<f64>,
    /// Instead of the policy's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<f64>,
    /// Instead of the policy's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reject: Option<f64>,
    /// Never more than this; malware may still be quarantined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most: Option<Action>,
}

impl Default for Settings {
    fn default() -> Self {
        let statutory = [
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
            dmarc: DmarcMode::Off,
            recipients: vec![RecipientSettings {
                name: "never rejected on content".into(),
                r#match: statutory.map(String::from).to_vec(),
                most: Some(Action::Tag),
                ..RecipientSettings::default()
            }],
            unscanned: BTreeMap::from([("judging".into(), Action::Quarantine)]),
        }
    }
}
