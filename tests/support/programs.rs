//! Programs that a test needs from the machine. Missing ones skip the test aloud; under CI, where
//! `.ci/run` has installed them, they fail it.

use std::path::PathBuf;

/// Where each program is, or `None` when one is missing, which has then been said.
///
/// # Panics
/// With `CI=true` in the environment, when one is missing.
pub fn needed<const N: usize>(test: &str, names: [&str; N]) -> Option<[PathBuf; N]> {
    let found = names.map(|name| (name, find(name)));
    let missing: Vec<&str> = found
        .iter()
        .filter(|(_, path)| path.is_none())
        .map(|(name, _)| *name)
        .collect();
    if missing.is_empty() {
        return Some(found.map(|(_, path)| path.unwrap_or_default()));
    }
    let text = format!("SKIPPED {test}: not on this machine: {}", missing.join(", "));
    skip(&text);
    None
}

/// Whether this process is root, as some neighbours need; when it isn't, that has been said.
///
/// # Panics
/// With `CI=true` in the environment, when it isn't.
pub fn needs_root(test: &str) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let root = status.lines().any(|line| line.starts_with("Uid:\t0\t"));
    if !root {
        skip(&format!("SKIPPED {test}: its neighbours start as root"));
    }
    root
}

/// Whether the machine has IPv6, at least on loopback; when it hasn't, that has been said. Never a failure: many
/// a build machine has none.
pub fn has_ipv6(test: &str) -> bool {
    let has = std::net::TcpListener::bind((std::net::Ipv6Addr::LOCALHOST, 0)).is_ok();
    if !has {
        say_aloud(&format!("SKIPPED {test}: no IPv6 on this machine"));
    }
    has
}

fn skip(text: &str) {
    assert!(std::env::var("CI").ok().as_deref() != Some("true"), "{text}");
    // Straight to the terminal: the harness keeps what a passing test prints to itself.
    say_aloud(text);
}

/// Prints a line even from a test that passes.
pub fn say_aloud(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Where distributions put what isn't for everybody's path, and where `.ci/run` unpacks Exim, which can't
/// be installed beside Postfix.
const ASIDE: [&str; 4] = [
    "/usr/sbin",
    "/sbin",
    "/usr/lib/dovecot",
    concat!(env!("CARGO_MANIFEST_DIR"), "/target/neighbours/exim/usr/sbin"),
];

fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(ASIDE.map(PathBuf::from));
    folders.map(|folder| folder.join(name)).find(|path| path.is_file())
}
