//! Header forgeries by class, against the shipped rules in the house of `config/house`: each is flagged, whichever of its
//! readings a mail program takes. The classes of author are those of "Composition Kills" (USENIX Security 2020), those of
//! names Unicode's (UTS 39); that forged results of ours are taken away is held where headers are written.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what helps a test may fail it")]

use portreeve::evidence::identity::Identity;
use portreeve::evidence::{Evidence, Kept, Outside};
use portreeve::mail::{Address, Client, Direction, Envelope, Limits, Mail, Message, Recipient};
use portreeve::rules::diagnostic::render_all;
use portreeve::rules::{RuleSet, testing};
use std::path::Path;

const AMBIGUOUS: &str = "DEFECT_AMBIGUOUS_AUTHOR";
const OURS: &str = "AUTHOR_AMBIGUOUS_OURS";
const DISGUISED: &str = "NAME_DISGUISED";

/// What stands in the header, and the rule that says so.
const FORGED: &[(&str, &str)] = &[
    // Several fields, with and without space before the colon, folded, in any case.
    ("From: x@stranger.example\nFrom: jane.doe@northmere.example\n", OURS),
    ("From: jane.doe@northmere.example\nFrom: x@stranger.example\n", OURS),
    ("From : jane.doe@northmere.example\nFrom: x@stranger.example\n", OURS),
    ("From: x@stranger.example\nfrom\t:jane.doe@northmere.example\n", OURS),
    ("From:\n jane.doe@northmere.example\nFROM: x@stranger.example\n", OURS),
    ("From: x@stranger.example\nFrom: x@stranger.example\n", AMBIGUOUS),
    // Several mailboxes, groups, routes, comments, quoted pairs.
    ("From: x@stranger.example, jane.doe@northmere.example\n", OURS),
    ("From: <x@stranger.example> <jane.doe@northmere.example>\n", OURS),
    ("From: <x@stranger.example> jane.doe@northmere.example\n", OURS),
    ("From: jane.doe@northmere.example <x@stranger.example>\n", OURS),
    ("From: Team: x@stranger.example, jane.doe@northmere.example;\n", OURS),
    ("From: <x@stranger.example>(c) <jane.doe@northmere.example>\n", OURS),
    ("From: jane.doe@northmere.example\\, <x@stranger.example>\n", OURS),
    ("From: <x@stranger.example, jane.doe@northmere.example\n", AMBIGUOUS),
    ("From: \"Jane Doe <x@stranger.example>\n", AMBIGUOUS),
    ("From: (Jane Doe <x@stranger.example>\n", AMBIGUOUS),
    // Encoded words that hold addresses, and NUL.
    (
        "From: =?utf-8?q?=3Cjane=2Edoe=40northmere=2Eexample=3E=2C?= <x@stranger.example>\n",
        OURS,
    ),
    ("From: <jane.doe@northmere.example>\0<x@stranger.example>\n", OURS),
    // An address of ours in the name.
    (
        "From: \"jane.doe@northmere.example\" <x@stranger.example>\n",
        "NAME_SHOWS_OUR_ADDRESS",
    ),
    (
        "From: =?utf-8?q?jane=2Edoe=EF=BC=A0northmere=2Eexample?= <x@stranger.example>\n",
        "NAME_SHOWS_OUR_ADDRESS",
    ),
    // The name is one of ours under what hides, swaps or turns letters.
    ("From: =?utf-8?q?J=D0=B0ne_Doe?= <x@stranger.example>\n", DISGUISED),
    ("From: =?utf-8?q?J=E2=80=8Bane_Doe?= <x@stranger.example>\n", DISGUISED),
    ("From: =?utf-8?q?=E2=80=AEeoD_enaJ?= <x@stranger.example>\n", DISGUISED),
    (
        "From: =?utf-8?q?boss=EF=BC=A0northmere?= <x@stranger.example>\n",
        DISGUISED,
    ),
    (
        "From: =?utf-8?b?8J2QifCdkJrwnZCn8J2QniDwnZCD8J2QqPCdkJ4=?= <x@stranger.example>\n",
        DISGUISED,
    ),
];

/// What looks like one of them and is none.
const HONEST: &[&str] = &[
    "From: Jane Doe <jane.doe@northmere.example>\n",
    "From: \"Doe, Jane\" <jane.doe@northmere.example>\nSender: office@northmere.example\n",
    "From: =?utf-8?q?Jos=C3=A9_M=C3=BCller?= <jose@stranger.example>\n",
    "From: jane.doe@northmere.example (Jane Doe)\nResent-From: x@stranger.example\n",
];

#[test]
fn each_class_is_flagged() {
    let rules = rules();
    for (head, expected) in FORGED {
        let matched = matched(&rules, head);
        assert!(
            matched.iter().any(|id| id == expected),
            "{head:?} wants {expected}: {matched:?}"
        );
    }
}

#[test]
fn honest_headers_are_not() {
    let rules = rules();
    let flags: Vec<&str> = FORGED.iter().map(|(_, id)| *id).collect();
    for head in HONEST {
        let matched = matched(&rules, head);
        assert!(
            !matched.iter().any(|id| flags.contains(&id.as_str())),
            "{head:?}: {matched:?}"
        );
    }
}

fn rules() -> RuleSet {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let paths = [project.join("rules"), project.join("config/house")];
    match RuleSet::load(&paths, testing::NOW.parse().unwrap()) {
        Ok(loaded) => loaded.set,
        Err(problems) => panic!("\n{}", render_all(&problems, false)),
    }
}

fn matched(rules: &RuleSet, head: &str) -> Vec<String> {
    let raw = format!("{head}To: clerk@northmere.example\nSubject: x\nDate: Mon, 5 Jan 2026 09:00:00 +0000\n\nx\n");
    let bytes = raw.replace('\n', "\r\n").into_bytes();
    let mail = Mail {
        id: uuid::Uuid::nil(),
        received: testing::NOW.parse().unwrap(),
        listener: "inbound".into(),
        direction: Direction::Inbound,
        client: Client::default(),
        envelope: Envelope {
            reverse_path: None,
            recipients: vec![Recipient {
                address: Address::from_checked("clerk@northmere.example"),
                parameters: Vec::new(),
            }],
            ..Envelope::default()
        },
        bytes: bytes.into(),
    };
    let message = Message::parse(&mail.bytes, &Limits::default());
    let evidence = Evidence {
        now: mail.received,
        mail: &mail,
        message: &message,
        outside: Outside::stranger(),
        kept: Kept::ALL,
        identity: Identity::against(rules.protected()),
    };
    let findings = rules.evaluate(&evidence).matched;
    findings.iter().map(|finding| finding.rule.id.to_string()).collect()
}
