//! Many messages against a server that misbehaves at random, on a seed: nothing is lost, nothing is cut,
//! nothing comes twice, whatever happened before.

use super::super::settings::StateClient;
use super::super::test_sink::Taken;
use super::*;
use crate::chance::{Chance, SeededChance};

const STEPS: [&str; 12] = [
    "BANNER", "EHLO", "LHLO", "XCLIENT", "XFORWARD", "MAIL", "RCPT", "DATA", "BDAT", "MIDDLE", "BODY", "RSET",
];

fn below(chance: &SeededChance, limit: usize) -> usize {
    let mut octets = [0; 8];
    chance.fill(&mut octets);
    usize::try_from(u64::from_le_bytes(octets) % limit as u64).unwrap()
}

fn trouble(chance: &SeededChance) -> Act {
    match below(chance, 9) {
        0 => Act::Close,
        1 => Act::Silence,
        2 => Act::SayAndClose("421 4.3.2 bye\r\n"),
        3 => Act::Say("450 4.2.0 later\r\n"),
        4 => Act::Say("550 5.0.0 no\r\n"),
        5 => Act::Say("250 fine\r\n250 and more\r\n"),
        6 => Act::Say("354 what\r\n"),
        7 => Act::SayAndClose("250-half"),
        _ => Act::Spew(vec![0xff; 3000]),
    }
}

/// One message, at times parked, at times for one recipient only, at times given up.
async fn attempt(route: &Arc<Route>, chance: &SeededChance, client: &Client, body: &Bytes) -> &'static str {
    let mut accepted = envelope(&[]);
    let (_, transaction) = route.open(client, accepted.reverse_path.as_ref(), &[]).await;
    let Some(mut transaction) = transaction else {
        return "mail";
    };
    for text in ["a@example.net", "b@example.net"] {
        if transaction.rcpt(&recipient(text)).await.is_success() {
            accepted.recipients.push(recipient(text));
        }
    }
    if accepted.recipients.is_empty() {
        return "rcpt";
    }
    match below(chance, 6) {
        0 => transaction.park().await,
        1 => accepted.recipients.truncate(1),
        2 => return "given up",
        _ => {}
    }
    let half = body.len() / 2;
    outcome(
        transaction
            .deliver(&accepted, &[body.slice(..half), body.slice(half..)])
            .await,
    )
    .0
}

#[tokio::test(start_paused = true)]
async fn nothing_is_lost_cut_or_doubled() {
    go_through(Sink::settings, &[""]).await;
}

#[tokio::test(start_paused = true)]
async fn nor_is_it_where_each_recipient_has_an_answer() {
    go_through(Sink::lmtp_settings, &["", "a@", "b@"]).await;
}

#[tokio::test(start_paused = true)]
async fn nor_is_it_in_chunks() {
    let in_chunks = |settings| Settings {
        chunking: true,
        ..settings
    };
    let smtp = go_through(|sink| in_chunks(sink.settings()), &[""]).await;
    let lmtp = go_through(|sink| in_chunks(sink.lmtp_settings()), &["", "a@", "b@"]).await;
    assert!(smtp.len() > 400 && lmtp.len() > 400);
}

/// Whatever goes wrong on the way, no message goes under another client's name.
#[tokio::test(start_paused = true)]
async fn each_is_its_own_clients() {
    for (state_client, chunking) in [
        (StateClient::Xforward, false),
        (StateClient::Xforward, true),
        (StateClient::Xclient, false),
        (StateClient::Proxy, true),
    ] {
        let taken = go_through(
            |sink| {
                if state_client == StateClient::Proxy {
                    sink.expect_proxy();
                }
                Settings {
                    state_client,
                    chunking,
                    ..sink.settings()
                }
            },
            &[""],
        )
        .await;
        let mut told = 0;
        for (number, taken) in taken {
            let stated = match state_client {
                StateClient::Proxy => format!("PROXY 21 11 [10, 0, 0, {number}, "),
                _ => format!("ADDR=10.0.0.{number} "),
            };
            // XFORWARD may have been refused.
            let fine = taken.told.contains(&stated) || (taken.told.is_empty() && state_client == StateClient::Xforward);
            assert!(fine, "{number}: {}", taken.told);
            told += usize::from(!taken.told.is_empty());
        }
        assert!(told > 400, "the test is no test otherwise: {told}");
    }
}

/// `whose` answer to the dot there may be trouble with.
/// What the sinks took, each with its number.
async fn go_through(speaking: impl Fn(&Sink) -> Settings, whose: &[&'static str]) -> Vec<(u8, Taken)> {
    let mut all = Vec::new();
    for seed in 0..8 {
        let chance = SeededChance::new(seed);
        let sink = Sink::start().await;
        sink.offer(vec![
            "PIPELINING",
            "CHUNKING",
            "XCLIENT ADDR PORT",
            "XFORWARD ADDR PORT",
        ]);
        let route = route_in_process(&sink, |_, settings| *settings = speaking(&sink));
        let mut outcomes = Vec::new();
        for number in 0..150 {
            sink.heal();
            if below(&chance, 3) > 0 {
                let step = STEPS[below(&chance, STEPS.len())];
                let holding = if step == "BODY" {
                    whose[below(&chance, whose.len())]
                } else {
                    ""
                };
                let act = trouble(&chance);
                // As many answers as are due, before the message is there: a lie that nobody can see through.
                let is_lie = step == "BDAT" && matches!(act, Act::Say(words) if words.starts_with("250"));
                sink.at(step, holding, if is_lie { Act::Close } else { act });
            }
            let body = Bytes::from(format!("Subject: {seed} {number}\r\n\r\n.\r\n..{number}\r\n"));
            let client = Client {
                address: Some(([10, 0, 0, number], 4000).into()),
                ..Client::default()
            };
            outcomes.push((attempt(&route, &chance, &client, &body).await, body));
        }
        let taken = sink.taken();
        let accepted = outcomes.iter().filter(|(outcome, _)| *outcome == "accepted").count();
        assert!(accepted > 50, "the test is no test otherwise: {accepted}");
        for (outcome, body) in &outcomes {
            let copies = taken.iter().filter(|taken| taken.body == *body).count();
            let fine = match *outcome {
                "accepted" | "partly" => copies == 1,
                // The dot was sent, and refused or never answered.
                "refused" | "unsure" => copies <= 1,
                _ => copies == 0,
            };
            assert!(fine, "seed {seed}: {outcome} and {copies} copies of {body:?}");
        }
        for taken in taken {
            let number = (0..).zip(&outcomes).find(|(_, (_, body))| taken.body == *body);
            let (number, _) = number.unwrap_or_else(|| panic!("seed {seed}: something arrived that was never sent"));
            all.push((number, taken));
        }
    }
    all
}
