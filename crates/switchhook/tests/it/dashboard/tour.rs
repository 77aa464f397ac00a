//! Two minutes of somebody who sees Switchhook for the first time, in a real browser.

use axum::http::StatusCode;

use super::fixture::{ADMIN, Fixture};
use crate::support::browser::Browser;
use crate::support::http::RecordingReceiver;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_two_minute_tour_works_without_a_complaint_of_the_browser() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let fixture = Fixture::new().await;
    fixture.sign_in(&browser, ADMIN).await;
    assert!(browser.text().await.contains("There is no webhook yet"));

    register_a_webhook(&browser).await;
    see_a_call_arrive(&browser).await;
    see_a_delivery_fail_and_be_retried(&browser).await;
    send_it_again(&browser).await;
    replay_it(&browser).await;

    browser.click("button", "Sign out").await;
    until_it_says(&browser, "the end", "You are signed out").await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

async fn register_a_webhook(browser: &Browser) {
    browser.click("a", "Create a webhook").await;
    browser.fill("#hook_url", "inspector://tour").await;
    browser.click("button", "Create").await;
    until_it_says(browser, "the webhook's page", "it gets nothing").await;

    browser.click("a", "Add subscription").await;
    browser.click("button", "Create").await;
    until_it_says(browser, "the subscription", "every state").await;
}

async fn see_a_call_arrive(browser: &Browser) {
    browser.click("nav a", "Simulator").await;
    browser.choose("#scenario", "ring-all-answered").await;
    browser.choose("#speed", "max").await;
    browser.click("button", "Place the call").await;
    let all_sent =
        "const bar = document.querySelector('progress'); return bar !== null && bar.value === bar.max";
    browser.wait_for("the call, without a reload", all_sent).await;

    browser.click("nav a", "Inspector").await;
    browser.click("main a", "tour").await;
    until_it_says(browser, "its deliveries", "verified").await;

    browser.click("nav a", "Simulator").await;
    browser.click("a", "See its timeline").await;
    let legs = browser
        .wait_for(
            "the timeline",
            "return document.querySelectorAll('.timeline .leg').length",
        )
        .await;
    assert!(legs.as_u64() > Some(2), "{legs}");
    assert!(browser.text().await.contains("connected"));
}

async fn see_a_delivery_fail_and_be_retried(browser: &Browser) {
    browser.click("nav a", "Inspector").await;
    browser.click("main a", "tour").await;
    browser.choose("#behaviour", "fail").await;
    browser.click("button", "Set response").await;
    until_it_says(browser, "that", "Response of the inspector changed").await;
    browser.click("nav a", "Simulator").await;
    browser.choose("#scenario", "inbound-answered").await;
    browser.choose("#speed", "max").await;
    browser.click("button", "Place the call").await;
    browser.click("nav a", "Deliveries").await;
    browser.choose("#state", "pending").await;
    browser.click("button", "Filter").await;
    until_it_says(browser, "a failure", "failed").await;
    // The first of the call: the others wait for it.
    browser.click("tbody tr:last-child td:last-child a", "").await;
    until_it_says(browser, "the failed attempt", "500").await;
    let page = browser.text().await;
    assert!(page.contains("Attempt 2 is planned for"), "{page}");
    assert!(page.contains("The signature holds"), "{page}");
    browser
        .wait_for(
            "the retry, live",
            "return document.querySelectorAll('.attempt').length > 1",
        )
        .await;
}

async fn send_it_again(browser: &Browser) {
    browser.click("nav a", "Inspector").await;
    browser.click("main a", "tour").await;
    browser.choose("#behaviour", "accept").await;
    browser.click("button", "Set response").await;
    until_it_says(browser, "that", "Response of the inspector changed").await;
    browser.click("nav a", "Deliveries").await;
    browser.click("td:last-child a", "").await;
    browser.click("button", "Redeliver").await;
    until_it_says(browser, "the new delivery", "Event redelivered").await;
    browser
        .wait_for(
            "its success, live",
            "return document.querySelector('.lead .good') !== null",
        )
        .await;
}

async fn replay_it(browser: &Browser) {
    browser.click("nav a", "Replays").await;
    browser.click("a", "New replay").await;
    browser.choose("#kind", "call").await;
    browser.click("button", "Preview").await;
    until_it_says(browser, "the count", "would be made").await;
    browser.click("button", "Begin").await;
    browser
        .wait_for(
            "the end of the replay",
            "return document.querySelector('.lead .good') !== null",
        )
        .await;
}

/// Waits until the page has this text on it.
async fn until_it_says(browser: &Browser, what: &str, text: &str) {
    let says = format!("return document.body.innerText.includes('{text}')");
    browser.wait_for(what, &says).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_holds_still_for_who_reads_it_and_keys_lead_on() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let fixture = Fixture::new().await;
    let send = async |call: u32| {
        let body = format!(r#"{{"call_id":{call},"state":"hangup"}}"#);
        fixture.caller().ask("POST", "/v1/events/call", &body).await;
    };
    send(1).await;
    fixture.sign_in(&browser, ADMIN).await;
    browser.press("g").await;
    browser.press("e").await;
    browser
        .wait_for("the events", "return location.pathname === '/dashboard/events'")
        .await;
    browser.press("j").await;
    browser
        .wait_for(
            "the focus on the row's link",
            "return document.activeElement.matches('[data-row] [data-open]')",
        )
        .await;
    send(2).await;
    browser
        .wait_for(
            "what is new is offered",
            "return document.querySelector('button.fresh')?.textContent === '1 new ↑'",
        )
        .await;
    let rows = |count: u32| format!("return document.querySelectorAll('[data-row]').length === {count}");
    browser.wait_for("the list holds still", &rows(1)).await;
    browser.click("button.fresh", "").await;
    browser.wait_for("what is new is there", &rows(2)).await;

    browser.click("[data-pause]", "Pause").await;
    send(3).await;
    let label = "return document.querySelector('[data-live-indicator-label]').textContent === 'paused; there is more'";
    browser.wait_for("that there is more", label).await;
    browser.wait_for("the list is paused", &rows(2)).await;
    browser.click("[data-pause]", "Resume").await;
    browser.wait_for("what came meanwhile", &rows(3)).await;

    browser.press("?").await;
    let dialog = "return document.getElementById('keys').open";
    browser.wait_for("the shortcuts", dialog).await;
    browser.click("dialog button", "Close").await;
    browser
        .wait_for("their end", "return !document.getElementById('keys').open")
        .await;
    browser.press("/").await;
    browser
        .wait_for(
            "the first field",
            "return document.activeElement.matches('main form select, main form input')",
        )
        .await;
    browser.click("[data-row] td", "Call").await;
    let event = "return /^\\/dashboard\\/events\\/\\d+$/.test(location.pathname)";
    browser.wait_for("what the row is about", event).await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_and_channels_are_dealt_with_on_their_pages() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let fixture = Fixture::posting_here().await;
    let receiver = RecordingReceiver::start(|_| StatusCode::GONE).await;
    let caller = fixture.caller();
    let hook = format!(r#"{{"hook_url":"{}"}}"#, receiver.url());
    let webhook = caller.ask("POST", "/v1/webhooks", &hook).await;
    let endpoint = format!(r#"{{"endpoint_id":{}}}"#, webhook["id"]);
    caller.ask("POST", "/api/v2/subscriptions/call", &endpoint).await;
    fixture.sign_in(&browser, ADMIN).await;
    caller
        .ask("POST", "/v1/events/call", r#"{"call_id":1,"state":"hangup"}"#)
        .await;
    browser.open(&fixture.url("/dashboard/")).await;
    until_it_says(&browser, "what needs attention", "dead letters").await;
    browser.click("a", "Resend or dismiss").await;
    let text = browser.text().await;
    assert!(text.contains("1 delivery") && text.contains("410"), "{text}");
    let get = r#"const get = new XMLHttpRequest(); get.open("GET", document.querySelector("main a[download]").href, false);
        get.send(); return get.getResponseHeader("content-disposition") + " " + get.responseText"#;
    let file = browser.run(get).await;
    let file = file.as_str().unwrap();
    assert!(
        file.contains("dead-letters.ndjson") && file.contains(r#""payload":{"call_id":1,"#),
        "{file}"
    );
    browser.click("li button", "Dismiss").await;
    until_it_says(&browser, "that they are dismissed", "There are no dead letters").await;

    browser.open(&fixture.url("/dashboard/notifications")).await;
    browser.click("a", "New channel").await;
    browser.choose("#type", "slack").await;
    browser.fill("#destination", "https://hook.invalid/x").await;
    browser.click("button", "Create").await;
    browser.click("button", "Test").await;
    until_it_says(
        &browser,
        "what came of the test",
        "The test message did not arrive",
    )
    .await;
    browser.click("button", "Delete").await;
    until_it_says(&browser, "that it is gone", "Nobody is told").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_script_everything_can_be_read_and_done() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let fixture = Fixture::new().await;
    fixture.inspected("plain").await;
    browser.allow_scripts(false).await;
    browser.open(&fixture.url("/dashboard/")).await;
    browser.fill("#key", ADMIN).await;
    browser.click("button", "Sign in").await;
    browser.click("nav a", "Webhooks").await;
    browser.click("td a", "inspector://plain").await;
    browser.click("button", "Send a test event").await;
    browser.click("nav a", "Events").await;
    browser.click("td:last-child a", "").await;
    browser.click("h2", "Payload").await;
    assert!(browser.url().await.contains("/dashboard/events/"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_can_be_done_with_the_keyboard_alone() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let fixture = Fixture::new().await;
    browser.open(&fixture.url("/dashboard/")).await;
    // The field has the focus already.
    browser.write(ADMIN).await;
    browser.press("Enter").await;
    browser
        .wait_for("signing in", "return location.pathname === '/dashboard/'")
        .await;
    browser.press("Tab").await;
    browser.press("Enter").await;
    browser
        .wait_for("the skip to the content", "return location.hash === '#main'")
        .await;
    browser.tab_to("main a", "Create a webhook").await;
    browser.press("Enter").await;
    browser
        .wait_for("the form", "return document.querySelector('#hook_url') !== null")
        .await;
    browser.tab_to("#hook_url", "").await;
    browser.write("inspector://keys").await;
    browser.press("Enter").await;
    browser
        .wait_for(
            "the webhook's page",
            "return document.querySelector('#test-kind') !== null",
        )
        .await;
    browser.tab_to("button", "Send a test event").await;
    browser.press(" ").await;
    until_it_says(&browser, "the test event", "Test event sent").await;
    browser
        .wait_for(
            "its delivery",
            "return document.querySelector('td:last-child a') !== null",
        )
        .await;
    browser.tab_to("td:last-child a", "").await;
    browser.press("Enter").await;
    browser
        .wait_for(
            "its attempt",
            "return document.querySelector('.attempt summary') !== null",
        )
        .await;
    browser.tab_to(".attempt summary", "Request").await;
    browser.press("Enter").await;
    browser
        .wait_for(
            "the request",
            "return document.querySelector('.attempt details[open]') !== null",
        )
        .await;
    browser.tab_to("button", "Redeliver").await;
    browser.press("Enter").await;
    until_it_says(&browser, "the new delivery", "Event redelivered").await;
}
