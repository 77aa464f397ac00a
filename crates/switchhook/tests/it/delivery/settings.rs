//! Settings of webhooks, pauses and deletions.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use switchhook_domain::Kind;
use switchhook_domain::delivery::StateName;
use switchhook_domain::id::{KeyId, WebhookId};
use switchhook_domain::key::Rights;
use switchhook_domain::scope::Scopes;
use switchhook_domain::webhook::{WebhookChange, WebhookSettings};
use switchhook_node::caller::Caller;
use switchhook_node::settings::Settings;
use switchhook_node::webhooks;
use switchhook_store::StoreOptions;
use switchhook_store::sqlite::SqliteStore;

use crate::support::rig::{COMPANY, Reaction, Rig, START};

#[tokio::test(start_paused = true)]
async fn no_more_attempts_are_under_way_than_the_webhook_allows() {
    let rig = Rig::new(|_| Reaction::Slowly(200, Duration::from_secs(1))).await;
    let id = rig
        .webhook(WebhookSettings {
            max_in_flight: Some(3),
            ..WebhookSettings::default()
        })
        .await;
    for call in 0..200 {
        rig.call(call, "hangup").await;
    }
    rig.wait(Duration::from_secs(120)).await;
    assert_eq!(rig.network.most_under_way(id), 3);
    assert_eq!(rig.network.seen().len(), 200);
}

#[tokio::test(start_paused = true)]
async fn its_own_headers_and_content_type_are_sent() {
    let rig = Rig::new(|_| Reaction::Answer(200)).await;
    let headers = BTreeMap::from([("x-team".to_owned(), "blue".to_owned())]);
    let settings = WebhookSettings {
        headers,
        jwt_content_type: Some("text/plain".to_owned()),
        ..WebhookSettings::default()
    };
    rig.signed_webhook(settings, Some("a secret")).await;
    rig.call(1, "hangup").await;
    rig.wait(Duration::from_secs(1)).await;
    let seen = rig.network.seen().remove(0);
    assert_eq!(seen.headers["x-team"], "blue");
    assert_eq!(seen.headers["content-type"], "text/plain");
    assert!(
        seen.headers["user-agent"]
            .to_str()
            .unwrap()
            .starts_with("Switchhook/")
    );
    let verified = switchhook_protocol::verify(&seen.body, ["a secret"]).unwrap();
    assert_eq!(verified, br#"{"call_id":1,"state":"hangup"}"#);
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_everything_and_a_resume_sends_it_in_order() {
    let rig = Rig::new(|_| Reaction::Answer(200)).await;
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
    for n in 0..500 {
        rig.call(7, &format!("state-{n}")).await;
    }
    rig.wait(Duration::from_secs(3600)).await;
    assert_eq!(rig.network.seen().len(), 0);
    set_paused(None).await;
    rig.wait(Duration::from_secs(60)).await;
    let ids: Vec<_> = rig.network.seen().iter().map(|seen| seen.delivery_id).collect();
    assert_eq!(ids.len(), 500);
    assert!(ids.is_sorted());
}

#[tokio::test(start_paused = true)]
async fn deleting_a_webhook_cancels_what_was_pending() {
    let rig = Rig::new(|_| Reaction::Answer(500)).await;
    let id = rig.webhook(WebhookSettings::default()).await;
    for call in 0..1500 {
        rig.call(call, "hangup").await;
    }
    rig.wait(Duration::from_secs(1)).await;
    rig.store
        .delete_webhook(COMPANY, id, rig.node.clock.now())
        .await
        .unwrap();
    rig.node.registry.refresh(COMPANY).await.unwrap();
    rig.node.engine.nudge(id);
    rig.wait(Duration::from_secs(30)).await;
    assert!(
        rig.deliveries()
            .await
            .iter()
            .all(|delivery| delivery.state.name() == StateName::Cancelled)
    );
}

/// Deliveries that the node of the next test may hold in memory: fewer than what its hanging receivers leave behind.
const MOST_IN_MEMORY: u32 = 1_000;

#[tokio::test(start_paused = true)]
async fn receivers_that_never_answer_do_not_delay_the_others() {
    let store = SqliteStore::in_memory(StoreOptions::owner(START)).unwrap();
    let settings = Settings {
        max_handed_over: MOST_IN_MEMORY,
        ..Settings::default()
    };
    let rig = Rig::on(store, settings, |seen| match seen.webhook_id.0 % 10 {
        0 => Reaction::Silence,
        _ => Reaction::Answer(200),
    })
    .await;
    let (mut healthy, mut hanging) = (Vec::new(), Vec::new());
    while healthy.len() < 90 || hanging.len() < 10 {
        let id = rig.webhook(WebhookSettings::default()).await;
        match id.0 % 10 {
            0 => hanging.push(id),
            _ => healthy.push(id),
        }
    }
    let in_memory = |id: &WebhookId| {
        let route = rig.node.registry.destination(*id).expect("it exists");
        route.load().handed_over.load(Ordering::Relaxed)
    };
    for call in 0..200 {
        rig.call(call, "hangup").await;
        rig.wait(Duration::from_millis(50)).await;
        let held: u32 = healthy.iter().chain(&hanging).map(in_memory).sum();
        // What is accepted at the moment at which the limit is reached may go beyond it: here, one event for each webhook.
        assert!(held < MOST_IN_MEMORY + 100, "{held} deliveries are in memory");
    }
    let accepted_at: std::collections::HashMap<_, _> = rig
        .deliveries()
        .await
        .into_iter()
        .filter(|delivery| healthy.contains(&delivery.webhook_id))
        .map(|delivery| (delivery.id.0, delivery.created_at.since(START)))
        .collect();
    assert!(accepted_at.len() >= 90 * 50, "{}", accepted_at.len());
    for seen in rig.network.seen() {
        if let Some(accepted_at) = accepted_at.get(&seen.delivery_id) {
            assert!(
                seen.at - *accepted_at < Duration::from_millis(5),
                "{seen:?} was accepted at {accepted_at:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_in_quiet_hours_and_everything_when_they_end() {
    // It is 14:13:20 when the test begins.
    let rig = Rig::new(|seen| match seen.attempt {
        1 if seen.at < Duration::from_secs(60) => Reaction::Answer(503),
        _ => Reaction::Answer(200),
    })
    .await;
    let id = rig
        .webhook(WebhookSettings {
            quiet_hours: Some("16:14-18:00 +02:00".to_owned()),
            ..WebhookSettings::default()
        })
        .await;
    rig.call(1, "ringing").await;
    rig.wait(Duration::from_secs(60)).await;
    let before = rig.network.seen().len();
    assert!(before >= 2, "it was tried again before they began");
    for n in 0..4 {
        rig.call(2, &format!("state-{n}")).await;
    }
    let operator = Caller {
        key_id: KeyId(1),
        company_id: COMPANY,
        admin: true,
        rights: Rights::all(),
        scopes: Scopes::ALL,
    };
    let test = webhooks::test(&rig.node, operator, id, Kind::Call).await;
    assert_eq!(test.unwrap().deliveries.len(), 1);
    let retried = webhooks::retry(&rig.node, operator, id).await;
    let refused = retried.map(drop).unwrap_err().to_string();
    assert!(refused.contains("until 2026-09-21T16:00:00"), "{refused}");
    rig.wait(Duration::from_secs(3_600)).await;
    assert_eq!(rig.network.seen().len(), before, "nothing is sent");
    let deliveries = rig.deliveries().await;
    let waiting = deliveries
        .iter()
        .find(|delivery| !delivery.state.is_final())
        .unwrap();
    let standing = switchhook_node::deliveries::status(&rig.node, waiting)
        .await
        .unwrap();
    assert_eq!(standing.label, "held: quiet hours");
    assert!(
        standing.text.contains("when they end at 2026-09-21T16:00:00"),
        "{}",
        standing.text
    );
    rig.wait(Duration::from_secs(3_600)).await;
    let seen = rig.network.seen();
    assert_eq!(seen.len(), before + 5);
    let of_one_call = seen[before..]
        .iter()
        .filter(|seen| seen.body.starts_with(br#"{"call_id":2,"#));
    let in_order: Vec<_> = of_one_call.map(|seen| seen.delivery_id).collect();
    assert!(in_order.len() == 4 && in_order.is_sorted(), "{in_order:?}");
    let ended = Duration::from_secs(6_400);
    for seen in &seen[before..] {
        assert!(
            seen.at >= ended && seen.at < ended + Duration::from_secs(60),
            "{:?}",
            seen.at
        );
    }
    let health = rig
        .node
        .registry
        .destination(id)
        .unwrap()
        .load()
        .health
        .read()
        .breaker;
    assert!(!health.is_open());
}
