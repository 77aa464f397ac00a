//! Rights of viewers, without a browser.

use std::time::Duration;

use axum::body::Body;
use http::header::{COOKIE, HOST, LOCATION, ORIGIN, SET_COOKIE};
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::json;
use switchhook_node::keys;
use switchhook_node::settings::DashboardSettings;
use tower::ServiceExt;

use super::fixture::{ADMIN, Fixture, LOOKER};
use crate::support::http::RecordingReceiver;

pub(super) struct Page {
    pub(super) status: StatusCode,
    pub(super) location: String,
    cookie: String,
    policy: String,
    pub(super) text: String,
}

pub(super) struct Visit<'a> {
    fixture: &'a Fixture,
    pub(super) cookie: String,
}

impl<'a> Visit<'a> {
    pub(super) fn of(fixture: &'a Fixture) -> Self {
        Self {
            fixture,
            cookie: String::new(),
        }
    }

    pub(super) async fn signed_in(fixture: &'a Fixture, key: &str) -> Self {
        let page = Self::of(fixture)
            .post("/dashboard/sign-in", &format!("key={key}"), &[])
            .await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
        let cookie = page.cookie.split(';').next().unwrap_or_default().to_owned();
        Self { fixture, cookie }
    }

    pub(super) async fn get(&self, path: &str) -> Page {
        self.ask(Method::GET, path, "", &[]).await
    }

    pub(super) async fn post(&self, path: &str, form: &str, headers: &[(&str, &str)]) -> Page {
        self.ask(Method::POST, path, form, headers).await
    }

    async fn ask(&self, method: Method, path: &str, form: &str, headers: &[(&str, &str)]) -> Page {
        page(self.answer(method, path, form, headers).await).await
    }

    /// The answer, its body still to come.
    async fn answer(
        &self,
        method: Method,
        path: &str,
        form: &str,
        headers: &[(&str, &str)],
    ) -> Response<Body> {
        let host = self.fixture.server.address.to_string();
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(COOKIE, &self.cookie);
        if !headers.iter().any(|(name, _)| *name == HOST.as_str()) {
            request = request.header(HOST, host);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(Body::from(form.to_owned()))
            .expect("the path is one");
        let response = self.fixture.router().oneshot(request).await;
        response.expect("a router always answers")
    }

    /// The token that guards the forms of a page.
    pub(super) async fn csrf(&self, path: &str) -> String {
        let text = self.get(path).await.text;
        let after = text
            .split_once("name=\"csrf\" value=\"")
            .expect("the page has a form")
            .1;
        after.split_once('"').expect("the value ends").0.to_owned()
    }
}

async fn page(response: Response<Body>) -> Page {
    let (parts, body) = response.into_parts();
    let text = |name: &str| {
        let value = parts.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let body = body.collect().await.expect("the page is whole").to_bytes();
    Page {
        status: parts.status,
        location: text(LOCATION.as_str()),
        cookie: text(SET_COOKIE.as_str()),
        policy: text("content-security-policy"),
        text: String::from_utf8_lossy(&body).into_owned(),
    }
}

#[tokio::test]
async fn nobody_sees_anything_before_signing_in() {
    let fixture = Fixture::new().await;
    let visit = Visit::of(&fixture);
    for path in ["/dashboard/", "/dashboard/events?kind=call", "/dashboard/stream"] {
        let page = visit.get(path).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{path}");
        assert!(
            page.location
                .starts_with("/dashboard/sign-in?next=%2Fdashboard%2F"),
            "{}",
            page.location
        );
    }
    let wrong = visit.post("/dashboard/sign-in", "key=shk_wrong", &[]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.text.contains("this API key is not known"), "{}", wrong.text);
    assert!(!wrong.text.contains("shk_wrong"));
}

#[tokio::test]
async fn the_cookie_is_out_of_reach_and_pages_are_protected() {
    let fixture = Fixture::new().await;
    let page = Visit::of(&fixture)
        .post("/dashboard/sign-in", &format!("key={ADMIN}"), &[])
        .await;
    assert!(
        page.cookie.contains("; HttpOnly; SameSite=Strict"),
        "{}",
        page.cookie
    );
    assert!(!page.cookie.contains(ADMIN));
    let visit = Visit::signed_in(&fixture, ADMIN).await;
    let overview = visit.get("/dashboard/").await;
    assert_eq!(overview.status, StatusCode::OK);
    assert!(
        overview.policy.starts_with("default-src 'none'"),
        "{}",
        overview.policy
    );
    assert!(!overview.policy.contains("unsafe"), "{}", overview.policy);
}

#[tokio::test]
async fn a_form_of_another_site_or_without_its_token_does_nothing() {
    let fixture = Fixture::new().await;
    let id = fixture.inspected("safe").await;
    let visit = Visit::signed_in(&fixture, ADMIN).await;
    let path = format!("/dashboard/webhooks/{id}/pause");
    let csrf = visit.csrf(&format!("/dashboard/webhooks/{id}")).await;
    let good = format!("csrf={csrf}");
    for (form, headers) in [
        ("", &[][..]),
        ("csrf=guessed", &[]),
        (&good, &[(ORIGIN.as_str(), "https://evil.example")]),
        (&good, &[("sec-fetch-site", "cross-site")]),
    ] {
        let page = visit.post(&path, form, headers).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{form} {headers:?}");
    }
    let webhook = fixture
        .caller()
        .ask("GET", &format!("/v1/webhooks/{id}"), "")
        .await;
    assert!(webhook["paused_at"].is_null(), "{webhook}");
    assert_eq!(visit.post(&path, &good, &[]).await.status, StatusCode::SEE_OTHER);
    let webhook = fixture
        .caller()
        .ask("GET", &format!("/v1/webhooks/{id}"), "")
        .await;
    assert!(webhook["paused_at"].is_i64(), "{webhook}");
}

#[tokio::test]
async fn a_key_that_may_only_look_sees_no_secret_and_changes_nothing() {
    let fixture = Fixture::new().await;
    let id = fixture.inspected("secret").await;
    let secret = "s".repeat(40);
    let path = format!("/dashboard/webhooks/{id}");
    let admin = Visit::signed_in(&fixture, ADMIN).await;
    assert!(admin.get(&path).await.text.contains(&secret));
    let visit = Visit::signed_in(&fixture, LOOKER).await;
    let page = visit.get(&path).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(
        !page.text.contains(&secret)
            && !page
                .text
                .contains("<form method=\"post\" action=\"/dashboard/webhooks")
    );
    assert_eq!(
        visit.get(&format!("{path}/edit")).await.status,
        StatusCode::FORBIDDEN
    );
    let call = r#"{"call_id":1,"state":"hangup"}"#;
    let event = fixture.caller().ask("POST", "/v1/events/call", call).await;
    let event = event["id"].as_str().expect("ids are strings");
    for page in [
        "webhooks",
        "subscriptions",
        "deliveries",
        &format!("events/{event}"),
    ] {
        let text = visit.get(&format!("/dashboard/{page}")).await.text;
        for closed in ["/edit\"", "/delete\"", "/new\""] {
            assert!(!text.contains(closed), "{page} leads to {closed}");
        }
    }
    let csrf = visit.csrf(&path).await;
    for action in ["pause", "delete", "test", "rotate-secret"] {
        let page = visit
            .post(&format!("{path}/{action}"), &format!("csrf={csrf}"), &[])
            .await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{action}: {}", page.text);
    }
}

#[tokio::test]
async fn what_needs_attention_names_refusing_sources_and_offers_what_the_visitor_may_do() {
    let fixture = Fixture::posting_here().await;
    let receiver = RecordingReceiver::start(|_| StatusCode::GONE).await;
    let caller = fixture.caller();
    let hook = format!(r#"{{"hook_url":"{}"}}"#, receiver.url());
    let webhook = caller.ask("POST", "/v1/webhooks", &hook).await;
    let endpoint = format!(r#"{{"endpoint_id":{}}}"#, webhook["id"]);
    caller.ask("POST", "/api/v2/subscriptions/call", &endpoint).await;
    let source = r#"{"name":"our account","secret":"s3cret"}"#;
    let source = caller.ask("POST", "/v1/sources", source).await;
    let (id, url) = (source["id"].as_str().unwrap(), source["url"].as_str().unwrap());
    let (_, token) = url.split_once("/in/").expect("an address has a token");
    let taken = caller.send("POST", &format!("/in/{token}"), "{}").await;
    assert!(taken.is_ok_and(|(status, _)| status.is_client_error()));
    let call = r#"{"call_id":1,"state":"hangup"}"#;
    caller.ask("POST", "/v1/events/call", call).await;
    let exhausted = "/v1/deliveries?state=exhausted";
    while caller.ask("GET", exhausted, "").await["items"] == json!([]) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let doctor = caller.ask("GET", "/v1/doctor", "").await;
    assert!(
        doctor
            .to_string()
            .contains("it refused 1 request in the last 24 hours"),
        "{doctor:#}"
    );
    for (key, offered, not_offered) in [
        (ADMIN, "Resend or dismiss", "Show them"),
        (LOOKER, "Show them", "Resend or dismiss"),
    ] {
        let visit = Visit::signed_in(&fixture, key).await;
        let overview = visit.get("/dashboard/").await.text;
        assert!(!overview.contains("Nothing: "), "{overview}");
        assert!(
            overview.contains("it refused 1 request in the last 24 hours"),
            "{overview}"
        );
        assert!(
            overview.contains(&format!("/dashboard/sources/{id}#refusals")),
            "{overview}"
        );
        assert!(
            overview.contains(offered) && !overview.contains(not_offered),
            "{key}: {overview}"
        );
        let sources = visit.get("/dashboard/sources").await.text;
        assert!(
            sources.contains(&format!("/dashboard/sources/{id}#refusals\">1<")),
            "{sources}"
        );
    }
}

#[tokio::test]
async fn a_webhook_is_shown_with_how_attempts_went_lately() {
    let fixture = Fixture::new().await;
    let id = fixture.inspected("lately").await;
    let visit = Visit::signed_in(&fixture, LOOKER).await;
    let path = format!("/dashboard/webhooks/{id}");
    let before = visit.get(&path).await.text;
    assert!(
        before.contains("Last hour: no attempts. Last day: no attempts."),
        "{before}"
    );
    let call = r#"{"call_id":1,"state":"hangup"}"#;
    fixture.caller().ask("POST", "/v1/events/call", call).await;
    let told = |text: &str| text.contains("Last hour: 100 % of attempts succeeded, 95 % within ");
    let node = &fixture.server.node;
    while !told(&visit.get(&path).await.text) {
        let flushed = node.history.flush(&*node.store, node.clock.now()).await;
        flushed.expect("the store can be written");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let list = visit.get("/dashboard/webhooks").await.text;
    assert!(list.contains(">100 %<"), "{list}");
}

#[tokio::test]
async fn what_a_masked_page_hides_cannot_be_found_by_searching_for_it() {
    let fixture = Fixture::masking("numbers".parse().expect("they can be masked")).await;
    let call = r#"{"call_id":1,"state":"hangup","contact":{"phone":"+12025550171","name":"Ann"}}"#;
    fixture.caller().ask("POST", "/v1/events/call", call).await;
    let visit = Visit::signed_in(&fixture, ADMIN).await;
    for (query, is_found) in [
        ("text=ann", true),
        ("text=5550171", false),
        ("number=%2B1+202+555+0171", true),
        ("number=%2B1+202+555+0172", false),
    ] {
        let page = visit.get(&format!("/dashboard/events?{query}")).await;
        assert_eq!(page.text.contains("No matching event"), !is_found, "{query}");
    }
    let guess = visit.get("/dashboard/events?number=2025").await;
    assert!(guess.text.contains("numbers are masked here"), "{}", guess.text);
}

#[tokio::test]
async fn an_open_dashboard_needs_no_key_but_this_machines_name() {
    let fixture = Fixture::with(DashboardSettings {
        open_with: Some(keys::hash(ADMIN)),
        ..DashboardSettings::default()
    })
    .await;
    let visit = Visit::of(&fixture);
    assert_eq!(visit.get("/dashboard/").await.status, StatusCode::OK);
    let rebound = visit
        .ask(Method::GET, "/dashboard/", "", &[("host", "evil.example:8400")])
        .await;
    assert_eq!(rebound.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn what_is_masked_is_on_no_page() {
    let fixture = Fixture::masking("numbers,text".parse().expect("both can be masked")).await;
    let id = fixture.inspected("masked").await;
    let caller = fixture.caller();
    let body = format!(r#"{{"endpoint_id":"{id}","direction":"all"}}"#);
    caller.ask("POST", "/api/v2/subscriptions/sms", &body).await;
    let sms = r#"{"id":1,"direction":"inbound","text":"my password is swordfish","from_number":"+12025550171","to_number":["+12025550172"],"message_status":"pending","target":{"id":1,"type":"user","phone_number":"+12025550172"},"contact":{"phone_number":"+12025550171"}}"#;
    let event = caller.ask("POST", "/v1/events/sms", sms).await;
    let (event_id, delivery_id) = (&event["id"], &event["deliveries"][0]["id"]);
    let visit = Visit::signed_in(&fixture, ADMIN).await;
    let text = |value: &serde_json::Value| value.as_str().expect("ids are strings").to_owned();
    for path in [
        "/dashboard/".to_owned(),
        "/dashboard/events".to_owned(),
        format!("/dashboard/events/{}", text(event_id)),
        format!("/dashboard/deliveries/{}", text(delivery_id)),
        "/dashboard/inspector/masked".to_owned(),
        "/dashboard/inspector/masked/1".to_owned(),
    ] {
        let page = visit.get(&path).await;
        assert!(
            page.status == StatusCode::OK || path.ends_with("/1"),
            "{path}: {}",
            page.text
        );
        for hidden in ["swordfish", "5550171", "5550172"] {
            assert!(!page.text.contains(hidden), "{path} shows {hidden}");
        }
    }
}

#[tokio::test]
async fn pages_about_the_worst_of_events_are_of_a_bounded_size() {
    const LARGEST_PAGE: usize = 4 << 20;
    let fixture = Fixture::masking("numbers,text".parse().expect("both can be masked")).await;
    fixture.inspected("worst").await;
    let caller = fixture.caller();
    let nested = format!("{}{}", "[".repeat(1_100), "]".repeat(1_100));
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let long = "k".repeat(1_000_000);
    let visit = Visit::signed_in(&fixture, ADMIN).await;
    for body in [
        format!(r#"{{"call_id":1,"{long}":{nested}}}"#),
        format!(r#"{{"call_id":1,"state":"{long}"}}"#),
        format!(r#"{{"call_id":1,"deep":{deep}}}"#),
        format!(r#"{{"call_id":1,"many":[{}1]}}"#, "1,".repeat(500_000)),
        format!(r#"{{"call_id":1,"phone":"{}"}}"#, "0".repeat(1_000_000)),
    ] {
        let event = caller.ask("POST", "/v1/events/call", &body).await;
        let text = |value: &serde_json::Value| value.as_str().expect("ids are strings").to_owned();
        for path in [
            format!("/dashboard/events/{}", text(&event["id"])),
            format!("/dashboard/deliveries/{}", text(&event["deliveries"][0]["id"])),
            "/dashboard/events".to_owned(),
            "/dashboard/events?text=nothing".to_owned(),
            "/dashboard/inspector/worst".to_owned(),
        ] {
            let page = visit.get(&path).await;
            assert_eq!(page.status, StatusCode::OK, "{path}");
            assert!(page.text.len() < LARGEST_PAGE, "{path}: {}", page.text.len());
        }
    }
}

#[tokio::test]
async fn a_session_counts_at_every_node_and_ends_where_it_is_ended() {
    let fixture = Fixture::new().await;
    let visit = Visit::signed_in(&fixture, ADMIN).await;
    // It has the store in common with the other, as two nodes do, and nothing else.
    let other = switchhook_dashboard::router(fixture.server.node.clone());
    let ask = |method: Method, path: &str, form: String| {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(COOKIE, &visit.cookie)
            .header(HOST, fixture.server.address.to_string())
            .body(Body::from(form))
            .expect("the path is one");
        let other = other.clone();
        async move { page(other.oneshot(request).await.expect("a router always answers")).await }
    };
    let seen = ask(Method::GET, "/dashboard/webhooks", String::new()).await;
    assert_eq!(seen.status, StatusCode::OK, "{}", seen.location);
    let form = format!("csrf={}", visit.csrf("/dashboard/webhooks").await);
    let left = ask(Method::POST, "/dashboard/sign-out", form).await;
    assert_eq!(
        left.status,
        StatusCode::SEE_OTHER,
        "the form of one node's page counts at the other"
    );
    let seen = ask(Method::GET, "/dashboard/webhooks", String::new()).await;
    assert_eq!(seen.status, StatusCode::SEE_OTHER, "signed out there");
    let seen = visit.get("/dashboard/webhooks").await;
    assert_eq!(seen.status, StatusCode::SEE_OTHER, "and where it began");
    // A server that is started again remembers nothing but what is in the store.
    let restarted = switchhook_dashboard::router(fixture.server.node.clone());
    let request = Request::get("/dashboard/webhooks")
        .header(COOKIE, &visit.cookie)
        .header(HOST, fixture.server.address.to_string())
        .body(Body::empty())
        .expect("the path is one");
    let seen = page(restarted.oneshot(request).await.expect("a router always answers")).await;
    assert_eq!(seen.status, StatusCode::SEE_OTHER, "and after a restart");
    let another = Visit::signed_in(&fixture, ADMIN).await;
    let seen = another.get("/dashboard/webhooks").await;
    assert_eq!(seen.status, StatusCode::OK, "other sessions of the key go on");
}

#[tokio::test]
async fn a_page_that_is_left_open_is_let_go_of_when_its_session_or_its_key_ends() {
    let fixture = Fixture::new().await;
    let (visit, other) = (
        Visit::signed_in(&fixture, ADMIN).await,
        Visit::signed_in(&fixture, LOOKER).await,
    );
    let form = format!("csrf={}", visit.csrf("/dashboard/webhooks").await);
    let (pulse, others) = (
        visit.answer(Method::GET, "/dashboard/stream", "", &[]).await,
        other.answer(Method::GET, "/dashboard/stream", "", &[]).await,
    );
    assert_eq!(
        (pulse.status(), others.status()),
        (StatusCode::OK, StatusCode::OK)
    );
    visit.post("/dashboard/sign-out", &form, &[]).await;
    page(pulse).await;

    let node = &fixture.server.node;
    let key = node.store.find_key(keys::hash(LOOKER)).await.unwrap();
    let id = key.expect("it is there").id;
    node.store.revoke_key(id, node.clock.now()).await.unwrap();
    page(others).await;
}
