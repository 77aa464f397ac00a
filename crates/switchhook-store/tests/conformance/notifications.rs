//! Notifications: what is written down, what counts together, who gets what.

use std::time::Duration;

use switchhook_domain::Timestamp;
use switchhook_domain::delivery::DeliveryState;
use switchhook_domain::id::{ChannelId, CompanyId, RefusalId, SourceId, WebhookId};
use switchhook_domain::notification::{
    Channel, ChannelChange, ChannelType, FailingWebhook, GivenUpDelivery, Notice, Notification,
    NotificationKind, NotificationPayload, Progress, Recipient, RefusingSource, SilentSource, SuspectStore,
    WebhookInfo,
};
use switchhook_domain::secret::Secret;
use switchhook_domain::source::{Refusal, RefusalBounds, Source};
use switchhook_domain::webhook::WebhookChange;
use switchhook_store::{
    ClaimedNotification, FinishedNotification, NotificationClaim, NotificationRecord, PageRequest, Recipients,
};

use crate::World;
use crate::samples::{COMPANY, LEASE, NOON, OTHER_COMPANY, answered, is_missing};

const HOOK: WebhookId = WebhookId(7);

fn failing(attempts: u32) -> FailingWebhook {
    FailingWebhook {
        webhook: WebhookInfo::new(HOOK, "https://example.com"),
        since: NOON,
        attempts,
        last: None,
    }
}

async fn add(world: &World, payload: NotificationPayload) {
    let notice = Notice::new(Some(COMPANY), world.now, payload);
    world.store.add_notice(notice).await.unwrap();
}

async fn listed(world: &World, company_id: CompanyId) -> Vec<NotificationRecord> {
    let page = world
        .store
        .list_notifications(company_id, PageRequest::first(50))
        .await;
    page.unwrap().items
}

pub(crate) async fn a_notice_is_a_notification_until_it_counts_with_one_or_takes_it_back(world: &mut World) {
    add(world, NotificationPayload::WebhookFailing(failing(2))).await;
    world.after(1);
    add(world, NotificationPayload::WebhookFailing(failing(3))).await;
    let kept = listed(world, COMPANY).await;
    let [
        NotificationRecord {
            notification,
            progress,
        },
    ] = &kept[..]
    else {
        panic!("{kept:?}")
    };
    let expected = Notification {
        id: notification.id,
        company_id: Some(COMPANY),
        at: NOON,
        count: 2,
        payload: NotificationPayload::WebhookFailing(failing(3)),
        due_at: NOON,
        handed_out_at: None,
    };
    assert_eq!(*notification, expected);
    assert_eq!(progress, &[]);
    add(world, NotificationPayload::WebhookRecovered(failing(3))).await;
    assert_eq!(
        listed(world, COMPANY).await,
        [],
        "neither was said, so neither is"
    );
    add(
        world,
        NotificationPayload::WebhookDisabled(WebhookInfo::new(HOOK, "https://example.com")),
    )
    .await;
    add(world, NotificationPayload::WebhookFailing(failing(4))).await;
    let kept = listed(world, COMPANY).await;
    let kinds: Vec<_> = kept
        .iter()
        .map(|one| one.notification.payload.kind().as_str())
        .collect();
    assert_eq!(kinds, ["webhook.failing", "webhook.disabled"], "newest first");
    let ids: Vec<_> = kept.iter().map(|one| one.notification.id).collect();
    assert!(ids[0] > ids[1], "{ids:?}");
    let first = world
        .store
        .list_notifications(COMPANY, PageRequest::first(1))
        .await
        .unwrap();
    assert_eq!((first.items.len(), first.next), (1, Some(ids[0].0)));
}

pub(crate) async fn the_operators_notifications_are_shown_to_the_first_company_alone(world: &mut World) {
    let payload = NotificationPayload::StoreTrouble(SuspectStore {
        problem: "the disk is full".to_owned(),
        since: NOON,
        until: None,
    });
    let notice = Notice::new(None, world.now, payload);
    world.store.add_notice(notice).await.unwrap();
    assert_eq!(listed(world, OTHER_COMPANY).await, []);
    let kept = listed(world, COMPANY).await;
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].notification.company_id, None);
}

fn channel(world: &World, company_id: CompanyId, kinds: &[NotificationKind]) -> Channel {
    Channel {
        id: ChannelId(world.id()),
        company_id,
        channel_type: ChannelType::Slack,
        destination: Secret::new("https://hooks.example.com/services/T0/B0/s3cret"),
        secret: Some(Secret::new("enc:looks-sealed")),
        kinds: kinds.to_vec(),
        created_at: NOON,
        updated_at: NOON,
    }
}

async fn kept(world: &World, company_id: CompanyId, kinds: &[NotificationKind]) -> Channel {
    let channel = channel(world, company_id, kinds);
    world.store.create_channel(channel).await.unwrap()
}

pub(crate) async fn a_channel_is_kept_changed_and_deleted(world: &mut World) {
    let made = kept(world, COMPANY, &[NotificationKind::WebhookFailing]).await;
    let other = kept(world, COMPANY, &[]).await;
    assert_eq!(world.store.channel(COMPANY, made.id).await.unwrap(), made);
    assert!(is_missing(
        &world.store.channel(OTHER_COMPANY, made.id).await,
        "notification channel"
    ));
    let all = world
        .store
        .list_channels(COMPANY, PageRequest::first(9))
        .await
        .unwrap();
    assert_eq!(all.items, [made.clone(), other]);
    let change = ChannelChange {
        destination: Some(Secret::new("https://elsewhere.example.com")),
        secret: Some(None),
        kinds: Some(NotificationKind::ALL.to_vec()),
    };
    world.after(9);
    let changed = world
        .store
        .update_channel(COMPANY, made.id, change.clone(), world.now)
        .await
        .unwrap();
    assert_eq!(changed, made.clone().changed(change, world.now));
    assert_eq!(world.store.channel(COMPANY, made.id).await.unwrap(), changed);
    let theirs = world.store.delete_channel(OTHER_COMPANY, made.id).await;
    assert!(is_missing(&theirs, "notification channel"));
    assert_eq!(
        world.store.delete_channel(COMPANY, made.id).await.unwrap(),
        changed
    );
    assert!(is_missing(
        &world.store.channel(COMPANY, made.id).await,
        "notification channel"
    ));
}

fn claim_of(world: &World, recipients: Recipients) -> NotificationClaim {
    NotificationClaim {
        recipients,
        has_command: true,
        now: world.now,
        until: world.now.plus(LEASE),
        most: 10,
    }
}

async fn claim(world: &World, recipients: Recipients) -> Vec<ClaimedNotification> {
    let claim = claim_of(world, recipients);
    let is_due = world.store.are_notifications_due(claim).await.unwrap();
    let claimed = world.store.claim_notifications(claim).await.unwrap();
    assert_eq!(is_due, !claimed.is_empty());
    claimed
}

async fn finish(
    world: &World,
    claimed: &ClaimedNotification,
    sent_at: Option<Timestamp>,
    due_at: Option<Timestamp>,
) {
    let finished = FinishedNotification {
        notification_id: claimed.notification.id,
        recipient: claimed.recipient(),
        attempts: claimed.attempts,
        sent_at,
        error: sent_at.is_none().then(|| "was answered 500".to_owned()),
        due_at,
    };
    world.store.finish_notification(finished).await.unwrap();
}

pub(crate) async fn a_notification_goes_to_the_channels_that_want_it_and_to_the_command(world: &mut World) {
    let wants = kept(
        world,
        COMPANY,
        &[NotificationKind::KeyExpiring, NotificationKind::WebhookFailing],
    )
    .await;
    kept(world, COMPANY, &[NotificationKind::WebhookRecovered]).await;
    kept(world, OTHER_COMPANY, &NotificationKind::ALL).await;
    add(world, NotificationPayload::WebhookFailing(failing(2))).await;
    let claimed = claim(world, Recipients::Channels).await;
    let [one] = &claimed[..] else {
        panic!("{claimed:?}")
    };
    assert_eq!((one.channel.as_ref(), one.attempts), (Some(&wants), 1));
    assert_eq!(one.notification.handed_out_at, Some(world.now));
    assert_eq!(
        claim(world, Recipients::Channels).await,
        [],
        "nobody else gets it"
    );
    let commands = claim(world, Recipients::Command).await;
    let [command] = &commands[..] else {
        panic!("{commands:?}")
    };
    assert_eq!(command.recipient(), Recipient::Command);
    world.after(1);
    add(world, NotificationPayload::WebhookFailing(failing(3))).await;
    assert_eq!(
        claim(world, Recipients::Channels).await,
        [],
        "it is held back for the quiet time"
    );
    finish(world, command, Some(world.now), None).await;
    finish(world, one, None, Some(world.now.plus(LEASE))).await;
    let progress = listed(world, COMPANY).await.remove(1).progress;
    let expected = [
        Progress {
            recipient: Recipient::Command,
            attempts: 1,
            due_at: None,
            sent_at: Some(world.now),
            error: None,
        },
        Progress {
            recipient: Recipient::Channel(wants.id),
            attempts: 1,
            due_at: Some(world.now.plus(LEASE)),
            sent_at: None,
            error: Some("was answered 500".to_owned()),
        },
    ];
    assert_eq!(progress, expected);
    world.after(LEASE.as_secs());
    let again = claim(world, Recipients::Channels).await;
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].attempts, 2);
    finish(world, one, Some(world.now), None).await;
    let progress = listed(world, COMPANY).await.remove(1).progress;
    assert_eq!(progress[1].sent_at, None, "the first attempt is over");
    world.store.delete_channel(COMPANY, wants.id).await.unwrap();
    let progress = listed(world, COMPANY).await.remove(1).progress;
    assert_eq!(
        (progress[1].due_at, progress[1].error.as_deref()),
        (None, Some("the channel was deleted"))
    );
}

pub(crate) async fn of_many_that_claim_at_once_one_gets_each_notification(world: &mut World) {
    kept(world, COMPANY, &NotificationKind::ALL).await;
    for id in 1..=20 {
        add(
            world,
            NotificationPayload::WebhookDisabled(WebhookInfo::new(WebhookId(id), "https://example.com")),
        )
        .await;
    }
    let request = claim_of(world, Recipients::Channels);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let store = std::sync::Arc::clone(&world.store);
        tasks.spawn(async move { store.claim_notifications(request).await.unwrap() });
    }
    let mut ids: Vec<_> = tasks
        .join_all()
        .await
        .into_iter()
        .flatten()
        .map(|one| one.notification.id)
        .collect();
    while let more = claim(world, Recipients::Channels).await
        && !more.is_empty()
    {
        ids.extend(more.iter().map(|one| one.notification.id));
    }
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((count, ids.len()), (20, 20));
}

pub(crate) async fn old_notifications_are_forgotten(world: &mut World) {
    kept(world, COMPANY, &NotificationKind::ALL).await;
    for id in 1..=3 {
        add(
            world,
            NotificationPayload::WebhookDisabled(WebhookInfo::new(WebhookId(id), "https://example.com")),
        )
        .await;
    }
    claim(world, Recipients::Channels).await;
    world.after(60);
    add(world, NotificationPayload::WebhookFailing(failing(2))).await;
    let forget = |most| world.store.forget_old_notifications(world.now, most);
    assert_eq!(forget(2).await.unwrap(), 2);
    assert_eq!(forget(2).await.unwrap(), 1);
    let left = listed(world, COMPANY).await;
    assert_eq!(left.len(), 1);
    assert_eq!(
        left[0].notification.payload.kind(),
        NotificationKind::WebhookFailing
    );
}

pub(crate) async fn deliveries_that_are_given_up_are_told_once_by_webhook(world: &mut World) {
    let webhook_id = world.webhook().await;
    let mut ids = Vec::new();
    for call in 0..3 {
        let id = world.send(call, webhook_id).await;
        world
            .finish(
                id,
                answered(1, 503, world.now),
                DeliveryState::Exhausted { at: world.now },
            )
            .await;
        ids.push(id);
    }
    let told = listed(world, COMPANY).await;
    let [NotificationRecord { notification, .. }] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!(notification.count, 3);
    let NotificationPayload::DeliveryExhausted(GivenUpDelivery {
        webhook, delivery_id, ..
    }) = &notification.payload
    else {
        panic!("{notification:?}")
    };
    assert_eq!((webhook.webhook_id, delivery_id), (webhook_id, &ids[2]));
    assert!(webhook.hook_url.ends_with("?token=***"), "{webhook:?}");
    // An attempt that ends a second time is late, and tells nothing.
    world
        .finish(
            ids[0],
            answered(1, 503, world.now),
            DeliveryState::Exhausted { at: world.now },
        )
        .await;
    assert_eq!(listed(world, COMPANY).await, told);
}

pub(crate) async fn a_webhook_that_is_disabled_is_told(world: &mut World) {
    let id = world.webhook().await;
    let change = |disabled| WebhookChange {
        paused_at: Some(Some(world.now)),
        disabled,
        ..WebhookChange::default()
    };
    for disabled in [false, true, true] {
        world
            .store
            .update_webhook(COMPANY, id, change(disabled), world.now)
            .await
            .unwrap();
    }
    let told = listed(world, COMPANY).await;
    let kinds: Vec<_> = told.iter().map(|one| one.notification.payload.kind()).collect();
    assert_eq!(kinds, [NotificationKind::WebhookDisabled]);
    assert_eq!(told[0].notification.count, 1);
}

pub(crate) async fn a_source_that_refuses_or_is_silent_is_told(world: &mut World) {
    let source = Source {
        id: SourceId(world.id()),
        company_id: COMPANY,
        name: "our account".to_owned(),
        kind: None,
        token_hash: [3; 32],
        secret: None,
        old_secrets: Vec::new(),
        created_at: NOON,
        updated_at: NOON,
    };
    world.store.create_source(source.clone()).await.unwrap();
    for _ in 0..2 {
        let refusal = Refusal {
            id: RefusalId(world.id()),
            source_id: source.id,
            refused_at: world.now,
            status: 401,
            reason: "the signature of +1 415 555 0100 does not match".to_owned(),
            content_type: None,
            signature: None,
            body_bytes: 2,
            body: b"{}".to_vec(),
        };
        world
            .store
            .keep_refusal(refusal, RefusalBounds::DEFAULT)
            .await
            .unwrap();
    }
    let told = listed(world, COMPANY).await.remove(0).notification;
    let refusing = RefusingSource {
        source_id: source.id,
        name: source.name.clone(),
        status: 401,
    };
    assert_eq!(
        (told.count, told.payload),
        (2, NotificationPayload::SourceRefusing(refusing))
    );
    let silent = |before| world.store.silent_sources(before);
    assert_eq!(silent(world.now).await.unwrap(), [], "nothing ever came by it");
    let at = world.now;
    let earlier = at.minus(Duration::from_secs(60));
    for noted in [at, earlier] {
        world
            .store
            .note_last_events(vec![(source.id, noted)])
            .await
            .unwrap();
    }
    assert_eq!(silent(at).await.unwrap(), []);
    let expected = SilentSource {
        source_id: source.id,
        name: source.name,
        last_event_at: at,
    };
    assert_eq!(silent(at.plus(LEASE)).await.unwrap(), [(COMPANY, expected)]);
}
