//! Deliveries, claims and webhooks as the tests of the engine need them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use switchhook_domain::attempt::{Answer, Attempt, AttemptOutcome, Phases};
use switchhook_domain::delivery::{Delivery, DeliveryState};
use switchhook_domain::id::{CompanyId, DeliveryId, EventId, WebhookId};
use switchhook_domain::order::OrderKey;
use switchhook_domain::redaction::Hidden;
use switchhook_domain::retry::Failures;
use switchhook_domain::webhook::Webhook;
use switchhook_domain::{Kind, Timestamp};
use switchhook_store::sqlite::SqliteStore;
use switchhook_store::{ClaimedDelivery, FinishedAttempt, Release, StoreOptions, WebhookStore};

use crate::registry::Registry;

pub(super) const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

/// A claimed delivery without an event's bytes. Its lease is over at [`NOW`].
pub(super) fn claimed(id: i64, key: Option<&str>) -> Box<ClaimedDelivery> {
    let delivery = Delivery {
        id: DeliveryId(id),
        event_id: EventId(id),
        ordinal: 0,
        company_id: CompanyId(1),
        webhook_id: WebhookId(1),
        kind: Kind::Call,
        subscription_ids: vec![],
        hidden: Hidden::NOTHING,
        order_key: key.map(OrderKey::new),
        state: DeliveryState::Pending { due_at: NOW },
        attempt_number: 1,
        failures: Failures::default(),
        blocks_until: NOW,
        note: None,
        origin: None,
        replay_id: None,
        suspended: Duration::ZERO,
        last_failure: None,
        resolved: None,
        created_at: NOW,
    };
    Box::new(ClaimedDelivery {
        delivery,
        body: Bytes::new(),
        concealable: Hidden::EVERYTHING,
        was_read: false,
        was_due_at: NOW,
    })
}

/// The same at another attempt.
pub(super) fn claimed_at(id: i64, key: &str, attempt_number: u32) -> Box<ClaimedDelivery> {
    let mut claimed = claimed(id, Some(key));
    claimed.delivery.attempt_number = attempt_number;
    claimed
}

/// A claimed delivery of an event of `size` bytes.
pub(super) fn claimed_with(id: i64, size: usize) -> Box<ClaimedDelivery> {
    let mut claimed = claimed(id, None);
    claimed.body = Bytes::from(vec![b' '; size]);
    claimed
}

/// A claim that goes back.
pub(super) fn release(id: i64) -> Release {
    Release {
        delivery_id: DeliveryId(id),
        webhook_id: WebhookId(1),
        attempt_number: 1,
        due_at: NOW,
    }
}

/// The deliveries of claims that go back.
pub(super) fn ids(released: &[Release]) -> Vec<i64> {
    released.iter().map(|release| release.delivery_id.0).collect()
}

/// An attempt that was accepted.
pub(super) fn finished(id: i64, answer: Option<Answer>) -> FinishedAttempt {
    FinishedAttempt {
        delivery_id: DeliveryId(id),
        webhook_id: WebhookId(1),
        attempt: Attempt {
            number: 1,
            started_at: NOW,
            finished_at: NOW,
            outcome: AttemptOutcome::Answered {
                status: 200,
                retry_after: None,
            },
            request: None,
            answer,
            phases: Phases::default(),
        },
        state: DeliveryState::Delivered { at: NOW },
        failures: Failures::default(),
        blocks_until: NOW,
        suspended: Duration::ZERO,
    }
}

pub(super) fn webhook(id: WebhookId) -> Webhook {
    Webhook::new(id, CompanyId(1), format!("https://example.com/{id}"), NOW)
}

/// Registry with these webhooks.
pub(super) async fn registry(webhooks: impl IntoIterator<Item = Webhook>) -> Arc<Registry> {
    let store = SqliteStore::in_memory(StoreOptions::owner(NOW)).expect("a store in memory opens");
    for webhook in webhooks {
        store.create_webhook(webhook).await.expect("it is new");
    }
    let registry = Registry::load(store, NOW).await;
    Arc::new(registry.expect("a store in memory can be read"))
}
