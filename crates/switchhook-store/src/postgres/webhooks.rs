//! Webhooks: where we send.

use sqlx::Row;
use sqlx::postgres::PgConnection;
use switchhook_domain::Timestamp;
use switchhook_domain::id::{CompanyId, ReplayId, WebhookId};
use switchhook_domain::notification::{News, Notice, WebhookOf};
use switchhook_domain::subscription::Endpoint;
use switchhook_domain::webhook::{Webhook, WebhookChange};

use super::list::{Listing, all, first};
use super::transaction::Transaction;
use super::{notices, subscriptions, suspensions};
use crate::error::StoreError;
use crate::page::{Page, PageRequest};
use crate::row::secret;
use crate::row::webhook::{self, kept, read, webhook_columns};
use crate::sealing::Sealing;

pub(super) async fn create(
    transaction: &mut Transaction<'_>,
    webhook: &Webhook,
    sealing: &Sealing,
) -> Result<Webhook, StoreError> {
    refuse_second(transaction.connection, webhook, sealing).await?;
    insert(transaction.connection, webhook, None, sealing).await?;
    transaction.registry_changed(webhook.company_id).await?;
    Ok(webhook.clone())
}

/// Keeps a webhook that exists for a replay only. Whoever creates the replay tells the nodes.
pub(super) async fn create_for_replay(
    transaction: &mut Transaction<'_>,
    webhook: &Webhook,
    replay_id: ReplayId,
    sealing: &Sealing,
) -> Result<(), StoreError> {
    insert(transaction.connection, webhook, Some(replay_id), sealing).await
}

async fn insert(
    connection: &mut PgConnection,
    webhook: &Webhook,
    replay_id: Option<ReplayId>,
    sealing: &Sealing,
) -> Result<(), StoreError> {
    let sql = concat!(
        "INSERT INTO webhooks (",
        webhook_columns!(),
        ", replay_id, url_key) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
    );
    let kept = kept(webhook, sealing)?;
    sqlx::query(sql)
        .bind(webhook.id.0)
        .bind(webhook.company_id.0)
        .bind(kept.hook_url)
        .bind(secret::kept(webhook.id, webhook.secret.as_ref(), sealing))
        .bind(secret::kept_old(webhook.id, &webhook.old_secrets, sealing)?)
        .bind(kept.settings)
        .bind(kept.credentials)
        .bind(webhook.paused_at.map(Timestamp::as_millis))
        .bind(webhook.disabled_at.map(Timestamp::as_millis))
        .bind(webhook.created_at.as_millis())
        .bind(webhook.updated_at.as_millis())
        .bind(replay_id.map(|id| id.0))
        .bind(kept.url_key)
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn update(
    transaction: &mut Transaction<'_>,
    company_id: CompanyId,
    id: WebhookId,
    change: &WebhookChange,
    now: Timestamp,
    sealing: &Sealing,
) -> Result<Webhook, StoreError> {
    let connection = &mut *transaction.connection;
    let before = find(connection, company_id, id, sealing).await?;
    let (paused_before, was_disabled) = (before.paused_at, before.disabled_at.is_some());
    let url_before = before.hook_url.clone();
    let webhook = before.changed(change.clone(), now);
    // Two that were made before spellings counted can still be changed otherwise.
    if webhook.hook_url != url_before {
        refuse_second(connection, &webhook, sealing).await?;
    }
    let kept = kept(&webhook, sealing)?;
    let sql = "UPDATE webhooks SET hook_url = $1, secret = $2, old_secrets = $3, settings = $4, credentials = $5, \
               paused_at = $6, disabled_at = $7, updated_at = $8, url_key = $9 WHERE id = $10";
    sqlx::query(sql)
        .bind(kept.hook_url)
        .bind(secret::kept(id, webhook.secret.as_ref(), sealing))
        .bind(secret::kept_old(id, &webhook.old_secrets, sealing)?)
        .bind(kept.settings)
        .bind(kept.credentials)
        .bind(webhook.paused_at.map(Timestamp::as_millis))
        .bind(webhook.disabled_at.map(Timestamp::as_millis))
        .bind(webhook.updated_at.as_millis())
        .bind(kept.url_key)
        .bind(id.0)
        .execute(&mut *connection)
        .await?;
    suspensions::pause_changed(connection, id, paused_before, webhook.paused_at, now).await?;
    transaction.registry_changed(company_id).await?;
    if webhook.disabled_at.is_some() && !was_disabled {
        let news = News::WebhookDisabled(WebhookOf::new(id, &webhook.hook_url));
        notices::add(transaction, &Notice::new(Some(company_id), now, news)).await?;
    }
    Ok(webhook)
}

pub(super) async fn delete(
    transaction: &mut Transaction<'_>,
    company_id: CompanyId,
    id: WebhookId,
    now: Timestamp,
    sealing: &Sealing,
) -> Result<Webhook, StoreError> {
    let connection = &mut *transaction.connection;
    let webhook = find(connection, company_id, id, sealing).await?;
    // Old deliveries need to tell where they went, but not how they were signed.
    let sql = "UPDATE webhooks SET deleted_at = $1, secret = NULL, old_secrets = NULL, credentials = NULL, \
               hook_url = $2, settings = $3 WHERE id = $4";
    let kept = kept(&webhook, sealing)?;
    sqlx::query(sql)
        .bind(now.as_millis())
        .bind(kept.hook_url)
        .bind(kept.settings)
        .bind(id.0)
        .execute(&mut *connection)
        .await?;
    subscriptions::orphan(connection, Endpoint::Webhook(id), now).await?;
    transaction.registry_changed(company_id).await?;
    Ok(webhook)
}

/// Whether the company has the webhook.
pub(super) async fn exists(
    connection: &mut PgConnection,
    company_id: CompanyId,
    id: WebhookId,
) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM webhooks WHERE id = $1 AND company_id = $2 AND deleted_at IS NULL AND replay_id IS NULL";
    let query = sqlx::query(sql).bind(id.0).bind(company_id.0);
    Ok(first(connection, query, |_| Ok(())).await?.is_some())
}

pub(super) async fn find(
    connection: &mut PgConnection,
    company_id: CompanyId,
    id: WebhookId,
    sealing: &Sealing,
) -> Result<Webhook, StoreError> {
    let sql = concat!(
        "SELECT ",
        webhook_columns!(),
        " FROM webhooks WHERE id = $1 AND company_id = $2 AND deleted_at IS NULL AND replay_id IS NULL"
    );
    let query = sqlx::query(sql).bind(id.0).bind(company_id.0);
    first(connection, query, |row| read(row, sealing))
        .await?
        .ok_or(StoreError::NotFound("webhook"))
}

pub(super) async fn list(
    connection: &mut PgConnection,
    company_id: CompanyId,
    page: PageRequest,
    sealing: &Sealing,
) -> Result<Page<Webhook>, StoreError> {
    let own = all_webhooks()
        .narrowed("company_id = ?", Some(company_id.0))
        .narrowed("coalesce(replay_id, 0) = ?", Some(0));
    own.oldest_first(page)
        .page(connection, |row| read(row, sealing), |webhook| webhook.id.0)
        .await
}

/// A node needs to know every webhook, also those of replays.
pub(super) async fn scan(
    connection: &mut PgConnection,
    page: PageRequest,
    sealing: &Sealing,
) -> Result<Page<Webhook>, StoreError> {
    all_webhooks()
        .oldest_first(page)
        .page(connection, |row| read(row, sealing), |webhook| webhook.id.0)
        .await
}

fn all_webhooks() -> Listing {
    Listing::new(concat!(
        "SELECT ",
        webhook_columns!(),
        " FROM webhooks WHERE deleted_at IS NULL"
    ))
}

/// The webhooks that exist for a replay only.
pub(super) async fn of_replays(
    connection: &mut PgConnection,
    company_id: CompanyId,
    sealing: &Sealing,
) -> Result<Vec<Webhook>, StoreError> {
    let sql = concat!(
        "SELECT ",
        webhook_columns!(),
        " FROM webhooks WHERE company_id = $1 AND replay_id IS NOT NULL AND deleted_at IS NULL ORDER BY id"
    );
    let query = sqlx::query(sql).bind(company_id.0);
    all(connection, query, |row| read(row, sealing)).await
}

/// Seals the credentials of webhooks that were kept before they had a column of their own. Answers how many.
pub(super) async fn seal_credentials(
    connection: &mut PgConnection,
    sealing: &Sealing,
) -> Result<u32, StoreError> {
    let query = sqlx::query(WITH_OPEN_CREDENTIALS);
    let mut count = 0;
    for webhook in all(connection, query, |row| read(row, sealing)).await? {
        let kept = kept(&webhook, sealing)?;
        if kept.credentials.is_some() {
            sqlx::query(SEAL_CREDENTIALS)
                .bind(kept.hook_url)
                .bind(kept.settings)
                .bind(kept.credentials)
                .bind(webhook.id.0)
                .execute(&mut *connection)
                .await?;
            count += 1;
        }
    }
    Ok(count)
}

const WITH_OPEN_CREDENTIALS: &str = concat!(
    "SELECT ",
    webhook_columns!(),
    " FROM webhooks WHERE credentials IS NULL AND (hook_url LIKE '%@%' OR settings LIKE '%\"headers\"%') \
     ORDER BY id FOR UPDATE"
);

/// Deleted ones need none.
const SEAL_CREDENTIALS: &str = "UPDATE webhooks SET hook_url = $1, settings = $2, \
     credentials = CASE WHEN deleted_at IS NULL THEN $3 END WHERE id = $4";

/// Under the registry's lock, so that no other node makes one at the same time.
async fn refuse_second(
    connection: &mut PgConnection,
    webhook: &Webhook,
    sealing: &Sealing,
) -> Result<(), StoreError> {
    let query = sqlx::query(WITH_URL_KEY)
        .bind(webhook.company_id.0)
        .bind(webhook::url_key(&webhook.hook_url))
        .bind(webhook.id.0);
    let others = all(connection, query, |row| read(row, sealing)).await?;
    webhook::refuse_second(webhook, &others)
}

const WITH_URL_KEY: &str = concat!(
    "SELECT ",
    webhook_columns!(),
    " FROM webhooks WHERE company_id = $1 AND url_key = $2 AND deleted_at IS NULL \
     AND replay_id IS NULL AND id <> $3"
);

/// Fills in how the addresses of webhooks are compared that were kept before that was.
pub(super) async fn fill_url_keys(connection: &mut PgConnection) -> Result<(), StoreError> {
    let select = sqlx::query("SELECT id, hook_url FROM webhooks WHERE url_key IS NULL");
    for row in select.fetch_all(&mut *connection).await? {
        let (id, hook_url): (i64, String) = (row.try_get(0)?, row.try_get(1)?);
        sqlx::query("UPDATE webhooks SET url_key = $1 WHERE id = $2")
            .bind(webhook::url_key(&hook_url))
            .bind(id)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}
