//! Exit codes: 0 and 1 are answers, the rest are sysexits.
//!
//! Every subcommand ends in one of these and in no other.

use std::process::ExitCode;

/// How a subcommand ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done; nothing found.
    Fine,
    /// Done; something found: a verdict but deliver, a failed test, an empty search.
    Findings,
    /// EX_USAGE: the arguments make no sense.
    Usage,
    /// EX_DATAERR: mail or rules that can't be read as such.
    BadData,
    /// EX_NOINPUT: a file that isn't there or can't be opened.
    NoInput,
    /// EX_UNAVAILABLE: the gate, or what it needs, isn't there.
    Unavailable,
    /// EX_TEMPFAIL: later, perhaps.
    TryAgain,
    /// EX_CONFIG: settings or rules that can't serve.
    Configuration,
}

impl Exit {
    /// The number.
    pub const fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Findings => 1,
            Self::Usage => 64,
            Self::BadData => 65,
            Self::NoInput => 66,
            Self::Unavailable => 69,
            Self::TryAgain => 75,
            Self::Configuration => 78,
        }
    }

    /// The graver of two, when one command did several things.
    pub fn worse(self, other: Self) -> Self {
        if other.code() > self.code() { other } else { self }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
