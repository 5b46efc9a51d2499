//! `tls = "dane"`: sent to a server that validated records speak of, and to no other.

use super::*;
use crate::resolver::{Answer, Dns, DnsFault, Kind, Record, Tlsa};
use ring::digest;
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::sync::Mutex;
use tokio_rustls::TlsAcceptor;

/// Answers TLSA alone, always the same, and remembers what it was asked.
struct Records {
    answer: Result<Answer<Tlsa>, DnsFault>,
    trusted: bool,
    asked: Mutex<Vec<String>>,
}

#[async_trait::async_trait]
impl Dns for Records {
    fn is_trusted(&self) -> bool {
        self.trusted
    }

    async fn ask(&self, name: &str, kind: Kind) -> Result<Answer<Record>, DnsFault> {
        if kind != Kind::Tlsa {
            return Err(DnsFault::Refused);
        }
        self.asked.lock().unwrap().push(name.to_owned());
        let answer = self.answer.clone()?;
        Ok(Answer {
            authenticated: answer.authenticated,
            ..Answer::of(answer.records.into_iter().map(Record::Tlsa).collect())
        })
    }
}

/// A server with a certificate for a name, expired or not, from an authority that it sends along.
struct Bound {
    sink: Sink,
    own: Vec<u8>,
    authority: Vec<u8>,
}

impl Bound {
    async fn start(name: &str, expires: i32) -> Self {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, "an authority");
        let authority = rcgen::CertifiedIssuer::self_signed(params, rcgen::KeyPair::generate().unwrap()).unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(expires, 1, 1);
        let own = params.signed_by(&key, &authority).unwrap();
        let chain: Vec<CertificateDer<'static>> = vec![own.der().clone(), authority.der().clone()];
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, PrivateKeyDer::try_from(key.serialize_der()).unwrap())
            .unwrap();
        Self {
            sink: Sink::with(vec!["PIPELINING"], Some(TlsAcceptor::from(Arc::new(config)))).await,
            own: own.der().to_vec(),
            authority: authority.der().to_vec(),
        }
    }

    async fn usual() -> Self {
        Self::start("localhost", 2100).await
    }

    fn settings(&self, host: &str) -> Settings {
        let target: TargetUrl = format!("smtp://{host}:{}", self.sink.port).parse().unwrap();
        Settings {
            target: Targets::One(target),
            tls: TlsMode::Dane,
            ..Settings::default()
        }
    }

    /// How a message fares when DNS says this, and what DNS was asked.
    async fn converse(&self, answer: Result<Answer<Tlsa>, DnsFault>) -> ((&'static str, u16), Vec<String>) {
        let dns = Arc::new(Records {
            answer,
            trusted: true,
            asked: Mutex::default(),
        });
        let asking = Parts {
            dns: Ok(Arc::clone(&dns) as _),
            ..parts()
        };
        let upstreams = Upstreams::new(&[self.settings("localhost")], &asking).unwrap();
        let outcome = converse(&upstreams.only_route().unwrap(), BODY).await;
        let asked = dns.asked.lock().unwrap().clone();
        (outcome, asked)
    }

    /// The same, where the answer is one record that is validated.
    async fn with(&self, record: Tlsa) -> (&'static str, u16) {
        self.converse(validated(vec![record])).await.0
    }
}

fn validated(records: Vec<Tlsa>) -> Result<Answer<Tlsa>, DnsFault> {
    Ok(Answer {
        authenticated: true,
        ..Answer::of(records)
    })
}

/// A record with the SHA-256 of a whole certificate.
fn record(usage: u8, certificate: &[u8]) -> Tlsa {
    Tlsa {
        usage,
        selector: 0,
        matching: 1,
        data: digest::digest(&digest::SHA256, certificate).as_ref().to_vec(),
    }
}

const SENT: (&str, u16) = ("accepted", 250);
const WAITS: (&str, u16) = ("mail", 451);

#[tokio::test]
async fn a_server_that_a_record_speaks_of_is_sent_to() {
    let server = Bound::usual().await;
    let (outcome, asked) = server.converse(validated(vec![record(3, &server.own)])).await;
    assert_eq!(outcome, SENT);
    assert_eq!(asked, [format!("_{}._tcp.localhost", server.sink.port)]);
    assert_eq!(server.with(record(2, &server.authority)).await, SENT);
    let both = vec![record(3, b"the next certificate"), record(3, &server.own)];
    assert_eq!(server.converse(validated(both)).await.0, SENT);
    assert!(server.sink.taken().iter().all(|taken| taken.is_encrypted));
}

#[tokio::test]
async fn name_and_expiry_count_for_an_authority_and_not_for_the_servers_own() {
    for (name, expires, by_authority) in [
        ("localhost", 2100, SENT),
        ("another.example", 2100, WAITS),
        ("localhost", 2020, WAITS),
    ] {
        let server = Bound::start(name, expires).await;
        assert_eq!(server.with(record(3, &server.own)).await, SENT, "{name} {expires}");
        assert_eq!(
            server.with(record(2, &server.authority)).await,
            by_authority,
            "{name} {expires}"
        );
    }
}

#[tokio::test]
async fn another_certificate_than_the_records_speak_of_is_sent_nothing() {
    let server = Bound::usual().await;
    for record in [
        record(3, b"another"),
        record(3, &server.authority),
        record(2, &server.own),
    ] {
        assert_eq!(server.with(record).await, WAITS);
    }
    assert!(server.sink.taken().is_empty());
    assert!(!server.sink.heard().iter().any(|line| line.starts_with("MAIL")));
}

#[tokio::test]
async fn without_records_that_can_be_believed_and_used_nobody_is_even_greeted() {
    let server = Bound::usual().await;
    let good = || record(3, &server.own);
    for answer in [
        validated(vec![]),
        Ok(Answer::of(vec![])),
        Ok(Answer::of(vec![good()])),
        validated(vec![Tlsa { usage: 1, ..good() }]),
        Err(DnsFault::Failed),
        Err(DnsFault::TimedOut),
    ] {
        assert_eq!(server.converse(answer.clone()).await.0, WAITS, "{answer:?}");
    }
    assert_eq!(server.sink.connections(), 0);
}

#[tokio::test]
async fn a_stripped_starttls_is_sent_nothing() {
    let server = Bound::usual().await;
    server.sink.at("STARTTLS", "", Act::Say("454 4.7.0 not now\r\n"));
    assert_eq!(server.with(record(3, &server.own)).await, WAITS);
    let plain = Bound {
        sink: Sink::start().await,
        ..Bound::usual().await
    };
    assert_eq!(plain.with(record(3, &plain.own)).await, WAITS);
    assert!(plain.sink.taken().is_empty());
}

#[tokio::test]
async fn what_dane_can_not_do_is_told_at_the_start() {
    let server = Bound::usual().await;
    let dns = |trusted| -> Result<Arc<dyn Dns>, String> {
        Ok(Arc::new(Records {
            answer: validated(vec![]),
            trusted,
            asked: Mutex::default(),
        }))
    };
    let settings = |host| server.settings(host);
    let named = Settings {
        tls_name: Some("mail.example".into()),
        ..settings("localhost")
    };
    let rooted = Settings {
        tls_ca: Some("ca.pem".into()),
        ..settings("localhost")
    };
    for (settings, dns, words) in [
        (settings("localhost"), dns(true), None),
        (settings("localhost"), dns(false), Some("trusted = true")),
        (settings("localhost"), Err("no server".into()), Some("no server")),
        (settings("127.0.0.1"), dns(true), Some("127.0.0.1 is an address")),
        (settings("[::1]"), dns(true), Some("::1 is an address")),
        (named, dns(true), Some("tls_name")),
        (rooted, dns(true), Some("tls_ca")),
    ] {
        let told = Upstreams::new(&[settings], &Parts { dns, ..parts() }).err();
        assert_eq!(told.is_some(), words.is_some(), "{told:?}");
        let told = told.unwrap_or_default();
        assert!(told.contains(words.unwrap_or_default()), "{told}");
    }
}
