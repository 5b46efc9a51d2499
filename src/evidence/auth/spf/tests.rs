//! SPF by the sections of RFC 7208, against zones of our own.

use super::*;
use crate::resolver::zone::Zone;

/// What a zone says of a client that sends as `user@a.example` and calls itself `mx.a.example`.
async fn ask(zone: &str, client: &str) -> Spf {
    ask_as(&Zone::of(zone), client, "user", "a.example").await
}

async fn ask_as(zone: &Zone, client: &str, local: &str, domain: &str) -> Spf {
    let sender = Sender {
        client: client.parse().unwrap(),
        helo: "mx.a.example",
        local,
        domain,
    };
    check(zone, &sender).await
}

/// Each case: a zone, its lines parted by `|`; a client; the word.
async fn holds(cases: &[(&str, &str, &str)]) {
    for (zone, client, word) in cases {
        let result = ask(&zone.replace('|', "\n"), client).await;
        assert_eq!(result.as_str(), *word, "{zone} for {client}: {result:?}");
    }
}

#[tokio::test]
async fn section_4_a_domain_has_one_record_or_none() {
    let long = format!("{}.example", "x".repeat(64));
    for domain in [
        "",
        "localhost",
        "a..example",
        ".a.example",
        "[192.0.2.1]",
        &long,
        &"x.".repeat(140),
    ] {
        let result = ask_as(&Zone::default(), "192.0.2.1", "user", domain).await;
        assert_eq!(result, Spf::None, "{domain:?}");
    }
    holds(&[
        ("b.example TXT v=spf1 -all", "192.0.2.1", "none"),
        ("a.example TXT something else", "192.0.2.1", "none"),
        ("a.example TXT v=spf10 -all", "192.0.2.1", "none"),
        ("a.example TXT v=spf1 -all|a.example TXT other", "192.0.2.1", "fail"),
        ("a.example TXT other|a.example TXT v=spf1 -all", "192.0.2.1", "fail"),
        (
            "a.example TXT v=spf1 -all|a.example TXT v=spf1 +all",
            "192.0.2.1",
            "permerror",
        ),
        (
            "a.example TXT v=spf1 nonsense -all|a.example TXT other",
            "192.0.2.1",
            "permerror",
        ),
        // An error counts wherever it stands, even behind what matches.
        ("a.example TXT v=spf1 ip4:192.0.2.1 nonsense", "192.0.2.1", "permerror"),
        ("a.example TXT v=spf1", "192.0.2.1", "neutral"),
    ])
    .await;
}

#[tokio::test]
async fn what_dns_can_not_tell_is_a_temporary_error() {
    let fault = |text: &str| match text {
        "!timeout" => DnsFault::TimedOut,
        "!failed" => DnsFault::Failed,
        "!refused" => DnsFault::Refused,
        _ => DnsFault::TooMany,
    };
    for text in ["!timeout", "!failed", "!refused", "!many"] {
        for zone in [
            format!("a.example TXT {text}"),
            format!("a.example TXT v=spf1 a -all\na.example A {text}"),
            format!("a.example TXT v=spf1 mx -all\na.example MX {text}"),
            format!("a.example TXT v=spf1 mx -all\na.example MX 10 b.example\nb.example A {text}"),
            format!("a.example TXT v=spf1 exists:b.example -all\nb.example A {text}"),
            format!("a.example TXT v=spf1 include:b.example -all\nb.example TXT {text}"),
            format!("a.example TXT v=spf1 redirect=b.example\nb.example TXT {text}"),
            format!("a.example TXT v=spf1 include:b.example -all\nb.example TXT v=spf1 a\nb.example A {text}"),
        ] {
            assert_eq!(ask(&zone, "192.0.2.1").await, Spf::TempError(fault(text)), "{zone}");
        }
        // What needn't be asked can't fail.
        let early = format!("a.example TXT v=spf1 ip4:192.0.2.1 a -all\na.example A {text}");
        assert_eq!(ask(&early, "192.0.2.1").await, Spf::Pass);
        // A ptr that can't be found out matches nothing (§5.5).
        let reverse = format!("a.example TXT v=spf1 ptr -all\n192.0.2.1 PTR {text}");
        assert_eq!(ask(&reverse, "192.0.2.1").await, Spf::Fail);
    }
}

#[tokio::test]
async fn section_5_mechanisms_match_what_they_name() {
    #[rustfmt::skip]
    let cases = [
        ("a.example TXT v=spf1 +all", "192.0.2.1", "pass"),
        ("a.example TXT v=spf1 all", "192.0.2.1", "pass"),
        ("a.example TXT v=spf1 -all", "192.0.2.1", "fail"),
        ("a.example TXT v=spf1 ~all", "192.0.2.1", "softfail"),
        ("a.example TXT v=spf1 ?all", "192.0.2.1", "neutral"),
        ("a.example TXT v=spf1 ip4:192.0.2.0/24 -all", "192.0.2.200", "pass"),
        ("a.example TXT v=spf1 ip4:192.0.2.0/24 -all", "192.0.3.200", "fail"),
        ("a.example TXT v=spf1 -ip4:192.0.2.1 +all", "192.0.2.1", "fail"),
        ("a.example TXT v=spf1 ip4:192.0.2.1 -all", "::ffff:192.0.2.1", "pass"),
        ("a.example TXT v=spf1 ip6:2001:db8::/32 -all", "2001:db8:1::1", "pass"),
        ("a.example TXT v=spf1 ip6:2001:db8::/32 -all", "192.0.2.1", "fail"),
        ("a.example TXT v=spf1 a -all|a.example A 192.0.2.1", "192.0.2.1", "pass"),
        ("a.example TXT v=spf1 a -all|a.example A 192.0.2.9", "192.0.2.1", "fail"),
        ("a.example TXT v=spf1 a/24 -all|a.example A 192.0.2.9", "192.0.2.1", "pass"),
        ("a.example TXT v=spf1 a:b.example -all|b.example A 192.0.2.1", "192.0.2.1", "pass"),
        ("a.example TXT v=spf1 a//64 -all|a.example AAAA 2001:db8::9", "2001:db8::1", "pass"),
        ("a.example TXT v=spf1 a -all|a.example A 192.0.2.1", "2001:db8::1", "fail"),
        ("a.example TXT v=spf1 mx -all|a.example MX 10 m.example|m.example A 192.0.2.1", "192.0.2.1", "pass"),
        ("a.example TXT v=spf1 mx -all|a.example A 192.0.2.1", "192.0.2.1", "fail"),
        ("a.example TXT v=spf1 mx:b.example/24 -all|b.example MX 10 m.example|m.example A 192.0.2.9", "192.0.2.1", "pass"),
        ("a.example TXT v=spf1 exists:%{i}.b.example -all|192.0.2.1.b.example A 127.0.0.2", "192.0.2.1", "pass"),
        ("a.example TXT v=spf1 exists:%{i}.b.example -all", "192.0.2.1", "fail"),
        ("a.example TXT v=spf1 exists:b.example -all|b.example A 127.0.0.2", "2001:db8::1", "pass"),
        ("a.example TXT v=spf1 exists:b.example -all|b.example AAAA ::1", "2001:db8::1", "fail"),
        ("a.example TXT v=spf1 ptr -all|192.0.2.1 PTR x.a.example|x.a.example A 192.0.2.1", "192.0.2.1", "pass"),
        ("a.example TXT v=spf1 ptr -all|192.0.2.1 PTR a.example|a.example A 192.0.2.1", "192.0.2.1", "pass"),
        ("a.example TXT v=spf1 ptr -all|192.0.2.1 PTR x.a.example|x.a.example A 192.0.2.9", "192.0.2.1", "fail"),
        ("a.example TXT v=spf1 ptr -all|192.0.2.1 PTR xa.example|xa.example A 192.0.2.1", "192.0.2.1", "fail"),
        ("a.example TXT v=spf1 ptr:b.example -all|192.0.2.1 PTR b.example|b.example A 192.0.2.1", "192.0.2.1", "pass"),
    ];
    holds(&cases).await;
}

#[tokio::test]
async fn section_5_2_an_include_asks_only_whether_it_passes() {
    for (qualifier, inner, word) in [
        ("", "+all", "pass"),
        ("-", "+all", "fail"),
        ("", "-all", "softfail"),
        ("", "~all", "softfail"),
        ("", "?all", "softfail"),
        ("", "", "softfail"),
        ("", "nonsense", "permerror"),
        ("", "include:nowhere.example", "permerror"),
    ] {
        let zone = format!("a.example TXT v=spf1 {qualifier}include:b.example ~all\nb.example TXT v=spf1 {inner}");
        assert_eq!(ask(&zone, "192.0.2.1").await.as_str(), word, "{zone}");
    }
    let missing = "a.example TXT v=spf1 include:b.example ~all";
    assert_eq!(ask(missing, "192.0.2.1").await.as_str(), "permerror");
    // Within it, it is the included domain's own names that count.
    let own = "a.example TXT v=spf1 include:b.example -all\nb.example TXT v=spf1 a\nb.example A 192.0.2.1";
    assert_eq!(ask(own, "192.0.2.1").await, Spf::Pass);
}

#[tokio::test]
async fn section_6_1_a_redirect_takes_the_place_of_the_whole() {
    for (record, other, word) in [
        ("redirect=b.example", "-all", "fail"),
        ("redirect=b.example", "+all", "pass"),
        ("redirect=b.example ?all", "-all", "neutral"),
        ("ip4:192.0.2.1 redirect=b.example", "-all", "pass"),
        ("redirect=%{o1}.c.example", "-all", "permerror"),
        ("redirect=nowhere.example", "-all", "permerror"),
        ("redirect=b.example", "nonsense", "permerror"),
        ("redirect=a.example", "", "permerror"),
    ] {
        let zone = format!("a.example TXT v=spf1 {record}\nb.example TXT v=spf1 {other}");
        assert_eq!(ask(&zone, "192.0.2.1").await.as_str(), word, "{zone}");
    }
}

#[tokio::test]
async fn section_4_6_4_terms_with_lookups_are_limited() {
    for (terms, word) in [(9, "pass"), (10, "pass"), (11, "permerror")] {
        let mut zone = String::from("a.example TXT v=spf1 ");
        for number in 1..terms {
            zone.push_str(&format!("a:h{number}.example "));
        }
        zone.push_str("a:last.example -all\nlast.example A 192.0.2.1\n");
        for number in 1..terms {
            zone.push_str(&format!("h{number}.example A 192.0.2.99\n"));
        }
        assert_eq!(ask(&zone, "192.0.2.1").await.as_str(), word, "{terms}");
    }
    // A bomb: each record includes two more. It ends after ten, whatever stands in DNS.
    let mut bomb = String::from("a.example TXT v=spf1 include:b1.example include:b1.example -all\n");
    for number in 1..100 {
        let next = number + 1;
        bomb.push_str(&format!(
            "b{number}.example TXT v=spf1 include:b{next}.example include:b{next}.example -all\n"
        ));
    }
    let zone = Zone::of(&bomb);
    let result = ask_as(&zone, "192.0.2.1", "user", "a.example").await;
    assert_eq!(result.as_str(), "permerror");
    assert_eq!(zone.asked().len(), 11, "ten and the first");
    let circle = "a.example TXT v=spf1 include:b.example\nb.example TXT v=spf1 include:a.example";
    assert_eq!(ask(circle, "192.0.2.1").await.as_str(), "permerror");
}

#[tokio::test]
async fn section_4_6_4_lookups_that_lead_nowhere_are_limited() {
    for (voids, word) in [(1, "pass"), (2, "pass"), (3, "permerror")] {
        for term in ["a:v{}.example", "mx:v{}.example", "exists:v{}.example"] {
            let terms: Vec<String> = (0..voids)
                .map(|number: u32| term.replace("{}", &number.to_string()))
                .collect();
            let zone = format!(
                "a.example TXT v=spf1 {} +all\nv1.example TXT here, without addresses",
                terms.join(" ")
            );
            assert_eq!(ask(&zone, "192.0.2.1").await.as_str(), word, "{zone}");
        }
    }
}

#[tokio::test]
async fn section_4_6_4_hosts_of_one_mx_and_names_of_one_client_are_limited() {
    for (hosts, word) in [(9, "fail"), (10, "fail"), (11, "permerror")] {
        let mut zone = String::from("a.example TXT v=spf1 mx -all\n");
        for number in 0..hosts {
            zone.push_str(&format!(
                "a.example MX 10 m{number}.example\nm{number}.example A 192.0.2.99\n"
            ));
        }
        assert_eq!(ask(&zone, "192.0.2.1").await.as_str(), word, "{hosts}");
    }
    for (names, word) in [(9, "pass"), (10, "pass"), (11, "fail")] {
        let mut zone = String::from("a.example TXT v=spf1 ptr -all\n");
        for number in 1..names {
            zone.push_str(&format!("192.0.2.1 PTR n{number}.example\n"));
        }
        zone.push_str("192.0.2.1 PTR last.a.example\nlast.a.example A 192.0.2.1\n");
        assert_eq!(ask(&zone, "192.0.2.1").await.as_str(), word, "{names}");
    }
}

#[tokio::test]
async fn section_7_macros_stand_for_the_sender_and_the_client() {
    for (spec, name) in [
        ("%{l}.%{o}.s.example", "user.a.example.s.example"),
        ("%{d}.s.example", "a.example.s.example"),
        ("%{h}.s.example", "mx.a.example.s.example"),
        ("%{ir}.%{v}.s.example", "1.2.0.192.in-addr.s.example"),
        ("%{p}.s.example", "x.a.example.s.example"),
    ] {
        let zone = format!(
            "a.example TXT v=spf1 exists:{spec} -all\n{name} A 127.0.0.2\n192.0.2.1 PTR other.example\nother.example A 192.0.2.1\n\
             192.0.2.1 PTR x.a.example\nx.a.example A 192.0.2.1"
        );
        assert_eq!(ask(&zone, "192.0.2.1").await, Spf::Pass, "{spec}");
    }
    let nameless = "a.example TXT v=spf1 exists:%{p}.s.example -all\nunknown.s.example A 127.0.0.2";
    assert_eq!(ask(nameless, "192.0.2.1").await, Spf::Pass);
    // A local part that is no label makes a name that can't be there (§4.8).
    let zone = Zone::of("a.example TXT v=spf1 exists:%{l}.s.example ~all");
    for local in ["a..b", "", &"x".repeat(64)] {
        assert_eq!(
            ask_as(&zone, "192.0.2.1", local, "a.example").await,
            Spf::SoftFail,
            "{local:?}"
        );
    }
    let postmaster = Zone::of("a.example TXT v=spf1 exists:%{l}.s.example -all\npostmaster.s.example A 127.0.0.2");
    assert_eq!(ask_as(&postmaster, "192.0.2.1", "", "a.example").await, Spf::Pass);
}
