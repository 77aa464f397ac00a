//! Replays: how they are kept, found and ended. How they make deliveries, and call them off, is the drivers' to know.
//!
//! A replay counts its deliveries itself, so that looking at it costs the same however many they are.

use async_trait::async_trait;
use switchhook_domain::Timestamp;
use switchhook_domain::id::{CompanyId, ReplayId};
use switchhook_domain::replay::{Destination, Replay, ReplayStateName};
use switchhook_domain::webhook::Webhook;

use super::webhooks;
use crate::error::StoreError;
use crate::page::{Page, PageRequest};
use crate::replay::{NewReplay, ReplayEnd};
use crate::replay_rules::check_end;
use crate::row::replay::{filter, read, replay_columns, total};
use crate::sealing::Sealing;
use crate::sql::{Driver, Listing, Sql, SqlTransaction, Tasks, first, values};

/// Replays, as far as they need no deliveries.
#[async_trait]
pub trait ReplayStore: Send + Sync {
    /// Keeps a replay, and the webhook that exists for it only. `NotFound` if it goes to a webhook that is not the
    /// company's, `Conflict` if too many of the company's are running.
    async fn create_replay(&self, new: NewReplay) -> Result<Replay, StoreError>;
    /// One replay of the company.
    async fn replay(&self, company_id: CompanyId, id: ReplayId) -> Result<Replay, StoreError>;
    /// The company's replays, newest first.
    async fn list_replays(
        &self,
        company_id: CompanyId,
        page: PageRequest,
    ) -> Result<Page<Replay>, StoreError>;
    /// The running replays of every company, by id.
    async fn running_replays(&self, page: PageRequest) -> Result<Page<Replay>, StoreError>;
    /// The company's webhooks that exist for a running replay only. No other list has them, nor does
    /// [`WebhookStore::webhook`](super::webhooks::WebhookStore::webhook);
    /// [`WebhookStore::scan_webhooks`](super::webhooks::WebhookStore::scan_webhooks) does.
    async fn replay_webhooks(&self, company_id: CompanyId) -> Result<Vec<Webhook>, StoreError>;
    /// Ends a running replay, and deletes the webhook that existed for it only. `Conflict` if it is not running.
    async fn end_replay(&self, id: ReplayId, end: ReplayEnd, now: Timestamp) -> Result<Replay, StoreError>;
}

#[async_trait]
impl<D: Driver> ReplayStore for D {
    async fn create_replay(&self, new: NewReplay) -> Result<Replay, StoreError> {
        self.register((new, self.sealing()), |sql, (new, sealing)| {
            Box::pin(create(sql, new, sealing))
        })
        .await
    }

    async fn replay(&self, company_id: CompanyId, id: ReplayId) -> Result<Replay, StoreError> {
        self.read((company_id, id), |sql, &(company_id, id)| {
            Box::pin(find(sql, company_id, id))
        })
        .await
    }

    async fn list_replays(
        &self,
        company_id: CompanyId,
        page: PageRequest,
    ) -> Result<Page<Replay>, StoreError> {
        self.read((company_id, page), |sql, &(company_id, page)| {
            let listing = listing(company_id).newest_first(page);
            Box::pin(listing.page(sql, read, |replay| replay.id.0))
        })
        .await
    }

    async fn running_replays(&self, page: PageRequest) -> Result<Page<Replay>, StoreError> {
        self.read(page, |sql, &page| {
            let listing = listing_running().oldest_first(page);
            Box::pin(listing.page(sql, read, |replay| replay.id.0))
        })
        .await
    }

    async fn replay_webhooks(&self, company_id: CompanyId) -> Result<Vec<Webhook>, StoreError> {
        let given = (company_id, self.sealing());
        self.read(given, |sql, (company_id, sealing)| {
            Box::pin(webhooks::of_replays(sql, *company_id, sealing))
        })
        .await
    }

    async fn end_replay(&self, id: ReplayId, end: ReplayEnd, now: Timestamp) -> Result<Replay, StoreError> {
        self.register((id, end, now), |sql, (id, end, now)| {
            Box::pin(end_by_itself(sql, *id, end, *now))
        })
        .await
    }
}

async fn create(
    sql: &mut dyn SqlTransaction,
    new: &NewReplay,
    sealing: &Sealing,
) -> Result<Replay, StoreError> {
    let replay = &new.replay;
    let running = first(sql, RUNNING_OF, values![replay.company_id.0], |row| row.get(0)).await?;
    new.check_limit(running.unwrap_or(0))?;
    if let Destination::Webhook(id) = replay.to
        && !webhooks::exists(sql, replay.company_id, id).await?
    {
        return Err(StoreError::NotFound("webhook"));
    }
    if let Some(webhook) = &new.webhook {
        webhooks::insert(sql, webhook, Some(replay.id), sealing).await?;
    }
    insert(sql, replay).await?;
    sql.registry_changed(replay.company_id).await?;
    by_id(sql, replay.id).await
}

pub(crate) const RUNNING_OF: &str = "SELECT count(*) FROM replays INDEXED BY replays_running \
     WHERE state = 'running' AND id > 0 AND company_id = ?";

async fn insert(sql: &mut dyn SqlTransaction, replay: &Replay) -> Result<(), StoreError> {
    let insert = "INSERT INTO replays (id, company_id, filter, webhook_id, rate, hidden, made_with, total, total_is_exact, \
                  cursor, next_due_at, created_at, state, all_created, scanned, created, skipped, delivered, exhausted, \
                  cancelled) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'running', 0, 0, 0, 0, 0, 0, 0)";
    let values = values![
        replay.id.0,
        replay.company_id.0,
        filter(replay)?,
        replay.to.webhook_id().map(|id| id.0),
        replay.rate,
        replay.hidden.to_string(),
        replay.made_with.to_string(),
        total(replay),
        replay.estimate.is_exact,
        replay.cursor.0,
        replay.next_due_at,
        replay.created_at,
    ];
    sql.execute(insert, values).await?;
    Ok(())
}

pub(crate) async fn find(
    sql: &mut dyn Sql,
    company_id: CompanyId,
    id: ReplayId,
) -> Result<Replay, StoreError> {
    let replay = by_id(sql, id).await?;
    if replay.company_id == company_id {
        Ok(replay)
    } else {
        Err(StoreError::NotFound("replay"))
    }
}

pub(crate) async fn by_id(sql: &mut dyn Sql, id: ReplayId) -> Result<Replay, StoreError> {
    first(sql, BY_ID, values![id.0], read)
        .await?
        .ok_or(StoreError::NotFound("replay"))
}

pub(crate) const BY_ID: &str = concat!("SELECT ", replay_columns!(), " FROM replays WHERE id = ?");

pub(crate) fn listing(company_id: CompanyId) -> Listing {
    Listing::new(
        replay_columns!(),
        "FROM replays INDEXED BY replays_by_company WHERE true",
    )
    .along("company_id", Some(company_id.0))
}

pub(crate) const fn listing_running() -> Listing {
    Listing::new(
        replay_columns!(),
        "FROM replays INDEXED BY replays_running WHERE state = 'running'",
    )
}

/// A running replay ends by itself.
async fn end_by_itself(
    sql: &mut dyn SqlTransaction,
    id: ReplayId,
    end: &ReplayEnd,
    now: Timestamp,
) -> Result<Replay, StoreError> {
    sql.lock_replay(id).await?;
    check_end(&by_id(sql, id).await?)?;
    let (state, reason) = end.as_state();
    close(sql, id, state, reason, now).await
}

/// Ends a replay in some state. Whoever does it has locked it.
pub(crate) async fn close(
    sql: &mut dyn SqlTransaction,
    id: ReplayId,
    state: ReplayStateName,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<Replay, StoreError> {
    let update = "UPDATE replays SET state = ?, reason = ?, ended_at = ? WHERE id = ?";
    sql.execute(update, values![state.as_str(), reason, now, id.0])
        .await?;
    let update = "UPDATE webhooks SET deleted_at = ?1, secret = NULL, credentials = NULL \
                  WHERE id = (SELECT webhook_id FROM replays WHERE id = ?2) AND replay_id = ?2 AND deleted_at IS NULL";
    sql.execute(update, values![now, id.0]).await?;
    let replay = by_id(sql, id).await?;
    sql.registry_changed(replay.company_id).await?;
    Ok(replay)
}
