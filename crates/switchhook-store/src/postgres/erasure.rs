//! Stub.

use super::transaction::Transaction;
use crate::error::StoreError;
use crate::retention::{Erased, ErasureSlice, RemovalReason};
use crate::row::{Cells, Row};
use sqlx::postgres::PgConnection;
use switchhook_domain::Timestamp;
use switchhook_domain::delivery::StateName;
use switchhook_domain::id::{DeliveryId, EventId, ReplayId, WebhookId};
use switchhook_domain::order::OrderKey;
use switchhook_domain::phone_number::PhoneNumber;

/// Events in which the number occurs.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) ids: Vec<EventId>,
    pub(super) examined: u64,
    pub(super) next: Option<EventId>,
}

pub(super) async fn erase(
    transaction: &mut Transaction<'_>,
    ids: &[EventId],
    number: &PhoneNumber,
    now: Timestamp,
) -> Result<Erased, StoreError> {
    unimplemented!()
}

pub(super) async fn find(_connection: &mut PgConnection, slice: &ErasureSlice) -> Result<Found, StoreError> {
    unimplemented!()
}
