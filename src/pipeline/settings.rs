//! The pipeline's share of `[deadlines]`. Plain data with the shipped defaults.

use crate::units::Span;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long judging and keeping may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Deadlines {
    /// From the end of the body to our own dot: waiting for a turn, and judging.
    pub judging: Span,
    /// The store's commit of a quarantined message; then the sender is told to come back.
    pub commit: Span,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            judging: Span(Duration::from_secs(45)),
            commit: Span(Duration::from_secs(30)),
        }
    }
}
