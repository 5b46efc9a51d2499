//! The last good rules, kept on disk as one file.
//!
//! A set's texts go in and come out again, unchanged or not at all: the file is replaced whole and
//! carries a digest of itself. Knows nothing of what the texts mean.

use super::diagnostic::Diagnostic;
use super::source::{Root, Source};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;

/// The file within the folder.
const NAME: &str = "rules-last-good.json";
/// Bytes of that file, at most.
const BYTES_MAX: u64 = 1 << 30;
const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Kept {
    format: u32,
    /// Of the rule set.
    rules_sha256: String,
    roots: Vec<KeptRoot>,
}

#[derive(Serialize, Deserialize)]
struct KeptRoot {
    prefix: String,
    manifest: Option<KeptText>,
    files: Vec<KeptText>,
    lists: BTreeMap<String, KeptText>,
}

#[derive(Serialize, Deserialize)]
struct KeptText {
    name: String,
    text: String,
    modified: Option<jiff::Timestamp>,
}

/// Replaces the snapshot in a folder, which is made if it isn't there.
pub(super) fn write(folder: &Path, roots: &[Root], rules_sha256: &str) -> io::Result<()> {
    let kept = Kept {
        format: FORMAT,
        rules_sha256: rules_sha256.to_owned(),
        roots: roots.iter().map(KeptRoot::of).collect(),
    };
    let body = serde_json::to_vec(&kept)?;
    fs::create_dir_all(folder)?;
    let temporary = folder.join(format!("{NAME}.new"));
    let mut file = fs::File::create(&temporary)?;
    file.write_all(hex(&body).as_bytes())?;
    file.write_all(b"\n")?;
    file.write_all(&body)?;
    file.sync_all()?;
    fs::rename(&temporary, folder.join(NAME))?;
    // The new name lasts only once the folder itself is on disk.
    fs::File::open(folder)?.sync_all()
}

/// Reads it back.
pub(super) fn read(folder: &Path) -> Result<Vec<Root>, Vec<Diagnostic>> {
    let path = folder.join(NAME);
    let refuse = |why: String| vec![Diagnostic::file_error("snapshot", path.display().to_string(), why)];
    let mut bytes = Vec::new();
    fs::File::open(&path)
        .and_then(|file| file.take(BYTES_MAX).read_to_end(&mut bytes))
        .map_err(|error| refuse(format!("the last good rules can't be read: {error}")))?;
    let split = memchr::memchr(b'\n', &bytes).and_then(|at| bytes.split_at_checked(at));
    let (sum, body) = split.map_or((&[][..], &[][..]), |(sum, rest)| {
        (sum, rest.get(1..).unwrap_or_default())
    });
    if hex(body).as_bytes() != sum {
        return Err(refuse("the last good rules were changed or cut short".to_owned()));
    }
    let kept: Kept =
        serde_json::from_slice(body).map_err(|error| refuse(format!("the last good rules can't be read: {error}")))?;
    if kept.format != FORMAT {
        return Err(refuse(format!("the last good rules are of format {}", kept.format)));
    }
    Ok(kept.roots.into_iter().map(KeptRoot::root).collect())
}

fn hex(body: &[u8]) -> String {
    let sum = digest(&SHA256, body);
    sum.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

impl KeptRoot {
    fn of(root: &Root) -> Self {
        Self {
            prefix: root.prefix.clone(),
            manifest: root.manifest.as_deref().map(KeptText::of),
            files: root.files.iter().map(|file| KeptText::of(file)).collect(),
            lists: root
                .lists
                .iter()
                .map(|(path, file)| (path.clone(), KeptText::of(file)))
                .collect(),
        }
    }

    fn root(self) -> Root {
        Root {
            prefix: self.prefix,
            folder: None,
            manifest: self.manifest.map(KeptText::source),
            files: self.files.into_iter().map(KeptText::source).collect(),
            lists: self
                .lists
                .into_iter()
                .map(|(path, file)| (path, file.source()))
                .collect(),
            ..Root::default()
        }
    }
}

impl KeptText {
    fn of(source: &Source) -> Self {
        Self {
            name: source.name.clone(),
            text: source.text.clone(),
            modified: source.modified,
        }
    }

    fn source(self) -> Arc<Source> {
        Arc::new(Source {
            name: self.name,
            text: self.text,
            modified: self.modified,
        })
    }
}
