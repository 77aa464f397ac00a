//! Rights of every page: each route of the dashboard, with every sort of key, is compared with one table.
//!
//! A route that the dashboard has and the table has not fails the test, and the reverse.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::body::Body;
use http::header::{COOKIE, HOST, LOCATION};
use http::{Method, Request};
use serde_json::{Value, json};
use switchhook_dashboard::router;
use switchhook_domain::id::CompanyId;
use switchhook_domain::key::ApiKey;
use switchhook_domain::scope::Scopes;
use tower::ServiceExt;

use super::access::Visit;
use super::fixture::{ADMIN, Fixture, LOOKER};

/// The sorts of visitors, in the order of the table's columns: signed in with no key, with one that was revoked since, one
/// that may only send in, only read, read and write, another company's admin's, an admin's without a scope, and an admin's.
const SORTS: [&str; 8] = [
    "nobody", "revoked", "ingest", LOOKER, "write", "other", "unscoped", ADMIN,
];

/// Result of a route: `in` redirects to signing in, `done` redirects after the change, a number is a status. Objects
/// are the admin's and about calls; other companies' objects do not exist for a viewer.
#[rustfmt::skip]
const TABLE: [(&str, [&str; 8]); 73] = [
    //                                                       nobody revoked ingest read   write   other   unscop  admin
    ("get /dashboard",                                      ["308", "308", "308", "308", "308",  "308",  "308",  "308"]),
    ("get /dashboard/",                                     ["in",  "in",  "403", "200", "200",  "200",  "200",  "200"]),
    ("get /dashboard/sign-in",                              ["200", "200", "200", "200", "200",  "200",  "200",  "200"]),
    ("post /dashboard/sign-in",                             ["422", "422", "422", "422", "422",  "422",  "422",  "422"]),
    ("post /dashboard/sign-out",                            ["in",  "in",  "403", "done","done", "done", "done", "done"]),
    ("get /dashboard/stream",                               ["in",  "in",  "403", "200", "200",  "200",  "200",  "200"]),
    ("get /dashboard/assets/{name}",                        ["404", "404", "404", "404", "404",  "404",  "404",  "404"]),
    ("get /dashboard/webhooks",                             ["in",  "in",  "403", "200", "200",  "200",  "200",  "200"]),
    ("post /dashboard/webhooks",                            ["in",  "in",  "403", "403", "done", "done", "done", "done"]),
    ("get /dashboard/webhooks/new",                         ["in",  "in",  "403", "403", "200",  "200",  "200",  "200"]),
    ("get /dashboard/webhooks/{id}",                        ["in",  "in",  "403", "200", "200",  "404",  "200",  "200"]),
    ("get /dashboard/webhooks/{id}/edit",                   ["in",  "in",  "403", "403", "200",  "404",  "200",  "200"]),
    ("post /dashboard/webhooks/{id}/edit",                  ["in",  "in",  "403", "403", "done", "404",  "422",  "done"]),
    ("post /dashboard/webhooks/{id}/pause",                 ["in",  "in",  "403", "403", "done", "404",  "done", "done"]),
    ("post /dashboard/webhooks/{id}/resume",                ["in",  "in",  "403", "403", "done", "404",  "done", "done"]),
    ("post /dashboard/webhooks/{id}/retry",                 ["in",  "in",  "403", "403", "done", "404",  "done", "done"]),
    ("post /dashboard/webhooks/{id}/skip-to-now",           ["in",  "in",  "403", "403", "done", "404",  "done", "done"]),
    ("post /dashboard/webhooks/{id}/rotate-secret",         ["in",  "in",  "403", "403", "done", "404",  "403",  "done"]),
    ("post /dashboard/webhooks/{id}/test",                  ["in",  "in",  "403", "403", "done", "404",  "done", "done"]),
    ("get /dashboard/webhooks/{id}/delete",                 ["in",  "in",  "403", "403", "200",  "404",  "200",  "200"]),
    ("post /dashboard/webhooks/{id}/delete",                ["in",  "in",  "403", "403", "done", "404",  "done", "done"]),
    ("get /dashboard/subscriptions",                        ["in",  "in",  "403", "200", "200",  "200",  "200",  "200"]),
    ("post /dashboard/subscriptions",                       ["in",  "in",  "403", "403", "done", "done", "done", "done"]),
    ("get /dashboard/subscriptions/new",                    ["in",  "in",  "403", "403", "200",  "200",  "200",  "200"]),
    ("get /dashboard/subscriptions/{kind}/{id}/edit",       ["in",  "in",  "403", "403", "200",  "404",  "200",  "200"]),
    ("post /dashboard/subscriptions/{kind}/{id}/edit",      ["in",  "in",  "403", "403", "done", "422",  "422",  "done"]),
    ("post /dashboard/subscriptions/{kind}/{id}/enable",    ["in",  "in",  "403", "403", "done", "404",  "done", "done"]),
    ("post /dashboard/subscriptions/{kind}/{id}/disable",   ["in",  "in",  "403", "403", "done", "404",  "done", "done"]),
    ("get /dashboard/subscriptions/{kind}/{id}/delete",     ["in",  "in",  "403", "403", "200",  "404",  "200",  "200"]),
    ("post /dashboard/subscriptions/{kind}/{id}/delete",    ["in",  "in",  "403", "403", "done", "404",  "403",  "done"]),
    ("get /dashboard/events",                               ["in",  "in",  "403", "200", "200",  "200",  "200",  "200"]),
    ("get /dashboard/events/{id}",                          ["in",  "in",  "403", "200", "200",  "404",  "200",  "200"]),
    ("get /dashboard/deliveries",                           ["in",  "in",  "403", "200", "200",  "200",  "200",  "200"]),
    ("get /dashboard/deliveries/{id}",                      ["in",  "in",  "403", "200", "200",  "404",  "200",  "200"]),
    ("post /dashboard/deliveries/{id}/redeliver",           ["in",  "in",  "403", "403", "done", "404",  "403",  "done"]),
    ("post /dashboard/deliveries/{id}/cancel",              ["in",  "in",  "403", "403", "done", "404",  "done", "done"]),
    ("get /dashboard/dead-letters",                         ["in",  "in",  "403", "200", "200",  "200",  "200",  "200"]),
    ("get /dashboard/dead-letters/export",                  ["in",  "in",  "403", "200", "200",  "200",  "200",  "200"]),
    ("post /dashboard/dead-letters/resend",                 ["in",  "in",  "403", "403", "done", "done", "done", "done"]),
    ("post /dashboard/dead-letters/dismiss",                ["in",  "in",  "403", "403", "done", "done", "done", "done"]),
    ("get /dashboard/replays",                              ["in",  "in",  "403", "200", "200",  "200",  "200",  "200"]),
    ("post /dashboard/replays",                             ["in",  "in",  "403", "403", "200",  "200",  "200",  "200"]),
    ("get /dashboard/replays/new",                          ["in",  "in",  "403", "403", "200",  "200",  "200",  "200"]),
    ("get /dashboard/replays/{id}",                         ["in",  "in",  "403", "200", "200",  "404",  "200",  "200"]),
    ("post /dashboard/replays/{id}/cancel",                 ["in",  "in",  "403", "403", "done", "404",  "done", "done"]),
    ("get /dashboard/sources",                              ["in",  "in",  "403", "200", "200",  "200",  "200",  "200"]),
    ("get /dashboard/sources/{id}",                         ["in",  "in",  "403", "200", "200",  "404",  "200",  "200"]),
    ("post /dashboard/sources/{id}/retry-refusals",         ["in",  "in",  "403", "403", "done", "404",  "done", "done"]),
    ("get /dashboard/websockets",                           ["in",  "in",  "403", "200", "200",  "200",  "200",  "200"]),
    ("post /dashboard/websockets",                          ["in",  "in",  "403", "403", "done", "done", "done", "done"]),
    ("post /dashboard/websockets/{id}/delete",              ["in",  "in",  "403", "403", "done", "404",  "done", "done"]),
    ("get /dashboard/keys",                                 ["in",  "in",  "403", "403", "403",  "200",  "200",  "200"]),
    ("post /dashboard/keys",                                ["in",  "in",  "403", "403", "403",  "200",  "200",  "200"]),
    ("get /dashboard/keys/new",                             ["in",  "in",  "403", "403", "403",  "200",  "200",  "200"]),
    ("post /dashboard/keys/{id}/revoke",                    ["in",  "in",  "403", "403", "403",  "404",  "done", "done"]),
    ("get /dashboard/notifications",                        ["in",  "in",  "403", "200", "200",  "200",  "200",  "200"]),
    ("post /dashboard/notifications",                       ["in",  "in",  "403", "403", "done", "done", "done", "done"]),
    ("get /dashboard/notifications/new",                    ["in",  "in",  "403", "403", "200",  "200",  "200",  "200"]),
    ("post /dashboard/notifications/{id}/test",             ["in",  "in",  "403", "403", "200",  "404",  "200",  "200"]),
    ("post /dashboard/notifications/{id}/delete",           ["in",  "in",  "403", "403", "done", "404",  "done", "done"]),
    ("get /dashboard/api",                                  ["in",  "in",  "403", "200", "200",  "200",  "200",  "200"]),
    ("get /dashboard/doctor",                               ["in",  "in",  "403", "200", "200",  "200",  "200",  "200"]),
    ("get /dashboard/inspector",                            ["in",  "in",  "403", "200", "200",  "200",  "200",  "200"]),
    ("get /dashboard/inspector/{name}",                     ["in",  "in",  "403", "200", "200",  "200",  "200",  "200"]),
    ("post /dashboard/inspector/{name}/behaviour",          ["in",  "in",  "403", "403", "done", "done", "done", "done"]),
    ("post /dashboard/inspector/{name}/clear",              ["in",  "in",  "403", "403", "done", "done", "done", "done"]),
    ("get /dashboard/inspector/{name}/{number}",            ["in",  "in",  "403", "200", "200",  "404",  "200",  "200"]),
    ("get /dashboard/simulator",                            ["in",  "in",  "403", "200", "200",  "200",  "200",  "200"]),
    ("post /dashboard/simulator",                           ["in",  "in",  "403", "403", "403",  "422",  "422",  "422"]),
    ("get /dashboard/{*rest}",                              ["404", "404", "404", "404", "404",  "404",  "404",  "404"]),
    // What is not about calls.
    ("get /dashboard/events/{changelog}",                   ["in",  "in",  "403", "403", "403",  "404",  "403",  "200"]),
    ("get /dashboard/deliveries/{changelog}",               ["in",  "in",  "403", "403", "403",  "404",  "403",  "200"]),
    ("get /dashboard/subscriptions/changelog/{id}/edit",    ["in",  "in",  "403", "403", "403",  "404",  "403",  "200"]),
];

/// Rows about routes that other rows are about too.
fn is_extra(row: &str) -> bool {
    row.contains("changelog")
}

/// Subjects of the rows.
struct Things {
    event: String,
    delivery: String,
    change: String,
    change_delivery: String,
    change_subscription: String,
    replay: String,
    source: String,
}

fn id(value: &Value) -> String {
    value.as_str().expect("ids are strings").to_owned()
}

fn some_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("n{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

async fn ask(fixture: &Fixture, path: &str, body: Value) -> Value {
    fixture.caller().ask("POST", path, &body.to_string()).await
}

impl Things {
    async fn of(fixture: &Fixture) -> Self {
        let webhook = fixture.inspected("seen").await;
        let subscription = json!({ "endpoint_id": webhook });
        let change_subscription = ask(fixture, "/api/v2/subscriptions/changelog", subscription).await;
        let event = ask(fixture, "/v1/events/call", json!({"call_id": 1})).await;
        let change = ask(
            fixture,
            "/v1/events/changelog",
            json!({"action": "x", "changed_by": {"id": 1}}),
        )
        .await;
        let replay = ask(fixture, "/v1/replays", json!({"filter": {"ids": [event["id"]]}})).await;
        let source = ask(fixture, "/v1/sources", json!({"name": "our account"})).await;
        Self {
            event: id(&event["id"]),
            delivery: id(&event["deliveries"][0]["id"]),
            change: id(&change["id"]),
            change_delivery: id(&change["deliveries"][0]["id"]),
            change_subscription: id(&change_subscription["id"]),
            replay: id(&replay["id"]),
            source: id(&source["id"]),
        }
    }

    /// The path of a row, with what it is about; what is changed is made anew.
    async fn path(&self, fixture: &Fixture, row: &str) -> String {
        let (method, path) = row.split_once(' ').expect("a method and a path");
        let new_webhook = async || fixture.inspected(&some_name()).await;
        let by_id = |id: &str| path.replace("{id}", id);
        match path.split('/').nth(2) {
            Some("webhooks") if path.contains("{id}") => by_id(&new_webhook().await),
            Some("subscriptions") if path.contains("changelog") => by_id(&self.change_subscription),
            Some("subscriptions") if path.contains("{id}") => {
                let endpoint = json!({"endpoint_id": new_webhook().await, "group_calls_only": true});
                let made = ask(fixture, "/api/v2/subscriptions/call", endpoint).await;
                by_id(&id(&made["id"])).replace("{kind}", "call")
            }
            Some("events") => by_id(&self.event).replace("{changelog}", &self.change),
            Some("deliveries") if path.ends_with("cancel") => by_id(&pending(fixture).await),
            Some("deliveries") => by_id(&self.delivery).replace("{changelog}", &self.change_delivery),
            Some("replays") if method == "post" && path.contains("{id}") => {
                let delivery = pending(fixture).await;
                let path = format!("/v1/deliveries/{delivery}");
                let event = fixture.caller().ask("GET", &path, "").await["event_id"].clone();
                let replay = ask(fixture, "/v1/replays", json!({"filter": {"ids": [event]}})).await;
                by_id(&id(&replay["id"]))
            }
            Some("replays") => by_id(&self.replay),
            Some("websockets") if path.contains("{id}") => {
                by_id(&id(&ask(fixture, "/api/v2/websockets", json!({})).await["id"]))
            }
            Some("notifications") if path.contains("{id}") => {
                empty_channels(fixture).await;
                let channel = json!({"type": "slack", "url": "https://hook.invalid/x"});
                by_id(&id(
                    &ask(fixture, "/v1/notification-channels", channel).await["id"],
                ))
            }
            Some("notifications") => {
                empty_channels(fixture).await;
                path.to_owned()
            }
            Some("keys") if path.contains("{id}") => {
                let key = fixture.add_key(&some_name(), |key| key).await;
                by_id(&key.to_string())
            }
            Some("sources") => by_id(&self.source),
            Some("inspector") if method == "post" => path.replace("{name}", "other"),
            Some("inspector") => path.replace("{name}", "seen").replace("{number}", "1"),
            Some("assets") => path.replace("{name}", "nothing"),
            _ => path.replace("{*rest}", "nothing"),
        }
    }
}

/// A delivery that waits, because its webhook is paused. No other event comes to it.
async fn pending(fixture: &Fixture) -> String {
    let webhook = fixture.inspected(&some_name()).await;
    ask(fixture, &format!("/v1/webhooks/{webhook}/pause"), json!({})).await;
    let event = ask(fixture, "/v1/events/call", json!({"call_id": 2})).await;
    let all = event["deliveries"].as_array().expect("it is a list");
    let own = all
        .iter()
        .find(|delivery| delivery["webhook_id"] == webhook.as_str());
    let delivery = id(&own.expect("it is subscribed")["id"]);
    // The next event is not to come here too.
    let list = fixture
        .caller()
        .ask("GET", "/api/v2/subscriptions/call", "")
        .await;
    for one in list["items"].as_array().expect("it is a list") {
        if one["webhook"]["id"] == webhook.as_str() {
            let path = format!("/api/v2/subscriptions/call/{}", id(&one["id"]));
            fixture.caller().ask("DELETE", &path, "").await;
        }
    }
    delivery
}

/// Only some may be there.
async fn empty_channels(fixture: &Fixture) {
    let all = fixture.caller().ask("GET", "/v1/notification-channels", "").await;
    for channel in all["items"].as_array().expect("it is a list") {
        let path = format!("/v1/notification-channels/{}", id(&channel["id"]));
        fixture.caller().ask("DELETE", &path, "").await;
    }
}

/// A form that does what the route is for.
fn form(row: &str) -> String {
    match row {
        "post /dashboard/webhooks" => format!("hook_url=inspector://{}&secret=none", some_name()),
        "post /dashboard/webhooks/{id}/edit" => format!("hook_url=inspector://{}", some_name()),
        "post /dashboard/subscriptions/{kind}/{id}/edit" => "enabled=on&call_states=hangup".to_owned(),
        "post /dashboard/notifications" => {
            "type=slack&destination=https://hook.invalid/x&kinds=webhook.failing".to_owned()
        }
        "post /dashboard/keys" => "name=of+a+form&access=rights&rights=read".to_owned(),
        "post /dashboard/replays" => "since=2026-11-24T10:30".to_owned(),
        "post /dashboard/inspector/{name}/behaviour" => "behaviour=accept".to_owned(),
        "post /dashboard/simulator" => "scenario=none-of-this-name".to_owned(),
        _ => String::new(),
    }
}

struct Visitors<'a> {
    fixture: &'a Fixture,
    routes: axum::Router,
    cookies: Vec<(String, String)>,
}

impl<'a> Visitors<'a> {
    async fn of(fixture: &'a Fixture) -> Self {
        let admin = |key| ApiKey { admin: true, ..key };
        let only = |key: ApiKey, rights: &str| ApiKey {
            rights: rights.parse().expect("they are rights"),
            ..key
        };
        let revoked = fixture.add_key("revoked", admin).await;
        fixture.add_key("ingest", |key| only(key, "ingest")).await;
        fixture.add_key("write", |key| only(key, "read,write")).await;
        fixture
            .add_key("unscoped", |key| ApiKey {
                scopes: Scopes::NONE,
                ..admin(key)
            })
            .await;
        fixture
            .add_key("other", |key| ApiKey {
                company_id: CompanyId(2),
                ..admin(key)
            })
            .await;
        let mut cookies = Vec::new();
        for sort in SORTS {
            let visit = match sort {
                "nobody" => Visit::of(fixture),
                key => Visit::signed_in(fixture, key).await,
            };
            let csrf = match sort {
                "nobody" | "ingest" => String::new(),
                _ => visit.csrf("/dashboard/").await,
            };
            cookies.push((visit.cookie, csrf));
        }
        let node = &fixture.server.node;
        let now = node.clock.now();
        node.store.revoke_key(revoked, now).await.expect("it was there");
        Self {
            fixture,
            // What is known of sessions here begins anew.
            routes: router(Arc::clone(node)),
            cookies,
        }
    }

    async fn ask(&self, place: usize, row: &str, path: &str) -> String {
        let (method, _) = row.split_once(' ').expect("a method and a path");
        // Signing out ends the session.
        let cookies = match row.ends_with("sign-out") && place > 2 {
            true => {
                let visit = Visit::signed_in(self.fixture, SORTS[place]).await;
                let csrf = visit.csrf("/dashboard/").await;
                (visit.cookie, csrf)
            }
            false => self.cookies[place].clone(),
        };
        let (cookie, csrf) = cookies;
        let body = match method {
            "post" => Body::from(format!("csrf={csrf}&{}", form(row))),
            _ => Body::empty(),
        };
        let request = Request::builder()
            .method(method.to_uppercase().parse::<Method>().expect("it is one"))
            .uri(path)
            .header(HOST, self.fixture.server.address.to_string())
            .header(COOKIE, cookie)
            .body(body)
            .expect("the path is one");
        // The page itself is not read: one of them never ends.
        let response = self.routes.clone().oneshot(request).await;
        let response = response.expect("a router always answers");
        let location = response
            .headers()
            .get(LOCATION)
            .and_then(|value| value.to_str().ok());
        match (response.status().as_u16(), location) {
            (303, Some(location)) if location.contains("sign-in?next=") => "in".to_owned(),
            (303, Some(_)) => "done".to_owned(),
            (status, _) => status.to_string(),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_answers_every_visitor_as_the_table_says() {
    let fixture = Fixture::new().await;
    let things = Things::of(&fixture).await;
    let visitors = Visitors::of(&fixture).await;
    // The delivery is to have arrived at the inspector of every router that shares it.
    let arrival = "/dashboard/inspector/seen/1";
    let admin = SORTS.len() - 1;
    while visitors.ask(admin, "get of it", arrival).await != "200" {
        tokio::task::yield_now().await;
    }
    // A key that was found is remembered for at most a second.
    let revoked = SORTS.iter().position(|sort| *sort == "revoked");
    let revoked = revoked.expect("it is one of the sorts");
    while visitors.ask(revoked, "get of it", "/dashboard/").await != "in" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut wrong = Vec::new();
    for (row, expected) in TABLE {
        for (place, expected) in expected.into_iter().enumerate() {
            let path = things.path(&fixture, row).await;
            let answered = visitors.ask(place, row, &path).await;
            if answered != expected {
                wrong.push(format!("{row} as {}: {answered}, not {expected}", SORTS[place]));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The routes as the `lib.rs` of the crate gives them.
pub(super) fn routes() -> Vec<String> {
    let source = include_str!("../../../../switchhook-dashboard/src/lib.rs");
    let mut routes = Vec::new();
    for part in source.split(".route(").skip(1) {
        let path = part.split('"').nth(1).expect("a route has a path");
        let handlers = part.split(".layer(").next().unwrap_or_default();
        let handlers = handlers.split(".with_state(").next().unwrap_or_default();
        for method in ["get", "post"] {
            let is_first = handlers.contains(&format!(" {method}("));
            if is_first || handlers.contains(&format!(".{method}(")) {
                routes.push(format!("{method} {path}"));
            }
        }
    }
    routes
}

#[test]
fn the_table_has_every_route_of_the_dashboard_and_no_other() {
    let mut routes = routes();
    let rows = TABLE.iter().map(|(row, _)| *row).filter(|row| !is_extra(row));
    let mut table: Vec<_> = rows.map(str::to_owned).collect();
    routes.sort();
    table.sort();
    assert_eq!(table, routes, "give the new route a row of its own");
}
