//! `portreeve rules check`: whether rules load, and what their authors should look at.
//!
//! Warnings first, then the sum of it. Knows nothing of how rules are read.

use super::tell;
use crate::cli::Shared;
use crate::cli::exit::Exit;
use crate::rules::Loaded;

/// Does it.
pub fn run(loaded: &Loaded, shared: &Shared) -> Exit {
    tell(&loaded.warnings, shared);
    let counts = loaded.set.counts();
    shared.say_unless_json(&format!(
        "{} rules active, {} shadow, {} warnings",
        counts.active,
        counts.shadow,
        loaded.warnings.len()
    ));
    if loaded.warnings.is_empty() {
        Exit::Fine
    } else {
        Exit::Findings
    }
}
