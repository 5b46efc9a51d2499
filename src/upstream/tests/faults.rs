//! An upstream that refuses, lies, babbles, falls silent or goes away, at every step.

use super::*;
use crate::units::Span;
use std::time::Duration;

const STEPS: [&str; 6] = ["BANNER", "EHLO", "MAIL", "RCPT", "DATA", "BODY"];

/// Where a message ends that meets trouble at a step, when the trouble is not the message's.
fn stopped_at(step: &str) -> &'static str {
    match step {
        "RCPT" => "rcpt",
        "DATA" => "not sent",
        "BODY" => "unsure",
        _ => "mail",
    }
}

/// A message meets `act` at `step`; the next one finds the server in good health again.
async fn meeting(step: &'static str, act: Act) -> (&'static str, u16) {
    let sink = Sink::start().await;
    let route = route(&sink);
    sink.at(step, "", act);
    let outcome = converse(&route, BODY).await;
    sink.heal();
    assert_eq!(
        converse(&route, BODY).await,
        ("accepted", 250),
        "after trouble at {step}"
    );
    outcome
}

#[tokio::test]
async fn refusals_of_the_message_pass_as_they_came() {
    for (step, place) in [
        ("MAIL", "mail"),
        ("RCPT", "rcpt"),
        ("DATA", "refused"),
        ("BODY", "refused"),
    ] {
        assert_eq!(meeting(step, Act::Say("550 5.7.1 no\r\n")).await, (place, 550));
        assert_eq!(
            meeting(step, Act::Say("452-4.3.1 not\r\n452 4.3.1 now\r\n")).await,
            (place, 452)
        );
    }
}

#[tokio::test]
async fn refusals_of_us_become_451() {
    for step in ["BANNER", "EHLO"] {
        assert_eq!(
            meeting(step, Act::Say("554 5.7.1 not you\r\n")).await,
            ("mail", 451),
            "{step}"
        );
        assert_eq!(
            meeting(step, Act::SayAndClose("450 wait\r\n")).await,
            ("mail", 451),
            "{step}"
        );
    }
}

#[tokio::test]
async fn a_421_never_reaches_the_client() {
    for step in STEPS {
        let place = if matches!(step, "DATA" | "BODY") {
            "refused"
        } else {
            stopped_at(step)
        };
        assert_eq!(
            meeting(step, Act::SayAndClose("421 4.3.2 bye\r\n")).await,
            (place, 451),
            "{step}"
        );
    }
}

#[tokio::test]
async fn a_dropped_connection_is_451() {
    for step in STEPS {
        assert_eq!(meeting(step, Act::Close).await, (stopped_at(step), 451), "{step}");
        assert_eq!(
            meeting(step, Act::SayAndClose("250-half a rep")).await,
            (stopped_at(step), 451),
            "{step}"
        );
    }
}

#[tokio::test]
async fn babble_is_451_and_bounded() {
    let babble: [&[u8]; 7] = [
        b"\0\xff\xfe\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"250 bare line end\n",
        b"250-one\r\n251 another\r\n",
        b"250_x\r\n",
        &[b'2'; 10 << 20],
        &b"250-on and on\r\n".repeat(100_000),
    ];
    for step in STEPS {
        for babble in babble {
            let outcome = meeting(step, Act::Spew(babble.to_vec())).await;
            let start = String::from_utf8_lossy(&babble[..5]);
            assert_eq!(outcome, (stopped_at(step), 451), "{start:?} at {step}");
        }
    }
}

#[tokio::test]
async fn an_answer_to_some_other_command_is_451() {
    for step in ["MAIL", "RCPT", "BODY"] {
        assert_eq!(
            meeting(step, Act::Say("354 go\r\n")).await,
            (stopped_at(step), 451),
            "{step}"
        );
    }
    assert_eq!(meeting("DATA", Act::Say("250 fine\r\n")).await, ("not sent", 451));
    // The second reply would be taken for that to RCPT.
    assert_eq!(
        meeting("MAIL", Act::Say("250 fine\r\n250 and more\r\n")).await,
        ("rcpt", 451)
    );
}

#[tokio::test(start_paused = true)]
async fn silence_ends_at_a_deadline() {
    for step in STEPS {
        let sink = Sink::start().await;
        let route = route_in_process(&sink, |_, _| {});
        sink.at(step, "", Act::Silence);
        assert_eq!(converse(&route, BODY).await, (stopped_at(step), 451), "{step}");
    }
}

#[tokio::test]
async fn an_upstream_that_is_not_there_is_451() {
    let sink = Sink::start().await;
    let mut settings = sink.settings();
    // A port that was free a moment ago.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    settings.target = Targets::One(format!("smtp://127.0.0.1:{port}").parse().unwrap());
    let route = route_as(&settings);
    assert_eq!(converse(&route, BODY).await, ("mail", 451));
}

#[tokio::test]
async fn a_drop_within_the_body_is_not_sent() {
    let sink = Sink::start().await;
    sink.at("MIDDLE", "", Act::Close);
    // Far more than the buffers between the two hold.
    let body = b"a line of some length\r\n".repeat(1 << 20);
    assert_eq!(converse(&route(&sink), &body).await, ("not sent", 451));
    assert!(sink.taken().is_empty());
}

#[tokio::test]
async fn a_drop_at_the_dot_is_unsure() {
    let sink = Sink::start().await;
    sink.at("BODY", "", Act::Close);
    assert_eq!(converse(&route(&sink), BODY).await, ("unsure", 451));
    assert_eq!(sink.taken().len(), 1, "it may well be theirs");
    assert_eq!(sink.connections(), 1, "never sent again by ourselves");
}

#[tokio::test]
async fn a_server_that_knows_only_helo_is_served() {
    for refusal in ["500 what?\r\n", "502 what?\r\n"] {
        let sink = Sink::start().await;
        sink.at("EHLO", "", Act::Say(refusal));
        assert_eq!(converse(&route(&sink), BODY).await, ("accepted", 250));
        assert!(sink.heard().contains(&"HELO gate.example".to_owned()));
    }
}

#[tokio::test]
async fn softening_follows_the_settings() {
    let sink = Sink::start().await;
    let mut settings = sink.settings();
    settings.soft_codes = vec!["550 5.7.64".into()];
    let route = route_as(&settings);
    sink.at(
        "RCPT",
        "",
        Act::Say("550 5.7.64 TenantAttribution; Relay Access Denied\r\n"),
    );
    assert_eq!(converse(&route, BODY).await, ("rcpt", 451));
    sink.at("RCPT", "", Act::Say("550 5.1.1 unknown\r\n"));
    assert_eq!(converse(&route, BODY).await, ("rcpt", 550));
    settings.soft_reject = true;
    let route = route_as(&settings);
    assert_eq!(converse(&route, BODY).await, ("rcpt", 451));
}

#[tokio::test]
async fn another_target_is_tried_before_mail_is_accepted_and_not_after() {
    let (first, second) = (Sink::start().await, Sink::start().await);
    let settings = Settings {
        target: Targets::Several(vec![first.url(), second.url()]),
        ..Settings::default()
    };
    for act in [Act::Close, Act::Say("554 no\r\n"), Act::SayAndClose("421 no\r\n")] {
        for step in ["BANNER", "EHLO"] {
            let route = route_as(&settings);
            first.at(step, "", act.clone());
            assert_eq!(converse(&route, BODY).await, ("accepted", 250), "{step}");
            let tried = first.connections();
            assert_eq!(converse(&route, BODY).await, ("accepted", 250), "{step}");
            assert_eq!(first.connections(), tried, "it rests for a while");
            first.heal();
        }
    }
    for (step, place) in [("RCPT", "rcpt"), ("DATA", "not sent"), ("BODY", "unsure")] {
        let route = route_as(&settings);
        let taken = second.taken().len();
        first.at(step, "", Act::Close);
        assert_eq!(converse(&route, BODY).await, (place, 451));
        assert_eq!(second.taken().len(), taken);
        first.heal();
    }
    // A refusal of the sender is an answer, not a fault.
    first.at("MAIL", "", Act::Say("550 5.7.1 no\r\n"));
    let route = route_as(&settings);
    assert_eq!(converse(&route, BODY).await, ("mail", 550));
}

#[tokio::test(start_paused = true)]
async fn a_slow_upstream_has_until_its_deadline() {
    let sink = Sink::start().await;
    sink.at("MAIL", "", Act::Silence);
    let route = route_in_process(&sink, |parts, _| {
        parts.deadlines.upstream_open = Span(Duration::from_secs(10))
    });
    let before = tokio::time::Instant::now();
    assert_eq!(converse(&route, BODY).await, ("mail", 451));
    assert_eq!(
        before.elapsed().as_secs(),
        10,
        "paused time passes only at the deadline"
    );
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_to_the_dot_is_heard() {
    for (act, heard) in [
        (Act::Delay(400), Some(250)),
        (Act::Delay(700), None),
        (Act::Close, None),
    ] {
        let sink = Sink::start().await;
        let route = route_in_process(&sink, |_, _| {});
        sink.at("BODY", "", act.clone());
        let mut transaction = opened(&route, &["a@example.net"]).await;
        let (sender, receiver) = tokio::sync::oneshot::channel();
        transaction.on_late_reply(|reply| sender.send(reply.code()).unwrap());
        let delivery = transaction
            .deliver(&envelope(&["a@example.net"]), &[Bytes::from_static(BODY)])
            .await;
        assert_eq!(outcome(delivery), ("unsure", 451));
        assert_eq!(receiver.await.ok(), heard, "{act:?}");
    }
}
