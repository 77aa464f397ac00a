//! A delivery as a row.

use std::fmt::Write;
use std::time::Duration;

use rusqlite::{Connection, Row, params};
use switchhook_domain::Timestamp;
use switchhook_domain::delivery::{Delivery, DeliveryState, StateName};
use switchhook_domain::id::{CompanyId, DeliveryId, EventId, ReplayId, SubscriptionId, WebhookId};
use switchhook_domain::order::OrderKey;
use switchhook_domain::retry::Failures;

use super::cells::Cells;
use super::transaction::THIS_NODE;
use crate::error::StoreError;

/// What [`read`] reads, in its order.
macro_rules! delivery_columns {
    () => {
        "id, event_id, ordinal, company_id, webhook_id, kind, subscription_ids, hidden, order_key, state, due_at, \
         ended_at, attempt_number, failures_answered, failures_unanswered, blocks_until, note, origin_id, replay_id, created_at, held_ms"
    };
}
pub(super) use delivery_columns;

/// The same as a value.
pub(super) const COLUMNS: &str = delivery_columns!();

/// Whether a new delivery waits for those before it or is on its way at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// Due at its `due_at`.
    Free,
    /// Waits for those before it.
    Held,
    /// Claimed by this node; its first attempt is open.
    Claimed,
}

pub(super) fn insert(connection: &Connection, delivery: &Delivery, start: Start) -> Result<(), StoreError> {
    let DeliveryState::Pending { due_at } = delivery.state else {
        return Err(StoreError::Conflict(
            "a delivery cannot be made in a final state".into(),
        ));
    };
    let is_claimed = start == Start::Claimed;
    connection.prepare_cached(INSERT)?.execute(params![
        delivery.id.0,
        delivery.event_id.0,
        delivery.ordinal,
        delivery.company_id.0,
        delivery.webhook_id.0,
        delivery.kind.route(),
        ids(&delivery.subscription_ids),
        delivery.hidden.to_string(),
        delivery.order_key.as_ref().map(OrderKey::as_str),
        due_at.as_millis(),
        (start == Start::Held).then_some("order"),
        is_claimed.then_some(THIS_NODE),
        is_claimed.then_some(delivery.created_at.as_millis()),
        delivery.attempt_number,
        delivery.blocks_until.as_millis(),
        delivery.origin.map(|origin| origin.0),
        delivery.replay_id.map(|id| id.0),
        delivery.created_at.as_millis(),
        delivery.note,
    ])?;
    Ok(())
}

const INSERT: &str = "INSERT INTO deliveries (id, event_id, ordinal, company_id, webhook_id, kind, subscription_ids, \
     hidden, order_key, due_at, held, claimed_by, claimed_at, attempt_number, blocks_until, origin_id, replay_id, \
     created_at, note, state, failures_answered, failures_unanswered) \
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending', 0, 0)";

pub(super) fn read(row: &Row<'_>) -> Result<Delivery, StoreError> {
    read_cells(&mut Cells::of("deliveries", row)?)
}

/// Reads [`COLUMNS`]; further cells may follow.
pub(super) fn read_cells(cells: &mut Cells<'_>) -> Result<Delivery, StoreError> {
    Ok(Delivery {
        id: DeliveryId(cells.id()),
        event_id: EventId(cells.read()?),
        ordinal: cells.read()?,
        company_id: CompanyId(cells.read()?),
        webhook_id: WebhookId(cells.read()?),
        kind: cells.word()?,
        subscription_ids: read_ids(cells)?,
        hidden: cells.word()?,
        order_key: cells.maybe_text()?.map(OrderKey::new),
        state: read_state(cells)?,
        attempt_number: cells.read()?,
        failures: Failures {
            answered: cells.read()?,
            unanswered: cells.read()?,
        },
        blocks_until: cells.time()?,
        note: cells.read()?,
        origin: cells.read::<Option<i64>>()?.map(DeliveryId),
        replay_id: cells.read::<Option<i64>>()?.map(ReplayId),
        created_at: cells.time()?,
        held: Duration::from_millis(cells.read::<i64>()?.unsigned_abs()),
    })
}

fn read_state(cells: &mut Cells<'_>) -> Result<DeliveryState, StoreError> {
    let name: StateName = cells.word()?;
    let (due_at, ended_at) = (cells.maybe_time()?, cells.maybe_time()?);
    let time =
        |at: Option<Timestamp>| at.ok_or_else(|| cells.corrupt(format_args!("{name}, but not since when")));
    Ok(match name {
        StateName::Pending => DeliveryState::Pending {
            due_at: time(due_at)?,
        },
        StateName::Delivered => DeliveryState::Delivered { at: time(ended_at)? },
        StateName::Exhausted => DeliveryState::Exhausted { at: time(ended_at)? },
        StateName::Cancelled => DeliveryState::Cancelled { at: time(ended_at)? },
    })
}

/// `1,2`.
fn ids(ids: &[SubscriptionId]) -> String {
    let mut text = String::with_capacity(17 * ids.len());
    for id in ids {
        let comma = if text.is_empty() { "" } else { "," };
        write!(text, "{comma}{id}").expect("a String takes every text");
    }
    text
}

pub(super) fn read_ids(cells: &mut Cells<'_>) -> Result<Vec<SubscriptionId>, StoreError> {
    let text = cells.text()?;
    let ids = text.split(',').filter(|id| !id.is_empty()).map(str::parse);
    ids.collect::<Result<_, _>>()
        .map_err(|error| cells.corrupt(format_args!("subscription_ids `{text}`: {error}")))
}
