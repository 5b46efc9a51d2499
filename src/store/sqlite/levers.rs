//! The table of levers: few rows, each an administrator's word until a moment.
//!
//! Knows nothing of what a lever does; an entry that doesn't read is damage, never passed over.

use super::Failure;
use super::messages::{moment, unreadable};
use crate::store::search;
use crate::verdict::Lever;
use crate::verdict::lever::{Kind, What};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

/// All that are kept.
pub(super) async fn all(connection: &mut SqliteConnection) -> Result<Vec<Lever>, Failure> {
    let rows = sqlx::query("SELECT * FROM lever ORDER BY kind, entry")
        .fetch_all(connection)
        .await?;
    rows.iter().map(lever).collect()
}

/// Keeps one, in place of one that does the same.
pub(super) async fn keep(connection: &mut SqliteConnection, lever: Lever) -> Result<(), Failure> {
    sqlx::query("INSERT OR REPLACE INTO lever (kind, entry, actor, reason, since, until) VALUES (?, ?, ?, ?, ?, ?)")
        .bind(lever.what.kind().as_str())
        .bind(lever.what.entry())
        .bind(lever.by)
        .bind(lever.reason)
        .bind(search::nanoseconds(lever.since))
        .bind(search::nanoseconds(lever.until))
        .execute(connection)
        .await?;
    Ok(())
}

/// Removes one.
pub(super) async fn remove(connection: &mut SqliteConnection, what: &What) -> Result<(), Failure> {
    sqlx::query("DELETE FROM lever WHERE kind = ? AND entry = ?")
        .bind(what.kind().as_str())
        .bind(what.entry())
        .execute(connection)
        .await?;
    Ok(())
}

fn lever(row: &SqliteRow) -> Result<Lever, Failure> {
    let (kind, entry): (&str, &str) = (row.try_get("kind")?, row.try_get("entry")?);
    let known = Kind::from_word(kind).ok_or_else(|| unreadable("kind", kind))?;
    Ok(Lever {
        what: What::read(known, entry).map_err(|error| unreadable("entry", &error.to_string()))?,
        by: row.try_get("actor")?,
        reason: row.try_get("reason")?,
        since: moment("since", row.try_get("since")?)?,
        until: moment("until", row.try_get("until")?)?,
    })
}
