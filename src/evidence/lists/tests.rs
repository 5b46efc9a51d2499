//! Block lists that list, don't, refuse, lie, and come back.

use super::*;
use crate::resolver::zone::Zone;
use std::sync::Arc;

fn list(name: &str, of: Subject, answers: &[(&str, &str)]) -> ListSettings {
    let answers = answers
        .iter()
        .map(|&(text, meaning)| (text.to_owned(), meaning.to_owned()));
    ListSettings {
        name: name.to_owned(),
        zone: format!("{name}.test"),
        of,
        answers: answers.collect(),
        ..ListSettings::default()
    }
}

fn lists(settings: &[ListSettings]) -> Lists {
    Lists::new(settings, &Telemetry::default()).unwrap()
}

fn addresses() -> Lists {
    lists(&[
        list(
            "sink",
            Subject::Addresses,
            &[("127.0.0.2", "spam"), ("127.0.0.4-127.0.0.7", "exploited")],
        ),
        list("other", Subject::Addresses, &[("127.0.0.2", "listed")]),
    ])
}

async fn client(lists: &Lists, zone: &str, client: &str) -> (Vec<String>, Option<&'static str>) {
    let gathered = lists.client(&Zone::of(zone), client.parse().unwrap()).await;
    (gathered.found, gathered.cut)
}

#[tokio::test]
async fn a_client_is_listed_by_whom_and_as_what() {
    for (zone, found, cut) in [
        ("", vec![], None),
        ("1.2.0.192.sink.test A 127.0.0.2", vec!["sink", "sink/spam"], None),
        ("2.2.0.192.sink.test A 127.0.0.2", vec![], None),
        (
            "1.2.0.192.sink.test A 127.0.0.2\n1.2.0.192.sink.test A 127.0.0.6\n1.2.0.192.other.test A 127.0.0.2",
            vec!["sink", "sink/exploited", "sink/spam", "other", "other/listed"],
            None,
        ),
        // Errors are no listings.
        ("1.2.0.192.sink.test A 127.255.255.254", vec![], Some("failed")),
        ("1.2.0.192.sink.test A 127.0.0.3", vec![], Some("failed")),
        ("1.2.0.192.sink.test A 203.0.113.1", vec![], Some("failed")),
        (
            "1.2.0.192.sink.test A 127.0.0.2\n1.2.0.192.sink.test A 127.0.0.99",
            vec!["sink", "sink/spam"],
            None,
        ),
        ("1.2.0.192.sink.test A !timeout", vec![], Some("timeout")),
        (
            "1.2.0.192.sink.test A 127.255.255.254\n1.2.0.192.other.test A 127.0.0.2",
            vec!["other", "other/listed"],
            Some("failed"),
        ),
    ] {
        let expected: Vec<String> = found.into_iter().map(str::to_owned).collect();
        assert_eq!(client(&addresses(), zone, "192.0.2.1").await, (expected, cut), "{zone}");
    }
    let six = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.other.test A 127.0.0.2";
    assert_eq!(
        client(&addresses(), six, "2001:db8::1").await.0,
        ["other", "other/listed"]
    );
}

#[tokio::test]
async fn private_addresses_are_nobody_elses_business() {
    let zone = Zone::default();
    for address in [
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "127.0.0.1",
        "169.254.0.1",
        "100.64.0.1",
        "::1",
        "fe80::1",
        "fd00::1",
    ] {
        assert_eq!(
            addresses().client(&zone, address.parse().unwrap()).await,
            Gathered::default()
        );
    }
    assert_eq!(zone.asked(), [] as [String; 0]);
}

#[tokio::test]
async fn domains_are_asked_about_once_where_the_list_wants_them() {
    let mut links = list("links", Subject::Domains, &[("127.0.1.&4", "phish")]);
    links.origins = vec![Origin::Link];
    let all = list("all", Subject::Domains, &[("127.0.1.2", "spam")]);
    let lists = lists(&[links, all]);
    let mut names = Names::default();
    for (origin, domain) in [
        (Origin::Author, "mail.bad.example"),
        (Origin::Link, "bad.example"),
        (Origin::Link, "www.bad.example"),
        (Origin::Link, "fine.example"),
        (Origin::Helo, "localhost"),
        (Origin::Link, "co.uk"),
    ] {
        names.add(origin, &Domain::parse(domain).unwrap());
    }
    let zone = Zone::of("bad.example.links.test A 127.0.1.6\nbad.example.all.test A 127.0.1.2");
    let gathered = lists.domains(&zone, &names).await;
    let mut found: Vec<String> = gathered
        .found
        .iter()
        .map(|one| format!("{} {}/{} {}", one.domain, one.list, one.meaning, one.origin.as_str()))
        .collect();
    found.sort();
    assert_eq!(
        found,
        [
            "bad.example all/spam author",
            "bad.example all/spam link",
            "bad.example links/phish link"
        ]
    );
    assert_eq!(gathered.cut, None);
    let asked = [
        "bad.example.all.test A",
        "bad.example.links.test A",
        "fine.example.all.test A",
        "fine.example.links.test A",
    ];
    assert_eq!(zone.asked(), asked);
}

#[tokio::test]
async fn more_domains_than_the_limit_are_not_asked_about() {
    for (count, cut) in [
        (DOMAINS_MAX - 1, None),
        (DOMAINS_MAX, None),
        (DOMAINS_MAX + 1, Some("limit")),
    ] {
        let mut names = Names::default();
        for number in 0..count {
            names.add(Origin::Link, &Domain::parse(&format!("d{number}.example")).unwrap());
        }
        let zone = Zone::default();
        let lists = lists(&[list("all", Subject::Domains, &[("127.0.1.2", "spam")])]);
        assert_eq!(lists.domains(&zone, &names).await.cut, cut, "{count}");
        assert_eq!(zone.asked().len(), count.min(DOMAINS_MAX));
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_that_errs_again_and_again_is_dropped_announced_and_tried_again() {
    let telemetry = Telemetry::default();
    telemetry.dns_lists(&["sink"]);
    let lists = Lists::new(
        &[list("sink", Subject::Addresses, &[("127.0.0.2", "spam")])],
        &telemetry,
    )
    .unwrap();
    let lists = Arc::new(lists);
    let refusing = Zone::of("1.2.0.192.sink.test A 127.255.255.254");
    let working = Zone::of("1.2.0.192.sink.test A 127.0.0.2");
    let ask = |zone| {
        let lists = Arc::clone(&lists);
        async move { lists.client(zone, "192.0.2.1".parse().unwrap()).await }
    };
    let dropped = || {
        telemetry
            .scrape()
            .contains("portreeve_dns_list_dropped{list=\"sink\"} 1")
    };
    for _ in 1..FAULTS_MAX {
        assert_eq!(ask(&refusing).await.cut, Some("failed"));
    }
    // An answer in between starts the count anew.
    assert_eq!(ask(&working).await.found, ["sink", "sink/spam"]);
    for _ in 0..FAULTS_MAX {
        assert!(!dropped());
        assert_eq!(ask(&refusing).await.cut, Some("failed"));
    }
    assert!(dropped());
    assert!(lists.dropped()[0].contains("127.255.255.254"), "{:?}", lists.dropped());
    let asked = refusing.asked().len();
    assert_eq!(ask(&refusing).await.cut, Some("dropped"));
    assert_eq!(refusing.asked().len(), asked, "it is left alone");
    tokio::time::sleep(REST).await;
    assert_eq!(ask(&refusing).await.cut, Some("failed"), "one try");
    assert_eq!(ask(&refusing).await.cut, Some("dropped"));
    tokio::time::sleep(REST).await;
    assert_eq!(ask(&working).await.found, ["sink", "sink/spam"]);
    assert!(!dropped() && lists.dropped().is_empty());
    let errors = 2 * FAULTS_MAX;
    assert!(
        telemetry
            .scrape()
            .contains(&format!("portreeve_dns_list_errors_total{{list=\"sink\"}} {errors}"))
    );
}

#[tokio::test]
async fn an_outage_of_dns_is_no_fault_of_a_list() {
    let lists = addresses();
    for _ in 0..2 * FAULTS_MAX {
        let gathered = lists
            .client(&crate::resolver::Nobody, "192.0.2.1".parse().unwrap())
            .await;
        assert_eq!(gathered.cut, Some("down"));
    }
    assert!(lists.dropped().is_empty());
}

#[test]
fn settings_that_can_not_work_are_refused() {
    let good = || list("a", Subject::Addresses, &[("127.0.0.2", "spam")]);
    for (settings, key) in [
        (
            ListSettings {
                zone: String::new(),
                ..good()
            },
            "zone",
        ),
        (
            ListSettings {
                zone: "test".into(),
                ..good()
            },
            "zone",
        ),
        (
            ListSettings {
                zone: "192.0.2.1".into(),
                ..good()
            },
            "zone",
        ),
        (
            ListSettings {
                answers: std::collections::BTreeMap::new(),
                ..good()
            },
            "answers",
        ),
        (list("a", Subject::Addresses, &[("127.255.255.254", "spam")]), "answers"),
    ] {
        let refused = Lists::new(&[good(), settings], &Telemetry::default()).unwrap_err();
        assert_eq!((refused.0, refused.1), (1, key), "{}", refused.2);
    }
}
