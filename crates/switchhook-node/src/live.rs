//! Live events: sent to whoever listens now, and counted for the last half a minute.
//!
//! The store keeps nothing of it and nothing waits for a listener: the hub is bounded, and a slow listener learns how
//! many events it missed. The counts are `recent`; the readers are `api/stream.rs` and the dashboard.

pub mod recent;

use std::sync::Arc;

use dashmap::DashMap;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use switchhook_domain::attempt::{AttemptOutcome, FailureReason, OutcomeClass};
use switchhook_domain::delivery::{DeliveryState, StateName};
use switchhook_domain::id::{CompanyId, DeliveryId, EventId, IdHash, WebhookId};
use switchhook_domain::{Kind, Timestamp};
use switchhook_store::FinishedAttempt;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use self::recent::{Activity, Recent, Sample};
use crate::summary::Summary;

/// Bound on the events by which a listener may fall behind.
pub const MOST_BEHIND: usize = 1_024;

/// Of how many companies the last half a minute is remembered.
const MOST_COMPANIES: usize = 1_024;

/// The hub. Cheap to clone.
#[derive(Clone)]
pub struct Live(Arc<Hub>);

struct Hub {
    /// There is none for a company that nobody listens to: what happens to it costs nothing here.
    listeners: DashMap<CompanyId, broadcast::Sender<Arc<LiveEvent>>, IdHash>,
    companies: DashMap<CompanyId, Arc<Mutex<Recent>>, IdHash>,
    ended: CancellationToken,
}

/// Something that happened, ready to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveEvent {
    /// Name of the event: `event` or `attempt`.
    pub name: &'static str,
    /// Kind of the accepted event.
    pub kind: Kind,
    /// To which webhooks it matters.
    pub webhook_ids: Vec<WebhookId>,
    /// Its particulars, a JSON object.
    pub json: String,
}

/// A live event as its reader gets it. In JSON its name is the member `type`.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum LiveMessage {
    Event(EventMessage),
    Attempt(AttemptMessage),
    Missed(MissedMessage),
}

/// An event was accepted.
#[derive(Debug, Serialize, Deserialize)]
pub struct EventMessage {
    pub id: String,
    pub kind: Kind,
    pub at: Timestamp,
    pub what: String,
    pub detail: String,
    pub duplicate: bool,
    pub deliveries: Vec<DeliveryMessage>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct DeliveryMessage {
    pub id: String,
    pub webhook_id: String,
}

/// The reader was too slow for this many events.
#[derive(Debug, Serialize, Deserialize)]
pub struct MissedMessage {
    pub count: u64,
}

/// An attempt ended.
#[derive(Debug, Serialize, Deserialize)]
pub struct AttemptMessage {
    pub delivery_id: String,
    pub event_id: String,
    pub webhook_id: String,
    pub kind: Kind,
    pub at: Timestamp,
    pub number: u32,
    pub outcome: OutcomeClass,
    pub status: Option<u16>,
    pub error: Option<FailureReason>,
    pub detail: Option<String>,
    pub took_ms: f64,
    pub state: StateName,
    pub due_at: Option<Timestamp>,
}

impl LiveMessage {
    /// Names under which the messages are sent.
    pub const EVENT: &str = "event";
    pub const ATTEMPT: &str = "attempt";
    pub const MISSED: &str = "missed";

    /// Reads a message by its name; `None` if the name is of another version, or the data is not its.
    #[must_use]
    pub fn read(name: &str, data: &str) -> Option<Self> {
        let message = match name {
            Self::EVENT => serde_json::from_str(data).map(Self::Event),
            Self::ATTEMPT => serde_json::from_str(data).map(Self::Attempt),
            Self::MISSED => serde_json::from_str(data).map(Self::Missed),
            _ => return None,
        };
        message.ok()
    }
}

/// Data about an accepted event.
#[derive(Debug, Clone, Copy)]
pub struct EventInfo {
    pub id: EventId,
    pub kind: Kind,
    /// True for a repeat.
    pub is_duplicate: bool,
}

/// Data about an attempt beyond its result.
#[derive(Debug, Clone, Copy)]
pub struct AttemptInfo {
    pub company_id: CompanyId,
    pub event_id: EventId,
    pub kind: Kind,
    /// Creation of its delivery.
    pub created_at: Timestamp,
}

impl Live {
    /// Nobody listens, nothing happened.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Hub {
            listeners: DashMap::default(),
            companies: DashMap::default(),
            ended: CancellationToken::new(),
        }))
    }

    /// Hears everything of a company from now on.
    #[must_use]
    pub fn listen(&self, company_id: CompanyId) -> broadcast::Receiver<Arc<LiveEvent>> {
        let listeners = &self.0.listeners;
        listeners.retain(|_, company| company.receiver_count() > 0);
        let company = listeners.entry(company_id);
        company
            .or_insert_with(|| broadcast::channel(MOST_BEHIND).0)
            .subscribe()
    }

    /// Nothing more will happen: the server stops, and whoever listens may go.
    pub fn end(&self) {
        self.0.ended.cancel();
    }

    /// Waits for [`Live::end`].
    pub async fn ended(&self) {
        self.0.ended.cancelled().await;
    }

    /// True if somebody listens to a company. Otherwise messages need not be built.
    #[must_use]
    pub fn is_heard(&self, company_id: CompanyId) -> bool {
        let company = self.0.listeners.get(&company_id);
        company.is_some_and(|company| company.receiver_count() > 0)
    }

    /// Sums of a company over the last `slots` slots, at most six.
    #[must_use]
    pub fn total(&self, company_id: CompanyId, now: Timestamp, slots: u32) -> Sample {
        let recent = self.0.companies.get(&company_id).map(|entry| Arc::clone(&entry));
        recent.map_or_else(Sample::default, |recent| recent.lock().total(now, slots))
    }

    /// Number of events and attempts of a company since the start. A change means that something happened.
    #[must_use]
    pub fn counted(&self, company_id: CompanyId) -> u64 {
        let recent = self.0.companies.get(&company_id).map(|entry| Arc::clone(&entry));
        recent.map_or(0, |recent| recent.lock().counted())
    }

    /// An event was accepted. Its summary is asked for only if somebody listens.
    pub fn accepted(
        &self,
        company_id: CompanyId,
        accepted: EventInfo,
        deliveries: impl Iterator<Item = (DeliveryId, WebhookId)>,
        now: Timestamp,
        summary: impl FnOnce() -> Option<Summary>,
    ) {
        if !accepted.is_duplicate {
            self.count(company_id, now, Activity::Accepted);
        }
        if !self.is_heard(company_id) {
            return;
        }
        // None: nobody listened yet when it came.
        let Some(summary) = summary() else { return };
        let (webhook_ids, deliveries) = deliveries
            .map(|(id, webhook_id)| {
                let told = DeliveryMessage {
                    id: id.to_string(),
                    webhook_id: webhook_id.to_string(),
                };
                (webhook_id, told)
            })
            .unzip();
        let told = EventMessage {
            id: accepted.id.to_string(),
            kind: accepted.kind,
            at: now,
            what: summary.what,
            detail: summary.detail,
            duplicate: accepted.is_duplicate,
            deliveries,
        };
        self.tell(company_id, LiveMessage::EVENT, accepted.kind, webhook_ids, &told);
    }

    /// Publishes the end of an attempt.
    pub fn attempted(&self, of: AttemptInfo, finished: &FinishedAttempt) {
        let attempt = &finished.attempt;
        let now = attempt.finished_at;
        let class = attempt.outcome.class();
        let counted = if class.is_success() {
            Activity::Delivered
        } else {
            Activity::Failed
        };
        self.count(of.company_id, now, counted);
        if !self.is_heard(of.company_id) {
            return;
        }
        let (status, error) = match &attempt.outcome {
            AttemptOutcome::Answered { status, .. } => (Some(*status), None),
            AttemptOutcome::Unanswered { reason, .. } => (None, Some(*reason)),
            AttemptOutcome::Lost => (None, None),
        };
        let due_at = match finished.state {
            DeliveryState::Pending { due_at } => Some(due_at),
            _ => None,
        };
        let told = AttemptMessage {
            delivery_id: finished.delivery_id.to_string(),
            event_id: of.event_id.to_string(),
            webhook_id: finished.webhook_id.to_string(),
            kind: of.kind,
            at: now,
            number: attempt.number,
            outcome: class,
            status,
            error,
            detail: attempt.detail().map(str::to_owned),
            took_ms: attempt.phases.total.as_secs_f64() * 1_000.0,
            state: finished.state.name(),
            due_at,
        };
        self.tell(
            of.company_id,
            LiveMessage::ATTEMPT,
            of.kind,
            vec![finished.webhook_id],
            &told,
        );
    }

    fn tell(
        &self,
        company_id: CompanyId,
        name: &'static str,
        kind: Kind,
        webhook_ids: Vec<WebhookId>,
        told: &impl Serialize,
    ) {
        let happening = LiveEvent {
            name,
            kind,
            webhook_ids,
            json: serde_json::to_string(told).expect("words and numbers can be written as JSON"),
        };
        if let Some(company) = self.0.listeners.get(&company_id) {
            // An error means that the last listener has just left.
            let _ = company.send(Arc::new(happening));
        }
    }

    fn count(&self, company_id: CompanyId, now: Timestamp, counted: Activity) {
        let companies = &self.0.companies;
        let known = companies.get(&company_id).map(|entry| Arc::clone(&entry));
        let recent = match known {
            Some(recent) => recent,
            None if companies.len() >= MOST_COMPANIES => return,
            None => Arc::clone(&companies.entry(company_id).or_default()),
        };
        recent.lock().count(now, counted);
    }
}

impl Default for Live {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_420_800_000);

    fn happen(live: &Live, summary: impl FnOnce() -> Option<Summary>) {
        let event = EventInfo {
            id: EventId(7),
            kind: Kind::Call,
            is_duplicate: false,
        };
        live.accepted(CompanyId(1), event, std::iter::empty(), NOW, summary);
    }

    #[test]
    fn a_slow_listener_is_told_how_much_it_missed_and_the_hub_does_not_grow() {
        let live = Live::new();
        let mut slow = live.listen(CompanyId(1));
        for _ in 0..MOST_BEHIND + 5 {
            happen(&live, || Some(Summary::default()));
        }
        assert_eq!(
            slow.try_recv().unwrap_err(),
            broadcast::error::TryRecvError::Lagged(5)
        );
        assert_eq!(slow.try_recv().unwrap().name, "event");
    }

    #[test]
    fn what_happens_to_a_company_costs_nothing_while_only_others_are_listened_to() {
        let live = Live::new();
        let mut other = live.listen(CompanyId(2));
        happen(&live, || unreachable!("nobody listens"));
        assert!(!live.is_heard(CompanyId(1)) && live.is_heard(CompanyId(2)));
        assert_eq!(other.try_recv(), Err(broadcast::error::TryRecvError::Empty));
        drop(other);
        let _one = live.listen(CompanyId(1));
        assert_eq!(live.0.listeners.len(), 1, "whom nobody listens to is forgotten");
    }

    #[test]
    fn without_a_listener_nothing_is_put_together_but_all_is_counted() {
        let live = Live::new();
        happen(&live, || unreachable!("nobody listens"));
        let later = NOW.plus(Duration::from_secs(5));
        assert_eq!(live.total(CompanyId(1), later, 1).accepted, 1);
        assert_eq!(live.total(CompanyId(2), later, 1).accepted, 0);
    }
}
