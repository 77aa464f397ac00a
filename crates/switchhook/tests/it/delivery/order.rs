//! One call's events go one after the other; nobody else waits for them.

use std::time::Duration;

use switchhook_domain::delivery::StateName;
use switchhook_domain::webhook::WebhookSettings;

use crate::support::rig::{Reaction, Rig};

fn states(rig: &Rig) -> Vec<String> {
    let text = |body: &[u8]| String::from_utf8_lossy(body).into_owned();
    let state = |body: String| body.split('"').nth(5).unwrap_or_default().to_owned();
    rig.network
        .seen()
        .iter()
        .map(|seen| format!("{}#{}", state(text(&seen.body)), seen.attempt))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_failing_event_holds_up_its_own_call_only() {
    let rig = Rig::new(|seen| {
        let is_first_ringing =
            seen.body.starts_with(br#"{"call_id":1,"state":"ringing""#) && seen.attempt == 1;
        if is_first_ringing {
            Reaction::Answer(500)
        } else {
            Reaction::Answer(200)
        }
    })
    .await;
    rig.webhook(WebhookSettings::default()).await;
    for (call, state) in [(1, "ringing"), (1, "connected"), (2, "calling"), (1, "hangup")] {
        rig.call(call, state).await;
    }
    rig.wait(Duration::from_secs(1)).await;
    assert_eq!(states(&rig), ["ringing#1", "calling#1"]);
    rig.wait(Duration::from_secs(60)).await;
    assert_eq!(
        states(&rig),
        ["ringing#1", "calling#1", "ringing#2", "connected#1", "hangup#1"]
    );
}

#[tokio::test(start_paused = true)]
async fn events_that_come_while_one_waits_for_its_retry_queue_behind_it() {
    let rig = Rig::new(|seen| match seen.attempt {
        1 if seen.body.ends_with(br#""ringing"}"#) => Reaction::Answer(503),
        _ => Reaction::Answer(200),
    })
    .await;
    rig.webhook(WebhookSettings::default()).await;
    rig.call(1, "ringing").await;
    rig.wait(Duration::from_secs(2)).await;
    rig.call(1, "connected").await;
    rig.wait(Duration::from_secs(1)).await;
    rig.call(1, "hangup").await;
    rig.wait(Duration::from_secs(60)).await;
    assert_eq!(
        states(&rig),
        ["ringing#1", "ringing#2", "connected#1", "hangup#1"]
    );
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_a_quarter_of_an_hour_and_it_is_noted() {
    let rig = Rig::new(|seen| match seen.body.ends_with(br#""ringing"}"#) {
        true => Reaction::Answer(500),
        false => Reaction::Answer(200),
    })
    .await;
    rig.webhook(WebhookSettings::default()).await;
    rig.call(1, "ringing").await;
    rig.call(1, "hangup").await;
    rig.wait(Duration::from_secs(16 * 60)).await;
    let deliveries = rig.deliveries().await;
    assert_eq!(deliveries[0].state.name(), StateName::Pending);
    assert_eq!(deliveries[1].state.name(), StateName::Delivered);
    assert!(deliveries[1].note.is_some(), "it says why it overtook");
    let hangup = rig
        .network
        .seen()
        .into_iter()
        .find(|seen| seen.delivery_id == deliveries[1].id.0)
        .unwrap();
    assert!(
        hangup.at >= Duration::from_secs(15 * 60) && hangup.at < Duration::from_secs(15 * 60 + 2),
        "{hangup:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_refused_as_wrong_lets_its_followers_go_after_three_attempts() {
    let rig = Rig::new(|seen| match seen.body.ends_with(br#""ringing"}"#) {
        true => Reaction::Answer(400),
        false => Reaction::Answer(200),
    })
    .await;
    rig.webhook(WebhookSettings::default()).await;
    rig.call(1, "ringing").await;
    rig.call(1, "hangup").await;
    rig.wait(Duration::from_secs(300)).await;
    assert_eq!(
        states(&rig)[..4],
        ["ringing#1", "ringing#2", "ringing#3", "hangup#1"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_webhook_can_do_without_order() {
    let rig = Rig::new(|seen| match seen.body.ends_with(br#""ringing"}"#) {
        true => Reaction::Answer(500),
        false => Reaction::Answer(200),
    })
    .await;
    rig.webhook(WebhookSettings {
        ordered: Some(false),
        ..WebhookSettings::default()
    })
    .await;
    rig.call(1, "ringing").await;
    rig.call(1, "hangup").await;
    rig.wait(Duration::from_secs(1)).await;
    assert_eq!(states(&rig), ["ringing#1", "hangup#1"]);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_events_of_one_call_arrive_in_their_order_whatever_fails() {
    let rig = Rig::new(|seen| match (seen.delivery_id + i64::from(seen.attempt)) % 7 {
        0 => Reaction::Answer(500),
        1 => Reaction::Slowly(200, Duration::from_millis(30)),
        _ => Reaction::Answer(200),
    })
    .await;
    rig.webhook(WebhookSettings::default()).await;
    for n in 0..100 {
        for call in 0..10 {
            rig.call(call, &format!("state-{n}")).await;
        }
        rig.wait(Duration::from_millis(5)).await;
    }
    // Far below a quarter of an hour of trouble, so that no block ends.
    rig.wait(Duration::from_secs(600)).await;
    let accepted = |seen: &&crate::support::rig::Seen| (seen.delivery_id + i64::from(seen.attempt)) % 7 != 0;
    for call in 0..10 {
        let prefix = format!(r#"{{"call_id":{call},"#);
        let seen = rig.network.seen();
        let of_call = seen
            .iter()
            .filter(|seen| seen.body.starts_with(prefix.as_bytes()));
        let ids: Vec<_> = of_call.filter(accepted).map(|seen| seen.delivery_id).collect();
        assert!(ids.is_sorted(), "call {call}");
        assert!(ids.len() > 30, "call {call} got {} through", ids.len());
    }
}
