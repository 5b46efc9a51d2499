//! A Maildir as a target: one file a transaction, the envelope in headers at its top.
//!
//! An envelope and pieces go in; a file that survives a power cut comes out, or nothing. Written to
//! `tmp`, synced, renamed into `new`, and `new` synced, in that order. `Return-Path` holds the reverse-path,
//! `X-Envelope-To` one recipient each. Line ends stay CRLF. Knows nothing of SMTP or of mail readers.

use crate::clock::Clock;
use crate::mail::Envelope;
use bytes::Bytes;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, IoSlice, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Deliveries of this process, so that no two files have one name.
static COUNTER: AtomicU64 = AtomicU64::new(0);

/// A Maildir.
#[derive(Clone)]
pub(super) struct Maildir {
    path: Arc<Path>,
    /// Our host name with what a file name can't hold escaped, as the Maildir format has it.
    host: Arc<str>,
    clock: Arc<dyn Clock>,
}

/// Why a message isn't there.
#[derive(Debug)]
pub(super) enum Unwritten {
    /// No room: disk or quota.
    Full(io::Error),
    /// Anything else.
    Failed(io::Error),
    /// It stands in `new`, but nobody can promise that it outlives a power cut.
    Unsure(io::Error),
}

impl Maildir {
    pub(super) fn new(path: PathBuf, host: &str, clock: Arc<dyn Clock>) -> Self {
        Self {
            path: path.into(),
            host: host.replace('/', "\\057").replace(':', "\\072").into(),
            clock,
        }
    }

    /// Makes the folders that are missing, for their owner alone.
    pub(super) async fn create(&self) -> io::Result<()> {
        let maildir = self.clone();
        tokio::task::spawn_blocking(move || maildir.create_folders())
            .await
            .unwrap_or_else(|lost| Err(io::Error::other(lost)))
    }

    /// Writes one message with its envelope.
    pub(super) async fn deliver(&self, envelope: &Envelope, pieces: &[Bytes]) -> Result<(), Unwritten> {
        let mut content = vec![Bytes::from(envelope_headers(envelope))];
        content.extend_from_slice(pieces);
        let maildir = self.clone();
        tokio::task::spawn_blocking(move || maildir.write(&content))
            .await
            .unwrap_or_else(|lost| Err(Unwritten::Unsure(io::Error::other(lost))))
    }

    fn write(&self, content: &[Bytes]) -> Result<(), Unwritten> {
        let name = self.unique_name();
        let draft = self.path.join("tmp").join(&name);
        let settled = self.path.join("new").join(&name);
        let drafted = self.open_draft(&draft).and_then(|file| {
            write_synced(file, content)?;
            std::fs::rename(&draft, &settled)
        });
        if let Err(error) = drafted {
            // A draft that can't be removed either harms nobody: no reader looks into tmp.
            let _ = std::fs::remove_file(&draft);
            return Err(Unwritten::because(error));
        }
        File::open(self.path.join("new"))
            .and_then(|folder| folder.sync_all())
            .map_err(Unwritten::Unsure)
    }

    fn open_draft(&self, draft: &Path) -> io::Result<File> {
        let open = || OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft);
        match open() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.create_folders()?;
                open()
            }
            opened => opened,
        }
    }

    fn create_folders(&self) -> io::Result<()> {
        for folder in ["tmp", "new", "cur"] {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(self.path.join(folder))?;
        }
        // A folder that a power cut takes away takes its mail along.
        File::open(&*self.path)?.sync_all()?;
        match self.path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            Some(parent) => File::open(parent)?.sync_all(),
            None => Ok(()),
        }
    }

    fn unique_name(&self) -> String {
        let now = self.clock.now();
        let micros = now.subsec_nanosecond() / 1000;
        let count = COUNTER.fetch_add(1, Ordering::Relaxed);
        format!(
            "{}.M{micros}P{}Q{count}.{}",
            now.as_second(),
            std::process::id(),
            self.host
        )
    }
}

impl std::fmt::Display for Maildir {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "maildir:{}", self.path.display())
    }
}

impl Unwritten {
    fn because(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => Self::Full(error),
            _ => Self::Failed(error),
        }
    }
}

impl std::fmt::Display for Unwritten {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Full(error) => write!(formatter, "has no room: {error}"),
            Self::Failed(error) => write!(formatter, "can't be written: {error}"),
            Self::Unsure(error) => write!(formatter, "can't be synced: {error}"),
        }
    }
}

fn write_synced(mut file: File, content: &[Bytes]) -> io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> = content.iter().map(|piece| IoSlice::new(piece)).collect();
    let mut rest = slices.as_mut_slice();
    // Skips empty slices at the front, which would make a write of nothing look like a full disk.
    IoSlice::advance_slices(&mut rest, 0);
    while !rest.is_empty() {
        match file.write_vectored(rest) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut rest, written),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    file.sync_all()
}

/// The envelope as header lines; they stand before the message and are no part of it.
fn envelope_headers(envelope: &Envelope) -> Vec<u8> {
    let mut headers = format!("Return-Path: <{}>\r\n", printable(envelope.reverse_path_text()));
    for recipient in &envelope.recipients {
        headers.push_str(&format!("X-Envelope-To: {}\r\n", printable(recipient.address.as_str())));
    }
    headers.into_bytes()
}

/// No address may forge a header line, wherever it came from.
fn printable(address: &str) -> String {
    address.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_room_is_told_from_other_trouble() {
        // ENOSPC, EDQUOT and EFBIG; EIO, EROFS and EACCES.
        for (code, is_full) in [
            (28, true),
            (122, true),
            (27, true),
            (5, false),
            (30, false),
            (13, false),
        ] {
            let unwritten = Unwritten::because(io::Error::from_raw_os_error(code));
            assert_eq!(matches!(unwritten, Unwritten::Full(_)), is_full, "{code}");
        }
    }

    #[test]
    fn no_address_forges_a_header() {
        let mut envelope = Envelope::default();
        assert_eq!(envelope_headers(&envelope), b"Return-Path: <>\r\n");
        envelope.reverse_path = Some(crate::mail::Address::from_checked("a\r\nX-Forged: 1@b"));
        assert_eq!(envelope_headers(&envelope), b"Return-Path: <a??X-Forged: 1@b>\r\n");
    }

    #[test]
    fn host_names_are_escaped_in_file_names() {
        let clock = Arc::new(crate::clock::FixedClock(jiff::Timestamp::UNIX_EPOCH));
        let maildir = Maildir::new("x".into(), "a/b:c", clock);
        assert!(maildir.unique_name().ends_with(".a\\057b\\072c"));
    }
}
