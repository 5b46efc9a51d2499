//! Metrics against the documents and against the words of the modules that report them.
//!
//! Telemetry imports nothing of ours, so that its closed sets of words repeat those of the modules
//! above it: here both sides are in sight. Knows nothing of values.

#![expect(clippy::expect_used, reason = "a test program: what it can't read fails it")]

use portreeve::mail::Direction;
use portreeve::rules::{Action, Category, Memory, Severity, Status};
use portreeve::telemetry::catalogue::{self, CATALOGUE};
use std::collections::BTreeMap;

/// The chapters of `docs/metrics.md`: a metric's name and its text.
fn chapters() -> BTreeMap<String, String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
    let text = std::fs::read_to_string(path).expect("docs/metrics.md can be read");
    let chapters = text.split("\n### ").skip(1);
    chapters
        .filter_map(|chapter| chapter.split_once('\n'))
        .map(|(name, rest)| {
            let own = rest.split("\n## ").next().unwrap_or_default();
            (name.trim().to_owned(), own.to_owned())
        })
        .collect()
}

#[test]
fn every_metric_is_documented_with_labels_and_a_query_and_no_other_is() {
    let chapters = chapters();
    for metric in &CATALOGUE {
        let chapter = chapters.get(metric.name);
        let chapter = chapter.unwrap_or_else(|| panic!("docs/metrics.md lacks {}", metric.name));
        for label in metric.labels {
            assert!(
                chapter.contains(&format!("`{label}`")),
                "{} lacks the label {label}",
                metric.name
            );
        }
        let query = chapter.lines().find(|line| line.starts_with("    "));
        let query = query.unwrap_or_else(|| panic!("{} has no query", metric.name));
        assert!(query.contains(metric.name), "{}: {query}", metric.name);
        assert_eq!(
            chapter.contains("No labels."),
            metric.labels.is_empty(),
            "{}",
            metric.name
        );
    }
    assert_eq!(
        chapters.len(),
        CATALOGUE.len(),
        "a chapter of a metric that isn't there"
    );
}

#[test]
fn the_words_in_labels_are_those_of_the_modules() {
    assert_eq!(catalogue::CATEGORIES, Category::ALL.map(Category::as_str));
    assert_eq!(catalogue::TRUST, Category::Trust.as_str());
    assert_eq!(catalogue::SEVERITIES, Severity::ALL.map(Severity::as_str));
    assert_eq!(
        catalogue::STATUSES,
        [Status::Active, Status::Shadow].map(Status::as_str)
    );
    assert_eq!(catalogue::RULESET_PARTS, Memory::PARTS);
    assert_eq!(
        catalogue::DIRECTIONS,
        [Direction::Inbound, Direction::Outbound].map(Direction::as_str)
    );
    for action in Action::ALL {
        assert!(catalogue::VERDICTS.contains(&action.as_str()), "{}", action.as_str());
    }
}
