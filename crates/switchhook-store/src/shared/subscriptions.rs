//! Subscriptions: "send these events there". What they promise is in [`SubscriptionStore`](super::SubscriptionStore).

use switchhook_domain::filter::PayloadFilter;
use switchhook_domain::id::CompanyId;
use switchhook_domain::subscription::{Endpoint, Subscription, SubscriptionChange, VersionChange};
use switchhook_domain::{Kind, Timestamp};
use switchhook_protocol::TargetType;

use super::{versions, webhooks, websockets};
use crate::error::StoreError;
use crate::registry::{SubscriptionCounts, SubscriptionFilter, SubscriptionLimits, SubscriptionRef};
use crate::row::subscription::{is_another_version, json, read, refuse_second, subscription_columns};
use crate::sql::{Listing, Sql, SqlTransaction, all, first, values};

pub(super) async fn create(
    sql: &mut dyn SqlTransaction,
    subscription: &Subscription,
    limits: Option<SubscriptionLimits>,
) -> Result<Subscription, StoreError> {
    check(sql, subscription).await?;
    if let Some(limits) = limits {
        limits.allow(subscription, count(sql, subscription).await?)?;
    }
    let insert = concat!(
        "INSERT INTO subscriptions (",
        subscription_columns!(),
        ", kind, target_type, target_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    );
    let filter = &subscription.filter;
    let values = values![
        subscription.id.0,
        subscription.company_id.0,
        subscription.webhook_id().map(|id| id.0),
        subscription.websocket_id().map(|id| id.0),
        subscription.enabled,
        json(filter)?,
        payload_filter(subscription),
        subscription.scopes.to_string(),
        subscription.created_at,
        subscription.updated_at,
        filter.kind().route(),
        filter.target().map(|target| target.target_type.as_str()),
        filter.target().map(|target| target.target_id),
    ];
    sql.execute(insert, values).await?;
    let (id, made_at) = (subscription.id, subscription.created_at);
    versions::keep(sql, &[id.0], VersionChange::Created, made_at).await?;
    sql.registry_changed(subscription.company_id).await?;
    Ok(subscription.clone())
}

pub(super) async fn update(
    sql: &mut dyn SqlTransaction,
    subject: SubscriptionRef,
    change: &SubscriptionChange,
    now: Timestamp,
) -> Result<Subscription, StoreError> {
    let before = find(sql, subject).await?;
    let subscription = before.clone().changed(change.clone(), now)?;
    check(sql, &subscription).await?;
    let update = "UPDATE subscriptions SET webhook_id = ?, websocket_id = ?, enabled = ?, filter = ?, payload_filter = ?, \
                  target_type = ?, target_id = ?, updated_at = ? WHERE id = ?";
    let filter = &subscription.filter;
    let values = values![
        subscription.webhook_id().map(|id| id.0),
        subscription.websocket_id().map(|id| id.0),
        subscription.enabled,
        json(filter)?,
        payload_filter(&subscription),
        filter.target().map(|target| target.target_type.as_str()),
        filter.target().map(|target| target.target_id),
        subscription.updated_at,
        subject.id.0,
    ];
    sql.execute(update, values).await?;
    if is_another_version(&before, &subscription) {
        versions::keep(sql, &[subject.id.0], VersionChange::Updated, now).await?;
    }
    sql.registry_changed(subject.company_id).await?;
    Ok(subscription)
}

pub(super) async fn delete(
    sql: &mut dyn SqlTransaction,
    subject: SubscriptionRef,
    now: Timestamp,
) -> Result<Subscription, StoreError> {
    let subscription = find(sql, subject).await?;
    let update = "UPDATE subscriptions SET deleted_at = ? WHERE id = ?";
    sql.execute(update, values![now, subject.id.0]).await?;
    versions::keep(sql, &[subject.id.0], VersionChange::Deleted, now).await?;
    sql.registry_changed(subject.company_id).await?;
    Ok(subscription)
}

pub(super) async fn find(sql: &mut dyn Sql, subject: SubscriptionRef) -> Result<Subscription, StoreError> {
    let select = concat!(
        "SELECT ",
        subscription_columns!(),
        " FROM subscriptions WHERE id = ? AND company_id = ? AND kind = ? AND deleted_at IS NULL"
    );
    let values = values![subject.id.0, subject.company_id.0, subject.kind.route()];
    first(sql, select, values, read)
        .await?
        .ok_or(StoreError::NotFound("subscription"))
}

/// Takes a webhook or websocket that is gone away from its subscriptions, which stay.
pub(super) async fn orphan(
    sql: &mut dyn SqlTransaction,
    endpoint: Endpoint,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (update, id, change) = match endpoint {
        Endpoint::Webhook(id) => (ORPHAN_OF_WEBHOOK, id.0, VersionChange::WebhookDeleted),
        Endpoint::Websocket(id) => (ORPHAN_OF_WEBSOCKET, id.0, VersionChange::WebsocketDeleted),
    };
    let ids: Vec<i64> = all(sql, update, values![now, id], |row| row.get(0)).await?;
    versions::keep(sql, &ids, change, now).await
}

pub(crate) const ORPHAN_OF_WEBHOOK: &str = "UPDATE subscriptions INDEXED BY subscriptions_by_webhook \
     SET webhook_id = NULL, updated_at = ? WHERE webhook_id = ? AND deleted_at IS NULL RETURNING id";

pub(crate) const ORPHAN_OF_WEBSOCKET: &str = "UPDATE subscriptions INDEXED BY subscriptions_by_websocket \
     SET websocket_id = NULL, updated_at = ? WHERE websocket_id = ? AND deleted_at IS NULL RETURNING id";

pub(crate) fn listing(company_id: Option<CompanyId>, filter: SubscriptionFilter) -> Listing {
    let (all, of_websocket) = (
        "FROM subscriptions WHERE deleted_at IS NULL",
        "FROM subscriptions WHERE deleted_at IS NULL AND websocket_id IS NOT NULL",
    );
    // An endpoint has few subscriptions, a company many.
    let walk = match filter.endpoint {
        Some(Endpoint::Webhook(id)) => {
            Listing::new(subscription_columns!(), all).along("webhook_id", Some(id.0))
        }
        Some(Endpoint::Websocket(id)) => {
            Listing::new(subscription_columns!(), of_websocket).along("websocket_id", Some(id.0))
        }
        None => Listing::new(subscription_columns!(), all).along("company_id", company_id.map(|id| id.0)),
    };
    walk.owned_by(company_id)
        .narrowed("kind", filter.kind.map(Kind::route))
        .narrowed("target_type", filter.target_type.map(TargetType::as_str))
        .narrowed("target_id", filter.target_id)
}

/// Checks it against the others. Nobody else makes one at the same time, because the registry is locked.
async fn check(sql: &mut dyn Sql, subscription: &Subscription) -> Result<(), StoreError> {
    let Some(endpoint) = subscription.endpoint else {
        return Ok(());
    };
    let company_id = subscription.company_id;
    let (is_there, what, same, endpoint_id) = match endpoint {
        Endpoint::Webhook(id) => {
            let is_there = webhooks::exists(sql, company_id, id).await?;
            (is_there, "webhook", SAME_WEBHOOK_AND_FILTER, id.0)
        }
        Endpoint::Websocket(id) => {
            let is_there = websockets::exists(sql, company_id, id).await?;
            (is_there, "websocket", SAME_WEBSOCKET_AND_FILTER, id.0)
        }
    };
    if !is_there {
        return Err(StoreError::NotFound(what));
    }
    let filter = json(&subscription.filter)?;
    let values = values![
        company_id.0,
        endpoint_id,
        filter,
        payload_filter(subscription).unwrap_or_default(),
        subscription.id.0,
    ];
    let other = first(sql, same, values, |row| row.get::<i64>(0)).await?;
    refuse_second(other, endpoint)
}

const SAME_WEBHOOK_AND_FILTER: &str = "SELECT id FROM subscriptions WHERE company_id = ? AND webhook_id = ? \
     AND filter = ? AND coalesce(payload_filter, '') = ? AND deleted_at IS NULL AND id <> ?";

const SAME_WEBSOCKET_AND_FILTER: &str = "SELECT id FROM subscriptions WHERE company_id = ? AND websocket_id = ? \
     AND filter = ? AND coalesce(payload_filter, '') = ? AND deleted_at IS NULL AND id <> ?";

/// A filter on the payload as text: equal ones have equal text.
fn payload_filter(subscription: &Subscription) -> Option<&str> {
    let filter = subscription.payload_filter.as_ref();
    filter.map(PayloadFilter::as_json)
}

async fn count(sql: &mut dyn Sql, new: &Subscription) -> Result<SubscriptionCounts, StoreError> {
    let select = "SELECT count(*), count(*) FILTER (WHERE target_id IS NULL) FROM subscriptions \
                  WHERE company_id = ? AND deleted_at IS NULL AND kind = ?";
    let values = values![new.company_id.0, new.filter.kind().route()];
    let counts = first(sql, select, values, |row| {
        Ok(SubscriptionCounts {
            all: row.get(0)?,
            without_target: row.get(1)?,
        })
    });
    Ok(counts.await?.unwrap_or_default())
}
