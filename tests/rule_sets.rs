//! Rule files on disk become a set, whole or not at all, and the set says what it should: overrides,
//! exceptions, shadows, expiry, lists, limits, snapshots and the shrink guard.

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
use portreeve::rules::diagnostic::Diagnostic;
use portreeve::rules::source::{FOLDER_DEPTH_MAX, RULE_FILE_BYTES_MAX};
use portreeve::rules::{Action, Findings, Loaded, RuleSet, Score, Status, guard, testing};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    time("2026-01-05T09:00:00Z")
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn load(folder: &Path) -> Result<Loaded, Vec<Diagnostic>> {
    RuleSet::load(&[folder.to_owned()], now())
}

fn set(files: &[(&str, &str)]) -> RuleSet {
    let folder = folder(files);
    load(folder.path())
        .unwrap_or_else(|problems| panic!("{problems:#?}"))
        .set
}

fn set_of(text: &str) -> RuleSet {
    set(&[("a.toml", text)])
}

fn codes(files: &[(&str, &str)]) -> Vec<&'static str> {
    let folder = folder(files);
    let problems = load(folder.path()).expect_err("it loads");
    problems.iter().map(|problem| problem.code).collect()
}

fn rule(id: &str, more: &str, when: &str) -> String {
    format!(
        "[[rule]]\nid = '{id}'\nsummary = 'x'\ncategory = 'spam'\nseverity = 'low'\nscore = 1.0\n{more}\nwhen = '''{when}'''\n"
    )
}

fn judge_at(set: &RuleSet, subject: &str, now: Timestamp, outside: Outside) -> Findings {
    let bytes = format!("From: a@sender.example\r\nSubject: {subject}\r\n\r\nx\r\n").into_bytes();
    let message = Message::parse(&bytes, &Limits::default());
    let mail = Mail {
        id: uuid::Uuid::nil(),
        received: now,
        listener: "test".into(),
        direction: Direction::Inbound,
        client: Client::default(),
        envelope: Envelope::default(),
        bytes: bytes.clone().into(),
    };
    set.evaluate(&Evidence {
        now,
        mail: &mail,
        message: &message,
        outside,
        kept: Kept::ALL,
        identity: Identity::against(set.protected()),
    })
}

/// What of a message was found out that only rules ask for: whom it poses as, and what its text tells.
fn found_out(condition: &str) -> usize {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.toml"), rule("ASKS", "", condition)).unwrap();
    let set = RuleSet::load(&[folder.path().to_owned()], now()).unwrap().set;
    let bytes = b"From: a@sender.example\r\nSubject: x\r\n\r\nRing 020 7946 0123\r\n".to_vec();
    let mail = Mail {
        id: uuid::Uuid::nil(),
        received: now(),
        listener: "test".into(),
        direction: Direction::Inbound,
        client: Client::default(),
        envelope: Envelope::default(),
        bytes: bytes.clone().into(),
    };
    let message = Message::parse(&bytes, &Limits::default());
    let evidence = Evidence {
        now: now(),
        mail: &mail,
        message: &message,
        outside: Outside::stranger(),
        kept: Kept::ALL,
        identity: Identity::against(set.protected()),
    };
    let open = || {
        let told = format!("{message:?}");
        let told = told
            .split_once("told: ")
            .unwrap()
            .1
            .split_once('}')
            .unwrap()
            .0
            .to_owned();
        format!("{told} {:?}", evidence.identity).matches("<uninit>").count()
    };
    let before = open();
    assert_eq!(before, 9, "four facts of the text, five of identity");
    set.evaluate(&evidence);
    before - open()
}

#[test]
fn facts_that_no_rule_asks_for_are_not_found_out() {
    for (condition, found) in [
        ("subject == 'x' and links.length == 0", 0),
        (
            "subject == 'y' and identity.claims_person != '' and body.phones.length > 0",
            0,
        ),
        ("identity.claims_person != '' and identity.claims_role != ''", 1),
        ("present(identity.lookalike_of) and identity.lookalike_by == 'typo'", 1),
        (
            "body.phones.length > 0 and body.bank_details.length > 0 and body.languages.length > 0",
            2,
        ),
    ] {
        assert_eq!(found_out(condition), found, "{condition}");
    }
}

fn judge(set: &RuleSet, subject: &str) -> Findings {
    judge_at(set, subject, now(), Outside::stranger())
}

/// Ids of what matched, a shadow's in brackets.
fn matched(findings: &Findings) -> Vec<String> {
    let shown = |rule: &portreeve::rules::RuleInfo| match rule.status {
        Status::Active => rule.id.clone(),
        Status::Shadow => format!("({})", rule.id),
    };
    findings.matched.iter().map(|finding| shown(&finding.rule)).collect()
}

const PACK: (&str, &str) = ("shipped/pack.toml", "name = 'shipped'\nversion = '1'\n");

#[test]
fn packs_come_first_and_the_house_last() {
    let set = set(&[
        ("a-house.toml", &rule("HOUSE_RULE", "", "subject == 'a'")),
        PACK,
        ("shipped/z.toml", &rule("PACK_RULE", "", "subject == 'a'")),
        ("notes.txt", "not a rule"),
        (".hidden.toml", "not TOML"),
    ]);
    let rules: Vec<(&str, &str, usize)> = set
        .rules()
        .iter()
        .map(|rule| (rule.id.as_str(), rule.pack.as_str(), rule.line))
        .collect();
    assert_eq!(rules, [("PACK_RULE", "shipped", 1), ("HOUSE_RULE", "house", 1)]);
    assert!(
        set.rules()[0].file.ends_with("shipped/z.toml"),
        "{}",
        set.rules()[0].file
    );
    assert_eq!((set.counts().active, set.counts().shadow), (2, 0));
    assert_eq!(set.needs().iter().map(|need| need.0).collect::<Vec<_>>(), ["subject"]);
}

#[test]
fn a_packs_manifest_is_read_strictly() {
    let told = |manifest: &str| codes(&[("p/pack.toml", manifest), ("p/a.toml", "# none")]);
    assert_eq!(told("name = 'Upper Case'\nversion = '1'\n"), ["bad-name"]);
    assert_eq!(told("version = '1'\ncolour = 1\n"), ["missing-key", "unknown-key"]);
    assert_eq!(
        told("name = 'a'\nversion = '1'\nengine = '99.0.0'\n"),
        ["engine-too-old"]
    );
    assert_eq!(told("name = 'a'\nversion = '1'\nengine = 'new'\n"), ["bad-version"]);
    assert_eq!(told("name = 'house'\nversion = '1'\n"), ["duplicate-pack"]);
    let pack = "name = 'a'\nversion = '1'\n";
    assert_eq!(
        codes(&[("p/pack.toml", pack), ("q/pack.toml", pack)]),
        ["duplicate-pack"]
    );
    assert_eq!(
        codes(&[("p/pack.toml", pack), ("p/q/pack.toml", pack)]),
        ["nested-pack"]
    );
    let loaded = set(&[("p/pack.toml", pack), ("a.toml", "# none")]);
    let packs: Vec<&str> = loaded.packs().iter().map(|pack| pack.name.as_str()).collect();
    assert_eq!(packs, ["a", "house"]);
}

#[test]
fn a_warning_is_silenced_on_its_line_with_a_reason() {
    let warnings = |comment: &str| {
        let text = rule("ONE", "", &format!("\nsubject.matches(/[0-9]+/) {comment}\n"));
        let folder = folder(&[("a.toml", &text)]);
        load(folder.path()).unwrap().warnings.len()
    };
    assert_eq!(warnings(""), 1);
    assert_eq!(warnings("# allow: slow-pattern, a subject is short"), 0);
    assert_eq!(warnings("# allow: slow-pattern,"), 1);
    assert_eq!(warnings("# allow: other, a subject is short"), 1);
}

#[test]
fn one_bad_file_of_two_keeps_all_out_and_all_mistakes_are_told() {
    let good = rule("GOOD_ONE", "", "subject == 'a'");
    let bad = rule("BAD_ONE", "colour = 'red'", "subjekt == 'a'");
    assert_eq!(
        codes(&[("a.toml", &good), ("b.toml", &bad)]),
        ["unknown-key", "unknown-field"]
    );
}

#[test]
fn overrides_change_what_they_name_the_narrower_last() {
    let set = set(&[
        PACK,
        (
            "shipped/a.toml",
            &(rule("ONE", "tags = ['uk']", "subject == 'a'") + &rule("TWO", "", "subject == 'a'")),
        ),
        (
            "house.toml",
            "[[override]]\nrule = 'ONE'\nscore = 4.5\ncap = 'tag'\n\
             [[override]]\ntag = 'uk'\nscore = 2\nseverity = 'high'\n\
             [[override]]\npack = 'shipped'\nstatus = 'shadow'\n\
             [[override]]\ncategory = 'spam'\ngroup = 'bulk'\naction = 'tag'\n",
        ),
    ]);
    let (one, two) = (set.rule("ONE").unwrap(), set.rule("TWO").unwrap());
    assert_eq!(
        (one.score, one.cap, one.severity.as_str()),
        (Score(450), Some(Action::Tag), "high")
    );
    assert_eq!((two.score, two.severity.as_str()), (Score(100), "low"));
    assert_eq!((one.status, two.status), (Status::Shadow, Status::Shadow));
    assert_eq!((two.group.as_deref(), two.floor), (Some("bulk"), Some(Action::Tag)));
}

/// What the house wrote about a rule holds on when its pack gives it another id.
#[test]
fn a_renamed_rule_is_found_by_its_older_ids() {
    let pack = rule("WEAK", "renamed_from = 'FAINT'", "subject == 'a'")
        + &rule(
            "STRONG",
            "replaces = ['FAINT']\nrenamed_from = ['SOUND', 'SOUNDER']",
            "subject == 'a'",
        );
    let exception = "[[exception]]\nrule = 'SOUNDER'\nname = 'n'\nwhen = 'subject == \"never\"'\nreason = 'r'\nowner = 'o'\nexpires = 2026-12-31\n";
    let house =
        "[[override]]\nrule = 'FAINT'\nscore = 2\n".to_owned() + exception + &rule("SEES", "", "@FAINT and @SOUND");
    let set = set(&[PACK, ("shipped/a.toml", &pack), ("house.toml", &house)]);
    assert_eq!(set.rule("WEAK").unwrap().score, Score(200));
    assert_eq!(set.rule("STRONG").unwrap().replaces, ["WEAK"]);
    assert_eq!(matched(&judge(&set, "a")), ["WEAK", "STRONG", "SEES"]);
    let taken = rule("ONE", "", "true") + &rule("TWO", "renamed_from = 'ONE'", "true");
    assert_eq!(codes(&[("a.toml", &taken)]), ["duplicate-rule"]);
}

#[test]
fn an_exception_suppresses_only_when_it_is_true() {
    let exception = |when: &str, expires: &str| {
        format!(
            "[[exception]]\nrule = 'ONE'\nname = 'newsletter'\nwhen = '{when}'\nreason = 'r'\nowner = 'o'\nexpires = {expires}\n"
        )
    };
    let seen = rule("SEES_ONE", "", "@ONE");
    let make = |when: &str, expires: &str| {
        let one = rule("ONE", "", "subject == 'a'");
        set(&[("a.toml", &(one + &seen + &exception(when, expires)))])
    };
    let findings = judge(&make("from.domain == \"sender.example\"", "2026-01-05"), "a");
    assert_eq!(matched(&findings), Vec::<String>::new());
    assert_eq!(findings.excepted, [("ONE".to_owned(), "newsletter".to_owned())]);

    let unknown = make("auth.dmarc == \"none\"", "2026-01-05");
    assert_eq!(matched(&judge(&unknown, "a")), Vec::<String>::new());
    let timed_out = judge_at(&unknown, "a", now(), Outside::not_gathered());
    assert_eq!(matched(&timed_out), ["ONE", "SEES_ONE"]);

    let ended = make("from.domain == \"sender.example\"", "2026-01-04");
    assert_eq!(matched(&judge(&ended, "a")), ["ONE", "SEES_ONE"]);
}

#[test]
fn what_does_not_act_does_not_act_through_another() {
    let text = rule("SHADOWED", "status = 'shadow'", "subject == 'a'")
        + "[[define]]\nname = 'through'\nwhen = '@SHADOWED'\n"
        + &rule("ACTIVE_SEES", "", "@SHADOWED or @through")
        + &rule("SHADOW_SEES", "status = 'shadow'", "@SHADOWED and @through")
        + &rule("ACTIVE_DENIES", "", "not @SHADOWED");
    let set = set(&[("a.toml", &text)]);
    let findings = judge(&set, "a");
    assert_eq!(matched(&findings), ["(SHADOWED)", "(SHADOW_SEES)"]);
    assert_eq!(findings.undecided, []);
    assert_eq!(matched(&judge(&set, "b")), Vec::<String>::new());
}

#[test]
fn a_rule_stops_acting_when_its_last_day_is_over() {
    let text = rule("ENDS", "expires = 2026-01-05", "subject == 'a'");
    let set = set(&[("a.toml", &text)]);
    let at = |moment: &str| matched(&judge_at(&set, "a", time(moment), Outside::stranger()));
    assert_eq!(at("2026-01-05T23:59:59Z"), ["ENDS"]);
    assert_eq!(at("2026-01-06T00:00:00Z"), ["(ENDS)"]);
    let seen = set_of(&(text.clone() + &rule("SEES", "", "@ENDS") + &rule("DENIES", "", "not @ENDS")));
    let at = |moment: &str| matched(&judge_at(&seen, "a", time(moment), Outside::stranger()));
    assert_eq!(at("2026-01-05T23:59:59Z"), ["ENDS", "SEES"]);
    assert_eq!(at("2026-01-06T00:00:00Z"), ["(ENDS)"]);
    let folder = folder(&[("a.toml", &text)]);
    let later = RuleSet::load(&[folder.path().to_owned()], time("2026-01-06T00:00:00Z")).unwrap();
    assert_eq!(
        later.warnings.iter().map(|warning| warning.code).collect::<Vec<_>>(),
        ["expired"]
    );
    assert_eq!(later.set.counts().shadow, 1);
}

#[test]
fn an_unknown_fact_leaves_a_rule_undecided_and_says_which() {
    let set = set(&[("a.toml", &rule("ONE", "", "auth.dmarc == 'fail'"))]);
    let findings = judge_at(&set, "a", now(), Outside::not_gathered());
    let undecided: Vec<_> = findings
        .undecided
        .iter()
        .map(|u| (u.rule.as_str(), u.check, u.cause))
        .collect();
    assert_eq!(undecided, [("ONE", "auth.dmarc", "not-gathered")]);
}

#[test]
fn lists_come_from_files_and_the_house_changes_them() {
    let text =
        "[lists.own]\nkind = 'domain'\nfile = 'lists/own.txt'\n".to_owned() + &rule("ONE", "", "from.domain in $own");
    let list = "# ours\r\nkept.example\r\ngone.example ; expires=2026-01-04\r\n";
    let files = [PACK, ("shipped/a.toml", &text), ("shipped/lists/own.txt", list)];
    let hits = |house: &str| {
        let files: Vec<_> = files.into_iter().chain([("house.toml", house)]).collect();
        let set = set(&files);
        (matched(&judge(&set, "a")).len(), set.lists()[0].entries)
    };
    assert_eq!(hits("# none"), (0, 2));
    assert_eq!(
        hits("[[list_override]]\nlist = 'own'\nadd = ['sender.example']\n"),
        (1, 3)
    );
    assert_eq!(
        hits("[[list_override]]\nlist = 'own'\nremove = ['Kept.example']\n"),
        (0, 1)
    );
    assert_eq!(
        hits("[[list_override]]\nlist = 'own'\nreplace = ['sender.example']\n"),
        (1, 1)
    );
    let until = |day: &str| {
        hits(&format!(
            "[[list_override]]\nlist = 'own'\nadd = ['sender.example; expires={day}']\n"
        ))
    };
    assert_eq!((until("2026-01-05"), until("2026-01-04")), ((1, 3), (0, 3)));
}

#[test]
fn the_house_changes_the_rows_of_a_table() {
    let pack = "[lists.vips]\nkind = 'table'\ncolumns = { name = 'name', address = 'address' }\n\
                rows = [{ name = 'Jane Doe', address = 'jane@own.example' }, { name = 'Old Hand' }]\n"
        .to_owned()
        + &rule("ONE", "", "$vips.any(v, subject == v.name)");
    let names = |change: &str| {
        let house = format!("[[list_override]]\nlist = 'vips'\n{change}\n");
        let set = set(&[PACK, ("shipped/a.toml", &pack), ("house.toml", &house)]);
        let hit = |name: &&str| !judge(&set, name).matched.is_empty();
        ["Jane Doe", "Old Hand", "New Hand"]
            .into_iter()
            .filter(|name| hit(name))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names("add = [{ name = 'New Hand', address = 'n@own.example' }]"),
        ["Jane Doe", "Old Hand", "New Hand"]
    );
    assert_eq!(
        names("remove = ['old hand']\nadd = [{ name = 'New Hand' }]"),
        ["Jane Doe", "New Hand"]
    );
    assert_eq!(names("remove = ['jane@own.example']"), ["Old Hand"]);
    assert_eq!(names("replace = [{ name = 'New Hand' }]"), ["New Hand"]);
}

#[test]
fn an_odd_thing_in_the_folder_is_told_and_never_waited_for() {
    let put = |name: &str, make: &dyn Fn(&Path)| {
        let folder = folder(&[("a.toml", &rule("ONE", "", "subject == 'a'"))]);
        make(&folder.path().join(name));
        let problems = load(folder.path()).expect_err(name);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].source.name.ends_with(name), "{problems:?}");
        problems[0].message.clone()
    };
    let write = |bytes: Vec<u8>| move |path: &Path| fs::write(path, &bytes).unwrap();
    let fifo = put("b.toml", &|path| {
        assert!(
            std::process::Command::new("mkfifo")
                .arg(path)
                .status()
                .unwrap()
                .success()
        );
    });
    assert_eq!(fifo, "not a regular file");
    assert!(put("b.toml", &|path| fs::create_dir(path).unwrap()).contains("folder"));
    assert!(put("b.toml", &write(b"\xff\xfei\0d\0".to_vec())).contains("UTF-16"));
    assert!(put("b.toml", &write(b"# ok\n# \xe9\n".to_vec())).contains("not UTF-8 at line 2"));
    assert!(put("b.toml", &|path| std::os::unix::fs::symlink("nowhere", path).unwrap()).contains("No such file"));
    let large = vec![b'#'; usize::try_from(RULE_FILE_BYTES_MAX).unwrap() + 1];
    assert!(put("b.toml", &write(large)).contains("larger than 4MiB"));
}

#[test]
fn byte_order_marks_crlf_and_the_largest_file_are_fine() {
    let text = format!("\u{feff}{}", rule("ONE", "", "\nsubject == 'a'\n")).replace('\n', "\r\n");
    assert_eq!(matched(&judge(&set(&[("a.toml", &text)]), "a")), ["ONE"]);
    let text = text.replace("subject ==", "subjekt ==");
    let folder_of_bad = folder(&[("a.toml", &text)]);
    let problems = load(folder_of_bad.path()).unwrap_err();
    assert_eq!((problems[0].start().line, problems[0].start().column), (9, 1));

    for below in [0, 1] {
        let mut largest = rule("ONE", "", "subject == 'a'");
        let bytes = usize::try_from(RULE_FILE_BYTES_MAX).unwrap() - below;
        largest.push_str(&"#".repeat(bytes - largest.len()));
        assert_eq!(set(&[("a.toml", &largest)]).rules().len(), 1);
    }
}

#[test]
fn folders_nest_so_deep_and_no_deeper() {
    for (depth, fine) in [
        (FOLDER_DEPTH_MAX - 1, true),
        (FOLDER_DEPTH_MAX, true),
        (FOLDER_DEPTH_MAX + 1, false),
    ] {
        let path = format!("{}a.toml", "d/".repeat(depth));
        let folder = folder(&[(path.as_str(), &rule("ONE", "", "subject == 'a'"))]);
        assert_eq!(load(folder.path()).is_ok(), fine, "{depth}");
    }
}

#[test]
fn a_list_file_stays_inside_its_pack() {
    let text = "[lists.own]\nkind = 'domain'\nfile = 'lists/own.txt'\n";
    let outside = folder(&[("own.txt", "a.example\n")]);
    let folder = folder(&[PACK, ("shipped/a.toml", text), ("shipped/lists/x", "")]);
    std::os::unix::fs::symlink(
        outside.path().join("own.txt"),
        folder.path().join("shipped/lists/own.txt"),
    )
    .unwrap();
    let problems = load(folder.path()).unwrap_err();
    assert!(problems[0].message.contains("inside its pack"), "{problems:?}");
}

#[test]
fn a_list_holds_a_million_entries_and_no_more() {
    let text = "[lists.own]\nkind = 'text'\nfile = 'own.txt'\n";
    for (entries, fine) in [(1_000_000, true), (1_000_001, false)] {
        let list: String = (0..entries).map(|number| format!("{number}\n")).collect();
        let folder = folder(&[("a.toml", text), ("own.txt", &list)]);
        match load(folder.path()) {
            Ok(loaded) => assert_eq!((loaded.set.lists()[0].entries, fine), (entries, true)),
            Err(problems) => assert_eq!((problems[0].code, fine), ("too-large", false)),
        }
    }
}

#[test]
fn the_same_texts_have_the_same_digest() {
    let one = rule("ONE", "", "subject == 'a'");
    let digest = |text: &str| set(&[("a.toml", text)]).sha256().to_owned();
    assert_eq!(digest(&one), digest(&one));
    assert_ne!(digest(&one), digest(&format!("{one} ")));
    assert_eq!(digest(&one).len(), 64);
}

#[test]
fn the_last_good_set_comes_back_without_its_files() {
    let text =
        "[lists.own]\nkind = 'domain'\nfile = 'lists/own.txt'\n".to_owned() + &rule("ONE", "", "from.domain in $own");
    let kept = tempfile::tempdir().unwrap();
    let written = {
        let set = set(&[
            PACK,
            ("shipped/a.toml", &text),
            ("shipped/lists/own.txt", "sender.example\n"),
        ]);
        set.snapshot(kept.path()).unwrap();
        set.snapshot(kept.path()).unwrap();
        set.sha256().to_owned()
    };
    let back = RuleSet::load_snapshot(kept.path(), now()).unwrap().set;
    assert_eq!(back.sha256(), written);
    assert_eq!(matched(&judge(&back, "a")), ["ONE"]);

    let file = fs::read_dir(kept.path()).unwrap().next().unwrap().unwrap().path();
    let bytes = fs::read(&file).unwrap();
    for damaged in [&bytes[..bytes.len() - 1], &bytes[..10], b"", b"\n{}"] {
        fs::write(&file, damaged).unwrap();
        let problems = RuleSet::load_snapshot(kept.path(), now()).unwrap_err();
        assert_eq!(problems[0].code, "snapshot");
    }
    assert!(RuleSet::load_snapshot(&PathBuf::from("/nonexistent"), now()).is_err());
}

#[test]
fn a_shrunken_list_is_refused() {
    let with = |values: &str| set(&[("a.toml", &format!("[lists.own]\nkind = 'text'\nvalues = [{values}]\n"))]);
    let old = with("'a', 'b', 'c', 'd'");
    assert!(guard::guard(&old, &with("'a', 'b'")).is_ok());
    assert_eq!(guard::guard(&old, &with("'a'")).unwrap_err()[0].code, "list-shrank");
    assert_eq!(guard::guard(&old, &with("")).unwrap_err()[0].code, "list-emptied");
    assert_eq!(
        guard::guard(&old, &set(&[("a.toml", "# none")])).unwrap_err()[0].code,
        "list-vanished"
    );
}

#[test]
fn a_packs_tests_see_nothing_of_the_house() {
    let test = "[[rule.test]]\nname = 'own'\nmail = { from = 'x@own.example' }\nexpect = 'match'\n\
                [[rule.test]]\nname = 'stated'\nmail = { from = 'x@other.example' }\nlists = { own = ['other.example'] }\nexpect = 'match'\n\
                [[rule.test]]\nname = 'unknown'\nmail = { from = 'x@other.example' }\nunknown = ['auth.dmarc']\nexpect = 'unknown'\n\
                [[rule.test]]\nname = 'wrong'\nmail = { from = 'x@own.example' }\nexpect = 'no-match'\n\
                [[rule.test]]\nname = 'evidence'\nmail = { from = 'x@own.example' }\nexpect = 'match'\nevidence = 'nowhere'\n";
    let pack = "[lists.own]\nkind = 'domain'\nvalues = ['own.example']\n".to_owned()
        + &rule("ONE", "", "from.domain in $own or auth.dmarc == 'pass'")
        + test
        + &rule("TWO", "", "from.domain == 'other.example'")
        + "[[verdict_test]]\nname = 'whole'\nmail = { from = 'x@own.example' }\naction = 'tag'\nmust = 'ONE'\nmust_not = 'TWO'\n"
        + "[[verdict_test]]\nname = 'unknown'\nmail = { from = 'x@own.example' }\nunknown = 'from'\naction = 'deliver'\nmust_not = 'ONE'\n"
        + "[[verdict_test]]\nname = 'no such rule'\nmail = { from = 'x@own.example' }\nmust_not = 'TOW'\n";
    let house = "[[list_override]]\nlist = 'own'\nreplace = ['elsewhere.example']\n[[override]]\nrule = 'ONE'\nstatus = 'shadow'\n";
    let set = set(&[PACK, ("shipped/a.toml", &pack), ("house.toml", house)]);
    let reports = testing::run(&set, &|findings, _| {
        if findings.matched.iter().any(|f| f.rule.status == Status::Active) {
            Action::Tag
        } else {
            Action::Deliver
        }
    })
    .unwrap();
    let outcome: Vec<(&str, bool)> = reports
        .iter()
        .map(|report| (report.name.as_str(), report.passed()))
        .collect();
    let expected = [
        ("own", true),
        ("stated", true),
        ("unknown", true),
        ("wrong", false),
        ("evidence", false),
        ("whole", true),
        ("unknown", true),
        ("no such rule", false),
    ];
    assert_eq!(outcome, expected, "{reports:#?}");
    assert!(reports[3].place.contains("a.toml:"), "{}", reports[3].place);
    assert_eq!(reports[3].failures[0], "expected no-match, got match");
}

/// Two sets take turns behind a link while they are read: what loads is one or the other.
#[test]
fn a_set_read_while_it_is_swapped_is_never_of_two() {
    let parent = tempfile::tempdir().unwrap();
    let at = |name: &str| parent.path().join(name);
    for side in ["RED", "BLUE"] {
        fs::create_dir(at(side)).unwrap();
        for number in 0..20 {
            let list = format!("[lists.list_{number}]\nkind = 'text'\nfile = 'list.txt'\n");
            let when = format!("subject in $list_{number}");
            let text = rule(&format!("{side}_{number}"), "", &when) + &list;
            fs::write(at(side).join(format!("{number}.toml")), text).unwrap();
        }
        fs::write(at(side).join("list.txt"), "x\n".repeat(side.len())).unwrap();
    }
    std::os::unix::fs::symlink(at("RED"), at("rules")).unwrap();
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for side in ["BLUE", "RED"].iter().cycle() {
                if over.load(std::sync::atomic::Ordering::Relaxed) {
                    break;
                }
                std::os::unix::fs::symlink(at(side), at("next")).unwrap();
                fs::rename(at("next"), at("rules")).unwrap();
            }
        });
        let mut mixed = Vec::new();
        for _ in 0..60 {
            // What was in the middle of a change may be refused; it is read again when that is over.
            let Ok(loaded) = load(&at("rules")) else { continue };
            let rules: Vec<&str> = loaded.set.rules().iter().map(|rule| rule.id.as_str()).collect();
            let reds = rules.iter().filter(|id| id.starts_with("RED")).count();
            let entries = if reds == 0 { "BLUE".len() } else { "RED".len() };
            let mut lists = loaded.set.lists().iter();
            if !matches!(reds, 0 | 20) || lists.any(|list| list.entries != entries) {
                mixed.push(format!("{rules:?} {:?}", loaded.set.lists()));
            }
        }
        over.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(mixed.is_empty(), "{} sets, the first {}", mixed.len(), mixed[0]);
    });
    assert!(load(&at("rules")).is_ok());
}
