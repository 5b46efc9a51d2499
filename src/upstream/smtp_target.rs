//! One SMTP or LMTP server that mail goes to: how to reach it, greet it, and have a transaction open on it.
//!
//! Lends connections on which MAIL was accepted. Knows its own pool and what the server last
//! offered; knows nothing of other targets, softening or message bodies.

use super::connect::{Connect, Place, Stream};
use super::connection::Connection;
use super::events::Events;
use super::failure::{Failure, Stage};
use super::pool::{Lease, Pool};
use super::proxy_header::header;
use super::settings::{Deadlines, StateClient, TlsMode};
use super::tls::Tls;
use crate::mail::{Client, Envelope};
use crate::resolver::Tlsa;
use crate::smtp::Reply;
use crate::smtp::client::{Command, Dialogue, Extensions, Fault, Protocol, xclient};
use crate::smtp::command::HELLO_NAME_MAX;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout};

/// A server and the connections to it.
pub(super) struct SmtpTarget {
    /// As settings write it, for logs.
    pub(super) name: Arc<str>,
    pub(super) protocol: Protocol,
    pub(super) place: Place,
    pub(super) tls: Tls,
    pub(super) state_client: StateClient,
    /// Whether its CHUNKING is taken up.
    pub(super) chunking: bool,
    /// What we call ourselves in EHLO and LHLO.
    pub(super) our_name: Arc<str>,
    pub(super) connect: Arc<dyn Connect>,
    pub(super) deadlines: Deadlines,
    pub(super) pool: Arc<Pool>,
    pub(super) events: Arc<Events>,
    pub(super) state: Mutex<State>,
}

/// What is remembered of a server.
#[derive(Default)]
pub(super) struct State {
    /// What it offered when it was last greeted.
    extensions: Option<Extensions>,
    /// It failed and is tried after others until then.
    rests_until: Option<Instant>,
    /// It offered no XFORWARD, and that was said aloud.
    is_known_deaf: bool,
}

/// A greeted server and what it offers.
type Greeted = (Dialogue<Box<dyn Stream>>, Extensions);

/// How a greeting went wrong.
enum Greeting {
    Failed(Failure),
    /// TLS was agreed and its handshake failed: an opportunistic route may go on in the clear.
    NoHandshake(Fault),
}

impl SmtpTarget {
    /// What it offered when it was last greeted; `None` before that.
    pub(super) fn extensions(&self) -> Option<Extensions> {
        self.state().extensions
    }

    /// Whether it failed a moment ago.
    pub(super) fn is_resting(&self) -> bool {
        self.state().rests_until.is_some_and(|until| Instant::now() < until)
    }

    /// Opens a transaction for the envelope's recipients: on an idle connection, else on a new one. An idle
    /// one that proves dead costs one retry, since nothing was accepted on it yet.
    pub(super) async fn open(&self, client: &Client, envelope: &Envelope) -> Result<(Reply, Lease), Failure> {
        let slot = self
            .pool
            .slot(self.deadlines.upstream_pool.0)
            .await
            .ok_or(Failure::Busy)?;
        if let Some(mut connection) = slot.idle().await {
            match connection.begin(client, envelope).await {
                Ok(reply) => return Ok((reply, slot.lend(connection))),
                Err(failure) if failure.is_of_connection() => {}
                Err(failure) => {
                    slot.lend(connection).give_back();
                    return Err(failure);
                }
            }
        }
        let mut connection = self.greet(Some(client)).await?;
        match connection.begin(client, envelope).await {
            Ok(reply) => Ok((reply, slot.lend(connection))),
            Err(failure) => {
                slot.lend(connection).give_back();
                Err(failure)
            }
        }
    }

    /// Connects only to see what is offered. Skipped when every slot is taken: real mail then tells.
    pub(super) async fn probe(&self) -> Result<Extensions, Failure> {
        let Some(slot) = self.pool.slot(Duration::ZERO).await else {
            return self.extensions().ok_or(Failure::Busy);
        };
        let connection = self.greet(None).await?;
        let extensions = connection.extensions;
        connection.quit().await;
        drop(slot);
        Ok(extensions)
    }

    /// A new connection, greeted, with TLS as the route asks, and bound to the client where it asks that.
    /// Without one it is our own.
    async fn greet(&self, client: Option<&Client>) -> Result<Box<Connection>, Failure> {
        let stated = client.filter(|_| self.state_client.binds_connection());
        let greeted = match self.converse(self.tls_mode(), stated).await {
            Err(Greeting::NoHandshake(fault)) if self.tls_mode() == TlsMode::Opportunistic => {
                self.events
                    .warn(&self.name, &format_args!("{fault}; going on in the clear"));
                self.converse(TlsMode::Off, stated).await
            }
            greeted => greeted,
        };
        let failure = match greeted {
            Ok((dialogue, extensions)) => {
                self.remember(extensions, stated.is_some());
                let taken_up = Extensions {
                    chunking: extensions.chunking && self.chunking,
                    ..extensions
                };
                return Ok(Box::new(Connection::new(
                    self.protocol,
                    dialogue,
                    taken_up,
                    Arc::clone(&self.events),
                    self.deadlines,
                    self.state_client,
                )));
            }
            Err(Greeting::NoHandshake(fault)) => Failure::Fault(Stage::Hello, fault),
            Err(Greeting::Failed(failure)) => failure,
        };
        // A refusal may be of the client alone, and a stranger must not put a target to rest.
        if stated.is_none() || !matches!(failure, Failure::Answer(..)) {
            self.state().rests_until = Some(Instant::now() + self.deadlines.upstream_rest.0);
        }
        Err(failure)
    }

    /// Takes down what was offered, but for what was offered to one client when we know what we are.
    fn remember(&self, extensions: Extensions, is_for_client: bool) {
        let is_deaf = self.state_client == StateClient::Xforward && extensions.xforward.is_none();
        let mut state = self.state();
        if is_deaf && !state.is_known_deaf {
            let why = "offers no XFORWARD: mail goes on, and it isn't told who the client is";
            self.events.warn(&self.name, &why);
        }
        *state = State {
            extensions: state.extensions.filter(|_| is_for_client).or(Some(extensions)),
            rests_until: None,
            is_known_deaf: is_deaf,
        };
    }

    /// From the connection to the last greeting.
    async fn converse(&self, mode: TlsMode, stated: Option<&Client>) -> Result<Greeted, Greeting> {
        // Asked first: a server that records don't bind is told nothing at all.
        let records = self.tls.records(&self.place).await;
        let records = records.map_err(|why| fault(Stage::Hello, Fault::Insecure(why)))?;
        let mut dialogue = self.reach(stated).await?;
        let extensions = self.hello(&mut dialogue).await?;
        let greeted = match mode {
            TlsMode::Off => (dialogue, extensions),
            TlsMode::Opportunistic if !extensions.starttls => (dialogue, extensions),
            TlsMode::Required | TlsMode::Verified | TlsMode::Dane if !extensions.starttls => {
                return Err(fault(Stage::Hello, Fault::Insecure("it offers no STARTTLS".into())));
            }
            TlsMode::Opportunistic | TlsMode::Required | TlsMode::Verified | TlsMode::Dane => {
                self.encrypt(mode, records, dialogue, extensions).await?
            }
        };
        if self.state_client != StateClient::Xclient {
            return Ok(greeted);
        }
        let (dialogue, extensions) = greeted;
        match (extensions.xclient, stated) {
            (None, _) => Err(Greeting::Failed(Failure::NoXclient)),
            (Some(_), None) => Ok((dialogue, extensions)),
            (Some(offered), Some(client)) => {
                let command = xclient(client, offered);
                self.take_place(dialogue, command, &client.helo).await
            }
        }
    }

    /// Connects, says for whom where that comes first, and reads the banner.
    async fn reach(&self, stated: Option<&Client>) -> Result<Dialogue<Box<dyn Stream>>, Greeting> {
        let connected = self
            .connect
            .connect(&self.place, self.deadlines.upstream_connect.0)
            .await;
        let mut stream = connected.map_err(|error| match error.kind() {
            std::io::ErrorKind::TimedOut => fault(Stage::Connect, Fault::TimedOut),
            _ => fault(Stage::Connect, Fault::Unreachable(error.to_string())),
        })?;
        if self.state_client == StateClient::Proxy {
            let header = stated.map_or_else(|| header(&Client::default()), header);
            let written = timeout(self.deadlines.upstream_hello.0, stream.write_all(&header)).await;
            match written {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(fault(Stage::Connect, Fault::Dropped)),
                Err(_) => return Err(fault(Stage::Connect, Fault::TimedOut)),
            }
        }
        let mut dialogue = Dialogue::new(stream);
        let banner = dialogue.reply(self.deadlines.upstream_hello.0).await;
        self.welcome(Stage::Connect, banner.map_err(|reason| fault(Stage::Connect, reason))?)?;
        Ok(dialogue)
    }

    /// XCLIENT, and the session begins anew as the client's. The greeting is in the client's name, which
    /// counts for more than the one in XCLIENT (Postfix); in ours, should the server not like that.
    async fn take_place(
        &self,
        mut dialogue: Dialogue<Box<dyn Stream>>,
        command: Command,
        helo: &str,
    ) -> Result<Greeted, Greeting> {
        let patience = self.deadlines.upstream_hello.0;
        let of_hello = |reason| fault(Stage::Hello, reason);
        let banner = dialogue.ask(command, patience).await.map_err(of_hello)?;
        self.welcome(Stage::Hello, banner)?;
        if (1..=HELLO_NAME_MAX).contains(&helo.len()) && helo.bytes().all(|byte| byte.is_ascii_graphic()) {
            let hello = dialogue.hello(self.protocol, helo, patience).await;
            let (reply, extensions) = hello.map_err(of_hello)?;
            if reply.is_success() || reply.closes() {
                self.welcome(Stage::Hello, reply)?;
                return Ok((dialogue, extensions));
            }
            self.events.answered(Stage::Hello, &reply);
        }
        let extensions = self.hello(&mut dialogue).await?;
        Ok((dialogue, extensions))
    }

    /// STARTTLS, the handshake, and EHLO anew. Only an opportunistic route goes on without.
    async fn encrypt(
        &self,
        mode: TlsMode,
        records: Option<Vec<Tlsa>>,
        mut dialogue: Dialogue<Box<dyn Stream>>,
        extensions: Extensions,
    ) -> Result<Greeted, Greeting> {
        let patience = self.deadlines.upstream_hello.0;
        let of_hello = |reason| fault(Stage::Hello, reason);
        let answer = dialogue.ask(Command::starttls(), patience).await.map_err(of_hello)?;
        self.events.answered(Stage::Hello, &answer);
        if !answer.is_success() {
            return match mode {
                TlsMode::Opportunistic if !answer.closes() => Ok((dialogue, extensions)),
                _ => Err(Greeting::Failed(Failure::Answer(Stage::Hello, answer))),
            };
        }
        let stream = dialogue.into_stream().map_err(of_hello)?;
        let host = match &self.place {
            Place::Tcp { host, .. } => host,
            Place::Socket(_) => return Err(of_hello(Fault::Insecure("a Unix socket has no TLS".into()))),
        };
        let handshake = timeout(patience, self.tls.handshake(host, records, stream)).await;
        let stream = handshake
            .map_err(|_| of_hello(Fault::TimedOut))?
            .map_err(|error| Greeting::NoHandshake(Fault::Insecure(error.to_string())))?;
        let mut dialogue = Dialogue::after_handshake(stream);
        // RFC 3207 §4.2: what was offered in the clear counts for nothing now.
        let extensions = self.hello(&mut dialogue).await?;
        Ok((dialogue, extensions))
    }

    async fn hello(&self, dialogue: &mut Dialogue<Box<dyn Stream>>) -> Result<Extensions, Greeting> {
        let patience = self.deadlines.upstream_hello.0;
        let hello = dialogue.hello(self.protocol, &self.our_name, patience).await;
        let (reply, extensions) = hello.map_err(|reason| fault(Stage::Hello, reason))?;
        self.welcome(Stage::Hello, reply)?;
        Ok(extensions)
    }

    fn welcome(&self, stage: Stage, reply: Reply) -> Result<(), Greeting> {
        self.events.answered(stage, &reply);
        if reply.is_success() && !reply.closes() {
            Ok(())
        } else {
            Err(Greeting::Failed(Failure::Answer(stage, reply)))
        }
    }

    /// What its route asks of TLS. Nothing on a Unix socket: what passes there never leaves the machine.
    const fn tls_mode(&self) -> TlsMode {
        match self.place {
            Place::Tcp { .. } => self.tls.mode,
            Place::Socket(_) => TlsMode::Off,
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const fn fault(stage: Stage, fault: Fault) -> Greeting {
    Greeting::Failed(Failure::Fault(stage, fault))
}
