//! Versions of subscriptions: every change is written down, and an event is explained by those it was matched with.

use switchhook_domain::Kind;
use switchhook_domain::id::{EventId, SubscriptionId, WebhookId};
use switchhook_domain::subscription::{
    Filter, Revision, StateAtRevision, SubscriptionChange, SubscriptionVersion, VersionChange,
};
use switchhook_store::{NewEvent, PageRequest, StoreError};

use crate::samples::{COMPANY, NOON, OTHER_COMPANY, subscription};
use crate::subscriptions::of_target;
use crate::world::World;

const ALL: PageRequest = PageRequest::first(100);

async fn subscribe(world: &World, id: i64, webhook_id: WebhookId) {
    let new = subscription(id, Some(webhook_id), of_target(id));
    world.store.create_subscription(new, None).await.unwrap();
}

async fn change(world: &World, id: i64, change: SubscriptionChange) {
    world
        .store
        .update_subscription(COMPANY, Kind::Call, SubscriptionId(id), change, world.now)
        .await
        .unwrap();
}

async fn disable(world: &World, id: i64) {
    let enabled = Some(false);
    change(
        world,
        id,
        SubscriptionChange {
            enabled,
            ..SubscriptionChange::default()
        },
    )
    .await;
}

async fn delete(world: &World, id: i64) {
    world
        .store
        .delete_subscription(COMPANY, Kind::Call, SubscriptionId(id), world.now)
        .await
        .unwrap();
}

/// An event that is matched with what there is now.
async fn event_now(world: &World) -> EventId {
    let revision = world.store.last_revision().await.unwrap();
    let event = NewEvent {
        revision,
        ..world.event()
    };
    let id = event.id;
    world.record(event).await;
    id
}

/// Subscriptions of the company as they were at an event: id, state, enabled.
async fn stood(world: &World, event_id: EventId) -> Vec<(i64, StateAtRevision, bool)> {
    let explained = world
        .store
        .explain_subscriptions(COMPANY, event_id, None, ALL)
        .await
        .unwrap();
    assert_eq!(explained.event.id, event_id);
    let short = |version: &SubscriptionVersion| {
        let standing = version.standing_at(explained.revision);
        (version.subscription.id.0, standing, version.subscription.enabled)
    };
    explained.versions.items.iter().map(short).collect()
}

async fn changes_after(world: &World, revision: Revision) -> Vec<SubscriptionVersion> {
    let page = PageRequest {
        after: Some(revision.0),
        limit: 100,
    };
    let changes = world.store.subscription_changes(Some(COMPANY), page).await;
    changes.unwrap().items
}

pub(crate) async fn an_event_is_explained_by_the_subscriptions_it_was_matched_with(world: &mut World) {
    let webhook_id = world.webhook().await;
    // All of it within one millisecond: order is not a matter of clocks.
    let before_all = event_now(world).await;
    subscribe(world, 11, webhook_id).await;
    subscribe(world, 12, webhook_id).await;
    let enabled = event_now(world).await;
    disable(world, 11).await;
    let disabled = event_now(world).await;
    delete(world, 12).await;
    let deleted = event_now(world).await;
    subscribe(world, 13, webhook_id).await;

    use StateAtRevision::{Existed, Gone, NotYet};
    let nothing = [(11, NotYet, true), (12, NotYet, true), (13, NotYet, true)];
    assert_eq!(stood(world, before_all).await, nothing);
    let both = [(11, Existed, true), (12, Existed, true), (13, NotYet, true)];
    assert_eq!(stood(world, enabled).await, both);
    let one = [(11, Existed, false), (12, Existed, true), (13, NotYet, true)];
    assert_eq!(stood(world, disabled).await, one);
    let gone = [(11, Existed, false), (12, Gone, true), (13, NotYet, true)];
    assert_eq!(stood(world, deleted).await, gone);
}

pub(crate) async fn an_explanation_is_paged_and_can_be_of_one_subscription(world: &mut World) {
    let webhook_id = world.webhook().await;
    for id in 11..16 {
        subscribe(world, id, webhook_id).await;
        disable(world, id).await;
    }
    let event_id = event_now(world).await;
    let mut seen = Vec::new();
    let mut page = PageRequest::first(2);
    loop {
        let explained = world
            .store
            .explain_subscriptions(COMPANY, event_id, None, page)
            .await
            .unwrap();
        seen.extend(
            explained
                .versions
                .items
                .iter()
                .map(|version| version.subscription.id.0),
        );
        match explained.versions.next {
            Some(after) => page.after = Some(after),
            None => break,
        }
    }
    assert_eq!(seen, [11, 12, 13, 14, 15]);
    for (id, expected) in [(13, vec![13]), (10, vec![]), (99, vec![])] {
        let only = Some(SubscriptionId(id));
        let explained = world
            .store
            .explain_subscriptions(COMPANY, event_id, only, ALL)
            .await
            .unwrap();
        let ids: Vec<_> = explained
            .versions
            .items
            .iter()
            .map(|version| version.subscription.id.0)
            .collect();
        assert_eq!((ids, explained.versions.next), (expected, None), "{id}");
    }
}

pub(crate) async fn an_explanation_tells_the_original_deliveries(world: &mut World) {
    let webhook_id = world.webhook().await;
    let delivery = world.leave(1, webhook_id).await;
    let event_id = world.event_of(delivery).await;
    let again = switchhook_domain::id::DeliveryId(world.id());
    world
        .store
        .redeliver(COMPANY, delivery, again, world.now)
        .await
        .unwrap();
    let explained = world
        .store
        .explain_subscriptions(COMPANY, event_id, None, ALL)
        .await
        .unwrap();
    let ids: Vec<_> = explained.deliveries.iter().map(|delivery| delivery.id).collect();
    assert_eq!(ids, [delivery]);
    let foreign = world
        .store
        .explain_subscriptions(OTHER_COMPANY, event_id, None, ALL)
        .await;
    assert!(matches!(foreign, Err(StoreError::NotFound(_))), "{foreign:?}");
}

pub(crate) async fn every_change_is_written_down_with_its_time(world: &mut World) {
    let webhook_id = world.webhook().await;
    let start = world.store.last_revision().await.unwrap();
    subscribe(world, 11, webhook_id).await;
    world.after(1);
    disable(world, 11).await;
    // Nothing that decides where events go is changed here, so there is no version of it.
    disable(world, 11).await;
    world.after(1);
    world
        .store
        .delete_webhook(COMPANY, webhook_id, world.now)
        .await
        .unwrap();
    world.after(1);
    delete(world, 11).await;

    let versions = changes_after(world, start).await;
    let changes: Vec<_> = versions.iter().map(|version| version.change).collect();
    use VersionChange::{Created, Deleted, Updated, WebhookDeleted};
    assert_eq!(changes, [Created, Updated, WebhookDeleted, Deleted]);
    for (one, next) in versions.iter().zip(&versions[1..]) {
        assert_eq!(one.until_at, Some(next.from_at));
        assert!(one.revision < next.revision);
    }
    let webhooks: Vec<_> = versions
        .iter()
        .map(|version| version.subscription.webhook_id())
        .collect();
    assert_eq!(webhooks, [Some(webhook_id), Some(webhook_id), None, None]);
    assert_eq!(
        (versions[0].from_at, versions[3].from_at, versions[3].until_at),
        (NOON, world.now, None)
    );
    assert_eq!(versions[3].revision, world.store.last_revision().await.unwrap());
}

pub(crate) async fn a_change_that_is_refused_leaves_no_version(world: &mut World) {
    let webhook_id = world.webhook().await;
    subscribe(world, 11, webhook_id).await;
    let before = world.store.last_revision().await.unwrap();
    let twin = subscription(12, Some(webhook_id), of_target(11));
    world.store.create_subscription(twin, None).await.unwrap_err();
    let nobody = subscription(13, Some(WebhookId(99)), Filter::Changelog);
    world.store.create_subscription(nobody, None).await.unwrap_err();
    world
        .store
        .delete_subscription(COMPANY, Kind::Call, SubscriptionId(99), NOON)
        .await
        .unwrap_err();
    assert_eq!(world.store.last_revision().await.unwrap(), before);
}

pub(crate) async fn changes_are_told_by_company_or_all(world: &mut World) {
    let webhook_id = world.webhook().await;
    subscribe(world, 11, webhook_id).await;
    let foreign = switchhook_domain::subscription::Subscription {
        company_id: OTHER_COMPANY,
        ..subscription(12, None, Filter::Changelog)
    };
    world.store.create_subscription(foreign, None).await.unwrap();
    for (company_id, expected) in [
        (Some(COMPANY), vec![11]),
        (Some(OTHER_COMPANY), vec![12]),
        (None, vec![11, 12]),
    ] {
        let changes = world.store.subscription_changes(company_id, ALL).await.unwrap();
        let ids: Vec<_> = changes
            .items
            .iter()
            .map(|version| version.subscription.id.0)
            .collect();
        assert_eq!(ids, expected);
    }
}
