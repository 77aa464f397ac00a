//! Stub.

use super::transaction::Transaction;
use crate::error::StoreError;
use crate::retention::{PayloadSlice, RemovalReason, RemovalSlice, Removed, StoreSize};
use crate::row::Row;
use sqlx::postgres::PgConnection;
use switchhook_domain::Timestamp;
use switchhook_domain::id::{EventId, first_id_at};

/// Events that can go, and where to look on.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) ids: Vec<EventId>,
    pub(super) next: Option<EventId>,
}

pub(super) async fn drop_payloads(
    transaction: &mut Transaction<'_>,
    ids: &[EventId],
    now: Timestamp,
) -> Result<u64, StoreError> {
    unimplemented!()
}

pub(super) async fn droppable(
    _connection: &mut PgConnection,
    slice: PayloadSlice,
) -> Result<Found, StoreError> {
    unimplemented!()
}

pub(super) async fn removable(
    _connection: &mut PgConnection,
    slice: RemovalSlice,
) -> Result<Found, StoreError> {
    unimplemented!()
}

pub(super) async fn remove(
    transaction: &mut Transaction<'_>,
    ids: &[EventId],
    before: Timestamp,
) -> Result<Removed, StoreError> {
    unimplemented!()
}

pub(super) async fn size(_connection: &mut PgConnection) -> Result<StoreSize, StoreError> {
    unimplemented!()
}
