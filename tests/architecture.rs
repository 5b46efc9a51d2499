//! The shape of the code, held by a test: layers, the few files that may touch the outside world,
//! file heads and sizes, and documents that agree with the program.
//!
//! To move a module, change [`LAYERS`] and the decision record together. Knows nothing of what the
//! code does.

#![expect(clippy::expect_used, reason = "a test program: what it can't read fails it")]

#[path = "architecture/source.rs"]
mod source;

use source::{code_only, lines_with, references, test_only_modules};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The layers, highest first. A module imports only from lines below its own.
const LAYERS: &[&[&str]] = &[
    &["cli"],
    &["daemon"],
    &["config"],
    &["listener", "admin"],
    &["measure"],
    &["pipeline"],
    &["action"],
    &["upstream"],
    &["store"],
    &["verdict"],
    &["rules"],
    &["evidence"],
    &["smtp"],
    &["mail"],
    &["certificate"],
    &["telemetry", "resolver", "clock", "chance", "compute"],
    &["units"],
];

/// Files and folders that may open files or sockets, start programs or end the process.
const MAY_DO_IO: &[&str] = &[
    // The edges towards the operator: files, sockets and the environment are their job.
    "src/admin",
    "src/cli",
    "src/daemon",
    "src/config/mod.rs",
    "src/config/read.rs",
    "src/config/secret.rs",
    // The edges towards the network.
    "src/listener",
    "src/certificate/authorities.rs",
    "src/certificate/mod.rs",
    "src/resolver/mod.rs",
    "src/resolver/stub.rs",
    "src/upstream/connect.rs",
    // What lasts.
    "src/rules/source.rs",
    "src/rules/snapshot.rs",
    "src/store/sqlite",
    "src/upstream/maildir.rs",
];

/// What counts as that. Addresses (`std::net::IpAddr`) are plain data and not in the list.
const IO: &[&str] = &[
    "std::fs",
    "fs::read",
    "fs::write",
    "fs::read_dir",
    "fs::read_to_string",
    "File::open",
    "File::create",
    "OpenOptions",
    "tokio::fs",
    "tokio::net",
    "TcpListener",
    "TcpStream",
    "UdpSocket",
    "UnixListener",
    "UnixStream",
    "ToSocketAddrs",
    "process::Command",
    "process::exit",
    "process::abort",
    "std::env",
    // Library calls that read files or ask the machine behind a harmless name.
    "from_pem_file",
    "pem_file_iter",
    "load_native_certs",
    "lookup_host",
    "read_system_conf",
    "gethostname::gethostname",
];

/// Files that may ask what time it is, by the wall or by a stop watch.
const MAY_ASK_THE_TIME: &[&str] = &[
    "src/clock.rs",
    // Stop watches on the runtime's own clock, which tests pause.
    "src/evidence/lists",
    "src/pipeline/mod.rs",
    "src/resolver/cache.rs",
    "src/resolver/watched.rs",
    "src/smtp/connection",
    "src/store/journal.rs",
    "src/store/sqlite",
    "src/upstream/pool.rs",
    "src/upstream/smtp_target.rs",
];

const TIME: &[&str] = &["Timestamp::now", "SystemTime", "Instant::now", "clock_gettime"];

/// Lines, tests included, past which a file must be split or argued for.
const LINES_MAX: usize = 700;

/// Files past [`LINES_MAX`] that were looked at and left whole.
const LONG_BUT_WHOLE: &[&str] = &[];

/// Names that say nothing of what is inside.
const EMPTY_NAMES: &[&str] = &["util", "utils", "common", "helper", "helpers", "manager", "misc"];

/// One source file, as the checks see it.
struct File {
    /// Relative to the package, with forward slashes.
    path: String,
    /// As written.
    text: String,
    /// Without comments, literals and tests.
    code: String,
}

impl File {
    fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            code: code_only(text),
        }
    }

    /// The module path: `src/rules/syntax/mod.rs` is `rules`, `syntax`.
    fn module(&self) -> Vec<&str> {
        let path = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        path.split('/')
            .filter(|name| !matches!(*name, "mod" | "lib" | "main"))
            .collect()
    }
}

#[test]
fn modules_import_only_downwards() {
    report(&layer_faults(&sources(), LAYERS));
}

#[test]
fn every_module_has_a_layer_and_every_layer_a_module() {
    let modules: BTreeSet<String> = sources()
        .iter()
        .filter_map(|file| file.module().first().map(|&name| name.to_owned()))
        .collect();
    let layered: BTreeSet<String> = LAYERS.concat().into_iter().map(str::to_owned).collect();
    assert_eq!(modules, layered, "the modules of src/ against the table of layers");
}

#[test]
fn only_the_edge_does_io() {
    report(&needle_faults(&sources(), IO, MAY_DO_IO));
}

#[test]
fn only_the_clock_and_the_stop_watches_ask_the_time() {
    report(&needle_faults(&sources(), TIME, MAY_ASK_THE_TIME));
}

/// The gate reads through `Message`, which keeps what was read and tells what was cut.
#[test]
fn readers_are_alone_only_for_measurements_and_fuzzing() {
    report(&needle_faults(&sources(), &["alone::"], &[]));
}

#[test]
fn every_file_says_what_it_is_for_and_stays_readable() {
    let mut files = sources();
    for folder in ["tests", "benches", "fuzz/fuzz_targets"] {
        files.extend(rust_files(folder));
    }
    report(&shape_faults(&files, LINES_MAX, LONG_BUT_WHOLE));
}

#[test]
fn no_text_names_somebodys_machine() {
    let mut faults = Vec::new();
    for path in project_files() {
        let Ok(text) = std::fs::read_to_string(&path) else {
            continue;
        };
        faults.extend(machine_path_faults(&path.display().to_string(), &text));
    }
    report(&faults);
}

#[test]
fn commands_in_the_documents_exist() {
    let mut faults = Vec::new();
    for path in project_files()
        .into_iter()
        .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
    {
        let Ok(text) = std::fs::read_to_string(&path) else {
            continue;
        };
        for (line, words) in commands_shown(&text) {
            if !command_exists(&words) {
                faults.push(format!(
                    "{}:{line}: `portreeve {}` is no command",
                    path.display(),
                    words.join(" ")
                ));
            }
        }
    }
    report(&faults);
}

fn layer_faults(files: &[File], layers: &[&[&str]]) -> Vec<String> {
    let level: BTreeMap<&str, usize> = layers
        .iter()
        .enumerate()
        .flat_map(|(level, names)| names.iter().map(move |name| (*name, level)))
        .collect();
    let mut faults = Vec::new();
    for file in files {
        let module = file.module();
        let Some(own) = module.first() else { continue };
        for (other, line) in references(&file.code, module.len()) {
            let allowed = other == *own || level.get(other.as_str()) > level.get(own);
            if !allowed {
                faults.push(format!("{}:{line}: {own} must not import {other}", file.path));
            }
        }
    }
    faults
}

/// Needles in files that aren't allowed them, and permissions that nothing uses any more.
fn needle_faults(files: &[File], needles: &[&str], allowed: &[&str]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut used = BTreeSet::new();
    for file in files {
        let permission = allowed
            .iter()
            .find(|prefix| file.path == **prefix || file.path.starts_with(&format!("{prefix}/")));
        for needle in needles {
            for line in lines_with(&file.code, needle) {
                match permission {
                    Some(prefix) => _ = used.insert(*prefix),
                    None => faults.push(format!("{}:{line}: {needle} is not allowed here", file.path)),
                }
            }
        }
    }
    let unused = allowed.iter().filter(|prefix| !used.contains(*prefix));
    faults.extend(unused.map(|prefix| format!("{prefix}: allowed, but no longer needs it")));
    faults
}

fn shape_faults(files: &[File], lines_max: usize, long_but_whole: &[&str]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files {
        if !file.text.starts_with("//! ") {
            faults.push(format!(
                "{}:1: a file starts by saying what it is for (`//! …`)",
                file.path
            ));
        }
        let lines = file.text.lines().count();
        if lines > lines_max && !long_but_whole.contains(&file.path.as_str()) {
            faults.push(format!(
                "{}: {lines} lines; split it by meaning, or argue for it here",
                file.path
            ));
        }
        if file.path.split(['/', '.']).any(|name| EMPTY_NAMES.contains(&name)) {
            faults.push(format!("{}: the name says nothing", file.path));
        }
    }
    faults
}

/// Home and workspace folders have no place in a project; system paths do.
fn machine_path_faults(path: &str, text: &str) -> Vec<String> {
    let needles = [
        concat!("/ho", "me/"),
        concat!("/ro", "ot/"),
        concat!("/wo", "rk/"),
        concat!("/Us", "ers/"),
    ];
    let mut faults = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for needle in needles {
            let at_start = |start: usize| {
                line.get(..start)
                    .is_none_or(|before| !before.ends_with(|c: char| c.is_ascii_alphanumeric() || "-_.:/".contains(c)))
            };
            if line.match_indices(needle).any(|(start, _)| at_start(start)) {
                faults.push(format!(
                    "{path}:{}: names a folder of one machine ({needle})",
                    number + 1
                ));
            }
        }
    }
    faults
}

/// Command lines of ours in fenced blocks: the line and the words after the program's name, up to
/// the first that can't be a subcommand.
fn commands_shown(text: &str) -> Vec<(usize, Vec<String>)> {
    let mut fenced = false;
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            continue;
        }
        let line = line.trim_start().trim_start_matches("$ ").trim_start_matches("sudo ");
        let words = [
            "portreeve ",
            "target/release/portreeve ",
            "cargo run --release -- ",
            "cargo run -- ",
        ];
        let Some(rest) = words
            .iter()
            .find_map(|start| line.strip_prefix(start))
            .filter(|_| fenced)
        else {
            continue;
        };
        let is_name = |word: &&str| {
            word.starts_with(|c: char| c.is_ascii_lowercase())
                && word.chars().all(|c| c.is_ascii_lowercase() || c == '-')
        };
        found.push((
            number + 1,
            rest.split_whitespace()
                .take_while(is_name)
                .take(2)
                .map(str::to_owned)
                .collect(),
        ));
    }
    found
}

/// Whether the program knows the command: `--help` after it succeeds. The second word may be an
/// argument, so a known first word is enough when it takes no subcommands.
fn command_exists(words: &[String]) -> bool {
    let help = |words: &[String]| {
        let run = Command::new(env!("CARGO_BIN_EXE_portreeve"))
            .args(words)
            .arg("--help")
            .output();
        run.is_ok_and(|output| output.status.success() && !output.stdout.is_empty())
    };
    help(words)
}

fn sources() -> Vec<File> {
    let mut files = rust_files("src");
    let test_only: BTreeSet<String> = files
        .iter()
        .flat_map(|file| {
            let folder = folder_of_children(&file.path);
            test_only_modules(&file.text)
                .into_iter()
                .map(move |name| format!("{folder}/{name}"))
        })
        .collect();
    files.retain(|file| {
        !test_only
            .iter()
            .any(|module| file.path == format!("{module}.rs") || file.path.starts_with(&format!("{module}/")))
    });
    files
}

/// Where a file's child modules live.
fn folder_of_children(path: &str) -> String {
    let stem = path.trim_end_matches(".rs");
    ["/mod", "/lib", "/main"]
        .iter()
        .find_map(|end| stem.strip_suffix(end))
        .unwrap_or(stem)
        .to_owned()
}

fn rust_files(folder: &str) -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = walk(&root.join(folder))
        .into_iter()
        .filter(|path| path.extension().is_some_and(|ending| ending == "rs"));
    files
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("a readable source file");
            File::new(
                &path
                    .strip_prefix(root)
                    .expect("inside the package")
                    .display()
                    .to_string(),
                &text,
            )
        })
        .collect()
}

/// Every file that people read: code, documents, settings, rules, recipes.
fn project_files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let top = std::fs::read_dir(root)
        .expect("the package folder")
        .filter_map(|entry| Some(entry.ok()?.path()));
    let mut files: Vec<PathBuf> = top.filter(|path| path.is_file() && !path.ends_with(".git")).collect();
    for folder in [
        "src",
        "tests",
        "benches",
        "docs",
        "rules",
        "config",
        "deploy",
        ".ci",
        "fuzz/fuzz_targets",
    ] {
        files.extend(walk(&root.join(folder)));
    }
    files
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            if path.is_dir() {
                folders.push(path)
            } else {
                files.push(path)
            }
        }
    }
    files.sort();
    files
}

fn report(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

mod the_checks_can_fail {
    use super::*;

    const TABLE: &[&[&str]] = &[&["high"], &["middle", "beside"], &["low"]];

    fn layers(path: &str, text: &str) -> usize {
        layer_faults(&[File::new(path, text)], TABLE).len()
    }

    #[test]
    fn an_import_of_a_higher_layer_is_seen_however_it_is_written() {
        for text in [
            "use crate::high::Thing;",
            "use crate::{low::A, high::{B, C}};",
            "use crate::{\n    low::{A, B},\n    high,\n};",
            "fn f() { crate::high::call() }",
            "use super::high::Thing;",
            "use crate::beside::Thing;",
            "use crate::unknown::Thing;",
            "let c = '\"'; use crate::high::A; let d = '\"';",
            "#[cfg(test)]\nuse crate::low::A;\nuse crate::high::B;",
        ] {
            assert_eq!(layers("src/middle/mod.rs", text), 1, "{text}");
        }
        assert_eq!(layers("src/middle/deep.rs", "use super::super::high::Thing;"), 1);
    }

    #[test]
    fn what_is_allowed_or_isnt_code_is_left_alone() {
        for text in [
            "use crate::low::Thing;",
            "use crate::middle::other::Thing;",
            "use super::low::Thing;",
            "// use crate::high::Thing;",
            "/* use crate::high::Thing; */",
            "/// See [`crate::high::Thing`].",
            "const A: &str = \"crate::high::Thing\";",
            "const A: &str = r#\"\"crate::high\"\"#;",
            "fn f<'a>(a: &'a str) -> &'a str { a }",
            "#[cfg(test)]\nmod tests {\n    use crate::high::Thing;\n    fn f() { if a { b } }\n}",
            "#[cfg(test)]\n#[allow(x)]\nmod tests { use crate::high::A; }\nuse crate::low::B;",
        ] {
            assert_eq!(layers("src/middle/mod.rs", text), 0, "{text}");
        }
        assert_eq!(
            layers("src/middle/deep.rs", "use super::high::Thing;"),
            0,
            "a sibling inside the module"
        );
    }

    #[test]
    fn io_outside_the_list_and_permission_without_need_are_both_faults() {
        let needles = |text: &str, allowed: &[&str]| needle_faults(&[File::new("src/a/b.rs", text)], IO, allowed).len();
        assert_eq!(needles("use tokio::net::TcpStream;", &[]), 2);
        assert_eq!(needles("use std::net::IpAddr; struct MyTcpStreams;", &[]), 0);
        assert_eq!(needles("use tokio::net::TcpStream;", &["src/a"]), 0);
        assert_eq!(needles("use tokio::net::TcpStream;", &["src/a/b.rs"]), 0);
        assert_eq!(
            needles("use tokio::net::TcpStream;", &["src/a/b"]),
            3,
            "a prefix of the name isn't the file"
        );
        assert_eq!(needles("fn pure() {}", &["src/a"]), 1);
        let time = needle_faults(
            &[File::new("src/a.rs", "let t = std::time::Instant::now();")],
            TIME,
            &[],
        );
        assert_eq!(time, ["src/a.rs:1: Instant::now is not allowed here"]);
    }

    #[test]
    fn shape_is_checked() {
        let faults = |path: &str, text: &str| shape_faults(&[File::new(path, text)], 2, &["src/long.rs"]).len();
        assert_eq!(faults("src/a.rs", "//! For this.\nfn a() {}"), 0);
        assert_eq!(faults("src/a.rs", "fn a() {}"), 1);
        assert_eq!(faults("src/a.rs", "//! For this.\n\n\n"), 1);
        assert_eq!(faults("src/long.rs", "//! For this.\n\n\n"), 0);
        assert_eq!(faults("src/utils.rs", "//! For this.\n"), 1);
        assert_eq!(faults("src/common/a.rs", "//! For this.\n"), 1);
    }

    #[test]
    fn test_files_are_told_from_code() {
        assert_eq!(test_only_modules("mod a;\n#[cfg(test)]\nmod tests;\n"), ["tests"]);
        assert!(test_only_modules("#[cfg(test)]\nmod tests { }\n").is_empty());
        assert_eq!(folder_of_children("src/smtp/session.rs"), "src/smtp/session");
        assert_eq!(folder_of_children("src/smtp/mod.rs"), "src/smtp");
    }

    #[test]
    fn machine_paths_and_commands_are_found() {
        let path = concat!("/ho", "me/anna/mail");
        assert_eq!(machine_path_faults("a.md", &format!("see {path}\n")).len(), 1);
        assert_eq!(
            machine_path_faults("a.md", &format!("https://example.org{path}\n")).len(),
            0
        );
        let shown =
            commands_shown("portreeve not-fenced\n```sh\n$ portreeve rules check rules/\nportreeve --help\n```\n");
        assert_eq!(shown[0], (3, vec!["rules".to_owned(), "check".to_owned()]));
        assert_eq!(shown[1], (4, vec![]));
        assert_eq!(shown.len(), 2);
    }
}
