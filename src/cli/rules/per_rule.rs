//! What was counted of each rule, as `hunt` and `measure` tell it: a table of all that matched, or an object each.
//!
//! A [`Census`] in, words and figures out.

use super::columns::percent;
use crate::measure::{Census, Count, Label, RuleCounts, Share, precision};
use crate::rules::{RuleInfo, RuleSet, Status};
use serde_json::{Map, Value, json};

/// Whether anybody said what any of it is.
pub fn is_labelled(census: &Census) -> bool {
    let messages = |label| census.messages().of(label).messages;
    messages(Label::Spam) + messages(Label::Ham) > 0
}

/// Labels that some message has.
pub fn labels(census: &Census) -> Vec<Label> {
    let has = |label: &Label| census.messages().of(*label).messages > 0;
    Label::ALL.into_iter().filter(has).collect()
}

/// So many messages.
pub fn told(messages: u64) -> String {
    let s = if messages == 1 { "" } else { "s" };
    format!("{messages} message{s}")
}

/// Cells of a row.
pub fn row<const CELLS: usize>(cells: [&str; CELLS]) -> Vec<String> {
    cells.into_iter().map(str::to_owned).collect()
}

/// Rules that matched, the most frequent first.
pub fn matched(census: &Census) -> Vec<(&str, &RuleCounts)> {
    let mut matched: Vec<(&str, &RuleCounts)> = census
        .rules()
        .filter(|(_, counts)| counts.matched.all().messages > 0)
        .collect();
    // Of equals the order of the set stays.
    matched.sort_by_key(|(_, counts)| std::cmp::Reverse(counts.matched.all().messages));
    matched
}

fn is_shadow(id: &str, set: &RuleSet) -> bool {
    set.rule(id).is_some_and(|rule| rule.status == Status::Shadow)
}

/// A rule's id, marked where it only watches.
pub fn name(id: &str, set: &RuleSet) -> String {
    match is_shadow(id, set) {
        true => format!("{id}*"),
        false => id.to_owned(),
    }
}

/// A row for each rule that matched labelled mail, below the heads.
pub fn labelled_rows(head: &str, set: &RuleSet, census: &Census, way: Way) -> Vec<Vec<String>> {
    let mut rows = vec![row([head, "spam", "ham", "spam%", "ham%", "prec%", "sole spam", "ham"])];
    for (id, counts) in matched(census) {
        let mut cells = vec![name(id, set)];
        cells.extend(labelled_shares(&counts.matched, census, way));
        let sole = [Label::Spam, Label::Ham].map(|label| way(counts.sole_cause.of(label)).to_string());
        cells.extend(sole);
        rows.push(cells);
    }
    rows
}

/// What figures mustn't be read without.
pub fn remarks(set: &RuleSet, census: &Census) -> String {
    let mut out = String::new();
    if matched(census).iter().any(|(id, _)| is_shadow(id, set)) {
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
pub type Way = fn(Count) -> u64;
/// Of messages.
pub const MESSAGES: Way = |count| count.messages;
/// Of distinct texts.
pub const TEXTS: Way = |count| count.texts;

/// How many of each label, their shares, and the precision.
pub fn labelled_shares(matched: &Share, census: &Census, way: Way) -> Vec<String> {
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

/// The facts for want of which a rule stayed undecided.
pub fn facts(counts: &RuleCounts) -> String {
    let facts = counts.lacked.iter();
    let facts: Vec<String> = facts
        .map(|((check, cause), messages)| format!("{check} {messages} ({cause})"))
        .collect();
    facts.join(", ")
}

/// A rule's figures as an object.
pub fn object(rule: &RuleInfo, counts: &RuleCounts, census: &Census) -> Map<String, Value> {
    let (messages, texts) = precision(&counts.matched);
    let mut object = Map::new();
    object.insert("rule".into(), rule.id.as_str().into());
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
    object
}
