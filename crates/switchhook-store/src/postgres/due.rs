//! Selection of due deliveries for a claim, with their rows locked.

use std::collections::HashMap;

use sqlx::Row as _;
use switchhook_domain::Timestamp;
use switchhook_domain::delivery::Delivery;

use super::columns::bind_columns;
use super::set_aside::{UnreadableRow, readable};
use super::transaction::Transaction;
use crate::claim::{Claim, ClaimRequest, ExpiredLeases};
use crate::error::StoreError;
use crate::row::delivery::{self, delivery_columns};
use crate::row::{Columns, Row};

/// A delivery that is due, with what its row says beyond it.
pub(super) struct DueDelivery {
    pub(super) delivery: Delivery,
    pub(super) due_at: Timestamp,
    /// Start of its open attempt, if the lease of that has expired.
    pub(super) opened_at: Option<Timestamp>,
    /// Size of its event.
    bytes: usize,
}

/// The first that are due of each request, those whose lease ended included, request by request and in the order in which they are
/// due. Their rows are locked.
pub(super) async fn due_deliveries(
    transaction: &mut Transaction<'_>,
    claim: &Claim,
) -> Result<(Vec<DueDelivery>, Vec<UnreadableRow>), StoreError> {
    let (mut due, mut unreadable) = (Vec::new(), Vec::new());
    let (named, any): (Vec<&ClaimRequest>, Vec<&ClaimRequest>) =
        claim.requests.iter().partition(|request| request.only.is_some());
    if !any.is_empty() {
        let undated = bind_columns!(sqlx::query(UNDATED), any, |request| {
            i64: request.webhook_id.0,
            i64: i64::from(request.limit),
        });
        for row in undated.fetch_all(&mut *transaction.connection).await? {
            let (id, why) = (row.try_get(0)?, "it is pending, but not since when".to_owned());
            unreadable.push(UnreadableRow { id, why });
        }
    }
    let claimed: &[&str] = match claim.expired {
        ExpiredLeases::Claim => &[EXPIRED, DUE],
        ExpiredLeases::Leave => &[DUE],
    };
    for sql in claimed.iter().filter(|_| !any.is_empty()) {
        let query = bind_columns!(sqlx::query(*sql), any, |request| {
            i64: request.webhook_id.0,
            i64: i64::from(request.limit),
        });
        let query = query.bind(claim.now.as_millis());
        let rows = query.fetch_all(&mut *transaction.connection).await?;
        let (some, damaged) = readable(&rows, read_due)?;
        due.extend(some);
        unreadable.extend(damaged);
    }
    if !named.is_empty() {
        let query = bind_columns!(sqlx::query(ONLY), named, |request| {
            i64: request.webhook_id.0,
            Option<i64>: request.only.map(|id| id.0),
        });
        let query = query.bind(claim.now.as_millis());
        let rows = query.fetch_all(&mut *transaction.connection).await?;
        let (some, damaged) = readable(&rows, read_due)?;
        due.extend(some);
        unreadable.extend(damaged);
    }
    let mut room: HashMap<_, _> = (0..)
        .zip(&claim.requests)
        .map(|(place, request)| (request.webhook_id, (place, request.limit, request.bytes)))
        .collect();
    let place_of = |due: &DueDelivery| {
        room.get(&due.delivery.webhook_id)
            .map(|(place, ..): &(u32, u32, usize)| *place)
    };
    due.sort_by_key(|due: &DueDelivery| (place_of(due), due.due_at, due.delivery.id));
    due.retain(|due| match room.get_mut(&due.delivery.webhook_id) {
        Some((_, room, bytes)) if *room > 0 && *bytes > 0 => {
            *room -= 1;
            *bytes = bytes.saturating_sub(due.bytes);
            true
        }
        _ => false,
    });
    Ok((due, unreadable))
}

/// For each request the rows that `$condition` says, locked.
macro_rules! of_requests {
    ($condition:literal, $columns:expr) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM unnest($1::bigint[], $2::bigint[]) AS request (of_webhook, most) CROSS JOIN LATERAL (\
             SELECT * FROM deliveries WHERE webhook_id = request.of_webhook AND ",
            $condition,
            " LIMIT request.most FOR UPDATE SKIP LOCKED) AS due"
        )
    };
}

/// Columns of a due row of `$deliveries`.
macro_rules! due_columns {
    ($deliveries:literal) => {
        concat!(
            delivery_columns!(),
            ", claimed_at, due_at, (SELECT octet_length(body)::bigint FROM events WHERE events.id = ",
            $deliveries,
            ".event_id)"
        )
    };
}
pub(super) use due_columns;

/// Pending deliveries without a due time, which no due-query finds. There are none unless somebody edited the table.
const UNDATED: &str = of_requests!(
    "state = 'pending' AND claimed_by IS NULL AND due_at IS NULL ORDER BY due_at, id",
    "id"
);

const DUE: &str = of_requests!(
    "state = 'pending' AND claimed_by IS NULL AND due_at <= $3 ORDER BY due_at, id",
    due_columns!("due")
);

/// Deliveries that are asked for by name. Their rows are found by their ids.
const ONLY: &str = concat!(
    "SELECT ",
    due_columns!("due"),
    " FROM unnest($1::bigint[], $2::bigint[]) AS request (of_webhook, named) CROSS JOIN LATERAL (\
     SELECT * FROM deliveries WHERE id = request.named AND webhook_id = request.of_webhook AND state = 'pending' \
     AND coalesce(claimed_by, 0) = 0 AND due_at <= $3 FOR UPDATE SKIP LOCKED) AS due"
);

const EXPIRED: &str = of_requests!(
    "claimed_by IS NOT NULL AND due_at <= $3 ORDER BY due_at, id",
    due_columns!("due")
);

pub(super) fn read_due(row: &Row<'_>) -> Result<DueDelivery, StoreError> {
    let mut columns = Columns::of("deliveries", row)?;
    Ok(DueDelivery {
        delivery: delivery::read_columns(&mut columns)?,
        opened_at: columns.maybe_time()?,
        due_at: columns.time()?,
        bytes: columns
            .read::<Option<i64>>()?
            .map_or(0, |bytes| usize::try_from(bytes).unwrap_or(0)),
    })
}
