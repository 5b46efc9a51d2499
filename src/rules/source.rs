//! The files that a rule set is made of, as texts in memory.
//!
//! Folders and files go in; out come [`Root`]s: packs and the house's own files, their texts
//! checked for kind, size and encoding before anything is parsed. Knows nothing of TOML or rules.

use super::diagnostic::{Diagnostic, Position};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::Read;
use std::ops::Range;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// Bytes of one rule file.
pub const RULE_FILE_BYTES_MAX: u64 = 4 << 20;
/// Bytes of one list file.
pub const LIST_FILE_BYTES_MAX: u64 = 64 << 20;
/// Levels of folders below a given path.
pub const FOLDER_DEPTH_MAX: usize = 8;
/// Rule files in all.
pub const RULE_FILES_MAX: usize = 10_000;
/// How often files that change under the reader are read before it gives up.
pub const READS_MAX: usize = 5;
/// The file that makes a folder a pack.
pub const MANIFEST: &str = "pack.toml";

/// One file: its name as its author would say it, and its text.
#[derive(Clone, PartialEq, Eq)]
pub struct Source {
    /// The path as reached from what was given.
    pub name: String,
    /// UTF-8, without a byte order mark.
    pub text: String,
    /// When the file was last changed, where a file it was.
    pub modified: Option<Timestamp>,
}

/// Files that belong together: a pack, or what the house put into one folder.
#[derive(Debug, Clone, Default)]
pub struct Root {
    /// The path as given, before every name of its files; empty for none.
    pub prefix: String,
    /// Where list files are read from; `None` when all is in memory.
    pub folder: Option<PathBuf>,
    /// `pack.toml`; without it the files are the house's own.
    pub manifest: Option<Arc<Source>>,
    /// Rule files, sorted by name.
    pub files: Vec<Arc<Source>>,
    /// List files read so far, by their path within the root.
    pub lists: BTreeMap<String, Arc<Source>>,
    /// What was read of the file system, as it was then.
    pub(super) seen: Vec<(PathBuf, Stamp)>,
}

/// What tells one state of a file or folder from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    /// Seconds and nanoseconds of the last change of the content, and of anything.
    changed: [(i64, i64); 2],
}

impl Stamp {
    fn of(metadata: &fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.len(),
            changed: [
                (metadata.mtime(), metadata.mtime_nsec()),
                (metadata.ctime(), metadata.ctime_nsec()),
            ],
        }
    }
}

/// By name and size: a text may be long.
impl fmt::Debug for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Source({}, {} bytes)", self.name, self.text.len())
    }
}

impl Source {
    /// A text that isn't from a file.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            text: text.into(),
            modified: None,
        }
    }

    /// Line and column of a byte; past the end it is the end.
    pub fn position(&self, offset: usize) -> Position {
        let offset = self.boundary(offset);
        let before = self.text.get(..offset).unwrap_or("");
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Position {
            line: memchr::memchr_iter(b'\n', before.as_bytes()).count() + 1,
            column: before.get(line_start..).unwrap_or("").chars().count() + 1,
        }
    }

    /// The whole lines that a span touches, without the last one's end.
    pub(super) fn lines_around(&self, span: &Range<usize>) -> Range<usize> {
        let (start, end) = (self.boundary(span.start), self.boundary(span.end.max(span.start)));
        let first = self
            .text
            .get(..start)
            .and_then(|text| text.rfind('\n'))
            .map_or(0, |at| at + 1);
        let last = self
            .text
            .get(end..)
            .and_then(|text| text.find('\n'))
            .map_or(self.text.len(), |at| end + at);
        let is_crlf = self.text.get(first..last).is_some_and(|line| line.ends_with('\r'));
        first..(last - usize::from(is_crlf)).max(first)
    }

    /// The byte itself, or the one at which its character begins.
    pub(super) fn boundary(&self, offset: usize) -> usize {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    }
}

/// Reads every rule file under the paths, in their order; packs first, the house's own files last.
///
/// # Errors
/// Everything that is unreadable, of the wrong kind, too large or no UTF-8, all at once.
pub fn read(paths: &[PathBuf]) -> Result<Vec<Root>, Vec<Diagnostic>> {
    let mut walk = Walk::default();
    for path in paths {
        walk.path(path);
    }
    if walk.problems.is_empty() {
        walk.packs.append(&mut walk.house);
        Ok(walk.packs)
    } else {
        Err(walk.problems)
    }
}

/// What is said of rules that never stood still.
pub fn changing(name: impl Into<String>) -> Diagnostic {
    let message = format!("the rules changed each of the {READS_MAX} times that they were read");
    Diagnostic::file_error("changing", name, message).help("once they are at rest, reload")
}

impl Root {
    /// The name by which people know a file of this root.
    pub(super) fn shown(&self, relative: &str) -> String {
        if self.prefix.is_empty() {
            relative.to_owned()
        } else {
            format!("{}/{relative}", self.prefix.trim_end_matches('/'))
        }
    }

    /// Whether everything is still as it was when it was read: else some of it may be of before a change and
    /// some of after.
    pub(super) fn stands(&self) -> bool {
        let mut seen = self.seen.iter();
        seen.all(|(path, stamp)| fs::metadata(path).is_ok_and(|now| Stamp::of(&now) == *stamp))
    }

    /// The text of a list file, read when it is first asked for.
    ///
    /// # Errors
    /// In words, when the path leaves the root or can't be read.
    pub(super) fn list(&mut self, relative: &str) -> Result<Arc<Source>, String> {
        if let Some(source) = self.lists.get(relative) {
            return Ok(Arc::clone(source));
        }
        let inside = Path::new(relative)
            .components()
            .all(|component| matches!(component, Component::Normal(_) | Component::CurDir));
        if !inside || relative.is_empty() {
            return Err("a list file must lie inside its pack".to_owned());
        }
        let folder = self
            .folder
            .as_ref()
            .ok_or_else(|| "there is no such list file".to_owned())?;
        let path = folder.join(relative);
        let real = path.canonicalize().map_err(|error| error.to_string())?;
        if !folder.canonicalize().is_ok_and(|folder| real.starts_with(folder)) {
            return Err("a list file must lie inside its pack; this link leads out of it".to_owned());
        }
        let (source, stamp) =
            read_text(&path, self.shown(relative), LIST_FILE_BYTES_MAX).map_err(|unread| unread.message)?;
        self.seen.push((path, stamp));
        let source = Arc::new(source);
        self.lists.insert(relative.to_owned(), Arc::clone(&source));
        Ok(source)
    }
}

#[derive(Default)]
struct Walk {
    packs: Vec<Root>,
    house: Vec<Root>,
    problems: Vec<Diagnostic>,
    files: usize,
}

impl Walk {
    fn path(&mut self, path: &Path) {
        let name = path.display().to_string();
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => self.root(path, name),
            Ok(_) => {
                let folder = match path.parent() {
                    Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
                    _ => PathBuf::from("."),
                };
                let mut root = Root {
                    prefix: path
                        .parent()
                        .map(|parent| parent.display().to_string())
                        .unwrap_or_default(),
                    folder: Some(folder),
                    ..Root::default()
                };
                let file = self.file(path, name, &mut root);
                root.files.extend(file);
                self.house.push(root);
            }
            Err(error) => self
                .problems
                .push(Diagnostic::file_error("unreadable", name, error.to_string())),
        }
    }

    /// A folder that was given: a pack, or one that holds packs and loose files.
    fn root(&mut self, folder: &Path, name: String) {
        let mut root = Root {
            prefix: name,
            folder: Some(folder.to_owned()),
            ..Root::default()
        };
        self.folder(folder, &mut root, 0);
        if root.manifest.is_some() {
            self.packs.push(root);
        } else if !root.files.is_empty() {
            self.house.push(root);
        }
    }

    fn folder(&mut self, folder: &Path, root: &mut Root, depth: usize) {
        let shown = folder.display().to_string();
        let listed = fs::metadata(folder).and_then(|metadata| {
            let entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
            Ok((Stamp::of(&metadata), entries))
        });
        let entries = match listed {
            Ok((stamp, entries)) => {
                root.seen.push((folder.to_owned(), stamp));
                entries
            }
            Err(error) => {
                return self
                    .problems
                    .push(Diagnostic::file_error("unreadable", shown, error.to_string()));
            }
        };
        let mut paths: Vec<PathBuf> = entries
            .into_iter()
            // Hidden names are editors' and version control's, and the data folders behind swapped links.
            .filter(|entry| !entry.file_name().as_encoded_bytes().starts_with(b"."))
            .map(|entry| entry.path())
            .collect();
        paths.sort();
        if depth == 0 && folder.join(MANIFEST).exists() {
            let path = folder.join(MANIFEST);
            root.manifest = self.file(&path, path.display().to_string(), root);
        }
        for path in paths {
            self.entry(&path, root, depth);
        }
    }

    fn entry(&mut self, path: &Path, root: &mut Root, depth: usize) {
        let name = path.display().to_string();
        let is_dir = match fs::metadata(path) {
            Ok(metadata) => metadata.is_dir(),
            Err(error) if path.extension().is_some_and(|extension| extension == "toml") => {
                return self
                    .problems
                    .push(Diagnostic::file_error("unreadable", name, error.to_string()));
            }
            Err(_) => return,
        };
        if is_dir && depth == FOLDER_DEPTH_MAX {
            let message = format!("folders are nested more than {FOLDER_DEPTH_MAX} deep");
            self.problems.push(Diagnostic::file_error("too-deep", name, message));
        } else if is_dir && path.join(MANIFEST).exists() && root.manifest.is_none() {
            self.root(path, name);
        } else if is_dir && path.join(MANIFEST).exists() {
            let message = "a pack can't hold another pack";
            self.problems.push(Diagnostic::file_error("nested-pack", name, message));
        } else if is_dir && path.extension().is_some_and(|extension| extension == "toml") {
            let message = "this is a folder, not a rule file";
            self.problems.push(Diagnostic::file_error("not-a-file", name, message));
        } else if is_dir {
            self.folder(path, root, depth + 1);
        } else if path.extension().is_some_and(|extension| extension == "toml")
            && path.file_name().is_some_and(|name| name != MANIFEST)
        {
            let file = self.file(path, name, root);
            root.files.extend(file);
        }
    }

    fn file(&mut self, path: &Path, name: String, root: &mut Root) -> Option<Arc<Source>> {
        self.files += 1;
        if self.files > RULE_FILES_MAX {
            if self.files == RULE_FILES_MAX + 1 {
                let message = format!("more than {RULE_FILES_MAX} rule files");
                self.problems
                    .push(Diagnostic::file_error("too-many-files", name, message));
            }
            return None;
        }
        match read_text(path, name.clone(), RULE_FILE_BYTES_MAX) {
            Ok((source, stamp)) => {
                root.seen.push((path.to_owned(), stamp));
                Some(Arc::new(source))
            }
            Err(unread) => {
                self.problems.push(unread.told(name));
                None
            }
        }
    }
}

/// Why a file isn't a text.
struct Unread {
    message: String,
    /// What could be read of a text in another encoding, and where it ceases to be UTF-8.
    text: Option<(String, usize)>,
}

impl From<String> for Unread {
    fn from(message: String) -> Self {
        Self { message, text: None }
    }
}

impl Unread {
    fn told(self, name: String) -> Diagnostic {
        let Some((text, at)) = self.text else {
            return Diagnostic::file_error("unreadable", name, self.message);
        };
        let source = Arc::new(Source::new(name, text));
        let stand_in = char::REPLACEMENT_CHARACTER.len_utf8();
        Diagnostic::error("not-utf8", &source, at..at + stand_in, self.message)
            .help("save the file as UTF-8; a name in another encoding may also be left out")
    }
}

/// Reads a regular file of at most so many bytes.
fn read_text(path: &Path, name: String, bytes_max: u64) -> Result<(Source, Stamp), Unread> {
    // A FIFO is opened without waiting for its writer, and then seen to be one.
    let opened = fs::OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path);
    let file = opened.map_err(|error| error.to_string())?;
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("not a regular file".to_owned().into());
    }
    let too_large = || format!("larger than {}", crate::units::Size(bytes_max));
    if metadata.len() > bytes_max {
        return Err(too_large().into());
    }
    let mut bytes = Vec::new();
    file.take(bytes_max + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    if bytes.len() as u64 > bytes_max {
        return Err(too_large().into());
    }
    let text = decode(bytes)?;
    // What an editor or a full disk leaves of a file in the middle of writing it.
    if text.trim().is_empty() && path.extension().is_some_and(|extension| extension == "toml") {
        return Err("empty: write a comment into a file that is to hold no rules"
            .to_owned()
            .into());
    }
    let modified = metadata.modified().ok();
    let source = Source {
        name,
        text,
        modified: modified.and_then(|time| Timestamp::try_from(time).ok()),
    };
    Ok((source, Stamp::of(&metadata)))
}

/// UTF-8 with or without a byte order mark.
fn decode(mut bytes: Vec<u8>) -> Result<String, Unread> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err("encoded as UTF-16: save it as UTF-8".to_owned().into());
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.drain(..3);
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = memchr::memchr_iter(b'\n', error.as_bytes().get(..at).unwrap_or_default()).count() + 1;
        Unread {
            message: format!("not UTF-8 at line {line}"),
            text: Some((String::from_utf8_lossy(error.as_bytes()).into_owned(), at)),
        }
    })
}
