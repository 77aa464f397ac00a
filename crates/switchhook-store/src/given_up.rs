//! Deliveries that a commit gives up, which people are told of by webhook.

use std::collections::BTreeMap;

use switchhook_domain::Timestamp;
use switchhook_domain::attempt::Failure;
use switchhook_domain::delivery::DeliveryState;
use switchhook_domain::id::{CompanyId, DeliveryId, WebhookId};
use switchhook_domain::notification::{GivenUpDelivery, Notice, NotificationPayload, WebhookInfo};

use crate::claim::FinishedAttempt;

/// Given-up deliveries of one webhook.
#[derive(Debug)]
struct GivenUpSummary {
    count: u32,
    first_at: Timestamp,
    delivery_id: DeliveryId,
    last: Option<Failure>,
}

/// Deliveries that are given up, in the order of their webhooks.
#[derive(Debug, Default)]
pub(crate) struct GivenUpDeliveries(BTreeMap<WebhookId, GivenUpSummary>);

impl GivenUpDeliveries {
    /// Notes an attempt that took effect.
    pub(crate) fn note(&mut self, one: &FinishedAttempt) {
        let DeliveryState::Exhausted { at } = one.state else {
            return;
        };
        let lately = self.0.entry(one.webhook_id).or_insert(GivenUpSummary {
            count: 0,
            first_at: at,
            delivery_id: one.delivery_id,
            last: None,
        });
        lately.count += 1;
        lately.first_at = lately.first_at.min(at);
        lately.delivery_id = one.delivery_id;
        lately.last = Failure::of(&one.attempt.outcome);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn webhook_ids(&self) -> Vec<WebhookId> {
        self.0.keys().copied().collect()
    }

    /// Notice about a webhook's given-up deliveries, if it has any.
    pub(crate) fn notice(&self, id: WebhookId, company_id: CompanyId, hook_url: &str) -> Option<Notice> {
        let lately = self.0.get(&id)?;
        let payload = NotificationPayload::DeliveryExhausted(GivenUpDelivery {
            webhook: WebhookInfo::new(id, hook_url),
            delivery_id: lately.delivery_id,
            last: lately.last,
        });
        Some(Notice::new(Some(company_id), lately.first_at, payload).times(lately.count))
    }
}
