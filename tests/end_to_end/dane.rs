//! A route with `tls = "dane"`: its server is bound by what DNS says at each connection.

use crate::support::dns::{NameServer, Says, tlsa};
use crate::support::sink::Behaviour;
use crate::support::{Certificates, Client, Gate, Sink, eventually, mail};
use hickory_resolver::proto::rr::RecordType;
use std::fs;

const FROM: &str = "allotments@parish.example";
const TO: &str = "clerk@council.example";

/// A gate before the sink that asks this DNS server, with a connection for each message; and what the records are for.
fn bound(sink: &Sink, server: &NameServer) -> (Gate, String) {
    let target = sink.target();
    let port = target.rsplit(':').next().unwrap();
    let settings = format!(
        "[upstream]\ntls = \"dane\"\nmessages = 1\n[resolver]\nservers = [\"{}\"]\n",
        server.address
    );
    let gate = Gate::delivering_to(&format!("smtp://localhost:{port}"), &settings);
    (gate, format!("_{port}._tcp.localhost"))
}

#[test]
fn mail_goes_to_the_server_that_the_records_speak_of_as_long_as_they_do() {
    let (certificates, server) = (Certificates::new(), NameServer::start());
    let sink = Behaviour::default().tls(certificates.server()).start();
    let (gate, name) = bound(&sink, &server);
    let own = || tlsa(3, 0, 1, &certificates.digest());
    for (says, code) in [
        (Says::Vouched(vec![own()]), 250),
        (Says::Vouched(vec![tlsa(3, 0, 1, &[1; 32])]), 451),
        (Says::Records(vec![own()]), 451),
        (Says::Vouched(vec![]), 451),
        (Says::Vouched(vec![tlsa(3, 0, 1, &[1; 32]), own()]), 250),
    ] {
        server.say(&name, RecordType::TLSA, says);
        let mut client = Client::greeted(gate.smtp);
        let reply = if code == 250 {
            client.deliver(FROM, &[TO], &mail::plain("Bound"))
        } else {
            client.say(&format!("MAIL FROM:<{FROM}>"))
        };
        assert_eq!(reply.code, code, "{reply:?}");
    }
    let received = sink.received();
    assert_eq!(received.len(), 2);
    assert!(received.iter().all(|message| message.tls));
    // Somebody has to hear of it.
    eventually("the warning", || {
        gate.log()
            .contains(&format!("TLSA records of {name}: DNSSEC does not vouch for them"))
            .then_some(())
    });
}

#[test]
fn a_reload_asks_other_servers_and_takes_none_that_is_not_believed() {
    let (certificates, server, other) = (Certificates::new(), NameServer::start(), NameServer::start());
    let sink = Behaviour::default().tls(certificates.server()).start();
    let (gate, name) = bound(&sink, &server);
    let own = || Says::Vouched(vec![tlsa(3, 0, 1, &certificates.digest())]);
    server.say(&name, RecordType::TLSA, own());
    let mail = || Client::greeted(gate.smtp).say(&format!("MAIL FROM:<{FROM}>")).code;
    assert_eq!(mail(), 250);

    let file = gate.folder().join("portreeve.toml");
    let settings = fs::read_to_string(&file).unwrap();
    let settings = settings.replace(&server.address.to_string(), &other.address.to_string());
    fs::write(&file, &settings).unwrap();
    assert!(gate.command(&["reload"]).status.success());
    assert_eq!(mail(), 451, "the other server knows no record");

    other.say(&name, RecordType::TLSA, own());
    let distrusted = settings.replace("[resolver]\n", "[resolver]\ntrusted = false\n");
    fs::write(&file, distrusted).unwrap();
    let output = gate.command(&["reload"]);
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(78), "{said}");
    assert!(said.contains("the DNS servers are not believed"), "{said}");
    assert_eq!(mail(), 250, "what served goes on serving");
}
