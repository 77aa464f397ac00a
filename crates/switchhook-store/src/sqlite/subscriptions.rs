//! Subscriptions: "send these events there".

use rusqlite::{Connection, ToSql, params};
use switchhook_domain::id::{CompanyId, SubscriptionId};
use switchhook_domain::subscription::{Endpoint, Subscription, SubscriptionChange, VersionChange};
use switchhook_domain::{Kind, Timestamp};
use switchhook_protocol::TargetType;

use super::list::{Listing, all, first};
use super::transaction::Transaction;
use super::{versions, webhooks, websockets};
use crate::error::StoreError;
use crate::page::{Page, PageRequest};
use crate::registry::{Subject, SubscriptionCounts, SubscriptionFilter, SubscriptionLimits};
use crate::row::subscription::{is_another_version, json, read, refuse_second, subscription_columns};

const COLUMNS: &str = subscription_columns!();

pub(super) fn create(
    transaction: &mut Transaction<'_>,
    subscription: &Subscription,
    limits: Option<SubscriptionLimits>,
) -> Result<Subscription, StoreError> {
    check(transaction, subscription)?;
    if let Some(limits) = limits {
        limits.allow(subscription, count(transaction.connection, subscription)?)?;
    }
    let filter = &subscription.filter;
    let sql = "INSERT INTO subscriptions (id, company_id, webhook_id, websocket_id, enabled, filter, scopes, created_at, \
               updated_at, kind, target_type, target_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    transaction.prepare(sql)?.execute(params![
        subscription.id.0,
        subscription.company_id.0,
        subscription.webhook_id().map(|id| id.0),
        subscription.websocket_id().map(|id| id.0),
        subscription.enabled,
        json(filter)?,
        subscription.scopes.to_string(),
        subscription.created_at.as_millis(),
        subscription.updated_at.as_millis(),
        filter.kind().route(),
        filter.target().map(|target| target.target_type.as_str()),
        filter.target().map(|target| target.target_id),
    ])?;
    let made_at = subscription.created_at;
    versions::keep(
        transaction,
        subscription.company_id,
        subscription.id,
        VersionChange::Created,
        made_at,
    )?;
    Ok(subscription.clone())
}

pub(super) fn update(
    transaction: &mut Transaction<'_>,
    subject: Subject,
    change: SubscriptionChange,
    now: Timestamp,
) -> Result<Subscription, StoreError> {
    let before = find(transaction.connection, subject)?;
    let subscription = before.clone().changed(change, now)?;
    check(transaction, &subscription)?;
    let filter = &subscription.filter;
    let sql = "UPDATE subscriptions SET webhook_id = ?, websocket_id = ?, enabled = ?, filter = ?, target_type = ?, \
               target_id = ?, updated_at = ? WHERE id = ?";
    transaction.prepare(sql)?.execute(params![
        subscription.webhook_id().map(|id| id.0),
        subscription.websocket_id().map(|id| id.0),
        subscription.enabled,
        json(filter)?,
        filter.target().map(|target| target.target_type.as_str()),
        filter.target().map(|target| target.target_id),
        subscription.updated_at.as_millis(),
        subscription.id.0,
    ])?;
    if is_another_version(&before, &subscription) {
        let (company_id, id) = (subject.company_id, subject.id);
        versions::keep(transaction, company_id, id, VersionChange::Updated, now)?;
    }
    Ok(subscription)
}

pub(super) fn delete(
    transaction: &mut Transaction<'_>,
    subject: Subject,
    now: Timestamp,
) -> Result<Subscription, StoreError> {
    let subscription = find(transaction.connection, subject)?;
    let sql = "UPDATE subscriptions SET deleted_at = ? WHERE id = ?";
    transaction
        .prepare(sql)?
        .execute(params![now.as_millis(), subject.id.0])?;
    let (company_id, id) = (subject.company_id, subject.id);
    versions::keep(transaction, company_id, id, VersionChange::Deleted, now)?;
    Ok(subscription)
}

pub(super) fn find(connection: &Connection, subject: Subject) -> Result<Subscription, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM subscriptions WHERE id = ? AND company_id = ? AND kind = ? AND deleted_at IS NULL"
    );
    let values: [&dyn ToSql; 3] = [&subject.id.0, &subject.company_id.0, &subject.kind.route()];
    first(connection, &sql, &values, read)?.ok_or(StoreError::NotFound("subscription"))
}

/// Takes a webhook or websocket that is gone away from its subscriptions, which stay.
pub(super) fn orphan(
    transaction: &Transaction<'_>,
    company_id: CompanyId,
    endpoint: Endpoint,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (of_endpoint, id, change) = match endpoint {
        Endpoint::Webhook(id) => (OF_WEBHOOK, id.0, VersionChange::WebhookDeleted),
        Endpoint::Websocket(id) => (OF_WEBSOCKET, id.0, VersionChange::WebsocketDeleted),
    };
    let ids = all(transaction.connection, of_endpoint, &[&id], |row| {
        Ok(SubscriptionId(row.get(0)?))
    })?;
    let sql = "UPDATE subscriptions SET webhook_id = NULL, websocket_id = NULL, updated_at = ? WHERE id = ?";
    for id in ids {
        transaction
            .prepare(sql)?
            .execute(params![now.as_millis(), id.0])?;
        versions::keep(transaction, company_id, id, change, now)?;
    }
    Ok(())
}

pub(super) const OF_WEBHOOK: &str = "SELECT id FROM subscriptions INDEXED BY subscriptions_by_webhook \
     WHERE webhook_id = ? AND deleted_at IS NULL";

pub(super) const OF_WEBSOCKET: &str = "SELECT id FROM subscriptions INDEXED BY subscriptions_by_websocket \
     WHERE websocket_id = ? AND deleted_at IS NULL";

pub(super) fn list(
    connection: &Connection,
    company_id: CompanyId,
    filter: SubscriptionFilter,
    page: PageRequest,
) -> Result<Page<Subscription>, StoreError> {
    listing(Some(company_id), filter)
        .oldest_first(page)
        .page(connection, read, |subscription| subscription.id.0)
}

pub(super) fn scan(connection: &Connection, page: PageRequest) -> Result<Page<Subscription>, StoreError> {
    let all = listing(None, SubscriptionFilter::default());
    all.oldest_first(page)
        .page(connection, read, |subscription| subscription.id.0)
}

pub(super) fn listing(company_id: Option<CompanyId>, filter: SubscriptionFilter) -> Listing {
    let all = Listing::new(COLUMNS, "FROM subscriptions WHERE deleted_at IS NULL");
    // An endpoint has few subscriptions, a company many.
    let walk = match filter.endpoint {
        Some(endpoint) => all
            .along("webhook_id = ?", endpoint.webhook_id().map(|id| id.0))
            .along("websocket_id = ?", endpoint.websocket_id().map(|id| id.0))
            .owned_by(company_id),
        None => all.along("company_id = ?", company_id.map(|id| id.0)),
    };
    walk.narrowed("kind = ?", filter.kind.map(Kind::route))
        .narrowed("target_type = ?", filter.target_type.map(TargetType::as_str))
        .narrowed("target_id = ?", filter.target_id)
}

/// Whether it can stand beside the others.
fn check(transaction: &Transaction<'_>, subscription: &Subscription) -> Result<(), StoreError> {
    let Some(endpoint) = subscription.endpoint else {
        return Ok(());
    };
    let (connection, company_id) = (transaction.connection, subscription.company_id);
    let (is_there, what, sql, endpoint_id) = match endpoint {
        Endpoint::Webhook(id) => (
            webhooks::exists(connection, company_id, id)?,
            "webhook",
            SAME_WEBHOOK_AND_FILTER,
            id.0,
        ),
        Endpoint::Websocket(id) => (
            websockets::exists(connection, company_id, id)?,
            "websocket",
            SAME_WEBSOCKET_AND_FILTER,
            id.0,
        ),
    };
    if !is_there {
        return Err(StoreError::NotFound(what));
    }
    let filter = json(&subscription.filter)?;
    let values: [&dyn ToSql; 4] = [&company_id.0, &endpoint_id, &filter, &subscription.id.0];
    let other = first(connection, sql, &values, |row| row.get::<i64>(0))?;
    refuse_second(other, endpoint)
}

const SAME_WEBHOOK_AND_FILTER: &str = "SELECT id FROM subscriptions WHERE company_id = ? AND webhook_id = ? \
     AND filter = ? AND deleted_at IS NULL AND id <> ?";

const SAME_WEBSOCKET_AND_FILTER: &str = "SELECT id FROM subscriptions WHERE company_id = ? AND websocket_id = ? \
     AND filter = ? AND deleted_at IS NULL AND id <> ?";

fn count(connection: &Connection, new: &Subscription) -> Result<SubscriptionCounts, StoreError> {
    let sql = "SELECT count(*), count(*) FILTER (WHERE target_id IS NULL) FROM subscriptions \
               WHERE company_id = ? AND deleted_at IS NULL AND kind = ?";
    let kind = new.filter.kind().route();
    let counts = first(connection, sql, &[&new.company_id.0, &kind], |row| {
        Ok(SubscriptionCounts {
            all: row.get(0)?,
            without_target: row.get(1)?,
        })
    })?;
    Ok(counts.unwrap_or_default())
}
