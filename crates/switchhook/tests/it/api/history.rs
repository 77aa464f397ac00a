//! History of attempts by minute: counted by a node, kept in the store, read through the API.

use std::time::Duration;

use serde_json::Value;
use switchhook_domain::id::WebhookId;
use switchhook_node::history::{Rates, rates};
use switchhook_node::settings::Settings;

use crate::support::rig::{COMPANY, Reaction, START, Seen};
use crate::support::test_server::TestServer;

const CALL: &str = r#"{"call_id":1,"state":"hangup"}"#;

/// Takes what comes in the first minute and answers with an error from then on.
fn fails_later(seen: &Seen) -> Reaction {
    Reaction::Answer(if seen.at < Duration::from_secs(60) {
        200
    } else {
        503
    })
}

async fn flush(server: &TestServer) {
    let node = &server.node;
    let flushed = node.history.flush(&*node.store, node.clock.now()).await;
    flushed.expect("the store can be written");
}

/// One event is delivered; nothing is known of four minutes; another event is refused, three times.
async fn five_minutes() -> (TestServer, String) {
    let server = TestServer::reacting(Settings::default(), fails_later).await;
    let webhook = server.webhook("https://example.com/hook").await;
    server.subscribe(&webhook).await;
    server.event("call", CALL, &[]).await.ok();
    server.wait(Duration::from_secs(2)).await;
    flush(&server).await;
    server.wait(Duration::from_secs(300)).await;
    server.event("call", CALL, &[]).await.ok();
    server.wait(Duration::from_secs(50)).await;
    flush(&server).await;
    (server, webhook)
}

fn column<'a>(history: &'a Value, name: &str) -> Vec<&'a Value> {
    let points = history["points"].as_array().expect("there are points");
    points.iter().map(|point| &point[name]).collect()
}

#[tokio::test(start_paused = true)]
async fn the_history_says_when_it_began_and_where_nothing_is_known() {
    let (server, webhook) = five_minutes().await;
    let from = START.as_millis();
    let path = format!("/v1/history?webhook_id={webhook}&from={from}&step=1m");
    let of_webhook = server.get(&path).await.ok();
    let company = server.get(&format!("/v1/history?from={from}&step=1m")).await.ok();
    assert_eq!(of_webhook["step"], 60);
    let delivered = column(&of_webhook, "delivered");
    assert_eq!(delivered[0], 1);
    assert!(
        delivered[1..5].iter().all(|count| count.is_null()),
        "{delivered:?}"
    );
    let failed: Vec<_> = column(&of_webhook, "failed_answered")
        .into_iter()
        .map(|count| count.as_u64().unwrap_or(0))
        .collect();
    assert_eq!(failed.iter().sum::<u64>(), 3, "{of_webhook:#}");
    let began = failed.iter().position(|count| *count > 0).expect("some failed");
    assert_eq!(*column(&of_webhook, "success")[began], 0.0);
    let shown = server.get(&format!("/v1/webhooks/{webhook}")).await.ok();
    assert_eq!(of_webhook["failing_since"], shown["health"]["since"], "{shown:#}");
    let since = of_webhook["failing_since"].as_i64().expect("it fails");
    let step = column(&of_webhook, "at")[began].as_i64().expect("a time");
    assert!((step..step + 60_000).contains(&since), "{of_webhook:#}");
    assert_eq!(company["failing_since"], Value::Null);
    assert_eq!(column(&company, "accepted")[0], 1);
    assert_eq!(column(&of_webhook, "accepted")[0], 0);
    assert!(column(&company, "p95_ms")[0].is_number(), "{company:#}");
}

#[tokio::test(start_paused = true)]
async fn rates_are_of_the_last_hour_and_day() {
    let (server, webhook) = five_minutes().await;
    let webhook = WebhookId(webhook.parse().expect("an id is a number"));
    server.wait(Duration::from_secs(57 * 60)).await;
    let idle = WebhookId(7);
    let rates = rates(&server.node, COMPANY, &[webhook, idle]).await;
    let rates = rates.expect("the store can be read");
    assert_eq!(rates[&idle], Rates::default());
    let Rates { hour, day } = &rates[&webhook];
    assert_eq!((hour.success(), hour.failed()), (Some(0.0), 3));
    assert_eq!((day.success(), day.delivered), (Some(0.25), 1));
    assert!(day.latencies.percentile(0.95).is_some());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_asked_for_is_refused_in_words() {
    let (server, _) = five_minutes().await;
    for (query, words) in [
        ("step=90s", "step: a step must be whole minutes: 1m, 15m, 1h"),
        ("step=soon", "step: `soon` is not a length of time"),
        ("from=yesterday", "from: "),
        ("webhook_id=x", "webhook_id: `x` is not an id"),
    ] {
        server
            .get(&format!("/v1/history?{query}"))
            .await
            .refused(400, words);
    }
    server
        .get("/v1/history?webhook_id=7")
        .await
        .refused(404, "webhook");
}
