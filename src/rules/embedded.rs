//! The shipped rules, built into the binary for when there is no `rules/` beside it.
//!
//! Nothing goes in; out comes the shipped pack's [`Root`]. A test holds the table to the folder.

use super::source::{MANIFEST, Root, Source};
use std::sync::Arc;

macro_rules! shipped {
    ($($path:literal),+ $(,)?) => {
        &[$(($path, include_str!(concat!("../../rules/", $path)))),+]
    };
}

/// Every file under `rules/`, by its path there, sorted.
const FILES: &[(&str, &str)] = shipped![
    "advance-fee.toml",
    "authentication.toml",
    "credential-phishing.toml",
    "extortion.toml",
    "form.toml",
    "identity.toml",
    "impersonation.toml",
    "lists/cheap-tlds.txt",
    "lists/free-hosting.txt",
    "lists/freemail.txt",
    "lists/link-shorteners.txt",
    "lists/parcel-carriers.txt",
    "lists/phrases-account.txt",
    "lists/phrases-button.txt",
    "lists/phrases-deadline.txt",
    "lists/phrases-fee.txt",
    "lists/phrases-greeting.txt",
    "lists/phrases-parcel.txt",
    "lists/phrases-prize.txt",
    "lists/public-sector.txt",
    "malware.toml",
    "pack.toml",
    "payment-fraud.toml",
    "policy.toml",
    "public-services.toml",
    "spam.toml",
    "verdicts.toml",
    "vocabulary.toml",
];

/// The shipped pack.
pub(super) fn root() -> Root {
    let mut root = Root {
        prefix: "rules".to_owned(),
        ..Root::default()
    };
    for (path, text) in FILES {
        let source = Arc::new(Source::new(format!("rules/{path}"), *text));
        match path.rsplit_once('.') {
            _ if *path == MANIFEST => root.manifest = Some(source),
            Some((_, "toml")) => root.files.push(source),
            _ => {
                root.lists.insert((*path).to_owned(), source);
            }
        }
    }
    root
}

#[cfg(test)]
mod tests {
    use super::FILES;
    use std::fs;
    use std::path::{Path, PathBuf};

    fn under(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                under(&path, found);
            } else {
                found.push(path);
            }
        }
    }

    #[test]
    fn holds_exactly_what_the_folder_holds() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
        let mut found = Vec::new();
        under(&folder, &mut found);
        let mut found: Vec<String> = found
            .iter()
            .map(|path| path.strip_prefix(&folder).unwrap().to_str().unwrap().to_owned())
            .collect();
        found.sort();
        let embedded: Vec<&str> = FILES.iter().map(|(path, _)| *path).collect();
        assert_eq!(embedded, found);
    }
}
