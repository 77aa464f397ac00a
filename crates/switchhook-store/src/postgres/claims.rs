//! Claims: how due deliveries become this node's to send.

use std::collections::{HashMap, HashSet};

use sqlx::Row as _;
use sqlx::postgres::PgConnection;
use switchhook_domain::Timestamp;
use switchhook_domain::delivery::{Delivery, DeliveryState};
use switchhook_domain::id::{DeliveryId, EventId, WebhookId};
use switchhook_domain::redaction::Hidden;

use super::columns::bind_columns;
use super::due::{DueDelivery, due_deliveries};
use super::order_queue::{self, QueueKey};
use super::set_aside::UnreadableRow;
use super::set_aside::set_aside;
use super::transaction::Transaction;
use super::{attempts, events};
use crate::claim::{Claim, ClaimAnswer, ClaimedDelivery};
use crate::error::StoreError;
use crate::order_queue::{ClaimHolder, DueDecision, QueuedDelivery, verdict};
use crate::row::attempt::lost;

/// A delivery that may go, and what to say of it.
struct GrantedDelivery {
    delivery: Delivery,
    was_due_at: Timestamp,
    body: bytes::Bytes,
}

/// Claims what is due, as requested. Rows that another node is busy with are passed over.
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

/// Their leases ended and nobody said how the attempts did.
pub(super) async fn close_as_lost(
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
) -> Result<Vec<GrantedDelivery>, StoreError> {
    let ordered: Vec<_> = due
        .iter()
        .filter(|due| due.delivery.order_key.is_some())
        .map(|due| due.delivery.id)
        .collect();
    let found = order_queue::ahead_of(transaction.connection, transaction.node, &ordered).await?;
    let ahead: HashMap<DeliveryId, QueuedDelivery> = found
        .into_iter()
        .map(|(place, ahead)| (ordered[place], ahead))
        .collect();
    let event_ids = due.iter().map(|due| due.delivery.event_id.0).collect();
    let bodies = events::bodies(transaction.connection, event_ids).await?;
    // What was decided of one in a queue counts for those behind it.
    let mut decided = HashMap::<DeliveryId, QueuedDelivery>::new();
    let mut granted = Vec::new();
    for due in due {
        let ahead = ahead
            .get(&due.delivery.id)
            .map(|ahead| decided.get(&ahead.id).unwrap_or(ahead));
        let mut is_overtaking = due.delivery.note.is_some();
        let (claimed, due_at, is_waiting) = match verdict(&due.delivery, ahead, claim.now) {
            DueDecision::Wait { until } => {
                make_wait(transaction.connection, due.delivery.id, until).await?;
                (ClaimHolder::No, until, true)
            }
            DueDecision::Go { note } => match body_of(&bodies, due.delivery.event_id) {
                Some(body) => {
                    let was_due_at = due.due_at;
                    is_overtaking |= note.is_some();
                    let delivery = Delivery {
                        note: note.or(due.delivery.note.clone()),
                        ..due.delivery.clone()
                    };
                    granted.push(GrantedDelivery {
                        delivery,
                        was_due_at,
                        body,
                    });
                    (ClaimHolder::Here, claim.until, false)
                }
                None => {
                    let why = format!("its event {} or the payload of it is gone", due.delivery.event_id);
                    let id = due.delivery.id.0;
                    set_aside(transaction, UnreadableRow { id, why }, claim.now).await?;
                    continue;
                }
            },
        };
        let (blocks_until, created_at) = (due.delivery.blocks_until, due.delivery.created_at);
        let one = QueuedDelivery {
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
    granted: Vec<GrantedDelivery>,
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
        transaction.effects.claimed(ClaimedDelivery {
            delivery: one.delivery,
            body: one.body,
            concealable: Hidden::EVERYTHING,
            was_read: true,
            was_due_at: one.was_due_at,
        });
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
    let ids: Vec<_> = claim
        .requests
        .iter()
        .map(|request| request.webhook_id.0)
        .collect();
    let rows = sqlx::query(NEXT_DUE).bind(ids).fetch_all(connection).await?;
    let answer = |(row, request): (&sqlx::postgres::PgRow, &crate::claim::ClaimRequest)| {
        let webhook_id = request.webhook_id;
        Ok(ClaimAnswer {
            webhook_id,
            claimed: claimed.get(&webhook_id).copied().unwrap_or(0),
            next_due_at: row.try_get::<Option<i64>, _>(0)?.map(Timestamp::from_millis),
        })
    };
    rows.iter().zip(&claim.requests).map(answer).collect()
}

const NEXT_DUE: &str = "SELECT (SELECT due_at FROM deliveries WHERE state = 'pending' AND claimed_by IS NULL \
     AND webhook_id = given.id AND due_at IS NOT NULL ORDER BY due_at, id LIMIT 1) \
     FROM unnest($1::bigint[]) WITH ORDINALITY AS given (id, n) ORDER BY n";
