//! DATA on a connection: receives the body under its limits and deadlines, and has the desk answer.
//! BDAT does the same in its own way, with what is here.
//!
//! What becomes of each octet is `data`'s; where the memory comes from is `budget`'s.

use super::{Connection, Over, guard};
use crate::smtp::body_memory::BodyMemory;
use crate::smtp::budget::{FREE, Share};
use crate::smtp::data::{DataReader, Framing};
use crate::smtp::refusal::Refusal;
use crate::smtp::session::Begins;
use crate::smtp::{Body, Desk, Reply};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};

/// Octets of input buffer for a body, and for one that draws on the budget, from which the difference comes.
pub(super) const INPUT_FIRST: usize = 16 * 1024;
const INPUT_FULL: usize = 64 * 1024;
/// The smallest memory that a body begins with.
const BODY_FIRST: usize = 8 * 1024;

/// What a declared body gets beyond its declaration, for what follows it in the same read.
const DECLARED_SLACK: usize = 1024;

/// A body under way.
#[derive(Debug)]
pub(super) struct Receiving {
    pub(super) reader: DataReader,
    share: Share,
    /// How large the client says it is.
    pub(super) declared: Option<usize>,
    /// The most that it may be.
    pub(super) size_max: usize,
    started: Instant,
    received: u64,
    /// When the desk is to be told that the body dawdles; `None` once it was.
    slow_at: Option<Instant>,
}

/// Memory that goes back to the budget with the last of whoever holds the body.
struct Accounted {
    body: BodyMemory,
    _share: Share,
}

impl AsRef<[u8]> for Accounted {
    fn as_ref(&self) -> &[u8] {
        self.body.as_slice()
    }
}

impl<S, D> Connection<S, D>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    D: Desk,
{
    /// Carries out DATA.
    pub(super) async fn data(&mut self, begins: Begins) -> Result<(), Over> {
        self.refuse_pipelined().await?;
        self.wire
            .say(&Reply::new(354, "", "End the message with <CRLF>.<CRLF>"));
        self.flush().await?;
        // Boxed: only a session in DATA pays for it.
        let received = Box::pin(self.receive(begins)).await?;
        self.wire.release();
        match received {
            Ok(body) => self.message(body).await,
            Err(refusal) => {
                let refusal = self.no_message(refusal).await?;
                self.refuse(refusal, "message")?;
                self.transaction_over().await
            }
        }
    }

    /// Has the desk answer the message.
    pub(super) async fn message(&mut self, body: Body) -> Result<(), Over> {
        let answered = guard(self.rest.desk.message(body)).await;
        let reply = self.unless_broken(answered)?;
        self.rest.session.message_answered(&reply);
        self.pass_on(&reply)?;
        self.transaction_over().await
    }

    /// The message is refused, and with it the transaction is over: what the client is to be told.
    pub(super) async fn no_message(&mut self, refusal: Refusal) -> Result<Refusal, Over> {
        self.reset().await?;
        self.rest.session.message_answered(&refusal.reply());
        Ok(self.rest.session.counted(refusal))
    }

    /// A body that begins now.
    pub(super) fn receiving(&self, framing: Framing, begins: Begins) -> Receiving {
        let Begins { declared, size_max } = begins;
        let started = Instant::now();
        let budget = &self.rest.service.budget;
        Receiving {
            reader: DataReader::new(framing, self.rest.opening.line_ends, size_max, budget.spare()),
            share: Arc::clone(budget).share(),
            declared: declared.and_then(|size| usize::try_from(size).ok()),
            size_max: usize::try_from(size_max).unwrap_or(usize::MAX),
            started,
            received: 0,
            slow_at: Some(started + self.rest.service.deadlines.slow_data.0),
        }
    }

    /// Reads to the end of the message: the message, or why it is refused.
    async fn receive(&mut self, begins: Begins) -> Result<Result<Body, Refusal>, Over> {
        let wait = self.rest.service.deadlines.memory.0;
        let mut receiving = self.receiving(Framing::Dot, begins);
        self.wire.make_room(INPUT_FIRST);
        loop {
            let taken = receiving.take(self.wire.input(), wait).await;
            self.wire.consume(taken);
            if receiving.reader.is_done() {
                return Ok(receiving.finish());
            }
            self.make_room_for(&receiving);
            self.read_more(&mut receiving).await?;
        }
    }

    /// Has room to read more of a body, and no more than it has paid for.
    pub(super) fn make_room_for(&mut self, receiving: &Receiving) {
        if self.wire.room() > 0 {
            return;
        }
        if receiving.reader.is_discarding() {
            // A thousand bodies that nobody keeps must not hold a thousand large buffers either.
            self.wire.shrink(INPUT_FIRST);
        } else if receiving.share.is_empty() {
            self.wire.make_room(INPUT_FIRST);
        } else {
            self.wire.make_room(INPUT_FULL);
        }
    }

    /// Reads once; tells the desk on the way when the body dawdles.
    pub(super) async fn read_more(&mut self, receiving: &mut Receiving) -> Result<(), Over> {
        let (limit, refusal) = self.limit(receiving);
        loop {
            self.lend(receiving.started).await?;
            let until = receiving.slow_at.map_or(limit, |slow_at| slow_at.min(limit));
            let until = until.min(self.next_look());
            let read = timeout_at(until, self.wire.fill()).await;
            let now = Instant::now();
            if receiving.slow_at.is_some_and(|slow_at| slow_at <= now) {
                receiving.slow_at = None;
                let answered = guard(self.rest.desk.slow()).await;
                self.unless_broken(answered)?;
            }
            return match read {
                Ok(Ok(1..)) if now < receiving.started + self.rest.service.deadlines.data.0 => Ok(()),
                Ok(Ok(0) | Err(_)) => Err(Over::Gone),
                Err(_) if now < limit => continue,
                Ok(Ok(_)) | Err(_) => Err(self.refuse(refusal, "data").err().unwrap_or(Over::Refused)),
            };
        }
    }

    /// Until when the next octets have to come, and what the client is told when they don't.
    fn limit(&self, receiving: &Receiving) -> (Instant, Refusal) {
        let deadlines = &self.rest.service.deadlines;
        let block = Instant::now() + deadlines.data_block.0;
        let rate = self.rest.service.limits.data_rate.0;
        let earned = receiving.received.checked_div(rate).map(Duration::from_secs);
        let fair = earned.map_or(deadlines.data.0, |earned| earned.max(deadlines.data_grace.0));
        let whole = receiving.started + fair.min(deadlines.data.0);
        if block < whole {
            (block, Refusal::Timeout)
        } else {
            (whole, Refusal::Slow)
        }
    }
}

impl Receiving {
    /// Takes octets of the body, and says how many: all, unless it ends before.
    pub(super) async fn take(&mut self, octets: &[u8], wait: Duration) -> usize {
        self.prepare(octets.len(), wait).await;
        let taken = self.reader.feed(octets);
        self.received += taken as u64;
        taken
    }

    /// Makes room for a chunk of this many octets, or gives the body up.
    async fn prepare(&mut self, chunk: usize, wait: Duration) {
        if let Some(needed) = self.reader.wants(chunk) {
            let capacity = self.next_capacity(needed);
            let input = if capacity > FREE { INPUT_FULL - INPUT_FIRST } else { 0 };
            match self.share.grow(capacity.saturating_add(input), wait).await {
                Ok(()) => self.reader.grow(capacity),
                Err(_) => self.reader.discard(Refusal::Memory),
            }
        }
        if self.reader.is_discarding() {
            self.share.give_back();
        }
    }

    /// How much memory to have next: twice as much each time while it is free, then what was declared
    /// in one step. What goes beyond its declaration grows as if there had been none.
    fn next_capacity(&self, needed: usize) -> usize {
        let doubled = self
            .reader
            .room()
            .saturating_mul(2)
            .clamp(BODY_FIRST, self.size_max.max(BODY_FIRST));
        match self.declared.map(|declared| declared.saturating_add(DECLARED_SLACK)) {
            Some(declared) if needed <= declared && needed > FREE => declared,
            Some(declared) if needed <= declared => needed.max(declared.min(FREE)),
            _ => needed.max(doubled),
        }
    }

    /// The whole body, or why there is none.
    pub(super) fn finish(self) -> Result<Body, Refusal> {
        let read = self.started.elapsed();
        let Self { reader, share, .. } = self;
        reader.finish().map(|body| Body {
            bytes: Bytes::from_owner(Accounted { body, _share: share }),
            read,
        })
    }
}
