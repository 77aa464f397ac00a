//! `/v1/keys`: made by an admin, shown once, revoked.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use switchhook_domain::key::ApiKey;
use switchhook_domain::scope::Scopes;

use crate::support::test_server::TestServer;

const PATH: &str = "/v1/keys";

#[tokio::test(start_paused = true)]
async fn a_key_is_shown_once_works_at_once_and_is_revoked() {
    let server = TestServer::new().await;
    let body = json!({"name": "crm", "rights": "read", "scopes": "recordings_export", "expires_in": "90d"});
    let made = server.post(PATH, body).await.ok();
    let text = made["key"].as_str().unwrap().to_owned();
    let ninety_days = server.node.clock.now().plus(Duration::from_secs(90 * 86_400));
    let expected = json!({
        "id": made["id"], "company_id": made["company_id"], "name": "crm", "key": text, "admin": false, "rights": "read",
        "scopes": "recordings_export", "created_at": server.node.clock.now().as_millis(),
        "expires_at": ninety_days.as_millis(), "revoked_at": null, "last_used_at": null,
    });
    assert_eq!(made, expected);
    let ask = |method, path| server.ask(method, path, &text, Value::Null);
    ask(Method::GET, "/v1/events").await.ok();
    ask(Method::GET, PATH).await.refused(403, "admin");

    let listed = server.get(PATH).await.ok();
    assert!(!listed.to_string().contains(&text), "{listed}");
    let mut shown = expected.clone();
    shown.as_object_mut().unwrap().remove("key");
    assert!(listed["items"].as_array().unwrap().contains(&shown), "{listed}");

    let path = format!("{PATH}/{}", made["id"].as_str().unwrap());
    let revoked = server.delete(&path).await.ok();
    assert_eq!(revoked["revoked_at"], server.node.clock.now().as_millis());
    server.wait(Duration::from_secs(1)).await;
    ask(Method::GET, "/v1/events").await.refused(401, "was revoked");
    assert_eq!(
        server.delete(&path).await.ok()["revoked_at"],
        revoked["revoked_at"]
    );
}

#[tokio::test(start_paused = true)]
async fn no_key_makes_one_that_sees_more_or_lasts_longer() {
    let server = TestServer::new().await;
    let expires_at = Some(server.node.clock.now().plus(Duration::from_secs(3_600)));
    let admin = |key| ApiKey {
        admin: true,
        scopes: Scopes::NONE,
        expires_at,
        ..key
    };
    server.add_key("ending", admin).await;
    let make = |body| server.ask(Method::POST, PATH, "ending", body);
    make(json!({"name": "one", "admin": true, "expires_in": "1h"}))
        .await
        .ok();
    for (body, status, message) in [
        (
            json!({"name": "one", "expires_in": "2h"}),
            400,
            "your key is valid until",
        ),
        (json!({"name": "one"}), 400, "your key is valid until"),
        (
            json!({"name": "one", "scopes": "change_log", "expires_in": "1h"}),
            403,
            "keys with these scopes",
        ),
        (
            json!({"name": " ", "expires_in": "1h"}),
            400,
            "name: write 1 to 200",
        ),
        (json!({"expires_in": "1h"}), 400, "name is required"),
        (json!({"name": "one", "expires_in": "soon"}), 400, "expires_in: "),
        (
            json!({"name": "one", "expires_in": "99999d"}),
            400,
            "expires_in: `99999d` is not a time from 1 second to 10 years, like 90d",
        ),
        (
            json!({"name": "one", "expires_in": "0s"}),
            400,
            "expires_in: `0s`",
        ),
        (json!({"name": "one", "rights": "all"}), 400, "rights"),
    ] {
        make(body).await.refused(status, message);
    }
    let all = server.get(PATH).await.ok();
    let own = all["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["expires_at"].is_number());
    let path = format!("{PATH}/{}", own.unwrap()["id"].as_str().unwrap());
    let revoked = server.ask(Method::DELETE, &path, "ending", Value::Null).await;
    revoked.refused(409, "this is the key that you use");
}
