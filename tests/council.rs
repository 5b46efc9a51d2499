//! The shipped rules on the mail of `tests/council/`: honest mail is left alone, and attacks are caught no seldomer
//! than they were when the points were last set.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what helps a test may fail it"
)]

use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// Honest mail that is marked all the same: all of it tells of an account that moves, as those do who divert
/// payments, and who gets it is to ring the number that he knows in either case.
const MARKED: &[&str] = &[
    "first/legitimate/supplier/fernbank-new-bank-details-form.eml",
    "second/legitimate/bank-change/factoring-assignment.eml",
    "second/legitimate/bank-change/truthful-notice.eml",
    "sixth/legitimate/bank-changes/childminder-switch.eml",
    "sixth/legitimate/bank-changes/merger-letter-with-callback.eml",
    "sixth/legitimate/data-requests/external-auditor-payroll.eml",
];

/// Of the attacks in each folder so many are tagged, and so many quarantined, at least.
const CAUGHT: &[(&str, u64, u64)] = &[
    ("first", 76, 58),
    ("second", 48, 28),
    ("fourth", 95, 54),
    ("fifth", 82, 32),
];

/// What the program says of folders under `tests/council/`, an object a line.
fn measured(arguments: &[&str]) -> Vec<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(env!("CARGO_BIN_EXE_portreeve"))
        .args(["rules", "measure", "--json", "--rules"])
        .arg(root.join("rules"))
        .args(arguments)
        .current_dir(root.join("tests/council"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8(output.stdout).unwrap();
    told.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn honest_mail_is_left_alone() {
    let told = measured(&[
        "--touched=tag",
        "--spam",
        "first/malicious",
        "--ham",
        "first/legitimate",
        "second/legitimate",
        "third/legitimate",
        "fourth/legitimate",
        "sixth/legitimate",
    ]);
    let marked: BTreeSet<&str> = told
        .iter()
        .filter(|mail| mail["label"] == "ham")
        .filter_map(|mail| mail["path"].as_str())
        .collect();
    assert_eq!(marked, MARKED.iter().copied().collect());
    let refused = &told.last().unwrap()["total"]["ham"]["reject_or_more"]["messages"];
    assert_eq!(refused, 0);
}

#[test]
fn attacks_are_caught() {
    for (folder, tagged, quarantined) in CAUGHT {
        let spam = format!("{folder}/malicious");
        let told = measured(&["--spam", &spam, "--ham", "third/legitimate"]);
        let total = &told.last().unwrap()["total"]["spam"];
        let of = |action: &str| total[action]["texts"].as_u64().unwrap();
        assert!(
            of("tag_or_more") >= *tagged && of("quarantine_or_more") >= *quarantined,
            "{folder}: {total}"
        );
    }
}
