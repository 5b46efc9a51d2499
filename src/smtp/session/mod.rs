//! What a session is at each moment, and what each command does to it: a pure state machine.
//!
//! Command lines and a desk's replies enter, a [`Step`] leaves. It counts errors, junk commands and
//! recipients, and knows what is allowed when. Knows nothing of sockets, time, or what a desk does.

use super::command::{self, Chunk, Command, Reading};
use super::front::{Attributes, XCLIENT_OFFER, XFORWARD_OFFER};
use super::limits::Limits;
use super::parameters::Offered;
use super::refusal::Refusal;
use super::reply::Class;
use super::{MailCommand, Offer, Reply};
use crate::mail::{Client, Recipient};
use std::net::SocketAddr;
use std::sync::Arc;

/// The state of one session.
#[derive(Debug)]
pub struct Session {
    manner: Manner,
    address: Option<SocketAddr>,
    tls: Option<String>,
    hello: Option<Hello>,
    /// What XCLIENT said, until the session's end.
    stated: Option<Box<Attributes>>,
    /// What XFORWARD said, until it says something else or the session begins anew.
    forwarded: Option<Box<Attributes>>,
    transaction: Option<Transaction>,
    errors: usize,
    junk: usize,
}

/// What stays the same through a session.
#[derive(Debug, Clone)]
pub struct Manner {
    /// The name that we greet with.
    pub hostname: Arc<str>,
    /// What this peer may do here.
    pub abilities: Abilities,
    /// Accepted recipients of one transaction.
    pub recipients_max: usize,
    /// Commands answered 5xx.
    pub errors_max: usize,
    /// Commands that carry no mail.
    pub junk_max: usize,
}

/// What depends on the listener and the peer: offered by EHLO, unknown when it wasn't.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Abilities {
    /// Whether STARTTLS can be had.
    pub starttls: bool,
    /// Whether the peer may say who its client is (XCLIENT, XFORWARD).
    pub front: bool,
    /// Whether messages may come in chunks (CHUNKING, RFC 3030).
    pub chunking: bool,
}

/// The client's HELO or EHLO.
#[derive(Debug)]
struct Hello {
    name: String,
    extended: bool,
    offered: Offer,
}

/// What RSET clears, as one value.
#[derive(Debug, Default)]
struct Transaction {
    declared: Option<u64>,
    utf8: bool,
    accepted: usize,
    asked: usize,
    /// Part of the message is here: only more of it, or its end, can follow.
    chunked: bool,
}

/// What has to be done about a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Answer.
    Answer(Reply),
    /// Answer with a refusal of our own, at this stage.
    Refuse(Refusal, &'static str),
    /// The same for DATA: what follows it already is a body, and must not be read as commands.
    RefuseData(Refusal, &'static str),
    /// Tell the desk who speaks, then answer.
    Hello(Client, Reply),
    /// See whether this client may come in, then answer: the session stands before HELO again.
    XClient(Client, Reply),
    /// Tell the desk for whom the front speaks now, then answer.
    XForward(Client, Reply),
    /// Ask the desk, then [`Session::mail_answered`].
    Mail(MailCommand),
    /// Ask the desk, then [`Session::rcpt_answered`].
    Rcpt(Recipient),
    /// Answer 354, receive the body, ask the desk, then [`Session::message_answered`].
    Data(Begins),
    /// Receive the chunk behind the line; after the last ask the desk, then [`Session::message_answered`].
    Chunk {
        /// How much there is of it.
        chunk: Chunk,
        /// With the first one, what [`Step::Data`] has.
        begins: Option<Begins>,
    },
    /// Read the chunk behind the line, keep nothing of it, then answer with a refusal of our own.
    RefuseChunk(Chunk, Refusal, &'static str),
    /// Tell the desk that the transaction is gone, then answer.
    Reset(Reply),
    /// Answer 220 and start TLS; the transaction is gone.
    StartTls,
    /// Answer 221 and close.
    Quit,
}

/// What is known of a message before it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begins {
    /// SIZE's value.
    pub declared: Option<u64>,
    /// The largest body to take, in octets.
    pub size_max: u64,
}

impl Manner {
    /// The manner that the limits ask for.
    pub const fn new(hostname: Arc<str>, abilities: Abilities, limits: &Limits) -> Self {
        Self {
            hostname,
            abilities,
            recipients_max: limits.recipients,
            errors_max: limits.errors,
            junk_max: limits.junk_commands,
        }
    }
}

impl Session {
    /// A session that has just been connected; `tls` names version and suite.
    pub const fn new(manner: Manner, address: Option<SocketAddr>, tls: Option<String>) -> Self {
        Self {
            manner,
            address,
            tls,
            hello: None,
            stated: None,
            forwarded: None,
            transaction: None,
            errors: 0,
            junk: 0,
        }
    }

    /// The greeting.
    pub fn greeting(&self) -> Reply {
        Reply::new(220, "", format!("{} ESMTP", self.manner.hostname))
    }

    /// Takes one command line, without its CRLF; `offer` is what EHLO would offer now.
    pub fn command(&mut self, line: &[u8], offer: Offer) -> Step {
        match command::parse(line, self.reading()) {
            Ok(command) => self.carry_out(command, offer),
            Err(refusal) if is_before_body(line) && !refusal.closes() => self.refuse_data(refusal),
            Err(refusal) => self.refuse(refusal),
        }
    }

    /// Counts a refusal of our own: it, or [`Refusal::Errors`] in place of the one that is too many.
    pub fn counted(&mut self, refusal: Refusal) -> Refusal {
        if refusal.is_error() && self.is_error_too_many() && !refusal.closes() {
            return Refusal::Errors;
        }
        refusal
    }

    /// The desk's answer to MAIL.
    ///
    /// # Errors
    /// [`Refusal::Errors`] in place of a refusal that is one too many.
    pub fn mail_answered(&mut self, mail: Declared, reply: &Reply) -> Result<(), Refusal> {
        if reply.is_success() {
            self.transaction = Some(Transaction {
                declared: mail.size,
                utf8: mail.smtputf8,
                ..Transaction::default()
            });
        }
        self.count(reply)
    }

    /// The desk's answer to RCPT.
    ///
    /// # Errors
    /// [`Refusal::Errors`] in place of a refusal that is one too many.
    pub fn rcpt_answered(&mut self, reply: &Reply) -> Result<(), Refusal> {
        if let Some(transaction) = self.transaction.as_mut().filter(|_| reply.is_success()) {
            transaction.accepted += 1;
        }
        self.count(reply)
    }

    /// The body was answered, by the desk or by us: the transaction is over whatever was said.
    pub fn message_answered(&mut self, reply: &Reply) {
        self.transaction = None;
        if reply.is_success() {
            self.errors = 0;
            self.junk = 0;
        }
    }

    /// A transaction is over, and with it what XFORWARD said, as at Postfix: the next one is an unknown
    /// client's until the front says whose, never the last one's. The client to tell the desk of, if that
    /// changes it.
    pub fn forget_forwarded(&mut self) -> Option<Client> {
        let forwarded = self.forwarded.as_deref_mut()?;
        if *forwarded == Attributes::unknown() {
            return None;
        }
        *forwarded = Attributes::unknown();
        Some(self.client())
    }

    /// TLS is on: everything that the client said of itself is forgotten (RFC 3207 §4.2). What XCLIENT
    /// said stays, as it does at Postfix: the client would be taken for the front itself.
    pub fn secured(&mut self, tls: String) {
        self.tls = Some(tls);
        self.hello = None;
        self.forwarded = None;
        self.transaction = None;
    }

    /// Whether a transaction is open.
    pub const fn is_in_transaction(&self) -> bool {
        self.transaction.is_some()
    }

    /// The stage of the session, as metrics name it.
    pub const fn stage(&self) -> &'static str {
        match (&self.hello, &self.transaction) {
            (None, _) => "hello",
            (Some(_), None) => "mail",
            (Some(_), Some(_)) => "rcpt",
        }
    }

    fn refuse(&mut self, refusal: Refusal) -> Step {
        let stage = self.stage();
        Step::Refuse(self.counted(refusal), stage)
    }

    fn refuse_data(&mut self, refusal: Refusal) -> Step {
        let stage = self.stage();
        Step::RefuseData(self.counted(refusal), stage)
    }

    fn reading(&self) -> Reading {
        Reading {
            offered: self.hello.as_ref().map_or_else(Offered::default, |hello| Offered {
                smtputf8: hello.offered.smtputf8,
                dsn: hello.offered.dsn,
            }),
            front: self.manner.abilities.front,
            chunking: self.manner.abilities.chunking && self.hello.as_ref().is_some_and(|hello| hello.extended),
            utf8: self.transaction.as_ref().is_some_and(|transaction| transaction.utf8),
        }
    }

    fn carry_out(&mut self, command: Command, offer: Offer) -> Step {
        match command {
            Command::Hello { extended, name } => self.unless_junk(|session| session.hello(extended, name, offer)),
            Command::Mail(mail) => self.mail(mail),
            Command::Rcpt(recipient) => self.rcpt(recipient),
            Command::Data => self.data(),
            Command::Chunk(chunk) => self.chunk(chunk),
            Command::Reset => self.unless_junk(|session| {
                let ok = Reply::new(250, "2.0.0", "OK");
                match session.transaction.take() {
                    Some(_) => Step::Reset(ok),
                    None => Step::Answer(ok),
                }
            }),
            Command::Noop => self.unless_junk(|_| Step::Answer(Reply::new(250, "2.0.0", "OK"))),
            // RFC 5321 §3.5.3: 252 tells nothing and refuses nothing.
            Command::Verify => self.unless_junk(|_| Step::Answer(Reply::new(252, "2.5.0", "Send mail to find out"))),
            Command::Help => self.unless_junk(|_| Step::Answer(Reply::new(214, "2.0.0", "See RFC 5321"))),
            Command::StartTls if self.tls.is_some() => self.refuse(Refusal::TlsAlready),
            Command::StartTls if !self.manner.abilities.starttls => self.refuse(Refusal::NotImplemented),
            Command::StartTls => Step::StartTls,
            Command::XClient(attributes) => self.xclient(attributes),
            Command::XForward(attributes) => self.xforward(attributes),
            Command::NotImplemented => self.refuse(Refusal::NotImplemented),
            Command::Quit => Step::Quit,
        }
    }

    fn hello(&mut self, extended: bool, name: String, offer: Offer) -> Step {
        self.transaction = None;
        let offered = Offer {
            smtputf8: extended && offer.smtputf8,
            dsn: extended && offer.dsn,
            ..offer
        };
        self.hello = Some(Hello {
            name,
            extended,
            offered,
        });
        let client = self.client();
        let hostname = self.manner.hostname.to_string();
        let mut lines = vec![hostname];
        if extended {
            lines.extend(self.keywords(offered));
        }
        let reply = Reply::from_lines(250, lines).unwrap_or_else(|| Reply::new(250, "", "OK"));
        Step::Hello(client, reply)
    }

    /// The client, as the wire shows it or as a front says.
    fn client(&self) -> Client {
        let shown = Client {
            address: self.address,
            name: None,
            helo: self.hello.as_ref().map_or_else(String::new, |hello| hello.name.clone()),
            extended: self.hello.as_ref().is_some_and(|hello| hello.extended),
            tls: self.tls.clone(),
        };
        let said = [&self.stated, &self.forwarded];
        said.into_iter()
            .flatten()
            .fold(shown, |client, attributes| attributes.over(client))
    }

    fn xclient(&mut self, attributes: Attributes) -> Step {
        if self.transaction.is_some() {
            return self.refuse(Refusal::NestedMail);
        }
        self.unless_junk(|session| {
            session.hello = None;
            session.forwarded = None;
            session.stated.get_or_insert_default().update(attributes);
            Step::XClient(session.client(), session.greeting())
        })
    }

    fn xforward(&mut self, attributes: Attributes) -> Step {
        if self.transaction.is_some() {
            return self.refuse(Refusal::NestedMail);
        }
        self.unless_junk(|session| {
            let forwarded = session.forwarded.get_or_insert_with(|| Box::new(Attributes::unknown()));
            forwarded.update(attributes);
            let ok = Reply::new(250, "2.0.0", "OK");
            match session.hello {
                Some(_) => Step::XForward(session.client(), ok),
                // The desk hears of the client with its HELO.
                None => Step::Answer(ok),
            }
        })
    }

    fn keywords(&self, offer: Offer) -> impl Iterator<Item = String> {
        let Abilities {
            starttls,
            front,
            chunking,
        } = self.manner.abilities;
        [
            (true, "PIPELINING".to_owned()),
            (true, format!("SIZE {}", offer.size)),
            (true, "8BITMIME".to_owned()),
            (true, "ENHANCEDSTATUSCODES".to_owned()),
            (chunking, "CHUNKING".to_owned()),
            (starttls && self.tls.is_none(), "STARTTLS".to_owned()),
            (offer.smtputf8, "SMTPUTF8".to_owned()),
            (offer.dsn, "DSN".to_owned()),
            (front, XCLIENT_OFFER.to_owned()),
            (front, XFORWARD_OFFER.to_owned()),
        ]
        .into_iter()
        .filter_map(|(offered, keyword)| offered.then_some(keyword))
    }

    fn mail(&mut self, mail: MailCommand) -> Step {
        let Some(size_max) = self.hello.as_ref().map(|hello| hello.offered.size) else {
            return self.refuse(Refusal::HelloFirst);
        };
        if self.transaction.is_some() {
            return self.refuse(Refusal::NestedMail);
        }
        if mail.size.is_some_and(|size| size > size_max) {
            return self.refuse(Refusal::TooBig);
        }
        Step::Mail(mail)
    }

    fn rcpt(&mut self, recipient: Recipient) -> Step {
        let recipients_max = self.manner.recipients_max;
        let Some(transaction) = self.transaction.as_mut() else {
            let refusal = self.out_of_order();
            return self.refuse(refusal);
        };
        if transaction.chunked {
            return self.refuse(Refusal::Chunked);
        }
        transaction.asked += 1;
        if transaction.asked > recipients_max.saturating_mul(2) {
            // Neither those over the limit nor those refused may go on for ever.
            return self.refuse(Refusal::Errors);
        }
        if transaction.accepted >= recipients_max {
            return self.refuse(Refusal::Recipients);
        }
        Step::Rcpt(recipient)
    }

    fn data(&mut self) -> Step {
        match self.message_begins() {
            Ok(None) => self.refuse_data(Refusal::Chunked),
            Ok(Some(begins)) => Step::Data(begins),
            Err(refusal) => self.refuse_data(refusal),
        }
    }

    fn chunk(&mut self, chunk: Chunk) -> Step {
        // One that brings nothing could come for ever.
        let is_junk = chunk.size == 0 && !chunk.last;
        self.junk += usize::from(is_junk);
        let begins = match self.message_begins() {
            Ok(_) if self.junk > self.manner.junk_max => Err(Refusal::Junk),
            begins => begins,
        };
        match (begins, &mut self.transaction) {
            (Ok(begins), Some(transaction)) => {
                transaction.chunked = true;
                Step::Chunk { chunk, begins }
            }
            (begins, _) => {
                let stage = self.stage();
                let refusal = self.counted(begins.err().unwrap_or(Refusal::MailFirst));
                Step::RefuseChunk(chunk, refusal, stage)
            }
        }
    }

    /// What is known of the message that may come now; `None` when part of it is here.
    const fn message_begins(&self) -> Result<Option<Begins>, Refusal> {
        match (&self.transaction, &self.hello) {
            (Some(transaction), _) if transaction.chunked => Ok(None),
            (Some(transaction), Some(hello)) if transaction.accepted > 0 => Ok(Some(Begins {
                declared: transaction.declared,
                size_max: hello.offered.size,
            })),
            (Some(_), _) => Err(Refusal::NoRecipients),
            (None, _) => Err(self.out_of_order()),
        }
    }

    /// Why there is no transaction.
    const fn out_of_order(&self) -> Refusal {
        match self.hello {
            None => Refusal::HelloFirst,
            Some(_) => Refusal::MailFirst,
        }
    }

    /// Carries out a command that brings no mail nearer, unless it is one too many.
    fn unless_junk(&mut self, carry_out: impl FnOnce(&mut Self) -> Step) -> Step {
        self.junk += 1;
        if self.junk > self.manner.junk_max {
            return self.refuse(Refusal::Junk);
        }
        carry_out(self)
    }

    /// Counts a reply of the desk's: a client that guesses recipients errs too.
    fn count(&mut self, reply: &Reply) -> Result<(), Refusal> {
        let permanent = reply.class() == Class::Permanent;
        if permanent && self.is_error_too_many() {
            Err(Refusal::Errors)
        } else {
            Ok(())
        }
    }

    const fn is_error_too_many(&mut self) -> bool {
        self.errors += 1;
        self.errors > self.manner.errors_max
    }
}

/// Whether a body may stand behind this line, which is refused: it must not be read as commands.
fn is_before_body(line: &[u8]) -> bool {
    let verb = line.get(..4).unwrap_or_default();
    verb.eq_ignore_ascii_case(b"DATA") || verb.eq_ignore_ascii_case(b"BDAT")
}

/// What the session remembers of MAIL while the desk has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Declared {
    size: Option<u64>,
    smtputf8: bool,
}

impl From<&MailCommand> for Declared {
    fn from(mail: &MailCommand) -> Self {
        Self {
            size: mail.size,
            smtputf8: mail.smtputf8,
        }
    }
}

#[cfg(test)]
mod tests;
