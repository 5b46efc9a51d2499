//! What fuzzing asks of the readers of mail, over kept seeds and what can be made of these, without a fuzzer.
//!
//! `PORTREEVE_CASES=100000 cargo test --release --test readers` makes more of them. The programs in `fuzz/` ask the
//! same of whatever libFuzzer finds; what it finds is kept as a seed.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test program: what goes wrong fails it"
)]

#[path = "readers/targets.rs"]
mod targets;

use portreeve::mail::{Limits, Message, alone};
use std::panic::catch_unwind;
use std::path::Path;
use targets::TARGETS;

/// Made of the seeds of each reader, unless told otherwise.
const CASES: usize = 1_000;
/// What readers stumble over, byte by byte.
const ODD: &[u8] = b" \t\r\n<>\"'@.,:;()[]{}=?&/\\\0\xff\xc3-%#_*";
/// Longer ones would only be slower.
const BYTES: usize = 4_000;

#[test]
fn links_hold() {
    of_seeds_and_what_is_made_of_them("links");
}

#[test]
fn html_holds() {
    of_seeds_and_what_is_made_of_them("html");
}

#[test]
fn threads_hold() {
    of_seeds_and_what_is_made_of_them("thread");
}

#[test]
fn addresses_hold() {
    of_seeds_and_what_is_made_of_them("addresses");
}

#[test]
fn header_fields_hold() {
    of_seeds_and_what_is_made_of_them("header");
}

fn of_seeds_and_what_is_made_of_them(name: &str) {
    let cases = std::env::var("PORTREEVE_CASES").map_or(CASES, |cases| cases.parse().unwrap());
    let (_, target) = TARGETS.into_iter().find(|(known, _)| *known == name).unwrap();
    let seeds = seeds(name);
    assert!(seeds.len() >= 4, "{name} has hardly any seeds");
    for seed in &seeds {
        holds(name, target, seed);
    }
    let mut dice = Dice(0x5eed);
    for _ in 0..cases {
        holds(name, target, &made_of(&seeds, &mut dice));
    }
}

/// Seeds in which nothing is found would hold whatever the readers did.
#[test]
fn seeds_give_the_readers_something_to_find() {
    let texts = |name| {
        seeds(name)
            .into_iter()
            .map(|seed| String::from_utf8_lossy(&seed).into_owned())
    };
    let pages: Vec<alone::Rendered> = texts("html").map(|source| alone::rendered_html(&source)).collect();
    let threads = texts("thread").map(|source| alone::rendered_text(&source));
    let fields = |seed: &Vec<u8>| Message::parse(seed, &Limits::default()).fields().len();
    assert!(texts("links").map(|text| alone::links(&text).len()).sum::<usize>() >= 30);
    assert!(pages.iter().filter(|page| !page.hidden.is_empty()).count() >= 2);
    assert!(pages.iter().any(|page| !page.quoted.is_empty()));
    assert!(threads.filter(|thread| !alone::history(thread).is_empty()).count() >= 4);
    assert!(
        seeds("addresses")
            .iter()
            .map(|seed| alone::mailboxes(seed).len())
            .sum::<usize>()
            >= 20
    );
    assert!(seeds("header").iter().map(fields).sum::<usize>() >= 25);
}

#[test]
fn each_reader_has_its_fuzz_target() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    for (name, _) in TARGETS {
        let path = format!("fuzz_targets/{name}.rs");
        let program = std::fs::read_to_string(folder.join(&path)).unwrap();
        assert!(program.contains(&format!("targets::{name}(data)")), "{path}");
        assert!(manifest.contains(&format!("path = \"{path}\"")), "{path} is no program");
    }
}

fn holds(name: &str, target: fn(&[u8]), data: &[u8]) {
    let data = data.to_vec();
    if catch_unwind(|| target(&data)).is_err() {
        panic!("{name} doesn't hold of {:?}", String::from_utf8_lossy(&data));
    }
}

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/readers/seeds")
        .join(name);
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths.into_iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// A seed with pieces of others put in, taken out, said twice or changed.
fn made_of(seeds: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut made = seeds[dice.below(seeds.len())].clone();
    for _ in 0..=dice.below(8) {
        let at = dice.below(made.len() + 1);
        let end = (at + dice.below(40)).min(made.len());
        match dice.below(5) {
            0 => {
                let other = &seeds[dice.below(seeds.len())];
                let from = dice.below(other.len() + 1);
                let to = (from + dice.below(60)).min(other.len());
                made.splice(at..at, other[from..to].iter().copied());
            }
            1 => drop(made.drain(at..end)),
            2 => {
                let twice = made[at..end].repeat(1 + dice.below(3));
                made.splice(at..at, twice);
            }
            3 => made.insert(at, ODD[dice.below(ODD.len())]),
            _ if at < made.len() => made[at] ^= 1 << dice.below(8),
            _ => {}
        }
    }
    made.truncate(BYTES);
    made
}

/// The same numbers in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end.max(1)
    }
}
