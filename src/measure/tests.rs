//! Archived messages under small sets of rules.

use super::*;
use crate::verdict::Settings;

fn set(rules: &[(&str, f64, &str, &str)]) -> RuleSet {
    let folder = tempfile::tempdir().unwrap();
    let text: String = rules
        .iter()
        .map(|(id, score, more, when)| {
            format!("[[rule]]\nid = '{id}'\nsummary = 'x'\ncategory = 'spam'\nseverity = 'low'\nscore = {score:.1}\n{more}\nwhen = '''{when}'''\n")
        })
        .collect();
    let path = folder.path().join("rules.toml");
    std::fs::write(&path, text).unwrap();
    RuleSet::load(&[path], now()).unwrap().set
}

fn now() -> Timestamp {
    "2026-01-05T09:00:00Z".parse().unwrap()
}

fn bench(reading: Reading) -> Bench {
    Bench {
        policy: Arc::new(Policy::new(&Settings::default()).unwrap()),
        parsing: message::Limits::default(),
        reading,
        now: now(),
    }
}

fn judged(set: &RuleSet, subject: &str, reading: Reading) -> Judged {
    let mail = format!(
        "Return-Path: <a@sender.example>\r\nReceived: from x (x.sender.example [203.0.113.9]) by mx.council.example;\r\n Sun, 4 Jan 2026 09:00:00 +0000\r\nX-Spam-Flag: YES\r\nDate: Sat, 3 Jan 2026 09:00:00 +0000\r\nSubject: {subject}\r\n\r\nx\r\n"
    );
    let bench = bench(reading);
    bench.see(mail.into_bytes(), |evidence| bench.judge(set, evidence))
}

#[test]
fn rules_that_alone_change_the_action_are_named_whether_they_act_or_not() {
    // By default 5 points tag and 8 quarantine.
    let set = set(&[
        ("HALF", 3.0, "", "subject.contains('half')"),
        ("WHOLE", 6.0, "", "subject.contains('whole')"),
        ("OTHER", 6.0, "group = 'g'", "subject.contains('other')"),
        ("LIKE_OTHER", 6.0, "group = 'g'", "subject.contains('like')"),
        ("SHADOW", 5.0, "status = 'shadow'", "subject.contains('shade')"),
        ("TRUST", -3.0, "", "subject.contains('trusted')"),
    ]);
    for (subject, action, sole) in [
        ("nothing", Action::Deliver, &[][..]),
        ("half", Action::Deliver, &[]),
        ("whole", Action::Tag, &["WHOLE"]),
        ("whole half", Action::Quarantine, &["HALF", "WHOLE"]),
        ("other like", Action::Tag, &[]),
        ("shade", Action::Deliver, &["SHADOW"]),
        // With it the sum would be 14, and 9 come to the same.
        ("half whole shade", Action::Quarantine, &["HALF", "WHOLE"]),
        ("whole trusted", Action::Deliver, &["TRUST"]),
        ("half trusted", Action::Deliver, &[]),
    ] {
        let judged = judged(&set, subject, Reading::default());
        assert_eq!(judged.action, action, "{subject}");
        assert_eq!(judged.sole_causes, sole, "{subject}");
    }
}

#[test]
fn what_archived_mail_lacks_is_unknown_unless_it_is_read_from_the_header() {
    let set = set(&[
        ("CLIENT", 1.0, "", "client.ip == '203.0.113.9'"),
        ("PORT", 1.0, "", "client.port > 0"),
        ("BOUNCE", 1.0, "", "envelope.from == 'a@sender.example'"),
        ("FOR", 1.0, "", "present(envelope.to)"),
        ("AGE", 1.0, "", "message.age == 1d"),
        ("FLAG", 1.0, "", "header('X-Spam-Flag').any(f, f == 'YES')"),
        ("HISTORY", 1.0, "", "history.from.messages_before > 1"),
    ]);
    let ids =
        |judged: &Judged| -> Vec<String> { judged.findings.iter().map(|finding| finding.rule.id.clone()).collect() };
    let plain = judged(&set, "x", Reading::default());
    assert_eq!(ids(&plain), ["AGE", "FLAG"]);
    let lacks: Vec<_> = plain
        .undecided
        .iter()
        .map(|lack| (lack.rule.as_str(), lack.check))
        .collect();
    assert_eq!(
        lacks,
        [
            ("CLIENT", "client.ip"),
            ("PORT", "client.port"),
            ("BOUNCE", "envelope.from"),
            ("FOR", "envelope.to"),
            ("HISTORY", "history.from"),
        ]
    );
    let from_headers = Reading {
        relays: Some(Vec::new()),
        traps: Traps {
            verdicts: true,
            ..Traps::default()
        },
    };
    let read = judged(&set, "x", from_headers);
    assert_eq!(ids(&read), ["CLIENT", "BOUNCE", "AGE"]);
    let lacks: Vec<_> = read.undecided.iter().map(|lack| lack.check).collect();
    assert_eq!(lacks, ["client.port", "envelope.to", "history.from"]);
}

#[test]
fn texts_are_told_apart_by_what_a_person_reads() {
    let digest = |mail: &str| text_digest(&Message::parse(mail.as_bytes(), &message::Limits::default()));
    let plain = digest("Subject: a\r\n\r\nHello\r\n");
    assert_eq!(
        plain,
        digest("Subject: b\r\nContent-Type: text/html\r\n\r\n<p>Hello</p>\r\n")
    );
    assert_ne!(plain, digest("Subject: a\r\n\r\nHello you\r\n"));
    // Without a text, by the subject.
    assert_ne!(digest("Subject: a\r\n\r\n"), digest("Subject: b\r\n\r\n"));
}
