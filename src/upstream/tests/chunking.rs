//! Messages sent by BDAT where the server takes them so: as they are, and with the same care as at a dot.

use super::*;
use std::time::Duration;

const OFFERS: [&str; 3] = ["PIPELINING", "8BITMIME", "CHUNKING"];

async fn sink() -> Sink {
    let sink = Sink::start().await;
    sink.offer(OFFERS.to_vec());
    sink
}

fn chunking(sink: &Sink) -> Settings {
    Settings {
        chunking: true,
        ..sink.settings()
    }
}

fn in_process(sink: &Sink) -> Arc<Route> {
    route_in_process(sink, |_, settings| settings.chunking = true)
}

/// Far more than the buffers between the two hold.
fn large() -> Vec<u8> {
    b"a line of some length\r\n".repeat(1 << 18)
}

fn says(sink: &Sink, verb: &str) -> bool {
    sink.heard().iter().any(|line| line.starts_with(verb))
}

#[tokio::test]
async fn it_needs_an_offer_and_a_setting() {
    for (offered, set) in [(true, true), (true, false), (false, true)] {
        let sink = sink().await;
        if !offered {
            sink.offer(vec!["PIPELINING"]);
        }
        let settings = Settings {
            chunking: set,
            ..sink.settings()
        };
        let route = route_as(&settings);
        assert_eq!(converse(&route, BODY).await, ("accepted", 250));
        assert_eq!(
            (says(&sink, "BDAT"), says(&sink, "DATA")),
            (offered && set, !(offered && set))
        );
        assert_eq!(sink.taken()[0].body, BODY);
    }
    assert!(!Settings::default().chunking);
}

#[tokio::test]
async fn any_message_arrives_as_it_is_and_leaves_the_connection_in_step() {
    let sink = sink().await;
    let route = route_as(&chunking(&sink));
    let bodies: [&[u8]; 9] = [
        b"",
        b".",
        b".\r\n",
        b"Subject: x\r\n\r\n.\r\n..\r\n.QUIT\r\n",
        b"no line end at the end",
        b"\r\n.\r\n\r\nMAIL FROM:<x@example.org>\r\n",
        b"bare\nline\rends\0\xff",
        b"BDAT 0 LAST\r\n",
        &large(),
    ];
    for (count, body) in bodies.into_iter().enumerate() {
        assert_eq!(converse(&route, body).await, ("accepted", 250));
        assert!(sink.taken()[count].body == body, "{}", body.len());
        assert!(sink.heard().contains(&format!("BDAT {} LAST", body.len())));
    }
    assert_eq!(sink.connections(), 1);
}

#[tokio::test]
async fn pieces_make_one_chunk() {
    let sink = sink().await;
    let pieces = ["Subject: x\r\n", "", "\r\n.\r", "\n."].map(|piece| Bytes::from_static(piece.as_bytes()));
    let delivery = route_as(&chunking(&sink))
        .deliver(&Client::default(), &envelope(&["a@example.net"]), &pieces)
        .await;
    assert_eq!(outcome(delivery), ("accepted", 250));
    assert_eq!(sink.taken()[0].body, b"Subject: x\r\n\r\n.\r\n.");
}

#[tokio::test]
async fn a_refusal_is_the_messages_and_is_followed_by_rset() {
    for (words, told) in [
        ("554 5.7.1 no\r\n", 554),
        ("452 4.3.1 not now\r\n", 452),
        ("503 5.5.1 what\r\n", 503),
    ] {
        // At its end, or before the chunk was read.
        for step in ["BODY", "BDAT"] {
            let sink = sink().await;
            let route = route_as(&chunking(&sink));
            sink.at(step, "", Act::Say(words));
            assert_eq!(converse(&route, BODY).await, ("refused", told), "{step}");
            sink.heal();
            assert_eq!(converse(&route, BODY).await, ("accepted", 250));
            assert_eq!(sink.connections(), 1);
            assert!(says(&sink, "RSET"));
        }
    }
}

#[tokio::test]
async fn a_refusal_before_the_end_is_heard_though_the_server_listens_no_more() {
    for (words, told) in [
        ("552 5.3.4 too big\r\n", ("refused", 552)),
        ("452 4.3.1 not now\r\n", ("refused", 452)),
        ("421 4.3.2 bye\r\n", ("refused", 451)),
        // Nothing that can be meant for this message, of which it has not seen the end.
        ("250 2.0.0 taken\r\n", ("not sent", 451)),
        ("354 go\r\n", ("not sent", 451)),
    ] {
        let sink = sink().await;
        let route = in_process(&sink);
        sink.at("BDAT", "", Act::SayAndClose(words));
        assert_eq!(converse(&route, &large()).await, told, "{words}");
        sink.heal();
        assert_eq!(converse(&route, BODY).await, ("accepted", 250));
        assert_eq!(sink.connections(), 2);
    }
}

#[tokio::test]
async fn a_drop_before_the_last_octet_is_not_sent_and_after_it_unsure() {
    for (step, body, told) in [
        ("BDAT", large(), ("not sent", 451)),
        ("MIDDLE", large(), ("not sent", 451)),
        // In one write with its command, so it may all have left.
        ("BDAT", BODY.to_vec(), ("unsure", 451)),
        ("BODY", BODY.to_vec(), ("unsure", 451)),
        ("BODY", large(), ("unsure", 451)),
        ("BODY", Vec::new(), ("unsure", 451)),
    ] {
        let sink = sink().await;
        let route = in_process(&sink);
        sink.at(step, "", Act::Close);
        assert_eq!(converse(&route, &body).await, told, "{step}, {} octets", body.len());
        assert_eq!(sink.connections(), 1, "never sent again by ourselves");
    }
}

#[tokio::test]
async fn an_answer_left_over_from_before_never_passes_for_the_messages() {
    for step in ["RCPT", "BODY"] {
        let sink = sink().await;
        let route = in_process(&sink);
        let told = if step == "RCPT" { "not sent" } else { "unsure" };
        sink.at(step, "", Act::Say("250 2.0.0 fine\r\n554 5.7.1 no\r\n"));
        assert_eq!(converse(&route, BODY).await, (told, 451), "{step}");
        assert_eq!(says(&sink, "BDAT"), step == "BODY");
        sink.heal();
        assert_eq!(converse(&route, BODY).await, ("accepted", 250));
        assert_eq!(sink.connections(), 2);
    }
    // A goodbye is another matter.
    let sink = sink().await;
    sink.at("BODY", "", Act::SayAndClose("250 2.0.0 fine\r\n421 4.3.2 bye\r\n"));
    assert_eq!(converse(&in_process(&sink), BODY).await, ("accepted", 250));
}

#[tokio::test]
async fn nonsense_for_an_answer_is_unsure() {
    for words in ["354 go\r\n", "250_x\r\n", "hello\r\n"] {
        let sink = sink().await;
        let route = route_as(&chunking(&sink));
        sink.at("BODY", "", Act::Say(words));
        assert_eq!(converse(&route, BODY).await, ("unsure", 451), "{words}");
        sink.heal();
        assert_eq!(converse(&route, BODY).await, ("accepted", 250));
        assert_eq!(sink.connections(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_is_heard() {
    for (act, heard) in [
        (Act::Delay(400), Some(250)),
        (Act::Delay(700), None),
        (Act::Silence, None),
    ] {
        let sink = sink().await;
        let route = in_process(&sink);
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

#[tokio::test(start_paused = true)]
async fn a_server_that_takes_nothing_is_given_up() {
    let sink = sink().await;
    // The script answers nothing and reads on; so the body is what it never reads.
    sink.at("BDAT", "", Act::Delay(100_000));
    let begun = tokio::time::Instant::now();
    assert_eq!(converse(&in_process(&sink), &large()).await, ("not sent", 451));
    let patience = Deadlines::default().upstream_block.0 + Duration::from_secs(1);
    assert_eq!(begun.elapsed().as_secs(), patience.as_secs());
}

#[tokio::test]
async fn lmtp_has_an_answer_for_each_recipient() {
    let sink = sink().await;
    let settings = Settings {
        chunking: true,
        ..sink.lmtp_settings()
    };
    let route = route_as(&settings);
    let both = ["a@example.net", "b@example.net"];
    let send = async || {
        let transaction = opened(&route, &both).await;
        transaction.deliver(&envelope(&both), &[Bytes::from_static(BODY)]).await
    };
    assert_eq!(outcome(send().await), ("accepted", 250));
    assert_eq!(sink.taken()[0].body, BODY);
    sink.at("BODY", "b@", Act::Say("552 5.2.2 full\r\n"));
    let Delivery::Partly { missed, .. } = send().await else {
        panic!("somebody is left out");
    };
    assert_eq!((missed.len(), missed[0].place), (1, 1));
    sink.heal();
    assert_eq!(outcome(send().await), ("accepted", 250));
    assert_eq!(sink.connections(), 1);
    assert!(!says(&sink, "DATA"));
}

#[tokio::test]
async fn a_refusal_in_the_midst_of_data_is_heard_too() {
    let sink = Sink::start().await;
    let route = route_in_process(&sink, |_, _| {});
    sink.at("DATA", "", Act::SayAndClose("354 go\r\n552 5.3.4 too big\r\n"));
    assert_eq!(converse(&route, &large()).await, ("refused", 552));
}
