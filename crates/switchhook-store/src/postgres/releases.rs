//! Releases: claims given back unopened.

use std::collections::{HashMap, HashSet};

use switchhook_domain::Timestamp;
use switchhook_domain::delivery::StateName;
use switchhook_domain::id::DeliveryId;
use switchhook_domain::order::OrderKey;

use super::columns::bind_columns;
use super::order_queue;
use super::transaction::Transaction;
use crate::claim::Release;
use crate::error::StoreError;
use crate::order_queue::waits_until;
use crate::row::{Columns, Row};

/// The attempt of a delivery that is under way.
struct OpenAttempt {
    is_pending: bool,
    order_key: Option<OrderKey>,
    blocks_until: Timestamp,
}

struct Released<'r> {
    release: &'r Release,
    is_pending: bool,
    due_at: Timestamp,
    is_waiting: bool,
}

/// Gives claims back: the numbers of the attempts that were not made are free again. The queues are locked.
pub(super) async fn release(
    transaction: &mut Transaction<'_>,
    released: &[&Release],
    now: Timestamp,
) -> Result<(), StoreError> {
    let ids = released.iter().map(|one| one.delivery_id);
    let mut open = open_attempts(transaction, ids).await?;
    let mut waiting = Vec::new();
    for one in released {
        // By the attempt too: of an old claim and the one that stands, both given back, only the second changes anything.
        match open.remove(&(one.delivery_id, one.attempt_number)) {
            Some(open) => waiting.push((*one, open)),
            None => transaction.effects.released(one),
        }
    }
    // What a release makes of one in a queue counts for those behind it: one of each queue at a time.
    while !waiting.is_empty() {
        let mut queues = HashSet::new();
        let (round, rest) = waiting.into_iter().partition(|(one, open)| {
            let key = open.order_key.as_ref();
            key.is_none_or(|key| queues.insert((one.webhook_id, key.clone())))
        });
        release_round(transaction, &round, now).await?;
        waiting = rest;
    }
    Ok(())
}

/// The open attempts of this node among those of the deliveries. Their rows are locked, in the order of their ids.
async fn open_attempts(
    transaction: &mut Transaction<'_>,
    ids: impl Iterator<Item = DeliveryId>,
) -> Result<HashMap<(DeliveryId, u32), OpenAttempt>, StoreError> {
    let sql = "SELECT id, attempt_number, state, order_key, blocks_until FROM deliveries \
               WHERE id = ANY($1) AND coalesce(claimed_by, 0) = $2 ORDER BY id FOR UPDATE";
    let rows = sqlx::query(sql)
        .bind(ids.map(|id| id.0).collect::<Vec<_>>())
        .bind(transaction.node)
        .fetch_all(&mut *transaction.connection)
        .await?;
    rows.iter().map(|row| read_open(row)).collect()
}

fn read_open(row: &Row<'_>) -> Result<((DeliveryId, u32), OpenAttempt), StoreError> {
    let mut columns = Columns::of("deliveries", row)?;
    let number = columns.read()?;
    let open = OpenAttempt {
        is_pending: columns.word::<StateName>()? == StateName::Pending,
        order_key: columns.maybe_text()?.map(OrderKey::new),
        blocks_until: columns.time()?,
    };
    Ok(((DeliveryId(columns.id()), number), open))
}

async fn release_round(
    transaction: &mut Transaction<'_>,
    round: &Vec<(&Release, OpenAttempt)>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let ordered: Vec<_> = (0..round.len())
        .filter(|n| round[*n].1.order_key.is_some())
        .collect();
    let ids: Vec<_> = ordered.iter().map(|n| round[*n].0.delivery_id).collect();
    let mut waits = vec![None; round.len()];
    for (place, ahead) in order_queue::ahead_of(transaction.connection, transaction.node, &ids).await? {
        let n = ordered[place];
        waits[n] = waits_until(Some(&ahead), round[n].1.blocks_until, now);
    }
    let rows: Vec<_> = round
        .iter()
        .zip(waits)
        .map(|((release, open), until)| Released {
            release,
            is_pending: open.is_pending,
            due_at: until.unwrap_or(release.due_at),
            is_waiting: until.is_some() && open.is_pending,
        })
        .collect();
    let query = bind_columns!(sqlx::query(RELEASE), rows, |row| {
        i64: row.release.delivery_id.0,
        i64: row.due_at.as_millis(),
        Option<&str>: row.is_waiting.then_some("order"),
    });
    query.execute(&mut *transaction.connection).await?;
    for row in &rows {
        transaction.effects.released(row.release);
        if row.is_pending {
            transaction.effects.due(row.release.webhook_id, row.due_at);
        }
    }
    Ok(())
}

const RELEASE: &str = "UPDATE deliveries SET claimed_by = NULL, claimed_at = NULL, \
     attempt_number = attempt_number - 1, due_at = one.due_at, held = one.held \
     FROM unnest($1::bigint[], $2::bigint[], $3::text[]) AS one (id, due_at, held) WHERE deliveries.id = one.id";
