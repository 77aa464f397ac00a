//! Webhooks: where we send.

use async_trait::async_trait;
use switchhook_domain::Timestamp;
use switchhook_domain::breaker::Breaker;
use switchhook_domain::id::{CompanyId, ReplayId, WebhookId};
use switchhook_domain::notification::{Notice, NotificationPayload, WebhookInfo};
use switchhook_domain::outage::Outage;
use switchhook_domain::subscription::Endpoint;
use switchhook_domain::webhook::{Webhook, WebhookChange};

use super::{notices, outages, secrets, subscriptions, suspensions};
use crate::error::StoreError;
use crate::outage::OutageWrite;
use crate::page::{Page, PageRequest};
use crate::registry::SuspensionRecord;
use crate::row::secret;
use crate::row::webhook::{self, kept, read, webhook_columns};
use crate::sealing::{Resealed, Sealing};
use crate::sql::{Driver, Listing, Sql, SqlTransaction, Tasks, all, first, values};

/// Webhooks, their secrets, and when they were suspended.
#[async_trait]
pub trait WebhookStore: Send + Sync {
    /// Keeps a webhook; `Conflict` if the company has one with the same `hook_url`.
    async fn create_webhook(&self, webhook: Webhook) -> Result<Webhook, StoreError>;
    /// One webhook of the company.
    async fn webhook(&self, company_id: CompanyId, id: WebhookId) -> Result<Webhook, StoreError>;
    /// The company's webhooks, oldest first.
    async fn list_webhooks(
        &self,
        company_id: CompanyId,
        page: PageRequest,
    ) -> Result<Page<Webhook>, StoreError>;
    /// Changes a webhook; `Conflict` as for creating one.
    async fn update_webhook(
        &self,
        company_id: CompanyId,
        id: WebhookId,
        change: WebhookChange,
        now: Timestamp,
    ) -> Result<Webhook, StoreError>;
    /// Deletes a webhook and answers what it was. Its subscriptions stay, without a webhook; its pending deliveries
    /// are cancelled afterwards, in slices, by [`Store::cancel_deliveries_of`](crate::Store::cancel_deliveries_of).
    async fn delete_webhook(
        &self,
        company_id: CompanyId,
        id: WebhookId,
        now: Timestamp,
    ) -> Result<Webhook, StoreError>;
    /// The webhooks of every company, by id: how a node fills its memory at start.
    async fn scan_webhooks(&self, page: PageRequest) -> Result<Page<Webhook>, StoreError>;
    /// Rewrites the secrets of up to `limit` webhooks after `after` that are not sealed with the key that is used now;
    /// with the last of them those of all websockets and sources.
    /// `Unusable` if there is no sealer, or a secret cannot be read.
    async fn reseal_secrets(&self, after: Option<WebhookId>, limit: u32) -> Result<Resealed, StoreError>;
    /// Forgets the replaced secrets that no longer count; answers how many webhooks and sources had such.
    async fn forget_old_secrets(&self, now: Timestamp) -> Result<usize, StoreError>;
    /// Suspensions of the company's webhooks (or of all) that last or ended after `since`; by webhook, oldest first.
    async fn list_suspensions(
        &self,
        company_id: Option<CompanyId>,
        since: Timestamp,
    ) -> Result<Vec<SuspensionRecord>, StoreError>;
    /// Writes down when webhooks' outages begin, go on and end, in this order and in one commit.
    async fn write_outages(&self, writes: Vec<OutageWrite>) -> Result<(), StoreError>;
    /// The outages that last of the company's webhooks, or of all, by webhook.
    async fn lasting_outages(
        &self,
        company_id: Option<CompanyId>,
    ) -> Result<Vec<(WebhookId, Outage)>, StoreError>;
    /// A webhook's outages, newest first; a thousand are kept.
    async fn outages_of(&self, webhook_id: WebhookId, most: u32) -> Result<Vec<Outage>, StoreError>;
    /// Keeps how a webhook's breaker is, so that it is known after a restart.
    async fn save_breaker(
        &self,
        webhook_id: WebhookId,
        breaker: Breaker,
        now: Timestamp,
    ) -> Result<(), StoreError>;
}

#[async_trait]
impl<D: Driver> WebhookStore for D {
    async fn create_webhook(&self, webhook: Webhook) -> Result<Webhook, StoreError> {
        self.register((webhook, self.sealing()), |sql, (webhook, sealing)| {
            Box::pin(create(sql, webhook, sealing))
        })
        .await
    }

    async fn webhook(&self, company_id: CompanyId, id: WebhookId) -> Result<Webhook, StoreError> {
        let given = (company_id, id, self.sealing());
        self.read(given, |sql, (company_id, id, sealing)| {
            Box::pin(find(sql, FIND, *company_id, *id, sealing))
        })
        .await
    }

    async fn list_webhooks(
        &self,
        company_id: CompanyId,
        page: PageRequest,
    ) -> Result<Page<Webhook>, StoreError> {
        let given = (company_id, page, self.sealing());
        self.read(given, |sql, (company_id, page, sealing)| {
            let listing = listing(Some(*company_id)).oldest_first(*page);
            Box::pin(listing.page(sql, |row| read(row, sealing), |webhook| webhook.id.0))
        })
        .await
    }

    async fn update_webhook(
        &self,
        company_id: CompanyId,
        id: WebhookId,
        change: WebhookChange,
        now: Timestamp,
    ) -> Result<Webhook, StoreError> {
        let given = (company_id, id, change, now, self.sealing());
        self.register(given, |sql, (company_id, id, change, now, sealing)| {
            Box::pin(update(sql, *company_id, *id, change, *now, sealing))
        })
        .await
    }

    async fn delete_webhook(
        &self,
        company_id: CompanyId,
        id: WebhookId,
        now: Timestamp,
    ) -> Result<Webhook, StoreError> {
        let given = (company_id, id, now, self.sealing());
        self.register(given, |sql, (company_id, id, now, sealing)| {
            Box::pin(delete(sql, *company_id, *id, *now, sealing))
        })
        .await
    }

    async fn scan_webhooks(&self, page: PageRequest) -> Result<Page<Webhook>, StoreError> {
        self.read((page, self.sealing()), |sql, (page, sealing)| {
            let listing = listing(None).oldest_first(*page);
            Box::pin(listing.page(sql, |row| read(row, sealing), |webhook| webhook.id.0))
        })
        .await
    }

    async fn reseal_secrets(&self, after: Option<WebhookId>, limit: u32) -> Result<Resealed, StoreError> {
        let given = (after, limit, self.sealing());
        self.keep(given, |sql, (after, limit, sealing)| {
            Box::pin(secrets::reseal(sql, sealing, *after, *limit))
        })
        .await
    }

    async fn forget_old_secrets(&self, now: Timestamp) -> Result<usize, StoreError> {
        self.keep(now, |sql, &now| Box::pin(secrets::forget_old(sql, now)))
            .await
    }

    async fn list_suspensions(
        &self,
        company_id: Option<CompanyId>,
        since: Timestamp,
    ) -> Result<Vec<SuspensionRecord>, StoreError> {
        self.read((company_id, since), |sql, &(company_id, since)| {
            Box::pin(suspensions::list(sql, company_id, since))
        })
        .await
    }

    async fn write_outages(&self, writes: Vec<OutageWrite>) -> Result<(), StoreError> {
        self.keep(writes, |sql, writes| Box::pin(outages::write(sql, writes)))
            .await
    }

    async fn lasting_outages(
        &self,
        company_id: Option<CompanyId>,
    ) -> Result<Vec<(WebhookId, Outage)>, StoreError> {
        self.read(company_id, |sql, &company_id| {
            Box::pin(outages::lasting(sql, company_id))
        })
        .await
    }

    async fn outages_of(&self, webhook_id: WebhookId, most: u32) -> Result<Vec<Outage>, StoreError> {
        self.read((webhook_id, most), |sql, &(webhook_id, most)| {
            Box::pin(outages::of(sql, webhook_id, most))
        })
        .await
    }

    async fn save_breaker(
        &self,
        webhook_id: WebhookId,
        breaker: Breaker,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let given = (webhook_id, breaker, now);
        self.keep(given, |sql, (webhook_id, breaker, now)| {
            Box::pin(suspensions::save_breaker(sql, *webhook_id, breaker, *now))
        })
        .await
    }
}

async fn create(
    sql: &mut dyn SqlTransaction,
    webhook: &Webhook,
    sealing: &Sealing,
) -> Result<Webhook, StoreError> {
    refuse_second(sql, webhook, sealing).await?;
    insert(sql, webhook, None, sealing).await?;
    sql.registry_changed(webhook.company_id).await?;
    Ok(webhook.clone())
}

/// Keeps a webhook, which exists for a replay only if there is one. Whoever creates the replay tells the nodes.
pub(super) async fn insert(
    sql: &mut dyn SqlTransaction,
    webhook: &Webhook,
    replay_id: Option<ReplayId>,
    sealing: &Sealing,
) -> Result<(), StoreError> {
    let insert = concat!(
        "INSERT INTO webhooks (",
        webhook_columns!(),
        ", replay_id, url_key) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    );
    let kept = kept(webhook, sealing)?;
    let values = values![
        webhook.id.0,
        webhook.company_id.0,
        kept.hook_url,
        secret::kept(webhook.id, webhook.secret.as_ref(), sealing),
        secret::kept_old(webhook.id, &webhook.old_secrets, sealing)?,
        kept.settings,
        kept.credentials,
        webhook.paused_at,
        webhook.disabled_at,
        webhook.created_at,
        webhook.updated_at,
        replay_id.map(|id| id.0),
        kept.url_key,
    ];
    sql.execute(insert, values).await?;
    Ok(())
}

async fn update(
    sql: &mut dyn SqlTransaction,
    company_id: CompanyId,
    id: WebhookId,
    change: &WebhookChange,
    now: Timestamp,
    sealing: &Sealing,
) -> Result<Webhook, StoreError> {
    let before = find(sql, FIND_AND_LOCK, company_id, id, sealing).await?;
    // Another node may have changed it meanwhile: here is the last look at it.
    let webhook = before
        .checked_change(change.clone(), now)
        .map_err(StoreError::Conflict)?;
    // Two that were made before spellings counted can still be changed otherwise.
    if webhook.hook_url != before.hook_url {
        refuse_second(sql, &webhook, sealing).await?;
    }
    let kept = kept(&webhook, sealing)?;
    let update = "UPDATE webhooks SET hook_url = ?, url_key = ?, secret = ?, old_secrets = ?, settings = ?, \
                  credentials = ?, paused_at = ?, disabled_at = ?, updated_at = ? WHERE id = ?";
    let values = values![
        kept.hook_url,
        kept.url_key,
        secret::kept(id, webhook.secret.as_ref(), sealing),
        secret::kept_old(id, &webhook.old_secrets, sealing)?,
        kept.settings,
        kept.credentials,
        webhook.paused_at,
        webhook.disabled_at,
        webhook.updated_at,
        id.0,
    ];
    sql.execute(update, values).await?;
    suspensions::pause_changed(sql, id, before.paused_at, webhook.paused_at, now).await?;
    sql.registry_changed(company_id).await?;
    if webhook.disabled_at.is_some() && before.disabled_at.is_none() {
        let payload = NotificationPayload::WebhookDisabled(WebhookInfo::new(id, &webhook.hook_url));
        notices::add(sql, &Notice::new(Some(company_id), now, payload)).await?;
    }
    Ok(webhook)
}

async fn delete(
    sql: &mut dyn SqlTransaction,
    company_id: CompanyId,
    id: WebhookId,
    now: Timestamp,
    sealing: &Sealing,
) -> Result<Webhook, StoreError> {
    sql.overwrite().await?;
    let webhook = find(sql, FIND_AND_LOCK, company_id, id, sealing).await?;
    // Old deliveries need to tell where they went, but not how they were signed.
    let update = "UPDATE webhooks SET deleted_at = ?, secret = NULL, old_secrets = NULL, credentials = NULL, \
                  hook_url = ?, settings = ? WHERE id = ?";
    let kept = kept(&webhook, sealing)?;
    sql.execute(update, values![now, kept.hook_url, kept.settings, id.0])
        .await?;
    subscriptions::orphan(sql, Endpoint::Webhook(id), now).await?;
    sql.registry_changed(company_id).await?;
    Ok(webhook)
}

pub(crate) async fn exists(
    sql: &mut dyn Sql,
    company_id: CompanyId,
    id: WebhookId,
) -> Result<bool, StoreError> {
    let select =
        "SELECT 1 FROM webhooks WHERE id = ? AND company_id = ? AND deleted_at IS NULL AND replay_id IS NULL";
    let found = first(sql, select, values![id.0, company_id.0], |_| Ok(())).await?;
    Ok(found.is_some())
}

async fn find(
    sql: &mut dyn Sql,
    select: &'static str,
    company_id: CompanyId,
    id: WebhookId,
    sealing: &Sealing,
) -> Result<Webhook, StoreError> {
    let found = first(sql, select, values![id.0, company_id.0], |row| read(row, sealing)).await?;
    found.ok_or(StoreError::NotFound("webhook"))
}

const FIND: &str = concat!(
    "SELECT ",
    webhook_columns!(),
    " FROM webhooks WHERE id = ? AND company_id = ? AND deleted_at IS NULL AND replay_id IS NULL"
);

/// Secrets are sealed anew without the registry's lock: what is read to be changed is not to be sealed meanwhile.
const FIND_AND_LOCK: &str = concat!(
    "SELECT ",
    webhook_columns!(),
    " FROM webhooks WHERE id = ? AND company_id = ? AND deleted_at IS NULL AND replay_id IS NULL FOR UPDATE"
);

/// A node needs to know every webhook, also those of replays; a company sees its own.
pub(crate) fn listing(company_id: Option<CompanyId>) -> Listing {
    let of = match company_id {
        Some(_) => "FROM webhooks WHERE deleted_at IS NULL AND coalesce(replay_id, 0) = 0",
        None => "FROM webhooks WHERE deleted_at IS NULL",
    };
    Listing::new(webhook_columns!(), of).along("company_id", company_id.map(|id| id.0))
}

/// The webhooks that exist for a replay only.
pub(super) async fn of_replays(
    sql: &mut dyn Sql,
    company_id: CompanyId,
    sealing: &Sealing,
) -> Result<Vec<Webhook>, StoreError> {
    all(sql, OF_REPLAYS, values![company_id.0], |row| read(row, sealing)).await
}

pub(crate) const OF_REPLAYS: &str = concat!(
    "SELECT ",
    webhook_columns!(),
    " FROM webhooks INDEXED BY webhooks_by_replay \
     WHERE company_id = ? AND replay_id IS NOT NULL AND deleted_at IS NULL ORDER BY id"
);

async fn refuse_second(sql: &mut dyn Sql, webhook: &Webhook, sealing: &Sealing) -> Result<(), StoreError> {
    let key = webhook::url_key(&webhook.hook_url);
    let values = values![webhook.company_id.0, key, webhook.id.0];
    let others = all(sql, WITH_URL_KEY, values, |row| read(row, sealing)).await?;
    webhook::refuse_second(webhook, &others)
}

pub(crate) const WITH_URL_KEY: &str = concat!(
    "SELECT ",
    webhook_columns!(),
    " FROM webhooks INDEXED BY webhooks_by_url_key \
     WHERE company_id = ? AND url_key = ? AND deleted_at IS NULL AND replay_id IS NULL AND id <> ?"
);

/// Fills in how the addresses of webhooks are compared that were kept before that was.
pub(crate) async fn fill_url_keys(sql: &mut dyn Sql) -> Result<(), StoreError> {
    let select = "SELECT id, hook_url FROM webhooks WHERE url_key IS NULL";
    let webhooks = all(sql, select, values![], |row| {
        Ok((row.get::<i64>(0)?, row.get::<String>(1)?))
    });
    for (id, hook_url) in webhooks.await? {
        let update = "UPDATE webhooks SET url_key = ? WHERE id = ?";
        sql.execute(update, values![webhook::url_key(&hook_url), id])
            .await?;
    }
    Ok(())
}
