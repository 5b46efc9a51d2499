//! Parameters and capabilities: each connection is told only what its server knows.

use super::*;

fn parameter(keyword: &str, value: Option<&str>) -> Parameter {
    Parameter {
        keyword: keyword.into(),
        value: value.map(Into::into),
    }
}

async fn said(offers: Vec<&'static str>) -> (u16, Vec<String>) {
    let sink = Sink::start().await;
    sink.offer(offers);
    let mut envelope = envelope(&["a@example.net"]);
    envelope.parameters = vec![
        parameter("size", Some("1000")),
        parameter("BODY", Some("8BITMIME")),
        parameter("RET", Some("HDRS")),
    ];
    envelope.recipients[0].parameters = vec![parameter("NOTIFY", Some("NEVER"))];
    let delivery = route(&sink)
        .deliver(
            &Client::default(),
            &envelope,
            &[Bytes::from_static("h: \u{e9}\r\n".as_bytes())],
        )
        .await;
    let taken = sink.taken();
    assert_eq!(taken[0].body, "h: \u{e9}\r\n".as_bytes(), "8-bit goes as it is");
    (delivery.reply().code(), taken[0].commands.clone())
}

#[tokio::test]
async fn an_upstream_is_told_what_it_knows() {
    let (code, commands) = said(vec!["SIZE", "8BITMIME", "DSN"]).await;
    assert_eq!(code, 250);
    assert_eq!(
        commands,
        [
            "MAIL FROM:<sender@example.org> size=1000 BODY=8BITMIME RET=HDRS",
            "RCPT TO:<a@example.net> NOTIFY=NEVER"
        ]
    );
    let (code, commands) = said(vec![]).await;
    assert_eq!(code, 250);
    assert_eq!(commands, ["MAIL FROM:<sender@example.org>", "RCPT TO:<a@example.net>"]);
}

#[tokio::test]
async fn smtputf8_is_refused_where_upstream_lacks_it() {
    let sink = Sink::start().await;
    sink.offer(vec!["8BITMIME"]);
    let (reply, transaction) = route(&sink)
        .open(&Client::default(), None, &[parameter("SMTPUTF8", None)])
        .await;
    assert_eq!((reply.code(), transaction.is_none()), (553, true));
    assert!(reply.lines()[0].starts_with("5.6.7"));
}

#[tokio::test]
async fn an_envelope_that_holds_a_command_is_refused() {
    let sink = Sink::start().await;
    let route = route(&sink);
    let (reply, _) = route
        .open(&Client::default(), Some(&address("a@b>\r\nRCPT TO:<c@d")), &[])
        .await;
    assert_eq!(reply.code(), 553);
    let mut transaction = opened(&route, &[]).await;
    assert_eq!(transaction.rcpt(&recipient("a\nb@c")).await.code(), 553);
    assert!(
        !sink
            .heard()
            .iter()
            .any(|line| line.contains("c@d") || line.contains("b@c"))
    );
}

#[tokio::test]
async fn capabilities_are_what_every_target_offers() {
    let (first, second) = (Sink::start().await, Sink::start().await);
    let mut settings = first.settings();
    settings.target = Targets::Several(vec![first.url(), second.url()]);
    let all = upstreams(&[settings]);
    let cold = Capabilities {
        size: None,
        smtputf8: false,
        dsn: false,
    };
    assert_eq!(all.capabilities(), cold);
    second.offer(vec!["SIZE 500", "SMTPUTF8"]);
    let probes = all.probe().await;
    assert!(
        probes.iter().all(|probe| matches!(probe.outcome, Ok(Some(_)))),
        "{probes:?}"
    );
    let expected = Capabilities {
        size: Some(500),
        smtputf8: true,
        dsn: false,
    };
    assert_eq!(all.capabilities(), expected);
    // What was once known is kept while a target is away; a new greeting replaces it.
    second.at("BANNER", "", Act::Close);
    let probes = all.probe().await;
    assert!(probes[1].outcome.is_err());
    assert_eq!(all.capabilities(), expected);
    second.heal();
    second.offer(vec!["DSN"]);
    all.probe().await;
    assert_eq!(
        all.capabilities(),
        Capabilities {
            size: Some(1_000_000),
            smtputf8: false,
            dsn: true
        }
    );
}

#[tokio::test]
async fn real_mail_refreshes_capabilities() {
    let sink = Sink::start().await;
    let all = upstreams(&[sink.settings()]);
    assert_eq!(converse(&all.only_route().unwrap(), BODY).await, ("accepted", 250));
    assert!(all.capabilities().dsn);
}
