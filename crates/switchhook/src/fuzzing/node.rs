//! A whole node in this process, with two companies in it: one asks, and must never see or change what is the other's.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, Response, StatusCode};
use parking_lot::Mutex;
use serde_json::{Value, json};
use switchhook_domain::attempt::{FailureReason, Phases};
use switchhook_domain::id::CompanyId;
use switchhook_store::sqlite::SqliteStore;
use switchhook_store::{PageRequest, StoreOptions};
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt;

use switchhook_node::api_keys;
use switchhook_node::clock::SystemClock;
use switchhook_node::delivery::transport::{Post, PostResult, Transport};
use switchhook_node::liveness::Liveness;
use switchhook_node::randomness::JitterSource;
use switchhook_node::settings::Settings;
use switchhook_node::telemetry::Telemetry;
use switchhook_node::{Parts, assemble};
use switchhook_web::api;

/// Number of inputs after which the node is replaced, so that it stays small and fast.
const LIFETIME: u32 = 2_000;

/// The largest answer that there may be to one of these requests.
const LARGEST_ANSWER: usize = 8 << 20;

/// Stands in everything that is the other company's, and in nothing else.
pub(super) const MARKER: &str = "0ther-c0mpany";

/// Secret of the signed source.
pub(super) const SECRET: &str = "a secret of the source";

const ASKING: (CompanyId, &str) = (CompanyId(1), "shk_asking");
const OTHER: (CompanyId, &str) = (CompanyId(2), "shk_other");

pub(super) struct NodeAnswer {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

impl NodeAnswer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// The node and what there is in it by name: `{WEBHOOK}` in an input stands for the webhook's id.
pub(super) struct Node {
    runtime: Runtime,
    node: Arc<switchhook_node::Node>,
    router: Router,
    names: Vec<(&'static str, String)>,
    /// State of the other company's webhooks at the beginning.
    others: String,
    inputs: u32,
}

static NODE: Mutex<Option<Node>> = Mutex::new(None);

/// Runs `work` with the node, and checks that the other company's webhooks are unchanged.
pub(super) fn with_node<T>(work: impl FnOnce(&Node) -> T) -> T {
    let mut kept = NODE.lock();
    let mut node = kept
        .take()
        .filter(|node| node.inputs < LIFETIME)
        .unwrap_or_else(Node::new);
    node.inputs += 1;
    let result = work(&node);
    assert_eq!(
        node.others_webhooks(),
        node.others,
        "the other company's webhooks are as they were"
    );
    // Only now: after a panic the next input has a new one.
    *kept = Some(node);
    result
}

impl Node {
    fn new() -> Self {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime can be made");
        let (node, router) = runtime.block_on(start());
        let mut node = Self {
            runtime,
            node,
            router,
            names: Vec::new(),
            others: String::new(),
            inputs: 0,
        };
        node.fill(ASKING.1, "", "ours");
        node.fill(OTHER.1, "OTHER_", MARKER);
        node.others = node.others_webhooks();
        node
    }

    /// Gives a company something of everything; `word` stands in all of it.
    fn fill(&mut self, key: &str, prefix: &'static str, word: &str) {
        let webhook = json!({ "hook_url": format!("https://example.com/{word}"), "secret": word });
        let webhook = self.make(key, "/api/v2/webhooks", &webhook);
        let websocket = self.make(key, "/api/v2/websockets", &json!({ "secret": word }));
        let subscription = self.make(
            key,
            "/api/v2/subscriptions/call",
            &json!({ "endpoint_id": webhook["id"] }),
        );
        let source = self.make(key, "/v1/sources", &json!({ "name": word }));
        let signed = self.make(key, "/v1/sources", &json!({ "name": word, "secret": SECRET }));
        let event = json!({ "call_id": 7, "state": "ringing", "contact": { "name": word } });
        let event = self.make(key, "/v1/events/call", &event);
        let token = |source: &Value| {
            let url = source["url"].as_str().unwrap_or_default();
            url.rsplit('/').next().unwrap_or_default().to_owned()
        };
        let id = |thing: &Value| thing["id"].as_str().expect("what was made has an id").to_owned();
        let delivery = id(&event["deliveries"][0]);
        let names = [
            ("WEBHOOK", id(&webhook)),
            ("WEBSOCKET", id(&websocket)),
            ("SUBSCRIPTION", id(&subscription)),
            ("SOURCE", id(&source)),
            ("INLET", token(&source)),
            ("SIGNED_INLET", token(&signed)),
            ("EVENT", id(&event)),
            ("DELIVERY", delivery),
        ];
        let named = names.map(|(name, value)| (&*format!("{{{prefix}{name}}}").leak(), value));
        self.names.extend(named);
    }

    fn make(&self, key: &str, path: &str, what: &Value) -> Value {
        let request = Request::post(path).header(AUTHORIZATION, format!("Bearer {key}"));
        let request = request
            .header(CONTENT_TYPE, "application/json")
            .body(Body::from(what.to_string()));
        let answered = self.send(request.expect("a path is a path"));
        assert!(answered.status.is_success(), "{path}: {:?}", answered.body);
        answered.json()
    }

    /// Value of a placeholder.
    pub(super) fn name(&self, name: &str) -> &str {
        let found = self.names.iter().find(|(known, _)| *known == name);
        &found.expect("the name is known").1
    }

    /// A text with every name replaced by what it stands for.
    pub(super) fn resolve(&self, text: &str) -> String {
        let replace = |text: String, (name, value): &(&'static str, String)| text.replace(name, value);
        self.names.iter().fold(text.to_owned(), replace)
    }

    /// Sends a request, with an admin's key unless it has one.
    pub(super) fn ask(&self, mut request: Request<Body>) -> NodeAnswer {
        let key = format!("Bearer {}", ASKING.1)
            .parse()
            .expect("a key is plain text");
        request.headers_mut().entry(AUTHORIZATION).or_insert(key);
        self.send(request)
    }

    /// Posts bytes without a key.
    pub(super) fn post(&self, path: &str, body: &[u8]) -> NodeAnswer {
        let request = Request::builder().method(Method::POST).uri(path);
        self.send(request.body(Body::from(body.to_vec())).expect("a path is a path"))
    }

    fn send(&self, request: Request<Body>) -> NodeAnswer {
        self.runtime.block_on(async {
            let response = self.router.clone().oneshot(request).await;
            let response = response.unwrap_or_else(|never| match never {});
            let status = response.status();
            let body = if goes_on(&response) {
                Bytes::new()
            } else {
                let read = to_bytes(response.into_body(), LARGEST_ANSWER).await;
                read.expect("an answer has a bound")
            };
            NodeAnswer { status, body }
        })
    }

    fn others_webhooks(&self) -> String {
        let list = self.node.store.list_webhooks(OTHER.0, PageRequest::first(100));
        let page = self.runtime.block_on(list).expect("the store can be read");
        format!("{:?}", page.items)
    }
}

/// True if the answer is endless.
fn goes_on(response: &Response<Body>) -> bool {
    let content_type = response.headers().get(CONTENT_TYPE);
    content_type.is_some_and(|content_type| content_type.as_bytes().starts_with(b"text/event-stream"))
}

async fn start() -> (Arc<switchhook_node::Node>, Router) {
    let clock = Arc::new(SystemClock);
    let now = switchhook_domain::clock::Clock::now(&*clock);
    let store = SqliteStore::in_memory(StoreOptions::owner(now)).expect("a store in memory opens");
    let parts = Parts {
        settings: Settings::default(),
        clock,
        jitter: JitterSource::from_seed(7),
        telemetry: Telemetry::new(),
        liveness: Liveness::default(),
        store,
        transport: Arc::new(NoReceiver),
        guard: Arc::default(),
    };
    let node = assemble(parts, &tokio::runtime::Handle::current()).await;
    let node = Arc::new(node.expect("an empty store can be read"));
    for (company_id, text) in [ASKING, OTHER] {
        let made = api_keys::find_or_create_admin(&node, company_id, text, text).await;
        made.expect("an empty store can be written");
    }
    let router = api::router(Arc::clone(&node));
    (node, router)
}

/// A network in which nobody listens.
struct NoReceiver;

#[async_trait]
impl Transport for NoReceiver {
    async fn post(&self, _: Post) -> PostResult {
        PostResult::unanswered(
            FailureReason::ConnectionRefused,
            "nobody listens",
            Phases::default(),
        )
    }
}
