//! A store that fails or stalls when it is told to: everything is the real one's work, unless a fault is set.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use parking_lot::Mutex;
use switchhook_domain::attempt::Attempt;
use switchhook_domain::breaker::Breaker;
use switchhook_domain::company::{Company, CompanyChange};
use switchhook_domain::delivery::Delivery;
use switchhook_domain::history::{Granularity, HistorySubject, Sum};
use switchhook_domain::id::{
    ChannelId, CompanyId, DeliveryId, EventId, KeyId, RefusalId, ReplayId, SourceId, SubscriptionId,
    WebhookId, WebsocketId,
};
use switchhook_domain::key::ApiKey;
use switchhook_domain::notification::{Channel, ChannelChange, Notice, SilentSource};
use switchhook_domain::outage::Outage;
use switchhook_domain::replay::Replay;
use switchhook_domain::secret::Secret;
use switchhook_domain::source::{RecentRefusals, Refusal, RefusalBounds, Source, SourceChange};
use switchhook_domain::subscription::{Revision, Subscription, SubscriptionChange, SubscriptionVersion};
use switchhook_domain::webhook::{Webhook, WebhookChange};
use switchhook_domain::websocket::Websocket;
use switchhook_domain::{Kind, Timestamp};
use switchhook_store::{
    Change, Claim, ClaimAnswer, ClaimedNotification, Consumer, ConsumerMove, DeadLetterFilter,
    DeadLetterGroups, DeadLetterStore, DeliveryFilter, DeliveryProgress, DroppedPayloads, Erased,
    ErasureSlice, EventFilter, EventHead, EventRecord, EventStore, Explained, FailedAttempts, FeedStore,
    FinishedAttempt, FinishedNotification, HandOver, KeyStore, LastAttempt, LogBounds, LogEntry, LogPosition,
    NewEvent, NewReplay, NotificationClaim, NotificationRecord, NotificationStore, OutageWrite, Page,
    PageRequest, PayloadSlice, PendingCount, PendingWebhook, Recorded, RefusalSlice, Release, RemovalSlice,
    Removed, ReplayEnd, ReplayStep, ReplayStore, Resealed, Scan, Selection, Session, SourceStore, Store,
    StoreError, StoreSize, SubscriptionFilter, SubscriptionLimits, SubscriptionStore, SuspensionRecord,
    WaitingDelivery, WebhookStore, WebsocketStore,
};
use tokio::sync::{OwnedRwLockWriteGuard, RwLock, mpsc, watch};

/// A store around another.
pub(crate) struct FaultyStore {
    inner: Arc<dyn Store>,
    /// Fault of every write.
    fault: watch::Sender<Option<Fault>>,
    released: AtomicUsize,
    /// Held by who wants lists to wait.
    lists: Arc<RwLock<()>>,
    /// Method that panics, if one is to.
    panics: Mutex<Option<&'static str>>,
    changes: Mutex<Option<mpsc::Receiver<Change>>>,
}

/// Fault of writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// They fail, and nothing is done.
    Fails(String),
    /// They wait until the fault is over, and are done then: somebody else has the lock.
    Waits,
    /// They are done, but the answer is lost with the connection.
    LosesAnswers,
}

impl FaultyStore {
    pub(crate) fn around(inner: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self {
            changes: Mutex::new(inner.take_changes()),
            inner,
            fault: watch::Sender::new(None),
            released: AtomicUsize::new(0),
            lists: Arc::default(),
            panics: Mutex::default(),
        })
    }

    /// Lets a method panic from now on.
    pub(crate) fn panic_in(&self, method: &'static str) {
        *self.panics.lock() = Some(method);
    }

    /// Lets the node hear of what other nodes change, through what is answered.
    pub(crate) fn with_other_nodes(&self) -> mpsc::Sender<Change> {
        let (changed, changes) = mpsc::channel(8);
        *self.changes.lock() = Some(changes);
        changed
    }

    fn called(&self, method: &str) {
        let panics = *self.panics.lock();
        assert_ne!(panics, Some(method), "as the test wants");
    }

    /// Lets every write fail with these words from now on, or none.
    pub(crate) fn set(&self, fault: Option<&str>) {
        self.set_fault(fault.map(|why| Fault::Fails(why.to_owned())));
    }

    /// Lets every list of events wait until what is answered is dropped, and every list of attempts once it is read.
    pub(crate) fn hold_lists(&self) -> OwnedRwLockWriteGuard<()> {
        let lists = Arc::clone(&self.lists);
        lists.try_write_owned().expect("nobody reads yet")
    }

    pub(crate) fn set_fault(&self, fault: Option<Fault>) {
        self.fault.send_replace(fault);
    }

    /// Number of claims that were released.
    pub(crate) fn released(&self) -> usize {
        self.released.load(Ordering::Relaxed)
    }

    async fn write<T>(&self, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let mut fault = self.fault.subscribe();
        // The sender is this store's own.
        let _ = fault.wait_for(|fault| *fault != Some(Fault::Waits)).await;
        let fault = fault.borrow().clone();
        match fault {
            None | Some(Fault::Waits) => work.await,
            Some(Fault::Fails(why)) => Err(StoreError::Unavailable(why)),
            Some(Fault::LosesAnswers) => match work.await {
                Ok(_) => Err(StoreError::Unavailable("the connection was lost".into())),
                error => error,
            },
        }
    }
}

/// A part of the store, of which what is given after `with` is done otherwise.
macro_rules! delegated {
    (
        $part:ident
        reads { $($read:ident($($read_arg:ident: $read_type:ty),*) -> $read_answer:ty;)* }
        writes { $($write:ident($($write_arg:ident: $write_type:ty),*) -> $write_answer:ty;)* }
        $(with { $($other:item)* })?
    ) => {
        #[async_trait]
        impl $part for FaultyStore {
            $($($other)*)?

            $(async fn $read(&self, $($read_arg: $read_type),*) -> Result<$read_answer, StoreError> {
                self.called(stringify!($read));
                self.inner.$read($($read_arg),*).await
            })*

            $(async fn $write(&self, $($write_arg: $write_type),*) -> Result<$write_answer, StoreError> {
                self.called(stringify!($write));
                self.write(self.inner.$write($($write_arg),*)).await
            })*
        }
    };
}

delegated! {
    KeyStore
    reads {
        list_keys(company_id: Option<CompanyId>, page: PageRequest) -> Page<ApiKey>;
        count_valid_keys(company_id: CompanyId, now: Timestamp) -> usize;
        find_key(hash: [u8; 32]) -> Option<ApiKey>;
        keys(ids: Vec<KeyId>) -> Vec<ApiKey>;
        ended_sessions(sessions: Vec<Session>) -> Vec<Session>;
        list_companies(page: PageRequest) -> Page<Company>;
    }
    writes {
        create_key(key: ApiKey) -> ApiKey;
        revoke_key(id: KeyId, now: Timestamp) -> ApiKey;
        note_key_uses(uses: Vec<(KeyId, Timestamp)>) -> ();
        end_session(session: Session, now: Timestamp) -> ();
        update_company(id: CompanyId, change: CompanyChange) -> Company;
    }
}

delegated! {
    WebhookStore
    reads {
        lasting_outages(company_id: Option<CompanyId>) -> Vec<(WebhookId, Outage)>;
        outages_of(webhook_id: WebhookId, most: u32) -> Vec<Outage>;
        webhook(company_id: CompanyId, id: WebhookId) -> Webhook;
        list_webhooks(company_id: CompanyId, page: PageRequest) -> Page<Webhook>;
        scan_webhooks(page: PageRequest) -> Page<Webhook>;
        list_suspensions(company_id: Option<CompanyId>, since: Timestamp) -> Vec<SuspensionRecord>;
    }
    writes {
        write_outages(writes: Vec<OutageWrite>) -> ();
        create_webhook(webhook: Webhook) -> Webhook;
        update_webhook(company_id: CompanyId, id: WebhookId, change: WebhookChange, now: Timestamp) -> Webhook;
        delete_webhook(company_id: CompanyId, id: WebhookId, now: Timestamp) -> Webhook;
        reseal_secrets(after: Option<WebhookId>, limit: u32) -> Resealed;
        forget_old_secrets(now: Timestamp) -> usize;
        save_breaker(webhook_id: WebhookId, breaker: Breaker, now: Timestamp) -> ();
    }
}

delegated! {
    WebsocketStore
    reads {
        websocket(company_id: CompanyId, id: WebsocketId) -> Websocket;
        list_websockets(company_id: Option<CompanyId>, page: PageRequest) -> Page<Websocket>;
        log_end(company_id: CompanyId) -> LogPosition;
        read_log(company_id: CompanyId, after: LogPosition, bounds: LogBounds) -> Vec<LogEntry>;
    }
    writes {
        create_websocket(websocket: Websocket) -> Websocket;
        update_websocket(company_id: CompanyId, id: WebsocketId, secret: Option<Secret>, now: Timestamp) -> Websocket;
        delete_websocket(company_id: CompanyId, id: WebsocketId, now: Timestamp) -> Websocket;
    }
}

delegated! {
    SourceStore
    reads {
        source(company_id: CompanyId, id: SourceId) -> Source;
        find_source(token_hash: [u8; 32]) -> Option<Source>;
        list_sources(company_id: CompanyId, page: PageRequest) -> Page<Source>;
        count_sources(company_id: CompanyId) -> usize;
        read_refusals(id: SourceId, after: Option<RefusalId>, most: RefusalSlice) -> Vec<Refusal>;
        list_refusals(company_id: CompanyId, id: SourceId, page: PageRequest) -> Page<Refusal>;
        refusing_sources(company_id: CompanyId, since: Timestamp, most: u32) -> Vec<RecentRefusals>;
        silent_sources(before: Timestamp) -> Vec<(CompanyId, SilentSource)>;
    }
    writes {
        note_last_events(last: Vec<(SourceId, Timestamp)>) -> ();
        create_source(source: Source) -> Source;
        update_source(company_id: CompanyId, id: SourceId, change: SourceChange, now: Timestamp) -> Source;
        delete_source(company_id: CompanyId, id: SourceId) -> Source;
        keep_refusal(refusal: Refusal, bounds: RefusalBounds) -> ();
        forget_refusals(id: SourceId, refusals: Vec<RefusalId>) -> ();
        forget_old_refusals(before: Timestamp, most: u32) -> u32;
    }
}

delegated! {
    SubscriptionStore
    reads {
        subscription(company_id: CompanyId, kind: Kind, id: SubscriptionId) -> Subscription;
        list_subscriptions(company_id: CompanyId, filter: SubscriptionFilter, page: PageRequest) -> Page<Subscription>;
        scan_subscriptions(page: PageRequest) -> Page<Subscription>;
        last_revision() -> Revision;
        subscription_changes(company_id: Option<CompanyId>, page: PageRequest) -> Page<SubscriptionVersion>;
        explain_subscriptions(company_id: CompanyId, event_id: EventId, only: Option<SubscriptionId>, page: PageRequest) -> Explained;
    }
    writes {
        create_subscription(subscription: Subscription, limits: Option<SubscriptionLimits>) -> Subscription;
        update_subscription(company_id: CompanyId, kind: Kind, id: SubscriptionId, change: SubscriptionChange, now: Timestamp) -> Subscription;
        delete_subscription(company_id: CompanyId, kind: Kind, id: SubscriptionId, now: Timestamp) -> Subscription;
    }
}

delegated! {
    EventStore
    reads {
        event(company_id: CompanyId, id: EventId) -> EventRecord;
        list_events(company_id: CompanyId, filter: EventFilter, page: PageRequest) -> Page<EventRecord>;
        small_events(company_id: CompanyId, ids: Vec<EventId>) -> Vec<EventRecord>;
        delivery(company_id: CompanyId, id: DeliveryId) -> Delivery;
        list_deliveries(company_id: CompanyId, filter: DeliveryFilter, page: PageRequest) -> Page<Delivery>;
        deliveries(company_id: CompanyId, ids: Vec<DeliveryId>) -> Vec<Delivery>;
        failed_attempts(company_id: CompanyId, filter: DeliveryFilter, page: PageRequest) -> FailedAttempts;
        last_attempts(ids: Vec<DeliveryId>) -> Vec<LastAttempt>;
    }
    writes {
    }
    with {
        async fn list_event_heads(
            &self,
            company_id: CompanyId,
            filter: EventFilter,
            page: PageRequest,
        ) -> Result<Page<EventHead>, StoreError> {
            let _held = self.lists.read().await;
            self.inner.list_event_heads(company_id, filter, page).await
        }

        async fn attempts_of(&self, id: DeliveryId) -> Result<Vec<Attempt>, StoreError> {
            let read = self.inner.attempts_of(id).await;
            let _held = self.lists.read().await;
            read
        }
    }
}

delegated! {
    DeadLetterStore
    reads {
        dead_letter_groups(company_id: CompanyId, filter: DeadLetterFilter, most: u32, most_of_each: u32) -> DeadLetterGroups;
        dead_letters(company_id: CompanyId, filter: DeadLetterFilter, page: PageRequest) -> Page<Delivery>;
    }
    writes {
        dismiss_dead_letters(company_id: CompanyId, ids: Vec<DeliveryId>, now: Timestamp) -> u64;
    }
}

delegated! {
    FeedStore
    reads {
        feeds(company_id: Option<CompanyId>) -> BTreeSet<CompanyId>;
        consumer(company_id: CompanyId, name: String) -> Consumer;
        list_consumers(company_id: CompanyId) -> Vec<Consumer>;
    }
    writes {
        open_feed(company_id: CompanyId, now: Timestamp) -> bool;
        log_earlier_events(company_id: CompanyId, most: u32) -> ();
        create_consumer(consumer: Consumer, most: u32) -> (Consumer, bool);
        move_consumer(company_id: CompanyId, name: String, to: ConsumerMove, now: Timestamp) -> Consumer;
        delete_consumer(company_id: CompanyId, name: String) -> Consumer;
    }
}

delegated! {
    ReplayStore
    reads {
        replay(company_id: CompanyId, id: ReplayId) -> Replay;
        list_replays(company_id: CompanyId, page: PageRequest) -> Page<Replay>;
        running_replays(page: PageRequest) -> Page<Replay>;
        replay_webhooks(company_id: CompanyId) -> Vec<Webhook>;
    }
    writes {
        create_replay(new: NewReplay) -> Replay;
        end_replay(id: ReplayId, end: ReplayEnd, now: Timestamp) -> Replay;
    }
}

delegated! {
    NotificationStore
    reads {
        list_notifications(company_id: CompanyId, page: PageRequest) -> Page<NotificationRecord>;
        are_notifications_due(claim: NotificationClaim) -> bool;
        channel(company_id: CompanyId, id: ChannelId) -> Channel;
        list_channels(company_id: CompanyId, page: PageRequest) -> Page<Channel>;
    }
    writes {
        add_notice(notice: Notice) -> ();
        claim_notifications(claim: NotificationClaim) -> Vec<ClaimedNotification>;
        finish_notification(finished: FinishedNotification) -> ();
        forget_old_notifications(before: Timestamp, most: u32) -> u32;
        create_channel(channel: Channel) -> Channel;
        update_channel(company_id: CompanyId, id: ChannelId, change: ChannelChange, now: Timestamp) -> Channel;
        delete_channel(company_id: CompanyId, id: ChannelId) -> Channel;
    }
}

delegated! {
    Store
    reads {
        progress_of(ids: Vec<DeliveryId>) -> Vec<DeliveryProgress>;
        count_pending(webhook_ids: Vec<WebhookId>, now: Timestamp, most: u32) -> Vec<PendingCount>;
        oldest_undelivered() -> Option<Timestamp>;
        history(whose: Vec<HistorySubject>, resolution: Granularity, from: Timestamp, to: Timestamp) -> Vec<Sum>;
        pending_deliveries_of(webhook_id: WebhookId, limit: u32) -> Vec<Delivery>;
        select_for_replay(replay: Replay, scan: Scan) -> Selection;
        longest_waiting(webhook_id: WebhookId) -> Option<WaitingDelivery>;
        pending_webhooks(after: Option<WebhookId>, limit: u32) -> Vec<PendingWebhook>;
        size() -> StoreSize;
        last_id() -> i64;
        time() -> Option<Timestamp>;
    }
    writes {
        add_history(sums: Vec<Sum>) -> ();
        forget_old_history(resolution: Granularity, before: Timestamp, most: u32) -> u32;
        record_events(events: Vec<NewEvent>) -> Vec<Recorded>;
        redeliver(company_id: CompanyId, id: DeliveryId, new_id: DeliveryId, now: Timestamp) -> Delivery;
        cancel_delivery(company_id: CompanyId, id: DeliveryId, now: Timestamp) -> Delivery;
        claim_due_deliveries(claim: Claim) -> Vec<ClaimAnswer>;
        finish_attempts(finished: Vec<FinishedAttempt>) -> usize;
        make_retries_due(webhook_id: WebhookId, now: Timestamp, limit: u32) -> usize;
        cancel_deliveries_of(webhook_id: WebhookId, now: Timestamp, limit: u32) -> usize;
        skip_deliveries_of(webhook_id: WebhookId, made_until: Timestamp, note: &'static str, now: Timestamp, limit: u32) -> usize;
        advance_replay(step: ReplayStep) -> Replay;
        cancel_replay(company_id: CompanyId, id: ReplayId, now: Timestamp) -> Replay;
        remove_events(slice: RemovalSlice) -> Removed;
        drop_payloads(slice: PayloadSlice, now: Timestamp) -> DroppedPayloads;
        erase_number(slice: ErasureSlice, now: Timestamp) -> Erased;
        check() -> ();
    }
    with {
        fn take_hand_over(&self) -> Option<mpsc::UnboundedReceiver<HandOver>> {
            self.inner.take_hand_over()
        }

        fn take_changes(&self) -> Option<mpsc::Receiver<Change>> {
            self.changes.lock().take()
        }

        fn nodes(&self) -> u32 {
            self.called("nodes");
            self.inner.nodes()
        }

        async fn close(&self) {
            self.inner.close().await;
        }

        async fn release_deliveries(&self, released: Vec<Release>, now: Timestamp) -> Result<(), StoreError> {
            self.released.fetch_add(released.len(), Ordering::Relaxed);
            self.write(self.inner.release_deliveries(released, now)).await
        }
    }
}
