//! The list of what the store can do: each line says how it is done and which noun's file does it.

use std::sync::Arc;

use super::history;
use async_trait::async_trait;
use switchhook_domain::Timestamp;
use switchhook_domain::delivery::Delivery;
use switchhook_domain::history::{Granularity, HistorySubject, Sum};
use switchhook_domain::id::{CompanyId, DeliveryId, IdSequence, ReplayId, WebhookId};
use switchhook_domain::replay::Replay;
use tokio::sync::mpsc;

use super::{
    PostgresStore, claims, deliveries, erasure, health, node, pending, replay_scan, replays, retention, size,
};
use crate::Store;
use crate::change::Change;
use crate::claim::{
    Claim, ClaimAnswer, FinishedAttempt, HandOver, PendingCount, PendingWebhook, Release, WaitingDelivery,
};
use crate::commit::HotWrite;
use crate::delivery_progress::DeliveryProgress;
use crate::error::StoreError;
use crate::event::{NewEvent, Recorded};
use crate::replay::{ReplayStep, Scan, Selection};
use crate::retention::{
    DroppedPayloads, Erased, ErasureExtent, ErasureSlice, PayloadSlice, RemovalSlice, Removed, StoreSize,
};
use crate::shared::refusals;

/// A closure that does something on a connection or in a transaction.
macro_rules! work {
    ($on:ident => $does:expr) => {
        move |$on| Box::pin(async move { $does.await })
    };
}

#[async_trait]
impl Store for PostgresStore {
    fn take_hand_over(&self) -> Option<mpsc::UnboundedReceiver<HandOver>> {
        self.parts.hand_over.lock().take()
    }

    fn take_changes(&self) -> Option<mpsc::Receiver<Change>> {
        self.parts.changes.lock().take()
    }

    fn nodes(&self) -> u32 {
        self.parts.node.as_ref().map_or(1, |node| node.nodes())
    }

    async fn record_events(&self, new: Vec<NewEvent>) -> Result<Vec<Recorded>, StoreError> {
        self.parts.writer.write(HotWrite::record(new)).await
    }

    async fn redeliver(
        &self,
        company_id: CompanyId,
        id: DeliveryId,
        new_id: DeliveryId,
        now: Timestamp,
    ) -> Result<Delivery, StoreError> {
        self.write(work!(transaction => deliveries::redeliver(transaction, company_id, id, new_id, now)))
            .await
    }

    async fn cancel_delivery(
        &self,
        company_id: CompanyId,
        id: DeliveryId,
        now: Timestamp,
    ) -> Result<Delivery, StoreError> {
        self.write(work!(transaction => deliveries::cancel(transaction, company_id, id, now)))
            .await
    }

    async fn claim_due_deliveries(&self, claim: Claim) -> Result<Vec<ClaimAnswer>, StoreError> {
        self.write(work!(transaction => claims::claim(transaction, &claim)))
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
        self.write(work!(transaction => deliveries::cancel_some_of(transaction, webhook_id, now, limit)))
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
        self.write(
            work!(transaction => deliveries::skip_some_of(transaction, webhook_id, made_until, note, now, limit)),
        )
        .await
    }

    async fn make_retries_due(
        &self,
        webhook_id: WebhookId,
        now: Timestamp,
        limit: u32,
    ) -> Result<usize, StoreError> {
        self.write(work!(transaction => pending::make_retries_due(transaction, webhook_id, now, limit)))
            .await
    }

    async fn pending_webhooks(
        &self,
        after: Option<WebhookId>,
        limit: u32,
    ) -> Result<Vec<PendingWebhook>, StoreError> {
        self.read(work!(connection => pending::pending_webhooks(connection, after, limit)))
            .await
    }

    async fn pending_deliveries_of(
        &self,
        webhook_id: WebhookId,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        self.read(work!(connection => pending::pending_of(connection, webhook_id, limit)))
            .await
    }

    async fn progress_of(&self, ids: Vec<DeliveryId>) -> Result<Vec<DeliveryProgress>, StoreError> {
        self.read(work!(connection => pending::progress_of(connection, &ids)))
            .await
    }

    async fn count_pending(
        &self,
        webhook_ids: Vec<WebhookId>,
        now: Timestamp,
        most: u32,
    ) -> Result<Vec<PendingCount>, StoreError> {
        self.read(work!(connection => pending::count(connection, webhook_ids, now, most)))
            .await
    }

    async fn oldest_undelivered(&self) -> Result<Option<Timestamp>, StoreError> {
        self.read(work!(connection => pending::oldest_undelivered(connection)))
            .await
    }

    async fn longest_waiting(&self, webhook_id: WebhookId) -> Result<Option<WaitingDelivery>, StoreError> {
        self.read(work!(connection => pending::longest_waiting(connection, webhook_id)))
            .await
    }

    async fn add_history(&self, sums: Vec<Sum>) -> Result<(), StoreError> {
        self.keep(work!(transaction => history::add(transaction, sums)))
            .await
    }

    async fn history(
        &self,
        whose: Vec<HistorySubject>,
        resolution: Granularity,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Sum>, StoreError> {
        self.read(work!(connection => history::list(connection, whose, resolution, from, to)))
            .await
    }

    async fn forget_old_history(
        &self,
        resolution: Granularity,
        before: Timestamp,
        most: u32,
    ) -> Result<u32, StoreError> {
        self.keep(work!(transaction => history::forget(transaction, resolution, before, most)))
            .await
    }

    async fn size(&self) -> Result<StoreSize, StoreError> {
        self.read(work!(connection => size::size(connection))).await
    }

    async fn remove_events(&self, slice: RemovalSlice) -> Result<Removed, StoreError> {
        let found = self
            .read(work!(connection => retention::removable(connection, slice)))
            .await?;
        let next = found.next;
        if found.ids.is_empty() {
            return Ok(Removed {
                next,
                ..Removed::default()
            });
        }
        let removed = self
            .keep(work!(transaction => retention::remove(transaction, &found.ids, slice.before)))
            .await?;
        Ok(Removed { next, ..removed })
    }

    async fn drop_payloads(
        &self,
        slice: PayloadSlice,
        now: Timestamp,
    ) -> Result<DroppedPayloads, StoreError> {
        let found = self
            .read(work!(connection => retention::droppable(connection, slice)))
            .await?;
        let next = found.next;
        if found.ids.is_empty() {
            return Ok(DroppedPayloads { payloads: 0, next });
        }
        let payloads = self
            .keep(work!(transaction => retention::drop_payloads(transaction, &found.ids, now)))
            .await?;
        Ok(DroppedPayloads { payloads, next })
    }

    async fn erase_number(&self, slice: ErasureSlice, now: Timestamp) -> Result<Erased, StoreError> {
        let (company_id, number, extent) = (slice.company_id, slice.number.clone(), slice.extent);
        let found = self
            .read(work!(connection => erasure::find(connection, &slice)))
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
            self.write(move |transaction| {
                Box::pin(async move {
                    if is_last {
                        refusals::erase(transaction, company_id, &number).await?;
                    }
                    erasure::erase(transaction, &found.ids, &number, now).await
                })
            })
            .await?
        };
        Ok(Erased {
            examined,
            next,
            ..erased
        })
    }

    async fn select_for_replay(&self, replay: Replay, scan: Scan) -> Result<Selection, StoreError> {
        self.read(work!(connection => replay_scan::select(connection, &replay, scan)))
            .await
    }

    async fn advance_replay(&self, step: ReplayStep) -> Result<Replay, StoreError> {
        self.write(work!(transaction => replays::advance(transaction, &step)))
            .await
    }

    async fn cancel_replay(
        &self,
        company_id: CompanyId,
        id: ReplayId,
        now: Timestamp,
    ) -> Result<Replay, StoreError> {
        let surplus = self
            .read(work!(connection => replays::surplus(connection, company_id, id)))
            .await?;
        for slice in surplus.chunks(replays::SLICE).map(<[i64]>::to_vec) {
            self.write(work!(transaction => replays::cancel_some(transaction, slice, now)))
                .await?;
        }
        self.register(work!(transaction => replays::cancel(transaction, company_id, id, now)))
            .await
    }

    async fn time(&self) -> Result<Option<Timestamp>, StoreError> {
        let time = self.read(work!(connection => node::time(connection))).await?;
        Ok(Some(time))
    }

    async fn last_id(&self) -> Result<i64, StoreError> {
        self.read(work!(connection => health::last_id(connection))).await
    }

    async fn ids(&self) -> Result<Arc<IdSequence>, StoreError> {
        match &self.parts.node {
            Some(node) => Ok(Arc::clone(&node.ids)),
            None => Ok(Arc::new(IdSequence::after(self.last_id().await?))),
        }
    }

    async fn check(&self) -> Result<(), StoreError> {
        let keeping = async {
            self.keep(work!(transaction => health::write_filler(transaction)))
                .await?;
            self.keep(work!(transaction => health::take_back_filler(transaction)))
                .await
        };
        // Events have a connection of their own, which may be the one that is missing. A commit of none of them takes it.
        let ((), _none) = tokio::try_join!(keeping, self.record_events(Vec::new()))?;
        Ok(())
    }

    async fn close(&self) {
        let parts = Arc::clone(&self.parts);
        let closing = self.on_runtime(async move {
            parts.close().await;
            Ok(())
        });
        if let Err(error) = closing.await {
            tracing::error!(%error, "the store could not be closed in good order");
        }
    }
}
