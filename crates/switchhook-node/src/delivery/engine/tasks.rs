//! Everything that the loop does not wait for: attempts, and what the store is asked. What comes of a task is a [`TaskResult`].

use std::sync::Arc;
use std::time::Duration;

use switchhook_domain::Timestamp;
use switchhook_domain::breaker::Breaker;
use switchhook_domain::delivery::StateName;
use switchhook_domain::id::{CompanyId, DeliveryId, WebhookId};
use switchhook_domain::outage::Outage;
use switchhook_domain::webhook::{Webhook, WebhookChange};
use switchhook_store::{
    Claim, ClaimAnswer, DeliveryFilter, FinishedAttempt, OutageWrite, PageRequest, PendingWebhook, Release,
    StoreError, SuspensionRecord,
};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tracing::warn;

use super::claiming::Requests;
use super::outbox::{Stored, StoredAttempts, bytes_of};
use super::pending_scan::SCAN_PAGE;
use super::{EngineParts, PART};
use crate::delivery::attempt::EndedAttempt;

/// Deliveries of a deleted webhook cancelled in one commit.
const CANCEL_SLICE: u32 = 1_000;

/// Retries made due in one commit.
const RETRY_SLICE: u32 = 1_000;

/// Pause after a failed claim.
pub(super) const CLAIM_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Result that a task reports to the loop.
pub(super) enum TaskResult {
    Ended(Box<EndedAttempt>),
    Claimed {
        requests: Requests,
        answer: Result<Vec<ClaimAnswer>, StoreError>,
    },
    PendingScanned(Result<Vec<PendingWebhook>, StoreError>),
    Cancelled {
        webhook_id: WebhookId,
        answer: Result<Cancelled, StoreError>,
    },
    /// Result of claiming one delivery by its id.
    ClaimedNow {
        id: DeliveryId,
        answer: Result<Vec<ClaimAnswer>, StoreError>,
    },
    BreakersRead(Result<PeerHealth, StoreError>),
    Stored(Stored),
}

/// Health of receivers as other nodes see it.
pub(super) struct PeerHealth {
    pub(super) suspensions: Vec<SuspensionRecord>,
    pub(super) outages: Vec<(WebhookId, Outage)>,
}

/// Result of cancelling the deliveries of a webhook that this node does not know.
pub(super) enum Cancelled {
    /// So many were cancelled.
    Some(usize),
    /// None was: the webhook is there, and was only not known here yet. Another node made it a moment ago.
    NotGone,
}

/// Starts tasks. One that fails takes the engine with it, which waits to hear of it.
pub(super) struct Tasks {
    parts: Arc<EngineParts>,
    runtime: Handle,
    reports: mpsc::Sender<TaskResult>,
}

impl Tasks {
    pub(super) fn new(parts: Arc<EngineParts>, runtime: Handle) -> (Self, mpsc::Receiver<TaskResult>) {
        // Every attempt under way has a place, so that none waits to report; of all other tasks there are a handful.
        let (reports, received) = mpsc::channel(parts.max_in_flight as usize + 64);
        let tasks = Self {
            parts,
            runtime,
            reports,
        };
        (tasks, received)
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.parts.liveness.spawn(PART, &self.runtime, work);
    }

    fn spawn_reporting(&self, work: impl Future<Output = TaskResult> + Send + 'static) {
        let reports = self.reports.clone();
        self.spawn(async move {
            let report = work.await;
            // An error means that the engine has stopped: what it did not hear of is settled when leases end.
            let _ = reports.send(report).await;
        });
    }

    pub(super) fn attempt(&self, attempt: impl Future<Output = EndedAttempt> + Send + 'static) {
        // In a box: it is large, and would be moved at each of the steps into its task and out of it.
        let attempt = Box::pin(attempt);
        self.spawn_reporting(async { TaskResult::Ended(Box::new(attempt.await)) });
    }

    // --- What the store has to send -------------------------------------------------------------------------------

    /// Claims what is due.
    pub(super) fn claim(&self, claim: Claim, requests: Requests) {
        let parts = Arc::clone(&self.parts);
        self.spawn_reporting(async move {
            let answer = parts.store.claim_due_deliveries(claim).await;
            if answer.is_err() {
                tokio::time::sleep(CLAIM_AGAIN_AFTER).await;
            }
            TaskResult::Claimed { requests, answer }
        });
    }

    /// Claims one delivery by name.
    pub(super) fn claim_now(&self, id: DeliveryId, claim: Claim) {
        let parts = Arc::clone(&self.parts);
        self.spawn_reporting(async move {
            let answer = parts.store.claim_due_deliveries(claim).await;
            TaskResult::ClaimedNow { id, answer }
        });
    }

    /// Reads which webhooks have something pending.
    pub(super) fn pending_scan(&self, after: Option<WebhookId>) {
        let parts = Arc::clone(&self.parts);
        self.spawn_reporting(async move {
            TaskResult::PendingScanned(parts.store.pending_webhooks(after, SCAN_PAGE).await)
        });
    }

    /// Cancels deliveries of a webhook that is not known here, if it is gone.
    pub(super) fn cancel(&self, webhook_id: WebhookId, now: Timestamp) {
        let parts = Arc::clone(&self.parts);
        self.spawn_reporting(async move {
            let answer = match parts.registry.learn_of(webhook_id).await {
                Ok(true) => Ok(Cancelled::NotGone),
                Ok(false) => parts
                    .store
                    .cancel_deliveries_of(webhook_id, now, CANCEL_SLICE)
                    .await
                    .map(Cancelled::Some),
                Err(error) => Err(error),
            };
            TaskResult::Cancelled { webhook_id, answer }
        });
    }

    // --- What the store is told -----------------------------------------------------------------------------------

    /// Stores finished attempts, after `delay`.
    pub(super) fn finish(&self, batch: Vec<FinishedAttempt>, delay: Option<Duration>) {
        let parts = Arc::clone(&self.parts);
        self.spawn_reporting(async move {
            pause(delay).await;
            let bytes = bytes_of(&batch);
            let stored = parts
                .store
                .finish_attempts(batch.clone())
                .await
                .map(|late| StoredAttempts { late, bytes })
                .map_err(|error| (error, batch));
            TaskResult::Stored(Stored::Finished(stored))
        });
    }

    /// Gives claims back, after `delay`.
    pub(super) fn release(&self, batch: Vec<Release>, delay: Option<Duration>) {
        let parts = Arc::clone(&self.parts);
        self.spawn_reporting(async move {
            pause(delay).await;
            let stored = parts
                .store
                .release_deliveries(batch.clone(), parts.clock.now())
                .await
                .map_err(|error| (error, batch));
            TaskResult::Stored(Stored::Released(stored))
        });
    }

    /// Writes down what became of outages, after `delay`.
    pub(super) fn write_outages(&self, batch: Vec<OutageWrite>, delay: Option<Duration>) {
        let parts = Arc::clone(&self.parts);
        self.spawn_reporting(async move {
            pause(delay).await;
            let stored = parts
                .store
                .write_outages(batch.clone())
                .await
                .map_err(|error| (error, batch));
            TaskResult::Stored(Stored::Outages(stored))
        });
    }

    // --- Breakers -------------------------------------------------------------------------------------------------

    /// Reads which webhooks were suspended since then.
    pub(super) fn read_breakers(&self, since: Timestamp) {
        let parts = Arc::clone(&self.parts);
        self.spawn_reporting(async move {
            let read = async {
                Ok(PeerHealth {
                    suspensions: parts.store.list_suspensions(None, since).await?,
                    outages: parts.store.lasting_outages(None).await?,
                })
            };
            TaskResult::BreakersRead(read.await)
        });
    }

    pub(super) fn save_breaker(&self, id: WebhookId, breaker: Breaker, now: Timestamp) {
        let parts = Arc::clone(&self.parts);
        self.spawn(async move {
            if let Err(error) = parts.store.save_breaker(id, breaker, now).await {
                warn!(%error, webhook_id = %id, "how the breaker is could not be stored: a restart will not know it");
            }
        });
    }

    /// Has waiting retries of a webhook go now, whose receiver works again.
    pub(super) fn retry_now(&self, id: WebhookId, now: Timestamp) {
        let parts = Arc::clone(&self.parts);
        self.spawn(async move {
            let mut now = now;
            loop {
                match parts.store.make_retries_due(id, now, RETRY_SLICE).await {
                    Ok(made) if made == RETRY_SLICE as usize => now = parts.clock.now(),
                    Ok(_) => return,
                    Err(error) => {
                        warn!(%error, webhook_id = %id, "waiting retries could not be hurried: they go when due");
                        return;
                    }
                }
            }
        });
    }

    /// Has one of the retries of a webhook go now, if any waits.
    pub(super) fn hurry_one_retry(&self, id: WebhookId, now: Timestamp) {
        let parts = Arc::clone(&self.parts);
        self.spawn(async move {
            if let Err(error) = parts.store.make_retries_due(id, now, 1).await {
                warn!(%error, webhook_id = %id, "the webhook could not be tried at once: its retries go when due");
            }
        });
    }

    /// Pauses a webhook to which no attempt succeeded `since` then.
    pub(super) fn disable(&self, webhook: &Webhook, since: Timestamp, now: Timestamp) {
        let (id, company_id) = (webhook.id, webhook.company_id);
        let parts = Arc::clone(&self.parts);
        self.spawn(async move {
            // Another node may well reach what this one does not.
            if parts.store.nodes() > 1 && !matches!(delivered_since(&parts, company_id, id, since).await, Ok(false)) {
                return;
            }
            warn!(
                webhook_id = %id, failing_since = %since,
                "webhook disabled: no attempt succeeded for longer than it allows. Nothing is lost: resume it once the \
                 receiver works"
            );
            disable(&parts, company_id, id, now).await;
        });
    }

    /// Pauses a webhook whose receiver asks for it.
    pub(super) fn disable_as_asked(&self, webhook: &Webhook, now: Timestamp) {
        let (id, company_id) = (webhook.id, webhook.company_id);
        let parts = Arc::clone(&self.parts);
        self.spawn(async move {
            warn!(webhook_id = %id, "webhook disabled: its receiver answered `webhook-delivery: disable`");
            disable(&parts, company_id, id, now).await;
        });
    }
}

async fn disable(parts: &EngineParts, company_id: CompanyId, id: WebhookId, now: Timestamp) {
    let change = WebhookChange {
        paused_at: Some(Some(now)),
        disabled: true,
        ..WebhookChange::default()
    };
    let disabled = parts.store.update_webhook(company_id, id, change, now).await;
    if let Err(error) = disabled.and(parts.registry.refresh(company_id).await) {
        warn!(%error, webhook_id = %id, "the webhook could not be disabled: tried again at the next attempt");
    }
}

/// True if the webhook accepted a delivery that was created after `since`.
async fn delivered_since(
    parts: &EngineParts,
    company_id: CompanyId,
    id: WebhookId,
    since: Timestamp,
) -> Result<bool, StoreError> {
    let filter = DeliveryFilter {
        webhook_id: Some(id),
        state: Some(StateName::Delivered),
        ..DeliveryFilter::default()
    };
    let mut page = PageRequest::first(1);
    loop {
        let read = parts
            .store
            .list_deliveries(company_id, filter.clone(), page)
            .await?;
        match (read.items.first(), read.next) {
            (Some(last), _) => return Ok(last.state.at() > since),
            (None, Some(next)) => page.after = Some(next),
            (None, None) => return Ok(false),
        }
    }
}

async fn pause(delay: Option<Duration>) {
    if let Some(delay) = delay {
        tokio::time::sleep(delay).await;
    }
}
