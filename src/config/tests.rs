//! The layers as a whole: order, merging, origins, and that the shipped file agrees with the code.

use super::*;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("conf.d")).unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn sources(folder: &Path, variables: &[(&str, &str)]) -> Sources {
    Sources {
        file: Some(folder.join("portreeve.toml")),
        variables: variables
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect(),
        flags: Vec::new(),
    }
}

fn loaded(files: &[(&str, &str)], variables: &[(&str, &str)]) -> Loaded {
    let folder = folder(files);
    load(&sources(folder.path(), variables)).unwrap_or_else(|problems| panic!("{problems}"))
}

/// The problems as text, the folder left out.
fn problems(files: &[(&str, &str)], variables: &[(&str, &str)]) -> String {
    let folder = folder(files);
    let problems = load(&sources(folder.path(), variables)).unwrap_err().to_string();
    problems.replace(&format!("{}/", folder.path().display()), "")
}

fn origin(loaded: &Loaded, setting: &str) -> String {
    let row = loaded.rows().into_iter().find(|row| row.setting == setting);
    row.unwrap_or_else(|| panic!("{setting} is not there"))
        .origin
        .to_string()
}

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/portreeve.toml")
}

fn shipped_sources() -> Sources {
    Sources {
        file: Some(shipped()),
        ..Sources::default()
    }
}

#[test]
fn the_shipped_file_says_what_the_code_does() {
    let loaded = load(&shipped_sources()).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(loaded.config, Config::default());
    assert_eq!(loaded.warnings, []);
}

#[test]
fn the_shipped_file_holds_every_setting_and_no_other() {
    let text = std::fs::read_to_string(shipped()).unwrap();
    // A setting that is commented out starts its line with `# ` and stands in the section above.
    let mut found: BTreeSet<(String, String)> = BTreeSet::new();
    let mut section = String::new();
    for line in text.lines() {
        let line = line.strip_prefix("# ").unwrap_or(line);
        let name = |text: &str| {
            text.chars()
                .all(|character| character.is_ascii_lowercase() || matches!(character, '_' | '.'))
        };
        let header = line.split('#').next().unwrap().trim();
        let header = header.trim_start_matches('[').trim_end_matches(']');
        if line.starts_with('[') && name(header) {
            header.clone_into(&mut section);
        } else if let Some((key, _)) = line.split_once(" = ")
            && !key.trim().is_empty()
            && name(key.trim())
        {
            found.insert((section.clone(), key.trim().to_owned()));
        }
    }
    let expected = every_setting();
    let missing: Vec<_> = expected.difference(&found).collect();
    let unknown: Vec<_> = found.difference(&expected).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "missing {missing:?}, unknown {unknown:?}"
    );
}

/// Every setting by section, read off what the structs say when asked for one that they don't have.
fn every_setting() -> BTreeSet<(String, String)> {
    // `hostname` alone stands in no section; `judging` is one name of an open table.
    let mut settings = BTreeSet::from([("", "hostname"), ("policy.unscanned", "judging")].map(owned));
    for (section, path) in [
        ("listener", "[[listener]]\nname = 'x'"),
        ("relay", "[relay]"),
        ("route", "[[route]]\nname = 'x'"),
        ("resolver", "[resolver]"),
        ("authentication", "[authentication]"),
        ("authentication.seal", "[authentication.seal]"),
        ("dns_list", "[[dns_list]]\nname = 'x'"),
        ("http", "[http]"),
        ("control", "[control]"),
        ("store", "[store]"),
        ("store.retention", "[store.retention]"),
        ("store.history", "[store.history]"),
        ("rules", "[rules]"),
        ("policy", "[policy]"),
        ("policy.recipients", "[[policy.recipients]]\nname = 'x'"),
        ("limits", "[limits]"),
        ("deadlines", "[deadlines]"),
        ("disclosure", "[disclosure]"),
        ("log", "[log]"),
    ] {
        let text = problems(
            &[("portreeve.toml", &format!("{path}\nno_such_setting_at_all = 1\n"))],
            &[],
        );
        let list = text
            .lines()
            .find_map(|line| line.split_once("here stand: "))
            .map(|(_, list)| list);
        let names = list.unwrap_or_else(|| panic!("{section}: {text}"));
        settings.extend(names.split(", ").map(|name| (section.to_owned(), name.to_owned())));
    }
    // These are sections, not settings.
    for (section, name) in [
        ("store", "retention"),
        ("store", "history"),
        ("authentication", "seal"),
        ("policy", "recipients"),
        ("policy", "unscanned"),
    ] {
        assert!(
            settings.remove(&(section.to_owned(), name.to_owned())),
            "{section}.{name}"
        );
    }
    settings
}

fn owned((section, name): (&str, &str)) -> (String, String) {
    (section.to_owned(), name.to_owned())
}

#[test]
fn every_section_of_the_structs_is_in_the_list_above() {
    let text = problems(&[("portreeve.toml", "no_such_section_at_all = 1\n")], &[]);
    let names: BTreeSet<&str> = text.split_once("here stand: ").unwrap().1.split(", ").collect();
    let listed: BTreeSet<String> = every_setting().into_iter().map(|(section, _)| section).collect();
    for name in names {
        assert!(
            listed.contains(name) || ["upstream", "hostname"].contains(&name),
            "{name}"
        );
    }
}

#[test]
fn an_empty_file_is_the_default() {
    for text in [
        "",
        "\n",
        "\u{feff}",
        "# nothing\r\n",
        "\u{feff}[log]\r\nlevel = \"info\"\r\n",
    ] {
        assert_eq!(
            loaded(&[("portreeve.toml", text)], &[]).config,
            Config::default(),
            "{text:?}"
        );
    }
}

#[test]
fn later_layers_win_and_origins_are_kept() {
    let files = [
        (
            "portreeve.toml",
            "[limits]\nconnections = 1\nrecipients = 1\nerrors = 1\n[log]\nlevel = \"debug\"\n",
        ),
        ("conf.d/20-b.toml", "[limits]\nrecipients = 3\n"),
        ("conf.d/10-a.toml", "[limits]\nrecipients = 2\nerrors = 2\n"),
        ("conf.d/.hidden.toml", "this is not TOML"),
        ("conf.d/notes.txt", "nor is this"),
    ];
    let folder = folder(&files);
    let mut sources = sources(
        folder.path(),
        &[
            ("PORTREEVE__LIMITS__ERRORS", "4"),
            ("portreeve__log__level", "trace"),
            ("PATH", "x"),
        ],
    );
    sources.flags.push(Flag {
        flag: "--log-level".to_owned(),
        setting: "log.level".to_owned(),
        value: "error".to_owned(),
    });
    let loaded = load(&sources).unwrap();
    let limits = &loaded.config.limits;
    assert_eq!((limits.connections, limits.recipients, limits.errors), (1, 3, 4));
    assert_eq!(loaded.config.log.level, telemetry::Level::Error);
    for (setting, ending) in [
        ("limits.connections", "portreeve.toml:2:15"),
        ("limits.recipients", "conf.d/20-b.toml:2:14"),
        ("limits.errors", "environment PORTREEVE__LIMITS__ERRORS"),
        ("log.level", "flag --log-level"),
        ("limits.memory", "built-in default"),
        ("deadlines.command", "built-in default"),
        ("listener.inbound.address", "built-in default"),
    ] {
        let origin = origin(&loaded, setting);
        assert!(origin.ends_with(ending), "{setting}: {origin}");
    }
}

#[test]
fn words_take_the_type_of_their_setting() {
    let variables = [
        ("PORTREEVE__POLICY__TAG", "4"),
        ("PORTREEVE__LIMITS__MESSAGE_SIZE", "1MiB"),
        ("PORTREEVE__HTTP__ADDRESS", "127.0.0.1:1"),
        ("PORTREEVE__POLICY__MODE", "observe"),
        ("PORTREEVE__UPSTREAM__SOFT_REJECT", "true"),
        ("PORTREEVE__UPSTREAM__TARGET", "smtp://mail.example:25"),
        ("PORTREEVE__DISCLOSURE__HELP", "12"),
        ("PORTREEVE__LISTENER__INBOUND__ADDRESS", "127.0.0.1:2"),
        (
            "PORTREEVE__POLICY__RECIPIENTS__NEVER_REJECTED_ON_CONTENT__MOST",
            "quarantine",
        ),
        ("PORTREEVE__DEADLINES__COMMAND", "1m"),
    ];
    let config = loaded(&[("portreeve.toml", "")], &variables).config;
    assert!((config.policy.tag - 4.0).abs() < f64::EPSILON);
    assert_eq!(config.limits.message_size.0, 1 << 20);
    assert_eq!(config.http.address.port(), 1);
    assert_eq!(config.policy.mode, crate::verdict::Mode::Observe);
    assert_eq!(config.disclosure.help, "12");
    assert_eq!(config.listener[0].address.port(), 2);
    assert_eq!(config.policy.recipients[0].most, Some(crate::rules::Action::Quarantine));
    assert_eq!(config.deadlines.session.command.0.as_secs(), 60);
    assert_eq!((config.route.len(), config.route[0].soft_reject), (1, true));
    assert!(format!("{:?}", config.route[0].target).contains("mail.example"));
}

#[test]
fn named_tables_merge_by_name_and_the_main_file_replaces_the_default() {
    let main = "[relay]\ndomains = ['a.example']\n\
                [[listener]]\nname = 'mx'\naddress = '127.0.0.1:25'\n\
                [[listener]]\nname = 'submission'\naddress = '127.0.0.1:587'\n\
                [[route]]\nname = 'exchange'\ndomains = ['*']\ntarget = 'smtp://a.example:25'\n";
    let more = "[relay]\ndomains = ['b.example']\n\
                [[listener]]\nname = 'submission'\npeer = 'relay'\n\
                [[listener]]\nname = 'third'\naddress = '127.0.0.1:26'\n";
    let loaded = loaded(&[("portreeve.toml", main), ("conf.d/a.toml", more)], &[]);
    let names: Vec<&str> = loaded
        .config
        .listener
        .iter()
        .map(|listener| listener.name.as_str())
        .collect();
    assert_eq!(names, ["mx", "submission", "third"]);
    let submission = &loaded.config.listener[1];
    assert_eq!((submission.address.port(), submission.peer), (587, smtp::Peer::Relay));
    assert_eq!(loaded.config.relay.domains, ["b.example"], "plain arrays replace");
    assert_eq!(loaded.config.route.len(), 1, "no built-in route swallows mail");
    assert!(origin(&loaded, "listener.submission.peer").ends_with("conf.d/a.toml:5:8"));
    assert!(origin(&loaded, "listener.submission.address").ends_with("portreeve.toml:8:11"));
}

#[test]
fn the_shorthand_is_the_default_route_of_any_layer() {
    let target = |files: &[(&str, &str)]| {
        let config = loaded(files, &[]).config;
        assert_eq!((config.route.len(), config.route[0].name.as_str()), (1, "default"));
        format!("{:?}", config.route[0].target)
    };
    assert!(target(&[("portreeve.toml", "[upstream]\ntarget = 'smtp://one:25'\n")]).contains("one"));
    let shipped = std::fs::read_to_string(shipped()).unwrap();
    let files = [
        ("portreeve.toml", shipped.as_str()),
        ("conf.d/a.toml", "[upstream]\ntarget = 'smtp://two:25'\n"),
    ];
    assert!(target(&files).contains("two"));
}

#[test]
fn files_that_are_none_are_refused() {
    let folder = folder(&[]);
    let path = folder.path().join("portreeve.toml");
    let problem = || load(&sources(folder.path(), &[])).unwrap_err().to_string();
    assert!(problem().contains("cannot be read"), "{}", problem());
    std::fs::create_dir(&path).unwrap();
    assert!(problem().contains("not a regular file"), "{}", problem());
    std::fs::remove_dir(&path).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    if made.is_ok_and(|status| status.success()) {
        assert!(problem().contains("not a regular file"), "{}", problem());
        std::fs::remove_file(&path).unwrap();
    }
    // Sparse, so that it costs no disk.
    std::fs::File::create(&path).unwrap().set_len(1 << 30).unwrap();
    assert!(problem().contains("longer than 1048576 bytes"), "{}", problem());
    std::fs::write(&path, b"[log]\nlevel = \"\xff\"").unwrap();
    assert!(problem().contains("portreeve.toml:2:10: not UTF-8"), "{}", problem());
}

#[test]
fn a_file_is_bounded_one_below_at_and_above() {
    let limit = usize::try_from(read::FILE_MAX).unwrap();
    for (length, fine) in [(limit - 1, true), (limit, true), (limit + 1, false)] {
        let text = format!("#{}", "x".repeat(length - 1));
        let folder = folder(&[("portreeve.toml", &text)]);
        assert_eq!(load(&sources(folder.path(), &[])).is_ok(), fine, "{length}");
    }
}

/// `tests/config/*.toml` with the problems that each has beside it. `PORTREEVE_BLESS=1` writes the
/// expected side anew; its diff is the review.
#[test]
fn mistakes_are_reported_as_recorded() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&cases)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
        .collect();
    paths.sort();
    assert!(paths.len() >= 8);
    let mut wrong = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        // Lines such as `#env NAME=value` set variables.
        let variables: Vec<(&str, &str)> = text
            .lines()
            .filter_map(|line| line.strip_prefix("#env ")?.split_once('='))
            .collect();
        let found = problems(&[("portreeve.toml", &text)], &variables) + "\n";
        let expected = path.with_extension("expected");
        if std::env::var_os("PORTREEVE_BLESS").is_some() {
            std::fs::write(&expected, &found).unwrap();
        } else if std::fs::read_to_string(&expected).unwrap_or_default() != found {
            wrong.push(format!("{}:\n{found}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_allowed_but_unwise_is_said() {
    let loaded = loaded(&[("portreeve.toml", "[http]\naddress = \"0.0.0.0:8025\"\n")], &[]);
    let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings.len(), 1);
    assert!(
        warnings[0].contains("portreeve.toml:2:11: [http] can be reached by others"),
        "{warnings:?}"
    );
}

#[test]
fn nonsense_never_panics() {
    use proptest::prelude::*;
    let piece = prop_oneof![
        Just("["),
        Just("]"),
        Just("[["),
        Just("]]"),
        Just("="),
        Just("\n"),
        Just("listener"),
        Just("name"),
        Just("\"x\""),
        Just("upstream"),
        Just("route"),
        Just("deadlines"),
        Just("policy.recipients"),
        Just("."),
        Just("1"),
        Just("{"),
        Just("}"),
        Just("'"),
        Just(","),
        Just("\r"),
        Just("é"),
        Just("limits"),
        Just("command"),
        Just("#"),
    ];
    proptest!(ProptestConfig::with_cases(300), |(pieces in prop::collection::vec(piece, 0..30))| {
        let mut problems = Vec::new();
        if let Some(tree) = read::parse(&pieces.concat(), &"x.toml".into(), &mut problems) {
            let mut below = layers::defaults();
            below.merge(tree, tree::Arrays::ByName, &mut problems);
        }
    });
}
