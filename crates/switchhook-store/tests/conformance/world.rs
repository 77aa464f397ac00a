//! A store, a clock that a case moves, ids, and what the node was handed over.

use std::sync::Arc;
use std::time::Duration;

use switchhook_domain::Timestamp;
use switchhook_domain::attempt::{Attempt, AttemptOutcome};
use switchhook_domain::delivery::{Delivery, DeliveryState};
use switchhook_domain::id::{DeliveryId, EventId, IdSequence, WebhookId};
use switchhook_domain::retry::Failures;
use switchhook_store::{
    Claim, ClaimAnswer, ClaimRequest, ClaimedDelivery, FinishedAttempt, HandOver, HandedOver, NewDelivery,
    NewEvent, Recorded, Release, Store,
};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::Fixture;
use crate::samples::{self, COMPANY, LEASE, NOON};

pub(crate) struct World {
    pub(crate) fixture: Box<dyn Fixture>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) now: Timestamp,
    ids: IdSequence,
    stream: UnboundedReceiver<HandOver>,
}

/// Handed-over change, in short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// A delivery, with the number of its open attempt.
    Claimed(DeliveryId, u32),
    Due(WebhookId, Timestamp),
    Settled(DeliveryId),
    Cancelled(DeliveryId),
}

impl World {
    pub(crate) async fn new(mut fixture: Box<dyn Fixture>) -> Self {
        let store = fixture.open(NOON);
        let stream = store.take_hand_over().expect("nobody took it before");
        Self {
            fixture,
            store,
            now: NOON,
            ids: IdSequence::after(0),
            stream,
        }
    }

    /// Ends this process and starts another.
    pub(crate) async fn reopen(&mut self) {
        self.store.close().await;
        self.store = self.fixture.open(self.now);
        self.stream = self.store.take_hand_over().expect("nobody took it before");
    }

    pub(crate) fn after(&mut self, seconds: u64) {
        self.now = self.now.plus(Duration::from_secs(seconds));
    }

    pub(crate) fn id(&self) -> i64 {
        self.ids.next(self.now)
    }

    /// A webhook that is kept.
    pub(crate) async fn webhook(&self) -> WebhookId {
        let webhook = samples::webhook(self.id(), COMPANY);
        self.store.create_webhook(webhook).await.expect("it is kept").id
    }

    /// An event that goes nowhere yet.
    pub(crate) fn event(&self) -> NewEvent {
        samples::event(self.id(), self.now)
    }

    /// A delivery that this node does not want.
    pub(crate) fn delivery(&self, webhook_id: WebhookId) -> NewDelivery {
        samples::delivery(self.id(), webhook_id)
    }

    /// A delivery that this node wants.
    pub(crate) fn claimed(&self, webhook_id: WebhookId) -> NewDelivery {
        NewDelivery {
            claim_until: Some(self.now.plus(LEASE)),
            ..self.delivery(webhook_id)
        }
    }

    pub(crate) async fn record(&self, event: NewEvent) -> Recorded {
        let mut answers = self.store.record_events(vec![event]).await.expect("it is kept");
        answers.pop().expect("an answer for each event")
    }

    /// Keeps an event of `call` with one delivery, which is claimed if that is possible.
    pub(crate) async fn send(&self, call: i64, webhook_id: WebhookId) -> DeliveryId {
        self.keep(call, self.claimed(webhook_id)).await
    }

    /// Keeps an event of `call` with one delivery, which is left in the store.
    pub(crate) async fn leave(&self, call: i64, webhook_id: WebhookId) -> DeliveryId {
        self.keep(call, self.delivery(webhook_id)).await
    }

    async fn keep(&self, call: i64, delivery: NewDelivery) -> DeliveryId {
        let id = delivery.id;
        let order_key = Some(samples::order_key(call));
        self.record(NewEvent {
            order_key,
            deliveries: vec![delivery],
            ..self.event()
        })
        .await;
        id
    }

    pub(crate) async fn event_of(&self, id: DeliveryId) -> EventId {
        self.get(id).await.event_id
    }

    pub(crate) async fn get(&self, id: DeliveryId) -> Delivery {
        self.store.delivery(COMPANY, id).await.expect("it is there")
    }

    pub(crate) async fn state(&self, id: DeliveryId) -> DeliveryState {
        self.get(id).await.state
    }

    pub(crate) async fn attempts(&self, id: DeliveryId) -> Vec<Attempt> {
        self.store.attempts_of(id).await.expect("they are read")
    }

    pub(crate) async fn claim(&self, webhook_id: WebhookId, limit: u32) -> ClaimAnswer {
        self.claim_bytes(webhook_id, limit, usize::MAX).await
    }

    pub(crate) async fn claim_bytes(&self, webhook_id: WebhookId, limit: u32, bytes: usize) -> ClaimAnswer {
        self.claim_as(ClaimRequest {
            webhook_id,
            limit,
            bytes,
            only: None,
        })
        .await
    }

    /// Claims this delivery, whatever is due before it.
    pub(crate) async fn claim_only(&self, webhook_id: WebhookId, id: DeliveryId) -> ClaimAnswer {
        self.claim_as(ClaimRequest {
            webhook_id,
            limit: 1,
            bytes: 1,
            only: Some(id),
        })
        .await
    }

    async fn claim_as(&self, request: ClaimRequest) -> ClaimAnswer {
        let requests = vec![request];
        let claim = Claim {
            requests,
            now: self.now,
            until: self.now.plus(LEASE),
            expired: switchhook_store::ExpiredLeases::Claim,
        };
        let mut answers = self
            .store
            .claim_due_deliveries(claim)
            .await
            .expect("it is claimed");
        answers.pop().expect("an answer for each request")
    }

    /// Finishes the open attempt with `attempt`; answers whether it was in time.
    pub(crate) async fn finish(&self, id: DeliveryId, attempt: Attempt, state: DeliveryState) -> bool {
        let delivery = self.get(id).await;
        let blocks_until = if state.is_final() {
            self.now
        } else {
            delivery.blocks_until
        };
        self.finish_blocking(&delivery, attempt, state, blocks_until)
            .await
    }

    pub(crate) async fn finish_blocking(
        &self,
        delivery: &Delivery,
        attempt: Attempt,
        state: DeliveryState,
        blocks_until: Timestamp,
    ) -> bool {
        let failures = delivery.failures.and(attempt.outcome.class());
        let (delivery_id, webhook_id) = (delivery.id, delivery.webhook_id);
        let finished = FinishedAttempt {
            delivery_id,
            webhook_id,
            attempt,
            state,
            failures,
            blocks_until,
            suspended: Duration::ZERO,
        };
        self.store
            .finish_attempts(vec![finished])
            .await
            .expect("it is recorded")
            == 0
    }

    /// The receiver accepts attempt `number`.
    pub(crate) async fn succeed(&self, id: DeliveryId, number: u32) -> bool {
        let attempt = samples::answered(number, 200, self.now);
        self.finish(id, attempt, DeliveryState::Delivered { at: self.now })
            .await
    }

    /// The receiver fails attempt `number`; the next is due in `seconds`.
    pub(crate) async fn fail(&self, id: DeliveryId, number: u32, seconds: u64) -> bool {
        let due_at = self.now.plus(Duration::from_secs(seconds));
        self.finish(
            id,
            samples::answered(number, 503, self.now),
            DeliveryState::Pending { due_at },
        )
        .await
    }

    pub(crate) async fn release(&self, id: DeliveryId, number: u32) {
        let webhook_id = self.get(id).await.webhook_id;
        let release = Release {
            delivery_id: id,
            webhook_id,
            attempt_number: number,
            due_at: self.now,
        };
        self.store
            .release_deliveries(vec![release], self.now)
            .await
            .expect("it is given back");
    }

    /// Changes handed to the node since the last call.
    pub(crate) fn effects(&mut self) -> Vec<Effect> {
        self.handed_over().iter().map(Effect::of).collect()
    }

    pub(crate) fn handed_over(&mut self) -> Vec<HandedOver> {
        let mut all = Vec::new();
        while let Ok(message) = self.stream.try_recv() {
            assert!(!message.is_empty(), "a message says something");
            all.extend(message);
        }
        all
    }

    /// The one delivery that the node was handed over since the last call.
    pub(crate) fn the_claimed(&mut self) -> ClaimedDelivery {
        let claimed: Vec<_> = self
            .handed_over()
            .into_iter()
            .filter_map(|item| {
                if let HandedOver::Claimed(claimed) = item {
                    Some(*claimed)
                } else {
                    None
                }
            })
            .collect();
        <[_; 1]>::try_from(claimed)
            .expect("one was claimed")
            .into_iter()
            .next()
            .expect("there is one")
    }
}

impl Effect {
    fn of(item: &HandedOver) -> Self {
        match item {
            HandedOver::Claimed(claimed) => {
                Self::Claimed(claimed.delivery.id, claimed.delivery.attempt_number)
            }
            HandedOver::Due { webhook_id, due_at } => Self::Due(*webhook_id, *due_at),
            HandedOver::Settled { delivery_id, .. } => Self::Settled(*delivery_id),
            HandedOver::Doubtful(claimed) => unreachable!("every commit is answered: {claimed:?}"),
            HandedOver::Cancelled { delivery_id, .. } => Self::Cancelled(*delivery_id),
        }
    }
}

pub(crate) fn failures(answered: u32, unanswered: u32) -> Failures {
    Failures { answered, unanswered }
}

pub(crate) fn is_lost(attempt: &Attempt) -> bool {
    attempt.outcome == AttemptOutcome::Lost
}
