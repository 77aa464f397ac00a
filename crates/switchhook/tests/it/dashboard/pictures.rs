//! Pictures of the dashboard for the documentation. `scripts/screenshots` asks for them; otherwise none is made.

use std::path::Path;
use std::time::Duration;

use super::house::{ADMIN, House};
use super::sight::LOOKS;
use crate::support::browser::Browser;

#[expect(
    clippy::disallowed_methods,
    reason = "says where the pictures go; no setting of the product"
)]
fn folder() -> Option<std::ffi::OsString> {
    std::env::var_os("SWITCHHOOK_SCREENSHOTS")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures_for_the_documentation_are_made_when_they_are_asked_for() {
    let Some(folder) = folder() else {
        eprintln!("skipped: no pictures were asked for (scripts/screenshots does)");
        return;
    };
    let browser = Browser::start()
        .await
        .expect("chromium and chromedriver are installed");
    let house = House::new().await;
    house.inspected("orders").await;
    house.sign_in(&browser, ADMIN).await;
    play(&house, &browser, "ring-all-missed").await;
    play(&house, &browser, "sms-conversation").await;
    play(&house, &browser, "warm-transfer").await;
    // Long enough for the charts to have something to show.
    for _ in 0..8 {
        play(&house, &browser, "queue-then-answered").await;
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    play(&house, &browser, "warm-transfer").await;
    browser.click("a", "See its timeline").await;
    let call = browser.url().await;
    browser.open(&house.url("/dashboard/inspector/orders")).await;
    browser.choose("#behaviour", "fail").await;
    browser.click("button", "Do that").await;
    browser
        .wait_for(
            "that",
            "return document.body.innerText.includes('answers differently')",
        )
        .await;
    play(&house, &browser, "inbound-voicemail").await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    browser
        .open(&house.url("/dashboard/deliveries?state=pending"))
        .await;
    browser
        .wait_for(
            "a failure",
            "return document.querySelector('td:last-child a') !== null",
        )
        .await;
    browser.click("tbody tr:last-child td:last-child a", "").await;
    let delivery = browser.url().await;
    let overview = house.url("/dashboard/");
    let form = house.url("/dashboard/subscriptions/new?kind=call");
    for (looks, name) in LOOKS.into_iter().zip(["light", "dark", "phone"]) {
        browser.look_like(looks).await;
        for (page, url) in [
            ("overview", &overview),
            ("call", &call),
            ("delivery", &delivery),
            ("subscription", &form),
        ] {
            browser.open(url).await;
            if page == "call" {
                browser
                    .run("document.getElementById('call').scrollIntoView()")
                    .await;
            }
            tokio::time::sleep(Duration::from_millis(600)).await;
            let file = Path::new(&folder).join(format!("dashboard-{page}-{name}.png"));
            std::fs::write(&file, browser.picture().await).expect("the folder is there");
        }
    }
}

async fn play(house: &House, browser: &Browser, scenario: &str) {
    browser.open(&house.url("/dashboard/simulator")).await;
    browser.choose("#scenario", scenario).await;
    browser.choose("#speed", "max").await;
    browser.click("button", "Place the call").await;
    let is_over =
        "const bar = document.querySelector('progress'); return bar !== null && bar.value === bar.max";
    browser.wait_for("the scenario", is_over).await;
}
