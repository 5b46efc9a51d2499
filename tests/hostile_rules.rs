//! Rules by an author who means harm: loading ends with a refusal that has a place, or with a set whose
//! judging is bounded in steps, whatever they write.
//!
//! Work is counted, never timed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what helps a test may fail it"
)]

use jiff::Timestamp;
use portreeve::evidence::identity::Identity;
use portreeve::evidence::{Evidence, Kept, Outside};
use portreeve::mail::message::Limits;
use portreeve::mail::{Client, Direction, Envelope, Mail, Message};
use portreeve::rules::compile::extent::{NEEDLES_MAX, REFERENCES_MAX, REGEX_STATES_MAX};
use portreeve::rules::diagnostic::Diagnostic;
use portreeve::rules::evaluate::STEPS_MAX;
use portreeve::rules::lists::ENTRIES_MAX;
use portreeve::rules::syntax::{DEPTH_MAX, TEXT_BYTES_MAX};
use portreeve::rules::{Findings, Loaded, RULES_MAX, RuleSet};
use std::fmt::Write;
use std::fs;

fn now() -> Timestamp {
    "2027-01-04T12:00:00Z".parse().unwrap()
}

/// Loads files, given by name and text.
fn load(files: &[(&str, &str)]) -> Result<Loaded, Vec<Diagnostic>> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    RuleSet::load(&[folder.path().to_owned()], now())
}

fn set(text: &str) -> RuleSet {
    load(&[("rules.toml", text)])
        .unwrap_or_else(|problems| panic!("{} problems: {:#?}", problems.len(), &problems[..1]))
        .set
}

/// The code of the first error and the line that it stands on.
fn refusal(files: &[(&str, &str)]) -> (&'static str, usize) {
    let problems = load(files).expect_err("it loads");
    let first = problems.iter().find(|problem| problem.code != "slow-pattern").unwrap();
    (first.code, first.start().line)
}

fn rule(id: &str, when: &str) -> String {
    format!(
        "[[rule]]\nid = '{id}'\nsummary = 'x'\ncategory = 'spam'\nseverity = 'low'\nscore = 1.0\nwhen = '''{when}'''\n"
    )
}

/// What a set says of a message of so many lines of text and links.
fn judge(set: &RuleSet, lines: usize) -> Findings {
    let mut bytes = "From: a@example.org\r\nSubject: aaaa\r\nContent-Type: text/html\r\n\r\n".to_owned();
    for line in 0..lines {
        let _ = write!(
            bytes,
            "<p>aaaa pay {line:05} <a href=\"https://h{line:05}.example/a/b\">aaaaa</a></p>\r\n"
        );
    }
    let mail = Mail {
        id: uuid::Uuid::nil(),
        received: now(),
        listener: "in".into(),
        direction: Direction::Inbound,
        client: Client::default(),
        envelope: Envelope::default(),
        bytes: bytes.clone().into(),
    };
    set.evaluate(&Evidence {
        now: now(),
        mail: &mail,
        message: &Message::parse(bytes.as_bytes(), &Limits::default()),
        outside: Outside::stranger(),
        kept: Kept::ALL,
        identity: Identity::against(set.protected()),
    })
}

fn steps(findings: &Findings) -> u64 {
    findings.spent.iter().map(|spent| spent.steps).sum()
}

#[test]
fn defines_that_name_the_one_before_twice_are_told_once_each() {
    let mut text = "[[define]]\nname = 'd0'\nwhen = 'subject.length > 1'\n".to_owned();
    for number in 1..=300 {
        let before = number - 1;
        let _ = write!(
            text,
            "[[define]]\nname = 'd{number}'\nwhen = '@d{before} and (@d{before} or @d{before})'\n"
        );
    }
    text.push_str(&rule("LURE", "@d300 and @d300"));
    let findings = judge(&set(&text), 1);
    assert_eq!(findings.matched.len(), 1);
    assert!(steps(&findings) < 100, "{:?}", findings.spent);
}

#[test]
fn depth_ends_at_its_limit() {
    for (nots, loads) in [(DEPTH_MAX - 2, true), (DEPTH_MAX - 1, true), (DEPTH_MAX, false)] {
        let text = rule("LURE", &format!("{}is_bulk", "not ".repeat(nots)));
        match load(&[("a.toml", &text)]) {
            Ok(_) => assert!(loads, "{nots}"),
            Err(problems) => assert_eq!((problems[0].code, loads), ("too-deep", false), "{nots}"),
        }
    }
    for depth in [50, 500, 20_000] {
        for (open, close) in [
            ("(", ")"),
            ("present(", ")"),
            ("links.any(x, ", ")"),
            ("-", ""),
            ("[", "]"),
        ] {
            let text = format!("{}is_bulk{}", open.repeat(depth), close.repeat(depth));
            // It may load or not, so long as that is told.
            let _ = load(&[("a.toml", &rule("LURE", &text))]).map_err(|problems| assert!(!problems.is_empty()));
        }
    }
    let tables = format!("x = {}{}\n", "[".repeat(50_000), "]".repeat(50_000));
    assert!(load(&[("a.toml", &tables)]).is_err());
}

#[test]
fn an_expression_ends_at_its_limits() {
    for (bytes, loads) in [
        (TEXT_BYTES_MAX - 1, true),
        (TEXT_BYTES_MAX, true),
        (TEXT_BYTES_MAX + 1, false),
    ] {
        let text = format!(
            "subject.contains('{}')",
            "a".repeat(bytes - "subject.contains('')".len())
        );
        assert_eq!(load(&[("a.toml", &rule("LURE", &text))]).is_ok(), loads, "{bytes}");
    }
    let needles = |many: usize| {
        let needles: Vec<String> = (0..many).map(|number| format!("'{number}'")).collect();
        rule("LURE", &format!("subject.contains({})", needles.join(",")))
    };
    assert!(load(&[("a.toml", &needles(8_000))]).is_ok());
    assert_eq!(refusal(&[("a.toml", &needles(20_000))]), ("too-large", 7));
}

#[test]
fn lists_end_at_their_limit() {
    let entries = |many: usize| (0..many).fold(String::new(), |text, number| text + &format!("{number:x}\n"));
    let rules = "[lists.many]\nkind = 'text'\nfile = 'many.txt'\n".to_owned() + &rule("LURE", "subject in $many");
    for (many, loads) in [(ENTRIES_MAX - 1, true), (ENTRIES_MAX, true), (ENTRIES_MAX + 1, false)] {
        let loaded = load(&[("a.toml", &rules), ("many.txt", &entries(many))]);
        assert_eq!(loaded.is_ok(), loads, "{many}");
        if let Ok(loaded) = loaded {
            assert!(steps(&judge(&loaded.set, 1)) < 100);
        }
    }
}

#[test]
fn a_list_named_everywhere_is_refused_where_it_is_once_too_many() {
    const ENTRIES: usize = 50_000;
    let entries = (0..ENTRIES).fold(String::new(), |text, number| text + &format!("entry {number}\n"));
    let uses = |many: usize| {
        let rules = (0..many).map(|number| rule(&format!("LURE_{number}"), "subject.icontains($many)"));
        "[lists.many]\nkind = 'text'\nfile = 'many.txt'\n".to_owned() + &rules.collect::<String>()
    };
    let most = NEEDLES_MAX / ENTRIES;
    assert!(load(&[("a.toml", &uses(most)), ("many.txt", &entries)]).is_ok());
    let line = 3 + 7 * (most + 1);
    assert_eq!(
        refusal(&[("a.toml", &uses(most + 1)), ("many.txt", &entries)]),
        ("set-too-large", line)
    );
}

#[test]
fn regexes_are_bounded_one_by_one_and_together() {
    for regex in [
        "(a{1000}){1000}",
        "(((((a{20}){20}){20}){20}){20}){20}",
        r"\p{L}{5000}",
        "(?i:[a-z]{50}){900}",
        "((((((((((a|b)*c)*d)*e)*f){90}){90}){90}g)*h)*i)*",
    ] {
        let (code, line) = refusal(&[("a.toml", &rule("LURE", &format!("subject.matches(/{regex}/)")))]);
        assert_eq!((code, line), ("regex-too-large", 7), "{regex}");
    }
    // Each is small enough not to be compiled before it is run, and none like another.
    let regex = "abcdefghij".repeat(190);
    let some = REGEX_STATES_MAX / 2 / 2_000;
    let three = |regex: &dyn Fn(&str, usize) -> String| {
        ["LURE", "MORE", "MOST"].map(|name| {
            let when = |at| format!("subject.matches(/{}/)", regex(name, at));
            (0..some)
                .map(|at| rule(&format!("{name}_{at}"), &when(at)))
                .collect::<String>()
        })
    };
    let load_three = |[a, b, c]: &[String; 3]| load(&[("a.toml", a), ("b.toml", b), ("c.toml", c)]);
    let differing = three(&|name, at| format!("{name}{at:07}{regex}"));
    assert!(load(&[("a.toml", &differing[0])]).is_ok());
    let problems = load_three(&differing).expect_err("it loads");
    let refused: Vec<&Diagnostic> = problems
        .iter()
        .filter(|problem| problem.code == "set-too-large")
        .collect();
    assert_eq!(refused.len(), 1, "it is told where it becomes so");
    assert!(
        refused[0].source.name.ends_with("c.toml") && refused[0].start().line < 7 * some / 4,
        "{:?}",
        refused[0]
    );
    assert!(refused[0].notes[0].starts_with("so it is at "), "{:?}", refused[0]);
    // What is written alike is one.
    assert!(load_three(&three(&|_, _| regex.clone())).is_ok());
}

#[test]
fn sets_of_rules_named_by_many_are_bounded() {
    const RULES: usize = 1_000;
    let rules: String = (0..RULES)
        .map(|number| rule(&format!("LURE_{number}"), "is_bulk").replace("when", "tags = ['x']\nwhen"))
        .collect();
    let defines = |many: usize| {
        let defines = (0..many).map(|number| format!("[[define]]\nname = 'd{number}'\nwhen = 'any of @tag:x'\n"));
        rules.clone() + &defines.collect::<String>()
    };
    let most = REFERENCES_MAX / RULES;
    assert!(load(&[("a.toml", &defines(most))]).is_ok());
    let line = RULES * 8 + 3 * (most + 1);
    assert_eq!(refusal(&[("a.toml", &defines(most + 1))]), ("set-too-large", line));
}

#[test]
fn many_errors_are_all_told_of() {
    let rules: String = (0..1_000)
        .map(|number| {
            rule(
                &format!("LURE_{number}"),
                "subjekt.contains('x') and @LURX_1 and 'x' in $nowhere",
            )
        })
        .collect();
    let problems = load(&[("a.toml", &rules)]).expect_err("it loads");
    assert!(problems.len() >= 3_000, "{}", problems.len());
}

#[test]
fn ten_thousand_rules_on_one_field_sleep() {
    let files: Vec<(String, String)> = (0..4)
        .map(|file| {
            let rules = (0..2_500).map(|number| {
                rule(
                    &format!("LURE_{file}_{number}"),
                    &format!("subject.icontains('needle {file} {number}')"),
                )
            });
            (format!("{file}.toml"), rules.collect())
        })
        .collect();
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    let set = load(&files).unwrap().set;
    assert_eq!(set.rules().len(), 10_000);
    assert!(judge(&set, 100).spent.is_empty());
}

#[test]
fn rules_end_at_their_limit() {
    let files = |many: usize| -> Vec<(String, String)> {
        let numbers: Vec<usize> = (0..many).collect();
        let text = |numbers: &[usize]| {
            let rules = numbers.iter().map(|number| rule(&format!("LURE_{number}"), "is_bulk"));
            rules.collect::<String>()
        };
        let parts = numbers.chunks(10_000).enumerate();
        parts.map(|(at, part)| (format!("{at}.toml"), text(part))).collect()
    };
    for (many, loads) in [(RULES_MAX - 1, true), (RULES_MAX, true), (RULES_MAX + 1, false)] {
        let files = files(many);
        let files: Vec<(&str, &str)> = files
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()))
            .collect();
        assert_eq!(load(&files).is_ok(), loads, "{many}");
    }
}

/// Work that grows with the product of what rules walk over ends in an unknown, not in waiting.
#[test]
fn products_run_into_the_budget() {
    let rows: String = (0..2_000).fold(String::new(), |text, number| {
        text + &format!("  {{ name = 'n{number}' }},\n")
    });
    let entries: Vec<String> = (0..50_000).map(|number| format!("'entry{number:06}'")).collect();
    let urls: Vec<String> = (0..50_000)
        .map(|number| format!("'h00001.example/p{number}'"))
        .collect();
    let lists = format!(
        "[lists.t]\nkind = 'table'\ncolumns = {{ name = 'string' }}\nrows = [\n{rows}]\n\
         [lists.many]\nkind = 'text'\nvalues = [{}]\n[lists.urls]\nkind = 'url'\nvalues = [{}]\n",
        entries.join(", "),
        urls.join(", ")
    );
    for condition in [
        "$t.any(a, $t.any(b, $t.any(c, a.name + b.name == c.name)))",
        "$t.any(a, not $t.any(b, true))",
        "$t.count(a, $t.count(b, a.name == b.name) > 1) > 1",
        "links.any(l, l.shown.text.similar_to($many, 5))",
        "links.any(l, links.any(m, links.any(n, l.target.path + m.target.path == n.target.query)))",
        "$many.any(e, $many.any(f, body.text.icontains(e + f)))",
        "$many.any(e, body.text.contains(e + 'x'))",
    ] {
        let findings = judge(&set(&(lists.clone() + &rule("LURE", condition))), 1_000);
        let spent = &findings.spent[0];
        assert!(spent.is_over && spent.steps <= STEPS_MAX, "{condition}: {spent:?}");
        assert_eq!(
            (findings.undecided[0].check, findings.undecided[0].cause),
            ("rule", "budget"),
            "{condition}"
        );
    }
    // Entries of one host are looked at one by one, and paid for.
    let findings = judge(&set(&(lists + &rule("LURE", "links.any(l, l.target in $urls)"))), 10);
    assert!(steps(&findings) > 50_000 / 8, "{:?}", findings.spent);
}

/// Twice the message, about twice the work, for whatever rules ask of each text.
#[test]
fn work_grows_as_the_message_does() {
    let conditions = [
        "body.text.count(/a/) > 5000",
        r"body.text.count(/\w+@\w+/) > 5000",
        "body.html.matches(/a.*z.*q$/)",
        "body.text.matches(/(a|aa)+$/)",
        "links.count(l, l.target.domain.site == l.shown.domain) > 5",
        "body.text.domains().any(d, d.label == 'x')",
        "links.any(l, l.target.path.icontains('zzz', 'yyy', subject))",
        "body.text.lower().skeleton().contains(subject + 'q')",
        "header('Subject').any(h, h.matches(/b+/))",
        "links.distinct(l, l.target.domain).length > 100000",
    ];
    let rules = conditions.iter().enumerate();
    let text: String = rules
        .map(|(at, condition)| rule(&format!("LURE_{at}"), condition))
        .collect();
    let set = set(&text);
    let works: Vec<u64> = [500, 1_000, 2_000].map(|lines| steps(&judge(&set, lines))).into();
    println!("steps: {works:?}");
    for pair in works.windows(2) {
        assert!(pair[1] > pair[0] && pair[1] * 10 <= pair[0] * 22, "{works:?}");
    }
}
