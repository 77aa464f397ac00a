//! A delivery becomes a row.

use sqlx::postgres::PgConnection;
use switchhook_domain::delivery::Delivery;
use switchhook_domain::order::OrderKey;

use super::columns::{Query, bind_columns};
use crate::error::StoreError;
use crate::order_queue::InitialState;
use crate::row::delivery::ids;

/// A delivery that comes into being.
pub(super) struct NewRow {
    pub(super) delivery: Delivery,
    pub(super) start: InitialState,
    /// Its place in its order queue.
    pub(super) line_position: Option<i64>,
}

impl NewRow {
    /// One that is in no order queue.
    pub(super) const fn free(delivery: Delivery) -> Self {
        Self {
            delivery,
            start: InitialState::Free,
            line_position: None,
        }
    }
}

/// Keeps new deliveries; they are pending.
pub(super) async fn insert(
    connection: &mut PgConnection,
    node: Option<i64>,
    rows: &[NewRow],
) -> Result<(), StoreError> {
    if !rows.is_empty() {
        let query = bind(sqlx::query(insert_deliveries!()), node, rows)?;
        query.execute(connection).await?;
    }
    Ok(())
}

/// Binds what [`insert_deliveries`] inserts, as `$1` to `$20`.
pub(super) fn bind<'q>(
    query: Query<'q>,
    node: Option<i64>,
    rows: &[NewRow],
) -> Result<Query<'q>, StoreError> {
    if rows.iter().any(|row| row.delivery.state.is_final()) {
        return Err(StoreError::Conflict(
            "a delivery cannot be made in a final state".into(),
        ));
    }
    let is_claimed = |row: &NewRow| row.start == InitialState::Claimed;
    Ok(bind_columns!(query, rows, |row| {
        i64: row.delivery.id.0,
        i64: row.delivery.event_id.0,
        i64: i64::from(row.delivery.ordinal),
        i64: row.delivery.company_id.0,
        i64: row.delivery.webhook_id.0,
        &str: row.delivery.kind.route(),
        String: ids(&row.delivery.subscription_ids),
        String: row.delivery.hidden.to_string(),
        Option<&str>: row.delivery.order_key.as_ref().map(OrderKey::as_str),
        Option<i64>: row.line_position,
        i64: row.delivery.state.at().as_millis(),
        Option<&str>: (row.start == InitialState::Waiting).then_some("order"),
        Option<i64>: node.filter(|_| is_claimed(row)),
        Option<i64>: is_claimed(row).then_some(row.delivery.created_at.as_millis()),
        i64: i64::from(row.delivery.attempt_number),
        i64: row.delivery.blocks_until.as_millis(),
        Option<i64>: row.delivery.origin.map(|origin| origin.0),
        Option<i64>: row.delivery.replay_id.map(|id| id.0),
        i64: row.delivery.created_at.as_millis(),
        Option<&str>: row.delivery.note.as_deref(),
    }))
}

/// The statement that keeps new deliveries.
macro_rules! insert_deliveries {
    () => {
        "INSERT INTO deliveries (id, event_id, ordinal, company_id, webhook_id, kind, subscription_ids, hidden, \
         order_key, line_position, due_at, held, claimed_by, claimed_at, attempt_number, blocks_until, origin_id, \
         replay_id, created_at, note, state, failures_answered, failures_unanswered) \
         SELECT *, 'pending', 0, 0 FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], \
         $6::text[], $7::text[], $8::text[], $9::text[], $10::bigint[], $11::bigint[], $12::text[], $13::bigint[], \
         $14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[], $18::bigint[], $19::bigint[], $20::text[])"
    };
}
pub(super) use insert_deliveries;
