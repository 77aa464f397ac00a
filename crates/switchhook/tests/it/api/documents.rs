//! Routes without a key: documents, health, metrics; and that the OpenAPI document knows every route.

use std::time::Duration;

use axum::body::Body;
use http::{Method, Request};
use serde_json::Value;
use switchhook_domain::Kind;

use crate::support::test_server::{Answered, TestServer};

async fn open(server: &TestServer, path: &str) -> Answered {
    let request = Request::get(path).body(Body::empty());
    server.send(request.expect("the path is one")).await
}

#[tokio::test(start_paused = true)]
async fn the_openapi_document_and_the_router_know_the_same_routes() {
    let server = TestServer::new().await;
    let document = open(&server, "/openapi.json").await.ok();
    let mut routes = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let real = path.replace("{id}", "12").replace("{event}", "12");
        for method in [
            Method::GET,
            Method::POST,
            Method::PATCH,
            Method::DELETE,
            Method::PUT,
        ] {
            let name = method.as_str().to_lowercase();
            let answered = server
                .send(
                    Request::builder()
                        .method(&method)
                        .uri(&real)
                        .body(Body::empty())
                        .unwrap(),
                )
                .await;
            match item.get(&name) {
                Some(_) => {
                    assert_ne!(answered.status, 405, "{method} {path} is in the document only");
                    routes.push(format!("{method} {path}"));
                }
                None => assert_eq!(answered.status, 405, "{method} {path} is in the router only"),
            }
        }
    }
    insta::assert_json_snapshot!(routes);
}

#[tokio::test(start_paused = true)]
async fn the_openapi_document_describes_errors_keys_and_bodies() {
    let server = TestServer::new().await;
    let document = open(&server, "/openapi.json").await.ok();
    assert_eq!(
        document["components"]["securitySchemes"]["bearer"]["scheme"],
        "bearer"
    );
    assert_eq!(document["components"]["securitySchemes"]["apikey"]["in"], "query");
    insta::assert_json_snapshot!("openapi_webhooks", document["paths"]["/api/v2/webhooks"]);
    insta::assert_json_snapshot!(
        "openapi_call_subscription",
        document["components"]["schemas"]["CallSubscription"]
    );
    insta::assert_json_snapshot!(
        "openapi_call_request",
        document["components"]["schemas"]["CallSubscriptionRequest"]
    );
    for (path, item) in document["paths"].as_object().unwrap() {
        for operation in item.as_object().unwrap().values() {
            let error = &operation["responses"]["default"]["content"]["application/json"]["schema"]["$ref"];
            assert_eq!(error, "#/components/schemas/ErrorEnvelope", "{path}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_asyncapi_document_is_served_as_it_is() {
    let server = TestServer::new().await;
    let answered = open(&server, "/asyncapi.yaml").await;
    assert_eq!(answered.headers["content-type"], "application/yaml");
    assert_eq!(answered.body, switchhook_protocol::ASYNCAPI_YAML.as_bytes());
    for kind in Kind::ALL {
        let schema: Value = switchhook_node::documents::schema(kind);
        assert_eq!(schema["type"], "object", "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn health_needs_no_key_and_says_why_not() {
    let server = TestServer::new().await;
    assert_eq!(open(&server, "/healthz").await.status, 200);
    let ready = open(&server, "/readyz").await;
    assert_eq!(
        ready.ok(),
        serde_json::json!({"ready": true, "store": "ok", "delivery": "ok", "clock": "ok"})
    );
    server.node.engine.stop(Duration::ZERO).await;
    let stopped = open(&server, "/readyz").await;
    assert_eq!(stopped.status, 503);
    assert_eq!(stopped.json()["delivery"], "stopped");
}

#[tokio::test(start_paused = true)]
async fn metrics_count_events_by_kind() {
    let server = TestServer::new().await;
    server.event("call", "{}", &[("idempotency-key", "a")]).await.ok();
    server.event("call", "{}", &[("idempotency-key", "a")]).await.ok();
    let answered = open(&server, "/metrics").await;
    let text = String::from_utf8_lossy(&answered.body).into_owned();
    assert!(
        text.contains("switchhook_events_accepted_total{kind=\"call\"} 1"),
        "{text}"
    );
    assert!(
        text.contains("switchhook_events_duplicate_total{kind=\"call\"} 1"),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_front_door_leads_to_the_dashboard() {
    let server = TestServer::new().await;
    let request = Request::get("/").body(Body::empty()).unwrap();
    let answered = server.send(request).await;
    assert_eq!(answered.status, 303);
    assert_eq!(answered.headers["location"], "/dashboard/");
}
