//! Metrics: every one that the alerts and the dashboard of `deploy` name exists.

use std::collections::BTreeSet;
use std::path::Path;

use bytes::Bytes;
use serde_json::json;
use switchhook::server::Server;
use switchhook_domain::Kind;
use switchhook_node::gauges::Gauges;
use switchhook_node::ingest::{self, Submission};
use switchhook_node::settings::Settings;

use crate::support::http::Caller;
use crate::support::process::ServerProcess;

fn submission(company_id: switchhook_domain::id::CompanyId, body: &'static str) -> Submission {
    Submission {
        company_id,
        kind: Kind::Call,
        body: Bytes::from_static(body.as_bytes()),
        idempotency_key: None,
    }
}

/// The words of a text that look like metrics of ours or of the process.
fn metrics_in(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("switchhook_") || word.starts_with("process_"))
        .map(ToOwned::to_owned)
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_exports_what_the_alerts_and_the_dashboard_name() {
    let dir = tempfile::tempdir().expect("a folder can be made");
    let settings = Settings {
        listen: ([127, 0, 0, 1], 0).into(),
        store: format!("sqlite:{}", dir.path().join("switchhook.db").display()),
        metrics_per_webhook: 5,
        hook_allow_http: true,
        hook_allow: vec!["127.0.0.0/8".parse().expect("it is a network")],
        ..Settings::default()
    };
    let server = Server::start(settings).await.expect("it starts");
    let node = &server.node;
    let key = switchhook_node::keys::new_secret();
    let company_id = crate::support::rig::COMPANY;
    let caller = Caller::new(server.address, &key);
    let made = switchhook_node::api_keys::find_or_create_admin(node, company_id, "a key", &key).await;
    made.expect("the key is new");
    // Nobody listens there.
    let hook = json!({"hook_url": "http://127.0.0.1:9/hook"}).to_string();
    let (status, made) = caller
        .send("POST", "/api/v2/webhooks", &hook)
        .await
        .expect("it answers");
    assert_eq!(status, 200, "{made}");
    let subscription = json!({"endpoint_id": made["id"]}).to_string();
    let path = "/api/v2/subscriptions/call";
    let subscribed = caller
        .send("POST", path, &subscription)
        .await
        .expect("it answers");
    assert_eq!(subscribed.0, 200, "{}", subscribed.1);
    ingest::accept(node, submission(company_id, r#"{"call_id":1,"state":"hangup"}"#))
        .await
        .expect("it is an event");
    ingest::accept(node, submission(company_id, "[]"))
        .await
        .expect_err("it is none");
    Gauges::default()
        .measure(node)
        .await
        .expect("the store can be read");
    let text = node.telemetry.render();
    let exported = metrics_in(&text);
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy");
    let mut named = BTreeSet::new();
    for file in ["prometheus/alerts.yml", "grafana/switchhook.json"] {
        let text = std::fs::read_to_string(deploy.join(file)).expect("the file is there");
        named.append(&mut metrics_in(&text));
    }
    assert!(named.len() > 20, "{named:?}");
    let missing: Vec<_> = named.difference(&exported).collect();
    assert!(missing.is_empty(), "{missing:?} of\n{text}");
    for line in [
        "switchhook_deliveries_pending{reason=\"breaker\"} 0",
        "switchhook_webhooks{state=\"paused\"} 0",
        "switchhook_http_requests_total{route=\"/api/v2/webhooks\",method=\"POST\",class=\"2xx\"} 1",
        concat!(
            "switchhook_build_info{version=\"",
            env!("CARGO_PKG_VERSION"),
            "\"} 1"
        ),
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    let value = |name: &str| -> f64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let value = line.and_then(|value| value.trim().parse().ok());
        value.unwrap_or_else(|| panic!("{name} is not in\n{text}"))
    };
    assert!(value("switchhook_oldest_undelivered_age_seconds ") > 0.0);
    let pending: f64 = ["due", "later"]
        .map(|reason| value(&format!("switchhook_deliveries_pending{{reason=\"{reason}\"}} ")))
        .iter()
        .sum();
    assert!((pending - 1.0).abs() < 0.1, "{text}");
    server.stop().await;
}

#[tokio::test]
async fn requests_are_logged_by_route_if_that_is_wanted_and_nothing_of_what_they_hold() {
    let dir = tempfile::tempdir().expect("a folder can be made");
    let mut server = ServerProcess::start_with(dir.path(), &[("SWITCHHOOK_LOG_REQUESTS", "true")]).await;
    let caller = server.caller();
    let event = r#"{"call_id":1,"state":"hangup","secret_text":"a-text"}"#;
    for (method, path) in [
        ("POST", "/v1/events/call"),
        ("GET", "/v1/events?order_key=a-value"),
        ("POST", "/in/a-token"),
        ("GET", "/nowhere/a-path"),
    ] {
        caller.send(method, path, event).await.expect("it answers");
    }
    caller.text("/dashboard/events/123?span=a-value").await;
    server.stop().await;
    let log = std::fs::read_to_string(dir.path().join("log")).expect("the log is ours");
    for line in [
        "method=\"POST\" route=\"/v1/events/{event}\" status=202",
        "method=\"GET\" route=\"/v1/events\" status=200",
        "route=\"/in/{token}\" status=404",
        "route=\"none\" status=404",
        "route=\"/dashboard/events/{id}\"",
        "company=1",
    ] {
        assert!(log.contains(line), "{line} is not in\n{log}");
    }
    for hidden in ["a-value", "a-token", "a-path", "a-text", &server.key] {
        assert!(!log.contains(hidden), "{hidden} is in\n{log}");
    }
}
