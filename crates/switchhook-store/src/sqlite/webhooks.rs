//! Webhooks: where we send.

use rusqlite::{Connection, params};
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

const COLUMNS: &str = webhook_columns!();

pub(super) fn create(
    transaction: &mut Transaction<'_>,
    webhook: &Webhook,
    sealing: &Sealing,
) -> Result<Webhook, StoreError> {
    refuse_second(transaction, webhook, sealing)?;
    insert(transaction, webhook, None, sealing)
}

/// Keeps a webhook that exists for a replay only.
pub(super) fn create_for_replay(
    transaction: &mut Transaction<'_>,
    webhook: &Webhook,
    replay_id: ReplayId,
    sealing: &Sealing,
) -> Result<Webhook, StoreError> {
    insert(transaction, webhook, Some(replay_id), sealing)
}

fn insert(
    transaction: &Transaction<'_>,
    webhook: &Webhook,
    replay_id: Option<ReplayId>,
    sealing: &Sealing,
) -> Result<Webhook, StoreError> {
    let sql = format!(
        "INSERT INTO webhooks ({COLUMNS}, replay_id, url_key) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    );
    let kept = kept(webhook, sealing)?;
    transaction.prepare(&sql)?.execute(params![
        webhook.id.0,
        webhook.company_id.0,
        kept.hook_url,
        secret::kept(webhook.id, webhook.secret.as_ref(), sealing),
        secret::kept_old(webhook.id, &webhook.old_secrets, sealing)?,
        kept.settings,
        kept.credentials,
        webhook.paused_at.map(Timestamp::as_millis),
        webhook.disabled_at.map(Timestamp::as_millis),
        webhook.created_at.as_millis(),
        webhook.updated_at.as_millis(),
        replay_id.map(|id| id.0),
        kept.url_key,
    ])?;
    Ok(webhook.clone())
}

pub(super) fn update(
    transaction: &mut Transaction<'_>,
    company_id: CompanyId,
    id: WebhookId,
    change: &WebhookChange,
    now: Timestamp,
    sealing: &Sealing,
) -> Result<Webhook, StoreError> {
    let before = find(transaction.connection, company_id, id, sealing)?;
    let (paused_before, was_disabled) = (before.paused_at, before.disabled_at.is_some());
    let url_before = before.hook_url.clone();
    let webhook = before.changed(change.clone(), now);
    // Two that were made before spellings counted can still be changed otherwise.
    if webhook.hook_url != url_before {
        refuse_second(transaction, &webhook, sealing)?;
    }
    let kept = kept(&webhook, sealing)?;
    let sql = "UPDATE webhooks SET hook_url = ?, url_key = ?, secret = ?, old_secrets = ?, settings = ?, \
               credentials = ?, paused_at = ?, disabled_at = ?, updated_at = ? WHERE id = ?";
    transaction.prepare(sql)?.execute(params![
        kept.hook_url,
        kept.url_key,
        secret::kept(id, webhook.secret.as_ref(), sealing),
        secret::kept_old(webhook.id, &webhook.old_secrets, sealing)?,
        kept.settings,
        kept.credentials,
        webhook.paused_at.map(Timestamp::as_millis),
        webhook.disabled_at.map(Timestamp::as_millis),
        webhook.updated_at.as_millis(),
        webhook.id.0,
    ])?;
    suspensions::pause_changed(transaction, id, paused_before, webhook.paused_at, now)?;
    if webhook.disabled_at.is_some() && !was_disabled {
        let news = News::WebhookDisabled(WebhookOf::new(id, &webhook.hook_url));
        notices::add(transaction, &Notice::new(Some(company_id), now, news))?;
    }
    Ok(webhook)
}

pub(super) fn delete(
    transaction: &mut Transaction<'_>,
    company_id: CompanyId,
    id: WebhookId,
    now: Timestamp,
    sealing: &Sealing,
) -> Result<Webhook, StoreError> {
    let webhook = find(transaction.connection, company_id, id, sealing)?;
    // Old deliveries need to tell where they went, but not how they were signed.
    let sql = "UPDATE webhooks SET deleted_at = ?, secret = NULL, old_secrets = NULL, credentials = NULL, hook_url = ?, \
               settings = ? WHERE id = ?";
    let kept = kept(&webhook, sealing)?;
    transaction
        .prepare(sql)?
        .execute(params![now.as_millis(), kept.hook_url, kept.settings, id.0])?;
    subscriptions::orphan(transaction, company_id, Endpoint::Webhook(id), now)?;
    Ok(webhook)
}

/// Whether the company has the webhook.
pub(super) fn exists(
    connection: &Connection,
    company_id: CompanyId,
    id: WebhookId,
) -> Result<bool, StoreError> {
    let sql =
        "SELECT 1 FROM webhooks WHERE id = ? AND company_id = ? AND deleted_at IS NULL AND replay_id IS NULL";
    Ok(first(connection, sql, &[&id.0, &company_id.0], |_| Ok(()))?.is_some())
}

pub(super) fn find(
    connection: &Connection,
    company_id: CompanyId,
    id: WebhookId,
    sealing: &Sealing,
) -> Result<Webhook, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM webhooks WHERE id = ? AND company_id = ? AND deleted_at IS NULL AND replay_id IS NULL"
    );
    first(connection, &sql, &[&id.0, &company_id.0], |row| {
        read(row, sealing)
    })?
    .ok_or(StoreError::NotFound("webhook"))
}

pub(super) fn list(
    connection: &Connection,
    company_id: CompanyId,
    page: PageRequest,
    sealing: &Sealing,
) -> Result<Page<Webhook>, StoreError> {
    listing(Some(company_id)).oldest_first(page).page(
        connection,
        |row| read(row, sealing),
        |webhook| webhook.id.0,
    )
}

pub(super) fn scan(
    connection: &Connection,
    page: PageRequest,
    sealing: &Sealing,
) -> Result<Page<Webhook>, StoreError> {
    listing(None)
        .oldest_first(page)
        .page(connection, |row| read(row, sealing), |webhook| webhook.id.0)
}

pub(super) fn listing(company_id: Option<CompanyId>) -> Listing {
    let all = Listing::new(COLUMNS, "FROM webhooks WHERE deleted_at IS NULL");
    // A node needs to know every webhook, a company sees its own.
    let own = company_id.map(|_| 0);
    all.along("company_id = ?", company_id.map(|id| id.0))
        .along("ifnull(replay_id, 0) = ?", own)
}

/// The webhooks that exist for a replay only.
pub(super) fn of_replays(
    connection: &Connection,
    company_id: CompanyId,
    sealing: &Sealing,
) -> Result<Vec<Webhook>, StoreError> {
    all(connection, OF_REPLAYS, &[&company_id.0], |row| read(row, sealing))
}

pub(super) const OF_REPLAYS: &str = concat!(
    "SELECT ",
    webhook_columns!(),
    " FROM webhooks INDEXED BY webhooks_by_replay \
     WHERE company_id = ? AND replay_id IS NOT NULL AND deleted_at IS NULL"
);

/// Seals the credentials of webhooks that were kept before they had a column of their own. Answers how many.
pub(super) fn seal_credentials(transaction: &Transaction<'_>, sealing: &Sealing) -> Result<u32, StoreError> {
    let open = all(transaction.connection, WITH_OPEN_CREDENTIALS, &[], |row| {
        read(row, sealing)
    })?;
    let mut update = transaction.prepare(SEAL_CREDENTIALS)?;
    let mut count = 0;
    for webhook in open {
        let kept = kept(&webhook, sealing)?;
        if kept.credentials.is_some() {
            update.execute(params![
                kept.hook_url,
                kept.settings,
                kept.credentials,
                webhook.id.0
            ])?;
            count += 1;
        }
    }
    Ok(count)
}

const WITH_OPEN_CREDENTIALS: &str = concat!(
    "SELECT ",
    webhook_columns!(),
    " FROM webhooks WHERE credentials IS NULL AND (hook_url LIKE '%@%' OR settings LIKE '%\"headers\"%')"
);

/// Deleted ones need none.
const SEAL_CREDENTIALS: &str = "UPDATE webhooks SET hook_url = ?1, settings = ?2, \
     credentials = CASE WHEN deleted_at IS NULL THEN ?3 END WHERE id = ?4";

fn refuse_second(
    transaction: &Transaction<'_>,
    webhook: &Webhook,
    sealing: &Sealing,
) -> Result<(), StoreError> {
    let key = webhook::url_key(&webhook.hook_url);
    let values: [&dyn rusqlite::ToSql; 3] = [&webhook.company_id.0, &key, &webhook.id.0];
    let others = all(transaction.connection, WITH_URL_KEY, &values, |row| {
        read(row, sealing)
    })?;
    webhook::refuse_second(webhook, &others)
}

pub(super) const WITH_URL_KEY: &str = concat!(
    "SELECT ",
    webhook_columns!(),
    " FROM webhooks INDEXED BY webhooks_by_url_key \
     WHERE company_id = ? AND url_key = ? AND deleted_at IS NULL AND replay_id IS NULL AND id <> ?"
);

/// Fills in how the addresses of webhooks are compared that were kept before that was.
pub(super) fn fill_url_keys(connection: &Connection) -> Result<(), StoreError> {
    let mut select = connection.prepare("SELECT id, hook_url FROM webhooks WHERE url_key IS NULL")?;
    let mut update = connection.prepare("UPDATE webhooks SET url_key = ? WHERE id = ?")?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let rows: Vec<(i64, String)> = rows.collect::<Result<_, _>>()?;
    for (id, hook_url) in rows {
        update.execute(params![webhook::url_key(&hook_url), id])?;
    }
    Ok(())
}
