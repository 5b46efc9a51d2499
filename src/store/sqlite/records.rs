//! The journal's table: one row a message, found by its columns, kept whole as JSON.
//!
//! Appending is on every message's way, so many rows go in one statement, prepared once.

use super::Failure;
use crate::store::{JournalQuery, search};
use crate::telemetry::MessageEvent;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection};
use std::sync::LazyLock;

/// The most that one call of [`expire`] removes.
pub(super) const EXPIRED_AT_ONCE: u64 = 1_000;

/// Rows in one full statement: each statement is a round trip to SQLite's thread.
const ROWS_AT_ONCE: usize = 50;

const INSERT: &str =
    "INSERT INTO journal (id, received, verdict, senders_folded, recipients_folded, event) VALUES (?, ?, ?, ?, ?, ?)";

/// [`INSERT`] for [`ROWS_AT_ONCE`] rows, and for the few that are left over.
static APPEND_MANY: LazyLock<String> = LazyLock::new(|| {
    let more = ", (?, ?, ?, ?, ?, ?)".repeat(ROWS_AT_ONCE - 1);
    format!("{INSERT}{more} ON CONFLICT (id) DO NOTHING")
});
static APPEND_ONE: LazyLock<String> = LazyLock::new(|| format!("{INSERT} ON CONFLICT (id) DO NOTHING"));
static REPLACE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "{INSERT} ON CONFLICT (id) DO UPDATE SET received = excluded.received, verdict = excluded.verdict, \
         senders_folded = excluded.senders_folded, recipients_folded = excluded.recipients_folded, \
         event = excluded.event"
    )
});

/// A journal record as it is stored.
#[derive(Debug)]
pub(super) struct Row {
    id: String,
    received: i64,
    verdict: String,
    senders: String,
    recipients: String,
    /// The whole record, JSON.
    pub(super) event: String,
}

impl Row {
    /// What is stored of an event.
    pub(super) fn of(event: &MessageEvent) -> Result<Self, Failure> {
        Ok(Self {
            id: event.id.clone(),
            received: search::received(event),
            verdict: event.verdict.clone(),
            senders: search::senders(event),
            recipients: search::recipients(event),
            event: serde_json::to_string(event).map_err(|error| Failure::Damaged(error.to_string()))?,
        })
    }

    fn bind(self, insert: Insert) -> Insert {
        insert
            .bind(self.id)
            .bind(self.received)
            .bind(self.verdict)
            .bind(self.senders)
            .bind(self.recipients)
            .bind(self.event)
    }
}

type Insert = Query<'static, Sqlite, SqliteArguments>;

/// Appends records; of one that is known already, the known one stays.
pub(super) async fn append(connection: &mut SqliteConnection, rows: Vec<Row>) -> Result<(), Failure> {
    let mut rows = rows.into_iter();
    while rows.len() >= ROWS_AT_ONCE {
        let chunk = rows.by_ref().take(ROWS_AT_ONCE);
        let insert = chunk.fold(sqlx::query(APPEND_MANY.as_str()), |insert, row| row.bind(insert));
        insert.execute(&mut *connection).await?;
    }
    for row in rows {
        row.bind(sqlx::query(APPEND_ONE.as_str()))
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Writes a record in place of any with its id.
pub(super) async fn replace(connection: &mut SqliteConnection, row: Row) -> Result<(), Failure> {
    row.bind(sqlx::query(REPLACE.as_str())).execute(connection).await?;
    Ok(())
}

/// Finds records, newest first.
pub(super) async fn search(
    connection: &mut SqliteConnection,
    query: &JournalQuery,
) -> Result<Vec<MessageEvent>, Failure> {
    let mut sql: QueryBuilder<Sqlite> = QueryBuilder::new("SELECT event FROM journal WHERE TRUE");
    if let Some(id) = query.id {
        sql.push(" AND id = ").push_bind(id.to_string());
    }
    if let Some(since) = query.since {
        sql.push(" AND received >= ").push_bind(search::nanoseconds(since));
    }
    if let Some(until) = query.until {
        sql.push(" AND received <= ").push_bind(search::nanoseconds(until));
    }
    if let Some(verdict) = &query.verdict {
        sql.push(" AND verdict = ").push_bind(verdict.clone());
    }
    if let Some(sender) = &query.sender {
        sql.push(" AND instr(senders_folded, ")
            .push_bind(search::fold(sender))
            .push(") > 0");
    }
    if let Some(recipient) = &query.recipient {
        sql.push(" AND instr(recipients_folded, ")
            .push_bind(search::fold(recipient))
            .push(") > 0");
    }
    sql.push(" ORDER BY received DESC, sequence DESC LIMIT ")
        .push_bind(i64::from(search::limit(query.limit)));
    let rows = sql.build().fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            let event: &str = row.try_get("event")?;
            serde_json::from_str(event)
                .map_err(|error| Failure::Damaged(format!("a journal record can't be read: {error}")))
        })
        .collect()
}

/// Removes some of the oldest records received before a time, but for those of messages on hold;
/// returns how many.
pub(super) async fn expire(connection: &mut SqliteConnection, before: i64) -> Result<u64, Failure> {
    let removed = sqlx::query(
        "DELETE FROM journal WHERE sequence IN \
         (SELECT sequence FROM journal WHERE received < ? AND id NOT IN \
          (SELECT coalesce(json_extract(event, '$.id'), '') FROM message WHERE hold_since IS NOT NULL) \
          ORDER BY received LIMIT ?)",
    )
    .bind(before)
    .bind(EXPIRED_AT_ONCE.cast_signed())
    .execute(connection)
    .await?;
    Ok(removed.rows_affected())
}
