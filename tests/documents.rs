//! Documents against the program: links lead somewhere, commands and settings exist, decisions are
//! numbered without gaps, and the reference of the rule language is what the tables say.
//!
//! Examples are run (see [`examples`]), and the schemas for editors are tried on the shipped rules and on
//! mistakes. `PORTREEVE_REWRITE=1` writes reference and schemas anew; its diff is the review. Knows nothing of whether
//! the prose is true.

#![expect(clippy::expect_used, reason = "a test program: what it can't read fails it")]

#[path = "documents/blocks.rs"]
mod blocks;
#[path = "documents/examples.rs"]
mod examples;
#[path = "documents/reference.rs"]
mod reference;
#[path = "documents/schema.rs"]
mod schema;
#[path = "documents/validator.rs"]
mod validator;

use portreeve::measure::VERDICT_FIELDS;
use portreeve::rules::keys;
use std::fs;
use std::path::{Path, PathBuf};

const REFERENCE: &str = "docs/rule-language.md";
const SCHEMAS: [(&str, &keys::Shape, &str); 2] = [
    ("docs/rule-file.schema.json", &keys::RULE_FILE, "Rule file of Portreeve"),
    (
        "docs/pack.schema.json",
        &keys::MANIFEST,
        "Manifest of a rule pack of Portreeve",
    ),
];

#[test]
fn links_lead_somewhere() {
    let mut faults = Vec::new();
    for (path, text) in documents() {
        for target in links(&text) {
            let folder = path.parent().unwrap_or(Path::new(""));
            let file = target.split('#').next().unwrap_or_default();
            if !file.is_empty() && !folder.join(file).exists() {
                faults.push(format!("{}: {target} isn't there", path.display()));
            }
        }
    }
    report(&faults);
}

/// Fenced command lines are run by `tests/architecture.rs`; these are the ones in running text.
#[test]
fn commands_in_the_text_exist() {
    let commands = portreeve::cli::command_names();
    let mut faults = Vec::new();
    for (path, text) in documents() {
        for code in code_spans(&text) {
            let Some(rest) = code.strip_prefix("portreeve ") else {
                continue;
            };
            let word = rest.split_whitespace().next().unwrap_or_default();
            if !word.starts_with('-') && !commands.iter().any(|command| command == word) {
                faults.push(format!("{}: `{code}` is no command", path.display()));
            }
        }
    }
    report(&faults);
}

#[test]
fn settings_in_the_text_exist() {
    let shipped = read("config/portreeve.toml");
    let mut faults = Vec::new();
    for (path, text) in documents() {
        for code in code_spans(&text) {
            if let Some((section, key)) = setting(&code)
                && !is_setting(&shipped, section, key)
            {
                faults.push(format!("{}: `{code}` is no setting", path.display()));
            }
        }
    }
    report(&faults);
}

/// What `docs/faults.md` names as shown is a test, or a file of many.
#[test]
fn tests_that_the_fault_table_names_exist() {
    let text = read("docs/faults.md");
    let sources: String = ["src", "tests"]
        .iter()
        .flat_map(|folder| files_below(&root().join(folder), "rs"))
        .map(|path| fs::read_to_string(path).expect("a source file"))
        .collect();
    let rows = text
        .lines()
        .filter(|line| line.starts_with("| ") && line.matches('|').count() == 5);
    let mut faults = Vec::new();
    let mut count = 0;
    for row in rows {
        let shown = row.trim_end_matches('|').rsplit('|').next().unwrap_or_default();
        let names = code_spans(shown);
        if names.is_empty() && !row.contains("| shown by |") {
            faults.push(format!("nothing shows {row}"));
        }
        for name in names {
            let is_there = root().join(&name).is_file() || sources.contains(&format!("fn {name}("));
            if !is_there {
                faults.push(format!("docs/faults.md: {name} is neither a test nor a file"));
            }
            count += 1;
        }
    }
    report(&faults);
    assert!(count > 60, "only {count} names");
}

/// Each recipe of `deploy/README.md`: what stands in the folder's files stands in its page, so that what people read
/// is what the tests run.
#[test]
fn recipes_stand_in_their_pages() {
    let index = read("deploy/README.md");
    let mut faults = Vec::new();
    let mut count = 0;
    for row in index.lines().filter(|line| line.contains("](../docs/")) {
        let targets = links(row);
        let [folder, page] = targets.as_slice() else {
            faults.push(format!("deploy/README.md: not a folder and its page: {row}"));
            continue;
        };
        if !root().join("deploy").join(folder).join("portreeve.toml").is_file() {
            continue;
        }
        let page = page.split('#').next().unwrap_or_default().trim_start_matches("../");
        let text = read(page);
        for entry in fs::read_dir(root().join("deploy").join(folder)).expect("a folder of ours") {
            let path = entry.expect("an entry").path();
            let recipe = fs::read_to_string(&path).expect("a recipe");
            for block in blocks(&recipe) {
                if !text.contains(&block) {
                    faults.push(format!("{page} lacks this of {}:\n{block}", path.display()));
                }
                count += 1;
            }
        }
    }
    report(&faults);
    assert!(count > 30, "only {count} blocks");
}

/// What a recipe says, without its comments: lines up to the next comment or empty line.
fn blocks(recipe: &str) -> Vec<String> {
    let mut blocks = vec![String::new()];
    for line in recipe.lines() {
        match blocks.last_mut() {
            Some(block) if !line.is_empty() && !line.starts_with('#') => {
                block.push_str(line);
                block.push('\n');
            }
            _ => blocks.push(String::new()),
        }
    }
    blocks.retain(|block| !block.is_empty());
    blocks
}

#[test]
fn decisions_are_numbered_without_gaps() {
    let mut names: Vec<String> = fs::read_dir(root().join("docs/decisions"))
        .expect("the decisions")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name != "README.md")
        .collect();
    names.sort();
    for (place, name) in names.iter().enumerate() {
        let number = format!("{:04}", place + 1);
        assert!(name.starts_with(&format!("{number}-")), "{name} should be {number}");
        let text = read(&format!("docs/decisions/{name}"));
        assert!(
            text.starts_with(&format!("# {number} ")),
            "{name} begins with its number"
        );
    }
    assert!(!names.is_empty());
}

#[test]
fn the_reference_and_the_schemas_are_what_the_tables_say() {
    let mut expected = vec![(REFERENCE, reference::rewritten(&read(REFERENCE)))];
    for (path, shape, title) in SCHEMAS {
        let text = serde_json::to_string_pretty(&schema::schema(shape, title)).expect("a schema");
        expected.push((path, text + "\n"));
    }
    for (path, text) in expected {
        if std::env::var_os("PORTREEVE_REWRITE").is_some() {
            fs::write(root().join(path), &text).expect("a writable document");
        }
        assert!(
            read(path) == text,
            "{path} differs from the tables; PORTREEVE_REWRITE=1 cargo test --test documents writes it anew"
        );
    }
}

#[test]
fn what_is_taken_out_of_archived_mail_stands_in_the_text() {
    let text = read("docs/scoring.md");
    let (_, rest) = text
        .split_once("<!-- fields: taken out -->")
        .expect("where the list begins");
    let (list, _) = rest.split_once("<!-- fields: end -->").expect("where it ends");
    assert_eq!(code_spans(list), VERDICT_FIELDS);
}

#[test]
fn shipped_rules_meet_the_schema() {
    let [(_, rules, _), (_, manifest, _)] = SCHEMAS;
    let mut faults = Vec::new();
    let mut count = 0;
    for path in files_below(&root().join("rules"), "toml") {
        let shape = if path.ends_with("pack.toml") { manifest } else { rules };
        let told = schema_faults(shape, &path).expect("TOML");
        faults.extend(told.into_iter().map(|fault| format!("{}{fault}", path.display())));
        count += 1;
    }
    report(&faults);
    assert!(count > 10, "only {count} files");
}

/// What can be told of a file by itself the schema refuses; what hangs on its conditions, its lists'
/// entries or other files it lets pass.
#[test]
fn mistakes_in_keys_and_values_are_against_the_schema() {
    const OF_THE_FILE: [&str; 10] = [
        "bad-id",
        "bad-summary",
        "empty-value",
        "missing-key",
        "out-of-range",
        "override-target",
        "unknown-key",
        "values-and-file",
        "whole-mail",
        "bad-word",
    ];
    let mut count = [0, 0];
    for path in files_below(&root().join("tests/rules/errors"), "toml") {
        let told = fs::read_to_string(path.with_extension("txt")).unwrap_or_default();
        let Some(faults) = schema_faults(SCHEMAS[0].1, &path) else {
            continue;
        };
        let of_the_file = OF_THE_FILE.iter().any(|code| told.contains(&format!("error[{code}]")));
        if of_the_file || told.contains("` must be ") {
            assert!(!faults.is_empty(), "{} meets the schema", path.display());
            count[0] += 1;
        } else if !told.is_empty() && !told.contains("[bad-name]") && !told.contains("[list-override]") {
            assert!(faults.is_empty(), "{}: {faults:?}", path.display());
            count[1] += 1;
        }
    }
    assert!(count[0] >= 10 && count[1] >= 40, "{count:?}");
}

/// What the schema says of a file; `None` when it isn't TOML.
fn schema_faults(shape: &'static keys::Shape, path: &Path) -> Option<Vec<String>> {
    let text = fs::read_to_string(path).expect("a readable file");
    let value = text.parse::<toml::Table>().ok()?;
    let schema = schema::schema(shape, "");
    Some(validator::faults(&schema, &validator::json(&toml::Value::Table(value))))
}

fn files_below(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder of ours") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files_below(&path, ending));
        } else if path.extension().is_some_and(|extension| extension == ending) {
            found.push(path);
        }
    }
    found
}

/// Targets of Markdown links within the project.
fn links(text: &str) -> Vec<&str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .filter(|target| !target.contains("://") && !target.starts_with('#'))
        .collect()
}

/// What stands between single backticks outside fenced blocks, line breaks as spaces.
fn code_spans(text: &str) -> Vec<String> {
    let mut fenced = false;
    let mut prose = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            prose.push_str(line);
            // A blank line ends a paragraph, and any span that was left open.
            prose.push_str(if line.is_empty() { "\n" } else { " " });
        }
    }
    let paragraphs = prose.split('\n');
    paragraphs
        .flat_map(|paragraph| paragraph.split('`').skip(1).step_by(2).map(str::to_owned))
        .collect()
}

/// `[section] key`, and nothing else.
fn setting(code: &str) -> Option<(&str, &str)> {
    let (section, key) = code.strip_prefix('[')?.split_once(']')?;
    let (section, key) = (section.trim_start_matches('['), key.trim_start_matches(']').trim());
    let is_word = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || "_.".contains(c));
    (is_word(section) && is_word(key)).then_some((section, key))
}

/// Whether the shipped settings have the key in that section, set or shown in a comment.
fn is_setting(shipped: &str, section: &str, key: &str) -> bool {
    let section = if section == "upstream" { "route" } else { section };
    let mut inside = false;
    for line in shipped.lines() {
        if line.starts_with('[') {
            inside = line.trim_matches(['[', ']']) == section;
        }
        let name = line.trim_start_matches("# ").split(" =").next();
        if inside && line.contains(" =") && name == Some(key) {
            return true;
        }
    }
    false
}

fn documents() -> Vec<(PathBuf, String)> {
    let folders = ["", "docs", "docs/decisions", "benches", "deploy"].map(|folder| root().join(folder));
    let entries = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten();
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths
        .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
        .map(|path| (path.clone(), fs::read_to_string(&path).expect("a readable document")))
        .collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_default()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn report(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

mod the_checks_can_fail {
    use super::*;

    #[test]
    fn links_code_and_settings_are_found() {
        assert_eq!(
            links("[a](b.md) [c](https://x.example) [d](#e) [f](g.md#h)"),
            ["b.md", "g.md#h"]
        );
        assert_eq!(
            code_spans("a `b\nc` d\n```\n`no`\n```\n`e`\n\nan `open\n\n`f`"),
            ["b c", "e", "open ", "f"]
        );
        assert_eq!(setting("[policy] mode"), Some(("policy", "mode")));
        assert_eq!(setting("[[listener]] tls"), Some(("listener", "tls")));
        for text in ["[[route]]", "[policy]", "mode", "[policy] mode = 1", "x in ['a']"] {
            assert_eq!(setting(text), None, "{text}");
        }
    }

    #[test]
    fn a_setting_is_looked_for_in_its_own_section() {
        let shipped = "[a]\n# one = 1\n[[b]]\ntwo = 2\n";
        assert!(is_setting(shipped, "a", "one") && is_setting(shipped, "b", "two"));
        assert!(!is_setting(shipped, "a", "two") && !is_setting(shipped, "b", "three"));
    }
}
