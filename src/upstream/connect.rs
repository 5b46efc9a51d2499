//! Opens connections to targets, behind a trait so that tests and the simulator can put their own
//! streams in.
//!
//! A host and port go in, a stream comes out. Knows nothing of what is said over it.

use crate::resolver::Resolver;
use async_trait::async_trait;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How many addresses of one host are tried.
const ADDRESSES_MAX: usize = 8;

/// A connection of whatever kind.
pub trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for T {}

/// Opens connections.
#[async_trait]
pub trait Connect: Send + Sync {
    /// A new connection to `host`, each of its addresses given `patience`.
    ///
    /// # Errors
    /// The last address's own, `TimedOut` when that one did not answer.
    async fn connect(&self, host: &str, port: u16, patience: Duration) -> io::Result<Box<dyn Stream>>;
}

/// Connects over TCP.
pub struct TcpConnect {
    resolver: Arc<dyn Resolver>,
}

impl TcpConnect {
    /// Looks names up with `resolver`.
    pub fn new(resolver: Arc<dyn Resolver>) -> Self {
        Self { resolver }
    }
}

#[async_trait]
impl Connect for TcpConnect {
    async fn connect(&self, host: &str, port: u16, patience: Duration) -> io::Result<Box<dyn Stream>> {
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
