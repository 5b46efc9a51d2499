//! Listeners on real sockets, with real TLS.

use super::*;
use crate::clock::SystemClock;
use crate::mail::{Client, Recipient};
use crate::smtp::{Body, MailCommand, Offer, Reply};
use crate::units::Span;
use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use std::path::Path;
use std::sync::Mutex;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Accepts everything, and remembers who said hello and what came.
#[derive(Debug, Clone, Default)]
struct Everything(Arc<Mutex<Vec<String>>>);

impl Reception for Everything {
    type Desk = Self;

    fn desk(&self, connection: &ConnectionInfo) -> Self {
        if !connection.address.ip().is_loopback() {
            let front = if connection.trusted { ", a front" } else { "" };
            self.0
                .lock()
                .unwrap()
                .push(format!("from {}{front}", connection.address));
        }
        self.clone()
    }
}

impl Desk for Everything {
    fn offer(&self) -> Offer {
        Offer {
            size: 1_000_000,
            smtputf8: false,
            dsn: false,
        }
    }

    async fn hello(&mut self, client: &Client) {
        let tls = client.tls.as_deref().unwrap_or("clear");
        self.0.lock().unwrap().push(format!("{} {tls}", client.helo));
    }

    async fn mail(&mut self, _mail: MailCommand) -> Reply {
        Reply::new(250, "2.1.0", "OK")
    }

    async fn rcpt(&mut self, recipient: Recipient) -> Reply {
        assert!(recipient.address.local_part() != "panic", "the desk was told to");
        Reply::new(250, "2.1.5", "OK")
    }

    async fn slow(&mut self) {}

    async fn message(&mut self, body: Body) -> Reply {
        self.0.lock().unwrap().push(body.bytes.escape_ascii().to_string());
        Reply::new(250, "2.0.0", "OK")
    }

    async fn reset(&mut self) {}
}

struct House {
    premises: Arc<Premises>,
    reception: Everything,
    address: SocketAddr,
    certificate: Option<Arc<Certificate>>,
    running: JoinHandle<()>,
    folder: tempfile::TempDir,
}

/// Writes a new certificate for `gate.example` and its key.
fn certify(folder: &Path) {
    let made = rcgen::generate_simple_self_signed(vec!["gate.example".to_owned()]).unwrap();
    std::fs::write(folder.join("chain.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
}

impl House {
    async fn open(settings: Settings, limits: Limits) -> Self {
        let deadlines = Deadlines {
            drain: Span(Duration::from_secs(1)),
            ..Deadlines::default()
        };
        let premises = Arc::new(Premises::new("gate.example", limits, deadlines, Telemetry::default()));
        let (reception, folder) = (Everything::default(), tempfile::tempdir().unwrap());
        certify(folder.path());
        let settings = Settings {
            address: "127.0.0.1:0".parse().unwrap(),
            certificate: Some(folder.path().join("chain.pem")),
            key: Some(folder.path().join("key.pem")),
            ..settings
        };
        let shared = (Arc::clone(&premises), Arc::new(reception.clone()));
        let listener = Listener::bind(settings, shared.0, shared.1, &SystemClock)
            .await
            .unwrap();
        Self {
            premises,
            reception,
            address: listener.address(),
            certificate: listener.certificate(),
            running: tokio::spawn(listener.run()),
            folder,
        }
    }

    async fn with(tls: Tls) -> Self {
        let settings = Settings {
            tls,
            ..Settings::default()
        };
        Self::open(settings, Limits::default()).await
    }

    async fn connect(&self) -> BufStream<TcpStream> {
        BufStream::new(TcpStream::connect(self.address).await.unwrap())
    }

    /// A handshake that believes only the certificate in the folder.
    async fn secure(&self, stream: TcpStream) -> io::Result<BufStream<TlsStream<TcpStream>>> {
        let pem = std::fs::read(self.folder.path().join("chain.pem")).unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(&pem).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("gate.example").unwrap();
        let secured = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        Ok(BufStream::new(secured))
    }

    fn notes(&self) -> Vec<String> {
        self.reception.0.lock().unwrap().drain(..).collect()
    }
}

/// Says something and reads one reply's last line; `closed` at the end.
async fn say<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufStream<S>, text: &str) -> String {
    let _ = stream.write_all(text.as_bytes()).await;
    let _ = stream.flush().await;
    loop {
        let mut line = String::new();
        match stream.read_line(&mut line).await {
            Ok(1..) if line.as_bytes().get(3) == Some(&b'-') => {}
            Ok(1..) => return line.trim_end().to_owned(),
            Ok(0) | Err(_) => return "closed".to_owned(),
        }
    }
}

async fn expect<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufStream<S>, text: &str, reply: &str) {
    let said = say(stream, text).await;
    assert!(said.starts_with(reply), "{text:?}: {said}");
}

async fn deliver<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufStream<S>, body: &str) {
    expect(stream, "EHLO client.example\r\n", "250").await;
    expect(stream, "MAIL FROM:<>\r\n", "250").await;
    expect(stream, "RCPT TO:<a@example.org>\r\n", "250").await;
    expect(stream, "DATA\r\n", "354").await;
    expect(stream, &format!("{body}\r\n.\r\n"), "250").await;
}

#[tokio::test]
async fn mail_comes_in_before_and_after_starttls() {
    let house = House::with(Tls::StartTls).await;
    let mut stream = house.connect().await;
    expect(&mut stream, "", "220 gate.example").await;
    deliver(&mut stream, "one").await;
    expect(&mut stream, "STARTTLS\r\n", "220").await;
    let mut stream = house.secure(stream.into_inner()).await.unwrap();
    expect(&mut stream, "MAIL FROM:<>\r\n", "503").await;
    deliver(&mut stream, "two").await;
    expect(&mut stream, "STARTTLS\r\n", "503").await;
    expect(&mut stream, "QUIT\r\n", "221").await;
    let notes = house.notes();
    assert_eq!(
        (notes[0].as_str(), notes[1].as_str()),
        ("client.example clear", "one\\r\\n")
    );
    assert!(notes[2].starts_with("client.example TLSv1.3 TLS13_"), "{}", notes[2]);
    assert_eq!(notes[3], "two\\r\\n");
}

#[tokio::test]
async fn tls_may_come_before_the_greeting() {
    let house = House::with(Tls::Implicit).await;
    let stream = house.connect().await.into_inner();
    let mut stream = house.secure(stream).await.unwrap();
    expect(&mut stream, "", "220").await;
    assert!(!say(&mut stream, "EHLO a\r\n").await.contains("STARTTLS"));
    expect(&mut stream, "STARTTLS\r\n", "503").await;
    deliver(&mut stream, "one").await;
}

/// CVE-2011-0411: what comes with STARTTLS in one segment is never read inside TLS.
#[tokio::test]
async fn commands_injected_before_tls_close_the_connection() {
    let house = House::with(Tls::StartTls).await;
    let mut stream = house.connect().await;
    expect(&mut stream, "", "220").await;
    expect(&mut stream, "EHLO a\r\n", "250").await;
    expect(&mut stream, "STARTTLS\r\nEHLO injected\r\n", "503").await;
    expect(&mut stream, "", "closed").await;

    // Too late to be seen before the 220, it is the handshake that fails.
    let mut stream = house.connect().await;
    expect(&mut stream, "", "220").await;
    expect(&mut stream, "EHLO a\r\n", "250").await;
    expect(&mut stream, "STARTTLS\r\n", "220").await;
    let mut stream = stream.into_inner();
    stream.write_all(b"EHLO injected\r\n").await.unwrap();
    let secured = house.secure(stream).await;
    assert!(secured.is_err());
    assert_eq!(house.notes(), ["a clear", "a clear"]);
}

#[tokio::test]
async fn a_new_certificate_is_used_from_the_next_connection() {
    let house = House::with(Tls::Implicit).await;
    let certificate = house.certificate.clone().unwrap();
    let mut before = house.secure(house.connect().await.into_inner()).await.unwrap();
    expect(&mut before, "", "220").await;
    certify(house.folder.path());
    assert!(house.secure(house.connect().await.into_inner()).await.is_err());
    certificate.reload(&SystemClock).unwrap();
    assert!(house.secure(house.connect().await.into_inner()).await.is_ok());
    expect(&mut before, "NOOP\r\n", "250").await;
}

#[tokio::test]
async fn connections_have_their_limits_and_places_come_back() {
    let limits = Limits {
        connections_per_client: 2,
        ..Limits::default()
    };
    let house = House::open(Settings::default(), limits.clone()).await;
    let (mut one, mut two) = (house.connect().await, house.connect().await);
    expect(&mut one, "", "220").await;
    expect(&mut two, "", "220").await;
    expect(&mut house.connect().await, "", "421 4.7.0").await;
    expect(&mut one, "QUIT\r\n", "221").await;
    expect(&mut one, "", "closed").await;
    while house.premises.open() > 1 {
        tokio::task::yield_now().await;
    }
    expect(&mut house.connect().await, "", "220").await;

    // New limits hold for new connections.
    house.premises.reload(
        "other.example",
        Limits {
            connections: 1,
            ..limits
        },
        Deadlines::default(),
    );
    expect(&mut house.connect().await, "", "421 4.7.0").await;
    drop(two);
    while house.premises.open() > 0 {
        tokio::task::yield_now().await;
    }
    expect(&mut house.connect().await, "", "220 other.example").await;
}

#[tokio::test]
async fn an_outbound_listener_serves_only_its_networks() {
    for (network, reply) in [("192.0.2.0/24", "554 5.7.1"), ("127.0.0.0/8", "220")] {
        let settings = Settings {
            direction: Direction::Outbound,
            client_networks: vec![network.parse().unwrap()],
            ..Settings::default()
        };
        let house = House::open(settings, Limits::default()).await;
        expect(&mut house.connect().await, "", reply).await;
    }
}

async fn house_behind_a_balancer(settings: Settings, connections_per_client: usize) -> House {
    let settings = Settings {
        trusted: vec!["127.0.0.0/8".parse().unwrap(), "192.0.2.1/32".parse().unwrap()],
        proxy_protocol: true,
        ..settings
    };
    let limits = Limits {
        connections_per_client,
        ..Limits::default()
    };
    House::open(settings, limits).await
}

async fn announced(house: &House, header: &str) -> BufStream<TcpStream> {
    let mut stream = house.connect().await;
    stream.write_all(header.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    stream
}

#[tokio::test]
async fn a_proxy_header_states_the_client_and_ends_the_peers_trust() {
    let house = house_behind_a_balancer(Settings::default(), 50).await;
    for (header, note) in [
        (
            "PROXY TCP4 203.0.113.9 127.0.0.1 4711 25\r\n",
            Some("from 203.0.113.9:4711"),
        ),
        (
            "PROXY TCP4 192.0.2.1 127.0.0.1 4711 25\r\n",
            Some("from 192.0.2.1:4711, a front"),
        ),
        ("PROXY UNKNOWN\r\n", None),
    ] {
        let mut stream = announced(&house, header).await;
        expect(&mut stream, "", "220").await;
        expect(&mut stream, "QUIT\r\n", "221").await;
        assert_eq!(house.notes(), note.into_iter().collect::<Vec<_>>(), "{header}");
    }
}

#[tokio::test]
async fn what_is_no_proxy_header_closes_the_connection() {
    let house = house_behind_a_balancer(Settings::default(), 50).await;
    for header in [
        "EHLO client.example\r\n",
        "PROXY TCP4 203.0.113.9\r\n",
        "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x01x",
    ] {
        let mut stream = announced(&house, header).await;
        expect(&mut stream, "", "closed").await;
    }
    assert!(
        house
            .premises
            .telemetry
            .scrape()
            .contains("rejects_total{reason=\"proxy_header\",stage=\"connect\"} 3")
    );
}

#[tokio::test(start_paused = true)]
async fn a_proxy_header_has_its_deadline() {
    let house = house_behind_a_balancer(Settings::default(), 50).await;
    let mut stream = announced(&house, "PROXY TCP4 203.0.113.9").await;
    let begun = tokio::time::Instant::now();
    expect(&mut stream, "", "closed").await;
    assert!((5..=6).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn only_trusted_peers_reach_a_listener_behind_a_balancer() {
    let settings = Settings {
        trusted: vec!["192.0.2.1/32".parse().unwrap()],
        proxy_protocol: true,
        ..Settings::default()
    };
    let house = House::open(settings, Limits::default()).await;
    let mut stream = announced(&house, "PROXY TCP4 203.0.113.9 127.0.0.1 4711 25\r\n").await;
    expect(&mut stream, "", "closed").await;
    assert_eq!(house.premises.open(), 0);
}

#[tokio::test]
async fn the_stated_client_has_its_limit_and_the_balancer_none() {
    let house = house_behind_a_balancer(Settings::default(), 1).await;
    let mut held = Vec::new();
    for client in ["2001:db8:0:1::1", "2001:db8:0:2::1"] {
        let mut stream = announced(&house, &format!("PROXY TCP6 {client} ::1 1 25\r\n")).await;
        expect(&mut stream, "", "220").await;
        held.push(stream);
    }
    let mut third = announced(&house, "PROXY TCP6 2001:db8:0:1::2 ::1 1 25\r\n").await;
    expect(&mut third, "", "421 4.7.0").await;
}

#[tokio::test]
async fn networks_and_line_ends_are_the_stated_clients() {
    let settings = Settings {
        client_networks: vec!["203.0.113.0/24".parse().unwrap()],
        ..Settings::default()
    };
    let house = house_behind_a_balancer(settings, 50).await;
    for (client, reply) in [("203.0.113.9", "220"), ("198.51.100.9", "554 5.7.1")] {
        let mut stream = announced(&house, &format!("PROXY TCP4 {client} 127.0.0.1 1 25\r\n")).await;
        expect(&mut stream, "", reply).await;
    }
}

#[tokio::test]
async fn a_client_of_xclient_is_counted_and_served_as_if_it_had_connected() {
    let settings = Settings {
        trusted: vec!["127.0.0.0/8".parse().unwrap()],
        client_networks: vec!["127.0.0.0/8".parse().unwrap(), "203.0.113.0/24".parse().unwrap()],
        ..Settings::default()
    };
    let limits = Limits {
        connections_per_client: 1,
        ..Limits::default()
    };
    let house = House::open(settings, limits).await;
    let mut held = Vec::new();
    for (client, reply) in [
        ("203.0.113.9", "220"),
        ("203.0.113.9", "421 4.7.0"),
        ("203.0.113.10", "220"),
        ("198.51.100.1", "554 5.7.1"),
        ("[UNAVAILABLE]", "554 5.7.1"),
        ("127.0.0.1", "220"),
        ("127.0.0.1", "220"),
    ] {
        let mut stream = house.connect().await;
        expect(&mut stream, "", "220").await;
        expect(&mut stream, &format!("XCLIENT ADDR={client}\r\n"), reply).await;
        held.push(stream);
    }
}

#[tokio::test]
async fn the_proxy_header_comes_before_implicit_tls() {
    let settings = Settings {
        tls: Tls::Implicit,
        ..Settings::default()
    };
    let house = house_behind_a_balancer(settings, 50).await;
    let stream = announced(&house, "PROXY TCP4 203.0.113.9 127.0.0.1 4711 25\r\n").await;
    let mut stream = house.secure(stream.into_inner()).await.unwrap();
    expect(&mut stream, "", "220").await;
    deliver(&mut stream, "one").await;
    assert_eq!(house.notes()[0], "from 203.0.113.9:4711");
}

#[tokio::test]
async fn a_panic_costs_one_connection() {
    let house = House::with(Tls::Off).await;
    let (mut one, mut two) = (house.connect().await, house.connect().await);
    expect(&mut one, "", "220").await;
    expect(&mut two, "", "220").await;
    expect(&mut one, "EHLO a\r\n", "250").await;
    expect(&mut one, "MAIL FROM:<>\r\n", "250").await;
    expect(&mut one, "RCPT TO:<panic@example.org>\r\n", "421 4.3.0").await;
    expect(&mut one, "", "closed").await;
    deliver(&mut two, "still here").await;
}

#[tokio::test]
async fn draining_lets_bodies_finish_and_then_ends() {
    let house = House::with(Tls::Off).await;
    let (mut idle, mut busy) = (house.connect().await, house.connect().await);
    expect(&mut idle, "", "220").await;
    expect(&mut busy, "", "220").await;
    expect(&mut busy, "EHLO a\r\n", "250").await;
    expect(&mut busy, "MAIL FROM:<>\r\n", "250").await;
    expect(&mut busy, "RCPT TO:<a@example.org>\r\n", "250").await;
    expect(&mut busy, "DATA\r\n", "354").await;
    house.premises.drain();
    expect(&mut idle, "", "421 4.3.2").await;
    expect(&mut busy, "last words\r\n.\r\n", "250").await;
    expect(&mut busy, "", "421 4.3.2").await;
    drop((idle, busy));
    house.running.await.unwrap();
    assert!(TcpStream::connect(house.address).await.is_err());
    assert_eq!(house.premises.open(), 0);
}

#[tokio::test]
async fn a_body_that_never_ends_is_dropped_at_the_drain_deadline() {
    let mut house = House::with(Tls::Off).await;
    let mut busy = house.connect().await;
    expect(&mut busy, "", "220").await;
    expect(&mut busy, "EHLO a\r\n", "250").await;
    expect(&mut busy, "MAIL FROM:<>\r\n", "250").await;
    expect(&mut busy, "RCPT TO:<a@example.org>\r\n", "250").await;
    expect(&mut busy, "DATA\r\n", "354").await;
    house.premises.drain();
    (&mut house.running).await.unwrap();
    let mut rest = Vec::new();
    let _ = busy.read_to_end(&mut rest).await;
    assert_eq!(house.notes(), ["a clear"]);
}

#[tokio::test]
async fn what_can_not_be_opened_says_why() {
    let premises = || {
        Arc::new(Premises::new(
            "a",
            Limits::default(),
            Deadlines::default(),
            Telemetry::default(),
        ))
    };
    let bind = |settings| Listener::bind(settings, premises(), Arc::new(Everything::default()), &SystemClock);
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = Settings {
        address: held.local_addr().unwrap(),
        ..Settings::default()
    };
    assert!(
        bind(taken)
            .await
            .unwrap_err()
            .to_string()
            .starts_with("can't listen on 127.0.0.1:")
    );
    let uncertified = Settings {
        tls: Tls::StartTls,
        certificate: Some("/nowhere/chain.pem".into()),
        key: Some("/nowhere/key.pem".into()),
        ..Settings::default()
    };
    assert!(
        bind(uncertified.clone())
            .await
            .unwrap_err()
            .to_string()
            .starts_with("/nowhere/chain.pem: ")
    );
    let keyless = Settings {
        key: None,
        ..uncertified
    };
    assert!(bind(keyless).await.unwrap_err().to_string().starts_with("key: "));
}

#[tokio::test]
async fn an_idle_connection_is_small() {
    let premises = Arc::new(Premises::new(
        "a",
        Limits::default(),
        Deadlines::default(),
        Telemetry::default(),
    ));
    let settings = Settings {
        address: "127.0.0.1:0".parse().unwrap(),
        ..Settings::default()
    };
    let listener = Listener::bind(settings, premises, Arc::new(Everything::default()), &SystemClock)
        .await
        .unwrap();
    let _client = TcpStream::connect(listener.address()).await.unwrap();
    let (stream, address) = listener.accept().await.unwrap();
    let serving = listener.admit(stream, address).unwrap().serve();
    // The input buffer comes to it, 4 KiB, and TLS.
    assert!(size_of_val(&serving) < 6 * 1024, "{} bytes", size_of_val(&serving));
}

#[test]
fn only_our_own_shortage_makes_accepting_pause() {
    assert!(is_the_clients(&io::ErrorKind::ConnectionAborted.into()));
    for shortage in [23, 24, 12, 105] {
        assert!(!is_the_clients(&io::Error::from_raw_os_error(shortage)));
    }
}
