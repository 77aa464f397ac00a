//! The API in process: a whole node behind its router, a key that may do everything, and short ways to ask.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Method, Request, StatusCode};
use serde_json::Value;
use switchhook_domain::clock::Clock;
use switchhook_domain::id::KeyId;
use switchhook_domain::key::ApiKey;
use switchhook_domain::scope::Scopes;
use switchhook_node::Node;
use switchhook_node::keys;
use switchhook_node::settings::Settings;
use switchhook_store::sqlite::SqliteStore;
use switchhook_store::{Store, StoreOptions};
use switchhook_web::api;
use tower::ServiceExt;

use super::rig::{COMPANY, Reaction, Rig, START, ScriptedNetwork};

/// A node and its API. Needs a paused runtime.
pub(crate) struct TestServer {
    pub(crate) node: Arc<Node>,
    pub(crate) network: Arc<ScriptedNetwork>,
    pub(crate) store: Arc<dyn Store>,
    router: Router,
}

/// The key that may do everything.
pub(crate) const ADMIN: &str = "shk_admin";

/// Answer to a request.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answered {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The answer's JSON, if all went well.
    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        assert!(self.status.is_success(), "{self:?}");
        self.json()
    }

    /// Checks that it is an error with this status, and that its message says this.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, message: &str) {
        let json = self.json();
        assert_eq!(self.status.as_u16(), status, "{json:#}");
        assert_eq!(json["error"]["code"], status);
        assert_eq!(json["error"]["errors"][0]["domain"], "global");
        assert!(json["error"]["errors"][0]["reason"].is_string(), "{json:#}");
        let said = json["error"]["message"].as_str().expect("an error has a message");
        assert!(said.contains(message), "`{said}` does not say `{message}`");
    }
}

impl TestServer {
    pub(crate) async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        Self::reacting(settings, |_| Reaction::Answer(200)).await
    }

    pub(crate) async fn reacting(
        settings: Settings,
        script: impl Fn(&super::rig::Seen) -> Reaction + Send + Sync + 'static,
    ) -> Self {
        let store = SqliteStore::in_memory(StoreOptions::owner(START)).expect("a store in memory opens");
        Self::on(store, settings, script).await
    }

    pub(crate) async fn on(
        store: Arc<dyn Store>,
        settings: Settings,
        script: impl Fn(&super::rig::Seen) -> Reaction + Send + Sync + 'static,
    ) -> Self {
        Self::around(Rig::on(store, settings, script).await).await
    }

    pub(crate) async fn with_clock(store: Arc<dyn Store>, settings: Settings, clock: Arc<dyn Clock>) -> Self {
        let rig = Rig::with_clock(store, settings, clock, |_| Reaction::Answer(200)).await;
        Self::around(rig).await
    }

    async fn around(rig: Rig) -> Self {
        let Rig { node, network, store } = rig;
        let server = Self {
            router: api::router(Arc::clone(&node)),
            node,
            network,
            store,
        };
        server
            .add_key(ADMIN, |key| ApiKey {
                admin: true,
                scopes: Scopes::ALL,
                ..key
            })
            .await;
        server
    }

    /// Makes a key that may do what keys may, changed by `change`.
    pub(crate) async fn add_key(&self, text: &str, change: impl Fn(ApiKey) -> ApiKey) -> KeyId {
        let now = self.node.clock.now();
        let id = KeyId(self.node.ids.next(now));
        let key = ApiKey {
            admin: false,
            scopes: Scopes::NONE,
            ..ApiKey::of_admin(id, COMPANY, text, keys::hash(text), now)
        };
        self.store
            .create_key(change(key))
            .await
            .expect("the key is new")
            .id
    }

    pub(crate) async fn get(&self, path: &str) -> Answered {
        self.ask(Method::GET, path, ADMIN, Value::Null).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answered {
        self.ask(Method::POST, path, ADMIN, body).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answered {
        self.ask(Method::PATCH, path, ADMIN, body).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answered {
        self.ask(Method::DELETE, path, ADMIN, Value::Null).await
    }

    /// Asks with a key; no body if it is null.
    pub(crate) async fn ask(&self, method: Method, path: &str, key: &str, body: Value) -> Answered {
        let body = if body.is_null() {
            Body::empty()
        } else {
            Body::from(body.to_string())
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(AUTHORIZATION, format!("Bearer {key}"))
            .header(CONTENT_TYPE, "application/json");
        self.send(request.body(body).expect("the path is one")).await
    }

    /// Sends an event in; its kind may be followed by a query.
    pub(crate) async fn event(
        &self,
        kind: &str,
        body: impl Into<Body>,
        headers: &[(&str, &str)],
    ) -> Answered {
        let mut request =
            Request::post(format!("/v1/events/{kind}")).header(AUTHORIZATION, format!("Bearer {ADMIN}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body.into()).expect("the path is one"))
            .await
    }

    /// Sends many events in.
    pub(crate) async fn lines(
        &self,
        kind: &str,
        body: impl Into<Body>,
        headers: &[(&str, &str)],
    ) -> Answered {
        let headers: Vec<_> = [("content-type", "application/x-ndjson")]
            .iter()
            .chain(headers)
            .copied()
            .collect();
        self.event(kind, body, &headers).await
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answered {
        let response = self
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("a router always answers");
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 64 << 20).await.expect("the answer is whole");
        Answered {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    /// Status of an answer, whose body is not read, since it may never end.
    pub(crate) async fn status(&self, request: Request<Body>) -> StatusCode {
        let response = self.router.clone().oneshot(request).await;
        response.expect("a router always answers").status()
    }

    /// Makes a webhook and answers its id.
    pub(crate) async fn webhook(&self, hook_url: &str) -> String {
        let webhook = self
            .post("/api/v2/webhooks", serde_json::json!({ "hook_url": hook_url }))
            .await
            .ok();
        webhook["id"].as_str().expect("ids are strings").to_owned()
    }

    /// Subscribes a webhook to every call event.
    pub(crate) async fn subscribe(&self, webhook_id: &str) -> String {
        let body = serde_json::json!({ "endpoint_id": webhook_id });
        let subscription = self.post("/api/v2/subscriptions/call", body).await.ok();
        subscription["id"].as_str().expect("ids are strings").to_owned()
    }

    /// Lets virtual time pass.
    pub(crate) async fn wait(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}
