//! Stub.

use super::transaction::Transaction;
use crate::error::StoreError;
use crate::page::{Page, PageRequest};
use crate::registry::{SubscriptionFilter, SubscriptionLimits};
use crate::row::{Cells, Row};
use sqlx::postgres::PgConnection;
use switchhook_domain::id::{CompanyId, SubscriptionId, WebhookId, WebsocketId};
use switchhook_domain::subscription::{Endpoint, Filter, Subscription, SubscriptionChange, VersionChange};
use switchhook_domain::{Kind, Timestamp};
use switchhook_protocol::TargetType;

/// Which subscription a caller means: of another company or kind there is none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject {
    pub(super) company_id: CompanyId,
    pub(super) kind: Kind,
    pub(super) id: SubscriptionId,
}

pub(super) async fn create(
    transaction: &mut Transaction<'_>,
    subscription: &Subscription,
    limits: Option<SubscriptionLimits>,
) -> Result<Subscription, StoreError> {
    unimplemented!()
}

pub(super) async fn delete(
    transaction: &mut Transaction<'_>,
    subject: Subject,
    now: Timestamp,
) -> Result<Subscription, StoreError> {
    unimplemented!()
}

pub(super) async fn find(
    _connection: &mut PgConnection,
    subject: Subject,
) -> Result<Subscription, StoreError> {
    unimplemented!()
}

pub(super) async fn list(
    _connection: &mut PgConnection,
    company_id: CompanyId,
    filter: SubscriptionFilter,
    page: PageRequest,
) -> Result<Page<Subscription>, StoreError> {
    unimplemented!()
}

pub(super) async fn scan(
    _connection: &mut PgConnection,
    page: PageRequest,
) -> Result<Page<Subscription>, StoreError> {
    unimplemented!()
}

pub(super) async fn update(
    transaction: &mut Transaction<'_>,
    subject: Subject,
    change: SubscriptionChange,
    now: Timestamp,
) -> Result<Subscription, StoreError> {
    unimplemented!()
}

pub(super) async fn orphan(
    _connection: &mut PgConnection,
    company_id: CompanyId,
    endpoint: Endpoint,
    now: Timestamp,
) -> Result<(), StoreError> {
    unimplemented!()
}
