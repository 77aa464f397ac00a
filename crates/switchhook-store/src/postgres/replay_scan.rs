//! Stub.

use super::transaction::Transaction;
use crate::error::StoreError;
use crate::replay::{Scan, Selection};
use crate::row::delivery::read_ids;
use crate::row::{Cells, Row};
use sqlx::postgres::PgConnection;
use switchhook_domain::Kind;
use switchhook_domain::id::{DeliveryId, EventId, WebhookId};
use switchhook_domain::order::OrderKey;
use switchhook_domain::replay::{Candidate, PastDelivery, Replay};

pub(super) async fn select(
    _connection: &mut PgConnection,
    replay: &Replay,
    scan: Scan,
) -> Result<Selection, StoreError> {
    unimplemented!()
}
