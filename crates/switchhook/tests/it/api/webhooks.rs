//! `/api/v2/webhooks`, with the oddities that clients rely on.

use serde_json::json;

use crate::support::test_server::TestServer;

const PATH: &str = "/api/v2/webhooks";

#[tokio::test(start_paused = true)]
async fn a_webhook_is_made_shown_changed_and_deleted() {
    let server = TestServer::new().await;
    let made = server
        .post(
            PATH,
            json!({"hook_url": "https://example.com/a?x=1", "secret": "s3cret"}),
        )
        .await;
    assert_eq!(made.status, 200, "every success is 200");
    let made = made.json();
    let id = made["id"].as_str().expect("ids are strings").to_owned();
    let expected = json!({
        "hook_url": "https://example.com/a?x=1",
        "id": id,
        "signature": {"algo": "HS256", "secret": "s3cret", "type": "jwt"},
    });
    assert_eq!(made, expected);
    let path = format!("{PATH}/{id}");
    assert_eq!(server.get(&path).await.ok(), expected);
    assert_eq!(server.get(PATH).await.ok(), json!({"items": [expected]}));

    let changed = server
        .patch(&path, json!({"hook_url": "https://example.com/b"}))
        .await
        .ok();
    assert_eq!(changed["hook_url"], "https://example.com/b");
    assert_eq!(changed["signature"]["secret"], "s3cret", "what is not sent stays");
    let deleted = server.delete(&path).await;
    assert_eq!(
        (deleted.status.as_u16(), deleted.json()),
        (200, changed),
        "DELETE answers what it was"
    );
    server.get(&path).await.refused(404, "there is no such webhook");
    server
        .delete(&path)
        .await
        .refused(404, "there is no such webhook");
    assert_eq!(
        server.get(PATH).await.ok(),
        json!({"items": []}),
        "items is always there"
    );
}

#[tokio::test(start_paused = true)]
async fn without_a_secret_there_is_no_signature() {
    let server = TestServer::new().await;
    for (n, secret) in [json!(""), json!(null)].into_iter().enumerate() {
        let body = json!({"hook_url": format!("https://example.com/{n}"), "secret": secret});
        let made = server.post(PATH, body).await.ok();
        assert!(made.get("signature").is_none(), "{made}");
    }
    let id = server.webhook("https://example.com/c").await;
    let path = format!("{PATH}/{id}");
    assert_eq!(
        server.patch(&path, json!({"secret": "one"})).await.ok()["signature"]["secret"],
        "one"
    );
    assert!(
        server
            .patch(&path, json!({"secret": null}))
            .await
            .ok()
            .get("signature")
            .is_none()
    );
    server.patch(&path, json!({"secret": "two"})).await.ok();
    assert!(
        server
            .patch(&path, json!({"secret": ""}))
            .await
            .ok()
            .get("signature")
            .is_none()
    );
}

#[tokio::test(start_paused = true)]
async fn unknown_members_are_ignored_and_the_body_may_come_as_anything() {
    let server = TestServer::new().await;
    let made = server
        .post(
            PATH,
            json!({"hook_url": "https://example.com", "colour": {"of": "paint"}}),
        )
        .await;
    made.ok();
}

#[tokio::test(start_paused = true)]
async fn one_address_in_four_spellings_is_one_webhook_and_port_0_is_none() {
    let server = TestServer::new().await;
    let spelling = "https://Example.com:443/a%7Eb";
    let made = server.post(PATH, json!({"hook_url": spelling})).await.ok();
    assert_eq!(made["hook_url"], spelling, "it is kept as it was written");
    for other in [
        "https://example.com/a~b",
        "HTTPS://example.com./a~b",
        "https://example.com/x/../a%7eb#top",
    ] {
        server
            .post(PATH, json!({"hook_url": other}))
            .await
            .refused(409, "already has this hook_url, spelled in another way");
    }
    for nowhere in ["https://example.com:0/", "https://8.8.8.8:00/a"] {
        server
            .post(PATH, json!({"hook_url": nowhere}))
            .await
            .refused(400, "port 0");
    }
}

#[tokio::test(start_paused = true)]
async fn pages_end_without_a_cursor() {
    let server = TestServer::new().await;
    for n in 0..5 {
        server.webhook(&format!("https://example.com/{n}")).await;
    }
    let mut seen = Vec::new();
    let mut path = format!("{PATH}?limit=2&cursor=");
    loop {
        let page = server.get(&path).await.ok();
        let items = page["items"].as_array().unwrap().clone();
        assert!(items.len() <= 2);
        seen.extend(
            items
                .iter()
                .map(|item| item["hook_url"].as_str().unwrap().to_owned()),
        );
        assert!(
            !page["cursor"].is_null() || page.get("cursor").is_none(),
            "never null: {page}"
        );
        let Some(cursor) = page.get("cursor").map(|cursor| cursor.as_str().unwrap()) else {
            break;
        };
        path = format!("{PATH}?limit=2&cursor={cursor}");
    }
    assert_eq!(
        seen,
        (0..5)
            .map(|n| format!("https://example.com/{n}"))
            .collect::<Vec<_>>(),
        "oldest first"
    );
    assert_eq!(
        server.get(&format!("{PATH}?limit=5")).await.ok().get("cursor"),
        None
    );
}

#[tokio::test(start_paused = true)]
async fn a_page_has_at_most_fifty_items_whatever_is_asked_for() {
    let server = TestServer::new().await;
    for n in 0..51 {
        server.webhook(&format!("https://example.com/{n}")).await;
    }
    for query in ["", "?limit=1000"] {
        let page = server.get(&format!("{PATH}{query}")).await.ok();
        assert_eq!(page["items"].as_array().unwrap().len(), 50);
        assert!(page["cursor"].is_string());
    }
}

#[tokio::test(start_paused = true)]
async fn a_deleted_webhook_leaves_its_subscriptions_behind() {
    let server = TestServer::new().await;
    let webhook = server.webhook("https://example.com").await;
    let subscription = server.subscribe(&webhook).await;
    server.delete(&format!("{PATH}/{webhook}")).await.ok();
    let path = format!("/api/v2/subscriptions/call/{subscription}");
    let orphan = server.get(&path).await.ok();
    assert_eq!(orphan.get("webhook"), Some(&json!(null)));
    let accepted = server
        .event("call", r#"{"call_id":1,"state":"hangup"}"#, &[])
        .await
        .ok();
    assert_eq!(accepted["deliveries"], json!([]));
    let other = server.webhook("https://example.com").await;
    let adopted = server.patch(&path, json!({"endpoint_id": other})).await.ok();
    assert_eq!(adopted["webhook"]["id"], json!(other));
}
