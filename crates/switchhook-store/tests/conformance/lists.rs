//! Lists of events and deliveries, and the store about itself.

use std::time::Duration;

use bytes::Bytes;
use switchhook_domain::Kind;
use switchhook_domain::delivery::StateName;
use switchhook_domain::id::{DeliveryId, EventId, WebhookId};
use switchhook_store::{
    DeliveryFilter, EventFilter, EventHead, LARGEST_EVENT_PAGE, LARGEST_SMALL_EVENT, LARGEST_SMALL_EVENTS,
    NewEvent, PageRequest, StoreError,
};

use crate::samples::{COMPANY, OTHER_COMPANY, order_key};
use crate::world::World;

const HOOK: WebhookId = WebhookId(7);
const ALL: PageRequest = PageRequest::first(100);

async fn events(world: &World, filter: EventFilter) -> Vec<EventId> {
    let page = world.store.list_events(COMPANY, filter, ALL).await.unwrap();
    page.items.iter().map(|event| event.id).collect()
}

async fn deliveries(world: &World, filter: DeliveryFilter) -> Vec<DeliveryId> {
    let page = world.store.list_deliveries(COMPANY, filter, ALL).await.unwrap();
    page.items.iter().map(|delivery| delivery.id).collect()
}

pub(crate) async fn events_are_listed_newest_first_page_by_page(world: &mut World) {
    let mut expected = Vec::new();
    for _ in 0..7 {
        let event = world.event();
        expected.push(event.id);
        world.record(event).await;
        world
            .record(NewEvent {
                company_id: OTHER_COMPANY,
                ..world.event()
            })
            .await;
    }
    expected.reverse();
    let (mut seen, mut page) = (Vec::new(), PageRequest::first(3));
    loop {
        let part = world
            .store
            .list_events(COMPANY, EventFilter::default(), page)
            .await
            .unwrap();
        assert!(part.items.len() <= 3);
        seen.extend(part.items.iter().map(|event| event.id));
        let Some(next) = part.next else { break };
        page.after = Some(next);
    }
    assert_eq!(seen, expected);
}

pub(crate) async fn a_page_of_large_events_ends_early_and_loses_none(world: &mut World) {
    let body = Bytes::from(format!("{{\"a\":\"{}\"}}", "x".repeat(LARGEST_EVENT_PAGE / 3)));
    let mut expected = Vec::new();
    for size in [body.len(), 2, body.len(), body.len(), 2, body.len(), body.len()] {
        let body = if size == 2 {
            Bytes::from("{}")
        } else {
            body.clone()
        };
        let event = NewEvent {
            body,
            ..world.event()
        };
        expected.push(event.id);
        world.record(event).await;
    }
    expected.reverse();
    let (mut seen, mut pages, mut page) = (Vec::new(), 0, PageRequest::first(6));
    loop {
        let filter = EventFilter::default();
        let part = world.store.list_events(COMPANY, filter, page).await.unwrap();
        let bytes: usize = part.items.iter().map(|event| event.body.len()).sum();
        assert!(bytes <= LARGEST_EVENT_PAGE + body.len());
        seen.extend(part.items.iter().map(|event| event.id));
        pages += 1;
        let Some(next) = part.next else { break };
        page.after = Some(next);
    }
    assert_eq!((seen, pages), (expected, 2));
}

pub(crate) async fn a_head_knows_how_large_its_event_is(world: &mut World) {
    let event = NewEvent {
        body: Bytes::from("{\"name\":\"Zo\u{eb}\"}"),
        order_key: Some(order_key(1)),
        warnings: vec!["/name: odd".to_owned()],
        ..world.event()
    };
    world.record(event.clone()).await;
    let filter = EventFilter::default();
    let heads = world.store.list_event_heads(COMPANY, filter, ALL).await.unwrap();
    let whole = world.store.event(COMPANY, event.id).await.unwrap();
    assert_eq!(heads.items, [EventHead::from(whole)]);
    assert_eq!(heads.items[0].body_bytes, 15);
}

pub(crate) async fn only_small_events_of_the_company_are_read_for_lists(world: &mut World) {
    let of_size = |size: usize| Bytes::from(format!("{{\"a\":\"{}\"}}", "x".repeat(size - 8)));
    let mut ids = Vec::new();
    let small = [LARGEST_SMALL_EVENT; LARGEST_SMALL_EVENTS / LARGEST_SMALL_EVENT];
    for size in small.into_iter().chain([LARGEST_SMALL_EVENT + 1, 100]) {
        let event = NewEvent {
            body: of_size(size),
            ..world.event()
        };
        ids.push(event.id);
        world.record(event).await;
    }
    let read = async |company_id, ids: &[EventId]| {
        let read = world.store.small_events(company_id, ids.to_vec()).await.unwrap();
        let mut ids: Vec<_> = read.iter().map(|event| event.id).collect();
        ids.sort_unstable();
        ids
    };
    let (small, [large, last]) = ids.split_at(ids.len() - 2) else {
        unreachable!("two are split off")
    };
    assert_eq!(read(COMPANY, &[*large, *last]).await, [*last]);
    assert_eq!(read(COMPANY, &ids).await, small, "as many as there is room for");
    assert_eq!(read(OTHER_COMPANY, &[*last]).await, []);
    let last = world.store.small_events(COMPANY, vec![*last]).await.unwrap();
    assert_eq!(last[0].body, of_size(100));
}

pub(crate) async fn events_are_narrowed_by_kind_key_and_time(world: &mut World) {
    let mut ids = Vec::new();
    for (kind, call) in [(Kind::Call, 1), (Kind::Sms, 1), (Kind::Call, 2)] {
        let event = NewEvent {
            kind,
            order_key: Some(order_key(call)),
            ..world.event()
        };
        ids.push(event.id);
        world.record(event).await;
        world.after(10);
    }
    let start = world.now.minus(Duration::from_secs(30));
    let second = Some(start.plus(Duration::from_secs(10)));
    let all = EventFilter::default();
    assert_eq!(
        events(
            world,
            EventFilter {
                kind: Some(Kind::Call),
                ..all.clone()
            }
        )
        .await,
        [ids[2], ids[0]]
    );
    assert_eq!(
        events(
            world,
            EventFilter {
                order_key: Some(order_key(1)),
                ..all.clone()
            }
        )
        .await,
        [ids[1], ids[0]]
    );
    assert_eq!(
        events(
            world,
            EventFilter {
                since: second,
                ..all.clone()
            }
        )
        .await,
        [ids[2], ids[1]]
    );
    assert_eq!(
        events(
            world,
            EventFilter {
                until: second,
                ..all.clone()
            }
        )
        .await,
        [ids[0]]
    );
    let both = EventFilter {
        kind: Some(Kind::Sms),
        order_key: Some(order_key(2)),
        ..all
    };
    assert_eq!(events(world, both).await, []);
}

pub(crate) async fn deliveries_are_narrowed_by_event_webhook_state_and_kind(world: &mut World) {
    let one = world.send(1, HOOK).await;
    let two = world.send(2, WebhookId(8)).await;
    world.after(10);
    let three = world.leave(3, HOOK).await;
    world.succeed(one, 1).await;
    world
        .store
        .cancel_delivery(COMPANY, three, world.now)
        .await
        .unwrap();
    let all = DeliveryFilter::default();
    let state = |state| DeliveryFilter {
        state: Some(state),
        ..DeliveryFilter::default()
    };
    assert_eq!(deliveries(world, all.clone()).await, [three, two, one]);
    assert_eq!(deliveries(world, state(StateName::Pending)).await, [two]);
    assert_eq!(deliveries(world, state(StateName::Delivered)).await, [one]);
    assert_eq!(deliveries(world, state(StateName::Exhausted)).await, []);
    let event_id = Some(world.event_of(two).await);
    assert_eq!(
        deliveries(
            world,
            DeliveryFilter {
                event_id,
                ..all.clone()
            }
        )
        .await,
        [two]
    );
    assert_eq!(
        deliveries(
            world,
            DeliveryFilter {
                webhook_id: Some(HOOK),
                ..all.clone()
            }
        )
        .await,
        [three, one]
    );
    let cancelled = DeliveryFilter {
        webhook_id: Some(HOOK),
        ..state(StateName::Cancelled)
    };
    assert_eq!(deliveries(world, cancelled).await, [three]);
    assert_eq!(
        deliveries(
            world,
            DeliveryFilter {
                since: Some(world.now),
                ..all.clone()
            }
        )
        .await,
        [three]
    );
    assert_eq!(
        deliveries(
            world,
            DeliveryFilter {
                kind: Some(Kind::Sms),
                ..all
            }
        )
        .await,
        []
    );
}

pub(crate) async fn the_last_id_is_the_largest_of_all(world: &mut World) {
    assert_eq!(world.store.last_id().await.unwrap(), 0);
    let webhook_id = world.webhook().await;
    assert_eq!(world.store.last_id().await.unwrap(), webhook_id.0);
    let delivery_id = world.leave(1, webhook_id).await;
    let event_id = world.event_of(delivery_id).await;
    assert_eq!(
        world.store.last_id().await.unwrap(),
        delivery_id.0.max(event_id.0)
    );
}

pub(crate) async fn a_check_leaves_nothing_behind(world: &mut World) {
    world.store.check().await.unwrap();
    world.store.check().await.unwrap();
    assert_eq!(world.store.last_id().await.unwrap(), 0);
    assert_eq!(world.effects(), []);
}

pub(crate) async fn a_closed_store_says_so(world: &mut World) {
    world.store.close().await;
    world.store.close().await;
    let refused = world.store.record_events(vec![world.event()]).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    let refused = world.store.last_id().await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
}

/// More events than one page passes by, each with a delivery; the first is an sms, all others are calls.
async fn many_events(world: &World, webhook_id: WebhookId) {
    const MANY: usize = 10_500;
    let events: Vec<_> = (0..MANY)
        .map(|number| NewEvent {
            kind: if number == 0 { Kind::Sms } else { Kind::Call },
            order_key: Some(order_key(i64::from(number > 0))),
            deliveries: vec![world.delivery(webhook_id)],
            ..world.event()
        })
        .collect();
    for events in events.chunks(500) {
        world.store.record_events(events.to_vec()).await.unwrap();
    }
}

pub(crate) async fn what_is_rare_is_found_in_several_pages(world: &mut World) {
    many_events(world, HOOK).await;
    let rare_events = [
        EventFilter {
            kind: Some(Kind::Sms),
            ..EventFilter::default()
        },
        EventFilter {
            order_key: Some(order_key(0)),
            ..EventFilter::default()
        },
    ];
    for filter in rare_events {
        let first = world
            .store
            .list_events(COMPANY, filter.clone(), ALL)
            .await
            .unwrap();
        assert!(first.items.is_empty(), "{filter:?}");
        let rest = PageRequest {
            after: Some(first.next.expect("it is not the last")),
            ..ALL
        };
        let last = world
            .store
            .list_events(COMPANY, filter.clone(), rest)
            .await
            .unwrap();
        assert_eq!((last.items.len(), last.next), (1, None), "{filter:?}");
    }
    let sms = DeliveryFilter {
        kind: Some(Kind::Sms),
        ..DeliveryFilter::default()
    };
    let rare_deliveries = [
        sms.clone(),
        DeliveryFilter {
            webhook_id: Some(HOOK),
            ..sms.clone()
        },
        DeliveryFilter {
            webhook_id: Some(HOOK),
            state: Some(StateName::Pending),
            ..sms.clone()
        },
    ];
    for filter in rare_deliveries {
        let first = world
            .store
            .list_deliveries(COMPANY, filter.clone(), ALL)
            .await
            .unwrap();
        assert!(first.items.is_empty(), "{filter:?}");
        let rest = PageRequest {
            after: Some(first.next.expect("it is not the last")),
            ..ALL
        };
        let last = world
            .store
            .list_deliveries(COMPANY, filter.clone(), rest)
            .await
            .unwrap();
        assert_eq!((last.items.len(), last.next), (1, None), "{filter:?}");
    }
    // What fills a page at once needs no second one, and a full page says where it ends.
    let calls = EventFilter {
        kind: Some(Kind::Call),
        ..EventFilter::default()
    };
    let page = world.store.list_events(COMPANY, calls, ALL).await.unwrap();
    assert_eq!(page.items.len(), 100);
    assert_eq!(page.next, page.items.last().map(|event| event.id.0));
}

pub(crate) async fn a_list_of_somebody_elses_tells_nothing_however_long_it_is(world: &mut World) {
    many_events(world, HOOK).await;
    let filter = DeliveryFilter {
        webhook_id: Some(HOOK),
        ..DeliveryFilter::default()
    };
    let page = world
        .store
        .list_deliveries(OTHER_COMPANY, filter, ALL)
        .await
        .unwrap();
    assert_eq!((page.items.len(), page.next), (0, None));
}
