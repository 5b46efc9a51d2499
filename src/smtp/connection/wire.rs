//! A stream with what has been read and not yet understood, and what has been said and not yet sent.
//!
//! Knows nothing of what the octets mean.

use super::Reply;
use bytes::{Buf, BytesMut};
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// Octets of input buffer while commands are read: what an idle connection costs.
const INPUT_IDLE: usize = 4096;
/// Octets of replies that are collected at most.
const OUTPUT_MAX: usize = 4096;
/// How long, and for how many octets, a client that was refused may go on before the connection is
/// dropped. Dropping it earlier would reset it, and the reset can overtake our last reply.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_MAX: usize = 1 << 20;

#[derive(Debug)]
pub(super) struct Wire<S> {
    stream: S,
    input: BytesMut,
    output: Vec<u8>,
    write_deadline: Duration,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(super) fn new(stream: S, write_deadline: Duration) -> Self {
        Self {
            stream,
            input: BytesMut::with_capacity(INPUT_IDLE),
            output: Vec::new(),
            write_deadline,
        }
    }

    /// The stream; what was read and not understood is lost, on purpose.
    pub(super) fn into_stream(self) -> S {
        self.stream
    }

    /// What has been read.
    pub(super) fn input(&self) -> &[u8] {
        &self.input
    }

    /// Takes octets off the input's beginning.
    pub(super) fn consume(&mut self, count: usize) {
        self.input.advance(count.min(self.input.len()));
    }

    /// Makes room for this many octets to be read at once.
    pub(super) fn make_room(&mut self, count: usize) {
        self.input.reserve(count.saturating_sub(self.input.len()));
    }

    /// Room for reading without growing.
    pub(super) fn room(&self) -> usize {
        self.input.capacity() - self.input.len()
    }

    /// Goes back to the buffer of an idle connection.
    pub(super) fn release(&mut self) {
        self.shrink(INPUT_IDLE);
    }

    /// Goes back to a buffer of this many octets, or of what it holds.
    pub(super) fn shrink(&mut self, count: usize) {
        let mut input = BytesMut::with_capacity(self.input.len().max(count));
        input.extend_from_slice(&self.input);
        self.input = input;
    }

    /// Reads once: the number of octets, 0 at the stream's end. May be dropped while it waits.
    pub(super) async fn fill(&mut self) -> io::Result<usize> {
        // Neither makes an idle connection's buffer grow: what was consumed is room again.
        if self.input.is_empty() {
            self.input.reserve(INPUT_IDLE);
        } else if self.room() == 0 {
            self.input.reserve(INPUT_IDLE / 2);
        }
        self.stream.read_buf(&mut self.input).await
    }

    /// Whether there is input that has not been understood, read or waiting to be.
    pub(super) async fn has_unread(&mut self) -> io::Result<bool> {
        if self.input.is_empty() {
            let mut read = pin!(self.fill());
            poll_fn(|context| match read.as_mut().poll(context) {
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                Poll::Ready(Ok(_)) | Poll::Pending => Poll::Ready(Ok(())),
            })
            .await?;
        }
        Ok(!self.input.is_empty())
    }

    /// Puts a reply behind those that wait to be sent.
    pub(super) fn say(&mut self, reply: &Reply) {
        reply.write_to(&mut self.output);
    }

    /// Whether replies should be sent before more are made.
    pub(super) const fn has_much_to_say(&self) -> bool {
        self.output.len() >= OUTPUT_MAX
    }

    /// Sends what was said.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        if self.output.is_empty() {
            return Ok(());
        }
        let written = timeout(self.write_deadline, async {
            self.stream.write_all(&self.output).await?;
            self.stream.flush().await
        });
        written.await.map_err(|_| io::ErrorKind::TimedOut)??;
        self.output.clear();
        Ok(())
    }

    /// Sends what was said, and closes.
    pub(super) async fn close(&mut self) {
        // Nobody is left to be told of an error.
        if self.flush().await.is_ok() {
            let _ = timeout(self.write_deadline, self.stream.shutdown()).await;
        }
    }

    /// Closes, and reads on for a while what the client is still sending.
    pub(super) async fn close_lingering(&mut self) {
        self.close().await;
        let mut left = LINGER_MAX;
        let _ = timeout(LINGER, async {
            loop {
                self.input.clear();
                match self.fill().await {
                    Ok(count @ 1..) if count < left => left -= count,
                    _ => break,
                }
            }
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_long_session_keeps_its_small_buffer() {
        let (mut client, server) = tokio::io::duplex(1 << 16);
        let mut wire = Wire::new(server, Duration::from_secs(1));
        for length in (1..2000).step_by(7).cycle().take(1000) {
            client.write_all(&vec![b'x'; length]).await.unwrap();
            while wire.input().len() < length {
                wire.fill().await.unwrap();
            }
            wire.consume(length);
        }
        wire.input.reserve(INPUT_IDLE);
        assert_eq!(wire.input.capacity(), INPUT_IDLE);
    }
}
