//! `portreeve allow`, `block` and `bypass`: levers on the running gate.
//!
//! Words go to the gate as they were typed; what they mean, and whether they may stand, it says.

use super::exit::Exit;
use super::{Shared, gate, terminal};
use crate::daemon::protocol::{Request, Response};
use crate::units::{Span, parse_span};
use crate::verdict::Lever;
use crate::verdict::lever::Kind;
use clap::builder::NonEmptyStringValueParser;

/// Arguments of `allow` and `block`.
#[derive(Debug, clap::Args)]
pub struct EntryArguments {
    /// An address, a network such as 203.0.113.0/24, user@domain, or @domain with all below it.
    #[arg(required_unless_present_any = ["list", "remove"], conflicts_with_all = ["list", "remove"])]
    entry: Option<String>,
    /// Its last day, to that day's end UTC, or a moment such as 2026-12-31T17:00:00Z.
    #[arg(long, value_name = "DATE", required_unless_present_any = ["list", "remove"], conflicts_with_all = ["list", "remove"])]
    until: Option<String>,
    /// Why; it is recorded, and told in every verdict that the entry takes part in.
    #[arg(long, required_unless_present = "list", conflicts_with = "list", value_parser = NonEmptyStringValueParser::new())]
    reason: Option<String>,
    /// The entries in force.
    #[arg(long, conflicts_with = "remove")]
    list: bool,
    /// End this entry before its time.
    #[arg(long, value_name = "ENTRY")]
    remove: Option<String>,
}

/// Arguments of `bypass`.
#[derive(Debug, clap::Args)]
pub struct BypassArguments {
    /// For so long from now, such as 1h30m; at most 24h.
    #[arg(long = "for", value_name = "TIME", value_parser = span, required_unless_present = "end", conflicts_with = "end")]
    span: Option<Span>,
    /// Act on verdicts again.
    #[arg(long)]
    end: bool,
    /// Why; it is recorded.
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    reason: String,
}

fn span(text: &str) -> Result<Span, String> {
    parse_span(text).ok_or_else(|| "no time such as 30m or 1h".into())
}

/// `allow` and `block`.
pub fn entry(kind: Kind, arguments: EntryArguments, shared: &Shared) -> Exit {
    let reason = arguments.reason.unwrap_or_default();
    let request = match (arguments.entry, arguments.remove) {
        (Some(entry), _) => Request::SetEntry {
            kind,
            entry,
            until: arguments.until.unwrap_or_default(),
            reason,
        },
        (None, Some(entry)) => Request::RemoveEntry { kind, entry, reason },
        (None, None) => Request::Entries { kind },
    };
    ask(&request, shared)
}

/// `bypass`.
pub fn bypass(arguments: BypassArguments, shared: &Shared) -> Exit {
    let reason = arguments.reason;
    let request = match arguments.span {
        Some(span) => Request::StartBypass { span, reason },
        None => Request::EndBypass { reason },
    };
    ask(&request, shared)
}

fn ask(request: &Request, shared: &Shared) -> Exit {
    match shared.socket().and_then(|socket| gate::ask(&socket, request)) {
        Ok((Response::Levers { levers }, _)) => {
            terminal::print_each(&levers, shared.json, line);
            if levers.is_empty() { Exit::Findings } else { Exit::Fine }
        }
        Ok((Response::Lever { message, lever }, _)) => {
            if shared.json {
                terminal::print_json(&lever);
            } else {
                shared.say(&message);
            }
            Exit::Fine
        }
        Ok(_) => Exit::Unavailable,
        Err(exit) => exit,
    }
}

fn line(lever: &Lever) -> String {
    let (entry, reason) = (lever.what.entry(), terminal::plain(&lever.reason));
    format!(
        "{entry:<24} until {} by {} since {}: {reason}",
        lever.until, lever.by, lever.since
    )
}
