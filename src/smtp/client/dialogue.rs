//! One conversation with a server over any stream: commands out, replies in.
//!
//! Every step has a deadline, and a dialogue knows whether it is in step: whether each command got
//! its one reply and nothing else came. Only then may its stream serve another message. Knows
//! nothing of addresses to connect to, and leaves it to the caller what a reply means.

use super::answer::{Answer, LINE_OCTETS_MAX};
use super::body::{Chunk, Stuffed};
use super::{Command, Extensions, Fault, Protocol};
use crate::smtp::Reply;
use bytes::{Bytes, BytesMut};
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;

/// How much is read at once.
const READ_OCTETS: usize = 4096;
/// A message up to this size, as it goes over the wire, is sent in one write.
const ONE_WRITE_OCTETS_MAX: usize = 64 * 1024;
/// How many slices of a larger one go into one write.
const SLICES_MAX: usize = 256;

/// One conversation with a server.
#[derive(Debug)]
pub struct Dialogue<S> {
    stream: S,
    received: BytesMut,
    /// Replies that are due.
    owed: usize,
    /// A write was begun and not finished: nobody knows where the server stands.
    is_torn: bool,
}

/// How long a message may take to be taken.
#[derive(Debug, Clone, Copy)]
pub struct BodyPatience {
    /// The wait for any octet at all to be taken.
    pub block: Duration,
    /// The wait for all of it.
    pub whole: Duration,
}

/// A message that could not be sent whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyFault {
    /// Why.
    pub fault: Fault,
    /// Whether its last octet had been written, so that the server may have it all.
    pub end_may_have_left: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Dialogue<S> {
    /// A fresh connection: the server greets first.
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            received: BytesMut::new(),
            owed: 1,
            is_torn: false,
        }
    }

    /// The same connection after a TLS handshake: no greeting is due (RFC 3207 §4.2).
    pub fn after_handshake(stream: S) -> Self {
        Self {
            owed: 0,
            ..Self::new(stream)
        }
    }

    /// The stream, to put TLS on it.
    ///
    /// # Errors
    /// When anything came after the last reply: it was said in the clear and must not be taken for
    /// something said under TLS.
    pub fn into_stream(self) -> Result<S, Fault> {
        if !self.is_in_step() {
            return Err(Fault::Garbled("it went on talking after its answer to STARTTLS"));
        }
        Ok(self.stream)
    }

    /// Whether every command has had its reply and nothing more has come.
    pub fn is_in_step(&self) -> bool {
        self.owed == 0 && !self.is_torn && self.received.is_empty()
    }

    /// Whether the server has gone on talking, and not only to say goodbye (RFC 5321 §3.8).
    pub fn is_overtalked(&self) -> bool {
        !self.received.is_empty() && !self.received.starts_with(b"421")
    }

    /// Whether the connection stands open and silent, without waiting: an idle one that the server
    /// has closed, or on which it has said goodbye, is not.
    pub async fn is_quiet(&mut self) -> bool {
        if !self.is_in_step() {
            return false;
        }
        let stream = &mut self.stream;
        poll_fn(|context| {
            let mut octet = [0];
            let mut buffer = ReadBuf::new(&mut octet);
            // Pending means open and silent; octets, the end or an error all mean that it's of no more use.
            Poll::Ready(Pin::new(&mut *stream).poll_read(context, &mut buffer).is_pending())
        })
        .await
    }

    /// Says commands, in one write.
    ///
    /// # Errors
    /// When they can't be written, or when the server has spoken out of turn.
    pub async fn send(&mut self, commands: &[Command], patience: Duration) -> Result<(), Fault> {
        // Were either let pass, every later reply would be taken for the one before it: the server said more
        // than it was asked for, or a caller went away while an earlier reply was due.
        if self.owed == 0 && !self.received.is_empty() {
            return Err(Fault::Garbled("it spoke out of turn"));
        }
        if !self.is_in_step() {
            return Err(Fault::Dropped);
        }
        self.owed += commands.len();
        self.is_torn = true;
        match commands {
            [command] => within(patience, self.stream.write_all(command.as_bytes())).await?,
            _ => {
                let lines = commands.iter().map(Command::as_bytes).collect::<Vec<_>>().concat();
                within(patience, self.stream.write_all(&lines)).await?;
            }
        }
        within(patience, self.stream.flush()).await?;
        self.is_torn = false;
        Ok(())
    }

    /// Reads the next reply that is due; the deadline is for the whole of it.
    ///
    /// # Errors
    /// When none comes, or what comes is none.
    pub async fn reply(&mut self, patience: Duration) -> Result<Reply, Fault> {
        let reply = timeout(patience, self.read_reply())
            .await
            .map_err(|_| Fault::TimedOut)??;
        self.owed = self.owed.saturating_sub(1);
        Ok(reply)
    }

    /// Says one command and reads its reply.
    ///
    /// # Errors
    /// When either fails.
    pub async fn ask(&mut self, command: Command, patience: Duration) -> Result<Reply, Fault> {
        self.send(&[command], patience).await?;
        self.reply(patience).await
    }

    /// Says EHLO, or HELO to a server that doesn't know it; LHLO where LMTP is spoken. The reply, and
    /// what it offers.
    ///
    /// # Errors
    /// When no reply comes, or our own name can't be said.
    pub async fn hello(
        &mut self,
        protocol: Protocol,
        name: &str,
        patience: Duration,
    ) -> Result<(Reply, Extensions), Fault> {
        const OUR_NAME: Fault = Fault::Garbled("our own host name can't be said in a greeting");
        let greeting = match protocol {
            Protocol::Smtp => Command::ehlo(name),
            Protocol::Lmtp => Command::lhlo(name),
        };
        let reply = self.ask(greeting.map_err(|_| OUR_NAME)?, patience).await?;
        // RFC 5321 §4.1.1.1: a server that knows no EHLO says 500 or 502. LMTP has no older greeting, and
        // its server has to refuse SMTP's (RFC 2033 §4.1).
        if protocol == Protocol::Smtp && matches!(reply.code(), 500 | 502) {
            let reply = self.ask(Command::helo(name).map_err(|_| OUR_NAME)?, patience).await?;
            return Ok((reply, Extensions::default()));
        }
        let extensions = Extensions::of(&reply);
        Ok((reply, extensions))
    }

    /// Sends a message after a 354, dots stuffed and the final dot added. So many replies are then due.
    ///
    /// # Errors
    /// When it can't be written; whether the server may have it is said with it.
    pub async fn body(&mut self, pieces: &[Bytes], replies: usize, patience: BodyPatience) -> Result<(), BodyFault> {
        // Room for a few stuffed dots and the last.
        let room = length_of(pieces) + 64;
        self.whole(Stuffed::new(pieces), room, replies, patience).await
    }

    /// Sends a message as it is, in one chunk that is the last (RFC 3030 §2). So many replies are then due.
    ///
    /// # Errors
    /// When it can't be written, or the server has spoken out of turn; whether it may have the message is
    /// said with it.
    pub async fn chunk(&mut self, pieces: &[Bytes], replies: usize, patience: BodyPatience) -> Result<(), BodyFault> {
        // No 354 shows that both sides stand at the same step: a reply too many would pass for the message's.
        if !self.is_quiet().await {
            return Err(BodyFault {
                fault: Fault::Garbled("it spoke out of turn, or is gone"),
                end_may_have_left: false,
            });
        }
        let command = Command::bdat_last(length_of(pieces));
        let room = length_of(pieces) + command.as_bytes().len();
        let segments = Chunk::new(command.as_bytes(), pieces);
        self.whole(segments, room, replies, patience).await
    }

    async fn whole<'p>(
        &mut self,
        segments: impl Iterator<Item = &'p [u8]>,
        room: usize,
        replies: usize,
        patience: BodyPatience,
    ) -> Result<(), BodyFault> {
        self.owed += replies;
        self.is_torn = true;
        let mut end_may_have_left = false;
        let writing = self.write_segments(segments, room, patience.block, &mut end_may_have_left);
        match timeout(patience.whole, writing).await.unwrap_or(Err(Fault::TimedOut)) {
            Ok(()) => {
                self.is_torn = false;
                Ok(())
            }
            Err(fault) => Err(BodyFault {
                fault,
                end_may_have_left,
            }),
        }
    }

    async fn write_segments<'p>(
        &mut self,
        segments: impl Iterator<Item = &'p [u8]>,
        room: usize,
        block: Duration,
        has_end: &mut bool,
    ) -> Result<(), Fault> {
        let mut segments = segments.peekable();
        if room <= ONE_WRITE_OCTETS_MAX {
            // So that most messages are copied once.
            let mut wire = Vec::with_capacity(room);
            segments.for_each(|segment| wire.extend_from_slice(segment));
            self.write_slices(&mut [IoSlice::new(&wire)], block).await?;
        } else {
            while segments.peek().is_some() {
                let mut slices: Vec<IoSlice<'_>> = segments.by_ref().take(SLICES_MAX).map(IoSlice::new).collect();
                self.write_slices(&mut slices, block).await?;
            }
        }
        // A write that fails takes nothing, and the end is the very last of what is written.
        *has_end = true;
        within(block, self.stream.flush()).await
    }

    async fn write_slices(&mut self, mut slices: &mut [IoSlice<'_>], block: Duration) -> Result<(), Fault> {
        while !slices.is_empty() {
            let written = within(block, self.stream.write_vectored(slices)).await?;
            if written == 0 {
                return Err(Fault::Dropped);
            }
            IoSlice::advance_slices(&mut slices, written);
        }
        Ok(())
    }

    async fn read_reply(&mut self) -> Result<Reply, Fault> {
        let mut answer = Answer::default();
        loop {
            let line = self.read_line().await?;
            let text = line
                .strip_suffix(b"\r\n")
                .ok_or(Fault::Garbled("a reply line ends in a bare LF"))?;
            if let Some(reply) = answer.line(text)? {
                return Ok(reply);
            }
        }
    }

    /// One line with its LF.
    async fn read_line(&mut self) -> Result<BytesMut, Fault> {
        const TOO_LONG: Fault = Fault::Garbled("a reply line is too long");
        let mut searched = 0;
        loop {
            let fresh = self.received.get(searched..).unwrap_or(&[]);
            if let Some(at) = memchr::memchr(b'\n', fresh) {
                let end = searched + at + 1;
                return if end > LINE_OCTETS_MAX {
                    Err(TOO_LONG)
                } else {
                    Ok(self.received.split_to(end))
                };
            }
            searched = self.received.len();
            if searched >= LINE_OCTETS_MAX {
                return Err(TOO_LONG);
            }
            self.received.reserve(READ_OCTETS);
            match self.stream.read_buf(&mut self.received).await {
                Ok(0) | Err(_) => return Err(Fault::Dropped),
                Ok(_) => {}
            }
        }
    }
}

fn length_of(pieces: &[Bytes]) -> usize {
    pieces.iter().map(Bytes::len).sum()
}

/// Waits for a write so long and no longer.
async fn within<T>(patience: Duration, write: impl Future<Output = io::Result<T>>) -> Result<T, Fault> {
    match timeout(patience, write).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(_)) => Err(Fault::Dropped),
        Err(_) => Err(Fault::TimedOut),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{DuplexStream, duplex};

    const PATIENCE: Duration = Duration::from_secs(30);

    async fn saying(words: &[u8]) -> (Dialogue<DuplexStream>, DuplexStream) {
        let (ours, mut theirs) = duplex(1 << 20);
        theirs.write_all(words).await.unwrap();
        (Dialogue::new(ours), theirs)
    }

    #[tokio::test]
    async fn replies_are_read_one_by_one() {
        let (mut dialogue, _theirs) = saying(b"220 hello\r\n250-a\r\n250 b\r\n").await;
        assert_eq!(dialogue.reply(PATIENCE).await.unwrap().code(), 220);
        assert!(!dialogue.is_in_step(), "more than the greeting has come");
        assert_eq!(dialogue.reply(PATIENCE).await.unwrap().lines().len(), 2);
        assert!(dialogue.is_in_step());
    }

    #[tokio::test]
    async fn lines_are_bounded_and_end_in_crlf() {
        for (length, fine) in [
            (LINE_OCTETS_MAX - 1, true),
            (LINE_OCTETS_MAX, true),
            (LINE_OCTETS_MAX + 1, false),
        ] {
            let line = format!("250 {}\r\n", "x".repeat(length - 6));
            let (mut dialogue, _theirs) = saying(line.as_bytes()).await;
            assert_eq!(dialogue.reply(PATIENCE).await.is_ok(), fine, "{length}");
        }
        let (mut dialogue, _theirs) = saying(b"220 bare\n").await;
        assert!(matches!(dialogue.reply(PATIENCE).await, Err(Fault::Garbled(_))));
    }

    #[tokio::test]
    async fn an_endless_line_and_an_endless_reply_are_given_up() {
        let (mut dialogue, _theirs) = saying(&vec![b'2'; 1 << 20]).await;
        assert!(matches!(dialogue.reply(PATIENCE).await, Err(Fault::Garbled(_))));
        assert!(dialogue.received.capacity() < 64 * 1024, "memory stays small");
        let (mut dialogue, _theirs) = saying(&b"250-on\r\n".repeat(100_000)).await;
        assert!(matches!(dialogue.reply(PATIENCE).await, Err(Fault::Garbled(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_and_trickles_end_at_the_deadline() {
        let (mut dialogue, _theirs) = saying(b"").await;
        assert_eq!(dialogue.reply(PATIENCE).await, Err(Fault::TimedOut));
        let (mut dialogue, mut theirs) = saying(b"").await;
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                if theirs.write_all(b"2").await.is_err() {
                    return;
                }
            }
        });
        assert_eq!(dialogue.reply(PATIENCE).await, Err(Fault::TimedOut));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_takes_nothing_ends_at_the_deadline() {
        let (ours, _theirs) = duplex(16);
        let mut dialogue = Dialogue::after_handshake(ours);
        let patience = BodyPatience {
            block: Duration::from_secs(10),
            whole: Duration::from_secs(60),
        };
        for size in [100, ONE_WRITE_OCTETS_MAX + 1] {
            let fault = dialogue
                .body(&[Bytes::from(vec![b'x'; size])], 1, patience)
                .await
                .unwrap_err();
            assert_eq!(fault.fault, Fault::TimedOut);
            assert!(!dialogue.is_in_step());
        }
    }

    #[tokio::test]
    async fn what_comes_out_of_turn_is_a_fault() {
        let (mut dialogue, _theirs) = saying(b"220 hi\r\n250 injected\r\n").await;
        dialogue.reply(PATIENCE).await.unwrap();
        assert!(matches!(
            dialogue.send(&[Command::data()], PATIENCE).await,
            Err(Fault::Garbled(_))
        ));
        assert!(matches!(dialogue.into_stream(), Err(Fault::Garbled(_))));
    }

    #[tokio::test]
    async fn after_an_abandoned_wait_nothing_more_is_said() {
        let (mut dialogue, mut theirs) = saying(b"220 hi\r\n").await;
        dialogue.reply(PATIENCE).await.unwrap();
        let abandoned = timeout(Duration::from_millis(1), dialogue.ask(Command::rset(), PATIENCE)).await;
        assert!(abandoned.is_err());
        theirs.write_all(b"250 late\r\n").await.unwrap();
        assert_eq!(dialogue.ask(Command::data(), PATIENCE).await, Err(Fault::Dropped));
    }

    #[tokio::test]
    async fn quiet_means_open_and_silent() {
        let (mut dialogue, mut theirs) = saying(b"220 hi\r\n").await;
        assert!(!dialogue.is_quiet().await, "its greeting is due");
        dialogue.reply(PATIENCE).await.unwrap();
        assert!(dialogue.is_quiet().await);
        theirs.write_all(b"421 bye\r\n").await.unwrap();
        assert!(!dialogue.is_quiet().await);
        let (mut dialogue, theirs) = saying(b"220 hi\r\n").await;
        dialogue.reply(PATIENCE).await.unwrap();
        drop(theirs);
        assert!(!dialogue.is_quiet().await);
    }

    #[tokio::test]
    async fn chunks_of_every_size_arrive_as_they_are() {
        let patience = BodyPatience {
            block: PATIENCE,
            whole: PATIENCE,
        };
        let command = |size: usize| format!("BDAT {size} LAST\r\n").into_bytes();
        let most = ONE_WRITE_OCTETS_MAX - command(ONE_WRITE_OCTETS_MAX).len();
        for size in [0, 1, most - 1, most, most + 1, 1 << 20] {
            // No line end at the end, dots wherever they fall.
            let body = Bytes::from([&b".\r\n".repeat(size / 3)[..], &b".."[..size % 3]].concat());
            let (ours, mut theirs) = duplex(5000);
            let reader = tokio::spawn(async move {
                let mut wire = Vec::new();
                theirs.read_to_end(&mut wire).await.unwrap();
                wire
            });
            let mut dialogue = Dialogue::after_handshake(ours);
            let half = body.len() / 2;
            let pieces = [Bytes::new(), body.slice(..half), Bytes::new(), body.slice(half..)];
            dialogue.chunk(&pieces, 2, patience).await.unwrap();
            assert!(!dialogue.is_in_step(), "its replies are due");
            drop(dialogue);
            assert!(
                reader.await.unwrap() == [command(size), body.to_vec()].concat(),
                "{size}"
            );
        }
    }

    #[tokio::test]
    async fn bodies_of_every_size_arrive_whole() {
        let patience = BodyPatience {
            block: PATIENCE,
            whole: PATIENCE,
        };
        for size in [
            0,
            ONE_WRITE_OCTETS_MAX - 2,
            ONE_WRITE_OCTETS_MAX,
            ONE_WRITE_OCTETS_MAX + 2,
            1 << 20,
        ] {
            let body = Bytes::from(b".\r\n".repeat(size / 3));
            let (ours, mut theirs) = duplex(5000);
            let reader = tokio::spawn(async move {
                let mut wire = Vec::new();
                theirs.read_to_end(&mut wire).await.unwrap();
                wire
            });
            let mut dialogue = Dialogue::after_handshake(ours);
            dialogue
                .body(
                    &[body.slice(..body.len() / 2), body.slice(body.len() / 2..)],
                    1,
                    patience,
                )
                .await
                .unwrap();
            assert!(!dialogue.is_in_step(), "its reply is due");
            drop(dialogue);
            let mut expected = b"..\r\n".repeat(size / 3);
            expected.extend_from_slice(b".\r\n");
            assert!(reader.await.unwrap() == expected, "{size}");
        }
    }
}
