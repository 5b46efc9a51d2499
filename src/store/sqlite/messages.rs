//! The quarantine's tables: `message`, `recipient` and `body`, which one transaction always writes
//! together, so that no row is ever without the others.
//!
//! What a change does to a message `custody` decides: it is loaded, asked, and saved.

use super::Failure;
use super::records;
use crate::mail::{Address, Envelope, Parameter, Recipient};
use crate::store::custody::{self, Charge, Custody, Standing};
use crate::store::{Hold, QuarantineQuery, Quarantined, State, StoreError, Summary, Totals, search};
use bytes::Bytes;
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Connection, QueryBuilder, Row, Sqlite, SqliteConnection};
use uuid::Uuid;

/// The most that one call of [`expire`] removes: bodies are large, so a batch is small.
pub(super) const EXPIRED_AT_ONCE: u64 = 100;

/// zstd's own middle: mail shrinks to a half or less at several hundred MB/s.
const COMPRESSION_LEVEL: i32 = 3;

/// A message whose body is compressed, ready to be written or just read.
pub(super) struct Packed {
    /// All but the body.
    message: Quarantined,
    /// Bytes of the body as received.
    pub(super) size: u64,
    /// The body, compressed; `None` when it is no longer kept.
    content: Option<Vec<u8>>,
}

impl Packed {
    /// Compresses the body.
    pub(super) fn pack(mut message: Quarantined) -> Result<Self, Failure> {
        let body = std::mem::take(&mut message.body);
        let content = compress(&body).map_err(|error| Failure::Damaged(format!("a body can't be packed: {error}")))?;
        Ok(Self {
            message,
            size: body.len() as u64,
            content: Some(content),
        })
    }

    /// Restores the body.
    pub(super) fn unpack(mut self) -> Result<Quarantined, Failure> {
        if let Some(content) = &self.content {
            let damaged = |why: String| Failure::Damaged(format!("the body of {} is damaged: {why}", self.message.id));
            let size = usize::try_from(self.size).map_err(|error| damaged(error.to_string()))?;
            let body = zstd::bulk::decompress(content, size).map_err(|error| damaged(error.to_string()))?;
            if body.len() != size {
                return Err(damaged(format!("{} bytes instead of {size}", body.len())));
            }
            self.message.body = Bytes::from(body);
        }
        Ok(self.message)
    }
}

fn compress(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut compressor = zstd::bulk::Compressor::new(COMPRESSION_LEVEL)?;
    // Bits that rot on the disk must not be released as somebody's mail.
    compressor.include_checksum(true)?;
    compressor.compress(body)
}

/// Keeps a message, or merges it into an identical one; writes its journal record beside it.
pub(super) async fn insert(connection: &mut SqliteConnection, packed: Packed) -> Result<Uuid, Failure> {
    let custody = Custody::begin(packed.message.state, &packed.message.envelope.recipients)?;
    let event = records::Row::of(&packed.message.event)?;
    let twin = sqlx::query(
        "SELECT id FROM message WHERE fingerprint = ? AND state IN ('pending', 'held', 'undelivered') ORDER BY sequence LIMIT 1",
    )
    .bind(packed.message.fingerprint.as_str())
    .fetch_optional(&mut *connection)
    .await?;
    let id = match twin {
        Some(twin) => {
            let id = identity(&twin.try_get::<String, _>("id")?)?;
            if id != packed.message.id {
                let state = packed.message.state;
                change(connection, id, move |custody| {
                    custody.merge(state);
                    Ok(())
                })
                .await?;
            }
            id
        }
        None => insert_new(connection, packed, &custody, &event.event).await?,
    };
    records::replace(connection, event).await?;
    Ok(id)
}

/// Moves a pending message on, and writes how it ended.
pub(super) async fn settle(
    connection: &mut SqliteConnection,
    id: Uuid,
    state: State,
    event: Option<records::Row>,
) -> Result<(), Failure> {
    change(connection, id, move |custody| custody.settle(state)).await?;
    match event {
        Some(event) => records::replace(connection, event).await,
        None => Ok(()),
    }
}

async fn insert_new(
    connection: &mut SqliteConnection,
    packed: Packed,
    custody: &Custody,
    event: &str,
) -> Result<Uuid, Failure> {
    let Packed { message, size, content } = packed;
    if let Some((_, kept)) = load(connection, message.id).await? {
        return Err(StoreError::WrongState(kept.state).into());
    }
    let envelope = &message.envelope;
    let inserted = sqlx::query(
        "INSERT INTO message (id, state, rest, attempts, received, fingerprint, category, size, reverse_path, parameters, \
         route, author, subject, senders_folded, recipients_folded, event) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(message.id.to_string())
    .bind(custody.state.as_str())
    .bind(custody.rest.as_str())
    .bind(i64::from(custody.attempts))
    .bind(search::nanoseconds(message.received))
    .bind(message.fingerprint)
    .bind(message.category)
    .bind(i64::try_from(size).unwrap_or(i64::MAX))
    .bind(envelope.reverse_path.as_ref().map(ToString::to_string))
    .bind(json(&envelope.parameters)?)
    .bind(message.route)
    .bind(message.from.as_str())
    .bind(message.subject)
    .bind(search::fold_all([envelope.reverse_path_text(), &message.from]))
    .bind(search::fold_all(
        envelope.recipients.iter().map(|recipient| recipient.address.as_str()),
    ))
    .bind(event)
    .execute(&mut *connection)
    .await?;
    let sequence = inserted.last_insert_rowid();
    for (place, charge) in (0_i64..).zip(&custody.recipients) {
        sqlx::query("INSERT INTO recipient (message, place, address, parameters, standing) VALUES (?, ?, ?, ?, ?)")
            .bind(sequence)
            .bind(place)
            .bind(charge.recipient.address.as_str())
            .bind(json(&charge.recipient.parameters)?)
            .bind(charge.standing.as_str())
            .execute(&mut *connection)
            .await?;
    }
    sqlx::query("INSERT INTO body (message, added, content) VALUES (?, ?, ?)")
        .bind(sequence)
        .bind(message.added.to_vec())
        .bind(content.unwrap_or_default())
        .execute(&mut *connection)
        .await?;
    Ok(message.id)
}

/// Loads a message's custody, has it changed, and saves what came of it.
pub(super) async fn change<T>(
    connection: &mut SqliteConnection,
    id: Uuid,
    decide: impl FnOnce(&mut Custody) -> Result<T, StoreError> + Send,
) -> Result<T, Failure> {
    let (sequence, before) = load(connection, id).await?.ok_or(StoreError::NotFound)?;
    let mut after = before.clone();
    let decided = decide(&mut after)?;
    sqlx::query("UPDATE message SET state = ?, rest = ?, attempts = ? WHERE sequence = ?")
        .bind(after.state.as_str())
        .bind(after.rest.as_str())
        .bind(i64::from(after.attempts))
        .bind(sequence)
        .execute(&mut *connection)
        .await?;
    for (place, (old, new)) in (0_i64..).zip(before.recipients.iter().zip(&after.recipients)) {
        if old.standing != new.standing {
            sqlx::query("UPDATE recipient SET standing = ? WHERE message = ? AND place = ?")
                .bind(new.standing.as_str())
                .bind(sequence)
                .bind(place)
                .execute(&mut *connection)
                .await?;
        }
    }
    if after.body_is_gone() {
        sqlx::query("DELETE FROM body WHERE message = ?")
            .bind(sequence)
            .execute(&mut *connection)
            .await?;
    }
    Ok(decided)
}

/// Puts a message on hold, or lifts that.
pub(super) async fn hold(connection: &mut SqliteConnection, id: Uuid, hold: Option<Hold>) -> Result<(), Failure> {
    let on = hold.is_some();
    let (by, reason, since) = match hold {
        Some(hold) => (Some(hold.by), Some(hold.reason), Some(search::nanoseconds(hold.since))),
        None => (None, None, None),
    };
    change(connection, id, move |custody| custody.hold(on)).await?;
    sqlx::query("UPDATE message SET hold_by = ?, hold_reason = ?, hold_since = ? WHERE id = ?")
        .bind(by)
        .bind(reason)
        .bind(since)
        .bind(id.to_string())
        .execute(connection)
        .await?;
    Ok(())
}

async fn load(connection: &mut SqliteConnection, id: Uuid) -> Result<Option<(i64, Custody)>, Failure> {
    let found = sqlx::query("SELECT sequence, state, rest, attempts, hold_since FROM message WHERE id = ?")
        .bind(id.to_string())
        .fetch_optional(&mut *connection)
        .await?;
    let Some(row) = found else {
        return Ok(None);
    };
    let sequence = row.try_get("sequence")?;
    let custody = Custody {
        state: state(&row, "state")?,
        rest: state(&row, "rest")?,
        on_hold: row.try_get::<Option<i64>, _>("hold_since")?.is_some(),
        attempts: row.try_get::<i64, _>("attempts")?.try_into().unwrap_or(u32::MAX),
        recipients: charges(connection, sequence).await?,
    };
    Ok(Some((sequence, custody)))
}

async fn charges(connection: &mut SqliteConnection, sequence: i64) -> Result<Vec<Charge>, Failure> {
    let rows = sqlx::query("SELECT address, parameters, standing FROM recipient WHERE message = ? ORDER BY place")
        .bind(sequence)
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| {
            let standing: &str = row.try_get("standing")?;
            Ok(Charge {
                recipient: Recipient {
                    address: Address::from_checked(row.try_get::<String, _>("address")?),
                    parameters: parameters(row)?,
                },
                standing: Standing::from_word(standing).ok_or_else(|| unreadable("standing", standing))?,
            })
        })
        .collect()
}

/// Reads one message whole, as of one moment.
pub(super) async fn fetch(connection: &mut SqliteConnection, id: Uuid) -> Result<Packed, Failure> {
    let mut snapshot = connection.begin().await?;
    let row = sqlx::query("SELECT * FROM message WHERE id = ?")
        .bind(id.to_string())
        .fetch_optional(&mut *snapshot)
        .await?
        .ok_or(StoreError::NotFound)?;
    let sequence: i64 = row.try_get("sequence")?;
    let custody = Custody {
        state: state(&row, "state")?,
        rest: State::Held,
        on_hold: false,
        attempts: 1,
        recipients: charges(&mut snapshot, sequence).await?,
    };
    let body = sqlx::query("SELECT added, content FROM body WHERE message = ?")
        .bind(sequence)
        .fetch_optional(&mut *snapshot)
        .await?;
    snapshot.commit().await?;
    let (added, content) = match body {
        Some(body) => (body.try_get::<Vec<u8>, _>("added")?, Some(body.try_get("content")?)),
        None => (Vec::new(), None),
    };
    let event: &str = row.try_get("event")?;
    let message = Quarantined {
        id,
        state: custody.state,
        received: received(&row)?,
        envelope: Envelope {
            reverse_path: row
                .try_get::<Option<String>, _>("reverse_path")?
                .map(Address::from_checked),
            parameters: parameters(&row)?,
            recipients: custody.shown(),
        },
        route: row.try_get("route")?,
        category: row.try_get("category")?,
        from: row.try_get("author")?,
        subject: row.try_get("subject")?,
        body: Bytes::new(),
        added: Bytes::from(added),
        fingerprint: row.try_get("fingerprint")?,
        event: serde_json::from_str(event).map_err(|error| unreadable("event", &error.to_string()))?,
        hold: held_by(&row)?,
    };
    Ok(Packed {
        message,
        size: size(&row)?,
        content,
    })
}

/// Lists messages, newest first.
pub(super) async fn list(connection: &mut SqliteConnection, query: &QuarantineQuery) -> Result<Vec<Summary>, Failure> {
    let mut sql: QueryBuilder<Sqlite> = QueryBuilder::new(
        "SELECT id, state, received, reverse_path, author, subject, category, size, hold_by, hold_reason, hold_since, \
         (SELECT json_group_array(address ORDER BY place) FROM recipient \
          WHERE message = message.sequence AND (standing <> 'delivered' OR state = 'released')) AS addresses \
         FROM message WHERE TRUE",
    );
    if let Some(state) = query.state {
        sql.push(" AND state = ").push_bind(state.as_str());
    }
    if query.on_hold {
        sql.push(" AND hold_since IS NOT NULL");
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
    rows.iter().map(summary).collect()
}

fn summary(row: &SqliteRow) -> Result<Summary, Failure> {
    let addresses: &str = row.try_get("addresses")?;
    Ok(Summary {
        id: identity(row.try_get("id")?)?,
        state: state(row, "state")?,
        received: received(row)?,
        reverse_path: row.try_get::<Option<String>, _>("reverse_path")?.unwrap_or_default(),
        recipients: serde_json::from_str(addresses).map_err(|error| unreadable("recipients", &error.to_string()))?,
        from: row.try_get("author")?,
        subject: row.try_get("subject")?,
        category: row.try_get("category")?,
        size: size(row)?,
        hold: held_by(row)?,
    })
}

/// Counts what is held.
pub(super) async fn totals(connection: &mut SqliteConnection) -> Result<Totals, Failure> {
    let rows = sqlx::query(
        "SELECT category, count(*) AS messages, sum(size) AS size, min(received) AS received, \
         count(*) FILTER (WHERE state = 'undelivered') AS undelivered \
         FROM message WHERE state IN ('held', 'undelivered') GROUP BY category ORDER BY category",
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut totals = Totals::default();
    for row in &rows {
        let messages: i64 = row.try_get("messages")?;
        totals
            .held_by_category
            .push((row.try_get("category")?, messages.unsigned_abs()));
        let undelivered: i64 = row.try_get("undelivered")?;
        totals.undelivered = totals.undelivered.saturating_add(undelivered.unsigned_abs());
        totals.bytes = totals.bytes.saturating_add(size(row)?);
        let oldest = received(row)?;
        totals.oldest = Some(totals.oldest.map_or(oldest, |known| known.min(oldest)));
    }
    let on_hold: i64 = sqlx::query_scalar("SELECT count(*) FROM message WHERE hold_since IS NOT NULL")
        .fetch_one(&mut *connection)
        .await?;
    let entries: i64 = sqlx::query_scalar("SELECT entries FROM history_state")
        .fetch_one(connection)
        .await?;
    totals.on_hold = on_hold.unsigned_abs();
    totals.history_entries = entries.unsigned_abs();
    Ok(totals)
}

/// Removes some messages whose retention has ended, bodies and all; returns how many.
pub(super) async fn expire(connection: &mut SqliteConnection, before: i64) -> Result<u64, Failure> {
    let mut sql: QueryBuilder<Sqlite> =
        QueryBuilder::new("DELETE FROM message WHERE sequence IN (SELECT sequence FROM message WHERE received < ");
    sql.push_bind(before).push(" AND hold_since IS NULL AND state IN (");
    let mut words = sql.separated(", ");
    for state in custody::STATES.into_iter().filter(|state| custody::expires(*state)) {
        words.push_bind(state.as_str());
    }
    sql.push(") ORDER BY received LIMIT ")
        .push_bind(EXPIRED_AT_ONCE.cast_signed())
        .push(")");
    Ok(sql.build().execute(connection).await?.rows_affected())
}

fn json<T: serde::Serialize>(value: &T) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| Failure::Damaged(error.to_string()))
}

fn parameters(row: &SqliteRow) -> Result<Vec<Parameter>, Failure> {
    let text: &str = row.try_get("parameters")?;
    serde_json::from_str(text).map_err(|error| unreadable("parameters", &error.to_string()))
}

fn identity(text: &str) -> Result<Uuid, Failure> {
    Uuid::parse_str(text).map_err(|_| unreadable("id", text))
}

fn state(row: &SqliteRow, column: &'static str) -> Result<State, Failure> {
    let word: &str = row.try_get(column)?;
    custody::state_from_word(word).ok_or_else(|| unreadable(column, word))
}

fn held_by(row: &SqliteRow) -> Result<Option<Hold>, Failure> {
    let Some(since) = row.try_get::<Option<i64>, _>("hold_since")? else {
        return Ok(None);
    };
    Ok(Some(Hold {
        by: row.try_get("hold_by")?,
        reason: row.try_get("hold_reason")?,
        since: moment("hold_since", since)?,
    }))
}

/// A time as [`search::nanoseconds`] wrote it.
pub(super) fn moment(column: &str, nanoseconds: i64) -> Result<Timestamp, Failure> {
    Timestamp::from_nanosecond(i128::from(nanoseconds)).map_err(|error| unreadable(column, &error.to_string()))
}

fn received(row: &SqliteRow) -> Result<Timestamp, Failure> {
    moment("received", row.try_get("received")?)
}

fn size(row: &SqliteRow) -> Result<u64, Failure> {
    let size: i64 = row.try_get("size")?;
    u64::try_from(size).map_err(|error| unreadable("size", &error.to_string()))
}

/// A row that doesn't read as this version writes it.
pub(super) fn unreadable(column: &str, found: &str) -> Failure {
    Failure::Damaged(format!("a row's {column} can't be read: {found}"))
}
