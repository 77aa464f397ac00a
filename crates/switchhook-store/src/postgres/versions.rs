//! Stub.

use super::transaction::Transaction;
use crate::error::StoreError;
use crate::page::{Page, PageRequest};
use crate::row::{Cells, Row};
use sqlx::postgres::PgConnection;
use switchhook_domain::Timestamp;
use switchhook_domain::id::{CompanyId, SubscriptionId};
use switchhook_domain::subscription::{Revision, Subscription, SubscriptionVersion, VersionChange};

pub(super) async fn changes(
    _connection: &mut PgConnection,
    company_id: Option<CompanyId>,
    page: PageRequest,
) -> Result<Page<SubscriptionVersion>, StoreError> {
    unimplemented!()
}

pub(super) async fn last_revision(_connection: &mut PgConnection) -> Result<Revision, StoreError> {
    unimplemented!()
}
