//! What becomes of mail that the rules object to: refused, kept, tagged, and set free once.

use crate::support::{Client, Gate, Reply, Sink, eventually, mail};
use std::thread;

const FROM: &str = "allotments@parish.example";
const TO: &str = "clerk@council.example";

#[test]
fn a_malicious_message_is_refused_with_its_reason_and_id() {
    let sink = Sink::start();
    let gate = Gate::before(&sink, "[disclosure]\nhelp = \"https://council.example/mail\"\n");
    let reply = send(&gate, &[TO], mail::REJECT);
    assert_eq!(reply.code, 550, "{reply:?}");
    let text = reply.text();
    assert!(text.starts_with("5.7.1 "), "{text}");
    assert!(
        text.contains("phishing") && text.contains("https://council.example/mail"),
        "{text}"
    );
    let id = reply.id().expect("an id in the reply");
    assert!(sink.received().is_empty());
    let line = eventually("the log line", || gate.message_lines().pop());
    assert_eq!(
        (line["id"].as_str(), line["verdict"].as_str()),
        (Some(id.as_str()), Some("reject"))
    );
    let records = eventually("the journal record", || {
        Some(gate.json(&["journal", "search", "--json"])).filter(|records| !records.is_empty())
    });
    assert_eq!(records.len(), 1, "{records:?}");
    assert_eq!(records[0]["id"].as_str(), Some(id.as_str()));
}

#[test]
fn the_reply_tells_as_much_as_it_is_set_to() {
    for (setting, tells_rule, tells_category) in
        [("rule", true, true), ("category", false, true), ("none", false, false)]
    {
        let sink = Sink::start();
        let gate = Gate::before(&sink, &format!("[disclosure]\nreply = \"{setting}\"\n"));
        let text = send(&gate, &[TO], mail::REJECT).text();
        assert_eq!(text.contains("TEST_REJECT"), tells_rule, "{setting}: {text}");
        assert!(
            tells_rule || text.contains("phishing") == tells_category,
            "{setting}: {text}"
        );
    }
}

#[test]
fn a_kept_message_is_released_once_with_its_own_envelope() {
    let sink = Sink::start();
    let gate = Gate::before(&sink, "");
    let message = mail::plain(mail::QUARANTINE);
    let mut client = Client::greeted_with(gate.smtp, "DSN");
    assert_eq!(
        client
            .say("MAIL FROM:<a@parish.example> BODY=8BITMIME RET=HDRS ENVID=QQ1")
            .code,
        250
    );
    assert_eq!(
        client
            .say("RCPT TO:<clerk@council.example> NOTIFY=NEVER ORCPT=rfc822;clerk@council.example")
            .code,
        250
    );
    let reply = client.data(&message);
    assert_eq!(reply.code, 250, "{reply:?}");
    assert!(sink.received().is_empty());
    let id = only_kept(&gate);
    assert!(release(&gate, &id), "the first release");
    assert!(!release(&gate, &id), "the second");
    let received = sink.received();
    assert_eq!(received.len(), 1);
    assert_eq!(mail::difference(&message, &received[0].bytes), None);
    assert_eq!(
        received[0].to,
        ["<clerk@council.example> NOTIFY=NEVER ORCPT=rfc822;clerk@council.example"]
    );
    for part in ["<a@parish.example>", "BODY=8BITMIME", "RET=HDRS", "ENVID=QQ1"] {
        assert!(received[0].from.contains(part), "{part} in {}", received[0].from);
    }
}

#[test]
fn many_who_release_at_once_deliver_once() {
    let sink = Sink::start();
    let gate = Gate::before(&sink, "");
    assert_eq!(send(&gate, &[TO], mail::QUARANTINE).code, 250);
    let id = only_kept(&gate);
    let released = thread::scope(|scope| {
        let hands: Vec<_> = (0..10).map(|_| scope.spawn(|| release(&gate, &id))).collect();
        hands
            .into_iter()
            .map(|hand| hand.join().unwrap())
            .filter(|&released| released)
            .count()
    });
    assert_eq!((released, sink.received().len()), (1, 1));
}

#[test]
fn a_release_that_upstream_refuses_stays_kept() {
    use crate::support::{Answer, Stage};
    let refusing = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let switch = std::sync::Arc::clone(&refusing);
    let sink = Sink::scripted(move |stage, _| match stage {
        Stage::Dot if switch.load(std::sync::atomic::Ordering::SeqCst) => Answer::say("452 4.3.1 full"),
        _ => Answer::Accept,
    });
    let gate = Gate::before(&sink, "");
    assert_eq!(send(&gate, &[TO], mail::QUARANTINE).code, 250);
    let id = only_kept(&gate);
    assert!(!release(&gate, &id));
    assert_eq!(only_kept(&gate), id, "still kept");
    refusing.store(false, std::sync::atomic::Ordering::SeqCst);
    assert!(release(&gate, &id));
    assert_eq!(sink.received().len(), 1);
}

#[test]
fn a_tagged_message_says_so_where_mail_clients_look() {
    let sink = Sink::start();
    let gate = Gate::before(&sink, "");
    let message = [
        b"X-Spam-Flag: NO\r\nX-Portreeve-Verdict: deliver\r\n".as_slice(),
        &mail::plain(mail::TAG),
    ]
    .concat();
    assert_eq!(Client::greeted(gate.smtp).deliver(FROM, &[TO], &message).code, 250);
    let delivered = &sink.received()[0].bytes;
    assert_eq!(mail::difference(&message, delivered), None);
    assert_eq!(mail::field(delivered, "X-Spam-Flag").as_deref(), Some("YES"));
    let verdict = mail::field(delivered, "X-Portreeve-Verdict").expect("the verdict");
    assert!(verdict.starts_with("tag") && verdict.contains("TEST_TAG"), "{verdict}");
    let text = String::from_utf8_lossy(delivered);
    assert_eq!(
        text.matches("X-Spam-Flag:").count(),
        1,
        "a sender's own claim is taken out"
    );
    assert_eq!(
        text.matches("X-Portreeve-Verdict:").count(),
        1,
        "a sender's own claim is taken out"
    );
}

/// Policy by recipient: who gets a message that is refused, kept or delivered for others.
#[test]
fn recipients_of_one_message_each_get_their_own_verdict() {
    let policies = "
        [[policy.recipients]]
        name = \"never refused\"
        match = [\"postmaster@\"]
        most = \"tag\"
        ";
    for (subject, recipients, code, delivered_to, kept_for) in [
        (mail::REJECT, vec!["clerk"], 550, vec![], vec![]),
        (mail::REJECT, vec!["postmaster"], 250, vec!["postmaster"], vec![]),
        (
            mail::REJECT,
            vec!["clerk", "postmaster"],
            250,
            vec!["postmaster"],
            vec!["clerk"],
        ),
        (
            mail::QUARANTINE,
            vec!["clerk", "postmaster"],
            250,
            vec!["postmaster"],
            vec!["clerk"],
        ),
        (
            mail::QUARANTINE,
            vec!["clerk", "mayor"],
            250,
            vec![],
            vec!["clerk", "mayor"],
        ),
        (
            mail::TAG,
            vec!["clerk", "postmaster"],
            250,
            vec!["clerk", "postmaster"],
            vec![],
        ),
    ] {
        let sink = Sink::start();
        let gate = Gate::before(&sink, policies);
        let full: Vec<String> = recipients
            .iter()
            .map(|name| format!("{name}@council.example"))
            .collect();
        let full: Vec<&str> = full.iter().map(String::as_str).collect();
        let reply = send(&gate, &full, subject);
        assert_eq!(reply.code, code, "{subject} to {recipients:?}: {reply:?}");
        let delivered: Vec<String> = sink.received().into_iter().flat_map(|message| message.to).collect();
        let expected: Vec<String> = delivered_to
            .iter()
            .map(|name| format!("<{name}@council.example>"))
            .collect();
        assert_eq!(delivered, expected, "{subject} to {recipients:?}");
        let kept: Vec<String> = kept(&gate)
            .iter()
            .flat_map(|entry| words(&entry["recipients"]))
            .collect();
        let expected: Vec<String> = kept_for.iter().map(|name| format!("{name}@council.example")).collect();
        assert_eq!(kept, expected, "{subject} to {recipients:?}");
    }
}

#[test]
fn when_upstream_refuses_the_others_nothing_is_kept() {
    use crate::support::{Answer, Stage};
    let sink = Sink::scripted(|stage, _| {
        if stage == Stage::Dot {
            Answer::say("451 4.3.0 later")
        } else {
            Answer::Accept
        }
    });
    let policies = "[[policy.recipients]]\nname = \"open\"\nmatch = [\"postmaster@\"]\nmost = \"tag\"\n";
    let gate = Gate::before(&sink, policies);
    let reply = send(&gate, &[TO, "postmaster@council.example"], mail::QUARANTINE);
    assert_eq!(reply.code, 451, "{reply:?}");
    assert!(kept(&gate).is_empty(), "the sender comes again with both");
}

#[test]
fn a_peer_that_queues_is_never_made_to_bounce() {
    let sink = Sink::start();
    let gate = Gate::before(&sink, "[[listener]]\npeer = \"relay\"\n");
    assert_eq!(send(&gate, &[TO], mail::REJECT).code, 250);
    assert!(sink.received().is_empty());
    assert_eq!(kept(&gate).len(), 1);
}

#[test]
fn each_mode_does_as_much_as_it_says() {
    for (mode, subject, code, delivered, kept_count) in [
        ("observe", mail::REJECT, 250, 1, 0),
        ("observe", mail::QUARANTINE, 250, 1, 0),
        ("tag", mail::REJECT, 250, 1, 0),
        ("enforce", mail::REJECT, 550, 0, 0),
        ("enforce", mail::QUARANTINE, 250, 0, 1),
    ] {
        let sink = Sink::start();
        let gate = Gate::before(&sink, &format!("[policy]\nmode = \"{mode}\"\n"));
        let reply = send(&gate, &[TO], subject);
        assert_eq!(reply.code, code, "{mode} {subject}: {reply:?}");
        let received = sink.received();
        assert_eq!(
            (received.len(), kept(&gate).len()),
            (delivered, kept_count),
            "{mode} {subject}"
        );
        if let Some(message) = received.first() {
            let flagged = mail::field(&message.bytes, "X-Spam-Flag").is_some();
            assert_eq!(flagged, mode == "tag", "{mode} {subject}");
        }
        let line = eventually("the log line", || gate.message_lines().pop());
        let would = if subject == mail::REJECT {
            "reject"
        } else {
            "quarantine"
        };
        assert_eq!(
            line["verdict"].as_str(),
            Some(would),
            "{mode}: the verdict is counted as it would have been"
        );
    }
}

#[test]
fn an_identical_retry_is_kept_once() {
    let sink = Sink::start();
    let gate = Gate::before(&sink, "");
    for _ in 0..3 {
        assert_eq!(send(&gate, &[TO], mail::QUARANTINE).code, 250);
    }
    assert_eq!(kept(&gate).len(), 1);
}

/// Sends a message with this subject.
fn send(gate: &Gate, to: &[&str], subject: &str) -> Reply {
    Client::greeted(gate.smtp).deliver(FROM, to, &mail::plain(subject))
}

/// The held messages.
fn kept(gate: &Gate) -> Vec<serde_json::Value> {
    let all = gate.json(&["quarantine", "list", "--json"]);
    all.into_iter().filter(|entry| entry["state"] == "held").collect()
}

fn only_kept(gate: &Gate) -> String {
    let kept = kept(gate);
    assert_eq!(kept.len(), 1, "{kept:?}");
    kept[0]["id"].as_str().expect("an id").to_owned()
}

fn release(gate: &Gate, id: &str) -> bool {
    gate.command(&["quarantine", "release", id, "--reason", "asked for by the clerk"])
        .status
        .success()
}

fn words(value: &serde_json::Value) -> Vec<String> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|word| word.as_str().map(str::to_owned))
        .collect()
}
