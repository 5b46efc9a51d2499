//! Mail as people keep it: a file, a folder (Maildir included), an mbox, or standard input.
//!
//! Each message comes out with CRLF line ends, as the gate would have received it. Knows nothing
//! of what is done with them.

use mail_parser::mailbox::mbox::MessageIterator;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// One message and where it came from.
#[derive(Debug)]
pub struct Source {
    /// The path; for an mbox with `#n`, from 1; `-` for standard input.
    pub path: String,
    /// CRLF line ends.
    pub bytes: Vec<u8>,
}

/// Larger messages are not read: the gate would not take them either.
const MESSAGE_MOST: u64 = 1 << 30;

/// Calls `each` for every message at the paths, in order, folders sorted by name.
///
/// # Errors
/// The first path that can't be read, with its name.
pub fn for_each(paths: &[PathBuf], mut each: impl FnMut(Source)) -> Result<(), (String, io::Error)> {
    for path in paths {
        let name = path.display().to_string();
        let read = if name == "-" {
            stream(&name, &mut BufReader::new(io::stdin().lock()), &mut each)
        } else {
            at(path, &mut each)
        };
        read.map_err(|error| (name, error))?;
    }
    Ok(())
}

fn at(path: &Path, each: &mut impl FnMut(Source)) -> io::Result<()> {
    // A list of folders still to open rather than recursion: depth is the file system's, not ours.
    let mut waiting = vec![path.to_owned()];
    while let Some(path) = waiting.pop() {
        let metadata = std::fs::metadata(&path)?;
        if metadata.is_dir() {
            let mut entries: Vec<PathBuf> = std::fs::read_dir(&path)?
                .filter_map(|entry| entry.ok().map(|entry| entry.path()))
                .filter(|path| !is_hidden(path))
                .collect();
            entries.sort_by(|a, b| b.cmp(a));
            waiting.extend(entries);
        } else if metadata.is_file() {
            stream(
                &path.display().to_string(),
                &mut BufReader::new(File::open(&path)?),
                each,
            )?;
        }
    }
    Ok(())
}

fn is_hidden(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn stream(name: &str, reader: &mut impl BufRead, each: &mut impl FnMut(Source)) -> io::Result<()> {
    if reader.fill_buf()?.starts_with(b"From ") {
        for (place, message) in MessageIterator::new(reader).enumerate() {
            let message = message.map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "a broken mbox"))?;
            each(Source {
                path: format!("{name}#{}", place + 1),
                bytes: with_crlf(message.contents()),
            });
        }
        return Ok(());
    }
    let mut bytes = Vec::new();
    reader.take(MESSAGE_MOST).read_to_end(&mut bytes)?;
    each(Source {
        path: name.to_owned(),
        bytes: with_crlf(&bytes),
    });
    Ok(())
}

/// Bare LF becomes CRLF; what has CRLF already stays.
fn with_crlf(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 32);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_suffix(b"\n") {
            Some(text) if !text.ends_with(b"\r") => {
                out.extend_from_slice(text);
                out.extend_from_slice(b"\r\n");
            }
            _ => out.extend_from_slice(line),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(paths: &[PathBuf]) -> Vec<(String, String)> {
        let mut all = Vec::new();
        for_each(paths, |source| {
            all.push((source.path, String::from_utf8(source.bytes).unwrap()))
        })
        .unwrap();
        all
    }

    #[test]
    fn files_folders_and_mboxes_give_each_message_once() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("b")).unwrap();
        std::fs::write(at("a.eml"), "Subject: a\r\n\r\nx\n").unwrap();
        std::fs::write(at("b/c"), "From x Mon Jan  1 00:00:00 2026\nSubject: 1\n\none\n\nFrom y Mon Jan  1 00:00:00 2026\nSubject: 2\n\ntwo\n").unwrap();
        std::fs::write(at(".hidden"), "no").unwrap();
        let all = read(&[folder.path().to_owned()]);
        let names: Vec<String> = all
            .iter()
            .map(|(path, _)| path.strip_prefix(folder.path().to_str().unwrap()).unwrap().to_owned())
            .collect();
        assert_eq!(names, ["/a.eml", "/b/c#1", "/b/c#2"]);
        assert_eq!(all[0].1, "Subject: a\r\n\r\nx\r\n");
        assert!(all[1].1.starts_with("Subject: 1\r\n\r\none\r\n"));
    }

    #[test]
    fn what_is_not_there_is_named() {
        let (name, _) = for_each(&["nowhere.eml".into()], |_| ()).unwrap_err();
        assert_eq!(name, "nowhere.eml");
    }
}
