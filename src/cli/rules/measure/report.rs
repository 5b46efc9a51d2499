//! The figures of a measurement: a table by set, one by what decided, and on request one by rule.
//!
//! Counts in; rows, or an object each, out.

use super::Results;
use super::folders::Folder;
use crate::cli::rules::columns::columns;
use crate::cli::rules::per_rule::{MESSAGES, TEXTS, Way, labelled_rows, object, remarks, row};
use crate::cli::{Shared, terminal};
use crate::measure::{Count, Label, Outcomes, Set};
use crate::rules::{Action, Category, Status};
use crate::verdict::Thresholds;
use serde_json::{Map, Value, json};

/// Actions of which it is told how much got them or a stronger one.
const STEPS: [Action; 3] = [Action::Tag, Action::Quarantine, Action::Reject];
/// Longer names of sets are cut short for people.
const NAME_MOST: usize = 32;

/// Prints them.
pub fn print(results: &Results<'_>, thresholds: &Thresholds, by_rule: bool, shared: &Shared) {
    if shared.json {
        print_json(results, thresholds);
    } else if !shared.quiet {
        terminal::print(&told(results, thresholds, by_rule));
    }
}

fn told(results: &Results<'_>, thresholds: &Thresholds, by_rule: bool) -> String {
    let rules = results.set.rules().iter();
    let shadow = rules.filter(|rule| rule.status == Status::Shadow).count();
    let mut out = format!(
        "{} rules act, {shadow} in shadow; tag from {}, quarantine from {}, reject from {}\n",
        results.set.rules().len() - shadow,
        thresholds.tag,
        thresholds.quarantine,
        thresholds.reject
    );
    let ways: [(&str, Way); 2] = [("distinct text", TEXTS), ("message", MESSAGES)];
    let labels = [Label::Spam, Label::Ham];
    let totals: Vec<&Outcomes> = labels
        .into_iter()
        .filter_map(|label| results.sets.total(label))
        .collect();
    for (of, way) in ways {
        for total in &totals {
            out += &format!("\n{}", columns(&by_set(results, total, of, way)));
        }
    }
    for total in totals {
        let rows = by_category(results, total);
        if rows.len() > 1 {
            out += &format!("\n{}", columns(&rows));
        }
    }
    if by_rule {
        let rows = labelled_rows("rules by distinct text", results.set, &results.census, TEXTS);
        out += &format!("\n{}\n{}", columns(&rows), remarks(results.set, &results.census));
    }
    out
}

/// The given folders of a label that hold mail, each with its name.
fn folders<'r>(results: &'r Results<'_>, label: Label) -> impl Iterator<Item = (&'r Folder, &'r Set)> {
    let folders = results.folders.iter().zip(results.sets.folders());
    folders.filter(move |(folder, set)| folder.label == label && set.outcomes.all().messages > 0)
}

fn by_set(results: &Results<'_>, total: &Outcomes, of: &str, way: Way) -> Vec<Vec<String>> {
    let label = total.label();
    let counted = if of == "message" { "messages" } else { "texts" };
    let mut rows = vec![row([
        &format!("{} by {of}", label.as_str()),
        counted,
        "tag+",
        "%",
        "quarantine+",
        "%",
        "reject+",
        "%",
    ])];
    let line = |name: &str, outcomes: &Outcomes| {
        let mut cells = vec![short(name), way(outcomes.all()).to_string()];
        cells.extend(
            STEPS
                .iter()
                .flat_map(|action| shares(outcomes.at_least(*action), outcomes.all(), way)),
        );
        cells
    };
    let mut count = 0;
    for (folder, set) in folders(results, label) {
        count += 1;
        rows.push(line(&folder.name, &set.outcomes));
        let below = results.sets.below(set.folder);
        rows.extend(below.map(|set| line(&format!("  {}", set.below), &set.outcomes)));
    }
    if count > 1 {
        rows.push(line(&format!("all {}", label.as_str()), total));
    }
    rows
}

/// What decided, and in which of the given folders; where nothing was done, nothing did.
fn by_category(results: &Results<'_>, total: &Outcomes) -> Vec<Vec<String>> {
    let label = total.label();
    let head = format!("{} by category", label.as_str());
    let mut rows = vec![row([&head, "tag+", "%", "quarantine+", "%", "reject+", "%"])];
    let line = |name: &str, outcomes: &Outcomes, category| {
        let mut cells = vec![short(name)];
        let steps = STEPS.iter().map(|action| outcomes.decided_by(category, *action));
        cells.extend(steps.flat_map(|count| shares(count, outcomes.all(), TEXTS)));
        cells
    };
    let several = folders(results, label).count() > 1;
    let texts = |category| total.decided_by(category, Action::Tag).texts;
    let mut categories = decisive(total);
    categories.sort_by_key(|category| std::cmp::Reverse(texts(*category)));
    for category in categories {
        rows.push(line(category.map_or("none", Category::as_str), total, category));
        // Of one folder alone the figures are those above.
        let folders = folders(results, label).filter(|_| several);
        for (folder, set) in folders {
            if set.outcomes.decided_by(category, Action::Tag).messages > 0 {
                rows.push(line(&format!("  {}", folder.name), &set.outcomes, category));
            }
        }
    }
    rows
}

/// The categories that decided anything.
fn decisive(outcomes: &Outcomes) -> Vec<Option<Category>> {
    let all = Category::ALL.into_iter().map(Some).chain([None]);
    all.filter(|category| outcomes.decided_by(*category, Action::Tag).messages > 0)
        .collect()
}

/// A count and its share, to a hundredth: of wanted mail a tenth of a percent is much.
fn shares(count: Count, whole: Count, way: Way) -> [String; 2] {
    let (messages, texts) = count.percent(whole);
    let is_of_texts = way(Count { messages: 0, texts: 1 }) == 1;
    let share = if is_of_texts { texts } else { messages };
    [
        way(count).to_string(),
        share.map_or_else(|| "-".to_owned(), |share| format!("{share:.2}")),
    ]
}

fn short(name: &str) -> String {
    let name = terminal::plain(name);
    match name.chars().count() > NAME_MOST {
        true => name.chars().take(NAME_MOST - 1).chain(['…']).collect(),
        false => name,
    }
}

fn print_json(results: &Results<'_>, thresholds: &Thresholds) {
    for (folder, set) in results.folders.iter().zip(results.sets.folders()) {
        for set in [set].into_iter().chain(results.sets.below(set.folder)) {
            let mut object = outcomes(&set.outcomes);
            object.insert("set".into(), folder.named(&set.below).into());
            object.insert("folder".into(), folder.path.display().to_string().into());
            object.insert("label".into(), folder.label.as_str().into());
            terminal::print_json(&object);
        }
    }
    for (id, counts) in results.census.rules() {
        if let Some(rule) = results.set.rule(id) {
            terminal::print_json(&object(rule, counts, &results.census));
        }
    }
    let mut total = Map::new();
    for label in [Label::Spam, Label::Ham] {
        if let Some(all) = results.sets.total(label) {
            total.insert(label.as_str().into(), outcomes(all).into());
        }
    }
    total.insert("tag".into(), thresholds.tag.points().into());
    total.insert("quarantine".into(), thresholds.quarantine.points().into());
    total.insert("reject".into(), thresholds.reject.points().into());
    terminal::print_json(&json!({ "total": total }));
}

fn outcomes(outcomes: &Outcomes) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("all".into(), json!(outcomes.all()));
    object.extend(steps(|action| outcomes.at_least(action)));
    let decisive = decisive(outcomes).into_iter();
    let categories: Map<String, Value> = decisive
        .map(|category| {
            let name = category.map_or("none", Category::as_str).to_owned();
            (name, steps(|action| outcomes.decided_by(category, action)).into())
        })
        .collect();
    object.insert("categories".into(), categories.into());
    object
}

fn steps(count: impl Fn(Action) -> Count) -> Map<String, Value> {
    let steps = STEPS.iter();
    steps
        .map(|action| (format!("{}_or_more", action.as_str()), json!(count(*action))))
        .collect()
}
