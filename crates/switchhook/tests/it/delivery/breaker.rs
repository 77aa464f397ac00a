//! A receiver that is down: probed rather than hammered, and caught up with as soon as it works again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::time::Duration;

use switchhook_domain::delivery::StateName;
use switchhook_domain::suspension::SuspensionReason;
use switchhook_domain::webhook::{WebhookChange, WebhookSettings};
use switchhook_node::settings::Settings;
use switchhook_store::StoreOptions;
use switchhook_store::sqlite::SqliteStore;

use crate::support::rig::{COMPANY, Reaction, Rig, START};

const HOUR: Duration = Duration::from_secs(3600);

/// A receiver that works once the switch is on.
async fn down_until(switch: &Arc<AtomicBool>) -> Rig {
    let switch = Arc::clone(switch);
    Rig::new(move |_| match switch.load(Ordering::Relaxed) {
        true => Reaction::Answer(200),
        false => Reaction::Refuse,
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn after_an_outage_everything_goes_within_minutes_and_not_hours_later() {
    let switch = Arc::new(AtomicBool::new(false));
    let rig = down_until(&switch).await;
    rig.webhook(WebhookSettings::default()).await;
    for call in 0..500 {
        rig.call(call, "hangup").await;
    }
    rig.wait(2 * HOUR).await;
    let during = rig.network.seen().len();
    switch.store(true, Ordering::Relaxed);
    rig.wait(Duration::from_secs(6 * 60)).await;
    let waiting = rig
        .deliveries()
        .await
        .into_iter()
        .filter(|one| one.state.name() != StateName::Delivered)
        .count();
    assert_eq!(waiting, 0, "of 500 are still not delivered");
    assert!(
        during < 200,
        "{during} attempts were made at a receiver that was down"
    );
}

#[tokio::test(start_paused = true)]
async fn new_events_do_not_hammer_a_receiver_that_is_down() {
    let rig = Rig::new(|_| Reaction::Answer(503)).await;
    let id = rig.webhook(WebhookSettings::default()).await;
    for call in 0..3_600 {
        rig.call(call, "hangup").await;
        rig.wait(Duration::from_secs(1)).await;
    }
    let attempts = rig.network.seen().len();
    assert!((20..60).contains(&attempts), "{attempts} attempts in an hour");
    let suspensions = rig.store.list_suspensions(Some(COMPANY), START).await.unwrap();
    assert_eq!(suspensions.len(), 1);
    assert_eq!(
        (suspensions[0].webhook_id, suspensions[0].suspension.reason),
        (id, SuspensionReason::Breaker)
    );
    assert!(suspensions[0].suspension.until.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_refuses_what_probes_it_is_not_hammered_either() {
    for refusal in [302, 403, 429] {
        let status = Arc::new(AtomicU16::new(503));
        let answers = Arc::clone(&status);
        let rig = Rig::new(move |_| Reaction::Answer(answers.load(Ordering::Relaxed))).await;
        rig.webhook(WebhookSettings::default()).await;
        for call in 0..100 {
            rig.call(call, "hangup").await;
        }
        rig.wait(Duration::from_secs(4)).await;
        let before = rig.network.seen().len();
        status.store(refusal, Ordering::Relaxed);
        rig.wait(HOUR).await;
        let probes = rig.network.seen().len() - before;
        assert!(
            (10..25).contains(&probes),
            "{probes} probes in an hour, answered {refusal}"
        );
        status.store(200, Ordering::Relaxed);
        rig.wait(Duration::from_secs(6 * 60)).await;
        let is_there = |one: &switchhook_domain::delivery::Delivery| one.state.name() == StateName::Delivered;
        assert!(rig.deliveries().await.iter().all(is_there), "after {refusal}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_breaker_is_open_after_a_restart_too() {
    let store = SqliteStore::in_memory(StoreOptions::owner(START)).unwrap();
    let down = Rig::on(store, Settings::default(), |_| Reaction::Refuse).await;
    let id = down.webhook(WebhookSettings::default()).await;
    for call in 0..50 {
        down.call(call, "hangup").await;
        down.wait(Duration::from_secs(20)).await;
    }
    let known = switchhook_node::registry::Registry::load(Arc::clone(&down.store), down.node.clock.now())
        .await
        .unwrap();
    let route = known.destination(id).unwrap();
    assert!(
        !route.has_room(down.node.clock.now()),
        "it is not sent to at once"
    );
    assert!(route.load().health.read().breaker.is_open());
}

#[tokio::test(start_paused = true)]
async fn a_recovery_ends_the_suspension_and_says_until_when() {
    let switch = Arc::new(AtomicBool::new(false));
    let rig = down_until(&switch).await;
    rig.webhook(WebhookSettings::default()).await;
    for call in 0..20 {
        rig.call(call, "hangup").await;
    }
    rig.wait(HOUR).await;
    switch.store(true, Ordering::Relaxed);
    rig.wait(HOUR).await;
    let suspensions = rig.store.list_suspensions(Some(COMPANY), START).await.unwrap();
    assert_eq!(suspensions.len(), 1);
    assert!(
        suspensions[0]
            .suspension
            .until
            .is_some_and(|until| until > START.plus(HOUR))
    );
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_fails_for_days_is_disabled_if_that_is_wanted_and_loses_nothing() {
    let switch = Arc::new(AtomicBool::new(false));
    let rig = down_until(&switch).await;
    let id = rig
        .webhook(WebhookSettings {
            disable_after_days: Some(2),
            ..WebhookSettings::default()
        })
        .await;
    for call in 0..20 {
        rig.call(call, "hangup").await;
    }
    rig.wait(47 * HOUR).await;
    assert_eq!(rig.store.webhook(COMPANY, id).await.unwrap().paused_at, None);
    rig.wait(3 * HOUR).await;
    let disabled = rig.store.webhook(COMPANY, id).await.unwrap();
    assert!(disabled.disabled_at.is_some() && disabled.disabled_at == disabled.paused_at);
    let attempts = rig.network.seen().len();
    rig.call(99, "hangup").await;
    rig.wait(4 * 24 * HOUR).await;
    assert_eq!(rig.network.seen().len(), attempts, "nothing is sent any more");

    switch.store(true, Ordering::Relaxed);
    let resumed = WebhookChange {
        paused_at: Some(None),
        ..WebhookChange::default()
    };
    let now = rig.node.clock.now();
    let resumed = rig.store.update_webhook(COMPANY, id, resumed, now).await.unwrap();
    assert_eq!(resumed.disabled_at, None);
    rig.node.registry.refresh(COMPANY).await.unwrap();
    rig.node.engine.nudge(id);
    rig.wait(HOUR).await;
    let delivered = rig.deliveries().await;
    assert_eq!(delivered.len(), 21);
    assert!(
        delivered
            .iter()
            .all(|one| one.state.name() == StateName::Delivered)
    );
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_fails_for_days_is_not_disabled_unless_asked() {
    let rig = Rig::new(|_| Reaction::Refuse).await;
    let id = rig.webhook(WebhookSettings::default()).await;
    for call in 0..20 {
        rig.call(call, "hangup").await;
    }
    rig.wait(5 * 24 * HOUR).await;
    assert_eq!(rig.store.webhook(COMPANY, id).await.unwrap().paused_at, None);
}

#[tokio::test(start_paused = true)]
async fn time_spent_paused_does_not_count_as_tried() {
    let rig = Rig::new(|_| Reaction::Refuse).await;
    let id = rig.webhook(WebhookSettings::default()).await;
    let set_paused = async |paused| {
        let change = WebhookChange {
            paused_at: Some(paused),
            ..WebhookChange::default()
        };
        rig.store
            .update_webhook(COMPANY, id, change, rig.node.clock.now())
            .await
            .unwrap();
        rig.node.registry.refresh(COMPANY).await.unwrap();
        rig.node.engine.nudge(id);
    };
    set_paused(Some(rig.node.clock.now())).await;
    rig.call(1, "hangup").await;
    rig.wait(5 * 24 * HOUR).await;
    set_paused(None).await;
    rig.wait(48 * HOUR).await;
    let delivery = rig.deliveries().await.remove(0);
    assert_eq!(
        delivery.state.name(),
        StateName::Pending,
        "it was tried for two days only"
    );
    assert!(
        delivery.suspended >= 5 * 24 * HOUR - Duration::from_secs(60),
        "{:?}",
        delivery.suspended
    );
    rig.wait(48 * HOUR).await;
    assert_eq!(rig.deliveries().await[0].state.name(), StateName::Exhausted);
}

#[tokio::test(start_paused = true)]
async fn a_rate_is_kept_and_the_others_do_not_wait_for_it() {
    let rig = Rig::new(|_| Reaction::Answer(200)).await;
    let slow = rig
        .webhook(WebhookSettings {
            rate: Some(10.0),
            ..WebhookSettings::default()
        })
        .await;
    let fast = rig.webhook(WebhookSettings::default()).await;
    for call in 0..300 {
        rig.call(call, "hangup").await;
    }
    rig.wait(Duration::from_secs(10)).await;
    let to = |id| {
        rig.network
            .seen()
            .iter()
            .filter(|seen| seen.webhook_id == id)
            .count()
    };
    assert_eq!(to(fast), 300);
    assert!((95..=105).contains(&to(slow)), "{} in ten seconds", to(slow));
    rig.wait(Duration::from_secs(21)).await;
    assert_eq!(to(slow), 300);
}
