//! `portreeve quarantine`: list, show, release, delete, hold and settle what is kept.
//!
//! Everything goes through the running gate, which audits it.

use super::exit::Exit;
use super::{Shared, gate, terminal};
use crate::daemon::protocol::{Kept, Request, Response};
use crate::store::{QuarantineQuery, State, Summary};
use clap::builder::NonEmptyStringValueParser;
use uuid::Uuid;

/// Arguments of `quarantine`.
#[derive(Debug, clap::Subcommand)]
pub enum Arguments {
    /// What is kept, newest first.
    List {
        /// Only messages in this state: held, undelivered, pending, release_unknown, released, voided, deleted.
        #[arg(long, value_parser = parse_state)]
        state: Option<State>,
        /// Only messages for a recipient containing this.
        #[arg(long)]
        recipient: Option<String>,
        /// Only messages from a sender containing this.
        #[arg(long)]
        sender: Option<String>,
        /// Only messages on legal hold.
        #[arg(long)]
        on_hold: bool,
        /// At most so many.
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// One message: its envelope, and why it is kept.
    Show {
        /// The message's id.
        id: Uuid,
        /// Why you look; it is recorded.
        #[arg(long, value_parser = NonEmptyStringValueParser::new())]
        reason: String,
        /// Print the message itself, byte for byte, instead.
        #[arg(long)]
        raw: bool,
    },
    /// Deliver a message to whom it was meant for.
    Release {
        /// The message's id.
        id: Uuid,
        /// Only to this recipient; may be given several times.
        #[arg(long)]
        recipient: Vec<String>,
        /// Why; it is recorded.
        #[arg(long, value_parser = NonEmptyStringValueParser::new())]
        reason: String,
    },
    /// Remove a message.
    Delete {
        /// The message's id.
        id: Uuid,
        /// Why; it is recorded.
        #[arg(long, value_parser = NonEmptyStringValueParser::new())]
        reason: String,
    },
    /// Put a message on legal hold: nothing removes it, or what was recorded of it, until that is lifted.
    Hold {
        /// The message's id.
        id: Uuid,
        /// Lift the hold.
        #[arg(long)]
        lift: bool,
        /// Why; it is recorded and shown.
        #[arg(long, value_parser = NonEmptyStringValueParser::new())]
        reason: String,
    },
    /// Say what became of a message that a crash left pending or release_unknown. Nothing is sent.
    Settle {
        /// The message's id.
        id: Uuid,
        /// Of a pending one: held, to review it, or voided, since its sender was never told yes. Of a
        /// release_unknown one: released, since upstream has it, or held, since it doesn't.
        #[arg(long = "as", value_name = "STATE", value_parser = parse_decision)]
        state: State,
        /// How you found out; it is recorded.
        #[arg(long, value_parser = NonEmptyStringValueParser::new())]
        reason: String,
    },
    /// Who did what to kept mail and with levers.
    Audit {
        /// Only to this message.
        id: Option<Uuid>,
    },
}

fn parse_state(word: &str) -> Result<State, String> {
    let states = [
        State::Held,
        State::Undelivered,
        State::Pending,
        State::ReleaseUnknown,
        State::Released,
        State::Voided,
        State::Deleted,
    ];
    states
        .into_iter()
        .find(|state| state.as_str() == word)
        .ok_or_else(|| "no such state".into())
}

fn parse_decision(word: &str) -> Result<State, String> {
    parse_state(word)
        .ok()
        .filter(|state| matches!(state, State::Held | State::Voided | State::Released))
        .ok_or_else(|| "held, voided or released".into())
}

/// Asks the gate and prints what it says.
pub fn run(arguments: Arguments, shared: &Shared) -> Exit {
    let raw = matches!(arguments, Arguments::Show { raw: true, .. });
    let request = match arguments {
        Arguments::List {
            state,
            recipient,
            sender,
            on_hold,
            limit,
        } => Request::QuarantineList(QuarantineQuery {
            state,
            recipient,
            sender,
            on_hold,
            limit,
        }),
        Arguments::Show { id, reason, raw } => Request::QuarantineShow { id, reason, body: raw },
        Arguments::Release { id, recipient, reason } => Request::QuarantineRelease {
            id,
            recipients: recipient,
            reason,
        },
        Arguments::Delete { id, reason } => Request::QuarantineDelete { id, reason },
        Arguments::Hold { id, lift, reason } => Request::QuarantineHold { id, lift, reason },
        Arguments::Settle { id, state, reason } => Request::QuarantineSettle { id, state, reason },
        Arguments::Audit { id } => Request::Audit { id },
    };
    let answer = shared.socket().and_then(|socket| gate::ask(&socket, &request));
    match answer {
        Ok((Response::Quarantine { messages }, _)) => list(&messages, shared),
        Ok((Response::Message(_), body)) if raw => {
            terminal::print_raw(&body);
            Exit::Fine
        }
        Ok((Response::Message(kept), _)) => show(&kept, shared),
        Ok((Response::Audit { entries }, _)) => {
            terminal::print_each(&entries, shared.json, |entry| {
                let message = entry.message.map(|id| id.to_string()).unwrap_or_default();
                terminal::plain(&format!(
                    "{} {} {} {message} {:?}: {}",
                    entry.time, entry.actor, entry.act, entry.reason, entry.outcome
                ))
            });
            if entries.is_empty() { Exit::Findings } else { Exit::Fine }
        }
        Ok((Response::Done { message }, _)) => {
            shared.done(&message);
            Exit::Fine
        }
        Ok(_) => Exit::Unavailable,
        Err(exit) => exit,
    }
}

fn list(messages: &[Summary], shared: &Shared) -> Exit {
    terminal::print_each(messages, shared.json, |message| {
        let to = message.recipients.join(",");
        let hold = message
            .hold
            .as_ref()
            .map(|hold| format!(" ON HOLD by {}: {:?}", hold.by, hold.reason))
            .unwrap_or_default();
        format!(
            "{} {:<15} {} {:<20} <{}> -> {} {:?}{hold}",
            message.id,
            message.state.as_str(),
            message.received,
            message.category,
            terminal::plain(&message.reverse_path),
            terminal::plain(&to),
            message.subject
        )
    });
    if messages.is_empty() {
        Exit::Findings
    } else {
        Exit::Fine
    }
}

fn show(kept: &Kept, shared: &Shared) -> Exit {
    if shared.json {
        terminal::print_json(kept);
    } else {
        let (state, route) = (kept.state.as_str(), &kept.route);
        let explanation = terminal::explanation(&kept.event);
        let hold = kept
            .hold
            .as_ref()
            .map(|hold| format!("on hold    by {} since {}: {:?}\n", hold.by, hold.since, hold.reason))
            .unwrap_or_default();
        terminal::print(&format!("state      {state}, route {route}\n{hold}{explanation}"));
    }
    Exit::Fine
}
