//! TLS towards an upstream: what each mode takes, refuses, and never lets out in the clear.

use super::*;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use std::path::PathBuf;
use tokio_rustls::TlsAcceptor;

/// A server with a certificate of its own making for `name`, and the file that makes it known.
pub(super) async fn sink(name: &str) -> (Sink, PathBuf, tempfile::TempDir) {
    let certified = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let authority = folder.path().join("ca.pem");
    std::fs::write(&authority, certified.cert.pem()).unwrap();
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let offers = vec!["PIPELINING", "8BITMIME"];
    (
        Sink::with(offers, Some(TlsAcceptor::from(Arc::new(config)))).await,
        authority,
        folder,
    )
}

fn route(sink: &Sink, tls: TlsMode, tls_ca: Option<PathBuf>, tls_name: Option<&str>) -> Arc<Route> {
    let settings = Settings {
        tls,
        tls_ca,
        tls_name: tls_name.map(Into::into),
        ..sink.settings()
    };
    route_as(&settings)
}

#[tokio::test]
async fn lmtp_over_tcp_has_the_same_tls_and_greets_anew_under_it() {
    let (sink, authority, _folder) = sink("box.example").await;
    let settings = Settings {
        tls: TlsMode::Verified,
        tls_ca: Some(authority),
        tls_name: Some("box.example".into()),
        ..sink.lmtp_settings()
    };
    assert_eq!(converse(&route_as(&settings), BODY).await, ("accepted", 250));
    assert!(sink.taken()[0].is_encrypted);
    let greetings = ["LHLO gate.example", "STARTTLS", "LHLO gate.example"];
    assert_eq!(sink.heard()[..3], greetings);
}

/// Nothing of an envelope or message was said before encryption.
fn said_nothing(sink: &Sink) -> bool {
    !sink
        .heard()
        .iter()
        .any(|line| line.starts_with("MAIL") || line.starts_with("RCPT") || line == "DATA")
}

#[tokio::test]
async fn off_never_encrypts_and_the_rest_do() {
    for (mode, is_encrypted) in [
        (TlsMode::Off, false),
        (TlsMode::Opportunistic, true),
        (TlsMode::Required, true),
    ] {
        let (sink, _, _folder) = sink("whoever.example").await;
        let route = route(&sink, mode, None, None);
        for _ in 0..2 {
            assert_eq!(converse(&route, BODY).await, ("accepted", 250));
        }
        let taken = sink.taken();
        assert!(
            taken
                .iter()
                .all(|taken| taken.is_encrypted == is_encrypted && taken.body == BODY),
            "{mode:?}"
        );
        assert_eq!(sink.connections(), 1, "kept open and reused");
    }
}

#[tokio::test]
async fn verified_wants_the_right_name_and_authority() {
    let (good, authority, _folder) = sink("mail.example").await;
    let route_to = |ca: Option<PathBuf>, name| route(&good, TlsMode::Verified, ca, name);
    assert_eq!(
        converse(&route_to(Some(authority.clone()), Some("mail.example")), BODY).await,
        ("accepted", 250)
    );
    assert!(good.taken()[0].is_encrypted);
    // Another name; the target's own, which is an address here; another authority.
    assert_eq!(
        converse(&route_to(Some(authority.clone()), Some("other.example")), BODY).await,
        ("mail", 451)
    );
    assert_eq!(converse(&route_to(Some(authority), None), BODY).await, ("mail", 451));
    let (_other, unrelated, _other_folder) = sink("mail.example").await;
    assert_eq!(
        converse(&route_to(Some(unrelated), Some("mail.example")), BODY).await,
        ("mail", 451)
    );
    assert_eq!(good.taken().len(), 1);
}

#[tokio::test]
async fn a_stripped_starttls_sends_nothing_when_tls_is_required() {
    for (mode, outcome) in [
        (TlsMode::Required, ("mail", 451)),
        (TlsMode::Verified, ("mail", 451)),
        (TlsMode::Opportunistic, ("accepted", 250)),
    ] {
        // Not offered, and offered but refused.
        let without = Sink::start().await;
        let (refusing, authority, _folder) = sink("mail.example").await;
        refusing.at("STARTTLS", "", Act::Say("454 4.7.0 not now\r\n"));
        for sink in [&without, &refusing] {
            let route = route(sink, mode, Some(authority.clone()), Some("mail.example"));
            assert_eq!(converse(&route, BODY).await, outcome, "{mode:?}");
            assert_eq!(said_nothing(sink), outcome.1 == 451, "{mode:?}");
        }
    }
}

#[tokio::test]
async fn a_permanent_refusal_of_starttls_is_451() {
    let (sink, _, _folder) = sink("mail.example").await;
    sink.at("STARTTLS", "", Act::Say("554 5.7.3 never\r\n"));
    assert_eq!(
        converse(&route(&sink, TlsMode::Required, None, None), BODY).await,
        ("mail", 451)
    );
    assert!(said_nothing(&sink));
}

#[tokio::test]
async fn words_injected_after_starttls_are_never_used() {
    for mode in [TlsMode::Opportunistic, TlsMode::Required] {
        let (sink, _, _folder) = sink("mail.example").await;
        let injected = "220 go\r\n250-evil\r\n250 SMTPUTF8\r\n250 fine\r\n250 fine\r\n";
        sink.at("STARTTLS", "", Act::Say(injected));
        assert_eq!(
            converse(&route(&sink, mode, None, None), BODY).await,
            ("mail", 451),
            "{mode:?}"
        );
        assert!(said_nothing(&sink));
    }
}

#[tokio::test]
async fn a_handshake_that_fails_ends_required_and_not_opportunistic() {
    for (mode, outcome) in [
        (TlsMode::Required, ("mail", 451)),
        (TlsMode::Opportunistic, ("accepted", 250)),
    ] {
        let (sink, _, _folder) = sink("mail.example").await;
        // It says that it is ready and goes on in SMTP.
        sink.at("STARTTLS", "", Act::Say("220 go\r\n"));
        assert_eq!(
            converse(&route(&sink, mode, None, None), BODY).await,
            outcome,
            "{mode:?}"
        );
        assert_eq!(said_nothing(&sink), outcome.1 == 451, "{mode:?}");
    }
}

#[tokio::test]
async fn a_large_message_passes_under_tls() {
    let (sink, _, _folder) = sink("mail.example").await;
    let body = b".a line that starts with a dot\r\n".repeat(40_000);
    assert_eq!(
        converse(&route(&sink, TlsMode::Required, None, None), &body).await,
        ("accepted", 250)
    );
    assert!(sink.taken()[0].body == body);
}
