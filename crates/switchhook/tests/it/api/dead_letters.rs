//! `/v1/dead-letters`: what was given up, by what it has in common, until somebody deals with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use switchhook_domain::key::ApiKey;
use switchhook_domain::scope::Scopes;
use switchhook_node::mask::Mask;
use switchhook_node::settings::Settings;

use crate::support::rig::Reaction;
use crate::support::test_server::TestServer;

/// A server with two webhooks: one has given up three calls with recordings, and works again when it is told to; the other took
/// them.
struct Given {
    server: TestServer,
    webhook: String,
    works: Arc<AtomicBool>,
}

impl Given {
    async fn up(settings: Settings) -> Self {
        let works = Arc::new(AtomicBool::new(false));
        let does_work = Arc::clone(&works);
        let server = TestServer::reacting(settings, move |seen| {
            let is_other = seen.headers.contains_key("x-other");
            Reaction::Answer(if is_other || does_work.load(Ordering::Relaxed) {
                200
            } else {
                410
            })
        })
        .await;
        let webhook = server.webhook("https://example.com/gone").await;
        server.subscribe(&webhook).await;
        let other = server.webhook("https://example.com/other").await;
        server
            .patch(
                &format!("/v1/webhooks/{other}"),
                json!({"headers": {"x-other": "yes"}}),
            )
            .await
            .ok();
        server.subscribe(&other).await;
        for call in 0..3 {
            let event =
                json!({"call_id": call, "state": "hangup", "recording_url": ["https://example.com/r"]});
            server.event("call", event.to_string(), &[]).await.ok();
            server.wait(Duration::from_secs(1)).await;
        }
        Self {
            server,
            webhook,
            works,
        }
    }

    async fn groups(&self, query: &str) -> Vec<Value> {
        let answer = self.server.get(&format!("/v1/dead-letters{query}")).await.ok();
        assert_eq!(answer["more"], false);
        answer["items"].as_array().expect("it is a list").clone()
    }

    async fn export(&self, key: &str, query: &str) -> Vec<Value> {
        let path = format!("/v1/dead-letters/export{query}");
        let answer = self.server.ask(Method::GET, &path, key, Value::Null).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let text = std::str::from_utf8(&answer.body).expect("it is text");
        text.lines()
            .map(|line| serde_json::from_str(line).expect("each line is JSON"))
            .collect()
    }
}

#[tokio::test(start_paused = true)]
async fn dead_letters_are_grouped_resent_and_over_when_they_arrive() {
    let given = Given::up(Settings::default()).await;
    let groups = given.groups("").await;
    assert_eq!(groups.len(), 1);
    let group = &groups[0];
    assert_eq!(group["webhook_id"], given.webhook.as_str());
    assert_eq!(group["hook_url"], "https://example.com/gone");
    assert_eq!(
        (&group["failure"], &group["http_status"], &group["error"]),
        (&json!("410"), &json!(410), &Value::Null)
    );
    assert_eq!((&group["count"], &group["more"]), (&json!(3), &json!(false)));
    assert_eq!(group["text"], "answered 410");
    assert!(group["oldest_at"].as_i64() < group["newest_at"].as_i64());
    for (query, count) in [
        ("?failure=410", 1),
        ("?failure=503", 0),
        ("?failure=connection_refused", 0),
        ("?kind=sms", 0),
        ("?until=0", 0),
    ] {
        assert_eq!(given.groups(query).await.len(), count, "{query}");
    }
    let only = json!({"filter": {"webhook_id": given.webhook, "failure": "410"}, "dry_run": true});
    let counted = given.server.post("/v1/dead-letters/resend", only).await.ok();
    assert_eq!(
        (&counted["dry_run"], &counted["total"]),
        (&json!(true), &json!(3))
    );

    given.works.store(true, Ordering::Relaxed);
    let begun = given
        .server
        .post("/v1/dead-letters/resend", json!({"rate": 10}))
        .await;
    assert_eq!(begun.status, 202);
    let replay = begun.json();
    assert_eq!(replay["filter"], json!({"dead_letters": true}));
    given.server.wait(Duration::from_secs(5)).await;
    let path = format!("/v1/replays/{}", replay["id"].as_str().expect("ids are strings"));
    let replay = given.server.get(&path).await.ok();
    assert_eq!(replay["state"], "finished", "{replay:#}");
    assert_eq!(replay["progress"]["delivered"], 3);
    assert!(given.groups("").await.is_empty());
    let path = "/v1/deliveries?state=exhausted";
    let exhausted = given.server.get(path).await.ok();
    for delivery in exhausted["items"].as_array().expect("it is a list") {
        assert_eq!(delivery["resolution"], "resent");
        assert!(
            delivery["text"]
                .as_str()
                .is_some_and(|text| text.contains("sent again at"))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_dismissed_needs_nobody_any_more_and_stays_in_the_history() {
    let given = Given::up(Settings::default()).await;
    let doctor = given.server.get("/v1/doctor?connect=false").await.ok();
    assert!(doctor.to_string().contains("given_up"), "{doctor:#}");
    let nothing = json!({"filter": {"failure": "503"}});
    let done = given.server.post("/v1/dead-letters/dismiss", nothing).await.ok();
    assert_eq!(done, json!({"dismissed": 0, "more": false}));
    let done = given
        .server
        .post("/v1/dead-letters/dismiss", json!({}))
        .await
        .ok();
    assert_eq!(done, json!({"dismissed": 3, "more": false}));
    assert!(given.groups("").await.is_empty());
    let failed = given.server.get("/v1/deliveries?failure=410").await.ok();
    let failed = failed["items"].as_array().expect("it is a list");
    assert_eq!(failed.len(), 3);
    assert_eq!(
        (
            &failed[0]["state"],
            &failed[0]["resolution"],
            &failed[0]["last_failure"]
        ),
        (&json!("exhausted"), &json!("dismissed"), &json!("410"))
    );
    let doctor = given.server.get("/v1/doctor?connect=false").await.ok();
    assert!(!doctor.to_string().contains("given_up"), "{doctor:#}");
    let wrong = json!({"filter": {"fail": "410"}});
    given
        .server
        .post("/v1/dead-letters/dismiss", wrong)
        .await
        .refused(400, "unknown field `fail`");
    given.server.get("/v1/dead-letters?failure=all").await.refused(
        400,
        "failure: `all` is not a failure: use a status such as 503, dns",
    );
}

#[tokio::test(start_paused = true)]
async fn an_export_shows_what_its_key_may_see_page_by_page() {
    let given = Given::up(Settings::default()).await;
    given
        .server
        .add_key("unscoped", |key| ApiKey {
            scopes: Scopes::NONE,
            ..key
        })
        .await;
    let lines = given.export(crate::support::test_server::ADMIN, "").await;
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0]["event"]["payload"]["call_id"], 0, "oldest first");
    assert!(lines[0]["event"]["payload"]["recording_url"].is_array());
    assert_eq!(lines[0]["last_attempt"]["status"], 410);
    assert_eq!(lines[0]["state"], "exhausted");
    let hidden = given.export("unscoped", "?failure=410").await;
    assert!(
        hidden[0]["event"]["payload"].get("recording_url").is_none(),
        "{:#}",
        hidden[0]
    );
    let page = given.export("unscoped", "?limit=2").await;
    assert_eq!(page.len(), 2);
    let cursor = page[1]["id"].as_str().expect("ids are strings");
    let rest = given
        .export("unscoped", &format!("?limit=2&cursor={cursor}"))
        .await;
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0]["id"], lines[2]["id"]);
}

#[tokio::test(start_paused = true)]
async fn an_exported_event_is_one_line_however_it_was_written() {
    let given = Given::up(Settings::default()).await;
    let event = "{\r\n  \"call_id\": 9,\n  \"state\": \"hangup\",\n  \"text\": \"a\\nb\"\n}";
    given.server.event("call", event.to_owned(), &[]).await.ok();
    given.server.wait(Duration::from_secs(1)).await;
    let lines = given.export(crate::support::test_server::ADMIN, "").await;
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[3]["event"]["payload"]["text"], "a\nb");
}

/// Sent again without what the key may not see, it would be over for everybody.
#[tokio::test(start_paused = true)]
async fn who_may_not_see_all_of_a_dead_letter_does_not_settle_it() {
    let given = Given::up(Settings::default()).await;
    given
        .server
        .add_key("unscoped", |key| ApiKey {
            scopes: Scopes::NONE,
            ..key
        })
        .await;
    given.works.store(true, Ordering::Relaxed);
    for path in ["/v1/dead-letters/resend", "/v1/replays"] {
        let request = match path {
            "/v1/replays" => json!({"filter": {"state": "exhausted"}}),
            _ => json!({}),
        };
        let answer = given.server.ask(Method::POST, path, "unscoped", request).await;
        assert_eq!(answer.status, 202, "{path}: {answer:?}");
        given.server.wait(Duration::from_secs(60)).await;
        assert_eq!(given.groups("").await[0]["count"], 3, "{path}");
    }
    given.server.post("/v1/dead-letters/resend", json!({})).await.ok();
    given.server.wait(Duration::from_secs(60)).await;
    assert_eq!(given.groups("").await.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_export_is_masked_where_the_server_masks() {
    let mask = Mask {
        numbers: true,
        text: true,
    };
    let given = Given::up(Settings {
        mask,
        ..Settings::default()
    })
    .await;
    let event = json!({"call_id": 9, "state": "hangup", "external_number": "+12025550101"});
    given.server.event("call", event.to_string(), &[]).await.ok();
    given.server.wait(Duration::from_secs(1)).await;
    let lines = given.export(crate::support::test_server::ADMIN, "").await;
    let last = lines.last().expect("there are some").to_string();
    assert!(
        last.contains("external_number") && !last.contains("2025550101"),
        "{last}"
    );
}

#[tokio::test(start_paused = true)]
async fn deliveries_are_found_by_how_and_with_which_words_they_failed() {
    let server = TestServer::reacting(Settings::default(), |seen| match seen.delivery_id % 3 {
        0 => Reaction::Refuse,
        _ => Reaction::Answer(503),
    })
    .await;
    let webhook = server.webhook("https://example.com/hook").await;
    server.subscribe(&webhook).await;
    for call in 0..12 {
        let event = json!({"call_id": call, "state": "hangup"});
        server.event("call", event.to_string(), &[]).await.ok();
        server.wait(Duration::from_millis(17)).await;
    }
    server.wait(Duration::from_secs(2)).await;
    let found = async |query: &str| {
        let page = server.get(&format!("/v1/deliveries?{query}")).await.ok();
        let items = page["items"].as_array().expect("it is a list").clone();
        items
            .iter()
            .map(|one| one["last_failure"].clone())
            .collect::<Vec<_>>()
    };
    let unavailable = found("failure=503").await;
    let refused = found("failure=connection_refused").await;
    assert!(!unavailable.is_empty() && !refused.is_empty());
    assert!(
        unavailable.iter().all(|failure| failure == "503"),
        "{unavailable:?}"
    );
    assert!(refused.iter().all(|failure| failure == "connection_refused"));
    assert_eq!(found("error=Connection+Refused").await, refused);
    assert_eq!(
        found("error=connection+refused&failure=503").await,
        [] as [Value; 0]
    );
    assert_eq!(found("error=nothing+of+the+kind").await, [] as [Value; 0]);
    let long = "x".repeat(257);
    server
        .get(&format!("/v1/deliveries?error={long}"))
        .await
        .refused(400, "error: look for at most 256 characters");
}

/// The oldest of more failures than are read at once, on a server that masks what it shows.
#[tokio::test(start_paused = true)]
async fn one_answer_is_found_under_many_and_never_by_what_is_hidden_in_it() {
    let mask = Mask {
        numbers: true,
        text: true,
    };
    let settings = Settings {
        mask,
        ..Settings::default()
    };
    let server = TestServer::reacting(settings, |seen| match &*seen.body {
        br#"{"call_id":0}"# => Reaction::Say(
            400,
            r#"{"error": "No Needle \u0041", "number": "+12025550101", "text": "my words"}"#,
        ),
        _ => Reaction::Say(400, r#"{"error": "none of these"}"#),
    })
    .await;
    let webhook = server.webhook("https://example.com/hook").await;
    server.subscribe(&webhook).await;
    for call in 0..1_200 {
        let event = json!({"call_id": call});
        server.event("call", event.to_string(), &[]).await.ok();
    }
    server.wait(Duration::from_secs(2)).await;
    let found = async |text: &str| {
        let page = server.get(&format!("/v1/deliveries?error={text}")).await.ok();
        assert_eq!(page["cursor"], Value::Null, "{text}: one page says it all");
        page["items"].as_array().expect("it is a list").len()
    };
    for shown in ["NO+needle", "needle+%5Cu0041", "%E2%80%A201"] {
        assert_eq!(found(shown).await, 1, "{shown}");
    }
    for hidden in ["2025550101", "202", "my+words", "words"] {
        assert_eq!(found(hidden).await, 0, "{hidden}");
    }
    let page = server.get("/v1/deliveries?error=none+of&limit=100").await.ok();
    assert_eq!(page["items"].as_array().expect("it is a list").len(), 100);
    assert!(page["cursor"].is_string());
}
