//! What the HTTP side answers, and that nobody can hold it up.

use super::bounded::{CONNECTIONS, LIFETIME, REQUEST_BYTES};
use super::*;
use std::net::SocketAddr;
use std::sync::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

#[derive(Default)]
struct Stated(Mutex<Vec<NotReady>>);

impl Health for Stated {
    fn not_ready(&self) -> Vec<NotReady> {
        self.0.lock().unwrap().clone()
    }
}

struct Served {
    address: SocketAddr,
    health: Arc<Stated>,
    stop: CancellationToken,
    server: JoinHandle<io::Result<()>>,
}

async fn serve_here() -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let health = Arc::new(Stated::default());
    let stop = CancellationToken::new();
    let server = tokio::spawn(serve(listener, Telemetry::default(), health.clone(), stop.clone()));
    Served {
        address,
        health,
        stop,
        server,
    }
}

/// Everything that comes back for these bytes.
async fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

async fn request(address: SocketAddr, method: &str, path: &str) -> String {
    ask(address, &format!("{method} {path} HTTP/1.1\r\nHost: gate\r\n\r\n")).await
}

#[tokio::test]
async fn it_answers_what_it_has_and_nothing_else() {
    let served = serve_here().await;
    for (method, path, status, text) in [
        ("GET", "/healthz", "200 OK", "alive"),
        ("GET", "/metrics", "200 OK", "text/plain; version=0.0.4; charset=utf-8"),
        ("GET", "/metrics", "200 OK", "portreeve_connections_open 0"),
        ("HEAD", "/healthz", "200 OK", "connection: close"),
        ("GET", "/", "404 Not Found", "/readyz"),
        ("GET", "/metrics/..", "404 Not Found", "/readyz"),
        ("POST", "/metrics", "405 Method Not Allowed", "allow: GET,HEAD"),
        ("DELETE", "/readyz", "405 Method Not Allowed", "read-only"),
        ("POST", "/nowhere", "404 Not Found", "/readyz"),
    ] {
        let answer = request(served.address, method, path).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{method} {path}: {answer}"
        );
        assert!(answer.contains(text), "{method} {path}: {answer}");
    }
}

#[tokio::test]
async fn readiness_gives_its_reasons() {
    let served = serve_here().await;
    let answer = request(served.address, "GET", "/readyz").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.ends_with("{\"ready\":true,\"reasons\":[]}\n"), "{answer}");
    served.health.0.lock().unwrap().push(NotReady {
        part: "store",
        why: "the disk says \"full\"".to_owned(),
    });
    let answer = request(served.address, "GET", "/readyz").await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(
        answer
            .ends_with("{\"ready\":false,\"reasons\":[{\"part\":\"store\",\"why\":\"the disk says \\\"full\\\"\"}]}\n"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_huge_request_is_cut_off() {
    let served = serve_here().await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let _ = stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: gate\r\nX: ").await;
    let _ = stream.write_all(&vec![b'x'; REQUEST_BYTES]).await;
    let mut answer = Vec::new();
    // Reset or closed: either way nothing is served.
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!String::from_utf8_lossy(&answer).contains("alive"));
    assert!(request(served.address, "GET", "/healthz").await.contains("alive"));
}

#[tokio::test(start_paused = true)]
async fn silent_clients_give_their_places_back() {
    let served = serve_here().await;
    let mut silent = Vec::new();
    for _ in 0..CONNECTIONS {
        silent.push(TcpStream::connect(served.address).await.unwrap());
    }
    let waiting = request(served.address, "GET", "/healthz");
    // The clock is paused: it jumps to the next timer whenever everyone waits.
    let answer = tokio::time::timeout(LIFETIME * 3, waiting).await.unwrap();
    assert!(answer.contains("alive"), "{answer}");
    for mut stream in silent {
        assert_eq!(stream.read(&mut [0; 1]).await.unwrap_or(0), 0, "it was closed");
    }
}

#[tokio::test]
async fn it_stops_when_told() {
    let served = serve_here().await;
    served.stop.cancel();
    served.server.await.unwrap().unwrap();
    assert!(TcpStream::connect(served.address).await.is_err());
}
