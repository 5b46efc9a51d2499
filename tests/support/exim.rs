//! An Exim of one's own: its own folder, settings, spool and log, on a free port of loopback, stopped
//! when dropped. Needs root and the user that the program was built for.
//!
//! Postfix and Exim packages exclude each other, so the build machine only unpacks Exim's program.

use super::{eventually, free_address};
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// Whom Debian builds the program for. Mail is delivered as this user too: with settings of one's own Exim
/// can become no other.
const OWNER: &str = "Debian-exim";

/// A running instance.
pub struct Exim {
    /// Where it listens.
    pub address: SocketAddr,
    folder: TempDir,
    child: Child,
}

impl Exim {
    /// Whether the machine has the user that the program gives up root for.
    pub fn has_owner() -> bool {
        owner().is_some()
    }

    /// One that takes any mail from loopback and hands it to `next`, in chunks where those are offered.
    pub fn in_front_of(program: &Path, next: SocketAddr) -> Self {
        Self::start(program, None, |_| {
            format!(
                "begin acl\nanyone:\n  accept\n\
                 begin routers\nnext:\n  driver = manualroute\n  route_list = * 127.0.0.1::{}\n  self = send\n  \
                 transport = onwards\n\
                 begin transports\nonwards:\n  driver = smtp\n  hosts_try_fastopen =\n",
                next.port()
            )
        })
    }

    /// One that keeps mail for council.example, but for nobody@.
    pub fn keeping_mail(program: &Path) -> Self {
        Self::keeping(program, None)
    }

    /// The same, with a recipe's lines for the main section, by which it listens at `address`.
    pub fn by_recipe(program: &Path, address: SocketAddr, main: &str) -> Self {
        Self::keeping(program, Some((address, main)))
    }

    fn keeping(program: &Path, recipe: Option<(SocketAddr, &str)>) -> Self {
        Self::start(program, recipe, |folder| {
            let mail = folder.join("mail");
            fs::create_dir(&mail).expect("a writable folder");
            chown(&mail, owner(), None).expect("root");
            format!(
                "begin acl\nanyone:\n  deny recipients = nobody@council.example\n       message = no such user\n  \
                 accept domains = council.example\n  deny message = relay not permitted\n\
                 begin routers\nkept:\n  driver = accept\n  transport = box\n\
                 begin transports\nbox:\n  driver = appendfile\n  directory = {}\n  maildir_format\n  \
                 user = {OWNER}\n",
                mail.display()
            )
        })
    }

    fn start(program: &Path, recipe: Option<(SocketAddr, &str)>, settings: impl Fn(&Path) -> String) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("neighbour")
            .tempdir()
            .expect("a temporary folder");
        // Its processes give up root, and still have to reach their spool.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("our own folder");
        for name in ["spool", "log"] {
            let path = folder.path().join(name);
            fs::create_dir(&path).expect("a writable folder");
            chown(&path, owner(), None).expect("root");
        }
        let (address, listening) = if let Some((address, main)) = recipe {
            (address, main.to_owned())
        } else {
            let address = free_address();
            let port = address.port();
            let listening = format!("local_interfaces = 127.0.0.1\ndaemon_smtp_ports = {port}\nhost_lookup =\n");
            (address, listening)
        };
        let path = folder.path().display();
        let main = format!(
            "exim_path = {}\n\
             primary_hostname = mail.council.example\n\
             spool_directory = {path}/spool\n\
             log_file_path = {path}/log/%slog\n\
             pid_file_path = {path}/pid\n\
             keep_environment =\n\
             {listening}\
             tls_advertise_hosts =\n\
             rfc1413_query_timeout = 0s\n\
             acl_smtp_rcpt = anyone\n\
             log_selector = +smtp_confirmation +received_recipients\n\
             {}",
            program.display(),
            settings(folder.path())
        );
        fs::write(folder.path().join("exim.conf"), main).expect("a writable folder");
        let child = Command::new(program)
            .arg("-C")
            .arg(folder.path().join("exim.conf"))
            .arg("-bdf")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("Exim runs");
        let exim = Self { address, folder, child };
        eventually("Exim listens", || TcpStream::connect(address).ok());
        exim
    }

    /// Messages that it has delivered into its mailbox.
    pub fn delivered(&self) -> Vec<Vec<u8>> {
        let Ok(entries) = fs::read_dir(self.folder.path().join("mail/new")) else {
            return Vec::new();
        };
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.sort();
        paths.iter().filter_map(|path| fs::read(path).ok()).collect()
    }

    /// What it has logged of mail.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log/mainlog")).unwrap_or_default()
    }
}

impl Drop for Exim {
    fn drop(&mut self) {
        if std::thread::panicking() {
            super::programs::say_aloud(&format!("a neighbour's log:\n{}", self.log()));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn owner() -> Option<u32> {
    let users = fs::read_to_string("/etc/passwd").ok()?;
    let line = users
        .lines()
        .find_map(|line| line.strip_prefix(OWNER)?.strip_prefix(':'))?;
    line.split(':').nth(1)?.parse().ok()
}
