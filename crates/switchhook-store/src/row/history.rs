//! Rows of history.

use switchhook_domain::history::{Counts, Granularity, HistorySubject, Sum};

use super::{Columns, Row};
use crate::error::StoreError;

/// Columns for [`read`].
macro_rules! history_columns {
    () => {
        "company_id, webhook_id, minutes, from_at, accepted, delivered, failed_answered, failed_unanswered, exhausted, \
         latencies"
    };
}
pub(crate) use history_columns;

pub(crate) fn read(row: &Row<'_>) -> Result<Sum, StoreError> {
    let mut columns = Columns::of("history", row)?;
    let company_id = columns.id();
    let subject = HistorySubject::with_ids(company_id, columns.read()?);
    let minutes: u32 = columns.read()?;
    let resolution = Granularity::ALL
        .into_iter()
        .find(|resolution| resolution.minutes() == minutes)
        .ok_or_else(|| columns.corrupt(format_args!("a sum of {minutes} minutes")))?;
    Ok(Sum {
        subject,
        resolution,
        from: columns.time()?,
        counts: Counts {
            accepted: columns.read()?,
            delivered: columns.read()?,
            failed_answered: columns.read()?,
            failed_unanswered: columns.read()?,
            exhausted: columns.read()?,
            latencies: columns.word()?,
        },
    })
}

/// A count as a column has it.
pub(crate) fn column(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
