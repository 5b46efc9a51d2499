//! A scripted SMTP and LMTP server on loopback for tests: well-behaved, but for what its script says.
//!
//! It keeps what it was told and what it took. Knows nothing of the code under test.

use super::connect::{Connect, Place, Stream, SystemConnect};
use super::settings::{Deadlines, Settings, Targets};
use super::{Parts, TargetUrl, Upstreams};
use crate::clock::FixedClock;
use crate::resolver::SystemResolver;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufStream};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What the server does at a step in place of its usual answer.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// Says this and goes on.
    Say(&'static str),
    /// Says these octets, however many, and goes on.
    Spew(Vec<u8>),
    /// Says this and closes.
    SayAndClose(&'static str),
    /// Closes.
    Close,
    /// Says nothing and waits for ever.
    Silence,
    /// Says the usual after so many seconds.
    Delay(u64),
}

/// When it does it: a connection's number, or any; the command's verb, `BANNER`, `BODY` (its end) or `MIDDLE` (after its first line);
/// and only where the command holds this text. `BDAT` is before the chunk's octets are read. A client that greets with LHLO has `BODY` once for each recipient taken,
/// holding its RCPT.
#[derive(Debug, Clone)]
struct Rule {
    connection: Option<usize>,
    step: &'static str,
    holding: &'static str,
    act: Act,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    /// What it was told of the client: the last XCLIENT or PROXY header, else what XFORWARD said before MAIL.
    pub(crate) told: String,
    pub(crate) commands: Vec<String>,
    pub(crate) body: Vec<u8>,
    pub(crate) is_encrypted: bool,
}

/// The server.
pub(crate) struct Sink {
    pub(crate) port: u16,
    script: Arc<Script>,
}

#[derive(Default)]
struct Script {
    /// What EHLO offers, but for STARTTLS.
    offers: Mutex<Vec<&'static str>>,
    /// Whether a connection begins with a PROXY header of version 2.
    expects_proxy: AtomicBool,
    rules: Mutex<Vec<Rule>>,
    tls: Option<TlsAcceptor>,
    connections: AtomicUsize,
    open: AtomicUsize,
    open_most: AtomicUsize,
    taken: Mutex<Vec<Taken>>,
    /// The certificate that each client inside TLS showed, in DER.
    shown: Mutex<Vec<Option<Vec<u8>>>>,
    /// Every command line, with its connection's number.
    heard: Mutex<Vec<(usize, String)>>,
}

impl Sink {
    pub(crate) async fn start() -> Self {
        Self::with(vec!["PIPELINING", "SIZE 1000000", "8BITMIME", "SMTPUTF8", "DSN"], None).await
    }

    pub(crate) async fn with(offers: Vec<&'static str>, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let script = Arc::new(Script {
            offers: Mutex::new(offers),
            tls,
            ..Script::default()
        });
        let serving = Arc::clone(&script);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = serving.connections.fetch_add(1, Ordering::SeqCst);
                let script = Arc::clone(&serving);
                tokio::spawn(script.attend(stream, number));
            }
        });
        Self { port, script }
    }

    /// From now on, `act` at `step` where its line holds `holding`; the last rule that fits counts.
    pub(crate) fn at(&self, step: &'static str, holding: &'static str, act: Act) {
        self.rule(None, step, holding, act);
    }

    /// The same, on one connection only.
    pub(crate) fn on(&self, connection: usize, step: &'static str, act: Act) {
        self.rule(Some(connection), step, "", act);
    }

    fn rule(&self, connection: Option<usize>, step: &'static str, holding: &'static str, act: Act) {
        self.script.rules.lock().unwrap().push(Rule {
            connection,
            step,
            holding,
            act,
        });
    }

    /// Forgets every rule: a server in good health.
    pub(crate) fn heal(&self) {
        self.script.rules.lock().unwrap().clear();
    }

    /// Connects without a socket, so that paused time passes only when all stand still.
    pub(crate) fn in_process(&self) -> Arc<dyn Connect> {
        Arc::new(InProcess(Arc::clone(&self.script)))
    }

    pub(crate) fn offer(&self, offers: Vec<&'static str>) {
        *self.script.offers.lock().unwrap() = offers;
    }

    /// From now on it reads a PROXY header first; `heard` has it as `PROXY` and what follows its signature.
    pub(crate) fn expect_proxy(&self) {
        self.script.expects_proxy.store(true, Ordering::SeqCst);
    }

    pub(crate) fn connections(&self) -> usize {
        self.script.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn open_most(&self) -> usize {
        self.script.open_most.load(Ordering::SeqCst)
    }

    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.script.taken.lock().unwrap().clone()
    }

    pub(crate) fn shown(&self) -> Vec<Option<Vec<u8>>> {
        self.script.shown.lock().unwrap().clone()
    }

    pub(crate) fn heard(&self) -> Vec<String> {
        self.script
            .heard
            .lock()
            .unwrap()
            .iter()
            .map(|(_, line)| line.clone())
            .collect()
    }

    /// What one connection heard.
    pub(crate) fn heard_on(&self, connection: usize) -> Vec<String> {
        let heard = self.script.heard.lock().unwrap();
        let here = heard.iter().filter(|(number, _)| *number == connection);
        here.map(|(_, line)| line.clone()).collect()
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings {
            target: Targets::One(self.url()),
            ..Settings::default()
        }
    }

    pub(crate) fn url(&self) -> TargetUrl {
        format!("smtp://127.0.0.1:{}", self.port).parse().unwrap()
    }

    /// The same server, to be spoken to in LMTP.
    pub(crate) fn lmtp_settings(&self) -> Settings {
        let url = format!("lmtp://127.0.0.1:{}", self.port);
        Settings {
            target: Targets::One(url.parse().unwrap()),
            ..Settings::default()
        }
    }
}

struct InProcess(Arc<Script>);

#[async_trait::async_trait]
impl Connect for InProcess {
    async fn connect(&self, _place: &Place, _patience: Duration) -> std::io::Result<Box<dyn Stream>> {
        let (ours, theirs) = tokio::io::duplex(4096);
        let number = self.0.connections.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(Arc::clone(&self.0).attend(theirs, number));
        Ok(Box::new(ours))
    }
}

impl Script {
    fn act(&self, number: usize, step: &str, line: &str) -> Option<Act> {
        let rules = self.rules.lock().unwrap();
        let fits = |rule: &&Rule| {
            rule.connection.is_none_or(|only| only == number) && rule.step == step && line.contains(rule.holding)
        };
        rules.iter().rev().find(fits).map(|rule| rule.act.clone())
    }

    async fn attend(self: Arc<Self>, stream: impl Stream, number: usize) {
        let open = self.open.fetch_add(1, Ordering::SeqCst) + 1;
        self.open_most.fetch_max(open, Ordering::SeqCst);
        // How a conversation ends is for the test to judge by what it left behind.
        let _ = self.serve(stream, number).await;
        self.open.fetch_sub(1, Ordering::SeqCst);
    }

    async fn serve(self: &Arc<Self>, stream: impl Stream, number: usize) -> std::io::Result<()> {
        let mut wire = Wire {
            script: Arc::clone(self),
            number,
            stream: BufStream::new(stream),
            session_of: String::new(),
            transaction_of: String::new(),
        };
        if self.expects_proxy.load(Ordering::SeqCst) {
            wire.proxy_header().await?;
        }
        if !wire.answer("BANNER", "", "220 sink\r\n").await? {
            return Ok(());
        }
        if wire.converse(false).await? {
            let Some(tls) = &self.tls else { return Ok(()) };
            let encrypted = tls.accept(wire.stream.into_inner()).await?;
            let chain = encrypted.get_ref().1.peer_certificates();
            let own = chain.and_then(|chain| chain.first()).map(|own| own.to_vec());
            self.shown.lock().unwrap().push(own);
            let mut wire = Wire {
                script: Arc::clone(self),
                number,
                stream: BufStream::new(encrypted),
                session_of: wire.session_of,
                transaction_of: String::new(),
            };
            wire.converse(true).await?;
        }
        Ok(())
    }
}

struct Wire<S> {
    script: Arc<Script>,
    number: usize,
    stream: BufStream<S>,
    /// Whom the connection is of, and whom the next transaction is of.
    session_of: String,
    transaction_of: String,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// Says the usual, or what the script has in its place. Whether the conversation goes on.
    async fn answer(&mut self, step: &str, line: &str, usual: &str) -> std::io::Result<bool> {
        let (words, goes_on) = match self.script.act(self.number, step, line) {
            None => (usual.as_bytes().to_vec(), true),
            Some(Act::Say(words)) => (words.as_bytes().to_vec(), true),
            Some(Act::Spew(octets)) => (octets, true),
            Some(Act::SayAndClose(words)) => (words.as_bytes().to_vec(), false),
            Some(Act::Delay(seconds)) => {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                (usual.as_bytes().to_vec(), true)
            }
            Some(Act::Close) => (Vec::new(), false),
            Some(Act::Silence) => {
                // Until the peer has had enough.
                let mut rest = Vec::new();
                self.stream.read_to_end(&mut rest).await?;
                (Vec::new(), false)
            }
        };
        self.stream.write_all(&words).await?;
        self.stream.flush().await?;
        Ok(goes_on)
    }

    async fn proxy_header(&mut self) -> std::io::Result<()> {
        let mut head = [0; 16];
        self.stream.read_exact(&mut head).await?;
        assert_eq!(head[..12], *b"\r\n\r\n\0\r\nQUIT\n");
        let mut rest = vec![0; usize::from(head[14]) << 8 | usize::from(head[15])];
        self.stream.read_exact(&mut rest).await?;
        let line = format!("PROXY {:02x} {:02x} {rest:?}", head[12], head[13]);
        self.session_of.clone_from(&line);
        self.script.heard.lock().unwrap().push((self.number, line));
        Ok(())
    }

    /// Until the end, or until a handshake is due: whether one is.
    async fn converse(&mut self, is_encrypted: bool) -> std::io::Result<bool> {
        let mut commands = Vec::new();
        let mut recipients = Vec::new();
        let mut speaks_lmtp = false;
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line).await? == 0 {
                return Ok(false);
            }
            let line = line.trim_end().to_owned();
            self.script.heard.lock().unwrap().push((self.number, line.clone()));
            let verb = line.split([' ', ':']).next().unwrap().to_ascii_uppercase();
            let usual = match verb.as_str() {
                "EHLO" | "LHLO" => self.ehlo(is_encrypted),
                "DATA" => "354 go\r\n".into(),
                "STARTTLS" => "220 go\r\n".into(),
                "XCLIENT" => "220 sink\r\n".into(),
                "QUIT" => return Ok(false),
                _ => "250 2.0.0 fine\r\n".into(),
            };
            if matches!(verb.as_str(), "RSET" | "EHLO" | "LHLO" | "XCLIENT") {
                commands.clear();
                recipients.clear();
                self.transaction_of.clear();
            }
            speaks_lmtp |= verb == "LHLO";
            let act = self.script.act(self.number, &verb, &line);
            let usually =
                act.is_none() || matches!(&act, Some(Act::Say(words)) if verb == "DATA" && words.starts_with("354"));
            // A chunk has its answer at its end, unless the script has one at its beginning.
            if (verb != "BDAT" || act.is_some()) && !self.answer(&verb, &line, &usual).await? {
                return Ok(false);
            }
            match verb.as_str() {
                "XCLIENT" if usually => self.session_of = line,
                "XFORWARD" if usually => self.transaction_of += &line,
                "STARTTLS" if usually => return Ok(true),
                "MAIL" | "RCPT" => {
                    let is_taken = act.is_none() || matches!(&act, Some(Act::Say(words)) if words.starts_with('2'));
                    if verb == "RCPT" && is_taken {
                        recipients.push(line.clone());
                    }
                    commands.push(line);
                }
                "BDAT" if act.is_some() => _ = self.chunk(&line).await?,
                "DATA" | "BDAT" if usually => {
                    let body = if verb == "DATA" {
                        self.body().await?
                    } else {
                        self.chunk(&line).await?
                    };
                    let Some(body) = body else {
                        return Ok(false);
                    };
                    let commands = std::mem::take(&mut commands);
                    self.script.taken.lock().unwrap().push(Taken {
                        told: self.session_of.clone() + &std::mem::take(&mut self.transaction_of),
                        commands,
                        body,
                        is_encrypted,
                    });
                    let told = std::mem::take(&mut recipients);
                    let told = if speaks_lmtp { told } else { vec![String::new()] };
                    for recipient in told {
                        if !self.answer("BODY", &recipient, "250 2.0.0 taken\r\n").await? {
                            return Ok(false);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    fn ehlo(&self, is_encrypted: bool) -> String {
        let mut lines = vec!["sink"];
        lines.extend(self.script.offers.lock().unwrap().iter());
        if self.script.tls.is_some() && !is_encrypted {
            lines.push("STARTTLS");
        }
        let last = lines.pop().unwrap();
        lines.iter().map(|line| format!("250-{line}\r\n")).collect::<String>() + &format!("250 {last}\r\n")
    }

    /// The message as it is, which has to come in one chunk; `None` when the script cuts it short.
    async fn chunk(&mut self, line: &str) -> std::io::Result<Option<Vec<u8>>> {
        let words: Vec<&str> = line.split(' ').collect();
        let ["BDAT", size, "LAST"] = words[..] else {
            panic!("{line}");
        };
        let mut body = vec![0; size.parse().unwrap()];
        let is_cut = self.script.act(self.number, "MIDDLE", "").is_some();
        let end = if is_cut { body.len() / 2 } else { body.len() };
        self.stream.read_exact(&mut body[..end]).await?;
        Ok((!is_cut).then_some(body))
    }

    /// The message, unstuffed, as RFC 5321 §4.5.2 has it; `None` when the script cuts it short.
    async fn body(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let mut body = Vec::new();
        loop {
            let mut line = Vec::new();
            while !line.ends_with(b"\r\n") {
                if self.stream.read_until(b'\n', &mut line).await? == 0 {
                    return Ok(None);
                }
            }
            if line == b".\r\n" {
                return Ok(Some(body));
            }
            body.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
            if self.script.act(self.number, "MIDDLE", "").is_some() {
                return Ok(None);
            }
        }
    }
}

/// Short enough for tests that wait for real.
pub(crate) fn parts() -> Parts {
    Parts {
        our_name: "gate.example".into(),
        deadlines: Deadlines::default(),
        connect: Arc::new(SystemConnect::new(Arc::new(SystemResolver))),
        dns: Err("no DNS here".into()),
        clock: Arc::new(FixedClock(jiff::Timestamp::UNIX_EPOCH)),
        telemetry: crate::telemetry::Telemetry::default(),
    }
}

pub(crate) fn upstreams(settings: &[Settings]) -> Upstreams {
    Upstreams::new(settings, &parts()).unwrap()
}
