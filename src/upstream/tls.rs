//! TLS towards SMTP and LMTP targets: what a route's `tls`, `tls_ca`, `tls_name`, `tls_certificate` and
//! `tls_key` come to.
//!
//! Settings go in; out come a mode and the means to shake hands. Decides nothing about when to.

use super::any_certificate::AnyCertificate;
use super::connect::{Place, Stream};
use super::dane::{self, Associated};
use super::route::Parts;
use super::settings::{Settings, TlsMode};
use crate::certificate::{Certificate, authorities};
use crate::resolver::{Dns, Tlsa, UNTRUSTED};
use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, WantsClientCert};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};
use std::io;
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsConnector;

/// A route's TLS, shared by its targets.
#[derive(Clone)]
pub(super) struct Tls {
    pub(super) mode: TlsMode,
    connector: Option<TlsConnector>,
    /// Where the records of `dane` are asked.
    dns: Option<Arc<dyn Dns>>,
    name: Option<String>,
    /// What is shown to a server that asks who we are.
    pub(super) certificate: Option<Arc<Certificate>>,
}

impl Tls {
    /// Reads what the settings name.
    ///
    /// # Errors
    /// In words, naming the setting.
    pub(super) fn new(settings: &Settings, parts: &Parts) -> Result<Self, String> {
        let certificate = certificate(settings, parts)?;
        let config = match settings.tls {
            TlsMode::Off | TlsMode::Dane => None,
            TlsMode::Opportunistic | TlsMode::Required => Some(accepting_any()?),
            TlsMode::Verified => Some(verifying(settings.tls_ca.as_deref())?),
        };
        let config = config.map(|config| showing(config, certificate.as_ref()));
        let dns = match settings.tls {
            TlsMode::Dane => Some(believed(settings, parts)?),
            TlsMode::Off | TlsMode::Opportunistic | TlsMode::Required | TlsMode::Verified => None,
        };
        if let Some(name) = &settings.tls_name {
            ServerName::try_from(name.as_str()).map_err(|_| format!("tls_name {name:?} is not a host name"))?;
        }
        Ok(Self {
            mode: settings.tls,
            connector: config.map(|config| TlsConnector::from(Arc::new(config))),
            dns,
            name: settings.tls_name.clone(),
            certificate,
        })
    }

    /// The TLSA records that bind the server at a place; `None` where the mode asks for none.
    ///
    /// # Errors
    /// In words: it asks for them, and there are none that can be believed and used.
    pub(super) async fn records(&self, place: &Place) -> Result<Option<Vec<Tlsa>>, String> {
        let (Some(dns), Place::Tcp { host, port }) = (&self.dns, place) else {
            return Ok(None);
        };
        let name = format!("_{port}._tcp.{host}");
        let records = dane::binding(dns.tlsa(&name).await);
        records
            .map(Some)
            .map_err(|why| format!("TLSA records of {name}: {why}"))
    }

    /// Shakes hands over `stream` with the server at `host`, whom `records` bind if there are any.
    pub(super) async fn handshake(
        &self,
        host: &str,
        records: Option<Vec<Tlsa>>,
        stream: Box<dyn Stream>,
    ) -> io::Result<Box<dyn Stream>> {
        let bound = records.map(|records| self.associated(records)).transpose();
        let bound = bound.map_err(io::Error::other)?;
        let connector = bound.as_ref().or(self.connector.as_ref());
        let connector = connector.ok_or_else(|| io::Error::other("TLS is off"))?;
        let name = self.name.as_deref().unwrap_or(host);
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        Ok(Box::new(connector.connect(name, stream).await?))
    }

    /// For one connection, since records come and go.
    fn associated(&self, records: Vec<Tlsa>) -> Result<TlsConnector, String> {
        let config = verified_by(|algorithms| Arc::new(Associated { records, algorithms }))?;
        Ok(TlsConnector::from(Arc::new(showing(config, self.certificate.as_ref()))))
    }
}

/// The resolver, if its word on DNSSEC counts and the route leaves it to that.
fn believed(settings: &Settings, parts: &Parts) -> Result<Arc<dyn Dns>, String> {
    if let Some((setting, why)) = settings.contradiction() {
        return Err(format!("{setting}: {why}"));
    }
    let dns = parts.dns.clone().map_err(|why| format!("tls = \"dane\": {why}"))?;
    if dns.is_trusted() {
        Ok(dns)
    } else {
        Err(format!("tls = \"dane\": {UNTRUSTED}"))
    }
}

/// A configuration that lacks nothing but what we show.
type Unshown = ConfigBuilder<ClientConfig, WantsClientCert>;

fn accepting_any() -> Result<Unshown, String> {
    verified_by(|algorithms| Arc::new(AnyCertificate(algorithms)))
}

fn verified_by(
    verifier: impl FnOnce(WebPkiSupportedAlgorithms) -> Arc<dyn ServerCertVerifier>,
) -> Result<Unshown, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = verifier(provider.signature_verification_algorithms);
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("tls: {error}"))?
        .dangerous()
        .with_custom_certificate_verifier(verifier))
}

fn verifying(authorities: Option<&Path>) -> Result<Unshown, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("tls: {error}"))?
        .with_root_certificates(roots(authorities)?))
}

/// Shows the certificate, if there is one, to a server that asks.
fn showing(config: Unshown, certificate: Option<&Arc<Certificate>>) -> ClientConfig {
    let Some(certificate) = certificate else {
        return config.with_no_client_auth();
    };
    let mut config = config.with_client_cert_resolver(Arc::clone(certificate) as _);
    // A resumed session would go on under the certificate that it began with, renewed or not.
    config.resumption = Resumption::disabled();
    config
}

/// The route's own certificate. Read even where TLS is off, so that a mistake is told before it is needed.
fn certificate(settings: &Settings, parts: &Parts) -> Result<Option<Arc<Certificate>>, String> {
    let (chain, key) = match (&settings.tls_certificate, &settings.tls_key) {
        (None, None) => return Ok(None),
        (Some(chain), Some(key)) => (chain, key),
        (Some(_), None) => return Err("tls_certificate: its tls_key is not set".into()),
        (None, Some(_)) => return Err("tls_key: its tls_certificate is not set".into()),
    };
    let name = format!("route {}", settings.name);
    Certificate::load(&name, chain, key, parts.telemetry.clone(), parts.clock.as_ref())
        .map(|certificate| Some(Arc::new(certificate)))
        .map_err(|fault| {
            let setting = if fault.file == *key {
                "tls_key"
            } else {
                "tls_certificate"
            };
            format!("{setting} {fault}")
        })
}

/// The authorities that `verified` goes by.
fn roots(file: Option<&Path>) -> Result<RootCertStore, String> {
    authorities(file).map_err(|why| match file {
        Some(_) => format!("tls_ca {why}"),
        None => format!("tls = \"verified\": {why}; name some in tls_ca"),
    })
}
