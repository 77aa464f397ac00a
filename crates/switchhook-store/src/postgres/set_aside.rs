//! Deliveries that cannot be sent because their rows are damaged: they are cancelled, with a note that says why, and
//! reported to the operator. One of them must not stop the others.

use sqlx::Row as _;
use sqlx::postgres::PgRow;
use switchhook_domain::Timestamp;
use switchhook_domain::delivery::StateName;
use switchhook_domain::id::{DeliveryId, ReplayId};

use super::replays;
use super::transaction::Transaction;
use crate::error::StoreError;
use crate::row::Row;

/// A row that cannot be read.
#[derive(Debug)]
pub(super) struct UnreadableRow {
    pub(super) id: i64,
    pub(super) why: String,
}

/// The rows that can be read, and those that cannot. The first column is the row's id.
pub(super) fn readable<T>(
    rows: &[PgRow],
    read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
) -> Result<(Vec<T>, Vec<UnreadableRow>), StoreError> {
    let (mut items, mut unreadable) = (Vec::new(), Vec::new());
    for row in rows {
        let row: &Row<'_> = row;
        match read(row) {
            Err(StoreError::Corrupt(why)) => unreadable.push(UnreadableRow { id: row.get(0)?, why }),
            item => items.push(item?),
        }
    }
    Ok((items, unreadable))
}

/// Cancels a delivery whatever its row says. Its event stays, and can be sent again once a person has looked at it.
pub(super) async fn set_aside(
    transaction: &mut Transaction<'_>,
    unreadable: UnreadableRow,
    now: Timestamp,
) -> Result<(), StoreError> {
    let UnreadableRow { id, why } = unreadable;
    let sql = "UPDATE deliveries SET state = 'cancelled', ended_at = $1, held = NULL, claimed_by = NULL, \
               claimed_at = NULL, note = $2 WHERE id = $3 RETURNING replay_id";
    let row = sqlx::query(sql)
        .bind(now.as_millis())
        .bind(format!("set aside, because it cannot be sent: {why}"))
        .bind(id)
        .fetch_optional(&mut *transaction.connection)
        .await?;
    let replay_id = row
        .map(|row| row.try_get::<Option<i64>, _>(0))
        .transpose()?
        .flatten();
    let mut ended = replays::FinalStateCounts::new();
    replays::note_ended(&mut ended, replay_id.map(ReplayId), StateName::Cancelled);
    replays::count_ended(transaction.connection, &ended).await?;
    transaction.effects.set_aside(DeliveryId(id), why);
    Ok(())
}
