//! The policy, checked: what holds in general and for each recipient.
//!
//! Knows nothing of findings beyond the action that they call for.

use super::score::Thresholds;
use super::settings::{DmarcMode, Mode, RecipientSettings, Settings};
use crate::evidence::{DmarcFailure, Wish};
use crate::mail::Address;
use crate::rules::{Action, Score};
use crate::telemetry::UnscannedEvent;
use std::collections::BTreeMap;
use std::fmt;

/// A policy that was checked.
#[derive(Debug, Clone)]
pub struct Policy {
    general: Terms,
    recipients: Vec<(Vec<Pattern>, RecipientSettings)>,
    unscanned: BTreeMap<String, Action>,
    dmarc: DmarcMode,
}

/// What holds for one recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) thresholds: Thresholds,
    mode: Mode,
    most: Option<Action>,
}

/// A setting that can't stand; the key names it within `[policy]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyError {
    /// Such as `recipients.2.match`.
    pub key: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "policy.{}: {}", self.key, self.message)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    Everyone,
    Local(String),
    Domain(String),
    Mailbox(String, String),
}

impl Policy {
    /// Checks settings.
    ///
    /// # Errors
    /// Every setting that can't stand.
    pub fn new(settings: &Settings) -> Result<Self, Vec<PolicyError>> {
        let mut errors = Vec::new();
        let thresholds = ordered(settings.tag, settings.quarantine, settings.reject);
        if thresholds.is_none() {
            errors.push(error(
                "tag",
                "thresholds must be positive and rise: tag <= quarantine <= reject",
            ));
        }
        let mut recipients = Vec::new();
        for (place, entry) in settings.recipients.iter().enumerate() {
            let key = format!("recipients.{place}");
            let patterns: Vec<_> = entry.r#match.iter().map(|text| (text, Pattern::parse(text))).collect();
            for (text, _) in patterns.iter().filter(|(_, pattern)| pattern.is_none()) {
                let message = format!("{text:?} is none of \"local@\", \"local@domain\", \"@domain\", \"*\"");
                errors.push(error(&format!("{key}.match"), &message));
            }
            let (tag, quarantine) = (
                entry.tag.unwrap_or(settings.tag),
                entry.quarantine.unwrap_or(settings.quarantine),
            );
            if ordered(tag, quarantine, entry.reject.unwrap_or(settings.reject)).is_none() {
                errors.push(error(
                    &key,
                    "thresholds must be positive and rise: tag <= quarantine <= reject",
                ));
            }
            recipients.push((
                patterns.into_iter().filter_map(|(_, pattern)| pattern).collect(),
                entry.clone(),
            ));
        }
        match thresholds {
            Some(thresholds) if errors.is_empty() => Ok(Self {
                general: Terms {
                    thresholds,
                    mode: settings.mode,
                    most: None,
                },
                recipients,
                unscanned: settings.unscanned.clone(),
                dmarc: settings.dmarc,
            }),
            _ => Err(errors),
        }
    }

    /// The mode that holds where no recipient's policy says otherwise.
    pub const fn mode(&self) -> Mode {
        self.general.mode
    }

    /// The points from which each action follows, in general.
    pub const fn thresholds(&self) -> Thresholds {
        self.general.thresholds
    }

    pub(super) const fn general(&self) -> &Terms {
        &self.general
    }

    /// The strictest floor that the checks which could not run call for, and which check it is.
    pub(super) fn floor_of<'p>(&'p self, unscanned: &[UnscannedEvent]) -> Option<(Action, &'p str)> {
        let floors = unscanned
            .iter()
            .filter_map(|missed| self.unscanned.get_key_value(&missed.check));
        floors.map(|(check, action)| (*action, check.as_str())).max()
    }

    /// Whether it matters if a message fails the policy of its author's domain.
    pub fn asks_dmarc(&self) -> bool {
        self.dmarc != DmarcMode::Off
    }

    /// What follows from such a failure, and in words why.
    pub(super) fn after(&self, failure: &DmarcFailure) -> Option<(Action, String)> {
        let wished = match failure.wish {
            Wish::None => return None,
            Wish::Quarantine => Action::Quarantine,
            Wish::Reject => Action::Reject,
        };
        let whose = format!("DMARC: nobody vouches for it in the name of {}", failure.domain);
        let done = match self.dmarc {
            DmarcMode::Off => return None,
            DmarcMode::Shadow => {
                let reason = format!(
                    "{whose}; its policy would have it at least {}, in shadow",
                    wished.as_str()
                );
                return Some((Action::Deliver, reason));
            }
            DmarcMode::Quarantine => wished.min(Action::Quarantine),
            DmarcMode::Reject => wished,
        };
        Some((done, format!("{whose}: at least {}", done.as_str())))
    }

    /// Every entry that matches applies, later over earlier; of ceilings the lowest holds.
    pub(super) fn terms_for(&self, address: &Address) -> Terms {
        let mut terms = self.general;
        for (patterns, entry) in &self.recipients {
            if patterns.iter().any(|pattern| pattern.matches(address)) {
                terms.mode = entry.mode.unwrap_or(terms.mode);
                terms.most = terms.most.into_iter().chain(entry.most).min();
                let points = |points: Option<f64>, otherwise: Score| points.map_or(otherwise, Score::from_points);
                terms.thresholds = Thresholds {
                    tag: points(entry.tag, terms.thresholds.tag),
                    quarantine: points(entry.quarantine, terms.thresholds.quarantine),
                    reject: points(entry.reject, terms.thresholds.reject),
                };
            }
        }
        terms
    }
}

impl Terms {
    /// The action after ceiling and mode.
    pub(super) fn held_to(&self, action: Action, malware: bool) -> Action {
        let action = self.most.map_or(action, |most| under(most, action, malware));
        match self.mode {
            Mode::Observe => Action::Deliver,
            Mode::Tag => action.min(Action::Tag),
            Mode::Enforce => action,
        }
    }
}

/// The action under a ceiling, which never keeps malware from being quarantined.
pub(super) fn under(most: Action, action: Action, malware: bool) -> Action {
    action.min(if malware { most.max(Action::Quarantine) } else { most })
}

impl Pattern {
    fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Everyone);
        }
        let (local, domain) = text.rsplit_once('@')?;
        let (local, domain) = (local.to_lowercase(), domain.to_lowercase());
        match (local.is_empty(), domain.is_empty()) {
            (false, true) => Some(Self::Local(local)),
            (true, false) => Some(Self::Domain(domain)),
            (false, false) => Some(Self::Mailbox(local, domain)),
            (true, true) => None,
        }
    }

    fn matches(&self, address: &Address) -> bool {
        let local_is = |local: &str| address.local_part().eq_ignore_ascii_case(local);
        match self {
            Self::Everyone => true,
            Self::Local(local) => local_is(local),
            Self::Domain(domain) => address.domain().is_some_and(|own| own.is_within(domain)),
            Self::Mailbox(local, domain) => {
                local_is(local) && address.domain().is_some_and(|own| own.as_str() == domain)
            }
        }
    }
}

fn ordered(tag: f64, quarantine: f64, reject: f64) -> Option<Thresholds> {
    let rising = tag > 0.0 && tag <= quarantine && quarantine <= reject && reject.is_finite();
    rising.then(|| Thresholds {
        tag: Score::from_points(tag),
        quarantine: Score::from_points(quarantine),
        reject: Score::from_points(reject),
    })
}

fn error(key: &str, message: &str) -> PolicyError {
    PolicyError {
        key: key.into(),
        message: message.into(),
    }
}
