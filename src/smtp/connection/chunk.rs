//! BDAT on a connection (RFC 3030): a message in chunks of a stated length, under the limits and deadlines
//! that a body after DATA has.
//!
//! A chunk is read to its end whatever is made of it: its octets must never be taken for commands. What
//! becomes of each octet is `data`'s.

use super::body::{INPUT_FIRST, Receiving};
use super::{Connection, Over};
use crate::smtp::command::Chunk;
use crate::smtp::data::Framing;
use crate::smtp::refusal::Refusal;
use crate::smtp::session::Begins;
use crate::smtp::{Desk, Reply};
use tokio::io::{AsyncRead, AsyncWrite};

/// Of a body that nobody keeps.
const NOTHING: Begins = Begins {
    declared: None,
    size_max: 0,
};

impl<S, D> Connection<S, D>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    D: Desk,
{
    /// Carries out BDAT; `begins` comes with a message's first chunk.
    pub(super) async fn chunk(&mut self, chunk: Chunk, begins: Option<Begins>) -> Result<(), Over> {
        let begun = begins.map(|begins| Box::new(self.receiving(Framing::Count, begins)));
        let Some(mut receiving) = begun.or_else(|| self.rest.receiving.take()) else {
            return self.refuse_chunk(chunk, Refusal::Fault, "data").await;
        };
        receiving.announce(chunk);
        // Boxed: only a session in BDAT pays for it.
        Box::pin(self.absorb(&mut receiving, chunk.size)).await?;
        if chunk.last {
            receiving.reader.end();
        }
        if receiving.reader.is_done() || receiving.reader.is_discarding() {
            self.wire.release();
            return match receiving.finish() {
                Ok(body) => self.message(body).await,
                Err(refusal) => {
                    let refusal = self.no_message(refusal).await?;
                    self.refuse_and_go_on(refusal, "message")?;
                    self.transaction_over().await
                }
            };
        }
        self.rest.receiving = Some(receiving);
        self.wire
            .say(&Reply::new(250, "2.0.0", format!("{} octets received", chunk.size)));
        Ok(())
    }

    /// Reads a chunk that has no place here, and refuses it.
    pub(super) async fn refuse_chunk(
        &mut self,
        chunk: Chunk,
        refusal: Refusal,
        stage: &'static str,
    ) -> Result<(), Over> {
        if !refusal.closes() {
            let mut receiving = self.receiving(Framing::Count, NOTHING);
            receiving.reader.discard(refusal);
            Box::pin(self.absorb(&mut receiving, chunk.size)).await?;
            self.wire.release();
        }
        self.refuse(refusal, stage)
    }

    /// Reads a whole chunk.
    async fn absorb(&mut self, receiving: &mut Receiving, size: u64) -> Result<(), Over> {
        let wait = self.rest.service.deadlines.memory.0;
        let mut left = usize::try_from(size).unwrap_or(usize::MAX);
        self.wire.make_room(INPUT_FIRST.min(left));
        while left > 0 {
            let input = self.wire.input();
            let taken = receiving.take(input.get(..left).unwrap_or(input), wait).await;
            self.wire.consume(taken);
            left -= taken;
            if left > 0 {
                // Replies to the commands before it may be what the client waits for.
                self.flush().await?;
                self.make_room_for(receiving);
                self.read_more(receiving).await?;
            }
        }
        Ok(())
    }

    /// Unlike after DATA nobody can be in doubt where a malformed message ended, and what is in flight behind
    /// it is read: closing could make the client miss why.
    fn refuse_and_go_on(&mut self, refusal: Refusal, stage: &'static str) -> Result<(), Over> {
        match refusal {
            Refusal::Malformed(_) => {
                self.rest.service.telemetry.rejected(refusal.reason(), stage);
                self.wire.say(&refusal.reply());
                Ok(())
            }
            _ => self.refuse(refusal, stage),
        }
    }
}

impl Receiving {
    /// A chunk of this length comes next.
    fn announce(&mut self, chunk: Chunk) {
        let size = usize::try_from(chunk.size).unwrap_or(usize::MAX);
        let whole = self.reader.kept().saturating_add(size);
        if whole > self.size_max {
            self.reader.discard(Refusal::TooBig);
        } else if chunk.last {
            // Now it is certain, whatever SIZE said.
            self.declared = Some(whole);
        }
    }
}
