//! What can be seen of a message: facts, never opinions.
//!
//! [`Evidence`] is what rules read through their schema. A fact is known, absent (the message has
//! no such thing) or unknown (it could not be found out). Knows nothing of rules or policy.

mod auth;
mod bank_details;
mod client;
pub mod identity;
mod history;
mod inquiry;
mod lists;
mod needs;
mod settings;

#[cfg(test)]
pub(crate) use auth::tests::chain_of;
pub use auth::{Auth, DmarcFailure, MethodResult, Wish};
pub use bank_details::{BankDetails, BankMemory, Ledger};
pub use history::{Histories, History, Key, Secret, Wanted};
pub use inquiry::{Answers, Inquiry, Probes};
pub use lists::{ListSettings, Listing, Lists, Origin, Subject};
pub use needs::Needs;
pub use settings::{Checks, SealSettings, Settings};

use crate::mail::{Mail, Message};
use identity::{Identity, Protected};
use jiff::Timestamp;

/// Something that was looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Fact<T> {
    /// It is this.
    Known(T),
    /// The message has no such thing, or the check isn't configured.
    #[default]
    Absent,
    /// It could not be found out; why, as a word for metrics (`timeout`, `not-gathered`…).
    Unknown(&'static str),
}

/// What was found of something of which there may be more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gathered<T> {
    /// What was found.
    pub found: Vec<T>,
    /// Why there may be more.
    pub cut: Option<&'static str>,
}

impl<T> Default for Gathered<T> {
    fn default() -> Self {
        Self::from(Vec::new())
    }
}

impl<T> From<Vec<T>> for Gathered<T> {
    fn from(found: Vec<T>) -> Self {
        Self { found, cut: None }
    }
}

/// Everything that rules may ask about one message.
#[derive(Debug)]
pub struct Evidence<'e, 'm> {
    /// When it is judged.
    pub now: Timestamp,
    /// Envelope, client, size.
    pub mail: &'e Mail,
    /// Headers, text, links, attachments.
    pub message: &'e Message<'m>,
    /// What this version gathers from elsewhere, or a rule test states.
    pub outside: Outside,
    /// What archived mail lacks of its session is unknown.
    pub kept: Kept,
    /// Whom it poses as.
    pub identity: Identity<'e>,
}

impl<'m> Evidence<'_, 'm> {
    /// The same message for rules that protect somebody else.
    pub fn against<'p>(&'p self, protected: &'p Protected) -> Evidence<'p, 'm> {
        Evidence {
            now: self.now,
            mail: self.mail,
            message: self.message,
            outside: self.outside.clone(),
            kept: self.kept,
            identity: Identity::against(protected),
        }
    }
}

/// Which facts of the session that brought a message are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// The client, what it said of itself, and which way the message came.
    pub client: bool,
    /// The reverse-path.
    pub reverse_path: bool,
    /// The recipients.
    pub recipients: bool,
}

impl Kept {
    /// Live mail.
    pub const ALL: Self = Self::just(true);
    /// A message of which only the bytes are known.
    pub const NOTHING: Self = Self::just(false);

    /// All of them, or none.
    pub const fn just(truth: bool) -> Self {
        Self {
            client: truth,
            reverse_path: truth,
            recipients: truth,
        }
    }
}

/// Facts that come from neither the wire nor the message: an [`Inquiry`] gathers them for live mail, a rule test
/// states them or takes a stranger's, archived mail has them unknown.
#[derive(Debug, Clone)]
pub struct Outside {
    /// Reverse DNS of the client; empty when it has none.
    pub client_name: Fact<String>,
    /// Whether that name leads back to the client.
    pub client_name_confirmed: Fact<bool>,
    /// Whether what the client calls itself leads to it.
    pub helo_confirmed: Fact<bool>,
    /// Block lists that list the client: each by its name, and by that and what its answer means.
    pub client_listed: Fact<Gathered<String>>,
    /// Block lists that list domains of the message.
    pub listings: Fact<Gathered<Listing>>,
    /// Who vouches for the message.
    pub auth: Auth,
    /// The same for Authentication-Results.
    pub results: Vec<MethodResult>,
    /// The same for policy.
    pub dmarc_failure: Option<DmarcFailure>,
    /// What is remembered of author, domain and pair.
    pub history: Histories,
}

const NOT_GATHERED: &str = "not-gathered";

impl Outside {
    /// Nobody looked.
    pub fn not_gathered() -> Self {
        Self {
            client_name: Fact::Unknown(NOT_GATHERED),
            client_name_confirmed: Fact::Unknown(NOT_GATHERED),
            helo_confirmed: Fact::Unknown(NOT_GATHERED),
            client_listed: Fact::Unknown(NOT_GATHERED),
            listings: Fact::Unknown(NOT_GATHERED),
            auth: Auth::unknown(NOT_GATHERED),
            results: Vec::new(),
            dmarc_failure: None,
            history: Histories::unknown(NOT_GATHERED),
        }
    }

    /// Nobody was to look: the checks are off, or are none for this mail.
    pub fn absent() -> Self {
        Self {
            client_name: Fact::Absent,
            client_name_confirmed: Fact::Absent,
            helo_confirmed: Fact::Absent,
            client_listed: Fact::Known(Gathered::default()),
            listings: Fact::Known(Gathered::default()),
            auth: Auth::absent(),
            ..Self::not_gathered()
        }
    }

    /// A front of ours that states the client's name has looked it up: what nobody else did.
    pub fn take_stated_name(&mut self, mail: &Mail) {
        if let (Fact::Unknown(_) | Fact::Absent, Some(name)) = (&self.client_name, &mail.client.name) {
            self.client_name = Fact::Known(name.clone());
        }
    }

    /// A stranger: no authentication, no reverse DNS, not listed, never seen. What a rule test
    /// assumes of facts that it doesn't state.
    pub fn stranger() -> Self {
        Self {
            client_name: Fact::Known(String::new()),
            client_name_confirmed: Fact::Known(false),
            helo_confirmed: Fact::Known(false),
            client_listed: Fact::Known(Gathered::default()),
            listings: Fact::Known(Gathered::default()),
            auth: Auth::stranger(),
            results: Vec::new(),
            dmarc_failure: None,
            history: Histories::stranger(),
        }
    }
}
