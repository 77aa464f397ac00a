//! `/v1/replays`: what can be asked for, what is refused, and what is shown meanwhile.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use switchhook_domain::key::{ApiKey, Rights};
use switchhook_domain::scope::Scopes;
use switchhook_node::settings::Settings;

use crate::support::rig::Reaction;
use crate::support::test_server::TestServer;

/// A server that has delivered ten call events to one webhook, and its id.
async fn server() -> (TestServer, String) {
    let server = TestServer::new().await;
    let webhook = server.webhook("https://example.com/hook").await;
    server.subscribe(&webhook).await;
    for call in 0..10 {
        let event = json!({"call_id": call, "state": "hangup", "recording_url": ["https://example.com/r"]});
        server.event("call", event.to_string(), &[]).await.ok();
        server.wait(Duration::from_secs(1)).await;
    }
    (server, webhook)
}

fn path(replay: &Value) -> String {
    format!("/v1/replays/{}", replay["id"].as_str().expect("ids are strings"))
}

#[tokio::test(start_paused = true)]
async fn a_replay_is_made_shown_and_finishes() {
    let (server, webhook) = server().await;
    let wish = json!({"filter": {"webhook_id": webhook, "kind": "call"}, "rate": 2});
    let answered = server.post("/v1/replays", wish).await;
    assert_eq!(answered.status, 202);
    let replay = answered.json();
    assert_eq!(replay["state"], "running");
    assert_eq!(replay["filter"], json!({"webhook_id": webhook, "kind": "call"}));
    assert_eq!((&replay["to"], &replay["rate"]), (&Value::Null, &json!(2.0)));
    assert_eq!(replay["progress"]["total"], 10);
    assert_eq!(replay["progress"]["total_is_exact"], true);
    server.wait(Duration::from_millis(2_100)).await;
    let halfway = server.get(&path(&replay)).await.ok();
    assert_eq!(halfway["progress"]["delivered"], 5, "{halfway:#}");
    assert!(
        halfway["eta"].is_i64() && halfway["ended_at"].is_null(),
        "{halfway:#}"
    );
    server.wait(Duration::from_secs(10)).await;
    let finished = server.get(&path(&replay)).await.ok();
    assert_eq!(finished["state"], "finished", "{finished:#}");
    assert!(finished["eta"].is_null() && finished["ended_at"].is_i64());
    let progress = json!({
        "total": 10, "total_is_exact": true, "scanned": 10, "created": 10, "skipped": 0,
        "pending": 0, "delivered": 10, "exhausted": 0, "cancelled": 0,
    });
    assert_eq!(finished["progress"], progress);
    assert_eq!(server.get("/v1/replays").await.ok()["items"], json!([finished]));
    server
        .delete(&path(&replay))
        .await
        .refused(409, "has already finished");

    let query = format!("/v1/deliveries?replay_id={}", replay["id"].as_str().unwrap());
    let made = server.get(&query).await.ok();
    assert_eq!(made["items"].as_array().unwrap().len(), 10);
    assert_eq!(made["items"][0]["replay_id"], replay["id"]);
    assert!(made["items"][0]["origin"].is_string());
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_counts_and_does_nothing() {
    let (server, webhook) = server().await;
    let sent = server.network.seen().len();
    let other = server.webhook("https://example.com/other").await;
    for (filter, to, total) in [
        (json!({"since": 0}), Value::Null, 10),
        (json!({"since": 0, "not_delivered": true}), Value::Null, 0),
        (json!({"state": "delivered"}), json!({"webhook_id": other}), 10),
        (json!({"webhook_id": other}), Value::Null, 0),
        (json!({"call": "3"}), json!({"url": "https://example.com/x"}), 1),
        (json!({"order_key": "call:3", "kind": "sms"}), Value::Null, 0),
        (json!({"until": "2020-01-01T00:00:00Z"}), Value::Null, 0),
    ] {
        let wish = json!({"filter": filter, "to": to, "dry_run": true});
        let answered = server.post("/v1/replays", wish.clone()).await;
        assert_eq!(answered.status, 200, "{wish}");
        let answer = answered.json();
        assert_eq!(answer["total"], total, "{wish}: {answer}");
        assert_eq!(
            (&answer["dry_run"], &answer["total_is_exact"]),
            (&json!(true), &json!(true))
        );
    }
    server.delete(&format!("/api/v2/webhooks/{webhook}")).await.ok();
    let gone = json!({"filter": {"since": 0}, "dry_run": true});
    let answer = server.post("/v1/replays", gone).await.ok();
    assert_eq!((&answer["total"], &answer["skipped"]), (&json!(0), &json!(10)));
    server.wait(Duration::from_secs(60)).await;
    assert_eq!(server.network.seen().len(), sent);
    assert_eq!(server.get("/v1/replays").await.ok()["items"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn what_makes_no_sense_is_refused() {
    let (server, webhook) = server().await;
    let since = json!({"since": 0});
    let many: Vec<_> = (1..=1_001).collect();
    for (wish, status, message) in [
        (json!({}), 400, "filter is required"),
        (json!({"filter": {}}), 400, "filter is required"),
        (json!({"filter": {"webhok_id": webhook}}), 400, "webhok_id"),
        (
            json!({"filter": {"since": "yesterday"}}),
            400,
            "filter.since: `yesterday` is not an instant",
        ),
        (json!({"filter": {"ids": []}}), 400, "1 to 1000"),
        (json!({"filter": {"ids": many}}), 400, "1 to 1000"),
        (json!({"filter": {"ids": ["404"]}}), 404, "there is no such event"),
        (
            json!({"filter": {"state": "lost"}}),
            400,
            "pending, delivered, exhausted or cancelled",
        ),
        (
            json!({"filter": {"state": "pending", "not_delivered": true}}),
            400,
            "exclude each other",
        ),
        (
            json!({"filter": {"call": 1, "order_key": "call:1"}}),
            400,
            "mean the same",
        ),
        (json!({"filter": since, "rate": 0}), 400, "rate: "),
        (json!({"filter": since, "rates": 1}), 400, "rates"),
        (json!({"filter": since, "to": {}}), 400, "webhook_id or url"),
        (
            json!({"filter": since, "to": {"webhook_id": 1, "url": "https://example.com"}}),
            400,
            "webhook_id or url",
        ),
        (
            json!({"filter": since, "to": {"webhook_id": webhook, "secret": "s"}}),
            400,
            "to.secret goes with to.url",
        ),
        (
            json!({"filter": since, "to": {"webhook_id": "404"}}),
            404,
            "there is no such webhook",
        ),
        (
            json!({"filter": since, "to": {"url": "http://example.com/x"}}),
            400,
            "to.url: ",
        ),
        (
            json!({"filter": since, "to": {"url": "https://127.0.0.1/x"}}),
            400,
            "to.url: ",
        ),
        (
            json!({"filter": since, "to": {"url": "https://[::ffff:169.254.169.254]/"}}),
            400,
            "to.url: ",
        ),
    ] {
        server.post("/v1/replays", wish).await.refused(status, message);
    }
    server
        .get("/v1/replays/1")
        .await
        .refused(404, "there is no such replay");
    server
        .delete("/v1/replays/1")
        .await
        .refused(404, "there is no such replay");
    for _ in 0..10 {
        server
            .post("/v1/replays", json!({"filter": since, "rate": 0.001}))
            .await
            .ok();
    }
    let eleventh = server
        .post("/v1/replays", json!({"filter": since, "rate": 0.001}))
        .await;
    eleventh.refused(409, "10 is the limit");
}

#[tokio::test(start_paused = true)]
async fn cancelling_ends_it_with_what_it_made() {
    let (server, _) = server().await;
    let sent = server.network.seen().len();
    let to = json!({"url": "https://example.com/elsewhere"});
    let replay = server
        .post(
            "/v1/replays",
            json!({"filter": {"since": 0}, "to": to, "rate": 1}),
        )
        .await
        .ok();
    assert_eq!(replay["to"], to);
    server.wait(Duration::from_millis(2_500)).await;
    let cancelled = server.delete(&path(&replay)).await.ok();
    assert_eq!(
        (&cancelled["state"], &cancelled["progress"]["pending"]),
        (&json!("cancelled"), &json!(0))
    );
    assert_eq!(cancelled["to"], to, "it still tells where it went");
    assert_eq!(server.delete(&path(&replay)).await.ok(), cancelled);
    server.wait(Duration::from_secs(60)).await;
    assert_eq!(server.network.seen().len() - sent, 3);
    let webhooks = server.get("/api/v2/webhooks").await.ok();
    assert_eq!(
        webhooks["items"].as_array().unwrap().len(),
        1,
        "its own is in no list"
    );
}

#[tokio::test(start_paused = true)]
async fn an_address_sees_what_the_key_may_see() {
    let (server, _) = server().await;
    server
        .add_key("shk_plain", |key| ApiKey {
            scopes: Scopes::NONE,
            ..key
        })
        .await;
    server
        .add_key("shk_reader", |key| ApiKey {
            rights: "read".parse::<Rights>().unwrap(),
            ..key
        })
        .await;
    let wish = json!({"filter": {"call": 3}, "to": {"url": "https://example.com/elsewhere"}});
    for (key, shows) in [("shk_plain", false), (crate::support::test_server::ADMIN, true)] {
        server
            .ask(Method::POST, "/v1/replays", key, wish.clone())
            .await
            .ok();
        server.wait(Duration::from_secs(3)).await;
        let seen = server.network.seen().pop().unwrap();
        let body = String::from_utf8(seen.body.to_vec()).unwrap();
        assert_eq!(body.contains("recording_url"), shows, "{key}: {body}");
    }
    let refused = server.ask(Method::POST, "/v1/replays", "shk_reader", wish).await;
    refused.refused(403, "may not write");
    let theirs = server
        .add_key("shk_theirs", |key| ApiKey {
            company_id: switchhook_domain::id::CompanyId(9),
            ..key
        })
        .await;
    let list = server
        .ask(Method::GET, "/v1/replays", "shk_theirs", Value::Null)
        .await;
    assert_eq!(list.ok()["items"], json!([]), "{theirs}");
}

#[tokio::test(start_paused = true)]
async fn idempotency_does_not_swallow_a_replay_nor_show_it() {
    let server = TestServer::reacting(Settings::default(), |_| Reaction::Answer(200)).await;
    let webhook = server.webhook("https://example.com/hook").await;
    server.subscribe(&webhook).await;
    let key = [("idempotency-key", "once")];
    let event = "{\"call_id\":1}";
    let first = server.event("call", event, &key).await.ok();
    server.wait(Duration::from_secs(1)).await;
    for round in 1..=2 {
        server
            .post("/v1/replays", json!({"filter": {"ids": [first["id"]]}}))
            .await
            .ok();
        server.wait(Duration::from_secs(3)).await;
        assert_eq!(server.network.seen().len(), 1 + round);
    }
    let again = server.event("call", event, &key).await.ok();
    assert_eq!((&again["id"], &again["duplicate"]), (&first["id"], &json!(true)));
    assert_eq!(
        again["deliveries"], first["deliveries"],
        "the first answer, as it was"
    );
}
