//! `portreeve status` and `portreeve reload`.

use super::exit::Exit;
use super::{Shared, gate, terminal};
use crate::daemon::protocol::{Request, Response, Status};

/// Arguments of `reload`.
#[derive(Debug, clap::Args)]
pub struct ReloadArguments {
    /// Take the rules even though a list vanished, emptied or shrank by more than half.
    #[arg(long, conflicts_with = "rearm")]
    force: bool,
    /// Read nothing; have a rule act again that the breaker holds, or `all`.
    #[arg(long, value_name = "RULE", requires = "reason")]
    rearm: Option<String>,
    /// Why a rule is armed again; for the audit log.
    #[arg(long, requires = "rearm")]
    reason: Option<String>,
}

impl ReloadArguments {
    fn request(&self) -> Request {
        match &self.rearm {
            Some(rule) => Request::Rearm {
                rule: Some(rule.clone()).filter(|rule| rule != "all"),
                reason: self.reason.clone().unwrap_or_default(),
            },
            None => Request::Reload { force: self.force },
        }
    }
}

/// How the running gate is.
pub fn run(shared: &Shared) -> Exit {
    match shared.socket().and_then(|socket| gate::ask(&socket, &Request::Status)) {
        Ok((Response::Status(status), _)) => {
            if shared.json {
                terminal::print_json(&status)
            } else {
                print(&status)
            }
            if status.degraded || status.bypass.is_some() || !status.held.is_empty() || status.store != "ready" {
                Exit::Findings
            } else {
                Exit::Fine
            }
        }
        Ok(_) => Exit::Unavailable,
        Err(exit) => exit,
    }
}

fn print(status: &Status) {
    terminal::print(&format!(
        "portreeve {}, process {}, since {}, mode {}",
        status.version, status.pid, status.started, status.mode
    ));
    for listener in &status.listeners {
        terminal::print(&format!("listens    {listener}"));
    }
    for route in &status.routes {
        terminal::print(&format!("route      {route}"));
    }
    terminal::print(&format!("http       {}", status.http));
    terminal::print(&format!(
        "rules      {} active, {} shadow, {} of memory, generation {}",
        status.rules_active,
        status.rules_shadow,
        terminal::bytes(status.rules_bytes),
        status.generation
    ));
    for dropped in &status.dns_lists_dropped {
        terminal::print(&format!("DROPPED    DNS list {dropped}"));
    }
    for held in &status.held {
        terminal::print(&format!("HELD       {held}"));
    }
    terminal::print(&format!("reload     {}", status.last_reload));
    if status.degraded {
        terminal::print("DEGRADED   the present rules do not load; the last good ones serve");
    }
    terminal::print(&format!(
        "entries    {} to allow, {} to block",
        status.allowed, status.blocked
    ));
    if let Some(bypass) = &status.bypass {
        let (until, by, reason) = (bypass.until, &bypass.by, terminal::plain(&bypass.reason));
        terminal::print(&format!(
            "BYPASSED   mail is delivered untouched until {until}, by {by}: {reason}"
        ));
    }
    terminal::print(&format!(
        "store      {}, {} messages held, {} on legal hold",
        status.store, status.quarantined, status.on_hold
    ));
}

/// Has the gate read everything again, or a rule act again.
pub fn reload(arguments: &ReloadArguments, shared: &Shared) -> Exit {
    match shared
        .socket()
        .and_then(|socket| gate::ask(&socket, &arguments.request()))
    {
        Ok((Response::Done { message }, _)) => {
            shared.say(&message);
            Exit::Fine
        }
        Ok(_) => Exit::Unavailable,
        Err(exit) => exit,
    }
}
