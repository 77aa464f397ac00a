//! Polling: the feed, its consumers, and who gets to see what.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use switchhook_domain::key::ApiKey;
use switchhook_domain::scope::Scopes;
use switchhook_protocol::verify;

use crate::support::test_server::TestServer;

async fn call(server: &TestServer, id: u32) -> String {
    let body = format!("{{\"call_id\":{id},  \"state\":\"hangup\", \"duration\":8951.030}}");
    let accepted = server.event("call", body, &[]).await.ok();
    accepted["id"].as_str().expect("ids are texts").to_owned()
}

fn ids(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().expect("there is a list").iter();
    items
        .map(|item| item["event_id"].as_str().expect("ids are texts").to_owned())
        .collect()
}

async fn feed(server: &TestServer, query: &str) -> Value {
    server.get(&format!("/v1/feed?{query}")).await.ok()
}

#[tokio::test(start_paused = true)]
async fn the_feed_has_every_event_in_order_and_byte_for_byte() {
    let server = TestServer::new().await;
    let before = [call(&server, 1).await, call(&server, 2).await];
    let first = feed(&server, "").await;
    assert_eq!(
        ids(&first),
        before,
        "what was there when it was first asked for is in it"
    );
    assert_eq!(first["done"], true);
    let cursor = first["cursor"].as_str().unwrap();
    let after: Vec<_> = [
        call(&server, 3).await,
        call(&server, 4).await,
        call(&server, 5).await,
    ]
    .into();
    let text = server.get(&format!("/v1/feed?after={cursor}&limit=2")).await;
    assert!(
        String::from_utf8_lossy(&text.body)
            .contains("{\"call_id\":3,  \"state\":\"hangup\", \"duration\":8951.030}"),
        "{text:?}"
    );
    let page = text.ok();
    assert_eq!((ids(&page), &page["done"]), (after[..2].to_vec(), &json!(false)));
    let rest = feed(&server, &format!("after={}", page["cursor"].as_str().unwrap())).await;
    assert_eq!((ids(&rest), &rest["done"]), (after[2..].to_vec(), &json!(true)));
    assert_eq!(feed(&server, "after=now").await["items"], json!([]));
    assert_eq!(ids(&feed(&server, "kind=sms").await), Vec::<String>::new());
    for (query, message) in [
        ("after=yesterday", "after: `yesterday` is not a cursor"),
        ("limit=201", "limit: 201 is not between 1 and 200"),
        ("wait=31", "wait: 31 is not between 0 and 30"),
        ("format=xml", "format: use json or jwt"),
        ("form=jwt", "unknown query parameter"),
    ] {
        server
            .get(&format!("/v1/feed?{query}"))
            .await
            .refused(400, message);
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_answered_when_something_comes_or_the_time_is_over() {
    let server = TestServer::new().await;
    let began = tokio::time::Instant::now();
    let nothing = feed(&server, "after=now&wait=5").await;
    assert_eq!((ids(&nothing), &nothing["done"]), (Vec::new(), &json!(true)));
    assert!(began.elapsed() >= Duration::from_secs(5));
    let cursor = nothing["cursor"].as_str().unwrap().to_owned();
    let began = tokio::time::Instant::now();
    let query = format!("after={cursor}&wait=30");
    let (page, id) = tokio::join!(feed(&server, &query), async {
        server.wait(Duration::from_secs(2)).await;
        call(&server, 1).await
    });
    assert_eq!(ids(&page), [id]);
    assert!(began.elapsed() < Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn a_consumer_gets_the_same_until_it_acknowledges_and_never_again_after() {
    let server = TestServer::new().await;
    let all = [
        call(&server, 1).await,
        call(&server, 2).await,
        call(&server, 3).await,
    ];
    let put = |body: Value| server.ask(Method::PUT, "/v1/consumers/crm", "admin", body);
    server
        .add_key("admin", |key| ApiKey {
            admin: true,
            scopes: Scopes::ALL,
            ..key
        })
        .await;
    let made = put(json!({})).await;
    assert_eq!(
        (made.status, made.json()["cursor"].clone()),
        (201.try_into().unwrap(), json!("0"))
    );
    assert_eq!(
        put(json!({"after": "now"})).await.ok()["cursor"],
        "0",
        "it is there already"
    );
    let poll = async || server.get("/v1/consumers/crm/feed").await.ok();
    let page = poll().await;
    assert_eq!(ids(&page), all);
    assert_eq!(ids(&poll().await), all, "nothing was acknowledged");
    let second = page["items"][1]["cursor"].clone();
    let ack = async |cursor: &Value| {
        server
            .post("/v1/consumers/crm/ack", json!({"cursor": cursor}))
            .await
    };
    ack(&second).await.ok();
    assert_eq!(ids(&poll().await), all[2..]);
    ack(&page["items"][0]["cursor"]).await.ok();
    assert_eq!(ids(&poll().await), all[2..], "what was acknowledged stays so");
    ack(&json!("9223372036854775807"))
        .await
        .refused(409, "beyond the end");
    ack(&json!("soon")).await.refused(400, "is not a cursor");
    ack(&page["cursor"]).await.ok();
    assert_eq!(ids(&poll().await), Vec::<String>::new());
    let seek = async |body: Value| server.post("/v1/consumers/crm/seek", body).await;
    seek(json!({"cursor": "start"})).await.ok();
    assert_eq!(ids(&poll().await), all);
    seek(json!({"cursor": "now"})).await.ok();
    assert_eq!(ids(&poll().await), Vec::<String>::new());
    seek(json!({"at": 0})).await.ok();
    assert_eq!(ids(&poll().await), all);
    seek(json!({"at": i64::MAX})).await.ok();
    assert_eq!(ids(&poll().await), Vec::<String>::new(), "a time to come is now");
    seek(json!({})).await.refused(400, "send `cursor` or `at`");
    let listed = server.get("/v1/consumers").await.ok();
    assert_eq!(listed["items"][0]["name"], "crm");
    server.delete("/v1/consumers/crm").await.ok();
    server
        .get("/v1/consumers/crm/feed")
        .await
        .refused(404, "consumer");
    server
        .ask(Method::PUT, "/v1/consumers/a%20b", "admin", json!({}))
        .await
        .refused(400, "letters, digits");
}

#[tokio::test(start_paused = true)]
async fn a_feed_of_a_webhook_has_what_the_webhook_gets_and_signs_as_it_does() {
    let server = TestServer::new().await;
    let body = json!({"hook_url": "https://example.com/feed", "secret": "s3cret"});
    let webhook = server.post("/v1/webhooks", body).await.ok()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let filter = json!({"endpoint_id": webhook, "call_states": ["hangup"]});
    let subscription = server.post("/api/v2/subscriptions/call", filter).await.ok()["id"].clone();
    feed(&server, "").await;
    let wanted = call(&server, 1).await;
    server
        .event("call", r#"{"call_id":2,"state":"ringing"}"#, &[])
        .await
        .ok();
    assert_eq!(ids(&feed(&server, "").await).len(), 2);
    assert_eq!(
        ids(&feed(&server, &format!("webhook_id={webhook}")).await),
        std::slice::from_ref(&wanted)
    );
    let subscription = subscription.as_str().unwrap();
    assert_eq!(
        ids(&feed(&server, &format!("subscription_id={subscription}")).await),
        [wanted]
    );
    let signed = feed(&server, &format!("webhook_id={webhook}&format=jwt")).await;
    let token = signed["items"][0]["jwt"].as_str().expect("it is signed");
    assert!(verify(token.as_bytes(), ["s3cret"]).is_ok());
    server
        .get("/v1/feed?format=jwt")
        .await
        .refused(400, "webhook_id is required");
    server.get("/v1/feed?webhook_id=5").await.refused(404, "webhook");
    server
        .get("/v1/feed?subscription_id=5")
        .await
        .refused(404, "subscription");
}

#[tokio::test(start_paused = true)]
async fn the_feed_shows_nobody_more_than_their_key_does() {
    let server = TestServer::new().await;
    server.add_key("plain", |key| key).await;
    server
        .add_key("full", |key| ApiKey {
            admin: true,
            scopes: Scopes::ALL,
            ..key
        })
        .await;
    feed(&server, "").await;
    server
        .event("sms", r#"{"id":1,"direction":"inbound","text":"4711"}"#, &[])
        .await
        .ok();
    server
        .event("changelog", r#"{"action":"updated_ivr","changed_by":{}}"#, &[])
        .await
        .ok();
    for (key, count, sees_text) in [("plain", 1, false), ("full", 2, true)] {
        let page = server.ask(Method::GET, "/v1/feed", key, Value::Null).await.ok();
        assert_eq!(ids(&page).len(), count, "{key}");
        assert_eq!(page.to_string().contains("4711"), sees_text, "{key}");
    }
    let refused = server
        .ask(Method::GET, "/v1/feed?kind=changelog", "plain", Value::Null)
        .await;
    refused.refused(403, "changelog events need");
}
