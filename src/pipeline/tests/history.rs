//! What the gate remembers of correspondents, from one message to the next.

use super::*;
use crate::store::memory::Operation;
use crate::units::Span;

const RULES: &str = "
[[rule]]
id = 'FIRST'
summary = 'x'
category = 'spam'
severity = 'low'
score = 6.0
when = \"history.from.messages_before == 0\"

[[rule]]
id = 'OURS'
summary = 'x'
category = 'spam'
severity = 'low'
score = 0.1
when = \"history.pair.sent_before > 0 and history.pair.sent_first\"

[[rule]]
id = 'KEPT'
summary = 'x'
category = 'spam'
severity = 'low'
score = 0.1
when = \"history.domain.quarantined_before == 1 and history.domain.messages_before == 2\"

[[rule]]
id = 'BUY'
summary = 'x'
category = 'spam'
severity = 'critical'
score = 9.0
when = \"subject.contains('buy')\"
";

/// A gate that has seen enough after one message.
async fn house() -> House {
    let house = House::new("").await;
    let mut live = Live::clone(&house.gate.live.load());
    live.criteria.rules = Arc::new(rules_of(RULES));
    live.history.settled_after = Span(Duration::ZERO);
    live.history.settled_messages = 1;
    house.gate.live.store(Arc::new(live));
    house
}

/// Sends one message by this author; which rules matched, what was undecided, and what was done.
async fn send(house: &House, direction: Direction, author: &str, to: &str, subject: &str) -> (String, String, String) {
    let profile = Profile { direction, ..inbound() };
    let mut desk = GateDesk::new(Arc::clone(&house.gate), profile);
    assert!(mail(&mut desk).await.is_success());
    assert_eq!(rcpt(&mut desk, to).await, 250);
    let bytes = format!("From: {author}\r\nSubject: {subject}\r\n\r\nx\r\n");
    data(&mut desk, bytes.into()).await;
    house.gate.journal.flush().await;
    let query = JournalQuery {
        limit: 1,
        ..JournalQuery::default()
    };
    let record = house.store.search_journal(query).await.unwrap().remove(0);
    let matched: Vec<&str> = record.findings.iter().map(|finding| finding.rule.as_str()).collect();
    let missed = record
        .unscanned
        .iter()
        .map(|one| format!("{}:{}", one.check, one.cause));
    (
        matched.join(" "),
        missed.collect::<Vec<_>>().join(" "),
        record.action.clone(),
    )
}

async fn received(house: &House, author: &str, subject: &str) -> String {
    send(house, Direction::Inbound, author, "us@one.example", subject)
        .await
        .0
}

#[tokio::test]
async fn a_stranger_is_one_once_enough_was_seen_and_until_they_have_written() {
    let house = house().await;
    let first = send(&house, Direction::Inbound, "a@b.example", "us@one.example", "x").await;
    assert_eq!(
        (first.0.as_str(), first.1.as_str()),
        (
            "",
            "history.domain:unsettled history.from:unsettled history.pair:unsettled"
        ),
        "the first day calls nobody a stranger"
    );
    assert_eq!(received(&house, "c@d.example", "x").await, "FIRST");
    assert_eq!(received(&house, "C@D.example", "x").await, "");
    assert_eq!(received(&house, "e@d.example", "x").await, "FIRST");
}

#[tokio::test]
async fn whom_we_wrote_to_is_known_as_that() {
    let house = house().await;
    received(&house, "a@b.example", "x").await;
    send(&house, Direction::Outbound, "us@one.example", "c@two.example", "x").await;
    assert_eq!(received(&house, "c@two.example", "x").await, "FIRST OURS");
    let other = send(&house, Direction::Inbound, "c@two.example", "others@one.example", "x").await;
    assert_eq!(other.0, "", "others of us did not write to them");
}

#[tokio::test]
async fn what_is_quarantined_is_remembered_as_that() {
    let house = house().await;
    received(&house, "a@b.example", "x").await;
    received(&house, "c@d.example", "x").await;
    let kept = send(&house, Direction::Inbound, "c@d.example", "us@one.example", "buy").await;
    assert_eq!((kept.0.as_str(), kept.2.as_str()), ("BUY", "quarantine"));
    assert_eq!(received(&house, "c@d.example", "x").await, "KEPT");
}

#[tokio::test]
async fn what_its_sender_still_has_or_was_refused_is_not_remembered() {
    let house = house().await;
    received(&house, "a@b.example", "x").await;
    for (at, answer) in [("DATA", "451 4.3.0 later\r\n"), ("DATA", "550 5.7.1 no\r\n")] {
        house.first.at(at, "", Act::Say(answer));
        let (matched, _, action) = send(&house, Direction::Inbound, "c@d.example", "us@one.example", "x").await;
        assert_eq!((matched.as_str(), action.as_str()), ("FIRST", "failed"), "{answer}");
    }
}

#[tokio::test]
async fn a_store_that_does_not_answer_leaves_it_unknown_and_counted() {
    let house = house().await;
    received(&house, "a@b.example", "x").await;
    house.store.fail_next(Operation::Recall, 1);
    let (matched, missed, action) = send(&house, Direction::Inbound, "c@d.example", "us@one.example", "x").await;
    assert_eq!((matched.as_str(), action.as_str()), ("", "deliver"));
    assert!(missed.contains("history.from:failed"), "{missed}");
    assert!(house.counted("history_unanswered_total{cause=\"failed\"}"));
    house.store.fail_next(Operation::Learn, 1);
    received(&house, "e@f.example", "x").await;
    assert!(house.counted("history_dropped_total"), "mail went on, unlearned");
    assert_eq!(received(&house, "e@f.example", "x").await, "FIRST");
}

#[tokio::test]
async fn nothing_is_asked_that_no_rule_needs() {
    let house = House::new("").await;
    house.store.fail_next(Operation::Recall, usize::MAX);
    assert_eq!(received(&house, "a@b.example", "x").await, "");
    assert!(!house.counted("history_unanswered_total{cause=\"failed\"}"));
}

/// A rule that comes to the store's memory last, and one of which the memory says nothing that the message doesn't.
const SELDOM: &str = "
[[rule]]
id = 'NEW_AND_SELLS'
summary = 'x'
category = 'spam'
severity = 'low'
score = 6.0
when = \"subject.contains('buy') and history.from.messages_before == 0\"

[[rule]]
id = 'OTHER_ACCOUNT'
summary = 'x'
category = 'spam'
severity = 'low'
score = 0.1
when = \"present(history.bank_details) and history.domain.messages_before > 0\"

[[rule]]
id = 'NOT_KNOWN'
summary = 'x'
category = 'spam'
severity = 'low'
score = 0.1
when = \"subject.contains('known') and not known(history.pair)\"
";

#[tokio::test]
async fn the_store_is_asked_only_where_it_makes_a_difference() {
    let house = house().await;
    received(&house, "a@b.example", "x").await;
    let mut live = Live::clone(&house.gate.live.load());
    live.criteria.rules = Arc::new(rules_of(SELDOM));
    house.gate.live.store(Arc::new(live));
    house.store.fail_next(Operation::Recall, usize::MAX);
    let (matched, missed, _) = send(&house, Direction::Inbound, "c@d.example", "us@one.example", "x").await;
    assert_eq!((matched.as_str(), missed.as_str()), ("", ""), "decided without");
    assert!(!house.counted("history_unanswered_total{cause=\"failed\"}"));
    let (matched, missed, _) = send(&house, Direction::Inbound, "c@d.example", "us@one.example", "buy").await;
    assert_eq!((matched.as_str(), missed.as_str()), ("", "history.from:failed"));
    let asked_whether_known = received(&house, "c@d.example", "known").await;
    assert_eq!(asked_whether_known, "NOT_KNOWN", "the store was asked, and failed");
    house.store.fail_next(Operation::Recall, 0);
    assert_eq!(received(&house, "e@f.example", "buy").await, "NEW_AND_SELLS");
    assert_eq!(received(&house, "e@f.example", "buy").await, "", "known by now");
    assert_eq!(received(&house, "e@f.example", "known").await, "", "asked, and known");
}

#[tokio::test]
async fn what_is_switched_off_is_absent_and_learns_nothing() {
    let house = house().await;
    let mut live = Live::clone(&house.gate.live.load());
    live.history.enabled = false;
    house.gate.live.store(Arc::new(live));
    let (matched, missed, _) = send(&house, Direction::Inbound, "a@b.example", "us@one.example", "x").await;
    assert_eq!((matched.as_str(), missed.as_str()), ("", ""));
    let totals = house.store.totals().await.unwrap();
    assert_eq!(totals.history_entries, 0);
}
