//! Websockets, the subscriptions that point at them, and the log that they read.

use switchhook_domain::id::{CompanyId, WebsocketId};
use switchhook_domain::secret::Secret;
use switchhook_domain::subscription::{Endpoint, Filter, Subscription, SubscriptionChange, VersionChange};
use switchhook_domain::websocket::Websocket;
use switchhook_store::{
    Consumer, ConsumerMove, LogBounds, LogPosition, NewEvent, PageRequest, StoreError, SubscriptionFilter,
};

use crate::World;
use crate::samples::{self, COMPANY, NOON, OTHER_COMPANY, is_missing};

fn websocket(id: i64, company_id: CompanyId) -> Websocket {
    Websocket {
        id: WebsocketId(id),
        company_id,
        secret: (id % 2 == 0).then(|| Secret::new("s3cret")),
        token_key: Secret::new(format!("key {id}")),
        created_at: NOON,
        updated_at: NOON,
    }
}

async fn made(world: &World) -> Websocket {
    let websocket = websocket(world.id(), COMPANY);
    world.store.create_websocket(websocket).await.unwrap()
}

fn subscription(id: i64, endpoint: Endpoint) -> Subscription {
    Subscription {
        endpoint: Some(endpoint),
        ..samples::subscription(id, None, Filter::Changelog)
    }
}

pub(crate) async fn a_websocket_is_kept_changed_and_deleted(world: &mut World) {
    let one = made(world).await;
    let theirs = websocket(world.id(), OTHER_COMPANY);
    world.store.create_websocket(theirs.clone()).await.unwrap();
    assert_eq!(world.store.websocket(COMPANY, one.id).await.unwrap(), one);
    world.after(1);
    for secret in [Some(Secret::new("another")), None] {
        let changed = world
            .store
            .update_websocket(COMPANY, one.id, secret.clone(), world.now)
            .await
            .unwrap();
        assert_eq!(changed, one.clone().with_secret(secret, world.now));
        assert_eq!(world.store.websocket(COMPANY, one.id).await.unwrap(), changed);
    }
    let all = PageRequest::first(9);
    let listed = world.store.list_websockets(None, all).await.unwrap();
    assert_eq!(listed.items.len(), 2);
    let listed = world
        .store
        .list_websockets(Some(OTHER_COMPANY), all)
        .await
        .unwrap();
    assert_eq!(listed.items, std::slice::from_ref(&theirs));
    let found = world.store.websocket(COMPANY, theirs.id).await;
    assert!(is_missing(&found, "websocket"));
    let not_theirs = world.store.delete_websocket(COMPANY, theirs.id, world.now).await;
    assert!(is_missing(&not_theirs, "websocket"));
    world
        .store
        .delete_websocket(COMPANY, one.id, world.now)
        .await
        .unwrap();
    let found = world.store.websocket(COMPANY, one.id).await;
    assert!(is_missing(&found, "websocket"));
}

pub(crate) async fn a_subscription_points_at_a_webhook_or_at_a_websocket(world: &mut World) {
    let (webhook_id, one) = (world.webhook().await, made(world).await);
    let endpoint = Endpoint::Websocket(one.id);
    let kept = subscription(world.id(), endpoint);
    world.store.create_subscription(kept.clone(), None).await.unwrap();
    let again = subscription(world.id(), endpoint);
    let refused = world.store.create_subscription(again, None).await;
    assert!(
        matches!(&refused, Err(StoreError::Conflict(why)) if why.contains(&endpoint.to_string())),
        "{refused:?}"
    );
    let nowhere = subscription(world.id(), Endpoint::Websocket(WebsocketId(webhook_id.0)));
    let refused = world.store.create_subscription(nowhere, None).await;
    assert!(is_missing(&refused, "websocket"));
    let (kind, id) = (kept.filter.kind(), kept.id);
    let there = world.store.subscription(COMPANY, kind, id).await.unwrap();
    assert_eq!(there.endpoint, Some(endpoint));
    let moved = SubscriptionChange {
        endpoint: Some(Some(Endpoint::Webhook(webhook_id))),
        ..SubscriptionChange::default()
    };
    let moved = world
        .store
        .update_subscription(COMPANY, kind, id, moved, world.now)
        .await
        .unwrap();
    assert_eq!(moved.webhook_id(), Some(webhook_id));
    let back = SubscriptionChange {
        endpoint: Some(Some(endpoint)),
        ..SubscriptionChange::default()
    };
    world
        .store
        .update_subscription(COMPANY, kind, id, back, world.now)
        .await
        .unwrap();
    let listed = world
        .store
        .list_subscriptions(COMPANY, SubscriptionFilter::default(), PageRequest::first(9))
        .await
        .unwrap();
    assert_eq!(listed.items.len(), 1);
    assert_eq!(listed.items[0].endpoint, Some(endpoint));
}

pub(crate) async fn a_deleted_websocket_orphans_its_subscriptions(world: &mut World) {
    let one = made(world).await;
    let kept = subscription(world.id(), Endpoint::Websocket(one.id));
    let (kind, id) = (kept.filter.kind(), kept.id);
    world.store.create_subscription(kept, None).await.unwrap();
    world
        .store
        .delete_websocket(COMPANY, one.id, world.now)
        .await
        .unwrap();
    let orphan = world.store.subscription(COMPANY, kind, id).await.unwrap();
    assert_eq!(orphan.endpoint, None);
    let changes = world
        .store
        .subscription_changes(Some(COMPANY), PageRequest::first(9))
        .await
        .unwrap();
    let ends: Vec<_> = changes
        .items
        .iter()
        .map(|version| (version.change, version.subscription.websocket_id()))
        .collect();
    assert_eq!(
        ends,
        [
            (VersionChange::Created, Some(one.id)),
            (VersionChange::WebsocketDeleted, None)
        ]
    );
}

const AT_ONCE: LogBounds = LogBounds {
    events: 100,
    bytes: 1 << 20,
};

async fn log(world: &World, after: LogPosition, bounds: LogBounds) -> Vec<(LogPosition, i64)> {
    let entries = world.store.read_log(COMPANY, after, bounds).await.unwrap();
    entries
        .iter()
        .map(|entry| (entry.position, entry.event.id.0))
        .collect()
}

fn wanted(event: NewEvent) -> NewEvent {
    NewEvent {
        is_logged: true,
        ..event
    }
}

pub(crate) async fn the_log_follows_the_commits_and_not_the_ids(world: &mut World) {
    assert_eq!(world.store.log_end(COMPANY).await.unwrap(), LogPosition(0));
    let events: Vec<_> = (0..4).map(|_| wanted(world.event())).collect();
    // Accepted at the same moment, and the last was the first to be kept.
    let order = [3, 0, 2, 1];
    let mut end = LogPosition(0);
    for nth in order {
        world.record(events[nth].clone()).await;
        let found = log(world, end, AT_ONCE).await;
        assert_eq!(
            found.iter().map(|(_, id)| *id).collect::<Vec<_>>(),
            [events[nth].id.0],
            "what was kept last is found last"
        );
        end = found[0].0;
        assert_eq!(world.store.log_end(COMPANY).await.unwrap(), end);
    }
    let all = log(world, LogPosition(0), AT_ONCE).await;
    assert!(all.is_sorted_by(|one, next| one.0 < next.0), "{all:?}");
    let ids: Vec<_> = all.iter().map(|(_, id)| *id).collect();
    assert_eq!(ids, order.map(|nth| events[nth].id.0));
    let other = world.store.read_log(OTHER_COMPANY, LogPosition(0), AT_ONCE).await;
    assert_eq!(other.unwrap(), []);
}

pub(crate) async fn the_log_has_what_a_websocket_wanted_and_is_read_within_bounds(world: &mut World) {
    let not_wanted = world.event();
    let wanted: Vec<_> = (0..3).map(|_| wanted(world.event())).collect();
    world.record(not_wanted).await;
    world.store.record_events(wanted.clone()).await.unwrap();
    let ids = |found: Vec<(LogPosition, i64)>| found.into_iter().map(|(_, id)| id).collect::<Vec<_>>();
    let start = LogPosition(0);
    let two = LogBounds { events: 2, ..AT_ONCE };
    assert_eq!(
        ids(log(world, start, two).await),
        [wanted[0].id.0, wanted[1].id.0]
    );
    let few_bytes = LogBounds { bytes: 1, ..AT_ONCE };
    let first = log(world, start, few_bytes).await;
    assert_eq!(first.len(), 1, "at least one");
    let rest = log(world, first[0].0, AT_ONCE).await;
    assert_eq!(ids(rest), [wanted[1].id.0, wanted[2].id.0]);
    let entry = &world.store.read_log(COMPANY, start, few_bytes).await.unwrap()[0];
    assert_eq!(
        entry.event,
        world.store.event(COMPANY, wanted[0].id).await.unwrap()
    );
}

pub(crate) async fn a_feed_is_opened_once_and_earlier_events_come_first(world: &mut World) {
    let earlier: Vec<_> = (0..4).map(|_| world.event()).collect();
    world.store.record_events(earlier.clone()).await.unwrap();
    let logged = wanted(world.event());
    world.record(logged.clone()).await;
    assert_eq!(world.store.feeds(Some(COMPANY)).await.unwrap().len(), 0);
    assert!(world.store.open_feed(COMPANY, world.now).await.unwrap());
    assert!(
        !world.store.open_feed(COMPANY, world.now).await.unwrap(),
        "it is open"
    );
    assert!(world.store.feeds(None).await.unwrap().contains(&COMPANY));
    assert_eq!(world.store.feeds(Some(OTHER_COMPANY)).await.unwrap().len(), 0);
    world.store.log_earlier_events(COMPANY, 3).await.unwrap();
    let ids = |found: &[(LogPosition, i64)]| found.iter().map(|(_, id)| *id).collect::<Vec<_>>();
    let found = log(world, LogPosition(0), AT_ONCE).await;
    let mut expected: Vec<_> = earlier[1..].iter().map(|event| event.id.0).collect();
    expected.push(logged.id.0);
    assert_eq!(
        ids(&found),
        expected,
        "the last three, before what was logged since"
    );
    assert!(found.is_sorted_by(|one, next| one.0 < next.0), "{found:?}");
    world.store.log_earlier_events(COMPANY, 100).await.unwrap();
    assert_eq!(log(world, LogPosition(0), AT_ONCE).await.len(), 5);
}

pub(crate) async fn a_consumer_is_moved_on_by_acknowledging_and_anywhere_by_seeking(world: &mut World) {
    let store = std::sync::Arc::clone(&world.store);
    let consumer = |name: &str| Consumer {
        company_id: COMPANY,
        name: name.to_owned(),
        position: LogPosition(10),
        created_at: NOON,
        updated_at: NOON,
    };
    let made = store.create_consumer(consumer("b"), 2).await.unwrap();
    assert_eq!(made, (consumer("b"), true));
    let (now, name) = (NOON.plus(std::time::Duration::from_secs(5)), || "b".to_owned());
    let moved = store
        .move_consumer(COMPANY, name(), ConsumerMove::Acknowledged(LogPosition(12)), now)
        .await
        .unwrap();
    assert_eq!((moved.position, moved.updated_at), (LogPosition(12), now));
    let again = store.create_consumer(consumer("b"), 2).await.unwrap();
    assert_eq!(again, (moved.clone(), false), "it stays where it is");
    let back = store
        .move_consumer(COMPANY, name(), ConsumerMove::Acknowledged(LogPosition(11)), NOON)
        .await
        .unwrap();
    assert_eq!(back, moved, "what was acknowledged stays so");
    let sought = store
        .move_consumer(COMPANY, name(), ConsumerMove::Seeked(LogPosition(3)), now)
        .await
        .unwrap();
    assert_eq!(sought.position, LogPosition(3));
    store.create_consumer(consumer("a"), 2).await.unwrap();
    let refused = store.create_consumer(consumer("c"), 2).await;
    assert!(matches!(refused, Err(StoreError::LimitReached(_))), "{refused:?}");
    let listed = store.list_consumers(COMPANY).await.unwrap();
    let names: Vec<_> = listed.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(store.list_consumers(OTHER_COMPANY).await.unwrap(), []);
    let missing = store
        .move_consumer(OTHER_COMPANY, name(), ConsumerMove::Seeked(LogPosition(1)), now)
        .await;
    assert!(is_missing(&missing, "consumer"));
    assert_eq!(store.delete_consumer(COMPANY, name()).await.unwrap(), sought);
    assert!(is_missing(&store.consumer(COMPANY, name()).await, "consumer"));
}
