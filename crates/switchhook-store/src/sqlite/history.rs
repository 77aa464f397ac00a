//! History of attempts by minute and by hour.

use rusqlite::{Connection, params};
use switchhook_domain::Timestamp;
use switchhook_domain::history::{Granularity, HistorySubject, Sum};

use super::row::{all, first};
use super::transaction::Transaction;
use crate::error::StoreError;
use crate::row::history::{column, history_columns, read};

/// Adds to what is kept.
pub(super) fn add(transaction: &mut Transaction<'_>, sums: &[Sum]) -> Result<(), StoreError> {
    for sum in sums {
        let (company_id, webhook_id) = sum.subject.ids();
        let (minutes, from) = (sum.resolution.minutes(), sum.from.as_millis());
        let key: [&dyn rusqlite::ToSql; 4] = [&company_id, &webhook_id, &minutes, &from];
        let mut counts = sum.counts.clone();
        if let Some(kept) = first(transaction.connection, KEPT, &key, read)? {
            counts.add(&kept.counts);
        }
        transaction.prepare(KEEP)?.execute(params![
            company_id,
            webhook_id,
            minutes,
            from,
            column(counts.accepted),
            column(counts.delivered),
            column(counts.failed_answered),
            column(counts.failed_unanswered),
            column(counts.exhausted),
            counts.latencies.to_string(),
        ])?;
    }
    Ok(())
}

pub(super) const KEPT: &str = concat!(
    "SELECT ",
    history_columns!(),
    " FROM history WHERE company_id = ? AND webhook_id = ? AND minutes = ? AND from_at = ?"
);

const KEEP: &str = concat!(
    "INSERT OR REPLACE INTO history (",
    history_columns!(),
    ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
);

/// The sums of some between two times, oldest first for each.
pub(super) fn list(
    connection: &Connection,
    subject: &[HistorySubject],
    resolution: Granularity,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<Sum>, StoreError> {
    let mut sums = Vec::new();
    for one in subject {
        let (company_id, webhook_id) = one.ids();
        let bounds = (from.as_millis(), to.as_millis());
        let minutes = resolution.minutes();
        let values: [&dyn rusqlite::ToSql; 5] = [&company_id, &webhook_id, &minutes, &bounds.0, &bounds.1];
        sums.extend(all(connection, BETWEEN, &values, read)?);
    }
    Ok(sums)
}

pub(super) const BETWEEN: &str = concat!(
    "SELECT ",
    history_columns!(),
    " FROM history WHERE company_id = ? AND webhook_id = ? AND minutes = ? AND from_at >= ? AND from_at < ? ORDER BY from_at"
);

/// Removes the oldest sums of before `before`, `most` at a time; answers how many.
pub(super) fn forget(
    transaction: &mut Transaction<'_>,
    resolution: Granularity,
    before: Timestamp,
    most: u32,
) -> Result<u32, StoreError> {
    let values = params![resolution.minutes(), before.as_millis(), most];
    let forgotten = transaction.prepare(FORGET)?.execute(values)?;
    Ok(u32::try_from(forgotten).unwrap_or(u32::MAX))
}

pub(super) const FORGET: &str = "DELETE FROM history WHERE (company_id, webhook_id, minutes, from_at) IN (\
     SELECT company_id, webhook_id, minutes, from_at FROM history INDEXED BY history_by_age \
     WHERE minutes = ? AND from_at < ? ORDER BY from_at LIMIT ?)";
