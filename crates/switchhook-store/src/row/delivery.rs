//! A delivery as a row.

use std::fmt::Write;
use std::time::Duration;

use switchhook_domain::Timestamp;
use switchhook_domain::delivery::{Delivery, DeliveryState, StateName};
use switchhook_domain::id::{CompanyId, DeliveryId, EventId, ReplayId, SubscriptionId, WebhookId};
use switchhook_domain::order::OrderKey;
use switchhook_domain::retry::Failures;

use super::{Cells, Row};
use crate::error::StoreError;

/// What [`read`] reads, in its order.
macro_rules! delivery_columns {
    () => {
        "id, event_id, ordinal, company_id, webhook_id, kind, subscription_ids, hidden, order_key, state, due_at, \
         ended_at, attempt_number, failures_answered, failures_unanswered, blocks_until, note, origin_id, replay_id, created_at, held_ms"
    };
}
pub(crate) use delivery_columns;

/// The same as a value.
pub(crate) const COLUMNS: &str = delivery_columns!();

pub(crate) fn read(row: &Row<'_>) -> Result<Delivery, StoreError> {
    read_cells(&mut Cells::of("deliveries", row)?)
}

/// Reads [`COLUMNS`]; further cells may follow.
pub(crate) fn read_cells(cells: &mut Cells<'_>) -> Result<Delivery, StoreError> {
    Ok(Delivery {
        id: DeliveryId(cells.id()),
        event_id: EventId(cells.read()?),
        ordinal: cells.read()?,
        company_id: CompanyId(cells.read()?),
        webhook_id: WebhookId(cells.read()?),
        kind: cells.kind()?,
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

/// A list of ids as text: `1,2`.
pub(crate) fn ids(ids: &[SubscriptionId]) -> String {
    let mut text = String::with_capacity(17 * ids.len());
    for id in ids {
        let comma = if text.is_empty() { "" } else { "," };
        write!(text, "{comma}{id}").expect("a String takes every text");
    }
    text
}

pub(crate) fn read_ids(cells: &mut Cells<'_>) -> Result<Vec<SubscriptionId>, StoreError> {
    let text = cells.text()?;
    let ids = text.split(',').filter(|id| !id.is_empty()).map(str::parse);
    ids.collect::<Result<_, _>>()
        .map_err(|error| cells.corrupt(format_args!("subscription_ids `{text}`: {error}")))
}
