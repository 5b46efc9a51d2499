//! Reloads by the hundred while mail comes in, most of the edits broken in some way: no message is judged by
//! a mixed set, what is broken never serves, the metric is true, and nothing leaks.
//!
//! `PORTREEVE_RELOADS=10000 cargo test --release --test end_to_end reload_storm -- --nocapture` is the long
//! run; `PORTREEVE_SEED` picks other edits. Each good edit is a generation with a number, which its list
//! holds and the names of its rules carry, so that the findings of any message tell of a mixture.

use crate::support::sink::Behaviour;
use crate::support::{Client, Gate, eventually, mail};
use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

const FROM: &str = "allotments@parish.example";
const TO: &str = "clerk@council.example";
/// Reloads of an ordinary run.
const RELOADS: usize = 120;
/// Swaps of the link in a row.
const SWAPS: usize = 6;
/// Files between the first and the last, so that reading a set takes a while.
const FILLERS: usize = 24;
/// What a run may add to the gate's resident memory once it has warmed up, in KiB.
const GROWTH_KIB_MAX: u64 = 48 << 10;

#[test]
fn reload_storm() {
    let (reloads, seed) = (setting("PORTREEVE_RELOADS", RELOADS), setting("PORTREEVE_SEED", 1));
    let faults: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::new(AtomicUsize::new(0));
    let (noted, counted) = (Arc::clone(&faults), Arc::clone(&seen));
    let sink = Behaviour::default()
        .taker(move |message| {
            let verdict = mail::field(&message.bytes, "X-Portreeve-Verdict").unwrap_or_default();
            counted.fetch_add(1, Ordering::Relaxed);
            if generation_of(&verdict).is_none() {
                noted.lock().unwrap().push(verdict);
            }
        })
        .start();
    let gate = Gate::before(&sink, "");
    let mut storm = Storm::begin(&gate, seed as u64);
    let over = AtomicBool::new(false);
    let mut heights = Vec::new();
    let failed = std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| send_until(&over, &gate));
        }
        let mut failed = None;
        for round in 0..reloads {
            failed = storm.round(&gate).err().map(|why| format!("round {round}: {why}"));
            if failed.is_some() {
                break;
            }
            if round % (reloads / 24).max(1) == 0 {
                heights.push(height(&gate));
            }
        }
        // Before anything is judged, so that a failure doesn't leave the senders running.
        over.store(true, Ordering::SeqCst);
        failed
    });
    println!(
        "{reloads} reloads, seed {seed}, {} messages, {:?}",
        seen.load(Ordering::Relaxed),
        storm.edits
    );
    println!("resident KiB and open files over the run: {heights:?}");
    assert_eq!(failed, None);
    assert!(
        faults.lock().unwrap().is_empty(),
        "mixed sets: {:?}",
        faults.lock().unwrap()
    );
    assert!(seen.load(Ordering::Relaxed) >= reloads, "mail went on coming");
    stays_flat(&heights);
    each_generation_has_one_number(&gate);
}

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

/// The number that all three findings of a message agree on.
fn generation_of(verdict: &str) -> Option<u64> {
    let rules = verdict.split("rules=").nth(1)?.split(';').next()?;
    let names: Vec<&str> = rules.split(',').map(str::trim).collect();
    let number = names.first()?.rsplit_once("_G")?.1.parse().ok()?;
    let wanted = ["LEFT", "LIST", "RIGHT"].map(|part| format!("STORM_{part}_G{number}"));
    let is_whole = names.len() == wanted.len() && wanted.iter().all(|name| names.contains(&name.as_str()));
    is_whole.then_some(number)
}

fn send_until(over: &AtomicBool, gate: &Gate) {
    let mut client = Client::greeted(gate.smtp);
    while !over.load(Ordering::SeqCst) {
        let reply = client.deliver(FROM, &[TO], &mail::plain("Storm"));
        assert_eq!(reply.code, 250, "{reply:?}");
    }
}

/// Resident memory in KiB and open files.
fn height(gate: &Gate) -> (u64, usize) {
    let process = PathBuf::from(format!("/proc/{}", gate.process()));
    let status = fs::read_to_string(process.join("status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let resident = line.trim().trim_end_matches(" kB").trim().parse().unwrap();
    (resident, fs::read_dir(process.join("fd")).unwrap().count())
}

/// The last quarter against the second: by then everything has been used once.
fn stays_flat(heights: &[(u64, usize)]) {
    let quarter = heights.len() / 4;
    let most = |range: std::ops::Range<usize>| {
        let part = &heights[range];
        (
            part.iter().map(|(resident, _)| *resident).max().unwrap(),
            part.iter().map(|(_, files)| *files).max().unwrap(),
        )
    };
    let (early, late) = (most(quarter..2 * quarter), most(heights.len() - quarter..heights.len()));
    assert!(late.0 <= early.0 + GROWTH_KIB_MAX, "memory grows: {heights:?}");
    assert!(late.1 <= early.1 + 16, "open files grow: {heights:?}");
}

/// As the log has it: the digest of a generation stands for one number.
fn each_generation_has_one_number(gate: &Gate) {
    let mut numbers: BTreeMap<String, u64> = BTreeMap::new();
    let (mut lines, folder) = (0, gate.folder().join("log"));
    for line in fs::read_to_string(folder)
        .unwrap()
        .lines()
        .filter(|line| line.contains("STORM_LEFT_G"))
    {
        let Ok(value) = serde_json::from_str::<serde_json::Value>(line) else {
            continue;
        };
        if value.get("verdict").is_none() {
            continue;
        }
        let rest = line.split("STORM_LEFT_G").nth(1).unwrap();
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        let (number, generation) = (digits.parse().unwrap(), value["generation"].as_str().unwrap());
        assert_eq!(
            *numbers.entry(generation.to_owned()).or_insert(number),
            number,
            "{line}"
        );
        lines += 1;
    }
    assert!(lines > 0 && numbers.len() > 1, "{lines} lines, {numbers:?}");
}

/// What is done to the rules, one edit a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Edit {
    // Good ones.
    SwapLink,
    RenameFiles,
    WriteInPlace,
    FolderAnew,
    CrLf,
    ByteOrderMark,
    RenamedToAndFro,
    // Broken ones.
    HalfWritten,
    Fifo,
    Deleted,
    Empty,
    Sparse,
    SparseList,
    ListShrinks,
    NoFolder,
    FolderForFile,
    LinkToNowhere,
    LinkToItself,
    NotUtf8,
    Forbidden,
}

const EDITS: [Edit; 20] = [
    Edit::SwapLink,
    Edit::RenameFiles,
    Edit::WriteInPlace,
    Edit::FolderAnew,
    Edit::CrLf,
    Edit::ByteOrderMark,
    Edit::RenamedToAndFro,
    Edit::HalfWritten,
    Edit::Fifo,
    Edit::Deleted,
    Edit::Empty,
    Edit::Sparse,
    Edit::SparseList,
    Edit::ListShrinks,
    Edit::NoFolder,
    Edit::FolderForFile,
    Edit::LinkToNowhere,
    Edit::LinkToItself,
    Edit::NotUtf8,
    Edit::Forbidden,
];

/// The folder of a gate's rules, its link and the number in force.
struct Storm {
    folder: PathBuf,
    random: u64,
    made: u64,
    serving: u64,
    edits: BTreeMap<Edit, usize>,
}

impl Storm {
    /// Puts a first set in place of the gate's own rules: `rules` becomes a link to a folder.
    fn begin(gate: &Gate, seed: u64) -> Self {
        let mut storm = Self {
            folder: gate.folder().to_owned(),
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            made: 0,
            serving: 0,
            edits: BTreeMap::new(),
        };
        fs::remove_dir_all(storm.rules()).unwrap();
        storm.swap_link();
        storm.serving = storm.made;
        eventually("the first set", || {
            gate.command(&["reload"]).status.success().then_some(())
        });
        storm
    }

    fn rules(&self) -> PathBuf {
        self.folder.join("rules")
    }

    fn below(&mut self, many: usize) -> usize {
        // Xorshift: the same edits for the same seed.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from(self.random % many as u64).unwrap()
    }

    /// One edit, one reload, and what must be true after it.
    fn round(&mut self, gate: &Gate) -> Result<(), String> {
        let edit = EDITS[self.below(EDITS.len())];
        *self.edits.entry(edit).or_default() += 1;
        let mended = self.mend(edit, gate);
        let is_good = edit <= Edit::RenamedToAndFro;
        if is_good {
            self.serving = self.made;
        }
        let output = gate.command(&["reload"]);
        if output.status.success() != is_good {
            return Err(format!("{edit:?} after {mended}: {output:?}"));
        }
        let reply = Client::greeted(gate.smtp).deliver(FROM, &[TO], &mail::plain("Storm and probe"));
        if reply.code != 250 {
            return Err(format!("{edit:?}: {reply:?}"));
        }
        let (_, page) = gate.get("/metrics").ok_or("no metrics")?;
        let gauge = format!("portreeve_ruleset_last_reload_successful {}\n", u8::from(is_good));
        let series = format!("STORM_LEFT_G{}\"", self.serving);
        match page.contains(&gauge) && page.contains(&series) {
            true => Ok(()),
            false => Err(format!("{edit:?}: not {gauge:?} with {series:?}")),
        }
    }

    /// Undoes what is broken, then makes an edit; says what there was to mend.
    fn mend(&mut self, edit: Edit, gate: &Gate) -> &'static str {
        let path = |storm: &Self, name: &str| storm.rules().join(name);
        if edit == Edit::SwapLink {
            // The gate reads while the link is swapped, again and again.
            for _ in 0..SWAPS {
                gate.signal("HUP");
                self.swap_link();
            }
            return "swaps";
        }
        // Every other edit begins with the last good set, whole and of files of its own.
        self.put_link(self.serving);
        let (left, list) = (path(self, "a-left.toml"), path(self, "gens.txt"));
        match edit {
            Edit::SwapLink => {}
            Edit::RenameFiles => self.write_files(true, |text| text),
            Edit::WriteInPlace => self.write_files(false, |text| text),
            Edit::CrLf => self.write_files(true, |text| text.replace('\n', "\r\n")),
            Edit::ByteOrderMark => self.write_files(true, |text| format!("\u{feff}{text}")),
            Edit::FolderAnew => self.folder_anew(),
            Edit::RenamedToAndFro => self.rename_to_and_fro(&left),
            Edit::HalfWritten => {
                let text = fs::read(&left).unwrap();
                fs::write(&left, &text[..text.len() / 2 + 10]).unwrap();
            }
            Edit::Fifo => {
                let made = Command::new("mkfifo").arg(path(self, "fifo.toml")).status().unwrap();
                assert!(made.success());
            }
            Edit::Deleted => fs::remove_file(&left).unwrap(),
            Edit::Empty => fs::write(&left, "").unwrap(),
            Edit::Sparse => File::create(path(self, "sparse.toml"))
                .unwrap()
                .set_len(1 << 30)
                .unwrap(),
            Edit::SparseList => File::create(&list).unwrap().set_len(1 << 30).unwrap(),
            Edit::ListShrinks => fs::write(&list, format!("gen-{}\n", self.serving)).unwrap(),
            Edit::NoFolder => fs::remove_file(self.rules()).unwrap(),
            Edit::FolderForFile => fs::create_dir(path(self, "folder.toml")).unwrap(),
            Edit::LinkToNowhere => symlink("nowhere", path(self, "link.toml")).unwrap(),
            Edit::LinkToItself => symlink("loop.toml", path(self, "loop.toml")).unwrap(),
            Edit::NotUtf8 => fs::write(&left, b"# caf\xe9\n").unwrap(),
            Edit::Forbidden => self.forbid(&left),
        }
        "the last good set"
    }

    /// Root may read anything: then a file that isn't text stands in.
    fn forbid(&self, file: &Path) {
        fs::set_permissions(file, Permissions::from_mode(0o000)).unwrap();
        if fs::read(file).is_ok() {
            fs::write(file, "\0").unwrap();
        }
    }

    /// A new set beside the old, the link swapped to it: nothing but its own names says that they belong
    /// together, so that a set read across the swap would load.
    fn swap_link(&mut self) {
        self.made += 1;
        let number = self.made;
        let set = self.set_folder(number);
        fs::create_dir(&set).unwrap();
        write_set(&set, number, false);
        self.link_to(&set);
        if number > 3 {
            let _ = fs::remove_dir_all(self.set_folder(number - 3));
        }
    }

    fn set_folder(&self, number: u64) -> PathBuf {
        self.folder.join(format!("set-{number}"))
    }

    /// A folder of its own with this set, linked to.
    fn put_link(&mut self, number: u64) {
        let name = format!("work-{}", self.below(1 << 30));
        let set = self.folder.join(name);
        let _ = fs::remove_dir_all(&set);
        fs::create_dir(&set).unwrap();
        write_set(&set, number, true);
        let before = fs::read_link(self.rules());
        self.link_to(&set);
        let _ = before.map(fs::remove_dir_all);
    }

    fn link_to(&self, set: &Path) {
        let next = self.folder.join("rules.next");
        let _ = fs::remove_file(&next);
        let _ = fs::remove_dir_all(&next);
        symlink(set, &next).unwrap();
        if self.rules().symlink_metadata().is_ok_and(|found| found.is_dir()) {
            fs::remove_dir_all(self.rules()).unwrap();
        }
        fs::rename(&next, self.rules()).unwrap();
    }

    /// File by file over the old set; its parts name each other, so that no half of it loads.
    fn write_files(&mut self, renamed: bool, change: impl Fn(String) -> String) {
        self.made += 1;
        for (name, text) in set(self.made, true) {
            let (path, text) = (self.rules().join(name), change(text));
            if renamed {
                let next = self.folder.join("next");
                fs::write(&next, text).unwrap();
                fs::rename(&next, &path).unwrap();
            } else {
                fs::write(&path, text).unwrap();
            }
        }
    }

    fn folder_anew(&mut self) {
        let real = fs::read_link(self.rules()).unwrap();
        fs::remove_file(self.rules()).unwrap();
        let _ = fs::remove_dir_all(real);
        fs::create_dir(self.rules()).unwrap();
        self.made += 1;
        write_set(&self.rules(), self.made, true);
    }

    fn rename_to_and_fro(&mut self, file: &Path) {
        let aside = file.with_extension("aside");
        for _ in 0..40 {
            fs::rename(file, &aside).unwrap();
            fs::rename(&aside, file).unwrap();
        }
        self.made = self.made.max(self.serving);
        self.write_files(true, |text| text);
    }
}

fn write_set(folder: &Path, number: u64, bound: bool) {
    for (name, text) in set(number, bound) {
        fs::write(folder.join(name), text).unwrap();
    }
}

/// The files of a set. One that is bound doesn't load with a part of another.
fn set(number: u64, bound: bool) -> Vec<(String, String)> {
    let rule = |id: &str, when: &str| {
        format!(
            "[[rule]]\nid = \"{id}_G{number}\"\nsummary = \"Generation {number}\"\ncategory = \"spam\"\n\
             severity = \"low\"\nscore = 2.0\nwhen = '''{when}'''\n"
        )
    };
    let test = "[[rule.test]]\nname = \"of one piece\"\nmail = { subject = \"Storm\" }\nexpect = \"match\"\n";
    let bond = format!("@STORM_LEFT_G{number}");
    let left = format!(
        "{}{}[lists.gens]\nkind = \"text\"\nfile = \"gens.txt\"\n",
        rule("STORM_LEFT", "subject.contains('Storm')"),
        rule(
            "STORM_LIST",
            &format!("subject.contains('Storm') and ('gen-' + '{number}') in $gens")
        ) + if bound { test } else { "" },
    );
    let right = rule("STORM_RIGHT", if bound { &bond } else { "subject.contains('Storm')" });
    let mixed = rule("STORM_MIXED", &format!("('gen-' + '{number}') not in $gens"));
    let entries: String = (0..10).map(|number| format!("filler-{number}\n")).collect();
    let mut files = vec![
        ("a-left.toml".to_owned(), left),
        ("gens.txt".to_owned(), format!("gen-{number}\n{entries}")),
        ("z-right.toml".to_owned(), right + &mixed),
    ];
    files.extend((0..FILLERS).map(|filler| {
        let text = format!(
            "[[rule]]\nid = \"FILLER_{filler}\"\nsummary = \"Never\"\ncategory = \"spam\"\nseverity = \"low\"\n\
             score = 1.0\nwhen = 'subject.contains(\"nowhere {filler}\")'\n"
        );
        (format!("m-{filler:02}.toml"), text)
    }));
    files
}
