//! After a start: the claims of the process that had the file before are nobody's now.

use rusqlite::params;
use switchhook_domain::Timestamp;

use super::claims::close_as_lost;
use super::set_aside::readable;
use super::set_aside::set_aside;
use super::transaction::Transaction;
use crate::error::StoreError;
use crate::row::Columns;
use crate::row::delivery::{self, delivery_columns};

/// Claims closed in one transaction.
const SLICE: u32 = 1_000;

/// Closes some of the open claims as lost attempts and makes their deliveries due; `true` if there may be more.
///
/// A claim that never became a POST is closed all the same: nobody can tell.
pub(super) fn close_some_claims(
    transaction: &mut Transaction<'_>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let (claimed, unreadable) = readable(transaction.connection, CLAIMED, &[&SLICE], |row| {
        let mut columns = Columns::of("deliveries", row)?;
        Ok((delivery::read_columns(&mut columns)?, columns.time()?))
    })?;
    for (delivery, opened_at) in &claimed {
        close_as_lost(transaction, delivery, *opened_at, now)?;
        if !delivery.state.is_final() {
            let sql = "UPDATE deliveries SET due_at = ? WHERE id = ?";
            transaction
                .prepare(sql)?
                .execute(params![now.as_millis(), delivery.id.0])?;
        }
    }
    let count = claimed.len() + unreadable.len();
    for damaged in unreadable {
        set_aside(transaction, damaged, now)?;
    }
    Ok(count == SLICE as usize)
}

pub(super) const CLAIMED: &str = concat!(
    "SELECT ",
    delivery_columns!(),
    ", claimed_at FROM deliveries INDEXED BY deliveries_claimed \
     WHERE claimed_by IS NOT NULL AND webhook_id > 0 LIMIT ?"
);
