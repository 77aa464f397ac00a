//! Webhooks, and whose things are whose.

use std::time::Duration;

use switchhook_domain::Kind;
use switchhook_domain::id::WebhookId;
use switchhook_domain::webhook::{SettingsPatch, WebhookChange};
use switchhook_store::{PageRequest, StoreError};

use crate::samples::{COMPANY, NOON, OTHER_COMPANY, subscription, webhook};
use crate::subscriptions::of_target;
use crate::world::World;

const ALL: PageRequest = PageRequest::first(100);

pub(crate) async fn a_webhook_is_kept_changed_and_deleted(world: &mut World) {
    let store = &world.store;
    let made = store.create_webhook(webhook(10, COMPANY)).await.unwrap();
    assert_eq!(
        store.webhook(COMPANY, made.id).await.unwrap(),
        webhook(10, COMPANY)
    );

    let later = NOON.plus(Duration::from_secs(9));
    let settings = SettingsPatch {
        hide_secret: Some(true),
        ..SettingsPatch::default()
    };
    let change = WebhookChange {
        hook_url: None,
        secret: Some(None),
        old_secret_until: Some(later.plus(Duration::from_secs(60))),
        settings,
        paused_at: Some(Some(later)),
        disabled: true,
    };
    let changed = store
        .update_webhook(COMPANY, made.id, change.clone(), later)
        .await
        .unwrap();
    assert_eq!(changed, made.clone().changed(change, later));
    assert_eq!(store.webhook(COMPANY, made.id).await.unwrap(), changed);

    assert_eq!(
        store.delete_webhook(COMPANY, made.id, later).await.unwrap(),
        changed
    );
    let gone = store.webhook(COMPANY, made.id).await;
    assert!(matches!(gone, Err(StoreError::NotFound("webhook"))), "{gone:?}");
    assert!(store.list_webhooks(COMPANY, ALL).await.unwrap().items.is_empty());
    assert!(
        store.delete_webhook(COMPANY, made.id, later).await.is_err(),
        "only once"
    );
}

pub(crate) async fn a_change_that_does_not_go_with_what_another_made_meanwhile_is_refused(world: &mut World) {
    let store = &world.store;
    let made = webhook(10, COMPANY);
    assert!(made.secret.is_some());
    let id = store.create_webhook(made.clone()).await.unwrap().id;
    // Each goes with the webhook as it was.
    let without_secret = WebhookChange {
        secret: Some(None),
        ..WebhookChange::default()
    };
    let signed_otherwise = WebhookChange {
        settings: SettingsPatch {
            standard_webhooks: Some(true),
            ..SettingsPatch::default()
        },
        ..WebhookChange::default()
    };
    for change in [&without_secret, &signed_otherwise] {
        assert!(made.checked_change(change.clone(), NOON).is_ok());
    }
    let (first, second) = tokio::join!(
        store.update_webhook(COMPANY, id, without_secret, NOON),
        store.update_webhook(COMPANY, id, signed_otherwise, NOON),
    );
    let refused = first.and(second).unwrap_err();
    assert!(matches!(refused, StoreError::Conflict(_)), "{refused:?}");
}

pub(crate) async fn changes_of_different_settings_at_once_both_count(world: &mut World) {
    let store = &world.store;
    let id = store.create_webhook(webhook(10, COMPANY)).await.unwrap().id;
    let change = |settings| {
        let change = WebhookChange {
            settings,
            ..WebhookChange::default()
        };
        store.update_webhook(COMPANY, id, change, NOON)
    };
    for value in 1..=20 {
        let concurrency = SettingsPatch {
            max_in_flight: Some(Some(value)),
            ..SettingsPatch::default()
        };
        let timeout = SettingsPatch {
            timeout_ms: Some(Some(value)),
            ..SettingsPatch::default()
        };
        let (one, other) = tokio::join!(change(concurrency), change(timeout));
        one.unwrap();
        other.unwrap();
        let settings = store.webhook(COMPANY, id).await.unwrap().settings;
        assert_eq!(
            (settings.max_in_flight, settings.timeout_ms),
            (Some(value), Some(value))
        );
    }
}

pub(crate) async fn two_webhooks_of_a_company_cannot_share_a_url(world: &mut World) {
    let store = &world.store;
    let first = store.create_webhook(webhook(10, COMPANY)).await.unwrap();
    let mut second = webhook(11, COMPANY);
    second.hook_url.clone_from(&first.hook_url);
    let refused = store.create_webhook(second.clone()).await;
    assert!(
        matches!(&refused, Err(StoreError::Conflict(why)) if why.contains("webhook 10")),
        "{refused:?}"
    );

    store.create_webhook(webhook(11, COMPANY)).await.unwrap();
    let change = WebhookChange {
        hook_url: Some(first.hook_url.clone()),
        ..WebhookChange::default()
    };
    let refused = store
        .update_webhook(COMPANY, second.id, change.clone(), NOON)
        .await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    store
        .update_webhook(COMPANY, first.id, change, NOON)
        .await
        .expect("its own URL is no conflict");

    second.company_id = OTHER_COMPANY;
    second.id = WebhookId(12);
    store
        .create_webhook(second)
        .await
        .expect("another company may send there too");
}

pub(crate) async fn one_address_in_another_spelling_is_the_same_address(world: &mut World) {
    let store = &world.store;
    let with = |id: i64, url: &str| {
        let mut webhook = webhook(id, COMPANY);
        url.clone_into(&mut webhook.hook_url);
        webhook
    };
    let url = "https://Hooks.Example.com:443/a%7Eb?token=x";
    let made = store.create_webhook(with(10, url)).await.unwrap();
    assert_eq!(made.hook_url, url, "it is kept as it was written");
    for other in [
        "https://hooks.example.com/a~b?token=x",
        "https://hooks.example.com./a~b?token=x",
        "https://hooks.example.com/./a%7eb?token=%78#there",
    ] {
        let refused = store.create_webhook(with(11, other)).await;
        assert!(
            matches!(&refused, Err(StoreError::Conflict(why)) if why.contains("webhook 10") && why.contains("another way")),
            "{other}: {refused:?}"
        );
    }
    store
        .create_webhook(with(11, "https://ann:one@hooks.example.com/a~b?token=x"))
        .await
        .expect("another user is another address");
    store
        .create_webhook(with(12, "https://hooks.example.com/a~b?token=y"))
        .await
        .expect("another query is another address");
    let change = WebhookChange {
        hook_url: Some("https://hooks.example.com/a~b?token=x".to_owned()),
        ..WebhookChange::default()
    };
    let refused = store
        .update_webhook(COMPANY, WebhookId(12), change.clone(), NOON)
        .await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    store
        .update_webhook(COMPANY, WebhookId(10), change, NOON)
        .await
        .expect("its own address in another spelling is no conflict");
}

pub(crate) async fn credentials_are_no_part_of_what_webhooks_are_told_apart_by_in_the_store(
    world: &mut World,
) {
    let store = &world.store;
    let with = |id: i64, user_info: &str| {
        let mut webhook = webhook(id, COMPANY);
        webhook.hook_url = format!("https://{user_info}example.com/one?token=a");
        let headers = [("x-api-key", user_info), ("x-team", "blue")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        webhook.settings.headers = headers.into_iter().collect();
        webhook
    };
    for (id, user_info) in [(10, ""), (11, "ann:one@"), (12, "ann:two@")] {
        let made = store.create_webhook(with(id, user_info)).await.unwrap();
        assert_eq!(made, with(id, user_info));
        assert_eq!(store.webhook(COMPANY, made.id).await.unwrap(), made);
    }
    for user_info in ["", "ann:one@", "ann:two@"] {
        let second = store.create_webhook(with(13, user_info)).await;
        assert!(
            matches!(second, Err(StoreError::Conflict(_))),
            "{user_info}: {second:?}"
        );
    }
    let moved = WebhookChange {
        hook_url: Some(with(0, "ann:two@").hook_url),
        ..WebhookChange::default()
    };
    let refused = store
        .update_webhook(COMPANY, WebhookId(11), moved.clone(), NOON)
        .await;
    assert!(
        matches!(&refused, Err(StoreError::Conflict(why)) if why.contains("webhook 12")),
        "{refused:?}"
    );
    store.delete_webhook(COMPANY, WebhookId(12), NOON).await.unwrap();
    let changed = store
        .update_webhook(COMPANY, WebhookId(11), moved, NOON)
        .await
        .unwrap();
    assert_eq!(changed.hook_url, with(0, "ann:two@").hook_url);
    assert_eq!(store.webhook(COMPANY, WebhookId(11)).await.unwrap(), changed);
}

pub(crate) async fn a_deleted_webhook_frees_its_url_and_orphans_its_subscriptions(world: &mut World) {
    let store = &world.store;
    let first = store.create_webhook(webhook(10, COMPANY)).await.unwrap();
    let subscribed = store
        .create_subscription(subscription(20, Some(first.id), of_target(1)), None)
        .await
        .unwrap();
    store.delete_webhook(COMPANY, first.id, NOON).await.unwrap();
    let orphan = store
        .subscription(COMPANY, Kind::Call, subscribed.id)
        .await
        .unwrap();
    assert_eq!(orphan.endpoint, None);
    let again = webhook(10, COMPANY);
    store
        .create_webhook(switchhook_domain::webhook::Webhook {
            id: WebhookId(11),
            ..again
        })
        .await
        .unwrap();
}

pub(crate) async fn nobody_sees_another_companys_things(world: &mut World) {
    let store = &world.store;
    let made = store.create_webhook(webhook(10, COMPANY)).await.unwrap();
    let subscribed = store
        .create_subscription(subscription(20, Some(made.id), of_target(1)), None)
        .await
        .unwrap();
    let delivery_id = world.send(1, made.id).await;
    let event_id = world.event_of(delivery_id).await;
    assert!(store.webhook(OTHER_COMPANY, made.id).await.is_err());
    assert!(
        store
            .update_webhook(OTHER_COMPANY, made.id, WebhookChange::default(), NOON)
            .await
            .is_err()
    );
    assert!(store.delete_webhook(OTHER_COMPANY, made.id, NOON).await.is_err());
    assert!(
        store
            .subscription(OTHER_COMPANY, Kind::Call, subscribed.id)
            .await
            .is_err()
    );
    assert!(
        store
            .subscription(COMPANY, Kind::Sms, subscribed.id)
            .await
            .is_err(),
        "nor under another kind"
    );
    assert!(store.event(OTHER_COMPANY, event_id).await.is_err());
    assert!(store.delivery(OTHER_COMPANY, delivery_id).await.is_err());
    assert!(
        store
            .cancel_delivery(OTHER_COMPANY, delivery_id, NOON)
            .await
            .is_err()
    );
    let other = store
        .list_events(OTHER_COMPANY, switchhook_store::EventFilter::default(), ALL)
        .await
        .unwrap();
    assert!(other.items.is_empty());
}

pub(crate) async fn scans_see_every_company(world: &mut World) {
    let store = &world.store;
    store.create_webhook(webhook(10, COMPANY)).await.unwrap();
    store.create_webhook(webhook(11, OTHER_COMPANY)).await.unwrap();
    store
        .create_subscription(subscription(20, None, of_target(1)), None)
        .await
        .unwrap();
    let first = store.scan_webhooks(PageRequest::first(1)).await.unwrap();
    assert_eq!((first.items.len(), first.next), (1, Some(10)));
    let rest = store
        .scan_webhooks(PageRequest {
            after: first.next,
            limit: 1,
        })
        .await
        .unwrap();
    assert_eq!((rest.items[0].company_id, rest.next), (OTHER_COMPANY, None));
    assert_eq!(store.scan_subscriptions(ALL).await.unwrap().items.len(), 1);
}
