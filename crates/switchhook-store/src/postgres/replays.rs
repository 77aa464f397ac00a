//! Replays: how they are kept, make deliveries, and end.

use std::collections::BTreeMap;

use super::transaction::Transaction;
use crate::page::{Page, PageRequest};
use crate::replay::{NewReplay, ReplayEnd, ReplayStep};
use crate::sealing::Sealing;
use sqlx::postgres::PgConnection;
use switchhook_domain::Timestamp;
use switchhook_domain::delivery::StateName;
use switchhook_domain::id::CompanyId;
use switchhook_domain::id::ReplayId;
use switchhook_domain::replay::Replay;

use crate::error::StoreError;

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

pub(super) async fn advance(
    transaction: &mut Transaction<'_>,
    step: &ReplayStep,
) -> Result<Replay, StoreError> {
    unimplemented!()
}

pub(super) async fn cancel(
    transaction: &mut Transaction<'_>,
    company_id: CompanyId,
    id: ReplayId,
    now: Timestamp,
) -> Result<Replay, StoreError> {
    unimplemented!()
}

pub(super) async fn create(
    transaction: &mut Transaction<'_>,
    new: &NewReplay,
    sealing: &Sealing,
) -> Result<Replay, StoreError> {
    unimplemented!()
}

pub(super) async fn end(
    transaction: &mut Transaction<'_>,
    id: ReplayId,
    end: &ReplayEnd,
    now: Timestamp,
) -> Result<Replay, StoreError> {
    unimplemented!()
}

pub(super) async fn find(
    _connection: &mut PgConnection,
    company_id: CompanyId,
    id: ReplayId,
) -> Result<Replay, StoreError> {
    unimplemented!()
}

pub(super) async fn list(
    _connection: &mut PgConnection,
    company_id: CompanyId,
    page: PageRequest,
) -> Result<Page<Replay>, StoreError> {
    unimplemented!()
}

pub(super) async fn running(
    _connection: &mut PgConnection,
    page: PageRequest,
) -> Result<Page<Replay>, StoreError> {
    unimplemented!()
}
