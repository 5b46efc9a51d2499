use super::*;
use crate::mail::{Address, Recipient};
use crate::rules::{RuleInfo, Status};
use std::sync::Arc;

fn rule(id: &str, score: f64) -> RuleInfo {
    RuleInfo {
        id: id.into(),
        summary: "something".into(),
        category: Category::Spam,
        severity: Severity::Medium,
        score: Score::from_points(score),
        status: Status::Active,
        floor: None,
        cap: None,
        group: None,
        replaces: vec![],
        tags: vec![],
        file: "rules/a.toml".into(),
        line: 1,
        pack: "a".into(),
    }
}

fn found(rules: impl IntoIterator<Item = RuleInfo>) -> Findings {
    let matched = rules
        .into_iter()
        .map(|rule| Finding {
            rule: Arc::new(rule),
            evidence: vec![],
        })
        .collect();
    Findings {
        matched,
        ..Findings::default()
    }
}

fn envelope(addresses: &[&str]) -> Envelope {
    let recipients = addresses
        .iter()
        .map(|text| Recipient {
            address: Address::from_checked(*text),
            parameters: vec![],
        })
        .collect();
    Envelope {
        recipients,
        ..Envelope::default()
    }
}

fn policy(change: impl FnOnce(&mut Settings)) -> Policy {
    let mut settings = Settings::default();
    change(&mut settings);
    Policy::new(&settings).unwrap()
}

/// Decides with no lever pulled.
fn decide(findings: &Findings, unscanned: &[UnscannedEvent], policy: &Policy, envelope: &Envelope) -> Verdict {
    let checked = Checked {
        unscanned,
        ..Checked::default()
    };
    super::decide(findings, checked, policy, envelope, &Pulled::default())
}

fn verdict_of(rules: impl IntoIterator<Item = RuleInfo>) -> Verdict {
    decide(&found(rules), &[], &policy(|_| ()), &envelope(&["a@example.org"]))
}

#[test]
fn thresholds_hold_at_their_very_value() {
    for (points, action) in [
        (4.99, Action::Deliver),
        (5.0, Action::Tag),
        (7.99, Action::Tag),
        (8.0, Action::Quarantine),
        (14.99, Action::Quarantine),
    ] {
        assert_eq!(verdict_of([rule("R", points)]).action, action, "{points}");
    }
    let grave = |points| RuleInfo {
        severity: Severity::High,
        ..rule("R", points)
    };
    assert_eq!(verdict_of([grave(14.99)]).action, Action::Quarantine);
    assert_eq!(verdict_of([grave(15.0)]).action, Action::Reject);
}

#[test]
fn a_sum_alone_never_rejects() {
    assert_eq!(
        verdict_of([rule("A", 50.0), rule("B", 50.0)]).action,
        Action::Quarantine
    );
    let floor = RuleInfo {
        floor: Some(Action::Reject),
        ..rule("A", 0.0)
    };
    assert_eq!(verdict_of([floor]).action, Action::Reject);
}

#[test]
fn trust_takes_away_no_more_than_three_points_and_lifts_no_floor() {
    let trust = || [rule("T1", -2.0), rule("T2", -50.0)];
    assert_eq!(
        verdict_of(trust().into_iter().chain([rule("A", 8.0)])).score,
        Score(500)
    );
    let floor = RuleInfo {
        floor: Some(Action::Quarantine),
        ..rule("A", 1.0)
    };
    assert_eq!(
        verdict_of(trust().into_iter().chain([floor])).action,
        Action::Quarantine
    );
}

#[test]
fn of_a_group_the_strongest_counts_once() {
    let grouped = |id: &str, score| RuleInfo {
        group: Some("g".into()),
        ..rule(id, score)
    };
    assert_eq!(
        verdict_of([grouped("A", 3.0), grouped("B", 4.0), grouped("C", 4.0)]).score,
        Score(400)
    );
}

#[test]
fn a_replaced_rule_keeps_its_floor_and_loses_its_points() {
    let weak = RuleInfo {
        floor: Some(Action::Tag),
        ..rule("WEAK", 4.0)
    };
    let strong = RuleInfo {
        replaces: vec!["WEAK".into()],
        ..rule("STRONG", 4.5)
    };
    let verdict = verdict_of([weak, strong]);
    assert_eq!((verdict.score, verdict.action), (Score(450), Action::Tag));
}

#[test]
fn a_capped_rule_tips_nothing_beyond_its_cap() {
    let capped = |score| RuleInfo {
        cap: Some(Action::Tag),
        ..rule("NEW", score)
    };
    assert_eq!(verdict_of([capped(20.0)]).action, Action::Tag);
    assert_eq!(verdict_of([capped(4.0), rule("OLD", 5.0)]).action, Action::Tag);
    assert_eq!(verdict_of([capped(4.0), rule("OLD", 8.0)]).action, Action::Quarantine);
    let floor = RuleInfo {
        floor: Some(Action::Reject),
        ..capped(1.0)
    };
    assert_eq!(verdict_of([floor]).action, Action::Tag);
}

#[test]
fn a_shadow_rule_never_acts() {
    let shadow = RuleInfo {
        status: Status::Shadow,
        floor: Some(Action::Reject),
        ..rule("S", 50.0)
    };
    let verdict = verdict_of([shadow]);
    assert_eq!(
        (verdict.action, verdict.score, verdict.category),
        (Action::Deliver, Score(0), None)
    );
}

#[test]
fn sole_causes_are_the_rules_that_tipped_it() {
    assert_eq!(verdict_of([rule("A", 4.0), rule("B", 4.5)]).sole_causes, ["A", "B"]);
    assert_eq!(verdict_of([rule("A", 1.0), rule("B", 9.0)]).sole_causes, ["B"]);
    assert!(verdict_of([rule("A", 9.0), rule("B", 9.0)]).sole_causes.is_empty());
}

#[test]
fn statutory_mailboxes_are_tagged_at_most_but_malware_is_still_held() {
    let to = ["foi@example.gov.uk", "officer@example.gov.uk"];
    let spam = decide(&found([rule("A", 9.0)]), &[], &policy(|_| ()), &envelope(&to));
    assert_eq!(spam.recipients, [Action::Tag, Action::Quarantine]);
    let virus = RuleInfo {
        category: Category::Malware,
        severity: Severity::Critical,
        floor: Some(Action::Reject),
        ..rule("V", 20.0)
    };
    let malware = decide(&found([virus]), &[], &policy(|_| ()), &envelope(&to));
    assert_eq!(malware.recipients, [Action::Quarantine, Action::Reject]);
}

#[test]
fn modes_hold_the_action_back_but_not_the_verdict() {
    for (mode, action) in [
        (Mode::Observe, Action::Deliver),
        (Mode::Tag, Action::Tag),
        (Mode::Enforce, Action::Quarantine),
    ] {
        let verdict = decide(
            &found([rule("A", 9.0)]),
            &[],
            &policy(|settings| settings.mode = mode),
            &envelope(&["a@example.org"]),
        );
        assert_eq!(
            (verdict.action, verdict.recipients.as_slice()),
            (Action::Quarantine, [action].as_slice())
        );
    }
}

#[test]
fn later_entries_override_and_the_lowest_ceiling_holds() {
    let policy = policy(|settings| {
        let entry = |pattern: &str, most, quarantine| RecipientSettings {
            name: pattern.into(),
            r#match: vec![pattern.into()],
            most,
            quarantine,
            reject: Some(100.0),
            ..RecipientSettings::default()
        };
        settings.recipients = vec![
            entry("@example.org", Some(Action::Tag), Some(6.0)),
            entry("a@example.org", Some(Action::Quarantine), Some(20.0)),
            entry("b@", None, Some(6.0)),
        ];
    });
    let verdict = decide(
        &found([rule("A", 9.0)]),
        &[],
        &policy,
        &envelope(&["a@Sub.Example.ORG", "a@example.org", "B@example.net"]),
    );
    assert_eq!(verdict.recipients, [Action::Tag, Action::Tag, Action::Quarantine]);
}

#[test]
fn a_check_that_could_not_run_is_for_policy_to_decide() {
    let missed = [UnscannedEvent {
        check: "judging".into(),
        cause: "panic".into(),
    }];
    let verdict = decide(&found([]), &missed, &policy(|_| ()), &envelope(&["a@example.org"]));
    assert_eq!(verdict.recipients, [Action::Quarantine]);
    assert_eq!(verdict.reasons, ["judging could not be checked: at least quarantine"]);
    let lenient = policy(|settings| settings.unscanned.clear());
    assert_eq!(
        decide(&found([]), &missed, &lenient, &envelope(&["a@example.org"])).recipients,
        [Action::Deliver]
    );
}

#[test]
fn settings_that_cannot_stand_are_named() {
    let errors = Policy::new(&Settings {
        tag: 9.0,
        recipients: vec![RecipientSettings {
            r#match: vec!["nobody".into()],
            ..RecipientSettings::default()
        }],
        ..Settings::default()
    })
    .unwrap_err();
    let keys: Vec<_> = errors.iter().map(|error| error.key.as_str()).collect();
    assert_eq!(keys, ["tag", "recipients.0.match", "recipients.0"]);
}

/// One lever of each kind.
fn lever(kind: lever::Kind) -> Lever {
    Lever {
        what: lever::What::read(kind, "@b.example").unwrap(),
        by: "uid 0".into(),
        reason: "the clerk asked".into(),
        since: "2026-11-25T12:00:00Z".parse().unwrap(),
        until: "2026-12-02T00:00:00Z".parse().unwrap(),
    }
}

fn virus() -> RuleInfo {
    RuleInfo {
        category: Category::Malware,
        severity: Severity::Critical,
        floor: Some(Action::Reject),
        ..rule("V", 20.0)
    }
}

fn scam() -> RuleInfo {
    RuleInfo {
        severity: Severity::High,
        ..rule("S", 16.0)
    }
}

/// To a box of its own, and to one that is refused nothing on content.
const TO: [&str; 2] = ["officer@example.gov.uk", "foi@example.gov.uk"];

fn with(pulled: &Pulled<'_>, rules: Vec<RuleInfo>, mode: Mode) -> Verdict {
    super::decide(
        &found(rules),
        Checked::default(),
        &policy(|settings| settings.mode = mode),
        &envelope(&TO),
        pulled,
    )
}

#[test]
fn an_authors_domain_has_its_way_as_far_as_policy_goes_along() {
    use crate::evidence::Wish;
    let to = envelope(&["a@example.org", "foi@example.org"]);
    for (mode, wish, actions, refused) in [
        (DmarcMode::Off, Wish::Reject, [Action::Deliver, Action::Deliver], false),
        (
            DmarcMode::Shadow,
            Wish::Reject,
            [Action::Deliver, Action::Deliver],
            false,
        ),
        (
            DmarcMode::Quarantine,
            Wish::Reject,
            [Action::Quarantine, Action::Tag],
            false,
        ),
        (
            DmarcMode::Quarantine,
            Wish::None,
            [Action::Deliver, Action::Deliver],
            false,
        ),
        (
            DmarcMode::Reject,
            Wish::Quarantine,
            [Action::Quarantine, Action::Tag],
            false,
        ),
        (DmarcMode::Reject, Wish::Reject, [Action::Reject, Action::Tag], true),
    ] {
        let failure = DmarcFailure {
            domain: "bank.example".into(),
            wish,
        };
        let checked = Checked {
            dmarc: Some(&failure),
            ..Checked::default()
        };
        let policy = policy(|settings| settings.dmarc = mode);
        let verdict = super::decide(&found([]), checked, &policy, &to, &Pulled::default());
        assert_eq!(verdict.recipients, actions, "{mode:?} {wish:?}");
        assert_eq!(verdict.action, actions[0]);
        assert_eq!(verdict.failed_dmarc, refused.then(|| "bank.example".to_owned()));
        assert_eq!(verdict.sole_causes, [] as [String; 0]);
        let is_told = mode != DmarcMode::Off && wish != Wish::None;
        let told = verdict
            .reasons
            .iter()
            .filter(|reason| reason.contains("bank.example"))
            .count();
        assert_eq!(told, usize::from(is_told), "{mode:?} {wish:?} {:?}", verdict.reasons);
        let set = (actions[0] > Action::Deliver).then_some((Category::Policy, Severity::High));
        assert_eq!(verdict.category.zip(verdict.severity), set);
    }
}

#[test]
fn a_rule_that_refuses_by_itself_is_what_the_sender_is_told() {
    let failure = DmarcFailure {
        domain: "bank.example".into(),
        wish: crate::evidence::Wish::Reject,
    };
    let checked = Checked {
        dmarc: Some(&failure),
        ..Checked::default()
    };
    let grave = RuleInfo {
        severity: Severity::Critical,
        ..rule("R", 20.0)
    };
    let policy = policy(|settings| settings.dmarc = DmarcMode::Reject);
    let verdict = super::decide(
        &found([grave]),
        checked,
        &policy,
        &envelope(&TO[..1]),
        &Pulled::default(),
    );
    assert_eq!((verdict.failed_dmarc, verdict.category), (None, Some(Category::Spam)));
    assert_eq!(
        verdict.sole_causes,
        [] as [String; 0],
        "the domain's policy would have done it too"
    );
    let allow = lever(lever::Kind::Allow);
    let pulled = Pulled {
        allow: Some(&allow),
        ..Pulled::default()
    };
    let verdict = super::decide(&found([]), checked, &policy, &envelope(&TO[..1]), &pulled);
    assert_eq!(
        (verdict.action, verdict.failed_dmarc),
        (Action::Tag, None),
        "somebody knows better"
    );
}

#[test]
fn a_block_rejects_within_mode_and_ceiling() {
    let block = lever(lever::Kind::Block);
    let pulled = Pulled {
        block: Some(&block),
        ..Pulled::default()
    };
    for (mode, recipients) in [
        (Mode::Enforce, [Action::Reject, Action::Tag]),
        (Mode::Tag, [Action::Tag, Action::Tag]),
        (Mode::Observe, [Action::Deliver, Action::Deliver]),
    ] {
        let verdict = with(&pulled, vec![rule("A", 6.0)], mode);
        assert_eq!(
            (verdict.action, verdict.recipients.as_slice()),
            (Action::Reject, recipients.as_slice()),
            "{mode:?}"
        );
        assert_eq!(verdict.category, Some(Category::Policy));
        assert_eq!(verdict.blocked_by.as_deref(), Some("@b.example"));
        assert_eq!(verdict.levers, ["block @b.example"]);
        assert_eq!(verdict.sole_causes, Vec::<String>::new(), "no rule decided it");
        assert_eq!(
            verdict.reasons,
            [
                "block @b.example (at least reject), by uid 0 until 2026-12-02T00:00:00Z: the clerk asked",
                "A (+6.0): something"
            ]
        );
    }
    let twice = with(&pulled, vec![scam()], Mode::Enforce);
    assert_eq!(
        (twice.category, twice.blocked_by),
        (Some(Category::Spam), None),
        "rules refuse it anyway"
    );
}

#[test]
fn an_allow_has_content_tagged_at_most_and_malware_kept() {
    let allow = lever(lever::Kind::Allow);
    let pulled = Pulled {
        allow: Some(&allow),
        ..Pulled::default()
    };
    for (rules, action) in [
        (vec![], Action::Deliver),
        (vec![rule("A", 6.0)], Action::Tag),
        (vec![scam()], Action::Tag),
        (vec![virus()], Action::Quarantine),
    ] {
        let told = format!("{rules:?}");
        let verdict = with(&pulled, rules, Mode::Enforce);
        assert_eq!((verdict.action, verdict.recipients[0]), (action, action), "{told}");
        assert_eq!(verdict.levers, ["allow @b.example"]);
        assert!(
            verdict.reasons[0].starts_with("allow @b.example (at most tag"),
            "{:?}",
            verdict.reasons
        );
    }
    assert_eq!(
        with(&pulled, vec![rule("A", 6.0)], Mode::Enforce).sole_causes,
        ["A"],
        "it tags as ever"
    );
    assert!(
        with(&pulled, vec![scam()], Mode::Enforce).sole_causes.is_empty(),
        "the entry decided"
    );
}

#[test]
fn an_allow_does_not_vouch_for_what_could_not_be_checked() {
    let allow = lever(lever::Kind::Allow);
    let pulled = Pulled {
        allow: Some(&allow),
        ..Pulled::default()
    };
    let missed = [UnscannedEvent {
        check: "judging".into(),
        cause: "panic".into(),
    }];
    let checked = Checked {
        unscanned: &missed,
        ..Checked::default()
    };
    let verdict = super::decide(&found([]), checked, &policy(|_| ()), &envelope(&TO[..1]), &pulled);
    assert_eq!(
        (verdict.action, verdict.recipients[0]),
        (Action::Quarantine, Action::Quarantine)
    );
}

#[test]
fn a_bypass_delivers_everything_and_leaves_the_verdict_as_it_is() {
    let (bypass, block) = (lever(lever::Kind::Bypass), lever(lever::Kind::Block));
    for block in [None, Some(&block)] {
        let pulled = Pulled {
            bypass: Some(&bypass),
            block,
            allow: None,
        };
        let verdict = with(&pulled, vec![virus()], Mode::Enforce);
        assert_eq!(
            (verdict.action, verdict.recipients.as_slice()),
            (Action::Reject, [Action::Deliver; 2].as_slice())
        );
        assert!(verdict.bypassed);
        assert!(
            verdict.reasons[0].starts_with("bypass (delivered untouched), by uid 0"),
            "{:?}",
            verdict.reasons
        );
    }
    assert!(!with(&Pulled::default(), vec![virus()], Mode::Enforce).bypassed);
}
