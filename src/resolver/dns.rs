//! What is asked of DNS, and what comes back.
//!
//! Plain data and a trait. Knows nothing of servers and packets.

use async_trait::async_trait;
use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The records of a name, none if it has none or isn't there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<T> {
    /// In the order of the answer.
    pub records: Vec<T>,
    /// A resolver whose word counts says that DNSSEC vouches for them. Never so for an answer without records.
    pub authenticated: bool,
}

/// An MX record (RFC 5321 §5.1).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exchanger {
    /// The lower comes first.
    pub preference: u16,
    /// In lower case, without the final dot; empty in a null MX (RFC 7505).
    pub host: String,
}

/// A TLSA record (RFC 6698 §2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tlsa {
    /// 2 is a trust anchor, 3 the server's own certificate.
    pub usage: u8,
    /// 0 is the whole certificate, 1 its public key.
    pub selector: u8,
    /// 0 is the thing itself, 1 its SHA-256, 2 its SHA-512.
    pub matching: u8,
    /// What has to match.
    pub data: Vec<u8>,
}

impl fmt::Display for Tlsa {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {} {}", self.usage, self.selector, self.matching)
    }
}

/// Why nothing is known of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DnsFault {
    /// No answer in time.
    TimedOut,
    /// The resolver could not find out, or found forged records (SERVFAIL).
    Failed,
    /// The resolver refuses to look.
    Refused,
    /// No name that DNS could have.
    NotAName,
    /// More records than anybody needs.
    TooMany,
    /// Something else, in the words of the library.
    Other(String),
}

impl fmt::Display for DnsFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::TimedOut => "DNS did not answer in time",
            Self::Failed => "DNS failed to find out (SERVFAIL)",
            Self::Refused => "the DNS server refuses to look",
            Self::NotAName => "not a name that DNS could have",
            Self::TooMany => "DNS has too many records",
            Self::Other(why) => return write!(formatter, "DNS: {why}"),
        })
    }
}

/// Looks records up.
#[async_trait]
pub trait Dns: Send + Sync {
    /// Whether an answer can be `authenticated` at all.
    fn is_trusted(&self) -> bool;

    /// The MX records of a domain, the preferred first.
    ///
    /// # Errors
    /// Why nothing is known of them.
    async fn exchangers(&self, domain: &str) -> Result<Answer<Exchanger>, DnsFault>;

    /// The TXT records of a name, the strings of each joined.
    ///
    /// # Errors
    /// Why nothing is known of them.
    async fn texts(&self, name: &str) -> Result<Answer<Vec<u8>>, DnsFault>;

    /// The TLSA records of a name such as `_25._tcp.mx.example`.
    ///
    /// # Errors
    /// Why nothing is known of them.
    async fn tlsa(&self, name: &str) -> Result<Answer<Tlsa>, DnsFault>;

    /// The A and AAAA records of a host.
    ///
    /// # Errors
    /// Why nothing is known of them.
    async fn hosts(&self, host: &str) -> Result<Answer<IpAddr>, DnsFault>;
}

/// The same, until a token is cancelled: one budget for many lookups. What is still open then, and all that is
/// asked later, has timed out.
pub struct Bounded {
    dns: Arc<dyn Dns>,
    over: CancellationToken,
}

impl Bounded {
    /// Asks `dns` until `over`.
    pub fn new(dns: Arc<dyn Dns>, over: CancellationToken) -> Self {
        Self { dns, over }
    }

    async fn in_time<T>(&self, lookup: impl Future<Output = Result<T, DnsFault>>) -> Result<T, DnsFault> {
        self.over
            .run_until_cancelled(lookup)
            .await
            .unwrap_or(Err(DnsFault::TimedOut))
    }
}

#[async_trait]
impl Dns for Bounded {
    fn is_trusted(&self) -> bool {
        self.dns.is_trusted()
    }

    async fn exchangers(&self, domain: &str) -> Result<Answer<Exchanger>, DnsFault> {
        self.in_time(self.dns.exchangers(domain)).await
    }

    async fn texts(&self, name: &str) -> Result<Answer<Vec<u8>>, DnsFault> {
        self.in_time(self.dns.texts(name)).await
    }

    async fn tlsa(&self, name: &str) -> Result<Answer<Tlsa>, DnsFault> {
        self.in_time(self.dns.tlsa(name)).await
    }

    async fn hosts(&self, host: &str) -> Result<Answer<IpAddr>, DnsFault> {
        self.in_time(self.dns.hosts(host)).await
    }
}
