//! A certificate and its key: read from PEM files, and read again without a restart. Listeners show
//! theirs to clients, routes to upstream.
//!
//! What can't be used never replaces what is used, and the fault says which file and what is wrong.
//! Knows nothing of connections.

mod authorities;
mod expiry;
pub mod tlsa;

pub use authorities::authorities;

use crate::clock::Clock;
use crate::telemetry::Telemetry;
use arc_swap::ArcSwap;
use jiff::Timestamp;
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Largest PEM file: a long chain has some 20 KB.
const FILE_MAX: u64 = 1 << 20;

/// A certificate in use.
pub struct Certificate {
    name: String,
    chain: PathBuf,
    key: PathBuf,
    current: ArcSwap<CertifiedKey>,
    telemetry: Telemetry,
}

/// A certificate that can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFault {
    /// The file at fault.
    pub file: PathBuf,
    /// What is wrong with it.
    pub fault: String,
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.file.display(), self.fault)
    }
}

impl std::error::Error for CertificateFault {}

impl Certificate {
    /// Reads the files; `name` is what metrics call it.
    ///
    /// # Errors
    /// The file that can't be used, and why. One that has expired can be.
    pub fn load(
        name: &str,
        chain: &Path,
        key: &Path,
        telemetry: Telemetry,
        clock: &dyn Clock,
    ) -> Result<Self, CertificateFault> {
        let (current, expiry) = read(chain, key)?;
        let certificate = Self {
            name: name.to_owned(),
            chain: chain.to_owned(),
            key: key.to_owned(),
            current: ArcSwap::from_pointee(current),
            telemetry,
        };
        certificate.report(expiry, clock.now());
        Ok(certificate)
    }

    /// Reads the files again. Connections that are inside TLS already keep what they have.
    ///
    /// # Errors
    /// The file that can't be used, and why: the certificate in use stays.
    pub fn reload(&self, clock: &dyn Clock) -> Result<(), CertificateFault> {
        let (current, expiry) = read(&self.chain, &self.key)?;
        self.current.store(Arc::new(current));
        self.report(expiry, clock.now());
        Ok(())
    }

    /// The chain and key that a handshake shows now.
    pub fn current(&self) -> Arc<CertifiedKey> {
        self.current.load_full()
    }

    /// When what is in use expires, if it says so in a way that can be read.
    pub fn expiry(&self) -> Option<Timestamp> {
        self.current().cert.first().and_then(|own| expiry::not_after(own))
    }

    fn report(&self, expiry: Option<Timestamp>, now: Timestamp) {
        let Some(expiry) = expiry else { return };
        self.telemetry.certificate_expiry(&self.name, expiry.as_second());
        if expiry <= now {
            let text = format!("{}: the certificate expired on {expiry}", self.chain.display());
            self.telemetry.warning("certificate_expired", &text);
        }
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Certificate")
            .field("chain", &self.chain)
            .finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

impl ResolvesClientCert for Certificate {
    /// The one that there is, whatever authorities the server names: many name none, or not the one that they
    /// check by (RFC 8446 §4.2.4 makes them a hint).
    fn resolve(&self, _authorities: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// The chain and key that the files hold, and when the certificate expires.
fn read(chain: &Path, key: &Path) -> Result<(CertifiedKey, Option<Timestamp>), CertificateFault> {
    let fault = |file: &Path, fault: String| CertificateFault {
        file: file.to_owned(),
        fault,
    };
    let chain_pem = read_file(chain).map_err(|why| fault(chain, why))?;
    let certificates = CertificateDer::pem_slice_iter(&chain_pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| fault(chain, format!("no valid PEM: {error}")))?;
    let expiry = match certificates.first() {
        Some(first) => expiry::not_after(first),
        None => return Err(fault(chain, "holds no certificate".to_owned())),
    };
    let key_pem = read_file(key).map_err(|why| fault(key, why))?;
    let private = PrivateKeyDer::from_pem_slice(&key_pem).map_err(|error| match error {
        PemError::NoItemsFound => fault(key, "holds no private key, or only an encrypted one".to_owned()),
        error => fault(key, format!("no valid PEM: {error}")),
    })?;
    let provider = rustls::crypto::ring::default_provider();
    let certified = CertifiedKey::from_der(certificates, private, &provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            fault(key, format!("is not the key of the certificate in {}", chain.display()))
        }
        rustls::Error::InvalidCertificate(_) => fault(chain, format!("can't be used: {error}")),
        error => fault(key, format!("can't be used: {error}")),
    })?;
    Ok((certified, expiry))
}

fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(FILE_MAX + 1).read_to_end(&mut bytes))
        .map_err(|error| error.to_string())?;
    if bytes.len() as u64 > FILE_MAX {
        return Err(format!("is larger than {FILE_MAX} bytes"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::FixedClock;

    struct Files {
        folder: tempfile::TempDir,
    }

    impl Files {
        fn new() -> Self {
            let files = Self {
                folder: tempfile::tempdir().unwrap(),
            };
            let (chain, key) = made(2100);
            files.write(&chain, &key);
            files
        }

        fn write(&self, chain: &str, key: &str) {
            std::fs::write(self.chain(), chain).unwrap();
            std::fs::write(self.key(), key).unwrap();
        }

        fn chain(&self) -> PathBuf {
            self.folder.path().join("chain.pem")
        }

        fn key(&self) -> PathBuf {
            self.folder.path().join("key.pem")
        }

        fn load(&self) -> Result<Certificate, CertificateFault> {
            let clock = FixedClock("2026-01-01T00:00:00Z".parse().unwrap());
            Certificate::load("inbound", &self.chain(), &self.key(), Telemetry::default(), &clock)
        }
    }

    /// A certificate that expires at the beginning of a year, and its key.
    pub(super) fn made(year: i32) -> (String, String) {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["gate.example".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    #[test]
    fn each_fault_names_its_file() {
        let (chain, key) = made(2100);
        let (_, other) = made(2100);
        for (chain, key, file, words) in [
            ("", key.as_str(), "chain.pem", "no certificate"),
            ("-----BEGIN CERTIFICATE-----\n!", &key, "chain.pem", "no valid PEM"),
            (key.as_str(), &key, "chain.pem", "no certificate"),
            (chain.as_str(), "", "key.pem", "no private key"),
            (chain.as_str(), &chain, "key.pem", "no private key"),
            (chain.as_str(), &other, "key.pem", "is not the key of the certificate"),
        ] {
            let files = Files::new();
            files.write(chain, key);
            let fault = files.load().unwrap_err();
            assert!(fault.file.ends_with(file) && fault.fault.contains(words), "{fault}");
        }
        let files = Files::new();
        std::fs::remove_file(files.key()).unwrap();
        assert!(files.load().unwrap_err().file.ends_with("key.pem"));
    }

    #[test]
    fn a_broken_reload_keeps_the_last_good() {
        let files = Files::new();
        let certificate = files.load().unwrap();
        let clock = FixedClock("2026-01-01T00:00:00Z".parse().unwrap());
        let good = certificate.current();
        let (_, other) = made(2100);
        std::fs::write(files.key(), other).unwrap();
        assert!(certificate.reload(&clock).is_err());
        assert!(Arc::ptr_eq(&good, &certificate.current()));
        let (chain, key) = made(2020);
        files.write(&chain, &key);
        // Expired is worth a warning, and still better than none.
        assert_eq!(certificate.reload(&clock), Ok(()));
        assert!(!Arc::ptr_eq(&good, &certificate.current()));
    }

    #[test]
    fn a_file_beyond_the_limit_is_not_read() {
        let files = Files::new();
        let (chain, key) = made(2100);
        let padded = |length: usize| format!("{chain}{}", "\n".repeat(length - chain.len()));
        let limit = usize::try_from(FILE_MAX).unwrap();
        for (length, fine) in [(limit - 1, true), (limit, true), (limit + 1, false)] {
            files.write(&padded(length), &key);
            assert_eq!(files.load().is_ok(), fine);
        }
    }
}
