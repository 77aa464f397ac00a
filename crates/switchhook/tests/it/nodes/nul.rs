//! The character NUL, which PostgreSQL can keep in no text: refused in what is set up, passed on in what events say.

use http::StatusCode;
use serde_json::json;

use super::crew::Crew;
use crate::support::http::RecordingReceiver;
use crate::support::postgres;

/// Both stores, as far as there are servers for them.
async fn crews() -> Vec<Crew> {
    let folder = tempfile::tempdir().expect("there is room for a store").keep();
    let file = format!("sqlite:{}", folder.join("switchhook.db").display());
    let mut crews = Vec::new();
    for store in [Some(file), postgres::new_database()].into_iter().flatten() {
        crews.push(Crew::on(store, 1).await);
    }
    crews
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nul_in_what_is_set_up_or_asked_for_is_refused_by_name() {
    for crew in crews().await {
        let caller = crew.caller(0);
        let secret = json!({"hook_url": "http://127.0.0.1:9/", "secret": "a\0b"}).to_string();
        let url = json!({"hook_url": "http://127.0.0.1:9/\0"}).to_string();
        let name = json!({"name": "a\0b"}).to_string();
        let filter = json!({"filter": {"order_key": "call:\0"}}).to_string();
        for (method, path, body, message) in [
            ("POST", "/api/v2/webhooks", &*secret, "secret: "),
            ("POST", "/api/v2/webhooks", &*url, "hook_url: "),
            ("POST", "/api/v2/websockets", &*secret, "secret: "),
            ("POST", "/v1/sources", &*name, "name: "),
            ("POST", "/v1/replays", &*filter, "filter.order_key: "),
            ("GET", "/v1/events?order_key=%00", "", "the address "),
            ("GET", "/v1/events?cursor=1%00", "", "the address "),
            ("GET", "/v1/webhooks/1%00", "", "the address "),
            (
                "GET",
                "/api/v2/subscriptions/call?target_type=%00",
                "",
                "the address ",
            ),
            ("POST", "/in/a%00b", "{}", "the address "),
        ] {
            let (status, answer) = caller.send(method, path, body).await.expect("it answers");
            assert_eq!(status, StatusCode::BAD_REQUEST, "{method} {path}: {answer}");
            let said = answer["error"]["message"]
                .as_str()
                .expect("an error has a message");
            assert!(
                said.starts_with(message) && said.contains("NUL"),
                "{path}: {said}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nul_in_an_event_is_kept_found_and_sent_as_it_came() {
    for crew in crews().await {
        let caller = crew.caller(0);
        let receiver = RecordingReceiver::start(|_| StatusCode::OK).await;
        let id = crew.known_webhook(&receiver).await;
        let sms = json!({"endpoint_id": id, "direction": "all"}).to_string();
        caller.ask("POST", "/api/v2/subscriptions/sms", &sms).await;
        let source = caller.ask("POST", "/v1/sources", r#"{"name":"a"}"#).await;
        let url = source["url"].as_str().expect("a new source shows its address");
        let inlet = &url[url.find("/in/").expect("its path is /in/TOKEN")..];
        let nul = r"a\u0000b";
        let mut sent = Vec::new();
        for (path, body) in [
            (
                "/v1/events/call",
                format!(
                    r#"{{"call_id":"{nul}","state":"hangup","contact":{{"name":"{nul}","phone":"{nul}"}},"{nul}":1}}"#
                ),
            ),
            (
                "/v1/events/sms",
                format!(
                    r#"{{"id":"{nul}","direction":"{nul}","from_number":"{nul}","target":{{"id":"{nul}","type":"{nul}"}}}}"#
                ),
            ),
            (
                inlet,
                format!(r#"{{"call_id":"1{nul}","state":"hangup","event_timestamp":1}}"#),
            ),
        ] {
            let answer = caller.ask("POST", path, &body).await;
            let event = answer["id"].as_str().expect("ids are strings").to_owned();
            let shown = caller
                .text(&format!("/v1/events/{event}"))
                .await
                .expect("it answers");
            assert!(shown.contains(&body), "{shown}");
            caller
                .ask("GET", &format!("/v1/events/{event}/explain"), "")
                .await;
            sent.push((event, body));
        }
        receiver
            .wait_until("the events", |arrivals| {
                let came = |(event, body): &(String, String)| {
                    arrivals.iter().any(|one| {
                        one.header("switchhook-event-id") == event && one.body.as_ref() == body.as_bytes()
                    })
                };
                sent.iter().all(came)
            })
            .await;
        let erase = r#"{"number":"+12025550101"}"#;
        caller.ask("POST", "/v1/erasures", erase).await;
        let replay = r#"{"filter":{"since":0},"dry_run":true}"#;
        caller.ask("POST", "/v1/replays", replay).await;
    }
}
