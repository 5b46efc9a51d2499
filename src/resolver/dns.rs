//! What is asked of DNS, and what comes back.
//!
//! Plain data and a trait. Knows nothing of servers and packets.

use async_trait::async_trait;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The records of a name, none if it has none or isn't there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<T> {
    /// In the order of the answer.
    pub records: Vec<T>,
    /// A resolver whose word counts says that DNSSEC vouches for them. Never so for an answer without records.
    pub authenticated: bool,
    /// Whether the name is there at all (no NXDOMAIN), with records of this kind or without.
    pub exists: bool,
    /// How long this may be held true.
    pub lifetime: Duration,
}

impl<T> Answer<T> {
    /// An answer that nobody vouches for and that is not to be kept.
    pub fn of(records: Vec<T>) -> Self {
        Self {
            records,
            authenticated: false,
            exists: true,
            lifetime: Duration::ZERO,
        }
    }

    /// The same with other records in place of these.
    fn map<U>(self, take: impl FnMut(T) -> Option<U>) -> Answer<U> {
        Answer {
            records: self.records.into_iter().filter_map(take).collect(),
            authenticated: self.authenticated,
            exists: self.exists,
            lifetime: self.lifetime,
        }
    }
}

/// What kind of record is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An IPv4 address.
    A,
    /// An IPv6 address.
    Aaaa,
    /// A mail exchanger.
    Mx,
    /// The name that an address goes by.
    Ptr,
    /// A certificate association.
    Tlsa,
    /// Text.
    Txt,
}

impl Kind {
    /// The kind of address that this one is.
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::A,
            IpAddr::V6(_) => Self::Aaaa,
        }
    }
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// Of kind A or AAAA.
    Address(IpAddr),
    /// Of kind MX.
    Exchanger(Exchanger),
    /// Of kind PTR, in lower case, without the final dot.
    Name(String),
    /// Of kind TLSA.
    Tlsa(Tlsa),
    /// Of kind TXT, its strings joined.
    Text(Vec<u8>),
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
    /// Nobody was asked: the servers have not answered for a while.
    Down,
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
            Self::Down => "no DNS server has answered for a while",
            Self::Other(why) => return write!(formatter, "DNS: {why}"),
        })
    }
}

impl DnsFault {
    /// The word in metrics.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::TimedOut => "timeout",
            Self::Down => "down",
            Self::TooMany => "limit",
            Self::Failed | Self::Refused | Self::NotAName | Self::Other(_) => "failed",
        }
    }
}

/// Looks records up.
#[async_trait]
pub trait Dns: Send + Sync {
    /// Whether an answer can be `authenticated` at all.
    fn is_trusted(&self) -> bool;

    /// Finds out whether anybody answers, before it matters to somebody.
    fn wake(&self) {}

    /// The records of one kind that a name has.
    ///
    /// # Errors
    /// Why nothing is known of them.
    async fn ask(&self, name: &str, kind: Kind) -> Result<Answer<Record>, DnsFault>;

    /// The MX records of a domain, the preferred first.
    ///
    /// # Errors
    /// Why nothing is known of them.
    async fn exchangers(&self, domain: &str) -> Result<Answer<Exchanger>, DnsFault> {
        let mut answer = self.ask(domain, Kind::Mx).await?.map(|record| match record {
            Record::Exchanger(exchanger) => Some(exchanger),
            _ => None,
        });
        answer.records.sort();
        Ok(answer)
    }

    /// The TXT records of a name, the strings of each joined.
    ///
    /// # Errors
    /// Why nothing is known of them.
    async fn texts(&self, name: &str) -> Result<Answer<Vec<u8>>, DnsFault> {
        Ok(self.ask(name, Kind::Txt).await?.map(|record| match record {
            Record::Text(text) => Some(text),
            _ => None,
        }))
    }

    /// The TLSA records of a name such as `_25._tcp.mx.example`.
    ///
    /// # Errors
    /// Why nothing is known of them.
    async fn tlsa(&self, name: &str) -> Result<Answer<Tlsa>, DnsFault> {
        Ok(self.ask(name, Kind::Tlsa).await?.map(|record| match record {
            Record::Tlsa(tlsa) => Some(tlsa),
            _ => None,
        }))
    }

    /// The names that an address goes by: reverse DNS.
    ///
    /// # Errors
    /// Why nothing is known of them.
    async fn names(&self, address: IpAddr) -> Result<Answer<String>, DnsFault> {
        let name = format!("{}.{}.arpa", reversed(address), zone_of(address));
        Ok(self.ask(&name, Kind::Ptr).await?.map(|record| match record {
            Record::Name(name) => Some(name),
            _ => None,
        }))
    }

    /// The addresses of a host of one kind, A or AAAA.
    ///
    /// # Errors
    /// Why nothing is known of them.
    async fn addresses(&self, host: &str, kind: Kind) -> Result<Answer<IpAddr>, DnsFault> {
        Ok(self.ask(host, kind).await?.map(|record| match record {
            Record::Address(address) => Some(address),
            _ => None,
        }))
    }

    /// The A and AAAA records of a host.
    ///
    /// # Errors
    /// Why nothing is known of them.
    async fn hosts(&self, host: &str) -> Result<Answer<IpAddr>, DnsFault> {
        let (four, six) = tokio::join!(self.addresses(host, Kind::A), self.addresses(host, Kind::Aaaa));
        let (four, six) = (four?, six?);
        let vouched = |answer: &Answer<IpAddr>| answer.authenticated || answer.records.is_empty();
        Ok(Answer {
            authenticated: (four.authenticated || six.authenticated) && vouched(&four) && vouched(&six),
            exists: four.exists || six.exists,
            lifetime: four.lifetime.min(six.lifetime),
            records: [four.records, six.records].concat(),
        })
    }
}

/// An address as names of reverse zones and block lists begin: its octets, or the digits of an IPv6 address,
/// the last one first.
pub fn reversed(address: IpAddr) -> String {
    let parts: Vec<String> = match address {
        IpAddr::V4(address) => address.octets().iter().rev().map(u8::to_string).collect(),
        IpAddr::V6(address) => {
            let octets = address.octets();
            let digits = octets.iter().rev().flat_map(|octet| [octet & 15, octet >> 4]);
            digits.map(|digit| format!("{digit:x}")).collect()
        }
    };
    parts.join(".")
}

/// The label under which addresses of this kind stand in reverse DNS.
pub const fn zone_of(address: IpAddr) -> &'static str {
    match address {
        IpAddr::V4(_) => "in-addr",
        IpAddr::V6(_) => "ip6",
    }
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
}

#[async_trait]
impl Dns for Bounded {
    fn is_trusted(&self) -> bool {
        self.dns.is_trusted()
    }

    async fn ask(&self, name: &str, kind: Kind) -> Result<Answer<Record>, DnsFault> {
        let lookup = self.dns.ask(name, kind);
        let answer = self.over.run_until_cancelled(lookup).await;
        answer.unwrap_or(Err(DnsFault::TimedOut))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_backwards() {
        for (address, text) in [
            ("192.0.2.1", "1.2.0.192"),
            (
                "2001:db8::f1",
                "1.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2",
            ),
        ] {
            assert_eq!(reversed(address.parse().unwrap()), text);
        }
    }
}
