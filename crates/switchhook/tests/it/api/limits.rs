//! Limits: off, or Dialpad's; and what each company may take of a node.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use switchhook_domain::id::CompanyId;
use switchhook_domain::key::ApiKey;
use switchhook_node::settings::ApiLimits;
use switchhook_node::settings::Settings;
use switchhook_node::share::{CompanyLimits, Limit};
use switchhook_store::sqlite::SqliteStore;
use switchhook_store::{Store, StoreOptions};
use tokio::time::timeout;

use crate::support::faulty_store::FaultyStore;
use crate::support::rig::{Reaction, START};
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

fn with_limits(limits: CompanyLimits) -> Settings {
    Settings {
        company_limits: limits,
        ..Settings::default()
    }
}

async fn add_neighbour(server: &TestServer) {
    let of_another_company = |key| ApiKey {
        company_id: CompanyId(2),
        ..key
    };
    server.add_key("neighbour", of_another_company).await;
}

async fn first_left(server: &TestServer) -> String {
    let webhooks = server.get("/api/v2/webhooks").await.ok();
    let id = webhooks["items"][0]["id"].as_str();
    id.expect("ids are strings").to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_company_registers_no_more_than_it_may() {
    let server = TestServer::with(with_limits(CompanyLimits {
        webhooks: Limit::of(2),
        websockets: Limit::of(1),
        subscriptions: Limit::of(1),
        sources: Limit::of(1),
        ..CompanyLimits::default()
    }))
    .await;
    add_neighbour(&server).await;
    let first = server.webhook("https://example.com/1").await;
    server.webhook("https://example.com/2").await;
    let third = json!({"hook_url": "https://example.com/3"});
    let refused = server.post("/api/v2/webhooks", third.clone()).await;
    refused.refused(
        400,
        "this company has 2 webhooks, which is as many as it may have (--limit-webhooks)",
    );
    server
        .ask(Method::POST, "/api/v2/webhooks", "neighbour", third.clone())
        .await
        .ok();
    server.delete(&format!("/api/v2/webhooks/{first}")).await.ok();
    server.post("/api/v2/webhooks", third).await.ok();

    server.subscribe(&first_left(&server).await).await;
    let refused = server
        .post("/api/v2/subscriptions/sms", json!({"direction": "all"}))
        .await;
    refused.refused(
        400,
        "1 subscriptions, which is as many as it may have (--limit-subscriptions)",
    );

    server.post("/api/v2/websockets", json!({})).await.ok();
    let refused = server.post("/api/v2/websockets", json!({})).await;
    refused.refused(
        400,
        "1 websockets, which is as many as it may have (--limit-websockets)",
    );
    server
        .ask(Method::POST, "/api/v2/websockets", "neighbour", json!({}))
        .await
        .ok();

    let source = json!({"name": "our account"});
    server.post("/v1/sources", source.clone()).await.ok();
    let refused = server.post("/v1/sources", source.clone()).await;
    refused.refused(
        400,
        "1 sources, which is as many as it may have (--limit-sources)",
    );
    server
        .ask(Method::POST, "/v1/sources", "neighbour", source)
        .await
        .ok();
}

#[tokio::test(start_paused = true)]
async fn a_company_whose_streams_are_all_open_keeps_nobody_else_from_opening_one() {
    let server = TestServer::with(with_limits(CompanyLimits {
        streams: Limit::of(2),
        ..CompanyLimits::default()
    }))
    .await;
    add_neighbour(&server).await;
    let ask = async {
        server.wait(Duration::from_secs(1)).await;
        let third = server.get("/v1/stream").await;
        third.refused(429, "this company has 2 streams open");
        assert_eq!(third.headers["retry-after"], "10");
        let others = server.ask(Method::GET, "/v1/stream", "neighbour", Value::Null);
        timeout(Duration::from_secs(60), others)
            .await
            .expect_err("it goes on");
    };
    tokio::select! {
        _ = server.get("/v1/stream") => panic!("it is open"),
        _ = server.get("/v1/stream") => panic!("it is open"),
        () = ask => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_company_that_reads_slowly_waits_for_itself_and_nobody_waits_for_it() {
    let memory = SqliteStore::in_memory(StoreOptions::owner(START)).expect("a store in memory opens");
    let store = FaultyStore::around(memory);
    let settings = with_limits(CompanyLimits {
        reads: Limit::of(2),
        ..CompanyLimits::default()
    });
    let kept = Arc::clone(&store) as Arc<dyn Store>;
    let server = TestServer::on(kept, settings, |_| Reaction::Answer(200)).await;
    add_neighbour(&server).await;
    let slow = store.hold_lists();
    let list = || server.get("/v1/events?order_key=call:1");
    let meanwhile = async {
        server.wait(Duration::from_secs(1)).await;
        let third = list().await;
        third.refused(429, "2 requests of this company are reading");
        assert_eq!(third.headers["retry-after"], "1");
        // What needs no list of the store's is done at once, also for the same company.
        server
            .event("call", r#"{"call_id":1,"state":"hangup"}"#, &[])
            .await
            .ok();
        let webhooks = server.ask(Method::GET, "/api/v2/webhooks", "neighbour", Value::Null);
        webhooks.await.ok();
        drop(slow);
    };
    let (one, other, ()) = tokio::join!(list(), list(), meanwhile);
    one.ok();
    other.ok();
    list().await.ok();
}
