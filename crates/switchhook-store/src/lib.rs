//! Where Switchhook keeps what it promised to keep: one trait, its drivers, and the suite that every driver passes.
//!
//! Every method is one transaction from the caller's side and speaks the domain's language; no transaction object, no
//! SQL and no backoff leaves or enters the crate. Time is an argument. Start at [`Store`]; then `sqlite.rs`.

mod attempt;
mod change;
mod claim;
mod commit;
mod copy;
mod effects;
mod error;
mod event;
mod explain;
mod filter;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod given_up;
mod notification;
mod observer;
mod open;
mod options;
mod order_queue;
mod outage;
mod page;
pub mod permission;
pub mod postgres;
mod redelivery;
mod registry;
mod replay;
mod replaying;
mod retention;
mod row;
mod sealing;
mod session;
pub mod sqlite;
mod sweeping;
mod waiting;
mod websocket;
mod write;

use std::sync::Arc;

use async_trait::async_trait;
use switchhook_domain::attempt::Attempt;
use switchhook_domain::breaker::Breaker;
use switchhook_domain::company::{Company, CompanyChange};
use switchhook_domain::delivery::Delivery;
use switchhook_domain::history::{Resolution, Sum, Whose};
use switchhook_domain::id::{
    ChannelId, CompanyId, DeliveryId, EventId, IdSequence, KeyId, RefusalId, ReplayId, SourceId,
    SubscriptionId, WebhookId, WebsocketId,
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

pub use attempt::LastAttempt;
pub use change::Change;
pub use claim::{
    Claim, ClaimAnswer, ClaimRequest, ClaimedDelivery, Expired, FinishedAttempt, HandOver, HandedOver,
    PendingCount, PendingWebhook, Release, Waiting,
};
pub use copy::{CopiedSecrets, CopyProgress, CopyReport, copy};
pub use error::StoreError;
pub use event::{EventHead, EventRecord, Idempotency, LARGEST_EVENT_PAGE, NewDelivery, NewEvent, Recorded};
pub use explain::Explained;
pub use filter::{DeliveryFilter, EventFilter};
pub use notification::{
    ClaimedNotification, FinishedNotification, NotificationClaim, NotificationRecord, Recipients,
};
pub use observer::{Commit, CommitObserver, SetAside};
pub use open::{Migrated, backup, check_url, is_in_memory, migrate, open, restore};
pub use options::{Role, StoreOptions};
pub use outage::OutageWrite;
pub use page::{Page, PageRequest, RefusalSlice};
pub use registry::{SubscriptionFilter, SubscriptionLimits, SuspensionRecord};
pub use replay::{NewReplay, ReplayDelivery, ReplayEnd, ReplayStep, Scan, Selection};
pub use retention::{
    DroppedPayloads, Erased, ErasureExtent, ErasureSlice, PayloadRemoval, PayloadSlice, RemovalReason,
    RemovalSlice, Removed, StoreSize,
};
pub use sealing::{Resealed, Sealer, SecretOwner};
pub use session::{ENDED_SESSIONS_KEPT, Session};
pub use sqlite::{Copied, Existing};
pub use waiting::{Backlog, Progress};
pub use websocket::{LogBounds, LogEntry, LogPosition};

/// What is kept, and the few things that are done with it.
///
/// # Promises
/// - When a writing method has answered `Ok`, what it did survives `kill -9` and a power cut.
/// - One failing entry of a batch, or of a commit shared with other callers, never fails its neighbours.
/// - A delivery in a final state never changes again, and an attempt takes effect only if its delivery is still at
///   that attempt's number and still claimed by the node that made it.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    // --- the stream of claimed deliveries -------------------------------------------------------------------------

    /// The stream in which this node gets the deliveries that it claimed, in the order of the commits that did it.
    ///
    /// One message a commit. Its length is bounded by what the node asks for: nothing is claimed that it did not
    /// request. Answers `None` if it was already taken.
    fn take_hand_over(&self) -> Option<mpsc::UnboundedReceiver<HandOver>>;

    /// What other nodes changed, as it comes in; it may say too much, never too little. `None` if there can be no other
    /// nodes, or it was already taken.
    fn take_changes(&self) -> Option<mpsc::Receiver<Change>> {
        None
    }

    /// How many nodes share the work now, this one included.
    fn nodes(&self) -> u32 {
        1
    }

    // --- companies and keys ---------------------------------------------------------------------------------------

    /// Keeps a key; its company is created if it is not there.
    async fn create_key(&self, key: ApiKey) -> Result<ApiKey, StoreError>;
    /// The keys, oldest first, revoked ones included.
    async fn list_keys(
        &self,
        company_id: Option<CompanyId>,
        page: PageRequest,
    ) -> Result<Page<ApiKey>, StoreError>;
    /// Revokes a key; a second time changes nothing.
    async fn revoke_key(&self, id: KeyId, now: Timestamp) -> Result<ApiKey, StoreError>;
    /// The key with this hash. Waits for no reader of anything else, nor do the next two.
    async fn find_key(&self, hash: [u8; 32]) -> Result<Option<ApiKey>, StoreError>;
    /// The keys with these ids, as far as there are such; in no order.
    async fn keys(&self, ids: Vec<KeyId>) -> Result<Vec<ApiKey>, StoreError>;
    /// Those of the sessions that were ended.
    async fn ended_sessions(&self, sessions: Vec<Session>) -> Result<Vec<Session>, StoreError>;
    /// Ends a session of the dashboard for good: on every node, and after a restart. Of one key a thousand are remembered
    /// for a day; with one more, all that the key began until now have ended.
    async fn end_session(&self, session: Session, now: Timestamp) -> Result<(), StoreError>;
    /// The companies, oldest first.
    async fn list_companies(&self, page: PageRequest) -> Result<Page<Company>, StoreError>;
    /// Changes a company.
    async fn update_company(&self, id: CompanyId, change: CompanyChange) -> Result<Company, StoreError>;

    // --- webhooks -------------------------------------------------------------------------------------------------

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
    /// are cancelled afterwards, in slices, by [`Store::cancel_deliveries_of`].
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

    /// When and why webhooks of the company (or of all) were suspended, if it lasts or ended after `since`; by webhook, oldest
    /// first.
    async fn list_suspensions(
        &self,
        company_id: Option<CompanyId>,
        since: Timestamp,
    ) -> Result<Vec<SuspensionRecord>, StoreError>;
    /// Keeps how a webhook's breaker is, so that it is known after a restart.
    async fn save_breaker(
        &self,
        webhook_id: WebhookId,
        breaker: Breaker,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Writes down when webhooks' outages begin, go on and end, in this order and in one commit.
    async fn write_outages(&self, writes: Vec<OutageWrite>) -> Result<(), StoreError>;
    /// The outages that last of the company's webhooks, or of all, by webhook.
    async fn lasting_outages(
        &self,
        company_id: Option<CompanyId>,
    ) -> Result<Vec<(WebhookId, Outage)>, StoreError>;
    /// A webhook's outages, newest first; a thousand are kept.
    async fn outages_of(&self, webhook_id: WebhookId, most: u32) -> Result<Vec<Outage>, StoreError>;

    // --- websockets -----------------------------------------------------------------------------------------------

    /// Keeps a websocket.
    async fn create_websocket(&self, websocket: Websocket) -> Result<Websocket, StoreError>;
    /// One websocket of the company.
    async fn websocket(&self, company_id: CompanyId, id: WebsocketId) -> Result<Websocket, StoreError>;
    /// The websockets of the company, or of all, oldest first.
    async fn list_websockets(
        &self,
        company_id: Option<CompanyId>,
        page: PageRequest,
    ) -> Result<Page<Websocket>, StoreError>;
    /// Gives a websocket another secret, or none any more.
    async fn update_websocket(
        &self,
        company_id: CompanyId,
        id: WebsocketId,
        secret: Option<Secret>,
        now: Timestamp,
    ) -> Result<Websocket, StoreError>;
    /// Deletes a websocket and answers what it was. Its subscriptions stay, without an endpoint.
    async fn delete_websocket(
        &self,
        company_id: CompanyId,
        id: WebsocketId,
        now: Timestamp,
    ) -> Result<Websocket, StoreError>;
    /// Where the company's log ends now: what comes after is not accepted yet.
    async fn log_end(&self, company_id: CompanyId) -> Result<LogPosition, StoreError>;
    /// The next events of the company's log after a place. No event is ever found before one that was found earlier.
    async fn read_log(
        &self,
        company_id: CompanyId,
        after: LogPosition,
        bounds: LogBounds,
    ) -> Result<Vec<LogEntry>, StoreError>;

    // --- sources --------------------------------------------------------------------------------------------------

    /// Keeps a source.
    async fn create_source(&self, source: Source) -> Result<Source, StoreError>;
    /// One source of the company.
    async fn source(&self, company_id: CompanyId, id: SourceId) -> Result<Source, StoreError>;
    /// The source with a token of this hash.
    async fn find_source(&self, token_hash: [u8; 32]) -> Result<Option<Source>, StoreError>;
    /// The company's sources, oldest first.
    async fn list_sources(
        &self,
        company_id: CompanyId,
        page: PageRequest,
    ) -> Result<Page<Source>, StoreError>;
    /// Changes a source.
    async fn update_source(
        &self,
        company_id: CompanyId,
        id: SourceId,
        change: SourceChange,
        now: Timestamp,
    ) -> Result<Source, StoreError>;
    /// Deletes a source with its refusals and answers what it was. The events that came in by it stay.
    async fn delete_source(&self, company_id: CompanyId, id: SourceId) -> Result<Source, StoreError>;
    /// Keeps what a source did not take, and of its refusals the newest that `bounds` allow. Does nothing if the source is
    /// gone.
    async fn keep_refusal(&self, refusal: Refusal, bounds: RefusalBounds) -> Result<(), StoreError>;
    /// Some of a source's refusals, oldest first, whole. None are left after the last slice, which is empty.
    async fn read_refusals(
        &self,
        id: SourceId,
        after: Option<RefusalId>,
        most: RefusalSlice,
    ) -> Result<Vec<Refusal>, StoreError>;
    /// Writes down when the last event came in by each of these sources.
    async fn note_last_events(&self, last: Vec<(SourceId, Timestamp)>) -> Result<(), StoreError>;
    /// The sources of all companies whose last event is from before `before`, with whose they are.
    async fn silent_sources(&self, before: Timestamp) -> Result<Vec<(CompanyId, SilentSource)>, StoreError>;
    /// Removes refusals of a source that were taken after all.
    async fn forget_refusals(&self, id: SourceId, refusals: Vec<RefusalId>) -> Result<(), StoreError>;
    /// Removes the oldest refusals of before `before`, `most` at a time; answers how many.
    async fn forget_old_refusals(&self, before: Timestamp, most: u32) -> Result<u32, StoreError>;
    /// A source's refusals, newest first, with the heads of their bodies.
    async fn list_refusals(
        &self,
        company_id: CompanyId,
        id: SourceId,
        page: PageRequest,
    ) -> Result<Page<Refusal>, StoreError>;

    // --- subscriptions --------------------------------------------------------------------------------------------

    /// Keeps a subscription; `Conflict` if the company has one with the same endpoint and filter, `NotFound` if the
    /// webhook or websocket is not the company's, `LimitReached` if there are limits and they are.
    async fn create_subscription(
        &self,
        subscription: Subscription,
        limits: Option<SubscriptionLimits>,
    ) -> Result<Subscription, StoreError>;
    /// One subscription of the company and kind.
    async fn subscription(
        &self,
        company_id: CompanyId,
        kind: Kind,
        id: SubscriptionId,
    ) -> Result<Subscription, StoreError>;
    /// The company's subscriptions, oldest first.
    async fn list_subscriptions(
        &self,
        company_id: CompanyId,
        filter: SubscriptionFilter,
        page: PageRequest,
    ) -> Result<Page<Subscription>, StoreError>;
    /// Changes a subscription; errors as for creating one, and `Invalid` if the change makes no sense.
    async fn update_subscription(
        &self,
        company_id: CompanyId,
        kind: Kind,
        id: SubscriptionId,
        change: SubscriptionChange,
        now: Timestamp,
    ) -> Result<Subscription, StoreError>;
    /// Deletes a subscription and answers what it was.
    async fn delete_subscription(
        &self,
        company_id: CompanyId,
        kind: Kind,
        id: SubscriptionId,
        now: Timestamp,
    ) -> Result<Subscription, StoreError>;
    /// The subscriptions of every company, by id.
    async fn scan_subscriptions(&self, page: PageRequest) -> Result<Page<Subscription>, StoreError>;
    /// The revision of the last change of any subscription; 0 before the first.
    async fn last_revision(&self) -> Result<Revision, StoreError>;
    /// What subscriptions, of one company or of all, became after the revision that is the page's `after`, change by
    /// change. On the last page that is all until now.
    async fn subscription_changes(
        &self,
        company_id: Option<CompanyId>,
        page: PageRequest,
    ) -> Result<Page<SubscriptionVersion>, StoreError>;
    /// An event, where it went, and each of the company's subscriptions (or `only` one of them) as it stood when the
    /// event was matched, by the subscriptions' ids.
    async fn explain_subscriptions(
        &self,
        company_id: CompanyId,
        event_id: EventId,
        only: Option<SubscriptionId>,
        page: PageRequest,
    ) -> Result<Explained, StoreError>;

    // --- events ---------------------------------------------------------------------------------------------------

    /// Keeps events and all their deliveries, each event whole or not at all; answers in the order of the batch.
    ///
    /// A delivery that asks for a claim is *born claimed*, with its first attempt opened, and comes out of the
    /// hand-over stream of the same commit, unless one that it must not overtake is not claimed by this node.
    async fn record_events(&self, events: Vec<NewEvent>) -> Result<Vec<Recorded>, StoreError>;
    /// One event of the company.
    async fn event(&self, company_id: CompanyId, id: EventId) -> Result<EventRecord, StoreError>;
    /// The company's events, newest first. A page of large ones has fewer of them than asked for: at most one more than
    /// fit into [`LARGEST_EVENT_PAGE`].
    async fn list_events(
        &self,
        company_id: CompanyId,
        filter: EventFilter,
        page: PageRequest,
    ) -> Result<Page<EventRecord>, StoreError>;
    /// The same without their bytes, which are not even read.
    async fn list_event_heads(
        &self,
        company_id: CompanyId,
        filter: EventFilter,
        page: PageRequest,
    ) -> Result<Page<EventHead>, StoreError>;

    // --- deliveries -----------------------------------------------------------------------------------------------

    /// One delivery of the company.
    async fn delivery(&self, company_id: CompanyId, id: DeliveryId) -> Result<Delivery, StoreError>;
    /// The company's deliveries, newest first.
    async fn list_deliveries(
        &self,
        company_id: CompanyId,
        filter: DeliveryFilter,
        page: PageRequest,
    ) -> Result<Page<Delivery>, StoreError>;
    /// A delivery's finished attempts, first to last.
    async fn attempts_of(&self, id: DeliveryId) -> Result<Vec<Attempt>, StoreError>;
    /// The last finished attempt of each of these deliveries that has one.
    async fn last_attempts(&self, ids: Vec<DeliveryId>) -> Result<Vec<LastAttempt>, StoreError>;
    /// What those of these deliveries are doing that are pending, in no order.
    async fn progress_of(&self, ids: Vec<DeliveryId>) -> Result<Vec<Progress>, StoreError>;
    /// Makes a new delivery `new_id` of the same event to the same webhook, due at once and behind nobody.
    async fn redeliver(
        &self,
        company_id: CompanyId,
        id: DeliveryId,
        new_id: DeliveryId,
        now: Timestamp,
    ) -> Result<Delivery, StoreError>;
    /// Cancels a pending delivery; `Conflict` if it is already final. The node that has claimed it is notified in its
    /// stream. An attempt under way may still end and is recorded, without effect on the state.
    async fn cancel_delivery(
        &self,
        company_id: CompanyId,
        id: DeliveryId,
        now: Timestamp,
    ) -> Result<Delivery, StoreError>;

    // --- sending --------------------------------------------------------------------------------------------------

    /// Claims due deliveries, oldest due first within each webhook, opens their next attempt and hands them over.
    ///
    /// A claim whose lease ended is closed as a lost attempt in the same commit. Answers are in the order of the
    /// requests.
    async fn claim_due_deliveries(&self, claim: Claim) -> Result<Vec<ClaimAnswer>, StoreError>;
    /// Records how attempts ended and where that takes their deliveries; late ones (see the promises) are counted
    /// in the answer and leave no trace. Followers that are no longer held up become due.
    ///
    /// Not urgent: may wait a few milliseconds for company in the commit.
    async fn finish_attempts(&self, finished: Vec<FinishedAttempt>) -> Result<usize, StoreError>;
    /// Gives claims back unopened: the attempt's number is free again.
    async fn release_deliveries(&self, released: Vec<Release>, now: Timestamp) -> Result<(), StoreError>;
    /// Cancels up to `limit` pending deliveries of a webhook that is gone; answers how many it were.
    async fn cancel_deliveries_of(
        &self,
        webhook_id: WebhookId,
        now: Timestamp,
        limit: u32,
    ) -> Result<usize, StoreError>;
    /// Makes up to `limit` deliveries of a webhook that wait for a retry due now; answers how many it were.
    async fn make_retries_due(
        &self,
        webhook_id: WebhookId,
        now: Timestamp,
        limit: u32,
    ) -> Result<usize, StoreError>;
    /// The webhooks that have pending deliveries, by id, with the time at which the first is due (or its lease ends).
    /// Cost grows with the webhooks listed, not with their deliveries.
    async fn pending_webhooks(
        &self,
        after: Option<WebhookId>,
        limit: u32,
    ) -> Result<Vec<PendingWebhook>, StoreError>;
    /// Some of a webhook's pending deliveries, in no order; all if there are fewer than `limit`. Cost does not grow with
    /// those that have ended.
    async fn pending_deliveries_of(
        &self,
        webhook_id: WebhookId,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError>;

    /// How many deliveries of a webhook are pending, counted up to `most`, and the oldest of those.
    async fn backlog_of(&self, webhook_id: WebhookId, most: u32) -> Result<Backlog, StoreError>;
    /// How many deliveries of each of these webhooks are pending, counted up to `most` of each sort.
    async fn count_pending(
        &self,
        webhook_ids: Vec<WebhookId>,
        now: Timestamp,
        most: u32,
    ) -> Result<Vec<PendingCount>, StoreError>;
    /// When the oldest delivery of all companies was made that is pending, whatever it waits for. Cost grows with the
    /// companies, not with their deliveries.
    async fn oldest_undelivered(&self) -> Result<Option<Timestamp>, StoreError>;

    /// The delivery of a webhook that has waited longest for an attempt, whether a node has it in memory or not. One that is
    /// claimed and given back again and again has waited all the time.
    async fn longest_waiting(&self, webhook_id: WebhookId) -> Result<Option<Waiting>, StoreError>;

    // --- replays --------------------------------------------------------------------------------------------------

    /// Keeps a replay, and the webhook that exists for it only. `NotFound` if it goes to a webhook that is not the
    /// company's, `LimitReached` if too many of the company's are running.
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
    /// [`Store::webhook`]; [`Store::scan_webhooks`] does.
    async fn replay_webhooks(&self, company_id: CompanyId) -> Result<Vec<Webhook>, StoreError>;
    /// The next events that a replay selects: those of which [`Replay::plan`] makes at least one delivery.
    async fn select_for_replay(&self, replay: Replay, scan: Scan) -> Result<Selection, StoreError>;
    /// Makes a slice of a replay's deliveries and moves its cursor, in one commit: neither happens without the other.
    /// Answers the replay as it is now. `Conflict`, and nothing done, if it stands elsewhere or has ended.
    ///
    /// What cannot be made because the event is gone counts as skipped.
    async fn advance_replay(&self, step: ReplayStep) -> Result<Replay, StoreError>;
    /// Ends a running replay, and deletes the webhook that existed for it only. `Conflict` if it is not running.
    async fn end_replay(&self, id: ReplayId, end: ReplayEnd, now: Timestamp) -> Result<Replay, StoreError>;
    /// Cancels a replay with all its pending deliveries, in one commit. Cancelling twice is cancelling once;
    /// `Conflict` if it ended otherwise.
    async fn cancel_replay(
        &self,
        company_id: CompanyId,
        id: ReplayId,
        now: Timestamp,
    ) -> Result<Replay, StoreError>;

    // --- notifications --------------------------------------------------------------------------------------------

    /// Writes down something that people are to be told of, unless it counts with what is still to be said or takes it back.
    /// What the store itself changes is written down in the commit of the change.
    async fn add_notice(&self, notice: Notice) -> Result<(), StoreError>;
    /// The company's notifications, newest first, and what became of each. Those of the operator are the first company's.
    async fn list_notifications(
        &self,
        company_id: CompanyId,
        page: PageRequest,
    ) -> Result<Page<NotificationRecord>, StoreError>;
    /// Whether [`Store::claim_notifications`] would find any.
    async fn are_notifications_due(&self, claim: NotificationClaim) -> Result<bool, StoreError>;
    /// Hands out what is to be said by now, to the channels that want it, and claims what is due to some recipients: nobody else
    /// gets that until the claim ends.
    async fn claim_notifications(
        &self,
        claim: NotificationClaim,
    ) -> Result<Vec<ClaimedNotification>, StoreError>;
    /// Keeps what came of sending a notification.
    async fn finish_notification(&self, finished: FinishedNotification) -> Result<(), StoreError>;
    /// Removes the oldest notifications of before `before`, `most` at a time; answers how many.
    async fn forget_old_notifications(&self, before: Timestamp, most: u32) -> Result<u32, StoreError>;
    /// Keeps a channel.
    async fn create_channel(&self, channel: Channel) -> Result<Channel, StoreError>;
    /// One channel of the company.
    async fn channel(&self, company_id: CompanyId, id: ChannelId) -> Result<Channel, StoreError>;
    /// The company's channels, oldest first.
    async fn list_channels(
        &self,
        company_id: CompanyId,
        page: PageRequest,
    ) -> Result<Page<Channel>, StoreError>;
    /// Changes a channel.
    async fn update_channel(
        &self,
        company_id: CompanyId,
        id: ChannelId,
        change: ChannelChange,
        now: Timestamp,
    ) -> Result<Channel, StoreError>;
    /// Deletes a channel and answers what it was. What was to be sent there is not.
    async fn delete_channel(&self, company_id: CompanyId, id: ChannelId) -> Result<Channel, StoreError>;

    // --- what came of the attempts --------------------------------------------------------------------------------

    /// Adds what was counted to what is kept; every node adds to the same sums, and waits for nobody who accepts or
    /// delivers. No two of the sums are of the same time and whose.
    async fn add_history(&self, sums: Vec<Sum>) -> Result<(), StoreError>;
    /// The sums of some that begin at `from` or later and before `to`, oldest first for each.
    async fn history(
        &self,
        whose: Vec<Whose>,
        resolution: Resolution,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Sum>, StoreError>;
    /// Removes the oldest sums of before `before`, `most` at a time; answers how many.
    async fn forget_old_history(
        &self,
        resolution: Resolution,
        before: Timestamp,
        most: u32,
    ) -> Result<u32, StoreError>;

    // --- what is no longer kept -----------------------------------------------------------------------------------

    /// How much room it takes.
    async fn size(&self) -> Result<StoreSize, StoreError>;
    /// Removes some of the oldest events with all that belongs to them. Those that something needs are passed over:
    /// no delivery that is pending, open, or ended after the slice's time is removed, nor its event.
    async fn remove_events(&self, slice: RemovalSlice) -> Result<Removed, StoreError>;
    /// Drops the payloads of a company's events that are delivered or cancelled, or go nowhere, and what receivers
    /// answered to them. The records stay.
    async fn drop_payloads(&self, slice: PayloadSlice, now: Timestamp)
    -> Result<DroppedPayloads, StoreError>;
    /// Removes the payload of every event of the slice in which a number occurs, and what attempts hold of it; pending
    /// deliveries of those are cancelled. The records stay. What is removed is overwritten. With the last slice the
    /// refusals of the company's sources go in which it occurs, or which cannot be read.
    async fn erase_number(&self, slice: ErasureSlice, now: Timestamp) -> Result<Erased, StoreError>;

    // --- about the store itself -----------------------------------------------------------------------------------

    /// What time it is by the clock that counts for all nodes; `None` if there is only one node, whose own counts.
    async fn time(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(None)
    }
    /// The largest id kept: ids go on after it.
    async fn last_id(&self) -> Result<i64, StoreError>;
    /// Ids that nobody else makes, larger than those that are kept.
    async fn ids(&self) -> Result<Arc<IdSequence>, StoreError> {
        Ok(Arc::new(IdSequence::after(self.last_id().await?)))
    }
    /// Whether it can keep something now: writes and takes back, as an event would be.
    async fn check(&self) -> Result<(), StoreError>;
    /// Waits until this process may not use the store any more, which can happen to a SQLite file: another process took it,
    /// or it was moved or removed. Says what happened. Nothing is accepted from then on, and the process should end.
    async fn lost(&self) -> StoreError {
        std::future::pending().await
    }
    /// Finishes what was begun and lets go of the files or connections.
    async fn close(&self);
}
