//! Upstream takes a message for some and not for others: whoever is left out is kept for, and nobody
//! twice.

use super::*;

fn undelivered(recipients: &[&str]) -> (State, Vec<String>) {
    (State::Undelivered, recipients.iter().map(|&one| one.into()).collect())
}

/// To c@ too.
pub(super) fn to_three(number: u128) -> Mail {
    let mut mail = mail(number);
    let third = Recipient {
        address: Address::from_checked("c@example.net"),
        parameters: Vec::new(),
    };
    mail.envelope.recipients.push(third);
    mail
}

#[tokio::test(start_paused = true)]
async fn whoever_is_left_out_is_kept_for_before_the_sender_is_told_yes() {
    for act in [
        Act::Say("552 5.2.2 full\r\n"),
        Act::Say("452 4.2.2 full\r\n"),
        Act::Close,
        Act::Silence,
    ] {
        let house = House::lmtp().await;
        house.sink.at("BODY", "b@", act.clone());
        let outcome = house.perform(1, relay(&[0, 1], &[])).await;
        assert_eq!(outcome.reply.to_string(), "250 2.0.0 taken", "{act:?}");
        assert!(outcome.journalled, "{act:?}");
        assert_eq!(house.states().await, [undelivered(&["b@example.net"])], "{act:?}");
        assert_eq!(house.journal().await, [record("deliver", "250 2.0.0 taken")]);
        assert_eq!(house.store.totals().await.unwrap().undelivered, 1);
        let kept = house.store.get(Uuid::from_u128(1)).await.unwrap();
        assert_eq!(kept.envelope.recipients, mail(1).envelope.recipients[1..]);
        assert_eq!(kept.body, BODY);
        let reasons = kept.event.reasons.join("; ");
        assert!(reasons.starts_with("undelivered to b@example.net: "), "{reasons}");
        if let Act::Say(words) = act {
            assert!(reasons.ends_with(words.trim_end()), "{reasons}");
        }
    }
}

#[tokio::test]
async fn refused_for_everybody_nothing_is_kept() {
    for (second, code) in [("550 5.1.1 no\r\n", 550), ("452 4.2.2 full\r\n", 452)] {
        let house = House::lmtp().await;
        house.sink.at("BODY", "a@", Act::Say("550 5.1.1 no\r\n"));
        house.sink.at("BODY", "b@", Act::Say(second));
        assert_eq!(house.perform(1, relay(&[0, 1], &[])).await.reply.code(), code);
        assert!(house.states().await.is_empty());
        assert_eq!(house.journal().await[0].0, "failed");
    }
}

#[tokio::test]
async fn what_cannot_be_kept_for_them_is_put_off_for_all() {
    for plan in [relay(&[0, 1], &[]), relay(&[0, 1], &[2])] {
        let house = House::lmtp().await;
        house.sink.at("BODY", "b@", Act::Say("552 5.2.2 full\r\n"));
        // With one for whom it is kept anyway, that commit goes well and the next does not.
        let goes_well = usize::from(plan != relay(&[0, 1], &[]));
        house.store.fail_after(Operation::Quarantine, goes_well, 1);
        let outcome = house.perform_on(&to_three(1), plan).await;
        assert_eq!(
            (outcome.reply.code(), outcome.event.action.as_str()),
            (451, "failed"),
            "{}",
            outcome.reply
        );
        assert!(
            house.states().await.iter().all(|(state, _)| *state == State::Voided),
            "nobody was told 250"
        );
        assert!(house.counted("rejects_total{reason=\"store\",stage=\"message\"}"));
        // The sender comes back: a second copy for one, and none is lost.
        let again = house.perform_on(&to_three(2), relay(&[0, 1], &[])).await;
        assert_eq!(again.reply.code(), 250);
        assert!(house.states().await.contains(&undelivered(&["b@example.net"])));
    }
}

#[tokio::test]
async fn beside_what_is_quarantined_it_has_a_record_of_its_own() {
    let house = House::lmtp().await;
    house.sink.at("BODY", "b@", Act::Say("552 5.2.2 full\r\n"));
    let outcome = house.perform_on(&to_three(2), relay(&[0, 1], &[2])).await;
    assert_eq!(outcome.reply.code(), 250);
    let mut states = house.states().await;
    states.sort_by(|one, other| one.1.cmp(&other.1));
    assert_eq!(states, [undelivered(&["b@example.net"]), held(&["c@example.net"])]);
    assert_eq!(house.journal().await, [record("deliver", "250 2.0.0 taken")]);
    // Its id is the message's own but for the last bit.
    let sibling = house.store.get(Uuid::from_u128(3)).await.unwrap();
    assert_eq!(
        (sibling.state, sibling.event.id),
        (State::Undelivered, Uuid::from_u128(2).to_string())
    );
    assert!(sibling.event.reasons.contains(&"kept for 1 of 3 recipients".to_owned()));
}

#[tokio::test]
async fn a_retry_that_fails_for_the_same_one_merges() {
    let house = House::lmtp().await;
    house.sink.at("BODY", "b@", Act::Say("552 5.2.2 full\r\n"));
    for number in [1, 2] {
        assert_eq!(house.perform(number, relay(&[0, 1], &[])).await.reply.code(), 250);
    }
    assert_eq!(house.states().await, [undelivered(&["b@example.net"])]);
    assert_eq!(house.journal().await.len(), 2);
}

#[tokio::test]
async fn it_is_released_only_to_those_left_out() {
    let house = House::lmtp().await;
    house.sink.at("BODY", "b@", Act::Say("552 5.2.2 full\r\n"));
    house.perform(1, relay(&[0, 1], &[])).await;
    assert!(matches!(
        house.release(1, &[]).await,
        Err(ReleaseError::NotDelivered(_))
    ));
    assert_eq!(
        house.states().await,
        [undelivered(&["b@example.net"])],
        "still somebody waits"
    );
    assert!(house.release(1, &["a@example.net"]).await.is_err(), "a has it");
    house.sink.heal();
    assert_eq!(house.release(1, &[]).await.unwrap().recipients, ["b@example.net"]);
    assert_eq!(house.states().await[0].0, State::Released);
    let last = house.sink.taken().pop().unwrap();
    assert_eq!(
        last.commands,
        ["MAIL FROM:<s@example.org>", "RCPT TO:<b@example.net> NOTIFY=NEVER"]
    );
    assert_eq!(last.body, [b"X-Portreeve-Id: 1\r\n", BODY].concat());
}

#[tokio::test]
async fn a_release_that_upstream_takes_for_some_stays_kept_for_the_others() {
    let house = House::lmtp().await;
    house.perform_on(&to_three(1), Plan::Quarantine).await;
    house.sink.at("BODY", "b@", Act::Say("552 5.2.2 full\r\n"));
    let first = house.release(1, &[]).await.unwrap();
    assert_eq!(first.recipients, ["a@example.net", "c@example.net"]);
    assert_eq!(first.missed, ["b@example.net: 552 5.2.2 full"]);
    assert_eq!(first.remaining, 1);
    assert_eq!(house.states().await, [held(&["b@example.net"])]);
    house.sink.heal();
    assert_eq!(house.release(1, &[]).await.unwrap().recipients, ["b@example.net"]);
    assert_eq!(house.sink.taken().len(), 2);
}
