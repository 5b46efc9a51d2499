//! `portreeve rules check`: whether rules load, and what their authors should look at.
//!
//! Warnings first, then the sum of it. Knows nothing of how rules are read.

use super::tell;
use crate::cli::exit::Exit;
use crate::cli::{Shared, terminal};
use crate::rules::Loaded;

/// Does it.
pub fn run(loaded: &Loaded, shared: &Shared) -> Exit {
    tell(&loaded.warnings, shared);
    let counts = loaded.set.counts();
    shared.say_unless_json(&format!(
        "{} active, {} shadow, {}",
        terminal::count(counts.active, "rule"),
        counts.shadow,
        terminal::count(loaded.warnings.len(), "warning")
    ));
    if loaded.warnings.is_empty() {
        Exit::Fine
    } else {
        Exit::Findings
    }
}
