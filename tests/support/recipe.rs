//! The files of `deploy/` as they are shipped, with a test's own addresses and paths put in.

use std::fs;
use std::path::{Path, PathBuf};

/// The folder of recipes.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy")
}

/// A file of `deploy/`, each text in it replaced. One that isn't there fails: the recipe has changed and the test
/// would no longer run what people copy.
pub fn recipe(path: &str, changes: &[(&str, &str)]) -> String {
    let text = fs::read_to_string(folder().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    changes.iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "{path} no longer has {from}");
        text.replace(from, to)
    })
}
