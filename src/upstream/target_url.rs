//! Where a route leads, as settings write it: `smtp://host:port`, `lmtp:/path/to/socket`, `maildir:PATH`.
//!
//! Text in, a checked [`TargetUrl`] out. Opens nothing and looks nothing up.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// SMTP's port when a target names none.
const SMTP_PORT: u16 = 25;
/// LMTP's (RFC 2033 leaves it open; 24 is assigned).
const LMTP_PORT: u16 = 24;
/// Octets of a Unix socket's path: Linux has room for 108, the last of them a NUL.
const SOCKET_PATH_OCTETS_MAX: usize = 107;

/// One target of a route.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TargetUrl {
    /// `smtp://host:port`; port 25 when none is written.
    Smtp {
        /// A host name or address, without the brackets of an IPv6 one.
        host: String,
        /// The TCP port.
        port: u16,
    },
    /// `lmtp://host:port`.
    Lmtp {
        /// A host name or address, without the brackets of an IPv6 one.
        host: String,
        /// The TCP port.
        port: u16,
    },
    /// `lmtp:/path/to/socket`.
    LmtpSocket(PathBuf),
    /// `maildir:PATH`, relative to the working directory unless absolute.
    Maildir(PathBuf),
}

impl FromStr for TargetUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        read(text).ok_or_else(|| {
            let why = amiss(text).map_or(String::new(), |why| format!(", {why}"));
            format!(
                "{text:?} is not a target{why}: \
                 write smtp://host:port, lmtp://host:port, lmtp:/path/to/socket or maildir:PATH"
            )
        })
    }
}

/// What is wrong with a socket's path, which is where people go wrong.
fn amiss(text: &str) -> Option<&'static str> {
    let path = text.strip_prefix("lmtp:")?;
    if path.starts_with("///") {
        Some("a socket's path follows lmtp: at once")
    } else if path.starts_with("//") {
        None
    } else if !path.starts_with('/') {
        Some("a socket's path starts with a slash")
    } else if path.len() > SOCKET_PATH_OCTETS_MAX {
        Some("a socket's path has at most 107 octets")
    } else {
        Some("no socket has such a path")
    }
}

fn is_socket_path(path: &str) -> bool {
    path.starts_with('/') && path.len() <= SOCKET_PATH_OCTETS_MAX && !path.ends_with('/') && !path.contains('\0')
}

fn read(text: &str) -> Option<TargetUrl> {
    let (scheme, rest) = text.split_once(':')?;
    let target = match (scheme, rest.strip_prefix("//")) {
        ("smtp", Some(place)) => {
            let (host, port) = host_and_port(place, SMTP_PORT)?;
            TargetUrl::Smtp { host, port }
        }
        ("lmtp", Some(place)) => {
            let (host, port) = host_and_port(place, LMTP_PORT)?;
            TargetUrl::Lmtp { host, port }
        }
        ("lmtp", None) if is_socket_path(rest) => TargetUrl::LmtpSocket(rest.into()),
        ("maildir", _) if !rest.is_empty() => TargetUrl::Maildir(rest.into()),
        _ => return None,
    };
    Some(target)
}

fn host_and_port(place: &str, default: u16) -> Option<(String, u16)> {
    let (host, port) = match place.strip_prefix('[') {
        Some(literal) => {
            let (address, after) = literal.split_once(']')?;
            address.parse::<std::net::Ipv6Addr>().ok()?;
            match after {
                "" => (address, None),
                _ => (address, Some(after.strip_prefix(':')?)),
            }
        }
        None => match place.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        },
    };
    let port = port.map_or(Some(default), |port| port.parse().ok().filter(|port| *port > 0))?;
    let is_name = !host.is_empty()
        && host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte));
    is_name.then(|| (host.to_owned(), port))
}

impl fmt::Display for TargetUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, host, port) = match self {
            Self::Smtp { host, port } => ("smtp", host, port),
            Self::Lmtp { host, port } => ("lmtp", host, port),
            Self::LmtpSocket(path) => return write!(formatter, "lmtp:{}", path.display()),
            Self::Maildir(path) => return write!(formatter, "maildir:{}", path.display()),
        };
        if host.contains(':') {
            write!(formatter, "{scheme}://[{host}]:{port}")
        } else {
            write!(formatter, "{scheme}://{host}:{port}")
        }
    }
}

impl Serialize for TargetUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TargetUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_and_written_back() {
        for (text, written) in [
            ("smtp://mail.example:2525", "smtp://mail.example:2525"),
            ("smtp://mail.example", "smtp://mail.example:25"),
            ("smtp://192.0.2.1:65535", "smtp://192.0.2.1:65535"),
            ("smtp://[2001:db8::1]:26", "smtp://[2001:db8::1]:26"),
            ("smtp://[::1]", "smtp://[::1]:25"),
            ("lmtp://dovecot", "lmtp://dovecot:24"),
            ("lmtp:/run/lmtp.sock", "lmtp:/run/lmtp.sock"),
            ("maildir:var/delivered", "maildir:var/delivered"),
        ] {
            assert_eq!(
                text.parse::<TargetUrl>().map(|target| target.to_string()).as_deref(),
                Ok(written)
            );
        }
    }

    #[test]
    fn what_is_no_target_is_refused_with_the_ways_to_write_one() {
        for text in [
            "",
            "mail.example",
            "smtp:mail",
            "smtp://",
            "smtp://:25",
            "smtp://a:0",
            "smtp://a:65536",
            "smtp://a:b",
            "smtp://a b:25",
            "smtp://[nonsense]:25",
            "smtp://[::1]25",
            "lmtp:relative",
            "lmtp:",
            "lmtp:/",
            "lmtp:/run/",
            "lmtp:/run/a\0b",
            "lmtp:///run/lmtp.sock",
            "lmtp://",
            "lmtp://a:0",
            "maildir:",
            "http://a",
        ] {
            let error = text.parse::<TargetUrl>().unwrap_err();
            assert!(error.contains("maildir:PATH"), "{error}");
        }
    }

    #[test]
    fn a_mistaken_socket_is_told_what_is_amiss() {
        for (text, why) in [
            ("lmtp:relative", "starts with a slash"),
            ("lmtp:///run/lmtp.sock", "at once"),
            ("lmtp:/run/", "no socket"),
        ] {
            let error = text.parse::<TargetUrl>().unwrap_err();
            assert!(error.contains(why), "{error}");
        }
        for (octets, fine) in [
            (SOCKET_PATH_OCTETS_MAX - 1, true),
            (SOCKET_PATH_OCTETS_MAX, true),
            (SOCKET_PATH_OCTETS_MAX + 1, false),
        ] {
            let text = format!("lmtp:/{}", "x".repeat(octets - 1));
            let read = text.parse::<TargetUrl>();
            assert_eq!(read.is_ok(), fine, "{octets}");
            assert!(fine || read.unwrap_err().contains("107 octets"));
        }
    }
}
