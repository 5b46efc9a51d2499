//! The parts of the language's reference that are written from tables of the code: keys, fields,
//! functions and codes. Each stands in docs/rule-language.md between two comments.

use portreeve::evidence::identity::{Likeness, TRICKS};
use portreeve::mail::Mismatch;
use portreeve::rules::codes::CODES;
use portreeve::rules::function::{FUNCTIONS, Receiver};
use portreeve::rules::keys::{self, Holds, Shape};
use portreeve::rules::protected::ROLES;
use portreeve::rules::schema::{ADDRESS, DOMAIN, FIELDS, Field, RECORDS};
use portreeve::rules::value::Base;
use std::fmt::Write;

/// The document with every such part as the tables have it.
pub fn rewritten(document: &str) -> String {
    let parts = [
        ("keys", keys()),
        ("fields", fields()),
        ("members", members()),
        ("identity", identity()),
        ("links", links()),
        ("functions", functions()),
        ("codes", codes()),
    ];
    let mut out = document.to_owned();
    for (name, text) in parts {
        let begin = format!("<!-- from the tables: {name} -->\n");
        let (before, rest) = out
            .split_once(&begin)
            .unwrap_or_else(|| unreachable!("{begin} isn't there"));
        let (_, after) = rest
            .split_once("<!-- end -->")
            .unwrap_or_else(|| unreachable!("{name} has no end"));
        out = format!("{before}{begin}\n{text}\n<!-- end -->{after}");
    }
    out
}

/// How what a link shows and where it leads differ.
fn links() -> String {
    let mut out = String::from("| `mismatch` | |\n|---|---|\n");
    for (mismatch, doc) in Mismatch::ALL {
        let _ = writeln!(out, "| `'{}'` | {doc} |", mismatch.as_str());
    }
    out
}

/// The lists that `identity` goes by, the ways in which a domain resembles another, and the tricks of names.
fn identity() -> String {
    let mut out = String::from("| list | kind | columns | what it holds |\n|---|---|---|---|\n");
    for role in ROLES {
        let columns: Vec<String> = role.columns.iter().map(|column| format!("`{column}`")).collect();
        let _ = writeln!(
            out,
            "| `${}` | `{}` | {} | {} |",
            role.list,
            role.kind.as_str(),
            columns.join(" "),
            role.doc
        );
    }
    out.push_str("\n| `identity.lookalike_by` | |\n|---|---|\n");
    for (likeness, doc) in Likeness::ALL {
        let _ = writeln!(out, "| `{}` | {doc} |", likeness.as_str());
    }
    out.push_str("\n| in `identity.name_tricks` | |\n|---|---|\n");
    for (word, doc) in TRICKS {
        let _ = writeln!(out, "| `{word}` | {doc} |");
    }
    out
}

const SHAPES: [(&str, &Shape); 15] = [
    ("`[[rule]]`", &keys::RULE),
    ("`[[rule.test]]`", &keys::TEST),
    ("`[[verdict_test]]`", &keys::VERDICT_TEST),
    ("`mail` of a test", &keys::MAIL),
    ("`attachments` of a mail", &keys::ATTACHMENT),
    ("`client` of a test", &keys::CLIENT),
    ("`envelope` of a test", &keys::ENVELOPE),
    ("`auth` of a test", &keys::AUTH),
    ("`history` of a test", &keys::HISTORY),
    ("`bank_details` of a test's `history`", &keys::BANK_DETAILS),
    ("`[lists.NAME]`", &keys::LIST),
    ("`[[define]]`", &keys::DEFINE),
    ("`[[override]]`", &keys::OVERRIDE),
    ("`[[list_override]]`", &keys::LIST_OVERRIDE),
    ("`[[exception]]`", &keys::EXCEPTION),
];

fn keys() -> String {
    let manifest = [("`pack.toml`", &keys::MANIFEST)];
    let mut out = String::new();
    for (title, shape) in SHAPES.into_iter().chain(manifest) {
        let _ = write!(out, "#### {title}\n\n| key | holds | |\n|---|---|---|\n");
        for key in shape.keys {
            let mark = if key.needed { " **needed**" } else { "" };
            let _ = writeln!(out, "| `{}` | {} | {}{mark} |", key.name, holds(key.holds), key.doc);
        }
        out.push('\n');
    }
    out.trim_end().to_owned() + "\n"
}

fn holds(holds: Holds) -> String {
    let word = match holds {
        Holds::Text | Holds::Said => "string",
        Holds::Summary => "string, at most 200 characters",
        Holds::Condition => "condition",
        Holds::RuleId => "rule's id",
        Holds::RuleIds => "list of rules' ids",
        Holds::OneOrMoreRuleIds => "rule's id, or a list",
        Holds::Name => "name",
        Holds::Names => "list of names",
        Holds::Texts => "list of strings",
        Holds::OneOrMoreTexts => "string, or a list",
        Holds::Word(words) => return format!("`{}`", words().join("` `")),
        Holds::Score => "number from -100 to 100",
        Holds::Count => "whole number, 0 or more",
        Holds::Truth => "`true` or `false`",
        Holds::Date => "date, `2027-01-31`",
        Holds::Time => "time, `2026-11-05T09:00:00Z`",
        Holds::Version => "version, `1.2.3`",
        Holds::Table(_) => "table",
        Holds::AddressOrTable(_) => "IP address, or a table",
        Holds::Tables(_) | Holds::Rows => "tables",
        Holds::Entries => "list of strings, or of rows",
        Holds::Named(_) => "table for each name",
        Holds::NamedEntries => "table of entries or lists of them",
        Holds::NamedTexts => "table of strings or lists of strings",
        Holds::Columns => return format!("table of `{}`, or `list<…>` of one", keys::column_types().join("` `")),
    };
    word.to_owned()
}

fn fields() -> String {
    let mut out = String::new();
    table(&mut out, FIELDS);
    out
}

fn members() -> String {
    let mut out = String::new();
    for (kind, fields) in RECORDS {
        let _ = write!(out, "#### {}\n\n", Base::Record(*kind));
        table(&mut out, fields);
        out.push('\n');
    }
    for (name, fields) in [("domain", DOMAIN), ("address", ADDRESS)] {
        let _ = write!(out, "#### {name}\n\n");
        table(&mut out, fields);
        out.push('\n');
    }
    out.trim_end().to_owned() + "\n"
}

fn table(out: &mut String, fields: &[Field]) {
    out.push_str("| field | type | cost | |\n|---|---|---|---|\n");
    for field in fields {
        let mark = if field.gathered { "" } else { " **not yet**" };
        let (name, ty, cost) = (field.name, field.ty, field.cost.as_str());
        let _ = writeln!(out, "| `{name}` | {ty} | {cost} | {}{mark} |", field.doc);
    }
}

fn functions() -> String {
    let mut out = String::new();
    for (title, receiver) in [
        ("Functions", Receiver::Nothing),
        ("Of strings, and of addresses, domains and URLs as text", Receiver::Text),
        ("Of lists", Receiver::List),
        ("Of URLs", Receiver::Url),
    ] {
        let _ = write!(out, "#### {title}\n\n| | gives | |\n|---|---|---|\n");
        for function in FUNCTIONS.iter().filter(|function| function.receiver == receiver) {
            let is_called = matches!(function.name, "lower" | "skeleton" | "domains" | "addresses");
            let arguments = match function.arguments {
                "" if is_called => "()".to_owned(),
                "" => String::new(),
                arguments => format!("({arguments})"),
            };
            let name = function.name;
            let _ = writeln!(out, "| `{name}{arguments}` | {} | {} |", function.result, function.doc);
        }
        out.push('\n');
    }
    out.trim_end().to_owned() + "\n"
}

fn codes() -> String {
    let mut out = "| code | |\n|---|---|\n".to_owned();
    for (code, doc) in CODES {
        let _ = writeln!(out, "| `{code}` | {doc} |");
    }
    out
}
