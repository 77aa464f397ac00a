//! Pictures of the dashboard for the documentation. `scripts/screenshots` asks for them; otherwise none is made.

use std::path::Path;
use std::time::Duration;

use switchhook_domain::attempt::{Attempt, AttemptOutcome, Phases};
use switchhook_domain::delivery::DeliveryState;
use switchhook_domain::id::{DeliveryId, EventId, WebhookId};
use switchhook_domain::retry::Failures;
use switchhook_domain::{Kind, Timestamp};

use switchhook_node::live::{AttemptInfo, EventInfo};
use switchhook_store::FinishedAttempt;

use super::accessibility::LOOKS;
use super::fixture::{ADMIN, COMPANY, Fixture};
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
    let fixture = Fixture::new().await;
    fixture.inspected("orders").await;
    remember(&fixture).await;
    fixture.sign_in(&browser, ADMIN).await;
    play(&fixture, &browser, "ring-all-missed").await;
    play(&fixture, &browser, "sms-conversation").await;
    play(&fixture, &browser, "warm-transfer").await;
    for _ in 0..4 {
        play(&fixture, &browser, "queue-then-answered").await;
    }
    play(&fixture, &browser, "warm-transfer").await;
    browser.click("a", "See its timeline").await;
    let call = browser.url().await;
    browser.open(&fixture.url("/dashboard/inspector/orders")).await;
    browser.choose("#behaviour", "fail").await;
    browser.click("button", "Set response").await;
    browser
        .wait_for(
            "that",
            "return document.body.innerText.includes('Response of the inspector changed')",
        )
        .await;
    play(&fixture, &browser, "inbound-voicemail").await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    browser
        .open(&fixture.url("/dashboard/deliveries?state=pending"))
        .await;
    browser
        .wait_for(
            "a failure",
            "return document.querySelector('td:last-child a') !== null",
        )
        .await;
    browser.click("tbody tr:last-child td:last-child a", "").await;
    let delivery = browser.url().await;
    let overview = fixture.url("/dashboard/");
    let form = fixture.url("/dashboard/subscriptions/new?kind=call");
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

async fn play(fixture: &Fixture, browser: &Browser, scenario: &str) {
    browser.open(&fixture.url("/dashboard/simulator")).await;
    browser.choose("#scenario", scenario).await;
    browser.choose("#speed", "max").await;
    browser.click("button", "Place the call").await;
    let is_over =
        "const bar = document.querySelector('progress'); return bar !== null && bar.value === bar.max";
    browser.wait_for("the scenario", is_over).await;
}

/// Counts a quarter of an hour as a company could have had it, so that the charts have something to show: busier and
/// quieter minutes, one of them with a receiver that fails and then takes longer.
async fn remember(fixture: &Fixture) {
    let node = &fixture.server.node;
    let now = node.clock.now();
    for second in 6..900_u32 {
        let at = now.minus(Duration::from_secs(second.into()));
        let minutes = f64::from(900 - second) / 60.0;
        let swing = (minutes * 0.8).sin() * 5.0 + (minutes * 3.1).sin() * 2.0;
        let is_bad = (420..480).contains(&second);
        for number in 0..(16.0 + swing) as u32 {
            count(
                fixture,
                at,
                Duration::from_millis(waited(second, number, is_bad)),
                is_bad && number % 4 == 0,
            );
        }
    }
    let flushed = node.history.flush(&*node.store, now).await;
    flushed.expect("the store can be written");
}

fn waited(second: u32, number: u32, is_bad: bool) -> u64 {
    let spread = (second * 31 + number * 17) % 97;
    let tail = if spread == 96 { 90 } else { 0 };
    let swing = 1.6 + (f64::from(second) / 70.0).sin() * 0.5;
    let usual = f64::from(4 + spread / 4 + tail) * swing;
    (usual * if is_bad { 9.0 } else { 1.0 }) as u64
}

fn count(fixture: &Fixture, at: Timestamp, waited: Duration, has_failed: bool) {
    let node = &fixture.server.node;
    let accepted = EventInfo {
        id: EventId(1),
        kind: Kind::Call,
        is_duplicate: false,
    };
    node.live
        .accepted(COMPANY, accepted, std::iter::empty(), at, || None);
    node.history.accepted(COMPANY, at);
    let of = AttemptInfo {
        company_id: COMPANY,
        event_id: EventId(1),
        kind: Kind::Call,
        created_at: at.minus(waited),
    };
    let finished = FinishedAttempt {
        delivery_id: DeliveryId(1),
        webhook_id: WebhookId(1),
        attempt: Attempt {
            number: 1,
            started_at: at,
            finished_at: at,
            outcome: AttemptOutcome::Answered {
                status: if has_failed { 503 } else { 200 },
                retry_after: None,
            },
            request: None,
            answer: None,
            phases: Phases::default(),
        },
        state: DeliveryState::Delivered { at },
        failures: Failures::default(),
        blocks_until: at,
        suspended: Duration::ZERO,
    };
    node.live.attempted(of, &finished);
    node.history.attempted(of, &finished);
}
