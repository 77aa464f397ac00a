//! A replay as a row.

use rusqlite::{Connection, params};
use switchhook_domain::Timestamp;
use switchhook_domain::id::{CompanyId, EventId, ReplayId, WebhookId};
use switchhook_domain::replay::{Destination, Estimate, Progress, Replay, ReplayState};

use crate::error::StoreError;
use crate::row::{Cells, Row};

/// What [`read`] reads, in its order. Untried deliveries are few: a replay makes no more before they are tried.
macro_rules! replay_columns {
    () => {
        "id, company_id, filter, webhook_id, \
         (SELECT hook_url FROM webhooks WHERE webhooks.id = webhook_id AND webhooks.replay_id = replays.id), \
         rate, hidden, total, total_is_exact, cursor, all_created, next_due_at, scanned, created, skipped, delivered, \
         exhausted, cancelled, (SELECT count(*) FROM deliveries INDEXED BY deliveries_of_replay \
           WHERE deliveries.replay_id = replays.id AND state = 'pending' AND attempt_number = 0), \
         state, ended_at, reason, created_at"
    };
}
pub(super) use replay_columns;

pub(super) fn insert(connection: &Connection, replay: &Replay) -> Result<(), StoreError> {
    let filter = serde_json::to_string(&replay.filter)
        .map_err(|error| StoreError::Conflict(format!("the replay's filter cannot be kept: {error}")))?;
    connection.prepare_cached(INSERT)?.execute(params![
        replay.id.0,
        replay.company_id.0,
        filter,
        replay.to.webhook_id().map(|id| id.0),
        replay.rate,
        replay.hidden.to_string(),
        i64::try_from(replay.estimate.total).unwrap_or(i64::MAX),
        replay.estimate.is_exact,
        replay.cursor.0,
        replay.next_due_at.as_millis(),
        replay.created_at.as_millis(),
    ])?;
    Ok(())
}

const INSERT: &str = "INSERT INTO replays (id, company_id, filter, webhook_id, rate, hidden, total, total_is_exact, \
     cursor, next_due_at, created_at, state, all_created, scanned, created, skipped, delivered, exhausted, cancelled) \
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'running', 0, 0, 0, 0, 0, 0, 0)";

pub(super) fn read(row: &Row<'_>) -> Result<Replay, StoreError> {
    let mut cells = Cells::of("replays", row)?;
    Ok(Replay {
        id: ReplayId(cells.id()),
        company_id: CompanyId(cells.read()?),
        filter: cells.json()?,
        to: read_destination(&mut cells)?,
        rate: cells.read()?,
        hidden: cells.word()?,
        estimate: Estimate {
            total: count(&mut cells)?,
            is_exact: cells.read()?,
        },
        cursor: EventId(cells.read()?),
        is_all_created: cells.read()?,
        next_due_at: cells.time()?,
        progress: Progress {
            scanned: count(&mut cells)?,
            created: count(&mut cells)?,
            skipped: count(&mut cells)?,
            delivered: count(&mut cells)?,
            exhausted: count(&mut cells)?,
            cancelled: count(&mut cells)?,
            untried: count(&mut cells)?,
        },
        state: read_state(&mut cells)?,
        created_at: cells.time()?,
    })
}

fn count(cells: &mut Cells<'_>) -> Result<u64, StoreError> {
    Ok(cells.read::<i64>()?.unsigned_abs())
}

fn read_destination(cells: &mut Cells<'_>) -> Result<Destination, StoreError> {
    let webhook_id = cells.read::<Option<i64>>()?.map(WebhookId);
    let url: Option<String> = cells.read()?;
    Ok(match (webhook_id, url) {
        (None, _) => Destination::Origins,
        (Some(id), None) => Destination::Webhook(id),
        (Some(webhook_id), Some(url)) => Destination::Url { webhook_id, url },
    })
}

fn read_state(cells: &mut Cells<'_>) -> Result<ReplayState, StoreError> {
    let name = cells.text()?;
    let at: Option<Timestamp> = cells.maybe_time()?;
    let reason: Option<String> = cells.read()?;
    match (name, at) {
        ("running", _) => Ok(ReplayState::Running),
        ("finished", Some(at)) => Ok(ReplayState::Finished { at }),
        ("cancelled", Some(at)) => Ok(ReplayState::Cancelled { at }),
        ("failed", Some(at)) => Ok(ReplayState::Failed {
            at,
            reason: reason.unwrap_or_default(),
        }),
        _ => Err(cells.corrupt(format_args!("a replay in the state `{name}`, since {at:?}"))),
    }
}
