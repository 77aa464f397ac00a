//! A node on a store in memory, most of whose receivers never answer, and callers of every sort.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use switchhook_domain::attempt::{AttemptOutcome, Phases};
use switchhook_domain::clock::Clock;
use switchhook_domain::id::{CompanyId, DeliveryId, EventId, KeyId, SubscriptionId, WebhookId, WebsocketId};
use switchhook_domain::key::{ApiKey, Right, Rights};
use switchhook_domain::scope::Scopes;
use switchhook_domain::subscription::SubscriptionRequest;
use switchhook_domain::webhook::WebhookRequest;
use switchhook_domain::{Kind, Timestamp};
use switchhook_node::caller::Caller;
use switchhook_node::delivery::transport::{Post, PostResult, Transport};
use switchhook_node::ingest::{self, Submission};
use switchhook_node::liveness::Liveness;
use switchhook_node::randomness::JitterSource;
use switchhook_node::refusal::Refusal;
use switchhook_node::settings::Settings;
use switchhook_node::share::CompanyLimits;
use switchhook_node::telemetry::Telemetry;
use switchhook_node::{Node, Parts, assemble, subscriptions, webhooks, websockets};
use switchhook_store::sqlite::SqliteStore;
use switchhook_store::{DeliveryFilter, PageRequest, StoreOptions};
use tokio::time::Instant;

pub(crate) const COMPANY: CompanyId = CompanyId(1);
pub(crate) const START: Timestamp = Timestamp::from_millis(1_790_000_000_000);

/// An id that nothing has.
pub(crate) const NOWHERE: i64 = 7;

/// A receiver that wants no more: deliveries to it are given up.
pub(crate) const GONE: &str = "https://gone.example.com/";

/// A chat that takes every message.
pub(crate) const CHAT: &str = "https://hooks.example.com/services/T0";

/// Receivers that never answer, but for two: deliveries stay pending.
struct Receivers;

#[async_trait]
impl Transport for Receivers {
    async fn post(&self, post: Post) -> PostResult {
        let status = match post.destination.webhook.hook_url.as_str() {
            GONE => 410,
            CHAT => 200,
            _ => std::future::pending().await,
        };
        PostResult {
            outcome: AttemptOutcome::Answered {
                status,
                retry_after: None,
            },
            answer: None,
            phases: Phases::default(),
        }
    }
}

pub(crate) struct Fixture {
    pub(crate) node: Node,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    pub(crate) async fn limited(company_limits: CompanyLimits) -> Self {
        Self::with(Settings {
            company_limits,
            ..Settings::default()
        })
        .await
    }

    /// Needs a paused runtime: the house's clock goes as tokio's.
    pub(crate) async fn with(settings: Settings) -> Self {
        let began = Instant::now();
        let parts = Parts {
            settings,
            clock: Arc::new(move || START.plus(began.elapsed())) as Arc<dyn Clock>,
            jitter: JitterSource::from_seed(1),
            telemetry: Telemetry::new(),
            liveness: Liveness::default(),
            store: SqliteStore::in_memory(StoreOptions::owner(START)).expect("a store in memory opens"),
            transport: Arc::new(Receivers),
            guard: Arc::default(),
        };
        let node = assemble(parts, &tokio::runtime::Handle::current()).await;
        Self {
            node: node.expect("an empty store can be read"),
        }
    }

    /// A webhook of the company's with a secret.
    pub(crate) async fn webhook(&self) -> WebhookId {
        let id = self.node.ids.next(self.node.clock.now());
        let request = WebhookRequest {
            hook_url: Some(Some(format!("https://example.com/{id}"))),
            secret: Some(Some("s".repeat(40))),
            ..WebhookRequest::default()
        };
        let made = webhooks::create(&self.node, admin(), request).await;
        made.expect("the URL is new").webhook.id
    }

    pub(crate) async fn websocket(&self) -> WebsocketId {
        let made = websockets::create(&self.node, admin(), None).await;
        made.expect("there is room").websocket.id
    }

    /// A subscription of an admin's with all scopes to all calls.
    pub(crate) async fn subscription(&self, endpoint_id: i64) -> SubscriptionId {
        let request = SubscriptionRequest {
            endpoint_id: Some(Some(endpoint_id)),
            ..SubscriptionRequest::default()
        };
        let made = subscriptions::create(&self.node, admin(), Kind::Call, request).await;
        made.expect("it is the first there").subscription.id
    }

    pub(crate) async fn event(&self, kind: Kind, body: &'static str) -> EventId {
        let submission = Submission {
            company_id: COMPANY,
            kind,
            body: Bytes::from_static(body.as_bytes()),
            idempotency_key: None,
        };
        let accepted = ingest::accept(&self.node, submission).await;
        accepted.expect("it is an event").id
    }

    /// A delivery of a call that never ends.
    pub(crate) async fn delivery(&self) -> DeliveryId {
        let webhook = self.webhook().await;
        self.subscription(webhook.0).await;
        let event_id = self
            .event(
                Kind::Call,
                r#"{"call_id":1,"state":"hangup","recording_url":["x"]}"#,
            )
            .await;
        let filter = DeliveryFilter {
            event_id: Some(event_id),
            webhook_id: Some(webhook),
            ..DeliveryFilter::default()
        };
        let page = PageRequest::first(1);
        let page = self.node.store.list_deliveries(COMPANY, filter, page).await;
        page.expect("the store can be read").items[0].id
    }

    /// Makes a key for a caller; answers its hash.
    pub(crate) async fn key(&self, change: impl FnOnce(ApiKey) -> ApiKey) -> ApiKey {
        let id = KeyId(self.node.ids.next(self.node.clock.now()));
        let key = ApiKey {
            admin: false,
            scopes: Scopes::NONE,
            ..ApiKey::of_admin(id, COMPANY, "a key", [9; 32], START)
        };
        let made = self.node.store.create_key(change(key)).await;
        made.expect("the key is new")
    }
}

/// Everything may be done by it, and seen.
pub(crate) fn admin() -> Caller {
    Caller {
        key_id: KeyId(1),
        company_id: COMPANY,
        admin: true,
        rights: Rights::all(),
        scopes: Scopes::ALL,
    }
}

/// May do what needs no admin, and sees neither recordings nor texts.
pub(crate) fn unscoped() -> Caller {
    Caller {
        admin: false,
        scopes: Scopes::NONE,
        ..admin()
    }
}

/// May do only what this right says.
pub(crate) fn with_right(right: Right) -> Caller {
    Caller {
        admin: false,
        rights: [right].into_iter().collect(),
        ..admin()
    }
}

/// The admin of another company.
pub(crate) fn stranger() -> Caller {
    Caller {
        company_id: CompanyId(2),
        ..admin()
    }
}

/// Checks that something was refused, in words that begin like this.
#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(answer: Result<T, Refusal>, words: &str) {
    let refusal = answer.expect_err(words).to_string();
    assert!(refusal.starts_with(words), "`{refusal}` is not `{words}`");
}
