//! The same leg in LMTP: its greeting, its answers for each recipient, and its Unix sockets.

use super::super::settings::TlsMode;
use super::*;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufStream};

const BOTH: [&str; 2] = ["a@example.net", "b@example.net"];

fn lmtp(sink: &Sink) -> Arc<Route> {
    route_as(&sink.lmtp_settings())
}

fn lmtp_in_process(sink: &Sink) -> Arc<Route> {
    route_in_process(sink, |_, settings| *settings = sink.lmtp_settings())
}

async fn send(route: &Arc<Route>, recipients: &[&str]) -> Delivery {
    let transaction = opened(route, recipients).await;
    transaction
        .deliver(&envelope(recipients), &[Bytes::from_static(BODY)])
        .await
}

/// Those left out, each with what was said for it.
fn missed(delivery: Delivery) -> Vec<(usize, String)> {
    let Delivery::Partly {
        accepted,
        missed,
        retry,
    } = delivery
    else {
        panic!("{delivery:?}");
    };
    assert_eq!((accepted.code(), retry.code()), (250, 451));
    missed.into_iter().map(|one| (one.place, one.answer)).collect()
}

#[tokio::test]
async fn one_greeting_and_an_answer_for_each_recipient() {
    let sink = Sink::start().await;
    let route = lmtp(&sink);
    for _ in 0..2 {
        let delivery = send(&route, &["a@example.net", "b@example.net", "c@example.net"]).await;
        assert_eq!(delivery, Delivery::Accepted(Reply::new(250, "2.0.0", "taken")));
    }
    let heard = sink.heard();
    assert_eq!(heard.iter().filter(|line| *line == "LHLO gate.example").count(), 1);
    assert!(!heard.iter().any(|line| line.starts_with("EHLO")), "{heard:?}");
    assert_eq!(sink.connections(), 1, "in step after three answers, so used again");
    assert_eq!(sink.taken()[1].body, BODY);
}

#[tokio::test]
async fn only_recipients_that_were_taken_have_an_answer() {
    let sink = Sink::start().await;
    sink.at("RCPT", "bad@", Act::Say("550 5.1.1 unknown here\r\n"));
    let route = lmtp(&sink);
    let mut transaction = opened(&route, &["a@example.net"]).await;
    assert_eq!(transaction.rcpt(&recipient("bad@example.net")).await.code(), 550);
    assert!(transaction.rcpt(&recipient("b@example.net")).await.is_success());
    let delivery = transaction.deliver(&envelope(&BOTH), &[Bytes::from_static(BODY)]).await;
    assert_eq!(outcome(delivery), ("accepted", 250));
}

#[tokio::test]
async fn fewer_recipients_after_a_replay_have_fewer_answers() {
    let sink = Sink::start().await;
    let route = lmtp(&sink);
    let transaction = opened(&route, &BOTH).await;
    let fewer = envelope(&["b@example.net"]);
    let delivery = transaction.deliver(&fewer, &[Bytes::from_static(BODY)]).await;
    assert_eq!(outcome(delivery), ("accepted", 250));
    let mut transaction = opened(&route, &BOTH).await;
    transaction.park().await;
    let delivery = transaction.deliver(&envelope(&BOTH), &[Bytes::from_static(BODY)]).await;
    assert_eq!(outcome(delivery), ("accepted", 250));
    assert_eq!(sink.connections(), 1);
}

#[tokio::test]
async fn a_refusal_for_one_leaves_it_out_and_the_connection_whole() {
    for words in ["552 5.2.2 full\r\n", "452 4.2.2 full\r\n"] {
        let sink = Sink::start().await;
        let route = lmtp(&sink);
        sink.at("BODY", "b@", Act::Say(words));
        assert_eq!(missed(send(&route, &BOTH).await), [(1, words.trim_end().to_owned())]);
        sink.heal();
        assert_eq!(outcome(send(&route, &BOTH).await), ("accepted", 250));
        assert_eq!(sink.connections(), 1);
        assert!(sink.heard().contains(&"RSET".to_owned()));
    }
}

#[tokio::test]
async fn refused_for_all_the_sender_hears_what_loses_nothing() {
    for (first, second, told) in [
        ("550 5.1.1 gone\r\n", "552 5.2.2 full\r\n", (550, "5.1.1 gone")),
        ("550 5.1.1 gone\r\n", "452 4.2.2 full\r\n", (452, "4.2.2 full")),
        ("452 4.2.2 full\r\n", "550 5.1.1 gone\r\n", (452, "4.2.2 full")),
    ] {
        let sink = Sink::start().await;
        sink.at("BODY", "a@", Act::Say(first));
        sink.at("BODY", "b@", Act::Say(second));
        let delivery = send(&lmtp(&sink), &BOTH).await;
        let reply = Reply::from_lines(told.0, vec![told.1.into()]).unwrap();
        assert_eq!(delivery, Delivery::Refused(reply));
    }
}

#[tokio::test]
async fn answers_that_do_not_come_are_no_yes() {
    // Two recipients; who has an answer before the connection is gone.
    let sink = Sink::start().await;
    sink.at("BODY", "a@", Act::Close);
    assert_eq!(outcome(send(&lmtp(&sink), &BOTH).await), ("unsure", 451));
    sink.heal();
    sink.at("BODY", "a@", Act::SayAndClose("550 5.1.1 gone\r\n"));
    assert_eq!(outcome(send(&lmtp(&sink), &BOTH).await), ("unsure", 451));
    sink.heal();
    for act in [Act::Close, Act::Say("250_x\r\n"), Act::Say("354 go on\r\n")] {
        sink.at("BODY", "b@", act.clone());
        let missed = missed(send(&lmtp(&sink), &BOTH).await);
        assert_eq!(missed.len(), 1, "{act:?}");
        assert_eq!(missed[0].0, 1, "{act:?}");
        assert!(missed[0].1.contains("may have arrived"), "{missed:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn silence_for_one_ends_at_the_deadline_for_all() {
    let sink = Sink::start().await;
    let route = lmtp_in_process(&sink);
    sink.at("BODY", "a@", Act::Delay(200));
    sink.at("BODY", "b@", Act::Delay(200));
    let begun = tokio::time::Instant::now();
    let missed = missed(send(&route, &BOTH).await);
    assert_eq!(missed[0].0, 1);
    assert_eq!(begun.elapsed().as_secs(), Deadlines::default().upstream_dot.0.as_secs());
}

#[tokio::test]
async fn more_answers_than_recipients_are_nobodys_and_close_the_connection() {
    let sink = Sink::start().await;
    let route = lmtp(&sink);
    for words in [
        "250 2.0.0 one\r\n250 2.0.0 two\r\n",
        "550 5.1.1 one\r\n250 2.0.0 two\r\n",
        "250 2.0.0 one\r\n550 5.1.1 two\r\n",
    ] {
        sink.at("BODY", "b@", Act::Say(words));
        assert_eq!(outcome(send(&route, &BOTH).await), ("unsure", 451), "{words}");
        // For one recipient the first can only be its own, as in SMTP.
        let told = outcome(send(&route, &["b@example.net"]).await).1;
        assert_eq!(told.to_string(), words[..3], "{words}");
    }
    sink.heal();
    assert_eq!(outcome(send(&route, &BOTH).await), ("accepted", 250));
    assert_eq!(sink.connections(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_is_heard_only_when_it_is_a_yes_for_all() {
    for (act, heard_code) in [
        (Act::Delay(1), Some(250)),
        (Act::Say("550 5.1.1 gone\r\n"), Some(550)),
        (Act::Close, None),
    ] {
        let sink = Sink::start().await;
        let route = lmtp_in_process(&sink);
        sink.at("BODY", "a@", Act::Delay(400));
        sink.at("BODY", "b@", act);
        let mut transaction = opened(&route, &BOTH).await;
        let heard = Arc::new(std::sync::Mutex::new(None));
        let ear = Arc::clone(&heard);
        transaction.on_late_reply(move |reply| *ear.lock().unwrap() = Some(reply.code()));
        let delivery = transaction.deliver(&envelope(&BOTH), &[Bytes::from_static(BODY)]).await;
        assert_eq!(outcome(delivery), ("unsure", 451));
        tokio::time::sleep(Duration::from_secs(350)).await;
        assert_eq!(*heard.lock().unwrap(), heard_code);
    }
}

#[tokio::test]
async fn trouble_before_the_dot_is_what_it_is_in_smtp() {
    for (step, act, told) in [
        ("BANNER", Act::Say("554 5.7.1 not you\r\n"), ("mail", 451)),
        ("LHLO", Act::Say("550 5.7.1 not you\r\n"), ("mail", 451)),
        // RFC 2033 knows no greeting to fall back to.
        ("LHLO", Act::Say("500 5.5.1 what\r\n"), ("mail", 451)),
        ("MAIL", Act::Say("550 5.7.1 no\r\n"), ("mail", 550)),
        ("RCPT", Act::Say("452 4.2.2 full\r\n"), ("rcpt", 452)),
        ("DATA", Act::Say("554 5.3.0 no\r\n"), ("refused", 554)),
        ("DATA", Act::Close, ("not sent", 451)),
        ("MIDDLE", Act::Close, ("unsure", 451)),
        ("BODY", Act::SayAndClose("421 4.3.2 bye\r\n"), ("refused", 451)),
    ] {
        let sink = Sink::start().await;
        let route = lmtp(&sink);
        sink.at(step, "", act.clone());
        assert_eq!(converse(&route, BODY).await, told, "{step} {act:?}");
        sink.heal();
        assert_eq!(converse(&route, BODY).await, ("accepted", 250), "after {step} {act:?}");
        let heard = sink.heard();
        assert!(!heard.iter().any(|line| line.starts_with("HELO")), "{heard:?}");
    }
}

/// Says nothing but yes, one connection at a time.
async fn serve_socket(listener: tokio::net::UnixListener) {
    while let Ok((stream, _)) = listener.accept().await {
        let mut stream = BufStream::new(stream);
        stream.write_all(b"220 box\r\n").await.unwrap();
        stream.flush().await.unwrap();
        let mut is_body = false;
        let mut line = String::new();
        while stream.read_line(&mut line).await.unwrap_or(0) > 0 {
            let answer = match line.trim_end() {
                "DATA" => "354 go\r\n",
                "." => "250 2.0.0 in the box\r\n",
                _ if is_body => "",
                // Offered, and not to be taken up: nothing leaves the machine.
                greeting if greeting.starts_with("LHLO") => "250-box\r\n250 STARTTLS\r\n",
                command => {
                    assert!(!command.starts_with("STARTTLS"), "{command}");
                    "250 2.0.0 fine\r\n"
                }
            };
            is_body = answer.starts_with("354") || (is_body && line.trim_end() != ".");
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
            line.clear();
        }
    }
}

#[tokio::test]
async fn a_unix_socket_is_spoken_to_in_the_clear() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lmtp");
    let settings = Settings {
        target: Targets::One(format!("lmtp:{}", path.display()).parse().unwrap()),
        tls: TlsMode::Required,
        ..Settings::default()
    };
    let route = route_as(&settings);
    assert_eq!(converse(&route, BODY).await, ("mail", 451), "nobody is there yet");
    tokio::spawn(serve_socket(tokio::net::UnixListener::bind(&path).unwrap()));
    assert_eq!(converse(&route, BODY).await, ("accepted", 250));
}
