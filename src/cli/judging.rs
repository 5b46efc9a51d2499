//! Much mail looked at on every core, and told in the order in which it lies.
//!
//! Mails are read by one thread and looked at by as many as there are cores, a batch at a time; what
//! was seen comes back in order. Batches under way are bounded in number and in bytes, so that memory is
//! too. Knows nothing of what is looked for.

use super::mails::{self, Source, Unread};
use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError, mpsc};

/// A batch ends at so many messages…
const BATCH_MESSAGES: usize = 32;
/// …or so many bytes.
const BATCH_BYTES: usize = 2 << 20;
/// Batches under way for each thread.
const BATCHES_A_THREAD: usize = 3;

/// A batch with its place in the order.
struct Batch<T> {
    place: u64,
    items: Vec<T>,
}

/// Looks at every message below the paths, each with what its path is marked with, and tells what was
/// seen, in order. `None` is a message at which looking failed: a defect of ours, told by the panic.
///
/// Returns what could not be read.
pub fn in_order<M: Copy + Send + Sync, T: Send>(
    paths: &[(M, PathBuf)],
    look: impl Fn(M, Source) -> T + Sync,
    mut tell: impl FnMut(M, &str, Option<T>),
) -> Vec<Unread> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let under_way = threads * BATCHES_A_THREAD;
    let (permits, permitted) = mpsc::sync_channel(under_way);
    let (batches, to_do) = mpsc::sync_channel::<Batch<(M, Source)>>(under_way);
    let (seen, results) = mpsc::sync_channel::<Batch<(M, String, Option<T>)>>(under_way);
    let (to_do, look) = (&Mutex::new(to_do), &look);
    std::thread::scope(|scope| {
        for _ in 0..under_way {
            let _ = permits.send(());
        }
        let reader = scope.spawn(move || read(paths, &permitted, &batches));
        for _ in 0..threads {
            let seen = seen.clone();
            scope.spawn(move || {
                loop {
                    let next = to_do.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(batch) = next else { return };
                    if seen.send(look_at(batch, look)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(seen);
        let (mut early, mut next) = (BTreeMap::new(), 0);
        for batch in results {
            early.insert(batch.place, batch.items);
            while let Some(items) = early.remove(&next) {
                for (mark, path, seen) in items {
                    tell(mark, &path, seen);
                }
                next += 1;
                // The reader may be done, and then needs no more.
                let _ = permits.send(());
            }
        }
        reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn look_at<M: Copy, T>(batch: Batch<(M, Source)>, look: &impl Fn(M, Source) -> T) -> Batch<(M, String, Option<T>)> {
    let items = batch.items.into_iter().map(|(mark, source)| {
        let path = source.path.clone();
        let seen = catch_unwind(AssertUnwindSafe(|| look(mark, source))).ok();
        (mark, path, seen)
    });
    Batch {
        place: batch.place,
        items: items.collect(),
    }
}

fn read<M: Copy>(
    paths: &[(M, PathBuf)],
    permitted: &mpsc::Receiver<()>,
    batches: &mpsc::SyncSender<Batch<(M, Source)>>,
) -> Vec<Unread> {
    let (mut place, mut items, mut bytes) = (0, Vec::new(), 0);
    let mut send = |items: &mut Vec<(M, Source)>| {
        // Neither fails but when nobody listens any more.
        if permitted.recv().is_ok() {
            let items = std::mem::take(items);
            let _ = batches.send(Batch { place, items });
            place += 1;
        }
    };
    let mut unread = Vec::new();
    for (mark, path) in paths {
        unread.extend(mails::for_each(std::slice::from_ref(path), |source| {
            bytes += source.bytes.len();
            items.push((*mark, source));
            if items.len() >= BATCH_MESSAGES || bytes >= BATCH_BYTES {
                send(&mut items);
                bytes = 0;
            }
        }));
    }
    if !items.is_empty() {
        send(&mut items);
    }
    unread
}

/// How far it has come, on a terminal; silent in a pipe.
#[derive(Debug)]
pub struct Progress {
    shown: bool,
    count: u64,
}

impl Progress {
    /// Shown on standard error where that is a terminal and results don't go there too.
    pub fn new(quiet: bool, lists: bool) -> Self {
        let interrupts = lists && std::io::stdout().is_terminal();
        Self {
            shown: std::io::stderr().is_terminal() && !quiet && !interrupts,
            count: 0,
        }
    }

    /// One message more.
    pub fn step(&mut self) {
        self.count += 1;
        if self.shown && self.count.is_multiple_of(100) {
            let _ = write!(std::io::stderr(), "\r{} messages", self.count);
        }
    }

    /// Takes it from the screen.
    pub fn end(&self) {
        if self.shown {
            let _ = write!(std::io::stderr(), "\r{:32}\r", "");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(messages: usize) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..messages {
            std::fs::write(
                folder.path().join(format!("{number:04}")),
                format!("Subject: {number}\n\n"),
            )
            .unwrap();
        }
        folder
    }

    #[test]
    fn what_was_seen_comes_in_order_however_many_there_are() {
        for messages in [
            0,
            1,
            BATCH_MESSAGES - 1,
            BATCH_MESSAGES,
            BATCH_MESSAGES + 1,
            BATCH_MESSAGES * 40 + 3,
        ] {
            let folder = folder(messages);
            let mut told = Vec::new();
            let look = |mark: u8, source: Source| {
                // The first of each batch comes last.
                if source.path.ends_with('0') {
                    std::thread::yield_now();
                }
                (mark, source.bytes)
            };
            let unread = in_order(&[(7, folder.path().to_owned())], look, |_, path, seen| {
                told.push((path.to_owned(), seen.unwrap()));
            });
            assert!(unread.is_empty());
            let expected: Vec<_> = (0..messages)
                .map(|number| {
                    let path = folder.path().join(format!("{number:04}"));
                    (
                        path.display().to_string(),
                        (7, format!("Subject: {number}\r\n\r\n").into_bytes()),
                    )
                })
                .collect();
            assert_eq!(told, expected);
        }
    }

    #[test]
    fn a_message_that_breaks_us_is_told_and_the_rest_is_seen() {
        let folder = folder(3);
        let mut told = Vec::new();
        let look = |(): (), source: Source| assert!(!source.path.ends_with("0001"));
        in_order(&[((), folder.path().to_owned())], look, |(), _, seen| {
            told.push(seen.is_some())
        });
        assert_eq!(told, [true, false, true]);
    }

    #[test]
    fn what_is_not_there_is_named_and_the_rest_is_read() {
        let folder = folder(1);
        let mut count = 0;
        let paths = [((), "nowhere".into()), ((), folder.path().to_owned())];
        let unread = in_order(&paths, |(), _| (), |(), _, _| count += 1);
        assert_eq!((count, unread.len()), (1, 1));
    }
}
