//! An upstream that refuses, stumbles or goes away, at each stage: the sender is told what lets it
//! do the right thing, and a 250 is never said for mail that nobody has.

use crate::support::sink::Behaviour;
use crate::support::{Answer, Client, Gate, Reply, Sink, Stage, free_address, mail};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const FROM: &str = "allotments@parish.example";
const TO: &str = "clerk@council.example";

#[test]
fn upstreams_refusals_are_passed_back_or_softened() {
    for (stage, answer, code) in [
        // At MAIL, RCPT and the dot: its own class and code.
        (Stage::Mail, "452 4.3.1 no room", 452),
        (Stage::Mail, "550 5.7.1 not you", 550),
        (Stage::Mail, "553 5.1.8 no such domain", 553),
        (Stage::Rcpt, "450 4.2.1 later", 450),
        (Stage::Rcpt, "550 5.1.1 no such user", 550),
        (Stage::Dot, "452 4.3.1 no room", 452),
        (Stage::Dot, "554 5.7.1 not this", 554),
        (Stage::Data, "451 4.3.0 later", 451),
        // A fault of upstream's set-up must not bounce the town's mail.
        (Stage::Connect, "554 5.3.2 no service", 451),
        (Stage::Connect, "421 4.3.2 busy", 451),
        (Stage::Hello, "550 5.7.1 who are you", 451),
        (Stage::Mail, "421 4.3.2 closing", 451),
        (Stage::Rcpt, "421 4.3.2 closing", 451),
        (Stage::Dot, "421 4.3.2 closing", 451),
    ] {
        let sink = Sink::scripted(move |now, _| {
            if now == stage {
                Answer::say(answer)
            } else {
                Answer::Accept
            }
        });
        let gate = Gate::before(&sink, "");
        let reply = attempt(&gate);
        assert_eq!(reply.code, code, "{stage:?} {answer}: {reply:?}");
        assert!(sink.received().is_empty());
    }
}

#[test]
fn soft_codes_and_soft_reject_turn_a_refusal_into_a_retry() {
    for (settings, answer, code) in [
        ("soft_codes = [\"550 5.7.64\"]", "550 5.7.64 TenantAttribution; no", 451),
        ("soft_codes = [\"550 5.7.64\"]", "550 5.7.1 not you", 550),
        ("soft_reject = true", "550 5.7.1 not you", 451),
        ("soft_reject = true", "452 4.3.1 no room", 452),
    ] {
        for stage in [Stage::Mail, Stage::Rcpt, Stage::Dot] {
            let sink = Sink::scripted(move |now, _| {
                if now == stage {
                    Answer::say(answer)
                } else {
                    Answer::Accept
                }
            });
            let gate = Gate::before(&sink, &format!("[upstream]\n{settings}\n"));
            let reply = attempt(&gate);
            assert_eq!(reply.code, code, "{settings}, {stage:?} {answer}: {reply:?}");
            let softened = f64::from(u8::from(code == 451));
            assert_eq!(
                gate.metric_sum("portreeve_upstream_softened_total"),
                softened,
                "somebody is told"
            );
        }
    }
}

#[test]
fn the_next_target_takes_over_before_mail_is_accepted_and_gives_back() {
    let is_up = Arc::new(AtomicUsize::new(0));
    let up = Arc::clone(&is_up);
    let preferred = Sink::scripted(move |stage, _| match stage {
        Stage::Connect if up.load(Ordering::SeqCst) == 0 => Answer::say("421 4.3.2 in maintenance"),
        _ => Answer::Accept,
    });
    let (nobody, other) = (free_address(), Sink::start());
    let settings = format!(
        "[upstream]\ntarget = [\"smtp://{nobody}\", {:?}, {:?}]\n[deadlines]\nupstream_rest = \"1s\"\n",
        preferred.target(),
        other.target()
    );
    let gate = Gate::before(&other, &settings);
    assert_eq!(attempt(&gate).code, 250);
    assert_eq!((preferred.received().len(), other.received().len()), (0, 1));
    is_up.store(1, Ordering::SeqCst);
    crate::support::eventually("the preferred one has mail again", || {
        assert_eq!(attempt(&gate).code, 250);
        (!preferred.received().is_empty()).then_some(())
    });
}

/// After the dot nobody else is asked: the message may be the first one's already.
#[test]
fn a_target_that_fails_at_the_dot_hands_nothing_to_the_next() {
    let preferred = Sink::scripted(|stage, _| match stage {
        Stage::Dot => Answer::KeepAndClose,
        _ => Answer::Accept,
    });
    let other = Sink::start();
    let settings = format!(
        "[upstream]\ntarget = [{:?}, {:?}]\n",
        preferred.target(),
        other.target()
    );
    let gate = Gate::before(&other, &settings);
    assert_eq!(attempt(&gate).code, 451);
    assert_eq!((preferred.received().len(), other.received().len()), (1, 0));
}

/// Three who hold every connection to the server behind, after MAIL, after RCPT and in the body: a fourth gets one all
/// the same, and when they go on, so do they.
#[test]
fn who_dawdles_in_a_transaction_doesnt_keep_others_from_the_server_behind() {
    let sink = Sink::start();
    let settings = "[upstream]\nconnections = 3\n[deadlines]\nupstream_pool = \"50s\"\nslow_data = \"50s\"\n";
    let gate = Gate::before(&sink, settings);
    let [mut after_mail, mut after_rcpt, mut in_body] = [(); 3].map(|()| Client::greeted(gate.smtp));
    for client in [&mut after_mail, &mut after_rcpt, &mut in_body] {
        assert_eq!(client.say(&format!("MAIL FROM:<{FROM}>")).code, 250);
    }
    for client in [&mut after_rcpt, &mut in_body] {
        assert_eq!(client.say(&format!("RCPT TO:<{TO}>")).code, 250);
    }
    assert_eq!(in_body.say("DATA").code, 354);
    in_body.send(b"Subject: Half");
    for _ in 0..3 {
        assert_eq!(attempt(&gate).code, 250);
    }
    assert_eq!(after_mail.say(&format!("RCPT TO:<{TO}>")).code, 250);
    for client in [&mut after_mail, &mut after_rcpt] {
        assert_eq!(client.data(&mail::plain("At last")).code, 250);
    }
    in_body.send(b" and half\r\n\r\n.\r\n");
    assert_eq!(in_body.reply().code, 250);
    assert_eq!(sink.received().len(), 6);
    assert_eq!(gate.metric_sum("portreeve_rejects_total"), 0.0);
}

#[test]
fn an_upstream_that_goes_away_or_talks_nonsense_is_a_reason_to_retry() {
    let endless = b"250-more\r\n".repeat(20_000);
    let long_line = [b"250 ".to_vec(), vec![b'x'; 10_000_000], b"\r\n".to_vec()].concat();
    for stage in [
        Stage::Connect,
        Stage::Hello,
        Stage::Mail,
        Stage::Rcpt,
        Stage::Data,
        Stage::Dot,
    ] {
        for answer in [
            Answer::Close,
            Answer::Raw(b"hello there\r\n".to_vec()),
            Answer::Raw(b"250-one\r\n550 two\r\n".to_vec()),
            Answer::Raw(b"\r\n".to_vec()),
            Answer::Raw(b"999 what\r\n".to_vec()),
            Answer::Raw(b"\xff\xfe\x00\r\n".to_vec()),
            Answer::Raw(endless.clone()),
            Answer::Raw(long_line.clone()),
        ] {
            let shown = format!("{answer:.60?}");
            let sink = Sink::scripted(move |now, _| if now == stage { answer.clone() } else { Answer::Accept });
            // After nonsense the sink is done with that command and waits: so must the gate be.
            let gate = Gate::before(&sink, "[deadlines]\nupstream_dot = \"5s\"\n");
            let reply = attempt(&gate);
            assert_eq!(reply.class(), 4, "{stage:?} {shown}: {reply:?}");
            assert!(sink.received().is_empty());
            assert_eq!(gate.get("/healthz").map(|(status, _)| status), Some(200));
        }
    }
}

#[test]
fn an_upstream_that_isnt_there_is_a_reason_to_retry() {
    let nobody = free_address();
    let sink = Sink::start();
    let gate = Gate::before(&sink, &format!("[upstream]\ntarget = \"smtp://{nobody}\"\n"));
    let reply = attempt(&gate);
    assert_eq!(reply.code, 451, "{reply:?}");
}

/// The connection is made by the kernel, and that is all that ever comes.
#[test]
fn a_server_behind_nobody_hears_from_is_451() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = silent.local_addr().expect("bound");
    let sink = Sink::start();
    let gate = Gate::before(
        &sink,
        &format!("[upstream]\ntarget = \"smtp://{address}\"\n[deadlines]\nupstream_hello = \"500ms\"\n"),
    );
    let reply = attempt(&gate);
    assert_eq!(reply.code, 451, "{reply:?}");
}

#[test]
fn silence_or_a_broken_connection_at_the_dot_is_never_a_250() {
    for answer in [Answer::Close, Answer::KeepAndClose, Answer::Silence] {
        let shown = format!("{answer:?}");
        let sink = Sink::scripted(move |now, _| {
            if now == Stage::Dot {
                answer.clone()
            } else {
                Answer::Accept
            }
        });
        let gate = Gate::before(&sink, "[deadlines]\nupstream_dot = \"2s\"\n");
        let reply = attempt(&gate);
        assert_eq!(reply.code, 451, "{shown}: {reply:?}");
    }
}

#[test]
fn a_late_250_is_remembered_and_the_retry_makes_no_second_copy() {
    let answered = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&answered);
    let sink = Sink::scripted(move |now, _| {
        if now == Stage::Dot && count.load(Ordering::SeqCst) == 0 {
            std::thread::sleep(Duration::from_secs(4));
            count.fetch_add(1, Ordering::SeqCst);
        }
        Answer::Accept
    });
    let gate = Gate::before(&sink, "[deadlines]\nupstream_dot = \"1s\"\n");
    assert_eq!(attempt(&gate).code, 451);
    crate::support::eventually("the late answer", || {
        (answered.load(Ordering::SeqCst) == 1).then_some(())
    });
    // The answer still has to travel one loopback connection.
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(attempt(&gate).code, 250);
    assert_eq!(sink.received().len(), 1);
}

#[test]
fn recipients_that_upstream_refuses_are_refused_and_the_rest_delivered() {
    let sink = Sink::scripted(|stage, argument| match stage {
        Stage::Rcpt if argument.contains("left") => Answer::say("550 5.1.1 no such user"),
        Stage::Rcpt if argument.contains("full") => Answer::say("452 4.2.2 mailbox full"),
        _ => Answer::Accept,
    });
    let gate = Gate::before(&sink, "");
    let mut client = Client::greeted(gate.smtp);
    assert_eq!(client.say("MAIL FROM:<allotments@parish.example>").code, 250);
    let codes =
        ["left", "clerk", "full", "mayor"].map(|name| client.say(&format!("RCPT TO:<{name}@council.example>")).code);
    assert_eq!(codes, [550, 250, 452, 250]);
    assert_eq!(client.data(&mail::plain("Some of you")).code, 250);
    assert_eq!(
        sink.received()[0].to,
        ["<clerk@council.example>", "<mayor@council.example>"]
    );
}

#[test]
fn ehlo_follows_what_upstream_can_do() {
    for keywords in [
        vec![],
        vec!["SIZE 1000000"],
        vec!["8BITMIME", "PIPELINING"],
        vec!["SMTPUTF8", "SIZE"],
    ] {
        let sink = Behaviour::default().keywords(&keywords).start();
        let gate = Gate::before(&sink, "");
        let reply = Client::greeted(gate.smtp).deliver(FROM, &[TO], &mail::plain("Grüße"));
        assert_eq!(reply.code, 250, "{keywords:?}: {reply:?}");
        // By now upstream has been seen.
        let mut client = Client::connect(gate.smtp);
        client.reply();
        let hello = client.say("EHLO client.example");
        assert_eq!(
            hello.offers("SMTPUTF8"),
            keywords.contains(&"SMTPUTF8"),
            "{keywords:?}: {hello:?}"
        );
        assert!(hello.offers("8BITMIME") && hello.offers("PIPELINING"), "{hello:?}");
        if keywords.contains(&"SIZE 1000000") {
            assert!(
                hello.lines.iter().any(|line| line == "SIZE 1000000"),
                "the smaller of ours and theirs: {hello:?}"
            );
        }
    }
}

/// Sends a message; the first reply that isn't a success, or the last.
fn attempt(gate: &Gate) -> Reply {
    let mut client = Client::greeted(gate.smtp);
    for command in [format!("MAIL FROM:<{FROM}>"), format!("RCPT TO:<{TO}>")] {
        let reply = client.say(&command);
        if reply.class() != 2 {
            return reply;
        }
    }
    client.data(&mail::plain("An attempt"))
}
