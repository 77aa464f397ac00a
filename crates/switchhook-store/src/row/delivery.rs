//! A delivery as a row.

use std::fmt::Write;
use std::time::Duration;

use switchhook_domain::Timestamp;
use switchhook_domain::dead_letter::Resolved;
use switchhook_domain::delivery::{Delivery, DeliveryState, StateName};
use switchhook_domain::id::{CompanyId, DeliveryId, EventId, ReplayId, SubscriptionId, WebhookId};
use switchhook_domain::order::OrderKey;
use switchhook_domain::retry::Failures;

use super::{Columns, Row};
use crate::error::StoreError;

/// Columns for [`read`].
macro_rules! delivery_columns {
    () => {
        "id, event_id, ordinal, company_id, webhook_id, kind, subscription_ids, hidden, order_key, state, due_at, \
         ended_at, attempt_number, failures_answered, failures_unanswered, blocks_until, note, origin_id, replay_id, created_at, held_ms, \
         last_failure, resolution, resolved_at"
    };
}
pub(crate) use delivery_columns;

/// The same as a value.
pub(crate) fn read(row: &Row<'_>) -> Result<Delivery, StoreError> {
    read_columns(&mut Columns::of("deliveries", row)?)
}

/// Reads [`COLUMNS`]; further columns may follow.
pub(crate) fn read_columns(columns: &mut Columns<'_>) -> Result<Delivery, StoreError> {
    Ok(Delivery {
        id: DeliveryId(columns.id()),
        event_id: EventId(columns.read()?),
        ordinal: columns.read()?,
        company_id: CompanyId(columns.read()?),
        webhook_id: WebhookId(columns.read()?),
        kind: columns.kind()?,
        subscription_ids: read_ids(columns)?,
        hidden: columns.word()?,
        order_key: columns.maybe_text()?.map(OrderKey::new),
        state: read_state(columns)?,
        attempt_number: columns.read()?,
        failures: Failures {
            answered: columns.read()?,
            unanswered: columns.read()?,
        },
        blocks_until: columns.time()?,
        note: columns.read()?,
        origin: columns.read::<Option<i64>>()?.map(DeliveryId),
        replay_id: columns.read::<Option<i64>>()?.map(ReplayId),
        created_at: columns.time()?,
        suspended: Duration::from_millis(columns.read::<i64>()?.unsigned_abs()),
        last_failure: columns.maybe_word()?,
        resolved: read_resolved(columns)?,
    })
}

fn read_resolved(columns: &mut Columns<'_>) -> Result<Option<Resolved>, StoreError> {
    let (how, at) = (columns.maybe_word()?, columns.maybe_time()?);
    Ok(how.zip(at).map(|(how, at)| Resolved { how, at }))
}

fn read_state(columns: &mut Columns<'_>) -> Result<DeliveryState, StoreError> {
    let name: StateName = columns.word()?;
    let (due_at, ended_at) = (columns.maybe_time()?, columns.maybe_time()?);
    let time =
        |at: Option<Timestamp>| at.ok_or_else(|| columns.corrupt(format_args!("{name}, but not since when")));
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

pub(crate) fn read_ids(columns: &mut Columns<'_>) -> Result<Vec<SubscriptionId>, StoreError> {
    let text = columns.text()?;
    let ids = text.split(',').filter(|id| !id.is_empty()).map(str::parse);
    ids.collect::<Result<_, _>>()
        .map_err(|error| columns.corrupt(format_args!("subscription_ids `{text}`: {error}")))
}
