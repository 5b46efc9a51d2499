//! A listener's certificate and key: read from PEM files, and read again without a restart.
//!
//! What can't be used never replaces what is used, and the fault says which file and what is wrong.
//! TLS 1.2 and 1.3 only. Knows nothing of connections.

use crate::clock::Clock;
use crate::telemetry::Telemetry;
use arc_swap::ArcSwap;
use jiff::Timestamp;
use rustls::ServerConfig;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
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
    config: ArcSwap<ServerConfig>,
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
        let (config, expiry) = read(chain, key)?;
        let certificate = Self {
            name: name.to_owned(),
            chain: chain.to_owned(),
            key: key.to_owned(),
            config: ArcSwap::from_pointee(config),
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
        let (config, expiry) = read(&self.chain, &self.key)?;
        self.config.store(Arc::new(config));
        self.report(expiry, clock.now());
        Ok(())
    }

    /// What a handshake needs, as of now.
    pub fn config(&self) -> Arc<ServerConfig> {
        self.config.load_full()
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

/// The configuration that the files make, and when the certificate expires.
fn read(chain: &Path, key: &Path) -> Result<(ServerConfig, Option<Timestamp>), CertificateFault> {
    let fault = |file: &Path, fault: String| CertificateFault {
        file: file.to_owned(),
        fault,
    };
    let chain_pem = read_file(chain).map_err(|why| fault(chain, why))?;
    let certificates = CertificateDer::pem_slice_iter(&chain_pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| fault(chain, format!("no valid PEM: {error}")))?;
    let expiry = match certificates.first() {
        Some(first) => not_after(first),
        None => return Err(fault(chain, "holds no certificate".to_owned())),
    };
    let key_pem = read_file(key).map_err(|why| fault(key, why))?;
    let private = PrivateKeyDer::from_pem_slice(&key_pem).map_err(|error| match error {
        PemError::NoItemsFound => fault(key, "holds no private key, or only an encrypted one".to_owned()),
        error => fault(key, format!("no valid PEM: {error}")),
    })?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(certificates, private))
        .map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                fault(key, format!("is not the key of the certificate in {}", chain.display()))
            }
            rustls::Error::InvalidCertificate(_) => fault(chain, format!("can't be used: {error}")),
            error => fault(key, format!("can't be used: {error}")),
        })?;
    Ok((config, expiry))
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

/// When a certificate expires: the second time in its validity (RFC 5280 §4.1).
fn not_after(certificate: &[u8]) -> Option<Timestamp> {
    const SEQUENCE: u8 = 0x30;
    const VERSION: u8 = 0xa0;
    let inside = |bytes| {
        element(bytes)
            .filter(|(tag, ..)| *tag == SEQUENCE)
            .map(|(_, inside, _)| inside)
    };
    let mut rest = inside(inside(certificate)?)?;
    if let Some((VERSION, _, after)) = element(rest) {
        rest = after;
    }
    // Serial number, signature algorithm and issuer stand before the validity.
    for _ in 0..3 {
        rest = element(rest)?.2;
    }
    let (_, _, after_not_before) = element(inside(rest)?)?;
    let (tag, text, _) = element(after_not_before)?;
    time(tag, std::str::from_utf8(text).ok()?)
}

/// A DER element: its tag, its content, and what follows it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = if *first < 0x80 {
        (usize::from(*first), rest)
    } else {
        let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f).min(4))?;
        let length = octets
            .iter()
            .fold(0_usize, |length, octet| (length << 8) | usize::from(*octet));
        (length, rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

/// UTCTime (tag 0x17, two-digit year) or GeneralizedTime (0x18) (RFC 5280 §4.1.2.5).
fn time(tag: u8, text: &str) -> Option<Timestamp> {
    let text = match tag {
        0x17 if text.get(..2)? < "50" => format!("20{text}"),
        0x17 => format!("19{text}"),
        0x18 => text.to_owned(),
        _ => return None,
    };
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i8>().ok();
    let year = text.get(..4)?.parse::<i16>().ok()?;
    let (month, day) = (number(4, 6)?, number(6, 8)?);
    let (hour, minute, second) = (number(8, 10)?, number(10, 12)?, number(12, 14)?);
    let moment = jiff::civil::DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
    Some(moment.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
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
    fn made(year: i32) -> (String, String) {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["gate.example".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    #[test]
    fn expiry_is_read_in_both_forms() {
        for (year, expected) in [(2030, "2030-01-01T00:00:00Z"), (2100, "2100-01-01T00:00:00Z")] {
            let (chain, _) = made(year);
            let certificate = CertificateDer::from_pem_slice(chain.as_bytes()).unwrap();
            assert_eq!(not_after(&certificate), Some(expected.parse().unwrap()));
            // Cut anywhere, it is no certificate, and no panic.
            for end in 0..certificate.len() {
                assert_eq!(not_after(&certificate[..end]), None);
            }
        }
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
        let good = certificate.config();
        let (_, other) = made(2100);
        std::fs::write(files.key(), other).unwrap();
        assert!(certificate.reload(&clock).is_err());
        assert!(Arc::ptr_eq(&good, &certificate.config()));
        let (chain, key) = made(2020);
        files.write(&chain, &key);
        // Expired is worth a warning, and still better than none.
        assert_eq!(certificate.reload(&clock), Ok(()));
        assert!(!Arc::ptr_eq(&good, &certificate.config()));
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
