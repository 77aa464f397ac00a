//! Looking for the events that a replay selects: a bounded walk over events by id, each with its deliveries.

use rusqlite::Connection;
use switchhook_domain::Kind;
use switchhook_domain::id::{DeliveryId, EventId, WebhookId};
use switchhook_domain::order::OrderKey;
use switchhook_domain::replay::{Candidate, PastDelivery, Replay};

use super::list::{all, first};
use crate::error::StoreError;
use crate::replay::{Scan, Selection};
use crate::row::delivery::read_ids;
use crate::row::{Cells, Row};

/// An event, as far as a replay looks at it.
type Looked = (EventId, Kind, Option<OrderKey>);

pub(super) fn select(connection: &Connection, replay: &Replay, scan: Scan) -> Result<Selection, StoreError> {
    let events = match &replay.filter.ids {
        Some(ids) => named(connection, replay, ids, scan)?,
        None => accepted(connection, replay, scan)?,
    };
    let mut selection = Selection {
        candidates: Vec::new(),
        scanned: 0,
        first: events.looked.first().map(|(id, ..)| *id),
        cursor: scan.after,
        is_last: false,
    };
    for (event_id, kind, order_key) in events.looked {
        if selection.candidates.len() >= scan.most_selected as usize {
            return Ok(selection);
        }
        selection.scanned += 1;
        selection.cursor = event_id;
        if !replay.filter.lets_through(kind, order_key.as_ref()) {
            continue;
        }
        let candidate = Candidate {
            event_id,
            kind,
            order_key,
            deliveries: all(connection, DELIVERIES, &[&event_id.0], read_delivery)?,
        };
        if !replay.plan(&candidate).is_empty() {
            selection.candidates.push(candidate);
        }
    }
    selection.cursor = events.reaches.unwrap_or(selection.cursor);
    selection.is_last = events.are_last;
    Ok(selection)
}

/// Some events.
struct Events {
    looked: Vec<Looked>,
    /// How far the walk came, if that is beyond the last event.
    reaches: Option<EventId>,
    are_last: bool,
}

/// Every event of the time in question.
fn accepted(connection: &Connection, replay: &Replay, scan: Scan) -> Result<Events, StoreError> {
    let (_, before) = replay.filter.span(replay.id);
    let looked = all(
        connection,
        ACCEPTED,
        &[&replay.company_id.0, &scan.after.0, &before.0, &scan.most_scanned],
        read_event,
    )?;
    Ok(Events {
        are_last: looked.len() < scan.most_scanned as usize,
        looked,
        reaches: None,
    })
}

/// Those that the filter names. An event that is gone is passed over.
fn named(
    connection: &Connection,
    replay: &Replay,
    ids: &[EventId],
    scan: Scan,
) -> Result<Events, StoreError> {
    let (_, before) = replay.filter.span(replay.id);
    let mut wanted = ids.iter().filter(|id| **id > scan.after && **id < before);
    let mut looked = Vec::new();
    let mut reaches = None;
    for id in wanted.by_ref().take(scan.most_scanned as usize) {
        looked.extend(first(
            connection,
            NAMED,
            &[&id.0, &replay.company_id.0],
            read_event,
        )?);
        reaches = Some(*id);
    }
    Ok(Events {
        looked,
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

fn read_event(row: &Row<'_>) -> Result<Looked, StoreError> {
    let mut cells = Cells::of("events", row)?;
    let id = EventId(cells.id());
    Ok((id, cells.word()?, cells.maybe_text()?.map(OrderKey::new)))
}

fn read_delivery(row: &Row<'_>) -> Result<PastDelivery, StoreError> {
    let mut cells = Cells::of("deliveries", row)?;
    Ok(PastDelivery {
        id: DeliveryId(cells.id()),
        webhook_id: WebhookId(cells.read()?),
        state: cells.word()?,
        hidden: cells.word()?,
        subscription_ids: read_ids(&mut cells)?,
        is_original: cells.read()?,
    })
}
