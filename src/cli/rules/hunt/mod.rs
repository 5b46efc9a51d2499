//! `portreeve rules hunt`: which archived mail a rule, an expression or every rule matches, and how well.
//!
//! Judges by the code that judges live mail. Knows how to ask and to list; [`Census`] counts.

mod report;

use super::archived::ArchivedMail;
use super::{RulesOption, load, no_rule, refuse, tell};
use crate::cli::exit::Exit;
use crate::cli::{Shared, terminal};
use crate::clock::{Clock, SystemClock};
use crate::measure::{Census, Judged, Label, text_digest};
use crate::pipeline::finding_event;
use crate::rules::workbench::asking::asking;
use crate::rules::{Finding, Loaded, RuleSet, Score, Undecided};
use serde_json::json;

/// Arguments of `rules hunt`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The rule to look at; without it and --when, all are.
    #[arg(long, value_name = "ID", conflicts_with = "when")]
    rule: Option<String>,
    /// A condition to look at, as a rule of this set might have it.
    #[arg(long, value_name = "EXPRESSION")]
    when: Option<String>,
    /// What the expression would add, for the mails on which it alone would change the action.
    #[arg(
        long,
        value_name = "POINTS",
        requires = "when",
        default_value_t = 0.0,
        allow_negative_numbers = true
    )]
    score: f64,
    /// Which mails to name; by default those that match, where one rule or expression is asked for and
    /// nothing is labelled.
    #[arg(long, value_enum)]
    list: Option<Listed>,
    #[command(flatten)]
    rules: RulesOption,
    #[command(flatten)]
    mail: ArchivedMail,
}

/// Which mails are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Listed {
    /// Those that match.
    Matched,
    /// Those that don't, undecided ones left out.
    Missed,
    /// Those on which it can't be told.
    Undecided,
    /// None: only the figures.
    None,
}

/// What is looked for, and how it is called.
#[derive(Debug, Clone)]
struct Wanted {
    /// The rule's id; `None` for every rule.
    id: Option<String>,
    /// Whether that is an expression, which stands in no file.
    is_expression: bool,
}

/// What one message showed.
struct Seen {
    text: u128,
    judged: Judged,
}

/// Does it.
pub fn run(arguments: &Arguments, shared: &Shared) -> Exit {
    if !arguments.mail.is_named() {
        return super::archived::unnamed();
    }
    let asked = load(&arguments.rules.paths, shared).and_then(|loaded| asked(arguments, loaded, shared));
    match asked {
        Ok((set, wanted)) => hunt(arguments, &set, &wanted, shared),
        Err(exit) => exit,
    }
}

/// The set, with the expression where one is asked for, and what is wanted of it.
fn asked(arguments: &Arguments, loaded: Loaded, shared: &Shared) -> Result<(RuleSet, Wanted), Exit> {
    if let Some(when) = &arguments.when {
        let score = Score::from_points(arguments.score);
        let (asking, id) =
            asking(&loaded.set, when, score, SystemClock.now()).map_err(|problems| refuse(&problems, shared))?;
        tell(&asking.warnings, shared);
        let wanted = Wanted {
            id: Some(id),
            is_expression: true,
        };
        return Ok((asking.set, wanted));
    }
    if let Some(id) = arguments.rule.as_ref().filter(|id| loaded.set.rule(id).is_none()) {
        // 1 would say that something was found.
        let _ = no_rule(id, &loaded.set);
        return Err(Exit::Usage);
    }
    let wanted = Wanted {
        id: arguments.rule.clone(),
        is_expression: false,
    };
    Ok((loaded.set, wanted))
}

fn hunt(arguments: &Arguments, set: &RuleSet, wanted: &Wanted, shared: &Shared) -> Exit {
    let bench = match arguments.mail.bench(shared) {
        Ok(bench) => bench,
        Err(exit) => return exit,
    };
    let listed = arguments.list.unwrap_or(match wanted.id {
        Some(_) if !arguments.mail.is_labelled() => Listed::Matched,
        _ => Listed::None,
    });
    let mut census = Census::new(set.rules().iter().map(|rule| rule.id.as_str()));
    let look = |source: crate::cli::mails::Source| {
        bench.see(source.bytes, |evidence| Seen {
            text: text_digest(evidence.message),
            judged: bench.judge(set, evidence),
        })
    };
    let exit = arguments
        .mail
        .each(shared, listed != Listed::None, look, |label, path, seen| {
            census.add(label, seen.text, &seen.judged);
            list(listed, wanted, (label, path), &seen.judged, shared);
        });
    if census.messages().all().messages > 0 {
        report::print(set, wanted, &census, shared);
    }
    let found = match &wanted.id {
        Some(id) => census.rule(id).map(|counts| counts.matched.all().messages),
        None => Some(census.any().all().messages),
    };
    match found {
        Some(1..) => exit.worse(Exit::Findings),
        _ => exit,
    }
}

impl Wanted {
    /// Whether a rule is asked about. Where every rule is, the expression of nobody is none of them.
    fn is(&self, id: &str) -> bool {
        self.id.as_ref().is_none_or(|wanted| wanted == id)
    }

    fn name(&self) -> &str {
        match &self.id {
            Some(id) if !self.is_expression => id,
            Some(_) => "the expression",
            None => "every rule",
        }
    }
}

/// Names a message, where it is one of those asked for.
fn list(listed: Listed, wanted: &Wanted, (label, path): (Label, &str), judged: &Judged, shared: &Shared) {
    let findings: Vec<&Finding> = judged
        .findings
        .iter()
        .filter(|finding| wanted.is(&finding.rule.id))
        .collect();
    let lacks: Vec<&Undecided> = judged.undecided.iter().filter(|lack| wanted.is(&lack.rule)).collect();
    let is_listed = match listed {
        Listed::Matched => !findings.is_empty(),
        Listed::Missed => findings.is_empty() && lacks.is_empty(),
        Listed::Undecided => !lacks.is_empty(),
        Listed::None => false,
    };
    if !is_listed {
        return;
    }
    if shared.json {
        let events: Vec<_> = findings.iter().map(|finding| finding_event(finding)).collect();
        let lacks: Vec<_> = lacks
            .iter()
            .map(|lack| json!({ "rule": lack.rule, "check": lack.check, "cause": lack.cause }))
            .collect();
        terminal::print_json(&json!({
            "path": path,
            "label": label.as_str(),
            "verdict": judged.action,
            "score": judged.score.points(),
            "findings": events,
            "unknown": lacks,
        }));
    } else {
        terminal::print(&line(wanted, path, judged, &findings, &lacks));
    }
}

fn line(wanted: &Wanted, path: &str, judged: &Judged, findings: &[&Finding], lacks: &[&Undecided]) -> String {
    let path = terminal::plain(path);
    if wanted.id.is_none() {
        let rules: String = findings.iter().map(|finding| format!(" {}", finding.rule.id)).collect();
        return format!("{path}: {} {}{rules}", judged.action.as_str(), judged.score);
    }
    let evidence = findings.iter().flat_map(|finding| &finding.evidence).map(|snippet| {
        let offset = snippet.offset.map(|at| format!(" at byte {at}")).unwrap_or_default();
        format!("{}{offset}: {:?}", snippet.field, terminal::plain(&snippet.text))
    });
    let unknown = lacks
        .iter()
        .map(|lack| format!("{} is unknown ({})", lack.check, lack.cause));
    let told: Vec<String> = evidence.chain(unknown).collect();
    match told.is_empty() {
        true => path,
        false => format!("{path}: {}", told.join("; ")),
    }
}
