//! Looking for the events that a replay selects: a bounded walk over events by id, each with its deliveries.

use std::collections::HashMap;

use sqlx::postgres::PgConnection;
use switchhook_domain::id::EventId;
use switchhook_domain::replay::{PastDelivery, Replay};

use super::columns::unprepared;
use crate::error::StoreError;
use crate::replay::{Scan, Selection};
use crate::replay_rules::{ScannedEvents, read_event, read_past_delivery};
use crate::row::Columns;
use crate::shared::dead_letters;

pub(super) async fn select(
    connection: &mut PgConnection,
    replay: &Replay,
    scan: Scan,
) -> Result<Selection, StoreError> {
    if replay.filter.dead_letters {
        return dead_letters::select(connection, replay, scan).await;
    }
    let looked = match &replay.filter.ids {
        Some(ids) => named(connection, replay, ids, scan).await?,
        None => accepted(connection, replay, scan).await?,
    };
    let let_through = looked
        .events
        .iter()
        .filter(|(_, kind, order_key)| replay.filter.lets_through(*kind, order_key.as_ref()));
    let let_through = let_through.map(|(id, ..)| id.0).collect();
    let mut deliveries = deliveries_of(connection, let_through).await?;
    scan.select(replay, looked, |id| {
        Ok(deliveries.remove(&id).unwrap_or_default())
    })
}

/// Every event of the time in question.
async fn accepted(
    connection: &mut PgConnection,
    replay: &Replay,
    scan: Scan,
) -> Result<ScannedEvents, StoreError> {
    let (_, before) = replay.filter.span(replay.id);
    let rows = unprepared(ACCEPTED)
        .bind(replay.company_id.0)
        .bind(scan.after.0)
        .bind(before.0)
        .bind(i64::from(scan.most_scanned))
        .fetch_all(connection)
        .await?;
    let events = rows
        .iter()
        .map(|row| read_event(row))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(ScannedEvents {
        are_last: events.len() < scan.most_scanned as usize,
        events,
        reaches: None,
    })
}

/// Bounds and order name the whole index, as `sql/listing.rs` says why.
const ACCEPTED: &str = "SELECT id, kind, order_key FROM events WHERE (company_id, id) > ($1, $2) \
     AND (company_id, id) < ($1, $3) ORDER BY company_id, id LIMIT $4";

/// Those that the filter names. An event that is gone is passed over.
async fn named(
    connection: &mut PgConnection,
    replay: &Replay,
    ids: &[EventId],
    scan: Scan,
) -> Result<ScannedEvents, StoreError> {
    let (_, before) = replay.filter.span(replay.id);
    let mut wanted = ids.iter().filter(|id| **id > scan.after && **id < before);
    let now: Vec<_> = wanted
        .by_ref()
        .take(scan.most_scanned as usize)
        .map(|id| id.0)
        .collect();
    let reaches = now.last().map(|id| EventId(*id));
    let rows = sqlx::query(NAMED)
        .bind(now)
        .bind(replay.company_id.0)
        .fetch_all(connection)
        .await?;
    let events = rows.iter().map(|row| read_event(row)).collect::<Result<_, _>>()?;
    Ok(ScannedEvents {
        events,
        reaches,
        are_last: wanted.next().is_none(),
    })
}

const NAMED: &str =
    "SELECT id, kind, order_key FROM events WHERE id = ANY($1) AND company_id = $2 ORDER BY id";

/// Every delivery of the events, by id: those made with them come first.
async fn deliveries_of(
    connection: &mut PgConnection,
    event_ids: Vec<i64>,
) -> Result<HashMap<EventId, Vec<PastDelivery>>, StoreError> {
    let mut deliveries = HashMap::<EventId, Vec<PastDelivery>>::new();
    if event_ids.is_empty() {
        return Ok(deliveries);
    }
    let rows = sqlx::query(DELIVERIES)
        .bind(event_ids)
        .fetch_all(connection)
        .await?;
    for row in &rows {
        let mut columns = Columns::of("deliveries", row)?;
        let delivery = read_past_delivery(&mut columns)?;
        deliveries
            .entry(EventId(columns.read()?))
            .or_default()
            .push(delivery);
    }
    for of_event in deliveries.values_mut() {
        of_event.sort_unstable_by_key(|delivery| delivery.id);
    }
    Ok(deliveries)
}

const DELIVERIES: &str = "SELECT id, webhook_id, state, hidden, subscription_ids, \
     (origin_id IS NULL AND replay_id IS NULL)::int::bigint, event_id FROM deliveries \
     WHERE event_id = ANY($1)";
