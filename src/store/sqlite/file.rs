//! The database file: made private, opened, verified, and told apart from another at its path.
//!
//! A path enters; a writing connection and readers leave, or the reason why not. Knows nothing of
//! tables beyond the one it probes.

use super::{OpenError, schema};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection, SqlitePool};
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Connections that only read.
const READERS: u32 = 4;
/// How long a statement waits for another process's lock; ours never wait for each other.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a caller waits for a reader.
const READER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the file is searched for damage before it is trusted.
const CHECK_BUDGET: Duration = Duration::from_secs(5);
/// Steps of SQLite's machine between two looks at the time.
const CHECK_STEPS: i32 = 10_000;
/// Past this, a write-ahead log is cut back once its pages are in the database.
const LOG_BYTES_KEPT: &str = "67108864";

/// An open database.
pub(super) struct Opened {
    /// For the one writer.
    pub(super) writer: OpenWriter,
    /// For everyone else.
    pub(super) readers: SqlitePool,
}

/// A connection that writes, and which file it writes to.
pub(super) struct OpenWriter {
    /// The connection.
    pub(super) connection: SqliteConnection,
    /// The file.
    pub(super) identity: Identity,
}

/// Which file a path led to: device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity(u64, u64);

impl Identity {
    /// `None` when there is none, or it can't be asked.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        Some(Self(metadata.dev(), metadata.ino()))
    }
}

/// Makes the file, and the folders above it, where there are none; nobody else may read them.
pub(super) fn prepare(path: &Path) -> Result<(), OpenError> {
    if let Some(folder) = path.parent()
        && !folder.as_os_str().is_empty()
    {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|error| OpenError::unusable(path, format_args!("folder {}: {error}", folder.display())))?;
    }
    let created = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path);
    created.map_err(|error| OpenError::unusable(path, error))?;
    // SQLite gives its -wal and -shm the mode of the database; those of an earlier run may be laxer.
    for ending in ["", "-wal", "-shm"] {
        make_private(&beside(path, ending)).map_err(|error| OpenError::unusable(path, error))?;
    }
    Ok(())
}

fn make_private(path: &Path) -> io::Result<()> {
    let mode = match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => metadata.permissions().mode(),
        Ok(_) => return Err(io::Error::other("not a plain file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if mode & 0o077 == 0 {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(mode & 0o700))
}

/// Opens a file that exists: whose it is and which schema it has, its damage, and whether it takes
/// a durable write, are found out before anything is trusted to it.
pub(super) async fn open(path: &Path) -> Result<Opened, OpenError> {
    let unusable = |error: sqlx::Error| OpenError::unusable(path, error);
    recognise(path).map_err(|error| OpenError::unusable(path, error))?;
    // Before the file is known to be ours, nothing may change it, its journal mode included.
    let mut inspector = plain(path).connect().await.map_err(unusable)?;
    let found = schema::inspect(&mut inspector).await;
    inspector.close().await.map_err(unusable)?;
    schema::admit(path, found.map_err(unusable)?)?;

    let options = plain(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("journal_size_limit", LOG_BYTES_KEPT)
        // What a person deletes is overwritten, not just forgotten.
        .pragma("secure_delete", "ON");
    let mut connection = options.connect().await.map_err(unusable)?;
    schema::migrate(&mut connection).await.map_err(unusable)?;
    check(path, &mut connection).await?;
    probe(&mut connection).await.map_err(unusable)?;
    let readers = SqlitePoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(READER_TIMEOUT)
        .connect_with(plain(path).read_only(true))
        .await
        .map_err(unusable)?;
    let identity = Identity::of(path).ok_or_else(|| OpenError::unusable(path, "it was removed"))?;
    Ok(Opened {
        writer: OpenWriter { connection, identity },
        readers,
    })
}

/// Brings all that the write-ahead log holds into the database, and cuts the log to nothing.
pub(super) async fn empty_log(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let kept_from: i64 = sqlx::query_scalar("PRAGMA wal_checkpoint(TRUNCATE)")
        .fetch_one(connection)
        .await?;
    if kept_from == 0 {
        return Ok(());
    }
    Err(sqlx::Error::Protocol("somebody is still reading it".to_owned()))
}

/// Refuses what can't be the file that its write-ahead log belongs to: SQLite would take every page
/// that the log has for good, and never look at the file.
fn recognise(path: &Path) -> io::Result<()> {
    const MAGIC: &[u8; 16] = b"SQLite format 3\0";
    let mut header = Vec::with_capacity(MAGIC.len());
    File::open(path)?.take(MAGIC.len() as u64).read_to_end(&mut header)?;
    if header == MAGIC {
        return Ok(());
    }
    if !header.is_empty() {
        return Err(io::Error::other("file is not a database"));
    }
    match fs::metadata(beside(path, "-wal")) {
        Ok(log) if log.len() > 0 => Err(io::Error::other("it is empty, but its write-ahead log is not")),
        _ => Ok(()),
    }
}

/// The file that SQLite keeps beside the database under this ending.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

fn plain(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .disable_statement_logging()
}

/// Looks for damage for a bounded time: a large database is then trusted as far as was seen, since
/// shutting the gate for the hours of a full check would serve nobody.
async fn check(path: &Path, connection: &mut SqliteConnection) -> Result<(), OpenError> {
    let unusable = |error: sqlx::Error| OpenError::unusable(path, error);
    let end = Instant::now() + CHECK_BUDGET;
    connection
        .lock_handle()
        .await
        .map_err(unusable)?
        .set_progress_handler(CHECK_STEPS, move || Instant::now() < end);
    let checked = sqlx::query_scalar::<_, String>("PRAGMA quick_check(1)")
        .fetch_one(&mut *connection)
        .await;
    connection
        .lock_handle()
        .await
        .map_err(unusable)?
        .remove_progress_handler();
    match checked {
        Ok(finding) if finding == "ok" => Ok(()),
        Ok(finding) => Err(OpenError::unusable(path, format_args!("it is damaged: {finding}"))),
        Err(error) if was_interrupted(&error) => Ok(()),
        Err(error) => Err(unusable(error)),
    }
}

fn was_interrupted(error: &sqlx::Error) -> bool {
    const SQLITE_INTERRUPT: &str = "9";
    let error = error.as_database_error();
    error.is_some_and(|error| error.code().as_deref() == Some(SQLITE_INTERRUPT))
}

/// Writes, and has it on the disk, as a commit would.
async fn probe(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::query("INSERT OR REPLACE INTO probe (id, filler) VALUES (1, randomblob(16384))")
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}
