//! Asks the configured DNS servers, over UDP and, for what doesn't fit, over TCP.
//!
//! Names go out, records come back with the servers' word on whether they were validated (the AD bit), where
//! that word counts. Validates nothing itself, which is the servers' part, and keeps nothing.

use super::dns::{Answer, Dns, DnsFault, Exchanger, Kind, Record, Tlsa};
use super::settings::Settings;
use async_trait::async_trait;
use hickory_resolver::config::{NameServerConfig, ResolverOpts, ServerOrderingStrategy};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::xfer::{DnsHandle, FirstAnswer};
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::{DnsRequest, DnsRequestOptions, Edns, Message, Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{NameServerPool, PoolContext, TlsConfig, system_conf};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Records of one answer: a domain has a handful of MX, a host a handful of addresses. TXT records of a busy
/// domain are some dozens.
const RECORDS_MAX: usize = 100;
/// What fits a packet on nearly every path, so that an answer is not torn apart (RFC 9715).
const PACKET_MAX: u16 = 1232;

/// A resolver that leaves the work to others.
pub struct StubResolver {
    pool: NameServerPool<TokioRuntimeProvider>,
    trusted: bool,
    patience: Duration,
}

impl StubResolver {
    /// Reads the system's settings where these name no server; asks nothing yet.
    ///
    /// # Errors
    /// In words: no server is known.
    pub fn new(settings: &Settings) -> Result<Self, String> {
        let (servers, configured) = servers(settings)?;
        let mut options = ResolverOpts::default();
        options.timeout = settings.lookup.0;
        options.server_ordering_strategy = ServerOrderingStrategy::UserProvidedOrder;
        let context = Arc::new(PoolContext::new(options, no_tls()?));
        Ok(Self {
            pool: NameServerPool::from_config(configured, context, TokioRuntimeProvider::default()),
            trusted: settings.trusts(&servers),
            patience: settings.lookup.0,
        })
    }
}

#[async_trait]
impl Dns for StubResolver {
    fn is_trusted(&self) -> bool {
        self.trusted
    }

    async fn ask(&self, name: &str, kind: Kind) -> Result<Answer<Record>, DnsFault> {
        let mut name = Name::from_ascii(name).map_err(|_| DnsFault::NotAName)?;
        name.set_fqdn(true);
        let wanted = type_of(kind);
        let request = DnsRequest::new(question(name, wanted), DnsRequestOptions::default());
        let response = timeout(self.patience, self.pool.send(request).first_answer()).await;
        let response = match response.map_err(|_| DnsFault::TimedOut)? {
            Ok(response) => response,
            Err(error) => return nothing_or_fault(error),
        };
        let records: Vec<Record> = response
            .answers
            .iter()
            .filter(|record| record.record_type() == wanted)
            .filter_map(|record| take(&record.data))
            .take(RECORDS_MAX + 1)
            .collect();
        if records.len() > RECORDS_MAX {
            return Err(DnsFault::TooMany);
        }
        // What lies on the way, such as an alias, may be over before the rest.
        let lifetime = response.answers.iter().map(|record| record.ttl).min();
        Ok(Answer {
            authenticated: self.trusted && response.metadata.authentic_data && !records.is_empty(),
            exists: true,
            lifetime: Duration::from_secs(lifetime.unwrap_or_default().into()),
            records,
        })
    }
}

/// DNS is asked in the clear, so that no authority needs to be known: the library's own would fail on a machine
/// without any.
fn no_tls() -> Result<TlsConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    Ok(TlsConfig { config })
}

const fn type_of(kind: Kind) -> RecordType {
    match kind {
        Kind::A => RecordType::A,
        Kind::Aaaa => RecordType::AAAA,
        Kind::Mx => RecordType::MX,
        Kind::Ptr => RecordType::PTR,
        Kind::Tlsa => RecordType::TLSA,
        Kind::Txt => RecordType::TXT,
    }
}

/// A record of a kind that we ask for.
fn take(data: &RData) -> Option<Record> {
    Some(match data {
        RData::A(address) => Record::Address(IpAddr::V4(address.0)),
        RData::AAAA(address) => Record::Address(IpAddr::V6(address.0)),
        RData::MX(mx) => Record::Exchanger(Exchanger {
            preference: mx.preference,
            host: plain(&mx.exchange),
        }),
        RData::PTR(name) => Record::Name(plain(name)),
        RData::TLSA(tlsa) => Record::Tlsa(Tlsa {
            usage: tlsa.cert_usage.into(),
            selector: tlsa.selector.into(),
            matching: tlsa.matching.into(),
            data: tlsa.cert_data.clone(),
        }),
        RData::TXT(text) => Record::Text(text.txt_data.concat()),
        _ => return None,
    })
}

/// Asks for the AD bit without asking for signatures (RFC 6840 §5.7).
fn question(name: Name, kind: RecordType) -> Message {
    let mut message = Message::query();
    message.metadata.recursion_desired = true;
    message.metadata.authentic_data = true;
    message.edns.get_or_insert_with(Edns::new).set_max_payload(PACKET_MAX);
    message.add_query(Query::query(name, kind));
    message
}

/// No records is an answer; the rest is not.
fn nothing_or_fault(error: NetError) -> Result<Answer<Record>, DnsFault> {
    Err(match error {
        NetError::Dns(DnsError::NoRecordsFound(nothing)) => {
            return Ok(Answer {
                records: Vec::new(),
                authenticated: false,
                exists: nothing.response_code != ResponseCode::NXDomain,
                lifetime: Duration::from_secs(nothing.negative_ttl.unwrap_or_default().into()),
            });
        }
        NetError::Dns(DnsError::ResponseCode(ResponseCode::ServFail)) => DnsFault::Failed,
        NetError::Dns(DnsError::ResponseCode(ResponseCode::Refused)) => DnsFault::Refused,
        NetError::Timeout => DnsFault::TimedOut,
        other => DnsFault::Other(other.to_string()),
    })
}

/// As settings write names: what DNS lets in beyond letters, digits and hyphens is escaped.
fn plain(name: &Name) -> String {
    let name = name.to_ascii().to_ascii_lowercase();
    name.strip_suffix('.').unwrap_or(&name).to_owned()
}

/// The servers' addresses, and how to ask each.
fn servers(settings: &Settings) -> Result<(Vec<SocketAddr>, Vec<NameServerConfig>), String> {
    if settings.servers.is_empty() {
        let (system, _) = system_conf::read_system_conf()
            .map_err(|error| format!("the system names no DNS server: {error}; set [resolver] servers"))?;
        let addresses = system.name_servers.iter().map(|server| SocketAddr::new(server.ip, 53));
        return Ok((addresses.collect(), system.name_servers));
    }
    let addresses: Vec<SocketAddr> = settings.servers.iter().map(|server| server.0).collect();
    let configured = addresses.iter().map(|address| {
        let mut server = NameServerConfig::udp_and_tcp(address.ip());
        for connection in &mut server.connections {
            connection.port = address.port();
        }
        server
    });
    Ok((addresses.clone(), configured.collect()))
}

#[cfg(test)]
#[path = "../../tests/support/dns.rs"]
pub(crate) mod name_server;

#[cfg(test)]
mod tests;
