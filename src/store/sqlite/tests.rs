//! What only a file can do wrong: permissions, restarts, damage, full disks, replaced files.

use super::file::BUSY_TIMEOUT;
use super::latch::Failure;
use super::*;
use crate::store::conformance::{at, audit_entry, event, id, message, state_of};
use crate::verdict::lever::Kind;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, sqlite::SqliteConnectOptions};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tempfile::TempDir;
use tokio::sync::oneshot;

/// A database in a folder of its own, which goes with it.
struct Bench {
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("var/deep/store.db")
    }

    async fn open(&self) -> Result<SqliteStore, OpenError> {
        SqliteStore::open_with(self.path(), Telemetry::default(), Duration::ZERO).await
    }

    /// Opens it so that a latched store stays shut.
    async fn open_slow(&self) -> SqliteStore {
        let opened = SqliteStore::open_with(self.path(), Telemetry::default(), Duration::from_secs(3_600));
        opened.await.expect("opens")
    }

    async fn refused(&self) -> String {
        self.open().await.expect_err("is refused").to_string()
    }

    /// Runs SQL on the file behind the store's back.
    async fn meddle(&self, sql: &str) {
        let options = SqliteConnectOptions::new().filename(self.path());
        let mut connection = options.connect().await.expect("opens");
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(&mut connection)
            .await
            .expect("runs");
        connection.close().await.expect("closes");
    }
}

/// Runs SQL on the store's own writing connection.
async fn on_writer(store: &SqliteStore, sql: &'static str) -> Result<(), StoreError> {
    store
        .change("test", move |connection| {
            Box::pin(async move {
                sqlx::raw_sql(sql).execute(connection).await?;
                Ok(())
            })
        })
        .await
}

/// A message that doesn't shrink.
fn large(number: u128) -> Quarantined {
    let mut word = 1_u64;
    let noise = std::iter::repeat_with(|| {
        word = word
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        word.to_be_bytes()[0]
    });
    Quarantined {
        body: noise.take(300_000).collect(),
        ..message(number, State::Held, &["a@town.example"])
    }
}

fn small(number: u128) -> Quarantined {
    message(number, State::Held, &["a@town.example"])
}

fn failed<T>(result: Result<T, StoreError>) -> String {
    match result {
        Err(StoreError::Failed(why)) => why,
        Err(other) => panic!("refused instead of failed: {other}"),
        Ok(_) => panic!("was done"),
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("exists").permissions().mode() & 0o777
}

#[tokio::test]
async fn nobody_else_may_read_it() {
    let bench = Bench::new();
    let store = bench.open().await.expect("opens");
    store.quarantine(small(1)).await.expect("kept");
    for suffix in ["", "-wal", "-shm"] {
        let path = bench.path().with_extension(format!("db{suffix}"));
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    assert_eq!(mode(&bench.folder.path().join("var")), 0o700);
    assert_eq!(mode(&bench.folder.path().join("var/deep")), 0o700);
    store.close().await;
    fs::set_permissions(bench.path(), fs::Permissions::from_mode(0o644)).expect("is ours");
    bench.open().await.expect("opens");
    assert_eq!(mode(&bench.path()), 0o600);
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let bench = Bench::new();
    let store = bench.open().await.expect("opens");
    store.quarantine(small(1)).await.expect("kept");
    store.quarantine(large(2)).await.expect("kept");
    store.claim(id(2), &[]).await.expect("claimed");
    store.append_journal(&[event(3, 3)]).await.expect("appended");
    // Not closed, as if killed: what was said to be durable is.
    drop(store);
    let store = bench.open().await.expect("opens again");
    assert_eq!(store.get(id(1)).await.expect("is kept").body, small(1).body);
    assert_eq!(store.get(id(2)).await.expect("is kept").body, large(2).body);
    assert_eq!(
        state_of(&store, 2).await,
        State::ReleaseUnknown,
        "never acted on by itself"
    );
    let found = store.search_journal(JournalQuery::default()).await.expect("searched");
    assert_eq!(found.len(), 3);
}

#[tokio::test]
async fn commits_are_synced() {
    let bench = Bench::new();
    let store = bench.open().await.expect("opens");
    let read = store.change("test", |connection| {
        Box::pin(async move {
            let mode: String = sqlx::query_scalar("PRAGMA journal_mode")
                .fetch_one(&mut *connection)
                .await?;
            let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous")
                .fetch_one(&mut *connection)
                .await?;
            let keys: i64 = sqlx::query_scalar("PRAGMA foreign_keys")
                .fetch_one(&mut *connection)
                .await?;
            Ok((mode, synchronous, keys))
        })
    });
    assert_eq!(read.await, Ok(("wal".to_owned(), 2, 1)), "2 is FULL");
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused() {
    let bench = Bench::new();
    bench.open().await.expect("opens").close().await;
    bench.meddle("PRAGMA user_version = 7").await;
    let refused = bench.refused().await;
    let expected = "this database was written by a newer portreeve (schema 7; this one knows 4)";
    assert!(refused.ends_with(expected), "{refused}");
}

/// A file as an earlier version would have written it, with what `newer` holds.
async fn written_by_version(bench: &Bench, newer: &Bench, version: usize) {
    file::prepare(&bench.path()).expect("made");
    let columns = "sequence, id, state, attempts, received, fingerprint, category, size, reverse_path, parameters, \
                   route, author, subject, senders_folded, recipients_folded, event";
    let columns = if version > 1 {
        format!("{columns}, rest")
    } else {
        columns.to_owned()
    };
    let records = "sequence, id, received, verdict, senders_folded, recipients_folded, event";
    let (steps, other) = (schema::STEPS[..version].join(";"), newer.path());
    bench
        .meddle(&format!(
            "{steps}; PRAGMA application_id = 0x50525452; PRAGMA user_version = {version}; ATTACH '{}' AS newer; \
             INSERT INTO message ({columns}) SELECT {columns} FROM newer.message; \
             INSERT INTO recipient SELECT * FROM newer.recipient; INSERT INTO body SELECT * FROM newer.body; \
             INSERT INTO journal ({records}) SELECT {records} FROM newer.journal; INSERT INTO audit SELECT * FROM newer.audit",
            other.display()
        ))
        .await;
}

#[tokio::test]
async fn a_database_of_an_earlier_version_keeps_all_that_it_holds() {
    for version in 1..schema::STEPS.len() {
        let (bench, newer) = (Bench::new(), Bench::new());
        let store = newer.open().await.expect("opens");
        store.quarantine(small(1)).await.expect("kept");
        store.quarantine(large(2)).await.expect("kept");
        store.claim(id(2), &[]).await.expect("claimed");
        store
            .append_audit(audit_entry(1, "show", Some(id(1))))
            .await
            .expect("appended");
        store.close().await;
        written_by_version(&bench, &newer, version).await;

        let store = bench.open().await.expect("is brought up to date");
        assert_eq!(store.get(id(1)).await.expect("is kept").body, small(1).body);
        assert_eq!(store.get(id(2)).await.expect("is kept").body, large(2).body);
        assert_eq!(store.audit(None).await.expect("read").len(), 1);
        assert_eq!(store.get(id(1)).await.expect("is kept").hold, None);
        assert_eq!(store.levers().await, Ok(Vec::new()));
        assert_eq!(store.recall(Vec::new(), None).await, Ok(Recalled::default()));
        store
            .settle_release(id(2), &[], ReleaseOutcome::NotDelivered)
            .await
            .expect("settled");
        assert_eq!(state_of(&store, 2).await, State::Held);
        let undelivered = message(3, State::Undelivered, &["a@town.example"]);
        store
            .quarantine(undelivered)
            .await
            .expect("the new state has its place");
        assert_eq!(state_of(&store, 3).await, State::Undelivered);
        failed(on_writer(&store, "DELETE FROM audit").await);
        store
            .delete(id(1))
            .await
            .expect("keys still lead from one table to the other");
        store.close().await;
        let store = bench.open().await.expect("once is enough");
        assert_eq!(state_of(&store, 1).await, State::Deleted);
    }
}

#[tokio::test]
async fn levers_and_holds_last() {
    let bench = Bench::new();
    let store = bench.open().await.expect("opens");
    let block = lever(Kind::Block, "@example.org");
    store
        .keep_lever(block.clone(), audit_entry(1, "block", None))
        .await
        .expect("kept");
    store.quarantine(small(1)).await.expect("kept");
    let hold = Hold {
        by: "uid 7".to_owned(),
        reason: "case 12".to_owned(),
        since: at(3),
    };
    let audit = audit_entry(3, "hold", Some(id(1)));
    store.hold(id(1), Some(hold.clone()), audit).await.expect("on hold");
    // Not closed, as if killed.
    drop(store);
    let store = bench.open().await.expect("opens again");
    assert_eq!(store.levers().await, Ok(vec![block]));
    assert_eq!(store.get(id(1)).await.expect("is kept").hold, Some(hold));
    assert_eq!(store.delete(id(1)).await, Err(StoreError::OnHold));
}

/// What isn't in the audit log was not done.
#[tokio::test]
async fn an_act_and_its_audit_entry_are_one() {
    let bench = Bench::new();
    let store = bench.open().await.expect("opens");
    store.quarantine(small(1)).await.expect("kept");
    store.quarantine(small(2)).await.expect("kept");
    store.claim(id(2), &[]).await.expect("claimed");
    let block = lever(Kind::Block, "@example.org");
    store
        .keep_lever(block.clone(), audit_entry(1, "block", None))
        .await
        .expect("kept");
    let trigger = "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no room'); END";
    on_writer(&store, trigger).await.expect("runs");
    let entry = || audit_entry(2, "x", None);
    let hold = Hold {
        by: "uid 7".to_owned(),
        reason: "case 12".to_owned(),
        since: at(3),
    };
    failed(store.keep_lever(lever(Kind::Allow, "@example.org"), entry()).await);
    failed(store.remove_lever(block.what.clone(), entry()).await);
    failed(store.hold(id(1), Some(hold), entry()).await);
    failed(store.decide(id(2), State::Held, entry()).await);
    assert_eq!(store.levers().await, Ok(vec![block]));
    assert_eq!(store.get(id(1)).await.expect("is kept").hold, None);
    assert_eq!(state_of(&store, 2).await, State::ReleaseUnknown);
}

/// A lever that can't be read must not be passed over as if it had never been pulled.
#[tokio::test]
async fn a_damaged_lever_is_damage() {
    let bench = Bench::new();
    let store = bench.open().await.expect("opens");
    let block = lever(Kind::Block, "@example.org");
    store
        .keep_lever(block, audit_entry(1, "block", None))
        .await
        .expect("kept");
    on_writer(&store, "UPDATE lever SET entry = 'nonsense'")
        .await
        .expect("runs");
    let why = failed(store.levers().await);
    assert!(why.contains("entry") && why.contains("nonsense"), "{why}");
}

fn lever(kind: Kind, entry: &str) -> Lever {
    Lever {
        what: What::read(kind, entry).expect("an entry"),
        by: "uid 7".to_owned(),
        reason: "asked for".to_owned(),
        since: at(1),
        until: at(1_000),
    }
}

#[tokio::test]
async fn another_programs_database_is_left_alone() {
    let bench = Bench::new();
    file::prepare(&bench.path()).expect("made");
    bench
        .meddle("CREATE TABLE theirs (id INTEGER); INSERT INTO theirs VALUES (1)")
        .await;
    let before = fs::read(bench.path()).expect("is there");
    let refused = bench.refused().await;
    assert!(refused.contains("another program's"), "{refused}");
    assert!(
        fs::read(bench.path()).expect("is there") == before,
        "not a byte was changed"
    );
}

#[tokio::test]
async fn what_is_no_database_is_refused() {
    let bench = Bench::new();
    file::prepare(&bench.path()).expect("made");
    fs::write(bench.path(), b"Subject: not a database\r\n".repeat(500)).expect("written");
    let refused = bench.refused().await;
    assert!(refused.contains("not a database"), "{refused}");
    fs::remove_file(bench.path()).expect("removed");
    fs::create_dir(bench.path()).expect("made");
    assert!(bench.refused().await.contains("cannot be used as a store"));
    fs::remove_dir_all(bench.folder.path().join("var")).expect("removed");
    fs::write(bench.folder.path().join("var"), "a file, not a folder").expect("written");
    let refused = bench.refused().await;
    assert!(refused.contains("folder"), "{refused}");
}

#[tokio::test]
async fn a_database_emptied_beside_its_log_is_refused() {
    let bench = Bench::new();
    let store = bench.open().await.expect("opens");
    store.quarantine(small(1)).await.expect("kept");
    let log = bench.path().with_extension("db-wal");
    let written = fs::read(&log).expect("is there");
    store.close().await;
    fs::write(bench.path(), "").expect("emptied");
    fs::write(&log, written).expect("written");
    let refused = bench.refused().await;
    assert!(refused.contains("its write-ahead log is not"), "{refused}");
}

#[tokio::test]
async fn a_damaged_database_is_refused() {
    let bench = Bench::new();
    let store = bench.open().await.expect("opens");
    for number in 1..50 {
        store.quarantine(small(number)).await.expect("kept");
    }
    store.close().await;
    let mut bytes = fs::read(bench.path()).expect("is there");
    // All pages but the first, which says that this is a database of ours.
    bytes.iter_mut().skip(4_096).for_each(|byte| *byte ^= 0x55);
    fs::write(bench.path(), bytes).expect("written");
    let refused = bench.refused().await;
    assert!(refused.contains("cannot be used as a store"), "{refused}");
}

#[tokio::test]
async fn a_full_disk_latches_until_there_is_room() {
    let bench = Bench::new();
    let store = bench.open_slow().await;
    store.quarantine(small(1)).await.expect("kept");
    on_writer(&store, "PRAGMA max_page_count = 1").await.expect("set");
    let why = failed(store.quarantine(large(2)).await);
    assert!(why.contains("full"), "{why}");
    assert!(store.trouble().is_some_and(|why| why.contains("full")));
    let why = failed(store.settle(id(1), State::Held, None).await);
    assert!(
        why.contains("shut after an error") && why.contains("full"),
        "everything is refused: {why}"
    );
    assert_eq!(
        store.get(id(2)).await.map(|_| ()),
        Err(StoreError::NotFound),
        "nothing half done"
    );
    store.get(id(1)).await.expect("reads go on");
    drop(store);

    let store = bench.open().await.expect("opens");
    on_writer(&store, "PRAGMA max_page_count = 1").await.expect("set");
    failed(store.quarantine(large(2)).await);
    // A reopened connection has no such limit: as if room had been made.
    assert!(store.trouble().is_some());
    store.append_journal(&[]).await.expect("reopened and verified");
    assert_eq!(store.trouble(), None);
    store.quarantine(large(2)).await.expect("kept");
    store.settle(id(1), State::Held, None).await.expect("and so on");
}

#[tokio::test]
async fn a_database_that_becomes_read_only_latches() {
    let bench = Bench::new();
    let store = bench.open().await.expect("opens");
    on_writer(&store, "PRAGMA query_only = ON").await.expect("set");
    let why = failed(store.quarantine(small(1)).await);
    assert!(why.contains("readonly"), "{why}");
    store.quarantine(small(1)).await.expect("reopened, verified, kept");
}

#[tokio::test]
async fn a_file_replaced_or_removed_latches_until_it_is_back() {
    let bench = Bench::new();
    let store = bench.open().await.expect("opens");
    store.quarantine(small(1)).await.expect("kept");
    let aside = bench.folder.path().join("aside.db");
    fs::rename(bench.path(), &aside).expect("moved");
    let why = failed(store.quarantine(small(2)).await);
    assert!(why.contains("removed or replaced"), "{why}");
    failed(store.quarantine(small(2)).await);
    assert!(!bench.path().exists(), "no new database in the place of a lost one");
    fs::write(bench.path(), b"garbage".repeat(1_000)).expect("written");
    failed(store.quarantine(small(2)).await);
    failed(store.quarantine(small(2)).await);
    fs::remove_file(bench.path()).expect("removed");
    fs::rename(&aside, bench.path()).expect("moved back");
    store.quarantine(small(2)).await.expect("reopened, verified, kept");
    assert_eq!(store.get(id(1)).await.expect("is kept").body, small(1).body);
}

#[tokio::test]
async fn a_restored_copy_gets_nothing_of_the_old_files_log() {
    let bench = Bench::new();
    let store = bench.open().await.expect("opens");
    store.quarantine(small(1)).await.expect("kept");
    store.close().await;
    let copy = bench.folder.path().join("copy.db");
    fs::copy(bench.path(), &copy).expect("copied");
    let store = bench.open().await.expect("opens");
    store.quarantine(small(2)).await.expect("kept");
    fs::rename(&copy, bench.path()).expect("put in its place");
    failed(store.quarantine(small(3)).await);
    store.quarantine(small(3)).await.expect("reopened, verified, kept");
    assert_eq!(store.get(id(1)).await.map(|kept| kept.id), Ok(id(1)));
    assert_eq!(store.get(id(2)).await.map(|kept| kept.id), Err(StoreError::NotFound));
}

#[tokio::test]
async fn constraints_and_locks_do_not_latch() {
    let bench = Bench::new();
    let store = bench.open_slow().await;
    store.quarantine(small(1)).await.expect("kept");
    let why = failed(on_writer(&store, "UPDATE message SET state = 'lost'").await);
    assert!(why.contains("constraint"), "{why}");
    failed(on_writer(&store, "SELECT nonsense").await);
    store.settle(id(1), State::Held, None).await.expect("not latched");

    on_writer(&store, "PRAGMA busy_timeout = 1").await.expect("set");
    let options = SqliteConnectOptions::new().filename(bench.path());
    let mut other = options.connect().await.expect("opens");
    let lock = other.begin_with("BEGIN IMMEDIATE").await.expect("is locked");
    let why = failed(store.quarantine(small(2)).await);
    assert!(why.contains("locked"), "{why}");
    drop(lock);
    other.close().await.expect("closes");
    store.quarantine(small(2)).await.expect("not latched");
    assert!(
        BUSY_TIMEOUT >= Duration::from_secs(1),
        "outside of this test others are waited for"
    );
}

#[tokio::test]
async fn the_audit_log_is_only_appended_to() {
    let bench = Bench::new();
    let store = bench.open_slow().await;
    let entry = AuditEntry {
        time: at(1),
        actor: "mary".to_owned(),
        act: "show".to_owned(),
        message: None,
        reason: "asked by Bob".to_owned(),
        outcome: "shown".to_owned(),
    };
    store.append_audit(entry.clone()).await.expect("appended");
    failed(on_writer(&store, "UPDATE audit SET actor = 'nobody'").await);
    failed(on_writer(&store, "DELETE FROM audit").await);
    assert_eq!(store.audit(None).await, Ok(vec![entry]));
}

#[tokio::test]
async fn a_body_that_rotted_is_never_released() {
    let bench = Bench::new();
    let store = bench.open_slow().await;
    for (number, sql) in [
        (1, "UPDATE body SET content = x'00'"),
        (2, "UPDATE body SET content = substr(content, 1, length(content) - 1)"),
        (3, "UPDATE message SET size = size + 1"),
        (4, "UPDATE message SET size = size - 1"),
    ] {
        store.quarantine(small(number)).await.expect("kept");
        on_writer(&store, sql).await.expect("damaged");
        let why = failed(store.get(id(number)).await.map(|_| ()));
        assert!(why.contains("damaged"), "{why}");
        failed(store.claim(id(number), &[]).await.map(|_| ()));
    }
    let held = QuarantineQuery {
        state: Some(State::Held),
        ..QuarantineQuery::default()
    };
    assert_eq!(
        store.list(held).await.map(|found| found.len()),
        Ok(4),
        "no claim was left behind"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_queued_is_committed_though_its_caller_is_gone() {
    let bench = Bench::new();
    let store = Arc::new(bench.open_slow().await);
    let (begun, has_begun) = oneshot::channel();
    let (go_on, may_go_on) = oneshot::channel();
    let busy = tokio::spawn({
        let store = Arc::clone(&store);
        async move {
            let work = store.change("test", move |_| {
                Box::pin(async move {
                    begun.send(()).ok();
                    may_go_on.await.map_err(|_| Failure::Closed)
                })
            });
            work.await
        }
    });
    has_begun.await.expect("the writer is busy");
    let caller = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.quarantine(large(1)).await }
    });
    while store.writer.waiting() == 0 {
        tokio::task::yield_now().await;
    }
    caller.abort();
    assert!(caller.await.expect_err("was aborted").is_cancelled());
    busy.abort();
    go_on.send(()).expect("the writer still runs");
    // Changes are made in order, so this one waits for the one that nobody waits for.
    store.quarantine(small(2)).await.expect("kept");
    assert_eq!(store.get(id(1)).await.expect("was committed").body, large(1).body);
}

/// Prints what a record costs; run it by name, with `--ignored --nocapture`.
#[tokio::test]
#[ignore = "measures, asserts nothing of time"]
async fn cost_of_appending_to_the_journal() {
    let bench = Bench::new();
    let store = bench.open().await.expect("opens");
    let group = |start: u128| {
        let mut events: Vec<MessageEvent> = (start..start + 500).map(|number| event(number, 1)).collect();
        for event in &mut events {
            event.reasons = vec!["a reason of some length, as people read them".to_owned(); 3];
            event.reply = "250 2.0.0 Ok: queued as 4XyZ1234".to_owned();
            event.stages = vec![
                ("read".to_owned(), 1.0),
                ("judge".to_owned(), 2.0),
                ("act".to_owned(), 3.0),
            ];
        }
        events
    };
    let groups: Vec<_> = (0..40).map(|number| group(number * 500)).collect();
    let bytes = serde_json::to_string(&groups).expect("is JSON").len() / 20_000;
    let cpu = || {
        let usage = fs::read_to_string("/proc/self/stat").expect("is Linux");
        let ticks = usage
            .rsplit(')')
            .next()
            .expect("fields")
            .split_whitespace()
            .skip(11)
            .take(2);
        ticks.map(|ticks| ticks.parse::<u64>().expect("a number")).sum::<u64>() * 10_000
    };
    let begun = std::time::Instant::now();
    let rows = groups.iter().flatten().filter(|event| records::Row::of(event).is_ok());
    println!(
        "{} rows built, {} ns each",
        rows.count(),
        begun.elapsed().as_nanos() / 20_000
    );
    let (begun, used) = (std::time::Instant::now(), cpu());
    for group in groups {
        store.append_journal(&group).await.expect("appended");
    }
    println!(
        "{bytes} bytes a record: {} us elapsed, {} us of CPU each",
        begun.elapsed().as_micros() / 20_000,
        (cpu() - used) / 20_000
    );
}
