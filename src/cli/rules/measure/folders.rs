//! The folders that are measured: whether they can be, what each is called, and where in it a message lies.
//!
//! Looks whether they are there, and at nothing in them.

use crate::cli::exit::Exit;
use crate::cli::terminal;
use crate::measure::Label;
use std::path::{Path, PathBuf};

/// A folder with its label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// As it was given.
    pub path: PathBuf,
    /// What its mail is.
    pub label: Label,
    /// What tells it from the others.
    pub name: String,
}

/// Folders of a Maildir, which are part of the one that they lie in.
const MAILDIR: [&str; 2] = ["cur", "new"];

/// The folders, named; what can't be measured is told. Mail that lies under both labels, or twice under one, would
/// count for what it isn't.
pub fn labelled(spam: &[PathBuf], ham: &[PathBuf]) -> Result<Vec<Folder>, Exit> {
    let given = spam.iter().map(|path| (Label::Spam, path));
    let given: Vec<(Label, &PathBuf)> = given.chain(ham.iter().map(|path| (Label::Ham, path))).collect();
    if given.is_empty() {
        terminal::complain("name labelled mail: --spam FOLDER…, --ham FOLDER…, or better both");
        return Err(Exit::Usage);
    }
    let mut real = Vec::new();
    let mut missing = false;
    for (_, path) in &given {
        match std::fs::canonicalize(path) {
            Ok(path) => real.push(path),
            Err(error) => {
                terminal::complain(&format!("{}: {error}", path.display()));
                missing = true;
            }
        }
    }
    if missing {
        return Err(Exit::NoInput);
    }
    if let Some(twice) = twice(&given, &real) {
        terminal::complain(&twice);
        return Err(Exit::Usage);
    }
    let paths: Vec<&Path> = given.iter().map(|(_, path)| path.as_path()).collect();
    let folders = given.iter().zip(names(&paths));
    Ok(folders
        .map(|((label, path), name)| Folder {
            path: (*path).clone(),
            label: *label,
            name,
        })
        .collect())
}

/// What is wrong where one folder is another, or lies within it.
fn twice(given: &[(Label, &PathBuf)], real: &[PathBuf]) -> Option<String> {
    let folders: Vec<_> = given.iter().zip(real).collect();
    folders.iter().enumerate().find_map(|(place, ((label, path), folder))| {
        let others = folders.iter().enumerate().filter(|(other, _)| *other != place);
        let (_, ((other, outer), outer_folder)) =
            others.into_iter().find(|(_, (_, outer))| folder.starts_with(outer))?;
        let as_what = match label == other {
            true => "given twice".to_owned(),
            false => format!("given as {} and as {}", label.as_str(), other.as_str()),
        };
        let since = match folder == outer_folder {
            true => String::new(),
            false => format!(", since it lies in {}", outer.display()),
        };
        Some(format!("{}: {as_what}{since}", path.display()))
    })
}

/// What tells paths apart: what is left without the folders that all of them lie in.
fn names(paths: &[&Path]) -> Vec<String> {
    let above = |path: &Path| -> Vec<String> {
        let parts = path.parent().into_iter().flat_map(Path::components);
        parts
            .map(|part| part.as_os_str().to_string_lossy().into_owned())
            .collect()
    };
    let mut shared = paths.first().map(|path| above(path)).unwrap_or_default();
    for path in paths {
        let alike = shared.iter().zip(above(path)).take_while(|(a, b)| **a == *b).count();
        shared.truncate(alike);
    }
    let name = |path: &&Path| {
        let rest: PathBuf = path.components().skip(shared.len()).collect();
        match rest.as_os_str().is_empty() {
            true => path.display().to_string(),
            false => rest.display().to_string(),
        }
    };
    paths.iter().map(name).collect()
}

impl Folder {
    /// Where below the folder the message of this path lies: the folders between, without those of a Maildir. Empty
    /// for what lies in the folder itself.
    pub fn below(&self, message: &str) -> String {
        let within = Path::new(message).strip_prefix(&self.path).ok();
        let above = within.and_then(Path::parent).unwrap_or(Path::new(""));
        let mut parts: Vec<_> = above.components().collect();
        let last = parts.last().and_then(|part| part.as_os_str().to_str());
        if last.is_some_and(|last| MAILDIR.contains(&last)) {
            parts.pop();
        }
        parts.iter().collect::<PathBuf>().display().to_string()
    }

    /// The name of the set that it lies in.
    pub fn set_of(&self, message: &str) -> String {
        self.named(&self.below(message))
    }

    /// The name of a set below the folder.
    pub fn named(&self, below: &str) -> String {
        match below {
            "" => self.name.clone(),
            below => format!("{}/{below}", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_called_by_what_tells_them_apart() {
        let named = |paths: &[&str]| names(&paths.iter().map(Path::new).collect::<Vec<_>>());
        for (paths, expected) in [
            (&["/mail/spam"][..], &["spam"][..]),
            (&["/mail/a/spam", "/mail/b/ham"], &["a/spam", "b/ham"]),
            (&["/mail/a/spam/", "/mail/a/ham"], &["spam", "ham"]),
            (&["spam", "/mail/ham"], &["spam", "/mail/ham"]),
            (&["mail", "mail/ham"], &["mail", "mail/ham"]),
            (&["."], &["."]),
            (&[], &[]),
        ] {
            assert_eq!(named(paths), expected, "{paths:?}");
        }
    }

    #[test]
    fn a_message_belongs_to_the_folder_that_it_lies_in() {
        let folder = |path: &str| Folder {
            path: path.into(),
            label: Label::Ham,
            name: "ham".into(),
        };
        for (path, message, below) in [
            ("/m/ham", "/m/ham/a.eml", ""),
            ("/m/ham/", "/m/ham/lists/x/a.eml", "lists/x"),
            ("/m/ham", "/m/ham/box/cur/1:2,S", "box"),
            ("/m/ham", "/m/ham/new/1", ""),
            ("/m/ham", "/m/ham/box.mbox#3", ""),
            ("/m/box.mbox", "/m/box.mbox#3", ""),
            ("/m/a.eml", "/m/a.eml", ""),
            ("ham", "ham/current/a", "current"),
        ] {
            assert_eq!(folder(path).below(message), below, "{message}");
        }
        assert_eq!(folder("h").set_of("h/a/b.eml"), "ham/a");
        assert_eq!(folder("h").set_of("h/b.eml"), "ham");
    }

    #[test]
    fn mail_under_two_labels_or_twice_under_one_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        std::fs::create_dir_all(at("a/b")).unwrap();
        std::fs::create_dir_all(at("ab")).unwrap();
        std::os::unix::fs::symlink(at("a/b"), at("link")).unwrap();
        let asked = |spam: &[&str], ham: &[&str]| {
            let paths = |names: &[&str]| names.iter().map(|name| at(name)).collect::<Vec<_>>();
            labelled(&paths(spam), &paths(ham)).map(|folders| folders.len())
        };
        assert_eq!(asked(&["a"], &["ab"]), Ok(2));
        assert_eq!(asked(&[], &[]), Err(Exit::Usage));
        assert_eq!(asked(&["a"], &["gone"]), Err(Exit::NoInput));
        for (spam, ham) in [
            (&["a"][..], &["a"][..]),
            (&["a"], &["a/b"]),
            (&["link"], &["a"]),
            (&["a", "a/../a"], &[]),
        ] {
            assert_eq!(asked(spam, ham), Err(Exit::Usage), "{spam:?} {ham:?}");
        }
    }
}
