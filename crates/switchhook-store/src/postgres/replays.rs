//! Replays: how they are kept, make deliveries, and end.
//!
//! A replay counts its deliveries itself, so that looking at it costs the same however many they are. Its row is locked
//! only at the end of a transaction, by whoever counts; who decides about it holds a lock of its own ([`lock`]).

use std::collections::{BTreeMap, BTreeSet};

use sqlx::Row as _;
use sqlx::postgres::PgConnection;
use switchhook_domain::Timestamp;
use switchhook_domain::delivery::StateName;
use switchhook_domain::id::{CompanyId, ReplayId};
use switchhook_domain::replay::{Destination, Replay};

use super::delivery_row::{self, NewRow};
use super::list::Listing;
use super::order_queue::{self, QueueLocks};
use super::transaction::Transaction;
use super::{deliveries, events, webhooks};
use crate::error::StoreError;
use crate::order_queue::Start;
use crate::page::{Page, PageRequest};
use crate::replay::{NewReplay, ReplayEnd, ReplayStep};
use crate::replaying::{check_cancel, check_end};
use crate::row::replay::{self, filter, replay_columns, total};
use crate::sealing::Sealing;

/// How many deliveries one commit cancels while the replay still runs. Each has a lock for its order queue, of which a server
/// has not many.
pub(super) const SLICE: usize = 500;

/// Waits until this transaction alone decides about where a replay stands, until the commit. Comes after the registry's
/// lock and before those of order queues.
async fn lock(connection: &mut PgConnection, id: ReplayId) -> Result<(), StoreError> {
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('replay', $1))")
        .bind(id.0)
        .execute(connection)
        .await?;
    Ok(())
}

/// Keeps a new replay. The registry is locked.
pub(super) async fn create(
    transaction: &mut Transaction<'_>,
    new: &NewReplay,
    sealing: &Sealing,
) -> Result<Replay, StoreError> {
    let replay = &new.replay;
    let running = "SELECT count(*) FROM replays WHERE state = 'running' AND company_id = $1";
    let running = sqlx::query(running)
        .bind(replay.company_id.0)
        .fetch_one(&mut *transaction.connection)
        .await?;
    new.check_limit(u32::try_from(running.try_get::<i64, _>(0)?).unwrap_or(u32::MAX))?;
    if let Destination::Webhook(id) = replay.to
        && !webhooks::exists(transaction.connection, replay.company_id, id).await?
    {
        return Err(StoreError::NotFound("webhook"));
    }
    if let Some(webhook) = &new.webhook {
        webhooks::create_for_replay(transaction, webhook, replay.id, sealing).await?;
    }
    insert(transaction.connection, replay).await?;
    transaction.registry_changed(replay.company_id).await?;
    by_id(transaction.connection, replay.id).await
}

async fn insert(connection: &mut PgConnection, replay: &Replay) -> Result<(), StoreError> {
    sqlx::query(INSERT)
        .bind(replay.id.0)
        .bind(replay.company_id.0)
        .bind(filter(replay)?)
        .bind(replay.to.webhook_id().map(|id| id.0))
        .bind(replay.rate)
        .bind(replay.hidden.to_string())
        .bind(replay.made_with.to_string())
        .bind(total(replay))
        .bind(i64::from(replay.estimate.is_exact))
        .bind(replay.cursor.0)
        .bind(replay.next_due_at.as_millis())
        .bind(replay.created_at.as_millis())
        .execute(connection)
        .await?;
    Ok(())
}

const INSERT: &str = "INSERT INTO replays (id, company_id, filter, webhook_id, rate, hidden, made_with, total, total_is_exact, \
     cursor, next_due_at, created_at, state, all_created, scanned, created, skipped, delivered, exhausted, cancelled) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'running', 0, 0, 0, 0, 0, 0, 0)";

pub(super) async fn find(
    connection: &mut PgConnection,
    company_id: CompanyId,
    id: ReplayId,
) -> Result<Replay, StoreError> {
    let replay = by_id(connection, id).await?;
    if replay.company_id == company_id {
        Ok(replay)
    } else {
        Err(StoreError::NotFound("replay"))
    }
}

async fn by_id(connection: &mut PgConnection, id: ReplayId) -> Result<Replay, StoreError> {
    let sql = concat!("SELECT ", replay_columns!(""), " FROM replays WHERE id = $1");
    let row = sqlx::query(sql).bind(id.0).fetch_optional(connection).await?;
    row.as_ref()
        .map(|row| replay::read(row))
        .transpose()?
        .ok_or(StoreError::NotFound("replay"))
}

pub(super) async fn list(
    connection: &mut PgConnection,
    company_id: CompanyId,
    page: PageRequest,
) -> Result<Page<Replay>, StoreError> {
    Listing::new(concat!(
        "SELECT ",
        replay_columns!(""),
        " FROM replays WHERE company_id = $1"
    ))
    .with(company_id.0)
    .newest_first(page)
    .page(connection, replay::read, |replay| replay.id.0)
    .await
}

pub(super) async fn running(
    connection: &mut PgConnection,
    page: PageRequest,
) -> Result<Page<Replay>, StoreError> {
    Listing::new(concat!(
        "SELECT ",
        replay_columns!(""),
        " FROM replays WHERE state = 'running'"
    ))
    .oldest_first(page)
    .page(connection, replay::read, |replay| replay.id.0)
    .await
}

/// Moves the cursor and makes the deliveries up to there.
pub(super) async fn advance(
    transaction: &mut Transaction<'_>,
    step: &ReplayStep,
) -> Result<Replay, StoreError> {
    lock(transaction.connection, step.id).await?;
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
    for new in &step.deliveries {
        let event_id = new.planned.event_id;
        if !with_payload.contains(&event_id) {
            continue;
        }
        let ordinal = ordinals.entry(event_id).or_default();
        let delivery = new.unsent(replay, *ordinal, step.now);
        *ordinal += 1;
        let last = order_queue::queue_of(&delivery).and_then(|queue| positions.get_mut(&queue));
        let line_position = last.map(|last| *last.insert(order_queue::position_after(*last, delivery.id)));
        rows.push(NewRow {
            delivery,
            // Whether it must wait for those before it is seen when it is claimed, which is not before it is due.
            start: Start::Free,
            line_position,
        });
    }
    delivery_row::insert(transaction.connection, transaction.node, &rows).await?;
    Ok(rows.len())
}

/// How many deliveries of each replay reached which final state.
pub(super) type Ended = BTreeMap<(ReplayId, &'static str), i64>;

/// Counts deliveries of replays that reached their final state.
pub(super) async fn count_ended(connection: &mut PgConnection, ended: &Ended) -> Result<(), StoreError> {
    for ((id, state), count) in ended {
        let sql = match *state {
            "delivered" => "UPDATE replays SET delivered = delivered + $1 WHERE id = $2",
            "exhausted" => "UPDATE replays SET exhausted = exhausted + $1 WHERE id = $2",
            "cancelled" => "UPDATE replays SET cancelled = cancelled + $1 WHERE id = $2",
            _ => continue,
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
pub(super) fn note_ended(ended: &mut Ended, replay_id: Option<ReplayId>, state: StateName) {
    if let Some(id) = replay_id {
        *ended.entry((id, state.as_str())).or_default() += 1;
    }
}

/// A running replay ends by itself. The registry is locked.
pub(super) async fn end(
    transaction: &mut Transaction<'_>,
    id: ReplayId,
    end: &ReplayEnd,
    now: Timestamp,
) -> Result<Replay, StoreError> {
    lock(transaction.connection, id).await?;
    check_end(&by_id(transaction.connection, id).await?)?;
    let (state, reason) = end.as_state();
    close(transaction, id, state, reason, now).await
}

/// What is pending of a replay that is to be cancelled, and would be too much for one commit.
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
    lock(transaction.connection, id).await?;
    let replay = find(transaction.connection, company_id, id).await?;
    if !check_cancel(&replay)? {
        return Ok(replay);
    }
    let pending = pending_of(transaction.connection, id).await?;
    cancel_some(transaction, pending, now).await?;
    close(transaction, id, "cancelled", None, now).await
}

async fn pending_of(connection: &mut PgConnection, id: ReplayId) -> Result<Vec<i64>, StoreError> {
    let sql = "SELECT id FROM deliveries WHERE replay_id = $1 AND state = 'pending' ORDER BY id";
    let rows = sqlx::query(sql).bind(id.0).fetch_all(connection).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

async fn close(
    transaction: &mut Transaction<'_>,
    id: ReplayId,
    state: &'static str,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<Replay, StoreError> {
    sqlx::query("UPDATE replays SET state = $1, reason = $2, ended_at = $3 WHERE id = $4")
        .bind(state)
        .bind(reason)
        .bind(now.as_millis())
        .bind(id.0)
        .execute(&mut *transaction.connection)
        .await?;
    let sql = "UPDATE webhooks SET deleted_at = $1, secret = NULL, credentials = NULL WHERE id = (SELECT webhook_id FROM replays WHERE id = $2) \
               AND replay_id = $2 AND deleted_at IS NULL";
    sqlx::query(sql)
        .bind(now.as_millis())
        .bind(id.0)
        .execute(&mut *transaction.connection)
        .await?;
    let replay = by_id(transaction.connection, id).await?;
    transaction.registry_changed(replay.company_id).await?;
    Ok(replay)
}
