//! What is found out about senders, from the wire over a real resolver to rule, verdict, header, log and metric.
//!
//! The resolver is Unbound; what it doesn't know itself comes from a server that lies as a test wants.

use crate::support::dns::{NameServer, Says, a, cname, ptr_of_octets, txt};
use crate::support::unbound::Unbound;
use crate::support::{Client, Gate, Reply, Sink, eventually, mail, programs};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::RecordType;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

const TO: &str = "clerk@council.example";
/// A client that the tests state by XCLIENT.
const CLIENT: &str = "192.0.2.1";
const TRUSTING: &str = "trusted = [\"127.0.0.0/8\"]\n";

const WORLD: &str = r#"
pass.example. 60 TXT "v=spf1 ip4:192.0.2.0/24 -all"
fail.example. 60 TXT "v=spf1 ip4:198.51.100.0/24 -all"
soft.example. 60 TXT "v=spf1 ~all"
neutral.example. 60 TXT "v=spf1 ?all"
broken.example. 60 TXT "v=spf1 nonsense -all"
twice.example. 60 TXT "v=spf1 -all"
twice.example. 60 TXT "v=spf1 +all"
_dmarc.fail.example. 60 TXT "v=DMARC1; p=reject"
_dmarc.soft.example. 60 TXT "v=DMARC1; p=quarantine"
_dmarc.pass.example. 60 TXT "v=DMARC1; p=reject"
1.2.0.192.in-addr.arpa. 60 PTR mx.pass.example.
mx.pass.example. 60 A 192.0.2.1
1.2.0.192.sink.test. 60 A 127.0.0.2
9.2.0.192.sink.test. 60 A 127.255.255.254
pass.example.names.test. 60 A 127.0.1.4
"#;

const RULES: &str = r#"
[[rule]]
id       = "SPF_FAILS"
summary  = "The sender's domain says that this client may not"
category = "impersonation"
severity = "medium"
score    = 6.0
when     = 'auth.spf == "fail"'

[[rule]]
id       = "SPF_PASSES_NOT"
summary  = "For a fact that is unknown this must not fire"
category = "spam"
severity = "low"
score    = 0.1
when     = 'auth.spf != "pass"'
"#;

/// A resolver, and what stands behind it.
struct World {
    elsewhere: NameServer,
    resolver: Unbound,
}

impl World {
    fn new(test: &str) -> Option<Self> {
        let [program] = programs::needed(test, ["unbound"])?;
        let elsewhere = NameServer::start();
        let resolver = Unbound::knowing(&program, WORLD, elsewhere.address);
        Some(Self { elsewhere, resolver })
    }

    fn gate(&self, sink: &Sink, rules: &str, settings: &str) -> Gate {
        gate_asking(self.resolver.address, sink, rules, settings)
    }
}

/// A gate that asks this server. Settings are keys in full, and then tables.
fn gate_asking(server: SocketAddr, sink: &Sink, rules: &str, settings: &str) -> Gate {
    let settings = format!("resolver.servers = [\"{server}\"]\n{settings}\n[[listener]]\n{TRUSTING}");
    let gate = Gate::before(sink, &settings);
    if !rules.is_empty() {
        std::fs::write(gate.folder().join("rules/senders.toml"), rules).expect("a writable folder");
        assert!(gate.command(&["reload"]).status.success());
    }
    gate
}

/// Sends as this domain's, from a client at this address.
fn send(gate: &Gate, domain: &str, client: &str) -> Reply {
    let mut session = Client::greeted(gate.smtp);
    assert_eq!(session.say(&format!("XCLIENT ADDR={client}")).code, 220);
    assert_eq!(session.say("EHLO mx.pass.example").code, 250);
    let message = format!("From: ann@{domain}\r\nTo: {TO}\r\nSubject: hello\r\n\r\nSome text.\r\n");
    session.deliver(&format!("ann@{domain}"), &[TO], message.as_bytes())
}

/// A list in a log line, which is left out when it is empty.
fn list(line: &serde_json::Value, key: &str) -> Vec<String> {
    let items = line[key].as_array().into_iter().flatten();
    items.filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

/// Our own results in the message that arrived last.
fn results(sink: &Sink) -> String {
    let received = sink.received().pop().expect("a message");
    mail::field(&received.bytes, "Authentication-Results").expect("our own")
}

#[test]
fn a_sender_is_checked_from_the_wire_to_header_rule_log_and_metric() {
    let Some(world) = World::new("a_sender_is_checked_from_the_wire_to_header_rule_log_and_metric") else {
        return;
    };
    let sink = Sink::start();
    let gate = world.gate(&sink, RULES, "authentication.checks = \"all\"\n");
    for (count, (domain, spf, dmarc, verdict)) in [
        ("pass.example", "pass", "pass", "deliver"),
        ("fail.example", "fail", "fail", "tag"),
        ("soft.example", "softfail", "fail", "deliver"),
        ("neutral.example", "neutral", "none", "deliver"),
        ("unheard.example", "none", "none", "deliver"),
        ("broken.example", "permerror", "none", "deliver"),
        ("twice.example", "permerror", "none", "deliver"),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(send(&gate, domain, CLIENT).code, 250, "{domain}");
        let told = results(&sink);
        assert!(told.contains(&format!("; spf={spf}")), "{domain}: {told}");
        assert!(told.contains(&format!("smtp.mailfrom={domain}")), "{domain}: {told}");
        assert!(told.contains("; dkim=none") && told.contains("; arc=none"), "{told}");
        assert!(told.contains(&format!("; dmarc={dmarc}")), "{domain}: {told}");
        let line = eventually("the log line", || gate.message_lines().into_iter().nth(count));
        assert_eq!(line["verdict"], verdict, "{domain}: {line}");
        assert_eq!(list(&line, "unscanned"), [] as [String; 0], "{domain}: {line}");
        let told = list(&line, "authentication");
        assert!(told.contains(&format!("spf={spf} {domain}")), "{told:?}");
    }
    assert!((gate.metric("portreeve_authentication_total{method=\"spf\",result=\"fail\"}") - 1.0).abs() < 0.1);
    assert!((gate.metric("portreeve_authentication_total{method=\"spf\",result=\"permerror\"}") - 2.0).abs() < 0.1);
    assert!(gate.metric("portreeve_dns_lookups_total{result=\"records\"}") > 0.0);
}

#[test]
fn what_dns_can_not_tell_is_unknown_and_counted_and_mail_goes_on() {
    let Some(world) = World::new("what_dns_can_not_tell_is_unknown_and_counted_and_mail_goes_on") else {
        return;
    };
    let circle = || Says::Records(vec![cname("b.circle.example."), cname("circle.example.")]);
    let strings = ["x".repeat(255), "y".repeat(255)];
    let long: Vec<&str> = (0..250).map(|number| strings[number % 2].as_str()).collect();
    let text = |name: &str, says| _ = world.elsewhere.say(name, RecordType::TXT, says);
    text("silent.example", Says::Silence);
    text("forged.example", Says::Error(ResponseCode::ServFail));
    text("circle.example", circle());
    text("b.circle.example", circle());
    text("long.example", Says::OverTcp(vec![txt(&long), txt(&["v=spf1 +all"])]));
    text(
        "many.example",
        Says::OverTcp((0..1000).map(|number| txt(&[&format!("{number}")])).collect()),
    );
    for number in 0..30 {
        let record = format!("v=spf1 include:b{}.example include:c{number}.example", number + 1);
        text(&format!("b{number}.example"), Says::Records(vec![txt(&[&record])]));
    }
    let sink = Sink::start();
    let gate = world.gate(&sink, RULES, "resolver.lookup = \"1s\"\nresolver.total = \"2s\"\n");
    for (count, (domain, spf, unscanned)) in [
        ("silent.example", "temperror", Some("auth.spf:timeout")),
        ("forged.example", "temperror", Some("auth.spf:failed")),
        ("circle.example", "temperror", Some("auth.spf:failed")),
        ("many.example", "temperror", Some("auth.spf:limit")),
        ("long.example", "pass", None),
        ("b0.example", "permerror", None),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(send(&gate, domain, CLIENT).code, 250, "{domain}");
        let told = results(&sink);
        assert!(told.contains(&format!("; spf={spf}")), "{domain}: {told}");
        let line = eventually("the log line", || gate.message_lines().into_iter().nth(count));
        assert_eq!(list(&line, "unscanned"), Vec::from_iter(unscanned), "{domain}: {line}");
        let is_found = line["findings"].to_string().contains("SPF_PASSES_NOT");
        assert_eq!(is_found, spf == "permerror", "{domain}: {line}");
    }
    for cause in ["timeout", "failed", "limit"] {
        let series = format!("portreeve_unscanned_total{{cause=\"{cause}\",check=\"auth.spf\"}}");
        assert!(gate.metric(&series) >= 1.0, "{series}");
    }
}

#[test]
fn a_domains_own_policy_is_carried_out_as_far_as_the_settings_say() {
    let Some(world) = World::new("a_domains_own_policy_is_carried_out_as_far_as_the_settings_say") else {
        return;
    };
    for (mode, rejected, quarantined) in [
        ("off", 250, 0),
        ("shadow", 250, 0),
        ("quarantine", 250, 2),
        ("reject", 550, 1),
    ] {
        let sink = Sink::start();
        let gate = world.gate(&sink, "", &format!("policy.dmarc = \"{mode}\"\n"));
        let reply = send(&gate, "fail.example", CLIENT);
        assert_eq!(reply.code, rejected, "{mode}: {reply:?}");
        if rejected == 550 {
            let text = reply.text();
            assert!(text.starts_with("5.7.26 ") && text.contains("fail.example"), "{text}");
        }
        assert_eq!(send(&gate, "soft.example", CLIENT).code, 250);
        assert_eq!(send(&gate, "pass.example", CLIENT).code, 250);
        let kept = gate.json(&["quarantine", "list", "--json"]);
        assert_eq!(kept.len(), quarantined, "{mode}: {kept:?}");
        let lines = eventually("the log lines", || {
            Some(gate.message_lines()).filter(|lines| lines.len() == 3)
        });
        let reasons = list(&lines[0], "reasons").concat();
        assert_eq!(reasons.contains("fail.example"), mode != "off", "{mode}: {reasons}");
        assert_eq!(list(&lines[2], "reasons"), [] as [String; 0], "{mode}");
    }
}

#[test]
fn nothing_is_asked_that_neither_rule_nor_policy_needs() {
    let (server, sink) = (NameServer::start(), Sink::start());
    let gate = gate_asking(server.address, &sink, "", "");
    assert_eq!(send(&gate, "pass.example", CLIENT).code, 250);
    assert!(results(&sink).ends_with("; none"), "{}", results(&sink));
    assert_eq!(server.asked(), [] as [String; 0]);
    let gate = gate_asking(server.address, &sink, RULES, "");
    assert_eq!(send(&gate, "pass.example", CLIENT).code, 250);
    let asked = server.asked();
    assert!(asked.contains(&"pass.example TXT".to_owned()), "{asked:?}");
    assert!(
        asked.iter().all(|one| one == "pass.example TXT" || one == " TXT"),
        "{asked:?}"
    );
}

#[test]
fn servers_that_never_answer_are_announced_and_not_waited_for() {
    let (server, sink) = (NameServer::silent(), Sink::start());
    let settings = "resolver.lookup = \"1s\"\nresolver.total = \"2s\"\n";
    let gate = gate_asking(server.address, &sink, RULES, settings);
    assert_eq!(send(&gate, "pass.example", CLIENT).code, 250);
    eventually("the metric", || (gate.metric("portreeve_dns_down") > 0.5).then_some(()));
    assert!(gate.log().contains("no DNS server answers"), "{}", gate.log());
    let asked = server.asked().len();
    assert_eq!(send(&gate, "other.example", CLIENT).code, 250);
    let lines = eventually("the log lines", || {
        Some(gate.message_lines()).filter(|lines| lines.len() == 2)
    });
    assert_eq!(list(&lines[1], "unscanned"), ["auth.spf:down"]);
    let more: Vec<String> = server.asked().split_off(asked);
    assert!(more.iter().all(|one| one == " TXT"), "only the probe: {more:?}");
}

#[test]
fn reverse_dns_and_block_lists_reach_rules() {
    let Some(world) = World::new("reverse_dns_and_block_lists_reach_rules") else {
        return;
    };
    let rules = r#"
[[rule]]
id       = "NAMED"
summary  = "The client has a name that leads back to it"
category = "spam"
severity = "low"
score    = 0.1
when     = 'client.name == "mx.pass.example" and client.name_confirmed and not client.helo_confirmed'

[[rule]]
id       = "HELO_TRUE"
summary  = "The client is what it says"
category = "spam"
severity = "low"
score    = 0.1
when     = 'client.helo_confirmed'

[[rule]]
id       = "LISTED"
summary  = "A list has the client"
category = "spam"
severity = "medium"
score    = 8.0
when     = '"sink/spam" in client.listed'

[[rule]]
id       = "NAME_LISTED"
summary  = "A list has the author's domain"
category = "spam"
severity = "low"
score    = 0.1
when     = 'listings.any(l, l.list == "names" and l.meaning == "phish" and l.origin == "author")'
"#;
    let lists = "[[dns_list]]\nname = \"sink\"\nzone = \"sink.test\"\nof = \"addresses\"\nanswers = { \"127.0.0.2\" = \"spam\" }\n\
                 [[dns_list]]\nname = \"names\"\nzone = \"names.test\"\nof = \"domains\"\nanswers = { \"127.0.1.&4\" = \"phish\" }\n";
    let sink = Sink::start();
    let gate = world.gate(&sink, rules, lists);
    assert_eq!(send(&gate, "pass.example", CLIENT).code, 250);
    let line = eventually("the log line", || gate.message_lines().pop());
    let found = line["findings"].to_string();
    for rule in ["HELO_TRUE", "\"LISTED", "NAME_LISTED"] {
        assert!(found.contains(rule), "{rule}: {line}");
    }
    assert_eq!(line["verdict"], "quarantine");
    assert_eq!(list(&line, "unscanned"), [] as [String; 0]);
    // A list that refuses us lists nobody, and is dropped after a while.
    for count in 2..=11 {
        assert_eq!(send(&gate, "soft.example", "192.0.2.9").code, 250);
        let lines = eventually("the log line", || {
            Some(gate.message_lines()).filter(|lines| lines.len() == count)
        });
        let line = lines.last().unwrap();
        assert_eq!(line["verdict"], "deliver", "{line}");
        assert!(line["unscanned"].to_string().contains("client.listed:failed"), "{line}");
    }
    assert!((gate.metric("portreeve_dns_list_errors_total{list=\"sink\"}") - 10.0).abs() < 0.1);
    assert!((gate.metric("portreeve_dns_list_dropped{list=\"sink\"}") - 1.0).abs() < 0.1);
    assert!(gate.log().contains("dns_list_dropped"), "{}", gate.log());
    let status = String::from_utf8(gate.command(&["status"]).stdout).unwrap();
    assert!(
        status.contains("DROPPED") && status.contains("127.255.255.254"),
        "{status}"
    );
    assert_eq!(send(&gate, "pass.example", CLIENT).code, 250);
    let line = eventually("the log line", || gate.message_lines().into_iter().nth(11));
    assert!(
        line["unscanned"].to_string().contains("client.listed:dropped"),
        "{line}"
    );
}

/// The example of RFC 8463, signed long ago, through the gate and a real resolver.
#[test]
fn a_signed_message_passes_and_goes_on_sealed() {
    let Some([program]) = programs::needed("a_signed_message_passes_and_goes_on_sealed", ["unbound"]) else {
        return;
    };
    let key = "brisbane._domainkey.football.example.com. 60 TXT \"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"\n";
    let resolver = Unbound::knowing(&program, key, NameServer::start().address);
    let root = env!("CARGO_MANIFEST_DIR");
    let seal =
        format!("domain = \"council.example\"\nselector = \"s\"\nkey = \"{root}/src/action/seal/test-only.pem\"\n");
    let sink = Sink::start();
    let gate = gate_asking(resolver.address, &sink, "", &format!("[authentication.seal]\n{seal}"));
    let message = include_str!("../../src/evidence/auth/tests/rfc8463.eml").replace('\n', "\r\n");
    let mut session = Client::greeted(gate.smtp);
    let sent = session.deliver("joe@football.example.com", &[TO], message.as_bytes());
    assert_eq!(sent.code, 250, "{sent:?}");
    let told = results(&sink);
    assert!(told.contains("; dkim=pass  header.d=football.example.com"), "{told}");
    assert!(told.contains("header.s=brisbane"), "{told}");
    let received = sink.received().pop().unwrap().bytes;
    assert!(received.ends_with(message.as_bytes()), "its bytes are as they were");
    let field = |name: &str| mail::field(&received, name).unwrap_or_default();
    assert!(
        field("ARC-Seal").contains("i=1;") && field("ARC-Seal").contains("cv=none"),
        "{received:?}"
    );
    assert!(field("ARC-Message-Signature").contains("d=council.example"));
    assert!(field("ARC-Authentication-Results").contains("dkim=pass"));

    // A key that can't be used is told, and what served goes on serving.
    let file = gate.folder().join("portreeve.toml");
    let settings = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, settings.replace("test-only.pem", "gone.pem")).unwrap();
    let output = gate.command(&["reload"]);
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.code() == Some(78) && said.contains("gone.pem"), "{said}");
    let sent = Client::greeted(gate.smtp).deliver("joe@football.example.com", &[TO], message.as_bytes());
    assert_eq!(sent.code, 250);
    assert!(mail::field(&sink.received().pop().unwrap().bytes, "ARC-Seal").is_some());
}

/// The reply and the log line, where DNS says this of the key in a world that hasn't that of the other signature.
fn judged_by_key(program: &Path, case: &str, says: Says) -> (Reply, serde_json::Value) {
    let circle = || Says::Records(vec![cname("key.circle.example."), cname("circle.example.")]);
    let policy = Says::Records(vec![txt(&["v=DMARC1; p=reject"])]);
    let server = NameServer::start();
    server
        .say("brisbane._domainkey.football.example.com", RecordType::TXT, says)
        .say("_dmarc.football.example.com", RecordType::TXT, policy)
        .say("circle.example", RecordType::TXT, circle())
        .say("key.circle.example", RecordType::TXT, circle());
    let resolver = Unbound::knowing(program, "", server.address);
    // Lies meant for the gate don't come from its own resolver.
    let asked = if case == "lies" {
        server.address
    } else {
        resolver.address
    };
    let sink = Sink::start();
    let settings = "resolver.lookup = \"1s\"\nresolver.total = \"2s\"\npolicy.dmarc = \"reject\"\n";
    let gate = gate_asking(asked, &sink, "", settings);
    let mut message = include_str!("../../src/evidence/auth/tests/rfc8463.eml").replace('\n', "\r\n");
    if case == "changed" {
        message = message.replace("hungry", "angry");
    }
    let sent = Client::greeted(gate.smtp).deliver("joe@football.example.com", &[TO], message.as_bytes());
    let line = eventually("the log line", || gate.message_lines().pop());
    (sent, line)
}

/// The same message under a policy that would have it refused, by what DNS says of its key. What can't be found out is
/// no reason to refuse anybody.
#[test]
fn what_a_key_is_worth_decides_and_a_missing_answer_does_not() {
    let test = "what_a_key_is_worth_decides_and_a_missing_answer_does_not";
    let Some([program]) = programs::needed(test, ["unbound"]) else {
        return;
    };
    let key = || txt(&["v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="]);
    let other = || txt(&["v=DKIM1; k=ed25519; p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]);
    let string = "x".repeat(255);
    let bulk = vec![string.as_str(); 250];
    let into_circle = Says::Records(vec![cname("key.circle.example.")]);
    for (case, says, dkim, dmarc, code) in [
        ("its key", Says::Records(vec![key()]), "pass", "pass", 250),
        ("changed", Says::Records(vec![key()]), "fail", "fail", 550),
        ("another key", Says::Records(vec![other()]), "fail", "fail", 550),
        ("lies", Says::AmongForgeries(vec![key()], other()), "pass", "pass", 250),
        (
            "revoked",
            Says::Records(vec![txt(&["v=DKIM1; p="])]),
            "permerror",
            "fail",
            550,
        ),
        ("no key", Says::Records(vec![]), "permerror", "fail", 550),
        ("64 KB", Says::OverTcp(vec![txt(&bulk)]), "permerror", "fail", 550),
        (
            "64 KB and its key",
            Says::OverTcp(vec![txt(&bulk), key()]),
            "pass",
            "pass",
            250,
        ),
        (
            "failure",
            Says::Error(ResponseCode::ServFail),
            "temperror",
            "temperror",
            250,
        ),
        (
            "refusal",
            Says::Error(ResponseCode::Refused),
            "temperror",
            "temperror",
            250,
        ),
        ("silence", Says::Silence, "temperror", "temperror", 250),
        ("a circle", into_circle, "temperror", "temperror", 250),
    ] {
        let (sent, line) = judged_by_key(&program, case, says);
        let told = list(&line, "authentication").join(", ");
        assert_eq!(sent.code, code, "{case}: {sent:?}: {told}");
        assert!(
            told.starts_with(&format!("spf=none football.example.com, dkim={dkim} ")),
            "{case}: {told}"
        );
        assert!(
            told.ends_with(&format!("dmarc={dmarc} football.example.com")),
            "{case}: {told}"
        );
        let is_unscanned = !list(&line, "unscanned").is_empty();
        assert_eq!(is_unscanned, dkim == "temperror", "{case}: {line}");
    }
}

/// What a forwarder found and sealed, at a gate behind it: SPF no longer holds there, and the author's policy would have the
/// mail refused.
#[test]
fn a_trusted_forwarders_seal_is_believed_and_no_others() {
    let Some([program]) = programs::needed("a_trusted_forwarders_seal_is_believed_and_no_others", ["unbound"]) else {
        return;
    };
    let (first, rest) = include_str!("../../src/action/seal/test-only.pub").trim().split_at(200);
    let zone = format!("{WORLD}s._domainkey.council.example. 60 TXT \"v=DKIM1; k=rsa; p={first}\" \"{rest}\"\n");
    let resolver = Unbound::knowing(&program, &zone, NameServer::start().address);
    let root = env!("CARGO_MANIFEST_DIR");
    let seal = format!(
        "[authentication.seal]\ndomain = \"council.example\"\nselector = \"s\"\nkey = \"{root}/src/action/seal/test-only.pem\"\n"
    );
    let between = Sink::start();
    let forwarder = gate_asking(resolver.address, &between, "", &seal);
    assert_eq!(send(&forwarder, "pass.example", CLIENT).code, 250);
    let sealed = String::from_utf8(between.received().pop().unwrap().bytes).unwrap();
    assert!(
        sealed.contains("ARC-Seal:") && sealed.contains("dmarc=pass"),
        "{sealed}"
    );

    let changed = sealed.replace("Some text.", "Some other text.");
    let promoted = sealed.replace("cv=none", "cv=pass");
    let unsealed = sealed.replace("ARC-", "Arc-was-");
    for (trusted, message, code) in [
        ("council.example", &sealed, 250),
        ("else.example", &sealed, 550),
        ("", &sealed, 550),
        ("council.example", &changed, 550),
        ("council.example", &promoted, 550),
        ("council.example", &unsealed, 550),
    ] {
        let sink = Sink::start();
        let trusted = if trusted.is_empty() {
            String::new()
        } else {
            format!("\"{trusted}\"")
        };
        let settings = format!("policy.dmarc = \"reject\"\nauthentication.trusted_sealers = [{trusted}]\n");
        let gate = gate_asking(resolver.address, &sink, "", &settings);
        let mut session = Client::greeted(gate.smtp);
        assert_eq!(session.say("XCLIENT ADDR=198.51.100.7").code, 220);
        assert_eq!(session.say("EHLO mx.forwarder.example").code, 250);
        let sent = session.deliver("ann@pass.example", &[TO], message.as_bytes());
        assert_eq!(sent.code, code, "{trusted}: {sent:?}\n{message}");
    }
}

/// Who runs a network writes the names of its addresses, and may write anything.
#[test]
fn a_name_that_a_client_has_given_itself_stays_on_its_line() {
    let Some(world) = World::new("a_name_that_a_client_has_given_itself_stays_on_its_line") else {
        return;
    };
    let evil = Says::Records(vec![ptr_of_octets(b"a\r\nX-Evil: <b>\x1b[2J")]);
    world.elsewhere.say("66.2.0.192.in-addr.arpa", RecordType::PTR, evil);
    let rules = r#"
[[rule]]
id       = "EVIL_NAME"
summary  = "The client's name"
category = "spam"
severity = "low"
score    = 6.0
when     = 'client.name.matches(/x-evil/) and not client.name_confirmed'
"#;
    let sink = Sink::start();
    let gate = world.gate(&sink, rules, "authentication.checks = \"all\"\n");
    assert_eq!(send(&gate, "soft.example", "192.0.2.66").code, 250);
    let line = eventually("the log line", || gate.message_lines().pop());
    assert!(line["findings"].to_string().contains("EVIL_NAME"), "{line}");
    let received = String::from_utf8(sink.received().pop().unwrap().bytes).unwrap();
    let begins = received.to_lowercase();
    assert!(
        !begins.contains("\nx-evil") && !received.contains('\x1b'),
        "{received:?}"
    );
    let id = line["id"].as_str().unwrap();
    let told = eventually("the journal", || {
        let told = String::from_utf8(gate.command(&["explain", id]).stdout).unwrap();
        told.contains("EVIL_NAME").then_some(told)
    });
    assert!(!told.contains('\x1b'), "{told:?}");
    assert!(
        !told.lines().any(|line| line.to_lowercase().starts_with("x-evil")),
        "{told:?}"
    );
}

#[test]
fn outbound_mail_is_not_asked_about() {
    let (server, sink) = (NameServer::start(), Sink::start());
    server.say(
        "pass.example",
        RecordType::A,
        Says::Records(vec![a(Ipv4Addr::LOCALHOST)]),
    );
    let outbound = "direction = \"outbound\"\nclient_networks = [\"127.0.0.0/8\"]\n";
    let settings = format!(
        "resolver.servers = [\"{}\"]\nauthentication.checks = \"all\"\npolicy.dmarc = \"reject\"\n[[listener]]\n{outbound}",
        server.address
    );
    let gate = Gate::before(&sink, &settings);
    let mut session = Client::greeted(gate.smtp);
    let sent = session.deliver("ann@fail.example", &["bob@elsewhere.example"], &mail::plain("Out"));
    assert_eq!(sent.code, 250, "{sent:?}");
    let received = sink.received().pop().unwrap();
    assert_eq!(mail::field(&received.bytes, "Authentication-Results"), None);
    assert!(server.asked().iter().all(|one| one == " TXT"), "{:?}", server.asked());
}
