//! Memory for large events while they are sent, whoever they are sent to.

use std::sync::atomic::Ordering;
use std::time::Duration;

use switchhook_domain::Kind;
use switchhook_domain::delivery::StateName;
use switchhook_domain::id::WebhookId;
use switchhook_domain::subscription::{CallFilter, Filter};
use switchhook_domain::webhook::WebhookSettings;
use switchhook_node::settings::Settings;
use switchhook_store::StoreOptions;
use switchhook_store::sqlite::SqliteStore;

use crate::support::rig::{Reaction, Rig, START, Seen};

const MIB: usize = 1 << 20;

async fn rig(mib: u64, script: impl Fn(&Seen) -> Reaction + Send + Sync + 'static) -> Rig {
    let settings = Settings {
        max_handed_over_bytes: mib << 20,
        ..Settings::default()
    };
    let store = SqliteStore::in_memory(StoreOptions::owner(START)).expect("a store in memory opens");
    Rig::on(store, settings, script).await
}

fn in_memory(rig: &Rig) -> u64 {
    rig.node.engine.bytes_in_memory() as u64
}

/// An event of a call, with as many bytes as an event may have.
fn large(call_id: u64, number: u64) -> String {
    let event = format!(r#"{{"call_id":{call_id},"state":"hangup","number":{number},"pad":""}}"#);
    let pad = "x".repeat(MIB - event.len());
    event.replace(r#""pad":"""#, &format!(r#""pad":"{pad}""#))
}

/// Webhooks until there are so many whose ids `script` may tell from others by their remainder.
async fn webhooks(rig: &Rig, healthy: usize, silent: usize) -> (Vec<WebhookId>, Vec<WebhookId>) {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    while good.len() < healthy || bad.len() < silent {
        let id = rig.silent_webhook(WebhookSettings::default(), None).await;
        match id.0 % 2 {
            0 if bad.len() < silent => bad.push(id),
            1 if good.len() < healthy => good.push(id),
            _ => {}
        }
    }
    for id in good.iter().chain(&bad) {
        rig.subscribe(*id, Filter::Call(CallFilter::default())).await;
    }
    (good, bad)
}

fn silent_if_even(seen: &Seen) -> Reaction {
    match seen.webhook_id.0 % 2 {
        0 => Reaction::Silence,
        _ => Reaction::Answer(200),
    }
}

#[tokio::test(start_paused = true)]
async fn silent_receivers_of_large_events_take_no_more_memory_than_allowed_and_hold_nobody_up() {
    const LIMIT: u64 = 16;
    let rig = rig(LIMIT, silent_if_even).await;
    let (healthy, _) = webhooks(&rig, 1, 12).await;
    for number in 0..40 {
        rig.accept(Kind::Call, &large(7, number)).await;
        rig.wait(Duration::from_millis(20)).await;
        let held = in_memory(&rig);
        assert!(held <= LIMIT << 20, "{held} bytes are in memory");
    }
    for _ in 0..600 {
        rig.wait(Duration::from_millis(100)).await;
        let held = in_memory(&rig);
        assert!(held <= LIMIT << 20, "{held} bytes are in memory");
    }
    let seen = rig.network.seen();
    let got: Vec<_> = seen
        .iter()
        .filter(|seen| seen.webhook_id == healthy[0])
        .map(|seen| seen.delivery_id)
        .collect();
    assert_eq!(got.len(), 40, "the healthy one gets everything, once");
    assert!(got.is_sorted(), "and in order");
}

#[tokio::test(start_paused = true)]
async fn a_silent_receiver_of_large_events_has_its_share_of_the_memory_and_no_more() {
    const LIMIT: u64 = 64;
    let rig = rig(LIMIT, silent_if_even).await;
    let (healthy, silent) = webhooks(&rig, 1, 1).await;
    for number in 0..20 {
        rig.accept(Kind::Call, &large(100 + number, number)).await;
        rig.wait(Duration::from_millis(1)).await;
    }
    let load = rig
        .node
        .registry
        .destination(silent[0])
        .expect("it exists")
        .load();
    let held = load.bytes.load(Ordering::Relaxed);
    // Its cap of 64 attempts is a tenth of the count, and so of the bytes that are shared out.
    assert!((MIB..5 * MIB).contains(&held), "{held}");
    rig.wait(Duration::from_secs(5)).await;
    let got = rig.network.seen();
    let got = got.iter().filter(|seen| seen.webhook_id == healthy[0]).count();
    assert_eq!(got, 20);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_goes_to_twenty_webhooks_is_in_memory_once() {
    let rig = rig(64, |_| Reaction::Slowly(200, Duration::from_secs(1))).await;
    for _ in 0..20 {
        rig.webhook(WebhookSettings::default()).await;
    }
    rig.accept(Kind::Call, &large(1, 1)).await;
    rig.wait(Duration::from_millis(500)).await;
    assert_eq!(rig.network.seen().len(), 20);
    assert_eq!(in_memory(&rig), 1 << 20);
    rig.wait(Duration::from_secs(2)).await;
    assert_eq!(in_memory(&rig), 0);
}

#[tokio::test(start_paused = true)]
async fn events_larger_than_the_memory_for_them_are_delivered_all_the_same() {
    let rig = rig(1, |_| Reaction::Slowly(200, Duration::from_millis(10))).await;
    for n in 0..20 {
        let secret = (n % 2 == 0).then_some("a secret of some length");
        rig.signed_webhook(WebhookSettings::default(), secret).await;
    }
    for number in 0..3 {
        rig.accept(Kind::Call, &large(7, number)).await;
        rig.call(8, "hangup").await;
    }
    for _ in 0..3_000 {
        rig.wait(Duration::from_millis(20)).await;
        let held = in_memory(&rig);
        // One event, and what one receiver gets of it.
        assert!(held <= 3 << 20, "{held} bytes are in memory");
    }
    let deliveries = rig.deliveries().await;
    assert_eq!(deliveries.len(), 6 * 20);
    for delivery in deliveries {
        assert_eq!(delivery.state.name(), StateName::Delivered, "{delivery:?}");
    }
    assert_eq!(rig.network.seen().len(), 6 * 20, "each once");
}

#[tokio::test(start_paused = true)]
async fn what_is_signed_for_silent_receivers_counts_too_and_leaves_room_for_others() {
    const LIMIT: u64 = 64;
    let rig = rig(LIMIT, silent_if_even).await;
    let (mut healthy, mut silent) = (0, 0);
    while healthy < 1 || silent < 12 {
        let secret = Some("a secret of some length");
        let id = rig.silent_webhook(WebhookSettings::default(), secret).await;
        let is_silent = id.0 % 2 == 0;
        if (is_silent && silent < 12) || (!is_silent && healthy < 1) {
            silent += u32::from(is_silent);
            healthy += u32::from(!is_silent);
            rig.subscribe(id, Filter::Call(CallFilter::default())).await;
        }
    }
    for number in 0..20 {
        rig.accept(Kind::Call, &large(100 + number, number)).await;
        rig.wait(Duration::from_millis(100)).await;
        let held = in_memory(&rig);
        assert!(
            held > 1 << 20 && held <= LIMIT << 20,
            "{held} bytes are in memory"
        );
    }
    let got = rig.network.seen();
    let got = got.iter().filter(|seen| seen.webhook_id.0 % 2 == 1).count();
    assert_eq!(got, 20, "before the first silent attempt has ended");
}
