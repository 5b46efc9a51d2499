//! ARC: chains that another implementation sealed, whole and broken, and whom they vouch for.

use super::*;
use mail_auth::arc::{ArcSealer, Set};
use mail_auth::common::headers::Header;
use mail_auth::{ArcOutput, AuthenticationResults, DkimResult, DmarcOutput, DmarcResult};

/// Adds a link: what the sealer found of DMARC, and its seal.
fn seal(key: &Key, sealer: &str, message: &str, passed: bool) -> String {
    let read = AuthenticatedMessage::parse(message.as_bytes()).unwrap();
    let dmarc = match passed {
        true => DmarcResult::Pass,
        false => DmarcResult::Fail(mail_auth::Error::NotAligned),
    };
    let dmarc = DmarcOutput::new("a.example".into()).with_spf_result(dmarc);
    let results = AuthenticationResults::new("mx.forwarder.example").with_dmarc_result(&dmarc);
    let mut before = ArcOutput::default();
    let links = read.ams_headers.iter().zip(&read.as_headers).zip(&read.aar_headers);
    for ((signature, seal), results) in links {
        before = before.with_result(DkimResult::Pass).with_set(Set {
            signature: Header::new(signature.name, signature.value, &signature.header),
            seal: Header::new(seal.name, seal.value, &seal.header),
            results: Header::new(results.name, results.value, &results.header),
        });
    }
    let sealer = ArcSealer::from_key(key.own())
        .domain(sealer)
        .selector("s")
        .headers(["From", "To", "Subject"]);
    let sealer = sealer
        .header_canonicalization(Canonicalization::Relaxed)
        .body_canonicalization(Canonicalization::Relaxed);
    let set = sealer.seal(&read, &results, &before).unwrap();
    format!("{}{message}", set.to_header())
}

const POLICY: &str = "_dmarc.a.example TXT v=DMARC1; p=reject\n";

async fn found_trusting(message: &str, zone: &str, trusted: &[&str]) -> Conclusion {
    let settings = Settings {
        trusted_sealers: trusted.iter().map(|&one| one.to_owned()).collect(),
        ..Settings::default()
    };
    check(&mail(message, "x@list.example"), &Zone::of(zone), ALL, &settings).await
}

#[tokio::test]
async fn a_chain_holds_until_somebody_changes_something() {
    let (list, own) = (Key::new(), Key::new());
    let zone = format!("{POLICY}{}{}", list.zone("list.example"), own.zone("own.example"));
    let one = seal(&list, "list.example", PLAIN, true);
    let two = seal(&own, "own.example", &one, false);
    for (message, result, sealers) in [
        (PLAIN.to_owned(), "none", vec![]),
        (one.clone(), "pass", vec!["list.example"]),
        (two.clone(), "pass", vec!["own.example", "list.example"]),
        (one.replace("Some text", "Other text"), "fail", vec![]),
        (two.replace("Some text", "Other text"), "fail", vec![]),
        (two.replace("hello", "hullo"), "fail", vec![]),
        (two.replacen("i=1;", "i=3;", 1), "fail", vec![]),
        (two.replacen("cv=pass", "cv=fail", 1), "fail", vec![]),
        (two.replacen("dmarc=pass", "dmarc=none", 1), "fail", vec![]),
        (two.replacen("ARC-Seal", "X-Seal", 1), "fail", vec![]),
        (
            two.replacen("ARC-Authentication-Results", "X-Results", 1),
            "fail",
            vec![],
        ),
    ] {
        let found = found_trusting(&message, &zone, &[]).await;
        assert_eq!(found.auth.arc, known(result), "{message}");
        let sealers = sealers.into_iter().map(str::to_owned).collect();
        assert_eq!(found.auth.arc_sealers, Fact::Known(sealers));
        assert_eq!(found.auth.arc_vouched, Fact::Known(false), "nobody is trusted");
    }
    // A list that changes the text before it seals is what ARC is for.
    let changed = seal(
        &own,
        "own.example",
        &one.replace("Some text", "Some text\r\n-- \r\nthe list"),
        true,
    );
    assert_eq!(found_trusting(&changed, &zone, &[]).await.auth.arc, known("pass"));
}

#[tokio::test]
async fn a_trusted_sealer_saves_what_its_change_has_broken() {
    let (list, evil) = (Key::new(), Key::new());
    let zone = format!("{POLICY}{}{}", list.zone("list.example"), evil.zone("evil.test"));
    let honest = seal(&list, "list.example", PLAIN, true);
    let failed = seal(&list, "list.example", PLAIN, false);
    let forged = seal(&evil, "evil.test", PLAIN, true);
    let relayed = seal(&list, "list.example", &forged, false);
    for (message, trusted, vouched) in [
        (&honest, vec!["list.example"], true),
        (&honest, vec![], false),
        (&honest, vec!["other.example"], false),
        (&failed, vec!["list.example"], false),
        (&forged, vec!["list.example"], false),
        (&relayed, vec!["list.example"], false),
        (&honest.replace("Some text", "Other text"), vec!["list.example"], false),
    ] {
        let found = found_trusting(message, &zone, &trusted).await;
        assert_eq!(found.auth.arc_vouched, Fact::Known(vouched), "{message}");
        assert_eq!(found.auth.dmarc, known("fail"), "the result is as it is");
        assert_eq!(found.failure.is_none(), vouched, "policy is not carried out");
    }
}

#[tokio::test]
async fn a_seal_whose_key_can_not_be_had_is_unknown() {
    let list = Key::new();
    let message = seal(&list, "list.example", PLAIN, true);
    let zone = format!("{POLICY}s._domainkey.list.example TXT !timeout");
    let found = found_trusting(&message, &zone, &["list.example"]).await;
    assert_eq!(found.auth.arc, Fact::Unknown("timeout"));
    assert_eq!(found.auth.arc_vouched, Fact::Unknown("timeout"));
    assert!(found.failure.is_some(), "unknown saves nothing");
}

#[tokio::test]
async fn a_chain_of_many_links_is_followed_to_its_limit_and_no_further() {
    let key = Key::new();
    let zone = key.zone("list.example");
    let mut message = PLAIN.to_owned();
    for link in 1..=50 {
        message = seal(&key, "list.example", &message, true);
        if matches!(link, 49 | 50) {
            let found = found_trusting(&message, &zone, &[]).await;
            assert_eq!(found.auth.arc, known("pass"), "{link}");
        }
    }
    let beyond = message.replace("i=50;", "i=51;");
    assert_eq!(found_trusting(&beyond, &zone, &[]).await.auth.arc, known("fail"));
}
