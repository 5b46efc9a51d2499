//! The desk and the whole story behind it, against two upstreams with a script and a store in memory.

use super::*;
use crate::action::Stamp;
use crate::chance::SeededChance;
use crate::clock::FixedClock;
use crate::mail::{Address, Client, Direction, Recipient};
use crate::smtp::{Body, Desk, MailCommand};
use crate::store::{JournalQuery, MemoryStore, QuarantineQuery};
use crate::upstream::Settings as RouteSettings;
use crate::upstream::test_sink::{Act, Sink, parts};
use crate::verdict::lever::{Kind, What};
use crate::verdict::{self, Lever};
use bytes::Bytes;

const SPAM: &[u8] = b"From: a@b.example\r\nSubject: buy\r\n\r\nx\r\n";
const CLEAN: &[u8] = b"From: a@b.example\r\nSubject: hello\r\n\r\nx\r\n";

/// A gate with route `first` for one.example and `second` for two.example.
struct House {
    first: Sink,
    second: Sink,
    store: Arc<MemoryStore>,
    gate: Arc<Gate>,
}

impl House {
    async fn new(policy: &str) -> Self {
        let (first, second) = (Sink::start().await, Sink::start().await);
        let route = |sink: &Sink, name: &str, domain: &str| RouteSettings {
            name: name.into(),
            domains: vec![domain.into()],
            ..sink.settings()
        };
        let routes = [
            route(&first, "first", "one.example"),
            route(&second, "second", "two.example"),
        ];
        let relay = RelaySettings {
            domains: vec!["one.example".into(), "two.example".into(), "unrouted.example".into()],
        };
        let live = Live {
            criteria: Criteria {
                rules: Arc::new(rules()),
                policy: Arc::new(Policy::new(&toml::from_str::<verdict::Settings>(policy).unwrap()).unwrap()),
                levers: Arc::default(),
                held: Arc::default(),
                cpu_time: None,
                parsing: message::Limits::default(),
            },
            relay: Arc::new(RelayGuard::new(&relay)),
            upstreams: Arc::new(Upstreams::new(&routes, &parts()).unwrap()),
            probes: Probes {
                dns: Arc::new(crate::resolver::Nobody),
                total: Duration::from_secs(5),
                lists: Arc::default(),
                settings: Arc::default(),
                needs: crate::evidence::Needs::default(),
            },
            sealer: None,
            disclosure: Arc::default(),
            stamp: Arc::new(Stamp {
                hostname: "gate.example".into(),
            }),
            history: HistorySettings::default(),
            message_size: 1_000_000,
            deadlines: Deadlines::default(),
        };
        let store = Arc::new(MemoryStore::default());
        let telemetry = Telemetry::default();
        telemetry.rules_loaded("", &[("BUY", "active")], &[]);
        let gate = Gate {
            live: ArcSwap::from_pointee(live),
            journal: Journal::start(Arc::clone(&store) as Arc<dyn Store>, telemetry.clone()),
            store: Arc::clone(&store) as Arc<dyn Store>,
            secret: Secret::new(&[1; Secret::BYTES]),
            late: Arc::default(),
            breaker: Mutex::default(),
            telemetry,
            clock: Arc::new(FixedClock("2026-11-23T09:00:00Z".parse().unwrap())),
            chance: Arc::new(SeededChance::new(1)),
            compute: Compute::Inline,
        };
        Self {
            first,
            second,
            store,
            gate: Arc::new(gate),
        }
    }

    fn desk(&self, peer_relays: bool, upstream: Option<&str>) -> GateDesk {
        let profile = Profile {
            peer_relays,
            upstream: upstream.map(Into::into),
            ..inbound()
        };
        GateDesk::new(Arc::clone(&self.gate), profile)
    }

    /// Sends one message to these recipients, all of whom must be accepted.
    async fn send(&self, desk: &mut GateDesk, to: &[&str], body: &'static [u8]) -> u16 {
        assert!(mail(desk).await.is_success());
        for &to in to {
            assert_eq!(rcpt(desk, to).await, 250, "{to}");
        }
        data(desk, Bytes::from_static(body)).await.code()
    }

    /// Verdict and action of each record.
    async fn journal(&self) -> Vec<(String, String)> {
        self.gate.journal.flush().await;
        let records = self.store.search_journal(JournalQuery::default()).await.unwrap();
        records.into_iter().map(|one| (one.verdict, one.action)).collect()
    }

    /// Puts one lever in force for messages that begin from now on.
    fn pull(&self, kind: Kind, entry: &str) {
        let lever = Lever {
            what: What::read(kind, entry).unwrap(),
            by: "uid 0".into(),
            reason: "a test".into(),
            since: "2026-11-23T08:00:00Z".parse().unwrap(),
            until: "2026-11-23T10:00:00Z".parse().unwrap(),
        };
        let mut live = Live::clone(&self.gate.live.load());
        live.criteria.levers = Arc::new(Levers::new(vec![lever]));
        self.gate.live.store(Arc::new(live));
    }

    fn counted(&self, series: &str) -> bool {
        self.gate
            .telemetry
            .scrape()
            .contains(&format!("portreeve_{series} 1\n"))
    }
}

mod history;

fn rules() -> RuleSet {
    rules_of(BUY)
}

const BUY: &str = "[[rule]]\nid = 'BUY'\nsummary = 'x'\ncategory = 'spam'\nseverity = 'critical'\nscore = 20.0\naction = 'reject'\n\
                when = \"subject.contains('buy')\"\n";

fn rules_of(text: &str) -> RuleSet {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("own.toml"), text).unwrap();
    let loaded = RuleSet::load(&[folder.path().to_owned()], jiff::Timestamp::UNIX_EPOCH);
    loaded.unwrap().set
}

async fn mail(desk: &mut GateDesk) -> Reply {
    let command = MailCommand {
        reverse_path: Some(Address::from_checked("s@sender.example")),
        parameters: Vec::new(),
        size: None,
        smtputf8: false,
    };
    desk.mail(command).await
}

async fn rcpt(desk: &mut GateDesk, to: &str) -> u16 {
    let recipient = Recipient {
        address: Address::from_checked(to),
        parameters: Vec::new(),
    };
    desk.rcpt(recipient).await.code()
}

async fn data(desk: &mut GateDesk, bytes: Bytes) -> Reply {
    let read = Duration::ZERO;
    desk.message(Body { bytes, read }).await
}

#[tokio::test]
async fn the_relay_guard_stands_before_upstream() {
    let house = House::new("").await;
    let mut desk = house.desk(false, None);
    desk.hello(&Client::default()).await;
    assert_eq!(rcpt(&mut desk, "a@one.example").await, 503);
    assert!(mail(&mut desk).await.is_success());
    for foreign in ["a@three.example", "a%three.example@one.example", "a@[127.0.0.1]"] {
        assert_eq!(rcpt(&mut desk, foreign).await, 550, "{foreign}");
    }
    assert_eq!(rcpt(&mut desk, "a@unrouted.example").await, 550);
    assert!(house.first.heard().is_empty() && house.second.heard().is_empty());
    assert!(
        house
            .gate
            .telemetry
            .scrape()
            .contains("rejects_total{reason=\"relay\",stage=\"rcpt\"} 3")
    );
    assert!(house.counted("rejects_total{reason=\"route\",stage=\"rcpt\"}"));
}

#[tokio::test]
async fn the_first_accepted_recipient_binds_the_route() {
    let house = House::new("").await;
    house.first.at("RCPT", "nobody", Act::Say("550 5.1.1 no\r\n"));
    let mut desk = house.desk(false, None);
    mail(&mut desk).await;
    // Refused, so it binds nothing.
    assert_eq!(rcpt(&mut desk, "nobody@one.example").await, 550);
    assert_eq!(rcpt(&mut desk, "a@two.example").await, 250);
    assert_eq!(rcpt(&mut desk, "a@one.example").await, 451);
    assert_eq!(rcpt(&mut desk, "b@TWO.example").await, 250);
    assert_eq!(data(&mut desk, Bytes::from_static(CLEAN)).await.code(), 250);
    assert!(house.first.taken().is_empty());
    assert_eq!(house.second.taken()[0].commands.len(), 3);
    assert_eq!(
        data(&mut desk, Bytes::from_static(CLEAN)).await.code(),
        503,
        "the transaction is over"
    );
}

#[tokio::test]
async fn a_route_of_the_listeners_own_takes_all() {
    let house = House::new("").await;
    let mut desk = house.desk(false, Some("second"));
    house
        .send(&mut desk, &["a@one.example", "a@unrouted.example"], CLEAN)
        .await;
    assert_eq!(house.second.taken().len(), 1);
    let mut desk = house.desk(false, Some("gone"));
    mail(&mut desk).await;
    assert_eq!(
        rcpt(&mut desk, "a@one.example").await,
        451,
        "our own fault bounces nobody's mail"
    );
}

#[tokio::test]
async fn a_slow_body_gives_the_connection_back_and_the_envelope_is_said_again() {
    let house = House::new("").await;
    let mut desk = house.desk(false, None);
    mail(&mut desk).await;
    rcpt(&mut desk, "a@one.example").await;
    desk.slow().await;
    assert_eq!(data(&mut desk, Bytes::from_static(CLEAN)).await.code(), 250);
    let heard = house.first.heard();
    let count = |verb: &str| heard.iter().filter(|line| line.starts_with(verb)).count();
    assert_eq!((count("MAIL"), count("RCPT"), count("RSET")), (2, 2, 1));
}

#[tokio::test]
async fn the_mode_and_the_peer_decide_what_becomes_of_a_verdict() {
    for (policy, peer_relays, code, action) in [
        ("mode = 'enforce'", false, 550, "reject"),
        ("mode = 'enforce'", true, 250, "quarantine"),
        ("mode = 'tag'", false, 250, "tag"),
        ("mode = 'observe'", false, 250, "deliver"),
    ] {
        let house = House::new(policy).await;
        let mut desk = house.desk(peer_relays, None);
        assert_eq!(house.send(&mut desk, &["a@one.example"], SPAM).await, code, "{policy}");
        assert_eq!(house.journal().await, [("reject".into(), action.into())], "{policy}");
        let taken = house.first.taken();
        let marked = taken
            .first()
            .map(|taken| memchr::memmem::find(&taken.body, b"X-Spam-Flag: YES").is_some());
        assert_eq!(
            marked,
            (code == 250 && !peer_relays).then_some(action == "tag"),
            "{policy}"
        );
        assert!(house.counted("rule_only_hits_total{rule=\"BUY\"}"), "{policy}");
    }
}

#[tokio::test]
async fn mixed_recipients_get_what_their_policies_say() {
    let policy = "[[recipients]]\nname = 'p'\nmatch = ['postmaster@']\nmost = 'tag'";
    let house = House::new(policy).await;
    let mut desk = house.desk(false, None);
    let to = ["a@one.example", "postmaster@one.example"];
    assert_eq!(house.send(&mut desk, &to, SPAM).await, 250);
    let held = house.store.list(QuarantineQuery::default()).await.unwrap();
    assert_eq!(
        (held.len(), held[0].recipients.as_slice()),
        (1, ["a@one.example".to_owned()].as_slice())
    );
    assert_eq!(
        house.first.taken()[0].commands.last().unwrap(),
        "RCPT TO:<postmaster@one.example>"
    );
    assert_eq!(house.journal().await, [("reject".into(), "tag".into())]);
}

#[tokio::test]
async fn a_message_that_goes_in_circles_is_refused_and_recorded() {
    let house = House::new("mode = 'observe'").await;
    let mut desk = house.desk(false, None);
    mail(&mut desk).await;
    rcpt(&mut desk, "a@one.example").await;
    let body = "Received: by x\r\n".repeat(100) + "\r\nx\r\n";
    let reply = data(&mut desk, body.into()).await;
    assert_eq!(reply.code(), 554, "{reply}");
    assert_eq!(house.journal().await, [("reject".into(), "reject".into())]);
    assert!(house.counted("rejects_total{reason=\"loop\",stage=\"message\"}"));
    assert!(house.first.taken().is_empty());
}

#[tokio::test]
async fn a_lever_counts_from_the_next_message_on() {
    let house = House::new("").await;
    let mut desk = house.desk(false, None);
    mail(&mut desk).await;
    rcpt(&mut desk, "a@one.example").await;
    house.pull(Kind::Block, "@sender.example");
    let reply = data(&mut desk, Bytes::from_static(CLEAN)).await;
    assert_eq!(reply.code(), 250, "it began before: {reply}");
    mail(&mut desk).await;
    rcpt(&mut desk, "a@one.example").await;
    let reply = data(&mut desk, Bytes::from_static(CLEAN)).await;
    assert!(
        reply.to_string().starts_with("550 5.7.1 Message refused as blocked"),
        "{reply}"
    );
    assert_eq!(
        house.send(&mut house.desk(true, None), &["a@one.example"], CLEAN).await,
        250
    );
    assert_eq!(
        house.store.list(QuarantineQuery::default()).await.unwrap()[0].category,
        "policy"
    );
    house.gate.journal.flush().await;
    let records = house.store.search_journal(JournalQuery::default()).await.unwrap();
    let levers: Vec<usize> = records.iter().map(|record| record.levers.len()).collect();
    assert_eq!(levers.iter().sum::<usize>(), 2, "{records:?}");
    let told = "block @sender.example (at least reject), by uid 0 until 2026-11-23T10:00:00Z: a test";
    assert!(records.iter().any(|record| record.reasons == [told]), "{records:?}");
}

#[tokio::test]
async fn a_bypass_delivers_untouched_and_counts_as_such() {
    let house = House::new("").await;
    house.pull(Kind::Bypass, "");
    assert_eq!(
        house.send(&mut house.desk(false, None), &["a@one.example"], SPAM).await,
        250
    );
    let body = house.first.taken()[0].body.clone();
    for mark in [&b"X-Spam-"[..], b"X-Portreeve-Verdict"] {
        assert!(memchr::memmem::find(&body, mark).is_none(), "as in observe mode");
    }
    assert_eq!(house.journal().await, [("reject".into(), "deliver".into())]);
    assert!(house.counted("messages_total{direction=\"inbound\",mode=\"bypass\",verdict=\"reject\"}"));
    let mut desk = house.desk(false, None);
    mail(&mut desk).await;
    assert_eq!(rcpt(&mut desk, "a@three.example").await, 550, "the relay guard stands");
}

#[tokio::test]
async fn a_bypass_delivers_what_gets_no_turn_to_be_judged() {
    let mut house = House::new("").await;
    house.pull(Kind::Bypass, "");
    let mut live = Live::clone(&house.gate.live.load());
    live.deadlines.judging = crate::units::Span(Duration::from_millis(1));
    house.gate.live.store(Arc::new(live));
    let gate = Arc::get_mut(&mut house.gate).unwrap();
    gate.compute = Compute::Pool(Arc::new(tokio::sync::Semaphore::new(0)));
    let leg = open(&house).await;
    let big = Bytes::from([SPAM, &b"x".repeat(INLINE_MOST), b"\r\n"].concat());
    let reply = handle_one(&house, big, leg).await;
    assert_eq!(reply.code(), 250, "{reply}");
    assert_eq!(house.journal().await, [("quarantine".into(), "deliver".into())]);
    assert!(house.counted("unscanned_total{cause=\"deadline\",check=\"judging\"}"));
}

/// A pool without a free slot, and judging that has no time to wait for one.
#[tokio::test(start_paused = true)]
async fn a_message_that_gets_no_turn_is_put_off_and_recorded() {
    let mut house = House::new("").await;
    let gate = Arc::get_mut(&mut house.gate).unwrap();
    gate.compute = Compute::Pool(Arc::new(tokio::sync::Semaphore::new(0)));
    let leg = open(&house).await;
    let big = Bytes::from([CLEAN, &b"x".repeat(INLINE_MOST), b"\r\n"].concat());
    let reply = handle_one(&house, big, leg).await;
    assert_eq!(reply.code(), 451, "{reply}");
    assert_eq!(house.journal().await, [("defer".into(), "defer".into())]);
    assert!(house.counted("unscanned_total{cause=\"deadline\",check=\"judging\"}"));
}

#[tokio::test]
async fn what_nobody_could_judge_is_unknown_and_never_clean() {
    for (policy, actions) in [
        ("", [Action::Quarantine]),
        ("mode = 'observe'", [Action::Deliver]),
        ("[unscanned]\njudging = 'defer'", [Action::Defer]),
    ] {
        let house = House::new(policy).await;
        let judgement = unjudged(
            &message_of(Bytes::from_static(CLEAN)),
            &house.gate.live.load(),
            "panic",
            house.gate.clock.now(),
        );
        assert_eq!(judgement.verdict.recipients, actions, "{policy}");
        assert_eq!(judgement.unscanned[0].check, "judging");
    }
}

/// Nothing of an ordinary day lands in `other`.
#[tokio::test]
async fn every_word_that_is_counted_is_in_the_catalogue() {
    let house = House::new("").await;
    house.gate.telemetry.names(&["inbound"], &["first", "second"]);
    let mut desk = house.desk(false, None);
    house.send(&mut desk, &["a@one.example"], CLEAN).await;
    house.send(&mut desk, &["a@one.example"], SPAM).await;
    mail(&mut desk).await;
    rcpt(&mut desk, "a@three.example").await;
    let cut = Findings::default();
    for missed in record::unscanned(&cut, None, &["links-limit", "nesting-limit"]) {
        house.gate.telemetry.unscanned(&missed.check, &missed.cause);
    }
    assert!(house.counted("unscanned_total{cause=\"limit\",check=\"message\"}"));
    let scrape = house.gate.telemetry.scrape();
    let others: Vec<&str> = scrape
        .lines()
        .filter(|line| line.contains("\"other\"") && !line.ends_with(" 0"))
        .collect();
    assert!(others.is_empty(), "{others:?}");
    assert!(scrape.contains("stage_duration_seconds_count{stage=\"act\"} 2"));
}

fn inbound() -> Profile {
    Profile {
        listener: "inbound".into(),
        direction: Direction::Inbound,
        peer_relays: false,
        upstream: None,
        trusted_relays: Arc::from([]),
    }
}

fn message_of(bytes: Bytes) -> Mail {
    Mail {
        id: uuid::Uuid::nil(),
        received: jiff::Timestamp::UNIX_EPOCH,
        listener: "inbound".into(),
        direction: Direction::Inbound,
        client: Client::default(),
        envelope: crate::mail::Envelope {
            reverse_path: None,
            parameters: Vec::new(),
            recipients: vec![Recipient {
                address: Address::from_checked("a@one.example"),
                parameters: Vec::new(),
            }],
        },
        bytes,
    }
}

async fn open(house: &House) -> Transaction {
    let route = house.gate.live.load().upstreams.route_named("first").unwrap();
    route.open(&Client::default(), None, &[]).await.1.unwrap()
}

async fn handle_one(house: &House, bytes: Bytes, leg: Transaction) -> Reply {
    let live = house.gate.live.load_full();
    handle(message_of(bytes), Duration::ZERO, &house.gate, &live, leg, &inbound()).await
}
