//! Events that come again with the same key.

use std::time::Duration;

use bytes::Bytes;
use switchhook_domain::Timestamp;
use switchhook_domain::id::WebhookId;
use switchhook_store::{Idempotency, NewEvent, Recorded};

use crate::samples::{NOON, OTHER_COMPANY};
use crate::world::World;

const HOOK: WebhookId = WebhookId(7);

/// The same event each time, but for its ids.
fn event(world: &World, key: &str, body: &str) -> NewEvent {
    NewEvent {
        body: Bytes::copy_from_slice(body.as_bytes()),
        warnings: vec!["`state` is \"new\"".into()],
        idempotency: Some(Idempotency {
            key: key.into(),
            not_before: NOON,
        }),
        deliveries: vec![world.delivery(HOOK), world.delivery(WebhookId(8))],
        ..world.event()
    }
}

#[track_caller]
fn check_repeats(answer: &Recorded, first: &NewEvent) {
    let Recorded::Repeated { event, deliveries } = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(
        (event.id, &event.body, &event.warnings),
        (first.id, &first.body, &first.warnings)
    );
    assert_eq!(
        event.idempotency_key.as_deref(),
        first.idempotency.as_ref().map(|i| i.key.as_str())
    );
    let ids: Vec<_> = deliveries.iter().map(|delivery| delivery.id).collect();
    assert_eq!(
        ids,
        first
            .deliveries
            .iter()
            .map(|delivery| delivery.id)
            .collect::<Vec<_>>()
    );
}

pub(crate) async fn the_same_key_and_body_get_the_first_answer(world: &mut World) {
    let first = event(world, "a", "{}");
    assert_eq!(world.record(first.clone()).await, Recorded::Kept);
    world.effects();
    let again = event(world, "a", "{}");
    check_repeats(&world.record(again.clone()).await, &first);
    assert_eq!(world.effects(), [], "nothing is sent again");
    assert!(
        world.store.event(first.company_id, again.id).await.is_err(),
        "nothing is kept again"
    );
}

pub(crate) async fn the_same_key_with_another_body_is_refused(world: &mut World) {
    world.record(event(world, "a", "{}")).await;
    let other = event(world, "a", "{ }");
    assert_eq!(world.record(other.clone()).await, Recorded::KeyReused);
    assert!(
        world.store.event(other.company_id, other.id).await.is_err(),
        "it is not kept"
    );
}

pub(crate) async fn a_key_used_too_long_ago_is_free_again(world: &mut World) {
    let first = event(world, "a", "{}");
    world.record(first.clone()).await;
    world.after(3_600);
    let mut later = event(world, "a", "{\"other\":1}");
    later.idempotency = Some(Idempotency {
        key: "a".into(),
        not_before: NOON.plus(Duration::from_secs(1)),
    });
    assert_eq!(world.record(later.clone()).await, Recorded::Kept);
    let old = world.store.event(first.company_id, first.id).await.unwrap();
    assert_eq!(old.idempotency_key, None, "the old use is forgotten");
    let mut again = event(world, "a", "{\"other\":1}");
    again.idempotency = later.idempotency.clone();
    check_repeats(&world.record(again).await, &later);
}

pub(crate) async fn two_equal_keys_in_one_batch_are_one_event(world: &mut World) {
    let (first, second) = (event(world, "a", "{}"), event(world, "a", "{}"));
    let (third, fourth) = (event(world, "a", "[]"), event(world, "b", "{}"));
    let batch = vec![first.clone(), second, third, fourth];
    let answers = world.store.record_events(batch).await.unwrap();
    assert_eq!(answers[0], Recorded::Kept);
    check_repeats(&answers[1], &first);
    assert_eq!(answers[2..], [Recorded::KeyReused, Recorded::Kept]);
}

pub(crate) async fn two_equal_keys_at_once_are_one_event(world: &mut World) {
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let (store, event) = (world.store.clone(), event(world, "a", "{}"));
            tokio::spawn(async move { store.record_events(vec![event]).await.unwrap().remove(0) })
        })
        .collect();
    let mut kept = 0;
    for call in calls {
        match call.await.unwrap() {
            Recorded::Kept => kept += 1,
            Recorded::Repeated { .. } => {}
            Recorded::KeyReused => panic!("the bodies are equal"),
        }
    }
    assert_eq!(kept, 1);
}

pub(crate) async fn keys_of_two_companies_do_not_meet(world: &mut World) {
    let mut other = event(world, "a", "[]");
    other.company_id = OTHER_COMPANY;
    assert_eq!(world.record(event(world, "a", "{}")).await, Recorded::Kept);
    assert_eq!(world.record(other).await, Recorded::Kept);
}

pub(crate) async fn a_redelivery_is_no_part_of_the_first_answer(world: &mut World) {
    let webhook_id = world.webhook().await;
    let mut first = event(world, "a", "{}");
    first.deliveries = vec![world.delivery(webhook_id)];
    world.record(first.clone()).await;
    let new_id = switchhook_domain::id::DeliveryId(world.id());
    let now: Timestamp = world.now;
    world
        .store
        .redeliver(first.company_id, first.deliveries[0].id, new_id, now)
        .await
        .unwrap();
    check_repeats(&world.record(event(world, "a", "{}")).await, &first);
}
