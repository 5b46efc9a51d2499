//! TLS towards SMTP and LMTP targets: what a route's `tls`, `tls_ca`, `tls_name`, `tls_certificate` and
//! `tls_key` come to.
//!
//! Settings go in; out come a mode and the means to shake hands. Decides nothing about when to.

use super::any_certificate::AnyCertificate;
use super::connect::Stream;
use super::route::Parts;
use super::settings::{Settings, TlsMode};
use crate::certificate::{Certificate, authorities};
use rustls::client::{Resumption, WantsClientCert};
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
            TlsMode::Off => None,
            TlsMode::Opportunistic | TlsMode::Required => Some(accepting_any()?),
            TlsMode::Verified => Some(verifying(settings.tls_ca.as_deref())?),
        };
        let config = config.map(|config| showing(config, certificate.as_ref()));
        if let Some(name) = &settings.tls_name {
            ServerName::try_from(name.as_str()).map_err(|_| format!("tls_name {name:?} is not a host name"))?;
        }
        Ok(Self {
            mode: settings.tls,
            connector: config.map(|config| TlsConnector::from(Arc::new(config))),
            name: settings.tls_name.clone(),
            certificate,
        })
    }

    /// Shakes hands over `stream` with the server at `host`.
    pub(super) async fn handshake(&self, host: &str, stream: Box<dyn Stream>) -> io::Result<Box<dyn Stream>> {
        let connector = self.connector.as_ref().ok_or_else(|| io::Error::other("TLS is off"))?;
        let name = self.name.as_deref().unwrap_or(host);
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        Ok(Box::new(connector.connect(name, stream).await?))
    }
}

/// A configuration that lacks nothing but what we show.
type Unshown = ConfigBuilder<ClientConfig, WantsClientCert>;

fn accepting_any() -> Result<Unshown, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = AnyCertificate(provider.signature_verification_algorithms);
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("tls: {error}"))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier)))
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
