//! What the compiler refuses, warns of and gathers: code, place and help of each.

use super::house::House;
use super::*;
use crate::rules::function::{FUNCTIONS, Receiver};

/// An expression, the code of its only error, the place, and words of the help.
type Row = (&'static str, &'static str, std::ops::Range<usize>, &'static str);

const NAMES: &[Row] = &[
    ("subjct == 'x'", "unknown-field", 0..6, "did you mean `subject`?"),
    ("body.txt == 'x'", "unknown-field", 0..8, "did you mean `body.text`?"),
    ("body == 'x'", "unknown-field", 0..4, "body.text, body.new"),
    ("urls.length > 1", "unknown-field", 0..11, "`links.length`"),
    ("from.nme == 'x'", "unknown-field", 5..8, "did you mean `name`?"),
    ("from.domain.zone == 'x'", "unknown-field", 12..16, "host, site"),
    ("links.target == 'x'", "unknown-field", 6..12, "links.any(x, x.target"),
    ("links.any(l, x.target.is_ip)", "unknown-field", 13..14, ""),
    ("subject.contains", "unknown-field", 8..16, "subject.contains(…)"),
    (
        "from.domain in $org_domain",
        "unknown-list",
        15..26,
        "did you mean `$org_domains`?",
    ),
    ("from.domain in $nothing", "unknown-list", 15..23, "[lists.nothing]"),
    ("@LURE_TRU", "unknown-rule", 0..9, "did you mean `@LURE_TRUE`?"),
    ("any of @NOTHING_*", "unknown-rule", 7..17, ""),
    ("@LURE_*", "misplaced-rules", 0..7, "any of @LURE_*"),
    (
        "subject.contain('x')",
        "unknown-function",
        8..15,
        "did you mean `contains`?",
    ),
    ("contains(subject, 'x')", "unknown-function", 0..8, "subject.contains"),
    ("presnt(subject)", "unknown-function", 0..6, "did you mean `present`?"),
    (
        "from.contains('x')",
        "unknown-function",
        5..13,
        "name, plain_name, name_fits, address, local, domain",
    ),
    ("len(links) > 1", "unknown-function", 0..3, "write links.length"),
    ("length(links) > 1", "unknown-function", 0..6, "write links.length"),
    ("any(links, true)", "unknown-function", 0..3, "write links.any(true)"),
    (
        "regex.icontains(subject, 'a/b')",
        "unknown-function",
        0..15,
        "write subject.matches(/a\\/b/i)",
    ),
    (
        "strings.icontains(subject, 'x')",
        "unknown-function",
        0..17,
        "write subject.icontains('x')",
    ),
    (
        "subject.includes('x')",
        "unknown-function",
        8..16,
        "did you mean `contains`?",
    ),
    (
        "links.filter(l, true)",
        "unknown-function",
        6..12,
        "did you mean `any`?",
    ),
    (
        "sender.email.domain.root_domain == 'x.example'",
        "unknown-field",
        0..31,
        "did you mean `from.domain.site`?",
    ),
    ("Subject == 'x'", "unknown-field", 0..7, "did you mean `subject`?"),
    (
        "header.subject == 'x'",
        "unknown-field",
        0..14,
        "did you mean `subject`?",
    ),
    ("header.x_mailer == 'x'", "unknown-field", 0..15, "header('x-mailer')"),
    ("X_Mailer == 'x'", "unknown-field", 0..8, "header('X-Mailer')"),
    (
        "LURE_TRUE and true",
        "unknown-field",
        0..9,
        "did you mean `@LURE_TRUE`?",
    ),
    ("@lure_true", "unknown-rule", 0..10, "did you mean `@LURE_TRUE`?"),
    (
        "from.domain in partners",
        "unknown-field",
        15..23,
        "did you mean `$partners`?",
    ),
    (
        "links.any(l, l.href_url == 'x')",
        "unknown-field",
        15..23,
        "did you mean `target`?",
    ),
    (
        "attachments.any(a, a.file_extension == 'x')",
        "unknown-field",
        21..35,
        "`extension`",
    ),
    ("subject == null", "foreign-word", 11..15, "write not present(subject)"),
    ("from.name != None", "foreign-word", 13..17, "write present(from.name)"),
    ("present(nil)", "foreign-word", 8..11, "present(x)"),
    ("any of them", "foreign-word", 7..11, "@tag:x"),
    (
        "to.contains('x')",
        "unknown-function",
        3..11,
        "to.any(x, x.name.contains(…))",
    ),
];

const TYPES: &[Row] = &[
    ("subject", "not-a-condition", 0..7, "present(subject)"),
    ("links", "not-a-condition", 0..5, "links.any(x, …)"),
    ("message.size and true", "not-a-condition", 0..12, "compare it"),
    ("message.size > '5MB'", "wrong-type", 0..20, "write 5MB without quotes"),
    ("message.age > '2d'", "wrong-type", 0..18, "write 2d without quotes"),
    ("message.age > 2", "wrong-type", 0..15, "30s"),
    (
        "message.date > '2027-01-01'",
        "wrong-type",
        0..27,
        "write 2027-01-01 without quotes",
    ),
    ("is_bulk == 'true'", "wrong-type", 0..17, "write true without quotes"),
    ("subject > 'a'", "wrong-type", 0..13, "== or !="),
    ("from.name == from.domain", "wrong-type", 0..24, "from.domain.host"),
    ("from.name == from.address", "wrong-type", 0..25, "from.address.text"),
    ("from == 'x'", "wrong-type", 0..11, "from.name == 'x'"),
    (
        "to == 'a@b.example'",
        "wrong-type",
        0..19,
        "to.any(x, x.address == 'a@b.example')",
    ),
    ("from == 'b.example'", "wrong-type", 0..19, "from.domain == 'b.example'"),
    (
        "'b.example' in from",
        "wrong-type",
        15..19,
        "from.domain == 'b.example'",
    ),
    (
        "'a@b.example' in to",
        "wrong-type",
        17..19,
        "to.any(x, x.address == 'a@b.example')",
    ),
    ("received == 'x'", "wrong-type", 0..15, "received.any(x, x == …)"),
    (
        "subject == ['a', 'b']",
        "wrong-type",
        0..21,
        "write subject in ['a', 'b']",
    ),
    (
        "subject == 'a' or 'b'",
        "not-a-condition",
        18..21,
        "subject in ['…', 'b']",
    ),
    ("from.domain == '*.x.example'", "bad-literal", 15..28, ".site"),
    ("from.domain == 'not a domain'", "bad-literal", 15..29, ""),
    ("from.address == 'x'", "bad-literal", 16..19, ""),
    ("client.ip == '1.2.3'", "bad-literal", 13..20, ""),
    ("client.ip in ['192.0.2.0/24']", "bad-literal", 14..28, "cidr"),
    ("'a' in subject", "wrong-type", 7..14, "subject.contains('a')"),
    ("subject in message.size", "wrong-type", 11..23, ""),
    ("subject in [1]", "wrong-type", 12..13, ""),
    ("to in $people", "wrong-type", 0..2, "to.any(x, x in $people)"),
    (
        "from.domain.host in $org_domains",
        "wrong-type",
        0..16,
        "write from.domain",
    ),
    ("subject in $org_domains", "wrong-type", 0..7, "text.domains()"),
    (
        "from.address in $org_domains",
        "wrong-type",
        0..12,
        "write from.address.domain",
    ),
    ("from in $people", "wrong-type", 0..4, "write from.address"),
    ("from.domain in $brands", "wrong-type", 0..11, "from.domain.host"),
    ("from.name in $vips", "wrong-type", 0..9, "$vips.any(row"),
    ("$networks.any(n, true)", "wrong-type", 0..9, "client.ip in $networks"),
    ("subject.contains($networks)", "wrong-type", 17..26, ""),
    ("subject.contains(1)", "wrong-type", 17..18, ""),
    (
        "subject.contains('a' or 'b')",
        "wrong-type",
        17..27,
        "contains('a', 'b')",
    ),
    (
        "subject.contains(['a', 'b'])",
        "wrong-type",
        17..27,
        "contains('a', 'b')",
    ),
    (
        "from.domain in 'x.example'",
        "wrong-type",
        15..26,
        "from.domain == 'x.example'",
    ),
    (
        "client.ip.starts_with('192.')",
        "unknown-function",
        10..21,
        "of kind cidr",
    ),
    ("now.hour > 20", "unknown-field", 4..8, "no parts"),
    ("@partners", "unknown-rule", 0..9, "`$partners`"),
    ("from.domain in $is_true", "unknown-list", 15..23, "`@is_true`"),
    ("subject.contains(/x/)", "misplaced-regex", 17..20, "matches(/…/)"),
    ("subject.matches('x')", "wrong-type", 16..19, "write /x/"),
    ("/x/", "misplaced-regex", 0..3, "subject.matches"),
    ("1 + 'a' == 1", "wrong-type", 0..7, ""),
    ("now + now > now", "wrong-type", 0..9, ""),
    ("-subject == 'x'", "wrong-type", 0..8, "`not`"),
    ("[1, 'a'].length > 1", "wrong-type", 4..7, ""),
    ("(client.port ?? 'x') == 1", "wrong-type", 16..19, ""),
    (
        "links.distinct(l, l).length > 1",
        "wrong-type",
        18..19,
        "one of its parts",
    ),
];

const CALLS: &[Row] = &[
    ("subject.contains()", "wrong-arguments", 8..16, ""),
    ("links.any(l)", "wrong-arguments", 0..12, "links.any(x, …)"),
    ("links.any()", "wrong-arguments", 0..11, "present(links)"),
    ("links.count() > 3", "wrong-arguments", 0..13, "links.length"),
    ("links.count > 3", "unknown-field", 6..11, "links.length"),
    ("count(links) > 3", "unknown-function", 0..5, "links.length"),
    ("links.any(l.target, true)", "bad-lambda", 10..18, "any(x"),
    ("present()", "wrong-arguments", 0..9, "present(x)"),
    ("subject.length() > 1", "unexpected-arguments", 8..14, "subject.length"),
    ("header(subject).length > 1", "wrong-type", 7..14, "string"),
    ("header('a b').length > 1", "bad-literal", 7..12, ""),
    ("subject.similar_to('x', 6)", "bad-literal", 24..25, "1 to 5"),
    ("subject.similar_to('x', 0)", "bad-literal", 24..25, "1 to 5"),
    ("3 of (true, false)", "bad-quantity", 0..18, ""),
    ("2 of subject.contains('a')", "bad-quantity", 0..26, ""),
    ("2 of (subject.contains('a'))", "bad-quantity", 0..28, ""),
];

const REGEXES: &[Row] = &[
    ("subject.matches(/a(?=b)/)", "bad-regex", 18..21, "and not"),
    ("subject.matches(/(a)\\1/)", "bad-regex", 20..22, "alternatives"),
    ("subject.matches(/(a/)", "bad-regex", 17..18, ""),
    ("subject.count(/a*/) > 1", "empty-match", 14..18, ""),
    (
        "subject.matches(/(a{999}){99}/)",
        "regex-too-large",
        16..30,
        "repetitions",
    ),
];

#[test]
fn errors_have_a_code_a_place_and_help() {
    let house = House::new();
    for (text, code, span, help) in [NAMES, TYPES, CALLS, REGEXES].concat() {
        let problem = house.error(text);
        assert_eq!(
            (problem.code, problem.span.clone()),
            (code, span),
            "{text}: {problem:?}"
        );
        assert!(
            problem.help.clone().unwrap_or_default().contains(help),
            "{text}: {problem:?}"
        );
    }
}

#[test]
fn messages_are_sentences() {
    let house = House::new();
    for (text, message) in [
        ("message.size > '5MB'", "`message.size` is a size; `'5MB'` is a string"),
        (
            "from.address in $org_domains",
            "`from.address` is an address; `$org_domains` is a list of kind domain",
        ),
        ("to == 'x'", "`to` is a list of mailbox"),
        (
            "client.ip > '192.0.2.1'",
            "`client.ip` is an IP address, which is neither more nor less",
        ),
        ("message.sizes == 1", "there is no field `message.sizes`"),
        ("from.nme == 'x'", "a mailbox such as `from` has no `nme`"),
        ("links.any(l)", "`any` takes 2 arguments, not 1"),
        (
            "(subject == 'a' and not is_bulk) == 2",
            "`(subject == 'a') and (not is_bulk)` is a condition; `2` is a number",
        ),
    ] {
        assert_eq!(house.error(text).message, message);
    }
}

#[test]
fn every_branch_has_its_errors_told() {
    let (condition, problems) = House::new().read("subjct == 'x' and bdy == 'y' or lnks", &mut Atoms::default());
    assert!(condition.is_none());
    assert_eq!(problems.len(), 3, "{problems:?}");
}

#[test]
fn warnings_leave_the_condition() {
    let house = House::new();
    for (text, code, span) in [
        ("links.any(to, to.target.is_ip)", "shadowed-field", 10..12),
        ("links.any(body, body.target.is_ip)", "shadowed-field", 10..14),
        ("antivirus.signature == 'x'", "not-gathered", 0..19),
        ("attachments.any(a, a.encrypted)", "not-gathered", 21..30),
        ("subject.contains('')", "empty-needle", 17..19),
        ("subject == '*invoice*'", "wildcard", 11..22),
        ("subject.matches(/invoice/)", "case-sensitive", 16..25),
        ("body.new.count(/click here/) > 1", "case-sensitive", 15..27),
        ("subject.icontains('a', 'A')", "repeated-needle", 23..26),
        ("subject.contains('inv*')", "wildcard", 17..23),
        (r"subject.icontains('\bpay\b')", "wildcard", 18..27),
        ("subject == '.*pay.*'", "wildcard", 11..20),
        ("direction == 'Inbound'", "impossible-value", 13..22),
        ("'sideways' == direction", "impossible-value", 0..10),
        ("links.any(l, l.origin in ['body', 'text'])", "impossible-value", 34..40),
        ("from.domain.tld == '.example'", "impossible-value", 19..29),
        (
            "attachments.any(a, a.extension.iequals('.exe'))",
            "impossible-value",
            39..45,
        ),
        ("subject.lower().starts_with('Re:')", "impossible-value", 28..33),
        ("attachments.all(a, a.is_inline)", "unguarded-all", 0..31),
        (
            "present(links) and attachments.all(a, a.is_inline)",
            "unguarded-all",
            19..50,
        ),
        ("subject.matches(/a*/)", "matches-anything", 16..20),
        ("is_bulk && is_auto", "foreign-operator", 8..10),
    ] {
        let problem = house.warning(text);
        assert_eq!(
            (problem.code, problem.span.clone()),
            (code, span),
            "{text}: {problem:?}"
        );
    }
}

#[test]
fn guarded_conditions_have_no_warning() {
    let house = House::new();
    for text in [
        "present(attachments) and attachments.all(a, a.is_inline)",
        "attachments.length > 1 and attachments.all(a, a.is_inline)",
        "is_bulk and (attachments.all(a, a.is_inline) and attachments.any(a, a.size > 1MB))",
        "not attachments.all(a, a.is_inline)",
    ] {
        let (condition, problems) = house.read(text, &mut Atoms::default());
        assert!(condition.is_some() && problems.is_empty(), "{text}: {problems:?}");
    }
}

#[test]
fn a_condition_tells_what_it_reads() {
    let text = "subject.matches(/\\d+/) and any of @LURE_* and @is_true and from.domain in $org_domains \
                and links.any(l, l.target.domain in $org_domains) and attachments.any(a, a.macros.present)";
    let (condition, _) = House::new().read(text, &mut Atoms::default());
    let condition = condition.unwrap();
    assert_eq!(
        condition.needs(),
        [
            ("subject", Cost::Free),
            ("from", Cost::Free),
            ("links", Cost::Text),
            ("attachments", Cost::Free),
            ("attachment.macros", Cost::Opened),
            ("macros.present", Cost::Opened),
        ]
    );
    assert_eq!(condition.references(), [RuleRef(0), RuleRef(1), RuleRef(2), RuleRef(3)]);
    assert_eq!(condition.lists().len(), 1);
    assert_eq!(condition.slow_patterns(), ["/\\d+/"]);
}

#[test]
fn every_method_of_the_table_is_known() {
    let house = House::new();
    for function in FUNCTIONS {
        let base = match function.receiver {
            Receiver::Nothing => "",
            Receiver::Text => "subject.",
            Receiver::List => "links.",
            Receiver::Url => "links.first.target.",
        };
        let arguments = match function.arguments {
            "" => "",
            "needle, …" => "('a')",
            "/regex/, …" | "/regex/" => "(/a/)",
            "x, condition" => "(l, l.target.is_ip)",
            "x, expression" => "(l, l.target.domain)",
            "x" => "(subject)",
            "'Name'" | "'name'" => "('x')",
            "string or $list, distance" => "('a', 1)",
            other => panic!("{other}"),
        };
        let called = match (function.name, function.arguments) {
            ("lower" | "skeleton" | "domains" | "addresses", _) => "()",
            _ => arguments,
        };
        let text = format!("known({base}{}{called})", function.name);
        let (condition, problems) = house.read(&text, &mut Atoms::default());
        assert!(condition.is_some(), "{text}: {problems:?}");
    }
}
