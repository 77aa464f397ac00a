//! Limits: off, or Dialpad's.

use http::Method;
use serde_json::{Value, json};
use switchhook::api::limits::ApiLimits;
use switchhook::system::Settings;
use switchhook_domain::id::CompanyId;
use switchhook_domain::key::ApiKey;

use crate::support::test_server::{ADMIN, TestServer};

async fn limited() -> TestServer {
    TestServer::with(Settings {
        api_limits: ApiLimits::Dialpad,
        ..Settings::default()
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn too_many_requests_are_told_when_to_come_back() {
    let server = limited().await;
    server
        .add_key("neighbour", |key| ApiKey {
            company_id: CompanyId(2),
            ..key
        })
        .await;
    let mut last = server.get("/api/v2/webhooks").await;
    for _ in 0..1_000 {
        if last.status != 200 {
            break;
        }
        last = server.get("/api/v2/webhooks").await;
    }
    last.refused(429, "too many requests");
    assert_eq!(last.headers["retry-after"], "1");
    server
        .ask(Method::GET, "/api/v2/webhooks", "neighbour", Value::Null)
        .await
        .ok();
    for _ in 0..100 {
        server.event("call", "{}", &[]).await.ok();
        server.get("/v1/events").await.ok();
    }
}

#[tokio::test(start_paused = true)]
async fn without_limits_nobody_is_told_to_wait() {
    let server = TestServer::new().await;
    for _ in 0..200 {
        server.get("/api/v2/webhooks").await.ok();
    }
}

#[tokio::test(start_paused = true)]
async fn only_ten_subscriptions_of_a_kind_may_do_without_a_target() {
    for (settings, is_limited) in [
        (
            Settings {
                api_limits: ApiLimits::Dialpad,
                ..Settings::default()
            },
            true,
        ),
        (Settings::default(), false),
    ] {
        let server = TestServer::with(settings).await;
        let states = [
            "hangup",
            "ringing",
            "hold",
            "missed",
            "calling",
            "connected",
            "queued",
            "parked",
            "merged",
            "csat",
        ];
        for state in states {
            make(&server, json!({"call_states": [state]})).await.ok();
        }
        let eleventh = make(&server, json!({"call_states": ["pcsat"]})).await;
        if is_limited {
            eleventh.refused(400, "is the limit");
        } else {
            eleventh.ok();
        }
        make(&server, json!({"target_type": "user", "target_id": 1}))
            .await
            .ok();
    }
}

async fn make(server: &TestServer, body: Value) -> crate::support::test_server::Answered {
    server
        .ask(Method::POST, "/api/v2/subscriptions/call", ADMIN, body)
        .await
}
