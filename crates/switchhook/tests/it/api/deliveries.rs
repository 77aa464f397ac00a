//! `/v1/deliveries`: the log of what became of each event, and what can be done about it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use switchhook_node::settings::Settings;
use switchhook_store::sqlite::SqliteStore;
use switchhook_store::{Store, StoreOptions};

use crate::support::faulty_store::FaultyStore;
use crate::support::rig::{Reaction, START};
use crate::support::test_server::TestServer;

#[tokio::test(start_paused = true)]
async fn a_delivery_is_shown_with_its_attempts() {
    let server = TestServer::reacting(Settings::default(), |seen| match seen.attempt {
        1 => Reaction::Answer(500),
        2 => Reaction::Refuse,
        _ => Reaction::Answer(200),
    })
    .await;
    let webhook = server.webhook("https://example.com/hook").await;
    let subscription = server.subscribe(&webhook).await;
    let accepted = server
        .event("call", r#"{"call_id": 1, "state": "hangup"}"#, &[])
        .await
        .ok();
    let path = format!(
        "/v1/deliveries/{}",
        accepted["deliveries"][0]["id"].as_str().unwrap()
    );
    server.wait(Duration::from_secs(2)).await;
    let pending = server.get(&path).await.ok();
    assert_eq!(pending["state"], "pending");
    assert!(
        pending["due_at"].is_i64() && pending["ended_at"].is_null(),
        "{pending:#}"
    );
    assert_eq!(pending["attempts"].as_array().unwrap().len(), 1);
    server.wait(Duration::from_secs(120)).await;

    let delivery = server.get(&path).await.ok();
    assert_eq!(delivery["state"], "delivered");
    assert!(delivery["due_at"].is_null() && delivery["ended_at"].is_i64());
    assert_eq!(delivery["event_id"], accepted["id"]);
    assert_eq!(delivery["subscription_ids"], json!([subscription]));
    assert_eq!(
        (&delivery["attempt_number"], &delivery["failures"]),
        (&json!(3), &json!(2))
    );
    let attempts = delivery["attempts"].as_array().unwrap();
    let outcome = |n: usize| {
        (
            attempts[n]["number"].clone(),
            attempts[n]["outcome"].clone(),
            attempts[n]["status"].clone(),
        )
    };
    assert_eq!(outcome(0), (json!(1), json!("failed"), json!(500)));
    assert_eq!(outcome(1), (json!(2), json!("unanswered"), Value::Null));
    assert_eq!(attempts[1]["error"], "connection_refused");
    assert_eq!(outcome(2), (json!(3), json!("accepted"), json!(200)));
    assert_eq!(attempts[2]["request"]["url"], "https://example.com/hook");
    assert_eq!(attempts[2]["request"]["headers"]["Switchhook-Attempt"], "3");
    assert_eq!(attempts[2]["answer"]["status"], 200);

    let event = server
        .get(&format!("/v1/events/{}", accepted["id"].as_str().unwrap()))
        .await
        .ok();
    assert_eq!(event["deliveries"][0]["state"], "delivered");
    assert_eq!(event["payload"], json!({"call_id": 1, "state": "hangup"}));
}

#[tokio::test(start_paused = true)]
async fn a_delivery_whose_attempt_ends_while_it_is_read_is_shown_with_how_it_ended() {
    let memory = SqliteStore::in_memory(StoreOptions::owner(START)).expect("a store in memory opens");
    let store = FaultyStore::around(memory);
    let kept = Arc::clone(&store) as Arc<dyn Store>;
    let server = TestServer::on(kept, Settings::default(), |_| {
        Reaction::Slowly(200, Duration::from_secs(1))
    })
    .await;
    let webhook = server.webhook("https://example.com/hook").await;
    server.subscribe(&webhook).await;
    let accepted = server
        .event("call", r#"{"call_id": 1, "state": "hangup"}"#, &[])
        .await
        .ok();
    let path = format!(
        "/v1/deliveries/{}",
        accepted["deliveries"][0]["id"].as_str().unwrap()
    );
    let slow = store.hold_lists();
    let meanwhile = async {
        server.wait(Duration::from_secs(2)).await;
        drop(slow);
    };
    let (delivery, ()) = tokio::join!(server.get(&path), meanwhile);
    let delivery = delivery.ok();
    assert_eq!(delivery["state"], "delivered", "{delivery:#}");
    assert_eq!(delivery["attempts"][0]["outcome"], "accepted", "{delivery:#}");
}

#[tokio::test(start_paused = true)]
async fn deliveries_are_listed_newest_first_and_narrowed() {
    let server = TestServer::reacting(Settings::default(), |seen| {
        Reaction::Answer(if seen.body.starts_with(b"{\"call_id\":1}") {
            410
        } else {
            200
        })
    })
    .await;
    let (one, two) = (
        server.webhook("https://example.com/1").await,
        server.webhook("https://example.com/2").await,
    );
    server.subscribe(&one).await;
    server.subscribe(&two).await;
    let event = server.event("call", "{\"call_id\":1}", &[]).await.ok()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    server.wait(Duration::from_secs(1)).await;
    server.event("call", "{\"call_id\":2}", &[]).await.ok();
    server.wait(Duration::from_secs(1)).await;
    for (query, count) in [
        (String::new(), 4),
        (format!("?webhook_id={one}"), 2),
        (format!("?event_id={event}"), 2),
        ("?state=exhausted".to_owned(), 2),
        (format!("?state=delivered&webhook_id={two}"), 1),
        ("?kind=sms".to_owned(), 0),
        ("?kind=call&state=&webhook_id=".to_owned(), 4),
    ] {
        let page = server.get(&format!("/v1/deliveries{query}")).await.ok();
        assert_eq!(
            page["items"].as_array().unwrap().len(),
            count,
            "{query}: {page:#}"
        );
    }
    let first = server.get("/v1/deliveries?limit=3").await.ok();
    let next = server
        .get(&format!(
            "/v1/deliveries?cursor={}",
            first["cursor"].as_str().unwrap()
        ))
        .await
        .ok();
    assert_eq!(next["items"].as_array().unwrap().len(), 1);
    assert_eq!(next["items"][0]["event_id"], json!(event), "the oldest is last");
}

#[tokio::test(start_paused = true)]
async fn a_delivery_is_sent_again_as_a_new_one() {
    let server = TestServer::new().await;
    let webhook = server.webhook("https://example.com").await;
    server.subscribe(&webhook).await;
    let accepted = server.event("call", "{\"call_id\":1}", &[]).await.ok();
    let first = accepted["deliveries"][0]["id"].as_str().unwrap();
    server.wait(Duration::from_secs(1)).await;
    let again = server
        .post(&format!("/v1/deliveries/{first}/redeliver"), Value::Null)
        .await
        .ok();
    assert_eq!(again["origin"], json!(first));
    assert_ne!(again["id"], json!(first));
    server.wait(Duration::from_secs(1)).await;
    assert_eq!(server.network.seen().len(), 2);
    assert_eq!(
        server.get(&format!("/v1/deliveries/{first}")).await.ok()["attempts"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    server.delete(&format!("/api/v2/webhooks/{webhook}")).await.ok();
    let path = format!("/v1/deliveries/{first}/redeliver");
    server.post(&path, Value::Null).await.refused(409, "was deleted");
}

#[tokio::test(start_paused = true)]
async fn only_a_pending_delivery_can_be_cancelled() {
    let server = TestServer::reacting(Settings::default(), |_| Reaction::Answer(500)).await;
    let webhook = server.webhook("https://example.com").await;
    server.subscribe(&webhook).await;
    let accepted = server.event("call", "{\"call_id\":1}", &[]).await.ok();
    server.wait(Duration::from_secs(1)).await;
    let path = format!(
        "/v1/deliveries/{}/cancel",
        accepted["deliveries"][0]["id"].as_str().unwrap()
    );
    assert_eq!(server.post(&path, Value::Null).await.ok()["state"], "cancelled");
    server
        .post(&path, Value::Null)
        .await
        .refused(409, "only a pending one can be cancelled");
    server.wait(Duration::from_secs(3_600)).await;
    assert_eq!(server.network.seen().len(), 1);
}
