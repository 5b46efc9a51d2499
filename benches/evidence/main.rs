//! What evidence costs by stage, on real mail: milliseconds of CPU a message, against mail-parser's own parse alone.
//!
//! Enters: messages below `--corpora FOLDER`, of which `--every NUMBER` takes some; without a folder that is skipped,
//! saying so. Leaves: median and 99th percentile of each stage and of the whole, the dearest messages, and what a text of
//! twice the size costs, for texts made to cost more (`growth`). Knows nothing of SMTP or of what a verdict is worth.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a measurement stops at the first surprise"
)]

#[path = "../corpus/folder.rs"]
mod folder;
mod growth;
#[path = "../corpus/received.rs"]
mod received;
mod stages;

use folder::files_below;
use jiff::Timestamp;
use portreeve::mail::Mail;
use portreeve::rules::RuleSet;
use received::{mail, with_wire_ends};
use stages::STAGES;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rounds over all mail, unless told otherwise; the least of each message's stages counts, since noise only ever adds.
const ROUNDS: usize = 3;
/// Messages that are told one by one, the dearest first.
const DEAREST: usize = 10;
/// The whole's place among the stages.
const WHOLE: usize = STAGES.len() - 1;
/// What the whole of parse, evidence and rules may take: half of all messages, and 99 of 100.
const MEDIAN_MOST: Duration = Duration::from_millis(1);
const P99_MOST: Duration = Duration::from_millis(5);

/// One real message, and the least that each stage took.
struct Measured {
    path: PathBuf,
    mail: Mail,
    least: [Duration; STAGES.len()],
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let (mut folder, mut every, mut rounds) = (None, 1, ROUNDS);
    for option in arguments.chunks(2) {
        match option {
            [flag, value] if flag == "--corpora" => folder = Some(value),
            [flag, value] if flag == "--every" => every = value.parse().expect("a number of messages"),
            [flag, value] if flag == "--rounds" => rounds = value.parse().expect("a number of rounds"),
            _ => panic!("{option:?}? There are --corpora FOLDER, --every NUMBER and --rounds NUMBER"),
        }
    }
    let rules = RuleSet::load_embedded(Timestamp::UNIX_EPOCH)
        .expect("shipped rules that load")
        .set;
    let grows_evenly = growth::report(&rules);
    let is_in_time = match folder {
        None => {
            println!("SKIPPED the stages: they are measured on real mail, --corpora FOLDER");
            true
        }
        Some(folder) => report(measured(Path::new(folder), every, rounds, &rules)),
    };
    match grows_evenly && is_in_time {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn measured(folder: &Path, every: usize, rounds: usize, rules: &RuleSet) -> Vec<Measured> {
    let files = files_below(folder).into_iter().step_by(every.max(1));
    let read = |path: PathBuf| {
        let bytes = std::fs::read(&path).ok()?;
        Some(Measured {
            path,
            mail: mail(with_wire_ends(&bytes)),
            least: [Duration::MAX; STAGES.len()],
        })
    };
    let mut all: Vec<Measured> = files.filter_map(read).collect();
    let reading_the_clock = stages::reading_the_clock();
    // Over all mail each time, so that a message is as cold in the caches as one that has just come.
    for _ in 0..rounds {
        for one in &mut all {
            let mut taken = stages::of(&one.mail, rules);
            taken[WHOLE] = Duration::MAX;
            one.least =
                std::array::from_fn(|stage| one.least[stage].min(taken[stage].saturating_sub(reading_the_clock)));
        }
        for one in &mut all {
            let taken = stages::whole(&one.mail, rules).saturating_sub(reading_the_clock);
            one.least[WHOLE] = one.least[WHOLE].min(taken);
        }
    }
    all
}

/// Prints the table; whether the whole takes no longer than it may.
fn report(mut all: Vec<Measured>) -> bool {
    let bytes: usize = all.iter().map(|one| one.mail.bytes.len()).sum();
    println!("\n{} messages, mean {} bytes", all.len(), bytes / all.len());
    println!(
        "{:44} {:>9} {:>6} {:>9} {:>6} {:>9}",
        "ms of CPU a message", "median", "ratio", "p99", "ratio", "mean"
    );
    let base = figures(&all, 0);
    for (place, (_, name)) in STAGES.iter().enumerate() {
        let [median, p99, mean] = figures(&all, place);
        println!(
            "{name:44} {:9.4} {:6.2} {:9.4} {:6.2} {:9.4}",
            millis(median),
            median.as_secs_f64() / base[0].as_secs_f64(),
            millis(p99),
            p99.as_secs_f64() / base[1].as_secs_f64(),
            millis(mean)
        );
    }
    let [median, p99, _] = figures(&all, WHOLE);
    let is_in_time = median <= MEDIAN_MOST && p99 <= P99_MOST;
    println!(
        "the whole: {:.3} of {:.0} ms median, {:.3} of {:.0} ms p99: {}",
        millis(median),
        millis(MEDIAN_MOST),
        millis(p99),
        millis(P99_MOST),
        if is_in_time { "met" } else { "NOT MET" }
    );
    all.sort_by_key(|one| std::cmp::Reverse(one.least[WHOLE]));
    println!("\nthe dearest");
    for one in all.iter().take(DEAREST) {
        let stage = (1..WHOLE).max_by_key(|place| one.least[*place]).unwrap_or(WHOLE);
        println!(
            "{:9.3} ms, {:9} bytes, {:.3} of it {}: {}",
            millis(one.least[WHOLE]),
            one.mail.bytes.len(),
            millis(one.least[stage]),
            STAGES[stage].1.trim_start(),
            one.path.display()
        );
    }
    is_in_time
}

/// Median, 99th percentile and mean of a stage.
fn figures(all: &[Measured], stage: usize) -> [Duration; 3] {
    let mut times: Vec<Duration> = all.iter().map(|one| one.least[stage]).collect();
    times.sort_unstable();
    let mean = times.iter().sum::<Duration>() / u32::try_from(times.len()).expect("a count");
    [times[times.len() / 2], times[times.len() * 99 / 100], mean]
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
