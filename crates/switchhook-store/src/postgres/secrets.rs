//! Stub.

use super::transaction::Transaction;
use crate::error::StoreError;
use crate::row::{Cells, Row};
use crate::sealing::{Resealed, Sealing, SecretOwner};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgConnection;
use switchhook_domain::Timestamp;
use switchhook_domain::id::{SourceId, WebhookId, WebsocketId};
use switchhook_domain::secret::Secret;
use switchhook_domain::webhook::{OldSecret, Webhook};

pub(super) async fn forget_old(
    transaction: &mut Transaction<'_>,
    now: Timestamp,
) -> Result<usize, StoreError> {
    unimplemented!()
}

pub(super) async fn reseal(
    transaction: &mut Transaction<'_>,
    sealing: &Sealing,
    after: Option<WebhookId>,
    limit: u32,
) -> Result<Resealed, StoreError> {
    unimplemented!()
}
