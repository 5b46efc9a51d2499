//! A route with `tls = "dane"`: its server is bound by what DNS says at each connection.

use crate::support::dns::{NameServer, Says, tlsa};
use crate::support::sink::Behaviour;
use crate::support::{Certificates, Client, Gate, Sink, eventually, mail};
use hickory_resolver::proto::rr::RecordType;

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
