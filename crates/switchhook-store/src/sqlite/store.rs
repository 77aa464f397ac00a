//! The list of what the store can do: each line says how it is done and which noun's file does it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::history;
use async_trait::async_trait;
use rusqlite::Connection;
use switchhook_domain::Timestamp;
use switchhook_domain::delivery::Delivery;
use switchhook_domain::history::{Granularity, HistorySubject, Sum};
use switchhook_domain::id::{CompanyId, DeliveryId, ReplayId, WebhookId};
use switchhook_domain::replay::Replay;
use tokio::sync::mpsc;

use super::sql::{TransactionOnThread, at_once};
use super::transaction::Transaction;
use super::writer::Writer;
use super::{
    SqliteStore, claims, deliveries, erasure, health, pending, replay_scan, replays, reserve, retention,
};
use crate::Store;
use crate::claim::{
    Claim, ClaimAnswer, FinishedAttempt, HandOver, PendingCount, PendingWebhook, Release, WaitingDelivery,
};
use crate::commit::{HotWrite, Weight};
use crate::delivery_progress::DeliveryProgress;
use crate::error::StoreError;
use crate::event::{NewEvent, Recorded};
use crate::replay::{ReplayStep, Scan, Selection};
use crate::retention::{
    DroppedPayloads, Erased, ErasureExtent, ErasureSlice, PayloadSlice, RemovalSlice, Removed, StoreSize,
};
use crate::shared::refusals;

/// Number of commit intervals between two checks of an idle store that its file is still its own.
pub const LOOK_FOR_LOSS_AFTER: u32 = 5;

impl SqliteStore {
    pub(super) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: FnMut(&mut Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        self.parts.writer.run(Weight::ONE, work).await
    }

    /// Reads, and sees everything that was answered before.
    pub(super) async fn read_committed<T, F>(&self, read: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        if self.parts.is_ahead.load(Ordering::Acquire) {
            // If nothing can be written now, what there is can still be read.
            let _ = self.write(|_| Ok(())).await;
        }
        self.parts.readers.run(read).await
    }
}

impl SqliteStore {
    /// Waits for the reserve to be there again, if it was given up and it is time to look.
    async fn take_reserve_again(&self) -> Result<(), StoreError> {
        if self.parts.reserve.is_there() {
            return Ok(());
        }
        let parts = Arc::clone(&self.parts);
        if let Writer::Inline(_) = parts.writer {
            return parts.reserve.take_again();
        }
        tokio::task::spawn_blocking(move || parts.reserve.take_again())
            .await
            .unwrap_or_else(|_| Err(reserve::missing()))
    }
}

#[async_trait]
impl Store for SqliteStore {
    fn take_hand_over(&self) -> Option<mpsc::UnboundedReceiver<HandOver>> {
        self.parts.hand_over.lock().take()
    }

    async fn record_events(&self, new: Vec<NewEvent>) -> Result<Vec<Recorded>, StoreError> {
        if !self.parts.reserve.is_there()
            && let Some(event) = new.first()
        {
            if !self.parts.reserve.is_worth_a_try(event.accepted_at) {
                return Err(reserve::missing());
            }
            self.take_reserve_again().await?;
        }
        self.parts.writer.write(HotWrite::record(new)).await
    }

    async fn redeliver(
        &self,
        company_id: CompanyId,
        id: DeliveryId,
        new_id: DeliveryId,
        now: Timestamp,
    ) -> Result<Delivery, StoreError> {
        self.write(move |transaction| deliveries::redeliver(transaction, company_id, id, new_id, now))
            .await
    }

    async fn cancel_delivery(
        &self,
        company_id: CompanyId,
        id: DeliveryId,
        now: Timestamp,
    ) -> Result<Delivery, StoreError> {
        self.write(move |transaction| deliveries::cancel(transaction, company_id, id, now))
            .await
    }

    async fn claim_due_deliveries(&self, claim: Claim) -> Result<Vec<ClaimAnswer>, StoreError> {
        let items = claim.requests.iter().map(|request| request.limit as usize).sum();
        self.parts
            .writer
            .run(Weight::of(items, 0), move |transaction| {
                claims::claim(transaction, &claim)
            })
            .await
    }

    async fn finish_attempts(&self, finished: Vec<FinishedAttempt>) -> Result<usize, StoreError> {
        self.parts.writer.write(HotWrite::finish(finished)).await
    }

    async fn release_deliveries(&self, released: Vec<Release>, now: Timestamp) -> Result<(), StoreError> {
        self.parts.writer.write(HotWrite::release(released, now)).await
    }

    async fn cancel_deliveries_of(
        &self,
        webhook_id: WebhookId,
        now: Timestamp,
        limit: u32,
    ) -> Result<usize, StoreError> {
        self.write(move |transaction| deliveries::cancel_some_of(transaction, webhook_id, now, limit))
            .await
    }

    async fn skip_deliveries_of(
        &self,
        webhook_id: WebhookId,
        made_until: Timestamp,
        note: &'static str,
        now: Timestamp,
        limit: u32,
    ) -> Result<usize, StoreError> {
        self.write(move |transaction| {
            deliveries::skip_some_of(transaction, webhook_id, made_until, note, now, limit)
        })
        .await
    }

    async fn make_retries_due(
        &self,
        webhook_id: WebhookId,
        now: Timestamp,
        limit: u32,
    ) -> Result<usize, StoreError> {
        self.write(move |transaction| pending::make_retries_due(transaction, webhook_id, now, limit))
            .await
    }

    async fn pending_webhooks(
        &self,
        after: Option<WebhookId>,
        limit: u32,
    ) -> Result<Vec<PendingWebhook>, StoreError> {
        self.read_committed(move |connection| pending::pending_webhooks(connection, after, limit))
            .await
    }

    async fn pending_deliveries_of(
        &self,
        webhook_id: WebhookId,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        self.read_committed(move |connection| pending::pending_of(connection, webhook_id, limit))
            .await
    }

    async fn progress_of(&self, ids: Vec<DeliveryId>) -> Result<Vec<DeliveryProgress>, StoreError> {
        self.read_committed(move |connection| pending::progress_of(connection, &ids))
            .await
    }

    async fn count_pending(
        &self,
        webhook_ids: Vec<WebhookId>,
        now: Timestamp,
        most: u32,
    ) -> Result<Vec<PendingCount>, StoreError> {
        self.read_committed(move |connection| pending::count(connection, &webhook_ids, now, most))
            .await
    }

    async fn oldest_undelivered(&self) -> Result<Option<Timestamp>, StoreError> {
        self.read_committed(pending::oldest_undelivered).await
    }

    async fn longest_waiting(&self, webhook_id: WebhookId) -> Result<Option<WaitingDelivery>, StoreError> {
        self.read_committed(move |connection| pending::longest_waiting(connection, webhook_id))
            .await
    }

    async fn add_history(&self, sums: Vec<Sum>) -> Result<(), StoreError> {
        self.write(move |transaction| history::add(transaction, &sums))
            .await
    }

    async fn history(
        &self,
        whose: Vec<HistorySubject>,
        resolution: Granularity,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Sum>, StoreError> {
        self.read_committed(move |connection| history::list(connection, &whose, resolution, from, to))
            .await
    }

    async fn forget_old_history(
        &self,
        resolution: Granularity,
        before: Timestamp,
        most: u32,
    ) -> Result<u32, StoreError> {
        self.write(move |transaction| history::forget(transaction, resolution, before, most))
            .await
    }

    async fn size(&self) -> Result<StoreSize, StoreError> {
        self.read_committed(retention::size).await
    }

    async fn remove_events(&self, slice: RemovalSlice) -> Result<Removed, StoreError> {
        let find = move |connection: &Connection| retention::removable(connection, slice);
        let found = self.read_committed(find).await?;
        let next = found.next;
        if found.ids.is_empty() {
            return Ok(Removed {
                next,
                ..Removed::default()
            });
        }
        let remove =
            move |transaction: &mut Transaction<'_>| retention::remove(transaction, &found.ids, slice.before);
        let removed = self.write(remove).await?;
        Ok(Removed { next, ..removed })
    }

    async fn drop_payloads(
        &self,
        slice: PayloadSlice,
        now: Timestamp,
    ) -> Result<DroppedPayloads, StoreError> {
        let find = move |connection: &Connection| retention::droppable(connection, slice);
        let found = self.read_committed(find).await?;
        let next = found.next;
        if found.ids.is_empty() {
            return Ok(DroppedPayloads { payloads: 0, next });
        }
        let drop = move |transaction: &mut Transaction<'_>| {
            transaction.overwriting(|transaction| retention::drop_payloads(transaction, &found.ids, now))
        };
        let payloads = self.write(drop).await?;
        Ok(DroppedPayloads { payloads, next })
    }

    async fn erase_number(&self, slice: ErasureSlice, now: Timestamp) -> Result<Erased, StoreError> {
        let (company_id, number, extent) = (slice.company_id, slice.number.clone(), slice.extent);
        let found = self
            .read_committed(move |connection| erasure::find(connection, &slice))
            .await?;
        let (examined, found) = (found.examined, found.found);
        let next = found.next;
        let is_last = next.is_none();
        let nothing_to_do = extent == ErasureExtent::Count || found.ids.is_empty() && !is_last;
        let erased = if nothing_to_do {
            Erased {
                events: found.ids.len() as u64,
                ..Erased::default()
            }
        } else {
            let erase = move |transaction: &mut Transaction<'_>| {
                transaction.overwriting(|transaction| {
                    if is_last {
                        at_once(refusals::erase(
                            &mut TransactionOnThread::new(transaction),
                            company_id,
                            &number,
                        ))?;
                    }
                    erasure::erase(transaction, &found.ids, &number, now)
                })
            };
            self.write(erase).await?
        };
        Ok(Erased {
            examined,
            next,
            ..erased
        })
    }

    async fn select_for_replay(&self, replay: Replay, scan: Scan) -> Result<Selection, StoreError> {
        self.read_committed(move |connection| replay_scan::select(connection, &replay, scan))
            .await
    }

    async fn advance_replay(&self, step: ReplayStep) -> Result<Replay, StoreError> {
        let weight = Weight::of(1 + step.deliveries.len(), 0);
        self.parts
            .writer
            .run(weight, move |transaction| replays::advance(transaction, &step))
            .await
    }

    async fn cancel_replay(
        &self,
        company_id: CompanyId,
        id: ReplayId,
        now: Timestamp,
    ) -> Result<Replay, StoreError> {
        self.write(move |transaction| replays::cancel(transaction, company_id, id, now))
            .await
    }

    async fn last_id(&self) -> Result<i64, StoreError> {
        self.read_committed(health::last_id).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.write(health::write_page).await?;
        self.write(health::take_back_page).await?;
        self.take_reserve_again().await
    }

    async fn lost(&self) -> StoreError {
        loop {
            if let Some(why) = self.parts.loss.get() {
                return StoreError::Unusable(why.clone());
            }
            tokio::time::sleep(self.parts.commit_every * LOOK_FOR_LOSS_AFTER).await;
            // Whoever begins a transaction finds out.
            let _ = self.write(|_| Ok(())).await;
        }
    }

    async fn close(&self) {
        let parts = Arc::clone(&self.parts);
        if let Writer::Inline(_) = parts.writer {
            parts.stop();
        } else if tokio::task::spawn_blocking(move || parts.stop()).await.is_err() {
            tracing::error!("the store could not be closed in good order");
        }
    }
}
