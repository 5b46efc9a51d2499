//! A setting that must not be shown: written in place, or as `file:PATH`.
//!
//! Text in; the secret out when it is asked for. Knows nothing of what it opens.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::io::Read;

/// Bytes of a secret's file.
const SECRET_MAX: u64 = 64 * 1024;

/// A password or key; shown as `***` by everything but [`Secret::reveal`].
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The secret itself, its file read now; one line end after it is not part of it.
    ///
    /// # Errors
    /// In words, when the file can't be read, is no regular file, or is too long.
    pub fn reveal(&self) -> Result<String, String> {
        let Some(path) = self.0.strip_prefix("file:") else {
            return Ok(self.0.clone());
        };
        let failed = |error: std::io::Error| format!("{path}: cannot be read: {error}");
        if !std::fs::metadata(path).map_err(failed)?.is_file() {
            return Err(format!("{path}: not a regular file"));
        }
        let mut text = String::new();
        let file = std::fs::File::open(path).map_err(failed)?;
        file.take(SECRET_MAX + 1).read_to_string(&mut text).map_err(failed)?;
        if text.len() as u64 > SECRET_MAX {
            return Err(format!("{path}: longer than {SECRET_MAX} bytes"));
        }
        let end = text.strip_suffix('\n').map_or(text.len(), str::len);
        text.truncate(end);
        let end = text.strip_suffix('\r').map_or(text.len(), str::len);
        text.truncate(end);
        Ok(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

impl Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_comes_from_its_file_and_is_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        for (content, expected) in [
            ("pass word\n", "pass word"),
            ("crlf\r\n", "crlf"),
            ("", ""),
            ("a\n\n", "a\n"),
        ] {
            std::fs::write(&path, content).unwrap();
            let secret = Secret(format!("file:{}", path.display()));
            assert_eq!(secret.reveal().as_deref(), Ok(expected));
        }
        assert_eq!(Secret("in place".to_owned()).reveal().as_deref(), Ok("in place"));
        assert_eq!(format!("{:?}", Secret("in place".to_owned())), "***");
        assert!(Secret(format!("file:{}", folder.path().display())).reveal().is_err());
    }

    #[test]
    fn a_file_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let limit = usize::try_from(SECRET_MAX).unwrap();
        for (length, fine) in [(limit - 1, true), (limit, true), (limit + 1, false)] {
            std::fs::write(&path, "x".repeat(length)).unwrap();
            assert_eq!(
                Secret(format!("file:{}", path.display())).reveal().is_ok(),
                fine,
                "{length}"
            );
        }
    }
}
