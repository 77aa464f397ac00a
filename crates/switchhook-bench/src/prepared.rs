//! Stores that are filled before anything is measured: with subscriptions that match nothing, or with a backlog.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use switchhook_domain::clock::Clock;
use switchhook_domain::id::{CompanyId, DeliveryId, EventId, IdSequence, SubscriptionId, WebhookId};
use switchhook_domain::order::OrderKey;
use switchhook_domain::redaction::Hidden;
use switchhook_domain::scope::Scopes;
use switchhook_domain::secret::Secret;
use switchhook_domain::subscription::{CallFilter, Endpoint, Filter, Revision, Subscription, TargetRef};
use switchhook_domain::webhook::Webhook;
use switchhook_domain::{Kind, Timestamp};
use switchhook_protocol::TargetType;
use switchhook_store::{NewDelivery, NewEvent, Store, StoreOptions};

use super::payload::{EventDetails, Payload};
use switchhook_node::clock::SystemClock;
use switchhook_node::keys::DEFAULT_COMPANY;

/// The webhooks' secret, where they have one.
pub(super) const SECRET: &str = "a secret of the length that an HS256 key should have";

/// Subscriptions per company.
const PER_COMPANY: u32 = 1_000;

/// Changes that wait for the same commit.
const AT_ONCE: usize = 2_048;

/// Events of a backlog recorded by one call.
const EVENTS_AT_ONCE: u64 = 250;

/// A new store with `count` subscriptions to calls, each for an entity that is never called, a thousand to a company.
pub(super) async fn with_subscriptions(file: &Path, count: u32) -> Result<()> {
    let new = NewStore::open(file)?;
    let companies = count.div_ceil(PER_COMPANY);
    for company in 0..companies {
        let company_id = CompanyId(DEFAULT_COMPANY.0 + i64::from(company));
        new.webhook(company_id, "https://example.com/hook").await?;
    }
    let kept = stream::iter(0..count)
        .map(|number| {
            let company = i64::from(number % companies);
            new.store
                .create_subscription(new.unmatched_subscription(company, number), None)
        })
        .buffer_unordered(AT_ONCE)
        .try_for_each(|_| async { Ok(()) });
    kept.await.context("the subscriptions cannot be kept")?;
    new.store.close().await;
    Ok(())
}

/// A new store with `count` events, each with a delivery to `hook_url` that is due.
pub(super) async fn with_backlog(file: &Path, count: u64, hook_url: &str, payload: &Payload) -> Result<()> {
    let new = NewStore::open(file)?;
    let webhook = new.webhook(DEFAULT_COMPANY, hook_url).await?;
    let batches = stream::iter((0..count).step_by(usize::try_from(EVENTS_AT_ONCE)?))
        .map(|first| {
            let numbers = first..count.min(first + EVENTS_AT_ONCE);
            let events = numbers.map(|number| new.event(number, webhook, payload));
            new.store.record_events(events.collect())
        })
        .buffered(4)
        .try_for_each(|_| async { Ok(()) });
    batches.await.context("the backlog cannot be kept")?;
    new.store.close().await;
    Ok(())
}

/// Each company has one webhook here.
const fn webhook_of(company_id: CompanyId) -> WebhookId {
    WebhookId(company_id.0)
}

struct NewStore {
    store: Arc<dyn Store>,
    ids: IdSequence,
    now: Timestamp,
}

impl NewStore {
    fn open(file: &Path) -> Result<Self> {
        let now = SystemClock.now();
        let store = switchhook_store::open(&sqlite_url(file), StoreOptions::owner(now))
            .context("no store can be made to be filled")?;
        Ok(Self {
            store,
            ids: IdSequence::after(0),
            now,
        })
    }

    async fn webhook(&self, company_id: CompanyId, hook_url: &str) -> Result<WebhookId> {
        let id = webhook_of(company_id);
        let webhook = Webhook::new(id, company_id, hook_url, self.now).with_secret(Some(Secret::new(SECRET)));
        self.store
            .create_webhook(webhook)
            .await
            .context("a webhook cannot be kept")?;
        Ok(id)
    }

    fn unmatched_subscription(&self, company: i64, number: u32) -> Subscription {
        let company_id = CompanyId(DEFAULT_COMPANY.0 + company);
        let target = TargetRef {
            target_type: TargetType::User,
            target_id: i64::from(number) + 1,
        };
        Subscription {
            id: SubscriptionId(self.ids.next(self.now)),
            company_id,
            endpoint: Some(Endpoint::Webhook(webhook_of(company_id))),
            enabled: true,
            filter: Filter::Call(CallFilter {
                target: Some(target),
                ..CallFilter::default()
            }),
            payload_filter: None,
            scopes: Scopes::NONE,
            created_at: self.now,
            updated_at: self.now,
        }
    }

    fn event(&self, number: u64, webhook_id: WebhookId, payload: &Payload) -> NewEvent {
        let mut body = payload.body().to_vec();
        let says = EventDetails {
            sender: 0,
            call: number,
            target: 0,
            due: Duration::ZERO,
        };
        payload.write(&mut body, says);
        let id = self.ids.reserve(self.now, 2).first;
        NewEvent {
            id: EventId(id),
            company_id: DEFAULT_COMPANY,
            kind: Kind::Call,
            body: Bytes::from(body),
            accepted_at: self.now,
            order_key: Some(OrderKey::new(format!("call:{number}"))),
            warnings: Vec::new(),
            idempotency: None,
            concealable: Hidden::EVERYTHING,
            is_logged: false,
            deliveries: vec![NewDelivery {
                id: DeliveryId(id + 1),
                webhook_id,
                subscription_ids: vec![SubscriptionId(1)],
                hidden: Hidden::NOTHING,
                is_ordered: true,
                claim_until: None,
            }],
            revision: Revision(0),
        }
    }
}

pub(super) fn sqlite_url(file: &Path) -> String {
    format!("sqlite:{}", file.display())
}
