//! A Postfix of one's own: its own folder, settings, queue and log, on a free port of loopback,
//! stopped when dropped. Needs root, as Postfix itself does.

use super::{Certificates, eventually, free_address};
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Owner of delivered mail: nobody, on every system that we know.
const NOBODY: u32 = 65_534;

/// What every instance runs, besides its listener: name, kind, private, wake-up, process limit, program.
const SERVICES: &str = "\
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
showq unix n - n - - showq
postlog unix-dgram n - n - 1 postlogd
";

/// A running instance.
pub struct Postfix {
    /// Where it listens.
    pub address: SocketAddr,
    program: PathBuf,
    folder: TempDir,
}

impl Postfix {
    /// One that takes mail from loopback and hands it to `next`, over TLS if `certificates` are given.
    pub fn in_front_of(program: &Path, next: SocketAddr, certificates: Option<&Certificates>) -> Self {
        Self::start(program, "", |folder| {
            let mut settings = format!("relayhost = [localhost]:{}\n", next.port());
            if let Some(certificates) = certificates {
                let [authority, ..] = certificates.write_to(folder);
                settings.push_str(&format!(
                    "smtp_tls_security_level = secure\nsmtp_tls_secure_cert_match = localhost\nsmtp_tls_CAfile = {}\n",
                    authority.display()
                ));
            }
            settings
        })
    }

    /// One that lets `filter` see each message before it answers its own client.
    pub fn filtered_by(program: &Path, filter: SocketAddr) -> Self {
        Self::start(
            program,
            &format!(
                "  -o smtpd_proxy_filter={filter}\n  -o smtpd_proxy_timeout=100s\n\
                 \x20 -o smtpd_discard_ehlo_keywords=silent-discard,etrn\n\
                 \x20 -o smtpd_client_connection_count_limit=100\n"
            ),
            |_| String::new(),
        )
    }

    /// One that keeps mail for council.example, and demands TLS if `certificates` are given.
    pub fn keeping_mail(program: &Path, certificates: Option<&Certificates>) -> Self {
        Self::keeping_mail_with(program, certificates, "")
    }

    /// The same with further settings, which go before those above.
    pub fn keeping_mail_with(program: &Path, certificates: Option<&Certificates>, more: &str) -> Self {
        Self::keeping(program, certificates, "", more)
    }

    /// One that keeps mail for council.example, and takes it from clients alone that show a certificate of the same
    /// authority.
    pub fn keeping_mail_of_known_clients(program: &Path, certificates: &Certificates) -> Self {
        let demands = "smtpd_tls_ask_ccert = yes\nsmtpd_tls_req_ccert = yes\n";
        Self::keeping(program, Some(certificates), demands, "")
    }

    fn keeping(program: &Path, certificates: Option<&Certificates>, demands: &str, more: &str) -> Self {
        Self::start(program, "", |folder| {
            let mail = folder.join("mail");
            fs::create_dir(&mail).expect("a writable folder");
            chown(&mail, Some(NOBODY), Some(NOBODY)).expect("root");
            let mut settings = format!(
                "virtual_mailbox_domains = council.example\n\
                 virtual_mailbox_base = {}\n\
                 virtual_mailbox_maps = static:all/\n\
                 virtual_uid_maps = static:{NOBODY}\n\
                 virtual_gid_maps = static:{NOBODY}\n\
                 smtpd_recipient_restrictions = \
                 check_recipient_access inline:{{{{nobody@council.example = 550 5.1.1 no such user}}}}, permit_mynetworks, reject\n",
                mail.display()
            );
            if let Some(certificates) = certificates {
                let [authority, certificate, key] = certificates.write_to(folder);
                settings.push_str(&format!(
                    "smtpd_tls_security_level = encrypt\nsmtpd_tls_cert_file = {}\nsmtpd_tls_key_file = {}\n\
                     smtpd_tls_received_header = yes\nsmtpd_tls_CAfile = {}\n{demands}",
                    certificate.display(),
                    key.display(),
                    authority.display()
                ));
            }
            settings + more
        })
    }

    /// One that runs what a recipe has for `master.cf`, in which it listens at `address`. It is as Postfix comes, with
    /// mailboxes for clerk and mayor at council.example.
    pub fn by_recipe(program: &Path, address: SocketAddr, master: &str) -> Self {
        Self::start_as(program, address, master, |folder| {
            let mail = folder.join("mail");
            fs::create_dir(&mail).expect("a writable folder");
            chown(&mail, Some(NOBODY), Some(NOBODY)).expect("root");
            format!(
                "virtual_mailbox_domains = council.example\n\
                 virtual_mailbox_base = {}\n\
                 virtual_mailbox_maps = inline:{{{{clerk@council.example = all/}}, {{mayor@council.example = all/}}}}\n\
                 virtual_uid_maps = static:{NOBODY}\n\
                 virtual_gid_maps = static:{NOBODY}\n",
                mail.display()
            )
        })
    }

    fn start(program: &Path, listener_options: &str, settings: impl Fn(&Path) -> String) -> Self {
        let address = free_address();
        let listener = format!("{address} inet n - n - - smtpd\n{listener_options}");
        Self::start_as(program, address, &listener, settings)
    }

    fn start_as(program: &Path, address: SocketAddr, listeners: &str, settings: impl Fn(&Path) -> String) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("neighbour")
            .tempdir()
            .expect("a temporary folder");
        // Its processes give up root, and still have to reach their queue.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("our own folder");
        let path = folder.path().display();
        let main = format!(
            "compatibility_level = 3.6\n\
             queue_directory = {path}/queue\n\
             data_directory = {path}/data\n\
             maillog_file = {path}/log\n\
             maillog_file_prefixes = {path}\n\
             multi_instance_wrapper =\n\
             inet_interfaces = 127.0.0.1\n\
             inet_protocols = ipv4\n\
             myhostname = mail.council.example\n\
             mydestination =\n\
             mynetworks = 127.0.0.0/8\n\
             smtp_dns_support_level = disabled\n\
             smtp_host_lookup = native\n\
             smtpd_peername_lookup = no\n\
             alias_maps =\nalias_database =\nlocal_recipient_maps =\n\
             biff = no\n\
             default_process_limit = 250\n\
             smtpd_client_connection_rate_limit = 0\n\
             minimal_backoff_time = 300s\n\
             {}",
            settings(folder.path())
        );
        fs::create_dir(folder.path().join("queue")).expect("a writable folder");
        fs::create_dir(folder.path().join("data")).expect("a writable folder");
        let owner = owner_of_mail_system();
        chown(folder.path().join("data"), Some(owner), None).expect("root");
        fs::write(folder.path().join("main.cf"), each_once(&main)).expect("a writable folder");
        let master = format!("{listeners}{SERVICES}");
        fs::write(folder.path().join("master.cf"), master).expect("a writable folder");
        let postfix = Self {
            address,
            program: program.to_owned(),
            folder,
        };
        postfix.run("start");
        eventually("Postfix listens", || TcpStream::connect(address).ok());
        postfix
    }

    /// Messages that it has delivered into its mailbox.
    pub fn delivered(&self) -> Vec<Vec<u8>> {
        let Ok(entries) = fs::read_dir(self.folder.path().join("mail/all/new")) else {
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

    /// Adds settings and has them read by the processes that it starts from now on.
    pub fn add(&self, settings: &str) {
        let path = self.folder.path().join("main.cf");
        let main = fs::read_to_string(&path).expect("our own file") + settings;
        fs::write(path, main).expect("our own file");
        self.run("reload");
    }

    fn run(&self, command: &str) {
        let output = Command::new(&self.program)
            .arg("-c")
            .arg(self.folder.path())
            .arg(command)
            .output()
            .expect("Postfix runs");
        assert!(output.status.success(), "postfix {command}: {output:?}\n{}", self.log());
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        if std::thread::panicking() {
            super::programs::say_aloud(&format!("a neighbour's log:\n{}", self.log()));
        }
        let _ = Command::new(&self.program)
            .arg("-c")
            .arg(self.folder.path())
            .arg("stop")
            .output();
    }
}

/// Settings without those that later ones override. Every process of Postfix warns of a setting that stands
/// twice, the one that writes the log too: with more warnings than its socket holds, it waits for itself.
fn each_once(settings: &str) -> String {
    let mut entries: Vec<(&str, String)> = Vec::new();
    for line in settings.lines() {
        match line.split_once('=') {
            Some((name, _)) if !line.starts_with(' ') => {
                entries.retain(|(known, _)| *known != name.trim());
                entries.push((name.trim(), format!("{line}\n")));
            }
            _ => {
                if let Some((_, entry)) = entries.last_mut() {
                    entry.push_str(line);
                    entry.push('\n');
                }
            }
        }
    }
    entries.into_iter().map(|(_, entry)| entry).collect()
}

/// The user that Postfix runs as.
fn owner_of_mail_system() -> u32 {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let line = users
        .lines()
        .find_map(|line| line.strip_prefix("postfix:"))
        .expect("the user postfix");
    line.split(':').nth(1).and_then(|id| id.parse().ok()).expect("a number")
}
