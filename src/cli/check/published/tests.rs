//! The whole comparison against a DNS server and a web server of one's own.

use super::super::cutover::tests::{Town, told};
use super::*;
use crate::resolver::name_server::{NameServer, Says, a, mx, tlsa, txt};
use crate::resolver::{Answer, DnsFault, Kind, Record, Server, Settings};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::RecordType;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use std::net::Ipv4Addr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

const POLICY: &str = "version: STSv1\nmode: enforce\nmx: mx.council.example\nmax_age: 604800\n";

/// A web server with a certificate for `host` that answers every request with these octets; its port.
async fn web_server(town: &Town, host: &str, answer: Vec<u8>) -> u16 {
    let (chain, key) = town.certify(host, 2100);
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                match stream.read_u8().await {
                    Ok(octet) => request.push(octet),
                    Err(_) => break,
                }
            }
            assert!(request.starts_with(b"GET /.well-known/mta-sts.txt HTTP/1.1\r\n"));
            let _ = stream.write_all(&answer).await;
            let _ = stream.shutdown().await;
        }
    });
    port
}

fn page(head: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn policy_page() -> Vec<u8> {
    page("200 OK\r\nContent-Type: text/plain; charset=utf-8", POLICY)
}

fn resolver(server: &NameServer) -> Arc<dyn Dns> {
    let settings = Settings {
        servers: vec![Server(server.address)],
        ..Settings::default()
    };
    Arc::new(StubResolver::new(&settings).unwrap())
}

/// A gate called mx.council.example with a certificate for that name.
fn published(town: &Town, web_port: u16) -> Published {
    Published {
        name: "mx.council.example".into(),
        domains: vec!["council.example".into()],
        own: vec!["0.0.0.0".parse().unwrap()],
        listeners: vec![town.shown("inbound", "mx.council.example", 2100)],
        authorities: Ok(town.roots()),
        web_authorities: town.roots(),
        web_port,
        total: Duration::from_secs(5),
        now: town.now(),
    }
}

fn council(server: &NameServer) -> &NameServer {
    let here = || vec![a(Ipv4Addr::LOCALHOST)];
    server
        .say(
            "council.example",
            RecordType::MX,
            Says::Records(vec![mx(10, "mx.council.example.")]),
        )
        .say("mx.council.example", RecordType::A, Says::Records(here()))
        .say("mta-sts.council.example", RecordType::A, Says::Records(here()))
        .say(
            "_mta-sts.council.example",
            RecordType::TXT,
            Says::Records(vec![txt(&["v=STSv1; id=1;"])]),
        )
}

#[tokio::test]
async fn a_domain_in_order_is_fine_throughout() {
    let town = Town::new();
    let port = web_server(&town, "mta-sts.council.example", policy_page()).await;
    let published = published(&town, port);
    let server = NameServer::start();
    let key = town.digest_of_key(&published.listeners[0]);
    council(&server).say(
        "_25._tcp.mx.council.example",
        RecordType::TLSA,
        Says::Vouched(vec![tlsa(3, 1, 1, &key)]),
    );
    assert_eq!(
        told(&published.lines(resolver(&server)).await),
        "Fine mx council.example: MX mx.council.example (here)\n\
         Fine certificate council.example: listener inbound's certificate names mx.council.example\n\
         Fine mta-sts council.example: mode enforce, max_age 604800 s: it covers mx.council.example and is met\n\
         Fine tlsa council.example: _25._tcp.mx.council.example speaks of listener inbound's certificate\n"
    );
}

#[tokio::test]
async fn a_policy_that_can_not_be_fetched_is_unknown_and_never_fine() {
    let town = Town::new();
    let text = "200 OK\r\nContent-Type: text/plain";
    let padded = |length: usize| format!("{POLICY}{}", "\n".repeat(length - POLICY.len()));
    let chunked = format!(
        "HTTP/1.1 {text}\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{POLICY}\r\n0\r\n\r\n",
        POLICY.len()
    );
    let endless = format!("HTTP/1.1 {text}\r\n\r\n{}", padded((64 << 10) + 1));
    for (host, answer, words) in [
        ("mta-sts.council.example", policy_page(), "is met"),
        ("mta-sts.council.example", chunked.into_bytes(), "is met"),
        ("mta-sts.council.example", page(text, &padded((64 << 10) - 1)), "is met"),
        ("mta-sts.council.example", page(text, &padded(64 << 10)), "is met"),
        (
            "mta-sts.council.example",
            page(text, &padded((64 << 10) + 1)),
            "more than 65536 bytes",
        ),
        ("mta-sts.council.example", endless.into_bytes(), "more than 65536 bytes"),
        (
            "mta-sts.council.example",
            page("301 Moved\r\nLocation: https://elsewhere.example/", ""),
            "answers 301",
        ),
        ("mta-sts.council.example", page("404 Not Found", "no"), "answers 404"),
        (
            "mta-sts.council.example",
            page("200 OK\r\nContent-Type: text/html", POLICY),
            "else than text/plain",
        ),
        (
            "mta-sts.council.example",
            page("200 OK", POLICY),
            "else than text/plain",
        ),
        ("mta-sts.council.example", b"SSH-2.0-x\r\n".to_vec(), "unknown: https"),
        ("mta-sts.council.example", Vec::new(), "unknown: https"),
        ("other.example", policy_page(), "gives no secure connection"),
    ] {
        let port = web_server(&town, host, answer).await;
        let server = NameServer::start();
        council(&server);
        let lines = published(&town, port).lines(resolver(&server)).await;
        let line = lines.iter().find(|line| line.check == "mta-sts").unwrap();
        assert!(line.message.contains(words), "{words}: {line:?}");
        let expected = if words == "is met" {
            Outcome::Fine
        } else {
            Outcome::Warning
        };
        assert_eq!(line.result, expected, "{line:?}");
    }
}

#[tokio::test]
async fn what_dns_does_not_tell_is_unknown_and_never_fine() {
    let town = Town::new();
    let server = NameServer::start();
    let fails = || Says::Error(ResponseCode::ServFail);
    council(&server)
        .say("_mta-sts.council.example", RecordType::TXT, fails())
        .say("mx.council.example", RecordType::A, fails())
        .say("_25._tcp.mx.council.example", RecordType::TLSA, fails())
        .say("parish.example", RecordType::MX, fails());
    let mut published = published(&town, 1);
    published.domains.push("parish.example".into());
    let lines = told(&published.lines(resolver(&server)).await);
    for words in [
        "Warning mx council.example: the addresses of mx.council.example are unknown",
        "Warning mta-sts council.example: unknown: DNS failed",
        "Warning tlsa council.example: _25._tcp.mx.council.example is unknown: DNS failed",
        "Warning mx parish.example: its MX are unknown: DNS failed",
    ] {
        assert!(lines.contains(words), "{words} in\n{lines}");
    }
}

/// Nobody answers: time is paused, and passes only when all wait.
#[tokio::test(start_paused = true)]
async fn without_a_network_it_ends_all_the_same() {
    let town = Town::new();
    let mut published = published(&town, 1);
    published.domains = (0..200).map(|number| format!("town{number}.example")).collect();
    let lines = published.lines(Arc::new(Nobody)).await;
    assert!(lines.iter().all(|line| line.result == Outcome::Warning), "{lines:?}");
    let unknown = lines
        .iter()
        .filter(|line| line.message.contains("did not answer in time"));
    assert_eq!(unknown.count(), 2 * 200, "MX and MTA-STS of each");
}

/// A DNS that never answers.
struct Nobody;

#[async_trait::async_trait]
impl Dns for Nobody {
    fn is_trusted(&self) -> bool {
        true
    }

    async fn ask(&self, _: &str, _: Kind) -> Result<Answer<Record>, DnsFault> {
        std::future::pending().await
    }
}
