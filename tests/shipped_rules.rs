//! The shipped rules: they load without a warning, their tests pass, and each has a match and a
//! no-match. What stands in `rules/` and what is built into the binary is the same.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what helps a test may fail it"
)]

mod shipped;

use jiff::Timestamp;
use portreeve::measure::VERDICT_FIELDS;
use portreeve::rules::diagnostic::render_all;
use portreeve::rules::testing::{self, coverage};
use portreeve::rules::{Loaded, RuleSet};
use shipped::{act, load};

#[test]
fn load_without_a_warning_and_pass_their_tests() {
    let Loaded { set, warnings } = load();
    assert!(warnings.is_empty(), "\n{}", render_all(&warnings, false));
    let reports = testing::run(&set, &|findings, _| act(findings)).unwrap();
    let failed: Vec<String> = reports
        .iter()
        .filter(|report| !report.passed())
        .map(|report| {
            let rule = report.rule.as_deref().unwrap_or("verdict");
            format!(
                "{}: {rule}: {}\n    {}",
                report.place,
                report.name,
                report.failures.join("\n    ")
            )
        })
        .collect();
    assert!(failed.is_empty(), "\n{}", failed.join("\n"));
    assert!(reports.len() >= 2 * set.rules().len());
}

#[test]
fn each_has_a_match_and_a_no_match_and_says_what_it_may_hit_wrongly() {
    let set = load().set;
    assert!(set.rules().len() >= 80, "{}", set.rules().len());
    for (id, matches, others) in coverage(&set) {
        assert!(
            matches >= 1 && others >= 1,
            "{id} has {matches} match and {others} no-match"
        );
        let details = set.details(id).unwrap();
        assert!(!details.false_positives.is_empty(), "{id} names no false positives");
    }
}

#[test]
fn the_folder_and_the_binary_hold_the_same() {
    let now: Timestamp = testing::NOW.parse().unwrap();
    let embedded = RuleSet::load_embedded(now).unwrap();
    assert_eq!(embedded.set.sha256(), load().set.sha256());
}

/// The folder to begin from says whom to protect, and everything in it takes effect.
#[test]
fn the_house_to_copy_fills_the_lists() {
    let now: Timestamp = testing::NOW.parse().unwrap();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let paths = [root.join("rules"), root.join("config/house")];
    let Loaded { set, warnings } = RuleSet::load(&paths, now).unwrap();
    assert!(warnings.is_empty(), "\n{}", render_all(&warnings, false));
    for (list, entries) in [
        ("org_domains", 1),
        ("vips", 4),
        ("partner_domains", 3),
        ("senders_for_us", 2),
    ] {
        let found = set.lists().iter().find(|found| found.name == list).unwrap();
        assert_eq!(found.entries, entries, "{list}");
    }
    let resembled = |name: &str| {
        let domain = portreeve::mail::Domain::parse(name).unwrap();
        set.protected().likeness(&domain, now).map(|(of, _)| of.to_string())
    };
    assert_eq!(resembled("n0rthmere.example").as_deref(), Some("northmere.example"));
    assert_eq!(
        resembled("hallet-surfacing.example").as_deref(),
        Some("hallett-surfacing.example")
    );
}

#[test]
fn use_nothing_that_other_filters_left_behind() {
    let set = load().set;
    for rule in set.rules() {
        let condition = &set.details(&rule.id).unwrap().condition.to_lowercase();
        for trap in ["x-ms-", "x-microsoft", "authentication-results", "x-spam", "phishing@"] {
            assert!(!condition.contains(trap), "{} uses {trap}", rule.id);
        }
        for field in VERDICT_FIELDS {
            let named = ["'", "\""].map(|quote| format!("{quote}{field}"));
            assert!(
                !named.iter().any(|named| condition.contains(named)),
                "{} asks for {field}, which another filter wrote",
                rule.id
            );
        }
    }
}
