//! `portreeve history forget`: has the running gate forget what it remembers of somebody.
//!
//! The gate audits it. Whom it was about stands nowhere afterwards, but in the reason where that names them.

use super::exit::Exit;
use super::{Shared, gate};
use crate::daemon::protocol::{Request, Response};
use clap::builder::NonEmptyStringValueParser;

/// Arguments of `history`.
#[derive(Debug, clap::Subcommand)]
pub enum Arguments {
    /// Forget an address, with whom it wrote to and who wrote to it, or a domain with its bank details.
    ///
    /// Only what is remembered for rules: the journal and the quarantine keep theirs.
    Forget {
        /// user@domain or @domain. Addresses of a domain are forgotten one by one.
        whom: String,
        /// Why; it is recorded.
        #[arg(long, value_parser = NonEmptyStringValueParser::new())]
        reason: String,
    },
}

/// Asks the gate and prints what it says.
pub fn run(arguments: Arguments, shared: &Shared) -> Exit {
    let Arguments::Forget { whom, reason } = arguments;
    let request = Request::HistoryForget { whom, reason };
    match shared.socket().and_then(|socket| gate::ask(&socket, &request)) {
        Ok((Response::Done { message }, _)) => {
            shared.done(&message);
            Exit::Fine
        }
        Ok(_) => Exit::Unavailable,
        Err(exit) => exit,
    }
}
