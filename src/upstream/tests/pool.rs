//! How connections are shared: reused, limited, checked, and never handed on with something left behind.

use super::*;
use crate::units::Span;
use std::time::Duration;

#[tokio::test]
async fn a_clean_connection_serves_the_next_message_without_rset() {
    let sink = Sink::start().await;
    let route = route(&sink);
    for _ in 0..3 {
        assert_eq!(converse(&route, BODY).await, ("accepted", 250));
    }
    assert_eq!((sink.connections(), sink.taken().len()), (1, 3));
    assert!(!sink.heard().contains(&"RSET".to_owned()));
}

#[tokio::test]
async fn an_abandoned_transaction_is_reset_before_the_next() {
    let sink = Sink::start().await;
    let route = route(&sink);
    drop(opened(&route, &["first@example.net"]).await);
    assert_eq!(converse(&route, BODY).await, ("accepted", 250));
    assert_eq!(sink.connections(), 1);
    let taken = sink.taken();
    assert_eq!(
        taken[0].commands,
        ["MAIL FROM:<sender@example.org>", "RCPT TO:<a@example.net>"]
    );
    assert!(sink.heard().contains(&"RSET".to_owned()));
}

#[tokio::test]
async fn a_refused_dot_is_followed_by_rset() {
    let sink = Sink::start().await;
    let route = route(&sink);
    sink.at("BODY", "", Act::Say("554 5.7.1 no\r\n"));
    assert_eq!(converse(&route, BODY).await, ("refused", 554));
    sink.heal();
    assert_eq!(converse(&route, BODY).await, ("accepted", 250));
    assert_eq!(sink.connections(), 1);
    assert!(sink.heard().contains(&"RSET".to_owned()));
}

#[tokio::test]
async fn a_server_that_refuses_rset_gets_a_new_connection() {
    let sink = Sink::start().await;
    let route = route(&sink);
    sink.at("RSET", "", Act::Say("550 never\r\n"));
    drop(opened(&route, &["first@example.net"]).await);
    assert_eq!(converse(&route, BODY).await, ("accepted", 250));
    assert_eq!(sink.connections(), 2);
}

#[tokio::test]
async fn an_idle_connection_that_died_is_replaced_unnoticed() {
    // The server goes away right after its answer, with or without a goodbye, or only when it hears of the next.
    for (step, act) in [
        ("BODY", Act::SayAndClose("250 taken\r\n")),
        ("BODY", Act::SayAndClose("250 taken\r\n421 bye\r\n")),
        ("MAIL", Act::Close),
        ("MAIL", Act::SayAndClose("421 bye\r\n")),
    ] {
        let sink = Sink::start().await;
        let route = route(&sink);
        if step == "BODY" {
            sink.on(0, step, act.clone());
        }
        assert_eq!(converse(&route, BODY).await, ("accepted", 250), "{act:?}");
        if step == "MAIL" {
            sink.on(0, step, act.clone());
        }
        assert_eq!(converse(&route, BODY).await, ("accepted", 250), "{act:?}");
        assert_eq!((sink.connections(), sink.taken().len()), (2, 2), "{act:?}");
    }
}

#[tokio::test]
async fn a_dead_connection_is_retried_once_only() {
    let sink = Sink::start().await;
    let route = route(&sink);
    assert_eq!(converse(&route, BODY).await, ("accepted", 250));
    sink.at("MAIL", "", Act::Close);
    assert_eq!(converse(&route, BODY).await, ("mail", 451));
    assert_eq!(sink.connections(), 2);
}

#[tokio::test]
async fn connections_are_limited_and_waited_for() {
    let sink = Sink::start().await;
    let mut settings = sink.settings();
    settings.connections = 2;
    let route = route_as(&settings);
    let senders: Vec<_> = (0..12)
        .map(|_| {
            let route = Arc::clone(&route);
            tokio::spawn(async move { converse(&route, BODY).await })
        })
        .collect();
    for sender in senders {
        assert_eq!(sender.await.unwrap(), ("accepted", 250));
    }
    assert_eq!(sink.taken().len(), 12);
    assert!(sink.open_most() <= 2);
}

#[tokio::test(start_paused = true)]
async fn the_wait_for_a_connection_is_bounded() {
    let sink = Sink::start().await;
    let route = route_in_process(&sink, |_, settings| settings.connections = 2);
    let first = opened(&route, &[]).await;
    let second = opened(&route, &[]).await;
    assert_eq!(converse(&route, BODY).await, ("mail", 451));
    drop(first);
    assert_eq!(converse(&route, BODY).await, ("accepted", 250));
    drop(second);
}

#[tokio::test]
async fn a_connection_serves_so_many_messages_and_no_more() {
    for (messages, connections) in [(1, 4), (2, 2), (3, 2), (4, 1), (5, 1)] {
        let sink = Sink::start().await;
        let mut settings = sink.settings();
        settings.messages = messages;
        let route = route_as(&settings);
        for _ in 0..4 {
            assert_eq!(converse(&route, BODY).await, ("accepted", 250));
        }
        assert_eq!(sink.connections(), connections, "{messages}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_kept_for_a_while() {
    for (idle, connections) in [(29, 1), (30, 2)] {
        let sink = Sink::start().await;
        let route = route_in_process(&sink, |parts, _| {
            parts.deadlines.upstream_idle = Span(Duration::from_secs(30))
        });
        assert_eq!(converse(&route, BODY).await, ("accepted", 250));
        tokio::time::advance(Duration::from_secs(idle)).await;
        assert_eq!(converse(&route, BODY).await, ("accepted", 250));
        assert_eq!(sink.connections(), connections, "{idle}");
    }
}

#[tokio::test]
async fn a_session_that_ends_in_mid_body_leaves_nothing_to_reuse() {
    let sink = Sink::start().await;
    sink.on(0, "BODY", Act::Silence);
    let route = route(&sink);
    let delivery = {
        let route = Arc::clone(&route);
        tokio::spawn(async move { converse(&route, BODY).await })
    };
    while sink.taken().is_empty() {
        tokio::task::yield_now().await;
    }
    delivery.abort();
    assert!(delivery.await.is_err());
    assert_eq!(converse(&route, BODY).await, ("accepted", 250));
    assert_eq!(sink.connections(), 2);
}

#[tokio::test]
async fn closing_says_goodbye() {
    let sink = Sink::start().await;
    let all = upstreams(&[sink.settings()]);
    assert_eq!(converse(&all.only_route().unwrap(), BODY).await, ("accepted", 250));
    all.close().await;
    while !sink.heard().contains(&"QUIT".to_owned()) {
        tokio::task::yield_now().await;
    }
}
