//! `portreeve journal search`: what happened to mail, and why.

use super::exit::Exit;
use super::{Shared, gate, terminal};
use crate::daemon::protocol::{Request, Response};
use crate::store::JournalQuery;
use jiff::Timestamp;
use uuid::Uuid;

/// Arguments of `journal`.
#[derive(Debug, clap::Subcommand)]
pub enum Arguments {
    /// Find records; every condition given must hold.
    Search {
        /// This message.
        #[arg(long)]
        id: Option<Uuid>,
        /// Sender containing this.
        #[arg(long)]
        from: Option<String>,
        /// A recipient containing this.
        #[arg(long)]
        to: Option<String>,
        /// Received at or after, such as 2026-11-23T09:00:00Z.
        #[arg(long)]
        since: Option<Timestamp>,
        /// Received at or before.
        #[arg(long)]
        until: Option<Timestamp>,
        /// This verdict: deliver, tag, defer, quarantine, reject.
        #[arg(long, value_parser = crate::rules::Action::ALL.map(crate::rules::Action::as_str))]
        verdict: Option<String>,
        /// At most so many, newest first.
        #[arg(long, default_value_t = 100)]
        limit: u32,
        /// Each with its whole explanation.
        #[arg(long)]
        explain: bool,
    },
}

/// Asks the gate and prints what it says.
pub fn run(arguments: Arguments, shared: &Shared) -> Exit {
    let Arguments::Search {
        id,
        from,
        to,
        since,
        until,
        verdict,
        limit,
        explain,
    } = arguments;
    let query = JournalQuery {
        id,
        sender: from,
        recipient: to,
        since,
        until,
        verdict,
        limit,
    };
    match shared
        .socket()
        .and_then(|socket| gate::ask(&socket, &Request::JournalSearch(query)))
    {
        Ok((Response::Journal { records }, _)) => {
            terminal::print_each(&records, shared.json, |record| {
                if explain {
                    return terminal::explanation(record);
                }
                let to: Vec<&str> = record
                    .recipients
                    .iter()
                    .map(|recipient| recipient.address.as_str())
                    .collect();
                let line = format!(
                    "{} {} {} -> {}: <{}> -> {} {:?} {}",
                    record.id,
                    record.time,
                    record.verdict,
                    record.action,
                    record.from,
                    to.join(","),
                    record.subject,
                    record.reply
                );
                terminal::plain(&line)
            });
            if records.is_empty() { Exit::Findings } else { Exit::Fine }
        }
        Ok(_) => Exit::Unavailable,
        Err(exit) => exit,
    }
}
