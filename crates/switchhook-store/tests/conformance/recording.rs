//! New events and what they set going.

use bytes::Bytes;
use switchhook_domain::delivery::DeliveryState;
use switchhook_domain::id::{DeliveryId, WebhookId};
use switchhook_domain::order::LONGEST_BLOCK;
use switchhook_domain::retry::Failures;
use switchhook_domain::{Kind, Timestamp};
use switchhook_store::{Idempotency, NewEvent, Recorded, StoreError};

use crate::samples::{COMPANY, LEASE, order_key};
use crate::world::{Effect, World};

const HOOK: WebhookId = WebhookId(7);

pub(crate) async fn an_event_reads_back_byte_for_byte(world: &mut World) {
    let body = " {\"a\" : 1e400, \"b\":\"\\u0000 \\ud83d\\ude00 ü 😀\",\r\n\t\"a\":12345678901234567890 } ";
    let event = NewEvent {
        kind: Kind::AgentStatus,
        body: Bytes::from_static(body.as_bytes()),
        order_key: Some(order_key(9)),
        warnings: vec!["one".into(), "two \"quoted\"".into()],
        idempotency: Some(Idempotency {
            key: "k:1".into(),
            not_before: world.now,
        }),
        ..world.event()
    };
    world.record(event.clone()).await;
    let kept = world.store.event(COMPANY, event.id).await.unwrap();
    assert_eq!(kept.body, event.body);
    assert_eq!(
        (kept.kind, kept.accepted_at, kept.order_key),
        (event.kind, event.accepted_at, event.order_key)
    );
    assert_eq!(
        (kept.warnings, kept.idempotency_key.as_deref()),
        (event.warnings, Some("k:1"))
    );
}

pub(crate) async fn a_delivery_that_asks_for_it_is_born_claimed(world: &mut World) {
    let new = world.claimed(HOOK);
    let event = NewEvent {
        order_key: Some(order_key(1)),
        deliveries: vec![new.clone()],
        ..world.event()
    };
    world.record(event.clone()).await;
    let claimed = world.the_claimed();
    assert_eq!(claimed.body, event.body);
    let delivery = &claimed.delivery;
    assert_eq!(
        *delivery,
        world.get(new.id).await,
        "what is handed over is what is kept"
    );
    assert_eq!((delivery.attempt_number, delivery.ordinal), (1, 0));
    assert_eq!(
        delivery.state,
        DeliveryState::Pending {
            due_at: world.now.plus(LEASE)
        }
    );
    assert_eq!(delivery.blocks_until, world.now.plus(LONGEST_BLOCK));
    assert_eq!(
        (delivery.event_id, delivery.webhook_id, delivery.kind),
        (event.id, HOOK, event.kind)
    );
    assert_eq!(
        (&delivery.subscription_ids, delivery.hidden),
        (&new.subscription_ids, new.hidden)
    );
    assert_eq!(
        (&delivery.order_key, delivery.failures),
        (&event.order_key, Failures::default())
    );
    assert_eq!((&delivery.note, delivery.origin), (&None, None));
    assert!(
        world.attempts(new.id).await.is_empty(),
        "an open attempt is not listed"
    );
}

pub(crate) async fn a_delivery_that_does_not_is_due_at_once(world: &mut World) {
    let id = world.leave(1, HOOK).await;
    assert_eq!(world.effects(), [Effect::Due(HOOK, world.now)]);
    let delivery = world.get(id).await;
    assert_eq!(
        (delivery.state, delivery.attempt_number),
        (DeliveryState::Pending { due_at: world.now }, 0)
    );
}

pub(crate) async fn the_hand_over_comes_before_the_answer_and_in_order(world: &mut World) {
    let events: Vec<_> = (0..10)
        .map(|number| NewEvent {
            order_key: Some(order_key(number % 3)),
            deliveries: vec![world.claimed(HOOK), world.claimed(WebhookId(8))],
            ..world.event()
        })
        .collect();
    let expected: Vec<_> = events
        .iter()
        .flat_map(|event| &event.deliveries)
        .map(|new| Effect::Claimed(new.id, 1))
        .collect();
    world.store.record_events(events).await.unwrap();
    assert_eq!(world.effects(), expected);
}

pub(crate) async fn an_event_without_deliveries_is_kept_and_hands_nothing_over(world: &mut World) {
    let event = world.event();
    assert_eq!(world.record(event.clone()).await, Recorded::Kept);
    assert_eq!(world.effects(), []);
    assert!(world.store.event(COMPANY, event.id).await.is_ok());
    assert_eq!(world.store.record_events(Vec::new()).await.unwrap(), []);
}

pub(crate) async fn a_failing_neighbour_fails_alone(world: &mut World) {
    let kept = world.event();
    world.record(kept.clone()).await;
    let calls: Vec<_> = (0..50)
        .map(|number| {
            let new = NewEvent {
                deliveries: vec![world.claimed(HOOK)],
                ..world.event()
            };
            let is_bad = number % 7 == 3;
            let event = if is_bad {
                NewEvent { id: kept.id, ..new }
            } else {
                new
            };
            let (store, delivery_id) = (world.store.clone(), event.deliveries[0].id);
            let call = tokio::spawn(async move { store.record_events(vec![event]).await });
            (is_bad, delivery_id, call)
        })
        .collect();
    let mut expected: Vec<Effect> = Vec::new();
    for (is_bad, delivery_id, call) in calls {
        let answer = call.await.unwrap();
        if is_bad {
            assert!(matches!(answer, Err(StoreError::Conflict(_))), "{answer:?}");
            assert!(world.store.delivery(COMPANY, delivery_id).await.is_err());
        } else {
            assert_eq!(answer.unwrap(), [Recorded::Kept]);
            expected.push(Effect::Claimed(delivery_id, 1));
        }
    }
    let mut effects = world.effects();
    let id = |effect: &Effect| {
        if let Effect::Claimed(id, _) = effect {
            *id
        } else {
            DeliveryId(0)
        }
    };
    effects.sort_by_key(id);
    expected.sort_by_key(id);
    assert_eq!(
        effects, expected,
        "each that was kept was handed over once, and no other"
    );
}

pub(crate) async fn an_event_is_kept_whole_or_not_at_all(world: &mut World) {
    let taken = world.leave(1, HOOK).await;
    world.effects();
    let mut second = world.delivery(HOOK);
    second.id = taken;
    let event = NewEvent {
        deliveries: vec![world.claimed(HOOK), second],
        ..world.event()
    };
    let answer = world.store.record_events(vec![event.clone()]).await;
    assert!(matches!(answer, Err(StoreError::Conflict(_))), "{answer:?}");
    assert!(world.store.event(COMPANY, event.id).await.is_err());
    assert!(
        world
            .store
            .delivery(COMPANY, event.deliveries[0].id)
            .await
            .is_err()
    );
    assert_eq!(world.effects(), []);
    let none_late: Timestamp = world.now;
    assert_eq!(
        world.state(taken).await,
        DeliveryState::Pending { due_at: none_late }
    );
}
