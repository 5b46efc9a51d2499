//! What the gate costs: CPU time a message against a trivial forwarder, on the same mail, turn by turn.
//!
//! Everything is here: load generator, sink and forwarder. Both candidates are processes of their
//! own, so that the kernel counts their CPU time; one run interleaves them, and only the ratio
//! between them is worth quoting. `benches/README.md` has the commands.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a measuring program: what goes wrong ends it"
)]

#[path = "../corpus/folder.rs"]
mod folder;
mod forwarder;
mod load;
mod mails;
mod process;
#[allow(dead_code, reason = "each program uses its own part of the tools")]
#[path = "../engine/sets.rs"]
mod sets;
mod sink;
#[allow(dead_code, unused_imports, reason = "each program uses its own part of the tools")]
#[path = "../../tests/support/mod.rs"]
mod support;

use load::{Load, Pace};
use mails::Mails;
use process::cpu_seconds;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use support::Gate;

/// How long after a round the last journal group is committed, and its cost counted.
const SETTLE: Duration = Duration::from_millis(500);

/// One kind of traffic and how much dearer than forwarding it may be.
struct Workload {
    name: &'static str,
    mails: Vec<Vec<u8>>,
    messages_per_connection: usize,
    messages: usize,
    ratio_max: f64,
}

/// What is measured against the forwarder.
enum Rival {
    Gate(Gate),
    /// A second forwarder: what then differs from 1 is noise.
    Forwarder(forwarder::Forwarder),
}

impl Rival {
    /// Where to send, and whose CPU time to read.
    fn candidate(&self) -> (SocketAddr, u32) {
        match self {
            Self::Gate(gate) => (gate.smtp, gate.process()),
            Self::Forwarder(forwarder) => forwarder.candidate(),
        }
    }
}

/// What one round cost one candidate.
#[derive(Clone, Copy)]
struct Cost {
    cpu_millis_per_message: f64,
    messages_per_second: f64,
}

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    if let [first, target] = arguments.as_slice()
        && first == "--forward-to"
    {
        return forwarder::run(target.parse().expect("an address"));
    }
    let options = Options::read(&arguments);
    let sink = sink::start();
    let forwarder = forwarder::Forwarder::start(sink);
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    let generated = generated_rules(options.rules);
    let mut folders = vec![rules.display().to_string()];
    if options.rules > 0 {
        folders.push(generated.path().display().to_string());
    }
    let settings = format!("[policy]\nmode = \"observe\"\n[rules]\npaths = {folders:?}\n");
    let rival = if options.noise {
        Rival::Forwarder(forwarder::Forwarder::start(sink))
    } else {
        Rival::Gate(Gate::delivering_to(&format!("smtp://{sink}"), &settings))
    };
    let pace = if options.pipelined {
        Pace::Pipelined
    } else {
        Pace::StepByStep
    };

    println!(
        "{:<34}{:>12}{:>10}{:>8}{:>15}{:>9}{:>15}",
        "", "forwarder", "gate", "ratio", "from - to", "at most", "messages/s"
    );
    let mut too_dear = 0;
    let wanted = |workload: &Workload| options.only.as_ref().is_none_or(|only| workload.name.contains(only));
    for workload in workloads(&options).into_iter().filter(wanted) {
        // The first round fills caches and pools and isn't counted.
        let costs: Vec<[Cost; 2]> = (0..=options.rounds)
            .map(|_| [forwarder.candidate(), rival.candidate()].map(|candidate| measure(candidate, &workload, pace)))
            .skip(1)
            .collect();
        too_dear += usize::from(print_row(&workload, &costs));
    }
    println!(
        "\nCPU time (user and system) of each process for a message: medians over {} rounds.",
        options.rounds
    );
    println!("Absolute figures depend on the machine and its neighbours; compare ratios of one run.");
    println!("{too_dear} above what is allowed.");
}

/// Prints a workload's line; whether its ratio is above what is allowed.
fn print_row(workload: &Workload, costs: &[[Cost; 2]]) -> bool {
    let middle = |figure: &dyn Fn(&[Cost; 2]) -> f64| {
        let mut figures: Vec<f64> = costs.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        (figures[figures.len() / 2], figures[0], figures[figures.len() - 1])
    };
    let (ratio, least, most) = middle(&|[base, ours]| ours.cpu_millis_per_message / base.cpu_millis_per_message);
    let [base, ours] = [0, 1].map(|which| middle(&|pair| pair[which].cpu_millis_per_message).0);
    let [base_rate, our_rate] = [0, 1].map(|which| middle(&|pair| pair[which].messages_per_second).0);
    println!(
        "{:<34}{base:>9.3} ms{ours:>7.3} ms{ratio:>8.2}{least:>8.2} - {most:<4.2}{:>9.1}{base_rate:>9.0}{our_rate:>6.0}",
        workload.name, workload.ratio_max,
    );
    ratio > workload.ratio_max
}

/// Sends the workload once through a candidate.
fn measure((address, process): (SocketAddr, u32), workload: &Workload, pace: Pace) -> Cost {
    let load = Load {
        address,
        mails: &workload.mails,
        messages: workload.messages,
        messages_per_connection: workload.messages_per_connection,
        pace,
    };
    let (cpu, start) = (cpu_seconds(process), Instant::now());
    load.send();
    let wall = start.elapsed().as_secs_f64();
    std::thread::sleep(SETTLE);
    let messages = workload.messages as f64;
    Cost {
        cpu_millis_per_message: (cpu_seconds(process) - cpu) * 1_000.0 / messages,
        messages_per_second: messages / wall,
    }
}

fn workloads(options: &Options) -> Vec<Workload> {
    let small = match &options.corpora {
        Some(folder) => Mails::from_folder(folder),
        None => Mails::made_up(400),
    };
    println!("small mail: {}, mean {} bytes", small.source, small.mean_size());
    let scale = |messages: usize| (messages * options.percent / 100).max(8);
    let workload = |name, mails, messages_per_connection, messages, ratio_max| Workload {
        name,
        mails,
        messages_per_connection,
        messages: scale(messages),
        ratio_max,
    };
    vec![
        workload("small, one message a connection", small.mails.clone(), 1, 2_000, 2.5),
        workload("small, connections kept open", small.mails, usize::MAX, 3_000, 3.5),
        workload(
            "attachments, mean 54 KB",
            (1..=9).map(|tenth| mails::with_attachment(tenth * 10_800)).collect(),
            1,
            600,
            2.3,
        ),
        workload(
            "1 MB, an attachment",
            vec![mails::with_attachment(1_000_000)],
            1,
            120,
            4.0,
        ),
        workload("1 MB, text and links", vec![mails::with_text(1_000_000)], 1, 120, 4.0),
    ]
}

/// A folder with so many rules beside the shipped ones: regexes and needles in equal shares.
fn generated_rules(count: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    if count > 0 {
        let words = sets::Words::made_up(1_000);
        let regexes = words.regexes(count / 2);
        let regexes = regexes.iter().map(|regex| format!("body.text.matches(/{regex}/i)"));
        let literals = words.literals(count - count / 2);
        let literals = literals
            .iter()
            .map(|literal| format!("body.text.icontains('{literal}')"));
        let conditions: Vec<String> = regexes.chain(literals).collect();
        std::fs::write(folder.path().join("generated.toml"), sets::rule_file(0, &conditions)).expect("written");
    }
    folder
}

/// What the command line asks for.
struct Options {
    corpora: Option<PathBuf>,
    rounds: usize,
    percent: usize,
    pipelined: bool,
    noise: bool,
    /// Generated rules beside the shipped ones.
    rules: usize,
    /// Workloads whose name holds this.
    only: Option<String>,
}

impl Options {
    fn read(arguments: &[String]) -> Self {
        let corpora = std::env::var_os("PORTREEVE_CORPORA").map(PathBuf::from);
        let mut options = Self {
            corpora,
            rounds: 5,
            percent: 100,
            pipelined: false,
            noise: false,
            rules: 0,
            only: None,
        };
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            let mut number = || words.next().and_then(|text| text.parse().ok());
            match word.as_str() {
                "--rounds" => options.rounds = number().expect("a number of rounds"),
                "--percent" => options.percent = number().expect("a percentage of the usual messages"),
                "--rules" => options.rules = number().expect("a number of rules"),
                "--pipelined" => options.pipelined = true,
                "--noise" => options.noise = true,
                "--corpora" => options.corpora = words.next().map(PathBuf::from),
                "--only" => options.only = words.next().cloned(),
                other => panic!(
                    "{other}? There are --corpora FOLDER, --only WORDS, --rounds N, --percent N, --rules N, --pipelined and --noise"
                ),
            }
        }
        options
    }
}
