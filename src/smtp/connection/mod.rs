//! One SMTP connection: drives a session over any stream, and asks a desk what to answer.
//!
//! Octets enter and leave here; what they mean is decided by `session` and the desk. Keeps deadlines,
//! collects the replies of a pipelined group into one write, and closes so that the last reply
//! arrives. Knows nothing of sockets, of TLS beyond handing the stream back for it, or of mail.

mod body;
mod chunk;
mod wire;

use super::budget::Budget;
use super::data::LineEnds;
use super::limits::{Deadlines, Limits};
use super::line::{Found, LineFinder};
use super::refusal::Refusal;
use super::session::{Abilities, Declared, Manner, Session, Step};
use super::{Desk, Hold, MailCommand, Reply};
use crate::mail::{Client, Recipient};
use crate::telemetry::Telemetry;
use body::Receiving;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use wire::Wire;

/// How long a client may keep us waiting with what others wait for, such as a connection to the server behind: a
/// few clients that dawdle between two commands could hold them all.
const LEND_AFTER: Duration = Duration::from_millis(20);

/// The least time between two looks at whether places have become scarce, however short the deadlines.
const LOOK_LEAST: Duration = Duration::from_secs(1);

/// What all connections have in common.
#[derive(Debug, Clone)]
pub struct Service {
    /// The name that we greet with.
    pub hostname: Arc<str>,
    /// How much.
    pub limits: Limits,
    /// How long.
    pub deadlines: Deadlines,
    /// Memory for bodies.
    pub budget: Arc<Budget>,
    /// Where refusals are reported.
    pub telemetry: Telemetry,
    /// Set while nearly all connections are taken: silent clients are then sent off sooner.
    pub overloaded: Arc<AtomicBool>,
    /// Cancelled when the daemon stops: idle sessions end at once, bodies under way are finished.
    pub drain: CancellationToken,
}

/// What is known of a connection before it says anything.
#[derive(Debug, Clone, Default)]
pub struct Opening {
    /// The client; `None` when it could not be found out.
    pub address: Option<SocketAddr>,
    /// TLS version and suite when the stream is inside TLS already.
    pub tls: Option<String>,
    /// Whether the caller can start TLS.
    pub starttls: bool,
    /// Whether messages may come in chunks (CHUNKING).
    pub chunking: bool,
    /// What is done about bare line ends.
    pub line_ends: LineEnds,
    /// A refusal to greet with.
    pub refusal: Option<Refusal>,
    /// For a peer that may say who its client is: whether that client may come in.
    pub door: Option<Arc<dyn Door>>,
}

/// Decides about clients that a front brings in by XCLIENT.
pub trait Door: std::fmt::Debug + Send + Sync {
    /// The connection is this client's from now on; `None` when the front doesn't know whose.
    ///
    /// # Errors
    /// The refusal that the client gets in place of the greeting.
    fn enter(&self, client: Option<SocketAddr>) -> Result<(), Refusal>;
}

/// A connection that can be served.
#[derive(Debug)]
pub struct Connection<S, D> {
    wire: Wire<S>,
    rest: Suspended<D>,
}

/// How serving a connection ended.
#[derive(Debug)]
pub enum End<S, D> {
    /// It is closed.
    Closed,
    /// The client was told to start TLS: secure the stream, then [`Suspended::resume`].
    StartTls(S, Box<Suspended<D>>),
}

/// A session without its stream.
#[derive(Debug)]
pub struct Suspended<D> {
    finder: LineFinder,
    session: Session,
    /// What has come of a message in chunks. Boxed: most sessions never have one.
    receiving: Option<Box<Receiving>>,
    desk: D,
    /// The desk panicked and can't be asked anything any more.
    broken: bool,
    greeted: bool,
    opening: Opening,
    service: Arc<Service>,
}

/// Why a conversation is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    /// The client said QUIT, and was answered.
    Quit,
    /// The client was told why, and may still be sending.
    Refused,
    /// The client is gone.
    Gone,
    /// The client waits for TLS.
    StartTls,
}

impl<S, D> Connection<S, D>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    D: Desk,
{
    /// A connection that has not been greeted yet.
    pub fn new(stream: S, desk: D, opening: Opening, service: Arc<Service>) -> Self {
        let abilities = Abilities {
            starttls: opening.starttls,
            front: opening.door.is_some(),
            chunking: opening.chunking,
        };
        let manner = Manner::new(Arc::clone(&service.hostname), abilities, &service.limits);
        let rest = Suspended {
            finder: LineFinder::default(),
            session: Session::new(manner, opening.address, opening.tls.clone()),
            receiving: None,
            desk,
            broken: false,
            greeted: false,
            opening,
            service,
        };
        Self {
            wire: Wire::new(stream, rest.service.deadlines.write.0),
            rest,
        }
    }

    /// Serves the client until it leaves, is sent off, or wants TLS.
    pub async fn serve(mut self) -> End<S, D> {
        let over = match self.converse().await {
            Err(over) => over,
            Ok(never) => match never {},
        };
        if self.rest.session.is_in_transaction() && !self.rest.broken {
            // A panic here changes nothing: the desk is dropped next, which resets it as well.
            let _ = self.reset().await;
        }
        match over {
            Over::StartTls => return End::StartTls(self.wire.into_stream(), Box::new(self.rest)),
            Over::Quit => self.wire.close().await,
            Over::Refused => self.wire.close_lingering().await,
            Over::Gone => {}
        }
        End::Closed
    }

    async fn converse(&mut self) -> Result<std::convert::Infallible, Over> {
        if !self.rest.greeted {
            self.greet().await?;
        }
        loop {
            let length = self.next_line().await?;
            let line = self.wire.input().get(..length).unwrap_or_default();
            let mut offer = self.rest.desk.offer();
            offer.size = offer.size.min(self.rest.service.limits.message_size.0);
            let step = self.rest.session.command(line, offer);
            self.wire.consume(length + "\r\n".len());
            self.take(step).await?;
            if self.wire.has_much_to_say() {
                self.flush().await?;
            }
        }
    }

    /// Greets, unless the client is refused or speaks first.
    async fn greet(&mut self) -> Result<(), Over> {
        self.rest.greeted = true;
        if let Some(refusal) = self.rest.opening.refusal {
            return self.refuse(refusal, "connect");
        }
        let delay = self.rest.service.deadlines.greet_delay.0;
        let early = if delay.is_zero() {
            self.is_talking().await?
        } else {
            match timeout(delay, self.wire.fill()).await {
                Err(_) => false,
                Ok(Ok(1..)) => true,
                Ok(Ok(0) | Err(_)) => return Err(Over::Gone),
            }
        };
        if early {
            return self.refuse(Refusal::EarlyTalk, "connect");
        }
        let greeting = self.rest.session.greeting();
        self.wire.say(&greeting);
        Ok(())
    }

    /// Waits for a whole command line at the input's beginning, and says how long it is.
    async fn next_line(&mut self) -> Result<usize, Over> {
        let mut since = None;
        loop {
            match self.rest.finder.find(self.wire.input()) {
                Found::Line(length) => return Ok(length),
                Found::Incomplete => {}
                Found::Skip(count) => self.wire.consume(count),
                Found::Refused(count, refusal) => {
                    self.wire.consume(count);
                    self.refuse_counted(refusal)?;
                    continue;
                }
            }
            // Nothing more can be answered: the whole group's replies leave in one write.
            self.flush().await?;
            if let Some(mut receiving) = self.rest.receiving.take() {
                // Between two chunks the message is still on its way.
                self.read_more(&mut receiving).await?;
                self.rest.receiving = Some(receiving);
            } else {
                let since = *since.get_or_insert_with(Instant::now);
                self.read(since).await?;
            }
        }
    }

    /// Reads once, until the command that is waited for since then is overdue or the daemon stops.
    async fn read(&mut self, since: Instant) -> Result<(), Over> {
        let refusal = loop {
            self.lend(since).await?;
            let overdue = since + self.patience();
            if overdue <= Instant::now() {
                break Refusal::Timeout;
            }
            let drain = &self.rest.service.drain;
            let read = tokio::select! {
                biased;
                () = drain.cancelled() => break Refusal::Draining,
                read = timeout_at(overdue.min(self.next_look()), self.wire.fill()) => read,
            };
            match read {
                Ok(Ok(1..)) => return Ok(()),
                Ok(Ok(0) | Err(_)) => return Err(Over::Gone),
                Err(_) => {}
            }
        };
        let stage = self.rest.session.stage();
        self.refuse(refusal, stage)
    }

    /// How long a command is waited for, as things are.
    fn patience(&self) -> Duration {
        let deadlines = &self.rest.service.deadlines;
        if self.rest.service.overloaded.load(Ordering::Relaxed) {
            deadlines.command_overload.0.min(deadlines.command.0)
        } else {
            deadlines.command.0
        }
    }

    /// When to see whether places, or what the transaction holds, have become scarce since: whoever already waits
    /// has to make room too, or those who came first could keep every place for the long deadline.
    fn next_look(&self) -> Instant {
        let after = match self.rest.desk.hold() {
            Hold::Nothing => self.rest.service.deadlines.command_overload.0.max(LOOK_LEAST),
            Hold::Spare | Hold::Wanted => LEND_AFTER,
        };
        Instant::now() + after
    }

    /// Lets go of what others wait for where the client has kept us waiting since then.
    async fn lend(&mut self, since: Instant) -> Result<(), Over> {
        if self.rest.desk.hold() == Hold::Wanted && since + LEND_AFTER <= Instant::now() {
            let answered = guard(self.rest.desk.slow()).await;
            self.unless_broken(answered)?;
        }
        Ok(())
    }

    async fn take(&mut self, step: Step) -> Result<(), Over> {
        match step {
            Step::Answer(reply) => self.wire.say(&reply),
            Step::Refuse(refusal, stage) => return self.refuse(refusal, stage),
            Step::RefuseData(refusal, stage) => {
                self.refuse_pipelined().await?;
                return self.refuse(refusal, stage);
            }
            Step::Hello(client, reply) => {
                self.refuse_pipelined().await?;
                self.rest.receiving = None;
                let answered = guard(self.rest.desk.hello(&client)).await;
                self.unless_broken(answered)?;
                self.wire.say(&reply);
            }
            Step::XClient(client, greeting) => return self.xclient(&client, &greeting).await,
            Step::XForward(client, reply) => {
                let answered = guard(self.rest.desk.hello(&client)).await;
                self.unless_broken(answered)?;
                self.wire.say(&reply);
            }
            Step::Mail(mail) => return self.mail(mail).await,
            Step::Rcpt(recipient) => return self.rcpt(recipient).await,
            Step::Data(begins) => return self.data(begins).await,
            Step::Chunk { chunk, begins } => return self.chunk(chunk, begins).await,
            Step::RefuseChunk(chunk, refusal, stage) => return self.refuse_chunk(chunk, refusal, stage).await,
            Step::Reset(reply) => {
                self.reset().await?;
                self.wire.say(&reply);
                return self.transaction_over().await;
            }
            Step::StartTls => return self.start_tls().await,
            Step::Quit => {
                self.wire.say(&Reply::new(221, "2.0.0", "Bye"));
                return Err(Over::Quit);
            }
        }
        Ok(())
    }

    /// What a front said of a client was said of the transaction that is over.
    async fn transaction_over(&mut self) -> Result<(), Over> {
        if let Some(client) = self.rest.session.forget_forwarded() {
            let told = guard(self.rest.desk.hello(&client)).await;
            self.unless_broken(told)?;
        }
        Ok(())
    }

    async fn xclient(&mut self, client: &Client, greeting: &Reply) -> Result<(), Over> {
        self.refuse_pipelined().await?;
        let entered = self.rest.opening.door.as_ref().map(|door| door.enter(client.address));
        match entered {
            Some(Err(refusal)) => self.refuse(refusal, "hello"),
            Some(Ok(())) | None => {
                self.wire.say(greeting);
                Ok(())
            }
        }
    }

    async fn mail(&mut self, mail: MailCommand) -> Result<(), Over> {
        let declared = Declared::from(&mail);
        let answered = guard(self.rest.desk.mail(mail)).await;
        let reply = self.unless_broken(answered)?;
        match self.rest.session.mail_answered(declared, &reply) {
            Ok(()) => self.pass_on(&reply),
            Err(refusal) => self.refuse(refusal, "mail"),
        }
    }

    async fn rcpt(&mut self, recipient: Recipient) -> Result<(), Over> {
        let answered = guard(self.rest.desk.rcpt(recipient)).await;
        let reply = self.unless_broken(answered)?;
        match self.rest.session.rcpt_answered(&reply) {
            Ok(()) => self.pass_on(&reply),
            Err(refusal) => self.refuse(refusal, "rcpt"),
        }
    }

    async fn start_tls(&mut self) -> Result<(), Over> {
        // What came in with STARTTLS was said in the clear, by whoever is on the way; it must never
        // be read as if it had been said inside TLS (CVE-2011-0411).
        self.refuse_pipelined().await?;
        if self.rest.session.is_in_transaction() {
            self.reset().await?;
        }
        self.wire.say(&Reply::new(220, "2.0.0", "Start TLS"));
        self.flush().await?;
        Err(Over::StartTls)
    }

    async fn reset(&mut self) -> Result<(), Over> {
        self.rest.receiving = None;
        let answered = guard(self.rest.desk.reset()).await;
        self.unless_broken(answered)
    }

    /// A reply of the desk's.
    fn pass_on(&mut self, reply: &Reply) -> Result<(), Over> {
        self.wire.say(reply);
        if reply.closes() { Err(Over::Refused) } else { Ok(()) }
    }

    fn refuse(&mut self, refusal: Refusal, stage: &'static str) -> Result<(), Over> {
        self.rest.service.telemetry.rejected(refusal.reason(), stage);
        self.wire.say(&refusal.reply());
        if refusal.closes() { Err(Over::Refused) } else { Ok(()) }
    }

    fn refuse_counted(&mut self, refusal: Refusal) -> Result<(), Over> {
        let stage = self.rest.session.stage();
        let refusal = self.rest.session.counted(refusal);
        self.refuse(refusal, stage)
    }

    /// Ends the session of a client that spoke where it had to wait (RFC 2920 §3.1): what stands
    /// behind such a command is what a confused relay was made to pass on.
    async fn refuse_pipelined(&mut self) -> Result<(), Over> {
        if self.is_talking().await? {
            let stage = self.rest.session.stage();
            return self.refuse(Refusal::Pipelining, stage);
        }
        Ok(())
    }

    async fn is_talking(&mut self) -> Result<bool, Over> {
        self.wire.has_unread().await.map_err(|_| Over::Gone)
    }

    async fn flush(&mut self) -> Result<(), Over> {
        self.wire.flush().await.map_err(|_| Over::Gone)
    }

    /// What the desk answered, or the end of the session when it panicked instead.
    fn unless_broken<T>(&mut self, answered: Result<T, Panicked>) -> Result<T, Over> {
        answered.map_err(|Panicked| {
            self.rest.broken = true;
            let stage = self.rest.session.stage();
            self.rest
                .service
                .telemetry
                .warning("panic", "a session ended in a panic; its client was told to try again");
            self.refuse(Refusal::Fault, stage).err().unwrap_or(Over::Refused)
        })
    }
}

impl<D: Desk> Suspended<D> {
    /// Goes on over a stream that is inside TLS now; `tls` names its version and suite.
    pub fn resume<S>(mut self, stream: S, tls: String) -> Connection<S, D>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        self.session.secured(tls);
        Connection {
            wire: Wire::new(stream, self.service.deadlines.write.0),
            rest: self,
        }
    }
}

/// The desk panicked.
#[derive(Debug, Clone, Copy)]
struct Panicked;

/// Runs a desk's answer to its end, or to its panic. The future is boxed, so that a session that
/// waits for its client does not hold room for the largest of them.
async fn guard<T>(answer: impl Future<Output = T> + Send) -> Result<T, Panicked> {
    let mut answer = Box::pin(answer);
    std::future::poll_fn(
        move |context| match catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(context))) {
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(_) => Poll::Ready(Err(Panicked)),
        },
    )
    .await
}

#[cfg(test)]
mod tests;
