//! Every page, looked at as people see, hear and use it.

use super::accessibility;
use super::fixture::{ADMIN, Fixture};
use crate::support::browser::Browser;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_can_be_seen_read_aloud_and_used_by_everybody() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let fixture = Fixture::new().await;
    let webhook = fixture.inspected("sight").await;
    fixture.sign_in(&browser, ADMIN).await;
    browser.open(&fixture.url("/dashboard/simulator")).await;
    browser.choose("#scenario", "ring-all-answered").await;
    browser.choose("#speed", "max").await;
    browser.click("button", "Place the call").await;
    browser.click("a", "See its timeline").await;
    let event = browser.url().await;
    browser
        .wait_for(
            "a delivery",
            "return document.querySelector('td:last-child a') !== null",
        )
        .await;
    browser.click("td:last-child a", "").await;
    let delivery = browser.url().await;
    let mut pages = vec![event, delivery];
    pages.extend(all_pages(&fixture, &webhook).await);
    let mut troubles = Vec::new();
    for looks in accessibility::LOOKS {
        browser.look_like(looks).await;
        for page in &pages {
            browser.open(page).await;
            let mut found = accessibility::check(&browser, looks).await;
            found.extend(accessibility::axe(&browser).await);
            if !looks.is_phone {
                found.extend(accessibility::walk(&browser).await);
            }
            troubles.extend(
                found
                    .into_iter()
                    .map(|trouble| format!("{page} {looks:?}: {trouble}")),
            );
        }
    }
    assert!(troubles.is_empty(), "{}", troubles.join("\n"));
}

/// Every page that has an address of its own.
async fn all_pages(fixture: &Fixture, webhook: &str) -> Vec<String> {
    let mut pages = [
        "/dashboard/",
        "/dashboard/events",
        "/dashboard/deliveries",
        "/dashboard/webhooks",
        "/dashboard/webhooks/new",
        "/dashboard/subscriptions",
        "/dashboard/subscriptions/new?kind=call",
        "/dashboard/subscriptions/new?kind=sms",
        "/dashboard/dead-letters",
        "/dashboard/websockets",
        "/dashboard/keys",
        "/dashboard/keys/new",
        "/dashboard/notifications",
        "/dashboard/notifications/new",
        "/dashboard/api",
        "/dashboard/doctor",
        "/dashboard/sources",
        "/dashboard/replays",
        "/dashboard/replays/new",
        "/dashboard/inspector",
        "/dashboard/inspector/sight",
        "/dashboard/inspector/sight/1",
        "/dashboard/simulator",
        "/dashboard/nothing-here",
    ]
    .map(|path| fixture.url(path))
    .to_vec();
    pages.push(fixture.url(&format!("/dashboard/webhooks/{webhook}")));
    pages.push(fixture.url(&format!("/dashboard/webhooks/{webhook}/delete")));
    let caller = fixture.caller();
    let replay = caller
        .ask("POST", "/v1/replays", r#"{"filter":{"kind":"call"}}"#)
        .await;
    let subscriptions = caller.ask("GET", "/api/v2/subscriptions/call", "").await;
    let text = |value: &serde_json::Value| value.as_str().expect("ids are strings").to_owned();
    let subscription = text(&subscriptions["items"][0]["id"]);
    for path in [
        format!("/dashboard/replays/{}", text(&replay["id"])),
        format!("/dashboard/subscriptions/call/{subscription}/edit"),
        format!("/dashboard/subscriptions/call/{subscription}/delete"),
        format!("/dashboard/webhooks/{webhook}/edit"),
        "/dashboard/events?kind=call&text=Support".to_owned(),
        "/dashboard/events?kind=changelog".to_owned(),
        "/dashboard/deliveries?outcome=accepted&since=nonsense".to_owned(),
        "/dashboard/inspector/empty".to_owned(),
    ] {
        pages.push(fixture.url(&path));
    }
    pages
}
