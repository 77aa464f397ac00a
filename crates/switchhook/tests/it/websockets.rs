//! Websockets from outside: what whoever listens is told, from where on, and for how long.

use std::time::Duration;

use serde_json::{Value, json};
use switchhook::server::Server;
use switchhook_domain::id::{CompanyId, KeyId, WebsocketId};
use switchhook_domain::key::ApiKey;
use switchhook_domain::scope::Scopes;
use switchhook_node::settings::Settings;
use switchhook_node::websocket::token;
use switchhook_protocol::verify;

use crate::support::http::Caller;
use crate::support::listener::Listener;
use crate::support::process::{ServerProcess, new_key};

fn text<'a>(json: &'a Value, member: &str) -> &'a str {
    json[member].as_str().unwrap_or_else(|| panic!("{json}"))
}

/// Makes a websocket with one call subscription; answers both.
async fn websocket(caller: &Caller, request: Value) -> (Value, Value) {
    let made = caller
        .ask("POST", "/api/v2/websockets", &request.to_string())
        .await;
    let body = json!({"endpoint_id": made["id"]}).to_string();
    let subscription = caller.ask("POST", "/api/v2/subscriptions/call", &body).await;
    (made, subscription)
}

async fn send(caller: &Caller, numbers: std::ops::Range<u64>) {
    let lines: Vec<_> = numbers.map(event).collect();
    let answer = caller.ask_lines("/v1/events/call", &lines.join("\n")).await;
    assert_eq!(answer["accepted"], lines.len(), "{answer}");
}

fn event(number: u64) -> String {
    format!(r#"{{"call_id":{number},"state":"hangup","duration":8951.030}}"#)
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_listens_gets_each_event_as_a_webhook_would() {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let server = ServerProcess::start(dir.path()).await;
    let caller = server.caller();
    let (plain, _) = websocket(&caller, json!({})).await;
    let (signed, _) = websocket(&caller, json!({"secret": "s3cret"})).await;
    assert_eq!(signed["signature"]["secret"], "s3cret");
    assert_eq!(plain["signature"], Value::Null);
    send(&caller, 0..1).await;
    let mut plain = Listener::connect(text(&plain, "websocket_url")).await.unwrap();
    let mut signed = Listener::connect(text(&signed, "websocket_url")).await.unwrap();
    send(&caller, 1..200).await;
    for number in 1..200 {
        assert_eq!(plain.next().await, event(number), "from when it connected on");
        let frame = signed.next().await;
        let body = verify(frame.as_bytes(), ["s3cret"]).unwrap();
        assert_eq!(String::from_utf8(body).unwrap(), event(number));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_goes_on_from_its_place_even_after_a_crash() {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let mut server = ServerProcess::start(dir.path()).await;
    let caller = server.caller();
    let (made, _) = websocket(&caller, json!({})).await;
    let id = text(&made, "id");
    let url = format!("{}?labelled=true", text(&made, "websocket_url"));
    let mut listener = Listener::connect(&url).await.unwrap();
    let beginning = listener.json().await;
    assert_eq!(beginning["event"], Value::Null, "the first frame tells the place");
    send(&caller, 0..10).await;
    let mut place = String::new();
    for number in 0..5 {
        let frame = listener.json().await;
        let heard = &frame["event"];
        assert_eq!(heard["body"], event(number));
        assert_eq!(
            (&heard["kind"], &heard["content_type"]),
            (&json!("call"), &json!("application/json"))
        );
        place = text(&frame, "position").to_owned();
    }
    drop(listener);
    send(&caller, 10..15).await;
    server.kill();
    server.start_again().await;
    send(&caller, 15..20).await;
    let fresh = caller.ask("GET", &format!("/api/v2/websockets/{id}"), "").await;
    let url = format!("{}?labelled=true&after={place}", text(&fresh, "websocket_url"));
    let mut listener = Listener::connect(&url).await.unwrap();
    assert_eq!(listener.json().await["position"], place.as_str());
    for number in 5..20 {
        assert_eq!(listener.json().await["event"]["body"], event(number));
    }
    // A token of before the crash is as good, and without a place it begins now.
    let mut latest = Listener::connect(text(&made, "websocket_url")).await.unwrap();
    send(&caller, 20..21).await;
    assert_eq!(latest.next().await, event(20));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriptions_own_url_tells_its_events_alone() {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let server = ServerProcess::start(dir.path()).await;
    let caller = server.caller();
    let (made, all) = websocket(&caller, json!({})).await;
    assert_eq!(all["websocket"]["id"], made["id"]);
    assert_eq!(all.get("webhook"), None, "{all}");
    let body = json!({"endpoint_id": made["id"], "call_states": ["ringing"]}).to_string();
    let ringing = caller.ask("POST", "/api/v2/subscriptions/call", &body).await;
    let mut listener = Listener::connect(text(&ringing["websocket"], "websocket_url"))
        .await
        .unwrap();
    send(&caller, 0..3).await;
    let body = r#"{"call_id":9,"state":"ringing"}"#;
    caller.ask("POST", "/v1/events/call", body).await;
    assert_eq!(listener.next().await, body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_listener_holds_nobody_up_and_misses_nothing() {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let server = ServerProcess::start(dir.path()).await;
    let caller = server.caller();
    let (made, _) = websocket(&caller, json!({})).await;
    let mut slow = Listener::connect(text(&made, "websocket_url")).await.unwrap();
    let mut quick = Listener::connect(text(&made, "websocket_url")).await.unwrap();
    let filler = "x".repeat(20_000);
    let event = |number: u64| format!(r#"{{"call_id":{number},"state":"hangup","filler":"{filler}"}}"#);
    let lines: Vec<_> = (0..1_000).map(event).collect();
    for some in lines.chunks(100) {
        caller.ask_lines("/v1/events/call", &some.join("\n")).await;
    }
    for line in &lines {
        assert!(quick.next().await == *line);
    }
    for line in &lines {
        assert!(slow.next().await == *line);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_websocket_lets_its_listener_go() {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let server = ServerProcess::start(dir.path()).await;
    let caller = server.caller();
    let (made, subscription) = websocket(&caller, json!({})).await;
    let url = text(&made, "websocket_url").to_owned();
    let mut listener = Listener::connect(&url).await.unwrap();
    let path = format!("/api/v2/websockets/{}", text(&made, "id"));
    let deleted = caller.ask("DELETE", &path, "").await;
    assert_eq!(deleted["id"], made["id"]);
    let (code, reason) = listener.ending().await.expect("it is told why");
    assert_eq!((code, reason.as_str()), (1008, "the websocket was deleted"));
    assert_eq!(Listener::connect(&url).await.err(), Some(401));
    let path = format!("/api/v2/subscriptions/call/{}", text(&subscription, "id"));
    let orphan = caller.ask("GET", &path, "").await;
    assert_eq!(orphan["webhook"], Value::Null);
    assert_eq!(orphan.get("websocket"), None, "{orphan}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_ends_with_its_tokens_hour() {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let server = server_in(dir.path()).await;
    let node = &server.node;
    let made = node
        .store
        .list_websockets(None, switchhook_store::PageRequest::first(1))
        .await;
    let made = made.unwrap().items.remove(0);
    let now = node.clock.now();
    let url = |token: &str| format!("ws://{}/events/{token}", server.address);
    let key = key(&server, "shk_listener").await;
    // A token's times are whole seconds: this one lasts for half a second to one and a half.
    let left = Duration::from_secs(if now.as_millis() % 1_000 < 500 { 1 } else { 2 });
    let almost_over = token::issue(&made, None, key, "", now.minus(token::LASTS - left));
    let mut listener = Listener::connect(&url(&almost_over)).await.unwrap();
    let (code, reason) = listener.ending().await.expect("it is told why");
    assert_eq!(code, 1008);
    assert!(reason.contains("token has expired"), "{reason}");
    assert_eq!(Listener::connect(&url(&almost_over)).await.err(), Some(401));
    assert_eq!(Listener::connect(&url("nonsense")).await.err(), Some(401));
    let good = token::issue(&made, None, key, "", now);
    let mut listener = Listener::connect(&url(&good)).await.unwrap();
    server.stop().await;
    let (code, _) = listener.ending().await.expect("it is told why");
    assert_eq!(code, 1001, "going away");
}

/// Makes a key that is this text.
pub(crate) async fn key(server: &Server, text: &str) -> KeyId {
    let now = server.node.clock.now();
    let id = KeyId(server.node.ids.next(now));
    let key = ApiKey {
        admin: false,
        scopes: Scopes::NONE,
        ..ApiKey::of_admin(id, CompanyId(1), "", switchhook_node::keys::hash(text), now)
    };
    server.node.store.create_key(key).await.expect("it is new").id
}

/// A server in this process, with one websocket.
async fn server_in(dir: &std::path::Path) -> Server {
    use switchhook_domain::secret::Secret;
    use switchhook_domain::websocket::Websocket;

    let settings = Settings {
        listen: ([127, 0, 0, 1], 0).into(),
        store: format!("sqlite:{}", dir.join("switchhook.db").display()),
        ..Settings::default()
    };
    let server = Server::start(settings).await.expect("it starts");
    let now = server.node.clock.now();
    let websocket = Websocket {
        id: WebsocketId(server.node.ids.next(now)),
        company_id: CompanyId(1),
        secret: None,
        token_key: Secret::new("a key that is long enough"),
        created_at: now,
        updated_at: now,
    };
    let store = &server.node.store;
    store.create_websocket(websocket).await.expect("it is kept");
    server
        .node
        .registry
        .refresh(CompanyId(1))
        .await
        .expect("it is read");
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_ends_with_the_key_that_asked_for_it_or_with_its_subscription() {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let server = server_in(dir.path()).await;
    let id = key(&server, "shk_listener").await;
    key(&server, "shk_other").await;
    let caller = Caller::new(server.address, "shk_listener");
    let other = Caller::new(server.address, "shk_other");
    let (made, _) = websocket(&caller, json!({})).await;
    let path = format!("/api/v2/websockets/{}", text(&made, "id"));
    let others = other.ask("GET", &path, "").await;
    let body = json!({"endpoint_id": made["id"], "call_states": ["ringing"]}).to_string();
    let subscription = other.ask("POST", "/api/v2/subscriptions/call", &body).await;
    let mut own = Listener::connect(text(&made, "websocket_url")).await.unwrap();
    let mut others = Listener::connect(text(&others, "websocket_url")).await.unwrap();
    let url = text(&subscription["websocket"], "websocket_url");
    let mut of_subscription = Listener::connect(url).await.unwrap();

    let now = server.node.clock.now();
    server.node.store.revoke_key(id, now).await.unwrap();
    let (code, reason) = own.ending().await.expect("it is told why");
    assert_eq!(code, 1008);
    assert!(reason.contains("was revoked"), "{reason}");
    assert_eq!(
        Listener::connect(text(&made, "websocket_url")).await.err(),
        Some(401)
    );
    send(&other, 0..1).await;
    assert_eq!(others.next().await, event(0), "others go on");

    let path = format!("/api/v2/subscriptions/call/{}", text(&subscription, "id"));
    other.ask("DELETE", &path, "").await;
    let (code, reason) = of_subscription.ending().await.expect("it is told why");
    assert_eq!((code, reason.as_str()), (1008, "the subscription was deleted"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_subscribed_later_is_told_as_far_as_the_key_of_the_connection_sees_it() {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let server = ServerProcess::start_scoped(dir.path(), "message_content_export:all").await;
    let caller = server.caller();
    let store = format!("sqlite:{}", dir.path().join("switchhook.db").display());
    let plain_key = new_key(&store, "");
    let plain = Caller::new(server.address, &plain_key);
    let (made, _) = websocket(&plain, json!({})).await;
    let mut listener = Listener::connect(text(&made, "websocket_url")).await.unwrap();
    let body = json!({"endpoint_id": made["id"], "direction": "all"}).to_string();
    caller.ask("POST", "/api/v2/subscriptions/sms", &body).await;
    let sms = r#"{"id":1,"direction":"inbound","text":"swordfish","message_status":"pending"}"#;
    caller.ask("POST", "/v1/events/sms", sms).await;
    let frame = listener.next().await;
    assert!(
        frame.contains("\"id\":1") && !frame.contains("swordfish"),
        "{frame}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_shows_no_more_than_the_key_may_see_that_asked_for_it() {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let server = server_in(dir.path()).await;
    key(&server, "shk_plain").await;
    let made =
        switchhook_node::api_keys::find_or_create_admin(&server.node, CompanyId(1), "", "shk_admin").await;
    made.expect("it is new");
    let plain = Caller::new(server.address, "shk_plain");
    let admin = Caller::new(server.address, "shk_admin");
    let made = plain.ask("POST", "/api/v2/websockets", "{}").await;
    let before = text(&made, "websocket_url").to_owned();
    // What is privileged comes to lead there afterwards.
    let body = json!({"endpoint_id": made["id"]}).to_string();
    for kind in ["call", "changelog"] {
        admin
            .ask("POST", &format!("/api/v2/subscriptions/{kind}"), &body)
            .await;
    }
    let path = format!("/api/v2/websockets/{}", text(&made, "id"));
    let (status, _) = plain.send("GET", &path, "").await.expect("it answers");
    assert_eq!(status, 403);
    let of_admin = admin.ask("GET", &path, "").await;
    let mut plain = Listener::connect(&before).await.unwrap();
    let mut whole = Listener::connect(text(&of_admin, "websocket_url")).await.unwrap();
    let change = r#"{"date":1,"action":"x","changed_by":{"id":1}}"#;
    admin.ask("POST", "/v1/events/changelog", change).await;
    let call = r#"{"call_id":1,"state":"recording","recording_url":["https://example.com/r"]}"#;
    admin.ask("POST", "/v1/events/call", call).await;
    assert_eq!(whole.next().await, change);
    assert_eq!(whole.next().await, call);
    assert_eq!(plain.next().await, r#"{"call_id":1,"state":"recording"}"#);
}
