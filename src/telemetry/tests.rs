//! The handle as a whole: what a scrape shows, what the log says, and that no traffic adds a series.

use super::catalogue::{CATALOGUE, Kind};
use super::*;
use std::collections::BTreeMap;
use std::io::Read;

fn event(verdict: &str, findings: &[(&str, &str, f64)]) -> MessageEvent {
    MessageEvent {
        id: "0192f3aa-0000-7000-8000-000000000001".to_owned(),
        listener: "inbound".to_owned(),
        direction: "inbound".to_owned(),
        mode: "enforce".to_owned(),
        verdict: verdict.to_owned(),
        action: verdict.to_owned(),
        size: 5_000,
        recipients: vec![RecipientEvent {
            address: "clerk@council.example".to_owned(),
            verdict: verdict.to_owned(),
        }],
        findings: findings
            .iter()
            .map(|(rule, status, score)| FindingEvent {
                rule: (*rule).to_owned(),
                status: (*status).to_owned(),
                score: *score,
                category: "spam".to_owned(),
                severity: "low".to_owned(),
                ..FindingEvent::default()
            })
            .collect(),
        ..MessageEvent::default()
    }
}

/// The samples of a scrape by series; checks the form of every line on the way.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let mut types: BTreeMap<&str, &str> = BTreeMap::new();
    let mut samples = BTreeMap::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(types.insert(name, kind).is_none(), "{name} comes in one block");
            continue;
        }
        if line.starts_with("# HELP ") {
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        let name = series.split('{').next().unwrap();
        let family = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| name.strip_suffix(end).filter(|base| types.contains_key(base)))
            .unwrap_or(name);
        assert!(types.contains_key(family), "{line}");
        assert!(
            samples.insert(series.to_owned(), value.parse().unwrap()).is_none(),
            "{line}"
        );
    }
    samples
}

fn sample(telemetry: &Telemetry, series: &str) -> f64 {
    *samples(&telemetry.scrape())
        .get(&format!("portreeve_{series}"))
        .unwrap_or_else(|| panic!("{series} is not there"))
}

fn configured() -> Telemetry {
    let telemetry = Telemetry::default();
    telemetry.names(&["inbound"], &["default"]);
    telemetry.rules_loaded(
        "ab12",
        &[("A", "active"), ("B", "active"), ("S", "shadow")],
        &[ListEvent {
            name: "org_domains",
            entries: 3,
            written: Some(Timestamp::UNIX_EPOCH),
        }],
    );
    telemetry.certificate_expiry("inbound", 1_900_000_000);
    telemetry.dns_lists(&["sink"]);
    telemetry.rules_held(&[("A".to_owned(), "budget")]);
    telemetry
}

#[test]
fn every_metric_of_the_catalogue_is_there_at_once() {
    let text = configured().scrape();
    samples(&text);
    for metric in &CATALOGUE {
        let line = format!("# TYPE {} {}\n", metric.name, metric.kind.as_str());
        assert!(text.contains(&line), "{line}");
        assert_eq!(
            metric.name.ends_with("_total"),
            metric.kind == Kind::Counter,
            "{}",
            metric.name
        );
    }
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE portreeve_")) {
        let name = format!("portreeve_{}", line.split(' ').next().unwrap());
        assert!(CATALOGUE.iter().any(|metric| metric.name == name), "{name}");
    }
    assert!(text.contains("process_cpu_seconds_total"), "{text}");
}

#[test]
fn known_label_sets_start_at_zero_and_fit_the_budget() {
    let telemetry = configured();
    for series in [
        "connections_total{listener=\"inbound\",tls=\"starttls\"}",
        "messages_total{direction=\"inbound\",mode=\"enforce\",verdict=\"reject\"}",
        "rejects_total{reason=\"relay\",stage=\"rcpt\"}",
        "rule_hits_total{mode=\"active\",rule=\"A\"}",
        "upstream_replies_total{class=\"5xx\",route=\"default\",stage=\"dot\"}",
        "unscanned_total{cause=\"timeout\",check=\"auth.spf\"}",
        "events_dropped_total",
    ] {
        assert!(sample(&telemetry, series).abs() < f64::EPSILON, "{series}");
    }
    telemetry.rules_loaded("ab12", &[], &[]);
    let without = samples(&telemetry.scrape()).len();
    assert!(without <= 500, "{without}");
    telemetry.rules_loaded("ab12", &[("A", "active")], &[]);
    telemetry.rules_held(&[("A".to_owned(), "share")]);
    assert!(samples(&telemetry.scrape()).len() - without <= 6);
}

#[test]
fn a_rules_work_is_counted_and_what_holds_it_is_shown_while_it_does() {
    let telemetry = configured();
    let (held, work) = (
        "rule_disabled{cause=\"budget\",rule=\"A\"}",
        "rule_eval_seconds_total{rule=\"A\"}",
    );
    assert!((sample(&telemetry, held) - 1.0).abs() < f64::EPSILON);
    telemetry.rules_spent([("A", 3_000_000), ("GONE", 5), ("A", 2_000_000)].into_iter());
    assert!(
        (sample(&telemetry, work) - 0.5).abs() < 1e-9,
        "a step is a tenth of a microsecond"
    );
    telemetry.rules_held(&[]);
    assert!(!telemetry.scrape().contains("rule_disabled{"));
    telemetry.rule_held("A", "share", "held");
    telemetry.rule_held("GONE", "share", "held");
    assert_eq!(telemetry.scrape().matches("rule_disabled{").count(), 1);
    telemetry.rules_loaded("ab12", &[], &[]);
    assert!(!telemetry.scrape().contains("rule_disabled{") && !telemetry.scrape().contains("rule_eval_seconds_total{"));
}

#[test]
fn no_traffic_adds_a_series() {
    let telemetry = configured();
    let before = samples(&telemetry.scrape()).len();
    for number in 0..100_000 {
        let word = format!("word-{number}");
        let mut event = event(&word, &[(&word, &word, 1.0)]);
        for field in [
            &mut event.listener,
            &mut event.direction,
            &mut event.mode,
            &mut event.helo,
            &mut event.from,
            &mut event.route,
            &mut event.category,
        ] {
            field.clone_from(&word);
        }
        event.findings[0].category.clone_from(&word);
        event.findings[0].severity.clone_from(&word);
        telemetry.message(&event);
        telemetry.unscanned(&word, &word);
        telemetry.connection_secured(&word, "none");
        telemetry.upstream_reply(&word, "dot", "2xx");
        telemetry.upstream_softened(&word, "dot", &word);
        telemetry.upstream_unstated(&word);
        telemetry.upstream_connections(&word, "idle", 1);
        telemetry.rule_unknown(&word);
        telemetry.release("cli", &word, "delivered");
        telemetry.store_error("quarantine", &word);
    }
    assert_eq!(samples(&telemetry.scrape()).len(), before);
    assert!(
        (sample(
            &telemetry,
            "messages_total{direction=\"other\",mode=\"other\",verdict=\"other\"}"
        ) - 1e5)
            .abs()
            < 0.5
    );
}

#[test]
fn a_message_is_counted_by_verdict_recipient_and_rule() {
    let telemetry = configured();
    let mut alone = event("tag", &[("A", "active", 5.0), ("S", "shadow", 3.0)]);
    alone.sole_causes = vec!["A".into()];
    alone.undecided = vec!["B".into()];
    telemetry.message(&alone);
    telemetry.message(&event("reject", &[("A", "active", 5.0), ("B", "active", 3.0)]));
    telemetry.message(&event("deliver", &[("B", "active", 1.0)]));
    for (series, expected) in [
        (
            "messages_total{direction=\"inbound\",mode=\"enforce\",verdict=\"tag\"}",
            1.0,
        ),
        ("recipients_total{verdict=\"reject\"}", 1.0),
        ("findings_total{category=\"spam\",severity=\"low\"}", 4.0),
        ("rule_hits_total{mode=\"active\",rule=\"A\"}", 2.0),
        ("rule_hits_total{mode=\"shadow\",rule=\"S\"}", 1.0),
        ("rule_only_hits_total{rule=\"A\"}", 1.0),
        ("rule_only_hits_total{rule=\"B\"}", 0.0),
        ("rule_unknown_total{rule=\"B\"}", 1.0),
        ("message_size_bytes_count", 3.0),
        ("message_size_bytes_bucket{le=\"4000\"}", 0.0),
        ("message_size_bytes_bucket{le=\"16000\"}", 3.0),
    ] {
        assert!((sample(&telemetry, series) - expected).abs() < f64::EPSILON, "{series}");
    }
}

#[test]
fn names_rules_and_lists_leave_with_their_series_and_keep_their_counts() {
    let telemetry = configured();
    telemetry.message(&event("tag", &[("A", "active", 5.0)]));
    telemetry.connection_secured("inbound", "none");
    telemetry.rules_loaded("cd34", &[("A", "shadow")], &[]);
    telemetry.names(&["inbound", "submission"], &["exchange"]);
    let text = telemetry.scrape();
    for gone in [
        "rule=\"B\"",
        "list=\"org_domains\"",
        "sha256=\"ab12\"",
        "route=\"default\"",
    ] {
        assert!(!text.contains(gone), "{gone}");
    }
    for (series, expected) in [
        ("rule_hits_total{mode=\"active\",rule=\"A\"}", 1.0),
        ("connections_total{listener=\"inbound\",tls=\"none\"}", 1.0),
        ("connections_total{listener=\"submission\",tls=\"none\"}", 0.0),
        ("upstream_softened_total{route=\"exchange\",stage=\"dot\"}", 0.0),
        ("upstream_unstated_total{route=\"exchange\"}", 0.0),
        ("ruleset_rules{status=\"active\"}", 0.0),
        ("ruleset_rules{status=\"shadow\"}", 1.0),
        ("ruleset_info{sha256=\"cd34\"}", 1.0),
    ] {
        assert!((sample(&telemetry, series) - expected).abs() < f64::EPSILON, "{series}");
    }
}

#[test]
fn a_fact_counts_under_the_check_that_it_belongs_to() {
    let telemetry = configured();
    for fact in [
        "auth.spf",
        "client.name_confirmed",
        "history.from.sent_before",
        "auth.dmarc_policy",
        "nonsense",
    ] {
        telemetry.unscanned(fact, "timeout");
    }
    for (series, expected) in [
        ("unscanned_total{cause=\"timeout\",check=\"auth.spf\"}", 1.0),
        ("unscanned_total{cause=\"timeout\",check=\"auth.dmarc\"}", 1.0),
        ("unscanned_total{cause=\"timeout\",check=\"client\"}", 1.0),
        ("unscanned_total{cause=\"timeout\",check=\"history\"}", 1.0),
        ("unscanned_total{cause=\"other\",check=\"other\"}", 1.0),
    ] {
        assert!((sample(&telemetry, series) - expected).abs() < f64::EPSILON, "{series}");
    }
}

#[test]
fn ages_are_as_of_the_scrape() {
    let now = Timestamp::from_second(1_000).unwrap();
    let telemetry = Telemetry::new(Settings::default(), Box::new(std::io::sink()), Arc::new(move || now));
    telemetry.quarantine_totals(
        &[("malware".to_owned(), 2), ("odd".to_owned(), 1)],
        [1, 3],
        77,
        Timestamp::from_second(900).ok(),
    );
    telemetry.ruleset_reloaded("loaded", "");
    let list = ListEvent {
        name: "l",
        entries: 1,
        written: Timestamp::from_second(400).ok(),
    };
    telemetry.rules_loaded("", &[], &[list]);
    for (series, expected) in [
        ("quarantine_oldest_seconds", 100.0),
        ("quarantine_messages{category=\"malware\"}", 2.0),
        ("quarantine_messages{category=\"other\"}", 1.0),
        ("quarantine_undelivered", 1.0),
        ("quarantine_on_hold", 3.0),
        ("quarantine_bytes", 77.0),
        ("list_age_seconds{list=\"l\"}", 600.0),
        ("ruleset_last_reload_successful", 1.0),
        ("ruleset_last_reload_success_timestamp_seconds", 1_000.0),
        ("ruleset_reloads_total{result=\"loaded\"}", 1.0),
    ] {
        assert!((sample(&telemetry, series) - expected).abs() < f64::EPSILON, "{series}");
    }
}

fn logged(settings: Settings, report: impl Fn(&Telemetry)) -> String {
    let (mut reader, pipe) = std::io::pipe().unwrap();
    let telemetry = Telemetry::new(settings, Box::new(pipe), Arc::new(|| Timestamp::UNIX_EPOCH));
    report(&telemetry);
    drop(telemetry);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_message_line_says_what_operations_needs() {
    let mut event = event("tag", &[("A", "active", 5.0), ("S", "shadow", 3.5)]);
    event.helo = "evil\r\n{\"level\":\"info\"}".to_owned();
    event.stages = vec![("judge".to_owned(), 1.25)];
    event.reasons = vec!["score 5.0 reaches tag 5.0".to_owned()];
    event.unscanned = vec![UnscannedEvent {
        check: "auth.spf".to_owned(),
        cause: "timeout".to_owned(),
    }];
    let text = logged(Settings::default(), |telemetry| telemetry.message(&event));
    assert_eq!(text.lines().count(), 1);
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line["time"], "1970-01-01T00:00:00.000Z");
    assert_eq!(line["helo"], event.helo);
    assert_eq!(line["to"][0], "clerk@council.example");
    assert_eq!(line["findings"]["A"], 5.0);
    assert_eq!(line["shadow"]["S"], 3.5);
    assert_eq!(line["stages_ms"]["judge"], 1.25);
    assert_eq!(line["unscanned"][0], "auth.spf:timeout");
    let settings = Settings {
        format: Format::Logfmt,
        level: Level::Info,
    };
    let text = logged(settings, |telemetry| telemetry.message(&event));
    assert!(text.contains(" verdict=tag action=tag score=0.0 "), "{text}");
    assert!(text.contains(" findings=\"A:5.0\" shadow=\"S:3.5\" "), "{text}");
}

#[test]
fn ten_megabytes_in_every_field_stay_one_short_line() {
    let huge = "\u{202e}x\r\n\"".repeat(2_000_000);
    let mut event = event("tag", &[("A", "active", 5.0)]);
    for field in [
        &mut event.helo,
        &mut event.from,
        &mut event.reply,
        &mut event.upstream_reply,
        &mut event.tls,
    ] {
        field.clone_from(&huge);
    }
    event.reasons = vec![huge.clone(); 3];
    let text = logged(Settings::default(), |telemetry| {
        telemetry.message(&event);
        telemetry.warning("test", &huge);
    });
    assert_eq!(text.lines().count(), 2);
    for line in text.lines() {
        assert!(line.len() < line::LINE_MAX);
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{line}");
    }
}

#[test]
fn the_level_decides_what_is_written() {
    for (level, expected) in [
        (Level::Error, 0),
        (Level::Warning, 1),
        (Level::Info, 3),
        (Level::Trace, 3),
    ] {
        let settings = Settings {
            format: Format::Json,
            level,
        };
        let text = logged(settings, |telemetry| {
            telemetry.message(&event("tag", &[]));
            telemetry.notice("test", "a notice");
            telemetry.warning("test", "a warning");
        });
        assert_eq!(text.lines().count(), expected, "{level:?}");
    }
}

#[test]
fn diagnostics_become_escaped_lines() {
    let settings = Settings {
        format: Format::Json,
        level: Level::Debug,
    };
    let text = logged(settings, |telemetry| {
        let subscriber = diagnostics::subscriber(telemetry.log.as_ref().unwrap());
        tracing::subscriber::with_default(subscriber, || {
            let _span = tracing::info_span!("message", id = "0192").entered();
            tracing::debug!(helo = "a\r\nb", "said {}", "hello");
            tracing::info!(target: "hyper", "kept");
            tracing::debug!(target: "hyper", "left out");
        });
    });
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert_eq!(lines[0]["id"], "0192");
    assert_eq!(lines[0]["message"], "said hello");
    assert_eq!(lines[0]["helo"], "a\r\nb");
}

#[test]
fn a_bypass_is_active_before_its_end_and_entries_are_counted() {
    let now = Timestamp::from_second(1_000).unwrap();
    let telemetry = Telemetry::new(Settings::default(), Box::new(std::io::sink()), Arc::new(move || now));
    for (until, active) in [(None, 0.0), (Some(999), 0.0), (Some(1_000), 0.0), (Some(1_001), 1.0)] {
        let until = until.and_then(|second| Timestamp::from_second(second).ok());
        telemetry.levers(&[("allow", 2), ("block", 7)], until);
        assert!(
            (sample(&telemetry, "bypass_active") - active).abs() < f64::EPSILON,
            "{until:?}"
        );
    }
    for (kind, count) in [("allow", 2.0), ("block", 7.0)] {
        let series = format!("lever_entries{{kind=\"{kind}\"}}");
        assert!((sample(&telemetry, &series) - count).abs() < f64::EPSILON, "{series}");
    }
}
