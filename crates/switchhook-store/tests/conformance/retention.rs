//! Retention and erasure: what goes, and what stays.

use std::time::Duration;

use bytes::Bytes;
use switchhook_domain::attempt::HeaderRecord;
use switchhook_domain::company::CompanyChange;
use switchhook_domain::delivery::DeliveryState;
use switchhook_domain::id::{DeliveryId, EventId, WebhookId};
use switchhook_domain::order::OrderKey;
use switchhook_domain::webhook::WebhookChange;
use switchhook_store::{
    ErasureExtent, ErasureSlice, Idempotency, NewEvent, PageRequest, PayloadSlice, Recorded, RemovalReason,
    RemovalSlice, StoreError,
};

use crate::samples::{self, COMPANY, NOON, OTHER_COMPANY, key, webhook};
use crate::world::World;

const HOOK: WebhookId = WebhookId(7);
const NUMBER: &str = "+15551234567";

async fn remove(world: &World, limit: u32) -> (u64, u64, u64) {
    let mut slice = RemovalSlice {
        after: None,
        before: world.now,
        limit,
        bytes: 1 << 20,
    };
    let mut sum = (0, 0, 0);
    loop {
        let removed = world.store.remove_events(slice).await.expect("they are removed");
        assert!(removed.events <= u64::from(limit));
        sum = (
            sum.0 + removed.events,
            sum.1 + removed.deliveries,
            sum.2 + removed.attempts,
        );
        match removed.next {
            Some(next) => slice.after = Some(next),
            None => return sum,
        }
    }
}

pub(crate) async fn the_oldest_go_with_all_that_is_theirs(world: &mut World) {
    let mut ids = Vec::new();
    for call in 0..5 {
        let id = world.send(call, HOOK).await;
        world.succeed(id, 1).await;
        ids.push(id);
        world.after(60);
    }
    let young = world.send(9, HOOK).await;
    let events: Vec<_> = [world.event_of(ids[0]).await, world.event_of(young).await].into();
    let before = world.now;
    assert_eq!(remove(world, 2).await, (5, 5, 5));
    assert!(matches!(
        world.store.event(COMPANY, events[0]).await,
        Err(StoreError::NotFound(_))
    ));
    assert!(world.attempts(ids[0]).await.is_empty());
    assert!(world.store.event(COMPANY, events[1]).await.is_ok());
    assert_eq!(world.now, before);
    assert_eq!(remove(world, 2).await, (0, 0, 0));
}

pub(crate) async fn a_slice_is_bounded_by_bytes_too(world: &mut World) {
    for _ in 0..4 {
        let body = Bytes::from(format!(r#"{{"x":"{}"}}"#, "x".repeat(4_000)));
        world
            .record(NewEvent {
                body,
                ..world.event()
            })
            .await;
    }
    world.after(60);
    let mut removed = Vec::new();
    let mut after = None;
    for bytes in [0, 6_000, 6_000] {
        let slice = RemovalSlice {
            after,
            before: world.now,
            limit: 100,
            bytes,
        };
        let one = world.store.remove_events(slice).await.unwrap();
        (after, removed) = (one.next, [removed, vec![one.events]].concat());
    }
    assert_eq!(removed, [1, 2, 1]);
}

pub(crate) async fn what_something_needs_stays(world: &mut World) {
    let pending = world.leave(1, HOOK).await;
    let open = world.send(2, HOOK).await;
    let cancelled = world.send(3, HOOK).await;
    world
        .store
        .cancel_delivery(COMPANY, cancelled, world.now)
        .await
        .unwrap();
    let done = world.send(4, HOOK).await;
    world.succeed(done, 1).await;
    world.after(60);
    assert_eq!(remove(world, 9).await.0, 1, "only the one that is done");
    for id in [pending, open, cancelled] {
        world.get(id).await;
    }
    world.succeed(open, 1).await;
    world.succeed(cancelled, 1).await;
    assert_eq!(
        remove(world, 9).await.0,
        1,
        "one ended when it was cancelled, the other just now"
    );
    world.after(1);
    assert_eq!(remove(world, 9).await, (1, 1, 1));
    world.get(pending).await;
}

pub(crate) async fn an_idempotency_key_goes_with_its_event(world: &mut World) {
    let idempotency = Idempotency {
        key: "once".into(),
        not_before: NOON,
    };
    let event = |world: &World| NewEvent {
        idempotency: Some(idempotency.clone()),
        body: Bytes::from_static(b"{}"),
        ..world.event()
    };
    world.record(event(world)).await;
    world.after(60);
    assert!(matches!(
        world.record(event(world)).await,
        Recorded::Repeated { .. }
    ));
    assert_eq!(remove(world, 9).await.0, 1);
    assert_eq!(world.record(event(world)).await, Recorded::Kept);
}

/// A text of which nothing repeats itself: some stores take less room for others.
fn incompressible(seed: u64, length: usize) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        char::from(LETTERS[usize::try_from(state >> 58).unwrap()])
    };
    (0..length).map(|_| next()).collect()
}

pub(crate) async fn a_store_knows_how_large_it_is(world: &mut World) {
    let before = world.store.size().await.unwrap();
    assert!(before.used > 0 && before.file >= before.used);
    for seed in 0..200 {
        let body = Bytes::from(format!(
            r#"{{"call_id":1,"x":"{}"}}"#,
            incompressible(seed, 4_000)
        ));
        world
            .record(NewEvent {
                body,
                ..world.event()
            })
            .await;
    }
    let full = world.store.size().await.unwrap();
    assert!(full.used > before.used + 200 * 4_000, "{full:?}");
    world.after(60);
    remove(world, 50).await;
    let emptied = world.store.size().await.unwrap();
    assert!(
        emptied.used < full.used / 2 && emptied.file >= full.used,
        "{emptied:?}"
    );
}

pub(crate) async fn payloads_go_once_they_are_delivered(world: &mut World) {
    let delivered = world.send(1, HOOK).await;
    world.succeed(delivered, 1).await;
    let pending = world.leave(2, HOOK).await;
    let nowhere = world.event();
    world.record(nowhere.clone()).await;
    let slice = PayloadSlice {
        company_id: COMPANY,
        after: None,
        limit: 2,
    };
    let first = world.store.drop_payloads(slice, world.now).await.unwrap();
    assert_eq!(first.payloads, 1);
    let rest = PayloadSlice {
        after: first.next,
        ..slice
    };
    let second = world.store.drop_payloads(rest, world.now).await.unwrap();
    assert_eq!((second.payloads, second.next), (1, None));
    assert_eq!(
        world
            .store
            .drop_payloads(slice, world.now)
            .await
            .unwrap()
            .payloads,
        0
    );

    let event_id = world.event_of(delivered).await;
    let event = world.store.event(COMPANY, event_id).await.unwrap();
    assert!(event.body.is_empty());
    assert_eq!(event.payload_removed.unwrap().reason, RemovalReason::Delivered);
    let answer = world.attempts(delivered).await.remove(0).answer.unwrap();
    assert_eq!(
        (answer.body_head.len(), answer.headers),
        (0, HeaderRecord::default())
    );
    let kept = world
        .store
        .event(COMPANY, world.event_of(pending).await)
        .await
        .unwrap();
    assert!(!kept.body.is_empty() && kept.payload_removed.is_none());
    let webhook = world.webhook().await;
    assert_ne!(webhook, HOOK);
    let again = world
        .store
        .redeliver(COMPANY, delivered, DeliveryId(world.id()), world.now)
        .await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
}

/// An event in which the number occurs, with a delivery.
async fn about_the_number(world: &World) -> DeliveryId {
    let delivery = world.claimed(HOOK);
    let id = delivery.id;
    let body = Bytes::from(format!(r#"{{"call_id":1,"external_number":"{NUMBER}"}}"#));
    world
        .record(NewEvent {
            body,
            warnings: vec![format!("/external_number: {NUMBER}")],
            deliveries: vec![delivery],
            order_key: Some(samples::order_key(1)),
            ..world.event()
        })
        .await;
    id
}

fn slice(extent: ErasureExtent) -> ErasureSlice {
    ErasureSlice {
        company_id: COMPANY,
        number: NUMBER.parse().expect("it is one"),
        after: None,
        limit: 100,
        extent,
    }
}

pub(crate) async fn a_number_is_erased_and_the_record_stays(world: &mut World) {
    let delivered = about_the_number(world).await;
    world.succeed(delivered, 1).await;
    let under_way = about_the_number(world).await;
    let follower = world.leave(1, HOOK).await;
    let other = world.send(2, HOOK).await;

    let counted = world
        .store
        .erase_number(slice(ErasureExtent::Count), world.now)
        .await
        .unwrap();
    assert_eq!((counted.examined, counted.events, counted.attempts), (4, 2, 0));
    let erased = world
        .store
        .erase_number(slice(ErasureExtent::Erase), world.now)
        .await
        .unwrap();
    assert_eq!(
        (
            erased.examined,
            erased.events,
            erased.cancelled,
            erased.attempts,
            erased.next
        ),
        (4, 2, 1, 1, None)
    );

    let event = world
        .store
        .event(COMPANY, world.event_of(delivered).await)
        .await
        .unwrap();
    assert_eq!((event.body.len(), event.warnings.len()), (0, 0));
    assert_eq!(event.payload_removed.unwrap().reason, RemovalReason::Erased);
    assert_eq!(event.order_key, Some(samples::order_key(1)), "an id is no number");
    let kept = world.get(delivered).await;
    assert_eq!(kept.state, DeliveryState::Delivered { at: world.now });
    assert!(kept.note.unwrap().contains("erased"));
    let answer = world.attempts(delivered).await.remove(0).answer.unwrap();
    assert_eq!(
        (answer.body_head.len(), answer.headers),
        (0, HeaderRecord::default())
    );

    assert_eq!(
        world.state(under_way).await,
        DeliveryState::Cancelled { at: world.now }
    );
    world.succeed(under_way, 1).await;
    let late = world.attempts(under_way).await.remove(0).answer.unwrap();
    assert_eq!(
        (late.body_head.len(), late.headers),
        (0, HeaderRecord::default()),
        "what comes back later is not kept either"
    );
    assert_eq!(world.claim(HOOK, 9).await.claimed, 1, "the follower is free");
    world.get(follower).await;
    assert!(
        !world
            .store
            .event(COMPANY, world.event_of(other).await)
            .await
            .unwrap()
            .body
            .is_empty()
    );
    let again = world
        .store
        .erase_number(slice(ErasureExtent::Erase), world.now)
        .await
        .unwrap();
    assert_eq!(again.events, 0);
}

pub(crate) async fn a_number_is_erased_from_order_keys(world: &mut World) {
    let delivery = world.claimed(HOOK);
    let id = delivery.id;
    world
        .record(NewEvent {
            body: Bytes::from_static(b"{}"),
            deliveries: vec![delivery],
            order_key: Some(OrderKey::new(format!("contact:{NUMBER}"))),
            ..world.event()
        })
        .await;
    let erased = world
        .store
        .erase_number(slice(ErasureExtent::Erase), world.now)
        .await
        .unwrap();
    assert_eq!((erased.events, erased.cancelled), (1, 1));
    let event = world
        .store
        .event(COMPANY, world.event_of(id).await)
        .await
        .unwrap();
    assert_eq!((event.order_key, world.get(id).await.order_key), (None, None));
}

pub(crate) async fn an_erasure_goes_slice_by_slice_and_through_one_company(world: &mut World) {
    for _ in 0..5 {
        about_the_number(world).await;
    }
    let body = Bytes::from(format!(r#"{{"n":"{NUMBER}"}}"#));
    let foreign = NewEvent {
        company_id: OTHER_COMPANY,
        body,
        ..world.event()
    };
    world.record(foreign.clone()).await;
    let (mut events, mut after) = (0, None);
    loop {
        let one = ErasureSlice {
            after,
            limit: 2,
            ..slice(ErasureExtent::Erase)
        };
        let erased = world.store.erase_number(one, world.now).await.unwrap();
        assert!(erased.examined <= 2);
        events += erased.events;
        after = erased.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(events, 5);
    let event: EventId = foreign.id;
    assert!(
        world
            .store
            .event(OTHER_COMPANY, event)
            .await
            .unwrap()
            .payload_removed
            .is_none()
    );
}

pub(crate) async fn companies_are_listed_and_changed(world: &mut World) {
    let store = &world.store;
    store.create_key(key(1, COMPANY)).await.unwrap();
    store.create_key(key(2, OTHER_COMPANY)).await.unwrap();
    let change = CompanyChange {
        drop_payloads: Some(true),
        ..CompanyChange::default()
    };
    let changed = store.update_company(OTHER_COMPANY, change).await.unwrap();
    assert!(changed.drop_payloads);
    let listed = store.list_companies(PageRequest::first(9)).await.unwrap().items;
    assert_eq!(
        listed
            .iter()
            .map(|company| company.drop_payloads)
            .collect::<Vec<_>>(),
        [false, true]
    );
    let renamed = CompanyChange {
        name: Some("Acme".into()),
        ..CompanyChange::default()
    };
    let renamed = store.update_company(OTHER_COMPANY, renamed).await.unwrap();
    assert_eq!((renamed.name.as_str(), renamed.drop_payloads), ("Acme", true));
    let missing = store
        .update_company(switchhook_domain::id::CompanyId(99), CompanyChange::default())
        .await;
    assert!(
        matches!(missing, Err(StoreError::NotFound("company"))),
        "{missing:?}"
    );
}

pub(crate) async fn replaced_secrets_are_forgotten_when_their_time_is_over(world: &mut World) {
    let store = &world.store;
    let made = store.create_webhook(webhook(10, COMPANY)).await.unwrap();
    let until = made.old_secrets[0].valid_until;
    assert_eq!(store.forget_old_secrets(NOON).await.unwrap(), 0);
    assert_eq!(
        store.webhook(COMPANY, made.id).await.unwrap().old_secrets.len(),
        1
    );
    assert_eq!(store.forget_old_secrets(until).await.unwrap(), 1);
    assert_eq!(store.webhook(COMPANY, made.id).await.unwrap().old_secrets, []);
    let unsealed = store.reseal_secrets(None, 9).await;
    assert!(matches!(unsealed, Err(StoreError::Unusable(_))), "{unsealed:?}");
    let change = WebhookChange {
        secret: Some(Some(switchhook_domain::secret::Secret::new("enc:v1:odd"))),
        old_secret_until: Some(NOON.plus(Duration::from_secs(9))),
        ..WebhookChange::default()
    };
    let odd = store
        .update_webhook(COMPANY, made.id, change, NOON)
        .await
        .unwrap();
    assert_eq!(
        store.webhook(COMPANY, made.id).await.unwrap(),
        odd,
        "whatever a secret looks like"
    );
}
