//! The checks together: messages signed here or by the standards, against zones of our own.

use super::super::{Needs, Settings};
use super::conclusion::Conclusion;
use super::*;
use crate::mail::{Address, Client, Direction, Envelope, Mail, message};
use crate::resolver::zone::Zone;
use jiff::Timestamp;
use mail_auth::AuthenticatedMessage;
use mail_auth::common::crypto::Ed25519Key;
use mail_auth::common::headers::HeaderWriter;
use mail_auth::dkim::{Canonicalization, DkimSigner, Done};

mod chains;
mod signatures;

const CLIENT: &str = "192.0.2.1";
const NOW: &str = "2026-11-23T09:00:00Z";

/// A message as it might have come from `sender@a.example`.
fn mail(bytes: &str, reverse_path: &str) -> Mail {
    Mail {
        id: uuid::Uuid::nil(),
        received: NOW.parse().unwrap(),
        listener: "inbound".into(),
        direction: Direction::Inbound,
        client: Client {
            address: Some(format!("{CLIENT}:25").parse().unwrap()),
            helo: "mx.a.example".into(),
            ..Client::default()
        },
        envelope: Envelope {
            reverse_path: (!reverse_path.is_empty()).then(|| Address::from_checked(reverse_path)),
            ..Envelope::default()
        },
        bytes: bytes.to_owned().into(),
    }
}

const ALL: Needs = Needs {
    own_spf: true,
    own_dkim: true,
    dmarc: true,
    arc: true,
    client_name: false,
    helo: false,
    client_listed: false,
    listings: false,
};

/// What is found of a message in a world.
async fn check(mail: &Mail, zone: &Zone, needs: Needs, settings: &Settings) -> Conclusion {
    let questions = Questions::of(mail, &needs, &message::Limits::default());
    let said = questions.ask(zone).await;
    said.conclude(mail, &needs, settings, NOW.parse().unwrap())
}

async fn found(bytes: &str, zone: &str) -> Conclusion {
    let mail = mail(bytes, "sender@a.example");
    check(&mail, &Zone::of(zone), ALL, &Settings::default()).await
}

/// What is found of the chain of a message, and who sealed it: for those who seal.
pub(crate) async fn chain_of(bytes: &str, zone: &Zone) -> (String, Vec<String>) {
    let found = check(&mail(bytes, "sender@a.example"), zone, ALL, &Settings::default()).await;
    match (found.auth.arc, found.auth.arc_sealers) {
        (Fact::Known(word), Fact::Known(sealers)) => (word, sealers),
        unknown => panic!("{unknown:?}"),
    }
}

fn known(word: &str) -> Fact<String> {
    Fact::Known(word.to_owned())
}

/// A key of this test's own, and the record that it has in DNS.
struct Key {
    pkcs8: Vec<u8>,
}

impl Key {
    fn new() -> Self {
        Self {
            pkcs8: Ed25519Key::generate_pkcs8().unwrap(),
        }
    }

    fn own(&self) -> Ed25519Key {
        Ed25519Key::from_pkcs8_der(&self.pkcs8).unwrap()
    }

    fn record(&self) -> String {
        let public = mail_builder::encoders::base64::base64_encode(&self.own().public_key()).unwrap();
        format!("v=DKIM1; k=ed25519; p={}", String::from_utf8(public).unwrap())
    }

    /// A zone that has it as `s._domainkey` of a domain.
    fn zone(&self, domain: &str) -> String {
        format!("s._domainkey.{domain} TXT {}\n", self.record())
    }

    fn signer(&self, domain: &str) -> DkimSigner<Ed25519Key, Done> {
        DkimSigner::from_key(self.own())
            .domain(domain)
            .selector("s")
            .headers(["From", "To", "Subject"])
            .header_canonicalization(Canonicalization::Relaxed)
            .body_canonicalization(Canonicalization::Relaxed)
    }

    fn sign(&self, domain: &str, message: &str) -> String {
        let signature = self.signer(domain).sign(message.as_bytes()).unwrap();
        format!("{}{message}", signature.to_header())
    }
}

const PLAIN: &str = "From: Ann <ann@a.example>\r\nTo: bob@council.example\r\nSubject: hello\r\n\r\nSome text.\r\n";

#[tokio::test]
async fn nothing_is_asked_that_nobody_needs() {
    let key = Key::new();
    let signed = mail(&key.sign("a.example", PLAIN), "sender@a.example");
    let dmarc = ["_dmarc.a.example Txt", "_dmarc.example Txt"];
    let (dkim, spf) = (["s._domainkey.a.example Txt"], ["a.example Txt"]);
    for (fields, asked) in [
        (vec![], vec![]),
        (vec!["from", "links", "client.ip"], vec![]),
        (vec!["auth.spf"], spf.to_vec()),
        (vec!["auth.dkim"], dkim.to_vec()),
        (vec!["auth.arc"], vec![]),
        (vec!["auth.dmarc"], [&dmarc[..], &spf, &dkim].concat()),
        (vec!["auth.aligned", "auth.spf"], [&dmarc[..], &spf, &dkim].concat()),
    ] {
        let zone = Zone::default();
        check(&signed, &zone, Needs::of(fields.iter().copied()), &Settings::default()).await;
        let mut asked = asked;
        asked.sort_unstable();
        assert_eq!(zone.asked(), asked, "{fields:?}");
    }
}

#[tokio::test]
async fn dmarc_passes_by_either_way_and_fails_by_none() {
    let key = Key::new();
    let signed = key.sign("mail.a.example", PLAIN);
    let policy = "_dmarc.a.example TXT v=DMARC1; p=reject\n";
    let spf = |record: &str| format!("a.example TXT v=spf1 {record}\n");
    let keys = key.zone("mail.a.example");
    for (message, zone, dmarc, aligned) in [
        (PLAIN, format!("{policy}{}", spf("+all")), "pass", true),
        (&signed, format!("{policy}{keys}{}", spf("-all")), "pass", true),
        (&signed, format!("{policy}{}", spf("-all")), "fail", false),
        (PLAIN, policy.to_owned(), "fail", false),
        (PLAIN, spf("+all"), "none", true),
        (PLAIN, String::new(), "none", false),
    ] {
        let found = found(message, &zone).await;
        assert_eq!(found.auth.dmarc, known(dmarc), "{zone}");
        assert_eq!(found.auth.aligned, Fact::Known(aligned), "{zone}");
        let policy = if dmarc == "none" { "none" } else { "reject" };
        assert_eq!(found.auth.dmarc_policy, known(policy));
        let failure = (dmarc == "fail").then(|| DmarcFailure {
            domain: "a.example".into(),
            wish: Wish::Reject,
        });
        assert_eq!(found.failure, failure);
    }
}

#[tokio::test]
async fn a_policy_that_is_only_tried_out_wants_a_step_less() {
    for (record, wish) in [
        ("p=reject; t=y", Wish::Quarantine),
        ("p=quarantine; t=y", Wish::None),
        ("p=quarantine", Wish::Quarantine),
        ("p=none", Wish::None),
    ] {
        let found = found(PLAIN, &format!("_dmarc.a.example TXT v=DMARC1; {record}")).await;
        assert_eq!(found.failure.unwrap().wish, wish, "{record}");
        assert_eq!(found.auth.dmarc_testing, Fact::Known(record.contains("t=y")));
    }
}

/// The From field that a reader shows may be any of them.
#[tokio::test]
async fn of_several_authors_the_worst_counts() {
    let zone =
        "a.example TXT v=spf1 +all\n_dmarc.a.example TXT v=DMARC1; p=none\n_dmarc.bank.example TXT v=DMARC1; p=reject";
    let message = |from: &str| format!("{from}To: bob@council.example\r\n\r\ntext\r\n");
    for (from, dmarc) in [
        ("From: x@a.example\r\n", known("pass")),
        ("From: x@a.example, y@a.example\r\n", known("pass")),
        ("From: x@a.example, y@bank.example\r\n", known("fail")),
        ("From: x@bank.example\r\nFrom: x@a.example\r\n", known("fail")),
        ("From: x@a.example\r\nFrom: x@bank.example\r\n", known("fail")),
        ("X: y\r\nFrom : x@bank.example\r\nFrom: x@a.example\r\n", known("fail")),
        ("From: x@a.example, y@c.example\r\n", known("none")),
        ("", known("permerror")),
        ("From: nobody\r\n", known("permerror")),
    ] {
        let found = found(&message(from), zone).await;
        assert_eq!(found.auth.dmarc, dmarc, "{from:?}");
        let failed = found.failure.map(|failure| failure.domain);
        assert_eq!(failed.is_some(), dmarc == known("fail"), "{from:?}");
        assert!(failed.is_none_or(|domain| domain == "bank.example"));
    }
    let many: Vec<String> = (0..20).map(|number| format!("x@d{number}.example")).collect();
    let found = found(&message(&format!("From: {}\r\n", many.join(", "))), zone).await;
    assert_eq!(found.auth.dmarc, known("permerror"));
}

#[tokio::test]
async fn what_dns_can_not_tell_is_unknown_and_never_a_result() {
    let key = Key::new();
    let signed = key.sign("a.example", PLAIN);
    for (fault, cause) in [("!timeout", "timeout"), ("!failed", "failed"), ("!many", "limit")] {
        let zone = format!(
            "a.example TXT {fault}\ns._domainkey.a.example TXT {fault}\n_dmarc.a.example TXT v=DMARC1; p=reject"
        );
        let seen = found(&signed, &zone).await;
        for fact in [&seen.auth.spf, &seen.auth.dkim, &seen.auth.dmarc] {
            assert_eq!(*fact, Fact::Unknown(cause), "{fault}");
        }
        assert_eq!(seen.auth.dkim_domains, Fact::Unknown(cause));
        assert_eq!(seen.auth.aligned, Fact::Unknown(cause));
        assert_eq!(seen.failure, None, "what isn't known is not refused for");
        let told: Vec<_> = seen.results.iter().map(|one| (one.method, one.result)).collect();
        assert_eq!(
            told,
            [
                ("spf", "temperror"),
                ("dkim", "temperror"),
                ("dmarc", "temperror"),
                ("arc", "none")
            ]
        );
        let policy = found(PLAIN, &format!("_dmarc.a.example TXT {fault}")).await;
        assert_eq!(policy.auth.dmarc, Fact::Unknown(cause));
    }
}

/// A stranger's slow servers must not hide that nobody vouches for the author.
#[tokio::test]
async fn what_a_stranger_makes_unknown_changes_nothing_for_the_author() {
    let key = Key::new();
    let signed = key.sign("evil.test", PLAIN);
    let zone = "evil.test TXT !timeout\ns._domainkey.evil.test TXT !timeout\n_dmarc.a.example TXT v=DMARC1; p=reject";
    let mail = mail(&signed, "x@evil.test");
    let found = check(&mail, &Zone::of(zone), ALL, &Settings::default()).await;
    assert_eq!(found.auth.spf, Fact::Unknown("timeout"));
    assert_eq!(found.auth.dkim, Fact::Unknown("timeout"));
    assert_eq!(found.auth.dmarc, known("fail"));
    assert!(found.failure.is_some());
}

#[tokio::test]
async fn helo_stands_in_for_a_null_sender() {
    let zone = "mx.a.example TXT v=spf1 ip4:192.0.2.1 -all\n_dmarc.a.example TXT v=DMARC1; p=reject";
    let bounce = mail(PLAIN, "");
    let found = check(&bounce, &Zone::of(zone), ALL, &Settings::default()).await;
    assert_eq!((found.auth.spf, found.auth.dmarc), (known("pass"), known("pass")));
    assert_eq!(found.results[0].properties, [("smtp.helo", "mx.a.example".to_owned())]);
    let mut nameless = mail(PLAIN, "");
    nameless.client.helo = "[192.0.2.1]".into();
    let found = check(&nameless, &Zone::of(zone), ALL, &Settings::default()).await;
    assert_eq!(found.auth.spf, known("none"));
}

#[tokio::test]
async fn without_a_client_spf_is_unknown() {
    let mut mail = mail(PLAIN, "sender@a.example");
    mail.client.address = None;
    let zone = Zone::of("a.example TXT v=spf1 +all\n_dmarc.a.example TXT v=DMARC1; p=reject");
    let found = check(&mail, &zone, ALL, &Settings::default()).await;
    assert_eq!(found.auth.spf, Fact::Unknown("no-client"));
    assert_eq!(found.auth.dmarc, Fact::Unknown("no-client"));
}

#[tokio::test]
async fn a_header_too_long_to_look_into_is_unknown() {
    let long = format!("X: {}\r\n{PLAIN}", "x".repeat(300 << 10));
    let found = found(
        &long,
        "a.example TXT v=spf1 +all\n_dmarc.a.example TXT v=DMARC1; p=none",
    )
    .await;
    assert_eq!(found.auth.spf, known("pass"));
    for fact in [&found.auth.dkim, &found.auth.dmarc, &found.auth.arc] {
        assert_eq!(*fact, Fact::Unknown("limit"));
    }
}

#[tokio::test]
async fn a_missing_domain_below_a_public_suffix_has_its_own_policy() {
    let message = PLAIN.replace("ann@a.example", "ann@nobody.gov.uk");
    let record = "_dmarc.gov.uk TXT v=DMARC1; p=none; sp=none; np=reject";
    for (zone, wish) in [
        (record.to_owned(), Wish::Reject),
        (format!("{record}\nnobody.gov.uk A -"), Wish::None),
    ] {
        let found = found(&message, &zone).await;
        assert_eq!(found.failure.unwrap().wish, wish, "{zone}");
    }
}
