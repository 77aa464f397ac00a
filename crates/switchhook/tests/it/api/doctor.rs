//! `/v1/doctor`: every trouble has a name, a place and a remedy.

use std::time::Duration;

use serde_json::{Value, json};
use switchhook_domain::attempt::FailureReason;
use switchhook_node::delivery::transport::SPEAKS_TLS;
use switchhook_node::settings::{DashboardSettings, Settings};

use crate::support::process::ServerProcess;
use crate::support::program::free_address;
use crate::support::rig::Reaction;
use crate::support::test_server::TestServer;

const GOOD_SECRET: &str = "0123456789abcdef0123456789abcdef";

async fn webhook(server: &TestServer, hook_url: &str, secret: &str) -> String {
    let body = json!({"hook_url": hook_url, "secret": secret});
    let webhook = server.post("/api/v2/webhooks", body).await.ok();
    webhook["id"].as_str().expect("ids are texts").to_owned()
}

async fn see(server: &TestServer, query: &str) -> Value {
    server.get(&format!("/v1/doctor{query}")).await.ok()
}

/// The names of the troubles, in their order.
fn troubles(report: &Value) -> Vec<&str> {
    let findings = report["findings"].as_array().expect("a list");
    for finding in findings {
        for part in ["where", "what", "remedy"] {
            assert!(
                finding[part].as_str().is_some_and(|text| !text.is_empty()),
                "{finding:#}"
            );
        }
    }
    assert_eq!(report["findings_count"], findings.len());
    findings
        .iter()
        .map(|finding| finding["trouble"].as_str().expect("a word"))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn nothing_set_up_is_a_finding_and_all_set_up_is_none() {
    let server = TestServer::new().await;
    assert_eq!(troubles(&see(&server, "").await), ["no_webhook"]);
    let id = webhook(&server, "https://example.com/hook", GOOD_SECRET).await;
    assert_eq!(troubles(&see(&server, "").await), ["no_subscription"]);
    server.subscribe(&id).await;
    let report = see(&server, "").await;
    assert!(troubles(&report).is_empty(), "{report:#}");
    assert_eq!(
        (&report["webhooks"], &report["subscriptions"]),
        (&json!(1), &json!(1))
    );
    assert!(report["now"].is_i64());
}

#[tokio::test(start_paused = true)]
async fn the_inspector_of_the_house_can_always_be_reached() {
    let dashboard = DashboardSettings {
        inspector: true,
        ..DashboardSettings::default()
    };
    let server = TestServer::with(Settings {
        dashboard,
        ..Settings::default()
    })
    .await;
    let id = webhook(&server, "inspector://orders", GOOD_SECRET).await;
    server.subscribe(&id).await;
    let report = see(&server, "").await;
    assert!(troubles(&report).is_empty(), "{report:#}");
}

#[tokio::test(start_paused = true)]
async fn what_is_set_up_wrongly_is_found_where_it_is() {
    let server = TestServer::new().await;
    let short = webhook(&server, "https://example.com/short", "swordfish").await;
    let none = webhook(&server, "https://example.com/none", "").await;
    server.subscribe(&short).await;
    let subscription = server.subscribe(&none).await;
    let off = json!({"endpoint_id": short, "enabled": false, "call_states": ["hold"]});
    server.post("/api/v2/subscriptions/call", off).await.ok();
    server
        .post("/api/v2/subscriptions/sms", json!({"direction": "all"}))
        .await
        .ok();
    server
        .post(&format!("/v1/webhooks/{none}/pause"), Value::Null)
        .await
        .ok();

    let report = see(&server, "").await;
    assert_eq!(
        troubles(&report),
        ["paused", "disabled", "sends_nowhere", "short_secret", "no_secret"]
    );
    assert!(!report.to_string().contains("swordfish"));
    assert_eq!(report["findings"][3]["webhook_id"], short);
    assert!(
        report["findings"][3]["what"]
            .as_str()
            .unwrap()
            .contains("9 bytes")
    );
    let only = see(&server, &format!("?webhook_id={none}&connect=false")).await;
    assert_eq!(troubles(&only), ["paused", "no_secret"]);
    server
        .get("/v1/doctor?webhook_id=99")
        .await
        .refused(404, "no such webhook");
    server
        .get("/v1/doctor?connect=maybe")
        .await
        .refused(400, "connect");

    server.delete(&format!("/api/v2/webhooks/{none}")).await.ok();
    let report = see(&server, "").await;
    let findings = report["findings"].as_array().unwrap();
    let orphan = findings
        .iter()
        .find(|finding| finding["subscription_id"] == subscription);
    assert_eq!(orphan.unwrap()["trouble"], "sends_nowhere", "{report:#}");
}

#[tokio::test(start_paused = true)]
async fn redirects_and_given_up_deliveries_are_found() {
    let server = TestServer::reacting(Settings::default(), |seen| match &seen.body[..] {
        [.., b'1', b'}'] => Reaction::Answer(410),
        _ => Reaction::Answer(308),
    })
    .await;
    let id = webhook(&server, "https://example.com/hook", "").await;
    server.subscribe(&id).await;
    for call in [1, 2] {
        let body = format!(r#"{{"call_id": {call}}}"#);
        server.event("call", body, &[]).await.ok();
    }
    server.wait(Duration::from_secs(1)).await;
    let report = see(&server, "").await;
    assert_eq!(
        troubles(&report),
        ["redirects", "given_up", "no_secret"],
        "{report:#}"
    );
    let says = |number: usize| report["findings"][number]["what"].as_str().unwrap();
    assert!(says(0).contains("answers 308") && says(1).starts_with("1 delivery was given up and waits"));
    server.wait(Duration::from_secs(25 * 60 * 60)).await;
    let later = see(&server, "").await;
    assert!(troubles(&later).contains(&"given_up"), "until somebody decides");
    server.post("/v1/dead-letters/dismiss", json!({})).await.ok();
    assert!(!troubles(&see(&server, "").await).contains(&"given_up"));
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_speaks_tls_and_was_sent_requests_in_the_clear_is_found() {
    let server = TestServer::reacting(Settings::default(), |_| {
        Reaction::Fail(FailureReason::NotHttp, SPEAKS_TLS)
    })
    .await;
    // What its URL is does not matter to this network.
    let id = webhook(&server, "https://example.com/hook", GOOD_SECRET).await;
    server.subscribe(&id).await;
    server.event("call", r#"{"call_id": 1}"#, &[]).await.ok();
    server.wait(Duration::from_secs(1)).await;
    let report = see(&server, "?connect=false").await;
    assert_eq!(troubles(&report), ["tls"], "{report:#}");
    let remedy = report["findings"][0]["remedy"].as_str().unwrap();
    assert!(
        remedy.contains(&format!("update {id} --hook-url https://")),
        "{remedy}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_fails_is_found_once_and_is_no_fault_of_receivers() {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let proxy = format!("http://{}", free_address());
    let server = ServerProcess::start_with(dir.path(), &[("SWITCHHOOK_HOOK_PROXY", &proxy)]).await;
    let caller = server.caller();
    // Of two addresses, where the machine has both families.
    for path in ["one", "other"] {
        let body = json!({"hook_url": format!("http://localhost:9/{path}"), "secret": GOOD_SECRET});
        caller.ask("POST", "/api/v2/webhooks", &body.to_string()).await;
    }
    let report = caller.ask("GET", "/v1/doctor", "").await;
    let found = report["findings"].as_array().expect("a list").iter();
    let found: Vec<_> = found.filter(|one| one["trouble"] == "unreachable").collect();
    assert_eq!(found.len(), 1, "{report:#}");
    let says = |part: &str| found[0][part].as_str().unwrap_or_default();
    assert_eq!(says("where"), "the server");
    assert_eq!(
        says("what").matches("cannot be connected to").count(),
        1,
        "{report:#}"
    );
    assert!(says("remedy").contains("--hook-proxy"), "{report:#}");
}

#[tokio::test(start_paused = true)]
async fn deliveries_that_wait_for_their_turn_are_found() {
    let server = TestServer::reacting(Settings::default(), |_| {
        Reaction::Slowly(200, Duration::from_secs(14))
    })
    .await;
    let id = webhook(&server, "https://example.com/hook", GOOD_SECRET).await;
    server.subscribe(&id).await;
    let settings = json!({"max_in_flight": 1});
    server.patch(&format!("/v1/webhooks/{id}"), settings).await.ok();
    for call in 1..=60 {
        let body = format!(r#"{{"call_id": {call}}}"#);
        server.event("call", body, &[]).await.ok();
    }
    server.wait(Duration::from_secs(200)).await;
    assert_eq!(troubles(&see(&server, "").await), ["behind"]);
}

#[tokio::test(start_paused = true)]
async fn an_address_that_is_not_sent_to_any_more_is_found() {
    let server = TestServer::new().await;
    // Made when the server still allowed it.
    let now = server.node.clock.now();
    let id = switchhook_domain::id::WebhookId(server.node.ids.next(now));
    let company_id = crate::support::rig::COMPANY;
    let webhook =
        switchhook_domain::webhook::Webhook::new(id, company_id, "http://169.254.169.254/latest", now);
    server.store.create_webhook(webhook).await.unwrap();
    let report = see(&server, "").await;
    assert_eq!(
        troubles(&report),
        ["address_refused", "no_subscription", "no_secret"]
    );
    let unconnected = see(&server, "?connect=false").await;
    assert_eq!(troubles(&unconnected), ["no_subscription", "no_secret"]);
}

#[tokio::test(start_paused = true)]
async fn why_a_receiver_cannot_be_reached_is_said_once() {
    let server = TestServer::reacting(Settings::default(), |_| Reaction::Refuse).await;
    let now = server.node.clock.now();
    let id = switchhook_domain::id::WebhookId(server.node.ids.next(now));
    let company_id = crate::support::rig::COMPANY;
    let webhook =
        switchhook_domain::webhook::Webhook::new(id, company_id, "http://169.254.169.254/latest", now);
    server.store.create_webhook(webhook).await.unwrap();
    server.subscribe(&id.to_string()).await;
    server.event("call", r#"{"call_id": 1}"#, &[]).await.ok();
    server.wait(Duration::from_secs(30)).await;
    assert_eq!(
        troubles(&see(&server, "").await),
        ["address_refused", "no_secret"]
    );
    let unconnected = see(&server, "?connect=false").await;
    assert_eq!(troubles(&unconnected), ["failing", "no_secret"]);
    let failing = &unconnected["findings"][0];
    assert_eq!(failing["last_line"], "nobody listens");
    assert!(failing["last_status"].is_null(), "nobody answered: {failing:#}");
}
