//! What the mail server behind the gate hears of the client in front: a real Postfix that is told in each
//! way, another gate, and a Dovecot.

use crate::support::dovecot::Dovecot;
use crate::support::postfix::Postfix;
use crate::support::{Client, Gate, Reply, eventually, mail, programs};
use std::process::Command;

const FROM: &str = "allotments@parish.example";
const TO: &str = "clerk@council.example";
const TRUSTING: &str = "[[listener]]\ntrusted = [\"127.0.0.0/8\"]\n";
/// What Postfix needs to be told, and to judge by it.
const POSTFIX: &str = "\
smtpd_authorized_xclient_hosts = 127.0.0.0/8
smtpd_authorized_xforward_hosts = 127.0.0.0/8
smtpd_recipient_restrictions = check_client_access inline:{{198.51.100.66 = 550 5.7.1 not from there}}, reject_unauth_destination
inet_protocols = all
";

fn stating(target: &str, state_client: &str) -> Gate {
    let settings = format!("{TRUSTING}[upstream]\nstate_client = \"{state_client}\"\n");
    Gate::delivering_to(target, &settings)
}

/// A session of the client with this address, as its front tells the gate.
fn session_of(gate: &Gate, address: &str) -> Client {
    let mut client = Client::greeted(gate.smtp);
    let told = format!("XCLIENT NAME=mx.sender.example ADDR={address} PORT=4711");
    assert_eq!(client.say(&told).code, 220);
    assert_eq!(client.say("EHLO sender.example").code, 250);
    client
}

fn send(gate: &Gate, address: &str, subject: &str) -> Reply {
    session_of(gate, address).deliver(FROM, &[TO], &mail::plain(subject))
}

/// The message with this subject, once it is there.
fn delivered(behind: &Postfix, subject: &str) -> Vec<u8> {
    eventually("the message", || {
        let is_it = |message: &Vec<u8>| mail::field(message, "Subject").as_deref() == Some(subject);
        behind.delivered().into_iter().find(is_it)
    })
}

/// What `check` says of the server behind.
fn checked(gate: &Gate) -> String {
    let said = gate.command(&["check"]).stdout;
    let text = String::from_utf8_lossy(&said).into_owned();
    let line = text.lines().find(|line| line.contains("upstream"));
    line.unwrap_or_else(|| panic!("{text}")).to_owned()
}

/// A Postfix that is to be told, where there is one.
fn postfix(test: &str, more: &str) -> Option<Postfix> {
    let [program] = programs::needed(test, ["postfix"])?;
    programs::needs_root(test).then(|| Postfix::keeping_mail_with(&program, None, &format!("{POSTFIX}{more}")))
}

#[test]
fn postfix_judges_and_shows_the_client_that_it_is_told_of() {
    let test = "postfix_judges_and_shows_the_client_that_it_is_told_of";
    for (state_client, more, shown) in [
        ("xclient", "", "from sender.example (mx.sender.example [203.0.113.9])"),
        (
            "proxy",
            "smtpd_upstream_proxy_protocol = haproxy\n",
            "(unknown [203.0.113.9])",
        ),
    ] {
        let Some(behind) = postfix(test, more) else { return };
        let gate = stating(&format!("smtp://{}", behind.address), state_client);
        for (address, subject, shown) in [
            ("203.0.113.9", "First", shown),
            ("IPV6:2001:db8::7", "Second", "[IPv6:2001:db8::7]"),
        ] {
            assert_eq!(send(&gate, address, subject).code, 250, "{}", behind.log());
            let received = mail::field(&delivered(&behind, subject), "Received");
            assert!(
                received.as_ref().is_some_and(|value| value.contains(shown)),
                "{state_client}: {received:?}"
            );
        }
        // Nobody's address: neither that of the client before nor one to be refused.
        assert_eq!(send(&gate, "[UNAVAILABLE]", "Third").code, 250, "{}", behind.log());
        delivered(&behind, "Third");

        let mut refused = session_of(&gate, "198.51.100.66");
        refused.say(&format!("MAIL FROM:<{FROM}>"));
        let reply = refused.say(&format!("RCPT TO:<{TO}>"));
        assert_eq!(reply.code, 550, "{reply:?}");
        assert!(reply.text().contains("not from there"), "{reply:?}");
        assert_eq!(refused.say("QUIT").code, 221);
        // Several in one session, each judged as its client's.
        let mut client = session_of(&gate, "203.0.113.10");
        for subject in ["Fourth", "Fifth"] {
            assert_eq!(client.deliver(FROM, &[TO], &mail::plain(subject)).code, 250);
            delivered(&behind, subject);
        }
        assert!(
            !behind.log().contains("lost connection after DATA")
                && !behind.log().contains("lost connection after RCPT"),
            "goodbye is said: {}",
            behind.log()
        );
        assert!(checked(&gate).starts_with("fine"), "{}", checked(&gate));
    }
}

#[test]
fn postfix_notes_the_client_of_each_message_on_one_connection() {
    let Some(behind) = postfix("postfix_notes_the_client_of_each_message_on_one_connection", "") else {
        return;
    };
    let gate = stating(&format!("smtp://{}", behind.address), "xforward");
    for (address, subject, noted) in [
        ("203.0.113.9", "First", "orig_client=mx.sender.example[203.0.113.9]"),
        (
            "IPV6:2001:db8::7",
            "Second",
            "orig_client=mx.sender.example[2001:db8::7]",
        ),
        ("[UNAVAILABLE]", "Third", "orig_client=mx.sender.example\n"),
        // It judges by the gate's own address.
        (
            "198.51.100.66",
            "Fourth",
            "orig_client=mx.sender.example[198.51.100.66]",
        ),
    ] {
        assert_eq!(send(&gate, address, subject).code, 250, "{}", behind.log());
        delivered(&behind, subject);
        assert!(behind.log().contains(noted), "{noted}: {}", behind.log());
    }
    let unstated = gate.metric("portreeve_upstream_unstated_total{route=\"default\"}");
    assert!(unstated < 1.0, "{unstated}");
    assert!(checked(&gate).starts_with("fine"), "{}", checked(&gate));
    // Nothing but what it takes, of a client that nothing is known of.
    eventually("the end of that session", || {
        behind.log().contains(" xforward=1 ").then_some(())
    });
}

#[test]
fn what_postfix_in_front_tells_of_its_client_reaches_postfix_behind() {
    let test = "what_postfix_in_front_tells_of_its_client_reaches_postfix_behind";
    let Some([program, swaks]) = programs::needed(test, ["postfix", "swaks"]) else {
        return;
    };
    let Some(behind) = postfix(test, "") else { return };
    let gate = stating(&format!("smtp://{}", behind.address), "xforward");
    let front = Postfix::filtered_by(&program, gate.smtp);
    for (from, helo) in [("127.0.0.2", "two.example"), ("127.0.0.3", "three.example")] {
        let port = front.address.port().to_string();
        let said = Command::new(&swaks)
            .args(["--server", "127.0.0.1", "--port", &port, "--local-interface", from])
            .args([
                "--ehlo",
                helo,
                "--from",
                FROM,
                "--to",
                TO,
                "--header",
                &format!("Subject: {helo}"),
            ])
            .output()
            .expect("swaks runs");
        assert!(said.status.success(), "{said:?}");
        delivered(&behind, helo);
        let noted = format!("orig_client=unknown[{from}]");
        assert!(behind.log().contains(&noted), "{noted}: {}", behind.log());
    }
}

#[test]
fn no_name_that_a_stranger_chooses_makes_postfix_refuse_what_it_is_told() {
    let test = "no_name_that_a_stranger_chooses_makes_postfix_refuse_what_it_is_told";
    let Some(behind) = postfix(test, "smtpd_hard_error_limit = 1\n") else {
        return;
    };
    let long = "h".repeat(255);
    let name = ["n".repeat(63), "n".repeat(63), "n".repeat(63), "n".repeat(61)].join(".");
    let names = [
        ("[203.0.113.9]", "-a.example"),
        ("[IPv6:2001:db8::7]", "a-.example"),
        ("-x-", "a_b.example"),
        ("a+b=c", "_.example"),
        ("<script>", "12345.678"),
        ("\"quoted\"", "a:b.example"),
        ("[UNAVAILABLE]", "localhost"),
        ("[TEMPUNAVAIL]", "xn--caf-dma.example"),
        ("*", "12345"),
        (&long, &name),
        ("+", "1.2.3.4.5"),
        ("\\", "a"),
    ];
    for state_client in ["xclient", "xforward"] {
        let gate = stating(&format!("smtp://{}", behind.address), state_client);
        for (helo, name) in names {
            let mut client = Client::greeted(gate.smtp);
            assert_eq!(client.say(&format!("XCLIENT NAME={name} ADDR=203.0.113.9")).code, 220);
            assert_eq!(client.say(&format!("EHLO {helo}")).code, 250, "{helo}");
            let reply = client.say(&format!("MAIL FROM:<{FROM}>"));
            assert_eq!(reply.code, 250, "{state_client} {helo} {name}: {reply:?}");
        }
        assert!(gate.metric("portreeve_upstream_unstated_total{route=\"default\"}") < 1.0);
        assert!(!gate.log().contains("is refused"), "{}", gate.log());
    }
}

#[test]
fn a_released_message_is_still_its_clients() {
    let Some(behind) = postfix("a_released_message_is_still_its_clients", "") else {
        return;
    };
    let gate = stating(&format!("smtp://{}", behind.address), "xclient");
    assert_eq!(send(&gate, "203.0.113.9", mail::QUARANTINE).code, 250);
    let kept = gate.json(&["quarantine", "list", "--json"]).remove(0);
    let id = kept["id"].as_str().expect("an id");
    let released = gate.command(&["quarantine", "release", id, "--reason", "wanted after all"]);
    assert!(released.status.success(), "{released:?}");
    let received = mail::field(&delivered(&behind, mail::QUARANTINE), "Received");
    assert!(
        received
            .as_ref()
            .is_some_and(|value| value.contains("from sender.example (unknown [203.0.113.9])")),
        "{received:?}"
    );
}

#[test]
fn postfix_that_may_not_be_told_gets_mail_by_xforward_and_none_by_xclient() {
    let test = "postfix_that_may_not_be_told_gets_mail_by_xforward_and_none_by_xclient";
    let deaf = "smtpd_authorized_xclient_hosts =\nsmtpd_authorized_xforward_hosts =\n";
    let Some(behind) = postfix(test, deaf) else { return };
    let target = format!("smtp://{}", behind.address);
    let gate = stating(&target, "xforward");
    assert_eq!(send(&gate, "203.0.113.9", "By XFORWARD").code, 250);
    delivered(&behind, "By XFORWARD");
    assert!(gate.metric("portreeve_upstream_unstated_total{route=\"default\"}") >= 1.0);
    assert!(gate.log().contains("offers no XFORWARD"), "{}", gate.log());

    let gate = stating(&target, "xclient");
    let reply = session_of(&gate, "203.0.113.9").say(&format!("MAIL FROM:<{FROM}>"));
    assert_eq!(
        (reply.code, reply.text().starts_with("4.3.5")),
        (451, true),
        "{reply:?}"
    );
    assert!(gate.metric("portreeve_upstream_softened_total{route=\"default\",stage=\"hello\"}") >= 1.0);
    assert!(gate.log().contains("it offers no XCLIENT"), "{}", gate.log());
    assert!(checked(&gate).contains("WARNING") && checked(&gate).contains("can't be told who you are"));
}

#[test]
fn a_gate_behind_a_gate_hears_of_the_client_in_each_way() {
    for state_client in ["xforward", "xclient", "proxy"] {
        let is_proxy = state_client == "proxy";
        let behind = Gate::with_maildir(&format!("{TRUSTING}proxy_protocol = {is_proxy}\n"));
        let gate = stating(&format!("smtp://{}", behind.smtp), state_client);
        for (address, seen) in [
            ("203.0.113.9", "203.0.113.9"),
            ("IPV6:2001:db8::7", "2001:db8::7"),
            // A connection of the gate's own, when it says for nobody.
            ("[UNAVAILABLE]", if is_proxy { "127.0.0.1" } else { "" }),
        ] {
            let before = behind.message_lines().len();
            assert_eq!(send(&gate, address, "Twice").code, 250, "{state_client}");
            let line = eventually("the log line", || behind.message_lines().get(before).cloned());
            assert_eq!(line["client"].as_str().unwrap_or_default(), seen, "{state_client}");
            if !is_proxy {
                assert_eq!(line["helo"], "sender.example", "{state_client}");
            }
        }
    }
}

#[test]
fn a_dovecot_that_trusts_the_gate_is_told_too() {
    const NAME: &str = "a_dovecot_that_trusts_the_gate_is_told_too";
    let Some([program, _]) = programs::needed(NAME, ["dovecot", "lmtp"]) else {
        return;
    };
    if !programs::needs_root(NAME) {
        return;
    }
    let dovecot = Dovecot::start(&program);
    for (state_client, target, shown) in [
        ("xclient", dovecot.tcp_target(), "[203.0.113.9]"),
        ("proxy", dovecot.proxied_target(), "[203.0.113.10]"),
    ] {
        let gate = stating(&target, state_client);
        for address in [shown.trim_matches(['[', ']']), "IPV6:2001:db8::7", "[UNAVAILABLE]"] {
            let before = dovecot.delivered("clerk").len();
            assert_eq!(send(&gate, address, "For the box").code, 250, "{}", dovecot.log());
            assert_eq!(dovecot.delivered("clerk").len(), before + 1);
        }
        for helo in [
            "[203.0.113.9]",
            "-x-",
            "a+b=c",
            "<script>",
            "[UNAVAILABLE]",
            "*",
            &"h".repeat(255),
        ] {
            let mut client = Client::greeted(gate.smtp);
            assert_eq!(client.say("XCLIENT ADDR=203.0.113.9").code, 220);
            assert_eq!(client.say(&format!("EHLO {helo}")).code, 250, "{helo}");
            let reply = client.say(&format!("MAIL FROM:<{FROM}>"));
            assert_eq!(reply.code, 250, "{state_client} {helo}: {reply:?}");
        }
        let is_shown = |message: &Vec<u8>| mail::field(message, "Received").is_some_and(|value| value.contains(shown));
        assert!(dovecot.delivered("clerk").iter().any(is_shown), "{}", dovecot.log());
    }
}
