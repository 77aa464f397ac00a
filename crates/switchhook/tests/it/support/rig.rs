//! A whole node in virtual time: a real store that works inline, a scripted network, a clock that tokio moves.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use switchhook_domain::attempt::{Answer, AttemptOutcome, FailureReason, HeaderRecord, Phases};
use switchhook_domain::clock::Clock;
use switchhook_domain::delivery::Delivery;
use switchhook_domain::id::{ChannelId, CompanyId, SubscriptionId, WebhookId};
use switchhook_domain::retry::Jitter;
use switchhook_domain::scope::Scopes;
use switchhook_domain::secret::Secret;
use switchhook_domain::subscription::{CallFilter, Endpoint, Filter, Subscription};
use switchhook_domain::webhook::{Webhook, WebhookSettings};
use switchhook_domain::{Kind, Timestamp};
use switchhook_node::Node;
use switchhook_node::delivery::transport::{Post, PostResult, Transport};
use switchhook_node::ingest::{self, Accepted, Submission};
use switchhook_node::liveness::Liveness;
use switchhook_node::randomness::JitterSource;
use switchhook_node::settings::Settings;
use switchhook_node::telemetry::Telemetry;
use switchhook_node::{Parts, assemble};
use switchhook_store::sqlite::SqliteStore;
use switchhook_store::{PageRequest, Store, StoreOptions};
use tokio::time::Instant;

pub(crate) const COMPANY: CompanyId = CompanyId(1);

/// Noon of a day in 2026: when virtual time begins.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_790_000_000_000);

/// One POST as the network saw it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Since the beginning of the test.
    pub(crate) at: Duration,
    pub(crate) webhook_id: WebhookId,
    pub(crate) delivery_id: i64,
    pub(crate) attempt: u32,
    pub(crate) body: Bytes,
    pub(crate) headers: http::HeaderMap,
}

/// Reaction of the network to a POST.
#[derive(Debug, Clone)]
pub(crate) enum Reaction {
    /// Answers with a status at once.
    Answer(u16),
    /// Answers with a status and a wish for patience.
    AnswerLater(u16, Duration),
    /// Answers with a status and a header.
    AnswerWith(u16, &'static str, &'static str),
    /// Answers with a status and a body.
    Say(u16, &'static str),
    /// Answers with a status after some time.
    Slowly(u16, Duration),
    /// Says nothing until the deadline.
    Silence,
    /// Nobody listens.
    Refuse,
    /// Is no answer, for this reason and in these words.
    Fail(FailureReason, &'static str),
}

/// One notification as a channel got it.
#[derive(Debug, Clone)]
pub(crate) struct Notified {
    pub(crate) channel_id: ChannelId,
    pub(crate) message: serde_json::Value,
}

type Script = Box<dyn Fn(&Seen) -> Reaction + Send + Sync>;

/// A network that does as it is told and remembers what it saw.
pub(crate) struct ScriptedNetwork {
    started: Instant,
    script: Script,
    seen: Mutex<Vec<Seen>>,
    notified: Mutex<Vec<Notified>>,
    /// Transport that really sends notifications, if there is one.
    channels: OnceLock<Arc<dyn Transport>>,
    under_way: Mutex<HashMap<WebhookId, (u32, u32)>>,
}

impl ScriptedNetwork {
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().clone()
    }

    pub(crate) fn notified(&self) -> Vec<Notified> {
        self.notified.lock().clone()
    }

    /// Has notifications be sent by something real.
    pub(crate) fn notify_by(&self, channels: Arc<dyn Transport>) {
        assert!(self.channels.set(channels).is_ok(), "only once");
    }

    /// The most attempts to one webhook that were under way at once.
    pub(crate) fn most_under_way(&self, webhook_id: WebhookId) -> u32 {
        self.under_way
            .lock()
            .get(&webhook_id)
            .map_or(0, |(_, most)| *most)
    }

    fn began(&self, webhook_id: WebhookId) {
        let mut under_way = self.under_way.lock();
        let (now, most) = under_way.entry(webhook_id).or_default();
        *now += 1;
        *most = (*most).max(*now);
    }

    fn ended(&self, webhook_id: WebhookId) {
        self.under_way.lock().entry(webhook_id).or_default().0 -= 1;
    }
}

fn header<T: std::str::FromStr>(post: &Post, name: &str) -> Option<T> {
    post.headers().get(name)?.to_str().ok()?.parse().ok()
}

#[async_trait]
impl Transport for ScriptedNetwork {
    async fn post(&self, post: Post) -> PostResult {
        let webhook_id = post.destination.webhook.id;
        if post.headers().get("switchhook-delivery-id").is_none() {
            if let Some(channels) = self.channels.get() {
                return channels.post(post).await;
            }
            // A notification, which no script is about: it arrives.
            self.notified.lock().push(Notified {
                channel_id: ChannelId(webhook_id.0),
                message: serde_json::from_slice(&post.body).expect("a message is JSON"),
            });
            return react(Reaction::Answer(200), &post, self.started).await;
        }
        let seen = Seen {
            at: self.started.elapsed(),
            webhook_id,
            delivery_id: header(&post, "switchhook-delivery-id").expect("every attempt names its delivery"),
            attempt: header(&post, "switchhook-attempt").expect("every attempt is numbered"),
            // A copy: what is remembered here is not to be sent any more.
            body: Bytes::copy_from_slice(&post.body),
            headers: post.headers(),
        };
        let reaction = (self.script)(&seen);
        self.seen.lock().push(seen);
        self.began(webhook_id);
        let posted = react(reaction, &post, self.started).await;
        self.ended(webhook_id);
        posted
    }
}

async fn react(reaction: Reaction, post: &Post, started: Instant) -> PostResult {
    let answered = |status, retry_after| PostResult {
        outcome: AttemptOutcome::Answered { status, retry_after },
        answer: Some(Answer {
            status,
            ..Answer::default()
        }),
        phases: Phases::default(),
    };
    match reaction {
        Reaction::Answer(status) => answered(status, None),
        Reaction::AnswerLater(status, patience) => {
            answered(status, Some(START.plus(started.elapsed()).plus(patience)))
        }
        Reaction::AnswerWith(status, name, value) => PostResult {
            answer: Some(Answer {
                status,
                headers: HeaderRecord::of([(name, value.into())]),
                ..Answer::default()
            }),
            ..answered(status, None)
        },
        Reaction::Say(status, body) => PostResult {
            answer: Some(Answer {
                status,
                body_head: body.into(),
                ..Answer::default()
            }),
            ..answered(status, None)
        },
        Reaction::Slowly(status, wait) => {
            tokio::time::sleep(wait).await;
            answered(status, None)
        }
        Reaction::Silence => {
            tokio::time::sleep(post.destination.timeout(&Settings::default().delivery)).await;
            PostResult::unanswered(
                FailureReason::AnswerTimeout,
                "nothing was answered",
                Phases::default(),
            )
        }
        Reaction::Refuse => PostResult::unanswered(
            FailureReason::ConnectionRefused,
            "nobody listens",
            Phases::default(),
        ),
        Reaction::Fail(reason, detail) => PostResult::unanswered(reason, detail, Phases::default()),
    }
}

/// A node and its surroundings.
pub(crate) struct Rig {
    pub(crate) node: Arc<Node>,
    pub(crate) network: Arc<ScriptedNetwork>,
    pub(crate) store: Arc<dyn Store>,
}

impl Rig {
    /// A node whose network follows `script`. Needs a paused runtime.
    pub(crate) async fn new(script: impl Fn(&Seen) -> Reaction + Send + Sync + 'static) -> Self {
        let store = SqliteStore::in_memory(StoreOptions::owner(START)).expect("a store in memory opens");
        Self::on(store, Settings::default(), script).await
    }

    pub(crate) async fn on(
        store: Arc<dyn Store>,
        settings: Settings,
        script: impl Fn(&Seen) -> Reaction + Send + Sync + 'static,
    ) -> Self {
        Self::at(START, store, settings, script).await
    }

    /// A node whose virtual time begins at `began_at`: one that goes on where another ended.
    pub(crate) async fn at(
        began_at: Timestamp,
        store: Arc<dyn Store>,
        settings: Settings,
        script: impl Fn(&Seen) -> Reaction + Send + Sync + 'static,
    ) -> Self {
        let started = Instant::now();
        let clock = Arc::new(move || began_at.plus(started.elapsed()));
        Self::with_clock(store, settings, clock, script).await
    }

    /// A node whose delays are without jitter.
    pub(crate) async fn steady(script: impl Fn(&Seen) -> Reaction + Send + Sync + 'static) -> Self {
        let store = SqliteStore::in_memory(StoreOptions::owner(START)).expect("a store in memory opens");
        let started = Instant::now();
        let clock = Arc::new(move || START.plus(started.elapsed()));
        Self::with(
            store,
            Settings::default(),
            clock,
            JitterSource::fixed(Jitter::NONE),
            script,
        )
        .await
    }

    /// With a clock that need not go as tokio's does.
    pub(crate) async fn with_clock(
        store: Arc<dyn Store>,
        settings: Settings,
        clock: Arc<dyn Clock>,
        script: impl Fn(&Seen) -> Reaction + Send + Sync + 'static,
    ) -> Self {
        let jitter = JitterSource::from_seed(clock.now().as_millis().unsigned_abs());
        Self::with(store, settings, clock, jitter, script).await
    }

    async fn with(
        store: Arc<dyn Store>,
        settings: Settings,
        clock: Arc<dyn Clock>,
        jitter: JitterSource,
        script: impl Fn(&Seen) -> Reaction + Send + Sync + 'static,
    ) -> Self {
        let started = Instant::now();
        let network = Arc::new(ScriptedNetwork {
            started,
            script: Box::new(script),
            seen: Mutex::default(),
            notified: Mutex::default(),
            channels: OnceLock::new(),
            under_way: Mutex::default(),
        });
        let parts = Parts {
            settings,
            clock,
            jitter,
            telemetry: Telemetry::new(),
            liveness: Liveness::default(),
            store: Arc::clone(&store),
            transport: Arc::clone(&network) as Arc<dyn Transport>,
            guard: Arc::default(),
        };
        let node = assemble(parts, &tokio::runtime::Handle::current())
            .await
            .expect("an empty store can be read");
        Self {
            node: Arc::new(node),
            network,
            store,
        }
    }

    /// A webhook that gets every call event.
    pub(crate) async fn webhook(&self, settings: WebhookSettings) -> WebhookId {
        self.signed_webhook(settings, None).await
    }

    pub(crate) async fn signed_webhook(&self, settings: WebhookSettings, secret: Option<&str>) -> WebhookId {
        let id = self.silent_webhook(settings, secret).await;
        self.subscribe(id, Filter::Call(CallFilter::default())).await;
        id
    }

    /// A webhook without a subscription.
    pub(crate) async fn silent_webhook(&self, settings: WebhookSettings, secret: Option<&str>) -> WebhookId {
        let now = self.node.clock.now();
        let id = WebhookId(self.node.ids.next(now));
        let webhook = Webhook::new(id, COMPANY, format!("https://example.com/{id}"), now)
            .with_secret(secret.map(Secret::new))
            .with_settings(settings);
        self.store.create_webhook(webhook).await.expect("the URL is new");
        id
    }

    pub(crate) async fn subscribe(&self, webhook_id: WebhookId, filter: Filter) {
        let now = self.node.clock.now();
        let subscription = Subscription {
            id: SubscriptionId(self.node.ids.next(now)),
            company_id: COMPANY,
            endpoint: Some(Endpoint::Webhook(webhook_id)),
            enabled: true,
            filter,
            payload_filter: None,
            scopes: Scopes::ALL,
            created_at: now,
            updated_at: now,
        };
        self.store
            .create_subscription(subscription, None)
            .await
            .expect("the subscription is new");
        self.node
            .registry
            .refresh(COMPANY)
            .await
            .expect("the store can be read");
    }

    /// Accepts an event of a kind.
    pub(crate) async fn accept(&self, kind: Kind, body: &str) -> Accepted {
        let body = Bytes::from(body.to_owned());
        let submission = Submission {
            company_id: COMPANY,
            kind,
            body,
            idempotency_key: None,
        };
        ingest::accept(&self.node, submission)
            .await
            .expect("the event is well-formed")
    }

    /// Accepts an event of a call.
    pub(crate) async fn call(&self, call_id: u64, state: &str) -> Accepted {
        self.accept(
            Kind::Call,
            &format!(r#"{{"call_id":{call_id},"state":"{state}"}}"#),
        )
        .await
    }

    /// Lets virtual time pass.
    pub(crate) async fn wait(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    pub(crate) async fn deliveries(&self) -> Vec<Delivery> {
        let every = switchhook_store::DeliveryFilter::default();
        let page = self
            .store
            .list_deliveries(COMPANY, every, PageRequest::first(10_000))
            .await;
        let mut items = page.expect("the store can be read").items;
        items.reverse();
        items
    }
}
