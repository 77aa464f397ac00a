//! Keys: how they are presented, what they open, when they stop.

use std::time::Duration;

use axum::body::Body;
use http::{Method, Request};
use serde_json::{Value, json};
use switchhook_domain::id::CompanyId;
use switchhook_domain::key::{ApiKey, Right};
use switchhook_domain::scope::{Scope, Scopes};

use crate::support::test_server::{ADMIN, TestServer};

#[tokio::test(start_paused = true)]
async fn a_key_is_presented_in_the_header_or_in_the_query() {
    let server = TestServer::new().await;
    let ask = async |path: &str, authorization: Option<&str>| {
        let mut request = Request::get(path);
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        server.send(request.body(Body::empty()).unwrap()).await
    };
    ask("/api/v2/webhooks", Some("Bearer shk_admin")).await.ok();
    ask("/api/v2/webhooks", Some("bearer shk_admin")).await.ok();
    ask("/api/v2/webhooks?apikey=shk_admin", None).await.ok();
    ask("/api/v2/webhooks?apikey=shk%5Fadmin", None).await.ok();
    let missing = ask("/api/v2/webhooks", None).await;
    missing.refused(401, "an API key is required");
    assert_eq!(missing.json()["error"]["errors"][0]["reason"], "required");
    assert_eq!(missing.headers["www-authenticate"], "Bearer");
    ask("/api/v2/webhooks?apikey=", None)
        .await
        .refused(401, "an API key is required");
    ask("/api/v2/webhooks", Some("Basic c2hrOg=="))
        .await
        .refused(401, "Authorization: Bearer KEY");
    ask("/api/v2/webhooks", Some("Bearer shk_other"))
        .await
        .refused(401, "this API key is not known");
    let leaky = ask("/v1/nowhere?apikey=shk_admin", None).await;
    assert!(
        !String::from_utf8_lossy(&leaky.body).contains(ADMIN),
        "a key is not repeated"
    );
}

#[tokio::test(start_paused = true)]
async fn a_new_key_works_at_once_and_a_revoked_one_stops_within_a_second() {
    let server = TestServer::new().await;
    let ask = async || {
        server
            .ask(Method::GET, "/v1/events", "shk_new", Value::Null)
            .await
    };
    ask().await.refused(401, "not known");
    let id = server.add_key("shk_new", |key| key).await;
    ask().await.ok();
    server
        .store
        .revoke_key(id, server.node.clock.now())
        .await
        .unwrap();
    server.wait(Duration::from_millis(1_001)).await;
    ask().await.refused(401, "was revoked");
}

#[tokio::test(start_paused = true)]
async fn a_key_expires_to_the_moment() {
    let server = TestServer::new().await;
    let end = server.node.clock.now().plus(Duration::from_millis(500));
    server
        .add_key("shk_brief", |key| ApiKey {
            expires_at: Some(end),
            ..key
        })
        .await;
    let ask = async || {
        server
            .ask(Method::GET, "/v1/events", "shk_brief", Value::Null)
            .await
    };
    ask().await.ok();
    server.wait(Duration::from_millis(501)).await;
    ask().await.refused(401, "expired");
}

#[tokio::test(start_paused = true)]
async fn rights_open_what_they_name_and_an_admin_may_do_everything() {
    let server = TestServer::new().await;
    for right in Right::ALL {
        let rights = [right].into_iter().collect();
        server
            .add_key(right.as_str(), |key| ApiKey { rights, ..key })
            .await;
    }
    let rights = [Right::Read].into_iter().collect();
    server
        .add_key("admin", |key| ApiKey {
            rights,
            admin: true,
            ..key
        })
        .await;
    let cases = [
        (Right::Read, Method::GET, "/api/v2/webhooks", Value::Null),
        (Right::Read, Method::GET, "/v1/events", Value::Null),
        (
            Right::Write,
            Method::POST,
            "/api/v2/webhooks",
            json!({"hook_url": "https://example.com"}),
        ),
        (
            Right::Ingest,
            Method::POST,
            "/v1/events/call",
            json!({"call_id": 1}),
        ),
    ];
    for (needed, method, path, body) in cases {
        for right in Right::ALL {
            let answered = server
                .ask(method.clone(), path, right.as_str(), body.clone())
                .await;
            if right == needed {
                answered.ok();
            } else {
                answered.refused(403, &format!("this key may not {}", needed.as_str()));
            }
        }
    }
    server
        .ask(Method::POST, "/v1/events/call", "admin", json!({"call_id": 1}))
        .await
        .ok();
}

#[tokio::test(start_paused = true)]
async fn company_wide_kinds_need_an_admin_and_change_logs_a_scope() {
    let server = TestServer::new().await;
    server
        .add_key("plain", |key| ApiKey {
            scopes: Scopes::ALL,
            ..key
        })
        .await;
    server.add_key("admin", |key| ApiKey { admin: true, ..key }).await;
    let scopes = [Scope::ChangeLog].into_iter().collect();
    server
        .add_key("auditor", |key| ApiKey {
            admin: true,
            scopes,
            ..key
        })
        .await;
    for (kind, body) in [
        ("agent_status", json!({"agent_type": "callcenter"})),
        ("contact", json!({"contact_type": "local"})),
    ] {
        let path = format!("/api/v2/subscriptions/{kind}");
        for method in [Method::GET, Method::POST] {
            server
                .ask(method.clone(), &path, "plain", body.clone())
                .await
                .refused(403, "need an admin's key");
            server.ask(method, &path, "admin", body.clone()).await.ok();
        }
    }
    let path = "/api/v2/subscriptions/changelog";
    for method in [Method::GET, Method::POST] {
        server
            .ask(method.clone(), path, "plain", json!({}))
            .await
            .refused(403, "need an admin's key");
        server
            .ask(method.clone(), path, "admin", json!({}))
            .await
            .refused(403, "need the scope change_log");
        server.ask(method, path, "auditor", json!({})).await.ok();
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_opens_its_own_company_only() {
    let server = TestServer::new().await;
    server
        .add_key("neighbour", |key| ApiKey {
            company_id: CompanyId(2),
            admin: true,
            ..key
        })
        .await;
    let webhook = server.webhook("https://example.com").await;
    let path = format!("/api/v2/webhooks/{webhook}");
    server
        .ask(Method::GET, &path, "neighbour", Value::Null)
        .await
        .refused(404, "there is no such webhook");
    let named = async |company: &str| {
        let request = Request::get("/api/v2/webhooks").header("authorization", "Bearer shk_admin");
        let request = request.header("DP-Company-ID", company).body(Body::empty());
        server.send(request.unwrap()).await
    };
    named("1").await.ok();
    named("").await.ok();
    named("2")
        .await
        .refused(403, "DP-Company-ID names another company");
    named("x")
        .await
        .refused(403, "DP-Company-ID names another company");
}
