//! The tables of what is remembered: one row an entry, found by its key, and one row of what was seen at all.
//!
//! Many messages are learned in one transaction: their rows are read, changed and written together. Knows nothing of
//! whom a key stands for.

use super::Failure;
use super::messages::{moment, unreadable};
use crate::evidence::{Key, Secret};
use crate::store::history::{Acquaintance, BENEATH_MAX, Experience, Learned, Lesson, Recalled};
use crate::store::search;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};
use std::collections::{BTreeMap, BTreeSet};

/// The most that one call of [`expire`] removes.
pub(super) const EXPIRED_AT_ONCE: u64 = 1_000;

/// Rows in one statement.
const ROWS_AT_ONCE: usize = 100;

/// The most entries that one transaction drops for want of room; the next goes on.
const DROPPED_AT_ONCE: u64 = 5_000;

/// What keys are made with; `fresh` becomes it when there is none yet.
pub(super) async fn secret(
    connection: &mut SqliteConnection,
    fresh: [u8; Secret::BYTES],
) -> Result<[u8; Secret::BYTES], Failure> {
    sqlx::query("UPDATE history_state SET secret = ? WHERE secret IS NULL")
        .bind(fresh.to_vec())
        .execute(&mut *connection)
        .await?;
    let kept: Vec<u8> = sqlx::query_scalar("SELECT secret FROM history_state")
        .fetch_one(connection)
        .await?;
    kept.try_into().map_err(|_| unreadable("secret", "of another length"))
}

/// What is remembered under these keys, and directly under one of them.
pub(super) async fn recall(
    connection: &mut SqliteConnection,
    keys: &[Key],
    beneath: Option<&Key>,
) -> Result<Recalled, Failure> {
    let experience = experience(connection).await?;
    let mut known = known(connection, keys).await?;
    if let Some(above) = beneath {
        let mut sql: QueryBuilder<Sqlite> = QueryBuilder::new("SELECT * FROM history WHERE ");
        push_beneath(&mut sql, above, ">");
        sql.push(" LIMIT ")
            .push_bind(number(BENEATH_MAX as u64).saturating_add(1));
        for row in sql.build().fetch_all(connection).await? {
            known.insert(Key::from_bytes(row.try_get("key")?), acquaintance(&row)?);
        }
    }
    Ok(Recalled { experience, known })
}

/// Removes a key, what stands beneath it, and every pair of a recipient. The last looks at every entry: a person waits
/// for that, and now and then.
pub(super) async fn forget(
    connection: &mut SqliteConnection,
    key: &Key,
    recipient: Option<&Key>,
) -> Result<u64, Failure> {
    let mut sql: QueryBuilder<Sqlite> = QueryBuilder::new("DELETE FROM history WHERE (");
    push_beneath(&mut sql, key, ">=");
    sql.push(")");
    if let Some(recipient) = recipient {
        let length = number(recipient.as_bytes().len() as u64);
        sql.push(" OR (length(key) > ")
            .push_bind(length)
            .push(" AND substr(key, ")
            .push_bind(length.saturating_neg())
            .push(") = ")
            .push_bind(recipient.as_bytes().to_vec())
            .push(")");
    }
    let gone = sql.build().execute(&mut *connection).await?.rows_affected();
    count_removed(connection, gone).await?;
    Ok(gone)
}

fn push_beneath(sql: &mut QueryBuilder<Sqlite>, above: &Key, from: &str) {
    sql.push("key ")
        .push(from)
        .push(" ")
        .push_bind(above.as_bytes().to_vec());
    if let Some(beyond) = above.beyond() {
        sql.push(" AND key < ").push_bind(beyond.as_bytes().to_vec());
    }
}

async fn count_removed(connection: &mut SqliteConnection, removed: u64) -> Result<(), Failure> {
    sqlx::query("UPDATE history_state SET entries = max(entries - ?, 0)")
        .bind(number(removed))
        .execute(connection)
        .await?;
    Ok(())
}

/// Takes in what wasn't taken in before, and drops what there is no room for.
pub(super) async fn learn(
    connection: &mut SqliteConnection,
    lessons: Vec<Lesson>,
    entries_max: u64,
) -> Result<Learned, Failure> {
    let mut fresh = marked(connection, &lessons).await?;
    let lessons: Vec<&Lesson> = lessons
        .iter()
        .filter(|lesson| lesson.message.is_none_or(|id| fresh.remove(&id.to_string())))
        .collect();
    if lessons.is_empty() {
        return Ok(Learned::default());
    }
    let changes = || lessons.iter().flat_map(|lesson| &lesson.changes);
    let keys: BTreeSet<&Key> = changes().map(|change| &change.key).collect();
    let keys: Vec<Key> = keys.into_iter().cloned().collect();
    let mut rows = known(connection, &keys).await?;
    let before = rows.len();
    let mut experience = experience(connection).await?;
    for lesson in &lessons {
        if lesson.message.is_some() {
            experience.take(lesson.is_outbound, lesson.time);
        }
        for change in &lesson.changes {
            let row = rows.entry(change.key.clone()).or_default();
            row.learn(change.adds, lesson.time);
        }
    }
    write(connection, &rows).await?;
    let added = rows.len().saturating_sub(before) as u64;
    let dropped = make_room(connection, added, entries_max).await?;
    write_experience(connection, &experience).await?;
    Ok(Learned { dropped })
}

/// Marks the journal records of these lessons as learned; returns the ids of those that weren't yet.
async fn marked(connection: &mut SqliteConnection, lessons: &[Lesson]) -> Result<BTreeSet<String>, Failure> {
    let ids: Vec<String> = lessons
        .iter()
        .filter_map(|lesson| lesson.message.map(|id| id.to_string()))
        .collect();
    let mut fresh = BTreeSet::new();
    for some in ids.chunks(ROWS_AT_ONCE) {
        let mut sql: QueryBuilder<Sqlite> =
            QueryBuilder::new("UPDATE journal SET learned = 1 WHERE learned = 0 AND id IN (");
        let mut list = sql.separated(", ");
        for id in some {
            list.push_bind(id.clone());
        }
        sql.push(") RETURNING id");
        for row in sql.build().fetch_all(&mut *connection).await? {
            fresh.insert(row.try_get("id")?);
        }
    }
    Ok(fresh)
}

async fn known(connection: &mut SqliteConnection, keys: &[Key]) -> Result<BTreeMap<Key, Acquaintance>, Failure> {
    let mut known = BTreeMap::new();
    for some in keys.chunks(ROWS_AT_ONCE) {
        let mut sql: QueryBuilder<Sqlite> = QueryBuilder::new("SELECT * FROM history WHERE key IN (");
        let mut list = sql.separated(", ");
        for key in some {
            list.push_bind(key.as_bytes().to_vec());
        }
        sql.push(")");
        for row in sql.build().fetch_all(&mut *connection).await? {
            known.insert(Key::from_bytes(row.try_get("key")?), acquaintance(&row)?);
        }
    }
    Ok(known)
}

async fn write(connection: &mut SqliteConnection, rows: &BTreeMap<Key, Acquaintance>) -> Result<(), Failure> {
    let rows: Vec<(&Key, &Acquaintance)> = rows.iter().collect();
    for some in rows.chunks(ROWS_AT_ONCE) {
        let mut sql: QueryBuilder<Sqlite> = QueryBuilder::new(
            "INSERT OR REPLACE INTO history \
             (key, messages, quarantined, released, sent, first_seen, last_seen, touched, sent_first, worth) ",
        );
        sql.push_values(some, |mut row, (key, known)| {
            row.push_bind(key.as_bytes().to_vec())
                .push_bind(number(known.messages))
                .push_bind(number(known.quarantined))
                .push_bind(number(known.released))
                .push_bind(number(known.sent))
                .push_bind(known.first_seen.map(search::nanoseconds))
                .push_bind(known.last_seen.map(search::nanoseconds))
                .push_bind(search::nanoseconds(known.touched))
                .push_bind(i64::from(known.sent_first))
                .push_bind(i64::from(known.worth()));
        });
        sql.build().execute(&mut *connection).await?;
    }
    Ok(())
}

/// Counts what was added, and drops the least worth of what is too much, the longest untouched first.
async fn make_room(connection: &mut SqliteConnection, added: u64, entries_max: u64) -> Result<u64, Failure> {
    let entries: i64 = sqlx::query_scalar("SELECT entries FROM history_state")
        .fetch_one(&mut *connection)
        .await?;
    let entries = entries.unsigned_abs().saturating_add(added);
    let excess = entries.saturating_sub(entries_max).min(DROPPED_AT_ONCE);
    let mut dropped = 0;
    if excess > 0 {
        let done =
            sqlx::query("DELETE FROM history WHERE key IN (SELECT key FROM history ORDER BY worth, touched LIMIT ?)")
                .bind(number(excess))
                .execute(&mut *connection)
                .await?;
        dropped = done.rows_affected();
    }
    sqlx::query("UPDATE history_state SET entries = ?")
        .bind(number(entries.saturating_sub(dropped)))
        .execute(connection)
        .await?;
    Ok(dropped)
}

/// Removes some of those that were last touched before a time; returns how many.
pub(super) async fn expire(connection: &mut SqliteConnection, before: i64) -> Result<u64, Failure> {
    let mut removed = 0;
    // By their worth, so that the index leads to them.
    for worth in 0..=2_i64 {
        let left = EXPIRED_AT_ONCE.saturating_sub(removed);
        let done = sqlx::query(
            "DELETE FROM history WHERE key IN (SELECT key FROM history WHERE worth = ? AND touched < ? LIMIT ?)",
        )
        .bind(worth)
        .bind(before)
        .bind(number(left))
        .execute(&mut *connection)
        .await?;
        removed += done.rows_affected();
    }
    count_removed(connection, removed).await?;
    Ok(removed)
}

async fn experience(connection: &mut SqliteConnection) -> Result<Experience, Failure> {
    let row = sqlx::query("SELECT began, outbound_began, messages FROM history_state")
        .fetch_one(connection)
        .await?;
    Ok(Experience {
        began: maybe_moment(&row, "began")?,
        outbound_began: maybe_moment(&row, "outbound_began")?,
        messages: count(&row, "messages")?,
    })
}

async fn write_experience(connection: &mut SqliteConnection, experience: &Experience) -> Result<(), Failure> {
    sqlx::query("UPDATE history_state SET began = ?, outbound_began = ?, messages = ?")
        .bind(experience.began.map(search::nanoseconds))
        .bind(experience.outbound_began.map(search::nanoseconds))
        .bind(number(experience.messages))
        .execute(connection)
        .await?;
    Ok(())
}

fn acquaintance(row: &SqliteRow) -> Result<Acquaintance, Failure> {
    Ok(Acquaintance {
        messages: count(row, "messages")?,
        quarantined: count(row, "quarantined")?,
        released: count(row, "released")?,
        sent: count(row, "sent")?,
        first_seen: maybe_moment(row, "first_seen")?,
        last_seen: maybe_moment(row, "last_seen")?,
        touched: moment("touched", row.try_get("touched")?)?,
        sent_first: row.try_get::<i64, _>("sent_first")? != 0,
    })
}

fn maybe_moment(row: &SqliteRow, column: &'static str) -> Result<Option<jiff::Timestamp>, Failure> {
    let stored: Option<i64> = row.try_get(column)?;
    stored.map(|stored| moment(column, stored)).transpose()
}

fn count(row: &SqliteRow, column: &'static str) -> Result<u64, Failure> {
    Ok(row.try_get::<i64, _>(column)?.unsigned_abs())
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
