//! The breaker over restarts and reloads: when each rule's text was first in force, and what is held.
//!
//! Kept as one file beside the last good rules, replaced whole. Where it is lost or broken, a start is like the
//! first, and rules are as old as their files. Knows nothing of when a rule is held.

use super::control::audited;
use super::protocol::{Failure, Response};
use super::state::Daemon;
use crate::rules::RuleSet;
use crate::telemetry::Telemetry;
use crate::verdict::breaker::Breaker;
use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

/// The file within the folder of the last good rules.
const NAME: &str = "breaker.json";
/// Bytes of that file, at most: 20,000 rules take a few MB.
const BYTES_MAX: u64 = 64 << 20;

/// What an earlier run left; nothing, with a warning, when that can't be read.
pub fn restored(folder: &Path, telemetry: &Telemetry) -> Breaker {
    let path = folder.join(NAME);
    let mut text = String::new();
    let read = fs::File::open(&path).and_then(|file| file.take(BYTES_MAX).read_to_string(&mut text));
    let restored = match read {
        Ok(_) => serde_json::from_str(&text).map_err(io::Error::from),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Breaker::default(),
        Err(error) => Err(error),
    };
    restored.unwrap_or_else(|error| {
        let why = format!(
            "{}: {error}: rules count as they would at a first start",
            path.display()
        );
        telemetry.warning("breaker", &why);
        Breaker::default()
    })
}

fn keep(folder: &Path, breaker: &Breaker) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let temporary = folder.join(format!("{NAME}.new"));
    let mut file = fs::File::create(&temporary)?;
    file.write_all(&serde_json::to_vec(breaker)?)?;
    file.sync_all()?;
    fs::rename(&temporary, folder.join(NAME))
}

impl Daemon {
    /// Takes up a generation's rules; those that are held already are so in it from its first message on.
    pub(super) fn watch_rules(&self, rules: &RuleSet) {
        let now = self.gate.clock.now();
        self.gate.breaker().take_up(rules.texts(), now);
    }

    /// Tells the metrics what is held, and keeps what has changed.
    pub(super) async fn keep_breaker(&self) {
        let _turn = self.breaker_turn.lock().await;
        let (changed, held) = {
            let mut breaker = self.gate.breaker();
            let changed = breaker.take_changed().then(|| breaker.clone());
            let held = breaker.held().map(|(id, cause)| (id.to_owned(), cause.as_str()));
            (changed, held.collect::<Vec<_>>())
        };
        self.gate.telemetry.rules_held(&held);
        let Some(breaker) = changed else { return };
        let folder = self.standing().config.rules.last_good.clone();
        let kept = tokio::task::spawn_blocking(move || keep(&folder, &breaker)).await;
        if let Ok(Err(error)) = kept {
            let why = format!("{error}: after a restart none of the rules that are held now will be");
            self.gate.telemetry.warning("breaker", &why);
        }
    }

    /// Arms a rule again, or all when none is named.
    pub(super) async fn rearm(&self, rule: Option<&str>, by: &str, reason: &str) -> Response {
        let armed = self.gate.breaker().rearm(rule, self.gate.clock.now());
        let told = match armed.as_slice() {
            [] => "no such rule is held".to_owned(),
            armed => format!("armed again: {}", armed.join(", ")),
        };
        self.gate.hold_rules();
        self.keep_breaker().await;
        audited(self, by, "rearm", None, reason, &told).await;
        self.gate.telemetry.notice("rearm", &format!("{told}, by {by}"));
        match armed.is_empty() {
            true => Response::Failed {
                kind: Failure::NotFound,
                message: told,
            },
            false => Response::Done { message: told },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::RuleText;
    use jiff::Timestamp;

    #[test]
    fn what_was_kept_comes_back_and_what_is_broken_is_as_good_as_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let telemetry = Telemetry::default();
        assert_eq!(restored(folder.path(), &telemetry), Breaker::default());
        let mut breaker = Breaker::default();
        let rule = RuleText {
            id: "A",
            digest: "text".to_owned(),
            modified: None,
        };
        breaker.take_up([rule], Timestamp::UNIX_EPOCH);
        breaker.take_changed();
        keep(&folder.path().join("new/folder"), &breaker).unwrap();
        assert_eq!(restored(&folder.path().join("new/folder"), &telemetry), breaker);
        for broken in ["", "{", "{\"rules\": 3}", "\u{0}"] {
            fs::write(folder.path().join(NAME), broken).unwrap();
            assert_eq!(restored(folder.path(), &telemetry), Breaker::default(), "{broken}");
        }
    }
}
