//! Fetches an MTA-STS policy over HTTPS (RFC 8461 §3.3).
//!
//! A domain in, the octets of its policy or what went wrong out. Bounded in time and size, follows no redirect.
//! Knows nothing of what a policy says.

use crate::resolver::Dns;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

/// Largest policy: senders are told to expect no more (RFC 8461 §3.3).
const POLICY_MAX: usize = 64 << 10;
/// For one policy: the lookup, the connection, the handshake and the answer together.
const PATIENCE: Duration = Duration::from_secs(5);
/// For a connection to one address, so that one which swallows everything leaves time for the next.
const CONNECT_PATIENCE: Duration = Duration::from_secs(2);
/// How many addresses of the host are tried.
const ADDRESSES_MAX: usize = 4;

/// Where policies are fetched from, and by whose word.
pub(super) struct Web {
    /// Looks the host up.
    pub(super) dns: Arc<dyn Dns>,
    /// Vouch for the host's certificate.
    pub(super) authorities: Arc<RootCertStore>,
    /// 443, but for tests.
    pub(super) port: u16,
    /// Ends what is under way, however many there are.
    pub(super) over: CancellationToken,
}

impl Web {
    /// The policy of a domain, as it is.
    pub(super) async fn policy(&self, domain: &str) -> Result<Vec<u8>, String> {
        let host = format!("mta-sts.{domain}");
        let fetched = timeout(PATIENCE, self.fetch(&host));
        match self.over.run_until_cancelled(fetched).await {
            Some(Ok(Ok(octets))) => Ok(octets),
            Some(Ok(Err(why))) => Err(format!("https://{host} {why}")),
            Some(Err(_)) | None => Err(format!("https://{host} did not answer in time")),
        }
    }

    async fn fetch(&self, host: &str) -> Result<Vec<u8>, String> {
        let stream = self.connect(host).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| error.to_string())?;
        let request = Request::get("/.well-known/mta-sts.txt")
            .header(HOST, host)
            .header(USER_AGENT, "portreeve")
            .body(Empty::<Bytes>::new())
            .map_err(|error| error.to_string())?;
        let answer = async {
            let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
            body(response).await
        };
        tokio::pin!(answer);
        tokio::select! {
            biased;
            answer = &mut answer => answer,
            // The connection does the work of both; what it leaves behind is for the answer to tell.
            _ = connection => answer.await,
        }
    }

    async fn connect(&self, host: &str) -> Result<TlsStream<TcpStream>, String> {
        let addresses = self.dns.hosts(host).await.map_err(|fault| fault.to_string())?;
        let mut last = "has no address".to_owned();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(Arc::clone(&self.authorities))
            .with_no_client_auth();
        let connector = TlsConnector::from(Arc::new(config));
        for address in addresses.records.into_iter().take(ADDRESSES_MAX) {
            let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
            let stream = match timeout(CONNECT_PATIENCE, TcpStream::connect((address, self.port))).await {
                Ok(Ok(stream)) => stream,
                Ok(Err(error)) => {
                    last = format!("can't be reached: {error}");
                    continue;
                }
                Err(_) => {
                    last = "can't be reached in time".into();
                    continue;
                }
            };
            match connector.connect(name, stream).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = format!("gives no secure connection: {error}"),
            }
        }
        Err(last)
    }
}

/// The body of a good answer, no longer than it may be.
async fn body(response: Response<Incoming>) -> Result<Vec<u8>, String> {
    // RFC 8461 §3.3: redirects are not followed, and anything but 200 is no policy.
    if response.status() != StatusCode::OK {
        return Err(format!("answers {}", response.status()));
    }
    let kind = response
        .headers()
        .get(CONTENT_TYPE)
        .map(|kind| kind.as_bytes().to_vec());
    let body = Limited::new(response.into_body(), POLICY_MAX).collect().await;
    let octets = body
        .map_err(|error| match error.downcast_ref::<http_body_util::LengthLimitError>() {
            Some(_) => format!("sends more than {POLICY_MAX} bytes"),
            None => format!("breaks off: {error}"),
        })?
        .to_bytes();
    // RFC 8461 §3.2: so that a page that anybody may write on such a host is not taken for a policy.
    let is_text = kind.is_some_and(|kind| kind.to_ascii_lowercase().starts_with(b"text/plain"));
    if is_text {
        Ok(octets.to_vec())
    } else {
        Err("sends something else than text/plain".into())
    }
}
