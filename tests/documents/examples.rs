//! Examples in the documents, run: rules are loaded and their tests pass, conditions compile, and the
//! program says what a transcript shows. Each document has a folder of its own, in which its blocks are
//! taken in order, as a reader would. `PORTREEVE_REWRITE=1` writes transcripts anew.

use super::blocks::{Block, blocks};
use super::{documents, report, root};
use jiff::Timestamp;
use portreeve::rules::diagnostic::render_all;
use portreeve::rules::{Action, Findings, RuleSet, Status, testing};
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// What conditions in running text may refer to, beside the shipped rules and lists.
const CONTEXT: &str = r#"
[[rule]]
id       = "LURE_ONE"
summary  = "Stands in examples"
category = "spam"
severity = "low"
tags     = ["lure"]
when     = 'subject == "one"'

[[rule]]
id       = "LURE_TWO"
summary  = "Stands in examples"
category = "spam"
severity = "low"
tags     = ["lure"]
when     = 'subject == "two"'

[lists.our_domains]
kind   = "domain"
values = ["example.gov.uk"]

[lists.partners]
kind   = "domain"
values = ["partner.example"]

[lists.people]
kind   = "address"
values = ["jane.doe@example.gov.uk"]

[lists.office]
kind   = "cidr"
values = ["192.0.2.0/24"]

[lists.bad_files]
kind   = "sha256"
values = ["e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]

[lists.bad_pages]
kind   = "url"
values = ["forms.example/refund"]

[lists.leaders]
kind    = "table"
columns = { name = "name", addresses = "list<address>" }
rows    = [{ name = "Jane Doe", addresses = ["jane.doe@example.gov.uk"] }]
"#;

#[test]
fn rules_in_the_documents_load_and_pass_their_tests() {
    let mut faults = Vec::new();
    let mut count = 0;
    for (path, text) in documents() {
        for block in blocks(&path, &text) {
            // The cookbook's stand together.
            let is_recipe = path.ends_with("cookbook.md");
            let alone = block.is_rules() && block.file.is_none() && block.not_run.is_none() && !is_recipe;
            if alone {
                count += 1;
                let folder = folder();
                write(folder.path(), "house/example.toml", &block.text);
                faults.extend(rule_faults(folder.path()).map(|why| format!("{}: {why}", block.place())));
            }
        }
    }
    report(&faults);
    assert!(count >= 3, "only {count} rules stand alone");
}

/// The recipes, taken together, are a house's rules.
#[test]
fn the_cookbook_is_one_set() {
    let path = root().join("docs/cookbook.md");
    let text = fs::read_to_string(&path).expect("the cookbook");
    let folder = folder();
    let mut rules = 0;
    for (at, block) in blocks(&path, &text).iter().filter(|block| block.is_rules()).enumerate() {
        write(folder.path(), &format!("house/{at:02}.toml"), &block.text);
        rules += block.text.matches("\n[[rule]]").count() + usize::from(block.text.starts_with("[[rule]]"));
        let packed = block.text.replace(' ', "");
        let expects = |word: &str| packed.contains(&format!("expect=\"{word}\""));
        assert!(
            !block.text.contains("[[rule]]") || (expects("match") && expects("no-match")),
            "{} has no match and no-match",
            block.place()
        );
    }
    if let Some(why) = rule_faults(folder.path()) {
        report(&[why]);
    }
    let recipes = text.lines().filter(|line| line.starts_with("### ")).count();
    assert!(recipes >= 25 && rules >= 25, "{recipes} recipes with {rules} rules");
}

#[test]
fn conditions_in_the_documents_compile() {
    let mut faults = Vec::new();
    let mut count = 0;
    for (path, text) in documents() {
        let in_blocks = blocks(&path, &text).into_iter().flat_map(|block| conditions(&block));
        let conditions: Vec<(String, String)> = in_blocks.chain(in_tables(&path, &text)).collect();
        if conditions.is_empty() {
            continue;
        }
        count += conditions.len();
        // A set of them all at once: what is wrong with one is told with its text.
        let mut rules = CONTEXT.to_owned();
        for (at, (place, condition)) in conditions.iter().enumerate() {
            rules.push_str(&format!(
                "\n[[define]]\nname = \"shown{at}\"\nwhen = '''\nknown({condition}   # {place}\n)'''\n"
            ));
        }
        let folder = folder();
        write(folder.path(), "house/example.toml", &rules);
        faults.extend(rule_faults(folder.path()));
    }
    report(&faults);
    assert!(count >= 40, "only {count} conditions");
}

#[test]
fn transcripts_show_what_the_program_says() {
    let mut faults = Vec::new();
    let mut count = 0;
    for (path, text) in documents() {
        let blocks = blocks(&path, &text);
        if !blocks.iter().any(Block::is_transcript) {
            continue;
        }
        let folder = folder();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let mut anew = Vec::new();
        for block in &blocks {
            if let Some((name, is_more)) = &block.file {
                let before = fs::read_to_string(folder.path().join(name)).unwrap_or_default();
                let after = match (block.language.as_str(), is_more) {
                    ("edit", _) => changed(&before, block),
                    (_, true) => format!("{before}\n{}", block.text),
                    (_, false) => block.text.clone(),
                };
                write(folder.path(), name, &after);
            } else if block.is_transcript() && block.not_run.is_none() {
                count += 1;
                let said = replay(&block.text, folder.path());
                if !is_same(&block.text, &said) {
                    // What was left out on purpose is for a person to choose.
                    if block.text.contains("...\n") {
                        report(&[format!("{}: the program says\n{said}", block.place())]);
                    }
                    anew.push((block.line - 1, block.text.lines().count(), said.clone()));
                    faults.push(format!("{}: the program says\n{said}", block.place()));
                }
            }
        }
        if std::env::var_os("PORTREEVE_REWRITE").is_some() && !anew.is_empty() {
            for (begin, length, said) in anew.into_iter().rev() {
                lines.splice(begin..begin + length, said.lines().map(str::to_owned));
            }
            fs::write(&path, lines.join("\n") + "\n").expect("a writable document");
            faults.clear();
        }
    }
    report(&faults);
    assert!(count >= 5, "only {count} transcripts");
}

/// The text with a change of the form `old => new` made in it.
fn changed(text: &str, edit: &Block) -> String {
    let (old, new) = edit
        .text
        .split_once(" =>")
        .unwrap_or_else(|| unreachable!("{}: no `=>`", edit.place()));
    assert!(text.contains(old), "{}: there is no {old:?} to change", edit.place());
    text.replacen(old, new.trim_start(), 1)
}

/// A folder with what is shipped: settings, rules and sample mails.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    copy(&root().join("rules"), &folder.path().join("rules"));
    copy(&root().join("tests/samples"), &folder.path().join("tests/samples"));
    let settings = fs::read_to_string(root().join("config/portreeve.toml")).expect("the settings");
    write(folder.path(), "config/portreeve.toml", &settings);
    folder
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder of ours") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        match path.is_dir() {
            true => copy(&path, &target),
            false => drop(fs::copy(&path, &target).expect("a copy")),
        }
    }
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, text).expect("a file");
}

/// What is wrong with the house's rules beside the shipped ones; facts that aren't gathered yet may
/// be named.
fn rule_faults(folder: &Path) -> Option<String> {
    let now: Timestamp = testing::NOW.parse().expect("a time");
    let loaded = match RuleSet::load(&[folder.join("rules"), folder.join("house")], now) {
        Ok(loaded) => loaded,
        Err(problems) => return Some(render_all(&problems, false)),
    };
    let mut warnings = loaded.warnings;
    warnings.retain(|warning| warning.code != "not-gathered");
    if !warnings.is_empty() {
        return Some(render_all(&warnings, false));
    }
    let of_house = |id: &str| loaded.set.rule(id).is_some_and(|rule| rule.pack == "house");
    let reports = testing::run_some(&loaded.set, &|findings, _| judge(findings), &of_house);
    let reports = match reports {
        Ok(reports) => reports,
        Err(problems) => return Some(render_all(&problems, false)),
    };
    let failed = reports.iter().filter(|report| !report.passed());
    let told: Vec<String> = failed
        .map(|report| format!("{}: {}\n  {}", report.place, report.name, report.failures.join("\n  ")))
        .collect();
    (!told.is_empty()).then(|| told.join("\n"))
}

/// Enough of a verdict for examples: points of rules that act.
fn judge(findings: &Findings) -> Action {
    let active = findings
        .matched
        .iter()
        .filter(|finding| finding.rule.status == Status::Active);
    let points: i64 = active.map(|finding| finding.rule.score.0).sum();
    match points {
        ..500 => Action::Deliver,
        500..800 => Action::Tag,
        _ => Action::Quarantine,
    }
}

/// Of a block `condition` the whole, of a block `conditions` each line.
fn conditions(block: &Block) -> Vec<(String, String)> {
    let place = |at: usize| format!("{}:{}", block.document.display(), block.line + at);
    match block.language.as_str() {
        "condition" => vec![(place(0), block.text.trim_end().to_owned())],
        "conditions" => {
            let lines = block.text.lines().enumerate();
            let lines = lines.filter(|(_, line)| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
            lines.map(|(at, line)| (place(at), line.to_owned())).collect()
        }
        _ => Vec::new(),
    }
}

/// Code in table columns that are headed `condition`.
fn in_tables(path: &Path, text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut column = None;
    let mut is_within = false;
    for (number, line) in text.lines().enumerate() {
        let is_heading = !std::mem::replace(&mut is_within, line.starts_with('|'));
        if !is_within {
            continue;
        }
        let line = line.replace("\\|", "\u{0}");
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        if is_heading {
            column = cells.iter().position(|cell| *cell == "condition");
            continue;
        }
        let Some(cell) = column.and_then(|column| cells.get(column)) else {
            continue;
        };
        for code in cell.split('`').skip(1).step_by(2) {
            found.push((format!("{}:{}", path.display(), number + 1), code.replace('\u{0}', "|")));
        }
    }
    found
}

/// The transcript as the program writes it now.
fn replay(transcript: &str, folder: &Path) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_portreeve"));
    let programs = program.parent().expect("a folder").display();
    let path = format!("{programs}:{}", std::env::var("PATH").unwrap_or_default());
    let mut out = String::new();
    for command in transcript.lines().filter_map(|line| line.strip_prefix("$ ")) {
        let run = Command::new("sh")
            .args(["-c", &format!("{command} 2>&1")])
            .env("PATH", &path)
            .env("NO_COLOR", "1")
            .current_dir(folder)
            .output()
            .expect("a shell");
        out.push_str(&format!("$ {command}\n{}", String::from_utf8_lossy(&run.stdout)));
    }
    // A fence in Markdown is closed on a line of its own, and a blank one before it says nothing.
    format!("{}\n", out.trim_end())
}

/// Whether it is what was shown: ids differ from run to run, and `...` stands for lines left out.
fn is_same(shown: &str, said: &str) -> bool {
    let (shown, said) = (without_ids(shown), without_ids(said));
    let mut rest = said.as_str();
    for (at, part) in shown.split("...\n").enumerate() {
        let found = if at == 0 {
            rest.starts_with(part).then_some(0)
        } else {
            rest.find(part)
        };
        let Some(begin) = found else { return false };
        rest = rest.get(begin + part.len()..).unwrap_or_default();
    }
    rest.is_empty() || shown.ends_with("...\n")
}

/// The text with `ID` in place of what looks like one.
fn without_ids(text: &str) -> String {
    let is_id = |word: &str| {
        let groups: Vec<usize> = word.split('-').map(str::len).collect();
        groups == [8, 4, 4, 4, 12] && word.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
    };
    let words = text.split_inclusive([' ', '\n']);
    words
        .map(|word| match is_id(word.trim_end()) {
            true => word.replace(word.trim_end(), "ID"),
            false => word.to_owned(),
        })
        .collect()
}

mod the_checks_can_fail {
    use super::*;

    #[test]
    fn what_was_left_out_may_be_anything_and_nothing_else() {
        assert!(is_same("a\n...\nd\n", "a\nb\nc\nd\n"));
        assert!(is_same("a\n...\n", "a\nb\n"));
        assert!(!is_same("a\n...\ne\n", "a\nb\nd\n"));
        assert!(!is_same("a\n", "a\nb\n") && !is_same("b\n...\n", "a\nb\n"));
    }

    #[test]
    fn bad_rules_and_failing_tests_are_told() {
        let told = |text: &str| {
            let folder = folder();
            write(folder.path(), "house/a.toml", text);
            rule_faults(folder.path())
        };
        assert_eq!(told(CONTEXT), None);
        assert!(told("[[define]]\nname = \"a\"\nwhen = 'subjekt'\n").is_some_and(|why| why.contains("unknown-field")));
        let failing = format!(
            "{CONTEXT}\n[[rule]]\nid = \"AAA\"\nsummary = \"a\"\ncategory = \"spam\"\nseverity = \"low\"\nwhen = 'false'\n[[rule.test]]\nmail = {{}}\nexpect = \"match\"\n"
        );
        assert!(told(&failing).is_some_and(|why| why.contains("got no-match")));
    }

    #[test]
    fn blocks_know_their_files_and_why_they_are_not_run() {
        let text = "<!-- not run: needs a gate -->\n```\n$ portreeve reload\n```\ntext\n```toml\n# house/a.toml: ours\n[[rule]]\n```\n<!-- more of file: b.eml -->\n\n```\nx\n```\n";
        let found = blocks(Path::new("d.md"), text);
        assert_eq!(found[0].not_run.as_deref(), Some("needs a gate"));
        assert!(found[0].is_transcript() && found[1].is_rules() && found[1].not_run.is_none());
        assert_eq!(found[1].file, Some(("house/a.toml".to_owned(), false)));
        assert_eq!(found[2].file, Some(("b.eml".to_owned(), true)));
    }

    #[test]
    fn conditions_stand_in_blocks_and_tables() {
        let text = "| a | condition |\n|---|---|\n| `x` | `y \\| z` and `w` |\n\n| `q` | `r` |\n";
        let found: Vec<String> = in_tables(Path::new("d.md"), text)
            .into_iter()
            .map(|(_, code)| code)
            .collect();
        assert_eq!(found, ["y | z", "w"]);
    }
}
