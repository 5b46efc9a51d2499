//! Broken rule files and what is said of them: each `tests/rules/errors/*.toml` beside the rendered
//! diagnostics it must give. `PORTREEVE_REWRITE=1` rewrites the expected side; its diff is the review.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what helps a test may fail it"
)]

use portreeve::rules::RuleSet;
use portreeve::rules::diagnostic::render_all;
use std::path::PathBuf;
use std::{env, fs};

#[test]
fn every_broken_file_is_told_as_expected() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join("tests/rules/errors");
    let mut inputs: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    inputs.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    inputs.sort();
    assert!(inputs.len() >= 10);
    let now = "2026-01-05T09:00:00Z".parse().unwrap();
    let mut differing = Vec::new();
    for input in inputs {
        let problems = match RuleSet::load(std::slice::from_ref(&input), now) {
            Err(problems) => problems,
            Ok(_) => panic!("{} loads", input.display()),
        };
        let told = render_all(&problems, false).replace(&format!("{}/", root.display()), "");
        let expected = input.with_extension("txt");
        if env::var_os("PORTREEVE_REWRITE").is_some() {
            fs::write(&expected, &told).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != told {
            differing.push(format!("{}:\n{told}", input.display()));
        }
    }
    assert!(differing.is_empty(), "\n{}", differing.join("\n"));
}
