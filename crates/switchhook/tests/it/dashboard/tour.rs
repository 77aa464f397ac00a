//! Two minutes of somebody who sees Switchhook for the first time, in a real browser.

use axum::http::StatusCode;

use super::house::{ADMIN, House};
use super::sight;
use crate::support::browser::Browser;
use crate::support::http::RecordingReceiver;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_two_minute_tour_works_without_a_complaint_of_the_browser() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let house = House::new().await;
    house.sign_in(&browser, ADMIN).await;
    assert!(browser.text().await.contains("There is no webhook yet"));

    browser.click("a", "Create a webhook").await;
    browser.fill("#hook_url", "inspector://tour").await;
    browser.click("button", "Create").await;
    browser
        .wait_for(
            "the webhook's page",
            "return document.body.innerText.includes('it gets nothing')",
        )
        .await;

    browser.click("a", "Add subscription").await;
    browser.click("button", "Create").await;
    browser
        .wait_for(
            "the subscription",
            "return document.body.innerText.includes('every state')",
        )
        .await;

    browser.click("nav a", "Simulator").await;
    browser.choose("#scenario", "ring-all-answered").await;
    browser.choose("#speed", "max").await;
    browser.click("button", "Place the call").await;
    let all_sent =
        "const bar = document.querySelector('progress'); return bar !== null && bar.value === bar.max";
    browser.wait_for("the call, without a reload", all_sent).await;

    browser.click("nav a", "Inspector").await;
    browser.click("main a", "tour").await;
    browser
        .wait_for(
            "its deliveries",
            "return document.body.innerText.includes('verified')",
        )
        .await;

    browser.click("nav a", "Simulator").await;
    browser.click("a", "See its timeline").await;
    let legs = browser
        .wait_for(
            "the timeline",
            "return document.querySelectorAll('.ladder .leg').length",
        )
        .await;
    assert!(legs.as_u64() > Some(2), "{legs}");
    assert!(browser.text().await.contains("connected"));

    browser.click("nav a", "Inspector").await;
    browser.click("main a", "tour").await;
    browser.choose("#behaviour", "fail").await;
    browser.click("button", "Do that").await;
    browser
        .wait_for(
            "that",
            "return document.body.innerText.includes('answers differently')",
        )
        .await;
    browser.click("nav a", "Simulator").await;
    browser.choose("#scenario", "inbound-answered").await;
    browser.choose("#speed", "max").await;
    browser.click("button", "Place the call").await;
    browser.click("nav a", "Deliveries").await;
    browser.choose("#state", "pending").await;
    browser.click("button", "Filter").await;
    browser
        .wait_for("a failure", "return document.body.innerText.includes('failed')")
        .await;
    // The first of the call: the others wait for it.
    browser.click("tbody tr:last-child td:last-child a", "").await;
    browser
        .wait_for(
            "the failed attempt",
            "return document.body.innerText.includes('500')",
        )
        .await;
    let page = browser.text().await;
    assert!(page.contains("Attempt 2 is planned for"), "{page}");
    assert!(page.contains("The signature holds"), "{page}");
    browser
        .wait_for(
            "the retry, live",
            "return document.querySelectorAll('.attempt').length > 1",
        )
        .await;

    browser.click("nav a", "Inspector").await;
    browser.click("main a", "tour").await;
    browser.choose("#behaviour", "accept").await;
    browser.click("button", "Do that").await;
    browser
        .wait_for(
            "that",
            "return document.body.innerText.includes('answers differently')",
        )
        .await;
    browser.click("nav a", "Deliveries").await;
    browser.click("td:last-child a", "").await;
    browser.click("button", "Redeliver").await;
    browser
        .wait_for(
            "the new delivery",
            "return document.body.innerText.includes('Sent again')",
        )
        .await;
    browser
        .wait_for(
            "its success, live",
            "return document.querySelector('.lead .good') !== null",
        )
        .await;

    browser.click("nav a", "Replays").await;
    browser.click("a", "New replay").await;
    browser.choose("#kind", "call").await;
    browser.click("button", "Preview").await;
    browser
        .wait_for(
            "the count",
            "return document.body.innerText.includes('would be made')",
        )
        .await;
    browser.click("button", "Begin").await;
    browser
        .wait_for(
            "the end of the replay",
            "return document.querySelector('.lead .good') !== null",
        )
        .await;

    browser.click("button", "Sign out").await;
    browser
        .wait_for(
            "the end",
            "return document.body.innerText.includes('You are signed out')",
        )
        .await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_can_be_seen_read_aloud_and_used_by_everybody() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let house = House::new().await;
    let webhook = house.inspected("sight").await;
    house.sign_in(&browser, ADMIN).await;
    browser.open(&house.url("/dashboard/simulator")).await;
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
    pages.extend(
        [
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
        .map(|path| house.url(path)),
    );
    pages.push(house.url(&format!("/dashboard/webhooks/{webhook}")));
    pages.push(house.url(&format!("/dashboard/webhooks/{webhook}/delete")));
    let caller = house.caller();
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
        pages.push(house.url(&path));
    }
    let mut troubles = Vec::new();
    for looks in sight::LOOKS {
        browser.look_like(looks).await;
        for page in &pages {
            browser.open(page).await;
            let mut found = sight::check(&browser, looks).await;
            found.extend(sight::axe(&browser).await);
            if !looks.is_phone {
                found.extend(sight::walk(&browser).await);
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_holds_still_for_who_reads_it_and_keys_lead_on() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let house = House::new().await;
    let send = async |call: u32| {
        let body = format!(r#"{{"call_id":{call},"state":"hangup"}}"#);
        house.caller().ask("POST", "/v1/events/call", &body).await;
    };
    send(1).await;
    house.sign_in(&browser, ADMIN).await;
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
    let label = "return document.querySelector('[data-pulse-label]').textContent === 'paused; there is more'";
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
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_and_channels_are_dealt_with_on_their_pages() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let house = House::posting_here().await;
    let receiver = RecordingReceiver::start(|_| StatusCode::GONE).await;
    let caller = house.caller();
    let hook = format!(r#"{{"hook_url":"{}"}}"#, receiver.url());
    let webhook = caller.ask("POST", "/v1/webhooks", &hook).await;
    let endpoint = format!(r#"{{"endpoint_id":{}}}"#, webhook["id"]);
    caller.ask("POST", "/api/v2/subscriptions/call", &endpoint).await;
    house.sign_in(&browser, ADMIN).await;
    caller
        .ask("POST", "/v1/events/call", r#"{"call_id":1,"state":"hangup"}"#)
        .await;
    browser.open(&house.url("/dashboard/")).await;
    browser
        .wait_for(
            "what needs attention",
            "return document.body.innerText.includes('dead letters')",
        )
        .await;
    browser.click("a", "Resend or dismiss").await;
    let text = browser.text().await;
    assert!(text.contains("1 delivery") && text.contains("410"), "{text}");
    browser.click("li button", "Dismiss").await;
    browser
        .wait_for(
            "that they are dismissed",
            "return document.body.innerText.includes('There are no dead letters')",
        )
        .await;

    browser.open(&house.url("/dashboard/notifications")).await;
    browser.click("a", "New channel").await;
    browser.choose("#type", "slack").await;
    browser.fill("#destination", "https://hook.invalid/x").await;
    browser.click("button", "Create").await;
    browser.click("button", "Test").await;
    browser
        .wait_for(
            "what came of the test",
            "return document.body.innerText.includes('The test message did not arrive')",
        )
        .await;
    browser.click("button", "Delete").await;
    browser
        .wait_for(
            "that it is gone",
            "return document.body.innerText.includes('Nobody is told')",
        )
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_script_everything_can_be_read_and_done() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let house = House::new().await;
    house.inspected("plain").await;
    browser.allow_scripts(false).await;
    browser.open(&house.url("/dashboard/")).await;
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
    let house = House::new().await;
    browser.open(&house.url("/dashboard/")).await;
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
    browser
        .wait_for(
            "the test event",
            "return document.body.innerText.includes('A test event is on its way')",
        )
        .await;
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
    browser
        .wait_for(
            "the new delivery",
            "return document.body.innerText.includes('Sent again')",
        )
        .await;
}
