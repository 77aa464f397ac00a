//! Rights of every route: each operation of the OpenAPI document, with every sort of key, is compared with one table.
//!
//! An operation that is in the document and not in the table fails the test, and the reverse. What a key may see
//! beyond its rights is `rights.rs`.

use std::sync::atomic::{AtomicU32, Ordering};

use axum::body::Body;
use http::{Method, Request};
use serde_json::{Value, json};
use switchhook_domain::Timestamp;
use switchhook_domain::id::CompanyId;
use switchhook_domain::key::{ApiKey, Rights};
use switchhook_domain::scope::Scopes;
use switchhook_node::settings::Settings;

use crate::support::rig::Reaction;
use crate::support::test_server::{ADMIN, TestServer};

/// The sorts of keys, in the order of the table's columns. Those of `read`, `write` and `ingest` have all scopes and are
/// no admin's; `unscoped` is an admin's without a scope; `admin` may do everything.
pub(super) const SORTS: [&str; 8] = [
    "none", "revoked", "read", "write", "ingest", "other", "unscoped", "admin",
];

/// Status of each. Objects belong to the admin: a webhook and a websocket that get call events with recordings,
/// subscriptions, an event of a call and its delivery.
#[rustfmt::skip]
pub(super) const TABLE: [(&str, [u16; 8]); 100] = [
    //                                               none  revok read  write ingst other unsco admin
    ("get /api/v2/webhooks",                         [401, 401, 200, 403, 403, 200, 200, 200]),
    ("post /api/v2/webhooks",                        [401, 401, 403, 200, 403, 200, 200, 200]),
    ("get /api/v2/webhooks/{id}",                    [401, 401, 200, 403, 403, 404, 200, 200]),
    ("patch /api/v2/webhooks/{id}",                  [401, 401, 403, 200, 403, 404, 403, 200]),
    ("delete /api/v2/webhooks/{id}",                 [401, 401, 403, 200, 403, 404, 200, 200]),
    ("get /api/v2/websockets",                       [401, 401, 200, 403, 403, 200, 200, 200]),
    ("post /api/v2/websockets",                      [401, 401, 403, 200, 403, 200, 200, 200]),
    ("get /api/v2/websockets/{id}",                  [401, 401, 200, 403, 403, 404, 403, 200]),
    ("patch /api/v2/websockets/{id}",                [401, 401, 403, 200, 403, 404, 403, 200]),
    ("delete /api/v2/websockets/{id}",               [401, 401, 403, 200, 403, 404, 200, 200]),
    ("get /api/v2/subscriptions/call",               [401, 401, 200, 403, 403, 200, 200, 200]),
    ("post /api/v2/subscriptions/call",              [401, 401, 403, 200, 403, 404, 200, 200]),
    ("get /api/v2/subscriptions/call/{id}",          [401, 401, 200, 403, 403, 404, 200, 200]),
    ("patch /api/v2/subscriptions/call/{id}",        [401, 401, 403, 200, 403, 404, 403, 200]),
    ("delete /api/v2/subscriptions/call/{id}",       [401, 401, 403, 200, 403, 404, 403, 200]),
    ("get /api/v2/subscriptions/sms",                [401, 401, 200, 403, 403, 200, 200, 200]),
    ("post /api/v2/subscriptions/sms",               [401, 401, 403, 200, 403, 404, 200, 200]),
    ("get /api/v2/subscriptions/sms/{id}",           [401, 401, 200, 403, 403, 404, 200, 200]),
    ("patch /api/v2/subscriptions/sms/{id}",         [401, 401, 403, 200, 403, 404, 403, 200]),
    ("delete /api/v2/subscriptions/sms/{id}",        [401, 401, 403, 200, 403, 404, 403, 200]),
    ("get /api/v2/subscriptions/agent_status",       [401, 401, 403, 403, 403, 200, 200, 200]),
    ("post /api/v2/subscriptions/agent_status",      [401, 401, 403, 403, 403, 404, 200, 200]),
    ("get /api/v2/subscriptions/agent_status/{id}",  [401, 401, 403, 403, 403, 404, 200, 200]),
    ("patch /api/v2/subscriptions/agent_status/{id}",[401, 401, 403, 403, 403, 404, 200, 200]),
    ("delete /api/v2/subscriptions/agent_status/{id}",[401, 401, 403, 403, 403, 404, 200, 200]),
    ("get /api/v2/subscriptions/contact",            [401, 401, 403, 403, 403, 200, 200, 200]),
    ("post /api/v2/subscriptions/contact",           [401, 401, 403, 403, 403, 404, 200, 200]),
    ("get /api/v2/subscriptions/contact/{id}",       [401, 401, 403, 403, 403, 404, 200, 200]),
    ("patch /api/v2/subscriptions/contact/{id}",     [401, 401, 403, 403, 403, 404, 200, 200]),
    ("delete /api/v2/subscriptions/contact/{id}",    [401, 401, 403, 403, 403, 404, 200, 200]),
    ("get /api/v2/subscriptions/changelog",          [401, 401, 403, 403, 403, 200, 403, 200]),
    ("post /api/v2/subscriptions/changelog",         [401, 401, 403, 403, 403, 404, 403, 200]),
    ("get /api/v2/subscriptions/changelog/{id}",     [401, 401, 403, 403, 403, 404, 403, 200]),
    ("patch /api/v2/subscriptions/changelog/{id}",   [401, 401, 403, 403, 403, 404, 403, 200]),
    ("delete /api/v2/subscriptions/changelog/{id}",  [401, 401, 403, 403, 403, 404, 403, 200]),
    ("get /v1/webhooks",                             [401, 401, 200, 403, 403, 200, 200, 200]),
    ("post /v1/webhooks",                            [401, 401, 403, 200, 403, 200, 200, 200]),
    ("get /v1/webhooks/{id}",                        [401, 401, 200, 403, 403, 404, 200, 200]),
    ("patch /v1/webhooks/{id}",                      [401, 401, 403, 200, 403, 404, 200, 200]),
    ("delete /v1/webhooks/{id}",                     [401, 401, 403, 200, 403, 404, 200, 200]),
    ("post /v1/webhooks/{id}/pause",                 [401, 401, 403, 200, 403, 404, 200, 200]),
    ("post /v1/webhooks/{id}/resume",                [401, 401, 403, 200, 403, 404, 200, 200]),
    ("post /v1/webhooks/{id}/retry",                 [401, 401, 403, 200, 403, 404, 200, 200]),
    ("post /v1/webhooks/{id}/skip-to-now",           [401, 401, 403, 200, 403, 404, 200, 200]),
    ("post /v1/webhooks/{id}/rotate-secret",         [401, 401, 403, 200, 403, 404, 403, 200]),
    ("post /v1/webhooks/{id}/test",                  [401, 401, 403, 202, 403, 404, 202, 202]),
    ("get /v1/feed",                                 [401, 401, 200, 403, 403, 200, 200, 200]),
    ("get /v1/consumers",                            [401, 401, 200, 403, 403, 200, 200, 200]),
    ("get /v1/consumers/{name}",                     [401, 401, 200, 403, 403, 404, 200, 200]),
    ("put /v1/consumers/{name}",                     [401, 401, 403, 200, 403, 201, 200, 200]),
    ("delete /v1/consumers/{name}",                  [401, 401, 403, 200, 403, 404, 200, 200]),
    ("get /v1/consumers/{name}/feed",                [401, 401, 200, 403, 403, 404, 200, 200]),
    ("post /v1/consumers/{name}/ack",                [401, 401, 403, 200, 403, 404, 200, 200]),
    ("post /v1/consumers/{name}/seek",               [401, 401, 403, 200, 403, 404, 200, 200]),
    ("get /v1/subscriptions/{id}",                   [401, 401, 200, 403, 403, 404, 200, 200]),
    ("patch /v1/subscriptions/{id}",                 [401, 401, 403, 200, 403, 404, 403, 200]),
    ("post /v1/subscriptions/try-filter",            [401, 401, 200, 403, 403, 200, 200, 200]),
    ("post /v1/webhooks/{id}/preview",               [401, 401, 200, 403, 403, 404, 200, 200]),
    ("get /v1/events",                               [401, 401, 200, 403, 403, 200, 200, 200]),
    ("get /v1/events/{event}",                       [401, 401, 200, 403, 403, 404, 200, 200]),
    ("post /v1/events/{event}",                      [401, 401, 403, 403, 202, 202, 202, 202]),
    ("get /v1/events/{event}/explain",               [401, 401, 200, 403, 403, 404, 200, 200]),
    ("post /v1/events/{event}/route",                [401, 401, 403, 403, 403, 404, 403, 202]),
    ("post /v1/erasures",                            [401, 401, 403, 403, 403, 200, 200, 200]),
    ("get /v1/deliveries",                           [401, 401, 200, 403, 403, 200, 200, 200]),
    ("get /v1/deliveries/{id}",                      [401, 401, 200, 403, 403, 404, 200, 200]),
    ("post /v1/deliveries/{id}/redeliver",           [401, 401, 403, 200, 403, 404, 403, 200]),
    ("post /v1/deliveries/{id}/cancel",              [401, 401, 403, 200, 403, 404, 200, 200]),
    ("get /v1/dead-letters",                         [401, 401, 200, 403, 403, 200, 200, 200]),
    ("get /v1/dead-letters/export",                  [401, 401, 200, 403, 403, 200, 200, 200]),
    ("post /v1/dead-letters/resend",                 [401, 401, 403, 200, 403, 200, 200, 200]),
    ("post /v1/dead-letters/dismiss",                [401, 401, 403, 200, 403, 200, 200, 200]),
    ("get /v1/history",                              [401, 401, 200, 403, 403, 200, 200, 200]),
    ("get /v1/stream",                               [401, 401, 200, 403, 403, 200, 200, 200]),
    ("get /v1/replays",                              [401, 401, 200, 403, 403, 200, 200, 200]),
    ("post /v1/replays",                             [401, 401, 403, 202, 403, 202, 202, 202]),
    ("get /v1/replays/{id}",                         [401, 401, 200, 403, 403, 404, 200, 200]),
    ("delete /v1/replays/{id}",                      [401, 401, 403, 200, 403, 404, 200, 200]),
    ("get /v1/sources",                              [401, 401, 200, 403, 403, 200, 200, 200]),
    ("post /v1/sources",                             [401, 401, 403, 200, 403, 200, 200, 200]),
    ("get /v1/sources/{id}",                         [401, 401, 200, 403, 403, 404, 200, 200]),
    ("patch /v1/sources/{id}",                       [401, 401, 403, 200, 403, 404, 200, 200]),
    ("delete /v1/sources/{id}",                      [401, 401, 403, 200, 403, 404, 200, 200]),
    ("get /v1/sources/{id}/refusals",                [401, 401, 200, 403, 403, 404, 200, 200]),
    ("post /v1/sources/{id}/retry-refusals",         [401, 401, 403, 200, 403, 404, 200, 200]),
    ("get /v1/keys",                                 [401, 401, 403, 403, 403, 200, 200, 200]),
    ("post /v1/keys",                                [401, 401, 403, 403, 403, 200, 200, 200]),
    ("delete /v1/keys/{id}",                         [401, 401, 403, 403, 403, 404, 200, 200]),
    ("get /v1/notifications",                        [401, 401, 200, 403, 403, 200, 200, 200]),
    ("get /v1/notification-channels",                [401, 401, 200, 403, 403, 200, 200, 200]),
    ("post /v1/notification-channels",               [401, 401, 403, 200, 403, 200, 200, 200]),
    ("get /v1/notification-channels/{id}",           [401, 401, 200, 403, 403, 404, 200, 200]),
    ("patch /v1/notification-channels/{id}",         [401, 401, 403, 200, 403, 404, 200, 200]),
    ("delete /v1/notification-channels/{id}",        [401, 401, 403, 200, 403, 404, 200, 200]),
    ("post /v1/notification-channels/{id}/test",     [401, 401, 403, 200, 403, 404, 200, 200]),
    ("get /v1/doctor",                               [401, 401, 200, 403, 403, 200, 200, 200]),
    // The token in the address is the right. A websocket is opened by an upgrade, which this is none of.
    ("post /in/{token}",                             [200; 8]),
    ("get /events/{token}",                          [400; 8]),
    // For everybody: what there is to know here concerns no company.
    ("get /",                                        [303; 8]),
    ("get /asyncapi.yaml",                           [200; 8]),
];

/// The rest of what is for everybody.
pub(super) const OPEN: [&str; 4] = ["get /openapi.json", "get /healthz", "get /readyz", "get /metrics"];

pub(super) async fn server() -> TestServer {
    // Deliveries stay pending, so that there is something to cancel.
    let server = TestServer::reacting(Settings::default(), |_| Reaction::Answer(500)).await;
    for right in ["read", "write", "ingest"] {
        let rights: Rights = right.parse().expect("it is a right");
        server
            .add_key(right, |key| ApiKey {
                rights,
                scopes: Scopes::ALL,
                ..key
            })
            .await;
    }
    let admin = |key| ApiKey {
        admin: true,
        scopes: Scopes::ALL,
        ..key
    };
    server
        .add_key("unscoped", |key| ApiKey { admin: true, ..key })
        .await;
    server.add_key("admin", admin).await;
    server
        .add_key("other", |key| ApiKey {
            company_id: CompanyId(2),
            ..admin(key)
        })
        .await;
    server
        .add_key("revoked", |key| ApiKey {
            revoked_at: Some(Timestamp::from_millis(1)),
            ..admin(key)
        })
        .await;
    server
}

fn some_url() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("https://example.com/{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

async fn id_of_new(server: &TestServer, path: &str, body: Value) -> String {
    let made = server.post(path, body).await.ok();
    made["id"].as_str().expect("ids are strings").to_owned()
}

fn subscription(kind: &str, endpoint: &str) -> Value {
    let mut body = json!({ "endpoint_id": endpoint });
    let more = match kind {
        "sms" => Some(("direction", "all")),
        "agent_status" => Some(("agent_type", "callcenter")),
        "contact" => Some(("contact_type", "shared")),
        _ => None,
    };
    if let Some((name, value)) = more {
        body[name] = json!(value);
    }
    body
}

async fn subscribed(server: &TestServer, kind: &str, endpoint: &str) -> String {
    let path = format!("/api/v2/subscriptions/{kind}");
    id_of_new(server, &path, subscription(kind, endpoint)).await
}

/// An event of a call that goes to a webhook of its own: its id and its delivery's.
async fn sent(server: &TestServer) -> (String, String) {
    let webhook = server.webhook(&some_url()).await;
    let subscription = subscribed(server, "call", &webhook).await;
    let event = server.event("call", r#"{"call_id":1}"#, &[]).await.ok();
    // The next event is not to come here too.
    server
        .delete(&format!("/api/v2/subscriptions/call/{subscription}"))
        .await
        .ok();
    let id = |value: &Value| value.as_str().expect("ids are strings").to_owned();
    (id(&event["id"]), id(&event["deliveries"][0]["id"]))
}

/// An event that came in by a source, and nobody knows what it is.
async fn unknown(server: &TestServer) -> String {
    let source = server.post("/v1/sources", json!({"name": "one"})).await.ok();
    let url = source["url"].as_str().expect("it is new");
    let path = &url[url.find("/in/").expect("it leads in")..];
    let taken = server.post(path, json!({"meeting": some_url()})).await.ok();
    taken["id"].as_str().expect("ids are strings").to_owned()
}

fn channel() -> Value {
    json!({"type": "slack", "url": some_url(), "kinds": ["webhook.failing"]})
}

/// Only some may be there.
async fn empty_channels(server: &TestServer) {
    let all = server.get("/v1/notification-channels?limit=50").await.ok();
    for channel in all["items"].as_array().expect("it is a list") {
        let id = channel["id"].as_str().expect("ids are strings");
        server
            .delete(&format!("/v1/notification-channels/{id}"))
            .await
            .ok();
    }
}

/// A new object of the admin's for a path, as the path with its id.
pub(super) async fn prepared(server: &TestServer, method: &str, path: &str) -> String {
    let own = ["/api/v2", "/v1"].iter().find_map(|base| path.strip_prefix(base));
    let mut parts = own.unwrap_or(path).split('/').skip(1);
    let id = match (own.is_some(), parts.next(), parts.next()) {
        _ if !path.contains('{') => return path.to_owned(),
        (false, Some("in"), _) => {
            let source = server.post("/v1/sources", json!({"name": "one"})).await.ok();
            let url = source["url"].as_str().expect("it is new").to_owned();
            return url[url.find("/in/").expect("it leads in")..].to_owned();
        }
        (false, Some("events"), _) => {
            let websocket = server.post("/api/v2/websockets", json!({})).await.ok();
            let url = websocket["websocket_url"]
                .as_str()
                .expect("it is the admin's")
                .to_owned();
            return url[url.find("/events/").expect("it leads there")..].to_owned();
        }
        (_, Some("websockets"), _) => {
            let id = id_of_new(server, "/api/v2/websockets", json!({})).await;
            subscribed(server, "call", &id).await;
            id
        }
        (_, Some("subscriptions"), Some("{id}")) => {
            let webhook = server.webhook(&some_url()).await;
            subscribed(server, "call", &webhook).await
        }
        (_, Some("subscriptions"), Some(kind)) => {
            let webhook = server.webhook(&some_url()).await;
            subscribed(server, kind, &webhook).await
        }
        (_, Some("webhooks"), _) => {
            let id = server.webhook(&some_url()).await;
            subscribed(server, "call", &id).await;
            id
        }
        (_, Some("events"), _) if path.ends_with("/route") => unknown(server).await,
        (_, Some("events"), _) if method == "post" => "call".to_owned(),
        (_, Some("events"), _) => sent(server).await.0,
        (_, Some("deliveries"), _) => sent(server).await.1,
        (_, Some("replays"), _) => {
            let (event, _) = sent(server).await;
            id_of_new(server, "/v1/replays", json!({"filter": {"ids": [event]}})).await
        }
        (_, Some("sources"), _) => id_of_new(server, "/v1/sources", json!({"name": "one"})).await,
        (_, Some("keys"), _) => id_of_new(server, "/v1/keys", json!({"name": "one"})).await,
        (_, Some("notification-channels"), _) => {
            empty_channels(server).await;
            id_of_new(server, "/v1/notification-channels", channel()).await
        }
        (_, Some("consumers"), _) => {
            static COUNT: AtomicU32 = AtomicU32::new(0);
            let name = format!("consumer-{}", COUNT.fetch_add(1, Ordering::Relaxed));
            let path = format!("/v1/consumers/{name}");
            server.ask(Method::PUT, &path, ADMIN, json!({})).await;
            name
        }
        other => panic!("{path}: what is {other:?}?"),
    };
    path.replace("{id}", &id)
        .replace("{event}", &id)
        .replace("{name}", &id)
}

/// A request that does what the operation is for.
pub(super) async fn body(server: &TestServer, operation: &str) -> Value {
    match operation {
        "post /api/v2/webhooks" | "post /v1/webhooks" | "patch /api/v2/webhooks/{id}" => {
            json!({"hook_url": some_url()})
        }
        "patch /api/v2/websockets/{id}" => json!({"secret": "another"}),
        "patch /api/v2/subscriptions/call/{id}" => json!({"group_calls_only": true}),
        "patch /api/v2/subscriptions/sms/{id}" => json!({"status": true}),
        "patch /api/v2/subscriptions/contact/{id}" => json!({"contact_type": "local"}),
        "patch /v1/webhooks/{id}" => json!({"rate": 5}),
        "post /v1/consumers/{name}/ack" | "post /v1/consumers/{name}/seek" => json!({"cursor": "0"}),
        "post /v1/webhooks/{id}/preview" => json!({"template": "slack-call"}),
        "patch /v1/subscriptions/{id}" => json!({"filter": {"state": "hangup"}}),
        "post /v1/subscriptions/try-filter" => json!({"kind": "call", "filter": {"state": "hangup"}}),
        "post /v1/events/{event}" | "post /in/{token}" => {
            json!({"call_id": 1, "state": "hangup", "target": {"type": "office"}})
        }
        "post /v1/events/{event}/route" => json!({"kind": "call"}),
        "post /v1/erasures" => json!({"number": "+15551234567", "dry_run": true}),
        "post /v1/dead-letters/resend" => json!({"dry_run": true}),
        "post /v1/replays" => json!({"filter": {"since": 0, "until": 1}}),
        "post /v1/notification-channels" => channel(),
        "patch /v1/notification-channels/{id}" => json!({"kinds": ["key.expiring"]}),
        "post /v1/keys" => json!({"name": "one"}),
        "post /v1/sources" | "patch /v1/sources/{id}" => json!({"name": "another"}),
        _ => match operation.strip_prefix("post /api/v2/subscriptions/") {
            Some(kind) => subscription(kind, &server.webhook(&some_url()).await),
            None if operation.starts_with("get") || operation.starts_with("delete") => Value::Null,
            None => json!({}),
        },
    }
}

async fn ask(server: &TestServer, sort: &str, operation: &str) -> u16 {
    let (method, path) = operation.split_once(' ').expect("a method and a path");
    let uri = prepared(server, method, path).await;
    let body = body(server, operation).await;
    let mut request = Request::builder()
        .method(method.to_uppercase().parse::<Method>().expect("it is one"))
        .uri(&uri)
        .header("content-type", "application/json");
    if sort != "none" {
        request = request.header("authorization", format!("Bearer {sort}"));
    }
    let body = if body.is_null() {
        Body::empty()
    } else {
        Body::from(body.to_string())
    };
    let status = server.status(request.body(body).expect("the path is one")).await;
    // Only some may run at once.
    if path.starts_with("/v1/replays") {
        for key in [ADMIN, "other"] {
            let all = server
                .ask(Method::GET, "/v1/replays", key, Value::Null)
                .await
                .ok();
            for replay in all["items"].as_array().expect("it is a list") {
                let path = format!("/v1/replays/{}", replay["id"].as_str().expect("ids are strings"));
                server.ask(Method::DELETE, &path, key, Value::Null).await;
            }
        }
    }
    status.as_u16()
}

#[tokio::test(start_paused = true)]
async fn every_route_answers_every_sort_of_key_as_the_table_says() {
    let server = server().await;
    let open = OPEN.map(|operation| (operation, [200; 8]));
    let mut wrong = Vec::new();
    for (operation, expected) in TABLE.into_iter().chain(open) {
        for (sort, expected) in SORTS.into_iter().zip(expected) {
            let status = ask(&server, sort, operation).await;
            if status != expected {
                wrong.push(format!("{operation} with {sort}: {status}, not {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_table_has_every_operation_of_the_document_and_no_other() {
    let document = switchhook_web::api::openapi(&Settings::default());
    let mut documented = Vec::new();
    for (path, item) in document["paths"].as_object().expect("there are paths") {
        for method in item.as_object().expect("a path has operations").keys() {
            documented.push(format!("{method} {path}"));
        }
    }
    let rows = TABLE.iter().map(|(operation, _)| *operation).chain(OPEN);
    let mut table: Vec<_> = rows.map(str::to_owned).collect();
    documented.sort();
    table.sort();
    assert_eq!(table, documented, "give the new route a row of its own");
}
