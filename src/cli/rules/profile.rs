//! `portreeve rules profile`: what rules cost on archived mail, and where the time goes.
//!
//! Times are processor time of the thread that judged, on this machine: compare them with each other.

use super::archived::ArchivedMail;
use super::columns::columns;
use super::{RulesOption, load};
use crate::cli::exit::Exit;
use crate::cli::mails::Source;
use crate::cli::{Shared, terminal};
use crate::clock::thread_cpu_time;
use crate::measure::Cost;
use crate::rules::Memory;
use crate::rules::evaluate::STEPS_MAX;
use crate::rules::workbench::Workbench;
use crate::rules::workbench::profile::Row;
use serde_json::json;
use std::fmt::Write;
use std::time::Duration;

/// Arguments of `rules profile`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// How many rules and how many regexes are shown.
    #[arg(long, value_name = "NUMBER", default_value_t = 15)]
    top: usize,
    #[command(flatten)]
    rules: RulesOption,
    #[command(flatten)]
    mail: ArchivedMail,
}

/// Does it.
pub fn run(arguments: &Arguments, shared: &Shared) -> Exit {
    if !arguments.mail.is_named() {
        return super::archived::unnamed();
    }
    let set = match load(&arguments.rules.paths, shared) {
        Ok(loaded) => loaded.set,
        Err(exit) => return exit,
    };
    let bench = match arguments.mail.bench(shared) {
        Ok(bench) => bench,
        Err(exit) => return exit,
    };
    let reading_the_clock = reading_the_clock();
    let look = |source: Source| bench.profile(&set, source.bytes, &thread_cpu_time, reading_the_clock);
    let mut cost = Cost::default();
    let exit = arguments
        .mail
        .each(shared, false, look, |_, _, of_one| cost.merge(&of_one));
    if cost.rules.messages > 0 {
        if shared.json {
            print_json(&cost, &Workbench::new(&set));
        } else {
            terminal::print(&told(&cost, &Workbench::new(&set), arguments.top));
            terminal::print(&told_of_memory(&set.memory()));
        }
    }
    exit
}

/// What asking for the time costs by itself.
fn reading_the_clock() -> Duration {
    const TRIALS: usize = 1_000;
    let trial = |_| {
        let begun = thread_cpu_time();
        thread_cpu_time().saturating_sub(begun)
    };
    (0..TRIALS).map(trial).min().unwrap_or_default()
}

fn stages(cost: &Cost) -> [(&'static str, &'static str, Duration); 4] {
    [
        ("parsing", "header fields and MIME parts told apart", cost.parsing),
        (
            "reading",
            "text rendered; links and other fields read",
            cost.rules.reading,
        ),
        ("scanning", "literals of all rules looked for", cost.rules.scanning),
        ("deciding", "conditions decided", cost.rules.deciding()),
    ]
}

fn told(cost: &Cost, bench: &Workbench<'_>, top: usize) -> String {
    let mut out = told_of_stages(cost);
    let messages = cost.rules.messages;
    let conditions = cost.rules.conditions(bench);
    let mut rows = vec![heads([
        "rule",
        "us/message",
        "%",
        "longest us",
        "steps/message",
        "most",
        "",
    ])];
    rows.extend(conditions.iter().take(top).map(|row| {
        let is_over = row.spent.steps_most >= STEPS_MAX;
        vec![
            row.name.clone(),
            micros(each(row.spent.time, messages)),
            share(row.spent.time, cost.rules.deciding()),
            micros(row.spent.longest),
            (row.spent.steps / messages.max(1)).to_string(),
            row.spent.steps_most.to_string(),
            if is_over {
                "over its budget".to_owned()
            } else {
                String::new()
            },
        ]
    }));
    let _ = write!(out, "\n{}{}", columns(&rows), more(conditions.len(), top));

    let patterns = cost.rules.patterns(bench);
    if !patterns.is_empty() {
        let mut rows = vec![heads(["regex of", "us/message", "runs", "bytes/run", ""])];
        rows.extend(patterns.iter().take(top).map(|row| pattern(row, messages)));
        let figures = columns(&rows);
        let mut lines = figures.lines();
        let _ = writeln!(out, "\n{}", lines.next().unwrap_or_default());
        for (line, row) in lines.zip(&patterns) {
            let _ = writeln!(out, "{line}\n    {}", shown(row));
        }
        out += &more(patterns.len(), top);
    }
    out
}

/// What the rules take once the regexes that this mail calls for are compiled.
fn told_of_memory(memory: &Memory) -> String {
    let parts = memory
        .parts()
        .map(|(part, bytes)| format!("{part} {}", terminal::bytes(bytes)));
    format!("memory {}: {}", terminal::bytes(memory.total()), parts.join(", "))
}

fn told_of_stages(cost: &Cost) -> String {
    let messages = cost.rules.messages;
    let stages = stages(cost);
    let whole: Duration = stages.iter().map(|(_, _, time)| *time).sum();
    let mut rows = vec![heads(["", "us/message", "%", ""])];
    for (name, what, time) in stages {
        rows.push(vec![
            name.to_owned(),
            micros(each(time, messages)),
            share(time, whole),
            what.to_owned(),
        ]);
    }
    rows.push(vec![
        "all".to_owned(),
        micros(each(whole, messages)),
        share(whole, whole),
        format!(
            "{messages} messages of {} bytes on average",
            cost.bytes / messages.max(1)
        ),
    ]);
    columns(&rows)
}

fn pattern(row: &Row<'_>, messages: u64) -> Vec<String> {
    vec![
        row.name.clone(),
        micros(each(row.spent.time, messages)),
        row.spent.times.to_string(),
        (row.spent.steps / row.spent.times.max(1)).to_string(),
        if row.is_slow { "slow".to_owned() } else { String::new() },
    ]
}

/// A regex as written, on one line.
fn shown(row: &Row<'_>) -> String {
    const SHOWN_CHARACTERS_MAX: usize = 72;
    let words: Vec<&str> = row.pattern.unwrap_or_default().split_whitespace().collect();
    let text = terminal::plain(&words.join(" "));
    match text.char_indices().nth(SHOWN_CHARACTERS_MAX) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text,
    }
}

fn heads<const CELLS: usize>(cells: [&str; CELLS]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

fn more(all: usize, shown: usize) -> String {
    match all.checked_sub(shown) {
        None | Some(0) => String::new(),
        Some(more) => format!("and {more} more\n"),
    }
}

fn each(time: Duration, messages: u64) -> Duration {
    u32::try_from(messages.max(1)).map_or(Duration::ZERO, |messages| time / messages)
}

fn micros(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1e6)
}

fn share(part: Duration, whole: Duration) -> String {
    match whole.is_zero() {
        true => "-".to_owned(),
        false => format!("{:.1}", 100.0 * part.as_secs_f64() / whole.as_secs_f64()),
    }
}

fn print_json(cost: &Cost, bench: &Workbench<'_>) {
    let spent = |row: &Row<'_>| {
        json!({
            "times": row.spent.times,
            "seconds": row.spent.time.as_secs_f64(),
            "longest_seconds": row.spent.longest.as_secs_f64(),
        })
    };
    for row in cost.rules.conditions(bench) {
        let (steps, most) = (row.spent.steps, row.spent.steps_most);
        let spent = spent(&row);
        terminal::print_json(
            &json!({ "rule": row.name, "place": row.place, "spent": spent, "steps": steps, "steps_most": most }),
        );
    }
    for row in cost.rules.patterns(bench) {
        let spent = spent(&row);
        let (rule, pattern, slow, bytes) = (&row.name, row.pattern, row.is_slow, row.spent.steps);
        terminal::print_json(
            &json!({ "pattern": pattern, "rule": rule, "place": row.place, "slow": slow, "spent": spent, "bytes": bytes }),
        );
    }
    let stages: serde_json::Map<String, serde_json::Value> = stages(cost)
        .into_iter()
        .map(|(name, _, time)| (name.to_owned(), time.as_secs_f64().into()))
        .collect();
    let memory = bench.set().memory().parts();
    let memory: serde_json::Map<String, serde_json::Value> = memory
        .into_iter()
        .map(|(part, bytes)| (part.to_owned(), bytes.into()))
        .collect();
    terminal::print_json(&json!({
        "total": { "messages": cost.rules.messages, "bytes": cost.bytes, "seconds": stages, "memory": memory },
    }));
}
