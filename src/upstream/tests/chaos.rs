//! Many messages against a server that misbehaves at random, on a seed: nothing is lost, nothing is cut,
//! nothing comes twice, whatever happened before.

use super::*;
use crate::chance::{Chance, SeededChance};

const STEPS: [&str; 9] = [
    "BANNER", "EHLO", "LHLO", "MAIL", "RCPT", "DATA", "MIDDLE", "BODY", "RSET",
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
async fn attempt(route: &Arc<Route>, chance: &SeededChance, body: &Bytes) -> &'static str {
    let mut accepted = envelope(&[]);
    let (_, transaction) = route
        .open(&Client::default(), accepted.reverse_path.as_ref(), &[])
        .await;
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

/// `whose` answer to the dot there may be trouble with.
async fn go_through(speaking: fn(&Sink) -> Settings, whose: &[&'static str]) {
    for seed in 0..8 {
        let chance = SeededChance::new(seed);
        let sink = Sink::start().await;
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
                sink.at(step, holding, trouble(&chance));
            }
            let body = Bytes::from(format!("Subject: {seed} {number}\r\n\r\n.\r\n..{number}\r\n"));
            outcomes.push((attempt(&route, &chance, &body).await, body));
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
        let whole = |taken: &super::super::test_sink::Taken| outcomes.iter().any(|(_, body)| taken.body == *body);
        assert!(
            taken.iter().all(whole),
            "seed {seed}: something arrived that was never sent"
        );
    }
}
