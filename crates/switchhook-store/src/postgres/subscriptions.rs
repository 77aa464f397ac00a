//! Subscriptions: "send these events there".

use sqlx::Row as _;
use sqlx::postgres::PgConnection;
use switchhook_domain::id::{CompanyId, SubscriptionId};
use switchhook_domain::subscription::{Endpoint, Subscription, SubscriptionChange, VersionChange};
use switchhook_domain::{Kind, Timestamp};
use switchhook_protocol::TargetType;

use super::list::{Listing, first};
use super::transaction::Transaction;
use super::{versions, webhooks, websockets};
use crate::error::StoreError;
use crate::page::{Page, PageRequest};
use crate::registry::{Subject, SubscriptionCounts, SubscriptionFilter, SubscriptionLimits};
use crate::row::subscription::{is_another_version, json, read, refuse_second, subscription_columns};

pub(super) async fn create(
    transaction: &mut Transaction<'_>,
    subscription: &Subscription,
    limits: Option<SubscriptionLimits>,
) -> Result<Subscription, StoreError> {
    let connection = &mut *transaction.connection;
    check(connection, subscription).await?;
    if let Some(limits) = limits {
        limits.allow(subscription, count(connection, subscription).await?)?;
    }
    let sql = concat!(
        "INSERT INTO subscriptions (",
        subscription_columns!(),
        ", kind, target_type, target_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
    );
    let filter = &subscription.filter;
    sqlx::query(sql)
        .bind(subscription.id.0)
        .bind(subscription.company_id.0)
        .bind(subscription.webhook_id().map(|id| id.0))
        .bind(subscription.websocket_id().map(|id| id.0))
        .bind(i64::from(subscription.enabled))
        .bind(json(filter)?)
        .bind(subscription.scopes.to_string())
        .bind(subscription.created_at.as_millis())
        .bind(subscription.updated_at.as_millis())
        .bind(filter.kind().route())
        .bind(filter.target().map(|target| target.target_type.as_str()))
        .bind(filter.target().map(|target| target.target_id))
        .execute(&mut *connection)
        .await?;
    let (company_id, made_at) = (subscription.company_id, subscription.created_at);
    versions::keep(connection, &[subscription.id], VersionChange::Created, made_at).await?;
    transaction.registry_changed(company_id).await?;
    Ok(subscription.clone())
}

pub(super) async fn update(
    transaction: &mut Transaction<'_>,
    subject: Subject,
    change: SubscriptionChange,
    now: Timestamp,
) -> Result<Subscription, StoreError> {
    let connection = &mut *transaction.connection;
    let before = find(connection, subject).await?;
    let subscription = before.clone().changed(change, now)?;
    check(connection, &subscription).await?;
    let sql = "UPDATE subscriptions SET webhook_id = $1, websocket_id = $2, enabled = $3, filter = $4, \
               target_type = $5, target_id = $6, updated_at = $7 WHERE id = $8";
    let filter = &subscription.filter;
    sqlx::query(sql)
        .bind(subscription.webhook_id().map(|id| id.0))
        .bind(subscription.websocket_id().map(|id| id.0))
        .bind(i64::from(subscription.enabled))
        .bind(json(filter)?)
        .bind(filter.target().map(|target| target.target_type.as_str()))
        .bind(filter.target().map(|target| target.target_id))
        .bind(subscription.updated_at.as_millis())
        .bind(subject.id.0)
        .execute(&mut *connection)
        .await?;
    if is_another_version(&before, &subscription) {
        versions::keep(connection, &[subject.id], VersionChange::Updated, now).await?;
    }
    transaction.registry_changed(subject.company_id).await?;
    Ok(subscription)
}

pub(super) async fn delete(
    transaction: &mut Transaction<'_>,
    subject: Subject,
    now: Timestamp,
) -> Result<Subscription, StoreError> {
    let connection = &mut *transaction.connection;
    let subscription = find(connection, subject).await?;
    sqlx::query("UPDATE subscriptions SET deleted_at = $1 WHERE id = $2")
        .bind(now.as_millis())
        .bind(subject.id.0)
        .execute(&mut *connection)
        .await?;
    versions::keep(connection, &[subject.id], VersionChange::Deleted, now).await?;
    transaction.registry_changed(subject.company_id).await?;
    Ok(subscription)
}

pub(super) async fn find(
    connection: &mut PgConnection,
    subject: Subject,
) -> Result<Subscription, StoreError> {
    let sql = concat!(
        "SELECT ",
        subscription_columns!(),
        " FROM subscriptions WHERE id = $1 AND company_id = $2 AND kind = $3 AND deleted_at IS NULL"
    );
    let query = sqlx::query(sql)
        .bind(subject.id.0)
        .bind(subject.company_id.0)
        .bind(subject.kind.route());
    first(connection, query, read)
        .await?
        .ok_or(StoreError::NotFound("subscription"))
}

/// Takes a webhook or websocket that is gone away from its subscriptions, which stay.
pub(super) async fn orphan(
    connection: &mut PgConnection,
    endpoint: Endpoint,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (sql, id, change) = match endpoint {
        Endpoint::Webhook(id) => (ORPHAN_OF_WEBHOOK, id.0, VersionChange::WebhookDeleted),
        Endpoint::Websocket(id) => (ORPHAN_OF_WEBSOCKET, id.0, VersionChange::WebsocketDeleted),
    };
    let rows = sqlx::query(sql)
        .bind(now.as_millis())
        .bind(id)
        .fetch_all(&mut *connection)
        .await?;
    let ids = rows.iter().map(|row| Ok(SubscriptionId(row.try_get(0)?)));
    let ids = ids.collect::<Result<Vec<_>, sqlx::Error>>()?;
    versions::keep(connection, &ids, change, now).await
}

const ORPHAN_OF_WEBHOOK: &str = "UPDATE subscriptions SET webhook_id = NULL, updated_at = $1 \
     WHERE webhook_id = $2 AND deleted_at IS NULL RETURNING id";

const ORPHAN_OF_WEBSOCKET: &str = "UPDATE subscriptions SET websocket_id = NULL, updated_at = $1 \
     WHERE websocket_id = $2 AND deleted_at IS NULL RETURNING id";

pub(super) async fn list(
    connection: &mut PgConnection,
    company_id: CompanyId,
    filter: SubscriptionFilter,
    page: PageRequest,
) -> Result<Page<Subscription>, StoreError> {
    // An endpoint has few subscriptions, a company many.
    let (path, endpoint) = match filter.endpoint {
        Some(Endpoint::Webhook(id)) => (Vec::new(), Some(("webhook_id = ?", id.0))),
        Some(Endpoint::Websocket(id)) => (Vec::new(), Some(("websocket_id = ?", id.0))),
        None => (vec![("company_id", company_id.0.into())], None),
    };
    let of = "FROM subscriptions WHERE deleted_at IS NULL".to_owned();
    let listing = Listing::along(subscription_columns!(), of, company_id, path)
        .with_equal("company_id", Some(company_id.0))
        .with_equal("kind", filter.kind.map(Kind::route))
        .with_equal("target_type", filter.target_type.map(TargetType::as_str))
        .with_equal("target_id", filter.target_id);
    let listing = match endpoint {
        Some((condition, id)) => listing.narrowed(condition, Some(id)),
        None => listing,
    };
    listing
        .oldest_first_of(page)
        .page(connection, read, |subscription| subscription.id.0)
        .await
}

pub(super) async fn scan(
    connection: &mut PgConnection,
    page: PageRequest,
) -> Result<Page<Subscription>, StoreError> {
    let sql = concat!(
        "SELECT ",
        subscription_columns!(),
        " FROM subscriptions WHERE deleted_at IS NULL"
    );
    Listing::new(sql)
        .oldest_first(page)
        .page(connection, read, |subscription| subscription.id.0)
        .await
}

/// Whether it can stand beside the others. Under the registry's lock, so that no other node makes one at the same time.
async fn check(connection: &mut PgConnection, subscription: &Subscription) -> Result<(), StoreError> {
    let Some(endpoint) = subscription.endpoint else {
        return Ok(());
    };
    let company_id = subscription.company_id;
    let (is_there, what, sql, endpoint_id) = match endpoint {
        Endpoint::Webhook(id) => (
            webhooks::exists(connection, company_id, id).await?,
            "webhook",
            SAME_WEBHOOK_AND_FILTER,
            id.0,
        ),
        Endpoint::Websocket(id) => (
            websockets::exists(connection, company_id, id).await?,
            "websocket",
            SAME_WEBSOCKET_AND_FILTER,
            id.0,
        ),
    };
    if !is_there {
        return Err(StoreError::NotFound(what));
    }
    let query = sqlx::query(sql)
        .bind(company_id.0)
        .bind(endpoint_id)
        .bind(json(&subscription.filter)?)
        .bind(subscription.id.0);
    let other = first(connection, query, |row| row.get::<i64>(0)).await?;
    refuse_second(other, endpoint)
}

const SAME_WEBHOOK_AND_FILTER: &str = "SELECT id FROM subscriptions WHERE company_id = $1 AND webhook_id = $2 \
     AND filter = $3 AND deleted_at IS NULL AND id <> $4";

const SAME_WEBSOCKET_AND_FILTER: &str = "SELECT id FROM subscriptions WHERE company_id = $1 AND websocket_id = $2 \
     AND filter = $3 AND deleted_at IS NULL AND id <> $4";

async fn count(connection: &mut PgConnection, new: &Subscription) -> Result<SubscriptionCounts, StoreError> {
    let sql = "SELECT count(*), count(*) FILTER (WHERE target_id IS NULL) FROM subscriptions \
               WHERE company_id = $1 AND deleted_at IS NULL AND kind = $2";
    let query = sqlx::query(sql)
        .bind(new.company_id.0)
        .bind(new.filter.kind().route());
    let counts = first(connection, query, |row| {
        Ok(SubscriptionCounts {
            all: row.get(0)?,
            without_target: row.get(1)?,
        })
    });
    Ok(counts.await?.unwrap_or_default())
}
