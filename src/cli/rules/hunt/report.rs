//! The figures of a hunt: a table of all rules, or all that was counted of one.

use super::Wanted;
use crate::cli::rules::columns::{columns, percent};
use crate::cli::rules::per_rule::{
    MESSAGES, TEXTS, facts, is_labelled, labelled_rows, labelled_shares, labels, matched, name, object, remarks, row,
    told,
};
use crate::cli::{Shared, terminal};
use crate::measure::{Census, Count, Label, RuleCounts, Share, precision};
use crate::rules::{Action, RuleInfo, RuleSet, Status};
use serde_json::{Map, json};
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

fn all(set: &RuleSet, census: &Census) -> String {
    let mut out = String::new();
    for label in labels(census) {
        let Count { messages, texts } = census.messages().of(label);
        out += &format!("{}: {}, {texts} distinct texts\n", label.as_str(), told(messages));
    }
    let matched = matched(census);
    if is_labelled(census) {
        for (head, way) in [("by message", MESSAGES), ("by distinct text", TEXTS)] {
            let mut rows = labelled_rows(head, set, census, way);
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
            let mut cells = vec![name(id, set)];
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
    out += &remarks(set, census);
    out
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
    let asked = census.rules().filter(|(id, _)| wanted.is(id));
    for object in asked.filter_map(|(id, counts)| Some(object(set.rule(id)?, counts, census))) {
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
