//! Looking for the events that a replay selects: a bounded walk over events by id, each with its deliveries.

use rusqlite::Connection;
use switchhook_domain::id::EventId;
use switchhook_domain::replay::Replay;

use super::row::{all, first};
use super::sql::{OnThread, at_once};
use crate::error::StoreError;
use crate::replay::{Scan, Selection};
use crate::replay_rules::{ScannedEvents, read_event, read_past_delivery};
use crate::row::Columns;
use crate::shared::dead_letters;

pub(super) fn select(connection: &Connection, replay: &Replay, scan: Scan) -> Result<Selection, StoreError> {
    if replay.filter.dead_letters {
        return at_once(dead_letters::select(&mut OnThread::new(connection), replay, scan));
    }
    let looked = match &replay.filter.ids {
        Some(ids) => named(connection, replay, ids, scan)?,
        None => accepted(connection, replay, scan)?,
    };
    scan.select(replay, looked, |event_id| {
        all(connection, DELIVERIES, &[&event_id.0], |row| {
            read_past_delivery(&mut Columns::of("deliveries", row)?)
        })
    })
}

/// Every event of the time in question.
fn accepted(connection: &Connection, replay: &Replay, scan: Scan) -> Result<ScannedEvents, StoreError> {
    let (_, before) = replay.filter.span(replay.id);
    let events = all(
        connection,
        ACCEPTED,
        &[&replay.company_id.0, &scan.after.0, &before.0, &scan.most_scanned],
        read_event,
    )?;
    Ok(ScannedEvents {
        are_last: events.len() < scan.most_scanned as usize,
        events,
        reaches: None,
    })
}

/// Those that the filter names. An event that is gone is passed over.
fn named(
    connection: &Connection,
    replay: &Replay,
    ids: &[EventId],
    scan: Scan,
) -> Result<ScannedEvents, StoreError> {
    let (_, before) = replay.filter.span(replay.id);
    let mut wanted = ids.iter().filter(|id| **id > scan.after && **id < before);
    let mut events = Vec::new();
    let mut reaches = None;
    for id in wanted.by_ref().take(scan.most_scanned as usize) {
        events.extend(first(
            connection,
            NAMED,
            &[&id.0, &replay.company_id.0],
            read_event,
        )?);
        reaches = Some(*id);
    }
    Ok(ScannedEvents {
        events,
        reaches,
        are_last: wanted.next().is_none(),
    })
}

pub(super) const ACCEPTED: &str = "SELECT id, kind, order_key FROM events INDEXED BY events_by_company \
     WHERE company_id = ? AND id > ? AND id < ? ORDER BY id LIMIT ?";

const NAMED: &str = "SELECT id, kind, order_key FROM events WHERE id = ? AND company_id = ?";

/// Every delivery of an event, by id: those made with it come first.
pub(super) const DELIVERIES: &str = "SELECT id, webhook_id, state, hidden, subscription_ids, \
     origin_id IS NULL AND replay_id IS NULL FROM deliveries INDEXED BY deliveries_by_event \
     WHERE event_id = ? ORDER BY id";
