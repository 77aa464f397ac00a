//! Pace and order of replays, their effect on live deliveries, and stopping them.

use std::collections::HashMap;
use std::time::Duration;

use switchhook_domain::delivery::StateName;
use switchhook_domain::replay::ReplayState;
use switchhook_domain::webhook::WebhookSettings;
use switchhook_node::replays::{self, ReplayTarget};

use super::{admin, deliveries_by_event, event_of, everything};
use crate::support::rig::{Reaction, Rig};

/// A node that has delivered this many events of this many calls.
async fn node(
    events: u64,
    calls: u64,
    script: impl Fn(&crate::support::rig::Seen) -> Reaction + Send + Sync + 'static,
) -> Rig {
    let rig = Rig::new(script).await;
    rig.webhook(WebhookSettings::default()).await;
    for n in 0..events {
        rig.call(n % calls, &format!("state-{n}")).await;
    }
    rig.wait(Duration::from_secs(60)).await;
    assert_eq!(rig.network.seen().len() as u64, events);
    rig
}

#[tokio::test(start_paused = true)]
async fn the_rate_is_kept() {
    let rig = node(300, 300, |_| Reaction::Answer(200)).await;
    let id = rig
        .replay_to(everything(), ReplayTarget::Origins, Some(20.0))
        .await;
    rig.wait(Duration::from_secs(5)).await;
    let halfway = rig.replay_now(id).await;
    let made = halfway.progress.created;
    assert!(
        (100..=145).contains(&made),
        "{made} were made, few of them ahead of their time"
    );
    let left = halfway
        .expected_end(rig.node.clock.now())
        .unwrap()
        .since(rig.node.clock.now());
    assert!((9..=11).contains(&left.as_secs()), "{left:?}");
    rig.wait_for_replay(id).await;
    let seen = rig.seen_of(id);
    assert_eq!(seen.len(), 300);
    for second in seen.windows(21) {
        let took = second[20].at - second[0].at;
        assert!(took >= Duration::from_millis(990), "21 events in {took:?}");
    }
    let whole = seen[299].at - seen[0].at;
    assert!(
        (Duration::from_millis(14_900)..Duration::from_millis(15_300)).contains(&whole),
        "{whole:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_slow_rate_waits_between_events() {
    let rig = node(4, 4, |_| Reaction::Answer(200)).await;
    let id = rig
        .replay_to(everything(), ReplayTarget::Origins, Some(0.02))
        .await;
    rig.wait_for_replay(id).await;
    let seen = rig.seen_of(id);
    for pair in seen.windows(2) {
        let gap = (pair[1].at - pair[0].at).as_secs_f64();
        assert!((49.9..50.2).contains(&gap), "{gap}");
    }
}

#[tokio::test(start_paused = true)]
async fn events_of_a_call_keep_their_order_also_through_failures() {
    let rig = node(200, 10, |seen| {
        let is_replay = seen.headers.contains_key("switchhook-replay");
        // The first attempt of some fails.
        Reaction::Answer(if is_replay && seen.attempt == 1 && seen.delivery_id % 7 == 0 {
            503
        } else {
            200
        })
    })
    .await;
    let id = rig.replay(everything()).await;
    let replay = rig.wait_for_replay(id).await;
    assert_eq!(replay.progress.delivered, 200);
    let mut last = HashMap::new();
    let seen = rig.seen_of(id);
    assert!(seen.len() > 200, "some failed");
    for one in &seen {
        let call = one.body.split(|byte| *byte == b',').next().unwrap().to_vec();
        let before = last.insert(call, event_of(one));
        assert!(
            before.is_none_or(|before| before <= event_of(one)),
            "{one:?} came after {before:?}"
        );
    }
    assert!(
        deliveries_by_event(&seen)
            .values()
            .all(|deliveries| deliveries.len() == 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_replayed_does_not_hold_up_the_live_one() {
    let rig = node(5, 1, |seen| {
        Reaction::Answer(if seen.headers.contains_key("switchhook-replay") {
            503
        } else {
            200
        })
    })
    .await;
    rig.replay(everything()).await;
    rig.wait(Duration::from_secs(2)).await;
    let accepted = rig.call(0, "live").await;
    rig.wait(Duration::from_secs(1)).await;
    let seen = rig.network.seen();
    let live = seen.iter().find(|one| event_of(one) == accepted.id).unwrap();
    assert!(!live.headers.contains_key("switchhook-replay"));
}

#[tokio::test(start_paused = true)]
async fn few_deliveries_are_pending_however_many_are_to_come() {
    let rig = node(3_000, 3_000, |seen| {
        if seen.headers.contains_key("switchhook-replay") {
            Reaction::Slowly(200, Duration::from_secs(1))
        } else {
            Reaction::Answer(200)
        }
    })
    .await;
    let id = rig.replay(everything()).await;
    let mut most = 0;
    loop {
        let replay = rig.replay_now(id).await;
        // In the store, and in the engine's memory: 16 for each of the 64 attempts at once.
        most = most.max(replay.progress.pending());
        assert!(replay.progress.untried <= 500, "{replay:?}");
        if replay.state != ReplayState::Running {
            break;
        }
        rig.wait(Duration::from_millis(100)).await;
    }
    assert!(most <= 500 + 64 * 16 + 64, "{most}");
    assert_eq!(rig.seen_of(id).len(), 3_000);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_takes_nothing_stops_the_replay_and_not_for_good() {
    let down = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let is_down = std::sync::Arc::clone(&down);
    let rig = node(3_000, 3_000, move |seen| {
        let is_replay = seen.headers.contains_key("switchhook-replay");
        let is_down = is_down.load(std::sync::atomic::Ordering::Relaxed);
        if is_replay && is_down {
            Reaction::Silence
        } else {
            Reaction::Answer(200)
        }
    })
    .await;
    let id = rig.replay(everything()).await;
    rig.wait(Duration::from_secs(600)).await;
    let stuck = rig.replay_now(id).await;
    assert!(
        !stuck.is_all_created && stuck.progress.created < 2_000,
        "{stuck:?}"
    );
    down.store(false, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(rig.wait_for_replay(id).await.progress.delivered, 3_000);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_replay_sends_nothing_more() {
    let rig = node(500, 500, |_| Reaction::Answer(200)).await;
    let id = rig
        .replay_to(everything(), ReplayTarget::Origins, Some(50.0))
        .await;
    rig.wait(Duration::from_secs(4)).await;
    let cancelled = replays::cancel(&rig.node, admin(), id).await.unwrap();
    assert_eq!(cancelled.progress.pending(), 0);
    let sent = rig.seen_of(id).len();
    assert!((195..=205).contains(&sent), "{sent}");
    rig.wait(Duration::from_secs(60)).await;
    assert_eq!(rig.seen_of(id).len(), sent);
    let made: Vec<_> = rig
        .deliveries()
        .await
        .into_iter()
        .filter(|one| one.replay_id == Some(id))
        .collect();
    let count = |state| made.iter().filter(|one| one.state.name() == state).count() as u64;
    assert_eq!(count(StateName::Delivered), cancelled.progress.delivered);
    assert_eq!(count(StateName::Cancelled), cancelled.progress.cancelled);
    assert_eq!(count(StateName::Pending), 0);
    assert_eq!(rig.replay_now(id).await, cancelled);
}

#[tokio::test(start_paused = true)]
async fn several_replays_run_beside_each_other() {
    let rig = node(100, 10, |_| Reaction::Answer(200)).await;
    let mut ids = Vec::new();
    for rate in [None, Some(30.0), Some(7.0)] {
        ids.push(rig.replay_to(everything(), ReplayTarget::Origins, rate).await);
    }
    for id in ids {
        assert_eq!(rig.wait_for_replay(id).await.progress.delivered, 100);
        assert!(
            deliveries_by_event(&rig.seen_of(id))
                .values()
                .all(|made| made.len() == 1)
        );
    }
}
