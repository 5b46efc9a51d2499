//! One accepted connection, from its first octet to its last: the PROXY header and TLS where they
//! belong, and SMTP inside.
//!
//! Knows nothing of how connections are accepted or counted.

use super::occupancy::Admission;
use super::proxy::{self, Progress, Stated};
use super::{ConnectionInfo, Reception, Settings, Tls};
use crate::smtp::connection::{Connection, Door, End, Opening, Service};
use crate::smtp::data::LineEnds;
use crate::smtp::refusal::Refusal;
use crate::telemetry::Telemetry;
use rustls::ServerConfig;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// How long a trusted peer may take for its PROXY header, which it sends before all else.
const PROXY_DEADLINE: Duration = Duration::from_secs(5);

/// A connection with its place.
pub(super) struct Visit<R> {
    pub(super) stream: TcpStream,
    pub(super) info: ConnectionInfo,
    pub(super) settings: Arc<Settings>,
    pub(super) handshake: Option<Arc<ServerConfig>>,
    pub(super) reception: Arc<R>,
    pub(super) service: Arc<Service>,
    pub(super) admission: Arc<Admission>,
}

/// Where a front's clients come in: counted and served as if they had connected themselves.
#[derive(Debug)]
struct FrontDoor {
    peer: SocketAddr,
    settings: Arc<Settings>,
    service: Arc<Service>,
    admission: Arc<Admission>,
}

impl Door for FrontDoor {
    fn enter(&self, client: Option<SocketAddr>) -> Result<(), Refusal> {
        let client = client.map(|client| client.ip());
        if !client.map_or(self.settings.serves_anyone(), |client| self.settings.serves(client)) {
            return Err(Refusal::ClientNetwork);
        }
        // The front's own address is exempt, as it was when it connected.
        let counted = client.filter(|client| *client != self.peer.ip());
        self.admission.is_of(counted, &self.service.limits)
    }
}

/// Reports the connection's end, however it comes.
struct Presence {
    telemetry: Telemetry,
    listener: Arc<str>,
    secured: Option<&'static str>,
}

impl Presence {
    fn new(telemetry: &Telemetry, listener: &Arc<str>) -> Self {
        telemetry.connection_opened(listener);
        Self {
            telemetry: telemetry.clone(),
            listener: Arc::clone(listener),
            secured: None,
        }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        // Told at the end, when it is certain, so that each connection is counted once.
        self.telemetry
            .connection_secured(&self.listener, self.secured.unwrap_or("none"));
        self.telemetry.connection_closed(&self.listener);
    }
}

impl<R: Reception> Visit<R> {
    /// Serves the client until the connection is closed.
    pub(super) async fn serve(mut self) {
        let mut presence = Presence::new(&self.service.telemetry, &self.info.listener);
        // Replies are small and written once for each group; waiting to merge them costs 40 ms each.
        if self.stream.set_nodelay(true).is_err() {
            return;
        }
        if self.settings.proxy_protocol && !self.hear_of_client().await {
            return;
        }
        let desk = self.reception.desk(&self.info);
        let mut opening = self.opening();
        let service = self.service;
        match self.handshake {
            Some(config) if self.settings.tls == Tls::Implicit => {
                let Some((stream, tls)) = secure(self.stream, &config, &service).await else {
                    return;
                };
                presence.secured = Some("implicit");
                opening.tls = Some(tls);
                Box::pin(Connection::new(stream, desk, opening, service).serve()).await;
            }
            config => {
                let connection = Connection::new(self.stream, desk, opening, Arc::clone(&service));
                let End::StartTls(stream, suspended) = connection.serve().await else {
                    return;
                };
                let Some(config) = config else { return };
                let Some((stream, tls)) = secure(stream, &config, &service).await else {
                    return;
                };
                presence.secured = Some("starttls");
                // Boxed, so that connections in the clear don't hold room for it.
                Box::pin((*suspended).resume(stream, tls).serve()).await;
            }
        }
        drop(self.admission);
    }

    fn door(&self) -> Arc<dyn Door> {
        Arc::new(FrontDoor {
            peer: self.info.address,
            settings: Arc::clone(&self.settings),
            service: Arc::clone(&self.service),
            admission: Arc::clone(&self.admission),
        })
    }

    /// Reads the PROXY header and takes the client that it states for the peer. Whether to go on.
    async fn hear_of_client(&mut self) -> bool {
        // Boxed, so that the connection doesn't hold room for the header while it lasts.
        let stated = match Box::pin(timeout(PROXY_DEADLINE, read_proxy(&mut self.stream))).await {
            Ok(Ok(stated)) => stated,
            failed => {
                let why = failed.map_or("PROXY header took too long", |read| read.err().unwrap_or_default());
                self.service.telemetry.rejected("proxy_header", "connect");
                self.service.telemetry.notice("proxy_header", why);
                return false;
            }
        };
        let Stated::Client(client) = stated else {
            return true;
        };
        self.info.address = client;
        // What follows is the client's own words: only if it is a front itself may it state another.
        self.info.trusted = self.settings.trusts(client.ip());
        match self.admission.is_of(Some(client.ip()), &self.service.limits) {
            Ok(()) => true,
            Err(refusal) => {
                self.service.telemetry.rejected(refusal.reason(), "connect");
                if self.settings.tls != Tls::Implicit {
                    let mut reply = Vec::new();
                    refusal.reply().write_to(&mut reply);
                    let _ = timeout(PROXY_DEADLINE, self.stream.write_all(&reply)).await;
                }
                false
            }
        }
    }

    fn opening(&self) -> Opening {
        let client = self.info.address.ip();
        Opening {
            address: Some(self.info.address),
            tls: None,
            starttls: self.handshake.is_some() && self.settings.tls == Tls::StartTls,
            chunking: self.settings.chunking,
            line_ends: if self.settings.repairs(client) {
                LineEnds::Repair
            } else {
                LineEnds::Strict
            },
            refusal: (!self.settings.serves(client)).then_some(Refusal::ClientNetwork),
            door: self.info.trusted.then(|| self.door()),
        }
    }
}

/// Tells a client why it can't come in, without waiting: what can't be written at once is not.
pub(super) fn turn_away(stream: TcpStream, refusal: Refusal) {
    let mut reply = Vec::new();
    refusal.reply().write_to(&mut reply);
    if let Ok(mut stream) = stream.into_std() {
        let _ = stream.write(&reply);
    }
}

/// Reads a PROXY header and nothing behind it.
async fn read_proxy(stream: &mut TcpStream) -> Result<Stated, &'static str> {
    let mut octets = Vec::with_capacity(proxy::TEXT_MAX);
    loop {
        match proxy::read(&octets).map_err(proxy::Fault::as_str)? {
            Progress::Whole(stated) => return Ok(stated),
            Progress::Needs(count) => {
                let read = stream.take(count as u64).read_buf(&mut octets).await;
                if !matches!(read, Ok(1..)) {
                    return Err("the connection ended within the PROXY header");
                }
            }
        }
    }
}

/// The handshake: the stream inside TLS, and the name of version and suite.
async fn secure(
    stream: TcpStream,
    config: &Arc<ServerConfig>,
    service: &Service,
) -> Option<(TlsStream<TcpStream>, String)> {
    let handshake = Box::pin(TlsAcceptor::from(Arc::clone(config)).accept(stream));
    match timeout(service.deadlines.handshake.0, handshake).await {
        Ok(Ok(stream)) => {
            let name = tls_name(&stream);
            Some((stream, name))
        }
        failed => {
            service.telemetry.rejected("tls", "connect");
            let why = match failed {
                Ok(Err(error)) => error.to_string(),
                _ => io::Error::from(io::ErrorKind::TimedOut).to_string(),
            };
            service.telemetry.notice("tls_handshake", &why);
            None
        }
    }
}

/// Such as `TLSv1.3 TLS13_AES_256_GCM_SHA384`.
fn tls_name(stream: &TlsStream<TcpStream>) -> String {
    let (_, session) = stream.get_ref();
    let version = match session.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
        _ => "TLS",
    };
    match session.negotiated_cipher_suite() {
        Some(suite) => format!("{version} {:?}", suite.suite()),
        None => version.to_owned(),
    }
}
