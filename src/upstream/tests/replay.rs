//! MAIL and RCPT said again: after a slow body, or for fewer recipients.

use super::*;
use crate::smtp::Hold;

const BOTH: [&str; 2] = ["a@example.net", "b@example.net"];

async fn deliver(transaction: Transaction, recipients: &[&str]) -> (&'static str, u16) {
    outcome(
        transaction
            .deliver(&envelope(recipients), &[Bytes::from_static(BODY)])
            .await,
    )
}

#[tokio::test]
async fn a_parked_transaction_lends_its_connection_out() {
    let sink = Sink::start().await;
    let route = route(&sink);
    let mut transaction = opened(&route, &BOTH).await;
    transaction.park().await;
    assert_eq!(converse(&route, BODY).await, ("accepted", 250));
    assert_eq!(sink.connections(), 1);
    assert_eq!(deliver(transaction, &BOTH).await, ("accepted", 250));
    assert_eq!(sink.connections(), 1);
    assert_eq!(
        sink.taken()[1].commands,
        [
            "MAIL FROM:<sender@example.org>",
            "RCPT TO:<a@example.net>",
            "RCPT TO:<b@example.net>"
        ]
    );
}

/// The client may still be saying RCPT: what it said before is said again with it.
#[tokio::test]
async fn a_parked_transaction_goes_on_with_its_recipients() {
    let sink = Sink::start().await;
    let route = route(&sink);
    let mut transaction = opened(&route, &["a@example.net"]).await;
    transaction.park().await;
    assert_eq!(transaction.hold(), Hold::Nothing);
    sink.at("RCPT", "c@", Act::Say("550 5.1.1 no such user\r\n"));
    assert_eq!(transaction.rcpt(&recipient("c@example.net")).await.code(), 550);
    assert_eq!(transaction.rcpt(&recipient("b@example.net")).await.code(), 250);
    assert_eq!(transaction.hold(), Hold::Spare);
    assert_eq!(deliver(transaction, &BOTH).await, ("accepted", 250));
    assert_eq!(sink.connections(), 1);
    assert_eq!(
        sink.taken()[0].commands,
        [
            "MAIL FROM:<sender@example.org>",
            "RCPT TO:<a@example.net>",
            "RCPT TO:<c@example.net>",
            "RCPT TO:<b@example.net>"
        ]
    );
}

#[tokio::test]
async fn a_parked_transaction_whose_sender_is_refused_meanwhile_takes_no_more_recipients() {
    let sink = Sink::start().await;
    let route = route(&sink);
    let mut transaction = opened(&route, &["a@example.net"]).await;
    transaction.park().await;
    sink.at("MAIL", "", Act::Say("550 5.7.1 not you\r\n"));
    assert_eq!(transaction.rcpt(&recipient("b@example.net")).await.code(), 451);
    sink.heal();
    assert_eq!(deliver(transaction, &["a@example.net"]).await, ("accepted", 250));
}

#[tokio::test]
async fn a_connection_is_wanted_while_somebody_waits_for_one() {
    let sink = Sink::start().await;
    let settings = Settings {
        target: Targets::One(sink.url()),
        connections: 1,
        ..Settings::default()
    };
    let route = route_as(&settings);
    let mut transaction = opened(&route, &BOTH).await;
    assert_eq!(transaction.hold(), Hold::Spare);
    let other = tokio::spawn({
        let route = Arc::clone(&route);
        async move { converse(&route, BODY).await }
    });
    while transaction.hold() != Hold::Wanted {
        tokio::task::yield_now().await;
    }
    transaction.park().await;
    assert_eq!(other.await.unwrap(), ("accepted", 250));
    assert_eq!(deliver(transaction, &BOTH).await, ("accepted", 250));
    assert_eq!(sink.connections(), 1);
}

#[tokio::test]
async fn parking_gives_up_a_server_that_will_not_reset() {
    for act in [Act::Close, Act::Say("550 no\r\n"), Act::SayAndClose("421 bye\r\n")] {
        let sink = Sink::start().await;
        let route = route(&sink);
        let mut transaction = opened(&route, &BOTH).await;
        sink.on(0, "RSET", act);
        transaction.park().await;
        assert_eq!(deliver(transaction, &BOTH).await, ("accepted", 250));
        assert_eq!(sink.connections(), 2);
    }
}

#[tokio::test]
async fn fewer_recipients_are_said_again_on_the_same_connection() {
    for offers in [vec!["PIPELINING"], vec![]] {
        let sink = Sink::start().await;
        sink.offer(offers);
        let transaction = opened(&route(&sink), &BOTH).await;
        assert_eq!(deliver(transaction, &BOTH[1..]).await, ("accepted", 250));
        assert_eq!(sink.connections(), 1);
        assert_eq!(
            sink.taken()[0].commands,
            ["MAIL FROM:<sender@example.org>", "RCPT TO:<b@example.net>"]
        );
    }
}

#[tokio::test]
async fn a_changed_answer_sends_nothing() {
    for refusal in [
        "550 5.1.1 gone\r\n",
        "450 4.2.1 later\r\n",
        "421 4.3.2 bye\r\n",
        "354 what\r\n",
    ] {
        for (step, holding) in [("MAIL", ""), ("RCPT", "b@")] {
            for parked in [true, false] {
                let sink = Sink::start().await;
                let route = route(&sink);
                let recipients = ["a@example.net", "b@example.net", "c@example.net"];
                let mut transaction = opened(&route, &recipients).await;
                if parked {
                    transaction.park().await;
                }
                sink.at(step, holding, Act::Say(refusal));
                assert_eq!(
                    deliver(transaction, &BOTH).await,
                    ("not sent", 451),
                    "{refusal} at {step}"
                );
                assert!(sink.taken().is_empty());
                assert!(!sink.heard().contains(&"DATA".to_owned()));
                sink.heal();
                assert_eq!(converse(&route, BODY).await, ("accepted", 250));
            }
        }
    }
}

#[tokio::test]
async fn a_connection_lost_at_rcpt_is_made_good_for_those_accepted() {
    let sink = Sink::start().await;
    let route = route(&sink);
    let mut transaction = opened(&route, &["a@example.net"]).await;
    sink.on(0, "RCPT", Act::Close);
    assert_eq!(transaction.rcpt(&recipient("b@example.net")).await.code(), 451);
    assert_eq!(transaction.rcpt(&recipient("c@example.net")).await.code(), 451);
    assert_eq!(deliver(transaction, &["a@example.net"]).await, ("accepted", 250));
    assert_eq!(
        sink.taken()[0].commands,
        ["MAIL FROM:<sender@example.org>", "RCPT TO:<a@example.net>"]
    );
}

#[tokio::test]
async fn a_replay_may_go_to_the_next_target() {
    let (first, second) = (Sink::start().await, Sink::start().await);
    let settings = Settings {
        target: Targets::Several(vec![first.url(), second.url()]),
        ..Settings::default()
    };
    let route = route_as(&settings);
    let mut transaction = opened(&route, &BOTH).await;
    first.at("RSET", "", Act::Close);
    first.at("BANNER", "", Act::Close);
    transaction.park().await;
    assert_eq!(deliver(transaction, &BOTH).await, ("accepted", 250));
    assert_eq!(second.taken().len(), 1);
}

#[tokio::test]
async fn a_great_many_recipients_are_replayed_in_turns() {
    let sink = Sink::start().await;
    let many: Vec<String> = (0..250).map(|number| format!("r{number}@example.net")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let mut transaction = opened(&route(&sink), &many).await;
    transaction.park().await;
    assert_eq!(deliver(transaction, &many).await, ("accepted", 250));
    assert_eq!(sink.taken()[0].commands.len(), 251);
}
