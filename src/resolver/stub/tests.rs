//! The resolver against a server that says what a test wants.

use super::super::{Bounded, Cached, DnsEvent, Server, Watched};
use super::name_server::{NameServer, Says, a, cname, mx, mx_of_octets, ptr_of_octets, tlsa, txt};
use super::*;
use crate::units::Span;
use std::net::Ipv4Addr;
use tokio_util::sync::CancellationToken;

fn resolver(servers: &[SocketAddr]) -> StubResolver {
    StubResolver::new(&settings(servers)).unwrap()
}

fn settings(servers: &[SocketAddr]) -> Settings {
    Settings {
        servers: servers.iter().copied().map(Server).collect(),
        ..Settings::default()
    }
}

#[tokio::test]
async fn records_come_as_they_are_and_names_without_their_dot() {
    let server = NameServer::start();
    server
        .say(
            "council.example",
            RecordType::MX,
            Says::Records(vec![mx(20, "B.council.example."), mx(10, "a.council.example.")]),
        )
        .say("null.example", RecordType::MX, Says::Records(vec![mx(0, ".")]))
        .say(
            "_mta-sts.council.example",
            RecordType::TXT,
            Says::Records(vec![txt(&["v=STSv1; ", "id=1;"])]),
        )
        .say(
            "_25._tcp.a.council.example",
            RecordType::TLSA,
            Says::Records(vec![tlsa(3, 1, 1, &[7; 32])]),
        )
        .say(
            "a.council.example",
            RecordType::A,
            Says::Records(vec![cname("b.council.example."), a(Ipv4Addr::new(192, 0, 2, 1))]),
        );
    let dns = resolver(&[server.address]);
    let exchangers = dns.exchangers("council.example").await.unwrap().records;
    let hosts: Vec<(u16, &str)> = exchangers.iter().map(|mx| (mx.preference, mx.host.as_str())).collect();
    assert_eq!(hosts, [(10, "a.council.example"), (20, "b.council.example")]);
    assert_eq!(dns.exchangers("null.example").await.unwrap().records[0].host, "");
    let texts = dns.texts("_mta-sts.council.example").await.unwrap().records;
    assert_eq!(texts, [b"v=STSv1; id=1;"]);
    let expected = Tlsa {
        usage: 3,
        selector: 1,
        matching: 1,
        data: vec![7; 32],
    };
    assert_eq!(
        dns.tlsa("_25._tcp.a.council.example").await.unwrap().records,
        [expected]
    );
    let addresses = dns.hosts("a.council.example").await.unwrap().records;
    assert_eq!(
        addresses,
        [IpAddr::from([192, 0, 2, 1])],
        "the alias itself is no address"
    );
    // No such name, or none of that kind.
    assert_eq!(dns.tlsa("a.council.example").await.unwrap().records, []);
}

#[tokio::test]
async fn octets_that_no_host_has_are_escaped() {
    let server = NameServer::start();
    for label in [
        &b"\x1b[2J"[..],
        b"a\r\nb",
        b"<b>",
        b"a b",
        b"a.b",
        b"\xff\xc3\xa9",
        b"\0",
    ] {
        server
            .say("odd.example", RecordType::MX, Says::Records(vec![mx_of_octets(label)]))
            .say(
                "1.2.0.192.in-addr.arpa",
                RecordType::PTR,
                Says::Records(vec![ptr_of_octets(label)]),
            );
        let dns = resolver(&[server.address]);
        let exchangers = dns.exchangers("odd.example").await.unwrap().records;
        let names = dns.names(IpAddr::from([192, 0, 2, 1])).await.unwrap().records;
        for host in [&exchangers[0].host, &names[0]] {
            assert!(
                host.bytes().all(|octet| octet.is_ascii_graphic()),
                "{label:?}: {host:?}"
            );
            assert_ne!(host, "a.b.example", "a dot within a label parts nothing");
        }
    }
}

#[tokio::test]
async fn the_word_on_dnssec_counts_from_a_trusted_server_only() {
    let server = NameServer::start();
    let record = || vec![tlsa(3, 1, 1, &[7; 32])];
    server
        .say("vouched.example", RecordType::TLSA, Says::Vouched(record()))
        .say("plain.example", RecordType::TLSA, Says::Records(record()))
        .say("empty.example", RecordType::TLSA, Says::Vouched(vec![]));
    for (trusted, counts) in [(None, true), (Some(true), true), (Some(false), false)] {
        let settings = Settings {
            trusted,
            ..settings(&[server.address])
        };
        let dns = StubResolver::new(&settings).unwrap();
        assert_eq!(dns.is_trusted(), counts);
        for (name, authenticated) in [
            ("vouched.example", counts),
            ("plain.example", false),
            ("empty.example", false),
        ] {
            let answer = dns.tlsa(name).await.unwrap();
            assert_eq!(answer.authenticated, authenticated, "{trusted:?} {name}");
        }
    }
}

/// What comes with another id, to another question or from another port is not the server's word.
#[tokio::test]
async fn a_forged_answer_is_passed_over() {
    let server = NameServer::start();
    let (own, forged) = (tlsa(3, 1, 1, &[7; 32]), tlsa(3, 1, 1, &[66; 32]));
    server.say(
        "_25._tcp.a.example",
        RecordType::TLSA,
        Says::AmongForgeries(vec![own], forged),
    );
    let answer = resolver(&[server.address]).tlsa("_25._tcp.a.example").await.unwrap();
    assert_eq!(answer.records.len(), 1);
    assert_eq!(answer.records[0].data, [7; 32]);
    assert!(!answer.authenticated, "it was the forger who said so");
}

#[tokio::test]
async fn an_alias_in_circles_leads_nowhere() {
    let server = NameServer::start();
    let circle = || Says::Records(vec![cname("b.example."), cname("a.example.")]);
    server
        .say("a.example", RecordType::MX, circle())
        .say("b.example", RecordType::MX, circle());
    let answer = resolver(&[server.address]).exchangers("a.example").await.unwrap();
    assert!(answer.records.is_empty());
}

#[tokio::test]
async fn an_answer_too_large_for_a_packet_comes_over_tcp() {
    let server = NameServer::start();
    let strings = ["x".repeat(255), "y".repeat(255)];
    let long: Vec<&str> = (0..250).map(|number| strings[number % 2].as_str()).collect();
    server.say("long.example", RecordType::TXT, Says::OverTcp(vec![txt(&long)]));
    let texts = resolver(&[server.address]).texts("long.example").await.unwrap();
    assert_eq!(texts.records[0].len(), 250 * 255);
}

#[tokio::test]
async fn a_fault_is_never_taken_for_no_records() {
    let server = NameServer::start();
    server
        .say("forged.example", RecordType::MX, Says::Error(ResponseCode::ServFail))
        .say("private.example", RecordType::MX, Says::Error(ResponseCode::Refused))
        .say("gone.example", RecordType::MX, Says::Error(ResponseCode::NXDomain));
    let dns = resolver(&[server.address]);
    for (name, fault) in [
        ("forged.example", Some(DnsFault::Failed)),
        ("private.example", Some(DnsFault::Refused)),
        ("gone.example", None),
        ("a..b", Some(DnsFault::NotAName)),
        (&format!("{}.example", "x".repeat(64)), Some(DnsFault::NotAName)),
    ] {
        let answer = dns.exchangers(name).await;
        assert_eq!(answer.err(), fault, "{name}");
    }
}

#[tokio::test]
async fn as_many_records_as_the_limit_are_taken_and_no_more() {
    let server = NameServer::start();
    for count in [RECORDS_MAX - 1, RECORDS_MAX, RECORDS_MAX + 1] {
        let records = (0..count).map(|number| mx(u16::try_from(number).unwrap(), "a.example."));
        server.say("many.example", RecordType::MX, Says::OverTcp(records.collect()));
        let answer = resolver(&[server.address]).exchangers("many.example").await;
        let expected = if count <= RECORDS_MAX {
            Ok(count)
        } else {
            Err(DnsFault::TooMany)
        };
        assert_eq!(answer.map(|answer| answer.records.len()), expected);
    }
}

#[tokio::test]
async fn a_silent_server_costs_the_deadline_and_the_next_one_answers() {
    let (silent, server) = (NameServer::start(), NameServer::start());
    silent.say("council.example", RecordType::MX, Says::Silence);
    server.say(
        "council.example",
        RecordType::MX,
        Says::Records(vec![mx(10, "mx.council.example.")]),
    );
    let short = Settings {
        lookup: Span(Duration::from_millis(200)),
        ..settings(&[silent.address])
    };
    let alone = StubResolver::new(&short).unwrap().exchangers("council.example").await;
    assert_eq!(alone, Err(DnsFault::TimedOut));
    let both = resolver(&[silent.address, server.address])
        .exchangers("council.example")
        .await;
    assert_eq!(both.unwrap().records.len(), 1);
}

#[tokio::test]
async fn once_a_budget_is_over_nothing_is_known() {
    let server = NameServer::start();
    server.say("silent.example", RecordType::MX, Says::Silence).say(
        "council.example",
        RecordType::MX,
        Says::Records(vec![mx(10, "mx.council.example.")]),
    );
    let over = CancellationToken::new();
    let bounded = Bounded::new(Arc::new(resolver(&[server.address])), over.clone());
    assert!(bounded.exchangers("council.example").await.is_ok());
    let open = tokio::spawn({
        let over = over.clone();
        async move { over.cancel() }
    });
    assert_eq!(bounded.exchangers("silent.example").await, Err(DnsFault::TimedOut));
    open.await.unwrap();
    assert_eq!(bounded.exchangers("council.example").await, Err(DnsFault::TimedOut));
}

#[tokio::test]
async fn as_the_gate_uses_it_nobody_is_asked_twice_nor_waits_for_the_silent() {
    let (server, silent) = (NameServer::start(), NameServer::silent());
    server.say("a.example", RecordType::TXT, Says::Records(vec![txt(&["v=spf1 -all"])]));
    let whole = |address| {
        let short = Settings {
            lookup: Span(Duration::from_millis(200)),
            ..settings(&[address])
        };
        let (told, events) = tokio::sync::mpsc::channel(10);
        let told = Arc::new(move |event| _ = told.try_send(event));
        let watched = Watched::new(Arc::new(StubResolver::new(&short).unwrap()), told);
        (Cached::new(Arc::new(watched), short.cache), events)
    };
    let (dns, _) = whole(server.address);
    for _ in 0..3 {
        assert_eq!(dns.texts("A.example").await.unwrap().records, [b"v=spf1 -all"]);
    }
    assert_eq!(server.asked(), ["a.example TXT"]);

    let (dns, mut events) = whole(silent.address);
    assert_eq!(dns.texts("a.example").await, Err(DnsFault::TimedOut));
    while events.recv().await.unwrap() != DnsEvent::WentDown {}
    assert_eq!(dns.texts("b.example").await, Err(DnsFault::Down));
    assert!(!silent.asked().contains(&"b.example TXT".to_owned()));
}
