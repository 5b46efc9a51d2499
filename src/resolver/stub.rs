//! Asks the configured DNS servers, over UDP and, for what doesn't fit, over TCP.
//!
//! Names go out, records come back with the servers' word on whether they were validated (the AD bit), where
//! that word counts. Validates nothing itself and keeps nothing: both are the servers' part.

use super::dns::{Answer, Dns, DnsFault, Exchanger, Tlsa};
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
        let tls = TlsConfig::new().map_err(|error| error.to_string())?;
        let context = Arc::new(PoolContext::new(options, tls));
        Ok(Self {
            pool: NameServerPool::from_config(configured, context, TokioRuntimeProvider::default()),
            trusted: settings.trusts(&servers),
            patience: settings.lookup.0,
        })
    }

    /// The records of one kind, as far as `take` knows them.
    async fn ask<T>(
        &self,
        name: &str,
        kind: RecordType,
        take: impl Fn(&RData) -> Option<T>,
    ) -> Result<Answer<T>, DnsFault> {
        let mut name = Name::from_ascii(name).map_err(|_| DnsFault::NotAName)?;
        name.set_fqdn(true);
        let request = DnsRequest::new(question(name, kind), DnsRequestOptions::default());
        let response = timeout(self.patience, self.pool.send(request).first_answer()).await;
        let response = match response.map_err(|_| DnsFault::TimedOut)? {
            Ok(response) => response,
            Err(error) => return nothing_or_fault(error),
        };
        let records: Vec<T> = response
            .answers
            .iter()
            .filter(|record| record.record_type() == kind)
            .filter_map(|record| take(&record.data))
            .take(RECORDS_MAX + 1)
            .collect();
        if records.len() > RECORDS_MAX {
            return Err(DnsFault::TooMany);
        }
        Ok(Answer {
            authenticated: self.trusted && response.metadata.authentic_data && !records.is_empty(),
            records,
        })
    }
}

#[async_trait]
impl Dns for StubResolver {
    fn is_trusted(&self) -> bool {
        self.trusted
    }

    async fn exchangers(&self, domain: &str) -> Result<Answer<Exchanger>, DnsFault> {
        let exchanger = |data: &RData| match data {
            RData::MX(mx) => Some(Exchanger {
                preference: mx.preference,
                host: plain(&mx.exchange),
            }),
            _ => None,
        };
        let mut answer = self.ask(domain, RecordType::MX, exchanger).await?;
        answer.records.sort();
        Ok(answer)
    }

    async fn texts(&self, name: &str) -> Result<Answer<Vec<u8>>, DnsFault> {
        let text = |data: &RData| match data {
            RData::TXT(text) => Some(text.txt_data.concat()),
            _ => None,
        };
        self.ask(name, RecordType::TXT, text).await
    }

    async fn tlsa(&self, name: &str) -> Result<Answer<Tlsa>, DnsFault> {
        let tlsa = |data: &RData| match data {
            RData::TLSA(tlsa) => Some(Tlsa {
                usage: tlsa.cert_usage.into(),
                selector: tlsa.selector.into(),
                matching: tlsa.matching.into(),
                data: tlsa.cert_data.clone(),
            }),
            _ => None,
        };
        self.ask(name, RecordType::TLSA, tlsa).await
    }

    async fn hosts(&self, host: &str) -> Result<Answer<IpAddr>, DnsFault> {
        let address = |data: &RData| match data {
            RData::A(address) => Some(IpAddr::V4(address.0)),
            RData::AAAA(address) => Some(IpAddr::V6(address.0)),
            _ => None,
        };
        let (four, six) = tokio::join!(
            self.ask(host, RecordType::A, address),
            self.ask(host, RecordType::AAAA, address)
        );
        let (four, six) = (four?, six?);
        let vouched = |answer: &Answer<IpAddr>| answer.authenticated || answer.records.is_empty();
        Ok(Answer {
            authenticated: (four.authenticated || six.authenticated) && vouched(&four) && vouched(&six),
            records: [four.records, six.records].concat(),
        })
    }
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
fn nothing_or_fault<T>(error: NetError) -> Result<Answer<T>, DnsFault> {
    Err(match error {
        NetError::Dns(DnsError::NoRecordsFound(_)) => {
            return Ok(Answer {
                records: Vec::new(),
                authenticated: false,
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
