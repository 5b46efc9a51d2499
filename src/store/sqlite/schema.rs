//! The tables, and how a database of an earlier version gets them.
//!
//! `PRAGMA user_version` says how many [`STEPS`] a file has had. A step that was shipped is never
//! changed: a new one is added.

use super::OpenError;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use std::path::Path;

/// Marks a file as ours, in the header that `file` and SQLite read: `PRTR`.
const APPLICATION_ID: i64 = 0x5052_5452;

/// What each version added, in order. Times are nanoseconds since 1970, UTC; columns of folded
/// text are what searches look in.
pub(super) const STEPS: [&str; 4] = [
    "
    CREATE TABLE message (
        sequence     INTEGER PRIMARY KEY,
        id           TEXT NOT NULL UNIQUE,
        state        TEXT NOT NULL
                     CHECK (state IN ('pending', 'held', 'voided', 'release_unknown', 'released', 'deleted')),
        attempts     INTEGER NOT NULL,
        received     INTEGER NOT NULL,
        fingerprint  TEXT NOT NULL,
        category     TEXT NOT NULL,
        size         INTEGER NOT NULL,
        reverse_path TEXT,
        parameters   TEXT NOT NULL,
        route        TEXT NOT NULL,
        author       TEXT NOT NULL,
        subject      TEXT NOT NULL,
        senders_folded    TEXT NOT NULL,
        recipients_folded TEXT NOT NULL,
        event        TEXT NOT NULL
    ) STRICT;
    CREATE INDEX message_received ON message (received);
    CREATE INDEX message_state ON message (state, received);
    CREATE INDEX message_mergeable ON message (fingerprint) WHERE state IN ('pending', 'held');

    CREATE TABLE recipient (
        message    INTEGER NOT NULL REFERENCES message (sequence) ON DELETE CASCADE,
        place      INTEGER NOT NULL,
        address    TEXT NOT NULL,
        parameters TEXT NOT NULL,
        standing   TEXT NOT NULL CHECK (standing IN ('held', 'claimed', 'delivered')),
        PRIMARY KEY (message, place)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE body (
        message INTEGER PRIMARY KEY REFERENCES message (sequence) ON DELETE CASCADE,
        added   BLOB NOT NULL,
        content BLOB NOT NULL
    ) STRICT;

    CREATE TABLE journal (
        sequence INTEGER PRIMARY KEY,
        id       TEXT NOT NULL UNIQUE,
        received INTEGER NOT NULL,
        verdict  TEXT NOT NULL,
        senders_folded    TEXT NOT NULL,
        recipients_folded TEXT NOT NULL,
        event    TEXT NOT NULL
    ) STRICT;
    CREATE INDEX journal_received ON journal (received);

    CREATE TABLE audit (
        sequence INTEGER PRIMARY KEY,
        time     INTEGER NOT NULL,
        actor    TEXT NOT NULL,
        act      TEXT NOT NULL,
        message  TEXT,
        reason   TEXT NOT NULL,
        outcome  TEXT NOT NULL
    ) STRICT;
    CREATE INDEX audit_message ON audit (message) WHERE message IS NOT NULL;
    CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit log is only ever appended to'); END;
    CREATE TRIGGER audit_is_never_removed BEFORE DELETE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit log is only ever appended to'); END;

    CREATE TABLE probe (id INTEGER PRIMARY KEY CHECK (id = 1), filler BLOB NOT NULL) STRICT;
",
    // SQLite changes no CHECK, so a new state means a new table. Rows keep their `sequence`, to which the
    // tables beside it refer.
    "
    CREATE TABLE message_next (
        sequence     INTEGER PRIMARY KEY,
        id           TEXT NOT NULL UNIQUE,
        state        TEXT NOT NULL
                     CHECK (state IN ('pending', 'held', 'undelivered', 'voided', 'release_unknown', 'released',
                                      'deleted')),
        rest         TEXT NOT NULL CHECK (rest IN ('held', 'undelivered')),
        attempts     INTEGER NOT NULL,
        received     INTEGER NOT NULL,
        fingerprint  TEXT NOT NULL,
        category     TEXT NOT NULL,
        size         INTEGER NOT NULL,
        reverse_path TEXT,
        parameters   TEXT NOT NULL,
        route        TEXT NOT NULL,
        author       TEXT NOT NULL,
        subject      TEXT NOT NULL,
        senders_folded    TEXT NOT NULL,
        recipients_folded TEXT NOT NULL,
        event        TEXT NOT NULL
    ) STRICT;
    INSERT INTO message_next
        SELECT sequence, id, state, 'held', attempts, received, fingerprint, category, size, reverse_path, parameters,
               route, author, subject, senders_folded, recipients_folded, event
        FROM message;
    DROP TABLE message;
    ALTER TABLE message_next RENAME TO message;
    CREATE INDEX message_received ON message (received);
    CREATE INDEX message_state ON message (state, received);
    CREATE INDEX message_mergeable ON message (fingerprint) WHERE state IN ('pending', 'held', 'undelivered');
",
    // The audit log is still never changed, and only what is older than `audit_due` says can be removed.
    "
    ALTER TABLE message ADD COLUMN hold_by TEXT;
    ALTER TABLE message ADD COLUMN hold_reason TEXT;
    ALTER TABLE message ADD COLUMN hold_since INTEGER;
    CREATE INDEX message_on_hold ON message (id) WHERE hold_since IS NOT NULL;

    CREATE TABLE lever (
        kind   TEXT NOT NULL CHECK (kind IN ('allow', 'block', 'bypass')),
        entry  TEXT NOT NULL,
        actor  TEXT NOT NULL,
        reason TEXT NOT NULL,
        since  INTEGER NOT NULL,
        until  INTEGER NOT NULL,
        PRIMARY KEY (kind, entry)
    ) STRICT, WITHOUT ROWID;

    DROP TRIGGER audit_is_never_removed;
    CREATE TABLE audit_due (id INTEGER PRIMARY KEY CHECK (id = 1), before INTEGER NOT NULL) STRICT;
    INSERT INTO audit_due (id, before) VALUES (1, 0);
    CREATE INDEX audit_time ON audit (time);
    CREATE TRIGGER audit_is_only_removed_when_due BEFORE DELETE ON audit
        WHEN OLD.time >= coalesce((SELECT before FROM audit_due), 0)
        BEGIN SELECT RAISE(ABORT, 'the audit log is only ever appended to'); END;
",
    // What correspondents are remembered by are keyed hashes; `secret` is the key, made when it is first asked for.
    // Whoever was touched last stays longest among those of the same worth.
    "
    ALTER TABLE journal ADD COLUMN learned INTEGER NOT NULL DEFAULT 0;

    CREATE TABLE history (
        key         BLOB NOT NULL PRIMARY KEY,
        messages    INTEGER NOT NULL,
        quarantined INTEGER NOT NULL,
        released    INTEGER NOT NULL,
        sent        INTEGER NOT NULL,
        first_seen  INTEGER,
        last_seen   INTEGER,
        touched     INTEGER NOT NULL,
        sent_first  INTEGER NOT NULL,
        worth       INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX history_worth ON history (worth, touched);

    CREATE TABLE history_state (
        id             INTEGER PRIMARY KEY CHECK (id = 1),
        secret         BLOB,
        began          INTEGER,
        outbound_began INTEGER,
        messages       INTEGER NOT NULL,
        entries        INTEGER NOT NULL
    ) STRICT;
    INSERT INTO history_state (id, messages, entries) VALUES (1, 0, 0);
",
];

/// What a file says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    application: i64,
    version: i64,
    tables: i64,
}

/// Reads what the file says of itself, changing nothing.
pub(super) async fn inspect(connection: &mut SqliteConnection) -> Result<Found, sqlx::Error> {
    Ok(Found {
        application: number(connection, "PRAGMA application_id").await?,
        version: number(connection, "PRAGMA user_version").await?,
        tables: number(connection, "SELECT count(*) FROM sqlite_schema").await?,
    })
}

/// Whether such a file is ours to use, or empty and ours to make.
pub(super) fn admit(path: &Path, found: Found) -> Result<(), OpenError> {
    let empty = found.application == 0 && found.version == 0 && found.tables == 0;
    if !empty && found.application != APPLICATION_ID {
        return Err(OpenError::Foreign(path.to_owned()));
    }
    let known = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    if found.version > known {
        return Err(OpenError::Newer {
            path: path.to_owned(),
            found: found.version,
            known,
        });
    }
    Ok(())
}

/// Takes the steps that the file hasn't had, all in one transaction.
pub(super) async fn migrate(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    // A step may put a new table in an old one's place, and dropping that would take along every row that
    // refers to it. Within a transaction the pragma does nothing.
    sqlx::raw_sql("PRAGMA foreign_keys = OFF")
        .execute(&mut *connection)
        .await?;
    let taken = take_steps(connection).await;
    sqlx::raw_sql("PRAGMA foreign_keys = ON")
        .execute(&mut *connection)
        .await?;
    taken
}

async fn take_steps(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let version = number(&mut transaction, "PRAGMA user_version").await?;
    let taken = usize::try_from(version).unwrap_or(0);
    for step in STEPS.iter().skip(taken) {
        sqlx::raw_sql(*step).execute(&mut *transaction).await?;
    }
    if taken < STEPS.len() {
        // A pragma takes no parameters; both values are this program's own numbers.
        let marks = format!(
            "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {}",
            STEPS.len()
        );
        sqlx::raw_sql(AssertSqlSafe(marks)).execute(&mut *transaction).await?;
        let broken = sqlx::query("PRAGMA foreign_key_check")
            .fetch_optional(&mut *transaction)
            .await?;
        if broken.is_some() {
            return Err(sqlx::Error::Protocol(
                "a row would refer to one that is not there".to_owned(),
            ));
        }
    }
    transaction.commit().await
}

async fn number(connection: &mut SqliteConnection, sql: &'static str) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(sql).fetch_one(connection).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_empty_files_and_our_own_are_admitted() {
        let known = i64::try_from(STEPS.len()).expect("small");
        for (application, version, tables, admitted) in [
            (0, 0, 0, true),
            (APPLICATION_ID, known, 9, true),
            (APPLICATION_ID, known + 1, 9, false),
            (0, 0, 1, false),
            (0, 1, 0, false),
            (1, 0, 0, false),
        ] {
            let found = Found {
                application,
                version,
                tables,
            };
            assert_eq!(admit(Path::new("x"), found).is_ok(), admitted, "{found:?}");
        }
    }
}
