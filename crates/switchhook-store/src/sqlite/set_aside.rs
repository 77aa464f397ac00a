//! Deliveries that cannot be sent because their rows are damaged: they are cancelled, with a note that says why, and
//! reported to the operator. One of them must not stop the others.

use rusqlite::params;
use switchhook_domain::Timestamp;
use switchhook_domain::delivery::StateName;
use switchhook_domain::id::{DeliveryId, ReplayId};

use super::list::{Unreadable, first};
use super::replays;
use super::transaction::Transaction;
use crate::error::StoreError;

/// Cancels a delivery whatever its row says. Its event stays, and can be sent again once a person has looked at it.
pub(super) fn set_aside(
    transaction: &mut Transaction<'_>,
    unreadable: Unreadable,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Unreadable { id, why } = unreadable;
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
