//! Real mail servers in front and behind, real clients before them: Postfix twice, swaks and
//! smtp-source, with STARTTLS on both of the gate's legs.

use crate::support::dns::{NameServer, Says, tlsa};
use crate::support::postfix::Postfix;
use crate::support::{Certificates, Client, Gate, eventually, mail, programs};
use hickory_resolver::proto::rr::RecordType;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

const TO: &str = "clerk@council.example";

/// The programs, found.
struct Programs {
    postfix: PathBuf,
    swaks: PathBuf,
    source: PathBuf,
}

impl Programs {
    fn found(test: &str) -> Option<Self> {
        let [postfix, swaks, source] = programs::needed(test, ["postfix", "swaks", "smtp-source"])?;
        programs::needs_root(test).then_some(Self { postfix, swaks, source })
    }
}

/// The neighbours themselves, with no gate between: when this fails, look at the machine.
#[test]
fn two_mail_servers_speak_to_each_other() {
    let Some(programs) = Programs::found("two_mail_servers_speak_to_each_other") else {
        return;
    };
    let certificates = Certificates::new();
    let behind = Postfix::keeping_mail(&programs.postfix, Some(&certificates));
    let front = Postfix::in_front_of(&programs.postfix, behind.address, Some(&certificates));
    let said = swaks(
        &programs.swaks,
        front.address,
        &["--to", TO, "--header", "Subject: No gate"],
    );
    assert!(said.accepted(), "{}", said.transcript);
    let delivered = eventually("the message", || behind.delivered().pop());
    assert!(mail::field(&delivered, "Received").is_some_and(|value| value.contains("ESMTPS")));
}

#[test]
fn mail_passes_from_postfix_through_the_gate_to_postfix_over_tls() {
    let Some(programs) = Programs::found("mail_passes_from_postfix_through_the_gate_to_postfix_over_tls") else {
        return;
    };
    let certificates = Certificates::new();
    let behind = Postfix::keeping_mail(&programs.postfix, Some(&certificates));
    let gate = gate_between(behind.address, &certificates, "peer = \"relay\"");
    let front = Postfix::in_front_of(&programs.postfix, gate.smtp, Some(&certificates));

    let said = swaks(
        &programs.swaks,
        front.address,
        &["--to", TO, "--header", "Subject: Clean", "--body", "Hello\n.\n..\n"],
    );
    assert!(said.accepted(), "{}", said.transcript);
    let delivered = eventually("the clean message", || behind.delivered().pop());
    assert!(
        mail::field(&delivered, "X-Portreeve-Id").is_some(),
        "{}",
        String::from_utf8_lossy(&delivered)
    );
    let text = String::from_utf8_lossy(&delivered).into_owned();
    assert!(
        text.contains("\n.\n..\n"),
        "dots doubled and undoubled over three hops: {text}"
    );
    assert_eq!(
        text.matches("ESMTPS").count(),
        2,
        "TLS into the gate and out of it: {text}"
    );

    // The front queues, so a refusal would make it bounce to a forged sender: kept instead.
    let said = swaks(
        &programs.swaks,
        front.address,
        &["--to", TO, "--header", &format!("Subject: {}", mail::REJECT)],
    );
    assert!(said.accepted(), "{}", said.transcript);
    let kept = eventually("the kept message", || {
        gate.json(&["quarantine", "list", "--json"]).pop()
    });
    assert_eq!(behind.delivered().len(), 1);
    assert!(!front.log().contains("status=bounced"), "{}", front.log());
    let id = kept["id"].as_str().expect("an id");
    assert!(
        gate.command(&["quarantine", "release", id, "--reason", "wanted after all"])
            .status
            .success()
    );
    eventually("the released message", || (behind.delivered().len() == 2).then_some(()));
}

#[test]
fn as_postfixs_own_filter_the_gate_answers_its_client() {
    let Some(programs) = Programs::found("as_postfixs_own_filter_the_gate_answers_its_client") else {
        return;
    };
    let behind = Postfix::keeping_mail(&programs.postfix, None);
    let settings = "[[listener]]\ntrusted = [\"127.0.0.0/8\"]\n";
    let gate = Gate::delivering_to(&format!("smtp://{}", behind.address), settings);
    let front = Postfix::filtered_by(&programs.postfix, gate.smtp);

    let said = swaks(
        &programs.swaks,
        front.address,
        &[
            "--to",
            TO,
            "--header",
            &format!("Subject: {}", mail::REJECT),
            // Not where Postfix itself connects from: its XFORWARD has to tell.
            "--local-interface",
            "127.0.0.2",
        ],
    );
    assert!(said.answered("550 5.7.1"), "{}", said.transcript);
    let line = eventually("the log line", || gate.message_lines().pop());
    assert_eq!(
        (&line["client"], &line["helo"]),
        (&"127.0.0.2".into(), &"client.example".into())
    );
    let records = eventually("the journal", || {
        let records = gate.json(&["journal", "search", "--json"]);
        (!records.is_empty()).then_some(records)
    });
    assert_eq!(records[0]["client"], "127.0.0.2", "{records:?}");
    assert!(
        said.transcript.contains(line["id"].as_str().expect("an id")),
        "{}",
        said.transcript
    );

    let said = swaks(
        &programs.swaks,
        front.address,
        &["--to", TO, "--header", "Subject: Clean"],
    );
    assert!(said.accepted(), "{}", said.transcript);
    eventually("the message", || behind.delivered().pop());
    let said = swaks(&programs.swaks, front.address, &["--to", "nobody@council.example"]);
    assert!(
        said.answered("550 5.1.1"),
        "upstream's own refusal, word for word: {}",
        said.transcript
    );
}

#[test]
fn swaks_speaks_to_the_gate_over_tls_and_gets_upstreams_words() {
    let Some(programs) = Programs::found("swaks_speaks_to_the_gate_over_tls_and_gets_upstreams_words") else {
        return;
    };
    let certificates = Certificates::new();
    let behind = Postfix::keeping_mail(&programs.postfix, Some(&certificates));
    let gate = gate_between(behind.address, &certificates, "peer = \"internet\"");
    for (arguments, answer) in [
        (vec!["--to", TO, "--header", "Subject: Clean"], "250 "),
        (vec!["--to", TO, "--header", "Subject: PLEASE-REJECT-ME"], "550 5.7.1"),
        (vec!["--to", "nobody@council.example"], "550 5.1.1"),
        (vec!["--to", "someone@victim.example"], "550 5.7.1"),
        (vec!["--to", TO, "--pipeline"], "250 "),
    ] {
        let said = swaks(&programs.swaks, gate.smtp, &[arguments.as_slice(), &["--tls"]].concat());
        assert!(said.answered(answer), "{answer} to {arguments:?}: {}", said.transcript);
    }
    eventually("both messages", || (behind.delivered().len() == 2).then_some(()));
}

/// As Microsoft 365 with a connector bound to a certificate.
#[test]
fn a_server_that_asks_who_connects_is_shown_the_routes_certificate() {
    let Some(programs) = Programs::found("a_server_that_asks_who_connects_is_shown_the_routes_certificate") else {
        return;
    };
    let certificates = Certificates::new();
    let behind = Postfix::keeping_mail_of_known_clients(&programs.postfix, &certificates);
    let unknown = gate_between(behind.address, &certificates, "peer = \"internet\"");
    let said = swaks(&programs.swaks, unknown.smtp, &["--to", TO]);
    assert!(said.answered("451"), "{}", said.transcript);

    let folder = tempfile::tempdir().unwrap();
    let [certificate, key] = certificates.write_client_to(folder.path(), "gate.council.example", 2100);
    let settings = format!(
        "{}tls_certificate = {certificate:?}\ntls_key = {key:?}\n",
        Gate::tls_settings(&certificates, "verified")
    );
    let target = format!("smtp://localhost:{}", behind.address.port());
    let known = Gate::delivering_to(&target, &settings);
    let said = swaks(&programs.swaks, known.smtp, &["--to", TO, "--header", "Subject: Clean"]);
    assert!(said.accepted(), "{}", said.transcript);
    let delivered = eventually("the message", || behind.delivered().pop());
    let received = mail::field(&delivered, "Received").unwrap_or_default();
    assert!(
        received.contains("Client CN \"gate.council.example\"") && received.contains("(verified OK)"),
        "{received}"
    );
    assert_eq!(behind.delivered().len(), 1);
}

/// Its certificate comes from an authority that nobody knows; the record in DNS vouches for it.
#[test]
fn a_postfix_with_a_certificate_of_its_own_is_known_by_its_tlsa_record() {
    let Some(programs) = Programs::found("a_postfix_with_a_certificate_of_its_own_is_known_by_its_tlsa_record") else {
        return;
    };
    let (certificates, server) = (Certificates::new(), NameServer::start());
    let behind = Postfix::keeping_mail(&programs.postfix, Some(&certificates));
    let port = behind.address.port();
    let record = tlsa(3, 0, 1, &certificates.digest());
    server.say(
        &format!("_{port}._tcp.localhost"),
        RecordType::TLSA,
        Says::Vouched(vec![record]),
    );
    let settings = format!(
        "[upstream]\ntls = \"dane\"\n[resolver]\nservers = [\"{}\"]\n",
        server.address
    );
    let gate = Gate::delivering_to(&format!("smtp://localhost:{port}"), &settings);
    let said = swaks(&programs.swaks, gate.smtp, &["--to", TO, "--header", "Subject: Clean"]);
    assert!(said.accepted(), "{}", said.transcript);
    let delivered = eventually("the message", || behind.delivered().pop());
    let received = mail::field(&delivered, "Received").unwrap_or_default();
    assert!(received.contains("ESMTPS"), "{received}");
}

#[test]
fn a_burst_from_smtp_source_arrives_whole() {
    let Some(programs) = Programs::found("a_burst_from_smtp_source_arrives_whole") else {
        return;
    };
    let certificates = Certificates::new();
    let behind = Postfix::keeping_mail(&programs.postfix, Some(&certificates));
    let gate = gate_between(behind.address, &certificates, "peer = \"internet\"");
    let front = Postfix::in_front_of(&programs.postfix, gate.smtp, Some(&certificates));
    for (target, count) in [(gate.smtp, 200), (front.address, 100)] {
        let before = behind.delivered().len();
        let mut command = Command::new(&programs.source);
        command.args([
            "-s",
            "8",
            "-l",
            "6000",
            "-m",
            &count.to_string(),
            "-f",
            "burst@parish.example",
            "-t",
            TO,
        ]);
        let output = command
            .arg(format!("inet:{target}"))
            .output()
            .expect("smtp-source runs");
        assert!(output.status.success(), "{output:?}");
        eventually("the whole burst", || {
            (behind.delivered().len() >= before + count).then_some(())
        });
        assert_eq!(behind.delivered().len(), before + count, "none twice");
    }
}

#[test]
fn a_message_with_a_bare_line_feed_never_reaches_postfix() {
    let Some(programs) = Programs::found("a_message_with_a_bare_line_feed_never_reaches_postfix") else {
        return;
    };
    let behind = Postfix::keeping_mail(&programs.postfix, None);
    let gate = Gate::delivering_to(&format!("smtp://{}", behind.address), "");
    let mut client = Client::greeted(gate.smtp);
    client.envelope("a@parish.example", &[TO]);
    assert_eq!(client.say("DATA").code, 354);
    client.send(b"Subject: one\r\n\r\nx\n.\nMAIL FROM:<b@parish.example>\r\nRCPT TO:<clerk@council.example>\r\nDATA\r\n\r\n.\r\n");
    assert_eq!(client.reply().code, 550);
    assert_eq!(
        Client::greeted(gate.smtp)
            .deliver("a@parish.example", &[TO], &mail::plain("After"))
            .code,
        250
    );
    eventually("the message after", || behind.delivered().pop());
    assert_eq!(behind.delivered().len(), 1);
}

/// A gate with STARTTLS on its own side and verified TLS to `next`.
fn gate_between(next: SocketAddr, certificates: &Certificates, listener: &str) -> Gate {
    let settings = Gate::tls_settings(certificates, "verified");
    let target = format!("smtp://localhost:{}", next.port());
    Gate::delivering_to(
        &target,
        &settings.replacen("[[listener]]", &format!("[[listener]]\n{listener}"), 1),
    )
}

/// What swaks saw.
struct Said {
    transcript: String,
    success: bool,
}

impl Said {
    fn accepted(&self) -> bool {
        self.success
    }

    /// Whether a reply starts so. swaks marks replies by `<-`, `<~`, `<**`.
    fn answered(&self, start: &str) -> bool {
        let replies = self.transcript.lines().filter(|line| line.starts_with('<'));
        replies
            .filter_map(|line| line.split_once(' '))
            .any(|(_, reply)| reply.trim_start().starts_with(start))
    }
}

fn swaks(program: &Path, server: SocketAddr, arguments: &[&str]) -> Said {
    let mut command = Command::new(program);
    command.args([
        "--server",
        "127.0.0.1",
        "--port",
        &server.port().to_string(),
        "--ehlo",
        "client.example",
    ]);
    command
        .args(["--from", "allotments@parish.example", "--timeout", "60"])
        .args(arguments);
    let output = command.output().expect("swaks runs");
    Said {
        transcript: String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
        success: output.status.success(),
    }
}
