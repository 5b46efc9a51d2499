//! TLS towards SMTP and LMTP targets: what a route's `tls`, `tls_ca` and `tls_name` come to.
//!
//! Settings go in; out come a mode and the means to shake hands. Decides nothing about when to.

use super::any_certificate::AnyCertificate;
use super::connect::Stream;
use super::settings::{Settings, TlsMode};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
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
}

impl Tls {
    /// Reads what the settings name.
    ///
    /// # Errors
    /// In words, naming the setting.
    pub(super) fn new(settings: &Settings) -> Result<Self, String> {
        let config = match settings.tls {
            TlsMode::Off => None,
            TlsMode::Opportunistic | TlsMode::Required => Some(accepting_any()?),
            TlsMode::Verified => Some(verifying(settings.tls_ca.as_deref())?),
        };
        if let Some(name) = &settings.tls_name {
            ServerName::try_from(name.as_str()).map_err(|_| format!("tls_name {name:?} is not a host name"))?;
        }
        Ok(Self {
            mode: settings.tls,
            connector: config.map(|config| TlsConnector::from(Arc::new(config))),
            name: settings.tls_name.clone(),
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

fn accepting_any() -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = AnyCertificate(provider.signature_verification_algorithms);
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("tls: {error}"))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth())
}

fn verifying(authorities: Option<&Path>) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("tls: {error}"))?
        .with_root_certificates(roots(authorities)?)
        .with_no_client_auth())
}

fn roots(authorities: Option<&Path>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let Some(path) = authorities else {
        let found = rustls_native_certs::load_native_certs();
        let (added, _) = roots.add_parsable_certificates(found.certs);
        return if added > 0 {
            Ok(roots)
        } else {
            Err("tls = \"verified\": this system has no certificate authorities; name some in tls_ca".into())
        };
    };
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| format!("tls_ca {}: {error}", path.display()))?;
    for certificate in certificates {
        roots
            .add(certificate)
            .map_err(|error| format!("tls_ca {}: {error}", path.display()))?;
    }
    if roots.is_empty() {
        return Err(format!("tls_ca {}: holds no certificate", path.display()));
    }
    Ok(roots)
}
