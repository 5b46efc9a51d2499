//! Writes log lines from a thread of its own, so that a slow, full or closed output never holds mail.
//!
//! Lines in, through a bounded queue; bytes out. What the queue or the output doesn't take is
//! counted and dropped. Knows nothing of what a line says.

use prometheus::IntCounter;
use std::io::{ErrorKind, Write};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::time::Duration;

/// Lines that may wait: at most 8 MiB of them.
pub(super) const QUEUE_MAX: usize = 1024;
/// Bytes written at once when many lines wait.
const BATCH: usize = 64 * 1024;
/// How long lines gather after a write: waking the thread for each costs more than writing it.
const GATHER: Duration = Duration::from_millis(5);
/// How long to leave an output alone that has no room.
const RETRY: Duration = Duration::from_millis(10);

/// The near end of the queue.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    queue: SyncSender<Item>,
    dropped: IntCounter,
}

#[derive(Debug)]
enum Item {
    Line(String),
    /// Answered once everything before it has been written.
    Flush(SyncSender<()>),
}

impl Writer {
    /// Starts the thread; it ends when the last handle is gone. Without a thread every line is
    /// dropped, and counted.
    pub(super) fn start(output: Box<dyn Write + Send>, dropped: IntCounter) -> Self {
        let (queue, lines) = sync_channel(QUEUE_MAX);
        let counter = dropped.clone();
        // A thread that can't start drops its end of the queue, which then refuses every line.
        let _ = std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write_all_lines(output, &lines, &counter));
        Self { queue, dropped }
    }

    /// Hands over one line, which ends in a line end. Never waits.
    pub(super) fn send(&self, line: String) {
        if self.queue.try_send(Item::Line(line)).is_err() {
            self.dropped.inc();
        }
    }

    /// Waits until everything sent so far is written, or `patience` is over; whether it is written.
    pub(super) fn flush(&self, patience: Duration) -> bool {
        let (done, answer) = sync_channel(1);
        let mut item = Item::Flush(done);
        let mut waited = Duration::ZERO;
        while let Err(refused) = self.queue.try_send(item) {
            item = match refused {
                TrySendError::Full(item) if waited < patience => item,
                TrySendError::Full(_) | TrySendError::Disconnected(_) => return false,
            };
            std::thread::sleep(RETRY);
            waited += RETRY;
        }
        answer.recv_timeout(patience.saturating_sub(waited)).is_ok()
    }
}

fn write_all_lines(mut output: Box<dyn Write + Send>, lines: &Receiver<Item>, dropped: &IntCounter) {
    let mut batch = String::with_capacity(BATCH);
    let mut count = 0;
    while let Ok(first) = lines.recv() {
        let mut next = Ok(first);
        let mut flushed = Vec::new();
        loop {
            match next {
                Ok(Item::Line(line)) => {
                    batch.push_str(&line);
                    count += 1;
                }
                Ok(Item::Flush(done)) => flushed.push(done),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
            if batch.len() >= BATCH {
                break;
            }
            next = lines.try_recv();
        }
        if !batch.is_empty() && !write_patiently(&mut *output, batch.as_bytes()) {
            dropped.inc_by(count);
        }
        batch.clear();
        count = 0;
        for done in flushed {
            // Whoever asked may have stopped waiting.
            let _ = done.try_send(());
        }
        std::thread::sleep(GATHER);
    }
}

/// Like `write_all`, but an output that has no room now (a non-blocking terminal or pipe) is asked
/// again, so that no line is left half written.
fn write_patiently(output: &mut dyn Write, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        match output.write(bytes) {
            Ok(0) => return false,
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(RETRY),
            Err(_) => return false,
        }
    }
    output.flush().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn counter() -> IntCounter {
        IntCounter::new("dropped", "dropped").unwrap()
    }

    #[test]
    fn a_blocked_pipe_holds_nobody_and_every_line_is_written_or_counted() {
        let (mut reader, pipe) = std::io::pipe().unwrap();
        let writer = Writer::start(Box::new(pipe), counter());
        let line = format!("{}\n", "x".repeat(999));
        let sent = 5_000;
        for _ in 0..sent {
            writer.send(line.clone());
        }
        assert!(!writer.flush(Duration::from_millis(20)), "nobody reads the pipe");
        let dropped = writer.dropped.clone();
        assert!(dropped.get() >= sent - (QUEUE_MAX + 200) as u64);
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert!(text.split_inclusive('\n').all(|read| read == line), "no line is torn");
        assert_eq!(text.lines().count() as u64 + dropped.get(), sent);
    }

    #[test]
    fn a_closed_output_is_counted() {
        let (reader, pipe) = std::io::pipe().unwrap();
        drop(reader);
        let writer = Writer::start(Box::new(pipe), counter());
        for _ in 0..10 {
            writer.send("line\n".to_owned());
        }
        assert!(writer.flush(Duration::from_secs(20)));
        assert_eq!(writer.dropped.get(), 10);
    }

    #[test]
    fn an_output_without_room_is_asked_again() {
        struct Stutter(Vec<u8>, usize);
        impl Write for Stutter {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.1 += 1;
                match self.1 % 3 {
                    0 => Err(ErrorKind::WouldBlock.into()),
                    1 => Err(ErrorKind::Interrupted.into()),
                    _ => {
                        self.0.extend_from_slice(&bytes[..1]);
                        Ok(1)
                    }
                }
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let mut output = Stutter(Vec::new(), 0);
        assert!(write_patiently(&mut output, b"line\n"));
        assert_eq!(output.0, b"line\n");
    }
}
