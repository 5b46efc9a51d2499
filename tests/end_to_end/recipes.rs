//! The recipes of `deploy/` as they are shipped, but for addresses, paths and the domain, with the servers that
//! they are for: Postfix behind and in front, Exim, Dovecot, HAProxy.

use super::fronts::from_another_address;
use crate::support::dovecot::Dovecot;
use crate::support::exim::Exim;
use crate::support::haproxy::HaProxy;
use crate::support::postfix::Postfix;
use crate::support::recipe::{self, recipe};
use crate::support::{Certificates, Client, Gate, Reply, eventually, free_address, gate, mail, programs};
use std::fs;
use std::path::PathBuf;

const FROM: &str = "allotments@parish.example";
const TO: &str = "clerk@council.example";
const DOMAIN: (&str, &str) = ("example.gov.uk", "council.example");

/// Certificates that a recipe's gate may read for as long as it runs.
struct Tls {
    certificates: Certificates,
    _folder: tempfile::TempDir,
    certificate: String,
    key: String,
}

impl Tls {
    fn new() -> Self {
        let (certificates, folder) = (Certificates::new(), tempfile::tempdir().expect("a temporary folder"));
        let [_, certificate, key] = certificates.write_to(folder.path());
        Self {
            certificates,
            _folder: folder,
            certificate: certificate.display().to_string(),
            key: key.display().to_string(),
        }
    }

    /// A gate on a recipe that takes the MX, in front of what stands at `target` in place of `written`.
    fn gate(&self, path: &str, written: &str, target: &str) -> Gate {
        let smtp = free_address();
        let changes = [
            ("0.0.0.0:25", smtp.to_string()),
            ("/etc/portreeve/mx.pem", self.certificate.clone()),
            ("/etc/portreeve/mx.key", self.key.clone()),
            (DOMAIN.0, DOMAIN.1.to_owned()),
            (written, target.to_owned()),
        ];
        let changes = changes.each_ref().map(|(from, to)| (*from, to.as_str()));
        Gate::as_written(&recipe(path, &changes), smtp)
    }

    /// A client inside TLS.
    fn client(&self, gate: &Gate) -> Client {
        let mut client = Client::greeted(gate.smtp);
        let hello = client.start_tls(self.certificates.client());
        assert_eq!(hello.code, 250, "{hello:?}");
        client
    }
}

fn root_and<const N: usize>(test: &str, names: [&str; N]) -> Option<[PathBuf; N]> {
    let found = programs::needed(test, names)?;
    programs::needs_root(test).then_some(found)
}

/// What upstream or the gate says to one recipient.
fn rcpt(client: &mut Client, to: &str) -> Reply {
    assert_eq!(client.say(&format!("MAIL FROM:<{FROM}>")).code, 250);
    let reply = client.say(&format!("RCPT TO:<{to}>"));
    assert_eq!(client.say("RSET").code, 250);
    reply
}

/// Whether `check` finds that the server behind would relay for strangers.
fn would_relay(gate: &Gate) -> bool {
    let said = gate.command(&["check"]).stdout;
    let text = String::from_utf8_lossy(&said).into_owned();
    assert!(text.contains("upstream    default"), "{text}");
    text.contains("takes mail for any domain")
}

#[test]
fn the_settings_of_each_load() {
    let mut count = 0;
    for entry in fs::read_dir(recipe::folder()).expect("a folder of ours") {
        let path = entry.expect("an entry").path().join("portreeve.toml");
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("portreeve.toml"), text).expect("a writable folder");
        let shown = gate::command(folder.path(), &["config", "show"]);
        assert!(shown.status.success(), "{}: {shown:?}", path.display());
        count += 1;
    }
    assert_eq!(count, 6);
}

#[test]
fn before_postfix_strangers_are_refused_by_both_and_mail_arrives() {
    let test = "before_postfix_strangers_are_refused_by_both_and_mail_arrives";
    let Some([program]) = root_and(test, ["postfix"]) else {
        return;
    };
    let (tls, address) = (Tls::new(), free_address());
    let master = recipe("postfix-mx/master.cf", &[("127.0.0.1:10025", &address.to_string())]);
    let behind = Postfix::by_recipe(&program, address, &master);
    let gate = tls.gate("postfix-mx/portreeve.toml", "127.0.0.1:10025", &address.to_string());

    let mut client = tls.client(&gate);
    let unknown = rcpt(&mut client, "nobody@council.example");
    assert_eq!(unknown.code, 550, "{unknown:?}");
    assert!(
        unknown.text().contains("User unknown in virtual mailbox table"),
        "{unknown:?}"
    );
    assert_eq!(rcpt(&mut client, "someone@victim.example").code, 550);
    // Nor would Postfix, were the gate's own guard not there.
    let direct = rcpt(&mut Client::greeted(address), "someone@victim.example");
    assert!(direct.text().contains("Relay access denied"), "{direct:?}");
    assert!(!would_relay(&gate));

    // It begins in observe mode: even this goes on, unmarked.
    assert_eq!(client.deliver(FROM, &[TO], &mail::plain(mail::REJECT)).code, 250);
    let delivered = eventually("the message", || behind.delivered().pop());
    assert!(mail::field(&delivered, "X-Portreeve-Id").is_some());
    assert_eq!(mail::field(&delivered, "X-Portreeve-Verdict"), None);
    assert!(behind.log().contains("postfix/behind-gate/smtpd"), "{}", behind.log());
}

/// A Postfix that asks the gate about each message, and has it back on another port.
fn filtered_postfix(program: &std::path::Path, mode: &str) -> (Postfix, Gate) {
    let [front, filter, back] = [free_address(), free_address(), free_address()];
    let changes = [
        ("\nsmtp inet", format!("\n{front} inet")),
        ("127.0.0.1:2525", filter.to_string()),
        ("127.0.0.1:10026", back.to_string()),
    ];
    let changes = changes.each_ref().map(|(from, to)| (*from, to.as_str()));
    let postfix = Postfix::by_recipe(program, front, &recipe("postfix-filter/master.cf", &changes));
    let changes = [
        ("127.0.0.1:2525", filter.to_string()),
        ("127.0.0.1:10026", back.to_string()),
        (DOMAIN.0, DOMAIN.1.to_owned()),
        ("\"observe\"", format!("\"{mode}\"")),
    ];
    let changes = changes.each_ref().map(|(from, to)| (*from, to.as_str()));
    let gate = Gate::as_written(&recipe("postfix-filter/portreeve.toml", &changes), filter);
    // What the second Postfix offers, the gate learns of a moment after it starts.
    Client::greeted_with(gate.smtp, "DSN");
    (postfix, gate)
}

#[test]
fn as_postfixs_filter_it_answers_the_client_whom_it_sees() {
    let test = "as_postfixs_filter_it_answers_the_client_whom_it_sees";
    let Some([program]) = root_and(test, ["postfix"]) else {
        return;
    };
    let (postfix, gate) = filtered_postfix(&program, "enforce");
    let mut client = Client::over(from_another_address(postfix.address));
    assert_eq!(client.reply().code, 220);
    assert_eq!(client.say("EHLO client.example").code, 250);
    let refused = client.deliver(FROM, &[TO], &mail::plain(mail::REJECT));
    assert_eq!(refused.code, 550, "{refused:?}");
    let line = eventually("the log line", || gate.message_lines().pop());
    assert_eq!(
        (&line["client"], &line["id"]),
        (&"127.0.0.2".into(), &refused.id().into())
    );

    assert_eq!(client.deliver(FROM, &[TO], &mail::plain("Clean")).code, 250);
    eventually("the message", || postfix.delivered().pop());
    assert!(
        postfix.log().contains("orig_client=unknown[127.0.0.2]"),
        "{}",
        postfix.log()
    );
    let unknown = rcpt(&mut client, "nobody@council.example");
    assert!(unknown.text().contains("User unknown"), "{unknown:?}");
    assert_eq!(postfix.delivered().len(), 1);
}

/// Postfix offers its client what it knows itself, and hands what the client then says to the gate.
#[test]
fn what_postfix_offers_its_client_passes_its_filter() {
    let test = "what_postfix_offers_its_client_passes_its_filter";
    let Some([program]) = root_and(test, ["postfix"]) else {
        return;
    };
    let (postfix, gate) = filtered_postfix(&program, "observe");
    Client::greeted_with(gate.smtp, "SMTPUTF8");
    let mut client = Client::connect(postfix.address);
    client.reply();
    let hello = client.say("EHLO client.example");
    let known = [
        "PIPELINING",
        "SIZE",
        "VRFY",
        "ENHANCEDSTATUSCODES",
        "8BITMIME",
        "DSN",
        "SMTPUTF8",
        "CHUNKING",
    ];
    for line in hello.lines.iter().skip(1) {
        let word = line.split(' ').next().unwrap_or_default();
        assert!(
            known.contains(&word),
            "nobody has tried {word} through the filter: {hello:?}"
        );
    }
    let body = mail::plain("Grüße");
    for (mail, rcpt) in [
        (
            "RET=HDRS ENVID=Qq+2B7",
            "NOTIFY=NEVER ORCPT=rfc822;Clerk+2BX@Council.example",
        ),
        (&*format!("SIZE={} BODY=8BITMIME", body.len()), ""),
        ("SMTPUTF8 BODY=8BITMIME", ""),
    ] {
        let said = [
            client.say(&format!("MAIL FROM:<{FROM}> {mail}")),
            client.say(&format!("RCPT TO:<{TO}> {rcpt}")),
            client.data(&body),
        ];
        assert!(said.iter().all(|reply| reply.code == 250), "{mail} {rcpt}: {said:?}");
    }
    client.envelope(FROM, &[TO]);
    client.send(format!("BDAT {} LAST\r\n", body.len()).as_bytes());
    client.send(&body);
    assert_eq!(client.reply().code, 250);
    eventually("all four", || (postfix.delivered().len() == 4).then_some(()));
}

/// Else Postfix gives up and its client comes again for mail that was delivered.
#[test]
fn its_deadlines_together_end_before_postfix_gives_up() {
    let settings: toml::Table = recipe("postfix-filter/portreeve.toml", &[]).parse().expect("settings");
    let master = recipe("postfix-filter/master.cf", &[]);
    let seconds = |text: &str| -> u64 { text.trim_end_matches('s').parse().expect("seconds") };
    let given = master
        .split_whitespace()
        .find_map(|word| word.strip_prefix("smtpd_proxy_timeout="))
        .map(seconds)
        .expect("a time-out");
    let deadline = |name: &str| seconds(settings["deadlines"][name].as_str().expect("a text"));
    let after = [
        "judging",
        "commit",
        "upstream_replay",
        "upstream_data",
        "upstream_body",
        "upstream_dot",
        "commit",
    ];
    let sum: u64 = after.into_iter().map(deadline).sum();
    assert!(sum < given, "{sum} s of {given}");
    // A recipient's answer that doesn't come is asked for once more, on a new connection.
    assert!(deadline("upstream_open") < given);
    assert!(2 * deadline("upstream_command") + deadline("upstream_replay") < given);
}

#[test]
fn before_exim_strangers_are_refused_by_both_and_mail_arrives() {
    let test = "before_exim_strangers_are_refused_by_both_and_mail_arrives";
    let Some([program]) = root_and(test, ["exim4"]) else {
        return;
    };
    let (tls, address) = (Tls::new(), free_address());
    let port = address.port().to_string();
    let behind = Exim::by_recipe(&program, address, &recipe("exim/exim.conf", &[("10025", &port)]));
    let gate = tls.gate("exim/portreeve.toml", "127.0.0.1:10025", &address.to_string());
    let mut client = tls.client(&gate);
    let unknown = rcpt(&mut client, "nobody@council.example");
    assert!(
        unknown.code == 550 && unknown.text().contains("no such user"),
        "{unknown:?}"
    );
    assert_eq!(rcpt(&mut client, "someone@victim.example").code, 550);
    assert!(!would_relay(&gate));
    assert_eq!(client.deliver(FROM, &[TO], &mail::plain("To Exim")).code, 250);
    let delivered = eventually("the message", || behind.delivered().pop());
    assert!(mail::field(&delivered, "X-Portreeve-Id").is_some());
}

#[test]
fn before_dovecot_each_recipient_is_answered_for() {
    let test = "before_dovecot_each_recipient_is_answered_for";
    let Some([program, _]) = root_and(test, ["dovecot", "lmtp"]) else {
        return;
    };
    let tls = Tls::new();
    let dovecot = Dovecot::by_recipe(&program, |folder| {
        let socket = folder.join("lmtp").display().to_string();
        let changes = [
            ("/run/dovecot/portreeve-lmtp", socket.as_str()),
            ("user = portreeve", "user = root"),
        ];
        recipe("dovecot/dovecot.conf", &changes)
    });
    let gate = tls.gate(
        "dovecot/portreeve.toml",
        "lmtp:/run/dovecot/portreeve-lmtp",
        &dovecot.socket_target(),
    );
    let mut client = tls.client(&gate);
    let unknown = rcpt(&mut client, "nobody@council.example");
    assert_eq!(unknown.code, 550, "{unknown:?}");
    let large = [mail::plain("Large"), b"a line to fill the box with\r\n".repeat(2_000)].concat();
    let reply = client.deliver(FROM, &[TO, "full@council.example"], &large);
    assert_eq!(reply.code, 250, "{reply:?}\n{}", dovecot.log());
    assert_eq!(dovecot.delivered("clerk").len(), 1);
    let kept = gate.json(&["quarantine", "list", "--json", "--state", "undelivered"]);
    assert_eq!(kept.len(), 1, "the quota is in force: {}", dovecot.log());
}

#[test]
fn behind_haproxy_two_gates_share_the_mail_and_one_is_enough() {
    let test = "behind_haproxy_two_gates_share_the_mail_and_one_is_enough";
    let Some([program]) = programs::needed(test, ["haproxy"]) else {
        return;
    };
    let gates = [1, 2].map(|_| {
        let smtp = free_address();
        let changes = [
            ("10.0.0.11:2525", smtp.to_string()),
            ("10.0.0.10/32", "127.0.0.1/32".to_owned()),
            (DOMAIN.0, DOMAIN.1.to_owned()),
            ("smtp://10.0.0.20:25", "maildir:delivered".to_owned()),
        ];
        let changes = changes.each_ref().map(|(from, to)| (*from, to.as_str()));
        Gate::as_written(&recipe("haproxy/portreeve.toml", &changes), smtp)
    });
    let balancer = HaProxy::in_front_of(&program, [gates[0].smtp, gates[1].smtp], "send-proxy-v2");
    let send = || {
        let mut client = Client::over(from_another_address(balancer.address));
        client.try_reply()?;
        client.say("EHLO client.example");
        (client.deliver(FROM, &[TO], &mail::plain("By way of HAProxy")).code == 250).then_some(())
    };
    for _ in 0..4 {
        send().expect("a gate behind the balancer");
    }
    for gate in &gates {
        eventually("its share", || (gate.message_lines().len() == 2).then_some(()));
        assert!(gate.message_lines().iter().all(|line| line["client"] == "127.0.0.2"));
    }
    let [mut first, second] = gates;
    first.signal("KILL");
    first.wait();
    eventually("mail by way of the other", send);
    eventually("its log line", || (second.message_lines().len() > 2).then_some(()));
}
