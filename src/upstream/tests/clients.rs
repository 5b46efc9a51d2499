//! How a server hears who the client is: XFORWARD on shared connections, XCLIENT and PROXY on one's own.

use super::super::settings::{StateClient, TlsMode};
use super::tls::sink as sink_with_tls;
use super::*;
use crate::telemetry::{self, Telemetry};
use std::io::Write;
use std::sync::Mutex;
use std::time::Duration;

const XCLIENT: &str = "XCLIENT NAME ADDR PORT PROTO HELO LOGIN";
const XFORWARD: &str = "XFORWARD NAME ADDR PROTO HELO SOURCE PORT IDENT";
const ONE_TOLD: &str = "NAME=mx.one.example ADDR=203.0.113.1 PORT=4001 PROTO=ESMTP HELO=one.example";
const OTHER_TOLD: &str = "NAME=[UNAVAILABLE] ADDR=IPV6:2001:db8::2 PORT=4002 PROTO=ESMTP HELO=other.example";
const NOBODY_TOLD: &str =
    "NAME=[UNAVAILABLE] ADDR=[UNAVAILABLE] PORT=[UNAVAILABLE] PROTO=[UNAVAILABLE] HELO=[UNAVAILABLE]";

fn one() -> Client {
    Client {
        address: "203.0.113.1:4001".parse().ok(),
        name: Some("mx.one.example".into()),
        helo: "one.example".into(),
        extended: true,
        tls: None,
    }
}

fn other() -> Client {
    Client {
        address: "[2001:db8::2]:4002".parse().ok(),
        name: None,
        helo: "other.example".into(),
        extended: true,
        tls: None,
    }
}

async fn sink(offer: &'static str) -> Sink {
    let sink = Sink::start().await;
    sink.offer(vec!["PIPELINING", offer]);
    sink
}

fn stating(sink: &Sink, state_client: StateClient) -> Settings {
    Settings {
        state_client,
        ..sink.settings()
    }
}

fn forwarding(sink: &Sink) -> Arc<Route> {
    route_as(&stating(sink, StateClient::Xforward))
}

fn as_client(sink: &Sink) -> Arc<Route> {
    route_as(&stating(sink, StateClient::Xclient))
}

fn behind_proxy(sink: &Sink) -> Arc<Route> {
    sink.expect_proxy();
    route_as(&stating(sink, StateClient::Proxy))
}

async fn opened_for(client: &Client, route: &Arc<Route>, recipients: &[&str]) -> Transaction {
    let (reply, transaction) = route.open(client, envelope(&[]).reverse_path.as_ref(), &[]).await;
    let mut transaction = transaction.unwrap_or_else(|| panic!("{reply}"));
    for text in recipients {
        assert!(transaction.rcpt(&recipient(text)).await.is_success());
    }
    transaction
}

/// What was heard, the envelope's own commands cut to their verbs.
fn verbs(lines: &[String]) -> Vec<&str> {
    let cut = |line: &'_ String| ["MAIL", "RCPT"].into_iter().find(|verb| line.starts_with(verb));
    lines.iter().map(|line| cut(line).unwrap_or(line)).collect()
}

/// Waits until so many connections were said goodbye to: that happens behind the message's back.
async fn goodbyes(sink: &Sink, count: usize) {
    let heard = async {
        while sink.heard().iter().filter(|line| *line == "QUIT").count() < count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), heard).await;
    assert!(waited.is_ok(), "no goodbye: {:?}", sink.heard());
}

#[tokio::test]
async fn xforward_tells_of_each_client_before_mail_on_one_connection() {
    for offers in [vec!["PIPELINING", XFORWARD], vec![XFORWARD]] {
        let sink = Sink::start().await;
        sink.offer(offers);
        let route = forwarding(&sink);
        let told = [ONE_TOLD, NOBODY_TOLD, OTHER_TOLD].map(|told| format!("XFORWARD {told} SOURCE=REMOTE"));
        let mut expected = vec!["EHLO gate.example"];
        for (client, told) in [one(), Client::default(), other()].iter().zip(&told) {
            assert_eq!(converse_for(client, &route, BODY).await, ("accepted", 250));
            expected.extend([told, "MAIL", "RCPT", "DATA"]);
        }
        assert_eq!(verbs(&sink.heard()), expected);
        assert_eq!(sink.connections(), 1);
    }
}

#[tokio::test]
async fn xforward_is_said_again_with_mail_after_rset() {
    let sink = sink("XFORWARD ADDR").await;
    let route = forwarding(&sink);
    let mut parked = opened_for(&one(), &route, &["a@example.net", "b@example.net"]).await;
    parked.park().await;
    drop(opened_for(&other(), &route, &[]).await);
    let fewer = envelope(&["b@example.net"]);
    assert_eq!(
        outcome(parked.deliver(&fewer, &[Bytes::from_static(BODY)]).await),
        ("accepted", 250)
    );
    let transaction = opened_for(&other(), &route, &["a@example.net", "b@example.net"]).await;
    assert_eq!(
        outcome(transaction.deliver(&fewer, &[Bytes::from_static(BODY)]).await),
        ("accepted", 250)
    );
    let (one, other) = ("XFORWARD ADDR=203.0.113.1", "XFORWARD ADDR=IPV6:2001:db8::2");
    let expected = [
        &["EHLO gate.example", one, "MAIL", "RCPT", "RCPT", "RSET"][..],
        &[other, "MAIL", "RSET", one, "MAIL", "RCPT", "DATA"],
        &[other, "MAIL", "RCPT", "RCPT", "RSET", other, "MAIL", "RCPT", "DATA"],
    ]
    .concat();
    assert_eq!(verbs(&sink.heard()), expected);
    assert_eq!(sink.connections(), 1);
}

#[tokio::test]
async fn a_long_xforward_goes_on_in_a_second_command() {
    let sink = sink(XFORWARD).await;
    let client = Client {
        name: Some(["n".repeat(63), "n".repeat(63), "n".repeat(63), "example".into()].join(".")),
        helo: "h".repeat(255),
        ..one()
    };
    assert_eq!(converse_for(&client, &forwarding(&sink), BODY).await, ("accepted", 250));
    let heard = sink.heard();
    assert!(heard[1].starts_with("XFORWARD NAME=nnn") && heard[2].starts_with("XFORWARD HELO=hhh"));
    assert!(heard[3].starts_with("MAIL"));
}

/// A log to read.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A route whose log and counts can be read.
fn overheard(settings: Settings) -> (Arc<Route>, Telemetry, Page) {
    let page = Page::default();
    let now = || jiff::Timestamp::UNIX_EPOCH;
    let telemetry = Telemetry::new(telemetry::Settings::default(), Box::new(page.clone()), Arc::new(now));
    telemetry.names(&[], &["default"]);
    let parts = Parts {
        telemetry: telemetry.clone(),
        ..parts()
    };
    let route = Upstreams::new(&[settings], &parts).unwrap().only_route().unwrap();
    (route, telemetry, page)
}

fn lines_with(telemetry: &Telemetry, page: &Page, words: &str) -> usize {
    assert!(telemetry.flush(Duration::from_secs(10)));
    let log = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
    log.lines().filter(|line| line.contains(words)).count()
}

#[tokio::test]
async fn without_xforward_mail_goes_on_counted_and_said_once() {
    let sink = sink("8BITMIME").await;
    let mut settings = stating(&sink, StateClient::Xforward);
    settings.messages = 1;
    let (route, telemetry, page) = overheard(settings);
    for _ in 0..3 {
        assert_eq!(converse_for(&one(), &route, BODY).await, ("accepted", 250));
    }
    assert_eq!(sink.connections(), 3);
    assert!(!sink.heard().iter().any(|line| line.contains("XFORWARD")));
    assert!(
        telemetry
            .scrape()
            .contains("upstream_unstated_total{route=\"default\"} 3\n")
    );
    assert_eq!(lines_with(&telemetry, &page, "offers no XFORWARD"), 1);
    // It learns, and forgets again: that is news.
    sink.offer(vec![XFORWARD]);
    assert_eq!(converse_for(&one(), &route, BODY).await, ("accepted", 250));
    sink.offer(vec![]);
    assert_eq!(converse_for(&one(), &route, BODY).await, ("accepted", 250));
    assert!(
        telemetry
            .scrape()
            .contains("upstream_unstated_total{route=\"default\"} 4\n")
    );
    assert_eq!(lines_with(&telemetry, &page, "offers no XFORWARD"), 2);
}

#[tokio::test]
async fn a_refused_xforward_stops_no_mail_and_is_counted_and_said_once() {
    let sink = sink(XFORWARD).await;
    sink.at("XFORWARD", "", Act::Say("554 5.7.0 not you\r\n"));
    let (route, telemetry, page) = overheard(stating(&sink, StateClient::Xforward));
    for _ in 0..3 {
        assert_eq!(converse_for(&one(), &route, BODY).await, ("accepted", 250));
    }
    assert_eq!(sink.connections(), 1);
    assert!(
        telemetry
            .scrape()
            .contains("upstream_unstated_total{route=\"default\"} 3\n")
    );
    assert_eq!(lines_with(&telemetry, &page, "XFORWARD is refused"), 1);
}

#[tokio::test]
async fn trouble_at_xforward_is_451_and_leaves_no_connection_out_of_step() {
    for act in [
        Act::Close,
        Act::SayAndClose("421 4.3.2 bye\r\n"),
        Act::Say("354 go\r\n"),
        Act::Say("250_x\r\n"),
    ] {
        let sink = sink(XFORWARD).await;
        let route = forwarding(&sink);
        sink.at("XFORWARD", "", act.clone());
        assert_eq!(converse_for(&one(), &route, BODY).await, ("mail", 451), "{act:?}");
        sink.heal();
        assert_eq!(converse_for(&one(), &route, BODY).await, ("accepted", 250));
        assert_eq!(sink.connections(), 2, "{act:?}");
    }
}

#[tokio::test]
async fn xclient_begins_the_session_anew_for_one_client_alone() {
    let sink = sink(XCLIENT).await;
    let route = as_client(&sink);
    for client in [one(), other()] {
        assert_eq!(converse_for(&client, &route, BODY).await, ("accepted", 250));
    }
    goodbyes(&sink, 2).await;
    for (connection, told, name) in [(0, ONE_TOLD, "one.example"), (1, OTHER_TOLD, "other.example")] {
        let (xclient, ehlo) = (format!("XCLIENT {told}"), format!("EHLO {name}"));
        let expected = ["EHLO gate.example", &xclient, &ehlo, "MAIL", "RCPT", "DATA", "QUIT"];
        assert_eq!(verbs(&sink.heard_on(connection)), expected);
    }
}

#[tokio::test]
async fn the_same_client_again_has_another_connection() {
    // It may be another session of its, and one that is idle would keep the server's door for nobody.
    for mode in [StateClient::Xclient, StateClient::Proxy] {
        let sink = sink(XCLIENT).await;
        let route = match mode {
            StateClient::Proxy => behind_proxy(&sink),
            _ => as_client(&sink),
        };
        for _ in 0..2 {
            assert_eq!(converse_for(&one(), &route, BODY).await, ("accepted", 250));
        }
        drop(opened_for(&one(), &route, &["a@example.net"]).await);
        goodbyes(&sink, 3).await;
        assert_eq!(sink.connections(), 3);
    }
}

#[tokio::test]
async fn connections_of_single_clients_are_limited_too() {
    let sink = sink(XCLIENT).await;
    let mut settings = stating(&sink, StateClient::Xclient);
    settings.connections = 2;
    let route = route_as(&settings);
    let senders: Vec<_> = (0..12)
        .map(|_| {
            let route = Arc::clone(&route);
            tokio::spawn(async move { converse_for(&one(), &route, BODY).await })
        })
        .collect();
    for sender in senders {
        assert_eq!(sender.await.unwrap(), ("accepted", 250));
    }
    assert_eq!((sink.connections(), sink.taken().len()), (12, 12));
}

#[tokio::test]
async fn a_replay_on_a_new_connection_states_the_client_again() {
    let sink = sink(XCLIENT).await;
    let route = as_client(&sink);
    let both = ["a@example.net", "b@example.net"];
    let mut transaction = opened_for(&one(), &route, &both).await;
    transaction.park().await;
    let delivery = transaction.deliver(&envelope(&both), &[Bytes::from_static(BODY)]).await;
    assert_eq!(outcome(delivery), ("accepted", 250));
    let told = format!("XCLIENT {ONE_TOLD}");
    let expected = [
        "EHLO gate.example",
        &told,
        "EHLO one.example",
        "MAIL",
        "RCPT",
        "RCPT",
        "DATA",
    ];
    assert_eq!(verbs(&sink.heard_on(1))[..7], expected);
    // For fewer, the connection that stands serves on.
    let transaction = opened_for(&one(), &route, &both).await;
    let delivery = transaction
        .deliver(&envelope(&both[1..]), &[Bytes::from_static(BODY)])
        .await;
    assert_eq!(outcome(delivery), ("accepted", 250));
    assert_eq!(sink.connections(), 3);
}

#[tokio::test]
async fn xclient_follows_starttls() {
    let (sink, _authority, _folder) = sink_with_tls("mail.example").await;
    sink.offer(vec![XCLIENT]);
    let settings = Settings {
        tls: TlsMode::Required,
        ..stating(&sink, StateClient::Xclient)
    };
    assert_eq!(
        converse_for(&one(), &route_as(&settings), BODY).await,
        ("accepted", 250)
    );
    let told = format!("XCLIENT {ONE_TOLD}");
    let expected = [
        "EHLO gate.example",
        "STARTTLS",
        "EHLO gate.example",
        &told,
        "EHLO one.example",
    ];
    assert_eq!(sink.heard()[..5], expected);
    assert!(sink.taken()[0].is_encrypted);
}

#[tokio::test]
async fn lmtp_has_xclient_and_xforward_too() {
    for (state_client, offer, greetings) in [(StateClient::Xclient, XCLIENT, 2), (StateClient::Xforward, XFORWARD, 1)] {
        let sink = sink(offer).await;
        let settings = Settings {
            state_client,
            ..sink.lmtp_settings()
        };
        assert_eq!(
            converse_for(&one(), &route_as(&settings), BODY).await,
            ("accepted", 250)
        );
        let heard = sink.heard();
        assert_eq!(heard.iter().filter(|line| line.starts_with("LHLO")).count(), greetings);
        assert!(heard[1].contains(ONE_TOLD), "{heard:?}");
    }
}

#[tokio::test]
async fn a_server_without_xclient_gets_no_mail_and_somebody_is_woken() {
    let sink = sink(XFORWARD).await;
    let (route, telemetry, page) = overheard(stating(&sink, StateClient::Xclient));
    assert_eq!(converse_for(&one(), &route, BODY).await, ("mail", 451));
    assert!(route.probe().await[0].outcome.is_err());
    assert!(!sink.heard().iter().any(|line| line.starts_with("MAIL")));
    let counted = "upstream_softened_total{route=\"default\",stage=\"hello\"} 2\n";
    assert!(telemetry.scrape().contains(counted));
    assert_eq!(lines_with(&telemetry, &page, "it offers no XCLIENT"), 2);
    // One that does is tried instead.
    let able = self::sink(XCLIENT).await;
    let settings = Settings {
        target: Targets::Several(vec![sink.url(), able.url()]),
        ..stating(&sink, StateClient::Xclient)
    };
    assert_eq!(
        converse_for(&one(), &route_as(&settings), BODY).await,
        ("accepted", 250)
    );
    assert_eq!(able.taken().len(), 1);
}

#[tokio::test]
async fn a_refusal_at_xclient_is_451() {
    for (act, woken) in [
        (Act::Say("550 5.7.0 not you\r\n"), 1),
        (Act::Say("501 5.5.4 what\r\n"), 1),
        (Act::SayAndClose("421 4.3.2 bye\r\n"), 1),
        (Act::Say("450 4.7.1 wait\r\n"), 0),
        (Act::Close, 0),
        (Act::Say("354 go\r\n"), 0),
        (Act::Say("220_x\r\n"), 0),
        (Act::Say("220 sink\r\n250 more\r\n"), 0),
    ] {
        let sink = sink(XCLIENT).await;
        let (route, telemetry, _) = overheard(stating(&sink, StateClient::Xclient));
        sink.at("XCLIENT", "", act.clone());
        assert_eq!(converse_for(&one(), &route, BODY).await, ("mail", 451), "{act:?}");
        let counted = format!("upstream_softened_total{{route=\"default\",stage=\"hello\"}} {woken}\n");
        assert!(telemetry.scrape().contains(&counted), "{act:?}");
        assert!(!sink.heard().iter().any(|line| line.starts_with("MAIL")));
        sink.heal();
        assert_eq!(converse_for(&one(), &route, BODY).await, ("accepted", 250), "{act:?}");
    }
}

#[tokio::test]
async fn one_refused_client_puts_no_target_to_rest() {
    for (step, holding) in [("XCLIENT", "203.0.113.1"), ("BANNER", "")] {
        let (first, second) = (sink(XCLIENT).await, sink(XCLIENT).await);
        let mode = if step == "BANNER" {
            first.expect_proxy();
            second.expect_proxy();
            StateClient::Proxy
        } else {
            StateClient::Xclient
        };
        let settings = Settings {
            target: Targets::Several(vec![first.url(), second.url()]),
            ..stating(&first, mode)
        };
        let route = route_as(&settings);
        first.at(step, holding, Act::Say("554 5.7.1 your client is on a list\r\n"));
        assert_eq!(converse_for(&one(), &route, BODY).await, ("accepted", 250));
        assert_eq!(second.taken().len(), 1);
        first.heal();
        assert_eq!(converse_for(&other(), &route, BODY).await, ("accepted", 250));
        assert_eq!((first.taken().len(), second.taken().len()), (1, 1), "{step}");
    }
}

#[tokio::test]
async fn a_name_that_the_server_does_not_like_gives_way_to_ours() {
    let sink = sink(XCLIENT).await;
    sink.at("EHLO", "one.example", Act::Say("501 5.5.2 odd name\r\n"));
    assert_eq!(converse_for(&one(), &as_client(&sink), BODY).await, ("accepted", 250));
    assert_eq!(sink.heard()[2..4], ["EHLO one.example", "EHLO gate.example"]);
    for helo in ["", "a b", "caf\u{e9}", &"h".repeat(256)] {
        let client = Client {
            helo: helo.into(),
            ..one()
        };
        let sink = self::sink("XCLIENT ADDR").await;
        assert_eq!(converse_for(&client, &as_client(&sink), BODY).await, ("accepted", 250));
        assert_eq!(sink.heard()[1..3], ["XCLIENT ADDR=203.0.113.1", "EHLO gate.example"]);
    }
}

#[tokio::test]
async fn releases_state_whom_they_are_of_and_probes_nobody() {
    let envelope = envelope(&["a@example.net"]);
    let pieces = [Bytes::from_static(BODY)];
    let sink = sink(XCLIENT).await;
    let route = as_client(&sink);
    assert!(route.probe().await[0].outcome.is_ok());
    goodbyes(&sink, 1).await;
    assert_eq!(sink.heard(), ["EHLO gate.example", "QUIT"]);
    let nobody_told = NOBODY_TOLD.replace("PROTO=[UNAVAILABLE] ", "");
    for (connection, client, told) in [(1, one(), ONE_TOLD), (2, Client::default(), &nobody_told)] {
        let delivery = route.deliver(&client, &envelope, &pieces).await;
        assert_eq!(outcome(delivery), ("accepted", 250));
        assert_eq!(sink.heard_on(connection)[1], format!("XCLIENT {told}"));
    }
}

#[tokio::test]
async fn a_proxy_header_comes_before_all_else() {
    let (sink, _authority, _folder) = sink_with_tls("mail.example").await;
    let route = behind_proxy(&sink);
    for client in [one(), other(), Client::default()] {
        assert_eq!(converse_for(&client, &route, BODY).await, ("accepted", 250));
    }
    assert!(route.probe().await[0].outcome.is_ok());
    let v4 = "PROXY 21 11 [203, 0, 113, 1, 0, 0, 0, 0, 15, 161, 0, 0]";
    let v6 = "PROXY 21 21 [32, 1, 13, 184, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, \
              0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 15, 162, 0, 0]";
    let local = "PROXY 20 00 []";
    for (connection, header) in [v4, v6, local, local].into_iter().enumerate() {
        let heard = sink.heard_on(connection);
        assert_eq!(heard[..2], [header, "EHLO gate.example"]);
        assert_eq!(heard.iter().filter(|line| line.starts_with("PROXY")).count(), 1);
    }
    assert!(sink.taken().iter().all(|taken| taken.is_encrypted));
    assert_eq!(sink.connections(), 4);
}

#[tokio::test]
async fn what_one_client_is_offered_does_not_become_what_all_are() {
    let sink = sink(XCLIENT).await;
    sink.offer(vec!["DSN", XCLIENT]);
    let all = upstreams(&[stating(&sink, StateClient::Xclient)]);
    let route = all.only_route().unwrap();
    all.probe().await;
    sink.at("EHLO", "one.example", Act::Say("250 sink\r\n"));
    assert_eq!(converse_for(&one(), &route, BODY).await, ("accepted", 250));
    assert!(all.capabilities().dsn);
}

#[test]
fn a_maildir_hears_of_nobody() {
    let settings = |target: &[&str]| Settings {
        target: Targets::Several(target.iter().map(|url| url.parse().unwrap()).collect()),
        state_client: StateClient::Xclient,
        ..Settings::default()
    };
    let built = |target| Upstreams::new(&[settings(target)], &parts()).map(|_| ());
    let error = built(&["maildir:var/x", "maildir:var/y"]).unwrap_err();
    assert!(error.contains("state_client: a Maildir has nobody"), "{error}");
    assert_eq!(built(&["smtp://mail.example:25", "maildir:var/x"]), Ok(()));
}
