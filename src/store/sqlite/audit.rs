//! The audit log's table: appended to and read, and what is due removed; its triggers see to it that
//! nothing else happens. Knows nothing of what was done.

use super::Failure;
use crate::store::{AuditEntry, LIMIT_MAX, search};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

/// The most that one call of [`expire`] removes.
pub(super) const EXPIRED_AT_ONCE: u64 = 1_000;

/// Appends an entry.
pub(super) async fn append(connection: &mut SqliteConnection, entry: AuditEntry) -> Result<(), Failure> {
    sqlx::query("INSERT INTO audit (time, actor, act, message, reason, outcome) VALUES (?, ?, ?, ?, ?, ?)")
        .bind(search::nanoseconds(entry.time))
        .bind(entry.actor)
        .bind(entry.act)
        .bind(entry.message.map(|message| message.to_string()))
        .bind(entry.reason)
        .bind(entry.outcome)
        .execute(connection)
        .await?;
    Ok(())
}

/// Entries of one message, or of all; the last appended first.
pub(super) async fn newest(
    connection: &mut SqliteConnection,
    message: Option<Uuid>,
) -> Result<Vec<AuditEntry>, Failure> {
    let rows = match message {
        Some(message) => {
            sqlx::query("SELECT * FROM audit WHERE message = ? ORDER BY sequence DESC LIMIT ?")
                .bind(message.to_string())
                .bind(i64::from(LIMIT_MAX))
                .fetch_all(connection)
                .await?
        }
        None => {
            sqlx::query("SELECT * FROM audit ORDER BY sequence DESC LIMIT ?")
                .bind(i64::from(search::limit(0)))
                .fetch_all(connection)
                .await?
        }
    };
    rows.iter().map(entry).collect()
}

/// Removes some of the oldest entries written before a time, but for those on messages on hold;
/// returns how many.
pub(super) async fn expire(connection: &mut SqliteConnection, before: i64) -> Result<u64, Failure> {
    // The trigger lets nothing go that is not due; outside of this transaction nothing ever is.
    due(connection, before).await?;
    let removed = sqlx::query(
        "DELETE FROM audit WHERE sequence IN (SELECT sequence FROM audit WHERE time < ? AND \
         (message IS NULL OR message NOT IN (SELECT id FROM message WHERE hold_since IS NOT NULL)) \
         ORDER BY time LIMIT ?)",
    )
    .bind(before)
    .bind(EXPIRED_AT_ONCE.cast_signed())
    .execute(&mut *connection)
    .await?;
    due(connection, 0).await?;
    Ok(removed.rows_affected())
}

async fn due(connection: &mut SqliteConnection, before: i64) -> Result<(), Failure> {
    sqlx::query("UPDATE audit_due SET before = ?")
        .bind(before)
        .execute(connection)
        .await?;
    Ok(())
}

fn entry(row: &SqliteRow) -> Result<AuditEntry, Failure> {
    let damaged = |what: &str| Failure::Damaged(format!("an audit entry's {what} can't be read"));
    let time = i128::from(row.try_get::<i64, _>("time")?);
    let message: Option<&str> = row.try_get("message")?;
    let message = message.map(Uuid::parse_str).transpose();
    Ok(AuditEntry {
        time: Timestamp::from_nanosecond(time).map_err(|_| damaged("time"))?,
        actor: row.try_get("actor")?,
        act: row.try_get("act")?,
        message: message.map_err(|_| damaged("message"))?,
        reason: row.try_get("reason")?,
        outcome: row.try_get("outcome")?,
    })
}
