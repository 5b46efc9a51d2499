//! `portreeve rules check`: whether rules load, and what their authors should look at.
//!
//! The warnings were told when the rules were loaded; here is the sum of it.

use crate::cli::Shared;
use crate::cli::exit::Exit;
use crate::rules::Loaded;

/// Does it.
pub fn run(loaded: &Loaded, shared: &Shared) -> Exit {
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
