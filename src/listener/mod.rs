//! Accepts connections, applies limits, PROXY headers and TLS, and has each served by an SMTP connection.
//!
//! The daemon makes one [`Premises`] for all listeners, binds each [`Listener`] and runs it;
//! [`Premises::drain`] stops them. Who answers the client comes from a [`Reception`]. Knows nothing
//! of mail, rules or what the desks do.

mod occupancy;
mod proxy;
mod settings;
mod visit;

pub use settings::{Settings, Tls};

use crate::certificate::{Certificate, CertificateFault};
use crate::clock::Clock;
use crate::mail::Direction;
use crate::smtp::budget::Budget;
use crate::smtp::connection::Service;
use crate::smtp::{Deadlines, Desk, Limits, Peer};
use crate::telemetry::Telemetry;
use arc_swap::ArcSwap;
use ipnet::IpNet;
use occupancy::Occupancy;
use rustls::ServerConfig;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use visit::Visit;

/// How long to wait with accepting when the machine has no more to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// Connections that the kernel keeps for us until they are accepted; it takes what it allows anybody
/// (`net.core.somaxconn`). Past that it drops connections that their clients believe to be there, and those wait
/// in vain: in SMTP the server speaks first.
const BACKLOG: u32 = 4096;

/// Makes the desk that answers for a connection.
pub trait Reception: Send + Sync + 'static {
    /// The desk's type.
    type Desk: Desk + Send + 'static;

    /// A desk for a connection that has just been accepted.
    fn desk(&self, connection: &ConnectionInfo) -> Self::Desk;
}

/// What a desk may know of its connection before the client speaks.
#[derive(Debug, Clone)]
pub struct ConnectionInfo {
    /// The listener's name.
    pub listener: Arc<str>,
    /// Which way the mail travels.
    pub direction: Direction,
    /// Who connects.
    pub peer: Peer,
    /// The route that takes all its mail; `None` to route by recipient domain.
    pub upstream: Option<Arc<str>>,
    /// Where the connection comes from: the peer's address, or the client's that its PROXY header states.
    pub address: SocketAddr,
    /// Whether it may say who its client is.
    pub trusted: bool,
    /// Relays whose Received fields tell of the client.
    pub trusted_relays: Arc<[IpNet]>,
}

/// What all listeners share: limits, deadlines, memory, and the count of who is there.
#[derive(Debug)]
pub struct Premises {
    service: ArcSwap<Service>,
    occupancy: Arc<Occupancy>,
    drain: CancellationToken,
    telemetry: Telemetry,
}

/// A bound listener.
#[derive(Debug)]
pub struct Listener<R> {
    socket: TcpListener,
    address: SocketAddr,
    settings: Arc<Settings>,
    name: Arc<str>,
    upstream: Option<Arc<str>>,
    trusted_relays: Arc<[IpNet]>,
    certificate: Option<Arc<Certificate>>,
    handshake: Option<Arc<ServerConfig>>,
    premises: Arc<Premises>,
    reception: Arc<R>,
}

/// A listener that can't be opened.
#[derive(Debug)]
pub enum ListenFault {
    /// The address can't be had.
    Address(SocketAddr, io::Error),
    /// The certificate can't be used.
    Certificate(CertificateFault),
    /// TLS itself can't be set up.
    Tls(rustls::Error),
    /// The settings contradict themselves: the key, and a sentence.
    Settings(&'static str, String),
}

impl fmt::Display for ListenFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address, error) => write!(formatter, "can't listen on {address}: {error}"),
            Self::Certificate(fault) => fault.fmt(formatter),
            Self::Tls(error) => write!(formatter, "tls: {error}"),
            Self::Settings(key, fault) => write!(formatter, "{key}: {fault}"),
        }
    }
}

impl std::error::Error for ListenFault {}

impl Premises {
    /// Nobody is there yet. `hostname` is what clients are greeted with.
    pub fn new(hostname: &str, limits: Limits, deadlines: Deadlines, telemetry: Telemetry) -> Self {
        let occupancy = Arc::new(Occupancy::new());
        let drain = CancellationToken::new();
        let service = Service {
            hostname: hostname.into(),
            budget: Arc::new(Budget::new(limits.memory.0, telemetry.clone())),
            limits,
            deadlines,
            telemetry: telemetry.clone(),
            overloaded: occupancy.overloaded(),
            drain: drain.clone(),
        };
        Self {
            service: ArcSwap::from_pointee(service),
            occupancy,
            drain,
            telemetry,
        }
    }

    /// New settings for connections that come from now on. A changed `limits.memory` begins a budget
    /// of its own: until the last body of the old one is gone, both are in use.
    pub fn reload(&self, hostname: &str, limits: Limits, deadlines: Deadlines) {
        let old = self.service.load_full();
        let budget = if old.limits.memory == limits.memory {
            Arc::clone(&old.budget)
        } else {
            Arc::new(Budget::new(limits.memory.0, self.telemetry.clone()))
        };
        self.service.store(Arc::new(Service {
            hostname: hostname.into(),
            limits,
            deadlines,
            budget,
            ..Service::clone(&old)
        }));
    }

    /// Connections open now.
    pub fn open(&self) -> usize {
        self.occupancy.open()
    }

    /// Stops all listeners: nobody is accepted any more, idle sessions end, bodies are finished.
    pub fn drain(&self) {
        self.drain.cancel();
    }
}

impl<R: Reception> Listener<R> {
    /// Reads the certificate, if there is to be one, and takes the address.
    ///
    /// # Errors
    /// What stands in the way.
    pub async fn bind(
        settings: Settings,
        premises: Arc<Premises>,
        reception: Arc<R>,
        clock: &dyn Clock,
    ) -> Result<Self, ListenFault> {
        if let Some((key, fault)) = settings.faults().into_iter().next() {
            return Err(ListenFault::Settings(key, fault));
        }
        let files = settings.certificate.as_ref().zip(settings.key.as_ref());
        let certificate = match files.filter(|_| settings.tls != Tls::Off) {
            Some((chain, key)) => Certificate::load(&settings.name, chain, key, premises.telemetry.clone(), clock)
                .map(|certificate| Some(Arc::new(certificate)))
                .map_err(ListenFault::Certificate)?,
            None => None,
        };
        let handshake = certificate.clone().map(showing).transpose().map_err(ListenFault::Tls)?;
        let unavailable = |error| ListenFault::Address(settings.address, error);
        let socket = listen(settings.address).map_err(unavailable)?;
        Ok(Self {
            address: socket.local_addr().map_err(unavailable)?,
            socket,
            name: settings.name.as_str().into(),
            upstream: settings.upstream.as_deref().map(Into::into),
            trusted_relays: settings.trusted_relays.as_slice().into(),
            settings: Arc::new(settings),
            certificate,
            handshake,
            premises,
            reception,
        })
    }

    /// The address, with the port that was taken.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate, to be reloaded while the listener runs.
    pub fn certificate(&self) -> Option<Arc<Certificate>> {
        self.certificate.clone()
    }

    /// Accepts until the premises drain, then waits for the sessions: until they have ended, or
    /// `deadlines.drain` has passed and those that remain are dropped.
    pub async fn run(self) {
        let sessions = TaskTracker::new();
        let stop = CancellationToken::new();
        while let Some((stream, address)) = self.accept().await {
            if let Some(visit) = self.admit(stream, address) {
                let stop = stop.clone();
                sessions.spawn(async move {
                    tokio::select! {
                        biased;
                        () = visit.serve() => {}
                        () = stop.cancelled() => {}
                    }
                });
            }
        }
        let deadline = self.premises.service.load().deadlines.drain.0;
        drop(self.socket);
        sessions.close();
        if timeout(deadline, sessions.wait()).await.is_err() {
            let text = format!("{}: sessions were dropped at the drain deadline", self.name);
            self.premises.telemetry.warning("drain", &text);
            stop.cancel();
            sessions.wait().await;
        }
    }

    /// The next connection; `None` once the premises drain.
    async fn accept(&self) -> Option<(TcpStream, SocketAddr)> {
        loop {
            let accepted = tokio::select! {
                biased;
                () = self.premises.drain.cancelled() => return None,
                accepted = self.socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, address)) => {
                    let address = SocketAddr::new(address.ip().to_canonical(), address.port());
                    return Some((stream, address));
                }
                Err(error) if is_the_clients(&error) => {}
                Err(error) => {
                    // Out of descriptors or memory: others will end. Without a pause this would spin.
                    let text = format!("{}: can't accept connections: {error}", self.name);
                    self.premises.telemetry.warning("accept", &text);
                    let _ = timeout(ACCEPT_PAUSE, self.premises.drain.cancelled()).await;
                }
            }
        }
    }

    /// Gives a connection its place, or tells it why there is none.
    fn admit(&self, stream: TcpStream, address: SocketAddr) -> Option<Visit<R>> {
        let service = self.premises.service.load_full();
        let trusted = self.settings.trusts(address.ip());
        if self.settings.proxy_protocol && !trusted {
            // Whoever is no front of ours has no business here, and a word could confuse its parser.
            self.premises.telemetry.rejected("untrusted", "connect");
            return None;
        }
        match self.premises.occupancy.admit(address.ip(), trusted, &service.limits) {
            Ok(admission) => Some(Visit {
                stream,
                info: ConnectionInfo {
                    listener: Arc::clone(&self.name),
                    direction: self.settings.direction,
                    peer: self.settings.peer,
                    upstream: self.upstream.clone(),
                    address,
                    trusted,
                    trusted_relays: Arc::clone(&self.trusted_relays),
                },
                settings: Arc::clone(&self.settings),
                handshake: self.handshake.clone(),
                reception: Arc::clone(&self.reception),
                service,
                admission: Arc::new(admission),
            }),
            Err(refusal) => {
                self.premises.telemetry.rejected(refusal.reason(), "connect");
                // In implicit TLS nothing can be said yet, and a handshake is what is too much here.
                if self.settings.tls != Tls::Implicit {
                    visit::turn_away(stream, refusal);
                }
                None
            }
        }
    }
}

/// Takes an address, with room for a burst.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }?;
    // A restart must not wait for connections of the process before to be forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Shows the certificate as it is at each handshake, over TLS 1.2 and 1.3 only.
fn showing(certificate: Arc<Certificate>) -> Result<Arc<ServerConfig>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = config.with_no_client_auth().with_cert_resolver(certificate);
    Ok(Arc::new(config))
}

/// Whether accepting failed because of the one connection that was to be accepted.
fn is_the_clients(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests;
