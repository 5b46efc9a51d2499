//! `portreeve rules diff`: what a change to rules adds, removes and alters, and what it would have done.
//!
//! Knows how to ask and to print; sets are compared by `rules::changes`, verdicts by `measure`.

use super::archived::ArchivedMail;
use super::columns::columns;
use super::load;
use crate::cli::exit::Exit;
use crate::cli::mails::Source;
use crate::cli::{Shared, terminal};
use crate::measure::{How, Judged, Label, Moves, Turn, differing, text_digest};
use crate::rules::RuleSet;
use crate::rules::workbench::changes::{Aspect, Change, What, changes};
use serde_json::{Map, json};
use std::fmt::Write;
use std::path::PathBuf;

/// Arguments of `rules diff`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Rules as they were: a file or folder.
    old: PathBuf,
    /// Rules as they are to be.
    new: PathBuf,
    /// Rules that stand beside both, such as the shipped ones that the house's build upon.
    #[arg(long, value_name = "PATH")]
    with: Vec<PathBuf>,
    #[command(flatten)]
    mail: ArchivedMail,
}

/// The most values of one aspect that are shown to people.
const VALUES_SHOWN: usize = 20;

/// What one message showed.
struct Seen {
    text: u128,
    old: Judged,
    new: Judged,
}

/// Does it. Exit code 1 says that something differs.
pub fn run(arguments: &Arguments, shared: &Shared) -> Exit {
    let set = |path: &PathBuf| {
        let mut paths = arguments.with.clone();
        paths.push(path.clone());
        load(&paths, shared).map(|loaded| loaded.set)
    };
    let (old, new) = match set(&arguments.old).and_then(|old| Ok((old, set(&arguments.new)?))) {
        Ok(sets) => sets,
        Err(exit) => return exit,
    };
    let changes = changes(&old, &new);
    terminal::print_each(&changes, shared.json, described);
    if changes.is_empty() {
        shared.say_unless_json("the rules are the same");
    }
    let mut exit = if changes.is_empty() { Exit::Fine } else { Exit::Findings };
    if arguments.mail.is_named() {
        exit = exit.worse(judge(arguments, &old, &new, shared));
    }
    exit
}

fn judge(arguments: &Arguments, old: &RuleSet, new: &RuleSet, shared: &Shared) -> Exit {
    let bench = match arguments.mail.bench(shared) {
        Ok(bench) => bench,
        Err(exit) => return exit,
    };
    let look = |source: Source| {
        bench.see(source.bytes, |evidence| Seen {
            text: text_digest(evidence.message),
            old: bench.judge(old, evidence),
            new: bench.judge(new, evidence),
        })
    };
    let mut moves = Moves::default();
    let exit = arguments.mail.each(shared, true, look, |label, path, seen| {
        let differing = differing(&seen.old, &seen.new);
        let turn = Turn::of(seen.old.action, seen.new.action);
        moves.add(label, seen.text, turn, &differing);
        if let Some(turn) = turn {
            print(turn, (label, path), &seen, &differing, shared.json);
        }
    });
    if moves.messages().all().messages > 0 {
        total(&moves, shared);
    }
    let turned = Turn::ALL.iter().any(|turn| moves.turned(*turn).all().messages > 0);
    match turned {
        true => exit.worse(Exit::Findings),
        false => exit,
    }
}

fn described(change: &Change) -> String {
    let mut out = match &change.what {
        What::Added => "+ ".to_owned(),
        What::Removed => "- ".to_owned(),
        What::Altered { .. } => "~ ".to_owned(),
    };
    let _ = write!(out, "{} {}", change.kind.as_str(), terminal::plain(&change.name));
    if let Some(older) = &change.renamed_from {
        let _ = write!(out, ", until now {older}");
    }
    if let Some(place) = &change.place {
        let _ = write!(out, " ({})", terminal::plain(place));
    }
    if let What::Altered { aspects } = &change.what {
        aspects.iter().for_each(|aspect| out += &one_aspect(aspect));
    }
    out
}

/// On one line where both sides are short, else a line for each of theirs.
fn one_aspect(aspect: &Aspect) -> String {
    let name = aspect.name;
    match (aspect.old.as_slice(), aspect.new.as_slice()) {
        ([], [new]) if !new.contains('\n') => format!("\n    {name}: + {new}"),
        ([old], []) if !old.contains('\n') => format!("\n    {name}: - {old}"),
        ([old], [new]) if old.len() + new.len() <= 60 && !old.contains('\n') && !new.contains('\n') => {
            format!("\n    {name}: {old} -> {new}")
        }
        (old, new) => {
            let mut out = format!("\n    {name}:");
            let (old, new) = (lines(old), lines(new));
            // Of a long condition only what differs.
            let is_same = |(a, b): &(&&str, &&str)| a == b;
            let before = old.iter().zip(&new).take_while(is_same).count();
            let (old, new) = (
                old.get(before..).unwrap_or_default(),
                new.get(before..).unwrap_or_default(),
            );
            let after = old.iter().rev().zip(new.iter().rev()).take_while(is_same).count();
            for (sign, lines) in [('-', old), ('+', new)] {
                let lines = lines.get(..lines.len().saturating_sub(after)).unwrap_or_default();
                for line in lines.iter().take(VALUES_SHOWN) {
                    let _ = write!(out, "\n      {sign} {line}");
                }
                if lines.len() > VALUES_SHOWN {
                    let _ = write!(out, "\n      {sign} and {} more", lines.len() - VALUES_SHOWN);
                }
            }
            out
        }
    }
}

fn lines(values: &[String]) -> Vec<&str> {
    values.iter().flat_map(|value| value.lines().map(str::trim)).collect()
}

fn print(turn: Turn, (label, path): (Label, &str), seen: &Seen, differing: &[(String, How)], json: bool) {
    let (old, new) = (&seen.old, &seen.new);
    if json {
        let rules: Vec<_> = differing
            .iter()
            .map(|(rule, how)| json!({ "rule": rule, "how": how }))
            .collect();
        terminal::print_json(&json!({
            "path": path,
            "label": label.as_str(),
            "turn": turn,
            "old": { "verdict": old.action, "score": old.score.points() },
            "new": { "verdict": new.action, "score": new.score.points() },
            "rules": rules,
        }));
        return;
    }
    let rules: String = differing
        .iter()
        .map(|(rule, how)| format!(" {}{rule}", how.sign()))
        .collect();
    terminal::print(&format!(
        "{}: {}, {} {} -> {} {}:{rules}",
        terminal::plain(path),
        turn.as_str(),
        old.action.as_str(),
        old.score,
        new.action.as_str(),
        new.score
    ));
}

fn total(moves: &Moves, shared: &Shared) {
    let labels = Label::ALL
        .into_iter()
        .filter(|label| moves.messages().of(*label).messages > 0);
    if shared.json {
        let mut object = Map::new();
        for label in labels {
            let mut counts = Map::new();
            counts.insert("all".into(), json!(moves.messages().of(label)));
            for turn in Turn::ALL {
                counts.insert(turn.as_str().into(), json!(moves.turned(turn).of(label)));
            }
            object.insert(label.as_str().into(), counts.into());
        }
        let rules: Vec<_> = moves
            .rules()
            .map(|(rule, more, fewer)| json!({ "rule": rule, "newly": more, "no_longer": fewer }))
            .collect();
        object.insert("rules".into(), rules.into());
        terminal::print_json(&json!({ "total": object }));
        return;
    }
    for (rule, more, fewer) in moves.rules() {
        shared.say(&format!("{rule} counts on {more} messages more, {fewer} fewer"));
    }
    let heads = [
        "", "messages", "gained", "lost", "moved", "texts", "gained", "lost", "moved",
    ];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    for label in labels {
        let all = moves.messages().of(label);
        let turned = Turn::ALL.map(|turn| moves.turned(turn).of(label));
        let mut row = vec![label.as_str().to_owned(), all.messages.to_string()];
        row.extend(turned.iter().map(|count| count.messages.to_string()));
        row.push(all.texts.to_string());
        row.extend(turned.iter().map(|count| count.texts.to_string()));
        rows.push(row);
    }
    shared.say(&columns(&rows));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aspect(old: &[&str], new: &[&str]) -> String {
        let many = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        one_aspect(&Aspect {
            name: "when",
            old: many(old),
            new: many(new),
        })
    }

    #[test]
    fn short_values_stand_on_one_line() {
        assert_eq!(aspect(&["1"], &["2"]), "\n    when: 1 -> 2");
        assert_eq!(aspect(&[], &["2"]), "\n    when: + 2");
        assert_eq!(aspect(&["1"], &[]), "\n    when: - 1");
        assert_eq!(
            aspect(&["1"], &["2", "3"]),
            "\n    when:\n      - 1\n      + 2\n      + 3"
        );
    }

    #[test]
    fn of_a_long_condition_only_what_differs_is_shown() {
        let told = aspect(&["a\nand b\nand c\nand d"], &["a\nand x\nand y\nand d"]);
        assert_eq!(
            told,
            "\n    when:\n      - and b\n      - and c\n      + and x\n      + and y"
        );
        // What is repeated isn't taken for the same line twice.
        assert_eq!(aspect(&["a\na"], &["a\na\na"]), "\n    when:\n      + a");
        assert_eq!(aspect(&["a\nb"], &["a"]), "\n    when:\n      - b");
    }

    #[test]
    fn so_many_values_are_shown_and_no_more() {
        for (count, rest) in [
            (VALUES_SHOWN, None),
            (VALUES_SHOWN + 1, Some("and 1 more")),
            (VALUES_SHOWN + 9, Some("and 9 more")),
        ] {
            let values: Vec<String> = (0..count).map(|number| number.to_string()).collect();
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            let told = aspect(&[], &values);
            let shown = told.lines().filter(|line| line.starts_with("      + ")).count();
            assert_eq!(shown, VALUES_SHOWN + usize::from(rest.is_some()));
            assert!(rest.is_none_or(|rest| told.ends_with(rest)), "{told}");
        }
    }
}
