//! Watches rule files and certificates: rename-and-replace and symlink swaps included.
//!
//! Events in, "something may have changed" out; what has is found by reading. Knows nothing of rules.

use notify_debouncer_full::notify::RecursiveMode;
use notify_debouncer_full::{DebounceEventResult, new_debouncer};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc;

/// Editors write in several steps; a change counts once they are quiet for so long.
const QUIET: Duration = Duration::from_millis(500);

/// Keeps watching while it lives.
pub struct Watch {
    _debouncer: Box<dyn Send>,
}

/// Watches the paths, and the folders that hold them: a swapped symlink changes only there. Made
/// anew after each change, because the kernel watches what a path led to, not where it leads now.
///
/// # Errors
/// In words: the kernel's limit of watches, or a path that can't be watched.
pub fn watch(paths: &[PathBuf], changed: mpsc::Sender<()>) -> Result<Watch, String> {
    let watched: Vec<PathBuf> = paths
        .iter()
        .map(|path| std::path::absolute(path).unwrap_or_else(|_| path.clone()))
        .collect();
    let relevant = watched.clone();
    let mut debouncer = new_debouncer(QUIET, None, move |result: DebounceEventResult| {
        let touched = match &result {
            Ok(events) => events.iter().any(|event| {
                !event.kind.is_access()
                    && event
                        .paths
                        .iter()
                        .any(|path| relevant.iter().any(|rules| concerns(path, rules)))
            }),
            Err(_) => true,
        };
        if touched {
            // A full queue means that a look is due anyway.
            let _ = changed.try_send(());
        }
    })
    .map_err(|error| error.to_string())?;
    for path in &watched {
        let real = std::fs::canonicalize(path).ok();
        let folder = real.as_deref().filter(|real| real.is_dir()).map(|_| path.as_path());
        // A file is watched through its folders alone: were it watched itself, the end of the old file
        // would cancel out the coming of the one that replaces it.
        let file = real.as_deref().filter(|real| !real.is_dir());
        let mut look = |at: Option<&Path>, mode| match at.filter(|at| at.exists()) {
            Some(at) => debouncer.watch(at, mode).map_err(|error| error.to_string()),
            None => Ok(()),
        };
        look(folder, RecursiveMode::Recursive)?;
        look(path.parent(), RecursiveMode::NonRecursive)?;
        look(file.and_then(Path::parent), RecursiveMode::NonRecursive)?;
    }
    Ok(Watch {
        _debouncer: Box::new(debouncer),
    })
}

/// Whether a change there may change the rules: within the path, or at a link on the way to it.
fn concerns(changed: &Path, rules: &Path) -> bool {
    changed.starts_with(rules)
        || rules.starts_with(changed)
        || std::fs::canonicalize(rules).is_ok_and(|real| changed.starts_with(real))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    /// A change is told; deadlines here only end a test that has failed.
    async fn told(paths: &[PathBuf], change: impl FnOnce()) -> bool {
        let (sender, mut changes) = mpsc::channel(1);
        let _watch = watch(paths, sender).unwrap();
        change();
        tokio::time::timeout(Duration::from_secs(20), changes.recv())
            .await
            .is_ok_and(|change| change.is_some())
    }

    #[tokio::test]
    async fn however_rules_are_changed_it_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("one/lists")).unwrap();
        fs::create_dir(at("two")).unwrap();
        fs::write(at("one/a.toml"), "1").unwrap();
        let paths = [at("rules")];
        assert!(
            told(&paths, || symlink(at("one"), at("rules")).unwrap()).await,
            "appears"
        );
        assert!(
            told(&paths, || fs::write(at("one/a.toml"), "2").unwrap()).await,
            "in place"
        );
        assert!(
            told(&paths, || fs::write(at("rules/lists/l.txt"), "2").unwrap()).await,
            "below"
        );
        let replaced = told(&paths, || {
            fs::write(at("new"), "3").unwrap();
            fs::rename(at("new"), at("one/a.toml")).unwrap();
        });
        assert!(replaced.await, "renamed");
        let swapped = told(&paths, || {
            symlink(at("two"), at("next")).unwrap();
            fs::rename(at("next"), at("rules")).unwrap();
        });
        assert!(swapped.await, "link swapped");
        assert!(told(&paths, || fs::remove_file(at("rules")).unwrap()).await, "gone");
        assert!(told(&paths, || fs::create_dir(at("rules")).unwrap()).await, "back");
    }

    /// As certificates are renewed: beside the old file and over it, by a link elsewhere, or in place.
    #[tokio::test]
    async fn however_a_single_file_is_changed_it_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("archive")).unwrap();
        fs::create_dir(at("live")).unwrap();
        fs::write(at("archive/1.pem"), "1").unwrap();
        fs::write(at("archive/2.pem"), "2").unwrap();
        fs::write(at("plain.pem"), "1").unwrap();
        symlink(at("archive/1.pem"), at("live/chain.pem")).unwrap();
        let paths = [at("plain.pem"), at("live/chain.pem")];
        let renamed = told(&paths, || {
            fs::write(at("new"), "2").unwrap();
            fs::rename(at("new"), at("plain.pem")).unwrap();
        });
        assert!(renamed.await, "renamed over it");
        let in_place = told(&paths, || fs::write(at("plain.pem"), "3").unwrap());
        assert!(in_place.await, "in place");
        let behind = told(&paths, || fs::write(at("archive/1.pem"), "3").unwrap());
        assert!(behind.await, "behind a link");
        let swapped = told(&paths, || {
            symlink(at("archive/2.pem"), at("live/next")).unwrap();
            fs::rename(at("live/next"), at("live/chain.pem")).unwrap();
        });
        assert!(swapped.await, "link swapped");
    }

    #[test]
    fn what_lies_elsewhere_is_no_concern() {
        let rules = Path::new("/srv/gate/rules");
        for (changed, concern) in [
            ("/srv/gate/rules", true),
            ("/srv/gate/rules/a/b.toml", true),
            ("/srv/gate", true),
            ("/srv/gate/var/portreeve.db", false),
            ("/srv/gate/rules.old", false),
        ] {
            assert_eq!(concerns(Path::new(changed), rules), concern, "{changed}");
        }
    }
}
