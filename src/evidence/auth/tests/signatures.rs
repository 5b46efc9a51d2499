//! DKIM: the standards' own examples, and each way in which a signature can fail.

use super::*;

fn example(text: &str) -> String {
    text.replace('\n', "\r\n")
}

const RFC8463_KEYS: &str = "\
brisbane._domainkey.football.example.com TXT v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
test._domainkey.football.example.com TXT v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB
";
const RFC6376_KEY: &str = "brisbane._domainkey.example.com TXT v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYtIxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB";

fn dkim(found: &Conclusion) -> Vec<(&'static str, &'static str)> {
    let results = found.results.iter().filter(|one| one.method == "dkim");
    results.map(|one| (one.result, one.reason)).collect()
}

#[tokio::test]
async fn the_example_of_rfc_8463_passes_by_both_algorithms() {
    let message = example(include_str!("rfc8463.eml"));
    let seen = found(&message, RFC8463_KEYS).await;
    assert_eq!(dkim(&seen), [("pass", ""), ("pass", "")]);
    assert_eq!(seen.auth.dkim, known("pass"));
    let domain = "football.example.com".to_owned();
    assert_eq!(seen.auth.dkim_domains, Fact::Known(vec![domain.clone(), domain]));
    let begins: Vec<&str> = seen
        .results
        .iter()
        .flat_map(|one| &one.properties)
        .filter(|(name, _)| *name == "header.b")
        .map(|(_, text)| text.as_str())
        .collect();
    assert_eq!(begins, ["/gCrinpc", "F45dVWDf"]);
    for (from, to, reason) in [
        ("Are you hungry", "Is he hungry", "the body does not match"),
        ("Is dinner ready?", "Is lunch ready?", "the signature does not match"),
        (
            "joe@football.example.com>\r\nTo",
            "jim@football.example.com>\r\nTo",
            "the signature does not match",
        ),
    ] {
        let seen = found(&message.replace(from, to), RFC8463_KEYS).await;
        assert_eq!(dkim(&seen), [("fail", reason), ("fail", reason)], "{to}");
        assert_eq!(seen.auth.dkim_domains, Fact::Known(vec![]));
    }
}

#[tokio::test]
async fn the_example_of_rfc_6376_passes_as_it_stands() {
    let message = example(include_str!("rfc6376.eml"));
    assert_eq!(dkim(&found(&message, RFC6376_KEY).await), [("pass", "")]);
    // Simple canonicalisation forgives nothing.
    let spaced = message.replace("Subject: Is", "Subject:  Is");
    assert_eq!(
        dkim(&found(&spaced, RFC6376_KEY).await),
        [("fail", "the signature does not match")]
    );
}

#[tokio::test]
async fn keys_that_are_no_use_are_told_apart() {
    let key = Key::new();
    let message = key.sign("a.example", PLAIN);
    let other = Key::new().record();
    for (record, result, reason) in [
        (key.record(), "pass", ""),
        (format!("{}; t=y", key.record()), "pass", ""),
        (format!("{}; h=sha256", key.record()), "pass", ""),
        (
            format!("{}; h=sha1", key.record()),
            "permerror",
            "the key is not for this hash",
        ),
        (other, "fail", "the signature does not match"),
        ("v=DKIM1; k=ed25519; p=".to_owned(), "permerror", "the key is revoked"),
        (
            "v=DKIM1; k=unheard; p=AAAA".to_owned(),
            "permerror",
            "the key record can not be read",
        ),
        (
            "something else".to_owned(),
            "permerror",
            "the key record can not be read",
        ),
        ("-".to_owned(), "permerror", "no key for the signature"),
        ("!timeout".to_owned(), "temperror", "timeout"),
    ] {
        let seen = found(&message, &format!("s._domainkey.a.example TXT {record}")).await;
        assert_eq!(dkim(&seen), [(result, reason)], "{record}");
    }
}

#[tokio::test]
async fn a_short_rsa_key_does_not_count() {
    let message = example(include_str!("rfc8463.eml"));
    // 512 bits.
    let short = "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAKFjF2B9rYlWCeQoyWcj2FSFbFFlEbhHNTWJ1EJgCWiKZX3e0yxHMgfnLpMFd8bqAWNjsIlfXB4dDIvqJDqL7cMCAwEAAQ==";
    let zone = format!("test._domainkey.football.example.com TXT v=DKIM1; p={short}");
    let seen = found(&message, &zone).await;
    assert_eq!(dkim(&seen)[1], ("policy", "the key is too short"));
}

#[tokio::test]
async fn signatures_that_do_not_count_are_told_apart() {
    let key = Key::new();
    let signed = |change: &dyn Fn(&mut DkimSigner<Ed25519Key, Done>)| {
        let mut signer = key.signer("a.example");
        change(&mut signer);
        let signature = signer.sign(PLAIN.as_bytes()).unwrap();
        format!("{}{PLAIN}", signature.to_header())
    };
    let zone = key.zone("a.example");
    for (message, result, reason) in [
        (signed(&|_| ()), "pass", ""),
        (
            signed(&|signer| signer.template.i = "x@sub.a.example".into()),
            "pass",
            "",
        ),
        (
            signed(&|signer| signer.template.i = "x@b.example".into()),
            "permerror",
            "the signer signs for another domain",
        ),
        (
            signed(&|signer| signer.template.i = "x@nota.example".into()),
            "permerror",
            "the signer signs for another domain",
        ),
        (
            signed(&|signer| signer.template.h = vec!["To".into()]),
            "permerror",
            "From is not signed",
        ),
        (
            signed(&|signer| signer.template.l = 1),
            "policy",
            "only part of the body is signed",
        ),
        (
            signed(&|_| ()).replace("ed25519-sha256", "rsa-sha1"),
            "policy",
            "rsa-sha1 no longer counts",
        ),
        (
            signed(&|_| ()).replace("ed25519-sha256", "rot13"),
            "neutral",
            "the signature can not be read",
        ),
        (
            signed(&|_| ()).replace("v=1;", "v=2;"),
            "neutral",
            "the signature can not be read",
        ),
        (
            signed(&|_| ()).replace("d=a.example", "d="),
            "neutral",
            "the signature can not be read",
        ),
    ] {
        let seen = found(&message, &zone).await;
        assert_eq!(dkim(&seen), [(result, reason)], "{message}");
    }
    let strict = format!("s._domainkey.a.example TXT {}; t=s", key.record());
    let below = signed(&|signer| signer.template.i = "x@sub.a.example".into());
    assert_eq!(
        dkim(&found(&below, &strict).await),
        [("permerror", "the signer signs for another domain")]
    );
    let own = signed(&|signer| signer.template.i = "x@a.example".into());
    assert_eq!(dkim(&found(&own, &strict).await), [("pass", "")]);
}

#[tokio::test]
async fn a_signature_has_its_time() {
    let key = Key::new();
    let message = key.sign("a.example", PLAIN);
    let signature = key.signer("a.example").expiration(60).sign(PLAIN.as_bytes()).unwrap();
    let expiring = format!("{}{PLAIN}", signature.to_header());
    let at = |time: Timestamp, message: String| {
        let zone = Zone::of(&key.zone("a.example"));
        async move {
            let mail = mail(&message, "x@a.example");
            let questions = Questions::of(&mail, &ALL, &message::Limits::default());
            let said = questions.ask(&zone).await;
            dkim(&said.conclude(&mail, &ALL, &Settings::default(), time))
        }
    };
    let after = |seconds: i64| Timestamp::from_second(i64::try_from(signature.x).unwrap() + seconds).unwrap();
    assert_eq!(at(after(-1), expiring.clone()).await, [("pass", "")]);
    assert_eq!(at(after(0), expiring).await, [("fail", "the signature has expired")]);
    assert_eq!(at(after(10_000), message).await, [("pass", "")]);
}

/// A fault of any one is no fault of the message.
#[tokio::test]
async fn the_best_of_several_signatures_counts() {
    let key = Key::new();
    let broken = "DKIM-Signature: v=1; a=rsa-sha256; d=b.example; s=s; h=from; bh=AAAA; b=AAAA\r\n";
    let message = format!("{broken}{}", key.sign("a.example", PLAIN));
    let seen = found(&message, &key.zone("a.example")).await;
    assert_eq!(seen.auth.dkim, known("pass"));
    assert_eq!(dkim(&seen)[0], ("fail", "the body does not match"));
    let unsigned = found(PLAIN, "").await;
    assert_eq!(
        (unsigned.auth.dkim, unsigned.auth.dkim_domains),
        (known("none"), Fact::Known(vec![]))
    );
}

#[tokio::test]
async fn of_too_many_signatures_the_authors_own_are_checked_first() {
    let key = Key::new();
    for count in [dkim::SIGNATURES_MAX - 1, dkim::SIGNATURES_MAX, 1000] {
        let foreign: String = (0..count)
            .map(|number| {
                format!("DKIM-Signature: v=1; a=rsa-sha256; d=d{number}.test; s=s; h=from; bh=AAAA; b=AAAA\r\n")
            })
            .collect();
        let message = format!("{foreign}{}", key.sign("mail.a.example", PLAIN));
        let mail = mail(&message, "x@a.example");
        let zone = Zone::of(&key.zone("mail.a.example"));
        let seen = check(&mail, &zone, ALL, &Settings::default()).await;
        assert_eq!(seen.auth.dkim, known("pass"), "{count}");
        let keys = zone.asked().iter().filter(|name| name.contains("_domainkey")).count();
        assert!(keys <= dkim::SIGNATURES_MAX, "{keys}");
        let unheard = check(&mail, &Zone::default(), ALL, &Settings::default()).await;
        let expected = match count < dkim::SIGNATURES_MAX {
            true => known("fail"),
            false => Fact::Unknown("limit"),
        };
        assert_eq!(unheard.auth.dkim, expected, "{count}");
    }
}
