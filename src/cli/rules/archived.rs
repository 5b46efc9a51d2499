//! What `hunt`, `measure`, `profile` and `diff` look at: archived mail, labelled or not, and how it is to be read.

use crate::cli::exit::Exit;
use crate::cli::judging::{self, Progress};
use crate::cli::mails::{self, Source};
use crate::cli::{Shared, terminal};
use crate::clock::{Clock, SystemClock};
use crate::daemon;
use crate::mail::message;
use crate::measure::{Bench, FieldNames, Label, Reading, Traps};
use ipnet::IpNet;
use std::net::IpAddr;
use std::path::PathBuf;

/// Which mail, and how it is read.
#[derive(Debug, clap::Args)]
pub struct ArchivedMail {
    /// Messages: files, folders, mboxes, or - for standard input.
    #[arg(value_name = "MAIL")]
    mails: Vec<PathBuf>,
    /// Messages that are unwanted.
    #[arg(long, value_name = "MAIL", num_args = 1..)]
    spam: Vec<PathBuf>,
    /// Messages that are wanted.
    #[arg(long, value_name = "MAIL", num_args = 1..)]
    ham: Vec<PathBuf>,
    /// Take out what other filters wrote into the header, so that rules are judged and not those.
    #[arg(long)]
    strip_verdicts: bool,
    #[command(flatten)]
    reading: HowRead,
}

/// How archived mail is read.
#[derive(Debug, clap::Args)]
pub struct HowRead {
    /// Take the client from the Received fields and the reverse-path from Return-Path; otherwise both
    /// are unknown.
    #[arg(long)]
    from_headers: bool,
    /// Relays of ours that the mail came through: addresses or networks.
    #[arg(long, value_name = "CIDR", requires = "from_headers", value_parser = network, value_delimiter = ',')]
    relay: Vec<IpNet>,
    /// Take this header field out too, or those whose names begin so (X-Filter-*).
    #[arg(long, value_name = "FIELD", value_delimiter = ',')]
    strip: Vec<FieldNames>,
    /// An address that gives the label away, such as that of a trap: another stands in its place.
    #[arg(long, value_name = "ADDRESS")]
    mask: Vec<String>,
}

fn network(text: &str) -> Result<IpNet, String> {
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse()
        .or_else(|_| address())
        .map_err(|_| "neither an address nor a network such as 10.0.0.0/8".to_owned())
}

/// There is nothing to look at.
pub fn unnamed() -> Exit {
    terminal::complain("name the mail: files, folders, mboxes or -, or --spam and --ham");
    Exit::Usage
}

impl ArchivedMail {
    /// Whether any mail is named.
    pub fn is_named(&self) -> bool {
        !self.mails.is_empty() || self.is_labelled()
    }

    /// Whether any of it is labelled.
    pub fn is_labelled(&self) -> bool {
        !self.spam.is_empty() || !self.ham.is_empty()
    }

    /// What it is judged by beside the rules.
    pub fn bench(&self, shared: &Shared) -> Result<Bench, Exit> {
        self.reading.bench(self.strip_verdicts, shared)
    }

    /// Looks at each message; see [`each`].
    pub fn each<T: Send>(
        &self,
        shared: &Shared,
        lists: bool,
        look: impl Fn(Source) -> T + Sync,
        tell: impl FnMut(Label, &str, T),
    ) -> Exit {
        let labelled = [
            (Label::None, &self.mails),
            (Label::Spam, &self.spam),
            (Label::Ham, &self.ham),
        ];
        let paths: Vec<(Label, PathBuf)> = labelled
            .into_iter()
            .flat_map(|(label, paths)| paths.iter().map(move |path| (label, path.clone())))
            .collect();
        each(&paths, shared, lists, look, tell)
    }
}

impl HowRead {
    /// What mail is judged by beside the rules: the policy is that of the settings.
    pub fn bench(&self, strips_verdicts: bool, shared: &Shared) -> Result<Bench, Exit> {
        let policy = daemon::policy(&shared.settings()?).map_err(|why| {
            terminal::complain(&why.to_string());
            Exit::Configuration
        })?;
        Ok(Bench {
            policy,
            parsing: message::Limits::default(),
            reading: Reading {
                relays: self.from_headers.then(|| self.relay.clone()),
                traps: Traps {
                    verdicts: strips_verdicts,
                    fields: self.strip.clone(),
                    addresses: self.mask.clone(),
                },
            },
            now: SystemClock.now(),
        })
    }
}

/// Looks at each message on some core, and tells what was seen in order, with what its path is marked with. `lists` says
/// that results are printed meanwhile. Mail that isn't there, or none at all, decides the exit code.
pub fn each<M: Copy + Send + Sync, T: Send>(
    paths: &[(M, PathBuf)],
    shared: &Shared,
    lists: bool,
    look: impl Fn(Source) -> T + Sync,
    mut tell: impl FnMut(M, &str, T),
) -> Exit {
    let (mut exit, mut count) = (Exit::Fine, 0_u64);
    let mut progress = Progress::new(shared.quiet, lists);
    let unread = judging::in_order(
        paths,
        |_, source| look(source),
        |mark, path, seen| {
            count += 1;
            progress.step();
            match seen {
                Some(seen) => tell(mark, path, seen),
                None => {
                    terminal::complain(&format!("{path}: judging it failed, which is a defect of this program"));
                    exit = exit.worse(Exit::BadData);
                }
            }
        },
    );
    progress.end();
    if count == 0 && unread.is_empty() {
        terminal::complain("there is no message in what was named");
        return Exit::NoInput;
    }
    exit.worse(mails::told(&unread))
}
