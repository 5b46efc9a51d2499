//! One SMTP or LMTP server that mail goes to: how to reach it, greet it, and have a transaction open on it.
//!
//! Lends connections on which MAIL was accepted. Knows its own pool and what the server last
//! offered; knows nothing of other targets, softening or message bodies.

use super::connect::{Connect, Place, Stream};
use super::connection::Connection;
use super::events::Events;
use super::failure::{Failure, Stage};
use super::pool::{Lease, Pool};
use super::settings::{Deadlines, TlsMode};
use super::tls::Tls;
use crate::mail::{Address, Parameter, Recipient};
use crate::resolver::Tlsa;
use crate::smtp::Reply;
use crate::smtp::client::{Command, Dialogue, Extensions, Fault, Protocol};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// A server and the connections to it.
pub(super) struct SmtpTarget {
    /// As settings write it, for logs.
    pub(super) name: Arc<str>,
    pub(super) protocol: Protocol,
    pub(super) place: Place,
    pub(super) tls: Tls,
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
}

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

    /// Opens a transaction for these recipients: on an idle connection, else on a new one. An idle
    /// one that proves dead costs one retry, since nothing was accepted on it yet.
    pub(super) async fn open(
        &self,
        reverse_path: Option<&Address>,
        parameters: &[Parameter],
        recipients: &[Recipient],
    ) -> Result<(Reply, Lease), Failure> {
        let slot = self
            .pool
            .slot(self.deadlines.upstream_pool.0)
            .await
            .ok_or(Failure::Busy)?;
        if let Some(mut connection) = slot.idle().await {
            match connection.begin(reverse_path, parameters, recipients).await {
                Ok(reply) => return Ok((reply, slot.lend(connection))),
                Err(failure) if failure.is_of_connection() => {}
                Err(failure) => {
                    slot.lend(connection).give_back();
                    return Err(failure);
                }
            }
        }
        let mut connection = self.greet().await?;
        match connection.begin(reverse_path, parameters, recipients).await {
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
        let connection = self.greet().await?;
        let extensions = connection.extensions;
        connection.quit().await;
        drop(slot);
        Ok(extensions)
    }

    /// A new connection, greeted, with TLS as the route asks.
    async fn greet(&self) -> Result<Box<Connection>, Failure> {
        let greeted = match self.converse(self.tls_mode()).await {
            Err(Greeting::NoHandshake(fault)) if self.tls_mode() == TlsMode::Opportunistic => {
                self.events
                    .warn(&self.name, &format_args!("{fault}; going on in the clear"));
                self.converse(TlsMode::Off).await
            }
            greeted => greeted,
        };
        let failure = match greeted {
            Ok((dialogue, extensions)) => {
                *self.state() = State {
                    extensions: Some(extensions),
                    rests_until: None,
                };
                let events = Arc::clone(&self.events);
                return Ok(Box::new(Connection::new(
                    self.protocol,
                    dialogue,
                    extensions,
                    events,
                    self.deadlines,
                )));
            }
            Err(Greeting::NoHandshake(fault)) => Failure::Fault(Stage::Hello, fault),
            Err(Greeting::Failed(failure)) => failure,
        };
        self.state().rests_until = Some(Instant::now() + self.deadlines.upstream_rest.0);
        Err(failure)
    }

    async fn converse(&self, mode: TlsMode) -> Result<(Dialogue<Box<dyn Stream>>, Extensions), Greeting> {
        // Asked first: a server that records don't bind is told nothing at all.
        let records = self.tls.records(&self.place).await;
        let records = records.map_err(|why| fault(Stage::Hello, Fault::Insecure(why)))?;
        let mut dialogue = self.reach().await?;
        let extensions = self.hello(&mut dialogue).await?;
        match mode {
            TlsMode::Off => Ok((dialogue, extensions)),
            TlsMode::Opportunistic if !extensions.starttls => Ok((dialogue, extensions)),
            TlsMode::Required | TlsMode::Verified | TlsMode::Dane if !extensions.starttls => {
                Err(fault(Stage::Hello, Fault::Insecure("it offers no STARTTLS".into())))
            }
            TlsMode::Opportunistic | TlsMode::Required | TlsMode::Verified | TlsMode::Dane => {
                self.encrypt(mode, records, dialogue, extensions).await
            }
        }
    }

    /// Connects and reads the banner.
    async fn reach(&self) -> Result<Dialogue<Box<dyn Stream>>, Greeting> {
        let connected = self
            .connect
            .connect(&self.place, self.deadlines.upstream_connect.0)
            .await;
        let stream = connected.map_err(|error| match error.kind() {
            std::io::ErrorKind::TimedOut => fault(Stage::Connect, Fault::TimedOut),
            _ => fault(Stage::Connect, Fault::Unreachable(error.to_string())),
        })?;
        let mut dialogue = Dialogue::new(stream);
        let banner = dialogue.reply(self.deadlines.upstream_hello.0).await;
        self.welcome(Stage::Connect, banner.map_err(|reason| fault(Stage::Connect, reason))?)?;
        Ok(dialogue)
    }

    /// STARTTLS, the handshake, and EHLO anew. Only an opportunistic route goes on without.
    async fn encrypt(
        &self,
        mode: TlsMode,
        records: Option<Vec<Tlsa>>,
        mut dialogue: Dialogue<Box<dyn Stream>>,
        extensions: Extensions,
    ) -> Result<(Dialogue<Box<dyn Stream>>, Extensions), Greeting> {
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
