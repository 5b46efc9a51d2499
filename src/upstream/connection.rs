//! One connection to an SMTP or LMTP server, from greeting to goodbye.
//!
//! Says MAIL, RCPT and DATA or BDAT in order, keeps the reply classes that belong to each step, and knows
//! whether a transaction stands open on it. Knows nothing of pools, routes or softening.

use super::connect::Stream;
use super::events::Events;
use super::failure::{Failure, Stage};
use super::parameters::{NeedsSmtpUtf8, understood};
use super::settings::{Deadlines, StateClient};
use crate::mail::{Client, Envelope, Recipient};
use crate::smtp::Reply;
use crate::smtp::client::{BodyPatience, Command, Dialogue, Extensions, Fault, Protocol, Unsendable, xforward};
use crate::smtp::reply::Class;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// How many commands go into one write: RFC 2920 §3.1 minds the windows of both sides.
const PIPELINED_MAX: usize = 100;

/// How long to listen to a server that no longer takes what we say: what it has said is there already.
const LAST_WORDS_PATIENCE: Duration = Duration::from_secs(1);

/// A greeted connection.
pub(super) struct Connection {
    protocol: Protocol,
    dialogue: Dialogue<Box<dyn Stream>>,
    pub(super) extensions: Extensions,
    events: Arc<Events>,
    deadlines: Deadlines,
    /// How the server hears who the client is.
    state_client: StateClient,
    /// A transaction may stand open: RSET comes before the next.
    is_dirty: bool,
    /// Recipients accepted in it.
    recipients: usize,
    /// The server has said goodbye, or something that can't be trusted.
    is_spent: bool,
    /// It has refused XFORWARD, and that was said aloud.
    has_refused_forward: bool,
    /// Messages that it was sent.
    pub(super) messages: usize,
}

/// How a message fared once DATA was said.
pub(super) enum Sent {
    /// What came after the dot: one for the whole message, or over LMTP one for each recipient, in their
    /// order. The failures stand for replies that never came, and nothing comes after one.
    Answered(Vec<Result<Reply, Failure>>),
    /// DATA was refused, or the message didn't go out whole.
    NotWhole(Failure),
    /// It did, or may have, and no reply came that counts.
    Silence(Failure),
}

impl Sent {
    /// Whether nothing was said to the dot in time, so that it may yet be said.
    pub(super) fn is_too_late(&self) -> bool {
        let Self::Answered(answers) = self else { return false };
        matches!(answers.first(), Some(Err(Failure::Fault(Stage::Dot, Fault::TimedOut))))
    }
}

impl Connection {
    pub(super) fn new(
        protocol: Protocol,
        dialogue: Dialogue<Box<dyn Stream>>,
        extensions: Extensions,
        events: Arc<Events>,
        deadlines: Deadlines,
        state_client: StateClient,
    ) -> Self {
        Self {
            protocol,
            dialogue,
            extensions,
            events,
            deadlines,
            state_client,
            is_dirty: false,
            recipients: 0,
            is_spent: false,
            has_refused_forward: false,
            messages: 0,
        }
    }

    /// Whether another client's mail may be sent over it, once it is reusable.
    pub(super) const fn is_anyones(&self) -> bool {
        !self.state_client.binds_connection()
    }

    /// Whether another message may be sent over it, after RSET if need be.
    pub(super) fn is_reusable(&self) -> bool {
        !self.is_spent && self.dialogue.is_in_step()
    }

    /// Whether it still stands open and silent.
    pub(super) async fn is_quiet(&mut self) -> bool {
        self.is_reusable() && self.dialogue.is_quiet().await
    }

    /// Opens a transaction for all of the envelope's recipients, ending one that stands open first. Pipelined
    /// when the server allows it. After a failure among several commands the connection may be out of step.
    pub(super) async fn begin(&mut self, client: &Client, envelope: &Envelope) -> Result<Reply, Failure> {
        let mut steps = Vec::with_capacity(envelope.recipients.len() + 3);
        if self.is_dirty {
            steps.push((Stage::Reset, Command::rset()));
        }
        // After RSET, which makes a server forget what it was told before.
        let forward = self.forward_commands(client);
        steps.extend(forward.into_iter().map(|command| (Stage::Forward, command)));
        let parameters = understood(&envelope.parameters, &self.extensions)?;
        let mail = Command::mail(envelope.reverse_path.as_ref(), &parameters)?;
        steps.push((Stage::Mail, mail));
        for recipient in &envelope.recipients {
            steps.push((Stage::Rcpt, self.rcpt_command(recipient)?));
        }
        self.is_dirty = true;
        self.recipients = envelope.recipients.len();
        let (stages, commands): (Vec<Stage>, Vec<Command>) = steps.into_iter().unzip();
        let mut last = None;
        let at_once = if self.extensions.pipelining { PIPELINED_MAX } else { 1 };
        for (stages, commands) in stages.chunks(at_once).zip(commands.chunks(at_once)) {
            self.send(Stage::Mail, commands).await?;
            for stage in stages {
                match stage {
                    Stage::Forward => self.forwarded().await?,
                    _ => last = Some(self.accepted(*stage).await?),
                }
            }
        }
        last.ok_or(Failure::Unsendable)
    }

    /// What tells the server of the client, where it is to be told before each transaction.
    fn forward_commands(&self, client: &Client) -> Vec<Command> {
        if self.state_client != StateClient::Xforward {
            return Vec::new();
        }
        let Some(offered) = self.extensions.xforward else {
            self.events.unstated();
            return Vec::new();
        };
        xforward(client, offered)
    }

    /// The reply to XFORWARD. A refusal stops no mail: it takes a log line and a header from the server,
    /// which judges by our address either way.
    async fn forwarded(&mut self) -> Result<(), Failure> {
        let Err(failure) = self.accepted(Stage::Forward).await else {
            return Ok(());
        };
        let Failure::Answer(_, reply) = &failure else {
            return Err(failure);
        };
        if reply.closes() {
            return Err(failure);
        }
        self.events.unstated();
        if !std::mem::replace(&mut self.has_refused_forward, true) {
            self.events.refused_forward(reply);
        }
        Ok(())
    }

    /// Adds a recipient to the open transaction.
    pub(super) async fn rcpt(&mut self, recipient: &Recipient) -> Result<Reply, Failure> {
        let command = self.rcpt_command(recipient)?;
        self.send(Stage::Rcpt, &[command]).await?;
        let reply = self.accepted(Stage::Rcpt).await?;
        self.recipients += 1;
        Ok(reply)
    }

    /// Ends the open transaction, so that the server holds nothing of it.
    pub(super) async fn reset(&mut self) -> Result<(), Failure> {
        if self.is_dirty {
            self.send(Stage::Reset, &[Command::rset()]).await?;
            self.accepted(Stage::Reset).await?;
            self.is_dirty = false;
            self.recipients = 0;
        }
        Ok(())
    }

    /// Sends the message of the open transaction: as one chunk where the server takes any (RFC 3030), so that
    /// whatever it says is said to the message, else after DATA.
    pub(super) async fn message(&mut self, pieces: &[Bytes]) -> Sent {
        let is_chunk = self.extensions.chunking;
        self.is_dirty = true;
        if !is_chunk {
            match self.data().await {
                Err(failure) => return Sent::NotWhole(failure),
                Ok(reply) if reply.code() != 354 => return Sent::NotWhole(self.unexpected(Stage::Data, reply)),
                Ok(_) => {}
            }
        }
        // From here on nothing but its end ends the message, so a connection left half-way must go.
        self.is_spent = true;
        let patience = BodyPatience {
            block: self.deadlines.upstream_block.0,
            whole: self.deadlines.upstream_body.0,
        };
        let due = self.answers_due();
        let written = if is_chunk {
            self.dialogue.chunk(pieces, due, patience).await
        } else {
            self.dialogue.body(pieces, due, patience).await
        };
        match written {
            Ok(()) => self.answers(is_chunk).await,
            Err(fault) if fault.end_may_have_left => Sent::Silence(Failure::Fault(Stage::Data, fault.fault)),
            Err(fault) => Sent::NotWhole(self.last_words(fault.fault).await),
        }
    }

    /// Why the message could not be sent whole: a server may say no before it stops listening, which needn't
    /// wait for a message's end (one that is too large, say).
    async fn last_words(&mut self, fault: Fault) -> Failure {
        // What it said out of turn is no answer to this.
        if matches!(fault, Fault::Garbled(_)) {
            return Failure::Fault(Stage::Data, fault);
        }
        match self.dialogue.reply(LAST_WORDS_PATIENCE).await {
            Ok(reply) if matches!(reply.class(), Class::Transient | Class::Permanent) => {
                self.events.answered(Stage::Data, &reply);
                Failure::Answer(Stage::Data, reply)
            }
            _ => Failure::Fault(Stage::Data, fault),
        }
    }

    /// The answer to a dot that had none in time, should it come yet; over LMTP the first that is no yes,
    /// else the last.
    pub(super) async fn late_reply(&mut self) -> Option<Reply> {
        let mut answers = Vec::new();
        // All within one deadline; what it cuts short is no answer.
        let _ = timeout(self.deadlines.upstream_late.0, self.read_answers(&mut answers)).await;
        let are_all = answers.len() == self.answers_due();
        let first_no = answers.iter().position(|reply| !reply.is_success());
        match first_no {
            Some(place) => answers.into_iter().nth(place),
            None => answers.pop().filter(|_| are_all),
        }
    }

    /// How many answers a message gets: RFC 2033 §4.2 has one for each RCPT that was accepted.
    const fn answers_due(&self) -> usize {
        match self.protocol {
            Protocol::Smtp => 1,
            Protocol::Lmtp => self.recipients,
        }
    }

    /// Reads what is said to the dot; the deadline is for all of it.
    async fn answers(&mut self, are_to_chunk: bool) -> Sent {
        let mut answers = Vec::with_capacity(self.answers_due());
        let read = timeout(self.deadlines.upstream_dot.0, self.read_answers(&mut answers)).await;
        let are_all_yes = answers.iter().all(Reply::is_success);
        if let Err(failure) = read.unwrap_or(Err(Failure::Fault(Stage::Dot, Fault::TimedOut))) {
            let mut answers: Vec<Result<Reply, Failure>> = answers.into_iter().map(Ok).collect();
            answers.resize(self.answers_due(), Err(failure));
            return Sent::Answered(answers);
        }
        // Among several, one answer too many may have moved every other to a wrong place: a refusal would
        // then pass for a yes. So would the answer to a chunk, had one been left over from before it.
        let is_ambiguous = answers.len() > 1 && !self.dialogue.is_in_step();
        if is_ambiguous || (are_to_chunk && self.dialogue.is_overtalked()) {
            return Sent::Silence(Failure::Fault(
                Stage::Dot,
                Fault::Garbled("it gave more answers than were due, so nobody knows which is whose"),
            ));
        }
        self.is_spent = answers.iter().any(Reply::closes);
        self.is_dirty = !are_all_yes;
        self.messages += 1;
        Sent::Answered(answers.into_iter().map(Ok).collect())
    }

    /// Reads every answer that is due into `answers`, which holds those that came when it ends early.
    async fn read_answers(&mut self, answers: &mut Vec<Reply>) -> Result<(), Failure> {
        while answers.len() < self.answers_due() {
            // The caller's deadline is for all of them.
            let reply = self.dialogue.reply(Duration::MAX).await;
            let reply = reply.map_err(|fault| Failure::Fault(Stage::Dot, fault))?;
            if reply.class() == Class::Intermediate {
                return Err(self.unexpected(Stage::Dot, reply));
            }
            self.events.answered(Stage::Dot, &reply);
            answers.push(reply);
        }
        Ok(())
    }

    /// Says goodbye without waiting for an answer.
    pub(super) async fn quit(mut self) {
        if self.is_reusable() {
            // Nothing hangs on it: the connection closes either way.
            let _ = self
                .dialogue
                .send(&[Command::quit()], self.deadlines.upstream_connect.0)
                .await;
        }
    }

    async fn data(&mut self) -> Result<Reply, Failure> {
        let reply = self.dialogue.ask(Command::data(), self.deadlines.upstream_data.0).await;
        let reply = reply.map_err(|fault| Failure::Fault(Stage::Data, fault))?;
        self.events.answered(Stage::Data, &reply);
        Ok(reply)
    }

    fn rcpt_command(&self, recipient: &Recipient) -> Result<Command, Failure> {
        let ours = understood(&recipient.parameters, &self.extensions)?;
        Ok(Command::rcpt(recipient, &ours)?)
    }

    async fn send(&mut self, stage: Stage, commands: &[Command]) -> Result<(), Failure> {
        self.dialogue
            .send(commands, self.deadlines.upstream_command.0)
            .await
            .map_err(|fault| Failure::Fault(stage, fault))
    }

    /// The reply that is due, when it is a 2xx.
    async fn accepted(&mut self, stage: Stage) -> Result<Reply, Failure> {
        let reply = self.dialogue.reply(self.deadlines.upstream_command.0).await;
        let reply = reply.map_err(|fault| Failure::Fault(stage, fault))?;
        if !matches!(stage, Stage::Reset | Stage::Forward) {
            self.events.answered(stage, &reply);
        }
        if reply.is_success() && !reply.closes() {
            Ok(reply)
        } else {
            Err(self.unexpected(stage, reply))
        }
    }

    /// A refusal, or an answer that belongs to some other command.
    fn unexpected(&mut self, stage: Stage, reply: Reply) -> Failure {
        self.is_spent |= reply.closes();
        match reply.class() {
            // RSET can't be refused (RFC 5321 §4.1.1.5), and the client never asked for it.
            Class::Transient | Class::Permanent if stage == Stage::Reset => {
                self.is_spent = true;
                Failure::Fault(stage, Fault::Garbled("it refuses RSET"))
            }
            Class::Transient | Class::Permanent => Failure::Answer(stage, reply),
            Class::Success | Class::Intermediate => {
                self.is_spent = true;
                Failure::Fault(stage, Fault::Garbled("its answer belongs to another command"))
            }
        }
    }
}

impl From<NeedsSmtpUtf8> for Failure {
    fn from(_: NeedsSmtpUtf8) -> Self {
        Self::NeedsSmtpUtf8
    }
}

impl From<Unsendable> for Failure {
    fn from(_: Unsendable) -> Self {
        Self::Unsendable
    }
}
