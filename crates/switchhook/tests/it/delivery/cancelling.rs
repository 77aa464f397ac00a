//! Cancelled deliveries are never sent, and hold nobody up.

use std::time::Duration;

use switchhook_domain::delivery::StateName;
use switchhook_domain::id::DeliveryId;
use switchhook_domain::webhook::WebhookSettings;

use crate::support::rig::{COMPANY, Reaction, Rig};

/// A receiver that takes one POST at a time, and a second for it.
async fn slow() -> Rig {
    let rig = Rig::new(|_| Reaction::Slowly(200, Duration::from_secs(1))).await;
    rig.webhook(WebhookSettings {
        max_in_flight: Some(1),
        ..WebhookSettings::default()
    })
    .await;
    rig
}

async fn cancel(rig: &Rig, id: DeliveryId) {
    let now = rig.node.clock.now();
    rig.store
        .cancel_delivery(COMPANY, id, now)
        .await
        .expect("it is pending");
}

async fn check_unsent(rig: &Rig, id: DeliveryId) {
    let delivery = rig.store.delivery(COMPANY, id).await.expect("it is there");
    assert_eq!(delivery.state.name(), StateName::Cancelled);
    assert_eq!(delivery.attempt_number, 0, "its attempt was never made");
    let attempts = rig.store.attempts_of(id).await;
    assert!(attempts.expect("they are read").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_is_cancelled_while_it_waits_in_memory_is_not_sent() {
    let rig = slow().await;
    for call in 1..=4 {
        rig.call(call, "hangup").await;
    }
    rig.wait(Duration::from_millis(100)).await;
    let deliveries = rig.deliveries().await;
    for cancelled in &deliveries[1..3] {
        assert_eq!(cancelled.attempt_number, 1, "the engine has it in memory");
        cancel(&rig, cancelled.id).await;
    }
    rig.wait(Duration::from_secs(60)).await;
    let sent: Vec<_> = rig.network.seen().iter().map(|seen| seen.delivery_id).collect();
    assert_eq!(sent, [deliveries[0].id.0, deliveries[3].id.0]);
    check_unsent(&rig, deliveries[1].id).await;
    check_unsent(&rig, deliveries[2].id).await;
}

#[tokio::test(start_paused = true)]
async fn one_that_is_cancelled_in_the_middle_of_a_call_lets_the_next_go() {
    let rig = slow().await;
    for state in ["ringing", "connected", "hold", "hangup"] {
        rig.call(1, state).await;
    }
    rig.wait(Duration::from_millis(100)).await;
    let deliveries = rig.deliveries().await;
    for cancelled in [&deliveries[2], &deliveries[1]] {
        cancel(&rig, cancelled.id).await;
    }
    rig.wait(Duration::from_secs(60)).await;
    let sent: Vec<_> = rig.network.seen().iter().map(|seen| seen.delivery_id).collect();
    assert_eq!(sent, [deliveries[0].id.0, deliveries[3].id.0]);
    check_unsent(&rig, deliveries[1].id).await;
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_under_way_ends_without_effect() {
    let rig = slow().await;
    rig.call(1, "hangup").await;
    rig.wait(Duration::from_millis(100)).await;
    let id = rig.deliveries().await[0].id;
    cancel(&rig, id).await;
    rig.wait(Duration::from_secs(60)).await;
    let delivery = rig.store.delivery(COMPANY, id).await.unwrap();
    assert_eq!(delivery.state.name(), StateName::Cancelled);
    assert_eq!(rig.store.attempts_of(id).await.unwrap().len(), 1);
    assert_eq!(rig.network.seen().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_cancelled_right_after_it_was_accepted_is_sent_or_not_but_never_lost_track_of() {
    let rig = slow().await;
    for call in 1..=50 {
        let accepted = rig.call(call, "hangup").await;
        cancel(&rig, accepted.deliveries[0].id).await;
    }
    rig.wait(Duration::from_secs(600)).await;
    // The first may have been under way; no other had its turn.
    assert!(rig.network.seen().len() <= 1, "{:?}", rig.network.seen());
    rig.call(51, "hangup").await;
    rig.wait(Duration::from_secs(60)).await;
    let last = rig.deliveries().await.pop().unwrap();
    assert_eq!(last.state.name(), StateName::Delivered, "the lane still works");
}
