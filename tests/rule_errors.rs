//! Broken rule files and what is said of them: each `tests/rules/errors/*.toml`, and each folder there,
//! beside the rendered diagnostics it must give. What no file of a repository can show, such as another
//! encoding or too many rules, is made here. `PORTREEVE_REWRITE=1` rewrites the expected side; its diff
//! is the review. Each code has an example that is named after it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what helps a test may fail it"
)]

use jiff::Timestamp;
use portreeve::rules::codes::CODES;
use portreeve::rules::compile::extent::NEEDLES_MAX;
use portreeve::rules::diagnostic::{Diagnostic, render_all};
use portreeve::rules::{Loaded, RuleSet, format, guard, source};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{env, fs};

const FOLDER: &str = "tests/rules/errors";

/// The limit that docs/rule-language.md states.
const RULES_MAX: usize = 20_000;

#[test]
fn every_broken_file_is_told_as_expected() {
    let mut told = on_disk();
    told.extend(made());
    let mut differing = Vec::new();
    for (name, text) in &told {
        let expected = folder().join(format!("{name}.txt"));
        if env::var_os("PORTREEVE_REWRITE").is_some() {
            fs::write(&expected, text).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != *text {
            differing.push(format!("{name}:\n{text}"));
        }
    }
    assert!(differing.is_empty(), "\n{}", differing.join("\n"));
    for entry in fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let stem = name.trim_end_matches(".txt").trim_end_matches(".toml");
        assert!(told.contains_key(stem), "{name} belongs to nothing");
    }
}

#[test]
fn every_code_has_an_example() {
    for (code, meaning) in CODES {
        let text = fs::read_to_string(folder().join(format!("{code}.txt"))).unwrap_or_default();
        let told = text.contains(&format!("error[{code}]")) || text.contains(&format!("warning[{code}]"));
        assert!(told, "{FOLDER}/{code}.txt doesn't show: {meaning}");
    }
}

/// The table against the source, both ways; `diagnostic::sort` also asks it of whatever is told.
#[test]
fn the_table_of_codes_is_that_of_the_source() {
    let mut source = String::new();
    sources(&root().join("src/rules"), &mut source);
    let known: Vec<&str> = CODES.iter().map(|(code, _)| *code).collect();
    assert!(known.is_sorted(), "{known:?}");
    for code in &known {
        assert!(source.contains(&format!("\"{code}\"")), "nothing says {code}");
    }
    for call in [
        "Problem::error(",
        "Problem::warning(",
        "Diagnostic::error(",
        "Diagnostic::warning(",
        "Diagnostic::file_error(",
        ".error(",
        ".error_help(",
    ] {
        for rest in source.split(call).skip(1) {
            let Some((code, _)) = rest
                .trim_start()
                .strip_prefix('"')
                .and_then(|rest| rest.split_once('"'))
            else {
                continue;
            };
            assert!(known.contains(&code), "{code} isn't in the table");
        }
    }
}

/// Every source file but the table itself, tests cut off.
fn sources(folder: &Path, out: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if !path.ends_with("codes.rs") && !path.ends_with("tests.rs") {
            let text = fs::read_to_string(&path).unwrap();
            out.push_str(text.split("#[cfg(test)]\nmod tests {").next().unwrap());
        }
    }
}

/// What is said of each file and folder, by its name.
fn on_disk() -> BTreeMap<String, String> {
    let mut told = BTreeMap::new();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_dir() && path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = say(&load(&path)).replace(&format!("{}/", root().display()), "");
        assert!(!text.is_empty(), "there is nothing to say of {name}");
        told.insert(name, text);
    }
    told
}

fn load(path: &Path) -> Vec<Diagnostic> {
    match RuleSet::load(&[path.to_owned()], now()) {
        Ok(Loaded { warnings, .. }) => warnings,
        Err(problems) => problems,
    }
}

fn say(problems: &[Diagnostic]) -> String {
    render_all(problems, false)
}

/// What is said of files that aren't in the repository.
fn made() -> BTreeMap<String, String> {
    let rule = |id: &str, when: &str| {
        format!("[[rule]]\nid = '{id}'\nsummary = 'x'\ncategory = 'spam'\nseverity = 'low'\nwhen = '''{when}'''\n")
    };
    let mut told = BTreeMap::new();
    let mut say_of = |name: &str, files: &[(&str, Vec<u8>)]| {
        let folder = written(files);
        let text = say(&load(folder.path()));
        told.insert(name.to_owned(), text.replace(folder.path().to_str().unwrap(), name));
    };
    let latin1 = b"# Written by Ren\xe9 of the mail team\n".to_vec();
    say_of("not-utf8", &[("a.toml", latin1)]);
    let windows = format!(
        "\u{feff}{}",
        rule("ONE", "\n\tsubjekt == 'a'\n\tand subject == \u{201c}b\u{201d}\n")
    );
    say_of(
        "windows-editor",
        &[("a.toml", windows.replace('\n', "\r\n").into_bytes())],
    );
    let wide = "[[rule]]\n".encode_utf16().flat_map(u16::to_le_bytes);
    say_of(
        "unreadable",
        &[
            ("a.toml", [0xff, 0xfe].into_iter().chain(wide).collect()),
            ("b.toml", Vec::new()),
        ],
    );
    say_of("not-a-file", &[("a.toml/b.toml", b"# none\n".to_vec())]);
    let deep = format!("{}a.toml", "d/".repeat(source::FOLDER_DEPTH_MAX + 1));
    say_of(
        "too-deep",
        &[
            (&deep, b"# none\n".to_vec()),
            // What is wrong with a folder keeps its files from being read.
        ],
    );
    let long = format!("subject == 'a' {}", " ".repeat(64 << 10));
    let wide = format!("false{}", " or true".repeat(10_000));
    say_of(
        "too-large",
        &[("a.toml", (rule("ONE", &long) + &rule("TWO", &wide)).into_bytes())],
    );
    let list = (0..1_000).fold(String::new(), |list, number| list + &format!("entry {number}\n"));
    let uses = (0..=NEEDLES_MAX / 1_000).map(|at| rule(&format!("R{at:05}"), "subject.icontains($many)"));
    let uses = "[lists.many]\nkind = 'text'\nfile = 'many.txt'\n".to_owned()
        + &uses.collect::<String>()
        + &rule("TWO", "subject.icontains($many)");
    say_of(
        "set-too-large",
        &[("a.toml", uses.into_bytes()), ("many.txt", list.into_bytes())],
    );
    let nested = rule("ONE", &format!("{}true", "not ".repeat(100)));
    say_of("too-deep-condition", &[("a.toml", nested.into_bytes())]);
    let many: String = (0..=RULES_MAX).map(|at| rule(&format!("R{at:05}"), "true")).collect();
    say_of("too-many-rules", &[("a.toml", many.into_bytes())]);
    let names: Vec<String> = (0..=source::RULE_FILES_MAX).map(|at| format!("{at:05}.toml")).collect();
    let files: Vec<(&str, Vec<u8>)> = names.iter().map(|name| (name.as_str(), b"#\n".to_vec())).collect();
    say_of("too-many-files", &files);
    told.insert("changing".to_owned(), say(&[source::changing("house")]));
    let file = Arc::new(source::Source::new("a.toml", "# none\n"));
    told.insert("layout".to_owned(), say(&[format::left_alone(&file)]));
    told.extend(reloads());
    told
}

/// What a reload is refused for.
fn reloads() -> BTreeMap<String, String> {
    let set = |lists: &str| {
        let folder = written(&[("a.toml", lists.as_bytes().to_vec())]);
        RuleSet::load(&[folder.path().to_owned()], now()).unwrap().set
    };
    let list = |entries: &[&str]| format!("[lists.own]\nkind = 'domain'\nvalues = {entries:?}\n");
    let three = set(&list(&["a.example", "b.example", "c.example"]));
    let mut told = BTreeMap::new();
    for (name, after) in [
        ("list-shrank", list(&["a.example"])),
        ("list-emptied", list(&[])),
        ("list-vanished", "# none\n".to_owned()),
    ] {
        told.insert(name.to_owned(), say(&guard::guard(&three, &set(&after)).unwrap_err()));
    }
    let nowhere = tempfile::tempdir().unwrap();
    let lost = RuleSet::load_snapshot(nowhere.path(), now()).unwrap_err();
    told.insert(
        "snapshot".to_owned(),
        say(&lost).replace(nowhere.path().to_str().unwrap(), "state"),
    );
    told
}

fn written(files: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    folder
}

fn now() -> Timestamp {
    "2026-01-05T09:00:00Z".parse().unwrap()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn folder() -> PathBuf {
    root().join(FOLDER)
}
