//! Stub.

use super::transaction::Transaction;
use crate::error::StoreError;
use crate::explain::Explained;
use crate::page::PageRequest;
use sqlx::postgres::PgConnection;
use switchhook_domain::id::{CompanyId, EventId, SubscriptionId};

pub(super) async fn explain(
    _connection: &mut PgConnection,
    company_id: CompanyId,
    event_id: EventId,
    only: Option<SubscriptionId>,
    page: PageRequest,
) -> Result<Explained, StoreError> {
    unimplemented!()
}
