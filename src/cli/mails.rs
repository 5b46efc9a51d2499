//! Mail as people keep it: a file, a folder (Maildir included), an mbox, or standard input.
//!
//! Each message comes out with CRLF line ends, as the gate would have received it. Knows nothing
//! of what is done with them.

use super::exit::Exit;
use super::terminal;
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

/// What could not be read, and why.
pub type Unread = (String, io::Error);

/// Larger messages are not read: the gate would not take them either.
const MESSAGE_MOST: u64 = 1 << 30;

/// Calls `each` for every message at the paths, in order, folders sorted by name. What can't be read
/// is returned, and doesn't keep the rest from being read.
pub fn for_each(paths: &[PathBuf], mut each: impl FnMut(Source)) -> Vec<Unread> {
    let mut unread = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            let read = stream("-", &mut BufReader::new(io::stdin().lock()), &mut each);
            unread.extend(read.err().map(|error| ("-".to_owned(), error)));
        } else {
            at(path, &mut each, &mut unread);
        }
    }
    unread
}

/// Tells what could not be read, and what that comes to.
pub fn told(unread: &[Unread]) -> Exit {
    unread.iter().fold(Exit::Fine, |exit, (path, error)| {
        terminal::complain(&terminal::plain(&format!("{path}: {error}")));
        let this = match error.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::FileTooLarge => Exit::BadData,
            _ => Exit::NoInput,
        };
        exit.worse(this)
    })
}

fn at(path: &Path, each: &mut impl FnMut(Source), unread: &mut Vec<Unread>) {
    // A list of folders still to open rather than recursion: depth is the file system's, not ours.
    let mut waiting = vec![path.to_owned()];
    while let Some(path) = waiting.pop() {
        let read = match path.is_dir() {
            true => entries(&path).map(|entries| waiting.extend(entries)),
            // Pipes and the like too, since they may be named (`scan <(command)`).
            false => {
                File::open(&path).and_then(|file| stream(&path.display().to_string(), &mut BufReader::new(file), each))
            }
        };
        unread.extend(read.err().map(|error| (path.display().to_string(), error)));
    }
}

/// Files and folders within, the last by name first. A link to a folder may lead in a circle, and a
/// pipe or socket may never end: neither is followed.
fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if !is_hidden(&path) && (path.is_file() || entry.file_type()?.is_dir()) {
            entries.push(path);
        }
    }
    entries.sort_unstable_by(|a, b| b.cmp(a));
    Ok(entries)
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
    reader.take(MESSAGE_MOST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MESSAGE_MOST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
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
        let unread = for_each(paths, |source| {
            all.push((source.path, String::from_utf8(source.bytes).unwrap()));
        });
        assert!(unread.is_empty(), "{unread:?}");
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
    fn what_is_not_there_is_named_and_the_rest_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let there = folder.path().join("a.eml");
        std::fs::write(&there, "x").unwrap();
        let mut count = 0;
        let unread = for_each(&["nowhere.eml".into(), there], |_| count += 1);
        assert_eq!((count, unread.len(), unread[0].0.as_str()), (1, 1, "nowhere.eml"));
        assert_eq!(told(&unread), Exit::NoInput);
    }

    #[test]
    fn a_folder_that_links_to_itself_ends() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.eml"), "x").unwrap();
        std::os::unix::fs::symlink(folder.path(), folder.path().join("b")).unwrap();
        std::os::unix::fs::symlink(folder.path().join("a.eml"), folder.path().join("c.eml")).unwrap();
        assert_eq!(read(&[folder.path().to_owned()]).len(), 2);
    }
}
