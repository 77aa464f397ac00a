//! Store of everything that must survive: one trait, its drivers, and the suite that every driver passes.
//!
//! Every method is one transaction from the caller's side and uses the domain's types; no transaction object, no SQL
//! and no backoff enters or leaves the crate. Time is an argument. Start at [`Store`]; then `sqlite.rs`.

mod attempt;
mod change;
mod claim;
pub mod commit;
mod copy;
mod copy_endpoint;
mod dead_letter;
mod delivery_progress;
mod effects;
mod error;
mod event;
mod explain;
mod filter;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod given_up;
mod migrations;
mod notification;
mod observer;
mod open;
mod options;
mod order_queue;
pub mod outage;
mod page;
pub mod permission;
pub mod postgres;
mod redelivery;
mod registry;
mod removal_rules;
mod replay;
mod replay_rules;
mod reply;
mod result_slot;
mod retention;
mod row;
mod sealing;
pub mod session;
mod shared;
mod sql;
pub mod sqlite;
mod websocket;

use std::sync::Arc;

use async_trait::async_trait;
use switchhook_domain::Timestamp;
use switchhook_domain::delivery::Delivery;
use switchhook_domain::history::{Granularity, HistorySubject, Sum};
use switchhook_domain::id::{CompanyId, DeliveryId, IdSequence, ReplayId, WebhookId};
use switchhook_domain::replay::Replay;
use tokio::sync::mpsc;

pub use attempt::{FailedAttempt, FailedAttempts, LastAttempt};
pub use change::Change;
pub use claim::{
    Claim, ClaimAnswer, ClaimRequest, ClaimedDelivery, ExpiredLeases, FinishedAttempt, HandOver, HandedOver,
    PendingCount, PendingWebhook, Release, WaitingDelivery,
};
pub use copy::{CopiedSecrets, CopyProgress, CopyReport, copy};
pub use dead_letter::{DeadLetterFilter, DeadLetterGroup, DeadLetterGroupKey, DeadLetterGroups};
pub use delivery_progress::DeliveryProgress;
pub use error::StoreError;
pub use event::{
    EventHead, EventRecord, Idempotency, LARGEST_EVENT_PAGE, LARGEST_SMALL_EVENT, LARGEST_SMALL_EVENTS,
    NewDelivery, NewEvent, Recorded,
};
pub use explain::Explained;
pub use filter::{DeliveryFilter, EventFilter};
pub use migrations::Migrated;
pub use notification::{
    ClaimedNotification, FinishedNotification, NotificationClaim, NotificationRecord, Recipients,
};
pub use observer::{Commit, CommitObserver, SetAside};
pub use open::{backup, check_url, is_in_memory, migrate, open, restore};
pub use options::{COMMIT_EVERY, Role, StoreOptions, WriterMode};
pub use outage::OutageWrite;
pub use page::{Page, PageRequest, RefusalSlice, all_pages, pages_after};
pub use registry::{SubscriptionFilter, SubscriptionLimits, SuspensionRecord};
pub use replay::{NewReplay, ReplayDelivery, ReplayEnd, ReplayStep, Scan, Selection};
pub use retention::{
    DroppedPayloads, Erased, ErasureExtent, ErasureSlice, PayloadRemoval, PayloadSlice, RemovalReason,
    RemovalSlice, Removed, StoreSize,
};
pub use sealing::{Resealed, Sealer, SecretOwner};
pub use session::{ENDED_SESSIONS_KEPT, Session};
pub use shared::dead_letters::DeadLetterStore;
pub use shared::events::EventStore;
pub use shared::feeds::FeedStore;
pub use shared::keys::KeyStore;
pub use shared::notification_store::NotificationStore;
pub use shared::replays::ReplayStore;
pub use shared::sources::SourceStore;
pub use shared::subscription_store::SubscriptionStore;
pub use shared::webhooks::WebhookStore;
pub use shared::websockets::WebsocketStore;
pub use sql::listing::MOST_PASSED;
pub use sqlite::{Copied, Existing};
pub use websocket::{Consumer, ConsumerMove, LogBounds, LogEntry, LogPosition};

/// Persistent store.
///
/// # Promises
/// - When a writing method has answered `Ok`, its effect survives `kill -9` and a power cut.
/// - One failing entry of a batch, or of a commit shared with other callers, never fails its neighbours.
/// - A delivery in a final state never changes again, and an attempt takes effect only if its delivery is still at
/// that attempt's number and still claimed by the node that made it.
#[async_trait]
pub trait Store:
    KeyStore
    + WebhookStore
    + WebsocketStore
    + SourceStore
    + SubscriptionStore
    + EventStore
    + DeadLetterStore
    + FeedStore
    + ReplayStore
    + NotificationStore
    + 'static
{
    // --- the stream of claimed deliveries -------------------------------------------------------------------------

    /// The stream in which this node gets the deliveries that it claimed, in the order of the commits that did it.
    ///
    /// One message a commit. Its length is bounded by what the node asks for: nothing is claimed that it did not
    /// request. Answers `None` if it was already taken.
    fn take_hand_over(&self) -> Option<mpsc::UnboundedReceiver<HandOver>>;

    /// Stream of changes by other nodes; it may report too much, never too little. `None` if there can be no other
    /// nodes, or it was already taken.
    fn take_changes(&self) -> Option<mpsc::Receiver<Change>> {
        None
    }

    /// Number of live nodes, including this one.
    fn nodes(&self) -> u32 {
        1
    }

    // --- events ---------------------------------------------------------------------------------------------------

    /// Keeps events and all their deliveries, each event whole or not at all; answers in the order of the batch.
    ///
    /// A delivery that asks for a claim is *born claimed*, with its first attempt opened, and comes out of the
    /// hand-over stream of the same commit, unless one that it must not overtake is not claimed by this node.
    async fn record_events(&self, events: Vec<NewEvent>) -> Result<Vec<Recorded>, StoreError>;

    // --- deliveries -----------------------------------------------------------------------------------------------

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
    /// Cancels up to `limit` pending deliveries of a webhook that were made until `made_until`, with a note that says why;
    /// answers how many it were: 0 if none is left. Nodes that have claimed any are notified, and those that waited for them become due.
    async fn skip_deliveries_of(
        &self,
        webhook_id: WebhookId,
        made_until: Timestamp,
        note: &'static str,
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

    /// Progress of those of these deliveries that are pending, in any order.
    async fn progress_of(&self, ids: Vec<DeliveryId>) -> Result<Vec<DeliveryProgress>, StoreError>;
    /// Number of pending deliveries of each webhook, counted up to `most` of each sort, and the oldest of those; in
    /// the order of the webhooks.
    async fn count_pending(
        &self,
        webhook_ids: Vec<WebhookId>,
        now: Timestamp,
        most: u32,
    ) -> Result<Vec<PendingCount>, StoreError>;
    /// Creation of the oldest pending delivery of all companies, whatever it waits for. Cost grows with the
    /// companies, not with their deliveries.
    async fn oldest_undelivered(&self) -> Result<Option<Timestamp>, StoreError>;
    /// The delivery of a webhook that has waited longest for an attempt, whether a node has it in memory or not. One that is
    /// claimed and given back again and again has waited all the time.
    async fn longest_waiting(&self, webhook_id: WebhookId) -> Result<Option<WaitingDelivery>, StoreError>;

    // --- replays --------------------------------------------------------------------------------------------------

    /// The next events that a replay selects: those of which [`Replay::plan`] makes at least one delivery.
    async fn select_for_replay(&self, replay: Replay, scan: Scan) -> Result<Selection, StoreError>;
    /// Makes a slice of a replay's deliveries and moves its cursor, in one commit: neither happens without the other.
    /// Answers the replay as it is now. `Conflict`, and nothing done, if it stands elsewhere or has ended.
    ///
    /// What cannot be made because the event is gone counts as skipped.
    async fn advance_replay(&self, step: ReplayStep) -> Result<Replay, StoreError>;
    /// Cancels a replay with all its pending deliveries, in one commit. Cancelling twice is cancelling once;
    /// `Conflict` if it ended otherwise.
    async fn cancel_replay(
        &self,
        company_id: CompanyId,
        id: ReplayId,
        now: Timestamp,
    ) -> Result<Replay, StoreError>;

    // --- what came of the attempts --------------------------------------------------------------------------------

    /// Adds what was counted to what is kept; every node adds to the same sums, and waits for nobody who accepts or
    /// delivers. No two of the sums are of the same time and whose.
    async fn add_history(&self, sums: Vec<Sum>) -> Result<(), StoreError>;
    /// The sums of some that begin at `from` or later and before `to`, oldest first for each.
    async fn history(
        &self,
        whose: Vec<HistorySubject>,
        resolution: Granularity,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Sum>, StoreError>;
    /// Removes the oldest sums of before `before`, `most` at a time; answers how many.
    async fn forget_old_history(
        &self,
        resolution: Granularity,
        before: Timestamp,
        most: u32,
    ) -> Result<u32, StoreError>;

    // --- what is no longer kept -----------------------------------------------------------------------------------

    /// Size of the store and free disk space.
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

    /// Time by the clock that counts for all nodes; `None` if there is only one node, whose own clock counts.
    async fn time(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(None)
    }
    /// The largest id kept: ids go on after it.
    async fn last_id(&self) -> Result<i64, StoreError>;
    /// Ids that nobody else makes, larger than those that are kept.
    async fn ids(&self) -> Result<Arc<IdSequence>, StoreError> {
        Ok(Arc::new(IdSequence::after(self.last_id().await?)))
    }
    /// Checks that it can keep something now: writes and rolls back, as for an event.
    async fn check(&self) -> Result<(), StoreError>;
    /// Waits until this process may not use the store any more, which can happen to a SQLite file: another process took it,
    /// or it was moved or removed. Says what happened. Nothing is accepted from then on, and the process should end.
    async fn lost(&self) -> StoreError {
        std::future::pending().await
    }
    /// Finishes what was begun and lets go of the files or connections.
    async fn close(&self);
}
