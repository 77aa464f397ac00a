//! Pending deliveries: which webhooks have some, how many, since when; and making them due at once.

use sqlx::Row as _;
use sqlx::postgres::PgConnection;
use switchhook_domain::Timestamp;
use switchhook_domain::delivery::Delivery;
use switchhook_domain::id::{DeliveryId, WebhookId};

use super::transaction::Transaction;
use crate::claim::{PendingCount, PendingWebhook, WaitingDelivery};
use crate::delivery_progress::DeliveryProgress;
use crate::error::StoreError;
use crate::row::delivery::{self, delivery_columns};

/// The webhooks after `after` for which something is pending.
///
/// Hops from one webhook to the next in the index, so that the cost grows with the webhooks.
pub(super) async fn pending_webhooks(
    connection: &mut PgConnection,
    after: Option<WebhookId>,
    limit: u32,
) -> Result<Vec<PendingWebhook>, StoreError> {
    let rows = sqlx::query(PENDING)
        .bind(after.map_or(i64::MIN, |id| id.0))
        .bind(i64::from(limit))
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(PendingWebhook {
                webhook_id: WebhookId(row.try_get(0)?),
                first_due_at: Timestamp::from_millis(row.try_get::<Option<i64>, _>(1)?.unwrap_or_default()),
            })
        })
        .collect()
}

const PENDING: &str = "WITH RECURSIVE \
     unclaimed AS (\
       (SELECT webhook_id, due_at FROM deliveries WHERE state = 'pending' AND claimed_by IS NULL AND webhook_id > $1 \
        ORDER BY webhook_id, due_at LIMIT 1) \
       UNION ALL \
       SELECT next.webhook_id, next.due_at FROM unclaimed CROSS JOIN LATERAL (\
         SELECT webhook_id, due_at FROM deliveries WHERE state = 'pending' AND claimed_by IS NULL \
         AND webhook_id > unclaimed.webhook_id ORDER BY webhook_id, due_at LIMIT 1) AS next), \
     claimed AS (\
       (SELECT webhook_id, due_at FROM deliveries WHERE claimed_by IS NOT NULL AND state = 'pending' AND webhook_id > $1 \
        ORDER BY webhook_id, due_at LIMIT 1) \
       UNION ALL \
       SELECT next.webhook_id, next.due_at FROM claimed CROSS JOIN LATERAL (\
         SELECT webhook_id, due_at FROM deliveries WHERE claimed_by IS NOT NULL AND state = 'pending' \
         AND webhook_id > claimed.webhook_id ORDER BY webhook_id, due_at LIMIT 1) AS next) \
     SELECT webhook_id, min(due_at) FROM (\
       (SELECT * FROM unclaimed LIMIT $2) UNION ALL (SELECT * FROM claimed LIMIT $2)) AS pending \
     GROUP BY webhook_id ORDER BY webhook_id LIMIT $2";

/// The delivery of a webhook that has waited longest: what is due and unclaimed, or claimed for its first attempt. Replays make
/// deliveries long before they are due.
pub(super) async fn longest_waiting(
    connection: &mut PgConnection,
    webhook_id: WebhookId,
) -> Result<Option<WaitingDelivery>, StoreError> {
    let mut found = [None, None];
    for (sql, found) in [LONGEST_DUE, LONGEST_UNSTARTED].into_iter().zip(&mut found) {
        let row = sqlx::query(sql)
            .bind(webhook_id.0)
            .fetch_optional(&mut *connection)
            .await?;
        if let Some(row) = row {
            *found = Some(WaitingDelivery {
                delivery_id: DeliveryId(row.try_get(0)?),
                since: Timestamp::from_millis(row.try_get(1)?),
            });
        }
    }
    let [due, unstarted] = found;
    Ok(WaitingDelivery::longer(due, unstarted))
}

const LONGEST_DUE: &str = "SELECT id, due_at FROM deliveries WHERE state = 'pending' AND claimed_by IS NULL \
     AND webhook_id = $1 AND due_at IS NOT NULL ORDER BY due_at, id LIMIT 1";

/// Nodes have so many claims at the most that they can all be looked at, in the order of their index.
const LONGEST_UNSTARTED: &str = "SELECT id, created_at FROM (\
     SELECT id, created_at, attempt_number, replay_id FROM deliveries WHERE claimed_by IS NOT NULL AND state = 'pending' \
     AND webhook_id = $1 ORDER BY due_at, id OFFSET 0) AS claimed \
     WHERE attempt_number = 1 AND replay_id IS NULL ORDER BY created_at LIMIT 1";

/// Progress of those of these deliveries that are pending.
pub(super) async fn progress_of(
    connection: &mut PgConnection,
    ids: &[DeliveryId],
) -> Result<Vec<DeliveryProgress>, StoreError> {
    let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query(PROGRESS).bind(ids).fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            Ok(DeliveryProgress {
                delivery_id: DeliveryId(row.try_get(0)?),
                is_claimed: row.try_get(1)?,
                behind: row.try_get::<Option<i64>, _>(2)?.map(DeliveryId),
            })
        })
        .collect()
}

const PROGRESS: &str = "SELECT id, claimed_by IS NOT NULL, CASE WHEN held IS NOT NULL THEN (\
     SELECT first.id FROM deliveries AS first WHERE first.state = 'pending' AND first.order_key IS NOT NULL \
     AND first.webhook_id = deliveries.webhook_id AND first.order_key = deliveries.order_key \
     ORDER BY first.webhook_id, first.order_key, first.line_position LIMIT 1) END \
     FROM deliveries WHERE id = ANY($1) AND state = 'pending'";

/// Some of a webhook's pending deliveries.
pub(super) async fn pending_of(
    connection: &mut PgConnection,
    webhook_id: WebhookId,
    limit: u32,
) -> Result<Vec<Delivery>, StoreError> {
    let rows = sqlx::query(PENDING_OF)
        .bind(webhook_id.0)
        .bind(i64::from(limit))
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| delivery::read(row)).collect()
}

const PENDING_OF: &str = concat!(
    "SELECT * FROM ((SELECT ",
    delivery_columns!(),
    " FROM deliveries WHERE state = 'pending' AND claimed_by IS NULL AND webhook_id = $1 \
     ORDER BY due_at, id LIMIT $2) UNION ALL (SELECT ",
    delivery_columns!(),
    " FROM deliveries WHERE claimed_by IS NOT NULL AND state = 'pending' AND webhook_id = $1 \
     ORDER BY due_at, id LIMIT $2)) AS pending LIMIT $2"
);

/// Number of pending deliveries of these webhooks, counted up to `most` of each sort.
pub(super) async fn count(
    connection: &mut PgConnection,
    webhook_ids: Vec<WebhookId>,
    now: Timestamp,
    most: u32,
) -> Result<Vec<PendingCount>, StoreError> {
    let rows = sqlx::query(COUNT_OF_EACH)
        .bind(webhook_ids.iter().map(|id| id.0).collect::<Vec<_>>())
        .bind(now.as_millis())
        .bind(i64::from(most))
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| {
            let count = |column| {
                row.try_get::<i64, _>(column)
                    .map(|count| u64::try_from(count).unwrap_or(0))
            };
            Ok(PendingCount {
                webhook_id: WebhookId(row.try_get(0)?),
                due: count(1)? + count(2)?,
                later: count(3)?,
                oldest: row.try_get::<Option<i64>, _>(4)?.map(DeliveryId),
            })
        })
        .collect()
}

const COUNT_OF_EACH: &str = "SELECT k.webhook_id, due.count, claimed.count, later.count, \
     least(due.oldest, claimed.oldest, later.oldest) FROM unnest($1::bigint[]) WITH ORDINALITY AS k (webhook_id, place) \
     CROSS JOIN LATERAL (SELECT count(*), min(id) AS oldest FROM (SELECT id FROM deliveries \
      WHERE state = 'pending' AND claimed_by IS NULL AND webhook_id = k.webhook_id AND due_at <= $2 \
      ORDER BY webhook_id, due_at, id LIMIT $3) AS one) AS due \
     CROSS JOIN LATERAL (SELECT count(*), min(id) AS oldest FROM (SELECT id FROM deliveries \
      WHERE claimed_by IS NOT NULL AND state = 'pending' AND webhook_id = k.webhook_id \
      ORDER BY webhook_id, due_at, id LIMIT $3) AS one) AS claimed \
     CROSS JOIN LATERAL (SELECT count(*), min(id) AS oldest FROM (SELECT id FROM deliveries \
      WHERE state = 'pending' AND claimed_by IS NULL AND webhook_id = k.webhook_id AND due_at > $2 \
      ORDER BY webhook_id, due_at, id LIMIT $3) AS one) AS later ORDER BY k.place";

/// Creation of the oldest pending delivery, whatever it waits for.
pub(super) async fn oldest_undelivered(
    connection: &mut PgConnection,
) -> Result<Option<Timestamp>, StoreError> {
    let row = sqlx::query(OLDEST_UNDELIVERED).fetch_one(connection).await?;
    Ok(row.try_get::<Option<i64>, _>(0)?.map(Timestamp::from_millis))
}

/// Bounds and order name the whole index, as `sql/listing.rs` says why.
const OLDEST_UNDELIVERED: &str = "SELECT min(oldest.created_at) FROM companies CROSS JOIN LATERAL (\
     SELECT created_at FROM deliveries WHERE (company_id, state, id) >= (companies.id, 'pending', 0) \
     AND (company_id, state) <= (companies.id, 'pending') AND state <> 'delivered' \
     ORDER BY company_id, state, id LIMIT 1) AS oldest";

/// Lets deliveries that wait for a retry go now: their receiver works again.
pub(super) async fn make_retries_due(
    transaction: &mut Transaction<'_>,
    webhook_id: WebhookId,
    now: Timestamp,
    limit: u32,
) -> Result<usize, StoreError> {
    let changed = sqlx::query(MAKE_DUE)
        .bind(now.as_millis())
        .bind(webhook_id.0)
        .bind(i64::from(limit))
        .execute(&mut *transaction.connection)
        .await?;
    let changed = usize::try_from(changed.rows_affected()).unwrap_or(usize::MAX);
    if changed > 0 {
        transaction.effects.due(webhook_id, now);
    }
    Ok(changed)
}

/// Those that wait for their order wait for others, not for the receiver.
const MAKE_DUE: &str = "UPDATE deliveries SET due_at = $1 WHERE id IN (\
     SELECT id FROM deliveries WHERE state = 'pending' AND claimed_by IS NULL AND webhook_id = $2 AND due_at > $1 \
     AND held IS NULL ORDER BY due_at, id LIMIT $3 FOR UPDATE SKIP LOCKED)";
