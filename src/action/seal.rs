//! Our own ARC seal (RFC 8617 §5.1): what we found of a message, signed, for servers behind us that can't find it again.
//!
//! A key, a message and what was found in; three header fields out. The chain that the message came with is continued as
//! it was found, whole or broken; one that says itself that it is broken ends there. Asks nobody, and knows nothing of
//! who believes us.

use jiff::Timestamp;
use mail_auth::AuthenticatedMessage;
use mail_auth::arc::ChainValidation;
use mail_auth::common::crypto::{Algorithm, DkimKey, Ed25519Key, HashAlgorithm, RsaKey, Sha256, SigningKey};
use mail_auth::dkim::Canonicalization;
use mail_builder::encoders::base64::base64_encode;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use std::fmt;

/// Fields that a seal covers, each instance: what a reader sees and what others signed. Not those that we or servers
/// behind us add or take away.
const SEALED: [&str; 17] = [
    "from",
    "sender",
    "reply-to",
    "to",
    "cc",
    "subject",
    "date",
    "message-id",
    "in-reply-to",
    "references",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
    "list-id",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "dkim-signature",
];
/// Those of which nobody may add another: they are named once more than they are there (RFC 6376 §5.4.2).
const SINGLE: [&str; 5] = ["from", "to", "subject", "date", "content-type"];
/// Instances of fields that a seal names.
const NAMES_MAX: usize = 100;
/// Links of a chain (§4.2.1).
const LINKS_MAX: usize = 50;
/// Characters of a line of base64.
const LINE: usize = 72;

/// Who seals.
pub struct Sealer {
    domain: String,
    selector: String,
    key: DkimKey,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Sealer({})", self.key_name())
    }
}

impl Sealer {
    /// Reads the key: RSA or Ed25519, in PEM.
    ///
    /// # Errors
    /// Why it can't be used.
    pub fn new(domain: &str, selector: &str, pem: &[u8]) -> Result<Self, String> {
        let der = PrivateKeyDer::from_pem_slice(pem).map_err(|error| format!("no private key in PEM: {error}"))?;
        let ed25519 = match &der {
            PrivateKeyDer::Pkcs8(der) => Ed25519Key::from_pkcs8_maybe_unchecked_der(der.secret_pkcs8_der()).ok(),
            _ => None,
        };
        let key = match ed25519 {
            Some(key) => DkimKey::Ed25519(key),
            None => {
                let key = RsaKey::<Sha256>::from_key_der(der);
                DkimKey::Rsa(key.map_err(|_| "neither an RSA key of 2048 bits or more nor an Ed25519 key".to_owned())?)
            }
        };
        Ok(Self {
            domain: domain.to_ascii_lowercase(),
            selector: selector.to_ascii_lowercase(),
            key,
        })
    }

    /// The name in DNS under which its public key has to stand.
    pub fn key_name(&self) -> String {
        format!("{}._domainkey.{}", self.selector, self.domain)
    }

    /// The fields to stand before the message, CRLF-ended. `chain` is what was found of the chain that it came with,
    /// `results` all that was found, after our name. `None` where no seal can stand: the chain ends, or could not be
    /// checked.
    pub fn seal(&self, message: &[u8], chain: &str, results: &str, now: Timestamp) -> Option<String> {
        let read = AuthenticatedMessage::parse_with_opts(message, None, true)?;
        let links = read.as_headers.len();
        let is_whole = !read.has_arc_errors && read.ams_headers.len() == links && read.aar_headers.len() == links;
        let has_ended = read
            .as_headers
            .last()
            .is_some_and(|seal| seal.header.cv == ChainValidation::Fail);
        let fits = matches!((chain, links), ("none", 0) | ("pass" | "fail", 1..LINKS_MAX));
        if !is_whole || has_ended || !fits {
            return None;
        }
        let (link, time) = (links + 1, now.as_second());
        let who = format!(
            "a={}; d={}; s={}; t={time}",
            self.algorithm(),
            self.domain,
            self.selector
        );

        let found = format!(" i={link}; {results}\r\n");
        let names = names(&read);
        let body = HashAlgorithm::Sha256.hash(Canonicalization::Relaxed.canonical_body(read.raw_body(), 0));
        let unsigned = format!(
            " i={link}; {who};\r\n\tc=relaxed/relaxed; h={};\r\n\tbh={};\r\n\tb=",
            names.join(":\r\n\t "),
            base64(body.as_ref())?
        );
        let mut covered = Vec::new();
        let fields = read.signed_headers(&names, SIGNATURE, unsigned.as_bytes());
        Canonicalization::Relaxed.canonicalize_headers(fields, &mut covered);
        let signature = format!("{unsigned}{}\r\n", folded(&self.sign(&covered)?));

        let unsigned = format!(" i={link}; {who}; cv={chain};\r\n\tb=");
        // A seal over a broken chain covers itself alone (§5.1.2).
        let before = if chain == "fail" { 0 } else { links };
        let older = read
            .aar_headers
            .iter()
            .zip(&read.ams_headers)
            .zip(&read.as_headers)
            .take(before);
        let older = older.flat_map(|((found, signature), seal)| {
            [
                (found.name, found.value),
                (signature.name, signature.value),
                (seal.name, seal.value),
            ]
        });
        let own = [
            (FOUND, found.as_bytes()),
            (SIGNATURE, signature.as_bytes()),
            (SEAL, unsigned.as_bytes()),
        ];
        let mut covered = Vec::new();
        Canonicalization::Relaxed.canonicalize_headers(older.chain(own), &mut covered);
        let seal = format!("{unsigned}{}\r\n", folded(&self.sign(&covered)?));
        let fields = [(SEAL, seal), (SIGNATURE, signature), (FOUND, found)];
        let lines = fields.map(|(name, value)| format!("{}:{value}", String::from_utf8_lossy(name)));
        Some(lines.concat())
    }

    fn algorithm(&self) -> &'static str {
        match self.key.algorithm() {
            Algorithm::Ed25519Sha256 => "ed25519-sha256",
            Algorithm::RsaSha256 | Algorithm::RsaSha1 => "rsa-sha256",
        }
    }

    fn sign(&self, covered: &[u8]) -> Option<String> {
        base64(&self.key.sign(covered).ok()?)
    }
}

const FOUND: &[u8] = b"ARC-Authentication-Results";
const SIGNATURE: &[u8] = b"ARC-Message-Signature";
const SEAL: &[u8] = b"ARC-Seal";

/// The names of the fields to cover, each as often as there are instances.
fn names(message: &AuthenticatedMessage<'_>) -> Vec<String> {
    let instances = message.headers.iter().filter_map(|(name, _)| {
        let name = name.trim_ascii_end();
        SEALED
            .iter()
            .find(|sealed| name.eq_ignore_ascii_case(sealed.as_bytes()))
    });
    let instances = instances.take(NAMES_MAX).chain(&SINGLE);
    instances.map(|&name| name.to_owned()).collect()
}

fn base64(bytes: &[u8]) -> Option<String> {
    String::from_utf8(base64_encode(bytes).ok()?).ok()
}

fn folded(base64: &str) -> String {
    let lines: Vec<&str> = base64
        .as_bytes()
        .chunks(LINE)
        .filter_map(|line| std::str::from_utf8(line).ok())
        .collect();
    lines.join("\r\n\t ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::chain_of;
    use crate::resolver::zone::Zone;

    const MESSAGE: &str = "DKIM-Signature: v=1; a=x\r\nFrom: ann@a.example\r\nTo: bob@council.example\r\nSubject: hello\r\n\
                           DKIM-Signature: v=1; a=y\r\n\r\nSome text.  \r\n\r\n\r\n";
    const NOW: &str = "2026-11-23T09:00:00Z";

    fn sealer(name: &str, algorithm: &'static rcgen::SignatureAlgorithm) -> (Sealer, String) {
        let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
        let sealer = Sealer::new(name, "s", key.serialize_pem().as_bytes()).unwrap();
        let public = base64(key.public_key_raw()).unwrap();
        (
            sealer,
            format!("s._domainkey.{name} TXT v=DKIM1; k=ed25519; p={public}\n"),
        )
    }

    fn seal(sealer: &Sealer, message: &str, chain: &str) -> Option<String> {
        let results = "mx.council.example;\r\n spf=pass\r\n  smtp.mailfrom=a.example";
        let fields = sealer.seal(message.as_bytes(), chain, results, NOW.parse().unwrap())?;
        Some(format!("{fields}{message}"))
    }

    #[tokio::test]
    async fn a_seal_holds_until_the_message_is_changed_and_continues_a_chain() {
        let (first, first_zone) = sealer("first.example", &rcgen::PKCS_ED25519);
        let (second, second_zone) = sealer("second.example", &rcgen::PKCS_ED25519);
        let zone = Zone::of(&format!("{first_zone}{second_zone}"));
        let one = seal(&first, MESSAGE, "none").unwrap();
        assert_eq!(
            chain_of(&one, &zone).await,
            ("pass".to_owned(), vec!["first.example".to_owned()])
        );
        let two = seal(&second, &one, "pass").unwrap();
        let sealers = vec!["second.example".to_owned(), "first.example".to_owned()];
        assert_eq!(chain_of(&two, &zone).await, ("pass".to_owned(), sealers));
        for changed in [
            two.replace("Some", "Any"),
            two.replace("hello", "hullo"),
            two.replace("a=x", "a=z"),
            two.replacen("spf=pass", "spf=fail", 1),
            format!("Subject: another\r\n{two}"),
        ] {
            assert_eq!(chain_of(&changed, &zone).await.0, "fail", "{changed}");
        }
        // What servers behind us add breaks nothing.
        let delivered = format!("Received: from a by b\r\nX-Spam-Flag: YES\r\n{two}");
        assert_eq!(chain_of(&delivered, &zone).await.0, "pass");
        let lines = two.split("\r\n").map(str::len).max();
        assert!(lines <= Some(100), "{lines:?}");
    }

    /// Not everybody knows Ed25519.
    #[tokio::test]
    async fn an_rsa_key_seals_too() {
        let sealer = Sealer::new("council.example", "s", include_bytes!("seal/test-only.pem")).unwrap();
        let public = include_str!("seal/test-only.pub").trim();
        let zone = Zone::of(&format!("s._domainkey.council.example TXT v=DKIM1; k=rsa; p={public}"));
        let sealed = seal(&sealer, MESSAGE, "none").unwrap();
        assert_eq!(chain_of(&sealed, &zone).await.0, "pass");
        assert_eq!(chain_of(&sealed.replace("Some", "Any"), &zone).await.0, "fail");
    }

    #[test]
    fn a_chain_that_ended_or_is_not_known_is_not_continued() {
        let (sealer, _) = sealer("first.example", &rcgen::PKCS_ED25519);
        let one = seal(&sealer, MESSAGE, "none").unwrap();
        assert!(seal(&sealer, MESSAGE, "pass").is_none());
        assert!(seal(&sealer, MESSAGE, "temperror").is_none());
        assert!(seal(&sealer, &one, "none").is_none());
        assert!(seal(&sealer, &one, "temperror").is_none());
        let broken = seal(&sealer, &one, "fail").unwrap();
        assert!(broken.contains("cv=fail"));
        assert!(seal(&sealer, &broken, "fail").is_none());
        assert!(seal(&sealer, &one.replacen("ARC-Seal", "X-Seal", 1), "fail").is_none());
        assert!(seal(&sealer, "", "none").is_none());
    }

    #[test]
    fn keys_that_are_no_use_are_refused() {
        let elliptic = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)
            .unwrap()
            .serialize_pem();
        for pem in ["", "no key", &elliptic] {
            assert!(Sealer::new("a.example", "s", pem.as_bytes()).is_err());
        }
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519)
            .unwrap()
            .serialize_pem();
        let sealer = Sealer::new("a.example", "s", key.as_bytes()).unwrap();
        assert_eq!(format!("{sealer:?}"), "Sealer(s._domainkey.a.example)");
    }
}
