//! The table of everything that can be wrong with a request: its status, and what its message says.

use axum::body::Body;
use http::{Method, Request};
use serde_json::{Value, json};

use crate::support::test_server::{ADMIN, TestServer};

const WEBHOOKS: &str = "/api/v2/webhooks";
const CALLS: &str = "/api/v2/subscriptions/call";
const SMS: &str = "/api/v2/subscriptions/sms";

async fn raw(server: &TestServer, path: &str, body: &'static str) -> crate::support::test_server::Answered {
    let request = Request::post(path).header("authorization", format!("Bearer {ADMIN}"));
    server
        .send(request.body(Body::from(body)).expect("the path is one"))
        .await
}

#[tokio::test(start_paused = true)]
async fn a_body_that_cannot_be_read_is_told_where() {
    let server = TestServer::new().await;
    raw(&server, WEBHOOKS, "{\"hook_url\": ")
        .await
        .refused(400, "the body is not JSON: EOF while parsing a value at line 1");
    raw(&server, WEBHOOKS, "[]")
        .await
        .refused(400, "the body is no JSON object");
    raw(&server, WEBHOOKS, "hook_url=x")
        .await
        .refused(400, "the body is not JSON");
    let long = Body::from(vec![b' '; 70_000]);
    let request = Request::post(WEBHOOKS).header("authorization", format!("Bearer {ADMIN}"));
    server
        .send(request.body(long).unwrap())
        .await
        .refused(413, "at most 65536 bytes");
}

#[tokio::test(start_paused = true)]
async fn what_needs_a_key_is_kept_out_of_caches_whatever_is_answered() {
    let server = TestServer::new().await;
    server.webhook("https://example.com/secret").await;
    let nobody = || Request::get(WEBHOOKS).body(Body::empty()).unwrap();
    for answered in [
        server.get(WEBHOOKS).await,
        server.get("/v1/webhooks").await,
        server.get("/v1/stream?kind=fax").await,
        server.get("/v1/nothing").await,
        server.get("/v1/events?order_key=%00").await,
        server.delete(WEBHOOKS).await,
        server.event("call", "{}", &[]).await,
        server.event("agent-status", "{}", &[]).await,
        server.send(nobody()).await,
    ] {
        assert_eq!(answered.headers["cache-control"], "no-store", "{answered:?}");
    }
    assert!(
        !server
            .get("/openapi.json")
            .await
            .headers
            .contains_key("cache-control")
    );
}

#[tokio::test(start_paused = true)]
async fn a_field_that_is_wrong_is_named() {
    let server = TestServer::new().await;
    let webhook = server.webhook("https://example.com/taken").await;
    let rows = [
        (WEBHOOKS, json!({}), 400, "hook_url is required"),
        (WEBHOOKS, json!({"hook_url": null}), 400, "hook_url is required"),
        (WEBHOOKS, json!({"hook_url": ""}), 400, "hook_url is empty"),
        (
            WEBHOOKS,
            json!({"hook_url": 5}),
            400,
            "hook_url: invalid type: integer `5`, expected a string",
        ),
        (
            WEBHOOKS,
            json!({"hook_url": "example.com"}),
            400,
            "hook_url: example.com is no URL",
        ),
        (
            WEBHOOKS,
            json!({"hook_url": "http://example.com"}),
            400,
            "must start with https://",
        ),
        (
            WEBHOOKS,
            json!({"hook_url": "https://127.0.0.1/"}),
            400,
            "loopback",
        ),
        (
            WEBHOOKS,
            json!({"hook_url": "https://exa mple.com"}),
            400,
            "hook_url has white space",
        ),
        (
            WEBHOOKS,
            json!({"hook_url": "https://example.com/taken"}),
            409,
            "already has this hook_url",
        ),
        (
            WEBHOOKS,
            json!({"hook_url": "https://example.com", "secret": 1}),
            400,
            "secret: invalid type",
        ),
        (
            CALLS,
            json!({"call_states": ["hung"]}),
            400,
            "call_states[0]: `hung` is not a call state",
        ),
        (
            CALLS,
            json!({"call_states": "hangup"}),
            400,
            "call_states: invalid type: string",
        ),
        (
            CALLS,
            json!({"enabled": "yes"}),
            400,
            "enabled: invalid type: string \"yes\", expected a boolean",
        ),
        (
            CALLS,
            json!({"target_id": 1}),
            400,
            "target_type is required with a target_id",
        ),
        (
            CALLS,
            json!({"target_type": "user"}),
            400,
            "target_id is required with a target_type",
        ),
        (
            CALLS,
            json!({"target_type": "desk", "target_id": 1}),
            400,
            "target_type: `desk` is not a target type",
        ),
        (
            CALLS,
            json!({"target_type": "user", "target_id": "x"}),
            400,
            "target_id: invalid value: string \"x\"",
        ),
        (
            CALLS,
            json!({"endpoint_id": "x"}),
            400,
            "endpoint_id: invalid value: string \"x\", expected an id",
        ),
        (
            CALLS,
            json!({"endpoint_id": 12}),
            404,
            "endpoint_id: there is no webhook 12",
        ),
        (
            CALLS,
            json!({"endpoint_id": 12, "webhook_id": 13}),
            400,
            "endpoint_id and webhook_id mean the same",
        ),
        (
            SMS,
            json!({"endpoint_id": webhook}),
            400,
            "direction is required: all, inbound or outbound",
        ),
        (
            SMS,
            json!({"direction": "sideways"}),
            400,
            "direction: `sideways` is not a message direction",
        ),
        (
            "/api/v2/subscriptions/agent_status",
            json!({}),
            400,
            "agent_type is required",
        ),
        (
            "/api/v2/subscriptions/agent_status",
            json!({"agent_type": "x"}),
            400,
            "agent_type: `x` is not",
        ),
        (
            "/api/v2/subscriptions/contact",
            json!({}),
            400,
            "contact_type is required: local or shared",
        ),
        (
            "/api/v2/subscriptions/contact",
            json!({"contact_type": "google"}),
            400,
            "contact_type: `google` is not",
        ),
    ];
    for (path, body, status, message) in rows {
        server.post(path, body).await.refused(status, message);
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_that_makes_no_sense_is_refused() {
    let server = TestServer::new().await;
    let webhook = server.webhook("https://example.com/1").await;
    server.webhook("https://example.com/2").await;
    let call = server.subscribe(&webhook).await;
    let create = async |kind: &str, body: Value| {
        let made = server
            .post(&format!("/api/v2/subscriptions/{kind}"), body)
            .await
            .ok();
        format!("/api/v2/subscriptions/{kind}/{}", made["id"].as_str().unwrap())
    };
    let sms = create("sms", json!({"direction": "all"})).await;
    let contact = create("contact", json!({"contact_type": "local"})).await;
    let call = format!("{CALLS}/{call}");
    let webhook = format!("{WEBHOOKS}/{webhook}");
    for (path, body, status, message) in [
        (
            &webhook,
            json!({"hook_url": null}),
            400,
            "hook_url cannot be null",
        ),
        (
            &webhook,
            json!({"hook_url": "http://x.com"}),
            400,
            "must start with https://",
        ),
        (
            &webhook,
            json!({"hook_url": "https://example.com/2"}),
            409,
            "already has this hook_url",
        ),
        (
            &call,
            json!({"target_id": 1}),
            409,
            "target_type and target_id go together",
        ),
        (
            &call,
            json!({"endpoint_id": 99}),
            404,
            "endpoint_id: there is no webhook 99",
        ),
        (&sms, json!({"direction": null}), 400, "direction cannot be null"),
        (
            &contact,
            json!({"enabled": false}),
            400,
            "contact_type is required, also for a change",
        ),
    ] {
        server.patch(path, body).await.refused(status, message);
    }
    server
        .patch("/api/v2/subscriptions/call/12", json!({}))
        .await
        .refused(404, "there is no such subscription");
    server
        .patch("/api/v2/webhooks/12", json!({}))
        .await
        .refused(404, "there is no such webhook");
}

#[tokio::test(start_paused = true)]
async fn a_query_that_cannot_be_read_is_named() {
    let server = TestServer::new().await;
    for (path, message) in [
        (
            "/api/v2/webhooks?limit=many",
            "limit: `many` is not a number of items",
        ),
        ("/api/v2/webhooks?limit=0", "limit: a page has at least one item"),
        ("/api/v2/webhooks?cursor=%27", "cursor: `'` is not a cursor"),
        (
            "/api/v2/subscriptions/call?target_type=desk",
            "target_type: `desk` is not a target type",
        ),
        (
            "/api/v2/subscriptions/call?target_id=x",
            "target_id: `x` is not an id",
        ),
        ("/v1/events?limit=201", "limit: at most 200 items"),
        ("/v1/events?kind=fax", "kind: `fax` is not a kind of event"),
        (
            "/v1/events?since=yesterday",
            "since: `yesterday` is not an instant",
        ),
        (
            "/v1/deliveries?state=lost",
            "state: `lost` is not a delivery state: use pending, delivered, exhausted or cancelled",
        ),
        ("/v1/deliveries?webhook_id=x", "webhook_id: `x` is not an id"),
    ] {
        server.get(path).await.refused(400, message);
    }
}

#[tokio::test(start_paused = true)]
async fn a_query_parameter_that_nobody_knows_is_refused_on_our_own_routes() {
    let server = TestServer::new().await;
    for (path, message) in [
        (
            "/v1/events?knd=sms",
            "unknown query parameter `knd`; known here: limit, cursor, kind, order_key, since, until",
        ),
        ("/v1/deliveries?webhook=7", "unknown query parameter `webhook`"),
        (
            "/v1/events?kind=sms&kind=call",
            "query parameter `kind` is given more than once",
        ),
        (
            "/v1/webhooks?limit=5&state=paused",
            "unknown query parameter `state`",
        ),
        (
            "/v1/replays/1?x",
            "unknown query parameter `x`; there are none here",
        ),
        ("/v1/stream?kinds=call", "unknown query parameter `kinds`"),
        ("/openapi.json?format=yaml", "unknown query parameter `format`"),
    ] {
        server.get(path).await.refused(400, message);
    }
    let sent = server
        .post("/v1/events/call?kind=sms", json!({"call_id": 1}))
        .await;
    sent.refused(400, "unknown query parameter `kind`; there are none here");
    // Dialpad passes them over; health checks, scrapers and hooks add what they like.
    for path in [
        "/api/v2/webhooks?limit=5&page=2",
        "/v1/events?apikey=shk_admin&limit=5",
        "/v1/events?since=&limit=5",
        "/healthz?t=1",
        "/metrics?name=x",
    ] {
        assert_eq!(server.get(path).await.status, 200, "{path}");
    }
    assert_eq!(server.get("/?from=mail").await.status, 303);
    let taken = server.post("/in/nobody?team=blue", json!({})).await;
    taken.refused(404, "there is no source with this token");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_is_told_in_the_same_form() {
    let server = TestServer::new().await;
    server
        .get("/api/v3/webhooks")
        .await
        .refused(404, "there is nothing at /api/v3/webhooks");
    server
        .get("/api/v2/webhooks/abc")
        .await
        .refused(404, "`abc` is not an id");
    server
        .get("/api/v2/webhooks/12")
        .await
        .refused(404, "there is no such webhook");
    server
        .get("/api/v2/subscriptions/fax")
        .await
        .refused(404, "there is nothing at");
    server
        .get("/v1/events/12")
        .await
        .refused(404, "there is no such event");
    server
        .get("/v1/deliveries/12")
        .await
        .refused(404, "there is no such delivery");
    server
        .post("/v1/deliveries/12/redeliver", Value::Null)
        .await
        .refused(404, "there is no such delivery");
    server
        .post("/v1/webhooks/12/pause", Value::Null)
        .await
        .refused(404, "there is no such webhook");
    let wrong = server.ask(Method::PUT, WEBHOOKS, ADMIN, json!({})).await;
    wrong.refused(405, "/api/v2/webhooks does not take PUT");
    let allowed = wrong.headers["allow"].to_str().unwrap();
    assert!(allowed.contains("GET") && allowed.contains("POST"), "{allowed}");
}
