//! Replays: how they are kept, make deliveries, and end.
//!
//! A replay counts its deliveries itself, so that looking at it costs the same however many they are.

use rusqlite::{Connection, params};
use switchhook_domain::Timestamp;
use switchhook_domain::delivery::StateName;
use switchhook_domain::id::{CompanyId, DeliveryId, ReplayId, WebhookId};
use switchhook_domain::replay::{Destination, Replay};

use super::delivery_row;
use super::list::{Listing, all, first};
use super::replay_row;
use super::transaction::Transaction;
use super::{deliveries, webhooks};
use crate::error::StoreError;
use crate::order_queue::Start;
use crate::page::{Page, PageRequest};
use crate::replay::{NewReplay, ReplayDelivery, ReplayEnd, ReplayStep};
use crate::replaying::{check_cancel, check_end};
use crate::row::replay::{self, replay_columns};
use crate::sealing::Sealing;

pub(super) fn create(
    transaction: &mut Transaction<'_>,
    new: &NewReplay,
    sealing: &Sealing,
) -> Result<Replay, StoreError> {
    let replay = &new.replay;
    let values: [&dyn rusqlite::ToSql; 1] = [&replay.company_id.0];
    let running: u32 = first(transaction.connection, RUNNING_OF, &values, |row| row.get(0))?.unwrap_or(0);
    new.check_limit(running)?;
    if let Destination::Webhook(id) = replay.to
        && !webhooks::exists(transaction.connection, replay.company_id, id)?
    {
        return Err(StoreError::NotFound("webhook"));
    }
    if let Some(webhook) = &new.webhook {
        webhooks::create_for_replay(transaction, webhook, replay.id, sealing)?;
    }
    replay_row::insert(transaction.connection, replay)?;
    by_id(transaction.connection, replay.id)
}

pub(super) const RUNNING_OF: &str = "SELECT count(*) FROM replays INDEXED BY replays_running WHERE state = 'running' AND id > 0 AND company_id = ?";

pub(super) fn find(
    connection: &Connection,
    company_id: CompanyId,
    id: ReplayId,
) -> Result<Replay, StoreError> {
    let replay = by_id(connection, id)?;
    if replay.company_id == company_id {
        Ok(replay)
    } else {
        Err(StoreError::NotFound("replay"))
    }
}

fn by_id(connection: &Connection, id: ReplayId) -> Result<Replay, StoreError> {
    first(connection, BY_ID, &[&id.0], replay::read)?.ok_or(StoreError::NotFound("replay"))
}

pub(super) const BY_ID: &str = concat!(
    "SELECT ",
    replay_columns!("INDEXED BY deliveries_of_replay"),
    " FROM replays WHERE id = ?"
);

pub(super) fn list(
    connection: &Connection,
    company_id: CompanyId,
    page: PageRequest,
) -> Result<Page<Replay>, StoreError> {
    listing(company_id)
        .newest_first(page)
        .page(connection, replay::read, |replay| replay.id.0)
}

pub(super) fn listing(company_id: CompanyId) -> Listing {
    Listing::new(
        replay_columns!("INDEXED BY deliveries_of_replay"),
        "FROM replays INDEXED BY replays_by_company WHERE company_id = ?",
    )
    .with(company_id.0)
}

pub(super) fn running(connection: &Connection, page: PageRequest) -> Result<Page<Replay>, StoreError> {
    listing_running()
        .oldest_first(page)
        .page(connection, replay::read, |replay| replay.id.0)
}

pub(super) fn listing_running() -> Listing {
    Listing::new(
        replay_columns!("INDEXED BY deliveries_of_replay"),
        "FROM replays INDEXED BY replays_running WHERE state = 'running'",
    )
}

/// Moves the cursor and makes the deliveries up to there.
pub(super) fn advance(transaction: &mut Transaction<'_>, step: &ReplayStep) -> Result<Replay, StoreError> {
    let replay = by_id(transaction.connection, step.id)?;
    step.check_start(&replay)?;
    let (mut created, mut skipped) = (0_u32, step.skipped);
    for new in &step.deliveries {
        if create_delivery(transaction, &replay, new, step.now)? {
            created += 1;
        } else {
            skipped += 1;
        }
    }
    for (webhook_id, due_at) in step.first_due() {
        transaction.effects.due(webhook_id, due_at);
    }
    transaction.prepare(ADVANCE)?.execute(params![
        step.to.0,
        step.is_last,
        step.next_due_at.as_millis(),
        step.scanned,
        created,
        skipped,
        step.id.0,
    ])?;
    by_id(transaction.connection, step.id)
}

const ADVANCE: &str = "UPDATE replays SET cursor = ?, all_created = ?, next_due_at = ?, scanned = scanned + ?, \
     created = created + ?, skipped = skipped + ? WHERE id = ?";

/// Makes a delivery, unless its event or the payload of it is gone.
fn create_delivery(
    transaction: &Transaction<'_>,
    replay: &Replay,
    new: &ReplayDelivery,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let (connection, planned) = (transaction.connection, &new.planned);
    let has_payload = first(connection, HAS_PAYLOAD, &[&planned.event_id.0], |_| Ok(()))?;
    if has_payload.is_none() {
        return Ok(false);
    }
    let ordinal = deliveries::next_ordinal(connection, planned.event_id)?;
    let delivery = new.unsent(replay, ordinal, now);
    // Whether it must wait for those before it is seen when it is claimed, which is not before it is due.
    delivery_row::insert(connection, &delivery, Start::Free)?;
    Ok(true)
}

const HAS_PAYLOAD: &str = "SELECT 1 FROM events WHERE id = ? AND payload_removed_at IS NULL";

/// Counts deliveries of a replay that reached their final state.
pub(super) fn count_ended(
    connection: &Connection,
    id: Option<ReplayId>,
    state: StateName,
    count: u32,
) -> Result<(), StoreError> {
    let Some(id) = id else {
        return Ok(());
    };
    let sql = match state {
        StateName::Pending => return Ok(()),
        StateName::Delivered => "UPDATE replays SET delivered = delivered + ? WHERE id = ?",
        StateName::Exhausted => "UPDATE replays SET exhausted = exhausted + ? WHERE id = ?",
        StateName::Cancelled => "UPDATE replays SET cancelled = cancelled + ? WHERE id = ?",
    };
    connection.prepare_cached(sql)?.execute(params![count, id.0])?;
    Ok(())
}

/// A running replay ends by itself.
pub(super) fn end(
    transaction: &mut Transaction<'_>,
    id: ReplayId,
    end: &ReplayEnd,
    now: Timestamp,
) -> Result<Replay, StoreError> {
    check_end(&by_id(transaction.connection, id)?)?;
    let (state, reason) = end.as_state();
    close(transaction, id, state, reason, now)
}

/// Somebody decides against the rest of a replay.
pub(super) fn cancel(
    transaction: &mut Transaction<'_>,
    company_id: CompanyId,
    id: ReplayId,
    now: Timestamp,
) -> Result<Replay, StoreError> {
    let replay = find(transaction.connection, company_id, id)?;
    if !check_cancel(&replay)? {
        return Ok(replay);
    }
    let pending = all(transaction.connection, PENDING_OF, &[&id.0], |row| {
        Ok((row.get::<i64>(0)?, row.get::<i64>(1)?))
    })?;
    for (delivery_id, webhook_id) in &pending {
        transaction
            .prepare(deliveries::CANCEL)?
            .execute(params![now.as_millis(), delivery_id])?;
        deliveries::notify_holder(transaction, WebhookId(*webhook_id), DeliveryId(*delivery_id))?;
    }
    let count = u32::try_from(pending.len()).unwrap_or(u32::MAX);
    count_ended(transaction.connection, Some(id), StateName::Cancelled, count)?;
    close(transaction, id, "cancelled", None, now)
}

/// Its order keys are its own, so nobody else waits for these.
pub(super) const PENDING_OF: &str = "SELECT id, webhook_id FROM deliveries INDEXED BY deliveries_of_replay \
     WHERE replay_id = ? AND state = 'pending'";

fn close(
    transaction: &Transaction<'_>,
    id: ReplayId,
    state: &'static str,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<Replay, StoreError> {
    let sql = "UPDATE replays SET state = ?, reason = ?, ended_at = ? WHERE id = ?";
    transaction
        .prepare(sql)?
        .execute(params![state, reason, now.as_millis(), id.0])?;
    let sql = "UPDATE webhooks SET deleted_at = ?, secret = NULL, credentials = NULL WHERE id = (SELECT webhook_id FROM replays WHERE id = ?) \
               AND replay_id = ? AND deleted_at IS NULL";
    transaction
        .prepare(sql)?
        .execute(params![now.as_millis(), id.0, id.0])?;
    by_id(transaction.connection, id)
}
