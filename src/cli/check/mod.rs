//! `portreeve check`: looks for everything that could hurt before it does.
//!
//! Settings, rules and their tests, certificates and what DNS tells the world of them, the store, and upstream:
//! does it answer, and does it refuse mail for a domain that is nobody's? Changes nothing that lasts.

mod certificates;
mod cutover;
mod facts;
mod mta_sts;
mod published;
mod senders;
mod web;

use super::exit::Exit;
use super::{Shared, terminal};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::daemon::{self, Provenance};
use crate::mail::{Address, Client, Recipient};
use crate::telemetry::Telemetry;
use crate::upstream::Upstreams;
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;

/// One thing looked at.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Line {
    check: &'static str,
    result: Outcome,
    message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Fine,
    Warning,
    Failed,
}

/// Checks everything and says what it found.
pub fn run(shared: &Shared) -> Exit {
    let loaded = match shared.load() {
        Ok(loaded) => loaded,
        Err(exit) => return exit,
    };
    let mut lines = vec![line("settings", Outcome::Fine, "they load")];
    lines.extend(
        loaded
            .warnings
            .iter()
            .map(|warning| line("settings", Outcome::Warning, warning.to_string())),
    );
    let config = loaded.config;
    rules(&config, &mut lines);
    let shown = certificates::load(&config, &mut lines);
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(async {
            store(&config, &mut lines).await;
            upstreams(&config, &mut lines).await;
            published::compare(&config, shown, &mut lines).await;
            senders::try_out(&config, &mut lines).await;
        }),
        Err(error) => lines.push(line("upstream", Outcome::Failed, error.to_string())),
    }
    told(&lines, shared)
}

fn told(lines: &[Line], shared: &Shared) -> Exit {
    for line in lines
        .iter()
        .filter(|line| !shared.quiet || line.result != Outcome::Fine)
    {
        if shared.json {
            terminal::print_json(line);
        } else {
            let mark = match line.result {
                Outcome::Fine => "fine   ",
                Outcome::Warning => "WARNING",
                Outcome::Failed => "FAILED ",
            };
            terminal::print(&format!("{mark} {:<11} {}", line.check, line.message));
        }
    }
    // Only what would keep the gate from serving, or senders from coming, is a configuration failure; an
    // upstream that is down today is a finding.
    if lines.iter().any(|line| line.result == Outcome::Failed) {
        Exit::Configuration
    } else if lines.iter().any(|line| line.result == Outcome::Warning) {
        Exit::Findings
    } else {
        Exit::Fine
    }
}

fn line(check: &'static str, result: Outcome, message: impl Into<String>) -> Line {
    Line {
        check,
        result,
        message: message.into(),
    }
}

fn rules(config: &Config, lines: &mut Vec<Line>) {
    match daemon::load_rules(config, SystemClock.now()) {
        Ok((loaded, provenance)) => {
            let counts = loaded.set.counts();
            let place = if provenance == Provenance::Embedded {
                " (the shipped ones in the binary)"
            } else {
                ""
            };
            let told = format!("{} active, {} shadow{place}", counts.active, counts.shadow);
            lines.push(line("rules", Outcome::Fine, told));
            let warnings = loaded
                .warnings
                .iter()
                .map(|warning| line("rules", Outcome::Warning, warning.render(false)));
            lines.extend(warnings);
            match daemon::test_rules(&loaded.set) {
                Ok(reports) => {
                    let failed = reports.iter().filter(|report| !report.passed());
                    lines.extend(failed.map(|report| line("rules", Outcome::Failed, daemon::describe(report))));
                }
                Err(why) => lines.push(line("rules", Outcome::Failed, why.to_string())),
            }
            if let Err(why) = daemon::criteria_with(config, Arc::new(loaded.set)) {
                lines.push(line("policy", Outcome::Failed, why.to_string()));
            }
        }
        Err(why) => lines.push(line("rules", Outcome::Failed, why.to_string())),
    }
}

async fn store(config: &Config, lines: &mut Vec<Line>) {
    // Opening would make it, and a check by root would leave root's files where the gate has to write.
    if let Some(file) = config.store.file().filter(|file| !file.exists()) {
        let place = file.display();
        return lines.push(match may_make(&file) {
            Ok(()) => line(
                "store",
                Outcome::Fine,
                format!("{place} is not there yet: the gate makes it at its start"),
            ),
            Err(error) => line("store", Outcome::Failed, format!("{place} can't be made: {error}")),
        });
    }
    lines.push(match crate::store::open(&config.store, Telemetry::default()).await {
        Ok(_) => line("store", Outcome::Fine, format!("{} opens", config.store.url)),
        Err(error) => line("store", Outcome::Failed, error.to_string()),
    });
}

/// Whether files can be made where this one is to be, or in the folder that its own will be made in.
fn may_make(file: &Path) -> std::io::Result<()> {
    let folder = file.ancestors().skip(1).find(|folder| folder.exists());
    let probe = folder
        .unwrap_or(Path::new(""))
        .join(format!(".portreeve-check-{}", std::process::id()));
    std::fs::File::create_new(&probe)?;
    std::fs::remove_file(probe)
}

async fn upstreams(config: &Config, lines: &mut Vec<Line>) {
    let upstreams = match daemon::upstreams(config, &Telemetry::default()) {
        Ok(upstreams) => upstreams,
        Err(why) => return lines.push(line("upstream", Outcome::Failed, why.to_string())),
    };
    foreign_recipient(&upstreams, lines).await;
}

/// Says MAIL and a RCPT that nobody serves to each route, and no more. Where clients are stated, it is for an
/// unknown one.
async fn foreign_recipient(upstreams: &Upstreams, lines: &mut Vec<Line>) {
    for route in upstreams.routes() {
        let (reply, leg) = route.open(&Client::default(), None, &[]).await;
        let Some(mut leg) = leg else {
            let told = format!("{}: {reply}", route.describe());
            lines.push(line("upstream", Outcome::Warning, told));
            continue;
        };
        lines.push(line("upstream", Outcome::Fine, format!("{} answers", route.describe())));
        let foreign = Recipient {
            address: Address::from_checked("portreeve-check@nobody.invalid"),
            parameters: Vec::new(),
        };
        if !route.is_local() && leg.rcpt(&foreign).await.is_success() {
            let told = format!(
                "{} takes mail for any domain from us: only the relay guard stands before it",
                route.name()
            );
            lines.push(line("upstream", Outcome::Warning, told));
        }
    }
}
