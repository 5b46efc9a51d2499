//! A small certificate authority for each test, and the TLS settings that trust it.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The names that every server certificate here is for.
pub const SERVER_NAMES: [&str; 5] = [
    "localhost",
    "mail.council.example",
    "gate.council.example",
    "mta-sts.council.example",
    "127.0.0.1",
];

/// An authority and one server certificate that it signed.
pub struct Certificates {
    authority: CertifiedIssuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
    certificate_pem: String,
    key_pem: String,
}

impl Certificates {
    /// Makes them anew.
    pub fn new() -> Self {
        let mut authority = CertificateParams::new(Vec::new()).expect("no names to refuse");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // A name of its own: a verifier takes a certificate that has its issuer's name for self-signed.
        authority
            .distinguished_name
            .push(DnType::CommonName, "the authority of these tests");
        let authority =
            CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("a key")).expect("an authority");
        let key = KeyPair::generate().expect("a key");
        let names = SERVER_NAMES.map(str::to_owned);
        let server = CertificateParams::new(names)
            .expect("good names")
            .signed_by(&key, &authority)
            .expect("a signature");
        Self {
            certificate: server.der().clone(),
            key: key.serialize_der(),
            certificate_pem: server.pem(),
            key_pem: key.serialize_pem(),
            authority,
        }
    }

    /// Writes `authority.pem`, `certificate.pem` and `key.pem` into a folder; their paths in this order.
    pub fn write_to(&self, folder: &Path) -> [PathBuf; 3] {
        let files = [
            ("authority.pem", &self.authority.pem()),
            ("certificate.pem", &self.certificate_pem),
            ("key.pem", &self.key_pem),
        ];
        files.map(|(name, text)| {
            let path = folder.join(name);
            std::fs::write(&path, text).expect("a writable folder");
            path
        })
    }

    /// Writes `client.pem` and `client.key` into a folder, for a client of this name and good until the
    /// beginning of a year; their paths in this order.
    pub fn write_client_to(&self, folder: &Path, name: &str, year: i32) -> [PathBuf; 2] {
        let key = KeyPair::generate().expect("a key");
        let mut client = CertificateParams::new(vec![name.to_owned()]).expect("a good name");
        client.distinguished_name.push(DnType::CommonName, name);
        client.not_after = date_time_ymd(year, 1, 1);
        let client = client.signed_by(&key, &self.authority).expect("a signature");
        let files = [("client.pem", client.pem()), ("client.key", key.serialize_pem())];
        files.map(|(name, text)| {
            let path = folder.join(name);
            std::fs::write(&path, text).expect("a writable folder");
            path
        })
    }

    /// The data of a 3 0 1 TLSA record for the server certificate.
    pub fn digest(&self) -> Vec<u8> {
        let digest = ring::digest::digest(&ring::digest::SHA256, &self.certificate);
        digest.as_ref().to_vec()
    }

    /// What a client needs to trust the server certificate.
    pub fn client(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.der().clone()).expect("our own authority");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        Arc::new(
            config
                .expect("ring knows TLS")
                .with_root_certificates(roots)
                .with_no_client_auth(),
        )
    }

    /// What a server needs to show the certificate.
    pub fn server(&self) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.clone()));
        let config = config.expect("ring knows TLS").with_no_client_auth();
        Arc::new(
            config
                .with_single_cert(vec![self.certificate.clone()], key)
                .expect("a matching pair"),
        )
    }
}
