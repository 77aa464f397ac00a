//! Replays: how they make deliveries, and call them off.
//!
//! A replay counts its deliveries itself, so that looking at it costs the same however many they are. Its row is locked
//! only at the end of a transaction, by whoever counts; who decides about it holds a lock of its own (`lock_replay`).

use std::collections::{BTreeMap, BTreeSet};

use sqlx::Row as _;
use sqlx::postgres::PgConnection;
use switchhook_domain::Timestamp;
use switchhook_domain::dead_letter::Resolution;
use switchhook_domain::delivery::StateName;
use switchhook_domain::id::{CompanyId, EventId, ReplayId, WebhookId};
use switchhook_domain::replay::{Replay, ReplayStateName};

use super::columns::bind_columns;
use super::delivery_row::{self, NewRow};
use super::order_queue::{self, QueueLocks};
use super::transaction::Transaction;
use super::{deliveries, events};
use crate::error::StoreError;
use crate::order_queue::InitialState;
use crate::replay::ReplayStep;
use crate::replay_rules::check_cancel;
use crate::shared::dead_letters::is_dead;
use crate::shared::replays::{by_id, close, find};
use crate::sql::SqlTransaction;

/// Deliveries cancelled in one commit while the replay still runs. Each locks its order queue, and a server has few
/// locks.
pub(super) const SLICE: usize = 500;

/// Moves the cursor and makes the deliveries up to there.
pub(super) async fn advance(
    transaction: &mut Transaction<'_>,
    step: &ReplayStep,
) -> Result<Replay, StoreError> {
    transaction.lock_replay(step.id).await?;
    let replay = by_id(transaction.connection, step.id).await?;
    step.check_start(&replay)?;
    let created = create_deliveries(transaction, &replay, step).await?;
    for (webhook_id, due_at) in step.first_due() {
        transaction.effects.due(webhook_id, due_at);
    }
    let missing = i64::try_from(step.deliveries.len() - created).unwrap_or(i64::MAX);
    sqlx::query(ADVANCE)
        .bind(step.to.0)
        .bind(i64::from(step.is_last))
        .bind(step.next_due_at.as_millis())
        .bind(i64::from(step.scanned))
        .bind(i64::try_from(created).unwrap_or(i64::MAX))
        .bind(i64::from(step.skipped) + missing)
        .bind(step.id.0)
        .execute(&mut *transaction.connection)
        .await?;
    by_id(transaction.connection, step.id).await
}

const ADVANCE: &str = "UPDATE replays SET cursor = $1, all_created = $2, next_due_at = $3, scanned = scanned + $4, \
     created = created + $5, skipped = skipped + $6 WHERE id = $7";

/// Makes the deliveries of a step, except those whose events or the payloads of them are gone. Answers how many.
async fn create_deliveries(
    transaction: &mut Transaction<'_>,
    replay: &Replay,
    step: &ReplayStep,
) -> Result<usize, StoreError> {
    let mut locks = QueueLocks::default();
    let mut ends = BTreeSet::new();
    for new in &step.deliveries {
        if let Some(key) = &new.planned.order_key {
            locks.add(new.planned.webhook_id, key);
            ends.insert((new.planned.webhook_id, key.clone()));
        }
    }
    locks.take(transaction.connection).await?;
    let event_ids: Vec<_> = step.deliveries.iter().map(|new| new.planned.event_id.0).collect();
    let with_payload = events::lock_with_payload(transaction.connection, &event_ids).await?;
    let mut ordinals = deliveries::next_ordinals(transaction.connection, &event_ids).await?;
    let ends = order_queue::ends(transaction, ends).await?;
    let mut positions: BTreeMap<_, _> = ends
        .into_iter()
        .map(|(queue, last)| (queue, last.map(|last| last.position)))
        .collect();
    let mut rows = Vec::with_capacity(step.deliveries.len());
    let mut settled = Vec::new();
    for new in &step.deliveries {
        let event_id = new.planned.event_id;
        if !with_payload.contains(&event_id) {
            continue;
        }
        let ordinal = ordinals.entry(event_id).or_default();
        let delivery = new.unsent(replay, *ordinal, step.now);
        if new.planned.settles {
            settled.push((event_id, new.planned.webhook_id));
        }
        *ordinal += 1;
        let last = order_queue::queue_of(&delivery).and_then(|queue| positions.get_mut(&queue));
        let line_position = last.map(|last| *last.insert(order_queue::position_after(*last, delivery.id)));
        rows.push(NewRow {
            delivery,
            // Whether it must wait for those before it is seen when it is claimed, which is not before it is due.
            start: InitialState::Free,
            line_position,
        });
    }
    delivery_row::insert(transaction.connection, transaction.node, &rows).await?;
    resolve(transaction.connection, &settled, step.now).await?;
    Ok(rows.len())
}

/// Resolves dead letters of the same events and webhooks, as `dead_letters::resent` does for one.
async fn resolve(
    connection: &mut PgConnection,
    settled: &[(EventId, WebhookId)],
    now: Timestamp,
) -> Result<(), StoreError> {
    let query = bind_columns!(sqlx::query(RESOLVE), settled, |one| {
        i64: one.0.0,
        i64: one.1.0,
    });
    let query = query.bind(Resolution::Resent.as_str()).bind(now.as_millis());
    query.execute(connection).await?;
    Ok(())
}

/// Rows are found by their events, whatever the statistics say of what else holds.
const RESOLVE: &str = concat!(
    "UPDATE deliveries SET resolution = $3, resolved_at = $4 \
     FROM (SELECT DISTINCT * FROM unnest($1::bigint[], $2::bigint[]) AS one (event_id, webhook_id)) AS one \
     WHERE deliveries.event_id = one.event_id AND deliveries.webhook_id + 0 = one.webhook_id AND ",
    is_dead!()
);

/// Number of deliveries per replay and final state.
pub(super) type FinalStateCounts = BTreeMap<(ReplayId, StateName), i64>;

/// Counts deliveries of replays that reached their final state.
pub(super) async fn count_ended(
    connection: &mut PgConnection,
    ended: &FinalStateCounts,
) -> Result<(), StoreError> {
    for ((id, state), count) in ended {
        let sql = match state {
            StateName::Delivered => "UPDATE replays SET delivered = delivered + $1 WHERE id = $2",
            StateName::Exhausted => "UPDATE replays SET exhausted = exhausted + $1 WHERE id = $2",
            StateName::Cancelled => "UPDATE replays SET cancelled = cancelled + $1 WHERE id = $2",
            StateName::Pending => continue,
        };
        sqlx::query(sql)
            .bind(count)
            .bind(id.0)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Adds one delivery to the count.
pub(super) fn note_ended(ended: &mut FinalStateCounts, replay_id: Option<ReplayId>, state: StateName) {
    if let Some(id) = replay_id {
        *ended.entry((id, state)).or_default() += 1;
    }
}

/// Pending deliveries of a replay to be cancelled, beyond what one commit can take.
pub(super) async fn surplus(
    connection: &mut PgConnection,
    company_id: CompanyId,
    id: ReplayId,
) -> Result<Vec<i64>, StoreError> {
    if !check_cancel(&find(connection, company_id, id).await?)? {
        return Ok(Vec::new());
    }
    let mut pending = pending_of(connection, id).await?;
    pending.truncate(pending.len().saturating_sub(SLICE));
    Ok(pending)
}

/// Cancels some deliveries of a replay.
pub(super) async fn cancel_some(
    transaction: &mut Transaction<'_>,
    ids: Vec<i64>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let pending = deliveries::lock_pending(transaction, ids).await?;
    deliveries::call_off(transaction, &pending, now).await
}

/// Somebody decides against the rest of a replay. The registry is locked.
pub(super) async fn cancel(
    transaction: &mut Transaction<'_>,
    company_id: CompanyId,
    id: ReplayId,
    now: Timestamp,
) -> Result<Replay, StoreError> {
    transaction.lock_replay(id).await?;
    let replay = find(transaction.connection, company_id, id).await?;
    if !check_cancel(&replay)? {
        return Ok(replay);
    }
    let pending = pending_of(transaction.connection, id).await?;
    cancel_some(transaction, pending, now).await?;
    close(transaction, id, ReplayStateName::Cancelled, None, now).await
}

async fn pending_of(connection: &mut PgConnection, id: ReplayId) -> Result<Vec<i64>, StoreError> {
    let sql = "SELECT id FROM deliveries WHERE replay_id = $1 AND state = 'pending' ORDER BY id";
    let rows = sqlx::query(sql).bind(id.0).fetch_all(connection).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}
