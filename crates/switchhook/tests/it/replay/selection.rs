//! Selection and destinations: the same webhooks, another one, a URL; everything, or what never arrived.

use std::time::Duration;

use switchhook_domain::Kind;
use switchhook_domain::delivery::StateName;
use switchhook_domain::replay::{ReplayFilter, ReplayState};
use switchhook_domain::webhook::WebhookSettings;
use switchhook_node::replays::ReplayTarget;

use super::{event_of, everything, header};
use crate::support::rig::{COMPANY, Reaction, Rig};

#[tokio::test(start_paused = true)]
async fn each_webhook_gets_again_what_it_was_sent() {
    let rig = Rig::new(|_| Reaction::Answer(200)).await;
    let (one, two) = (
        rig.webhook(WebhookSettings::default()).await,
        rig.webhook(WebhookSettings::default()).await,
    );
    for call in 0..20 {
        rig.call(call, "hangup").await;
    }
    rig.accept(Kind::Sms, r#"{"id":1}"#).await;
    rig.wait(Duration::from_secs(5)).await;
    let originals = rig.deliveries().await;
    let id = rig.replay(everything()).await;
    let replay = rig.wait_for_replay(id).await;
    assert!(matches!(replay.state, ReplayState::Finished { .. }), "{replay:?}");
    assert_eq!((replay.progress.created, replay.progress.delivered), (40, 40));
    assert_eq!((replay.progress.scanned, replay.estimate.total), (21, 40));
    let seen = rig.seen_of(id);
    for webhook in [one, two] {
        assert_eq!(seen.iter().filter(|one| one.webhook_id == webhook).count(), 20);
    }
    let after = rig.deliveries().await;
    assert_eq!(after[..originals.len()], originals, "history is not rewritten");
    for made in &after[originals.len()..] {
        let origin = originals.iter().find(|one| Some(one.id) == made.origin).unwrap();
        assert_eq!(
            (origin.event_id, origin.webhook_id),
            (made.event_id, made.webhook_id)
        );
        assert_eq!(made.replay_id, Some(id));
    }
    let first = rig.network.seen().remove(0);
    assert!(
        !first.headers.contains_key("switchhook-replay"),
        "only replays have it"
    );
}

#[tokio::test(start_paused = true)]
async fn what_was_not_delivered_is_replayed_once_and_not_again() {
    let rig = Rig::new(|seen| {
        let is_replay = seen.headers.contains_key("switchhook-replay");
        let is_refused = seen.body.starts_with(b"{\"call_id\":1") && !is_replay;
        Reaction::Answer(if is_refused { 410 } else { 200 })
    })
    .await;
    rig.webhook(WebhookSettings::default()).await;
    for call in 0..60 {
        rig.call(call, "hangup").await;
    }
    rig.wait(Duration::from_secs(5)).await;
    let given_up = rig
        .deliveries()
        .await
        .iter()
        .filter(|one| one.state.name() == StateName::Exhausted)
        .count();
    assert_eq!(given_up, 11);
    let not_delivered = ReplayFilter {
        not_delivered: true,
        ..ReplayFilter::default()
    };
    let first = rig.replay(not_delivered.clone()).await;
    assert_eq!(
        rig.wait_for_replay(first).await.progress.delivered,
        given_up as u64
    );
    assert_eq!(rig.seen_of(first).len(), given_up);
    let again = rig.replay(not_delivered).await;
    assert_eq!(rig.wait_for_replay(again).await.progress.created, 0);
}

#[tokio::test(start_paused = true)]
async fn another_webhook_gets_each_event_once() {
    let rig = Rig::new(|_| Reaction::Answer(200)).await;
    rig.webhook(WebhookSettings::default()).await;
    rig.webhook(WebhookSettings::default()).await;
    for call in 0..10 {
        rig.call(call, "hangup").await;
    }
    rig.wait(Duration::from_secs(1)).await;
    let third = rig.webhook(WebhookSettings::default()).await;
    let id = rig
        .replay_to(everything(), ReplayTarget::Webhook(third), None)
        .await;
    assert_eq!(rig.wait_for_replay(id).await.progress.delivered, 10);
    let seen = rig.seen_of(id);
    assert!(seen.iter().all(|one| one.webhook_id == third));
    assert_eq!(super::deliveries_by_event(&seen).len(), 10);
}

#[tokio::test(start_paused = true)]
async fn an_address_gets_signed_deliveries_and_leaves_nothing_behind() {
    let rig = Rig::new(|_| Reaction::Answer(200)).await;
    rig.webhook(WebhookSettings::default()).await;
    for call in 0..10 {
        rig.call(call, "hangup").await;
    }
    rig.wait(Duration::from_secs(1)).await;
    let to = ReplayTarget::Url {
        url: "https://example.com/elsewhere".to_owned(),
        secret: Some("a secret".to_owned()),
    };
    let id = rig.replay_to(everything(), to, None).await;
    let replay = rig.wait_for_replay(id).await;
    assert_eq!(replay.progress.delivered, 10);
    let seen = rig.seen_of(id);
    assert_eq!(seen.len(), 10);
    let verified = switchhook_protocol::verify(&seen[0].body, ["a secret"]).unwrap();
    assert_eq!(verified, br#"{"call_id":0,"state":"hangup"}"#);
    let delivery = rig.deliveries().await.pop().unwrap();
    let attempt = rig.store.attempts_of(delivery.id).await.unwrap().remove(0);
    assert_eq!(&*attempt.request.unwrap().url, "https://example.com/elsewhere");
    let own = replay.to.webhook_id().unwrap();
    assert!(rig.store.webhook(COMPANY, own).await.is_err());
    assert!(
        rig.node.registry.destination(own).is_none(),
        "it went with the replay"
    );
}

#[tokio::test(start_paused = true)]
async fn named_events_are_sent_and_nothing_else() {
    let rig = Rig::new(|_| Reaction::Answer(200)).await;
    rig.webhook(WebhookSettings::default()).await;
    let mut ids = Vec::new();
    for call in 0..5 {
        ids.push(rig.call(call, "hangup").await.id);
    }
    rig.wait(Duration::from_secs(1)).await;
    let named = ReplayFilter {
        ids: Some(vec![ids[1], ids[3]]),
        ..ReplayFilter::default()
    };
    let id = rig.replay(named).await;
    rig.wait_for_replay(id).await;
    let events: Vec<_> = rig.seen_of(id).iter().map(event_of).collect();
    assert_eq!(events, [ids[1], ids[3]]);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_webhook_is_skipped_or_ends_the_replay() {
    let rig = Rig::new(|_| Reaction::Answer(200)).await;
    let gone = rig.webhook(WebhookSettings::default()).await;
    let stays = rig.webhook(WebhookSettings::default()).await;
    for call in 0..10 {
        rig.call(call, "hangup").await;
    }
    rig.wait(Duration::from_secs(1)).await;
    let slow = rig
        .replay_to(everything(), ReplayTarget::Webhook(gone), Some(1.0))
        .await;
    rig.wait(Duration::from_millis(500)).await;
    rig.store
        .delete_webhook(COMPANY, gone, rig.node.clock.now())
        .await
        .unwrap();
    rig.node.registry.refresh(COMPANY).await.unwrap();
    rig.node.engine.nudge(gone);
    let failed = rig.wait_for_replay(slow).await;
    assert!(
        matches!(&failed.state, ReplayState::Failed { reason, .. } if reason.contains("deleted")),
        "{failed:?}"
    );
    rig.wait(Duration::from_secs(30)).await;
    assert_eq!(rig.replay_now(slow).await.progress.pending(), 0);

    let id = rig.replay(everything()).await;
    let replay = rig.wait_for_replay(id).await;
    assert_eq!((replay.progress.created, replay.progress.skipped), (10, 10));
    assert!(rig.seen_of(id).iter().all(|one| one.webhook_id == stays));
    assert_eq!(header(&rig.seen_of(id)[0], "switchhook-attempt"), "1");
}
