//! A gate of one's own: the compiled program on free ports in a temporary folder, stopped when dropped.

use super::{Certificates, PATIENCE, Sink, free_address, mail};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use toml::{Table, Value};

/// A running gate.
pub struct Gate {
    /// Its SMTP listener.
    pub smtp: SocketAddr,
    /// Its HTTP listener.
    pub http: SocketAddr,
    folder: TempDir,
    child: Child,
}

impl Gate {
    /// Starts one before `sink`, with the test rules and, on top, these settings.
    pub fn before(sink: &Sink, settings: &str) -> Self {
        Self::delivering_to(&sink.target(), settings)
    }

    /// Starts one that delivers into the Maildir `delivered` of its folder.
    pub fn with_maildir(settings: &str) -> Self {
        Self::delivering_to("maildir:delivered", settings)
    }

    /// Starts one whose upstream is this target.
    pub fn delivering_to(target: &str, settings: &str) -> Self {
        Self::launched(target, settings, |_| {})
    }

    /// The same, its process prepared by `prepare`: environment, where its output goes.
    pub fn launched(target: &str, settings: &str, prepare: impl Fn(&mut Command)) -> Self {
        Self::launched_at([free_address(), free_address()], target, settings, prepare)
    }

    /// Starts one whose SMTP and HTTP listeners have these addresses.
    pub fn at(addresses: [SocketAddr; 2], target: &str, settings: &str) -> Self {
        Self::launched_at(addresses, target, settings, |_| {})
    }

    /// Starts one on these settings, such as a recipe's, whose first listener has this address. Only where they
    /// are silent is it as in every test: rules, files, HTTP.
    pub fn as_written(settings: &str, smtp: SocketAddr) -> Self {
        let folder = Self::prepare();
        let http = free_address();
        let mut config = base(smtp, http);
        for (key, value) in parsed(settings) {
            config.insert(key, value);
        }
        fs::write(folder.path().join("portreeve.toml"), config.to_string()).expect("a writable folder");
        Self::run(folder, smtp, http)
    }

    fn launched_at(
        [smtp, http]: [SocketAddr; 2],
        target: &str,
        settings: &str,
        prepare: impl Fn(&mut Command),
    ) -> Self {
        let folder = Self::prepare();
        let mut config = base(smtp, http);
        merge(&mut config, &parsed(&format!("[upstream]\ntarget = \"{target}\"\n")));
        merge(&mut config, &parsed(settings));
        fs::write(folder.path().join("portreeve.toml"), config.to_string()).expect("a writable folder");
        let child = spawn(folder.path(), prepare);
        Self::ready(folder, smtp, http, child)
    }

    /// Settings that offer STARTTLS to clients and use it upstream as told. The files stay behind
    /// in a temporary folder, since the gate may read them again.
    pub fn tls_settings(certificates: &Certificates, upstream: &str) -> String {
        let folder = tempfile::tempdir().expect("a temporary folder").keep();
        let [authority, certificate, key] = certificates.write_to(&folder);
        format!(
            "[[listener]]\ntls = \"starttls\"\ncertificate = {certificate:?}\nkey = {key:?}\n\
             [upstream]\ntls = \"{upstream}\"\ntls_ca = {authority:?}\n"
        )
    }

    /// A folder with the test rules.
    pub fn prepare() -> TempDir {
        let folder = tempfile::Builder::new()
            .prefix("portreeve")
            .tempdir()
            .expect("a temporary folder");
        fs::create_dir(folder.path().join("rules")).expect("a writable folder");
        fs::write(folder.path().join("rules/test.toml"), mail::RULES).expect("a writable folder");
        folder
    }

    /// Starts the program on a prepared folder that holds `portreeve.toml`, and waits until it is ready.
    pub fn run(folder: TempDir, smtp: SocketAddr, http: SocketAddr) -> Self {
        let child = spawn(folder.path(), |_| {});
        Self::ready(folder, smtp, http, child)
    }

    fn ready(folder: TempDir, smtp: SocketAddr, http: SocketAddr, child: Child) -> Self {
        let mut gate = Self {
            smtp,
            http,
            folder,
            child,
        };
        gate.wait_until_ready();
        gate
    }

    /// The folder that holds its files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts it again after it ended, on the same folder and ports.
    pub fn start_again(&mut self) {
        self.child = spawn(self.folder.path(), |_| {});
        self.wait_until_ready();
    }

    /// Sends a signal by name.
    pub fn signal(&self, name: &str) {
        let line = format!("kill -{name} {}", self.child.id());
        let status = Command::new("sh").args(["-c", &line]).status().expect("a shell");
        assert!(status.success(), "{line}");
    }

    /// Its process id.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the program to end.
    pub fn wait(&mut self) -> ExitStatus {
        eventually("the gate ends", || self.child.try_wait().expect("our own child"))
    }

    /// Runs a command of the program on the same settings.
    pub fn command(&self, arguments: &[&str]) -> Output {
        command(self.folder.path(), arguments)
    }

    /// Runs a command and reads what it printed: one JSON value, or one a line.
    pub fn json(&self, arguments: &[&str]) -> Vec<serde_json::Value> {
        let output = self.command(arguments);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let values = serde_json::Deserializer::from_str(&text)
            .into_iter()
            .collect::<Result<Vec<serde_json::Value>, _>>();
        let values = values.unwrap_or_else(|error| panic!("{arguments:?}: {error} in {text:?}; {output:?}"));
        values
            .into_iter()
            .flat_map(|value| {
                if let serde_json::Value::Array(many) = value {
                    many
                } else {
                    vec![value]
                }
            })
            .collect()
    }

    /// All that it has printed.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Its last lines, each cut: enough to see what it died of.
    fn end_of_log(&self) -> String {
        let log = self.log();
        let lines: Vec<String> = log.lines().map(|line| line.chars().take(600).collect()).collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    /// The log lines that are about messages.
    pub fn message_lines(&self) -> Vec<serde_json::Value> {
        let log = self.log();
        let values = log
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        values
            .filter(|value| value.get("verdict").is_some() && value.get("id").is_some())
            .collect()
    }

    /// The page at `path`: status and body.
    pub fn get(&self, path: &str) -> Option<(u16, String)> {
        get(self.http, path)
    }

    /// The value of one series, named with its labels as the page shows it; 0 when it isn't there.
    pub fn metric(&self, series: &str) -> f64 {
        let (_, page) = self.get("/metrics").expect("the metrics page");
        let line = page
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.trim().parse().expect("a number"))
    }

    /// The sum over a metric's series.
    pub fn metric_sum(&self, name: &str) -> f64 {
        let (_, page) = self.get("/metrics").expect("the metrics page");
        let lines = page
            .lines()
            .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])));
        lines
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    /// Files of the Maildir it delivers into, whole.
    pub fn delivered(&self) -> Vec<Vec<u8>> {
        let Ok(entries) = fs::read_dir(self.folder.path().join("delivered/new")) else {
            return Vec::new();
        };
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.sort();
        paths
            .iter()
            .map(|path| fs::read(path).expect("a delivered file"))
            .collect()
    }

    fn wait_until_ready(&mut self) {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("our own child") {
                panic!("the gate ended with {status}:\n{}", self.log());
            }
            if self.get("/readyz").is_some_and(|(status, _)| status == 200) {
                return;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "the gate isn't ready after {PATIENCE:?}:\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            super::programs::say_aloud(&format!("the end of the gate's log:\n{}", self.end_of_log()));
        }
    }
}

/// Runs a command of the program in a folder that holds `portreeve.toml`.
pub fn command(folder: &Path, arguments: &[&str]) -> Output {
    command_with(folder, arguments, &[])
}

/// The same, with these variables in its environment.
pub fn command_with(folder: &Path, arguments: &[&str], variables: &[(&str, &Path)]) -> Output {
    let mut command = Command::new(program());
    command
        .args(arguments)
        .envs(variables.iter().copied())
        .args(["--config", "portreeve.toml"])
        .current_dir(folder)
        .stdin(Stdio::null());
    command.output().expect("the program runs")
}

/// Asks again and again until there is an answer.
pub fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < PATIENCE, "not after {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// GET over HTTP/1.1: status and body; `None` when nobody answers.
pub fn get(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream
        .write_all(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())
        .ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    Some((status, if chunked { unchunked(body) } else { body.to_owned() }))
}

fn unchunked(mut body: &str) -> String {
    let mut text = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        let Some((chunk, after)) = rest.split_at_checked(size).filter(|_| size > 0) else {
            break;
        };
        text.push_str(chunk);
        body = after.trim_start_matches("\r\n");
    }
    text
}

/// The program under test: this build's own, or the one that `PORTREEVE_PROGRAM` names.
fn program() -> PathBuf {
    std::env::var_os("PORTREEVE_PROGRAM").map_or_else(|| env!("CARGO_BIN_EXE_portreeve").into(), PathBuf::from)
}

fn spawn(folder: &Path, prepare: impl Fn(&mut Command)) -> Child {
    let log = File::options()
        .create(true)
        .append(true)
        .open(folder.join("log"))
        .expect("a writable folder");
    let mut command = Command::new(program());
    command.args(["run", "--config", "portreeve.toml"]).current_dir(folder);
    command
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a file"))
        .stderr(log);
    prepare(&mut command);
    command.spawn().expect("the program starts")
}

/// The settings that every test starts from.
pub fn base(smtp: SocketAddr, http: SocketAddr) -> Table {
    parsed(&format!(
        r#"
        [[listener]]
        name = "inbound"
        address = "{smtp}"
        direction = "inbound"
        peer = "internet"
        [relay]
        domains = ["council.example"]
        [http]
        address = "{http}"
        [control]
        socket = "portreeve.sock"
        [store]
        url = "sqlite:portreeve.db"
        [rules]
        paths = ["rules"]
        [log]
        format = "json"
        level = "info"
        "#
    ))
}

fn parsed(text: &str) -> Table {
    text.parse().unwrap_or_else(|error| panic!("{error} in\n{text}"))
}

/// Lays `over` on `table`: tables merge, an array of tables merges item by item, the rest replaces.
fn merge(table: &mut Table, over: &Table) {
    for (key, value) in over {
        match (table.get_mut(key), value) {
            (Some(Value::Table(old)), Value::Table(new)) => merge(old, new),
            (Some(Value::Array(old)), Value::Array(new)) if new.iter().all(Value::is_table) && !new.is_empty() => {
                merge_items(old, new);
            }
            _ => _ = table.insert(key.clone(), value.clone()),
        }
    }
}

fn merge_items(old: &mut Vec<Value>, new: &[Value]) {
    for (index, item) in new.iter().enumerate() {
        match (old.get_mut(index), item) {
            (Some(Value::Table(table)), Value::Table(over)) => merge(table, over),
            _ => old.push(item.clone()),
        }
    }
}
