//! A replay becomes a row.

use rusqlite::{Connection, params};
use switchhook_domain::replay::Replay;

use crate::error::StoreError;
use crate::row::replay::{filter, total};

pub(super) fn insert(connection: &Connection, replay: &Replay) -> Result<(), StoreError> {
    connection.prepare_cached(INSERT)?.execute(params![
        replay.id.0,
        replay.company_id.0,
        filter(replay)?,
        replay.to.webhook_id().map(|id| id.0),
        replay.rate,
        replay.hidden.to_string(),
        replay.made_with.to_string(),
        total(replay),
        replay.estimate.is_exact,
        replay.cursor.0,
        replay.next_due_at.as_millis(),
        replay.created_at.as_millis(),
    ])?;
    Ok(())
}

const INSERT: &str = "INSERT INTO replays (id, company_id, filter, webhook_id, rate, hidden, made_with, total, total_is_exact, \
     cursor, next_due_at, created_at, state, all_created, scanned, created, skipped, delivered, exhausted, cancelled) \
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'running', 0, 0, 0, 0, 0, 0, 0)";
