//! An upstream under our control, in SMTP or LMTP: takes everything unless told otherwise, and remembers it.
//!
//! It ends DATA at CRLF.CRLF alone and counts every bare CR, bare LF and NUL that reaches it, so
//! that a test can tell whether a laxer server behind the gate could have been misled.

use super::PATIENCE;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A moment at which the sink answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The banner.
    Connect,
    /// EHLO or HELO.
    Hello,
    /// STARTTLS.
    StartTls,
    /// MAIL.
    Mail,
    /// RCPT.
    Rcpt,
    /// DATA.
    Data,
    /// The final dot; in LMTP once for each recipient, with its RCPT's argument.
    Dot,
}

/// What the sink does at a stage.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Takes it.
    Accept,
    /// Says this, a line end added. A 4xx or 5xx refuses.
    Say(String),
    /// Says these bytes as they are, and goes on as if it had refused.
    Raw(Vec<u8>),
    /// Keeps the message, then hangs up without a word: only at the dot does that mean anything.
    KeepAndClose,
    /// Hangs up.
    Close,
    /// Says nothing, until the other side gives up.
    Silence,
}

impl Answer {
    /// Says a line.
    pub fn say(line: &str) -> Self {
        Self::Say(line.to_owned())
    }
}

/// A message that the sink answered 250 for, or kept.
#[derive(Debug, Clone)]
pub struct Received {
    /// All that followed `MAIL FROM:`, parameters too.
    pub from: String,
    /// All that followed `RCPT TO:`, for each one taken.
    pub to: Vec<String>,
    /// Dot-stuffing undone.
    pub bytes: Vec<u8>,
    /// Whether it came over TLS.
    pub tls: bool,
}

type Script = dyn Fn(Stage, &str) -> Answer + Send + Sync;
type Taker = dyn Fn(Received) + Send + Sync;

/// The upstream. Dropping it stops no thread: they end with the connections.
#[derive(Clone)]
pub struct Sink {
    /// Where it listens; of no meaning on a Unix socket.
    pub address: SocketAddr,
    target: String,
    memory: Arc<Memory>,
}

#[derive(Default)]
struct Memory {
    received: Mutex<Vec<Received>>,
    commands: Mutex<Vec<String>>,
    bare_line_ends: AtomicU64,
    nuls: AtomicU64,
}

/// How a sink is set up.
pub struct Behaviour {
    script: Box<Script>,
    taker: Option<Box<Taker>>,
    tls: Option<Arc<ServerConfig>>,
    keywords: Vec<String>,
    lmtp: bool,
}

impl Default for Behaviour {
    fn default() -> Self {
        let keywords = [
            "PIPELINING",
            "SIZE 52428800",
            "8BITMIME",
            "SMTPUTF8",
            "DSN",
            "ENHANCEDSTATUSCODES",
        ];
        Self {
            script: Box::new(|_, _| Answer::Accept),
            taker: None,
            tls: None,
            keywords: keywords.map(str::to_owned).to_vec(),
            lmtp: false,
        }
    }
}

impl Behaviour {
    /// Asks `script` at each stage, with the command's argument.
    pub fn script(mut self, script: impl Fn(Stage, &str) -> Answer + Send + Sync + 'static) -> Self {
        self.script = Box::new(script);
        self
    }

    /// Hands each message to `taker` in place of remembering it: for runs too large to remember.
    pub fn taker(mut self, taker: impl Fn(Received) + Send + Sync + 'static) -> Self {
        self.taker = Some(Box::new(taker));
        self
    }

    /// Offers STARTTLS.
    pub fn tls(mut self, config: Arc<ServerConfig>) -> Self {
        self.tls = Some(config);
        self
    }

    /// What EHLO offers, besides STARTTLS.
    pub fn keywords(mut self, keywords: &[&str]) -> Self {
        self.keywords = keywords.iter().map(|&keyword| keyword.to_owned()).collect();
        self
    }

    /// Speaks LMTP, and nothing else: RFC 2033 has it refuse EHLO.
    pub fn lmtp(mut self) -> Self {
        self.lmtp = true;
        self
    }

    /// Starts it.
    pub fn start(self) -> Sink {
        self.start_at(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// Starts it on this address; port 0 takes a free one.
    pub fn start_at(self, address: SocketAddr) -> Sink {
        let listener = TcpListener::bind(address).expect("loopback");
        let address = listener.local_addr().expect("bound");
        let scheme = if self.lmtp { "lmtp" } else { "smtp" };
        self.attend(address, format!("{scheme}://{address}"), move || {
            let (stream, _) = listener.accept()?;
            stream.set_nodelay(true)?;
            // Ten minutes: idle pooled connections are fine, threads that never end are not.
            stream.set_read_timeout(Some(PATIENCE * 10))?;
            Ok(Wire::Clear(stream))
        })
    }

    /// Starts it on a Unix socket.
    pub fn start_on(self, path: &Path) -> Sink {
        let listener = UnixListener::bind(path).expect("a writable folder");
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        self.attend(nowhere, format!("lmtp:{}", path.display()), move || {
            let (stream, _) = listener.accept()?;
            stream.set_read_timeout(Some(PATIENCE * 10))?;
            Ok(Wire::Socket(stream))
        })
    }

    fn attend(
        self,
        address: SocketAddr,
        target: String,
        accept: impl Fn() -> io::Result<Wire> + Send + 'static,
    ) -> Sink {
        let sink = Sink {
            address,
            target,
            memory: Arc::new(Memory::default()),
        };
        let (memory, behaviour) = (Arc::clone(&sink.memory), Arc::new(self));
        std::thread::spawn(move || {
            loop {
                let Ok(wire) = accept() else { continue };
                let (memory, behaviour) = (Arc::clone(&memory), Arc::clone(&behaviour));
                std::thread::spawn(move || {
                    // An error here is the other side's going away, which is nothing to report.
                    let _ = Conversation::new(wire, &behaviour, &memory).run();
                });
            }
        });
        sink
    }
}

impl Sink {
    /// One that takes everything.
    pub fn start() -> Self {
        Behaviour::default().start()
    }

    /// One that asks `script` at each stage, with the command's argument.
    pub fn scripted(script: impl Fn(Stage, &str) -> Answer + Send + Sync + 'static) -> Self {
        Behaviour::default().script(script).start()
    }

    /// As a route's target.
    pub fn target(&self) -> String {
        self.target.clone()
    }

    /// The messages so far.
    pub fn received(&self) -> Vec<Received> {
        lock(&self.memory.received).clone()
    }

    /// Every command line so far, from all connections, in the order they were read.
    pub fn commands(&self) -> Vec<String> {
        lock(&self.memory.commands).clone()
    }

    /// Commands that start so.
    pub fn commands_starting(&self, verb: &str) -> Vec<String> {
        self.commands()
            .into_iter()
            .filter(|line| line.to_ascii_uppercase().starts_with(verb))
            .collect()
    }

    /// CR or LF that stood alone, in commands and messages.
    pub fn bare_line_ends(&self) -> u64 {
        self.memory.bare_line_ends.load(Ordering::Relaxed)
    }

    /// NULs.
    pub fn nuls(&self) -> u64 {
        self.memory.nuls.load(Ordering::Relaxed)
    }
}

struct Conversation<'a> {
    stream: BufReader<Wire>,
    behaviour: &'a Behaviour,
    memory: &'a Memory,
    from: Option<String>,
    to: Vec<String>,
    tls: bool,
}

enum Wire {
    Clear(TcpStream),
    Socket(UnixStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

/// Whether the conversation goes on.
enum Next {
    Taken,
    Refused,
    Over,
}

impl<'a> Conversation<'a> {
    fn new(wire: Wire, behaviour: &'a Behaviour, memory: &'a Memory) -> Self {
        Self {
            stream: BufReader::new(wire),
            behaviour,
            memory,
            from: None,
            to: Vec::new(),
            tls: false,
        }
    }

    fn run(mut self) -> io::Result<()> {
        if !matches!(
            self.answer(Stage::Connect, "", "220 mail.council.example ESMTP")?,
            Next::Taken
        ) {
            return Ok(());
        }
        while let Some(line) = self.line()? {
            let text = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned();
            lock(&self.memory.commands).push(text.clone());
            if matches!(self.command(&text)?, Next::Over) {
                return Ok(());
            }
        }
        Ok(())
    }

    fn command(&mut self, line: &str) -> io::Result<Next> {
        let verb = line.to_ascii_uppercase();
        let greets = verb.starts_with("EHLO") || verb.starts_with("HELO");
        if greets != self.behaviour.lmtp && (greets || verb.starts_with("LHLO")) {
            (self.from, self.to) = (None, Vec::new());
            let hello = self.hello(&verb);
            self.answer(Stage::Hello, line, &hello)
        } else if verb == "STARTTLS" {
            self.start_tls()
        } else if let Some(argument) = argument(line, "MAIL FROM:") {
            let next = self.answer(Stage::Mail, argument, "250 2.1.0 sender ok")?;
            self.from = matches!(next, Next::Taken).then(|| argument.to_owned());
            Ok(next)
        } else if let Some(argument) = argument(line, "RCPT TO:") {
            if self.from.is_none() {
                return self.write("503 5.5.1 MAIL first");
            }
            let next = self.answer(Stage::Rcpt, argument, "250 2.1.5 recipient ok")?;
            if matches!(next, Next::Taken) {
                self.to.push(argument.to_owned());
            }
            Ok(next)
        } else if verb == "DATA" {
            self.data()
        } else if verb == "RSET" {
            (self.from, self.to) = (None, Vec::new());
            self.write("250 2.0.0 reset")
        } else if verb == "NOOP" {
            self.write("250 2.0.0 ok")
        } else if verb == "QUIT" {
            self.write("221 2.0.0 bye")?;
            Ok(Next::Over)
        } else {
            self.write("502 5.5.2 what?")
        }
    }

    fn hello(&self, verb: &str) -> String {
        let mut lines = vec!["mail.council.example".to_owned()];
        if !verb.starts_with("HELO") {
            lines.extend(self.behaviour.keywords.iter().cloned());
            lines.extend((self.behaviour.tls.is_some() && !self.tls).then(|| "STARTTLS".to_owned()));
        }
        let last = lines.len() - 1;
        let lines = lines
            .iter()
            .enumerate()
            .map(|(index, line)| format!("250{}{line}", if index == last { ' ' } else { '-' }));
        lines.collect::<Vec<_>>().join("\r\n")
    }

    fn start_tls(&mut self) -> io::Result<Next> {
        let Some(config) = self.behaviour.tls.clone() else {
            return self.write("502 5.5.1 no TLS here");
        };
        let next = self.answer(Stage::StartTls, "", "220 2.0.0 go on")?;
        if !matches!(next, Next::Taken) {
            return Ok(next);
        }
        let Wire::Clear(stream) = self.stream.get_ref() else {
            return Ok(Next::Over);
        };
        let session = ServerConnection::new(config).map_err(io::Error::other)?;
        let stream = StreamOwned::new(session, stream.try_clone()?);
        self.stream = BufReader::new(Wire::Tls(Box::new(stream)));
        (self.tls, self.from, self.to) = (true, None, Vec::new());
        Ok(Next::Taken)
    }

    fn data(&mut self) -> io::Result<Next> {
        if self.to.is_empty() {
            return self.write("554 5.5.1 no valid recipients");
        }
        let next = self.answer(Stage::Data, "", "354 go on")?;
        if !matches!(next, Next::Taken) {
            return Ok(next);
        }
        let Some(bytes) = self.body()? else {
            return Ok(Next::Over);
        };
        let from = self.from.take().unwrap_or_default();
        let to = std::mem::take(&mut self.to);
        let turns: Vec<(String, Vec<String>)> = if self.behaviour.lmtp {
            to.into_iter().map(|one| (one.clone(), vec![one])).collect()
        } else {
            vec![(String::new(), to)]
        };
        for (argument, to) in turns {
            let received = Received {
                from: from.clone(),
                to,
                bytes: bytes.clone(),
                tls: self.tls,
            };
            if matches!(self.dot(&argument, received)?, Next::Over) {
                return Ok(Next::Over);
            }
        }
        Ok(Next::Taken)
    }

    /// Keeps the message or not, and says so.
    fn dot(&mut self, argument: &str, received: Received) -> io::Result<Next> {
        let answer = (self.behaviour.script)(Stage::Dot, argument);
        let kept = match &answer {
            Answer::Accept | Answer::KeepAndClose => true,
            Answer::Say(line) => line.starts_with('2'),
            _ => false,
        };
        if kept {
            match &self.behaviour.taker {
                Some(taker) => taker(received),
                None => lock(&self.memory.received).push(received),
            }
        }
        self.act(answer, "250 2.0.0 kept")
    }

    /// The message up to CRLF.CRLF, dot-stuffing undone; `None` when the other side went away.
    fn body(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        loop {
            let Some(line) = self.line()? else { return Ok(None) };
            let at_line_start = bytes.is_empty() || bytes.ends_with(b"\r\n");
            if at_line_start && line == b".\r\n" {
                return Ok(Some(bytes));
            }
            let skip = usize::from(at_line_start && line.starts_with(b"."));
            bytes.extend_from_slice(&line[skip..]);
        }
    }

    /// Bytes up to the next LF, counted; `None` at the end.
    fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        if self.stream.read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        let body = line.strip_suffix(b"\r\n").unwrap_or(&line);
        let bare = body.iter().filter(|byte| matches!(byte, b'\r' | b'\n')).count();
        let nuls = line.iter().filter(|&&byte| byte == 0).count();
        self.memory.bare_line_ends.fetch_add(bare as u64, Ordering::Relaxed);
        self.memory.nuls.fetch_add(nuls as u64, Ordering::Relaxed);
        Ok(Some(line))
    }

    fn answer(&mut self, stage: Stage, argument: &str, usual: &str) -> io::Result<Next> {
        self.act((self.behaviour.script)(stage, argument), usual)
    }

    fn act(&mut self, answer: Answer, usual: &str) -> io::Result<Next> {
        match answer {
            Answer::Accept => self.write(usual),
            Answer::Say(line) => self.write(&line),
            Answer::Raw(bytes) => {
                self.stream.get_mut().write_all(&bytes)?;
                self.stream.get_mut().flush()?;
                Ok(Next::Refused)
            }
            Answer::Close | Answer::KeepAndClose => Ok(Next::Over),
            Answer::Silence => {
                io::copy(&mut self.stream, &mut io::sink())?;
                Ok(Next::Over)
            }
        }
    }

    /// Writes a reply in one piece; taken or refused by its code.
    fn write(&mut self, reply: &str) -> io::Result<Next> {
        self.stream.get_mut().write_all(format!("{reply}\r\n").as_bytes())?;
        self.stream.get_mut().flush()?;
        Ok(if reply.starts_with(['2', '3']) {
            Next::Taken
        } else {
            Next::Refused
        })
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Clear(stream) => stream.read(buffer),
            Self::Socket(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Clear(stream) => stream.write(bytes),
            Self::Socket(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Clear(stream) => stream.flush(),
            Self::Socket(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

/// What follows `start`, whatever its case.
fn argument<'l>(line: &'l str, start: &str) -> Option<&'l str> {
    let (head, rest) = line.split_at_checked(start.len())?;
    head.eq_ignore_ascii_case(start).then_some(rest)
}

/// A thread that failed has failed its own test; what it remembered is still good.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
