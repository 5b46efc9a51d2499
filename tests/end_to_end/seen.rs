//! What can be seen from outside: one log line and one count a message, series that don't grow.

use crate::support::{Client, Gate, Sink, eventually, mail};

const TO: &str = "clerk@council.example";

#[test]
fn each_message_is_logged_and_counted_once() {
    let sink = Sink::start();
    let gate = Gate::before(&sink, "");
    let mut client = Client::greeted(gate.smtp);
    let subjects = ["Hello", mail::TAG, mail::QUARANTINE, mail::REJECT, "Hello again"];
    for subject in subjects {
        client.deliver("allotments@parish.example", &[TO], &mail::plain(subject));
    }
    let lines = eventually("five lines", || {
        Some(gate.message_lines()).filter(|lines| lines.len() >= subjects.len())
    });
    let verdicts: Vec<&str> = lines.iter().filter_map(|line| line["verdict"].as_str()).collect();
    assert_eq!(verdicts, ["deliver", "tag", "quarantine", "reject", "deliver"]);
    assert_eq!(gate.metric_sum("portreeve_messages_total"), 5.0);
    for (verdict, count) in [("deliver", 2.0), ("tag", 1.0), ("quarantine", 1.0), ("reject", 1.0)] {
        let (_, page) = gate.get("/metrics").unwrap();
        let series = page.lines().filter(|line| {
            line.starts_with("portreeve_messages_total{") && line.contains(&format!("verdict=\"{verdict}\""))
        });
        let sum: f64 = series
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum();
        assert_eq!(sum, count, "{verdict}");
    }
    let ids: std::collections::BTreeSet<&str> = lines.iter().filter_map(|line| line["id"].as_str()).collect();
    assert_eq!(ids.len(), 5);
    let findings = lines[3]["findings"].to_string();
    assert!(findings.contains("TEST_REJECT"), "{findings}");
}

#[test]
fn what_an_attacker_writes_never_breaks_a_log_line() {
    let sink = Sink::start();
    let gate = Gate::before(&sink, "");
    let mut client = Client::connect(gate.smtp);
    client.reply();
    client.say("EHLO x\u{1b}[31m\u{7f}y");
    client.say("EHLO client.example");
    let long = "long ".repeat(20_000);
    let subject = format!("a\u{1b}[2J\u{202e}b =?utf-8?Q?c=0D=0A{{=22verdict=22:=22deliver=22}}?= {long}");
    let message = format!("From: \"\u{1b}]0;x\u{7}\" <a@parish.example>\r\nSubject: {subject}\r\n\r\nx\r\n");
    let reply = client.deliver("a@parish.example", &[TO], message.as_bytes());
    assert_eq!(reply.code, 250, "{reply:?}");
    eventually("the line", || gate.message_lines().pop());
    let log = gate.log();
    assert_eq!(gate.message_lines().len(), 1, "one message, one line");
    assert!(
        !log.contains('\u{1b}') && !log.contains('\u{7f}') && !log.contains('\u{202e}'),
        "escaped"
    );
    assert!(log.lines().all(|line| line.len() < 20_000), "cut");
}

#[test]
fn the_number_of_series_doesnt_depend_on_traffic() {
    let sink = Sink::start();
    let gate = Gate::before(&sink, "");
    let series = || {
        let (_, page) = gate.get("/metrics").unwrap();
        page.lines().filter(|line| line.starts_with("portreeve_")).count()
    };
    let before = series();
    for number in 0..40 {
        let mut client = Client::connect(gate.smtp);
        client.reply();
        client.say(&format!("EHLO host{number}.example"));
        let subject = [mail::TAG, mail::QUARANTINE, mail::REJECT, "Hello"][number % 4];
        client.deliver(
            &format!("sender{number}@parish{number}.example"),
            &[TO],
            &mail::plain(&format!("{subject} {number}")),
        );
    }
    assert_eq!(series(), before);
    assert!(before <= 500 + 6 * 3, "{before}");
}

#[test]
fn health_and_readiness_answer_and_nothing_can_be_written() {
    let sink = Sink::start();
    let gate = Gate::before(&sink, "");
    for (path, status) in [
        ("/healthz", 200),
        ("/readyz", 200),
        ("/metrics", 200),
        ("/", 404),
        ("/../etc/passwd", 404),
    ] {
        let answer = gate.get(path).map(|(status, _)| status);
        assert!(
            answer == Some(status) || (path == "/" && answer == Some(200)),
            "{path}: {answer:?}"
        );
    }
}

#[test]
fn scan_and_the_gate_agree() {
    let sink = Sink::start();
    let gate = Gate::before(&sink, "");
    for (subject, verdict, code) in [
        ("Hello", "deliver", 0),
        (mail::TAG, "tag", 1),
        (mail::QUARANTINE, "quarantine", 1),
        (mail::REJECT, "reject", 1),
    ] {
        std::fs::write(gate.folder().join("one.eml"), mail::plain(subject)).unwrap();
        let output = gate.command(&["scan", "--json", "one.eml"]);
        assert_eq!(output.status.code(), Some(code), "{subject}: {output:?}");
        let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(result["verdict"], verdict, "{result}");
        for key in [
            "path",
            "id",
            "score",
            "severity",
            "category",
            "findings",
            "defects",
            "unscanned",
        ] {
            assert!(result.get(key).is_some(), "{key} in {result}");
        }
    }
}
