//! The certificate that a route shows: to whom, when it is renewed, and what stands in its way.

use super::*;
use crate::clock::SystemClock;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::path::{Path, PathBuf};
use tokio_rustls::TlsAcceptor;

/// A certificate authority of one's own, and what the gate and its server are given by it.
struct Town {
    authority: rcgen::CertifiedIssuer<'static, rcgen::KeyPair>,
    folder: tempfile::TempDir,
}

impl Town {
    fn new() -> Self {
        let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        authority
            .distinguished_name
            .push(rcgen::DnType::CommonName, "the town's authority");
        let key = rcgen::KeyPair::generate().unwrap();
        let town = Self {
            authority: rcgen::CertifiedIssuer::self_signed(authority, key).unwrap(),
            folder: tempfile::tempdir().unwrap(),
        };
        std::fs::write(town.path("ca.pem"), town.authority.pem()).unwrap();
        town
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A certificate for a name, and its key.
    fn certify(&self, name: &str) -> (rcgen::Certificate, rcgen::KeyPair) {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.authority).unwrap(), key)
    }

    /// Writes a new certificate for the gate and its key; the certificate as a server sees it.
    fn certify_gate(&self) -> Vec<u8> {
        let (certificate, key) = self.certify("gate.example");
        std::fs::write(self.path("gate.pem"), certificate.pem()).unwrap();
        std::fs::write(self.path("gate.key"), key.serialize_pem()).unwrap();
        certificate.der().to_vec()
    }

    /// A server that asks its clients for a certificate of this authority, and turns away those without
    /// one if it `demands` it.
    async fn sink(&self, demands: bool) -> Sink {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.der().clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let verifier = if demands {
            verifier
        } else {
            verifier.allow_unauthenticated()
        };
        let (certificate, key) = self.certify("mail.example");
        let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(chain, PrivateKeyDer::try_from(key.serialize_der()).unwrap())
            .unwrap();
        Sink::with(vec!["PIPELINING"], Some(TlsAcceptor::from(Arc::new(config)))).await
    }

    /// A route in this mode that shows the gate's certificate; one message a connection.
    fn settings(&self, sink: &Sink, tls: TlsMode) -> Settings {
        Settings {
            tls,
            tls_ca: Some(self.path("ca.pem")),
            tls_name: Some("mail.example".into()),
            tls_certificate: Some(self.path("gate.pem")),
            tls_key: Some(self.path("gate.key")),
            messages: 1,
            ..sink.settings()
        }
    }
}

#[tokio::test]
async fn it_is_shown_to_a_server_that_asks_in_every_mode_but_off() {
    let town = Town::new();
    let gate = town.certify_gate();
    for (mode, shown) in [
        (TlsMode::Off, vec![]),
        (TlsMode::Opportunistic, vec![Some(gate.clone())]),
        (TlsMode::Required, vec![Some(gate.clone())]),
        (TlsMode::Verified, vec![Some(gate.clone())]),
    ] {
        let sink = town.sink(false).await;
        let route = route_as(&town.settings(&sink, mode));
        assert_eq!(converse(&route, BODY).await, ("accepted", 250), "{mode:?}");
        assert_eq!(sink.shown(), shown, "{mode:?}");
    }
    // Not asked for, not shown: the usual server.
    let certified = rcgen::generate_simple_self_signed(["mail.example".to_owned()]).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certified.cert.der().clone()],
            PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap(),
        )
        .unwrap();
    let sink = Sink::with(vec![], Some(TlsAcceptor::from(Arc::new(config)))).await;
    let route = route_as(&town.settings(&sink, TlsMode::Required));
    assert_eq!(converse(&route, BODY).await, ("accepted", 250));
    assert_eq!(sink.shown(), [None]);
}

#[tokio::test]
async fn a_server_that_demands_one_takes_nothing_without() {
    let town = Town::new();
    let gate = town.certify_gate();
    let sink = town.sink(true).await;
    let settings = town.settings(&sink, TlsMode::Verified);
    let without = Settings {
        tls_certificate: None,
        tls_key: None,
        ..settings.clone()
    };
    assert_eq!(converse(&route_as(&without), BODY).await, ("mail", 451));
    assert!(sink.taken().is_empty());
    assert_eq!(converse(&route_as(&settings), BODY).await, ("accepted", 250));
    assert_eq!(sink.shown(), [Some(gate)]);
}

#[tokio::test]
async fn a_renewed_one_is_shown_from_the_next_connection_and_a_broken_one_never() {
    let town = Town::new();
    let first = town.certify_gate();
    let sink = town.sink(true).await;
    let upstreams = upstreams(&[town.settings(&sink, TlsMode::Verified)]);
    let route = upstreams.only_route().unwrap();
    assert_eq!(converse(&route, BODY).await, ("accepted", 250));
    let second = town.certify_gate();
    assert!(upstreams.reload_certificates(&SystemClock).is_empty());
    assert_eq!(converse(&route, BODY).await, ("accepted", 250));
    std::fs::write(town.path("gate.key"), "half a fi").unwrap();
    let faults = upstreams.reload_certificates(&SystemClock);
    assert!(
        matches!(faults.as_slice(), [fault] if fault.contains("route \"default\"") && fault.contains("gate.key")),
        "{faults:?}"
    );
    assert_eq!(converse(&route, BODY).await, ("accepted", 250));
    assert_eq!(sink.shown(), [Some(first), Some(second.clone()), Some(second)]);
}

#[test]
fn what_cannot_be_shown_is_told_with_its_setting_and_file() {
    let town = Town::new();
    town.certify_gate();
    std::fs::write(town.path("other.key"), town.certify("gate.example").1.serialize_pem()).unwrap();
    let told = |certificate: Option<&str>, key: Option<&str>, tls| {
        let path = |name: &str| -> PathBuf { Path::new(town.folder.path()).join(name) };
        let settings = Settings {
            target: Targets::One("smtp://mail.example".parse().unwrap()),
            tls,
            tls_certificate: certificate.map(path),
            tls_key: key.map(path),
            ..Settings::default()
        };
        Upstreams::new(&[settings], &parts()).err()
    };
    for tls in [TlsMode::Off, TlsMode::Opportunistic] {
        assert_eq!(told(Some("gate.pem"), Some("gate.key"), tls), None);
        for (certificate, key, setting, words) in [
            (Some("gate.pem"), None, "tls_certificate", "tls_key is not set"),
            (None, Some("gate.key"), "tls_key", "tls_certificate is not set"),
            (
                Some("gate.pem"),
                Some("other.key"),
                "tls_key",
                "other.key: is not the key of",
            ),
            (
                Some("gate.pem"),
                Some("gate.pem"),
                "tls_key",
                "gate.pem: holds no private key",
            ),
            (
                Some("gate.key"),
                Some("gate.key"),
                "tls_",
                "gate.key: holds no certificate",
            ),
            (
                Some("none.pem"),
                Some("gate.key"),
                "tls_certificate",
                "none.pem: No such file",
            ),
        ] {
            let told = told(certificate, key, tls).unwrap();
            assert!(
                told.starts_with(&format!("route \"default\": {setting}")) && told.contains(words),
                "{told}"
            );
        }
    }
}
