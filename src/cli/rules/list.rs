//! `portreeve rules list`: every rule, or those of a kind, a line each.
//!
//! Knows nothing of what rules say.

use super::{Paths, describe, tree, with_rules};
use crate::cli::exit::Exit;
use crate::cli::{Shared, terminal};
use crate::rules::{Category, RuleInfo, Status};
use clap::builder::PossibleValuesParser;
use std::sync::Arc;

/// Arguments of `rules list`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Only rules of this category.
    #[arg(long, value_parser = PossibleValuesParser::new(Category::ALL.map(Category::as_str)))]
    category: Option<String>,
    /// Only rules of this status.
    #[arg(long, value_parser = PossibleValuesParser::new([Status::Active.as_str(), Status::Shadow.as_str()]))]
    status: Option<String>,
    /// Only rules with this tag.
    #[arg(long)]
    tag: Option<String>,
    /// Say where each stands, in place of what it is about.
    #[arg(long)]
    places: bool,
    #[command(flatten)]
    paths: Paths,
}

/// Does it. None at all is what an empty search is: 1.
pub fn run(arguments: &Arguments, shared: &Shared) -> Exit {
    with_rules(&arguments.paths, shared, |loaded| {
        let rules = loaded.set.rules().iter();
        let found: Vec<&Arc<RuleInfo>> = rules.filter(|rule| is_wanted(rule, arguments)).collect();
        for rule in &found {
            match shared.json {
                true => terminal::print_json(&describe(rule, &loaded.set)),
                false => tree::print(&[tree::Line::plain(line(rule, arguments.places))]),
            }
        }
        if found.is_empty() { Exit::Findings } else { Exit::Fine }
    })
}

fn is_wanted(rule: &RuleInfo, arguments: &Arguments) -> bool {
    let is = |wanted: &Option<String>, word: &str| wanted.as_deref().is_none_or(|wanted| wanted == word);
    let tagged = |tag: &String| rule.tags.contains(tag);
    is(&arguments.category, rule.category.as_str())
        && is(&arguments.status, rule.status.as_str())
        && arguments.tag.as_ref().is_none_or(tagged)
}

fn line(rule: &RuleInfo, places: bool) -> String {
    let rest = match places {
        true => format!("{}:{}", rule.file, rule.line),
        false => rule.summary.clone(),
    };
    format!(
        "{:<32} {:<6} {:>5} {:<8} {:<20} {rest}",
        rule.id,
        rule.status.as_str(),
        rule.score.to_string(),
        rule.severity.as_str(),
        rule.category.as_str(),
    )
}
