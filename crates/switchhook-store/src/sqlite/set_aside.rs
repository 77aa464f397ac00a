//! Deliveries that cannot be sent because their rows are damaged: they are cancelled, with a note that says why, and
//! reported to the operator. One of them must not stop the others.

use rusqlite::{Connection, ToSql, params};
use switchhook_domain::Timestamp;
use switchhook_domain::delivery::StateName;
use switchhook_domain::id::{DeliveryId, ReplayId};

use super::replays;
use super::row::first;
use super::transaction::Transaction;
use crate::error::StoreError;
use crate::row::Row;

/// A row that cannot be read.
#[derive(Debug)]
pub(super) struct UnreadableRow {
    pub(super) id: i64,
    pub(super) why: String,
}

/// The rows of `sql` that can be read, and those that cannot. The first column is the row's id.
pub(super) fn readable<T>(
    connection: &Connection,
    sql: &str,
    values: &[&dyn ToSql],
    read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
) -> Result<(Vec<T>, Vec<UnreadableRow>), StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    let (mut items, mut unreadable) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next()? {
        match read(row) {
            Err(StoreError::Corrupt(why)) => unreadable.push(UnreadableRow { id: row.get(0)?, why }),
            item => items.push(item?),
        }
    }
    Ok((items, unreadable))
}

/// Cancels a delivery whatever its row says. Its event stays, and can be sent again once a person has looked at it.
pub(super) fn set_aside(
    transaction: &mut Transaction<'_>,
    unreadable: UnreadableRow,
    now: Timestamp,
) -> Result<(), StoreError> {
    let UnreadableRow { id, why } = unreadable;
    let sql = "UPDATE deliveries SET state = 'cancelled', ended_at = ?, held = NULL, claimed_by = NULL, \
               claimed_at = NULL, note = ? WHERE id = ?";
    let note = format!("set aside, because it cannot be sent: {why}");
    transaction
        .prepare(sql)?
        .execute(params![now.as_millis(), note, id])?;
    let replay_id = first(transaction.connection, REPLAY_OF, &[&id], |row| {
        Ok(row.get::<Option<i64>>(0).unwrap_or_default())
    })?;
    let replay_id = replay_id.flatten().map(ReplayId);
    replays::count_ended(transaction.connection, replay_id, StateName::Cancelled, 1)?;
    transaction.effects.set_aside(DeliveryId(id), why);
    Ok(())
}

const REPLAY_OF: &str = "SELECT replay_id FROM deliveries WHERE id = ?";
