//! `portreeve config show`: what the settings are and where each comes from.

use super::exit::Exit;
use super::{Shared, terminal};

/// Arguments of `config`.
#[derive(Debug, clap::Subcommand)]
pub enum Arguments {
    /// Every setting at its effective value.
    Show {
        /// And the file and line, or the variable, that set it.
        #[arg(long)]
        origin: bool,
    },
}

/// Prints them.
pub fn run(arguments: Arguments, shared: &Shared) -> Exit {
    let Arguments::Show { origin } = arguments;
    match shared.load() {
        Ok(loaded) => {
            terminal::print_each(&loaded.rows(), shared.json, |row| {
                if origin {
                    format!("{} = {}  # {}", row.setting, row.value, row.origin)
                } else {
                    format!("{} = {}", row.setting, row.value)
                }
            });
            Exit::Fine
        }
        Err(exit) => exit,
    }
}
