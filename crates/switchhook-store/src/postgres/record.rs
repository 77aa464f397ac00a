//! Recording: new events become rows, each with its deliveries.

use std::collections::{BTreeMap, HashMap};

use sqlx::Row as _;
use sqlx::postgres::PgConnection;
use switchhook_domain::delivery::Delivery;
use switchhook_domain::id::{CompanyId, EventId};
use switchhook_domain::order::OrderKey;

use super::at_once;
use super::columns::bind_columns;
use super::delivery_row::{self, NewRow, insert_deliveries};
use super::order_queue::{self, QueueKey, QueueLocks};
use super::transaction::Transaction;
use crate::error::StoreError;
use crate::event::{EventRecord, NewDelivery, NewEvent, Recorded};
use crate::order_queue::{QueuedDelivery, start_of};
use crate::row::delivery::{self, delivery_columns};
use crate::row::event::{event_columns, read, warnings};
use crate::shared::log;

/// The order queues and logs that keeping these events decides about.
pub(super) fn add_locks(locks: &mut QueueLocks, events: &[&NewEvent]) {
    for event in events {
        if let Some(key) = &event.order_key {
            for delivery in event.deliveries.iter().filter(|delivery| delivery.is_ordered) {
                locks.add(delivery.webhook_id, key);
            }
        }
        if event.is_logged {
            locks.add_log(event.company_id);
        }
    }
}

/// Keeps events, each with its deliveries; answers for each. Their queues are locked, unless one statement is to lock them, write
/// and commit (`at_once.rs`): then the answer is `None` if it did nothing.
pub(super) async fn record(
    transaction: &mut Transaction<'_>,
    events: &[&NewEvent],
    locks: &QueueLocks,
) -> Result<Option<Vec<Recorded>>, StoreError> {
    let mut earlier = match transaction.is_one_statement {
        true => KnownKeys::default(),
        false => KnownKeys::read(transaction.connection, events).await?,
    };
    let mut answers = Vec::with_capacity(events.len());
    let mut kept = Vec::with_capacity(events.len());
    for event in events {
        let answer = earlier.answer_to(event);
        if answer == Recorded::Kept {
            earlier.keep(event);
            kept.push(*event);
        }
        answers.push(answer);
    }
    forget_keys(transaction.connection, &earlier.outdated).await?;
    let is_done = kept.is_empty() || keep(transaction, &kept, locks).await?;
    Ok(is_done.then_some(answers))
}

/// Stored idempotency keys of a batch.
#[derive(Default)]
struct KnownKeys {
    by_key: HashMap<(CompanyId, String), (EventRecord, Vec<Delivery>)>,
    /// Events whose keys were used too long ago, and are used again.
    outdated: Vec<i64>,
}

impl KnownKeys {
    async fn read(connection: &mut PgConnection, events: &[&NewEvent]) -> Result<Self, StoreError> {
        let mut known = Self::default();
        let with_keys: Vec<_> = events
            .iter()
            .filter_map(|event| Some((event.company_id.0, &*event.idempotency.as_ref()?.key)))
            .collect();
        if with_keys.is_empty() {
            return Ok(known);
        }
        let query = bind_columns!(sqlx::query(BY_IDEMPOTENCY_KEY), with_keys, |one| {
            i64: one.0,
            &str: one.1,
        });
        let rows = query.fetch_all(&mut *connection).await?;
        let records = rows.iter().map(|row| read(row)).collect::<Result<Vec<_>, _>>()?;
        let ids = records.iter().map(|event| event.id.0).collect();
        let mut deliveries = originals_of(connection, ids).await?;
        for event in records {
            if let Some(key) = &event.idempotency_key {
                let key = (event.company_id, key.clone());
                let deliveries = deliveries.remove(&event.id).unwrap_or_default();
                known.by_key.insert(key, (event, deliveries));
            }
        }
        Ok(known)
    }

    /// The answer to an event, which is `Kept` if its key is free. A use too long ago is forgotten.
    fn answer_to(&mut self, event: &NewEvent) -> Recorded {
        let Some(idempotency) = &event.idempotency else {
            return Recorded::Kept;
        };
        let key = (event.company_id, idempotency.key.clone());
        let Some((earlier, deliveries)) = self.by_key.get(&key) else {
            return Recorded::Kept;
        };
        if earlier.accepted_at < idempotency.not_before {
            self.outdated.push(earlier.id.0);
            self.by_key.remove(&key);
            return Recorded::Kept;
        }
        // Of a payload that was removed nobody can tell whether it was the same. The key says that it was.
        if earlier.payload_removed.is_none() && earlier.body != event.body {
            return Recorded::KeyReused;
        }
        Recorded::Repeated {
            event: earlier.clone(),
            deliveries: deliveries.clone(),
        }
    }

    /// An event of this batch is the first with its key.
    fn keep(&mut self, event: &NewEvent) {
        if let Some(idempotency) = &event.idempotency {
            let deliveries = (0..).zip(&event.deliveries);
            let deliveries = deliveries
                .map(|(ordinal, new)| new.unsent(event, ordinal))
                .collect();
            let key = (event.company_id, idempotency.key.clone());
            self.by_key.insert(key, (event.as_record(), deliveries));
        }
    }
}

/// One look into the index for each key. As a join the planner would rather read the index whole, which it believes to be empty if
/// keys came only after it last looked.
const BY_IDEMPOTENCY_KEY: &str = concat!(
    "SELECT ",
    event_columns!(),
    " FROM unnest($1::bigint[], $2::text[]) AS given (of_company, key) CROSS JOIN LATERAL (\
     SELECT * FROM events WHERE company_id = given.of_company AND idempotency_key = given.key LIMIT 1) AS earlier"
);

async fn forget_keys(connection: &mut PgConnection, ids: &[i64]) -> Result<(), StoreError> {
    if !ids.is_empty() {
        sqlx::query("UPDATE events SET idempotency_key = NULL WHERE id = ANY($1)")
            .bind(ids)
            .execute(connection)
            .await?;
    }
    Ok(())
}

/// Keeps new events and makes their deliveries; false if the one statement did nothing.
async fn keep(
    transaction: &mut Transaction<'_>,
    events: &[&NewEvent],
    locks: &QueueLocks,
) -> Result<bool, StoreError> {
    let positions = positions(transaction, events).await?;
    let mut kept = Vec::with_capacity(events.len());
    for (event, position) in events.iter().zip(positions) {
        let body = std::str::from_utf8(&event.body)
            .map_err(|error| StoreError::Conflict(format!("the event is not UTF-8: {error}")))?;
        kept.push((event, body, warnings(&event.warnings)?, position));
    }
    let (of_events, deliveries) = start_deliveries(transaction, events).await?;
    let sql = match transaction.is_one_statement {
        true => &at_once::FUNCTIONS.keep.call,
        false => KEEP,
    };
    let query = delivery_row::bind(sqlx::query(sql), transaction.node, &deliveries)?;
    let query = bind_columns!(query, kept, |row| {
        i64: row.0.id.0,
        i64: row.0.company_id.0,
        &str: row.0.kind.route(),
        i64: row.0.accepted_at.as_millis(),
        Option<&str>: row.0.order_key.as_ref().map(OrderKey::as_str),
        Option<&str>: row.0.idempotency.as_ref().map(|idempotency| &*idempotency.key),
        Option<&str>: row.2.as_deref(),
        &str: row.1,
        i64: row.0.revision.0,
        Option<i64>: row.3,
    });
    // Before it is sent: if no answer comes, nobody knows whether it was committed, and the claims are doubtful.
    for (event, row) in of_events.into_iter().zip(&deliveries) {
        transaction.effects.made(event, row.delivery.clone(), row.start);
    }
    if transaction.is_one_statement {
        let query = query.bind(&locks.webhook_ids).bind(&locks.keys);
        let row = query.fetch_one(&mut *transaction.connection).await?;
        return Ok(row.try_get(0)?);
    }
    query.execute(&mut *transaction.connection).await?;
    Ok(true)
}

pub(super) const KEEP: &str = concat!(
    "WITH kept AS (\
     INSERT INTO events (id, company_id, kind, accepted_at, order_key, idempotency_key, warnings, body, revision, position) \
     SELECT * FROM unnest($21::bigint[], $22::bigint[], $23::text[], $24::bigint[], $25::text[], $26::text[], \
     $27::text[], $28::text[], $29::bigint[], $30::bigint[])) ",
    insert_deliveries!()
);

/// The places of the events in their companies' logs: their own ids, or after the last one. The logs are locked.
async fn positions(
    transaction: &mut Transaction<'_>,
    events: &[&NewEvent],
) -> Result<Vec<Option<i64>>, StoreError> {
    let mut ends = BTreeMap::<CompanyId, i64>::new();
    let mut positions = Vec::with_capacity(events.len());
    for event in events {
        if !event.is_logged {
            positions.push(None);
            continue;
        }
        let end = match ends.get(&event.company_id) {
            Some(end) => *end,
            None => log::end(transaction, event.company_id).await?.0,
        };
        let position = event.id.0.max(end + 1);
        ends.insert(event.company_id, position);
        positions.push(Some(position));
        transaction.log_grew(event.company_id);
    }
    Ok(positions)
}

/// The deliveries of new events, each with its event: claimed if this node can send them now, waiting if others must go first.
async fn start_deliveries<'e>(
    transaction: &mut Transaction<'_>,
    events: &[&'e NewEvent],
) -> Result<(Vec<&'e NewEvent>, Vec<NewRow>), StoreError> {
    let mut unsent = Vec::new();
    for event in events {
        for (ordinal, new) in (0..).zip(&event.deliveries) {
            unsent.push((*event, new, new.unsent(event, ordinal)));
        }
    }
    let queues = unsent
        .iter()
        .filter_map(|(_, _, delivery)| order_queue::queue_of(delivery));
    let mut queues = order_queue::ends(transaction, queues.collect()).await?;
    let started = unsent
        .into_iter()
        .map(|(event, new, delivery)| (event, started(transaction, new, delivery, &mut queues)));
    Ok(started.unzip())
}

/// Decides how a delivery starts behind those in its order queue, of which it is the last one from now on.
fn started(
    transaction: &Transaction<'_>,
    new: &NewDelivery,
    mut delivery: Delivery,
    queues: &mut BTreeMap<QueueKey, Option<QueuedDelivery>>,
) -> NewRow {
    let claim_until = new.claim_until.filter(|_| transaction.node.is_some());
    let queue = order_queue::queue_of(&delivery);
    let last = queue.as_ref().and_then(|queue| queues.get_mut(queue));
    let before = last.as_deref().copied().flatten();
    let start = start_of(&mut delivery, before.as_ref(), claim_until);
    let line_position = last.map(|last| {
        let position = order_queue::position_after(before.map(|before| before.position), delivery.id);
        *last = Some(QueuedDelivery::made(&delivery, start, position));
        position
    });
    NewRow {
        delivery,
        start,
        line_position,
    }
}

/// The deliveries made with each of the events, in their order.
async fn originals_of(
    connection: &mut PgConnection,
    event_ids: Vec<i64>,
) -> Result<HashMap<EventId, Vec<Delivery>>, StoreError> {
    let sql = concat!(
        "SELECT ",
        delivery_columns!(),
        " FROM deliveries WHERE event_id = ANY($1) AND origin_id IS NULL AND replay_id IS NULL ORDER BY event_id, ordinal"
    );
    let rows = sqlx::query(sql).bind(event_ids).fetch_all(connection).await?;
    let mut deliveries = HashMap::<EventId, Vec<Delivery>>::new();
    for row in &rows {
        let delivery = delivery::read(row)?;
        deliveries.entry(delivery.event_id).or_default().push(delivery);
    }
    Ok(deliveries)
}
