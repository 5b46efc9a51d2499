//! What can be seen of a message: facts, never opinions.
//!
//! [`Evidence`] is what rules read through their schema. A fact is known, absent (the message has
//! no such thing) or unknown (it could not be found out). Knows nothing of rules or policy.

mod history;

pub use history::{Histories, History, Key, Secret};

use crate::mail::{Mail, Message};
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

/// Facts that come from neither the wire nor the message. In this version nothing gathers them:
/// live mail has them unknown, a rule test states them or takes a stranger's.
#[derive(Debug, Clone)]
pub struct Outside {
    /// Reverse DNS of the client, and whether it is forward-confirmed.
    pub client_name: Fact<String>,
    /// See `client_name`.
    pub client_name_confirmed: Fact<bool>,
    /// Names of block lists that list the client.
    pub client_listed: Fact<Vec<String>>,
    /// RFC 8601 result words.
    pub auth: Auth,
    /// What is remembered of author, domain and pair.
    pub history: Histories,
}

/// Authentication results, each an RFC 8601 word.
#[derive(Debug, Clone)]
pub struct Auth {
    /// `pass`, `fail`, `softfail`, `neutral`, `none`, `temperror`, `permerror`.
    pub spf: Fact<String>,
    /// The best result of any signature.
    pub dkim: Fact<String>,
    /// Domains of passing signatures.
    pub dkim_domains: Fact<Vec<String>>,
    /// The DMARC result.
    pub dmarc: Fact<String>,
    /// The policy that the author's domain publishes.
    pub dmarc_policy: Fact<String>,
    /// Whether SPF or DKIM aligns with the author's domain.
    pub aligned: Fact<bool>,
    /// The ARC chain.
    pub arc: Fact<String>,
}

const NOT_GATHERED: &str = "not-gathered";

impl Outside {
    /// Live mail in this version: nobody looked.
    pub fn not_gathered() -> Self {
        let auth = || Fact::Unknown(NOT_GATHERED);
        Self {
            client_name: Fact::Unknown(NOT_GATHERED),
            client_name_confirmed: Fact::Unknown(NOT_GATHERED),
            client_listed: Fact::Unknown(NOT_GATHERED),
            auth: Auth {
                spf: auth(),
                dkim: auth(),
                dkim_domains: Fact::Unknown(NOT_GATHERED),
                dmarc: auth(),
                dmarc_policy: auth(),
                aligned: Fact::Unknown(NOT_GATHERED),
                arc: auth(),
            },
            history: Histories::unknown(NOT_GATHERED),
        }
    }

    /// A front of ours that states the client's name has looked it up: what nobody else did.
    pub fn take_stated_name(&mut self, mail: &Mail) {
        if let (Fact::Unknown(_), Some(name)) = (&self.client_name, &mail.client.name) {
            self.client_name = Fact::Known(name.clone());
        }
    }

    /// A stranger: no authentication, no reverse DNS, not listed, never seen. What a rule test
    /// assumes of facts that it doesn't state.
    pub fn stranger() -> Self {
        let none = || Fact::Known("none".to_owned());
        Self {
            client_name: Fact::Known(String::new()),
            client_name_confirmed: Fact::Known(false),
            client_listed: Fact::Known(Vec::new()),
            auth: Auth {
                spf: none(),
                dkim: none(),
                dkim_domains: Fact::Known(Vec::new()),
                dmarc: none(),
                dmarc_policy: none(),
                aligned: Fact::Known(false),
                arc: none(),
            },
            history: Histories::stranger(),
        }
    }
}
