//! `tls = "dane"`: which TLSA records bind us, and a verifier that asks for a certificate that they speak of.
//!
//! DNS answers and certificates in, yes or no out. Looks nothing up. Why a host without records is not sent to
//! is told in `docs/decisions/0012-dane-to-a-fixed-host.md`.

use super::any_certificate::AnyCertificate;
use super::settings::{Settings, TlsMode};
use super::target_url::TargetUrl;
use crate::certificate::tlsa::{self, Association};
use crate::resolver::{Answer, DnsFault, Tlsa};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use std::net::IpAddr;

/// What contradicts `tls = "dane"` in a route: the setting, and a sentence.
pub(super) fn contradiction(settings: &Settings) -> Option<(&'static str, String)> {
    if settings.tls != TlsMode::Dane {
        return None;
    }
    let addressed = settings.target.as_slice().iter().find_map(|target| match target {
        TargetUrl::Smtp { host, .. } | TargetUrl::Lmtp { host, .. } if host.parse::<IpAddr>().is_ok() => Some(host),
        _ => None,
    });
    if let Some(host) = addressed {
        let why = format!("tls = \"dane\" looks its records up by the host's name, and {host} is an address");
        return Some(("target", why));
    }
    let idle = [
        ("tls_ca", settings.tls_ca.is_some()),
        ("tls_name", settings.tls_name.is_some()),
    ];
    let (setting, _) = idle.into_iter().find(|(_, is_set)| *is_set)?;
    Some((
        setting,
        "tls = \"dane\" goes by the TLSA records of the target's own name".into(),
    ))
}

/// The records that bind us.
///
/// # Errors
/// In words: there are none, or none that can be believed and used.
pub(super) fn binding(answer: Result<Answer<Tlsa>, DnsFault>) -> Result<Vec<Tlsa>, String> {
    let answer = answer.map_err(|fault| format!("unknown: {fault}"))?;
    if answer.records.is_empty() {
        Err("there are none".into())
    } else if !answer.authenticated {
        Err("DNSSEC does not vouch for them".into())
    } else if !answer.records.iter().any(tlsa::is_usable) {
        Err("none of them can be used for mail".into())
    } else {
        Ok(answer.records)
    }
}

/// Takes a certificate that the records speak of.
#[derive(Debug)]
pub(super) struct Associated {
    pub(super) records: Vec<Tlsa>,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

impl Associated {
    const fn signatures(&self) -> AnyCertificate {
        AnyCertificate(self.algorithms)
    }
}

impl ServerCertVerifier for Associated {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain = [std::slice::from_ref(end_entity), intermediates].concat();
        match tlsa::associate(&self.records, &chain, server_name, now, self.algorithms.all) {
            Association::Matched => Ok(ServerCertVerified::assertion()),
            Association::Mismatched(why) => Err(Error::General(format!("its TLSA records: {why}"))),
            Association::Unusable => Err(Error::General("none of its TLSA records can be used".into())),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signatures()
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signatures()
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.signatures().supported_verify_schemes()
    }
}
