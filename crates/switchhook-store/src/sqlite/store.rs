//! The list of what the store can do: each line says how it is done and which noun's file does it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::Connection;
use switchhook_domain::attempt::Attempt;
use switchhook_domain::breaker::Breaker;
use switchhook_domain::company::{Company, CompanyChange};
use switchhook_domain::delivery::Delivery;
use switchhook_domain::history::{Resolution, Sum, Whose};
use switchhook_domain::id::{
    ChannelId, CompanyId, DeliveryId, EventId, KeyId, RefusalId, ReplayId, SourceId, SubscriptionId,
    WebhookId, WebsocketId,
};
use switchhook_domain::key::ApiKey;
use switchhook_domain::notification::{Channel, ChannelChange, Notice, SilentSource};
use switchhook_domain::outage::Outage;
use switchhook_domain::replay::Replay;
use switchhook_domain::secret::Secret;
use switchhook_domain::source::{Refusal, RefusalBounds, Source, SourceChange};
use switchhook_domain::subscription::{Revision, Subscription, SubscriptionChange, SubscriptionVersion};
use switchhook_domain::webhook::{Webhook, WebhookChange};
use switchhook_domain::websocket::Websocket;
use switchhook_domain::{Kind, Timestamp};
use tokio::sync::mpsc;

use super::transaction::Transaction;
use super::writer::Writer;
use super::{
    SqliteStore, attempt_row, channels, claims, companies, deliveries, erasure, events, explain, health,
    history, keys, log, notices, notifications, outages, pending, replay_scan, replays, reserve, retention,
    secrets, sessions, sources, subscriptions, suspensions, versions, webhooks, websockets,
};
use crate::Store;
use crate::attempt::LastAttempt;
use crate::claim::{
    Claim, ClaimAnswer, FinishedAttempt, HandOver, PendingCount, PendingWebhook, Release, Waiting,
};
use crate::commit::Weight;
use crate::error::StoreError;
use crate::event::{EventHead, EventRecord, NewEvent, Recorded};
use crate::explain::Explained;
use crate::filter::{DeliveryFilter, EventFilter};
use crate::notification::{ClaimedNotification, FinishedNotification, NotificationClaim, NotificationRecord};
use crate::outage::OutageWrite;
use crate::page::{Page, PageRequest, RefusalSlice};
use crate::registry::{Subject, SubscriptionFilter, SubscriptionLimits, SuspensionRecord};
use crate::replay::{NewReplay, ReplayEnd, ReplayStep, Scan, Selection};
use crate::retention::{
    DroppedPayloads, Erased, ErasureExtent, ErasureSlice, PayloadSlice, RemovalSlice, Removed, StoreSize,
};
use crate::sealing::Resealed;
use crate::session::Session;
use crate::waiting::{Backlog, Progress};
use crate::websocket::{LogBounds, LogEntry, LogPosition};
use crate::write::HotWrite;

/// How often an idle store looks whether its file is still its own.
const LOOK_FOR_LOSS_EVERY: Duration = Duration::from_millis(500);

impl SqliteStore {
    async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: FnMut(&mut Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        self.parts.writer.run(Weight::ONE, work).await
    }

    /// Reads, and sees everything that was answered before.
    async fn read<T, F>(&self, read: F) -> Result<T, StoreError>
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

    /// Looks up who somebody is. Nothing else reads on that connection, so that no list of events can keep anybody's
    /// request waiting; and only events are answered before they can be read, so that nothing need be committed first.
    async fn look_up<T, F>(&self, read: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        self.parts.key_reader.run(read).await
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

    async fn create_key(&self, key: ApiKey) -> Result<ApiKey, StoreError> {
        self.write(move |transaction| keys::create(transaction, &key))
            .await
    }

    async fn list_keys(
        &self,
        company_id: Option<CompanyId>,
        page: PageRequest,
    ) -> Result<Page<ApiKey>, StoreError> {
        self.read(move |connection| keys::list(connection, company_id, page))
            .await
    }

    async fn revoke_key(&self, id: KeyId, now: Timestamp) -> Result<ApiKey, StoreError> {
        self.write(move |transaction| keys::revoke(transaction, id, now))
            .await
    }

    async fn find_key(&self, hash: [u8; 32]) -> Result<Option<ApiKey>, StoreError> {
        self.look_up(move |connection| keys::find(connection, hash)).await
    }

    async fn keys(&self, ids: Vec<KeyId>) -> Result<Vec<ApiKey>, StoreError> {
        self.look_up(move |connection| keys::with_ids(connection, &ids))
            .await
    }

    async fn ended_sessions(&self, sessions: Vec<Session>) -> Result<Vec<Session>, StoreError> {
        self.look_up(move |connection| sessions::ended(connection, sessions))
            .await
    }

    async fn end_session(&self, session: Session, now: Timestamp) -> Result<(), StoreError> {
        self.write(move |transaction| sessions::end(transaction, session, now))
            .await
    }

    async fn list_companies(&self, page: PageRequest) -> Result<Page<Company>, StoreError> {
        self.read(move |connection| companies::list(connection, page))
            .await
    }

    async fn update_company(&self, id: CompanyId, change: CompanyChange) -> Result<Company, StoreError> {
        self.write(move |transaction| companies::update(transaction, id, &change))
            .await
    }

    async fn create_webhook(&self, webhook: Webhook) -> Result<Webhook, StoreError> {
        let sealing = self.parts.sealing.clone();
        self.write(move |transaction| webhooks::create(transaction, &webhook, &sealing))
            .await
    }

    async fn webhook(&self, company_id: CompanyId, id: WebhookId) -> Result<Webhook, StoreError> {
        let sealing = self.parts.sealing.clone();
        self.read(move |connection| webhooks::find(connection, company_id, id, &sealing))
            .await
    }

    async fn list_webhooks(
        &self,
        company_id: CompanyId,
        page: PageRequest,
    ) -> Result<Page<Webhook>, StoreError> {
        let sealing = self.parts.sealing.clone();
        self.read(move |connection| webhooks::list(connection, company_id, page, &sealing))
            .await
    }

    async fn update_webhook(
        &self,
        company_id: CompanyId,
        id: WebhookId,
        change: WebhookChange,
        now: Timestamp,
    ) -> Result<Webhook, StoreError> {
        let sealing = self.parts.sealing.clone();
        self.write(move |transaction| webhooks::update(transaction, company_id, id, &change, now, &sealing))
            .await
    }

    async fn delete_webhook(
        &self,
        company_id: CompanyId,
        id: WebhookId,
        now: Timestamp,
    ) -> Result<Webhook, StoreError> {
        let sealing = self.parts.sealing.clone();
        self.write(move |transaction| {
            transaction
                .overwriting(|transaction| webhooks::delete(transaction, company_id, id, now, &sealing))
        })
        .await
    }

    async fn scan_webhooks(&self, page: PageRequest) -> Result<Page<Webhook>, StoreError> {
        let sealing = self.parts.sealing.clone();
        self.read(move |connection| webhooks::scan(connection, page, &sealing))
            .await
    }

    async fn reseal_secrets(&self, after: Option<WebhookId>, limit: u32) -> Result<Resealed, StoreError> {
        let sealing = self.parts.sealing.clone();
        self.write(move |transaction| {
            transaction.overwriting(|transaction| secrets::reseal(transaction, &sealing, after, limit))
        })
        .await
    }

    async fn forget_old_secrets(&self, now: Timestamp) -> Result<usize, StoreError> {
        self.write(move |transaction| {
            transaction.overwriting(|transaction| secrets::forget_old(transaction, now))
        })
        .await
    }

    async fn list_suspensions(
        &self,
        company_id: Option<CompanyId>,
        since: Timestamp,
    ) -> Result<Vec<SuspensionRecord>, StoreError> {
        self.read(move |connection| suspensions::list(connection, company_id, since))
            .await
    }

    async fn save_breaker(
        &self,
        webhook_id: WebhookId,
        breaker: Breaker,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(move |transaction| suspensions::save_breaker(transaction, webhook_id, &breaker, now))
            .await
    }

    async fn write_outages(&self, writes: Vec<OutageWrite>) -> Result<(), StoreError> {
        self.write(move |transaction| outages::write(transaction, &writes))
            .await
    }

    async fn lasting_outages(
        &self,
        company_id: Option<CompanyId>,
    ) -> Result<Vec<(WebhookId, Outage)>, StoreError> {
        self.read(move |connection| outages::lasting(connection, company_id))
            .await
    }

    async fn outages_of(&self, webhook_id: WebhookId, most: u32) -> Result<Vec<Outage>, StoreError> {
        self.read(move |connection| outages::of(connection, webhook_id, most))
            .await
    }

    async fn progress_of(&self, ids: Vec<DeliveryId>) -> Result<Vec<Progress>, StoreError> {
        self.read(move |connection| pending::progress_of(connection, &ids))
            .await
    }

    async fn backlog_of(&self, webhook_id: WebhookId, most: u32) -> Result<Backlog, StoreError> {
        self.read(move |connection| pending::backlog_of(connection, webhook_id, most))
            .await
    }

    async fn create_websocket(&self, websocket: Websocket) -> Result<Websocket, StoreError> {
        let sealing = self.parts.sealing.clone();
        self.write(move |transaction| websockets::create(transaction, &websocket, &sealing))
            .await
    }

    async fn websocket(&self, company_id: CompanyId, id: WebsocketId) -> Result<Websocket, StoreError> {
        let sealing = self.parts.sealing.clone();
        self.read(move |connection| websockets::find(connection, company_id, id, &sealing))
            .await
    }

    async fn list_websockets(
        &self,
        company_id: Option<CompanyId>,
        page: PageRequest,
    ) -> Result<Page<Websocket>, StoreError> {
        let sealing = self.parts.sealing.clone();
        self.read(move |connection| websockets::list(connection, company_id, page, &sealing))
            .await
    }

    async fn update_websocket(
        &self,
        company_id: CompanyId,
        id: WebsocketId,
        secret: Option<Secret>,
        now: Timestamp,
    ) -> Result<Websocket, StoreError> {
        let sealing = self.parts.sealing.clone();
        self.write(move |transaction| {
            websockets::update(transaction, company_id, id, secret.clone(), now, &sealing)
        })
        .await
    }

    async fn delete_websocket(
        &self,
        company_id: CompanyId,
        id: WebsocketId,
        now: Timestamp,
    ) -> Result<Websocket, StoreError> {
        let sealing = self.parts.sealing.clone();
        self.write(move |transaction| websockets::delete(transaction, company_id, id, now, &sealing))
            .await
    }

    async fn log_end(&self, company_id: CompanyId) -> Result<LogPosition, StoreError> {
        self.read(move |connection| log::end(connection, company_id))
            .await
    }

    async fn read_log(
        &self,
        company_id: CompanyId,
        after: LogPosition,
        bounds: LogBounds,
    ) -> Result<Vec<LogEntry>, StoreError> {
        self.read(move |connection| log::read(connection, company_id, after, bounds))
            .await
    }

    async fn create_source(&self, source: Source) -> Result<Source, StoreError> {
        let sealing = self.parts.sealing.clone();
        self.write(move |transaction| sources::create(transaction, &source, &sealing))
            .await
    }

    async fn source(&self, company_id: CompanyId, id: SourceId) -> Result<Source, StoreError> {
        let sealing = self.parts.sealing.clone();
        self.read(move |connection| sources::find(connection, company_id, id, &sealing))
            .await
    }

    async fn find_source(&self, token_hash: [u8; 32]) -> Result<Option<Source>, StoreError> {
        let sealing = self.parts.sealing.clone();
        self.look_up(move |connection| sources::find_by_token(connection, token_hash, &sealing))
            .await
    }

    async fn list_sources(
        &self,
        company_id: CompanyId,
        page: PageRequest,
    ) -> Result<Page<Source>, StoreError> {
        let sealing = self.parts.sealing.clone();
        self.read(move |connection| sources::list(connection, company_id, page, &sealing))
            .await
    }

    async fn update_source(
        &self,
        company_id: CompanyId,
        id: SourceId,
        change: SourceChange,
        now: Timestamp,
    ) -> Result<Source, StoreError> {
        let sealing = self.parts.sealing.clone();
        self.write(move |transaction| sources::update(transaction, company_id, id, &change, now, &sealing))
            .await
    }

    async fn delete_source(&self, company_id: CompanyId, id: SourceId) -> Result<Source, StoreError> {
        let sealing = self.parts.sealing.clone();
        self.write(move |transaction| sources::delete(transaction, company_id, id, &sealing))
            .await
    }

    async fn keep_refusal(&self, refusal: Refusal, bounds: RefusalBounds) -> Result<(), StoreError> {
        let weight = Weight::of(1, refusal.body.len());
        self.parts
            .writer
            .run(weight, move |transaction| {
                sources::keep_refusal(transaction, &refusal, bounds)
            })
            .await
    }

    async fn read_refusals(
        &self,
        id: SourceId,
        after: Option<RefusalId>,
        most: RefusalSlice,
    ) -> Result<Vec<Refusal>, StoreError> {
        self.read(move |connection| sources::read_refusals(connection, id, after, most))
            .await
    }

    async fn forget_refusals(&self, id: SourceId, refusals: Vec<RefusalId>) -> Result<(), StoreError> {
        self.write(move |transaction| sources::forget_refusals(transaction, id, &refusals))
            .await
    }

    async fn forget_old_refusals(&self, before: Timestamp, most: u32) -> Result<u32, StoreError> {
        self.write(move |transaction| sources::forget_old_refusals(transaction, before, most))
            .await
    }

    async fn list_refusals(
        &self,
        company_id: CompanyId,
        id: SourceId,
        page: PageRequest,
    ) -> Result<Page<Refusal>, StoreError> {
        self.read(move |connection| sources::list_refusals(connection, company_id, id, page))
            .await
    }

    async fn create_subscription(
        &self,
        subscription: Subscription,
        limits: Option<SubscriptionLimits>,
    ) -> Result<Subscription, StoreError> {
        self.write(move |transaction| subscriptions::create(transaction, &subscription, limits))
            .await
    }

    async fn subscription(
        &self,
        company_id: CompanyId,
        kind: Kind,
        id: SubscriptionId,
    ) -> Result<Subscription, StoreError> {
        let subject = Subject { company_id, kind, id };
        self.read(move |connection| subscriptions::find(connection, subject))
            .await
    }

    async fn list_subscriptions(
        &self,
        company_id: CompanyId,
        filter: SubscriptionFilter,
        page: PageRequest,
    ) -> Result<Page<Subscription>, StoreError> {
        self.read(move |connection| subscriptions::list(connection, company_id, filter, page))
            .await
    }

    async fn update_subscription(
        &self,
        company_id: CompanyId,
        kind: Kind,
        id: SubscriptionId,
        change: SubscriptionChange,
        now: Timestamp,
    ) -> Result<Subscription, StoreError> {
        let subject = Subject { company_id, kind, id };
        self.write(move |transaction| subscriptions::update(transaction, subject, change, now))
            .await
    }

    async fn delete_subscription(
        &self,
        company_id: CompanyId,
        kind: Kind,
        id: SubscriptionId,
        now: Timestamp,
    ) -> Result<Subscription, StoreError> {
        let subject = Subject { company_id, kind, id };
        self.write(move |transaction| subscriptions::delete(transaction, subject, now))
            .await
    }

    async fn scan_subscriptions(&self, page: PageRequest) -> Result<Page<Subscription>, StoreError> {
        self.read(move |connection| subscriptions::scan(connection, page))
            .await
    }

    async fn last_revision(&self) -> Result<Revision, StoreError> {
        self.read(versions::last_revision).await
    }

    async fn subscription_changes(
        &self,
        company_id: Option<CompanyId>,
        page: PageRequest,
    ) -> Result<Page<SubscriptionVersion>, StoreError> {
        self.read(move |connection| versions::changes(connection, company_id, page))
            .await
    }

    async fn explain_subscriptions(
        &self,
        company_id: CompanyId,
        event_id: EventId,
        only: Option<SubscriptionId>,
        page: PageRequest,
    ) -> Result<Explained, StoreError> {
        self.read(move |connection| explain::explain(connection, company_id, event_id, only, page))
            .await
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

    async fn event(&self, company_id: CompanyId, id: EventId) -> Result<EventRecord, StoreError> {
        self.read(move |connection| events::find(connection, company_id, id))
            .await
    }

    async fn list_events(
        &self,
        company_id: CompanyId,
        filter: EventFilter,
        page: PageRequest,
    ) -> Result<Page<EventRecord>, StoreError> {
        self.read(move |connection| events::list(connection, company_id, &filter, page))
            .await
    }

    async fn list_event_heads(
        &self,
        company_id: CompanyId,
        filter: EventFilter,
        page: PageRequest,
    ) -> Result<Page<EventHead>, StoreError> {
        self.read(move |connection| events::list_heads(connection, company_id, &filter, page))
            .await
    }

    async fn delivery(&self, company_id: CompanyId, id: DeliveryId) -> Result<Delivery, StoreError> {
        self.read(move |connection| deliveries::find(connection, company_id, id))
            .await
    }

    async fn list_deliveries(
        &self,
        company_id: CompanyId,
        filter: DeliveryFilter,
        page: PageRequest,
    ) -> Result<Page<Delivery>, StoreError> {
        self.read(move |connection| deliveries::list(connection, company_id, &filter, page))
            .await
    }

    async fn attempts_of(&self, id: DeliveryId) -> Result<Vec<Attempt>, StoreError> {
        self.read(move |connection| attempt_row::all_of(connection, id))
            .await
    }

    async fn last_attempts(&self, ids: Vec<DeliveryId>) -> Result<Vec<LastAttempt>, StoreError> {
        self.read(move |connection| attempt_row::last_of(connection, &ids))
            .await
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
        self.read(move |connection| pending::pending_webhooks(connection, after, limit))
            .await
    }

    async fn pending_deliveries_of(
        &self,
        webhook_id: WebhookId,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        self.read(move |connection| pending::pending_of(connection, webhook_id, limit))
            .await
    }

    async fn count_pending(
        &self,
        webhook_ids: Vec<WebhookId>,
        now: Timestamp,
        most: u32,
    ) -> Result<Vec<PendingCount>, StoreError> {
        self.read(move |connection| pending::count(connection, &webhook_ids, now, most))
            .await
    }

    async fn oldest_undelivered(&self) -> Result<Option<Timestamp>, StoreError> {
        self.read(pending::oldest_undelivered).await
    }

    async fn longest_waiting(&self, webhook_id: WebhookId) -> Result<Option<Waiting>, StoreError> {
        self.read(move |connection| pending::longest_waiting(connection, webhook_id))
            .await
    }

    async fn add_notice(&self, notice: Notice) -> Result<(), StoreError> {
        self.write(move |transaction| notices::add(transaction, &notice))
            .await
    }

    async fn list_notifications(
        &self,
        company_id: CompanyId,
        page: PageRequest,
    ) -> Result<Page<NotificationRecord>, StoreError> {
        self.read(move |connection| notifications::list(connection, company_id, page))
            .await
    }

    async fn are_notifications_due(&self, claim: NotificationClaim) -> Result<bool, StoreError> {
        self.read(move |connection| notifications::are_due(connection, &claim))
            .await
    }

    async fn claim_notifications(
        &self,
        claim: NotificationClaim,
    ) -> Result<Vec<ClaimedNotification>, StoreError> {
        let sealing = self.parts.sealing.clone();
        self.write(move |transaction| notifications::claim(transaction, &claim, &sealing))
            .await
    }

    async fn finish_notification(&self, finished: FinishedNotification) -> Result<(), StoreError> {
        self.write(move |transaction| notifications::finish(transaction, &finished))
            .await
    }

    async fn forget_old_notifications(&self, before: Timestamp, most: u32) -> Result<u32, StoreError> {
        self.write(move |transaction| notifications::forget_old(transaction, before, most))
            .await
    }

    async fn create_channel(&self, channel: Channel) -> Result<Channel, StoreError> {
        let sealing = self.parts.sealing.clone();
        self.write(move |transaction| channels::create(transaction, &channel, &sealing))
            .await
    }

    async fn channel(&self, company_id: CompanyId, id: ChannelId) -> Result<Channel, StoreError> {
        let sealing = self.parts.sealing.clone();
        self.read(move |connection| channels::find(connection, company_id, id, &sealing))
            .await
    }

    async fn list_channels(
        &self,
        company_id: CompanyId,
        page: PageRequest,
    ) -> Result<Page<Channel>, StoreError> {
        let sealing = self.parts.sealing.clone();
        self.read(move |connection| channels::list(connection, company_id, page, &sealing))
            .await
    }

    async fn update_channel(
        &self,
        company_id: CompanyId,
        id: ChannelId,
        change: ChannelChange,
        now: Timestamp,
    ) -> Result<Channel, StoreError> {
        let sealing = self.parts.sealing.clone();
        self.write(move |transaction| channels::update(transaction, company_id, id, &change, now, &sealing))
            .await
    }

    async fn delete_channel(&self, company_id: CompanyId, id: ChannelId) -> Result<Channel, StoreError> {
        let sealing = self.parts.sealing.clone();
        self.write(move |transaction| {
            transaction.overwriting(|transaction| channels::delete(transaction, company_id, id, &sealing))
        })
        .await
    }

    async fn note_last_events(&self, last: Vec<(SourceId, Timestamp)>) -> Result<(), StoreError> {
        self.write(move |transaction| sources::note_last_events(transaction, &last))
            .await
    }

    async fn silent_sources(&self, before: Timestamp) -> Result<Vec<(CompanyId, SilentSource)>, StoreError> {
        self.read(move |connection| sources::silent(connection, before))
            .await
    }

    async fn add_history(&self, sums: Vec<Sum>) -> Result<(), StoreError> {
        self.write(move |transaction| history::add(transaction, &sums))
            .await
    }

    async fn history(
        &self,
        whose: Vec<Whose>,
        resolution: Resolution,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Sum>, StoreError> {
        self.read(move |connection| history::list(connection, &whose, resolution, from, to))
            .await
    }

    async fn forget_old_history(
        &self,
        resolution: Resolution,
        before: Timestamp,
        most: u32,
    ) -> Result<u32, StoreError> {
        self.write(move |transaction| history::forget(transaction, resolution, before, most))
            .await
    }

    async fn size(&self) -> Result<StoreSize, StoreError> {
        self.read(retention::size).await
    }

    async fn remove_events(&self, slice: RemovalSlice) -> Result<Removed, StoreError> {
        let find = move |connection: &Connection| retention::removable(connection, slice);
        let found = self.read(find).await?;
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
        let found = self.read(find).await?;
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
            .read(move |connection| erasure::find(connection, &slice))
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
                        sources::erase_from_refusals(transaction, company_id, &number)?;
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

    async fn create_replay(&self, new: NewReplay) -> Result<Replay, StoreError> {
        let sealing = self.parts.sealing.clone();
        self.write(move |transaction| replays::create(transaction, &new, &sealing))
            .await
    }

    async fn replay(&self, company_id: CompanyId, id: ReplayId) -> Result<Replay, StoreError> {
        self.read(move |connection| replays::find(connection, company_id, id))
            .await
    }

    async fn list_replays(
        &self,
        company_id: CompanyId,
        page: PageRequest,
    ) -> Result<Page<Replay>, StoreError> {
        self.read(move |connection| replays::list(connection, company_id, page))
            .await
    }

    async fn running_replays(&self, page: PageRequest) -> Result<Page<Replay>, StoreError> {
        self.read(move |connection| replays::running(connection, page))
            .await
    }

    async fn replay_webhooks(&self, company_id: CompanyId) -> Result<Vec<Webhook>, StoreError> {
        let sealing = self.parts.sealing.clone();
        self.read(move |connection| webhooks::of_replays(connection, company_id, &sealing))
            .await
    }

    async fn select_for_replay(&self, replay: Replay, scan: Scan) -> Result<Selection, StoreError> {
        self.read(move |connection| replay_scan::select(connection, &replay, scan))
            .await
    }

    async fn advance_replay(&self, step: ReplayStep) -> Result<Replay, StoreError> {
        let weight = Weight::of(1 + step.deliveries.len(), 0);
        self.parts
            .writer
            .run(weight, move |transaction| replays::advance(transaction, &step))
            .await
    }

    async fn end_replay(&self, id: ReplayId, end: ReplayEnd, now: Timestamp) -> Result<Replay, StoreError> {
        self.write(move |transaction| replays::end(transaction, id, &end, now))
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
        self.read(health::last_id).await
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
            tokio::time::sleep(LOOK_FOR_LOSS_EVERY).await;
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
