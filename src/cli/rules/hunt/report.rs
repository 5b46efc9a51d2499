//! The figures of a hunt: a table of all rules, or all that was counted of one.

use super::Wanted;
use crate::cli::rules::columns::{columns, percent};
use crate::cli::{Shared, terminal};
use crate::measure::{Census, Count, Label, RuleCounts, Share, precision};
use crate::rules::{Action, RuleInfo, RuleSet, Status};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// At most so many partners of a rule are shown to people.
const PARTNERS_SHOWN: usize = 8;
/// Actions of which it is told how many messages got them or a stronger one.
const STEPS: [Action; 3] = [Action::Tag, Action::Quarantine, Action::Reject];

/// Prints them.
pub fn print(set: &RuleSet, wanted: &Wanted, census: &Census, shared: &Shared) {
    if shared.json {
        print_json(set, wanted, census);
    } else if shared.quiet {
        // The mails that match were the result.
    } else {
        match wanted
            .id
            .as_ref()
            .and_then(|id| Some((set.rule(id)?, census.rule(id)?)))
        {
            Some((rule, counts)) => terminal::print(&one(wanted, rule, counts, census)),
            None => terminal::print(&all(set, census)),
        }
    }
}

fn is_labelled(census: &Census) -> bool {
    let messages = |label| census.messages().of(label).messages;
    messages(Label::Spam) + messages(Label::Ham) > 0
}

/// Labels that some message has.
fn labels(census: &Census) -> Vec<Label> {
    let has = |label: &Label| census.messages().of(*label).messages > 0;
    Label::ALL.into_iter().filter(has).collect()
}

fn told(messages: u64) -> String {
    let s = if messages == 1 { "" } else { "s" };
    format!("{messages} message{s}")
}

fn row<const CELLS: usize>(cells: [&str; CELLS]) -> Vec<String> {
    cells.into_iter().map(str::to_owned).collect()
}

fn all(set: &RuleSet, census: &Census) -> String {
    let mut out = String::new();
    for label in labels(census) {
        let Count { messages, texts } = census.messages().of(label);
        out += &format!("{}: {}, {texts} distinct texts\n", label.as_str(), told(messages));
    }
    let mut matched: Vec<(&str, &RuleCounts)> = census
        .rules()
        .filter(|(_, counts)| counts.matched.all().messages > 0)
        .collect();
    // Of equals the order of the set stays.
    matched.sort_by_key(|(_, counts)| std::cmp::Reverse(counts.matched.all().messages));
    let is_shadow = |id: &str| set.rule(id).is_some_and(|rule| rule.status == Status::Shadow);
    let name = |id: &str| if is_shadow(id) { format!("{id}*") } else { id.to_owned() };
    if is_labelled(census) {
        for (head, way) in [("by message", MESSAGES), ("by distinct text", TEXTS)] {
            let mut rows = vec![row([head, "spam", "ham", "spam%", "ham%", "prec%", "sole spam", "ham"])];
            for (id, counts) in &matched {
                let mut cells = vec![name(id)];
                cells.extend(labelled_shares(&counts.matched, census, way));
                let sole = [Label::Spam, Label::Ham].map(|label| way(counts.sole_cause.of(label)).to_string());
                cells.extend(sole);
                rows.push(cells);
            }
            rows.push(Vec::new());
            rows.extend(STEPS.map(|action| {
                let mut cells = vec![format!("{} or more", action.as_str())];
                cells.extend(labelled_shares(&census.at_least(action), census, way));
                cells
            }));
            out += &format!("\n{}", columns(&rows));
        }
    } else {
        let mut rows = vec![row(["", "messages", "%", "texts", "%", "sole"])];
        for (id, counts) in &matched {
            let mut cells = vec![name(id)];
            cells.extend(shares(&counts.matched, census));
            cells.push(counts.sole_cause.all().messages.to_string());
            rows.push(cells);
        }
        rows.push(Vec::new());
        rows.extend(STEPS.map(|action| {
            let mut cells = vec![format!("{} or more", action.as_str())];
            cells.extend(shares(&census.at_least(action), census));
            cells
        }));
        out += &format!("\n{}", columns(&rows));
    }
    out.push('\n');
    out += &remarks(census, matched.iter().any(|(id, _)| is_shadow(id)));
    out
}

/// What figures mustn't be read without.
fn remarks(census: &Census, has_shadow: bool) -> String {
    let mut out = String::new();
    if has_shadow {
        out += "* in shadow; sole: what it would change if it acted\n";
    }
    for (id, counts) in census.rules() {
        if !counts.lacked.is_empty() {
            let undecided = told(counts.undecided.all().messages);
            out += &format!("{id} undecided on {undecided}: {}\n", facts(counts));
        }
    }
    let silent = |counts: &RuleCounts| counts.matched.all().messages + counts.undecided.all().messages == 0;
    let silent = census.rules().filter(|(_, counts)| silent(counts)).count();
    if silent > 0 {
        let s = if silent == 1 { "" } else { "s" };
        out += &format!("{silent} rule{s} matched nothing\n");
    }
    out
}

/// A count as it is told: of messages, or of distinct texts.
type Way = fn(Count) -> u64;
const MESSAGES: Way = |count| count.messages;
const TEXTS: Way = |count| count.texts;

fn labelled_shares(matched: &Share, census: &Census, way: Way) -> Vec<String> {
    let share = |(of_messages, of_texts): (Option<f64>, Option<f64>)| {
        let is_of_texts = way(Count { messages: 0, texts: 1 }) == 1;
        percent(if is_of_texts { of_texts } else { of_messages })
    };
    let of = |label| matched.of(label);
    let all = |label| census.messages().of(label);
    vec![
        way(of(Label::Spam)).to_string(),
        way(of(Label::Ham)).to_string(),
        share(of(Label::Spam).percent(all(Label::Spam))),
        share(of(Label::Ham).percent(all(Label::Ham))),
        share(precision(matched)),
    ]
}

fn shares(matched: &Share, census: &Census) -> Vec<String> {
    let count = matched.all();
    let (of_messages, of_texts) = count.percent(census.messages().all());
    vec![
        count.messages.to_string(),
        percent(of_messages),
        count.texts.to_string(),
        percent(of_texts),
    ]
}

/// The facts for want of which a rule stayed undecided.
fn facts(counts: &RuleCounts) -> String {
    let facts = counts.lacked.iter();
    let facts: Vec<String> = facts
        .map(|((check, cause), messages)| format!("{check} {messages} ({cause})"))
        .collect();
    facts.join(", ")
}

fn one(wanted: &Wanted, rule: &Arc<RuleInfo>, counts: &RuleCounts, census: &Census) -> String {
    let matched = counts.matched.all();
    let all = census.messages().all();
    let mut out = format!(
        "{} matches {} of {}, {} of {} distinct texts\n",
        wanted.name(),
        matched.messages,
        told(all.messages),
        matched.texts,
        all.texts
    );
    if is_labelled(census) {
        out += &by_label(counts, census);
    }
    let sole = counts.sole_cause.all();
    if wanted.is_expression && rule.score.0 == 0 {
        // Without points it causes nothing.
    } else {
        let would = match rule.status {
            Status::Active => "alone changes",
            Status::Shadow => "would alone change",
        };
        out += &format!(
            "it {would} the action of {}, distinct texts {}{}\n",
            told(sole.messages),
            sole.texts,
            split(&counts.sole_cause, census)
        );
    }
    out += &undecided(counts, census);
    let partners = census.partners(counts);
    if !partners.is_empty() {
        out += "with it:";
        for partner in partners.iter().take(PARTNERS_SHOWN) {
            let both = Count {
                messages: partner.both,
                texts: 0,
            };
            let (share, _) = both.percent(matched);
            out += &format!(" {} {} ({}%)", partner.rule, partner.both, percent(share));
        }
        if partners.len() > PARTNERS_SHOWN {
            out += &format!(" and {} more", partners.len() - PARTNERS_SHOWN);
        }
        out.push('\n');
    }
    out
}

fn by_label(counts: &RuleCounts, census: &Census) -> String {
    let mut rows = vec![row(["", "matched", "messages", "%", "matched", "texts", "%"])];
    for label in labels(census) {
        let (count, whole) = (counts.matched.of(label), census.messages().of(label));
        let (messages, texts) = count.percent(whole);
        rows.push(vec![
            label.as_str().to_owned(),
            count.messages.to_string(),
            whole.messages.to_string(),
            percent(messages),
            count.texts.to_string(),
            whole.texts.to_string(),
            percent(texts),
        ]);
    }
    let (messages, texts) = precision(&counts.matched);
    rows.push(row(["precision", "", "", &percent(messages), "", "", &percent(texts)]));
    columns(&rows)
}

fn undecided(counts: &RuleCounts, census: &Census) -> String {
    let Count { messages, .. } = counts.undecided.all();
    if messages == 0 {
        return String::new();
    }
    format!(
        "it stayed undecided on {}{}, for want of: {}\n",
        told(messages),
        split(&counts.undecided, census),
        facts(counts)
    )
}

/// How a count divides among spam and ham.
fn split(share: &Share, census: &Census) -> String {
    match is_labelled(census) {
        true => {
            let of = |label| share.of(label).messages;
            format!(" ({} spam, {} ham)", of(Label::Spam), of(Label::Ham))
        }
        false => String::new(),
    }
}

fn print_json(set: &RuleSet, wanted: &Wanted, census: &Census) {
    for (id, counts) in census.rules().filter(|(id, _)| wanted.is(id)) {
        let Some(rule) = set.rule(id) else {
            continue;
        };
        let (messages, texts) = precision(&counts.matched);
        let mut object = Map::new();
        object.insert("rule".into(), id.into());
        object.insert("status".into(), rule.status.as_str().into());
        object.insert("score".into(), rule.score.points().into());
        for label in labels(census) {
            let of = json!({
                "of": census.messages().of(label),
                "matched": counts.matched.of(label),
                "undecided": counts.undecided.of(label),
                "sole_cause": counts.sole_cause.of(label),
            });
            object.insert(label.as_str().into(), of);
        }
        object.insert("precision".into(), json!({ "messages": messages, "texts": texts }));
        let lacked = counts.lacked.iter();
        let unknown: Vec<Value> = lacked
            .map(|((check, cause), messages)| json!({ "check": check, "cause": cause, "messages": messages }))
            .collect();
        object.insert("unknown".into(), unknown.into());
        let partners = census.partners(counts);
        let overlap: Vec<Value> = partners
            .iter()
            .map(|partner| json!({ "rule": partner.rule, "messages": partner.both }))
            .collect();
        object.insert("overlap".into(), overlap.into());
        terminal::print_json(&object);
    }
    let mut object = Map::new();
    for label in labels(census) {
        let mut counts = Map::new();
        counts.insert("all".into(), json!(census.messages().of(label)));
        for action in STEPS {
            counts.insert(
                format!("{}_or_more", action.as_str()),
                json!(census.at_least(action).of(label)),
            );
        }
        object.insert(label.as_str().into(), counts.into());
    }
    terminal::print_json(&json!({ "total": object }));
}
