//! The figures of a hunt: a table of all rules, or all that was counted of one.

use super::Wanted;
use crate::cli::rules::columns::{columns, percent};
use crate::cli::{Shared, terminal};
use crate::measure::{Census, Count, Label, RuleCounts, Share, precision};
use crate::rules::{Action, RuleInfo, RuleSet};
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
    out.push('\n');
    let mut counted: Vec<(&str, &RuleCounts)> = census.rules().collect();
    // Of equals the order of the set stays.
    counted.sort_by_key(|(_, counts)| std::cmp::Reverse(counts.matched.all().messages));
    let labelled = is_labelled(census);
    let mut rows = vec![heads("rule", labelled)];
    let says_something = |counts: &RuleCounts| counts.matched.all().messages + counts.undecided.all().messages > 0;
    let silent = counted.iter().filter(|(_, counts)| !says_something(counts)).count();
    for (id, counts) in counted.into_iter().filter(|(_, counts)| says_something(counts)) {
        let mut cells = vec![id.to_owned()];
        cells.extend(shares(&counts.matched, census, labelled));
        cells.extend(solely(&counts.sole_cause, labelled));
        cells.push(counts.undecided.all().messages.to_string());
        cells.push(match set.rule(id) {
            Some(rule) => remarks(rule, counts),
            None => String::new(),
        });
        rows.push(cells);
    }
    if rows.len() > 1 {
        out += &columns(&rows);
    }
    out += &format!("{silent} rules matched nothing\n\n");
    let mut rows = vec![heads("action", labelled)];
    for action in STEPS {
        let mut cells = vec![format!("{} or more", action.as_str())];
        cells.extend(shares(&census.at_least(action), census, labelled));
        rows.push(cells);
    }
    rows.iter_mut()
        .for_each(|cells| cells.truncate(if labelled { 9 } else { 5 }));
    out += &columns(&rows);
    out
}

fn heads(first: &str, labelled: bool) -> Vec<String> {
    let mut heads = vec![first.to_owned()];
    heads.extend(match labelled {
        true => row([
            "spam",
            "ham",
            "spam%",
            "ham%",
            "precision",
            "texts: spam%",
            "ham%",
            "precision",
            "sole: spam",
            "ham",
        ])
        .to_vec(),
        false => row(["messages", "%", "texts", "%", "sole"]).to_vec(),
    });
    heads.extend(row(["undecided", ""]));
    heads
}

/// How much of what a count is.
fn shares(matched: &Share, census: &Census, labelled: bool) -> Vec<String> {
    if !labelled {
        let count = matched.all();
        let (of_messages, of_texts) = count.percent(census.messages().all());
        return vec![
            count.messages.to_string(),
            percent(of_messages),
            count.texts.to_string(),
            percent(of_texts),
        ];
    }
    let (spam, ham) = (matched.of(Label::Spam), matched.of(Label::Ham));
    let of_spam = spam.percent(census.messages().of(Label::Spam));
    let of_ham = ham.percent(census.messages().of(Label::Ham));
    let precise = precision(matched);
    vec![
        spam.messages.to_string(),
        ham.messages.to_string(),
        percent(of_spam.0),
        percent(of_ham.0),
        percent(precise.0),
        percent(of_spam.1),
        percent(of_ham.1),
        percent(precise.1),
    ]
}

fn solely(sole: &Share, labelled: bool) -> Vec<String> {
    match labelled {
        true => [Label::Spam, Label::Ham]
            .map(|label| sole.of(label).messages.to_string())
            .to_vec(),
        false => vec![sole.all().messages.to_string()],
    }
}

/// What a figure mustn't be read without.
fn remarks(rule: &RuleInfo, counts: &RuleCounts) -> String {
    let mut remarks = Vec::new();
    if rule.status != crate::rules::Status::Active {
        remarks.push(rule.status.as_str().to_owned());
    }
    if !counts.lacked.is_empty() {
        let facts: Vec<String> = counts
            .lacked
            .keys()
            .map(|(check, cause)| format!("{check} ({cause})"))
            .collect();
        remarks.push(format!("unknown: {}", facts.join(", ")));
    }
    remarks.join("; ")
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
            crate::rules::Status::Active => "alone changes",
            crate::rules::Status::Shadow => "would alone change",
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
    let facts: Vec<String> = counts
        .lacked
        .iter()
        .map(|((check, cause), messages)| format!("{check} {messages} ({cause})"))
        .collect();
    format!(
        "it stayed undecided on {}{}, for want of: {}\n",
        told(messages),
        split(&counts.undecided, census),
        facts.join(", ")
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
