//! Subscriptions: filters, conflicts, limits, lists.

use std::time::Duration;

use switchhook_domain::Kind;
use switchhook_domain::filter::PayloadFilter;
use switchhook_domain::id::{SubscriptionId, WebhookId, WebsocketId};
use switchhook_domain::scope::Scopes;
use switchhook_domain::subscription::{
    CallFilter, Endpoint, Filter, FilterChange, InvalidChange, SmsFilter, SubscriptionChange, TargetRef,
};
use switchhook_protocol::{AgentType, TargetType};
use switchhook_store::{PageRequest, StoreError, SubscriptionFilter, SubscriptionLimits};

use crate::samples::{COMPANY, NOON, OTHER_COMPANY, subscription, webhook};
use crate::world::World;

const ALL: PageRequest = PageRequest::first(100);

pub(crate) fn of_target(target_id: i64) -> Filter {
    let target = Some(TargetRef {
        target_type: TargetType::Office,
        target_id,
    });
    Filter::Call(CallFilter {
        target,
        ..CallFilter::default()
    })
}

fn sms(status: bool) -> Filter {
    let direction = serde_json::from_str("\"inbound\"").expect("a direction");
    Filter::Sms(SmsFilter {
        direction,
        include_internal: true,
        status,
        target: None,
    })
}

pub(crate) async fn a_subscription_of_every_kind_reads_back_as_it_was(world: &mut World) {
    let webhook_id = world.webhook().await;
    let call_states = serde_json::from_str(r#"["hangup", "ringing"]"#).expect("two states");
    let filters = [
        Filter::Call(CallFilter {
            call_states,
            group_calls_only: true,
            target: None,
        }),
        of_target(77),
        sms(true),
        Filter::AgentStatus {
            agent_type: AgentType::ALL[0],
        },
        Filter::Contact {
            contact_type: serde_json::from_str("\"local\"").expect("a contact type"),
        },
        Filter::Changelog,
    ];
    for (id, filter) in (100..).zip(filters) {
        let kind = filter.kind();
        let made = switchhook_domain::subscription::Subscription {
            enabled: id % 2 == 0,
            payload_filter: (id % 2 == 0).then(|| payload_filter("1")),
            scopes: Scopes::ALL,
            ..subscription(id, Some(webhook_id), filter)
        };
        world.store.create_subscription(made.clone(), None).await.unwrap();
        assert_eq!(
            world
                .store
                .subscription(COMPANY, kind, SubscriptionId(id))
                .await
                .unwrap(),
            made
        );
    }
}

fn payload_filter(number: &str) -> PayloadFilter {
    PayloadFilter::parse(&format!("{{\"id\": {number}}}")).expect("it is a filter")
}

/// A digit more would be another number, and no driver may round it.
const LONG: &str = "123456789012345678901234567890";

pub(crate) async fn a_filter_on_the_payload_is_kept_changed_and_told_by_each_version(world: &mut World) {
    let webhook_id = world.webhook().await;
    let store = std::sync::Arc::clone(&world.store);
    let made = subscription(40, Some(webhook_id), of_target(40));
    store.create_subscription(made.clone(), None).await.unwrap();
    let filters = [None, Some(payload_filter(LONG)), Some(payload_filter("2")), None];
    for filter in &filters[1..] {
        let change = SubscriptionChange {
            payload_filter: Some(filter.clone()),
            ..SubscriptionChange::default()
        };
        let changed = store
            .update_subscription(COMPANY, Kind::Call, SubscriptionId(40), change, NOON)
            .await
            .unwrap();
        assert_eq!(&changed.payload_filter, filter);
        let read = store
            .subscription(COMPANY, Kind::Call, SubscriptionId(40))
            .await
            .unwrap();
        assert_eq!(read, changed);
    }
    let page = PageRequest::first(1_000);
    let changes = store.subscription_changes(Some(COMPANY), page).await.unwrap();
    let versions = changes.items.into_iter().map(|version| version.subscription);
    let told = versions
        .filter(|one| one.id == SubscriptionId(40))
        .map(|one| one.payload_filter);
    assert_eq!(told.collect::<Vec<_>>(), filters);
    let mut other = subscription(41, Some(webhook_id), of_target(40));
    other.payload_filter = Some(payload_filter("3"));
    store
        .create_subscription(other.clone(), None)
        .await
        .expect("another filter lets other events through");
    let refused = store
        .create_subscription(
            switchhook_domain::subscription::Subscription {
                id: SubscriptionId(42),
                ..other
            },
            None,
        )
        .await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
}

pub(crate) async fn a_second_subscription_to_the_same_is_refused_by_name(world: &mut World) {
    let store = &world.store;
    let webhook_id = world.webhook().await;
    store
        .create_subscription(subscription(20, Some(webhook_id), of_target(1)), None)
        .await
        .unwrap();
    let mut same = subscription(21, Some(webhook_id), of_target(1));
    same.enabled = false;
    let refused = store.create_subscription(same, None).await;
    assert!(
        matches!(&refused, Err(StoreError::Conflict(why)) if why.contains("subscription 20")),
        "{refused:?}"
    );
    for (id, webhook_id) in [(22, None), (23, None)] {
        let orphan = subscription(id, webhook_id, of_target(1));
        store
            .create_subscription(orphan, None)
            .await
            .expect("those that send nowhere are no conflict");
    }
    let change = SubscriptionChange {
        endpoint: Some(Some(Endpoint::Webhook(webhook_id))),
        ..SubscriptionChange::default()
    };
    let refused = store
        .update_subscription(COMPANY, Kind::Call, SubscriptionId(22), change, NOON)
        .await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    store
        .delete_subscription(COMPANY, Kind::Call, SubscriptionId(20), NOON)
        .await
        .unwrap();
    store
        .create_subscription(subscription(24, Some(webhook_id), of_target(1)), None)
        .await
        .unwrap();
}

pub(crate) async fn a_subscription_needs_a_webhook_of_its_company(world: &mut World) {
    let foreign = world
        .store
        .create_webhook(webhook(10, OTHER_COMPANY))
        .await
        .unwrap();
    for webhook_id in [foreign.id, WebhookId(404)] {
        let refused = world
            .store
            .create_subscription(subscription(20, Some(webhook_id), of_target(1)), None)
            .await;
        assert!(
            matches!(refused, Err(StoreError::NotFound("webhook"))),
            "{refused:?}"
        );
    }
}

pub(crate) async fn a_subscription_is_changed_and_deleted(world: &mut World) {
    let store = &world.store;
    let webhook_id = world.webhook().await;
    let made = store
        .create_subscription(subscription(20, None, of_target(1)), None)
        .await
        .unwrap();
    let later = NOON.plus(Duration::from_secs(9));
    let filter = FilterChange {
        target_id: Some(Some(2)),
        ..FilterChange::default()
    };
    let change = SubscriptionChange {
        endpoint: Some(Some(Endpoint::Webhook(webhook_id))),
        enabled: Some(false),
        filter,
        ..SubscriptionChange::default()
    };
    let changed = store
        .update_subscription(COMPANY, Kind::Call, made.id, change, later)
        .await
        .unwrap();
    assert_eq!(
        (changed.webhook_id(), changed.enabled, changed.updated_at),
        (Some(webhook_id), false, later)
    );
    assert_eq!(changed.filter, of_target(2));
    assert_eq!(
        store.subscription(COMPANY, Kind::Call, made.id).await.unwrap(),
        changed
    );
    let narrowed = SubscriptionFilter {
        target_id: Some(2),
        ..SubscriptionFilter::default()
    };
    assert_eq!(
        store
            .list_subscriptions(COMPANY, narrowed, ALL)
            .await
            .unwrap()
            .items,
        std::slice::from_ref(&changed)
    );

    for (endpoint, found) in [
        (Endpoint::Webhook(webhook_id), std::slice::from_ref(&changed)),
        (Endpoint::Websocket(WebsocketId(webhook_id.0)), &[]),
    ] {
        let leading = SubscriptionFilter {
            endpoint: Some(endpoint),
            ..SubscriptionFilter::default()
        };
        let list = store.list_subscriptions(COMPANY, leading, ALL).await.unwrap();
        assert_eq!(list.items, found, "{endpoint}");
        let theirs = store
            .list_subscriptions(OTHER_COMPANY, leading, ALL)
            .await
            .unwrap();
        assert_eq!(theirs.items, []);
    }

    let half = FilterChange {
        target_id: Some(None),
        ..FilterChange::default()
    };
    let half = SubscriptionChange {
        filter: half,
        ..SubscriptionChange::default()
    };
    let refused = store
        .update_subscription(COMPANY, Kind::Call, made.id, half, later)
        .await;
    assert!(
        matches!(refused, Err(StoreError::Invalid(InvalidChange::HalfATarget))),
        "{refused:?}"
    );

    assert_eq!(
        store
            .delete_subscription(COMPANY, Kind::Call, made.id, later)
            .await
            .unwrap(),
        changed
    );
    assert!(
        store
            .delete_subscription(COMPANY, Kind::Call, made.id, later)
            .await
            .is_err(),
        "only once"
    );
}

pub(crate) async fn limits_of_subscriptions_hold(world: &mut World) {
    let store = &world.store;
    let limits = Some(SubscriptionLimits {
        per_kind: 3,
        per_kind_without_target: 1,
    });
    let broad = Filter::Call(CallFilter::default());
    store
        .create_subscription(subscription(20, None, broad.clone()), limits)
        .await
        .unwrap();
    let refused = store
        .create_subscription(subscription(21, None, broad), limits)
        .await;
    assert!(
        matches!(&refused, Err(StoreError::LimitReached(why)) if why.contains("without a target")),
        "{refused:?}"
    );
    store
        .create_subscription(subscription(22, None, of_target(1)), limits)
        .await
        .unwrap();
    store
        .create_subscription(subscription(23, None, of_target(2)), limits)
        .await
        .unwrap();
    let refused = store
        .create_subscription(subscription(24, None, of_target(3)), limits)
        .await;
    assert!(matches!(refused, Err(StoreError::LimitReached(_))), "{refused:?}");
    store
        .create_subscription(subscription(25, None, sms(true)), limits)
        .await
        .expect("each kind counts for itself");
    store
        .create_subscription(subscription(26, None, of_target(3)), None)
        .await
        .expect("without limits there are none");
}

pub(crate) async fn lists_go_page_by_page_and_narrow(world: &mut World) {
    let store = &world.store;
    for id in 20..25 {
        store
            .create_subscription(subscription(id, None, of_target(id)), None)
            .await
            .unwrap();
    }
    store
        .create_subscription(subscription(25, None, sms(false)), None)
        .await
        .unwrap();
    let calls = SubscriptionFilter {
        kind: Some(Kind::Call),
        ..SubscriptionFilter::default()
    };
    let mut seen = Vec::new();
    let mut page = PageRequest::first(2);
    loop {
        let part = store.list_subscriptions(COMPANY, calls, page).await.unwrap();
        seen.extend(part.items.iter().map(|subscription| subscription.id.0));
        let Some(next) = part.next else { break };
        page.after = Some(next);
    }
    assert_eq!(seen, [20, 21, 22, 23, 24]);
    let offices = SubscriptionFilter {
        target_type: Some(TargetType::Office),
        ..SubscriptionFilter::default()
    };
    assert_eq!(
        store
            .list_subscriptions(COMPANY, offices, ALL)
            .await
            .unwrap()
            .items
            .len(),
        5
    );
}
