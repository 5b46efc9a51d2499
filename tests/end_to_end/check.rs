//! `portreeve check` before cut-over: what it says when DNS and certificates agree, when they don't, and when
//! DNS says nothing.

use crate::support::dns::{NameServer, Says, a, mx, tlsa, txt};
use crate::support::{Certificates, Gate, free_address, gate, programs};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::RecordType;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use toml::{Table, Value};

/// A folder with settings for a gate with TLS that delivers into a Maildir and asks this DNS server.
fn prepared(certificates: &Certificates, server: &NameServer, trusted: Option<bool>) -> TempDir {
    let folder = Gate::prepare();
    let [_, certificate, key] = certificates.write_to(folder.path());
    let mut config = gate::base(free_address(), free_address());
    let listener = config
        .get_mut("listener")
        .and_then(|value| value.get_mut(0)?.as_table_mut())
        .unwrap();
    listener.insert("tls".to_owned(), "starttls".into());
    for (setting, path) in [("certificate", certificate), ("key", key)] {
        listener.insert(setting.to_owned(), path.display().to_string().into());
    }
    let mut resolver = Table::new();
    resolver.insert("servers".to_owned(), Value::from(vec![server.address.to_string()]));
    if let Some(trusted) = trusted {
        resolver.insert("trusted".to_owned(), trusted.into());
    }
    config.insert("resolver".to_owned(), resolver.into());
    let target = format!(
        "[upstream]\ntarget = \"maildir:{}\"\n",
        folder.path().join("delivered").display()
    );
    let text = format!("hostname = \"mail.council.example\"\n{config}\n{target}");
    std::fs::write(folder.path().join("portreeve.toml"), text).unwrap();
    folder
}

/// The exit code, and the result of every line of a check with its message.
fn checked(folder: &Path, check: &str) -> (Option<i32>, Vec<(String, String)>) {
    // The authority of the tests is all that there is in this world.
    let authority = folder.join("authority.pem");
    let output = gate::command_with(folder, &["check", "--json"], &[("SSL_CERT_FILE", &authority)]);
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let word = |line: &serde_json::Value, name: &str| line[name].as_str().unwrap().to_owned();
    let lines = lines.filter(|line| line["check"] == check);
    let lines = lines
        .map(|line| (word(&line, "result"), word(&line, "message")))
        .collect();
    (output.status.code(), lines)
}

#[test]
fn a_certificate_is_set_against_what_dns_says_of_it() {
    let certificates = Certificates::new();
    let server = NameServer::start();
    let place = "council.example: _25._tcp.mail.council.example";
    server
        .say(
            "council.example",
            RecordType::MX,
            Says::Records(vec![mx(10, "mail.council.example.")]),
        )
        .say(
            "mail.council.example",
            RecordType::A,
            Says::Records(vec![a(Ipv4Addr::new(192, 0, 2, 1))]),
        )
        .say(
            "_25._tcp.mail.council.example",
            RecordType::TLSA,
            Says::Vouched(vec![tlsa(3, 0, 1, &certificates.digest())]),
        );
    let folder = prepared(&certificates, &server, None);
    let fine = |message: &str| vec![("fine".to_owned(), message.to_owned())];
    let (exit, mx) = checked(folder.path(), "mx");
    assert_eq!(
        (exit, mx),
        (Some(0), fine("council.example: MX mail.council.example (here)"))
    );
    assert_eq!(
        checked(folder.path(), "mta-sts").1,
        fine("council.example: it has no policy")
    );
    let tlsa_line = checked(folder.path(), "tlsa").1;
    assert_eq!(
        tlsa_line,
        fine(&format!("{place} speaks of listener inbound's certificate"))
    );

    // The same records, but nobody whose word counts.
    let untrusted = prepared(&certificates, &server, Some(false));
    let (exit, lines) = checked(untrusted.path(), "tlsa");
    assert_eq!((exit, lines[0].0.as_str()), (Some(1), "warning"), "{lines:?}");

    // The key was changed and the record was not: senders that look at it stay away.
    let renewed = prepared(&Certificates::new(), &server, None);
    let (exit, lines) = checked(renewed.path(), "tlsa");
    assert_eq!((exit, lines[0].0.as_str()), (Some(78), "failed"), "{lines:?}");
}

/// The web server of the domain's policy stands where the program looks for it, which only root may.
#[test]
fn a_certificate_is_set_against_the_policy_on_the_web() {
    if !programs::needs_root("a_certificate_is_set_against_the_policy_on_the_web") {
        return;
    }
    let certificates = Certificates::new();
    let server = NameServer::start();
    // An address of its own, so that no other web server of this machine sits there.
    let web = Ipv4Addr::new(127, 0, 83, 61);
    let listener = TcpListener::bind((web, 443)).unwrap();
    let config = certificates.server();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = serve_policy(stream, Arc::clone(&config));
        }
    });
    server
        .say(
            "council.example",
            RecordType::MX,
            Says::Records(vec![mx(10, "mail.council.example.")]),
        )
        .say(
            "mail.council.example",
            RecordType::A,
            Says::Records(vec![a(Ipv4Addr::new(192, 0, 2, 1))]),
        )
        .say("mta-sts.council.example", RecordType::A, Says::Records(vec![a(web)]))
        .say(
            "_mta-sts.council.example",
            RecordType::TXT,
            Says::Records(vec![txt(&["v=STSv1; id=1;"])]),
        );
    let folder = prepared(&certificates, &server, None);
    let message = "council.example: mode enforce, max_age 604800 s: it covers mail.council.example and is met";
    assert_eq!(
        checked(folder.path(), "mta-sts"),
        (Some(0), vec![("fine".to_owned(), message.to_owned())])
    );
    // The web server is known still, the gate's certificate no longer.
    let renewed = prepared(&Certificates::new(), &server, None);
    std::fs::create_dir(renewed.path().join("known")).unwrap();
    certificates.write_to(&renewed.path().join("known"));
    std::fs::copy(
        renewed.path().join("known/authority.pem"),
        renewed.path().join("authority.pem"),
    )
    .unwrap();
    let (exit, lines) = checked(renewed.path(), "mta-sts");
    assert_eq!((exit, lines[0].0.as_str()), (Some(78), "failed"), "{lines:?}");
    assert!(
        lines[0].1.contains("would not pass for mail.council.example"),
        "{lines:?}"
    );
}

/// Answers one request.
fn serve_policy(stream: TcpStream, config: Arc<rustls::ServerConfig>) -> std::io::Result<()> {
    let session = rustls::ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = rustls::StreamOwned::new(session, stream);
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut octet = [0];
        stream.read_exact(&mut octet)?;
        request.extend_from_slice(&octet);
    }
    let policy = "version: STSv1\nmode: enforce\nmx: *.council.example\nmax_age: 604800\n";
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n",
        policy.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(policy.as_bytes())?;
    stream.conn.send_close_notify();
    stream.flush()
}

#[test]
fn what_dns_does_not_say_is_unknown() {
    let certificates = Certificates::new();
    for says in [Says::Silence, Says::Error(ResponseCode::ServFail)] {
        let server = NameServer::start();
        server.say("council.example", RecordType::MX, says.clone()).say(
            "_mta-sts.council.example",
            RecordType::TXT,
            says,
        );
        let folder = prepared(&certificates, &server, None);
        for check in ["mx", "mta-sts"] {
            let (exit, lines) = checked(folder.path(), check);
            assert_eq!(exit, Some(1), "{lines:?}");
            let [(result, message)] = lines.as_slice() else {
                panic!("{lines:?}");
            };
            assert!(result == "warning" && message.contains("unknown: DNS"), "{message}");
        }
    }
}
