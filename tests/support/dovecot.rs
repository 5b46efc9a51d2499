//! A Dovecot of one's own that takes mail in LMTP: its own folder, settings and log, on a Unix socket
//! and a free port of loopback, stopped when dropped. Needs root, as Dovecot itself does.

use super::{eventually, free_address};
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// Owner of delivered mail: nobody, on every system that we know. Dovecot has to be told that the
/// number is meant.
const NOBODY: u32 = 65_534;

/// A running instance, with mailboxes clerk, mayor and full at council.example; the last has next to no room.
pub struct Dovecot {
    address: SocketAddr,
    proxied: SocketAddr,
    folder: TempDir,
    child: Child,
}

impl Dovecot {
    /// Starts one and waits until it listens.
    pub fn start(program: &Path) -> Self {
        Self::start_with(program, |path| {
            format!(
                "protocols = lmtp\nmail_plugins = quota\n\
                 service lmtp {{\n  unix_listener {} {{\n    mode = 0600\n  }}\n}}\n",
                path.join("lmtp").display()
            )
        })
    }

    /// Starts one with a recipe's file, which opens the socket `lmtp` of the folder that it is given.
    pub fn by_recipe(program: &Path, recipe: impl Fn(&Path) -> String) -> Self {
        Self::start_with(program, |path| format!("protocols =\n{}", recipe(path)))
    }

    fn start_with(program: &Path, lmtp: impl Fn(&Path) -> String) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("neighbour")
            .tempdir()
            .expect("a temporary folder");
        // Its processes give up root, and still have to reach their mail.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("our own folder");
        let mail = folder.path().join("mail");
        fs::create_dir(&mail).expect("a writable folder");
        chown(&mail, Some(NOBODY), Some(NOBODY)).expect("root");
        let (address, proxied) = (free_address(), free_address());
        let path = folder.path().display();
        let users = "clerk@council.example:::::::\n\
                     mayor@council.example:::::::\n\
                     full@council.example:::::::userdb_quota_rule=*:bytes=10000\n";
        fs::write(folder.path().join("users"), users).expect("a writable folder");
        let settings = format!(
            "base_dir = {path}/run\n\
             state_dir = {path}/state\n\
             log_path = {path}/log\n\
             ssl = no\n\
             default_login_user = nobody\n\
             default_internal_user = nobody\n\
             default_internal_group = nogroup\n\
             first_valid_uid = 1\n\
             login_trusted_networks = 127.0.0.0/8\n\
             postmaster_address = postmaster@council.example\n\
             hostname = mail.council.example\n\
             mail_location = maildir:{path}/mail/%n\n\
             quota_full_tempfail = no\n\
             plugin {{\n  quota = count:box\n  quota_vsizes = yes\n  quota_grace = 0\n}}\n\
             passdb {{\n  driver = passwd-file\n  args = {path}/users\n}}\n\
             userdb {{\n  driver = passwd-file\n  args = {path}/users\n\
               default_fields = uid={NOBODY} gid={NOBODY} home={path}/mail/%n\n}}\n\
             service lmtp {{\n  chroot =\n  inet_listener lmtp {{\n    address = {}\n    port = {}\n  }}\n\
               inet_listener proxied {{\n    address = {}\n    port = {}\n    haproxy = yes\n  }}\n}}\n\
             haproxy_trusted_networks = 127.0.0.0/8\n\
             service anvil {{\n  chroot =\n}}\n{}",
            address.ip(),
            address.port(),
            proxied.ip(),
            proxied.port(),
            lmtp(folder.path()),
        );
        let file = folder.path().join("dovecot.conf");
        fs::write(&file, settings).expect("a writable folder");
        let child = Command::new(program)
            .arg("-F")
            .arg("-c")
            .arg(&file)
            .stdin(Stdio::null())
            .spawn()
            .expect("Dovecot runs");
        let dovecot = Self {
            address,
            proxied,
            folder,
            child,
        };
        eventually("Dovecot listens", || TcpStream::connect(address).ok());
        dovecot
    }

    /// Its Unix socket, as a route's target.
    pub fn socket_target(&self) -> String {
        format!("lmtp:{}", self.folder.path().join("lmtp").display())
    }

    /// Its TCP port, as a route's target.
    pub fn tcp_target(&self) -> String {
        format!("lmtp://{}", self.address)
    }

    /// The port where it reads a PROXY header first.
    pub fn proxied_target(&self) -> String {
        format!("lmtp://{}", self.proxied)
    }

    /// Messages in somebody's mailbox.
    pub fn delivered(&self, user: &str) -> Vec<Vec<u8>> {
        let Ok(entries) = fs::read_dir(self.folder.path().join("mail").join(user).join("new")) else {
            return Vec::new();
        };
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.sort();
        paths.iter().filter_map(|path| fs::read(path).ok()).collect()
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        if std::thread::panicking() {
            super::programs::say_aloud(&format!("a neighbour's log:\n{}", self.log()));
        }
        // Its master ends the others at SIGTERM; killed, it would leave them behind.
        let line = format!("kill -TERM {}", self.child.id());
        let _ = Command::new("sh").args(["-c", &line]).status();
        let _ = self.child.wait();
    }
}
