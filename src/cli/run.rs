//! `portreeve run`: keeps the gate until told to stop.

use super::exit::Exit;
use super::{Shared, terminal};
use crate::daemon::{self, StartError};

/// Runs the gate.
pub fn run(shared: &Shared) -> Exit {
    let loaded = match shared.load() {
        Ok(loaded) => loaded,
        Err(exit) => return exit,
    };
    match daemon::run(loaded, shared.sources(), shared.quiet) {
        Ok(()) => Exit::Fine,
        Err(error) => {
            terminal::complain(&error.to_string());
            match error {
                StartError::Unusable(_) | StartError::Setting(..) => Exit::Configuration,
                StartError::Unavailable(..) => Exit::Unavailable,
            }
        }
    }
}
