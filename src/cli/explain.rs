//! `portreeve explain`: why a message gets, or got, its verdict.
//!
//! By id it tells the explanation as it was at the time, from the journal; by file what today's
//! rules say.

use super::exit::Exit;
use super::{Shared, gate, mails, scan, terminal};
use crate::daemon::protocol::{Request, Response};
use crate::store::JournalQuery;
use std::path::PathBuf;
use uuid::Uuid;

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// A message's file, - for standard input, or the id of a message that was judged.
    mail: String,
}

/// Explains.
pub fn run(arguments: &Arguments, shared: &Shared) -> Exit {
    match arguments.mail.parse::<Uuid>() {
        Ok(id) => by_id(id, shared),
        Err(_) => by_file(PathBuf::from(&arguments.mail), shared),
    }
}

fn by_id(id: Uuid, shared: &Shared) -> Exit {
    let query = JournalQuery {
        id: Some(id),
        limit: 1,
        ..JournalQuery::default()
    };
    match shared
        .socket()
        .and_then(|socket| gate::ask(&socket, &Request::JournalSearch(query)))
    {
        Ok((Response::Journal { records }, _)) => match records.first() {
            Some(record) => {
                if shared.json {
                    terminal::print_json(record)
                } else {
                    terminal::print(&terminal::explanation(record))
                }
                if record.verdict == "deliver" {
                    Exit::Fine
                } else {
                    Exit::Findings
                }
            }
            None => {
                terminal::complain(&format!("the journal has no message {id}; it may have aged out"));
                Exit::Findings
            }
        },
        Ok(_) => Exit::Unavailable,
        Err(exit) => exit,
    }
}

fn by_file(path: PathBuf, shared: &Shared) -> Exit {
    let criteria = match shared.criteria() {
        Ok(criteria) => criteria,
        Err(exit) => return exit,
    };
    let mut exit = Exit::Fine;
    let unread = mails::for_each(&[path], |source| {
        let path = source.path.clone();
        let event = scan::judge(source, &criteria);
        if shared.json {
            terminal::print_json(&scan::Line::of(&path, &event));
        } else {
            let place = terminal::plain(&path);
            terminal::print(&format!("{:<10} {place}\n{}", "path", terminal::explanation(&event)));
        }
        if event.verdict != "deliver" {
            exit = exit.worse(Exit::Findings);
        }
    });
    exit.worse(mails::told(&unread))
}
