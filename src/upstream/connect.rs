//! Opens connections to targets, behind a trait so that tests and the simulator can put their own
//! streams in.
//!
//! A place goes in, a stream comes out. Knows nothing of what is said over it.

use crate::resolver::Resolver;
use async_trait::async_trait;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

/// How many addresses of one host are tried.
const ADDRESSES_MAX: usize = 8;

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A host name or address, without the brackets of an IPv6 one, and a TCP port.
    Tcp {
        /// The host.
        host: String,
        /// The port.
        port: u16,
    },
    /// A Unix socket of this machine.
    Socket(PathBuf),
}

/// A connection of whatever kind.
pub trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for T {}

/// Opens connections.
#[async_trait]
pub trait Connect: Send + Sync {
    /// A new connection to `place`, each address of a host given `patience`.
    ///
    /// # Errors
    /// The last address's own, `TimedOut` when that one did not answer.
    async fn connect(&self, place: &Place, patience: Duration) -> io::Result<Box<dyn Stream>>;
}

/// Connects over TCP and Unix sockets.
pub struct SystemConnect {
    resolver: Arc<dyn Resolver>,
}

impl SystemConnect {
    /// Looks names up with `resolver`.
    pub fn new(resolver: Arc<dyn Resolver>) -> Self {
        Self { resolver }
    }

    async fn connect_tcp(&self, host: &str, port: u16, patience: Duration) -> io::Result<Box<dyn Stream>> {
        let addresses = timeout(patience, self.resolver.addresses(host)).await??;
        let mut last = io::Error::new(io::ErrorKind::NotFound, "its name has no address");
        for address in addresses.into_iter().take(ADDRESSES_MAX) {
            match timeout(patience, TcpStream::connect((address, port))).await {
                Ok(Ok(stream)) => {
                    // A dialogue is small writes, each awaited: Nagle would hold every one for 40 ms.
                    stream.set_nodelay(true)?;
                    return Ok(Box::new(stream));
                }
                Ok(Err(error)) => last = error,
                Err(elapsed) => last = elapsed.into(),
            }
        }
        Err(last)
    }
}

#[async_trait]
impl Connect for SystemConnect {
    async fn connect(&self, place: &Place, patience: Duration) -> io::Result<Box<dyn Stream>> {
        match place {
            Place::Tcp { host, port } => self.connect_tcp(host, *port, patience).await,
            // A server that has stopped accepting leaves this waiting as well.
            Place::Socket(path) => Ok(Box::new(timeout(patience, UnixStream::connect(path)).await??)),
        }
    }
}
