//! Every atom of an automaton against a search for its needle alone.
//!
//! Needles and texts are made of letters that fold, lengthen and only look alike, the texts short, long, and
//! cut where stretches meet; the needles few, many, and too many for the fast tables. Stands in tests only.

use super::atoms::{Atoms, Scanner};
use super::node::Node;
use super::pattern::pattern;
use crate::rules::naive::PIECES;
use crate::rules::text::fold;
use proptest::prelude::*;

/// How many needles stand beside those of interest: few, more, many, too many for the fast tables.
const OTHERS: [(u32, usize); 4] = [(8, 0), (8, 20), (6, 300), (1, 6_500)];

/// Where a needle stands first: the text's characters are gone through one by one.
fn place(text: &str, needle: &str, ignores_case: bool) -> Option<usize> {
    let same = |(one, other): (char, char)| one == other || (ignores_case && fold(one) == fold(other));
    let stands = |at: &usize| {
        let mut rest = text[*at..].chars();
        needle
            .chars()
            .all(|wanted| rest.next().is_some_and(|c| same((c, wanted))))
    };
    text.char_indices().map(|(at, _)| at).find(stands)
}

/// Long enough for some thousands to be too many for the table.
fn other(number: usize) -> String {
    format!("other {number} {}", "and more of it ".repeat(6))
}

fn scanner(needles: &[(String, bool)], others: usize) -> (Scanner, Vec<Option<usize>>) {
    let mut atoms = Atoms::default();
    let source = atoms.source(&Node::Field(0), |_| None).map(|(place, _)| place);
    let places = needles
        .iter()
        .map(|(needle, ignores_case)| atoms.atom(source, needle, *ignores_case));
    let places = places.collect();
    for number in 0..others {
        atoms.atom(source, &other(number), true).unwrap();
    }
    (atoms.build(), places)
}

fn pieces(most: usize) -> impl Strategy<Value = String> {
    let piece = prop::sample::select(PIECES);
    prop::collection::vec(piece, 0..=most).prop_map(|pieces| pieces.concat())
}

/// A text, and how much of something else stands before and after it.
fn texts() -> impl Strategy<Value = String> {
    let filler = prop::sample::select(&["x", "é", "ß", " pay", "\u{212a}"][..]);
    (pieces(8), filler, 0_usize..400, 0_usize..400, any::<bool>()).prop_map(|(text, filler, before, after, is_long)| {
        match is_long {
            true => format!("{}{text}{}", filler.repeat(before), filler.repeat(after)),
            false => text,
        }
    })
}

/// What regexes are made of: words, what may or must stand between them, letters that fold to others.
const PARTS: [&str; 28] = [
    "pay",
    "now",
    "key",
    "sk",
    "s",
    "k",
    "\u{e9}",
    "\u{df}",
    "\u{212a}",
    r"\s+",
    r"\s*",
    " ",
    r"\b",
    r"\B",
    ".",
    ".*",
    "[^a]",
    "[a-z]{1,3}",
    r"\w",
    r"\W",
    r"\d?",
    "(?:pay )?",
    "(?:a|bc|\u{e9}x)",
    "(?:pay|now)+",
    "(pay ){2}",
    "(?:k|\u{17f})*",
    "^",
    "$",
];

/// A regex of some parts, with flags.
fn regexes() -> impl Strategy<Value = (String, &'static str)> {
    let part = prop::sample::select(&PARTS[..]);
    let flags = prop::sample::select(&["i", "", "ism", "s", "u", "iu"][..]);
    let parts = prop::collection::vec(part, 1..=6);
    (parts, flags).prop_map(|(parts, flags)| (parts.concat(), flags))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_atom_is_found_where_a_search_finds_its_needle(
        needles in prop::collection::vec((pieces(3), any::<bool>()), 1..16),
        others in prop::strategy::Union::new_weighted(OTHERS.map(|(weight, many)| (weight, Just(many).boxed())).into()),
        texts in prop::collection::vec(texts(), 1..6),
    ) {
        let (scanner, places) = scanner(&needles, others);
        for text in &texts {
            let scanned = scanner.scan(0, text.into());
            for ((needle, ignores_case), atom) in needles.iter().zip(&places) {
                prop_assert_eq!(atom.is_none(), needle.is_empty());
                let Some(atom) = atom else { continue };
                prop_assert_eq!(
                    scanned.hit(*atom), place(text, needle, *ignores_case),
                    "{:?} in {:?}, in any case: {}, beside {}", needle, text, ignores_case, others
                );
            }
        }
    }

    #[test]
    fn whatever_a_regex_matches_holds_one_of_its_literals_with_its_surroundings(
        regexes in prop::collection::vec(regexes(), 1..12),
        others in prop::sample::select(&[0, 20, 6_500][..]),
        texts in prop::collection::vec(texts(), 1..6),
    ) {
        let mut atoms = Atoms::default();
        let (source, _) = atoms.source(&Node::Field(0), |_| None).unwrap();
        let mut patterns = Vec::new();
        for pattern in regexes.iter().filter_map(|(text, flags)| pattern(text, flags, &(0..0)).ok()) {
            let Some(literals) = &pattern.required else { continue };
            let found: Vec<usize> = literals.iter().map(|literal| atoms.literal(source, literal).unwrap()).collect();
            patterns.push((pattern, found));
        }
        for number in 0..others {
            atoms.atom(Some(source), &other(number), true).unwrap();
        }
        let scanner = atoms.build();
        for text in &texts {
            let scanned = scanner.scan(source, text.into());
            for (pattern, literals) in &patterns {
                let found = pattern.find(text, 0..text.len(), false).unwrap();
                let is_seen = literals.iter().any(|literal| scanned.hit(*literal).is_some());
                prop_assert!(found.is_none() || is_seen, "{} in {:?} beside {}", pattern.source, text, others);
            }
        }
    }
}
