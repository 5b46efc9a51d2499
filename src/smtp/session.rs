//! What a session is at each moment, and what each command does to it: a pure state machine.
//!
//! Command lines and a desk's replies enter, a [`Step`] leaves. It counts errors, junk commands and
//! recipients, and knows what is allowed when. Knows nothing of sockets, time, or what a desk does.

use super::command::{self, Command, Reading};
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
    /// Whether STARTTLS can be had.
    pub starttls: bool,
    /// Whether the peer may say who its client is (XCLIENT, XFORWARD).
    pub front: bool,
    /// Accepted recipients of one transaction.
    pub recipients_max: usize,
    /// Commands answered 5xx.
    pub errors_max: usize,
    /// Commands that carry no mail.
    pub junk_max: usize,
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
    Data {
        /// SIZE's value.
        declared: Option<u64>,
        /// The largest body to take.
        size_max: u64,
    },
    /// Tell the desk that the transaction is gone, then answer.
    Reset(Reply),
    /// Answer 220 and start TLS; the transaction is gone.
    StartTls,
    /// Answer 221 and close.
    Quit,
}

impl Manner {
    /// The manner that the limits ask for.
    pub const fn new(hostname: Arc<str>, starttls: bool, front: bool, limits: &Limits) -> Self {
        Self {
            hostname,
            starttls,
            front,
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
            Err(refusal) if line.get(..4).is_some_and(|verb| verb.eq_ignore_ascii_case(b"DATA")) => {
                self.refuse_data(refusal)
            }
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
            front: self.manner.front,
            utf8: self.transaction.as_ref().is_some_and(|transaction| transaction.utf8),
        }
    }

    fn carry_out(&mut self, command: Command, offer: Offer) -> Step {
        match command {
            Command::Hello { extended, name } => self.unless_junk(|session| session.hello(extended, name, offer)),
            Command::Mail(mail) => self.mail(mail),
            Command::Rcpt(recipient) => self.rcpt(recipient),
            Command::Data => self.data(),
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
            Command::StartTls if !self.manner.starttls => self.refuse(Refusal::NotImplemented),
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
        let starttls = self.manner.starttls && self.tls.is_none();
        [
            (true, "PIPELINING".to_owned()),
            (true, format!("SIZE {}", offer.size)),
            (true, "8BITMIME".to_owned()),
            (true, "ENHANCEDSTATUSCODES".to_owned()),
            (starttls, "STARTTLS".to_owned()),
            (offer.smtputf8, "SMTPUTF8".to_owned()),
            (offer.dsn, "DSN".to_owned()),
            (self.manner.front, XCLIENT_OFFER.to_owned()),
            (self.manner.front, XFORWARD_OFFER.to_owned()),
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
        let refusal = match (&self.transaction, &self.hello) {
            (Some(transaction), Some(hello)) if transaction.accepted > 0 => {
                return Step::Data {
                    declared: transaction.declared,
                    size_max: hello.offered.size,
                };
            }
            (Some(_), _) => Refusal::NoRecipients,
            (None, _) => self.out_of_order(),
        };
        self.refuse_data(refusal)
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
mod tests {
    use super::*;

    const OFFER: Offer = Offer {
        size: 1000,
        smtputf8: true,
        dsn: true,
    };

    fn session(limits: &Limits) -> Session {
        Session::new(Manner::new("gate.example".into(), true, false, limits), None, None)
    }

    /// Says a line to a desk that accepts everything.
    fn say(session: &mut Session, line: &str) -> u16 {
        match session.command(line.as_bytes(), OFFER) {
            Step::Answer(reply)
            | Step::Reset(reply)
            | Step::Hello(_, reply)
            | Step::XClient(_, reply)
            | Step::XForward(_, reply) => reply.code(),
            Step::Refuse(refusal, _) | Step::RefuseData(refusal, _) => refusal.reply().code(),
            Step::Mail(mail) => {
                let reply = Reply::new(250, "2.1.0", "OK");
                session.mail_answered(Declared::from(&mail), &reply).unwrap();
                250
            }
            Step::Rcpt(_) => {
                session.rcpt_answered(&Reply::new(250, "2.1.5", "OK")).unwrap();
                250
            }
            Step::Data { .. } => 354,
            Step::StartTls => 220,
            Step::Quit => 221,
        }
    }

    fn talk(session: &mut Session, lines: &[(&str, u16)]) {
        for (line, code) in lines {
            assert_eq!(say(session, line), *code, "{line}");
        }
    }

    #[test]
    fn ehlo_offers_what_is_true_now() {
        let mut session = session(&Limits::default());
        let Step::Hello(client, reply) = session.command(b"EHLO client.example", OFFER) else {
            panic!("not accepted");
        };
        assert_eq!((client.helo.as_str(), client.extended), ("client.example", true));
        assert_eq!(
            reply.lines().join(","),
            "gate.example,PIPELINING,SIZE 1000,8BITMIME,ENHANCEDSTATUSCODES,STARTTLS,SMTPUTF8,DSN"
        );
        session.secured("TLSv1.3 X".into());
        let plain = Offer {
            smtputf8: false,
            dsn: false,
            ..OFFER
        };
        let Step::Hello(client, reply) = session.command(b"EHLO client.example", plain) else {
            panic!("not accepted");
        };
        assert_eq!(client.tls.as_deref(), Some("TLSv1.3 X"));
        assert_eq!(
            reply.lines().join(","),
            "gate.example,PIPELINING,SIZE 1000,8BITMIME,ENHANCEDSTATUSCODES"
        );
    }

    #[test]
    fn helo_offers_nothing() {
        let mut session = session(&Limits::default());
        talk(
            &mut session,
            &[("HELO a", 250), ("MAIL FROM:<a@example.org> SMTPUTF8", 555)],
        );
    }

    #[test]
    fn size_is_checked_at_mail() {
        for (size, code) in [(999, 250), (1000, 250), (1001, 552)] {
            let mut session = session(&Limits::default());
            talk(
                &mut session,
                &[("EHLO a", 250), (&format!("MAIL FROM:<> SIZE={size}"), code)],
            );
        }
    }

    #[test]
    fn a_declared_message_is_received_with_what_was_declared() {
        let mut session = session(&Limits::default());
        talk(
            &mut session,
            &[
                ("EHLO a", 250),
                ("MAIL FROM:<> SIZE=7", 250),
                ("RCPT TO:<a@example.org>", 250),
            ],
        );
        let expected = Step::Data {
            declared: Some(7),
            size_max: 1000,
        };
        assert_eq!(session.command(b"DATA", OFFER), expected);
        session.message_answered(&Reply::new(250, "2.0.0", "OK"));
        talk(&mut session, &[("DATA", 503)]);
    }

    #[test]
    fn errors_end_the_session_one_above_the_limit() {
        let mut session = session(&Limits::default());
        for _ in 0..20 {
            talk(&mut session, &[("JUNK", 500)]);
        }
        talk(&mut session, &[("JUNK", 421)]);
    }

    #[test]
    fn a_desks_refusals_count_and_an_accepted_message_forgives() {
        let limits = Limits {
            errors: 2,
            ..Limits::default()
        };
        let mut session = session(&limits);
        let (good, bad) = (Reply::new(250, "", "OK"), Reply::new(550, "5.1.1", "Unknown"));
        talk(
            &mut session,
            &[("EHLO a", 250), ("MAIL FROM:<>", 250), ("RCPT TO:<a@example.org>", 250)],
        );
        assert_eq!(session.rcpt_answered(&bad), Ok(()));
        assert_eq!(session.rcpt_answered(&bad), Ok(()));
        session.message_answered(&good);
        talk(&mut session, &[("MAIL FROM:<>", 250)]);
        assert_eq!(session.rcpt_answered(&bad), Ok(()));
        assert_eq!(session.rcpt_answered(&bad), Ok(()));
        assert_eq!(session.rcpt_answered(&bad), Err(Refusal::Errors));
    }

    #[test]
    fn junk_ends_the_session_one_above_the_limit() {
        let mut session = session(&Limits::default());
        talk(&mut session, &[("EHLO a", 250)]);
        for _ in 0..33 {
            talk(&mut session, &[("NOOP", 250), ("RSET", 250), ("VRFY a", 252)]);
        }
        talk(&mut session, &[("NOOP", 421)]);
    }

    #[test]
    fn recipients_stop_at_the_limit_and_their_askers_at_twice_that() {
        let limits = Limits {
            recipients: 3,
            ..Limits::default()
        };
        let mut session = session(&limits);
        talk(&mut session, &[("EHLO a", 250), ("MAIL FROM:<>", 250)]);
        for code in [250, 250, 250, 452, 452, 452, 421] {
            talk(&mut session, &[("RCPT TO:<a@example.org>", code)]);
        }
    }

    #[test]
    fn starttls_forgets_everything_and_comes_once() {
        let mut session = session(&Limits::default());
        talk(
            &mut session,
            &[
                ("STARTTLS x", 501),
                ("EHLO a", 250),
                ("MAIL FROM:<>", 250),
                ("STARTTLS", 220),
            ],
        );
        session.secured("TLSv1.3 X".into());
        talk(
            &mut session,
            &[
                ("RCPT TO:<a@example.org>", 503),
                ("MAIL FROM:<>", 503),
                ("EHLO a", 250),
                ("STARTTLS", 503),
            ],
        );
    }

    #[test]
    fn starttls_without_a_certificate_is_not_implemented() {
        let manner = Manner::new("gate.example".into(), false, false, &Limits::default());
        talk(&mut Session::new(manner, None, None), &[("STARTTLS", 502)]);
    }
    fn front() -> Session {
        let manner = Manner::new("gate.example".into(), true, true, &Limits::default());
        Session::new(manner, "127.0.0.1:4000".parse().ok(), None)
    }

    /// The client that the desk is told of.
    fn told(session: &mut Session, line: &str) -> Client {
        match session.command(line.as_bytes(), OFFER) {
            Step::Hello(client, _) | Step::XForward(client, _) => client,
            step => panic!("{line}: {step:?}"),
        }
    }

    #[test]
    fn xclient_begins_anew_for_the_client_and_adds_up() {
        let mut session = front();
        talk(
            &mut session,
            &[("XCLIENT ADDR=192.0.2.7", 220), ("XCLIENT PORT=7 NAME=mx.example", 220)],
        );
        talk(&mut session, &[("MAIL FROM:<>", 503)]);
        let client = told(&mut session, "EHLO client.example");
        assert_eq!(
            (client.address, client.name.as_deref()),
            ("192.0.2.7:7".parse().ok(), Some("mx.example"))
        );
        session.secured("TLSv1.3 X".into());
        let client = told(&mut session, "EHLO client.example");
        assert_eq!(client.address, "192.0.2.7:7".parse().ok());
        talk(
            &mut session,
            &[("MAIL FROM:<>", 250), ("XCLIENT ADDR=192.0.2.8", 503), ("RSET", 250)],
        );
        talk(&mut session, &[("XCLIENT ADDR=[UNAVAILABLE]", 220)]);
        assert_eq!(told(&mut session, "HELO a").address, None);
    }

    #[test]
    fn xforward_lasts_for_one_transaction() {
        let mut session = front();
        talk(&mut session, &[("XFORWARD NAME=mx.example", 250)]);
        let client = told(&mut session, "EHLO front.example");
        assert_eq!((client.address, client.helo.as_str()), (None, ""));
        let client = told(&mut session, "XFORWARD ADDR=192.0.2.7 PORT=7 HELO=client.example");
        assert_eq!(
            (client.address, client.helo.as_str()),
            ("192.0.2.7:7".parse().ok(), "client.example")
        );
        talk(&mut session, &[("MAIL FROM:<>", 250), ("XFORWARD ADDR=192.0.2.8", 503)]);
        session.message_answered(&Reply::new(250, "2.0.0", "OK"));
        let client = session.forget_forwarded().unwrap();
        assert_eq!((client.address, client.helo.as_str()), (None, ""));
        assert_eq!(session.forget_forwarded(), None, "told once");
        let client = told(&mut session, "XFORWARD ADDR=192.0.2.9 PORT=8");
        assert_eq!((client.address, client.helo.as_str()), ("192.0.2.9:8".parse().ok(), ""));
        talk(&mut session, &[("XCLIENT PORT=9", 220)]);
        assert_eq!(told(&mut session, "EHLO a").address, "127.0.0.1:9".parse().ok());
    }
}
