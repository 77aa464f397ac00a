//! Claims: how due deliveries become this node's to send.

use std::collections::{HashMap, HashSet};

use sqlx::Row as _;
use sqlx::postgres::PgConnection;
use switchhook_domain::Timestamp;
use switchhook_domain::delivery::{Delivery, DeliveryState};
use switchhook_domain::id::{DeliveryId, EventId, WebhookId};

use super::columns::bind_columns;
use super::list::{Unreadable, readable};
use super::notifier::Notifier;
use super::order_queue::{self, QueueKey};
use super::set_aside::set_aside;
use super::transaction::{Transaction, transact};
use super::{attempts, events};
use crate::claim::{Claim, ClaimAnswer, ClaimedDelivery, Expired, HandedOver, PendingWebhook, Waiting};
use crate::error::StoreError;
use crate::order_queue::{Claimed, Queued, Verdict, verdict};
use crate::row::attempt::lost;
use crate::row::delivery::{self, delivery_columns};
use crate::row::{Columns, Row};

/// How many claims of nodes that have ended one commit closes.
const SLICE: i64 = 1_000;

/// A delivery that is due, with what its row says beyond it.
struct DueDelivery {
    delivery: Delivery,
    due_at: Timestamp,
    /// When its attempt was opened whose lease has ended, if there is one.
    opened_at: Option<Timestamp>,
    /// How many bytes its event has.
    bytes: usize,
}

/// A delivery that may go, and what to say of it.
struct Granted {
    delivery: Delivery,
    was_due_at: Timestamp,
    body: bytes::Bytes,
}

/// Claims what is due, as wished. Rows that another node is busy with are passed over.
pub(super) async fn claim(
    transaction: &mut Transaction<'_>,
    claim: &Claim,
) -> Result<Vec<ClaimAnswer>, StoreError> {
    if transaction.node.is_none() {
        return Err(StoreError::Unusable(
            "only a node can claim deliveries, and this process is none".into(),
        ));
    }
    let (due, unreadable) = due_deliveries(transaction, claim).await?;
    for damaged in unreadable {
        set_aside(transaction, damaged, claim.now).await?;
    }
    close_as_lost(transaction.connection, &due, claim.now).await?;
    let due: Vec<_> = due
        .into_iter()
        .filter(|due| !due.delivery.state.is_final())
        .collect();
    let due = with_lock_of_queue(transaction.connection, due).await?;
    let granted = judge(transaction, due, claim).await?;
    open(transaction, granted, claim).await
}

/// The first that are due of each wish, those whose lease ended included, wish by wish and in the order in which they are
/// due. Their rows are locked.
async fn due_deliveries(
    transaction: &mut Transaction<'_>,
    claim: &Claim,
) -> Result<(Vec<DueDelivery>, Vec<Unreadable>), StoreError> {
    let (mut due, mut unreadable) = (Vec::new(), Vec::new());
    let undated = bind_columns!(sqlx::query(UNDATED), claim.wishes, |wish| {
        i64: wish.webhook_id.0,
        i64: i64::from(wish.limit),
    });
    for row in undated.fetch_all(&mut *transaction.connection).await? {
        let (id, why) = (row.try_get(0)?, "it is pending, but not since when".to_owned());
        unreadable.push(Unreadable { id, why });
    }
    let claimed: &[&str] = match claim.expired {
        Expired::Claim => &[EXPIRED, DUE],
        Expired::Leave => &[DUE],
    };
    for sql in claimed {
        let query = bind_columns!(sqlx::query(*sql), claim.wishes, |wish| {
            i64: wish.webhook_id.0,
            i64: i64::from(wish.limit),
        });
        let query = query.bind(claim.now.as_millis());
        let rows = query.fetch_all(&mut *transaction.connection).await?;
        let (some, damaged) = readable(&rows, read_due)?;
        due.extend(some);
        unreadable.extend(damaged);
    }
    let mut room: HashMap<_, _> = (0..)
        .zip(&claim.wishes)
        .map(|(place, wish)| (wish.webhook_id, (place, wish.limit, wish.bytes)))
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

/// For each wish the rows that `$condition` says, locked.
macro_rules! of_wishes {
    ($condition:literal, $columns:expr) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM unnest($1::bigint[], $2::bigint[]) AS wish (of_webhook, most) CROSS JOIN LATERAL (\
             SELECT * FROM deliveries WHERE webhook_id = wish.of_webhook AND ",
            $condition,
            " LIMIT wish.most FOR UPDATE SKIP LOCKED) AS due"
        )
    };
}

/// What is read of a row of `$deliveries` that is due.
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

/// What no due-query finds, because it has no time. It does not happen, unless somebody wrote into the table.
const UNDATED: &str = of_wishes!(
    "state = 'pending' AND claimed_by IS NULL AND due_at IS NULL ORDER BY due_at, id",
    "id"
);

const DUE: &str = of_wishes!(
    "state = 'pending' AND claimed_by IS NULL AND due_at <= $3 ORDER BY due_at, id",
    due_columns!("due")
);

const EXPIRED: &str = of_wishes!(
    "claimed_by IS NOT NULL AND due_at <= $3 ORDER BY due_at, id",
    due_columns!("due")
);

fn read_due(row: &Row<'_>) -> Result<DueDelivery, StoreError> {
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

/// Their leases ended and nobody said how the attempts did.
async fn close_as_lost(
    connection: &mut PgConnection,
    due: &[DueDelivery],
    now: Timestamp,
) -> Result<(), StoreError> {
    let attempt_of = |due: &DueDelivery| {
        let opened_at = due.opened_at?;
        let attempt = lost(due.delivery.attempt_number, opened_at, now);
        Some((due.delivery.id, attempt))
    };
    let lost: Vec<_> = due.iter().filter_map(attempt_of).collect();
    if lost.is_empty() {
        return Ok(());
    }
    attempts::insert_lost(connection, &lost).await?;
    let sql = "UPDATE deliveries SET claimed_by = NULL, claimed_at = NULL, last_outcome = 'lost', last_status = NULL \
               WHERE id = ANY($1)";
    sqlx::query(sql)
        .bind(lost.iter().map(|(id, _)| id.0).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

/// Those whose order queues nobody else decides about now; the others wait for another claim.
async fn with_lock_of_queue(
    connection: &mut PgConnection,
    due: Vec<DueDelivery>,
) -> Result<Vec<DueDelivery>, StoreError> {
    let queue_of = |due: &DueDelivery| Some((due.delivery.webhook_id, due.delivery.order_key.clone()?));
    let queues: HashSet<QueueKey> = due.iter().filter_map(queue_of).collect();
    if queues.is_empty() {
        return Ok(due);
    }
    let queues: Vec<QueueKey> = queues.into_iter().collect();
    let is_mine = order_queue::try_lock(connection, &queues).await?;
    let mine: HashSet<_> = queues
        .into_iter()
        .zip(is_mine)
        .filter(|(_, is_mine)| *is_mine)
        .map(|(queue, _)| queue)
        .collect();
    let is_free = |due: &DueDelivery| queue_of(due).is_none_or(|queue| mine.contains(&queue));
    Ok(due.into_iter().filter(is_free).collect())
}

/// Decides which may go before those ahead of them in their queues, and has the others wait.
async fn judge(
    transaction: &mut Transaction<'_>,
    due: Vec<DueDelivery>,
    claim: &Claim,
) -> Result<Vec<Granted>, StoreError> {
    let ordered: Vec<_> = due
        .iter()
        .filter(|due| due.delivery.order_key.is_some())
        .map(|due| due.delivery.id)
        .collect();
    let found = order_queue::ahead_of(transaction.connection, transaction.node, &ordered).await?;
    let ahead: HashMap<DeliveryId, Queued> = found
        .into_iter()
        .map(|(place, ahead)| (ordered[place], ahead))
        .collect();
    let event_ids = due.iter().map(|due| due.delivery.event_id.0).collect();
    let bodies = events::bodies(transaction.connection, event_ids).await?;
    // What was decided of one in a queue counts for those behind it.
    let mut decided = HashMap::<DeliveryId, Queued>::new();
    let mut granted = Vec::new();
    for due in due {
        let ahead = ahead
            .get(&due.delivery.id)
            .map(|ahead| decided.get(&ahead.id).unwrap_or(ahead));
        let mut is_overtaking = due.delivery.note.is_some();
        let (claimed, due_at, is_waiting) = match verdict(&due.delivery, ahead, claim.now) {
            Verdict::Wait { until } => {
                make_wait(transaction.connection, due.delivery.id, until).await?;
                (Claimed::No, until, true)
            }
            Verdict::Go { note } => match body_of(&bodies, due.delivery.event_id) {
                Some(body) => {
                    let was_due_at = due.due_at;
                    is_overtaking |= note.is_some();
                    let delivery = Delivery {
                        note: note.or(due.delivery.note.clone()),
                        ..due.delivery.clone()
                    };
                    granted.push(Granted {
                        delivery,
                        was_due_at,
                        body,
                    });
                    (Claimed::Here, claim.until, false)
                }
                None => {
                    let why = format!("its event {} or the payload of it is gone", due.delivery.event_id);
                    let id = due.delivery.id.0;
                    set_aside(transaction, Unreadable { id, why }, claim.now).await?;
                    continue;
                }
            },
        };
        let (blocks_until, created_at) = (due.delivery.blocks_until, due.delivery.created_at);
        let one = Queued {
            id: due.delivery.id,
            position: 0,
            due_at,
            is_waiting,
            claimed,
            blocks_until,
            created_at,
            is_overtaking,
        };
        decided.insert(due.delivery.id, one);
    }
    Ok(granted)
}

fn body_of(bodies: &HashMap<EventId, bytes::Bytes>, id: EventId) -> Option<bytes::Bytes> {
    bodies.get(&id).filter(|body| !body.is_empty()).cloned()
}

/// Has a delivery wait for those ahead in its order queue.
async fn make_wait(
    connection: &mut PgConnection,
    id: DeliveryId,
    until: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE deliveries SET held = 'order', due_at = $1 WHERE id = $2")
        .bind(until.as_millis())
        .bind(id.0)
        .execute(connection)
        .await?;
    Ok(())
}

/// Opens the next attempts and hands the deliveries over.
async fn open(
    transaction: &mut Transaction<'_>,
    granted: Vec<Granted>,
    claim: &Claim,
) -> Result<Vec<ClaimAnswer>, StoreError> {
    let mut claimed = HashMap::<WebhookId, u32>::new();
    let mut opened = Vec::with_capacity(granted.len());
    for mut one in granted {
        one.delivery.state = DeliveryState::Pending { due_at: claim.until };
        one.delivery.attempt_number += 1;
        *claimed.entry(one.delivery.webhook_id).or_default() += 1;
        opened.push(one);
    }
    if !opened.is_empty() {
        let query = bind_columns!(sqlx::query(OPEN), opened, |one| {
            i64: one.delivery.id.0,
            i64: i64::from(one.delivery.attempt_number),
            Option<&str>: one.delivery.note.as_deref(),
        });
        let query = query
            .bind(transaction.node)
            .bind(claim.now.as_millis())
            .bind(claim.until.as_millis());
        query.execute(&mut *transaction.connection).await?;
    }
    for one in opened {
        transaction.hand_over(HandedOver::Claimed(Box::new(ClaimedDelivery {
            delivery: one.delivery,
            body: one.body,
            was_read: true,
            was_due_at: one.was_due_at,
        })));
    }
    answers(transaction.connection, claim, &claimed).await
}

const OPEN: &str = "UPDATE deliveries SET claimed_by = $4, claimed_at = $5, due_at = $6, \
     attempt_number = one.attempt_number, note = one.note, held = NULL \
     FROM unnest($1::bigint[], $2::bigint[], $3::text[]) AS one (id, attempt_number, note) WHERE deliveries.id = one.id";

async fn answers(
    connection: &mut PgConnection,
    claim: &Claim,
    claimed: &HashMap<WebhookId, u32>,
) -> Result<Vec<ClaimAnswer>, StoreError> {
    let ids: Vec<_> = claim.wishes.iter().map(|wish| wish.webhook_id.0).collect();
    let rows = sqlx::query(NEXT_DUE).bind(ids).fetch_all(connection).await?;
    let answer = |(row, wish): (&sqlx::postgres::PgRow, &crate::claim::ClaimWish)| {
        let webhook_id = wish.webhook_id;
        Ok(ClaimAnswer {
            webhook_id,
            claimed: claimed.get(&webhook_id).copied().unwrap_or(0),
            next_due_at: row.try_get::<Option<i64>, _>(0)?.map(Timestamp::from_millis),
        })
    };
    rows.iter().zip(&claim.wishes).map(answer).collect()
}

const NEXT_DUE: &str = "SELECT (SELECT due_at FROM deliveries WHERE state = 'pending' AND claimed_by IS NULL \
     AND webhook_id = given.id AND due_at IS NOT NULL ORDER BY due_at, id LIMIT 1) \
     FROM unnest($1::bigint[]) WITH ORDINALITY AS given (id, n) ORDER BY n";

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
        transaction.hand_over(HandedOver::Due {
            webhook_id,
            due_at: now,
        });
    }
    Ok(changed)
}

/// Those that wait for their order wait for others, not for the receiver.
const MAKE_DUE: &str = "UPDATE deliveries SET due_at = $1 WHERE id IN (\
     SELECT id FROM deliveries WHERE state = 'pending' AND claimed_by IS NULL AND webhook_id = $2 AND due_at > $1 \
     AND held IS NULL ORDER BY due_at, id LIMIT $3 FOR UPDATE SKIP LOCKED)";

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
) -> Result<Option<Waiting>, StoreError> {
    let mut found = [None, None];
    for (sql, found) in [LONGEST_DUE, LONGEST_UNSTARTED].into_iter().zip(&mut found) {
        let row = sqlx::query(sql)
            .bind(webhook_id.0)
            .fetch_optional(&mut *connection)
            .await?;
        if let Some(row) = row {
            *found = Some(Waiting {
                delivery_id: DeliveryId(row.try_get(0)?),
                since: Timestamp::from_millis(row.try_get(1)?),
            });
        }
    }
    let [due, unstarted] = found;
    Ok(Waiting::longer(due, unstarted))
}

const LONGEST_DUE: &str = "SELECT id, due_at FROM deliveries WHERE state = 'pending' AND claimed_by IS NULL \
     AND webhook_id = $1 AND due_at IS NOT NULL ORDER BY due_at, id LIMIT 1";

/// Nodes have so many claims at the most that they can all be looked at, in the order of their index.
const LONGEST_UNSTARTED: &str = "SELECT id, created_at FROM (\
     SELECT id, created_at, attempt_number, replay_id FROM deliveries WHERE claimed_by IS NOT NULL AND state = 'pending' \
     AND webhook_id = $1 ORDER BY due_at, id OFFSET 0) AS claimed \
     WHERE attempt_number = 1 AND replay_id IS NULL ORDER BY created_at LIMIT 1";

/// Closes some of the claims of nodes that have ended as lost attempts and makes their deliveries due; `true` if there
/// may be more. A claim that never became a POST is closed all the same: nobody can tell.
pub(super) async fn close_some_of_ended_nodes(
    connection: &mut PgConnection,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let (more, _) = transact(connection, None, &Notifier::default(), async |transaction| {
        let rows = sqlx::query(OF_ENDED_NODES)
            .bind(SLICE)
            .fetch_all(&mut *transaction.connection)
            .await?;
        let (claimed, unreadable) = readable(&rows, read_due)?;
        for damaged in unreadable {
            set_aside(transaction, damaged, now).await?;
        }
        close_as_lost(transaction.connection, &claimed, now).await?;
        let pending = claimed.iter().filter(|due| !due.delivery.state.is_final());
        sqlx::query("UPDATE deliveries SET due_at = $1 WHERE id = ANY($2)")
            .bind(now.as_millis())
            .bind(pending.map(|due| due.delivery.id.0).collect::<Vec<_>>())
            .execute(&mut *transaction.connection)
            .await?;
        Ok(i64::try_from(rows.len()).unwrap_or(i64::MAX) >= SLICE)
    })
    .await?;
    Ok(more)
}

const OF_ENDED_NODES: &str = concat!(
    "SELECT ",
    due_columns!("deliveries"),
    " FROM deliveries WHERE claimed_by IS NOT NULL \
     AND claimed_by IN (SELECT id FROM nodes WHERE ended_at IS NOT NULL) LIMIT $1 FOR UPDATE SKIP LOCKED"
);
