//! A real server among receivers that misbehave: it goes on serving the others, and says of each what happened.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::hostile::{self, WAYS};
use crate::support::http::Caller;
use crate::support::process::ServerProcess;

const EVENTS: usize = 20;

/// Result of the first attempt at each: a status, or a reason and a part of its words.
fn expected(way: &str) -> (Option<u16>, &'static str, &'static str) {
    match way {
        "ok" | "body" | "bomb" | "kept" => (Some(200), "", ""),
        // The status decides.
        "headers" => (Some(200), "", "headers could not be read"),
        "length" => (Some(200), "", "not complete within 500 ms"),
        "reset" => (Some(200), "", "body broke off"),
        "redirect" => (Some(307), "", ""),
        "silent" => (None, "answer_timeout", "nothing was answered within 500 ms"),
        "drip" => (None, "answer_timeout", "within 500 ms"),
        "provisional" => (None, "answer_timeout", "within 500 ms"),
        "garbage" => (None, "not_http", ""),
        "unsigned" => (None, "tls", "certificate"),
        "refused" => (None, "connection_refused", "nobody listens"),
        other => panic!("{other} has no expectation"),
    }
}

async fn webhook(caller: &Caller, way: &str, url: &str) -> String {
    let webhook = caller
        .ask("POST", "/api/v2/webhooks", &json!({"hook_url": url}).to_string())
        .await;
    let id = webhook["id"].as_str().expect("a webhook has an id").to_owned();
    // Whoever never ends is not waited for; of the others none is cut off, however slow this machine is.
    let timeout_ms = match way {
        "length" | "silent" | "drip" | "provisional" => 500,
        _ => 15_000,
    };
    let quick = json!({"timeout_ms": timeout_ms}).to_string();
    caller.ask("PATCH", &format!("/v1/webhooks/{id}"), &quick).await;
    let subscription = json!({"endpoint_id": id, "call_states": []}).to_string();
    caller
        .ask("POST", "/api/v2/subscriptions/call", &subscription)
        .await;
    id
}

/// The first attempt at a webhook, once it has been made.
async fn first_attempt(caller: &Caller, id: &str) -> Value {
    for _ in 0..600 {
        let list = caller
            .ask("GET", &format!("/v1/deliveries?webhook_id={id}&limit=100"), "")
            .await;
        let oldest = list["items"].as_array().and_then(|all| all.last());
        if let Some(delivery) = oldest.and_then(|one| one["id"].as_str()) {
            let delivery = caller.ask("GET", &format!("/v1/deliveries/{delivery}"), "").await;
            if let Some(attempt) = delivery["attempts"].as_array().and_then(|all| all.first()) {
                return attempt.clone();
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no attempt was made at webhook {id}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_survives_all_of_them_and_goes_on_serving_the_others() {
    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let secured = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (plain_at, secured_at) = (plain.local_addr().unwrap(), secured.local_addr().unwrap());
    tokio::spawn(hostile::serve(plain));
    tokio::spawn(hostile::serve_badly_secured(secured));
    let folder = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(folder.path()).await;
    let caller = server.caller();
    let mut webhooks = Vec::new();
    for (way, _) in WAYS {
        webhooks.push((
            way,
            webhook(&caller, way, &format!("http://{plain_at}/{way}")).await,
        ));
    }
    webhooks.push((
        "unsigned",
        webhook(&caller, "unsigned", &format!("https://{secured_at}/")).await,
    ));
    webhooks.push((
        "refused",
        webhook(&caller, "refused", "http://127.0.0.1:1/").await,
    ));

    for call in 0..EVENTS {
        let event = json!({"call_id": call + 1, "state": "hangup"}).to_string();
        caller.ask("POST", "/v1/events/call", &event).await;
    }
    for (way, id) in &webhooks {
        let attempt = first_attempt(&caller, id).await;
        let (status, reason, words) = expected(way);
        assert_eq!(attempt["status"], json!(status), "{way}: {attempt:#}");
        if status.is_none() {
            assert_eq!(attempt["error"], reason, "{way}: {attempt:#}");
        }
        let detail = attempt["detail"].as_str().unwrap_or_default();
        assert!(detail.contains(words), "{way}: {detail}");
    }
    let (_, healthy) = &webhooks[0];
    let delivered = format!("/v1/deliveries?webhook_id={healthy}&state=delivered&limit=100");
    for _ in 0..200 {
        let list = caller.ask("GET", &delivered, "").await;
        if list["items"].as_array().map(Vec::len) == Some(EVENTS) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the healthy receiver did not get everything");
}
